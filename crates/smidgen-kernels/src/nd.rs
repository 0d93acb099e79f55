//! Walks over boxes of any rank, for the operators that no view of rows and pixels describes: general broadcasts, transpositions,
//! general reductions. They always run whole, on tensors stored whole.

use crate::memory::{Arena, Bounds, Checked, Element, Flash};

/// Most dimensions that a walk supports.
pub const MAX_RANK: usize = 8;

/// Visits the box `dims` in row-major order. `strides[k]` has one entry for each dimension; `visit` is given, for each `k`, the sum of
/// `index * stride`. `dims` and every `strides[k]` have the same length, at most [`MAX_RANK`].
#[inline]
pub(crate) fn walk<const N: usize>(dims: &[usize], strides: [&[isize]; N], mut visit: impl FnMut([isize; N])) {
    if dims.contains(&0) {
        return;
    }
    let (size, outer) = dims.split_last().map_or((1, dims), |(&size, outer)| (size, outer));
    // `get` and not an index, which could panic.
    let along = |axis: usize| strides.map(|strides| strides.get(axis).copied().unwrap_or(0));
    let step = along(outer.len());
    let mut line = |mut at: [isize; N]| {
        for _ in 0..size {
            visit(at);
            at.iter_mut().zip(step).for_each(|(offset, step)| *offset += step);
        }
    };
    if outer.is_empty() {
        return line([0; N]);
    }
    let mut index = [0usize; MAX_RANK];
    let mut offsets = [0isize; N];
    'lines: loop {
        line(offsets);
        // The last of the outer axes that is not at its end steps on, and those after it begin anew.
        for (axis, (index, &size)) in index.iter_mut().zip(outer).enumerate().rev() {
            *index += 1;
            if *index < size {
                offsets.iter_mut().zip(along(axis)).for_each(|(offset, step)| *offset += step);
                continue 'lines;
            }
            *index = 0;
            offsets.iter_mut().zip(along(axis)).for_each(|(offset, step)| *offset -= step * (size - 1) as isize);
        }
        return;
    }
}

/// An operand of a walk: which constant or, if `None`, the arena, and the element that offset 0 names.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a, T, B: Bounds = Checked> {
    /// The constant, or `None` for the arena.
    pub constant: Option<Flash<'a, T, B>>,
    /// Element index of offset 0.
    pub base: usize,
}

impl<T: Element, B: Bounds> Whole<'_, T, B> {
    /// The element at an offset.
    #[inline]
    pub(crate) fn get(&self, arena: &Arena<'_, T, B>, offset: isize) -> T {
        let at = self.base.wrapping_add_signed(offset);
        match self.constant {
            Some(data) => data[at],
            None => arena[at],
        }
    }
}

impl<B: Bounds> Whole<'_, u8, B> {
    /// `N` bytes from byte `at` on, of the constant or of the arena.
    #[inline]
    pub(crate) fn bytes<const N: usize>(&self, arena: &Arena<'_, u8, B>, at: usize) -> [u8; N] {
        match self.constant {
            Some(data) => *data.array(at),
            None => arena.load(at),
        }
    }
}

/// `output[i] = f(a[..], b[..])` for all elements of the box `dims`; `output` is the element index of the first. The strides of an
/// operand are 0 where it is broadcast.
#[inline]
pub(crate) fn zip<T: Element, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    a: Whole<'_, T, B>,
    b: Whole<'_, T, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    f: impl Fn(T, T) -> T,
) {
    let mut to = output;
    walk(dims, strides, |[at_a, at_b]| {
        arena[to] = f(a.get(&arena, at_a), b.get(&arena, at_b));
        to += 1;
    });
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn walks_in_row_major_order_with_any_strides() {
        let mut seen = Vec::new();
        walk(&[2, 3], [&[3, 1], &[-1, 2]], |o| seen.push(o));
        assert_eq!(seen, [[0, 0], [1, 2], [2, 4], [3, -1], [4, 1], [5, 3]]);
        let mut count = 0;
        walk(&[], [&[]], |_| count += 1);
        assert_eq!(count, 1);
        walk(&[3, 0], [&[1, 1]], |_| count += 1);
        assert_eq!(count, 1);
    }
}
