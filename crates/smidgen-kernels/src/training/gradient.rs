//! Gradients with respect to activations.

use super::{bytes_of, i16_at, mask_bytes, saturate, shifted};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;

/// Fraction bits of the factors that bring gradients to a common unit.
pub const FACTOR_BITS: u32 = 14;

/// Input channels that are summed together.
const BLOCK: usize = 8;

/// The gradient of CONV_2D with respect to its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct InputGradient {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// How many input channels have their weights apart, and are zero among the others.
    pub selected: usize,
    /// Bits by which a gradient times its channel's factor is shifted right: enough that no sum of products leaves 32 bits.
    pub narrow: u32,
    /// Bits by which the sum is.
    pub shift: u32,
}

/// The gradient of DEPTHWISE_CONV_2D with respect to its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DepthwiseGradient {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// As in [`InputGradient`].
    pub narrow: u32,
    /// As in [`InputGradient`].
    pub shift: u32,
}

/// The gradient of AVERAGE_POOL_2D, or of a mean over height and width, with respect to its input, times the taps of a whole window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The window.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Bits by which the sum is shifted right.
    pub shift: u32,
}

/// The sum of two gradients in units of their own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Total {
    /// Elements.
    pub elements: usize,
    /// What each counts, at most `2^14`.
    pub factors: [i16; 2],
    /// Bits by which the sum is shifted right.
    pub shift: u32,
}

/// Of a gradient of `[pixels, channels]`, what the clamp left as it was; the rest is 0. `places` are the bytes of the gradient, of the mask and of
/// what is written, which may be the gradient itself.
pub fn mask<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [gradient, mask, output]: [usize; 3],
    [pixels, channels]: [usize; 2],
) {
    for pixel in 0..pixels {
        for channel in 0..channels {
            let byte = mask.wrapping_add(pixel.wrapping_mul(mask_bytes(channels))).wrapping_add(channel / 8);
            let inside = arena[byte].wrapping_shr(channel as u32 % 8) & 1 == 1;
            let at = pixel.wrapping_mul(channels).wrapping_add(channel).wrapping_mul(2);
            let value = if inside { i16_at(&arena, gradient.wrapping_add(at)) } else { 0 };
            arena.store(output.wrapping_add(at), value.to_le_bytes());
        }
    }
}

/// Along an axis, the output index that reads input index `at` through a tap, if there is one.
#[inline(always)]
fn reader(window: &Window2d, axis: usize, at: usize, tap: usize) -> Option<usize> {
    let axis = axis & 1;
    let stride = window.stride[axis].max(1);
    let position = (at + window.before[axis]).checked_sub(tap * window.dilation[axis])?;
    let index = position / stride;
    (index * stride == position && index < window.output[axis]).then_some(index)
}

/// The gradient of CONV_2D with respect to its input: for each input element, the sum over the outputs that read it of
/// gradient, channel's factor and weight.
///
/// `places` are the bytes of the masked gradient `[images, H', W', O]`, of what is written `[images, H, W, C]`, of the weights apart `[O, KH, KW, S]` and of
/// scratch, [`InputGradient::scratch`] bytes. `weights` are `[O, KH, KW, C]`; `factors` has what the gradient of each output channel counts, over `2^15`;
/// `list` names the channels that have their weights apart.
pub fn input_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 4],
    layer: &InputGradient,
    weights: Whole<'_, u8, B>,
    factors: Flash<'_, i16, B>,
    list: Flash<'_, u16, B>,
) {
    let InputGradient { ref window, images, selected, narrow, shift } = *layer;
    let [gradient, output, apart, scratch] = places;
    let ([height, width, in_c], [out_h, out_w, out_c]) = (window.input, window.output);
    let area = window.area();
    let staged = |n: usize| scratch.wrapping_add((area + n * out_c).wrapping_mul(2));
    for row in 0..images.wrapping_mul(height) {
        let (image, y) = crate::geometry::split(row, height);
        for x in 0..width {
            // The gradients that reach this pixel, scaled, and through which tap each does.
            let mut count = 0;
            for ky in 0..window.size[0] {
                let Some(oy) = reader(window, 0, y, ky) else { continue };
                for kx in 0..window.size[1] {
                    let Some(ox) = reader(window, 1, x, kx) else { continue };
                    let from = gradient.wrapping_add((((image * out_h + oy) * out_w + ox) * out_c).wrapping_mul(2));
                    let tap = (ky * window.size[1] + kx) as u16;
                    arena.store(scratch.wrapping_add(count * 2), tap.to_le_bytes());
                    for o in 0..out_c {
                        let scaled = i32::from(i16_at(&arena, from.wrapping_add(o * 2))) * i32::from(factors[o]);
                        let scaled = shifted(scaled, narrow) as i16;
                        arena.store(staged(count).wrapping_add(o * 2), scaled.to_le_bytes());
                    }
                    count += 1;
                }
            }
            let to = output.wrapping_add(((row * width + x) * in_c).wrapping_mul(2));
            let mut channel = 0;
            while channel < in_c {
                let block = BLOCK.min(in_c - channel);
                let mut sums = [0i32; BLOCK];
                for n in 0..count {
                    let tap = u16::from_le_bytes(arena.load(scratch.wrapping_add(n * 2))) as usize;
                    for o in 0..out_c {
                        let g = i32::from(i16_at(&arena, staged(n).wrapping_add(o * 2)));
                        if g != 0 {
                            let w = bytes_of(&weights, &arena, (o * area + tap) * in_c + channel, block);
                            for (sum, &w) in sums.iter_mut().zip(w) {
                                *sum = sum.wrapping_add(g * i32::from(w as i8));
                            }
                        }
                    }
                }
                for (i, &sum) in sums.iter().enumerate().take(block) {
                    let value = saturate(shifted(sum, shift));
                    arena.store(to.wrapping_add((channel + i) * 2), value.to_le_bytes());
                }
                channel += BLOCK;
            }
            for s in 0..selected {
                let mut sum = 0i32;
                for n in 0..count {
                    let tap = u16::from_le_bytes(arena.load(scratch.wrapping_add(n * 2))) as usize;
                    for o in 0..out_c {
                        let w = arena[apart.wrapping_add((o * area + tap) * selected + s)] as i8;
                        let g = i32::from(i16_at(&arena, staged(n).wrapping_add(o * 2)));
                        sum = sum.wrapping_add(g * i32::from(w));
                    }
                }
                let at = to.wrapping_add(usize::from(list[s]) * 2);
                arena.store(at, saturate(shifted(sum, shift)).to_le_bytes());
            }
        }
    }
}

impl InputGradient {
    /// Bytes of scratch, a multiple of 4: the gradients that reach one pixel, and their taps.
    pub const fn scratch(window: &Window2d) -> usize {
        (window.area() * (1 + window.output[2]) * 2).next_multiple_of(4)
    }
}

/// The gradient of DEPTHWISE_CONV_2D with respect to its input. `places` are the bytes of the masked gradient `[images, H', W', O]` and of what is
/// written `[images, H, W, C]`; `weights` are `[KH, KW, O]`, `factors` as in [`input_gradient`].
pub fn depthwise_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [gradient, output]: [usize; 2],
    layer: &DepthwiseGradient,
    weights: Whole<'_, u8, B>,
    factors: Flash<'_, i16, B>,
) {
    let DepthwiseGradient { ref window, images, narrow, shift } = *layer;
    let ([height, width, in_c], [out_h, out_w, out_c]) = (window.input, window.output);
    let multiplier = window.multiplier();
    for row in 0..images.wrapping_mul(height) {
        let (image, y) = crate::geometry::split(row, height);
        for x in 0..width {
            for channel in 0..in_c {
                let mut sum = 0i32;
                for ky in 0..window.size[0] {
                    let Some(oy) = reader(window, 0, y, ky) else { continue };
                    for kx in 0..window.size[1] {
                        let Some(ox) = reader(window, 1, x, kx) else { continue };
                        let from = ((image * out_h + oy) * out_w + ox) * out_c;
                        for o in channel * multiplier..(channel + 1) * multiplier {
                            let g = i32::from(i16_at(&arena, gradient.wrapping_add((from + o).wrapping_mul(2))));
                            let scaled = shifted(g * i32::from(factors[o]), narrow);
                            let tap = (ky * window.size[1] + kx) * out_c + o;
                            let w = bytes_of(&weights, &arena, tap, 1);
                            let w = w.first().map_or(0, |&w| i32::from(w as i8));
                            sum = sum.wrapping_add(scaled * w);
                        }
                    }
                }
                let at = output.wrapping_add(((row * width + x) * in_c + channel).wrapping_mul(2));
                arena.store(at, saturate(shifted(sum, shift)).to_le_bytes());
            }
        }
    }
}

/// The gradient of an average with respect to its input, times the taps of a whole window. `places` are the bytes of the gradient and of what
/// is written.
pub fn spread<B: Bounds>(mut arena: Arena<'_, u8, B>, [gradient, output]: [usize; 2], layer: &Spread) {
    let Spread { ref window, images, shift } = *layer;
    let ([height, width, channels], [out_h, out_w, _]) = (window.input, window.output);
    for row in 0..images.wrapping_mul(height) {
        let (image, y) = crate::geometry::split(row, height);
        for x in 0..width {
            for channel in 0..channels {
                let mut sum = 0i32;
                for ky in 0..window.size[0] {
                    let Some(oy) = reader(window, 0, y, ky) else { continue };
                    let rows = window.taps(0, oy).0.len();
                    for kx in 0..window.size[1] {
                        let Some(ox) = reader(window, 1, x, kx) else { continue };
                        let taps = rows * window.taps(1, ox).0.len();
                        let from = ((image * out_h + oy) * out_w + ox) * channels + channel;
                        let g = i32::from(i16_at(&arena, gradient.wrapping_add(from.wrapping_mul(2))));
                        let area = window.area();
                        // A window that hangs over the edge averages fewer elements.
                        let part = if taps == area { g } else { (g * area as i32).wrapping_div(taps.max(1) as i32) };
                        sum = sum.wrapping_add(part);
                    }
                }
                let at = output.wrapping_add(((row * width + x) * channels + channel).wrapping_mul(2));
                arena.store(at, saturate(shifted(sum, shift)).to_le_bytes());
            }
        }
    }
}

/// The sum of two gradients. `places` are the bytes of both and of what is written, which may be one of them.
pub fn total<B: Bounds>(mut arena: Arena<'_, u8, B>, [a, b, output]: [usize; 3], layer: &Total) {
    for i in 0..layer.elements {
        let term = |base: usize, factor: i16| i32::from(i16_at(&arena, base.wrapping_add(i * 2))) * i32::from(factor);
        let sum = term(a, layer.factors[0]).wrapping_add(term(b, layer.factors[1]));
        arena.store(output.wrapping_add(i * 2), saturate(shifted(sum, layer.shift)).to_le_bytes());
    }
}
