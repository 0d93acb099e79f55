//! Recurrent networks that Keras and PyTorch export give their runtimes' numbers over 100 steps, and are quantised.
//!
//! `SMIDGEN_TENSORFLOW` names a Python that has TensorFlow (with tf_keras), `SMIDGEN_TORCH` one with PyTorch, onnx and ONNX Runtime.

use crate::support::Folder;
use smidgen_reference::{Lack, skip};
use std::process::{Command, Stdio};

/// What recurrent_exports.py made: the name of each file, and its kind.
fn exported(flavour: &str, variable: &str, folder: &Folder) -> Option<Vec<(String, String)>> {
    let Some(python) = std::env::var_os(variable) else {
        skip(Lack::Optional, &format!("recurrent networks of {flavour}"), &format!("{variable} names no Python"));
        return None;
    };
    folder.write("exports.py", include_str!("recurrent_exports.py"));
    let made = Command::new(python)
        .arg(folder.path("exports.py"))
        .arg(flavour)
        .arg(folder.path("."))
        .stderr(Stdio::inherit())
        .output()
        .expect("Python runs");
    assert!(made.status.success(), "recurrent_exports.py failed ({})", made.status);
    let text = String::from_utf8(made.stdout).expect("text");
    let file = |line: &str| {
        let mut words = line.strip_prefix("made\t")?.split('\t').map(str::to_owned);
        Some((words.next()?, words.next()?))
    };
    let found: Vec<_> = text.lines().filter_map(file).collect();
    // Some conversions to int8 end TensorFlow's process; floats all convert.
    assert!(found.iter().filter(|(_, kind)| kind == "float").count() == 7, "{text}");
    println!("{text}");
    Some(found)
}

fn agree(flavour: &str, variable: &str) {
    let folder = Folder::new();
    let Some(files) = exported(flavour, variable, &folder) else { return };
    for (file, kind) in files {
        if kind != "float" && file.starts_with("both") {
            // TensorFlow's converter contradicts itself there.
            let said = folder.smidgen(&["check", &file]).expect(3).stdout;
            assert!(said.contains("contradict each other"), "{said}");
            continue;
        }
        let golden = format!("{file}.npz");
        // In steps of the output, of which there are 256.
        let tolerance = if kind == "fine" { "12" } else { "0" };
        let said = folder.smidgen(&["verify", &file, "--golden", &golden, "--tolerance", tolerance]).expect(0).stdout;
        assert!(said.contains("compared 20 samples"), "{file}: {said}");
        assert!(kind != "int8" || said.contains("to the byte"), "{file}: {said}");
        if kind == "float" {
            let said = folder.smidgen(&["quantize", &file, "-o", "q.ir", "--data", "x.npz"]).expect(0).stdout;
            let ratio = said.lines().find_map(|line| line.strip_prefix("output 0")?.trim().strip_suffix(" dB"));
            let ratio: f64 = ratio.expect("a ratio").parse().expect("a number");
            assert!(ratio > 25.0, "{file}: {said}");
            folder.smidgen(&["plan", "q.ir", "--board", "stm32f746"]).expect(0);
        }
    }
}

#[test]
fn of_keras() {
    agree("keras", "SMIDGEN_TENSORFLOW");
}

#[test]
fn of_the_keras_before() {
    agree("keras2", "SMIDGEN_TENSORFLOW");
}

#[test]
fn of_pytorch() {
    agree("torch", "SMIDGEN_TORCH");
}
