//! Why a Program gets no certificate.

/// Why a Program gets no certificate. `run` is the index in [`Program::runs`](smidgen_program::Program::runs).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
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
    /// Invariants 16 and 17: of a variable.
    #[error("variable {name} {reason}")]
    Variable {
        /// Its name.
        name: String,
        /// What it breaks.
        reason: String,
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
    /// Invariant 2: a size that no 32-bit address space holds, or that overflows.
    #[error("{place} has sizes that multiply to more than {most} bytes")]
    TooLarge {
        /// What has them.
        place: String,
        /// The most there may be.
        most: usize,
    },
    /// Invariants 4 and 5: a step does not give its kernel what it demands.
    #[error("step {step} ({name}): {reason}")]
    Demand {
        /// The step.
        step: usize,
        /// Its name.
        name: String,
        /// What does not agree.
        reason: String,
    },
    /// Invariant 6.
    #[error("{port} of tensor {tensor} {reason}")]
    Port {
        /// Input or output.
        port: &'static str,
        /// The tensor's index in the graph.
        tensor: u32,
        /// What it breaks.
        reason: &'static str,
    },
}
