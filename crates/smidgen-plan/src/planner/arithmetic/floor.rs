//! The bytes that every plan keeps alive, however many rows its steps compute together and into how many parts rows are cut.
//!
//! # The argument
//! Rows are computed on demand, by runs of a band of rows each: one, or as many as a kernel can compute together. Consider the moment
//! before some step of a chain, the *anchor*, computes the band with a row `y`, and the moment after.
//!
//! - *Above the anchor* every step has computed what the step below it has asked for, rounded up to a whole band.
//! - *Below it* every step waits for the anchor's band: its own next band begins at the first row that needs a row of that, rounded down
//!   to a whole band.
//!
//! So a choice of bands says how many rows of each tensor exist, and how many of them are still needed: those from the first that the
//! next step reads for its next row on, and where a step further down reads them too (around a residual block), from the first that
//! this one needs, which is no further than the steps between let it be. All of that lies in the arena at once, with what passes by and
//! the kernel's scratch. The least sum over all choices of bands is a lower bound of what the segment takes: it falls apart into one
//! function of the rows that a step has computed for each step above the anchor, and one for each step below it, which are looked up.
//! Where rows may be computed in parts, a part is counted, in front of the first part and behind the last.
//!
//! The greatest bound over some anchors and rows is one as well. A cut of the network into segments takes the greatest of its segments'
//! bounds, and the least of these over all cuts is a lower bound for every plan that computes each row once.

use super::{Arithmetic, Line, Read};
use crate::planner::local_search::ROWS;

/// Rows of a tensor up to which segments are looked at.
pub(super) const MOST_ROWS: usize = 4096;
/// Rows of the end of a segment that are looked at: the first, one with windows that are full, and the last; beside rows in the middle of
/// each step.
const LOOKS: usize = 3;

/// Not looked at yet.
const OPEN: usize = usize::MAX;
/// Nobody waits for such a row.
const NEVER: usize = usize::MAX - 1;

/// Lower bounds of segments, for steps that compute any of the bands that their kernels can.
pub(crate) struct Floor<'m, 'f, 'a> {
    all: &'m Arithmetic<'f, 'a>,
    /// For each step, the first behind it that asks for rows of what some step from it on writes which the next step does not ask for: of no
    /// segment with both is anything known.
    clash: Vec<usize>,
    /// For each step, rows that it computes where a segment goes on to the end of its chain: in no segment does it compute fewer.
    needed: Vec<usize>,
    /// For each step, whether all segments that begin there and go on beyond its chain are known.
    known: Vec<bool>,
    /// For each step, those of its chain further down than the next that read what it writes.
    skips: Vec<Vec<usize>>,
    /// The tensors that are there when a segment begins, and where that is.
    before: (usize, Vec<usize>),
    /// For each step of a segment that begins there and each number of rows that it has computed, the least bytes that are alive above it.
    above: Vec<Vec<usize>>,
    /// For each step from there on, the bytes that are alive in all segments with two steps more.
    lasting: Vec<usize>,
    /// For each end of a segment, each step of it and each row at which its next band begins, the least bytes that are alive of what it and
    /// the steps below it have computed.
    below: Vec<Vec<Vec<usize>>>,
}

/// Where a segment ends, and where the chain does that it begins with.
#[derive(Clone, Copy)]
struct End {
    stop: usize,
    to: usize,
}

impl Read {
    /// Rows that are alive when `y` of `height` rows of the output are computed and `exist` of the operand.
    fn held(&self, y: usize, height: usize, exist: usize) -> usize {
        let mut end = exist.min(self.end(height));
        if self.stride > self.extent && end > 0 {
            // Rows between two windows are not needed.
            let last = (end as isize - 1 + self.before).div_euclid(self.stride);
            end = end.min((last * self.stride - self.before + self.extent).max(0) as usize);
        }
        end.saturating_sub(self.first(y, height))
    }
}

impl Line {
    /// The read of what the step before writes.
    pub(super) fn link(&self) -> Option<&Read> {
        self.reads.get(self.link?)
    }

    /// The bands that the kernel may compute.
    fn bands(&self) -> impl Iterator<Item = usize> + use<> {
        let more: &[usize] = if self.bands { &ROWS } else { &[] };
        std::iter::once(1).chain(more.iter().copied())
    }

    /// Rows that exist when so many were asked for, for each band.
    fn rounded_up(&self, rows: usize) -> impl Iterator<Item = usize> + use<> {
        let height = self.height;
        self.bands().map(move |band| rows.next_multiple_of(band).min(height))
    }
}

impl<'m, 'f, 'a> Floor<'m, 'f, 'a> {
    /// For the segments of a network.
    pub fn new(all: &'m Arithmetic<'f, 'a>) -> Self {
        let Arithmetic { flow, lines, chain, .. } = all;
        let count = lines.len();
        let mut clash = vec![usize::MAX; count + 1];
        let mut needed: Vec<usize> = lines.iter().map(|line| line.height).collect();
        let mut known = vec![false; count];
        let mut skips = vec![Vec::new(); count];
        for s in (0..count).rev() {
            let stop = chain[s];
            clash[s] = clash[s + 1];
            let b = lines[s].buffer;
            let readers = &flow.readers[b];
            skips[s].extend(readers.iter().filter(|&&r| r > s + 1 && r < stop));
            if s + 1 < stop {
                let more = readers.iter().find(|&&r| r < stop && !all.asks_no_more(s, r));
                clash[s] = clash[s].min(more.copied().unwrap_or(usize::MAX));
                let kept = flow.output[b] || readers.last().is_none_or(|&r| r >= stop);
                if let (false, Some(read)) = (kept, lines[s + 1].link()) {
                    needed[s] = read.end(needed[s + 1]).min(needed[s]);
                }
            }
            let asked = |s: usize| {
                let mut readers = flow.readers[lines[s].buffer].iter();
                readers.any(|&r| r > stop || r == stop && (s + 1 < stop || !lines[r].linked))
            };
            known[s] =
                all.eager_upto[s + 1] >= stop && clash[s] >= stop && !(s..stop).any(asked) && all.is_asked_for(s, stop);
        }
        Self {
            all,
            clash,
            needed,
            known,
            skips,
            before: (usize::MAX, Vec::new()),
            above: Vec::new(),
            lasting: Vec::new(),
            below: vec![Vec::new(); count + 1],
        }
    }

    /// Bytes alive at some moment while steps `from .. to` are streamed, whatever bands and parts; 0 where nothing is known. Looks no further
    /// once as many are alive as are `enough`.
    pub fn stream(&mut self, from: usize, to: usize, enough: usize) -> usize {
        let all = self.all;
        let Some(stop) = all.chained(from, to) else { return 0 };
        if self.clash[from] < stop || all.lines[from..stop].iter().any(|line| line.height > MOST_ROWS) {
            return 0;
        }
        self.begin(from);
        let end = End { stop, to };
        let passing: usize = self.before.1.iter().filter(|&&b| self.passes(b, from, to)).map(|&b| all.least[b]).sum();
        let mut most = 0;
        let height = all.lines[stop - 1].height;
        let mut looks: [Option<usize>; LOOKS] =
            [Some(0), Some(2).filter(|&y| y < height), height.checked_sub(1).filter(|&y| y > 2)];
        for a in (from..stop).rev() {
            let line = &all.lines[a];
            let middle = line.height / 2;
            for y in std::iter::once(middle).chain(looks.into_iter().flatten().filter(|&y| y != middle)) {
                most = most.max(self.at(end, a, y).map_or(0, |bytes| bytes + passing));
                if most >= enough {
                    return most;
                }
            }
            let Some(read) = line.link().filter(|_| a > from) else { continue };
            looks = looks.map(|y| read.end(y? + 1).checked_sub(1));
        }
        most
    }

    /// Bytes that are alive in every streamed segment from `from` to `to` and beyond; 0 where nothing is known.
    pub fn lasting(&mut self, from: usize, to: usize) -> usize {
        let all = self.all;
        let stop = all.chain[from];
        let is_known = self.known[from] && all.lines[from].by_rows && to <= stop;
        if !is_known || all.lines[from..stop].iter().any(|line| line.height > MOST_ROWS) {
            return 0;
        }
        self.begin(from);
        while self.lasting.len() + from + 1 < to {
            let a = from + self.lasting.len();
            let line = &all.lines[a];
            let mut most = self.lasting.last().copied().unwrap_or(0);
            let needed = self.needed[a];
            for y in [0, line.height / 2].into_iter().filter(|&y| y < needed) {
                let bytes = |band: usize| {
                    let first = y / band * band;
                    self.input(a, first, (first + band).min(line.height)) + line.scratch
                };
                most = most.max(line.bands().map(bytes).min().unwrap_or(0));
            }
            self.lasting.push(most);
        }
        self.lasting[to - from - 2]
    }

    /// Makes room for the segments from a step on.
    fn begin(&mut self, from: usize) {
        if self.before.0 == from {
            return;
        }
        self.before = (from, self.all.flow.alive(from));
        self.lasting.clear();
        self.above.iter_mut().for_each(Vec::clear);
        let steps = self.all.chain[from] - from;
        if self.above.len() < steps {
            self.above.resize(steps, Vec::new());
        }
    }

    /// True if a tensor that is there when a segment begins is still needed when it ends, and all of it was there to begin with.
    fn passes(&self, b: usize, from: usize, to: usize) -> bool {
        let Arithmetic { flow, awaited, .. } = self.all;
        let readers = &flow.readers[b];
        (flow.output[b] || readers.last().is_some_and(|&r| r >= to))
            && !(awaited[b] && readers.first().is_some_and(|&r| r >= from))
    }

    /// What is alive before or after step `a` computes the band with row `y`, whichever is more; `None` if nobody waits for the row.
    fn at(&mut self, end: End, a: usize, y: usize) -> Option<usize> {
        let all = self.all;
        let line = &all.lines[a];
        if y >= self.needed[a] || self.below(end, a, y) == NEVER {
            return None;
        }
        let mut least = usize::MAX;
        for band in line.bands() {
            let first = y / band * band;
            let last = (first + band).min(line.height);
            let before = self.input(a, first, last) + self.below(end, a, first);
            if before < least {
                let after = self.input(a, last, last) + self.written(end, a, first, last);
                least = least.min(before.max(after));
            }
        }
        Some(least + line.scratch)
    }

    /// Bytes of what step `a` reads and of all that is above it, when it is about to compute row `y` (or has just computed the row before
    /// it) and has been given what it needs for `asked` rows.
    fn input(&mut self, a: usize, y: usize, asked: usize) -> usize {
        let all = self.all;
        let from = self.before.0;
        let line = &all.lines[a];
        if a == from {
            return self.given(y, asked);
        }
        let above = &all.lines[a - 1];
        let Some(read) = line.link() else { return 0 };
        let exact = read.end(asked);
        let mut least = usize::MAX;
        for exist in above.rounded_up(exact) {
            let rows = read.held(y, self.needed[a], exist).max(self.skipped(a - 1, y, exist));
            let part = rows == 1 && exist == exact && above.passes_on;
            let bytes = rows * all.row[above.buffer][usize::from(part)];
            if bytes < least {
                least = least.min(bytes + self.above(a - 1, exist));
            }
        }
        least
    }

    /// The least bytes that are alive above step `s` when it has computed so many rows.
    fn above(&mut self, s: usize, rows: usize) -> usize {
        let at = s - self.before.0;
        if let Some(&known) = self.above[at].get(rows)
            && known != OPEN
        {
            return known;
        }
        let bytes = self.input(s, rows, rows);
        let known = &mut self.above[at];
        if known.len() <= rows {
            known.resize(self.all.lines[s].height.max(rows) + 1, OPEN);
        }
        known[rows] = bytes;
        bytes
    }

    /// Bytes of what was there when the segment began and what it is the last to read, when its first step is about to compute row `y` and
    /// has been given what it needs for `asked` rows.
    fn given(&self, y: usize, asked: usize) -> usize {
        let Arithmetic { flow, lines, row, awaited, chain, .. } = self.all;
        let from = self.before.0;
        let of = |&b: &usize| {
            let readers = &flow.readers[b];
            let Some(&r) = readers.last().filter(|&&r| (from..chain[from]).contains(&r) && !flow.output[b]) else {
                return 0;
            };
            let height = self.needed[r];
            let done = self.waiting(from, r, y).min(height);
            let reads = lines[r].reads.iter().filter(|read| read.buffer == b);
            let held = |read: &Read| match awaited[b] && readers[0] >= from {
                true if r == from => read.held(y, height, read.end(asked)),
                true => 0,
                false => read.held(done, height, flow.rows(b)),
            };
            reads.map(held).max().unwrap_or(0) * row[b][0]
        };
        self.before.1.iter().map(of).sum()
    }

    /// Rows that step `r` can have computed when step `s` above it has computed so many, or the row at which it waits.
    fn waiting(&self, s: usize, r: usize, rows: usize) -> usize {
        let lines = &self.all.lines;
        (s + 1..=r).try_fold(rows, |rows, c| Some(lines[c].link()?.waiting(rows))).unwrap_or(usize::MAX)
    }

    /// Rows of what step `s` writes, of which so many exist, that a step further down than the next still needs when that has computed `rows`.
    fn skipped(&self, s: usize, rows: usize, exist: usize) -> usize {
        let lines = &self.all.lines;
        let b = lines[s].buffer;
        let held = |&r: &usize| {
            let (done, height) = (self.waiting(s + 1, r, rows).min(self.needed[r]), self.needed[r]);
            lines[r].reads.iter().filter(|read| read.buffer == b).map(|read| read.held(done, height, exist)).max()
        };
        self.skips[s].iter().filter_map(held).max().unwrap_or(0)
    }

    /// The least bytes that are alive of what step `c` and those below it have computed when its next band begins at row `y`; `NEVER` if
    /// nobody waits for that.
    fn below(&mut self, end: End, c: usize, y: usize) -> usize {
        let lines = &self.all.lines;
        if self.below[end.to].is_empty() {
            self.below[end.to].resize(lines.len(), Vec::new());
        }
        let known = &mut self.below[end.to][c];
        if known.is_empty() {
            known.resize(lines[c].height + 1, OPEN);
        }
        if known[y] != OPEN {
            return known[y];
        }
        let bytes = self.written(end, c, y, y);
        self.below[end.to][c][y] = bytes;
        bytes
    }

    /// The same when what was computed goes up to `exist`, and nobody has gone on since its row `y` was waited for.
    fn written(&mut self, end: End, c: usize, y: usize, exist: usize) -> usize {
        let all = self.all;
        let Arithmetic { flow, lines, row, least, .. } = all;
        let End { stop, to } = end;
        let b = lines[c].buffer;
        if c + 1 == stop {
            let kept = match stop < to {
                // A whole step needs all of it at once; of one that takes rows it is not known which it has taken.
                true => !lines[stop].takes_rows && !flow.by_rows(stop),
                false => flow.output[b] || flow.readers[b].last().is_some_and(|&r| r >= to),
            };
            let unread = flow.rows(b) * row[b][0] - least[b];
            return if kept { (exist * row[b][0]).saturating_sub(unread) } else { 0 };
        }
        let next = &lines[c + 1];
        let Some(read) = next.link() else { return 0 };
        let waits = read.waiting(y);
        if waits >= self.needed[c + 1] {
            return NEVER;
        }
        let mut fewest = usize::MAX;
        for band in next.bands() {
            let first = waits / band * band;
            let rows = read.held(first, self.needed[c + 1], exist).max(self.skipped(c, first, exist));
            let part = rows == 1 && lines[c].passes_on;
            let bytes = rows * row[b][usize::from(part)];
            if bytes < fewest {
                let below = self.below(end, c + 1, first);
                if below == NEVER {
                    return NEVER;
                }
                fewest = fewest.min(bytes + below);
            }
        }
        fewest
    }
}
