//! What a list of runs keeps alive: how many rows of each buffer at once, and how many bytes in all.
//!
//! This is the planner's quick view, one row at a time, by which it compares thousands of candidate segments. It assumes that the bytes
//! alive at a moment can be packed without gaps; placing the finished list then says what the arena really takes.

use super::Columns;
use super::flow::Flow;
use crate::{Block, Operand, Run};

/// What [`live`] found.
pub(crate) struct Live {
    /// For each buffer, the most rows from the first to the last that are alive at one time.
    pub span: Vec<usize>,
    /// The most bytes alive during any run, scratch and state included.
    pub peak: Peak,
}

/// The most bytes alive at one time, counted in two ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Peak {
    /// With all of a ring while any of its rows is alive: what placing mostly comes to.
    pub rings: usize,
    /// With the slots of a ring from the first to the last that holds a row: less, while rings fill and drain.
    pub slots: usize,
}

/// The rows of one buffer that are still needed, walking backwards.
#[derive(Clone, Copy, Default)]
struct Hull {
    lo: usize,
    hi: usize,
}

impl Hull {
    fn rows(self) -> usize {
        self.hi - self.lo
    }

    /// The smallest range that holds both.
    fn join(self, lo: usize, hi: usize) -> Self {
        if lo >= hi {
            self
        } else if self.rows() == 0 {
            Self { lo, hi }
        } else {
            Self { lo: self.lo.min(lo), hi: self.hi.max(hi) }
        }
    }

    /// Without rows `lo .. hi`, which are written now. What is needed of rows in the middle stays in the hull.
    fn without(self, lo: usize, hi: usize) -> Self {
        match self {
            Self { lo: a, hi: b } if lo <= a && b <= hi => Self::default(),
            Self { lo: a, hi: b } if lo <= a => Self { lo: a.max(hi.min(b)), hi: b },
            Self { lo: a, hi: b } if b <= hi => Self { lo: a, hi: b.min(lo.max(a)) },
            hull => hull,
        }
    }
}

/// One row (or one indivisible run) of a list.
struct Row {
    /// Buffers read, with the rows.
    reads: Vec<(usize, usize, usize)>,
    /// Buffers written, with the rows.
    writes: Vec<(usize, usize, usize)>,
    /// True if what is written are columns further right of rows that were begun before: those stay alive before it.
    continues: bool,
    scratch: usize,
    /// The step, where it is a consuming one: its state is alive from the first to the last of its runs.
    state: Option<usize>,
    /// True for the first of the runs of a consuming step.
    starts: bool,
}

impl Row {
    /// Goes back to before the row.
    fn leave(&self, hulls: &mut [Hull]) {
        for &(b, lo, hi) in self.writes.iter().filter(|_| !self.continues) {
            hulls[b] = hulls[b].without(lo, hi);
        }
        for &(b, lo, hi) in &self.reads {
            hulls[b] = hulls[b].join(lo, hi);
        }
    }
}

/// The rows that a run reads and writes; a run of many rows that its kernel computes row by row is cut into rows.
fn rows(flow: &Flow, run: &Run, tile: &[bool], sink: &mut Vec<Row>) {
    let (s, region) = match *run {
        Run::Await { input, y0, y1 } => {
            if let Some(b) = flow.lowered.inputs[input].operand.buffer() {
                let writes = vec![(b.index(), y0, y1)];
                sink.push(Row { reads: Vec::new(), writes, continues: false, scratch: 0, state: None, starts: false });
            }
            return;
        }
        Run::Compute { step, region } => (step.index(), region),
    };
    let step = &flow.lowered.steps[s];
    if step.consumes {
        let mut reads = Vec::new();
        let taking = Row {
            reads: Vec::new(),
            writes: Vec::new(),
            continues: false,
            scratch: step.scratch_bytes,
            state: Some(s),
            starts: region.y0 == 0,
        };
        for (i, operand) in step.inputs.iter().enumerate() {
            if let Operand::Buffer(b, extent) = *operand {
                let b = b.index();
                let part = i == 0 && flow.plain[b];
                reads.push(if part { (b, region.y0, region.y1) } else { (b, 0, flow.rows(b)) });
                if i == 0 && region.y1 == extent.rows {
                    let writes = flow.writes(s).map(|b| (b, 0, flow.rows(b))).collect();
                    sink.push(Row { reads, writes, ..taking });
                    return;
                }
            }
        }
        sink.push(Row { reads, ..taking });
        return;
    }
    let piece = match flow.by_rows(s) && step.order.block != Block::Run {
        true => 1,
        false => (region.y1 - region.y0).max(1),
    };
    let mut y = region.y0;
    while y < region.y1 {
        let end = (y + piece).min(region.y1);
        let reads = flow
            .reads(s)
            .zip(step.inputs.iter().filter(|i| i.buffer().is_some()))
            .map(|((b, access), operand)| match *operand {
                Operand::Buffer(_, extent) if flow.plain[b] => {
                    let (lo, hi) = access.rows.needs((y, end), extent.rows);
                    (b, lo, hi)
                }
                _ => (b, 0, flow.rows(b)),
            })
            .collect();
        let writes = if flow.by_rows(s) {
            flow.writes(s).map(|b| (b, y, end)).collect()
        } else {
            flow.writes(s).map(|b| (b, 0, flow.rows(b))).collect()
        };
        let continues = region.x0 > 0 && flow.writes(s).all(|b| !tile[b]);
        sink.push(Row { reads, writes, continues, scratch: step.scratch_bytes, state: None, starts: false });
        y = end;
    }
}

/// Walks a list backwards. `after` says which buffers are wholly alive when it has ended, `before` which are alive when it
/// begins; `columns` says what is stored of each buffer.
pub(crate) fn live(flow: &Flow, runs: &[Run], before: &[usize], after: &[usize], columns: &Columns) -> Live {
    let buffers = &flow.lowered.buffers;
    let row_bytes: Vec<usize> =
        buffers.iter().zip(&columns.width).map(|(b, w)| w * b.extent.depth * b.element_bytes()).collect();
    let mut list = Vec::with_capacity(runs.len());
    for run in runs {
        rows(flow, run, &columns.tile, &mut list);
    }
    let mut span = vec![0; buffers.len()];
    // First the capacities, then the bytes.
    walk(flow, &list, after, |b, hull| span[b] = span[b].max(hull.rows()));
    for &b in before.iter().chain(after) {
        span[b] = span[b].max(flow.rows(b));
    }
    let all = |b: usize, hull: Hull| match hull.rows() {
        0 => 0,
        rows if span[b] >= flow.rows(b) => rows * row_bytes[b],
        _ => span[b] * row_bytes[b],
    };
    let slots = |b: usize, hull: Hull| match hull.rows() {
        0 => 0,
        // Rows that wrap around lie at both ends.
        rows if hull.lo % span[b] + rows > span[b] => span[b] * row_bytes[b],
        rows => rows * row_bytes[b],
    };
    let rings = most_bytes(flow, &list, after, all);
    let slots = most_bytes(flow, &list, after, slots);
    Live { span, peak: Peak { rings, slots } }
}

/// The most bytes alive during any row, where `size` gives the bytes of a buffer of which some rows are alive.
fn most_bytes(flow: &Flow, list: &[Row], after: &[usize], size: impl Fn(usize, Hull) -> usize) -> usize {
    let mut now = vec![0; flow.lowered.buffers.len()];
    let mut hulls = vec![Hull::default(); flow.lowered.buffers.len()];
    let (mut total, mut peak, mut states) = (0, 0, 0);
    for &b in after {
        hulls[b] = Hull { lo: 0, hi: flow.rows(b) };
        now[b] = size(b, hulls[b]);
        total += now[b];
    }
    let mut state = vec![false; flow.lowered.steps.len()];
    for row in list.iter().rev() {
        let mut during = total;
        for &(b, lo, hi) in row.reads.iter().chain(&row.writes) {
            during += size(b, hulls[b].join(lo, hi)).saturating_sub(now[b]);
        }
        if let Some(s) = row.state
            && !std::mem::replace(&mut state[s], true)
        {
            states += flow.lowered.steps[s].state_bytes;
        }
        peak = peak.max(during + row.scratch + states);
        if let (true, Some(s)) = (row.starts, row.state) {
            state[s] = false;
            states -= flow.lowered.steps[s].state_bytes;
        }
        row.leave(&mut hulls);
        for &(b, ..) in row.reads.iter().chain(&row.writes) {
            let bytes = size(b, hulls[b]);
            total = total + bytes - now[b];
            now[b] = bytes;
        }
    }
    peak
}

/// Calls `seen` with the rows of each touched buffer that are alive during each row.
fn walk(flow: &Flow, list: &[Row], after: &[usize], mut seen: impl FnMut(usize, Hull)) {
    let mut hulls = vec![Hull::default(); flow.lowered.buffers.len()];
    for &b in after {
        hulls[b] = Hull { lo: 0, hi: flow.rows(b) };
    }
    for row in list.iter().rev() {
        for &(b, lo, hi) in row.reads.iter().chain(&row.writes) {
            seen(b, hulls[b].join(lo, hi));
        }
        row.leave(&mut hulls);
    }
}
