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
        while to < end {
            let wide = end - to >= MATMUL_COLUMNS;
            let lines =
                Lines { at: [a.base.wrapping_add_signed(row), b.base.wrapping_add_signed(at)], column, depth, steps };
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
        if wide {
            return self.block(zeros, a, b);
        }
        let [sum] = self.block(zeros, a, b);
        [sum, 0, 0, 0]
    }

    #[inline(always)]
    fn block<const N: usize>(
        self,
        [a_zero, b_zero]: [i32; 2],
        a: impl Fn(usize) -> i8,
        b: impl Fn(usize) -> i8,
    ) -> [i32; N] {
        let (mut sums, mut total) = ([0i32; N], 0i32);
        let [mut row, mut at] = self.at;
        for _ in 0..self.depth {
            let x = i32::from(a(row)) - a_zero;
            total = total.wrapping_add(x);
            let mut place = at;
            for sum in &mut sums {
                *sum = sum.wrapping_add(x.wrapping_mul(i32::from(b(place))));
                place = place.wrapping_add_signed(self.column);
            }
            row = row.wrapping_add_signed(self.steps[0]);
            at = at.wrapping_add_signed(self.steps[1]);
        }
        let less = total.wrapping_mul(b_zero);
        sums.map(|sum| sum.wrapping_sub(less))
    }
}
