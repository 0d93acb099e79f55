//! Our side: read, validate, lower, plan layer by layer, run.

use smidgen_certify::certify;
use smidgen_exec::{Executor, fold_constants};
use smidgen_ir::{ElementType, Graph, passes};
use smidgen_lower::{KernelSet, LowerOptions, lower};
use smidgen_plan::layer_wise;

/// The kernel sets that must agree with the reference.
pub const KERNEL_SETS: [KernelSet; 3] = [KernelSet::Reference, KernelSet::Fast, KernelSet::Mcu];

/// An executor of the layer-wise plan.
pub fn executor(graph: &Graph, kernels: KernelSet) -> Result<Executor, String> {
    let options = LowerOptions { kernels, ..LowerOptions::default() };
    let lowered = lower(graph, &options).map_err(|e| format!("lowering: {e}"))?;
    certify(layer_wise(&lowered)).map(Executor::new).map_err(|e| format!("certifier: {e}"))
}

/// The bytes of each output for each sample, or what went wrong.
pub fn run(graph: &Graph, kernels: KernelSet, samples: &[Vec<Vec<u8>>]) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let mut executor = executor(graph, kernels)?;
    let mut results = Vec::new();
    for sample in samples {
        for (i, input) in sample.iter().enumerate() {
            executor.set_input(i, input).map_err(|e| format!("input {i}: {e}"))?;
        }
        executor.run();
        results.push((0..graph.outputs.len()).map(|i| executor.output(i).to_vec()).collect());
    }
    Ok(results)
}

/// The graph after every pass that must keep its bytes, or `None` if they change nothing.
pub fn rewritten(graph: &Graph) -> Option<Graph> {
    let mut graph = graph.clone();
    let changes = passes::canonicalise(&mut graph) + fold_constants(&mut graph, &LowerOptions::default());
    (changes > 0).then_some(graph)
}

/// Validates a graph and writes it. One of uint8 is valid only once it is read as int8, which [`read`] validates.
pub fn write(graph: &Graph) -> Result<Vec<u8>, String> {
    if graph.tensors.iter().all(|tensor| tensor.element() != ElementType::Uint8) {
        smidgen_ir::validate(graph).map_err(|e| format!("validating what was generated: {e}"))?;
    }
    smidgen_tflite::write(graph).map_err(|e| format!("writing: {e}"))
}

/// Reads a file and validates what was read.
pub fn read(model: &[u8]) -> Result<Graph, String> {
    let graph = smidgen_tflite::read(model).map_err(|e| format!("reading: {e}"))?;
    smidgen_ir::validate(&graph).map_err(|e| format!("validating what was read: {e}"))?;
    Ok(graph)
}
