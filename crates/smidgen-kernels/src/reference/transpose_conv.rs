//! TRANSPOSE_CONV.

use super::Arithmetic;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, x, o] = requantise(bias[o] + sum over the inputs whose window covers (r, x) of (x - input_zero) * w)`.
///
/// Gathers what the definition scatters, so that any region can be computed and no accumulator image is needed. `weights` are
/// `[O, KH, KW, C]`. Order: one element at a time, all reads before its write.
pub fn transpose_conv<A: Arithmetic, B: Bounds>(
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
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        for x in region.x0..region.x1 {
            for o in 0..out_c {
                let mut acc = A::Sum::default();
                for iy in window.sources(0, y) {
                    let ky = y + window.before[0] - iy * window.stride[0];
                    for ix in window.sources(1, x) {
                        let kx = x + window.before[1] - ix * window.stride[1];
                        let from = input.at(image + iy, ix);
                        let at = ((o * window.size[0] + ky) * window.size[1] + kx) * in_c;
                        for (&v, &w) in arena[from..from + in_c].iter().zip(&weights[at..at + in_c]) {
                            quant.add(&mut acc, v, w as i32);
                        }
                    }
                }
                arena[output.at(row, x) + o] = quant.finish(&channels, o, acc);
            }
        }
    }
}
