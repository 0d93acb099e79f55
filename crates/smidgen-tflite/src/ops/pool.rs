//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::{Decoded, WIDE, Written, builtins, one};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble};
use crate::schema::pool as pool_options;
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::{Options, activation};
use smidgen_ir::ElementType::{self, Int8, Int16};
use smidgen_ir::{Activation, Op, PadValue, Padding, PoolKind};

builtins! {
    AveragePool2d = "AVERAGE_POOL_2D" {
        types: WIDE,
        remarks: "SAME and VALID; fused activation",
        options: 5,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
        read: |call| pool(call, PoolKind::Average),
    }
    MaxPool2d = "MAX_POOL_2D" {
        types: WIDE,
        remarks: "SAME and VALID; fused activation",
        options: 5,
        version: |s| s.by_type(s.x(), &[(Int8, 2), (Int16, 3)]),
        read: |call| pool(call, PoolKind::Max),
    }
}

fn pool(call: &Call<'_>, kind: PoolKind) -> Result<Decoded, Trouble> {
    one(
        call,
        Op::Pool2d {
            kind,
            window: [
                call.positive(pool_options::filter_h, 0, "window's height")?,
                call.positive(pool_options::filter_w, 0, "window's width")?,
            ],
            stride: [
                call.positive(pool_options::stride_h, 0, "vertical stride")?,
                call.positive(pool_options::stride_w, 0, "horizontal stride")?,
            ],
            padding: call.padding(pool_options::padding)?,
            activation: call.activation(pool_options::activation)?,
        },
    )
}

pub(super) fn write(
    writer: &mut Writer<'_, '_>,
    kind: PoolKind,
    [window, stride]: [[usize; 2]; 2],
    padding: Padding,
    fused: Activation,
) -> Result<Written, WriteError> {
    let padding = match (kind, writer.input(0)?.element()) {
        (PoolKind::Average, _) => writer.plain_padding(padding)?,
        // What is less than any other element is never the greatest.
        (PoolKind::Max, ElementType::Float32) => {
            writer.padding(padding, window, stride, [1, 1], PadValue::Float(f32::MIN))?
        }
        (PoolKind::Max, ElementType::Int16) => {
            writer.padding(padding, window, stride, [1, 1], PadValue::Integer(i16::MIN.into()))?
        }
        (PoolKind::Max, ElementType::Uint8) => writer.padding(padding, window, stride, [1, 1], PadValue::Integer(0))?,
        (PoolKind::Max, _) => writer.padding(padding, window, stride, [1, 1], PadValue::Integer(-128))?,
    };
    let options = Options::Pool {
        padding,
        stride: writer.pair(stride)?,
        window: writer.pair(window)?,
        activation: activation(fused),
    };
    match kind {
        PoolKind::Average => writer.with(Builtin::AveragePool2d, options),
        PoolKind::Max => writer.with(Builtin::MaxPool2d, options),
    }
}
