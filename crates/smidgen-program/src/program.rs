//! The Program: ordered steps with every parameter resolved, every buffer at a byte offset of one arena, packed constants,
//! and the flat list of runs that is the schedule.
//!
//! [`Lowered`] is the same without the memory decisions: what lowering a graph gives, and what a schedule turns into a
//! [`Program`]. The executor and the code generator take no decision of their own.

use crate::footprint::{AxisFootprint, Footprint, WriteOrder};
use crate::kernel::Kernel;
use smidgen_ir::{ElementType, OpId, TensorId};
use smidgen_kernels::Region;

/// Index into `constants`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConstantId(pub u32);
/// Index into `buffers`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BufferId(pub u32);
/// Index into `steps`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StepId(pub u32);

macro_rules! index {
    ($($id:ident),*) => {$(impl $id {
        /// The index as a `usize`.
        pub fn index(self) -> usize {
            self.0 as usize
        }
    })*};
}
index!(ConstantId, BufferId, StepId);

/// Bytes in flash, packed in the order in which one kernel reads them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Constant {
    /// For reports: the tensor's name and what it holds.
    pub name: String,
    /// Little endian.
    pub bytes: Vec<u8>,
    /// Alignment in bytes: a power of two.
    pub align: usize,
}

/// A tensor seen as rows of pixels: `[rows, cols, depth]`, as [`smidgen_kernels::view`] describes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Extent {
    /// Rows; the batch is joined into them.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Elements a pixel has.
    pub depth: usize,
}

impl Extent {
    /// The rows, columns and depth of a tensor with these dimensions.
    pub fn of(dims: &[usize]) -> Self {
        match *dims {
            [] => Self { rows: 1, cols: 1, depth: 1 },
            [k] => Self { rows: 1, cols: 1, depth: k },
            [m, k] => Self { rows: m, cols: 1, depth: k },
            [ref outer @ .., cols, depth] => Self { rows: outer.iter().product(), cols, depth },
        }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.rows * self.cols * self.depth
    }
}

/// What a buffer holds, before it is given a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BufferSpec {
    /// For reports.
    pub name: String,
    /// The graph's tensor, if it is one: then the one whose layout `extent` describes.
    pub tensor: Option<TensorId>,
    /// Element type.
    pub element: ElementType,
    /// Size as rows of pixels.
    pub extent: Extent,
}

impl BufferSpec {
    /// Bytes of one element in the arena (int4 is not stored packed in the arena, so this is whole bytes).
    pub fn element_bytes(&self) -> usize {
        self.element.bits().div_ceil(8)
    }

    /// Bytes of one full row.
    pub fn row_bytes(&self) -> usize {
        self.extent.cols * self.extent.depth * self.element_bytes()
    }

    /// Bytes of the whole tensor.
    pub fn bytes(&self) -> usize {
        self.extent.rows * self.row_bytes()
    }
}

/// What a step reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// A buffer, seen with this extent. It differs from the buffer's own (a reshape costs nothing) only where the buffer is
    /// stored whole; the elements are as many.
    Buffer(BufferId, Extent),
    /// A constant.
    Constant(ConstantId),
}

impl Operand {
    /// The buffer, if it is one.
    pub fn buffer(self) -> Option<BufferId> {
        match self {
            Operand::Buffer(id, _) => Some(id),
            Operand::Constant(_) => None,
        }
    }
}

/// What a step writes: a buffer seen with an extent, as in [`Operand::Buffer`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The buffer.
    pub buffer: BufferId,
    /// Its extent as this step sees it.
    pub extent: Extent,
}

/// One kernel with all its parameters resolved.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// For reports: the operator's name and output.
    pub name: String,
    /// The graph operator it came from.
    pub op: Option<OpId>,
    /// Kernel and parameters.
    pub kernel: Kernel,
    /// Activations (or constants in their place), in the order the kernel documents.
    pub inputs: Vec<Operand>,
    /// Weights, biases, multipliers and tables, in the order the kernel documents.
    pub constants: Vec<ConstantId>,
    /// What is written. All outputs of a step that has several are written by each run, and it always runs whole.
    pub outputs: Vec<Target>,
    /// For each of `inputs`, what one element of output 0 needs of it. For a consuming step: ignored for input 0, and of the others what a row of
    /// input 0 needs when it is taken in: the rows that a window says, or everything.
    pub footprint: Vec<Footprint>,
    /// How the run proceeds. Given for the same kernel whatever the schedule.
    pub order: WriteOrder,
    /// True if the kernel can compute any rows and columns of its output; false if every run must be the whole output.
    pub partial: bool,
    /// True if the kernel takes its input piece by piece instead (a global pool): then a run's rows are rows of input 0, each
    /// exactly once and in order; the first run (row 0) initialises `state` and the last writes the output.
    pub consumes: bool,
    /// Bytes that must survive from one run of this step to the next (accumulators of a consuming step), 4-byte aligned.
    pub state_bytes: usize,
    /// Bytes of scratch during a run, 4-byte aligned.
    pub scratch_bytes: usize,
    /// Multiply-accumulates that the whole output takes.
    pub macs: u64,
}

impl Step {
    /// Of a consuming step, the rows of input `i`, which has so many, that a run reads which takes in rows `taken` of input 0.
    pub fn rows_taken(&self, i: usize, taken: (usize, usize), rows: usize) -> (usize, usize) {
        match self.footprint.get(i).map(|footprint| &footprint.rows) {
            _ if i == 0 => taken,
            Some(window @ AxisFootprint::Window { .. }) => window.input_range(taken, rows),
            _ => (0, rows),
        }
    }

    /// A step that has nothing but its kernel and how it proceeds: no operands, constants, state or scratch, and only whole runs.
    pub fn new(kernel: Kernel, order: WriteOrder) -> Self {
        Self {
            name: String::new(),
            op: None,
            kernel,
            inputs: Vec::new(),
            constants: Vec::new(),
            outputs: Vec::new(),
            footprint: Vec::new(),
            order,
            partial: false,
            consumes: false,
            state_bytes: 0,
            scratch_bytes: 0,
            macs: 0,
        }
    }
}

/// A graph input or output as the caller sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// The graph's tensor.
    pub tensor: TensorId,
    /// Where its elements are: a buffer, or (for an output that is a constant) the constant.
    pub operand: Operand,
}

/// State that outlives an inference: two buffers that are stored whole and are to lie in one place. `value` is there
/// before the first run and `next` after the last. No step writes `value`; all of it has been read when a step first
/// writes `next`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// For reports.
    pub name: String,
    /// What it holds when an inference begins.
    pub value: BufferId,
    /// What it holds when an inference has ended; `value` itself if nothing is assigned to it.
    pub next: BufferId,
    /// What it holds before the first inference.
    pub initial: Initial,
}

/// The bytes with which a [`Variable`] begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initial {
    /// All of them are this byte.
    Fill(u8),
    /// Those of a constant.
    Constant(ConstantId),
}

/// A graph turned into steps, without any decision about memory or order of rows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lowered {
    /// Name of the network.
    pub name: String,
    /// Packed constants.
    pub constants: Vec<Constant>,
    /// What needs a place in the arena.
    pub buffers: Vec<BufferSpec>,
    /// The steps, in an order in which they can run whole.
    pub steps: Vec<Step>,
    /// Graph inputs.
    pub inputs: Vec<Port>,
    /// Graph outputs.
    pub outputs: Vec<Port>,
    /// What outlives an inference.
    pub variables: Vec<Variable>,
}

/// A buffer with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// What it holds.
    pub spec: BufferSpec,
    /// Byte offset in the arena.
    pub offset: usize,
    /// Row slots: `spec.extent.rows` if stored whole, fewer for a ring.
    pub slots: usize,
    /// Columns stored: `spec.extent.cols`, or fewer for a tile. A tile's first column is that of the run that last wrote it.
    pub width: usize,
}

impl Buffer {
    /// Bytes it takes in the arena.
    pub fn bytes(&self) -> usize {
        self.slots * self.width * self.spec.extent.depth * self.spec.element_bytes()
    }
}

/// One entry of the schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// Compute this region of the step's output (for a consuming step: take in these rows of its input).
    Compute {
        /// The step.
        step: StepId,
        /// Rows and columns.
        region: smidgen_kernels::Region,
    },
    /// The caller stores rows `y0 .. y1` of a streamed input in the buffer.
    Await {
        /// Index into [`Program::inputs`].
        input: usize,
        /// First row.
        y0: usize,
        /// One past the last row.
        y1: usize,
    },
}

/// A byte range of the arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bytes {
    /// First byte.
    pub offset: usize,
    /// Number of bytes.
    pub len: usize,
}

/// How to compute a network in one arena: what the executor runs and the code generator prints.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    /// Name of the network.
    pub name: String,
    /// Bytes of the arena: buffers, rings, state and scratch.
    pub arena_bytes: usize,
    /// Packed constants.
    pub constants: Vec<Constant>,
    /// Buffers with their places.
    pub buffers: Vec<Buffer>,
    /// The steps.
    pub steps: Vec<Step>,
    /// For each step, its scratch in the arena.
    pub scratch: Vec<Bytes>,
    /// For each step, its state in the arena.
    pub state: Vec<Bytes>,
    /// The schedule.
    pub runs: Vec<Run>,
    /// Graph inputs.
    pub inputs: Vec<Port>,
    /// Graph outputs.
    pub outputs: Vec<Port>,
    /// What outlives an inference.
    pub variables: Vec<Variable>,
}

impl Lowered {
    /// For each buffer, whether it is a variable's: such a one lies in the persistent part of the arena, where nothing
    /// else does.
    pub fn persistent(&self) -> Vec<bool> {
        let mut persistent = vec![false; self.buffers.len()];
        for Variable { value, next, .. } in &self.variables {
            persistent[value.index()] = true;
            persistent[next.index()] = true;
        }
        persistent
    }

    /// All steps, in order.
    pub fn step_ids(&self) -> impl Iterator<Item = StepId> + use<> {
        (0..self.steps.len() as u32).map(StepId)
    }

    /// The region that computes all of a step: rows and columns of its first output, or (for a consuming step) of its input.
    pub fn whole(&self, step: StepId) -> Region {
        let step = &self.steps[step.index()];
        let extent = match step.inputs.first() {
            Some(Operand::Buffer(_, extent)) if step.consumes => *extent,
            _ => step.outputs[0].extent,
        };
        Region::whole(extent.rows, extent.cols)
    }
}

impl Program {
    /// The bytes of a variable in the arena.
    pub fn variable_bytes(&self, variable: &Variable) -> Bytes {
        let buffer = &self.buffers[variable.value.index()];
        Bytes { offset: buffer.offset, len: buffer.spec.bytes() }
    }

    /// Where all variables lie, what is between them for alignment included.
    pub fn persistent(&self) -> Bytes {
        let all = || self.variables.iter().map(|variable| self.variable_bytes(variable));
        let offset = all().map(|bytes| bytes.offset).min().unwrap_or(0);
        Bytes { offset, len: all().map(|bytes| bytes.offset + bytes.len).max().unwrap_or(0) - offset }
    }

    /// Bytes of all variables, those between them for alignment included.
    pub fn persistent_bytes(&self) -> usize {
        self.persistent().len
    }

    /// For each run, the step that it computes; for rows that are awaited, the step that waits for them: that of the next run
    /// that computes.
    pub fn steps_of_runs(&self) -> Vec<StepId> {
        let mut steps = vec![StepId(0); self.runs.len()];
        let mut next = StepId(0);
        for (i, run) in self.runs.iter().enumerate().rev() {
            if let Run::Compute { step, .. } = run {
                next = *step;
            }
            steps[i] = next;
        }
        steps
    }
}

/// The operator in a [step's name](Step::name), whose other part, the tensor's name, is long with most converters and says little.
pub fn operator_of(step_name: &str) -> &str {
    step_name.split(' ').next().unwrap_or(step_name)
}
