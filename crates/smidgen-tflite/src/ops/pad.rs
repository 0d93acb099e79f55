//! PAD and PADV2.

use super::{Decoded, MOVE, Written, builtins, size};
use crate::error::WriteError;
use crate::read::MAX_RANK;
use crate::read::Source;
use crate::read::call::{Call, Trouble, malformed, unsupported};
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::ElementType::{self, Int8, Int16};
use smidgen_ir::{Op, PadValue};

builtins! {
    Pad = "PAD" {
        types: MOVE,
        remarks: "constant paddings",
        options: 0,
        version: |s| if s.shape(0).len() > 4 { 4 } else { s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]) },
        read: |call| pad(call, false),
    }
    PadV2 = "PADV2" {
        types: MOVE,
        remarks: "constant paddings and value",
        options: 0,
        version: |s| if s.shape(0).len() > 4 { 4 } else { s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]) },
        read: |call| pad(call, true),
    }
}

fn pad(call: &Call<'_>, v2: bool) -> Result<Decoded, Trouble> {
    // The reference pads with zeros where PADV2 has no value.
    call.arity(2..=if v2 { 3 } else { 2 }, 1)?;
    let x = call.data(0)?;
    let paddings = call.parameter(1, "paddings", 2 * MAX_RANK)?;
    if paddings.len() != 2 * x.shape.len() {
        let (found, rank) = (paddings.len(), x.shape.len());
        return malformed(format!("its paddings hold {found} numbers, where {rank} dimensions need {}", 2 * rank));
    }
    let pair = |p: &[i64]| Ok([size(p[0], "paddings")?, size(p[1], "paddings")?]);
    let pads = paddings.chunks_exact(2).map(pair).collect::<Result<_, Trouble>>()?;
    let value = if call.inputs.len() == 3 { pad_value(call, x)? } else { PadValue::Zero };
    Ok((Op::Pad { pads, value }, vec![call.index(0)?]))
}

fn pad_value(call: &Call<'_>, x: &Source) -> Result<PadValue, Trouble> {
    let source = call.constant(2, "value")?;
    let bytes = source.data.as_deref().unwrap_or_default();
    if source.element() != x.element() {
        return malformed(format!("its value is {}, its input {}", source.element(), x.element()));
    }
    Ok(match (source.element(), bytes) {
        (ElementType::Float32, &[a, b, c, d]) => PadValue::Float(f32::from_le_bytes([a, b, c, d])),
        (ElementType::Int8, &[a]) => PadValue::Integer((a as i8).into()),
        (ElementType::Uint8 | ElementType::Bool, &[a]) => PadValue::Integer(a.into()),
        (ElementType::Int16, &[a, b]) => PadValue::Integer(i16::from_le_bytes([a, b]).into()),
        (ElementType::Int32 | ElementType::Int64, _) => match source.integers().as_deref() {
            Some(&[value]) => match i32::try_from(value) {
                Ok(value) => PadValue::Integer(value),
                Err(_) => return unsupported("a padding value beyond 32 bits", "pad with a smaller value"),
            },
            _ => return malformed("its value is not a single element"),
        },
        _ => return malformed("its value is not a single element"),
    })
}

pub(super) fn write(writer: &mut Writer<'_, '_>, pads: &[[usize; 2]], value: PadValue) -> Result<Written, WriteError> {
    let paddings = writer.paddings(&writer.output()?.name, pads)?;
    let mut inputs = writer.and(paddings);
    match writer.pad_value(value)? {
        None => Ok((Builtin::Pad, inputs, Options::None)),
        Some(value) => {
            inputs.push(value);
            Ok((Builtin::PadV2, inputs, Options::None))
        }
    }
}
