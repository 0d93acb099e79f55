//! TRANSPOSE.

use super::{Decoded, MOVE, Written, builtins};
use crate::error::WriteError;
use crate::read::MAX_RANK;
use crate::read::call::{Call, Trouble, axis, odd};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::{Bool, Int8, Int16};
use smidgen_ir::Op;

builtins! {
    Transpose = "TRANSPOSE" {
        types: MOVE,
        remarks: "constant permutation",
        options: 0,
        version: version,
        read: read,
    }
}

fn version(s: &Signature<'_>) -> i32 {
    match s.shape(0).len() {
        6.. => 6,
        5 if s.x() != Int16 => 4,
        _ => s.by_type(s.x(), &[(Int8, 2), (Bool, 3), (Int16, 5)]),
    }
}

fn read(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let rank = call.data(0)?.shape.len();
    let listed = call.parameter(1, "permutation", MAX_RANK)?;
    let perm = listed.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = [false; MAX_RANK];
    if perm.len() != rank || perm.iter().any(|&a| std::mem::replace(&mut seen[a], true)) {
        return odd(format!("{listed:?} does not permute {rank} dimensions"));
    }
    Ok((Op::Transpose { perm }, vec![call.index(0)?]))
}

pub(super) fn write(writer: &mut Writer<'_, '_>, perm: &[usize]) -> Result<Written, WriteError> {
    let perm = writer.ints(perm.iter().copied())?;
    let perm = writer.parameter("permutation", &perm)?;
    Ok((Builtin::Transpose, writer.and(perm), Options::None))
}
