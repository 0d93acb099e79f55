//! FULLY_CONNECTED: four channels at a time, inputs read from where they are.

use super::channel::{Channel, Clamp};
use super::pack::{multiply, pack};
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// Channels whose weights lie side by side, fewer at the end.
const CHANNELS: usize = 4;

/// Bytes of the packed weights of `[inputs, outputs]`.
pub const fn fully_connected_weights([inputs, outputs]: [usize; 2]) -> usize {
    inputs.next_multiple_of(4) * outputs
}

/// Packs `[O, K]` weights, each channel filled up with zeros to a multiple of four: of every four channels the four bytes of either in turn; of
/// the last one to three likewise.
///
/// # Panics
/// If a slice is not as long as the sizes say, or there are no inputs.
pub fn fully_connected_pack(sizes: [usize; 2], weights: &[i8], to: &mut [i8]) {
    let [inputs, outputs] = sizes;
    assert!(inputs > 0);
    assert_eq!((weights.len(), to.len()), (inputs * outputs, fully_connected_weights(sizes)));
    let to = to.chunks_mut(CHANNELS * inputs.next_multiple_of(4));
    for (channels, to) in weights.chunks(CHANNELS * inputs).zip(to) {
        let count = channels.len() / inputs;
        for (at, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let (quad, channel) = (at / count, at % count);
            let weight = |i: usize| if i < inputs { channels[channel * inputs + i] } else { 0 };
            *to = pack(core::array::from_fn(|i| weight(4 * quad + i)));
        }
    }
}

/// `y[r, o] = output(sum over k of x[r, k] * w[o, k])`, as [`int16::fully_connected`](crate::int16::fully_connected) defines it.
///
/// `sizes` are K, at least 1, and O; `weights` are from [`fully_connected_pack`], aligned for 32 bits, and `words` those of
/// [`Channel::pack`].
///
/// Order: four elements at a time, all reads before their writes.
pub fn fully_connected<B: Bounds>(
    mut arena: Arena<'_, i16, B>,
    views: &Views,
    region: Region,
    sizes: [usize; 2],
    clamp: Clamp,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let Views { input, output } = views;
    let [inputs, outputs] = sizes;
    let (whole, padded) = (inputs / 4, inputs.next_multiple_of(4));
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        let mut o = 0;
        while o < outputs {
            let count = (outputs - o).min(CHANNELS);
            let [first, second] = Channel::pair(words, o / 2);
            let [third, fourth] = if count > 2 { Channel::pair(words, o / 2 + 1) } else { Default::default() };
            let channels = [first, second, third, fourth];
            let mut sums = channels.map(|channel| channel.start);
            let mut at = o * padded;
            if count == CHANNELS {
                four(&mut sums, weights.span(at, 4 * CHANNELS * whole), arena.span(from, 4 * whole));
            } else {
                for quad in 0..whole {
                    let x = arena.load(from + 4 * quad);
                    for (c, sum) in sums.iter_mut().enumerate().take(count) {
                        *sum = multiply(*sum, weights.array(at + 4 * (quad * count + c)), &x);
                    }
                }
            }
            if whole * 4 < inputs {
                // What fills the last four meets weights of 0.
                let mut x = [0; 4];
                for (i, x) in x.iter_mut().enumerate().take(inputs % 4) {
                    *x = arena[from + 4 * whole + i];
                }
                at += 4 * count * whole;
                for (c, sum) in sums.iter_mut().enumerate().take(count) {
                    *sum = multiply(*sum, weights.array(at + 4 * c), &x);
                }
            }
            for (c, (channel, &sum)) in channels.iter().zip(&sums).enumerate().take(count) {
                arena[to + o + c] = clamp.apply(channel.output(sum));
            }
            o += CHANNELS;
        }
    }
}

/// Adds the products of all inputs, four for each four channels' weights, to the sums of four channels.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
#[inline(always)]
fn four(sums: &mut [i32; CHANNELS], weights: &[i8], inputs: &[i16]) {
    for (weights, x) in weights.as_chunks::<{ 4 * CHANNELS }>().0.iter().zip(inputs.as_chunks().0) {
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks().0) {
            *sum = multiply(*sum, weights, x);
        }
    }
}

/// Adds the products of all inputs, four for each four channels' weights, to the sums of four channels.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
#[inline(always)]
fn four(sums: &mut [i32; CHANNELS], weights: &[i8], inputs: &[i16]) {
    // SAFETY: the caller took four inputs and four weights of each channel for each of as many groups.
    unsafe { crate::isa::dsp::int16::four(weights.as_ptr(), inputs.as_ptr(), inputs.len() / 4, sums) }
}
