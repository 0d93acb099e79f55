//! Kernels of element-wise operators, of SOFTMAX and of the conversions between element types.

use super::{Demands, flat};
use crate::program::{Extent, Step};
use smidgen_ir::ElementType;
use smidgen_kernels::convert::{Requantise, Rescale, Stored};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::{float, int8, int16};

/// A kernel that computes each output pixel from the same pixel of its inputs, or from what is broadcast to it.
#[derive(Clone, PartialEq, Debug)]
pub enum Elementwise {
    /// Any function of one int8. Input: `x`. Constants: the outputs for the stored inputs 0 .. 127, then -128 .. -1.
    TableI8,
    /// ADD, SUB, MUL, MINIMUM, MAXIMUM or PRELU of int8. Inputs: `a`, `b`, either of them perhaps a constant.
    BinaryI8 {
        /// Which, and its parameters.
        function: int8::Binary,
        /// Extents of the operands: 1 along an axis is broadcast; a constant's rows may also divide the output's, and repeat.
        operands: [Extent; 2],
    },
    /// ADD or SUB of int8, fast form. Inputs: `a`, `b`, either of them perhaps a constant. Constants: 256 int32, see
    /// [`int8::TableSum`].
    SumI8 {
        /// Its parameters.
        sum: int8::TableSum,
        /// As in `BinaryI8`.
        operands: [Extent; 2],
    },
    /// ADD or SUB of int8, as firmware runs it. Inputs: `a`, `b`, either of them perhaps a constant.
    SumI8Device {
        /// Its parameters.
        terms: int8::device::Terms,
        /// As in `BinaryI8`.
        operands: [Extent; 2],
    },
    /// MUL of int8, as firmware runs it. Inputs: `a`, `b`, either of them perhaps a constant.
    ProductI8Device {
        /// Its parameters.
        products: int8::device::Products,
        /// As in `BinaryI8`.
        operands: [Extent; 2],
    },
    /// ADD, SUB, MUL, MINIMUM or MAXIMUM of int16. Inputs: as in `BinaryI8`.
    BinaryI16 {
        /// Which, and its parameters.
        function: int16::Binary,
        /// As in `BinaryI8`.
        operands: [Extent; 2],
    },
    /// ADD, SUB, MUL, DIV, MINIMUM, MAXIMUM or PRELU of float32. Inputs: as in `BinaryI8`.
    BinaryF32 {
        /// Which.
        function: float::Binary,
        /// What the activation allows.
        clamp: Clamp,
        /// As in `BinaryI8`.
        operands: [Extent; 2],
    },
    /// The same of int8 with any broadcast. Tensors are stored whole and seen as `[1, 1, elements]`.
    BroadcastI8 {
        /// Which, and its parameters.
        function: int8::Binary,
        /// Which element meets which.
        broadcast: Broadcast,
    },
    /// The same of int16.
    BroadcastI16 {
        /// Which, and its parameters.
        function: int16::Binary,
        /// Which element meets which.
        broadcast: Broadcast,
    },
    /// The same of float32.
    BroadcastF32 {
        /// Which.
        function: float::Binary,
        /// What the activation allows.
        clamp: Clamp,
        /// Which element meets which.
        broadcast: Broadcast,
    },
    /// A RELU or LEAKY_RELU of int16. Input: `x`.
    SlopesI16(int16::Slopes),
    /// LOGISTIC or TANH of int16. Input: `x`. Constants: 256 uint16, see [`int16::Sigmoid::table`].
    SigmoidI16(int16::Sigmoid),
    /// A function of one float32. Input: `x`.
    UnaryF32(float::Unary),
    /// SOFTMAX of int8 over the channels. Input: `x`. Constants: 256 int32, see [`int8::softmax`].
    SoftmaxI8,
    /// SOFTMAX of int16 over the channels. Input: `x`. Constants: the int16 of [`int16::Softmax::tables`].
    SoftmaxI16(int16::Softmax),
    /// SOFTMAX of float32 over the channels. Input: `x`.
    SoftmaxF32 {
        /// Factor on the input.
        beta: f32,
    },
    /// QUANTIZE from float32. Input: `x`.
    Quantise {
        /// Element type of the output.
        to: Stored,
        /// Scale of the output.
        scale: f32,
        /// Zero point of the output.
        zero_point: i32,
    },
    /// DEQUANTIZE to float32. Input: `x`.
    Dequantise {
        /// Element type of the input.
        from: Stored,
        /// Scale of the input.
        scale: f32,
        /// Zero point of the input.
        zero_point: i32,
    },
    /// QUANTIZE from one integer type to another. Input: `x`.
    Requantise(Requantise),
    /// The same between int8 and int16, fast form. Input: `x`.
    Rescale(Rescale),
    /// ADD or SUB of int16, fast form. Inputs: `a`, `b`, either of them perhaps a constant.
    SumI16 {
        /// Its parameters.
        terms: int16::Terms,
        /// As in `BinaryI8`.
        operands: [Extent; 2],
    },
}

/// Which element of `a` and `b` meets which, for tensors of any rank.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broadcast {
    /// Dimensions of the output.
    pub dims: Vec<usize>,
    /// Elements that each operand advances for one step along each dimension; 0 where it is broadcast.
    pub strides: [Vec<isize>; 2],
}

impl Broadcast {
    /// Elements of operand `i`.
    fn elements(&self, i: usize) -> usize {
        let steps = self.dims.iter().zip(&self.strides[i]);
        1 + steps.map(|(&dim, &stride)| dim.saturating_sub(1) * stride.unsigned_abs()).sum::<usize>()
    }

    fn demands(&self, element: ElementType) -> Demands {
        Demands {
            inputs: (0..2).map(|i| (element, flat(self.elements(i)))).collect(),
            outputs: vec![(element, flat(self.dims.iter().product()))],
            ..Demands::default()
        }
    }
}

/// The element type of a stored element.
pub(super) fn element(stored: Stored) -> ElementType {
    match stored {
        Stored::Int8 => ElementType::Int8,
        Stored::Int16 => ElementType::Int16,
        Stored::Int32 => ElementType::Int32,
        Stored::Int64 => ElementType::Int64,
        Stored::Float32 => ElementType::Float32,
    }
}

impl Elementwise {
    /// True if operands have all channels and one of them is the same for several pixels of a row: what the forms for firmware then compute pixel by
    /// pixel.
    pub fn by_pixels(operands: &[Extent; 2]) -> bool {
        operands[0].depth == operands[1].depth && operands[0].cols != operands[1].cols
    }

    /// See [`Kernel::demands`](super::Kernel::demands).
    pub(super) fn demands(&self, step: &Step) -> Demands {
        let output = step.outputs.first().map_or(flat(0), |t| t.extent);
        let one = |input: ElementType, result: ElementType, constants: Vec<usize>| Demands {
            inputs: vec![(input, output)],
            outputs: vec![(result, output)],
            constants,
            ..Demands::default()
        };
        let two = |element: ElementType, operands: &[Extent; 2]| Demands {
            inputs: operands.iter().map(|&extent| (element, fitting(extent, output))).collect(),
            outputs: vec![(element, output)],
            ..Demands::default()
        };
        let (i8, i16, f32) = (ElementType::Int8, ElementType::Int16, ElementType::Float32);
        match self {
            Self::TableI8 => one(i8, i8, vec![256]),
            Self::BinaryI8 { operands, .. } => two(i8, operands),
            Self::SumI8Device { operands, .. } | Self::ProductI8Device { operands, .. } => two(i8, operands),
            Self::BinaryI16 { operands, .. } => two(i16, operands),
            Self::SumI8 { operands, .. } => Demands { constants: vec![256 * 4], ..two(i8, operands) },
            Self::BinaryF32 { operands, .. } => two(f32, operands),
            Self::BroadcastI8 { broadcast, .. } => broadcast.demands(i8),
            Self::BroadcastI16 { broadcast, .. } => broadcast.demands(i16),
            Self::BroadcastF32 { broadcast, .. } => broadcast.demands(f32),
            Self::UnaryF32(_) | Self::SoftmaxF32 { .. } => one(f32, f32, vec![]),
            Self::SoftmaxI8 => one(i8, i8, vec![256 * 4]),
            Self::SlopesI16(_) => one(i16, i16, vec![]),
            Self::SigmoidI16(_) => one(i16, i16, vec![256 * 2]),
            Self::SoftmaxI16(_) => one(i16, i16, vec![2 * int16::ENTRIES * 2]),
            Self::Quantise { to, .. } => one(f32, element(*to), vec![]),
            Self::Dequantise { from, .. } => one(element(*from), f32, vec![]),
            Self::SumI16 { operands, .. } => two(ElementType::Int16, operands),
            Self::Rescale(how) => one(element(how.from), element(how.to), vec![]),
            Self::Requantise(how) => one(element(how.from), element(how.to), vec![]),
        }
    }
}

/// The operand's extent if it can be broadcast to the output's, else the output's, which it then fails to have.
fn fitting(operand: Extent, output: Extent) -> Extent {
    let rows = operand.rows > 0 && output.rows.is_multiple_of(operand.rows);
    let cols = operand.cols == 1 || operand.cols == output.cols;
    let depth = operand.depth == 1 || operand.depth == output.depth;
    if rows && cols && depth { operand } else { output }
}
