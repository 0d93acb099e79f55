//! Kernels that move bytes and compute nothing, whatever the element type.

mod concat;
mod gather;
mod load;
mod permute;

pub use concat::{Axis, Piece, concat};
pub use gather::{Gather, Index, gather};
pub use load::load;
pub use permute::permute;
