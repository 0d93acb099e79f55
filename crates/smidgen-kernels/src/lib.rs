//! The kernels: `no_std`, no heap, no global state.
//!
//! Every kernel works inside one arena slice, so that an output may overlap an input where the planner has shown that to be
//! safe: inputs and outputs are [`View`]s (offsets into the arena), never two borrowed slices. A kernel computes one
//! [`Region`] (rows and columns) of its output; rows may lie in a ring. The layer-wise, streaming and patch schedules thereby
//! run the same code.
//!
//! Constants (weights, biases, multipliers, tables) are slices outside the arena.
//!
//! [`int8`], [`int16`] and [`float`] hold one file per operator family ([`mod@reference`] what the integers share), [`movement`] what only moves bytes, [`convert`] what changes the element
//! type, [`plain`] what compares and chooses; [`requant`] and [`fixed`] hold the integer arithmetic that they share, and [`isa`] the inner loops that exist once for each
//! instruction set. [`store`] keeps what a network has learnt.
//!
//! The invariant that matters: the result of a region never depends on how the output was cut into regions.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod convert;
pub mod fixed;
#[cfg(feature = "float")]
pub mod float;
pub mod geometry;
pub mod int16;
pub mod int8;
pub mod isa;
pub mod memory;
pub mod movement;
pub mod nd;
pub mod operand;
pub mod plain;
mod pooling;
pub mod reference;
pub mod requant;
#[cfg(feature = "sources")]
pub mod sources;
pub mod store;
pub mod training;
pub mod view;

pub use geometry::Window2d;
pub use isa::Isa;
pub use memory::{Arena, Bounds, Certified, Checked, Flash};
pub use operand::Operand;
pub use requant::Rounding;
pub use view::{Region, View, Views};
