//! What a list of runs keeps alive: how many rows of each buffer at once, and how many bytes in all.
//!
//! This is the planner's quick view, one row at a time, by which it compares thousands of candidate segments. It assumes that the bytes
//! alive at a moment can be packed without gaps; placing the finished list then says what the arena really takes.

use super::Columns;
use super::flow::Flow;
use super::sparse::Sparse;
use smidgen_program::{Granularity, Operand, Run};

/// What [`live`] found.
pub(crate) struct Live {
    /// For each buffer, the most rows from the first to the last that are alive at one time.
    pub span: Vec<usize>,
    /// The most bytes alive during any run, scratch and state included.
    #[cfg(test)]
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
struct RangeUse {
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

/// Rows into which a list is cut at most: of longer ones several rows are taken for one, which is a little more than is alive.
const MOST_ROWS: usize = 1 << 17;

/// A list cut into rows.
struct List {
    rows: Vec<Row>,
    touches: Vec<RangeUse>,
    /// For each buffer, where the last touch of it lies that reads, and the last that writes.
    last: Vec<[u32; 2]>,
    /// Into how many pieces a run is cut at most.
    pieces: usize,
}

impl List {
    /// Notes that the next row touches these rows of a buffer.
    fn touch(&mut self, buffer: usize, (lo, hi): (usize, usize), write: bool) {
        let first = self.rows.last().map_or(0, |r| r.end);
        let last = &mut self.last[buffer][usize::from(write)];
        // What is left of an earlier list may point anywhere.
        let known = self.touches.get_mut(*last as usize).filter(|t| t.buffer == buffer && t.write == write);
        match known.filter(|_| *last as usize >= first) {
            Some(touch) => {
                let both = Hull { lo: touch.lo, hi: touch.hi }.join(lo, hi);
                (touch.lo, touch.hi) = (both.lo, both.hi);
            }
            None => {
                let none = Hull::default();
                *last = self.touches.len() as u32;
                self.touches.push(RangeUse { buffer, lo, hi, write, during: none, before: none });
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
                    let rows = match flow.plain[b.index()] {
                        true => step.rows_taken(i, (region.y0, region.y1), extent.rows),
                        false => (0, flow.rows(b.index())),
                    };
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
        let piece = match step.order.granularity {
            Granularity::Planes { rows, .. } if by_rows => rows.max(1),
            block if by_rows && block != Granularity::Run => 1,
            _ => (region.y1 - region.y0).max(1),
        };
        let piece = match (region.y1 - region.y0).div_ceil(piece) > self.pieces {
            true => (region.y1 - region.y0).div_ceil(self.pieces).next_multiple_of(piece),
            false => piece,
        };
        let continues = region.x0 > 0 && flow.writes(s).all(|b| !tile[b]);
        let mut y = region.y0;
        while y < region.y1 {
            let end = (y + piece).min(region.y1);
            for (operand, footprint) in step.inputs.iter().zip(&step.footprint) {
                if let Operand::Buffer(b, extent) = *operand {
                    let b = b.index();
                    let all = (0, flow.rows(b));
                    self.touch(
                        b,
                        if flow.plain[b] { footprint.rows.input_range((y, end), extent.rows) } else { all },
                        false,
                    );
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
    fn backwards(&mut self) -> impl Iterator<Item = (&Row, &mut [RangeUse])> {
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

/// Looks at lists one after the other, of few of a network's buffers each.
pub(crate) struct Scan {
    list: List,
    span: Sparse<usize>,
    hulls: Sparse<Hull>,
    now: Sparse<Peak>,
    state: Sparse<bool>,
}

impl Scan {
    /// For the lists of one network.
    pub fn new(flow: &Flow) -> Self {
        let (buffers, steps) = (flow.lowered.buffers.len(), flow.lowered.steps.len());
        let list = List { rows: Vec::new(), touches: Vec::new(), last: vec![[0; 2]; buffers], pieces: usize::MAX };
        Self {
            list,
            span: Sparse::new(buffers),
            hulls: Sparse::new(buffers),
            now: Sparse::new(buffers),
            state: Sparse::new(steps),
        }
    }

    /// Walks a list backwards and notes the rows alive, and the most of each buffer. `after` says which buffers are wholly alive when it has
    /// ended, `before` which are alive when it begins; `columns` says what is stored of each buffer.
    fn walk(&mut self, flow: &Flow, runs: &[Run], before: &[usize], after: &[usize], columns: &Columns) {
        let Self { list, span, hulls, .. } = self;
        span.clear();
        hulls.clear();
        list.rows.clear();
        list.touches.clear();
        let rows = |run: &Run| match run {
            Run::Compute { region, .. } => region.y1 - region.y0,
            Run::Await { .. } => 1,
        };
        let rows: usize = runs.iter().map(rows).sum();
        list.pieces = if rows <= MOST_ROWS { usize::MAX } else { (MOST_ROWS / runs.len()).max(1) };
        for run in runs {
            list.add(flow, run, &columns.tile);
        }
        for &b in before.iter().chain(after) {
            span.put(b, flow.rows(b));
        }
        for &b in after {
            hulls.put(b, Hull { lo: 0, hi: flow.rows(b) });
        }
        for (row, touches) in list.backwards() {
            for touch in touches.iter_mut() {
                touch.during = hulls.of(touch.buffer).join(touch.lo, touch.hi);
                span.put(touch.buffer, span.of(touch.buffer).max(touch.during.rows()));
            }
            for touch in touches.iter().filter(|t| t.write && !row.continues) {
                hulls.put(touch.buffer, hulls.of(touch.buffer).without(touch.lo, touch.hi));
            }
            for touch in touches.iter().filter(|t| !t.write) {
                hulls.put(touch.buffer, hulls.of(touch.buffer).join(touch.lo, touch.hi));
            }
            for touch in touches {
                touch.before = hulls.of(touch.buffer);
            }
        }
    }

    /// The most bytes alive at one time of a list; see [`walk`](Self::walk).
    pub fn peak(&mut self, flow: &Flow, runs: &[Run], before: &[usize], after: &[usize], columns: &Columns) -> Peak {
        // First what is alive and the capacities that this needs, then the bytes.
        self.walk(flow, runs, before, after, columns);
        let Self { list, span, now, state, .. } = self;
        let buffers = &flow.lowered.buffers;
        now.clear();
        state.clear();
        let row_bytes = |b: usize| columns.width[b] * buffers[b].extent.depth * buffers[b].element_bytes();
        let size = |b: usize, hull: Hull| match hull.rows() {
            0 => Peak::default(),
            rows if span.of(b) >= flow.rows(b) => Peak { rings: rows * row_bytes(b), slots: rows * row_bytes(b) },
            rows => {
                // Rows that wrap around lie at both ends.
                let span = span.of(b);
                let slots = if hull.lo % span + rows > span { span } else { rows };
                Peak { rings: span * row_bytes(b), slots: slots * row_bytes(b) }
            }
        };
        let (mut total, mut peak) = (Peak::default(), Peak::default());
        for &b in after {
            let size = size(b, Hull { lo: 0, hi: flow.rows(b) });
            now.put(b, size);
            total = Peak { rings: total.rings + size.rings, slots: total.slots + size.slots };
        }
        let mut states = 0;
        for (row, touches) in list.backwards() {
            let mut during = total;
            for touch in touches.iter() {
                let (size, now) = (size(touch.buffer, touch.during), now.of(touch.buffer));
                during.rings += size.rings.saturating_sub(now.rings);
                during.slots += size.slots.saturating_sub(now.slots);
            }
            if let Some(s) = row.state
                && !state.of(s)
            {
                state.put(s, true);
                states += flow.lowered.steps[s].state_bytes;
            }
            peak.rings = peak.rings.max(during.rings + row.scratch + states);
            peak.slots = peak.slots.max(during.slots + row.scratch + states);
            if let (true, Some(s)) = (row.starts, row.state) {
                state.put(s, false);
                states -= flow.lowered.steps[s].state_bytes;
            }
            for touch in touches.iter() {
                let size = size(touch.buffer, touch.before);
                let old = now.of(touch.buffer);
                now.put(touch.buffer, size);
                total.rings = total.rings + size.rings - old.rings;
                total.slots = total.slots + size.slots - old.slots;
            }
        }
        peak
    }
}

/// What is alive of every buffer over one list; see [`Scan::walk`].
pub(crate) fn live(flow: &Flow, runs: &[Run], before: &[usize], after: &[usize], columns: &Columns) -> Live {
    let mut scan = Scan::new(flow);
    scan.walk(flow, runs, before, after, columns);
    Live {
        span: (0..flow.lowered.buffers.len()).map(|b| scan.span.of(b)).collect(),
        #[cfg(test)]
        peak: scan.peak(flow, runs, before, after, columns),
    }
}
