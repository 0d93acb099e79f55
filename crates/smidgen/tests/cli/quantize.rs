//! `smidgen quantize` and `smidgen eval`.

use crate::support::{Folder, cases};
use smidgen::data::set::Part;
use smidgen::data::{Array, Dataset, Dtype, Feeder, Fit, Normalisation, Normalise, npz};
use smidgen::ir::ElementType;
use smidgen::{Network, Runner, evaluate};
use std::fs;
use std::sync::atomic::AtomicBool;

/// A float network that tells dark, middling and bright pictures of 4x4 apart: the mean, against two thresholds.
const BRIGHTNESS: &str = r#"
graph "brightness"
inputs(%0)
outputs(%6)

%0 "picture" : f32[1x4x4x1]
%1 "kernel" : f32[1x1x1x1] = [2.0]
%2 "grey" : f32[1x4x4x1] = CONV_2D(%0, %1) stride=[1, 1] padding=same activation=relu
%3 "mean" : f32[1x1] = MEAN(%2) axes=[1, 2]
%4 "weights" : f32[3x1] = [-4.0, 0.0, 4.0]
%5 "bias" : f32[3] = [3.0, 0.5, -5.0]
%6 "classes" : f32[1x3] = FULLY_CONNECTED(%3, %4, %5)
"#;

/// Pictures of three brightnesses, some of them of other sizes than the network's.
fn pictures(folder: &Folder) {
    for (class, level) in [("a-dark", 10u8), ("b-middling", 128), ("c-bright", 250)] {
        fs::create_dir_all(folder.path("set").join(class)).unwrap();
        for i in 0..4u32 {
            let picture = image::GrayImage::from_pixel(4 + 3 * i, 4 + i, image::Luma([level - 5 + i as u8]));
            picture.save(folder.path("set").join(class).join(format!("{i}.png"))).unwrap();
        }
    }
}

#[test]
fn a_network_is_quantised_and_stays_right() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", BRIGHTNESS);
    for method in ["minmax", "mse", "percentile:99", "entropy"] {
        let arguments = ["quantize", "float.ir", "-o", "out.tflite", "--data", "set", "--range", method];
        let told = folder.smidgen(&arguments).expect(0);
        assert!(told.stdout.contains("12 samples") && told.stdout.contains("output 0"), "{}", told.stdout);
        assert!(told.stderr.contains("guess"), "{}", told.stderr);
        let first = fs::read(folder.path("out.tflite")).unwrap();
        folder.smidgen(&arguments).expect(0);
        assert_eq!(fs::read(folder.path("out.tflite")).unwrap(), first, "{method}");
        let counted = folder.smidgen(&["eval", "out.tflite", "--data", "set", "--json"]).expect(0).json();
        assert_eq!(counted["top1"], 1.0, "{method}: {counted}");
        assert_eq!(counted["classes"], serde_json::json!(["a-dark", "b-middling", "c-bright"]));
        assert_eq!(counted["confusion"][1], serde_json::json!([0, 4, 0]));
    }
    assert_eq!(folder.files(), ["float.ir", "out.tflite", "set"], "no temporary file is left");
}

#[test]
fn the_report_and_the_json_name_every_layer() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", BRIGHTNESS);
    let arguments = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit", "--equalise"];
    let more = ["--ends", "float32", "--samples", "5", "--report", "r.html", "--json"];
    let json = folder.smidgen(&[&arguments[..], &more].concat()).expect(0).json();
    let kinds: Vec<&str> = json["layers"].as_array().unwrap().iter().map(|l| l["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["QUANTIZE", "CONV_2D", "MEAN", "FULLY_CONNECTED"]);
    assert_eq!(json["samples"], 5);
    let page = fs::read_to_string(folder.path("r.html")).unwrap();
    assert!(kinds.iter().all(|kind| page.contains(kind)), "{page}");
    // Pixels fill 0..1 whatever the samples hold.
    let network = Network::open(folder.path("o.tflite")).unwrap();
    let first = &network.graph().operators[0];
    assert_eq!(network.graph().tensor(first.outputs[0]).per_tensor(), Some((1.0 / 255.0, -128)));
}

#[test]
fn the_page_tells_accuracy_before_and_after_where_samples_have_labels() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", BRIGHTNESS);
    let page = |data: &str| {
        let arguments =
            ["quantize", "float.ir", "-o", "o.tflite", "--normalise", "unit", "--html", "r.html", "--data", data];
        folder.smidgen(&arguments).expect(0);
        fs::read_to_string(folder.path("r.html")).unwrap()
    };
    let told = page("set");
    assert_eq!(told.matches("<td>100.00 %</td><td>12</td><td>12</td>").count(), 2, "before and after: {told}");
    assert!(
        told.contains("12 samples, taken from all classes in turn (seed 0); ranges were taken from them too"),
        "{told}"
    );
    // Samples of another part flatter nobody: one that is wrong is counted before and after.
    fs::create_dir_all(folder.path("split")).unwrap();
    fs::rename(folder.path("set"), folder.path("split/train")).unwrap();
    for (class, level) in [("a-dark", 250u8), ("b-middling", 128), ("c-bright", 250)] {
        fs::create_dir_all(folder.path("split/test").join(class)).unwrap();
        let picture = image::GrayImage::from_pixel(4, 4, image::Luma([level]));
        picture.save(folder.path("split/test").join(class).join("0.png")).unwrap();
    }
    let told = page("split");
    assert_eq!(told.matches("<td>66.67 %</td><td>2</td><td>3</td>").count(), 2, "{told}");
    assert!(told.contains("of part `test`") && told.contains("ranges were not taken from them"), "{told}");
    // Without labels nothing is said.
    fs::create_dir_all(folder.path("plain")).unwrap();
    fs::copy(folder.path("split/test/a-dark/0.png"), folder.path("plain/0.png")).unwrap();
    assert!(!page("plain").contains("Accuracy"));
}

#[test]
fn what_cannot_be_quantised_is_refused() {
    let folder = Folder::new();
    pictures(&folder);
    fs::create_dir(folder.path("empty")).unwrap();
    folder.write("float.ir", BRIGHTNESS).write("nan.ir", BRIGHTNESS.replace("[2.0]", "[bits7fc00000]"));
    let tried = |model: &str, out: &str, data: &str| folder.smidgen(&["quantize", model, "-o", out, "--data", data]);
    let empty = tried("float.ir", "o.tflite", "empty").expect(2);
    assert!(empty.stderr.contains("holds no pictures"), "{}", empty.stderr);
    let nan = tried("nan.ir", "o.tflite", "set").expect(3);
    assert!(nan.stderr.contains("`kernel` of CONV_2D holds NaN"), "{}", nan.stderr);
    tried("float.ir", "o.onnx", "set").expect(2);
    tried("float.ir", "missing/o.tflite", "set").expect(2);
    folder.write("set/b-middling/broken.jpg", "no picture");
    let strict = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--strict"];
    let broken = folder.smidgen(&strict).expect(4);
    assert!(broken.stderr.contains("broken.jpg"), "{}", broken.stderr);
    fs::remove_file(folder.path("set/b-middling/broken.jpg")).unwrap();
    tried("float.ir", "o.tflite", "set").expect(0);
    let twice = tried("o.tflite", "p.tflite", "set").expect(2);
    assert!(twice.stderr.contains("quantised already"), "{}", twice.stderr);
    assert_eq!(folder.files(), ["empty", "float.ir", "nan.ir", "o.tflite", "set"]);
}

#[test]
fn weights_take_four_bits_where_asked_for() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", BRIGHTNESS);
    let tried = |more: &[&str]| {
        let arguments = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit"];
        folder.smidgen(&[&arguments[..], more].concat())
    };
    let kinds = |json: &serde_json::Value| -> Vec<String> {
        let layers = json["layers"].as_array().unwrap().iter();
        layers.filter_map(|l| l["weights"].as_str().map(str::to_owned)).collect()
    };
    for rounding in ["nearest", "clipped", "compensated"] {
        let json = tried(&["--weights", "int4", "--rounding", rounding, "--json"]).expect(0).json();
        assert_eq!(kinds(&json), ["i4", "i4"], "{rounding}");
        // 1 + 3 weights and 3 biases: the first weight has a byte of its own in any case.
        assert_eq!((json["constant_bytes"].as_u64(), json["int8_constant_bytes"].as_u64()), (Some(15), Some(16)));
        let network = Network::open(folder.path("o.tflite")).unwrap();
        let int4 = network.graph().tensors.iter().filter(|t| t.element() == ElementType::Int4);
        assert_eq!(int4.map(|t| t.bytes()).sum::<usize>(), 3);
        let counted = folder.smidgen(&["eval", "o.tflite", "--data", "set", "--json"]).expect(0).json();
        assert_eq!(counted["top1"], 1.0, "{rounding}: {counted}");
    }
    let told = tried(&["--weights", "mixed", "--flash-ratio", "0.95", "--report", "r.html"]).expect(0);
    assert!(told.stdout.contains("15 bytes") && told.stdout.contains("93.8 % of the 16 bytes"), "{}", told.stdout);
    let page = fs::read_to_string(folder.path("r.html")).unwrap();
    assert!(page.contains("weights of 4 or 8 bits") && page.contains("<td>i4</td>"), "{page}");
    // As near as 4 bits come to the usual 58 %.
    tried(&["--weights", "mixed"]).expect(0);
    let json = tried(&["--weights", "mixed", "--flash-ratio", "1", "--json"]).expect(0).json();
    assert_eq!(kinds(&json), ["i8", "i8"]);
}

#[test]
fn wrong_widths_are_refused() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", BRIGHTNESS);
    let refused = |more: &[&str], what: &str| {
        let arguments = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set"];
        let told = folder.smidgen(&[&arguments[..], more].concat()).expect(2).stderr;
        assert!(told.contains(what), "{told}");
    };
    refused(&["--weights", "int5"], "int8, int4, mixed");
    refused(&["--weights", "mixed", "--flash-ratio", "0"], "above 0, up to 1");
    refused(&["--weights", "mixed", "--flash-ratio", "1.5"], "above 0, up to 1");
    refused(&["--weights", "mixed", "--flash-ratio", "nan"], "above 0, up to 1");
    refused(&["--weights", "int4", "--flash-ratio", "0.7"], "--weights mixed");
    refused(&["--weights", "mixed", "--flash-ratio", "0.5"], "still take 93.8 % of those of int8");
    refused(&["--rounding", "up"], "compensated");
    assert_eq!(folder.files(), ["float.ir", "set"]);
}

#[test]
fn arrays_are_samples_too() {
    let folder = Folder::new();
    let pixels = |level: u8| vec![level; 16];
    let x = Array::new(Dtype::Uint8, &[3, 4, 4], [250, 10, 130].into_iter().flat_map(pixels).collect());
    let y = Array::new(Dtype::Int64, &[3], [2i64, 0, 1].into_iter().flat_map(i64::to_le_bytes).collect());
    folder.npz("set.npz", &[("x_train", x.clone()), ("x_test", x), ("y_test", y)]).write("float.ir", BRIGHTNESS);
    folder.smidgen(&["quantize", "float.ir", "-o", "o.tflite", "--data", "set.npz", "--normalise", "unit"]).expect(0);
    let counted = folder.smidgen(&["eval", "o.tflite", "--data", "set.npz", "--json"]).expect(0).json();
    assert_eq!((counted["top1"].as_f64(), counted["part"].as_str()), (Some(1.0), Some("test")));
    let unlabelled = folder.smidgen(&["eval", "o.tflite", "--data", "set.npz", "--split", "train"]).expect(2);
    assert!(unlabelled.stderr.contains("no labels"), "{}", unlabelled.stderr);
}

#[test]
fn labels_say_which_output_is_which() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", BRIGHTNESS).write("labels.txt", "c-bright\nb-middling\na-dark\n");
    let with = |labels: &str| {
        let arguments = ["eval", "float.ir", "--data", "set", "--normalise", "unit", "--labels", labels, "--json"];
        folder.smidgen(&arguments)
    };
    // The other way round, the darkest and the brightest are taken for each other.
    let counted = with("labels.txt").expect(0).json();
    assert_eq!(counted["confusion"], serde_json::json!([[0, 0, 4], [0, 4, 0], [4, 0, 0]]));
    folder.write("other.txt", "a-dark\nb-middling\n");
    let unknown = with("other.txt").expect(2);
    assert!(unknown.stderr.contains("`c-bright`"), "{}", unknown.stderr);
}

#[test]
fn an_interrupted_evaluation_tells_what_it_has() {
    let folder = Folder::new();
    let x = Array::from_f32(&[2, 4, 4, 1], &[0.5; 32]);
    let y = Array::new(Dtype::Uint8, &[2], vec![0, 1]);
    folder.write("set.npz", npz::to_bytes(&[("x".into(), x), ("y".into(), y)]));
    let network = Network::from_text(BRIGHTNESS).unwrap();
    let runner = Runner::new(&network, &Default::default()).unwrap();
    let set = Dataset::open(&folder.path("set.npz"), &Part::Test).unwrap();
    let feeder = Feeder::new(network.graph(), Normalise::Fixed(Normalisation::Unit), Fit::Stretch);
    let counted = |stop: bool| {
        let stop = AtomicBool::new(stop);
        evaluate(
            network.graph(),
            &runner,
            &set,
            &[0, 1],
            smidgen::evaluate::Protocol { feeder: &feeder, labels: None, strict: false },
            (&|| {}, &stop),
        )
        .unwrap()
    };
    assert_eq!((counted(true).samples, counted(true).stopped), (0, true));
    assert_eq!((counted(false).samples, counted(false).stopped), (2, false));
}

/// Three convolutions in a row of what is bright and dark.
const CHAIN: &str = r#"
graph "chain"
inputs(%0)
outputs(%6)

%0 "picture" : f32[1x4x4x1]
%1 "k1" : f32[2x1x1x1] = [2.0, -0.37]
%2 "first" : f32[1x4x4x2] = CONV_2D(%0, %1) stride=[1, 1] padding=same
%3 "k2" : f32[2x1x1x2] = [1.1, 0.3, -0.7, 2.0]
%4 "second" : f32[1x4x4x2] = CONV_2D(%2, %3) stride=[1, 1] padding=same
%5 "k3" : f32[1x1x1x2] = [0.6, -1.0]
%6 "third" : f32[1x4x4x1] = CONV_2D(%4, %5) stride=[1, 1] padding=same
"#;

#[test]
fn activations_take_sixteen_bits_where_asked_for() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", CHAIN);
    let tried = |more: &[&str]| {
        let arguments = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit"];
        folder.smidgen(&[&arguments[..], more].concat())
    };
    let layers = |json: &serde_json::Value| -> Vec<String> {
        let layers = json["layers"].as_array().unwrap().iter();
        layers.map(|l| format!("{} {}", l["kind"].as_str().unwrap(), l["activation"].as_str().unwrap())).collect()
    };
    let all = tried(&["--activations", "int16", "--report", "r.html", "--json"]).expect(0).json();
    assert_eq!(layers(&all), ["CONV_2D i16"; 3]);
    assert!(all["widened"]["ratio_db"].as_f64() > all["widened"]["int8_ratio_db"].as_f64(), "{all}");
    assert!(["sram_bytes", "int8_sram_bytes"].iter().all(|key| all["widened"][key].as_u64() > Some(0)), "{all}");
    assert!(fs::read_to_string(folder.path("r.html")).unwrap().contains("Quantised to int16"));
    // What was written takes pictures as every other network does.
    let path = folder.path("set/a-dark/1.png");
    let ran = folder.smidgen(&["run", "o.tflite", "--input", path.to_str().unwrap(), "--normalise", "unit"]).expect(0);
    assert!(ran.stdout.contains("third"), "{}", ran.stdout);

    let named = tried(&["--wide", "first", "--json"]).expect(0).json();
    assert_eq!(layers(&named), ["QUANTIZE i16", "CONV_2D i16", "CONV_2D i16", "QUANTIZE i8", "CONV_2D i8"]);
    let told = tried(&["--wide", "first", "--weights", "int4"]).expect(0).stdout;
    assert!(told.contains("int16 in 2 of 3 layers, 2 QUANTIZEs between types"), "{told}");
    let mixed = tried(&["--activations", "mixed", "--json"]).expect(0).json();
    let (reached, wanted) = (&mixed["widened"]["ratio_db"], &mixed["widened"]["target_db"]);
    assert!(reached.as_f64().unwrap() >= wanted.as_f64().unwrap(), "{mixed}");
    assert_eq!(mixed["widened"]["tried"].as_array().unwrap().len(), 2, "{mixed}");
}

#[test]
fn what_cannot_have_sixteen_bits_is_refused() {
    let folder = Folder::new();
    pictures(&folder);
    folder.write("float.ir", CHAIN);
    let refused = |more: &[&str], says: &str| {
        let arguments = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit"];
        let told = folder.smidgen(&[&arguments[..], more].concat()).expect(2);
        assert!(told.stderr.contains(says), "{}", told.stderr);
    };
    refused(&["--activations", "int16", "--weights", "int4"], "weights of 4 bits on int16");
    refused(&["--activations", "int16", "--wide", "first"], "all activations have 16 bits");
    refused(&["--snr", "40"], "--activations mixed");
    refused(&["--activations", "mixed", "--snr", "much"], "a number of decibels");
    refused(&["--activations", "mixed", "--snr", "200"], "with 16 bits for every activation");
    refused(&["--wide", "frist"], "`first`");
    assert_eq!(folder.files(), ["float.ir", "set"]);
}

#[test]
fn what_integers_have_no_form_for_is_named() {
    let folder = Folder::new();
    pictures(&folder);
    let divided = BRIGHTNESS.replace("FULLY_CONNECTED(%3, %4", "FULLY_CONNECTED(%8, %4").replace(
        "%4 \"weights\"",
        "%7 \"root\" : f32[1x1] = SQRT(%3)\n%8 \"ratio\" : f32[1x1] = DIV(%3, %7)\n%4 \"weights\"",
    );
    folder.write("float.ir", divided);
    let arguments = ["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit"];
    let told = folder.smidgen(&arguments).expect(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    // The average is read by these two alone, so that integers would gain nothing.
    assert!(told.contains("on floats, since") && told.contains("MEAN `mean`, SQRT `root`, DIV `ratio`"), "{told}");
    let json = folder.smidgen(&[&arguments[..], &["--json"]].concat()).expect(0).json();
    let named = [("MEAN", "mean"), ("SQRT", "root"), ("DIV", "ratio")];
    let floats = named.map(|(kind, output)| serde_json::json!({ "kind": kind, "output": output }));
    assert_eq!(json["floats"], serde_json::json!(floats));
    folder.smidgen(&["check", "o.tflite"]).expect(0);
}

#[test]
fn cases_from_the_field_are_quantised() {
    let Some(cases) = cases() else { return };
    let folder = Folder::new();
    for (kind, extension) in [("quantise-unquantisable-op", "onnx"), ("quantise-extreme-weights", "ir")] {
        let cases = cases.join(kind);
        let models = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path());
        for model in models.filter(|path| path.extension().is_some_and(|e| e == extension)) {
            let own = model.with_extension("npz");
            let data = if own.exists() { own } else { cases.join("x.npz") };
            let paths = [&model, &data].map(|path| path.to_str().unwrap());
            let told =
                folder.smidgen(&["quantize", paths[0], "-o", "o.tflite", "--data", paths[1], "--json"]).expect(0);
            // None where nothing is lost.
            let worst = told.json()["outputs_db"].as_array().unwrap().iter().filter_map(|db| db.as_f64()).next();
            assert!(worst.is_none_or(|db| db > 25.0), "{}: {worst:?} dB", model.display());
            folder.smidgen(&["check", "o.tflite"]).expect(0);
        }
    }
}
