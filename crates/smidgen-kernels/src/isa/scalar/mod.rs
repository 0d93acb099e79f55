//! The inner loops of the [device kernels](crate::int8::mcu) for cores that multiply one pair of numbers at a time: in assembly for Armv7-M
//! without the DSP instructions (Cortex-M3) and for Armv6-M (Cortex-M0 and M0+), in Rust for all others.
//!
//! Registers decide what is fast here. The accumulators of a block stay in registers, each number that is loaded meets as many of them as
//! there is room for, and nothing is written to the stack within a loop; compilers that are told to save space do neither.
//!
//! Weights and staged inputs are [lanes](crate::int8::mcu::lanes), read as 16-bit numbers: `256 * w1 + w0`, whose low byte is `w0`, meets
//! `x1 - 127`, and `w0` meets what is left.

use crate::int8::mcu::epilogue::Channel;
use crate::int8::mcu::lanes::ODD;
use crate::int8::mcu::nibbles;

#[cfg(feature = "armv6m")]
mod armv6m;
#[cfg(feature = "armv7m")]
mod armv7m;
#[cfg(not(any(feature = "armv6m", feature = "armv7m")))]
mod portable;

#[cfg(any(feature = "armv6m", feature = "armv7m"))]
mod assembly;

#[cfg(any(feature = "armv6m", feature = "armv7m"))]
use assembly as code;
#[cfg(not(any(feature = "armv6m", feature = "armv7m")))]
use portable as code;

/// For each of some pixels, at most three, the accumulators of two channels, begun with `start`. `words` are the channels' words of weights,
/// two for each group of four taps, `staged` what each group meets of all pixels, two words a pixel.
#[inline(always)]
pub(crate) fn pair<const PIXELS: usize>(start: [i32; 2], words: &[u32], staged: &[u32]) -> [[i32; 2]; PIXELS] {
    let mut sums = [start; PIXELS];
    let groups = words.len() / 2;
    debug_assert_eq!((words.len(), staged.len()), (2 * groups, 2 * PIXELS * groups));
    if groups > 0 {
        // SAFETY: the slices have this many words, and there is at least one group.
        unsafe { code::pair::<PIXELS>(&mut sums, words.as_ptr(), staged.as_ptr(), groups) }
    }
    sums
}

/// [`pair`] with weights of four bits: [one word](crate::int8::mcu::nibbles) of both channels for each group.
#[inline(always)]
pub(crate) fn pair_of_nibbles<const PIXELS: usize>(
    start: [i32; 2],
    words: &[u32],
    staged: &[u32],
) -> [[i32; 2]; PIXELS] {
    debug_assert_eq!(staged.len(), 2 * PIXELS * words.len());
    let mut sums = [start; PIXELS];
    for (p, sums) in sums.iter_mut().enumerate() {
        let mut inputs = staged.as_ptr().wrapping_add(2 * p);
        let [mut first, mut second] = start;
        for &word in words {
            // SAFETY: two words of this pixel for each word of weights.
            let two = unsafe { inputs.cast::<[u32; 2]>().read() };
            first = nibbles::multiply(first, word, 0, two);
            second = nibbles::multiply(second, word, 1, two);
            inputs = inputs.wrapping_add(2 * PIXELS);
        }
        *sums = [first, second];
    }
    sums
}

/// Adds the products of inputs, four for each four words of weights of as many channels, to the accumulators of the channels.
#[inline(always)]
pub(crate) fn four(sums: &mut [i32; 4], words: &[u32], inputs: &[i8]) {
    let groups = inputs.len() / 4;
    debug_assert_eq!((words.len(), inputs.len()), (4 * groups, 4 * groups));
    if groups > 0 {
        // SAFETY: the slices have this many words and inputs, and there is at least one group.
        unsafe { code::four(sums, words.as_ptr(), inputs.as_ptr(), groups) }
    }
}

/// Four inputs as [`lanes`](crate::int8::mcu::lanes) stage them, one by one: of the first two `a` and `b`, then of the other two.
#[inline(always)]
fn numbers([x0, x1, x2, x3]: [i8; 4]) -> [i32; 4] {
    let (a0, a1) = (i32::from(x1) - ODD, i32::from(x3) - ODD);
    [a0, 256 * i32::from(x0) - a0, a1, 256 * i32::from(x2) - a1]
}

/// Stages inputs of a run, four for each of `groups` groups, as [`lanes`](crate::int8::mcu::lanes) are staged. `step` are the 16-bit numbers
/// from a group's four to the next group's.
///
/// # Safety
/// `from` must be good for reading four inputs of each group, `to` for writing its numbers.
#[inline(never)]
pub(crate) unsafe fn stage(from: *const i8, groups: usize, to: *mut i16, step: usize) {
    let (mut from, mut to) = (from, to);
    for _ in 0..groups {
        // SAFETY: the caller's promise; arrays of int8 need no alignment.
        unsafe {
            let [a0, b0, a1, b1] = numbers(from.cast::<[i8; 4]>().read());
            to.write(a0 as i16);
            to.add(1).write(a1 as i16);
            to.add(2).write(b0 as i16);
            to.add(3).write(b1 as i16);
        }
        from = from.wrapping_add(4);
        to = to.wrapping_add(step);
    }
}

/// Finishes `count` accumulators of a channel, `from_step` numbers apart, and writes them, `to_step` outputs apart.
///
/// # Safety
/// All must be good for reading and writing.
// A function of its own has registers for all that it needs.
#[inline(never)]
pub(crate) unsafe fn finish(channel: &Channel, sums: (*const i32, usize), to: (*mut i8, usize), count: usize) {
    let (channel, (mut from, from_step), (mut to, to_step)) = (*channel, sums, to);
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe { to.write(channel.output(from.read())) }
        from = from.wrapping_add(from_step);
        to = to.wrapping_add(to_step);
    }
}

/// Spreads four channels into planes: `count` times four int8, `from_step` elements apart, each less `less` and then shifted left by `BITS`, to one
/// number of each of four planes, which are `plane` numbers apart.
///
/// # Safety
/// `from` must be good for reading all of them, `to` for writing `count` numbers of each plane.
#[inline(never)]
pub(crate) unsafe fn spread<const BITS: u32>(
    (from, from_step): (*const i8, usize),
    count: usize,
    (to, plane): (*mut i16, usize),
    less: i16,
) {
    let (mut from, mut to) = (from, to);
    let number = |x: i8| (i16::from(x).wrapping_sub(less)) << BITS;
    for _ in 0..count {
        // SAFETY: the caller's promise; arrays of int8 need no alignment.
        unsafe {
            let [a, b, c, d] = from.cast::<[i8; 4]>().read();
            to.write(number(a));
            to.add(plane).write(number(b));
            to.add(2 * plane).write(number(c));
            to.add(3 * plane).write(number(d));
        }
        from = from.wrapping_add(from_step);
        to = to.wrapping_add(1);
    }
}

/// Outputs that [`columns`] computes together.
pub(crate) const COLUMNS: usize = 4;

/// Adds the products of some rows of a window of `K` columns to the accumulators of [`COLUMNS`] outputs that follow one another at a distance of
/// `STRIDE` pixels. `pitches` are the bytes from one row of weights to the next, and of pixels.
///
/// # Safety
/// `weights` must be good for `K` numbers in each row, `pixels` for as many as all outputs read, and there must be at least one row.
#[inline(always)]
pub(crate) unsafe fn columns<const K: usize, const STRIDE: usize>(
    sums: &mut [i32; COLUMNS],
    weights: *const i16,
    pixels: *const i16,
    rows: usize,
    pitches: [usize; 2],
) {
    // SAFETY: the caller's promise.
    unsafe { code::columns::<K, STRIDE>(sums, weights, pixels, rows, pitches) }
}

/// The same for one output.
///
/// # Safety
/// As of [`columns`].
#[inline(always)]
pub(crate) unsafe fn column<const K: usize>(
    start: i32,
    weights: *const i16,
    pixels: *const i16,
    rows: usize,
    [weight_pitch, pixel_pitch]: [usize; 2],
) -> i32 {
    let (mut weights, mut pixels, mut sum) = (weights, pixels, start);
    for _ in 0..rows {
        // Written out, so that it is unrolled.
        macro_rules! tap {
            ($($tap:literal)*) => {
                $(if $tap < K {
                    // SAFETY: so many taps of this row.
                    let (weight, pixel) = unsafe { (weights.add($tap).read(), pixels.add($tap).read()) };
                    sum = sum.wrapping_add(i32::from(weight).wrapping_mul(pixel.into()));
                })*
            };
        }
        tap!(0 1 2 3 4 5 6);
        weights = weights.wrapping_byte_add(weight_pitch);
        pixels = pixels.wrapping_byte_add(pixel_pitch);
    }
    sum
}

#[cfg(test)]
mod tests {
    extern crate std;

    use crate::int8::mcu::epilogue::{Channel, Epilogue};
    use crate::int8::mcu::{lanes, nibbles};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn pairs<const PIXELS: usize>(start: [i32; 2], words: &[u32], inputs: &[[i8; 4]]) {
        let groups = inputs.len() / PIXELS;
        let (words, inputs) = (&words[..2 * groups], &inputs[..PIXELS * groups]);
        let staged: Vec<u32> = inputs.iter().flat_map(|&x| lanes::stage(x)).collect();
        let expected: [[i32; 2]; PIXELS] = core::array::from_fn(|p| {
            core::array::from_fn(|channel| {
                (0..groups).fold(start[channel], |sum, group| {
                    lanes::multiply(sum, words[2 * group + channel], lanes::stage(inputs[group * PIXELS + p]))
                })
            })
        });
        assert_eq!(super::pair::<PIXELS>(start, words, &staged), expected);
    }

    fn columns<const K: usize, const STRIDE: usize>(start: [i32; 4], numbers: &[i16], rows: usize) {
        let (row, width) = (K + 1, 3 * STRIDE + K + 2);
        let (weights, pixels) = numbers.split_at(row * K);
        let mut sums = start;
        // SAFETY: as many numbers as rows of such pitches have.
        unsafe {
            super::columns::<K, STRIDE>(&mut sums, weights.as_ptr(), pixels.as_ptr(), rows, [2 * row, 2 * width]);
        }
        let expected: [i32; 4] = core::array::from_fn(|c| {
            let taps = (0..rows).flat_map(|i| (0..K).map(move |j| (i, j)));
            taps.fold(start[c], |sum, (i, j)| {
                let (weight, pixel) = (weights[i * row + j], pixels[i * width + c * STRIDE + j]);
                sum.wrapping_add(i32::from(weight).wrapping_mul(pixel.into()))
            })
        });
        assert_eq!(sums, expected);
        // SAFETY: as above.
        let first =
            unsafe { super::column::<K>(start[0], weights.as_ptr(), pixels.as_ptr(), rows, [2 * row, 2 * width]) };
        assert_eq!(first, expected[0]);
    }

    fn pairs_of_nibbles<const PIXELS: usize>(start: [i32; 2], words: &[u32], inputs: &[[i8; 4]]) {
        let groups = inputs.len() / PIXELS;
        let (words, inputs) = (&words[..groups], &inputs[..PIXELS * groups]);
        let staged: Vec<u32> = inputs.iter().flat_map(|&x| nibbles::stage(x)).collect();
        let expected: [[i32; 2]; PIXELS] = core::array::from_fn(|p| {
            core::array::from_fn(|channel| {
                (0..groups).fold(start[channel], |sum, group| {
                    nibbles::multiply(sum, words[group], channel, nibbles::stage(inputs[group * PIXELS + p]))
                })
            })
        });
        assert_eq!(super::pair_of_nibbles::<PIXELS>(start, words, &staged), expected);
    }

    proptest! {
        #[test]
        fn blocks_are_the_products_one_by_one(
            start in any::<[i32; 2]>(),
            weights in vec(prop::array::uniform4(-127i8..=127), 16),
            inputs in vec(any::<[i8; 4]>(), 0..24),
        ) {
            let words: Vec<u32> = weights.iter().map(|&w| lanes::pack(w).unwrap()).collect();
            for pixels in 1..=3 {
                let inputs = &inputs[..inputs.len().min(8 * pixels)];
                match pixels {
                    1 => (pairs::<1>(start, &words, inputs), pairs_of_nibbles::<1>(start, &words, inputs)),
                    2 => (pairs::<2>(start, &words, inputs), pairs_of_nibbles::<2>(start, &words, inputs)),
                    _ => (pairs::<3>(start, &words, inputs), pairs_of_nibbles::<3>(start, &words, inputs)),
                };
            }
        }

        #[test]
        fn four_channels_are_the_products_one_by_one(
            start in any::<[i32; 4]>(),
            weights in vec(prop::array::uniform4(-127i8..=127), 16),
            inputs in vec(any::<[i8; 4]>(), 0..4),
        ) {
            let words: Vec<u32> = weights.iter().map(|&w| lanes::pack(w).unwrap()).take(4 * inputs.len()).collect();
            let mut sums = start;
            super::four(&mut sums, &words, inputs.as_flattened());
            let expected: [i32; 4] = core::array::from_fn(|c| {
                let staged = inputs.iter().map(|&x| lanes::stage(x)).enumerate();
                staged.fold(start[c], |sum, (group, x)| lanes::multiply(sum, words[4 * group + c], x))
            });
            prop_assert_eq!(sums, expected);
        }

        #[test]
        fn staged_numbers_are_the_words_of_lanes(inputs in vec(any::<[i8; 4]>(), 0..5), apart in 1usize..4) {
            let mut staged = std::vec![0u32; 2 * apart * inputs.len()];
            // SAFETY: there are as many inputs, and as many words at such distances.
            unsafe { super::stage(inputs.as_ptr().cast(), inputs.len(), staged.as_mut_ptr().cast(), 4 * apart) };
            for (x, staged) in inputs.iter().zip(staged.chunks_exact(2 * apart)) {
                prop_assert_eq!(&staged[..2], &lanes::stage(*x));
            }
        }

        #[test]
        fn planes_hold_their_channels(numbers in vec(any::<[i8; 5]>(), 0..6), less in -9i16..9) {
            let (count, plane) = (numbers.len(), numbers.len() + 1);
            let mut to = std::vec![0i16; 4 * plane];
            // SAFETY: so many fives, and planes with room for one more.
            unsafe { super::spread::<3>((numbers.as_ptr().cast(), 5), count, (to.as_mut_ptr(), plane), less) };
            for (i, five) in numbers.iter().enumerate() {
                for (c, &x) in five.iter().take(4).enumerate() {
                    prop_assert_eq!(to[c * plane + i], (i16::from(x) - less) << 3);
                }
            }
        }

        #[test]
        fn finished_sums_are_the_outputs(sums in vec(any::<i32>(), 1..7), tie in 0i32..=128, multiplier in any::<u32>()) {
            let channel = Channel { multiplier: (multiplier >> 1) as i32, start: 0, offset: -3 << 12, tie, shift: 12 };
            let epilogue = Epilogue {
                offset: 0, shift: 12, tie: 256, low: 0, unit: 256, by_sign: true, extras: 0, own_shifts: false,
            };
            let mut outputs = std::vec![0i8; 2 * sums.len()];
            // SAFETY: as many sums, and twice as many outputs.
            unsafe { super::finish(&channel, (sums.as_ptr(), 1), (outputs.as_mut_ptr(), 2), sums.len()) };
            for (&sum, output) in sums.iter().zip(outputs.chunks_exact(2)) {
                prop_assert_eq!(output[0], epilogue.output(&channel, sum));
            }
        }

        #[test]
        fn columns_are_the_products_one_by_one(
            start in any::<[i32; 4]>(), numbers in vec(any::<i16>(), 8 * 7 + 7 * 15), rows in 1usize..=3,
        ) {
            columns::<3, 1>(start, &numbers, rows);
            columns::<3, 2>(start, &numbers, rows);
            columns::<5, 1>(start, &numbers, rows);
            columns::<5, 2>(start, &numbers, rows);
            columns::<7, 1>(start, &numbers, rows);
            columns::<7, 2>(start, &numbers, rows);
        }
    }
}
