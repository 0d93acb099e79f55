//! What every operator passes, whoever adds it.

use super::*;
use crate::graph::{Graph, Operator};
use crate::infer;
use crate::tensor::{DataType, ElementType, Tensor};
use crate::text;

const CONV: ConvParams =
    ConvParams { stride: [2, 1], dilation: [1, 3], padding: Padding::Same, activation: Activation::Relu6 };

/// Each operator in each of its kinds, with parameters that are none's default.
fn samples() -> Vec<Op> {
    let activation = Activation::ReluN1To1;
    let padding = Padding::Explicit { top: 1, bottom: 0, left: 1, right: 0 };
    let mut ops = vec![
        Op::Conv2d(CONV),
        Op::DepthwiseConv2d { conv: CONV, multiplier: 2 },
        Op::TransposeConv { stride: [2, 3], padding: Padding::Valid, output: [5, 6], activation },
        Op::FullyConnected { keep_num_dims: true, asymmetric_quantize_inputs: false, activation },
        Op::Pad { pads: vec![[0, 0], [1, 2]], value: PadValue::Zero },
        Op::Pad { pads: vec![[0, 0], [1, 2]], value: PadValue::Integer(3) },
        Op::Pad { pads: vec![[0, 0], [1, 2]], value: PadValue::Float(0.5) },
        Op::Transpose { perm: vec![1, 0] },
        Op::Concatenation { axis: 1, activation },
        Op::Split { axis: 1, parts: 2 },
        Op::Pack { axis: 1 },
        Op::Unpack { axis: 1 },
        Op::Slice { begin: vec![0, 1], size: vec![1, 2] },
        Op::StridedSlice { axes: vec![AxisSlice { start: 3, stride: -1, len: 1, shrink: true }] },
        Op::Softmax { beta: 0.75 },
        Op::Prelu,
        Op::ArgMax { axis: 1 },
        Op::Select,
        Op::Gather { axis: 2, batch: 1 },
        Op::Cast,
        Op::BatchMatmul { adjoint: [false, true] },
        Op::Quantize,
        Op::Dequantize,
        Op::Svdf { rank: 2, activation },
    ];
    ops.extend([Cell::Lstm, Cell::Gru, Cell::GruResetAfter, Cell::Tanh, Cell::Relu].map(|cell| {
        let memory = cell == Cell::Lstm;
        let clip = memory.then_some(2.5);
        Op::Recurrent(RecurrentParams {
            cell,
            time_major: true,
            reverse: true,
            clip,
            sequence: true,
            last: true,
            memory,
            asymmetric_quantize_inputs: memory,
        })
    }));
    ops.extend(NormaliseKind::ALL.iter().map(|&kind| Op::Normalise(kind)));
    ops.extend(CompareKind::ALL.iter().map(|&kind| Op::Compare(kind)));
    ops.extend(BinaryKind::ALL.iter().map(|&kind| Op::Binary { kind, activation }));
    ops.extend(PoolKind::ALL.iter().map(|&kind| Op::Pool2d {
        kind,
        window: [2, 3],
        stride: [1, 2],
        padding,
        activation,
    }));
    ops.extend(ReduceKind::ALL.iter().map(|&kind| Op::Reduce { kind, axes: vec![1, 2], keep_dims: true }));
    ops.extend(ReshapeKind::ALL.iter().map(|&kind| Op::Reshape { kind, shape: vec![12, 1] }));
    ops.extend(ResizeKind::ALL.iter().map(|&kind| Op::Resize {
        kind,
        output: [3, 4],
        align_corners: true,
        half_pixel_centers: true,
    }));
    let unary = [
        UnaryKind::Logistic,
        UnaryKind::Tanh,
        UnaryKind::Relu,
        UnaryKind::ReluN1To1,
        UnaryKind::Relu6,
        UnaryKind::LeakyRelu { alpha: 0.25 },
        UnaryKind::HardSwish,
        UnaryKind::Exp,
        UnaryKind::Log,
    ];
    let functions = Function::ALL.iter().map(|&function| UnaryKind::Function(function));
    ops.extend(unary.into_iter().chain(functions).map(Op::Unary));
    ops
}

#[test]
fn every_operator_has_a_sample_and_a_name_of_its_own() {
    let ops = samples();
    for variant in Op::VARIANTS {
        assert!(ops.iter().any(|op| op.variant() == *variant), "{variant} has no sample in this test");
    }
    // PADV2 stands there twice, with an integer and with a float, GRU and RNN in two forms each.
    let mut names: Vec<&str> = ops.iter().map(Op::name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count - 3, "{names:?}");
}

/// One operator that nothing feeds, as text.
fn printed(op: &Op) -> String {
    let mut graph = Graph::new("");
    let x = graph.add_input(Tensor::activation("x", vec![1], DataType::FLOAT32));
    graph.operators.push(Operator::new(op.clone(), vec![x], vec![x]));
    text::print(&graph)
}

#[test]
fn every_operator_is_parsed_as_it_was_printed() {
    for op in samples() {
        let text = printed(&op);
        let back = text::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", op.name()));
        assert_eq!(back.operators[0].op, op, "{}: an attribute is not in its textual form", op.name());
    }
}

#[test]
fn an_activation_is_found_where_the_text_has_one() {
    for op in samples() {
        let text = printed(&op).contains("activation=");
        assert_eq!(op.activation().is_some(), text, "{}", op.name());
        assert_eq!(op.activation(), op.clone().activation_mut().copied(), "{}: its place", op.name());
    }
}

#[test]
fn what_has_weights_counts_multiply_accumulates_and_takes_a_bias() {
    for op in samples() {
        let dims = [1, 2, 3, 4];
        let counted = op.spec(|spec| spec.positions(&dims, &dims).is_some());
        let inputs = op.spec(|spec| spec.inputs());
        assert_eq!(op.traits().weights.is_some(), counted, "{}: MACs", op.name());
        assert_eq!(op.traits().weights.is_some(), inputs == (2..=3), "{}: inputs", op.name());
    }
}

#[test]
fn columns_agree_with_each_other() {
    for op in samples() {
        let traits = op.traits();
        assert!(traits.int8 || !traits.int16, "{} takes int16 and not int8", op.name());
        if traits.values == Values::Moved {
            assert!(traits.int8 && traits.int16 && traits.weights.is_none(), "{} moves elements", op.name());
        }
    }
}

/// The output of an operator on `x` that validation asks for, where it asks for one.
fn output_of(op: &Op, x: &DataType) -> DataType {
    let fixed = match op {
        Op::Softmax { .. } | Op::Unary(UnaryKind::Logistic) => Some((DataType::int8(1.0 / 256.0, -128), 32768.0)),
        Op::Normalise(kind) => Some((kind.output(), 0.0)),
        Op::Unary(UnaryKind::Tanh) => Some((DataType::int8(1.0 / 128.0, 0), 32768.0)),
        _ => None,
    };
    match (fixed, x.element()) {
        (Some((int8, _)), ElementType::Int8) => int8,
        (Some((_, steps)), ElementType::Int16) => DataType::int16(1.0 / steps),
        _ => x.clone(),
    }
}

/// Validates an operator on one input of this shape.
fn valid(op: &Op, shape: &[usize], dtype: &DataType) -> Result<(), crate::ValidateError> {
    let mut graph = Graph::new("");
    let x = graph.add_input(Tensor::activation("x", shape.to_vec(), dtype.clone()));
    for y in infer(op, &[graph.tensor(x)]).expect("a shape") {
        let y = graph.add_tensor(Tensor::activation("y", y.shape, output_of(op, dtype)));
        graph.outputs.push(y);
    }
    let outputs = graph.outputs.clone();
    graph.add_operator(op.clone(), vec![x], outputs);
    crate::validate(&graph)
}

#[test]
fn operators_of_one_input_take_the_types_of_their_columns() {
    let types = [
        DataType::FLOAT32,
        DataType::int8(0.5, 3),
        DataType::int16(0.5),
        DataType::Plain(ElementType::Int32),
        DataType::Plain(ElementType::Bool),
    ];
    let mut seen = 0;
    for mut op in samples() {
        match &mut op {
            // Outputs of a type that is not the input's, and values of a type of their own.
            Op::ArgMax { .. } | Op::Cast | Op::Quantize | Op::Dequantize => continue,
            Op::Pad { value: PadValue::Integer(_) | PadValue::Float(_), .. } => continue,
            // An activation is fused on floats alone.
            Op::Concatenation { activation, .. } => *activation = Activation::None,
            // Both at once are for the nearest neighbour.
            Op::Resize { align_corners, .. } => *align_corners = false,
            _ => {}
        }
        if !op.spec(|spec| spec.inputs()).contains(&1) {
            continue;
        }
        let fits =
            |shape: &&[usize]| infer(&op, &[&Tensor::activation("x", shape.to_vec(), DataType::FLOAT32)]).is_ok();
        let shapes: [&[usize]; 3] = [&[1, 4, 6, 2], &[2, 6], &[4]];
        let shape = shapes.into_iter().find(fits).unwrap_or_else(|| panic!("{}: no shape", op.name()));
        for dtype in &types {
            let expected = match (op.traits(), dtype.element()) {
                (traits, ElementType::Float32) => traits.float,
                (traits, ElementType::Int8) => traits.int8,
                (traits, ElementType::Int16) => traits.int16,
                (traits, _) => traits.values == Values::Moved,
            };
            let found = valid(&op, shape, dtype);
            assert_eq!(found.is_ok(), expected, "{} on {dtype}: {found:?}", op.name());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} cases");
}
