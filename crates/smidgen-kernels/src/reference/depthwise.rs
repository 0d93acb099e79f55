//! DEPTHWISE_CONV_2D, simple form.

use super::Arithmetic;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, x, c * m + j] = requantise(bias + sum over taps of (x[.., c] - input_zero) * w[.., c * m + j])`, with `m` the outputs for each
/// input channel; taps in the padding add nothing.
///
/// `weights` are `[KH, KW, C * m]`. Order: one element at a time, all reads before its write.
pub fn depthwise<A: Arithmetic, B: Bounds>(
    mut arena: Arena<'_, A::Stored, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    quant: &A,
    weights: Flash<'_, i8, B>,
    channels: A::Channels<'_, B>,
) {
    let Views { input, output } = views;
    let (in_c, out_c) = (window.input[2], window.output[2]);
    let multiplier = window.multiplier();
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            // In this nesting no division tells the input channel.
            for (c, o) in (0..in_c).flat_map(|c| (0..multiplier).map(move |m| (c, c * multiplier + m))) {
                let mut acc = A::Sum::default();
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let w = weights[(ky * window.size[1] + kx) * out_c + o] as i32;
                        quant.add(&mut acc, arena[from + c], w);
                    }
                }
                arena[output.at(row, x) + o] = quant.finish(&channels, o, acc);
            }
        }
    }
}
