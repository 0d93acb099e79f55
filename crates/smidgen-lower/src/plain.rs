//! Comparisons, SELECT_V2, CAST and BATCH_MATMUL. All but CAST take tensors whole, with any broadcast.

use super::builder::Builder;
use super::convert::stored;
use super::elementwise::{broadcast_strides, dims, met, push_one, push_whole, strides, walked};
use super::error::Refusal;
use smidgen_ir::{CompareKind, ElementType, Operator};
use smidgen_kernels::plain;
use smidgen_program::kernel;
use smidgen_program::kernel::{Broadcast, Kernel};

pub(super) fn compare(builder: &mut Builder, operator: &Operator, kind: CompareKind) -> Result<(), Refusal> {
    let ids = [operator.inputs[0], operator.inputs[1]];
    let (broadcast, footprint) = met(builder, operator, ids)?;
    let from = stored(builder.tensor(ids[0]))?;
    let function = match kind {
        CompareKind::Equal => plain::Compare::Equal,
        CompareKind::NotEqual => plain::Compare::NotEqual,
        CompareKind::Less => plain::Compare::Less,
        CompareKind::LessEqual => plain::Compare::LessEqual,
        CompareKind::Greater => plain::Compare::Greater,
        CompareKind::GreaterEqual => plain::Compare::GreaterEqual,
        CompareKind::And => plain::Compare::And,
        CompareKind::Or => plain::Compare::Or,
    };
    push_whole(builder, operator, Kernel::Compare(kernel::Compare { function, from, broadcast }), footprint);
    Ok(())
}

pub(super) fn select(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let ids = [operator.inputs[0], operator.inputs[1], operator.inputs[2]];
    let (broadcast, footprint) = met(builder, operator, ids)?;
    let element = builder.tensor(ids[1]).element();
    if element == ElementType::Int4 {
        return Err(Refusal(format!("`{}` is {element}, of less than a byte", builder.tensor(ids[1]).name)));
    }
    push_whole(builder, operator, Kernel::Select(kernel::Select { element, broadcast }), footprint);
    Ok(())
}

pub(super) fn cast(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let (from, to) = (stored(builder.tensor(operator.inputs[0]))?, stored(builder.tensor(operator.outputs[0]))?);
    push_one(builder, operator, Kernel::Cast(kernel::Cast { from, to }), vec![]);
    Ok(())
}

pub(super) fn matmul(builder: &mut Builder, operator: &Operator, adjoint: [bool; 2]) -> Result<(), Refusal> {
    let dims = dims(builder, operator)?;
    let rank = dims.len();
    let mut depth = 1;
    let (mut all, mut steps) = ([const { Vec::new() }; 2], [0; 2]);
    for (i, &id) in operator.inputs.iter().enumerate() {
        let own = builder.tensor(id).shape.dims();
        let mut stride = broadcast_strides(own, rank);
        let matrix = strides(&own[own.len() - 2..]);
        let [rows, cols] = if adjoint[i] { [matrix[1], matrix[0]] } else { [matrix[0], matrix[1]] };
        // Rows of the first and columns of the second are the output's; over the other axis it is summed.
        (stride[rank - 2], stride[rank - 1], steps[i]) = if i == 0 { (rows, 0, cols) } else { (0, cols, rows) };
        if i == 0 {
            depth = own[own.len() - if adjoint[0] { 2 } else { 1 }];
        }
        all[i] = stride;
    }
    let length = |i: usize| (depth.saturating_sub(1) as isize * steps[i]) as usize + 1;
    let footprint = (0..2).map(|i| walked(&dims, 0, &all[i], length(i))).collect();
    let broadcast = Broadcast { dims, strides: all };
    push_whole(builder, operator, Kernel::MatmulF32(kernel::MatmulF32 { broadcast, depth, steps }), footprint);
    Ok(())
}
