//! `cargo xtask bench host-speed`: sets up what `host_speed` of smidgen-exec measures, and runs it.

use super::shared;
use crate::Error;
use crate::process::{cargo, check, root};
use crate::setup::{PYTHON_VARIABLE, reference_python};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the bench.
pub fn run(_: &[String]) -> Result<(), Error> {
    let shared = shared()?;
    let images = unpacked(&shared.join("data/cifar10-images.tar.gz"))?;
    let python = reference_python()?;
    let model = shared.join("models/mlperf-resnet8.tflite");
    check(
        cargo(&["bench", "--quiet", "--package", "smidgen-exec", "--bench", "host_speed", "--"])
            .arg(images)
            .arg(model)
            .env(PYTHON_VARIABLE, python),
    )
}

/// The test images of the archive, unpacked below target/ once.
fn unpacked(archive: &Path) -> Result<PathBuf, Error> {
    let folder = root().join("target/bench-data");
    let images = folder.join("cifar10/test");
    // The stamp is written last, so an interrupted unpacking is never mistaken for a whole one.
    let stamp = folder.join("unpacked");
    if !stamp.exists() {
        let failed = |e: std::io::Error| Error::Failed(format!("cannot write below {}: {e}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        check(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder).arg("cifar10/test"))?;
        std::fs::write(&stamp, []).map_err(failed)?;
    }
    Ok(images)
}
