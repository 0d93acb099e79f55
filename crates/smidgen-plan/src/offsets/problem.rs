//! The constraints in the form that the searches want: only pairs that restrict anything, and only objects that no other stands for.

use super::{Constraints, FREE};

/// Two objects that must keep a distance, one way or the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pair {
    pub a: usize,
    pub b: usize,
    /// `at[b] - at[a]` is at least this where `b` lies above `a`.
    pub a_below: isize,
    /// `at[a] - at[b]` is at least this where `a` lies above `b`.
    pub b_below: isize,
}

impl Pair {
    /// The other object, the distance if it lies above `from`, and the distance if it lies below.
    pub fn seen_from(&self, from: usize) -> (usize, isize, isize) {
        if from == self.a { (self.b, self.a_below, self.b_below) } else { (self.a, self.b_below, self.a_below) }
    }
}

/// Objects to place and the pairs among them.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub sizes: Vec<isize>,
    pub aligns: Vec<isize>,
    pub pairs: Vec<Pair>,
    /// For each object, its pairs.
    pub of: Vec<Vec<usize>>,
    /// How urgent an object is: the most bytes live at a time at which it is.
    pub heat: Vec<usize>,
}

/// Where the objects of the constraints went.
pub(super) enum Fate {
    /// Number in the problem.
    Kept(usize),
    /// At the offset of this object of the constraints, which has all its restrictions and is as large.
    With(usize),
    /// Restricted by nothing.
    Anywhere,
}

impl Problem {
    /// The problem, and the fate of each object.
    ///
    /// An object whose every restriction another one has too, at the same or a greater distance, and with which it is never
    /// live, can share that other one's offset: it need not be searched for. Scratch of the steps of one segment is of this kind.
    pub fn reduced(constraints: &Constraints) -> (Self, Vec<Fate>) {
        let n = constraints.len();
        let neighbours: Vec<Vec<usize>> = (0..n)
            .map(|i| match constraints.sizes[i] {
                0 => Vec::new(),
                _ => constraints.distances.above(i).filter(|&j| i != j && restricts(constraints, i, j)).collect(),
            })
            .collect();
        let mut fate: Vec<Option<Fate>> = (0..n).map(|_| None).collect();
        for i in 0..n {
            if constraints.sizes[i] == 0 || neighbours[i].is_empty() {
                fate[i] = Some(Fate::Anywhere);
            }
        }
        for i in 0..n {
            if fate[i].is_some() {
                continue;
            }
            let stands_for = |&j: &usize| {
                j != i
                    && fate[j].is_none()
                    && constraints.sizes[j] >= constraints.sizes[i]
                    && constraints.aligns[j] >= constraints.aligns[i]
                    && !restricts(constraints, i, j)
                    && neighbours[i].iter().all(|&k| {
                        let at_most = |a: (usize, usize), b: (usize, usize)| {
                            constraints.distances.get(a.0, a.1) <= constraints.distances.get(b.0, b.1)
                        };
                        restricts(constraints, j, k) && at_most((i, k), (j, k)) && at_most((k, i), (k, j))
                    })
            };
            // Whoever stands for it has all its neighbours, so is among those of the one with the fewest.
            let Some(&rarest) = neighbours[i].iter().min_by_key(|&&k| neighbours[k].len()) else { continue };
            if let Some(j) = neighbours[rarest].iter().copied().find(stands_for) {
                fate[i] = Some(Fate::With(j));
            }
        }
        let mut problem = Self { sizes: vec![], aligns: vec![], pairs: vec![], of: vec![], heat: vec![] };
        let mut kept = Vec::new();
        let fate: Vec<Fate> = fate
            .into_iter()
            .enumerate()
            .map(|(i, fate)| {
                fate.unwrap_or_else(|| {
                    kept.push(i);
                    Fate::Kept(kept.len() - 1)
                })
            })
            .collect();
        problem.of = vec![Vec::new(); kept.len()];
        for (a, &i) in kept.iter().enumerate() {
            problem.sizes.push(constraints.sizes[i] as isize);
            problem.aligns.push(constraints.aligns[i] as isize);
            problem.heat.push(constraints.heat[i]);
            for &j in &neighbours[i] {
                if let Fate::Kept(b) = fate[j]
                    && b > a
                {
                    let (a_below, b_below) = (constraints.distances.get(i, j), constraints.distances.get(j, i));
                    problem.of[a].push(problem.pairs.len());
                    problem.of[b].push(problem.pairs.len());
                    problem.pairs.push(Pair { a, b, a_below, b_below });
                }
            }
        }
        (problem, fate)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// The greatest end.
    pub fn top(&self, at: &[isize]) -> isize {
        at.iter().zip(&self.sizes).map(|(at, size)| at + size).max().unwrap_or(0)
    }
}

/// False if every pair of offsets keeps one of the two distances.
fn restricts(constraints: &Constraints, i: usize, j: usize) -> bool {
    let (up, down) = (constraints.distances.get(i, j), constraints.distances.get(j, i));
    up != FREE && down != FREE && up > -down && constraints.sizes[i] > 0 && constraints.sizes[j] > 0
}

/// The least multiple of `align`, a power of two, that is at least `at`.
pub(super) fn align_up(at: isize, align: isize) -> isize {
    (at + align - 1) & -align
}
