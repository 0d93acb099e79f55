//! The folder for what is expensive to make anew: `$XDG_CACHE_HOME/smidgen`, else `~/.cache/smidgen`.

use crate::harness::Files;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// Files that [`insert`] keeps in a folder; the oldest give way.
const KEPT: usize = 64;

/// A name for what is made from these parts.
pub(crate) fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    // Two hashes of 64 bits, since nobody checks a hit any further.
    let mut hashers = [DefaultHasher::new(), DefaultHasher::new()];
    hashers[1].write_u8(1);
    for part in parts {
        hashers.iter_mut().for_each(|hasher| part.hash(hasher));
    }
    hashers.iter().map(|hasher| format!("{:016x}", hasher.finish())).collect()
}

/// A folder of the cache, made if need be. An error names the folder.
pub(crate) fn folder(name: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    let folder = base.join("smidgen").join(name);
    std::fs::create_dir_all(&folder).map_err(|e| (folder.clone(), e))?;
    std::path::absolute(&folder).map_err(|e| (folder, e))
}

/// Makes a folder hold exactly these files. Those that are right already are not touched, so that nothing is compiled again for
/// them. An error names the file.
pub(crate) fn sync(folder: &Path, files: &Files) -> Result<(), (PathBuf, io::Error)> {
    let mut wanted = BTreeSet::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        let fail = |e| (path.clone(), e);
        if std::fs::read(&path).ok().as_ref() != Some(bytes) {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(fail)?;
            }
            std::fs::write(&path, bytes).map_err(fail)?;
        }
        wanted.insert(path);
    }
    prune(folder, &wanted).map_err(|e| (folder.to_owned(), e))
}

/// Removes every file that is not wanted, but for cargo's own.
fn prune(folder: &Path, wanted: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            prune(&path, wanted)?;
        } else if !wanted.contains(&path) && path.file_name().is_none_or(|name| name != "Cargo.lock") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Copies a file into the cache under its final name at once, and drops the oldest of its folder beyond [`KEPT`].
pub(crate) fn insert(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::copy(from, temporary.path())?;
    temporary.persist(to).map_err(|e| e.error)?;
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    for (_, path) in files.iter().rev().skip(KEPT) {
        // Somebody else may have been faster.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_every_part() {
        let keys: BTreeSet<String> = [&["a", "b"][..], &["ab"], &["b", "a"], &["a", "b", ""]]
            .iter()
            .map(|p| key(p.iter().map(|s| s.as_bytes())))
            .collect();
        assert_eq!(keys.len(), 4);
        assert_eq!(key([&b"x"[..]]), key([&b"x"[..]]));
    }

    #[test]
    fn a_folder_is_brought_in_line() {
        let folder = tempfile::tempdir().unwrap();
        let files = |list: &[(&str, &str)]| -> Files {
            list.iter().map(|(p, t)| ((*p).to_owned(), t.as_bytes().to_vec())).collect()
        };
        sync(folder.path(), &files(&[("a/b.rs", "1"), ("c", "2")])).unwrap();
        let touched = || std::fs::metadata(folder.path().join("a/b.rs")).unwrap().modified().unwrap();
        let before = touched();
        std::fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        sync(folder.path(), &files(&[("a/b.rs", "1"), ("d", "3")])).unwrap();
        assert_eq!(touched(), before);
        assert!(!folder.path().join("c").exists() && folder.path().join("Cargo.lock").exists());
        assert_eq!(std::fs::read(folder.path().join("d")).unwrap(), b"3");
    }
}
