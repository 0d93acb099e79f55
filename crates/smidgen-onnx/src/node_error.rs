//! Why a node could not be taken, before it is known which node it was.

use crate::schema::Refused;
use crate::wire::WireError;
use smidgen_ir::ShapeError;
use smidgen_ir::front::OverBudget;
use std::borrow::Cow;

/// What is wrong with a node.
#[derive(Debug)]
pub(crate) enum NodeError {
    /// Its bytes are damaged.
    WireError(WireError),
    /// It contradicts itself or its tensors.
    Malformed(String),
    /// It is sound, but asks for what smidgen does not do.
    Unsupported { reason: String, hint: Cow<'static, str> },
    /// It asks for more memory than the file's size justifies.
    Over(OverBudget),
    /// A file that it needs cannot be read.
    External { location: String, what: String },
    /// It reads what an unsupported node would have written, which has been reported.
    Consequence,
}

impl NodeError {
    pub fn unsupported(reason: impl Into<String>, hint: &'static str) -> Self {
        Self::Unsupported { reason: reason.into(), hint: Cow::Borrowed(hint) }
    }
}

impl From<WireError> for NodeError {
    fn from(fault: WireError) -> Self {
        Self::WireError(fault)
    }
}

impl From<OverBudget> for NodeError {
    fn from(over: OverBudget) -> Self {
        Self::Over(over)
    }
}

impl From<Refused> for NodeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::WireError(fault) => Self::WireError(fault),
            Refused::Over(over) => Self::Over(over),
        }
    }
}

impl From<ShapeError> for NodeError {
    fn from(error: ShapeError) -> Self {
        Self::Malformed(error.to_string())
    }
}
