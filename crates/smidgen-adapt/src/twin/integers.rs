//! The forward pass of an integer network whose weights have copies in floats: the steps of the device, with these
//! copies rounded.

use super::layer::Layer;
use super::nodes::{Kind, Node, Values, real};
use super::number::Number;
use crate::compile::{Role, TrainingStep};
use crate::error::AdaptError;
use crate::learner::{Parts, split};
use crate::network::Features;
use crate::surrogate::{product_passes, scale, slopes};
use smidgen_certify::certify;
use smidgen_exec::{Executor, relabelled};
use smidgen_ir::{Op, TensorId};
use smidgen_kernels::training::mask_bytes;
use smidgen_program::Kernel;
use smidgen_program::program::{Lowered, Operand, Port};
use std::sync::Arc;

/// The steps up to the features, without updates.
#[derive(Clone, Debug)]
pub(super) struct Integers {
    /// What depends on the sample alone; `None` if that is nothing.
    frozen: Option<Executor>,
    /// The others; `None` if there are none. Its inputs are what the frozen part gives, then what is trained.
    changing: Option<Executor>,
    /// Bytes of each thing that the frozen part gives, and the tensors that it is.
    given: Vec<(usize, Vec<usize>)>,
    /// The layer and whether its weights, else its biases, of each further input.
    trained: Vec<(usize, bool)>,
    /// The bytes of each of them; `None` if they have changed since. A run leaves other things where they lie, so
    /// that they are given every time.
    rounded: Option<Vec<Vec<u8>>>,
    features: Arc<Features>,
}

fn internal(error: impl ToString) -> AdaptError {
    AdaptError::Internal(error.to_string())
}

fn executor(lowered: &Lowered) -> Result<Option<Executor>, AdaptError> {
    if lowered.steps.is_empty() {
        return Ok(None);
    }
    Ok(Some(Executor::new(certify(smidgen_plan::layer_wise(lowered)).map_err(internal)?)))
}

impl Integers {
    pub fn new<T: Number>(features: &Features, step: &TrainingStep, layers: &[Layer<T>]) -> Result<Self, AdaptError> {
        let Parts { frozen, mut changing, logits } = split(step);
        let names = |id: TensorId| relabelled(&features.graph, id).into_iter().chain([id]).map(|id| id.index());
        let buffers = frozen.outputs.iter().filter_map(|port| port.operand.buffer());
        let given: Vec<(usize, Vec<usize>)> = buffers
            .map(|id| {
                let buffer = &frozen.buffers[id.index()];
                (buffer.bytes(), buffer.tensor.into_iter().flat_map(names).collect())
            })
            .collect();
        let classifier = changing.steps[logits.index()].inputs[0];
        changing.steps.truncate(logits.index());
        changing.inputs.truncate(given.len());
        changing.outputs = vec![Port { tensor: TensorId(0), operand: classifier }];
        let mut trained = Vec::new();
        for parameter in &step.parameters {
            let (number, weights) = match parameter.role {
                Role::Weights(number) => (number, true),
                Role::Bias(number) => (number, false),
                _ => continue,
            };
            let layer = layers.iter().position(|layer| layer.number == number);
            let layer = layer.ok_or_else(|| internal(format!("layer {number} learns without a gradient")))?;
            let value = changing.variables[parameter.variable].value;
            let extent = changing.buffers[value.index()].extent;
            let operand = Operand::Buffer(value, extent);
            changing.inputs.push(Port { tensor: TensorId(0), operand });
            trained.push((layer, weights));
        }
        changing.variables.clear();
        crate::lists::drop_unused(&mut changing);
        let (frozen, changing) = (executor(&frozen)?, executor(&changing)?);
        Ok(Self { frozen, changing, given, trained, rounded: None, features: Arc::new(features.clone()) })
    }

    pub fn prepare(&mut self, sample: &[u8]) -> Result<Vec<u8>, AdaptError> {
        let Some(frozen) = &mut self.frozen else { return Ok(sample.to_vec()) };
        frozen.set_input(0, sample).map_err(internal)?;
        frozen.run();
        Ok((0..self.given.len()).flat_map(|i| frozen.output(i).iter().copied()).collect())
    }

    /// What is trained has changed.
    pub fn changed(&mut self) {
        self.rounded = None;
    }

    /// Computes all values, and what counts of the gradient of each.
    pub fn forward<T: Number>(
        &mut self,
        prepared: &[u8],
        (nodes, layers): (&[Node<T>], &[Layer<T>]),
        values: &mut Values<T>,
        through: &mut Values<T>,
    ) -> Result<(), AdaptError> {
        let graph = &self.features.graph;
        let grid = |id: usize| scale(graph.tensor(TensorId(id as u32)));
        let fill = |values: &mut Values<T>, id: usize, bytes: &[u8]| {
            let grid = grid(id);
            values[id].iter_mut().zip(bytes).for_each(|(value, &byte)| *value = real(byte, grid));
        };
        let mut rest = prepared;
        let expected: usize = self.given.iter().map(|(bytes, _)| bytes).sum();
        if prepared.len() != expected {
            return Err(internal(format!("a prepared sample has {} bytes, not {expected}", prepared.len())));
        }
        for (i, (bytes, tensors)) in self.given.iter().enumerate() {
            let (own, after) = rest.split_at(*bytes);
            rest = after;
            tensors.iter().for_each(|&id| fill(values, id, own));
            if let Some(changing) = &mut self.changing {
                changing.set_input(i, own).map_err(internal)?;
            }
        }
        let Some(changing) = &mut self.changing else { return Ok(()) };
        let trained = self.rounded.get_or_insert_with(|| {
            let bytes = |&(layer, weights): &(usize, bool)| match weights {
                true => layers[layer].weight_bytes(),
                false => layers[layer].bias_bytes(),
            };
            self.trained.iter().map(bytes).collect()
        });
        for (i, bytes) in trained.iter().enumerate() {
            changing.set_input(self.given.len() + i, bytes).map_err(internal)?;
        }
        changing.run_with(&mut |finished| {
            for (id, bytes) in finished.tensors() {
                fill(values, id.index(), bytes);
                relabelled(graph, id).into_iter().for_each(|id| fill(values, id.index(), bytes));
            }
            let step = &finished.program().steps[finished.step.index()];
            let masked =
                matches!(step.kernel, Kernel::TrainConv2d(_) | Kernel::TrainDepthwise(_) | Kernel::TrainSum(_));
            let Some(op) = step.op.filter(|_| masked) else { return };
            let (id, channels) = (graph.operators[op.index()].outputs[0].index(), step.outputs[0].extent.depth);
            let Some(bits) = finished.output(1).filter(|_| !through[id].is_empty()) else { return };
            let rows = through[id].chunks_mut(channels.max(1)).zip(bits.chunks(mask_bytes(channels).max(1)));
            for (row, bits) in rows {
                for (c, passes) in row.iter_mut().enumerate() {
                    *passes = T::of(f64::from(bits[c / 8] >> (c % 8) & 1));
                }
            }
        });
        for node in nodes {
            self.pass(node, values, through);
        }
        Ok(())
    }

    /// What counts of gradients where no step keeps it.
    fn pass<T: Number>(&self, node: &Node<T>, values: &Values<T>, through: &mut Values<T>) {
        let graph = &self.features.graph;
        let operator = &graph.operators[node.index];
        let (x, y) = (graph.tensor(operator.inputs[0]), graph.tensor(operator.outputs[0]));
        let stored = |value: T, scale: f64| (value.real() / scale).round() as i32;
        let of = scale(x);
        match (&node.kind, &operator.op) {
            (Kind::Function(_), op) => {
                let slopes = slopes(op, x, y).unwrap_or_default();
                let unit = scale(y).0 / of.0;
                for (passes, &x) in through[node.outputs[0]].iter_mut().zip(&values[node.inputs[0]]) {
                    let at = (stored(x, of.0) + of.1 + 128).clamp(0, 255) as usize;
                    *passes = T::of(slopes.get(at).map_or(0.0, |slope| slope * unit));
                }
            }
            (Kind::Product { channels, broadcast }, Op::Binary { activation, .. }) => {
                let scales = [of.0, scale(graph.tensor(operator.inputs[1])).0];
                let effective = scales[0] * scales[1] / scale(y).0;
                for (i, passes) in through[node.outputs[0]].iter_mut().enumerate() {
                    let at = |k: usize| if broadcast[k] { i % channels } else { i };
                    let product: i32 = (0..2).map(|k| stored(values[node.inputs[k]][at(k)], scales[k])).product();
                    *passes = T::of(f64::from(product_passes(product, effective, *activation, y)));
                }
            }
            _ => {}
        }
    }
}
