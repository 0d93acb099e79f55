//! Dropping what no output depends on.

use super::remove_operators;
use crate::graph::Graph;
use crate::ops::Op;
use crate::tensor::TensorId;

/// Removes operators that no graph output depends on, in this inference or through a variable in a later one, variables
/// that none depends on, outputs of recurrent layers that nothing reads, and tensors that are neither used by an
/// operator nor by a variable, nor an input or output of the graph. The graph's inputs stay even if nothing reads them,
/// since callers count them. Needs only that every tensor named exists; the graph may be invalid otherwise.
pub fn remove_dead(graph: &mut Graph) -> usize {
    let mut writers = vec![Vec::new(); graph.tensors.len()];
    for (i, operator) in graph.operators.iter().enumerate() {
        for t in &operator.outputs {
            writers[t.index()].push(i);
        }
    }
    let mut holds = vec![Vec::new(); graph.tensors.len()];
    for (i, variable) in graph.variables.iter().enumerate() {
        holds[variable.value.index()].push(i);
    }
    let mut dead = vec![true; graph.operators.len()];
    let mut forgotten = vec![true; graph.variables.len()];
    let mut wanted: Vec<TensorId> = graph.outputs.clone();
    while let Some(t) = wanted.pop() {
        // Taking the list also ends the search at a tensor seen before.
        for i in std::mem::take(&mut writers[t.index()]) {
            if std::mem::replace(&mut dead[i], false) {
                wanted.extend(&graph.operators[i].inputs);
            }
        }
        // Who reads a variable's value wants what an earlier inference left in it.
        for i in std::mem::take(&mut holds[t.index()]) {
            forgotten[i] = false;
            wanted.push(graph.variables[i].next);
        }
    }
    let count = |graph: &Graph| graph.operators.len() + graph.tensors.len() + graph.variables.len();
    let before = count(graph);
    remove_operators(graph, &dead);
    let mut i = 0;
    graph.variables.retain(|_| {
        i += 1;
        !forgotten[i - 1]
    });
    remove_outputs(graph);
    remove_tensors(graph);
    before - count(graph)
}

/// Lets recurrent layers write only those of their outputs that something reads.
fn remove_outputs(graph: &mut Graph) {
    let mut read = vec![false; graph.tensors.len()];
    for t in graph.operators.iter().flat_map(|operator| &operator.inputs).copied().chain(graph.results()) {
        read[t.index()] = true;
    }
    for operator in &mut graph.operators {
        let Op::Recurrent(layer) = &mut operator.op else { continue };
        if layer.outputs().into_iter().filter(|&asked| asked).count() != operator.outputs.len() {
            continue;
        }
        let asked = layer.outputs_mut().into_iter().filter(|asked| **asked);
        asked.zip(&operator.outputs).for_each(|(asked, t)| *asked = read[t.index()]);
        operator.outputs.retain(|t| read[t.index()]);
    }
}

/// Removes tensors that nothing names and renumbers the rest in their order.
fn remove_tensors(graph: &mut Graph) {
    let mut named = vec![false; graph.tensors.len()];
    let operators = graph.operators.iter().flat_map(|o| o.inputs.iter().chain(&o.outputs));
    let initial = graph.variables.iter().filter_map(|variable| variable.initial);
    for t in operators.copied().chain(graph.sources()).chain(graph.results()).chain(initial) {
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
    let variables =
        graph.variables.iter_mut().flat_map(|v| [&mut v.value, &mut v.next].into_iter().chain(&mut v.initial));
    for t in operators.chain(&mut graph.inputs).chain(&mut graph.outputs).chain(variables) {
        *t = renumbered[t.index()];
    }
}
