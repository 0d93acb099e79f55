//! Files that are no model: named, with what makes a model of them; and C arrays, which are read.

use crate::support::{Folder, TINY};
use std::fs;
use std::io::Write;

/// A ZIP archive of files with these names.
fn zip(names: &[&str]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in names {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// What gzip makes of these bytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_kind_of_file_is_named_with_what_converts_it() {
    let folder = Folder::new();
    let tar = [&[b'x'; 257][..], b"ustar\x0000", &[0; 300]].concat();
    let safetensors = [&2u64.to_le_bytes()[..], b"{\"a\":{}}"].concat();
    let kinds: &[(&str, &[u8], &str, &str)] = &[
        ("a.tflite", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS", "git lfs pull"),
        ("a.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS", "git lfs pull"),
        ("page.tflite", b"\n<!DOCTYPE html><html>", "a web page", "raw file"),
        ("page.onnx", b"<html><body>", "a web page", "raw file"),
        ("m.h5", b"\x89HDF\r\n\x1a\n\0\0", "Keras", "from_keras_model"),
        ("m.keras", &zip(&["metadata.json", "config.json", "model.weights.h5"]), "Keras", "from_keras_model"),
        ("m.pt", &zip(&["archive/data.pkl", "archive/version"]), "a PyTorch checkpoint", "torch.onnx.export"),
        ("s.pt", &zip(&["s/data.pkl", "s/code/__torch__.py", "s/constants.pkl"]), "TorchScript", "torch.onnx.export"),
        (
            "old.pth",
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
            "PyTorch checkpoint of the older",
            "torch.onnx.export",
        ),
        ("m.task", &zip(&["face_detector.tflite"]), "models in it", "unzip"),
        ("m.npz", &zip(&["input_0.npy"]), "arrays of NumPy", "--input"),
        ("m.zip", &zip(&["readme.txt"]), "an archive", "unzip"),
        ("cut.zip", b"PK\x03\x04\x14\0", "cut short", "download"),
        ("m.tflite.gz", b"\x1f\x8b\x08\0", "gzip", "download it again"),
        ("m.tar.gz", &gzip(&tar), "tar", "tar xf"),
        ("m.xz", b"\xfd7zXZ\0\0", "xz", "unxz"),
        ("m.bz2", b"BZh91AY", "bzip2", "bunzip2"),
        ("m.tar", &tar, "tar", "tar xf"),
        ("m.espdl", b"EDL2\0\0\0\0", "ESP-DL", "was made from"),
        ("m.mlmodel", b"\x08\x04\x12\x02\x0a\0", "Core ML", "torch.onnx.export"),
        ("m.mlir", b"module {\n  func.func @main() {\n  }\n}", "MLIR", "was made from"),
        ("m.xml", b"<?xml version=\"1.0\"?>\n<net name=\"m\" version=\"11\"><layers>", "OpenVINO", "was made from"),
        ("m.pte", b"\x1c\0\0\0ET12\0\0\0\0", "ExecuTorch", "torch.onnx.export"),
        ("m.kmodel", b"LDMK\x05\0\0\0", "Kendryte", "was made from"),
        ("m.nnb", b"\x01\0\0\0\0\0\0\0", "NNabla", "was made from"),
        ("m.safetensors", &safetensors, "safetensors", "torch.onnx.export"),
        ("frozen.pb", b"\x0a\x1a\x0a\x01x\x12\x0bPlaceholder", "TensorFlow 1", "from_frozen_graph"),
        ("m.pkl", b"\x80\x04\x95.", "pickle", "skl2onnx"),
        ("m.json", b"{\"format\": \"layers-model\", \"modelTopology\": {}}", "TensorFlow.js", "tensorflowjs_converter"),
        ("x.tflite", b"\x89PNG\r\n\x1a\n\0", "a picture", "--input"),
        // The content counts where it contradicts the name.
        ("lies.h5", b"BZh91AY", "bzip2", "bunzip2"),
    ];
    for &(name, bytes, what, advice) in kinds {
        folder.write(name, bytes);
        let code = if ["a web page", "gzip"].contains(&what) { 4 } else { 3 };
        for command in ["check", "inspect", "plan"] {
            let stderr = folder.smidgen(&[command, name]).expect(code).stderr.replace(['\n', '│'], " ");
            let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(what) && words.contains(advice) && words.contains(name), "{name}: {words}");
        }
    }
    // A model that was compressed is taken as it is; what is in it is told as everything else.
    folder.write("page.onnx.gz", gzip(b"<html><body>"));
    assert!(folder.smidgen(&["check", "page.onnx.gz"]).expect(4).stderr.contains("a web page"));
    folder.write("tiny.ir.gz", gzip(TINY.as_bytes()));
    folder.smidgen(&["check", "tiny.ir.gz"]).expect(0);
    // In several parts, and with the zeros that tools for tapes put behind them.
    let (head, tail) = TINY.split_at(100);
    folder.write("parts.ir.gz", [gzip(head.as_bytes()), gzip(tail.as_bytes()), vec![0; 512]].concat());
    folder.smidgen(&["check", "parts.ir.gz"]).expect(0);
    for (name, bytes, code, what) in [
        ("twice.ir.gz", gzip(&gzip(TINY.as_bytes())), 3, "compressed twice"),
        ("more.ir.gz", [gzip(TINY.as_bytes()), b"more".to_vec()].concat(), 4, "with bytes behind the compressed part"),
        ("cut.ir.gz", gzip(TINY.as_bytes())[..60].to_vec(), 4, "damaged or cut short"),
    ] {
        folder.write(name, bytes);
        let stderr = folder.smidgen(&["check", name]).expect(code).stderr.replace(['\n', '│'], " ");
        let words = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(what) && words.contains(name), "{name}: {words}");
        assert_eq!(words.contains("gunzip"), name != "cut.ir.gz", "{words}");
    }
    // So much of nothing compresses to a few kilobytes, and is not unpacked whole.
    folder.write("zeros.tflite.gz", gzip(&vec![0; (1 << 28) + 1]));
    assert!(folder.smidgen(&["check", "zeros.tflite.gz"]).expect(3).stderr.contains("256 MiB"));
    fs::create_dir_all(folder.path("saved/variables")).unwrap();
    folder.write("saved/saved_model.pb", b"\x08\x01\x12\x02\x0a\0");
    fs::create_dir(folder.path("m.mlpackage")).unwrap();
    for (name, what) in
        [("saved", "from_saved_model"), ("saved/saved_model.pb", "from_saved_model"), ("m.mlpackage", "Core ML")]
    {
        let stderr = folder.smidgen(&["check", name]).expect(3).stderr;
        assert!(stderr.contains(what), "{name}: {stderr}");
    }
}

#[test]
fn c_arrays_are_the_models_they_hold() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY).smidgen(&["convert", "tiny.ir", "tiny.tflite"]).expect(0);
    let model = fs::read(folder.path("tiny.tflite")).unwrap();
    let hex: Vec<String> = model.chunks(12).map(|row| row.iter().map(|b| format!("0x{b:02x}, ")).collect()).collect();
    let decimal: Vec<String> = model.iter().map(u8::to_string).collect();
    let sources = [
        (
            "model.cc",
            format!(
                "alignas(16) const unsigned char g_model[] = {{\n{}\n}};\nconst int g_model_len = 1;\n",
                hex.join("\n")
            ),
        ),
        ("model.h", format!("#pragma once\nstatic const uint8_t model[] PROGMEM = {{{}}};", decimal.join(","))),
        (
            "xxd.c",
            format!("unsigned char tiny_tflite[] = {{\n{}}};\nunsigned int tiny_tflite_len = 9;", hex.join("\n")),
        ),
    ];
    let expected = folder.smidgen(&["inspect", "tiny.tflite", "--ir"]).expect(0).stdout;
    for (name, source) in &sources {
        folder.write(name, source).smidgen(&["check", name]).expect(0);
        assert_eq!(folder.smidgen(&["inspect", name, "--ir"]).expect(0).stdout, expected, "{name}");
    }
    // An ONNX file as an array, one that is cut short, and one that is no model.
    let onnx: Vec<String> = include_bytes!("small.onnx").iter().map(u8::to_string).collect();
    folder.write("onnx.h", format!("const unsigned char m[] = {{{}}};", onnx.join(", ")));
    folder.smidgen(&["check", "onnx.h", "--shape", "x=1,3,8,8"]).expect(0);
    folder.write("cut.cc", &sources[0].1[..sources[0].1.len() / 2]);
    assert!(folder.smidgen(&["check", "cut.cc"]).expect(4).stderr.contains("does not end"));
    folder.write("wide.c", "const unsigned char m[] = {1,\n2, 300};");
    assert!(folder.smidgen(&["check", "wide.c"]).expect(4).stderr.contains("line 2: `300` is no byte"));
    folder.write("other.c", "const unsigned char m[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};");
    folder.smidgen(&["check", "other.c"]).expect(4);
}
