//! What reading and writing can fail with. Each message names where, and what to do where there is something to do.

use crate::flat::Fault;
use crate::support::SUPPORTED;
use smidgen_ir::front::{ErrorKind, OverBudget, Unsupported};
use smidgen_ir::validate::OperatorError;
use smidgen_ir::{ShapeError, ValidateError};
use thiserror::Error;

/// Why a file could not be read.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum ReadError {
    /// The first bytes are not those of a TensorFlow Lite file.
    #[error("not a TensorFlow Lite file: {what}")]
    NotTflite {
        /// What gives it away.
        what: String,
    },
    /// An offset, a length or an alignment in the file is impossible.
    #[error("the file is damaged: {place} at byte {offset}: {what}")]
    Damaged {
        /// Table and field, as the schema names them.
        place: String,
        /// Byte offset in the file of the table or vector.
        offset: usize,
        /// What is wrong there.
        what: String,
    },
    /// The file's tables point at each other's bytes so often that the graph would be far larger than the file.
    #[error(
        "the file's tables share their bytes so often that reading it would take more than {limit} bytes of memory"
    )]
    Inflated {
        /// Bytes of memory that a file of this size is granted.
        limit: usize,
    },
    /// A tensor contradicts itself.
    #[error("tensor {index} {name}: {what}")]
    Tensor {
        /// Its index in the file.
        index: usize,
        /// Its name, quoted and shortened.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// An operator contradicts itself or its tensors.
    #[error("operator {index} {operator} ({tensors}): {what}")]
    Operator {
        /// Its index in the file.
        index: usize,
        /// Its name.
        operator: String,
        /// Its tensors: `"x", "w" -> "y"`.
        tensors: String,
        /// What is wrong.
        what: String,
    },
    /// The network needs what smidgen does not do. Holds at least one entry: everything that stands in the way.
    #[error("{}", Unsupported::list(.0, &SUPPORTED))]
    Unsupported(Vec<Unsupported>),
    /// The graph breaks a rule of smidgen's: types that do not go together, a tensor without elements, sizes beyond a bound.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
}

/// True for what the reference refuses too: shapes that do not fit each other. It makes nothing of windows that do not fit.
fn contradicts(error: &ValidateError) -> bool {
    let ValidateError::Operator { fault, .. } = error else { return false };
    match &**fault {
        OperatorError::OutputCount { .. } => true,
        OperatorError::Shape(error) => !matches!(error, ShapeError::Window { .. }),
        _ => false,
    }
}

impl ReadError {
    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            // The reference loads what shares its bytes, however large that makes it.
            Self::Unsupported(_) | Self::Inflated { .. } => ErrorKind::Unsupported,
            Self::Invalid(error) if contradicts(error) => ErrorKind::Malformed,
            Self::Invalid(_) => ErrorKind::Unsupported,
            Self::NotTflite { .. } | Self::Damaged { .. } | Self::Tensor { .. } | Self::Operator { .. } => {
                ErrorKind::Malformed
            }
        }
    }
}

impl From<Fault> for ReadError {
    fn from(Fault { place, offset, what }: Fault) -> Self {
        Self::Damaged { place, offset, what }
    }
}

impl From<OverBudget> for ReadError {
    fn from(OverBudget { limit }: OverBudget) -> Self {
        Self::Inflated { limit }
    }
}

/// Why a graph could not be written.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WriteError {
    /// An operator that the format cannot express, or whose tensors do not fit it.
    #[error("operator {index} {operator}, which writes {output}: {what}")]
    Operator {
        /// Its index in the graph.
        index: usize,
        /// Its name.
        operator: String,
        /// Name of the tensor that it writes, quoted and shortened.
        output: String,
        /// What is wrong.
        what: String,
    },
    /// A tensor that the format cannot express, or that contradicts itself.
    #[error("tensor {index} {name}: {what}")]
    Tensor {
        /// Its index in the graph.
        index: usize,
        /// Its name, quoted and shortened.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A tensor is named that the graph does not have.
    #[error("{what}")]
    Graph {
        /// What is wrong.
        what: String,
    },
    /// The file would be larger than the format's offsets reach.
    #[error("the file would have {bytes} bytes; a TensorFlow Lite file has less than 2 GiB")]
    TooLarge {
        /// How large, about.
        bytes: usize,
    },
}
