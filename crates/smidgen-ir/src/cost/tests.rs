use super::*;
use crate::ops::*;
use crate::tensor::*;

fn f32s(name: &str, shape: &[usize]) -> Tensor {
    Tensor::activation(name, shape.to_vec(), DataType::FLOAT32)
}

fn weights(shape: &[usize]) -> Tensor {
    let bytes = 4 * shape.iter().product::<usize>();
    Tensor::constant("w", shape.to_vec(), DataType::FLOAT32, vec![0; bytes])
}

fn params(stride: usize, padding: Padding) -> ConvParams {
    ConvParams { stride: [stride; 2], dilation: [1, 1], padding, activation: Activation::None }
}

/// Appends an operator whose output shape is inferred.
fn push(g: &mut Graph, op: Op, inputs: Vec<TensorId>) -> TensorId {
    let tensors: Vec<&Tensor> = inputs.iter().map(|&t| g.tensor(t)).collect();
    let shape = crate::infer(&op, &tensors).unwrap().remove(0).shape;
    let y = g.add_tensor(f32s("y", shape.dims()));
    g.add_operator(op, inputs, vec![y]);
    y
}

#[test]
fn counts_of_each_weighted_operator() {
    let mut g = Graph::new("");
    let x = g.add_input(f32s("x", &[1, 8, 6, 3]));
    let w = g.add_tensor(weights(&[4, 3, 3, 3]));
    let b = g.add_tensor(weights(&[4]));
    let c = push(&mut g, Op::Conv2d(params(2, Padding::Same)), vec![x, w, b]);
    let w = g.add_tensor(weights(&[1, 5, 5, 8]));
    let conv = params(1, Padding::Same);
    let d = push(&mut g, Op::DepthwiseConv2d { conv, multiplier: 2 }, vec![c, w]);
    let w = g.add_tensor(weights(&[2, 3, 3, 8]));
    let op = Op::TransposeConv { stride: [2; 2], padding: Padding::Same, output: [8, 6], activation: Activation::None };
    let t = push(&mut g, op, vec![d, w]);
    let w = g.add_tensor(weights(&[10, 48]));
    let op =
        Op::FullyConnected { keep_num_dims: false, asymmetric_quantize_inputs: false, activation: Activation::None };
    let y = push(&mut g, op, vec![t, w]);
    g.outputs = vec![y];
    crate::validate(&g).unwrap();
    let cost = cost(&g);
    let macs: Vec<u64> = cost.operators.iter().map(|o| o.macs).collect();
    assert_eq!(macs, [4 * 3 * 4 * 27, 4 * 3 * 8 * 25, 4 * 3 * 8 * 9 * 2, 2 * 48 * 10]);
    assert_eq!(cost.macs, macs.iter().sum());
    let bytes: Vec<usize> = cost.operators.iter().map(|o| o.parameter_bytes).collect();
    assert_eq!(bytes, [4 * 108 + 16, 4 * 200, 4 * 144, 4 * 480]);
    assert_eq!(cost.operators[1].output_bytes, 4 * 4 * 3 * 8);
    assert_eq!(cost.input_bytes, 4 * 144);
}

#[test]
fn a_shared_constant_counts_once_in_total() {
    let mut g = Graph::new("");
    let x = g.add_input(f32s("x", &[1, 8, 6, 3]));
    let w = g.add_tensor(weights(&[3, 1, 1, 3]));
    let y = push(&mut g, Op::Conv2d(params(1, Padding::Same)), vec![x, w]);
    let z = push(&mut g, Op::Conv2d(params(1, Padding::Same)), vec![y, w]);
    g.outputs = vec![z];
    let cost = cost(&g);
    assert_eq!(cost.operators.iter().map(|o| o.parameter_bytes).collect::<Vec<_>>(), [36, 36]);
    assert_eq!(cost.parameter_bytes, 36);
}

#[test]
fn receptive_fields_grow_through_windows_and_join_at_branches() {
    let mut g = Graph::new("");
    let x = g.add_input(f32s("x", &[1, 32, 32, 4]));
    let w = g.add_tensor(weights(&[4, 3, 3, 4]));
    let a = push(&mut g, Op::Conv2d(params(2, Padding::Same)), vec![x, w]);
    let dilated = ConvParams { dilation: [2, 1], ..params(1, Padding::Same) };
    let b = push(&mut g, Op::Conv2d(dilated), vec![a, w]);
    let c = push(&mut g, Op::Binary { kind: BinaryKind::Add, activation: Activation::None }, vec![a, b]);
    let op = |kind| Op::Resize { kind, output: [32, 32], align_corners: false, half_pixel_centers: false };
    let d = push(&mut g, op(ResizeKind::Bilinear), vec![c]);
    let e = push(&mut g, Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: true }, vec![d]);
    let f = push(&mut g, Op::Binary { kind: BinaryKind::Mul, activation: Activation::None }, vec![d, e]);
    g.outputs = vec![f];
    let fields = cost(&g).receptive_fields;
    let window = |size, stride| Some(ReceptiveField::Window { size, stride });
    assert_eq!(fields[x.index()], window([1, 1], [1.0, 1.0]));
    assert_eq!(fields[w.index()], None);
    assert_eq!(fields[a.index()], window([3, 3], [2.0, 2.0]));
    assert_eq!(fields[b.index()], window([11, 7], [2.0, 2.0]));
    assert_eq!(fields[c.index()], window([11, 7], [2.0, 2.0]));
    assert_eq!(fields[d.index()], window([13, 9], [1.0, 1.0]));
    assert_eq!(fields[e.index()], Some(ReceptiveField::Whole));
    assert_eq!(fields[f.index()], Some(ReceptiveField::Whole));
}

#[test]
fn products_of_computed_matrices_count() {
    for (adjoint, [a, b]) in [
        ([false, false], [[2, 4, 5], [1, 5, 3]]),
        ([true, false], [[2, 5, 4], [1, 5, 3]]),
        ([false, true], [[2, 4, 5], [1, 3, 5]]),
    ] {
        let mut g = Graph::new("products");
        let (a, b) = (g.add_input(f32s("a", &a)), g.add_input(f32s("b", &b)));
        let y = push(&mut g, Op::BatchMatmul { adjoint }, vec![a, b]);
        g.outputs = vec![y];
        assert_eq!(cost(&g).macs, 2 * 4 * 3 * 5);
    }
}
