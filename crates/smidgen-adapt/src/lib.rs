//! The training compiler: from an int8 network and an update scheme to the steps of one iteration of training on a microcontroller.
//!
//! [`compile`](compile()) cuts the classifier off a network and gives it a new one, differentiates the integer graph backwards as far as the
//! scheme needs it, and adds the updates, each as soon as its gradient exists. The result is a [`Lowered`](smidgen_program::Lowered) like that of an inference: the
//! same planner, certificate, executor and code generator take it. What is trained are variables, which outlive a step.
//!
//! The arithmetic is described in [`smidgen_kernels::training`]; [`surrogate`] computes the same gradients in double precision, by the definition.
//!
//! Sources: Lin et al., "On-Device Training Under 256KB Memory" (NeurIPS 2022).
#![forbid(unsafe_code)]

mod calibrate;
pub mod compile;
pub mod error;
pub mod learner;
mod lists;
pub mod lite_residual;
pub mod memory;
mod movement;
pub mod network;
pub mod scheme;
pub mod search;
pub mod surrogate;
pub mod twin;

pub use calibrate::{activations, drawn};
pub use compile::{Computed, Parameter, Role, TrainingStep, compile};
pub use error::AdaptError;
pub use learner::{Learner, Learns};
pub use lite_residual::LiteResidual;
pub use network::Features;
pub use scheme::{Criterion, Loss, MOST_ACCUMULATED, MOST_RATE, Rounding, Scheme};
pub use twin::Twin;
