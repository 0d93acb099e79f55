//! FULLY_CONNECTED.

use crate::int8::{Channels, Int8};
use crate::isa::Isa;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View};

/// The same as [`fully_connected`](crate::int8::fully_connected()) for weights whose zero point is 0 and a bias that is
/// [folded](super::fold_bias).
///
/// Order: one element at a time, all reads before its write.
pub fn fully_connected<B: Bounds>(
    isa: Isa,
    mut arena: Arena<'_, i8, B>,
    input: View,
    output: View,
    region: Region,
    sizes: [usize; 2],
    quant: &Int8,
    weights: Flash<'_, i8, B>,
    channels: Channels<'_, B>,
) {
    let [inputs, outputs] = sizes;
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        for o in 0..outputs {
            let acc = isa.dot_i8_i8(arena.span(from, inputs), weights.span(o * inputs, inputs));
            arena[to + o] = channels.finish(o, acc, quant);
        }
    }
}
