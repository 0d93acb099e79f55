//! Replacing files and folders so that others see the old one or the new one, and sweeping up after writers that were killed.
//!
//! What is new is made beside its target under a name that begins with [`PREFIX`]; the last act is one rename or exchange of two
//! names. Whoever makes it holds a lock, which the system takes back when the process ends, however it ends: what nobody
//! holds was left by a writer that was killed, and the next writer in the folder deletes it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Names of what is being written begin like this.
pub(crate) const PREFIX: &str = ".smidgen-";
/// The file in a folder of work whose lock says that its writer lives.
const LOCK: &str = "lock";
/// What is being replaced where two names cannot be exchanged.
const OLD: &str = "old";
/// The file in a folder of work that says whose place the old folder had.
const PLACE: &str = "place";
/// A writer takes less time than this between making a name and locking it.
const UNLOCKED: Duration = Duration::from_secs(2);

/// A folder beside a target in which its successor is made; deleted with what is left in it.
pub(crate) struct Work {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Work {
    /// A folder of work beside `target`; what killed writers left there is swept first.
    pub(crate) fn beside(target: &Path) -> io::Result<Self> {
        let above = above(target);
        sweep(above);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(above)?;
        // Locked before it gets its name, so that the name is never seen without the lock.
        let early = folder.path().join("early");
        let lock = File::create(&early)?;
        lock_if_possible(&lock)?;
        fs::rename(&early, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives the folder `name` in it the target's place. A folder that is there must satisfy `ours` and ends up in the folder of
    /// work; the caller has seen to it that it does, but others write too.
    pub(crate) fn take_place<E: From<io::Error>>(
        &self,
        name: &str,
        target: &Path,
        ours: impl Fn(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        use io::ErrorKind as K;
        let new = self.path(name);
        // Others may put a folder there or take it away between looking and renaming.
        for _ in 0..100 {
            match fs::rename(&new, target) {
                Ok(()) => return Ok(sync_folder(above(target))?),
                // A folder that is not empty is there, as different systems say it.
                Err(error) if matches!(error.kind(), K::DirectoryNotEmpty | K::AlreadyExists | K::PermissionDenied) => {
                }
                Err(error) => return Err(error.into()),
            }
            match exchange(&new, target) {
                Ok(()) => {
                    if let Err(error) = ours(&new) {
                        exchange(&new, target)?;
                        return Err(error);
                    }
                    return Ok(sync_folder(above(target))?);
                }
                Err(error) if error.kind() == K::NotFound && new.exists() => {}
                Err(error) if unsupported(&error) => return self.in_two_steps(&new, target, ours),
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "others replace the folder all the time").into())
    }

    /// Where names cannot be exchanged: the old folder steps aside. A writer that is killed in between leaves a note whose place it
    /// had, by which [`sweep`] puts it back.
    fn in_two_steps<E: From<io::Error>>(
        &self,
        new: &Path,
        target: &Path,
        ours: impl Fn(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        ours(target)?;
        let old = self.path(OLD);
        let name = target.file_name().unwrap_or_default();
        fs::write(self.path(PLACE), name.as_encoded_bytes())?;
        fs::rename(target, &old)?;
        match fs::rename(new, target) {
            Ok(()) => Ok(sync_folder(above(target))?),
            Err(error) => {
                // The old folder's place is still free; if not even this works, the first error says why.
                let _ = fs::rename(&old, target);
                Err(error.into())
            }
        }
    }
}

/// A file beside `target` that takes its place when it is whole; what killed writers left there is swept first.
pub(crate) fn file_beside(target: &Path) -> io::Result<tempfile::NamedTempFile> {
    let above = above(target);
    sweep(above);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    // As for any file a program writes; the process' mask takes away what it takes away.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(above)?;
    lock_if_possible(file.as_file())?;
    Ok(file)
}

/// The folder that a path lies in.
pub(crate) fn above(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Sees to it that names in a folder outlast a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match File::open(folder)?.sync_all() {
        // Some file systems know no such thing for folders.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
        result => return result,
    }
    Ok(())
}

/// Locks a file of one's own. File systems without locks go without: nothing is swept on them.
fn lock_if_possible(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) if unsupported(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// Exchanges what two names stand for, at once.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(io::Error::from)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    {
        let _ = (one, other);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Deletes what writers that are no more have left in a folder, and puts back what they had only moved aside. That something cannot be
/// swept harms nobody, so nothing fails here.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        // As tempfile names things; a user's own `.smidgen-notes` is none of ours.
        let made_here = rest.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
        if let (true, Ok(kind)) = (made_here, entry.file_type()) {
            let path = entry.path();
            if kind.is_dir() {
                sweep_work(&path, folder);
            } else if kind.is_file() && is_settled(&path) && is_orphan(&path) {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn sweep_work(work: &Path, folder: &Path) {
    let lock = work.join(LOCK);
    // Held until all is gone, so that two sweepers do not meet.
    let Ok(file) = File::open(&lock) else {
        if is_settled(work) {
            let _ = fs::remove_dir_all(work);
        }
        return;
    };
    if file.try_lock().is_err() {
        return;
    }
    if let Ok(place) = fs::read(work.join(PLACE)) {
        // Written by us from the name of a folder in this very place.
        let place = folder.join(String::from_utf8_lossy(&place).as_ref());
        let old = work.join(OLD);
        if old.exists() && !place.exists() {
            let _ = fs::rename(&old, &place);
        }
    }
    let _ = fs::remove_dir_all(work);
}

/// True if nobody holds the lock of a file.
fn is_orphan(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// True if it was made long enough ago for its writer to have locked it.
fn is_settled(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > UNLOCKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(path: &Path, text: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("text"), text).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn without_exchange_the_old_folder_steps_aside_and_comes_back() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        folder_with(&target, "old");
        let work = Work::beside(&target).unwrap();
        folder_with(&work.path("new"), "new");
        let ours = |_: &Path| -> io::Result<()> { Ok(()) };
        work.in_two_steps(&work.path("new"), &target, ours).unwrap();
        assert_eq!(fs::read_to_string(target.join("text")).unwrap(), "new");
        assert!(work.in_two_steps(&work.path("missing"), &target, ours).is_err());
        assert_eq!(fs::read_to_string(target.join("text")).unwrap(), "new");
    }

    #[test]
    fn what_a_killed_writer_moved_aside_is_put_back() {
        let place = tempfile::tempdir().unwrap();
        let dead = place.path().join(".smidgen-Abc123");
        folder_with(&dead.join(OLD), "old");
        fs::write(dead.join(PLACE), "out").unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        sweep(place.path());
        assert_eq!(names(place.path()), ["out"]);
        assert_eq!(fs::read_to_string(place.path().join("out/text")).unwrap(), "old");
    }

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let work = Work::beside(&target).unwrap();
        let file = file_beside(&target).unwrap();
        folder_with(&place.path().join(".smidgen-Dead01"), "");
        fs::write(place.path().join(".smidgen-Dead01").join(LOCK), "").unwrap();
        fs::write(place.path().join(".smidgen-Dead02"), "").unwrap();
        fs::write(place.path().join(".smidgen-my-notes"), "").unwrap();
        let old = SystemTime::now() - 2 * UNLOCKED;
        for path in [file.path(), &place.path().join(".smidgen-Dead02")] {
            File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        }
        sweep(place.path());
        let left = names(place.path());
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(file.path().exists() && work.path(LOCK).exists());
    }

    #[test]
    fn a_strangers_folder_goes_back_to_its_place() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        folder_with(&target, "a stranger's");
        let work = Work::beside(&target).unwrap();
        folder_with(&work.path("new"), "new");
        let refuse = |_: &Path| -> io::Result<()> { Err(io::Error::other("not ours")) };
        assert!(work.take_place("new", &target, refuse).is_err());
        assert_eq!(fs::read_to_string(target.join("text")).unwrap(), "a stranger's");
    }
}
