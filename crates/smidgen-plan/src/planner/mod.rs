//! Chooses a schedule: segments between positions in the network and a way to run each, so that the arena is least, or the
//! fewest instructions are taken within a budget.
//!
//! Candidate lists come from dynamic programming over a quick view of what is alive; each finalist is then placed exactly, and
//! the placed size decides. The same input always gives the same plan.

mod advice;
mod cost;
mod order;
mod pareto;
mod report;
mod segments;
mod widen;

#[cfg(test)]
mod tests;

pub use advice::{Advice, advise};
pub use pareto::{PlanPoint, pareto};
pub use report::{PlanReport, SegmentReport, StepReport};

use crate::schedule::{self, Flow, ScheduleChoice, TileError};
use crate::{Lowered, Program, Run, Storage};
use segments::{Candidates, Kind, Segment};
use std::cell::OnceCell;

/// What a plan should be good at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Objective {
    /// The smallest arena.
    #[default]
    Sram,
    /// The fewest (modelled) instructions that the budget allows.
    Speed,
}

/// What to plan for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlanOptions {
    /// Which schedule.
    pub schedule: ScheduleChoice,
    /// What to be good at.
    pub objective: Objective,
    /// Bytes of SRAM that the arena may take.
    pub budget: Option<usize>,
    /// The caller pushes rows of the input; no full frame is stored.
    pub stream_input: bool,
}

/// A program and what is to be said about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// How to compute the network.
    pub program: Program,
    /// Sizes, segments and costs.
    pub report: PlanReport,
}

/// Why there is no plan. A plan that exceeds the budget is still a plan: its report says so.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// The operators asked for cannot run in tiles.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// Tiles read the input more than once.
    #[error("{0} reads rows of the input more than once, so the input cannot be streamed; choose stream or auto")]
    StreamedTiles(ScheduleChoice),
    /// A list could not be placed: an error of ours.
    #[error("internal: {0}")]
    Place(#[from] crate::PlaceError),
}

/// A list with its parts, before it is placed.
pub(crate) struct List {
    pub runs: Vec<Run>,
    pub storage: Vec<Storage>,
    pub segments: Vec<SegmentReport>,
    pub instructions: u64,
}

/// Plans a network.
///
/// # Errors
/// If the schedule asked for does not suit the network.
pub fn plan(lowered: &Lowered, options: &PlanOptions) -> Result<Plan, PlanError> {
    let mut best: Option<Plan> = None;
    for lowered in order::candidates(lowered) {
        let planner = Planner::new(&lowered, options);
        let plan = planner.choose()?;
        if best.as_ref().is_none_or(|b| planner.better(&plan.report, &b.report)) {
            best = Some(plan);
        }
    }
    widen::widen(best.expect("there is at least the order of the graph"), options)
}

/// The ways to count what is alive; the first predicts best what placing comes to.
const MEASURES: [segments::Measure; 2] = [|peak| peak.rings, |peak| peak.slots];

/// Lists that are placed thoroughly.
const FINALISTS: usize = 2;

struct Planner<'a> {
    flow: Flow<'a>,
    options: &'a PlanOptions,
    candidates: OnceCell<Candidates>,
}

impl<'a> Planner<'a> {
    fn new(lowered: &'a Lowered, options: &'a PlanOptions) -> Self {
        Self { flow: Flow::new(lowered), options, candidates: OnceCell::new() }
    }

    /// The best plan for one order of the steps.
    fn choose(&self) -> Result<Plan, PlanError> {
        let end = self.flow.lowered.steps.len();
        match self.options.schedule {
            ScheduleChoice::Layer => {
                let segment = self.segment(0, end, Kind::Layer);
                self.place(self.untiled(&[segment]))
            }
            ScheduleChoice::Stream => {
                let segment = self.segment(0, end, Kind::Stream { parts: 1 });
                self.place(self.untiled(&[segment]))
            }
            ScheduleChoice::Auto => self.auto(),
            tiled => self.tiled(tiled),
        }
    }

    fn segment(&self, from: usize, to: usize, kind: Kind) -> Segment {
        segments::evaluate(&self.flow, from, to, kind, self.options.stream_input)
    }

    /// Segments and their schedules by dynamic programming. Nothing is recomputed, unless nothing else fits the budget.
    fn auto(&self) -> Result<Plan, PlanError> {
        let candidates = self.candidates();
        let plan = match self.options.objective {
            Objective::Sram => self.least(candidates)?,
            Objective::Speed => self.fastest(candidates)?,
        };
        match self.options.budget {
            Some(budget) if plan.report.total_bytes > budget && !self.options.stream_input => {
                self.recomputing(budget, plan)
            }
            _ => Ok(plan),
        }
    }

    /// The plan with the smallest arena among a few of which the quick view says that they are smallest.
    fn least(&self, candidates: &Candidates) -> Result<Plan, PlanError> {
        let mut lists: Vec<Vec<Segment>> = Vec::new();
        // A slightly looser limit can place better, and one stream over all has no borders that cost.
        for measure in MEASURES {
            let least = candidates.least_peak(0, measure);
            for limit in [least, least + least / 64, least + least / 24] {
                lists.extend(candidates.fastest(0, limit, measure));
            }
        }
        lists.push(vec![self.segment(0, self.flow.lowered.steps.len(), Kind::Stream { parts: 1 })]);
        lists.dedup();
        // A quick look at each says which few are worth a thorough search for offsets.
        let mut ranked = Vec::with_capacity(lists.len());
        for segments in lists {
            let list = self.untiled(&segments);
            let bytes = crate::outline(self.flow.lowered, &list.runs, &list.storage)?;
            ranked.push((bytes, list.instructions, list));
        }
        ranked.sort_by_key(|&(bytes, instructions, _)| (bytes, instructions));
        let mut best: Option<Plan> = None;
        for (_, _, list) in ranked.into_iter().take(FINALISTS) {
            let plan = self.place(list)?;
            if best.as_ref().is_none_or(|b| self.better(&plan.report, &b.report)) {
                best = Some(plan);
            }
        }
        Ok(best.expect("at least one list"))
    }

    /// The plan with the fewest instructions that fits the budget; the smallest if none does.
    fn fastest(&self, candidates: &Candidates) -> Result<Plan, PlanError> {
        let Some(budget) = self.options.budget else {
            let segment = self.segment(0, self.flow.lowered.steps.len(), Kind::Layer);
            return self.place(self.untiled(&[segment]));
        };
        let mut limit = budget;
        // Placing may need more than the quick view says: then ask for that much less.
        for _ in 0..4 {
            let Some(segments) = candidates.fastest(0, limit, MEASURES[0]) else { break };
            let plan = self.place(self.untiled(&segments))?;
            match plan.report.total_bytes.checked_sub(budget) {
                None | Some(0) => return Ok(plan),
                Some(excess) => limit = limit.saturating_sub(excess),
            }
        }
        self.least(candidates)
    }

    /// Tiles in front and dynamic programming behind.
    fn tiled(&self, choice: ScheduleChoice) -> Result<Plan, PlanError> {
        self.place(self.tiled_list(choice)?)
    }

    fn tiled_list(&self, choice: ScheduleChoice) -> Result<List, PlanError> {
        if self.options.stream_input {
            return Err(PlanError::StreamedTiles(choice));
        }
        let (stage, tiled) = self.tiles(choice)?;
        let candidates = self.candidates();
        let least = candidates.least_peak(stage.steps, MEASURES[0]);
        let limit = match (self.options.objective, self.options.budget) {
            (Objective::Speed, Some(budget)) => budget.max(least),
            _ => least,
        };
        let rest = candidates.fastest(stage.steps, limit, MEASURES[0]).unwrap_or_default();
        Ok(self.list(Some((choice, stage, tiled)), &rest))
    }

    /// Candidate segments, evaluated when they are first asked for.
    fn candidates(&self) -> &Candidates {
        self.candidates.get_or_init(|| Candidates::new(&self.flow, self.options.stream_input))
    }

    fn tiles(&self, choice: ScheduleChoice) -> Result<(schedule::Stage, schedule::Parts), PlanError> {
        let (ScheduleChoice::Patch { operators, .. } | ScheduleChoice::Strips { operators, .. }) = choice else {
            unreachable!("only tiled schedules come here")
        };
        let stage = schedule::stage(&self.flow, operators)?;
        let tiled = match choice {
            ScheduleChoice::Patch { rows, cols, .. } => schedule::patches(&self.flow, stage, rows, cols)?,
            ScheduleChoice::Strips { count, .. } => schedule::strips(&self.flow, stage, count)?,
            _ => unreachable!("only tiled schedules come here"),
        };
        Ok((stage, tiled))
    }

    /// The tiled plan that fits the budget and recomputes least; the given one if none fits.
    fn recomputing(&self, budget: usize, otherwise: Plan) -> Result<Plan, PlanError> {
        let mut lists = Vec::new();
        for choice in self.tilings() {
            let Ok(list) = self.tiled_list(choice) else { continue };
            let bytes = crate::outline(self.flow.lowered, &list.runs, &list.storage)?;
            lists.push((list.instructions, bytes, list));
        }
        // The fastest of which a quick look says that they fit, until one does.
        lists.sort_by_key(|&(instructions, bytes, _)| (bytes > budget, instructions, bytes));
        let mut best: Option<Plan> = None;
        for (.., list) in lists.into_iter().take(2 * FINALISTS) {
            let plan = self.place(list)?;
            if plan.report.total_bytes <= budget {
                best = Some(plan);
                break;
            }
        }
        Ok(best.unwrap_or(otherwise))
    }

    /// Tiled schedules worth trying: strips and patches over the first operators, up to the cuts in the first half of the network.
    fn tilings(&self) -> Vec<ScheduleChoice> {
        let steps = &self.flow.lowered.steps;
        let mut operators: Vec<usize> = (1..=steps.len())
            .filter(|&at| self.flow.alive(at).len() == 1)
            .map(|at| steps[..at].iter().filter_map(|s| s.op).map(|op| op.index() + 1).max().unwrap_or(0))
            .filter(|&operators| operators >= 2 && schedule::stage(&self.flow, operators).is_ok())
            .collect();
        operators.dedup();
        operators.truncate(12);
        let mut choices = Vec::new();
        for operators in operators {
            choices.extend([2, 3, 4].map(|count| ScheduleChoice::Strips { count, operators }));
            choices.extend([2, 3, 4].map(|n| ScheduleChoice::Patch { rows: n, cols: n, operators }));
        }
        choices
    }

    /// True if `a` is better than `b`: it fits where `b` does not; then by the objective; then by the other measure.
    fn better(&self, a: &PlanReport, b: &PlanReport) -> bool {
        let key = |r: &PlanReport| {
            let over = self.options.budget.is_some_and(|budget| r.total_bytes > budget);
            match self.options.objective {
                Objective::Speed if !over => (over, r.instructions, r.total_bytes as u64),
                _ => (over, r.total_bytes as u64, r.instructions),
            }
        };
        key(a) < key(b)
    }

    fn untiled(&self, segments: &[Segment]) -> List {
        self.list(None, segments)
    }

    /// The list of a tiled stage, if there is one, and the segments after it.
    fn list(&self, tiled: Option<(ScheduleChoice, schedule::Stage, schedule::Parts)>, segments: &[Segment]) -> List {
        let flow = &self.flow;
        let mut columns = schedule::Columns::full(flow);
        let (mut runs, mut reports) = (Vec::new(), Vec::new());
        if let Some((choice, stage, tiled)) = tiled {
            columns.add(&tiled.tiles);
            let name = match choice {
                ScheduleChoice::Patch { rows, cols, .. } => format!("patch:{rows}x{cols}"),
                ScheduleChoice::Strips { count, .. } => format!("strips:{count}"),
                other => other.to_string(),
            };
            let instructions = cost::hundredths(flow, &tiled.runs);
            reports.push(SegmentReport::new(flow.lowered, 0, stage.steps, name, instructions));
            runs.extend(tiled.runs);
        }
        // Consecutive layer-wise steps are one segment to the reader.
        let mut merged: Vec<Segment> = Vec::new();
        for &segment in segments {
            match merged.last_mut() {
                Some(last) if last.kind == Kind::Layer && segment.kind == Kind::Layer => {
                    last.to = segment.to;
                    last.instructions += segment.instructions;
                }
                _ => merged.push(segment),
            }
        }
        for segment in merged {
            let list = segments::write(flow, segment.from, segment.to, segment.kind, self.options.stream_input);
            let name = match segment.kind {
                Kind::Layer => "layer".to_owned(),
                Kind::Stream { parts: 1 } => "stream".to_owned(),
                Kind::Stream { parts } => format!("stream in {parts} parts"),
            };
            reports.push(SegmentReport::new(flow.lowered, segment.from, segment.to, name, segment.instructions));
            columns.add(&list.tiles);
            runs.extend(list.runs);
        }
        schedule::merge(flow, &mut runs);
        let storage = schedule::storage(flow, &runs, &columns);
        let instructions = cost::hundredths(flow, &runs);
        List { runs, storage, segments: reports, instructions }
    }

    fn place(&self, list: List) -> Result<Plan, PlanError> {
        report::finish(&self.flow, list, self.options)
    }
}
