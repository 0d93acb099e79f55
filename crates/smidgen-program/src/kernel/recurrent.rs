//! The kernel of recurrent layers.

use super::pattern::{Needed, Taken, product, some};
use super::{KernelSpec, Pattern, Site};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType::{self, Float32, Int8, Int16};
use smidgen_kernels::float::{self, Cell, DynamicRange, Recurrent};
use smidgen_kernels::int8::{self, Lstm};

/// A recurrent layer on float32. Inputs: `x` as `[N * T, 1, I]`, and with initial states the first outputs `[N, 1, H]`
/// and of an LSTM the first memories `[N, 1, H]`. Outputs, those that the layer has: all outputs `[N * T, 1, H]`, the
/// last outputs and the last memories `[N, 1, H]`. Constants: W `[G * H, I]`, R `[G * H, H]`, the bias.
#[derive(Clone, PartialEq, Debug)]
pub struct RecurrentF32 {
    /// The layer.
    pub layer: Recurrent,
}

/// Extents of `x`, of the outputs of all steps, and of a state.
fn extents(layer: &Recurrent) -> [Extent; 3] {
    let [batch, steps, inputs, units] = layer.sizes;
    let extent = |rows, depth| Extent { rows, cols: 1, depth };
    [extent(batch * steps, inputs), extent(batch * steps, units), extent(batch, units)]
}

/// True if rows of the input are read, and those of the output written, from the first to the last.
pub fn in_order(layer: &Recurrent) -> bool {
    !layer.reverse && (!layer.time_major || layer.sizes[0] == 1)
}

/// Elements of the constants.
fn elements(layer: &Recurrent) -> [usize; 3] {
    let [_, _, inputs, units] = layer.sizes;
    let rows = layer.cell.gates() * units;
    [rows * inputs, rows * units, layer.cell.biases() * units]
}

/// Nothing is 0, too large, or asked for that the cell does not have.
fn is_sized(layer: &Recurrent) -> bool {
    let [batch, steps, inputs, units] = layer.sizes;
    let rows = || product(&[4 * layer.cell.biases(), units]);
    some(&[batch, steps, inputs, 4])
        && some(&[batch, steps, units, 4])
        && some(&[batch, 4 * units, 4])
        && rows().is_some_and(|rows| some(&[rows, inputs]) && some(&[rows, units]))
        && layer.outputs.contains(&true)
        && (layer.cell == Cell::Lstm || !layer.outputs[2])
}

/// The same with weights of int8. Constants: W `[G * H, I]`, R `[G * H, H]`, what a weight of 1 stands for in each row of W and of R, and the
/// bias, `[3 * G * H]` float32.
#[derive(Clone, PartialEq, Debug)]
pub struct RecurrentHybrid {
    /// The layer.
    pub layer: Recurrent,
    /// How input and state are quantised at each step.
    pub range: DynamicRange,
}

/// An LSTM on int8, whose memory is int16. Operands as of [`RecurrentF32`]. Constants: W, R, and the biases of both
/// `[2 * 4 * H]`, of int32.
#[derive(Clone, PartialEq, Debug)]
pub struct LstmI8 {
    /// The layer.
    pub layer: Lstm,
}

/// The same as firmware runs it. Constants: W and R from [`lstm_pack`](int8::mcu::lstm_pack), and what sums start with, `[2, H, 4]` of int32.
#[derive(Clone, PartialEq, Debug)]
pub struct LstmI8Mcu {
    /// The layer.
    pub layer: Lstm,
}

/// A layer of floats of the same sizes.
fn sizes_of(layer: &Lstm) -> Recurrent {
    let Lstm { sizes, time_major, reverse, initial, outputs, .. } = *layer;
    Recurrent { cell: Cell::Lstm, sizes, time_major, reverse, clip: f32::INFINITY, initial, outputs }
}

/// The operands of a layer with outputs and memories of these types.
fn pattern<'a>(layer: &Recurrent, output: ElementType, memory: ElementType) -> Pattern<'a> {
    let sized = is_sized(layer);
    // Sizes that cannot be worked out are not.
    let [x, sequence, state] = if sized { extents(layer) } else { [Extent { rows: 1, cols: 1, depth: 1 }; 3] };
    let needed = if layer.outputs[0] && in_order(layer) { Needed::Row } else { Needed::All };
    let mut inputs = vec![Taken { element: output, extent: x, needed }];
    let states = if layer.initial { layer.cell.states() } else { 0 };
    let kept = |element| Taken { element, extent: state, needed: Needed::All };
    inputs.extend([output, memory].map(kept).into_iter().take(states));
    let all = [(output, sequence), (output, state), (memory, state)];
    let outputs = all.into_iter().zip(layer.outputs).filter(|(_, asked)| *asked).map(|(output, _)| output).collect();
    Pattern::Given { inputs, outputs, sized, taken: None }
}

fn work(family: Family, layer: &Recurrent, run: &Size) -> Work {
    let [batch, steps, _, units] = layer.sizes;
    let each = FUNCTION * layer.cell.functions() + 1;
    Work::new(family, [1, batch * steps * units * each, run.multiplications()])
}

/// Where operands and scratch begin, in elements of so many bytes; 0 for those that are not there.
fn places(layer: &Recurrent, site: &Site<'_>, bytes: usize) -> [usize; 7] {
    let mut places = [site.input_place(0, true).view.base, 0, 0, 0, 0, 0, site.scratch()];
    let asked = (1..).zip(layer.outputs).filter(|(_, asked)| *asked);
    asked.enumerate().for_each(|(i, (place, _))| places[place] = site.output_bytes(i));
    if layer.initial {
        (0..layer.cell.states()).for_each(|i| places[4 + i] = site.input_place(1 + i, true).view.base);
    }
    places.map(|place| place / bytes)
}

impl KernelSpec for RecurrentF32 {
    fn pattern(&self) -> Pattern<'_> {
        pattern(&self.layer, Float32, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        elements(&self.layer).map(|elements| 4 * elements).to_vec()
    }

    fn scratch(&self) -> usize {
        4 * self.layer.scratch()
    }

    fn work(&self, run: &Size) -> Work {
        work(Family::OtherF32, &self.layer, run)
    }
}

/// What LOGISTIC or TANH of one float takes, in elements of [`Family::OtherF32`].
const FUNCTION: usize = 3;

call!(RecurrentF32(k, site) => float::recurrent:
    arena(f32), value(places = places(&k.layer, site, 4)), reference(layer = k.layer), constant(weights: f32 = 0),
    constant(recurrent: f32 = 1), constant(bias: f32 = 2));

impl KernelSpec for RecurrentHybrid {
    fn pattern(&self) -> Pattern<'_> {
        pattern(&self.layer, Float32, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        let [weights, recurrent, bias] = elements(&self.layer);
        vec![weights, recurrent, 3 * 4 * bias]
    }

    fn scratch(&self) -> usize {
        self.layer.hybrid_scratch().next_multiple_of(4)
    }

    fn is_sound<'a>(&self, _: &dyn Fn(usize) -> &'a [u8]) -> bool {
        self.layer.takes_hybrid()
    }

    fn work(&self, run: &Size) -> Work {
        work(Family::OtherF32, &self.layer, run)
    }
}

call!(RecurrentHybrid(k, site) of k.range => {
    DynamicRange::Symmetric => float::recurrent_hybrid,
    DynamicRange::Asymmetric => float::recurrent_hybrid_asymmetric,
}:
    isa(), arena(f32), value(places = places(&k.layer, site, 4)), reference(layer = k.layer),
    constant(weights: i8 = 0), constant(recurrent: i8 = 1), constant(channels: f32 = 2));

impl KernelSpec for LstmI8 {
    fn pattern(&self) -> Pattern<'_> {
        pattern(&sizes_of(&self.layer), Int8, Int16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        let [weights, recurrent, bias] = elements(&sizes_of(&self.layer));
        vec![weights, recurrent, 2 * 4 * bias]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch().next_multiple_of(4)
    }

    /// The memory's bits are those that TANH is made for.
    fn is_sound<'a>(&self, _: &dyn Fn(usize) -> &'a [u8]) -> bool {
        self.layer.memory_bits <= 6
    }

    fn work(&self, run: &Size) -> Work {
        work(Family::Other, &sizes_of(&self.layer), run)
    }
}

call!(LstmI8(k, site) => int8::lstm:
    arena(i8), value(places = places(&sizes_of(&k.layer), site, 1)), reference(layer = k.layer), constant(weights: i8 = 0),
    constant(recurrent: i8 = 1), constant(bias: i32 = 2));

impl KernelSpec for LstmI8Mcu {
    fn pattern(&self) -> Pattern<'_> {
        pattern(&sizes_of(&self.layer), Int8, Int16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        let [_, _, inputs, units] = self.layer.sizes;
        let weights = [inputs, units].map(|inputs| 4 * int8::mcu::lstm_weights([inputs, units]));
        vec![weights[0], weights[1], 2 * 4 * 4 * units]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch().next_multiple_of(4)
    }

    /// As of [`LstmI8`].
    fn is_sound<'a>(&self, _: &dyn Fn(usize) -> &'a [u8]) -> bool {
        self.layer.memory_bits <= 6
    }

    fn work(&self, run: &Size) -> Work {
        work(Family::Other, &sizes_of(&self.layer), run)
    }
}

call!(LstmI8Mcu(k, site) => int8::mcu::lstm:
    arena(i8), value(places = places(&sizes_of(&k.layer), site, 1)), reference(layer = k.layer),
    constant(weights: u32 = 0), constant(recurrent: u32 = 1), constant(starts: i32 = 2));
