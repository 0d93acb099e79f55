use super::*;
use crate::ops::*;
use crate::tensor::DataType;

fn x(shape: impl Into<Shape>) -> Tensor {
    Tensor::activation("x", shape, DataType::FLOAT32)
}

/// Shapes of the outputs of `op` on float tensors of these shapes.
fn shapes(op: Op, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>, ShapeError> {
    let tensors: Vec<Tensor> = inputs.iter().map(|s| x(s.to_vec())).collect();
    let inferred = infer(&op, &tensors.iter().collect::<Vec<_>>())?;
    Ok(inferred.into_iter().map(|i| i.shape.0).collect())
}

fn params(stride: usize, dilation: usize, padding: Padding) -> ConvParams {
    ConvParams { stride: [stride; 2], dilation: [dilation; 2], padding, activation: Activation::None }
}

#[test]
fn convolutions_follow_same_valid_and_explicit_padding() {
    let conv = |stride, dilation, padding| {
        shapes(Op::Conv2d(params(stride, dilation, padding)), &[&[1, 9, 8, 3], &[5, 3, 3, 3], &[5]])
    };
    assert_eq!(conv(1, 1, Padding::Same), Ok(vec![vec![1, 9, 8, 5]]));
    assert_eq!(conv(2, 1, Padding::Same), Ok(vec![vec![1, 5, 4, 5]]));
    assert_eq!(conv(2, 1, Padding::Valid), Ok(vec![vec![1, 4, 3, 5]]));
    assert_eq!(conv(1, 3, Padding::Valid), Ok(vec![vec![1, 3, 2, 5]]));
    let sides = Padding::Explicit { top: 1, bottom: 2, left: 0, right: 3 };
    assert_eq!(conv(1, 1, sides), Ok(vec![vec![1, 10, 9, 5]]));
    let error = conv(1, 4, Padding::Valid).unwrap_err();
    assert_eq!(error.to_string(), "a window of 9 (dilation included) does not fit into 8 columns with VALID padding");
}

#[test]
fn weights_and_bias_must_fit_the_input() {
    let op = || Op::Conv2d(params(1, 1, Padding::Same));
    let error = shapes(op(), &[&[1, 8, 8, 4], &[5, 3, 3, 2]]).unwrap_err();
    assert_eq!(error.to_string(), "the shape of the weights is 5x3x3x2, with 2 along axis 3; it must have 4 there");
    let error = shapes(op(), &[&[1, 8, 8, 4], &[5, 3, 3, 4], &[4]]).unwrap_err();
    assert_eq!(error.to_string(), "the shape of the bias is 4; expected 5");
    assert!(shapes(op(), &[&[1, 8, 8, 4]]).is_err());
    let depthwise = |m| Op::DepthwiseConv2d { conv: params(1, 1, Padding::Same), multiplier: m };
    assert_eq!(shapes(depthwise(2), &[&[1, 4, 4, 3], &[1, 3, 3, 6]]), Ok(vec![vec![1, 4, 4, 6]]));
    assert!(shapes(depthwise(1), &[&[1, 4, 4, 3], &[1, 3, 3, 6]]).is_err());
    assert!(shapes(depthwise(0), &[&[1, 4, 4, 3], &[1, 3, 3, 0]]).is_err());
}

#[test]
fn transposed_convolutions_need_a_size_that_leads_back() {
    let op = |output, padding| Op::TransposeConv {
        stride: [2, 2],
        padding,
        output: [output, output],
        activation: Activation::None,
    };
    let shape = |o, p| shapes(op(o, p), &[&[1, 4, 4, 3], &[6, 3, 3, 3]]);
    assert_eq!(shape(8, Padding::Same), Ok(vec![vec![1, 8, 8, 6]]));
    assert_eq!(shape(7, Padding::Same), Ok(vec![vec![1, 7, 7, 6]]));
    assert_eq!(shape(9, Padding::Valid), Ok(vec![vec![1, 9, 9, 6]]));
    assert!(matches!(shape(9, Padding::Same), Err(ShapeError::TransposedSize { back: 5, .. })));
}

#[test]
fn fully_connected_flattens_or_keeps_dimensions() {
    let op = |keep_num_dims| Op::FullyConnected {
        keep_num_dims,
        asymmetric_quantize_inputs: false,
        activation: Activation::None,
    };
    assert_eq!(shapes(op(false), &[&[1, 2, 2, 3], &[7, 12]]), Ok(vec![vec![1, 7]]));
    assert_eq!(shapes(op(false), &[&[1, 2, 2, 3], &[7, 6], &[7]]), Ok(vec![vec![2, 7]]));
    assert_eq!(shapes(op(true), &[&[5, 2, 3], &[7, 3]]), Ok(vec![vec![5, 2, 7]]));
    assert!(shapes(op(true), &[&[5, 2, 3], &[7, 6]]).is_err());
    assert!(shapes(op(false), &[&[1, 5], &[7, 3]]).is_err());
    assert!(shapes(op(false), &[&[1, 5], &[7, 0]]).is_err());
}

#[test]
fn operands_broadcast_from_the_last_axis() {
    let op = || Op::Binary { kind: BinaryKind::Add, activation: Activation::None };
    assert_eq!(shapes(op(), &[&[1, 4, 1, 3], &[5, 1]]), Ok(vec![vec![1, 4, 5, 3]]));
    assert_eq!(shapes(op(), &[&[], &[2, 2]]), Ok(vec![vec![2, 2]]));
    assert!(shapes(op(), &[&[3], &[2]]).is_err());
    assert_eq!(shapes(Op::Prelu, &[&[1, 4, 4, 3], &[1, 1, 3]]), Ok(vec![vec![1, 4, 4, 3]]));
    assert!(shapes(Op::Prelu, &[&[1, 1, 3], &[1, 4, 4, 3]]).is_err());
}

#[test]
fn reductions_drop_or_keep_axes() {
    let op = |axes: &[usize], keep_dims| Op::Reduce { kind: ReduceKind::Mean, axes: axes.to_vec(), keep_dims };
    assert_eq!(shapes(op(&[1, 2], true), &[&[1, 4, 5, 3]]), Ok(vec![vec![1, 1, 1, 3]]));
    assert_eq!(shapes(op(&[1, 2], false), &[&[1, 4, 5, 3]]), Ok(vec![vec![1, 3]]));
    assert_eq!(shapes(op(&[], false), &[&[2]]), Ok(vec![vec![2]]));
    assert!(shapes(op(&[2, 1], true), &[&[1, 4, 5, 3]]).is_err());
    assert!(shapes(op(&[4], true), &[&[1, 4, 5, 3]]).is_err());
    assert_eq!(shapes(Op::ArgMax { axis: 1 }, &[&[2, 10]]), Ok(vec![vec![2]]));
}

#[test]
fn movement_keeps_count_of_every_axis() {
    assert_eq!(shapes(Op::Pad { pads: vec![[0, 1], [2, 0]], value: PadValue::Zero }, &[&[3, 4]]), Ok(vec![vec![4, 6]]));
    let cat = |shapes_: &[&[usize]]| shapes(Op::Concatenation { axis: 1, activation: Activation::None }, shapes_);
    assert_eq!(cat(&[&[1, 4], &[1, 3], &[1, 2]]), Ok(vec![vec![1, 9]]));
    assert!(cat(&[&[1, 4], &[2, 3]]).is_err());
    assert!(cat(&[&[1, 4], &[1]]).is_err());
    assert!(cat(&[&[4]]).is_err());
    assert_eq!(shapes(Op::Split { axis: 0, parts: 3 }, &[&[6, 2]]), Ok(vec![vec![2, 2]; 3]));
    assert!(shapes(Op::Split { axis: 0, parts: 4 }, &[&[6, 2]]).is_err());
    assert_eq!(shapes(Op::Pack { axis: 1 }, &[&[6, 2], &[6, 2], &[6, 2]]), Ok(vec![vec![6, 3, 2]]));
    assert_eq!(shapes(Op::Unpack { axis: 1 }, &[&[6, 2]]), Ok(vec![vec![6]; 2]));
    assert!(shapes(Op::Unpack { axis: 0 }, &[&[usize::MAX]]).is_err());
    assert_eq!(shapes(Op::Transpose { perm: vec![2, 0, 1] }, &[&[3, 4, 5]]), Ok(vec![vec![5, 3, 4]]));
    assert!(shapes(Op::Transpose { perm: vec![2, 0, 0] }, &[&[3, 4, 5]]).is_err());
    assert!(shapes(Op::Reshape { kind: ReshapeKind::Reshape, shape: vec![5] }, &[&[2, 3]]).is_err());
}

#[test]
fn slices_stay_inside_their_input() {
    let slice = |begin, size| shapes(Op::Slice { begin: vec![begin], size: vec![size] }, &[&[8]]);
    assert_eq!(slice(3, 5), Ok(vec![vec![5]]));
    assert!(slice(3, 6).is_err());
    assert!(slice(usize::MAX, 2).is_err());
    let strided = |start, stride, len, shrink| {
        shapes(Op::StridedSlice { axes: vec![AxisSlice { start, stride, len, shrink }] }, &[&[8]])
    };
    assert_eq!(strided(7, -2, 4, false), Ok(vec![vec![4]]));
    assert_eq!(strided(7, 1, 1, true), Ok(vec![vec![]]));
    assert!(strided(7, -2, 5, false).is_err());
    assert!(strided(0, 0, 1, false).is_err());
    assert!(strided(0, 1, 2, true).is_err());
    assert!(strided(usize::MAX, isize::MIN, usize::MAX, false).is_err());
}
