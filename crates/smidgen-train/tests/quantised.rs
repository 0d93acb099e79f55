//! Training that knows of the integers: its forward pass is the integer network's, and it takes back what rounding
//! costs.

mod reference;

use reference::{settings, stripes};
use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::{DataType, Graph, Op, ReshapeKind, Tensor, TensorId};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_quant::{Ends, Options, Rounding, WeightBits, dequantise, quantise, requantise};
use smidgen_synthetic::{RandomGraphOptions, random_graph};
use smidgen_train::{Activation, Builder, ConvLayer, Isa, Loss, Net, Optimiser, Random, Samples, Settings, Trainer};

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

/// Scale, zero point and number of elements of an input.
type Part = (f32, i32, usize);

/// One operator of a graph by itself: a row of floats is cut into its inputs and these are quantised, its output is
/// dequantised and goes through slopes of 1, which give the training network something to train.
fn alone(graph: &Graph, index: usize) -> Option<(Graph, Vec<Part>)> {
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
            let real = |&(scale, zero_point, size): &Part| {
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

/// A small inverted residual network.
fn network() -> Net {
    let mut b = Builder::new(&[12, 12, 3]);
    let stem = b.conv("stem", b.input(), 8, ConvLayer::new(3, 2, Activation::Relu6)).unwrap();
    let wide = b.conv("wide", stem, 24, ConvLayer::new(1, 1, Activation::HardSwish)).unwrap();
    let depth = b.depthwise("depth", wide, ConvLayer::new(3, 1, Activation::Relu6)).unwrap();
    let narrow = b.conv("narrow", depth, 8, ConvLayer::new(1, 1, Activation::None)).unwrap();
    let sum = b.add("sum", narrow, stem, Activation::None).unwrap();
    let last = b.conv("last", sum, 16, ConvLayer::new(1, 1, Activation::Relu)).unwrap();
    let pooled = b.global_pool("pool", last).unwrap();
    let logits = b.fully_connected("classifier", pooled, 4, Activation::None).unwrap();
    b.build(logits).unwrap()
}

/// Takes steps over samples, `epochs` times; the last loss.
fn train(trainer: &mut Trainer, inputs: &[f32], labels: &[u32], epochs: usize) {
    let (batch, len) = (trainer.settings().batch, trainer.net().input_len());
    let steps = labels.len() / batch;
    for step in 0..epochs * steps {
        let at = step % steps * batch;
        let net = trainer.net().clone();
        let batch = Samples::new(&net, &inputs[at * len..][..batch * len], &labels[at..][..batch]).unwrap();
        trainer.step(&batch, step as f64 / (epochs * steps) as f64).unwrap();
    }
}

fn right(outputs: &[f32], labels: &[u32]) -> f64 {
    let best = |y: &[f32]| (0..y.len()).fold(0, |best, i| if y[i] > y[best] { i } else { best });
    let right = outputs.chunks(outputs.len() / labels.len()).zip(labels).filter(|(y, l)| best(y) == **l as usize);
    right.count() as f64 / labels.len() as f64
}

/// The integer network of a float one, with float ends.
fn integers(float: &Graph, inputs: &[f32], weights: WeightBits) -> Graph {
    let len = float.tensor(float.inputs[0]).shape.elements();
    let samples: Vec<_> = inputs.chunks(len).map(|x| vec![bytes(x)]).collect();
    let rounding = Some(Rounding::Nearest);
    let options = Options { ends: Ends::Float32, weights, rounding, ..Options::default() };
    quantise(float, &samples, &options, &|_| {}).unwrap().graph
}

fn quick(rate: f32) -> Settings {
    let loss = Loss { smoothing: 0.0, distillation: 0.0 };
    Settings { batch: 32, rate, loss, clip: Some(5.0), ..Settings::default() }
}

/// The integer network with what training has made of its weights.
fn exported(trainer: &Trainer, integer: &Graph) -> Graph {
    let float = trainer.net().to_graph(trainer.parameters(), &[]).unwrap();
    requantise(integer, &float, &trainer.net().weight_steps(trainer.parameters())).unwrap()
}

#[test]
fn a_trained_network_is_the_integer_network() {
    let mut random = Random::new(3);
    let (inputs, labels) = stripes(512, 4.0, &mut random);
    let (unseen, answers) = stripes(1024, 4.0, &mut random);
    let net = network();
    let mut trainer = Trainer::new(net.clone(), quick(0.1), 7).unwrap();
    train(&mut trainer, &inputs, &labels, 4);
    let float = net.to_graph(trainer.parameters(), trainer.state()).unwrap();
    for weights in [WeightBits::Int8, WeightBits::Int4] {
        let integer = integers(&float, &inputs[..64 * net.input_len()], weights);
        let mut knowing = self::trainer(&integer, quick(0.01));
        train(&mut knowing, &inputs, &labels, 1);
        let written = exported(&knowing, &integer);
        assert_ne!(written, integer);
        let (given, expected) = (knowing.predict(&unseen).unwrap(), executed(&written, &unseen));
        let dequantise = written.operators.last().unwrap();
        let step = written.tensor(dequantise.inputs[0]).per_tensor().unwrap().0;
        let near = given.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() < 1.01 * step).count();
        let share = near as f64 / given.len() as f64;
        let best = |y: &[f32]| (0..y.len()).fold(0, |best, i| if y[i] > y[best] { i } else { best });
        let same = given.chunks(4).zip(expected.chunks(4)).filter(|(a, b)| best(a) == best(b)).count();
        let same = same as f64 / answers.len() as f64;
        println!("{weights:?}: {share} within a step, {same} of the best equal, {} right", right(&expected, &answers));
        assert!(share >= 0.999 && same >= 0.995, "{share} within a step, {same} of the best equal");
    }
}

/// Factors on the channels between the layers of an inverted residual that leave what it computes as it is, and its
/// weights and values as far apart as those of networks that quantisation harms.
fn spread(net: &Net, parameters: &mut [f32], random: &mut Random) {
    for (scaled, read) in [("stem", "wide"), ("depth", "narrow"), ("last", "classifier")] {
        let find = |name: String| net.parameters().iter().find(|p| p.name == name).unwrap();
        let channels = *find(format!("{scaled}.scale")).shape.last().unwrap();
        let factors: Vec<f32> = (0..channels).map(|_| random.uniform(-8.0, 0.0).exp2()).collect();
        for part in ["scale", "shift"] {
            let range = find(format!("{scaled}.{part}")).range();
            parameters[range].iter_mut().zip(&factors).for_each(|(p, f)| *p *= f);
        }
        let weight = find(format!("{read}.weight"));
        let outputs = *weight.shape.last().unwrap();
        let rows = parameters[weight.range()].chunks_exact_mut(outputs);
        rows.zip(&factors).for_each(|(row, f)| row.iter_mut().for_each(|w| *w /= f));
    }
}

#[test]
fn knowing_of_the_integers_takes_back_half_of_what_they_cost() {
    let mut random = Random::new(11);
    let (inputs, labels) = stripes(1024, 4.0, &mut random);
    let (unseen, answers) = stripes(1024, 4.0, &mut random);
    // Clamps at 0 alone, and no sum: scaled channels are scaled through them.
    let mut b = Builder::new(&[12, 12, 3]);
    let stem = b.conv("stem", b.input(), 8, ConvLayer::new(3, 2, Activation::Relu)).unwrap();
    let wide = b.conv("wide", stem, 24, ConvLayer::new(1, 1, Activation::Relu)).unwrap();
    let depth = b.depthwise("depth", wide, ConvLayer::new(3, 1, Activation::Relu)).unwrap();
    let narrow = b.conv("narrow", depth, 8, ConvLayer::new(1, 1, Activation::None)).unwrap();
    let last = b.conv("last", narrow, 16, ConvLayer::new(1, 1, Activation::Relu)).unwrap();
    let pooled = b.global_pool("pool", last).unwrap();
    let logits = b.fully_connected("classifier", pooled, 4, Activation::None).unwrap();
    let net = b.build(logits).unwrap();
    let mut trainer = Trainer::new(net.clone(), quick(0.1), 7).unwrap();
    train(&mut trainer, &inputs, &labels, 8);
    let mut parameters = trainer.parameters().to_vec();
    spread(&net, &mut parameters, &mut random);
    let float = net.to_graph(&parameters, trainer.state()).unwrap();
    let accuracy = |graph: &Graph| right(&executed(graph, &unseen), &answers);
    let integer = integers(&float, &inputs[..128 * net.input_len()], WeightBits::Int8);
    // Adam's steps do not depend on how large a channel's weights and values are.
    let settings = Settings { optimiser: Optimiser::ADAM_W, decay: 0.0, ..quick(3e-4) };
    let mut knowing = self::trainer(&integer, settings);
    train(&mut knowing, &inputs, &labels, 3);
    let [float, before, after] = [&float, &integer, &exported(&knowing, &integer)].map(accuracy);
    println!("float {float}, integers {before}, trained in the knowledge of them {after}");
    assert!(float - before > 0.01, "float {float}, integers {before}");
    assert!(after - before >= 0.5 * (float - before), "float {float}, integers {before}, then {after}");
}

#[test]
fn rounding_is_the_same_on_every_instruction_set() {
    let mut random = Random::new(9);
    let (inputs, labels) = stripes(96, 0.7, &mut random);
    let net = network();
    let float = net.to_graph(&net.initial_parameters(1), &net.initial_state()).unwrap();
    let integer = integers(&float, &inputs[..16 * net.input_len()], WeightBits::Int8);
    let all = Isa::available().into_iter().map(|isa| {
        let mut trainer = self::trainer(&integer, Settings { isa, ..quick(0.02) });
        train(&mut trainer, &inputs, &labels, 1);
        trainer.parameters().iter().map(|p| p.to_bits()).collect::<Vec<u32>>()
    });
    let all: Vec<_> = all.collect();
    assert!(all.iter().all(|parameters| *parameters == all[0]));
}
