//! Comparisons and logic, SELECT_V2, GATHER, CAST; and BATCH_MATMUL.

use super::{Decoded, MOVE, NARROW, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, axis, malformed, unsupported};
use crate::schema::{batch_matmul, gather};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::{self, Bool, Float32, Int8, Int16, Int32, Int64, Uint8};
use smidgen_ir::{CompareKind, DataType, Op};

/// Types of which it is asked whether they are the same.
const ANY: &[ElementType] = &[Int8, Float32, Int32, Int64, Bool];
/// Types that have an order.
const NUMBERS: &[ElementType] = &[Int8, Float32, Int32, Int64];
/// Types that SELECT_V2 chooses among.
const CHOSEN: &[ElementType] = &[Int8, Int16, Float32, Int32, Int64, Bool];
/// What SELECT and SELECT_V2 say of operands of different types, and what to do.
pub(crate) const UNLIKE: (&str, &str) =
    ("what it chooses among has different types, scales or zero points", "put QUANTIZE to one of them before it");
/// Types of what holds or does not.
const TRUTH: &[ElementType] = &[Bool];
/// Types that CAST converts.
const CONVERTED: &[ElementType] = &[Float32, Int32, Int64, Bool, Uint8];

builtins! {
    Equal = "EQUAL" {
        types: ANY,
        remarks: "broadcasting",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| compare(call, CompareKind::Equal),
    }
    NotEqual = "NOT_EQUAL" {
        types: ANY,
        remarks: "broadcasting",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| compare(call, CompareKind::NotEqual),
    }
    Less = "LESS" {
        types: NUMBERS,
        remarks: "broadcasting",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| compare(call, CompareKind::Less),
    }
    LessEqual = "LESS_EQUAL" {
        types: NUMBERS,
        remarks: "broadcasting",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| compare(call, CompareKind::LessEqual),
    }
    Greater = "GREATER" {
        types: NUMBERS,
        remarks: "broadcasting",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| compare(call, CompareKind::Greater),
    }
    GreaterEqual = "GREATER_EQUAL" {
        types: NUMBERS,
        remarks: "broadcasting",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| compare(call, CompareKind::GreaterEqual),
    }
    LogicalAnd = "LOGICAL_AND" {
        types: TRUTH,
        remarks: "broadcasting",
        options: 0,
        version: |_| 1,
        read: |call| compare(call, CompareKind::And),
    }
    LogicalOr = "LOGICAL_OR" {
        types: TRUTH,
        remarks: "broadcasting",
        options: 0,
        version: |_| 1,
        read: |call| compare(call, CompareKind::Or),
    }
    SelectV2 = "SELECT_V2" {
        types: CHOSEN,
        remarks: "broadcasting",
        options: 0,
        version: |_| 1,
        read: select,
    }
    Gather = "GATHER" {
        types: MOVE,
        remarks: "indices of int16, int32 or int64, which may be computed when the network runs",
        options: 23,
        version: gather_version,
        read: read_gather,
    }
    Cast = "CAST" {
        types: CONVERTED,
        remarks: "to these types",
        options: 0,
        version: |_| 1,
        read: cast,
    }
    BatchMatmul = "BATCH_MATMUL" {
        types: NARROW,
        remarks: "broadcasting",
        options: 101,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: read_batch_matmul,
    }
}

/// An operator on so many tensors that are not quantised.
fn plain(call: &Call<'_>, inputs: usize, op: Op) -> Result<Decoded, Trouble> {
    call.arity(inputs..=inputs, 1)?;
    for i in 0..inputs {
        let source = call.data(i)?;
        if matches!(source.dtype, Ok(DataType::Quantised(..))) {
            return unsupported("it takes integers that are quantised", "put DEQUANTIZE before it");
        }
    }
    Ok((op, (0..inputs).map(|i| call.index(i)).collect::<Result<_, _>>()?))
}

fn compare(call: &Call<'_>, kind: CompareKind) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let [a, b] = [call.data(0)?, call.data(1)?].map(|source| source.element() == Int8);
    match a && b {
        true => Ok((Op::Compare(kind), vec![call.index(0)?, call.index(1)?])),
        false => plain(call, 2, Op::Compare(kind)),
    }
}

fn select(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(3..=3, 1)?;
    call.data(0)?;
    let [a, b] = [call.data(1)?, call.data(2)?];
    if !(a.is_like(b) && a.is_like(call.output(0))) {
        return unsupported(UNLIKE.0, UNLIKE.1);
    }
    Ok((Op::Select, (0..3).map(|i| call.index(i)).collect::<Result<_, _>>()?))
}

fn cast(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let decoded = plain(call, 1, Op::Cast)?;
    let output = call.output(0);
    if !CONVERTED.contains(&output.element()) || matches!(output.dtype, Ok(DataType::Quantised(..))) {
        return unsupported(
            format!("it converts to {}", output.element()),
            "convert to float32, int32, int64, bool or uint8",
        );
    }
    Ok(decoded)
}

fn gather_version(s: &Signature<'_>) -> i32 {
    match s.options {
        _ if s.element(1) == Int16 => 7,
        Options::Gather { batch: 1.., .. } => 5,
        _ => s.by_type(s.x(), &[(Int8, 2), (Bool, 3), (Int16, 4)]),
    }
}

fn read_gather(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let (table, indices) = (call.data(0)?, call.input(1)?);
    let (rank, count) = (table.shape.len(), indices.shape.len());
    let batch = call.number(gather::batch_dims, 0)?;
    let from_end = if batch < 0 { batch.saturating_add(count as i32) } else { batch };
    let axis = axis(call.number(gather::axis, 0)?.into(), rank)?;
    let batch = usize::try_from(from_end).ok().filter(|&batch| batch <= axis.min(count));
    let Some(batch) = batch else {
        return malformed(format!("it has {from_end} batch dimensions in front of axis {axis}"));
    };
    if !matches!(indices.element(), Int16 | Int32 | Int64) {
        return unsupported(format!("its indices are {}", indices.element()), "let them be int32, by a CAST before it");
    }
    if !table.is_like(call.output(0)) {
        return unsupported("its output has another type or scale than its table", "put QUANTIZE behind it");
    }
    Ok((Op::Gather { axis, batch }, vec![call.index(0)?, call.index(1)?]))
}

fn read_batch_matmul(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let adjoint = [call.flag(batch_matmul::adj_x)?, call.flag(batch_matmul::adj_y)?];
    call.arity(2..=2, 1)?;
    Ok((Op::BatchMatmul { adjoint }, vec![call.index(0)?, call.index(1)?]))
}

pub(super) fn write_compare(writer: &mut Writer<'_, '_>, kind: CompareKind) -> Result<Written, WriteError> {
    writer.plain(match kind {
        CompareKind::Equal => Builtin::Equal,
        CompareKind::NotEqual => Builtin::NotEqual,
        CompareKind::Less => Builtin::Less,
        CompareKind::LessEqual => Builtin::LessEqual,
        CompareKind::Greater => Builtin::Greater,
        CompareKind::GreaterEqual => Builtin::GreaterEqual,
        CompareKind::And => Builtin::LogicalAnd,
        CompareKind::Or => Builtin::LogicalOr,
    })
}

pub(super) fn write_gather(writer: &mut Writer<'_, '_>, axis: usize, batch: usize) -> Result<Written, WriteError> {
    writer.with(Builtin::Gather, Options::Gather { axis: axis as i32, batch: batch as i32 })
}

pub(super) fn write_batch_matmul(writer: &mut Writer<'_, '_>, adjoint: [bool; 2]) -> Result<Written, WriteError> {
    writer.with(Builtin::BatchMatmul, Options::BatchMatmul { adjoint })
}
