//! SOFTMAX over the channels of each pixel, float32.

use crate::memory::{Arena, Bounds};
use crate::view::{Region, Views};

/// `exp(beta * (x - max)) / sum` over the `depth` channels of each pixel.
///
/// Order: one pixel at a time; its input is read until its last channel is written.
pub fn softmax<B: Bounds>(mut arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, beta: f32) {
    let Views { input, output } = views;
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            let (from, to) = (input.at(y, x), output.at(y, x));
            let max = arena[from..from + depth].iter().copied().fold(f32::MIN, f32::max);
            let mut sum = 0.0;
            for c in 0..depth {
                let e = libm::expf((arena[from + c] - max) * beta);
                arena[to + c] = e;
                sum += e;
            }
            for share in arena.span_mut(to, depth) {
                *share /= sum;
            }
        }
    }
}
