//! Which bytes of the arena still matter when, found by walking the runs backwards.

use super::Certified;
use super::ranges::Ranges;
use smidgen_kernels::Region;
use smidgen_program::program::{BufferId, Bytes, Extent, Operand, Program, Run, StepId, Target};
use std::ops::Range;

/// For each run, the ascending, disjoint byte ranges of the arena that a later run (or the caller) still reads. Everything
/// else may be overwritten with anything, which is what the executor's poison mode does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveRanges {
    /// One entry for each of [`Program::runs`].
    pub after: Vec<Vec<Range<usize>>>,
}

/// Live bytes after each run.
pub fn live_ranges(program: &Certified) -> LiveRanges {
    let mut after = vec![Vec::new(); program.runs.len()];
    let mut live = Live::new(program);
    for index in (0..program.runs.len()).rev() {
        after[index] = live.arena.to_vec();
        live.undo(index);
    }
    LiveRanges { after }
}

/// A stretch of time in which a buffer takes one range of the arena.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The runs during which it does.
    pub runs: Range<usize>,
    /// From its first live byte to one past its last, in arena addresses; of a variable, whose value has one span for
    /// all runs, all its bytes. Within one run the ranges of two buffers may overlap: that is the safe overlap of a
    /// kernel's input and output.
    pub bytes: Range<usize>,
}

/// What lies where and when: the memory map of a program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Occupancy {
    /// For each buffer, its spans in time order.
    pub buffers: Vec<Vec<Span>>,
    /// For each run, the bytes that hold something of use before or after it, and its scratch and state.
    pub live_bytes: Vec<usize>,
}

/// The memory map of a Program.
pub fn occupancy(program: &Certified) -> Occupancy {
    let runs = program.runs.len();
    let mut map = Occupancy { buffers: vec![Vec::new(); program.buffers.len()], live_bytes: vec![0; runs] };
    let mut live = Live::new(program);
    let lasting: Vec<Bytes> = program.variables.iter().map(|variable| program.variable_bytes(variable)).collect();
    // For each buffer, the first of the runs that are accounted for: from there on its spans are known.
    let mut known = vec![runs; program.buffers.len()];
    for index in (0..runs).rev() {
        let touched = touched(program, index);
        let after: Vec<_> = touched.iter().map(|&id| live.hull(id)).collect();
        map.live_bytes[index] = live.undo(index) + live.idle(&lasting);
        for (&id, after) in touched.iter().zip(after) {
            let bytes = match (after.clone(), live.hull(id)) {
                (Some(a), Some(b)) => Some(a.start.min(b.start)..a.end.max(b.end)),
                (one, other) => one.or(other),
            };
            let spans = &mut map.buffers[id.index()];
            // Since the run that touched it last (in time the next one) it has lain still.
            extend(spans, index + 1..known[id.index()], after);
            extend(spans, index..index + 1, bytes);
            known[id.index()] = index;
        }
    }
    for (i, spans) in map.buffers.iter_mut().enumerate() {
        extend(spans, 0..known[i], live.hull(BufferId(i as u32)));
        spans.reverse();
    }
    for variable in &program.variables {
        // Its bytes are its own even where the old value is not needed any more and the new one not yet there.
        let Bytes { offset, len } = program.variable_bytes(variable);
        map.buffers[variable.next.index()] = Vec::new();
        map.buffers[variable.value.index()] = vec![Span { runs: 0..runs, bytes: offset..offset + len }];
    }
    map
}

/// Adds earlier runs to the spans of a buffer, which go backwards.
fn extend(spans: &mut Vec<Span>, runs: Range<usize>, bytes: Option<Range<usize>>) {
    let Some(bytes) = bytes.filter(|_| !runs.is_empty()) else { return };
    match spans.last_mut() {
        Some(last) if last.bytes == bytes && last.runs.start == runs.end => last.runs.start = runs.start,
        _ => spans.push(Span { runs, bytes }),
    }
}

/// The buffers that a run reads or writes, each once.
fn touched(program: &Program, run: usize) -> Vec<BufferId> {
    let mut all: Vec<BufferId> = match program.runs[run] {
        Run::Await { input, .. } => program.inputs[input].operand.buffer().into_iter().collect(),
        Run::Compute { step, .. } => {
            let step = &program.steps[step.index()];
            let inputs = step.inputs.iter().filter_map(|operand| operand.buffer());
            inputs.chain(step.outputs.iter().map(|target| target.buffer)).collect()
        }
    };
    all.sort_unstable();
    all.dedup();
    all
}

type Pair = (usize, usize);

/// What is live at one moment of a walk from the last run to the first: all of it, and apart for each buffer (as arena addresses).
struct Live<'a> {
    program: &'a Program,
    arena: Ranges,
    buffers: Vec<Ranges>,
    /// For each tile the first column stored at this moment, and what it was before each run that changed it, the last one last.
    x0: Vec<usize>,
    changes: Vec<(usize, BufferId, usize)>,
}

impl<'a> Live<'a> {
    /// After the last run.
    fn new(program: &'a Program) -> Self {
        let mut x0 = vec![0; program.buffers.len()];
        let mut changes = Vec::new();
        for (index, run) in program.runs.iter().enumerate() {
            let Run::Compute { step, region } = *run else { continue };
            for &Target { buffer: id, .. } in &program.steps[step.index()].outputs {
                let buffer = &program.buffers[id.index()];
                if buffer.width < buffer.spec.extent.cols && x0[id.index()] != region.x0 {
                    changes.push((index, id, std::mem::replace(&mut x0[id.index()], region.x0)));
                }
            }
        }
        let buffers = vec![Ranges::default(); program.buffers.len()];
        let mut live = Self { program, arena: Ranges::default(), buffers, x0, changes };
        for port in &program.outputs {
            if let Operand::Buffer(id, e) = port.operand {
                live.mark(id, e, (0, e.rows), (0, e.cols), true);
            }
        }
        for variable in &program.variables {
            let e = program.buffers[variable.next.index()].spec.extent;
            live.mark(variable.next, e, (0, e.rows), (0, e.cols), true);
        }
        live
    }

    /// From the first to one past the last live byte of a buffer.
    fn hull(&self, id: BufferId) -> Option<Range<usize>> {
        self.buffers[id.index()].hull()
    }

    /// Sets or clears the full-depth pixels `cols` of `rows`.
    fn mark(&mut self, id: BufferId, seen: Extent, rows: Pair, cols: Pair, value: bool) {
        if cols.0 >= cols.1 {
            return;
        }
        let buffer = &self.program.buffers[id.index()];
        let pixel = seen.depth * buffer.spec.element_bytes();
        let (slots, width, x0) = super::slots_of(buffer, seen, self.x0[id.index()]);
        let mut row = rows.0;
        while row < rows.1 {
            // Full rows lie together up to the ring's end.
            let together = if cols.1 - cols.0 == width { (slots - row % slots).min(rows.1 - row) } else { 1 };
            let start = buffer.offset + (row % slots) * width * pixel;
            let from = start + (cols.0 - x0) * pixel;
            let to = from + ((together - 1) * width + cols.1 - cols.0) * pixel;
            self.buffers[id.index()].set(from, to, value);
            self.arena.set(from, to, value);
            row += together;
        }
    }

    /// Turns what is live after a run into what is live before it: without what it writes, with what it reads. Gives the number of bytes that
    /// are live after it or before it, scratch and state among them.
    fn undo(&mut self, index: usize) -> usize {
        // Where something is both written and read, the reading comes first in time.
        self.reads(index);
        let mut bytes = self.arena.len();
        match self.program.runs[index] {
            Run::Await { input, y0, y1 } => {
                if let Operand::Buffer(id, e) = self.program.inputs[input].operand {
                    self.mark(id, e, (y0, y1), (0, e.cols), false);
                }
            }
            Run::Compute { step, region } => {
                for own in [self.program.scratch[step.index()], self.program.state[step.index()]] {
                    bytes += self.arena.missing(own.offset, own.offset + own.len);
                }
                self.unwrite(step, region);
            }
        }
        while let Some(&(run, id, x0)) = self.changes.last()
            && run == index
        {
            self.x0[id.index()] = x0;
            self.changes.pop();
        }
        self.reads(index);
        bytes
    }

    /// How many of these bytes hold nothing of use.
    fn idle(&self, all: &[Bytes]) -> usize {
        all.iter().map(|bytes| self.arena.missing(bytes.offset, bytes.offset + bytes.len)).sum()
    }

    /// Clears what a run writes.
    fn unwrite(&mut self, id: StepId, region: Region) {
        let program = self.program;
        let (step, state) = (&program.steps[id.index()], program.state[id.index()]);
        let mut partly = Some(((region.y0, region.y1), (region.x0, region.x1)));
        if step.consumes {
            // The sums are read by every run but the first, which makes them.
            self.arena.set(state.offset, state.offset + state.len, region.y0 > 0);
            let Some(&Operand::Buffer(_, e)) = step.inputs.first() else { return };
            if region.y1 < e.rows {
                return;
            }
            partly = None;
        }
        for &Target { buffer, extent: e } in &step.outputs {
            let (rows, cols) = partly.take().unwrap_or(((0, e.rows), (0, e.cols)));
            self.mark(buffer, e, rows, cols, false);
        }
    }

    /// Marks what a run reads.
    fn reads(&mut self, index: usize) {
        let program = self.program;
        let Run::Compute { step, region } = program.runs[index] else { return };
        let step = &program.steps[step.index()];
        for (i, (&operand, footprint)) in step.inputs.iter().zip(&step.footprint).enumerate() {
            let Operand::Buffer(id, e) = operand else { continue };
            if !step.consumes {
                let rows = footprint.rows.input_range((region.y0, region.y1), e.rows);
                let cols = footprint.cols.input_range((region.x0, region.x1), e.cols);
                self.mark(id, e, rows, cols, true);
            } else {
                self.mark(id, e, step.rows_taken(i, (region.y0, region.y1), e.rows), (0, e.cols), true);
            }
        }
    }
}
