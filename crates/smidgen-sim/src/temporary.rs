//! The folder for what a run exchanges with the emulator.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder for temporary files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the temporary folder `{}`", smidgen_ir::visible_path(folder))]
pub struct TemporaryError {
    /// The folder.
    pub folder: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl TemporaryError {
    /// The system's folder for temporary files is at fault.
    pub(crate) fn new(source: io::Error) -> Self {
        Self { folder: std::env::temp_dir(), source }
    }

    /// What the user can do about it.
    pub(crate) fn help(&self) -> String {
        let first = match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space there, or name",
            _ => "name",
        };
        format!("{first} another folder in the variable TMPDIR (TMP on Windows)")
    }
}

/// A fresh folder that disappears with the value.
pub(crate) fn folder() -> Result<TempDir, TemporaryError> {
    tempfile::tempdir().map_err(TemporaryError::new)
}

/// An error if a folder has not room for so many bytes: the emulator and the firmware cannot say why they write less than they should.
pub(crate) fn room(folder: &Path, bytes: usize) -> Result<(), TemporaryError> {
    static BLOCK: [u8; 1 << 16] = [0x55; 1 << 16];
    let probe = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        for _ in 0..bytes.div_ceil(BLOCK.len()) {
            file.write_all(&BLOCK)?;
        }
        file.as_file().sync_all()
    };
    probe().map_err(TemporaryError::new)
}
