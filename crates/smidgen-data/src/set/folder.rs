//! Pictures in a folder and the folders in it.

use super::SetError;
use super::layout::{is_hidden, is_picture};
use std::path::Path;

/// Folders within folders that are looked into. Ends the search in a link to a folder above.
const MAX_DEPTH: usize = 6;

/// The paths of all pictures, relative to the folder, with `/` between their parts. Places mean nothing here.
pub(super) fn list(root: &Path) -> Result<Vec<(String, usize)>, SetError> {
    let (mut found, mut other) = (Vec::new(), None);
    walk(root, "", MAX_DEPTH, &mut found, &mut other)?;
    if found.is_empty() {
        return Err(SetError::NoPictures { path: root.to_owned(), found: other });
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, usize)>,
    other: &mut Option<String>,
) -> Result<(), SetError> {
    let fail = |error: std::io::Error| SetError::Folder { path: folder.to_owned(), reason: error.to_string() };
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
            walk(&path, &format!("{relative}/"), depth - 1, found, other)?;
        } else if metadata.is_file() && is_picture(&name) {
            found.push((relative, 0));
        } else if metadata.is_file() {
            // Of several, the first by name, so that the message is the same each time.
            *other = Some(other.take().map_or(relative.clone(), |o| o.min(relative)));
        }
    }
    Ok(())
}
