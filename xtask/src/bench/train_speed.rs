//! `cargo xtask bench train-speed`: runs `train_speed` of smidgen-train.

use crate::Error;
use crate::process::{cargo, check};

/// Runs the bench.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    let bench = ["bench", "--quiet", "--package", "smidgen-train", "--bench", "train_speed", "--"];
    check(cargo(&bench).args(arguments))
}
