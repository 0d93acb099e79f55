//! Kernels that move bytes and compute nothing, whatever the element type.

mod load;

pub use load::load;
