//! What can stop lowering.

/// Why a graph cannot be lowered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LowerError {
    /// An operator has no kernel for its types or parameters.
    #[error("operator {index} {operator} (writes `{output}`): {reason}")]
    Unsupported {
        /// Index of the operator in the graph.
        index: usize,
        /// Its name.
        operator: &'static str,
        /// Name of its first output tensor.
        output: String,
        /// What does not fit, and what would.
        reason: String,
    },
    /// Activations are larger than any board holds.
    #[error("larger than any board: {operator}: {reason}")]
    TooLarge {
        /// Index of the operator in the graph; `None` for the network's inputs.
        index: Option<usize>,
        /// The operator with its index and output.
        operator: String,
        /// Which tensor, its size, and the limit.
        reason: String,
    },
}

/// Why one operator cannot be lowered: the reason in words.
#[derive(Debug)]
pub(super) struct Refusal(pub String);
