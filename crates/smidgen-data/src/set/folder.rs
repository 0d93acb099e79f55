//! Pictures in a folder and the folders in it.

use super::SetError;
use super::layout::{is_hidden, is_picture};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Folders within folders that are looked into.
const MAX_DEPTH: usize = 6;
/// Ways on which one folder is reached: links among a few folders can make them look like millions.
const MAX_WAYS: usize = 16;

/// What has been found so far, and the folders above.
#[derive(Default)]
struct Walk {
    found: Vec<(String, usize)>,
    other: Option<String>,
    /// Where the folders really lie in which the present one is: a link to one of them is not followed.
    above: Vec<PathBuf>,
    /// On how many ways each folder was reached.
    ways: HashMap<PathBuf, usize>,
}

/// The paths of all pictures, relative to the folder, with `/` between their parts. Places mean nothing here.
pub(super) fn list(root: &Path) -> Result<Vec<(String, usize)>, SetError> {
    let mut walk = Walk::default();
    walk.folder(root, "", MAX_DEPTH)?;
    if walk.found.is_empty() {
        return Err(SetError::NoPictures { path: root.to_owned(), found: walk.other });
    }
    Ok(walk.found)
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), SetError> {
        let fail = |error: std::io::Error| SetError::Folder { path: folder.to_owned(), reason: error.to_string() };
        let real = std::fs::canonicalize(folder).map_err(fail)?;
        if self.above.contains(&real) {
            return Ok(());
        }
        let ways = self.ways.entry(real.clone()).or_default();
        *ways += 1;
        if *ways > MAX_WAYS {
            let reason = format!("links lead to it on more than {MAX_WAYS} ways");
            return Err(SetError::Folder { path: folder.to_owned(), reason });
        }
        self.above.push(real);
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_hidden(&name) {
                continue;
            }
            // To leave it out would change what is counted without a word.
            if entry.file_name().to_str().is_none() && (entry.path().is_dir() || is_picture(&name)) {
                return Err(SetError::Name { path: entry.path() });
            }
            let (path, relative) = (entry.path(), format!("{prefix}{name}"));
            // Follows links; a dangling one is nothing.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_dir() && depth > 0 {
                self.folder(&path, &format!("{relative}/"), depth - 1)?;
            } else if metadata.is_file() && is_picture(&name) {
                self.found.push((relative, 0));
            } else if metadata.is_file() {
                // Of several, the first by name, so that the message is the same each time.
                self.other = Some(self.other.take().map_or(relative.clone(), |o| o.min(relative)));
            }
        }
        self.above.pop();
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_that_lead_in_circles_and_what_is_no_file_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        for class in ["cat", "dog"] {
            let folder = root.path().join(class);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("1.png"), "x").unwrap();
            for link in 0..12 {
                symlink(root.path(), folder.join(format!("up{link}"))).unwrap();
                symlink("/dev/zero", folder.join(format!("zero{link}.png"))).unwrap();
            }
        }
        let mut found = list(root.path()).unwrap();
        found.sort();
        assert_eq!(found, [("cat/1.png".to_owned(), 0), ("dog/1.png".to_owned(), 0)]);
    }

    #[test]
    fn links_among_many_folders_are_not_followed_for_ever() {
        let root = tempfile::tempdir().unwrap();
        let name = |i: usize| root.path().join(format!("f{i}"));
        (0..12).for_each(|i| std::fs::create_dir(name(i)).unwrap());
        for (i, j) in (0..12).flat_map(|i| (0..12).map(move |j| (i, j))) {
            symlink(name(j), name(i).join(format!("l{j}"))).unwrap();
        }
        let refused = list(root.path()).unwrap_err();
        assert!(matches!(refused, SetError::Folder { .. }), "{refused}");
    }
}
