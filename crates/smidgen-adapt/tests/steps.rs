//! Training steps of random networks: the same integers under every schedule, gradients as by the definition, every kernel among them.

use smidgen_adapt::surrogate::{Activations, backward};
use smidgen_adapt::{Features, Role, Rounding, Scheme, TrainingStep, activations, compile, drawn};
use smidgen_certify::{Certified, certify, live_ranges};
use smidgen_exec::Executor;
use smidgen_ir::{Graph, TensorId};
use smidgen_kernels::training::RATE_BITS;
use smidgen_plan::planner::{Objective, PlanOptions, plan};
use smidgen_program::Kernel;
use smidgen_synthetic::{Random, random_classifier};
use std::collections::{BTreeSet, HashMap};

fn network(seed: u64) -> Graph {
    let mut graph = random_classifier(seed);
    smidgen_ir::passes::canonicalise(&mut graph);
    graph
}

/// Some of everything.
fn schemes(graph: &Graph, random: &mut Random) -> Vec<Scheme> {
    let count = Features::of(graph).expect("a classifier").convolutions.len();
    let some: Vec<usize> = (0..count).filter(|_| random.chance(1, 2)).collect();
    let ratio = |random: &mut Random| random.choose(&[0.0, 0.25, 0.5, 1.0]);
    let sparse = Scheme {
        n_bias_update: random.below(count + 1),
        weight_update_ratio: some.iter().map(|_| ratio(random)).collect(),
        manual_weight_idx: some,
        rounding: random.choose(&[Rounding::Nearest, Rounding::Kept8, Rounding::Kept16]),
        ..Scheme::default()
    };
    vec![Scheme::full(count), Scheme::bias_only(count), sparse, Scheme::last_layer()]
}

fn fixed(rate: f64) -> [u8; 4] {
    ((rate * f64::from(1u32 << RATE_BITS)) as i32).to_le_bytes()
}

fn give(executor: &mut Executor, sample: &[i8], label: i32, rate: f64) {
    let bytes: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
    executor.set_input(0, &bytes).unwrap();
    executor.set_input(1, &label.to_le_bytes()).unwrap();
    executor.set_input(2, &fixed(rate)).unwrap();
}

fn layer_wise(step: &TrainingStep) -> Certified {
    certify(smidgen_plan::layer_wise(&step.lowered)).unwrap()
}

#[test]
fn weights_are_the_same_under_every_schedule_and_every_kernel_is_drawn() {
    let mut kernels = BTreeSet::new();
    for seed in 0..40 {
        let graph = network(seed);
        let samples = drawn(&Features::of(&graph).unwrap(), 3);
        for scheme in schemes(&graph, &mut Random::new(seed)) {
            let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
            kernels.extend(step.lowered.steps.iter().map(|step| step.kernel.name()));
            let mut plain = Executor::new(layer_wise(&step));
            let objective = if seed % 2 == 0 { Objective::Sram } else { Objective::Balanced };
            let planned = plan(&step.lowered, &PlanOptions { objective, ..PlanOptions::default() }).unwrap().program;
            let live = live_ranges(&planned).after;
            let mut tight = Executor::new(planned).with_poison(live).unwrap();
            let begin = plain.state().to_vec();
            for i in 0..4 {
                for executor in [&mut plain, &mut tight] {
                    give(executor, &samples[i % 3], (i % 5) as i32, 0.02);
                    executor.run();
                }
                for parameter in &step.parameters {
                    let (a, b) = (plain.variable(parameter.variable), tight.variable(parameter.variable));
                    assert_eq!(a, b, "network {seed}, step {i}, {:?} of {scheme:?}", parameter.role);
                }
                assert_eq!(plain.output(1), tight.output(1), "network {seed}, step {i}: the loss");
            }
            assert_ne!(plain.state(), begin, "network {seed} learns nothing by {scheme:?}");
        }
    }
    let missing: Vec<_> = Kernel::TRAINING.iter().filter(|name| !kernels.contains(*name)).collect();
    assert!(missing.is_empty(), "no training step that is drawn has these kernels: {missing:?}");
}

/// A step of a network whose classifier is no longer 0: what it computed, and what the definition gives for the same gradient of the features.
struct Compared {
    features: Features,
    step: TrainingStep,
    computed: HashMap<TensorId, Vec<f64>>,
    exact: smidgen_adapt::surrogate::Gradients,
    /// Variables before and after.
    moved: Vec<(Vec<u8>, Vec<u8>)>,
}

fn compared(seed: u64, rate: f64) -> Compared {
    let graph = network(seed);
    let features = Features::of(&graph).unwrap();
    let count = features.convolutions.len();
    let scheme = Scheme { rounding: Rounding::Nearest, ..Scheme::full(count) };
    let samples = drawn(&features, 4);
    let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
    let mut executor = Executor::new(layer_wise(&step));
    // While the classifier is 0, no gradient passes it: this changes nothing else.
    give(&mut executor, &samples[0], 1, 0.05);
    executor.run();
    let variables = |executor: &Executor| -> Vec<Vec<u8>> {
        (0..step.lowered.variables.len()).map(|i| executor.variable(i).to_vec()).collect()
    };
    let before = variables(&executor);
    give(&mut executor, &samples[1], 2, rate);
    let (mut computed, mut exponent) = (HashMap::new(), 0);
    executor.run_with(&mut |finished| {
        let Some(gradient) = step.gradients.iter().find(|gradient| gradient.step == finished.step) else { return };
        if gradient.step == step.gradients[0].step {
            exponent = i32::from_le_bytes(finished.output(1).unwrap().try_into().unwrap());
        }
        let numbers = finished.output(0).unwrap().as_chunks::<2>().0;
        let unit = gradient.unit * 2f64.powi(exponent);
        // By channels, four side by side.
        let [pixels, channels] = gradient.sizes;
        let at = |pixel: usize, channel: usize| (channel / 4 * pixels + pixel) * 4 + channel % 4;
        let places = (0..pixels * channels).map(|i| at(i / channels, i % channels));
        let elements = places.map(|at| f64::from(i16::from_le_bytes(numbers[at])) * unit);
        computed.insert(gradient.tensor, elements.collect::<Vec<f64>>());
    });
    let moved = before.into_iter().zip(variables(&executor)).collect();
    let found: Activations = activations(&features, &Default::default(), &samples[1..2]).unwrap().remove(0);
    let trained = vec![true; features.graph.operators.len()];
    let exact = backward(&features, &trained, &found, &computed[&features.tensor()]).unwrap();
    Compared { features, step, computed, exact, moved }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms == 0.0 { 1.0 } else { dot(a, b) / norms }
}

#[test]
fn integer_gradients_point_where_the_definition_says() {
    let mut tensors = 0;
    for seed in 100..160 {
        let Compared { features, computed, exact, .. } = compared(seed, 0.0);
        for (id, gradient) in &computed {
            let name = &features.graph.tensor(*id).name;
            let expected = &exact.tensors[id];
            assert_eq!(gradient.len(), expected.len(), "network {seed}, {name}");
            let cosine = cosine(gradient, expected);
            assert!(cosine >= 0.999, "network {seed}, gradient of {name}: cosine {cosine}");
            tensors += 1;
        }
    }
    assert!(tensors > 300, "{tensors} gradients");
}

#[test]
fn weights_and_biases_move_against_their_gradients() {
    let mut tensors = 0;
    for seed in 200..240 {
        let Compared { features, step, exact, moved, .. } = compared(seed, 0.05);
        for parameter in &step.parameters {
            let (before, after) = &moved[parameter.variable];
            let (number, steps): (usize, Vec<f64>) = match parameter.role {
                Role::Weights(number) => {
                    let steps = before.iter().zip(after).map(|(&a, &b)| f64::from(a as i8) - f64::from(b as i8));
                    (number, steps.collect())
                }
                Role::Bias(number) => {
                    let words = |bytes: &[u8]| -> Vec<f64> {
                        bytes.as_chunks::<4>().0.iter().map(|&b| f64::from(i32::from_le_bytes(b))).collect()
                    };
                    (number, words(before).iter().zip(words(after)).map(|(a, b)| a - b).collect())
                }
                _ => continue,
            };
            let index = features.convolutions[number].index();
            let operator = &features.graph.operators[index];
            let (weights, input) =
                (features.graph.tensor(operator.inputs[1]), features.graph.tensor(operator.inputs[0]));
            let quantisation = weights.dtype.quantisation().unwrap();
            let outputs = features.graph.tensor(operator.outputs[0]).shape.dims().last().copied().unwrap();
            let scale = |o: usize| f64::from(quantisation.scale(o));
            let (gw, gb) = &exact.parameters[&index];
            let is_bias = matches!(parameter.role, Role::Bias(_));
            let depthwise = weights.shape.dims()[0] == 1 && outputs > 1;
            let per_output = gw.len() / outputs;
            let expected: Vec<f64> = if is_bias {
                let sx = f64::from(input.per_tensor().unwrap().0);
                gb.iter().enumerate().map(|(o, g)| 0.05 * g / (scale(o) * sx).powi(2)).collect()
            } else {
                let channel = |i: usize| if depthwise { i % outputs } else { i / per_output };
                gw.iter().enumerate().map(|(i, g)| 0.05 * g / scale(channel(i)).powi(2)).collect()
            };
            // Weights end at 127, and a step is rounded: only what did neither can be compared.
            let ends = |i: usize| !is_bias && (after[i] as i8).unsigned_abs() >= 127;
            let kept: Vec<usize> = (0..steps.len()).filter(|&i| !ends(i)).collect();
            let take = |all: &[f64]| kept.iter().map(|&i| all[i]).collect::<Vec<f64>>();
            let (steps, expected) = (take(&steps), take(&expected));
            let greatest = expected.iter().fold(0f64, |most, step| most.max(step.abs()));
            for (k, (step, expected)) in steps.iter().zip(&expected).enumerate() {
                let off = (step - expected).abs();
                assert!(
                    off <= 0.51 + 0.02 * greatest,
                    "network {seed}, {:?}, element {}: {step} instead of {expected}, of at most {greatest}",
                    parameter.role,
                    kept[k]
                );
            }
            tensors += usize::from(greatest > 2.0);
        }
    }
    assert!(tensors > 100, "{tensors} tensors moved");
}
