//! The int16 kernels that firmware runs, for layers whose sums 32 bits [provably hold](Channel::proven).
//!
//! Activations take part as they are. Weights of eight bits are packed such that one extraction (SXTB16) gives two of them in the order in
//! which activations lie, so that a dual multiply-accumulate takes two products. Sums become outputs by one multiplication and one shift, see
//! [`Channel`]. A layer of which one channel is not proven keeps the kernel that sums in 64 bits.

mod channel;
mod conv2d;
mod depthwise;
mod fully_connected;
mod pack;

use crate::geometry::Window2d;
pub use channel::{Channel, Clamp, words};
pub use conv2d::{CONV2D_PIXELS, conv2d, conv2d_pack, conv2d_scratch, conv2d_weights};
pub use depthwise::{DEPTHWISE_PIXELS, depthwise, depthwise_pack, depthwise_scratch, depthwise_weights};
pub use fully_connected::{fully_connected, fully_connected_pack, fully_connected_weights};

/// A CONV_2D or DEPTHWISE_CONV_2D without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windowed {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
}
