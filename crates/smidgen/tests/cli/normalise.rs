//! What pixels become, pictures that cannot be read, and classes that do not go together: in `eval`, `quantize` and `compile`.

use crate::support::{Folder, TINY};
use serde_json::json;
use std::fs;

/// A float network of coloured 4x4 pictures: three classes by which of the channels, in the units it was trained on, is the greatest.
const COLOURS: &str = r#"
graph "colours"
inputs(%0)
outputs(%4)

%0 "picture" : f32[1x4x4x3]
%1 "mean" : f32[1x3] = MEAN(%0) axes=[1, 2]
%2 "weights" : f32[3x3] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
%3 "bias" : f32[3] = [0.0, 0.0, 0.0]
%4 "classes" : f32[1x3] = FULLY_CONNECTED(%1, %2, %3)
"#;

/// A network of grey pictures that is right if pixels are 0..255: dark below 85, bright above 170.
const RAW: &str = r#"
graph "raw"
inputs(%0)
outputs(%4)

%0 "picture" : f32[1x4x4x1]
%1 "mean" : f32[1x1] = MEAN(%0) axes=[1, 2]
%2 "weights" : f32[3x1] = [0.0, 1.0, 2.0]
%3 "bias" : f32[3] = [0.0, -85.0, -255.0]
%4 "classes" : f32[1x3] = FULLY_CONNECTED(%1, %2, %3)
"#;

/// Pictures of three classes, of one colour each.
fn coloured(folder: &Folder, classes: [(&str, [u8; 3]); 3], each: u32) {
    for (class, colour) in classes {
        fs::create_dir_all(folder.path("set").join(class)).unwrap();
        for i in 0..each {
            let picture = image::RgbImage::from_pixel(4 + i % 3, 4, image::Rgb(colour.map(|c| c - (i % 4) as u8)));
            picture.save(folder.path("set").join(class).join(format!("{i:03}.png"))).unwrap();
        }
    }
}

const GREYS: [(&str, [u8; 3]); 3] = [("a-dark", [20; 3]), ("b-middling", [128; 3]), ("c-bright", [230; 3])];
const REDS: [(&str, [u8; 3]); 3] = [("a", [200, 90, 90]), ("b", [90, 200, 90]), ("c", [90, 90, 200])];

#[test]
fn one_broken_picture_is_left_out_and_counted() {
    let folder = Folder::new();
    coloured(&folder, GREYS, 6);
    folder.write("raw.ir", RAW);
    let good = fs::read(folder.path("set/a-dark/000.png")).unwrap();
    // Cut short, empty, text, and what only begins like a picture.
    folder.write("set/a-dark/100.png", &good[..good.len() / 2]).write("set/b-middling/100.jpg", b"not a picture");
    folder.write("set/b-middling/101.png", b"").write("set/c-bright/100.bmp", b"BM");
    let eval = ["eval", "raw.ir", "--data", "set", "--normalise", "raw"];
    let finished = folder.smidgen(&eval).expect(0);
    assert!(finished.stdout.contains("top-1 100.00 % (18 of 18)"), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("4 pictures of 22 left out") && finished.stderr.contains("--strict"),
        "{}",
        finished.stderr
    );
    let counted = folder.smidgen(&[&eval[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&counted["samples"], counted["skipped"].as_array().unwrap().len()), (&json!(18), 4), "{counted}");
    let quantise = ["quantize", "raw.ir", "-o", "q.tflite", "--data", "set", "--normalise", "raw"];
    let finished = folder.smidgen(&quantise).expect(0);
    assert!(finished.stderr.contains("4 pictures of 22 left out"), "{}", finished.stderr);
    for command in [&eval[..], &quantise] {
        let strict = folder.smidgen(&[command, &["--strict"]].concat());
        assert!(matches!(strict.code, Some(2 | 4)), "{strict:?}");
        assert!(strict.stderr.contains("10"), "the picture is named: {}", strict.stderr);
    }
    // Only broken ones.
    for class in ["a-dark", "b-middling", "c-bright"] {
        for i in 0..6 {
            fs::remove_file(folder.path("set").join(class).join(format!("{i:03}.png"))).unwrap();
        }
    }
    for command in [&eval[..], &quantise] {
        let refused = folder.smidgen(command).expect(2).stderr;
        assert!(refused.contains("none of 4 pictures could be read"), "{refused}");
    }
}

#[test]
fn a_picture_that_may_not_be_read_is_left_out_too() {
    let folder = Folder::new();
    coloured(&folder, GREYS, 3);
    folder.write("raw.ir", RAW);
    // A link to nowhere: for everybody, root included, a file that cannot be opened.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/nowhere/at/all.png", folder.path("set/a-dark/900.png")).unwrap();
        let finished = folder.smidgen(&["eval", "raw.ir", "--data", "set", "--normalise", "raw"]).expect(0);
        assert!(finished.stdout.contains("(9 of 9)"), "{}", finished.stdout);
    }
}

#[test]
fn means_and_deviations_are_those_of_the_named_convention() {
    let folder = Folder::new();
    coloured(&folder, REDS, 2);
    folder.write("colours.ir", COLOURS);
    let scores = |more: &[&str]| {
        let picture = "set/a/000.png";
        let arguments = [&["run", "colours.ir", "-i", picture, "--json"], more].concat();
        let json = folder.smidgen(&arguments).expect(0).json();
        let values = json["outputs"][0]["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
        values.collect::<Vec<f64>>()
    };
    let named = scores(&["--normalise", "imagenet"]);
    let expected = [(200.0 / 255.0 - 0.485) / 0.229, (90.0 / 255.0 - 0.456) / 0.224, (90.0 / 255.0 - 0.406) / 0.225];
    assert!(named.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{named:?}");
    assert_eq!(scores(&["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]), named);
    assert_eq!(scores(&["--normalise", "torch"]), named);
    let whole = scores(&["--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"]);
    assert!(whole.iter().zip(&named).all(|(a, b)| (a - b).abs() < 1e-5), "{whole:?}");
    assert_eq!(scores(&["--mean", "0.5", "--std", "0.5"]), scores(&["--normalise", "symmetric"]));
    let caffe = scores(&["--normalise", "caffe"]);
    assert!(
        caffe.iter().zip([90.0 - 103.939, 90.0 - 116.779, 200.0 - 123.68]).all(|(a, b)| (a - b).abs() < 1e-3),
        "{caffe:?}"
    );
    for (wrong, says) in [
        (&["--mean", "1,2"][..], "2 means"),
        (&["--std", "0"], "a deviation of 0 is not possible"),
        (&["--mean", "nan"], "a mean of NaN is not possible"),
    ] {
        let refused = folder.smidgen(&[&["run", "colours.ir", "-i", "set/a/000.png"], wrong].concat()).expect(2);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    folder.write("raw.ir", RAW);
    let grey =
        folder.smidgen(&["eval", "raw.ir", "--data", "set", "--normalise", "imagenet", "--strict"]).expect(2).stderr;
    assert!(grey.contains("for 3 channels") && grey.contains("has 1"), "{grey}");
}

#[test]
fn results_that_make_no_sense_are_tried_with_other_normalisations() {
    let folder = Folder::new();
    coloured(&folder, GREYS, 12);
    folder.write("raw.ir", RAW);
    let finished = folder.smidgen(&["eval", "raw.ir", "--data", "set"]).expect(0);
    assert!(finished.stdout.contains("top-1 33.33 %"), "{}", finished.stdout);
    assert!(finished.stderr.contains("top-1 is 100.0 % with `--normalise raw`"), "{}", finished.stderr);
    let better =
        &folder.smidgen(&["eval", "raw.ir", "--data", "set", "--json"]).expect(0).json()["better_normalisation"];
    assert_eq!((&better["normalise"], &better["top1"]), (&json!("raw"), &json!(1.0)), "{better}");
    // So does quantize, before anybody compiles what it wrote.
    let told = folder.smidgen(&["quantize", "raw.ir", "-o", "q.tflite", "--data", "set"]).expect(0).stderr;
    assert!(told.contains("with `--normalise raw`"), "{told}");
    // Nothing is tried where the caller has decided, or where results make sense.
    for normalise in ["unit", "raw"] {
        let json =
            folder.smidgen(&["eval", "raw.ir", "--data", "set", "--normalise", normalise, "--json"]).expect(0).json();
        assert_eq!(json["better_normalisation"], json!(null));
    }
}

#[test]
fn quantize_tells_how_often_the_network_was_and_is_right() {
    let folder = Folder::new();
    coloured(&folder, GREYS, 12);
    folder.write("raw.ir", RAW);
    let quantise = ["quantize", "raw.ir", "-o", "q.tflite", "--data", "set", "--normalise", "raw", "--html", "q.html"];
    let told = folder.smidgen(&quantise).expect(0).stdout;
    assert!(told.contains("top-1  100.00 % before, 100.00 % after (36 samples)"), "{told}");
    let json = folder.smidgen(&[&quantise[..], &["--json"]].concat()).expect(0).json();
    assert_eq!(
        json["accuracy"],
        json!({ "float": 1.0, "quantised": 1.0, "samples": 36, "part": null, "calibrated_on_them": true })
    );
    let page = fs::read_to_string(folder.path("q.html")).unwrap();
    assert!(page.contains("before: float") && page.contains("after: quantised"), "the page shows both");
}

#[test]
fn classes_that_do_not_go_with_the_outputs_are_told() {
    let folder = Folder::new();
    coloured(&folder, GREYS, 3);
    fs::rename(folder.path("set/c-bright"), folder.path("c-bright")).unwrap();
    folder.write("raw.ir", RAW);
    let told = folder.smidgen(&["eval", "raw.ir", "--data", "set", "--normalise", "raw"]).expect(0).stderr;
    assert!(told.contains("the data have 2 classes and the network 3 outputs"), "{told}");
    assert!(told.contains("background") && told.contains("--labels"), "{told}");
    folder.write("labels.txt", "a-dark\nb-middling\nc-bright\n");
    let labelled = ["eval", "raw.ir", "--data", "set", "--normalise", "raw", "--labels", "labels.txt"];
    let told = folder.smidgen(&labelled).expect(0).stderr;
    assert!(!told.contains("classes and the network"), "{told}");
}

#[test]
fn firmware_gets_a_function_for_each_channel_where_channels_differ() {
    let folder = Folder::new();
    coloured(&folder, REDS, 8);
    folder.write("colours.ir", COLOURS);
    folder.smidgen(&["quantize", "colours.ir", "-o", "q.tflite", "--data", "set", "--normalise", "imagenet"]).expect(0);
    // The range of the input's quantisation says which convention it was.
    let made = folder.smidgen(&["compile", "q.tflite", "--board", "rp2040", "-o", "out"]).expect(0);
    assert!(made.stdout.contains("imagenet") && !made.stderr.contains("nothing in the model says"), "{}", made.stderr);
    let api = fs::read_to_string(folder.path("out/rust/src/lib.rs")).unwrap();
    assert!(api.contains("pub const fn pixel(channel: usize, value: u8) -> i8"), "{api}");
    // Pictures prepared on the host are the same numbers.
    let json = folder.smidgen(&["eval", "q.tflite", "--data", "set", "--json"]).expect(0).json();
    assert_eq!(json["top1"], 1.0, "{json}");
    let own = [
        "quantize",
        "colours.ir",
        "-o",
        "own.tflite",
        "--data",
        "set",
        "--mean",
        "0.2,0.5,0.7",
        "--std",
        "0.1,0.2,0.4",
    ];
    let told = folder.smidgen(&own).expect(0).stderr;
    assert!(told.contains("give the same to `eval`, `run` and `compile`"), "{told}");
    let one = folder.smidgen(&["compile", "q.tflite", "--board", "rp2040", "-o", "out", "--mean", "0", "--std", "1"]);
    one.expect(0);
    let api = fs::read_to_string(folder.path("out/rust/src/lib.rs")).unwrap();
    assert!(api.contains("pub const fn pixel(value: u8) -> i8"), "{api}");
}

#[test]
fn what_is_no_picture_gets_no_function_for_pixels() {
    let folder = Folder::new();
    let compiled = |text: &str, more: &[&str]| {
        folder.write("net.ir", text);
        folder.smidgen(&[&["compile", "net.ir", "--board", "rp2040", "-o", "out"], more].concat()).expect(0);
        fs::read_to_string(folder.path("out/rust/src/lib.rs")).unwrap()
    };
    assert!(compiled(TINY, &[]).contains("fn pixel("));
    // A spectrogram: as a grey picture, but for the range of its quantisation.
    let sound = TINY.replace("{0.003921569; -128}", "{0.58; 83}");
    assert!(!compiled(&sound, &[]).contains("fn pixel("));
    assert!(compiled(&sound, &["--normalise", "raw"]).contains("fn pixel("));
    for text in [TINY, &sound] {
        let api = compiled(text, &[]);
        for function in ["fn quantise_input(", "fn dequantise_output(", "fn argmax("] {
            assert!(api.contains(function), "{function}");
        }
    }
}
