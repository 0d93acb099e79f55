//! What reading and writing can fail with. Each message names where, and what to do where there is something to do.

use crate::flat::Fault;
use crate::support::SUPPORTED;
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

/// Who has to act on an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// The file contradicts itself or the format: make it anew.
    Malformed,
    /// The file is right but asks for something that smidgen does not do: change the network or its conversion.
    Unsupported,
}

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
    /// The graph's inputs and outputs contradict its tensors.
    #[error("{what}")]
    Graph {
        /// What is wrong.
        what: String,
    },
    /// The network needs what smidgen does not do. Holds at least one entry: everything that stands in the way.
    #[error("{}", list(.0))]
    Unsupported(Vec<Unsupported>),
}

impl ReadError {
    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::NotTflite { .. }
            | Self::Damaged { .. }
            | Self::Inflated { .. }
            | Self::Tensor { .. }
            | Self::Operator { .. }
            | Self::Graph { .. } => ErrorKind::Malformed,
        }
    }
}

impl From<Fault> for ReadError {
    fn from(Fault { place, offset, what }: Fault) -> Self {
        Self::Damaged { place, offset, what }
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

/// What an [`Unsupported`] is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// An operator.
    Operator {
        /// Its index in the file.
        index: usize,
        /// Its name; that of a custom one is its custom code.
        name: String,
    },
    /// A tensor.
    Tensor {
        /// Its index in the file.
        index: usize,
        /// Its name, quoted and shortened.
        name: String,
    },
    /// The file as a whole.
    File,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { index, name } => write!(f, "operator {index} {name}"),
            Self::Tensor { index, name } => write!(f, "tensor {index} {name}"),
            Self::File => f.write_str("the file"),
        }
    }
}

/// One thing in a well-formed file that smidgen does not do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// What it is about.
    pub subject: Subject,
    /// Tensors that say where in the network it is, as `"x", "w" -> "y"`; empty unless the subject is an operator.
    pub tensors: String,
    /// What is not supported.
    pub reason: String,
    /// What to do about it.
    pub hint: Cow<'static, str>,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.subject)?;
        if !self.tensors.is_empty() {
            write!(f, " ({})", self.tensors)?;
        }
        write!(f, ": {}; {}", self.reason, self.hint)
    }
}

/// The reason given for an operator that [`SUPPORTED`] does not have.
pub(crate) const UNKNOWN_OPERATOR: &str = "this operator is not supported";

/// The first few, how many more there are, and where it helps the operators to choose from.
fn list(all: &[Unsupported]) -> String {
    const SHOWN: usize = 3;
    let mut lines: Vec<String> = all.iter().take(SHOWN).map(|entry| format!("not supported: {entry}")).collect();
    if all.len() > SHOWN {
        lines.push(format!("and {} more", all.len() - SHOWN));
    }
    if all.iter().any(|entry| entry.reason == UNKNOWN_OPERATOR) {
        let names: Vec<&str> = SUPPORTED.iter().map(|entry| entry.name).collect();
        lines.push(format!("supported operators: {}", names.join(", ")));
    }
    lines.join("\n")
}

/// A name from a file as messages show it: quoted, control characters escaped, cut after 60 characters.
pub(crate) fn quoted(name: &str) -> String {
    const SHOWN: usize = 60;
    match name.char_indices().nth(SHOWN) {
        None => format!("{name:?}"),
        Some((end, _)) => format!("{:?}", format!("{}…", &name[..end])),
    }
}
