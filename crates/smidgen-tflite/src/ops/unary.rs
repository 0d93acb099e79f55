//! Element-wise functions of one operand.

use super::{COMPUTE, Decoded, FLOAT, NARROW, Row, WIDE, Written, builtins, float, one};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, odd};
use crate::schema::leaky_relu as leaky_relu_options;
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::ElementType::Int8;
use smidgen_ir::names::{in_tflite, names, tflite_function};
use smidgen_ir::{Function, Op, UnaryKind};

builtins! {
    Logistic = "LOGISTIC" {
        types: WIDE,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Logistic)),
    }
    Tanh = "TANH" {
        types: WIDE,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Tanh)),
    }
    Relu = "RELU" {
        types: WIDE,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Relu)),
    }
    ReluN1To1 = "RELU_N1_TO_1" {
        types: COMPUTE,
        remarks: "",
        options: 0,
        version: |_| 1,
        read: |call| one(call, Op::Unary(UnaryKind::ReluN1To1)),
    }
    Relu6 = "RELU6" {
        types: WIDE,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Relu6)),
    }
    HardSwish = "HARD_SWISH" {
        types: COMPUTE,
        remarks: "",
        options: 0,
        version: |_| 1,
        read: |call| one(call, Op::Unary(UnaryKind::HardSwish)),
    }
    Exp = "EXP" {
        types: NARROW,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Exp)),
    }
    Log = "LOG" {
        types: NARROW,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Log)),
    }
    LeakyRelu = "LEAKY_RELU" {
        types: WIDE,
        remarks: "",
        options: 75,
        version: |_| 1,
        read: leaky_relu,
    }
}

impl Builtin {
    /// A function of one float32.
    pub(crate) const fn function(function: Function) -> Self {
        Self::named(names(function).0)
    }
}

/// The row of a function of one float32.
pub(super) fn function_row(function: Function) -> Row {
    let builtin = Builtin::function(function);
    let (remarks, options) = match function {
        Function::Gelu => ("by the error function; the approximate form becomes MUL, ADD and TANH", 116),
        _ => ("", 0),
    };
    Row { builtin, types: FLOAT, remarks, options, version: |_| 1, read: read_function }
}

fn read_function(call: &Call<'_>) -> Result<Decoded, Trouble> {
    match tflite_function(call.builtin.name()) {
        Some(function) => one(call, Op::Unary(UnaryKind::Function(function))),
        None => odd("it is no function that smidgen knows"),
    }
}

fn leaky_relu(call: &Call<'_>) -> Result<Decoded, Trouble> {
    one(call, Op::Unary(UnaryKind::LeakyRelu { alpha: float(call, leaky_relu_options::alpha)? }))
}

pub(super) fn write(writer: &mut Writer<'_, '_>, kind: UnaryKind) -> Result<Written, WriteError> {
    match kind {
        UnaryKind::Logistic => writer.plain(Builtin::Logistic),
        UnaryKind::Tanh => writer.plain(Builtin::Tanh),
        UnaryKind::Relu => writer.plain(Builtin::Relu),
        UnaryKind::ReluN1To1 => writer.plain(Builtin::ReluN1To1),
        UnaryKind::Relu6 => writer.plain(Builtin::Relu6),
        UnaryKind::LeakyRelu { alpha } => writer.with(Builtin::LeakyRelu, Options::LeakyRelu { alpha }),
        UnaryKind::HardSwish => writer.plain(Builtin::HardSwish),
        UnaryKind::Exp => writer.plain(Builtin::Exp),
        UnaryKind::Log => writer.plain(Builtin::Log),
        UnaryKind::Function(function) if !in_tflite(function) => Err(writer.fail("the format has no such operator")),
        UnaryKind::Function(function) => writer.plain(Builtin::function(function)),
    }
}
