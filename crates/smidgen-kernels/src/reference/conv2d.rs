//! CONV_2D, simple form.

use super::Arithmetic;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, x, o] = requantise(bias[o] + sum over taps and channels of (x - input_zero) * w)`; taps in the padding add nothing.
///
/// `weights` are `[O, KH, KW, C]`. Order: one element at a time, all reads before its write.
pub fn conv2d<A: Arithmetic, B: Bounds>(
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
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for o in 0..out_c {
                let mut acc = A::Sum::default();
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
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
