//! From a [graph](smidgen_ir::Graph) to a [`Program`]: lowering, schedules, and the smallest arena.
//!
//! 1. Lowering resolves every operator into [`Step`]s: kernel, packed constants, requantisation, and what it reads when.
//! 2. A [schedule] writes a flat list of [`Run`]s; the [planner] chooses which.
//! 3. Simulating the list gives the live bytes of every buffer, and from these the offsets follow.
#![forbid(unsafe_code)]

pub mod access;
pub mod assign;
pub mod certify;
pub mod costs;
mod digest;
mod finish;
pub mod kernel;
pub mod lower;
pub mod overlap;
pub mod place;
pub mod planner;
pub mod program;
pub mod schedule;
pub mod simple;
pub mod simulate;

pub use access::{Access, Block, Order, Reach};
pub use certify::{Certified, Refused, certify};
pub use kernel::{Demands, Kernel};
pub use lower::{KernelSet, LowerError, LowerOptions, Reference, lower};
pub use place::{Estimate, PlaceError, PlacementReport, estimate, outline, place};
pub use planner::{Objective, Plan, PlanError, PlanOptions, PlanPoint, PlanReport, advise, pareto, plan};
pub use program::{
    Buffer, BufferId, BufferSpec, Bytes, Constant, ConstantId, Extent, Initial, Lowered, Operand, Port, Program, Run,
    Step, StepId, Target, Variable, operator_of,
};
pub use schedule::ScheduleChoice;
pub use simulate::{Layout, SimulateError, Storage};
pub use smidgen_ir::ElementType;
pub use smidgen_kernels::Region;
