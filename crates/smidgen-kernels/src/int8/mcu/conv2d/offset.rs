//! CONV_2D with weights that have zero points.
//!
//! The products of a window's inputs with weights less their zero point `z` are those with the weights as they are
//! stored, less `z` times the sum `s` of the inputs, each less its own zero point. That sum is one for all channels:
//! it is found once for each pixel, from what was staged, and staged behind it as if it were inputs, which meet the
//! zero points as if those were weights. The blocks need not know.
//!
//! In the [lanes](super::super::lanes) of such a group of four, inputs are staged as `a = (p, q)`, `b = 0`, and a
//! channel's word of weights is `(256 z, 256 z)`: what they add is `256 z (p + q)`. All `p` and `q` of a pixel
//! together are `-s`, none beyond [`MOST`]. So each channel may have a zero point of its own.

use super::super::lanes::{ODD, join};
use super::super::variants::EpilogueVariants;
use super::super::weights::{Eight, Width};
use super::{Conv2d, Layer, Layout, channel_parameters, pack, run};
use crate::geometry::Window2d;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, Views};

/// The greatest part of a sum.
const MOST: i32 = i16::MAX as i32;

/// Groups of four that hold the sum of a window, two parts each: an input less its zero point is at most 255.
pub(super) const fn sums(window: &Window2d) -> usize {
    (window.patch() * 255).div_ceil(2 * MOST as usize)
}

/// The word of weights that a channel with this zero point meets sums with.
pub(super) fn word(zero: i8) -> u32 {
    join(i32::from(zero) << 8, i32::from(zero) << 8)
}

/// Groups of four inputs and weights, those of sums among them.
pub const fn conv2d_offset_quads(window: &Window2d) -> usize {
    let layout = Layout::with_sums(window);
    layout.quads + layout.sums
}

/// Words of the constant of a layer with so many [extras](super::Epilogue::extras).
pub const fn conv2d_offset_words(window: &Window2d, extras: u16) -> usize {
    window.output[2].div_ceil(2) * Layout::with_sums(window).pair_words(Width::Eight) + extras as usize
}

/// Bytes of scratch.
pub const fn conv2d_offset_scratch(window: &Window2d) -> usize {
    Layout::with_sums(window).scratch(window)
}

/// Packs the constant as [`conv2d_pack`](super::conv2d_pack) does, with a zero point for the weights of each channel.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn conv2d_offset_pack(window: &Window2d, weights: &[i8], zeros: &[i8], words: &[u32], to: &mut [u32]) -> bool {
    pack(&Layout::with_sums(window), window, Width::Eight, [weights, zeros], words, to)
}

/// The [words of the finish](super::super::epilogue::words) that are in a constant.
pub fn conv2d_offset_channel_parameters<'a>(
    window: &Window2d,
    packed: &'a [u32],
) -> impl Iterator<Item = u32> + use<'a> {
    channel_parameters(Layout::with_sums(window).pair_words(Width::Eight), window, packed)
}

/// `y[r, x, o] = finish(sum over taps and channels of (x - input_zero) * (w - zero[o]))`, with what
/// [`conv2d_offset_pack`] packs; all else as of [`conv2d`](super::conv2d()).
pub fn conv2d_offset<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    layer: &Conv2d,
    variants: EpilogueVariants,
    packed: Flash<'_, u32, B>,
) {
    run::<Eight, true, B>(arena, views, region, scratch, layer, variants, packed);
}

impl Layer<'_> {
    /// Stages the sums of so many pixels behind their inputs.
    #[inline(never)]
    pub(super) fn stage_sums<B: Bounds>(&self, staged: &mut Around<'_, u32, B>, pixels: usize) {
        let (patch, step) = (self.window.patch(), 2 * pixels);
        let zeros = (patch as i32).wrapping_mul(self.input_zero.into());
        for p in 0..pixels {
            let mut left = zeros.wrapping_sub(sum(staged, 2 * p, step, patch));
            let mut at = 2 * p + step * self.layout.quads;
            for _ in 0..self.layout.sums {
                let first = left.clamp(-MOST, MOST);
                left = left.wrapping_sub(first);
                let second = left.clamp(-MOST, MOST);
                left = left.wrapping_sub(second);
                staged.store(at, [join(first, second), 0]);
                at += step;
            }
        }
    }
}

/// The sum of so many inputs that are staged from word `at` on, a group of four every `step` words.
#[inline(always)]
fn sum<B: Bounds>(staged: &Around<'_, u32, B>, mut at: usize, step: usize, inputs: usize) -> i32 {
    let halves = |word: u32| i32::from(word as i16).wrapping_add((word as i32) >> 16);
    let (mut odd, mut even) = (0i32, 0i32);
    for _ in 0..inputs / 4 {
        odd = odd.wrapping_add(halves(staged[at]));
        even = even.wrapping_add(halves(staged[at + 1]));
        at += step;
    }
    // Even inputs are staged 256 times, less the odd ones beside them, which are staged 127 less.
    let groups = (inputs / 4) as i32;
    let mut sum = (odd.wrapping_add(even) >> 8).wrapping_add(odd).wrapping_add(groups.wrapping_mul(2 * ODD));
    if !inputs.is_multiple_of(4) {
        let (a, b) = (staged[at], staged[at + 1]);
        let (a0, a1) = (i32::from(a as i16), (a as i32) >> 16);
        let (b0, b1) = (i32::from(b as i16), (b as i32) >> 16);
        sum = sum.wrapping_add((a0 + b0) >> 8);
        if inputs % 4 > 1 {
            sum = sum.wrapping_add(a0 + ODD);
        }
        if inputs % 4 > 2 {
            sum = sum.wrapping_add((a1 + b1) >> 8);
        }
    }
    sum
}
