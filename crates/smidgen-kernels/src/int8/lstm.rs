//! LSTM on int8, with a memory of int16: TensorFlow Lite's "8x8_16".

use crate::fixed::{logistic16, tanh16};
use crate::isa::Isa;
use crate::memory::{Arena, Bounds, Flash};
use crate::requant::{Factor, Rounding, limit, round_shift};

/// An LSTM without its constants. Gates are in the order i, f, g, o.
///
/// A gate is `clamp(F_R (R h + b_R) + clamp(F_W (W x + b_W)))` in Q3.12, each `F` a [`Factor`] and both clamped to int16.
/// LOGISTIC and TANH of it are Q0.15, and so is TANH of the memory, which is Q with `memory_bits` integer bits:
/// `c' = f c / 2^15 + i g / 2^(15 + memory_bits)`, each term rounded, the sum clamped to int16 and then to `clip`; and
/// `h' = zero + F_h (o tanh(c'))`, clamped to int8.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lstm {
    /// Sequences, steps of each, inputs of a step, units.
    pub sizes: [usize; 4],
    /// Sequences lie step by step, `[T, N, ..]`, not one behind the other, `[N, T, ..]`.
    pub time_major: bool,
    /// From the last step to the first.
    pub reverse: bool,
    /// The states before the first step are given; else they are 0.
    pub initial: bool,
    /// What is written: the outputs of all steps, the output of the last, the memory after it.
    pub outputs: [bool; 3],
    /// From sums over the inputs to each gate.
    pub input: [Factor; 4],
    /// From sums over the outputs of the step before to each gate.
    pub state: [Factor; 4],
    /// From the product of output gate and memory to the output.
    pub hidden: Factor,
    /// Zero point of the output.
    pub zero: i32,
    /// Integer bits of the memory, 0 to 6.
    pub memory_bits: u8,
    /// The memory stays between this with a minus and this; 0 where it does not.
    pub clip: i16,
    /// How sums and products are rounded.
    pub rounding: Rounding,
}

impl Lstm {
    /// Bytes of scratch: the memories, the outputs and the next output.
    pub const fn scratch(&self) -> usize {
        let [batch, _, _, units] = self.sizes;
        3 * batch * units + units
    }
}

/// Runs an LSTM over whole sequences.
///
/// `places` are the bytes at which `x [N, T, I]` (or `[T, N, I]`), the outputs of all steps `[N, T, H]`, the last outputs
/// `[N, H]` and memories `[N, H]` of int16, the first outputs `[N, H]` and memories `[N, H]`, and the scratch begin; those
/// that the layer does not have are not looked at. `weights` are W `[4 H, I]` and R `[4 H, H]`, gate by gate; `bias` is
/// b_W `[4 H]` and behind it b_R `[4 H]`, with the zero points of the input and the output taken into them.
///
/// Order: as [`float::recurrent`](crate::float::recurrent()).
pub fn lstm<B: Bounds>(
    arena: Arena<'_, i8, B>,
    places: [usize; 7],
    layer: &Lstm,
    weights: Flash<'_, i8, B>,
    recurrent: Flash<'_, i8, B>,
    bias: Flash<'_, i32, B>,
) {
    let [_, _, inputs, units] = layer.sizes;
    let rows = |weights, count, first| Rows { weights, count, bias, first, units };
    run(arena, places, layer, [rows(weights, inputs, 0), rows(recurrent, units, 4 * units)]);
}

/// What the gates of a unit sum up over the inputs of a step, `W x + b_W`, or over the outputs of the step before, `R h + b_R`.
pub(super) trait Sums<B: Bounds> {
    /// The sums of the four gates, for what begins at element `from`.
    fn of(&self, arena: &Arena<'_, i8, B>, from: usize, unit: usize) -> [i32; 4];
}

/// Weights row by row.
struct Rows<'a, B: Bounds> {
    weights: Flash<'a, i8, B>,
    /// Elements of a row.
    count: usize,
    bias: Flash<'a, i32, B>,
    /// The first of the biases.
    first: usize,
    units: usize,
}

impl<B: Bounds> Sums<B> for Rows<'_, B> {
    #[inline(always)]
    fn of(&self, arena: &Arena<'_, i8, B>, from: usize, unit: usize) -> [i32; 4] {
        let &Self { weights, count, bias, first, units } = self;
        [0, 1, 2, 3].map(|gate| {
            let row = gate * units + unit;
            let sum = Isa::PORTABLE.dot_i8_i8(arena.span(from, count), weights.span(row * count, count));
            sum.wrapping_add(bias[first + row])
        })
    }
}

/// Runs an LSTM; the sums are those over the inputs and those over the outputs of the step before.
#[inline(always)]
pub(super) fn run<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    places: [usize; 7],
    layer: &Lstm,
    [of_inputs, of_state]: [impl Sums<B>; 2],
) {
    let Lstm { sizes: [batch, steps, inputs, units], rounding, .. } = *layer;
    let [x, all, last, memory, first, first_memory, memories] = places;
    let states = batch * units;
    // Behind each other: memories, outputs, the next outputs.
    let hidden = memories + 2 * states;
    let next = hidden + states;
    if layer.initial {
        arena.copy(first, hidden, states);
        arena.copy(first_memory, memories, 2 * states);
    } else {
        arena.span_mut(hidden, states).fill(layer.zero as i8);
        arena.span_mut(memories, 2 * states).fill(0);
    }
    let mut end = 0;
    for n in 0..batch {
        let (h, c) = (hidden + n * units, memories + 2 * n * units);
        for i in 0..steps {
            let t = if layer.reverse { steps - 1 - i } else { i };
            let row = if layer.time_major { t * batch + n } else { n * steps + t };
            for unit in 0..units {
                let [x_i, x_f, x_g, x_o] = of_inputs.of(&arena, x + row * inputs, unit);
                let [h_i, h_f, h_g, h_o] = of_state.of(&arena, h, unit);
                let gate = |of_inputs: i32, of_state: i32, input: Factor, state: Factor| -> i16 {
                    let of_inputs: i16 = limit(input.apply(of_inputs, rounding), i16::MIN, i16::MAX);
                    let of_state = state.apply(of_state, rounding);
                    limit(of_state.wrapping_add(i32::from(of_inputs)), i16::MIN, i16::MAX)
                };
                let ([w_i, w_f, w_g, w_o], [r_i, r_f, r_g, r_o]) = (layer.input, layer.state);
                let sigmoids = [(x_i, h_i, w_i, r_i), (x_f, h_f, w_f, r_f), (x_o, h_o, w_o, r_o)];
                let [i, f, o] = sigmoids.map(|(x, h, w, r)| i32::from(logistic16(gate(x, h, w, r))));
                let g = i32::from(tanh16(gate(x_g, h_g, w_g, r_g), 3));
                let kept = i32::from(i16::from_le_bytes(arena.load::<2>(c + 2 * unit).map(|byte| byte as u8)));
                let shift = 15 + u32::from(layer.memory_bits);
                let kept: i16 = limit(round_shift(f * kept, 15) + round_shift(i * g, shift), i16::MIN, i16::MAX);
                let kept = if layer.clip > 0 { kept.max(-layer.clip).min(layer.clip) } else { kept };
                arena.store(c + 2 * unit, kept.to_le_bytes().map(|byte| byte as i8));
                let output = o * i32::from(tanh16(kept, u32::from(layer.memory_bits)));
                let output = layer.hidden.apply(output, rounding).wrapping_add(layer.zero);
                arena[next + unit] = limit(output, i8::MIN, i8::MAX);
            }
            arena.copy(next, h, units);
            if layer.outputs[0] {
                let is_end = row + 1 == batch * steps;
                arena.copy(next, all + row * units, units - usize::from(is_end));
                if is_end {
                    end = arena[next + units - 1];
                }
            }
        }
    }
    if layer.outputs[0] {
        arena[all + batch * steps * units - 1] = end;
    }
    if layer.outputs[1] {
        arena.copy(hidden, last, states);
    }
    if layer.outputs[2] {
        arena.copy(memories, memory, 2 * states);
    }
}
