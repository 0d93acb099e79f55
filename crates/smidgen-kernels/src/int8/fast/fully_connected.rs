//! FULLY_CONNECTED.

use crate::int8::{Channels, Int8};
use crate::isa::Isa;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};

/// A FULLY_CONNECTED without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FullyConnected {
    /// Inputs and outputs of a row.
    pub sizes: [usize; 2],
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

/// The same as [`fully_connected`](crate::int8::fully_connected()) for weights whose zero point is 0 and a bias that is
/// [folded](super::fold_bias).
///
/// Order: one element at a time, all reads before its write.
pub fn fully_connected<B: Bounds>(
    isa: Isa,
    mut arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    layer: &FullyConnected,
    weights: Flash<'_, i8, B>,
    channels: Channels<'_, B>,
) {
    let Views { input, output } = views;
    let FullyConnected { sizes: [inputs, outputs], quant } = *layer;
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        for o in 0..outputs {
            let acc = isa.dot_i8_i8(arena.span(from, inputs), weights.span(o * inputs, inputs));
            arena[to + o] = channels.finish(o, acc, &quant);
        }
    }
}
