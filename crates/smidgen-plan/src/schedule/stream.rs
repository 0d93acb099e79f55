//! Row by row: each row is computed when the first row that needs it is, and only once. A step whose kernel computes several rows
//! together computes as many each time.

use super::flow::Flow;
use super::sparse::Sparse;
use smidgen_kernels::Region;
use smidgen_program::{AxisFootprint, Footprint, Operand, Run};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Writes lists of runs. It remembers which rows exist, so that segments follow one another.
pub(crate) struct Writer<'f, 'a> {
    flow: &'f Flow<'a>,
    stream_input: bool,
    /// The step at which the list begins.
    start: usize,
    /// For each buffer, how many rows exist, where that is not what it was at the start.
    done: Sparse<usize>,
    /// For each buffer, the columns to compute, in a strip; otherwise all of them.
    cols: Option<Vec<(usize, usize)>>,
    /// For each consuming step, how many rows of its input it has taken in.
    taken: Sparse<usize>,
    /// The steps of the stream that follow it, ascending.
    followers: Vec<usize>,
    /// What is still to be done, the next at the end: chains of steps may be longer than a thread's stack.
    tasks: Vec<Task>,
    /// The list.
    pub runs: Vec<Run>,
}

/// A part of the work of making rows exist.
#[derive(Clone, Copy)]
enum Task {
    /// Make rows `.. upto` of a buffer exist.
    Demand { buffer: usize, upto: usize },
    /// Compute rows `y .. end` of a step, once what operand number `next` and those after it need is there.
    Row { step: usize, y: usize, end: usize, next: usize },
    /// Compute the rest of a step's output, once operand number `next` and those after it are there.
    Whole { step: usize, next: usize },
    /// Give a consuming step the rows of its input that are there from `y` on, and then the others.
    Take { step: usize, y: usize },
}

/// A buffer that is read after a segment, with the part of its rows that exist; the one with the least comes first, and among equals
/// the first.
struct Sink {
    done: usize,
    rows: usize,
    place: usize,
    buffer: usize,
}

impl Ord for Sink {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.done * other.rows).cmp(&(other.done * self.rows)).then(self.place.cmp(&other.place))
    }
}

impl PartialOrd for Sink {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sink {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sink {}

impl<'f, 'a> Writer<'f, 'a> {
    /// At the start of step `at`: everything before is done. Graph inputs exist, unless they are streamed and no step
    /// before `at` reads them.
    pub fn starting_at(flow: &'f Flow<'a>, at: usize, stream_input: bool) -> Self {
        Self {
            flow,
            stream_input,
            start: at,
            done: Sparse::new(flow.lowered.buffers.len()),
            cols: None,
            taken: Sparse::new(flow.lowered.steps.len()),
            followers: Vec::new(),
            tasks: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Begins a new list at the start of step `at`.
    pub fn restart(&mut self, at: usize) {
        self.start = at;
        self.done.clear();
        self.taken.clear();
        self.followers.clear();
        self.runs.clear();
    }

    /// How many rows of a buffer exist.
    fn done(&self, b: usize) -> usize {
        self.done.get(b).unwrap_or_else(|| {
            let exists = match self.flow.producer[b] {
                Some(p) => p < self.start,
                None => {
                    !self.stream_input
                        || !self.flow.plain[b]
                        // What nobody reads is taken by the first list.
                        || self.flow.readers[b].first().map_or(self.start > 0, |&r| r < self.start)
                }
            };
            if exists { self.flow.rows(b) } else { 0 }
        })
    }

    /// The columns of a buffer to compute.
    fn cols(&self, b: usize) -> (usize, usize) {
        self.cols.as_ref().map_or_else(|| (0, self.flow.lowered.buffers[b].extent.cols), |cols| cols[b])
    }

    /// Computes steps `from .. to` row by row, demanded by the rows of what is read after them.
    pub fn stream(&mut self, from: usize, to: usize) {
        self.followers.extend((from..to).filter(|&s| self.flow.follows[s]));
        let mut sinks: Vec<usize> = (from..to)
            .filter(|&s| !self.flow.follows[s])
            .flat_map(|s| self.flow.writes(s))
            .filter(|&b| {
                let readers = &self.flow.readers[b];
                self.flow.output[b] || readers.last().is_none_or(|&r| r >= to)
            })
            .collect();
        // The sink that lags most, as a fraction of its rows, goes next; among equals the one at the end of the longest chain.
        sinks.sort_by_key(|&b| Reverse(self.flow.producer[b].map_or(0, |p| self.flow.depth[p])));
        let sink = |(place, &buffer): (usize, &usize)| {
            Reverse(Sink { done: self.done(buffer), rows: self.flow.rows(buffer), place, buffer })
        };
        let mut sinks: BinaryHeap<Reverse<Sink>> = sinks.iter().enumerate().map(sink).collect();
        while let Some(Reverse(sink)) = sinks.pop() {
            let done = self.done(sink.buffer);
            if done >= sink.rows {
                continue;
            }
            // Others may have demanded its rows since.
            if done == sink.done {
                self.demand(sink.buffer, done + 1);
            }
            sinks.push(Reverse(Sink { done: self.done(sink.buffer), ..sink }));
        }
        // What only those read that follow is still to be computed; then nothing holds them up.
        for s in self.followers.clone() {
            for (b, _) in self.flow.reads(s) {
                self.demand(b, self.flow.rows(b));
            }
        }
        self.follow_up(true);
        self.followers.clear();
        self.finish_inputs(to);
    }

    /// Runs the steps that follow as far as everything is there that they read, and nobody reads what they change.
    fn follow(&mut self) {
        self.follow_up(false);
    }

    /// The same; at the end of a stream nobody reads anything any more, even where some rows were never computed.
    fn follow_up(&mut self, ended: bool) {
        for i in 0..self.followers.len() {
            let s = self.followers[i];
            let flow = self.flow;
            let target = &flow.lowered.steps[s].outputs[0];
            let (b, height) = (target.buffer.index(), target.extent.rows);
            let done = self.done(b);
            let there = |(operand, footprint): (usize, &Footprint)| match footprint.rows == AxisFootprint::SAME {
                _ if flow.persistent[operand] => height,
                true if flow.plain[operand] => self.done(operand),
                _ if self.done(operand) == flow.rows(operand) => height,
                _ => 0,
            };
            let read = |&r: &usize| match flow.lowered.steps[r].consumes {
                _ if ended || self.is_done(r) => height,
                true if self.takes_variable_by_rows(r, s) => self.taken.of(r),
                _ => 0,
            };
            let upto = flow.reads(s).map(there).chain(flow.after[s].iter().map(read)).min().unwrap_or(0);
            // As many together as come together: each run has its costs.
            if upto > done && (upto == height || upto - done >= flow.pace[s]) {
                let region = Region { y0: done, y1: upto, x0: 0, x1: target.extent.cols };
                self.runs.push(Run::Compute { step: Flow::step_id(s), region });
                self.done.put(b, upto);
            }
        }
    }

    /// True if all that a step writes is there.
    fn is_done(&self, s: usize) -> bool {
        self.flow.writes(s).all(|b| self.done(b) == self.flow.rows(b))
    }

    /// True if consuming step `r` needs of the variable that step `s` changes, for a row that it takes in, the row that `s` changes.
    fn takes_variable_by_rows(&self, r: usize, s: usize) -> bool {
        let flow = self.flow;
        let step = &flow.lowered.steps[r];
        let height = flow.lowered.steps[s].outputs[0].extent.rows;
        let value = |b: usize| flow.after[s].contains(&r) && flow.persistent[b];
        flow.takes_rows(r)
            && step.inputs.iter().zip(&step.footprint).skip(1).all(|(operand, footprint)| match *operand {
                Operand::Buffer(b, extent)
                    if value(b.index()) && flow.lowered.steps[s].inputs[0].buffer() == Some(b) =>
                {
                    footprint.rows == AxisFootprint::SAME && extent.rows == height
                }
                _ => true,
            })
    }

    /// Computes one column strip of steps `from .. to`, all of which run by rows, down to all rows of `sink`. `cols` gives each
    /// buffer's columns in this strip.
    pub fn strip(&mut self, from: usize, to: usize, sink: usize, cols: Vec<(usize, usize)>) {
        for b in (from..to).flat_map(|s| self.flow.writes(s)) {
            self.done.put(b, 0);
        }
        self.cols = Some(cols);
        self.demand(sink, self.flow.rows(sink));
        self.cols = None;
    }

    /// Computes steps `from .. to`, each whole, in their order.
    pub fn layer(&mut self, from: usize, to: usize) {
        for s in from..to {
            self.tasks.push(Task::Whole { step: s, next: 0 });
            self.work();
        }
        self.finish_inputs(to);
    }

    /// Takes the rows of streamed inputs that no step before `to` needs and that have not been awaited, where the first
    /// reader is before `to`: those after it find all rows there.
    fn finish_inputs(&mut self, to: usize) {
        let flow = self.flow;
        for &b in &flow.inputs {
            let read = flow.readers[b].first().map_or(0, |&r| r + 1);
            if read <= to {
                self.demand(b, flow.rows(b));
            }
        }
    }

    /// Makes rows `.. upto` of a buffer exist.
    fn demand(&mut self, buffer: usize, upto: usize) {
        self.tasks.push(Task::Demand { buffer, upto });
        self.work();
    }

    /// Does all that is to be done.
    fn work(&mut self) {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Demand { buffer, upto } => self.advance(buffer, upto),
                Task::Row { step, y, end, next } => self.row(step, y, end, next),
                Task::Whole { step, next } => self.whole(step, next),
                Task::Take { step, y } => self.take(step, y),
            }
        }
    }

    /// Begins the next rows of a buffer, if rows `.. upto` do not all exist.
    fn advance(&mut self, buffer: usize, upto: usize) {
        let done = self.done(buffer);
        if done >= upto {
            return;
        }
        match self.flow.producer[buffer] {
            Some(step) => {
                self.tasks.push(Task::Demand { buffer, upto });
                self.tasks.push(if self.flow.by_rows(step) {
                    let height = self.flow.lowered.steps[step].outputs[0].extent.rows;
                    Task::Row { step, y: done, end: (done + self.flow.together(step)).min(height), next: 0 }
                } else {
                    Task::Whole { step, next: 0 }
                });
            }
            None => {
                let Some(input) = self.flow.input[buffer] else { return };
                self.runs.extend((done..upto).map(|y0| Run::Await { input, y0, y1: y0 + 1 }));
                self.done.put(buffer, upto);
            }
        }
    }

    /// Computes the next row of a step's output, or as many as its kernel computes together.
    fn row(&mut self, s: usize, y: usize, end: usize, next: usize) {
        let step = &self.flow.lowered.steps[s];
        if let Some(&operand) = self.flow.order[s].get(next) {
            self.tasks.push(Task::Row { step: s, y, end, next: next + 1 });
            if let Operand::Buffer(b, extent) = step.inputs[operand] {
                let upto = match self.flow.plain[b.index()] {
                    true => step.footprint[operand].rows.input_range((y, end), extent.rows).1,
                    false => self.flow.rows(b.index()),
                };
                self.tasks.push(Task::Demand { buffer: b.index(), upto });
            }
            return;
        }
        let buffer = step.outputs[0].buffer.index();
        let (x0, x1) = self.cols(buffer);
        if x0 < x1 {
            self.runs.push(Run::Compute { step: Flow::step_id(s), region: Region { y0: y, y1: end, x0, x1 } });
        }
        self.done.put(buffer, end);
        self.follow();
    }

    /// Computes the rest of a step's output at once, or by taking the rows of its input as they come.
    fn whole(&mut self, s: usize, next: usize) {
        let step = &self.flow.lowered.steps[s];
        let Some(target) = step.outputs.first().copied() else { return };
        if let Some(&operand) = self.flow.order[s].get(next) {
            self.tasks.push(Task::Whole { step: s, next: next + 1 });
            if let Some(b) = step.inputs[operand].buffer()
                && !(self.flow.takes_rows(s) && operand == 0)
            {
                self.tasks.push(Task::Demand { buffer: b.index(), upto: self.flow.rows(b.index()) });
            }
            return;
        }
        if let (true, Some(Operand::Buffer(..))) = (step.consumes, step.inputs.first()) {
            let y = self.taken.of(s);
            self.tasks.push(Task::Take { step: s, y });
            self.first_row(s, y);
        } else {
            let first = if self.flow.by_rows(s) { self.done(target.buffer.index()) } else { 0 };
            self.runs.push(Run::Compute {
                step: Flow::step_id(s),
                region: Region { y0: first, y1: target.extent.rows, x0: 0, x1: target.extent.cols },
            });
            self.written(s);
        }
    }

    /// Demands row `y` of what a consuming step takes row by row.
    fn first_row(&mut self, s: usize, y: usize) {
        if let (true, Some(b)) = (self.flow.takes_rows(s), self.flow.lowered.steps[s].inputs[0].buffer())
            && y < self.flow.rows(b.index())
        {
            let upto = (y + self.flow.pace[s]).min(self.flow.rows(b.index()));
            self.tasks.push(Task::Demand { buffer: b.index(), upto });
        }
    }

    /// Gives a consuming step rows of its input.
    fn take(&mut self, s: usize, y: usize) {
        let Some(&Operand::Buffer(b, extent)) = self.flow.lowered.steps[s].inputs.first() else { return };
        if y >= extent.rows {
            self.written(s);
            return;
        }
        // With the whole input there already, all rows go in at once.
        let y1 = if self.flow.takes_rows(s) { self.done(b.index()) } else { extent.rows };
        self.runs.push(Run::Compute { step: Flow::step_id(s), region: Region { y0: y, y1, x0: 0, x1: extent.cols } });
        self.taken.put(s, y1);
        self.follow();
        self.tasks.push(Task::Take { step: s, y: y1 });
        self.first_row(s, y1);
    }

    /// All that a step writes is there.
    fn written(&mut self, s: usize) {
        for b in self.flow.writes(s) {
            self.done.put(b, self.flow.rows(b));
        }
        self.follow();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::fixture::{Net, mobilenet_v2};
    use crate::schedule::{Columns, live};
    use smidgen_program::{Granularity, Lowered, StepId};

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
        net.steps[1].order.granularity = Granularity::Planes { rows: 4, channels: 4 };
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
