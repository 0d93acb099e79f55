//! SOFTMAX, L2_NORMALIZATION and LOG_SOFTMAX.

use super::{Decoded, NARROW, WIDE, Written, builtins, float, one};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, unsupported};
use crate::schema::{l2_norm, softmax};
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::ElementType::Int8;
use smidgen_ir::{Activation, NormaliseKind, Op};

builtins! {
    Softmax = "SOFTMAX" {
        types: WIDE,
        remarks: "over the last axis; beta",
        options: 9,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: read,
    }
    L2Normalization = "L2_NORMALIZATION" {
        types: NARROW,
        remarks: "over the last axis; of float32 the vector divided by the root of the sum of its squares",
        options: 12,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: l2_normalization,
    }
    LogSoftmax = "LOG_SOFTMAX" {
        types: NARROW,
        remarks: "over the last axis; of float32 by EXP, SUM and LOG of what is left of the greatest element",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Normalise(NormaliseKind::LogSoftmax)),
    }
}

fn l2_normalization(call: &Call<'_>) -> Result<Decoded, Trouble> {
    if call.activation(l2_norm::activation)? != Activation::None {
        return unsupported("it has a fused activation", "let the activation be an operator of its own");
    }
    one(call, Op::Normalise(NormaliseKind::L2))
}

fn read(call: &Call<'_>) -> Result<Decoded, Trouble> {
    one(call, Op::Softmax { beta: float(call, softmax::beta)? })
}

pub(super) fn write(writer: &mut Writer<'_, '_>, beta: f32) -> Result<Written, WriteError> {
    writer.with(Builtin::Softmax, Options::Softmax { beta })
}

pub(super) fn write_normalise(writer: &mut Writer<'_, '_>, kind: NormaliseKind) -> Result<Written, WriteError> {
    writer.plain(match kind {
        NormaliseKind::L2 => Builtin::L2Normalization,
        NormaliseKind::LogSoftmax => Builtin::LogSoftmax,
    })
}
