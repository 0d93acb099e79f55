//! Walks a list of runs once and says, for every buffer and run, which of its bytes are live.
//!
//! A buffer's bytes are live from when they are written until their last read. Their *window* is the smallest byte range, from
//! the buffer's own start, that holds them all. The window of a buffer stored whole moves: reading top to bottom frees its
//! first rows, writing top to bottom adds rows at its end. Of a ring or a tile, the slots between the first and the last that
//! hold a live row are live: few while it fills and drains, all of them where the rows wrap around.
//!
//! The invariant: outside the windows reported here no byte of a buffer is ever read again before it is written again.

mod error;
mod produced;

pub use error::LivenessError;
pub(crate) use produced::Block3;

use produced::Produced;
use smidgen_kernels::Region;
use smidgen_program::program::{BufferId, Extent, Lowered, Operand, Run, Step};

/// How a schedule wants a buffer kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Storage {
    /// Every row in its own place.
    Whole,
    /// As many slots of full rows as are ever live together. A row may be written in parts, left to right.
    Ring,
    /// As [`Storage::Ring`], but of row segments: as wide as the widest run that writes it. All rows held at one time begin at
    /// the same column; writing at another first column drops them.
    Tile,
}

/// Size of a buffer as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Row slots; the buffer's rows if stored whole.
    pub slots: usize,
    /// Columns of a slot; the buffer's columns unless it is a tile.
    pub width: usize,
}

/// Bytes `start .. end` of a buffer, counted from its own first byte; never empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// What one run does to the live window of one buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeUse {
    /// The buffer.
    pub buffer: BufferId,
    /// The run reads it.
    pub reads: bool,
    /// The run writes it.
    pub writes: bool,
    /// Live before the run.
    pub before: Option<Window>,
    /// Holds all that is live at any time during the run.
    pub during: Window,
    /// Live after the run.
    pub after: Option<Window>,
}

/// The live windows of all buffers over a list of runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Liveness {
    /// Size of each buffer as it is kept.
    pub layouts: Vec<Layout>,
    /// Bytes of each buffer as it is kept.
    pub bytes: Vec<usize>,
    /// What is there before the first run: the inputs that are not streamed and the values of variables, whole; and
    /// what of it is ever read.
    pub initial: Vec<(BufferId, Window, Option<Window>)>,
    touches: Vec<RangeUse>,
    ends: Vec<usize>,
}

impl Liveness {
    /// The buffers that a run touches, each once. The windows of all others stay as they are.
    pub fn uses(&self, run: usize) -> &[RangeUse] {
        let start = if run == 0 { 0 } else { self.ends[run - 1] };
        &self.touches[start..self.ends[run]]
    }

    /// Number of runs.
    pub fn runs(&self) -> usize {
        self.ends.len()
    }
}

/// Half-open range in the unit in which a buffer's liveness is tracked: bytes if stored whole, rows otherwise. Empty if the
/// start is not below the end.
type Span = (usize, usize);

const EMPTY: Span = (0, 0);

fn is_empty(a: Span) -> bool {
    a.0 >= a.1
}

fn union(a: Span, b: Span) -> Span {
    match (is_empty(a), is_empty(b)) {
        (true, _) => b,
        (_, true) => a,
        _ => (a.0.min(b.0), a.1.max(b.1)),
    }
}

fn intersection(a: Span, b: Span) -> Span {
    let both = (a.0.max(b.0), a.1.min(b.1));
    if is_empty(both) { EMPTY } else { both }
}

/// What is left of `a` when `b` is taken away at one of its ends (or `a`, if `b` lies strictly inside).
fn without(a: Span, b: Span) -> Span {
    match (b.0 <= a.0, b.1 >= a.1) {
        (true, true) => EMPTY,
        (true, false) => (a.0.max(b.1), a.1),
        (false, true) => (a.0, a.1.min(b.0)),
        (false, false) => a,
    }
}

/// One buffer in one run, before liveness is known.
struct Draft {
    buffer: usize,
    read: Span,
    write: Span,
    /// The write replaces every byte of its span.
    solid: bool,
    need_before: Span,
    need_after: Span,
}

/// Simulates a list of runs.
///
/// # Errors
/// If a run cannot be executed where it stands in the list, or a buffer cannot be kept as `storage` says.
pub fn analyse(lowered: &Lowered, runs: &[Run], storage: &[Storage]) -> Result<Liveness, LivenessError> {
    if storage.len() != lowered.buffers.len() {
        return Err(LivenessError::StorageCount { storages: storage.len(), buffers: lowered.buffers.len() });
    }
    let initial = initial_buffers(lowered, runs);
    let mut reader = Reader::new(lowered, storage, &initial);
    for (index, run) in runs.iter().enumerate() {
        reader.run(index, run)?;
    }
    reader.check_outputs()?;
    let Reader { mut drafts, ends, widths, .. } = reader;
    let need = find_needs(lowered, storage, &mut drafts);
    Ok(find_windows(lowered, storage, &drafts, ends, &widths, &initial, &need))
}

/// The buffers of inputs that no run awaits, and the values of variables.
fn initial_buffers(lowered: &Lowered, runs: &[Run]) -> Vec<usize> {
    let mut streamed = vec![false; lowered.inputs.len()];
    for run in runs {
        if let Run::Await { input, .. } = *run
            && let Some(flag) = streamed.get_mut(input)
        {
            *flag = true;
        }
    }
    let ports = lowered.inputs.iter().zip(streamed).filter(|(_, streamed)| !streamed);
    let mut buffers: Vec<usize> = ports.filter_map(|(port, _)| Some(port.operand.buffer()?.index())).collect();
    buffers.extend(lowered.variables.iter().map(|variable| variable.value.index()));
    buffers.sort_unstable();
    buffers.dedup();
    buffers.retain(|&b| lowered.buffers[b].bytes() > 0);
    buffers
}

/// Turns runs into drafts, front to back, and checks that what they read is there.
struct Reader<'a> {
    lowered: &'a Lowered,
    storage: &'a [Storage],
    produced: Vec<Produced>,
    /// For each consuming step, the input row that comes next.
    next: Vec<usize>,
    widths: Vec<usize>,
    drafts: Vec<Draft>,
    /// For each buffer, where its last draft stands.
    last: Vec<usize>,
    ends: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(lowered: &'a Lowered, storage: &'a [Storage], initial: &[usize]) -> Self {
        let mut produced: Vec<_> =
            lowered.buffers.iter().zip(storage).map(|(spec, &storage)| Produced::new(spec, storage)).collect();
        let mut widths = vec![0; lowered.buffers.len()];
        for &buffer in initial {
            let extent = lowered.buffers[buffer].extent;
            produced[buffer].write(whole(extent), extent);
            widths[buffer] = extent.cols;
        }
        let next = vec![0; lowered.steps.len()];
        let last = vec![0; lowered.buffers.len()];
        Self { lowered, storage, produced, next, widths, drafts: Vec::new(), last, ends: Vec::new() }
    }

    fn run(&mut self, index: usize, run: &Run) -> Result<(), LivenessError> {
        let first = self.drafts.len();
        match *run {
            Run::Await { input, y0, y1 } => {
                let port = self.lowered.inputs.get(input).ok_or(LivenessError::Unknown { run: index })?;
                if let Operand::Buffer(buffer, extent) = port.operand {
                    if y0 >= y1 || y1 > extent.rows {
                        return Err(LivenessError::Region { run: index, step: "input".into() });
                    }
                    let block = Block3 { rows: (y0, y1), ..whole(extent) };
                    self.write(index, first, buffer.index(), extent, block)?;
                }
            }
            Run::Compute { step, region } => {
                let step_index = step.index();
                let step = self.lowered.steps.get(step_index).ok_or(LivenessError::Unknown { run: index })?;
                let writes = self.check(index, step_index, step, region)?;
                for (position, operand) in step.inputs.iter().enumerate() {
                    if let Operand::Buffer(buffer, extent) = *operand
                        && let Some(block) = needed(step, position, extent, region)
                    {
                        self.read(index, first, step, buffer.index(), extent, block)?;
                    }
                }
                if writes {
                    for target in &step.outputs {
                        let mut block = whole(target.extent);
                        if !step.consumes && step.outputs.len() == 1 {
                            (block.rows, block.cols) = ((region.y0, region.y1), (region.x0, region.x1));
                        }
                        if target.extent.elements() > 0 {
                            self.write(index, first, target.buffer.index(), target.extent, block)?;
                        }
                    }
                }
            }
        }
        self.ends.push(self.drafts.len());
        Ok(())
    }

    /// Checks a run's region against its step; says whether the run writes the outputs.
    fn check(&mut self, run: usize, index: usize, step: &Step, region: Region) -> Result<bool, LivenessError> {
        let extent = if step.consumes {
            match step.inputs.first() {
                Some(Operand::Buffer(_, extent)) => *extent,
                _ => return Err(LivenessError::Unknown { run }),
            }
        } else {
            step.outputs.first().ok_or(LivenessError::Unknown { run })?.extent
        };
        let name = || step.name.clone();
        let inside = region.y1 <= extent.rows && region.x1 <= extent.cols;
        let all = region.y0 == 0 && region.x0 == 0 && region.y1 == extent.rows && region.x1 == extent.cols;
        // An output without elements still has its run.
        if !inside || !all && (region.y0 >= region.y1 || region.x0 >= region.x1) {
            return Err(LivenessError::Region { run, step: name() });
        }
        if step.consumes {
            let expected = std::mem::replace(&mut self.next[index], region.y1);
            if region.y0 != expected || (region.x0, region.x1) != (0, extent.cols) {
                return Err(LivenessError::OutOfOrder { run, step: name(), row: region.y0, expected });
            }
            return Ok(region.y1 == extent.rows);
        }
        if !all && !step.partial {
            return Err(LivenessError::NotPartial { run, step: name() });
        }
        Ok(true)
    }

    /// The draft of a buffer in the run whose drafts begin at `first`, and the span of a box in its unit.
    fn draft(
        &mut self,
        run: usize,
        first: usize,
        buffer: usize,
        extent: Extent,
        block: Block3,
    ) -> Result<(&mut Draft, Span), LivenessError> {
        let spec = &self.lowered.buffers[buffer];
        let span = if self.storage[buffer] == Storage::Whole {
            block.hull(extent, spec.element_bytes())
        } else if extent == spec.extent {
            block.rows
        } else {
            return Err(LivenessError::Reshaped { run, buffer: spec.name.clone() });
        };
        let last = self.last[buffer];
        let at = match last >= first && self.drafts.get(last).is_some_and(|d| d.buffer == buffer) {
            true => last,
            false => {
                self.last[buffer] = self.drafts.len();
                self.drafts.push(Draft {
                    buffer,
                    read: EMPTY,
                    write: EMPTY,
                    solid: true,
                    need_before: EMPTY,
                    need_after: EMPTY,
                });
                self.drafts.len() - 1
            }
        };
        Ok((&mut self.drafts[at], span))
    }

    fn read(
        &mut self,
        run: usize,
        first: usize,
        step: &Step,
        buffer: usize,
        extent: Extent,
        block: Block3,
    ) -> Result<(), LivenessError> {
        if let Some(row) = self.produced[buffer].missing(block, extent) {
            let (step, buffer) = (step.name.clone(), self.lowered.buffers[buffer].name.clone());
            return Err(LivenessError::NotThere { run, step, buffer, row });
        }
        let (draft, span) = self.draft(run, first, buffer, extent, block)?;
        draft.read = union(draft.read, span);
        Ok(())
    }

    fn write(
        &mut self,
        run: usize,
        first: usize,
        buffer: usize,
        extent: Extent,
        block: Block3,
    ) -> Result<(), LivenessError> {
        let storage = self.storage[buffer];
        let (draft, span) = self.draft(run, first, buffer, extent, block)?;
        // A row of a ring that is written in parts, left to right, begins with its first part and lives through the others.
        let solid = match storage {
            Storage::Whole => block.is_solid(extent),
            Storage::Ring => block.cols.0 == 0,
            Storage::Tile => true,
        };
        draft.solid = is_empty(draft.write) && solid;
        draft.write = union(draft.write, span);
        self.widths[buffer] = self.widths[buffer].max(block.cols.1 - block.cols.0);
        self.produced[buffer].write(block, extent);
        Ok(())
    }

    fn check_outputs(&self) -> Result<(), LivenessError> {
        for port in &self.lowered.outputs {
            if let Operand::Buffer(buffer, extent) = port.operand
                && extent.elements() > 0
                && let Some(row) = self.produced[buffer.index()].missing(whole(extent), extent)
            {
                return Err(LivenessError::Incomplete {
                    buffer: self.lowered.buffers[buffer.index()].name.clone(),
                    row,
                });
            }
        }
        for variable in &self.lowered.variables {
            let spec = &self.lowered.buffers[variable.next.index()];
            if let Some(row) = self.produced[variable.next.index()].missing(whole(spec.extent), spec.extent) {
                return Err(LivenessError::Incomplete { buffer: spec.name.clone(), row });
            }
        }
        Ok(())
    }
}

/// All of a tensor seen with this extent.
fn whole(extent: Extent) -> Block3 {
    Block3 { rows: (0, extent.rows), cols: (0, extent.cols), depth: (0, extent.depth) }
}

/// The box of input `position` that a run reads, if any.
fn needed(step: &Step, position: usize, extent: Extent, region: Region) -> Option<Block3> {
    let block = if step.consumes {
        Block3 { rows: step.rows_taken(position, (region.y0, region.y1), extent.rows), ..whole(extent) }
    } else {
        match (step.footprint.get(position), step.outputs.first()) {
            (Some(footprint), Some(output)) => Block3 {
                rows: footprint.rows.input_range((region.y0, region.y1), extent.rows),
                cols: footprint.cols.input_range((region.x0, region.x1), extent.cols),
                depth: footprint.depth.input_range((0, output.extent.depth), extent.depth),
            },
            _ => whole(extent),
        }
    };
    (!is_empty(block.rows) && !is_empty(block.cols) && !is_empty(block.depth)).then_some(block)
}

/// Back to front: what of each buffer is read later, before it is written again. Returns what is needed before the first run.
fn find_needs(lowered: &Lowered, storage: &[Storage], drafts: &mut [Draft]) -> Vec<Span> {
    let mut need = vec![EMPTY; lowered.buffers.len()];
    let results = lowered.outputs.iter().filter_map(|port| port.operand.buffer());
    for buffer in results.chain(lowered.variables.iter().map(|variable| variable.next)) {
        let spec = &lowered.buffers[buffer.index()];
        let whole = storage[buffer.index()] == Storage::Whole;
        need[buffer.index()] = (0, if whole { spec.bytes() } else { spec.extent.rows });
    }
    for draft in drafts.iter_mut().rev() {
        let need = &mut need[draft.buffer];
        draft.need_after = *need;
        if draft.solid {
            *need = without(*need, draft.write);
        }
        *need = union(*need, draft.read);
        draft.need_before = *need;
    }
    need
}

/// Front to back: what is needed and has been written is live.
fn find_windows(
    lowered: &Lowered,
    storage: &[Storage],
    drafts: &[Draft],
    ends: Vec<usize>,
    widths: &[usize],
    initial: &[usize],
    need: &[Span],
) -> Liveness {
    let count = lowered.buffers.len();
    let full = |b: usize| {
        let spec = &lowered.buffers[b];
        (0, if storage[b] == Storage::Whole { spec.bytes() } else { spec.extent.rows })
    };
    let mut written = vec![EMPTY; count];
    let mut slots = vec![0; count];
    for &b in initial {
        written[b] = full(b);
        slots[b] = lowered.buffers[b].extent.rows;
    }
    // Spans first: how large a ring is shows only at the end.
    let mut spans = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let b = draft.buffer;
        let before = intersection(draft.need_before, written[b]);
        let during = union(before, draft.write);
        if !is_empty(draft.write) {
            written[b] = if is_empty(before) { draft.write } else { union(written[b], draft.write) };
        }
        let after = intersection(draft.need_after, written[b]);
        slots[b] = slots[b].max(during.1 - during.0);
        spans.push((before, during, after));
    }
    let layouts: Vec<Layout> = (0..count)
        .map(|b| {
            let extent = lowered.buffers[b].extent;
            match storage[b] {
                Storage::Whole => Layout { slots: extent.rows, width: extent.cols },
                Storage::Ring => Layout { slots: slots[b].max(1), width: extent.cols },
                Storage::Tile => Layout { slots: slots[b].max(1), width: widths[b].max(1) },
            }
        })
        .collect();
    let bytes: Vec<usize> = layouts
        .iter()
        .zip(&lowered.buffers)
        .map(|(layout, spec)| layout.slots * layout.width * spec.extent.depth * spec.element_bytes())
        .collect();
    let window = |b: usize, span: Span| {
        (!is_empty(span)).then(|| match storage[b] {
            Storage::Whole => Window { start: span.0, end: span.1 },
            Storage::Ring | Storage::Tile => {
                let slots = layouts[b].slots;
                let slot = bytes[b] / slots;
                let (first, rows) = (span.0 % slots, span.1 - span.0);
                // Rows that wrap around lie at both ends.
                let (first, last) = if first + rows <= slots { (first, first + rows) } else { (0, slots) };
                Window { start: first * slot, end: last * slot }
            }
        })
    };
    let touches = drafts.iter().zip(spans).map(|(draft, (before, during, after))| RangeUse {
        buffer: BufferId(draft.buffer as u32),
        reads: !is_empty(draft.read),
        writes: !is_empty(draft.write),
        before: window(draft.buffer, before),
        during: window(draft.buffer, during).unwrap_or(Window { start: 0, end: 0 }),
        after: window(draft.buffer, after),
    });
    Liveness {
        touches: touches.collect(),
        initial: initial
            .iter()
            .map(|&b| (BufferId(b as u32), Window { start: 0, end: bytes[b] }, window(b, need[b])))
            .filter(|(_, window, _)| window.end > 0)
            .collect(),
        layouts,
        bytes,
        ends,
    }
}
