//! DEPTHWISE_CONV_2D.

use super::Clamp;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, x, c * m + j] = clamp(bias + sum over taps of x[.., c] * w[.., c * m + j])`, with `m` the outputs for each
/// input channel.
///
/// `weights` are `[KH, KW, C * m]`. Order: one element at a time, all reads before its write.
pub fn depthwise<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    clamp: Clamp,
    weights: Flash<'_, f32, B>,
    bias: Flash<'_, f32, B>,
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
                let mut sum = 0f32;
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let v = arena[from + c];
                        let w = weights[(ky * window.size[1] + kx) * out_c + o];
                        sum += v * w;
                    }
                }
                arena[output.at(row, x) + o] = clamp.apply(sum + bias[o]);
            }
        }
    }
}
