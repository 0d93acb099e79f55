//! The order in which a graph's nodes can run.
//!
//! The format asks for nodes in an order in which each reads only what stands before it, but tools that edit graphs append
//! nodes, and ONNX Runtime sorts what it loads. So does this: nodes that already stand in order keep it.

use crate::error::ReadError;
use crate::schema::{Graph, Refused};
use smidgen_ir::front::Budget;
use std::collections::HashMap;

/// How far the visit of a node has come.
#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// Its inputs are being visited.
    Open,
    Done,
}

/// The indices of the graph's nodes in an order in which each comes after those whose outputs it reads. Names that nothing
/// writes are left for the reader to find.
///
/// # Errors
/// If nodes wait for each other in a cycle: the index of one of them. If the file asks for too much memory.
pub(crate) fn sorted(file: &Graph<'_>, budget: &Budget) -> Result<Result<Vec<usize>, usize>, Refused> {
    let nodes = &file.nodes;
    budget.take(nodes.len() * size_of::<usize>())?;
    let mut writers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        budget.take(64 * node.outputs.len())?;
        for &name in node.outputs.iter().filter(|name| !name.is_empty()) {
            // Of two that write one name the reader says so; the first is waited for.
            writers.entry(name).or_insert(index);
        }
    }
    let before = |index: usize, name: &str| writers.get(name).is_none_or(|&writer| writer < index);
    if nodes.iter().enumerate().all(|(index, node)| node.inputs.iter().all(|name| before(index, name))) {
        return Ok(Ok((0..nodes.len()).collect()));
    }
    budget.take(nodes.len() * (size_of::<State>() + 2 * size_of::<(usize, usize)>()))?;
    let mut states = vec![State::New; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    // Depth first, without recursion: chains may be as long as the file. Each entry is a node and its next input to look at.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..nodes.len() {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        path.push((start, 0));
        while let Some((node, next)) = path.last_mut() {
            let Some(name) = nodes[*node].inputs.get(*next) else {
                states[*node] = State::Done;
                order.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            let Some(&writer) = writers.get(name) else { continue };
            match states[writer] {
                State::Done => {}
                State::Open => return Ok(Err(writer)),
                State::New => {
                    states[writer] = State::Open;
                    path.push((writer, 0));
                }
            }
        }
    }
    Ok(Ok(order))
}

/// What a node in a cycle is refused with.
pub(crate) fn cycle(file: &Graph<'_>, index: usize, tensors: String) -> ReadError {
    ReadError::Operator {
        index,
        operator: file.nodes[index].op.into(),
        tensors,
        what: "it reads what depends on its own output: operators form a cycle, so none of them can run first".into(),
    }
}
