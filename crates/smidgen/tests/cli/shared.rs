//! Every real model at hand against its reference outputs.

use crate::support::{Folder, shared};
use smidgen::data::{Archive, npz};
use std::fs;
use std::path::{Path, PathBuf};

/// Models with their golden files.
fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let Some(shared) = shared() else { return Vec::new() };
    let mut models: Vec<PathBuf> = fs::read_dir(shared.join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "tflite"))
        .collect();
    models.sort();
    let golden = |model: &PathBuf| shared.join("golden").join(model.file_stem().unwrap()).with_extension("npz");
    models.into_iter().map(|model| (golden(&model), model)).map(|(golden, model)| (model, golden)).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_model_gives_the_references_bytes() {
    let folder = Folder::new();
    for (model, golden) in pairs() {
        folder.smidgen(&["verify", text(&model), "--golden", text(&golden)]).expect(0);
    }
}

#[test]
fn every_model_is_inspected_and_supported() {
    let folder = Folder::new();
    for (model, _) in pairs() {
        let stdout = folder.smidgen(&["inspect", text(&model)]).expect(0).stdout;
        assert!(stdout.lines().skip(4).all(|line| line.chars().count() <= 100), "{stdout}");
        folder.smidgen(&["check", text(&model)]).expect(0);
    }
}

#[test]
fn a_corrupted_golden_file_is_found_out() {
    let folder = Folder::new();
    for (model, golden) in pairs() {
        let mut archive = Archive::new(fs::read(golden).unwrap()).unwrap();
        let names = archive.names().to_vec();
        let mut arrays: Vec<_> = names.iter().map(|n| (n.clone(), archive.get(n).unwrap().unwrap())).collect();
        let (_, output) = arrays.iter_mut().find(|(name, _)| name == "output_1_0").unwrap();
        // The sign of the last element: far beyond any tolerance, unless it is nearly nothing.
        *output.data.last_mut().unwrap() ^= 0x80;
        folder.write("golden.npz", npz::to_bytes(&arrays));
        let json = folder.smidgen(&["verify", text(&model), "--golden", "golden.npz", "--json"]).expect(1).json();
        assert!(json["first_difference"]["operator"]["name"].is_string(), "{json}");
        assert_eq!(json["first_difference"]["array"], "output_1_0");
    }
}

#[test]
fn clean_up_keeps_the_bytes() {
    let folder = Folder::new();
    for (model, golden) in pairs() {
        folder.smidgen(&["verify", "--clean", text(&model), "--golden", text(&golden)]).expect(0);
        folder.smidgen(&["convert", "--clean", "--io", "int8", text(&model), "out.tflite"]).expect(0);
        folder.smidgen(&["check", "out.tflite"]).expect(0);
        // Real numbers of the golden file are taken to the integer ends and back.
        folder.smidgen(&["verify", "--io", "int8", text(&model), "--golden", text(&golden)]).expect(0);
    }
}

#[test]
fn pictures_are_recognised() {
    let Some(shared) = shared() else { return };
    let folder = Folder::new();
    let best = |model: &str, picture: &str, more: &[&str]| {
        let (model, picture) = (shared.join("models").join(model), shared.join("data/images").join(picture));
        let arguments = [&["run", text(&model), "--input", text(&picture), "--json"], more].concat();
        folder.smidgen(&arguments).expect(0).json()["outputs"][0]["top"][0]["class"].clone()
    };
    let bytes = ["--normalise", "bytes"];
    assert_eq!(best("person-detect.tflite", "person.bmp", &bytes), 1);
    assert_eq!(best("person-detect.tflite", "no_person.bmp", &bytes), 0);
    assert_eq!(best("mcunet-vww.tflite", "person.jpg", &[]), 1);
}

/// Top-1 of the float network on these test pictures, as TensorFlow Lite's float kernels give it.
const RESNET8_FLOAT: f64 = 0.7548;

#[test]
fn resnet8_loses_little_to_int8() {
    let Some(shared) = shared() else { return };
    let folder = Folder::new();
    let (model, data) = (shared.join("models/mlperf-resnet8-float.tflite"), shared.join("data/cifar10-images.tar.gz"));
    let quantise = |out: &str| {
        let arguments = ["quantize", text(&model), "-o", out, "--data", text(&data), "--normalise", "raw"];
        folder.smidgen(&arguments).expect(0);
    };
    quantise("a.tflite");
    quantise("b.tflite");
    assert_eq!(fs::read(folder.path("a.tflite")).unwrap(), fs::read(folder.path("b.tflite")).unwrap());
    // Nothing needs to be said about pixels here: the input's quantisation tells.
    let counted = folder.smidgen(&["eval", "a.tflite", "--data", text(&data), "--json"]).expect(0).json();
    assert_eq!(counted["samples"], 10_000);
    let top1 = counted["top1"].as_f64().unwrap();
    assert!((top1 - RESNET8_FLOAT).abs() <= 0.003, "{top1}");
}

#[test]
fn kws_hears_the_same_words_in_int8() {
    let Some(shared) = shared() else { return };
    let folder = Folder::new();
    let bytes = fs::read(shared.join("golden/mlperf-kws-float.npz")).unwrap();
    let mut golden = Archive::new(bytes).unwrap();
    let twin = smidgen::Network::open(shared.join("models/mlperf-kws.tflite")).unwrap();
    let (model, data) = (shared.join("models/mlperf-kws-float.tflite"), shared.join("golden/mlperf-kws-float.npz"));
    folder
        .smidgen(&["quantize", text(&model), "-o", "kws.tflite", "--data", text(&data), "--ends", "float32"])
        .expect(0);
    let network = smidgen::Network::open(folder.path("kws.tflite")).unwrap();
    let best = |array: &smidgen::Array| smidgen::evaluate::best(&array.to_f64(), 1);
    for k in 0.. {
        let Some(input) = golden.get(&format!("input_{k}")).unwrap() else {
            assert!(k > 0);
            break;
        };
        let expected = best(&golden.get(&format!("output_{k}_0")).unwrap().unwrap());
        assert_eq!(best(&network.run(std::slice::from_ref(&input)).unwrap()[0]), expected, "sample {k}");
        // MLCommons' own int8 network of the same weights, on the same numbers.
        let stored = smidgen::data::adapt(twin.graph(), 0, input, Default::default()).unwrap().0;
        assert_eq!(best(&twin.run(&[stored]).unwrap()[0]), expected, "sample {k}");
    }
}
