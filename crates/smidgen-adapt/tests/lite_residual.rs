//! Lite residual modules: networks with fresh ones give the same bytes, what lies beside blocks is what the method
//! says, and it learns.

use smidgen_adapt::learner::fixed_rate;
use smidgen_adapt::lite_residual::{Module, blocks, insert};
use smidgen_adapt::memory::{Layer, LayerKind, tinytl};
use smidgen_adapt::surrogate::backward;
use smidgen_adapt::{
    Features, Learner, Learns, LiteResidual, Role, Rounding, Scheme, TrainingStep, activations, compile, drawn,
};
use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::passes::canonicalise;
use smidgen_ir::validate::validate;
use smidgen_ir::{Activation, DataType, ElementType, Graph, Op, PoolKind, Quantisation, ResizeKind, Tensor};
use smidgen_kernels::training::LOGIT_BITS;
use smidgen_plan::planner::{Objective, PlanOptions, plan};
use smidgen_program::Kernel;
use smidgen_reference::shared;
use smidgen_synthetic::{Random, mobilenet_v2, random_classifier};
use std::collections::HashMap;

fn network(seed: u64) -> Graph {
    let mut graph = random_classifier(seed);
    canonicalise(&mut graph);
    graph
}

/// Random networks that have blocks.
fn with_blocks(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Graph, Features)> {
    seeds.filter_map(|seed| {
        let graph = network(seed);
        let features = Features::of(&graph).expect("a classifier");
        (!blocks(&features.graph).is_empty()).then_some((seed, graph, features))
    })
}

fn model(name: &str) -> Option<Graph> {
    let path = shared("lite residual modules of real networks")?.join("models").join(name);
    let bytes = std::fs::read(path).expect("a model");
    let mut graph = smidgen_tflite::read(&bytes).expect("a network");
    smidgen_ir::passes::strip_io(&mut graph);
    canonicalise(&mut graph);
    Some(graph)
}

fn features_of(features: &Features, samples: &[Vec<i8>]) -> Vec<Vec<i8>> {
    let found = activations(features, &Default::default(), samples).expect("it runs");
    found.into_iter().map(|mut found| found.remove(&features.tensor()).expect("features")).collect()
}

#[test]
fn e_t2_networks_with_fresh_modules_give_the_same_bytes() {
    let mut modules = 0;
    let mut check = |name: String, features: &Features, options: &LiteResidual| {
        let samples = drawn(features, 6);
        let (grown, found) = insert(features, options, &Default::default(), &samples[..3]).expect("blocks");
        validate(&grown.graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(features_of(features, &samples), features_of(&grown, &samples), "{name}");
        assert!(grown.graph.operators.len() > features.graph.operators.len(), "{name}");
        modules += found.len();
    };
    for (seed, _, features) in with_blocks(0..150) {
        let mut random = Random::new(seed);
        let options = LiteResidual {
            groups: random.choose(&[1, 2, 4]),
            kernel: random.choose(&[1, 3, 5]),
            expansion: random.choose(&[0.5, 1.0, 2.0]),
            ..LiteResidual::default()
        };
        check(format!("network {seed} with {options:?}"), &features, &options);
    }
    check("mobilenet".into(), &Features::of(&mobilenet_v2(0.35, 48, 10, 4)).unwrap(), &LiteResidual::default());
    for name in ["mcunet-5fps-imagenet", "mcunet-vww", "mlperf-resnet8", "person-detect", "mlperf-kws"] {
        let Some(graph) = model(&format!("{name}.tflite")) else { break };
        check(name.into(), &Features::of(&graph).unwrap(), &LiteResidual::default());
    }
    assert!(modules > 100, "{modules} modules");
}

#[test]
fn blocks_of_real_networks_are_found() {
    for (name, count, strided, sums) in [
        ("mcunet-5fps-imagenet", 14, 4, 7),
        ("mlperf-resnet8", 3, 2, 3),
        ("person-detect", 13, 4, 0),
        ("mlperf-kws", 4, 0, 0),
    ] {
        let Some(graph) = model(&format!("{name}.tflite")) else { return };
        let features = Features::of(&graph).unwrap();
        let found = blocks(&features.graph);
        assert_eq!(found.len(), count, "{name}: {found:?}");
        assert_eq!(found.iter().filter(|block| block.stride != [1, 1]).count(), strided, "{name}: {found:?}");
        let is_sum = |id: &smidgen_ir::OpId| matches!(features.graph.operators[id.index()].op, Op::Binary { .. });
        let residual = found.iter().filter(|block| block.operators.last().is_some_and(is_sum));
        assert_eq!(residual.count(), sums, "{name}: {found:?}");
        // They follow one another: what a block gives, the next one reads.
        for pair in found.windows(2) {
            assert_eq!(pair[0].output, pair[1].input, "{name}");
        }
    }
}

#[test]
fn a_module_is_what_the_method_says() {
    let features = Features::of(&mobilenet_v2(0.35, 64, 10, 4)).unwrap();
    let (grown, modules) = insert(&features, &LiteResidual::default(), &Default::default(), &[]).unwrap();
    let graph = &grown.graph;
    assert_eq!(modules.len(), 17);
    for Module { block, convolutions } in &modules {
        let shape = |id| features.graph.tensor(id).shape.nhwc().unwrap();
        let ([_, h, _, c], [_, oh, _, o]) = (shape(block.input), shape(block.output));
        let at: Vec<_> =
            convolutions.iter().map(|&number| &graph.operators[grown.convolutions[number].index()]).collect();
        let left = if h >= 4 { h / 2 } else { 1 };
        let kernel = [5, 3, 1].into_iter().find(|&k| k <= left).unwrap();
        let middle = ((c as f64 / 8.0).round() as usize * 8).max(8);
        assert_eq!(at.len(), 3);
        for group in &at[..2] {
            let weights = graph.tensor(group.inputs[1]);
            assert_eq!(weights.shape.dims(), [middle / 2, kernel, kernel, c / 2]);
            let Op::Conv2d(conv) = group.op else { panic!("{}", group.op.name()) };
            assert_eq!((conv.stride, conv.activation), (block.stride, Activation::Relu));
            assert_eq!(graph.tensor(group.inputs[0]).shape.dims(), [1, left, left, c / 2]);
            // Drawn, no two channels alike, and within int8 by far.
            let drawn = weights.integers().unwrap();
            let deviation = (drawn.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / drawn.len() as f64).sqrt();
            assert!(drawn.len() < 64 || (20.0..45.0).contains(&deviation), "{deviation}");
        }
        let pointwise = graph.tensor(at[2].inputs[1]);
        assert_eq!(pointwise.shape.dims(), [o, 1, 1, middle]);
        assert!(pointwise.integers().unwrap().iter().all(|&w| w == 0));
        // The way back from the sum: enlarged, if it is smaller.
        let small = at[2].outputs[0];
        let reader = graph.operators.iter().find(|operator| operator.inputs.contains(&small)).unwrap();
        let inner = left.div_ceil(block.stride[0]);
        match &reader.op {
            Op::Resize { kind: ResizeKind::Bilinear, output, align_corners: false, half_pixel_centers: true } => {
                assert!(*output == [oh, oh] && inner != oh);
            }
            op => assert!(matches!(op, Op::Binary { .. }) && inner == oh, "{}", op.name()),
        }
    }
    let count = |wanted: fn(&Op) -> bool| graph.operators.iter().filter(|operator| wanted(&operator.op)).count();
    assert_eq!(count(|op| matches!(op, Op::Pool2d { kind: PoolKind::Average, .. })), 17);
    assert_eq!(count(|op| matches!(op, Op::Split { parts: 2, .. })), 17);
    // Numbers of the network's own convolutions stay.
    for (old, new) in features.convolutions.iter().zip(&grown.convolutions) {
        let weights = |graph: &Graph, id: &smidgen_ir::OpId| graph.operators[id.index()].inputs[1];
        assert_eq!(weights(&features.graph, old), weights(graph, new));
    }
}

/// What a normalisation would give: a mean of 0 and a deviation of 1 in front of the RELU, and rows of a quarter of the
/// range as strong as the block.
#[test]
fn scales_are_those_of_what_was_seen() {
    let features = Features::of(&mobilenet_v2(0.35, 48, 10, 4)).unwrap();
    let samples = drawn(&features, 4);
    let (grown, modules) = insert(&features, &LiteResidual::default(), &Default::default(), &samples).unwrap();
    let found = activations(&grown, &Default::default(), &samples).unwrap();
    for Module { block, convolutions } in &modules {
        let operator = |i: usize| &grown.graph.operators[grown.convolutions[convolutions[i]].index()];
        let hidden = operator(0).outputs[0];
        let (scale, zero) = grown.graph.tensor(hidden).per_tensor().unwrap();
        assert_eq!(zero, -128);
        let real: Vec<f64> = found
            .iter()
            .flat_map(|found| found[&hidden].iter().map(|&x| f64::from(scale) * f64::from(i32::from(x) - zero)))
            .collect();
        // The positive half of a normal distribution has a mean square of one half.
        let square = real.iter().map(|x| x * x).sum::<f64>() / real.len() as f64;
        let [_, h, w, _] = grown.graph.tensor(hidden).shape.nhwc().unwrap();
        assert!(h * w < 4 || (0.2..0.9).contains(&square), "{square} of {h}x{w}");
        let (least, most) = real.iter().fold((9f64, 0f64), |(least, most), &x| (least.min(x), most.max(x)));
        assert!(least >= 0.0 && most <= 0.6 * 255.0 * f64::from(scale), "room for twice as much: {most} of {scale}");
        let outputs = grown.graph.tensor(block.output);
        assert_eq!(grown.graph.tensor(operator(2).outputs[0]).per_tensor(), outputs.per_tensor().map(|(s, _)| (s, 0)));
    }
}

fn give(executor: &mut Executor, sample: &[i8], label: i32, rate: f64) {
    let bytes: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
    executor.set_input(0, &bytes).unwrap();
    executor.set_input(1, &label.to_le_bytes()).unwrap();
    executor.set_input(2, &fixed_rate(rate).to_le_bytes()).unwrap();
}

fn layer_wise(step: &TrainingStep) -> Executor {
    Executor::new(certify(smidgen_plan::layer_wise(&step.lowered)).unwrap())
}

/// Modules learn and all else of the network stays; planned schedules give the same bytes, the learner with its prepared
/// samples the same losses.
#[test]
fn e_t4_modules_learn_alike_under_every_schedule_and_nothing_else_does() {
    let mut tested = 0;
    for (seed, graph, features) in with_blocks(0..60) {
        let (count, samples) = (features.convolutions.len(), drawn(&features, 3));
        let found = blocks(&features.graph).len();
        let half = LiteResidual { blocks: Some(found.div_ceil(2)), ..LiteResidual::default() };
        for scheme in [
            Scheme { rounding: Rounding::Kept16, ..Scheme::tinytl(count) },
            Scheme::lite_residual(),
            Scheme { lite_residual: Some(half), ..Scheme::default() },
        ] {
            let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
            let mut plain = layer_wise(&step);
            let objective = if seed % 2 == 0 { Objective::Sram } else { Objective::Balanced };
            let planned = plan(&step.lowered, &PlanOptions { objective, ..PlanOptions::default() }).unwrap().program;
            let mut tight = Executor::new(planned);
            let mut learner = Learner::new(&step).unwrap();
            let before = plain.state().to_vec();
            for i in 0..5 {
                let (sample, label) = (&samples[i % 3], i % 4);
                for executor in [&mut plain, &mut tight] {
                    give(executor, sample, label as i32, 0.05);
                    executor.run();
                }
                let bytes: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
                let prepared = learner.prepare(&bytes).unwrap();
                let loss = learner.train(&prepared, label, 0.05).unwrap();
                let fixed = i32::from_le_bytes(plain.output(1).try_into().unwrap());
                assert_eq!(loss, f64::from(fixed) / f64::from(1u32 << LOGIT_BITS), "network {seed}, step {i}");
                assert_eq!(plain.state(), tight.state(), "network {seed}, step {i} of {scheme:?}");
            }
            for parameter in &step.parameters {
                let bytes = plain.variable(parameter.variable);
                match parameter.role {
                    Role::Weights(number) => {
                        assert!(number >= count, "network {seed}: weights of {number} are trained");
                    }
                    Role::Bias(number) => {
                        assert!(number >= count || scheme.n_bias_update > 0, "network {seed}: {number}")
                    }
                    _ => {}
                }
                assert_eq!(bytes.len(), parameter.bytes);
            }
            let pointwise = step.parameters.iter().filter(|parameter| matches!(parameter.role, Role::Weights(_)));
            assert!(pointwise.clone().any(|p| plain.variable(p.variable).iter().any(|&w| w != 0)), "network {seed}");
            assert_ne!(plain.state(), before, "network {seed}");
            tested += 1;
        }
    }
    assert!(tested > 30, "{tested}");
}

/// A network with modules whose last convolutions are no longer 0, as a graph like any other.
fn learnt(features: &Features, modules: &[Module], grown: &Features, random: &mut Random) -> Graph {
    let mut graph = grown.graph.clone();
    for module in modules {
        let last = *module.convolutions.last().unwrap();
        let weights = graph.operators[grown.convolutions[last].index()].inputs[1];
        let tensor = &mut graph.tensors[weights.index()];
        let drawn: Vec<u8> = (0..tensor.shape.elements()).map(|_| random.between(-60, 60) as i8 as u8).collect();
        tensor.data = Some(drawn.into());
    }
    let (from, classes) = (grown.tensor(), 4);
    let quantisation = Quantisation::PerTensor { scale: 0.01, zero_point: 0 };
    let weights = Tensor::constant(
        "classifier",
        [classes, features.count],
        DataType::Quantised(ElementType::Int8, quantisation),
        vec![1u8; classes * features.count],
    );
    let images = graph.tensor(from).shape.elements() / features.count;
    assert_eq!(images, 1);
    let weights = graph.add_tensor(weights);
    let logits = graph.add_tensor(Tensor::activation("logits", vec![1, classes], DataType::int8(0.5, 0)));
    let op =
        Op::FullyConnected { keep_num_dims: false, asymmetric_quantize_inputs: false, activation: Activation::None };
    graph.add_operator(op, vec![from, weights], vec![logits]);
    graph.outputs = vec![logits];
    graph
}

#[test]
fn gradients_of_modules_point_where_the_definition_says() {
    let mut tensors = 0;
    for (seed, _, features) in with_blocks(300..380) {
        let samples = drawn(&features, 4);
        let (grown, modules) = insert(&features, &LiteResidual::default(), &Default::default(), &samples).unwrap();
        let graph = learnt(&features, &modules, &grown, &mut Random::new(seed));
        let features = Features::of(&graph).unwrap();
        let scheme = Scheme { rounding: Rounding::Nearest, ..Scheme::full(features.convolutions.len()) };
        let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
        let mut executor = layer_wise(&step);
        // While the classifier is 0, no gradient passes it: this changes nothing else.
        give(&mut executor, &samples[0], 1, 0.05);
        executor.run();
        give(&mut executor, &samples[1], 2, 0.0);
        let mut computed = HashMap::new();
        executor.run_with(&mut |finished| {
            let Some(gradient) = step.gradients.iter().find(|gradient| gradient.step == finished.step) else { return };
            let numbers = finished.output(0).unwrap().as_chunks::<2>().0;
            let [pixels, channels] = gradient.sizes;
            let at = |i: usize| ((i % channels) / 4 * pixels + i / channels) * 4 + i % channels % 4;
            let elements =
                (0..pixels * channels).map(|i| f64::from(i16::from_le_bytes(numbers[at(i)])) * gradient.unit);
            computed.insert(gradient.tensor, elements.collect::<Vec<f64>>());
        });
        let found = activations(&features, &Default::default(), &samples[1..2]).unwrap().remove(0);
        let trained = vec![true; features.graph.operators.len()];
        let exact = backward(&features, &trained, &found, &computed[&features.tensor()]).unwrap();
        for (id, gradient) in &computed {
            let expected = &exact.tensors[id];
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let norms = (dot(gradient, gradient) * dot(expected, expected)).sqrt();
            let cosine = if norms == 0.0 { 1.0 } else { dot(gradient, expected) / norms };
            let name = &features.graph.tensor(*id).name;
            assert!(cosine >= 0.999, "network {seed}, gradient of {name}: cosine {cosine}");
            tensors += usize::from(name.contains("lite residual"));
        }
    }
    assert!(tensors > 150, "{tensors} gradients of modules");
}

/// Biases need no activation: they move alike, bit by bit, whether the inputs of convolutions are kept for their
/// weights or not, and no step behind the forward pass reads one where only biases are trained.
#[test]
fn e_t1_biases_are_trained_without_activations() {
    let mut biases = 0;
    for seed in 0..40 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let (count, samples) = (features.convolutions.len(), drawn(&features, 3));
        let moved = |scheme: &Scheme| {
            let scheme = Scheme { rounding: Rounding::Nearest, ..scheme.clone() };
            let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
            let mut executor = layer_wise(&step);
            // The first step moves the classifier alone; by the second one nothing else has moved.
            for (sample, label) in [(&samples[0], 1), (&samples[1], 2)] {
                give(&mut executor, sample, label, 0.05);
                executor.run();
            }
            let of = |p: &&smidgen_adapt::Parameter| matches!(p.role, Role::Bias(_));
            let all = step.parameters.iter().filter(of);
            let all: HashMap<usize, Vec<u8>> = all
                .map(|p| {
                    let Role::Bias(number) = p.role else { unreachable!("filtered above") };
                    (number, executor.variable(p.variable).to_vec())
                })
                .collect();
            (all, step)
        };
        let (alone, step) = moved(&Scheme::bias_only(count));
        let (with_weights, _) = moved(&Scheme::full(count));
        assert_eq!(alone, with_weights, "network {seed}");
        biases += alone.len();
        let updates = |name: &str| step.lowered.steps.iter().any(|step| step.kernel.name().contains(name));
        assert!(!updates("UpdateConv") && !updates("UpdateDepthwise"), "network {seed}");
    }
    assert!(biases > 100, "{biases} biases");
}

fn layer(kind: LayerKind, input: usize, output: usize) -> Layer {
    let (trained_weights, trained_biases, frozen, beside, passed) = (0, 0, 0, 0, true);
    Layer { kind, input, output, trained_weights, trained_biases, frozen, beside, passed }
}

/// The layers of modules, as the formula sees them.
fn module_layers(grown: &Features, modules: &[Module]) -> Vec<Layer> {
    let mut all = Vec::new();
    for &number in modules.iter().flat_map(|module| &module.convolutions) {
        let operator = &grown.graph.operators[grown.convolutions[number].index()];
        let elements = |id| grown.graph.tensor(id).shape.elements();
        let (x, w, y) = (elements(operator.inputs[0]), elements(operator.inputs[1]), elements(operator.outputs[0]));
        all.push(Layer { trained_weights: w, ..layer(LayerKind::Convolution(1), x, y) });
    }
    all
}

#[test]
fn e_t3_what_modules_keep_is_what_the_formula_says() {
    let mut tested = 0;
    for (seed, graph, features) in with_blocks(0..60) {
        let samples = drawn(&features, 2);
        let (grown, modules) = insert(&features, &LiteResidual::default(), &Default::default(), &samples).unwrap();
        let layers = module_layers(&grown, &modules);
        let formula = tinytl(&layers, 1);
        assert_eq!(tinytl(&layers, 8).saved, 8 * formula.saved, "network {seed}: linear in the batch");
        // The step keeps the same elements, of 8 bits instead of 32: what updates of weights read of the forward pass.
        let step = compile(&graph, 5, &Scheme::lite_residual(), &Default::default(), &samples).unwrap();
        let updates = step.lowered.steps.iter().filter(|step| matches!(step.kernel, Kernel::UpdateConv2d(_)));
        let mut kept: Vec<usize> = Vec::new();
        for update in updates {
            let id = update.inputs[1].buffer().expect("what is kept of the input");
            assert_eq!(step.lowered.buffers[id.index()].element, ElementType::Int8);
            kept.push(step.lowered.buffers[id.index()].bytes());
        }
        assert_eq!(kept.len(), layers.len(), "network {seed}");
        assert_eq!(32 * kept.iter().sum::<usize>(), formula.saved, "network {seed}");
        let bytes = step.parameters.iter().filter(|p| matches!(p.role, Role::Weights(_))).map(|p| p.bytes);
        assert_eq!(32 * bytes.sum::<usize>(), formula.parameters, "network {seed}");
        tested += 1;
    }
    assert!(tested > 20, "{tested}");
}

#[test]
fn e_t6_the_formula_counts_a_bit_for_clamps_and_a_word_for_curves() {
    let saved = |kind| tinytl(&[layer(kind, 1000, 1000)], 4).saved;
    assert_eq!((saved(LayerKind::Clamp), saved(LayerKind::Curve)), (4000, 32 * 4000));
    assert_eq!(tinytl(&[Layer { passed: false, ..layer(LayerKind::Curve, 9, 9) }], 4).saved, 0);
    // Two convolutions, the first of which is frozen: by hand.
    let first = Layer { frozen: 30, trained_biases: 4, ..layer(LayerKind::Convolution(2), 100, 60) };
    let second = Layer { trained_weights: 50, beside: 7, ..layer(LayerKind::Convolution(1), 60, 20) };
    let clamp = layer(LayerKind::Clamp, 60, 60);
    let all = tinytl(&[first, clamp, second, layer(LayerKind::Linear, 20, 5)], 3);
    assert_eq!(all.parameters, 8 * 30 + 32 * 4 + 32 * 50);
    assert_eq!(all.saved, 3 * (60 + 32 * 60));
    // The first one works on most: 100 and half of 60 elements.
    assert_eq!(all.peak, 3 * 32 * 130);
}

#[test]
fn schemes_with_modules_are_read_and_wrong_ones_refused() {
    let read = |text: &str| text.parse::<Scheme>().unwrap().lite_residual;
    assert_eq!(read("lite_residual = true"), Some(LiteResidual::default()));
    assert_eq!(read("lite_residual = false"), None);
    assert_eq!(read("n_bias_update = 1"), None);
    let wanted = LiteResidual { groups: 4, kernel: 3, expansion: 0.5, blocks: Some(6), seed: 9 };
    let text = "[lite_residual]\ngroups = 4\nkernel = 3\nexpansion = 0.5\nblocks = 6\nseed = 9";
    assert_eq!(read(text), Some(wanted));
    for (text, said) in [
        ("lite_residual = 3", "true, false, or a table"),
        ("lite_residual = { group = 3 }", "group"),
        ("lite_residual = { groups = 0 }", "groups is 0"),
        ("lite_residual = { kernel = 4 }", "kernel is 4"),
        ("lite_residual = { expansion = 0.0 }", "expansion is 0"),
        ("lite_residual = { blocks = 0 }", "blocks is 0"),
    ] {
        let error = text.parse::<Scheme>().unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    // A network without blocks, and one with fewer than are asked for.
    let without = (0..80).map(network).find(|graph| blocks(&Features::of(graph).unwrap().graph).is_empty());
    let refused = |graph: &Graph, options: LiteResidual| {
        let scheme = Scheme { lite_residual: Some(options), ..Scheme::default() };
        compile(graph, 3, &scheme, &Default::default(), &[]).unwrap_err().to_string()
    };
    let error = refused(&without.expect("one without blocks"), LiteResidual::default());
    assert!(error.contains("no block") && error.contains("depthwise convolutions"), "{error}");
    let (_, graph, _) = with_blocks(0..80).next().expect("one with blocks");
    let error = refused(&graph, LiteResidual { blocks: Some(99), ..LiteResidual::default() });
    assert!(error.contains("blocks is 99; the network has"), "{error}");
}
