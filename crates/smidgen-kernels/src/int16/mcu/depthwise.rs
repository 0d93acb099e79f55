//! DEPTHWISE_CONV_2D with one output for each input channel: up to three pixels by two channels at a time, so that two activations are one
//! load and a weight serves three products.
//!
//! Where the activations of a block's taps are is put into a table once, for all its channels. Taps in the padding are where a pixel of zeros is.

use super::Windowed;
use super::channel::{Channel, Clamp};
use crate::geometry::Window2d;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, View, Views};

/// Pixels of a block, at most.
pub const DEPTHWISE_PIXELS: usize = 3;

/// Bytes of the packed weights.
pub const fn depthwise_weights(window: &Window2d) -> usize {
    window.output[2] * window.area()
}

/// Words of the table, and those of a pixel of zeros.
const fn scratch(window: &Window2d) -> [usize; 2] {
    [DEPTHWISE_PIXELS * window.area(), window.output[2].div_ceil(2)]
}

/// Bytes of scratch.
pub const fn depthwise_scratch(window: &Window2d) -> usize {
    let [table, zeros] = scratch(window);
    4 * (table + zeros)
}

/// Packs `[KH, KW, C]` weights: of every two channels those of each tap; of a last one alone its own.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn depthwise_pack(window: &Window2d, weights: &[i8], to: &mut [i8]) {
    let (taps, depth) = (window.area(), window.output[2]);
    assert_eq!((weights.len(), to.len()), (taps * depth, depthwise_weights(window)));
    for (pair, to) in to.chunks_mut(2 * taps).enumerate() {
        let channels = to.len() / taps;
        for (at, to) in to.iter_mut().enumerate() {
            *to = weights[at / channels * depth + 2 * pair + at % channels];
        }
    }
}

/// `y[r, x, c] = output(sum over taps of x[.., c] * w[.., c])`, as [`int16::depthwise`](crate::int16::depthwise) defines it for one output for each
/// input channel.
///
/// `scratch` is the element at which [`depthwise_scratch`] bytes begin in the arena, aligned for 32 bits; `weights` are from
/// [`depthwise_pack`] and `words` those of [`Channel::pack`].
///
/// Order: [`DEPTHWISE_PIXELS`] pixels at a time (fewer at the end of a row); what they need is read until the last is written.
pub fn depthwise<B: Bounds>(
    arena: Arena<'_, i16, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    layer: &Windowed,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let Views { input, output } = views;
    let Windowed { ref window, clamp } = *layer;
    let [table_words, zero_words] = self::scratch(window);
    let (mut arena, mut table) = arena.carve::<u32>(scratch, table_words + zero_words);
    for zeros in table.span_mut(table_words, zero_words) {
        *zeros = 0;
    }
    let nowhere = nowhere(table.span(table_words, zero_words));
    let depth = window.output[2];
    for row in region.y0..region.y1 {
        let mut x = region.x0;
        while x < region.x1 {
            let pixels = (region.x1 - x).min(DEPTHWISE_PIXELS);
            for p in 0..pixels {
                places(&arena, &mut table, *input, window, [row, x + p], [p, pixels], nowhere);
            }
            let block = Block { taps: window.area(), pixels, depth, clamp, weights, words };
            block.run(&mut arena, &table, output.at(row, x), output.pixel_stride);
            x += pixels;
        }
    }
}

/// Puts the places of the activations of output pixel `[row, column]`, which is the `p`th of so many, into the table.
#[inline(always)]
fn places<B: Bounds>(
    arena: &Around<'_, i16, B>,
    table: &mut Arena<'_, u32, B>,
    input: View,
    window: &Window2d,
    [row, column]: [usize; 2],
    [p, pixels]: [usize; 2],
    nowhere: u32,
) {
    let (image, y) = window.image_row(row);
    let ((taps_y, y0), (taps_x, x0)) = (window.taps(0, y), window.taps(1, column));
    let step = window.dilation[1] * input.pixel_stride;
    let mut at = p;
    for ky in 0..window.size[0] {
        let is_inside = ky.wrapping_sub(taps_y.start) < taps_y.len() && !taps_x.is_empty();
        let mut from = if is_inside { input.at(image + y0 + (ky - taps_y.start) * window.dilation[0], x0) } else { 0 };
        for kx in 0..window.size[1] {
            table[at] = if is_inside && kx.wrapping_sub(taps_x.start) < taps_x.len() {
                let place = place(from, arena.span(from, window.input[2]));
                from += step;
                place
            } else {
                nowhere
            };
            at += pixels;
        }
    }
}

/// A block of pixels of whose taps the places are known.
struct Block<'a, B: Bounds> {
    taps: usize,
    /// 1, 2 or 3.
    pixels: usize,
    /// Channels.
    depth: usize,
    clamp: Clamp,
    weights: Flash<'a, i8, B>,
    words: Flash<'a, u32, B>,
}

impl<B: Bounds> Block<'_, B> {
    /// Computes and stores channels `c .. c + CHANNELS`, one or two.
    #[inline(always)]
    fn channels<const CHANNELS: usize>(
        &self,
        arena: &mut Around<'_, i16, B>,
        table: &Arena<'_, u32, B>,
        c: usize,
        to: usize,
        pixel_stride: usize,
    ) {
        let channels = Channel::pair(self.words, c / 2);
        for p in 0..self.pixels {
            let mut sums = [channels[0].start, channels[1].start];
            let (mut at, mut entry) = (c * self.taps, p);
            for _ in 0..self.taps {
                let x = load::<CHANNELS, B>(arena, table[entry], c);
                let w = self.weights.array::<CHANNELS>(at);
                for ((sum, x), &w) in sums.iter_mut().zip(x).zip(w) {
                    *sum = sum.wrapping_add(i32::from(x).wrapping_mul(w.into()));
                }
                (at, entry) = (at + CHANNELS, entry + self.pixels);
            }
            for (i, (channel, sum)) in channels.iter().zip(sums).enumerate().take(CHANNELS) {
                arena[to + p * pixel_stride + c + i] = self.clamp.apply(channel.output(sum));
            }
        }
    }
}

#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
mod portable {
    use super::*;

    /// Stands for the pixel of zeros.
    #[inline(always)]
    pub fn nowhere(_zeros: &[u32]) -> u32 {
        u32::MAX
    }

    /// What the table says of a pixel at `index` of the arena.
    #[inline(always)]
    pub fn place(index: usize, _pixel: &[i16]) -> u32 {
        index as u32
    }

    /// Some channels of a pixel.
    #[inline(always)]
    pub fn load<const CHANNELS: usize, B: Bounds>(arena: &Around<'_, i16, B>, place: u32, c: usize) -> [i16; CHANNELS] {
        if place == u32::MAX { [0; CHANNELS] } else { arena.load(place as usize + c) }
    }

    impl<B: Bounds> Block<'_, B> {
        /// Computes all channels and stores them, the first pixel's from element `to` on.
        #[inline(always)]
        pub fn run(&self, arena: &mut Around<'_, i16, B>, table: &Arena<'_, u32, B>, to: usize, pixel_stride: usize) {
            for pair in 0..self.depth / 2 {
                self.channels::<2>(arena, table, 2 * pair, to, pixel_stride);
            }
            if self.depth % 2 == 1 {
                self.channels::<1>(arena, table, self.depth - 1, to, pixel_stride);
            }
        }
    }
}
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use portable::{load, nowhere, place};

#[cfg(all(target_arch = "arm", feature = "dsp"))]
mod dsp {
    use super::*;
    use crate::int16::mcu::channel::PAIR;
    use crate::isa::dsp::int16;

    /// As the portable one.
    #[inline(always)]
    pub fn nowhere(zeros: &[u32]) -> u32 {
        zeros.as_ptr().expose_provenance() as u32
    }

    /// As the portable one.
    #[inline(always)]
    pub fn place(_index: usize, pixel: &[i16]) -> u32 {
        pixel.as_ptr().expose_provenance() as u32
    }

    /// As the portable one.
    #[inline(always)]
    pub fn load<const CHANNELS: usize, B: Bounds>(
        _arena: &Around<'_, i16, B>,
        place: u32,
        c: usize,
    ) -> [i16; CHANNELS] {
        let pixel = core::ptr::with_exposed_provenance::<i16>(place as usize);
        // SAFETY: the place is that of a pixel with all channels, in the arena or among the zeros.
        unsafe { pixel.add(c).cast::<[i16; CHANNELS]>().read() }
    }

    impl<B: Bounds> Block<'_, B> {
        /// As the portable one.
        #[inline(always)]
        pub fn run(&self, arena: &mut Around<'_, i16, B>, table: &Arena<'_, u32, B>, to: usize, pixel_stride: usize) {
            let pairs = self.depth / 2;
            if pairs > 0 {
                let block = int16::Block {
                    pixels: self.pixels,
                    pairs,
                    clamp: self.clamp,
                    weights: self.weights.span(0, 2 * pairs * self.taps).as_ptr(),
                    words: self.words.span(0, pairs * PAIR).as_ptr(),
                    to: arena.pointer(to, (self.pixels - 1) * pixel_stride + 2 * pairs),
                    pixel_stride,
                };
                let places = table.span(0, self.pixels * self.taps).as_ptr();
                // SAFETY: constants, places and outputs are as many as is said.
                unsafe { block.depthwise(self.taps, places) }
                self.clamp.limit(arena, to, [self.pixels, pixel_stride, 2 * pairs]);
            }
            if self.depth % 2 == 1 {
                self.channels::<1>(arena, table, self.depth - 1, to, pixel_stride);
            }
        }
    }
}
#[cfg(all(target_arch = "arm", feature = "dsp"))]
use dsp::{load, nowhere, place};
