//! Dropping what no output depends on.

use super::remove_operators;
use crate::graph::Graph;
use crate::tensor::TensorId;

/// Removes operators that no graph output depends on, and tensors that are neither used by an operator nor an input or output of
/// the graph. The graph's inputs stay even if nothing reads them, since callers count them. Needs only that every tensor named
/// exists; the graph may be invalid otherwise.
pub fn remove_dead(graph: &mut Graph) -> usize {
    let mut writers = vec![Vec::new(); graph.tensors.len()];
    for (i, operator) in graph.operators.iter().enumerate() {
        for t in &operator.outputs {
            writers[t.index()].push(i);
        }
    }
    let mut dead = vec![true; graph.operators.len()];
    let mut wanted: Vec<TensorId> = graph.outputs.clone();
    while let Some(t) = wanted.pop() {
        // Taking the list also ends the search at a tensor seen before.
        for i in std::mem::take(&mut writers[t.index()]) {
            if std::mem::replace(&mut dead[i], false) {
                wanted.extend(&graph.operators[i].inputs);
            }
        }
    }
    let before = (graph.operators.len(), graph.tensors.len());
    remove_operators(graph, &dead);
    remove_tensors(graph);
    before.0 - graph.operators.len() + before.1 - graph.tensors.len()
}

/// Removes tensors that nothing names and renumbers the rest in their order.
fn remove_tensors(graph: &mut Graph) {
    let mut named = vec![false; graph.tensors.len()];
    let operators = graph.operators.iter().flat_map(|o| o.inputs.iter().chain(&o.outputs));
    for t in operators.chain(&graph.inputs).chain(&graph.outputs) {
        named[t.index()] = true;
    }
    let mut renumbered = Vec::with_capacity(named.len());
    let mut next = 0u32;
    for &named in &named {
        renumbered.push(TensorId(next));
        next += u32::from(named);
    }
    let mut i = 0;
    graph.tensors.retain(|_| {
        i += 1;
        named[i - 1]
    });
    let operators = graph.operators.iter_mut().flat_map(|o| o.inputs.iter_mut().chain(&mut o.outputs));
    for t in operators.chain(&mut graph.inputs).chain(&mut graph.outputs) {
        *t = renumbered[t.index()];
    }
}
