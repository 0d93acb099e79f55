//! TRANSPOSE and STRIDED_SLICE with negative strides: any map of indices that is a stride along each axis.

use crate::memory::{Arena, Bounds};
use crate::nd::walk;

/// `output[i] = input[first + sum of index * stride]` over the box `dims`, in row-major order. `input` and `output` are byte indices of
/// the tensors, `first` and `strides` count elements of `element` bytes. The tensors must not overlap.
pub fn permute<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    input: usize,
    output: usize,
    element: usize,
    dims: &[usize],
    first: usize,
    strides: &[isize],
) {
    let mut to = output;
    if element == 1 {
        // The common case, as two instructions rather than a call.
        walk(dims, [strides], |[offset]| {
            arena[to] = arena[(input + first).wrapping_add_signed(offset)];
            to += 1;
        });
        return;
    }
    walk(dims, [strides], |[offset]| {
        let from = input + first.wrapping_add_signed(offset) * element;
        arena.copy(from, to, element);
        to += element;
    });
}
