//! Runs a [`Program`](smidgen_plan::Program) on the host: the very kernels and arena offsets that a device would use, so that a
//! wrong overlap shows up as a wrong number here.
//!
//! The executor takes no decision of its own. It checks every bound of the Program when it is made ([`ExecError`]), so that
//! running cannot panic.
#![forbid(unsafe_code)]

mod arena;
mod check;
mod dispatch;
mod error;
mod executor;
mod fold;

pub use error::ExecError;
pub use executor::{Executor, Finished, relabelled};
pub use fold::fold_constants;
