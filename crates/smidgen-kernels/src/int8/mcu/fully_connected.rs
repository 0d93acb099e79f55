//! FULLY_CONNECTED: four channels at a time.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
mod armv7em;

use super::epilogue::{Channel, Epilogue};
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use super::nibbles;
use super::weights::{Eight, Four, Weights, Width};
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// Channels whose weights lie side by side, fewer at the end.
pub(super) const CHANNELS: usize = 4;

/// Number of words of the packed weights of `[inputs, outputs]`.
pub const fn fully_connected_weights(sizes: [usize; 2], width: Width) -> usize {
    sizes[0].div_ceil(4) * width.words(sizes[1])
}

/// Packs `[O, K]` weights, each channel filled up with zeros to a multiple of four: of every four channels the [words](super::lanes) in turn,
/// or with four bits the [words of two](super::nibbles); of the last one to three likewise.
///
/// Returns false, the words half done, if a weight [does not fit](super::conv2d_pack).
///
/// # Panics
/// If a slice is not as long as the sizes say, or there are no inputs.
pub fn fully_connected_pack(sizes: [usize; 2], width: Width, weights: &[i8], to: &mut [u32]) -> bool {
    let [inputs, outputs] = sizes;
    assert!(inputs > 0);
    assert_eq!((weights.len(), to.len()), (inputs * outputs, fully_connected_weights(sizes, width)));
    let to = to.chunks_mut(width.words(CHANNELS) * inputs.div_ceil(4));
    weights.chunks(CHANNELS * inputs).zip(to).all(|(channels, to)| {
        let count = channels.len() / inputs;
        to.chunks_exact_mut(width.words(count)).enumerate().all(|(g, to)| {
            let weight = |c: usize, i: usize| if 4 * g + i < inputs { channels[c * inputs + 4 * g + i] } else { 0 };
            width.pack(count, weight, to)
        })
    })
}

/// FULLY_CONNECTED with weights of [`Width::Eight`] from [`fully_connected_pack`] and channels that [`Epilogue`] describes, started as
/// [`Width::start`] says.
///
/// Inputs are staged anew for every four channels, which costs little and needs no scratch.
///
/// Order: four elements at a time, all reads before their writes.
pub fn fully_connected<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    sizes: [usize; 2],
    epilogue: &Epilogue,
    weights: Flash<'_, u32, B>,
    words: Flash<'_, u32, B>,
) {
    run::<Eight, B>(arena, views, region, sizes, epilogue, weights, words);
}

/// [`fully_connected`] with weights of [`Width::Four`].
pub fn fully_connected_i4<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    sizes: [usize; 2],
    epilogue: &Epilogue,
    weights: Flash<'_, u32, B>,
    words: Flash<'_, u32, B>,
) {
    run::<Four, B>(arena, views, region, sizes, epilogue, weights, words);
}

#[inline(always)]
fn run<W: Inner, B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    sizes: [usize; 2],
    epilogue: &Epilogue,
    weights: Flash<'_, u32, B>,
    words: Flash<'_, u32, B>,
) {
    let Views { input, output } = views;
    let [inputs, outputs] = sizes;
    let (groups, extras) = (inputs.div_ceil(4), outputs.div_ceil(2).wrapping_mul(3));
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        // What fills the last group meets weights of 0.
        let whole = inputs / 4;
        let mut last = [0; 4];
        for (i, value) in last.iter_mut().enumerate().take(inputs % 4) {
            *value = arena[from + whole * 4 + i];
        }
        let last = W::stage(last);
        let mut o = 0;
        while o < outputs {
            let [first, second] = epilogue.without_own_shifts().pair_of(W::WIDTH, words, o / 2 * 3, extras);
            let at = W::WIDTH.words(o) * groups;
            if outputs - o >= CHANNELS {
                let [third, fourth] = epilogue.without_own_shifts().pair_of(W::WIDTH, words, o / 2 * 3 + 3, extras);
                let mut acc = [first.start, second.start, third.start, fourth.start];
                let step = W::WIDTH.words(CHANNELS);
                W::four(&mut acc, weights.span(at, whole * step), arena.span(from, whole * 4));
                if groups > whole {
                    for (c, acc) in acc.iter_mut().enumerate() {
                        *acc = W::multiply(*acc, weights, at + whole * step, c, last);
                    }
                }
                // Written out, as a compiler that is told to save space would not.
                let [a, b, c, d] = acc;
                arena[to + o] = epilogue.output(&first, a);
                arena[to + o + 1] = epilogue.output(&second, b);
                arena[to + o + 2] = epilogue.output(&third, c);
                arena[to + o + 3] = epilogue.output(&fourth, d);
            } else {
                let count = outputs - o;
                let third = if count > 2 {
                    epilogue.without_own_shifts().pair_of(W::WIDTH, words, o / 2 * 3 + 3, extras)[0]
                } else {
                    Channel::default()
                };
                let channels = [first, second, third];
                let mut acc = channels.map(|channel| channel.start);
                for (c, acc) in acc.iter_mut().enumerate().take(count) {
                    let step = W::WIDTH.words(count);
                    for g in 0..whole {
                        let inputs = W::stage(arena.load(from + g * 4));
                        *acc = W::multiply(*acc, weights, at + g * step, c, inputs);
                    }
                    if groups > whole {
                        *acc = W::multiply(*acc, weights, at + whole * step, c, last);
                    }
                }
                // The first output may lie where an input was.
                for (c, (channel, &acc)) in channels.iter().zip(&acc).enumerate().take(count) {
                    arena[to + o + c] = epilogue.output(channel, acc);
                }
            }
            o += CHANNELS;
        }
    }
}

/// Adds the products of so many inputs with the weights of four channels, whose words begin at `at`, to four accumulators.
#[inline(always)]
pub(super) fn four<B: Bounds>(
    arena: &Arena<'_, i8, B>,
    from: usize,
    inputs: usize,
    weights: Flash<'_, u32, B>,
    at: usize,
    acc: &mut [i32; CHANNELS],
) {
    let whole = inputs / 4;
    Eight::four(acc, weights.span(at, whole * CHANNELS), arena.span(from, whole * 4));
    if inputs > whole * 4 {
        // What fills the last group meets weights of 0.
        let mut last = [0; 4];
        for (i, value) in last.iter_mut().enumerate().take(inputs % 4) {
            *value = arena[from + whole * 4 + i];
        }
        let last = Eight::stage(last);
        for (c, acc) in acc.iter_mut().enumerate() {
            *acc = Eight::multiply(*acc, weights, at + whole * CHANNELS, c, last);
        }
    }
}

/// The inner loop.
trait Inner: Weights {
    /// Adds the products of all inputs, four for each four channels' words, to the accumulators of four channels.
    fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]);
}

#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
impl Inner for Eight {
    #[inline(always)]
    fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]) {
        crate::isa::scalar::four(acc, weights, inputs);
    }
}

#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
impl Inner for Four {
    #[inline(always)]
    fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]) {
        for (words, inputs) in weights.as_chunks::<{ CHANNELS / 2 }>().0.iter().zip(inputs.as_chunks().0) {
            let inputs = Self::stage(*inputs);
            for (acc, &word) in acc.as_chunks_mut::<2>().0.iter_mut().zip(words) {
                *acc = [nibbles::multiply(acc[0], word, 0, inputs), nibbles::multiply(acc[1], word, 1, inputs)];
            }
        }
    }
}

#[cfg(all(target_arch = "arm", feature = "dsp"))]
impl Inner for Eight {
    /// By the instructions that [`lanes`](super::lanes) names: 17 for four inputs.
    #[inline(always)]
    fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]) {
        let groups = inputs.len() / 4;
        debug_assert_eq!(weights.len(), groups * CHANNELS);
        // SAFETY: weights are four words, inputs four bytes for each group; the caller took both slices by these numbers.
        unsafe { armv7em::four(weights.as_ptr(), inputs.as_ptr(), groups, acc) }
    }
}

#[cfg(all(target_arch = "arm", feature = "dsp"))]
impl Inner for Four {
    /// By the instructions that [`nibbles`](super::nibbles) names: 20 for four inputs.
    #[inline(always)]
    fn four(acc: &mut [i32; CHANNELS], weights: &[u32], inputs: &[i8]) {
        let groups = inputs.len() / 4;
        debug_assert_eq!(weights.len(), groups * CHANNELS / 2);
        // SAFETY: weights are two words, inputs four bytes for each group; the caller took both slices by these numbers.
        unsafe { armv7em::four_i4(weights.as_ptr(), inputs.as_ptr(), groups, acc) }
    }
}
