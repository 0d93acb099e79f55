//! Networks that keep state between inferences, quantised: recurrent layers, and variables of all other kinds.

use super::check;
use super::every::{constant, push};
use smidgen::quant::{ActivationBits, Ends, Inputs, Options, quantise};
use smidgen_ir::{
    Activation, BinaryKind, Cell, DataType, Graph, Op, RecurrentParams, ReshapeKind, Tensor, TensorId, Variable,
    validate,
};
use smidgen_reference::Reference;
use smidgen_synthetic::Random;

fn weights(graph: &mut Graph, random: &mut Random, shape: &[usize], most: f64) -> TensorId {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| (most * (2.0 * random.unit() - 1.0)) as f32).collect();
    graph.add_tensor(constant(shape.to_vec(), |i| values[i]))
}

/// The value of a state of this shape.
fn state(graph: &mut Graph, shape: &[usize]) -> TensorId {
    let name = format!("state {}", graph.tensors.len());
    graph.add_tensor(Tensor::activation(name, shape.to_vec(), DataType::FLOAT32))
}

fn keep(graph: &mut Graph, value: TensorId, next: TensorId) {
    graph.variables.push(Variable { value, next, initial: None });
}

fn dense(graph: &mut Graph, random: &mut Random, x: TensorId, outputs: usize) -> TensorId {
    let inputs = *graph.tensor(x).shape.dims().last().unwrap();
    let operands = vec![x, weights(graph, random, &[outputs, inputs], 1.0), weights(graph, random, &[outputs], 0.5)];
    let activation = random.choose(&[Activation::None, Activation::Relu, Activation::Relu6]);
    push(graph, Op::FullyConnected { keep_num_dims: true, asymmetric_quantize_inputs: false, activation }, operands)[0]
}

/// An LSTM or RNN as TensorFlow Lite has it, whose outputs it goes on from.
fn recurrent(graph: &mut Graph, random: &mut Random, x: TensorId, cell: Cell) -> TensorId {
    let shape = graph.tensor(x).shape.dims().to_vec();
    let (time_major, units) = (random.chance(1, 2), 1 + random.below(8));
    let batch = if time_major { shape[1] } else { shape[0] };
    let rows = cell.gates() * units;
    let scale = random.choose(&[0.3, 1.0, 3.0]);
    let mut operands = vec![
        x,
        weights(graph, random, &[rows, shape[2]], scale),
        weights(graph, random, &[rows, units], 0.8),
        weights(graph, random, &[rows], 0.5),
    ];
    let values: Vec<TensorId> = (0..cell.states()).map(|_| state(graph, &[batch, units])).collect();
    operands.extend(&values);
    let lstm = cell == Cell::Lstm;
    let clip = (lstm && random.chance(1, 4)).then_some(0.75);
    let layer = RecurrentParams {
        cell,
        time_major,
        reverse: false,
        clip,
        sequence: true,
        last: true,
        memory: lstm,
        asymmetric_quantize_inputs: false,
    };
    let outputs = push(graph, Op::Recurrent(layer), operands);
    values.iter().zip(&outputs[1..]).for_each(|(&value, &next)| keep(graph, value, next));
    outputs[0]
}

fn svdf(graph: &mut Graph, random: &mut Random, x: TensorId) -> TensorId {
    let shape = graph.tensor(x).shape.dims().to_vec();
    let (rank, units, memory) = (1 + random.below(2), 1 + random.below(6), 1 + random.below(8));
    let filters = rank * units;
    let value = state(graph, &[shape[0], filters * memory]);
    let mut operands = vec![
        x,
        weights(graph, random, &[filters, shape[1]], 1.0),
        weights(graph, random, &[filters, memory], 0.7),
        value,
    ];
    if random.chance(1, 2) {
        operands.push(weights(graph, random, &[units], 0.5));
    }
    let activation = random.choose(&[Activation::None, Activation::Relu, Activation::Relu6]);
    let outputs = push(graph, Op::Svdf { rank, activation }, operands);
    keep(graph, value, outputs[1]);
    outputs[0]
}

/// The last rows of what came: `[1, T, C]` behind as many as are kept.
fn delay(graph: &mut Graph, random: &mut Random, x: TensorId) -> TensorId {
    let [one, steps, channels] = graph.tensor(x).shape.dims() else { panic!("three dimensions") };
    let (one, steps, channels) = (*one, *steps, *channels);
    let kept = 1 + random.below(3);
    let value = state(graph, &[one, kept, channels]);
    let joined = push(graph, Op::Concatenation { axis: 1, activation: Activation::None }, vec![value, x])[0];
    let next = Op::Slice { begin: vec![0, steps, 0], size: vec![one, kept, channels] };
    let next = push(graph, next, vec![joined])[0];
    keep(graph, value, next);
    joined
}

/// `s = s / 2 + x`.
fn average(graph: &mut Graph, x: TensorId) -> TensorId {
    let shape = graph.tensor(x).shape.clone();
    let value = state(graph, shape.dims());
    let half = graph.add_tensor(constant([1], |_| 0.5));
    let binary = |kind| Op::Binary { kind, activation: Activation::None };
    let less = push(graph, binary(BinaryKind::Mul), vec![value, half])[0];
    let next = push(graph, binary(BinaryKind::Add), vec![less, x])[0];
    keep(graph, value, next);
    next
}

fn network(seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut graph = Graph::new(format!("stateful-{seed}"));
    let (steps, size) = (1 + random.below(5), 1 + random.below(7));
    let mut x = graph.add_input(Tensor::activation("x", vec![1, steps, size], DataType::FLOAT32));
    for _ in 0..1 + random.below(3) {
        x = match random.below(6) {
            0 => {
                let outputs = 1 + random.below(7);
                dense(&mut graph, &mut random, x, outputs)
            }
            1 => recurrent(&mut graph, &mut random, x, Cell::Tanh),
            2 => delay(&mut graph, &mut random, x),
            3 => average(&mut graph, x),
            _ => recurrent(&mut graph, &mut random, x, Cell::Lstm),
        };
    }
    let mut outputs = vec![x];
    if random.chance(1, 2) {
        let elements = graph.tensor(x).shape.elements();
        let flat = Op::Reshape { kind: ReshapeKind::Reshape, shape: vec![1, elements] };
        let flat = push(&mut graph, flat, vec![x])[0];
        let y = svdf(&mut graph, &mut random, flat);
        outputs = vec![dense(&mut graph, &mut random, y, 3)];
        if random.chance(1, 2) {
            outputs.push(y);
        }
    }
    graph.outputs = outputs;
    graph
}

#[test]
fn networks_with_state_agree_from_call_to_call() {
    let mut reference = Reference::start_or_skip("quantised networks with state");
    let (mut layers, mut poor) = (0, Vec::<f64>::new());
    for seed in 0..300 {
        let graph = network(seed);
        validate(&graph).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let mut random = Random::new(seed + 1000);
        let elements = graph.tensor(graph.inputs[0]).shape.elements();
        let mut sample = || (0..elements).flat_map(|_| ((4.0 * random.unit() - 2.0) as f32).to_le_bytes()).collect();
        let samples: Vec<Inputs> = (0..24).map(|_| vec![sample()]).collect();
        let options = Options {
            ends: if seed % 3 == 0 { Ends::Float32 } else { Ends::Int8 },
            activations: if seed % 5 == 4 { ActivationBits::Int16 } else { ActivationBits::Int8 },
            ..Options::default()
        };
        let name = format!("seed {seed}, {options:?}");
        let quantised = quantise(&graph, &samples, &options, &|_| {}).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(quantised.graph.variables.len(), graph.variables.len(), "{name}");
        layers += quantised
            .graph
            .operators
            .iter()
            .filter(|o| matches!(o.op, Op::Recurrent(_) | Op::Svdf { .. }))
            .filter(|o| quantised.graph.tensor(o.inputs[0]).dtype != DataType::FLOAT32)
            .count();
        poor.extend(quantised.outputs.iter().flatten().filter(|&&ratio| ratio < 20.0).copied());
        check(reference.as_mut(), &name, &graph, &samples, &options);
    }
    assert!(layers > 200 && poor.len() < 30, "{layers} on integers, below 20 dB: {poor:?}");
}
