//! SOFTMAX over the channels of each pixel, int8 to int8 with scale 1/256 and zero point -128.

use crate::fixed;
use crate::memory::{Arena, Bounds};
use crate::requant::round_shift;
use crate::view::{Region, Views};

/// Integer bits of the sum of exponentials, so that 4095 of them fit.
const SUM_INTEGER_BITS: u32 = 12;

/// `exponentials[d]` is `exp(-d * beta * scale)` in `Q0.31`, and 0 where that is too small to count.
///
/// Order: one pixel at a time; its input is read until its last channel is written.
pub fn softmax<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    exponentials: &[i32; 256],
) {
    let Views { input, output } = views;
    if depth == 0 {
        return;
    }
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            let (from, to) = (input.at(y, x), output.at(y, x));
            let pixel = arena.span(from, depth);
            let max = pixel.iter().copied().max().unwrap_or(i8::MIN);
            let exponential = |v: i8| exponentials[max.wrapping_sub(v) as u8 as usize];
            let sum =
                pixel.iter().fold(0i32, |sum, &v| sum.wrapping_add(round_shift(exponential(v), SUM_INTEGER_BITS)));
            let (scale, bits) = fixed::reciprocal(sum, SUM_INTEGER_BITS as i32);
            // From Q0.31 to the output's 8 fraction bits. A sum that wrapped could ask for any shift.
            let shift = (bits + 31 - 8).clamp(0, 31) as u32;
            for c in 0..depth {
                let share = round_shift(fixed::mul(scale, exponential(arena[from + c])), shift);
                arena[to + c] = share.wrapping_add(i8::MIN as i32).clamp(i8::MIN as i32, i8::MAX as i32) as i8;
            }
        }
    }
}
