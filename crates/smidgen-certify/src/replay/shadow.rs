//! A shadow of the arena: for every byte, which byte of what lies there.

use std::collections::BTreeMap;

/// What a byte of the arena holds. Byte `i` of a tensor, row-major, has the tensor's first tag plus `i`, and so has byte `i` of a step's scratch
/// or state: bytes that lie together are right when their tags count upwards.
pub(super) type Tag = u64;

/// Never written, or scratch of a run that is over.
pub(super) const UNDEFINED: Tag = 0;

/// Tags of the whole arena, kept as the longest stretches in which they count upwards. However long a piece is, looking at it or
/// writing it takes time in proportion to the stretches that it touches alone.
#[derive(Default)]
pub(super) struct Shadow {
    /// By their first byte: one past the last byte, and the first byte's tag.
    stretches: BTreeMap<usize, (usize, Tag)>,
}

impl Shadow {
    /// The tag of one byte.
    pub fn tag(&self, address: usize) -> Tag {
        match self.stretches.range(..=address).next_back() {
            Some((&start, &(end, tag))) if address < end => tag + (address - start) as Tag,
            _ => UNDEFINED,
        }
    }

    /// The first of `len` bytes whose tags do not count upwards from `tag`.
    pub fn first_wrong(&self, from: usize, len: usize, tag: Tag) -> Option<usize> {
        // Stretches are as long as can be: right bytes lie in a single one.
        let right = match self.stretches.range(..=from).next_back() {
            Some((&start, &(end, first))) if from < end && first + (from - start) as Tag == tag => end,
            _ => from,
        };
        (right < from + len).then_some(right)
    }

    /// Gives `len` bytes the tags from `tag` on. Calls `lost` with the first tag of each stretch, or part of one, that is overwritten.
    pub fn set(&mut self, from: usize, len: usize, tag: Tag, lost: impl FnMut(Tag)) {
        if len == 0 {
            return;
        }
        self.clear(from, len, lost);
        let (mut start, mut end, mut first) = (from, from + len, tag);
        if let Some((&before, &(until, earlier))) = self.stretches.range(..from).next_back()
            && until == from
            && earlier + (from - before) as Tag == tag
        {
            (start, first) = (before, earlier);
        }
        if let Some(&(until, later)) = self.stretches.get(&end)
            && later == tag + len as Tag
        {
            self.stretches.remove(&end);
            end = until;
        }
        self.stretches.insert(start, (end, first));
    }

    /// Makes `len` bytes undefined; `lost` as in [`set`](Self::set).
    pub fn clear(&mut self, from: usize, len: usize, mut lost: impl FnMut(Tag)) {
        let to = from + len;
        if let Some((&start, &(end, tag))) = self.stretches.range(..from).next_back()
            && end > from
            && len > 0
        {
            lost(tag + (from - start) as Tag);
            self.stretches.insert(start, (from, tag));
            if end > to {
                self.stretches.insert(to, (end, tag + (to - start) as Tag));
            }
        }
        while let Some((&start, &(end, tag))) = self.stretches.range(from..to).next() {
            lost(tag);
            self.stretches.remove(&start);
            if end > to {
                self.stretches.insert(to, (end, tag + (to - start) as Tag));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a tag for each byte, on random pieces.
    #[test]
    fn stretches_hold_what_single_bytes_would() {
        let mut seed = 7u32;
        let mut draw = |n: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % n
        };
        let (mut shadow, mut simple) = (Shadow::default(), vec![UNDEFINED; 40]);
        for _ in 0..20_000 {
            let from = draw(40);
            let len = draw(41 - from);
            // Few different tags, so that neighbours often go on counting.
            let tag = (1 + draw(3) * 8 + from) as Tag;
            match draw(3) {
                0 => {
                    shadow.clear(from, len, |_| {});
                    simple[from..from + len].fill(UNDEFINED);
                }
                _ => {
                    shadow.set(from, len, tag, |_| {});
                    (simple[from..from + len].iter_mut().enumerate()).for_each(|(i, byte)| *byte = tag + i as Tag);
                }
            }
            assert!((0..40).all(|i| shadow.tag(i) == simple[i]));
            let (from, tag) = (draw(20), (1 + draw(24)) as Tag);
            let wrong = (0..20).find(|&i| simple[from + i] != tag + i as Tag);
            assert_eq!(shadow.first_wrong(from, 20, tag), wrong.map(|i| from + i));
        }
    }
}
