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
