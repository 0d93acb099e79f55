//! Training that knows of the integers: its forward pass is the integer network's, and it takes back what rounding
//! costs.

mod reference;

use reference::{noise, settings};
use smidgen_exec::Executor;
use smidgen_ir::{DataType, Graph, Op, ReshapeKind, Tensor, TensorId};
use smidgen_plan::simple::layer_wise;
use smidgen_plan::{LowerOptions, certify, lower};
use smidgen_quant::{Ends, Options, dequantise, quantise, requantise};
use smidgen_train::{Activation, Builder, ConvLayer, Isa, Loss, Net, Random, Samples, Settings, Trainer};
use smidgen_zoo::{RandomGraphOptions, random_graph};

fn bytes(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn executor(graph: &Graph) -> Executor {
    let program = layer_wise(&lower(graph, &LowerOptions::default()).unwrap());
    Executor::new(certify(program).unwrap())
}

/// Outputs of a network with float ends, sample by sample.
fn executed(graph: &Graph, inputs: &[f32]) -> Vec<f32> {
    let mut executor = executor(graph);
    let len = graph.tensor(graph.inputs[0]).shape.elements();
    let run = |x: &[f32]| {
        executor.set_input(0, &bytes(x)).unwrap();
        executor.run();
        floats(executor.output(0))
    };
    inputs.chunks(len).flat_map(run).collect()
}

/// The training network of an integer graph, with its weights.
fn trainer(integer: &Graph, settings: Settings) -> Trainer {
    let (net, parameters) = Net::from_integers(integer, &dequantise(integer).unwrap()).unwrap();
    let mut trainer = Trainer::new(net, settings, 0).unwrap();
    trainer.set_parameters(&parameters, &[]).unwrap();
    trainer
}

/// One operator of a graph by itself: a row of floats is cut into its inputs and these are quantised, its output is
/// dequantised and goes through slopes of 1, which give the training network something to train.
fn alone(graph: &Graph, index: usize) -> Option<(Graph, Vec<(f32, i32, usize)>)> {
    let operator = &graph.operators[index];
    let output = graph.tensor(operator.outputs[0]).clone();
    let read: Vec<TensorId> = operator.inputs.iter().copied().filter(|&id| !graph.tensor(id).is_constant()).collect();
    if matches!(operator.op, Op::Quantize | Op::Dequantize) || operator.outputs.len() > 1 {
        return None;
    }
    let elements = |id: &TensorId| graph.tensor(*id).shape.elements();
    let total = read.iter().map(elements).sum();
    let mut one = Graph::new("one");
    let row = one.add_input(Tensor::activation("row", vec![total], DataType::FLOAT32));
    let (mut begin, mut grids, mut inputs) = (0, Vec::new(), Vec::new());
    for id in &operator.inputs {
        let tensor = graph.tensor(*id);
        if tensor.is_constant() {
            inputs.push(one.add_tensor(tensor.clone()));
            continue;
        }
        let (size, shape) = (elements(id), tensor.shape.dims().to_vec());
        let (scale, zero_point) = tensor.per_tensor()?;
        let part = one.add_tensor(Tensor::activation("part", vec![size], DataType::FLOAT32));
        one.add_operator(Op::Slice { begin: vec![begin], size: vec![size] }, vec![row], vec![part]);
        let shaped = one.add_tensor(Tensor::activation("shaped", shape.clone(), DataType::FLOAT32));
        one.add_operator(Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.clone() }, vec![part], vec![shaped]);
        let stored = one.add_tensor(Tensor { name: "stored".into(), ..tensor.clone() });
        one.add_operator(Op::Quantize, vec![shaped], vec![stored]);
        inputs.push(stored);
        grids.push((scale, zero_point, size));
        begin += size;
    }
    let shape = output.shape.clone();
    let y = one.add_tensor(output.clone());
    one.add_operator(operator.op.clone(), inputs, vec![y]);
    let real = one.add_tensor(Tensor::activation("real", shape.clone(), DataType::FLOAT32));
    one.add_operator(Op::Dequantize, vec![y], vec![real]);
    let slopes = one.add_tensor(Tensor::constant("slopes", vec![1], DataType::FLOAT32, bytes(&[1.0])));
    let end = one.add_tensor(Tensor::activation("end", shape, DataType::FLOAT32));
    one.add_operator(Op::Prelu, vec![real, slopes], vec![end]);
    one.outputs.push(end);
    smidgen_ir::validate(&one).ok()?;
    Some((one, grids))
}

#[test]
fn every_operator_is_at_most_a_step_from_the_integers() {
    let mut random = Random::new(5);
    let (mut seen, mut values, mut apart) = (std::collections::BTreeMap::new(), 0usize, 0usize);
    for seed in 0..150 {
        let graph = random_graph(seed, &RandomGraphOptions { image: 10, macs: 20_000, ..Default::default() });
        for index in 0..graph.operators.len() {
            let Some((one, grids)) = alone(&graph, index) else { continue };
            let float = dequantise(&one).unwrap();
            let (net, parameters) = Net::from_integers(&one, &float).unwrap();
            // The steps of weights are those of training.
            let one = requantise(&one, &float, &net.weight_steps(&parameters)).unwrap();
            let mut trainer = Trainer::new(net, settings(1, 1), 0).unwrap();
            trainer.set_parameters(&parameters, &[]).unwrap();
            let real = |&(scale, zero_point, size): &(f32, i32, usize)| {
                let of = |random: &mut Random| scale * (random.below(256) as i32 - 128 - zero_point) as f32;
                (0..size).map(|_| of(&mut random)).collect::<Vec<f32>>()
            };
            let inputs: Vec<f32> = grids.iter().flat_map(real).collect();
            let (given, expected) = (trainer.predict(&inputs).unwrap(), executed(&one, &inputs));
            let output = graph.tensor(graph.operators[index].outputs[0]);
            let step = output.per_tensor().unwrap().0;
            let far = given.iter().zip(&expected).map(|(a, b)| (a - b).abs() / step).fold(0f32, f32::max);
            assert!(far < 1.01, "{far} steps apart: {}", smidgen_ir::text::print(&one));
            *seen.entry(graph.operators[index].op.name()).or_insert(0) += 1;
            values += given.len();
            apart += given.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 0.5 * step).count();
        }
    }
    println!("{seen:?}: {apart} of {values} values are a step apart");
    let layers = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "AVERAGE_POOL_2D", "MEAN", "SOFTMAX"];
    assert!(layers.iter().all(|name| seen.get(name).is_some_and(|&n| n > 5)), "{seen:?}");
    assert!(apart * 50 < values, "{apart} of {values}");
}
