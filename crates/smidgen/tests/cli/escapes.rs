//! Names, labels and paths that hold control sequences: none of them reaches the terminal.

use crate::support::{FLOAT, Folder, TINY, finish, simulates, tiny_golden};
use smidgen::boards::Core;
use smidgen::data::Array;
use smidgen::ir::Graph;
use smidgen::ir::visible::is_hidden;
use smidgen::{Network, tflite};
use std::fs;

/// Colours, a title, a cleared screen, a forged line, reversed and hidden text, and what ends comments and tags.
const EVIL: &str = "\x1b[35mE\x1b]0;T\x07\u{9b}2J\x08\u{202e}\u{200b}\r\nFAKE\t*/??/\\<script>|`\"";

/// The network with every string of it replaced.
fn tainted(text: &str) -> Graph {
    let network = Network::from_text(text).expect("the test network is valid");
    let mut graph = network.graph().clone();
    graph.name = EVIL.to_owned();
    for (i, tensor) in graph.tensors.iter_mut().enumerate() {
        tensor.name = format!("{EVIL}{i}");
    }
    graph
}

/// What is left of a text without colours and styles other than the name's.
fn without_styles(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        out.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let length = sequence.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(sequence.len());
        let ours = sequence[length..].starts_with('m') && &sequence[..length] != "35";
        if !ours {
            out.push_str("\x1b[");
        }
        rest = if ours { &sequence[length + 1..] } else { sequence };
    }
    out + rest
}

#[track_caller]
fn is_clean(arguments: &[&str], text: &str) {
    let text = without_styles(text);
    if let Some(c) = text.chars().find(|&c| c != '\n' && is_hidden(c)) {
        panic!("{arguments:?} prints {c:?}:\n{text:?}");
    }
    // A table or a box may break a long word anywhere, but not just here in all its places.
    let forged = text.lines().filter(|line| line.starts_with("FAKE")).count();
    assert_eq!(forged, 0, "{arguments:?} prints a forged line:\n{text}");
}

/// Runs a command as on a terminal with colours and looks at all that it prints.
#[track_caller]
fn run(folder: &Folder, arguments: &[&str]) -> crate::support::Finished {
    let finished = finish(folder.command(arguments).env("CLICOLOR_FORCE", "1"));
    is_clean(arguments, &finished.stdout);
    is_clean(arguments, &finished.stderr);
    assert!(matches!(finished.code, Some(0..=5)), "{arguments:?}: {finished:?}");
    finished
}

#[test]
fn no_string_of_a_network_reaches_the_terminal_as_it_is() {
    let folder = Folder::new();
    let (tiny, float) = (tainted(TINY), tainted(FLOAT));
    folder
        .write("m.tflite", tflite::write(&tiny).unwrap())
        .write("m.ir", smidgen::ir::text::print(&tiny))
        .write("f.ir", smidgen::ir::text::print(&float))
        .write("labels.txt", EVIL.replace("\r\n", "").to_owned() + "\n\x1b[35mb\nc\u{9b}\n")
        .npy("x.npy", &Array::from_i8(&[1, 4, 4, 1], &[7; 16]))
        .npy("short.npy", &Array::from_i8(&[1, 4], &[7; 4]));
    let mut golden = tiny_golden(1);
    let arrays: Vec<(&str, Array)> = golden.iter().map(|(n, a)| (n.as_str(), a.clone())).collect();
    folder.npz("right.npz", &arrays);
    golden.iter_mut().for_each(|(_, array)| array.data[0] ^= 1);
    let arrays: Vec<(&str, Array)> = golden.iter().map(|(n, a)| (n.as_str(), a.clone())).collect();
    folder.npz("wrong.npz", &arrays);
    folder.npz("evil.npz", &[(&EVIL.replace(['/', '\\'], ""), Array::from_i8(&[1, 4, 4, 1], &[7; 16]))]);
    folder.npz("data.npz", &[("x", Array::from_f32(&[8, 4], &[0.5; 32]))]);

    for arguments in [
        &["inspect", "m.tflite"][..],
        &["inspect", "-v", "m.ir"],
        &["inspect", "--ir", "m.tflite"],
        &["inspect", "--json", "m.tflite"],
        &["check", "m.tflite"],
        &["check", "--json", "m.ir"],
        &["run", "m.tflite", "--input", "x.npy", "--labels", "labels.txt"],
        &["run", "m.tflite", "--input", "x.npy", "--labels", "labels.txt", "--json"],
        &["run", "m.tflite", "--input", "short.npy"],
        &["run", "m.tflite", "--input", "evil.npz", "--array", "none"],
        &["run", "m.tflite", "--input", "evil.npz", "--array", EVIL],
        &["verify", "-v", "m.ir", "--golden", "right.npz"],
        &["verify", "m.ir", "--golden", "wrong.npz"],
        &["verify", "m.ir", "--golden", "wrong.npz", "--json"],
        &["verify", "m.ir", "--golden", "evil.npz"],
        &["convert", "m.ir", "o.tflite", "--clean"],
        &["plan", "m.tflite", "--board", "rp2040", "--html", "plan.html"],
        &["plan", "m.tflite", "--board", "rp2040", "--json"],
        &["plan", "m.tflite", "--board", EVIL],
        &["compile", "m.tflite", "--board", "rp2040", "-o", "out", "--labels", "labels.txt"],
        &["compile", "m.tflite", "--board", "rp2040", "-o", "out", "--name", EVIL, "--json"],
        &["quantize", "f.ir", "-o", "q.tflite", "--data", "data.npz", "--html", "q.html", "-v"],
        &["quantize", "f.ir", "-o", "q.tflite", "--data", "data.npz", "--json"],
        &["quantize", "f.ir", "-o", "q.tflite", "--data", "data.npz", "--wide", EVIL],
        &["quantize", "m.ir", "-o", "q.tflite", "--data", "data.npz"],
        &["eval", "f.ir", "--data", "data.npz"],
        &["eval", "f.ir", "--data", EVIL],
        &["inspect", EVIL],
        &["inspect", "--shape", EVIL, "m.tflite"],
        &[EVIL],
    ] {
        run(&folder, arguments);
    }
    // JSON is exact for whoever parses it.
    let told = run(&folder, &["inspect", "--json", "m.tflite"]).json();
    assert_eq!(told["inputs"][0]["name"], format!("{EVIL}0"));
    let printed = run(&folder, &["inspect", "--ir", "m.tflite"]).stdout;
    assert_eq!(Network::from_text(&printed).unwrap().graph().tensors[0].name, format!("{EVIL}0"));

    for report in ["plan.html", "q.html"] {
        let page = fs::read_to_string(folder.path(report)).unwrap();
        let foreign = page.chars().find(|&c| c != '\n' && is_hidden(c));
        assert!(foreign.is_none() && !page.contains("<script>|"), "{report}: {foreign:?}");
    }
}

#[test]
fn folders_boards_and_reports_with_such_names_are_shown_escaped() {
    let folder = Folder::new();
    let file = format!("{}.tflite", EVIL.replace('/', ""));
    let class = EVIL.replace('/', "");
    folder.write(&file, tflite::write(&tainted(TINY)).unwrap()).write("t.ir", TINY).write("bad\x1b[35m\n.ir", "graph");
    for class in [class.as_str(), "b", "c"] {
        fs::create_dir_all(folder.path("set").join(class)).unwrap();
        let picture = image::GrayImage::from_pixel(4, 4, image::Luma([90]));
        picture.save(folder.path("set").join(class).join(format!("p{}.png", '\u{9b}'))).unwrap();
    }
    fs::create_dir_all(folder.path("none").join(&class)).unwrap();
    folder.write("none/x\x1b[35m\nFAKE.txt", "x");
    let toml = folder.smidgen(&["boards", "rp2040", "--toml"]).expect(0).stdout;
    let titled = toml.replace("title = \"", "title = \"\\u001b[35m\\nFAKE\\u009b");
    folder.write("evil.toml", titled).write("broken.toml", toml.replace("core = \"", "core = \"\\u001b[35m"));
    let report = |n: u32| {
        let model = serde_json::json!({ "model": EVIL, "instructions": n, "sram": { "total": 1 } });
        serde_json::json!({ "schema": "smidgen.simulation/1", "models": [model] }).to_string()
    };
    folder.write("a.json", report(1)).write("b.json", report(2)).write("c.json", "{\x1b[35m");
    for arguments in [
        &["inspect", &file][..],
        &["check", &file],
        &["inspect", "bad\x1b[35m\n.ir"],
        &["inspect", "missing\x1b[35m\nFAKE.tflite"],
        &["eval", "t.ir", "--data", "set"],
        &["eval", "t.ir", "--data", "set", "--json"],
        &["eval", "t.ir", "--data", "none"],
        &["boards", "evil.toml"],
        &["boards", "evil.toml", "--json"],
        &["boards", "broken.toml"],
        &["plan", &file, "--board", "evil.toml"],
        &["compile", &file, "--board", "evil.toml", "-o", "out"],
        &["compile", &file, "--board", "evil.toml", "-o", "o\x1b[35m\nFAKE"],
        &["compile", &file, "--board", "evil.toml", "-o", "set"],
        &["convert", &file, "o\x1b[35m\nFAKE.tflite"],
        &["convert", &file, "no/o\x1b[35m\nFAKE.tflite"],
        &["diff", "a.json", "b.json"],
        &["diff", "a.json", "b.json", "--json"],
        &["diff", "a.json", "c.json"],
        &["diff", "a.json", "b.json", "--fail-on", EVIL],
        &["doctor", "-v"],
    ] {
        run(&folder, arguments);
    }
    if simulates(Core::CortexM7) {
        run(&folder, &["simulate", &file, "--board", "mps2-an500", "-v", "--per-step"]);
        run(&folder, &["bench", &file, "--board", "mps2-an500", "-v"]);
    }
}

#[test]
fn generated_code_is_not_broken_out_of() {
    let folder = Folder::new();
    folder.write("m.tflite", tflite::write(&tainted(TINY)).unwrap()).write("labels.txt", "a*/\u{202e}\nb\x1b\"\nc\\");
    let compile = ["compile", "m.tflite", "--board", "rp2040", "-o", "out", "--labels", "labels.txt"];
    run(&folder, &compile).expect(0);
    let mut folders = vec![folder.path("out/rust/src")];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let foreign = text.chars().find(|&c| c != '\n' && is_hidden(c));
                assert!(foreign.is_none() && !text.contains("<script"), "{}: {foreign:?}", path.display());
            }
        }
    }
}
