//! What can be wrong with a Program, or with what the caller hands in.

/// Why a Program cannot be run, or an input not be taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExecError {
    /// A step does not give its kernel what it demands.
    #[error("step {step} ({name}): {reason}")]
    Step {
        /// Index of the step.
        step: usize,
        /// Its name.
        name: String,
        /// What does not agree.
        reason: String,
    },
    /// An entry of the schedule cannot be run.
    #[error("run {run}: {reason}")]
    Run {
        /// Index of the run.
        run: usize,
        /// What does not agree.
        reason: String,
    },
    /// Something names a place outside the arena, or a buffer, constant or tensor that is not there.
    #[error("{what}: {reason}")]
    Bounds {
        /// Which buffer, port or range.
        what: String,
        /// What does not agree.
        reason: String,
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
