//! Resize and Upsample: the sampling positions that the file asks for, found among those that the graph's operator knows.

use super::image::Image;
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::node_error::NodeError;
use smidgen_ir::{DataType, Op, ResizeKind};

rows! {
    "Resize" INTEGER resize, "images and lines, nearest and bilinear; constant size or scales";
    "Upsample" INTEGER resize, "images and lines, nearest and bilinear; constant scales";
}

/// How the file maps an output index to a position in the input.
struct Mapping<'a> {
    mode: &'a str,
    nearest: &'a str,
}

impl Mapping<'_> {
    /// The position of output index `i`, before it is rounded.
    fn position(&self, i: usize, [input, output]: [usize; 2], scale: f64) -> Option<f64> {
        let (i, length) = (i as f64, [input as f64, output as f64]);
        Some(match self.mode {
            "half_pixel" => (i + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                // The part of the scaled size that rounding cut off is shared by both sides.
                let adjustment = length[1] / (scale * length[0]);
                let centre = length[0] / 2.0;
                let offset = centre * (1.0 - adjustment);
                offset + (i + 0.5) / scale - 0.5
            }
            "pytorch_half_pixel" if output == 1 => 0.0,
            "pytorch_half_pixel" => (i + 0.5) / scale - 0.5,
            "align_corners" if output == 1 => 0.0,
            // The size before it is rounded, which is the output's where that was given.
            "align_corners" => i * (length[0] - 1.0) / (length[0] * scale - 1.0),
            "asymmetric" => i / scale,
            "tf_half_pixel_for_nn" => (i + 0.5) / scale,
            _ => return None,
        })
    }

    /// The input index nearest to a position.
    fn rounded(&self, position: f64, input: usize) -> usize {
        let index = match self.nearest {
            "floor" => position.floor(),
            "ceil" => position.ceil(),
            "round_prefer_ceil" => (position + 0.5).floor(),
            _ => (position - 0.5).ceil(),
        };
        index.clamp(0.0, (input - 1) as f64) as usize
    }
}

/// The graph's four ways of sampling: corners aligned or not, centres of pixels or not.
const WAYS: [(bool, bool); 4] = [(false, true), (false, false), (true, false), (true, true)];

/// What the graph's nearest neighbour takes for output index `i`, as TensorFlow Lite computes it in single precision.
fn nearest(i: usize, [input, output]: [usize; 2], (align, half): (bool, bool)) -> usize {
    let scale =
        if align && output > 1 { (input - 1) as f32 / (output - 1) as f32 } else { input as f32 / output as f32 };
    let position = (i as f32 + if half { 0.5 } else { 0.0 }) * scale;
    let index = if align { position.round() } else { position.floor() };
    (index as usize).min(input - 1)
}

/// Where the graph's bilinear interpolation samples for output index `i`, within the image.
fn bilinear(i: usize, [input, output]: [usize; 2], (align, half): (bool, bool)) -> f64 {
    let scale =
        if align && output > 1 { (input - 1) as f64 / (output - 1) as f64 } else { input as f64 / output as f64 };
    let position = if half { (i as f64 + 0.5) * scale - 0.5 } else { i as f64 * scale };
    position.clamp(0.0, (input - 1) as f64)
}

/// Positions that differ by less give the same pixels to float precision.
const CLOSE: f64 = 1e-5;

/// Output sizes and scales along all of the file's axes.
fn sizes(call: &Call<'_, '_>, dims: &[usize]) -> Result<(Vec<usize>, Vec<f64>), NodeError> {
    let rank = dims.len();
    let axes = match call.ints("axes")? {
        Some(axes) => axes.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    let (scales_at, sizes_at) = match call.node.op {
        "Upsample" => (1, usize::MAX),
        _ if call.opset < 11 => (1, usize::MAX),
        _ => (2, 3),
    };
    let (mut output, mut scales) = (dims.to_vec(), vec![1.0; rank]);
    let wrong = |found: usize| NodeError::Malformed(format!("it has {found} sizes or scales for {} axes", axes.len()));
    let listed = call.list(sizes_at, "its output size")?.filter(|list| !list.is_empty());
    if let Some(list) = listed {
        if call.text("keep_aspect_ratio_policy")?.unwrap_or("stretch") != "stretch" {
            return Err(NodeError::unsupported("it keeps the aspect ratio", "export it with the size that results"));
        }
        if list.len() != axes.len() {
            return Err(wrong(list.len()));
        }
        for (&axis, &size) in axes.iter().zip(&list) {
            output[axis] = usize::try_from(size).unwrap_or(0);
            scales[axis] = output[axis] as f64 / dims[axis] as f64;
        }
    } else {
        let list = call.optional(scales_at, "its list of scales")?.map(|c| c.floats()).unwrap_or_default();
        if list.len() != axes.len() {
            return Err(wrong(list.len()));
        }
        for (&axis, &scale) in axes.iter().zip(&list) {
            scales[axis] = f64::from(scale);
            output[axis] = (dims[axis] as f64 * scales[axis]).floor() as usize;
        }
    }
    if output.iter().any(|&d| d == 0 || d > i32::MAX as usize) {
        return Err(NodeError::Malformed(format!("its output's shape {output:?} is impossible")));
    }
    Ok((output, scales))
}

pub fn resize(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let (output, scales) = sizes(call, &dims)?;
    if output == dims && scales.iter().all(|&s| s == 1.0) {
        return Ok(vec![Value::Active(x)]);
    }
    let image = Image::of(call, &x)?;
    if output[..2] != dims[..2] {
        return Err(NodeError::unsupported("it resizes the batch or the channels", FIXED_PARAMETERS));
    }
    let upsample = call.node.op == "Upsample";
    let mapping = Mapping {
        mode: call.text("coordinate_transformation_mode")?.unwrap_or(if upsample {
            "asymmetric"
        } else {
            "half_pixel"
        }),
        nearest: call.text("nearest_mode")?.unwrap_or(if upsample { "floor" } else { "round_prefer_floor" }),
    };
    let kind = match call.text("mode")?.unwrap_or("nearest") {
        "nearest" => ResizeKind::Nearest,
        "linear" | "bilinear" => ResizeKind::Bilinear,
        other => {
            return Err(NodeError::unsupported(
                format!("its mode is {other:?}"),
                "use nearest or bilinear interpolation",
            ));
        }
    };
    if call.flag("antialias", false)? && scales.iter().any(|&s| s < 1.0) {
        return Err(NodeError::unsupported("it smooths what it shrinks (antialias)", FIXED_PARAMETERS));
    }
    let lines = 4 - dims.len();
    let full = |list: &[usize], axis: usize| if axis < lines { 1 } else { list[axis + 2 - lines] };
    let sides: [[usize; 2]; 2] = [0, 1].map(|axis| [full(&dims, axis), full(&output, axis)]);
    // Every position is looked at.
    call.emit.budget.take(sides[0][1].saturating_add(sides[1][1]))?;
    let agrees = |&way: &(bool, bool)| {
        (kind == ResizeKind::Nearest || way != (true, true))
            && (0..2).all(|axis| {
                let scale = if axis < lines { 1.0 } else { scales[axis + 2 - lines] };
                let side = sides[axis];
                (0..side[1]).all(|i| match (mapping.position(i, side, scale), kind) {
                    (None, _) => false,
                    (Some(p), ResizeKind::Nearest) => mapping.rounded(p, side[0]) == nearest(i, side, way),
                    (Some(p), ResizeKind::Bilinear) => {
                        (p.clamp(0.0, (side[0] - 1) as f64) - bilinear(i, side, way)).abs() < CLOSE
                    }
                })
            })
    };
    let Some(&(align_corners, half_pixel_centers)) = WAYS.iter().find(|way| agrees(way)) else {
        let reason = format!(
            "it samples at positions ({}, {}) that no RESIZE of smidgen's has for {dims:?} to {output:?}",
            mapping.mode, mapping.nearest
        );
        return Err(NodeError::unsupported(reason, "use half_pixel, align_corners or asymmetric positions"));
    };
    let op = Op::Resize { kind, output: [sides[0][1], sides[1][1]], align_corners, half_pixel_centers };
    let id = call.emit.one(op, vec![image.id], &DataType::FLOAT32)?;
    Ok(vec![Value::Active(image.result(call, id)?)])
}
