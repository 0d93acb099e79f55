//! CONV_2D, two pixels at a time.
//!
//! What a pixel's window covers is widened into a 16-bit patch in scratch, padding filled with the input's zero point; every
//! output channel then is one dot product of its weights with that patch. Two pixels share each load of a weight.

use crate::geometry::Window2d;
use crate::int8::{Channels, Int8};
use crate::isa::{Isa, PATCH_ALIGN};
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, View, Views};

/// Pixels whose patches are in scratch at a time.
const PIXELS: usize = 2;

/// Elements from one patch in scratch to the next.
const fn patch_stride(window: &Window2d) -> usize {
    window.patch().next_multiple_of(PATCH_ALIGN)
}

/// Bytes of scratch.
pub const fn conv2d_scratch(window: &Window2d) -> usize {
    PIXELS * patch_stride(window) * 2
}

/// Bytes of the packed weights: `[O, KH, KW, C]`, and zeros that let the last channel be read in whole vectors.
pub const fn conv2d_weights(window: &Window2d) -> usize {
    window.patch() * window.output[2] + patch_stride(window) - window.patch()
}

/// A CONV_2D without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv2d {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
    /// Where [`conv2d_scratch`] bytes begin in the arena, aligned for 16 bits; counted in bytes.
    pub scratch: usize,
}

/// The same as [`conv2d`](crate::int8::conv2d()) for weights of [`conv2d_weights`] bytes and a bias that is
/// [folded](super::fold_bias).
///
/// Order: two pixels at a time (one at the end of an odd row), all reads before their writes.
pub fn conv2d<B: Bounds>(
    isa: Isa,
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    layer: &Conv2d,
    weights: Flash<'_, i8, B>,
    channels: Channels<'_, B>,
) {
    let Views { input, output } = views;
    let Conv2d { window, quant, scratch } = layer;
    let (patch, stride) = (window.patch(), patch_stride(window));
    let depth = window.output[2];
    let (mut rest, mut patches) = arena.carve::<i16>(*scratch, PIXELS * stride);
    patches.span_mut(0, PIXELS * stride).fill(0);
    let source = Source { isa, input: *input, window, padding: quant.input_zero as i16 };
    for row in region.y0..region.y1 {
        let mut x = region.x0;
        while x < region.x1 {
            let two = x + 1 < region.x1;
            source.gather(&rest, [row, x], &mut patches, 0);
            if two {
                source.gather(&rest, [row, x + 1], &mut patches, stride);
            }
            let to = output.at(row, x);
            let next = to + output.pixel_stride;
            let mut o = 0;
            while o + 4 <= depth {
                let [first, second] = isa.two_by_four(&patches, weights, [stride, patch, o], channels, quant);
                rest.store(to + o, first);
                if two {
                    rest.store(next + o, second);
                }
                o += 4;
            }
            for o in o..depth {
                let row = weights.span(o * patch, patch);
                let first = isa.dot_i16_i8(patches.span(0, patch), row);
                rest[to + o] = channels.finish(o, first, quant);
                if two {
                    let second = isa.dot_i16_i8(patches.span(stride, patch), row);
                    rest[next + o] = channels.finish(o, second, quant);
                }
            }
            x += PIXELS;
        }
    }
}

/// Where patches come from.
struct Source<'a> {
    isa: Isa,
    input: View,
    window: &'a Window2d,
    /// The input's zero point.
    padding: i16,
}

impl Source<'_> {
    /// Widens what the window at output pixel `[row, x]` covers into the patch that begins at element `to` of `patches`.
    #[inline]
    fn gather<B: Bounds>(
        &self,
        arena: &Around<'_, i8, B>,
        [row, x]: [usize; 2],
        patches: &mut Arena<'_, i16, B>,
        to: usize,
    ) {
        let Self { isa, input, window, padding } = *self;
        let depth = window.input[2];
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        let (taps_x, x0) = window.taps(1, x);
        let inside = taps_x.len() * depth;
        let line = window.size[1] * depth;
        patches.span_mut(to, taps_y.start * line).fill(padding);
        patches.span_mut(to + taps_y.end * line, window.patch() - taps_y.end * line).fill(padding);
        for (i, ky) in taps_y.enumerate() {
            let from = input.row(image + y0 + i * window.dilation[0]);
            let to = to + ky * line;
            patches.span_mut(to, taps_x.start * depth).fill(padding);
            patches.span_mut(to + taps_x.end * depth, line - taps_x.end * depth).fill(padding);
            if inside == 0 {
                continue;
            }
            let from = from + (x0 - input.x0) * input.pixel_stride;
            let to = to + taps_x.start * depth;
            if window.dilation[1] == 1 && input.pixel_stride == depth {
                isa.widen(arena.span(from, inside), patches.span_mut(to, inside));
            } else {
                let step = window.dilation[1] * input.pixel_stride;
                for j in 0..taps_x.len() {
                    isa.widen(arena.span(from + j * step, depth), patches.span_mut(to + j * depth, depth));
                }
            }
        }
    }
}
