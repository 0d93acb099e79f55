//! SVDF: a fully connected layer over time in a few dimensions, with what it has seen as its state.

use super::Clamp;
use super::recurrent::dot;
use crate::memory::{Arena, Bounds, Flash};

/// SVDF without its constants: a feature of the input for each filter, and a filter over the last features.
///
/// With `f = W x [F]`, the state `s [F, M]` is shifted by one column and takes `f` as its last; then
/// `y[u] = clamp(bias[u] + sum_r sum_m s[u * R + r, m] * t[u * R + r, m])`. Source: Nakkiran et al., "Compressing Deep
/// Neural Networks using a Rank-Constrained Topology", 2015.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Svdf {
    /// Sequences, inputs of a step, outputs, filters for each, steps that the state remembers.
    pub sizes: [usize; 5],
    /// The fused activation.
    pub clamp: Clamp,
}

impl Svdf {
    /// Elements of scratch: the features and the outputs.
    pub const fn scratch(&self) -> usize {
        let [batch, _, units, rank, _] = self.sizes;
        batch * units * (rank + 1)
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
    let Svdf { sizes: [batch, inputs, units, rank, memory], clamp } = *layer;
    let [x, state, y, next, features] = places;
    let filters = units * rank;
    let outputs = features + batch * filters;
    for n in 0..batch {
        for unit in 0..units {
            let mut sum = bias[unit];
            for filter in unit * rank..(unit + 1) * rank {
                let feature = dot(arena.span(x + n * inputs, inputs), weights.span(filter * inputs, inputs));
                arena[features + n * filters + filter] = feature;
                let kept = arena.span(state + (n * filters + filter) * memory + 1, memory - 1);
                let (first, newest) = (filter * memory, (filter + 1) * memory - 1);
                sum += dot(kept, time.span(first, memory - 1)) + feature * time[newest];
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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn outputs_are_those_of_a_convolution_over_time() {
        // Integers, so that no sum depends on its order; the next state lies where the state does.
        let [inputs, rank, units, memory, frames] = [3, 2, 2, 5, 20];
        let filters = rank * units;
        let number = |i: usize| ((i * 37 + i * i * 11) % 15) as f32 - 7.0;
        let numbers = |from: usize, count: usize| (from..from + count).map(number).collect::<Vec<f32>>();
        let (weights, time, bias) = (numbers(1, filters * inputs), numbers(50, filters * memory), numbers(90, units));
        let layer = Svdf { sizes: [1, inputs, units, rank, memory], clamp: Clamp { min: 0.0, max: f32::INFINITY } };
        let (state, y, scratch) = (inputs, inputs + filters * memory, inputs + filters * memory + units);
        let mut arena = vec![0.0; scratch + layer.scratch()];
        for t in 0..frames {
            arena[..inputs].copy_from_slice(&numbers(100 + t * inputs, inputs));
            let constants = [&weights, &time, &bias].map(|values| Flash::new(values));
            let [w, taps, b] = constants;
            svdf(Arena::new(&mut arena), [0, state, y, state, scratch], &layer, w, taps, b);
            let feature = |filter: usize, t: usize| {
                let x = numbers(100 + t * inputs, inputs);
                (0..inputs).map(|i| weights[filter * inputs + i] * x[i]).sum::<f32>()
            };
            for unit in 0..units {
                let mut sum = bias[unit];
                for filter in unit * rank..(unit + 1) * rank {
                    for back in 0..memory.min(t + 1) {
                        sum += feature(filter, t - back) * time[filter * memory + memory - 1 - back];
                    }
                }
                assert_eq!(arena[y + unit], sum.max(0.0), "frame {t}, unit {unit}");
            }
        }
    }
}
