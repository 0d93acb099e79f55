//! The cases from the field that are about reading files: the commands of their READMEs, and what is said to be right.
//!
//! The files lie in `../shared/cases`; without them this is skipped.

use crate::support::{Finished, Folder};
use std::path::{Path, PathBuf};

/// The folder of cases; `None`, said aloud, where there is none.
fn cases() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or(beside, PathBuf::from).join("cases");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no cases in {}", folder.display());
    None
}

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
fn what_is_unsupported_is_one_line_for_each_cause() {
    let cases: [(&str, &[&str]); 10] = [
        ("dilated_keras/model.tflite", &["a dilated convolution in three operators", "zeros between the weights"]),
        (
            "hybrid_dense/model.tflite",
            &[
                "dynamic-range quantisation",
                "representative data set is missing",
                "`smidgen quantize --data` takes this file",
            ],
        ),
        ("shape_of_static/model.tflite", &["shapes and parameters computed by operators", "`tf.shape`"]),
        (
            "streaming_state/model.tflite",
            &["state that is kept between calls", "ASSIGN_VARIABLE", "an input and an output"],
        ),
        ("uint8_ends/model.tflite", &["inputs or outputs of uint8", "inference_input_type = tf.int8"]),
        ("uint8_weights/model.tflite", &["weights of uint8, the quantisation of TensorFlow 1"]),
        ("variable_tensor/model.tflite", &["SVDF", "keeps its state between calls"]),
        ("onnx_recurrent/gru.onnx", &["a recurrent layer", "\"GRU\""]),
        ("onnx_recurrent/lstm.onnx", &["a recurrent layer", "\"LSTM\""]),
        ("foreign_files/model_data.cc", &["inputs or outputs of uint8"]),
    ];
    for (case, expected) in cases {
        // A table breaks what is long; JSON does not.
        let words = said(&["check", "MODEL"], case, 3) + &said(&["check", "MODEL", "--json"], case, 3);
        for part in expected.iter().chain(&["1 obstacle"]).filter(|_| !words.is_empty()) {
            assert!(words.contains(part), "{case} lacks {part:?}: {words}");
        }
        assert!(!words.contains("freeze") && !words.contains("fixed input shape"), "{case}: {words}");
    }
    let length = "open_length/model.tflite";
    let words = said(&["check", "MODEL"], length, 3) + &said(&["check", "MODEL", "--json"], length, 3);
    for part in ["2 obstacles", "TensorFlow's control flow", "WHILE", "its shape is open"] {
        assert!(words.is_empty() || words.contains(part), "{words}");
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
fn foreign_files_are_named_with_what_converts_them() {
    for (file, what, advice) in [
        ("lfs.tflite", "a pointer of Git LFS", "git lfs pull"),
        ("model.h5", "Keras", "TFLiteConverter"),
        ("model.keras", "Keras", "TFLiteConverter"),
        ("weights.pt", "PyTorch", "torch.onnx.export"),
        ("model.tflite.gz", "compressed", "gunzip"),
        ("model.espdl", "ESP-DL", "was made from"),
    ] {
        let words = said(&["check", "MODEL"], &format!("foreign_files/{file}"), 3);
        assert!(words.is_empty() || words.contains(what) && words.contains(advice), "{file}: {words}");
    }
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
