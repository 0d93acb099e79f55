//! What can be wrong with a request to train on the device.

use smidgen_lower::LowerError;

/// Why a training step cannot be made.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum AdaptError {
    /// The update scheme.
    #[error("the update scheme: {0}")]
    Scheme(String),
    /// The network has no classifier that can be replaced.
    #[error("the network does not end with a classifier: {0}")]
    NoClassifier(String),
    /// A gradient has to pass an operator that has none.
    #[error("operator {index} {operator} (output `{output}`) has no gradient on the device: {reason}")]
    NoGradient {
        /// Its index.
        index: usize,
        /// Its name.
        operator: &'static str,
        /// Its first output.
        output: String,
        /// What stands in the way.
        reason: String,
    },
    /// Too few classes, or too many.
    #[error("{} for the new classifier, which needs 2 to 65,536", match .0 { 1 => "1 class".to_owned(), n => format!("{n} classes") })]
    Classes(usize),
    /// The network itself cannot be compiled.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// A fault of smidgen's.
    #[error("a training step does not hold what was said of it: {0}")]
    Internal(String),
}
