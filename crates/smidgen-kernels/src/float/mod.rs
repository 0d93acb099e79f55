//! Kernels over float32 activations and weights.

mod binary;
mod conv2d;
mod depthwise;
mod fully_connected;
mod function;
mod hybrid;
mod matmul;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod softmax;
mod svdf;
mod transpose_conv;
mod unary;

pub use binary::{Binary, Clamped, binary, broadcast};
pub use conv2d::conv2d;
pub use depthwise::depthwise;
pub use fully_connected::fully_connected;
pub use function::{Function, GELU_CUBIC, GELU_SLOPE};
pub use hybrid::{
    DynamicRange, Hybrid, conv2d_hybrid, conv2d_hybrid_asymmetric, conv2d_hybrid_scratch, depthwise_hybrid,
    depthwise_hybrid_scratch,
};
pub use matmul::matmul;
pub use pool::{average_pool, max_pool};
pub use recurrent::{Cell, Recurrent, recurrent, recurrent_hybrid, recurrent_hybrid_asymmetric};
pub use reduce::{reduce, reduce_image};
pub use resize::{Scale, resize_bilinear, resize_bilinear_uint8};
pub use softmax::softmax;
pub use svdf::{Svdf, svdf};
pub use transpose_conv::transpose_conv;
pub use unary::{Unary, of, unary};

/// The real interval that a fused activation allows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Clamp {
    /// Least output.
    pub min: f32,
    /// Greatest output; not below `min`.
    pub max: f32,
}

impl Clamp {
    /// `x`, or the nearer end. Not a number stays so.
    #[inline]
    pub fn apply(self, x: f32) -> f32 {
        if x < self.min {
            self.min
        } else if x > self.max {
            self.max
        } else {
            x
        }
    }
}
