//! The graph that every smidgen front end produces and everything else starts from.
//!
//! A [`Graph`] says *what* is computed and nothing of memory: [tensors](Tensor) with a shape and a [type](DataType), and typed
//! [operators](Op) in an order in which they can run. Activations are NHWC; weights keep TensorFlow Lite's layouts. Nothing
//! here reads a file format or knows a board.
//!
//! The contract: if the validator accepts a graph, nothing after it panics.
#![forbid(unsafe_code)]

pub mod cost;
pub mod front;
pub mod graph;
pub mod half;
pub mod infer;
pub mod names;
mod numbers;
pub mod ops;
pub mod passes;
pub mod tensor;
pub mod text;
pub mod validate;
pub mod visible;
pub mod window;

pub use cost::{Cost, OperatorCost, ReceptiveField, cost};
pub use graph::{Graph, OpId, Operator, Variable};
pub use infer::{Inferred, ShapeError, infer};
pub use numbers::thousands;
pub use ops::{
    Activation, AxisSlice, BinaryKind, Cell, CompareKind, ConvParams, Function, NormaliseKind, Op, PadValue, Padding,
    PoolKind, RecurrentParams, ReduceKind, ReshapeKind, ResizeKind, Traits, UnaryKind, Values, Weights,
};
pub use tensor::{DataType, ElementType, Quantisation, Shape, Tensor, TensorId, element_count, power_of_two};
pub use validate::{ValidateError, validate};
pub use visible::{visible, visible_lines, visible_path};
pub use window::Window;
