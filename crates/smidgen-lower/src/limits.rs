//! What is refused before anything is lowered: tensors that no microcontroller holds, in its own SRAM or beside it.
//!
//! Planning, certifying and running take time and memory in proportion to rows and bytes. A file of 200 bytes can declare a tensor of
//! gigabytes, so sizes are looked at first, where one pass over the graph tells.

use super::error::LowerError;
use smidgen_ir::{Graph, TensorId};
use smidgen_program::Extent;

/// Most bytes of one activation: the largest memory sold beside microcontrollers. The largest SRAM of a board that `smidgen boards` lists
/// is an eighth of it.
pub const MOST_TENSOR_BYTES: usize = 32 << 20;

/// Most rows of one activation, all but the last two axes multiplied.
pub const MOST_ROWS: usize = 1 << 20;

/// Most bytes of activations alive at one time, layer by layer.
pub const MOST_LIVE_BYTES: usize = 4 * MOST_TENSOR_BYTES;

/// Most activations alive at one time: for each pair of them a distance is kept.
pub const MOST_LIVE_TENSORS: usize = 2048;

/// Refuses a graph that declares more than the limits of this module.
pub(super) fn check(graph: &Graph) -> Result<(), LowerError> {
    let mut walk = Walk { graph, uses: vec![0; graph.tensors.len()], bytes: 0, tensors: 0 };
    for operator in &graph.operators {
        operator.inputs.iter().for_each(|id| walk.uses[id.index()] += 1);
    }
    // A variable is never read for the last time.
    let lasting = graph.variables.iter().map(|variable| variable.value);
    graph.results().chain(lasting).for_each(|id| walk.uses[id.index()] += 1);
    for id in graph.sources() {
        walk.tensor(id, None)?;
    }
    walk.within(None)?;
    for index in 0..graph.operators.len() {
        let operator = &graph.operators[index];
        for &id in &operator.outputs {
            walk.tensor(id, Some(index))?;
        }
        walk.within(Some(index))?;
        let unread = operator.outputs.iter().filter(|id| walk.uses[id.index()] == 0);
        let unread: Vec<TensorId> = unread.copied().collect();
        unread.into_iter().for_each(|id| walk.end(id));
        for &id in &operator.inputs {
            walk.uses[id.index()] -= 1;
            if walk.uses[id.index()] == 0 {
                walk.end(id);
            }
        }
    }
    Ok(())
}

struct Walk<'g> {
    graph: &'g Graph,
    /// Reads of each tensor still to come.
    uses: Vec<usize>,
    /// What is alive.
    bytes: usize,
    tensors: usize,
}

impl Walk<'_> {
    /// A tensor comes alive: an input, or written by an operator.
    fn tensor(&mut self, id: TensorId, operator: Option<usize>) -> Result<(), LowerError> {
        let tensor = self.graph.tensor(id);
        let refuse = |what: String| Err(self.refusal(operator, what));
        // Several axes of many elements overflow when multiplied.
        let elements = tensor.shape.dims().iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        let bytes = elements.and_then(|n| n.checked_mul(element_bytes(self.graph, id))).unwrap_or(usize::MAX);
        if bytes > MOST_TENSOR_BYTES {
            return refuse(format!(
                "the tensor `{}` ({}) takes {bytes} bytes, and the most that is planned for is {MOST_TENSOR_BYTES} (32 MiB)",
                tensor.name, tensor.shape
            ));
        }
        let rows = Extent::of(tensor.shape.dims()).rows;
        if rows > MOST_ROWS {
            return refuse(format!(
                "the tensor `{}` ({}) has {rows} rows, and the most that are planned for are {MOST_ROWS}",
                tensor.name, tensor.shape
            ));
        }
        self.bytes += bytes;
        self.tensors += 1;
        Ok(())
    }

    /// What is alive at the inputs, or while an operator runs, is within the limits.
    fn within(&self, operator: Option<usize>) -> Result<(), LowerError> {
        let what = match (self.bytes > MOST_LIVE_BYTES, self.tensors > MOST_LIVE_TENSORS) {
            (true, _) => format!(
                "tensors of {} bytes are alive at one time, and the most that are planned for are {MOST_LIVE_BYTES} (128 MiB)",
                self.bytes
            ),
            (_, true) => format!(
                "{} tensors are alive at one time, and the most that are planned for are {MOST_LIVE_TENSORS}",
                self.tensors
            ),
            _ => return Ok(()),
        };
        Err(self.refusal(operator, what))
    }

    /// A tensor is read no more. Constants were never counted.
    fn end(&mut self, id: TensorId) {
        let tensor = self.graph.tensor(id);
        if !tensor.is_constant() {
            self.bytes -= tensor.shape.elements() * element_bytes(self.graph, id);
            self.tensors -= 1;
        }
    }

    fn refusal(&self, operator: Option<usize>, reason: String) -> LowerError {
        let Some(index) = operator else {
            return LowerError::TooLarge { index: None, operator: "the inputs".into(), reason };
        };
        let operator = &self.graph.operators[index];
        let output = operator.outputs.first().map_or("", |&id| self.graph.tensor(id).name.as_str());
        LowerError::TooLarge {
            index: Some(index),
            operator: format!("operator {index} {} (writes `{output}`)", operator.op.name()),
            reason,
        }
    }
}

/// Bytes of an element in the arena.
fn element_bytes(graph: &Graph, id: TensorId) -> usize {
    graph.tensor(id).element().bits().div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LowerOptions, lower};
    use smidgen_ir::{DataType, Op, Tensor, UnaryKind};

    /// RELU of each of so many inputs of this shape; all results are outputs.
    fn graph(shape: &[usize], count: usize) -> Graph {
        let mut graph = Graph::new("");
        for i in 0..count {
            let tensor = |name: String| Tensor::activation(name, shape.to_vec(), DataType::int8(0.5, 0));
            let input = graph.add_input(tensor(format!("x{i}")));
            let output = graph.add_tensor(tensor(format!("y{i}")));
            graph.add_operator(Op::Unary(UnaryKind::Relu), vec![input], vec![output]);
            graph.outputs.push(output);
        }
        smidgen_ir::validate(&graph).unwrap();
        graph
    }

    fn refusal(shape: &[usize], count: usize) -> String {
        lower(&graph(shape, count), &LowerOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn what_no_board_holds_is_refused_by_name_before_anything_is_allocated() {
        let said = refusal(&[1, 400_000_000, 1, 1], 1);
        assert!(said.contains("`x0`") && said.contains("400000000 bytes"), "{said}");
        let said = refusal(&[1, MOST_ROWS + 1, 1, 4], 1);
        assert!(said.contains("1048577 rows"), "{said}");
        let said = refusal(&[1, 1024, 1024, 20], 10);
        assert!(said.contains("operator") || said.contains("the inputs"), "{said}");
        assert!(said.contains("alive"), "{said}");
        let said = refusal(&[1, 1], MOST_LIVE_TENSORS + 1);
        assert!(said.contains("2049 tensors"), "{said}");
    }

    #[test]
    fn what_is_just_within_the_limits_is_lowered() {
        assert!(lower(&graph(&[1, MOST_ROWS, 1, 32], 1), &LowerOptions::default()).is_ok());
        assert!(lower(&graph(&[1, 1024, 1024, 20], 2), &LowerOptions::default()).is_ok());
        assert!(lower(&graph(&[1, 1], MOST_LIVE_TENSORS / 2), &LowerOptions::default()).is_ok());
    }
}
