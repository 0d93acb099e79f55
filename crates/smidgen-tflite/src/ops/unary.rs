//! Element-wise functions of one operand.

use super::{COMPUTE, Decoded, FLOAT, NARROW, Row, SIGNED, WIDE, Written, builtins, float, one};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, odd};
use crate::schema::{gelu, leaky_relu as leaky_relu_options};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::{Int8, Int16};
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
        types: SIGNED,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 2)]),
        read: |call| one(call, Op::Unary(UnaryKind::Exp)),
    }
    Log = "LOG" {
        types: SIGNED,
        remarks: "",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 2)]),
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
    /// A function without parameters.
    pub(crate) const fn function(function: Function) -> Self {
        Self::named(names(function).0)
    }
}

/// The row of a function without parameters.
pub(super) fn function_row(function: Function) -> Row {
    let builtin = Builtin::function(function);
    let traits = Op::Unary(UnaryKind::Function(function)).traits();
    let types = match (traits.int8, traits.int16) {
        (_, true) => SIGNED,
        (true, false) => NARROW,
        (false, false) => FLOAT,
    };
    let (remarks, options) = match function {
        Function::Gelu => ("by the error function, or by TANH", 116),
        _ => ("", 0),
    };
    let version: fn(&Signature<'_>) -> i32 = match function {
        Function::Gelu => |s| s.by_type(s.x(), &[(Int16, 2)]),
        _ => |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
    };
    Row { builtin, types, remarks, options, version, read: read_function }
}

fn read_function(call: &Call<'_>) -> Result<Decoded, Trouble> {
    match tflite_function(call.builtin.name()) {
        Some(Function::Gelu) if call.flag(gelu::approximate)? => {
            one(call, Op::Unary(UnaryKind::Function(Function::GeluTanh)))
        }
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
        UnaryKind::Function(Function::GeluTanh) => {
            writer.with(Builtin::function(Function::Gelu), Options::Gelu { approximate: true })
        }
        UnaryKind::Function(function) if !in_tflite(function) => Err(writer.fail("the format has no such operator")),
        UnaryKind::Function(function) => writer.plain(Builtin::function(function)),
    }
}
