//! Layers on float32 activations with int8 weights: TensorFlow Lite's dynamic-range quantisation.
//!
//! The input is quantised to eight bits on the way in, each image with a scale of its own (and a zero point of its own, where
//! [`DynamicRange::Asymmetric`]). What is summed are integers. So every output needs the whole image, and the result is as far from that of a
//! float layer as eight bits are. FULLY_CONNECTED is a [`conv2d_hybrid`] of images of one pixel.
//!
//! Sources: `AsymmetricQuantizeFloats` and `SymmetricQuantizeFloats` of TensorFlow Lite say how an image is quantised.

use super::Clamp;
use crate::geometry::Window2d;
use crate::isa::Isa;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, View, Views};
use core::ops::Range;

/// How an image is quantised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DynamicRange {
    /// From -127 to 127 in steps of `max |x| / 127`.
    Symmetric,
    /// From -128 to 127 in steps of `(max - min) / 255`, 0 among both; 0 is met exactly.
    Asymmetric,
}

/// The ranges as parameters of functions: each has code of its own, and the symmetric one needs no double precision.
const SYMMETRIC: bool = false;
const ASYMMETRIC: bool = true;

/// A layer with weights of int8 without its constants.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hybrid {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
    /// Multiply the scales of image and weights first, not the sum with that of the weights: the last bit depends on it.
    pub joint: bool,
    /// Where the scratch begins in the arena, in elements of float32.
    pub scratch: usize,
}

impl Hybrid {
    #[inline(always)]
    fn finish(&self, sum: i32, image: f32, [weights, bias]: [f32; 2]) -> f32 {
        let sum = sum as f32;
        let real = if self.joint { sum * (image * weights) } else { sum * weights * image };
        self.clamp.apply(real + bias)
    }
}

/// Bytes of scratch of [`conv2d_hybrid`]: what a window covers, in 16 bits.
pub const fn conv2d_hybrid_scratch(window: &Window2d) -> usize {
    window.patch() * 2
}

/// Bytes of scratch of [`depthwise_hybrid`]: the accumulators of a pixel, in 32 bits.
pub const fn depthwise_hybrid_scratch(window: &Window2d) -> usize {
    window.output[2] * 4
}

/// `y[r, x, o] = clamp(bias[o] + scale of the image * scales[o] * sum over taps and channels of q(x) * w)`, the image
/// quantised [symmetrically](DynamicRange::Symmetric).
///
/// `weights` are `[O, KH, KW, C]`, `channels` what a weight of 1 stands for in each output channel, then the biases.
/// Order: one pixel at a time once the window is read; the whole image is read before its first pixel is written.
pub fn conv2d_hybrid<B: Bounds>(
    isa: Isa,
    arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    layer: &Hybrid,
    weights: Flash<'_, i8, B>,
    channels: Flash<'_, f32, B>,
) {
    conv2d::<SYMMETRIC, B>(isa, arena, views, region, layer, weights, channels);
}

/// The same with the image quantised [asymmetrically](DynamicRange::Asymmetric): of `q(x)` less what 0 becomes.
pub fn conv2d_hybrid_asymmetric<B: Bounds>(
    isa: Isa,
    arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    layer: &Hybrid,
    weights: Flash<'_, i8, B>,
    channels: Flash<'_, f32, B>,
) {
    conv2d::<ASYMMETRIC, B>(isa, arena, views, region, layer, weights, channels);
}

#[inline(always)]
fn conv2d<const ASYMMETRIC: bool, B: Bounds>(
    isa: Isa,
    arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    layer: &Hybrid,
    weights: Flash<'_, i8, B>,
    channels: Flash<'_, f32, B>,
) {
    let Views { input, output } = *views;
    let Hybrid { ref window, scratch, .. } = *layer;
    let (patch, depth) = (window.patch(), window.input[2]);
    let (mut rest, mut patches) = arena.carve::<i16>(scratch, patch);
    // What lies outside the image is the quantised 0.
    patches.span_mut(0, patch).fill(0);
    let mut images = Images::<ASYMMETRIC>::NONE;
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let steps = images.of(&rest, input, image, window.input);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            let is_inside = taps_y.len() == window.size[0] && taps_x.len() == window.size[1];
            if !is_inside {
                patches.span_mut(0, patch).fill(0);
            }
            for (i, ky) in taps_y.clone().enumerate() {
                for (j, kx) in taps_x.clone().enumerate() {
                    let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                    let to = patches.span_mut((ky * window.size[1] + kx) * depth, depth);
                    for (to, &v) in to.iter_mut().zip(rest.span(from, depth)) {
                        *to = steps.of(v) as i16;
                    }
                }
            }
            let to = output.at(row, x);
            for o in 0..window.output[2] {
                let sum = isa.dot_i16_i8(patches.span(0, patch), weights.span(o * patch, patch));
                rest[to + o] = layer.finish(sum, steps.scale, [channels[o], channels[window.output[2] + o]]);
            }
        }
    }
}

/// The same as [`conv2d_hybrid_asymmetric`] with a channel of input for each channel of output, or for each few of them: `weights` are
/// `[KH, KW, O]`.
pub fn depthwise_hybrid<B: Bounds>(
    arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    layer: &Hybrid,
    weights: Flash<'_, i8, B>,
    channels: Flash<'_, f32, B>,
) {
    let Views { input, output } = *views;
    let Hybrid { ref window, scratch, .. } = *layer;
    let (depth, outputs) = (window.input[2], window.output[2]);
    let Some(multiplier) = outputs.checked_div(depth).filter(|&multiplier| multiplier > 0) else { return };
    let (mut rest, mut sums) = arena.carve::<i32>(scratch, outputs);
    let mut images = Images::<ASYMMETRIC>::NONE;
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let steps = images.of(&rest, input, image, window.input);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            let sums = sums.span_mut(0, outputs);
            sums.fill(0);
            for (i, ky) in taps_y.clone().enumerate() {
                for (j, kx) in taps_x.clone().enumerate() {
                    let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                    let weights = weights.span((ky * window.size[1] + kx) * outputs, outputs);
                    let groups = sums.chunks_exact_mut(multiplier).zip(weights.chunks_exact(multiplier));
                    for ((sums, weights), &v) in groups.zip(rest.span(from, depth)) {
                        let v = steps.of(v);
                        for (sum, &weight) in sums.iter_mut().zip(weights) {
                            *sum = sum.wrapping_add(v * i32::from(weight));
                        }
                    }
                }
            }
            let to = output.at(row, x);
            for (o, &sum) in sums.iter().enumerate() {
                rest[to + o] = layer.finish(sum, steps.scale, [channels[o], channels[window.output[2] + o]]);
            }
        }
    }
}

/// The steps of the image at hand: found once for all of its rows.
struct Images<const ASYMMETRIC: bool> {
    /// The first row of the image that `steps` are of.
    image: Option<usize>,
    steps: Steps,
}

impl<const ASYMMETRIC: bool> Images<ASYMMETRIC> {
    const NONE: Self = Self { image: None, steps: Steps::NONE };

    /// The steps of the image whose first row is `image`.
    fn of<B: Bounds>(&mut self, arena: &Around<'_, f32, B>, input: View, image: usize, size: [usize; 3]) -> Steps {
        if self.image != Some(image) {
            self.image = Some(image);
            let ends = extremes(arena, input, image..image + size[0], [size[1], size[2]]);
            self.steps = Steps::between::<ASYMMETRIC>(ends);
        }
        self.steps
    }
}

/// The least and the greatest of the values in these rows, and 0.
fn extremes<B: Bounds>(arena: &Around<'_, f32, B>, input: View, rows: Range<usize>, [w, c]: [usize; 2]) -> (f32, f32) {
    let mut ends = (0f32, 0f32);
    for row in rows {
        for x in 0..w {
            ends = widened(ends, arena.span(input.at(row, x), c));
        }
    }
    ends
}

/// The least and the greatest of these values, and of two.
#[inline(always)]
fn widened((mut min, mut max): (f32, f32), values: &[f32]) -> (f32, f32) {
    for &v in values {
        min = if v < min { v } else { min };
        max = if v > max { v } else { max };
    }
    (min, max)
}

/// How the values of an image become integers.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// Of one step.
    pub scale: f32,
    /// Steps to a value of 1.
    inverse: f32,
    /// The least integer, less that of 0.
    least: i32,
    /// The greatest.
    most: i32,
}

impl Steps {
    /// Of an image of zeros.
    const NONE: Self = Self { scale: 1.0, inverse: 0.0, least: -127, most: 127 };

    /// Of these values.
    #[inline]
    pub fn of_values<const ASYMMETRIC: bool>(values: &[f32]) -> Self {
        Self::between::<ASYMMETRIC>(widened((0.0, 0.0), values))
    }

    /// Of values between these, of which the first is at most and the second at least 0.
    #[inline(always)]
    fn between<const ASYMMETRIC: bool>((min, max): (f32, f32)) -> Self {
        if ASYMMETRIC { Self::asymmetric(min, max) } else { Self::symmetric(max.max(-min)) }
    }

    /// Of values of at most this magnitude.
    fn symmetric(most: f32) -> Self {
        if most == 0.0 {
            return Self::NONE;
        }
        Self { scale: most / 127.0, inverse: 127.0 / most, ..Self::NONE }
    }

    /// Of values between these, of which the first is at most and the second at least 0. What 0 becomes is found in double precision, as
    /// the reference does: a last bit can move it by one.
    fn asymmetric(min: f32, max: f32) -> Self {
        const LEAST: i32 = -128;
        const MOST: i32 = 127;
        if min == max {
            return Self::NONE;
        }
        let (least, most) = (f64::from(LEAST), f64::from(MOST));
        let step = f64::from(max - min) / (most - least);
        let scale = step as f32;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let [below, above] = [min, max].map(|end| f64::from(end) / step);
        // From the end where less is lost.
        let zero = if below.abs() - least < most + above.abs() { least - below } else { most - above };
        let zero = libm::round(zero.clamp(least, most)) as i32;
        Self { scale, inverse, least: LEAST - zero, most: MOST - zero }
    }

    /// The integer of a value, less that of 0. (`clamp` would panic where its bounds are the wrong way round.)
    #[inline(always)]
    pub fn of(&self, v: f32) -> i32 {
        round(v * self.inverse).max(self.least).min(self.most)
    }
}

/// The nearest integer, halves away from zero. The greatest float below a half is added, since a half would lift the float
/// below it to 1; the conversion cuts.
#[inline(always)]
fn round(v: f32) -> i32 {
    const HALF: f32 = 0.5 - f32::EPSILON / 4.0;
    (v + HALF.copysign(v)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn halves_go_away_from_zero(bits: u32, whole in -(1i32 << 20)..1 << 20, part in -2i32..=2) {
            let near = f32::from_bits((whole as f32 + 0.5).to_bits().wrapping_add_signed(part));
            for v in [f32::from_bits(bits), near] {
                if v.abs() < 4_194_304.0 {
                    prop_assert_eq!(round(v), v.round() as i32, "{}", v);
                }
            }
        }

        #[test]
        fn integers_are_within_a_step(a in -1e3f32..1e3, b in -1e3f32..1e3, part in 0f32..1.0) {
            let (min, max) = (a.min(b).min(0.0), a.max(b).max(0.0));
            let v = min + part * (max - min);
            for steps in [Steps::symmetric(max.max(-min)), Steps::asymmetric(min, max)] {
                prop_assert_eq!(steps.of(0.0), 0);
                let back = steps.of(v) as f32 * steps.scale;
                prop_assert!((back - v).abs() <= steps.scale * 1.01, "{} is {}", v, back);
            }
        }
    }
}
