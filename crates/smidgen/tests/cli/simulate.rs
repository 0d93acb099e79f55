//! `smidgen simulate` on an emulated Cortex-M7, where a compiler and the emulator are there.

use crate::support::{Folder, TINY, simulates, tiny_golden};
use smidgen::boards::Core;
use std::fs;

/// A float network of 12x12 pictures in three colours, with odd numbers of channels and random weights.
fn colourful() -> String {
    let mut state = 1u32;
    let mut constant = |count: usize| {
        let numbers = (0..count).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("{:?}", (state >> 8) as f32 / 2f32.powi(24) - 0.5)
        });
        format!("[{}]", numbers.collect::<Vec<_>>().join(", "))
    };
    let [stem, spread, narrow, wide, classes] = [7 * 27, 9 * 7, 13 * 7, 10 * 9 * 13, 5 * 10].map(&mut constant);
    format!(
        r#"
graph "colourful"
inputs(%0)
outputs(%10)

%0 "picture" : f32[1x12x12x3]
%1 "stem" : f32[7x3x3x3] = {stem}
%2 "a" : f32[1x6x6x7] = CONV_2D(%0, %1) stride=[2, 2] padding=same activation=relu6
%3 "spread" : f32[1x3x3x7] = {spread}
%4 "b" : f32[1x6x6x7] = DEPTHWISE_CONV_2D(%2, %3) stride=[1, 1] padding=same multiplier=1
%5 "narrow" : f32[13x1x1x7] = {narrow}
%6 "c" : f32[1x6x6x13] = CONV_2D(%4, %5) stride=[1, 1] padding=same
%7 "wide" : f32[10x3x3x13] = {wide}
%8 "d" : f32[1x4x4x10] = CONV_2D(%6, %7) stride=[1, 1] padding=valid activation=relu
%9 "mean" : f32[1x10] = MEAN(%8) axes=[1, 2]
%11 "weights" : f32[5x10] = {classes}
%10 "classes" : f32[1x5] = FULLY_CONNECTED(%9, %11)
"#
    )
}

/// Writes that network and six pictures of two classes.
fn tinted(folder: &Folder) {
    folder.write("float.ir", colourful());
    for (class, tint) in [("a", 40u32), ("b", 170)] {
        fs::create_dir_all(folder.path("set").join(class)).unwrap();
        for i in 0..3u32 {
            let pixel = |x: u32, y: u32| [x * 20 + tint, y * 17 + i * 60, x * y * 5 + tint * i].map(|v| v as u8);
            let picture = image::RgbImage::from_fn(12, 12, |x, y| image::Rgb(pixel(x, y)));
            picture.save(folder.path("set").join(class).join(format!("{i}.png"))).unwrap();
        }
    }
}

/// A network of uint8 as TensorFlow 1 gave them: weights with zero points, inputs joined on scales of their own, an
/// average that rounds half up.
fn of_uint8() -> String {
    let mut state = 5u32;
    let mut constant = |count: usize| {
        let numbers = (0..count).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) % 255) as i32 - 127
        });
        format!("{:?}", numbers.collect::<Vec<_>>())
    };
    let [stem, spread, narrow, wide, spread_again, classes] =
        [7 * 27, 9 * 7, 12 * 7, 5 * 9 * 12, 25 * 12, 10 * 17].map(&mut constant);
    format!(
        r#"
graph "uint8"
inputs(%0)
outputs(%18)

%0 "picture" : u8[1x16x16x3]{{0.0078125; 128}}
%1 "a" : i8[1x16x16x3]{{0.0078125; 0}} = QUANTIZE(%0)
%2 "stem" : i8[7x3x3x3]{{0.02; 9}} = {stem}
%3 "b" : i8[1x8x8x7]{{0.0236; -128}} = CONV_2D(%1, %2) stride=[2, 2] padding=same activation=relu6 uint8=true
%4 "spread" : i8[1x3x3x7]{{0.02; -14}} = {spread}
%5 "c" : i8[1x8x8x7]{{0.05; -100}} = DEPTHWISE_CONV_2D(%3, %4) stride=[1, 1] padding=same multiplier=1 uint8=true
%6 "narrow" : i8[12x1x1x7]{{0.01; 23}} = {narrow}
%7 "d" : i8[1x8x8x12]{{0.1; 3}} = CONV_2D(%5, %6) stride=[1, 1] padding=same uint8=true
%8 "wide" : i8[5x3x3x12]{{0.005; -30}} = {wide}
%9 "e" : i8[1x8x8x5]{{0.2; -7}} = CONV_2D(%7, %8) stride=[1, 1] padding=same uint8=true
%10 "spread again" : i8[1x5x5x12]{{0.01; 5}} = {spread_again}
%11 "f" : i8[1x8x8x12]{{0.3; 20}} = DEPTHWISE_CONV_2D(%7, %10) stride=[1, 1] padding=same multiplier=1 uint8=true
%12 "g" : i8[1x8x8x17]{{0.25; 0}} = CONCATENATION(%9, %11) axis=3 uint8=true
%13 "h" : i8[1x4x4x17]{{0.25; 0}} = AVERAGE_POOL_2D(%12) window=[2, 2] stride=[2, 2] padding=valid uint8=true
%14 "i" : i8[1x1x1x17]{{0.25; 0}} = AVERAGE_POOL_2D(%13) window=[4, 4] stride=[4, 4] padding=valid uint8=true
%15 "j" : i8[1x17]{{0.25; 0}} = RESHAPE(%14) shape=[1, 17]
%16 "classes" : i8[10x17]{{0.01; 40}} = {classes}
%17 "k" : i8[1x10]{{0.5; 0}} = FULLY_CONNECTED(%15, %16)
%18 "l" : u8[1x10]{{0.5; 128}} = QUANTIZE(%17)
"#
    )
}

/// On cores with DSP instructions and without.
#[test]
fn networks_of_uint8_give_the_bytes_of_the_host() {
    for (core, board) in [(Core::CortexM4, "mps2-an386"), (Core::CortexM3, "mps2-an385")] {
        if !simulates(core) {
            continue;
        }
        let folder = Folder::new();
        folder.write("uint8.ir", of_uint8());
        let report = folder.smidgen(&["simulate", "uint8.ir", "--board", board, "--json"]).expect(0).json();
        assert_eq!(report["matches_host"], true, "{report}");
    }
}

/// A folder with a small network, its golden file, and a board; nothing where it cannot be simulated.
fn tiny() -> Option<Folder> {
    if !simulates(Core::CortexM7) {
        return None;
    }
    let folder = Folder::new();
    let golden: Vec<_> = tiny_golden(3);
    let golden: Vec<(&str, _)> = golden.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
    folder.write("tiny.ir", TINY).npz("golden.npz", &golden);
    let board = folder.smidgen(&["boards", "stm32f746", "--toml"]).expect(0).stdout;
    folder.write("large.toml", &board);
    folder.write("small.toml", board.replace("327680", "1000").replace("1048576", "2000"));
    Some(folder)
}

#[test]
fn every_figure_is_there_and_the_outputs_are_right() {
    let Some(folder) = tiny() else { return };
    let run = |more: &[&str]| folder.smidgen(&[&["simulate", "tiny.ir", "--board", "large.toml"], more].concat());
    let first = run(&["--golden", "golden.npz", "--json"]).expect(0);
    let report = first.json();
    assert_eq!((&report["matches_host"], &report["matches_golden"]), (&true.into(), &true.into()), "{report}");
    assert_eq!(report["samples"], 3);
    let n = |path: &str| report.pointer(path).and_then(|v| v.as_u64()).unwrap_or_else(|| panic!("{path}: {report}"));
    assert_eq!(n("/macs"), 16 * 2 * 9 + 96);
    assert!(n("/instructions") >= n("/macs") && n("/least_instructions") <= n("/instructions"));
    assert_eq!(n("/sram/total"), n("/sram/planned") + n("/sram/static") + n("/sram/stack"));
    assert_eq!(n("/sram/planned"), n("/sram/arena") + n("/sram/scratch"));
    assert_eq!(n("/flash/total"), n("/flash/code") + n("/flash/constants"));
    let steps = report["steps"].as_array().unwrap();
    let sum: u64 = steps.iter().map(|s| s["instructions"].as_u64().unwrap()).sum();
    // Of the first sample, of which the total may be a little less than the greatest.
    assert!(sum * 100 > n("/least_instructions") * 95 && sum * 100 < n("/instructions") * 105, "{report}");
    assert_eq!(run(&["--golden", "golden.npz", "--json"]).expect(0).stdout, first.stdout, "the same every time");

    folder.write("a.json", &first.stdout);
    folder
        .smidgen(&["diff", "a.json", "a.json", "--fail-on", "sram=+0,flash=+0,instructions=+0,steps.0.flash=+0"])
        .expect(0);
    let text = run(&["--per-step"]).expect(0).stdout;
    for expected in ["equal", "instructions", "measured", "Steps", "CONV_2D", "FULLY_CONNECTED", "stm32f746"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn streamed_inputs_and_files_are_taken() {
    let Some(folder) = tiny() else { return };
    folder.write("labels.txt", "cat\ndog\nfish\n");
    image::GrayImage::from_pixel(4, 4, image::Luma([77])).save(folder.path("x.png")).unwrap();
    let run = |more: &[&str]| folder.smidgen(&[&["simulate", "tiny.ir", "--board", "large.toml"], more].concat());
    let said = run(&["--stream-input", "--input", "x.png", "--labels", "labels.txt"]).expect(0).stdout;
    let host = folder.smidgen(&["run", "tiny.ir", "--input", "x.png", "--labels", "labels.txt"]).expect(0).stdout;
    let classes = |text: &str| text.lines().filter(|l| l.contains("(stored")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(classes(&said), classes(&host));
    assert_eq!(classes(&said).len(), 3);
    run(&["--input", "x.png", "--golden", "golden.npz"]).expect(2);
}

#[test]
fn a_labelled_set_is_counted_on_the_emulated_core_as_on_the_host() {
    let Some(folder) = tiny() else { return };
    // That network, such that its classes differ in more than a constant.
    let weights: Vec<String> = (0..96).map(|i| ((i * 53 + 17) % 19 - 9).to_string()).collect();
    let varied =
        TINY.replace("splat 3", &format!("[{}]", weights.join(", "))).replace("[100, -5000, 9000]", "[0, 0, 0]");
    folder.write("varied.ir", varied);
    // More than the firmware is given together, and a picture that is none.
    for (c, class) in ["a", "b", "c"].into_iter().enumerate() {
        fs::create_dir_all(folder.path("set").join(class)).unwrap();
        for i in 0..13u32 {
            let pixel = |x: u32, y: u32| image::Luma([(x * 61 + y * 97 * i + c as u32 * 83 + i * 29) as u8]);
            let path = folder.path("set").join(class).join(format!("{i}.png"));
            image::GrayImage::from_fn(4, 4, pixel).save(path).unwrap();
        }
    }
    folder.write("set/b/broken.png", "no picture");
    let on = |command: &[&'static str]| [command, &["--data", "set", "--normalise", "unit"]].concat();
    let simulate = on(&["simulate", "varied.ir", "--board", "large.toml"]);
    let host = folder.smidgen(&on(&["eval", "varied.ir", "--json"])).expect(0).json();
    let report = folder.smidgen(&[&simulate[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&report["matches_host"], &report["samples"]), (&true.into(), &39.into()), "{report}");
    for what in ["samples", "top1", "confusion", "skipped", "classes"] {
        assert_eq!(report["data"][what], host[what], "{what}: {report}");
    }
    assert_eq!(
        (&report["data"]["differing"], report["data"]["skipped"].as_array().unwrap().len()),
        (&[0; 0][..].into(), 1)
    );
    // Not all the same, or nothing would be compared.
    let named = |c: usize| host["confusion"].as_array().unwrap().iter().any(|row| row[c] != 0);
    assert!((0..3).filter(|&c| named(c)).count() > 1, "{host}");

    let told = folder.smidgen(&simulate).expect(0);
    for expected in ["top-1 ", "equal  the emulated", "39 samples", "instructions"] {
        assert!(told.stdout.contains(expected), "{expected}: {}", told.stdout);
    }
    assert!(told.stderr.contains("1 picture of 40 left out"), "{}", told.stderr);
    let few = folder.smidgen(&[&simulate[..], &["--samples", "5", "--json"]].concat()).expect(0).json();
    assert_eq!((&few["samples"], &few["data"]["wanted"]), (&5.into(), &5.into()), "{few}");
    folder.smidgen(&[&simulate[..], &["--strict"]].concat()).expect(4);
    folder.smidgen(&[&simulate[..], &["--golden", "golden.npz"]].concat()).expect(2);
    folder.smidgen(&["simulate", "tiny.ir", "--board", "large.toml", "--samples", "5"]).expect(2);
}

#[test]
fn a_folder_is_benched_and_its_failures_are_listed() {
    let Some(folder) = tiny() else { return };
    fs::create_dir(folder.path("models")).unwrap();
    fs::rename(folder.path("golden.npz"), folder.path("models/one.npz")).unwrap();
    folder.smidgen(&["convert", "tiny.ir", "models/one.tflite"]).expect(0);
    let bench = |more: &[&str]| folder.smidgen(&[&["bench", "--board", "stm32f746"], more].concat());
    let json = bench(&["models", "--golden", "models", "--json"]).expect(0).json();
    assert_eq!(json["models"][0]["matches_golden"], true, "{json}");
    folder.write("bench.json", json.to_string());
    folder.smidgen(&["diff", "bench.json", "bench.json", "--fail-on", "sram=+0,flash.code=+0"]).expect(0);
    folder.write("models/two.tflite", "not a model");
    let said = bench(&["models"]).expect(4).stdout;
    assert!(said.contains("one") && said.contains("two.tflite: "), "{said}");
    let twice = bench(&["models/one.tflite", "models"]).expect(2).stderr;
    assert!(twice.contains("same name"), "{twice}");
    fs::create_dir(folder.path("empty")).unwrap();
    assert!(bench(&["empty"]).expect(2).stderr.contains("no .tflite"));
}

#[test]
fn wrong_outputs_are_found_out() {
    let Some(folder) = tiny() else { return };
    let mut golden = tiny_golden(2);
    golden.iter_mut().find(|(name, _)| name == "output_1_0").unwrap().1.data[0] ^= 1;
    let golden: Vec<(&str, _)> = golden.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
    folder.npz("wrong.npz", &golden);
    let said = folder.smidgen(&["simulate", "tiny.ir", "--board", "large.toml", "--golden", "wrong.npz"]).expect(1);
    assert!(said.stdout.starts_with("different"), "{}", said.stdout);
}

#[test]
fn networks_without_a_step_are_simulated() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = Folder::new();
    let networks = [
        ("through.ir", "graph \"g\"\ninputs(%0)\noutputs(%0)\n\n%0 \"x\" : i8[1x6]{1.0; 0}\n"),
        (
            "renamed.ir",
            "graph \"g\"\ninputs(%0)\noutputs(%1)\n\n%0 \"x\" : f32[1x6]\n%1 \"y\" : f32[2x3] = RESHAPE(%0) shape=[2, 3]\n",
        ),
    ];
    for (name, network) in networks {
        folder.write(name, network);
        folder.smidgen(&["simulate", name, "--board", "mps2-an500"]).expect(0);
    }
}

#[test]
fn what_does_not_fit_says_by_how_much() {
    let Some(folder) = tiny() else { return };
    let stderr = folder.smidgen(&["simulate", "tiny.ir", "--board", "./small.toml"]).expect(5).stderr;
    let flat = stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
    assert!(flat.contains("its SRAM of 1000 bytes is") && flat.contains("its flash of 2000 bytes is"), "{stderr}");
    assert!(flat.contains("smidgen plan") && flat.contains("int4 weights"), "{stderr}");
    folder.smidgen(&["simulate", "tiny.ir", "--board", "stm32f745"]).expect(2);
    folder.smidgen(&["simulate", "tiny.ir"]).expect(2);
}

#[test]
fn weights_of_four_bits_give_the_bytes_of_the_host() {
    // With hand-written inner blocks, and without.
    let narrow = ["mixed", "int4"].map(|weights| (weights, Core::CortexM7, "mps2-an500"));
    let runs = narrow.into_iter().chain([("int4", Core::CortexM0, "microbit")]);
    let runs: Vec<_> = runs.filter(|&(_, core, _)| simulates(core)).collect();
    if runs.is_empty() {
        return;
    }
    let folder = Folder::new();
    tinted(&folder);
    let constants = runs.iter().map(|(weights, _, board)| {
        let quantize: &[&str] = &["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit"];
        let ratio: &[&str] = if *weights == "mixed" { &["--flash-ratio", "0.75"] } else { &[] };
        folder.smidgen(&[quantize, &["--weights", weights], ratio].concat()).expect(0);
        let simulated = ["set/a/1.png", "set/b/2.png"].map(|picture| {
            let simulate = ["simulate", "o.tflite", "--board", board, "--io", "int8", "--input", picture, "--json"];
            let report = folder.smidgen(&simulate).expect(0).json();
            assert_eq!(report["matches_host"], true, "{weights} on {board}: {report}");
            report["flash"]["constants"].as_u64().unwrap()
        });
        simulated[0]
    });
    let constants: Vec<u64> = constants.collect();
    // Parameters of steps included, which differ from core to core.
    assert!(runs.len() < 3 || constants[1] + 100 < constants[0], "{constants:?}");
}

#[test]
fn networks_with_int16_activations_run_on_the_device() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = Folder::new();
    tinted(&folder);
    let runs: [(&[&str], &str, [&str; 2]); 4] = [
        (&["--activations", "int16"], "int8", ["i16", "i16"]),
        (&["--activations", "int16", "--ends", "float32"], "float32", ["f32", "f32"]),
        (&["--activations", "mixed"], "int8", ["i8", "i8"]),
        (&["--wide", "b", "--weights", "int4"], "int8", ["i8", "i8"]),
    ];
    for (options, ends, [input, output]) in runs {
        let quantize: &[&str] = &["quantize", "float.ir", "-o", "o.tflite", "--data", "set", "--normalise", "unit"];
        folder.smidgen(&[quantize, options].concat()).expect(0);
        let told = folder.smidgen(&["inspect", "o.tflite"]).expect(0).stdout;
        assert!(told.contains(&format!("{input} 1x12x12x3")), "{ends}: {told}");
        assert!(told.contains(&format!("{output} 1x5")), "{ends}: {told}");
        let simulate = ["simulate", "o.tflite", "--board", "mps2-an500", "--input", "set/b/2.png", "--json"];
        let report = folder.smidgen(&[&simulate[..], &["--normalise", "unit"]].concat()).expect(0).json();
        assert_eq!(report["matches_host"], true, "{options:?}: {report}");
    }
    // What firmware gets to see: the type of the integers, their scale, and what a pixel becomes.
    folder
        .smidgen(&[
            "quantize",
            "float.ir",
            "-o",
            "o.tflite",
            "--data",
            "set",
            "--normalise",
            "raw",
            "--activations",
            "int16",
        ])
        .expect(0);
    folder.smidgen(&["compile", "o.tflite", "--board", "mps2-an500", "-o", "out", "--emit", "rust,c"]).expect(0);
    let api = fs::read_to_string(folder.path("out/rust/src/lib.rs")).unwrap();
    for part in
        ["pub type Input = [i16; 432];", "INPUT_SCALE: f32 = 0.007782", "pub const fn pixel(value: u8) -> i16 {"]
    {
        assert!(api.contains(part), "{part}: {api}");
    }
    let header = fs::read_to_string(folder.path("out/c/include/o.h")).unwrap();
    for part in ["const int16_t *o_predict(o *model, const int16_t *input)", "int16_t o_pixel(uint8_t value)"] {
        assert!(header.contains(part), "{part}: {header}");
    }
}
