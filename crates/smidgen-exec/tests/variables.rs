//! Networks with variables: every schedule gives, frame after frame, what a network without state gives whose caller
//! hands the state over.

use smidgen_certify::live_ranges;
use smidgen_certify::{Certified, certify};
use smidgen_exec::Executor;
use smidgen_ir::{Graph, text, validate};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::{PlanError, PlanOptions, layer_wise, plan};
use smidgen_reference::{Case, Reference};
use smidgen_synthetic::Random;

#[path = "variables/random.rs"]
mod random;

use random::with_variables;

/// A causal convolution over time: a ring of the last frames is a variable, each inference takes one more. The ring
/// begins with numbers.
pub const STREAMING: &str = include_str!("variables/streaming.ir");

/// The same network with the state in the caller's hands: values of variables as inputs, what they hold next as
/// outputs.
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
    let mut executor = Executor::new(certify(layer_wise(&lowered)).expect("a sound program"));
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
    for options in [LowerOptions::default(), LowerOptions::default().for_mcu()] {
        let lowered = lower(graph, &options).expect("supported operators");
        let layers = certify(layer_wise(&lowered)).unwrap_or_else(|e| panic!("{name}: {e}\n{}", text::print(graph)));
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
        smidgen_ir::passes::canonicalise(&mut graph);
        suited += check(&format!("{name}, cleaned up"), &graph, &given);
        assert_eq!(expected(&graph, &given), before, "{name}, cleaned up");
        assert_eq!(text::parse(&text::print(&graph)).as_ref(), Ok(&graph), "{name}, as text");
    }
    assert!(suited > 600 && copied > 10 && direct > 10, "{suited} {copied} {direct}");
}

#[test]
fn the_reference_interpreter_gives_the_same_frames() {
    let Some(mut reference) = Reference::start_or_skip("networks with variables") else { return };
    let mut cases = Vec::new();
    let streaming = text::parse(STREAMING).expect("a network");
    cases.push((streaming.clone(), frames(&streaming, 200, 7)));
    for seed in 0..150 {
        let graph = with_variables(seed);
        if validate(&graph).is_ok() {
            let given = frames(&graph, 5, seed);
            cases.push((graph, given));
        }
    }
    let mut compared = 0;
    for (graph, given) in cases {
        let model = smidgen_tflite::write(&graph).expect("a valid network");
        let again = smidgen_tflite::read(&model).expect("what is written");
        let name = &graph.name;
        validate(&again).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = expected(&graph, &given);
        assert_eq!(self::expected(&again, &given), expected, "{name}, written and read");
        let case = Case { model, samples: given, ..Case::default() };
        let outcome =
            reference.run_case(&case).unwrap_or_else(|error| panic!("{name}: {error}\n{}", text::print(&graph)));
        let found: Vec<_> = outcome.samples.into_iter().map(|sample| sample.outputs).collect();
        assert_eq!(found, expected, "{name}, by the reference\n{}", text::print(&graph));
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

/// The streaming network's Program by the plainest plan, changed.
fn refused(change: impl FnOnce(&mut smidgen_program::Program)) -> String {
    let graph = text::parse(STREAMING).expect("a network");
    let lowered = lower(&graph, &LowerOptions::default()).expect("supported operators");
    let mut program = layer_wise(&lowered);
    change(&mut program);
    certify(program).expect_err("a fault").to_string()
}

#[test]
fn programs_that_do_not_keep_variables_are_refused() {
    use smidgen_program::{ConstantId, Initial, Run};
    let ring = |p: &smidgen_program::Program| p.variables[0].clone();
    // Another buffer, scratch or state where the variable lies.
    let said = refused(|p| {
        let at = p.variable_bytes(&ring(p)).offset;
        let other = p.buffers.iter_mut().find(|b| b.spec.name == "y").expect("the output");
        other.offset = at;
    });
    assert!(said.contains("variable ring shares bytes with buffer y"), "{said}");
    let said = refused(|p| {
        let at = p.variable_bytes(&ring(p)).offset;
        p.scratch[0] = smidgen_program::Bytes { offset: at + 4, len: 4 };
    });
    assert!(said.contains("variable ring shares bytes with the scratch of step"), "{said}");
    // The next value somewhere else, none at all, an old one left.
    let said = refused(|p| {
        let next = ring(p).next;
        p.buffers[next.index()].offset = 0;
    });
    assert!(said.contains("does not hold its next value where it holds this one"), "{said}");
    let said = refused(|p| {
        let step = p.steps.iter().position(|s| s.name.starts_with("CONCATENATION")).expect("a step");
        p.runs.retain(|run| !matches!(run, Run::Compute { step: id, .. } if id.index() == step));
    });
    assert!(said.contains("new") && said.contains("ring"), "{said}");
    let said = refused(|p| {
        // Only the last frame is new.
        let step = p.steps.iter().position(|s| s.name.starts_with("CONCATENATION")).expect("a step");
        p.runs.truncate(step + 1);
        p.steps.truncate(step + 1);
        p.scratch.truncate(step + 1);
        p.state.truncate(step + 1);
        p.outputs.clear();
        let Some(Run::Compute { region, .. }) = p.runs.last_mut() else { panic!("a run") };
        region.y0 = region.y1 - 1;
    });
    assert!(said.contains("variable ring is not complete at the end: row 0"), "{said}");
    // Written before all of the old value has been read.
    let said = refused(|p| {
        let slice = p.runs.remove(0);
        p.runs.insert(1, slice);
    });
    assert!(said.contains("reads row") || said.contains("never written"), "{said}");
    let said = refused(|p| {
        let (value, next) = (ring(p).value, ring(p).next);
        for step in &mut p.steps {
            for target in step.outputs.iter_mut().filter(|t| t.buffer == next) {
                target.buffer = value;
            }
        }
    });
    assert!(said.contains("is written in place of its next value by step"), "{said}");
    // What it begins with.
    let said = refused(|p| p.variables[0].initial = Initial::Constant(ConstantId(9999)));
    assert!(said.contains("names constant 9999"), "{said}");
    let said = refused(|p| {
        let Initial::Constant(id) = ring(p).initial else { panic!("it begins with numbers") };
        p.constants[id.index()].bytes.pop();
    });
    assert!(said.contains("begins with a constant of 31"), "{said}");
    // One place for two.
    let said = refused(|p| p.variables.push(ring(p)));
    assert!(said.contains("has a buffer that is another variable's too"), "{said}");
    let said = refused(|p| {
        p.inputs[0].operand =
            smidgen_program::Operand::Buffer(ring(p).value, p.buffers[ring(p).value.index()].spec.extent)
    });
    assert!(said.contains("is what the caller fills"), "{said}");
    // Read again behind the assignment, where the new value lies.
    let said = refused(|p| {
        let slice = p.runs[0];
        p.runs.push(slice);
    });
    assert!(said.contains("of ring at arena byte"), "{said}");
}
