//! FULLY_CONNECTED, simple form.

use super::Arithmetic;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// A FULLY_CONNECTED without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FullyConnected {
    /// K and O: inputs and outputs of a row.
    pub sizes: [usize; 2],
    /// Zero point of the weights.
    pub weight_zero: i32,
}

/// `y[r, o] = requantise(bias[o] + sum over k of (x[r, k] - input_zero) * (w[o, k] - weight_zero))`.
///
/// `weights` are `[O, K]`. Order: one element at a time, all reads before its write.
pub fn fully_connected<A: Arithmetic, B: Bounds>(
    mut arena: Arena<'_, A::Stored, B>,
    views: &Views,
    region: Region,
    layer: &FullyConnected,
    quant: &A,
    weights: Flash<'_, i8, B>,
    channels: A::Channels<'_, B>,
) {
    let Views { input, output } = views;
    let FullyConnected { sizes: [inputs, outputs], weight_zero } = *layer;
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        for o in 0..outputs {
            let mut acc = A::Sum::default();
            for (&v, &w) in arena[from..from + inputs].iter().zip(weights.span(o * inputs, inputs)) {
                quant.add(&mut acc, v, w as i32 - weight_zero);
            }
            arena[to + o] = quant.finish(&channels, o, acc);
        }
    }
}
