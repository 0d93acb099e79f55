//! Which bytes of the arena still matter after each run, found by walking the runs backwards.

use crate::program::{BufferId, Extent, Operand, Program, Run, Target};
use std::ops::Range;

/// For each run, the ascending, disjoint byte ranges of the arena that a later run (or the caller) still reads. Everything
/// else may be overwritten with anything, which is what the executor's poison mode does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveRanges {
    /// One entry for each of [`Program::runs`].
    pub after: Vec<Vec<Range<usize>>>,
}

/// Live bytes after each run of a [valid](super::validate()) program.
pub fn live_ranges(program: &Program) -> LiveRanges {
    let mut live = Bits::new(program.arena_bytes);
    for port in &program.outputs {
        if let Operand::Buffer(id, extent) = port.operand {
            mark(program, &mut live, id, extent, (0, extent.rows), (0, extent.cols), 0, true);
        }
    }
    let origins = origins(program);
    let mut after = vec![Vec::new(); program.runs.len()];
    for (index, run) in program.runs.iter().enumerate().rev() {
        after[index] = live.ranges();
        match *run {
            Run::Await { input, y0, y1 } => {
                if let Operand::Buffer(id, e) = program.inputs[input].operand {
                    mark(program, &mut live, id, e, (y0, y1), (0, e.cols), 0, false);
                }
            }
            Run::Compute { step: step_id, region } => {
                let step = &program.steps[step_id.index()];
                let state = program.state[step_id.index()];
                if step.consumes {
                    let Some(&Operand::Buffer(id, e)) = step.inputs.first() else { continue };
                    if region.y1 == e.rows {
                        for &Target { buffer, extent: o } in &step.outputs {
                            mark(program, &mut live, buffer, o, (0, o.rows), (0, o.cols), 0, false);
                        }
                    }
                    // The sums are read by every run but the first, which makes them.
                    live.set(state.offset, state.offset + state.len, region.y0 > 0);
                    mark(
                        program,
                        &mut live,
                        id,
                        e,
                        (region.y0, region.y1),
                        (0, e.cols),
                        origins[index][id.index()],
                        true,
                    );
                    continue;
                }
                for (i, &Target { buffer, extent: e }) in step.outputs.iter().enumerate() {
                    let (rows, cols) = if i == 0 {
                        ((region.y0, region.y1), (region.x0, region.x1))
                    } else {
                        ((0, e.rows), (0, e.cols))
                    };
                    let tile = program.buffers[buffer.index()].width < e.cols;
                    mark(program, &mut live, buffer, e, rows, cols, if tile { region.x0 } else { 0 }, false);
                }
                for (&operand, access) in step.inputs.iter().zip(&step.access) {
                    let Operand::Buffer(id, e) = operand else { continue };
                    let rows = access.rows.needs((region.y0, region.y1), e.rows);
                    let cols = access.cols.needs((region.x0, region.x1), e.cols);
                    mark(program, &mut live, id, e, rows, cols, origins[index][id.index()], true);
                }
            }
        }
    }
    LiveRanges { after }
}

/// For each run, the first column that each tile stores when the run begins (0 for what is stored at full width).
fn origins(program: &Program) -> Vec<std::rc::Rc<[usize]>> {
    let mut now: std::rc::Rc<[usize]> = vec![0; program.buffers.len()].into();
    let mut all = Vec::with_capacity(program.runs.len());
    for run in &program.runs {
        all.push(now.clone());
        let Run::Compute { step, region } = *run else { continue };
        for target in &program.steps[step.index()].outputs {
            let buffer = &program.buffers[target.buffer.index()];
            if buffer.width < buffer.spec.extent.cols && now[target.buffer.index()] != region.x0 {
                let mut next = now.to_vec();
                next[target.buffer.index()] = region.x0;
                now = next.into();
            }
        }
    }
    all
}

/// Sets or clears the bytes of full-depth pixels `cols` of `rows`.
fn mark(
    program: &Program,
    live: &mut Bits,
    id: BufferId,
    seen: Extent,
    rows: (usize, usize),
    cols: (usize, usize),
    x0: usize,
    value: bool,
) {
    let buffer = &program.buffers[id.index()];
    let pixel = seen.depth * buffer.spec.element_bytes();
    let (slots, width) = if seen == buffer.spec.extent { (buffer.slots, buffer.width) } else { (seen.rows, seen.cols) };
    if cols.0 >= cols.1 {
        return;
    }
    for row in rows.0..rows.1 {
        let start = buffer.offset + (row % slots) * width * pixel;
        live.set(start + (cols.0 - x0) * pixel, start + (cols.1 - x0) * pixel, value);
    }
}

/// A set of byte addresses.
struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
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

    fn ranges(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (i, &word) in self.words.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                let start = rest.trailing_zeros();
                let ones = (rest >> start).trailing_ones();
                let (from, to) = (i * 64 + start as usize, (i * 64 + (start + ones) as usize).min(self.len));
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
    }
}
