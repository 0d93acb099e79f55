//! Which version of an operator has what it uses. An interpreter too old for a version refuses the file instead of computing
//! something else.

use super::draft::DraftTensor;
use super::options::Options;
use crate::support::Builtin;
use smidgen_ir::ElementType::{self, Bool, Float32, Int4, Int8, Int16, Int32};
use smidgen_ir::Quantisation;

/// The lowest version of the operator that covers these tensors and options.
pub(super) fn version(
    builtin: Builtin,
    tensors: &[DraftTensor<'_>],
    inputs: &[usize],
    outputs: &[usize],
    options: &Options,
) -> i32 {
    let input = |i: usize| inputs.get(i).map(|&t| &tensors[t]);
    let element = |i: usize| input(i).map_or(Float32, |t| t.dtype.element());
    let rank = input(0).map_or(0, |t| t.shape.len());
    let x = element(0);
    let result = outputs.first().map_or(Float32, |&t| tensors[t].dtype.element());
    let per_channel = |t: Option<&DraftTensor<'_>>| {
        t.is_some_and(|t| matches!(t.dtype.quantisation(), Some(Quantisation::PerChannel { .. })))
    };
    let broadcast = input(0).map(|t| &t.shape) != input(1).map(|t| &t.shape);
    let widest = rank.max(input(1).map_or(0, |t| t.shape.len()));
    match builtin {
        Builtin::Conv2d if x == Int16 => 4,
        Builtin::DepthwiseConv2d if x == Int16 => 5,
        Builtin::FullyConnected if x == Int16 => 7,
        Builtin::Conv2d => weights(x, element(1), per_channel(input(1)), [3, 7, 2, 5]),
        Builtin::DepthwiseConv2d => {
            let dilated = matches!(options, Options::Depthwise { dilation, .. } if *dilation != [1, 1]);
            weights(x, element(1), per_channel(input(1)), [3, 7, 4, 6]).max(if dilated { 2 } else { 1 })
        }
        Builtin::TransposeConv => match options {
            Options::TransposeConv { activation: 1.., .. } => 4,
            _ if inputs.len() == 4 => 3,
            _ => by_type(element(2), &[(Int8, 2)]),
        },
        Builtin::FullyConnected => {
            let keeps = matches!(options, Options::FullyConnected { keep_num_dims: true, .. });
            weights(x, element(1), per_channel(input(1)), [4, 10, 3, 12])
                .max(if keeps { 5 } else { 1 })
                .max(if inputs.len() == 2 { 6 } else { 1 })
        }
        Builtin::Mul => {
            let scale = |t: Option<&DraftTensor<'_>>| {
                t.and_then(|t| t.dtype.quantisation()?.per_tensor()).map_or(0.0, |(scale, _)| f64::from(scale))
            };
            let factor = scale(input(0)) * scale(input(1)) / scale(outputs.first().map(|&t| &tensors[t])).max(1e-300);
            if factor >= 1.0 { 3 } else { by_type(x, &[(Int8, 2)]) }
        }
        Builtin::Sub | Builtin::Maximum | Builtin::Minimum if broadcast && widest > 4 => 3,
        Builtin::AveragePool2d | Builtin::MaxPool2d => by_type(x, &[(Int8, 2), (Int16, 3)]),
        Builtin::Pad | Builtin::PadV2 if rank > 4 => 4,
        Builtin::Pad | Builtin::PadV2 | Builtin::Concatenation | Builtin::Pack => by_type(x, &[(Int8, 2), (Int16, 3)]),
        Builtin::Transpose if rank > 5 => 6,
        Builtin::Transpose if rank > 4 && x != Int16 => 4,
        Builtin::Transpose => by_type(x, &[(Int8, 2), (Bool, 3), (Int16, 5)]),
        Builtin::Split => by_type(element(1), &[(Int8, 2), (Int32, 3), (Int16, 4)]),
        Builtin::Slice if rank > 4 => 5,
        Builtin::Slice => by_type(x, &[(Int8, 2), (Int16, 4)]),
        Builtin::StridedSlice if rank > 4 => 4,
        Builtin::StridedSlice => by_type(x, &[(Int8, 2), (Bool, 3)]),
        Builtin::Unpack => by_type(x, &[(Int8, 2), (Bool, 3), (Int16, 4)]),
        Builtin::ResizeBilinear => match options {
            Options::ResizeBilinear { half_pixel_centers: true, .. } => 3,
            _ => by_type(x, &[(Int8, 2)]),
        },
        Builtin::ResizeNearestNeighbor => match options {
            Options::ResizeNearest { align_corners: false, half_pixel_centers: false } => by_type(x, &[(Int8, 2)]),
            _ => 3,
        },
        Builtin::Dequantize if x == Int8 && per_channel(input(0)) => 5,
        Builtin::Dequantize => by_type(x, &[(Int8, 2), (Int16, 3), (Int4, 6)]),
        Builtin::Quantize => by_type(result, &[(Int16, 2)]),
        Builtin::Add
        | Builtin::Sub
        | Builtin::Maximum
        | Builtin::Minimum
        | Builtin::Mean
        | Builtin::Sum
        | Builtin::Softmax
        | Builtin::Logistic
        | Builtin::Tanh
        | Builtin::Relu
        | Builtin::Relu6
        | Builtin::Exp
        | Builtin::Log
        | Builtin::ArgMax => by_type(x, &[(Int8, 2)]),
        Builtin::ReluN1To1
        | Builtin::LeakyRelu
        | Builtin::Div
        | Builtin::Function(_)
        | Builtin::HardSwish
        | Builtin::Prelu
        | Builtin::AssignVariable
        | Builtin::CallOnce
        | Builtin::ReadVariable
        | Builtin::VarHandle
        | Builtin::Reshape
        | Builtin::Squeeze
        | Builtin::ExpandDims => 1,
    }
}

fn by_type(element: ElementType, versions: &[(ElementType, i32)]) -> i32 {
    versions.iter().find(|(e, _)| *e == element).map_or(1, |&(_, version)| version)
}

/// The version for int8 weights, int4 weights, and int8 weights on floats, per tensor and per channel.
fn weights(x: ElementType, weights: ElementType, per_channel: bool, [int8, int4, float, floats]: [i32; 4]) -> i32 {
    match (x, weights) {
        (Int8, Int8) => int8,
        (Int8, Int4) => int4,
        (Float32, Int8) if per_channel => floats,
        (Float32, Int8) => float,
        _ => 1,
    }
}
