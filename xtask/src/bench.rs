//! `cargo xtask bench NAME`: measurements that take longer than a test may, or that need a set-up of their own.

mod host_speed;

use crate::{Command, Error, dispatch};

/// Add a bench here.
const BENCHES: &[Command] = &[Command {
    name: "host-speed",
    arguments: "",
    summary: "classify CIFAR-10 on the host, beside TensorFlow Lite's default kernels",
    run: host_speed::run,
}];

/// Runs one bench, or lists them.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    dispatch("cargo xtask bench", BENCHES, arguments)
}
