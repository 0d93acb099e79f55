//! Reads ONNX files as [`smidgen_ir::Graph`]s.
//!
//! [`read`] takes networks of operator sets 7 to 28: float ones, as PyTorch exports them, and ones already quantised in QDQ form
//! (QuantizeLinear and DequantizeLinear around the operators). [`check`] lists everything in the way of reading a file, and
//! [`SUPPORTED`] what can be read, and [`LACKING`] what of the standard cannot.
//!
//! ONNX keeps images as `[N,C,H,W]`, smidgen as `[N,H,W,C]`. So **an input or output with four axes appears with its channels last**
//! where the network treats it as an image; [`Port::axes`] says for each which of the file's axes lies where. Inside, a
//! tensor's layout is part of the reader's knowledge of it, transpositions in the file change that knowledge alone, and weights are
//! rearranged when reading, so that networks of images come out without a transposition.
//!
//! What only exists because of the format is gone from the graph: arithmetic on shapes is computed, batch normalisation becomes part of
//! the weights before it, activations of the operator before them, and HARD_SWISH and SAME padding are recognised where the file
//! spells them out. What is float between DequantizeLinear and QuantizeLinear in QDQ form computes on int8; what a file leaves
//! without them stays float, and [`Import::notes`] names it.
//!
//! The invariant that matters: no file, however hostile, makes the reader panic, run for long, or take more memory than a fixed
//! multiple of the file's size. Views borrow the file; whatever is copied is charged to a budget.
//!
//! Layers, from the bytes up: `wire` (checked fields), `schema` (messages), `constant`, `order`, `read` (nodes in order), `fold` (nodes of
//! constants), `ops` (all other nodes, by `emit` into the graph), `fuse` (rewrites of the graph).
#![forbid(unsafe_code)]

mod call;
mod constant;
mod emit;
mod error;
mod fold;
mod fuse;
mod node_error;
mod ops;
mod options;
mod order;
mod read;
mod schema;
mod support;
mod wire;

pub use error::ReadError;
pub use ops::LACKING;
pub use options::{ExternalData, Import, Options};
pub use read::{check, is_onnx, read, read_with};
pub use smidgen_ir::front::{ErrorKind, LackingEntry, Port, Subject, SupportEntry, Unsupported};
pub use support::SUPPORTED;
