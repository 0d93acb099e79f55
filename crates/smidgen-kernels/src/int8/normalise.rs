//! L2_NORMALIZATION and LOG_SOFTMAX over the channels of each pixel, int8 to int8.

use crate::fixed;
use crate::memory::{Arena, Bounds};
use crate::requant::{Factor, Rounding, limit, round_shift};
use crate::view::{Region, Views};

/// Each pixel's vector over its length; the output has scale 1/128 and zero point 0. Of a vector of nothing but zeros nothing is left.
///
/// Order: one pixel at a time; its input is read until its last channel is written.
pub fn l2_normalization<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    input_zero: i32,
) {
    const FRACTION: i8 = 7;
    each_pixel(views, region, |from, to| {
        let centred = |x: i8| i32::from(x).wrapping_sub(input_zero);
        let squares = arena.span(from, depth).iter().fold(0i32, |sum, &x| {
            let x = centred(x);
            sum.wrapping_add(x.wrapping_mul(x))
        });
        let root = fixed::inverse_sqrt(squares);
        let factor = Factor { shift: root.shift.wrapping_add(FRACTION), ..root };
        for c in 0..depth {
            arena[to + c] = limit(factor.apply(centred(arena[from + c]), Rounding::Twice), i8::MIN, i8::MAX);
        }
    });
}

/// Parameters of LOG_SOFTMAX.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogSoftmax {
    /// From differences of inputs to `Q5.26`.
    pub factor: Factor,
    /// From that back to differences.
    pub reverse: Factor,
    /// The least difference that `Q5.26` holds.
    pub least: i32,
}

/// The logarithm of each channel's share of the exponentials; the output has scale 1/16 and zero point 127.
///
/// Order: one pixel at a time; its input is read until its last channel is written.
pub fn log_softmax<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    how: &LogSoftmax,
) {
    const SUM_INTEGER_BITS: u32 = 12;
    const ZERO: i32 = 127;
    each_pixel(views, region, |from, to| {
        let pixel = arena.span(from, depth);
        let most = i32::from(pixel.iter().copied().max().unwrap_or(i8::MIN));
        let scaled = |difference: i32| how.factor.apply(difference, Rounding::Twice);
        let sum = pixel.iter().fold(0i32, |sum, &x| {
            let difference = i32::from(x).wrapping_sub(most);
            if difference < how.least {
                return sum;
            }
            sum.wrapping_add(round_shift(fixed::exp_of_negative(scaled(difference)), SUM_INTEGER_BITS))
        });
        let log = fixed::log(sum);
        let least = how.reverse.apply(log.wrapping_add(i32::MIN), Rounding::Twice).max(how.least.wrapping_sub(1));
        for c in 0..depth {
            let difference = i32::from(arena[from + c]).wrapping_sub(most);
            arena[to + c] = if difference > least {
                let real = scaled(difference).wrapping_sub(log);
                limit(round_shift(real, 31 - 5 - 4).wrapping_add(ZERO), i8::MIN, i8::MAX)
            } else {
                i8::MIN
            };
        }
    });
}

/// Calls `compute` with where each pixel's channels begin in the input and in the output.
#[inline(always)]
fn each_pixel(Views { input, output }: &Views, region: Region, mut compute: impl FnMut(usize, usize)) {
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            compute(input.at(y, x), output.at(y, x));
        }
    }
}
