//! Running graphs.
#![allow(dead_code, reason = "each test file uses a part")]

use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::{ElementType, Graph};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_synthetic::Random;

/// Bytes for every input: uniform integers, or floats between -1 and 1.
pub fn inputs(graph: &Graph, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let tensor = |t: &smidgen_ir::TensorId| {
        let tensor = graph.tensor(*t);
        match tensor.element() {
            ElementType::Float32 => {
                (0..tensor.shape.elements()).flat_map(|_| ((random.unit() * 2.0 - 1.0) as f32).to_le_bytes()).collect()
            }
            _ => (0..tensor.bytes()).map(|_| random.bits() as u8).collect::<Vec<u8>>(),
        }
    };
    graph.inputs.iter().map(tensor).collect()
}

/// All outputs.
pub fn run(graph: &Graph, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let name = &graph.name;
    let lowered = lower(graph, &LowerOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut executor = Executor::new(certify(layer_wise(&lowered)).unwrap_or_else(|error| panic!("{name}: {error}")));
    for (i, bytes) in inputs.iter().enumerate() {
        executor.set_input(i, bytes).unwrap();
    }
    executor.run();
    (0..graph.outputs.len()).map(|i| executor.output(i).to_vec()).collect()
}

/// How many different bytes there are.
pub fn distinct(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    bytes.iter().for_each(|&b| seen[usize::from(b)] = true);
    seen.iter().filter(|&&s| s).count()
}

/// The graph with every tensor that an operator writes as an output.
pub fn expose(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    graph.outputs = graph.operators.iter().flat_map(|o| o.outputs.clone()).collect();
    graph
}
