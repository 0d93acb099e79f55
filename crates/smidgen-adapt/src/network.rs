//! A network seen as features and a classifier, and its convolutions in the order in which schemes number them.

use crate::error::AdaptError;
use crate::memory::ConvolutionSize;
use crate::surrogate::convolution;
use smidgen_ir::passes::remove_dead;
use smidgen_ir::{ElementType, Graph, NormaliseKind, Op, OpId, TensorId};

/// The part of a network before its classifier.
#[derive(Clone, Debug)]
pub struct Features {
    /// From the network's input to the features, which are its only output.
    pub graph: Graph,
    /// Operators with weights, in order; those of [modules](crate::lite_residual) behind all others.
    pub convolutions: Vec<OpId>,
    /// How many features there are.
    pub count: usize,
    /// Their scale and zero point.
    pub quantisation: (f32, i32),
    /// Classes that the network was made for.
    pub classes: usize,
}

/// Whether an operator only renames or squashes what a classifier gives.
fn follows_classifier(op: &Op) -> bool {
    matches!(
        op,
        Op::Softmax { .. }
            | Op::Normalise(NormaliseKind::LogSoftmax)
            | Op::Reshape { .. }
            | Op::Dequantize
            | Op::Quantize
            | Op::ArgMax { .. }
    )
}

/// Whether an operator has weights that a scheme numbers.
pub(crate) fn is_convolution(op: &Op) -> bool {
    matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::FullyConnected { .. })
}

impl Features {
    /// Cuts the classifier off: the last operator with weights, which has to see one pixel of int8 features, and what follows it.
    ///
    /// # Errors
    /// If the network has another form.
    pub fn of(graph: &Graph) -> Result<Self, AdaptError> {
        let fail = |text: String| Err(AdaptError::NoClassifier(text));
        let (&[_], &[output]) = (&graph.inputs[..], &graph.outputs[..]) else {
            let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            return fail(format!(
                "it has {} and {}; one of each is needed",
                count(graph.inputs.len(), "input"),
                count(graph.outputs.len(), "output")
            ));
        };
        if !graph.variables.is_empty() {
            return fail("it keeps state between inferences".into());
        }
        let producers = graph.producers();
        let mut at = output;
        let classifier = loop {
            let Some(id) = producers[at.index()] else { return fail("nothing computes its output".into()) };
            let operator = &graph.operators[id.index()];
            if matches!(operator.op, Op::Conv2d(_) | Op::FullyConnected { .. }) {
                break operator;
            }
            if !follows_classifier(&operator.op) {
                return fail(format!("before its output comes {}", operator.op.name()));
            }
            at = operator.inputs[0];
        };
        let (input, weights) = (classifier.inputs[0], graph.tensor(classifier.inputs[1]));
        let (features, classes) = (graph.tensor(input), weights.shape.dims()[0]);
        let inputs = weights.shape.elements() / classes.max(1);
        let Some(quantisation) = features.per_tensor().filter(|_| features.element() == ElementType::Int8) else {
            return fail(format!("its features `{}` are {}; int8 is needed", features.name, features.dtype));
        };
        if features.shape.elements() != inputs {
            return fail(format!(
                "its last layer sees `{}` of {} as more than one pixel",
                features.name, features.shape
            ));
        }
        if graph.inputs.contains(&input) {
            return fail("it is nothing but a classifier".into());
        }
        let (count, mut graph) = (inputs, graph.clone());
        graph.outputs = vec![input];
        remove_dead(&mut graph);
        let first = graph.tensor(graph.inputs[0]);
        if first.element() != ElementType::Int8 {
            return fail(format!("its input `{}` is {}; int8 is needed (convert --io int8)", first.name, first.dtype));
        }
        let convolutions = (graph.operators.iter().enumerate())
            .filter(|(_, operator)| is_convolution(&operator.op))
            .map(|(i, _)| OpId(i as u32))
            .collect();
        Ok(Self { graph, convolutions, count, quantisation, classes })
    }

    /// The features' tensor.
    pub fn tensor(&self) -> TensorId {
        self.graph.outputs[0]
    }

    /// The convolutions as the published formula of memory sees them.
    ///
    /// # Errors
    /// If one of them has shapes that no window leads from one to the other.
    pub fn sizes(&self) -> Result<Vec<ConvolutionSize>, AdaptError> {
        let size = |id: &OpId| {
            let operator = &self.graph.operators[id.index()];
            let (window, _, depthwise) = convolution(&self.graph, operator)
                .ok_or_else(|| AdaptError::Internal(format!("a {} without a window", operator.op.name())))?;
            Ok(ConvolutionSize { input: window.input, output: window.output, area: window.area(), depthwise })
        };
        self.convolutions.iter().map(size).collect()
    }

    /// Which tensors a change of one of these operators reaches: where gradients have to be known.
    pub(crate) fn reached(&self, trained: &[bool]) -> Vec<bool> {
        let mut reached = vec![false; self.graph.tensors.len()];
        for (i, operator) in self.graph.operators.iter().enumerate() {
            if trained[i] || operator.inputs.iter().any(|t| reached[t.index()]) {
                operator.outputs.iter().for_each(|t| reached[t.index()] = true);
            }
        }
        reached
    }
}
