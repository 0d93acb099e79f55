//! docs/glossary.md against the code: none of the names that went is left in public items or file names.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Each crate with a name that went there, from the last column of the table.
fn gone() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let cell = |line: &str| line.trim_end_matches(" |").rsplit('|').next().unwrap_or_default().to_owned();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2).map(cell);
    let spans = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    spans.map(|span| span.split_once("::").map(|(a, b)| (a.replace('_', "-"), b.to_owned())).unwrap()).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() {
            sources(&path, found);
        }
    }
}

/// The names of the public items that a file declares.
fn public_items(text: &str) -> Vec<&str> {
    const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static"];
    let mut names = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim_start().strip_prefix("pub ") else { continue };
        let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        // `pub const fn name`, `pub unsafe fn name`.
        let is_kind = |word: &&str| KINDS.contains(word) || matches!(*word, "unsafe" | "async" | "extern");
        if words.clone().next().is_some_and(|first| is_kind(&first)) {
            names.extend(words.find(|word| !is_kind(word)));
        }
    }
    names
}

#[test]
fn names_that_went_are_gone() {
    let gone = gone();
    assert!(gone.len() > 30, "the table has {} names", gone.len());
    let mut left = Vec::new();
    for (name, went) in &gone {
        let folder = root().join("crates").join(name).join("src");
        let mut files = Vec::new();
        sources(&folder, &mut files);
        for file in files {
            let shown = file.strip_prefix(root()).unwrap().display().to_string();
            if file.file_stem().is_some_and(|stem| stem.to_str() == Some(went)) {
                left.push(format!("{shown} is named `{went}`"));
            }
            if file.extension().is_some_and(|e| e == "rs")
                && public_items(&fs::read_to_string(&file).unwrap()).contains(&went.as_str())
            {
                left.push(format!("{shown} has a public item `{went}`"));
            }
        }
    }
    assert!(left.is_empty(), "docs/glossary.md says what the field calls these:\n{}", left.join("\n"));
}

#[test]
fn public_items_are_found() {
    let text = "pub fn a() {}\n    pub const fn b() {}\npub(crate) fn c() {}\npub struct D<T>(T);\npub mod e;\nfn f() {}\npub use g;\n";
    assert_eq!(public_items(text), ["a", "b", "D", "e"]);
}
