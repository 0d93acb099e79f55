//! Training a classifier on the host: from a network, or an architecture, and a set of samples to a network of
//! floats or integers.
//!
//! - [`start`]: the network that training begins with.
//! - [`held`]: samples in memory, and the batches taken from them.
//! - [`augment`]: what a picture looks like from one epoch to the next.
//! - [`integers`]: the integer network that it ends as, and training in the knowledge of it.
//! - [`log`]: when steps were taken, to take them again.
//! - [`weights`]: weights as a file that PyTorch reads, and those that it has made.
//! - [`course`]: the steps, epoch by epoch, and where they go on after an interruption.
//!
//! The invariant that matters: the same data, options and seed give the same network to the bit, for any number of
//! threads.

pub mod augment;
pub mod course;
pub mod held;
pub mod integers;
pub mod log;
pub mod start;
pub mod torch;
pub mod weights;

pub use augment::Augment;
pub use course::{Course, Epoch, Options};
pub use held::Held;
pub use integers::Integers;
pub use log::Log;
pub use smidgen_train::{Activation, Architecture, Block, Random, network_of_blocks};
pub use start::{Beginning, Freeze, Start};
pub use weights::Weights;

use smidgen_ir::visible;

/// Why a network cannot be trained on a set of samples.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum TrainingError {
    /// There is nothing to tell apart.
    #[error("the samples are of one class, `{}`", visible(class))]
    OneClass {
        /// Its name.
        class: String,
    },
    /// Another number of classes, and a last layer that cannot be replaced.
    #[error(
        "the network has {outputs} outputs and the data have {classes} classes: its last layer, {layer}, cannot be \
         replaced"
    )]
    Head {
        /// Elements of the network's output.
        outputs: usize,
        /// Classes of the data.
        classes: usize,
        /// The last operator with weights, or the one that stands in the way.
        layer: String,
    },
    /// The loss is no longer a number.
    #[error("training has diverged: at step {step}{} (epoch {epoch}) the loss is not a number", of(*steps))]
    Diverged {
        /// The step, from 1 on.
        step: u64,
        /// Steps in all, where that is known.
        steps: Option<u64>,
        /// The epoch, from 1 on.
        epoch: usize,
        /// The greatest learning rate.
        rate: f32,
        /// The option that says it.
        option: &'static str,
    },
    /// A checkpoint of another training.
    #[error("the checkpoint is of another training: there {what} is {there}, here {here}")]
    Checkpoint {
        /// What differs.
        what: String,
        /// Its value in the checkpoint.
        there: String,
        /// Its value now.
        here: String,
    },
    /// A class with one sample, of which a part is to be held back.
    #[error("the class `{}` has one sample: none can be held back", visible(class))]
    NothingToHold {
        /// Its name.
        class: String,
        /// Whether it was asked that something is held back, so that it can be left.
        asked: bool,
    },
    /// Nothing, or everything, is frozen.
    #[error("of the network's {} layers, {frozen} are frozen", layers.len())]
    Freeze {
        /// How many.
        frozen: usize,
        /// The names of all layers with weights.
        layers: Vec<String>,
    },
    /// Text that is no log of steps.
    #[error("not a log of the steps of `smidgen train`")]
    NoLog,
    /// Bytes that are no weights.
    #[error("not a safetensors file of weights: {reason}")]
    NoWeights {
        /// What is wrong.
        reason: String,
    },
    /// Bytes that are no checkpoint.
    #[error("not a checkpoint of `smidgen train`")]
    NoCheckpoint,
}

/// Of how many, where that is known.
fn of(all: Option<u64>) -> String {
    all.map_or_else(String::new, |all| format!(" of {all}"))
}

impl TrainingError {
    pub(crate) fn help(&self) -> String {
        match self {
            Self::OneClass { .. } => "a classifier tells classes apart: pictures go into one folder for each".into(),
            Self::Head { .. } => {
                "a FULLY_CONNECTED or CONV_2D can be replaced that gives the output, or is followed by nothing but \
                 SOFTMAX, pools and changes of shape: change the network, or take `--arch`"
                    .into()
            }
            Self::Diverged { rate, option, .. } => {
                format!("take a smaller `{option}` than {rate}, a fifth of it, say; else look at `--normalise`")
            }
            Self::Checkpoint { .. } => "go on with the options and data that it was begun with".into(),
            Self::NothingToHold { asked: true, .. } => "give each class two samples, or leave `--hold-out` out".into(),
            Self::NothingToHold { asked: false, .. } => {
                "give each class two samples or more, or a part to test of its own: DIR/train/CLASS and DIR/test/CLASS"
                    .into()
            }
            Self::Freeze { layers, .. } => {
                let names: Vec<String> = layers.iter().map(|name| format!("`{}`", visible(name))).collect();
                format!("leave some to be trained, and name those that are not as the model does: {}", names.join(", "))
            }
            Self::NoLog => "what a training with `--time` has written beside its result can be taken again".into(),
            Self::NoWeights { .. } => {
                "`smidgen export --torch` writes such a file, and the script beside it another one".into()
            }
            Self::NoCheckpoint => "what `--checkpoint FILE` has written can be taken up again".into(),
        }
    }

    /// True if a file is to blame that is sound.
    pub(crate) fn is_of_the_network(&self) -> bool {
        matches!(self, Self::Head { .. })
    }

    /// True if a file is damaged.
    pub(crate) fn is_of_the_checkpoint(&self) -> bool {
        matches!(self, Self::NoCheckpoint | Self::NoLog | Self::NoWeights { .. })
    }
}
