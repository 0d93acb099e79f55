//! The kernels a step can name, each with its resolved parameters.

/// A kernel and its parameters; constants and operands are listed in the [`Step`](crate::Step).
#[derive(Clone, PartialEq, Debug)]
pub enum Kernel {}
