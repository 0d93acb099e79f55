//! MEAN and SUM of integers, AVERAGE_POOL_2D over a whole image, which is summed alike, and REDUCE_MAX and REDUCE_MIN, which compare
//! elements of any type.

use super::pool::rounded_mean;
use crate::memory::{Arena, Bounds, Element, Integer};
use crate::nd::walk;
use crate::pooling::{TOGETHER, Taps};
use crate::view::Views;
use core::ops::Range;

/// MEAN or SUM: how stored elements are read, and sums written.
pub trait Reduction {
    /// How input and output are stored.
    type Stored: Cell;

    /// A stored input as the sum takes it.
    fn read(&self, stored: Self::Stored) -> i32;

    /// The stored output for a sum of stored inputs.
    fn finish(&self, sum: i32) -> Self::Stored;
}

/// Elements of which some together can hold an int32, little endian: sums live among them.
pub trait Cell: Element + Default {
    /// How many.
    const IN_SUM: usize;

    /// The sum that element `at` begins.
    fn load_sum<B: Bounds>(arena: &Arena<'_, Self, B>, at: usize) -> i32;

    /// Writes the sum that element `at` begins.
    fn store_sum<B: Bounds>(arena: &mut Arena<'_, Self, B>, at: usize, sum: i32);
}

macro_rules! cells {
    ($($t:ident $count:literal: |$parts:ident| $join:expr, |$sum:ident| $split:expr;)*) => { $(
        impl Cell for $t {
            const IN_SUM: usize = $count;

            #[inline]
            fn load_sum<B: Bounds>(arena: &Arena<'_, Self, B>, at: usize) -> i32 {
                let $parts: [$t; $count] = arena.load(at);
                $join
            }

            #[inline]
            fn store_sum<B: Bounds>(arena: &mut Arena<'_, Self, B>, at: usize, $sum: i32) {
                arena.store(at, $split);
            }
        }
    )* };
}
cells! {
    u8 4: |parts| i32::from_le_bytes(parts), |sum| sum.to_le_bytes();
    i8 4: |parts| i32::from_le_bytes(parts.map(|part| part as u8)), |sum| sum.to_le_bytes().map(|byte| byte as i8);
    i16 2: |parts| i32::from(parts[0] as u16) | i32::from(parts[1]) << 16, |sum| [sum as i16, (sum >> 16) as i16];
}

/// Reduction over all rows and columns, taking input rows `rows` of `total`: the first call (row 0) clears the sums, the last one
/// writes the output's only pixel. `state` is the index, in elements of the arena, of `depth` int32 sums.
pub fn reduce_image<R: Reduction, B: Bounds>(
    arena: Arena<'_, R::Stored, B>,
    views: &Views,
    rows: Range<usize>,
    sizes: [usize; 3],
    state: usize,
    reduce: &R,
) {
    sum_image(arena, views, rows, sizes, state, |stored| reduce.read(stored), |sum| reduce.finish(sum));
}

/// AVERAGE_POOL_2D whose one window is the whole image: the mean rounded half away from zero, clamped to `[min, max]`. Rows, sizes and
/// state as in [`reduce_image`].
pub fn average_image<T: Integer + Cell, B: Bounds>(
    arena: Arena<'_, T, B>,
    views: &Views,
    rows: Range<usize>,
    sizes: [usize; 3],
    state: usize,
    clamp: [T; 2],
) {
    let count = (sizes[0] * sizes[1]) as i32;
    let epilogue = |sum| rounded_mean(sum, count, clamp);
    sum_image(arena, views, rows, sizes, state, |stored: T| stored.into(), epilogue);
}

/// Sums each channel over rows as they come, and finishes the sums after the last.
fn sum_image<T: Cell, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    views: &Views,
    rows: Range<usize>,
    [total, cols, depth]: [usize; 3],
    state: usize,
    read: impl Fn(T) -> i32,
    finish: impl Fn(i32) -> T,
) {
    let Views { input, output } = views;
    if rows.start == 0 {
        arena.span_mut(state, T::IN_SUM * depth).fill(T::default());
    }
    let taps = Taps { row: rows.start, rows: rows.len(), col: 0, cols };
    let add = |sum: &mut i32, stored| *sum = sum.wrapping_add(read(stored));
    let mut c = 0;
    while c + TOGETHER <= depth {
        let at = |i: usize| state + T::IN_SUM * (c + i);
        let sums: [i32; TOGETHER] = core::array::from_fn(|i| T::load_sum(&arena, at(i)));
        let sums = taps.add_together(&arena, *input, c, sums, &add);
        sums.iter().enumerate().for_each(|(i, &sum)| T::store_sum(&mut arena, at(i), sum));
        c += TOGETHER;
    }
    while c < depth {
        let at = state + T::IN_SUM * c;
        let sum = taps.add(&arena, *input, c, T::load_sum(&arena, at), &add);
        T::store_sum(&mut arena, at, sum);
        c += 1;
    }
    if rows.end == total {
        let to = output.at(0, 0);
        for c in 0..depth {
            arena[to + c] = finish(T::load_sum(&arena, state + T::IN_SUM * c));
        }
    }
}

/// Reduction over any axes of a tensor stored whole: `kept` and `reduced` are the sizes of the axes that stay and go, with the input's
/// strides along them. `input` and `output` are element indices. The tensors must not overlap.
pub fn reduce<R: Reduction, B: Bounds>(
    mut arena: Arena<'_, R::Stored, B>,
    input: usize,
    output: usize,
    kept: (&[usize], &[isize]),
    reduced: (&[usize], &[isize]),
    reduce: &R,
) {
    let mut to = output;
    walk(kept.0, [kept.1], |[outer]| {
        let mut sum = 0i32;
        walk(reduced.0, [reduced.1], |[inner]| {
            sum = sum.wrapping_add(reduce.read(arena[input.wrapping_add_signed(outer + inner)]));
        });
        arena[to] = reduce.finish(sum);
        to += 1;
    });
}

/// Elements that are compared.
pub trait Ordered: Element + PartialOrd {
    /// What no finite element is below.
    const LEAST: Self;
    /// What no finite element is above.
    const GREATEST: Self;
}

macro_rules! ordered {
    ($($t:ident)*) => { $(
        impl Ordered for $t {
            const LEAST: Self = $t::MIN;
            const GREATEST: Self = $t::MAX;
        }
    )* };
}
ordered!(i8 i16 f32);

/// The greatest over any axes of a tensor stored whole; arguments as of [`reduce`]. What is not a number is passed over.
///
/// Order: one element at a time, all reads before its write.
pub fn reduce_max<T: Ordered, B: Bounds>(
    arena: Arena<'_, T, B>,
    input: usize,
    output: usize,
    kept: (&[usize], &[isize]),
    reduced: (&[usize], &[isize]),
) {
    extremum(arena, input, output, kept, reduced, T::LEAST, |x, best| x > best);
}

/// The least over any axes of a tensor stored whole; arguments as of [`reduce`]. What is not a number is passed over.
///
/// Order: one element at a time, all reads before its write.
pub fn reduce_min<T: Ordered, B: Bounds>(
    arena: Arena<'_, T, B>,
    input: usize,
    output: usize,
    kept: (&[usize], &[isize]),
    reduced: (&[usize], &[isize]),
) {
    extremum(arena, input, output, kept, reduced, T::GREATEST, |x, best| x < best);
}

#[inline]
fn extremum<T: Ordered, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    input: usize,
    output: usize,
    kept: (&[usize], &[isize]),
    reduced: (&[usize], &[isize]),
    start: T,
    beyond: impl Fn(T, T) -> bool,
) {
    let mut to = output;
    walk(kept.0, [kept.1], |[outer]| {
        let mut best = start;
        walk(reduced.0, [reduced.1], |[inner]| {
            let x = arena[input.wrapping_add_signed(outer + inner)];
            if beyond(x, best) {
                best = x;
            }
        });
        arena[to] = best;
        to += 1;
    });
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::geometry::Window2d;
    use crate::reference::average_pool;
    use crate::view::{Region, View};
    use std::vec::Vec;

    #[test]
    fn an_average_row_by_row_is_the_average_of_the_window() {
        let sizes @ [rows, cols, depth] = [5, 3, 4];
        let len = rows * cols * depth;
        for seed in 0..50u8 {
            let image: Vec<i8> =
                (0..len).map(|i| (i as u8).wrapping_mul(77).wrapping_add(seed).wrapping_mul(13) as i8).collect();
            let (input, output) = (View::linear(0, rows, cols, depth), View::linear(len, 1, 1, depth));
            let views = Views { input, output };
            let window = Window2d {
                input: sizes,
                output: [1, 1, depth],
                size: [rows, cols],
                stride: [1, 1],
                dilation: [1, 1],
                before: [0, 0],
            };
            let mut whole: Vec<i8> = image.iter().copied().chain([0; 4]).collect();
            average_pool(Arena::new(&mut whole), &views, Region::whole(1, 1), &window, [-90, 90]);
            // A ring of two rows is enough. The state follows the output.
            let ring = View { rows: 2, ..input };
            let mut arena = std::vec![0; len + depth + 4 * depth];
            for y in 0..rows {
                arena[ring.row(y)..][..cols * depth].copy_from_slice(&image[y * cols * depth..][..cols * depth]);
                average_image(
                    Arena::new(&mut arena),
                    &Views { input: ring, output },
                    y..y + 1,
                    sizes,
                    len + depth,
                    [-90, 90],
                );
            }
            assert_eq!(arena[len..len + depth], whole[len..]);
        }
    }
}
