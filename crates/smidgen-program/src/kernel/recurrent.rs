//! The kernel of recurrent layers.

use super::pattern::{Needed, Taken, product, some};
use super::{KernelSpec, Pattern, Site};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType::Float32;
use smidgen_kernels::float::{self, Cell, Recurrent};

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

impl KernelSpec for RecurrentF32 {
    fn pattern(&self) -> Pattern<'_> {
        let layer = &self.layer;
        let sized = is_sized(layer);
        // Sizes that cannot be worked out are not.
        let [x, sequence, state] = if sized { extents(layer) } else { [Extent { rows: 1, cols: 1, depth: 1 }; 3] };
        let needed = if layer.outputs[0] && in_order(layer) { Needed::Row } else { Needed::All };
        let mut inputs = vec![Taken { element: Float32, extent: x, needed }];
        let states = if layer.initial { layer.cell.states() } else { 0 };
        inputs.extend([Taken { element: Float32, extent: state, needed: Needed::All }].repeat(states));
        let asked = [sequence, state, state].into_iter().zip(layer.outputs).filter(|(_, asked)| *asked);
        let outputs = asked.map(|(extent, _)| (Float32, extent)).collect();
        Pattern::Given { inputs, outputs, sized, taken: None }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        elements(&self.layer).map(|elements| 4 * elements).to_vec()
    }

    fn scratch(&self) -> usize {
        4 * self.layer.scratch()
    }

    fn work(&self, run: &Size) -> Work {
        let [batch, steps, _, units] = self.layer.sizes;
        let each = FUNCTION * self.layer.cell.functions() + 1;
        Work::new(Family::OtherF32, [1, batch * steps * units * each, run.multiplications()])
    }
}

/// What LOGISTIC or TANH of one float takes, in elements of [`Family::OtherF32`].
const FUNCTION: usize = 3;

call!(RecurrentF32(k, site) => float::recurrent:
    arena(f32), value(places = k.places(site)), reference(layer = k.layer), constant(weights: f32 = 0),
    constant(recurrent: f32 = 1), constant(bias: f32 = 2));

impl RecurrentF32 {
    /// Elements at which operands and scratch begin; 0 for those that are not there.
    fn places(&self, site: &Site<'_>) -> [usize; 7] {
        let mut places = [site.input_base(0, false), 0, 0, 0, 0, 0, site.scratch() / 4];
        let asked = (1..).zip(self.layer.outputs).filter(|(_, asked)| *asked);
        asked.enumerate().for_each(|(i, (place, _))| places[place] = site.output_bytes(i) / 4);
        if self.layer.initial {
            (0..self.layer.cell.states()).for_each(|i| places[4 + i] = site.input_base(1 + i, false));
        }
        places
    }
}
