//! The steps as a network of buffers: who writes and reads what, and where one tensor is all that is alive.

use smidgen_program::{AxisFootprint, Footprint, Granularity, Lowered, Operand, Regions, StepId};

/// Producers and readers of every buffer of a [`Lowered`].
pub(crate) struct Flow<'a> {
    /// What it was made from.
    pub lowered: &'a Lowered,
    /// For each buffer, the step that writes it; `None` for graph inputs and values of variables.
    pub producer: Vec<Option<usize>>,
    /// For each buffer, the steps that read it, ascending.
    pub readers: Vec<Vec<usize>>,
    /// For each buffer, the index of the graph input that it is.
    pub input: Vec<Option<usize>>,
    /// For each buffer, whether it is read at the end: by the caller, or by the next inference as a variable.
    pub output: Vec<bool>,
    /// For each buffer, whether every step sees it with its own extent. If not, it must be stored whole, and its rows mean
    /// different things to different steps. Those of variables are not plain, since they are stored whole.
    pub plain: Vec<bool>,
    /// For each step, the length of the longest chain of steps up to it.
    pub depth: Vec<usize>,
    /// For each step, its operands that are buffers, the one at the end of the longest chain first: what depends on least is
    /// computed last, so that it waits least.
    pub order: Vec<Vec<usize>>,
    /// For each buffer, whether it is a variable's.
    pub persistent: Vec<bool>,
    /// For each step that writes what a variable holds next, the steps that read what it held before: all come first.
    pub after: Vec<Vec<usize>>,
    /// For each step, one past the last that it may share a streamed segment with: what a variable holds next
    /// is not computed among the rows that read what it held before, but by steps that [follow](Self::follows).
    pub apart: Vec<usize>,
    /// For each step, rows that come together where it is run by rows: as many as its kernel computes, or as what it reads row for row has.
    pub pace: Vec<usize>,
    /// For each step, whether it changes a variable by rows, and runs along with a stream as far as that has come.
    pub follows: Vec<bool>,
    /// The buffers that are graph inputs, ascending.
    pub inputs: Vec<usize>,
    /// Who is alive between steps.
    lives: Lives,
    /// For each position, how many of them have more than one element and were written not long ago.
    tensors: Vec<usize>,
}

/// Steps after which a tensor was written long ago.
const NEAR: usize = 6;

/// Positions between which each buffer is alive, and a list of the living every so many positions: with all lists, a network of many steps
/// and many tensors that wait would take memory in proportion to both.
struct Lives {
    /// For each position, the buffers whose life begins there, ascending.
    born: Vec<Vec<u32>>,
    /// For each buffer, the last position at which it is alive.
    last: Vec<usize>,
    /// For each position, how many are alive.
    count: Vec<usize>,
    /// The living at every [`Lives::APART`]th position, ascending.
    listed: Vec<Vec<u32>>,
}

impl Lives {
    const APART: usize = 32;

    /// From the position at which each buffer is first alive, and the last; the end comes first for one that never is.
    fn new(lives: &[(usize, usize)], positions: usize) -> Self {
        let mut all = Self {
            born: vec![Vec::new(); positions],
            last: lives.iter().map(|life| life.1).collect(),
            count: Vec::with_capacity(positions),
            listed: Vec::new(),
        };
        for (b, &(first, last)) in lives.iter().enumerate() {
            if first <= last {
                all.born[first].push(b as u32);
            }
        }
        let mut now: Vec<u32> = Vec::new();
        for at in 0..positions {
            now.retain(|&b| all.last[b as usize] >= at);
            now.extend(&all.born[at]);
            all.count.push(now.len());
            if at.is_multiple_of(Self::APART) {
                now.sort_unstable();
                all.listed.push(now.clone());
            }
        }
        all
    }

    fn at(&self, at: usize) -> Vec<usize> {
        let listed = at / Self::APART;
        let later = self.born[listed * Self::APART + 1..at + 1].iter().flatten();
        let all = self.listed[listed].iter().chain(later);
        let mut alive: Vec<usize> = all.map(|&b| b as usize).filter(|&b| self.last[b] >= at).collect();
        alive.sort_unstable();
        alive
    }
}

impl<'a> Flow<'a> {
    /// Follows every operand and target.
    pub fn new(lowered: &'a Lowered) -> Self {
        let n = lowered.buffers.len();
        let mut flow = Self {
            lowered,
            producer: vec![None; n],
            readers: vec![Vec::new(); n],
            input: vec![None; n],
            output: vec![false; n],
            plain: vec![true; n],
            depth: Vec::with_capacity(lowered.steps.len()),
            order: Vec::with_capacity(lowered.steps.len()),
            persistent: lowered.persistent(),
            after: vec![Vec::new(); lowered.steps.len()],
            apart: vec![lowered.steps.len(); lowered.steps.len()],
            pace: vec![1; lowered.steps.len()],
            follows: vec![false; lowered.steps.len()],
            inputs: Vec::new(),
            lives: Lives { born: Vec::new(), last: Vec::new(), count: Vec::new(), listed: Vec::new() },
            tensors: vec![0; lowered.steps.len() + 1],
        };
        for (i, port) in lowered.inputs.iter().enumerate() {
            if let Some(b) = port.operand.buffer() {
                flow.input[b.index()] = Some(i);
            }
        }
        for port in &lowered.outputs {
            if let Some(b) = port.operand.buffer() {
                flow.output[b.index()] = true;
            }
        }
        for variable in &lowered.variables {
            for b in [variable.value, variable.next] {
                flow.plain[b.index()] = false;
            }
            flow.output[variable.next.index()] = true;
        }
        for (s, step) in lowered.steps.iter().enumerate() {
            let mut depth = 0;
            for input in &step.inputs {
                if let Operand::Buffer(b, extent) = *input {
                    flow.readers[b.index()].push(s);
                    flow.plain[b.index()] &= extent == lowered.buffers[b.index()].extent;
                    depth = depth.max(flow.producer[b.index()].map_or(0, |p| flow.depth[p] + 1));
                }
            }
            for target in &step.outputs {
                flow.producer[target.buffer.index()] = Some(s);
                flow.plain[target.buffer.index()] &= target.extent == lowered.buffers[target.buffer.index()].extent;
            }
            flow.depth.push(depth);
            let mut operands: Vec<usize> =
                (0..step.inputs.len()).filter(|&i| step.inputs[i].buffer().is_some()).collect();
            operands.sort_by_key(|&i| {
                let producer = step.inputs[i].buffer().and_then(|b| flow.producer[b.index()]);
                std::cmp::Reverse(producer.map_or(0, |p| flow.depth[p] + 1))
            });
            flow.order.push(operands);
        }
        flow.inputs = (0..n).filter(|&b| flow.input[b].is_some()).collect();
        let end = lowered.steps.len();
        for s in 0..end {
            let same = |(i, operand): (usize, &Operand)| {
                let same =
                    lowered.steps[s].footprint[i].rows == AxisFootprint::SAME || lowered.steps[s].consumes && i == 0;
                operand.buffer().filter(|_| same).and_then(|b| flow.producer[b.index()])
            };
            let above = lowered.steps[s].inputs.iter().enumerate().filter_map(same).map(|p| flow.pace[p]);
            flow.pace[s] = match lowered.steps[s].order.granularity {
                Granularity::Planes { rows, .. } => rows.max(1),
                // What only adds up has few costs for each row, and room for fewer is enough.
                _ if lowered.steps[s].consumes && lowered.steps[s].inputs.len() == 1 => 1,
                _ => above.max().unwrap_or(1),
            };
        }
        flow.part(end);
        let life = |b: usize| {
            if flow.persistent[b] {
                return (1, 0);
            }
            let first = match flow.producer[b] {
                Some(p) => p + 1,
                None if flow.input[b].is_some() => 0,
                None => return (1, 0),
            };
            // A buffer that nobody reads is not alive between any two steps.
            let last = if flow.output[b] { Some(end) } else { flow.readers[b].last().copied() };
            last.map_or((1, 0), |last| (first, last))
        };
        let lives: Vec<(usize, usize)> = (0..n).map(life).collect();
        for (b, &(first, last)) in lives.iter().enumerate() {
            if lowered.buffers[b].extent.elements() <= 1 || first > last {
                continue;
            }
            // What was written long ago merely waits, as what a backward pass reads does.
            let recent = first..(first + NEAR).min(last) + 1;
            flow.tensors[recent].iter_mut().for_each(|count| *count += 1);
        }
        flow.lives = Lives::new(&lives, end + 1);
        flow
    }

    /// Notes which steps variables keep apart.
    fn part(&mut self, end: usize) {
        for variable in &self.lowered.variables {
            let Some(writer) = self.producer[variable.next.index()] else { continue };
            let mut others = self.readers[variable.value.index()].iter().copied().filter(|&r| r != writer);
            self.after[writer].extend(others.clone());
            if self.updates_rows(writer) {
                self.follows[writer] = true;
            } else if let Some(last) = others.next_back() {
                self.apart[last] = self.apart[last].min(writer);
            }
        }
        for s in (1..end).rev() {
            self.apart[s - 1] = self.apart[s - 1].min(self.apart[s]);
        }
    }

    /// True if step `s` changes rows of a variable, each once what is read for it is there and nobody else reads the row any more: then it may be
    /// run along with a stream, row by row.
    fn updates_rows(&self, s: usize) -> bool {
        let step = &self.lowered.steps[s];
        let height = step.outputs[0].extent.rows;
        let by_rows = |(b, footprint): (usize, &Footprint)| {
            self.plain[b] && footprint.rows == AxisFootprint::SAME && self.rows(b) == height
        };
        step.partial && !step.consumes && step.outputs.len() == 1 && height > 1 && self.reads(s).any(by_rows)
    }

    /// The buffers that step `s` reads, each with its declared access, in operand order.
    pub fn reads(&self, s: usize) -> impl Iterator<Item = (usize, &'a Footprint)> + 'a {
        let step = &self.lowered.steps[s];
        step.inputs
            .iter()
            .zip(&step.footprint)
            .filter_map(|(operand, footprint)| Some((operand.buffer()?.index(), footprint)))
    }

    /// The buffers that step `s` writes.
    pub fn writes(&self, s: usize) -> impl Iterator<Item = usize> + 'a {
        self.lowered.steps[s].outputs.iter().map(|target| target.buffer.index())
    }

    /// Rows of a buffer.
    pub fn rows(&self, buffer: usize) -> usize {
        self.lowered.buffers[buffer].extent.rows
    }

    /// True if step `s` can be run row by row: it writes one plain buffer and its kernel computes any rows.
    pub fn by_rows(&self, s: usize) -> bool {
        let step = &self.lowered.steps[s];
        step.partial
            && step.kernel.regions() != Regions::Whole
            && !step.consumes
            && step.outputs.len() == 1
            && self.plain[step.outputs[0].buffer.index()]
    }

    /// True if the same holds for any columns of rows.
    pub fn by_columns(&self, s: usize) -> bool {
        self.by_rows(s) && self.lowered.steps[s].kernel.regions() == Regions::Any
    }

    /// True if nobody but step `reader` reads what step `s` writes, row for row and column for column, and both compute any columns: then a few
    /// columns of a row can be passed on at a time.
    pub fn passes_columns(&self, s: usize, reader: usize) -> bool {
        let Some(target) = self.lowered.steps[s].outputs.first() else { return false };
        let b = target.buffer.index();
        let same = |reach: &AxisFootprint| *reach == AxisFootprint::SAME;
        !self.output[b]
            && self.readers[b] == [reader]
            && self.by_columns(s)
            && self.by_columns(reader)
            && self.reads(reader).all(|(from, footprint)| from != b || same(&footprint.rows) && same(&footprint.cols))
    }

    /// Rows that the kernel of step `s` computes together; at least 1.
    pub fn together(&self, s: usize) -> usize {
        match self.lowered.steps[s].order.granularity {
            Granularity::Planes { rows, .. } => rows.max(1),
            _ => 1,
        }
    }

    /// True if step `s` takes the rows of its first input one by one.
    pub fn takes_rows(&self, s: usize) -> bool {
        let step = &self.lowered.steps[s];
        step.consumes && step.inputs[0].buffer().is_some_and(|b| self.plain[b.index()])
    }

    /// The buffers that are alive between steps `at - 1` and `at`: written (or given) before and read at or after, or read by the
    /// caller at the end. Ascending.
    pub fn alive(&self, at: usize) -> Vec<usize> {
        self.lives.at(at)
    }

    /// How many those are.
    pub fn alive_count(&self, at: usize) -> usize {
        self.lives.count[at]
    }

    /// How many of those have more than one element and were written not long ago: what a segment has to carry past its ends.
    pub fn tensors_alive(&self, at: usize) -> usize {
        self.tensors[at]
    }

    /// The step with this index as an id.
    pub fn step_id(s: usize) -> StepId {
        StepId(s as u32)
    }
}
