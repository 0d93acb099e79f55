//! The front of plans of which none is better in everything: SRAM against modelled instructions and recomputation.

use super::segments::{Candidates, Kind};
use super::{MEASURES, Plan, PlanError, PlanOptions, Planner};
use crate::Lowered;
use crate::schedule::{Flow, ScheduleChoice};

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
pub fn pareto(lowered: &Lowered, stream_input: bool) -> Result<Vec<PlanPoint>, PlanError> {
    let base = PlanOptions { stream_input, ..PlanOptions::default() };
    let planner = Planner { flow: Flow::new(lowered), options: &base };
    let candidates = Candidates::new(&planner.flow, 0, stream_input);
    let mut points = Vec::new();
    let mut add = |plan: &Plan, options: PlanOptions| {
        let segments: Vec<String> = plan
            .report
            .segments
            .iter()
            .map(|s| format!("{}[{}..{}]", s.schedule, s.steps.start, s.steps.end))
            .collect();
        points.push(PlanPoint {
            options,
            schedule: segments.join(" "),
            total_bytes: plan.report.total_bytes,
            instructions: plan.report.instructions,
            extra_macs_percent: plan.report.extra_macs_percent,
        });
    };
    add(&planner.least(&candidates)?, base.clone());
    for kind in [Kind::Layer, Kind::Stream { parts: 1 }] {
        let schedule = if kind == Kind::Layer { ScheduleChoice::Layer } else { ScheduleChoice::Stream };
        let segment = planner.segment(0, lowered.steps.len(), kind);
        add(&planner.place(planner.untiled(&[segment]))?, PlanOptions { schedule, ..base.clone() });
    }
    let mut lists = Vec::new();
    for limit in candidates.limits(candidates.least_peak(MEASURES[0])) {
        let Some(segments) = candidates.fastest(limit, MEASURES[0]) else { continue };
        let instructions: u64 = segments.iter().map(|s| s.instructions).sum();
        if lists.last().is_none_or(|&(_, least, _)| instructions < least) {
            lists.push((limit, instructions, segments));
        }
    }
    let stride = lists.len().div_ceil(MOST_POINTS).max(1);
    for (_, _, segments) in lists.into_iter().step_by(stride) {
        let plan = planner.place(planner.untiled(&segments))?;
        let budget = Some(plan.report.total_bytes);
        add(&plan, PlanOptions { objective: super::Objective::Speed, budget, ..base.clone() });
    }
    if !stream_input {
        for schedule in planner.tilings() {
            if let Ok(plan) = planner.tiled(schedule) {
                add(&plan, PlanOptions { schedule, ..base.clone() });
            }
        }
    }
    Ok(front(points))
}

/// The points that no other beats, by ascending SRAM.
fn front(mut points: Vec<PlanPoint>) -> Vec<PlanPoint> {
    points.sort_by_key(|p| (p.total_bytes, p.instructions));
    let mut front: Vec<PlanPoint> = Vec::new();
    for point in points {
        if front.last().is_none_or(|last| point.instructions < last.instructions) {
            front.push(point);
        }
    }
    front
}
