//! CONV_2D in blocks of up to three pixels by two channels.
//!
//! What the windows of a block's pixels cover is staged once, four activations of each pixel in turn; then each pair of channels is one run through
//! its weights and through what is staged. Padding is staged as 0.

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
use crate::view::{Region, View};

/// Pixels of a block, at most.
pub const CONV2D_PIXELS: usize = 3;

/// Bytes of the packed weights.
pub const fn conv2d_weights(window: &Window2d) -> usize {
    window.output[2].next_multiple_of(2) * window.patch().next_multiple_of(4)
}

/// Bytes of scratch.
pub const fn conv2d_scratch(window: &Window2d) -> usize {
    2 * elements(window)
}

/// Pixels of a block of this layer.
const fn pixels(window: &Window2d) -> usize {
    if window.output[1] < CONV2D_PIXELS { window.output[1] } else { CONV2D_PIXELS }
}

/// Elements of scratch: the staged activations, then the outputs of two channels, if the last has no partner.
const fn elements(window: &Window2d) -> usize {
    let alone = if window.output[2].is_multiple_of(2) { 0 } else { 2 };
    pixels(window) * (window.patch().next_multiple_of(4) + alone)
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
    input: View,
    output: View,
    region: Region,
    scratch: usize,
    window: &Window2d,
    clamp: Clamp,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let (mut arena, mut staged) = arena.carve::<i16>(scratch, elements(window));
    let quads = window.patch().div_ceil(4);
    for row in region.y0..region.y1 {
        let mut x = region.x0;
        while x < region.x1 {
            let pixels = (region.x1 - x).min(CONV2D_PIXELS);
            for p in 0..pixels {
                let stage = Stage { to: 4 * p, lane: 0, step: 4 * pixels };
                stage.window(&arena, &mut staged, input, window, row, x + p);
            }
            let block = Block { quads, pixels, channels: window.output[2], clamp, weights, words };
            block.run(&mut staged, &mut arena, output.at(row, x), output.pixel_stride);
            x += pixels;
        }
    }
}

/// Where the next activation of a pixel is staged.
struct Stage {
    /// The first of four.
    to: usize,
    /// Which of the four.
    lane: usize,
    /// From four to four.
    step: usize,
}

impl Stage {
    /// Stages all that the window of an output pixel covers.
    #[inline(always)]
    fn window<B: Bounds>(
        mut self,
        arena: &Around<'_, i16, B>,
        staged: &mut Arena<'_, i16, B>,
        input: View,
        window: &Window2d,
        row: usize,
        column: usize,
    ) {
        let depth = window.input[2];
        let (image, y) = window.image_row(row);
        let ((taps_y, y0), (taps_x, x0)) = (window.taps(0, y), window.taps(1, column));
        let width = window.size[1] * depth;
        let is_joined = window.dilation[1] == 1 && input.pixel_stride == depth;
        let (pieces, length) = if is_joined { (1, taps_x.len() * depth) } else { (taps_x.len(), depth) };
        let has_columns = !taps_x.is_empty();
        self.zeros(staged, taps_y.start * width);
        for i in 0..taps_y.len() {
            self.zeros(staged, taps_x.start * depth);
            if has_columns {
                let from = input.at(image + y0 + i * window.dilation[0], x0);
                for piece in 0..pieces {
                    self.copy(arena, staged, from + piece * window.dilation[1] * input.pixel_stride, length);
                }
            }
            self.zeros(staged, width - taps_x.end * depth);
        }
        self.zeros(staged, (window.size[0] - taps_y.end) * width);
        // What fills up the last four meets weights of 0, but its bits must be those of a number that was written.
        self.zeros(staged, window.patch().next_multiple_of(4) - window.patch());
    }

    #[inline(always)]
    fn one<B: Bounds>(&mut self, staged: &mut Arena<'_, i16, B>, value: i16) {
        staged[self.to + self.lane] = value;
        self.lane += 1;
        if self.lane == 4 {
            self.lane = 0;
            self.to += self.step;
        }
    }

    #[inline(always)]
    fn zeros<B: Bounds>(&mut self, staged: &mut Arena<'_, i16, B>, count: usize) {
        for _ in 0..count {
            self.one(staged, 0);
        }
    }

    #[inline(always)]
    fn copy<B: Bounds>(
        &mut self,
        arena: &Around<'_, i16, B>,
        staged: &mut Arena<'_, i16, B>,
        from: usize,
        count: usize,
    ) {
        let (mut from, end) = (from, from + count);
        while self.lane != 0 && from < end {
            self.one(staged, arena[from]);
            from += 1;
        }
        while from + 4 <= end {
            staged.store::<4>(self.to, arena.load(from));
            self.to += self.step;
            from += 4;
        }
        while from < end {
            self.one(staged, arena[from]);
            from += 1;
        }
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
    fn run(&self, staged: &mut Arena<'_, i16, B>, arena: &mut Around<'_, i16, B>, to: usize, pixel_stride: usize) {
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
    fn run(&self, staged: &mut Arena<'_, i16, B>, arena: &mut Around<'_, i16, B>, to: usize, pixel_stride: usize) {
        use crate::isa::dsp::wide;
        let (pairs, pixels, quads) = (self.channels / 2, self.pixels, self.quads);
        let alone = 4 * pixels * quads;
        let inputs = staged.span(0, alone).as_ptr();
        let block = |first: usize, pairs: usize, to: *mut i16, pixel_stride: usize| wide::Block {
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
