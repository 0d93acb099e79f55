//! Builds firmware for a board, runs it on an emulated core and counts what it does.
//!
//! - [`harness`] puts a generated network into a program of its own, [`build`] compiles and links it, [`session`] runs it on samples.
//! - [`firmware`] gives it memory layout, start-up code and semihosting.
//! - [`library`] builds a static library for C programs.
//! - [`machine`] knows the emulator's memory maps.
//! - [`toolchain`] finds a compiler for the board's core, or says what to install.
//! - [`qemu`] runs an ELF file on the emulated machine with the counting [plug-in](plugin).
//! - [`profile`] turns the counts into instructions for each symbol and step, the executed mix, and an estimate of Cortex-M4
//!   cycles.
//! - [`elf`] reads code and constant sizes from the ELF file.
//! - [`temporary`] says when there is no room for what a run exchanges with the emulator.
//! - [`report`] is all that was found, as JSON, and how two reports are compared.
//! - [`doctor`] looks for what all this needs.
//!
//! Counts are exact and the same every time; only the cycle estimate is a model.
#![forbid(unsafe_code)]

pub mod access;
pub mod build;
mod cache;
pub mod checks;
pub mod doctor;
pub mod elf;
mod error;
pub mod firmware;
pub mod harness;
pub mod library;
pub mod machine;
pub mod mix;
pub mod plugin;
pub mod profile;
pub mod qemu;
pub mod report;
pub mod session;
pub mod temporary;
pub mod toolchain;

pub use cache::LimitError;
pub use error::{Error, no_path};
