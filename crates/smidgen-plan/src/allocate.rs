//! From a list of runs to a finished [`Program`]: simulate, find distances, assign offsets.

use crate::aliasing::{self, Object, Objects, WORD_ALIGN, buffer_align, live_bytes, overlap_with};
use crate::liveness::{Layout, LivenessError, Storage, analyse};
use crate::offsets::{self, Constraints, Effort, Method, assign_with};
use smidgen_program::program::{Buffer, Bytes, Lowered, Program, Run, Variable};

/// A schedule cannot be placed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AllocateError {
    /// The list of runs is wrong.
    #[error(transparent)]
    Simulate(#[from] LivenessError),
}

/// What placing a schedule came to.
#[derive(Clone, PartialEq, Debug)]
pub struct AllocationReport {
    /// Bytes of the arena: buffers, rings, scratch and state.
    pub arena_bytes: usize,
    /// No arena for this list of runs is smaller. Equal to `arena_bytes` if `optimal`.
    pub lower_bound: usize,
    /// The arena is the smallest for this list of runs.
    pub optimal: bool,
    /// How the offsets were found.
    pub method: Method,
    /// For each run, the most bytes live at one moment of it.
    pub live_bytes: Vec<usize>,
}

/// What a list of runs needs at least.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// The most bytes live at one moment, scratch and state counted: a lower bound of the arena, mostly attained.
    pub live_bytes: usize,
    /// The run at which they are live (the first of several).
    pub run: usize,
    /// Size of each buffer as it is kept.
    pub layouts: Vec<Layout>,
}

/// What is known of one network's steps, however many rows they compute together.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    runs: aliasing::Memo,
    offsets: offsets::Memo,
}

/// The lower bound of the arena that [`allocate`] would give, at a fraction of the cost.
///
/// # Errors
/// As [`analyse`].
pub fn estimate(lowered: &Lowered, runs: &[Run], storage: &[Storage]) -> Result<Estimate, AllocateError> {
    let liveness = analyse(lowered, runs, storage)?;
    let lasting = with_variables(lowered, 0).1;
    let mut bytes = live_bytes(lowered, runs, storage, &liveness);
    bytes.iter_mut().for_each(|bytes| *bytes += lasting);
    let most = bytes.iter().copied().max().unwrap_or(0);
    let run = bytes.iter().position(|&b| b == most).unwrap_or(0);
    Ok(Estimate { live_bytes: most, run, layouts: liveness.layouts })
}

/// Bytes of the arena that a quick search for offsets finds: [`allocate`] finds no more, at many times the cost.
///
/// # Errors
/// As [`analyse`].
pub fn quick_allocation(lowered: &Lowered, runs: &[Run], storage: &[Storage]) -> Result<usize, AllocateError> {
    outline_with(lowered, runs, storage, &Memo::default())
}

/// The same with what is known of these steps.
pub(crate) fn outline_with(
    lowered: &Lowered,
    runs: &[Run],
    storage: &[Storage],
    memo: &Memo,
) -> Result<usize, AllocateError> {
    Ok(Outline::new(lowered, runs, storage, memo)?.bytes(memo))
}

/// A list of runs on its way to a quick look at what its arena takes.
pub(crate) struct Outline<'a> {
    lowered: &'a Lowered,
    constraints: Constraints,
}

impl<'a> Outline<'a> {
    /// Looks at what is live when.
    ///
    /// # Errors
    /// As [`analyse`].
    pub fn new(lowered: &'a Lowered, runs: &[Run], storage: &[Storage], memo: &Memo) -> Result<Self, AllocateError> {
        let liveness = analyse(lowered, runs, storage)?;
        Ok(Self { lowered, constraints: overlap_with(lowered, runs, storage, &liveness, &memo.runs).constraints })
    }

    /// The most bytes live at one time: the arena takes no less.
    pub fn live_bytes(&self) -> usize {
        with_variables(self.lowered, self.constraints.live_bytes).1
    }

    /// Bytes of the arena that a quick search for offsets finds.
    pub fn bytes(&self, memo: &Memo) -> usize {
        with_variables(self.lowered, assign_with(&self.constraints, Effort::Quick, &memo.offsets).bytes).1
    }
}

/// The offset of each variable in an arena whose other contents take so many bytes, and the bytes of the whole arena:
/// variables lie together at its end, so that what comes and goes is placed as if there were none.
pub(crate) fn with_variables(lowered: &Lowered, bytes: usize) -> (Vec<usize>, usize) {
    let mut end = bytes;
    let place = |variable: &Variable| {
        let spec = &lowered.buffers[variable.value.index()];
        // By words, so that what copies a whole variable may do so.
        let offset = end.next_multiple_of(WORD_ALIGN.max(buffer_align(spec)));
        end = offset + spec.bytes();
        offset
    };
    (lowered.variables.iter().map(place).collect(), end)
}

/// Finds the smallest arena in which `runs` can be executed.
///
/// # Errors
/// As [`analyse`].
pub fn allocate(
    lowered: Lowered,
    runs: Vec<Run>,
    storage: Vec<Storage>,
) -> Result<(Program, AllocationReport), AllocateError> {
    place_with(lowered, runs, storage, &Memo::default())
}

/// The same with what is known of these steps.
pub(crate) fn place_with(
    lowered: Lowered,
    runs: Vec<Run>,
    storage: Vec<Storage>,
    memo: &Memo,
) -> Result<(Program, AllocationReport), AllocateError> {
    let liveness = analyse(&lowered, &runs, &storage)?;
    let overlap = overlap_with(&lowered, &runs, &storage, &liveness, &memo.runs);
    let assignment = assign_with(&overlap.constraints, Effort::Thorough, &memo.offsets);
    let objects = Objects::of(&lowered);
    let (lasting, arena_bytes) = with_variables(&lowered, assignment.bytes);
    let mut offsets = assignment.offsets.clone();
    for (variable, &offset) in lowered.variables.iter().zip(&lasting) {
        offsets[variable.value.index()] = offset;
        offsets[variable.next.index()] = offset;
    }

    let sizes = &overlap.constraints.sizes;
    let place_of = |object| {
        let index = objects.index(object);
        let len = sizes[index];
        Bytes { offset: if len == 0 { 0 } else { assignment.offsets[index] }, len }
    };
    let step_ids = || (0..lowered.steps.len()).map(|i| smidgen_program::program::StepId(i as u32));
    let program = Program {
        arena_bytes,
        scratch: step_ids().map(|id| place_of(Object::Scratch(id))).collect(),
        state: step_ids().map(|id| place_of(Object::State(id))).collect(),
        name: lowered.name,
        constants: lowered.constants,
        buffers: lowered
            .buffers
            .into_iter()
            .zip(&liveness.layouts)
            .enumerate()
            .map(|(index, (spec, layout))| Buffer {
                spec,
                offset: offsets[index],
                slots: layout.slots,
                width: layout.width,
            })
            .collect(),
        steps: lowered.steps,
        runs,
        inputs: lowered.inputs,
        outputs: lowered.outputs,
        variables: lowered.variables,
    };
    let more = arena_bytes - assignment.bytes;
    let report = AllocationReport {
        arena_bytes,
        lower_bound: assignment.lower_bound + more,
        optimal: assignment.optimal,
        method: assignment.method,
        live_bytes: overlap.live_bytes.into_iter().map(|bytes| bytes + more).collect(),
    };
    Ok((program, report))
}
