//! docs/architecture.md against the workspace: its table of crates says which may depend on which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// For each crate of the table: what it may depend on, without the prefix.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [name, _, may] = cells[..] else { return None };
        let names = may.split(", ").filter(|&d| d != "nothing of ours").map(str::to_owned).collect();
        (name.starts_with("smidgen") || name == "xtask").then(|| (name.to_owned(), names))
    });
    rows.collect()
}

/// For each crate of the workspace: its dependencies among them (not those of its tests), without the prefix.
fn actual() -> BTreeMap<String, BTreeSet<String>> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.push(root().join("xtask"));
    let one = |folder: &PathBuf| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let (mut section, mut found) = ("", BTreeSet::new());
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section == "[dependencies]"
                && let Some(rest) = line.strip_prefix("smidgen-")
            {
                found.extend(rest.split(['.', ' ', '=']).next().map(str::to_owned));
            }
        }
        (folder.file_name().unwrap().to_string_lossy().into_owned(), found)
    };
    folders.iter().map(one).collect()
}

#[test]
fn every_crate_is_in_the_table_and_keeps_to_it() {
    let (allowed, actual) = (allowed(), actual());
    let names = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&allowed), names(&actual), "docs/architecture.md lists the crates that exist");
    for (name, dependencies) in &actual {
        let more: Vec<_> = dependencies.difference(&allowed[name]).collect();
        assert!(more.is_empty(), "{name} depends on {more:?}, which docs/architecture.md does not allow");
    }
}

#[test]
fn arrows_point_one_way() {
    let mut left = allowed();
    while !left.is_empty() {
        let free =
            |dependencies: &BTreeSet<String>| dependencies.iter().all(|d| !left.contains_key(&format!("smidgen-{d}")));
        let next: Vec<String> = left.iter().filter(|(_, d)| free(d)).map(|(name, _)| name.clone()).collect();
        assert!(!next.is_empty(), "a cycle among {left:?}");
        next.iter().for_each(|name| drop(left.remove(name)));
    }
}
