//! Bytes at an alignment that every element type is content with.

use smidgen_kernels::Arena;
use smidgen_program::kernel::Memory;

/// Bytes whose first one lies at a multiple of 16.
#[derive(Clone, Debug)]
pub(crate) struct Aligned {
    words: Vec<u128>,
    len: usize,
}

impl Aligned {
    /// `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(16)], len }
    }

    /// Slices joined one after the other, each at a multiple of 16, and where each begins.
    pub fn joined<'a>(parts: impl IntoIterator<Item = &'a [u8]> + Clone) -> (Self, Vec<usize>) {
        let mut end = 0usize;
        let mut starts = Vec::new();
        for part in parts.clone() {
            starts.push(end);
            end = (end + part.len()).next_multiple_of(16);
        }
        let mut all = Self::zeroed(end);
        for (part, &start) in parts.into_iter().zip(&starts) {
            all.bytes_mut()[start..start + part.len()].copy_from_slice(part);
        }
        (all, starts)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    /// The bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }
}

impl Memory for Aligned {
    fn arena<T: bytemuck::Pod>(&mut self) -> Arena<'_, T> {
        let whole = self.len / size_of::<T>() * size_of::<T>();
        Arena::new(bytemuck::cast_slice_mut(&mut self.bytes_mut()[..whole]))
    }
}
