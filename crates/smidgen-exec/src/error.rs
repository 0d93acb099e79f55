//! What can be wrong with what the caller hands in.

/// Why an input or a list of live ranges is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExecError {
    /// Live ranges that are not the Program's.
    #[error("live ranges: {reason}")]
    LiveRanges {
        /// What does not agree.
        reason: &'static str,
    },
    /// The caller named an input that the network does not have.
    #[error("there is no input {index}; the network has {count}")]
    NoInput {
        /// The index given.
        index: usize,
        /// Number of inputs.
        count: usize,
    },
    /// The caller handed in an input of another size.
    #[error("input {index} takes {expected} bytes, {given} were given")]
    InputSize {
        /// Index of the input.
        index: usize,
        /// Its bytes.
        expected: usize,
        /// Bytes given.
        given: usize,
    },
}
