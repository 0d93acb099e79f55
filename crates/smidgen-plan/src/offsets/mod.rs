//! Offsets: a place in the arena for everything, so that the arena is smallest.
//!
//! Given sizes, alignments and, for each pair that is ever live together, the least distance either way, find offsets that are
//! not negative such that for every pair one of its two distances is kept and the greatest end is least.
//!
//! The invariant: whatever [`allocate_offsets`] returns keeps every constraint, and `lower_bound` is at most what any assignment needs.

mod distances;
mod heuristic;
mod problem;
mod search;
#[cfg(test)]
mod tests;

use distances::Distances;
use heuristic::Heuristic;
use problem::{Fate, Problem};
use search::{Outcome, search};
use std::cell::RefCell;

/// What offsets must keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Constraints {
    /// Bytes of each object.
    pub sizes: Vec<usize>,
    /// Alignment of each object: a power of two.
    pub aligns: Vec<usize>,
    distances: Distances,
    /// A number of bytes below which no arena can be, known beforehand: the most bytes live at one time.
    pub live_bytes: usize,
    /// For each object, the most bytes live at a time at which it is: those with the most are placed with the most care.
    pub heat: Vec<usize>,
}

const FREE: isize = isize::MIN;

impl Constraints {
    /// Objects of these sizes and alignments, none of which are ever live together.
    pub fn new(objects: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let (sizes, aligns): (Vec<usize>, Vec<usize>) = objects.into_iter().unzip();
        let n = sizes.len();
        Self { sizes, aligns, distances: Distances::new(n), live_bytes: 0, heat: vec![0; n] }
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// True if there is nothing to place.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The least `off_above - off_below` where `above` lies above `below`; `None` if that order is not restricted, which means
    /// that the two are never live together in a way that matters.
    pub fn minimum_offset(&self, below: usize, above: usize) -> Option<isize> {
        let distance = self.distances.get(below, above);
        (distance != FREE).then_some(distance)
    }

    /// Demands at least this distance where `above` lies above `below`.
    pub fn require(&mut self, below: usize, above: usize, bytes: isize) {
        self.distances.require(below, above, bytes);
    }
}

/// How an assignment was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The heuristic, whose result met the lower bound.
    Heuristic,
    /// Exact search.
    Exact,
    /// The heuristic and as much exact search as the budget allowed.
    Budget,
}

/// Offsets for all objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Offset of each object.
    pub offsets: Vec<usize>,
    /// The greatest end.
    pub bytes: usize,
    /// No assignment that keeps the constraints is smaller than this.
    pub lower_bound: usize,
    /// How it was found.
    pub method: Method,
    /// `bytes == lower_bound`.
    pub optimal: bool,
}

/// How many pairs one exact search may visit, and all searches together: a measure of time that is the same on every machine.
const SEARCH_BUDGET: usize = 400_000;
const TOTAL_BUDGET: usize = 4_000_000;

/// How hard to search.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effort {
    /// A small part of the budget: enough to tell which of many lists are worth a thorough search.
    Quick,
    /// All of it.
    #[default]
    Thorough,
}

impl Effort {
    fn of(self, budget: usize) -> usize {
        match self {
            Effort::Quick => budget / 40,
            Effort::Thorough => budget,
        }
    }
}

/// Problems that are remembered.
const MOST_KNOWN: usize = 256;

/// What was found for problems of one network: many of its lists leave the same one, once what is not live together is left out.
#[derive(Debug, Default)]
pub(crate) struct Memo(RefCell<Vec<Known>>);

/// A problem, the bytes that are live at one time, how hard was searched, and what was found.
type Known = (Problem, isize, Effort, Found);

/// Offsets of a problem's objects.
#[derive(Clone, Debug)]
struct Found {
    range: Range,
    method: Method,
}

impl Memo {
    fn solve(&self, problem: Problem, bound: isize, effort: Effort) -> Found {
        let mut known = self.0.borrow_mut();
        let found = known.iter().find(|known| (known.1, known.2) == (bound, effort) && known.0 == problem);
        if let Some(known) = found {
            return known.3.clone();
        }
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        let found = solve(&problem, bound, effort);
        known.push((problem, bound, effort, found.clone()));
        found
    }
}

/// By first fit in several orders; where that does not meet the lower bound by exact search for ever smaller arenas and ever greater
/// bounds; and where this leaves a gap by local search.
fn solve(problem: &Problem, bound: isize, effort: Effort) -> Found {
    let mut heuristic = Heuristic::new(problem, bound);
    let mut range = Range { lower: bound, upper: heuristic.top(), at: heuristic.at().to_vec() };
    let mut method = Method::Heuristic;
    // Of more pairs than this, looking at each once spends the budget.
    let exact = 2 * problem.pairs.len() <= SEARCH_BUDGET;
    if range.is_open() && exact {
        method = Method::Exact;
        range.close(problem, effort);
    }
    if range.is_open() {
        method = Method::Budget;
        heuristic.improve(range.lower, effort);
        if heuristic.top() < range.upper {
            (range.upper, range.at) = (heuristic.top(), heuristic.at().to_vec());
            if exact {
                range.close(problem, effort);
            }
        }
    }
    Found { range, method }
}

/// Finds offsets.
pub fn allocate_offsets(constraints: &Constraints, effort: Effort) -> Assignment {
    assign_with(constraints, effort, &Memo::default())
}

/// The same with what is known of this network's problems.
pub(crate) fn assign_with(constraints: &Constraints, effort: Effort, memo: &Memo) -> Assignment {
    let (problem, fates) = Problem::reduced(constraints);
    let least_size = constraints.sizes.iter().copied().max().unwrap_or(0);
    let bound = constraints.live_bytes.max(least_size) as isize;
    let Found { range: Range { lower, upper, at }, method } = memo.solve(problem, bound, effort);
    let upper = upper.max(least_size as isize);
    let mut offsets: Vec<usize> = vec![0; constraints.len()];
    for (offset, fate) in offsets.iter_mut().zip(&fates) {
        if let Fate::Kept(i) = fate {
            *offset = at[*i] as usize;
        }
    }
    for i in 0..offsets.len() {
        let mut stand_in = i;
        while let Fate::With(j) = fates[stand_in] {
            stand_in = j;
        }
        offsets[i] = offsets[stand_in];
    }
    Assignment { offsets, bytes: upper as usize, lower_bound: lower as usize, method, optimal: lower == upper }
}

/// Between a proven bound and the best assignment so far.
#[derive(Clone, Debug)]
struct Range {
    lower: isize,
    upper: isize,
    at: Vec<isize>,
}

impl Range {
    fn is_open(&self) -> bool {
        self.lower < self.upper
    }

    /// Searches for smaller assignments, and proves that there are none below `lower`, until both meet or the budget is spent.
    fn close(&mut self, problem: &Problem, effort: Effort) {
        let mut left = effort.of(TOTAL_BUDGET);
        // The lower bound is often met: try it first, then halve what lies between.
        let mut bytes = self.lower;
        // No search has been able to tell for sizes below this one.
        let mut untold = self.lower;
        while untold < self.upper && left > 0 {
            let given = effort.of(SEARCH_BUDGET).min(left);
            let mut budget = given;
            let outcome = search(problem, bytes, &mut budget);
            left -= given - budget;
            match outcome {
                Outcome::Found(found) => {
                    self.upper = problem.top(&found);
                    self.at = found;
                }
                Outcome::None => {
                    untold = bytes + 1;
                    self.lower = untold;
                }
                Outcome::Unknown => {
                    left = left.saturating_sub(given / 8);
                    untold = bytes + 1;
                }
            }
            bytes = untold + (self.upper - untold) / 2;
        }
    }
}
