//! The real models, where they are.

use std::path::PathBuf;

/// The models beside the checkout or in `SMIDGEN_SHARED`, by name, in order. Empty, with a note, if there are none.
pub fn models() -> Vec<(String, Vec<u8>)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from).join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped the real models: there is no {}", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().expect("a file name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).expect("a readable model"))).collect()
}
