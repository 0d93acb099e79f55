//! Recurrent layers.

use super::builder::Builder;
use super::error::Refusal;
use super::quant;
use smidgen_ir::{Operator, RecurrentParams};
use smidgen_kernels::float::Recurrent;
use smidgen_program::footprint::{Granularity, WriteOrder};
use smidgen_program::kernel::{self, Kernel, KernelSpec, Pattern};
use smidgen_program::program::Step;

pub(super) fn recurrent(builder: &mut Builder, operator: &Operator, params: &RecurrentParams) -> Result<(), Refusal> {
    let [x, weights, state, bias] = [0, 1, 2, 3].map(|i| builder.tensor(operator.inputs[i]));
    let layer = Recurrent {
        cell: params.cell,
        sizes: params.sizes(&x.shape, &state.shape),
        time_major: params.time_major,
        reverse: params.reverse,
        clip: params.clip.unwrap_or(f32::INFINITY),
        initial: operator.inputs.len() > 4,
        outputs: params.outputs(),
    };
    let mut constants = Vec::new();
    for tensor in [weights, state, bias] {
        let values = quant::weights_f32(tensor)?;
        constants.push(builder.constant_f32(tensor.name.clone(), &values));
    }
    let kernel = kernel::RecurrentF32 { layer };
    let Pattern::Given { inputs, outputs, .. } = kernel.pattern() else {
        return Err(Refusal("a recurrent layer's operands are those that its kernel gives".into()));
    };
    let read = operator.inputs.iter().enumerate().filter(|(i, _)| !(1..4).contains(i));
    let read: Vec<_> = read.zip(&inputs).map(|((_, &id), taken)| builder.activation_as(id, taken.extent)).collect();
    let written = operator.outputs.iter().zip(&outputs).map(|(&id, &(_, extent))| builder.target_as(id, extent));
    let written = written.collect();
    let [batch, steps, ..] = layer.sizes;
    let products = weights.shape.elements() + state.shape.elements();
    // A step's output is written when all of it is computed, in whatever order the steps come, but for the last element
    // of all; that and the last states are written once everything has been read.
    let order = match (params.sequence, kernel::in_order(&layer)) {
        (true, true) => WriteOrder { granularity: Granularity::Row, reads_first: true },
        (true, false) => WriteOrder { granularity: Granularity::Run, reads_first: false },
        (false, _) => WriteOrder { granularity: Granularity::Run, reads_first: true },
    };
    builder.push(Step {
        inputs: read,
        outputs: written,
        constants,
        footprint: inputs.iter().map(|taken| taken.needed.footprint()).collect(),
        scratch_bytes: kernel.scratch(),
        macs: (batch * steps * products) as u64,
        ..Step::new(Kernel::RecurrentF32(kernel), order)
    });
    Ok(())
}
