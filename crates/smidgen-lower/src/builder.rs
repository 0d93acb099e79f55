//! What the lowering of every operator shares: where each tensor lies, and the steps and constants so far.

use super::error::Refusal;
use super::options::LowerOptions;
use super::variables;
use crate::epilogue::Proofs;
use smidgen_ir::{ElementType, Graph, OpId, Tensor, TensorId};
use smidgen_program::footprint::{Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{
    BufferId, BufferSpec, Constant, ConstantId, Extent, Lowered, Operand, Port, Step, StepId, Target,
};
use std::collections::HashMap;

/// Where a tensor's elements are.
#[derive(Clone, Copy)]
enum Place {
    /// In a buffer, possibly one that another tensor of as many elements named first.
    Buffer(BufferId),
    /// A constant: the tensor whose data it is.
    Constant(TensorId),
}

/// A graph on its way to steps.
pub(super) struct Builder<'g> {
    /// The graph.
    pub graph: &'g Graph,
    /// What the caller chose.
    pub options: LowerOptions,
    /// No weight is read and nothing proven: constants of device kernels are zeros, as many as the kernels take.
    pub unread: bool,
    /// What has been proven of layers.
    pub proofs: &'g Proofs,
    /// What there is so far.
    pub lowered: Lowered,
    places: Vec<Option<Place>>,
    /// For constant tensors, the buffer into which they were loaded.
    loaded: Vec<Option<BufferId>>,
    /// For constant tensors, the constant that holds their elements as they are.
    plain: Vec<Option<ConstantId>>,
    /// How many operators, outputs and variables read each tensor.
    readers: Vec<u32>,
    current: usize,
    /// The constants that were made for operators whose second input is this tensor.
    made: HashMap<TensorId, Vec<ConstantId>>,
}

impl<'g> Builder<'g> {
    /// Starts with the graph's inputs and constants in their places.
    pub fn new(graph: &'g Graph, options: LowerOptions, proofs: &'g Proofs) -> Self {
        let count = graph.tensors.len();
        let mut builder = Self {
            graph,
            options,
            unread: false,
            proofs,
            lowered: Lowered { name: graph.name.clone(), ..Lowered::default() },
            places: vec![None; count],
            loaded: vec![None; count],
            plain: vec![None; count],
            readers: vec![0; count],
            current: 0,
            made: HashMap::new(),
        };
        let read = graph.operators.iter().flat_map(|operator| &operator.inputs).copied().chain(graph.results());
        read.for_each(|id| builder.readers[id.index()] += 1);
        for (i, tensor) in graph.tensors.iter().enumerate() {
            if tensor.is_constant() {
                builder.places[i] = Some(Place::Constant(TensorId(i as u32)));
            }
        }
        for &tensor in &graph.inputs {
            let operand = builder.input(tensor);
            builder.lowered.inputs.push(Port { tensor, operand });
        }
        builder
    }

    /// The same, but no weight will be read.
    pub fn unread(graph: &'g Graph, options: LowerOptions, proofs: &'g Proofs) -> Self {
        Self { unread: true, ..Self::new(graph, options, proofs) }
    }

    /// Says which operator the next steps come from.
    pub fn begin(&mut self, operator: usize) {
        self.current = operator;
    }

    /// Adds the graph's variables and outputs and gives the result.
    pub fn build(mut self) -> Lowered {
        let operands = variables::finish(&mut self);
        let ports = self.graph.outputs.iter().zip(operands);
        self.lowered.outputs = ports.map(|(&tensor, operand)| Port { tensor, operand }).collect();
        self.lowered
    }

    /// The graph's tensor.
    pub fn tensor(&self, id: TensorId) -> &'g Tensor {
        self.graph.tensor(id)
    }

    /// A tensor as something to read: its buffer seen with its own extent, or the constant with its elements. For kernels that
    /// can read a constant in place of an activation.
    pub fn input(&mut self, id: TensorId) -> Operand {
        match self.places[id.index()] {
            Some(Place::Buffer(buffer)) => Operand::Buffer(buffer, Extent::of(self.tensor(id).shape.dims())),
            Some(Place::Constant(origin)) => Operand::Constant(self.plain_constant(origin)),
            None => {
                let buffer = self.buffer(id);
                Operand::Buffer(buffer, Extent::of(self.tensor(id).shape.dims()))
            }
        }
    }

    /// A tensor as something to read from the arena, seen with its own extent. A constant is loaded into a buffer by a step of
    /// its own, once.
    pub fn activation(&mut self, id: TensorId) -> Operand {
        let extent = Extent::of(self.tensor(id).shape.dims());
        self.activation_as(id, extent)
    }

    /// Like [`activation`](Self::activation), but seen with another extent of as many elements.
    pub fn activation_as(&mut self, id: TensorId, extent: Extent) -> Operand {
        match self.input(id) {
            Operand::Buffer(buffer, _) => Operand::Buffer(buffer, extent),
            Operand::Constant(constant) => {
                let buffer = match self.loaded[id.index()] {
                    Some(buffer) => buffer,
                    None => self.load(id, constant),
                };
                Operand::Buffer(buffer, extent)
            }
        }
    }

    /// The buffer that an operator's output is written to, seen with the tensor's own extent.
    pub fn target(&mut self, id: TensorId) -> Target {
        let extent = Extent::of(self.tensor(id).shape.dims());
        self.target_as(id, extent)
    }

    /// Like [`target`](Self::target), but seen with another extent of as many elements.
    pub fn target_as(&mut self, id: TensorId, extent: Extent) -> Target {
        let buffer = match self.places[id.index()] {
            Some(Place::Buffer(buffer)) => buffer,
            _ => self.buffer(id),
        };
        Target { buffer, extent }
    }

    /// Makes `output` another name for the bytes of `input`.
    pub fn alias(&mut self, input: TensorId, output: TensorId) -> Result<(), Refusal> {
        let (from, to) = (self.tensor(input), self.tensor(output));
        if from.element() != to.element() || from.shape.elements() != to.shape.elements() {
            return Err(Refusal("a change of shape keeps the element type and the number of elements".into()));
        }
        self.input(input);
        self.places[output.index()] = self.places[input.index()];
        Ok(())
    }

    /// Lets the step before do what a table does to the only operator's input that it writes: tables one behind the other are one. False, and
    /// nothing is changed, if that step is no table's, or others read what it writes.
    pub fn follow_table(
        &mut self,
        input: (TensorId, Operand),
        output: TensorId,
        table: &[i8; 256],
    ) -> Result<bool, Refusal> {
        let (from, Operand::Buffer(buffer, _)) = input else { return Ok(false) };
        let table_before =
            |step: &Step| matches!(step.kernel, Kernel::TableI8(kernel::TableI8)) && step.outputs[0].buffer == buffer;
        // Under another shape the same bytes may have other readers.
        let only = self.readers[from.index()] == 1 && self.lowered.buffers[buffer.index()].tensor == Some(from);
        if !only || !self.lowered.steps.last().is_some_and(table_before) {
            return Ok(false);
        }
        self.alias(from, output)?;
        let (name, operator) = (&self.tensor(output).name, self.graph.operators[self.current].op.name());
        let spec = &mut self.lowered.buffers[buffer.index()];
        (spec.name, spec.tensor) = (name.clone(), Some(output));
        if let Some(step) = self.lowered.steps.last_mut() {
            step.name = format!("{}, {operator} {name}", step.name);
            for byte in &mut self.lowered.constants[step.constants[0].index()].bytes {
                *byte = table[usize::from(*byte)] as u8;
            }
        }
        Ok(true)
    }

    /// Adds a constant. What operators make of the same weights in the same way is there once: the turns of a loop share theirs.
    pub fn constant(&mut self, name: impl Into<String>, bytes: Vec<u8>, align: usize) -> ConstantId {
        let (constant, constants) = (Constant { name: name.into(), bytes, align }, &mut self.lowered.constants);
        let operator = self.graph.operators.get(self.current).filter(|_| !self.unread);
        let weights = operator.and_then(|operator| operator.inputs.get(1));
        let mut made = weights.map(|&weights| self.made.entry(weights).or_default());
        let same = made.iter().flat_map(|made| made.iter()).find(|id| constants[id.index()] == constant);
        if let Some(&id) = same {
            return id;
        }
        let id = ConstantId(constants.len() as u32);
        made.iter_mut().for_each(|made| made.push(id));
        constants.push(constant);
        id
    }

    /// Adds a constant of int32 elements.
    pub fn constant_i32(&mut self, name: impl Into<String>, values: &[i32]) -> ConstantId {
        self.constant(name, values.iter().flat_map(|v| v.to_le_bytes()).collect(), 4)
    }

    /// Adds a constant of int16 elements.
    pub fn constant_i16(&mut self, name: impl Into<String>, values: &[i16]) -> ConstantId {
        self.constant(name, values.iter().flat_map(|v| v.to_le_bytes()).collect(), 2)
    }

    /// Adds a constant of int64 elements.
    pub fn constant_i64(&mut self, name: impl Into<String>, values: &[i64]) -> ConstantId {
        self.constant(name, values.iter().flat_map(|v| v.to_le_bytes()).collect(), 8)
    }

    /// Adds a constant of 32-bit words.
    pub fn constant_u32(&mut self, name: impl Into<String>, values: &[u32]) -> ConstantId {
        self.constant(name, values.iter().flat_map(|v| v.to_le_bytes()).collect(), 4)
    }

    /// Adds a constant of float32 elements.
    pub fn constant_f32(&mut self, name: impl Into<String>, values: &[f32]) -> ConstantId {
        self.constant(name, values.iter().flat_map(|v| v.to_le_bytes()).collect(), 4)
    }

    /// Adds a constant of int8 elements.
    pub fn constant_i8(&mut self, name: impl Into<String>, values: &[i8]) -> ConstantId {
        self.constant(name, values.iter().map(|&v| v as u8).collect(), 1)
    }

    /// Adds a step for the current operator. Its name is the operator's and its first output's.
    pub fn push(&mut self, mut step: Step) -> StepId {
        let operator = &self.graph.operators[self.current];
        if step.name.is_empty() {
            let output = operator.outputs.first().map_or("", |&t| self.tensor(t).name.as_str());
            step.name = format!("{} {output}", operator.op.name()).trim_end().to_owned();
        }
        step.op = Some(OpId(self.current as u32));
        let id = StepId(self.lowered.steps.len() as u32);
        self.lowered.steps.push(step);
        id
    }

    /// A buffer for what an operator computes on the way to its output.
    pub fn temporary(&mut self, name: String, element: ElementType, extent: Extent) -> BufferId {
        let buffer = BufferId(self.lowered.buffers.len() as u32);
        self.lowered.buffers.push(BufferSpec { name, tensor: None, element, extent });
        buffer
    }

    fn buffer(&mut self, id: TensorId) -> BufferId {
        let tensor = self.tensor(id);
        let buffer = BufferId(self.lowered.buffers.len() as u32);
        self.lowered.buffers.push(BufferSpec {
            name: tensor.name.clone(),
            tensor: Some(id),
            element: tensor.element(),
            extent: Extent::of(tensor.shape.dims()),
        });
        if !tensor.is_constant() {
            self.places[id.index()] = Some(Place::Buffer(buffer));
        }
        buffer
    }

    fn plain_constant(&mut self, id: TensorId) -> ConstantId {
        if let Some(constant) = self.plain[id.index()] {
            return constant;
        }
        let tensor = self.tensor(id);
        let bytes = match tensor.element() {
            // A byte for each element, as in the arena.
            ElementType::Int4 => tensor.integers().unwrap_or_default().iter().map(|&v| v as u8).collect(),
            _ => tensor.data.as_ref().map_or_else(Vec::new, |data| data.to_vec()),
        };
        let constant = self.constant(tensor.name.clone(), bytes, tensor.element().bits().div_ceil(8));
        self.plain[id.index()] = Some(constant);
        constant
    }

    fn load(&mut self, id: TensorId, constant: ConstantId) -> BufferId {
        let tensor = self.tensor(id);
        let extent = Extent::of(tensor.shape.dims());
        let buffer = self.buffer(id);
        self.push(Step {
            name: format!("load {}", tensor.name),
            constants: vec![constant],
            outputs: vec![Target { buffer, extent }],
            partial: true,
            ..Step::new(
                Kernel::Load(kernel::Load { element: tensor.element() }),
                WriteOrder { granularity: Granularity::Pixels(1), reads_first: true },
            )
        });
        self.loaded[id.index()] = Some(buffer);
        buffer
    }
}
