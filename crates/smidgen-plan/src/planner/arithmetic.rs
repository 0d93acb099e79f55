//! What a streamed segment keeps alive at least, by arithmetic on a few of its rows in place of a walk over all of them.
//!
//! Rows come on demand, so how many rows of every tensor exist when the last tensor has so many follows from the windows of
//! the steps between. In a chain, where each step reads what the step before it writes and perhaps tensors from further up,
//! that also says what is alive at the moment when a step computes the last of the rows that the next row of the end takes.
//! A moment that occurs is a lower bound of the greatest: which moments are looked at decides how close it is, and no more.

mod floor;

pub(crate) use floor::Floor;
use floor::MOST_ROWS;

use super::local_search;
use crate::schedule::Flow;
use smidgen_program::{AxisFootprint, Granularity, Operand};
use std::ops::Range;

/// The rows of one operand that a step reads.
struct Read {
    buffer: usize,
    extent: isize,
    stride: isize,
    before: isize,
    /// Rows of the operand.
    rows: usize,
}

impl Read {
    /// The first row that is read for row `y` of `height` that are computed of the output, and all that follow.
    fn first(&self, y: usize, height: usize) -> usize {
        if y >= height {
            return self.rows;
        }
        (y as isize * self.stride - self.before).clamp(0, self.rows as isize) as usize
    }

    /// The first row of the output that takes row `row` of the operand, or one behind it.
    fn waiting(&self, row: usize) -> usize {
        // `y * stride - before + extent > row`
        let first = row as isize + 1 + self.before - self.extent;
        if first <= 0 { 0 } else { (first as usize).div_ceil(self.stride.max(1) as usize) }
    }

    /// One past the last row that is read for the first `count` rows of the output.
    fn end(&self, count: usize) -> usize {
        if count == 0 {
            return 0;
        }
        ((count - 1) as isize * self.stride - self.before + self.extent).clamp(0, self.rows as isize) as usize
    }
}

/// One step as a computation of rows.
struct Line {
    /// It computes single rows of one output from windows of rows.
    by_rows: bool,
    /// It takes what the step before it writes row by row and keeps none.
    takes_rows: bool,
    /// It reads what the step before it writes, as the operand that is demanded first.
    linked: bool,
    height: usize,
    buffer: usize,
    scratch: usize,
    reads: Vec<Read>,
    /// Which of its reads is of what the step before it writes.
    link: Option<usize>,
    /// Where the next step alone reads what it writes, which of its reads that is.
    only_read: Option<usize>,
    /// The buffers that it reads and writes, each once.
    touched: Vec<usize>,
    /// Its rows are used up at once by the next step, column for column, so that they can be computed in parts.
    passes_on: bool,
    /// Its kernel can compute several rows together.
    bands: bool,
}

/// Bytes that are alive at least.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bound {
    /// Before or after some row is computed, with the scratch that this takes.
    pub between: usize,
    /// While some row is computed, with rows that are whole, and with rows in parts: no peak of the quick view is less, by either of its
    /// measures.
    pub during: [usize; 2],
}

/// Looks at all moments.
#[cfg(test)]
pub(crate) const NEVER: Bound = Bound { between: usize::MAX, during: [usize::MAX; 2] };

impl Bound {
    /// True if so many bytes are alive, at any time and during a run, be it of a whole row or of a part.
    pub fn reaches(&self, enough: Bound) -> bool {
        self.between >= enough.between && (0..2).all(|i| self.during[i] >= enough.during[i])
    }

    /// The greater of both.
    pub fn raise(&mut self, other: Bound) {
        self.between = self.between.max(other.between);
        self.during = [self.during[0].max(other.during[0]), self.during[1].max(other.during[1])];
    }
}

/// The steps and buffers of one network, prepared for arithmetic.
pub(crate) struct Arithmetic<'f, 'a> {
    flow: &'f Flow<'a>,
    lines: Vec<Line>,
    /// For each buffer, bytes of a row, and of the part of one that is computed together at least, where rows pass through in parts.
    row: Vec<[usize; 2]>,
    /// For each buffer, whether its rows are awaited.
    awaited: Vec<bool>,
    /// For each buffer, the fewest bytes of it that are alive while it waits.
    least: Vec<usize>,
    /// For each buffer, the rows that are computed where everything is streamed: in no segment are there fewer, since all of what is
    /// read behind a segment is.
    asked: Vec<usize>,
    /// For each position, the first step from there on that does not continue a chain.
    chain: Vec<usize>,
    /// For each position, the first step from there on that does not ask for what the step before it writes no later, as a part of all
    /// rows, than it writes itself.
    eager_upto: Vec<usize>,
}

impl<'f, 'a> Arithmetic<'f, 'a> {
    /// `least`: for each buffer, the fewest bytes of it that are alive while it waits for a reader; `parts`: into how many parts rows are
    /// cut that are used up at once.
    pub fn new(flow: &'f Flow<'a>, stream_input: bool, least: Vec<usize>, parts: usize) -> Self {
        let buffers = &flow.lowered.buffers;
        let mut lines: Vec<Line> = (0..flow.lowered.steps.len()).map(|s| line(flow, s)).collect();
        let mut row: Vec<[usize; 2]> = buffers.iter().map(|spec| [spec.row_bytes(); 2]).collect();
        for s in 1..lines.len() {
            let (before, this) = (&lines[s - 1], &lines[s]);
            let b = before.buffer;
            let passes_on = before.by_rows && this.by_rows && this.linked && flow.passes_columns(s - 1, s);
            if passes_on {
                let spec = &buffers[b];
                row[b][1] =
                    (spec.extent.cols / parts.min(spec.extent.cols).max(1)) * spec.extent.depth * spec.element_bytes();
            }
            let only_read = if flow.readers[b] == [s] && !flow.output[b] && this.by_rows {
                this.reads.iter().position(|read| read.buffer == b)
            } else {
                None
            };
            let link = this.reads.iter().position(|read| read.buffer == b);
            lines[s].link = link;
            (lines[s - 1].passes_on, lines[s - 1].only_read) = (passes_on, only_read);
        }
        let awaited = |b: usize| stream_input && flow.input[b].is_some() && flow.plain[b];
        let mut chain = vec![lines.len(); lines.len() + 1];
        for s in (0..lines.len()).rev() {
            let goes_on = lines.get(s + 1).is_some_and(|next| next.by_rows && next.linked);
            chain[s] = if goes_on { chain[s + 1] } else { s + 1 };
        }
        let eager = |s: usize| {
            let Some(read) = (s > 0).then(|| lines[s].reads.iter().find(|r| r.buffer == lines[s - 1].buffer)).flatten()
            else {
                return false;
            };
            // What is asked for grows ever slower, so that both ends say it for all rows between.
            let height = lines[s].height;
            let is_ahead = |count: usize| read.end(count) * height >= count * read.rows;
            height > 0 && is_ahead(1) && is_ahead(height.saturating_sub(1))
        };
        let mut eager_upto = vec![lines.len(); lines.len() + 1];
        for s in (0..lines.len()).rev() {
            eager_upto[s] = if eager(s) { eager_upto[s + 1] } else { s };
        }
        let (awaited, asked) = ((0..buffers.len()).map(awaited).collect(), asked(flow));
        Self { flow, row, eager_upto, awaited, least, asked, chain, lines }
    }

    /// True if all rows of what the chain from `from` to `stop` writes for steps behind it are computed, wherever the segment ends that goes on.
    fn is_asked_for(&self, from: usize, stop: usize) -> bool {
        (from..stop).all(|s| {
            let b = self.lines[s].buffer;
            self.asked[b] >= self.lines[s].height || s + 1 < stop && !self.flow.readers[b].contains(&stop)
        })
    }

    /// The end of the chain that streamed steps `from .. to` begin with, if what follows the chain asks for nothing in it but for its end;
    /// `None` otherwise.
    fn chained(&self, from: usize, to: usize) -> Option<usize> {
        if !self.lines[from].by_rows {
            return None;
        }
        let stop = self.chain[from].min(to);
        // Whoever comes behind the end of the chain must not ask for anything in it but for its end.
        let asks =
            |b: usize| self.flow.readers[b].iter().any(|&r| r > stop && r < to || r == stop && !self.lines[r].linked);
        let goes_on = stop < to;
        let unknown =
            || goes_on && ((from..stop).any(|s| asks(self.lines[s].buffer)) || !self.is_asked_for(from, stop));
        if stop == from + 1 || unknown() {
            return None;
        }
        // A tensor that is kept for later is computed further than the end of the chain, so that it never waits for its own turn.
        let kept = |b: usize| self.flow.output[b] || self.flow.readers[b].last().is_none_or(|&r| r >= stop);
        let first_kept = (from..stop - 1).find(|&s| kept(self.lines[s].buffer));
        first_kept.is_none_or(|s| self.eager_upto[s + 1] >= stop).then_some(stop)
    }

    /// True if step `r` never asks for more rows of what step `s` of the same chain writes than the step behind that does.
    fn asks_no_more(&self, s: usize, r: usize) -> bool {
        let lines = &self.lines;
        let b = lines[s].buffer;
        if lines[r].height > MOST_ROWS {
            return false;
        }
        (1..=lines[r].height).all(|count| {
            let asked = (s + 1..=r).rev().try_fold(count, |count, c| Some(lines[c].link()?.end(count)));
            asked.is_some_and(|asked| {
                lines[r].reads.iter().filter(|read| read.buffer == b).all(|read| read.end(count) <= asked)
            })
        })
    }

    /// Bytes alive at least while steps `from .. to` are streamed; `None` if nothing is known, since they are no chain. Looks no further
    /// once as many bytes are alive as are `enough`, at any time and during a run, be it of a whole row or of a part.
    pub fn stream(&self, from: usize, to: usize, enough: Bound) -> Option<Bound> {
        let stop = self.chained(from, to)?;
        let mut moment = Moment::new(self, from, stop, to);
        let mut bound = Bound::default();
        // The end's rows, and where rows become fewer those in front of it: the end of a long chain may begin when all else is done.
        let narrows = |&s: &usize| s + 1 < stop && self.lines[s + 1].height < self.lines[s].height;
        for anchor in std::iter::once(stop - 1).chain((from..stop).filter(narrows)) {
            let height = moment.all_rows[anchor - from];
            let rows = [0, 2, height / 2, height.wrapping_sub(1), 1, 3, height.wrapping_sub(2)];
            let rows = if anchor + 1 == stop { &rows[..] } else { &rows[..3] };
            for (i, &y) in rows.iter().enumerate() {
                if y >= height || rows[..i].contains(&y) {
                    continue;
                }
                bound.raise(moment.at(anchor, y, false)?);
                if bound.reaches(enough) {
                    return Some(bound);
                }
            }
        }
        Some(bound)
    }

    /// For each of these steps, bytes alive at least in every streamed segment that begins at `from` and goes beyond the step by more than
    /// one; 0 where that is not sure. What is written behind the step is not counted.
    pub fn lasting(&self, from: usize, steps: Range<usize>) -> Vec<Bound> {
        let stop = self.chain[from];
        let mut all = Vec::with_capacity(steps.len());
        if self.lines[from].by_rows
            && stop > from + 1
            && self.eager_upto[from + 1] >= stop
            && self.is_asked_for(from, stop)
        {
            let mut moment = Moment::new(self, from, stop, self.lines.len());
            for anchor in steps.start..steps.end.min(stop - 1) {
                let mut bound = Bound::default();
                let height = moment.all_rows[anchor - from];
                for y in [height / 2, 0] {
                    match moment.at(anchor, y, true) {
                        Some(found) if y < height => bound.raise(found),
                        _ => break,
                    }
                }
                all.push(bound);
            }
        }
        all.resize(steps.len(), Bound::default());
        all
    }

    /// Bytes alive at least while step `s` runs whole: before or after a row of it, in whatever bands its rows are computed, and while
    /// single rows are.
    pub fn whole(&self, s: usize) -> Bound {
        let line = &self.lines[s];
        let alive = |at: usize| self.alive(at).map(|b| self.least[b]).sum::<usize>();
        let (before, after) = (alive(s), alive(s + 1));
        let mut bound = Bound { between: before.max(after) + line.scratch, during: [0; 2] };
        let written = if line.by_rows { line.height * self.row[line.buffer][0] } else { 0 };
        let last_row = if line.by_rows { self.row[line.buffer][0] } else { 0 };
        let mut during = (before + last_row).max(after) + line.scratch;
        if line.by_rows {
            // What is alive of the operands before the last band, and what has been written by then.
            let passing: usize =
                self.alive(s).filter(|&b| line.reads.iter().all(|read| read.buffer != b)).map(|b| self.least[b]).sum();
            let at = |band: usize| {
                let y = line.height - band.min(line.height);
                let mut read: usize = 0;
                let mut seen = None;
                for window in &line.reads {
                    let b = window.buffer;
                    if seen == Some(b) {
                        continue;
                    }
                    seen = Some(b);
                    let kept = self.flow.output[b] || self.flow.readers[b].last().is_some_and(|&r| r > s);
                    let rows = window.end(line.height).saturating_sub(window.first(y, line.height));
                    read += if kept { self.least[b] } else { rows * self.row[b][0] };
                }
                (passing + read, written - (line.height - y) * last_row)
            };
            // Where the last band begins. A kernel that reads all before it writes has no such moment.
            let last = |band: usize| line.height - (line.height.saturating_sub(1)) / band * band;
            let bands = local_search::ROWS.iter().filter(|_| line.bands).chain(&[1]);
            let between = bands.map(|&band| at(last(band))).map(|(read, written)| read + written).min();
            if self.flow.lowered.steps[s].order.granularity != Granularity::Run {
                bound.between = bound.between.max(between.unwrap_or(0) + line.scratch);
            }
            let (read, before) = at(1);
            during = during.max(read + before + last_row + line.scratch);
        }
        bound.during = [during; 2];
        bound
    }

    /// The buffers that are alive at a position, whatever rows of inputs are pushed.
    fn alive(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.flow.alive(at).into_iter().filter(|&b| !self.awaited[b])
    }

    /// Bytes that are alive at a position.
    pub fn alive_bytes(&self, at: usize) -> usize {
        self.alive(at).map(|b| self.least[b]).sum()
    }

    /// Steps in front of the first that needs a whole tensor, if they are one chain; otherwise none.
    pub fn chain(&self) -> usize {
        let first = self.lines.iter().position(|line| !line.by_rows).unwrap_or(self.lines.len());
        if first > 1 && self.chain[0] == first { first } else { 0 }
    }

    /// True if the rows of step `s` are used up at once by the next step, column for column.
    pub fn passes_on(&self, s: usize) -> bool {
        self.lines[s].passes_on
    }
}

/// A segment at the moments when its end has so many rows.
struct Moment<'m, 'f, 'a> {
    all: &'m Arithmetic<'f, 'a>,
    from: usize,
    /// The end of the chain.
    stop: usize,
    /// The end of the segment.
    to: usize,
    /// For each step, the rows that it has computed before the moment.
    rows: Vec<usize>,
    /// For each step, the rows that it computes in all: those behind the last that anybody reads never are.
    all_rows: Vec<usize>,
    /// Room for the rows of each step before and after a round.
    before: Vec<usize>,
    after: Vec<usize>,
    /// The buffers that are there when the segment begins and that it reads.
    read: Vec<usize>,
    /// Bytes of those that pass by.
    passing: usize,
    /// For each buffer that the segment reads or writes, its rows that are alive at the moment.
    alive: Vec<usize>,
}

impl<'m, 'f, 'a> Moment<'m, 'f, 'a> {
    fn new(all: &'m Arithmetic<'f, 'a>, from: usize, stop: usize, to: usize) -> Self {
        let count = stop - from;
        let mut moment = Self {
            all,
            from,
            stop,
            to,
            rows: vec![0; count],
            all_rows: vec![all.lines[stop - 1].height; count],
            before: vec![0; count],
            after: vec![0; count],
            read: Vec::new(),
            passing: 0,
            alive: vec![0; all.row.len()],
        };
        moment.complete();
        let flow = all.flow;
        for b in flow.alive(from) {
            if flow.readers[b].iter().any(|r| (from..stop).contains(r)) {
                moment.read.push(b);
            } else if (flow.output[b] || flow.readers[b].last().is_some_and(|&r| r >= to))
                && !(all.awaited[b] && flow.readers[b].first().is_some_and(|&r| r >= from))
            {
                moment.passing += all.least[b];
            }
        }
        moment
    }

    /// Says how many rows each step computes in all.
    fn complete(&mut self) {
        let Arithmetic { flow, lines, .. } = self.all;
        for s in (self.from..self.stop - 1).rev() {
            let b = lines[s].buffer;
            let kept = flow.output[b] || flow.readers[b].last().is_none_or(|&r| r >= self.stop);
            let of = |r: usize| {
                let reads = lines[r].reads.iter().filter(|read| read.buffer == b);
                reads.map(|read| read.end(self.all_rows[r - self.from])).max().unwrap_or(0)
            };
            let inside = flow.readers[b].iter().copied().filter(|&r| r < self.stop);
            self.all_rows[s - self.from] = if kept { lines[s].height } else { inside.map(of).max().unwrap_or(0) };
        }
    }

    /// Rows that each step up to `anchor` has computed when that has `count`; false if what is demanded first is not all that is
    /// demanded. Steps behind have what [`rows`](Self::rows) says.
    fn demand(&self, anchor: usize, count: usize, rows: &mut [usize]) -> bool {
        let Moment { all: Arithmetic { flow, lines, .. }, from, stop, .. } = *self;
        rows[anchor - from..].copy_from_slice(&self.rows[anchor - from..]);
        rows[anchor - from] = count;
        for s in (from..anchor).rev() {
            let b = lines[s].buffer;
            let by = |r: usize| {
                let reads = lines[r].reads.iter().filter(|read| read.buffer == b);
                reads.map(|read| read.end(rows[r - from])).max().unwrap_or(0)
            };
            let next = by(s + 1);
            let readers = &flow.readers[b];
            if readers.iter().any(|&r| r > s + 1 && r < stop && by(r) > next) {
                return false;
            }
            rows[s - from] = next;
        }
        true
    }

    /// Sets the rows of the steps behind `anchor` to what they have computed when that computes row `y`: each waits for a row of the one
    /// before it. False if nobody waits for the row.
    fn wait(&mut self, anchor: usize, y: usize) -> bool {
        let Moment { all: Arithmetic { lines, .. }, from, stop, .. } = *self;
        let mut row = y;
        for c in anchor + 1..stop {
            let b = lines[c - 1].buffer;
            let Some(read) = lines[c].reads.iter().find(|read| read.buffer == b) else { return false };
            row = read.waiting(row);
            if row >= self.all_rows[c - from] {
                return false;
            }
            self.rows[c - from] = row;
        }
        true
    }

    /// The rows of buffer `b` that step `r` behind the chain keeps alive until the chain has ended, if it is known to keep any.
    fn behind(&self, r: usize, b: usize) -> Option<(usize, usize)> {
        let Moment { all: Arithmetic { flow, lines, .. }, stop, to, .. } = *self;
        if r >= to {
            return Some((0, flow.rows(b)));
        }
        let waits = r == stop && lines[r].linked && !lines[r].takes_rows && !flow.by_rows(r);
        waits.then(|| read_whole(flow, r, b))
    }

    /// True if row `y` of what the end of the chain writes is needed behind it.
    fn is_read_behind(&self, b: usize, y: usize) -> bool {
        let Moment { all: Arithmetic { flow, .. }, stop, to, .. } = *self;
        if stop >= to {
            return true;
        }
        let step = &flow.lowered.steps[stop];
        if step.consumes || !flow.by_rows(stop) {
            let (first, end) = read_whole(flow, stop, b);
            return (first..end).contains(&y);
        }
        let rows = flow.rows(b);
        let mut reads = flow.reads(stop).filter(|&(from, _)| from == b).map(|(_, footprint)| &footprint.rows);
        reads.any(|window| {
            let mut ranges = (0..step.outputs[0].extent.rows).map(|row| window.input_range((row, row + 1), rows));
            !flow.plain[b] || ranges.any(|(first, end)| (first..end).contains(&y))
        })
    }

    /// Rows of a buffer that exist, and how many of them are no longer needed.
    fn live(&self, b: usize) -> usize {
        let Moment { all: Arithmetic { flow, lines, awaited, .. }, from, stop, .. } = *self;
        if let Some(p) = flow.producer[b].filter(|&p| p >= from && p + 1 < stop)
            && let Some(read) = lines[p].only_read.map(|i| &lines[p + 1].reads[i])
        {
            let (n, all_rows) = (p - from, self.all_rows[p + 1 - from]);
            return self.rows[n].min(read.end(all_rows)).saturating_sub(read.first(self.rows[n + 1], all_rows));
        }
        let rows = flow.rows(b);
        let (mut first, mut demanded) = (if flow.output[b] { 0 } else { rows }, 0);
        // Rows that nobody reads are not needed at all.
        let mut end = if flow.output[b] { rows } else { 0 };
        let done = |r: usize| self.rows[r - from];
        for &r in flow.readers[b].iter().filter(|&&r| r >= from) {
            if r >= stop {
                // Behind the chain, but in the segment, rows may be used up as they come, if no whole step waits for the chain.
                if let Some((lo, hi)) = self.behind(r, b) {
                    (first, end) = (first.min(lo), end.max(hi));
                }
                continue;
            }
            for read in lines[r].reads.iter().filter(|read| read.buffer == b) {
                demanded = demanded.max(read.end(done(r)));
                let (lo, hi) = (read.first(done(r), self.all_rows[r - from]), read.end(self.all_rows[r - from]));
                // A reader that has all that it reads keeps nothing.
                if lo < hi {
                    (first, end) = (first.min(lo), end.max(hi));
                }
            }
        }
        let produced = match flow.producer[b] {
            Some(p) if p >= from => done(p),
            None if awaited[b] && flow.readers[b].first().is_some_and(|&r| r >= from) => demanded,
            _ => rows,
        };
        produced.min(end).saturating_sub(first)
    }

    /// The moments of the round that gives row `y` of step `anchor`: each step computes the last of its rows in it. Nothing, where nobody
    /// waits for the row; `None` if the segment is no chain after all. If `alone`, only the moment of the step itself, and what steps
    /// behind it write is not counted.
    fn at(&mut self, anchor: usize, y: usize, alone: bool) -> Option<Bound> {
        let Moment { all, from, stop, .. } = *self;
        let Arithmetic { flow, lines, .. } = all;
        // Only what the segment passes on within itself is cut.
        let row = |b: usize| match flow.producer[b] {
            Some(p) if p >= from && p + 1 < stop => all.row[b],
            _ => [all.row[b][0]; 2],
        };
        if !self.wait(anchor, y) {
            return Some(Bound::default());
        }
        let (mut before, mut after) = (std::mem::take(&mut self.before), std::mem::take(&mut self.after));
        before.fill(0);
        if !self.demand(anchor, y + 1, &mut after) || y > 0 && !self.demand(anchor, y, &mut before) {
            (self.before, self.after) = (before, after);
            return None;
        }
        for n in 0..=anchor - from {
            let during = n == anchor - from || !alone;
            self.rows[n] = after[n] - usize::from(during && after[n] > before[n]);
        }
        // What passes by, what is read, and what is written.
        let mut bytes = [self.passing; 2];
        let upto = if alone { anchor } else { stop - 1 };
        let written = (from..=upto).map(|s| lines[s].buffer);
        let mut alive = std::mem::take(&mut self.alive);
        for b in self.read.iter().copied().chain(written) {
            let (row, live) = (row(b), self.live(b));
            alive[b] = live;
            bytes = [bytes[0] + live * row[0], bytes[1] + live * row[1]];
        }
        // A step is at the last row of its round when the next one is at the last of its own, and so on to the end, unless rows at the
        // border ask for no more than those before them: then what is further up was computed earlier.
        let asked = |c: usize| {
            let ends = |count: usize| {
                lines[c].reads.iter().find(|read| read.buffer == lines[c - 1].buffer).map(|read| read.end(count))
            };
            after[c - from] > 0 && ends(after[c - from]) > ends(after[c - from] - 1)
        };
        let exact = (from + 1..=anchor).rev().find(|&c| !asked(c)).unwrap_or(from);
        let mut bound = Bound::default();
        // The row that parts are computed of, where those behind the first are.
        let mut begun = None;
        for s in if alone { anchor } else { from }..=anchor {
            if after[s - from] == before[s - from] {
                continue;
            }
            let line = &lines[s];
            let inside = s + 1 < stop && line.passes_on;
            if inside && s < anchor && begun.is_none() {
                let end = (s + 1..stop).find(|&e| !(lines[e].passes_on && e + 1 < stop)).unwrap_or(stop - 1);
                // A row that nobody reads is not kept.
                let (b, at) = (lines[end].buffer, self.rows[end - from]);
                let waits = |c: usize| {
                    let mut reads = lines[c].reads.iter().filter(|read| read.buffer == b);
                    reads.any(|read| read.first(self.rows[c - from], self.all_rows[c - from]) <= at)
                };
                let is_read = if end + 1 == stop { self.is_read_behind(b, at) } else { (end + 1..stop).any(waits) };
                let parts = is_read && flow.lowered.steps[s].outputs[0].extent.cols > 1;
                begun = Some(if parts { row(lines[end].buffer)[0] } else { 0 });
            } else if !inside {
                begun = None;
            }
            let written = row(line.buffer);
            let part = if inside { written[1] } else { written[0] };
            let now = Bound {
                between: bytes[1] + line.scratch,
                during: [bytes[0] + written[0] + line.scratch, bytes[1] + part + begun.unwrap_or(0) + line.scratch],
            };
            self.rows[s - from] += 1;
            for &b in &line.touched {
                let (row, live) = (row(b), self.live(b));
                let old = std::mem::replace(&mut alive[b], live);
                bytes = [bytes[0] + live * row[0] - old * row[0], bytes[1] + live * row[1] - old * row[1]];
            }
            if s >= exact {
                bound.raise(Bound { between: now.between.max(bytes[1] + line.scratch), ..now });
            }
        }
        (self.before, self.after, self.alive) = (before, after, alive);
        Some(bound)
    }
}

/// For each buffer, the rows that are computed where all steps are streamed and what is read of the outputs is all.
fn asked(flow: &Flow) -> Vec<usize> {
    let mut asked: Vec<usize> = (0..flow.lowered.buffers.len())
        .map(|b| if flow.output[b] || flow.readers[b].is_empty() { flow.rows(b) } else { 0 })
        .collect();
    for (s, step) in flow.lowered.steps.iter().enumerate().rev() {
        let rows = flow.writes(s).map(|b| asked[b]).max().unwrap_or(0);
        for (b, footprint) in flow.reads(s).filter(|_| rows > 0) {
            let all = flow.rows(b);
            let window = flow.by_rows(s) && flow.plain[b] && !step.consumes;
            asked[b] = asked[b].max(if window { footprint.rows.input_range((0, rows), all).1 } else { all });
        }
    }
    asked
}

/// The rows of buffer `b` from the first to the last that step `s` reads when it runs whole.
fn read_whole(flow: &Flow, s: usize, b: usize) -> (usize, usize) {
    let rows = flow.rows(b);
    let step = &flow.lowered.steps[s];
    if !flow.plain[b] || step.consumes {
        return (0, rows);
    }
    let height = step.outputs.first().map_or(0, |target| target.extent.rows);
    let reads = flow.reads(s).filter(|&(from, _)| from == b).map(|(_, footprint)| footprint);
    reads
        .map(|footprint| footprint.rows.input_range((0, height), rows))
        .fold((rows, 0), |(first, end), (lo, hi)| if lo < hi { (first.min(lo), end.max(hi)) } else { (first, end) })
}

/// A step as a computation of rows, if it is one.
fn line(flow: &Flow, s: usize) -> Line {
    let step = &flow.lowered.steps[s];
    let mut reads = Vec::with_capacity(step.inputs.len());
    let mut windows = true;
    for (operand, footprint) in step.inputs.iter().zip(&step.footprint) {
        let Operand::Buffer(b, _) = *operand else { continue };
        match footprint.rows {
            AxisFootprint::Window { extent, stride, before } if flow.plain[b.index()] => reads.push(Read {
                buffer: b.index(),
                extent: extent as isize,
                stride: stride as isize,
                before,
                rows: flow.rows(b.index()),
            }),
            _ => windows = false,
        }
    }
    let first = flow.order[s].first().and_then(|&i| step.inputs[i].buffer()).map(|b| b.index());
    let buffer = step.outputs.first().map_or(0, |target| target.buffer.index());
    let mut touched: Vec<usize> = reads.iter().map(|read| read.buffer).chain([buffer]).collect();
    touched.sort_unstable();
    touched.dedup();
    let linked = first.is_some_and(|b| s > 0 && flow.producer[b] == Some(s - 1));
    Line {
        by_rows: windows && flow.by_rows(s) && flow.together(s) == 1,
        takes_rows: flow.takes_rows(s),
        linked,
        height: step.outputs.first().map_or(0, |target| target.extent.rows),
        buffer,
        touched,
        link: None,
        only_read: None,
        scratch: step.scratch_bytes,
        reads,
        passes_on: false,
        bands: local_search::in_bands(step),
    }
}
