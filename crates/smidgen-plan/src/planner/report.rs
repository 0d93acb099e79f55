//! What is to be said about a plan. Sizes are exact; instructions are [modelled](smidgen_program::costs); multiply-accumulates are exact.

use super::{Draft, List, PlanError, Planner};
use crate::allocate::place_with;
use crate::schedule;
use crate::schedule::{Flow, ScheduleChoice};
use smidgen_program::{Lowered, Program, Run};
use std::ops::Range;

/// A stretch of steps that run under one schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentReport {
    /// `layer`, `stream`, `patch:NxN` or `strips:N`.
    pub schedule: String,
    /// The steps, as indices into [`Program::steps`](smidgen_program::Program::steps).
    pub steps: Range<usize>,
    /// Name of the first step.
    pub first: String,
    /// Name of the last step.
    pub last: String,
    /// Entries of the list.
    pub runs: usize,
    /// The most bytes alive at one moment of it, scratch and state and what passes by included.
    pub peak_bytes: usize,
    /// Modelled instructions.
    pub instructions: u64,
}

impl SegmentReport {
    pub(super) fn new(lowered: &Lowered, from: usize, to: usize, schedule: String, hundredths: u64) -> Self {
        let name = |s: Option<usize>| s.and_then(|s| lowered.steps.get(s)).map(|s| s.name.clone()).unwrap_or_default();
        Self {
            schedule,
            steps: from..to,
            first: name(Some(from)),
            last: name(to.checked_sub(1)),
            runs: 0,
            peak_bytes: 0,
            instructions: hundredths / 100,
        }
    }
}

/// One step in a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// Entries of the list that compute it.
    pub runs: usize,
    /// Rows of output computed, those computed again counted each time.
    pub rows: usize,
    /// Multiply-accumulates of the whole output, once.
    pub macs: u64,
    /// Modelled instructions of all its runs.
    pub instructions: u64,
    /// Bytes of scratch.
    pub scratch_bytes: usize,
    /// Bytes that its output takes in the arena as it is kept.
    pub output_bytes: usize,
    /// How its output is kept: `whole`, `ring of R rows` or `tile of R x C`.
    pub storage: String,
}

/// The least that the network was found to take under the schedule asked for, nothing computed twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Least {
    /// Bytes of SRAM: [`PlanReport::total_bytes`] of that plan.
    pub total_bytes: usize,
    /// Its modelled instructions.
    pub instructions: u64,
}

/// What a plan takes.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanReport {
    /// Bytes of buffers in the arena, rings included, at their widest: the arena without what only scratch and state add.
    pub arena_bytes: usize,
    /// Most bytes of scratch that any run uses.
    pub scratch_bytes: usize,
    /// Bytes of all rings and tiles, added up (they are not all alive at once).
    pub ring_bytes: usize,
    /// Bytes of state of all consuming steps, added up.
    pub state_bytes: usize,
    /// Bytes of variables: they hold what outlives an inference, and nothing else ever lies there.
    pub persistent_bytes: usize,
    /// All that the network needs of SRAM besides stack: the arena with buffers, rings, scratch, state and variables.
    pub total_bytes: usize,
    /// No assignment of offsets for this list can take less.
    pub lower_bound_bytes: usize,
    /// The assignment is proven to be the best for this list.
    pub optimal: bool,
    /// Multiply-accumulates computed again, in per cent of the network's (exact, halos clipped at borders; 0 for all but tiles).
    pub extra_macs_percent: f64,
    /// The same in the convention of the MCUNetV2 paper, where halos are not clipped; only for tiles.
    pub extra_macs_unclipped_percent: Option<f64>,
    /// Modelled instructions of one inference.
    pub instructions: u64,
    /// Entries of the list.
    pub runs: usize,
    /// The schedule as a user would write it.
    pub schedule: String,
    /// The segments, in order.
    pub segments: Vec<SegmentReport>,
    /// Index of the segment that needs most.
    pub bottleneck: usize,
    /// One entry for each step, in the program's order.
    pub steps: Vec<StepReport>,
    /// What a smaller plan takes, where this one takes more bytes to be faster.
    pub least: Option<Least>,
    /// True if the total is within the budget, or there is none.
    pub fits: bool,
    /// True if the network has too many rows or steps to look at every segment that could be streamed: a smaller plan may exist.
    pub coarse: bool,
}

impl PlanReport {
    /// What was traded, in a line: bytes above the [least](Self::least), and how many instructions fewer.
    pub fn traded(&self) -> Option<String> {
        let least = self.least?;
        let more = self.total_bytes.saturating_sub(least.total_bytes);
        let saved = least.instructions.saturating_sub(self.instructions);
        let percent = 100.0 * saved as f64 / least.instructions.max(1) as f64;
        Some(format!("{more} bytes more than the least, {percent:.1} % fewer instructions"))
    }
}

/// Places a list and reports on it.
pub(super) fn finish(flow: &Flow, list: List, planner: &Planner) -> Result<Draft, PlanError> {
    let options = planner.options;
    let lowered = flow.lowered;
    let (program, placed) = place_with(lowered.clone(), list.runs, list.storage, &planner.memo)?;
    let runs = &program.runs;
    let macs: u64 = lowered.steps.iter().map(|s| s.macs).sum();
    let percent = |part: u64| if macs == 0 { 0.0 } else { 100.0 * part as f64 / macs as f64 };
    let executed = schedule::executed_macs(flow, runs);
    let unclipped = match options.schedule {
        ScheduleChoice::Patch { rows, cols, operators } => schedule::unclipped(lowered, operators, rows, cols).ok(),
        ScheduleChoice::Strips { count, operators } => schedule::unclipped(lowered, operators, 1, count).ok(),
        _ => None,
    };
    let mut steps: Vec<StepReport> = lowered
        .steps
        .iter()
        .map(|step| {
            let buffer = step.outputs.first().map(|t| &program.buffers[t.buffer.index()]);
            StepReport {
                name: step.name.clone(),
                runs: 0,
                rows: 0,
                macs: step.macs,
                instructions: 0,
                scratch_bytes: step.scratch_bytes,
                output_bytes: buffer.map_or(0, |b| b.bytes()),
                storage: buffer.map_or_else(String::new, |b| match (b.slots, b.width) {
                    (r, w) if w < b.spec.extent.cols => format!("tile of {r} x {w}"),
                    (1, _) if b.spec.extent.rows > 1 => "ring of 1 row".to_owned(),
                    (r, _) if r < b.spec.extent.rows => format!("ring of {r} rows"),
                    _ => "whole".to_owned(),
                }),
            }
        })
        .collect();
    let mut hundredths = vec![0; steps.len()];
    for run in runs {
        if let Run::Compute { step, region } = run {
            let said = &mut steps[step.index()];
            said.runs += 1;
            said.rows += region.y1 - region.y0;
            hundredths[step.index()] += options.costs.of_run(lowered, run);
        }
    }
    steps.iter_mut().zip(hundredths).for_each(|(said, sum)| said.instructions = sum / 100);
    let mut segments = list.segments;
    measure(&mut segments, &program, &placed.live_bytes);
    let kept = |b: &&smidgen_program::Buffer| b.slots < b.spec.extent.rows || b.width < b.spec.extent.cols;
    let bottleneck = (0..segments.len()).max_by_key(|&i| (segments[i].peak_bytes, std::cmp::Reverse(i))).unwrap_or(0);
    let total = program.arena_bytes;
    let runs = runs.len();
    let report = PlanReport {
        arena_bytes: program.buffers.iter().map(|b| b.offset + b.bytes()).max().unwrap_or(0),
        scratch_bytes: lowered.steps.iter().map(|s| s.scratch_bytes).max().unwrap_or(0),
        ring_bytes: program.buffers.iter().filter(kept).map(|b| b.bytes()).sum(),
        state_bytes: lowered.steps.iter().map(|s| s.state_bytes).sum(),
        persistent_bytes: program.persistent_bytes(),
        total_bytes: total,
        lower_bound_bytes: placed.lower_bound,
        optimal: placed.optimal,
        extra_macs_percent: percent(executed.saturating_sub(macs)),
        extra_macs_unclipped_percent: unclipped.map(|u| percent(u.macs.saturating_sub(u.once))),
        instructions: list.instructions / 100,
        runs,
        schedule: options.schedule.to_string(),
        segments,
        bottleneck,
        steps,
        least: None,
        fits: options.budget.is_none_or(|budget| total <= budget),
        coarse: false,
    };
    Ok(Draft { program, report })
}

/// Sets each segment's number of runs and its most live bytes from the placed list.
fn measure(segments: &mut [SegmentReport], program: &Program, live: &[usize]) {
    for segment in segments.iter_mut() {
        segment.runs = 0;
        segment.peak_bytes = 0;
    }
    for (step, &bytes) in program.steps_of_runs().iter().zip(live) {
        // Segments follow one another.
        let at = segments.partition_point(|s| s.steps.end <= step.index());
        if let Some(segment) = segments.get_mut(at) {
            segment.runs += 1;
            segment.peak_bytes = segment.peak_bytes.max(bytes);
        }
    }
}
