//! Kernels over int8 activations and weights with int32 accumulators.
//!
//! Accumulators wrap: a network whose sums leave 32 bits is wrong in every engine, and must not stop this one.

pub mod fast;
mod lstm;
pub mod mcu;
mod normalise;
mod pair;
mod reduce;
mod softmax;
mod sum;
mod svdf;
mod table;

pub use crate::reference::{
    Binary, FullyConnected, Prelu, Product, Scale, Sum, average_image, average_pool, average_pool_uint8, binary,
    broadcast, conv2d, depthwise, fully_connected, matmul, max_pool, reduce, reduce_image, resize_bilinear,
    transpose_conv,
};
pub use lstm::{Lstm, lstm};
pub use normalise::{LogSoftmax, l2_normalization, log_softmax};
pub use pair::{Pair, Quotient, SquaredDifference, broadcast_pair, pair};
pub use reduce::{Reading, Reduce};
pub use softmax::softmax;
pub use sum::{Lookup, SUM_SHIFT, TableSum, table_sum};
pub use svdf::{Svdf, svdf};
pub use table::table;

use crate::memory::{Bounds, Checked, Flash};
use crate::reference::Arithmetic;
use crate::requant::{Factor, Rounding, limit};

/// What the integer kernels know of the quantisation of their input and output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Int8 {
    /// Zero point of the input.
    pub input_zero: i32,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: i8,
    /// Greatest stored output that the activation allows; not below `min`.
    pub max: i8,
    /// How accumulators are rounded.
    pub rounding: Rounding,
}

/// Constants with one entry for each output channel.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a, B: Bounds = Checked> {
    /// Added to the accumulator.
    pub bias: Flash<'a, i32, B>,
    /// [`Factor::multiplier`] from accumulator to output.
    pub multipliers: Flash<'a, i32, B>,
    /// [`Factor::shift`].
    pub shifts: Flash<'a, i8, B>,
}

impl<B: Bounds> Channels<'_, B> {
    /// The stored output for the accumulator (bias not yet added) of a channel.
    #[inline]
    pub fn finish(&self, channel: usize, acc: i32, quant: &Int8) -> i8 {
        let factor = Factor { multiplier: self.multipliers[channel], shift: self.shifts[channel] };
        let scaled = factor.apply(acc.wrapping_add(self.bias[channel]), quant.rounding);
        limit(scaled.wrapping_add(quant.output_zero), quant.min, quant.max)
    }
}

impl Arithmetic for Int8 {
    type Stored = i8;
    type Sum = i32;
    type Channels<'a, B: Bounds> = Channels<'a, B>;

    #[inline]
    fn add(&self, sum: &mut i32, x: i8, w: i32) {
        *sum = sum.wrapping_add((i32::from(x) - self.input_zero).wrapping_mul(w));
    }

    #[inline]
    fn finish<B: Bounds>(&self, channels: &Channels<'_, B>, channel: usize, sum: i32) -> i8 {
        channels.finish(channel, sum, self)
    }
}

/// What the kernels know of a layer whose weights have a zero point, as those of uint8 do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Offset {
    /// Zero point of the weights.
    pub weight_zero: i32,
    /// All else.
    pub quant: Int8,
}

impl Arithmetic for Offset {
    type Stored = i8;
    type Sum = i32;
    type Channels<'a, B: Bounds> = Channels<'a, B>;

    #[inline]
    fn add(&self, sum: &mut i32, x: i8, w: i32) {
        self.quant.add(sum, x, w - self.weight_zero);
    }

    #[inline]
    fn finish<B: Bounds>(&self, channels: &Channels<'_, B>, channel: usize, sum: i32) -> i8 {
        channels.finish(channel, sum, &self.quant)
    }
}
