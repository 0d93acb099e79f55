//! What the tests read and write: the real models where they are, and small graphs of every operator.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod samples;

use std::path::PathBuf;

/// The models beside the checkout or in `SMIDGEN_SHARED`, by name, in order. Empty, with a note, if there are none.
pub fn models() -> Vec<(String, Vec<u8>)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from).join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        let why = format!("there is no {}", folder.display());
        smidgen_reference::skip(smidgen_reference::Lack::Optional, "the real models", &why);
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().expect("a file name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).expect("a readable model"))).collect()
}

/// Reproducible numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
