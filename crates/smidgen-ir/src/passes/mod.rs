//! Rewrites of a graph into a smaller or simpler one that computes the same bytes.
//!
//! Each takes a graph that [`validate`](crate::validate()) accepts and leaves one that it accepts. The operators and tensors that
//! stay keep their `source` index, so that a message about the result still leads back to the file. Each returns how many
//! rewrites it made: 0 means that the graph is as it was.
//!
//! [`canonicalise`] runs all that never change what the caller sees. [`strip_io`] changes the types of the graph's inputs and outputs,
//! so it runs on request only. [`fold_constants`] needs something that can compute, which is given to it.

mod constants;
mod dead;
mod io;
mod last_step;
mod no_ops;
mod padding;
mod variables;

pub use constants::{fold_constants, foldable};
pub use dead::remove_dead;
pub use io::strip_io;
pub use last_step::read_last_steps;
pub use no_ops::remove_no_ops;
pub use padding::fold_padding;
pub use variables::fold_variables;

use crate::graph::Graph;
use crate::tensor::TensorId;

/// Most bytes that folding may add to a graph in all. A small constant can be padded or broadcast into a large one,
/// which belongs in neither a file nor a flash.
const MOST_BYTES: usize = 64 << 20;

/// Runs [`remove_no_ops`], [`read_last_steps`], [`fold_padding`], [`remove_dead`] and [`fold_variables`] until nothing
/// changes.
pub fn canonicalise(graph: &mut Graph) -> usize {
    let mut total = 0;
    loop {
        let changes = remove_no_ops(graph)
            + read_last_steps(graph)
            + fold_padding(graph)
            + remove_dead(graph)
            + fold_variables(graph);
        if changes == 0 {
            return total;
        }
        total += changes;
    }
}

/// Who writes and who reads each tensor, kept up to date while a pass changes reads.
struct Flow {
    /// The operator that writes each tensor.
    producers: Vec<Option<usize>>,
    /// The operators that read each tensor, and perhaps some that no longer do.
    readers: Vec<Vec<usize>>,
    /// How often each tensor is listed as an output of the graph or as what a variable holds next.
    outputs: Vec<usize>,
}

impl Flow {
    fn of(graph: &Graph) -> Self {
        let producers = graph.producers().into_iter().map(|p| p.map(|op| op.index())).collect();
        let readers = graph.consumers().into_iter().map(|ops| ops.into_iter().map(|op| op.index()).collect()).collect();
        let mut outputs = vec![0; graph.tensors.len()];
        for t in graph.results() {
            outputs[t.index()] += 1;
        }
        Self { producers, readers, outputs }
    }

    fn producer(&self, tensor: TensorId) -> Option<usize> {
        self.producers[tensor.index()]
    }

    fn is_output(&self, tensor: TensorId) -> bool {
        self.outputs[tensor.index()] > 0
    }

    /// The operators that read the tensor, each once.
    fn readers(&self, graph: &Graph, tensor: TensorId) -> Vec<usize> {
        let mut readers = self.readers[tensor.index()].clone();
        readers.retain(|&i| graph.operators[i].inputs.contains(&tensor));
        readers.sort_unstable();
        readers.dedup();
        readers
    }

    /// Makes operator `i` read `tensor` as its input `input`.
    fn set_input(&mut self, graph: &mut Graph, i: usize, input: usize, tensor: TensorId) {
        graph.operators[i].inputs[input] = tensor;
        self.readers[tensor.index()].push(i);
    }

    /// Makes every operator that reads `from` read `to` instead.
    fn redirect(&mut self, graph: &mut Graph, from: TensorId, to: TensorId) {
        for i in std::mem::take(&mut self.readers[from.index()]) {
            for t in graph.operators[i].inputs.iter_mut().filter(|t| **t == from) {
                *t = to;
            }
            self.readers[to.index()].push(i);
        }
    }
}

/// Removes the operators for which `gone` says so.
fn remove_operators(graph: &mut Graph, gone: &[bool]) {
    let mut i = 0;
    graph.operators.retain(|_| {
        i += 1;
        !gone[i - 1]
    });
}
