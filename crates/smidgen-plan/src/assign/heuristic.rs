//! First fit in several orders, then local search over the order.
//!
//! Every assignment that cannot be pushed further down is what first fit makes of some order, so searching orders misses nothing.

use super::problem::{Problem, align_up};

/// How many visits of one object to another the local search may make: a measure of time that is the same on every machine.
const BUDGET: usize = 6_000_000;

/// Offsets and the greatest end. Stops as soon as the end is at `enough`.
pub(super) fn best(problem: &Problem, enough: isize) -> (Vec<isize>, isize) {
    let n = problem.len();
    let mut fit = FirstFit::new(problem);
    let mut best = (vec![0; n], isize::MAX, Vec::new());
    for order in orders(problem) {
        let top = fit.run(&order);
        if top < best.1 {
            best = (fit.at.clone(), top, order);
        }
    }
    if n > 1 && best.1 > enough {
        improve(problem, &mut fit, &mut best, enough);
    }
    (best.0, best.1)
}

fn orders(problem: &Problem) -> Vec<Vec<usize>> {
    let n = problem.len();
    let sorted = |key: &dyn Fn(usize) -> (usize, usize)| {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(key(i)));
        order
    };
    let size = |i: usize| problem.sizes[i] as usize;
    let reach = |i: usize| -> usize {
        problem.of[i].iter().map(|&p| size(problem.pairs[p].seen_from(i).0)).sum::<usize>() + size(i)
    };
    vec![
        sorted(&|i| (size(i), 0)),
        sorted(&|i| (problem.heat[i], size(i))),
        sorted(&|i| (problem.heat[i], i)),
        sorted(&|i| (problem.heat[i], n - i)),
        sorted(&|i| (reach(i), size(i))),
        sorted(&|i| (size(i) * problem.of[i].len(), 0)),
        (0..n).collect(),
        (0..n).rev().collect(),
    ]
}

/// Moves what lies in the way of the topmost object in the order, and keeps what does not make it worse.
fn improve(problem: &Problem, fit: &mut FirstFit, best: &mut (Vec<isize>, isize, Vec<usize>), enough: isize) {
    let n = problem.len();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        ((random >> 33) % n as u64) as usize
    };
    let (mut order, mut top) = (best.2.clone(), best.1);
    let mut stale = 0;
    let mut at = best.0.clone();
    while fit.visits < BUDGET && best.1 > enough {
        let mut candidate = order.clone();
        let chain = chain(problem, &at, top);
        // Bring a member of the chain, or anything, to an earlier or random position.
        let moves = 1 + below(2);
        for _ in 0..moves {
            let moved = if below(4) > 0 { chain[below(chain.len())] } else { below(n) };
            let from = candidate.iter().position(|&i| i == moved).unwrap_or(0);
            let to = if below(2) == 0 { below(from + 1) } else { below(n) };
            let moved = candidate.remove(from);
            candidate.insert(to, moved);
        }
        let found = fit.run(&candidate);
        stale += 1;
        if found <= top {
            if found < top {
                stale = 0;
            }
            (order, top) = (candidate, found);
            at.clone_from(&fit.at);
            if top < best.1 {
                *best = (at.clone(), top, order.clone());
            }
        } else if stale > 40 * n {
            // Begin again from a shuffled neighbourhood of the best.
            order.clone_from(&best.2);
            for _ in 0..4 {
                let (i, j) = (below(n), below(n));
                order.swap(i, j);
            }
            top = fit.run(&order);
            at.clone_from(&fit.at);
            stale = 0;
        }
    }
}

/// The topmost object, what it rests on, and so on down.
fn chain(problem: &Problem, at: &[isize], top: isize) -> Vec<usize> {
    let mut chain: Vec<usize> = (0..problem.len()).filter(|&i| at[i] + problem.sizes[i] == top).collect();
    let mut next = 0;
    while next < chain.len() {
        let i = chain[next];
        next += 1;
        for &p in &problem.of[i] {
            let (j, _, below) = problem.pairs[p].seen_from(i);
            if align_up(at[j] + below, problem.aligns[i]) == at[i] && !chain.contains(&j) {
                chain.push(j);
            }
        }
    }
    chain
}

/// Places objects one after the other, each at the lowest offset that the ones before it leave free.
struct FirstFit<'a> {
    problem: &'a Problem,
    at: Vec<isize>,
    placed: Vec<bool>,
    forbidden: Vec<(isize, isize)>,
    visits: usize,
}

impl<'a> FirstFit<'a> {
    fn new(problem: &'a Problem) -> Self {
        let n = problem.len();
        Self { problem, at: vec![0; n], placed: vec![false; n], forbidden: Vec::new(), visits: 0 }
    }

    /// The greatest end for an order of all objects.
    fn run(&mut self, order: &[usize]) -> isize {
        self.placed.fill(false);
        for &i in order {
            self.forbidden.clear();
            self.visits += self.problem.of[i].len();
            for &p in &self.problem.of[i] {
                let (j, above, below) = self.problem.pairs[p].seen_from(i);
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
        }
        self.problem.top(&self.at)
    }
}
