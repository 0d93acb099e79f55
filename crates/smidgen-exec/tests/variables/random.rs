//! Random networks with variables.

use smidgen_ir::{Graph, Tensor, TensorId, Variable};
use smidgen_synthetic::{Random, RandomGraphOptions, random_graph};

/// A random network in which some operators read what an earlier inference left in place of what this one computes.
/// Variables hold next what is computed, given, constant, or what they or others held before; some of it is an output
/// of the network too.
pub fn with_variables(seed: u64) -> Graph {
    let mut graph = random_graph(seed, &RandomGraphOptions::default());
    let mut random = Random::new(seed ^ 0x7661_7273);
    let count = 1 + random.below(3);
    let activations: Vec<TensorId> =
        graph.sources().chain(graph.operators.iter().flat_map(|o| o.outputs.clone())).collect();
    for k in 0..count {
        let like = activations[random.below(activations.len())];
        let Tensor { shape, dtype, .. } = graph.tensor(like).clone();
        let value = graph.add_tensor(Tensor::activation(format!("v{k}"), shape.clone(), dtype.clone()));
        for operator in &mut graph.operators {
            for input in operator.inputs.iter_mut().filter(|input| **input == like) {
                if random.below(2) == 0 {
                    *input = value;
                }
            }
        }
        let bytes = graph.tensor(value).bytes();
        let constant = Tensor::constant(
            format!("c{k}"),
            shape.clone(),
            dtype.clone(),
            (0..bytes).map(|_| random.below(100) as u8).collect::<Vec<_>>(),
        );
        let constant = graph.add_tensor(constant);
        let alike = |&id: &TensorId| graph.tensor(id).shape == shape && graph.tensor(id).dtype == dtype;
        let held: Vec<TensorId> = graph.variables.iter().map(|v| v.value).filter(alike).collect();
        let computed: Vec<TensorId> = activations.iter().copied().filter(alike).collect();
        let next = match random.below(8) {
            0 => constant,
            1 => value,
            2 | 3 if !held.is_empty() => held[random.below(held.len())],
            _ => computed[random.below(computed.len())],
        };
        let initial = (random.below(2) == 0).then_some(constant);
        graph.variables.push(Variable { value, next, initial });
        // Swapped or turned: an earlier one then holds next what this one held.
        if random.below(4) == 0
            && let Some(&other) = held.first()
            && let Some(earlier) = graph.variables.iter_mut().find(|v| v.value == other)
        {
            earlier.next = value;
        }
        if random.below(4) == 0 {
            graph.outputs.push(value);
        }
        if random.below(4) == 0 {
            graph.outputs.push(next);
        }
    }
    graph
}
