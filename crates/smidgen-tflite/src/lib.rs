//! Reads and writes TensorFlow Lite files as [`smidgen_ir::Graph`]s.
//!
//! [`read`] gives the graph that the file describes, nothing left out: parameters that the format keeps in constant tensors (axes,
//! paddings, shapes) become fields of the operators, constants of half precision become single ones and the DEQUANTIZE behind them goes,
//! shapes between the inputs and outputs are those that follow from the inputs, and tensors that nothing uses are dropped. [`check`]
//! lists everything in the way of reading a file, [`SUPPORTED`] what can be read, and [`LACKING`] what cannot. [`write`](write()) turns a graph into a file
//! again, which the reference interpreter runs.
//!
//! The invariant that matters: no file, however hostile, makes the reader panic, run for long, or take more memory than a fixed
//! multiple of the file's size, and besides, where loops are unrolled or one operator becomes many, a fixed number of copies. Offsets are followed only by `flat`,
//! which checks each one, and whatever is copied is charged to a budget.
//!
//! A file that the reference loads is never called malformed: what cannot be taken is unsupported, each with its cause.
//!
//! Layers, from the bytes up: `flat` (checked tables), `schema` (field numbers), `support` (the operators by their
//! codes), `read`, `write`, and `ops`: how each operator is read and written.
#![forbid(unsafe_code)]

mod error;
mod flat;
#[cfg(test)]
mod hostile;
mod ops;
mod read;
mod schema;
mod support;
mod write;

pub use error::{ReadError, WriteError};
pub use ops::LACKING;
pub use read::{Options, check, metadata, read, read_with};
pub use smidgen_ir::front::{ErrorKind, LackingEntry, Subject, SupportEntry, Unsupported};
pub use support::{READ_AWAY, SUPPORTED};
pub use write::{write, write_with};
