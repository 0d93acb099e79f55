//! Deep learning on microcontrollers: the library behind the `smidgen` command.
//!
//! A [`Network`] is read from a TensorFlow Lite or ONNX file, or a C array of one, checked, and can then be changed, counted ([`Network::cost`]) and run
//! ([`Network::run`]). Its bytes are those of TensorFlow Lite's reference kernels, which [`verify()`] checks against a file of
//! reference outputs. [`data`] brings arrays and pictures to what a network takes.
//!
//! From a model to firmware leads one chain, each link of which holds all that those before it have found: a [`Network`] is
//! [planned](Network::plan) for a [`Target`], the [`Planned`] network [compiled](Planned::compile), the [`Compiled`] one
//! [simulated](Compiled::simulate) on an emulated core. The commands read options, follow it, and print.
//!
//! ```no_run
//! use smidgen::{Network, Session, Target, boards, codegen, data};
//! use std::path::Path;
//!
//! let mut network = Network::open("person-detect.tflite")?;
//! network.canonicalise()?;
//! let planned = network.plan(&Target::on(&boards::find("stm32f412")?))?;
//! println!("{} bytes of SRAM, fits: {}", planned.plan.report.total_bytes, planned.fit().fits());
//! let compiled = planned.compile(codegen::Options { name: "person".into(), ..Default::default() })?;
//! data::write_folder(Path::new("firmware"), &compiled.rust)?;
//! let sample = vec![data::Array::from_i8(&[1, 96, 96, 1], &[0; 9216])];
//! let simulated = compiled.simulate(&Session::default(), &[sample])?;
//! println!("{} instructions", simulated.report.instructions);
//! # Ok::<(), smidgen::Error>(())
//! ```
//!
//! The parts behind this façade are crates of their own, re-exported as [`ir`], [`tflite`],
//! [`data`], [`quant`], [`training`], [`searching`], [`adapting`], [`lowering`], [`program`], [`plan`], [`certificate`], [`codegen`], [`exec`], [`boards`], [`sim`] and [`report`].
//!
//! Without the feature `cli` (on by default) the crate is the library alone.
#![forbid(unsafe_code)]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod adapt;
pub mod c_array;
pub mod compile;
pub mod error;
pub mod evaluate;
pub mod fit;
pub mod foreign;
pub mod network;
pub mod planning;
pub mod scope;
pub mod search;
pub mod simulate;
pub mod train;
pub mod verify;

pub use adapt::Adaptation;
pub use compile::Compiled;
pub use error::{Error, ErrorKind};
pub use evaluate::{Evaluation, evaluate};
pub use network::{Network, Runner};
pub use planning::{Planned, Target};
pub use simulate::{Session, Simulated};
pub use smidgen_adapt as adapting;
pub use smidgen_boards as boards;
pub use smidgen_certify as certificate;
pub use smidgen_codegen as codegen;
pub use smidgen_data as data;
pub use smidgen_data::{Array, Dtype, files};
pub use smidgen_exec as exec;
pub use smidgen_ir as ir;
pub use smidgen_lower as lowering;
pub use smidgen_lower::{LowerOptions, Reference};
pub use smidgen_onnx as onnx;
pub use smidgen_plan as plan;
pub use smidgen_program as program;
pub use smidgen_quant as quant;
pub use smidgen_report as report;
pub use smidgen_search as searching;
pub use smidgen_sim as sim;
pub use smidgen_tflite as tflite;
pub use smidgen_train as training;
pub use verify::verify;
