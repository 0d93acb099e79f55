//! Chooses a schedule: segments between positions in the network and a way to run each, so that the arena is least, or the
//! fewest instructions are taken within a budget.
//!
//! Candidate lists come from dynamic programming over a quick view of what is alive; each finalist is then placed exactly, and
//! the placed size decides. The same input always gives the same plan.

mod advice;
mod arithmetic;
mod candidate;
mod flash;
mod local_search;
mod oracle;
mod order;
mod pareto;
mod report;
mod segments;
mod sketch;

#[cfg(test)]
mod tests;

pub use advice::{Advice, advise};
pub use flash::{FlashReport, flash};
pub use oracle::{Cost, Oracle, OracleError};
pub use pareto::{PlanPoint, pareto};
pub use report::{Least, PlanReport, SegmentReport, StepReport};

use crate::Storage;
use crate::aliasing::Objects;
use crate::allocate;
use crate::allocate::outline_with;
use crate::schedule;
use crate::schedule::{Flow, ScheduleChoice, TileError};
use candidate::Candidate;
use segments::{Candidates, Evaluator, Kind, Segment};
use sketch::{Ground, Memo, Sketch};
use smidgen_certify::{Certified, Refused, certify};
use smidgen_program::costs::Costs;
use smidgen_program::{Lowered, Program, Run};
use std::cell::OnceCell;

/// What a plan should be good at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Objective {
    /// Little SRAM, but not at the price of much speed.
    #[default]
    Balanced,
    /// The smallest arena.
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
    /// What kernels take on the core that the plan is for; without one, on those with Armv7E-M.
    pub costs: &'static Costs,
}

/// A certified program and what is to be said about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// How to compute the network.
    pub program: Certified,
    /// Sizes, segments and costs.
    pub report: PlanReport,
}

/// A plan that has yet to be certified.
#[derive(PartialEq, Debug)]
struct Draft {
    program: Program,
    report: PlanReport,
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
    Place(#[from] crate::AllocateError),
    /// The plan was refused a certificate: an error of ours.
    #[error("internal: the plan is not sound: {0}")]
    Refused(#[from] Refused),
}

/// A list with its parts, before it is placed.
pub(crate) struct List {
    pub runs: Vec<Run>,
    pub storage: Vec<Storage>,
    pub segments: Vec<SegmentReport>,
    pub instructions: u64,
}

impl List {
    /// How much a quick look at it takes: rows that its runs compute, steps, and pairs of objects, of which many are as quick as one row.
    fn visits(&self, lowered: &Lowered) -> usize {
        let rows = self.runs.iter().map(|run| match run {
            Run::Compute { region, .. } => region.y1 - region.y0,
            Run::Await { .. } => 1,
        });
        let objects = Objects::of(lowered).count();
        rows.sum::<usize>() + lowered.steps.len() + objects * objects / 256
    }
}

/// Plans a network.
///
/// # Errors
/// If the schedule asked for does not suit the network; what is said to be internal is a fault of the planner's.
pub fn plan(lowered: &Lowered, options: &PlanOptions) -> Result<Plan, PlanError> {
    let Draft { program, report } = draft(lowered, options)?;
    Ok(Plan { program: certify(program)?, report })
}

/// The plan before it is certified.
fn draft(lowered: &Lowered, options: &PlanOptions) -> Result<Draft, PlanError> {
    let orders = order::candidates(lowered);
    let planners: Vec<Planner> = orders.iter().map(|lowered| Planner::new(lowered, options)).collect();
    let mut best: Option<(&Planner, Choice)> = None;
    for planner in &planners {
        let choice = planner.choose()?;
        if best.as_ref().is_none_or(|(_, b)| planner.better(&choice.plan.report, &b.plan.report)) {
            best = Some((planner, choice));
        }
    }
    let (planner, choice) = best.expect("there is at least the order of the graph");
    let mut plan = local_search::tune(planner, choice)?;
    plan.report.coarse = planner.coarse();
    Ok(plan)
}

/// A plan with single rows, and what it was made from.
struct Choice {
    form: Candidate,
    plan: Draft,
}

/// The ways to count what is alive; the first predicts best what placing comes to.
const MEASURES: [segments::Measure; 2] = [|peak| peak.rings, |peak| peak.slots];

/// Cuts up to which tiles are tried.
const MOST_STAGES: usize = 12;

/// [Visits](List::visits) of all tilings, to find one that fits.
const TILING_VISITS: usize = 1_500_000;

/// Lists that are placed thoroughly.
const FINALISTS: usize = 2;

struct Planner<'a> {
    flow: Flow<'a>,
    options: &'a PlanOptions,
    candidates: OnceCell<Candidates>,
    /// What is known of the steps.
    memo: allocate::Memo,
}

impl<'a> Planner<'a> {
    fn new(lowered: &'a Lowered, options: &'a PlanOptions) -> Self {
        Self { flow: Flow::new(lowered), options, candidates: OnceCell::new(), memo: allocate::Memo::default() }
    }

    /// The best plan for one order of the steps.
    fn choose(&self) -> Result<Choice, PlanError> {
        match self.options.schedule {
            ScheduleChoice::Layer => self.place(self.layered()),
            ScheduleChoice::Stream => self.place(self.streamed()),
            ScheduleChoice::Auto => self.auto(),
            tiled => self.place(self.tiled(tiled)?),
        }
    }

    /// All steps whole.
    fn layered(&self) -> Candidate {
        let end = self.flow.lowered.steps.len();
        self.untiled(vec![Evaluator::new(&self.flow, self.options.stream_input, self.options.costs).evaluate(
            0,
            end,
            Kind::Layer,
        )])
    }

    /// All steps in one streamed segment, or in several where one would have too many steps or rows. Steps that have too many rows by
    /// themselves are run whole.
    fn streamed(&self) -> Candidate {
        let mut evaluator = Evaluator::new(&self.flow, self.options.stream_input, self.options.costs);
        let segments = segments::streamed(&self.flow).into_iter();
        self.untiled(segments.map(|(from, to, kind)| evaluator.evaluate(from, to, kind)).collect())
    }

    fn untiled(&self, segments: Vec<Segment>) -> Candidate {
        Candidate::new(&self.flow, None, segments)
    }

    /// Segments and their schedules by dynamic programming. Nothing is recomputed, unless nothing else fits the budget.
    fn auto(&self) -> Result<Choice, PlanError> {
        let candidates = self.candidates();
        let choice = match self.options.objective {
            Objective::Balanced | Objective::Sram => self.least(candidates)?,
            Objective::Speed => self.fastest(candidates)?,
        };
        match self.options.budget {
            Some(budget) if choice.plan.report.total_bytes > budget && !self.options.stream_input => {
                self.recomputing(budget, choice)
            }
            _ => Ok(choice),
        }
    }

    /// What arithmetic says of single steps.
    fn ground(&self) -> Ground<'_, 'a> {
        Ground::new(&self.flow, self.options.stream_input)
    }

    /// The plan with the smallest arena among a few of which the quick view says that they are smallest.
    fn least(&self, candidates: &Candidates) -> Result<Choice, PlanError> {
        let mut forms: Vec<Candidate> = Vec::new();
        // A slightly looser limit can place better, and one stream over all has no borders that cost.
        for measure in MEASURES {
            let least = candidates.least_peak(&self.flow, 0, measure);
            let exempting = candidates.exempting(&self.flow, least);
            for candidates in [Some(candidates), exempting.as_ref()].into_iter().flatten() {
                let least = candidates.least_peak(&self.flow, 0, measure);
                for limit in [least, least + least / 64, least + least / 24] {
                    let segments = candidates.fastest(&self.flow, 0, limit, measure);
                    forms.extend(segments.map(|segments| self.untiled(segments)));
                }
            }
        }
        forms.push(self.streamed());
        forms.dedup();
        // What the oracle says of the network is no less than what the plan takes.
        let sketch = Sketch::new(&self.ground(), self.options.costs, &Memo::default());
        if sketch.thorough {
            let form = self.untiled(sketch.parts.iter().map(Segment::from).collect());
            if !forms.iter().any(|known| known.has_segments_of(&form)) {
                forms.push(form);
            }
        }
        // A quick look at each says which few are worth a thorough search for offsets.
        let mut ranked = Vec::with_capacity(forms.len());
        for form in forms {
            let list = self.list(&form)?;
            let bytes = outline_with(self.flow.lowered, &list.runs, &list.storage, &self.memo)?;
            ranked.push((bytes, list.instructions, form));
        }
        ranked.sort_by_key(|&(bytes, instructions, _)| (bytes, instructions));
        let mut best: Option<Choice> = None;
        for (_, _, form) in ranked.into_iter().take(FINALISTS) {
            let choice = self.place(form)?;
            if best.as_ref().is_none_or(|b| self.better(&choice.plan.report, &b.plan.report)) {
                best = Some(choice);
            }
        }
        Ok(best.expect("at least one list"))
    }

    /// The plan with the fewest instructions that fits the budget; the smallest if none does.
    fn fastest(&self, candidates: &Candidates) -> Result<Choice, PlanError> {
        let Some(budget) = self.options.budget else { return self.place(self.layered()) };
        match self.within(candidates, budget)? {
            Some(choice) => Ok(choice),
            None => self.least(candidates),
        }
    }

    /// The segments with the fewest instructions in so many bytes.
    fn within(&self, candidates: &Candidates, bytes: usize) -> Result<Option<Choice>, PlanError> {
        let mut limit = bytes;
        // Placing may need more than the quick view says: then ask for that much less.
        for _ in 0..4 {
            let Some(segments) = candidates.fastest(&self.flow, 0, limit, MEASURES[0]) else { break };
            let choice = self.place(self.untiled(segments))?;
            match choice.plan.report.total_bytes.checked_sub(bytes) {
                None | Some(0) => return Ok(Some(choice)),
                Some(excess) => limit = limit.saturating_sub(excess),
            }
        }
        Ok(None)
    }

    /// Segments of the other kind than [`auto`](Self::auto) begins with, for plans of at most so many bytes. With single rows one kind has
    /// fewer bytes and the other fewer instructions; which is faster once steps have used up all bytes shows only then.
    fn rival(&self, limit: usize) -> Result<Option<Choice>, PlanError> {
        match (self.options.schedule, self.options.objective) {
            (ScheduleChoice::Auto, Objective::Balanced) => self.within(self.candidates(), limit),
            (ScheduleChoice::Auto, Objective::Speed) if limit < usize::MAX => self.least(self.candidates()).map(Some),
            _ => Ok(None),
        }
    }

    /// Tiles in front and dynamic programming behind.
    fn tiled(&self, choice: ScheduleChoice) -> Result<Candidate, PlanError> {
        if self.options.stream_input {
            return Err(PlanError::StreamedTiles(choice));
        }
        let (stage, _) = candidate::tiles(&self.flow, choice)?;
        let candidates = self.candidates();
        let least = candidates.least_peak(&self.flow, stage.steps, MEASURES[0]);
        let limit = match (self.options.objective, self.options.budget) {
            (Objective::Speed, Some(budget)) => budget.max(least),
            _ => least,
        };
        let rest = candidates.fastest(&self.flow, stage.steps, limit, MEASURES[0]).unwrap_or_default();
        Ok(Candidate::new(&self.flow, Some(choice), rest))
    }

    /// True if segments were cut or left out because there are too many rows or steps.
    fn coarse(&self) -> bool {
        self.candidates.get().is_some_and(Candidates::bounded)
            || self.options.schedule == ScheduleChoice::Stream && segments::streamed(&self.flow).len() > 1
    }

    /// Candidate segments, evaluated when they are first asked for.
    fn candidates(&self) -> &Candidates {
        self.candidates.get_or_init(|| Candidates::new(&self.flow, self.options.stream_input, self.options.costs))
    }

    /// The tiled plan that fits the budget and recomputes least; the given one if none fits.
    fn recomputing(&self, budget: usize, otherwise: Choice) -> Result<Choice, PlanError> {
        let mut forms = Vec::new();
        let mut visits = 0;
        for choice in self.tilings() {
            if visits > TILING_VISITS {
                break;
            }
            let Ok(form) = self.tiled(choice) else { continue };
            let Ok(list) = self.list(&form) else { continue };
            visits += list.visits(self.flow.lowered);
            let bytes = outline_with(self.flow.lowered, &list.runs, &list.storage, &self.memo)?;
            forms.push((list.instructions, bytes, form));
        }
        // The fastest of which a quick look says that they fit, until one does.
        forms.sort_by_key(|&(instructions, bytes, _)| (bytes > budget, instructions, bytes));
        let mut best: Option<Choice> = None;
        for (.., form) in forms.into_iter().take(2 * FINALISTS) {
            let choice = self.place(form)?;
            if choice.plan.report.total_bytes <= budget {
                best = Some(choice);
                break;
            }
        }
        Ok(best.unwrap_or(otherwise))
    }

    /// Tiled schedules worth trying: strips and patches over the first operators, up to the cuts in the first half of the network.
    fn tilings(&self) -> Vec<ScheduleChoice> {
        let mut operators = Vec::new();
        let mut highest = 0;
        for (s, step) in self.flow.lowered.steps.iter().enumerate() {
            highest = step.op.map_or(0, |op| op.index() + 1).max(highest);
            if self.flow.alive_count(s + 1) != 1 || highest < 2 || operators.last() == Some(&highest) {
                continue;
            }
            match schedule::stage(&self.flow, highest) {
                Ok(_) => operators.push(highest),
                // A step that cannot run in tiles is among the first of all that follows.
                Err(TileError::WholeOnly { .. }) => break,
                Err(_) => {}
            }
            if operators.len() == MOST_STAGES {
                break;
            }
        }
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
                Objective::Speed if !over => (over, 0, r.instructions, r.total_bytes),
                _ => (over, r.total_bytes, r.instructions, 0),
            }
        };
        key(a) < key(b)
    }

    /// The list of a form, without a report of its segments.
    fn list(&self, form: &Candidate) -> Result<List, PlanError> {
        form.list(&self.flow, self.options.stream_input, self.options.costs, false)
    }

    fn place(&self, form: Candidate) -> Result<Choice, PlanError> {
        let list = form.list(&self.flow, self.options.stream_input, self.options.costs, true)?;
        let plan = report::finish(&self.flow, list, self)?;
        Ok(Choice { form, plan })
    }
}
