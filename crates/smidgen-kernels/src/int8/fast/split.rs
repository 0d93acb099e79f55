//! The arena with a kernel's scratch cut out of it, so that both can be borrowed at once.

use core::ops::Range;

/// The arena without its scratch.
pub(super) struct Rest<'a> {
    low: &'a mut [i8],
    high: &'a mut [i8],
    high_start: usize,
}

/// Cuts `scratch` (elements of the arena, its start aligned for 16 bits) out of the arena.
///
/// # Panics
/// If the range is not inside the arena or not aligned.
pub(super) fn split(arena: &mut [i8], scratch: Range<usize>) -> (Rest<'_>, &mut [i16]) {
    let (head, high) = arena.split_at_mut(scratch.end);
    let (low, middle) = head.split_at_mut(scratch.start);
    (Rest { low, high, high_start: scratch.end }, bytemuck::cast_slice_mut(middle))
}

impl Rest<'_> {
    /// `len` elements from index `at` of the arena on.
    ///
    /// # Panics
    /// If they are not all on one side of the scratch.
    #[inline]
    pub fn span(&self, at: usize, len: usize) -> &[i8] {
        if at < self.high_start { &self.low[at..at + len] } else { &self.high[at - self.high_start..][..len] }
    }

    /// Like [`span`](Self::span), to write.
    #[inline]
    pub fn span_mut(&mut self, at: usize, len: usize) -> &mut [i8] {
        if at < self.high_start { &mut self.low[at..at + len] } else { &mut self.high[at - self.high_start..][..len] }
    }
}
