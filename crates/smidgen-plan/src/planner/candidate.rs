//! What decides a list: segments with their schedules, and where rows are cut.

use super::segments::{self, Kind, Segment};
use super::{List, PlanError, SegmentReport};
use crate::schedule;
use crate::schedule::{Flow, ScheduleChoice, Writer};
use smidgen_program::costs::Costs;

/// How a network is to be run, apart from how many rows each step [computes together](Flow::together).
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Candidate {
    /// A patch or strip schedule of the first operators.
    pub tiled: Option<ScheduleChoice>,
    /// The segments after it, in order.
    pub segments: Vec<Segment>,
    /// For each step, in how many parts the rows are computed at most that begin at it and are used up at once.
    pub parts: Vec<usize>,
}

impl Candidate {
    /// Segments as they are.
    pub fn new(flow: &Flow, tiled: Option<ScheduleChoice>, segments: Vec<Segment>) -> Self {
        // Consecutive layer-wise steps are one segment to the reader.
        let mut merged: Vec<Segment> = Vec::new();
        for segment in segments {
            match merged.last_mut() {
                Some(last) if last.kind == Kind::Layer && segment.kind == Kind::Layer => last.to = segment.to,
                _ => merged.push(segment),
            }
        }
        Self { tiled, segments: merged, parts: vec![usize::MAX; flow.lowered.steps.len()] }
    }

    /// True if the segments are those of another form, whatever is known of them.
    pub fn has_segments_of(&self, other: &Self) -> bool {
        let of = |form: &Self| form.segments.iter().map(|s| (s.from, s.to, s.kind)).collect::<Vec<_>>();
        self.tiled.is_none() && other.tiled.is_none() && of(self) == of(other)
    }

    /// The list, for steps as they are in `flow`; without a report of its segments if only its figures are wanted.
    ///
    /// # Errors
    /// If the operators cannot run in the tiles asked for.
    pub fn list(&self, flow: &Flow, stream_input: bool, costs: &Costs, reported: bool) -> Result<List, PlanError> {
        let mut columns = schedule::Columns::full(flow);
        let (mut runs, mut reports) = (Vec::new(), Vec::new());
        if let Some(choice) = self.tiled {
            let (stage, tiled) = tiles(flow, choice)?;
            columns.add(&tiled.tiles);
            if reported {
                let name = match choice {
                    ScheduleChoice::Patch { rows, cols, .. } => format!("patch:{rows}x{cols}"),
                    ScheduleChoice::Strips { count, .. } => format!("strips:{count}"),
                    other => other.to_string(),
                };
                let instructions = costs.of_runs(flow.lowered, &tiled.runs);
                reports.push(SegmentReport::new(flow.lowered, 0, stage.steps, name, instructions));
            }
            runs.extend(tiled.runs);
        }
        let mut writer = Writer::starting_at(flow, 0, stream_input);
        for &Segment { from, to, kind, .. } in &self.segments {
            let list = segments::write(&mut writer, flow, from, to, kind, |s| self.parts[s]);
            if reported {
                let name = match kind {
                    Kind::Layer => "layer".to_owned(),
                    Kind::Stream { parts } => match (from..to).map(|s| self.parts[s].min(parts)).max() {
                        Some(parts) if parts > 1 && !list.tiles.is_empty() => format!("stream in {parts} parts"),
                        _ => "stream".to_owned(),
                    },
                };
                let instructions = costs.of_runs(flow.lowered, &list.runs);
                reports.push(SegmentReport::new(flow.lowered, from, to, name, instructions));
            }
            columns.add(&list.tiles);
            runs.extend(list.runs);
        }
        schedule::merge(flow, &mut runs);
        let storage = schedule::storage(flow, &runs, &columns);
        let instructions = costs.of_runs(flow.lowered, &runs);
        Ok(List { runs, storage, segments: reports, instructions })
    }
}

/// The runs of the operators in tiles.
///
/// # Errors
/// If they cannot run so.
pub(crate) fn tiles(
    flow: &Flow,
    choice: ScheduleChoice,
) -> Result<(schedule::Stage, schedule::Parts), schedule::TileError> {
    let (ScheduleChoice::Patch { operators, .. } | ScheduleChoice::Strips { operators, .. }) = choice else {
        unreachable!("only tiled schedules come here")
    };
    let stage = schedule::stage(flow, operators)?;
    let tiled = match choice {
        ScheduleChoice::Patch { rows, cols, .. } => schedule::patches(flow, stage, rows, cols)?,
        ScheduleChoice::Strips { count, .. } => schedule::strips(flow, stage, count)?,
        _ => unreachable!("only tiled schedules come here"),
    };
    Ok((stage, tiled))
}
