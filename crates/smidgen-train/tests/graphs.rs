//! Networks from float graphs: outputs equal the executor's, gradients the differences of a reference in f64, and what
//! comes back is the graph with other constants.

mod reference;

use reference::graph::evaluate;
use reference::sketch::Sketch;
use reference::{chosen, close, difference, module, noise, oracle, settings, wide};
use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::{
    Activation, AxisSlice, BinaryKind, ConvParams, DataType, Function, Graph, Op, PadValue, Padding, PoolKind,
    ReduceKind, ReshapeKind, ResizeKind, Tensor, TensorId, UnaryKind,
};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_synthetic::{Precision, RandomGraphOptions, random_graph};
use smidgen_train::{Builder, ConvLayer, Import, Isa, Net, Random, Samples, Settings, TrainError, Trainer};

fn bytes(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The graph's output as the executor computes it.
fn executed(graph: &Graph, input: &[f32]) -> Vec<f32> {
    let program = layer_wise(&lower(graph, &LowerOptions::default()).unwrap());
    let mut executor = Executor::new(certify(program).unwrap());
    executor.set_input(0, &bytes(input)).unwrap();
    executor.run();
    executor.output(0).chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// What the network's outputs are in the graph: its output, or what a SOFTMAX before it reads.
fn logits(graph: &Graph) -> TensorId {
    match graph.operators.iter().find(|o| o.outputs == graph.outputs) {
        Some(o) if o.op == (Op::Softmax { beta: 1.0 }) => o.inputs[0],
        _ => graph.outputs[0],
    }
}

/// The graph that gives the logits.
fn without_softmax(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let logits = logits(&graph);
    if graph.outputs[0] != logits {
        graph.operators.retain(|o| o.outputs != graph.outputs);
        graph.outputs = vec![logits];
    }
    graph
}

/// Trained as the graph is: outputs equal before the first step, and after the weights change on both sides.
fn check_outputs(graph: &Graph, random: &mut Random) -> Result<Net, TrainError> {
    smidgen_ir::validate(graph).unwrap();
    let (net, mut parameters) = Net::from_graph(graph)?;
    let input = noise(net.input_len(), random);
    for round in 0..2 {
        let written = net.to_graph(&parameters, &[]).unwrap();
        if round == 0 {
            assert_eq!(&written, graph);
        }
        let mut trainer = Trainer::new(net.clone(), settings(2, 1), 0).unwrap();
        trainer.set_parameters(&parameters, &[]).unwrap();
        let given = trainer.predict(&input).unwrap();
        let expected = executed(&without_softmax(&written), &input);
        if let Err(reason) = close(&given, &expected) {
            panic!("{reason} in {}", smidgen_ir::text::print(graph));
        }
        parameters.iter_mut().for_each(|p| *p += random.uniform(-0.05, 0.05));
    }
    Ok(net)
}

/// The worst relative error of a parameter tensor's gradient.
fn check_gradients(graph: &Graph, random: &mut Random) -> f64 {
    let (net, parameters) = Net::from_graph(graph).unwrap();
    let n = 2;
    let inputs = noise(n * net.input_len(), random);
    let labels: Vec<u32> = (0..n).map(|_| random.below(net.output_len()) as u32).collect();
    let settings = settings(n, n);
    let mut trainer = Trainer::new(net.clone(), settings, 0).unwrap();
    trainer.set_parameters(&parameters, &[]).unwrap();
    let report = trainer.differentiate(&Samples::new(&net, &inputs, &labels).unwrap()).unwrap();
    let (x, mut p) = (wide(&inputs), wide(&parameters));
    let (wanted, smoothing) = (logits(graph), f64::from(settings.loss.smoothing));
    oracle::agrees(oracle::of_graph(graph, &net, wanted, settings.loss.smoothing), &trainer, &inputs, &labels);
    module::agrees(&mut trainer, &inputs, &labels);
    // Which constants are parameters is what `to_graph` says of them: an element is given a number of its own, and
    // found again.
    let marked: Vec<f32> = (0..parameters.len()).map(|i| i as f32).collect();
    let places = net.to_graph(&marked, &[]).unwrap();
    let other = net.to_graph(&marked.iter().map(|i| i + 0.5).collect::<Vec<_>>(), &[]).unwrap();
    let loss = |p: &[f64]| {
        let constants = |t: TensorId| {
            let (own, i, j) = (graph.tensor(t), places.tensor(t), other.tensor(t));
            let own = own.floats().unwrap_or_default();
            if i == j { wide(&own) } else { i.floats().unwrap().iter().map(|&i| p[i as usize]).collect() }
        };
        let mut total = 0.0;
        for (x, &label) in x.chunks(net.input_len()).zip(&labels) {
            let y = evaluate(graph, x, &constants, wanted).data;
            let most = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log = most + y.iter().map(|v| (v - most).exp()).sum::<f64>().ln();
            for (j, v) in y.iter().enumerate() {
                let own = if j == label as usize { 1.0 - smoothing } else { 0.0 };
                total -= (own + smoothing / y.len() as f64) * (v - log);
            }
        }
        total / n as f64
    };
    let expected = loss(&p);
    assert!((report.loss - expected).abs() < 1e-5 * expected.abs().max(1.0), "loss {} and not {expected}", report.loss);
    let whole = trainer.gradient().iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    let mut worst: f64 = 0.0;
    for q in net.parameters() {
        let (mut error, mut size) = (0.0, 0.0);
        for i in chosen(q.len(), random) {
            let exact = difference(&mut p, q.offset + i, &loss);
            error += (exact - f64::from(trainer.gradient()[q.offset + i])).powi(2);
            size += exact.powi(2);
        }
        let relative = f64::sqrt(error) / f64::sqrt(size).max(1e-3 * whole);
        assert!(relative < 1e-4, "{}: relative error {relative:e} in {}", q.name, smidgen_ir::text::print(graph));
        worst = worst.max(relative);
    }
    worst
}

/// A step gives the same bits on every instruction set.
fn check_bits(net: &Net, random: &mut Random) {
    let inputs = noise(3 * net.input_len(), random);
    let labels: Vec<u32> = (0..3).map(|_| random.below(net.output_len()) as u32).collect();
    let step = |isa: Isa| -> Vec<u32> {
        let settings = Settings { isa, decay: 0.01, ..settings(3, 2) };
        let mut trainer = Trainer::new(net.clone(), settings, 4).unwrap();
        trainer.step(&Samples::new(net, &inputs, &labels).unwrap(), 0.3).unwrap();
        trainer.gradient().iter().chain(trainer.parameters()).map(|x| x.to_bits()).collect()
    };
    let [first, others @ ..] = &Isa::available()[..] else { unreachable!("plain Rust is always there") };
    let expected = step(*first);
    for isa in others {
        assert!(step(*isa) == expected, "{} and {}", first.name(), isa.name());
    }
}

/// `make` builds something on an image `[1, 5, 6, 4]` that has a gradient.
fn with_image(seed: u64, make: impl Fn(&mut Sketch, TensorId) -> TensorId) {
    let (mut s, x) = Sketch::new(&[1, 5, 6, 2], seed);
    let x = s.conv(x, 4, 1, Activation::None);
    let y = make(&mut s, x);
    let graph = s.classify(y);
    let mut random = Random::new(seed);
    check_outputs(&graph, &mut random).unwrap();
    check_gradients(&graph, &mut random);
}

#[test]
fn functions_of_elements() {
    let kinds = [
        UnaryKind::Logistic,
        UnaryKind::Tanh,
        UnaryKind::Relu,
        UnaryKind::ReluN1To1,
        UnaryKind::Relu6,
        UnaryKind::LeakyRelu { alpha: 0.2 },
        UnaryKind::HardSwish,
        UnaryKind::Exp,
    ];
    for (i, kind) in kinds.into_iter().enumerate() {
        with_image(i as u64, |s, x| s.unary(kind, x));
        // Read by two, so that it is not part of the layer before.
        with_image(20 + i as u64, |s, x| {
            let y = s.unary(kind, x);
            s.binary(BinaryKind::Add, x, y)
        });
    }
    let functions = Function::ALL.iter().map(|&function| UnaryKind::Function(function));
    for (i, kind) in [UnaryKind::Log].into_iter().chain(functions).enumerate() {
        with_image(60 + i as u64, |s, x| {
            let x = match kind {
                // Of -1 to 1.
                UnaryKind::Function(Function::Asin | Function::Acos | Function::Atanh) => {
                    s.unary(UnaryKind::Logistic, x)
                }
                // Above 1.
                UnaryKind::Function(Function::Acosh) => {
                    let x = s.unary(UnaryKind::Exp, x);
                    let more = s.constant(&[4], 1.2, 1.5);
                    s.binary(BinaryKind::Add, x, more)
                }
                _ => s.unary(UnaryKind::Exp, x),
            };
            s.unary(kind, x)
        });
    }
    with_image(50, |s, x| s.op(Op::Softmax { beta: 0.7 }, &[x]));
    with_image(51, |s, x| {
        let slopes = s.constant(&[4], 0.1, 0.4);
        s.op(Op::Prelu, &[x, slopes])
    });
    with_image(52, |s, x| {
        let slopes = s.constant(&[5, 1, 4], 0.1, 0.4);
        s.op(Op::Prelu, &[x, slopes])
    });
}

#[test]
fn arithmetic_with_broadcasting() {
    // The square of a difference is int8 alone.
    let kinds = BinaryKind::ALL.iter().filter(|&&kind| kind != BinaryKind::SquaredDifference);
    for (i, &kind) in kinds.enumerate() {
        let seed = 100 + 10 * i as u64;
        // The divisor is kept away from 0.
        let safe = |s: &mut Sketch, x: TensorId| if kind == BinaryKind::Div { s.unary(UnaryKind::Exp, x) } else { x };
        with_image(seed, |s, x| {
            let y = s.conv(x, 4, 1, Activation::None);
            let y = safe(s, y);
            s.binary(kind, x, y)
        });
        with_image(seed + 1, |s, x| {
            let mean = s.op(Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: true }, &[x]);
            let mean = safe(s, mean);
            s.binary(kind, x, mean)
        });
        with_image(seed + 2, |s, x| {
            let constant = s.constant(&[6, 1], 0.5, 1.5);
            s.binary(kind, x, constant)
        });
        with_image(seed + 3, |s, x| {
            let (constant, x) = (s.constant(&[1], 0.5, 1.5), safe(s, x));
            let y = s.binary(kind, constant, x);
            s.op(Op::Binary { kind: BinaryKind::Mul, activation: Activation::Relu6 }, &[y, y])
        });
    }
}

#[test]
fn products_of_matrices() {
    let mut seed = 400;
    for adjoint in [[false, false], [false, true], [true, false], [true, true]] {
        seed += 1;
        // Two of what is computed, the same twice, one of them broadcast, and a constant.
        let turn = |s: &mut Sketch, y: TensorId| s.op(Op::Transpose { perm: vec![0, 1, 3, 2] }, &[y]);
        let fitting = adjoint[0] == adjoint[1];
        with_image(10 * seed, |s, x| {
            let y = s.conv(x, 4, 1, Activation::None);
            let y = if fitting { turn(s, y) } else { y };
            s.op(Op::BatchMatmul { adjoint }, &[x, y])
        });
        if !fitting {
            with_image(10 * seed + 1, |s, x| s.op(Op::BatchMatmul { adjoint }, &[x, x]));
        }
        with_image(10 * seed + 2, |s, x| {
            let mean = s.op(Op::Reduce { kind: ReduceKind::Mean, axes: vec![1], keep_dims: true }, &[x]);
            let mean = if fitting { turn(s, mean) } else { mean };
            s.op(Op::BatchMatmul { adjoint }, &[x, mean])
        });
        with_image(10 * seed + 3, |s, x| {
            let dims = s.dims(x);
            let depth = if adjoint[0] { dims[2] } else { dims[3] };
            let constant = s.constant(&if adjoint[1] { [3, depth] } else { [depth, 3] }, -0.8, 0.8);
            s.op(Op::BatchMatmul { adjoint }, &[x, constant])
        });
    }
}

#[test]
fn pools_and_reductions() {
    let mut seed = 200;
    for kind in [PoolKind::Average, PoolKind::Max] {
        for (window, stride, padding) in [
            ([2, 2], [2, 2], Padding::Valid),
            ([3, 3], [1, 2], Padding::Same),
            ([3, 2], [2, 2], Padding::Explicit { top: 1, bottom: 1, left: 0, right: 1 }),
        ] {
            seed += 1;
            let activation = if seed % 2 == 0 { Activation::Relu } else { Activation::None };
            with_image(seed, |s, x| s.op(Op::Pool2d { kind, window, stride, padding, activation }, &[x]));
        }
    }
    for &kind in ReduceKind::ALL {
        for axes in [vec![1, 2], vec![3], vec![2], vec![1, 3], vec![1, 2, 3]] {
            for keep_dims in [false, true] {
                seed += 1;
                let axes = axes.clone();
                with_image(seed, |s, x| s.op(Op::Reduce { kind, axes: axes.clone(), keep_dims }, &[x]));
            }
        }
    }
}

#[test]
fn what_moves_elements() {
    let pads = vec![[0, 0], [1, 2], [0, 3], [1, 0]];
    with_image(300, |s, x| s.op(Op::Pad { pads: pads.clone(), value: PadValue::Zero }, &[x]));
    with_image(301, |s, x| s.op(Op::Pad { pads: pads.clone(), value: PadValue::Float(0.75) }, &[x]));
    with_image(302, |s, x| s.op(Op::Transpose { perm: vec![0, 2, 3, 1] }, &[x]));
    with_image(303, |s, x| {
        let y = s.conv(x, 3, 1, Activation::Relu6);
        let constant = s.constant(&[1, 5, 6, 2], -1.0, 1.0);
        s.op(Op::Concatenation { axis: 3, activation: Activation::Relu }, &[y, constant, x, y])
    });
    with_image(304, |s, x| {
        let parts = s.many(Op::Split { axis: 2, parts: 3 }, &[x]);
        s.binary(BinaryKind::Mul, parts[0], parts[2])
    });
    with_image(305, |s, x| {
        let parts = s.many(Op::Unpack { axis: 2 }, &[x]);
        s.op(Op::Pack { axis: 1 }, &[parts[3], parts[0], parts[3]])
    });
    with_image(306, |s, x| s.op(Op::Slice { begin: vec![0, 1, 2, 0], size: vec![1, 3, 4, 2] }, &[x]));
    with_image(307, |s, x| {
        let whole = |len| AxisSlice { start: 0, stride: 1, len, shrink: false };
        let back = AxisSlice { start: 5, stride: -2, len: 3, shrink: false };
        let one = AxisSlice { start: 2, stride: 1, len: 1, shrink: true };
        s.op(Op::StridedSlice { axes: vec![whole(1), whole(5), back, one] }, &[x])
    });
    with_image(308, |s, x| {
        let y = s.op(Op::Reshape { kind: ReshapeKind::Reshape, shape: vec![1, 10, 3, 4] }, &[x]);
        let y = s.conv(y, 3, 3, Activation::Relu);
        s.op(Op::Reshape { kind: ReshapeKind::Reshape, shape: vec![30, 3] }, &[y])
    });
}

#[test]
fn resizing() {
    let mut seed = 400;
    for kind in [ResizeKind::Nearest, ResizeKind::Bilinear] {
        for (align_corners, half_pixel_centers) in [(false, false), (true, false), (false, true)] {
            for output in [[10, 12], [7, 4]] {
                seed += 1;
                let op = Op::Resize { kind, output, align_corners, half_pixel_centers };
                with_image(seed, |s, x| s.op(op.clone(), &[x]));
            }
        }
    }
}

#[test]
fn transposed_and_multiplied_convolutions() {
    let mut seed = 500;
    for (kernel, stride, padding, output) in [
        ([3, 3], [2, 2], Padding::Same, [10, 12]),
        ([3, 3], [2, 2], Padding::Same, [9, 11]),
        ([2, 4], [2, 3], Padding::Valid, [10, 19]),
        ([3, 5], [1, 1], Padding::Same, [5, 6]),
    ] {
        seed += 1;
        with_image(seed, |s, x| {
            let w = s.constant(&[3, kernel[0], kernel[1], 4], -0.5, 0.5);
            let b = s.constant(&[3], -0.3, 0.3);
            s.op(Op::TransposeConv { stride, padding, output, activation: Activation::Relu }, &[x, w, b])
        });
    }
    for multiplier in [1, 2, 3] {
        for c in [1, 4] {
            seed += 1;
            with_image(seed, |s, x| {
                let x = if c == 1 { s.conv(x, 1, 1, Activation::Relu) } else { x };
                let w = s.constant(&[1, 3, 3, c * multiplier], -0.5, 0.5);
                let activation = Activation::Relu6;
                let conv = ConvParams { stride: [2, 1], dilation: [1, 2], padding: Padding::Same, activation };
                s.op(Op::DepthwiseConv2d { conv, multiplier }, &[x, w])
            });
        }
    }
}

#[test]
fn layers_that_share_their_weights() {
    with_image(600, |s, x| {
        let (w, b) = (s.constant(&[4, 3, 3, 4], -0.3, 0.3), s.constant(&[4], -0.2, 0.2));
        let activation = Activation::Relu;
        let conv = Op::Conv2d(ConvParams { stride: [1; 2], dilation: [1; 2], padding: Padding::Same, activation });
        let y = s.op(conv.clone(), &[x, w, b]);
        s.op(conv, &[y, w, b])
    });
}

#[test]
fn random_graphs_give_the_executors_outputs_the_references_gradients_and_equal_bits() {
    let options = RandomGraphOptions {
        precision: Precision::Float32,
        blocks: 5,
        image: 9,
        channels: 5,
        macs: 6000,
        ..RandomGraphOptions::default()
    };
    let (mut taken, mut compared) = (0, 0);
    for seed in 0..120 {
        let graph = random_graph(seed, &options);
        if graph.outputs.len() != 1 {
            continue;
        }
        let mut random = Random::new(seed);
        match check_outputs(&graph, &mut random) {
            Ok(net) => {
                taken += 1;
                check_bits(&net, &mut random);
                if net.macs() < 4000 {
                    check_gradients(&graph, &mut random);
                    compared += 1;
                }
            }
            // Nothing in it has parameters.
            Err(TrainError::Layer { .. }) => assert!(!graph.operators.iter().any(|o| o.inputs.len() > 2)),
            Err(e) => panic!("{e}"),
        }
    }
    assert!(taken > 60 && compared > 20, "{taken} graphs, {compared} with gradients");
}

/// A network that was built layer by layer, as a graph: normalisations are folded.
#[test]
fn built_networks_become_graphs() {
    let mut b = Builder::new(&[9, 7, 3]);
    use smidgen_train::{Activation, Addend};
    let stem = b.conv("stem", b.input(), 6, ConvLayer::new(3, 2, Activation::HardSwish)).unwrap();
    let wide = b.conv("wide", stem, 10, ConvLayer::new(1, 1, Activation::Relu6)).unwrap();
    let depth = b.depthwise("depth", wide, ConvLayer::new(5, 1, Activation::Relu)).unwrap();
    let plain = ConvLayer { addend: Addend::None, ..ConvLayer::new(1, 1, Activation::None) };
    let narrow = b.conv("narrow", depth, 6, plain).unwrap();
    let sum = b.add("sum", narrow, stem, Activation::Relu).unwrap();
    let swish = b.activate("swish", sum, Activation::HardSwish);
    let pooled = b.global_pool("pool", swish).unwrap();
    let hidden = b.linear("hidden", pooled, 8, Addend::Norm, Activation::Relu).unwrap();
    let logits = b.fully_connected("classifier", hidden, 3, Activation::None).unwrap();
    let net = b.build(logits).unwrap();

    let mut random = Random::new(9);
    let mut trainer = Trainer::new(net.clone(), settings(8, 4), 2).unwrap();
    for _ in 0..5 {
        let inputs = noise(8 * net.input_len(), &mut random);
        trainer.step(&Samples::new(&net, &inputs, &[0, 1, 2, 0, 1, 2, 0, 1]).unwrap(), 0.5).unwrap();
    }
    let graph = net.to_graph(trainer.parameters(), trainer.state()).unwrap();
    smidgen_ir::validate(&graph).unwrap();
    let input = noise(net.input_len(), &mut random);
    close(&trainer.predict(&input).unwrap(), &executed(&graph, &input)).unwrap();
    // And back: the same outputs from a network of that graph.
    let (again, parameters) = Net::from_graph(&graph).unwrap();
    let mut other = Trainer::new(again, settings(8, 4), 0).unwrap();
    other.set_parameters(&parameters, &[]).unwrap();
    close(&other.predict(&input).unwrap(), &trainer.predict(&input).unwrap()).unwrap();
}

#[test]
fn operators_without_a_gradient_are_refused_by_name() {
    let (mut s, x) = Sketch::new(&[1, 3, 3, 2], 1);
    let x = s.conv(x, 4, 1, Activation::None);
    let shape = vec![1, 3, 3];
    let y = Tensor::activation("best", shape, DataType::Plain(smidgen_ir::ElementType::Int32));
    let y = s.graph.add_tensor(y);
    s.graph.add_operator(Op::ArgMax { axis: 3 }, vec![x], vec![y]);
    s.graph.outputs = vec![y];
    smidgen_ir::validate(&s.graph).unwrap();
    let error = Net::from_graph(&s.graph).unwrap_err();
    assert_eq!(error.to_string(), "operator 1 ARG_MAX, which writes `best`, cannot be trained: it has no gradient");
    let recurrent = "graph \"r\" inputs(%0) outputs(%4)
        %0 : f32[1x2x1]
        %1 : f32[2x1] = [1.0, 2.0]
        %2 : f32[2x2] = [0.0, 1.0, 2.0, 3.0]
        %3 : f32[2] = [0.0, 1.0]
        %4 \"s\" : f32[1x2x2] = UNIDIRECTIONAL_SEQUENCE_RNN(%0, %1, %2, %3) sequence=true";
    let recurrent = smidgen_ir::text::parse(recurrent).unwrap();
    smidgen_ir::validate(&recurrent).unwrap();
    let error = Net::from_graph(&recurrent).unwrap_err().to_string();
    assert!(
        error.contains("UNIDIRECTIONAL_SEQUENCE_RNN, which writes `s`, cannot be trained: recurrent layers"),
        "{error}"
    );
    let int8 = smidgen_synthetic::demo(1);
    assert!(matches!(Net::from_graph(&int8).unwrap_err(), TrainError::Unsupported { .. }));
    let state = "graph \"t\" inputs(%0) outputs(%2) variables(%1 = %2)
        %0 : f32[1x2]
        %1 \"sum\" : f32[1x2]
        %2 : f32[1x2] = ADD(%0, %1)";
    let state = smidgen_ir::text::parse(state).unwrap();
    smidgen_ir::validate(&state).unwrap();
    let error = Net::from_graph(&state).unwrap_err().to_string();
    assert!(error.starts_with("READ_VARIABLE, which writes `sum`, cannot be trained"), "{error}");
}

/// A network whose normalisation was folded: convolutions of every kind, some without a bias.
fn folded_network(random: &mut Random) -> Graph {
    let mut b = Builder::new(&[9, 9, 3]);
    let stem = b.conv("stem", b.input(), 8, ConvLayer::new(3, 2, smidgen_train::Activation::Relu6)).unwrap();
    let depth = b.depthwise("depth", stem, ConvLayer::new(3, 1, smidgen_train::Activation::Relu)).unwrap();
    let plain =
        ConvLayer { addend: smidgen_train::Addend::None, ..ConvLayer::new(1, 1, smidgen_train::Activation::None) };
    let point = b.conv("point", depth, 8, plain).unwrap();
    let sum = b.add("sum", point, stem, smidgen_train::Activation::None).unwrap();
    let pooled = b.global_pool("pool", sum).unwrap();
    let logits = b.fully_connected("classifier", pooled, 4, smidgen_train::Activation::None).unwrap();
    let net = b.build(logits).unwrap();
    let parameters = net.initial_parameters(random.bits());
    let state: Vec<f32> = net.initial_state().iter().map(|s| s + random.uniform(0.0, 0.5)).collect();
    net.to_graph(&parameters, &state).unwrap()
}

#[test]
fn normalisation_in_the_place_of_biases_changes_no_output() {
    let random = &mut Random::new(77);
    let graph = folded_network(random);
    let (net, parameters) = Net::normalised_from_graph(&graph).unwrap();
    assert_eq!(net.state_count(), 2 * (8 + 8 + 8));
    let settings = settings(12, 5);
    let mut trainer = Trainer::new(net.clone(), settings, 0).unwrap();
    trainer.set_parameters(&parameters, &net.initial_state()).unwrap();
    let inputs = noise(29 * net.input_len(), random);
    let labels = vec![0; 29];
    let expected: Vec<f32> = inputs.chunks(net.input_len()).flat_map(|x| executed(&graph, x)).collect();
    close(&trainer.predict(&inputs).unwrap(), &expected).unwrap();
    trainer.settle(&Samples::new(&net, &inputs, &labels).unwrap()).unwrap();
    assert_ne!(trainer.state(), net.initial_state());
    close(&trainer.predict(&inputs).unwrap(), &expected).unwrap();
    // Written, the normalisation is folded in again.
    let written = net.to_graph(trainer.parameters(), trainer.state()).unwrap();
    let again: Vec<f32> = inputs.chunks(net.input_len()).flat_map(|x| executed(&written, x)).collect();
    close(&again, &expected).unwrap();
    // Means and variances are those of all samples: with them for a batch of their own, outputs are the same.
    let whole =
        Settings { batch: 29, shard: 29, loss: smidgen_train::Loss { smoothing: 0.0, distillation: 0.0 }, ..settings };
    let mut one = Trainer::new(net.clone(), whole, 0).unwrap();
    one.set_parameters(trainer.parameters(), trainer.state()).unwrap();
    let batch = Samples::new(&net, &inputs, &labels).unwrap();
    let (trained, evaluated) = (one.differentiate(&batch).unwrap().loss, one.evaluate(&batch).unwrap().loss);
    assert!((trained - evaluated).abs() < 1e-5, "{trained} and {evaluated}");
    // And the network can be trained.
    let mut last = f64::INFINITY;
    for step in 0..30 {
        last = one.step(&batch, f64::from(step) / 30.0).unwrap().loss;
    }
    assert!(last < 0.3 * trained, "{last} of {trained}");
}

#[test]
fn frozen_layers_keep_their_weights_and_the_others_learn_as_before() {
    let random = &mut Random::new(78);
    let graph = folded_network(random);
    let frozen = |name: &str| name == "stem" || name == "depth";
    let import = Import { normalise: true, frozen: &frozen, ..Import::default() };
    let (net, parameters) = Net::import(&graph, import).unwrap();
    // Frozen layers are not normalised.
    assert_eq!(net.state_count(), 2 * 8);
    let mut trainer = Trainer::new(net.clone(), Settings { decay: 0.1, ..settings(8, 4) }, 0).unwrap();
    trainer.set_parameters(&parameters, &net.initial_state()).unwrap();
    let inputs = noise(8 * net.input_len(), random);
    let labels: Vec<u32> = (0..8).map(|i| i % 4).collect();
    let batch = Samples::new(&net, &inputs, &labels).unwrap();
    trainer.step(&batch, 0.5).unwrap();
    for p in net.parameters() {
        let kept = trainer.parameters()[p.range()] == parameters[p.range()];
        assert_eq!(kept, p.name.starts_with("stem.") || p.name.starts_with("depth."), "{}", p.name);
    }
    // The gradients of the others are those of a network in which all is trained.
    let (free, own) = Net::from_graph(&graph).unwrap();
    let mut other = Trainer::new(free.clone(), settings(8, 4), 0).unwrap();
    other.set_parameters(&own, &[]).unwrap();
    let everything = |_: &str| true;
    assert!(Net::import(&graph, Import { frozen: &everything, ..Import::default() }).is_err());
    let import = Import { frozen: &frozen, ..Import::default() };
    let (part, own) = Net::import(&graph, import).unwrap();
    let mut some = Trainer::new(part.clone(), settings(8, 4), 0).unwrap();
    some.set_parameters(&own, &[]).unwrap();
    for trainer in [&mut other, &mut some] {
        trainer.differentiate(&batch).unwrap();
    }
    for p in part.parameters().iter().filter(|p| !frozen(p.name.split('.').next().unwrap())) {
        assert_eq!(other.gradient()[p.range()], some.gradient()[p.range()], "{}", p.name);
    }
    // A share of 0 of the learning rate keeps a layer as well.
    let shares: Vec<f32> = free.parameters().iter().map(|p| if p.name == "stem.weight" { 0.0 } else { 1.0 }).collect();
    let mut shared = Trainer::new(free.clone(), settings(8, 4), 0).unwrap();
    shared.set_parameters(&own, &[]).unwrap();
    shared.set_shares(&shares).unwrap();
    shared.step(&batch, 0.5).unwrap();
    let stem = free.parameters().iter().find(|p| p.name == "stem.weight").unwrap().range();
    assert_eq!(shared.parameters()[stem.clone()], own[stem]);
    assert!(shared.set_shares(&shares[1..]).is_err() && shared.set_shares(&vec![-1.0; shares.len()]).is_err());
}
