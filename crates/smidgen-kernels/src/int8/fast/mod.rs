//! The fast forms of the int8 kernels: the same bytes as the simple ones, for the price of more code.
//!
//! What they share is told in [`isa`](crate::isa); zero points are folded into the bias ([`fold_bias`]) wherever the input is not
//! corrected when it is read.

mod conv2d;
mod depthwise;
mod fully_connected;
mod matmul;

pub use conv2d::{Conv2d, conv2d, conv2d_scratch, conv2d_weights};
pub use depthwise::{Depthwise, depthwise};
pub use fully_connected::{FullyConnected, fully_connected};
pub use matmul::{MATMUL_COLUMNS, matmul};

/// `bias - input_zero * sum of the channel's weights`: with it, `sum of x * w` needs no zero point. Wraps, as the accumulators do.
pub fn fold_bias(bias: i32, input_zero: i32, weights: impl Iterator<Item = i8>) -> i32 {
    bias.wrapping_sub(input_zero.wrapping_mul(weights.fold(0i32, |sum, w| sum.wrapping_add(w as i32))))
}
