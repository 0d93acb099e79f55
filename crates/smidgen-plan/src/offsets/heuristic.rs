//! First fit in several orders, then local search over the order.
//!
//! Every assignment that cannot be pushed further down is what first fit makes of some order, so searching orders misses nothing.

use super::Effort;
use super::problem::{Problem, align_up};

/// How many visits of one object to another the local search may make: a measure of time that is the same on every machine.
const BUDGET: usize = 8_000_000;

/// The best assignment that first fit has found so far.
pub(super) struct Heuristic<'a> {
    fit: FirstFit<'a>,
    at: Vec<isize>,
    top: isize,
    order: Vec<usize>,
}

impl<'a> Heuristic<'a> {
    /// The best of several orders; the first whose greatest end is at `enough`.
    pub fn new(problem: &'a Problem, enough: isize) -> Self {
        let fit = FirstFit::new(problem);
        let mut heuristic = Self { fit, at: vec![], top: isize::MAX, order: vec![] };
        for key in ORDERS {
            let order = order(problem, key);
            if let Some(top) = heuristic.fit.run(&order, heuristic.top) {
                heuristic.take(&order, top);
            }
            if heuristic.top <= enough {
                break;
            }
        }
        heuristic
    }

    /// Offsets.
    pub fn at(&self) -> &[isize] {
        &self.at
    }

    /// The greatest end.
    pub fn top(&self) -> isize {
        self.top
    }

    /// Keeps what first fit has just found with this order, if it is better.
    fn take(&mut self, order: &[usize], top: isize) {
        if top < self.top {
            self.at.clone_from(&self.fit.at);
            self.top = top;
            self.order = order.to_vec();
        }
    }

    /// Moves what lies in the way of the topmost object in the order, and keeps what does not make it worse, until the greatest end is
    /// at `enough` or the budget is spent.
    pub fn improve(&mut self, enough: isize, effort: Effort) {
        let n = self.order.len();
        if n < 2 {
            return;
        }
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |n: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            ((random >> 33) % n as u64) as usize
        };
        let (mut order, mut top, mut at) = (self.order.clone(), self.top, self.at.clone());
        let mut chain = chain(self.fit.problem, &at, top);
        let mut candidate = order.clone();
        let mut stale = 0;
        let budget = effort.of(BUDGET);
        while self.fit.visits < budget && self.top > enough {
            candidate.clone_from(&order);
            // What comes before the first move stays where it is.
            let mut kept = n;
            for _ in 0..1 + below(2) {
                let moved = if below(4) > 0 { chain[below(chain.len())] } else { below(n) };
                let from = candidate.iter().position(|&i| i == moved).unwrap_or(0);
                let to = if below(2) == 0 { below(from + 1) } else { below(n) };
                let moved = candidate.remove(from);
                candidate.insert(to, moved);
                kept = kept.min(from).min(to);
            }
            self.fit.at.copy_from_slice(&at);
            let found = self.fit.go_on(&candidate, kept, top.max(self.top));
            if let Some(found) = found {
                self.take(&candidate, found);
            }
            stale = if found.is_some_and(|found| found < top) { 0 } else { stale + 1 };
            if let Some(found) = found.filter(|&found| found <= top) {
                std::mem::swap(&mut order, &mut candidate);
                top = found;
                at.clone_from(&self.fit.at);
            } else if stale > 40 * n {
                // Begin again near the best.
                order.clone_from(&self.order);
                for _ in 0..4 {
                    order.swap(below(n), below(n));
                }
                top = self.fit.run(&order, isize::MAX).unwrap_or(isize::MAX);
                at.clone_from(&self.fit.at);
                stale = 0;
            } else {
                continue;
            }
            chain = self::chain(self.fit.problem, &at, top);
        }
    }
}

/// What the objects of an order are sorted by, the greatest first; equal ones by number.
type Key = fn(&Problem, usize) -> (usize, usize);

/// The orders that are tried first.
const ORDERS: [Key; 8] = [
    |problem, i| (size(problem, i), 0),
    |problem, i| (problem.heat[i], size(problem, i)),
    |problem, i| (problem.heat[i], i),
    |problem, i| (problem.heat[i], problem.len() - i),
    |problem, i| {
        let others = problem.of[i].iter().map(|&p| size(problem, problem.pairs[p].seen_from(i).0));
        (others.sum::<usize>() + size(problem, i), size(problem, i))
    },
    |problem, i| (size(problem, i) * problem.of[i].len(), 0),
    |problem, i| (problem.len() - i, 0),
    |_, i| (i, 0),
];

fn size(problem: &Problem, i: usize) -> usize {
    problem.sizes[i] as usize
}

fn order(problem: &Problem, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..problem.len()).collect();
    order.sort_by_cached_key(|&i| std::cmp::Reverse(key(problem, i)));
    order
}

/// The topmost object, what it rests on, and so on down.
fn chain(problem: &Problem, at: &[isize], top: isize) -> Vec<usize> {
    let mut chain: Vec<usize> = (0..problem.len()).filter(|&i| at[i] + problem.sizes[i] == top).collect();
    let mut seen = vec![false; problem.len()];
    chain.iter().for_each(|&i| seen[i] = true);
    let mut next = 0;
    while next < chain.len() {
        let i = chain[next];
        next += 1;
        for &p in &problem.of[i] {
            let (j, _, below) = problem.pairs[p].seen_from(i);
            if align_up(at[j] + below, problem.aligns[i]) == at[i] && !std::mem::replace(&mut seen[j], true) {
                chain.push(j);
            }
        }
    }
    chain
}

/// Places objects one after the other, each at the lowest offset that the ones before it leave free.
struct FirstFit<'a> {
    problem: &'a Problem,
    /// For each object, the others of its pairs, and the distances above and below them.
    others: Vec<Vec<(usize, isize, isize)>>,
    at: Vec<isize>,
    placed: Vec<bool>,
    forbidden: Vec<(isize, isize)>,
    /// Of all objects in each run, whether it comes to its end or not.
    visits: usize,
}

impl<'a> FirstFit<'a> {
    fn new(problem: &'a Problem) -> Self {
        let n = problem.len();
        let seen = |i: usize| problem.of[i].iter().map(|&p| problem.pairs[p].seen_from(i)).collect();
        let others = (0..n).map(seen).collect();
        Self { problem, others, at: vec![0; n], placed: vec![false; n], forbidden: Vec::new(), visits: 0 }
    }

    /// The greatest end for an order of all objects; `None` if it is over `most`, and then not all have been placed.
    fn run(&mut self, order: &[usize], most: isize) -> Option<isize> {
        self.go_on(order, 0, most)
    }

    /// The same where the first so many of the order are placed already.
    fn go_on(&mut self, order: &[usize], kept: usize, most: isize) -> Option<isize> {
        self.visits += 2 * self.problem.pairs.len() + order.len();
        self.placed.fill(false);
        let mut top = 0;
        for &i in &order[..kept] {
            self.placed[i] = true;
            top = top.max(self.at[i] + self.problem.sizes[i]);
        }
        for &i in &order[kept..] {
            self.forbidden.clear();
            for &(j, above, below) in &self.others[i] {
                if self.placed[j] {
                    // Strictly between these two, `i` is neither far enough above `j` nor far enough below it.
                    self.forbidden.push((self.at[j] - above, self.at[j] + below));
                }
            }
            self.forbidden.sort_unstable();
            let align = self.problem.aligns[i];
            let mut at = 0;
            for &(from, to) in &self.forbidden {
                if from < at && at < to {
                    at = align_up(to, align);
                } else if from >= at {
                    break;
                }
            }
            self.at[i] = at;
            self.placed[i] = true;
            top = top.max(at + self.problem.sizes[i]);
            if top > most {
                return None;
            }
        }
        Some(top)
    }
}
