//! The validator: certifies a [`Program`] without trusting whoever made it.
//!
//! It shares nothing with the planner but the data types. It replays the list of runs over a shadow of the arena that
//! remembers, for every byte, which byte of which tensor lies there, and demands that every read finds what it expects. What
//! it takes on trust is each step's declared [access](crate::access) (which is tested against the kernels) and nothing else.
//!
//! Invariants enforced, in this order:
//!
//! 1. Every index (constant, buffer, step, input) is in range, and each step has one access for each input.
//! 2. Extents are not empty; an operand or target seen with another extent than its buffer's has as many elements, and the
//!    buffer is stored whole.
//! 3. Every buffer, scratch and state lies inside the arena; floats and words are aligned to their size, scratch and state to
//!    4 bytes; constants to their own alignment (a power of two).
//! 4. Scratch and state are as long as the step needs.
//! 5. A run's region is not empty and lies inside the output (for a consuming step: its rows inside input 0).
//! 6. A step that is not `partial` runs whole; a step with several outputs runs whole.
//! 7. A consuming step takes every row of its input once, in order.
//! 8. A tile is wide enough for what is written to it, and a partial width is only ever read where it was written.
//! 9. Every byte read holds the byte of the tensor that the step means to read: it was produced, has not been overwritten, and
//!    is not overwritten before the kernel's own order has let go of it.
//! 10. Nothing overwrites the scratch of a running step, nor the state of a step between its runs.
//! 11. Rows of a streamed input arrive once and in order; an input that is not streamed is never awaited.
//! 12. At the end every byte of every output is there.

mod live;
mod shadow;

pub use live::{LiveRanges, Occupancy, Span, live_ranges, occupancy};

use crate::program::{Buffer, BufferId, Extent, Operand, Program, Run, Step};

/// Why a Program is not valid. `run` is the index in [`Program::runs`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidProgram {
    /// Invariant 1.
    #[error("{place} names {what} {index}, but there are only {count}")]
    OutOfRange {
        /// Who names it.
        place: String,
        /// Kind of thing.
        what: &'static str,
        /// The index.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Invariant 1: the lists of a step do not match.
    #[error("step {step} ({name}) has {inputs} inputs but {accesses} accesses, or no output")]
    Malformed {
        /// The step.
        step: usize,
        /// Its name.
        name: String,
        /// Number of inputs.
        inputs: usize,
        /// Number of accesses.
        accesses: usize,
    },
    /// Invariant 2.
    #[error("{place} sees buffer {buffer} as {rows}x{cols}x{depth}, which its storage does not allow")]
    Extent {
        /// Who sees it.
        place: String,
        /// The buffer's name.
        buffer: String,
        /// Rows.
        rows: usize,
        /// Columns.
        cols: usize,
        /// Depth.
        depth: usize,
    },
    /// Invariant 3: outside the arena.
    #[error("{place} takes bytes {start}..{end}, outside the arena of {arena} bytes")]
    OutsideArena {
        /// What.
        place: String,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// Size of the arena.
        arena: usize,
    },
    /// Invariant 3: not aligned.
    #[error("{place} at {offset} is not aligned to {align} bytes")]
    Misaligned {
        /// What.
        place: String,
        /// Its offset.
        offset: usize,
        /// Bytes it must be aligned to.
        align: usize,
    },
    /// Invariant 4.
    #[error("step {step} ({name}) needs {needed} bytes of {what} and has {given}")]
    TooShort {
        /// The step.
        step: usize,
        /// Its name.
        name: String,
        /// Scratch or state.
        what: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes it has.
        given: usize,
    },
    /// Invariants 5 and 6.
    #[error("run {run}: step {name} cannot compute rows {y0}..{y1}, columns {x0}..{x1}: {why}")]
    Region {
        /// The run.
        run: usize,
        /// The step's name.
        name: String,
        /// First row.
        y0: usize,
        /// One past the last row.
        y1: usize,
        /// First column.
        x0: usize,
        /// One past the last column.
        x1: usize,
        /// The rule it breaks.
        why: &'static str,
    },
    /// Invariants 7 and 11.
    #[error("run {run}: {name} takes rows {y0}..{y1}, but row {expected} is next")]
    OutOfOrder {
        /// The run.
        run: usize,
        /// The step's or input's name.
        name: String,
        /// First row taken.
        y0: usize,
        /// One past the last row taken.
        y1: usize,
        /// The row that should be next.
        expected: usize,
    },
    /// Invariant 8.
    #[error("run {run}: tile {buffer} stores {width} columns from {x0} on, not {from}..{to}")]
    Tile {
        /// The run.
        run: usize,
        /// The buffer.
        buffer: String,
        /// Columns stored.
        width: usize,
        /// First column stored.
        x0: usize,
        /// First column wanted.
        from: usize,
        /// One past the last column wanted.
        to: usize,
    },
    /// Invariant 9.
    #[error(
        "run {run}: step {reader} reads row {row}, column {col} of {buffer} at arena byte {address}, \
         which {found}"
    )]
    Clobbered {
        /// The run.
        run: usize,
        /// The reading step.
        reader: String,
        /// What it means to read.
        buffer: String,
        /// Row.
        row: usize,
        /// Column.
        col: usize,
        /// The first wrong byte of the arena.
        address: usize,
        /// What lies there instead.
        found: String,
    },
    /// Invariant 10.
    #[error("run {run}: the {what} of step {name} is overwritten at arena byte {address}")]
    Trampled {
        /// The run after which it was seen.
        run: usize,
        /// The step.
        name: String,
        /// Scratch or state.
        what: &'static str,
        /// The first overwritten byte.
        address: usize,
    },
    /// Invariant 11: rows of an input that never arrive.
    #[error("input {name} is streamed, but only {given} of its {rows} rows are awaited")]
    Unfed {
        /// The input.
        name: String,
        /// Rows awaited.
        given: usize,
        /// Rows it has.
        rows: usize,
    },
    /// Invariant 7: a consuming step that is not finished.
    #[error("step {name} took in {given} of the {rows} rows of its input")]
    Unfinished {
        /// The step.
        name: String,
        /// Rows taken.
        given: usize,
        /// Rows there are.
        rows: usize,
    },
    /// Invariant 12.
    #[error("output {output} is not complete at the end: row {row}, column {col} {found}")]
    Incomplete {
        /// The output's name.
        output: String,
        /// Row of the first wrong byte.
        row: usize,
        /// Column of the first wrong byte.
        col: usize,
        /// What lies there instead.
        found: String,
    },
}

/// Checks every invariant of the module's documentation.
///
/// # Errors
/// The first violation found.
pub fn validate(program: &Program) -> Result<(), InvalidProgram> {
    check_tables(program)?;
    shadow::replay(program)
}

fn in_range(place: &str, what: &'static str, index: usize, count: usize) -> Result<(), InvalidProgram> {
    if index < count {
        return Ok(());
    }
    Err(InvalidProgram::OutOfRange { place: place.to_owned(), what, index, count })
}

fn is_whole(buffer: &Buffer) -> bool {
    buffer.slots >= buffer.spec.extent.rows && buffer.width >= buffer.spec.extent.cols
}

/// Invariants 1 to 4: everything that can be said without replaying the runs.
fn check_tables(program: &Program) -> Result<(), InvalidProgram> {
    for (i, constant) in program.constants.iter().enumerate() {
        if !constant.align.is_power_of_two() {
            let place = format!("constant {i} ({})", constant.name);
            return Err(InvalidProgram::Misaligned { place, offset: 0, align: constant.align });
        }
    }
    for (i, buffer) in program.buffers.iter().enumerate() {
        let place = format!("buffer {i} ({})", buffer.spec.name);
        let Extent { rows, cols, depth } = buffer.spec.extent;
        if rows * cols * depth == 0 || buffer.slots == 0 || buffer.width == 0 {
            return Err(InvalidProgram::Extent { place, buffer: buffer.spec.name.clone(), rows, cols, depth });
        }
        inside_arena(program, &place, buffer.offset, buffer.bytes())?;
        aligned(&place, buffer.offset, buffer.spec.element_bytes().min(4))?;
    }
    for (name, table) in [("scratch", &program.scratch), ("state", &program.state)] {
        in_range(&format!("the table of {name}"), "entry", program.steps.len(), table.len() + 1)?;
    }
    for (i, step) in program.steps.iter().enumerate() {
        check_step(program, i, step)?;
    }
    for (i, port) in program.inputs.iter().chain(&program.outputs).enumerate() {
        check_operand(program, &format!("port {i}"), port.operand)?;
    }
    for (i, run) in program.runs.iter().enumerate() {
        let place = format!("run {i}");
        match *run {
            Run::Compute { step, .. } => in_range(&place, "step", step.index(), program.steps.len())?,
            Run::Await { input, .. } => in_range(&place, "input", input, program.inputs.len())?,
        }
    }
    Ok(())
}

fn check_step(program: &Program, index: usize, step: &Step) -> Result<(), InvalidProgram> {
    let place = format!("step {index} ({})", step.name);
    if step.inputs.len() != step.access.len() || step.outputs.is_empty() || (step.consumes && step.inputs.is_empty()) {
        return Err(InvalidProgram::Malformed {
            step: index,
            name: step.name.clone(),
            inputs: step.inputs.len(),
            accesses: step.access.len(),
        });
    }
    for constant in &step.constants {
        in_range(&place, "constant", constant.index(), program.constants.len())?;
    }
    for &operand in &step.inputs {
        check_operand(program, &place, operand)?;
    }
    for target in &step.outputs {
        check_seen(program, &place, target.buffer, target.extent)?;
    }
    for (what, needed, given) in
        [("scratch", step.scratch_bytes, program.scratch[index]), ("state", step.state_bytes, program.state[index])]
    {
        if given.len < needed {
            let name = step.name.clone();
            return Err(InvalidProgram::TooShort { step: index, name, what, needed, given: given.len });
        }
        let place = format!("{what} of {place}");
        inside_arena(program, &place, given.offset, given.len)?;
        if given.len > 0 {
            aligned(&place, given.offset, 4)?;
        }
    }
    Ok(())
}

fn check_operand(program: &Program, place: &str, operand: Operand) -> Result<(), InvalidProgram> {
    match operand {
        Operand::Buffer(buffer, extent) => check_seen(program, place, buffer, extent),
        Operand::Constant(constant) => in_range(place, "constant", constant.index(), program.constants.len()),
    }
}

fn check_seen(program: &Program, place: &str, id: BufferId, seen: Extent) -> Result<(), InvalidProgram> {
    in_range(place, "buffer", id.index(), program.buffers.len())?;
    let buffer = &program.buffers[id.index()];
    if seen == buffer.spec.extent || (seen.elements() == buffer.spec.extent.elements() && is_whole(buffer)) {
        return Ok(());
    }
    Err(InvalidProgram::Extent {
        place: place.to_owned(),
        buffer: buffer.spec.name.clone(),
        rows: seen.rows,
        cols: seen.cols,
        depth: seen.depth,
    })
}

fn inside_arena(program: &Program, place: &str, offset: usize, len: usize) -> Result<(), InvalidProgram> {
    match offset.checked_add(len) {
        Some(end) if end <= program.arena_bytes => Ok(()),
        end => Err(InvalidProgram::OutsideArena {
            place: place.to_owned(),
            start: offset,
            end: end.unwrap_or(usize::MAX),
            arena: program.arena_bytes,
        }),
    }
}

fn aligned(place: &str, offset: usize, align: usize) -> Result<(), InvalidProgram> {
    if offset.is_multiple_of(align) {
        return Ok(());
    }
    Err(InvalidProgram::Misaligned { place: place.to_owned(), offset, align })
}
