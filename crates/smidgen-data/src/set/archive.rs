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
/// Entries that wait for whoever takes them, beyond those of the pass that is under way.
const AHEAD: usize = 64;
/// Entries that the first pass over an archive keeps; each further one keeps twice as many as the one before.
const FIRST_PASS: usize = 256;
/// Bytes that one pass keeps, unless a single entry takes more.
const PASS_BYTES: u64 = 256 << 20;

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

/// The paths of all pictures with the index of each among the archive's entries, and the bytes of these.
pub(super) type Listing = (Vec<(String, usize)>, BTreeMap<usize, u64>);

/// Lists all pictures.
pub(super) fn list(path: &Path) -> Result<Listing, Error> {
    let damaged = |error: io::Error| SetError::Archive { path: path.to_owned(), reason: error.to_string() };
    let (mut found, mut sizes, mut other) = (Vec::new(), BTreeMap::new(), None);
    for (index, entry) in open(path)?.entries().map_err(damaged)?.enumerate() {
        let entry = entry.map_err(damaged)?;
        if index == MAX_ENTRIES {
            let reason = format!("it has more than {MAX_ENTRIES} entries");
            return Err(SetError::Archive { path: path.to_owned(), reason }.into());
        }
        match picture(&entry) {
            Some(name) => {
                sizes.insert(index, entry.size());
                found.push((name, index));
            }
            None if entry.header().entry_type().is_file() && other.is_none() => {
                other = Some(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
            }
            None => {}
        }
    }
    if found.is_empty() {
        return Err(SetError::NoPictures { path: path.to_owned(), found: other }.into());
    }
    Ok((found, sizes))
}

/// An entry to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Its index among the archive's entries.
    pub place: usize,
    /// The number that it stands for.
    pub number: usize,
    /// How long it is.
    pub bytes: u64,
}

/// Reads these entries in this order, each with the number that it stands for.
///
/// An archive can only be read from its beginning. So each pass over it keeps as many of the next entries as memory is
/// granted for, and few at first, since whoever takes them may stop early.
pub(super) fn read(path: PathBuf, wanted: Vec<Wanted>) -> IntoIter<Result<(usize, Vec<u8>), Error>> {
    let (send, receive) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        for pass in passes(&wanted) {
            match stream(&path, pass) {
                Ok(entries) => {
                    for entry in entries {
                        if send.send(Ok(entry)).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    // Whoever stopped listening does not want to know.
                    let _ = send.send(Err(error));
                    return;
                }
            }
        }
    });
    receive.into_iter()
}

/// What each pass over the archive keeps.
fn passes(mut wanted: &[Wanted]) -> Vec<&[Wanted]> {
    let (mut passes, mut most) = (Vec::new(), FIRST_PASS);
    while !wanted.is_empty() {
        let mut bytes = 0u64;
        let fits = |entry: &&Wanted| {
            bytes = bytes.saturating_add(entry.bytes.min(MAX_ENTRY_BYTES));
            bytes <= PASS_BYTES
        };
        let count = wanted.iter().take(most).take_while(fits).count().max(1);
        let (pass, rest) = wanted.split_at(count);
        passes.push(pass);
        (wanted, most) = (rest, most.saturating_mul(2));
    }
    passes
}

/// Reads the entries of one pass.
fn stream(path: &Path, wanted: &[Wanted]) -> Result<Vec<(usize, Vec<u8>)>, Error> {
    let damaged = |reason: String| SetError::Archive { path: path.to_owned(), reason };
    let Some(last) = wanted.iter().map(|entry| entry.place).max() else { return Ok(Vec::new()) };
    let mut found: BTreeMap<usize, Vec<u8>> = wanted.iter().map(|entry| (entry.place, Vec::new())).collect();
    let mut archive = open(path)?;
    let entries = archive.entries().map_err(|error| damaged(error.to_string()))?;
    let mut read = 0;
    for (index, entry) in entries.enumerate().take(last + 1) {
        let entry = entry.map_err(|error| damaged(error.to_string()))?;
        if let Some(bytes) = found.get_mut(&index) {
            entry.take(MAX_ENTRY_BYTES).read_to_end(bytes).map_err(|error| damaged(error.to_string()))?;
            read += 1;
        }
    }
    if read < found.len() {
        return Err(damaged("it has become shorter while it was read".into()).into());
    }
    Ok(wanted.iter().map(|entry| (entry.number, found.remove(&entry.place).unwrap_or_default())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn passes_grow_and_keep_within_their_bytes() {
        let of = |count: usize, bytes: u64| -> Vec<usize> {
            let wanted: Vec<Wanted> = (0..count).map(|i| Wanted { place: i, number: i, bytes }).collect();
            let passes = passes(&wanted);
            assert_eq!(passes.concat().len(), count);
            passes.iter().map(|pass| pass.len()).collect()
        };
        assert_eq!(of(1000, 100), [256, 512, 232]);
        assert_eq!(of(9, 64 << 20), [4, 4, 1]);
        assert_eq!(of(2, u64::MAX), [2]);
        assert!(of(0, 1).is_empty());
    }

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
        let (found, _) = list(zeros(tar::EntryType::Regular, 4).path()).unwrap();
        assert_eq!(found, [("a/1.png".to_owned(), 0)]);
    }

    #[test]
    fn links_and_devices_in_an_archive_are_no_pictures() {
        for kind in [tar::EntryType::Symlink, tar::EntryType::Char, tar::EntryType::Fifo] {
            assert!(matches!(list(zeros(kind, 0).path()), Err(Error::Set(SetError::NoPictures { .. }))));
        }
    }
}
