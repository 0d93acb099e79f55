//! `smidgen compile`.

use crate::support::{FLOAT, Folder, TINY};
use std::fs;

fn tiny() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY).write("labels.txt", "cat\ndog\nneither\n");
    folder
}

/// Everything under a folder: path and bytes, sorted.
fn contents(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            all.extend(contents(&path).into_iter().map(|(n, bytes)| (format!("{name}/{n}"), bytes)));
        } else {
            all.push((name, fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn the_folder_stands_alone_and_is_the_same_every_time() {
    let folder = tiny();
    let arguments =
        ["compile", "tiny.ir", "--board", "rp2040", "--labels", "labels.txt", "--normalise", "unit", "-o", "out"];
    let said = folder.smidgen(&arguments).expect(0).stdout;
    for expected in ["SRAM", "constants in flash", "Memory map", "Next", "tiny = { path = \"out/rust\" }"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let first = contents(&folder.path("out"));
    let text = |name: &str| {
        let (_, bytes) = first.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name}"));
        String::from_utf8(bytes.clone()).unwrap()
    };
    let api = text("rust/src/lib.rs");
    assert!(api.contains("pub const LABELS: [&str; 3]") && api.contains("(value ^ 0x80) as i8"), "{api}");
    assert!(text("rust/Cargo.toml").contains("kernels") && text("rust/kernels/src/lib.rs").contains("no_std"));
    folder.smidgen(&arguments).expect(0);
    assert_eq!(contents(&folder.path("out")), first);
    assert_eq!(folder.files(), ["labels.txt", "out", "tiny.ir"]);
}

#[test]
fn the_digest_is_that_of_the_plan() {
    let folder = tiny();
    let plan = folder.smidgen(&["plan", "tiny.ir", "--board", "rp2040", "--json"]).expect(0).json();
    let made = folder.smidgen(&["compile", "tiny.ir", "--board", "rp2040", "-o", "out", "--json"]).expect(0).json();
    assert_eq!(plan["digest"], made["digest"]);
    assert_eq!(plan["total_bytes"], made["sram_bytes"]);
    assert!(made["files"].as_array().unwrap().iter().any(|f| f == "rust/src/lib.rs"));
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let folder = tiny();
    folder.write("float.ir", FLOAT);
    let board =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../smidgen-boards/boards/rp2040.toml")).unwrap();
    let [before, after] = board.split_once("[flash]").map(|(a, b)| [a, b]).unwrap();
    let bytes = |text: &str, n: u32| -> String {
        let change = |line: &str| if line.starts_with("bytes") { format!("bytes = {n}") } else { line.to_owned() };
        text.lines().map(change).collect::<Vec<_>>().join("\n") + "\n"
    };
    folder.write("small.toml", format!("{}[flash]{after}", bytes(before, 16)));
    folder.write("flat.toml", format!("{before}[flash]{}", bytes(after, 16)));
    let sram = folder.smidgen(&["compile", "tiny.ir", "--board", "small.toml", "-o", "out"]).expect(5).stdout;
    assert!(sram.contains("SRAM") && sram.contains("Nothing was written"), "{sram}");
    let own = ["tiny.ir", "--board", "mps2-an500", "--sram", "16"];
    let sram = folder.smidgen(&[&["compile"], &own[..], &["-o", "out"]].concat()).expect(5).stdout;
    assert!(sram.contains("--sram allows, 16 bytes") && sram.contains("Nothing was written"), "{sram}");
    let sram = folder.smidgen(&[&["simulate"], &own[..]].concat()).expect(5).stderr;
    assert!(sram.contains("16 are allowed"), "{sram}");
    let flash = folder.smidgen(&["compile", "tiny.ir", "--board", "flat.toml", "-o", "out"]).expect(5).stdout;
    assert!(flash.contains("flash"), "{flash}");
    let labels = ["compile", "float.ir", "--board", "rp2040", "-l", "labels.txt", "-o"];
    folder.write("labels.txt", "one\n");
    folder.smidgen(&[&labels[..], &["out"]].concat()).expect(2);
    assert!(!folder.path("out").exists());

    let taken = folder.smidgen(&["compile", "tiny.ir", "--board", "rp2040", "-o", "."]).expect(2);
    assert!(taken.stderr.contains("not empty"), "{}", taken.stderr);
    folder.smidgen(&["compile", "tiny.ir", "--board", "rp2041", "-o", "out"]).expect(2);
    folder.smidgen(&["compile", "tiny.ir", "--board", "rp2040", "-o", "no/such/out"]).expect(2);
    folder.smidgen(&["compile", "float.ir", "--board", "rp2040", "-o", "out", "--quiet"]).expect(0);
    assert!(folder.path("out/rust/src/constants.bin").exists());
}
