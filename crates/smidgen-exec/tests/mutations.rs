//! Faults seeded into sound Programs. For each the certifier either refuses the Program, or the fault does no harm: then it
//! computes the same bytes. Of each kind of fault several must be refused.

use smidgen_certify::Refused;
use smidgen_certify::{Certified, certify};
use smidgen_exec::Executor;
use smidgen_kernels::{Region, Window2d};
use smidgen_lower::{KernelSet, LowerOptions, lower};
use smidgen_plan::{PlanOptions, ScheduleChoice, plan};
use smidgen_program::kernel;
use smidgen_program::{AxisFootprint, ElementType, Footprint, Kernel, Operand, Program, Run, Step, StepId};
use smidgen_synthetic::{Random, RandomGraphOptions, random_graph};

#[path = "variables/random.rs"]
mod random;
#[path = "../../smidgen-plan/tests/support/replay.rs"]
mod simple;

/// Whether a Program was refused when its runs were replayed, and not before.
fn replayed(refused: &Refused) -> bool {
    use Refused::{Clobbered, Incomplete, OutOfOrder, Tile, Trampled, Unfed, Unfinished};
    matches!(
        refused,
        Clobbered { .. }
            | Incomplete { .. }
            | OutOfOrder { .. }
            | Tile { .. }
            | Trampled { .. }
            | Unfed { .. }
            | Unfinished { .. }
    ) || matches!(refused, Refused::Variable { reason, .. } if reason.starts_with("is not complete at the end"))
}

/// A fault: changes a Program at a random place and says whether it found one.
type Fault = fn(&mut Program, &mut Random) -> bool;

fn some_buffer(p: &Program, rng: &mut Random, wanted: impl Fn(&smidgen_program::Buffer) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..p.buffers.len()).filter(|&i| wanted(&p.buffers[i])).collect();
    (!all.is_empty()).then(|| all[rng.below(all.len())])
}

fn some_variable(p: &Program, rng: &mut Random) -> Option<usize> {
    (!p.variables.is_empty()).then(|| rng.below(p.variables.len()))
}

fn some_run(p: &Program, rng: &mut Random, wanted: impl Fn(&Program, StepId, Region) -> bool) -> Option<usize> {
    let fits = |run: &Run| matches!(*run, Run::Compute { step, region } if wanted(p, step, region));
    let all: Vec<usize> = (0..p.runs.len()).filter(|&i| fits(&p.runs[i])).collect();
    (!all.is_empty()).then(|| all[rng.below(all.len())])
}

fn change_region(
    p: &mut Program,
    rng: &mut Random,
    wanted: impl Fn(Region) -> bool,
    change: impl Fn(&mut Region),
) -> bool {
    let Some(at) = some_run(p, rng, |_, _, region| wanted(region)) else { return false };
    if let Run::Compute { region, .. } = &mut p.runs[at] {
        change(region);
    }
    true
}

/// A step that has bytes of scratch (or state) and reads a buffer: its index and where that buffer begins.
fn step_with(p: &Program, rng: &mut Random, bytes: impl Fn(usize) -> usize) -> Option<(usize, usize)> {
    let first = |i: usize| p.steps[i].inputs.iter().find_map(|o| o.buffer());
    let all: Vec<usize> = (0..p.steps.len()).filter(|&i| bytes(i) > 0 && first(i).is_some()).collect();
    let step = *all.get(rng.below(all.len().max(1)))?;
    Some((step, p.buffers[first(step)?.index()].offset / 4 * 4))
}

fn awaits(p: &Program) -> Vec<usize> {
    (0..p.runs.len()).filter(|&i| matches!(p.runs[i], Run::Await { .. })).collect()
}

/// A constant that some step names: in its list, or in place of an input.
fn some_constant(p: &Program, rng: &mut Random) -> Option<usize> {
    let inputs = |step: &Step| {
        let constants = step.inputs.iter().filter_map(|o| if let Operand::Constant(id) = o { Some(*id) } else { None });
        constants.collect::<Vec<_>>()
    };
    let all: Vec<_> = p.steps.iter().flat_map(|s| s.constants.iter().copied().chain(inputs(s))).collect();
    all.get(rng.below(all.len().max(1))).map(|id| id.index())
}

/// Changes the window of some step that has one.
fn change_window(p: &mut Program, rng: &mut Random, change: impl Fn(&mut Window2d)) -> bool {
    let mut all: Vec<&mut Window2d> = p.steps.iter_mut().filter_map(|step| window(&mut step.kernel)).collect();
    let at = rng.below(all.len().max(1));
    let Some(window) = all.get_mut(at) else { return false };
    change(window);
    true
}

fn window(kernel: &mut Kernel) -> Option<&mut Window2d> {
    match kernel {
        Kernel::Conv2dI8(kernel::Conv2dI8 { window, .. })
        | Kernel::Conv2dI8Fast(kernel::Conv2dI8Fast { window, .. })
        | Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu { window, .. })
        | Kernel::Conv2dF32(kernel::Conv2dF32 { window, .. })
        | Kernel::Conv2dI8Offset(kernel::Conv2dI8Offset { window, .. })
        | Kernel::DepthwiseI8Offset(kernel::DepthwiseI8Offset { window, .. })
        | Kernel::TransposeConvI8Offset(kernel::TransposeConvI8Offset { window, .. })
        | Kernel::AverageUint8(kernel::AverageUint8 { window, .. })
        | Kernel::DepthwiseI8(kernel::DepthwiseI8 { window, .. })
        | Kernel::DepthwiseI8Fast(kernel::DepthwiseI8Fast { window, .. })
        | Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { window, .. })
        | Kernel::DepthwiseF32(kernel::DepthwiseF32 { window, .. })
        | Kernel::PoolI8(kernel::PoolI8 { window, .. })
        | Kernel::PoolF32(kernel::PoolF32 { window, .. })
        | Kernel::TransposeConvI8(kernel::TransposeConvI8 { window, .. })
        | Kernel::TransposeConvF32(kernel::TransposeConvF32 { window, .. }) => Some(window),
        _ => None,
    }
}

/// Changes what some step says that it reads of a buffer.
fn change_access(p: &mut Program, rng: &mut Random, change: impl Fn(&mut Footprint)) -> bool {
    let all: Vec<usize> =
        (0..p.steps.len()).filter(|&i| !p.steps[i].consumes && !p.steps[i].footprint.is_empty()).collect();
    let Some(&step) = all.get(rng.below(all.len().max(1))) else { return false };
    let i = rng.below(p.steps[step].footprint.len());
    change(&mut p.steps[step].footprint[i]);
    matches!(p.steps[step].inputs[i], Operand::Buffer(..))
}

/// Reads one index less than it says.
fn shorten(reach: &mut AxisFootprint) {
    match reach {
        AxisFootprint::Window { extent, .. } => *extent -= 1,
        AxisFootprint::Table(table) => {
            table.iter_mut().for_each(|(start, end)| *start = end.saturating_sub(1).max(*start))
        }
        AxisFootprint::All => *reach = AxisFootprint::SAME,
    }
}

const FAULTS: [(&str, Fault); 49] = [
    ("another buffer on a variable", |p, rng| {
        let Some(at) = some_variable(p, rng) else { return false };
        let bytes = p.variable_bytes(&p.variables[at]);
        let (value, next) = (p.variables[at].value.index(), p.variables[at].next.index());
        let other = some_buffer(p, rng, |b| b.offset != bytes.offset);
        other.filter(|&b| b != value && b != next).map(|b| p.buffers[b].offset = bytes.offset).is_some()
    }),
    ("a variable whose next value lies elsewhere", |p, rng| {
        let Some(at) = some_variable(p, rng) else { return false };
        let (next, arena) = (p.variables[at].next.index(), p.arena_bytes);
        let buffer = &mut p.buffers[next];
        buffer.offset = rng.below(arena + 1 - buffer.bytes());
        p.variables[at].value.index() != next
    }),
    ("a variable with its values exchanged", |p, rng| {
        let Some(at) = some_variable(p, rng) else { return false };
        let variable = &mut p.variables[at];
        std::mem::swap(&mut variable.value, &mut variable.next);
        true
    }),
    ("a variable that begins with half as many bytes", |p, rng| {
        let Some(at) = some_variable(p, rng) else { return false };
        let bytes = p.variable_bytes(&p.variables[at]).len;
        p.constants.push(smidgen_program::Constant { name: "half".into(), bytes: vec![0; bytes / 2], align: 1 });
        p.variables[at].initial =
            smidgen_program::Initial::Constant(smidgen_program::ConstantId(p.constants.len() as u32 - 1));
        true
    }),
    ("offset one up", |p, rng| {
        let Some(b) = some_buffer(p, rng, |_| true) else { return false };
        p.buffers[b].offset += 1;
        true
    }),
    ("offset one down", |p, rng| {
        let Some(b) = some_buffer(p, rng, |b| b.offset > 0) else { return false };
        p.buffers[b].offset -= 1;
        true
    }),
    ("offset of another buffer", |p, rng| {
        let (Some(a), Some(b)) = (some_buffer(p, rng, |_| true), some_buffer(p, rng, |_| true)) else { return false };
        p.buffers[a].offset = p.buffers[b].offset;
        a != b
    }),
    ("offset outside the arena", |p, rng| {
        let Some(b) = some_buffer(p, rng, |_| true) else { return false };
        p.buffers[b].offset = p.arena_bytes - p.buffers[b].bytes() + 1;
        true
    }),
    ("ring one row short", |p, rng| {
        let Some(b) = some_buffer(p, rng, |b| b.slots > 1 && b.slots < b.spec.extent.rows) else { return false };
        p.buffers[b].slots -= 1;
        true
    }),
    ("ring one row too many", |p, rng| {
        let Some(b) = some_buffer(p, rng, |b| b.slots < b.spec.extent.rows) else { return false };
        p.buffers[b].slots += 1;
        true
    }),
    ("whole tensor in a ring", |p, rng| {
        let Some(b) = some_buffer(p, rng, |b| b.slots == b.spec.extent.rows && b.slots > 1) else { return false };
        p.buffers[b].slots -= 1;
        true
    }),
    ("tile one column short", |p, rng| {
        let Some(b) = some_buffer(p, rng, |b| b.width > 1 && b.width < b.spec.extent.cols) else { return false };
        p.buffers[b].width -= 1;
        true
    }),
    ("tile one column too wide", |p, rng| {
        let Some(b) = some_buffer(p, rng, |b| b.width + 1 < b.spec.extent.cols) else { return false };
        p.buffers[b].width += 1;
        true
    }),
    ("run left out", |p, rng| {
        let at = rng.below(p.runs.len());
        p.runs.remove(at);
        true
    }),
    ("run twice", |p, rng| {
        let at = rng.below(p.runs.len());
        let run = p.runs[at];
        p.runs.insert(at, run);
        true
    }),
    ("run again at the end", |p, rng| {
        let at = rng.below(p.runs.len());
        p.runs.push(p.runs[at]);
        true
    }),
    ("neighbouring runs swapped", |p, rng| {
        if p.runs.len() < 2 {
            return false;
        }
        let at = rng.below(p.runs.len() - 1);
        p.runs.swap(at, at + 1);
        true
    }),
    ("distant runs swapped", |p, rng| {
        let (a, b) = (rng.below(p.runs.len()), rng.below(p.runs.len()));
        p.runs.swap(a, b);
        a != b
    }),
    ("one row too many", |p, rng| change_region(p, rng, |_| true, |r| r.y1 += 1)),
    ("one row too few", |p, rng| change_region(p, rng, |_| true, |r| r.y1 -= 1)),
    ("one row late", |p, rng| {
        change_region(
            p,
            rng,
            |_| true,
            |r| {
                r.y0 += 1;
                r.y1 += 1;
            },
        )
    }),
    ("one column too few", |p, rng| change_region(p, rng, |r| r.x1 > r.x0 + 1, |r| r.x1 -= 1)),
    ("one column late", |p, rng| change_region(p, rng, |r| r.x1 > r.x0 + 1, |r| r.x0 += 1)),
    ("scratch on an input", |p, rng| {
        let Some((step, offset)) = step_with(p, rng, |i| p.scratch[i].len) else { return false };
        p.scratch[step].offset = offset;
        true
    }),
    ("scratch too short", |p, rng| {
        let Some((step, _)) = step_with(p, rng, |i| p.scratch[i].len) else { return false };
        p.scratch[step].len -= 1;
        true
    }),
    ("state on an input", |p, rng| {
        let Some((step, offset)) = step_with(p, rng, |i| p.state[i].len) else { return false };
        p.state[step].offset = offset;
        true
    }),
    ("arena one byte short", |p, _| {
        p.arena_bytes -= 1;
        true
    }),
    ("a constant that is not there", |p, rng| {
        let count = p.constants.len() as u32;
        let all: Vec<usize> = (0..p.steps.len()).filter(|&i| !p.steps[i].constants.is_empty()).collect();
        let Some(&step) = all.get(rng.below(all.len().max(1))) else { return false };
        p.steps[step].constants[0].0 = count;
        true
    }),
    ("streamed rows that never come", |p, rng| {
        let all = awaits(p);
        let Some(&at) = all.get(rng.below(all.len().max(1))) else { return false };
        p.runs.remove(at);
        true
    }),
    ("streamed rows out of order", |p, rng| {
        let all = awaits(p);
        if all.len() < 2 {
            return false;
        }
        let at = rng.below(all.len() - 1);
        p.runs.swap(all[at], all[at + 1]);
        true
    }),
    ("a constant cut to four bytes", |p, rng| {
        let Some(c) = some_constant(p, rng) else { return false };
        p.constants[c].bytes.truncate(4);
        true
    }),
    ("a constant cut by a byte", |p, rng| {
        let Some(c) = some_constant(p, rng) else { return false };
        p.constants[c].bytes.pop().is_some()
    }),
    ("a constant longer by four bytes", |p, rng| {
        let Some(c) = some_constant(p, rng) else { return false };
        p.constants[c].bytes.extend([0; 4]);
        true
    }),
    ("a constant that is not aligned", |p, rng| {
        let Some(c) = some_constant(p, rng) else { return false };
        p.constants[c].align = [0, 3, 6, usize::MAX][rng.below(4)];
        true
    }),
    ("another constant", |p, rng| {
        let all: Vec<usize> = (0..p.steps.len()).filter(|&i| p.steps[i].constants.len() > 1).collect();
        let Some(&step) = all.get(rng.below(all.len().max(1))) else { return false };
        let same = |a: usize, b: usize| p.constants[a].bytes.len() == p.constants[b].bytes.len();
        let ids = &p.steps[step].constants;
        if same(ids[0].index(), ids[1].index()) {
            return false;
        }
        p.steps[step].constants.swap(0, 1);
        true
    }),
    ("scratch shorter than the kernel needs, as the step says too", |p, rng| {
        let Some((step, _)) = step_with(p, rng, |i| p.scratch[i].len) else { return false };
        p.scratch[step].len -= 4;
        p.steps[step].scratch_bytes = p.scratch[step].len;
        true
    }),
    ("state shorter than the kernel needs, as the step says too", |p, rng| {
        let Some((step, _)) = step_with(p, rng, |i| p.state[i].len) else { return false };
        p.state[step].len -= 4;
        p.steps[step].state_bytes = p.state[step].len;
        true
    }),
    ("no state table", |p, _| {
        p.state.pop();
        true
    }),
    ("a window with one more row of taps", |p, rng| change_window(p, rng, |w| w.size[0] += 1)),
    ("a window with one more column of padding", |p, rng| change_window(p, rng, |w| w.before[1] += 1)),
    ("a window with a longer stride", |p, rng| change_window(p, rng, |w| w.stride[1] += 1)),
    ("a window with gaps", |p, rng| change_window(p, rng, |w| w.dilation[0] = usize::MAX)),
    ("a window of a larger image", |p, rng| change_window(p, rng, |w| w.input[0] += 1)),
    ("a window without end", |p, rng| change_window(p, rng, |w| w.output = [usize::MAX; 3])),
    ("columns that a step reads and does not say", |p, rng| change_access(p, rng, |a| shorten(&mut a.cols))),
    ("rows that a step reads and does not say", |p, rng| change_access(p, rng, |a| shorten(&mut a.rows))),
    ("an extent without end", |p, rng| {
        let b = rng.below(p.buffers.len());
        p.buffers[b].spec.extent.cols = usize::MAX / 2;
        true
    }),
    ("an arena without end", |p, _| {
        p.arena_bytes = usize::MAX;
        true
    }),
    ("another element type", |p, rng| {
        let b = rng.below(p.buffers.len());
        p.buffers[b].spec.element = ElementType::Int16;
        true
    }),
];

/// Faults that can leave a sound Program of another network, where all that the window reads is there: nothing but the bytes computed may
/// differ then.
const OTHER_NETWORKS: [&str; 2] = ["a window with one more column of padding", "a window with a longer stride"];

/// Random networks under every kind of schedule.
fn programs() -> Vec<Certified> {
    let mut programs = Vec::new();
    for seed in 0..32 {
        let graph = match seed {
            0..24 => random_graph(seed, &RandomGraphOptions::default()),
            // Weights that an operator finds in a variable are none.
            _ => match random::with_variables(seed) {
                graph if smidgen_ir::validate(&graph).is_ok() => graph,
                _ => continue,
            },
        };
        // All sets of kernels have their own parameters and constants.
        let kernels = [KernelSet::Reference, KernelSet::Fast, KernelSet::Mcu][seed as usize % 3];
        let Ok(lowered) = lower(&graph, &LowerOptions { kernels, ..LowerOptions::default() }) else { continue };
        for (schedule, stream_input) in [
            (ScheduleChoice::Layer, false),
            (ScheduleChoice::Stream, false),
            (ScheduleChoice::Stream, true),
            (ScheduleChoice::Patch { rows: 2, cols: 2, operators: 3 }, false),
            (ScheduleChoice::Strips { count: 3, operators: 4 }, false),
        ] {
            // Not every network can be tiled that far.
            if let Ok(plan) = plan(&lowered, &PlanOptions { schedule, stream_input, ..PlanOptions::default() }) {
                programs.push(plan.program);
            }
        }
    }
    programs
}

/// The outputs for some fixed input; `None` if the executor refuses an input.
fn outputs(program: &Certified) -> Option<Vec<Vec<u8>>> {
    let mut executor = Executor::new(program.clone());
    for (i, port) in program.inputs.iter().enumerate() {
        if let Operand::Buffer(id, _) = port.operand {
            let bytes = program.buffers[id.index()].spec.bytes();
            executor.set_input(i, &(0..bytes).map(|b| (b * 37 + 11) as u8).collect::<Vec<_>>()).ok()?;
        }
    }
    executor.run();
    let outputs = (0..program.outputs.len()).map(|i| executor.output(i).to_vec());
    Some(outputs.chain((0..program.variables.len()).map(|i| executor.variable(i).to_vec())).collect())
}

#[test]
fn every_kind_of_fault_is_found_or_harmless() {
    let programs = programs();
    assert!(programs.len() > 60, "{}", programs.len());
    let sound: Vec<_> = programs.iter().map(|p| outputs(p).expect("the planner's programs run")).collect();
    let mut rng = Random::new(42);
    for (name, fault) in FAULTS {
        let (mut found, mut harmless) = (0, 0);
        for (program, expected) in programs.iter().zip(&sound) {
            for _ in 0..4 {
                let mut mutated = Program::clone(program);
                if !fault(&mut mutated, &mut rng) || mutated == **program {
                    continue;
                }
                let verdict = certify(mutated.clone());
                if let Err(error) = &verdict
                    && replayed(error)
                {
                    assert_eq!(
                        simple::replay(&mutated).as_ref(),
                        Err(error),
                        "{name}: the simple replay says otherwise"
                    );
                } else if verdict.is_ok() {
                    assert_eq!(simple::replay(&mutated), Ok(()), "{name}: the simple replay refuses it");
                }
                match verdict {
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        found += 1;
                    }
                    Ok(mutated) => {
                        harmless += 1;
                        // The executor checks every access.
                        let given = outputs(&mutated);
                        if OTHER_NETWORKS.contains(&name) {
                            continue;
                        }
                        assert_eq!(given.as_ref(), Some(expected), "{name}: accepted, but {} differs", program.name);
                    }
                }
            }
        }
        eprintln!("{name}: {found} refused, {harmless} harmless");
        assert!(found >= 5, "{name}: only {found} refused, {harmless} harmless");
    }
}
