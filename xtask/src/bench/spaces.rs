//! `cargo xtask bench spaces`: runs `spaces` of the smidgen crate.

use crate::Error;
use crate::process::{cargo, check};

/// Runs the bench.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    check(cargo(&["bench", "--quiet", "--package", "smidgen", "--bench", "spaces", "--"]).args(arguments))
}
