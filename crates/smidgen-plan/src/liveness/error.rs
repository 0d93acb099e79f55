//! What can be wrong with a list of runs.

/// A list of runs that cannot be executed, or not with the storage asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LivenessError {
    /// The list of storages does not match the list of buffers.
    #[error("{storages} storages are given for {buffers} buffers")]
    StorageCount {
        /// Storages given.
        storages: usize,
        /// Buffers there are.
        buffers: usize,
    },
    /// A run names a step or an input that does not exist.
    #[error("run {run} names a step or input that does not exist")]
    Unknown {
        /// The run.
        run: usize,
    },
    /// A run's region is empty or exceeds the output.
    #[error("run {run} ({step}) has an empty region or one beyond its output")]
    Region {
        /// The run.
        run: usize,
        /// The step's name.
        step: String,
    },
    /// A run computes part of an output that can only be computed whole.
    #[error("run {run} computes a part of {step}, which can only run whole")]
    NotPartial {
        /// The run.
        run: usize,
        /// The step's name.
        step: String,
    },
    /// The runs of a consuming step do not take each row of its input once and in order.
    #[error("run {run} gives {step} row {row} of its input, where row {expected} comes next")]
    OutOfOrder {
        /// The run.
        run: usize,
        /// The step's name.
        step: String,
        /// First row given.
        row: usize,
        /// First row wanted.
        expected: usize,
    },
    /// A run reads what no earlier run has produced, or what has been dropped since.
    #[error("run {run} ({step}) reads row {row} of {buffer}, which is not there")]
    NotThere {
        /// The run.
        run: usize,
        /// The step's name.
        step: String,
        /// The buffer's name.
        buffer: String,
        /// The row, in the buffer's own shape.
        row: usize,
    },
    /// The list ends before an output is complete.
    #[error("the runs end before row {row} of output {buffer} is computed")]
    Incomplete {
        /// The buffer's name.
        buffer: String,
        /// The row.
        row: usize,
    },
    /// A ring or tile is seen with another shape than its own.
    #[error("run {run} sees {buffer} in another shape, so it must be stored whole")]
    Reshaped {
        /// The run.
        run: usize,
        /// The buffer's name.
        buffer: String,
    },
}
