//! Recurrent layers: LSTM, GRU and the simple RNN, a whole sequence in one run.

use super::Clamp;
use super::hybrid::Steps;
use super::unary::logistic;
use crate::isa::Isa;
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

    /// Bytes of scratch of [`recurrent_hybrid`]: besides, the sums of a step, and what is quantised, in 16 bits.
    pub const fn hybrid_scratch(&self) -> usize {
        let [_, _, inputs, units] = self.sizes;
        let vector = if inputs > units { inputs } else { units };
        4 * (self.scratch() + self.cell.gates() * units) + 2 * vector
    }

    /// True if nothing is multiplied but weights with inputs and last outputs.
    pub const fn takes_hybrid(&self) -> bool {
        !matches!(self.cell, Cell::Gru | Cell::GruResetAfter)
    }
}

/// What the units of a layer sum up. A step's input lies at `x`, the output of the step before at `h`.
trait Products<B: Bounds> {
    /// Begins a step.
    fn begin(&self, arena: &mut Arena<'_, f32, B>, x: usize, h: usize);

    /// The bias of a row of the weights.
    fn bias(&self, row: usize) -> f32;

    /// `bias + W x` of a row.
    fn input(&self, arena: &Arena<'_, f32, B>, row: usize, x: usize) -> f32;

    /// `R v` of a row, for the vector at `v`.
    fn state(&self, arena: &Arena<'_, f32, B>, row: usize, v: usize) -> f32;
}

/// Of weights that are floats.
struct Real<'a, B: Bounds> {
    /// Inputs of a step, units.
    sizes: [usize; 2],
    weights: [Flash<'a, f32, B>; 2],
    bias: Flash<'a, f32, B>,
}

impl<B: Bounds> Products<B> for Real<'_, B> {
    #[inline(always)]
    fn begin(&self, _: &mut Arena<'_, f32, B>, _: usize, _: usize) {}

    #[inline(always)]
    fn bias(&self, row: usize) -> f32 {
        self.bias[row]
    }

    #[inline]
    fn input(&self, arena: &Arena<'_, f32, B>, row: usize, x: usize) -> f32 {
        let inputs = self.sizes[0];
        self.bias[row] + dot(arena.span(x, inputs), self.weights[0].span(row * inputs, inputs))
    }

    #[inline]
    fn state(&self, arena: &Arena<'_, f32, B>, row: usize, v: usize) -> f32 {
        let units = self.sizes[1];
        dot(arena.span(v, units), self.weights[1].span(row * units, units))
    }
}

/// The sum of products, in order.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (&v, &w)| sum + v * w)
}

/// Of weights of int8: input and state are quantised to eight bits at each step, each with a scale of its own.
struct Hybrid<'a, const ASYMMETRIC: bool, B: Bounds> {
    isa: Isa,
    /// Inputs of a step, units.
    sizes: [usize; 2],
    rows: usize,
    weights: [Flash<'a, i8, B>; 2],
    channels: Flash<'a, f32, B>,
    /// Elements of the sums of all rows, and of what is quantised.
    sums: usize,
    quantised: usize,
}

impl<const ASYMMETRIC: bool, B: Bounds> Products<B> for Hybrid<'_, ASYMMETRIC, B> {
    fn begin(&self, arena: &mut Arena<'_, f32, B>, x: usize, h: usize) {
        for row in 0..self.rows {
            arena[self.sums + row] = self.bias(row);
        }
        for (i, (from, weights)) in [x, h].into_iter().zip(self.weights).enumerate() {
            let count = self.sizes[i];
            let (mut rest, mut vector) = arena.reborrow().carve::<i16>(self.quantised, count);
            let values = rest.span(from, count);
            let steps = Steps::of_values::<ASYMMETRIC>(values);
            for (to, &v) in vector.span_mut(0, count).iter_mut().zip(values) {
                *to = steps.of(v) as i16;
            }
            for row in 0..self.rows {
                let sum = self.isa.dot_i16_i8(vector.span(0, count), weights.span(row * count, count));
                rest[self.sums + row] += sum as f32 * (steps.scale * self.channels[i * self.rows + row]);
            }
        }
    }

    #[inline(always)]
    fn bias(&self, row: usize) -> f32 {
        self.channels[2 * self.rows + row]
    }

    #[inline(always)]
    fn input(&self, arena: &Arena<'_, f32, B>, row: usize, _: usize) -> f32 {
        arena[self.sums + row]
    }

    /// Summed up already.
    #[inline(always)]
    fn state(&self, _: &Arena<'_, f32, B>, _: usize, _: usize) -> f32 {
        0.0
    }
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
    arena: Arena<'_, f32, B>,
    places: [usize; 7],
    layer: &Recurrent,
    weights: Flash<'_, f32, B>,
    recurrent: Flash<'_, f32, B>,
    bias: Flash<'_, f32, B>,
) {
    let [_, _, inputs, units] = layer.sizes;
    run(arena, places, layer, &Real { sizes: [inputs, units], weights: [weights, recurrent], bias });
}

/// [`recurrent`] with weights of int8 beside floats, TensorFlow Lite's dynamic-range quantisation: at each step the input and the last
/// output are quantised, each from -127 to 127 in steps of `max |v| / 127`. For a [`Cell`] that multiplies nothing but these.
///
/// `weights` and `recurrent` are W and R, `channels` what a weight of 1 stands for in each row of W and in each of R, then the
/// biases. Places and order are those of [`recurrent`]; the scratch has [`Recurrent::hybrid_scratch`] bytes.
pub fn recurrent_hybrid<B: Bounds>(
    isa: Isa,
    arena: Arena<'_, f32, B>,
    places: [usize; 7],
    layer: &Recurrent,
    weights: Flash<'_, i8, B>,
    recurrent: Flash<'_, i8, B>,
    channels: Flash<'_, f32, B>,
) {
    hybrid::<false, B>(isa, arena, places, layer, [weights, recurrent], channels);
}

/// The same with both quantised from -128 to 127 between their least and their greatest value.
pub fn recurrent_hybrid_asymmetric<B: Bounds>(
    isa: Isa,
    arena: Arena<'_, f32, B>,
    places: [usize; 7],
    layer: &Recurrent,
    weights: Flash<'_, i8, B>,
    recurrent: Flash<'_, i8, B>,
    channels: Flash<'_, f32, B>,
) {
    hybrid::<true, B>(isa, arena, places, layer, [weights, recurrent], channels);
}

#[inline(always)]
fn hybrid<const ASYMMETRIC: bool, B: Bounds>(
    isa: Isa,
    arena: Arena<'_, f32, B>,
    places: [usize; 7],
    layer: &Recurrent,
    weights: [Flash<'_, i8, B>; 2],
    channels: Flash<'_, f32, B>,
) {
    let [_, _, inputs, units] = layer.sizes;
    let rows = layer.cell.gates() * units;
    let sums = places[6] + layer.scratch();
    let (sizes, quantised) = ([inputs, units], sums + rows);
    let products = Hybrid::<ASYMMETRIC, B> { isa, sizes, rows, weights, channels, sums, quantised };
    run(arena, places, layer, &products);
}

#[inline(always)]
fn run<B: Bounds>(mut arena: Arena<'_, f32, B>, places: [usize; 7], layer: &Recurrent, products: &impl Products<B>) {
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
            let x = x + row * inputs;
            products.begin(&mut arena, x, h);
            let sum = |arena: &Arena<'_, f32, B>, gate: usize, unit: usize| {
                let row = gate * units + unit;
                products.input(arena, row, x) + products.state(arena, row, h)
            };
            match cell {
                Cell::Lstm => {
                    for unit in 0..units {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| sum(&arena, gate, unit));
                        let kept = logistic(f) * arena[c + unit] + logistic(i) * libm::tanhf(g);
                        let kept = Clamp { min: -clip, max: clip }.apply(kept);
                        arena[c + unit] = kept;
                        arena[next + unit] = logistic(o) * libm::tanhf(kept);
                    }
                }
                Cell::Gru => {
                    for unit in 0..units {
                        arena[reset + unit] = logistic(sum(&arena, 1, unit)) * arena[h + unit];
                    }
                    for unit in 0..units {
                        let z = logistic(sum(&arena, 0, unit));
                        let n = libm::tanhf(
                            products.input(&arena, 2 * units + unit, x)
                                + products.state(&arena, 2 * units + unit, reset),
                        );
                        arena[next + unit] = (1.0 - z) * n + z * arena[h + unit];
                    }
                }
                Cell::GruResetAfter => {
                    for unit in 0..units {
                        let [z, r] = [0, 1].map(|gate| logistic(sum(&arena, gate, unit)));
                        let row = 2 * units + unit;
                        let state = products.state(&arena, row, h) + products.bias(row + units);
                        let n = libm::tanhf(products.input(&arena, row, x) + r * state);
                        arena[next + unit] = (1.0 - z) * n + z * arena[h + unit];
                    }
                }
                Cell::Tanh | Cell::Relu => {
                    for unit in 0..units {
                        let sum = sum(&arena, 0, unit);
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
