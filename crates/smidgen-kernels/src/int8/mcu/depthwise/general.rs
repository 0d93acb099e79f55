//! Windows that the blocks do not know: computed from the arena, four channels at a time.

use super::{GROUP, Layer, group_weights};
use crate::int8::mcu::epilogue::{Channel, SCALE};
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// See [`depthwise`](super::depthwise()). Order: one element at a time; that it reads the windows of a few elements of one pixel before it
/// writes the first keeps that promise.
#[inline(never)]
pub(super) fn depthwise<const OFFSET: bool, B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    region: Region,
    layer: &Layer<'_>,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let Views { input, output } = layer.views;
    let window = layer.window;
    let [height, width, channels] = window.input;
    let pairs = channels.div_ceil(2);
    let zero = layer.input_zero as i32;
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        for x in region.x0..region.x1 {
            let to = output.at(row, x);
            let mut first = 0;
            while first < channels {
                let count = GROUP.min(channels - first);
                let mut acc = [0i32; GROUP];
                let (mut at, weight_zero) = group_weights::<OFFSET, B>(weights, window.area(), first, count);
                for ky in 0..window.size[0] {
                    let from_y = (y * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
                    for kx in 0..window.size[1] {
                        let from_x = (x * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
                        let inside = from_y < height && from_x < width;
                        let from = if inside { input.at(image + from_y, from_x) + first } else { 0 };
                        for (c, acc) in acc.iter_mut().enumerate().take(count) {
                            let value = if inside { arena[from + c] as i32 } else { zero };
                            let weight = i32::from(weights[at + c]).wrapping_sub(weight_zero);
                            *acc = acc.wrapping_add(value * weight);
                        }
                        at += count;
                    }
                }
                for pair in 0..count.div_ceil(2) {
                    let both: [Channel; 2] = layer.epilogue.pair(words, pairs, first / 2 + pair);
                    for (c, channel) in both.iter().enumerate().take(count - 2 * pair) {
                        let sum = acc[(2 * pair + c) & (GROUP - 1)].wrapping_mul(SCALE).wrapping_add(channel.start);
                        arena[to + first + 2 * pair + c] = layer.epilogue.output(channel, sum);
                    }
                }
                first += GROUP;
            }
        }
    }
}
