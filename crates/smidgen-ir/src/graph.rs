//! The graph: tensors, operators in an order in which they can run, inputs and outputs.

use crate::ops::Op;
use crate::tensor::{Tensor, TensorId};
use std::sync::Arc;

/// Index of an operator in [`Graph::operators`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub u32);

impl OpId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operator with the tensors it reads and writes.
#[derive(Clone, PartialEq, Debug)]
pub struct Operator {
    /// What it computes.
    pub op: Op,
    /// Tensors read, in the order that the [`Op`] variant documents. An absent optional input is simply not there.
    pub inputs: Vec<TensorId>,
    /// Tensors written.
    pub outputs: Vec<TensorId>,
    /// It rounds as TensorFlow Lite's kernels of uint8 do, whose integers are held here less 128, where those of int8
    /// round otherwise, and its weights may have a zero point: only for operators that [have such a
    /// form](crate::ops::Traits::uint8).
    pub uint8: bool,
    /// Index of the operator in the file it came from.
    pub source: Option<u32>,
}

/// State that outlives an inference, as a pair of tensors: what it holds when an inference begins and what it holds
/// when that has ended, which is what the next one begins with.
///
/// So a read and an assignment need no order among operators: which value an operator reads is said by the tensor that
/// it names. A front end that has them in an order (READ_VARIABLE and ASSIGN_VARIABLE of TensorFlow Lite) resolves each
/// read to the value that was assigned last, as a compiler does for static single assignment.
#[derive(Clone, PartialEq, Debug)]
pub struct Variable {
    /// The value at the beginning of an inference. No operator writes it, and it is neither a graph input nor a
    /// constant.
    pub value: TensorId,
    /// The value at the end, of the same shape and type: what an operator writes, or any other tensor, `value` itself
    /// included.
    pub next: TensorId,
    /// The constant, of the same shape and type, that `value` is in the first inference; without one that is real zeros
    /// (the zero point where quantised).
    pub initial: Option<TensorId>,
}

/// A network: what is computed, without any decision about memory.
///
/// Invariants, checked by [`validate`](crate::validate()): operators are in an order in which each reads only graph
/// inputs, constants, values of variables and what an earlier operator wrote; each tensor is written once; shapes and
/// types agree with what [shape inference](crate::infer()) says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Graph {
    /// Name of the network; may be empty.
    pub name: String,
    /// All tensors; [`TensorId`] indexes this.
    pub tensors: Vec<Tensor>,
    /// All operators, in execution order; [`OpId`] indexes this.
    pub operators: Vec<Operator>,
    /// Tensors that the caller fills.
    pub inputs: Vec<TensorId>,
    /// Tensors that the caller reads.
    pub outputs: Vec<TensorId>,
    /// What outlives an inference.
    pub variables: Vec<Variable>,
}

impl Operator {
    /// An operator that does not [compute as uint8](Self::uint8), and comes from no file.
    pub fn new(op: Op, inputs: Vec<TensorId>, outputs: Vec<TensorId>) -> Self {
        Self { op, inputs, outputs, uint8: false, source: None }
    }
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The tensor with this index.
    ///
    /// # Panics
    /// If the index is out of range, which a validated graph excludes for every index it holds.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.index()]
    }

    /// Adds a tensor.
    pub fn add_tensor(&mut self, tensor: Tensor) -> TensorId {
        let id = TensorId(u32::try_from(self.tensors.len()).expect("fewer than 2^32 tensors"));
        self.tensors.push(tensor);
        id
    }

    /// Adds a tensor and makes it a graph input.
    pub fn add_input(&mut self, tensor: Tensor) -> TensorId {
        let id = self.add_tensor(tensor);
        self.inputs.push(id);
        id
    }

    /// Appends an operator.
    pub fn add_operator(&mut self, op: Op, inputs: Vec<TensorId>, outputs: Vec<TensorId>) -> OpId {
        let id = OpId(u32::try_from(self.operators.len()).expect("fewer than 2^32 operators"));
        self.operators.push(Operator::new(op, inputs, outputs));
        id
    }

    /// Tensors that are there before any operator has run, other than constants: graph inputs and values of variables.
    pub fn sources(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.inputs.iter().copied().chain(self.variables.iter().map(|variable| variable.value))
    }

    /// Tensors that something reads after all operators have run: graph outputs and the next values of variables.
    pub fn results(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.outputs.iter().copied().chain(self.variables.iter().map(|variable| variable.next))
    }

    /// The bytes with which a variable begins, as in [`Tensor::data`].
    ///
    /// # Panics
    /// If its tensor's size overflows `usize`, which a validated graph excludes.
    pub fn initial_bytes(&self, variable: &Variable) -> Arc<[u8]> {
        variable.initial.and_then(|id| self.tensor(id).data.clone()).unwrap_or_else(|| {
            let tensor = self.tensor(variable.value);
            let zero = tensor.per_tensor().map_or(0, |(_, zero_point)| i64::from(zero_point)).to_le_bytes();
            let one = &zero[..tensor.element().bits().div_ceil(8)];
            one.repeat(tensor.shape.elements()).into()
        })
    }

    /// For each tensor, the operator that writes it.
    pub fn producers(&self) -> Vec<Option<OpId>> {
        let mut producers = vec![None; self.tensors.len()];
        for (i, operator) in self.operators.iter().enumerate() {
            for t in &operator.outputs {
                producers[t.index()] = Some(OpId(i as u32));
            }
        }
        producers
    }

    /// For each tensor, the operators that read it, in order; one that reads it twice is listed twice.
    pub fn consumers(&self) -> Vec<Vec<OpId>> {
        let mut consumers = vec![Vec::new(); self.tensors.len()];
        for (i, operator) in self.operators.iter().enumerate() {
            for t in &operator.inputs {
                consumers[t.index()].push(OpId(i as u32));
            }
        }
        consumers
    }
}
