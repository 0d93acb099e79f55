//! CONV_2D on float32 activations with int8 weights: TensorFlow Lite's dynamic-range quantisation.
//!
//! The input is quantised on the way in, each image with a scale of its own: `127 / max |x|`. What is summed are integers. So every
//! output needs the whole image, and the result is as far from that of a float convolution as eight bits are.

use super::Clamp;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View, Views};

/// A CONV_2D with weights of int8 without its constants.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hybrid {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
    /// What a weight of 1 stands for.
    pub weight_scale: f32,
}

/// `y[r, x, o] = clamp(bias[o] + (max |x| / 127 * weight_scale) * sum over taps and channels of round(x * 127 / max |x|) * w)`.
///
/// `weights` are `[O, KH, KW, C]`. Order: one element at a time; every one needs the whole image.
pub fn conv2d_hybrid<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    layer: &Hybrid,
    weights: Flash<'_, i8, B>,
    bias: Flash<'_, f32, B>,
) {
    let Views { input, output } = *views;
    let Hybrid { ref window, clamp, weight_scale } = *layer;
    let (in_c, out_c) = (window.input[2], window.output[2]);
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        let range = greatest(&arena, input, image, window.input);
        let (scale, inverse) = if range == 0.0 { (1.0, 0.0) } else { (range / 127.0, 127.0 / range) };
        let scale = scale * weight_scale;
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for o in 0..out_c {
                let mut acc = 0i32;
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let from = input.at(image + y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let at = ((o * window.size[0] + ky) * window.size[1] + kx) * in_c;
                        for (&v, &w) in arena[from..from + in_c].iter().zip(&weights[at..at + in_c]) {
                            let v = (libm::roundf(v * inverse) as i32).clamp(-127, 127);
                            acc = acc.wrapping_add(v * w as i32);
                        }
                    }
                }
                arena[output.at(row, x) + o] = clamp.apply(acc as f32 * scale + bias[o]);
            }
        }
    }
}

/// Greatest magnitude in the image whose first row is `first`.
fn greatest<B: Bounds>(arena: &Arena<'_, f32, B>, input: View, first: usize, [h, w, c]: [usize; 3]) -> f32 {
    let mut range = 0f32;
    for row in first..first + h {
        for x in 0..w {
            let from = input.at(row, x);
            range = arena[from..from + c].iter().fold(range, |range, v| range.max(v.abs()));
        }
    }
    range
}
