//! The folder for what is expensive to make anew: `$XDG_CACHE_HOME/smidgen`, else `~/.cache/smidgen`.
//!
//! It holds firmware and plug-ins, each with a digest that is checked before they are used, and a folder for each compiler and core
//! where cargo's results stay. All of it may be deleted at any time. Beyond [`LIMIT_VARIABLE`] bytes (by default [`LIMIT`]) what
//! was not used for the longest gives way; what others may be using stays. Several processes may use it at once.

use crate::harness::Files;
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Bytes of the cache, unless [`LIMIT_VARIABLE`] says otherwise: the results for some twenty cores.
const LIMIT: u64 = 2 << 30;
/// The variable with the most bytes that the cache may have: a number, or one with K, M or G for KiB, MiB or GiB.
const LIMIT_VARIABLE: &str = "SMIDGEN_CACHE_SIZE";
/// A file may be in use for so long after it was looked up, and is not dropped.
const IN_USE: Duration = Duration::from_secs(600);
/// The file whose lock lets one build at a time have a folder. It is never deleted: somebody may be waiting for it.
const LOCK: &str = "lock";
/// What a file of the cache ends with: this, and the digest of all before it. Neither emulator nor loader minds.
const SEAL: &[u8; 8] = b"smidgen1";

/// A name for what is made from these parts.
pub(crate) fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    // Two hashes of 64 bits, since nobody checks any further that a hit is the right one.
    let mut hashers = [DefaultHasher::new(), DefaultHasher::new()];
    hashers[1].write_u8(1);
    for part in parts {
        hashers.iter_mut().for_each(|hasher| part.hash(hasher));
    }
    hashers.iter().map(|hasher| format!("{:016x}", hasher.finish())).collect()
}

/// The folder of all that is cached, whether it is there or not. Variables that are set to nothing count as not set.
fn base() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("smidgen")
}

/// A folder of the cache, made if need be. An error names the folder.
pub(crate) fn folder(name: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
    let folder = base().join(name);
    if folder.to_str().is_none() {
        let why = io::Error::new(io::ErrorKind::InvalidFilename, "its path is not text in UTF-8, which cargo asks for");
        return Err((folder, why));
    }
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

/// Waits until a build may have the folder, and has it for as long as the file is open.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    let file = File::create(folder.join(LOCK))?;
    file.lock()?;
    // The last use, by which [`bound`] chooses.
    file.set_modified(SystemTime::now())?;
    Ok(file)
}

/// Copies a file into the cache under its final name at once, sealed.
pub(crate) fn insert(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    let mut bytes = std::fs::read(from)?;
    bytes.extend(seal(&bytes));
    std::fs::write(temporary.path(), bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(to).map_err(|e| e.error)?;
    Ok(())
}

/// What stands at the end of a sealed file.
fn seal(bytes: &[u8]) -> Vec<u8> {
    [&SEAL[..], key([bytes]).as_bytes()].concat()
}

/// True if the cache has the file and it is what was put there; one that is not is deleted. It is kept for a while from here on.
pub(crate) fn holds(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let whole = bytes.len().checked_sub(SEAL.len() + 32).is_some_and(|end| bytes[end..] == seal(&bytes[..end]));
    if !whole {
        let _ = std::fs::remove_file(path);
        return false;
    }
    // A cache that can only be read is still of use.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    true
}

/// The most bytes that the cache may have.
pub(crate) fn limit() -> Result<u64, LimitError> {
    match std::env::var_os(LIMIT_VARIABLE) {
        None => Ok(LIMIT),
        Some(text) => parse(&text.to_string_lossy()).ok_or_else(|| LimitError(text.to_string_lossy().into_owned())),
    }
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The variable for the cache's size holds no size.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the variable SMIDGEN_CACHE_SIZE holds `{}`: write bytes, or a number with K, M or G", smidgen_ir::visible(.0))]
pub struct LimitError(pub(crate) String);

/// Drops what was not used for the longest until the cache keeps to its limit. That something cannot be dropped harms nobody.
pub(crate) fn bound() {
    if let Ok(limit) = limit() {
        bound_folder(&base(), limit);
    }
}

/// Something that can be dropped: a file, or the results in a folder with a lock.
struct Entry {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
    locked: bool,
}

fn bound_folder(base: &Path, limit: u64) {
    let children = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let used =
        |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut entries = Vec::new();
    for folder in children(base).filter(|path| path.is_dir()) {
        let lock = folder.join(LOCK);
        if lock.exists() {
            entries.push(Entry { used: used(&lock), bytes: size(&folder), path: folder, locked: true });
        } else {
            let files =
                children(&folder).map(|path| Entry { used: used(&path), bytes: size(&path), path, locked: false });
            entries.extend(files);
        }
    }
    let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    entries.sort_by_key(|entry| entry.used);
    for entry in entries {
        if total <= limit {
            return;
        }
        if entry.locked {
            let Ok(lock) = File::open(entry.path.join(LOCK)) else { continue };
            if lock.try_lock().is_err() {
                continue;
            }
            for path in children(&entry.path).filter(|path| path.file_name().is_none_or(|name| name != LOCK)) {
                remove(&path);
            }
        } else {
            if entry.used.elapsed().is_ok_and(|age| age < IN_USE) {
                continue;
            }
            remove(&entry.path);
        }
        total -= entry.bytes.min(total);
    }
}

fn remove(path: &Path) {
    // Somebody else may have been faster.
    let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

/// Bytes of a file, or of all files below a folder.
fn size(path: &Path) -> u64 {
    let Ok(found) = std::fs::symlink_metadata(path) else { return 0 };
    if !found.is_dir() {
        return found.len();
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
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
    fn a_damaged_file_is_no_hit() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, b"firmware").unwrap();
        assert!(!holds(&to));
        insert(&from, &to).unwrap();
        assert!(holds(&to));
        assert!(std::fs::read(&to).unwrap().starts_with(b"firmware"));
        let damages: [fn(&mut Vec<u8>); 4] =
            [|bytes| bytes[3] ^= 1, |bytes| bytes.truncate(20), |bytes| bytes.push(0), Vec::clear];
        for damage in damages {
            insert(&from, &to).unwrap();
            let mut bytes = std::fs::read(&to).unwrap();
            damage(&mut bytes);
            std::fs::write(&to, bytes).unwrap();
            assert!(!holds(&to) && !to.exists());
        }
    }

    #[test]
    fn what_was_not_used_for_the_longest_gives_way() {
        let base = tempfile::tempdir().unwrap();
        let made = |name: &str, bytes: usize, minutes: u64| {
            let path = base.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, vec![0; bytes]).unwrap();
            let used = SystemTime::now() - Duration::from_secs(60 * minutes);
            File::options().append(true).open(path).unwrap().set_modified(used).unwrap();
        };
        made("elf/old.elf", 1000, 300);
        made("elf/new.elf", 1000, 100);
        made("elf/in-use.elf", 1000, 1);
        for (name, minutes) in [("build-a", 400), ("build-b", 200), ("build-c", 500)] {
            made(&format!("{name}/target/x"), 1000, 0);
            made(&format!("{name}/lock"), 0, minutes);
        }
        // Somebody builds there.
        let held = File::open(base.path().join("build-c/lock")).unwrap();
        held.lock().unwrap();
        let there = |name: &str| base.path().join(name).exists();
        bound_folder(base.path(), 6000);
        assert!(there("elf/old.elf") && there("build-a/target/x"));
        bound_folder(base.path(), 4500);
        assert!(!there("build-a/target/x") && !there("elf/old.elf") && there("build-a/lock"));
        assert!(there("build-b/target/x") && there("elf/new.elf") && there("build-c/target/x"));
        bound_folder(base.path(), 0);
        assert!(there("elf/in-use.elf") && there("build-c/target/x") && !there("elf/new.elf"));
        assert!(!there("build-b/target/x") && there("build-b/lock"));
    }

    #[test]
    fn sizes_of_the_cache_have_units() {
        assert_eq!(["0", "4096", "3K", "2G", " 1m "].map(parse), [0, 4096, 3072, 2 << 30, 1 << 20].map(Some));
        assert!(["", "x", "-1", "2T", "99999999999999999999G"].iter().all(|text| parse(text).is_none()));
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
