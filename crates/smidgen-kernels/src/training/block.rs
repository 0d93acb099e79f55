//! Blocks of sums of products of 16-bit numbers that lie staged in scratch: what most of a training step's instructions are.
//!
//! A *row* is one vector of `elements` numbers, padded with zeros to a multiple of [`STEP`]. [`COLUMNS`] *columns* are as many vectors, two
//! numbers of each in turn: element `e` of column `j` is number `8 (e / 2) + 2 j + e % 2`. A row by all columns takes one load of
//! the row and two of the columns for 16 products. Sums wrap, so their order does not matter.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
use super::armv7em as isa;
#[cfg(target_arch = "x86_64")]
use super::x86_64 as isa;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;

/// Columns of a block.
pub(super) const COLUMNS: usize = 4;

/// Most rows of a block.
pub(super) const ROWS: usize = 16;

/// Elements that rows and columns are padded to.
pub(super) const STEP: usize = 4;

/// Bytes that the rows of a block may take where they can be fewer: 16 rows of 160 elements.
const ROW_BYTES: usize = 5120;

/// Bytes that a plane may take where it can be smaller.
pub(super) const STAGED_BYTES: usize = 8192;

/// Where the rows and columns of a block lie, as byte offsets.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// The first row.
    pub rows: usize,
    /// The columns.
    pub columns: usize,
    /// Elements of each, padded.
    pub padded: usize,
}

impl Stage {
    /// Rows and columns of so many elements in scratch.
    #[inline(always)]
    pub fn new(scratch: usize, elements: usize) -> Self {
        let padded = elements.next_multiple_of(STEP);
        Self { columns: scratch, rows: scratch.wrapping_add(padded.wrapping_mul(2 * COLUMNS)), padded }
    }

    /// How many rows of so many elements are staged together where there are `all`: as many as fit, at most `most`, about as many each time.
    pub const fn count(elements: usize, all: usize, most: usize) -> usize {
        let fit = ROW_BYTES / (2 * elements.next_multiple_of(STEP) + 1);
        let fit = if fit > most { most } else { fit };
        let times = all.div_ceil(if fit == 0 { 1 } else { fit });
        all.div_ceil(if times == 0 { 1 } else { times })
    }

    /// Bytes of scratch, a multiple of 4, for so many rows and for columns of so many elements.
    pub const fn bytes(elements: usize, rows: usize) -> usize {
        elements.next_multiple_of(STEP) * 2 * (COLUMNS + rows)
    }

    /// The byte offset of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> usize {
        self.rows.wrapping_add(self.padded.wrapping_mul(2).wrapping_mul(row))
    }

    /// The byte offset of an element of a column.
    #[inline(always)]
    pub fn column(&self, column: usize, element: usize) -> usize {
        let number = (element / 2).wrapping_mul(2 * COLUMNS).wrapping_add(2 * column).wrapping_add(element % 2);
        self.columns.wrapping_add(number.wrapping_mul(2))
    }

    /// For as many rows as there is room for sums, the sums of products with all columns, begun with `start`.
    #[inline(always)]
    pub fn multiply<B: Bounds>(
        &self,
        arena: &mut Arena<'_, u8, B>,
        start: [i32; COLUMNS],
        sums: &mut [[i32; COLUMNS]],
    ) {
        if !sums.is_empty() && self.padded > 0 {
            #[cfg(all(target_arch = "arm", feature = "dsp"))]
            {
                let range = sums.as_mut_ptr_range();
                self.multiply_at(arena, Some(start), [range.start, range.end]);
            }
            #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
            multiply(arena, self, Some(start), sums);
        }
    }

    /// For `count` rows, adds the sums of products with all columns to the sums (int32) that lie one after the other from byte `at` on; those are begun with
    /// `start`, if there is one.
    #[inline(always)]
    pub fn add_up<B: Bounds>(
        &self,
        arena: &mut Arena<'_, u8, B>,
        start: Option<[i32; COLUMNS]>,
        at: usize,
        count: usize,
    ) {
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if count > 0 && self.padded > 0 {
            let sums = arena.pointer(at, count.wrapping_mul(SUM_BYTES)).cast::<[i32; COLUMNS]>();
            self.multiply_at(arena, start, [sums, sums.wrapping_add(count)]);
        }
        #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
        for row in 0..count {
            let mut at = at.wrapping_add(row.wrapping_mul(SUM_BYTES));
            let part = Self { rows: self.row(row), ..*self };
            let mut sums = [core::array::from_fn(|i| super::i32_at(arena, at.wrapping_add(4 * i)))];
            multiply(arena, &part, start, &mut sums);
            for sum in sums.iter().flatten() {
                arena.store(at, sum.to_le_bytes());
                at = at.wrapping_add(4);
            }
        }
    }

    /// The sums between two places.
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    #[inline(never)]
    fn multiply_at<B: Bounds>(
        &self,
        arena: &mut Arena<'_, u8, B>,
        start: Option<[i32; COLUMNS]>,
        [sums, end]: [*mut [i32; COLUMNS]; 2],
    ) {
        let length = self.padded.wrapping_mul(2);
        let rows = (end as usize).wrapping_sub(sums as usize) / SUM_BYTES;
        let columns = arena.pointer(self.columns, length.wrapping_mul(COLUMNS)).cast_const();
        let from = arena.pointer(self.rows, length.wrapping_mul(rows)).cast_const();
        let frame = super::armv7em::Frame { start: start.unwrap_or_default(), sums, end };
        // SAFETY: all are good for what is read and written.
        unsafe {
            match start {
                Some(_) => super::armv7em::multiply(columns, from, self.padded / STEP, &frame),
                None => super::armv7em::multiply_on(columns, from, self.padded / STEP, &frame),
            }
        }
    }
}

/// Bytes of the sums of four columns.
pub(super) const SUM_BYTES: usize = size_of::<[i32; COLUMNS]>();

/// The order in which four neighbouring elements are staged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they come.
    Natural,
    /// The first and the third, then the second and the fourth: what extracting bytes in pairs gives.
    Swapped,
}

impl Order {
    /// Where an element is staged.
    #[inline(always)]
    pub fn place(self, element: usize) -> usize {
        match self {
            Self::Natural => element,
            Self::Swapped => (element & !3) | ((element & 1) << 1) | ((element >> 1) & 1),
        }
    }
}

/// Bytes that columns are staged from: element `e` of column `j` is byte `base + e * steps[0] + j * steps[1]`.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, B: Bounds> {
    /// A constant, or the arena.
    pub constant: Option<Flash<'a, u8, B>>,
    /// The first byte.
    pub base: usize,
    /// From element to element, and from column to column.
    pub steps: [usize; 2],
}

impl<'a, B: Bounds> Source<'a, B> {
    /// From byte `from` of an operand on.
    #[inline(always)]
    pub fn new(operand: &Whole<'a, u8, B>, from: usize, steps: [usize; 2]) -> Self {
        Self { constant: operand.constant, base: operand.base.wrapping_add(from), steps }
    }

    #[inline(always)]
    fn byte(&self, arena: &Arena<'_, u8, B>, at: usize) -> i8 {
        let at = self.base.wrapping_add(at);
        (match self.constant {
            Some(constant) => constant[at],
            None => arena[at],
        }) as i8
    }

    #[cfg(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp")))]
    #[inline(always)]
    fn pointer(&self, arena: &mut Arena<'_, u8, B>, count: usize) -> *const u8 {
        match self.constant {
            Some(constant) => constant.span(self.base, count).as_ptr(),
            None => arena.pointer(self.base, count).cast_const(),
        }
    }

    /// Stages `elements` elements of `columns` columns; what is left of the last step and of the columns becomes 0.
    #[inline(never)]
    pub fn stage(&self, arena: &mut Arena<'_, u8, B>, stage: &Stage, order: Order, [elements, columns]: [usize; 2]) {
        let columns = columns.min(COLUMNS);
        #[cfg_attr(
            not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))),
            expect(unused_mut, reason = "for instructions that some machines have")
        )]
        let mut done = 0;
        #[cfg(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp")))]
        {
            let (most, [step, stride]) = (elements & !(STEP - 1), self.steps);
            let along = order == Order::Swapped && step == 1;
            if columns == COLUMNS && most > 0 && (along || order == Order::Natural && stride == 1) {
                let [across, beside] = [most.wrapping_sub(1), COLUMNS - 1];
                let reach = step.wrapping_mul(across).wrapping_add(stride.wrapping_mul(beside)).wrapping_add(1);
                let from = self.pointer(arena, reach);
                let to = arena.pointer(stage.columns, most.wrapping_mul(2 * COLUMNS));
                // SAFETY: both are good for what is read and written.
                unsafe {
                    if along {
                        isa::along(from, stride, to, most / STEP);
                    } else {
                        isa::across(from, step, to, most / 2);
                    }
                }
                done = most;
            }
        }
        for element in done..stage.padded {
            for column in 0..COLUMNS {
                let inside = element < elements && column < columns;
                let at = element.wrapping_mul(self.steps[0]).wrapping_add(column.wrapping_mul(self.steps[1]));
                let value = if inside { i16::from(self.byte(arena, at)) } else { 0 };
                arena.store(stage.column(column, order.place(element)), value.to_le_bytes());
            }
        }
    }
}

/// Stages `count` bytes less `zero`, a multiple of four of them, in [swapped](Order::Swapped) order.
#[inline(always)]
pub(super) fn widen<B: Bounds>(arena: &mut Arena<'_, u8, B>, from: usize, to: usize, count: usize, zero: i32) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if count > 0 {
        let (from, to) = (arena.pointer(from, count).cast_const(), arena.pointer(to, count.wrapping_mul(2)));
        // SAFETY: both are good for what is read and written.
        unsafe { super::armv7em::widen(from, to, count / STEP, zero) }
    }
    #[cfg(target_arch = "x86_64")]
    let done = {
        let done = count & !7;
        let (from, to) = (arena.pointer(from, done).cast_const(), arena.pointer(to, done.wrapping_mul(2)));
        // SAFETY: both are good for what is read and written.
        unsafe { super::x86_64::widen(from, to, done / 8, zero) }
        done
    };
    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
    let done = 0;
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    for i in done..count {
        let value = i32::from(arena[from.wrapping_add(i)] as i8).wrapping_sub(zero) as i16;
        arena.store(to.wrapping_add(Order::Swapped.place(i).wrapping_mul(2)), value.to_le_bytes());
    }
}

/// The sums of a block, begun with `start` or, without one, with what they are.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
#[inline(never)]
fn multiply<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    stage: &Stage,
    start: Option<[i32; COLUMNS]>,
    sums: &mut [[i32; COLUMNS]],
) {
    #[cfg(target_arch = "x86_64")]
    {
        let length = stage.padded.wrapping_mul(2);
        let columns = arena.pointer(stage.columns, length.wrapping_mul(COLUMNS)).cast_const();
        let rows = arena.pointer(stage.rows, length.wrapping_mul(sums.len())).cast_const();
        // SAFETY: both are good for what is read.
        unsafe { super::x86_64::multiply(columns, rows, stage.padded / 2, start, sums) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    for (i, sums) in sums.iter_mut().enumerate() {
        let mut of_row = start.unwrap_or(*sums);
        let row = arena.span(stage.row(i), stage.padded.wrapping_mul(2)).as_chunks::<4>().0;
        let columns = arena.span(stage.columns, stage.padded.wrapping_mul(2 * COLUMNS)).as_chunks::<16>().0;
        for (&pair, columns) in row.iter().zip(columns) {
            let [x, y] = halves(pair);
            for (sum, &weights) in of_row.iter_mut().zip(columns.as_chunks::<4>().0) {
                let [v, w] = halves(weights);
                *sum = sum.wrapping_add(x.wrapping_mul(v)).wrapping_add(y.wrapping_mul(w));
            }
        }
        *sums = of_row;
    }
}

/// The numbers of a pair.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
#[inline(always)]
fn halves([a, b, c, d]: [u8; 4]) -> [i32; 2] {
    [i32::from(i16::from_le_bytes([a, b])), i32::from(i16::from_le_bytes([c, d]))]
}

/// Bytes of four channels' numbers.
pub(super) const LANES: usize = 8;

/// Sums over the taps of a window of a plane, for four channels at once: a plane and the taps have four numbers of 16 bits side by side
/// for each of their elements.
#[derive(Clone, Copy)]
pub(super) struct Taps {
    /// Byte offset of the first tap; all follow each other.
    pub taps: usize,
    /// Rows and columns of taps.
    pub size: [usize; 2],
    /// Bytes from a row of taps to the next, in the plane, and from a column to the next.
    pub steps: [usize; 2],
    /// Bytes from the first tap of a window to that of the next.
    pub stride: usize,
}

impl Taps {
    /// The sums of as many windows as there is room for; the first tap of the first of them is at byte `from`.
    #[inline(always)]
    pub fn sum<B: Bounds>(&self, arena: &mut Arena<'_, u8, B>, from: usize, start: [i32; 4], sums: &mut [[i32; 4]]) {
        if self.size[0] == 0 || self.size[1] == 0 {
            sums.iter_mut().for_each(|sums| *sums = start);
            return;
        }
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if self.steps[1] == LANES && !sums.is_empty() && self.size[1] <= super::armv7em::COLUMNS_OF_TAPS {
            return self.by_hand(arena, from, start, sums);
        }
        #[cfg(target_arch = "x86_64")]
        if !sums.is_empty() {
            let [[rows, columns], [down, across]] = [self.size, self.steps];
            let reach = self.stride.wrapping_mul(sums.len().wrapping_sub(1));
            let reach = reach.wrapping_add(down.wrapping_mul(rows.wrapping_sub(1)));
            let reach = reach.wrapping_add(across.wrapping_mul(columns.wrapping_sub(1))).wrapping_add(LANES);
            let taps = arena.pointer(self.taps, rows.wrapping_mul(columns).wrapping_mul(LANES)).cast_const();
            let plane = arena.pointer(from, reach).cast_const();
            // SAFETY: both are good for what is read.
            unsafe { super::x86_64::windows(taps, plane, [rows, columns], [down, across, self.stride], start, sums) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.plain(arena, from, start, sums);
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(never)]
    fn plain<B: Bounds>(&self, arena: &mut Arena<'_, u8, B>, from: usize, start: [i32; 4], sums: &mut [[i32; 4]]) {
        for (i, sums) in sums.iter_mut().enumerate() {
            let mut of_window = start;
            let mut tap = self.taps;
            for row in 0..self.size[0] {
                let mut at =
                    from.wrapping_add(self.stride.wrapping_mul(i)).wrapping_add(self.steps[0].wrapping_mul(row));
                for _ in 0..self.size[1] {
                    let (x, w) = (arena.load::<LANES>(at), arena.load::<LANES>(tap));
                    let pairs = x.as_chunks::<2>().0.iter().zip(w.as_chunks::<2>().0);
                    for (sum, (&x, &w)) in of_window.iter_mut().zip(pairs) {
                        let product = i32::from(i16::from_le_bytes(x)).wrapping_mul(i32::from(i16::from_le_bytes(w)));
                        *sum = sum.wrapping_add(product);
                    }
                    at = at.wrapping_add(self.steps[1]);
                    tap = tap.wrapping_add(LANES);
                }
            }
            *sums = of_window;
        }
    }

    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    #[inline(never)]
    fn by_hand<B: Bounds>(&self, arena: &mut Arena<'_, u8, B>, from: usize, start: [i32; 4], sums: &mut [[i32; 4]]) {
        let [rows, columns] = self.size;
        let width = columns.wrapping_mul(LANES);
        let reach = self.stride.wrapping_mul(sums.len().wrapping_sub(1));
        let reach = reach.wrapping_add(self.steps[0].wrapping_mul(rows.wrapping_sub(1))).wrapping_add(width);
        let taps = arena.pointer(self.taps, rows.wrapping_mul(width)).cast_const();
        let plane = arena.pointer(from, reach).cast_const();
        let count = sums.len();
        let sums = sums.as_mut_ptr();
        let frame = super::armv7em::Windows {
            taps,
            rows,
            down: self.steps[0].wrapping_sub(width),
            entry: super::armv7em::entry(columns),
            start,
            sums,
            end: sums.wrapping_add(count),
            stride: self.stride,
        };
        // SAFETY: all are good for what is read and written.
        unsafe { super::armv7em::windows(plane, &frame) }
    }
}

/// Writes an element of a plane or of taps.
#[inline(always)]
pub(super) fn put<B: Bounds>(arena: &mut Arena<'_, u8, B>, at: usize, four: [i16; COLUMNS]) {
    let [a, b, c, d] = four.map(i16::to_le_bytes);
    arena.store(at, [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]]);
}

/// Stages `count` groups of four bytes less `zero` in a plane or among taps, `step` bytes from group to group.
#[inline(never)]
pub(super) fn four_lanes<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    from: usize,
    step: usize,
    to: usize,
    count: usize,
    zero: i32,
) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if count > 0 {
        let reach = step.wrapping_mul(count.wrapping_sub(1)).wrapping_add(COLUMNS);
        let (from, to) = (arena.pointer(from, reach).cast_const(), arena.pointer(to, count.wrapping_mul(LANES)));
        // SAFETY: both are good for what is read and written.
        unsafe { super::armv7em::lanes(from, step as isize, to, count, zero) }
    }
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    for i in 0..count {
        let four = arena.load::<COLUMNS>(from.wrapping_add(step.wrapping_mul(i)));
        put(arena, to.wrapping_add(i.wrapping_mul(LANES)), four.map(|x| i32::from(x as i8).wrapping_sub(zero) as i16));
    }
}

/// Stages `count` taps of `lanes` channels; the first begins with byte `from` of the weights, and each is `step` bytes after the one before it.
#[inline(never)]
pub(super) fn stage_taps<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    to: usize,
    weights: &Whole<'_, u8, B>,
    from: usize,
    step: isize,
    count: usize,
    lanes: usize,
) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if lanes == COLUMNS && count > 0 {
        // From the first or, backwards, from the last on.
        let last = from.wrapping_add_signed(step.wrapping_mul(count.wrapping_sub(1) as isize));
        let (low, high) = if step < 0 { (last, from) } else { (from, last) };
        let (base, reach) = (weights.base.wrapping_add(low), high.wrapping_sub(low).wrapping_add(COLUMNS));
        let first = match weights.constant {
            Some(constant) => constant.span(base, reach).as_ptr(),
            None => arena.pointer(base, reach).cast_const(),
        };
        let (first, to) = (first.wrapping_add(from.wrapping_sub(low)), arena.pointer(to, count.wrapping_mul(LANES)));
        // SAFETY: both are good for what is read and written.
        return unsafe { super::armv7em::lanes(first, step, to, count, 0) };
    }
    for tap in 0..count {
        let from = from.wrapping_add_signed(step.wrapping_mul(tap as isize));
        let mut four = [0; COLUMNS];
        let bytes = super::bytes_of(weights, arena, from, lanes.min(COLUMNS));
        four.iter_mut().zip(bytes).for_each(|(to, &w)| *to = i16::from(w as i8));
        put(arena, to.wrapping_add(tap.wrapping_mul(LANES)), four);
    }
}
