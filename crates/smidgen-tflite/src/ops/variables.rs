//! What outlives an inference. The reader resolves these before it decodes operators; what is left of them is decoded
//! here.

use super::{Decoded, MOVE, builtins};
use crate::read::call::{Call, Trouble, caused};
use crate::read::cause::STATE;
use crate::support::Builtin;
use smidgen_ir::{Op, ReshapeKind};

builtins! {
    VarHandle = "VAR_HANDLE" {
        types: MOVE,
        remarks: "known by its container and shared name",
        options: 111,
        version: |_| 1,
        read: unresolved,
    }
    CallOnce = "CALL_ONCE" {
        types: MOVE,
        remarks: "of a subgraph that assigns constants to variables: their initial values",
        options: 103,
        version: |_| 1,
        read: unresolved,
    }
    ReadVariable = "READ_VARIABLE" {
        types: MOVE,
        remarks: "",
        options: 0,
        version: |_| 1,
        read: read_variable,
    }
    AssignVariable = "ASSIGN_VARIABLE" {
        types: MOVE,
        remarks: "the last one of an inference is what the variable holds in the next; \
                  shape, type and quantisation stay",
        options: 0,
        version: |_| 1,
        read: unresolved,
    }
}

fn unresolved(_: &Call<'_>) -> Result<Decoded, Trouble> {
    caused("it has a form that is not supported", &STATE)
}

/// What was assigned before, under another name.
fn read_variable(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(1..=1, 1)?;
    let (from, to) = (call.data(0)?, call.output(0));
    if let (Ok(assigned), Ok(read)) = (&from.dtype, &to.dtype)
        && assigned != read
    {
        return caused(format!("it reads {read} from a variable to which {assigned} was assigned"), &STATE);
    }
    let shape = from.shape.clone();
    Ok((Op::Reshape { kind: ReshapeKind::Reshape, shape }, vec![call.index(0)?]))
}
