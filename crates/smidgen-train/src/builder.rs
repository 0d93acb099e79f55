//! Builds a network layer by layer.

use crate::conv::{Conv, ConvKind, Dense};
use crate::error::TrainError;
use crate::geometry::Geometry;
use crate::net::{Activation, Affine, Kind, Net, Node, Parameter, Role};
use crate::plain::Plain;
use crate::plan::Plan;
use crate::quantised::Grid;
use crate::simd::Form;
use smidgen_ir::Padding;

/// A value of the network that is being built. It belongs to the builder that gave it: others panic, or take it for one of
/// theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Value(pub(crate) usize);

/// What follows a layer's sums, before its activation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Addend {
    /// Batch normalisation.
    #[default]
    Norm,
    /// A bias.
    Bias,
    /// Nothing.
    None,
}

/// A convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvLayer {
    /// Taps, `[height, width]`.
    pub kernel: [usize; 2],
    /// Pixels between neighbouring windows.
    pub stride: [usize; 2],
    /// Pixels between neighbouring taps.
    pub dilation: [usize; 2],
    /// Padding with zeros.
    pub padding: Padding,
    /// What follows the sums.
    pub addend: Addend,
    /// The activation.
    pub activation: Activation,
}

impl ConvLayer {
    /// A square kernel with padding to the same size, batch normalisation and this activation.
    pub fn new(kernel: usize, stride: usize, activation: Activation) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [1; 2],
            // Symmetric as in PyTorch, also with a stride.
            padding: Padding::Explicit { top: kernel / 2, bottom: kernel / 2, left: kernel / 2, right: kernel / 2 },
            addend: Addend::Norm,
            activation,
        }
    }
}

/// Builds a [`Net`]: each method appends a layer and gives its value.
///
/// ```
/// use smidgen_train::{Activation, Builder, ConvLayer};
///
/// let mut b = Builder::new(&[32, 32, 3]);
/// let stem = b.conv("stem", b.input(), 16, ConvLayer::new(3, 1, Activation::Relu6))?;
/// let depth = b.depthwise("depth", stem, ConvLayer::new(3, 2, Activation::Relu6))?;
/// let pooled = b.global_pool("pool", depth)?;
/// let logits = b.fully_connected("classifier", pooled, 10, Activation::None)?;
/// let net = b.build(logits)?;
/// assert_eq!(net.output_len(), 10);
/// # Ok::<(), smidgen_train::TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) nodes: Vec<Node>,
    parameters: Vec<Parameter>,
    parameter_count: usize,
    state_count: usize,
}

impl Builder {
    /// A network with an input of this shape, without the batch; images are `[height, width, channels]`.
    pub fn new(input: &[usize]) -> Self {
        let input = Node {
            name: "input".to_owned(),
            kind: Kind::Input,
            inputs: Vec::new(),
            shape: input.to_vec(),
            affine: Affine::Unit,
            form: Form::NONE,
            direct: true,
            frozen: false,
        };
        Self { nodes: vec![input], parameters: Vec::new(), parameter_count: 0, state_count: 0 }
    }

    /// The network's input.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Dimensions of a value, without the batch.
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.nodes[value.0].shape
    }

    fn push(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value(self.nodes.len() - 1)
    }

    pub(crate) fn parameter(&mut self, name: String, shape: Vec<usize>, role: Role, fan_in: usize) -> usize {
        let parameter = Parameter { name, offset: self.parameter_count, shape, role, fan_in };
        let offset = parameter.offset;
        self.parameter_count += parameter.len();
        self.parameters.push(parameter);
        offset
    }

    fn addend(&mut self, name: &str, addend: Addend, c: usize, fan_in: usize) -> Affine {
        match addend {
            Addend::None => Affine::Unit,
            Addend::Bias => Affine::Bias(self.parameter(format!("{name}.bias"), vec![c], Role::Bias, fan_in)),
            Addend::Norm => {
                let scale = self.parameter(format!("{name}.scale"), vec![c], Role::Scale, fan_in);
                let shift = self.parameter(format!("{name}.shift"), vec![c], Role::Shift, fan_in);
                Affine::Norm { scale, shift, state: self.state(c) }
            }
        }
    }

    /// Room for the running means and variances of `c` channels; its offset.
    pub(crate) fn state(&mut self, c: usize) -> usize {
        self.state_count += 2 * c;
        self.state_count - 2 * c
    }

    fn geometry(&self, name: &str, x: Value, layer: &ConvLayer) -> Result<(Geometry, usize), TrainError> {
        let [h, w, c] = *self.nodes[x.0].shape.as_slice() else {
            return Err(TrainError::layer(name, "a convolution reads images of height, width and channels"));
        };
        let ConvLayer { kernel, stride, dilation, padding, .. } = *layer;
        let geometry = Geometry::new([h, w], kernel, stride, dilation, padding);
        let geometry = geometry.ok_or_else(|| TrainError::layer(name, "the window fits nowhere in its input"))?;
        Ok((geometry, c))
    }

    /// A convolution to `filters` channels.
    ///
    /// # Errors
    /// If the input is no image, or the window fits nowhere.
    pub fn conv(&mut self, name: &str, x: Value, filters: usize, layer: ConvLayer) -> Result<Value, TrainError> {
        let (geometry, ci) = self.geometry(name, x, &layer)?;
        if filters == 0 || ci == 0 {
            return Err(TrainError::layer(name, "there must be channels"));
        }
        let [kh, kw] = layer.kernel;
        let shape = vec![geometry.output[0], geometry.output[1], filters];
        let weights = kh * kw * ci * filters;
        let (kind, dimensions) = if geometry.is_pointwise() {
            (ConvKind::Pointwise { rows: geometry.output_pixels() }, vec![ci, filters])
        } else {
            (ConvKind::Dense(Dense::new(geometry, ci, filters)), vec![kh, kw, ci, filters])
        };
        let fan_in = kh * kw * ci;
        let weight = self.parameter(format!("{name}.weight"), dimensions, Role::Weight, fan_in);
        let affine = self.addend(name, layer.addend, filters, fan_in);
        let conv = Conv { kind, ci, co: filters, weight, weights };
        Ok(self.convolution(name, x, conv, shape, affine, layer.activation))
    }

    /// A depthwise convolution: each channel by itself.
    ///
    /// # Errors
    /// If the input is no image, or the window fits nowhere.
    pub fn depthwise(&mut self, name: &str, x: Value, layer: ConvLayer) -> Result<Value, TrainError> {
        let (geometry, c) = self.geometry(name, x, &layer)?;
        if c == 0 {
            return Err(TrainError::layer(name, "there must be channels"));
        }
        let [kh, kw] = layer.kernel;
        let shape = vec![geometry.output[0], geometry.output[1], c];
        let weight = self.parameter(format!("{name}.weight"), vec![kh, kw, c], Role::Weight, kh * kw);
        let affine = self.addend(name, layer.addend, c, kh * kw);
        let conv = Conv { kind: ConvKind::Depthwise(geometry), ci: c, co: c, weight, weights: kh * kw * c };
        Ok(self.convolution(name, x, conv, shape, affine, layer.activation))
    }

    /// `y = f(x W + b)` over the last dimension.
    ///
    /// # Errors
    /// If there are no inputs or outputs.
    pub fn fully_connected(
        &mut self,
        name: &str,
        x: Value,
        outputs: usize,
        activation: Activation,
    ) -> Result<Value, TrainError> {
        self.linear(name, x, outputs, Addend::Bias, activation)
    }

    /// As [`fully_connected`](Self::fully_connected), with a choice of what follows the sums.
    ///
    /// # Errors
    /// If there are no inputs or outputs.
    pub fn linear(
        &mut self,
        name: &str,
        x: Value,
        outputs: usize,
        addend: Addend,
        activation: Activation,
    ) -> Result<Value, TrainError> {
        let node = &self.nodes[x.0];
        let (ci, rows, mut shape) = (node.channels(), node.rows(), node.shape.clone());
        if ci == 0 || outputs == 0 || rows == 0 {
            return Err(TrainError::layer(name, "there must be inputs and outputs"));
        }
        match shape.last_mut() {
            Some(last) => *last = outputs,
            None => shape.push(outputs),
        }
        let weight = self.parameter(format!("{name}.weight"), vec![ci, outputs], Role::Weight, ci);
        let affine = self.addend(name, addend, outputs, ci);
        let conv = Conv { kind: ConvKind::Pointwise { rows }, ci, co: outputs, weight, weights: ci * outputs };
        Ok(self.convolution(name, x, conv, shape, affine, activation))
    }

    /// A convolution whose parameters are there already.
    pub(crate) fn convolution(
        &mut self,
        name: &str,
        x: Value,
        conv: Conv,
        shape: Vec<usize>,
        affine: Affine,
        activation: Activation,
    ) -> Value {
        let form = activation.form();
        let direct = affine == Affine::Unit && form == Form::NONE;
        self.push(Node {
            name: name.to_owned(),
            kind: Kind::Conv(Box::new(conv)),
            inputs: vec![x.0],
            shape,
            affine,
            form,
            direct,
            frozen: false,
        })
    }

    /// `f(x + y)` of two values of one shape.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn add(&mut self, name: &str, x: Value, y: Value, activation: Activation) -> Result<Value, TrainError> {
        if self.shape(x) != self.shape(y) {
            return Err(TrainError::layer(name, "the summands have different shapes"));
        }
        Ok(self.sum(name, vec![x.0, y.0], activation))
    }

    /// `f(x)`.
    pub fn activate(&mut self, name: &str, x: Value, activation: Activation) -> Value {
        self.sum(name, vec![x.0], activation)
    }

    fn sum(&mut self, name: &str, inputs: Vec<usize>, activation: Activation) -> Value {
        let (form, shape) = (activation.form(), self.nodes[inputs[0]].shape.clone());
        // A clamp can be undone from its result as far as its gradient needs; other activations are applied by who
        // reads.
        let direct = matches!(form, Form::Clamp(..));
        self.push(Node {
            name: name.to_owned(),
            kind: Kind::Sum,
            inputs,
            shape,
            affine: Affine::Unit,
            form,
            direct,
            frozen: false,
        })
    }

    /// The mean of all pixels: from `[h, w, c]` to `[c]`.
    ///
    /// # Errors
    /// If the input is no image.
    pub fn global_pool(&mut self, name: &str, x: Value) -> Result<Value, TrainError> {
        let node = &self.nodes[x.0];
        let (rows, c) = (node.rows(), node.channels());
        if node.shape.len() < 2 || rows == 0 || c == 0 {
            return Err(TrainError::layer(name, "pooling reads images"));
        }
        Ok(self.push(Node {
            name: name.to_owned(),
            kind: Kind::Pool { rows },
            inputs: vec![x.0],
            shape: vec![c],
            affine: Affine::Unit,
            form: Form::NONE,
            direct: true,
            frozen: false,
        }))
    }

    /// The same elements with another shape of as many.
    pub(crate) fn reshape(&mut self, name: &str, x: Value, shape: Vec<usize>) -> Value {
        if self.nodes[x.0].shape == shape {
            return x;
        }
        let reshaped = self.sum(name, vec![x.0], Activation::None);
        self.nodes[reshaped.0].shape = shape;
        reshaped
    }

    /// Gives a layer that has no activation this one; whether it could.
    pub(crate) fn fuse(&mut self, x: Value, activation: Activation) -> bool {
        let node = &mut self.nodes[x.0];
        let fits = matches!(node.kind, Kind::Conv(_)) && node.form == Form::NONE;
        if fits {
            node.form = activation.form();
            node.direct = false;
        }
        fits
    }

    /// The value rounded to a grid: by its own node where that is `new` and only clamps, else by a copy.
    pub(crate) fn round(&mut self, x: Value, Grid { low, high, step }: Grid, new: bool) -> Value {
        let own = new || x == self.input();
        let node = &mut self.nodes[x.0];
        match node.form {
            Form::Clamp(from, to) if own => {
                // The ends of an activation are rounded as everything is.
                let whole = |end: f32| if end.is_finite() { (end / step).round() * step } else { end };
                node.form = Form::Grid { low: low.max(whole(from)), high: high.min(whole(to)), step };
                node.direct = false;
                x
            }
            form if form == (Form::Grid { low, high, step }) => x,
            _ => {
                let name = format!("{}.rounded", node.name);
                let rounded = self.sum(&name, vec![x.0], Activation::None);
                self.round(rounded, Grid { low, high, step }, true)
            }
        }
    }

    /// The value as plain nodes read it: stored with its activation applied.
    pub(crate) fn stored(&mut self, x: Value) -> Value {
        let node = &self.nodes[x.0];
        if node.direct {
            return x;
        }
        // One copy serves all who read it.
        let copy = |n: &Node| {
            matches!(n.kind, Kind::Sum) && n.inputs == [x.0] && n.form == Form::NONE && n.shape == node.shape
        };
        if let Some(i) = self.nodes.iter().position(copy) {
            return Value(i);
        }
        let name = format!("{}.stored", node.name);
        self.sum(&name, vec![x.0], Activation::None)
    }

    /// A plain node; its inputs are [stored](Self::stored).
    pub(crate) fn plain(
        &mut self,
        name: &str,
        plain: Plain,
        inputs: &[Value],
        shape: Vec<usize>,
        activation: Activation,
    ) -> Value {
        let inputs = inputs.iter().map(|&x| self.stored(x).0).collect();
        let form = activation.form();
        let kind = Kind::Plain(Box::new(plain));
        let direct = form == Form::NONE;
        self.push(Node {
            name: name.to_owned(),
            kind,
            inputs,
            shape,
            affine: Affine::Unit,
            form,
            direct,
            frozen: false,
        })
    }

    /// The network whose output is `output`. Layers that it does not depend on are left out of training.
    ///
    /// # Errors
    /// If nothing that the output depends on can be trained, or a value has no elements.
    pub fn build(self, output: Value) -> Result<Net, TrainError> {
        if let Some(node) = self.nodes.iter().find(|n| n.len() == 0) {
            return Err(TrainError::layer(&node.name, "it has no elements"));
        }
        let plan = Plan::new(&self.nodes, output.0);
        if !plan.trained(output.0) {
            return Err(TrainError::layer(
                &self.nodes[output.0].name,
                "nothing that the output depends on has parameters",
            ));
        }
        Ok(Net {
            nodes: self.nodes,
            output: output.0,
            parameters: self.parameters,
            parameter_count: self.parameter_count,
            state_count: self.state_count,
            plan,
            template: None,
            quantised: Vec::new(),
            frozen: Vec::new(),
        })
    }
}
