//! Pictures in a `.tar` or `.tar.gz`, read as a stream: nothing is unpacked to disk, and only what is asked for is kept.

use super::SetError;
use super::layout::{is_hidden, is_picture};
use crate::Error;
use crate::files::FileError;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{IntoIter, sync_channel};

/// Bytes that one picture may take.
const MAX_ENTRY_BYTES: u64 = 64 << 20;
/// Entries read ahead of whoever takes them.
const AHEAD: usize = 64;

const GZIP: &[u8] = b"\x1f\x8b";

/// True if a file that begins like this is a tar archive, compressed or not.
pub(super) fn recognises(first: &[u8]) -> bool {
    first.starts_with(GZIP) || first.get(257..262) == Some(b"ustar")
}

fn open(path: &Path) -> Result<tar::Archive<Box<dyn Read + Send>>, Error> {
    let fail = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let mut magic = [0; GZIP.len()];
    let compressed = file.read_exact(&mut magic).is_ok() && magic == GZIP;
    file.rewind().map_err(fail)?;
    let file = BufReader::with_capacity(1 << 16, file);
    let reader: Box<dyn Read + Send> = if compressed {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    };
    Ok(tar::Archive::new(reader))
}

/// The path of an entry with `/` between its parts; `None` for what is no picture.
fn picture(entry: &tar::Entry<impl Read>) -> Option<String> {
    if !entry.header().entry_type().is_file() {
        return None;
    }
    let path = String::from_utf8(entry.path_bytes().into_owned()).ok()?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let name = parts.last()?;
    (is_picture(name) && !parts.iter().any(|part| is_hidden(part))).then(|| parts.join("/"))
}

/// The paths of all pictures, and the index of each among the archive's entries.
pub(super) fn list(path: &Path) -> Result<Vec<(String, usize)>, Error> {
    let damaged = |error: io::Error| SetError::Archive { path: path.to_owned(), reason: error.to_string() };
    let (mut found, mut other) = (Vec::new(), None);
    for (index, entry) in open(path)?.entries().map_err(damaged)?.enumerate() {
        let entry = entry.map_err(damaged)?;
        match picture(&entry) {
            Some(name) => found.push((name, index)),
            None if entry.header().entry_type().is_file() && other.is_none() => {
                other = Some(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
            }
            None => {}
        }
    }
    if found.is_empty() {
        return Err(SetError::NoPictures { path: path.to_owned(), found: other }.into());
    }
    Ok(found)
}

/// Reads the entries of these indices, each with the number that it stands for, in the archive's order.
pub(super) fn read(path: PathBuf, places: BTreeMap<usize, usize>) -> IntoIter<Result<(usize, Vec<u8>), Error>> {
    let (send, receive) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        let outcome = stream(&path, places, &mut |item| send.send(Ok(item)).is_ok());
        if let Err(error) = outcome {
            // Whoever stopped listening does not want to know.
            let _ = send.send(Err(error));
        }
    });
    receive.into_iter()
}

fn stream(
    path: &Path,
    places: BTreeMap<usize, usize>,
    take: &mut dyn FnMut((usize, Vec<u8>)) -> bool,
) -> Result<(), Error> {
    let damaged = |error: io::Error| SetError::Archive { path: path.to_owned(), reason: error.to_string() };
    let Some((&last, _)) = places.last_key_value() else { return Ok(()) };
    for (index, entry) in open(path)?.entries().map_err(damaged)?.enumerate() {
        let entry = entry.map_err(damaged)?;
        if let Some(&number) = places.get(&index) {
            let mut bytes = Vec::new();
            entry.take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).map_err(damaged)?;
            if !take((number, bytes)) {
                break;
            }
        }
        if index == last {
            break;
        }
    }
    Ok(())
}
