//! The cases from the field that are about reading files, beyond the commands of their descriptions (`cases_readmes.rs`).
//!
//! The files lie in `../shared/cases`; without them this is skipped.

use crate::support::{Finished, Folder, cases};

/// Runs a command on a case, and gives what it said, its lines joined.
fn said(arguments: &[&str], case: &str, code: i32) -> String {
    let Some(cases) = cases() else { return String::new() };
    let folder = Folder::new();
    let path = cases.join(case);
    let arguments: Vec<&str> =
        arguments.iter().map(|&a| if a == "MODEL" { path.to_str().unwrap() } else { a }).collect();
    let Finished { stdout, stderr, .. } = folder.smidgen(&arguments).expect(code);
    format!("{stdout}{stderr}").split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn sound_files_are_read() {
    for case in [
        "float16_weights/model.tflite",
        "unaligned_zero_point/model.tflite",
        "onnx_order/model.onnx",
        "onnx-external-data-budget/ext256.onnx",
        "onnx-external-data-budget/ext512.onnx",
        "onnx-memory-budget/cSigmoid100.onnx",
        "onnx-memory-budget/cSigmoid150.onnx",
        "onnx-memory-budget/cSigmoid200.onnx",
        "onnx-memory-budget/cSigmoid300.onnx",
    ] {
        let words = said(&["check", "MODEL"], case, 0);
        assert!(words.is_empty() || words.starts_with("supported"), "{case}: {words}");
        said(&["inspect", "MODEL"], case, 0);
        said(&["plan", "MODEL"], case, 0);
    }
}

#[test]
fn dynamic_range_networks_are_quantised_as_float_ones() {
    let Some(cases) = cases() else { return };
    let folder = Folder::new();
    let case = |name: &str| cases.join("hybrid_dense").join(name).to_str().unwrap().to_string();
    let (model, samples) = (case("model.tflite"), case("samples.npz"));
    folder.smidgen(&["quantize", &model, "-o", "out.tflite", "--data", &samples]).expect(0);
    folder.smidgen(&["check", "out.tflite"]).expect(0);
    let ir = folder.smidgen(&["inspect", "out.tflite", "--ir"]).expect(0).stdout;
    assert!(ir.contains("i8[") && ir.contains("FULLY_CONNECTED"), "{ir}");
}

#[test]
fn weights_that_are_missing_or_cut_short_are_named_by_their_file() {
    let Some(cases) = cases() else { return };
    let folder = Folder::new();
    let bytes = |name: &str| std::fs::read(cases.join("onnx-external-data-budget").join(name)).unwrap();
    folder.write("ext256.onnx", bytes("ext256.onnx"));
    let refused = || folder.smidgen(&["check", "ext256.onnx"]).expect(2).stderr;
    let missing = refused();
    assert!(missing.contains("ext256.data") && missing.contains("No such file"), "{missing}");
    folder.write("ext256.data", &bytes("ext256.data")[..1000]);
    let short = refused();
    assert!(short.contains("ext256.data") && short.contains("ends 1000 bytes after byte 0"), "{short}");
    folder.write("ext256.data", bytes("ext256.data"));
    folder.smidgen(&["check", "ext256.onnx"]).expect(0);
}
