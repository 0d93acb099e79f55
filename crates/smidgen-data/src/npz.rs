//! `.npz`: a ZIP archive with one `.npy` file for each array.

use crate::array::Array;
use crate::folder::zipped;
use crate::npy::{self, NpyError};
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// The first bytes of every ZIP archive that holds something.
pub const MAGIC: &[u8] = b"PK";

/// Bytes that the arrays of an archive may unpack to, together, ...
const MAX_BYTES: u64 = 256 << 20;
/// ... or so many times the archive's own bytes, whichever is more: measured data packs far less, and a megabyte of ZIP can promise a
/// gigabyte.
const MAX_RATIO: u64 = 100;

/// Why an archive, or an array of it, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// Not a ZIP archive, or a damaged one.
    #[error("not a NumPy archive (.npz): it is not a readable ZIP file")]
    Zip(#[source] zip::result::ZipError),
    /// An entry that cannot be unpacked.
    #[error("the array `{name}` cannot be unpacked")]
    Entry {
        /// The array's name.
        name: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Entries that unpack to far more than the archive's size.
    #[error(
        "up to the array `{name}` the archive of {packed} bytes unpacks to more than {most} bytes, the most that is unpacked of it"
    )]
    TooLarge {
        /// The array's name.
        name: String,
        /// Bytes of the archive.
        packed: u64,
        /// What its arrays may unpack to.
        most: u64,
    },
    /// An entry that is not an array.
    #[error("the array `{name}` cannot be read")]
    Npy {
        /// The array's name.
        name: String,
        /// What went wrong.
        source: NpyError,
    },
}

/// A `.npz` file; each array is unpacked when asked for.
#[derive(Debug)]
pub struct Archive {
    zip: ZipArchive<Cursor<Vec<u8>>>,
    names: Vec<String>,
    /// Bytes of the archive.
    packed: u64,
    /// For each entry, what it has unpacked to.
    unpacked: Vec<u64>,
}

impl Archive {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// If the bytes are not a ZIP archive.
    pub fn new(bytes: Vec<u8>) -> Result<Self, NpzError> {
        let packed = bytes.len() as u64;
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(NpzError::Zip)?;
        let names = (0..zip.len())
            .filter_map(|i| zip.name_for_index(i)?.ok()?.strip_suffix(".npy").map(str::to_owned))
            .collect();
        let unpacked = vec![0; zip.len()];
        Ok(Self { zip, names, packed, unpacked })
    }

    /// The arrays' names, in the archive's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The array with this name, or `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be unpacked or is not an array that smidgen reads.
    pub fn get(&mut self, name: &str) -> Result<Option<Array>, NpzError> {
        let Some(index) = self.zip.index_for_name(&format!("{name}.npy")) else { return Ok(None) };
        let most = MAX_BYTES.max(self.packed.saturating_mul(MAX_RATIO));
        let others: u64 = self.unpacked.iter().sum::<u64>() - self.unpacked[index];
        let left = most.saturating_sub(others);
        let too_large = || NpzError::TooLarge { name: name.to_owned(), packed: self.packed, most };
        let entry = self.zip.by_index(index).map_err(NpzError::Zip)?;
        if entry.size() > left {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        // The limit holds for what comes out, whatever the directory says.
        entry
            .take(left + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| NpzError::Entry { name: name.to_owned(), source })?;
        if bytes.len() as u64 > left {
            return Err(too_large());
        }
        self.unpacked[index] = bytes.len() as u64;
        npy::parse(bytes).map(Some).map_err(|source| NpzError::Npy { name: name.to_owned(), source })
    }
}

/// The bytes of an archive of these arrays. The same arrays give the same bytes.
pub fn to_bytes(arrays: &[(String, Array)]) -> Vec<u8> {
    // Entries carry a fixed date (ZIP's earliest), not the time of writing.
    zipped(arrays.iter().map(|(name, array)| (format!("{name}.npy"), npy::to_bytes(array))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    fn two() -> Vec<(String, Array)> {
        vec![
            ("input_0".into(), Array::from_i8(&[1, 3], &[1, -2, 3])),
            ("output_0_0".into(), Array::from_f32(&[2], &[0.5, -0.25])),
        ]
    }

    #[test]
    fn what_is_written_reads_back_and_is_the_same_each_time() {
        let bytes = to_bytes(&two());
        assert_eq!(bytes, to_bytes(&two()));
        let mut archive = Archive::new(bytes).unwrap();
        assert_eq!(archive.names(), ["input_0", "output_0_0"]);
        for (name, array) in two() {
            assert_eq!(archive.get(&name).unwrap(), Some(array));
        }
        assert_eq!(archive.get("input_1").unwrap(), None);
    }

    #[test]
    fn an_archive_that_unpacks_to_far_more_than_its_size_is_refused_before_it_is_unpacked() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let block = vec![0; 1 << 20];
        for name in ["a.npy", "b.npy"] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            (0..160).for_each(|_| zip.write_all(&block).unwrap());
        }
        let bytes = zip.finish().unwrap().into_inner();
        assert!(bytes.len() < 1 << 20);
        let mut archive = Archive::new(bytes).unwrap();
        // One is within the limit (and no array); both are not, but the first may be read again.
        assert!(matches!(archive.get("a"), Err(NpzError::Npy { .. })));
        assert!(matches!(archive.get("a"), Err(NpzError::Npy { .. })));
        let refused = archive.get("b").unwrap_err();
        assert!(matches!(refused, NpzError::TooLarge { .. }), "{refused}");
        assert!(refused.to_string().contains("`b`"), "{refused}");
    }

    #[test]
    fn damage_is_an_error() {
        assert!(matches!(Archive::new(b"not a zip".to_vec()), Err(NpzError::Zip(_))));
        let whole = to_bytes(&two());
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            if let Ok(mut archive) = Archive::new(bytes) {
                for name in archive.names().to_vec() {
                    let _ = archive.get(&name);
                }
            }
            let _ = Archive::new(whole[..at].to_vec());
        }
        let mut entry = ZipWriter::new(Cursor::new(Vec::new()));
        entry.start_file("a.npy", SimpleFileOptions::default()).unwrap();
        entry.write_all(b"text").unwrap();
        let mut archive = Archive::new(entry.finish().unwrap().into_inner()).unwrap();
        assert!(matches!(archive.get("a"), Err(NpzError::Npy { source: NpyError::Magic, .. })));
    }
}
