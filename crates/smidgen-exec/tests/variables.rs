//! Networks with variables: every schedule gives, frame after frame, what a network without state gives whose caller hands the state over.

use smidgen_exec::Executor;
use smidgen_ir::{Graph, text, validate};
use smidgen_plan::certify::live_ranges;
use smidgen_plan::{Certified, LowerOptions, PlanError, PlanOptions, ScheduleChoice, certify, lower, plan, simple};
use smidgen_zoo::Random;

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
        let layers = certify(simple::layer_wise(&lowered)).unwrap_or_else(|e| panic!("{name}: {e}\n{}", text::print(graph)));
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
