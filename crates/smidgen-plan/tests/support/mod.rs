//! Random lowered graphs and simple schedules for them. The kernels are placeholders: only what a step declares matters here.
#![allow(dead_code)]

use smidgen_plan::Storage;
use smidgen_program::kernel;
use smidgen_program::{
    AxisFootprint, BufferId, BufferSpec, ElementType, Extent, Footprint, Granularity, Kernel, Lowered, Operand, Port,
    Region, Run, Step, StepId, Target, WriteOrder,
};

/// A small deterministic generator (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n.max(1) as u64) as usize
    }

    pub fn range(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

pub fn extent(rows: usize, cols: usize, depth: usize) -> Extent {
    Extent { rows, cols, depth }
}

pub fn buffer(lowered: &mut Lowered, element: ElementType, extent: Extent) -> BufferId {
    let id = BufferId(lowered.buffers.len() as u32);
    lowered.buffers.push(BufferSpec { name: format!("t{}", id.0), tensor: None, element, extent });
    id
}

pub fn port(lowered: &Lowered, buffer: BufferId) -> Port {
    let tensor = smidgen_ir::TensorId(buffer.0);
    Port { tensor, operand: Operand::Buffer(buffer, lowered.buffers[buffer.index()].extent) }
}

pub fn order(random: &mut Random) -> WriteOrder {
    let block = match random.below(7) {
        0 | 1 => Granularity::Pixels(random.range(1, 4)),
        2 => Granularity::Elements(random.range(1, 9)),
        3 => Granularity::Row,
        4 => Granularity::Run,
        5 => Granularity::Planes { rows: random.range(1, 4), channels: random.range(1, 6) },
        _ => Granularity::Elements(1),
    };
    WriteOrder { granularity: block, reads_first: random.chance(50) || matches!(block, Granularity::Planes { .. }) }
}

/// A window along one axis and the size of its output.
pub fn window(random: &mut Random, input: usize) -> (AxisFootprint, usize) {
    let mut size = random.range(1, 5);
    let dilation = random.range(1, 2);
    if (size - 1) * dilation + 1 > input {
        size = 1;
    }
    let extent = (size - 1) * dilation + 1;
    let stride = random.range(1, 3);
    let before = random.below(extent);
    let after = random.below(extent);
    let output = (input + before + after - extent) / stride + 1;
    (AxisFootprint::Window { extent, stride, before: before as isize }, output)
}

/// Any reach along one axis and the size of its output.
pub fn reach(random: &mut Random, input: usize) -> (AxisFootprint, usize) {
    match random.below(8) {
        0 => (AxisFootprint::SAME, input),
        1 => (AxisFootprint::All, random.range(1, 6)),
        2 => {
            // Nearest neighbour to any size.
            let output = random.range(1, 2 * input);
            (AxisFootprint::Table((0..output).map(|i| (i * input / output, i * input / output + 1)).collect()), output)
        }
        3 => {
            // A slice, or padding on both sides.
            let before = random.below(3);
            if random.chance(50) {
                (
                    AxisFootprint::Window { extent: 1, stride: 1, before: before as isize },
                    input + before + random.below(3),
                )
            } else {
                let skip = before.min(input - 1);
                let output = random.range(1, input - skip);
                (AxisFootprint::Window { extent: 1, stride: 1, before: -(skip as isize) }, output)
            }
        }
        _ => window(random, input),
    }
}

pub struct Generator {
    pub random: Random,
    pub lowered: Lowered,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), lowered: Lowered::default() }
    }

    pub fn push(&mut self, inputs: Vec<(BufferId, Extent, Footprint)>, outputs: Vec<BufferId>) -> &mut Step {
        let order = order(&mut self.random);
        let scratch_bytes = if self.random.chance(40) { self.random.range(1, 30) * 4 } else { 0 };
        let extent_of = |id: BufferId| self.lowered.buffers[id.index()].extent;
        let targets = outputs.iter().map(|&buffer| Target { buffer, extent: extent_of(buffer) }).collect();
        self.lowered.steps.push(Step {
            name: format!("s{}", self.lowered.steps.len()),
            op: None,
            kernel: Kernel::Load(kernel::Load { element: ElementType::Int8 }),
            inputs: inputs.iter().map(|(id, extent, _)| Operand::Buffer(*id, *extent)).collect(),
            constants: vec![],
            outputs: targets,
            footprint: inputs.into_iter().map(|(_, _, footprint)| footprint).collect(),
            order,
            partial: true,
            consumes: false,
            state_bytes: 0,
            scratch_bytes,
            macs: 0,
        });
        self.lowered.steps.last_mut().unwrap()
    }

    pub fn extent(&self, id: BufferId) -> Extent {
        self.lowered.buffers[id.index()].extent
    }

    fn element(&mut self) -> ElementType {
        if self.random.chance(85) {
            ElementType::Int8
        } else {
            self.random.pick(&[ElementType::Int16, ElementType::Float32])
        }
    }

    pub fn new_buffer(&mut self, extent: Extent) -> BufferId {
        let element = self.element();
        buffer(&mut self.lowered, element, extent)
    }

    /// Appends a random operator that reads `x` (and perhaps another buffer of `others`); returns its outputs.
    pub fn operator(&mut self, x: BufferId, others: &[BufferId]) -> Vec<BufferId> {
        let e = self.extent(x);
        match self.random.below(10) {
            0 => {
                // A global pool.
                let out = self.new_buffer(extent(1, 1, e.depth));
                let step = self.push(vec![(x, e, Footprint::ALL)], vec![out]);
                step.consumes = true;
                step.state_bytes = 4 * e.depth;
                vec![out]
            }
            1 => {
                // A fully connected layer over everything, perhaps seen flat.
                let out = self.new_buffer(extent(1, 1, 1 + e.depth / 2));
                let flat = extent(1, 1, e.elements());
                let seen = if self.random.chance(50) { flat } else { e };
                let partial = self.random.chance(50);
                self.push(vec![(x, seen, Footprint::ALL)], vec![out]).partial = partial;
                vec![out]
            }
            2 => {
                // Two operands of one shape.
                let same: Vec<BufferId> = others.iter().copied().filter(|&o| self.extent(o) == e).collect();
                let other = if same.is_empty() { x } else { self.random.pick(&same) };
                let out = self.new_buffer(e);
                self.push(vec![(x, e, Footprint::SAME), (other, e, Footprint::SAME)], vec![out]);
                vec![out]
            }
            3 => {
                // Concatenation along channels.
                let fits = |o: &BufferId| (self.extent(*o).rows, self.extent(*o).cols) == (e.rows, e.cols);
                let same: Vec<BufferId> = others.iter().copied().filter(fits).collect();
                let other = if same.is_empty() { x } else { self.random.pick(&same) };
                let o = self.extent(other);
                let out = self.new_buffer(extent(e.rows, e.cols, e.depth + o.depth));
                let at = |before: isize| Footprint {
                    depth: AxisFootprint::Window { extent: 1, stride: 1, before },
                    ..Footprint::SAME
                };
                self.push(vec![(x, e, at(0)), (other, o, at(e.depth as isize))], vec![out]);
                vec![out]
            }
            4 => {
                // A split along channels.
                let outs = vec![self.new_buffer(e), self.new_buffer(extent(e.rows, e.cols, 1))];
                let step = self.push(vec![(x, e, Footprint::SAME)], outs.clone());
                step.partial = false;
                step.order = WriteOrder { granularity: Granularity::Run, ..step.order };
                outs
            }
            _ => {
                let (rows, out_rows) = reach(&mut self.random, e.rows);
                let (cols, out_cols) = reach(&mut self.random, e.cols);
                let (depth, out_depth) = if self.random.chance(50) {
                    (AxisFootprint::All, self.random.range(1, 8))
                } else {
                    (AxisFootprint::SAME, e.depth)
                };
                let out = self.new_buffer(extent(out_rows.min(24), out_cols.min(24), out_depth));
                let partial = self.random.chance(90);
                self.push(vec![(x, e, Footprint { rows, cols, depth })], vec![out]).partial = partial;
                vec![out]
            }
        }
    }

    /// A random graph of this many operators; whatever nothing reads is an output.
    pub fn graph(mut self, operators: usize) -> (Lowered, Random) {
        let mut open = Vec::new();
        for _ in 0..self.random.range(1, 2) {
            let e = extent(self.random.range(4, 16), self.random.range(1, 12), self.random.range(1, 6));
            let input = self.new_buffer(e);
            self.lowered.inputs.push(port(&self.lowered, input));
            open.push(input);
        }
        for _ in 0..operators {
            let back = self.random.below(3).min(open.len() - 1);
            let x = open[open.len() - 1 - back];
            let others = open.clone();
            open.extend(self.operator(x, &others));
        }
        let read: Vec<BufferId> =
            self.lowered.steps.iter().flat_map(|s| s.inputs.iter().filter_map(|o| o.buffer())).collect();
        let inputs = self.lowered.inputs.len();
        for &id in open[inputs..].iter().filter(|id| !read.contains(id)) {
            self.lowered.outputs.push(port(&self.lowered, id));
        }
        (self.lowered, self.random)
    }
}

pub fn whole_run(lowered: &Lowered, step: usize) -> Run {
    let id = StepId(step as u32);
    Run::Compute { step: id, region: lowered.whole(id) }
}

/// Every step once, whole; everything stored whole.
pub fn layer_wise(lowered: &Lowered) -> (Vec<Run>, Vec<Storage>) {
    let runs = (0..lowered.steps.len()).map(|s| whole_run(lowered, s)).collect();
    (runs, vec![Storage::Whole; lowered.buffers.len()])
}

/// Row by row on demand, in rings wherever that is possible (and where it is, in rings with this chance).
pub fn streamed(lowered: &Lowered, random: &mut Random, ring_percent: usize) -> (Vec<Run>, Vec<Storage>) {
    let mut storage: Vec<Storage> = (0..lowered.buffers.len())
        .map(|_| if random.chance(ring_percent) { Storage::Ring } else { Storage::Whole })
        .collect();
    let mut keep_whole = |id: BufferId| storage[id.index()] = Storage::Whole;
    for port in lowered.inputs.iter().chain(&lowered.outputs) {
        keep_whole(port.operand.buffer().unwrap());
    }
    for operand in lowered.steps.iter().flat_map(|s| &s.inputs) {
        if let Operand::Buffer(id, extent) = *operand
            && extent != lowered.buffers[id.index()].extent
        {
            keep_whole(id);
        }
    }
    let streamed_input = random.chance(50);
    if streamed_input && ring_percent > 0 {
        let id = lowered.inputs[0].operand.buffer().unwrap();
        let reshaped = lowered
            .steps
            .iter()
            .flat_map(|s| &s.inputs)
            .any(|o| matches!(o, Operand::Buffer(b, e) if *b == id && *e != lowered.buffers[id.index()].extent));
        let is_output = lowered.outputs.iter().any(|p| p.operand.buffer() == Some(id));
        if !reshaped && !is_output {
            storage[id.index()] = Storage::Ring;
        }
    }
    let mut demand = Demand {
        lowered,
        rows: vec![0; lowered.buffers.len()],
        taken: vec![0; lowered.steps.len()],
        streamed: vec![false; lowered.inputs.len()],
        runs: Vec::new(),
    };
    for (i, port) in lowered.inputs.iter().enumerate() {
        let id = port.operand.buffer().unwrap();
        if i == 0 && streamed_input {
            demand.streamed[0] = true;
        } else {
            demand.rows[id.index()] = lowered.buffers[id.index()].extent.rows;
        }
    }
    for port in &lowered.outputs {
        let id = port.operand.buffer().unwrap();
        demand.rows(id, lowered.buffers[id.index()].extent.rows);
    }
    if demand.streamed[0] {
        let id = lowered.inputs[0].operand.buffer().unwrap();
        demand.rows(id, lowered.buffers[id.index()].extent.rows);
    }
    (demand.runs, storage)
}

struct Demand<'a> {
    lowered: &'a Lowered,
    rows: Vec<usize>,
    taken: Vec<usize>,
    streamed: Vec<bool>,
    runs: Vec<Run>,
}

impl Demand<'_> {
    fn rows(&mut self, id: BufferId, end: usize) {
        while self.rows[id.index()] < end {
            let lowered = self.lowered;
            let row = self.rows[id.index()];
            if let Some(input) =
                lowered.inputs.iter().position(|p| p.operand.buffer() == Some(id)).filter(|&i| self.streamed[i])
            {
                self.runs.push(Run::Await { input, y0: row, y1: row + 1 });
                self.rows[id.index()] += 1;
                continue;
            }
            let producer = lowered.steps.iter().position(|s| s.outputs.iter().any(|t| t.buffer == id)).unwrap();
            let step = &lowered.steps[producer];
            if step.consumes {
                let Operand::Buffer(x, e) = step.inputs[0] else { panic!() };
                for y0 in 0..e.rows {
                    self.rows(x, y0 + 1);
                    let region = Region { y0, y1: y0 + 1, x0: 0, x1: e.cols };
                    self.runs.push(Run::Compute { step: StepId(producer as u32), region });
                }
            } else if !step.partial || step.outputs.len() > 1 {
                for operand in &step.inputs {
                    let x = operand.buffer().unwrap();
                    self.rows(x, lowered.buffers[x.index()].extent.rows);
                }
                self.runs.push(whole_run(lowered, producer));
            } else {
                for (operand, footprint) in step.inputs.iter().zip(&step.footprint) {
                    let Operand::Buffer(x, e) = *operand else { panic!() };
                    let own = lowered.buffers[x.index()].extent;
                    let needed = footprint.rows.input_range((row, row + 1), e.rows);
                    if needed.0 < needed.1 {
                        self.rows(x, if e == own { needed.1 } else { own.rows });
                    }
                }
                let region = Region { y0: row, y1: row + 1, x0: 0, x1: step.outputs[0].extent.cols };
                self.runs.push(Run::Compute { step: StepId(producer as u32), region });
                self.rows[id.index()] += 1;
                continue;
            }
            for target in &step.outputs {
                self.rows[target.buffer.index()] = lowered.buffers[target.buffer.index()].extent.rows;
            }
        }
    }
}

/// A chain of windowed operators, and a list that computes its output in `n` by `n` patches through tiles.
pub fn patched(seed: u64, operators: usize, n: usize) -> (Lowered, Vec<Run>, Vec<Storage>) {
    let mut g = Generator::new(seed);
    let e = extent(g.random.range(8, 20), g.random.range(8, 20), g.random.range(1, 4));
    let input = g.new_buffer(e);
    g.lowered.inputs.push(port(&g.lowered, input));
    let mut x = input;
    for _ in 0..operators {
        let e = g.extent(x);
        let (rows, out_rows) = window(&mut g.random, e.rows);
        let (cols, out_cols) = window(&mut g.random, e.cols);
        let out = extent(out_rows, out_cols, g.random.range(1, 6));
        let out = g.new_buffer(out);
        g.push(vec![(x, e, Footprint { rows, cols, depth: AxisFootprint::All })], vec![out]);
        x = out;
    }
    g.lowered.outputs.push(port(&g.lowered, x));
    let mut storage = vec![Storage::Tile; g.lowered.buffers.len()];
    storage[0] = Storage::Whole;
    storage[x.index()] = Storage::Whole;
    let out = g.extent(x);
    let mut runs = Vec::new();
    let cut = |size: usize, i: usize| (size * i / n, size * (i + 1) / n);
    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let (mut rows, mut cols) = (cut(out.rows, i), cut(out.cols, j));
        if rows.0 == rows.1 || cols.0 == cols.1 {
            continue;
        }
        let mut patch = Vec::new();
        for s in (0..operators).rev() {
            let region = Region { y0: rows.0, y1: rows.1, x0: cols.0, x1: cols.1 };
            patch.push(Run::Compute { step: StepId(s as u32), region });
            let step = &g.lowered.steps[s];
            let Operand::Buffer(_, e) = step.inputs[0] else { panic!() };
            rows = step.footprint[0].rows.input_range(rows, e.rows);
            cols = step.footprint[0].cols.input_range(cols, e.cols);
            if rows.0 >= rows.1 || cols.0 >= cols.1 {
                // All of it is padding: nothing before this step is needed.
                break;
            }
        }
        runs.extend(patch.into_iter().rev());
    }
    (g.lowered, runs, storage)
}
