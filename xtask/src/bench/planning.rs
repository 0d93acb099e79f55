//! `cargo xtask bench planning`: runs `planning` of the smidgen crate on the real models and the published architectures.

use super::shared;
use crate::Error;
use crate::process::{cargo, check};

/// Runs the bench.
pub fn run(_: &[String]) -> Result<(), Error> {
    let folder = std::path::absolute(shared()?).map_err(|e| Error::Failed(format!("no current folder: {e}")))?;
    check(cargo(&["bench", "--quiet", "--package", "smidgen", "--bench", "planning", "--"]).arg(folder))
}
