//! `smidgen convert`.

use crate::support::{Folder, TINY};
use std::fs;

/// A float picture quantised, padded, convolved and dequantised.
const PADDED: &str = r#"
graph "padded"
inputs(%0)
outputs(%6)

%0 "picture" : f32[1x4x4x1]
%1 "q" : i8[1x4x4x1]{0.1; 3} = QUANTIZE(%0)
%2 "padded" : i8[1x6x6x1]{0.1; 3} = PAD(%1) pads=[[0, 0], [1, 1], [1, 1], [0, 0]]
%3 "kernel" : i8[1x3x3x1]{0.02; 0} = [1, -2, 3, -4, 50, -6, 7, -8, 9]
%4 "bias" : i32[1]{0.002; 0} = [100]
%5 "conv" : i8[1x4x4x1]{0.2; -3} = CONV_2D(%2, %3, %4) stride=[1, 1] padding=valid
%6 "out" : f32[1x4x4x1] = DEQUANTIZE(%5)
"#;

#[test]
fn what_is_written_reads_back_and_is_the_same_each_time() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    let said = folder.smidgen(&["convert", "tiny.ir", "a.tflite"]).expect(0).stdout;
    assert!(said.starts_with("a.tflite: 3 operators, "), "{said}");
    folder.smidgen(&["convert", "a.tflite", "b.tflite", "--quiet"]).expect(0);
    assert_eq!(fs::read(folder.path("a.tflite")).unwrap(), fs::read(folder.path("b.tflite")).unwrap());
    assert_eq!(folder.smidgen(&["check", "a.tflite"]).expect(0).stdout, "supported  a.tflite\n");
    // A file may be replaced by itself.
    folder.smidgen(&["convert", "a.tflite", "a.tflite"]).expect(0);
    assert_eq!(folder.files(), ["a.tflite", "b.tflite", "tiny.ir"]);
}

#[test]
fn clean_up_and_integer_ends_are_for_the_asking() {
    let folder = Folder::new();
    folder.write("padded.ir", PADDED);
    let operators = |arguments: &[&str]| {
        folder.smidgen(&[&["convert", "padded.ir", "out.tflite"], arguments].concat()).expect(0);
        let json = folder.smidgen(&["inspect", "out.tflite", "--json"]).expect(0).json();
        let names = json["operators"].as_array().unwrap().iter().map(|o| o["operator"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(operators(&[]), ["QUANTIZE", "PAD", "CONV_2D", "DEQUANTIZE"]);
    assert_eq!(operators(&["--clean"]), ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]);
    assert_eq!(operators(&["--clean", "--io", "int8"]), ["CONV_2D"]);
}

#[test]
fn only_tensorflow_lite_files_are_written() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    for name in ["out.onnx", "out", "."] {
        assert!(folder.smidgen(&["convert", "tiny.ir", name]).expect(2).stderr.contains(".tflite"));
    }
    folder.smidgen(&["convert", "tiny.ir", "no/such/out.tflite"]).expect(2);
    assert_eq!(folder.files(), ["tiny.ir"]);
}
