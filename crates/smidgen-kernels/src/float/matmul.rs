//! BATCH_MATMUL.

use crate::memory::{Arena, Bounds};
use crate::nd::{Whole, walk};

/// `output[i] = sum over k below depth of a[at_a(i) + k * steps[0]] * b[at_b(i) + k * steps[1]]` for the elements of the box `dims` in
/// row-major order: batches, rows, columns. Tensors are stored whole, `output` and the operands' bases count elements, and strides are 0
/// where an operand is broadcast. Order: one element at a time, all reads before its write.
#[allow(clippy::too_many_arguments)]
pub fn matmul<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    a: Whole<'_, f32, B>,
    b: Whole<'_, f32, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    depth: usize,
    steps: [isize; 2],
) {
    let mut to = output;
    walk(dims, strides, |[mut at_a, mut at_b]| {
        let mut sum = 0f32;
        for _ in 0..depth {
            sum += a.get(&arena, at_a) * b.get(&arena, at_b);
            at_a += steps[0];
            at_b += steps[1];
        }
        arena[to] = sum;
        to += 1;
    });
}
