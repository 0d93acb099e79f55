//! SVDF on int8, with a state of int16.

use crate::memory::{Arena, Bounds, Flash};
use crate::requant::{Factor, Rounding, limit};

/// SVDF without its constants, as [`float::Svdf`](crate::float::Svdf) says what it computes. Features are brought to the
/// state's scale and clamped to int16; what a filter over the state gives is summed up in the bias' scale, the product of
/// those of the state and of the filter.
///
/// There is no fused activation: as in the reference, which takes RELU alone, outputs are clamped to int8, and the zero
/// point -128 that its converter gives them makes that RELU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Svdf {
    /// Sequences, inputs of a step, outputs, filters for each, steps that the state remembers.
    pub sizes: [usize; 5],
    /// Zero points of the input and the output.
    pub zeros: [i32; 2],
    /// From the sum of a feature to the state.
    pub feature: Factor,
    /// From the sum over time to the output.
    pub output: Factor,
    /// How both are rounded.
    pub rounding: Rounding,
}

impl Svdf {
    /// Bytes of scratch: the features and the outputs.
    pub const fn scratch(&self) -> usize {
        let [batch, _, units, rank, _] = self.sizes;
        batch * units * (2 * rank + 1)
    }
}

/// Element `i` of the int16 that lie from byte `from` on.
#[inline(always)]
fn stored<B: Bounds>(arena: &Arena<'_, i8, B>, from: usize, i: usize) -> i16 {
    i16::from_le_bytes(arena.load::<2>(from + 2 * i).map(|byte| byte as u8))
}

/// Runs one step of SVDF on int8.
///
/// `places` are the bytes at which `x [N, I]` of int8, the state `[N, F, M]` of int16, the output `[N, U]` of int8, the
/// next state `[N, F, M]` of int16 and the scratch begin. `weights` are `[F, I]`, `time` is `[F, M]`, `bias` is `[U]`.
/// Sums wrap at 32 bits.
///
/// Order: as [`float::svdf`](crate::float::svdf()).
pub fn svdf<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    places: [usize; 5],
    layer: &Svdf,
    weights: Flash<'_, i8, B>,
    time: Flash<'_, i16, B>,
    bias: Flash<'_, i32, B>,
) {
    let Svdf { sizes: [batch, inputs, units, rank, memory], zeros: [input_zero, output_zero], .. } = *layer;
    let [x, state, y, next, features] = places;
    let filters = units * rank;
    let outputs = features + 2 * batch * filters;
    for n in 0..batch {
        for unit in 0..units {
            let mut sum = bias[unit];
            for filter in unit * rank..(unit + 1) * rank {
                let row = arena.span(x + n * inputs, inputs).iter().zip(weights.span(filter * inputs, inputs));
                let product = |(&v, &w): (&i8, &i8)| (i32::from(v) - input_zero).wrapping_mul(i32::from(w));
                let feature = row.map(product).fold(0i32, i32::wrapping_add);
                let feature: i16 = limit(layer.feature.apply(feature, layer.rounding), i16::MIN, i16::MAX);
                arena.store(features + 2 * (n * filters + filter), feature.to_le_bytes().map(|byte| byte as i8));
                let kept = state + 2 * ((n * filters + filter) * memory + 1);
                let newest = (filter + 1) * memory - 1;
                for (m, &tap) in time.span(filter * memory, memory - 1).iter().enumerate() {
                    sum = sum.wrapping_add(i32::from(stored(&arena, kept, m)).wrapping_mul(i32::from(tap)));
                }
                sum = sum.wrapping_add(i32::from(feature).wrapping_mul(i32::from(time[newest])));
            }
            let scaled = layer.output.apply(sum, layer.rounding).wrapping_add(output_zero);
            arena[outputs + n * units + unit] = limit(scaled, i8::MIN, i8::MAX);
        }
    }
    arena.copy(state + 2, next, 2 * (batch * filters * memory - 1));
    for row in 0..batch * filters {
        arena.copy(features + 2 * row, next + 2 * (row * memory + memory - 1), 2);
    }
    arena.copy(outputs, y, batch * units);
}
