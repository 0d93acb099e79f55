//! Runs a [`Program`](smidgen_plan::Program) on the host.
#![forbid(unsafe_code)]
