//! DEPTHWISE_CONV_2D.

use super::Clamp;
use crate::geometry::Window2d;
use crate::view::{Region, View};

/// `y[r, x, c * m + j] = clamp(bias + sum over taps of x[.., c] * w[.., c * m + j])`, with `m` the outputs for each
/// input channel.
///
/// `weights` are `[KH, KW, C * m]`. Order: one element at a time, all reads before its write.
pub fn depthwise(
    arena: &mut [f32],
    input: View,
    output: View,
    region: Region,
    window: &Window2d,
    clamp: Clamp,
    weights: &[f32],
    bias: &[f32],
) {
    let ([in_h, ..], [out_h, _, out_c]) = (window.input, window.output);
    let multiplier = window.multiplier();
    for row in region.y0..region.y1 {
        let image = row / out_h * in_h;
        let (taps_y, y0) = window.taps(0, row % out_h);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for o in 0..out_c {
                let mut sum = 0f32;
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let v = arena[from + o / multiplier];
                        let w = weights[(ky * window.size[1] + kx) * out_c + o];
                        sum += v * w;
                    }
                }
                arena[output.at(row, x) + o] = clamp.apply(sum + bias[o]);
            }
        }
    }
}
