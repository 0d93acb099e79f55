//! Walks over boxes of any rank, for the operators that no view of rows and pixels describes: general broadcasts, transpositions,
//! general reductions. They always run whole, on tensors stored whole.

/// Most dimensions that a walk supports.
pub const MAX_RANK: usize = 8;

/// Visits the box `dims` in row-major order. `strides[k]` has one entry for each dimension; `visit` is given, for each `k`, the sum of
/// `index * stride`. `dims` and every `strides[k]` have the same length, at most [`MAX_RANK`].
#[inline]
pub(crate) fn walk<const N: usize>(dims: &[usize], strides: [&[isize]; N], mut visit: impl FnMut([isize; N])) {
    if dims.contains(&0) {
        return;
    }
    let mut index = [0usize; MAX_RANK];
    let mut offsets = [0isize; N];
    loop {
        visit(offsets);
        let mut axis = dims.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            for k in 0..N {
                offsets[k] += strides[k][axis];
            }
            if index[axis] < dims[axis] {
                break;
            }
            for k in 0..N {
                offsets[k] -= strides[k][axis] * dims[axis] as isize;
            }
            index[axis] = 0;
        }
    }
}

/// An operand of a walk: which constant or, if `None`, the arena, and the element that offset 0 names.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a, T> {
    /// The constant, or `None` for the arena.
    pub constant: Option<&'a [T]>,
    /// Element index of offset 0.
    pub base: usize,
}

impl<T: Copy> Whole<'_, T> {
    /// The element at an offset.
    #[inline]
    pub(crate) fn get(&self, arena: &[T], offset: isize) -> T {
        let at = self.base.wrapping_add_signed(offset);
        match self.constant {
            Some(data) => data[at],
            None => arena[at],
        }
    }
}

/// `output[i] = f(a[..], b[..])` for all elements of the box `dims`; `output` is the element index of the first. The strides of an
/// operand are 0 where it is broadcast.
#[inline]
pub(crate) fn zip<T: Copy>(
    arena: &mut [T],
    a: Whole<'_, T>,
    b: Whole<'_, T>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    f: impl Fn(T, T) -> T,
) {
    let mut to = output;
    walk(dims, strides, |[at_a, at_b]| {
        arena[to] = f(a.get(arena, at_a), b.get(arena, at_b));
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
