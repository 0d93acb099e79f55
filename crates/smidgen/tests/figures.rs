//! Instructions, SRAM and flash of the networks at hand on emulated cores, compared exactly with what was reviewed, so that no
//! change makes them worse unseen.
//!
//! The reviewed figures lie in `tests/figures/BOARD/COMPILER-LINKER.json`: another compiler gives other counts. Where there is no file
//! for the one at hand the test says so, and everything else is still checked: output bytes, stack, what must not be in the firmware.
//! `SMIDGEN_BLESS=1` writes the files.

use serde_json::{Map, Value, json};
use smidgen::boards;
use smidgen::sim::{doctor, report};
use smidgen_reference::{Lack, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Real networks, if there are any, and where their golden files are.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or(beside, PathBuf::from);
    folder.join("models").is_dir().then_some(folder)
}

/// What is compared for each network.
const FIGURES: [&str; 5] = ["instructions", "least_instructions", "macs", "sram", "flash"];

/// Benches the project's own networks, and those of `only` (all for an empty list) of the real ones, on a board.
fn bench(board: &str, only: &[&str]) {
    let core = boards::find(board).unwrap().core;
    let findings = doctor::examine(core);
    if !findings.simulates() {
        skip(Lack::Tool, board, &findings.advice().join(" "));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut models = Vec::new();
    let own = [("zoo-demo", smidgen_synthetic::demo(2026)), ("zoo-gated", smidgen_synthetic::gated(32, 3, 2026))];
    for (name, graph) in own.into_iter().filter(|_| only.is_empty()) {
        let path = folder.path().join(name).with_extension("tflite");
        fs::write(&path, smidgen::tflite::write(&graph).unwrap()).unwrap();
        models.push(path);
    }
    let golden = match shared() {
        Some(shared) => {
            let all = fs::read_dir(shared.join("models")).unwrap().flatten().map(|entry| entry.path());
            let mut found: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|e| e == "tflite")).collect();
            found
                .retain(|path| only.is_empty() || only.iter().any(|o| path.file_stem().is_some_and(|stem| stem == *o)));
            found.sort();
            models.extend(found);
            shared.join("golden")
        }
        None => {
            skip(Lack::Optional, board, "no real models: only the project's own networks are benched");
            folder.path().to_owned()
        }
    };
    if models.is_empty() {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_smidgen"))
        .args(["bench", "--json", "--io", "int8", "--board", board, "--golden"])
        .arg(golden)
        .args(&models)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!(report["failed"], json!([]), "{board}: {said}");
    let networks = report["models"].as_array().unwrap();
    assert_eq!(networks.len(), models.len());
    networks.iter().for_each(|network| sound(board, network));
    compare(board, networks);
}

/// What holds for every network, whatever the compiler.
fn sound(board: &str, network: &Value) {
    let name = network["model"].as_str().unwrap();
    let at = format!("{name} on {board}: {network}");
    assert_eq!(network["matches_host"], true, "{at}");
    assert_ne!(network["matches_golden"], false, "{at}");
    let n = |path: &str| network.pointer(path).and_then(Value::as_u64).unwrap();
    assert!(n("/sram/stack") < 1024, "{at}");
    assert!(n("/sram/total") < n("/sram/planned") + 1500, "{at}");
    assert_eq!(network["checks"]["heap"], json!([]), "{at}");
    if !name.contains("float") && !name.contains("zoo") {
        // The planner trades memory for instructions by its model of them on this core.
        let steps = network["steps"].as_array().unwrap();
        let modelled: u64 = steps.iter().map(|step| step["modelled_instructions"].as_u64().unwrap()).sum();
        let share = modelled as f64 / n("/instructions") as f64;
        assert!((0.92..1.08).contains(&share), "{name}: {modelled} modelled, {} measured", n("/instructions"));
    }
    if !name.contains("float") {
        assert_eq!(network["checks"]["panics"], json!([]), "{at}");
        assert_eq!(network["checks"]["floats"], json!([]), "{at}");
    }
}

/// Compares with the reviewed figures for this compiler and linker, or writes them.
fn compare(board: &str, networks: &[Value]) {
    // `rustc 1.95.0 (...)` and `LLD 22.1.2 (...)` or `GNU ld (...) 2.40`.
    let versions = &networks[0]["versions"];
    let word = |field: &str, i: usize| versions[field].as_str().unwrap().split(' ').nth(i).unwrap_or("").to_owned();
    let linker = versions["linker"].as_str().unwrap();
    let linker = if linker.starts_with("LLD") { "lld" } else { "gnu" };
    let key = format!("rustc-{}-{linker}", word("rustc", 1));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/figures").join(board).join(format!("{key}.json"));
    let name = |value: &Value| value["model"].as_str().unwrap_or_default().to_owned();
    let mut now: Vec<Value> = networks.iter().map(figures).collect();
    now.sort_by_key(name);
    let known: Vec<Value> = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str::<Value>(&text).unwrap()["models"].as_array().unwrap().clone(),
        Err(_) => Vec::new(),
    };
    if std::env::var_os("SMIDGEN_BLESS").is_some() {
        // Networks that are not at hand now keep their figures.
        let mut all: Vec<Value> = known.into_iter().filter(|k| !now.iter().any(|n| name(n) == name(k))).collect();
        all.extend(now);
        all.sort_by_key(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("{:#}\n", json!({ "models": all }))).unwrap();
        return;
    }
    if known.is_empty() {
        let why = format!("no reviewed figures with {key}: SMIDGEN_BLESS=1 writes {}", path.display());
        skip(Lack::Optional, board, &why);
        return;
    }
    let known: Vec<Value> = known.into_iter().filter(|k| now.iter().any(|n| name(n) == name(k))).collect();
    if known != now {
        let limits: Vec<report::Limit> = ["instructions", "sram", "sram.stack", "flash.code", "flash.constants"]
            .iter()
            .map(|figure| format!("{figure}=+0").parse().unwrap())
            .collect();
        let diff = report::compare(&json!({ "models": known }), &json!({ "models": now }), &limits, &[]).unwrap();
        panic!(
            "{board}, {key}: figures differ. If that is meant, SMIDGEN_BLESS=1 writes them anew.\n{}",
            diff.markdown()
        );
    }
}

fn figures(network: &Value) -> Value {
    let mut kept = Map::from_iter([("model".to_owned(), network["model"].clone())]);
    kept.extend(FIGURES.iter().map(|&field| (field.to_owned(), network[field].clone())));
    Value::Object(kept)
}

/// Networks that every core runs.
const SMALL: [&str; 2] = ["mlperf-kws", "mlperf-ad"];

#[test]
fn cortex_m7() {
    bench("mps2-an500", &[]);
}

#[test]
fn cortex_m4() {
    bench("mps2-an386", &[]);
}

#[test]
fn cortex_m0() {
    bench("rp2040", &SMALL);
}

#[test]
fn cortex_m3() {
    bench("mps2-an385", &SMALL);
}

#[test]
fn cortex_m33() {
    bench("mps2-an505", &SMALL);
}

#[test]
fn cortex_m55() {
    bench("mps3-an547", &SMALL);
}

#[test]
fn riscv() {
    bench("riscv32-virt", &SMALL);
}

/// A network of what works element by element, with floats in between and at an end.
const ELEMENTWISE: &str = r#"
graph "micro"
inputs(%0)
outputs(%12, %13, %14, %16, %18, %20)

%0 "x" : i8[1x16x16x8]{0.02; -3}
%1 "mul" : i8[1x16x16x8]{0.01; 4} = MUL(%0, %0)
%2 "row" : i8[1x1x1x8]{0.02; 1} = [1, 2, 3, 4, 5, -6, 7, 8]
%3 "badd" : i8[1x16x16x8]{0.03; 2} = ADD(%1, %2)
%4 "bmul" : i8[1x16x16x8]{0.03; 2} = MUL(%3, %2)
%5 "relu" : i8[1x16x16x8]{0.02; 2} = LEAKY_RELU(%4) alpha=0.1
%6 "pool" : i8[1x8x8x8]{0.02; 2} = MAX_POOL_2D(%5) window=[2, 2] stride=[2, 2] padding=valid
%7 "apool" : i8[1x8x8x8]{0.02; 2} = AVERAGE_POOL_2D(%5) window=[2, 2] stride=[2, 2] padding=valid
%8 "add" : i8[1x8x8x8]{0.04; 2} = ADD(%6, %7)
%9 "sub" : i8[1x8x8x8]{0.04; 2} = SUB(%8, %7)
%10 "max" : i8[1x8x8x8]{0.04; 2} = MAXIMUM(%8, %9)
%11 "cat" : i8[1x8x8x16]{0.04; 2} = CONCATENATION(%10, %9) axis=3
%12 "up" : i8[1x16x16x16]{0.04; 2} = RESIZE_NEAREST_NEIGHBOR(%11) output=[16, 16]
%13 "bi" : i8[1x16x16x16]{0.04; 2} = RESIZE_BILINEAR(%11) output=[16, 16] half_pixel_centers=true
%14 "deq" : f32[1x8x8x16] = DEQUANTIZE(%11)
%15 "soft" : i8[1x8x8x16]{0.00390625; -128} = SOFTMAX(%11) beta=1.0
%16 "mean" : i8[1x1x1x16]{0.04; 2} = MEAN(%15) axes=[1, 2] keep_dims=true
%17 "q" : i8[1x8x8x16]{0.05; 2} = QUANTIZE(%14)
%18 "tr" : i8[1x16x8x8]{0.05; 2} = TRANSPOSE(%17) perm=[0, 3, 1, 2]
%19 "chan" : i8[1x16x1x1]{0.04; 2} = RESHAPE(%16) shape=[1, 16, 1, 1]
%20 "bmul2" : i8[1x16x8x8]{0.05; 2} = MUL(%18, %19)
"#;

/// Pools of several sizes.
const POOLS: &str = r#"
graph "pools"
inputs(%0)
outputs(%1, %2, %3, %4, %5, %6)

%0 "x" : i8[1x16x16x16]{0.02; -3}
%1 "max2" : i8[1x8x8x16]{0.02; -3} = MAX_POOL_2D(%0) window=[2, 2] stride=[2, 2] padding=valid
%2 "max3" : i8[1x8x8x16]{0.02; -3} = MAX_POOL_2D(%0) window=[3, 3] stride=[2, 2] padding=same
%3 "max8" : i8[1x2x2x16]{0.02; -3} = MAX_POOL_2D(%0) window=[8, 8] stride=[8, 8] padding=valid
%4 "mean2" : i8[1x8x8x16]{0.02; -3} = AVERAGE_POOL_2D(%0) window=[2, 2] stride=[2, 2] padding=valid
%5 "mean5" : i8[1x12x12x16]{0.02; -3} = AVERAGE_POOL_2D(%0) window=[5, 5] stride=[1, 1] padding=valid
%6 "mean8" : i8[1x2x2x16]{0.02; -3} = AVERAGE_POOL_2D(%0) window=[8, 8] stride=[8, 8] padding=valid
"#;

/// Measures networks on an emulated Cortex-M7 and holds the model to it.
fn holds(path: &Path, arguments: &[&str], most: f64) {
    let output = Command::new(env!("CARGO_BIN_EXE_smidgen"))
        .args(["simulate", "--json", "--board", "mps2-an500"])
        .arg(path)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let of = |step: &Value, field: &str| step[field].as_u64().unwrap();
    let steps = report["steps"].as_array().unwrap();
    let sum = |field: &str| steps.iter().map(|step| of(step, field)).sum::<u64>() as f64;
    let share = sum("modelled_instructions") / sum("instructions");
    let name = path.file_name().unwrap().to_string_lossy();
    println!("{name}: {share:.3} of what is measured");
    assert!((share - 1.0).abs() < most, "{name}: {share}");
    // What takes a hundredth of the time or more is not far off by itself.
    for step in steps.iter().filter(|step| of(step, "instructions") as f64 > sum("instructions") / 100.0) {
        let share = of(step, "modelled_instructions") as f64 / of(step, "instructions") as f64;
        assert!((share - 1.0).abs() < 0.2, "{name}, {}: {share}", step["name"]);
    }
    assert_eq!(report["matches_host"], true);
}

#[test]
fn the_model_holds_for_int4_weights_float_ends_floats_and_elementwise_operators() {
    let core = boards::find("mps2-an500").unwrap().core;
    let findings = doctor::examine(core);
    if !findings.simulates() {
        println!("skipped: {}", findings.advice().join(" "));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elementwise.ir");
    fs::write(&path, ELEMENTWISE).unwrap();
    holds(&path, &[], 0.05);
    let path = folder.path().join("pools.ir");
    fs::write(&path, POOLS).unwrap();
    holds(&path, &[], 0.1);
    let Some(shared) = shared() else {
        println!("no real models: int4 weights and floats are not measured");
        return;
    };
    for name in ["mlperf-resnet8-float", "mlperf-kws-float"] {
        let model = shared.join("models").join(name).with_extension("tflite");
        holds(&model, &[], 0.03);
        // The golden file's input serves as data: what the weights are does not count.
        let mut golden =
            smidgen::data::Archive::new(fs::read(shared.join("golden").join(name).with_extension("npz")).unwrap())
                .unwrap();
        let input = golden.get("input_0").unwrap().expect("golden files have their inputs");
        let data = folder.path().join("data.npz");
        fs::write(&data, smidgen::data::npz::to_bytes(&[("x".to_owned(), input)])).unwrap();
        for (weights, arguments) in
            [("int8", &[][..]), ("int4", &["--weights", "int4"]), ("mixed", &["--weights", "mixed"])]
        {
            let made = folder.path().join(format!("{name}-{weights}.tflite"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen"));
            command.arg("quantize").arg(&model).arg("--data").arg(&data).arg("-o").arg(&made).args(arguments);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            // Float ends are there unless they are cut.
            holds(&made, &[], 0.03);
        }
    }
}
