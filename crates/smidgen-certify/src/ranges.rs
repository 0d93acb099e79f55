//! Sets of byte addresses.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of addresses as disjoint ranges that do not touch.
#[derive(Clone, Default)]
pub(super) struct Ranges {
    /// First address to one past the last.
    ends: BTreeMap<usize, usize>,
    len: usize,
}

impl Ranges {
    /// Adds or takes out a range.
    pub fn set(&mut self, from: usize, to: usize, value: bool) {
        if from >= to {
            return;
        }
        let (mut start, mut end) = (from, to);
        // Whatever touches the range goes; what sticks out at either end comes back, or is joined.
        while let Some((&s, &e)) = self.ends.range(..=to).next_back()
            && e >= from
        {
            self.ends.remove(&s);
            self.len -= e - s;
            (start, end) = (start.min(s), end.max(e));
        }
        if value {
            self.insert(start, end);
        } else {
            self.insert(start, from);
            self.insert(to, end);
        }
    }

    fn insert(&mut self, from: usize, to: usize) {
        if from < to {
            self.ends.insert(from, to);
            self.len += to - from;
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of addresses of a range that are no members.
    pub fn missing(&self, from: usize, to: usize) -> usize {
        let before = self.ends.range(..from).next_back();
        let met = before.into_iter().chain(self.ends.range(from..to.max(from)));
        let present: usize = met.map(|(&s, &e)| e.min(to).saturating_sub(s.max(from))).sum();
        to.saturating_sub(from) - present
    }

    /// From the first member to one past the last.
    pub fn hull(&self) -> Option<Range<usize>> {
        Some(*self.ends.first_key_value()?.0..*self.ends.last_key_value()?.1)
    }

    /// The ranges, ascending.
    pub fn to_vec(&self) -> Vec<Range<usize>> {
        self.ends.iter().map(|(&start, &end)| start..end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_single_addresses_would_be() {
        let mut seed = 3u32;
        let mut draw = |n: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % n
        };
        let (mut ranges, mut simple) = (Ranges::default(), vec![false; 50]);
        for _ in 0..20_000 {
            let from = draw(50);
            let to = from + draw(51 - from);
            let value = draw(2) == 0;
            ranges.set(from, to, value);
            simple[from..to].fill(value);
            let members: Vec<usize> = ranges.to_vec().into_iter().flatten().collect();
            assert_eq!(members, (0..50).filter(|&i| simple[i]).collect::<Vec<_>>());
            assert!(ranges.to_vec().windows(2).all(|w| w[0].end < w[1].start));
            assert_eq!(ranges.len(), members.len());
            assert_eq!(ranges.hull(), members.first().map(|&first| first..members[members.len() - 1] + 1));
            let from = draw(50);
            let to = from + draw(51 - from);
            assert_eq!(ranges.missing(from, to), simple[from..to].iter().filter(|&&member| !member).count());
        }
    }
}
