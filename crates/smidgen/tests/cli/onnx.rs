//! ONNX files, which every command takes as it takes the others.

use crate::support::{Folder, simulates};
use smidgen::boards::Core;
use std::fs;

/// Conv, Relu, GlobalAveragePool, Flatten and Gemm on an image `batch x 3 x height x width`.
const SMALL: &[u8] = include_bytes!("small.onnx");

const SHAPE: [&str; 2] = ["--shape", "x=1,3,8,8"];

fn folder() -> Folder {
    let folder = Folder::new();
    fs::write(folder.path("small.onnx"), SMALL).unwrap();
    folder
}

#[test]
fn open_sizes_are_asked_for_and_taken() {
    let folder = folder();
    let said = folder.smidgen(&["inspect", "small.onnx"]).expect(2).stderr;
    assert!(said.contains("batchx3xheightxwidth") && said.contains("--shape x=1,3,SIZE,SIZE"), "{said}");
    let said = folder.smidgen(&[&["inspect", "small.onnx"][..], &SHAPE].concat()).expect(0).stdout;
    assert!(said.contains("f32 1x8x8x3  (the file's 1x3x8x8, with the channels last)"), "{said}");
    assert!(said.contains("CONV_2D") && !said.contains("TRANSPOSE") && !said.contains("RELU"), "{said}");
    let said = folder.smidgen(&["check", "small.onnx", "--shape", "x=1,8,8"]).expect(2).stderr;
    assert!(said.contains("does not suit input \"x\""), "{said}");
    folder.smidgen(&["check", "small.onnx", "--shape", "x=8x8"]).expect(2);
    let said = folder.smidgen(&[&["inspect", "small.onnx", "--json"][..], &SHAPE].concat()).expect(0).json();
    assert_eq!(said["layouts"]["inputs"][0]["axes"], serde_json::json!([0, 2, 3, 1]));
}

#[test]
fn what_is_converted_is_the_same_network() {
    let folder = folder();
    folder.smidgen(&[&["convert", "small.onnx", "small.tflite"][..], &SHAPE].concat()).expect(0);
    let text = |arguments: &[&str]| folder.smidgen(&[&["inspect", "--json"], arguments].concat()).expect(0).json();
    // The format has no such padding for a convolution: the file has a PAD, which cleaning up folds again.
    let (onnx, tflite) = (text(&["small.onnx", SHAPE[0], SHAPE[1]]), text(&["small.tflite", "--clean"]));
    assert_eq!((&onnx["macs"], &onnx["output_bytes"]), (&tflite["macs"], &tflite["output_bytes"]));
    let said = folder.smidgen(&["inspect", "small.tflite", SHAPE[0], SHAPE[1]]).expect(2).stderr;
    assert!(said.contains("not ONNX"), "{said}");
}

#[test]
fn damaged_files_and_the_list_of_operators() {
    let folder = folder();
    fs::write(folder.path("cut.onnx"), &SMALL[..300]).unwrap();
    let said = folder.smidgen(&["inspect", "cut.onnx"]).expect(4).stderr;
    assert!(said.contains("the file is damaged"), "{said}");
    let said = folder.smidgen(&["ops", "--format", "onnx"]).expect(0).stdout;
    assert!(said.contains("ConvTranspose") && !said.contains("CONV_2D"), "{said}");
}

/// A network with every kind of layer in QDQ form, and one whose HardSwish is not between DequantizeLinear and QuantizeLinear; both
/// made by `quantised.py --save`, beside the tests of the reader.
const QUANTISED: [(&str, &[u8]); 2] =
    [("small-qdq.onnx", include_bytes!("small-qdq.onnx")), ("branches-qdq.onnx", include_bytes!("branches-qdq.onnx"))];

fn quantised() -> Folder {
    let folder = Folder::new();
    for (name, bytes) in QUANTISED {
        fs::write(folder.path(name), bytes).unwrap();
    }
    folder
}

#[test]
fn networks_in_qdq_form_are_integer_networks() {
    let folder = quantised();
    let said = folder.smidgen(&["inspect", "small-qdq.onnx", "--io", "int8", "--json"]).expect(0).json();
    for operator in said["operators"].as_array().unwrap() {
        assert_eq!(operator["outputs"][0]["type"], "i8", "{operator}");
    }
    let plain = folder.smidgen(&["check", "small-qdq.onnx"]).expect(0).stdout;
    assert!(!plain.contains("note"), "{plain}");
    let said = folder.smidgen(&["check", "branches-qdq.onnx"]).expect(0).stdout;
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("HardSwish") && told.contains("its output does not go into QuantizeLinear alone"), "{said}");
    let json = folder.smidgen(&["check", "branches-qdq.onnx", "--json"]).expect(0).json();
    assert_eq!(json["notes"].as_array().unwrap().len(), 2, "{json}");
    let said = folder.smidgen(&["inspect", "branches-qdq.onnx"]).expect(0).stdout;
    assert!(said.contains("note: operator"), "{said}");
    // What is written is an int8 network like any other.
    folder.smidgen(&["convert", "small-qdq.onnx", "--io", "int8", "small.tflite"]).expect(0);
    let text = |model: &str| folder.smidgen(&["inspect", "--json", "--clean", "--io", "int8", model]).expect(0).json();
    assert_eq!(text("small-qdq.onnx")["macs"], text("small.tflite")["macs"]);
}

#[test]
fn networks_in_qdq_form_are_planned_compiled_and_simulated() {
    let folder = quantised();
    for (name, _) in QUANTISED {
        folder.smidgen(&["plan", name, "--board", "stm32f746"]).expect(0);
        folder.smidgen(&["compile", name, "--board", "stm32f746", "--emit", "rust", "-o", "firmware"]).expect(0);
        fs::remove_dir_all(folder.path("firmware")).unwrap();
        if simulates(Core::CortexM7) {
            let said = folder.smidgen(&["simulate", name, "--board", "stm32f746", "--json"]).expect(0).json();
            assert_eq!(said["matches_host"], true, "{name}: {said}");
        }
    }
}
