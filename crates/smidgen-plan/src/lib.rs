//! Planning: from steps to a [`Program`](smidgen_program::Program) in the smallest arena.
//!
//! 1. A [schedule] writes a flat list of [`Run`](smidgen_program::Run)s; the [planner] chooses which.
//! 2. Simulating the list gives the live bytes of every buffer, and from these the offsets follow.
#![forbid(unsafe_code)]

pub mod aliasing;
pub mod allocate;
mod layer_wise;
pub mod liveness;
pub mod offsets;
pub mod planner;
pub mod schedule;

pub use allocate::{AllocateError, AllocationReport, Estimate, allocate, estimate, quick_allocation};
pub use layer_wise::layer_wise;
pub use liveness::{Layout, LivenessError, Storage};
pub use planner::{Objective, Plan, PlanError, PlanOptions, PlanPoint, PlanReport, advise, pareto, plan};
pub use schedule::ScheduleChoice;
