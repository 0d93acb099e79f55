//! A bound on memory in proportion to the file.
//!
//! A FlatBuffer's tables may point at each other's bytes, so a small file can describe a huge graph: a million operators that all
//! share one vector of a million inputs. Whatever is copied is therefore charged before it is allocated.

use crate::error::ReadError;
use std::cell::Cell;

/// Bytes of memory granted for each byte of the file. Networks in the wild need less than 3, tiny ones 10.
const FACTOR: usize = 16;
/// Bytes granted to every file.
const BASE: usize = 64 * 1024;

/// What is left of the grant.
pub(super) struct Budget {
    limit: usize,
    left: Cell<usize>,
}

impl Budget {
    pub(super) fn for_file(bytes: usize) -> Self {
        let limit = bytes.saturating_mul(FACTOR).saturating_add(BASE);
        Self { limit, left: Cell::new(limit) }
    }

    /// Takes `bytes`, or says that the file asks for too much.
    pub(super) fn take(&self, bytes: usize) -> Result<(), ReadError> {
        let left = self.left.get().checked_sub(bytes).ok_or(ReadError::Inflated { limit: self.limit })?;
        self.left.set(left);
        Ok(())
    }
}
