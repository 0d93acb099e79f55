//! FULLY_CONNECTED: four channels at a time.

use super::finish::Finish;
use super::lanes;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View};

/// Channels whose weights lie side by side, fewer at the end.
const CHANNELS: usize = 4;

/// Bytes of scratch for so many inputs, aligned for 32 bits: the staged row.
pub const fn fully_connected_scratch(inputs: usize) -> usize {
    inputs.div_ceil(4) * 8
}

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

/// FULLY_CONNECTED with weights from [`fully_connected_pack`] and channels that [`Finish`] describes, started as [`lanes::start`] says. `scratch`
/// is where [`fully_connected_scratch`] bytes begin in the arena, aligned for 32 bits.
///
/// Order: a row at a time, all reads before its writes.
pub fn fully_connected<B: Bounds>(
    arena: Arena<'_, i8, B>,
    input: View,
    output: View,
    region: Region,
    scratch: usize,
    sizes: [usize; 2],
    finish: &Finish,
    weights: Flash<'_, u32, B>,
    words: Flash<'_, u32, B>,
) {
    let [inputs, outputs] = sizes;
    let (groups, pairs) = (inputs.div_ceil(4), outputs.div_ceil(2));
    let (mut rest, mut staged) = arena.carve::<u32>(scratch, groups * 2);
    for row in region.y0..region.y1 {
        let from = input.row(row);
        for g in 0..inputs / 4 {
            staged.store(g * 2, lanes::stage(rest.load(from + g * 4)));
        }
        if inputs % 4 != 0 {
            // What fills the last group meets weights of 0.
            let mut four = [0; 4];
            for (i, value) in four.iter_mut().enumerate().take(inputs % 4) {
                *value = rest[from + inputs / 4 * 4 + i];
            }
            staged.store(inputs / 4 * 2, lanes::stage(four));
        }
        let mut o = 0;
        while o < outputs {
            let count = (outputs - o).min(CHANNELS);
            let [first, second] = finish.pair(words, pairs, o / 2);
            let [third, fourth] = if count > 2 { finish.pair(words, pairs, o / 2 + 1) } else { Default::default() };
            let channels = [first, second, third, fourth];
            let mut acc = channels.map(|channel| channel.start);
            if count == CHANNELS {
                four(weights, o * groups, &staged, groups, &mut acc);
            } else {
                for g in 0..groups {
                    let inputs = staged.load(g * 2);
                    for (c, acc) in acc.iter_mut().enumerate().take(count) {
                        *acc = lanes::multiply(*acc, weights[o * groups + g * count + c], inputs);
                    }
                }
            }
            for (c, (channel, acc)) in channels.iter().zip(acc).enumerate().take(count) {
                rest[output.row(row) + o + c] = finish.output(channel, acc);
            }
            o += CHANNELS;
        }
    }
}

/// Adds the products of all groups to the accumulators of four channels whose weights begin at word `at`.
#[inline(always)]
fn four<B: Bounds>(
    weights: Flash<'_, u32, B>,
    at: usize,
    staged: &Arena<'_, u32, B>,
    groups: usize,
    acc: &mut [i32; CHANNELS],
) {
    for g in 0..groups {
        let inputs = staged.load(g * 2);
        let words = weights.array::<CHANNELS>(at + g * CHANNELS);
        for (acc, &word) in acc.iter_mut().zip(words) {
            *acc = lanes::multiply(*acc, word, inputs);
        }
    }
}
