//! A network as the engine runs it: nodes in execution order, their parameters at offsets of one flat vector.
//!
//! Each node writes one value, of the same index. A convolution's value is what it stored before normalisation and
//! activation: whoever reads it computes `f(z a + b)` on the fly, with one `a` and one `b` for each channel. That is
//! why normalisation and activation are no nodes of their own, but properties of a value.

use crate::conv::Conv;
use crate::error::TrainError;
use crate::graph::Template;
use crate::plain::Plain;
use crate::plan::Plan;
use crate::quantised::QuantisedLayer;
use crate::simd::Form;
use std::sync::Arc;

/// Activation of a layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
    /// `x min(max(x + 3, 0), 6) / 6`.
    HardSwish,
}

impl Activation {
    pub(crate) fn form(self) -> Form {
        match self {
            Self::None => Form::NONE,
            Self::Relu => Form::Clamp(0.0, f32::INFINITY),
            Self::Relu6 => Form::Clamp(0.0, 6.0),
            Self::ReluN1To1 => Form::Clamp(-1.0, 1.0),
            Self::HardSwish => Form::HardSwish,
        }
    }
}

/// What a parameter is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A weight of a convolution or a fully connected layer: the only ones that decay.
    Weight,
    /// A bias.
    Bias,
    /// A normalisation's factor (gamma).
    Scale,
    /// A normalisation's summand (beta).
    Shift,
    /// A slope of PRELU.
    Slope,
}

/// A tensor of parameters.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameter {
    /// `layer.weight`, `layer.bias`, ...
    pub name: String,
    /// First element in the flat vector.
    pub offset: usize,
    /// Dimensions: dense `[kh, kw, ci, co]`, pointwise and fully connected `[ci, co]`, depthwise `[kh, kw, c]`, others
    /// `[c]`.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// Inputs that one output sums over.
    pub fan_in: usize,
}

impl Parameter {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements in the flat vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// Factor and summand of the channels of a value: where they come from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Affine {
    /// 1 and 0.
    Unit,
    /// 1 and the parameters from this offset on.
    Bias(usize),
    /// Batch normalisation.
    Norm {
        /// Offset of gamma.
        scale: usize,
        /// Offset of beta.
        shift: usize,
        /// Offset of the running means, then variances, in the state.
        state: usize,
    },
}

/// What a node computes.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The network's input.
    Input,
    /// A convolution or a fully connected layer.
    Conv(Box<Conv>),
    /// Sum of one or two values of the same shape, read through their activations.
    Sum,
    /// Mean over all pixels.
    Pool {
        /// Pixels.
        rows: usize,
    },
    /// Everything else.
    Plain(Box<Plain>),
}

/// A node and the value that it writes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Name of the layer.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// Nodes whose values it reads.
    pub inputs: Vec<usize>,
    /// Dimensions of the value, for one sample and without the batch.
    pub shape: Vec<usize>,
    /// How the value's channels are transformed when it is read.
    pub affine: Affine,
    /// The activation with which it is read.
    pub form: Form,
    /// The value is stored as its readers want it: `affine` is `Unit`, and `form` was applied (it still masks the
    /// gradient).
    pub direct: bool,
    /// Its own parameters are not trained.
    pub frozen: bool,
}

impl Node {
    /// Elements of the value for one sample.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Channels: the last dimension.
    pub(crate) fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows of channels for one sample.
    pub(crate) fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }
}

/// A network that can be trained.
///
/// Made by a [`Builder`](crate::Builder) or from a [graph](crate::Net::from_graph). It holds no parameters: these are
/// one vector of [`parameter_count`](Self::parameter_count) floats, and the normalisations' running means and variances
/// one of [`state_count`](Self::state_count).
#[derive(Clone, Debug)]
pub struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) output: usize,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) parameter_count: usize,
    pub(crate) state_count: usize,
    pub(crate) plan: Plan,
    pub(crate) template: Option<Arc<Template>>,
    /// Layers whose weights are rounded to what integers stand for.
    pub(crate) quantised: Vec<QuantisedLayer>,
    /// For each tensor of parameters, whether its layer is frozen; empty if none is.
    pub(crate) frozen: Vec<bool>,
}

impl Net {
    /// Fails where parameters or state have other sizes than the network's.
    pub(crate) fn check_sizes(&self, parameters: &[f32], state: &[f32]) -> Result<(), TrainError> {
        for (what, given, expected) in
            [("the parameters", parameters.len(), self.parameter_count), ("the state", state.len(), self.state_count)]
        {
            if given != expected {
                return Err(TrainError::Size { what, given, expected });
            }
        }
        Ok(())
    }

    /// The parameters, in order of their offsets.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Elements of the flat vector of parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameter_count
    }

    /// Elements of the vector of running means and variances.
    pub fn state_count(&self) -> usize {
        self.state_count
    }

    /// Dimensions of the input, without the batch.
    pub fn input_shape(&self) -> &[usize] {
        &self.nodes[0].shape
    }

    /// Dimensions of the output, without the batch.
    pub fn output_shape(&self) -> &[usize] {
        &self.nodes[self.output].shape
    }

    /// Elements of one sample's input.
    pub fn input_len(&self) -> usize {
        self.nodes[0].len()
    }

    /// Elements of one sample's output: the classes.
    pub fn output_len(&self) -> usize {
        self.nodes[self.output].len()
    }

    /// Whether it has layers that compute what [integers](Net::from_integers) stand for.
    pub fn is_quantised(&self) -> bool {
        !self.quantised.is_empty()
    }

    /// Multiply-accumulates of the convolutions and fully connected layers, forward and for one sample.
    pub fn macs(&self) -> usize {
        let of = |node: &Node| match &node.kind {
            Kind::Conv(conv) => conv.macs(),
            _ => 0,
        };
        self.nodes.iter().map(of).sum()
    }
}
