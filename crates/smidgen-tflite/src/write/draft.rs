//! The graph as the format has it: parameters as tensors, operators as builtins with options.

use super::options::Options;
use crate::error::WriteError;
use crate::ops::states;
use crate::support::Builtin;
use smidgen_ir::front::quoted;
use smidgen_ir::{DataType, ElementType, Graph, Shape, Tensor, TensorId};
use std::borrow::Cow;

/// Most bytes of zeros that variables begin with, which the file holds one by one.
const MOST_ZEROS: usize = 64 << 20;

/// The place of an optional input that is absent.
pub(crate) const ABSENT: usize = usize::MAX;

/// A tensor of the file.
pub(crate) struct DraftTensor<'g> {
    pub name: Cow<'g, str>,
    pub shape: Vec<i32>,
    pub dtype: Cow<'g, DataType>,
    /// A constant's bytes.
    pub data: Option<Cow<'g, [u8]>>,
    /// It is the handle of a variable: of a type of its own.
    pub resource: bool,
    /// It keeps its value between calls: the operator that reads it writes it.
    pub variable: bool,
    /// Index in the file that the graph came from.
    source: Option<u32>,
    used: bool,
}

impl DraftTensor<'_> {
    /// Bytes that it takes in the file, or a little more.
    pub(super) fn size(&self) -> usize {
        let scales = match self.dtype.quantisation() {
            Some(smidgen_ir::Quantisation::PerChannel { scales, .. }) => 12 * scales.len(),
            _ => 12,
        };
        100 + self.name.len() + 4 * self.shape.len() + scales + self.data.as_ref().map_or(0, |data| data.len() + 64)
    }
}

/// An operator of the file.
pub(crate) struct DraftOperator {
    pub builtin: Builtin,
    pub version: i32,
    /// Indices into [`Draft::tensors`], or [`ABSENT`].
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// Tensors whose types alone say something.
    pub intermediates: Vec<usize>,
    pub options: Options,
}

/// A file in the making.
pub(crate) struct Draft<'g> {
    pub graph: &'g Graph,
    pub name: &'g str,
    /// The graph's tensors, then those that the format needs beside them.
    pub tensors: Vec<DraftTensor<'g>>,
    pub operators: Vec<DraftOperator>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// For each variable that is no layer's state its handle, its name, and the constant that it begins with, which
    /// lies beside the graph's tensors.
    pub variables: Vec<DraftVariable<'g>>,
    /// For each of the graph's variables, whether it is the state of a recurrent layer and so a tensor of that.
    pub states: Vec<bool>,
}

/// A variable of the file.
pub(crate) struct DraftVariable<'g> {
    /// Index into [`Draft::tensors`].
    pub handle: usize,
    /// The name by which all handles of it know it.
    pub shared_name: String,
    /// What it begins with.
    pub initial: DraftTensor<'g>,
}

impl<'g> Draft<'g> {
    pub(super) fn of(graph: &'g Graph) -> Result<Self, WriteError> {
        let mut draft = Draft {
            graph,
            name: &graph.name,
            tensors: Vec::with_capacity(graph.tensors.len()),
            operators: Vec::with_capacity(graph.operators.len()),
            inputs: Vec::new(),
            outputs: Vec::new(),
            variables: Vec::new(),
            states: states(graph),
        };
        for (i, tensor) in graph.tensors.iter().enumerate() {
            draft.tensors.push(converted(i, tensor)?);
        }
        draft.inputs = draft.ports(&graph.inputs, "input")?;
        draft.outputs = draft.ports(&graph.outputs, "output")?;
        draft.read_variables()?;
        for (i, operator) in graph.operators.iter().enumerate() {
            draft.lower(i, operator)?;
        }
        let assigned = graph.variables.iter().zip(draft.states.clone()).filter(|(_, state)| !state);
        for (i, (variable, _)) in assigned.enumerate() {
            let inputs = vec![draft.variables[i].handle, variable.next.index()];
            draft.push_plain(Builtin::AssignVariable, inputs, Vec::new(), Options::None);
        }
        Ok(draft)
    }

    /// Reads every variable before all operators, and runs what gives it its initial value.
    fn read_variables(&mut self) -> Result<(), WriteError> {
        let (graph, count) = (self.graph, self.tensors.len());
        let mut zeros = 0usize;
        if self.states.contains(&false) {
            self.push_plain(Builtin::CallOnce, Vec::new(), Vec::new(), Options::CallOnce { subgraph: 1 });
        }
        for (i, variable) in graph.variables.iter().enumerate() {
            let all = [variable.value, variable.next].into_iter().chain(variable.initial);
            if let Some(id) = all.into_iter().find(|id| id.index() >= count) {
                return Err(WriteError::Graph {
                    what: format!("variable {i} names {id}, but there are {count} tensors"),
                });
            }
            if self.states[i] {
                continue;
            }
            let tensor = graph.tensor(variable.value);
            let bytes = tensor.shape.checked_elements().and_then(|n| tensor.element().bytes(n)).unwrap_or(usize::MAX);
            zeros = if variable.initial.is_none() { bytes.saturating_add(zeros) } else { zeros };
            if zeros > MOST_ZEROS {
                let what =
                    format!("variables that begin with zeros take more than {MOST_ZEROS} bytes with variable {i}");
                return Err(WriteError::Graph { what });
            }
            let name = match tensor.name.is_empty() {
                true => format!("variable {i}"),
                false => tensor.name.clone(),
            };
            let initial = DraftTensor {
                name: Cow::Owned(format!("{name}/initial")),
                data: Some(Cow::Owned(graph.initial_bytes(variable).to_vec())),
                source: None,
                ..converted(variable.value.index(), tensor)?
            };
            let handle =
                self.add(format!("{name}/handle"), Vec::new(), Cow::Owned(DataType::Plain(ElementType::Int32)), None);
            self.tensors[handle].resource = true;
            let shared_name = format!("{i}/{name}");
            let options = Options::VarHandle { shared_name: shared_name.clone() };
            self.push_plain(Builtin::VarHandle, Vec::new(), vec![handle], options);
            self.push_plain(Builtin::ReadVariable, vec![handle], vec![variable.value.index()], Options::None);
            self.variables.push(DraftVariable { handle, shared_name, initial });
        }
        Ok(())
    }

    /// Adds an operator of the first version.
    fn push_plain(&mut self, builtin: Builtin, inputs: Vec<usize>, outputs: Vec<usize>, options: Options) {
        self.push(DraftOperator { builtin, version: 1, inputs, outputs, intermediates: Vec::new(), options });
    }

    fn ports(&mut self, ids: &[TensorId], what: &str) -> Result<Vec<usize>, WriteError> {
        let count = self.graph.tensors.len();
        ids.iter()
            .map(|id| match self.graph.tensors.get(id.index()) {
                Some(_) => {
                    self.tensors[id.index()].used = true;
                    Ok(id.index())
                }
                None => Err(WriteError::Graph { what: format!("graph {what} {id} is not one of its {count} tensors") }),
            })
            .collect()
    }

    /// Adds an operator and marks its tensors used.
    pub(super) fn push(&mut self, operator: DraftOperator) {
        let all = operator.inputs.iter().chain(&operator.outputs).chain(&operator.intermediates);
        for &t in all.filter(|&&t| t != ABSENT) {
            self.tensors[t].used = true;
        }
        self.operators.push(operator);
    }

    /// A tensor computed at run time that the graph does not have.
    pub(super) fn activation(&mut self, name: String, shape: Vec<i32>, dtype: &'g DataType) -> usize {
        self.add(name, shape, Cow::Borrowed(dtype), None)
    }

    /// A constant int32 parameter: a list, or a scalar.
    pub(super) fn parameter(&mut self, name: String, values: &[i32], scalar: bool) -> usize {
        let shape = if scalar { Vec::new() } else { vec![values.len() as i32] };
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, shape, Cow::Owned(DataType::Plain(ElementType::Int32)), bytes)
    }

    /// A constant that the graph does not have. Each operator gets its own, so that there are never fewer tensors than in the
    /// file that the graph came from and all can keep their places; the bytes of equal ones are shared when written.
    pub(crate) fn constant(
        &mut self,
        name: String,
        shape: Vec<i32>,
        dtype: Cow<'g, DataType>,
        bytes: Vec<u8>,
    ) -> usize {
        self.add(name, shape, dtype, Some(bytes))
    }

    /// A tensor whose type alone says something.
    pub(crate) fn intermediate(&mut self, name: String, dtype: DataType) -> usize {
        self.add(name, Vec::new(), Cow::Owned(dtype), None)
    }

    fn add(&mut self, name: String, shape: Vec<i32>, dtype: Cow<'g, DataType>, data: Option<Vec<u8>>) -> usize {
        let (name, data) = (Cow::Owned(name), data.map(Cow::Owned));
        self.tensors.push(DraftTensor {
            name,
            shape,
            dtype,
            data,
            resource: false,
            variable: false,
            source: None,
            used: false,
        });
        self.tensors.len() - 1
    }

    /// The used tensors in the order of the file: each at its `source`, the others in the gaps. If they do not all find their
    /// place so, in the graph's order.
    pub(super) fn slots(&self) -> Vec<usize> {
        let used: Vec<usize> = (0..self.tensors.len()).filter(|&t| self.tensors[t].used).collect();
        let mut slots: Vec<Option<usize>> = vec![None; used.len()];
        let mut rest = Vec::new();
        for &t in &used {
            match self.tensors[t].source {
                None => rest.push(t),
                Some(source) => match slots.get_mut(source as usize) {
                    Some(slot @ None) => *slot = Some(t),
                    _ => return used,
                },
            }
        }
        let mut rest = rest.into_iter();
        slots.into_iter().filter_map(|slot| slot.or_else(|| rest.next())).collect()
    }
}

fn converted(index: usize, tensor: &Tensor) -> Result<DraftTensor<'_>, WriteError> {
    let fail = |what: String| WriteError::Tensor { index, name: quoted(&tensor.name), what };
    let elements = tensor.shape.checked_elements().and_then(|n| tensor.element().bytes(n));
    let bytes = elements.ok_or_else(|| fail("its size cannot be represented".into()))?;
    if let Some(data) = tensor.data.as_ref().filter(|data| data.len() != bytes) {
        return Err(fail(format!("it has {} bytes of data where {} elements take {bytes}", data.len(), tensor.shape)));
    }
    Ok(DraftTensor {
        name: Cow::Borrowed(&tensor.name),
        shape: dims(&tensor.shape).ok_or_else(|| fail(format!("the shape {} is too large", tensor.shape)))?,
        dtype: Cow::Borrowed(&tensor.dtype),
        data: tensor.data.as_deref().map(Cow::Borrowed),
        resource: false,
        variable: false,
        source: tensor.source,
        used: false,
    })
}

/// The dimensions as the format stores them.
pub(super) fn dims(shape: &Shape) -> Option<Vec<i32>> {
    shape.0.iter().map(|&d| i32::try_from(d).ok()).collect()
}
