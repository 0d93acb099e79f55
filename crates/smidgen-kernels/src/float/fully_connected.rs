//! FULLY_CONNECTED.

use super::Clamp;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// `y[r, o] = clamp(bias[o] + sum over k of x[r, k] * w[o, k])`.
///
/// `sizes` are K and O; `weights` are `[O, K]`. Order: one element at a time, all reads before its write.
pub fn fully_connected<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    sizes: [usize; 2],
    clamp: Clamp,
    weights: Flash<'_, f32, B>,
    bias: Flash<'_, f32, B>,
) {
    let Views { input, output } = views;
    let [inputs, outputs] = sizes;
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        for o in 0..outputs {
            let mut sum = 0f32;
            for (&v, &w) in arena[from..from + inputs].iter().zip(weights.span(o * inputs, inputs)) {
                sum += v * w;
            }
            arena[to + o] = clamp.apply(sum + bias[o]);
        }
    }
}
