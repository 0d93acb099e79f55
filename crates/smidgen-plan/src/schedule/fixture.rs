//! Networks for tests of schedules: steps with their declared access, whose kernels are never run.

use smidgen_ir::{OpId, TensorId};
use smidgen_kernels::Window2d;
use smidgen_kernels::int8::mcu;
use smidgen_program::kernel;
use smidgen_program::{
    AxisFootprint, BufferId, BufferSpec, ElementType, Extent, Footprint, Granularity, Kernel, Lowered, Operand, Port,
    Step, Target, WriteOrder,
};

/// Builds a [`Lowered`] step by step; buffers are named by index.
#[derive(Default)]
pub(crate) struct Net(Lowered);

impl Net {
    pub fn input(&mut self, rows: usize, cols: usize, depth: usize) -> usize {
        let b = self.buffer(Extent { rows, cols, depth });
        self.0.inputs.push(self.port(b));
        b
    }

    fn buffer(&mut self, extent: Extent) -> usize {
        let name = format!("b{}", self.0.buffers.len());
        self.0.buffers.push(BufferSpec { name, tensor: None, element: ElementType::Int8, extent });
        self.0.buffers.len() - 1
    }

    fn port(&self, b: usize) -> Port {
        Port { tensor: TensorId(b as u32), operand: Operand::Buffer(BufferId(b as u32), self.0.buffers[b].extent) }
    }

    /// The extent of a buffer.
    pub fn extent(&self, b: usize) -> Extent {
        self.0.buffers[b].extent
    }

    fn step(&mut self, name: &str, inputs: &[(usize, Footprint)], extent: Extent, macs: usize) -> usize {
        let out = self.buffer(extent);
        let step = Step {
            name: format!("{name} b{out}"),
            op: Some(OpId(self.0.steps.len() as u32)),
            kernel: Kernel::Load(kernel::Load { element: ElementType::Int8 }),
            inputs: inputs.iter().map(|&(b, _)| Operand::Buffer(BufferId(b as u32), self.extent(b))).collect(),
            constants: Vec::new(),
            outputs: vec![Target { buffer: BufferId(out as u32), extent }],
            footprint: inputs.iter().map(|(_, footprint)| footprint.clone()).collect(),
            order: WriteOrder { granularity: Granularity::Row, reads_first: true },
            partial: true,
            consumes: false,
            state_bytes: 0,
            scratch_bytes: 0,
            macs: macs as u64,
        };
        self.0.steps.push(step);
        out
    }

    fn window(
        &mut self,
        name: &str,
        x: usize,
        k: usize,
        stride: usize,
        depth: Option<usize>,
        depthwise: bool,
    ) -> usize {
        let input = self.extent(x);
        let before = (k / 2) as isize;
        let size = |n: usize| (n + 2 * (k / 2) - k) / stride + 1;
        let reach = || AxisFootprint::Window { extent: k, stride, before };
        let extent = Extent { rows: size(input.rows), cols: size(input.cols), depth: depth.unwrap_or(input.depth) };
        let footprint = Footprint {
            rows: reach(),
            cols: reach(),
            depth: if depthwise { AxisFootprint::SAME } else { AxisFootprint::All },
        };
        let macs = extent.elements() * k * k * if depthwise { 1 } else { input.depth };
        self.step(name, &[(x, footprint)], extent, macs)
    }

    /// Convolution with symmetric padding `k / 2`.
    pub fn conv(&mut self, x: usize, k: usize, stride: usize, depth: usize) -> usize {
        self.window("conv", x, k, stride, Some(depth), false)
    }

    /// Depthwise convolution with symmetric padding `k / 2`.
    pub fn depthwise(&mut self, x: usize, k: usize, stride: usize) -> usize {
        self.window("depthwise", x, k, stride, None, true)
    }

    pub fn add(&mut self, a: usize, b: usize) -> usize {
        let extent = self.extent(a);
        self.step("add", &[(a, Footprint::SAME), (b, Footprint::SAME)], extent, 0)
    }

    /// Doubles rows and columns.
    pub fn upsample(&mut self, x: usize) -> usize {
        let Extent { rows, cols, depth } = self.extent(x);
        let table = |n: usize| AxisFootprint::Table((0..2 * n).map(|i| (i / 2, i / 2 + 1)).collect());
        let footprint = Footprint { rows: table(rows), cols: table(cols), depth: AxisFootprint::SAME };
        self.step("upsample", &[(x, footprint)], Extent { rows: 2 * rows, cols: 2 * cols, depth }, 0)
    }

    /// Mean over rows and columns, taken in row by row.
    pub fn mean(&mut self, x: usize) -> usize {
        let depth = self.extent(x).depth;
        let out = self.step("mean", &[(x, Footprint::ALL)], Extent { rows: 1, cols: 1, depth }, 0);
        let step = self.0.steps.last_mut().expect("just added");
        step.partial = false;
        step.consumes = true;
        step.state_bytes = 4 * depth;
        out
    }

    /// Multiplies each pixel of `x` by the one pixel of `gate`.
    pub fn gate(&mut self, x: usize, gate: usize) -> usize {
        let one = Footprint { rows: AxisFootprint::All, cols: AxisFootprint::All, depth: AxisFootprint::SAME };
        let extent = self.extent(x);
        self.step("gate", &[(x, Footprint::SAME), (gate, one)], extent, 0)
    }

    /// Every `stride`th row of rows `first .. end`, all at once or by rows, whose list may be a window or a table.
    pub fn sliced(
        &mut self,
        x: usize,
        (first, end): (usize, usize),
        stride: usize,
        partial: bool,
        table: bool,
    ) -> usize {
        let extent = self.extent(x);
        let count = (end - first).div_ceil(stride);
        let rows = match table {
            true => AxisFootprint::Table((0..count).map(|i| (first + i * stride, first + i * stride + 1)).collect()),
            false => AxisFootprint::Window { extent: 1, stride, before: -(first as isize) },
        };
        let footprint = Footprint { rows, cols: AxisFootprint::SAME, depth: AxisFootprint::SAME };
        let out = self.step("slice", &[(x, footprint)], Extent { rows: count, ..extent }, 0);
        self.0.steps.last_mut().expect("just added").partial = partial;
        out
    }

    /// Fully connected: runs whole.
    pub fn connected(&mut self, x: usize, depth: usize) -> usize {
        let macs = self.extent(x).elements() * depth;
        let out = self.step("connected", &[(x, Footprint::ALL)], Extent { rows: 1, cols: 1, depth }, macs);
        self.0.steps.last_mut().expect("just added").partial = false;
        out
    }

    /// Expand, depthwise, project, and the shortcut where sizes allow.
    pub fn bottleneck(&mut self, x: usize, expand: usize, k: usize, stride: usize, depth: usize) -> usize {
        let mut y = x;
        if expand > 1 {
            y = self.conv(y, 1, 1, self.extent(x).depth * expand);
        }
        y = self.depthwise(y, k, stride);
        y = self.conv(y, 1, 1, depth);
        if self.extent(x) == self.extent(y) { self.add(y, x) } else { y }
    }

    /// Gives every depthwise step the kernel that firmware has for it, whose constants nobody reads here.
    pub fn staged(&mut self) {
        for step in self.0.steps.iter_mut().filter(|step| step.name.starts_with("depthwise")) {
            let (Operand::Buffer(_, x), AxisFootprint::Window { extent: k, stride, before }) =
                (step.inputs[0], &step.footprint[0].rows)
            else {
                continue;
            };
            let y = step.outputs[0].extent;
            let window = Window2d {
                input: [x.rows, x.cols, x.depth],
                output: [y.rows, y.cols, y.depth],
                size: [*k; 2],
                stride: [*stride; 2],
                dilation: [1; 2],
                before: [*before as usize; 2],
            };
            let epilogue = mcu::Epilogue {
                offset: 0,
                shift: 1,
                tie: 0,
                low: 0,
                unit: 256,
                by_sign: false,
                extras: 0,
                own_shifts: false,
            };
            step.kernel = Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu {
                window,
                input_zero: 0,
                epilogue,
                rows: 1,
                offset: false,
            });
            step.order = WriteOrder {
                granularity: Granularity::Planes { rows: 1, channels: mcu::DEPTHWISE_CHANNELS },
                reads_first: true,
            };
            step.scratch_bytes = mcu::depthwise_scratch(&window, 1).next_multiple_of(4);
        }
    }

    /// The network with these outputs.
    pub fn outputs(mut self, outputs: &[usize]) -> Lowered {
        self.0.outputs = outputs.iter().map(|&b| self.port(b)).collect();
        self.0
    }
}

/// MobileNetV2 of width 1 at `resolution`, up to the global pool; with the number of operators up to
/// the end of each block, the first convolution being the first block.
pub(crate) fn mobilenet_v2(resolution: usize) -> (Lowered, Vec<usize>) {
    let mut net = Net::default();
    let input = net.input(resolution, resolution, 3);
    let mut x = net.conv(input, 3, 2, 32);
    let mut ends = vec![net.0.steps.len()];
    let stages =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
    for (expand, depth, repeats, stride) in stages {
        for i in 0..repeats {
            x = net.bottleneck(x, expand, 3, if i == 0 { stride } else { 1 }, depth);
            ends.push(net.0.steps.len());
        }
    }
    x = net.conv(x, 1, 1, 1280);
    x = net.mean(x);
    x = net.connected(x, 1000);
    (net.outputs(&[x]), ends)
}
