//! Operators that change nothing, or only the shape.

use super::{Flow, remove_operators};
use crate::graph::{Graph, Operator};
use crate::ops::{Op, ReshapeKind};
use crate::tensor::TensorId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Removes operators whose output is their input: reshapes, paddings, slices, transpositions, resizes and pools that change
/// nothing, splits and concatenations of one part, QUANTIZE between equal types, and DEQUANTIZE followed by QUANTIZE to the same
/// type. What only drops or adds dimensions of size 1 becomes a RESHAPE, of reshapes in a row the last reads the
/// first's input, and of equal reshapes of one tensor the first serves all.
///
/// A graph output stays a tensor of its own: an operator between an input or constant and an output is kept.
pub fn remove_no_ops(graph: &mut Graph) -> usize {
    let mut flow = Flow::of(graph);
    let mut changes = 0;
    let mut gone = vec![false; graph.operators.len()];
    let mut reshapes = HashMap::new();
    for (i, gone) in gone.iter_mut().enumerate() {
        if let Some(reshape) = as_reshape(graph, &graph.operators[i]) {
            graph.operators[i].op = reshape;
            changes += 1;
        }
        changes += usize::from(skip_reshape(graph, &mut flow, i));
        changes += usize::from(skip_round_trip(graph, &mut flow, i));
        if is_identity(graph, &graph.operators[i]) && bypass(graph, &mut flow, i)
            || is_repeated(graph, &mut flow, &mut reshapes, i)
        {
            *gone = true;
            changes += 1;
        }
    }
    remove_operators(graph, &gone);
    changes
}

/// The RESHAPE that does the same as an operator which only moves dimensions of size 1 about.
fn as_reshape(graph: &Graph, operator: &Operator) -> Option<Op> {
    let (x, y) = (&graph.tensor(*operator.inputs.first()?).shape, &graph.tensor(*operator.outputs.first()?).shape);
    let relabels = operator.op.spec(|spec| spec.only_relabels(operator, x));
    relabels.then(|| Op::Reshape { kind: ReshapeKind::Reshape, shape: y.0.clone() })
}

/// Lets a reshape of a reshape read the first one's input.
fn skip_reshape(graph: &mut Graph, flow: &mut Flow, i: usize) -> bool {
    let reshape = |graph: &Graph, i: usize| matches!(graph.operators[i].op, Op::Reshape { .. });
    if !reshape(graph, i) {
        return false;
    }
    let Some(first) = flow.producer(graph.operators[i].inputs[0]) else { return false };
    if !reshape(graph, first) {
        return false;
    }
    let x = graph.operators[first].inputs[0];
    flow.set_input(graph, i, 0, x);
    true
}

/// Lets what reads a QUANTIZE of a DEQUANTIZE read the DEQUANTIZE's input, if all integers come back as they were.
fn skip_round_trip(graph: &mut Graph, flow: &mut Flow, i: usize) -> bool {
    if graph.operators[i].op != Op::Quantize {
        return false;
    }
    let (real, y) = (graph.operators[i].inputs[0], graph.operators[i].outputs[0]);
    let Some(first) = flow.producer(real) else { return false };
    let Operator { op: Op::Dequantize, inputs, .. } = &graph.operators[first] else { return false };
    let x = inputs[0];
    let same = graph.tensor(x).dtype == graph.tensor(y).dtype;
    // The steps of int8 must all be finite floats.
    let finite = graph.tensor(x).per_tensor().is_some_and(|(scale, _)| (scale * 256.0).is_finite());
    if !same || !finite {
        return false;
    }
    flow.set_input(graph, i, 0, x);
    true
}

/// Lets what reads a reshape read an earlier one of the same tensor to the same shape. `reshapes` holds those met so far.
fn is_repeated(
    graph: &mut Graph,
    flow: &mut Flow,
    reshapes: &mut HashMap<(TensorId, Vec<usize>), usize>,
    i: usize,
) -> bool {
    let Operator { op: Op::Reshape { shape, .. }, inputs, outputs, .. } = &graph.operators[i] else { return false };
    let y = outputs[0];
    match reshapes.entry((inputs[0], shape.clone())) {
        Entry::Vacant(entry) => {
            entry.insert(i);
            false
        }
        Entry::Occupied(_) if flow.is_output(y) => false,
        Entry::Occupied(entry) => {
            let first = graph.operators[*entry.get()].outputs[0];
            flow.redirect(graph, y, first);
            true
        }
    }
}

fn is_identity(graph: &Graph, operator: &Operator) -> bool {
    let ([x, ..], [y]) = (operator.inputs.as_slice(), operator.outputs.as_slice()) else { return false };
    let (x, y) = (graph.tensor(*x), graph.tensor(*y));
    if x.shape != y.shape || x.dtype != y.dtype {
        return false;
    }
    operator.op.spec(|spec| spec.is_identity(operator, x))
}

/// Takes the identity `i` out of the flow of data. False if both its ends are the caller's.
fn bypass(graph: &mut Graph, flow: &mut Flow, i: usize) -> bool {
    let (x, y) = (graph.operators[i].inputs[0], graph.operators[i].outputs[0]);
    if !flow.is_output(y) {
        flow.redirect(graph, y, x);
        return true;
    }
    // The output keeps its tensor: what made the input makes the output instead.
    match flow.producer(x) {
        Some(first) if !flow.is_output(x) => {
            for t in graph.operators[first].outputs.iter_mut().filter(|t| **t == x) {
                *t = y;
            }
            flow.producers[y.index()] = Some(first);
            flow.redirect(graph, x, y);
            true
        }
        _ => false,
    }
}
