//! MEAN and SUM of float32. Sums are taken in row-major order of the input, as the reference takes them.

use crate::memory::{Arena, Bounds};
use crate::nd::walk;
use crate::view::Views;
use core::ops::Range;

/// Reduction over all rows and columns, taking input rows `rows` of `total`: the first call (row 0) clears the sums, the last one
/// writes the output's only pixel: each sum over `divisor`. `state` is the element index of `depth` sums.
pub fn reduce_image<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    views: &Views,
    rows: Range<usize>,
    [total, cols, depth]: [usize; 3],
    state: usize,
    divisor: f32,
) {
    let Views { input, output } = views;
    if rows.start == 0 {
        arena.span_mut(state, depth).fill(0.0);
    }
    for y in rows.clone() {
        let from = input.row(y);
        for c in 0..depth {
            let mut sum = arena[state + c];
            for x in 0..cols {
                sum += arena[from + x * input.pixel_stride + c];
            }
            arena[state + c] = sum;
        }
    }
    if rows.end == total {
        let to = output.at(0, 0);
        for c in 0..depth {
            arena[to + c] = arena[state + c] / divisor;
        }
    }
}

/// Reduction over any axes of a tensor stored whole: `kept` and `reduced` are the sizes of the axes that stay and go, with the input's
/// strides along them. `input` and `output` are element indices. The tensors must not overlap.
pub fn reduce<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    input: usize,
    output: usize,
    kept: (&[usize], &[isize]),
    reduced: (&[usize], &[isize]),
    divisor: f32,
) {
    let mut to = output;
    walk(kept.0, [kept.1], |[outer]| {
        let mut sum = 0.0;
        walk(reduced.0, [reduced.1], |[inner]| sum += arena[input.wrapping_add_signed(outer + inner)]);
        arena[to] = sum / divisor;
        to += 1;
    });
}
