//! From a float graph to a network that can be trained, and back.
//!
//! Convolutions, fully connected layers and slopes become parameters, with the graph's values to begin with; other
//! constants stay what they are. A graph's batch is 1: the network computes each sample as the graph does.

mod export;
mod fused;
mod moves;
mod plain;

use crate::builder::{Builder, Value};
use crate::error::TrainError;
use crate::net::{Activation, Net, Role};
use smidgen_ir::{DataType, Graph, Op, Operator, TensorId, UnaryKind};
use std::collections::HashMap;
use std::sync::Arc;

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

/// Reads a graph operator by operator.
struct Importer<'a> {
    graph: &'a Graph,
    builder: Builder,
    values: HashMap<TensorId, Value>,
    readers: Vec<usize>,
    bindings: Vec<Binding>,
    parameters: Vec<f32>,
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
        let ([input], [output]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else {
            return Err(TrainError::layer(&graph.name, "a network that is trained has one input and one output"));
        };
        if let Some(variable) = graph.variables.first() {
            return Err(TrainError::Unsupported {
                operator: "READ_VARIABLE",
                tensor: graph.tensor(variable.value).name.clone(),
                reason: "samples are independent of one another, and what an earlier inference left has no gradient",
            });
        }
        let mut readers = vec![0; graph.tensors.len()];
        graph.operators.iter().flat_map(|o| &o.inputs).chain([output]).for_each(|t| readers[t.index()] += 1);
        let builder = Builder::new(&stripped(graph.tensor(*input).shape.dims()));
        let values = HashMap::from([(*input, builder.input())]);
        let mut importer = Importer { graph, builder, values, readers, bindings: Vec::new(), parameters: Vec::new() };
        for operator in &graph.operators {
            importer.operator(operator)?;
        }
        let last = graph.operators.iter().rev().find(|o| o.outputs.contains(output));
        let logits = match last {
            Some(Operator { op: Op::Softmax { beta: 1.0 }, inputs, .. }) => inputs[0],
            _ => *output,
        };
        let Some(&value) = importer.values.get(&logits) else {
            return Err(TrainError::layer(&graph.name, "the output is a constant"));
        };
        let Importer { builder, bindings, parameters, .. } = importer;
        let mut net = builder.build(value)?;
        net.template = Some(Arc::new(Template { graph: graph.clone(), bindings }));
        Ok((net, parameters))
    }
}

impl Importer<'_> {
    fn refuse<T>(&self, operator: &Operator, reason: &'static str) -> Result<T, TrainError> {
        let tensor = operator.outputs.first().map(|&t| self.graph.tensor(t).name.clone()).unwrap_or_default();
        Err(TrainError::Unsupported { operator: operator.op.name(), tensor, reason })
    }

    /// The name of a layer: that of the tensor it writes.
    fn name(&self, operator: &Operator) -> String {
        self.graph.tensor(operator.outputs[0]).name.clone()
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
        what: &str,
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
        let name = format!("{}.{what}", self.name(operator));
        let offset = self.builder.parameter(name, shape, role, fan_in);
        self.parameters.extend((0..floats.len()).map(|i| floats[layout.index(i)]));
        self.bindings.push(Binding { tensor, layout, offset });
        Ok(offset)
    }

    fn operator(&mut self, operator: &Operator) -> Result<(), TrainError> {
        let mut all = operator.inputs.iter().chain(&operator.outputs);
        if all.any(|&t| self.graph.tensor(t).dtype != DataType::FLOAT32) {
            return match operator.op {
                Op::ArgMax { .. } => self.refuse(operator, "it has no gradient"),
                _ => self.refuse(operator, "it is not of float32"),
            };
        }
        if let Op::Split { .. } | Op::Unpack { .. } = operator.op {
            for (k, &output) in operator.outputs.iter().enumerate() {
                let value = self.part(operator, k)?;
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
            Op::Unary(kind) => self.unary(operator, *kind)?,
            Op::Prelu => self.prelu(operator)?,
            Op::ArgMax { .. } | Op::Quantize | Op::Dequantize | Op::Split { .. } | Op::Unpack { .. } => {
                return self.refuse(operator, "it has no gradient");
            }
        };
        self.values.insert(operator.outputs[0], value);
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
