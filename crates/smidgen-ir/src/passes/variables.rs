//! Variables that never change.

use super::MOST_BYTES;
use crate::graph::Graph;

/// Makes constants of variables whose next value is the one that they have: nothing assigns to them. Those that begin
/// with zeros stay if the bytes of all would exceed 64 MiB.
pub fn fold_variables(graph: &mut Graph) -> usize {
    let mut added = 0usize;
    let (folded, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut graph.variables).into_iter().partition(|variable| {
        if variable.initial.is_none() && variable.value == variable.next {
            added = added.saturating_add(graph.tensor(variable.value).bytes());
        }
        variable.value == variable.next && added <= MOST_BYTES
    });
    graph.variables = kept;
    for variable in &folded {
        let bytes = graph.initial_bytes(variable);
        graph.tensors[variable.value.index()].data = Some(bytes);
    }
    folded.len()
}
