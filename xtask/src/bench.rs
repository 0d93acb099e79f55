//! `cargo xtask bench NAME`: measurements that take longer than a test may, or that need a set-up of their own.

mod host_speed;
mod planning;

use crate::process::{cargo, check, root};
use crate::{Command, Error, dispatch};
use std::path::PathBuf;

/// Add a bench here.
const BENCHES: &[Command] = &[
    Command {
        name: "host-speed",
        arguments: "",
        summary: "classify CIFAR-10 on the host, beside TensorFlow Lite's default kernels",
        run: host_speed::run,
    },
    Command {
        name: "oracle",
        arguments: "[EXACT [NETWORKS [BUILT]]] [--known FILE]",
        summary: "ask what random networks take, beside exact plans and built firmware: how many a second, how far off",
        run: |arguments| of_crate("smidgen", "oracle", arguments),
    },
    Command {
        name: "planning",
        arguments: "",
        summary: "plan the real models and the published architectures: bytes, bounds, planning times",
        run: planning::run,
    },
    Command {
        name: "spaces",
        arguments: "[small] [DRAWS [FLASH]]",
        summary: "choose the space to search for budgets of SRAM from 16 to 256 KiB",
        run: |arguments| of_crate("smidgen", "spaces", arguments),
    },
    Command {
        name: "supernet",
        arguments: "DATA [OPTIONS]",
        summary: "rank networks by the weights that they share in a supernet, and by training each alone; evolution beside drawing",
        run: |arguments| of_crate("smidgen", "supernet", arguments),
    },
    Command {
        name: "train-speed",
        arguments: "[SECONDS [NETWORK [REPETITIONS [THREADS]]]]",
        summary: "train three networks: processor time an image, beside PyTorch where SMIDGEN_TORCH names a Python that has it",
        run: |arguments| of_crate("smidgen-train", "train_speed", arguments),
    },
];

/// Runs a bench of a crate.
fn of_crate(package: &str, name: &str, arguments: &[String]) -> Result<(), Error> {
    check(cargo(&["bench", "--quiet", "--package", package, "--bench", name, "--"]).args(arguments))
}

/// Runs one bench, or lists them.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    dispatch("cargo xtask bench", BENCHES, arguments)
}

/// The folder with models and data: `SMIDGEN_SHARED`, or `shared` beside the checkout.
pub fn shared() -> Result<PathBuf, Error> {
    let beside = || root().join("../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Error::Failed(format!(
        "{} is not there; set SMIDGEN_SHARED to the folder with models/ and data/",
        folder.display()
    )))
}
