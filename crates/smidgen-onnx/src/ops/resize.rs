//! Resize and Upsample: the sampling positions that the file asks for, found among those that the graph's operator knows. Where they are none
//! of these, each axis is resized by itself: by picking indices, or as a layer whose weights say what of each index goes into which.

use super::arithmetic::scalar;
use super::image::Image;
use super::logic::choose;
use super::{Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{DataType, Op, ResizeKind};

rows! {
    "Resize" INTEGER resize, "nearest, linear and cubic; constant size or scales; RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR where they sample so";
    "Upsample" INTEGER resize, "images and lines, nearest and bilinear; constant scales";
}

/// How the file maps an output index to a position in the input.
struct Mapping<'a> {
    mode: &'a str,
    nearest: &'a str,
    /// For each of the file's axes the part of the input that is looked at, where the mode asks for one.
    parts: Vec<[f64; 2]>,
}

impl Mapping<'_> {
    /// The position of output index `i`, before it is rounded.
    fn position(&self, axis: usize, i: usize, [input, output]: [usize; 2], scale: f64) -> Option<f64> {
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
            "tf_crop_and_resize" => {
                let &[start, end] = self.parts.get(axis)?;
                let last = length[0] - 1.0;
                match output {
                    1 => 0.5 * (start + end) * last,
                    _ => start * last + i * (end - start) * last / (length[1] - 1.0),
                }
            }
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

/// The scales of an Upsample whose scales are an attribute still.
fn older_scales(call: &Call<'_, '_>) -> Result<Option<Vec<f32>>, NodeError> {
    if call.node.op == "Upsample" && call.opset < 9 { call.floats("scales") } else { Ok(None) }
}

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
        if list.len() != axes.len() {
            return Err(wrong(list.len()));
        }
        for (&axis, &size) in axes.iter().zip(&list) {
            output[axis] = usize::try_from(size).unwrap_or(0);
            scales[axis] = output[axis] as f64 / dims[axis] as f64;
        }
        let policy = call.text("keep_aspect_ratio_policy")?.unwrap_or("stretch");
        if policy != "stretch" {
            // One scale for all: the least that is asked for, or the greatest.
            let asked = axes.iter().map(|&axis| scales[axis]);
            let scale = if policy == "not_larger" { asked.fold(f64::MAX, f64::min) } else { asked.fold(0.0, f64::max) };
            for &axis in &axes {
                scales[axis] = scale;
                output[axis] = (dims[axis] as f64 * scale + 0.5).floor() as usize;
            }
        }
    } else {
        let list = match older_scales(call)? {
            Some(list) => list,
            None => call.optional(scales_at, "its list of scales")?.map(|c| c.floats()).unwrap_or_default(),
        };
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

/// Start and end of what is looked at along each axis, as parts of it.
fn parts(call: &Call<'_, '_>, rank: usize) -> Result<Vec<[f64; 2]>, NodeError> {
    if call.text("coordinate_transformation_mode")? != Some("tf_crop_and_resize") {
        return Ok(Vec::new());
    }
    let region = call.optional(1, "its region")?.map(|c| c.reals()).unwrap_or_default();
    let axes = match call.ints("axes")? {
        Some(axes) => axes.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if region.len() != 2 * axes.len() {
        return Err(NodeError::Malformed(format!("its region has {} numbers", region.len())));
    }
    let mut parts = vec![[0.0, 1.0]; rank];
    for (i, &axis) in axes.iter().enumerate() {
        parts[axis] = [region[i], region[i + axes.len()]];
    }
    Ok(parts)
}

/// Most weights of the layer that resizes an axis.
const MOST_WEIGHTS: usize = 1 << 16;

/// The weight of an index that lies `distance` from a position: of a triangle, or of a cubic convolution with the parameter `a`.
fn weight(cubic: Option<f64>, distance: f64) -> f64 {
    let d = distance.abs();
    match cubic {
        None => (1.0 - d).max(0.0),
        Some(a) if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        Some(a) if d < 2.0 => (((d - 5.0) * d + 8.0) * d - 4.0) * a,
        Some(_) => 0.0,
    }
}

/// Resizes axis after axis.
fn by_axes(
    call: &mut Call<'_, '_>,
    x: &Active,
    mapping: &Mapping<'_>,
    [dims, output]: [&[usize]; 2],
    scales: &[f64],
) -> Outputs {
    let mode = call.text("mode")?.unwrap_or("nearest");
    let cubic = match mode {
        "nearest" | "linear" | "bilinear" => None,
        "cubic" => Some(f64::from(call.float("cubic_coeff_a", -0.75)?)),
        other => return Err(NodeError::unsupported(format!("its mode is {other:?}"), "use nearest, linear or cubic")),
    };
    let (antialias, inside) = (call.flag("antialias", false)?, call.flag("exclude_outside", false)?);
    let beyond = call.float("extrapolation_value", 0.0)?;
    let mut y = x.clone();
    let mut outside: Vec<Vec<bool>> = dims.iter().map(|_| Vec::new()).collect();
    for axis in 0..dims.len() {
        let side = [dims[axis], output[axis]];
        let unmoved =
            side[0] == side[1] && scales[axis] == 1.0 && mapping.parts.get(axis).is_none_or(|p| *p == [0.0, 1.0]);
        if unmoved {
            outside[axis] = vec![false; side[1]];
            continue;
        }
        if side[0].saturating_mul(side[1]) > MOST_WEIGHTS {
            let reason = format!("it resizes {} to {} at positions that no RESIZE of smidgen's has", side[0], side[1]);
            return Err(NodeError::unsupported(reason, "use half_pixel, align_corners or asymmetric positions"));
        }
        call.emit.budget.take(24 * side[0] * side[1])?;
        let positions = (0..side[1]).map(|i| mapping.position(axis, i, side, scales[axis])).collect::<Option<Vec<_>>>();
        let positions = positions.ok_or_else(|| {
            NodeError::unsupported(format!("its positions are {}", mapping.mode), "use half_pixel positions")
        })?;
        let last = (side[0] - 1) as f64;
        let cropped = mapping.mode == "tf_crop_and_resize";
        outside[axis] = positions.iter().map(|&p| cropped && (p < 0.0 || p > last)).collect();
        if mode == "nearest" {
            let list: Vec<usize> = positions.iter().map(|&p| mapping.rounded(p, side[0])).collect();
            y = super::pick::taken(call, &y, axis, &list)?;
            continue;
        }
        // What is shrunk smoothly sees as much wider parts.
        let narrow = if antialias { scales[axis].min(1.0) } else { 1.0 };
        let reach = (if cubic.is_some() { 2.0 } else { 1.0 } / narrow).ceil() as i64;
        let mut weights = vec![0f64; side[0] * side[1]];
        for (i, &position) in positions.iter().enumerate() {
            if outside[axis][i] {
                continue;
            }
            let row = &mut weights[i * side[0]..(i + 1) * side[0]];
            let middle = position.floor() as i64;
            let mut sum = 0.0;
            for index in middle - reach..=middle + reach + 1 {
                let share = weight(cubic, (index as f64 - position) * narrow);
                let is_inside = (0..side[0] as i64).contains(&index);
                if is_inside || !inside {
                    // Beyond the ends the first and the last are repeated.
                    row[index.clamp(0, side[0] as i64 - 1) as usize] += share;
                    sum += share;
                }
            }
            if antialias || inside {
                row.iter_mut().for_each(|share| *share /= sum);
            }
        }
        let weights = Constant::from_f64(Element::F32, vec![side[1], side[0]], weights.into_iter());
        y = super::matrix::multiply(call, &y, axis, &weights, None)?;
    }
    let is_outside = |i: usize| {
        let mut rest = i;
        (0..output.len()).rev().any(|axis| {
            let index = rest % output[axis];
            rest /= output[axis];
            outside[axis][index]
        })
    };
    let count: usize = output.iter().product();
    if outside.iter().flatten().any(|&o| o) && (mode == "nearest" || beyond != 0.0) {
        call.emit.budget.take(12 * count)?;
        let there = Constant::from_i64(Element::Bool, output.to_vec(), (0..count).map(|i| i64::from(is_outside(i))));
        let y = choose(call, &Value::Constant(there.into()), &scalar(beyond), &Value::Active(y))?;
        return Ok(vec![y]);
    }
    Ok(vec![Value::Active(y)])
}

pub fn resize(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let (output, scales) = sizes(call, &dims)?;
    if output == dims && scales.iter().all(|&s| s == 1.0) {
        return Ok(vec![Value::Active(x)]);
    }
    let rank = dims.len();
    let upsample = call.node.op == "Upsample";
    let mapping = Mapping {
        mode: call.text("coordinate_transformation_mode")?.unwrap_or(if upsample {
            "asymmetric"
        } else {
            "half_pixel"
        }),
        nearest: call.text("nearest_mode")?.unwrap_or(if upsample { "floor" } else { "round_prefer_floor" }),
        parts: parts(call, rank)?,
    };
    let cubic = call.text("mode")? == Some("cubic");
    let smooth = call.flag("antialias", false)? && scales.iter().any(|&s| s < 1.0);
    let is_image = (3..=4).contains(&rank) && output[..2] == dims[..2];
    if cubic || smooth || !is_image || mapping.mode == "tf_crop_and_resize" {
        return by_axes(call, &x, &mapping, [&dims, &output], &scales);
    }
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
                (0..side[1]).all(|i| match (mapping.position(rank - 2 + axis, i, side, scale), kind) {
                    (None, _) => false,
                    (Some(p), ResizeKind::Nearest) => mapping.rounded(p, side[0]) == nearest(i, side, way),
                    (Some(p), ResizeKind::Bilinear) => {
                        (p.clamp(0.0, (side[0] - 1) as f64) - bilinear(i, side, way)).abs() < CLOSE
                    }
                })
            })
    };
    let Some(&(align_corners, half_pixel_centers)) = WAYS.iter().find(|way| agrees(way)) else {
        return by_axes(call, &x, &mapping, [&dims, &output], &scales);
    };
    let image = Image::of(call, &x)?;
    let op = Op::Resize { kind, output: [sides[0][1], sides[1][1]], align_corners, half_pixel_centers };
    let id = call.emit.one(op, vec![image.id], &DataType::FLOAT32)?;
    Ok(vec![Value::Active(image.result(call, id)?)])
}
