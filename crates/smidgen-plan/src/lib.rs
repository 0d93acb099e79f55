//! Planning: from steps to a [`Program`](smidgen_program::Program) in the smallest arena.
//!
//! 1. A [schedule] writes a flat list of [`Run`](smidgen_program::Run)s; the [planner] chooses which.
//! 2. Simulating the list gives the live bytes of every buffer, and from these the offsets follow.
#![forbid(unsafe_code)]

pub mod assign;
pub mod overlap;
pub mod place;
pub mod planner;
pub mod schedule;
pub mod simple;
pub mod simulate;

pub use place::{Estimate, PlaceError, PlacementReport, estimate, outline, place};
pub use planner::{Objective, Plan, PlanError, PlanOptions, PlanPoint, PlanReport, advise, pareto, plan};
pub use schedule::ScheduleChoice;
pub use simulate::{Layout, SimulateError, Storage};
