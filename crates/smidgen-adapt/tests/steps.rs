//! Training steps of random networks: the same integers under every schedule, gradients as by the definition, every kernel among them.

use smidgen_adapt::surrogate::{Activations, backward};
use smidgen_adapt::{Features, Loss, Role, Rounding, Scheme, TrainingStep, activations, compile, drawn};
use smidgen_certify::{Certified, certify, live_ranges};
use smidgen_exec::Executor;
use smidgen_ir::{Activation, Graph, TensorId};
use smidgen_kernels::Region;
use smidgen_kernels::training::RATE_BITS;
use smidgen_plan::planner::{Objective, PlanOptions, plan};
use smidgen_program::program::{Constant, ConstantId, Initial, Run};
use smidgen_program::{Kernel, Regions};
use smidgen_synthetic::{Builder, Precision, Random, Taps, random_classifier};
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
    let collected = Scheme { accumulate: 2, loss: Loss::MeanSquaredError, ..sparse.clone() };
    vec![Scheme::full(count), Scheme::bias_only(count), sparse, collected, Scheme::last_layer()]
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

/// Gradients of large images are taken band by band of the image. All of a plan's memory that is used again must be done with by then.
#[test]
fn large_images_learn_the_same_under_every_schedule() {
    for (seed, size) in [(1, 3), (2, 5), (3, 7)] {
        let mut b = Builder::new("large", Precision::Int8, seed);
        let mut x = b.input([1, 80, 80, 3]);
        x = b.conv(x, Taps::square(3).symmetric(), 8, Activation::Relu6);
        for stride in [2, 1] {
            x = b.pointwise(x, 32, Activation::Relu6);
            x = b.depthwise(x, Taps::square(size).stride(stride), 1, Activation::Relu6);
            x = b.pointwise(x, 16, Activation::None);
        }
        x = b.global_mean(x, false);
        x = b.fully_connected(x, 4, Activation::None);
        let mut graph = b.finish(&[x]);
        smidgen_ir::passes::canonicalise(&mut graph);
        let features = Features::of(&graph).unwrap();
        let samples = drawn(&features, 3);
        let count = features.convolutions.len();
        for scheme in [Scheme::full(count), Scheme::bias_only(count)] {
            let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
            let mut plain = Executor::new(layer_wise(&step));
            let mut others = [Objective::Sram, Objective::Balanced, Objective::Speed].map(|objective| {
                let options = PlanOptions { objective, ..PlanOptions::default() };
                let planned = plan(&step.lowered, &options).unwrap().program;
                let live = live_ranges(&planned).after;
                Executor::new(planned).with_poison(live).unwrap()
            });
            for (i, sample) in samples.iter().enumerate() {
                give(&mut plain, sample, i as i32, 0.02);
                plain.run();
                for other in &mut others {
                    give(other, sample, i as i32, 0.02);
                    other.run();
                    for parameter in &step.parameters {
                        let (a, b) = (plain.variable(parameter.variable), other.variable(parameter.variable));
                        assert_eq!(a, b, "windows of {size}, step {i}, {:?} of {scheme:?}", parameter.role);
                    }
                }
            }
        }
    }
}

/// Kernels that are not told the columns of their region write all of them, so that a few columns must never be asked of them: else they
/// write beyond the tile that holds these.
#[test]
fn kernels_that_compute_full_rows_are_never_asked_for_a_part() {
    let mut refused = BTreeSet::new();
    for seed in 0..10 {
        let graph = network(seed);
        let count = Features::of(&graph).unwrap().convolutions.len();
        let samples = drawn(&Features::of(&graph).unwrap(), 3);
        let step = compile(&graph, 5, &Scheme::full(count), &Default::default(), &samples).unwrap();
        let program = smidgen_plan::layer_wise(&step.lowered);
        for at in 0..program.runs.len() {
            let Run::Compute { step, region } = program.runs[at] else { continue };
            let kernel = &program.steps[step.index()].kernel;
            if region.x1 < 2 || kernel.regions() == Regions::Any || program.steps[step.index()].consumes {
                continue;
            }
            let mut cut = program.clone();
            let half = region.x1 / 2;
            let parts = [Region { x1: half, ..region }, Region { x0: half, ..region }];
            cut.runs.splice(at..=at, parts.map(|region| Run::Compute { step, region }));
            let why = certify(cut).expect_err("half a row is refused").to_string();
            assert!(why.contains("full rows") || why.contains("only runs whole"), "{}: {why}", kernel.name());
            refused.insert(kernel.name());
        }
    }
    assert!(["GradientConv2d", "GradientDepthwise"].iter().all(|name| refused.contains(name)), "{refused:?}");
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
    let (mut layers, mut tensors) = (0, 0);
    for seed in 100..220 {
        let Compared { features, computed, exact, .. } = compared(seed, 0.0);
        layers += features.convolutions.len();
        for (id, gradient) in &computed {
            let name = &features.graph.tensor(*id).name;
            let expected = &exact.tensors[id];
            assert_eq!(gradient.len(), expected.len(), "network {seed}, {name}");
            let cosine = cosine(gradient, expected);
            assert!(cosine >= 0.999, "network {seed}, gradient of {name}: cosine {cosine}");
            tensors += 1;
        }
    }
    assert!(layers > 500 && tensors > 900, "{layers} layers, {tensors} gradients");
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

/// Gives the classifier weights that are not 0, so that gradients pass it from the first sample on.
fn with_classifier(mut step: TrainingStep, random: &mut Random) -> TrainingStep {
    let classifier = step.parameters.iter().find(|p| p.role == Role::ClassifierWeights).unwrap();
    let words = (0..classifier.bytes / 4).flat_map(|_| (random.below(1 << 20) as i32 - (1 << 19)).to_le_bytes());
    let constant = Constant { name: "classifier".into(), bytes: words.collect(), align: 4 };
    step.lowered.constants.push(constant);
    step.lowered.variables[classifier.variable].initial =
        Initial::Constant(ConstantId(step.lowered.constants.len() as u32 - 1));
    step
}

/// What a parameter and what is left of its steps stand for, in units of what is left: `words` of the parameter have so many bytes, and so have those of the rest.
fn exact_values(executor: &Executor, [value, rest]: [(usize, usize); 2], bits: u32) -> Vec<i64> {
    let numbers = |(variable, bytes): (usize, usize)| -> Vec<i64> {
        let number = |bytes: &[u8]| {
            let mut all = [if bytes[bytes.len() - 1] < 128 { 0 } else { 0xff }; 8];
            all[..bytes.len()].copy_from_slice(bytes);
            i64::from_le_bytes(all)
        };
        executor.variable(variable).chunks_exact(bytes).map(number).collect()
    };
    numbers(value).iter().zip(numbers(rest)).map(|(value, rest)| (value << bits) - rest).collect()
}

#[test]
fn what_is_collected_is_the_sum_of_the_samples_steps() {
    let mut moved = 0;
    for seed in 300..320 {
        let graph = network(seed);
        let features = Features::of(&graph).unwrap();
        let samples = drawn(&features, 5);
        let samples_together = 2 + seed as usize % 4;
        let loss = if seed % 2 == 0 { Loss::MeanSquaredError } else { Loss::CrossEntropy };
        let single = Scheme { rounding: Rounding::Kept16, loss, ..Scheme::full(features.convolutions.len()) };
        let together = Scheme { accumulate: samples_together as u32, ..single.clone() };
        let [single, together] = [single, together].map(|scheme| {
            let step = compile(&graph, 5, &scheme, &Default::default(), &samples).unwrap();
            with_classifier(step, &mut Random::new(seed))
        });
        let mut collecting = Executor::new(layer_wise(&together));
        let begin = collecting.state().to_vec();
        let mut alone = Executor::new(layer_wise(&single));
        let places = |step: &TrainingStep, role: Role| {
            step.parameters.iter().find(|p| p.role == role).map(|p| p.variable).expect("a parameter")
        };
        let pairs = (0..features.convolutions.len()).flat_map(|n| {
            [(Role::Weights(n), Role::KeptOfWeights(n), 1, 4), (Role::Bias(n), Role::KeptOfBias(n), 4, 4)]
        });
        let pairs: Vec<_> = pairs.collect();
        let values = |step: &TrainingStep, executor: &Executor, narrow: usize| -> Vec<Vec<i64>> {
            let of = |&(value, rest, bytes, held): &(Role, Role, usize, usize)| {
                exact_values(executor, [(places(step, value), bytes), (places(step, rest), held / narrow)], 16)
            };
            pairs.iter().map(of).collect()
        };
        let before = values(&together, &collecting, 1);
        let mut sums: Vec<Vec<i64>> = before.iter().map(|all| vec![0; all.len()]).collect();
        for (i, sample) in samples.iter().take(samples_together).enumerate() {
            if i > 0 {
                for role in [Role::ClassifierWeights, Role::Weights(0), Role::Bias(0)] {
                    let at = places(&together, role);
                    assert_eq!(collecting.variable(at), Executor::new(layer_wise(&together)).variable(at), "{role:?}");
                }
            }
            give(&mut collecting, sample, i as i32, 0.02);
            collecting.run();
            alone.reset();
            give(&mut alone, sample, i as i32, 0.02);
            alone.run();
            for (sums, (after, before)) in sums.iter_mut().zip(values(&single, &alone, 2).iter().zip(&before)) {
                sums.iter_mut().zip(after.iter().zip(before)).for_each(|(sum, (after, before))| *sum += after - before);
            }
        }
        assert_ne!(collecting.state(), begin);
        for (pair, (after, (sums, before))) in
            pairs.iter().zip(values(&together, &collecting, 1).iter().zip(sums.iter().zip(&before)))
        {
            for (i, (&after, (&sum, &before))) in after.iter().zip(sums.iter().zip(before)).enumerate() {
                // A weight ends at 127, and what is left of a bias at the end of what it is kept in.
                let ends = |value: i64| pair.2 == 1 && (value >> 16).unsigned_abs() >= 125;
                if !ends(after) && !ends(before) && !ends(before + sum) {
                    assert_eq!(after - before, sum, "network {seed}, {:?}, element {i}", pair.0);
                    moved += usize::from(sum.unsigned_abs() > 1 << 16);
                }
            }
        }
    }
    assert!(moved > 1000, "{moved} elements moved");
}
