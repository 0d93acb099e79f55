//! SVDF: a fully connected layer over time in a few dimensions, with what it has seen as its state.

use super::Clamp;
use crate::memory::{Arena, Bounds, Flash};

/// SVDF without its constants: a feature of the input for each filter, and a filter over the last features.
///
/// With `f = W x [F]`, the state `s [F, M]` is shifted by one column and takes `f` as its last; then
/// `y[u] = clamp(bias[u] + sum_r sum_m s[u * R + r, m] * t[u * R + r, m])`. Source: Nakkiran et al., "Compressing Deep
/// Neural Networks using a Rank-Constrained Topology", 2015.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Svdf {
    /// Sequences, inputs of a step, filters, steps that the state remembers.
    pub sizes: [usize; 4],
    /// Filters for each output; divides the filters.
    pub rank: usize,
    /// The fused activation.
    pub clamp: Clamp,
}

impl Svdf {
    /// Outputs of a sequence.
    pub const fn units(&self) -> usize {
        self.sizes[2] / self.rank
    }

    /// Elements of scratch: the features and the outputs.
    pub const fn scratch(&self) -> usize {
        self.sizes[0] * (self.sizes[2] + self.units())
    }
}

/// Runs one step of SVDF.
///
/// `places` are the elements of `x [N, I]`, the state `[N, F, M]`, the output `[N, U]`, the next state `[N, F, M]` and
/// the scratch. `weights` are `[F, I]`, `time` is `[F, M]`, `bias` is `[U]`.
///
/// Order: everything is read before the outputs are written, and the state is moved as one piece, so that the next state
/// may lie where the state does.
pub fn svdf<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    places: [usize; 5],
    layer: &Svdf,
    weights: Flash<'_, f32, B>,
    time: Flash<'_, f32, B>,
    bias: Flash<'_, f32, B>,
) {
    let Svdf { sizes: [batch, inputs, filters, memory], rank, clamp } = *layer;
    let [x, state, y, next, features] = places;
    let units = layer.units();
    let outputs = features + batch * filters;
    for n in 0..batch {
        for unit in 0..units {
            let mut sum = bias[unit];
            for filter in unit * rank..(unit + 1) * rank {
                let feature = dot(arena.span(x + n * inputs, inputs), weights.span(filter * inputs, inputs));
                arena[features + n * filters + filter] = feature;
                let kept = arena.span(state + (n * filters + filter) * memory + 1, memory - 1);
                let taps = time.span(filter * memory, memory);
                sum += dot(kept, taps) + feature * taps[memory - 1];
            }
            arena[outputs + n * units + unit] = clamp.apply(sum);
        }
    }
    arena.copy(state + 1, next, batch * filters * memory - 1);
    for row in 0..batch * filters {
        arena[next + row * memory + memory - 1] = arena[features + row];
    }
    arena.copy(outputs, y, batch * units);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (&v, &w)| sum + v * w)
}
