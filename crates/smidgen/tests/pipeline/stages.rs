//! What may come from anywhere goes through every stage: reading, printing, cleaning up, lowering, planning, certifying, generating code,
//! running and quantising. None may panic or find a fault of smidgen's own, and every schedule gives the same bytes.

use smidgen::certificate::{Certified, certify};
use smidgen::exec::Executor;
use smidgen::ir::{ElementType, Graph, Op};
use smidgen::lowering::{LowerError, lower};
use smidgen::plan::{Objective, PlanOptions, ScheduleChoice, layer_wise, plan};
use smidgen::program::{Lowered, Operand};
use smidgen::{Error, ErrorKind, LowerOptions, Network, codegen, ir, quant};

/// Work that one case is run with at most, in multiply-accumulates and elements: networks may be valid and large.
const MOST_WORK: u64 = 1_000_000;

/// Rows of all steps that one case is planned with in more ways than layer by layer: planning grows with them, and what counts the code that
/// is reached makes it several times as slow.
const MOST_ROWS: usize = 10_000;

/// How far a file came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reached {
    /// It is no network.
    Refused,
    /// It is one, but no kernel computes it, or it is too large.
    Read,
    /// It was planned, certified and printed as code.
    Planned,
    /// It was run as well.
    Run,
    /// It was quantised as well.
    Quantised,
}

/// Takes bytes through every stage.
///
/// # Panics
/// If a stage finds a fault of smidgen's own, or two schedules give different bytes.
pub fn through_all(bytes: &[u8]) -> Reached {
    let mut network = match Network::from_bytes(bytes) {
        Ok(network) => network,
        Err(error) => {
            blameless(&error);
            return Reached::Refused;
        }
    };
    let text = ir::text::print(network.graph());
    let again = ir::text::parse(&text).unwrap_or_else(|error| panic!("what is printed can be parsed: {error}\n{text}"));
    assert_eq!(ir::text::print(&again), text, "what is parsed prints the same");
    match network.to_tflite() {
        Ok(file) => drop(Network::from_tflite(&file).expect("what is written can be read")),
        Err(error) => blameless(&error),
    }
    let options = LowerOptions::default();
    let obstacles = network.obstacles(&options);
    if let Err(error) = network.canonicalise().and_then(|_| network.strip_io()) {
        blameless(&error);
    }
    let device = options.for_mcu();
    let lowered = match lower(network.graph(), &device) {
        Ok(lowered) => lowered,
        Err(error @ (LowerError::TooLarge { .. } | LowerError::Unsupported { .. })) => {
            assert!(!error.to_string().is_empty());
            return Reached::Read;
        }
    };
    let mut reached = Reached::Planned;
    let short = work(network.graph(), &lowered) <= MOST_WORK;
    let expected = short.then(|| outputs(certified(&lowered)));
    let rows: usize = lowered.steps.iter().flat_map(|step| &step.outputs).map(|target| target.extent.rows).sum();
    let layers = (Objective::Balanced, ScheduleChoice::Layer, false);
    let ways = if rows <= MOST_ROWS { choices(bytes).to_vec() } else { vec![layers] };
    for (objective, schedule, stream_input) in ways {
        let options = PlanOptions { schedule, objective, stream_input, budget: Some(20_000), ..PlanOptions::default() };
        let plan = match plan(&lowered, &options) {
            Ok(plan) => plan,
            Err(error) => {
                blameless(&error.into());
                continue;
            }
        };
        let name = codegen::Options { name: "network".into(), ..codegen::Options::default() };
        if let Err(error) = codegen::rust_crate(&plan.program, network.graph(), &name) {
            blameless(&error.into());
        }
        if let Some(expected) = &expected {
            assert!(
                outputs(plan.program) == *expected,
                "{objective:?} {schedule} {stream_input} gives other bytes\n{text}"
            );
            reached = Reached::Run;
        }
    }
    if short && obstacles.is_empty() && quantised(network.graph()) {
        reached = Reached::Quantised;
    }
    reached
}

/// Asserts that an error is not smidgen's own fault, and that it and its help can be printed.
fn blameless(error: &Error) {
    assert!(error.kind() != ErrorKind::Internal, "{error:?}");
    assert!(!error.to_string().is_empty() && error.help().is_none_or(|help| !help.is_empty()));
}

/// Two ways to plan, which depend on the bytes alone.
fn choices(bytes: &[u8]) -> [(Objective, ScheduleChoice, bool); 2] {
    let hash = bytes.iter().fold(0_u32, |hash, &b| hash.wrapping_mul(31).wrapping_add(u32::from(b)));
    let objective = [Objective::Balanced, Objective::Sram, Objective::Speed][hash as usize % 3];
    let other = match hash / 3 % 4 {
        0 => ScheduleChoice::Stream,
        1 => ScheduleChoice::Layer,
        2 => ScheduleChoice::Patch { rows: 2, cols: 2, operators: 1 + hash as usize / 12 % 3 },
        _ => ScheduleChoice::Strips { count: 2, operators: 1 + hash as usize / 12 % 3 },
    };
    [(objective, ScheduleChoice::Auto, hash / 36 % 2 == 0), (Objective::Balanced, other, false)]
}

/// What running a network takes, about.
fn work(graph: &Graph, lowered: &Lowered) -> u64 {
    let elements = |step: &smidgen::program::Step| -> u64 {
        let read = step.inputs.iter().map(|input| match input {
            Operand::Buffer(_, extent) => extent.elements(),
            Operand::Constant(_) => 0,
        });
        read.chain(step.outputs.iter().map(|target| target.extent.elements())).sum::<usize>() as u64
    };
    let pooled = graph.operators.iter().map(|operator| match &operator.op {
        Op::Pool2d { window, .. } => {
            let area = window.iter().map(|&side| side as u64).fold(1, u64::saturating_mul);
            area.saturating_mul(graph.tensor(operator.outputs[0]).shape.elements() as u64)
        }
        _ => 0,
    });
    let steps = lowered.steps.iter().map(|step| step.macs.saturating_add(elements(step)));
    steps.chain(pooled).fold(0, u64::saturating_add)
}

/// The plainest Program there is.
fn certified(lowered: &Lowered) -> Certified {
    certify(layer_wise(lowered)).unwrap_or_else(|error| panic!("layer by layer is not sound: {error}"))
}

/// The outputs for inputs that depend on nothing but the network, and what its variables hold then.
fn outputs(program: Certified) -> Vec<Vec<u8>> {
    let mut executor = Executor::new(program);
    let inputs = executor.program().inputs.clone();
    for (index, port) in inputs.iter().enumerate() {
        if let Operand::Buffer(id, _) = port.operand {
            let spec = &executor.program().buffers[id.index()].spec;
            let bytes = sample(spec.element, spec.extent.elements(), index);
            executor.set_input(index, &bytes).expect("the input has the size of its buffer");
        }
    }
    executor.run();
    let outputs = (0..executor.program().outputs.len()).map(|i| executor.output(i).to_vec());
    outputs.chain((0..executor.program().variables.len()).map(|i| executor.variable(i).to_vec())).collect()
}

/// Elements of some type: small numbers, both signs.
fn sample(element: ElementType, count: usize, seed: usize) -> Vec<u8> {
    let value = |i: usize| ((i * 37 + seed * 11) % 19) as i8 - 9;
    match element {
        ElementType::Float32 => (0..count).flat_map(|i| (f32::from(value(i)) / 4.0).to_le_bytes()).collect(),
        ElementType::Bool => (0..count).map(|i| u8::from(value(i) > 0)).collect(),
        ElementType::Int16 => (0..count).flat_map(|i| i16::from(value(i)).to_le_bytes()).collect(),
        ElementType::Int32 => (0..count).flat_map(|i| i32::from(value(i)).to_le_bytes()).collect(),
        ElementType::Int64 => (0..count).flat_map(|i| i64::from(value(i)).to_le_bytes()).collect(),
        ElementType::Int8 | ElementType::Uint8 | ElementType::Int4 => (0..count).map(|i| value(i) as u8).collect(),
    }
}

/// Quantises a network with two samples. True if that worked.
fn quantised(graph: &Graph) -> bool {
    let inputs = |seed: usize| -> quant::Inputs {
        let inputs = graph.inputs.iter().map(|&id| graph.tensor(id));
        inputs.map(|tensor| sample(tensor.element(), tensor.shape.elements(), seed)).collect()
    };
    match quant::quantise(graph, &[inputs(0), inputs(1)], &quant::Options::default(), &|_| {}) {
        Ok(quantised) => {
            ir::validate(&quantised.graph).expect("a quantised network is valid");
            lower(&quantised.graph, &LowerOptions::default().for_mcu()).expect("a quantised network has kernels");
            true
        }
        Err(error) => {
            blameless(&error.into());
            false
        }
    }
}
