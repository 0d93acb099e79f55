//! CONV_2D.

use super::Clamp;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, x, o] = clamp(bias[o] + sum over taps and channels of x * w)`.
///
/// `weights` are `[O, KH, KW, C]`. Order: one element at a time, all reads before its write.
pub fn conv2d<B: Bounds>(
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
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for o in 0..out_c {
                let mut sum = 0f32;
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let at = ((o * window.size[0] + ky) * window.size[1] + kx) * in_c;
                        for (&v, &w) in arena[from..from + in_c].iter().zip(&weights[at..at + in_c]) {
                            sum += v * w;
                        }
                    }
                }
                arena[output.at(row, x) + o] = clamp.apply(sum + bias[o]);
            }
        }
    }
}
