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
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{IntoIter, sync_channel};

/// Bytes that one picture may take.
const MAX_ENTRY_BYTES: u64 = 64 << 20;
/// Entries read ahead of whoever takes them.
const AHEAD: usize = 64;

/// Bytes that an archive may unpack to, ...
const MAX_BYTES: u64 = 256 << 20;
/// ... or so many times what has been read of it, whichever is more: pictures are compressed already.
const MAX_RATIO: u64 = 100;
/// Entries of an archive.
const MAX_ENTRIES: usize = 4_000_000;

const GZIP: &[u8] = b"\x1f\x8b";

/// True if a file that begins like this is a tar archive, compressed or not.
pub(super) fn recognises(first: &[u8]) -> bool {
    first.starts_with(GZIP) || first.get(257..262) == Some(b"ustar")
}

/// Counts the bytes that pass.
struct Counted<R> {
    reader: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Ends with an error where far more comes out than went in.
struct Guarded<R> {
    reader: R,
    packed: Arc<AtomicU64>,
    unpacked: u64,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.unpacked += read as u64;
        let packed = self.packed.load(Ordering::Relaxed);
        if self.unpacked > MAX_BYTES.max(packed.saturating_mul(MAX_RATIO)) {
            let what = format!("{packed} bytes of it unpack to more than {} bytes", self.unpacked - read as u64);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(read)
    }
}

fn open(path: &Path) -> Result<tar::Archive<Box<dyn Read + Send>>, Error> {
    let fail = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let mut magic = [0; GZIP.len()];
    let compressed = file.read_exact(&mut magic).is_ok() && magic == GZIP;
    file.rewind().map_err(fail)?;
    let file = BufReader::with_capacity(1 << 16, file);
    let reader: Box<dyn Read + Send> = if compressed {
        let packed = Arc::new(AtomicU64::new(0));
        let file = Counted { reader: file, bytes: Arc::clone(&packed) };
        let reader = MultiGzDecoder::new(file);
        Box::new(BufReader::with_capacity(1 << 16, Guarded { reader, packed, unpacked: 0 }))
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
        if index == MAX_ENTRIES {
            let reason = format!("it has more than {MAX_ENTRIES} entries");
            return Err(SetError::Archive { path: path.to_owned(), reason }.into());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// An archive whose only entry holds so many MiB of zeros.
    fn zeros(kind: tar::EntryType, mebibytes: u64) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_path("a/1.png").unwrap();
        header.set_size(mebibytes << 20);
        header.set_entry_type(kind);
        header.set_cksum();
        let mut packed = GzEncoder::new(&mut file, Compression::fast());
        packed.write_all(header.as_bytes()).unwrap();
        let block = vec![0; 1 << 20];
        (0..mebibytes).for_each(|_| packed.write_all(&block).unwrap());
        packed.write_all(&[0; 1024]).unwrap();
        packed.finish().unwrap();
        file
    }

    #[test]
    fn what_unpacks_to_far_more_than_its_size_is_refused() {
        // As a picture, and as the name of one, which is read as a whole.
        for kind in [tar::EntryType::Regular, tar::EntryType::GNULongName] {
            let bomb = zeros(kind, 300);
            let refused = list(bomb.path()).unwrap_err();
            assert!(refused.to_string().contains("unpack to more than"), "{refused}");
        }
        assert_eq!(list(zeros(tar::EntryType::Regular, 4).path()).unwrap(), [("a/1.png".to_owned(), 0)]);
    }

    #[test]
    fn links_and_devices_in_an_archive_are_no_pictures() {
        for kind in [tar::EntryType::Symlink, tar::EntryType::Char, tar::EntryType::Fifo] {
            assert!(matches!(list(zeros(kind, 0).path()), Err(Error::Set(SetError::NoPictures { .. }))));
        }
    }
}
