//! What can be wrong with a network, a batch or a checkpoint.

use smidgen_ir::{Graph, Operator};

/// Why something cannot be trained.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An operator of the graph has no gradient here.
    #[error("{}, which writes {}, cannot be trained: {reason}", numbered(operator, *index), named(tensor))]
    Unsupported {
        /// The operator's name.
        operator: &'static str,
        /// Its place in the graph's order, from 0 on, if it has one.
        index: Option<usize>,
        /// The tensor that it writes.
        tensor: String,
        /// What is missing.
        reason: &'static str,
    },
    /// A layer does not fit the tensor it reads.
    #[error("{}: {reason}", named_layer(layer))]
    Layer {
        /// The layer's name.
        layer: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// Weights of another network.
    #[error("the weights are of another network: `{name}` {}", found.as_ref().map_or_else(
        || "is missing".to_owned(), |found| format!("is {found:?} there, and {wanted:?} here")
    ))]
    Weights {
        /// The tensor's name.
        name: String,
        /// Its dimensions in the network.
        wanted: Vec<usize>,
        /// Its dimensions in the file, if it is there.
        found: Option<Vec<usize>>,
    },
    /// A setting is out of its range.
    #[error("{setting} is {value}: {reason}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        reason: &'static str,
    },
    /// An array has another size than it must.
    #[error("{what} has {given} elements, and must have {expected}")]
    Size {
        /// Which.
        what: &'static str,
        /// Its elements.
        given: usize,
        /// What they must be.
        expected: usize,
    },
    /// A label is not below the number of classes.
    #[error("sample {sample} of the batch has label {label}, and the network has {classes} classes")]
    Label {
        /// Index in the batch.
        sample: usize,
        /// The label.
        label: u32,
        /// The classes.
        classes: usize,
    },
    /// The bytes are no checkpoint of this network.
    #[error("not a checkpoint of this network: {reason}")]
    Checkpoint {
        /// What differs.
        reason: &'static str,
    },
}

/// An operator by its number and kind.
fn numbered(operator: &str, index: Option<usize>) -> String {
    index.map_or_else(|| operator.to_owned(), |index| format!("operator {index} {operator}"))
}

/// A tensor's name; files may leave it out.
fn named(tensor: &str) -> String {
    if tensor.is_empty() { "a tensor without a name".to_owned() } else { format!("`{tensor}`") }
}

/// A layer's name; a network may have none.
fn named_layer(layer: &str) -> String {
    if layer.is_empty() { "a layer without a name".to_owned() } else { format!("layer `{layer}`") }
}

impl TrainError {
    /// An operator of a graph without a gradient.
    pub(crate) fn unsupported(graph: &Graph, operator: &Operator, reason: &'static str) -> Self {
        let index = graph.operators.iter().position(|other| std::ptr::eq(other, operator));
        let tensor = operator.outputs.first().map(|&t| graph.tensor(t).name.clone()).unwrap_or_default();
        Self::Unsupported { operator: operator.op.name(), index, tensor, reason }
    }

    /// A layer that does not fit.
    pub(crate) fn layer(layer: impl Into<String>, reason: &'static str) -> Self {
        Self::Layer { layer: layer.into(), reason }
    }
}
