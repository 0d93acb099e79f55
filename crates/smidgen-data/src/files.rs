//! Files: reading with a clear word on what is wrong with one, and writing so that nothing half-written is ever seen.

use crate::replace::{above, file_beside, sync_folder};
use smidgen_ir::visible_path;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Most bytes that are read from a pipe, whose end nobody knows.
const MAX_PIPE_BYTES: u64 = 256 << 20;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says no.
    #[error("cannot read `{}`", visible_path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A folder where a file is meant.
    #[error("`{}` is a folder, not a file", visible_path(path))]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// No bytes.
    #[error("`{}` is empty", visible_path(path))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A device, which may never end.
    #[error("`{}` is a device, not a file", visible_path(path))]
    Device {
        /// The device.
        path: PathBuf,
    },
    /// More than a gigabyte.
    #[error("`{}` is larger than {} MiB", visible_path(path), most >> 20)]
    TooLarge {
        /// The file, or a pipe.
        path: PathBuf,
        /// The most bytes that are read of it.
        most: u64,
    },
    /// The system says no.
    #[error("cannot write `{}`", visible_path(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A temporary file for samples that memory does not hold.
    #[error("samples that memory does not hold cannot be kept in a file in `{}`", visible_path(path))]
    Cache {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A folder to be replaced holds what smidgen did not write.
    #[error("`{}` {}", visible_path(path), foreign(.file))]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The file in it, if smidgen wrote the others.
        file: Option<PathBuf>,
    },
}

fn foreign(file: &Option<PathBuf>) -> String {
    match file {
        None => "is not empty, and not a folder that smidgen wrote".into(),
        Some(file) => format!("holds `{}`, which smidgen did not write", visible_path(file)),
    }
}

impl FileError {
    /// The file or folder that it is about, and what is wrong with it.
    pub fn parts(&self) -> (&Path, String) {
        match self {
            Self::Read { path, source } => (path, format!("cannot be read: {source}")),
            Self::Folder { path } => (path, "a folder, not a file".into()),
            Self::Empty { path } => (path, "empty".into()),
            Self::Device { path } => (path, "a device, not a file".into()),
            Self::TooLarge { path, most } => (path, format!("larger than {} MiB", most >> 20)),
            Self::Write { path, source } | Self::Cache { path, source } => {
                (path, format!("cannot be written: {source}"))
            }
            Self::Foreign { path, file } => (path, foreign(file)),
        }
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Cache { .. } => {
                Some("name a folder with more room in the variable TMPDIR, or allow more memory for samples".into())
            }
            Self::Read { path, source } if source.kind() == io::ErrorKind::NotFound => Some(match siblings(path) {
                Some(names) => format!("its folder has {names}"),
                None => "check the path".into(),
            }),
            Self::Read { .. } => None,
            Self::Folder { path } => siblings(&path.join("x.tflite")).map(|names| format!("it holds {names}")),
            Self::Device { .. } => Some("copy what is wanted of it into a file".into()),
            Self::Empty { .. } => Some("the download or export that made it may have been interrupted".into()),
            Self::TooLarge { .. } => Some("no model for a microcontroller is that large; is it the right file?".into()),
            Self::Foreign { .. } => Some("name another folder, or delete this one yourself".into()),
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => Some("free some space; nothing was left behind".into()),
                io::ErrorKind::QuotaExceeded => Some("your quota is used up; nothing was left behind".into()),
                io::ErrorKind::NotFound => Some("make the folder first".into()),
                io::ErrorKind::PermissionDenied => Some("you may not write there; name another place".into()),
                io::ErrorKind::ReadOnlyFilesystem => Some("that file system is read-only; name another place".into()),
                io::ErrorKind::NotADirectory => Some("a part of the path is a file, not a folder".into()),
                io::ErrorKind::InvalidFilename => {
                    Some("the name is too long, or not one that the system allows".into())
                }
                _ => None,
            },
        }
    }
}

/// Files beside `path` with its extension, those that begin like it first: up to four names.
fn siblings(path: &Path) -> Option<String> {
    const SHOWN: usize = 4;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())))
        .filter(|name| name.extension() == path.extension())
        .map(|name| visible_path(&name).to_string())
        .collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let common = |name: &str| name.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
    names.sort_by(|a, b| common(b).cmp(&common(a)).then(a.cmp(b)));
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (names.len(), more) {
        (0, _) => None,
        (_, 0) => Some(listed),
        _ => Some(format!("{listed} and {more} more")),
    }
}

/// The bytes of a file.
///
/// # Errors
/// If it is missing, a folder, a device, empty, larger than 1 GiB (for a pipe: 256 MiB), or cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let fail = |source| FileError::Read { path: path.to_owned(), source };
    let file = open(path)?;
    let found = file.metadata().map_err(fail)?;
    let most = if found.is_file() { MAX_FILE_BYTES } else { MAX_PIPE_BYTES };
    let too_large = || FileError::TooLarge { path: path.to_owned(), most };
    if found.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    match bytes.len() as u64 {
        0 => Err(FileError::Empty { path: path.to_owned() }),
        n if n > most => Err(too_large()),
        _ => Ok(bytes),
    }
}

/// At most `count` bytes from the beginning of a file.
///
/// # Errors
/// If it is missing, a folder, empty, or cannot be read.
pub fn first_bytes(path: &Path, count: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    open(path)?
        .take(count)
        .read_to_end(&mut bytes)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    if bytes.is_empty() { Err(FileError::Empty { path: path.to_owned() }) } else { Ok(bytes) }
}

/// The names of the files in a ZIP archive, in its order; `None` if these bytes are none that can be read.
pub fn zip_names(bytes: &[u8]) -> Option<Vec<String>> {
    let archive = zip::ZipArchive::new(io::Cursor::new(bytes)).ok()?;
    Some(archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect())
}

fn open(path: &Path) -> Result<File, FileError> {
    let fail = |source| FileError::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(fail)?;
    if found.is_dir() {
        return Err(FileError::Folder { path: path.to_owned() });
    }
    if is_device(&found) {
        return Err(FileError::Device { path: path.to_owned() });
    }
    File::open(path).map_err(fail)
}

/// The bytes of part of a regular file: at most `count` from `offset` on. For files that another file names: not even a pipe is waited for.
///
/// # Errors
/// If it is missing, no regular file, or cannot be read.
pub fn read_part(path: &Path, offset: u64, count: usize) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let there = found.len().saturating_sub(offset).min(count as u64);
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(there as usize);
    file.take(there).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn is_device(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    found.file_type().is_char_device() || found.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: &fs::Metadata) -> bool {
    false
}

/// Writes a file as a whole: into a temporary file beside it, which then takes its name. Another process sees the old file or
/// the new one, and a failure leaves the old one. What is not a regular file (a pipe, `/dev/null`) is written to directly.
///
/// # Errors
/// If the folder is missing or not writable, the disk is full, or the target is a folder.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fail = |source| FileError::Write { path: path.to_owned(), source };
    // A link stays one: its target is what gets replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(found) if found.is_dir() => return Err(FileError::Folder { path: path.to_owned() }),
        Ok(found) if !found.is_file() => return fs::write(&target, bytes).map_err(fail),
        _ => {}
    }
    let mut file = file_beside(&target).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(&target).map_err(|e| fail(e.error))?;
    sync_folder(above(&target)).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.tflite");
        assert!(matches!(read(folder.path()), Err(FileError::Folder { .. })));
        let missing = read(&path).unwrap_err();
        assert_eq!(missing.help().as_deref(), Some("check the path"));
        for name in ["a.tflite", "b.txt", "model.tflite"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(missing.help().as_deref(), Some("its folder has `model.tflite`, `a.tflite`"));
        fs::write(&path, "").unwrap();
        assert!(matches!(read(&path), Err(FileError::Empty { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_endless_pipes_are_refused() {
        for device in ["/dev/zero", "/dev/null"] {
            assert!(matches!(read(Path::new(device)), Err(FileError::Device { .. })), "{device}");
            assert!(matches!(first_bytes(Path::new(device), 8), Err(FileError::Device { .. })), "{device}");
            assert!(read_part(Path::new(device), 0, 8).is_err(), "{device}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_part(&path, 4, 3).unwrap(), b"456");
        assert_eq!(read_part(&path, 8, usize::MAX).unwrap(), b"89");
        assert_eq!(read_part(&path, 80, 3).unwrap(), b"");
        let pipe = folder.path().join("pipe");
        // Opening a pipe that nobody writes to would wait for ever.
        if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            assert!(read_part(&pipe, 0, 8).is_err());
        }
    }

    #[test]
    fn writing_replaces_the_whole_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        write_atomically(&path, b"a long first version").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(write_atomically(folder.path(), b"x"), Err(FileError::Folder { .. })));
        let nowhere = write_atomically(&folder.path().join("no/such/out"), b"x").unwrap_err();
        assert_eq!(nowhere.help().as_deref(), Some("make the folder first"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("out"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
