//! Rewrites of the graph that a file's operators come to: what the format says in several operators, the graph says in one.
//!
//! They compute the same function, but sums in another order, so results may differ in the last bits. Each takes a valid
//! graph and leaves one.

mod activation;
mod affine;
mod flatten;
mod quantised;

use crate::emit::Scales;
use smidgen_ir::{Graph, OpId, TensorId, passes};

pub(crate) use quantised::UnsupportedGroup;

/// Applies all rewrites until none applies. `scales` are those of constants made of integers. Says which operators of a quantised
/// network are left on floats.
pub(crate) fn fuse(graph: &mut Graph, mut scales: Scales) -> Vec<UnsupportedGroup> {
    loop {
        let changes = flatten::sink(graph)
            + flatten::absorb(graph, &mut scales)
            // What it recognises must not have gone into weights yet.
            + activation::hard_swish(graph)
            + activation::gelu(graph)
            + affine::fold(graph)
            + activation::absorb(graph)
            + quantised::settle(graph);
        if changes == 0 {
            break;
        }
        passes::remove_dead(graph);
    }
    let mut obstacles = Vec::new();
    if quantised::is_quantised(graph) {
        obstacles = quantised::make(graph, &scales);
        passes::canonicalise(graph);
        // Weights now meet the movements directly.
        flatten::absorb(graph, &mut scales);
    }
    passes::canonicalise(graph);
    obstacles
}

/// Who writes and who reads each tensor, as it was before a pass began; a pass changes each operator once at most.
struct Flow {
    producers: Vec<Option<OpId>>,
    consumers: Vec<Vec<OpId>>,
    outputs: Vec<TensorId>,
}

impl Flow {
    fn of(graph: &Graph) -> Self {
        Self { producers: graph.producers(), consumers: graph.consumers(), outputs: graph.outputs.clone() }
    }

    /// The operator that writes a tensor which one operator reads, once, and nothing else.
    fn sole(&self, tensor: TensorId) -> Option<OpId> {
        let once = self.consumers[tensor.index()].len() == 1 && !self.outputs.contains(&tensor);
        self.producers[tensor.index()].filter(|_| once)
    }

    /// The only operator that reads a tensor, if it is no output.
    fn reader(&self, tensor: TensorId) -> Option<OpId> {
        match self.consumers[tensor.index()][..] {
            [reader] if !self.outputs.contains(&tensor) => Some(reader),
            _ => None,
        }
    }
}
