//! The kernels a step can name. Each is a struct of resolved parameters with one [`KernelSpec`]: what it demands of the step that names it,
//! what it reads, what it costs, and how it is called on the host and in generated code. [`Kernel`] lists them; everything that
//! has to hold for all of them follows from that list.

#[macro_use]
mod call;
mod conv;
mod convert;
mod elementwise;
mod fully_connected;
mod movement;
mod pattern;
mod plain;
mod pool;
mod recurrent;
mod reduction;
mod resize;
pub mod source;
mod svdf;
mod training;

pub use call::{Bound, Invocation, Memory, Place, Print, Site};
pub use conv::{
    Conv2dF32, Conv2dHybrid, Conv2dI8, Conv2dI8Fast, Conv2dI8Mcu, Conv2dI8Offset, Conv2dI16, Conv2dI16Mcu,
    DepthwiseF32, DepthwiseHybrid, DepthwiseI8, DepthwiseI8Fast, DepthwiseI8Mcu, DepthwiseI8Offset, DepthwiseI16,
    DepthwiseI16Mcu, TransposeConvF32, TransposeConvI8, TransposeConvI8Offset, TransposeConvI16,
};
pub use convert::{ArgMax, Dequantise, Flip, Quantise, Requantise, Rescale};
pub use elementwise::{
    BinaryF32, BinaryI8, BinaryI16, Broadcast, BroadcastF32, BroadcastI8, BroadcastI16, BroadcastPairI8,
    L2NormalizationI8, LogSoftmaxI8, PairI8, ProductI8Mcu, SigmoidI16, SlopesI16, SoftmaxF32, SoftmaxI8, SoftmaxI16,
    SumI8, SumI8Mcu, SumI16, TableI8, TableI16, UnaryF32, by_pixels,
};
pub use fully_connected::{
    FullyConnectedF32, FullyConnectedI8, FullyConnectedI8Fast, FullyConnectedI8Mcu, FullyConnectedI16,
    FullyConnectedI16Mcu,
};
pub use movement::{AxisIndex, Concat, Gather, Load, Permute};
pub use pattern::{MOST_BYTES, Needed, Pattern, Taken};
pub use pattern::{covers, product};
pub use plain::{Cast, Compare, CompareI8, Matmul, MatmulF32, MatmulI8, Select, Take};
pub use pool::{AverageUint8, PoolF32, PoolI8, PoolI16};
pub use recurrent::{LstmI8, LstmI8Mcu, RecurrentF32, RecurrentHybrid, in_order};
pub use reduction::{
    Axes, ExtremumF32, ExtremumI8, ExtremumI16, PoolImageI8, PoolImageI16, ReduceF32, ReduceI8, ReduceI16,
    ReduceImageF32, ReduceImageI8, ReduceImageI16,
};
pub use resize::{ResizeF32, ResizeI8, ResizeI16, ResizeUint8};
pub use svdf::{SvdfF32, SvdfI8};
pub use training::{
    AddGradients, Classifier, ClassifierGradient, CountSample, CrossEntropy, GradientConv2d, GradientDepthwise,
    MaskGradient, MaxPoolGradient, NextSeed, ProductGradient, RearrangeGradient, ResizeGradient, ScaleGradient,
    SelectChannels, SlopeGradient, SpreadGradient, SquaredError, TrainConv2d, TrainDepthwise, TrainSum, UpdateBias,
    UpdateClassifier, UpdateClassifierBias, UpdateConv2d, UpdateDepthwise, by_blocks, by_channels,
};

use crate::costs::{Size, Work};
use crate::program::{Extent, Step};
use smidgen_ir::ElementType;

/// What is known of a kernel beside how it is called.
pub trait KernelSpec {
    /// Its operands, and what an output element needs of each input.
    fn pattern(&self) -> Pattern<'_>;

    /// Bytes of each constant, in the order that the kernel documents. `output` is the extent that the step claims to write.
    fn constants(&self, _output: Extent) -> Vec<usize> {
        Vec::new()
    }

    /// Bytes of scratch.
    fn scratch(&self) -> usize {
        0
    }

    /// True if nothing in the constants, which have the sizes demanded, makes the kernel read outside them. `constant` gives the bytes of
    /// each.
    fn is_sound<'a>(&self, _constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        true
    }

    /// What a run does that its instructions follow from.
    fn work(&self, run: &Size) -> Work;
}

/// Which regions of a step's output a kernel computes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Regions {
    /// All of it at once.
    Whole,
    /// Full rows.
    Rows,
    /// Any rows and columns.
    Any,
}

impl Regions {
    /// Those that a function computes which is called with these words of `call!`: who is not told the columns cannot heed them.
    fn of(words: &[&str]) -> Self {
        match (words.contains(&"region"), words.contains(&"rows")) {
            (true, _) => Self::Any,
            (false, true) => Self::Rows,
            (false, false) => Self::Whole,
        }
    }
}

macro_rules! kernels {
    (inference { $($inference:ident)* } training { $($training:ident)* }) => {
        kernels! { $($inference)* $($training)* }

        impl Kernel {
            /// The names of those that steps of training have, and no inference.
            pub const TRAINING: &[&str] = &[$(stringify!($training)),*];
        }
    };
    ($($kernel:ident)*) => {
        /// A kernel and its parameters; constants and operands are listed in the [`Step`].
        #[derive(Clone, PartialEq, Debug)]
        pub enum Kernel {
            $(#[doc = concat!("See [`", stringify!($kernel), "`](struct@", stringify!($kernel), ").")] $kernel($kernel),)*
        }

        $(impl From<$kernel> for Kernel {
            fn from(kernel: $kernel) -> Self {
                Self::$kernel(kernel)
            }
        })*

        impl Kernel {
            /// The names of all kernels.
            pub const NAMES: &[&str] = &[$(stringify!($kernel)),*];

            /// Its name, which is its variant's.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kernel(_) => stringify!($kernel),)*
                }
            }

            /// What is known of it.
            pub fn spec(&self) -> &dyn KernelSpec {
                match self {
                    $(Self::$kernel(kernel) => kernel,)*
                }
            }

            /// Which regions of the step's output it computes.
            pub fn regions(&self) -> Regions {
                match self {
                    $(Self::$kernel(kernel) => kernel.regions(),)*
                }
            }

            /// Computes a region of the step's output.
            pub fn run<M: Memory>(&self, run: &Invocation<'_>, memory: &mut M) {
                match self {
                    $(Self::$kernel(kernel) => kernel.run(run, memory),)*
                }
            }

            /// Gives a printer the text of the call that computes a region of the step's output.
            pub fn print<P: Print>(&self, site: &Site<'_>, printer: P) -> P {
                match self {
                    $(Self::$kernel(kernel) => kernel.print(site, printer),)*
                }
            }
        }
    };
}

kernels! {
    inference {
        Load
        Conv2dI8 Conv2dI8Fast Conv2dI8Mcu Conv2dI8Offset Conv2dI16 Conv2dI16Mcu Conv2dF32 Conv2dHybrid
        DepthwiseI8 DepthwiseI8Fast DepthwiseI8Mcu DepthwiseI8Offset DepthwiseI16 DepthwiseI16Mcu DepthwiseF32 DepthwiseHybrid
        TransposeConvI8 TransposeConvI8Offset TransposeConvI16 TransposeConvF32
        PoolI8 AverageUint8 PoolI16 PoolF32
        FullyConnectedI8 FullyConnectedI8Fast FullyConnectedI8Mcu
        FullyConnectedI16 FullyConnectedI16Mcu FullyConnectedF32
        TableI8 UnaryF32 SlopesI16 SigmoidI16 TableI16
        BinaryI8 PairI8 BinaryI16 BinaryF32 SumI8 SumI8Mcu SumI16 ProductI8Mcu
        BroadcastI8 BroadcastPairI8 BroadcastI16 BroadcastF32
        SoftmaxI8 SoftmaxI16 SoftmaxF32 L2NormalizationI8 LogSoftmaxI8
        Quantise Dequantise Requantise Rescale Flip ArgMax
        Compare CompareI8 Select Take Cast MatmulI8 MatmulF32
        Gather Concat Permute
        ReduceImageI8 ReduceImageI16 ReduceImageF32 PoolImageI8 PoolImageI16 ReduceI8 ReduceI16 ReduceF32
        ExtremumI8 ExtremumI16 ExtremumF32
        ResizeI8 ResizeUint8 ResizeI16 ResizeF32
        RecurrentF32 RecurrentHybrid LstmI8 LstmI8Mcu SvdfF32 SvdfI8
    }
    training {
        TrainConv2d TrainDepthwise TrainSum SelectChannels
        Classifier CrossEntropy SquaredError ClassifierGradient UpdateClassifier UpdateClassifierBias
        MaskGradient ScaleGradient RearrangeGradient SlopeGradient ProductGradient MaxPoolGradient ResizeGradient GradientConv2d GradientDepthwise SpreadGradient AddGradients
        UpdateConv2d UpdateDepthwise UpdateBias NextSeed CountSample
    }
}

/// The three constants that give each output channel its bias (int32), requantisation multiplier (int32) and shift (int8).
pub const CHANNELS: [usize; 3] = [4, 4, 1];

/// The same for layers on int16, whose bias is int64.
pub const INT16_CHANNELS: [usize; 3] = [8, 4, 1];

/// What a kernel demands of its step, so that running it can neither read nor write out of bounds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Demands {
    /// Element type and extent of each input. An input that is a constant has as many elements.
    pub inputs: Vec<(ElementType, Extent)>,
    /// Element type and extent of each output.
    pub outputs: Vec<(ElementType, Extent)>,
    /// Bytes of each constant.
    pub constants: Vec<usize>,
    /// Bytes of scratch.
    pub scratch: usize,
    /// Bytes of state.
    pub state: usize,
}

impl Kernel {
    /// What the kernel demands of its step, given the extents that the step claims.
    pub fn demands(&self, step: &Step) -> Demands {
        let output = step.outputs.first().map_or(flat(0), |target| target.extent);
        let spec = self.spec();
        let pattern = spec.pattern();
        Demands {
            inputs: pattern.inputs(output),
            outputs: pattern.outputs(output),
            constants: spec.constants(output),
            scratch: spec.scratch(),
            state: pattern.state(),
        }
    }
}

/// `elements` elements as one pixel: how the kernels see tensors that they take whole, whatever their rank.
pub fn flat(elements: usize) -> Extent {
    Extent { rows: 1, cols: 1, depth: elements }
}

/// Bytes of int8 weights and of what follows them, with so many bytes for each output channel.
fn with_channels(weights: usize, outputs: usize, channels: [usize; 3]) -> Vec<usize> {
    [weights].into_iter().chain(channels.map(|bytes| bytes * outputs)).collect()
}

/// Bytes of float32 weights and of the bias.
fn with_bias(weights: usize, outputs: usize) -> Vec<usize> {
    vec![weights * 4, outputs * 4]
}

/// A constant's 32-bit words.
fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
}
