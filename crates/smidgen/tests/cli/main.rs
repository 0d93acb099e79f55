//! The `smidgen` command as its users run it: the real binary in a fresh folder.

mod adapt;
mod adapt_requests;
mod adapt_scheme;
mod adapt_tinytl;
mod boards;
#[allow(dead_code)]
#[path = "../../../smidgen-onnx/tests/common/build.rs"]
mod build;
mod cases_layout;
mod cases_readers;
mod cases_readmes;
mod check;
mod compile;
mod convert;
mod demo_data;
mod diff;
mod doctor;
mod escapes;
mod eval;
mod export;
mod foreign;
mod help;
mod hostile;
mod inspect;
mod layouts;
mod memory;
mod normalise;
mod onnx;
mod outside;
mod plan;
mod quantize;
mod recurrent;
mod recurrent_exports;
mod run;
mod search;
mod shared;
mod simulate;
mod state;
mod support;
mod surroundings;
mod train;
mod verify;
