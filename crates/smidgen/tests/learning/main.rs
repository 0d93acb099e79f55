//! Networks that learn, as generated code: on the host in every way in which it can be called, and the examples on
//! emulated cores. Skipped, with a note, where a tool is missing.

mod examples;
mod host;

use smidgen::Network;
use std::path::Path;
use std::process::Command;

/// Writes a small classifier of int8 as `model.tflite`.
fn classifier(folder: &Path, seed: u64) -> Network {
    let network = Network::from_graph(smidgen_synthetic::random_classifier(seed)).expect("a valid network");
    std::fs::write(folder.join("model.tflite"), network.to_tflite().expect("it can be written")).unwrap();
    network
}

/// Runs a command that must succeed, and gives what it prints.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
