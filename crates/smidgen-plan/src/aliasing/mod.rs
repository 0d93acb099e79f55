//! From live windows to the least distance between any two things in the arena.
//!
//! With `[a, b)` the live windows, `A` may lie below `B` exactly when `off_B - off_A >= b_A - a_B` at every moment at which both
//! are live. Across runs the [live windows](crate::liveness) say all; within a run that reads one buffer and writes
//! another, both stored whole, the kernel's own order of reads and writes gives the finer bound.

mod within;

use crate::liveness::{Liveness, RangeUse, Storage, Window};
use crate::offsets::Constraints;
use smidgen_ir::ElementType;
use smidgen_program::footprint::Granularity;
use smidgen_program::program::{BufferId, BufferSpec, Lowered, Operand, Run, Step, StepId};
pub(crate) use within::Memo;
use within::{Blocks, Reader, Writer};

/// Alignment of scratch and of state in bytes: kernels see them as 32-bit words.
pub const WORD_ALIGN: usize = 4;

/// Alignment of a buffer in bytes: the size of an element, since kernels index the arena by elements. Int8 needs none: kernels
/// that load it by words do so with instructions that take any address, or go through their scratch. Pixels of four numbers of 16 bits are what
/// gradients have, which are loaded by words.
pub fn buffer_align(spec: &BufferSpec) -> usize {
    match spec.element {
        ElementType::Int16 if spec.extent.depth.is_multiple_of(4) => WORD_ALIGN,
        _ => spec.element_bytes().max(1),
    }
}

/// Something that takes room in the arena.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Object {
    /// A buffer.
    Buffer(BufferId),
    /// The scratch of a step, live during each of its runs.
    Scratch(StepId),
    /// The state of a consuming step, live from its first run to its last.
    State(StepId),
}

/// How objects are numbered: all buffers, then the scratch of every step, then the state of every step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Objects {
    /// Number of buffers.
    pub buffers: usize,
    /// Number of steps.
    pub steps: usize,
}

impl Objects {
    /// The objects of a lowered graph.
    pub fn of(lowered: &Lowered) -> Self {
        Self { buffers: lowered.buffers.len(), steps: lowered.steps.len() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.buffers + 2 * self.steps
    }

    /// The number of an object.
    pub fn index(&self, object: Object) -> usize {
        match object {
            Object::Buffer(id) => id.index(),
            Object::Scratch(id) => self.buffers + id.index(),
            Object::State(id) => self.buffers + self.steps + id.index(),
        }
    }

    /// The object with a number.
    pub fn object(&self, index: usize) -> Object {
        if index < self.buffers {
            Object::Buffer(BufferId(index as u32))
        } else if index < self.buffers + self.steps {
            Object::Scratch(StepId((index - self.buffers) as u32))
        } else {
            Object::State(StepId((index - self.buffers - self.steps) as u32))
        }
    }
}

/// What must hold for offsets, and how many bytes are live when.
#[derive(Clone, PartialEq, Debug)]
pub struct Aliasing {
    /// Sizes, alignments and distances of all [`Objects`].
    pub constraints: Constraints,
    /// For each run, the most bytes live at one moment of it: no arena can be smaller.
    pub live_bytes: Vec<usize>,
}

/// Distances between all objects, from the simulation of `runs`.
pub fn aliasing(lowered: &Lowered, runs: &[Run], storage: &[Storage], liveness: &Liveness) -> Aliasing {
    overlap_with(lowered, runs, storage, liveness, &Memo::default())
}

/// The same with what is known of these steps' runs.
pub(crate) fn overlap_with(
    lowered: &Lowered,
    runs: &[Run],
    storage: &[Storage],
    liveness: &Liveness,
    memo: &Memo,
) -> Aliasing {
    let objects = Objects::of(lowered);
    let sizes = sizes(lowered, liveness);
    let aligns = (0..objects.count()).map(|i| match objects.object(i) {
        Object::Buffer(id) => buffer_align(&lowered.buffers[id.index()]),
        Object::Scratch(_) | Object::State(_) => WORD_ALIGN,
    });
    let mut constraints = Constraints::new(sizes.iter().copied().zip(aligns));
    let live_bytes = Walk::new((lowered, memo), runs, storage, liveness, &sizes).run(&mut constraints);
    constraints.live_bytes = live_bytes.iter().copied().max().unwrap_or(0);
    Aliasing { constraints, live_bytes }
}

/// For each run, the most bytes live at one moment of it, without the distances: as [`aliasing`](aliasing()) gives, but cheaper.
pub fn live_bytes(lowered: &Lowered, runs: &[Run], storage: &[Storage], liveness: &Liveness) -> Vec<usize> {
    Walk::new((lowered, &Memo::default()), runs, storage, liveness, &sizes(lowered, liveness)).run(&mut ())
}

/// The bytes of every object. Those of variables are none: they have a place of their own for all time.
fn sizes(lowered: &Lowered, liveness: &Liveness) -> Vec<usize> {
    let scratch = lowered.steps.iter().map(|s| s.scratch_bytes);
    let state = lowered.steps.iter().map(|s| s.state_bytes);
    let buffers =
        liveness.bytes.iter().zip(lowered.persistent()).map(|(&bytes, lasting)| if lasting { 0 } else { bytes });
    buffers.chain(scratch).chain(state).collect()
}

/// Who wants to know of pairs.
trait Sink {
    /// `below` and `above` are live together with these windows.
    fn pair(&mut self, below: (usize, Window), above: (usize, Window));
    /// `above` must lie at least this far above `below`, where it lies above.
    fn minimum_offset(&mut self, below: usize, above: usize, bytes: isize);
    /// These are live while so many bytes are.
    fn heat(&mut self, objects: impl Iterator<Item = usize>, bytes: usize);
    /// False if pairs are of no interest.
    const PAIRS: bool;
}

impl Sink for () {
    fn pair(&mut self, _: (usize, Window), _: (usize, Window)) {}
    fn minimum_offset(&mut self, _: usize, _: usize, _: isize) {}
    fn heat(&mut self, _: impl Iterator<Item = usize>, _: usize) {}
    const PAIRS: bool = false;
}

impl Sink for Constraints {
    fn pair(&mut self, below: (usize, Window), above: (usize, Window)) {
        self.require(below.0, above.0, below.1.end as isize - above.1.start as isize);
        self.require(above.0, below.0, above.1.end as isize - below.1.start as isize);
    }
    fn minimum_offset(&mut self, below: usize, above: usize, bytes: isize) {
        self.require(below, above, bytes);
    }
    fn heat(&mut self, objects: impl Iterator<Item = usize>, bytes: usize) {
        for object in objects {
            self.heat[object] = self.heat[object].max(bytes);
        }
    }
    const PAIRS: bool = true;
}

/// What is live between two runs.
struct Walk<'a> {
    lowered: &'a Lowered,
    runs: &'a [Run],
    storage: &'a [Storage],
    liveness: &'a Liveness,
    sizes: &'a [usize],
    objects: Objects,
    window: Vec<Option<Window>>,
    alive: Vec<usize>,
    /// For each object that is alive, where it stands in `alive`.
    place: Vec<usize>,
    total: usize,
    memo: &'a Memo,
}

/// An object that the current run touches.
#[derive(Clone, Copy)]
struct Active {
    object: usize,
    during: Window,
    after: Option<Window>,
    reads: bool,
    writes: bool,
}

impl<'a> Walk<'a> {
    fn new(
        (lowered, memo): (&'a Lowered, &'a Memo),
        runs: &'a [Run],
        storage: &'a [Storage],
        liveness: &'a Liveness,
        sizes: &'a [usize],
    ) -> Self {
        let objects = Objects::of(lowered);
        let window = vec![None; objects.count()];
        Self {
            lowered,
            runs,
            storage,
            liveness,
            sizes,
            objects,
            place: vec![0; window.len()],
            window,
            alive: Vec::new(),
            total: 0,
            memo,
        }
    }

    fn set(&mut self, object: usize, window: Option<Window>) {
        let bytes = |w: Option<Window>| w.map_or(0, |w| w.end - w.start);
        let old = std::mem::replace(&mut self.window[object], window);
        self.total = self.total - bytes(old) + bytes(window);
        match (old, window) {
            (None, Some(_)) => {
                self.place[object] = self.alive.len();
                self.alive.push(object);
            }
            (Some(_), None) => {
                let place = self.place[object];
                self.alive.swap_remove(place);
                if let Some(&moved) = self.alive.get(place) {
                    self.place[moved] = place;
                }
            }
            _ => {}
        }
    }

    fn run<S: Sink>(mut self, sink: &mut S) -> Vec<usize> {
        let initial: Vec<_> =
            self.liveness.initial.iter().filter(|(id, ..)| self.sizes[id.index()] > 0).copied().collect();
        for (i, &(a, window_a, needed)) in initial.iter().enumerate() {
            for &(b, window_b, _) in &initial[..i] {
                sink.pair((a.index(), window_a), (b.index(), window_b));
            }
            self.set(a.index(), needed);
        }
        let written_first: usize = initial.iter().map(|(_, window, _)| window.end - window.start).sum();
        let mut peaks = Vec::with_capacity(self.runs.len());
        let mut active = Vec::new();
        // The last run that touches each object.
        let mut touched = vec![usize::MAX; self.window.len()];
        for (index, run) in self.runs.iter().enumerate() {
            let step = match *run {
                Run::Compute { step, .. } => Some((step, &self.lowered.steps[step.index()])),
                Run::Await { .. } => None,
            };
            self.collect_active(index, step, run, &mut active);
            let mut passive_bytes = self.total;
            for a in &active {
                passive_bytes -= self.window[a.object].map_or(0, |w| w.end - w.start);
            }
            if S::PAIRS {
                active.iter().for_each(|a| touched[a.object] = index);
                for &object in &self.alive {
                    if touched[object] == index {
                        continue;
                    }
                    if let Some(window) = self.window[object] {
                        for a in &active {
                            sink.pair((a.object, a.during), (object, window));
                        }
                    }
                }
            }
            let mut peak = passive_bytes + self.active_pairs(index, run, step, &active, sink);
            if index == 0 {
                peak = peak.max(written_first);
            }
            peaks.push(peak);
            sink.heat(self.alive.iter().copied().chain(active.iter().map(|a| a.object)), peak);
            for a in &active {
                if self.window[a.object] != a.after {
                    self.set(a.object, a.after);
                }
            }
        }
        peaks
    }

    fn collect_active(&self, index: usize, step: Option<(StepId, &Step)>, run: &Run, active: &mut Vec<Active>) {
        active.clear();
        active.extend(self.liveness.uses(index).iter().map(|touch| Active {
            object: touch.buffer.index(),
            during: touch.during,
            after: touch.after,
            reads: touch.reads,
            writes: touch.writes,
        }));
        if let (Some((id, step)), Run::Compute { region, .. }) = (step, run) {
            let mut own = |object, bytes: usize, lasts: bool| {
                if bytes > 0 {
                    let object = self.objects.index(object);
                    let during = Window { start: 0, end: bytes };
                    active.push(Active { object, during, after: lasts.then_some(during), reads: true, writes: true });
                }
            };
            own(Object::Scratch(id), step.scratch_bytes, false);
            let rows = match step.inputs.first() {
                Some(Operand::Buffer(_, extent)) => extent.rows,
                _ => 0,
            };
            own(Object::State(id), step.state_bytes, step.consumes && region.y1 < rows);
        }
        active.retain(|a| self.sizes[a.object] > 0);
    }

    /// Reports the pairs among what the run touches; returns the most bytes of it live at one moment.
    fn active_pairs<S: Sink>(
        &self,
        index: usize,
        run: &Run,
        step: Option<(StepId, &'a Step)>,
        active: &[Active],
        sink: &mut S,
    ) -> usize {
        let bytes = |w: Window| w.end - w.start;
        let is_input = |a: &Active| a.reads && !a.writes;
        let is_output = |a: &Active| a.writes && !a.reads;
        let (Some((id, step)), Run::Compute { region, .. }) = (step, run) else {
            return active.iter().map(|a| bytes(a.during)).sum();
        };
        let order = step.order;
        let depth = step.outputs.first().map_or(1, |o| o.extent.depth);
        let one_block = if step.consumes {
            // Unless it is staged, the last run may look at its rows again while it writes.
            order.reads_first
        } else if step.outputs.len() > 1 {
            order.reads_first && order.granularity == Granularity::Run
        } else {
            Blocks::new(order, *region, depth).reads_all_first()
        };
        // Pairs of one input and one output get their own treatment; all others are as between runs.
        // Inputs that lie as they did before the run have been paired when the later one of them came to be.
        let unchanged = |a: &Active| is_input(a) && self.window[a.object] == Some(a.during);
        for (i, a) in active.iter().enumerate() {
            let known = unchanged(a);
            for b in &active[..i] {
                let mixed = is_input(a) && is_output(b) || is_input(b) && is_output(a);
                let paired = mixed || known && unchanged(b);
                if !paired {
                    sink.pair((a.object, a.during), (b.object, b.during));
                }
            }
        }
        let common: usize = active.iter().filter(|a| !is_input(a) && !is_output(a)).map(|a| bytes(a.during)).sum();
        if one_block {
            // Outputs that were live before still are while the inputs are read; new rows come when the reading is done.
            let touch = |a: &Active| self.liveness.uses(index).iter().find(|t| t.buffer.index() == a.object);
            let (mut reading, mut writing) = (common, common);
            for output in active.iter().filter(|a| is_output(a)) {
                let before = touch(output).and_then(|t: &RangeUse| t.before);
                reading += before.map_or(0, bytes);
                writing += bytes(output.during);
                for input in active.iter().filter(|a| is_input(a)) {
                    if let Some(before) = before {
                        sink.pair((output.object, before), (input.object, input.during));
                    }
                    if let Some(after) = input.after {
                        sink.pair((output.object, output.during), (input.object, after));
                    }
                }
            }
            for input in active.iter().filter(|a| is_input(a)) {
                reading += bytes(input.during);
                writing += input.after.map_or(0, bytes);
            }
            return reading.max(writing);
        }
        let whole = |a: &Active| a.object < self.objects.buffers && self.storage[a.object] == Storage::Whole;
        let writer = active.iter().find(|a| is_output(a));
        let fine = (!step.consumes && step.outputs.len() == 1).then_some(writer).flatten().filter(|w| whole(w));
        let Some(output) = fine else {
            for input in active.iter().filter(|a| is_input(a)) {
                for output in active.iter().filter(|a| is_output(a)) {
                    sink.pair((output.object, output.during), (input.object, input.during));
                }
            }
            return active.iter().map(|a| bytes(a.during)).sum();
        };
        let target = &step.outputs[0];
        let before = self.liveness.uses(index).iter().find(|t| t.buffer == target.buffer).and_then(|t| t.before);
        let writer = Writer {
            extent: target.extent,
            element: self.lowered.buffers[output.object].element_bytes(),
            live: (output.during.start, before.map_or(output.during.start, |w| w.end)),
        };
        let (mut inputs, mut readers) = (Vec::new(), Vec::new());
        let mut others = 0;
        for input in active.iter().filter(|a| is_input(a)) {
            if !whole(input) {
                sink.pair((output.object, output.during), (input.object, input.during));
                others += bytes(input.during);
                continue;
            }
            let operands = step.inputs.iter().zip(&step.footprint).filter_map(|(operand, footprint)| match operand {
                Operand::Buffer(id, extent) if id.index() == input.object => Some((footprint, *extent)),
                _ => None,
            });
            inputs.push(input);
            readers.push((
                input.object,
                Reader {
                    operands: operands.collect(),
                    element: self.lowered.buffers[input.object].element_bytes(),
                    output_depth: depth,
                    end: input.during.end,
                    after: input.after.map(|w| w.start),
                },
            ));
        }
        let within = self.memo.within(id.index(), (order, *region, writer), readers);
        for (input, &distance) in inputs.iter().zip(&within.distance) {
            if let Some(distance) = distance {
                sink.minimum_offset(output.object, input.object, distance);
                // The end of the input stays where it is until the run is over.
                let distance = input.during.end as isize - output.during.start as isize;
                sink.minimum_offset(input.object, output.object, distance);
            }
        }
        common + others + within.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::liveness::analyse;
    use crate::schedule::fixture::Net;

    /// Counts the pairs that are looked at.
    struct Count(usize);

    impl Sink for Count {
        fn pair(&mut self, _: (usize, Window), _: (usize, Window)) {
            self.0 += 1;
        }
        fn minimum_offset(&mut self, _: usize, _: usize, _: isize) {
            self.0 += 1;
        }
        fn heat(&mut self, objects: impl Iterator<Item = usize>, _: usize) {
            self.0 += objects.count();
        }
        const PAIRS: bool = true;
    }

    /// Visits for a chain of so many steps, and for so many rows.
    fn visits(steps: usize, rows: usize) -> usize {
        let mut net = Net::default();
        let mut x = net.input(rows, 2, 2);
        for _ in 0..steps {
            x = net.conv(x, 1, 1, 2);
        }
        let net = net.outputs(&[x]);
        let runs: Vec<Run> = net.step_ids().map(|step| Run::Compute { step, region: net.whole(step) }).collect();
        let storage = vec![Storage::Whole; net.buffers.len()];
        let liveness = analyse(&net, &runs, &storage).unwrap();
        let mut count = Count(0);
        Walk::new((&net, &Memo::default()), &runs, &storage, &liveness, &sizes(&net, &liveness)).run(&mut count);
        count.0
    }

    #[test]
    fn visits_grow_with_the_steps_and_not_with_rows() {
        assert!(visits(400, 4) <= 4 * visits(100, 4) + 8);
        assert_eq!(visits(20, 40), visits(20, 4000));
    }
}
