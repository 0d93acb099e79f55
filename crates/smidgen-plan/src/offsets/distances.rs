//! The least distance for each ordered pair of objects that are ever live together.

use super::FREE;

/// Objects up to which a square table is kept: 40 MiB. As many can be live together; of more objects few pairs are, and only those are kept.
const SQUARE: usize = 2304;

/// Distances of ordered pairs; [`FREE`] for those that nobody has restricted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Distances {
    /// `table[below * n + above]`.
    Square { n: usize, table: Vec<isize> },
    /// For each object below, those above it with their distances, ascending.
    Lists(Vec<Vec<(u32, isize)>>),
}

impl Distances {
    /// Of so many objects, none of which are restricted.
    pub fn new(n: usize) -> Self {
        if n <= SQUARE { Self::Square { n, table: vec![FREE; n * n] } } else { Self::Lists(vec![Vec::new(); n]) }
    }

    /// The distance where `above` lies above `below`.
    pub fn get(&self, below: usize, above: usize) -> isize {
        match self {
            Self::Square { n, table } => table[below * n + above],
            Self::Lists(lists) => {
                let list = &lists[below];
                list.binary_search_by_key(&(above as u32), |entry| entry.0).map_or(FREE, |at| list[at].1)
            }
        }
    }

    /// Demands at least so many bytes.
    pub fn require(&mut self, below: usize, above: usize, bytes: isize) {
        match self {
            Self::Square { n, table } => {
                let distance = &mut table[below * *n + above];
                *distance = (*distance).max(bytes);
            }
            Self::Lists(lists) => {
                let list = &mut lists[below];
                match list.binary_search_by_key(&(above as u32), |entry| entry.0) {
                    Ok(at) => list[at].1 = list[at].1.max(bytes),
                    Err(at) => list.insert(at, (above as u32, bytes)),
                }
            }
        }
    }

    /// The objects above `below` whose distance is restricted, ascending.
    pub fn above(&self, below: usize) -> impl Iterator<Item = usize> + '_ {
        let (table, list): (&[isize], &[(u32, isize)]) = match self {
            Self::Square { n, table } => (&table[below * n..(below + 1) * n], &[]),
            Self::Lists(lists) => (&[], &lists[below]),
        };
        let in_table = table.iter().enumerate().filter(|&(_, &distance)| distance != FREE).map(|(above, _)| above);
        in_table.chain(list.iter().map(|entry| entry.0 as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_say_what_a_table_says() {
        let n = 40;
        let (mut table, mut lists) = (Distances::new(n), Distances::Lists(vec![Vec::new(); n]));
        assert!(matches!(table, Distances::Square { .. }) && matches!(Distances::new(SQUARE + 1), Distances::Lists(_)));
        let mut random = 1_usize;
        for _ in 0..600 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (below, above, bytes) = ((random >> 33) % n, (random >> 40) % n, (random >> 50) as isize - 100);
            table.require(below, above, bytes);
            lists.require(below, above, bytes);
        }
        for below in 0..n {
            assert!(table.above(below).eq(lists.above(below)));
            assert!((0..n).all(|above| table.get(below, above) == lists.get(below, above)));
        }
    }
}
