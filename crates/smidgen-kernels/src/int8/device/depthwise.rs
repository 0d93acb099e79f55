//! DEPTHWISE_CONV_2D with one output for each input channel.

use super::finish::{Finish, SCALE};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View};

/// Bytes of scratch, aligned for 32 bits.
pub const fn depthwise_scratch(_: &Window2d) -> usize {
    0
}

/// Bytes of the packed weights.
pub const fn depthwise_weights(window: &Window2d) -> usize {
    window.area() * window.output[2]
}

/// Packs `[KH, KW, C]` weights.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn depthwise_pack(window: &Window2d, weights: &[i8], to: &mut [i8]) {
    assert_eq!(weights.len(), depthwise_weights(window));
    to.copy_from_slice(weights);
}

/// DEPTHWISE_CONV_2D with weights from [`depthwise_pack`] and channels that [`Finish`] describes, whose starts are the
/// [folded](crate::int8::fast::fold_bias) biases. `input_zero` is the input's zero point; `scratch` is where [`depthwise_scratch`] bytes begin in
/// the arena, aligned for 32 bits.
///
/// Order: one element at a time, all reads before its write.
pub fn depthwise<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    input: View,
    output: View,
    region: Region,
    _scratch: usize,
    window: &Window2d,
    input_zero: i8,
    finish: &Finish,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let depth = window.output[2];
    let pairs = depth.div_ceil(2);
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for c in 0..depth {
                let channel = finish.pair(words, pairs, c / 2)[c % 2];
                let mut acc = channel.start;
                for ky in 0..window.size[0] {
                    for kx in 0..window.size[1] {
                        let inside = taps_y.contains(&ky) && taps_x.contains(&kx);
                        let value = if inside {
                            let row = image + y0 + (ky - taps_y.start) * window.dilation[0];
                            arena[input.at(row, x0 + (kx - taps_x.start) * window.dilation[1]) + c]
                        } else {
                            input_zero
                        };
                        let weight = weights[(ky * window.size[1] + kx) * depth + c];
                        acc = acc.wrapping_add((value as i32 * SCALE).wrapping_mul(weight as i32));
                    }
                }
                arena[output.at(row, x) + c] = finish.output(&channel, acc);
            }
        }
    }
}
