//! Variables that never change.

use crate::graph::Graph;

/// Makes constants of variables whose next value is the one that they have: nothing assigns to them. Those of a type that only a
/// constant may be are none to begin with, so every one can be folded.
pub fn fold_variables(graph: &mut Graph) -> usize {
    let (kept, folded): (Vec<_>, Vec<_>) =
        std::mem::take(&mut graph.variables).into_iter().partition(|variable| variable.value != variable.next);
    graph.variables = kept;
    for variable in &folded {
        let bytes = graph.initial_bytes(variable);
        graph.tensors[variable.value.index()].data = Some(bytes);
    }
    folded.len()
}
