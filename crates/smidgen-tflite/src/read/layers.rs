//! What files with recurrent layers say.

use crate::hostile::build::{FLOAT, File, INT8, quantised_as, tensor_node};
use crate::schema::tensor;
use crate::support::Builtin;
use crate::write::options::Options;
use crate::{check, read};
use smidgen_ir::{Cell, Op, validate};

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
    let options = Options::SequenceLstm { activation, clip: 10.0, time_major: false };
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
        ("no constants of float32 and of one shape", lstm(TANH, copy(6, 2))),
        (
            "its state is no variable",
            lstm(TANH, |file, inputs| {
                inputs[18] = file.constant("state", &[1, SIZES[2]], FLOAT, vec![0; 8]);
                inputs[19] = inputs[18];
            }),
        ),
        ("does not take i8", lstm(TANH, |file, _| file.tensors[0] = scaled(tensor_node("x", &[1, 3, 4], INT8)))),
    ];
    for (what, file) in files {
        let found: Vec<String> = check(&file).expect("a sound file").iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
        assert!(found[0].contains("UNIDIRECTIONAL_SEQUENCE_LSTM"), "{found:?}");
    }
}
