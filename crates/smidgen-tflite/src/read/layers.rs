//! What files with recurrent layers say.

use crate::hostile::build::{FLOAT, File, INT8, INT16, INT32, quantised_as, tensor_node};
use crate::schema::{operator, tensor};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::{check, read};
use smidgen_ir::{Cell, Op, Quantisation, validate};

/// Steps, inputs and units.
const SIZES: [i32; 3] = [3, 4, 2];
/// TANH.
const TANH: i8 = 4;

/// A file with an LSTM of one sequence, after `change` to its inputs; absent ones are -1.
fn lstm(activation: i8, change: impl FnOnce(&mut File, &mut Vec<i32>)) -> Vec<u8> {
    let [steps, size, units] = SIZES;
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, steps, size], FLOAT);
    let y = file.activation("y", &[1, steps, units], FLOAT);
    let mut inputs = vec![-1; 24];
    inputs[0] = 0;
    for (places, shape) in [(1..5, vec![units, size]), (5..9, vec![units, units]), (12..16, vec![units])] {
        for place in places {
            let values = (0..shape.iter().product()).flat_map(|i: i32| ((i + place) as f32 / 8.0).to_le_bytes());
            inputs[place as usize] = file.constant(&format!("part {place}"), &shape, FLOAT, values.collect());
        }
    }
    for (place, input) in inputs.iter_mut().enumerate().skip(18).take(2) {
        let state = tensor_node(&format!("state {place}"), &[1, units], FLOAT).with(tensor::is_variable, true);
        *input = file.tensor(state);
    }
    change(&mut file, &mut inputs);
    let options =
        Options::SequenceLstm { activation, clip: 10.0, time_major: false, asymmetric_quantize_inputs: false };
    file.operator(Builtin::UnidirectionalSequenceLstm, &inputs, &[y], options);
    file.outputs = vec![y];
    file.bytes()
}

#[test]
fn a_layer_keeps_its_state_and_has_its_gates_in_order() {
    let graph = read(&lstm(TANH, |_, _| ())).expect("a network");
    validate(&graph).expect("a valid graph");
    let [operator] = graph.operators.as_slice() else { panic!("{:?}", graph.operators) };
    let Op::Recurrent(layer) = operator.op else { panic!("{:?}", operator.op) };
    assert_eq!((layer.cell, layer.clip, layer.time_major, layer.reverse), (Cell::Lstm, Some(10.0), false, false));
    // Gate by gate, each with the numbers of its own input of the file.
    let bias = graph.tensor(operator.inputs[3]).floats().expect("a constant");
    assert_eq!(bias, [1.5, 1.625, 1.625, 1.75, 1.75, 1.875, 1.875, 2.0]);
    assert_eq!(graph.variables.len(), 2);
    for (variable, i) in graph.variables.iter().zip(0..) {
        assert_eq!((variable.value, variable.next), (operator.inputs[4 + i], operator.outputs[1 + i]));
        assert_eq!(variable.initial, None);
    }
}

#[test]
fn layers_that_the_graph_does_not_have_are_named_with_one_reason() {
    let scaled = |node| quantised_as(node, &[0.5], &[0], 0);
    let copy = |to: usize, from: usize| move |_: &mut File, inputs: &mut Vec<i32>| inputs[to] = inputs[from];
    let files: [(&str, Vec<u8>); 10] = [
        ("its input gate", lstm(TANH, |_, inputs| [1, 5, 12].into_iter().for_each(|i| inputs[i] = -1))),
        ("peepholes", lstm(TANH, copy(10, 13))),
        ("projection", lstm(TANH, copy(16, 5))),
        ("normalises", lstm(TANH, copy(21, 13))),
        ("activation is number 1", lstm(1, |_, _| ())),
        ("not three dimensions", lstm(TANH, |file, _| file.tensors[0] = tensor_node("x", &[1, 4], FLOAT))),
        (
            "not of the shape 1x2",
            lstm(TANH, |file, inputs| {
                let state = tensor_node("state", &[2], FLOAT).with(tensor::is_variable, true);
                inputs[18] = file.tensor(state);
            }),
        ),
        ("no constants of one type and shape", lstm(TANH, copy(6, 2))),
        (
            "its state is no variable",
            lstm(TANH, |file, inputs| {
                inputs[18] = file.constant("state", &[1, SIZES[2]], FLOAT, vec![0; 8]);
                inputs[19] = inputs[18];
            }),
        ),
        ("its weights are f32", lstm(TANH, |file, _| file.tensors[0] = scaled(tensor_node("x", &[1, 3, 4], INT8)))),
    ];
    for (what, file) in files {
        let found: Vec<String> = check(&file).expect("a sound file").iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
        assert!(found[0].contains("UNIDIRECTIONAL_SEQUENCE_LSTM"), "{found:?}");
    }
}

/// A file with an LSTM of int8 as converters write it, after `change` to its tensors and the operator's inputs and
/// intermediates.
fn lstm_int8(change: impl FnOnce(&mut File, &mut Vec<i32>, &mut Vec<i32>)) -> Vec<u8> {
    let [steps, size, units] = SIZES;
    let mut file = File::new();
    let scaled = |name: &str, shape: &[i32], element, scale, zero| {
        quantised_as(tensor_node(name, shape, element), &[scale], &[zero], 0)
    };
    file.tensors[0] = scaled("x", &[1, steps, size], INT8, 0.5, 3);
    let y = file.tensor(scaled("y", &[1, steps, units], INT8, 0.0078125, -7));
    let mut inputs = vec![-1; 24];
    inputs[0] = 0;
    for (places, shape) in [(1..5, vec![units, size]), (5..9, vec![units, units]), (12..16, vec![units])] {
        for place in places {
            let count: i32 = shape.iter().product();
            let name = format!("part {place}");
            inputs[place as usize] = match shape.len() {
                1 => file.constant(&name, &shape, INT32, (0..count).flat_map(i32::to_le_bytes).collect()),
                _ => {
                    let t = file.constant(&name, &shape, INT8, (0..count).map(|i| i as u8).collect());
                    let node = std::mem::take(&mut file.tensors[t as usize]);
                    file.tensors[t as usize] = quantised_as(node, &[0.5 / place as f32], &[0], 0);
                    t
                }
            };
        }
    }
    for (place, element, scale, zero) in [(18, INT8, 0.0078125, -7), (19, INT16, 1.0 / 2048.0, 0)] {
        let state = scaled(&format!("state {place}"), &[1, units], element, scale, zero);
        inputs[place] = file.tensor(state.with(tensor::is_variable, true));
    }
    let hidden = file.tensor(scaled("hidden", &[], INT8, 0.0078125, -7));
    let mut intermediates = vec![hidden; 5];
    change(&mut file, &mut inputs, &mut intermediates);
    let options =
        Options::SequenceLstm { activation: TANH, clip: 10.0, time_major: false, asymmetric_quantize_inputs: false };
    file.operator(Builtin::UnidirectionalSequenceLstm, &inputs, &[y], options);
    let node = std::mem::take(file.operators.last_mut().expect("an operator"));
    *file.operators.last_mut().expect("an operator") = node.with(operator::intermediates, intermediates);
    file.outputs = vec![y];
    file.bytes()
}

#[test]
fn a_quantised_layer_has_a_scale_for_each_gate() {
    let graph = read(&lstm_int8(|_, _, _| ())).expect("a network");
    validate(&graph).expect("a valid graph");
    let weights = graph.tensor(graph.operators[0].inputs[1]);
    let Some(Quantisation::PerChannel { axis: 0, scales, .. }) = weights.dtype.quantisation() else {
        panic!("{}", weights.dtype)
    };
    assert_eq!(*scales, [0.5, 0.5, 0.25, 0.25, 0.5 / 3.0, 0.5 / 3.0, 0.125, 0.125]);
    assert_eq!(graph.variables.len(), 2);
}

#[test]
fn quantised_layers_that_the_graph_does_not_have_are_named_with_one_reason() {
    let state = |scale: f32| {
        let node = quantised_as(tensor_node("state", &[1, 2], INT16), &[scale], &[0], 0);
        node.with(tensor::is_variable, true)
    };
    let files = [
        ("peepholes", lstm_int8(|_, inputs, _| inputs[10] = inputs[13])),
        ("normalises", lstm_int8(|_, inputs, _| inputs[21] = inputs[13])),
        ("projection", lstm_int8(|_, inputs, _| inputs[16] = inputs[5])),
        ("last of five intermediate tensors", lstm_int8(|_, _, intermediates| intermediates.truncate(4))),
        ("last of five intermediate tensors", lstm_int8(|_, _, intermediates| intermediates[4] = 0)),
        ("last of five intermediate tensors", lstm_int8(|_, _, intermediates| intermediates[4] = 9999)),
        ("scale of its memory", lstm_int8(|file, inputs, _| inputs[19] = file.tensor(state(0.001)))),
        ("scale of its memory", lstm_int8(|file, inputs, _| inputs[19] = file.tensor(state(0.5)))),
    ];
    for (what, file) in files {
        let found: Vec<String> = check(&file).expect("a sound file").iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
    }
}

/// A file with SVDF of two units of rank 2, on these types of the input, the weights, the filters and the state.
fn svdf(types: [i8; 4], rank: i32, activation: i8, variable: bool) -> Vec<u8> {
    let mut file = File::new();
    let node = |name: &str, shape: &[i32], element| match element {
        FLOAT => tensor_node(name, shape, element),
        _ => quantised_as(tensor_node(name, shape, element), &[0.5], &[0], 0),
    };
    file.tensors[0] = node("x", &[1, 3], types[0]);
    let y = file.tensor(node("y", &[1, 2], types[0]));
    let mut inputs = vec![0];
    for (name, shape, element) in [("w", [4, 3], types[1]), ("t", [4, 5], types[2])] {
        let width = [(FLOAT, 4), (INT16, 2)].iter().find(|(e, _)| *e == element).map_or(1, |&(_, width)| width);
        let t = file.constant(name, &shape, element, vec![0; (shape[0] * shape[1]) as usize * width]);
        let own = std::mem::take(&mut file.tensors[t as usize]);
        file.tensors[t as usize] = if element == FLOAT { own } else { quantised_as(own, &[0.5], &[0], 0) };
        inputs.push(t);
    }
    inputs.push(-1);
    inputs.push(match variable {
        true => file.tensor(node("s", &[1, 20], types[3]).with(tensor::is_variable, true)),
        false => file.constant("s", &[1, 20], types[3], vec![0; 80]),
    });
    file.operator(Builtin::Svdf, &inputs, &[y], Options::Svdf { rank, activation });
    file.outputs = vec![y];
    file.bytes()
}

#[test]
fn filters_over_time_are_read_or_named_with_one_reason() {
    const RELU: i8 = 1;
    for types in [[FLOAT; 4], [INT8, INT8, INT16, INT16]] {
        let graph = read(&svdf(types, 2, RELU, true)).expect("a network");
        validate(&graph).expect("a valid graph");
        assert_eq!((graph.operators[0].inputs.len(), graph.variables.len()), (4, 1));
    }
    let files = [
        ("no variable", svdf([FLOAT; 4], 2, 0, false)),
        ("its rank is 0", svdf([FLOAT; 4], 0, 0, true)),
        ("no whole number of units of rank 3", svdf([FLOAT; 4], 3, 0, true)),
        ("TANH", svdf([FLOAT; 4], 2, TANH, true)),
        ("activation is not RELU", svdf([INT8, INT8, INT16, INT16], 2, 0, true)),
        ("its filters over time i8", svdf([INT8, INT8, INT8, INT8], 2, RELU, true)),
        ("its weights are i8", svdf([FLOAT, INT8, INT8, FLOAT], 2, RELU, true)),
        ("SVDF does not take i16", svdf([INT16, INT8, INT16, INT16], 2, RELU, true)),
    ];
    for (what, file) in files {
        let found: Vec<String> = check(&file).expect("a sound file").iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
    }
}
