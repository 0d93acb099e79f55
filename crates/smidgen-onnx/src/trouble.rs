//! Why a node could not be taken, before it is known which node it was.

use crate::schema::Refused;
use crate::wire::Fault;
use smidgen_ir::ShapeError;
use smidgen_ir::front::OverBudget;
use std::borrow::Cow;

/// What is wrong with a node.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Its bytes are damaged.
    Fault(Fault),
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

impl Trouble {
    pub fn unsupported(reason: impl Into<String>, hint: &'static str) -> Self {
        Self::Unsupported { reason: reason.into(), hint: Cow::Borrowed(hint) }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<OverBudget> for Trouble {
    fn from(over: OverBudget) -> Self {
        Self::Over(over)
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Fault(fault) => Self::Fault(fault),
            Refused::Over(over) => Self::Over(over),
        }
    }
}

impl From<ShapeError> for Trouble {
    fn from(error: ShapeError) -> Self {
        Self::Malformed(error.to_string())
    }
}
