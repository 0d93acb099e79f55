//! `smidgen simulate` on an emulated Cortex-M7, where a compiler and the emulator are there.

use crate::support::{Folder, TINY, simulates, tiny_golden};
use smidgen::boards::Core;
use std::fs;

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
fn what_does_not_fit_says_by_how_much() {
    let Some(folder) = tiny() else { return };
    let stderr = folder.smidgen(&["simulate", "tiny.ir", "--board", "./small.toml"]).expect(5).stderr;
    let flat = stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
    assert!(flat.contains("its SRAM of 1000 bytes is") && flat.contains("its flash of 2000 bytes is"), "{stderr}");
    assert!(flat.contains("smidgen plan") && flat.contains("int4 weights"), "{stderr}");
    folder.smidgen(&["simulate", "tiny.ir", "--board", "stm32f745"]).expect(2);
    folder.smidgen(&["simulate", "tiny.ir"]).expect(2);
}
