//! The text of the module, operator by operator.

use super::{Layer, Origin, Slot, Torch, is_layer, value_names};
use crate::error::TrainError;
use crate::graph::logits;
use crate::net::Affine;
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, Function, Graph, Op, Operator, PadValue, Padding, PoolKind, ReduceKind,
    ResizeKind, TensorId, UnaryKind, Window,
};
use std::collections::{HashMap, HashSet};
use std::vec::IntoIter;

pub(super) struct Program<'a> {
    graph: &'a Graph,
    layers: IntoIter<Layer>,
    slopes: IntoIter<usize>,
    names: Vec<String>,
    scale: f32,
    /// Lines that make the module's parts, and those that compute.
    made: Vec<String>,
    computed: Vec<String>,
    slots: Vec<Slot>,
    /// The layer whose tensor begins at a place among the parameters.
    owners: HashMap<u32, String>,
    /// Values whose first axis in the graph is no batch of 1: in the module they have one axis more.
    whole: HashSet<TensorId>,
    constants: HashSet<TensorId>,
    /// Values that are computed.
    known: HashSet<TensorId>,
}

fn pair([a, b]: [usize; 2]) -> String {
    format!("({a}, {b})")
}

/// Sizes with commas between.
fn list(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn word(activation: Activation) -> Option<&'static str> {
    match activation {
        Activation::None => None,
        Activation::Relu => Some("relu"),
        Activation::Relu6 => Some("relu6"),
        Activation::ReluN1To1 => Some("relu_n1_to_1"),
    }
}

fn activated(text: String, activation: Activation) -> String {
    match word(activation) {
        Some(word) => format!("activate({text}, \"{word}\")"),
        None => text,
    }
}

impl<'a> Program<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        layers: Vec<Layer>,
        slopes: Vec<usize>,
        scale: f32,
    ) -> Result<Self, TrainError> {
        let weighted = graph.operators.iter().filter(|operator| is_layer(&operator.op)).count();
        if weighted != layers.len() {
            return Err(TrainError::layer(&graph.name, "its layers are not those of its graph"));
        }
        Ok(Self {
            graph,
            layers: layers.into_iter(),
            slopes: slopes.into_iter(),
            names: value_names(graph),
            scale,
            made: Vec::new(),
            computed: Vec::new(),
            slots: Vec::new(),
            owners: HashMap::new(),
            whole: HashSet::new(),
            constants: HashSet::new(),
            known: graph.inputs.iter().copied().collect(),
        })
    }

    pub(super) fn write(mut self) -> Result<Torch, TrainError> {
        let input = self.graph.inputs[0];
        let output = logits(self.graph);
        let dims = self.dims(input).to_vec();
        if dims.first() != Some(&1) {
            self.whole.insert(input);
        }
        if self.scale != 1.0 {
            self.computed.push(format!("x = x / {:?}", self.scale));
        }
        let graph = self.graph;
        for operator in &graph.operators {
            self.operator(operator)?;
        }
        let (made, computed) = (self.made.join("\n        "), self.computed.join("\n        "));
        let shape = |t: TensorId| {
            let dims = self.dims(t);
            let own = if self.whole.contains(&t) { dims } else { &dims[1..] };
            format!("[n, {}]", list(own))
        };
        let text = format!(
            "class Network(nn.Module):\n    \"\"\"From {} to {}, what the loss's softmax reads.\"\"\"\n\n    def \
             __init__(self):\n        super().__init__()\n        {made}\n\n    def forward(self, x):\n        \
             {computed}\n        return {}\n",
            shape(input),
            shape(output),
            self.names[output.index()]
        );
        Ok(Torch { text, slots: self.slots })
    }

    fn dims(&self, t: TensorId) -> &'a [usize] {
        self.graph.tensor(t).shape.dims()
    }

    fn refuse<T>(&self, operator: &Operator, reason: &'static str) -> Result<T, TrainError> {
        Err(TrainError::unsupported(self.graph, operator, reason))
    }

    /// The text of input `k`, whose first axis must be the batch unless it may be `whole`.
    fn input(&mut self, operator: &Operator, k: usize) -> Result<String, TrainError> {
        let t = operator.inputs[k];
        if self.whole.contains(&t) {
            return self.refuse(operator, "the first axis of what it reads is no batch of 1");
        }
        self.any_input(operator, k)
    }

    fn any_input(&mut self, operator: &Operator, k: usize) -> Result<String, TrainError> {
        let t = operator.inputs[k];
        if self.known.contains(&t) {
            return Ok(self.names[t.index()].clone());
        }
        let Some(values) = self.graph.tensor(t).floats() else {
            return self.refuse(operator, "it reads what is not float32");
        };
        if let [one] = values.as_slice() {
            return Ok(format!("{:?}", f64::from(*one)));
        }
        let (name, shape) = (self.names[t.index()].clone(), self.dims(t).to_vec());
        if self.constants.insert(t) {
            self.made.push(format!("self.register_buffer(\"{name}\", torch.zeros({}))", list(&shape)));
            self.slots.push(Slot { name: name.clone(), shape, origin: Origin::Constant(values) });
        }
        Ok(format!("self.{name}"))
    }

    /// An operand of arithmetic, with axes of 1 where its rank is less than the output's.
    fn operand(&mut self, operator: &Operator, k: usize) -> Result<String, TrainError> {
        let (t, rank) = (operator.inputs[k], self.dims(operator.outputs[0]).len());
        let text = self.any_input(operator, k)?;
        let dims = self.dims(t);
        if !self.known.contains(&t) || dims.len() == rank {
            return Ok(text);
        }
        if self.whole.contains(&t) {
            return self.refuse(operator, "its operands have batches of different kinds");
        }
        let sizes = [vec![1; rank - dims.len()], dims[1..].to_vec()].concat();
        Ok(format!("{text}.reshape(-1, {})", list(&sizes)))
    }

    fn operator(&mut self, operator: &Operator) -> Result<(), TrainError> {
        let outputs = operator.outputs.clone();
        for (k, &output) in outputs.iter().enumerate() {
            let text = self.expression(operator, k)?;
            self.computed.push(format!("{} = {text}", self.names[output.index()]));
            self.known.insert(output);
        }
        Ok(())
    }

    fn expression(&mut self, operator: &Operator, k: usize) -> Result<String, TrainError> {
        let output = operator.outputs[k];
        let dims = self.dims(output);
        let batch = "it works across the samples of a batch";
        Ok(match &operator.op {
            op if is_layer(op) => self.layer(operator)?,
            Op::Prelu => {
                let (x, name) = (self.input(operator, 0)?, self.names[output.index()].clone());
                let Some(offset) = self.slopes.next() else { return self.refuse(operator, "it has no slopes") };
                let shape = self.dims(operator.inputs[1]).to_vec();
                let count: usize = shape.iter().product();
                self.made.push(format!("self.{name} = Slopes({})", list(&shape)));
                let origin = Origin::Parameters((offset..offset + count).map(|i| i as u32).collect());
                self.slots.push(Slot { name: format!("{name}.slope"), shape, origin });
                format!("self.{name}({x})")
            }
            Op::Unary(kind) => {
                let x = self.any_input(operator, 0)?;
                if self.whole.contains(&operator.inputs[0]) {
                    self.whole.insert(output);
                }
                function(*kind, &x)
            }
            Op::Binary { kind, activation } => {
                let (a, b) = (self.operand(operator, 0)?, self.operand(operator, 1)?);
                if operator.inputs.iter().any(|t| self.whole.contains(t)) {
                    let all = operator.inputs.iter().all(|t| self.whole.contains(t) || !self.known.contains(t));
                    if !all {
                        return self.refuse(operator, "its operands have batches of different kinds");
                    }
                    self.whole.insert(output);
                }
                let text = match kind {
                    BinaryKind::Add => format!("{a} + {b}"),
                    BinaryKind::Sub => format!("{a} - {b}"),
                    BinaryKind::Mul => format!("{a} * {b}"),
                    BinaryKind::Div => format!("{a} / {b}"),
                    BinaryKind::SquaredDifference => format!("({a} - {b}) ** 2"),
                    BinaryKind::Minimum | BinaryKind::Maximum => {
                        let name = if *kind == BinaryKind::Minimum { "minimum" } else { "maximum" };
                        let x = if self.known.contains(&operator.inputs[0]) { &a } else { &b };
                        format!("torch.{name}(torch.as_tensor({a}).to({x}), torch.as_tensor({b}).to({x}))")
                    }
                };
                activated(text, *activation)
            }
            Op::Pool2d { kind, window, stride, padding, activation } => {
                let x = self.input(operator, 0)?;
                let read = self.dims(operator.inputs[0]);
                let pads = pads([read[1], read[2]], *window, *stride, [1; 2], *padding);
                let name = if *kind == PoolKind::Average { "average_pool" } else { "max_pool" };
                activated(format!("{name}({x}, {}, {}, {pads})", pair(*window), pair(*stride)), *activation)
            }
            Op::Reduce { kind, axes, keep_dims } => {
                let x = self.input(operator, 0)?;
                if axes.contains(&0) {
                    return self.refuse(operator, batch);
                }
                let name = match kind {
                    ReduceKind::Mean => "mean",
                    ReduceKind::Sum => "sum",
                    ReduceKind::Max => "amax",
                    ReduceKind::Min => "amin",
                };
                let kept = if *keep_dims { ", keepdim=True" } else { "" };
                let comma = if axes.len() == 1 { "," } else { "" };
                format!("{x}.{name}(({}{comma}){kept})", list(axes))
            }
            Op::Pad { pads, value } => {
                let x = self.input(operator, 0)?;
                if pads.first() != Some(&[0, 0]) {
                    return self.refuse(operator, batch);
                }
                let sizes: Vec<String> = pads.iter().skip(1).rev().map(|p| format!("{}, {}", p[0], p[1])).collect();
                let value = if let PadValue::Float(v) = value { f64::from(*v) } else { 0.0 };
                format!("F.pad({x}, ({}), value={value:?})", sizes.join(", "))
            }
            Op::Reshape { .. } => {
                let x = self.any_input(operator, 0)?;
                match dims {
                    [1, rest @ ..] if !rest.is_empty() => format!("{x}.reshape(-1, {})", list(rest)),
                    _ => {
                        self.whole.insert(output);
                        format!("{x}.reshape(len({x}), {})", list(dims))
                    }
                }
            }
            Op::Transpose { perm } => {
                let x = self.input(operator, 0)?;
                if perm.first() != Some(&0) {
                    return self.refuse(operator, batch);
                }
                format!("{x}.permute({})", list(perm))
            }
            Op::Concatenation { axis, .. } | Op::Pack { axis } => {
                if *axis == 0 {
                    return self.refuse(operator, batch);
                }
                let computed = operator.inputs.iter().find(|t| self.known.contains(t));
                let like = computed.map(|t| self.names[t.index()].clone()).unwrap_or_default();
                let mut parts = Vec::new();
                for (k, t) in operator.inputs.iter().enumerate() {
                    let text = self.input(operator, k)?;
                    parts.push(match self.known.contains(t) {
                        true => text,
                        // A constant is that of each sample.
                        false => {
                            let own = list(&self.dims(*t)[1..]);
                            format!("torch.as_tensor({text}).to({like}).expand(len({like}), {own})")
                        }
                    });
                }
                let (name, fused) = match &operator.op {
                    Op::Concatenation { activation, .. } => ("cat", *activation),
                    _ => ("stack", Activation::None),
                };
                activated(format!("torch.{name}([{}], {axis})", parts.join(", ")), fused)
            }
            Op::Split { axis, parts } => {
                let x = self.input(operator, 0)?;
                if *axis == 0 {
                    return self.refuse(operator, batch);
                }
                format!("torch.chunk({x}, {parts}, {axis})[{k}]")
            }
            Op::Unpack { axis } => {
                let x = self.input(operator, 0)?;
                if *axis == 0 {
                    self.whole.insert(output);
                    x
                } else {
                    format!("{x}.select({axis}, {k})")
                }
            }
            Op::Slice { begin, size } => {
                let x = self.input(operator, 0)?;
                let parts = begin.iter().zip(size).skip(1).map(|(b, s)| format!("{b}:{}", b + s));
                format!("{x}[:, {}]", parts.collect::<Vec<_>>().join(", "))
            }
            Op::StridedSlice { axes } => {
                let mut y = self.input(operator, 0)?;
                for (axis, a) in axes.iter().enumerate().skip(1) {
                    let at: Vec<isize> = (0..a.len).map(|i| a.start as isize + i as isize * a.stride).collect();
                    y = format!("{y}.index_select({axis}, torch.tensor({at:?}, device=x.device))");
                }
                let kept: Vec<usize> = axes.iter().skip(1).filter(|a| !a.shrink).map(|a| a.len).collect();
                if axes.first().is_some_and(|a| a.shrink) {
                    self.whole.insert(output);
                }
                format!("{y}.reshape(-1, {})", list(&kept))
            }
            Op::Resize { kind, output, align_corners, half_pixel_centers } => {
                let x = self.input(operator, 0)?;
                let flag = |on: bool| if on { "True" } else { "False" };
                let (align, half) = (flag(*align_corners), flag(*half_pixel_centers));
                let kind = if *kind == ResizeKind::Nearest { "nearest" } else { "bilinear" };
                format!("resize({x}, \"{kind}\", {}, {align}, {half})", pair(*output))
            }
            Op::Softmax { beta } => {
                let x = self.any_input(operator, 0)?;
                if self.whole.contains(&operator.inputs[0]) {
                    self.whole.insert(output);
                }
                let times = if *beta == 1.0 { String::new() } else { format!(" * {:?}", f64::from(*beta)) };
                format!("torch.softmax({x}{times}, -1)")
            }
            Op::BatchMatmul { adjoint } => {
                let ranks = [0, 1].map(|k| self.dims(operator.inputs[k]).len());
                let mut texts = [String::new(), String::new()];
                for k in 0..2 {
                    let text = if self.known.contains(&operator.inputs[k]) {
                        // The batch of samples must be an axis of its own, and the first of the result.
                        if ranks[k] < 3 || ranks[k] < ranks[1 - k] {
                            return self.refuse(operator, "the first axis of what it reads is no batch of 1");
                        }
                        self.input(operator, k)?
                    } else {
                        self.any_input(operator, k)?
                    };
                    texts[k] = if adjoint[k] { format!("{text}.transpose(-2, -1)") } else { text };
                }
                format!("torch.matmul({}, {})", texts[0], texts[1])
            }
            _ => return self.refuse(operator, "it has no gradient"),
        })
    }

    /// A layer with weights: a part of the module.
    fn layer(&mut self, operator: &Operator) -> Result<String, TrainError> {
        let (output, weights) = (operator.outputs[0], self.dims(operator.inputs[1]));
        let name = self.names[output.index()].clone();
        let read = self.dims(operator.inputs[0]);
        let Some(layer) = self.layers.next() else { return self.refuse(operator, "it has no weights") };
        let co = layer.channels;
        let then = match layer.affine {
            Affine::Norm { .. } => Some("norm"),
            Affine::Bias(_) => Some("bias"),
            Affine::Unit => None,
        };
        let quoted = |key: &str, word: Option<&str>| word.map_or(String::new(), |word| format!(", {key}=\"{word}\""));
        let conv_text = |groups: usize, p: &ConvParams| {
            let pads = pads([read[1], read[2]], [weights[1], weights[2]], p.stride, p.dilation, p.padding);
            let mut text = format!("Conv({}, {co}, {}", read[3], pair([weights[1], weights[2]]));
            for (key, value) in [("stride", p.stride), ("dilation", p.dilation)] {
                if value != [1, 1] {
                    text += &format!(", {key}={}", pair(value));
                }
            }
            if pads != "(0, 0, 0, 0)" {
                text += &format!(", padding={pads}");
            }
            if groups > 1 {
                text += &format!(", groups={groups}");
            }
            text
        };
        // For an element of the module's weights, its place among ours: output channels come last there.
        let at = |tap: usize, i: usize, o: usize, ci: usize| (layer.weight + (tap * ci + i) * co + o) as u32;
        let (text, activation, shape, places): (String, Activation, Vec<usize>, Vec<u32>) = match &operator.op {
            Op::Conv2d(p) | Op::DepthwiseConv2d { conv: p, .. } => {
                let (is_dense, c) = (matches!(operator.op, Op::Conv2d(_)), read[3]);
                let ci = if is_dense { c } else { 1 };
                // One channel that is convolved depthwise has the weights of a dense convolution.
                let own = if layer.depthwise { 1 } else { ci };
                let taps = weights[1] * weights[2];
                let places = (0..co * ci * taps).map(|k| at(k % taps, k / taps % ci, k / taps / ci, own)).collect();
                let groups = if is_dense { 1 } else { c };
                (conv_text(groups, p), p.activation, vec![co, ci, weights[1], weights[2]], places)
            }
            Op::TransposeConv { stride, padding, output, activation } => {
                let (ci, taps) = (read[3], weights[1] * weights[2]);
                let resolve = |i: usize| Window::resolve(output[i], weights[i + 1], stride[i], 1, *padding, i);
                let (Some(rows), Some(columns)) = (resolve(0), resolve(1)) else {
                    return self.refuse(operator, "its window fits nowhere");
                };
                let before = pair([rows.before, columns.before]);
                let (kernel, stride) = (pair([weights[1], weights[2]]), pair(*stride));
                let text = format!("Transposed({ci}, {co}, {kernel}, {stride}, {before}, {}", pair(*output));
                // The taps lie in falling order among our weights.
                let places = (0..ci * co * taps).map(|k| at(taps - 1 - k % taps, k / taps / co, k / taps % co, ci));
                (text, *activation, vec![ci, co, weights[1], weights[2]], places.collect())
            }
            Op::FullyConnected { activation, .. } => {
                let ci = weights[1];
                let places = (0..co * ci).map(|k| at(0, k % ci, k / ci, ci)).collect();
                (format!("Linear({ci}, {co}"), *activation, vec![co, ci], places)
            }
            _ => return self.refuse(operator, "it has no weights"),
        };
        let (then, word) = (quoted("then", then), quoted("activation", word(activation)));
        self.made.push(format!("self.{name} = {text}{then}{word})"));
        let mut parts = vec![("weight", shape, Origin::Parameters(places))];
        let run = |offset: usize| Origin::Parameters((offset..offset + co).map(|i| i as u32).collect());
        match layer.affine {
            Affine::Unit => {}
            Affine::Bias(offset) => parts.push(("bias", vec![co], run(offset))),
            Affine::Norm { scale, shift, state } => {
                parts.push(("norm.weight", vec![co], run(scale)));
                parts.push(("norm.bias", vec![co], run(shift)));
                parts.push(("norm.running_mean", vec![co], Origin::State(state)));
                parts.push(("norm.running_var", vec![co], Origin::State(state + co)));
            }
        }
        for (part, shape, origin) in parts {
            // Layers that share a constant share the parameter.
            if let Origin::Parameters(places) = &origin {
                let least = places.iter().min().copied().unwrap_or_default();
                match self.owners.get(&least) {
                    Some(owner) => self.made.push(format!("self.{name}.{part} = self.{owner}.{part}")),
                    None => drop(self.owners.insert(least, name.clone())),
                }
            }
            self.slots.push(Slot { name: format!("{name}.{part}"), shape, origin });
        }
        let Op::FullyConnected { keep_num_dims, .. } = operator.op else {
            let x = self.input(operator, 0)?;
            return Ok(format!("self.{name}({x})"));
        };
        let x = self.any_input(operator, 0)?;
        let rows = read.iter().product::<usize>() / weights[1].max(1);
        if self.dims(output).first() != Some(&1) {
            self.whole.insert(output);
        }
        Ok(match (keep_num_dims && read.last() == Some(&weights[1]), rows) {
            (true, _) => format!("self.{name}({x})"),
            (false, 1) => format!("self.{name}({x}.reshape(len({x}), {}))", weights[1]),
            (false, _) => format!("self.{name}({x}.reshape(len({x}), {rows}, {}))", weights[1]),
        })
    }
}

/// The pixels of padding above, below, to the left and to the right.
fn pads(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], padding: Padding) -> String {
    let along = |i: usize| {
        Window::resolve(input[i], kernel[i], stride[i], dilation[i], padding, i).map_or((0, 0), |w| {
            (w.before, ((w.output - 1) * w.stride + w.extent()).saturating_sub(input[i] + w.before))
        })
    };
    let ((top, bottom), (left, right)) = (along(0), along(1));
    format!("({top}, {bottom}, {left}, {right})")
}

/// A function of one element.
fn function(kind: UnaryKind, x: &str) -> String {
    match kind {
        UnaryKind::Logistic => format!("torch.sigmoid({x})"),
        UnaryKind::Tanh => format!("torch.tanh({x})"),
        UnaryKind::Exp => format!("torch.exp({x})"),
        UnaryKind::Log => format!("torch.log({x})"),
        UnaryKind::LeakyRelu { alpha } => format!("F.leaky_relu({x}, {:?})", f64::from(alpha)),
        UnaryKind::Relu => format!("F.relu({x})"),
        UnaryKind::Relu6 => format!("F.relu6({x})"),
        UnaryKind::ReluN1To1 => format!("F.hardtanh({x}, -1.0, 1.0)"),
        UnaryKind::HardSwish => format!("F.hardswish({x})"),
        UnaryKind::Function(function @ (Function::Elu | Function::Gelu | Function::Softplus)) => {
            format!("F.{}({x})", format!("{function:?}").to_lowercase())
        }
        UnaryKind::Function(Function::GeluTanh) => format!("F.gelu({x}, approximate=\"tanh\")"),
        // PyTorch's names are these too.
        UnaryKind::Function(function) => format!("torch.{}({x})", format!("{function:?}").to_lowercase()),
    }
}
