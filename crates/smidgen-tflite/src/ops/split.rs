//! SPLIT and UNPACK.

use super::{Decoded, MOVE, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, axis, malformed};
use crate::schema::{split as split_options, unpack as unpack_options};
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::ElementType::{Bool, Int8, Int16, Int32};
use smidgen_ir::Op;

builtins! {
    Split = "SPLIT" {
        types: MOVE,
        remarks: "constant axis",
        options: 35,
        version: |s| s.by_type(s.element(1), &[(Int8, 2), (Int32, 3), (Int16, 4)]),
        read: split,
    }
    Unpack = "UNPACK" {
        types: MOVE,
        remarks: "any axis",
        options: 64,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Bool, 3), (Int16, 4)]),
        read: unpack,
    }
}

fn split(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let parts = call.outputs.len();
    call.arity(2..=2, parts)?;
    let x = call.data(1)?;
    let stated = call.number(split_options::num_splits, 0)?;
    if usize::try_from(stated) != Ok(parts) {
        return malformed(format!("it splits into {stated} but has {parts} outputs"));
    }
    let axis = axis(call.scalar(0, "axis")?, x.shape.len())?;
    if parts == 0 || !x.shape[axis].is_multiple_of(parts) {
        return malformed(format!("the {} elements along axis {axis} do not divide by {parts}", x.shape[axis]));
    }
    Ok((Op::Split { axis, parts }, vec![call.index(1)?]))
}

pub(super) fn write_split(writer: &mut Writer<'_, '_>, axis: usize, parts: usize) -> Result<Written, WriteError> {
    let axis = writer.scalar("axis", axis)?;
    let inputs = [axis].into_iter().chain(writer.inputs.iter().copied()).collect();
    Ok((Builtin::Split, inputs, Options::Split { parts: writer.int(parts)? }))
}

fn unpack(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let parts = call.outputs.len();
    call.arity(1..=1, parts)?;
    let x = call.data(0)?;
    let axis = axis(call.number(unpack_options::axis, 0)?.into(), x.shape.len())?;
    let stated = call.number(unpack_options::num, 0)?;
    if usize::try_from(stated) != Ok(parts) || x.shape[axis] != parts {
        let along = x.shape[axis];
        return malformed(format!("it unpacks {stated} of {along} along axis {axis} but has {parts} outputs"));
    }
    Ok((Op::Unpack { axis }, vec![call.index(0)?]))
}

pub(super) fn write_unpack(writer: &mut Writer<'_, '_>, axis: usize) -> Result<Written, WriteError> {
    let options = Options::Unpack { values: writer.int(writer.outputs.len())?, axis: writer.int(axis)? };
    writer.with(Builtin::Unpack, options)
}
