//! Draws cases until enough are accepted by the reference, compares, and reports the smallest that differs.

use crate::compare::{Difference, difference_of, greatest};
use crate::draw::{Draw, FULL_SIZE, Numbers};
use crate::ours::{self, KERNEL_SETS};
use smidgen_ir::text::print;
use smidgen_ir::{Graph, Op, Operator};
use smidgen_lower::KernelSet;
use smidgen_reference::{Case, Error, Kernels, Outcome, Reference, Sample};
use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::sync::Mutex;

/// Cases that the reference must accept, for each operator and type, unless the variable `SMIDGEN_CASES` says another number.
const CASES: usize = 300;
/// Samples run through each model, and through each that keeps exact state from one to the next.
const SAMPLES: usize = 3;
const FRAMES: usize = 32;
/// Seeds tried for each smaller size after a mismatch.
const SHRINK_SEEDS: u64 = 60;
/// A generator of which the reference refuses more than this many times what it must accept is wrong itself.
const MOST_REFUSED: usize = 3;

/// Draws a graph of one operator, or `None` if what was drawn does not fit together.
pub type Generator = fn(&mut Draw) -> Option<Graph>;

/// Idle interpreter processes, shared by the tests of this program.
static IDLE: Mutex<Vec<Reference>> = Mutex::new(Vec::new());

struct Drawn {
    seed: u64,
    size: usize,
    graph: Graph,
    /// What our reader made of what our writer wrote.
    back: Graph,
    case: Case,
}

/// What was wrong with a case.
pub enum Fault {
    /// We could not write, read or run it.
    Ours(String),
    /// The reference has no result.
    Reference(Error),
    /// The results differ.
    Differs {
        /// Our kernels and which sample and output.
        at: String,
        /// How.
        difference: Difference,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Ours(message) => f.write_str(message),
            Fault::Reference(error) => error.fmt(f),
            Fault::Differs { at, difference: d } => write!(
                f,
                "{at}: {} elements differ, first element {}: reference {}, ours {}",
                d.count, d.index, d.expected, d.got
            ),
        }
    }
}

/// Runs one operator's differential test.
///
/// # Panics
/// If anything differs: with the number of cases that do, and the smallest found.
pub fn run(name: &str, numbers: Numbers, generate: Generator) {
    run_but_for(name, numbers, generate, 0.0);
}

/// The same for an operator that quantises floats which it has computed itself. The last bit of a function, which no two libraries
/// have alike, there decides now and then between two integers: in one case of fifty at most, and then a result may be off by what a step of
/// the integers makes of it, at most `step`.
pub fn run_feeding_back(name: &str, numbers: Numbers, generate: Generator, step: f32) {
    run_but_for(name, numbers, generate, step);
}

fn run_but_for(name: &str, numbers: Numbers, generate: Generator, step: f32) {
    /// Of the cases, those that may be off by a step.
    const RARE: usize = 50;
    let idle = IDLE.lock().unwrap().pop();
    let Some(mut reference) = idle.or_else(|| Reference::start_or_skip(name)) else { return };
    let cases = std::env::var("SMIDGEN_CASES").map_or(CASES, |n| n.parse().expect("SMIDGEN_CASES is a number"));
    let mut accepted = 0;
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults: Vec<(Drawn, Fault)> = Vec::new();
    let mut rare = 0;
    let mut seed = 0;
    while accepted < cases {
        let mut batch = Vec::new();
        while batch.len() < CASES.min(cases - accepted) {
            match draw(seed, FULL_SIZE, numbers, generate) {
                Ok(Some(drawn)) => batch.push(drawn),
                Ok(None) => {}
                Err(fault) => panic!("{name} {numbers:?}, seed {seed}: {fault}"),
            }
            seed += 1;
        }
        for (drawn, verdict) in judge(&mut reference, batch) {
            match verdict {
                Err(Fault::Reference(Error::Refused(message))) => *refusals.entry(message).or_default() += 1,
                Ok(()) => accepted += 1,
                Err(Fault::Differs { difference: d, .. }) if d.most <= step && rare < cases / RARE => {
                    accepted += 1;
                    rare += 1;
                }
                Err(fault) => {
                    accepted += 1;
                    faults.push((drawn, fault));
                }
            }
        }
        let refused: usize = refusals.values().sum();
        assert!(refused <= MOST_REFUSED * cases, "{name} {numbers:?}: the reference refuses too many: {refusals:#?}");
    }
    println!("{name} {numbers:?}: {accepted} cases accepted, {} refused", refusals.values().sum::<usize>());
    if rare > 0 {
        println!("  {rare} of them off by a step of what they feed back");
    }
    for (message, count) in &refusals {
        println!("  refused {count} times: {message}");
    }
    if faults.is_empty() {
        IDLE.lock().unwrap().push(reference);
        return;
    }
    let count = faults.len();
    let smallest = shrink(&mut reference, numbers, generate).or_else(|| faults.into_iter().next());
    let (drawn, fault) = smallest.expect("there is a fault");
    panic!(
        "{name} {numbers:?}: {count} of {accepted} cases differ from the reference\nseed {}, size {}: {fault}\n{}",
        drawn.seed,
        drawn.size,
        print(&drawn.graph)
    );
}

/// Runs one operator's differential test on scales as no network has them.
///
/// # Panics
/// If a result differs, or if what we refuse is not named.
pub fn run_absurd(name: &str, numbers: Numbers, generate: Generator) {
    /// Of all cases, the least part that both sides run: otherwise the generator proves nothing.
    const LEAST: f64 = 0.2;
    let idle = IDLE.lock().unwrap().pop();
    let Some(mut reference) = idle.or_else(|| Reference::start_or_skip(name)) else { return };
    let cases = std::env::var("SMIDGEN_CASES").map_or(CASES, |n| n.parse().expect("SMIDGEN_CASES is a number"));
    let mut batch = Vec::new();
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let mut refuse = |message: String| {
        assert!(message.contains('`') || message.contains('"'), "{name} {numbers:?}: names no tensor: {message}");
        let kind: String = message.chars().filter(|c| !c.is_ascii_digit()).take(100).collect();
        *refusals.entry(kind).or_default() += 1;
    };
    for seed in 0..cases as u64 {
        match draw_absurd(seed, numbers, generate) {
            Ok(drawn) => batch.extend(drawn),
            Err(message) => refuse(message),
        }
    }
    let (mut same, mut theirs, mut faults) = (0, BTreeMap::<String, usize>::new(), Vec::new());
    for (drawn, verdict) in judge(&mut reference, batch) {
        match verdict {
            Ok(()) => same += 1,
            Err(Fault::Reference(error)) => *theirs.entry(error.to_string()).or_default() += 1,
            Err(Fault::Ours(message)) if message.contains("lowering") => refuse(message),
            Err(fault) => faults.push((drawn, fault)),
        }
    }
    println!("{name} {numbers:?}: {same} the same; we refuse {refusals:#?}; the reference refuses {theirs:#?}");
    if let Some((drawn, fault)) = faults.iter().min_by_key(|(drawn, _)| drawn.case.model.len()) {
        let count = faults.len();
        panic!("{name} {numbers:?}: {count} of {cases} differ\nseed {}: {fault}\n{}", drawn.seed, print(&drawn.graph));
    }
    assert!(same as f64 >= LEAST * cases as f64, "{name} {numbers:?}: only {same} of {cases} were compared");
    IDLE.lock().unwrap().push(reference);
}

/// Draws a case with absurd scales; fails with what our validator, writer or reader says.
fn draw_absurd(seed: u64, numbers: Numbers, generate: Generator) -> Result<Option<Drawn>, String> {
    /// Few elements: what is tried is scales.
    const SIZE: usize = 9;
    let mut source = Draw::new(seed, SIZE, numbers);
    source.absurd = true;
    let Some(graph) = generate(&mut source) else { return Ok(None) };
    let model = ours::write(&graph)?;
    let back = ours::read(&model)?;
    let samples = (0..SAMPLES).map(|_| source.sample(&graph)).collect();
    Ok(Some(Drawn { seed, size: SIZE, graph, back, case: Case { model, samples, ..Case::default() } }))
}

/// Runs a model's file in the reference and here, on random inputs.
///
/// # Errors
/// Whatever differs or fails, a refusal of the reference included.
pub fn check_file(reference: &mut Reference, model: &[u8], draw: &mut Draw) -> Result<(), Fault> {
    let graph = ours::read(model).map_err(Fault::Ours)?;
    let samples: Vec<_> = (0..SAMPLES).map(|_| draw.sample(&graph)).collect();
    let case = Case { model: model.to_vec(), samples, ..Case::default() };
    let outcome = reference.run_case(&case).map_err(Fault::Reference)?;
    compare(&graph, &case, &outcome)
}

/// Draws the case of a seed. `Ok(None)` if what was drawn does not fit together.
fn draw(seed: u64, size: usize, numbers: Numbers, generate: Generator) -> Result<Option<Drawn>, String> {
    let mut source = Draw::new(seed, size, numbers);
    let Some(graph) = generate(&mut source) else { return Ok(None) };
    let written = ours::write(&graph).and_then(|model| Ok((ours::read(&model)?, model)));
    let (back, model) = written.map_err(|e| format!("{e}\n{}", print(&graph)))?;
    // What floats feed back they round again and again, each side in an order of its own.
    let exact = numbers != Numbers::Float && !graph.variables.is_empty();
    let samples = if exact { FRAMES } else { SAMPLES };
    let samples = (0..samples).map(|_| source.sample(&graph)).collect();
    // Functions that the reference kernels lack and the default ones have.
    let by_default = |operator: &Operator| ["CEIL", "ELU", "ROUND"].contains(&operator.op.name());
    let kernels = if graph.operators.iter().any(by_default) { Kernels::Default } else { Kernels::Reference };
    Ok(Some(Drawn { seed, size, graph, back, case: Case { model, samples, kernels, ..Case::default() } }))
}

fn judge(reference: &mut Reference, batch: Vec<Drawn>) -> Vec<(Drawn, Result<(), Fault>)> {
    let cases: Vec<Case> = batch.iter().map(|drawn| drawn.case.clone()).collect();
    let results = reference.run_batch(&cases);
    let verdicts = batch.into_iter().zip(results).map(|(drawn, result)| {
        let verdict = result.map_err(Fault::Reference).and_then(|outcome| compare(&drawn.back, &drawn.case, &outcome));
        (drawn, verdict)
    });
    verdicts.collect()
}

/// Runs the graph with every kernel set, before and after the passes, and compares with what the reference gave.
fn compare(graph: &Graph, case: &Case, outcome: &Outcome) -> Result<(), Fault> {
    let rewritten = ours::rewritten(graph);
    let variants = rewritten.iter().map(|graph| ("after the passes, ", graph));
    for (when, graph) in iter::once(("", graph)).chain(variants) {
        for kernels in KERNEL_SETS {
            let at = format!("{when}{kernels:?} kernels");
            compare_one(graph, kernels, case, outcome, at)?;
        }
    }
    Ok(())
}

fn compare_one(graph: &Graph, kernels: KernelSet, case: &Case, outcome: &Outcome, at: String) -> Result<(), Fault> {
    let got = ours::run(graph, kernels, &case.samples).map_err(|message| Fault::Ours(format!("{at}: {message}")))?;
    let recurrent = graph.operators.iter().any(|operator| matches!(operator.op, Op::Recurrent(_) | Op::Svdf { .. }));
    for (sample, (expected, got)) in outcome.samples.iter().zip(&got).enumerate() {
        for (output, &id) in graph.outputs.iter().enumerate() {
            let element = graph.tensor(id).element();
            let unit = if recurrent { greatest(&expected.outputs[output]) } else { 0.0 };
            if let Some(difference) = difference_of(element, &expected.outputs[output], &got[output], unit) {
                return Err(Fault::Differs { at: format!("{at}, sample {sample}, output {output}"), difference });
            }
        }
    }
    Ok(())
}

/// The first faulty case of the smallest size that has one.
fn shrink(reference: &mut Reference, numbers: Numbers, generate: Generator) -> Option<(Drawn, Fault)> {
    [1, 2, 3, 4, 6, 9, 13].into_iter().find_map(|size| {
        let drawn = (0..SHRINK_SEEDS).filter_map(|seed| draw(seed, size, numbers, generate).ok().flatten()).collect();
        judge(reference, drawn).into_iter().find_map(|(drawn, verdict)| match verdict {
            Ok(()) | Err(Fault::Reference(Error::Refused(_))) => None,
            Err(fault) => Some((drawn, fault)),
        })
    })
}

#[test]
fn one_wrong_byte_is_found() {
    let drawn = draw(3, FULL_SIZE, Numbers::Int8, crate::generators::windowed::conv_2d).unwrap().expect("seed 3 fits");
    let right = ours::run(&drawn.back, KernelSet::Reference, &drawn.case.samples).unwrap();
    let samples = right.into_iter().map(|outputs| Sample { outputs, ..Sample::default() }).collect();
    let mut outcome = Outcome { samples, seconds: 0.0 };
    assert!(compare(&drawn.back, &drawn.case, &outcome).is_ok());
    let last = outcome.samples[SAMPLES - 1].outputs[0].last_mut().expect("outputs are not empty");
    *last ^= 1;
    let fault = compare(&drawn.back, &drawn.case, &outcome).unwrap_err();
    assert!(matches!(fault, Fault::Differs { ref difference, .. } if difference.count == 1), "{fault}");
}
