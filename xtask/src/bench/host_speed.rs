//! `cargo xtask bench host-speed`: sets up what `host_speed` of smidgen-exec measures, and runs it.

use super::shared;
use crate::Error;
use crate::process::{cargo, check, root};
use crate::setup::{PYTHON_VARIABLE, reference_python};
use std::path::{Path, PathBuf};

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
        let unreadable = |e: std::io::Error| Error::Failed(format!("cannot unpack {}: {e}", archive.display()));
        let file = std::fs::File::open(archive).map_err(unreadable)?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
        for entry in archive.entries().map_err(unreadable)? {
            let mut entry = entry.map_err(unreadable)?;
            if entry.path().map_err(unreadable)?.starts_with("cifar10/test") {
                entry.unpack_in(&folder).map_err(unreadable)?;
            }
        }
        std::fs::write(&stamp, []).map_err(failed)?;
    }
    Ok(images)
}
