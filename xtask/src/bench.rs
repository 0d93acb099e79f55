//! `cargo xtask bench NAME`: measurements that take longer than a test may, or that need a set-up of their own.

use crate::{Command, Error, dispatch};

/// Add a bench here.
const BENCHES: &[Command] = &[];

/// Runs one bench, or lists them.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    dispatch("cargo xtask bench", BENCHES, arguments)
}
