//! Simple forms of the integer kernels: their definitions written down, for any width of activations. They are the oracles of every
//! faster form.

mod binary;
mod conv2d;
mod depthwise;
mod fully_connected;
mod matmul;
mod pool;
mod reduce;
mod resize;
mod transpose_conv;

pub use binary::{Binary, Prelu, Product, Sum, binary, broadcast};
pub use conv2d::conv2d;
pub use depthwise::depthwise;
pub use fully_connected::{FullyConnected, fully_connected};
pub use matmul::matmul;
pub use pool::{average_pool, average_pool_uint8, max_pool};
pub use reduce::*;
pub use resize::{Scale, resize_bilinear};
pub use transpose_conv::transpose_conv;

use crate::memory::{Bounds, Element};

/// How a layer with weights computes on its activations.
pub trait Arithmetic {
    /// An activation as it is stored.
    type Stored: Element;
    /// A sum of products; its default is 0.
    type Sum: Copy + Default;
    /// What the layer has for each output channel.
    type Channels<'a, B: Bounds>: Copy;

    /// Adds the product of a stored input and a weight less its zero point.
    fn add(&self, sum: &mut Self::Sum, x: Self::Stored, w: i32);

    /// The stored output for the sum (bias not yet added) of a channel.
    fn finish<B: Bounds>(&self, channels: &Self::Channels<'_, B>, channel: usize, sum: Self::Sum) -> Self::Stored;
}
