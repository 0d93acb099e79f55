//! BATCH_MATMUL.

use super::Product;
use crate::memory::{Arena, Bounds, Integer};
use crate::nd::{Whole, walk};

/// `output[i] = product of the sum over k below depth of (a[at_a(i) + k * steps[0]] - a_zero) * (b[at_b(i) + k * steps[1]] - b_zero)`
/// for the elements of the box `dims` in row-major order: batches, rows, columns. Tensors are stored whole, `output` and the operands'
/// bases count elements, and strides are 0 where an operand is broadcast. Order: one element at a time, all reads before its write.
#[allow(clippy::too_many_arguments)]
pub fn matmul<T: Integer, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    a: Whole<'_, T, B>,
    b: Whole<'_, T, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    depth: usize,
    steps: [isize; 2],
    product: &Product<T>,
) {
    let [a_zero, b_zero] = product.zeros;
    let mut to = output;
    walk(dims, strides, |[mut at_a, mut at_b]| {
        let mut sum = 0i32;
        for _ in 0..depth {
            let (x, y) = (a.get(&arena, at_a).into() - a_zero, b.get(&arena, at_b).into() - b_zero);
            sum = sum.wrapping_add(x.wrapping_mul(y));
            at_a += steps[0];
            at_b += steps[1];
        }
        arena[to] = product.scaled(sum);
        to += 1;
    });
}
