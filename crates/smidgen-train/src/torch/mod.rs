//! A network as a PyTorch module, and its parameters in PyTorch's order: to train it on larger machines, and to take
//! back what comes of it.
//!
//! Values keep the channels last in the module, as in the graph; a convolution exchanges axes around PyTorch's own,
//! which moves nothing where the memory format is `channels_last`. Normalisation is that of [shards](crate::Settings),
//! so that a step has one gradient for any number of processes.

mod names;
mod program;

use crate::conv::ConvKind;
use crate::error::TrainError;
use crate::net::{Affine, Kind, Net};
use crate::plain::Plain;
use names::Names;
use program::Program;
use smidgen_ir::{Graph, Op};

/// What every module is made of: layers, pools, and how weights are read and written.
const BLOCKS: &str = include_str!("blocks.py");

/// A network as a PyTorch module, made by [`Net::to_torch`].
#[derive(Clone, PartialEq, Debug)]
pub struct Torch {
    text: String,
    slots: Vec<Slot>,
}

/// A tensor of the module, by its name in the module's `state_dict`.
#[derive(Clone, PartialEq, Debug)]
pub struct TorchTensor {
    /// Its name, such as `stem.weight` or `stem.norm.running_mean`.
    pub name: String,
    /// Its dimensions: dense `[co, ci, kh, kw]`, depthwise `[c, 1, kh, kw]`, fully connected `[co, ci]`, others `[c]`.
    pub shape: Vec<usize>,
    /// Its elements, row-major.
    pub values: Vec<f32>,
}

#[derive(Clone, PartialEq, Debug)]
struct Slot {
    name: String,
    shape: Vec<usize>,
    origin: Origin,
}

/// Where the elements of a tensor come from.
#[derive(Clone, PartialEq, Debug)]
enum Origin {
    /// For each, its place among the parameters.
    Parameters(Vec<u32>),
    /// A run of the normalisations' state.
    State(usize),
    /// Always the same.
    Constant(Vec<f32>),
}

/// What a layer with weights has among the parameters.
struct Layer {
    affine: Affine,
    /// Channels of its output.
    channels: usize,
    weight: usize,
    /// Each output channel has weights for one input channel.
    depthwise: bool,
}

impl Net {
    /// The network as a PyTorch module, whose input is divided by `scale` first.
    ///
    /// # Errors
    /// If the network computes what integers stand for, or an operator works across the samples of a batch.
    pub fn to_torch(&self, scale: f32) -> Result<Torch, TrainError> {
        if self.is_quantised() {
            return Err(TrainError::layer("input", "a network of integers has no PyTorch module: take its floats"));
        }
        let made;
        let (graph, whole) = match &self.template {
            Some(template) => (template.graph(), true),
            None => {
                let parameters = vec![0.0; self.parameter_count];
                made = self.to_graph(&parameters, &self.initial_state())?;
                (&made, false)
            }
        };
        Program::new(graph, self.layers(whole), self.slopes(), scale)?.write()
    }

    /// The layers with weights in the order of their operators: of all nodes, or of those that a graph is written of.
    fn layers(&self, whole: bool) -> Vec<Layer> {
        let nodes = self.nodes.iter().enumerate().filter(|&(i, _)| whole || self.plan.live[i]);
        let layer = |(_, node): (usize, &crate::net::Node)| match &node.kind {
            Kind::Conv(conv) => Some(Layer {
                affine: node.affine,
                channels: conv.co,
                weight: conv.weight,
                depthwise: matches!(conv.kind, ConvKind::Depthwise(_)),
            }),
            _ => None,
        };
        nodes.filter_map(layer).collect()
    }

    /// Where the slopes of rectifiers lie, in the order of their operators.
    fn slopes(&self) -> Vec<usize> {
        let slope = |node: &crate::net::Node| match &node.kind {
            Kind::Plain(plain) => match &**plain {
                Plain::Prelu(prelu) => Some(prelu.offset),
                _ => None,
            },
            _ => None,
        };
        self.nodes.iter().filter_map(slope).collect()
    }
}

impl Torch {
    /// The text of a Python file with the class `Network`; `title` is the first line of its description.
    pub fn program(&self, title: &str) -> String {
        // What would end the description, or begin an escape in it.
        let title: String = title.chars().map(|c| if c == '"' || c == '\\' { '\'' } else { c }).collect();
        format!(
            "\"\"\"{title}\n\nWritten by `smidgen export --torch`. Values have the channels last, as in the network's \
             file.\n\"\"\"\n\n{BLOCKS}\n\n{}",
            self.text
        )
    }

    /// Parameters and normalisations' state as the module's tensors.
    ///
    /// # Panics
    /// If their sizes are not the network's.
    pub fn tensors(&self, parameters: &[f32], state: &[f32]) -> Vec<TorchTensor> {
        let values = |slot: &Slot| match &slot.origin {
            Origin::Parameters(places) => places.iter().map(|&place| parameters[place as usize]).collect(),
            Origin::State(at) => state[*at..][..slot.shape.iter().product()].to_vec(),
            Origin::Constant(values) => values.clone(),
        };
        let tensor =
            |slot: &Slot| TorchTensor { name: slot.name.clone(), shape: slot.shape.clone(), values: values(slot) };
        self.slots.iter().map(tensor).collect()
    }

    /// Takes parameters and state from tensors, which `find` gives by name.
    ///
    /// # Errors
    /// If one is missing, or has another shape.
    pub fn restore(
        &self,
        find: &dyn Fn(&str) -> Option<TorchTensor>,
        parameters: &mut [f32],
        state: &mut [f32],
    ) -> Result<(), TrainError> {
        for Slot { name, shape, origin } in &self.slots {
            if let Origin::Constant(_) = origin {
                continue;
            }
            let fail =
                |found: Option<Vec<usize>>| TrainError::Weights { name: name.clone(), wanted: shape.clone(), found };
            let tensor = find(name).ok_or_else(|| fail(None))?;
            if tensor.shape != *shape || tensor.values.len() != shape.iter().product::<usize>() {
                return Err(fail(Some(tensor.shape)));
            }
            match origin {
                Origin::Parameters(places) => {
                    places.iter().zip(&tensor.values).for_each(|(&place, &value)| parameters[place as usize] = value);
                }
                Origin::State(at) => state[*at..][..tensor.values.len()].copy_from_slice(&tensor.values),
                Origin::Constant(_) => {}
            }
        }
        Ok(())
    }
}

/// Whether an operator has weights that are a layer's.
fn is_layer(op: &Op) -> bool {
    matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::TransposeConv { .. } | Op::FullyConnected { .. })
}

/// Names for the graph's values.
fn value_names(graph: &Graph) -> Vec<String> {
    let mut names = Names::default();
    let input = graph.inputs.first();
    let named = graph.tensors.iter().enumerate().map(|(i, tensor)| match input {
        Some(input) if input.index() == i => "x".to_owned(),
        _ => names.unique(&tensor.name, i),
    });
    named.collect()
}
