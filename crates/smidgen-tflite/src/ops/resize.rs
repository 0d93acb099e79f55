//! RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.

use super::{Decoded, WIDE, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, odd};
use crate::schema::{resize_bilinear, resize_nearest};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::Int8;
use smidgen_ir::{Op, ResizeKind};

builtins! {
    ResizeBilinear = "RESIZE_BILINEAR" {
        types: WIDE,
        remarks: "constant size; align_corners, half_pixel_centers",
        options: 15,
        version: bilinear_version,
        read: |call| resize(call, ResizeKind::Bilinear),
    }
    ResizeNearestNeighbor = "RESIZE_NEAREST_NEIGHBOR" {
        types: WIDE,
        remarks: "constant size; align_corners, half_pixel_centers",
        options: 74,
        version: nearest_version,
        read: |call| resize(call, ResizeKind::Nearest),
    }
}

fn bilinear_version(s: &Signature<'_>) -> i32 {
    match s.options {
        Options::ResizeBilinear { half_pixel_centers: true, .. } => 3,
        _ => s.by_type(s.x(), &[(Int8, 2)]),
    }
}

fn nearest_version(s: &Signature<'_>) -> i32 {
    match s.options {
        Options::ResizeNearest { align_corners: false, half_pixel_centers: false } => s.by_type(s.x(), &[(Int8, 2)]),
        _ => 3,
    }
}

fn resize(call: &Call<'_>, kind: ResizeKind) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    call.data(0)?;
    let output = match call.parameter(1, "size", 2)?.as_slice() {
        &[h, w] if h > 0 && w > 0 => [h as usize, w as usize],
        other => return odd(format!("a size of {other:?}")),
    };
    let (align_corners, half_pixel_centers) = match kind {
        ResizeKind::Bilinear => {
            (call.flag(resize_bilinear::align_corners)?, call.flag(resize_bilinear::half_pixel_centers)?)
        }
        ResizeKind::Nearest => {
            (call.flag(resize_nearest::align_corners)?, call.flag(resize_nearest::half_pixel_centers)?)
        }
    };
    Ok((Op::Resize { kind, output, align_corners, half_pixel_centers }, vec![call.index(0)?]))
}

pub(super) fn write(
    writer: &mut Writer<'_, '_>,
    kind: ResizeKind,
    output: [usize; 2],
    [align_corners, half_pixel_centers]: [bool; 2],
) -> Result<Written, WriteError> {
    let size = writer.pair(output)?;
    let size = writer.parameter("size", &size)?;
    let (builtin, options) = match kind {
        ResizeKind::Bilinear => {
            (Builtin::ResizeBilinear, Options::ResizeBilinear { align_corners, half_pixel_centers })
        }
        ResizeKind::Nearest => {
            (Builtin::ResizeNearestNeighbor, Options::ResizeNearest { align_corners, half_pixel_centers })
        }
    };
    Ok((builtin, writer.and(size), options))
}
