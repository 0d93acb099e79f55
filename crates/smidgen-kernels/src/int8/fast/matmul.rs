//! BATCH_MATMUL.

use crate::int8::Product;
use crate::memory::{Arena, Bounds};
use crate::nd::{Whole, walk};

/// Columns that are computed at once: an element of the row is read once for all of them, and its zero point taken off once.
pub const MATMUL_COLUMNS: usize = 4;

/// The same as [`matmul`](crate::int8::matmul()), for `a` whose elements do not depend on the column: its last stride is 0.
///
/// Order: [`MATMUL_COLUMNS`] elements at a time, what is left of a row one at a time; all reads come before the writes.
#[allow(clippy::too_many_arguments)]
pub fn matmul<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    a: Whole<'_, i8, B>,
    b: Whole<'_, i8, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    depth: usize,
    steps: [isize; 2],
    product: &Product,
) {
    let (Some((&cols, rows)), [a_strides, b_strides]) = (dims.split_last(), strides) else { return };
    let (Some((_, a_strides)), Some((&column, b_strides))) = (a_strides.split_last(), b_strides.split_last()) else {
        return;
    };
    let mut to = output;
    walk(rows, [a_strides, b_strides], |[row, mut at]| {
        let end = to + cols;
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        let by_hand = by_hand(column, depth, steps).then(|| {
            let row = a.base.wrapping_add_signed(row);
            Row { row, less: product.zeros[1].wrapping_mul(Row::total(&arena, &a, row, depth, product.zeros[0])) }
        });
        while to < end {
            let wide = end - to >= MATMUL_COLUMNS;
            let lines =
                Lines { at: [a.base.wrapping_add_signed(row), b.base.wrapping_add_signed(at)], column, depth, steps };
            #[cfg(all(target_arch = "arm", feature = "dsp"))]
            if let (Some(row), true) = (&by_hand, wide) {
                let sums = row.four(&mut arena, [&a, &b], &lines, product.zeros[0]);
                for (i, sum) in sums.into_iter().enumerate() {
                    arena[to + i] = product.scaled(sum);
                }
                to += MATMUL_COLUMNS;
                at += MATMUL_COLUMNS as isize * column;
                continue;
            }
            // Whether an operand is a constant is asked once for many elements.
            let sums = match (a.constant, b.constant) {
                (None, None) => lines.sums(wide, product.zeros, |i| arena[i], |i| arena[i]),
                (None, Some(flash)) => lines.sums(wide, product.zeros, |i| arena[i], |i| flash[i]),
                (Some(flash), None) => lines.sums(wide, product.zeros, |i| flash[i], |i| arena[i]),
                (Some(left), Some(right)) => lines.sums(wide, product.zeros, |i| left[i], |i| right[i]),
            };
            for sum in sums.into_iter().take(if wide { MATMUL_COLUMNS } else { 1 }) {
                arena[to] = product.scaled(sum);
                to += 1;
                at += column;
            }
        }
    });
}

/// Whether blocks by hand know how the operands lie: a row of `a` is contiguous, and so is each column of `b` or four of them side by side.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
fn by_hand(column: isize, depth: usize, steps: [isize; 2]) -> bool {
    depth >= 4 && steps[0] == 1 && (steps[1] == 1 || column == 1)
}

/// A row of `a` that [`by_hand`] knows.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
struct Row {
    /// Where it begins.
    row: usize,
    /// The sum of its elements less their zero point, times that of `b`.
    less: i32,
}

#[cfg(all(target_arch = "arm", feature = "dsp"))]
impl Row {
    /// The sum of its elements less their zero point.
    #[inline(never)]
    fn total<B: Bounds>(arena: &Arena<'_, i8, B>, a: &Whole<'_, i8, B>, row: usize, depth: usize, zero: i32) -> i32 {
        let elements = match a.constant {
            Some(flash) => flash.span(row, depth),
            None => arena.span(row, depth),
        };
        let sum = elements.iter().fold(0i32, |sum, &x| sum.wrapping_add(x.into()));
        sum.wrapping_sub(zero.wrapping_mul(depth as i32))
    }

    /// The sums of products with four columns.
    #[inline(always)]
    fn four<B: Bounds>(
        &self,
        arena: &mut Arena<'_, i8, B>,
        [a, b]: [&Whole<'_, i8, B>; 2],
        lines: &Lines,
        zero: i32,
    ) -> [i32; MATMUL_COLUMNS] {
        use crate::isa::dsp::matmul::{across, along};
        let &Lines { at: [_, first], column, depth, steps } = lines;
        let is_along = steps[1] == 1;
        let (column, down) = (column as usize, steps[1] as usize);
        let reach = if is_along { 3 * column + depth } else { (depth - 1) * down + MATMUL_COLUMNS };
        let mut pointer = |operand: &Whole<'_, i8, B>, at: usize, count: usize| match operand.constant {
            Some(flash) => flash.span(at, count).as_ptr(),
            None => arena.pointer(at, count).cast_const(),
        };
        let (row, columns) = (pointer(a, self.row, depth), pointer(b, first, reach));
        let zeros = zero.wrapping_neg() as u16 as u32 * 0x1_0001;
        let mut sums = [self.less.wrapping_neg(); MATMUL_COLUMNS];
        if !is_along {
            // SAFETY: the row and all that its columns reach were checked, or vouched for.
            unsafe { across(row, columns, down, depth, zeros, &mut sums) };
            return sums;
        }
        // SAFETY: as above.
        unsafe { along(row, columns, column, depth / 4, zeros, &mut sums) };
        for k in depth / 4 * 4..depth {
            // SAFETY: as above; `k` is below the depth.
            let x = i32::from(unsafe { row.add(k).read() }) - zero;
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                let y = unsafe { columns.add(j * column + k).read() };
                *sum = sum.wrapping_add(x.wrapping_mul(y.into()));
            }
        }
        sums
    }
}

/// A row of `a` and some columns of `b`.
struct Lines {
    /// Where the row and the first column begin.
    at: [usize; 2],
    /// From one column to the next.
    column: isize,
    /// Elements of the row.
    depth: usize,
    /// From one element of the row to the next, and of a column.
    steps: [isize; 2],
}

impl Lines {
    /// The sums of products with [`MATMUL_COLUMNS`] columns where `wide`, else with one, in front.
    #[inline(always)]
    fn sums(
        self,
        wide: bool,
        zeros: [i32; 2],
        a: impl Fn(usize) -> i8,
        b: impl Fn(usize) -> i8,
    ) -> [i32; MATMUL_COLUMNS] {
        if wide { self.four(zeros, a, b) } else { [self.one(zeros, a, b), 0, 0, 0] }
    }

    /// Written out: compilers that are asked for small code leave a loop over the columns as it is, with their sums in memory.
    #[inline(never)]
    fn four(self, [a_zero, b_zero]: [i32; 2], a: impl Fn(usize) -> i8, b: impl Fn(usize) -> i8) -> [i32; 4] {
        let (mut first, mut second, mut third, mut fourth, mut total) = (0i32, 0i32, 0i32, 0i32, 0i32);
        let Self { at: [mut row, mut at], column, depth, steps: [along, down] } = self;
        let add = |sum: i32, x: i32, y: i8| sum.wrapping_add(x.wrapping_mul(i32::from(y)));
        let (next, last) = (2 * column, 3 * column);
        for _ in 0..depth {
            let x = i32::from(a(row)) - a_zero;
            total = total.wrapping_add(x);
            first = add(first, x, b(at));
            second = add(second, x, b(at.wrapping_add_signed(column)));
            third = add(third, x, b(at.wrapping_add_signed(next)));
            fourth = add(fourth, x, b(at.wrapping_add_signed(last)));
            row = row.wrapping_add_signed(along);
            at = at.wrapping_add_signed(down);
        }
        let less = total.wrapping_mul(b_zero);
        [first, second, third, fourth].map(|sum| sum.wrapping_sub(less))
    }

    #[inline(never)]
    fn one(self, [a_zero, b_zero]: [i32; 2], a: impl Fn(usize) -> i8, b: impl Fn(usize) -> i8) -> i32 {
        let Self { at: [mut row, mut at], depth, steps: [along, down], .. } = self;
        let mut sum = 0i32;
        for _ in 0..depth {
            let (x, y) = (i32::from(a(row)) - a_zero, i32::from(b(at)) - b_zero);
            sum = sum.wrapping_add(x.wrapping_mul(y));
            row = row.wrapping_add_signed(along);
            at = at.wrapping_add_signed(down);
        }
        sum
    }
}
