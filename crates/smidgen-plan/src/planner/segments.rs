//! Which segments, and a schedule for each: dynamic programming over the positions between steps.
//!
//! A segment's cost is the most bytes alive while it runs, what it reads and writes and what merely passes by included. First the
//! least possible greatest cost is found; then, among all choices of segments that stay within it (or within a budget), the one
//! that takes the fewest modelled instructions.

use super::arithmetic::{Arithmetic, Bound};
use crate::schedule::{Columns, Flow, Parts, Peak, Scan, Writer, in_parts};
use smidgen_program::costs::Costs;
use smidgen_program::{Operand, Run};
use std::cell::RefCell;
use std::collections::HashMap;

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
        let most = rows + more > MOST_STREAMED_ROWS || s - from == MOST_STREAMED_STEPS || s == flow.apart[from];
        if from < s && most {
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

/// Segments worth considering, looked at when a search first asks for them.
///
/// A streamed segment takes long to look at, and hundreds start at every position; most need not be. In one direction, from the input on,
/// a search knows two things for nothing: steps that fit whole are best whole, since streaming them takes more runs for the same work; and
/// the tensors that are alive where a segment begins and where it ends are stored whole there.
#[derive(Clone)]
pub(crate) struct Candidates {
    end: usize,
    stream_input: bool,
    costs: &'static Costs,
    /// Each step whole.
    layers: Vec<Segment>,
    /// For each position, the instructions of all layers in front of it.
    instructions: Vec<u64>,
    /// For each position, the greatest of the peaks of the layers behind it, by either measure.
    behind: Vec<Peak>,
    /// For each position, bytes that are alive there, whatever lies in front and behind.
    alive: Vec<usize>,
    /// For each position, whether streamed segments begin and end there.
    open: Vec<bool>,
    /// For each position, [one past the last step](Flow::apart) of a streamed segment from there.
    apart: Vec<usize>,
    /// For each position, rows of all steps in front of it when they are streamed, and how many of them work by rows.
    rows: Vec<(usize, usize)>,
    known: RefCell<Known>,
}

/// What has been looked at.
#[derive(Clone, Default)]
struct Known {
    /// Streamed segments by where they begin and end, in whole rows and in parts of them, as far as they were looked at.
    streamed: HashMap<(usize, usize), [Option<Segment>; 2]>,
    /// What [arithmetic](super::arithmetic) says of them, and whether that is all it can say.
    bounds: HashMap<(usize, usize), (Bound, bool)>,
    visits: usize,
    bounded: bool,
}

/// Which of the two ways to count counts.
pub(crate) type Measure = fn(Peak) -> usize;

/// More alive tensors than this at a position, and no streamed segment ends there.
pub(crate) const MOST_ALIVE: usize = 3;
/// Into how many parts rows are cut that are used up at once.
pub(crate) const PARTS: usize = 4;
/// The kinds of streamed segments: into how many parts such rows are cut.
const KINDS: [usize; 2] = [1, PARTS];
/// A segment is not grown any longer once this many in a row were worse than what is already known to be possible.
const PATIENCE: usize = 12;
/// Rows that a streamed segment may compute: each is an entry of the list.
pub(crate) const MOST_STREAMED_ROWS: usize = 1 << 16;
/// Steps that a streamed segment may have: all their rings are alive together, so that the pairs among them grow with the square.
pub(crate) const MOST_STREAMED_STEPS: usize = 384;
/// Runs that are looked at in all, to find segments; a measure of time that is the same everywhere. The first half is for whoever comes
/// first; of the other each position has its share, and what it leaves of it the next ones have as well.
pub(crate) const VISITS: usize = 1_000_000;

impl Candidates {
    /// Looks at every step whole, and at nothing else yet.
    pub fn new(flow: &Flow, stream_input: bool, costs: &'static Costs) -> Self {
        let end = flow.lowered.steps.len();
        let mut evaluator = Evaluator::new(flow, stream_input, costs);
        let layers: Vec<Segment> = (0..end).map(|s| evaluator.evaluate(s, s + 1, Kind::Layer)).collect();
        let (mut instructions, mut rows) = (vec![0; end + 1], vec![(0, 0); end + 1]);
        for (s, layer) in layers.iter().enumerate() {
            instructions[s + 1] = instructions[s] + layer.instructions;
            rows[s + 1] = (rows[s].0 + streamed_rows(flow, s), rows[s].1 + usize::from(flow.by_rows(s)));
        }
        let mut behind = vec![Peak::default(); end + 1];
        for (s, Segment { peak, .. }) in layers.iter().enumerate().rev() {
            let Peak { rings, slots } = behind[s + 1];
            behind[s] = Peak { rings: rings.max(peak.rings), slots: slots.max(peak.slots) };
        }
        let least = least_alive(flow);
        let counts = |b: &usize| !(stream_input && flow.input[*b].is_some());
        Self {
            end,
            stream_input,
            costs,
            layers,
            instructions,
            behind,
            alive: (0..=end).map(|at| flow.alive(at).iter().filter(|b| counts(b)).map(|&b| least[b]).sum()).collect(),
            open: (0..=end).map(|at| flow.tensors_alive(at) <= MOST_ALIVE || at == 0 || at == end).collect(),
            apart: flow.apart.clone(),
            rows,
            known: RefCell::default(),
        }
    }

    /// The same without the peaks of steps that always run whole, whose bytes no choice of segments changes, if they have the greatest
    /// peaks: what is best for all others. Where inputs and outputs of such steps overlap, they take less than their peaks say.
    pub fn exempting(&self, flow: &Flow, least: usize) -> Option<Self> {
        let always_whole = |s: usize| !flow.by_rows(s) && !flow.takes_rows(s);
        if !self.layers.iter().enumerate().any(|(s, layer)| always_whole(s) && layer.peak.rings >= least) {
            return None;
        }
        let mut other = self.clone();
        for (_, layer) in other.layers.iter_mut().enumerate().filter(|&(s, _)| always_whole(s)) {
            layer.peak = Peak::default();
        }
        for s in (0..other.end).rev() {
            let (Peak { rings, slots }, peak) = (other.behind[s + 1], other.layers[s].peak);
            other.behind[s] = Peak { rings: rings.max(peak.rings), slots: slots.max(peak.slots) };
            // What is alive where nothing but such a step can follow bounds nothing either.
            if peak == Peak::default() {
                other.alive[s] = 0;
            }
        }
        other.alive[other.end] = 0;
        Some(other)
    }

    /// Streamed segments were left out because there are too many rows or steps.
    pub fn bounded(&self) -> bool {
        self.known.borrow().bounded
    }

    /// Runs that were looked at.
    #[cfg(test)]
    pub fn visits(&self) -> usize {
        self.known.borrow().visits
    }

    /// Ends of streamed segments from a position on, the nearest first.
    fn ends(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let fits = move |&to: &usize| {
            let fits = self.rows[to].0 - self.rows[from].0 <= MOST_STREAMED_ROWS && to - from <= MOST_STREAMED_STEPS;
            if !fits {
                self.known.borrow_mut().bounded = true;
            }
            fits
        };
        let worth = move |&to: &usize| self.open[to] && self.rows[to].1 > self.rows[from].1;
        let last = if self.open[from] { self.apart[from] } else { from };
        (from + 2..=last).take_while(fits).filter(worth)
    }

    /// Whether the peaks of a streamed segment, in whole rows and in parts of them, may be at most so many bytes: arithmetic tells of most
    /// that are not, at a small part of what looking at them takes.
    fn may_fit(&self, arithmetic: &Arithmetic, from: usize, to: usize, most: usize) -> [bool; 2] {
        let mut known = self.known.borrow_mut();
        let enough = Bound { between: 0, during: [most.saturating_add(1); 2] };
        let (bound, _) = match known.bounds.get(&(from, to)) {
            // A look that ended early may have missed what counts now.
            Some(&(bound, complete)) if complete || bound.reaches(enough) => (bound, complete),
            _ => {
                let bound = arithmetic.stream(from, to, enough).unwrap_or_default();
                *known.bounds.entry((from, to)).insert_entry((bound, !bound.reaches(enough))).get()
            }
        };
        bound.during.map(|bytes| bytes <= most)
    }

    /// A streamed segment in whole rows or, of the second kind, in parts of them; `None` if too much has been looked at.
    fn streamed(&self, evaluator: &mut Evaluator, from: usize, to: usize, kind: usize) -> Option<Segment> {
        let mut known = self.known.borrow_mut();
        if let Some(segment) = known.streamed.get(&(from, to)).and_then(|both| both[kind]) {
            return Some(segment);
        }
        if known.visits > VISITS / 2 + (VISITS / 2) * (from + 1) / self.end {
            known.bounded = true;
            return None;
        }
        let before = evaluator.visits;
        let segment = evaluator.evaluate(from, to, Kind::Stream { parts: KINDS[kind] });
        known.visits += evaluator.visits - before;
        known.streamed.entry((from, to)).or_default()[kind] = Some(segment);
        Some(segment)
    }

    /// Those of a streamed segment's two kinds whose peaks may be at most so many bytes; `None` if too much has been looked at.
    fn fitting(
        &self,
        (evaluator, arithmetic): (&mut Evaluator, &Arithmetic),
        from: usize,
        to: usize,
        most: usize,
    ) -> Option<[Option<Segment>; 2]> {
        let may_fit = self.may_fit(arithmetic, from, to, most);
        let mut segments = [None; 2];
        for kind in (0..2).filter(|&kind| may_fit[kind]) {
            segments[kind] = Some(self.streamed(evaluator, from, to, kind)?);
        }
        Some(segments)
    }

    /// The least possible greatest peak of the segments from step `start` on.
    pub fn least_peak(&self, flow: &Flow, start: usize, measure: Measure) -> usize {
        let mut evaluator = Evaluator::new(flow, self.stream_input, self.costs);
        let arithmetic = arithmetic(flow, self.stream_input);
        let mut best = vec![usize::MAX; self.end + 1];
        best[start] = 0;
        // What is known to be possible: the best so far up to some position, and layers behind it.
        let mut least = measure(self.behind[start]);
        for from in start..self.end {
            let so_far = best[from].max(self.alive[from]);
            if so_far >= least {
                continue;
            }
            best[from + 1] = best[from + 1].min(so_far.max(measure(self.layers[from].peak)));
            least = least.min(best[from + 1].max(measure(self.behind[from + 1])));
            let mut worse = 0;
            for to in self.ends(from) {
                if so_far >= least || worse > PATIENCE {
                    break;
                }
                if so_far.max(self.alive[to]) >= least.min(best[to]) {
                    continue;
                }
                // What has the greatest peak known to be possible, or a greater one, leads nowhere.
                let most = least.saturating_sub(1);
                let Some(fitting) = self.fitting((&mut evaluator, &arithmetic), from, to, most) else { break };
                let peaks = fitting.into_iter().flatten().map(|segment| measure(segment.peak));
                let peak = peaks.min().unwrap_or(usize::MAX);
                worse = if peak >= least { worse + 1 } else { 0 };
                best[to] = best[to].min(so_far.max(peak));
                least = least.min(best[to].max(measure(self.behind[to])));
            }
        }
        least
    }

    /// The segments from step `start` on that take the fewest instructions with no peak above `limit`; `None` if there are none.
    pub fn fastest(&self, flow: &Flow, start: usize, limit: usize, measure: Measure) -> Option<Vec<Segment>> {
        let mut evaluator = Evaluator::new(flow, self.stream_input, self.costs);
        let arithmetic = arithmetic(flow, self.stream_input);
        let fits = |segment: &Segment| measure(segment.peak) <= limit;
        // For each position, the first layer from there on that does not fit.
        let mut unfit = vec![self.end; self.end + 1];
        for (s, layer) in self.layers.iter().enumerate().rev() {
            unfit[s] = if fits(layer) { unfit[s + 1] } else { s };
        }
        let mut best: Vec<Option<(u64, usize)>> = vec![None; self.end + 1];
        let mut chosen: Vec<Option<Segment>> = vec![None; self.end + 1];
        best[start] = Some((0, 0));
        for from in start..self.end {
            let Some((instructions, count)) = best[from] else { continue };
            let mut offer = |best: &mut [Option<(u64, usize)>], segment: Segment| {
                let cost = (instructions + segment.instructions, count + 1);
                if fits(&segment) && best[segment.to].is_none_or(|known| cost < known) {
                    best[segment.to] = Some(cost);
                    chosen[segment.to] = Some(segment);
                }
            };
            offer(&mut best, self.layers[from]);
            if self.alive[from] > limit || unfit[from] == self.end {
                continue;
            }
            let mut worse = 0;
            // Steps that fit whole behind a segment that fits are better whole than streamed with it.
            let mut unfit_behind = unfit[from];
            for to in self.ends(from).filter(|&to| self.alive[to] <= limit) {
                if unfit_behind == self.end {
                    break;
                }
                if to <= unfit_behind {
                    continue;
                }
                let least = instructions + (self.instructions[to] - self.instructions[from]);
                if best[to].is_some_and(|(known, _)| known < least) {
                    continue;
                }
                let Some(fitting) = self.fitting((&mut evaluator, &arithmetic), from, to, limit) else { break };
                worse = if fitting.iter().flatten().any(fits) { 0 } else { worse + 1 };
                if fitting[0].as_ref().is_some_and(fits) {
                    unfit_behind = unfit[to];
                }
                fitting.into_iter().flatten().for_each(|segment| offer(&mut best, segment));
                if worse > PATIENCE {
                    break;
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
    pub fn limits(&self, flow: &Flow, least: usize) -> Vec<usize> {
        let mut evaluator = Evaluator::new(flow, self.stream_input, self.costs);
        let bound = self.behind[0].rings;
        let mut peaks: Vec<usize> = self.layers.iter().map(|layer| layer.peak.rings).collect();
        for from in 0..self.end {
            let mut worse = 0;
            for to in self.ends(from).filter(|&to| self.alive[from].max(self.alive[to]) <= bound) {
                let Some(whole) = self.streamed(&mut evaluator, from, to, 0) else { break };
                let Some(parts) = self.streamed(&mut evaluator, from, to, 1) else { break };
                peaks.extend([whole.peak.rings, parts.peak.rings]);
                worse = if parts.peak.rings > bound { worse + 1 } else { 0 };
                if worse > PATIENCE {
                    break;
                }
            }
        }
        peaks.retain(|&peak| peak >= least);
        peaks.sort_unstable();
        peaks.dedup();
        peaks
    }
}

/// What is known of streamed segments by arithmetic.
pub(crate) fn arithmetic<'f, 'a>(flow: &'f Flow<'a>, stream_input: bool) -> Arithmetic<'f, 'a> {
    Arithmetic::new(flow, stream_input, least_alive(flow), PARTS)
}

/// For each buffer, the fewest bytes that are alive of it while it waits for any of its readers: rows that none of them reads are not counted.
fn least_alive(flow: &Flow) -> Vec<usize> {
    let buffers = &flow.lowered.buffers;
    let mut least: Vec<usize> = buffers.iter().map(|spec| spec.bytes()).collect();
    for s in 0..flow.lowered.steps.len() {
        for (b, footprint) in flow.reads(s) {
            let rows = flow.lowered.steps[s].outputs.first().map_or(0, |target| target.extent.rows);
            let (lo, hi) = footprint.rows.input_range((0, rows), flow.rows(b));
            if flow.plain[b] && !flow.takes_rows(s) {
                least[b] = least[b].min(hi.saturating_sub(lo) * buffers[b].row_bytes());
            }
        }
    }
    least
}
