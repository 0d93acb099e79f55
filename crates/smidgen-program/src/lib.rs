//! The [`Program`]: what a network is when it has been lowered and planned, and what runs on the host and in firmware.
//!
//! - [`program`]: steps, buffers of one arena, constants and the list of runs, and [`Lowered`], the same without places and runs.
//! - [`kernel`]: the kernels that a step can name, each declared once: what it demands of its step, its input footprint, its soundness, its
//!   cost, and its call, from which both the host's run and the text of generated code come.
//! - [`footprint`]: the input footprint of a step, and in what order it reads and writes.
//! - [`costs`]: instructions of each kernel on each kind of core, and bytes of code, fitted to measurements.
//!
//! Lowering (`smidgen-lower`), planning (`smidgen-plan`) and certifying (`smidgen-certify`) share these data types and nothing else.
#![forbid(unsafe_code)]

pub mod costs;
mod digest;
pub mod footprint;
pub mod kernel;
pub mod program;

pub use footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
pub use kernel::{Demands, Kernel, Regions};
pub use program::{
    Buffer, BufferId, BufferSpec, Bytes, Constant, ConstantId, Extent, Initial, Lowered, Operand, Port, Program, Run,
    Step, StepId, Target, Variable, operator_of,
};
pub use smidgen_ir::ElementType;
pub use smidgen_kernels::Region;
