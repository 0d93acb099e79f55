//! The executor: an arena, the constants, and a loop over the runs.

use crate::arena::Aligned;
use crate::constants::Constants;
use crate::error::ExecError;
use smidgen_certify::Certified;
use smidgen_ir::{Graph, Op, TensorId};
use smidgen_kernels::Isa;
use smidgen_program::kernel::{Invocation, Site};
use smidgen_program::{Initial, Operand, Program, Run, StepId};
use std::ops::Range;

/// Fills rows of a streamed input: which input, the first row, one past the last, and where to.
type PushRows<'a> = dyn FnMut(usize, usize, usize, &mut [u8]) + 'a;

/// A Program with an arena to run it in.
///
/// The kernels overwrite inputs as they go, so every input is set anew before each run. What the network's variables
/// hold stays from one run to the next, until a [`reset`](Self::reset).
///
/// ```
/// # use smidgen_exec::Executor;
/// # let program = smidgen_program::Program::default();
/// # let program = smidgen_certify::certify(program)?;
/// # let image: Vec<Vec<u8>> = Vec::new();
/// let mut executor = Executor::new(program);
/// for (i, bytes) in image.iter().enumerate() {
///     executor.set_input(i, bytes)?;
/// }
/// executor.run();
/// # if false {
/// let first = executor.output(0);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Executor {
    program: Certified,
    constants: Constants,
    isa: Isa,
    arena: Aligned,
    /// For each buffer, the first column that it holds.
    columns: Vec<usize>,
    /// For each input that is streamed, what the caller set.
    streamed: Vec<Option<Vec<u8>>>,
    /// With poison: for each run, the byte ranges that live after it.
    live: Option<Vec<Vec<Range<usize>>>>,
}

impl Executor {
    /// Makes an arena for the Program.
    pub fn new(program: Certified) -> Self {
        let mut streamed = vec![None; program.inputs.len()];
        for run in &program.runs {
            if let Run::Await { input, .. } = *run {
                streamed[input] = Some(Vec::new());
            }
        }
        let mut executor = Self {
            constants: Constants::new(&program),
            isa: Isa::detect(),
            arena: Aligned::zeroed(program.arena_bytes),
            columns: vec![0; program.buffers.len()],
            streamed,
            live: None,
            program,
        };
        executor.reset();
        executor
    }

    /// Gives every variable the value with which it begins, as [`new`](Self::new) does: the next run is that of a first
    /// inference. Without variables this does nothing.
    pub fn reset(&mut self) {
        for variable in &self.program.variables {
            let bytes = self.program.variable_bytes(variable);
            let held = &mut self.arena.bytes_mut()[bytes.offset..][..bytes.len];
            match variable.initial {
                Initial::Fill(byte) => held.fill(byte),
                Initial::Constant(id) => held.copy_from_slice(self.constants.bytes(id)),
            }
        }
    }

    /// What variable `index` holds: after a run, what the next one begins with.
    ///
    /// # Panics
    /// If the network has no such variable.
    pub fn variable(&self, index: usize) -> &[u8] {
        let bytes = self.program.variable_bytes(&self.program.variables[index]);
        &self.arena.bytes()[bytes.offset..][..bytes.len]
    }

    /// What all variables hold, with what is between them for alignment: [`Program::persistent`](Program::persistent).
    pub fn state(&self) -> &[u8] {
        let bytes = self.program.persistent();
        &self.arena.bytes()[bytes.offset..][..bytes.len]
    }

    /// After every run, overwrites each byte of the arena that is not in one of that run's `live` ranges, so that a read of
    /// anything else gives a wrong number. `live` has one entry for each run; the ranges are bytes of the arena.
    ///
    /// # Errors
    /// If there is not one entry for each run, or a range is not inside the arena.
    pub fn with_poison(mut self, live: Vec<Vec<Range<usize>>>) -> Result<Self, ExecError> {
        let fail = |reason| Err(ExecError::LiveRanges { reason });
        if live.len() != self.program.runs.len() {
            return fail("there must be one list for each run");
        }
        if live.iter().flatten().any(|r| r.start > r.end || r.end > self.program.arena_bytes) {
            return fail("a range is not inside the arena");
        }
        self.live = Some(live);
        Ok(self)
    }

    /// The Program that is run.
    pub fn program(&self) -> &Certified {
        &self.program
    }

    /// Fills graph input `index`: little endian, row-major.
    ///
    /// # Errors
    /// If there is no such input, or it has another size.
    pub fn set_input(&mut self, index: usize, bytes: &[u8]) -> Result<(), ExecError> {
        let count = self.program.inputs.len();
        let Some(Operand::Buffer(id, _)) = self.program.inputs.get(index).map(|port| port.operand) else {
            return Err(ExecError::NoInput { index, count });
        };
        let buffer = &self.program.buffers[id.index()];
        let expected = buffer.spec.bytes();
        if bytes.len() != expected {
            return Err(ExecError::InputSize { index, expected, given: bytes.len() });
        }
        match &mut self.streamed[index] {
            Some(kept) => {
                kept.clear();
                kept.extend_from_slice(bytes);
            }
            // An input that is not streamed but kept in a ring could not hold what is set here.
            None if buffer.slots < buffer.spec.extent.rows => {
                return Err(ExecError::InputSize { index, expected: buffer.bytes(), given: bytes.len() });
            }
            None => self.arena.bytes_mut()[buffer.offset..][..expected].copy_from_slice(bytes),
        }
        Ok(())
    }

    /// Runs the whole schedule. Rows of a streamed input come from what [`set_input`](Self::set_input) was given.
    pub fn run(&mut self) {
        self.run_with(&mut |_| {});
    }

    /// Runs the schedule up to and with the last run of a step: what this step computes is there, outputs that come later are not, and
    /// variables hold what they held unless something before has changed them.
    pub fn run_to(&mut self, step: StepId) {
        let last =
            self.program.runs.iter().rposition(|run| matches!(run, Run::Compute { step: of, .. } if *of == step));
        self.run_some(last.map_or(0, |last| last + 1), &mut |_| {});
    }

    /// Like [`run`](Self::run), calling `observer` after each run of a step.
    pub fn run_with(&mut self, observer: &mut dyn FnMut(Finished)) {
        self.run_some(self.program.runs.len(), observer);
    }

    fn run_some(&mut self, runs: usize, observer: &mut dyn FnMut(Finished)) {
        let streamed = std::mem::take(&mut self.streamed);
        let program = self.program.clone();
        let mut push = |input: usize, y0: usize, y1: usize, rows: &mut [u8]| {
            let Operand::Buffer(id, _) = program.inputs[input].operand else { return };
            let row = program.buffers[id.index()].spec.row_bytes();
            // Not set: the rows stay zero.
            if let Some(from) = streamed[input].as_ref().and_then(|bytes| bytes.get(y0 * row..y1 * row)) {
                rows.copy_from_slice(from);
            }
        };
        self.execute(runs, &mut push, observer);
        self.streamed = streamed;
    }

    /// Runs the whole schedule, asking `rows(input, y0, y1, bytes)` to fill `bytes` with rows `y0 .. y1` of a streamed input
    /// whenever the schedule awaits them.
    pub fn run_streamed(&mut self, mut rows: impl FnMut(usize, usize, usize, &mut [u8])) {
        self.execute(self.program.runs.len(), &mut rows, &mut |_| {});
    }

    /// The bytes of graph output `index`, little endian, row-major.
    ///
    /// # Panics
    /// If the network has no such output.
    pub fn output(&self, index: usize) -> &[u8] {
        match self.program.outputs[index].operand {
            Operand::Buffer(id, _) => {
                let buffer = &self.program.buffers[id.index()];
                &self.arena.bytes()[buffer.offset..][..buffer.bytes()]
            }
            Operand::Constant(id) => self.constants.bytes(id),
        }
    }

    fn execute(&mut self, runs: usize, rows: &mut PushRows, observer: &mut dyn FnMut(Finished)) {
        let Self { program, constants, arena, columns, live, isa, .. } = self;
        let mut pushed = Vec::new();
        for (i, run) in program.runs.iter().enumerate().take(runs) {
            match *run {
                Run::Await { input, y0, y1 } => {
                    let Operand::Buffer(id, _) = program.inputs[input].operand else { continue };
                    let buffer = &program.buffers[id.index()];
                    let row = buffer.spec.row_bytes();
                    pushed.clear();
                    pushed.resize((y1 - y0) * row, 0);
                    rows(input, y0, y1, &mut pushed);
                    for (y, bytes) in (y0..y1).zip(pushed.chunks_exact(row.max(1))) {
                        arena.bytes_mut()[buffer.offset + y % buffer.slots * row..][..row].copy_from_slice(bytes);
                    }
                }
                Run::Compute { step: id, region } => {
                    let step = &program.steps[id.index()];
                    for target in &step.outputs {
                        let buffer = &program.buffers[target.buffer.index()];
                        if buffer.width < buffer.spec.extent.cols {
                            columns[target.buffer.index()] = region.x0;
                        }
                    }
                    let (site, constants) = (Site { program, id }, &|id| constants.bytes(id));
                    step.kernel.run(&Invocation { site, region, isa: *isa, columns, constants }, arena);
                    observer(Finished { program, arena, run: i, step: id });
                }
            }
            if let Some(live) = live {
                poison(arena.bytes_mut(), &live[i], i);
            }
        }
    }
}

/// Overwrites everything outside `live` with bytes that differ from run to run.
fn poison(arena: &mut [u8], live: &[Range<usize>], run: usize) {
    let mut ranges = live.to_vec();
    ranges.sort_by_key(|r| r.start);
    let garbage = |i: usize| (i.wrapping_mul(167).wrapping_add(run.wrapping_mul(59)) % 251) as u8 ^ 0x80;
    let mut from = 0;
    for range in ranges.into_iter().chain(std::iter::once(arena.len()..arena.len())) {
        for (i, byte) in arena.iter_mut().enumerate().take(range.start).skip(from) {
            *byte = garbage(i);
        }
        from = from.max(range.end);
    }
}

/// What an observer sees after a run of a step.
pub struct Finished<'a> {
    program: &'a Program,
    arena: &'a Aligned,
    /// Index of the run.
    pub run: usize,
    /// The step that ran.
    pub step: StepId,
}

impl Finished<'_> {
    /// The Program that is being run.
    pub fn program(&self) -> &Program {
        self.program
    }

    /// The graph's tensors that the step has computed, with their bytes where they are stored whole. A tensor that merely relabels
    /// another's bytes is not among them.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorId, &[u8])> {
        let targets = self.program.steps[self.step.index()].outputs.iter().enumerate();
        targets
            .filter_map(|(k, target)| Some((self.program.buffers[target.buffer.index()].spec.tensor?, self.output(k)?)))
    }

    /// The bytes of output `index` of the step, where it is stored whole: complete if the run computed all of it.
    pub fn output(&self, index: usize) -> Option<&[u8]> {
        let target = self.program.steps[self.step.index()].outputs.get(index)?;
        let buffer = &self.program.buffers[target.buffer.index()];
        let whole = buffer.slots == buffer.spec.extent.rows && buffer.width == buffer.spec.extent.cols;
        whole.then(|| &self.arena.bytes()[buffer.offset..][..buffer.bytes()])
    }
}

/// A tensor and those that relabel its bytes, in the graph's order: what [`Finished::tensors`] shows under the first of these names.
pub fn relabelled(graph: &Graph, id: TensorId) -> Vec<TensorId> {
    let mut alike = vec![id];
    for operator in &graph.operators {
        if matches!(operator.op, Op::Reshape { .. }) && alike.contains(&operator.inputs[0]) {
            alike.extend(&operator.outputs);
        }
    }
    alike
}
