//! SOFTMAX.

use super::{Decoded, WIDE, Written, builtins, float, one};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble};
use crate::schema::softmax;
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::ElementType::Int8;
use smidgen_ir::Op;

builtins! {
    Softmax = "SOFTMAX" {
        types: WIDE,
        remarks: "over the last axis; beta",
        options: 9,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: read,
    }
}

fn read(call: &Call<'_>) -> Result<Decoded, Trouble> {
    one(call, Op::Softmax { beta: float(call, softmax::beta)? })
}

pub(super) fn write(writer: &mut Writer<'_, '_>, beta: f32) -> Result<Written, WriteError> {
    writer.with(Builtin::Softmax, Options::Softmax { beta })
}
