//! Operators of the format that become others of the graph.

use crate::hostile::build::{BOOL, FLOAT, File, INT8, INT32, UINT8, quantised_as, tensor_node};
use crate::schema::{gelu, tensor};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::tree::Node;
use crate::{ErrorKind, check, read};
use smidgen_ir::{Graph, Op, Padding, Quantisation, validate};

const SPACE_TO_BATCH: i32 = 38;
const BATCH_TO_SPACE: i32 = 37;
const SELECT: i32 = 64;
const ARG_MIN: i32 = 79;
const BROADCAST_TO: i32 = 130;
const GELU: (i32, u8) = (150, 116);

/// The graph of a file that reads and is valid.
fn graph(file: File) -> Graph {
    let graph = read(&file.bytes()).unwrap_or_else(|error| panic!("{error}"));
    validate(&graph).expect("a valid graph");
    graph
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.operators.iter().map(|operator| operator.op.name()).collect()
}

/// A convolution of `depth` channels with filters of `taken`, on int8 with a scale for each filter.
fn grouped(depth: i32, filters: i32, taken: i32) -> File {
    let mut file = File::new();
    file.tensors[0] = quantised_as(tensor_node("x", &[1, 3, 3, depth], INT8), &[0.5], &[3], 0);
    let y = file.tensor(quantised_as(tensor_node("y", &[1, 2, 2, filters], INT8), &[0.25], &[-1], 0));
    let w = file.constant("w", &[filters, 2, 2, taken], INT8, (0..filters * 4 * taken).map(|i| i as u8).collect());
    let b = file.constant("b", &[filters], INT32, (0..filters).flat_map(i32::to_le_bytes).collect());
    let scales: Vec<f32> = (1..=filters).map(|i| i as f32 / 64.0).collect();
    let products: Vec<f32> = scales.iter().map(|scale| scale / 2.0).collect();
    for (t, scales) in [(w, scales), (b, products)] {
        let own = std::mem::take(&mut file.tensors[t as usize]);
        file.tensors[t as usize] = quantised_as(own, &scales, &vec![0; filters as usize], 0);
    }
    let with = Options::Conv { padding: 1, stride: [1, 1], dilation: [1, 1], activation: 0 };
    file.operator(Builtin::Conv2d, &[0, w, b], &[y], with);
    file.outputs = vec![y];
    file
}

fn scales(graph: &Graph, operator: usize, input: usize) -> (usize, Vec<f32>) {
    match graph.tensor(graph.operators[operator].inputs[input]).dtype.quantisation() {
        Some(Quantisation::PerChannel { axis, scales, .. }) => (*axis, scales.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_group_has_its_filters_their_scales_and_biases() {
    let graph = graph(grouped(4, 6, 2));
    assert_eq!(names(&graph), ["SPLIT", "CONV_2D", "CONV_2D", "CONCATENATION"]);
    let data = |operator: usize, input: usize| {
        graph.tensor(graph.operators[operator].inputs[input]).data.clone().expect("a constant").to_vec()
    };
    assert_eq!(data(2, 1), (24..48).collect::<Vec<u8>>());
    assert_eq!(data(2, 2), (3..6).flat_map(i32::to_le_bytes).collect::<Vec<u8>>());
    assert_eq!(scales(&graph, 2, 1), (0, vec![4.0 / 64.0, 5.0 / 64.0, 6.0 / 64.0]));
}

#[test]
fn more_groups_than_a_network_has_operators_are_refused() {
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, 1, 1, 60_000], FLOAT);
    let w = file.constant("w", &[30_000, 1, 1, 2], FLOAT, vec![0; 240_000]);
    let y = file.activation("y", &[1, 1, 1, 30_000], FLOAT);
    let with = Options::Conv { padding: 1, stride: [1, 1], dilation: [1, 1], activation: 0 };
    file.operator(Builtin::Conv2d, &[0, w], &[y], with);
    file.outputs = vec![y];
    let found: Vec<String> = check(&file.bytes()).expect("a sound file").iter().map(ToString::to_string).collect();
    assert!(found.len() == 1 && found[0].contains("30000 groups, which are too many"), "{found:?}");
}

#[test]
fn a_group_for_each_channel_is_a_depthwise_convolution() {
    let graph = graph(grouped(2, 4, 1));
    assert!(matches!(graph.operators[..], [ref one] if matches!(one.op, Op::DepthwiseConv2d { multiplier: 2, .. })));
    let weights = graph.tensor(graph.operators[0].inputs[1]);
    assert_eq!(weights.shape.dims(), [1, 2, 2, 4]);
    let data = weights.data.clone().expect("a constant").to_vec();
    assert_eq!(data, [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);
    assert_eq!(scales(&graph, 0, 1).0, 3);
}

#[test]
fn select_of_one_shape_is_select_v2() {
    let file = |condition: &[i32], other: &[i32], element: i8| {
        let mut file = File::new();
        file.tensors[0] = tensor_node("x", &[2, 3], element);
        let condition = file.activation("condition", condition, BOOL);
        let other = file.activation("other", other, element);
        let y = file.activation("y", &[2, 3], element);
        file.foreign(SELECT, &[condition, 0, other], &[y], None);
        (file.inputs, file.outputs) = (vec![condition, 0, other], vec![y]);
        file
    };
    assert_eq!(names(&graph(file(&[2, 3], &[2, 3], FLOAT))), ["SELECT_V2"]);
    assert_eq!(names(&graph(file(&[], &[2, 3], FLOAT))), ["SELECT_V2"]);
    // For whole rows.
    let rows = graph(file(&[2], &[2, 3], FLOAT));
    assert_eq!(names(&rows), ["RESHAPE", "SELECT_V2"]);
    assert_eq!(rows.tensor(rows.operators[1].inputs[0]).shape.dims(), [2, 1]);
    for (what, file) in [
        ("does not suit", file(&[3], &[2, 3], FLOAT)),
        ("which differ", file(&[2, 3], &[1, 3], FLOAT)),
        ("it takes i8", file(&[2, 3], &[2, 3], INT8)),
    ] {
        let found: Vec<String> = check(&file.bytes()).expect("a sound file").iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
    }
}

/// CONV_2D of one weight, which goes as floats through integers of this type, or comes from such.
fn restored(element: i8, from_floats: bool) -> File {
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, 2, 2, 1], FLOAT);
    let zero = if element == UINT8 { 100 } else { -28 };
    let scaled = |node| quantised_as(node, &[0.5], &[zero], 0);
    let stored = if from_floats {
        let w = file.constant("w", &[1, 1, 1, 1], FLOAT, 1.3f32.to_le_bytes().to_vec());
        let stored = file.tensor(scaled(tensor_node("stored", &[1, 1, 1, 1], element)));
        file.operator(Builtin::Quantize, &[w], &[stored], Options::None);
        stored
    } else {
        let stored = file.constant("stored", &[1, 1, 1, 1], element, vec![(zero + 3) as u8]);
        let own = std::mem::take(&mut file.tensors[stored as usize]);
        file.tensors[stored as usize] = scaled(own);
        stored
    };
    let restored = file.activation("restored", &[1, 1, 1, 1], FLOAT);
    let y = file.activation("y", &[1, 2, 2, 1], FLOAT);
    file.operator(Builtin::Dequantize, &[stored], &[restored], Options::None);
    let with = Options::Conv { padding: 1, stride: [1, 1], dilation: [1, 1], activation: 0 };
    file.operator(Builtin::Conv2d, &[0, restored], &[y], with);
    file.outputs = vec![y];
    file
}

#[test]
fn weights_that_went_through_integers_are_constants() {
    for (element, from_floats) in [(INT8, true), (UINT8, true), (INT8, false), (UINT8, false)] {
        let graph = graph(restored(element, from_floats));
        assert_eq!(names(&graph), ["CONV_2D"], "{element} {from_floats}");
        assert_eq!(graph.tensor(graph.operators[0].inputs[1]).floats(), Some(vec![1.5]), "{element} {from_floats}");
    }
}

#[test]
fn integers_of_different_scales_are_not_chosen_among() {
    let mut file = File::new();
    let condition = file.activation("condition", &[2], BOOL);
    let [a, b, y] =
        [0.5, 0.25, 0.5].map(|scale| file.tensor(quantised_as(tensor_node("t", &[2], INT8), &[scale], &[0], 0)));
    file.foreign(SELECT, &[condition, a, b], &[y], None);
    (file.inputs, file.outputs) = (vec![condition, a, b], vec![y]);
    let found: Vec<String> = check(&file.bytes()).expect("a sound file").iter().map(ToString::to_string).collect();
    assert!(found.len() == 1 && found[0].contains("different types, scales or zero points"), "{found:?}");
}

#[test]
fn the_least_of_bytes_is_the_greatest_of_mirrored_ones() {
    let mut file = File::new();
    file.tensors[0] = quantised_as(tensor_node("x", &[2, 3], INT8), &[0.5], &[7], 0);
    let (axis, y) = (file.integers("axis", &[1]), file.activation("y", &[2], INT32));
    file.foreign(ARG_MIN, &[0, axis], &[y], None);
    file.outputs = vec![y];
    let graph = graph(file);
    assert_eq!(names(&graph), ["SUB", "ARG_MAX"]);
    let mirrored = graph.tensor(graph.operators[1].inputs[0]);
    assert_eq!(mirrored.dtype, smidgen_ir::DataType::int8(0.5, -8));
}

#[test]
fn what_runs_is_broadcast_by_copies() {
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, 2], FLOAT);
    let (dims, y) = (file.integers("dims", &[2, 3, 2]), file.activation("y", &[2, 3, 2], FLOAT));
    file.foreign(BROADCAST_TO, &[0, dims], &[y], None);
    file.outputs = vec![y];
    let graph = graph(file);
    assert_eq!(names(&graph), ["RESHAPE", "CONCATENATION", "CONCATENATION"]);
    assert_eq!(graph.tensor(graph.outputs[0]).shape.dims(), [2, 3, 2]);
}

#[test]
fn gelu_by_tanh_is_a_function_of_its_own() {
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[2, 3], FLOAT);
    let y = file.activation("y", &[2, 3], FLOAT);
    file.foreign(GELU.0, &[0], &[y], Some((GELU.1, Node::default().with(gelu::approximate, true))));
    file.outputs = vec![y];
    let graph = graph(file);
    assert_eq!(names(&graph), ["GELU_TANH"]);
}

#[test]
fn dilated_convolutions_may_share_what_deals_their_pixels_out_and_have_an_open_batch_there() {
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, 6, 6, 1], FLOAT);
    let open = |name: &str, shape: &[i32]| {
        let signature = [&[-1], &shape[1..]].concat();
        tensor_node(name, shape, FLOAT).with(tensor::shape_signature, signature)
    };
    let (block, none) = (file.integers("block", &[2, 2]), vec![0; 16]);
    let none = file.constant("none", &[2, 2], INT32, none);
    let dealt = file.tensor(open("dealt", &[1, 3, 3, 1]));
    file.foreign(SPACE_TO_BATCH, &[0, block, none], &[dealt], None);
    for i in 0..2 {
        let w = file.constant("w", &[1, 2, 2, 1], FLOAT, vec![i; 16]);
        let b = file.constant("b", &[1], FLOAT, vec![0; 4]);
        let within = file.tensor(open("within", &[1, 2, 2, 1]));
        let y = file.tensor(open("y", &[1, 4, 4, 1]));
        let with = Options::Conv { padding: 1, stride: [1, 1], dilation: [1, 1], activation: 0 };
        file.operator(Builtin::Conv2d, &[dealt, w, b], &[within], with);
        file.foreign(BATCH_TO_SPACE, &[within, block, none], &[y], None);
        file.outputs.push(y);
    }
    let graph = graph(file);
    assert_eq!(names(&graph), ["CONV_2D", "CONV_2D"]);
    for operator in &graph.operators {
        let Op::Conv2d(conv) = &operator.op else { panic!("{operator:?}") };
        assert_eq!((conv.dilation, conv.padding), ([2, 2], Padding::Valid));
        assert_eq!(operator.inputs[0], graph.inputs[0]);
    }
}

#[test]
fn an_infinite_scale_is_no_damage() {
    let mut file = File::new();
    file.tensors[0] = quantised_as(tensor_node("x", &[1, 4], INT8), &[f32::INFINITY], &[0], 0);
    let y = file.tensor(quantised_as(tensor_node("y", &[1, 4], INT8), &[0.5], &[0], 0));
    file.operator(Builtin::Relu, &[0], &[y], Options::None);
    file.outputs = vec![y];
    let error = read(&file.bytes()).expect_err("no numbers");
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("tensor 0 \"x\""), "{error}");
}
