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

/// What a row reads or writes of one buffer.
struct Touch {
    buffer: usize,
    lo: usize,
    hi: usize,
    write: bool,
    /// The rows alive during the row, and before it.
    during: Hull,
    before: Hull,
}

/// One row (or one indivisible run) of a list.
struct Row {
    /// Where its touches end; they begin where those of the row before end.
    end: usize,
    /// True if what is written are columns further right of rows that were begun before: those stay alive before it.
    continues: bool,
    scratch: usize,
    /// The step, where it is a consuming one: its state is alive from the first to the last of its runs.
    state: Option<usize>,
    /// True for the first of the runs of a consuming step.
    starts: bool,
}

/// A list cut into rows.
#[derive(Default)]
struct List {
    rows: Vec<Row>,
    touches: Vec<Touch>,
}

impl List {
    /// Notes that the next row touches these rows of a buffer.
    fn touch(&mut self, buffer: usize, (lo, hi): (usize, usize), write: bool) {
        let first = self.rows.last().map_or(0, |r| r.end);
        match self.touches[first..].iter_mut().find(|t| t.buffer == buffer && t.write == write) {
            Some(touch) => {
                let both = Hull { lo: touch.lo, hi: touch.hi }.join(lo, hi);
                (touch.lo, touch.hi) = (both.lo, both.hi);
            }
            None => {
                let none = Hull::default();
                self.touches.push(Touch { buffer, lo, hi, write, during: none, before: none });
            }
        }
    }

    /// Ends the next row.
    fn end(&mut self, continues: bool, scratch: usize, state: Option<usize>, starts: bool) {
        self.rows.push(Row { end: self.touches.len(), continues, scratch, state, starts });
    }

    /// Adds the rows that a run reads and writes; a run of many rows that its kernel computes row by row is cut into rows.
    fn add(&mut self, flow: &Flow, run: &Run, tile: &[bool]) {
        let (s, region) = match *run {
            Run::Await { input, y0, y1 } => {
                if let Some(b) = flow.lowered.inputs[input].operand.buffer() {
                    self.touch(b.index(), (y0, y1), true);
                    self.end(false, 0, None, false);
                }
                return;
            }
            Run::Compute { step, region } => (step.index(), region),
        };
        let step = &flow.lowered.steps[s];
        if step.consumes {
            let mut last = false;
            for (i, operand) in step.inputs.iter().enumerate() {
                if let Operand::Buffer(b, extent) = *operand {
                    let part = i == 0 && flow.plain[b.index()];
                    let rows = if part { (region.y0, region.y1) } else { (0, flow.rows(b.index())) };
                    self.touch(b.index(), rows, false);
                    last |= i == 0 && region.y1 == extent.rows;
                }
            }
            for b in flow.writes(s).filter(|_| last) {
                self.touch(b, (0, flow.rows(b)), true);
            }
            self.end(false, step.scratch_bytes, Some(s), region.y0 == 0);
            return;
        }
        let by_rows = flow.by_rows(s);
        let piece = match step.order.block {
            Block::Planes { rows, .. } if by_rows => rows.max(1),
            block if by_rows && block != Block::Run => 1,
            _ => (region.y1 - region.y0).max(1),
        };
        let continues = region.x0 > 0 && flow.writes(s).all(|b| !tile[b]);
        let mut y = region.y0;
        while y < region.y1 {
            let end = (y + piece).min(region.y1);
            for (operand, access) in step.inputs.iter().zip(&step.access) {
                if let Operand::Buffer(b, extent) = *operand {
                    let b = b.index();
                    let all = (0, flow.rows(b));
                    self.touch(b, if flow.plain[b] { access.rows.needs((y, end), extent.rows) } else { all }, false);
                }
            }
            for b in flow.writes(s) {
                self.touch(b, if by_rows { (y, end) } else { (0, flow.rows(b)) }, true);
            }
            self.end(continues, step.scratch_bytes, None, false);
            y = end;
        }
    }

    /// Rows with their touches, last first.
    fn backwards(&mut self) -> impl Iterator<Item = (&Row, &mut [Touch])> {
        let rows = &self.rows;
        let mut touches = self.touches.as_mut_slice();
        (0..rows.len()).rev().map(move |i| {
            let start = if i == 0 { 0 } else { rows[i - 1].end };
            let (rest, own) = std::mem::take(&mut touches).split_at_mut(start);
            touches = rest;
            (&rows[i], own)
        })
    }
}

/// Walks a list backwards. `after` says which buffers are wholly alive when it has ended, `before` which are alive when it
/// begins; `columns` says what is stored of each buffer.
pub(crate) fn live(flow: &Flow, runs: &[Run], before: &[usize], after: &[usize], columns: &Columns) -> Live {
    let buffers = &flow.lowered.buffers;
    let mut list = List::default();
    for run in runs {
        list.add(flow, run, &columns.tile);
    }
    // First what is alive and the capacities that this needs, then the bytes.
    let mut span = vec![0; buffers.len()];
    let mut hulls = vec![Hull::default(); buffers.len()];
    for &b in before.iter().chain(after) {
        span[b] = flow.rows(b);
    }
    for &b in after {
        hulls[b] = Hull { lo: 0, hi: flow.rows(b) };
    }
    for (row, touches) in list.backwards() {
        for touch in touches.iter_mut() {
            touch.during = hulls[touch.buffer].join(touch.lo, touch.hi);
            span[touch.buffer] = span[touch.buffer].max(touch.during.rows());
        }
        for touch in touches.iter().filter(|t| t.write && !row.continues) {
            hulls[touch.buffer] = hulls[touch.buffer].without(touch.lo, touch.hi);
        }
        for touch in touches.iter().filter(|t| !t.write) {
            hulls[touch.buffer] = hulls[touch.buffer].join(touch.lo, touch.hi);
        }
        for touch in touches {
            touch.before = hulls[touch.buffer];
        }
    }
    let row_bytes = |b: usize| columns.width[b] * buffers[b].extent.depth * buffers[b].element_bytes();
    let size = |b: usize, hull: Hull| match hull.rows() {
        0 => Peak::default(),
        rows if span[b] >= flow.rows(b) => Peak { rings: rows * row_bytes(b), slots: rows * row_bytes(b) },
        rows => {
            // Rows that wrap around lie at both ends.
            let slots = if hull.lo % span[b] + rows > span[b] { span[b] } else { rows };
            Peak { rings: span[b] * row_bytes(b), slots: slots * row_bytes(b) }
        }
    };
    let mut now = vec![Peak::default(); buffers.len()];
    let (mut total, mut peak) = (Peak::default(), Peak::default());
    for &b in after {
        now[b] = size(b, Hull { lo: 0, hi: flow.rows(b) });
        total = Peak { rings: total.rings + now[b].rings, slots: total.slots + now[b].slots };
    }
    let (mut states, mut state) = (0, vec![false; flow.lowered.steps.len()]);
    for (row, touches) in list.backwards() {
        let mut during = total;
        for touch in touches.iter() {
            let (size, now) = (size(touch.buffer, touch.during), now[touch.buffer]);
            during.rings += size.rings.saturating_sub(now.rings);
            during.slots += size.slots.saturating_sub(now.slots);
        }
        if let Some(s) = row.state
            && !std::mem::replace(&mut state[s], true)
        {
            states += flow.lowered.steps[s].state_bytes;
        }
        peak.rings = peak.rings.max(during.rings + row.scratch + states);
        peak.slots = peak.slots.max(during.slots + row.scratch + states);
        if let (true, Some(s)) = (row.starts, row.state) {
            state[s] = false;
            states -= flow.lowered.steps[s].state_bytes;
        }
        for touch in touches.iter() {
            let size = size(touch.buffer, touch.before);
            let old = std::mem::replace(&mut now[touch.buffer], size);
            total.rings = total.rings + size.rings - old.rings;
            total.slots = total.slots + size.slots - old.slots;
        }
    }
    Live { span, peak }
}
