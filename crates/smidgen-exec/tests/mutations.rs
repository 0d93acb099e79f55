//! Faults seeded into sound Programs. For each the certifier either refuses the Program, or the fault does no harm: then it
//! computes the same bytes. Of each kind of fault several must be refused.

use smidgen_exec::Executor;
use smidgen_kernels::Region;
use smidgen_plan::{
    Certified, LowerOptions, Operand, PlanOptions, Program, Run, ScheduleChoice, StepId, certify, lower, plan,
};
use smidgen_zoo::{Random, RandomGraphOptions, random_graph};

/// A fault: changes a Program at a random place and says whether it found one.
type Fault = fn(&mut Program, &mut Random) -> bool;

fn some_buffer(p: &Program, rng: &mut Random, wanted: impl Fn(&smidgen_plan::Buffer) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..p.buffers.len()).filter(|&i| wanted(&p.buffers[i])).collect();
    (!all.is_empty()).then(|| all[rng.below(all.len())])
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

const FAULTS: [(&str, Fault); 26] = [
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
];

/// Random networks under every kind of schedule.
fn programs() -> Vec<Certified> {
    let mut programs = Vec::new();
    for seed in 0..24 {
        let graph = random_graph(seed, &RandomGraphOptions::default());
        let Ok(lowered) = lower(&graph, &LowerOptions::default()) else { continue };
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
    Some((0..program.outputs.len()).map(|i| executor.output(i).to_vec()).collect())
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
                match certify(mutated) {
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        found += 1;
                    }
                    Ok(mutated) => {
                        harmless += 1;
                        let given = outputs(&mutated);
                        assert_eq!(given.as_ref(), Some(expected), "{name}: accepted, but {} differs", program.name);
                    }
                }
            }
        }
        eprintln!("{name}: {found} refused, {harmless} harmless");
        assert!(found >= 5, "{name}: only {found} refused, {harmless} harmless");
    }
}
