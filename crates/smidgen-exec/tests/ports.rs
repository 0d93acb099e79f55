//! How graph inputs, outputs and changes of shape reach the caller's bytes.

use smidgen_certify::certify;
use smidgen_exec::{ExecError, Executor};
use smidgen_ir::{Activation, ConvParams, DataType, ElementType, Graph, Op, Padding, ReshapeKind, Tensor};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;

fn executor(graph: &Graph) -> Executor {
    Executor::new(certify(layer_wise(&lower(graph, &LowerOptions::default()).unwrap())).unwrap())
}

fn reshape(shape: &[usize]) -> Op {
    Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.to_vec() }
}

/// A 1x1 convolution with weight 2, scales 1, on a 2x2 image with zero point 1 in and -3 out.
fn doubling() -> Graph {
    let mut graph = Graph::new("doubling");
    let x = graph.add_input(Tensor::activation("x", [1, 2, 2, 1], DataType::int8(1.0, 1)));
    let w = graph.add_tensor(Tensor::constant("w", [1, 1, 1, 1], DataType::int8(1.0, 0), [2u8]));
    let y = graph.add_tensor(Tensor::activation("y", [1, 2, 2, 1], DataType::int8(1.0, -3)));
    let params = ConvParams { stride: [1, 1], dilation: [1, 1], padding: Padding::Valid, activation: Activation::None };
    graph.add_operator(Op::Conv2d(params), vec![x, w], vec![y]);
    graph.outputs.push(y);
    graph
}

#[test]
fn a_convolution_runs_end_to_end() {
    let mut executor = executor(&doubling());
    executor.set_input(0, &[1, 2, 0, 100]).unwrap();
    let mut seen = Vec::new();
    executor.run_with(&mut |finished| seen.push(finished.output(0).unwrap().to_vec()));
    let expected = [0, 2, -2, 127 + 3].map(|v: i32| (v - 3).clamp(-128, 127) as i8 as u8);
    assert_eq!(executor.output(0), expected);
    assert_eq!(seen, [expected]);
}

#[test]
fn changes_of_shape_are_other_names_for_the_same_bytes() {
    let mut graph = doubling();
    let y = graph.outputs[0];
    let flat = graph.add_tensor(Tensor::activation("flat", [4], DataType::int8(1.0, -3)));
    graph.add_operator(reshape(&[4]), vec![y], vec![flat]);
    graph.outputs = vec![flat, y, flat];
    let mut executor = executor(&graph);
    executor.set_input(0, &[1, 1, 1, 2]).unwrap();
    executor.run();
    let expected = [-3i8, -3, -3, -1].map(|v| v as u8);
    assert!((0..3).all(|i| executor.output(i) == expected));
}

#[test]
fn an_input_or_a_constant_can_be_an_output() {
    let mut graph = Graph::new("pass");
    let plain = DataType::Plain(ElementType::Int32);
    let x = graph.add_input(Tensor::activation("x", [2], plain.clone()));
    let named = graph.add_tensor(Tensor::activation("named", [2, 1], plain.clone()));
    let c = graph.add_tensor(Tensor::constant("c", [1], plain.clone(), [9u8, 8, 7, 6]));
    let renamed = graph.add_tensor(Tensor::activation("renamed", [1, 1], plain));
    graph.add_operator(reshape(&[2, 1]), vec![x], vec![named]);
    graph.add_operator(reshape(&[1, 1]), vec![c], vec![renamed]);
    graph.outputs = vec![x, named, c, renamed];
    let mut executor = executor(&graph);
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
    executor.set_input(0, &bytes).unwrap();
    executor.run();
    assert_eq!((executor.output(0), executor.output(1)), (&bytes[..], &bytes[..]));
    assert_eq!((executor.output(2), executor.output(3)), (&[9, 8, 7, 6][..], &[9, 8, 7, 6][..]));
}

#[test]
fn a_constant_activation_is_loaded() {
    let mut graph = doubling();
    graph.inputs.clear();
    graph.tensors[0].data = Some([1u8, 2, 3, 4].into());
    let mut executor = executor(&graph);
    executor.run();
    assert_eq!(executor.output(0), [-3i8, -1, 1, 3].map(|v| v as u8));
}

#[test]
fn poison_spares_what_lives() {
    let mut graph = doubling();
    graph.outputs.insert(0, graph.inputs[0]);
    let program = layer_wise(&lower(&graph, &LowerOptions::default()).unwrap());
    let live = program.buffers.iter().map(|b| b.offset..b.offset + b.bytes()).collect();
    let mut executor = Executor::new(certify(program).unwrap()).with_poison(vec![live]).unwrap();
    executor.set_input(0, &[1, 1, 1, 2]).unwrap();
    executor.run();
    assert_eq!(executor.output(0), [1, 1, 1, 2]);
    assert_eq!(executor.output(1), [-3i8, -3, -3, -1].map(|v| v as u8));

    let mut poisoned = Executor::new(executor.program().clone()).with_poison(vec![Vec::new()]).unwrap();
    poisoned.set_input(0, &[1, 1, 1, 2]).unwrap();
    poisoned.run();
    assert_ne!(poisoned.output(0), [1, 1, 1, 2]);
    assert!(poisoned.with_poison(Vec::new()).is_err());
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let program = layer_wise(&lower(&doubling(), &LowerOptions::default()).unwrap());
    type Spoil = fn(&mut smidgen_program::Program);
    let spoils: [Spoil; 8] = [
        |p| p.arena_bytes -= 1,
        |p| p.buffers[0].offset = usize::MAX,
        |p| p.constants[0].bytes.clear(),
        |p| p.steps[0].constants.truncate(3),
        |p| p.steps[0].inputs.clear(),
        |p| p.buffers[1].slots = 3,
        |p| p.scratch.clear(),
        |p| {
            let smidgen_program::Run::Compute { region, .. } = &mut p.runs[0] else { unreachable!() };
            region.y1 = 3;
        },
    ];
    for (i, spoil) in spoils.iter().enumerate() {
        let mut spoilt = program.clone();
        spoil(&mut spoilt);
        assert!(certify(spoilt).is_err(), "spoil {i}");
    }
    let mut executor = Executor::new(certify(program).unwrap());
    assert_eq!(executor.set_input(1, &[]), Err(ExecError::NoInput { index: 1, count: 1 }));
    assert_eq!(executor.set_input(0, &[0]), Err(ExecError::InputSize { index: 0, expected: 4, given: 1 }));
}
