//! Comparisons and logic, SELECT_V2, CAST; and BATCH_MATMUL.

use super::{Decoded, NARROW, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, unsupported};
use crate::schema::batch_matmul;
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
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

pub(super) fn write_batch_matmul(writer: &mut Writer<'_, '_>, adjoint: [bool; 2]) -> Result<Written, WriteError> {
    writer.with(Builtin::BatchMatmul, Options::BatchMatmul { adjoint })
}
