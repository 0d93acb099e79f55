//! Gradients against central differences and the definition, what stays unchanged, and trainings by hand.

use super::nodes::{Kind, each_greatest};
use super::{Number, Source, Twin, Values};
use crate::lite_residual::blocks;
use crate::surrogate::{backward, scale, weight_scale};
use crate::{Features, Learner, Learns, LiteResidual, Loss, Rounding, Scheme, activations, compile, drawn};
use smidgen_ir::{Activation, BinaryKind, Graph, Op, Padding, TensorId};
use smidgen_synthetic::{Builder, Precision, Random, random_classifier};
use std::collections::BTreeMap;

fn network(seed: u64) -> Graph {
    let mut graph = random_classifier(seed);
    smidgen_ir::passes::canonicalise(&mut graph);
    graph
}

fn bytes(sample: &[i8]) -> Vec<u8> {
    sample.iter().map(|&x| x as u8).collect()
}

/// A classifier that is not 0, so that gradients pass it.
fn randomise<T: Number>(twin: &mut Twin<T>, seed: u64) {
    let mut random = Random::new(seed);
    for weight in twin.classifier.weights.iter_mut().chain(&mut twin.classifier.bias) {
        *weight = T::of(f64::from(random.below(2001) as u32) / 1000.0 - 1.0);
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// How far one is from the other, over the other's norm.
fn relative(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    assert_eq!(a.len(), b.len());
    if norm(b) == 0.0 { norm(&difference) } else { norm(&difference) / norm(b) }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    if norm(a) * norm(b) == 0.0 { 1.0 } else { dot / norm(a) / norm(b) }
}

fn doubles<T: Number>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.real()).collect()
}

/// On which side of every clamp, maximum and corner a sample is: where this is the same, so is the piece of the
/// function.
fn pieces<T: Number>(twin: &Twin<T>) -> Vec<i64> {
    let mut found = Vec::new();
    for node in &twin.changing {
        match &node.kind {
            Kind::Greatest(window, images) => {
                let x = &twin.values[node.inputs[0]];
                each_greatest(window, *images, x, |from, _| found.push(from as i64));
            }
            // The corners of functions, whose slopes change between them too.
            Kind::Function(_) => {
                let corners = [-3.0, -1.0, 0.0, 1.0, 3.0, 6.0];
                let side = |x: &T| corners.iter().filter(|&&corner| x.real() > corner).count() as i64;
                found.extend(twin.values[node.inputs[0]].iter().map(side));
                found.extend(twin.through[node.outputs[0]].iter().map(|x| i64::from(x.real() != 0.0)));
            }
            _ => found.extend(node.outputs.iter().flat_map(|&id| &twin.through[id]).map(|x| x.real() as i64)),
        }
    }
    found
}

/// A parameter of a twin: the layer, whether it is a weight, else a bias, and its index.
type Place = (usize, bool, usize);

fn parameter(twin: &mut Twin<f64>, (layer, weight, at): Place) -> &mut f64 {
    let layer = &mut twin.layers[layer];
    if weight { &mut layer.weights[at] } else { &mut layer.bias[at] }
}

/// The operators that a gradient passed on its way.
fn passed(twin: &Twin<f64>, features: &Features) -> Vec<&'static str> {
    twin.changing.iter().map(|node| features.graph.operators[node.index].op.name()).collect()
}

#[test]
fn gradients_are_those_of_central_differences() {
    let (mut layers, mut compared) = (0, 0);
    let mut kinds: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in 0..150 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let loss = if seed % 4 == 3 { Loss::MeanSquaredError } else { Loss::CrossEntropy };
        let scheme = Scheme { loss, ..Scheme::full(features.convolutions.len()) };
        let mut twin = Twin::<f64>::floats(&graph, 3, &scheme, &[]).unwrap();
        randomise(&mut twin, seed);
        let prepared = twin.prepare(&bytes(&drawn(&features, 1)[0])).unwrap();
        twin.differentiate(&prepared, 1).unwrap();
        let begin = pieces(&twin);
        passed(&twin, &features).into_iter().for_each(|name| *kinds.entry(name).or_default() += 1);
        let gradients: Vec<[Vec<f64>; 2]> =
            twin.layers.iter().map(|l| [l.bias_gradient.clone(), l.weight_gradient.clone()]).collect();
        let mut random = Random::new(seed ^ 99);
        for (layer, gradients) in gradients.iter().enumerate() {
            for weight in [true, false] {
                let gradient = &gradients[usize::from(weight)];
                // Along a random direction all elements are compared at once.
                let direction: Vec<f64> = (0..gradient.len()).map(|_| random.below(2001) as f64 / 1e3 - 1.0).collect();
                let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let scale = norm(gradient) * norm(&direction) / (gradient.len() as f64).sqrt();
                let mut along = |step: f64| {
                    for (i, d) in direction.iter().enumerate() {
                        *parameter(&mut twin, (layer, weight, i)) += step * d;
                    }
                    let loss = twin.differentiate(&prepared, 1).unwrap();
                    let same = pieces(&twin) == begin;
                    for (i, d) in direction.iter().enumerate() {
                        *parameter(&mut twin, (layer, weight, i)) -= step * d;
                    }
                    (loss, same)
                };
                // A step that crosses no corner.
                let found = [1e-5, 1e-6, 1e-7].into_iter().find_map(|step| {
                    let ((above, same), (below, also)) = (along(step), along(-step));
                    (same && also).then_some((above - below) / (2.0 * step))
                });
                let Some(found) = found else { continue };
                let off = (found - slope).abs();
                assert!(
                    off <= 1e-4 * scale.max(1e-5),
                    "network {seed}, layer {layer}, weights {weight}: {found} instead of {slope}, of about {scale}"
                );
                compared += usize::from(scale > 1e-5);
            }
            layers += 1;
        }
    }
    assert!(layers > 500 && compared > 900, "{layers} layers, {compared} tensors of parameters");
    for name in [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "ADD",
        "MUL",
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
        "MEAN",
        "LOGISTIC",
        "TANH",
        "HARD_SWISH",
        "CONCATENATION",
        "SPLIT",
        "TRANSPOSE",
        "SLICE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
    ] {
        assert!(kinds.contains_key(name), "no gradient passed {name}: {kinds:?}");
    }
}

/// The gradients that a twin left behind, and those by the definition: for each tensor, and for weights and biases of
/// each operator, in real numbers and one order.
fn against_definition<T: Number>(
    twin: &Twin<T>,
    features: &Features,
    sample: &[i8],
) -> Vec<(String, Vec<f64>, Vec<f64>)> {
    let graph = &features.graph;
    let found = activations(features, &Default::default(), &[sample.to_vec()]).unwrap().remove(0);
    let trained = vec![true; graph.operators.len()];
    let unit = |id: TensorId| scale(graph.tensor(id)).0;
    let top = features.tensor();
    let gradient: Vec<f64> = twin.gradients[top.index()].iter().map(|g| g.real() * unit(top)).collect();
    // What arrives at the features has passed no clamp yet.
    let exact = backward(features, &trained, &found, &gradient).unwrap();
    let mut pairs = Vec::new();
    for node in &twin.changing {
        let operator = &graph.operators[node.index];
        let Some((gw, gb)) = exact.parameters.get(&node.index) else { continue };
        let layer = twin.layers.iter().find(|l| features.convolutions[l.number].index() == node.index).unwrap();
        let weights = graph.tensor(operator.inputs[1]);
        let outputs = gb.len();
        let depthwise = matches!(operator.op, Op::DepthwiseConv2d { .. });
        let (taps, inputs) = (gw.len() / outputs, unit(operator.inputs[0]));
        let ci = if depthwise { 1 } else { *weights.shape.dims().last().unwrap() };
        let taps = taps / ci;
        let mut real = vec![0.0; gw.len()];
        for (i, g) in gw.iter().enumerate() {
            // A gradient of a real weight is smaller by what an integer stands for.
            let (o, at) = match depthwise {
                true => (i % outputs, i),
                false => {
                    let (o, tap, c) = (i / (taps * ci), i / ci % taps, i % ci);
                    (o, (tap * ci + c) * outputs + o)
                }
            };
            real[at] = g / weight_scale(weights, o);
        }
        let biases = gb.iter().enumerate().map(|(o, g)| g / weight_scale(weights, o) / inputs).collect();
        pairs.push((format!("weights of {}", layer.number), doubles(&layer.weight_gradient), real));
        pairs.push((format!("biases of {}", layer.number), doubles(&layer.bias_gradient), biases));
    }
    pairs
}

#[test]
fn of_an_integer_network_gradients_are_those_of_the_definition() {
    let mut tensors = 0;
    for seed in 0..150 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let scheme = Scheme::full(features.convolutions.len());
        let samples = drawn(&features, 2);
        let step = compile(&graph, 3, &scheme, &Default::default(), &samples).unwrap();
        let mut twin = Twin::<f32>::masters(&graph, &scheme, &[], &step).unwrap();
        randomise(&mut twin, seed);
        let prepared = twin.prepare(&bytes(&samples[1])).unwrap();
        twin.differentiate(&prepared, 2).unwrap();
        for (what, found, expected) in against_definition(&twin, &features, &samples[1]) {
            let off = relative(&found, &expected);
            assert!(off <= 1e-4, "network {seed}, {what}: off by {off}");
            tensors += usize::from(norm(&expected) > 0.0);
        }
    }
    assert!(tensors > 1000, "{tensors} tensors of parameters");
}

#[test]
fn a_network_of_floats_has_gradients_like_the_integers() {
    // Roundings decide about clamps: on the whole, directions agree.
    let (mut cosines, mut compared) = (Vec::new(), 0);
    for seed in 0..100 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let scheme = Scheme::full(features.convolutions.len());
        let sample = &drawn(&features, 1)[0];
        let (mut fast, mut exact) = (
            Twin::<f32>::floats(&graph, 3, &scheme, &[]).unwrap(),
            Twin::<f64>::floats(&graph, 3, &scheme, &[]).unwrap(),
        );
        randomise(&mut fast, seed);
        randomise(&mut exact, seed);
        let (prepared, also) = (fast.prepare(&bytes(sample)).unwrap(), exact.prepare(&bytes(sample)).unwrap());
        let losses = [fast.differentiate(&prepared, 2).unwrap(), exact.differentiate(&also, 2).unwrap()];
        assert!((losses[0] - losses[1]).abs() < 1e-4 * (1.0 + losses[1]), "network {seed}: {losses:?}");
        // Where sums lie on a limit, the fast ones may be on the other side of it.
        let alike = pieces(&fast) == pieces(&exact);
        compared += usize::from(alike);
        for (a, b) in fast.layers.iter().zip(&exact.layers).filter(|_| alike) {
            let off = relative(&doubles(&a.bias_gradient), &b.bias_gradient);
            assert!(off < 1e-4, "network {seed}, biases of {}: off by {off}", a.number);
            let off = relative(&doubles(&a.weight_gradient), &b.weight_gradient);
            assert!(off < 1e-4, "network {seed}, weights of {}: off by {off}", a.number);
        }
        let pairs = against_definition(&fast, &features, sample);
        cosines.extend(pairs.into_iter().map(|(_, found, expected)| cosine(&found, &expected)));
    }
    cosines.sort_by(f64::total_cmp);
    let middle = cosines[cosines.len() / 2];
    assert!(compared > 80, "{compared} networks of 100 on the same side of all limits");
    assert!(cosines.len() > 700 && middle > 0.98, "of {} cosines the middle one is {middle}", cosines.len());
}

/// All numbers of a twin that could be trained.
fn numbers<T: Number>(twin: &Twin<T>) -> Values<f64> {
    twin.layers.iter().flat_map(|layer| [doubles(&layer.weights), doubles(&layer.bias)]).collect()
}

fn some(graph: &Graph, random: &mut Random) -> Scheme {
    let count = Features::of(graph).unwrap().convolutions.len();
    let indices: Vec<usize> = (0..count).filter(|_| random.chance(1, 2)).collect();
    Scheme {
        n_bias_update: random.below(count + 1),
        weight_update_ratio: indices.iter().map(|_| random.choose(&[0.0, 0.25, 0.5, 1.0])).collect(),
        manual_weight_idx: indices,
        ..Scheme::default()
    }
}

#[test]
fn what_a_scheme_leaves_out_stays_and_the_same_seeds_give_the_same_bits() {
    let (mut moved, mut stayed) = (0, 0);
    for seed in 0..60 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let count = features.convolutions.len();
        let scheme = some(&graph, &mut Random::new(seed));
        let samples = drawn(&features, 3);
        let step = compile(&graph, 3, &scheme, &Default::default(), &samples).unwrap();
        for masters in [false, true] {
            let make = || match masters {
                true => Twin::<f32>::masters(&graph, &scheme, &[], &step).unwrap(),
                false => Twin::<f32>::floats(&graph, 3, &scheme, &[]).unwrap(),
            };
            let train = |twin: &mut Twin<f32>| -> Vec<u64> {
                let losses = (0..6).map(|i| {
                    let prepared = twin.prepare(&bytes(&samples[i % 3])).unwrap();
                    twin.train(&prepared, i % 3, 0.05).unwrap().to_bits()
                });
                losses.collect()
            };
            let (mut twin, mut other) = (make(), make());
            let begin = numbers(&twin);
            let losses = train(&mut twin);
            assert_eq!(losses, train(&mut other), "network {seed}: the same training");
            let end = numbers(&twin);
            assert_eq!(end, numbers(&other));
            other.reset();
            assert_eq!(numbers(&other), begin);
            assert_eq!(train(&mut other), losses, "network {seed}: after a reset");
            for (layer, pair) in twin.layers.iter().zip(begin.chunks(2).zip(end.chunks(2))) {
                let parts = scheme.weights(count).unwrap();
                let ([w0, b0], [w1, b1]) = (pair.0, pair.1) else { unreachable!() };
                assert!(scheme.trains_bias(layer.number, count) || b0 == b1, "network {seed}, {}", layer.number);
                assert!(parts[layer.number].is_some() || w0 == w1, "network {seed}, {}", layer.number);
                let (outputs, inputs) = (b0.len(), layer.inputs());
                for (i, (a, b)) in w0.iter().zip(w1).enumerate() {
                    let channel = (i / outputs % inputs) as u16;
                    if !layer.is_depthwise() && !layer.channels.contains(&channel) {
                        assert_eq!(a, b, "network {seed}, layer {}, weight {i}", layer.number);
                        stayed += 1;
                    }
                    moved += usize::from(a != b);
                }
            }
        }
    }
    assert!(moved > 1000 && stayed > 1000, "{moved} moved, {stayed} stayed");
}

#[test]
fn before_it_learns_an_integer_network_predicts_as_the_device_does() {
    for seed in 0..40 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let scheme = some(&graph, &mut Random::new(seed));
        let samples = drawn(&features, 2);
        let step = compile(&graph, 3, &scheme, &Default::default(), &samples).unwrap();
        let (mut twin, mut learner) =
            (Twin::<f32>::masters(&graph, &scheme, &[], &step).unwrap(), Learner::new(&step).unwrap());
        for sample in &samples {
            let prepared = twin.prepare(&bytes(sample)).unwrap();
            assert_eq!(prepared, learner.prepare(&bytes(sample)).unwrap());
            twin.forward(&prepared).unwrap();
            let found = activations(&features, &Default::default(), std::slice::from_ref(sample)).unwrap().remove(0);
            let grid = scale(features.graph.tensor(features.tensor()));
            let expected: Vec<f32> =
                found[&features.tensor()].iter().map(|&x| (grid.0 * f64::from(i32::from(x) - grid.1)) as f32).collect();
            assert_eq!(twin.values[features.tensor().index()], expected, "network {seed}");
        }
    }
}

#[test]
fn integers_follow_their_copies() {
    // With scaling and copies that are never rounded away, integers move as the device's do on the average.
    let (mut moved, mut networks) = (0, 0);
    for seed in 0..30 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let scheme = Scheme { rounding: Rounding::Nearest, ..Scheme::full(features.convolutions.len()) };
        let samples = drawn(&features, 2);
        let step = compile(&graph, 3, &scheme, &Default::default(), &samples).unwrap();
        let mut twin = Twin::<f32>::masters(&graph, &scheme, &[], &step).unwrap();
        assert!(matches!(twin.source, Source::Integers(_)));
        let begin: Vec<Vec<u8>> = twin.layers.iter().map(|layer| layer.weight_bytes()).collect();
        for i in 0..8 {
            let prepared = twin.prepare(&bytes(&samples[i % 2])).unwrap();
            twin.train(&prepared, i % 2, 0.05).unwrap();
        }
        for (layer, begin) in twin.layers.iter().zip(&begin) {
            let end = layer.weight_bytes();
            assert_eq!(end.len(), begin.len());
            moved += end.iter().zip(begin).filter(|(a, b)| a != b).count();
            assert!(end.iter().all(|&w| (w as i8) >= -127));
        }
        networks += 1;
    }
    assert!(networks == 30 && moved > 100, "{moved} weights moved");
}

#[test]
fn what_no_gradient_passes_may_lie_in_front() {
    let mut b = Builder::new("front", Precision::Int8, 11);
    let x = b.input([1, 6, 6, 3]);
    let x = b.pointwise(x, 8, Activation::None);
    let y = b.softmax(x);
    let z = b.binary(BinaryKind::Maximum, x, y, Activation::None);
    let z = b.transpose_conv(z, [2, 2], [2, 2], Padding::Same, 6, Activation::Relu);
    let z = b.pointwise(z, 8, Activation::Relu);
    let z = b.global_mean(z, false);
    let z = b.fully_connected(z, 2, Activation::None);
    let mut graph = b.finish(&[z]);
    smidgen_ir::passes::canonicalise(&mut graph);
    let features = Features::of(&graph).unwrap();
    let count = features.convolutions.len();
    let scheme = Scheme { n_bias_update: 1, ..Scheme::default() };
    let sample = &drawn(&features, 1)[0];
    let mut twin = Twin::<f32>::floats(&graph, 2, &scheme, &[]).unwrap();
    assert!(twin.frozen.iter().filter(|node| matches!(node.kind, Kind::Integer(..))).count() >= 3);
    let prepared = twin.prepare(&bytes(sample)).unwrap();
    twin.forward(&prepared).unwrap();
    let found = activations(&features, &Default::default(), std::slice::from_ref(sample)).unwrap().remove(0);
    let mut compared = 0;
    for node in twin.frozen.iter().chain(&twin.changing) {
        let id = features.graph.operators[node.index].outputs[0];
        let (unit, zero) = scale(features.graph.tensor(id));
        let Some(stored) = found.get(&id) else { continue };
        for (x, &stored) in twin.values[id.index()].iter().zip(stored) {
            let real = unit * f64::from(i32::from(stored) - zero);
            assert!((x.real() - real).abs() <= 3.0 * unit, "{}: {x} for {real}", features.graph.tensor(id).name);
        }
        compared += 1;
    }
    assert!(compared >= 6, "{compared} operators");
    assert!(twin.train(&prepared, 0, 0.1).unwrap() > twin.train(&prepared, 0, 0.1).unwrap());
    // A gradient would have to pass it.
    let refused = Twin::<f32>::floats(&graph, 2, &Scheme::full(count), &[]).unwrap_err();
    assert!(refused.to_string().contains("no gradient"), "{refused}");
}

#[test]
fn one_linear_layer_is_trained_by_hand() {
    let mut b = Builder::new("linear", Precision::Int8, 3);
    let x = b.input([1, 6]);
    let x = b.fully_connected(x, 4, Activation::None);
    let x = b.fully_connected(x, 2, Activation::None);
    let mut graph = b.finish(&[x]);
    smidgen_ir::passes::canonicalise(&mut graph);
    let features = Features::of(&graph).unwrap();
    let operator = &features.graph.operators[features.convolutions[0].index()];
    let tensor = |i: usize| features.graph.tensor(operator.inputs[i]);
    let ((sx, zx), (sy, zy)) = (scale(tensor(0)), scale(features.graph.tensor(features.tensor())));
    let (stored, bias) = (tensor(1).integers().unwrap(), tensor(2).integers().unwrap());
    let mut w: Vec<f64> =
        stored.iter().enumerate().map(|(i, &w)| f64::from(w) * weight_scale(tensor(1), i / 6)).collect();
    let mut c: Vec<f64> =
        bias.iter().enumerate().map(|(o, &b)| f64::from(b) * weight_scale(tensor(1), o) * sx).collect();
    let (mut v, mut d) = (vec![0.0; 8], vec![0.0; 2]);
    let mut twin = Twin::<f64>::floats(&graph, 2, &Scheme::full(1), &[]).unwrap();
    let mut random = Random::new(5);
    for i in 0..50 {
        let sample: Vec<u8> = (0..6).map(|_| random.below(256) as u8).collect();
        let (label, rate) = (i % 2, 0.02);
        let prepared = twin.prepare(&sample).unwrap();
        let loss = twin.train(&prepared, label, rate).unwrap();
        let x: Vec<f64> = sample.iter().map(|&x| sx * f64::from(i32::from(x as i8) - zx)).collect();
        let (low, high) = (sy * f64::from(-128 - zy), sy * f64::from(127 - zy));
        let u: Vec<f64> = (0..4).map(|o| c[o] + (0..6).map(|k| w[o * 6 + k] * x[k]).sum::<f64>()).collect();
        let f: Vec<f64> = u.iter().map(|u| u.clamp(low, high)).collect();
        let logits: Vec<f64> = (0..2).map(|j| d[j] + (0..4).map(|o| v[j * 4 + o] * f[o]).sum::<f64>()).collect();
        let all = logits[0].exp() + logits[1].exp();
        assert!((loss - (all.ln() - logits[label])).abs() < 1e-9, "step {i}");
        let e: Vec<f64> = (0..2).map(|j| logits[j].exp() / all - f64::from(j == label)).collect();
        for o in 0..4 {
            let inside = f64::from(u[o] >= low && u[o] <= high);
            let g = inside * (e[0] * v[o] + e[1] * v[4 + o]);
            (0..6).for_each(|k| w[o * 6 + k] -= rate * g * x[k]);
            c[o] -= rate * g;
        }
        for j in 0..2 {
            (0..4).for_each(|o| v[j * 4 + o] -= rate * e[j] * f[o]);
            d[j] -= rate * e[j];
        }
    }
    // Among the parameters inputs come first.
    let by_inputs: Vec<f64> = (0..24).map(|i| w[i % 4 * 6 + i / 4]).collect();
    assert!(relative(&twin.layers[0].weights, &by_inputs) < 1e-9 && relative(&twin.layers[0].bias, &c) < 1e-9);
    assert!(relative(&twin.classifier.weights, &v) < 1e-9 && relative(&twin.classifier.bias, &d) < 1e-9);
}

#[test]
fn collected_steps_are_those_of_all_samples() {
    let mut with_modules = 0;
    for seed in 0..20 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let count = features.convolutions.len();
        let has_blocks = !blocks(&features.graph).is_empty();
        with_modules += usize::from(has_blocks);
        let lite_residual = has_blocks.then(LiteResidual::default);
        let once = Scheme { lite_residual, ..Scheme::full(count) };
        let thrice = Scheme { accumulate: 3, ..once.clone() };
        let twin = |scheme: &Scheme| {
            let step = compile(&graph, 3, scheme, &Default::default(), &[]).unwrap();
            [Twin::floats(&graph, 3, scheme, &[]), Twin::<f64>::masters(&graph, scheme, &[], &step)].map(Result::unwrap)
        };
        let sample = bytes(&drawn(&features, 1)[0]);
        for (mut one, mut three) in twin(&once).into_iter().zip(twin(&thrice)) {
            for twin in [&mut one, &mut three] {
                randomise(twin, seed);
            }
            let prepared = one.prepare(&sample).unwrap();
            let begin = three.predict(&prepared).unwrap();
            for round in 0..2 {
                one.train(&prepared, 1, 0.0625).unwrap();
                for part in [0.0125, 0.03, 0.02] {
                    if round == 0 {
                        assert_eq!(three.predict(&prepared).unwrap(), begin, "network {seed}: nothing has moved yet");
                    }
                    three.train(&prepared, 1, part).unwrap();
                }
            }
            let (found, expected) = (three.predict(&prepared).unwrap(), one.predict(&prepared).unwrap());
            assert!(relative(&found, &expected) < 1e-9, "network {seed}: {found:?} instead of {expected:?}");
            assert!(relative(&begin, &expected) > 1e-6, "network {seed}: nothing was learnt");
        }
    }
    assert!(with_modules > 3, "{with_modules} networks have modules");
}
