//! Typed operators. Parameters that some formats store as tensors (axes, paddings, target shapes) are fields here,
//! so that nothing downstream has to look for a constant.
//!
//! Each variant's documentation gives its inputs and outputs in order (`[...]?` marks an input that may be absent),
//! and its attributes in the [textual form](crate::text).
//!
//! An operator has one room, a file of this module: what it is called, its [`Traits`], its shapes and types, how far
//! its outputs see, and its textual form. The list below names every operator once; that each has all of this follows
//! from `OpSpec`, without which it does not compile.

mod batch_matmul;
mod binary;
mod convert;
mod convolution;
mod fully_connected;
mod gather;
mod join;
mod pad;
mod plain;
mod pool;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod slice;
mod softmax;
mod spec;
mod split;
mod svdf;
#[cfg(test)]
mod tests;
mod transpose;
mod unary;

pub use binary::BinaryKind;
pub use convolution::ConvParams;
pub use pad::PadValue;
pub use plain::CompareKind;
pub use pool::PoolKind;
pub use recurrent::RecurrentParams;
pub use reduce::ReduceKind;
pub use reshape::ReshapeKind;
pub use resize::ResizeKind;
pub use slice::AxisSlice;
pub use smidgen_kernels::float::{Cell, Function};
pub use softmax::NormaliseKind;
pub use spec::{Traits, Values, Weights};
pub use unary::UnaryKind;

pub(crate) use spec::OpSpec;

use crate::text::{Given, ParseErrorKind};

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

macro_rules! operators {
    ($(
        $(#[$doc:meta])*
        $op:ident $(($of:ident: $of_type:ty))? $({ $($(#[$field_doc:meta])* $field:ident: $field_type:ty,)* })?,
    )*) => {
        /// An operator and its parameters.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Op {
            $($(#[$doc])* $op $(($of_type))? $({ $($(#[$field_doc])* $field: $field_type,)* })?,)*
        }

        /// Each operator seen by itself, which is what its room implements [`OpSpec`] for.
        mod view {
            use super::*;

            $(operators! { @view $op $(($of_type))? $({ $($field: $field_type,)* })? })*
        }

        impl Op {
            /// The variants' names.
            #[cfg(test)]
            pub(crate) const VARIANTS: &[&str] = &[$(stringify!($op)),*];

            /// Its variant's name.
            #[cfg(test)]
            pub(crate) fn variant(&self) -> &'static str {
                match self {
                    $(operators!(@any $op $(($of))? $({ $($field)* })?) => stringify!($op),)*
                }
            }

            /// What `ask` finds in its room.
            pub(crate) fn spec<T>(&self, ask: impl FnOnce(&dyn OpSpec) -> T) -> T {
                match self {
                    $(Self::$op $(($of))? $({ $($field,)* })? => ask(&view::$op $(($of))? $({ $($field,)* })?),)*
                }
            }

            /// The operator of this name with these attributes; `None` if there is none of this name.
            pub(crate) fn parse(name: &str, given: &mut Given) -> Result<Option<Self>, ParseErrorKind> {
                $(if let Some(op) = view::$op::parse(name, given)? {
                    return Ok(Some(op));
                })*
                Ok(None)
            }
        }
    };
    (@view $op:ident) => {
        pub struct $op;
    };
    (@view $op:ident ($of_type:ty)) => {
        pub struct $op<'a>(pub &'a $of_type);
    };
    (@view $op:ident { $($field:ident: $field_type:ty,)* }) => {
        pub struct $op<'a> {
            $(pub $field: &'a $field_type,)*
        }
    };
    (@any $op:ident) => { Self::$op };
    (@any $op:ident ($of:ident)) => { Self::$op(_) };
    (@any $op:ident { $($field:ident)* }) => { Self::$op { .. } };
}

operators! {
    /// 2-D convolution. Inputs: `x [N,H,W,C]`, constant weights `[O,KH,KW,C/groups]`, `[constant bias [O]]?`. Output
    /// `[N,OH,OW,O]`. Only one group is supported.
    ///
    /// A float32 input may meet int8 weights (one scale, zero point 0): dynamic range quantisation. Each image of the
    /// input is then quantised as it comes, with scale `s = max|x| / 127` and `q = round(x / s)` (half away from
    /// zero), and the output is `sum(q * w) * (s * weight scale) + bias` in float32.
    ///
    /// Attributes: `stride=[h, w] padding=P` (`dilation=[1, 1] activation=none`).
    Conv2d(conv: ConvParams),
    /// Depthwise convolution with `multiplier` outputs for each input channel; output channel `c * multiplier + m`.
    /// Inputs: `x [N,H,W,C]`, constant weights `[1,KH,KW,C*multiplier]`, `[constant bias]?`. Output
    /// `[N,OH,OW,C*multiplier]`.
    ///
    /// Attributes: those of CONV_2D and `multiplier=n`.
    DepthwiseConv2d {
        /// Stride, dilation, padding, activation.
        conv: ConvParams,
        /// Outputs for each input channel; at least 1.
        multiplier: usize,
    },
    /// Transposed convolution. Inputs: `x [N,H,W,C]`, constant weights `[O,KH,KW,C]`, `[constant bias [O]]?`. Output
    /// `[N, output[0], output[1], O]`. Padding is that of the convolution it transposes: Same or Valid.
    ///
    /// Attributes: `stride=[h, w] padding=P output=[h, w]` (`activation=none`).
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
    /// `y = x w^T + b`. Inputs: `x` with a multiple of K elements, constant weights `[O,K]`, `[constant bias [O]]?`.
    /// Output `[elements/K, O]`, or `x`'s shape with the last dimension replaced if `keep_num_dims`.
    ///
    /// Attributes: (`keep_num_dims=false asymmetric_quantize_inputs=false activation=none`).
    FullyConnected {
        /// Keep `x`'s leading dimensions.
        keep_num_dims: bool,
        /// Where weights of int8 meet float32: quantise each row of `x` with a zero point of its own, not around 0. Says nothing
        /// elsewhere.
        asymmetric_quantize_inputs: bool,
        /// Fused activation.
        activation: Activation,
    },
    /// Element-wise arithmetic of two operands with broadcasting. Inputs: `a`, `b`; one of them may be constant.
    ///
    /// Attributes: (`activation=none`).
    Binary {
        /// Which.
        kind: BinaryKind,
        /// Fused activation; None where the kind [takes none](BinaryKind::takes_activation).
        activation: Activation,
    },
    /// Spatial pooling. Input `x [N,H,W,C]`, output `[N,OH,OW,C]`.
    ///
    /// Attributes: `window=[h, w] stride=[h, w] padding=P` (`activation=none`).
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
    /// Reduction over `axes` (sorted, distinct, below the rank). Input `x`; output without those axes, or with size 1
    /// there.
    ///
    /// Attributes: `axes=[...]` (`keep_dims=false`).
    Reduce {
        /// Which.
        kind: ReduceKind,
        /// Axes reduced: ascending, distinct.
        axes: Vec<usize>,
        /// Keep reduced axes with size 1.
        keep_dims: bool,
    },
    /// Constant padding. Input `x`; output with `before + size + after` along each axis.
    ///
    /// Attributes: `pads=[[before, after], ...]`, and of PADV2 `value=v`: an integer or, with a point or an exponent,
    /// a float.
    Pad {
        /// `[before, after]` for each axis.
        pads: Vec<[usize; 2]>,
        /// The fill.
        value: PadValue,
    },
    /// Relabels the bytes with another shape of as many elements: the output's.
    ///
    /// Attributes: `shape=[...]`.
    Reshape {
        /// Name in the source.
        kind: ReshapeKind,
        /// The output's shape.
        shape: Vec<usize>,
    },
    /// Permutes axes: output axis `i` is input axis `perm[i]`.
    ///
    /// Attributes: `perm=[...]`.
    Transpose {
        /// A permutation of the axes.
        perm: Vec<usize>,
    },
    /// Joins inputs along `axis`. At least one input; inputs and output have one type and quantisation.
    ///
    /// Attributes: `axis=n` (`activation=none`).
    Concatenation {
        /// The axis.
        axis: usize,
        /// Fused activation; None unless the elements are float32.
        activation: Activation,
    },
    /// Cuts the input into `parts` equal outputs along `axis`.
    ///
    /// Attributes: `axis=n parts=n`.
    Split {
        /// The axis.
        axis: usize,
        /// Number of outputs; divides the axis' size.
        parts: usize,
    },
    /// Stacks equal-shaped inputs along a new `axis`.
    ///
    /// Attributes: `axis=n`.
    Pack {
        /// The new axis in the output.
        axis: usize,
    },
    /// Cuts the input into slices along `axis`, which disappears: as many outputs as its size.
    ///
    /// Attributes: `axis=n`.
    Unpack {
        /// The axis of the input.
        axis: usize,
    },
    /// A box of the input: `begin[i] .. begin[i] + size[i]` along each axis.
    ///
    /// Attributes: `begin=[...] size=[...]`.
    Slice {
        /// First index along each axis.
        begin: Vec<usize>,
        /// Size along each axis.
        size: Vec<usize>,
    },
    /// A strided box of the input, one entry for each axis.
    ///
    /// Attributes: `axes=[[start, stride, len], ...]`, with a fourth entry `shrink` where the axis is dropped.
    StridedSlice {
        /// One for each axis of the input.
        axes: Vec<AxisSlice>,
    },
    /// Spatial resize. Input `x [N,H,W,C]`, output `[N, output[0], output[1], C]`.
    ///
    /// Attributes: `output=[h, w]` (`align_corners=false half_pixel_centers=false`).
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
    ///
    /// Attributes: `beta=float`.
    Softmax {
        /// Factor on the input.
        beta: f32,
    },
    /// Another function of the vectors along the last axis, of int8. Output: of a prescribed quantisation, see [`NormaliseKind::output`].
    Normalise(kind: NormaliseKind),
    /// Element-wise function of one input.
    ///
    /// Attributes: of LEAKY_RELU `alpha=float`.
    Unary(kind: UnaryKind),
    /// `x` where positive, else `alpha * x`. Inputs: `x`, constant `alpha` that broadcasts to `x`'s shape.
    Prelu,
    /// Index of the greatest element along `axis` (the first, among equals); the output is int32 or int64 without that
    /// axis.
    ///
    /// Attributes: `axis=n`.
    ArgMax {
        /// The axis.
        axis: usize,
    },
    /// A question about two elements, with broadcasting. Inputs: `a`, `b` of one type that is not quantised, or int8 with a scale and a
    /// zero point of each; of LOGICAL_AND and LOGICAL_OR bool. Either may be constant. Output: bool.
    Compare(kind: CompareKind),
    /// `a` where the condition holds, else `b`, with broadcasting. Inputs: condition (bool), `a`, `b` of one type and quantisation. Output: of `a`'s type.
    Select,
    /// Converts elements that are not quantised: the output's type says to what. Floats lose their fraction, integers the bits that do not
    /// fit; as a bool a number is whether it is not 0.
    Cast,
    /// Products of matrices, `y = a b`, with the leading axes broadcast. Inputs: `a [..., M, K]`, `b [..., K, N]` of float32, or of int8 with
    /// a scale and a zero point of each tensor, either of them perhaps constant. Output `[..., M, N]`, of int8 with a scale of its own.
    ///
    /// Attributes: (`adjoint_a=false adjoint_b=false`).
    BatchMatmul {
        /// For each operand, whether its last two axes are the other way round.
        adjoint: [bool; 2],
    },
    /// Slices of a table, named by their indices along `axis`: an embedding. Inputs: `table [.., A, ..]`, perhaps constant, indices of int16,
    /// int32 or int64; both share their first `batch` axes, which lie in front of `axis`. Output: the table's shape with the axes of the
    /// indices behind those they share in place of `axis`, of the table's type and quantisation. An index below 0 counts from the end of the
    /// axis; what lies outside then is the slice at the nearer end.
    ///
    /// Attributes: `axis=n` (`batch=0`).
    Gather {
        /// The axis of the table.
        axis: usize,
        /// Leading axes that the table and the indices share; at most `axis`.
        batch: usize,
    },
    /// Converts float to integer, or one quantisation to another: the output's type says which.
    Quantize,
    /// Converts integers to float.
    Dequantize,
    /// A recurrent layer over whole sequences, in one direction: LSTM, GRU or simple RNN of float32, as [`Cell`] writes
    /// them down. Inputs: `x [N,T,I]`, constant weights of the inputs `[G*H,I]` and of the state `[G*H,H]`, gate by
    /// gate in the cell's order, constant bias `[G*H]` (of a GRU that resets after the matrix `[4*H]`), and
    /// `[first output [N,H]]?`, of an LSTM together with its `[first memory [N,H]]?`; without them the layer begins
    /// with zeros. Outputs, those that are asked for: all outputs `[N,T,H]`, the last output `[N,H]`, the last memory
    /// of an LSTM `[N,H]`.
    ///
    /// An LSTM may be quantised: `x`, the outputs and the weights int8, the memory int16 with a scale of a power of two, the bias int32 in the
    /// scale of `W x`. The weights have zero point 0, and those of a gate one scale: they are quantised along axis 0. It begins with a first
    /// output and a first memory.
    ///
    /// Attributes: (`sequence=false last=false memory=false reverse=false time_major=false`), of GRU
    /// (`reset_after=false`), of RNN (`relu=false`), of LSTM (`clip=float`).
    Recurrent(recurrent: RecurrentParams),
    /// One step of a filter of low rank over time, which keeps what it has seen of the last steps as its state. Inputs: `x [N,I]`, constant
    /// weights of the features `[F,I]`, constant filters over time `[F,M]`, the state `[N,F*M]`, `[constant bias [F/rank]]?`. Outputs: `y
    /// [N,F/rank]` and the next state: every filter's row of the state without its first element, with the new feature behind it.
    ///
    /// On int8 with weights of int8, filters and state are int16, the bias int32, and the activation is RELU, which is that of outputs with
    /// zero point -128: as in the reference nothing else clamps.
    ///
    /// Attributes: `rank=n` (`activation=none`).
    Svdf {
        /// Filters for each output; divides their number.
        rank: usize,
        /// Fused activation.
        activation: Activation,
    },
}

impl Op {
    /// The operator's name in TensorFlow Lite's schema, which is also its mnemonic in tables and messages.
    pub fn name(&self) -> &'static str {
        self.spec(|spec| spec.name())
    }

    /// What holds of it whatever it is applied to.
    pub fn traits(&self) -> Traits {
        self.spec(|spec| spec.traits())
    }

    /// True if the operator has a form for int16. Every operator that has one has one for int8 as well.
    pub fn takes_int16(&self) -> bool {
        self.traits().int16
    }

    /// True if the operator has a form for int8.
    pub fn takes_int8(&self) -> bool {
        self.traits().int8
    }

    /// The activation fused into its output; `None` if it has no place for one.
    pub fn activation(&self) -> Option<Activation> {
        self.spec(|spec| spec.activation())
    }

    /// The place of [`Op::activation`].
    pub fn activation_mut(&mut self) -> Option<&mut Activation> {
        match self {
            Self::Conv2d(conv) | Self::DepthwiseConv2d { conv, .. } => Some(&mut conv.activation),
            Self::TransposeConv { activation, .. }
            | Self::FullyConnected { activation, .. }
            | Self::Binary { activation, .. }
            | Self::Pool2d { activation, .. }
            | Self::Concatenation { activation, .. }
            | Self::Svdf { activation, .. } => Some(activation),
            _ => None,
        }
    }
}
