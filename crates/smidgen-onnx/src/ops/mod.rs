//! From nodes to operators: one function for each supported operator, listed in [`support`](crate::support).

pub(crate) mod activation;
pub(crate) mod arithmetic;
pub(crate) mod conv;
pub(crate) mod image;
pub(crate) mod matrix;
pub(crate) mod movement;
pub(crate) mod norm;
pub(crate) mod pick;
pub(crate) mod pool;
pub(crate) mod quant;
pub(crate) mod reduce;
pub(crate) mod resize;
pub(crate) mod shape;

use crate::call::{Call, Value};
use crate::node_error::NodeError;

/// What a node's outputs are.
pub(crate) type Outputs = Result<Vec<Value>, NodeError>;

/// Translates one node.
pub(crate) type Translate = fn(&mut Call<'_, '_>) -> Outputs;

const FIXED_PARAMETERS: &str = "export the network with other parameters for this operator, or replace it";
