//! Hostile files, and what the reader says of each.
//!
//! `tests/hostile/` holds them as bytes, for the fuzzer to start from and for other loaders to try. They are built here: set
//! `SMIDGEN_BLESS` to write them anew after a change.

pub(crate) mod build;
pub(crate) mod files;

use crate::{ErrorKind, check, read, write};
use std::fmt::Write as _;
use std::path::Path;

/// Writes what is read as a file, and says what stopped it where something did.
fn verdict(bytes: &[u8]) -> String {
    let graph = match read(bytes) {
        Ok(graph) => graph,
        Err(error) => {
            let kind = match error.kind() {
                ErrorKind::Malformed => "malformed",
                ErrorKind::Unsupported => "unsupported",
                ErrorKind::Request => "request",
            };
            return format!("{kind}: {error}");
        }
    };
    if let Err(error) = smidgen_ir::validate(&graph) {
        return format!("not valid: {error}");
    }
    let file = write(&graph).expect("a valid graph can be written");
    assert!(write(&read(&file).expect("what is written can be read")).as_ref() == Ok(&file));
    "accepted".into()
}

#[test]
fn each_hostile_file_gets_its_answer() {
    let mut answers = String::new();
    for (name, bytes) in files::all() {
        let verdict = verdict(&bytes);
        // Nothing unsupported is found in a file that reads, and a malformed one is malformed for `check` too.
        match check(&bytes) {
            Ok(found) => assert_eq!(found.is_empty(), !verdict.starts_with("unsupported"), "{name}"),
            Err(error) => assert!(verdict.ends_with(&error.to_string()), "{name}"),
        }
        writeln!(answers, "{name}\n  {}", verdict.replace('\n', "\n  ")).expect("a string takes anything");
    }
    insta::assert_snapshot!("answers", answers);
}

#[test]
fn the_folder_holds_these_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let bless = std::env::var_os("SMIDGEN_BLESS").is_some();
    let mut names = Vec::new();
    for (name, bytes) in files::all() {
        let path = folder.join(format!("{name}.tflite"));
        if bless {
            std::fs::create_dir_all(&folder).expect("a folder for the files");
            std::fs::write(&path, &bytes).expect("a file that can be written");
        }
        let found = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(found == bytes, "{} is not what is built: set SMIDGEN_BLESS to write it anew", path.display());
        names.push(format!("{name}.tflite"));
    }
    for entry in std::fs::read_dir(&folder).expect("the folder of hostile files") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(names.contains(&name), "tests/hostile/{name} is not built here");
    }
}
