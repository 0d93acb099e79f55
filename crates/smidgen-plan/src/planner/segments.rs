//! Which segments, and a schedule for each: dynamic programming over the positions between steps.
//!
//! A segment's cost is the most bytes alive while it runs, what it reads and writes and what merely passes by included. First the
//! least possible greatest cost is found; then, among all choices of segments that stay within it (or within a budget), the one
//! that takes the fewest modelled instructions.

use super::cost;
use crate::Run;
use crate::schedule::{Columns, Flow, Parts, Peak, Writer, in_parts, live};

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
pub(crate) fn write(flow: &Flow, from: usize, to: usize, kind: Kind, most: &[usize], stream_input: bool) -> Parts {
    let mut writer = Writer::starting_at(flow, from, stream_input);
    match kind {
        Kind::Layer => writer.layer(from, to),
        Kind::Stream { .. } => writer.stream(from, to),
    }
    match kind {
        Kind::Stream { parts } if parts > 1 => in_parts(flow, &writer.runs, |s| parts.min(most[s])),
        _ => Parts { runs: writer.runs, tiles: Vec::new() },
    }
}

/// A segment with its costs.
pub(crate) fn evaluate(flow: &Flow, from: usize, to: usize, kind: Kind, stream_input: bool) -> Segment {
    let most = vec![usize::MAX; flow.lowered.steps.len()];
    let Parts { runs, tiles } = write(flow, from, to, kind, &most, stream_input);
    let mut storage = Columns::full(flow);
    storage.add(&tiles);
    let awaited =
        |b: usize| runs.iter().any(|r| matches!(r, Run::Await { input, .. } if flow.input[b] == Some(*input)));
    let mut before = flow.alive(from).to_vec();
    before.retain(|&b| !awaited(b));
    let after = flow.alive(to);
    let peak = live(flow, &runs, &before, after, &storage).peak;
    Segment { from, to, kind, peak, instructions: cost::hundredths(flow.lowered, &runs) }
}

/// All segments worth considering.
#[derive(Clone)]
pub(crate) struct Candidates {
    end: usize,
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

impl Candidates {
    /// Evaluates segments.
    pub fn new(flow: &Flow, stream_input: bool) -> Self {
        let end = flow.lowered.steps.len();
        let mut ending: Vec<Vec<Segment>> = vec![Vec::new(); end + 1];
        let mut bound = 0;
        for s in 0..end {
            let segment = evaluate(flow, s, s + 1, Kind::Layer, stream_input);
            bound = bound.max(segment.peak.rings);
            ending[s + 1].push(segment);
        }
        let open: Vec<bool> = (0..=end).map(|at| flow.alive(at).len() <= MOST_ALIVE || at == 0 || at == end).collect();
        for from in (0..end).filter(|&at| open[at]) {
            let mut worse = 0;
            for to in (from + 2..=end).filter(|&at| open[at]) {
                if !(from..to).any(|s| flow.by_rows(s)) {
                    continue;
                }
                let whole = evaluate(flow, from, to, Kind::Stream { parts: 1 }, stream_input);
                let parts = evaluate(flow, from, to, Kind::Stream { parts: PARTS }, stream_input);
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
        Self { end, ending }
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
