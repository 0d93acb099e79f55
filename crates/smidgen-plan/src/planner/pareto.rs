//! The front of plans of which none is better in everything: SRAM against modelled instructions and recomputation.

use super::{Draft, MEASURES, Objective, PlanError, PlanOptions, Planner, local_search};
use crate::schedule::ScheduleChoice;
use smidgen_program::Lowered;
use smidgen_program::costs::Costs;

/// One plan of the front.
#[derive(Clone, PartialEq, Debug)]
pub struct PlanPoint {
    /// Options that give the plan again.
    pub options: PlanOptions,
    /// The schedule, segment by segment.
    pub schedule: String,
    /// Bytes of SRAM: [`PlanReport::total_bytes`](super::PlanReport::total_bytes).
    pub total_bytes: usize,
    /// Modelled instructions.
    pub instructions: u64,
    /// Multiply-accumulates computed again, in per cent.
    pub extra_macs_percent: f64,
}

/// Points without recomputation that are placed at most.
const MOST_POINTS: usize = 12;

/// Plans that no other plan beats in both SRAM and modelled instructions, by ascending SRAM.
///
/// # Errors
/// If a list cannot be placed, which is an error of ours.
pub fn pareto(lowered: &Lowered, stream_input: bool, costs: &'static Costs) -> Result<Vec<PlanPoint>, PlanError> {
    let base = PlanOptions { stream_input, objective: Objective::Sram, costs, ..PlanOptions::default() };
    let planner = Planner::new(lowered, &base);
    let candidates = planner.candidates();
    // Forms with the options that ask for them; a quick look says which can be on the front at all.
    let mut forms = Vec::new();
    for (schedule, form) in [(ScheduleChoice::Layer, planner.layered()), (ScheduleChoice::Stream, planner.streamed())] {
        forms.push((PlanOptions { schedule, ..base.clone() }, form));
    }
    let mut least = u64::MAX;
    let mut fast = Vec::new();
    for limit in candidates.limits(&planner.flow, candidates.least_peak(&planner.flow, 0, MEASURES[0])) {
        let Some(segments) = candidates.fastest(&planner.flow, 0, limit, MEASURES[0]) else { continue };
        let instructions: u64 = segments.iter().map(|s| s.instructions).sum();
        if instructions < least {
            least = instructions;
            fast.push(segments);
        }
    }
    let stride = fast.len().div_ceil(MOST_POINTS).max(1);
    for segments in fast.into_iter().step_by(stride) {
        forms.push((PlanOptions { objective: Objective::Speed, ..base.clone() }, planner.untiled(segments)));
    }
    if !stream_input {
        for schedule in planner.tilings() {
            if let Ok(form) = planner.tiled(schedule) {
                forms.push((PlanOptions { schedule, ..base.clone() }, form));
            }
        }
    }
    let mut quick = Vec::with_capacity(forms.len());
    for (mut options, form) in forms {
        let Ok(list) = planner.list(&form) else { continue };
        let bytes = crate::quick_allocation(lowered, &list.runs, &list.storage)?;
        if options.objective == Objective::Speed {
            options.budget = Some(bytes);
        }
        quick.push((bytes, list.instructions, options));
    }
    let mut points = Vec::new();
    let balanced = PlanOptions { objective: Objective::Balanced, ..base.clone() };
    for options in [base.clone(), balanced].into_iter().chain(front(quick, |q| (q.0, q.1)).into_iter().map(|q| q.2)) {
        let planner = Planner { candidates: candidates.clone().into(), ..Planner::new(lowered, &options) };
        let plan = local_search::tune(&planner, planner.choose()?)?;
        points.push(point(&plan, options));
    }
    Ok(front(points, |p| (p.total_bytes, p.instructions)))
}

fn point(plan: &Draft, options: PlanOptions) -> PlanPoint {
    let segments = plan.report.segments.iter();
    let segments: Vec<String> =
        segments.map(|s| format!("{}[{}..{}]", s.schedule, s.steps.start, s.steps.end)).collect();
    PlanPoint {
        options,
        schedule: segments.join(" "),
        total_bytes: plan.report.total_bytes,
        instructions: plan.report.instructions,
        extra_macs_percent: plan.report.extra_macs_percent,
    }
}

/// What nothing else beats in both bytes and instructions, by ascending bytes.
fn front<T, I: Ord + Copy>(mut all: Vec<T>, key: impl Fn(&T) -> (usize, I)) -> Vec<T> {
    all.sort_by_key(&key);
    let mut least = None;
    all.retain(|one| {
        let instructions = key(one).1;
        let better = least.is_none_or(|least| instructions < least);
        if better {
            least = Some(instructions);
        }
        better
    });
    all
}
