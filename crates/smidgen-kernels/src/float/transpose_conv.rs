//! TRANSPOSE_CONV.

use super::Clamp;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, x, o] = clamp(bias[o] + sum over the inputs whose window covers (r, x) of x * w)`.
///
/// Gathers what the definition scatters, so that any region can be computed and no accumulator image is needed. `weights` are
/// `[O, KH, KW, C]`. Order: one element at a time, all reads before its write.
pub fn transpose_conv<B: Bounds>(
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
        for x in region.x0..region.x1 {
            for o in 0..out_c {
                let mut sum = 0f32;
                for iy in window.sources(0, y) {
                    let ky = y + window.before[0] - iy * window.stride[0];
                    for ix in window.sources(1, x) {
                        let kx = x + window.before[1] - ix * window.stride[1];
                        let from = input.at(image + iy, ix);
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
