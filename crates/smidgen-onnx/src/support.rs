//! Which operators can be read, in one table: the reader finds translations in it, and [`SUPPORTED`] is printed from it.

use crate::ops::{Translate, activation, arithmetic, conv, matrix, movement, norm, pick, pool, quant, reduce, resize};
use smidgen_ir::ElementType::{self, Bool, Float32, Int8, Int16, Int32, Int64};
use smidgen_ir::Function;
use smidgen_ir::front::SupportEntry;
use smidgen_ir::names::{names, onnx_function};
use std::sync::LazyLock;

/// Types on which smidgen computes.
const COMPUTE: &[ElementType] = &[Float32];
/// The same with int8, for operators between DequantizeLinear and QuantizeLinear.
const INTEGER: &[ElementType] = &[Float32, Int8];
/// Types that it moves around.
const MOVE: &[ElementType] = &[Float32, Int8, Int16, Int32, Int64, Bool];
/// Types that DequantizeLinear takes.
const STORED: &[ElementType] = &[Int8, Int16];
/// Operators on what is known when reading.
const CONSTANT: &[ElementType] = &[];

macro_rules! operators {
    ($($name:literal $types:ident $translate:expr, $remarks:literal;)*) => {
        /// Operators with rows of their own, and the translation of each; `None` for those that are only computed when reading.
        const ROWS: &[(SupportEntry, Option<Translate>)] = &[
            $((SupportEntry { name: $name, types: $types, remarks: $remarks }, $translate),)*
        ];
    };
}

operators! {
    "Abs" COMPUTE Some(arithmetic::abs), "";
    "Add" INTEGER Some(arithmetic::add), "broadcasting";
    "And" CONSTANT None, "";
    "ArgMax" INTEGER Some(reduce::arg_max), "the first of equal elements";
    "AveragePool" INTEGER Some(pool::average_pool), "images and lines; ceil_mode; no dilation";
    "BatchNormalization" COMPUTE Some(norm::batch_normalization), "inference; folded into the layer before";
    "Cast" MOVE Some(activation::cast), "of constants; otherwise to the same type";
    "Clip" INTEGER Some(activation::clip), "RELU and RELU6 where the bounds are theirs";
    "Concat" MOVE Some(movement::concat), "any axis";
    "Constant" CONSTANT None, "";
    "ConstantOfShape" CONSTANT None, "";
    "Conv" INTEGER Some(conv::conv), "images and lines; constant weights; any groups, strides, dilations and padding";
    "ConvTranspose" INTEGER Some(conv::conv_transpose), "images and lines; constant weights";
    "DepthToSpace" MOVE Some(movement::depth_to_space), "DCR and CRD";
    "DequantizeLinear" STORED Some(quant::dequantize), "of constants, per tensor or per channel; at run time per tensor";
    "Div" COMPUTE Some(arithmetic::div), "broadcasting";
    "Dropout" MOVE Some(activation::dropout), "inference, where it does nothing";
    "Elu" COMPUTE Some(activation::elu), "";
    "Equal" CONSTANT None, "";
    "Exp" COMPUTE Some(activation::exp), "";
    "Expand" MOVE Some(movement::expand), "constant shape; other types than float32 only where it adds axes";
    "Flatten" MOVE Some(movement::reshape), "any axis";
    "Gather" MOVE Some(pick::gather), "constant indices in up to 64 runs";
    "Gelu" COMPUTE Some(activation::gelu), "the tanh form";
    "Gemm" INTEGER Some(matrix::gemm), "one operand constant";
    "GlobalAveragePool" INTEGER Some(pool::global_average_pool), "";
    "GlobalMaxPool" INTEGER Some(pool::global_max_pool), "images and lines";
    "Greater" CONSTANT None, "";
    "GreaterOrEqual" CONSTANT None, "";
    "HardSigmoid" INTEGER Some(activation::hard_sigmoid), "";
    "HardSwish" INTEGER Some(activation::hard_swish), "also where it is spelt as x * HardSigmoid(x)";
    "Identity" MOVE Some(activation::identity), "";
    "InstanceNormalization" COMPUTE Some(norm::instance_normalization), "";
    "LayerNormalization" COMPUTE Some(norm::layer_normalization), "";
    "LeakyRelu" INTEGER Some(activation::leaky_relu), "";
    "Less" CONSTANT None, "";
    "LessOrEqual" CONSTANT None, "";
    "Log" COMPUTE Some(activation::log), "";
    "LogSoftmax" COMPUTE Some(activation::log_softmax), "any axis";
    "MatMul" INTEGER Some(matrix::matmul), "one operand a constant matrix";
    "Max" INTEGER Some(arithmetic::max), "broadcasting";
    "MaxPool" INTEGER Some(pool::max_pool), "images and lines; ceil_mode; no dilation, no indices";
    "Mean" COMPUTE Some(arithmetic::mean), "broadcasting";
    "Min" INTEGER Some(arithmetic::min), "broadcasting";
    "Mod" CONSTANT None, "";
    "Mul" INTEGER Some(arithmetic::mul), "broadcasting";
    "Neg" COMPUTE Some(arithmetic::neg), "";
    "Not" CONSTANT None, "";
    "Or" CONSTANT None, "";
    "PRelu" INTEGER Some(activation::prelu), "constant slope";
    "Pad" MOVE Some(movement::pad), "with a constant; negative padding cuts";
    "Pow" COMPUTE Some(arithmetic::pow), "exponents 0.5, 1, 2, 3 and 4";
    "QuantizeLinear" COMPUTE Some(quant::quantize), "per tensor to int8, uint8 or int16";
    "Range" CONSTANT None, "";
    "Reciprocal" COMPUTE Some(arithmetic::reciprocal), "";
    "ReduceL2" COMPUTE Some(reduce::l2), "constant axes";
    "ReduceMax" COMPUTE Some(reduce::max), "constant axes";
    "ReduceMean" INTEGER Some(reduce::mean), "constant axes";
    "ReduceMin" CONSTANT None, "";
    "ReduceProd" CONSTANT None, "";
    "ReduceSum" COMPUTE Some(reduce::sum), "constant axes";
    "ReduceSumSquare" COMPUTE Some(reduce::sum_square), "constant axes";
    "Relu" INTEGER Some(activation::relu), "";
    "Reshape" MOVE Some(movement::reshape), "constant shape";
    "Resize" INTEGER Some(resize::resize), "images and lines, nearest and bilinear; constant size or scales";
    "Selu" COMPUTE Some(activation::selu), "";
    "Shape" CONSTANT None, "of any tensor, since shapes are fixed";
    "Sigmoid" INTEGER Some(activation::sigmoid), "";
    "Size" CONSTANT None, "of any tensor, since shapes are fixed";
    "Slice" MOVE Some(pick::slice), "constant bounds and steps";
    "Softmax" INTEGER Some(activation::softmax), "any axis";
    "SpaceToDepth" MOVE Some(movement::space_to_depth), "";
    "Split" MOVE Some(pick::split), "constant sizes";
    "Squeeze" MOVE Some(movement::reshape), "constant axes";
    "Sub" INTEGER Some(arithmetic::sub), "broadcasting";
    "Sum" COMPUTE Some(arithmetic::sum), "broadcasting";
    "Swish" COMPUTE Some(activation::swish), "";
    "Tanh" INTEGER Some(activation::tanh), "";
    "Tile" MOVE Some(movement::tile), "constant counts";
    "Transpose" MOVE Some(movement::transpose), "any permutation, mostly for free";
    "Unsqueeze" MOVE Some(movement::reshape), "constant axes";
    "Upsample" INTEGER Some(resize::resize), "images and lines, nearest and bilinear; constant scales";
    "Where" CONSTANT None, "";
}

/// Every supported operator, in alphabetical order.
pub static SUPPORTED: LazyLock<Vec<SupportEntry>> = LazyLock::new(|| {
    let function = |&function: &Function| SupportEntry { name: names(function).1, types: COMPUTE, remarks: "" };
    let rows = ROWS.iter().map(|(entry, _)| *entry);
    let mut all: Vec<SupportEntry> = rows.chain(Function::ALL.iter().map(function)).collect();
    all.sort_by_key(|entry| entry.name);
    all
});

/// What is known of an operator of this name.
pub(crate) enum Known {
    /// It has a translation.
    Translated(Translate),
    /// It is computed when reading, of constants.
    Folded,
    /// It is not supported.
    Unknown,
}

pub(crate) fn find(name: &str) -> Known {
    match ROWS.binary_search_by(|(entry, _)| entry.name.cmp(name)) {
        Ok(index) => ROWS[index].1.map_or(Known::Folded, Known::Translated),
        Err(_) if onnx_function(name).is_some() => Known::Translated(activation::function),
        Err(_) => Known::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(ROWS.windows(2).all(|w| w[0].0.name < w[1].0.name));
        assert!(SUPPORTED.windows(2).all(|w| w[0].name < w[1].name));
    }
}
