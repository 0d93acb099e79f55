//! DEPTHWISE_CONV_2D with one output for each input channel: up to three pixels by two channels at a time, so that a weight is extended once for
//! three products.

use super::channel::{Channel, Clamp};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View};

/// Pixels of a block, at most.
pub const DEPTHWISE_PIXELS: usize = 3;

/// `y[r, x, c] = output(sum over taps of x[.., c] * w[.., c])`, as [`int16::depthwise`](crate::int16::depthwise) defines it for one output for each
/// input channel.
///
/// `weights` are `[KH, KW, C]` and `words` those of [`Channel::pack`].
///
/// Order: [`DEPTHWISE_PIXELS`] pixels at a time (fewer at the end of a row); what they need is read until the last is written.
pub fn depthwise<B: Bounds>(
    mut arena: Arena<'_, i16, B>,
    input: View,
    output: View,
    region: Region,
    window: &Window2d,
    clamp: Clamp,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let is_inside = |column: usize| window.taps(1, column).0.len() == window.size[1];
    for row in region.y0..region.y1 {
        let mut x = region.x0;
        while x < region.x1 {
            let pixels = (region.x1 - x).min(DEPTHWISE_PIXELS);
            if pixels == DEPTHWISE_PIXELS && is_inside(x) && is_inside(x + DEPTHWISE_PIXELS - 1) {
                Block { input, window, weights, row, column: x }
                    .run::<DEPTHWISE_PIXELS>(&mut arena, output, clamp, words);
            } else {
                for column in x..x + pixels {
                    Block { input, window, weights, row, column }.run::<1>(&mut arena, output, clamp, words);
                }
            }
            x += pixels;
        }
    }
}

/// Pixels of the output that follow each other, with as many taps inside the input.
struct Block<'a, B: Bounds> {
    input: View,
    window: &'a Window2d,
    weights: Flash<'a, i8, B>,
    row: usize,
    column: usize,
}

impl<B: Bounds> Block<'_, B> {
    /// Computes and stores all channels.
    #[inline(always)]
    fn run<const PIXELS: usize>(
        &self,
        arena: &mut Arena<'_, i16, B>,
        output: View,
        clamp: Clamp,
        words: Flash<'_, u32, B>,
    ) {
        let depth = self.window.output[2];
        let to = output.at(self.row, self.column);
        let mut c = 0;
        while c < depth {
            let channels = Channel::pair(words, c / 2);
            let starts = channels.map(|channel| channel.start);
            let is_alone = c + 1 == depth;
            let sums = if is_alone {
                self.sums::<PIXELS, 1>(arena, c, [starts[0]]).map(|[sum]| [sum, 0])
            } else {
                self.sums::<PIXELS, 2>(arena, c, starts)
            };
            for (p, sums) in sums.iter().enumerate() {
                let to = to + p * output.pixel_stride + c;
                arena[to] = clamp.apply(channels[0].output(sums[0]));
                if !is_alone {
                    arena[to + 1] = clamp.apply(channels[1].output(sums[1]));
                }
            }
            c += 2;
        }
    }

    /// The sums of some channels from `c` on.
    #[inline(always)]
    fn sums<const PIXELS: usize, const CHANNELS: usize>(
        &self,
        arena: &Arena<'_, i16, B>,
        c: usize,
        starts: [i32; CHANNELS],
    ) -> [[i32; CHANNELS]; PIXELS] {
        let Self { input, window, weights, row, column } = *self;
        let (image, y) = window.image_row(row);
        let ((taps_y, y0), (taps_x, x0)) = (window.taps(0, y), window.taps(1, column));
        let (pixel, tap) = (window.stride[1] * input.pixel_stride, window.dilation[1] * input.pixel_stride);
        let mut sums = [starts; PIXELS];
        if taps_x.is_empty() {
            return sums;
        }
        for (i, ky) in taps_y.enumerate() {
            let mut from = input.at(image + y0 + i * window.dilation[0], x0) + c;
            let mut at = (ky * window.size[1] + taps_x.start) * window.output[2] + c;
            for _ in 0..taps_x.len() {
                let w = *weights.array::<CHANNELS>(at);
                for (p, sums) in sums.iter_mut().enumerate() {
                    let x = arena.load::<CHANNELS>(from + p * pixel);
                    for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
                        *sum = sum.wrapping_add(i32::from(x).wrapping_mul(w.into()));
                    }
                }
                from += tap;
                at += window.output[2];
            }
        }
        sums
    }
}
