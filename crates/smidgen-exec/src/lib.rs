//! Runs a [`Program`](smidgen_program::Program) on the host: the very kernels and arena offsets that a device would use, so that a
//! wrong overlap shows up as a wrong number here.
//!
//! The executor takes no decision of its own, and only a [certified](smidgen_certify::Certified) Program, so that running cannot panic.
#![forbid(unsafe_code)]

mod arena;
mod constants;
mod error;
mod executor;
mod fold;

pub use error::ExecError;
pub use executor::{Executor, Finished, relabelled};
pub use fold::fold_constants;
