//! FULLY_CONNECTED.

use super::{Decoded, WIDE, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, unsupported};
use crate::schema::fully_connected;
use crate::support::Builtin;
use crate::write::options::{Options, activation};
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::Int16;
use smidgen_ir::{Activation, Op};

builtins! {
    FullyConnected = "FULLY_CONNECTED" {
        types: WIDE,
        remarks: "constant weights, per tensor or per channel, integers on float32 too; optional bias; fused activation",
        options: 8,
        version: version,
        read: read,
    }
}

fn version(s: &Signature<'_>) -> i32 {
    if s.x() == Int16 {
        return 7;
    }
    let keeps = matches!(s.options, Options::FullyConnected { keep_num_dims: true, .. });
    s.weights([4, 10, 3, 12]).max(if keeps { 5 } else { 1 }).max(if s.inputs.len() == 2 { 6 } else { 1 })
}

fn read(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=3, 1)?;
    if call.option(fully_connected::weights_format)?.unwrap_or(0) != 0 {
        return unsupported("its weights are stored shuffled", "convert the network with default weights");
    }
    let op = Op::FullyConnected {
        keep_num_dims: call.flag(fully_connected::keep_num_dims)?,
        asymmetric_quantize_inputs: call.flag(fully_connected::asymmetric_quantize_inputs)?,
        activation: call.activation(fully_connected::activation)?,
    };
    let used = call.weighted(&op, [0, 1, 2])?;
    Ok((op, used))
}

pub(super) fn write(
    writer: &mut Writer<'_, '_>,
    keep_num_dims: bool,
    asymmetric_quantize_inputs: bool,
    fused: Activation,
) -> Result<Written, WriteError> {
    let activation = activation(fused);
    let options = Options::FullyConnected { activation, keep_num_dims, asymmetric_quantize_inputs };
    writer.with(Builtin::FullyConnected, options)
}
