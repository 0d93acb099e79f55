//! The networks in zoo/: what their cards say is measured again.
//!
//! Accuracy where the data are at hand (those that are drawn always are), memory and multiply-accumulates always, exact
//! counts where the compiler is the one of the card. `SMIDGEN_BLESS=1` writes what was measured into the cards.

use serde_json::Value;
use smidgen_reference::{Lack, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a card says, in its order.
const FIGURES: [&str; 5] = ["macs", "arena_bytes", "constants_bytes", "modelled_instructions", "test_samples"];
/// What is counted on the emulated core.
const COUNTED: [&str; 3] = ["sram_bytes", "flash_bytes", "instructions"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn smidgen(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_smidgen")).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
}

/// The networks, with their cards.
fn networks() -> Vec<(PathBuf, toml::Table)> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("zoo"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let card = |folder: PathBuf| {
        let text = fs::read_to_string(folder.join("card.toml")).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        (folder, text.parse().unwrap())
    };
    folders.into_iter().map(card).collect()
}

fn text<'a>(card: &'a toml::Table, key: &str) -> &'a str {
    card.get(key).and_then(toml::Value::as_str).unwrap_or_else(|| panic!("a card without `{key}`: {card}"))
}

/// The labelled set of a card, if it is at hand.
fn data(card: &toml::Table, folder: &Path) -> Option<String> {
    if let Some(drawn) = card.get("draw").and_then(toml::Value::as_str) {
        let arguments: Vec<&str> = drawn.split_whitespace().collect();
        smidgen(folder, &[&["demo-data", "set"], &arguments[..], &["--json"]].concat());
        return Some("set".into());
    }
    let shared = std::env::var_os("SMIDGEN_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = shared.join("data").join(text(card, "data_file"));
    path.exists().then(|| path.canonicalize().unwrap().to_str().unwrap().to_owned())
}

#[test]
fn cards_are_true() {
    let bless = std::env::var_os("SMIDGEN_BLESS").is_some();
    let all = networks();
    assert!(all.len() > 1, "{all:?}");
    let mut bytes = 0;
    for (folder, mut card) in all {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let model = folder.join("network.tflite").canonicalize().unwrap();
        bytes += fs::metadata(&model).unwrap().len();
        let model = model.to_str().unwrap();
        let board = text(&card, "board").to_owned();
        let work = tempfile::tempdir().unwrap();
        let mut measured = toml::Table::new();
        let mut put = |key: &str, value: &Value| {
            let number = value.as_i64().map(toml::Value::Integer).or(value.as_f64().map(toml::Value::Float));
            measured.insert(key.to_owned(), number.unwrap_or_else(|| panic!("{name}: no {key}")));
        };
        let plan = smidgen(work.path(), &["plan", model, "--board", &board, "--json"]);
        put("arena_bytes", &plan["total_bytes"]);
        put("modelled_instructions", &plan["modelled_instructions"]);
        put("constants_bytes", &plan["constants_bytes"]);
        put("macs", &smidgen(work.path(), &["inspect", model, "--json"])["macs"]);
        match data(&card, work.path()) {
            Some(data) => {
                let eval = smidgen(work.path(), &["eval", model, "--data", &data, "--json"]);
                put("int8_accuracy", &eval["top1"]);
                put("test_samples", &eval["samples"]);
            }
            None => skip(Lack::Optional, &name, "its data are not at hand: accuracy is not measured again"),
        }
        let core = smidgen::boards::find(&board).unwrap().core;
        if smidgen::sim::doctor::examine(core).simulates() {
            let counted = smidgen(work.path(), &["simulate", model, "--board", &board, "--json"]);
            let compiler =
                counted["versions"]["rustc"].as_str().unwrap().split(' ').take(2).collect::<Vec<_>>().join(" ");
            assert_eq!(counted["matches_host"], true, "{name}");
            if bless || card.get("compiler").and_then(toml::Value::as_str) == Some(&compiler) {
                put("sram_bytes", &counted["sram"]["total"]);
                put("flash_bytes", &counted["flash"]["total"]);
                put("instructions", &counted["instructions"]);
                measured.insert("compiler".into(), compiler.into());
            }
        } else {
            skip(Lack::Tool, &name, "nothing is counted on an emulated core");
        }
        if bless {
            card.extend(measured);
            fs::write(folder.join("card.toml"), card.to_string()).unwrap();
            continue;
        }
        for (key, value) in &measured {
            let said = card.get(key).unwrap_or_else(|| panic!("the card of {name} does not say `{key}`"));
            match (said.as_float(), value.as_float()) {
                (Some(said), Some(value)) => assert!((said - value).abs() < 1e-9, "{name}: {key}"),
                _ => assert_eq!(said, value, "{name}: {key}"),
            }
        }
        for key in FIGURES.iter().chain(&COUNTED).chain(&["int8_accuracy", "float_accuracy", "seed"]) {
            assert!(card.contains_key(*key), "the card of {name} does not say `{key}`");
        }
        assert!(text(&card, "command").starts_with("smidgen search "), "{name}");
        let readme = fs::read_to_string(root().join("zoo/README.md")).unwrap();
        assert!(readme.contains(&format!("({name}/card.toml)")), "zoo/README.md does not name {name}");
    }
    assert!(bytes < 2 << 20, "the zoo has {bytes} bytes");
}
