//! Which segments, and a schedule for each: dynamic programming over the positions between steps.
//!
//! A segment's cost is the most bytes alive while it runs, what it reads and writes and what merely passes by included. First the
//! least possible greatest cost is found; then, among all choices of segments that stay within it (or within a budget), the one
//! that takes the fewest modelled instructions.

use crate::costs::Costs;
use crate::schedule::{Columns, Flow, Parts, Peak, Scan, Writer, in_parts};
use crate::{Operand, Run};

/// How a segment is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Steps whole, one after another.
    Layer,
    /// Row by row; rows that are used up at once in this many parts.
    Stream {
        /// 1: whole rows.
        parts: usize,
    },
}

/// Steps `from .. to` with their schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub from: usize,
    pub to: usize,
    pub kind: Kind,
    /// Most bytes alive, by the planner's quick view.
    pub peak: Peak,
    /// Modelled instructions in hundredths.
    pub instructions: u64,
}

/// The list of a segment that starts with everything before it done. `most` says for each step into how many parts the rows may be cut
/// that begin at it.
pub(crate) fn write(
    writer: &mut Writer,
    flow: &Flow,
    from: usize,
    to: usize,
    kind: Kind,
    most: impl Fn(usize) -> usize,
) -> Parts {
    writer.restart(from);
    match kind {
        Kind::Layer => writer.layer(from, to),
        Kind::Stream { .. } => writer.stream(from, to),
    }
    match kind {
        Kind::Stream { parts } if parts > 1 => in_parts(flow, &writer.runs, |s| parts.min(most(s))),
        _ => Parts { runs: std::mem::take(&mut writer.runs), tiles: Vec::new() },
    }
}

/// Evaluates segments of one network, one after the other.
pub(crate) struct Evaluator<'f, 'a> {
    flow: &'f Flow<'a>,
    costs: &'static Costs,
    writer: Writer<'f, 'a>,
    scan: Scan,
    columns: Columns,
    /// Runs looked at so far.
    pub visits: usize,
}

impl<'f, 'a> Evaluator<'f, 'a> {
    /// Has looked at none.
    pub fn new(flow: &'f Flow<'a>, stream_input: bool, costs: &'static Costs) -> Self {
        Self {
            flow,
            costs,
            writer: Writer::starting_at(flow, 0, stream_input),
            scan: Scan::new(flow),
            columns: Columns::full(flow),
            visits: 0,
        }
    }

    /// A segment with its costs.
    pub fn evaluate(&mut self, from: usize, to: usize, kind: Kind) -> Segment {
        let flow = self.flow;
        let Parts { runs, tiles } = write(&mut self.writer, flow, from, to, kind, |_| usize::MAX);
        self.visits += runs.len();
        self.columns.add(&tiles);
        let mut awaited: Vec<usize> = runs
            .iter()
            .filter_map(|run| match *run {
                Run::Await { input, .. } => Some(input),
                Run::Compute { .. } => None,
            })
            .collect();
        awaited.sort_unstable();
        awaited.dedup();
        let mut before = flow.alive(from);
        before.retain(|&b| flow.input[b].is_none_or(|input| awaited.binary_search(&input).is_err()));
        let after = flow.alive(to);
        let peak = self.scan.peak(flow, &runs, &before, &after, &self.columns);
        self.columns.remove(flow, &tiles);
        Segment { from, to, kind, peak, instructions: self.costs.of_runs(flow.lowered, &runs) }
    }
}

/// Runs that a step may become when it is streamed: rows of its output, or of the input that it takes row by row.
pub(crate) fn streamed_rows(flow: &Flow, s: usize) -> usize {
    let step = &flow.lowered.steps[s];
    match step.inputs.first() {
        Some(Operand::Buffer(_, extent)) if flow.takes_rows(s) => extent.rows,
        _ if flow.by_rows(s) => step.outputs[0].extent.rows.div_ceil(flow.together(s)),
        _ => 1,
    }
}

/// The fewest streamed segments, none of which has too many steps or rows; a step that has too many rows alone is whole.
pub(crate) fn streamed(flow: &Flow) -> Vec<(usize, usize, Kind)> {
    let end = flow.lowered.steps.len();
    let mut segments = Vec::new();
    let (mut from, mut rows) = (0, 0);
    for s in 0..end {
        let more = streamed_rows(flow, s);
        if from < s && (rows + more > MOST_STREAMED_ROWS || s - from == MOST_STREAMED_STEPS) {
            segments.push((from, s, Kind::Stream { parts: 1 }));
            (from, rows) = (s, 0);
        }
        rows += more;
        if more > MOST_STREAMED_ROWS {
            segments.push((s, s + 1, Kind::Layer));
            (from, rows) = (s + 1, 0);
        }
    }
    if from < end || segments.is_empty() {
        segments.push((from, end, Kind::Stream { parts: 1 }));
    }
    segments
}

/// All segments worth considering.
#[derive(Clone)]
pub(crate) struct Candidates {
    end: usize,
    /// Streamed segments were left out because there are too many rows or steps.
    pub bounded: bool,
    /// Runs that were looked at.
    #[cfg(test)]
    pub visits: usize,
    /// For each position at which a segment ends, the segments that do.
    ending: Vec<Vec<Segment>>,
}

/// Which of the two ways to count counts.
pub(crate) type Measure = fn(Peak) -> usize;

/// More alive tensors than this at a position, and no streamed segment ends there.
const MOST_ALIVE: usize = 3;
/// Into how many parts rows are cut that are used up at once.
const PARTS: usize = 4;
/// A segment is not grown any longer once this many in a row were worse than what is already known to be possible.
const PATIENCE: usize = 12;
/// Rows that a streamed segment may compute: each is an entry of the list.
pub(crate) const MOST_STREAMED_ROWS: usize = 1 << 16;
/// Steps that a streamed segment may have: all their rings are alive together, so that the pairs among them grow with the square.
pub(crate) const MOST_STREAMED_STEPS: usize = 384;
/// Runs that are looked at in all, to find segments; a measure of time that is the same everywhere. The first half is for whoever comes
/// first; of the other each position has its share, and what it leaves of it the next ones have as well.
pub(crate) const VISITS: usize = 5_000_000;

impl Candidates {
    /// Evaluates segments.
    pub fn new(flow: &Flow, stream_input: bool, costs: &'static Costs) -> Self {
        let end = flow.lowered.steps.len();
        let mut evaluator = Evaluator::new(flow, stream_input, costs);
        let mut ending: Vec<Vec<Segment>> = vec![Vec::new(); end + 1];
        let mut bound = 0;
        for s in 0..end {
            let segment = evaluator.evaluate(s, s + 1, Kind::Layer);
            bound = bound.max(segment.peak.rings);
            ending[s + 1].push(segment);
        }
        let open: Vec<bool> = (0..=end).map(|at| flow.alive_count(at) <= MOST_ALIVE || at == 0 || at == end).collect();
        let mut bounded = false;
        evaluator.visits = 0;
        for from in (0..end).filter(|&at| open[at]) {
            let share = VISITS / 2 + (VISITS / 2) * (from + 1) / end;
            let (mut worse, mut rows, mut by_rows) = (0, streamed_rows(flow, from), flow.by_rows(from));
            for to in from + 2..=end {
                rows += streamed_rows(flow, to - 1);
                by_rows |= flow.by_rows(to - 1);
                if rows > MOST_STREAMED_ROWS || to - from > MOST_STREAMED_STEPS || evaluator.visits > share {
                    bounded = true;
                    break;
                }
                if !open[to] || !by_rows {
                    continue;
                }
                let whole = evaluator.evaluate(from, to, Kind::Stream { parts: 1 });
                let parts = evaluator.evaluate(from, to, Kind::Stream { parts: PARTS });
                worse = if parts.peak.rings > bound { worse + 1 } else { 0 };
                ending[to].push(whole);
                if parts.peak != whole.peak {
                    ending[to].push(parts);
                }
                if worse > PATIENCE {
                    break;
                }
            }
        }
        Self {
            end,
            bounded,
            #[cfg(test)]
            visits: evaluator.visits,
            ending,
        }
    }

    /// The least possible greatest peak of the segments from step `start` on.
    pub fn least_peak(&self, start: usize, measure: Measure) -> usize {
        let mut best = vec![usize::MAX; self.end + 1];
        best[start] = 0;
        for to in start + 1..=self.end {
            best[to] = self.ending[to]
                .iter()
                .filter(|s| s.from >= start)
                .map(|s| best[s.from].max(measure(s.peak)))
                .min()
                .unwrap_or(usize::MAX);
        }
        best[self.end]
    }

    /// The segments from step `start` on that take the fewest instructions with no peak above `limit`; `None` if there are none.
    pub fn fastest(&self, start: usize, limit: usize, measure: Measure) -> Option<Vec<Segment>> {
        let mut best: Vec<Option<(u64, usize)>> = vec![None; self.end + 1];
        let mut chosen: Vec<Option<Segment>> = vec![None; self.end + 1];
        best[start] = Some((0, 0));
        for to in start + 1..=self.end {
            for segment in self.ending[to].iter().filter(|s| s.from >= start && measure(s.peak) <= limit) {
                if let Some((instructions, count)) = best[segment.from] {
                    let cost = (instructions + segment.instructions, count + 1);
                    if best[to].is_none_or(|b| cost < b) {
                        best[to] = Some(cost);
                        chosen[to] = Some(*segment);
                    }
                }
            }
        }
        let mut segments = Vec::new();
        let mut at = self.end;
        while at > start {
            let segment = chosen[at]?;
            segments.push(segment);
            at = segment.from;
        }
        segments.reverse();
        Some(segments)
    }

    /// The distinct peaks of all candidates from `least` on, ascending: where the fastest choice can change.
    pub fn limits(&self, least: usize) -> Vec<usize> {
        let mut peaks: Vec<usize> =
            self.ending.iter().flatten().map(|s| s.peak.rings).filter(|&p| p >= least).collect();
        peaks.sort_unstable();
        peaks.dedup();
        peaks
    }
}
