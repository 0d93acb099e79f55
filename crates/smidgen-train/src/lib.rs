//! Trains smidgen's networks on the host, in f32.
//!
//! A [`Net`] is built layer by layer ([`Builder`]); a [`Trainer`] holds its parameters and takes steps over
//! [batches](Batch):
//!
//! ```
//! use smidgen_train::{Activation, Builder, ConvLayer, Samples, Settings, Trainer};
//!
//! let mut b = Builder::new(&[8, 8, 3]);
//! let stem = b.conv("stem", b.input(), 8, ConvLayer::new(3, 2, Activation::Relu6))?;
//! let pooled = b.global_pool("pool", stem)?;
//! let logits = b.fully_connected("classifier", pooled, 2, Activation::None)?;
//! let net = b.build(logits)?;
//!
//! let (images, labels) = (vec![0.5; 4 * 8 * 8 * 3], [0, 1, 0, 1]);
//! let mut trainer = Trainer::new(net, Settings { batch: 4, ..Settings::default() }, 1)?;
//! for step in 0..10 {
//!     let batch = Samples::new(trainer.net(), &images, &labels)?;
//!     let report = trainer.step(&batch, step as f64 / 10.0)?;
//!     assert!(report.loss.is_finite());
//! }
//! # Ok::<(), smidgen_train::TrainError>(())
//! ```
//!
//! The invariant that matters: *results are equal to the bit* for any number of threads, and on every processor with a
//! fused multiply-add (AVX-512, AVX2, NEON) as well as in plain Rust. Sums have one order, vectors have sixteen lanes
//! everywhere, and nothing calls the platform's mathematical functions.
//!
//! What makes it fast: normalisation and activation are never passes of their own (`net`), windows are multiplied where
//! they lie (`simd`), a batch is cut into shards that threads take forward and backward without waiting for each other
//! (`trainer`), and buffers are allocated once (`worker`, `plan`).
#![deny(unsafe_code)]

mod architectures;
mod batch;
mod builder;
mod checkpoint;
mod conv;
mod error;
mod geometry;
mod graph;
mod init;
mod loss;
mod net;
mod netaug;
mod pass;
mod plain;
mod plan;
mod quantised;
mod random;
mod schedule;
mod settings;
mod share;
#[allow(unsafe_code)]
mod simd;
mod single;
mod torch;
mod trainer;
mod worker;

pub use architectures::{Architecture, Block, network_of_blocks, network_with_spares, scaled};
pub use batch::{Batch, Samples};
pub use builder::{Addend, Builder, ConvLayer, Value};
pub use error::TrainError;
pub use graph::Import;
pub use loss::Loss;
pub use net::{Activation, Net, Parameter, Role};
pub use netaug::NetAug;
pub use random::Random;
pub use schedule::Schedule;
pub use settings::{Optimiser, Settings};
pub use share::{ChannelOrder, Share};
pub use simd::Isa;
pub use single::{Convolution, Windows};
pub use torch::{Torch, TorchTensor};
pub use trainer::{Report, Trainer};
