//! The library façade and the command line of smidgen.
#![forbid(unsafe_code)]

pub mod data;
pub mod files;
