//! Arithmetic of two operands, and PRELU.

use super::{COMPUTE, Decoded, NARROW, WIDE, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, unsupported};
use crate::schema::arithmetic;
use crate::support::Builtin;
use crate::write::options::{Options, activation};
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::{self, Int8};
use smidgen_ir::{Activation, BinaryKind, Op, power_of_two};

builtins! {
    Add = "ADD" {
        types: WIDE,
        remarks: "broadcasting; fused activation",
        options: 11,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| binary(call, BinaryKind::Add),
    }
    Sub = "SUB" {
        types: WIDE,
        remarks: "broadcasting; fused activation",
        options: 28,
        version: wide_broadcast,
        read: |call| binary(call, BinaryKind::Sub),
    }
    Mul = "MUL" {
        types: WIDE,
        remarks: "broadcasting; fused activation",
        options: 21,
        version: mul_version,
        read: |call| binary(call, BinaryKind::Mul),
    }
    Div = "DIV" {
        types: NARROW,
        remarks: "broadcasting; fused activation",
        options: 29,
        version: |_| 1,
        read: |call| binary(call, BinaryKind::Div),
    }
    Minimum = "MINIMUM" {
        types: WIDE,
        remarks: "broadcasting",
        options: 0,
        version: wide_broadcast,
        read: |call| binary(call, BinaryKind::Minimum),
    }
    Maximum = "MAXIMUM" {
        types: WIDE,
        remarks: "broadcasting",
        options: 0,
        version: wide_broadcast,
        read: |call| binary(call, BinaryKind::Maximum),
    }
    SquaredDifference = "SQUARED_DIFFERENCE" {
        types: NARROW,
        remarks: "broadcasting; of float32 SUB, and MUL of the difference with itself",
        options: 0,
        version: |s| s.by_type(s.x(), &[(Int8, 2)]),
        read: |call| binary(call, BinaryKind::SquaredDifference),
    }
    Prelu = "PRELU" {
        types: COMPUTE,
        remarks: "constant alpha, broadcasting",
        options: 0,
        version: |_| 1,
        read: prelu,
    }
}

fn wide_broadcast(s: &Signature<'_>) -> i32 {
    let (a, b) = (s.shape(0), s.shape(1));
    if a != b && a.len().max(b.len()) > 4 { 3 } else { s.by_type(s.x(), &[(Int8, 2)]) }
}

fn mul_version(s: &Signature<'_>) -> i32 {
    let factor = s.scale(0) * s.scale(1) / s.output_scale().max(1e-300);
    if factor >= 1.0 { 3 } else { s.by_type(s.x(), &[(Int8, 2)]) }
}

fn binary(call: &Call<'_>, kind: BinaryKind) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    call.data(0)?;
    call.data(1)?;
    let activation = match kind.takes_activation() {
        true => call.activation(arithmetic::activation)?,
        false => Activation::None,
    };
    if matches!(kind, BinaryKind::Add | BinaryKind::Sub) && call.option(arithmetic::pot_scale_int16)?.unwrap_or(true) {
        powers_of_two(call)?;
    }
    Ok((Op::Binary { kind, activation }, vec![call.index(0)?, call.index(1)?]))
}

/// ADD and SUB of int16 with scales that are different powers of two, in files that ask for it: there the reference
/// rounds an operand alone, where it otherwise rounds the sum.
fn powers_of_two(call: &Call<'_>) -> Result<(), Trouble> {
    let exponents = [call.input(0)?, call.input(1)?, call.output(0)].map(|source| {
        let dtype = source.dtype.as_ref().ok().filter(|dtype| dtype.element() == ElementType::Int16)?;
        power_of_two(dtype.quantisation()?.per_tensor()?.0)
    });
    let [Some(a), Some(b), Some(y)] = exponents else { return Ok(()) };
    if a == y && b == y {
        return Ok(());
    }
    unsupported(
        "its scales are different powers of two, and pot_scale_int16 is not false",
        "use a converter since TensorFlow 2.3, which sets it to false",
    )
}

pub(super) fn write(writer: &mut Writer<'_, '_>, kind: BinaryKind, fused: Activation) -> Result<Written, WriteError> {
    let sum = matches!(kind, BinaryKind::Add | BinaryKind::Sub);
    let activation = activation(fused);
    let options = match writer.input(0)?.element() {
        ElementType::Int16 if sum => Options::WideSum { activation },
        _ => Options::Arithmetic { activation },
    };
    match kind {
        BinaryKind::Add => writer.with(Builtin::Add, options),
        BinaryKind::Sub => writer.with(Builtin::Sub, options),
        BinaryKind::Mul => writer.with(Builtin::Mul, options),
        BinaryKind::Div => writer.with(Builtin::Div, options),
        BinaryKind::Minimum => writer.plain(Builtin::Minimum),
        BinaryKind::Maximum => writer.plain(Builtin::Maximum),
        BinaryKind::SquaredDifference => writer.plain(Builtin::SquaredDifference),
    }
}

fn prelu(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    call.data(0)?;
    call.data(1)?;
    call.constant(1, "alpha")?;
    Ok((Op::Prelu, vec![call.index(0)?, call.index(1)?]))
}
