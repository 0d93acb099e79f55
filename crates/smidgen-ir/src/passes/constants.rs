//! Computing when compiling what depends on nothing else.

use super::{MOST_BYTES, remove_operators};
use crate::graph::{Graph, Operator};
use crate::tensor::TensorId;

/// For each tensor, true if it is a constant or computed from constants alone, so that [`fold_constants`] could make it one.
pub fn foldable(graph: &Graph) -> Vec<bool> {
    let mut foldable: Vec<bool> = graph.tensors.iter().map(|t| t.is_constant()).collect();
    for operator in &graph.operators {
        if !operator.inputs.is_empty() && operator.inputs.iter().all(|t| foldable[t.index()]) {
            for t in &operator.outputs {
                foldable[t.index()] = true;
            }
        }
    }
    foldable
}

/// Replaces the outputs of every operator that reads only constants by constants.
///
/// `evaluate` is given a graph of that one operator, without inputs and with the operator's outputs as its outputs, and returns
/// their bytes (little endian, row-major), or `None` if it cannot compute them; the operator then stays. It also stays if a size
/// is not the output's, or if the constants that folding adds would exceed 64 MiB in all.
pub fn fold_constants(graph: &mut Graph, mut evaluate: impl FnMut(&Graph) -> Option<Vec<Vec<u8>>>) -> usize {
    let mut added = 0usize;
    let mut gone = vec![false; graph.operators.len()];
    for (i, gone) in gone.iter_mut().enumerate() {
        let operator = &graph.operators[i];
        if operator.inputs.is_empty() || !operator.inputs.iter().all(|&t| graph.tensor(t).is_constant()) {
            continue;
        }
        let sizes: Vec<usize> = operator.outputs.iter().map(|&t| graph.tensor(t).bytes()).collect();
        let total = sizes.iter().fold(added, |n, &size| n.saturating_add(size));
        if total > MOST_BYTES {
            continue;
        }
        let Some(results) = evaluate(&single(graph, operator)) else { continue };
        if !results.iter().map(Vec::len).eq(sizes) {
            continue;
        }
        let outputs = graph.operators[i].outputs.clone();
        for (t, bytes) in outputs.into_iter().zip(results) {
            graph.tensors[t.index()].data = Some(bytes.into());
        }
        added = total;
        *gone = true;
    }
    remove_operators(graph, &gone);
    gone.into_iter().filter(|&g| g).count()
}

/// A graph of this one operator.
fn single(graph: &Graph, operator: &Operator) -> Graph {
    let mut alone = Graph::new(&*graph.name);
    let mut copy = |list: &[TensorId]| -> Vec<TensorId> {
        list.iter().map(|&t| alone.add_tensor(graph.tensor(t).clone())).collect()
    };
    let (inputs, outputs) = (copy(&operator.inputs), copy(&operator.outputs));
    alone.outputs = outputs.clone();
    alone.operators.push(Operator { inputs, outputs, ..operator.clone() });
    alone
}
