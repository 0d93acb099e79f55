//! The steps as a network of buffers: who writes and reads what, and where one tensor is all that is alive.

use crate::{Access, Block, Lowered, Operand, StepId};

/// Producers and readers of every buffer of a [`Lowered`].
pub(crate) struct Flow<'a> {
    /// What it was made from.
    pub lowered: &'a Lowered,
    /// For each buffer, the step that writes it; `None` for graph inputs.
    pub producer: Vec<Option<usize>>,
    /// For each buffer, the steps that read it, ascending.
    pub readers: Vec<Vec<usize>>,
    /// For each buffer, the index of the graph input that it is.
    pub input: Vec<Option<usize>>,
    /// For each buffer, whether the caller reads it at the end.
    pub output: Vec<bool>,
    /// For each buffer, whether every step sees it with its own extent. If not, it must be stored whole, and its rows mean
    /// different things to different steps.
    pub plain: Vec<bool>,
    /// For each step, the length of the longest chain of steps up to it.
    pub depth: Vec<usize>,
    /// For each step, its operands that are buffers, the one at the end of the longest chain first: what depends on least is
    /// computed last, so that it waits least.
    pub order: Vec<Vec<usize>>,
    /// For each position between steps, from 0 to their number, the buffers alive there.
    alive: Vec<Vec<usize>>,
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
            alive: Vec::new(),
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
        flow.alive = (0..=lowered.steps.len()).map(|at| flow.alive_at(at)).collect();
        flow
    }

    /// The buffers that step `s` reads, each with its declared access, in operand order.
    pub fn reads(&self, s: usize) -> impl Iterator<Item = (usize, &'a Access)> + 'a {
        let step = &self.lowered.steps[s];
        step.inputs.iter().zip(&step.access).filter_map(|(operand, access)| Some((operand.buffer()?.index(), access)))
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
        step.partial && !step.consumes && step.outputs.len() == 1 && self.plain[step.outputs[0].buffer.index()]
    }

    /// Rows that the kernel of step `s` computes together; at least 1.
    pub fn together(&self, s: usize) -> usize {
        match self.lowered.steps[s].order.block {
            Block::Planes { rows, .. } => rows.max(1),
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
    pub fn alive(&self, at: usize) -> &[usize] {
        &self.alive[at]
    }

    fn alive_at(&self, at: usize) -> Vec<usize> {
        (0..self.lowered.buffers.len())
            .filter(|&b| {
                let before = match self.producer[b] {
                    Some(p) => p < at,
                    None => self.input[b].is_some(),
                };
                before && (self.output[b] || self.readers[b].iter().any(|&r| r >= at))
            })
            .collect()
    }

    /// The step with this index as an id.
    pub fn step_id(s: usize) -> StepId {
        StepId(s as u32)
    }
}
