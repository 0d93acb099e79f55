//! Exact search: is there an assignment of at most so many bytes?
//!
//! Each object has an interval of offsets. Deciding for a pair which lies below the other moves interval ends; a pair that has
//! only one order left is decided at once. Where every object at the low end of its interval keeps all pairs, that is a
//! solution. Otherwise a pair that is not kept is decided, one way first and then the other.

use super::problem::{Problem, align_up};

/// What a search came to.
pub(super) enum Outcome {
    /// Offsets.
    Found(Vec<isize>),
    /// Proof that there is none.
    None,
    /// The budget ran out.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    Open,
    ABelow,
    BBelow,
}

enum Undo {
    Low(usize, isize),
    High(usize, isize),
    Pair(usize),
}

/// Comparisons of two objects' pairs that are made at most to break symmetries.
const SYMMETRY_VISITS: usize = 4_000_000;

/// Looks for an assignment of at most `bytes`, visiting at most `budget` pairs.
pub(super) fn search(problem: &Problem, bytes: isize, budget: &mut usize) -> Outcome {
    let n = problem.len();
    let high: Vec<isize> = (0..n).map(|i| (bytes - problem.sizes[i]) & -problem.aligns[i]).collect();
    if high.iter().any(|&high| high < 0) {
        return Outcome::None;
    }
    let mut search = Search {
        problem,
        ends: high.into_iter().map(|high| Ends { low: 0, high }).collect(),
        relation: vec![Relation::Open; problem.pairs.len()],
        open: Open::all(problem.pairs.len()),
        trail: Vec::new(),
        queue: (0..n).collect(),
        queued: vec![true; n],
        budget,
    };
    search.break_symmetry();
    match search.propagate().and_then(|()| search.solve()) {
        Ok(()) => Outcome::Found(search.ends.iter().map(|ends| ends.low).collect()),
        Err(Stop::Contradiction) => Outcome::None,
        Err(Stop::Budget) => Outcome::Unknown,
    }
}

enum Stop {
    Contradiction,
    Budget,
}

/// The pairs that are not decided, of which there are few at most times: a bit for each.
struct Open(Vec<u64>);

impl Open {
    fn all(count: usize) -> Self {
        let mut words = vec![u64::MAX; count.div_ceil(64)];
        if let Some(last) = words.last_mut() {
            *last >>= (64 - count % 64) % 64;
        }
        Self(words)
    }

    fn set(&mut self, p: usize, open: bool) {
        let bit = 1 << (p % 64);
        if open { self.0[p / 64] |= bit } else { self.0[p / 64] &= !bit }
    }

    /// Calls for each of their numbers, ascending: a plain loop, since a search spends much of its time in it.
    fn for_each(&self, mut f: impl FnMut(usize)) {
        for (i, &word) in self.0.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                f(64 * i + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }
}

/// The least and greatest offset that an object may still have.
#[derive(Clone, Copy)]
struct Ends {
    low: isize,
    high: isize,
}

struct Search<'a> {
    problem: &'a Problem,
    ends: Vec<Ends>,
    relation: Vec<Relation>,
    open: Open,
    trail: Vec<Undo>,
    queue: Vec<usize>,
    queued: Vec<bool>,
    budget: &'a mut usize,
}

impl Search<'_> {
    /// Two objects that could change places without anyone noticing keep the order of their numbers.
    fn break_symmetry(&mut self) {
        let mut visits = 0;
        for p in 0..self.problem.pairs.len() {
            let pair = self.problem.pairs[p];
            let (a, b) = (pair.a, pair.b);
            let alike = self.problem.sizes[a] == self.problem.sizes[b]
                && self.problem.aligns[a] == self.problem.aligns[b]
                && pair.a_below == pair.b_below
                && self.problem.of[a].len() == self.problem.of[b].len();
            let view = |from: usize, without: usize| {
                let mut seen: Vec<_> = self.problem.of[from]
                    .iter()
                    .map(|&p| self.problem.pairs[p].seen_from(from))
                    .filter(|(other, ..)| *other != without)
                    .collect();
                seen.sort_unstable();
                seen
            };
            if alike {
                visits += 2 * self.problem.of[a].len();
                if visits > SYMMETRY_VISITS {
                    return;
                }
            }
            if alike && view(a, b) == view(b, a) {
                self.relation[p] = Relation::ABelow;
                self.open.set(p, false);
            }
        }
    }

    #[inline]
    fn raise(&mut self, i: usize, low: isize) -> Result<(), Stop> {
        let ends = &mut self.ends[i];
        // What is there is aligned.
        if low > ends.low {
            let low = align_up(low, self.problem.aligns[i]);
            self.trail.push(Undo::Low(i, ends.low));
            ends.low = low;
            let is_left = low <= ends.high;
            self.enqueue(i);
            if !is_left {
                return Err(Stop::Contradiction);
            }
        }
        Ok(())
    }

    #[inline]
    fn lower(&mut self, i: usize, high: isize) -> Result<(), Stop> {
        let ends = &mut self.ends[i];
        if high < ends.high {
            let high = high & -self.problem.aligns[i];
            self.trail.push(Undo::High(i, ends.high));
            ends.high = high;
            let is_left = ends.low <= high;
            self.enqueue(i);
            if !is_left {
                return Err(Stop::Contradiction);
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, i: usize) {
        if !self.queued[i] {
            self.queued[i] = true;
            self.queue.push(i);
        }
    }

    fn decide(&mut self, p: usize, relation: Relation) -> Result<(), Stop> {
        self.trail.push(Undo::Pair(p));
        self.relation[p] = relation;
        self.open.set(p, false);
        self.apply(p)
    }

    /// Moves interval ends as a decided pair demands.
    #[inline]
    fn apply(&mut self, p: usize) -> Result<(), Stop> {
        let pair = self.problem.pairs[p];
        let (below, above, distance) = match self.relation[p] {
            Relation::Open => return Ok(()),
            Relation::ABelow => (pair.a, pair.b, pair.a_below),
            Relation::BBelow => (pair.b, pair.a, pair.b_below),
        };
        self.raise(above, self.ends[below].low + distance)?;
        self.lower(below, self.ends[above].high - distance)
    }

    fn propagate(&mut self) -> Result<(), Stop> {
        let result = self.propagate_all();
        if result.is_err() {
            for &i in &self.queue {
                self.queued[i] = false;
            }
            self.queue.clear();
        }
        result
    }

    fn propagate_all(&mut self) -> Result<(), Stop> {
        while let Some(i) = self.queue.pop() {
            self.queued[i] = false;
            let problem = self.problem;
            let of = &problem.of[i];
            *self.budget = self.budget.checked_sub(of.len() + 1).ok_or(Stop::Budget)?;
            for &p in of {
                if self.relation[p] == Relation::Open {
                    let pair = &problem.pairs[p];
                    let (a, b) = (self.ends[pair.a], self.ends[pair.b]);
                    let a_can = a.low + pair.a_below <= b.high;
                    let b_can = b.low + pair.b_below <= a.high;
                    match (a_can, b_can) {
                        (true, true) => {}
                        (false, false) => return Err(Stop::Contradiction),
                        (true, false) => self.decide(p, Relation::ABelow)?,
                        (false, true) => self.decide(p, Relation::BBelow)?,
                    }
                } else {
                    self.apply(p)?;
                }
            }
        }
        Ok(())
    }

    /// The pair to decide next, and how first; `None` if the low ends keep all pairs.
    fn choose(&mut self) -> Result<Option<(usize, Relation)>, Stop> {
        *self.budget = self.budget.checked_sub(self.problem.pairs.len() / 4 + 1).ok_or(Stop::Budget)?;
        let (mut least, mut best) = (isize::MAX, None);
        let (problem, ends) = (self.problem, &self.ends);
        self.open.for_each(|p| {
            let pair = &problem.pairs[p];
            let (a, b) = (ends[pair.a], ends[pair.b]);
            let apart = b.low - a.low;
            if apart >= pair.a_below || -apart >= pair.b_below {
                return;
            }
            let a_slack = b.high - a.low - pair.a_below;
            let b_slack = a.high - b.low - pair.b_below;
            // A pair with little room either way decides most.
            let room = 2 * a_slack.min(b_slack) + a_slack.max(b_slack);
            if room < least || best.is_none() {
                least = room;
                best = Some((p, if a_slack >= b_slack { Relation::ABelow } else { Relation::BBelow }));
            }
        });
        Ok(best)
    }

    fn solve(&mut self) -> Result<(), Stop> {
        // Open decisions: the trail's length before them, and what is left to try.
        let mut stack: Vec<(usize, Option<(usize, Relation)>)> = Vec::new();
        while let Some((p, first)) = self.choose()? {
            let second = if first == Relation::ABelow { Relation::BBelow } else { Relation::ABelow };
            stack.push((self.trail.len(), Some((p, second))));
            let mut result = self.decide(p, first).and_then(|()| self.propagate());
            while let Err(stop) = result {
                self.drop_queue();
                if matches!(stop, Stop::Budget) {
                    return Err(stop);
                }
                let Some((mark, other)) = stack.pop() else {
                    return Err(Stop::Contradiction);
                };
                self.undo(mark);
                result = match other {
                    Some((p, relation)) => {
                        stack.push((mark, None));
                        self.decide(p, relation).and_then(|()| self.propagate())
                    }
                    None => Err(Stop::Contradiction),
                };
            }
        }
        Ok(())
    }

    fn drop_queue(&mut self) {
        for i in std::mem::take(&mut self.queue) {
            self.queued[i] = false;
        }
    }

    fn undo(&mut self, mark: usize) {
        for undo in self.trail.drain(mark..).rev() {
            match undo {
                Undo::Low(i, low) => self.ends[i].low = low,
                Undo::High(i, high) => self.ends[i].high = high,
                Undo::Pair(p) => {
                    self.relation[p] = Relation::Open;
                    self.open.set(p, true);
                }
            }
        }
    }
}
