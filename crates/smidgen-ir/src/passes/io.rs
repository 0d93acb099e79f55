//! Integer inputs and outputs in place of float ones.

use super::{Flow, remove_operators};
use crate::graph::Graph;
use crate::ops::Op;
use crate::tensor::{ElementType, Tensor, TensorId};

/// Cuts off each QUANTIZE at an input of the graph that is float or uint8 and each DEQUANTIZE, or QUANTIZE to uint8, at an output, so that the graph
/// takes and gives the integers themselves that it computes with: a device then needs no float and a quarter of the bytes.
///
/// An input is cut only if everything that reads it quantises it to the same type, and it is no output as well; an output only if
/// its integers are computed and not an output already. The others stay as they are. Order and number of inputs and outputs stay.
pub fn strip_io(graph: &mut Graph) -> usize {
    let mut flow = Flow::of(graph);
    let mut gone = vec![false; graph.operators.len()];
    let mut cut = 0;
    for index in 0..graph.inputs.len() {
        cut += usize::from(cut_input(graph, &mut flow, &mut gone, index));
    }
    for index in 0..graph.outputs.len() {
        cut += usize::from(cut_output(graph, &mut flow, &mut gone, index));
    }
    remove_operators(graph, &gone);
    cut
}

fn cut_input(graph: &mut Graph, flow: &mut Flow, gone: &mut [bool], index: usize) -> bool {
    let x = graph.inputs[index];
    let readers = flow.readers(graph, x);
    let quantised: Vec<TensorId> = readers
        .iter()
        .filter(|&&i| graph.operators[i].op == Op::Quantize)
        .map(|&i| graph.operators[i].outputs[0])
        .collect();
    let Some(&first) = quantised.first() else { return false };
    let same = quantised.iter().all(|&t| graph.tensor(t).dtype == graph.tensor(first).dtype);
    let foreign = is_foreign(graph.tensor(x));
    let exposed = quantised.iter().chain([&x]).any(|&t| flow.is_output(t));
    if quantised.len() != readers.len() || !same || !foreign || exposed {
        return false;
    }
    for &other in &quantised[1..] {
        flow.redirect(graph, other, first);
    }
    for i in readers {
        gone[i] = true;
    }
    flow.producers[first.index()] = None;
    graph.inputs[index] = first;
    true
}

/// True of what is not computed with: floats beside quantised integers, and uint8.
fn is_foreign(tensor: &Tensor) -> bool {
    tensor.dtype.quantisation().is_none() || tensor.element() == ElementType::Uint8
}

fn cut_output(graph: &mut Graph, flow: &mut Flow, gone: &mut [bool], index: usize) -> bool {
    let y = graph.outputs[index];
    let Some(i) = flow.producer(y) else { return false };
    if !matches!(graph.operators[i].op, Op::Dequantize | Op::Quantize) || !is_foreign(graph.tensor(y)) {
        return false;
    }
    let x = graph.operators[i].inputs[0];
    if flow.is_output(x) || flow.producer(x).is_none() {
        return false;
    }
    graph.outputs[index] = x;
    flow.outputs[x.index()] += 1;
    flow.outputs[y.index()] -= 1;
    // Something else may still want the floats.
    gone[i] = !flow.is_output(y) && flow.readers(graph, y).is_empty();
    true
}
