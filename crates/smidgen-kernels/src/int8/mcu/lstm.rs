//! LSTM on int8: the four gates of a unit at a time, as FULLY_CONNECTED has four channels.

use super::fully_connected::{CHANNELS, four, fully_connected_weights};
use super::weights::Width;
use crate::int8::lstm::{Lstm, Sums, run};
use crate::memory::{Arena, Bounds, Flash};

/// Number of words of the packed weights of `[inputs, units]`.
pub const fn lstm_weights(sizes: [usize; 2]) -> usize {
    fully_connected_weights([sizes[0], CHANNELS * sizes[1]], Width::Eight)
}

/// Packs the `[4 H, I]` weights of `[inputs, units]`, which lie gate by gate: of each unit the [words](super::lanes) of its four gates
/// in turn, each gate filled up with zeros to a multiple of four.
///
/// Returns false, the words half done, if a weight [does not fit](super::conv2d_pack).
///
/// # Panics
/// If a slice is not as long as the sizes say, or there are no inputs.
pub fn lstm_pack(sizes: [usize; 2], weights: &[i8], to: &mut [u32]) -> bool {
    let [inputs, units] = sizes;
    assert!(inputs > 0);
    assert_eq!((weights.len(), to.len()), (CHANNELS * units * inputs, lstm_weights(sizes)));
    let of_units = to.chunks_exact_mut(CHANNELS * inputs.div_ceil(4));
    of_units.enumerate().all(|(unit, to)| {
        to.chunks_exact_mut(CHANNELS).enumerate().all(|(g, to)| {
            let weight = |gate: usize, i: usize| {
                if 4 * g + i < inputs { weights[(gate * units + unit) * inputs + 4 * g + i] } else { 0 }
            };
            Width::Eight.pack(CHANNELS, weight, to)
        })
    })
}

/// Packed weights.
struct Packed<'a, B: Bounds> {
    weights: Flash<'a, u32, B>,
    /// Elements that the weights meet.
    count: usize,
    starts: Flash<'a, i32, B>,
    /// The first of what sums start with.
    first: usize,
}

impl<B: Bounds> Sums<B> for Packed<'_, B> {
    #[inline(always)]
    fn of(&self, arena: &Arena<'_, i8, B>, from: usize, unit: usize) -> [i32; 4] {
        let mut acc = *self.starts.array::<CHANNELS>(self.first + unit * CHANNELS);
        let at = unit * CHANNELS * self.count.div_ceil(4);
        four(arena, from, self.count, self.weights, at, &mut acc);
        acc.map(|acc| acc >> Width::Eight.scale_bits())
    }
}

/// [`lstm`](crate::int8::lstm()) with `weights` and `recurrent` from [`lstm_pack`]. `starts` is `[2, H, 4]`: what the sums over the inputs of
/// each unit and gate begin with and behind them those over the state, biases with the zero points taken into them,
/// [started](Width::start) and [scaled](Width::scale). Sums must fit 24 bits.
pub fn lstm<B: Bounds>(
    arena: Arena<'_, i8, B>,
    places: [usize; 7],
    layer: &Lstm,
    weights: Flash<'_, u32, B>,
    recurrent: Flash<'_, u32, B>,
    starts: Flash<'_, i32, B>,
) {
    let [_, _, inputs, units] = layer.sizes;
    let packed = |weights, count, first| Packed { weights, count, starts, first };
    run(arena, places, layer, [packed(weights, inputs, 0), packed(recurrent, units, CHANNELS * units)]);
}
