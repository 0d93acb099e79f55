//! MEAN and SUM of int8, and AVERAGE_POOL_2D over a whole image, which is summed alike.

use super::pool::rounded_mean;
use crate::memory::{Arena, Bounds};
use crate::nd::walk;
use crate::pooling::{TOGETHER, Taps};
use crate::requant::{Factor, Rounding};
use crate::view::View;
use core::ops::Range;

/// How a reduction reads stored bytes and writes its result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reading {
    /// As the signed integers that they are.
    Signed,
    /// As unsigned ones, `0 ..= 255`, on both sides: what LiteRT 2.3's reference kernel of SUM does with int8.
    Unsigned,
}

/// Parameters of MEAN and SUM: `y = output_zero + factor * (sum of x - zeros)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// Input zero point times the number of elements that go into one output.
    pub zeros: i32,
    /// `s_x / s_y` for SUM; that over the number of elements for MEAN, with the reference's own rounding.
    pub factor: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// How stored bytes are read.
    pub reading: Reading,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

impl Reduce {
    /// A stored input as the sum takes it.
    #[inline]
    pub fn read(&self, stored: u8) -> i32 {
        match self.reading {
            Reading::Signed => stored as i8 as i32,
            Reading::Unsigned => stored as i32,
        }
    }

    /// The stored output for a sum of stored inputs.
    #[inline]
    pub fn finish(&self, sum: i32) -> u8 {
        let y = self.factor.apply(sum.wrapping_sub(self.zeros), self.rounding).wrapping_add(self.output_zero);
        match self.reading {
            Reading::Signed => y.clamp(i8::MIN as i32, i8::MAX as i32) as u8,
            Reading::Unsigned => y.clamp(0, 255) as u8,
        }
    }
}

/// Reduction over all rows and columns, taking input rows `rows` of `total`: the first call (row 0) clears the sums, the last one
/// writes the output's only pixel. `state` is the byte index of `depth` int32 sums.
pub fn reduce_image<B: Bounds>(
    arena: Arena<'_, u8, B>,
    input: View,
    output: View,
    rows: Range<usize>,
    sizes: [usize; 3],
    state: usize,
    reduce: &Reduce,
) {
    sum_image(arena, input, output, rows, sizes, state, |stored| reduce.read(stored), |sum| reduce.finish(sum));
}

/// AVERAGE_POOL_2D whose one window is the whole image: the mean rounded half away from zero, clamped to `[min, max]`. Rows, sizes and
/// state as in [`reduce_image`].
pub fn average_image<B: Bounds>(
    arena: Arena<'_, u8, B>,
    input: View,
    output: View,
    rows: Range<usize>,
    sizes: [usize; 3],
    state: usize,
    clamp: [i8; 2],
) {
    let count = (sizes[0] * sizes[1]) as i32;
    let finish = |sum| rounded_mean(sum, count, clamp) as u8;
    sum_image(arena, input, output, rows, sizes, state, |stored| stored as i8 as i32, finish);
}

/// Sums each channel over rows as they come, and finishes the sums after the last.
fn sum_image<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    input: View,
    output: View,
    rows: Range<usize>,
    [total, cols, depth]: [usize; 3],
    state: usize,
    read: impl Fn(u8) -> i32,
    finish: impl Fn(i32) -> u8,
) {
    if rows.start == 0 {
        arena.span_mut(state, 4 * depth).fill(0);
    }
    let taps = Taps { row: rows.start, rows: rows.len(), col: 0, cols };
    let add = |sum: &mut i32, stored| *sum = sum.wrapping_add(read(stored));
    let mut c = 0;
    while c + TOGETHER <= depth {
        let at = |i: usize| state + 4 * (c + i);
        let sums: [i32; TOGETHER] = core::array::from_fn(|i| i32::from_le_bytes(arena.load(at(i))));
        let sums = taps.add_together(&arena, input, c, sums, &add);
        sums.iter().enumerate().for_each(|(i, sum)| arena.store(at(i), sum.to_le_bytes()));
        c += TOGETHER;
    }
    while c < depth {
        let at = state + 4 * c;
        let sum = taps.add(&arena, input, c, i32::from_le_bytes(arena.load(at)), &add);
        arena.store(at, sum.to_le_bytes());
        c += 1;
    }
    if rows.end == total {
        let to = output.at(0, 0);
        for c in 0..depth {
            arena[to + c] = finish(i32::from_le_bytes(arena.load(state + 4 * c)));
        }
    }
}

/// Reduction over any axes of a tensor stored whole: `kept` and `reduced` are the sizes of the axes that stay and go, with the input's
/// strides along them. `input` and `output` are element indices. The tensors must not overlap.
pub fn reduce<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    input: usize,
    output: usize,
    kept: (&[usize], &[isize]),
    reduced: (&[usize], &[isize]),
    reduce: &Reduce,
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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::geometry::Window2d;
    use crate::int8::average_pool;
    use crate::view::Region;
    use std::vec::Vec;

    #[test]
    fn an_average_row_by_row_is_the_average_of_the_window() {
        let sizes @ [rows, cols, depth] = [5, 3, 4];
        let len = rows * cols * depth;
        for seed in 0..50u8 {
            let image: Vec<u8> =
                (0..len).map(|i| (i as u8).wrapping_mul(77).wrapping_add(seed).wrapping_mul(13)).collect();
            let (input, output) = (View::linear(0, rows, cols, depth), View::linear(len, 1, 1, depth));
            let window = Window2d {
                input: sizes,
                output: [1, 1, depth],
                size: [rows, cols],
                stride: [1, 1],
                dilation: [1, 1],
                before: [0, 0],
            };
            let mut whole: Vec<i8> = image.iter().map(|&b| b as i8).chain([0; 4]).collect();
            average_pool(Arena::new(&mut whole), input, output, Region::whole(1, 1), &window, [-90, 90]);
            // A ring of two rows is enough. The state follows the output.
            let ring = View { rows: 2, ..input };
            let mut arena = std::vec![0; len + depth + 4 * depth];
            for y in 0..rows {
                arena[ring.row(y)..][..cols * depth].copy_from_slice(&image[y * cols * depth..][..cols * depth]);
                average_image(Arena::new(&mut arena), ring, output, y..y + 1, sizes, len + depth, [-90, 90]);
            }
            let mean: Vec<i8> = arena[len..len + depth].iter().map(|&b| b as i8).collect();
            assert_eq!(mean, whole[len..]);
        }
    }
}
