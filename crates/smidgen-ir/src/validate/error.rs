//! What the validator can find, and how it says so.

use crate::graph::{Graph, OpId};
use crate::infer::ShapeError;
use crate::ops::PadValue;
use crate::tensor::{DataType, ElementType, Shape, TensorId};
use crate::validate::{MAX_BYTES, MAX_RANK};
use std::fmt;
use thiserror::Error;

/// A tensor as a message names it: `%12 "conv1/Relu"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorRef {
    /// Its index.
    pub id: TensorId,
    /// Its name; may be empty.
    pub name: String,
}

impl TensorRef {
    /// Names a tensor of a graph; the index may be out of range.
    pub fn new(graph: &Graph, id: TensorId) -> Self {
        Self { id, name: graph.tensors.get(id.index()).map(|t| t.name.clone()).unwrap_or_default() }
    }
}

impl fmt::Display for TensorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        Ok(())
    }
}

/// An operator as a message names it: `operator 3, CONV_2D (number 5 in the file)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorRef {
    /// Its index in the graph.
    pub id: OpId,
    /// Its name in TensorFlow Lite's schema.
    pub name: &'static str,
    /// Its index in the file it came from.
    pub source: Option<u32>,
}

impl OperatorRef {
    /// Names an operator of a graph.
    ///
    /// # Panics
    /// If the graph has no such operator.
    pub fn new(graph: &Graph, id: OpId) -> Self {
        let operator = &graph.operators[id.index()];
        Self { id, name: operator.op.name(), source: operator.source }
    }
}

impl fmt::Display for OperatorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator {}, {}", self.id.0, self.name)?;
        match self.source {
            Some(source) if source != self.id.0 => write!(f, " (number {source} in the file)"),
            _ => Ok(()),
        }
    }
}

/// Why a graph is not valid.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum ValidateError {
    /// An operator or the graph names a tensor that does not exist.
    #[error("{user} names tensor {id}, but the graph has only {count} tensors")]
    NoSuchTensor {
        /// Who names it.
        user: String,
        /// The index.
        id: TensorId,
        /// How many tensors there are.
        count: usize,
    },
    /// The graph has no output.
    #[error("the graph has no output, so it computes nothing; name at least one tensor as output")]
    NoOutput,
    /// The graph's inputs name a tensor twice.
    #[error("graph input {tensor} is listed twice; list it once")]
    DuplicateInput {
        /// The tensor.
        tensor: TensorRef,
    },
    /// A graph input is a constant.
    #[error(
        "graph input {tensor} is a constant; a caller cannot set it, so remove it from the inputs or drop its data"
    )]
    ConstantInput {
        /// The tensor.
        tensor: TensorRef,
    },
    /// Operators form a cycle.
    #[error("operators form a cycle, so none of them can run first: {}", cycle(.operators))]
    Cycle {
        /// The operators, each reading what the one before writes; the first reads what the last writes.
        operators: Vec<OperatorRef>,
    },
    /// A graph output is never written.
    #[error("graph output {tensor} is written by no operator, and is neither a graph input nor a constant")]
    OutputNotWritten {
        /// The tensor.
        tensor: TensorRef,
    },
    /// All tensors together are too large to count.
    #[error("the tensors together have more bytes than can be counted")]
    TooManyBytes,
    /// All multiply-accumulates together are too many to count.
    #[error("the graph needs more multiply-accumulates than 64 bits can count")]
    TooManyMacs,
    /// Something is wrong with a tensor by itself.
    #[error("tensor {tensor} {fault}")]
    Tensor {
        /// The tensor.
        tensor: TensorRef,
        /// What is wrong.
        fault: TensorError,
    },
    /// Something is wrong with a variable.
    #[error("variable {tensor} {fault}")]
    Variable {
        /// Its value.
        tensor: TensorRef,
        /// What is wrong.
        fault: Box<VariableError>,
    },
    /// Something is wrong with an operator.
    #[error("{operator}: {fault}")]
    Operator {
        /// The operator.
        operator: OperatorRef,
        /// What is wrong.
        fault: Box<OperatorError>,
    },
}

impl ValidateError {
    /// True if the graph is beyond a bound of smidgen's (dimensions, bytes, multiply-accumulates, tensors without elements), and does
    /// not contradict itself.
    pub fn is_bound(&self) -> bool {
        match self {
            Self::TooManyBytes | Self::TooManyMacs => true,
            Self::Tensor { fault, .. } => fault.is_bound(),
            _ => false,
        }
    }
}

impl TensorError {
    /// True if it is the size that smidgen does not take.
    pub fn is_bound(&self) -> bool {
        matches!(self, Self::Rank { .. } | Self::Empty { .. } | Self::TooLarge { .. })
    }
}

fn cycle(operators: &[OperatorRef]) -> String {
    let mut names: Vec<String> = operators.iter().map(OperatorRef::to_string).collect();
    names.extend(names.first().cloned());
    names.join(" -> ")
}

/// What is wrong with a tensor by itself.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum TensorError {
    /// Too many dimensions.
    #[error("has shape {found}, of {} dimensions; at most {MAX_RANK} are supported", .found.rank())]
    Rank {
        /// Its shape.
        found: Shape,
    },
    /// A dimension is 0.
    #[error("has shape {found}; a tensor without elements is not supported, so remove what makes and reads it")]
    Empty {
        /// Its shape.
        found: Shape,
    },
    /// Too many bytes.
    #[error("of shape {found} has more than the {MAX_BYTES} bytes that are supported")]
    TooLarge {
        /// Its shape.
        found: Shape,
    },
    /// A constant's data has the wrong length.
    #[error("of shape {shape} and type {element} is a constant of {found} bytes; expected {expected}")]
    DataLength {
        /// Its shape.
        shape: Shape,
        /// Its element type.
        element: ElementType,
        /// Bytes that the shape needs.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// An element type that cannot be quantised.
    #[error("is quantised but of type {found}; quantised elements are i4, i8, i16 or i32")]
    QuantisedElement {
        /// The element type.
        found: ElementType,
    },
    /// A scale that is not positive and finite.
    #[error("has scale {found}; a scale is positive and finite")]
    Scale {
        /// The scale.
        found: f32,
    },
    /// A zero point that the element type cannot hold.
    #[error("has zero point {found}, outside the {least} to {most} of {element}")]
    ZeroPoint {
        /// The zero point.
        found: i32,
        /// Its element type.
        element: ElementType,
        /// Least integer of that type.
        least: i32,
        /// Greatest integer of that type.
        most: i32,
    },
    /// A per-channel axis that the tensor does not have.
    #[error("is quantised along axis {axis}, but has only {rank} dimensions")]
    ChannelAxis {
        /// The axis.
        axis: usize,
        /// Dimensions of the tensor.
        rank: usize,
    },
    /// The wrong number of scales or zero points.
    #[error("has {found} {what} for {expected} channels along axis {axis}; there must be one for each")]
    ChannelCount {
        /// `scales` or `zero points`.
        what: &'static str,
        /// The axis.
        axis: usize,
        /// Size of the axis.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A type that only constants may have.
    #[error("is of type {found}, which only a constant may be; quantise it as per-tensor i8")]
    ConstantOnly {
        /// Its type.
        found: DataType,
    },
}

/// What is wrong with a variable.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum VariableError {
    /// Its value is a constant.
    #[error("is a constant; drop its data or the variable")]
    Constant,
    /// Its value is a graph input.
    #[error("is an input of the graph too; the caller cannot set what an earlier inference left")]
    Input,
    /// Two variables have one value.
    #[error("is listed twice; list it once")]
    Twice,
    /// What it holds next is never written.
    #[error("is to hold {next} next, which nothing writes: it is no graph input, no constant and no operator's output")]
    NextNotWritten {
        /// What it should hold.
        next: TensorRef,
    },
    /// What it holds first is no constant.
    #[error("is to hold {initial} in the first inference, which is not a constant")]
    InitialNotConstant {
        /// What it should hold.
        initial: TensorRef,
    },
    /// What it holds first or next is of another shape or type.
    #[error(
        "is {} {}, but is to hold {other}, which is {} {}; both must have one shape, type and quantisation",
        .value.0, .value.1, .found.0, .found.1
    )]
    Unlike {
        /// Its own shape and type.
        value: (Shape, DataType),
        /// What it should hold.
        other: TensorRef,
        /// The shape and type of that.
        found: (Shape, DataType),
    },
}

/// What is wrong with an operator.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum OperatorError {
    /// It is to compute as in a network of uint8, and has no such form.
    #[error("is to compute as kernels of uint8 do, which this operator has no form for; leave out `uint8`")]
    Uint8,
    /// It writes a constant.
    #[error("writes {tensor}, which is a constant")]
    WritesConstant {
        /// The tensor.
        tensor: TensorRef,
    },
    /// It writes a graph input.
    #[error("writes {tensor}, which is an input of the graph")]
    WritesInput {
        /// The tensor.
        tensor: TensorRef,
    },
    /// It writes the value of a variable.
    #[error(
        "writes {tensor}, which is the value of a variable at the beginning; let the variable hold its output next"
    )]
    WritesVariable {
        /// The tensor.
        tensor: TensorRef,
    },
    /// It writes what another operator, or the same one, has written already.
    #[error("writes {tensor}, which {first} has written already; each tensor is written once")]
    WrittenTwice {
        /// The tensor.
        tensor: TensorRef,
        /// The operator that writes it first.
        first: OperatorRef,
    },
    /// It reads what only a later operator writes.
    #[error(
        "reads {tensor}, which only {writer} writes, after it; sort the operators so that each follows what it reads"
    )]
    OutOfOrder {
        /// The tensor.
        tensor: TensorRef,
        /// The operator that writes it.
        writer: OperatorRef,
    },
    /// It reads what nothing writes.
    #[error(
        "reads {tensor}, which nothing writes: it is no graph input, no constant, no variable and no operator's output"
    )]
    NeverWritten {
        /// The tensor.
        tensor: TensorRef,
    },
    /// It does not fit its inputs.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The wrong number of outputs.
    #[error("has {found} outputs; it must have {expected}")]
    OutputCount {
        /// How many it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// An output has another shape than the operator gives it.
    #[error("output {tensor} has shape {found}, but the operator makes {expected}")]
    OutputShape {
        /// The output.
        tensor: TensorRef,
        /// The shape that it must have.
        expected: Shape,
        /// The shape that it has.
        found: Shape,
    },
    /// An output has another element type than the operator gives it.
    #[error("output {tensor} has type {found}, but the operator makes {expected}")]
    OutputElement {
        /// The output.
        tensor: TensorRef,
        /// The type that it must have.
        expected: ElementType,
        /// The type that it has.
        found: ElementType,
    },
    /// A parameter is too large.
    #[error("{parameter} is {found}; at most {MAX_BYTES} is supported")]
    TooLarge {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        found: usize,
    },
    /// A parameter is infinite or not a number.
    #[error("{parameter} is {found}; it must be finite")]
    NotFinite {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        found: f32,
    },
    /// A parameter is not positive.
    #[error("{parameter} is {found}; it must be positive")]
    NotPositive {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        found: f32,
    },
    /// An activation is fused where none can be.
    #[error(
        "has a fused activation, which it cannot have on this type; put the activation into an operator of its own"
    )]
    FusedActivation,
    /// A PAD's value does not belong to the tensor's type.
    #[error("pads {element} with {value:?}, which that type cannot hold")]
    PadValue {
        /// The value.
        value: PadValue,
        /// Element type of the tensor.
        element: ElementType,
    },
    /// An input that must be constant is not.
    #[error(
        "{what}, {tensor}, must be constant, but depends on an input of the graph; make it a constant in the source"
    )]
    NotConstant {
        /// `the weights`, `the bias` or `alpha`.
        what: &'static str,
        /// The tensor.
        tensor: TensorRef,
    },
    /// A tensor has a type that the operator does not take or make.
    #[error("{tensor} is of type {found}; expected {expected}")]
    Type {
        /// The tensor.
        tensor: TensorRef,
        /// What it must be.
        expected: String,
        /// What it is.
        found: DataType,
    },
    /// The ratio of scales cannot be written as a multiplier and a shift.
    #[error(
        "the factor from its accumulator to output {tensor} is {factor:e}, which must be below 2^{limit}; the output's scale is \
         too small for its inputs' scales, so calibrate it again"
    )]
    Factor {
        /// The output.
        tensor: TensorRef,
        /// Input scale times weight scale over output scale.
        factor: f64,
        /// Exponent of the bound.
        limit: u32,
    },
}
