//! What can be wrong with a network, a batch or a checkpoint.

/// Why something cannot be trained.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An operator of the graph has no gradient here.
    #[error("{operator}, which writes `{tensor}`, cannot be trained: {reason}")]
    Unsupported {
        /// The operator's name.
        operator: &'static str,
        /// The tensor that it writes.
        tensor: String,
        /// What is missing.
        reason: &'static str,
    },
    /// A layer does not fit the tensor it reads.
    #[error("layer `{layer}`: {reason}")]
    Layer {
        /// The layer's name.
        layer: String,
        /// What does not fit.
        reason: &'static str,
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

impl TrainError {
    /// A layer that does not fit.
    pub(crate) fn layer(layer: impl Into<String>, reason: &'static str) -> Self {
        Self::Layer { layer: layer.into(), reason }
    }
}
