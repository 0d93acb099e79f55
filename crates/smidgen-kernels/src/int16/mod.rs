//! Kernels over int16 activations and int8 weights: TensorFlow Lite's "16x8". Activations are symmetric, so that no zero point
//! takes part.

mod lookup;
pub mod mcu;
mod reduce;
mod sigmoid;
mod slopes;
mod softmax;
mod sum;

pub use crate::reference::{
    FullyConnected, average_image, average_pool, binary, broadcast, conv2d, depthwise, fully_connected, max_pool,
    reduce, reduce_image, resize_bilinear, transpose_conv,
};
#[cfg(feature = "float")]
pub use lookup::entries;
pub use lookup::{ENTRIES, lookup};
pub use reduce::Reduce;
pub use sigmoid::{SIGMOID_STEPS, Sigmoid, sigmoid};
pub use slopes::{Slopes, slopes};
pub use softmax::{Softmax, softmax};
pub use sum::{Terms, sum};

use crate::memory::{Bounds, Checked, Flash};
use crate::reference::{self, Arithmetic};
use crate::requant::Factor;

/// Which function of two stored integers; zero points are 0. The reference has no PRELU among these.
pub type Binary = reference::Binary<i16>;
/// Parameters of ADD and SUB.
pub type Sum = reference::Sum<i16>;
/// Parameters of MUL.
pub type Product = reference::Product<i16>;

/// With how many bits a [`Factor`]'s multiplier meets a sum of 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Multiplier {
    /// 15: see [`Factor::reduced`].
    Reduced,
    /// All 31: see [`Factor::full`].
    Full,
}

/// What the kernels know of the quantisation of their output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Int16 {
    /// Least stored output that the activation allows.
    pub min: i16,
    /// Greatest stored output that the activation allows; not below `min`.
    pub max: i16,
    /// How sums are brought to the output's scale.
    pub multiplier: Multiplier,
}

/// Constants with one entry for each output channel.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a, B: Bounds = Checked> {
    /// Added to the accumulator.
    pub bias: Flash<'a, i64, B>,
    /// [`Factor::multiplier`] from accumulator to output.
    pub multipliers: Flash<'a, i32, B>,
    /// [`Factor::shift`], below 8.
    pub shifts: Flash<'a, i8, B>,
}

impl Arithmetic for Int16 {
    type Stored = i16;
    type Sum = i64;
    type Channels<'a, B: Bounds> = Channels<'a, B>;

    #[inline]
    fn add(&self, sum: &mut i64, x: i16, w: i32) {
        *sum = sum.wrapping_add(i64::from(i32::from(x).wrapping_mul(w)));
    }

    #[inline]
    fn finish<B: Bounds>(&self, channels: &Channels<'_, B>, channel: usize, sum: i64) -> i16 {
        let factor = Factor { multiplier: channels.multipliers[channel], shift: channels.shifts[channel] };
        let sum = sum.wrapping_add(channels.bias[channel]);
        let scaled = match self.multiplier {
            Multiplier::Reduced => factor.reduced(sum),
            Multiplier::Full => factor.full(sum),
        };
        scaled.max(i32::from(self.min)).min(i32::from(self.max)) as i16
    }
}
