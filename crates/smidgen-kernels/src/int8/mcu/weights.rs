//! How weights lie in the constants of device kernels.

use super::{lanes, nibbles};
use crate::memory::{Bounds, Flash};

/// How many bits a weight takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Width {
    /// As in [`lanes`].
    Eight,
    /// As in [`nibbles`].
    Four,
}

impl Width {
    /// Accumulators are 2 to the power of this times what they stand for: what staging and extraction give for nothing.
    pub const fn scale_bits(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Four => 12,
        }
    }

    /// Accumulators are this many times what they stand for.
    pub const fn scale(self) -> i32 {
        1 << self.scale_bits()
    }

    /// Words of the weights of so many channels that meet the same four inputs.
    pub const fn words(self, channels: usize) -> usize {
        match self {
            Self::Eight => channels,
            Self::Four => channels.div_ceil(2),
        }
    }

    /// What accumulators start with, given what they would with plain products: `bias`, to which the input's zero point has been
    /// [folded](crate::int8::fast::fold_bias). `weights` are the channel's, in the order of the words.
    pub fn start(self, bias: i32, weights: impl Iterator<Item = i8>) -> i32 {
        match self {
            Self::Eight => lanes::start(bias, weights),
            Self::Four => bias,
        }
    }

    /// Packs the weights of so many channels that meet the same four inputs into as many [words](Self::words). False if one does not fit.
    ///
    /// # Panics
    /// If there are more or fewer words.
    pub(super) fn pack(self, channels: usize, weight: impl Fn(usize, usize) -> i8, to: &mut [u32]) -> bool {
        assert_eq!(to.len(), self.words(channels));
        let of = |channel: usize| core::array::from_fn(|i| if channel < channels { weight(channel, i) } else { 0 });
        to.iter_mut().enumerate().all(|(i, to)| {
            let word = match self {
                Self::Eight => lanes::pack(of(i)),
                Self::Four => nibbles::pack([of(2 * i), of(2 * i + 1)]),
            };
            *to = word.unwrap_or(0);
            word.is_some()
        })
    }
}

/// A [`Width`] as a type, so that a kernel is compiled for each.
pub(super) trait Weights {
    const WIDTH: Width;

    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    type Form: crate::isa::dsp::conv::Form;

    /// Stages four inputs.
    fn stage(inputs: [i8; 4]) -> [u32; 2];

    /// `acc` and the products of four staged inputs with the weights of a channel; `at` is the first of the words for all channels
    /// that meet them.
    fn multiply<B: Bounds>(acc: i32, words: Flash<'_, u32, B>, at: usize, channel: usize, inputs: [u32; 2]) -> i32;

    /// Stages a run, four inputs at a time, the words of each four `pixels` times two words behind those of the four before.
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    #[inline(always)]
    fn stage_run(inputs: &[i8], staged: &mut [u32], pixels: usize) {
        for (&inputs, staged) in inputs.as_chunks().0.iter().zip(staged.chunks_mut(2 * pixels)) {
            if let Some(two) = staged.first_chunk_mut() {
                *two = Self::stage(inputs);
            }
        }
    }

    /// For each of some pixels, at most three, the accumulators of two channels, begun with `start`: `words` are the words of both for each
    /// group of four taps, `staged` what each group meets of all pixels.
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    fn pair<const PIXELS: usize>(start: [i32; 2], words: &[u32], staged: &[u32]) -> [[i32; 2]; PIXELS];

    /// What staged inputs `a, a, b, b` are multiplied by for the first two of the channels; `words` are those that meet them.
    #[cfg(target_arch = "x86_64")]
    fn factors(words: &[u32]) -> core::arch::x86_64::__m128i;
}

/// [`Width::Eight`].
pub(super) struct Eight;

impl Weights for Eight {
    const WIDTH: Width = Width::Eight;

    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    type Form = crate::isa::dsp::conv::Eight;

    #[inline(always)]
    fn stage(inputs: [i8; 4]) -> [u32; 2] {
        lanes::stage(inputs)
    }

    #[inline(always)]
    fn multiply<B: Bounds>(acc: i32, words: Flash<'_, u32, B>, at: usize, channel: usize, inputs: [u32; 2]) -> i32 {
        lanes::multiply(acc, words[at + channel], inputs)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn pair<const PIXELS: usize>(start: [i32; 2], words: &[u32], staged: &[u32]) -> [[i32; 2]; PIXELS] {
        super::x86_64::pair::<Self, PIXELS>(start, words, staged)
    }

    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
    #[inline(always)]
    fn stage_run(inputs: &[i8], staged: &mut [u32], pixels: usize) {
        let groups = inputs.len() / 4;
        debug_assert!(groups == 0 || staged.len() >= 2 * (pixels * (groups - 1) + 1));
        // SAFETY: as many inputs, and words for them.
        unsafe { crate::isa::scalar::stage(inputs.as_ptr(), groups, staged.as_mut_ptr().cast(), 4 * pixels) }
    }

    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
    #[inline(always)]
    fn pair<const PIXELS: usize>(start: [i32; 2], words: &[u32], staged: &[u32]) -> [[i32; 2]; PIXELS] {
        crate::isa::scalar::pair(start, words, staged)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn factors(words: &[u32]) -> core::arch::x86_64::__m128i {
        super::x86_64::of_lanes(words)
    }
}

/// [`Width::Four`].
pub(super) struct Four;

impl Weights for Four {
    const WIDTH: Width = Width::Four;

    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    type Form = crate::isa::dsp::conv::Four;

    #[inline(always)]
    fn stage(inputs: [i8; 4]) -> [u32; 2] {
        nibbles::stage(inputs)
    }

    #[inline(always)]
    fn multiply<B: Bounds>(acc: i32, words: Flash<'_, u32, B>, at: usize, channel: usize, inputs: [u32; 2]) -> i32 {
        nibbles::multiply(acc, words[at + channel / 2], channel % 2, inputs)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn pair<const PIXELS: usize>(start: [i32; 2], words: &[u32], staged: &[u32]) -> [[i32; 2]; PIXELS] {
        super::x86_64::pair::<Self, PIXELS>(start, words, staged)
    }

    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
    #[inline(always)]
    fn pair<const PIXELS: usize>(start: [i32; 2], words: &[u32], staged: &[u32]) -> [[i32; 2]; PIXELS] {
        crate::isa::scalar::pair_of_nibbles(start, words, staged)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn factors(words: &[u32]) -> core::arch::x86_64::__m128i {
        super::x86_64::of_nibbles(words)
    }
}
