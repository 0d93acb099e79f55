//! Samples decoded once: as many as memory is granted for stay there, the others lie in a temporary file that nobody
//! sees and that disappears with the process.
//!
//! A sample is a record of a fixed number of bytes and has a place that does not depend on who decodes it when: what is
//! read is the same for any number of threads, and for any amount of memory.

use crate::files::FileError;
use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Records of equal length, each written once.
#[derive(Debug)]
pub struct Cache {
    /// Bytes of a record.
    record: usize,
    /// The first records.
    memory: Vec<OnceLock<Box<[u8]>>>,
    /// The others, one after another.
    file: Option<Mutex<File>>,
}

impl Cache {
    /// Room for so many records of so many bytes, of which at most `limit` bytes lie in memory. The file lies in the
    /// system's folder for temporary files (`TMPDIR`).
    ///
    /// # Errors
    /// If there has to be a file and none can be made.
    pub fn new(records: usize, record: usize, limit: u64) -> Result<Self, FileError> {
        let fitting = usize::try_from(limit / record.max(1) as u64).unwrap_or(usize::MAX).min(records);
        let file = if fitting < records { Some(Mutex::new(tempfile::tempfile().map_err(failed)?)) } else { None };
        Ok(Self { record, memory: (0..fitting).map(|_| OnceLock::new()).collect(), file })
    }

    /// Bytes of a record.
    pub fn record(&self) -> usize {
        self.record
    }

    /// Records that lie in memory, the first ones.
    pub fn in_memory(&self) -> usize {
        self.memory.len()
    }

    /// Keeps record `at`.
    ///
    /// # Errors
    /// If the disk is full.
    ///
    /// # Panics
    /// If it has another length.
    pub fn put(&self, at: usize, bytes: Vec<u8>) -> Result<(), FileError> {
        assert_eq!(bytes.len(), self.record, "bytes of a record");
        if let Some(place) = self.memory.get(at) {
            // Whoever wrote it before has written the same.
            let _ = place.set(bytes.into_boxed_slice());
            return Ok(());
        }
        self.at(at, |file| file.write_all(&bytes))
    }

    /// Record `at`, if it lies in memory.
    pub fn held(&self, at: usize) -> Option<&[u8]> {
        self.memory.get(at)?.get().map(|bytes| &**bytes)
    }

    /// Record `at` of the file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn fetch(&self, at: usize) -> Result<Vec<u8>, FileError> {
        let mut bytes = vec![0; self.record];
        match self.held(at) {
            Some(held) => bytes.copy_from_slice(held),
            None => self.at(at, |file| file.read_exact(&mut bytes))?,
        }
        Ok(bytes)
    }

    /// Does something at the place of a record in the file.
    fn at(&self, at: usize, work: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), FileError> {
        let (Some(file), Some(place)) = (&self.file, at.checked_sub(self.memory.len())) else {
            let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such sample");
            return Err(failed(missing));
        };
        let place = place as u64 * self.record as u64;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place)).and_then(|_| work(&mut file)).map_err(failed)
    }
}

fn failed(source: io::Error) -> FileError {
    FileError::Cache { path: env::temp_dir(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_from_memory_and_from_the_file() {
        for limit in [0, 9, 10, 55, 1000] {
            let cache = Cache::new(12, 10, limit).unwrap();
            assert_eq!(cache.in_memory(), (limit as usize / 10).min(12));
            // In any order.
            for at in [7, 0, 11, 3, 1, 2, 10, 9, 8, 6, 5, 4] {
                cache.put(at, vec![at as u8; 10]).unwrap();
            }
            for at in 0..12 {
                assert_eq!(cache.fetch(at).unwrap(), [at as u8; 10]);
                assert_eq!(cache.held(at).is_some(), at < cache.in_memory());
            }
        }
        let unwritten = Cache::new(2, 4, 4).unwrap();
        for at in 0..2 {
            assert!(matches!(unwritten.fetch(at), Err(FileError::Cache { .. })));
        }
    }
}
