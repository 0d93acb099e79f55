//! FULLY_CONNECTED: four channels at a time.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
mod armv7em;

use super::finish::{Channel, Finish};
use super::lanes;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View};

/// Channels whose weights lie side by side, fewer at the end.
const CHANNELS: usize = 4;

/// Number of words of the packed weights of `[inputs, outputs]`.
pub const fn fully_connected_weights(sizes: [usize; 2]) -> usize {
    sizes[0].div_ceil(4) * sizes[1]
}

/// Packs `[O, K]` weights, each channel filled up with zeros to a multiple of four: of every four channels the [words](lanes) in turn; of the
/// last one to three likewise.
///
/// Returns false, the words half done, if a weight of -128 does not fit.
///
/// # Panics
/// If a slice is not as long as the sizes say, or there are no inputs.
pub fn fully_connected_pack(sizes: [usize; 2], weights: &[i8], to: &mut [u32]) -> bool {
    let [inputs, outputs] = sizes;
    let groups = inputs.div_ceil(4);
    assert_eq!((weights.len(), to.len()), (inputs * outputs, fully_connected_weights(sizes)));
    weights.chunks_exact(inputs).enumerate().all(|(o, channel)| {
        let first = o / CHANNELS * CHANNELS;
        let step = CHANNELS.min(outputs - first);
        channel.chunks(4).enumerate().all(|(g, four)| {
            let word = lanes::pack(core::array::from_fn(|i| four.get(i).copied().unwrap_or(0)));
            to[first * groups + g * step + o - first] = word.unwrap_or(0);
            word.is_some()
        })
    })
}

/// FULLY_CONNECTED with weights from [`fully_connected_pack`] and channels that [`Finish`] describes, started as [`lanes::start`] says.
///
/// Inputs are staged anew for every four channels, which costs little and needs no scratch.
///
/// Order: four elements at a time, all reads before their writes.
pub fn fully_connected<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    input: View,
    output: View,
    region: Region,
    sizes: [usize; 2],
    finish: &Finish,
    weights: Flash<'_, u32, B>,
    words: Flash<'_, u32, B>,
) {
    let [inputs, outputs] = sizes;
    let (groups, pairs) = (inputs.div_ceil(4), outputs.div_ceil(2));
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        // What fills the last group meets weights of 0.
        let whole = inputs / 4;
        let mut last = [0; 4];
        for (i, value) in last.iter_mut().enumerate().take(inputs % 4) {
            *value = arena[from + whole * 4 + i];
        }
        let last = lanes::stage(last);
        let mut o = 0;
        while o < outputs {
            let [first, second] = finish.pair(words, pairs, o / 2);
            let at = o * groups;
            if outputs - o >= CHANNELS {
                let [third, fourth] = finish.pair(words, pairs, o / 2 + 1);
                let mut acc = [first.start, second.start, third.start, fourth.start];
                four(&mut acc, weights.span(at, whole * CHANNELS), arena.span(from, whole * 4));
                if groups > whole {
                    for (c, acc) in acc.iter_mut().enumerate() {
                        *acc = lanes::multiply(*acc, weights[at + whole * CHANNELS + c], last);
                    }
                }
                // Written out, as a compiler that is told to save space would not.
                let [a, b, c, d] = acc;
                arena[to + o] = finish.output(&first, a);
                arena[to + o + 1] = finish.output(&second, b);
                arena[to + o + 2] = finish.output(&third, c);
                arena[to + o + 3] = finish.output(&fourth, d);
            } else {
                let count = outputs - o;
                let third = if count > 2 { finish.pair(words, pairs, o / 2 + 1)[0] } else { Channel::default() };
                let channels = [first, second, third];
                let mut acc = channels.map(|channel| channel.start);
                for (c, acc) in acc.iter_mut().enumerate().take(count) {
                    for g in 0..whole {
                        let inputs = lanes::stage(arena.load(from + g * 4));
                        *acc = lanes::multiply(*acc, weights[at + g * count + c], inputs);
                    }
                    if groups > whole {
                        *acc = lanes::multiply(*acc, weights[at + whole * count + c], last);
                    }
                }
                // The first output may lie where an input was.
                for (c, (channel, &acc)) in channels.iter().zip(&acc).enumerate().take(count) {
                    arena[to + o + c] = finish.output(channel, acc);
                }
            }
            o += CHANNELS;
        }
    }
}

/// Adds the products of all inputs, four for each four words of weights, to the accumulators of four channels.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
#[inline(always)]
fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]) {
    for (words, inputs) in weights.as_chunks::<CHANNELS>().0.iter().zip(inputs.as_chunks().0) {
        let inputs = lanes::stage(*inputs);
        for (acc, &word) in acc.iter_mut().zip(words) {
            *acc = lanes::multiply(*acc, word, inputs);
        }
    }
}

/// The same by the instructions that [`lanes`] names: 17 for four inputs.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
#[inline(always)]
fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]) {
    let groups = inputs.len() / 4;
    debug_assert_eq!(weights.len(), groups * CHANNELS);
    // SAFETY: weights are four words, inputs four bytes for each group; the caller took both slices by these numbers.
    unsafe { armv7em::four(weights.as_ptr(), inputs.as_ptr(), groups, acc) }
}
