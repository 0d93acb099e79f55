//! Writing a folder as a whole, or not at all; or as a ZIP archive.

use crate::files::FileError;
use crate::replace::{Work, sync_folder};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The file in a written folder that lists what was written, a path on each line: with it the folder is known to be ours.
const LIST: &str = ".smidgen";

/// What building in the folder leaves there, which is no loss: names of folders and files.
const BUILT: [&str; 3] = ["target", "build", "Cargo.lock"];

/// Writes files (by their path with `/` between its parts) as a folder: into a temporary one beside it, which then takes its name.
/// Another process sees the old folder or the new one, and a failure leaves the old one. A folder is replaced only if this function
/// wrote it and nothing has been added since but what building leaves. Where the system can exchange two names (Linux, macOS), the
/// old folder is never away; elsewhere a writer that is killed in the wrong moment leaves it beside, and the next writer puts it back.
///
/// # Errors
/// If the folder above it is missing or not writable, the disk is full, or the target is neither empty nor replaceable.
pub fn write_folder(path: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), FileError> {
    let fail = |source| FileError::Write { path: path.to_owned(), source };
    occupied(path)?;
    // A link stays one: its target is what gets replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // Whatever is left in it when this function returns is deleted with it.
    let work = Work::beside(&target).map_err(fail)?;
    let new = work.path("new");
    fs::create_dir(&new).map_err(fail)?;
    let mut folders = BTreeSet::from([new.clone()]);
    let mut written = Vec::new();
    let list: String = files.keys().map(|name| format!("{name}\n")).collect();
    let all = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).chain([(LIST, list.as_bytes())]);
    for (name, bytes) in all {
        let file = new.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(fail)?;
            folders.extend(folder.ancestors().take_while(|at| at.starts_with(&new)).map(Path::to_owned));
        }
        fs::write(&file, bytes).map_err(fail)?;
        written.push(file);
    }
    // All are written before the first is waited for: the first wait takes most of the others along.
    written.iter().try_for_each(|file| File::options().write(true).open(file)?.sync_all()).map_err(fail)?;
    folders.iter().try_for_each(|folder| sync_folder(folder)).map_err(fail)?;
    let ours = |found: &Path| Ok(occupied(found).map(drop)?);
    work.take_place("new", &target, ours).map_err(|error: Failed| match error {
        Failed::System(error) => fail(error),
        // It was found where the folder of work is now.
        Failed::Foreign(FileError::Foreign { file, .. }) => FileError::Foreign { path: path.to_owned(), file },
        Failed::Foreign(error) => error,
    })
}

/// Why a folder did not take its place.
enum Failed {
    System(io::Error),
    Foreign(FileError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<FileError> for Failed {
    fn from(error: FileError) -> Self {
        Self::Foreign(error)
    }
}

/// Files as a ZIP archive: the same files give the same bytes.
///
/// # Panics
/// If two files have the same name, or one is too long for the format.
pub fn zipped(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, options).expect("names are short and distinct");
        zip.write_all(&bytes).expect("writing to memory does not fail");
    }
    zip.finish().expect("writing to memory does not fail").into_inner()
}

/// Whether there is a folder to be replaced, and one that may be.
fn occupied(path: &Path) -> Result<bool, FileError> {
    // Another writer may replace it while it is looked through; then what does not go together is no stranger's.
    for _ in 0..20 {
        let list = fs::read(path.join(LIST)).ok();
        let found = is_ours(path);
        if found.is_ok() || fs::read(path.join(LIST)).ok() == list {
            return found;
        }
    }
    is_ours(path)
}

fn is_ours(path: &Path) -> Result<bool, FileError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(FileError::Write { path: path.to_owned(), source }),
    };
    if entries.count() == 0 {
        return Ok(false);
    }
    let Ok(list) = fs::read_to_string(path.join(LIST)) else {
        return Err(FileError::Foreign { path: path.to_owned(), file: None });
    };
    let mut known: Vec<&Path> = list.lines().map(Path::new).collect();
    known.push(Path::new(LIST));
    match foreign(path, Path::new(""), &known) {
        Ok(None) => Ok(true),
        Ok(file) => Err(FileError::Foreign { path: path.to_owned(), file }),
        Err(source) => Err(FileError::Write { path: path.to_owned(), source }),
    }
}

/// The first file under `at` in the folder that is not known.
fn foreign(folder: &Path, at: &Path, known: &[&Path]) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder.join(at))? {
        let entry = entry?;
        let name = at.join(entry.file_name());
        if BUILT.iter().any(|built| entry.file_name() == *built) {
            continue;
        }
        let found = if entry.file_type()?.is_dir() {
            foreign(folder, &name, known)?
        } else {
            (!known.contains(&name.as_path())).then_some(name)
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole_and_only_if_it_is_ours() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("out");
        write_folder(&path, &files(&[("a/b.txt", "1"), ("c.txt", "2")])).unwrap();
        assert_eq!(fs::read(path.join("a/b.txt")).unwrap(), b"1");
        fs::create_dir(path.join("a/target")).unwrap();
        fs::write(path.join("a/target/x"), "").unwrap();
        write_folder(&path, &files(&[("d.txt", "3")])).unwrap();
        assert!(!path.join("a").exists() && path.join("d.txt").exists());
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1);

        fs::write(path.join("mine.txt"), "").unwrap();
        let refused = write_folder(&path, &files(&[("d.txt", "4")])).unwrap_err();
        assert!(refused.to_string().contains("mine.txt"), "{refused}");
        assert_eq!(fs::read(path.join("d.txt")).unwrap(), b"3");
    }

    #[test]
    fn other_folders_and_files_stay_as_they_are() {
        let work = tempfile::tempdir().unwrap();
        fs::write(work.path().join("x"), "kept").unwrap();
        let some = files(&[("a", "")]);
        assert!(matches!(write_folder(work.path(), &some), Err(FileError::Foreign { file: None, .. })));
        assert!(matches!(write_folder(&work.path().join("x"), &some), Err(FileError::Write { .. })));
        assert!(matches!(write_folder(&work.path().join("no/such"), &some), Err(FileError::Write { .. })));
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1);
        let empty = work.path().join("empty");
        fs::create_dir(&empty).unwrap();
        write_folder(&empty, &some).unwrap();
        assert!(empty.join("a").exists());
    }
}
