//! From a float graph to a network that can be trained, and back.
//!
//! Convolutions, fully connected layers and slopes become parameters, with the graph's values to begin with; other
//! constants stay what they are. A graph's batch is 1: the network computes each sample as the graph does.

mod export;
mod fused;
mod moves;
mod plain;

pub(crate) use export::folded;

use crate::builder::{Builder, Value};
use crate::error::TrainError;
use crate::net::{Activation, Affine, Net, Role};
use crate::quantised::{Grid, QuantisedLayer};
use smidgen_ir::{DataType, ElementType, Graph, Op, Operator, Quantisation, Tensor, TensorId, UnaryKind};
use std::collections::HashMap;
use std::sync::Arc;

const LOOKED_UP: &str = "tables that are looked up are not trained here: train it where it was made, and read that";

/// The graph that a network was made from, and which of its constants are parameters.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    graph: Graph,
    bindings: Vec<Binding>,
}

/// A constant of the graph and where its elements lie among the parameters.
#[derive(Clone, Debug)]
struct Binding {
    tensor: TensorId,
    layout: Layout,
    offset: usize,
    /// The normalisation that is folded into it.
    norm: Option<Norm>,
}

/// A normalisation that training has put in the place of a bias.
#[derive(Clone, Copy, Debug)]
struct Norm {
    affine: Affine,
    channels: usize,
    /// It is folded into the bias here; else into weights.
    is_bias: bool,
}

impl Template {
    /// The graph, with the constants that it had.
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// How a constant's elements are ordered in the graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layout {
    /// As among the parameters.
    Same,
    /// `[co, taps, ci]`, among the parameters `[taps, ci, co]`.
    OutputFirst { taps: usize, ci: usize, co: usize },
    /// The same, and the taps in falling order.
    Flipped { taps: usize, ci: usize, co: usize },
}

impl Layout {
    /// For each element among the parameters, its index in the graph's constant.
    fn index(self, i: usize) -> usize {
        match self {
            Self::Same => i,
            Self::OutputFirst { taps, ci, co } => (i % co * taps + i / co / ci) * ci + i / co % ci,
            Self::Flipped { taps, ci, co } => (i % co * taps + (taps - 1 - i / co / ci)) * ci + i / co % ci,
        }
    }
}

/// An operand: computed, or constant.
#[derive(Clone, Debug)]
enum Source {
    Value(Value),
    Constant(Arc<[f32]>),
}

/// What is made of a graph that is trained: see [`Net::import`].
#[derive(Clone, Copy)]
pub struct Import<'a> {
    /// Batch normalisation takes the place of biases: see [`Net::normalised_from_graph`].
    pub normalise: bool,
    /// The same graph with the integers that its floats stand for: see [`Net::from_integers`].
    pub integer: Option<&'a Graph>,
    /// Whether a layer, by the name of what it writes, keeps its weights: it is not normalised, and no gradient is
    /// computed for layers before the first one that is trained.
    pub frozen: &'a dyn Fn(&str) -> bool,
}

impl Default for Import<'_> {
    fn default() -> Self {
        Self { normalise: false, integer: None, frozen: &|_| false }
    }
}

/// Reads a graph operator by operator.
struct Importer<'a> {
    graph: &'a Graph,
    builder: Builder,
    values: HashMap<TensorId, Value>,
    readers: Vec<usize>,
    bindings: Vec<Binding>,
    parameters: Vec<f32>,
    /// For each operator, whether its layer is normalised.
    normalised: Vec<bool>,
    /// The same graph with the integers that its floats stand for.
    integer: Option<&'a Graph>,
    quantised: Vec<QuantisedLayer>,
    frozen: &'a dyn Fn(&str) -> bool,
}

/// For each operator, whether its layer may be normalised: a convolution over more than one pixel, with weights of its
/// own, which does not give the outputs.
fn layers_to_normalise(graph: &Graph, frozen: &dyn Fn(&str) -> bool) -> Vec<bool> {
    let consumers = graph.consumers();
    let is_conv = |op: &Op| matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::TransposeConv { .. });
    let is_layer = |op: &Op| is_conv(op) || matches!(op, Op::FullyConnected { .. });
    let last = graph.operators.iter().rposition(|operator| is_layer(&operator.op));
    let suits = |(i, operator): (usize, &Operator)| {
        let output = graph.tensor(operator.outputs[0]);
        let pixels = match output.shape.dims() {
            [_, h, w, _] => h * w,
            _ => 0,
        };
        let own = operator.inputs.iter().skip(1).all(|id| consumers[id.index()].len() == 1);
        is_conv(&operator.op) && own && pixels > 1 && Some(i) != last && !frozen(&output.name)
    };
    graph.operators.iter().enumerate().map(suits).collect()
}

/// Gives layers without a bias one of zeros.
fn with_biases(graph: &mut Graph, layers: &[bool]) {
    for (i, &layer) in layers.iter().enumerate() {
        if !layer || graph.operators[i].inputs.len() > 2 {
            continue;
        }
        let output = graph.tensor(graph.operators[i].outputs[0]);
        let (name, channels) = (format!("{}.bias", output.name), output.shape.dims()[3]);
        let zeros = Tensor::constant(name, vec![channels], DataType::FLOAT32, vec![0; 4 * channels]);
        let zeros = graph.add_tensor(zeros);
        graph.operators[i].inputs.push(zeros);
    }
}

impl Net {
    /// Makes a network of a float graph, and the parameters that it has there.
    ///
    /// A SOFTMAX that gives the graph's output is left out: the network's outputs are what it reads, since the loss
    /// applies it. The graph must be [valid](smidgen_ir::validate()).
    ///
    /// # Errors
    /// If an operator has no gradient, the graph is not of floats, or has not exactly one input and one output.
    pub fn from_graph(graph: &Graph) -> Result<(Net, Vec<f32>), TrainError> {
        Self::import(graph, Import::default())
    }

    /// As [`from_graph`](Self::from_graph), with batch normalisation in the place of biases: for a network whose
    /// normalisation was folded into its weights, or that never had any.
    ///
    /// Convolutions over more than one pixel are normalised, but the layer that gives the outputs. Means begin as 0 and
    /// variances as 1, with factors that leave outputs unchanged; [`Trainer::settle`](crate::Trainer::settle) makes
    /// them those of samples without changing outputs. [`to_graph`](Self::to_graph) folds them in again.
    ///
    /// # Errors
    /// As [`from_graph`](Self::from_graph).
    pub fn normalised_from_graph(graph: &Graph) -> Result<(Net, Vec<f32>), TrainError> {
        Self::import(graph, Import { normalise: true, ..Import::default() })
    }

    /// Makes a network that computes what the integers of a graph stand for, to train it in the knowledge of their
    /// rounding. `float` is the same graph with floats (`smidgen_quant::dequantise`): same tensors, same operators.
    ///
    /// Activations are rounded to the multiples of their scales, and clamped, wherever they are read. Weights are
    /// rounded in steps that follow from them at each step of training: [`weight_steps`](Self::weight_steps). Their
    /// gradients are those of what is not rounded.
    ///
    /// # Errors
    /// As [`from_graph`](Self::from_graph), or if a layer has integer weights and reads floats.
    pub fn from_integers(integer: &Graph, float: &Graph) -> Result<(Net, Vec<f32>), TrainError> {
        if integer.tensors.len() != float.tensors.len() {
            return Err(TrainError::layer(&integer.name, "the graph of floats is of another network"));
        }
        Self::import(float, Import { integer: Some(integer), ..Import::default() })
    }

    /// For each tensor of the graph that the network was made [from](Self::from_integers), the steps of the weights
    /// that are rounded: one for each output channel, all equal where they share one.
    pub fn weight_steps(&self, parameters: &[f32]) -> Vec<Option<Vec<f32>>> {
        let Some(template) = &self.template else { return Vec::new() };
        let mut steps = vec![None; template.graph.tensors.len()];
        for binding in &template.bindings {
            let layer = self.quantised.iter().find(|layer| layer.weights.start == binding.offset);
            steps[binding.tensor.index()] = layer.map(|layer| layer.steps(parameters));
        }
        steps
    }

    /// Makes a network of a graph, and the parameters that it has there.
    ///
    /// # Errors
    /// As [`from_graph`](Self::from_graph) and [`from_integers`](Self::from_integers), or if every layer is frozen.
    pub fn import(
        graph: &Graph,
        Import { normalise, integer, frozen }: Import<'_>,
    ) -> Result<(Net, Vec<f32>), TrainError> {
        let mut graph = graph.clone();
        let mut normalised = vec![false; graph.operators.len()];
        if normalise {
            normalised = layers_to_normalise(&graph, frozen);
            with_biases(&mut graph, &normalised);
        }
        let graph = &graph;
        let ([input], [output]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else {
            return Err(TrainError::layer(&graph.name, "a network that is trained has one input and one output"));
        };
        if let Some(variable) = graph.variables.first() {
            return Err(TrainError::Unsupported {
                operator: "READ_VARIABLE",
                index: None,
                tensor: graph.tensor(variable.value).name.clone(),
                reason: "samples are independent of one another, and what an earlier inference left has no gradient",
            });
        }
        let mut readers = vec![0; graph.tensors.len()];
        graph.operators.iter().flat_map(|o| &o.inputs).chain([output]).for_each(|t| readers[t.index()] += 1);
        let builder = Builder::new(&stripped(graph.tensor(*input).shape.dims()));
        let values = HashMap::from([(*input, builder.input())]);
        let mut importer = Importer {
            graph,
            builder,
            values,
            readers,
            bindings: Vec::new(),
            parameters: Vec::new(),
            normalised,
            integer,
            quantised: Vec::new(),
            frozen,
        };
        if let Some(grid) = importer.grid(*input) {
            let x = importer.builder.input();
            importer.builder.round(x, grid, false);
        }
        for operator in &graph.operators {
            importer.operator(operator)?;
        }
        let logits = before_softmax(graph, *output);
        let Some(&value) = importer.values.get(&logits) else {
            return Err(TrainError::layer(&graph.name, "the output is a constant"));
        };
        let Importer { builder, bindings, parameters, quantised, .. } = importer;
        let mut net = builder.build(value)?;
        net.quantised = quantised;
        let kept = net.nodes.iter().filter(|node| node.frozen).map(|node| format!("{}.", node.name));
        let kept: Vec<String> = kept.collect();
        net.frozen = (net.parameters.iter())
            .map(|p| kept.iter().any(|layer| p.name.strip_prefix(layer).is_some_and(|part| !part.contains('.'))))
            .collect();
        net.template = Some(Arc::new(Template { graph: graph.clone(), bindings }));
        Ok((net, parameters))
    }
}

impl Importer<'_> {
    fn refuse<T>(&self, operator: &Operator, reason: &'static str) -> Result<T, TrainError> {
        Err(TrainError::unsupported(self.graph, operator, reason))
    }

    /// The name of a layer: that of the tensor it writes, or where files have left it out, the operator's place and kind.
    fn name(&self, operator: &Operator) -> String {
        let name = &self.graph.tensor(operator.outputs[0]).name;
        if !name.is_empty() {
            return name.clone();
        }
        let index = self.graph.operators.iter().position(|other| std::ptr::eq(other, operator)).unwrap_or(0);
        format!("operator {index} {}", operator.op.name())
    }

    fn dims(&self, t: TensorId) -> &[usize] {
        self.graph.tensor(t).shape.dims()
    }

    fn output_shape(&self, operator: &Operator) -> Vec<usize> {
        stripped(self.dims(operator.outputs[0]))
    }

    fn source(&self, operator: &Operator, k: usize) -> Result<Source, TrainError> {
        let t = operator.inputs[k];
        if let Some(&value) = self.values.get(&t) {
            return Ok(Source::Value(value));
        }
        match self.graph.tensor(t).floats() {
            Some(floats) => Ok(Source::Constant(floats.into())),
            None => self.refuse(operator, "it reads what is not float32"),
        }
    }

    /// Input `k`, which must be computed.
    fn value(&self, operator: &Operator, k: usize) -> Result<Value, TrainError> {
        match self.source(operator, k)? {
            Source::Value(value) => Ok(value),
            Source::Constant(_) => self.refuse(operator, "what it reads is constant: fold constants first"),
        }
    }

    /// Makes input `k`, a constant, a parameter; its offset.
    fn parameter(
        &mut self,
        operator: &Operator,
        k: usize,
        layout: Layout,
        shape: Vec<usize>,
        role: Role,
        fan_in: usize,
    ) -> Result<usize, TrainError> {
        let tensor = operator.inputs[k];
        // Layers that share a constant share the parameter.
        if let Some(known) = self.bindings.iter().find(|b| b.tensor == tensor) {
            if known.layout == layout {
                return Ok(known.offset);
            }
            return self.refuse(operator, "it shares its weights with another kind of layer");
        }
        let Some(floats) = self.graph.tensor(tensor).floats() else {
            return self.refuse(operator, "its weights are no constants of float32");
        };
        let what = match role {
            Role::Weight => "weight",
            Role::Scale => "scale",
            Role::Bias | Role::Shift => "bias",
            Role::Slope => "slope",
        };
        let name = format!("{}.{what}", self.name(operator));
        let offset = self.builder.parameter(name, shape, role, fan_in);
        self.parameters.extend((0..floats.len()).map(|i| floats[layout.index(i)]));
        self.bindings.push(Binding { tensor, layout, offset, norm: None });
        Ok(offset)
    }

    fn operator(&mut self, operator: &Operator) -> Result<(), TrainError> {
        let mut all = operator.inputs.iter().chain(&operator.outputs);
        if all.any(|&t| self.graph.tensor(t).dtype != DataType::FLOAT32) {
            return match operator.op {
                Op::ArgMax { .. } => self.refuse(operator, "it has no gradient"),
                Op::Gather { .. } => self.refuse(operator, LOOKED_UP),
                _ => self.refuse(operator, "it is not of float32"),
            };
        }
        let before = self.builder.nodes.len();
        if let Op::Split { .. } | Op::Unpack { .. } = operator.op {
            for (k, &output) in operator.outputs.iter().enumerate() {
                let value = self.part(operator, k)?;
                let value = self.rounded(operator, output, value, before);
                self.values.insert(output, value);
            }
            return Ok(());
        }
        let value = match &operator.op {
            Op::Conv2d(conv) => self.conv(operator, conv, None)?,
            Op::DepthwiseConv2d { conv, multiplier } => self.conv(operator, conv, Some(*multiplier))?,
            Op::TransposeConv { stride, padding, output, activation } => {
                self.transpose_conv(operator, *stride, *padding, *output, (*activation).into())?
            }
            Op::FullyConnected { activation, .. } => self.fully_connected(operator, (*activation).into())?,
            Op::Binary { kind, activation } => self.binary(operator, *kind, (*activation).into())?,
            Op::Pool2d { kind, window, stride, padding, activation } => {
                self.pool(operator, *kind, *window, *stride, *padding, (*activation).into())?
            }
            Op::Reduce { kind, axes, .. } => self.reduce(operator, *kind, axes)?,
            Op::Reshape { .. } => {
                let (x, name, shape) = (self.value(operator, 0)?, self.name(operator), self.output_shape(operator));
                self.builder.reshape(&name, x, shape)
            }
            Op::Pad { .. }
            | Op::Transpose { .. }
            | Op::Concatenation { .. }
            | Op::Pack { .. }
            | Op::Slice { .. }
            | Op::StridedSlice { .. } => self.moved(operator)?,
            Op::Resize { kind, align_corners, half_pixel_centers, .. } => {
                self.resize(operator, *kind, *align_corners, *half_pixel_centers)?
            }
            Op::Softmax { beta } => self.softmax(operator, *beta)?,
            Op::BatchMatmul { adjoint } => self.matmul(operator, *adjoint)?,
            Op::Unary(kind) => self.unary(operator, *kind)?,
            Op::Prelu => self.prelu(operator)?,
            Op::Recurrent(_) | Op::Svdf { .. } => {
                return self.refuse(
                    operator,
                    "recurrent layers are not trained here: train it where it was made, and read that",
                );
            }
            Op::Gather { .. } => return self.refuse(operator, LOOKED_UP),
            Op::ArgMax { .. }
            | Op::Normalise(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Cast
            | Op::Quantize
            | Op::Dequantize
            | Op::Split { .. }
            | Op::Unpack { .. } => {
                return self.refuse(operator, "it has no gradient");
            }
        };
        let frozen = (self.frozen)(&self.graph.tensor(operator.outputs[0]).name);
        self.builder.nodes.iter_mut().skip(before).for_each(|node| node.frozen = frozen);
        let value = self.rounded(operator, operator.outputs[0], value, before);
        self.values.insert(operator.outputs[0], value);
        Ok(())
    }

    /// What integers of a tensor stand for.
    fn grid(&self, tensor: TensorId) -> Option<Grid> {
        Grid::of(self.integer?.tensor(tensor))
    }

    /// An operator's output as integers hold it; nodes from `before` on are the operator's own.
    fn rounded(&mut self, operator: &Operator, output: TensorId, value: Value, before: usize) -> Value {
        let Some(grid) = self.grid(output) else { return value };
        let clamps = !matches!(operator.op.activation(), None | Some(smidgen_ir::Activation::None));
        let moves = operator.op.traits().values.are_elements() && !clamps;
        // What is only moved was rounded before, and its gradient masked.
        let mut read = operator.inputs.iter().filter(|id| self.values.contains_key(id));
        if moves && read.all(|&id| self.grid(id) == Some(grid)) {
            return value;
        }
        self.builder.round(value, grid, value.0 >= before)
    }

    /// Makes a layer one whose weights and bias are rounded, where the integer graph's are.
    fn quantise(
        &mut self,
        operator: &Operator,
        channels: usize,
        weight: usize,
        weights: usize,
        affine: Affine,
    ) -> Result<(), TrainError> {
        let Some(integer) = self.integer else { return Ok(()) };
        let DataType::Quantised(element, quantisation) = &integer.tensor(operator.inputs[1]).dtype else {
            return Ok(());
        };
        let Some(input) = Grid::of(integer.tensor(operator.inputs[0])) else {
            return self.refuse(operator, "its weights are integers and what it reads is not");
        };
        // Layers that share weights are rounded alike.
        if self.quantised.iter().any(|layer| layer.weights.start == weight) {
            return Ok(());
        }
        self.quantised.push(QuantisedLayer {
            weights: weight..weight + weights,
            channels,
            largest: if *element == ElementType::Int4 { 7.0 } else { 127.0 },
            per_channel: matches!(quantisation, Quantisation::PerChannel { .. }),
            least: QuantisedLayer::least(quantisation, channels),
            bias: match affine {
                Affine::Bias(offset) => Some(offset..offset + channels),
                _ => None,
            },
            input: input.step,
        });
        Ok(())
    }

    fn unary(&mut self, operator: &Operator, kind: UnaryKind) -> Result<Value, TrainError> {
        let (x, name) = (self.value(operator, 0)?, self.name(operator));
        let activation = match kind {
            UnaryKind::Relu => Activation::Relu,
            UnaryKind::Relu6 => Activation::Relu6,
            UnaryKind::ReluN1To1 => Activation::ReluN1To1,
            UnaryKind::HardSwish => Activation::HardSwish,
            _ => return Ok(self.function(operator, x, kind)),
        };
        // Nobody else reads what the layer gave without it.
        let same = self.values.values().filter(|&&v| v == x).count();
        let alone = self.readers[operator.inputs[0].index()] == 1 && same == 1;
        if alone && self.builder.fuse(x, activation) {
            return Ok(x);
        }
        Ok(self.builder.activate(&name, x, activation))
    }
}

/// What gives a graph's outputs before the SOFTMAX that the loss applies.
pub(crate) fn logits(graph: &Graph) -> TensorId {
    before_softmax(graph, graph.outputs[0])
}

/// What a SOFTMAX reads whose result, perhaps in another shape, is this output; else the output.
fn before_softmax(graph: &Graph, output: TensorId) -> TensorId {
    let mut id = output;
    while let Some(operator) = graph.operators.iter().rev().find(|operator| operator.outputs.contains(&id)) {
        match operator.op {
            Op::Reshape { .. } => id = operator.inputs[0],
            // One run over all classes.
            Op::Softmax { beta: 1.0 } => {
                let dims = graph.tensor(id).shape.dims();
                let whole = dims.last() == Some(&graph.tensor(id).shape.elements());
                return if whole || id == output { operator.inputs[0] } else { output };
            }
            _ => break,
        }
    }
    output
}

/// A shape without the batch, where that is told from other axes: `[1, h, w, c]` as `[h, w, c]`.
fn stripped(dims: &[usize]) -> Vec<usize> {
    match dims {
        [1, image @ ..] if image.len() == 3 => image.to_vec(),
        _ => dims.to_vec(),
    }
}

impl From<smidgen_ir::Activation> for Activation {
    fn from(activation: smidgen_ir::Activation) -> Self {
        match activation {
            smidgen_ir::Activation::None => Self::None,
            smidgen_ir::Activation::Relu => Self::Relu,
            smidgen_ir::Activation::Relu6 => Self::Relu6,
            smidgen_ir::Activation::ReluN1To1 => Self::ReluN1To1,
        }
    }
}
