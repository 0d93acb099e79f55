//! Kernels that compute each output pixel from the same pixel of their inputs, or from what is broadcast to it.

use super::{KernelSpec, Pattern};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType;
use smidgen_kernels::float::Clamp;
use smidgen_kernels::reference::Binary;
use smidgen_kernels::{float, int8, int16};

/// Any function of one int8. Input: `x`. Constants: the outputs for the stored inputs 0 .. 127, then -128 .. -1.
#[derive(Clone, PartialEq, Debug)]
pub struct TableI8;

impl KernelSpec for TableI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: ElementType::Int8, to: ElementType::Int8 }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![256]
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::Table)
    }
}

call!(TableI8(k, site) => int8::table:
    arena(i8), views(), region(), value(depth = site.output().depth), table(table: i8 = 0));

/// A function of one float32. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct UnaryF32(pub float::Unary);

impl KernelSpec for UnaryF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: ElementType::Float32, to: ElementType::Float32 }
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::OtherF32)
    }
}

call!(UnaryF32(k, site) => float::unary as k.0.path();
    arena(f32), views(), region(), value(depth = site.output().depth), value(function = k.0));

/// A RELU or LEAKY_RELU of int16. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct SlopesI16(pub int16::Slopes);

impl KernelSpec for SlopesI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: ElementType::Int16, to: ElementType::Int16 }
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::OtherI16)
    }
}

call!(SlopesI16(k, site) => int16::slopes:
    arena(i16), views(), region(), value(depth = site.output().depth), reference(how = k.0));

/// LOGISTIC or TANH of int16. Input: `x`. Constants: 256 uint16, see [`int16::Sigmoid::table`].
#[derive(Clone, PartialEq, Debug)]
pub struct SigmoidI16(pub int16::Sigmoid);

impl KernelSpec for SigmoidI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: ElementType::Int16, to: ElementType::Int16 }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![256 * 2]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::OtherI16)
    }
}

call!(SigmoidI16(k, site) => int16::sigmoid:
    arena(i16), views(), region(), value(depth = site.output().depth), reference(how = k.0),
    table(table: u16 = 0));

/// A function of one int16 by its [table](int16::lookup). Input: `x`. Constants: the int16 of [`int16::entries`].
#[derive(Clone, PartialEq, Debug)]
pub struct TableI16;

impl KernelSpec for TableI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: ElementType::Int16, to: ElementType::Int16 }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![int16::ENTRIES * 2]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::OtherI16)
    }
}

call!(TableI16(k, site) => int16::lookup:
    arena(i16), views(), region(), value(depth = site.output().depth), constant(table: i16 = 0));

/// ADD, SUB, MUL, MINIMUM, MAXIMUM or PRELU of int8. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct BinaryI8 {
    /// Which, and its parameters.
    pub function: int8::Binary,
    /// Extents of the operands: 1 along an axis is broadcast; a constant's rows may also divide the output's, and repeat.
    pub operands: [Extent; 2],
}

impl KernelSpec for BinaryI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        binary(&self.function, run)
    }
}

call!(BinaryI8(k, site) => int8::binary:
    arena(i8), operand(a: i8 = 0, k.operands[0]), operand(b: i8 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), reference(function = k.function));

/// DIV or SQUARED_DIFFERENCE of int8. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct PairI8 {
    /// Which, and its parameters.
    pub function: int8::Pair,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for PairI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        Work::new(Family::Binary, [1, run.pixels(), 0, run.elements(), 0])
    }
}

call!(PairI8(k, site) => int8::pair:
    arena(i8), operand(a: i8 = 0, k.operands[0]), operand(b: i8 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), reference(function = k.function));

/// ADD or SUB of int8, fast form. Inputs: `a`, `b`, either of them perhaps a constant. Constants: 256 int32, see
/// [`int8::TableSum`].
#[derive(Clone, PartialEq, Debug)]
pub struct SumI8 {
    /// Its parameters.
    pub sum: int8::TableSum,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for SumI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![256 * 4]
    }

    fn work(&self, run: &Size) -> Work {
        Work::new(Family::Binary, [1, run.pixels(), 0, run.elements(), 0])
    }
}

call!(SumI8(k, site) => int8::table_sum:
    arena(i8), operand(a: i8 = 0, k.operands[0]), operand(b: i8 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), lookup(k.sum, 0));

/// ADD or SUB of int8, as firmware runs it. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct SumI8Mcu {
    /// Its parameters.
    pub terms: int8::mcu::Terms,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for SumI8Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        let [rows, spans, quads, rest, pixels, elements] = pairs(&self.operands, run);
        Work::new(Family::Sum, [1, rows, spans, quads, rest, pixels, elements])
    }
}

call!(SumI8Mcu(k, site) of by_pixels(&k.operands) => {
    true => int8::mcu::sum_by_pixels,
    false => int8::mcu::sum,
}:
    arena(i8), operand(a: i8 = 0, k.operands[0]), operand(b: i8 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), reference(terms = k.terms));

/// MUL of int8, as firmware runs it. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct ProductI8Mcu {
    /// Its parameters.
    pub products: int8::mcu::Products,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for ProductI8Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        let [rows, spans, quads, rest, pixels, elements] = pairs(&self.operands, run);
        let is_clamped = (self.products.min, self.products.max) != (i8::MIN, i8::MAX);
        let [plain, clamped] = if is_clamped { [0, quads] } else { [quads, 0] };
        Work::new(Family::Product, [1, rows, spans, plain, rest, pixels, elements, clamped])
    }
}

call!(ProductI8Mcu(k, site) of by_pixels(&k.operands) => {
    true => int8::mcu::product_by_pixels,
    false => int8::mcu::product,
}:
    arena(i8), operand(a: i8 = 0, k.operands[0]), operand(b: i8 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), reference(products = k.products));

/// ADD, SUB, MUL, MINIMUM or MAXIMUM of int16. Inputs: as in [`BinaryI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct BinaryI16 {
    /// Which, and its parameters.
    pub function: int16::Binary,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for BinaryI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int16)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::OtherI16)
    }
}

call!(BinaryI16(k, site) => int16::binary:
    arena(i16), operand(a: i16 = 0, k.operands[0]), operand(b: i16 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), reference(function = k.function));

/// ADD or SUB of int16, fast form. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct SumI16 {
    /// Its parameters.
    pub terms: int16::Terms,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for SumI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Int16)
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::SumI16)
    }
}

call!(SumI16(k, site) => int16::sum:
    arena(i16), operand(a: i16 = 0, k.operands[0]), operand(b: i16 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), reference(terms = k.terms));

/// ADD, SUB, MUL, DIV, MINIMUM, MAXIMUM or PRELU of float32. Inputs: as in [`BinaryI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct BinaryF32 {
    /// Which.
    pub function: float::Binary,
    /// What the activation allows.
    pub clamp: Clamp,
    /// As in [`BinaryI8`].
    pub operands: [Extent; 2],
}

impl KernelSpec for BinaryF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pair(&self.operands, ElementType::Float32)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::BinaryF32)
    }
}

call!(BinaryF32(k, site) => float::binary:
    arena(f32), operand(a: f32 = 0, k.operands[0]), operand(b: f32 = 1, k.operands[1]), output(), region(),
    value(depth = site.output().depth), value(how = float::Clamped { function: k.function, clamp: k.clamp }));

/// As [`BinaryI8`] with any broadcast. Tensors are stored whole and seen as `[1, 1, elements]`.
#[derive(Clone, PartialEq, Debug)]
pub struct BroadcastI8 {
    /// Which, and its parameters.
    pub function: int8::Binary,
    /// Which element meets which.
    pub broadcast: Broadcast,
}

impl KernelSpec for BroadcastI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Broadcast(&self.broadcast, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        binary(&self.function, run)
    }
}

call!(BroadcastI8(k, site) => int8::broadcast:
    arena(i8), whole(a: i8 = 0), whole(b: i8 = 1), value(output = site.output_base(false)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()), reference(function = k.function));

/// As [`PairI8`] with any broadcast.
#[derive(Clone, PartialEq, Debug)]
pub struct BroadcastPairI8 {
    /// Which, and its parameters.
    pub function: int8::Pair,
    /// Which element meets which.
    pub broadcast: Broadcast,
}

impl KernelSpec for BroadcastPairI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Broadcast(&self.broadcast, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        Work::new(Family::Binary, [1, run.pixels(), 0, run.elements(), 0])
    }
}

call!(BroadcastPairI8(k, site) => int8::broadcast_pair:
    arena(i8), whole(a: i8 = 0), whole(b: i8 = 1), value(output = site.output_base(false)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()), reference(function = k.function));

/// As [`BinaryI16`] with any broadcast.
#[derive(Clone, PartialEq, Debug)]
pub struct BroadcastI16 {
    /// Which, and its parameters.
    pub function: int16::Binary,
    /// Which element meets which.
    pub broadcast: Broadcast,
}

impl KernelSpec for BroadcastI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Broadcast(&self.broadcast, ElementType::Int16)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::OtherI16)
    }
}

call!(BroadcastI16(k, site) => int16::broadcast:
    arena(i16), whole(a: i16 = 0), whole(b: i16 = 1), value(output = site.output_base(false)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()), reference(function = k.function));

/// As [`BinaryF32`] with any broadcast.
#[derive(Clone, PartialEq, Debug)]
pub struct BroadcastF32 {
    /// Which.
    pub function: float::Binary,
    /// What the activation allows.
    pub clamp: Clamp,
    /// Which element meets which.
    pub broadcast: Broadcast,
}

impl KernelSpec for BroadcastF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Broadcast(&self.broadcast, ElementType::Float32)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::BinaryF32)
    }
}

call!(BroadcastF32(k, site) => float::broadcast:
    arena(f32), whole(a: f32 = 0), whole(b: f32 = 1), value(output = site.output_base(false)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()), 
    value(how = float::Clamped { function: k.function, clamp: k.clamp }));

/// SOFTMAX of int8 over the channels. Input: `x`. Constants: 256 int32, see [`int8::softmax`].
#[derive(Clone, PartialEq, Debug)]
pub struct SoftmaxI8;

impl KernelSpec for SoftmaxI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pixelwise(ElementType::Int8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![256 * 4]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::Softmax)
    }
}

call!(SoftmaxI8(k, site) => int8::softmax:
    arena(i8), views(), region(), value(depth = site.output().depth), table(exponentials: i32 = 0));

/// L2_NORMALIZATION of int8 over the channels. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct L2NormalizationI8 {
    /// Zero point of the input.
    pub input_zero: i32,
}

impl KernelSpec for L2NormalizationI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pixelwise(ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::Softmax)
    }
}

call!(L2NormalizationI8(k, site) => int8::l2_normalization:
    arena(i8), views(), region(), value(depth = site.output().depth), value(input_zero = k.input_zero));

/// LOG_SOFTMAX of int8 over the channels. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct LogSoftmaxI8(pub int8::LogSoftmax);

impl KernelSpec for LogSoftmaxI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pixelwise(ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::Softmax)
    }
}

call!(LogSoftmaxI8(k, site) => int8::log_softmax:
    arena(i8), views(), region(), value(depth = site.output().depth), reference(how = k.0));

/// SOFTMAX of int16 over the channels. Input: `x`. Constants: the int16 of [`int16::Softmax::tables`].
#[derive(Clone, PartialEq, Debug)]
pub struct SoftmaxI16(pub int16::Softmax);

impl KernelSpec for SoftmaxI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pixelwise(ElementType::Int16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![2 * int16::ENTRIES * 2]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::SoftmaxI16)
    }
}

call!(SoftmaxI16(k, site) => int16::softmax:
    arena(i16), views(), region(), value(depth = site.output().depth), reference(how = k.0),
    constant(tables: i16 = 0));

/// SOFTMAX of float32 over the channels. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct SoftmaxF32 {
    /// Factor on the input.
    pub beta: f32,
}

impl KernelSpec for SoftmaxF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Pixelwise(ElementType::Float32)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_pixel(Family::SoftmaxF32)
    }
}

call!(SoftmaxF32(k, site) => float::softmax:
    arena(f32), views(), region(), value(depth = site.output().depth), value(beta = k.beta));

/// Which elements of the operands meet, for tensors of any rank.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broadcast<const N: usize = 2> {
    /// Dimensions of the output.
    pub dims: Vec<usize>,
    /// Elements that each operand advances for one step along each dimension; 0 where it is broadcast.
    pub strides: [Vec<isize>; N],
}

impl<const N: usize> Broadcast<N> {
    /// Elements of operand `i`.
    pub(super) fn elements(&self, i: usize) -> usize {
        let steps = self.dims.iter().zip(&self.strides[i]);
        1 + steps.map(|(&dim, &stride)| dim.saturating_sub(1) * stride.unsigned_abs()).sum::<usize>()
    }

    pub(super) fn strides(&self) -> [&[isize]; N] {
        self.strides.each_ref().map(|strides| &strides[..])
    }
}

/// True if operands have all channels and one of them is the same for several pixels of a row: what the forms for firmware then compute pixel by
/// pixel.
pub fn by_pixels(operands: &[Extent; 2]) -> bool {
    operands[0].depth == operands[1].depth && operands[0].cols != operands[1].cols
}

/// Any function of two int8.
fn binary(function: &int8::Binary, run: &Size) -> Work {
    let all = run.elements();
    let [chosen, sum, product] = match function {
        Binary::Minimum | Binary::Maximum => [all, 0, 0],
        Binary::Sum(_) => [0, all, 0],
        Binary::Product(_) | Binary::Prelu(_) => [0, 0, all],
    };
    Work::new(Family::Binary, [1, run.pixels(), chosen, sum, product])
}

/// ADD, SUB and MUL walk row by row where both operands lie densely, pixel by pixel where one serves several pixels, else element by element:
/// rows, spans of pixels, quads of elements and what they leave, pixels and elements apart.
fn pairs(operands: &[Extent; 2], run: &Size) -> [usize; 6] {
    let depth = run.extent.depth;
    let is_dense = operands.iter().all(|operand| (operand.cols, operand.depth) == (run.extent.cols, depth));
    if by_pixels(operands) {
        let pixels = run.pixels();
        [run.rows, pixels, pixels * (depth / 4), pixels * (depth % 4), 0, 0]
    } else if is_dense {
        let row = run.columns * depth;
        [run.rows, 0, run.rows * (row / 4), run.rows * (row % 4), 0, 0]
    } else {
        [run.rows, 0, 0, 0, run.pixels(), run.elements()]
    }
}
