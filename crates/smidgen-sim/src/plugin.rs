//! The counting plug-in, compiled on first use.

use crate::cache;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

/// Source of the plug-in; see its own documentation for what it writes.
pub const SOURCE: &str = include_str!("../plugin/count.rs");

/// Why the plug-in could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The host's compiler does not run.
    #[error("cannot run `rustc` to compile the counting plug-in")]
    NoCompiler(#[source] std::io::Error),
    /// It has no linker for this computer.
    #[error("`rustc` finds no linker for this computer: {0}")]
    NoLinker(String),
    /// It refused the plug-in.
    #[error("`rustc` cannot compile the counting plug-in:\n{0}")]
    Refused(String),
    /// A file could not be written.
    #[error("cannot write the counting plug-in to `{}`", smidgen_ir::visible_path(path))]
    Write {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// The compiled plug-in, from the cache if it was compiled before by the same compiler.
///
/// # Errors
/// [`PluginError`].
pub fn library() -> Result<PathBuf, PluginError> {
    let version = Command::new("rustc").arg("-vV").output().map_err(PluginError::NoCompiler)?;
    let mut hasher = DefaultHasher::new();
    (SOURCE, version.stdout).hash(&mut hasher);
    let folder = cache::folder("plug-in").map_err(|(path, source)| PluginError::Write { path, source })?;
    let path = folder.join(format!("count-{:016x}.so", hasher.finish()));
    if cache::holds(&path) {
        return Ok(path);
    }
    let write = |source| PluginError::Write { path: path.clone(), source };
    let work = tempfile::tempdir_in(&folder).map_err(write)?;
    let (source, made) = (work.path().join("count.rs"), work.path().join("count.so"));
    std::fs::write(&source, SOURCE).map_err(write)?;
    let output = Command::new("rustc")
        .args(["-O", "--edition", "2024", "--crate-type", "cdylib", "-o"])
        .arg(&made)
        .arg(&source)
        .output()
        .map_err(PluginError::NoCompiler)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let linker = stderr.lines().find(|line| line.contains("linker `"));
        return Err(linker.map_or_else(
            || PluginError::Refused(stderr.clone()),
            |line| PluginError::NoLinker(line.trim_start_matches("error: ").to_owned()),
        ));
    }
    // Whoever else compiles it at the same time ends up with the same file.
    cache::insert(&made, &path).map_err(write)?;
    Ok(path)
}
