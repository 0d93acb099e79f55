//! Networks that another runtime loads are never called damaged: what is not taken is named, with a cause and a hint, and what is taken gives
//! the runtime's numbers.
//!
//! outside.py draws them from seeds, of several operators each, with LiteRT or ONNX Runtime as the judge of what is a network.
//! `SMIDGEN_CASES=250` asks for as many as a change of a reader should pass, `SMIDGEN_SEED` for others.

use crate::support::{Finished, Folder, finish};
use smidgen_reference::{Lack, PYTHON_VARIABLE, skip};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// Networks of each format.
const COUNT: usize = 60;

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The names of the networks in the folder, and what each is made of.
fn drawn(format: &str, modules: &str, folder: &Folder) -> Option<Vec<(String, String)>> {
    let what = format!("networks from outside ({format})");
    let Some(python) = std::env::var_os(PYTHON_VARIABLE) else {
        skip(Lack::Tool, &what, &format!("{PYTHON_VARIABLE} is not set (`cargo xtask test` sets it)"));
        return None;
    };
    let imports = Command::new(&python).args(["-c", &format!("import {modules}")]).stderr(Stdio::null()).status();
    if !imports.is_ok_and(|status| status.success()) {
        let lack = if modules.contains("onnxruntime") { Lack::Optional } else { Lack::Tool };
        skip(lack, &what, &format!("{} cannot import {modules}", python.to_string_lossy()));
        return None;
    }
    let count = number("SMIDGEN_CASES").unwrap_or(COUNT);
    let seed = number("SMIDGEN_SEED").unwrap_or(1);
    let made = Command::new(python)
        .args(["-c", include_str!("outside.py"), format])
        .arg(folder.path("."))
        .args([count.to_string(), seed.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .expect("Python runs");
    assert!(made.status.success(), "outside.py failed ({})", made.status);
    let lines = String::from_utf8(made.stdout).expect("text");
    let pair = |line: &str| line.split_once('\t').map(|(name, words)| (name.to_string(), words.to_string()));
    let found: Vec<_> = lines.lines().filter_map(pair).collect();
    assert_eq!(found.len(), count);
    Some(found)
}

/// What became of a network; the error says what is wrong with that.
fn judged(folder: &Folder, name: &str) -> Result<&'static str, String> {
    let all = |f: &Finished| format!("exit {:?}\n{}{}", f.code, f.stdout, f.stderr);
    let mut arguments = vec!["check".to_string(), name.into(), "--json".into()];
    let mut checked = finish(&mut folder.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    // Sizes that an ONNX file leaves open are asked for, one input after the other.
    for _ in 0..4 {
        let Some(example) = checked.stderr.split("--shape ").nth(1).filter(|_| checked.code == Some(2)) else { break };
        let (input, sizes) =
            example.split(['`', ' ']).next().and_then(|e| e.split_once('=')).ok_or_else(|| all(&checked))?;
        let sizes: Vec<&str> =
            sizes.split(',').map(|size| if size == "SIZE" || size == "..." { "2" } else { size }).collect();
        arguments.extend(["--shape".into(), format!("{input}={}", sizes.join(","))]);
        checked = finish(&mut folder.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    if checked.stderr.contains("panicked") {
        return Err(all(&checked));
    }
    match checked.code {
        Some(3) => {
            // Obstacles one by one, or an error with its help.
            let listed = serde_json::from_str::<serde_json::Value>(&checked.stdout).ok();
            let obstacles = listed.as_ref().and_then(|json| json["unsupported"].as_array());
            let text = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.len() > 8);
            let complete = match obstacles {
                Some(list) => !list.is_empty() && list.iter().all(|o| text(&o["reason"]) && text(&o["hint"])),
                None => checked.stderr.contains("help: "),
            };
            if complete { Ok("unsupported") } else { Err(all(&checked)) }
        }
        Some(0) => {
            let golden = name.rsplit_once('.').map_or(name, |(seed, _)| seed).to_string() + ".npz";
            if arguments.len() > 3 || !folder.path(&golden).exists() {
                return Ok("accepted");
            }
            let verified = folder.smidgen(&["verify", name, "--golden", &golden]);
            if verified.code == Some(0) { Ok("the same numbers") } else { Err(all(&verified)) }
        }
        _ => Err(all(&checked)),
    }
}

/// Checks networks of a format, at least so many of each thousand unsupported and the same.
fn check(format: &str, modules: &str, least: [usize; 2]) {
    let folder = Folder::new();
    let Some(networks) = drawn(format, modules, &folder) else { return };
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, words) in &networks {
        match judged(&folder, name) {
            Ok(verdict) => *counts.entry(verdict).or_insert(0) += 1,
            Err(what) => wrong.push(format!("{name} ({words}): {what}")),
        }
    }
    println!("{format}: {counts:?} of {}", networks.len());
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), networks.len(), wrong.join("\n"));
    for (verdict, least) in ["unsupported", "the same numbers"].into_iter().zip(least) {
        let count = counts.get(verdict).copied().unwrap_or(0);
        assert!(count * 1000 >= least * networks.len(), "the networks drawn are of one kind: {counts:?}");
    }
}

#[test]
fn networks_that_litert_loads_are_taken_or_named() {
    check("tflite", "ai_edge_litert, flatbuffers, numpy", [300, 20]);
}

#[test]
fn networks_that_onnx_runtime_loads_are_taken_or_named() {
    check("onnx", "onnx, onnxruntime, numpy", [300, 20]);
}
