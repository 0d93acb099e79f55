//! Networks with variables: every schedule gives, frame after frame, what a network without state gives whose caller hands the state over.

use smidgen_exec::Executor;
use smidgen_ir::{Graph, Tensor, TensorId, Variable, text, validate};
use smidgen_plan::certify::live_ranges;
use smidgen_plan::{Certified, LowerOptions, PlanError, PlanOptions, certify, lower, plan, simple};
use smidgen_zoo::{Random, RandomGraphOptions, random_graph};

/// A causal convolution over time: a ring of the last frames is a variable, each inference takes one more. The ring begins with numbers.
pub const STREAMING: &str = include_str!("variables/streaming.ir");

/// The same network with the state in the caller's hands: values of variables as inputs, what they hold next as outputs.
fn stateless(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    for variable in std::mem::take(&mut graph.variables) {
        graph.inputs.push(variable.value);
        graph.outputs.push(variable.next);
    }
    validate(&graph).expect("a sound network");
    graph
}

/// Outputs of some frames, from the network without state.
fn expected(graph: &Graph, frames: &[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>> {
    let lowered = lower(&stateless(graph), &LowerOptions::default()).expect("supported operators");
    let mut executor = Executor::new(certify(simple::layer_wise(&lowered)).expect("a sound program"));
    let mut state: Vec<Vec<u8>> = graph.variables.iter().map(|v| graph.initial_bytes(v).to_vec()).collect();
    let mut results = Vec::new();
    for frame in frames {
        for (i, bytes) in frame.iter().chain(&state).enumerate() {
            executor.set_input(i, bytes).expect("an input of this size");
        }
        executor.run();
        let mut outputs: Vec<Vec<u8>> =
            (0..executor.program().outputs.len()).map(|i| executor.output(i).to_vec()).collect();
        state = outputs.split_off(graph.outputs.len());
        results.push(outputs);
    }
    results
}

/// Outputs of some frames; with everything overwritten that nobody needs.
fn outputs(executor: &mut Executor, frames: &[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>> {
    let run = |frame: &Vec<Vec<u8>>| {
        for (i, bytes) in frame.iter().enumerate() {
            executor.set_input(i, bytes).expect("an input of this size");
        }
        executor.run();
        (0..executor.program().outputs.len()).map(|i| executor.output(i).to_vec()).collect()
    };
    frames.iter().map(run).collect()
}

fn poisoned(program: Certified) -> Executor {
    let live = live_ranges(&program).after;
    Executor::new(program).with_poison(live).expect("ranges inside the arena")
}

/// Random bytes for each input of so many frames; small enough that floats are finite.
fn frames(graph: &Graph, count: usize, seed: u64) -> Vec<Vec<Vec<u8>>> {
    let mut random = Random::new(seed);
    let mut bytes = |n: usize| -> Vec<u8> { (0..n).map(|_| random.below(256) as u8).collect() };
    (0..count).map(|_| graph.inputs.iter().map(|&id| bytes(graph.tensor(id).bytes())).collect()).collect()
}

fn schedules() -> Vec<PlanOptions> {
    let choices = ["layer", "stream", "auto", "patch:2x1@1", "strips:2@1", "patch:2x2@2", "strips:2@3"];
    let choose = |choice: &&str, stream_input| PlanOptions {
        schedule: choice.parse().expect("a schedule"),
        stream_input,
        ..PlanOptions::default()
    };
    choices.iter().map(|c| choose(c, false)).chain(["stream", "auto"].iter().map(|c| choose(c, true))).collect()
}

/// Holds every schedule to the network without state; returns how many there were.
fn check(name: &str, graph: &Graph, frames: &[Vec<Vec<u8>>]) -> usize {
    validate(graph).unwrap_or_else(|error| panic!("{name}: {error}\n{}", text::print(graph)));
    let expected = expected(graph, frames);
    let mut suited = 0;
    for options in [LowerOptions::default(), LowerOptions::default().for_device()] {
        let lowered = lower(graph, &options).expect("supported operators");
        let layers =
            certify(simple::layer_wise(&lowered)).unwrap_or_else(|e| panic!("{name}: {e}\n{}", text::print(graph)));
        assert_eq!(outputs(&mut poisoned(layers), frames), expected, "{name}, plainest\n{}", text::print(graph));
        for options in schedules() {
            let plan = match plan(&lowered, &options) {
                Ok(plan) => plan,
                Err(PlanError::Tile(_)) => continue,
                Err(error) => panic!("{name}, {}: {error}\n{}", options.schedule, text::print(graph)),
            };
            suited += 1;
            let mut executor = poisoned(plan.program);
            let first = outputs(&mut executor, frames);
            assert_eq!(first, expected, "{name}, {}\n{}", options.schedule, text::print(graph));
            executor.reset();
            assert_eq!(outputs(&mut executor, frames), first, "{name}, {}, after a reset", options.schedule);
        }
    }
    suited
}

#[test]
fn a_streaming_convolution_runs_over_two_hundred_frames() {
    let graph = text::parse(STREAMING).expect("a network");
    let frames = frames(&graph, 200, 1);
    assert!(check("streaming", &graph, &frames) >= 8);

    // Against the whole convolution, written out: out[o] = sum over taps and channels of what the last frames were.
    let lowered = lower(&graph, &LowerOptions::default()).expect("supported operators");
    let plan = plan(&lowered, &PlanOptions::default()).expect("a plan");
    // The ring is written by the step that makes it, without a copy, and takes its own bytes once.
    assert!(lowered.steps.iter().all(|step| !step.name.starts_with("ASSIGN_VARIABLE")), "{:?}", lowered.steps);
    assert_eq!(plan.report.persistent_bytes, 8 * 4);
    let unlike = stateless(&graph);
    let without = lower(&unlike, &LowerOptions::default()).expect("supported operators");
    let without = smidgen_plan::plan(&without, &PlanOptions::default()).expect("a plan").report.total_bytes;
    println!("{} bytes with the state, {without} where the caller keeps it", plan.report.total_bytes);
}

/// A random network in which some operators read what an earlier inference left in place of what this one computes. Variables hold next
/// what is computed, given, constant, or what they or others held before; some of it is an output of the network too.
fn with_variables(seed: u64) -> Graph {
    let mut graph = random_graph(seed, &RandomGraphOptions::default());
    let mut random = Random::new(seed ^ 0x7661_7273);
    let count = 1 + random.below(3);
    let activations: Vec<TensorId> =
        graph.sources().chain(graph.operators.iter().flat_map(|o| o.outputs.clone())).collect();
    for k in 0..count {
        let like = activations[random.below(activations.len())];
        let Tensor { shape, dtype, .. } = graph.tensor(like).clone();
        let value = graph.add_tensor(Tensor::activation(format!("v{k}"), shape.clone(), dtype.clone()));
        for operator in &mut graph.operators {
            for input in operator.inputs.iter_mut().filter(|input| **input == like) {
                if random.below(2) == 0 {
                    *input = value;
                }
            }
        }
        let bytes = graph.tensor(value).bytes();
        let constant = Tensor::constant(
            format!("c{k}"),
            shape.clone(),
            dtype.clone(),
            (0..bytes).map(|_| random.below(100) as u8).collect::<Vec<_>>(),
        );
        let constant = graph.add_tensor(constant);
        let alike = |&id: &TensorId| graph.tensor(id).shape == shape && graph.tensor(id).dtype == dtype;
        let held: Vec<TensorId> = graph.variables.iter().map(|v| v.value).filter(alike).collect();
        let computed: Vec<TensorId> = activations.iter().copied().filter(alike).collect();
        let next = match random.below(8) {
            0 => constant,
            1 => value,
            2 | 3 if !held.is_empty() => held[random.below(held.len())],
            _ => computed[random.below(computed.len())],
        };
        let initial = (random.below(2) == 0).then_some(constant);
        graph.variables.push(Variable { value, next, initial });
        // Swapped or turned: an earlier one then holds next what this one held.
        if random.below(4) == 0
            && let Some(&other) = held.first()
            && let Some(earlier) = graph.variables.iter_mut().find(|v| v.value == other)
        {
            earlier.next = value;
        }
        if random.below(4) == 0 {
            graph.outputs.push(value);
        }
        if random.below(4) == 0 {
            graph.outputs.push(next);
        }
    }
    graph
}

#[test]
fn random_networks_with_variables_give_what_those_without_state_give() {
    let (mut suited, mut copied, mut direct) = (0, 0, 0);
    for seed in 0..60 {
        let mut graph = with_variables(seed);
        // Weights and biases that an operator finds in a variable are none.
        if validate(&graph).is_err() {
            continue;
        }
        let given = frames(&graph, 4, seed);
        let name = format!("seed {seed}");
        suited += check(&name, &graph, &given);
        let lowered = lower(&graph, &LowerOptions::default()).expect("supported operators");
        let copies = lowered.steps.iter().filter(|step| step.name.starts_with("ASSIGN_VARIABLE")).count();
        let assigned = lowered.variables.iter().filter(|variable| variable.value != variable.next).count();
        (copied, direct) = (copied + copies, direct + assigned - copies);
        let before = expected(&graph, &given);
        smidgen_ir::passes::clean_up(&mut graph);
        suited += check(&format!("{name}, cleaned up"), &graph, &given);
        assert_eq!(expected(&graph, &given), before, "{name}, cleaned up");
        assert_eq!(text::parse(&text::print(&graph)).as_ref(), Ok(&graph), "{name}, as text");
    }
    assert!(suited > 600 && copied > 10 && direct > 10, "{suited} {copied} {direct}");
}
