//! DEPTHWISE_CONV_2D with one output for each input channel, many channels at a time.

use crate::geometry::Window2d;
use crate::int8::{Channels, Int8};
use crate::isa::Isa;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// Channels whose accumulators are held at a time.
const LANES: usize = 32;

/// A DEPTHWISE_CONV_2D without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Depthwise {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

/// The same as [`depthwise`](crate::int8::depthwise()) where the input has as many channels as the output.
///
/// Order: as the simple form, an element at a time; that it reads the windows of several elements of one pixel before it writes the
/// first keeps that promise.
pub fn depthwise<B: Bounds>(
    isa: Isa,
    mut arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    layer: &Depthwise,
    weights: Flash<'_, i8, B>,
    channels: Channels<'_, B>,
) {
    let Views { input, output } = views;
    let Depthwise { window, quant } = layer;
    let depth = window.output[2];
    let zero = quant.input_zero as i16;
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            let to = output.at(row, x);
            for first in (0..depth).step_by(LANES) {
                let count = LANES.min(depth - first);
                let mut acc = [0i32; LANES];
                let acc = &mut acc[..count];
                if taps_x.is_empty() {
                    isa.finish(acc, first, channels, quant, arena.span_mut(to + first, count));
                    continue;
                }
                for (i, ky) in taps_y.clone().enumerate() {
                    let line = input.at(image + y0 + i * window.dilation[0], x0) + first;
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = line + j * window.dilation[1] * input.pixel_stride;
                        let at = (ky * window.size[1] + kx) * depth + first;
                        isa.multiply_add(acc, &arena[from..from + count], zero, &weights[at..at + count]);
                    }
                }
                isa.finish(acc, first, channels, quant, arena.span_mut(to + first, count));
            }
        }
    }
}
