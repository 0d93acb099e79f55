//! Row by row: each row is computed when the first row that needs it is, and only once. A step whose kernel computes several rows
//! together computes as many each time.

use super::flow::Flow;
use crate::{Operand, Run};
use smidgen_kernels::Region;

/// Writes lists of runs. It remembers which rows exist, so that segments follow one another.
pub(crate) struct Writer<'f, 'a> {
    flow: &'f Flow<'a>,
    /// For each buffer, how many rows exist.
    done: Vec<usize>,
    /// For each buffer, the columns to compute: all of them, except in a strip.
    cols: Vec<(usize, usize)>,
    /// For each consuming step, how many rows of its input it has taken in.
    taken: Vec<usize>,
    /// The list.
    pub runs: Vec<Run>,
}

impl<'f, 'a> Writer<'f, 'a> {
    /// At the start of step `at`: everything before is done. Graph inputs exist, unless they are streamed and no step
    /// before `at` reads them.
    pub fn starting_at(flow: &'f Flow<'a>, at: usize, stream_input: bool) -> Self {
        let done = (0..flow.lowered.buffers.len())
            .map(|b| {
                let exists = match flow.producer[b] {
                    Some(p) => p < at,
                    None => !stream_input || !flow.plain[b] || flow.readers[b].first().is_some_and(|&r| r < at),
                };
                if exists { flow.rows(b) } else { 0 }
            })
            .collect();
        let cols = flow.lowered.buffers.iter().map(|b| (0, b.extent.cols)).collect();
        Self { flow, done, cols, taken: vec![0; flow.lowered.steps.len()], runs: Vec::new() }
    }

    /// Computes steps `from .. to` row by row, demanded by the rows of what is read after them.
    pub fn stream(&mut self, from: usize, to: usize) {
        let mut sinks: Vec<usize> = (from..to)
            .flat_map(|s| self.flow.writes(s))
            .filter(|&b| {
                let readers = &self.flow.readers[b];
                self.flow.output[b] || readers.is_empty() || readers.iter().any(|&r| r >= to)
            })
            .collect();
        // The sink that lags most, as a fraction of its rows, goes next; among equals the one at the end of the longest chain.
        sinks.sort_by_key(|&b| std::cmp::Reverse(self.flow.producer[b].map_or(0, |p| self.flow.depth[p])));
        while let Some(&sink) = sinks
            .iter()
            .filter(|&&b| self.done[b] < self.flow.rows(b))
            .min_by(|&&a, &&b| (self.done[a] * self.flow.rows(b)).cmp(&(self.done[b] * self.flow.rows(a))))
        {
            self.demand(sink, self.done[sink] + 1);
        }
        self.finish_inputs(to);
    }

    /// Computes one column strip of steps `from .. to`, all of which run by rows, down to all rows of `sink`. `cols` gives each
    /// buffer's columns in this strip.
    pub fn strip(&mut self, from: usize, to: usize, sink: usize, cols: Vec<(usize, usize)>) {
        for b in (from..to).flat_map(|s| self.flow.writes(s)) {
            self.done[b] = 0;
        }
        self.cols = cols;
        self.demand(sink, self.flow.rows(sink));
        self.cols = self.flow.lowered.buffers.iter().map(|b| (0, b.extent.cols)).collect();
    }

    /// Computes steps `from .. to`, each whole, in their order.
    pub fn layer(&mut self, from: usize, to: usize) {
        for s in from..to {
            self.whole(s);
        }
        self.finish_inputs(to);
    }

    /// Takes the rows of streamed inputs that no step needs and that have not been awaited, where the last reader is before `to`.
    fn finish_inputs(&mut self, to: usize) {
        for b in 0..self.done.len() {
            let read = self.flow.readers[b].last().map_or(0, |&r| r + 1);
            if self.flow.input[b].is_some() && read <= to {
                self.demand(b, self.flow.rows(b));
            }
        }
    }

    /// Makes rows `.. upto` of a buffer exist.
    fn demand(&mut self, buffer: usize, upto: usize) {
        while self.done[buffer] < upto {
            match self.flow.producer[buffer] {
                Some(step) if self.flow.by_rows(step) => self.row(step),
                Some(step) => self.whole(step),
                None => {
                    let Some(input) = self.flow.input[buffer] else { return };
                    let y0 = self.done[buffer];
                    self.runs.push(Run::Await { input, y0, y1: y0 + 1 });
                    self.done[buffer] += 1;
                }
            }
        }
    }

    /// Computes the next row of a step's output, or as many as its kernel computes together.
    fn row(&mut self, s: usize) {
        let step = &self.flow.lowered.steps[s];
        let target = step.outputs[0];
        let y = self.done[target.buffer.index()];
        let end = (y + self.flow.together(s)).min(target.extent.rows);
        for &operand in &self.flow.order[s] {
            if let Operand::Buffer(b, extent) = step.inputs[operand] {
                let upto = match self.flow.plain[b.index()] {
                    true => step.access[operand].rows.needs((y, end), extent.rows).1,
                    false => self.flow.rows(b.index()),
                };
                self.demand(b.index(), upto);
            }
        }
        let (x0, x1) = self.cols[target.buffer.index()];
        if x0 < x1 {
            self.runs.push(Run::Compute { step: Flow::step_id(s), region: Region { y0: y, y1: end, x0, x1 } });
        }
        self.done[target.buffer.index()] = end;
    }

    /// Computes the rest of a step's output at once, or by taking the rows of its input as they come.
    fn whole(&mut self, s: usize) {
        let step = &self.flow.lowered.steps[s];
        let Some(target) = step.outputs.first().copied() else { return };
        let takes = self.flow.takes_rows(s);
        for &operand in &self.flow.order[s] {
            if let Some(b) = step.inputs[operand].buffer()
                && !(takes && operand == 0)
            {
                self.demand(b.index(), self.flow.rows(b.index()));
            }
        }
        if let (true, Some(Operand::Buffer(b, extent))) = (step.consumes, step.inputs.first().copied()) {
            while self.taken[s] < extent.rows {
                let y = self.taken[s];
                if takes {
                    self.demand(b.index(), y + 1);
                }
                // With the whole input there already, all rows go in at once.
                let y1 = if takes { self.done[b.index()] } else { extent.rows };
                self.runs.push(Run::Compute {
                    step: Flow::step_id(s),
                    region: Region { y0: y, y1, x0: 0, x1: extent.cols },
                });
                self.taken[s] = y1;
            }
        } else {
            let first = if self.flow.by_rows(s) { self.done[target.buffer.index()] } else { 0 };
            self.runs.push(Run::Compute {
                step: Flow::step_id(s),
                region: Region { y0: first, y1: target.extent.rows, x0: 0, x1: target.extent.cols },
            });
        }
        for b in self.flow.writes(s) {
            self.done[b] = self.flow.rows(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::fixture::{Net, mobilenet_v2};
    use crate::schedule::{Columns, live};
    use crate::{Block, Lowered, StepId};

    /// How often each row of each step is computed (of a consuming step: taken in).
    fn counts(net: &Lowered, runs: &[Run]) -> Vec<Vec<usize>> {
        let mut counts: Vec<Vec<usize>> = net
            .steps
            .iter()
            .map(|s| match (s.consumes, s.inputs[0]) {
                (true, Operand::Buffer(_, extent)) => vec![0; extent.rows],
                _ => vec![0; s.outputs[0].extent.rows],
            })
            .collect();
        for run in runs {
            if let Run::Compute { step, region } = run {
                counts[step.index()][region.y0..region.y1].iter_mut().for_each(|n| *n += 1);
            }
        }
        counts
    }

    fn streamed(net: &Lowered, stream_input: bool) -> Vec<Run> {
        let flow = Flow::new(net);
        let mut writer = Writer::starting_at(&flow, 0, stream_input);
        writer.stream(0, net.steps.len());
        writer.runs
    }

    #[test]
    fn every_row_is_computed_exactly_once() {
        let (net, _) = mobilenet_v2(96);
        for stream_input in [false, true] {
            let runs = streamed(&net, stream_input);
            assert!(counts(&net, &runs).iter().flatten().all(|&n| n == 1));
        }
    }

    #[test]
    fn rings_hold_the_window_and_the_delay_of_the_skip() {
        let mut net = Net::default();
        let x = net.input(16, 8, 4);
        let a = net.conv(x, 3, 1, 4);
        let b = net.conv(a, 5, 1, 8);
        let c = net.conv(b, 3, 1, 4);
        let d = net.add(c, a);
        let net = net.outputs(&[d]);
        let flow = Flow::new(&net);
        let runs = streamed(&net, true);
        let span = live(&flow, &runs, &[], &[d], &Columns::full(&flow)).span;
        // Row r of the sum needs rows r - 3 ..= r + 3 of `a` through both convolutions, and row r itself.
        assert_eq!((span[x], span[a], span[b], span[c]), (3, 5, 3, 1));
    }

    #[test]
    fn rows_that_are_computed_together_come_together() {
        let mut net = Net::default();
        let x = net.input(10, 8, 4);
        let a = net.conv(x, 1, 1, 8);
        let b = net.depthwise(a, 3, 1);
        let c = net.conv(b, 1, 1, 4);
        net.staged();
        let mut net = net.outputs(&[c]);
        net.steps[1].order.block = Block::Planes { rows: 4, channels: 4 };
        let flow = Flow::new(&net);
        let runs = streamed(&net, false);
        let of = |s: u32| -> Vec<(usize, usize)> {
            let rows = runs.iter().filter_map(|run| match run {
                Run::Compute { step, region } if *step == StepId(s) => Some((region.y0, region.y1)),
                _ => None,
            });
            rows.collect()
        };
        assert_eq!(of(1), [(0, 4), (4, 8), (8, 10)]);
        assert_eq!(of(2).len(), 10);
        assert!(counts(&net, &runs).iter().flatten().all(|&n| n == 1));
        let span = live(&flow, &runs, &[x], &[c], &Columns::full(&flow)).span;
        assert_eq!((span[a], span[b]), (6, 4));
    }

    #[test]
    fn what_is_needed_late_is_computed_late() {
        let mut net = Net::default();
        let x = net.input(4, 4, 2);
        let a = net.conv(x, 1, 1, 2);
        let b = net.conv(x, 3, 1, 2);
        let c = net.add(a, b);
        let up = net.upsample(c);
        let net = net.outputs(&[up]);
        let order: Vec<StepId> = streamed(&net, false)
            .iter()
            .map(|run| match run {
                Run::Compute { step, .. } => *step,
                Run::Await { .. } => unreachable!("the input is there"),
            })
            .collect();
        // One row of the sum, then both rows that doubling makes of it.
        assert_eq!(order[..5].iter().map(|s| s.0).collect::<Vec<_>>(), [0, 1, 2, 3, 3]);
        assert_eq!(order.len(), 4 * 5);
    }

    #[test]
    fn a_gate_waits_for_all_rows_and_a_pool_for_none() {
        let mut net = Net::default();
        let x = net.input(8, 4, 4);
        let a = net.depthwise(x, 3, 1);
        let m = net.mean(a);
        let g = net.connected(m, 4);
        let y = net.gate(a, g);
        let p = net.mean(y);
        let net = net.outputs(&[p]);
        let flow = Flow::new(&net);
        let runs = streamed(&net, true);
        assert!(counts(&net, &runs).iter().flatten().all(|&n| n == 1));
        let span = live(&flow, &runs, &[], &[p], &Columns::full(&flow)).span;
        assert_eq!((span[x], span[a], span[y]), (3, 8, 1));
    }
}
