//! Back to a graph, normalisations folded into weights and biases.

use super::{Binding, Template};
use crate::conv::ConvKind;
use crate::error::TrainError;
use crate::geometry::Geometry;
use crate::net::{Affine, Kind, Net, Node};
use crate::pass::EPSILON;
use crate::simd::Form;
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, DataType, Graph, Op, Padding, ReduceKind, ReshapeKind, Tensor, TensorId,
    UnaryKind,
};

impl Net {
    /// The network as a float graph with these parameters, and these running means and variances folded in.
    ///
    /// Of a network that came [from a graph](Net::from_graph) it is that graph with other constants. Otherwise its
    /// input is `[1, h, w, c]`, its output `[1, classes]`.
    ///
    /// # Errors
    /// If the sizes are not the network's.
    pub fn to_graph(&self, parameters: &[f32], state: &[f32]) -> Result<Graph, TrainError> {
        self.check_sizes(parameters, state)?;
        match &self.template {
            Some(template) => Ok(template.with(parameters, state)),
            None => Writer { net: self, parameters, state, graph: Graph::new("trained"), ids: Vec::new() }.write(),
        }
    }
}

impl Template {
    /// The graph with these parameters, and normalisations with this state folded in.
    fn with(&self, parameters: &[f32], state: &[f32]) -> Graph {
        let mut graph = self.graph.clone();
        for &Binding { tensor, layout, offset, norm } in &self.bindings {
            let tensor = &mut graph.tensors[tensor.index()];
            let count = tensor.shape.elements();
            let mut elements = vec![0.0; count];
            let folded = norm.and_then(|norm| folded(norm.affine, norm.channels, parameters, state));
            for i in 0..count {
                let own = parameters[offset + i];
                // Output channels come last among the parameters, whatever the layer.
                elements[layout.index(i)] = match &folded {
                    Some((_, b)) if norm.is_some_and(|norm| norm.is_bias) => b[i] as f32,
                    Some((a, _)) => (f64::from(own) * a[i % a.len()]) as f32,
                    None => own,
                };
            }
            tensor.data = Some(bytes(&elements).into());
        }
        graph
    }
}

/// Factor and summand of each of `c` channels with the running means and variances; `None` for 1 and 0.
pub(crate) fn folded(affine: Affine, c: usize, parameters: &[f32], state: &[f32]) -> Option<(Vec<f64>, Vec<f64>)> {
    let p = |offset: usize, j: usize| f64::from(parameters[offset + j]);
    match affine {
        Affine::Unit => None,
        Affine::Bias(offset) => Some((vec![1.0; c], (0..c).map(|j| p(offset, j)).collect())),
        Affine::Norm { scale, shift, state: at } => {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for j in 0..c {
                let (mean, variance) = (f64::from(state[at + j]), f64::from(state[at + c + j]));
                let factor = p(scale, j) / (variance + EPSILON).sqrt();
                a.push(factor);
                b.push(p(shift, j) - mean * factor);
            }
            Some((a, b))
        }
    }
}

fn bytes(elements: &[f32]) -> Vec<u8> {
    elements.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Writes a network's nodes as operators.
struct Writer<'a> {
    net: &'a Net,
    parameters: &'a [f32],
    state: &'a [f32],
    graph: Graph,
    /// For each node, its tensor.
    ids: Vec<TensorId>,
}

impl Writer<'_> {
    fn write(mut self) -> Result<Graph, TrainError> {
        for (i, node) in self.net.nodes.iter().enumerate() {
            let id = match &node.kind {
                Kind::Input => {
                    let tensor = Tensor::activation(&node.name, batched(&node.shape), DataType::FLOAT32);
                    self.graph.add_input(tensor)
                }
                // A node that nothing depends on has no tensor; nobody asks for this one.
                _ if !self.net.plan.live[i] => TensorId(0),
                Kind::Conv(_) => self.conv(node),
                Kind::Sum => self.sum(node),
                Kind::Pool { .. } => {
                    let op = Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: false };
                    let x = self.ids[node.inputs[0]];
                    self.operator(op, vec![x], &node.name, batched(&node.shape))
                }
                Kind::Plain(_) => {
                    return Err(TrainError::layer(&node.name, "only a network from a graph has such a layer"));
                }
            };
            self.ids.push(id);
        }
        self.graph.outputs.push(self.ids[self.net.output]);
        Ok(self.graph)
    }

    fn operator(&mut self, op: Op, inputs: Vec<TensorId>, name: &str, shape: Vec<usize>) -> TensorId {
        let output = self.graph.add_tensor(Tensor::activation(name, shape, DataType::FLOAT32));
        self.graph.add_operator(op, inputs, vec![output]);
        output
    }

    fn constant(&mut self, name: String, shape: Vec<usize>, elements: &[f32]) -> TensorId {
        self.graph.add_tensor(Tensor::constant(name, shape, DataType::FLOAT32, bytes(elements)))
    }

    /// Factor and summand of each channel with the running means and variances.
    fn affine(&self, node: &Node) -> Option<(Vec<f64>, Vec<f64>)> {
        folded(node.affine, node.channels(), self.parameters, self.state)
    }

    fn conv(&mut self, node: &Node) -> TensorId {
        let Kind::Conv(conv) = &node.kind else { return TensorId(0) };
        let (ci, co) = (conv.ci, conv.co);
        let affine = self.affine(node);
        let factor = |o: usize| affine.as_ref().map_or(1.0, |(a, _)| a[o]);
        let w = &self.parameters[conv.weight..][..conv.weights];
        // Output channels come last among the parameters, whatever the layer.
        let scaled = |i: usize| (f64::from(w[i]) * factor(i % co)) as f32;
        let taps = if let ConvKind::Depthwise(_) = conv.kind { 1 } else { conv.weights / ci / co };
        let output_first = || -> Vec<f32> {
            let of = |i: usize| scaled((i / ci % taps * ci + i % ci) * co + i / ci / taps);
            (0..conv.weights).map(of).collect()
        };
        let x = self.ids[node.inputs[0]];
        let read = self.graph.tensor(x).shape.rank();
        let (fused, separate) = activation(node.form);
        let params = |g: &Geometry| ConvParams {
            stride: g.stride,
            dilation: g.dilation,
            padding: padding(g),
            activation: fused,
        };
        let (op, shape, weights) = match &conv.kind {
            ConvKind::Pointwise { .. } if read == 4 => {
                let pad = Padding::Valid;
                let params = ConvParams { stride: [1; 2], dilation: [1; 2], padding: pad, activation: fused };
                (Op::Conv2d(params), vec![co, 1, 1, ci], output_first())
            }
            ConvKind::Pointwise { .. } => (
                Op::FullyConnected { keep_num_dims: true, asymmetric_quantize_inputs: false, activation: fused },
                vec![co, ci],
                output_first(),
            ),
            ConvKind::Dense(dense) => {
                let [kh, kw] = dense.geometry.kernel;
                (Op::Conv2d(params(&dense.geometry)), vec![co, kh, kw, ci], output_first())
            }
            ConvKind::Depthwise(g) => {
                let op = Op::DepthwiseConv2d { conv: params(g), multiplier: 1 };
                (op, vec![1, g.kernel[0], g.kernel[1], co], (0..conv.weights).map(scaled).collect())
            }
        };
        let mut inputs = vec![x, self.constant(format!("{}.weight", node.name), shape, &weights)];
        if let Some((_, b)) = &affine {
            let bias: Vec<f32> = b.iter().map(|&x| x as f32).collect();
            inputs.push(self.constant(format!("{}.bias", node.name), vec![co], &bias));
        }
        let y = self.operator(op, inputs, &node.name, batched(&node.shape));
        self.activated(y, separate, node)
    }

    fn sum(&mut self, node: &Node) -> TensorId {
        let x = self.ids[node.inputs[0]];
        let (fused, separate) = activation(node.form);
        let shape = batched(&node.shape);
        if let [_, second] = *node.inputs.as_slice() {
            let op = Op::Binary { kind: BinaryKind::Add, activation: fused };
            let y = self.ids[second];
            let y = self.operator(op, vec![x, y], &node.name, shape);
            return self.activated(y, separate, node);
        }
        let mut y = x;
        if self.graph.tensor(x).shape.dims() != shape {
            let op = Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.clone() };
            y = self.operator(op, vec![x], &node.name, shape);
        }
        let kind = match fused {
            Activation::None => separate,
            Activation::Relu => Some(UnaryKind::Relu),
            Activation::Relu6 => Some(UnaryKind::Relu6),
            Activation::ReluN1To1 => Some(UnaryKind::ReluN1To1),
        };
        self.activated(y, kind, node)
    }

    fn activated(&mut self, y: TensorId, kind: Option<UnaryKind>, node: &Node) -> TensorId {
        match kind {
            Some(kind) => self.operator(Op::Unary(kind), vec![y], &node.name, batched(&node.shape)),
            None => y,
        }
    }
}

/// An activation as an operator fuses it, or as an operator of its own.
fn activation(form: Form) -> (Activation, Option<UnaryKind>) {
    let all = [Activation::None, Activation::Relu, Activation::Relu6, Activation::ReluN1To1];
    match form {
        Form::HardSwish => (Activation::None, Some(UnaryKind::HardSwish)),
        // Of integers: a network that has such comes from a graph, and goes back to it.
        Form::Grid { .. } => (Activation::None, None),
        Form::Clamp(low, high) => (all.into_iter().find(|a| a.range() == (low, high)).unwrap_or_default(), None),
    }
}

/// A shape with the batch.
fn batched(shape: &[usize]) -> Vec<usize> {
    [&[1], shape].concat()
}

/// Padding that gives these sizes.
fn padding(g: &Geometry) -> Padding {
    let after = |i: usize| {
        let span = (g.output[i] - 1) * g.stride[i] + (g.kernel[i] - 1) * g.dilation[i] + 1;
        span.saturating_sub(g.input[i] + g.before[i])
    };
    let ([top, left], bottom, right) = (g.before, after(0), after(1));
    if [top, bottom, left, right] == [0; 4] { Padding::Valid } else { Padding::Explicit { top, bottom, left, right } }
}
