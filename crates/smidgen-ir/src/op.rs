//! Typed operators. Parameters that some formats store as tensors (axes, paddings, target shapes) are fields here,
//! so that nothing downstream has to look for a constant.
//!
//! Each variant's documentation gives its inputs and outputs in order. `[...]?` marks an input that may be absent.

use crate::names::names;
pub use smidgen_kernels::float::Function;

/// Activation fused into an operator's output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// The real interval that the activation clamps to.
    pub fn range(self) -> (f32, f32) {
        match self {
            Self::None => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::ReluN1To1 => (-1.0, 1.0),
            Self::Relu6 => (0.0, 6.0),
        }
    }
}

/// Spatial padding of a windowed operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Padding {
    /// Output size `ceil(input / stride)`; the odd pixel of padding goes to the bottom and right.
    Same,
    /// No padding.
    Valid,
    /// These many rows and columns of the input's zero.
    Explicit {
        /// Rows above.
        top: usize,
        /// Rows below.
        bottom: usize,
        /// Columns to the left.
        left: usize,
        /// Columns to the right.
        right: usize,
    },
}

/// Stride, dilation and padding of a convolution, `[height, width]` where there are two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConvParams {
    /// Steps between neighbouring windows; at least 1.
    pub stride: [usize; 2],
    /// Distance between neighbouring taps; at least 1.
    pub dilation: [usize; 2],
    /// Spatial padding.
    pub padding: Padding,
    /// Fused activation.
    pub activation: Activation,
}

/// Which two-operand arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinaryKind {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a / b`; of float32 only.
    Div,
    /// The smaller.
    Minimum,
    /// The larger.
    Maximum,
}

/// Which pooling.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PoolKind {
    /// Mean of the window's elements that lie inside the input.
    Average,
    /// Greatest of the window's elements.
    Max,
}

/// Which reduction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReduceKind {
    /// Arithmetic mean.
    Mean,
    /// Sum.
    Sum,
}

/// Which element-wise function of one operand.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum UnaryKind {
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` where positive, else `alpha * x`.
    LeakyRelu {
        /// Slope for negative inputs.
        alpha: f32,
    },
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `e^x`; of float32 and int8.
    Exp,
    /// Natural logarithm; of float32 and int8. What is not positive becomes the least number that an int8 output holds.
    Log,
    /// A function without parameters, of float32 only.
    Function(Function),
}

/// Which name a change of shape had in the source; all three only relabel the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReshapeKind {
    /// RESHAPE.
    Reshape,
    /// SQUEEZE: drops dimensions of size 1.
    Squeeze,
    /// EXPAND_DIMS: inserts a dimension of size 1.
    ExpandDims,
}

/// Interpolation of a spatial resize.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResizeKind {
    /// Nearest neighbour.
    Nearest,
    /// Bilinear.
    Bilinear,
}

/// What PAD fills with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PadValue {
    /// Real zero: the output's zero point where quantised.
    Zero,
    /// This stored integer (PADV2 on an integer tensor).
    Integer(i32),
    /// This float (PADV2 on a float tensor).
    Float(f32),
}

/// One slice along one axis of a strided slice, normalised: no masks, no negative indices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AxisSlice {
    /// First index taken; below the axis' size unless `len` is 0.
    pub start: usize,
    /// Step from one index to the next; not 0, may be negative.
    pub stride: isize,
    /// How many indices are taken.
    pub len: usize,
    /// Drop this axis from the output; then `len` is 1.
    pub shrink: bool,
}

/// An operator and its parameters.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// 2-D convolution. Inputs: `x [N,H,W,C]`, constant weights `[O,KH,KW,C/groups]`, `[constant bias [O]]?`. Output `[N,OH,OW,O]`.
    /// Only one group is supported.
    ///
    /// A float32 input may meet int8 weights (one scale, zero point 0): dynamic range quantisation. Each image of the input is
    /// then quantised as it comes, with scale `s = max|x| / 127` and `q = round(x / s)` (half away from zero), and the output is
    /// `sum(q * w) * (s * weight scale) + bias` in float32.
    Conv2d(ConvParams),
    /// Depthwise convolution with `multiplier` outputs for each input channel; output channel `c * multiplier + m`.
    /// Inputs: `x [N,H,W,C]`, constant weights `[1,KH,KW,C*multiplier]`, `[constant bias]?`. Output `[N,OH,OW,C*multiplier]`.
    DepthwiseConv2d {
        /// Stride, dilation, padding, activation.
        conv: ConvParams,
        /// Outputs for each input channel; at least 1.
        multiplier: usize,
    },
    /// Transposed convolution. Inputs: `x [N,H,W,C]`, constant weights `[O,KH,KW,C]`, `[constant bias [O]]?`. Output
    /// `[N, output[0], output[1], O]`. Padding is that of the convolution it transposes: Same or Valid.
    TransposeConv {
        /// Steps between the output windows of neighbouring inputs.
        stride: [usize; 2],
        /// Same or Valid.
        padding: Padding,
        /// Output height and width.
        output: [usize; 2],
        /// Fused activation.
        activation: Activation,
    },
    /// `y = x w^T + b`. Inputs: `x` with a multiple of K elements, constant weights `[O,K]`, `[constant bias [O]]?`. Output
    /// `[elements/K, O]`, or `x`'s shape with the last dimension replaced if `keep_num_dims`.
    FullyConnected {
        /// Keep `x`'s leading dimensions.
        keep_num_dims: bool,
        /// Fused activation.
        activation: Activation,
    },
    /// Element-wise arithmetic of two operands with broadcasting. Inputs: `a`, `b`; one of them may be constant.
    Binary {
        /// Which.
        kind: BinaryKind,
        /// Fused activation (None for Minimum and Maximum).
        activation: Activation,
    },
    /// Spatial pooling. Input `x [N,H,W,C]`, output `[N,OH,OW,C]`.
    Pool2d {
        /// Which.
        kind: PoolKind,
        /// Window height and width.
        window: [usize; 2],
        /// Steps between neighbouring windows.
        stride: [usize; 2],
        /// Spatial padding, which counts as absent elements; explicit padding is narrower than the window.
        padding: Padding,
        /// Fused activation.
        activation: Activation,
    },
    /// Reduction over `axes` (sorted, distinct, below the rank). Input `x`; output without those axes, or with size 1 there.
    Reduce {
        /// Which.
        kind: ReduceKind,
        /// Axes reduced: ascending, distinct.
        axes: Vec<usize>,
        /// Keep reduced axes with size 1.
        keep_dims: bool,
    },
    /// Constant padding. Input `x`; output with `before + size + after` along each axis.
    Pad {
        /// `[before, after]` for each axis.
        pads: Vec<[usize; 2]>,
        /// The fill.
        value: PadValue,
    },
    /// Relabels the bytes with another shape of as many elements: the output's.
    Reshape {
        /// Name in the source.
        kind: ReshapeKind,
        /// The output's shape.
        shape: Vec<usize>,
    },
    /// Permutes axes: output axis `i` is input axis `perm[i]`.
    Transpose {
        /// A permutation of the axes.
        perm: Vec<usize>,
    },
    /// Joins inputs along `axis`. At least one input; inputs and output have one type and quantisation.
    Concatenation {
        /// The axis.
        axis: usize,
        /// Fused activation; None unless the elements are float32.
        activation: Activation,
    },
    /// Cuts the input into `parts` equal outputs along `axis`.
    Split {
        /// The axis.
        axis: usize,
        /// Number of outputs; divides the axis' size.
        parts: usize,
    },
    /// Stacks equal-shaped inputs along a new `axis`.
    Pack {
        /// The new axis in the output.
        axis: usize,
    },
    /// Cuts the input into slices along `axis`, which disappears: as many outputs as its size.
    Unpack {
        /// The axis of the input.
        axis: usize,
    },
    /// A box of the input: `begin[i] .. begin[i] + size[i]` along each axis.
    Slice {
        /// First index along each axis.
        begin: Vec<usize>,
        /// Size along each axis.
        size: Vec<usize>,
    },
    /// A strided box of the input, one entry for each axis.
    StridedSlice {
        /// One for each axis of the input.
        axes: Vec<AxisSlice>,
    },
    /// Spatial resize. Input `x [N,H,W,C]`, output `[N, output[0], output[1], C]`.
    Resize {
        /// Which.
        kind: ResizeKind,
        /// Output height and width.
        output: [usize; 2],
        /// Map corner centres onto corner centres.
        align_corners: bool,
        /// Sample at half-pixel centres.
        half_pixel_centers: bool,
    },
    /// `exp(beta * x)` normalised over the last axis.
    Softmax {
        /// Factor on the input.
        beta: f32,
    },
    /// Element-wise function of one input.
    Unary(UnaryKind),
    /// `x` where positive, else `alpha * x`. Inputs: `x`, constant `alpha` that broadcasts to `x`'s shape.
    Prelu,
    /// Index of the greatest element along `axis` (the first, among equals); the output is int32 or int64 without that axis.
    ArgMax {
        /// The axis.
        axis: usize,
    },
    /// Converts float to integer, or one quantisation to another: the output's type says which.
    Quantize,
    /// Converts integers to float.
    Dequantize,
}

impl Op {
    /// True if the operator has a form for int16: of others TensorFlow Lite's reference kernels refuse int16, or give nonsense, or
    /// interpolate in a table (EXP and LOG).
    ///
    /// Every operator with such a form has one for int8 as well; DIV and what is a [`Function`] [have neither](Self::takes_int8).
    pub fn takes_int16(&self) -> bool {
        !matches!(
            self,
            Self::Prelu
                | Self::Unary(
                    UnaryKind::HardSwish
                        | UnaryKind::ReluN1To1
                        | UnaryKind::Exp
                        | UnaryKind::Log
                        | UnaryKind::Function(_)
                )
                | Self::Binary { kind: BinaryKind::Div, .. }
                | Self::Reduce { kind: ReduceKind::Sum, .. }
                | Self::ArgMax { .. }
        )
    }

    /// True if the operator has a form for int8.
    pub fn takes_int8(&self) -> bool {
        !matches!(self, Self::Binary { kind: BinaryKind::Div, .. } | Self::Unary(UnaryKind::Function(_)))
    }

    /// The operator's name in TensorFlow Lite's schema, which is also its mnemonic in tables and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv2d(_) => "CONV_2D",
            Self::DepthwiseConv2d { .. } => "DEPTHWISE_CONV_2D",
            Self::TransposeConv { .. } => "TRANSPOSE_CONV",
            Self::FullyConnected { .. } => "FULLY_CONNECTED",
            Self::Binary { kind, .. } => match kind {
                BinaryKind::Add => "ADD",
                BinaryKind::Sub => "SUB",
                BinaryKind::Mul => "MUL",
                BinaryKind::Div => "DIV",
                BinaryKind::Minimum => "MINIMUM",
                BinaryKind::Maximum => "MAXIMUM",
            },
            Self::Pool2d { kind, .. } => match kind {
                PoolKind::Average => "AVERAGE_POOL_2D",
                PoolKind::Max => "MAX_POOL_2D",
            },
            Self::Reduce { kind, .. } => match kind {
                ReduceKind::Mean => "MEAN",
                ReduceKind::Sum => "SUM",
            },
            Self::Pad { value: PadValue::Zero, .. } => "PAD",
            Self::Pad { .. } => "PADV2",
            Self::Reshape { kind, .. } => match kind {
                ReshapeKind::Reshape => "RESHAPE",
                ReshapeKind::Squeeze => "SQUEEZE",
                ReshapeKind::ExpandDims => "EXPAND_DIMS",
            },
            Self::Transpose { .. } => "TRANSPOSE",
            Self::Concatenation { .. } => "CONCATENATION",
            Self::Split { .. } => "SPLIT",
            Self::Pack { .. } => "PACK",
            Self::Unpack { .. } => "UNPACK",
            Self::Slice { .. } => "SLICE",
            Self::StridedSlice { .. } => "STRIDED_SLICE",
            Self::Resize { kind, .. } => match kind {
                ResizeKind::Nearest => "RESIZE_NEAREST_NEIGHBOR",
                ResizeKind::Bilinear => "RESIZE_BILINEAR",
            },
            Self::Softmax { .. } => "SOFTMAX",
            Self::Unary(kind) => match kind {
                UnaryKind::Logistic => "LOGISTIC",
                UnaryKind::Tanh => "TANH",
                UnaryKind::Relu => "RELU",
                UnaryKind::ReluN1To1 => "RELU_N1_TO_1",
                UnaryKind::Relu6 => "RELU6",
                UnaryKind::LeakyRelu { .. } => "LEAKY_RELU",
                UnaryKind::HardSwish => "HARD_SWISH",
                UnaryKind::Exp => "EXP",
                UnaryKind::Log => "LOG",
                UnaryKind::Function(function) => names(*function).0,
            },
            Self::Prelu => "PRELU",
            Self::ArgMax { .. } => "ARG_MAX",
            Self::Quantize => "QUANTIZE",
            Self::Dequantize => "DEQUANTIZE",
        }
    }
}
