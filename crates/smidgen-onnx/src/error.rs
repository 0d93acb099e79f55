//! What reading can fail with. Each message names where, and what to do where there is something to do.

use crate::support::SUPPORTED;
use smidgen_ir::ValidateError;
use smidgen_ir::front::{ErrorKind, Unsupported};
use thiserror::Error;

/// Why a file could not be read.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum ReadError {
    /// The bytes are not those of an ONNX file.
    #[error("not an ONNX file: {what}")]
    NotOnnx {
        /// What gives it away.
        what: String,
    },
    /// A field, a length or a number in the file is impossible.
    #[error("the file is damaged: {place} at byte {offset}: {what}")]
    Damaged {
        /// Message and field, as the format's definition names them.
        place: String,
        /// Byte offset in the file.
        offset: usize,
        /// What is wrong there.
        what: String,
    },
    /// The file describes a network that takes far more memory than the file has bytes.
    #[error(
        "the file describes tensors so large for its size that reading it would take more than {limit} bytes of memory"
    )]
    Inflated {
        /// Bytes of memory that a file of this size is granted.
        limit: usize,
    },
    /// A node contradicts itself or its tensors.
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
    /// The graph contradicts itself.
    #[error("{what}")]
    Graph {
        /// What is wrong.
        what: String,
    },
    /// An input's shape is left open.
    #[error("input {name} has the open shape {shape}; smidgen needs every size")]
    OpenShape {
        /// Its name, quoted and shortened.
        name: String,
        /// Its shape, symbols by name: `1x3x?xwidth`.
        shape: String,
        /// What to say on the command line: `--shape x=1,3,224,224`, with the open sizes to fill in.
        example: String,
    },
    /// A shape was given that does not suit the file.
    #[error("{what}")]
    Shape {
        /// What is wrong.
        what: String,
    },
    /// A constant that the network computes with holds what is not a number.
    #[error(
        "constant {name} holds {value} at element {index}; smidgen computes with finite weights and constants that are numbers"
    )]
    NotANumber {
        /// The constant's name, quoted and shortened.
        name: String,
        /// The value: `NaN`, or an infinity in weights.
        value: f32,
        /// Which element, row-major.
        index: usize,
    },
    /// Weights in another file cannot be had.
    #[error("the weights in `{location}` cannot be read: {what}")]
    External {
        /// The file as the network names it.
        location: String,
        /// What is wrong.
        what: String,
    },
    /// The network needs what smidgen does not do. Holds at least one entry: everything that stands in the way.
    #[error("{}", Unsupported::list(.0, &SUPPORTED))]
    Unsupported(Vec<Unsupported>),
    /// The network is sound, but its graph breaks a rule of smidgen's: a size beyond a bound, scales too far apart.
    #[error("the network cannot be expressed")]
    Invalid(#[from] ValidateError),
}

impl ReadError {
    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            // ONNX Runtime computes constants of any size from a few bytes.
            Self::Unsupported(_) | Self::Invalid(_) | Self::Inflated { .. } => ErrorKind::Unsupported,
            // ONNX Runtime loads it: the file is sound, if of little use.
            Self::NotANumber { .. } => ErrorKind::Unsupported,
            Self::OpenShape { .. } | Self::Shape { .. } | Self::External { .. } => ErrorKind::Request,
            Self::NotOnnx { .. } | Self::Damaged { .. } | Self::Operator { .. } | Self::Graph { .. } => {
                ErrorKind::Malformed
            }
        }
    }
}
