//! The forward pass of layers whose weights or biases change, or through which gradients pass: the bytes of the reference kernels, and of
//! each output one bit that says whether it was left as it was by the clamp.

use super::{bytes_of, mask_bytes, word_of};
use crate::geometry::Window2d;
use crate::int8::Int8;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;
use crate::reference::Sum;
use crate::requant::Factor;

/// CONV_2D without its weights.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conv2d {
    /// The window.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
    /// How many input channels have their weights apart, and are zero among the others.
    pub selected: usize,
}

/// DEPTHWISE_CONV_2D without its weights.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Depthwise {
    /// The window.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

/// Some channels of a tensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Select {
    /// Pixels.
    pub pixels: usize,
    /// Channels of the tensor.
    pub channels: usize,
    /// How many are taken.
    pub selected: usize,
}

/// The stored output for the sum of a channel, and whether the clamp leaves it as it is. `scales` has the
/// [multiplier and the shift](Factor) of every channel.
#[inline(always)]
fn finish<B: Bounds>(scales: Flash<'_, i32, B>, channel: usize, sum: i32, quant: &Int8) -> (i8, bool) {
    let at = channel.wrapping_mul(2);
    let factor = Factor { multiplier: scales[at], shift: scales[at.wrapping_add(1)] as i8 };
    clamped(factor.apply(sum, quant.rounding).wrapping_add(quant.output_zero), quant.min, quant.max)
}

/// A number clamped, and whether it was within: at a limit it still was.
#[inline(always)]
fn clamped(x: i32, min: i8, max: i8) -> (i8, bool) {
    let (min, max) = (i32::from(min), i32::from(max));
    let y = if x < min { min } else { x };
    let y = if y > max { max } else { y };
    (y as i8, x == y)
}

/// Writes the bits of a pixel's mask as they come.
struct Bits {
    at: usize,
    held: u8,
    count: u32,
}

impl Bits {
    fn new(at: usize) -> Self {
        Self { at, held: 0, count: 0 }
    }

    #[inline(always)]
    fn push<B: Bounds>(&mut self, arena: &mut Arena<'_, u8, B>, bit: bool) {
        self.held |= u8::from(bit).wrapping_shl(self.count);
        self.count = self.count.wrapping_add(1);
        if self.count == 8 {
            self.finish(arena);
        }
    }

    #[inline(always)]
    fn finish<B: Bounds>(&mut self, arena: &mut Arena<'_, u8, B>) {
        if self.count > 0 {
            arena[self.at] = self.held;
            *self = Self::new(self.at.wrapping_add(1));
        }
    }
}

/// Sum of products of inputs less their zero point and weights.
#[inline(always)]
fn dot(x: &[u8], zero: i32, w: &[u8]) -> i32 {
    let products = x.iter().zip(w).map(|(&x, &w)| (i32::from(x as i8).wrapping_sub(zero)) * i32::from(w as i8));
    products.fold(0, i32::wrapping_add)
}

/// CONV_2D on int8. `places` are the bytes of the input `[images, H, W, C]`, the output `[images, H, W, O]`, its mask, and, if some input
/// channels have their weights apart, of these channels of the input and of their weights `[O, KH, KW, S]`.
///
/// `weights` are `[O, KH, KW, C]`; `bias` has an element for each output channel; `scales` its multiplier and shift.
pub fn conv2d<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 5],
    layer: &Conv2d,
    weights: Whole<'_, u8, B>,
    bias: Whole<'_, i32, B>,
    scales: Flash<'_, i32, B>,
) {
    let Conv2d { ref window, images, ref quant, selected } = *layer;
    let [input, output, mask, apart, apart_weights] = places;
    let ([_, width, in_c], [out_h, out_w, out_c]) = (window.input, window.output);
    for row in 0..images.wrapping_mul(out_h) {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in 0..out_w {
            let (taps_x, x0) = window.taps(1, x);
            let pixel = row.wrapping_mul(out_w).wrapping_add(x);
            let mut bits = Bits::new(mask.wrapping_add(pixel.wrapping_mul(mask_bytes(out_c))));
            for o in 0..out_c {
                let mut sum = word_of(&bias, &arena, o);
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let (r, c) = (image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let (from, tap) = (r * width + c, (o * window.size[0] + ky) * window.size[1] + kx);
                        let w = bytes_of(&weights, &arena, tap.wrapping_mul(in_c), in_c);
                        let x = arena.span(input.wrapping_add(from.wrapping_mul(in_c)), in_c);
                        sum = sum.wrapping_add(dot(x, quant.input_zero, w));
                        if selected > 0 {
                            let w = arena.span(apart_weights.wrapping_add(tap.wrapping_mul(selected)), selected);
                            let x = arena.span(apart.wrapping_add(from.wrapping_mul(selected)), selected);
                            sum = sum.wrapping_add(dot(x, quant.input_zero, w));
                        }
                    }
                }
                let (value, inside) = finish(scales, o, sum, quant);
                arena[output.wrapping_add(pixel.wrapping_mul(out_c)).wrapping_add(o)] = value as u8;
                bits.push(&mut arena, inside);
            }
            bits.finish(&mut arena);
        }
    }
}

/// DEPTHWISE_CONV_2D on int8. `places` are the bytes of the input `[images, H, W, C]`, the output `[images, H, W, O]` and its mask. `weights` are
/// `[KH, KW, O]`; `bias` has an element for each output channel; `scales` its multiplier and shift.
pub fn depthwise<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 3],
    layer: &Depthwise,
    weights: Whole<'_, u8, B>,
    bias: Whole<'_, i32, B>,
    scales: Flash<'_, i32, B>,
) {
    let Depthwise { ref window, images, ref quant } = *layer;
    let [input, output, mask] = places;
    let ([_, width, in_c], [out_h, out_w, out_c]) = (window.input, window.output);
    let multiplier = window.multiplier().max(1);
    for row in 0..images.wrapping_mul(out_h) {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in 0..out_w {
            let (taps_x, x0) = window.taps(1, x);
            let pixel = row.wrapping_mul(out_w).wrapping_add(x);
            let mut bits = Bits::new(mask.wrapping_add(pixel.wrapping_mul(mask_bytes(out_c))));
            for o in 0..out_c {
                let mut sum = word_of(&bias, &arena, o);
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let (r, c) = (image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let from = (r * width + c).wrapping_mul(in_c).wrapping_add(o / multiplier);
                        let tap = (ky * window.size[1] + kx).wrapping_mul(out_c).wrapping_add(o);
                        let w = bytes_of(&weights, &arena, tap, 1);
                        sum = sum.wrapping_add(dot(arena.span(input.wrapping_add(from), 1), quant.input_zero, w));
                    }
                }
                let (value, inside) = finish(scales, o, sum, quant);
                arena[output.wrapping_add(pixel.wrapping_mul(out_c)).wrapping_add(o)] = value as u8;
                bits.push(&mut arena, inside);
            }
            bits.finish(&mut arena);
        }
    }
}

/// ADD on int8 of two tensors of `[pixels, channels]`. `places` are the bytes of both, of the output and of its mask.
pub fn sum<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 4],
    [pixels, channels]: [usize; 2],
    terms: &Sum<i8>,
) {
    let [a, b, output, mask] = places;
    for pixel in 0..pixels {
        let mut bits = Bits::new(mask.wrapping_add(pixel.wrapping_mul(mask_bytes(channels))));
        for channel in 0..channels {
            let at = pixel.wrapping_mul(channels).wrapping_add(channel);
            let [x, y] = [a, b].map(|base| arena[base.wrapping_add(at)] as i8);
            let (value, inside) = clamped(terms.unclamped(x, y), terms.min, terms.max);
            arena[output.wrapping_add(at)] = value as u8;
            bits.push(&mut arena, inside);
        }
        bits.finish(&mut arena);
    }
}

/// The channels of a tensor that `list` names, pixel by pixel. `places` are the bytes of the tensor and of what is written.
pub fn select<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [input, output]: [usize; 2],
    layer: &Select,
    list: Flash<'_, u16, B>,
) {
    for pixel in 0..layer.pixels {
        for s in 0..layer.selected {
            let from = input.wrapping_add(pixel.wrapping_mul(layer.channels)).wrapping_add(usize::from(list[s]));
            let to = output.wrapping_add(pixel.wrapping_mul(layer.selected)).wrapping_add(s);
            arena[to] = arena[from];
        }
    }
}
