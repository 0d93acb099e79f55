//! The matrix product that convolutions are made of: `C = A B` or `C += A B`.
//!
//! One microkernel keeps a tile of C in registers while it goes once along the inner dimension: 12 rows of 32 columns
//! with AVX-512, 4 of 16 with AVX2, 6 of 16 with NEON. A is read by strides, and along the inner dimension in segments,
//! so that the windows of a convolution are multiplied where they lie in a padded plane, without a copy of each window
//! (im2col). B lies in panels of 16 columns that were [packed](pack) once a step, or in rows. Each element of C is one
//! chain of fused multiply-adds in the order of the inner dimension, from zero, to which what C held is added last: the
//! same bits whatever the tile.

use super::Isa;
use super::instances;
use super::lanes::Lanes;

/// Columns of a panel.
const PANEL: usize = 16;

/// A run of the inner dimension: `len` elements, the first `offset` elements after the row's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    /// Elements from the row's start.
    pub offset: usize,
    /// How many, `Left::column` apart.
    pub len: usize,
}

/// A: element (i, p) is `row * i` elements after where the segments say that p lies.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one element of a segment to the next.
    pub column: usize,
    /// The inner dimension, in order.
    pub segments: &'a [Segment],
}

/// B.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// Panels made by [`pack`].
    Packed(&'a [f32]),
    /// Rows of as many elements as B has columns.
    Rows(&'a [f32]),
}

/// A product whose sizes were checked.
#[derive(Clone, Copy)]
struct Product {
    rows: usize,
    columns: usize,
    a: *const f32,
    row: usize,
    column: usize,
    segments: *const Segment,
    count: usize,
    b: *const f32,
    /// From one row of a panel (or of B) to the next.
    step: usize,
    /// From one panel of 16 columns to the next.
    panel: usize,
    packed: bool,
    c: *mut f32,
    pitch: usize,
    plus: bool,
}

/// `c[i * pitch + j] = sum_p A(i, p) B(p, j)` for `rows` and `columns`, added to what is there if `plus`.
pub(crate) fn product(
    isa: Isa,
    [rows, columns]: [usize; 2],
    a: Left<'_>,
    b: Right<'_>,
    c: &mut [f32],
    pitch: usize,
    plus: bool,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let inner: usize = a.segments.iter().map(|s| s.len).sum();
    for s in a.segments.iter().filter(|s| s.len > 0) {
        assert!((rows - 1) * a.row + s.offset + (s.len - 1) * a.column < a.data.len(), "A is too short");
    }
    let (right, step, panel, packed) = match b {
        Right::Packed(panels) => {
            assert!(panels.len() >= packed_len(inner, columns), "B has too few panels");
            (panels, PANEL, PANEL * inner, true)
        }
        Right::Rows(elements) => {
            assert!(elements.len() >= inner * columns, "B has too few rows");
            (elements, columns, PANEL, false)
        }
    };
    assert!(columns <= pitch && (rows - 1) * pitch + columns <= c.len(), "C is too short");
    let product = Product {
        rows,
        columns,
        a: a.data.as_ptr(),
        row: a.row,
        column: a.column,
        segments: a.segments.as_ptr(),
        count: a.segments.len(),
        b: right.as_ptr(),
        step,
        panel,
        packed,
        c: c.as_mut_ptr(),
        pitch,
        plus,
    };
    // SAFETY: the greatest index of each operand was checked above.
    unsafe { run(isa, &product) }
}

instances! {
    /// # Safety
    /// Every element that the product names must lie in its operand.
    unsafe fn run(product: &Product) of all_tiles
}

/// Goes through the tiles of C: the columns outside, so that a panel of B stays in cache.
#[inline(always)]
unsafe fn all_tiles<L: Lanes>(p: &Product) {
    // SAFETY: tiles lie inside C, as rows and columns do.
    unsafe {
        // Tiles of even height waste no rows: 16 rows are 8 and 8, not 12 and 4.
        let tiles = p.rows.div_ceil(L::ROWS);
        let mut j = 0;
        while j < p.columns {
            let left = p.columns - j;
            let pair = L::PAIR && left > PANEL;
            for t in 0..tiles {
                let (from, to) = (p.rows * t / tiles, p.rows * (t + 1) / tiles);
                match pair {
                    true => tile_of_height::<L, 2>(p, from, to - from, j, (left - PANEL).min(PANEL)),
                    false => tile_of_height::<L, 1>(p, from, to - from, j, left.min(PANEL)),
                }
            }
            j += if pair { 2 * PANEL } else { PANEL };
        }
    }
}

#[inline(always)]
unsafe fn tile_of_height<L: Lanes, const W: usize>(p: &Product, i: usize, height: usize, j: usize, last: usize) {
    // SAFETY: as `tile`.
    unsafe {
        match height {
            1 => tile::<L, 1, W>(p, i, j, last),
            2 => tile::<L, 2, W>(p, i, j, last),
            3 => tile::<L, 3, W>(p, i, j, last),
            4 => tile::<L, 4, W>(p, i, j, last),
            5 if L::ROWS >= 5 => tile::<L, 5, W>(p, i, j, last),
            6 if L::ROWS >= 6 => tile::<L, 6, W>(p, i, j, last),
            7 if L::ROWS >= 7 => tile::<L, 7, W>(p, i, j, last),
            8 if L::ROWS >= 8 => tile::<L, 8, W>(p, i, j, last),
            9 if L::ROWS >= 9 => tile::<L, 9, W>(p, i, j, last),
            10 if L::ROWS >= 10 => tile::<L, 10, W>(p, i, j, last),
            11 if L::ROWS >= 11 => tile::<L, 11, W>(p, i, j, last),
            12 if L::ROWS >= 12 => tile::<L, 12, W>(p, i, j, last),
            _ => unreachable!("a tile has at most `Lanes::ROWS` rows"),
        }
    }
}

/// Repeats a block for each row of a tile, `$r` being the row's number. Written out because compilers leave a loop of
/// so long a body as it is, and then keep the sums in memory rather than in registers.
macro_rules! each_row {
    ($count:ident, $r:ident => $body:block) => {
        each_row!(@ $count, $r, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $count:ident, $r:ident, $body:block, $($row:literal)*) => {
        $(if $row < $count {
            #[allow(non_upper_case_globals)]
            const $r: usize = $row;
            $body
        })*
    };
}

/// The tile of R rows from `i` on and W vectors of columns from `j` on, of whose last vector `last` lanes count.
#[inline(always)]
unsafe fn tile<L: Lanes, const R: usize, const W: usize>(p: &Product, i: usize, j: usize, last: usize) {
    // SAFETY: the tile lies inside C, so every element of A and B that it needs was checked. Pointers that step past
    // the last element wrap, and are not read.
    unsafe {
        let mut sums = [[L::zero(); W]; R];
        let base = p.a.wrapping_add(i * p.row);
        let mut b = p.b.add(j / PANEL * p.panel);
        // Panels are filled with zeros to their width; rows are not.
        let lanes = if p.packed { PANEL } else { last };
        for s in 0..p.count {
            let segment = *p.segments.add(s);
            let mut a = base.wrapping_add(segment.offset);
            for _ in 0..segment.len {
                let low = if W == 1 { L::load_n(b, lanes) } else { L::load(b) };
                let high = if W == 1 { low } else { L::load_n(b.add(p.panel), lanes) };
                each_row!(R, row => {
                    let left = L::splat(*a.add(row * p.row));
                    sums[row][0] = L::fma(left, low, sums[row][0]);
                    if W > 1 {
                        sums[row][W - 1] = L::fma(left, high, sums[row][W - 1]);
                    }
                });
                a = a.wrapping_add(p.column);
                b = b.wrapping_add(p.step);
            }
        }
        let c = p.c.add(i * p.pitch + j);
        each_row!(R, row => {
            let at = c.add(row * p.pitch);
            let first = if W == 1 { last } else { PANEL };
            let low = sums[row][0];
            L::store_n(at, if p.plus { L::add(low, L::load_n(at, first)) } else { low }, first);
            if W > 1 {
                let (at, high) = (at.add(PANEL), sums[row][W - 1]);
                L::store_n(at, if p.plus { L::add(high, L::load_n(at, last)) } else { high }, last);
            }
        });
    }
}

/// Elements that a B of these rows and columns takes when packed.
pub(crate) fn packed_len(rows: usize, columns: usize) -> usize {
    columns.div_ceil(PANEL) * PANEL * rows
}

/// Packs `B[p, j] = element(p, j)` into panels of 16 columns, the last filled with zeros.
///
/// `panels` must have [`packed_len`] elements.
pub(crate) fn pack(rows: usize, columns: usize, panels: &mut [f32], element: impl Fn(usize, usize) -> f32) {
    assert_eq!(panels.len(), packed_len(rows, columns));
    if rows == 0 {
        return;
    }
    for (panel, elements) in panels.chunks_exact_mut(PANEL * rows).enumerate() {
        let first = panel * PANEL;
        let width = PANEL.min(columns - first);
        for (p, row) in elements.chunks_exact_mut(PANEL).enumerate() {
            for (j, x) in row[..width].iter_mut().enumerate() {
                *x = element(p, first + j);
            }
            row[width..].fill(0.0);
        }
    }
}
