//! Steps of stochastic gradient descent on int8 weights and int32 biases, applied as soon as the gradient of a weight is known.
//!
//! The step of a weight is `rate * factor * gradient`; the factor of an output channel has the unit of the gradients, the scale of the
//! layer and, with quantisation-aware scaling, `1 / scale^2` in it. What is stored are integers, and most steps are smaller than one half:
//! they are rounded up as often as their size says ([`Noise::Stochastic`]), or to the nearest ([`Noise::Nearest`]).

use super::{RATE_BITS, i16_at, i32_at};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};

/// How a step is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noise {
    /// To the nearest integer, ties upwards.
    Nearest,
    /// Up or down, by chance, such that the mean is exact.
    Stochastic,
}

/// What the steps of a tensor have in common.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// Bits by which a sum of products is shifted right so that it has 32 bits.
    pub narrow: u32,
    /// How it is rounded.
    pub noise: Noise,
    /// Tells the random numbers of one tensor from those of another.
    pub salt: u32,
}

/// The update of the weights of CONV_2D.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WeightStep {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Channels of the input that is read: all, or those that were selected.
    pub channels: usize,
    /// Zero point of the input.
    pub zero: i32,
    /// Rounding.
    pub step: Step,
}

/// The update of the weights of DEPTHWISE_CONV_2D.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DepthwiseStep {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Zero point of the input.
    pub zero: i32,
    /// Rounding.
    pub step: Step,
}

/// The update of biases.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BiasStep {
    /// Pixels of the gradient.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Rounding.
    pub step: Step,
}

/// What every update reads beside its tensors: the bytes of the learning rate, of the gradients' exponent and of the seed.
pub type Common = [usize; 3];

/// The step of an output channel for a sum of 1: `mantissa * 2^-shift`.
#[derive(Clone, Copy, Debug)]
struct Scale {
    mantissa: i32,
    shift: i32,
}

impl Scale {
    /// The product of learning rate, channel's factor and what the gradients' exponent says.
    #[inline]
    fn new<B: Bounds>(
        arena: &Arena<'_, u8, B>,
        [rate, exponent, _]: Common,
        factors: Flash<'_, i32, B>,
        o: usize,
    ) -> Self {
        let (mantissa, shift) = (factors[o.wrapping_mul(2)], factors[o.wrapping_mul(2).wrapping_add(1)]);
        let rate = i64::from(i32_at(arena, rate).max(0));
        let product = rate.wrapping_mul(i64::from(mantissa));
        // Down to 31 bits.
        let spare = 33u32.saturating_sub(product.leading_zeros());
        let shift = shift.wrapping_add(RATE_BITS as i32).wrapping_sub(i32_at(arena, exponent));
        Self { mantissa: product.wrapping_shr(spare) as i32, shift: shift.wrapping_sub(spare as i32) }
    }

    /// The step for a sum.
    #[inline(always)]
    fn step(self, sum: i32, noise: Noise, random: impl FnOnce() -> u32) -> i32 {
        if sum == 0 || self.mantissa == 0 {
            return 0;
        }
        let product = i64::from(sum).wrapping_mul(i64::from(self.mantissa));
        if self.shift <= 0 {
            let left = self.shift.wrapping_neg();
            let limit = i64::from(i32::MAX);
            return if left > 30 || product.unsigned_abs() > (limit as u64).wrapping_shr(left as u32) {
                if product > 0 { i32::MAX } else { -i32::MAX }
            } else {
                product.wrapping_shl(left as u32) as i32
            };
        }
        // Beyond 62 bits a product is less than a quarter of a step: what is left of it counts in units of 2^-62.
        let (product, shift) = match self.shift {
            0..=62 => (product, self.shift as u32),
            more => (product >> more.wrapping_sub(62).min(63), 62),
        };
        let chance = match noise {
            Noise::Nearest => 1i64.wrapping_shl(shift.wrapping_sub(1)),
            Noise::Stochastic => match shift {
                0..=32 => i64::from(random().wrapping_shr(32u32.wrapping_sub(shift).min(31))),
                _ => i64::from(random()).wrapping_shl(shift.wrapping_sub(32)),
            },
        };
        let step = product.wrapping_add(chance) >> shift;
        step.clamp(-i64::from(i32::MAX), i64::from(i32::MAX)) as i32
    }
}

/// A number that any two of seed, salt and index change as if by chance: rounds of multiplying and folding, with the constants that
/// Wellons' search for hash functions of 32 bits ("Hash Prospector") found to be among the best.
#[inline(always)]
fn random(seed: u32, salt: u32, index: usize) -> u32 {
    let mut x = seed ^ salt ^ (index as u32).wrapping_mul(0x9e37_79b9);
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The seed of the step after this one: a step of a generator that comes to every number once (Marsaglia's xorshift leaves out 0). `places` are the
/// bytes of both.
pub fn next_seed<B: Bounds>(mut arena: Arena<'_, u8, B>, [seed, next]: [usize; 2]) {
    let x = (i32_at(&arena, seed) as u32).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    arena.store(next, x.to_le_bytes());
}

/// A weight less its step, in -127 to 127: never more than that, as TensorFlow Lite's weights.
#[inline(always)]
fn moved<B: Bounds>(arena: &mut Arena<'_, u8, B>, at: usize, step: i32) {
    if step != 0 {
        let weight = i32::from(arena[at] as i8);
        let next = weight.saturating_sub(step);
        // A weight of -128, which some quantisers give, is left where it is.
        let least = if weight < -127 { weight } else { -127 };
        let next = if next < least { least } else { next };
        arena[at] = (if next > 127 { 127 } else { next }) as i8 as u8;
    }
}

/// Updates the weights of CONV_2D, `[O, KH, KW, C]`. `places` are the bytes of the saved input `[images, H, W, C]`, of the masked gradient
/// `[images, H', W', O]` and of the weights; `factors` has the mantissa and the shift of each output channel.
pub fn update_weights<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [input, gradient, weights]: [usize; 3],
    common: Common,
    layer: &WeightStep,
    factors: Flash<'_, i32, B>,
) {
    const BLOCK: usize = 4;
    let WeightStep { ref window, images, channels, zero, step } = *layer;
    let ([height, width, _], [out_h, out_w, out_c]) = (window.input, window.output);
    let seed = i32_at(&arena, common[2]) as u32;
    for o in 0..out_c {
        let scale = Scale::new(&arena, common, factors, o);
        for tap in 0..window.area() {
            let (ky, kx) = (tap / window.size[1].max(1), tap % window.size[1].max(1));
            let mut channel = 0;
            while channel < channels {
                let block = BLOCK.min(channels - channel);
                let mut sums = [0i64; BLOCK];
                for row in 0..images.wrapping_mul(out_h) {
                    let (image, oy) = crate::geometry::split(row, out_h);
                    let y = (oy * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
                    if y >= height {
                        continue;
                    }
                    let line = input.wrapping_add(((image * height + y) * width).wrapping_mul(channels));
                    let mut part = [0i32; BLOCK];
                    for ox in 0..out_w {
                        let x = (ox * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
                        if x >= width {
                            continue;
                        }
                        let g = gradient.wrapping_add(((row * out_w + ox) * out_c + o).wrapping_mul(2));
                        let g = i32::from(i16_at(&arena, g));
                        if g != 0 {
                            let x = arena.span(line.wrapping_add(x * channels).wrapping_add(channel), block);
                            for (sum, &x) in part.iter_mut().zip(x) {
                                *sum = sum.wrapping_add(g * i32::from(x as i8).wrapping_sub(zero));
                            }
                        }
                        // 128 products of 8 and 16 bits fit a sum of 32.
                        if ox % 128 == 127 {
                            fold(&mut sums, &mut part);
                        }
                    }
                    fold(&mut sums, &mut part);
                }
                for (i, &sum) in sums.iter().enumerate().take(block) {
                    let at = (o * window.area() + tap) * channels + channel + i;
                    let sum = sum.wrapping_shr(step.narrow) as i32;
                    let change = scale.step(sum, step.noise, || random(seed, step.salt, at));
                    moved(&mut arena, weights.wrapping_add(at), change);
                }
                channel += BLOCK;
            }
        }
    }
}

/// Adds what a row came to.
#[inline(always)]
fn fold<const N: usize>(sums: &mut [i64; N], part: &mut [i32; N]) {
    for (sum, part) in sums.iter_mut().zip(part) {
        *sum = sum.wrapping_add(i64::from(core::mem::take(part)));
    }
}

/// Updates the weights of DEPTHWISE_CONV_2D, `[KH, KW, O]`. The operands are those of [`update_weights`].
pub fn update_depthwise<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [input, gradient, weights]: [usize; 3],
    common: Common,
    layer: &DepthwiseStep,
    factors: Flash<'_, i32, B>,
) {
    let DepthwiseStep { ref window, images, zero, step } = *layer;
    let ([height, width, in_c], [out_h, out_w, out_c]) = (window.input, window.output);
    let seed = i32_at(&arena, common[2]) as u32;
    for o in 0..out_c {
        let scale = Scale::new(&arena, common, factors, o);
        let channel = o / window.multiplier().max(1);
        for tap in 0..window.area() {
            let (ky, kx) = (tap / window.size[1].max(1), tap % window.size[1].max(1));
            let mut sum = 0i64;
            for row in 0..images.wrapping_mul(out_h) {
                let (image, oy) = crate::geometry::split(row, out_h);
                let y = (oy * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
                if y >= height {
                    continue;
                }
                for ox in 0..out_w {
                    let x = (ox * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
                    if x >= width {
                        continue;
                    }
                    let g = i16_at(&arena, gradient.wrapping_add(((row * out_w + ox) * out_c + o).wrapping_mul(2)));
                    let x = arena[input.wrapping_add(((image * height + y) * width + x) * in_c + channel)] as i8;
                    sum = sum.wrapping_add(i64::from(i32::from(g) * i32::from(x).wrapping_sub(zero)));
                }
            }
            let at = tap * out_c + o;
            let sum = sum.wrapping_shr(step.narrow) as i32;
            let change = scale.step(sum, step.noise, || random(seed, step.salt, at));
            moved(&mut arena, weights.wrapping_add(at), change);
        }
    }
}

/// Updates biases. `places` are the bytes of the masked gradient `[pixels, channels]` and of the biases; `factors` as in [`update_weights`].
pub fn update_bias<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [gradient, bias]: [usize; 2],
    common: Common,
    layer: &BiasStep,
    factors: Flash<'_, i32, B>,
) {
    let BiasStep { pixels, channels, step } = *layer;
    let seed = i32_at(&arena, common[2]) as u32;
    for o in 0..channels {
        let mut sum = 0i64;
        for pixel in 0..pixels {
            let at = gradient.wrapping_add((pixel * channels + o).wrapping_mul(2));
            sum = sum.wrapping_add(i64::from(i16_at(&arena, at)));
        }
        let sum = sum.wrapping_shr(step.narrow) as i32;
        let change = Scale::new(&arena, common, factors, o).step(sum, step.noise, || random(seed, step.salt, o));
        let at = bias.wrapping_add(o.wrapping_mul(4));
        let next = i32_at(&arena, at).saturating_sub(change);
        arena.store(at, next.to_le_bytes());
    }
}
