//! Networks that are built here rather than read from a file: published architectures and random graphs, with random weights.
//!
//! They carry no training, so their answers mean nothing; what matters is that they are real in every other way. Weights are
//! scaled so that activations keep a constant variance from layer to layer and use most of their quantised range without
//! saturating, so a wrong byte somewhere shows up at the output.
//!
//! The same arguments give the same graph, byte for byte, on every machine: the only source of chance is [`Random`].
//!
//! - [`mobilenet_v2`], [`mcunet()`] (from the published architecture files), [`mcunet_space`] (drawn from its search space), [`gated`] (squeeze-and-excitation), [`wake_word`] (with state) and [`demo`];
//! - [`random_graph`] for property tests, [`random_classifier`] for those of training;
//! - [`Builder`] to make more.
#![forbid(unsafe_code)]

pub mod builder;
mod demo;
mod gated;
pub mod mcunet;
mod mobilenet;
mod random;
mod random_classifier;
mod random_graph;
mod space;
mod wake_word;

pub use builder::{Builder, Node, Precision, Taps};
pub use demo::demo;
pub use gated::gated;
pub use mcunet::{ArchitectureError, mcunet};
pub use mobilenet::mobilenet_v2;
pub use random::Random;
pub use random_classifier::random_classifier;
pub use random_graph::{RandomGraphOptions, random_graph};
pub use space::mcunet_space;
pub use wake_word::wake_word;
