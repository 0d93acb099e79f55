//! What files say in more than one way, and what our own writer never says.

use crate::hostile::build::{FLOAT, File, INT4, INT8, INT32, operator_node, quantised_as, tensor_node};
use crate::schema::{buffer, operator, operator_code, strided_slice, tensor};
use crate::support::{Builtin, options};
use crate::write::options::Options;
use crate::write::tree::Node;
use crate::{check, metadata, read, read_with, write, write_with};
use smidgen_ir::{AxisSlice, DataType, Graph, Op, Padding, Quantisation, ReduceKind, ReshapeKind};
use smidgen_reference::{Case, Reference};

const INT64: i8 = 4;
const INT16: i8 = 7;

/// The graph of a file that has to read.
fn graph(file: File) -> Graph {
    read(&file.bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// The first operator of a file that has to read.
fn op(file: File) -> Op {
    graph(file).operators.swap_remove(0).op
}

/// A file with an operator on `x` of this shape and further inputs that `parameters` adds.
fn file(builtin: Builtin, x: &[i32], with: Options, parameters: impl FnOnce(&mut File) -> Vec<i32>) -> File {
    let mut file = File { tensors: vec![tensor_node("x", x, FLOAT)], ..File::new() };
    let y = file.activation("y", &[1], FLOAT);
    let inputs = [vec![0], parameters(&mut file)].concat();
    file.operator(builtin, &inputs, &[y], with);
    file.outputs = vec![y];
    file
}

fn none(_: &mut File) -> Vec<i32> {
    Vec::new()
}

fn reshaped(kind: ReshapeKind, shape: &[usize]) -> Op {
    Op::Reshape { kind, shape: shape.to_vec() }
}

#[test]
fn shapes_come_from_a_tensor_or_from_the_options() {
    let from_options =
        |shape: &[i32], x: &[i32]| op(file(Builtin::Reshape, x, Options::Reshape { new_shape: shape.to_vec() }, none));
    assert_eq!(from_options(&[3, -1], &[2, 6]), reshaped(ReshapeKind::Reshape, &[3, 4]));
    assert_eq!(from_options(&[0], &[1, 1]), reshaped(ReshapeKind::Reshape, &[]));
    assert_eq!(from_options(&[], &[1, 1]), reshaped(ReshapeKind::Reshape, &[]));
    // The tensor wins where it is a vector.
    let both = |dims: &[i32]| {
        op(file(Builtin::Reshape, &[2, 6], Options::Reshape { new_shape: vec![12] }, |file| {
            let bytes = [4i32, -1].iter().flat_map(|v| v.to_le_bytes()).collect();
            vec![file.constant("shape", dims, INT32, bytes)]
        }))
    };
    assert_eq!(both(&[2]), reshaped(ReshapeKind::Reshape, &[4, 3]));
    assert_eq!(both(&[1, 2]), reshaped(ReshapeKind::Reshape, &[12]));
}

#[test]
fn squeeze_without_dimensions_drops_all_of_size_one() {
    let squeeze =
        |dims: &[i32]| op(file(Builtin::Squeeze, &[1, 3, 1, 1], Options::Squeeze { dims: dims.to_vec() }, none));
    assert_eq!(squeeze(&[]), reshaped(ReshapeKind::Squeeze, &[3]));
    assert_eq!(squeeze(&[-1, 0]), reshaped(ReshapeKind::Squeeze, &[3, 1]));
    assert_eq!(op(file(Builtin::Squeeze, &[1, 3], Options::None, none)), reshaped(ReshapeKind::Squeeze, &[3]));
}

#[test]
fn axes_are_counted_from_either_end_and_in_32_or_64_bits() {
    let mean = |axes: Vec<u8>, element: i8| {
        op(file(Builtin::Mean, &[1, 4, 5, 3], Options::Reducer { keep_dims: true }, |file| {
            let count = axes.len() as i32 / if element == INT64 { 8 } else { 4 };
            vec![file.constant("axes", &[count], element, axes)]
        }))
    };
    let expected = Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: true };
    assert_eq!(mean([-2i32, 1, 2].iter().flat_map(|v| v.to_le_bytes()).collect(), INT32), expected);
    assert_eq!(mean([2i64, -3].iter().flat_map(|v| v.to_le_bytes()).collect(), INT64), expected);
    let expand = op(file(Builtin::ExpandDims, &[4, 5], Options::None, |file| vec![file.integers("axis", &[-1])]));
    assert_eq!(expand, reshaped(ReshapeKind::ExpandDims, &[4, 5, 1]));
    let pack = op(file(Builtin::Pack, &[4, 5], Options::Pack { values: 1, axis: -3 }, none));
    assert_eq!(pack, Op::Pack { axis: 0 });
}

#[test]
fn a_slice_of_size_minus_one_goes_to_the_end() {
    let slice = op(file(Builtin::Slice, &[4, 5], Options::None, |file| {
        vec![file.integers("begin", &[1, 2]), file.integers("size", &[-1, 2])]
    }));
    assert_eq!(slice, Op::Slice { begin: vec![1, 2], size: vec![3, 2] });
}

#[test]
fn operators_of_either_age_are_found() {
    let coded = |old: i8, new: Option<i32>| {
        let mut code = Node::default().with(operator_code::deprecated_builtin_code, old);
        if let Some(new) = new {
            code = code.with(operator_code::builtin_code, new);
        }
        let mut file = file(Builtin::Relu, &[1, 4], Options::None, none);
        file.codes = vec![code];
        op(file).name()
    };
    assert_eq!(coded(21, None), "RELU6");
    assert_eq!(coded(0, Some(19)), "RELU");
    assert_eq!(coded(117, Some(117)), "HARD_SWISH");
}

#[test]
fn an_open_batch_is_one_where_the_shape_says_so() {
    let mut file = file(Builtin::Relu, &[1, 4], Options::None, none);
    file.tensors[0] = tensor_node("x", &[1, 4], FLOAT).with(tensor::shape_signature, vec![-1, 4]);
    assert_eq!(graph(file).tensors[0].shape.dims(), [1, 4]);
}

#[test]
fn one_scale_is_that_of_the_tensor_and_a_bias_has_but_one_axis() {
    let typed = |node: Node<'static>| {
        let mut file = file(Builtin::Relu, &[1, 4], Options::None, none);
        file.tensors[0] = node;
        graph(file).tensors.swap_remove(0).dtype
    };
    let int8 = |shape: &[i32], scales: &[f32], zero_points: &[i64], axis| {
        typed(quantised_as(tensor_node("q", shape, INT8), scales, zero_points, axis))
    };
    assert_eq!(int8(&[1, 4], &[0.5], &[3], 1), DataType::int8(0.5, 3));
    assert_eq!(int8(&[1, 4], &[0.5], &[], 7), DataType::int8(0.5, 0));
    assert_eq!(int8(&[1, 4], &[], &[], 0), DataType::Plain(smidgen_ir::ElementType::Int8));
    let per_channel = |axis, zero_points: [i32; 4]| {
        let zero_points = zero_points.to_vec();
        let quantisation = Quantisation::PerChannel { axis, scales: vec![0.5; 4], zero_points };
        DataType::Quantised(smidgen_ir::ElementType::Int8, quantisation)
    };
    assert_eq!(int8(&[1, 4], &[0.5; 4], &[2], 1), per_channel(1, [2; 4]));
    assert_eq!(int8(&[4], &[0.5; 4], &[0, 1, 2, 3], 3), per_channel(0, [0, 1, 2, 3]));
    // What a float tensor once was quantised by says nothing.
    assert_eq!(typed(quantised_as(tensor_node("f", &[1, 4], FLOAT), &[0.0], &[900], 9)), DataType::FLOAT32);
}

#[test]
fn constants_may_lie_behind_the_tables() {
    let build = |offset: u64| {
        let mut file = file(Builtin::Add, &[1, 4], Options::Arithmetic { activation: 0 }, |file| {
            let outside = Node::default().with(buffer::offset, offset).with(buffer::size, 16);
            let index = file.buffer(outside);
            vec![file.tensor(tensor_node("c", &[1, 4], FLOAT).with(tensor::buffer, index))]
        });
        // Offsets 0 and 1 are placeholders of the converter's: no data.
        if offset < 2 {
            file.inputs.push(2);
        }
        file.bytes()
    };
    let length = build(2).len();
    let values: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let graph = read(&[build(length as u64), values.clone()].concat()).unwrap();
    assert_eq!(graph.tensors[2].floats(), Some(vec![1.0, 2.0, 3.0, 4.0]));
    assert!(read(&[build(length as u64 + 1), values].concat()).is_err());
    assert_eq!(read(&build(1)).unwrap().tensors[2].data, None);
}

#[test]
fn an_absent_bias_is_no_input() {
    let weights = |file: &mut File| vec![file.constant("w", &[2, 4], FLOAT, vec![0; 32]), -1];
    let full = Options::FullyConnected { activation: 0, keep_num_dims: false, asymmetric_quantize_inputs: false };
    assert_eq!(graph(file(Builtin::FullyConnected, &[1, 4], full, weights)).operators[0].inputs.len(), 2);
}

#[test]
fn a_multiplier_that_is_not_stored_follows_from_the_shapes() {
    let depthwise = Options::Depthwise { padding: 1, stride: [1, 1], dilation: [1, 1], activation: 0, multiplier: 0 };
    let weights = |file: &mut File| vec![file.constant("w", &[1, 1, 1, 6], FLOAT, vec![0; 24])];
    let found = op(file(Builtin::DepthwiseConv2d, &[1, 4, 4, 2], depthwise, weights));
    assert!(
        matches!(found, Op::DepthwiseConv2d { multiplier: 3, conv } if conv.padding == Padding::Valid),
        "{found:?}"
    );
}

#[test]
fn int8_weights_on_floats_lie_around_zero() {
    let conv = |scales: &[f32], zero_points: &[i64]| {
        let options = Options::Conv { padding: 0, stride: [1, 1], dilation: [1, 1], activation: 0 };
        let file = file(Builtin::Conv2d, &[1, 4, 4, 1], options, |file| {
            let bytes = file.buffer(Node::default().with(buffer::data, &[1, 2]));
            let weights = tensor_node("w", &[2, 1, 1, 1], INT8).with(tensor::buffer, bytes);
            vec![file.tensor(quantised_as(weights, scales, zero_points, 0))]
        });
        check(&file.bytes()).unwrap().first().map(|found| found.reason.clone())
    };
    let refused = |why: &str| Some(format!("its weights \"w\" are i8 beside float32, {why}"));
    assert_eq!(conv(&[0.5], &[0]), None);
    assert_eq!(conv(&[0.5, 0.25], &[0, 0]), None);
    // The reference takes these as if they were zero.
    assert_eq!(conv(&[0.5, 0.25], &[0, 3]), refused("with a zero point of 3, where it must be 0"));
    assert_eq!(conv(&[0.5], &[1]), refused("with a zero point of 1, where it must be 0"));
    assert_eq!(conv(&[], &[]), refused("without a scale"));
}

/// A file with one operator on floats whose weights, of this shape, are integers with these scales along an axis.
fn hybrid(builtin: Builtin, with: Options, x: &[i32], w: &[i32], element: i8, scales: &[f32], axis: i32) -> File {
    file(builtin, x, with, |file| {
        let bytes = file
            .buffer(Node::default().with(buffer::data, if element == INT8 { &[1, 2, 254, 4] } else { &[0x21, 0x4e] }));
        let weights = tensor_node("w", w, element).with(tensor::buffer, bytes);
        vec![file.tensor(quantised_as(weights, scales, &vec![0; scales.len()], axis))]
    })
}

#[test]
fn integer_weights_on_floats_become_floats_where_asked_for() {
    let one = [1, 1];
    let conv = || Options::Conv { padding: 0, stride: one, dilation: one, activation: 0 };
    let full = || Options::FullyConnected { activation: 0, keep_num_dims: false, asymmetric_quantize_inputs: false };
    let depthwise = || Options::Depthwise { padding: 0, stride: one, dilation: one, activation: 0, multiplier: 1 };
    let (dense, conv2d, by_depth) = (Builtin::FullyConnected, Builtin::Conv2d, Builtin::DepthwiseConv2d);
    for (builtin, with, x, w, element, scales, axis, expected) in [
        (dense, full(), &[1, 2][..], &[2, 2][..], INT8, &[0.5][..], 0, [0.5, 1.0, -1.0, 2.0]),
        (dense, full(), &[1, 2], &[2, 2], INT8, &[0.5, 0.25], 0, [0.5, 1.0, -0.5, 1.0]),
        (dense, full(), &[1, 2], &[2, 2], INT4, &[0.5, 0.25], 0, [0.5, 1.0, -0.5, 1.0]),
        (conv2d, conv(), &[1, 4, 4, 2], &[2, 1, 1, 2], INT8, &[0.5, 0.25], 0, [0.5, 1.0, -0.5, 1.0]),
        (by_depth, depthwise(), &[1, 4, 4, 4], &[1, 1, 1, 4], INT8, &[1.0, 2.0, 3.0, 4.0], 3, [1.0, 4.0, -6.0, 16.0]),
        (by_depth, depthwise(), &[1, 4, 4, 2], &[1, 1, 2, 2], INT8, &[1.0, 2.0], 3, [1.0, 4.0, -2.0, 8.0]),
    ] {
        let bytes = hybrid(builtin, with, x, w, element, scales, axis).bytes();
        let graph = read_with(&bytes, crate::Options { float_weights: true }).unwrap();
        let weights = graph.tensor(graph.operators[0].inputs[1]);
        assert_eq!(weights.floats().as_deref(), Some(&expected[..]), "{builtin:?} {scales:?}");
        smidgen_ir::validate(&graph).unwrap();
        // Without that, they stay what they are.
        assert_eq!(check(&bytes).unwrap(), []);
        let graph = read(&bytes).unwrap();
        assert_eq!(
            graph.tensor(graph.operators[0].inputs[1]).element() == smidgen_ir::ElementType::Int4,
            element == INT4
        );
        smidgen_ir::validate(&graph).unwrap();
    }
}

#[test]
fn integer_weights_on_floats_that_the_reference_does_not_take_are_refused() {
    let one = [1, 1];
    let conv = || Options::Conv { padding: 0, stride: one, dilation: one, activation: 0 };
    let depthwise = || Options::Depthwise { padding: 0, stride: one, dilation: one, activation: 0, multiplier: 1 };
    let (conv2d, by_depth) = (Builtin::Conv2d, Builtin::DepthwiseConv2d);
    let mut reference = smidgen_reference::Reference::start_or_skip("weights that LiteRT refuses");
    for (builtin, with, x, w, element, scales, axis, expected) in [
        (
            by_depth,
            depthwise(),
            &[1, 4, 4, 4][..],
            &[1, 1, 1, 4][..],
            INT8,
            &[0.5][..],
            3,
            "with one scale, where DEPTHWISE_CONV_2D takes one for",
        ),
        (by_depth, depthwise(), &[1, 4, 4, 4], &[1, 1, 1, 4], INT4, &[1.0; 4], 3, "where DEPTHWISE_CONV_2D takes i8"),
        (
            conv2d,
            conv(),
            &[1, 4, 4, 2],
            &[2, 1, 1, 2],
            INT8,
            &[0.5, 0.25],
            3,
            "with scales along axis 3, where they must lie along axis 0",
        ),
        (conv2d, conv(), &[1, 4, 4, 2], &[2, 1, 1, 2], INT8, &[], 0, "without a scale"),
    ] {
        let bytes = hybrid(builtin, with, x, w, element, scales, axis).bytes();
        let found = check(&bytes).unwrap();
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert!(found.reason.starts_with("its weights \"w\" are i") && found.reason.contains(expected), "{found}");
        assert!(found.to_string().contains(builtin.name()), "{found}");
        // CONV_2D is here for the sake of its text: without a bias the reference takes none.
        if let Some(reference) = &mut reference {
            let x = vec![0; 4 * x.iter().product::<i32>() as usize];
            reference.run(&bytes, &[x]).expect_err("the reference refuses it too");
        }
    }
}

#[test]
fn a_convolution_without_a_bias_is_one_with_zeros() {
    // LiteRT takes none, and says that a bias is missing; what is written has one.
    let one = [1, 1];
    let with = Options::Conv { padding: 0, stride: one, dilation: one, activation: 0 };
    let bytes = hybrid(Builtin::Conv2d, with, &[1, 4, 4, 2], &[2, 1, 1, 2], INT8, &[0.5, 0.25], 0).bytes();
    let graph = read(&bytes).unwrap();
    smidgen_ir::validate(&graph).unwrap();
    assert_eq!(graph.operators[0].inputs.len(), 2);
    let written = crate::write(&graph).unwrap();
    assert_eq!(read(&written).unwrap().operators[0].inputs.len(), 3);
    let Some(mut reference) = smidgen_reference::Reference::start_or_skip("a convolution without a bias") else {
        return;
    };
    let x = vec![0; 4 * 4 * 4 * 2];
    reference.run(&bytes, std::slice::from_ref(&x)).expect_err("the reference asks for a bias");
    reference.run(&written, &[x]).expect("with a bias it runs");
}

#[test]
fn constants_of_half_precision_are_floats_and_their_dequantize_is_gone() {
    // 1.0 and -2.0, in both forms of 16 bits.
    for (element, bytes) in [(1, [0, 0x3c, 0, 0xc0]), (18, [0x80, 0x3f, 0, 0xc0])] {
        let mut file = File { tensors: vec![tensor_node("x", &[1, 2], FLOAT)], ..File::new() };
        let half = file.constant("half", &[2], element, bytes.to_vec());
        // The file need not know the shape of what is computed.
        let single = file.activation("single", &[], FLOAT);
        let y = file.activation("y", &[1, 2], FLOAT);
        file.operator(Builtin::Dequantize, &[half], &[single], Options::None);
        file.operator(Builtin::Add, &[0, single], &[y], Options::Arithmetic { activation: 0 });
        file.outputs = vec![y, single];
        let graph = graph(file);
        assert_eq!(graph.operators.len(), 1);
        assert_eq!(graph.tensor(graph.operators[0].inputs[1]).floats(), Some(vec![1.0, -2.0]));
        smidgen_ir::validate(&graph).unwrap();
    }
    // Activations of half precision are another matter.
    let mut file = file(Builtin::Relu, &[1, 4], Options::None, none);
    file.tensors[0] = tensor_node("x", &[1, 4], 1);
    let found = check(&file.bytes()).unwrap();
    assert_eq!(found.iter().map(|f| f.cause).collect::<Vec<_>>(), [Some("activations of float16")]);
}

#[test]
fn vectors_need_not_be_aligned() {
    let mut file = file(Builtin::Relu, &[1, 4], Options::None, none);
    file.tensors[0] = quantised_as(tensor_node("x", &[1, 4], INT8), &[0.5], &[3], 0);
    file.tensors[1] = quantised_as(tensor_node("y", &[1, 4], INT8), &[0.5], &[3], 0);
    let bytes = file.bytes();
    let expected = read(&bytes).unwrap();
    // The list of zero points of `x` once more behind the file, at each distance from an aligned place.
    let list = [&1u32.to_le_bytes()[..], &3i64.to_le_bytes()].concat();
    let place = crate::hostile::build::find(&bytes, &list);
    for pad in 0..8 {
        let mut moved = bytes.clone();
        moved.extend(vec![0; pad]);
        let to = moved.len();
        moved.extend(&list);
        crate::hostile::build::redirect(&mut moved, place, to);
        assert_eq!(read(&moved).as_ref(), Ok(&expected), "{pad}");
    }
}

#[test]
fn shapes_between_the_ends_follow_from_the_inputs() {
    let mut file = File { tensors: vec![tensor_node("x", &[1, 4, 6], FLOAT)], ..File::new() };
    let a = file.tensor(tensor_node("a", &[1, 1, 1], FLOAT).with(tensor::shape_signature, vec![-1, -1, 6]));
    let y = file.activation("y", &[], FLOAT);
    file.operator(Builtin::Relu, &[0], &[a], Options::None);
    file.operator(Builtin::Reshape, &[a], &[y], Options::Reshape { new_shape: vec![2, -1] });
    file.outputs = vec![y];
    let graph = graph(file);
    assert_eq!(graph.tensor(graph.outputs[0]).shape.dims(), [2, 12]);
    smidgen_ir::validate(&graph).unwrap();
}

#[test]
fn what_follows_an_unsupported_operator_is_not_held_against_the_file() {
    // A loop gives what the file says to be 1x2, and really is as long as the input.
    let mut file = File { tensors: vec![tensor_node("x", &[1, 4], FLOAT)], ..File::new() };
    let rows = file.tensor(tensor_node("rows", &[1, 2], FLOAT).with(tensor::shape_signature, vec![-1, 2]));
    let to = file.integers("to", &[1, 12]);
    let y = file.activation("y", &[1, 12], FLOAT);
    let code = file.code(119);
    file.operators.push(operator_node(code, &[0], &[rows]));
    file.operator(Builtin::Reshape, &[rows, to], &[y], Options::None);
    file.outputs = vec![y];
    let found: Vec<_> = check(&file.bytes()).unwrap().iter().map(|f| (f.subject.to_string(), f.cause)).collect();
    assert_eq!(
        found,
        [
            ("operator 0 WHILE".into(), Some("TensorFlow's control flow")),
            ("tensor 1 \"rows\"".into(), Some("a shape that is known only at run time"))
        ]
    );
}

#[test]
fn what_only_an_unsupported_operator_uses_is_no_obstacle_of_its_own() {
    const UINT8: i8 = 3;
    // As compilers for NPUs write them: commands, weights and scratch memory as bytes.
    for (name, cause) in [
        ("ethos-u", Some("a file compiled for an NPU")),
        ("edgetpu-custom-op", Some("a file compiled for an NPU")),
        ("mine", None),
    ] {
        let mut file = File { tensors: vec![tensor_node("x", &[1, 4], INT8)], ..File::new() };
        let commands = file.constant("commands", &[3], UINT8, vec![1, 2, 3]);
        let scratch = file.activation("scratch", &[100], UINT8);
        let state = file.tensor(tensor_node("state", &[1, 4], FLOAT).with(tensor::is_variable, true));
        let y = file.activation("y", &[1, 4], UINT8);
        let code = file.code(32);
        file.codes[code as usize] =
            Node::default().with(operator_code::builtin_code, 32).with(operator_code::custom_code, name.into());
        file.operators.push(operator_node(code, &[0, commands, scratch, state], &[y]));
        file.outputs = vec![y];
        let found = check(&file.bytes()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].subject.to_string(), found[0].cause), (format!("operator 0 CUSTOM {name:?}"), cause));
    }
}

#[test]
fn sums_of_int16_with_different_powers_of_two_are_refused_in_old_files() {
    let sum = |builtin, options, scales: [f32; 3]| {
        let [a, b, y] = scales.map(|scale| quantised_as(tensor_node("t", &[1, 4], INT16), &[scale], &[0], 0));
        let mut file = File { tensors: vec![a, b, y], ..File::new() };
        file.operator(builtin, &[0, 1], &[2], options);
        (file.inputs, file.outputs) = (vec![0, 1], vec![2]);
        check(&file.bytes()).unwrap().first().map(|found| found.reason.clone())
    };
    // Left out, the option is true.
    let (old, new) = (|| Options::Arithmetic { activation: 0 }, || Options::WideSum { activation: 0 });
    let different = [0.5, 0.25, 0.5];
    let refused = Some("its scales are different powers of two, and pot_scale_int16 is not false".to_string());
    for builtin in [Builtin::Add, Builtin::Sub] {
        assert_eq!(sum(builtin, old(), different), refused);
        assert_eq!(sum(builtin, new(), different), None);
        assert_eq!(sum(builtin, old(), [0.5, 0.3, 0.5]), None);
        assert_eq!(sum(builtin, old(), [0.5; 3]), None);
    }
    assert_eq!(sum(Builtin::Mul, old(), different), None);
}

#[test]
fn parameters_that_something_else_uses_stay() {
    let mut file = file(Builtin::ExpandDims, &[1, 4], Options::None, |file| vec![file.integers("axis", &[0])]);
    file.outputs.push(2);
    let graph = graph(file);
    assert_eq!(graph.tensors.len(), 3);
    assert_eq!(graph.operators[0].inputs.len(), 1);
    assert_eq!(graph.tensor(graph.outputs[1]).integers(), Some(vec![0]));
}

#[test]
fn constants_are_aligned_in_written_files() {
    let mut file = file(Builtin::Add, &[1, 4], Options::Arithmetic { activation: 0 }, |file| {
        vec![file.constant("c", &[1, 4], FLOAT, [0xab; 16].to_vec())]
    });
    let z = file.activation("z", &[1, 4], FLOAT);
    let d = file.constant("d", &[4], FLOAT, [0xcd; 16].to_vec());
    file.operator(Builtin::Mul, &[1, d], &[z], Options::Arithmetic { activation: 0 });
    file.outputs = vec![z];
    let written = write(&graph(file)).unwrap();
    assert!(written.len().is_multiple_of(16));
    for fill in [0xab, 0xcd] {
        let at = written.windows(16).position(|window| window == [fill; 16]).unwrap();
        assert!(at.is_multiple_of(16), "byte {at}");
    }
}

/// A STRIDED_SLICE of int8 with all of its masks, on `x` of this shape.
fn strided(x: &[i32], lists: [&[i32]; 3], masks: [i32; 4], end_is_offset: bool) -> File {
    let mut file = File { tensors: vec![tensor_node("x", x, INT8)], ..File::new() };
    let y = file.activation("y", &[1], INT8);
    let mut inputs = vec![0];
    inputs.extend(lists.map(|list| file.integers("list", list)));
    let code = file.code(Builtin::StridedSlice.code());
    let table = Node::default()
        .with(strided_slice::begin_mask, masks[0])
        .with(strided_slice::end_mask, masks[1])
        .with(strided_slice::ellipsis_mask, masks[2])
        .with(strided_slice::new_axis_mask, 0)
        .with(strided_slice::shrink_axis_mask, masks[3])
        .with(strided_slice::end_is_offset, end_is_offset);
    let node = operator_node(code, &inputs, &[y])
        .with(operator::builtin_options_type, options(Builtin::StridedSlice))
        .with(operator::builtin_options, table);
    file.operators.push(node);
    file.outputs = vec![y];
    file
}

fn axes(file: File) -> Vec<AxisSlice> {
    match op(file) {
        Op::StridedSlice { axes } => axes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn masks_become_plain_slices() {
    let slice = |start, stride, len, shrink| AxisSlice { start, stride, len, shrink };
    let [begin, end, strides] = [&[1, 0, 3][..], &[9, 0, 0], &[2, 1, -1]];
    let found = axes(strided(&[4, 2, 5, 5], [begin, end, strides], [0, 4, 2, 0], false));
    let expected = [slice(1, 2, 2, false), slice(0, 1, 2, false), slice(0, 1, 5, false), slice(3, -1, 4, false)];
    assert_eq!(found, expected);
    let found = axes(strided(&[4, 6], [&[-1, 1], &[0, 3], &[1, 2]], [0, 0, 0, 1], true));
    assert_eq!(found, [slice(3, 1, 1, true), slice(1, 2, 2, false)]);
}

#[test]
fn strided_slices_mean_what_the_reference_takes_them_for() {
    let Some(mut reference) = Reference::start_or_skip("strided slices with masks") else { return };
    let mut state = 7u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let shape = [3, 4, 5];
    let x: Vec<u8> = (0..60).collect();
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    while cases.len() < 300 {
        let lists: [Vec<i32>; 3] = std::array::from_fn(|list| {
            let number = |_: usize| match list {
                2 => [1, 1, 2, 3, -1, -2][below(6) as usize],
                _ => below(15) as i32 - 7,
            };
            (0..3).map(number).collect()
        });
        let masks = [below(8) as i32, below(8) as i32, 0, [0, 0, 1, 2, 4][below(5) as usize]];
        let model = strided(&shape, [&lists[0], &lists[1], &lists[2]], masks, false).bytes();
        // Where an axis is dropped, an index out of range or a negative stride is an error of the file's.
        let Ok(graph) = read(&model) else { continue };
        let Op::StridedSlice { axes } = &graph.operators[0].op else { panic!("another operator") };
        let mut taken = Vec::new();
        for i in 0..axes[0].len {
            for j in 0..axes[1].len {
                for k in 0..axes[2].len {
                    let index =
                        |axis: usize, n: usize| (axes[axis].start as isize + n as isize * axes[axis].stride) as usize;
                    taken.push(x[(index(0, i) * 4 + index(1, j)) * 5 + index(2, k)]);
                }
            }
        }
        cases.push(Case { model, samples: vec![vec![x.clone()]], ..Case::default() });
        expected.push((taken, format!("{lists:?} masks {masks:?}")));
    }
    for (result, (taken, what)) in reference.run_batch(&cases).into_iter().zip(expected) {
        match result {
            Ok(outcome) => assert_eq!(outcome.samples[0].outputs, [taken], "{what}"),
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

#[test]
fn metadata_comes_back_and_changes_no_graph() {
    let x = file(Builtin::Relu, &[1, 4], Options::None, none);
    let graph = graph(x);
    let bytes = write_with(&graph, &[("first", b"1"), ("second", b"some bytes"), ("none", b"")]).unwrap();
    let of = |name: &str| metadata(&bytes, name).unwrap();
    assert_eq!((of("first"), of("second")), (Some(&b"1"[..]), Some(&b"some bytes"[..])));
    assert_eq!((of("none"), of("third")), (Some(&b""[..]), None));
    assert_eq!(read(&bytes).unwrap(), read(&write(&graph).unwrap()).unwrap());
    assert_eq!(metadata(&write(&graph).unwrap(), "first").unwrap(), None);
    // No damage makes it panic, or hand out what lies outside.
    for place in 8..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            if let Ok(Some(held)) = metadata(&damaged, "second") {
                assert!(held.len() <= bytes.len());
            }
        }
    }
}

/// The graph keeps an operator on constants that are too many to be parameters, and reading takes no memory for what it might give.
#[test]
fn only_what_is_small_is_computed_when_reading() {
    let names = |count: usize, size: usize| -> Vec<&'static str> {
        let mut file = File::new();
        let part = file.integers("part", &vec![1; size]);
        let all = file.activation("all", &[(count * size) as i32], INT32);
        let y = file.activation("y", &[1, 4], FLOAT);
        let join = Options::Concatenation { axis: 0, activation: 0 };
        file.operator(Builtin::Concatenation, &vec![part; count], &[all], join);
        file.operator(Builtin::Relu, &[0], &[y], Options::None);
        file.outputs = vec![all, y];
        graph(file).operators.iter().map(|operator| operator.op.name()).collect()
    };
    assert_eq!(names(2, 3), ["RELU"]);
    assert_eq!(names(2000, 4096), ["CONCATENATION", "RELU"]);
}

#[test]
fn a_memory_of_finer_steps_than_the_reference_can_compute_with_gets_the_finest_that_it_can() {
    const NETWORK: &str = "graph \"g\" inputs(%0) outputs(%6) variables(%4 = %7, %5 = %8)
        %0 \"x\" : i8[1x1x1]{0.05; -4}
        %1 \"w\" : i8[4x1]{axis 0: 0.01, 0.01, 0.02, 0.02} = [90, -37, 12, -101]
        %2 \"r\" : i8[4x1]{axis 0: 0.02, 0.02, 0.01, 0.01} = [61, -90, 17, 105]
        %3 \"b\" : i32[4] = [400, -250, 1000, 900]
        %4 \"h\" : i8[1x1]{0.0078125; 0}
        %5 \"c\" : i16[1x1]{6.1035156e-5; 0}
        %6 \"y\" : i8[1x1x1]{0.0078125; 0}, %7 \"h next\" : i8[1x1]{0.0078125; 0}, %8 \"c next\" : i16[1x1]{6.1035156e-5; 0}
            = UNIDIRECTIONAL_SEQUENCE_LSTM(%0, %1, %2, %3, %4, %5) sequence=true last=true memory=true";
    let graph = smidgen_ir::text::parse(NETWORK).expect("a network");
    let bytes = crate::write(&graph).expect("a network that the format has");
    let scale = |exponent: i32| 2f32.powi(exponent).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|&i| bytes[i..i + 4] == scale(-14)).collect();
    let memory = |exponent: i32| {
        let mut other = bytes.clone();
        places.iter().for_each(|&i| other[i..i + 4].copy_from_slice(&scale(exponent)));
        crate::read(&other).map(|graph| graph.tensor(graph.variables[1].value).dtype.clone())
    };
    assert_eq!(memory(-14), Ok(DataType::int16(2f32.powi(-14))));
    assert_eq!(memory(-15), Ok(DataType::int16(2f32.powi(-15))));
    assert_eq!(memory(-16), Ok(DataType::int16(2f32.powi(-15))));
    assert_eq!(memory(-21), Ok(DataType::int16(2f32.powi(-15))));
    assert!(memory(-8).is_err_and(|error| error.to_string().contains("power of two")));
}

#[test]
fn a_part_without_elements_that_nobody_reads_is_left_out() {
    const SPLIT_V: i32 = 102;
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, 4], FLOAT);
    let (sizes, axis) = (file.integers("sizes", &[1, 3, -1]), file.integer("axis", 1));
    let parts = [("a", 1), ("b", 3), ("none", 0)].map(|(name, size)| file.activation(name, &[1, size], FLOAT));
    file.foreign(SPLIT_V, &[0, sizes, axis], &parts, None);
    file.outputs = vec![parts[1], parts[0]];
    let graph = read(&file.bytes()).expect("a network");
    smidgen_ir::validate(&graph).expect("a valid graph");
    let shapes: Vec<_> = graph.outputs.iter().map(|&id| graph.tensor(id).shape.dims().to_vec()).collect();
    assert_eq!(shapes, [[1, 3], [1, 1]]);
}
