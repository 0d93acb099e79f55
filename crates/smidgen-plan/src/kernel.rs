//! The kernels a step can name, each with its resolved parameters, and what each demands of the step that names it.

mod elementwise;
mod movement;
mod reduction;

pub use elementwise::{Broadcast, Elementwise};
pub use movement::{AxisIndex, Movement};
pub use reduction::{Axes, Reduction};

use crate::program::{Extent, Step};
use smidgen_ir::{ElementType, PoolKind};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::device::{self, Finish, Width, finish};
use smidgen_kernels::int8::{Int8, fast};
use smidgen_kernels::int16::{Int16, device as wide};
use smidgen_kernels::{Window2d, float, int8};

/// A kernel and its parameters; constants and operands are listed in the [`Step`].
///
/// Each variant's documentation gives its inputs and its constants in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Kernel {
    /// Brings a constant into the arena. No inputs. Constants: the elements, row-major.
    Load {
        /// Element type of the output.
        element: ElementType,
    },
    /// CONV_2D on int8, simple form. Input: `x`. Constants: weights `[O,KH,KW,C]`, then [bias, multipliers, shifts](CHANNELS).
    Conv2dI8 {
        /// The window.
        window: Window2d,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// CONV_2D on int8, fast form. Input: `x`. Constants: weights `[O,KH,KW,C]`
    /// [padded](smidgen_kernels::int8::fast::conv2d_weights), then [bias, multipliers, shifts](CHANNELS) with a
    /// [folded](smidgen_kernels::int8::fast::fold_bias) bias.
    Conv2dI8Fast {
        /// The window.
        window: Window2d,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// CONV_2D on int8 with weights of int8 or int4, as firmware runs it. Input: `x`. Constant: weights and [words](finish) of the channels from
    /// [`conv2d_pack`](device::conv2d_pack).
    Conv2dI8Device {
        /// The window.
        window: Window2d,
        /// Of the weights as they are packed.
        width: Width,
        /// Zero point of the input.
        input_zero: i8,
        /// From accumulators to outputs.
        finish: Finish,
    },
    /// CONV_2D on int16 with int8 weights. Input: `x`. Constants: weights `[O,KH,KW,C]`, then [bias, multipliers, shifts](WIDE_CHANNELS).
    Conv2dI16 {
        /// The window.
        window: Window2d,
        /// Clamp.
        quant: Int16,
    },
    /// CONV_2D on int16 with int8 weights, as firmware runs it. Input: `x`. Constants: weights from
    /// [`conv2d_pack`](wide::conv2d_pack), the [words](wide::Channel) of the channels.
    Conv2dI16Device {
        /// The window.
        window: Window2d,
        /// Clamp.
        clamp: wide::Clamp,
    },
    /// DEPTHWISE_CONV_2D on int16 with int8 weights and one output for each input channel, as firmware runs it. Input: `x`. Constants:
    /// weights from [`depthwise_pack`](wide::depthwise_pack), the [words](wide::Channel) of the channels.
    DepthwiseI16Device {
        /// The window.
        window: Window2d,
        /// Clamp.
        clamp: wide::Clamp,
    },
    /// FULLY_CONNECTED on int16 with int8 weights, as firmware runs it. Input: `x` as `[rows, 1, K]`. Constants: weights from
    /// [`fully_connected_pack`](wide::fully_connected_pack), the [words](wide::Channel) of the channels.
    FullyConnectedI16Device {
        /// K.
        inputs: usize,
        /// O.
        outputs: usize,
        /// Clamp.
        clamp: wide::Clamp,
    },
    /// DEPTHWISE_CONV_2D on int16 with int8 weights. Input: `x`. Constants: weights `[KH,KW,O]`, then
    /// [bias, multipliers, shifts](WIDE_CHANNELS).
    DepthwiseI16 {
        /// The window.
        window: Window2d,
        /// Clamp.
        quant: Int16,
    },
    /// TRANSPOSE_CONV on int16 with int8 weights. Input: `x`. Constants: as CONV_2D's.
    TransposeConvI16 {
        /// The window.
        window: Window2d,
        /// Clamp.
        quant: Int16,
    },
    /// FULLY_CONNECTED on int16 with int8 weights. Input: `x`. Constants: weights `[O,K]`, then
    /// [bias, multipliers, shifts](WIDE_CHANNELS).
    FullyConnectedI16 {
        /// K.
        inputs: usize,
        /// O.
        outputs: usize,
        /// Clamp.
        quant: Int16,
    },
    /// CONV_2D on float32. Input: `x`. Constants: weights `[O,KH,KW,C]`, bias `[O]`.
    Conv2dF32 {
        /// The window.
        window: Window2d,
        /// What the activation allows.
        clamp: Clamp,
    },
    /// CONV_2D on float32 with int8 weights. Input: `x`. Constants: weights `[O,KH,KW,C]` int8, bias `[O]` float32.
    Conv2dHybrid {
        /// The window.
        window: Window2d,
        /// What the activation allows.
        clamp: Clamp,
        /// Scale of the weights.
        weight_scale: f32,
    },
    /// DEPTHWISE_CONV_2D on int8, simple form. Input: `x`. Constants: weights `[KH,KW,O]`, then
    /// [bias, multipliers, shifts](CHANNELS).
    DepthwiseI8 {
        /// The window.
        window: Window2d,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// DEPTHWISE_CONV_2D on int8 with one output for each input channel, fast form. Input and constants as in the simple form.
    DepthwiseI8Fast {
        /// The window.
        window: Window2d,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// DEPTHWISE_CONV_2D on int8 with one output for each input channel, as firmware runs it. Input: `x`. Constants: weights from
    /// [`depthwise_pack`](device::depthwise_pack), the [words](finish) of the channels.
    DepthwiseI8Device {
        /// The window.
        window: Window2d,
        /// Zero point of the input.
        input_zero: i8,
        /// From accumulators to outputs.
        finish: Finish,
        /// Output rows that are computed together.
        rows: usize,
    },
    /// DEPTHWISE_CONV_2D on float32. Input: `x`. Constants: weights `[KH,KW,O]`, bias `[O]`.
    DepthwiseF32 {
        /// The window.
        window: Window2d,
        /// What the activation allows.
        clamp: Clamp,
    },
    /// TRANSPOSE_CONV on int8. Input: `x`. Constants: weights `[O,KH,KW,C]`, then [bias, multipliers, shifts](CHANNELS).
    TransposeConvI8 {
        /// The window.
        window: Window2d,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// TRANSPOSE_CONV on float32. Input: `x`. Constants: weights `[O,KH,KW,C]`, bias `[O]`.
    TransposeConvF32 {
        /// The window.
        window: Window2d,
        /// What the activation allows.
        clamp: Clamp,
    },
    /// AVERAGE_POOL_2D or MAX_POOL_2D on int8. Input: `x`.
    PoolI8 {
        /// Which.
        kind: PoolKind,
        /// The window.
        window: Window2d,
        /// Least and greatest stored output that the activation allows.
        clamp: [i8; 2],
    },
    /// AVERAGE_POOL_2D or MAX_POOL_2D on int16. Input: `x`.
    PoolI16 {
        /// Which.
        kind: PoolKind,
        /// The window.
        window: Window2d,
        /// Least and greatest stored output that the activation allows.
        clamp: [i16; 2],
    },
    /// AVERAGE_POOL_2D or MAX_POOL_2D on float32. Input: `x`.
    PoolF32 {
        /// Which.
        kind: PoolKind,
        /// The window.
        window: Window2d,
        /// What the activation allows.
        clamp: Clamp,
    },
    /// FULLY_CONNECTED on float32. Input: `x` as `[rows, 1, K]`. Constants: weights `[O,K]`, bias `[O]`.
    FullyConnectedF32 {
        /// K.
        inputs: usize,
        /// O.
        outputs: usize,
        /// What the activation allows.
        clamp: Clamp,
    },
    /// FULLY_CONNECTED on int8 with weights whose zero point is 0, fast form. Input and constants as in the simple form, the bias
    /// [folded](smidgen_kernels::int8::fast::fold_bias).
    FullyConnectedI8Fast {
        /// K.
        inputs: usize,
        /// O.
        outputs: usize,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// FULLY_CONNECTED on int8 with weights of int8 or int4 whose zero point is 0, as firmware runs it. Input: `x` as `[rows, 1, K]`. Constants: weights
    /// from [`fully_connected_pack`](device::fully_connected_pack), the [words](finish) of the channels.
    FullyConnectedI8Device {
        /// K.
        inputs: usize,
        /// O.
        outputs: usize,
        /// Of the weights as they are packed.
        width: Width,
        /// From accumulators to outputs.
        finish: Finish,
    },
    /// FULLY_CONNECTED on int8, simple form. Input: `x` as `[rows, 1, K]`. Constants: weights `[O,K]`, then
    /// [bias, multipliers, shifts](CHANNELS).
    FullyConnectedI8 {
        /// K.
        inputs: usize,
        /// O.
        outputs: usize,
        /// Zero point of the weights.
        weight_zero: i32,
        /// Zero points, clamp, rounding.
        quant: Int8,
    },
    /// An element-wise operator, SOFTMAX, or a conversion of element types.
    Elementwise(Elementwise),
    /// Movement of elements of any type.
    Movement(Movement),
    /// MEAN, SUM, ARG_MAX.
    Reduction(Reduction),
    /// RESIZE_BILINEAR on int8. Input: `x`.
    ResizeI8 {
        /// Rows (of one image) and columns.
        scales: [int8::Scale; 2],
    },
    /// RESIZE_BILINEAR on int16. Input: `x`.
    ResizeI16 {
        /// Rows (of one image) and columns.
        scales: [int8::Scale; 2],
    },
    /// RESIZE_BILINEAR on float32. Input: `x`.
    ResizeF32 {
        /// Rows (of one image) and columns.
        scales: [float::Scale; 2],
    },
}

/// The three constants that give each output channel its bias (int32), requantisation multiplier (int32) and shift (int8).
pub const CHANNELS: [usize; 3] = [4, 4, 1];

/// The same for layers on int16, whose bias is int64.
pub const WIDE_CHANNELS: [usize; 3] = [8, 4, 1];

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
        let output = step.outputs.first().map_or(Extent { rows: 0, cols: 0, depth: 0 }, |t| t.extent);
        use ElementType::{Float32, Int8, Int16};
        match self {
            Kernel::Load { element } => Demands {
                outputs: vec![(*element, output)],
                constants: vec![output.elements() * element.bits().div_ceil(8)],
                ..Demands::default()
            },
            Kernel::Conv2dI8 { window, .. } | Kernel::TransposeConvI8 { window, .. } => {
                let weights = window.patch() * window.output[2];
                windowed(window, Int8, output, with_channels(weights, window.output[2], CHANNELS))
            }
            Kernel::Conv2dI16 { window, .. } | Kernel::TransposeConvI16 { window, .. } => {
                let weights = window.patch() * window.output[2];
                windowed(window, Int16, output, with_channels(weights, window.output[2], WIDE_CHANNELS))
            }
            Kernel::DepthwiseI16 { window, .. } => {
                let weights = window.area() * window.output[2];
                windowed(window, Int16, output, with_channels(weights, window.output[2], WIDE_CHANNELS))
            }
            Kernel::FullyConnectedI16 { inputs, outputs, .. } => {
                dense(*inputs, *outputs, Int16, output, with_channels(inputs * outputs, *outputs, WIDE_CHANNELS))
            }
            Kernel::Conv2dI16Device { window, .. } => Demands {
                scratch: wide::conv2d_scratch(window),
                ..windowed(window, Int16, output, vec![wide::conv2d_weights(window), wide::words(window.output[2]) * 4])
            },
            Kernel::DepthwiseI16Device { window, .. } => {
                let constants = vec![wide::depthwise_weights(window), wide::words(window.output[2]) * 4];
                Demands { scratch: wide::depthwise_scratch(window), ..windowed(window, Int16, output, constants) }
            }
            Kernel::FullyConnectedI16Device { inputs, outputs, .. } => {
                let weights = wide::fully_connected_weights([*inputs, *outputs]);
                dense(*inputs, *outputs, Int16, output, vec![weights, wide::words(*outputs) * 4])
            }
            Kernel::Conv2dF32 { window, .. } | Kernel::TransposeConvF32 { window, .. } => {
                windowed(window, Float32, output, with_bias(window.patch() * window.output[2], window.output[2]))
            }
            Kernel::Conv2dI8Fast { window, .. } => Demands {
                scratch: fast::conv2d_scratch(window),
                ..windowed(
                    window,
                    Int8,
                    output,
                    with_channels(fast::conv2d_weights(window), window.output[2], CHANNELS),
                )
            },
            Kernel::Conv2dI8Device { window, width, finish, .. } => Demands {
                scratch: device::conv2d_scratch(window),
                ..windowed(window, Int8, output, vec![device::conv2d_words(window, *width, finish.extras) * 4])
            },
            Kernel::DepthwiseI8Device { window, finish, rows, .. } => Demands {
                scratch: device::depthwise_scratch(window, *rows),
                ..windowed(
                    window,
                    Int8,
                    output,
                    with_words(device::depthwise_weights(window), window.output[2], finish),
                )
            },
            Kernel::FullyConnectedI8Device { inputs, outputs, width, finish } => {
                let weights = device::fully_connected_weights([*inputs, *outputs], *width) * 4;
                dense(*inputs, *outputs, Int8, output, with_words(weights, *outputs, finish))
            }
            Kernel::Conv2dHybrid { window, .. } => {
                let outputs = window.output[2];
                windowed(window, Float32, output, vec![window.patch() * outputs, outputs * 4])
            }
            Kernel::DepthwiseI8 { window, .. } | Kernel::DepthwiseI8Fast { window, .. } => windowed(
                window,
                Int8,
                output,
                with_channels(window.area() * window.output[2], window.output[2], CHANNELS),
            ),
            Kernel::DepthwiseF32 { window, .. } => {
                windowed(window, Float32, output, with_bias(window.area() * window.output[2], window.output[2]))
            }
            Kernel::PoolI8 { window, .. } => windowed(window, Int8, output, Vec::new()),
            Kernel::PoolI16 { window, .. } => windowed(window, Int16, output, Vec::new()),
            Kernel::PoolF32 { window, .. } => windowed(window, Float32, output, Vec::new()),
            Kernel::FullyConnectedF32 { inputs, outputs, .. } => {
                dense(*inputs, *outputs, Float32, output, with_bias(inputs * outputs, *outputs))
            }
            Kernel::FullyConnectedI8 { inputs, outputs, .. } | Kernel::FullyConnectedI8Fast { inputs, outputs, .. } => {
                dense(*inputs, *outputs, ElementType::Int8, output, with_channels(inputs * outputs, *outputs, CHANNELS))
            }
            Kernel::Elementwise(kernel) => kernel.demands(step),
            Kernel::Movement(kernel) => kernel.demands(step),
            Kernel::Reduction(kernel) => kernel.demands(step),
            Kernel::ResizeI8 { scales: [rows, cols] } => {
                resize(ElementType::Int8, [rows.input, cols.input], [rows.output, cols.output], output)
            }
            Kernel::ResizeI16 { scales: [rows, cols] } => {
                resize(ElementType::Int16, [rows.input, cols.input], [rows.output, cols.output], output)
            }
            Kernel::ResizeF32 { scales: [rows, cols] } => {
                resize(ElementType::Float32, [rows.input, cols.input], [rows.output, cols.output], output)
            }
        }
    }

    /// True if nothing in the constants, which have the sizes demanded, makes the kernel read outside them. `constant` gives the
    /// bytes of each.
    pub fn is_sound<'a>(&self, constant: impl Fn(usize) -> &'a [u8]) -> bool {
        let words = |i| {
            let words = constant(i).as_chunks::<4>().0;
            words.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect::<Vec<_>>()
        };
        let (finish, width, words, channels) = match self {
            Kernel::Conv2dI8Device { window, width, finish, .. } => {
                (finish, *width, device::conv2d_finish(window, *width, &words(0)).collect(), window.output[2])
            }
            Kernel::DepthwiseI8Device { window, finish, .. } => (finish, Width::Eight, words(1), window.output[2]),
            Kernel::FullyConnectedI8Device { outputs, width, finish, .. } => (finish, *width, words(1), *outputs),
            _ => return true,
        };
        let may_own = matches!(self, Kernel::DepthwiseI8Device { .. });
        (may_own || !finish.own_shifts) && finish.is_sound(width, &words, channels)
    }
}

/// `elements` elements as one pixel: how the kernels see tensors that they take whole, whatever their rank.
pub(crate) fn flat(elements: usize) -> Extent {
    Extent { rows: 1, cols: 1, depth: elements }
}

/// From images of one height and width to images of another, as many as the output has.
fn resize(element: ElementType, from: [usize; 2], to: [usize; 2], output: Extent) -> Demands {
    let images = output.rows / to[0].max(1);
    let extent = |[h, w]: [usize; 2]| (element, Extent { rows: images * h, cols: w, depth: output.depth });
    Demands { inputs: vec![extent(from)], outputs: vec![extent(to)], ..Demands::default() }
}

/// Bytes of int8 weights and of what follows them, with so many bytes for each output channel.
fn with_channels(weights: usize, outputs: usize, channels: [usize; 3]) -> Vec<usize> {
    [weights].into_iter().chain(channels.map(|bytes| bytes * outputs)).collect()
}

/// Bytes of packed weights and of the words of the channels.
fn with_words(weights: usize, outputs: usize, finish: &Finish) -> Vec<usize> {
    vec![weights, finish::words(outputs, finish.extras) * 4]
}

/// Bytes of float32 weights and of the bias.
fn with_bias(weights: usize, outputs: usize) -> Vec<usize> {
    vec![weights * 4, outputs * 4]
}

/// Rows of `inputs` elements in, rows of `outputs` elements out.
fn dense(inputs: usize, outputs: usize, element: ElementType, output: Extent, constants: Vec<usize>) -> Demands {
    let extent = |depth| (element, Extent { rows: output.rows, cols: 1, depth });
    Demands { inputs: vec![extent(inputs)], outputs: vec![extent(outputs)], constants, ..Demands::default() }
}

/// One input and one output of a windowed operator; the output's rows say how many images there are.
fn windowed(window: &Window2d, element: ElementType, output: Extent, constants: Vec<usize>) -> Demands {
    let images = output.rows / window.output[0].max(1);
    let extent = |[h, w, c]: [usize; 3]| (element, Extent { rows: images * h, cols: w, depth: c });
    Demands {
        inputs: vec![extent(window.input)],
        outputs: vec![extent(window.output)],
        constants,
        ..Demands::default()
    }
}
