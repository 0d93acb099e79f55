//! Why a network cannot be quantised.

use smidgen_certify::Refused;
use smidgen_exec::ExecError;
use smidgen_ir::validate::{OperatorError, TensorError};
use smidgen_ir::{Graph, ValidateError};
use smidgen_lower::LowerError;

/// Why a network cannot be quantised.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum QuantError {
    /// The graph is not valid.
    #[error(transparent)]
    Graph(ValidateError),
    /// Part of the graph is quantised.
    #[error("operator {operator} works with `{tensor}`, which is {dtype}: the network is quantised already")]
    Quantised {
        /// The operator's name.
        operator: &'static str,
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: String,
    },
    /// Nothing in the graph is a float.
    #[error("the network computes nothing with floats")]
    NothingToDo,
    /// A weight or another constant is not a number, or infinite.
    #[error("the constant `{tensor}` of {operator} holds {value}")]
    Constant {
        /// The operator's name.
        operator: &'static str,
        /// The constant.
        tensor: String,
        /// What it holds.
        value: f32,
    },
    /// No samples.
    #[error("there are no samples to calibrate with")]
    NoSamples,
    /// A sample of another size.
    #[error("sample {sample} has {given} bytes for the input `{tensor}`, which takes {expected}")]
    Sample {
        /// Index of the sample.
        sample: usize,
        /// The input's name.
        tensor: String,
        /// Bytes given.
        given: usize,
        /// Bytes wanted.
        expected: usize,
    },
    /// A sample with more or fewer inputs.
    #[error("sample {sample} has {given} inputs; the network has {expected}")]
    InputCount {
        /// Index of the sample.
        sample: usize,
        /// Inputs given.
        given: usize,
        /// Inputs wanted.
        expected: usize,
    },
    /// A computed value is not finite.
    #[error("with sample {sample}, the tensor `{tensor}` gets a value that is not a finite number")]
    Value {
        /// Index of the sample.
        sample: usize,
        /// The tensor.
        tensor: String,
    },
    /// Constants cannot be made as small as asked for.
    #[error("with weights of 4 bits everywhere the constants still take {:.1} % of those of int8", 100.0 * .least)]
    Ratio {
        /// The least part of int8's constants that can be had.
        least: f64,
    },
    /// So little noise cannot be had.
    #[error("with 16 bits for every activation the outputs' noise still lies only {most:.1} dB below the signal")]
    Unreachable {
        /// The signal-to-noise ratio that can be had, in decibels.
        most: f64,
    },
    /// No activation and no operator has this name.
    #[error("no activation and no operator of the network is called `{name}`; there are {}", listed(.near))]
    UnknownLayer {
        /// The name.
        name: String,
        /// Those most like it.
        near: Vec<String>,
    },
    /// No kernel runs the float graph, or the integer graph.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// A Program that was made of the network gets no certificate, which is a fault of smidgen's.
    #[error(transparent)]
    Refused(Box<Refused>),
    /// The executor refuses an input.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A layer's weights or values are so large, so small or so far apart that no scales stand for them.
    #[error("no scales of integers stand for {layer}, so far apart are its weights and its values")]
    Scales {
        /// The operator and what it writes.
        layer: String,
        /// What cannot be expressed.
        #[source]
        fault: Box<ValidateError>,
    },
    /// The result is not valid, which is a fault of this crate's.
    #[error("quantisation has made the network invalid")]
    Spoilt(#[source] ValidateError),
}

impl QuantError {
    /// Why an integer graph that was built is not valid.
    pub(crate) fn of_result(graph: &Graph, error: ValidateError) -> Self {
        let layer = match &error {
            ValidateError::Operator { operator, fault } if matches!(**fault, OperatorError::Factor { .. }) => {
                graph.operators.get(operator.id.index())
            }
            ValidateError::Tensor { tensor, fault: TensorError::Scale { .. } } => {
                graph.operators.iter().find(|o| o.inputs.contains(&tensor.id) || o.outputs.contains(&tensor.id))
            }
            _ => None,
        };
        match layer {
            Some(operator) => {
                let output = operator.outputs.first().map_or("", |&id| graph.tensor(id).name.as_str());
                Self::Scales { layer: format!("{}, which writes `{output}`", operator.op.name()), fault: error.into() }
            }
            None => Self::Spoilt(error),
        }
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl From<Refused> for QuantError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}
