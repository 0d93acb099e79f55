//! Recurrent layers: LSTM, GRU and the simple RNN, a whole sequence in one run.

use super::Clamp;
use super::unary::logistic;
use crate::memory::{Arena, Bounds, Flash};

/// What a recurrent layer computes from an input and its last state. Products are of matrices and vectors; `*` is
/// element by element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cell {
    /// Gates i, f, g, o: `c' = logistic(f) * c + logistic(i) * tanh(g)`, `h' = logistic(o) * tanh(c')`.
    Lstm,
    /// Gates z, r, n: `n = tanh(W x + b + R (logistic(r) * h))`, `h' = (1 - logistic(z)) * n + logistic(z) * h`.
    Gru,
    /// The same with `n = tanh(W x + b + logistic(r) * (R h + b'))`: the reset gate comes behind the matrix. Its bias
    /// b' is the fourth.
    GruResetAfter,
    /// `h' = tanh(W x + R h + b)`.
    Tanh,
    /// `h' = max(W x + R h + b, 0)`.
    Relu,
}

impl Cell {
    /// Rows of the weights for each unit.
    pub const fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru | Self::GruResetAfter => 3,
            Self::Tanh | Self::Relu => 1,
        }
    }

    /// Elements of the bias for each unit.
    pub const fn biases(self) -> usize {
        match self {
            Self::GruResetAfter => 4,
            _ => self.gates(),
        }
    }

    /// Vectors that outlive a step: the output, and of an LSTM its memory.
    pub const fn states(self) -> usize {
        match self {
            Self::Lstm => 2,
            _ => 1,
        }
    }

    /// LOGISTIC and TANH for each unit and step.
    pub const fn functions(self) -> usize {
        match self {
            Self::Lstm => 5,
            Self::Gru | Self::GruResetAfter => 3,
            Self::Tanh => 1,
            Self::Relu => 0,
        }
    }

    /// Vectors of scratch beside the states: the next output, and of [`Cell::Gru`] the output behind its reset gate.
    const fn vectors(self) -> usize {
        match self {
            Self::Gru => 2,
            _ => 1,
        }
    }
}

/// A recurrent layer without its constants.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Recurrent {
    /// What a step computes.
    pub cell: Cell,
    /// Sequences, steps of each, inputs of a step, units.
    pub sizes: [usize; 4],
    /// Sequences lie step by step, `[T, N, ..]`, not one behind the other, `[N, T, ..]`.
    pub time_major: bool,
    /// From the last step to the first.
    pub reverse: bool,
    /// An LSTM's memory stays between this with a minus and this; infinite where it does not.
    pub clip: f32,
    /// The states before the first step are given; else they are 0.
    pub initial: bool,
    /// What is written: the outputs of all steps, the output of the last, the memory of an LSTM after it.
    pub outputs: [bool; 3],
}

impl Recurrent {
    /// Elements of scratch.
    pub const fn scratch(&self) -> usize {
        let [batch, _, _, units] = self.sizes;
        units * (batch * self.cell.states() + self.cell.vectors())
    }
}

/// The units of a sequence: where they find what a step reads.
struct Step<'a, B: Bounds> {
    layer: &'a Recurrent,
    weights: [Flash<'a, f32, B>; 2],
    bias: Flash<'a, f32, B>,
    /// Elements of the step's input and of the outputs of the step before.
    x: usize,
    h: usize,
}

impl<B: Bounds> Step<'_, B> {
    /// `bias + W x` of a gate's unit.
    #[inline]
    fn input(&self, arena: &Arena<'_, f32, B>, gate: usize, unit: usize) -> f32 {
        let [_, _, inputs, units] = self.layer.sizes;
        let row = gate * units + unit;
        self.bias[row] + dot(arena.span(self.x, inputs), self.weights[0].span(row * inputs, inputs))
    }

    /// `R v` of a gate's unit, for the vector at `v`.
    #[inline]
    fn state(&self, arena: &Arena<'_, f32, B>, gate: usize, unit: usize, v: usize) -> f32 {
        let units = self.layer.sizes[3];
        dot(arena.span(v, units), self.weights[1].span((gate * units + unit) * units, units))
    }

    /// Both.
    #[inline]
    fn sum(&self, arena: &Arena<'_, f32, B>, gate: usize, unit: usize) -> f32 {
        self.input(arena, gate, unit) + self.state(arena, gate, unit, self.h)
    }
}

/// The sum of products, in order.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (&v, &w)| sum + v * w)
}

/// Runs a recurrent layer over whole sequences.
///
/// `places` are the elements of `x [N, T, I]` (or `[T, N, I]`), the outputs of all steps `[N, T, H]`, the last outputs
/// `[N, H]` and memories `[N, H]`, the first outputs `[N, H]` and memories `[N, H]`, and the scratch; those that the
/// layer does not have are not looked at. `weights` are W `[G * H, I]` and R `[G * H, H]`, gate by gate in the cell's
/// order; `bias` is `[G * H]`, with one more H as [`Cell`] says.
///
/// Order: one sequence after the other, step by step as `reverse` says; a step's input is read before its output is
/// written. Initial states are read first of all. When all has been read, the very last element of the outputs of all
/// steps is written, then last outputs and memories.
pub fn recurrent<B: Bounds>(
    mut arena: Arena<'_, f32, B>,
    places: [usize; 7],
    layer: &Recurrent,
    weights: Flash<'_, f32, B>,
    recurrent: Flash<'_, f32, B>,
    bias: Flash<'_, f32, B>,
) {
    let Recurrent { cell, sizes: [batch, steps, inputs, units], time_major, reverse, clip, initial, outputs } = *layer;
    let [x, all, last, memory, first, first_memory, scratch] = places;
    let states = batch * units;
    // Behind each other: outputs, memories, the next outputs, the outputs behind the reset gate.
    let memories = scratch + states;
    let next = scratch + states * cell.states();
    let reset = next + units;
    if initial {
        arena.copy(first, scratch, states);
        if cell == Cell::Lstm {
            arena.copy(first_memory, memories, states);
        }
    } else {
        arena.span_mut(scratch, states * cell.states()).fill(0.0);
    }
    let mut end = 0.0;
    for n in 0..batch {
        let (h, c) = (scratch + n * units, memories + n * units);
        for i in 0..steps {
            let t = if reverse { steps - 1 - i } else { i };
            let row = if time_major { t * batch + n } else { n * steps + t };
            let step = Step { layer, weights: [weights, recurrent], bias, x: x + row * inputs, h };
            match cell {
                Cell::Lstm => {
                    for unit in 0..units {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| step.sum(&arena, gate, unit));
                        let kept = logistic(f) * arena[c + unit] + logistic(i) * libm::tanhf(g);
                        let kept = Clamp { min: -clip, max: clip }.apply(kept);
                        arena[c + unit] = kept;
                        arena[next + unit] = logistic(o) * libm::tanhf(kept);
                    }
                }
                Cell::Gru => {
                    for unit in 0..units {
                        arena[reset + unit] = logistic(step.sum(&arena, 1, unit)) * arena[h + unit];
                    }
                    for unit in 0..units {
                        let z = logistic(step.sum(&arena, 0, unit));
                        let n = libm::tanhf(step.input(&arena, 2, unit) + step.state(&arena, 2, unit, reset));
                        arena[next + unit] = (1.0 - z) * n + z * arena[h + unit];
                    }
                }
                Cell::GruResetAfter => {
                    for unit in 0..units {
                        let [z, r] = [0, 1].map(|gate| logistic(step.sum(&arena, gate, unit)));
                        let state = step.state(&arena, 2, unit, h) + bias[3 * units + unit];
                        let n = libm::tanhf(step.input(&arena, 2, unit) + r * state);
                        arena[next + unit] = (1.0 - z) * n + z * arena[h + unit];
                    }
                }
                Cell::Tanh | Cell::Relu => {
                    for unit in 0..units {
                        let sum = step.sum(&arena, 0, unit);
                        let relu = if sum < 0.0 { 0.0 } else { sum };
                        arena[next + unit] = if cell == Cell::Relu { relu } else { libm::tanhf(sum) };
                    }
                }
            }
            arena.copy(next, h, units);
            if outputs[0] {
                let is_end = row + 1 == batch * steps;
                arena.copy(next, all + row * units, units - usize::from(is_end));
                if is_end {
                    end = arena[next + units - 1];
                }
            }
        }
    }
    if outputs[0] {
        arena[all + batch * steps * units - 1] = end;
    }
    if outputs[1] {
        arena.copy(scratch, last, states);
    }
    if outputs[2] {
        arena.copy(memories, memory, states);
    }
}
