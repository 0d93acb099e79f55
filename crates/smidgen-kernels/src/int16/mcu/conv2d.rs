//! CONV_2D in blocks of up to three pixels by two channels.
//!
//! What the windows of a block's pixels cover is staged once, four activations of each pixel in turn; then each pair of channels is one run through
//! its weights and through what is staged. Padding is staged as 0.

use super::Windowed;
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use super::channel::Channel;
use super::channel::Clamp;
#[cfg(all(target_arch = "arm", feature = "dsp"))]
use super::channel::PAIR;
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use super::pack::multiply;
use super::pack::pack;
use crate::geometry::Window2d;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, View, Views};

/// Pixels of a block, at most.
pub const CONV2D_PIXELS: usize = 3;

/// Bytes of the packed weights.
pub const fn conv2d_weights(window: &Window2d) -> usize {
    window.output[2].next_multiple_of(2) * window.patch().next_multiple_of(4)
}

/// Bytes of scratch.
pub const fn conv2d_scratch(window: &Window2d) -> usize {
    let [staged, line] = elements(window);
    2 * (staged + line)
}

/// Pixels of a block of this layer.
const fn pixels(window: &Window2d) -> usize {
    if window.output[1] < CONV2D_PIXELS { window.output[1] } else { CONV2D_PIXELS }
}

/// Elements of scratch: the staged activations and the outputs of two channels, if the last has no partner; a line in which the patch of a pixel
/// is put together, if it may have to be.
const fn elements(window: &Window2d) -> [usize; 2] {
    let (patch, is_even) = (window.patch().next_multiple_of(4), window.output[2].is_multiple_of(2));
    let line = if window.input[2].is_multiple_of(4) { 0 } else { patch };
    [pixels(window) * (patch + if is_even { 0 } else { 2 }), line]
}

/// Packs `[O, KH, KW, C]` weights, each channel filled up with zeros to a multiple of four and the last one with a channel of zeros to a pair: of
/// every two channels the four bytes of either in turn.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn conv2d_pack(window: &Window2d, weights: &[i8], to: &mut [i8]) {
    let (patch, outputs) = (window.patch(), window.output[2]);
    assert_eq!((weights.len(), to.len()), (patch * outputs, conv2d_weights(window)));
    let quads = patch.div_ceil(4).max(1);
    for (at, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let (pair, quad, channel) = (at / (2 * quads), at / 2 % quads, at % 2);
        let o = 2 * pair + channel;
        let weight = |tap: usize| if tap < patch && o < outputs { weights[o * patch + tap] } else { 0 };
        *to = pack(core::array::from_fn(|i| weight(4 * quad + i)));
    }
}

/// `y[r, x, o] = output(sum over taps and channels of x * w)`, as [`int16::conv2d`](crate::int16::conv2d) defines it. The patch is not
/// empty.
///
/// `scratch` is the element at which [`conv2d_scratch`] bytes begin in the arena, aligned for 32 bits; `weights` are from [`conv2d_pack`], aligned
/// likewise, and `words` those of [`Channel::pack`](super::Channel::pack).
///
/// Order: [`CONV2D_PIXELS`] pixels at a time (fewer at the end of a row), all reads before their writes.
pub fn conv2d<B: Bounds>(
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
    let [staged, line] = elements(window);
    let (mut arena, scratch) = arena.carve::<i16>(scratch, staged + line);
    let (mut staged, mut line) = scratch.carve::<i16>(staged, line);
    let stage = Stage { input: *input, window };
    let quads = window.patch().div_ceil(4);
    for row in region.y0..region.y1 {
        let mut x = region.x0;
        while x < region.x1 {
            let pixels = (region.x1 - x).min(CONV2D_PIXELS);
            for p in 0..pixels {
                stage.pixel(&arena, &mut staged, &mut line, [row, x + p], [4 * p, 4 * pixels]);
            }
            let block = Block { quads, pixels, channels: window.output[2], clamp, weights, words };
            block.run(&mut staged, &mut arena, output.at(row, x), output.pixel_stride);
            x += pixels;
        }
    }
}

/// What staging knows of a layer.
struct Stage<'a> {
    input: View,
    window: &'a Window2d,
}

impl Stage<'_> {
    /// Stages all that the window of the output pixel at `[row, column]` covers: four activations at `to`, the next `step` further on.
    #[inline(always)]
    fn pixel<B: Bounds>(
        &self,
        arena: &Around<'_, i16, B>,
        staged: &mut Around<'_, i16, B>,
        line: &mut Arena<'_, i16, B>,
        [row, column]: [usize; 2],
        [mut to, step]: [usize; 2],
    ) {
        let Self { input, window } = *self;
        let depth = window.input[2];
        let (image, y) = window.image_row(row);
        let ((taps_y, y0), (taps_x, x0)) = (window.taps(0, y), window.taps(1, column));
        let (width, is_joined) = (window.size[1] * depth, window.dilation[1] == 1 && input.pixel_stride == depth);
        let (pieces, length) = match (is_joined, taps_x.len()) {
            // There is no column to read from.
            (_, 0) => (0, 0),
            (true, taps) => (1, taps * depth),
            (false, taps) => (taps, depth),
        };
        let from = |i: usize, piece: usize| {
            input.at(image + y0 + i * window.dilation[0], x0) + piece * window.dilation[1] * input.pixel_stride
        };
        if depth.is_multiple_of(4) || (width.is_multiple_of(4) && length == width) {
            let zeros = |to: &mut usize, elements: usize, staged: &mut Around<'_, i16, B>| {
                for _ in 0..elements / 4 {
                    staged.store(*to, [0; 4]);
                    *to += step;
                }
            };
            zeros(&mut to, taps_y.start * width, staged);
            for i in 0..taps_y.len() {
                zeros(&mut to, taps_x.start * depth, staged);
                for piece in 0..pieces {
                    spread(arena.span(from(i, piece), length), staged, to, step);
                    to += length / 4 * step;
                }
                zeros(&mut to, width - taps_x.start * depth - pieces * length, staged);
            }
            zeros(&mut to, (window.size[0] - taps_y.end) * width, staged);
            return;
        }
        let padded = window.patch().next_multiple_of(4);
        let is_clipped = taps_y.len() < window.size[0] || taps_x.len() < window.size[1];
        for zero in line.span_mut(0, padded).iter_mut().skip(if is_clipped { 0 } else { window.patch() }) {
            *zero = 0;
        }
        for i in 0..taps_y.len() {
            for piece in 0..pieces {
                let (mut from, mut to) = (from(i, piece), (taps_y.start + i) * width + (taps_x.start + piece) * depth);
                // In place, since a call would take longer than most pieces.
                let end = from + length;
                while from + 4 <= end {
                    line.store::<4>(to, arena.load(from));
                    (from, to) = (from + 4, to + 4);
                }
                while from < end {
                    line[to] = arena[from];
                    (from, to) = (from + 1, to + 1);
                }
            }
        }
        spread(line.span(0, padded), staged, to, step);
    }
}

/// Puts four elements each so far from each other.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
#[inline(always)]
fn spread<B: Bounds>(from: &[i16], staged: &mut Around<'_, i16, B>, mut to: usize, step: usize) {
    for quad in from.as_chunks::<4>().0 {
        staged.store(to, *quad);
        to += step;
    }
}

/// Puts four elements each so far from each other.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
#[inline(always)]
fn spread<B: Bounds>(from: &[i16], staged: &mut Around<'_, i16, B>, to: usize, step: usize) {
    let quads = from.len() / 4;
    if quads > 0 {
        let to = staged.pointer(to, (quads - 1) * step + 4);
        // SAFETY: there are so many elements at both places, and what is staged is aligned for 32 bits.
        unsafe { crate::isa::dsp::int16::spread(from.as_ptr(), to, 2 * step, quads) }
    }
}

/// A block of pixels whose activations are staged.
struct Block<'a, B: Bounds> {
    /// Groups of four taps, at least 1.
    quads: usize,
    /// 1, 2 or 3.
    pixels: usize,
    /// Outputs of a pixel.
    channels: usize,
    clamp: Clamp,
    weights: Flash<'a, i8, B>,
    words: Flash<'a, u32, B>,
}

#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
impl<B: Bounds> Block<'_, B> {
    /// Computes all channels and stores them, the first pixel's from element `to` on.
    #[inline(always)]
    fn run(&self, staged: &mut Around<'_, i16, B>, arena: &mut Around<'_, i16, B>, to: usize, pixel_stride: usize) {
        for pair in 0..self.channels.div_ceil(2) {
            let channels = Channel::pair(self.words, pair);
            for p in 0..self.pixels {
                let mut sums = channels.map(|channel| channel.start);
                let mut at = pair * 8 * self.quads;
                let mut from = 4 * p;
                for _ in 0..self.quads {
                    let x = staged.load(from);
                    sums[0] = multiply(sums[0], self.weights.array(at), &x);
                    sums[1] = multiply(sums[1], self.weights.array(at + 4), &x);
                    (at, from) = (at + 8, from + 4 * self.pixels);
                }
                let to = to + p * pixel_stride + 2 * pair;
                arena[to] = self.clamp.apply(channels[0].output(sums[0]));
                if 2 * pair + 1 < self.channels {
                    arena[to + 1] = self.clamp.apply(channels[1].output(sums[1]));
                }
            }
        }
    }
}

#[cfg(all(target_arch = "arm", feature = "dsp"))]
impl<B: Bounds> Block<'_, B> {
    /// Computes all channels and stores them, the first pixel's from element `to` on.
    #[inline(always)]
    fn run(&self, staged: &mut Around<'_, i16, B>, arena: &mut Around<'_, i16, B>, to: usize, pixel_stride: usize) {
        use crate::isa::dsp::int16;
        let (pairs, pixels, quads) = (self.channels / 2, self.pixels, self.quads);
        let alone = 4 * pixels * quads;
        let inputs = staged.span(0, alone).as_ptr();
        let block = |first: usize, pairs: usize, to: *mut i16, pixel_stride: usize| int16::Block {
            pixels,
            pairs,
            clamp: self.clamp,
            weights: self.weights.span(first * 8 * quads, pairs * 8 * quads).as_ptr(),
            words: self.words.span(first * PAIR, pairs * PAIR).as_ptr(),
            to,
            pixel_stride,
        };
        if pairs > 0 {
            let out = arena.pointer(to, (pixels - 1) * pixel_stride + 2 * pairs);
            // SAFETY: constants, staged activations and outputs are as many as is said.
            unsafe { block(0, pairs, out, pixel_stride).conv(quads, inputs) }
        }
        if self.channels % 2 == 1 {
            let out = staged.pointer(alone, 2 * pixels);
            // SAFETY: as above; the outputs of two channels are behind what is staged.
            unsafe { block(pairs, 1, out, 2).conv(quads, inputs) }
            for p in 0..pixels {
                arena[to + p * pixel_stride + 2 * pairs] = staged[alone + 2 * p];
            }
        }
        self.clamp.limit(arena, to, [pixels, pixel_stride, self.channels]);
    }
}
