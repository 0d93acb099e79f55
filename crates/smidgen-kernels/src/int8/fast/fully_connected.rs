//! FULLY_CONNECTED.

use crate::int8::{Channels, Int8};
use crate::isa::Isa;
use crate::view::{Region, View};

/// The same as [`fully_connected`](crate::int8::fully_connected()) for weights whose zero point is 0 and a bias that is
/// [folded](super::fold_bias).
///
/// Order: one element at a time, all reads before its write.
pub fn fully_connected(
    isa: Isa,
    arena: &mut [i8],
    input: View,
    output: View,
    region: Region,
    sizes: [usize; 2],
    quant: &Int8,
    weights: &[i8],
    channels: Channels,
) {
    let [inputs, outputs] = sizes;
    for row in region.y0..region.y1 {
        let (from, to) = (input.row(row), output.row(row));
        for o in 0..outputs {
            let acc = isa.dot_i8_i8(&arena[from..from + inputs], &weights[o * inputs..][..inputs]);
            arena[to + o] = channels.finish(o, acc, quant);
        }
    }
}
