//! Folding constants with the very kernels that would compute them at run time.

use crate::executor::Executor;
use smidgen_certify::certify;
use smidgen_ir::{Graph, Op, Tensor, passes};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;

/// Replaces the outputs of operators that read only constants by constants; the count of those operators. One that no kernel
/// computes stays, and so does what would add too much: see [`smidgen_ir::passes::fold_constants`]. The graph must be valid.
pub fn fold_constants(graph: &mut Graph, options: &LowerOptions) -> usize {
    passes::fold_constants(graph, |alone| {
        if alone.operators[0].op == Op::Dequantize {
            return Some(vec![real(alone.tensor(alone.operators[0].inputs[0]))?]);
        }
        let program = layer_wise(&lower(alone, options).ok()?);
        let mut executor = Executor::new(certify(program).ok()?);
        executor.run();
        Some((0..alone.outputs.len()).map(|i| executor.output(i).to_vec()).collect())
    })
}

/// The real numbers, as float32, for which a constant's integers stand. Only constants are quantised per channel or to four
/// bits, so no kernel reads those.
fn real(tensor: &Tensor) -> Option<Vec<u8>> {
    Some(tensor.reals()?.into_iter().flat_map(|real| (real as f32).to_le_bytes()).collect())
}
