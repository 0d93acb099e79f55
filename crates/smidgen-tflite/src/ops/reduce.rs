//! Reductions over axes: MEAN, SUM, REDUCE_MAX, REDUCE_MIN and ARG_MAX.

use super::{COMPUTE, Decoded, WIDE, Written, builtins};
use crate::error::WriteError;
use crate::read::MAX_RANK;
use crate::read::call::{Call, Trouble, axis, odd};
use crate::schema::{arg_max as arg_max_options, reducer};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{Writer, element_code};
use smidgen_ir::ElementType::{self, Int8, Int16};
use smidgen_ir::{Op, ReduceKind};

builtins! {
    Mean = "MEAN" {
        types: WIDE,
        remarks: "constant axes",
        options: 27,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| reduce(call, ReduceKind::Mean),
    }
    Sum = "SUM" {
        types: COMPUTE,
        remarks: "constant axes",
        options: 27,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| reduce(call, ReduceKind::Sum),
    }
    ReduceMax = "REDUCE_MAX" {
        types: WIDE,
        remarks: "constant axes",
        options: 27,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
        read: |call| reduce(call, ReduceKind::Max),
    }
    ReduceMin = "REDUCE_MIN" {
        types: WIDE,
        remarks: "constant axes",
        options: 27,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
        read: |call| reduce(call, ReduceKind::Min),
    }
    ArgMax = "ARG_MAX" {
        types: COMPUTE,
        remarks: "constant axis; output int32 or int64",
        options: 40,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: arg_max,
    }
}

fn reduce(call: &Call<'_>, kind: ReduceKind) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let rank = call.data(0)?.shape.len();
    let listed = call.parameter(1, "axes", 2 * MAX_RANK)?;
    if rank == 0 && !listed.is_empty() {
        return odd("it reduces a tensor without dimensions");
    }
    let mut axes = listed.into_iter().map(|a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    let keep_dims = call.flag(reducer::keep_dims)?;
    Ok((Op::Reduce { kind, axes, keep_dims }, vec![call.index(0)?]))
}

pub(super) fn write(
    writer: &mut Writer<'_, '_>,
    kind: ReduceKind,
    axes: &[usize],
    keep_dims: bool,
) -> Result<Written, WriteError> {
    let axes = writer.ints(axes.iter().copied())?;
    let axes = writer.parameter("axes", &axes)?;
    let builtin = match kind {
        ReduceKind::Mean => Builtin::Mean,
        ReduceKind::Sum => Builtin::Sum,
        ReduceKind::Max => Builtin::ReduceMax,
        ReduceKind::Min => Builtin::ReduceMin,
    };
    Ok((builtin, writer.and(axes), Options::Reducer { keep_dims }))
}

fn arg_max(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let rank = call.data(0)?.shape.len();
    let code = match call.output(0).element() {
        ElementType::Int32 => 2,
        ElementType::Int64 => 4,
        other => return odd(format!("its output is {other}; it can be int32 or int64")),
    };
    if let Some(stated) = call.option(arg_max_options::output_type)?.filter(|&stated| stated != code) {
        return odd(format!("its options give it an output of type {stated}, its output tensor {code}"));
    }
    Ok((Op::ArgMax { axis: axis(call.scalar(1, "axis")?, rank)? }, vec![call.index(0)?]))
}

pub(super) fn write_arg_max(writer: &mut Writer<'_, '_>, axis: usize) -> Result<Written, WriteError> {
    let axis = writer.scalar("axis", axis)?;
    let output_type = element_code(writer.output()?.element());
    Ok((Builtin::ArgMax, writer.and(axis), Options::ArgMax { output_type }))
}
