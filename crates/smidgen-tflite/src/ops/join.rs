//! CONCATENATION and PACK.

use super::{Decoded, MOVE, Written, all, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, axis, malformed, unsupported};
use crate::schema::{concatenation as concatenation_options, pack as pack_options};
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::{Options, activation};
use smidgen_ir::ElementType::{self, Int8, Int16};
use smidgen_ir::{Activation, Op};

builtins! {
    Concatenation = "CONCATENATION" {
        types: MOVE,
        remarks: "any axis; fused activation on float32 only",
        options: 10,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
        read: concatenation,
    }
    Pack = "PACK" {
        types: MOVE,
        remarks: "any axis",
        options: 59,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
        read: pack,
    }
}

fn concatenation(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(1..=usize::MAX, 1)?;
    let rank = call.data(0)?.shape.len();
    let op = Op::Concatenation {
        axis: axis(call.number(concatenation_options::axis, 0)?.into(), rank)?,
        activation: call.activation(concatenation_options::activation)?,
    };
    if let Op::Concatenation { activation, .. } = &op
        && *activation != Activation::None
        && call.input(0)?.element() != ElementType::Float32
    {
        return unsupported("a fused activation on an integer concatenation", "use a separate operator");
    }
    Ok((op, all(call)?))
}

pub(super) fn write_concatenation(
    writer: &mut Writer<'_, '_>,
    axis: usize,
    fused: Activation,
) -> Result<Written, WriteError> {
    let options = Options::Concatenation { axis: writer.int(axis)?, activation: activation(fused) };
    writer.with(Builtin::Concatenation, options)
}

fn pack(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(1..=usize::MAX, 1)?;
    let stated = call.number(pack_options::values_count, 0)?;
    if usize::try_from(stated) != Ok(call.inputs.len()) {
        return malformed(format!("it packs {stated} values but has {} inputs", call.inputs.len()));
    }
    let axis = axis(call.number(pack_options::axis, 0)?.into(), call.data(0)?.shape.len() + 1)?;
    Ok((Op::Pack { axis }, all(call)?))
}

pub(super) fn write_pack(writer: &mut Writer<'_, '_>, axis: usize) -> Result<Written, WriteError> {
    let options = Options::Pack { values: writer.int(writer.inputs.len())?, axis: writer.int(axis)? };
    writer.with(Builtin::Pack, options)
}
