//! Reads and writes TensorFlow Lite files as [`smidgen_ir::Graph`]s.
#![forbid(unsafe_code)]
