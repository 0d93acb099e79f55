//! Which bytes of the arena still matter when, found by walking the runs backwards.

use super::Certified;
use crate::program::{BufferId, Extent, Operand, Program, Run, Target};
use std::ops::Range;

/// For each run, the ascending, disjoint byte ranges of the arena that a later run (or the caller) still reads. Everything
/// else may be overwritten with anything, which is what the executor's poison mode does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveRanges {
    /// One entry for each of [`Program::runs`].
    pub after: Vec<Vec<Range<usize>>>,
}

/// Live bytes after each run.
pub fn live_ranges(program: &Certified) -> LiveRanges {
    let mut after = vec![Vec::new(); program.runs.len()];
    walk_back(program, |index, moment, live| {
        if moment == Moment::After {
            after[index] = live.arena.ranges();
        }
    });
    LiveRanges { after }
}

/// A stretch of time in which a buffer takes one range of the arena.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The runs during which it does.
    pub runs: Range<usize>,
    /// From its first live byte to one past its last, in arena addresses. Within one run the ranges of two buffers may overlap:
    /// that is the safe overlap of a kernel's input and output.
    pub bytes: Range<usize>,
}

/// What lies where and when: the memory map of a program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Occupancy {
    /// For each buffer, its spans in time order.
    pub buffers: Vec<Vec<Span>>,
    /// For each run, the bytes that hold something of use before or after it, and its scratch and state.
    pub live_bytes: Vec<usize>,
}

/// The memory map of a Program.
pub fn occupancy(program: &Certified) -> Occupancy {
    let mut map =
        Occupancy { buffers: vec![Vec::new(); program.buffers.len()], live_bytes: vec![0; program.runs.len()] };
    let mut after = Live::new(program);
    walk_back(program, |index, moment, before| {
        if moment == Moment::After {
            after.clone_from(before);
            return;
        }
        after.arena.unite(&before.arena);
        if let Run::Compute { step, .. } = program.runs[index] {
            for bytes in [program.scratch[step.index()], program.state[step.index()]] {
                after.arena.set(bytes.offset, bytes.offset + bytes.len, true);
            }
        }
        map.live_bytes[index] = after.arena.count();
        for (id, spans) in map.buffers.iter_mut().enumerate() {
            let bytes = match (after.hulls[id].clone(), before.hulls[id].clone()) {
                (Some(a), Some(b)) => a.start.min(b.start)..a.end.max(b.end),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => continue,
            };
            match spans.last_mut() {
                Some(last) if last.bytes == bytes && last.runs.start == index + 1 => last.runs.start = index,
                _ => spans.push(Span { runs: index..index + 1, bytes }),
            }
        }
    });
    for spans in &mut map.buffers {
        spans.reverse();
    }
    map
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    After,
    Before,
}

/// The live bytes at one moment: all of them, and apart for each buffer (as arena addresses).
#[derive(Clone)]
struct Live {
    arena: Bits,
    buffers: Vec<Bits>,
    hulls: Vec<Option<Range<usize>>>,
}

impl Live {
    fn new(program: &Program) -> Self {
        Self {
            arena: Bits::new(program.arena_bytes),
            buffers: program.buffers.iter().map(|b| Bits::new(b.bytes())).collect(),
            hulls: vec![None; program.buffers.len()],
        }
    }

    /// Sets or clears the full-depth pixels `cols` of `rows`; `x0` is the first column that a tile stores.
    fn mark(&mut self, program: &Program, id: BufferId, seen: Extent, rows: Pair, cols: Pair, x0: usize, value: bool) {
        if cols.0 >= cols.1 {
            return;
        }
        let buffer = &program.buffers[id.index()];
        let pixel = seen.depth * buffer.spec.element_bytes();
        let (slots, width) =
            if seen == buffer.spec.extent { (buffer.slots, buffer.width) } else { (seen.rows, seen.cols) };
        for row in rows.0..rows.1 {
            let start = (row % slots) * width * pixel;
            let (from, to) = (start + (cols.0 - x0) * pixel, start + (cols.1 - x0) * pixel);
            self.buffers[id.index()].set(from, to, value);
            self.arena.set(buffer.offset + from, buffer.offset + to, value);
        }
        let hull = self.buffers[id.index()].hull();
        self.hulls[id.index()] = hull.map(|h| buffer.offset + h.start..buffer.offset + h.end);
    }
}

type Pair = (usize, usize);

/// Visits the live bytes after and then before each run, from the last run to the first.
fn walk_back(program: &Program, mut visit: impl FnMut(usize, Moment, &Live)) {
    let mut live = Live::new(program);
    for port in &program.outputs {
        if let Operand::Buffer(id, e) = port.operand {
            live.mark(program, id, e, (0, e.rows), (0, e.cols), 0, true);
        }
    }
    let origins = origins(program);
    for (index, run) in program.runs.iter().enumerate().rev() {
        visit(index, Moment::After, &live);
        match *run {
            Run::Await { input, y0, y1 } => {
                if let Operand::Buffer(id, e) = program.inputs[input].operand {
                    live.mark(program, id, e, (y0, y1), (0, e.cols), 0, false);
                }
            }
            Run::Compute { step, region } => undo(program, &mut live, step.index(), region, &origins[index]),
        }
        visit(index, Moment::Before, &live);
    }
}

/// Turns what is live after a run of `step` into what is live before it: without what it writes, with what it reads.
fn undo(program: &Program, live: &mut Live, index: usize, region: smidgen_kernels::Region, origins: &[usize]) {
    let step = &program.steps[index];
    if step.consumes {
        let Some(&Operand::Buffer(id, e)) = step.inputs.first() else { return };
        if region.y1 == e.rows {
            for &Target { buffer, extent: o } in &step.outputs {
                live.mark(program, buffer, o, (0, o.rows), (0, o.cols), 0, false);
            }
        }
        // The sums are read by every run but the first, which makes them.
        let state = program.state[index];
        live.arena.set(state.offset, state.offset + state.len, region.y0 > 0);
        live.mark(program, id, e, (region.y0, region.y1), (0, e.cols), origins[id.index()], true);
        return;
    }
    for (i, &Target { buffer, extent: e }) in step.outputs.iter().enumerate() {
        let (rows, cols) =
            if i == 0 { ((region.y0, region.y1), (region.x0, region.x1)) } else { ((0, e.rows), (0, e.cols)) };
        let tile = program.buffers[buffer.index()].width < e.cols;
        live.mark(program, buffer, e, rows, cols, if tile { region.x0 } else { 0 }, false);
    }
    for (&operand, access) in step.inputs.iter().zip(&step.access) {
        let Operand::Buffer(id, e) = operand else { continue };
        let rows = access.rows.needs((region.y0, region.y1), e.rows);
        let cols = access.cols.needs((region.x0, region.x1), e.cols);
        live.mark(program, id, e, rows, cols, origins[id.index()], true);
    }
}

/// For each run, the first column that each tile stores when the run begins (0 for what is stored at full width).
fn origins(program: &Program) -> Vec<std::rc::Rc<[usize]>> {
    let mut now: std::rc::Rc<[usize]> = vec![0; program.buffers.len()].into();
    let mut all = Vec::with_capacity(program.runs.len());
    for run in &program.runs {
        all.push(now.clone());
        let Run::Compute { step, region } = *run else { continue };
        for target in &program.steps[step.index()].outputs {
            let (id, buffer) = (target.buffer.index(), &program.buffers[target.buffer.index()]);
            if buffer.width < buffer.spec.extent.cols && now[id] != region.x0 {
                let mut next = now.to_vec();
                next[id] = region.x0;
                now = next.into();
            }
        }
    }
    all
}

/// A set of byte addresses.
#[derive(Clone)]
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)] }
    }

    fn set(&mut self, from: usize, to: usize, value: bool) {
        let mut at = from;
        while at < to {
            let (word, bit) = (at / 64, at % 64);
            let n = (64 - bit).min(to - at);
            let mask = (u64::MAX >> (64 - n)) << bit;
            if value {
                self.words[word] |= mask;
            } else {
                self.words[word] &= !mask;
            }
            at += n;
        }
    }

    fn unite(&mut self, other: &Bits) {
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// From the first member to one past the last.
    fn hull(&self) -> Option<Range<usize>> {
        let first = self.words.iter().position(|&w| w != 0)?;
        let last = self.words.iter().rposition(|&w| w != 0)?;
        let start = first * 64 + self.words[first].trailing_zeros() as usize;
        Some(start..last * 64 + 64 - self.words[last].leading_zeros() as usize)
    }

    fn ranges(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (i, &word) in self.words.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                let start = rest.trailing_zeros();
                let ones = (rest >> start).trailing_ones();
                let (from, to) = (i * 64 + start as usize, i * 64 + (start + ones) as usize);
                match ranges.last_mut() {
                    Some(last) if last.end == from => last.end = to,
                    _ => ranges.push(from..to),
                }
                rest = if start + ones == 64 { 0 } else { rest & (u64::MAX << (start + ones)) };
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_give_back_the_ranges_that_were_set() {
        let mut bits = Bits::new(300);
        bits.set(3, 70, true);
        bits.set(128, 256, true);
        bits.set(299, 300, true);
        bits.set(10, 12, false);
        assert_eq!(bits.ranges(), [3..10, 12..70, 128..256, 299..300]);
        assert_eq!(bits.hull(), Some(3..300));
        assert_eq!(bits.count(), 7 + 58 + 128 + 1);
        assert_eq!(Bits::new(10).hull(), None);
    }
}
