//! Conv and ConvTranspose.

use super::image::{Image, Windowing};
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{Activation, BinaryKind, ConvParams, DataType, Op, Padding, TensorId, UnaryKind, Window};
use std::rc::Rc;

rows! {
    "CausalConvWithState" COMPUTE causal_conv_with_state, "constant weights";
    "Conv" INTEGER conv, "images and lines; constant weights; any groups, strides, dilations and padding";
    "ConvTranspose" INTEGER conv_transpose, "images and lines; constant weights";
}

const FLOAT: &DataType = &DataType::FLOAT32;

/// Weights with two spatial axes, `[A, B, KH, KW]`.
fn weights(call: &Call<'_, '_>, image: &Image) -> Result<Constant, NodeError> {
    let weights = call.constant(1, "its weights tensor")?;
    if !weights.element.is_float() {
        return Err(NodeError::Malformed(format!("its weights are {}", weights.element.name())));
    }
    let dims = match *weights.dims {
        [a, b, k] if image.axes() == 1 => vec![a, b, 1, k],
        [a, b, kh, kw] if image.axes() == 2 => vec![a, b, kh, kw],
        _ => {
            let what = format!("its weights have the shape {:?} for {} spatial axes", weights.dims, image.axes());
            return Err(NodeError::Malformed(what));
        }
    };
    if dims.contains(&0) {
        return Err(NodeError::Malformed(format!("its weights have the shape {:?}", weights.dims)));
    }
    if let Some(kernel) = call.ints("kernel_shape")?
        && image.pair(Some(kernel), 1, "kernel_shape")? != [dims[2], dims[3]]
    {
        return Err(NodeError::Malformed("`kernel_shape` is not that of the weights".into()));
    }
    Ok(weights.reshaped(dims))
}

/// The number of groups, which divides the input's channels.
fn groups(call: &Call<'_, '_>, channels: usize) -> Result<usize, NodeError> {
    let groups = call.int("group")?.unwrap_or(1);
    let found = usize::try_from(groups).ok().filter(|&g| g > 0 && channels.is_multiple_of(g));
    found.ok_or_else(|| NodeError::Malformed(format!("{channels} channels cannot be in {groups} groups")))
}

fn bias(call: &mut Call<'_, '_>, channels: usize) -> Result<Option<Rc<Constant>>, NodeError> {
    let bias = call.optional(2, "its bias")?;
    match bias {
        Some(bias) if bias.dims != [channels] => {
            Err(NodeError::Malformed(format!("its bias has the shape {:?} for {channels} channels", bias.dims)))
        }
        bias => Ok(bias),
    }
}

/// Entries `range` along axis 0.
fn part(constant: &Constant, first: usize, count: usize) -> Constant {
    let size = constant.data.len() / constant.dims[0];
    let mut part = constant.clone();
    part.data = constant.data[first * size..(first + count) * size].into();
    part.dims[0] = count;
    if let Some(scales) = &constant.scales
        && scales.len() == constant.dims[0]
    {
        part.scales = Some(scales[first..first + count].into());
    }
    part
}

/// Conv: one group, a group for each channel, or (as convolutions of parts) any number.
pub fn conv(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let image = Image::of(call, &x)?;
    let weights = weights(call, &image)?;
    let [_, _, _, channels] = image.dims;
    let (outputs, kernel) = (weights.dims[0], [weights.dims[2], weights.dims[3]]);
    let groups = groups(call, channels)?;
    if weights.dims[1] != channels / groups || !outputs.is_multiple_of(groups) {
        let what =
            format!("its weights of shape {:?} do not suit {channels} channels in {groups} groups", weights.dims);
        return Err(NodeError::Malformed(what));
    }
    let windowing = Windowing::of(call, &image, kernel)?;
    let bias = bias(call, outputs)?;
    let params = ConvParams {
        stride: windowing.stride,
        dilation: windowing.dilation,
        padding: windowing.padding(&image),
        activation: Activation::None,
    };
    let id = if groups > 1 && groups == channels {
        let op = Op::DepthwiseConv2d { conv: params, multiplier: outputs / channels };
        weighted(call, op, image.id, &weights, &[1, 2, 3, 0], bias.as_deref())?
    } else {
        grouped(call, &image, groups, outputs / groups, |call, x, first, count| {
            let bias = bias.as_ref().map(|bias| part(bias, first, count));
            weighted(call, Op::Conv2d(params), x, &part(&weights, first, count), &[0, 2, 3, 1], bias.as_ref())
        })?
    };
    Ok(vec![Value::Active(image.result(call, id)?)])
}

/// A depthwise convolution along lines that sees what came before, which it is given and gives on.
pub fn causal_conv_with_state(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let weights = call.constant(1, "its weights tensor")?;
    let (&[batch, channels, _], &[outputs, 1, taps]) = (&dims[..], &weights.dims[..]) else {
        return Err(NodeError::Malformed(format!("its weights have the shape {:?} for {dims:?}", weights.dims)));
    };
    if outputs != channels || taps == 0 {
        return Err(NodeError::Malformed(format!("its weights have the shape {:?} for {dims:?}", weights.dims)));
    }
    let mut line = x.clone();
    if taps > 1 {
        let past = match call.has(3) {
            true => call.active(3)?,
            false => {
                let count = batch * channels * (taps - 1);
                call.emit.budget.take(4 * count)?;
                let zeros = Constant::new(Element::F32, vec![batch, channels, taps - 1], vec![0; 4 * count]);
                Active { id: call.emit.constant(&zeros, &x.layout)?, ..x.clone() }
            }
        };
        if call.emit.dims(&past) != [batch, channels, taps - 1] {
            return Err(NodeError::Malformed(format!("its past has the shape {:?}", call.emit.dims(&past))));
        }
        line = super::movement::join(call, &[past, x], 2)?;
    }
    let image = Image::of(call, &line)?;
    let bias = bias(call, channels)?;
    let conv = ConvParams { stride: [1, 1], dilation: [1, 1], padding: Padding::Valid, activation: Activation::None };
    let op = Op::DepthwiseConv2d { conv, multiplier: 1 };
    let weights = weights.reshaped(vec![channels, 1, 1, taps]);
    let id = weighted(call, op, image.id, &weights, &[1, 2, 3, 0], bias.as_deref())?;
    let mut y = Value::Active(image.result(call, id)?);
    match call.text("activation")?.unwrap_or("none") {
        "none" => {}
        "silu" | "swish" => {
            let gate = super::activation::of(call, &y, UnaryKind::Logistic)?;
            y = super::arithmetic::binary(call, BinaryKind::Mul, &y, &gate)?;
        }
        other => return Err(NodeError::Malformed(format!("`activation` is {other:?}"))),
    }
    let mut outputs = vec![y];
    if call.node.outputs.get(1).is_some_and(|name| !name.is_empty()) {
        let length = call.emit.dims(&line)[2];
        let ranges = [(0, 1, batch), (0, 1, channels), (length + 1 - taps, 1, taps - 1)];
        outputs.push(Value::Active(super::pick::part(call, &line, &ranges)?));
    }
    Ok(outputs)
}

/// Adds an operator with weights whose axes are permuted, and a bias.
fn weighted(
    call: &mut Call<'_, '_>,
    op: Op,
    x: TensorId,
    weights: &Constant,
    perm: &[usize],
    bias: Option<&Constant>,
) -> Result<TensorId, NodeError> {
    let mut inputs = vec![x, call.emit.constant(weights, perm)?];
    if let Some(bias) = bias {
        inputs.push(call.emit.constant(bias, &[0])?);
    }
    call.emit.one(op, inputs, FLOAT)
}

/// Makes `each` group's output from its channels of the input, given the first of its `count` outputs, and joins them.
fn grouped(
    call: &mut Call<'_, '_>,
    image: &Image,
    groups: usize,
    count: usize,
    mut each: impl FnMut(&mut Call<'_, '_>, TensorId, usize, usize) -> Result<TensorId, NodeError>,
) -> Result<TensorId, NodeError> {
    if groups == 1 {
        return each(call, image.id, 0, count);
    }
    let parts = call.emit.push(Op::Split { axis: 3, parts: groups }, vec![image.id], FLOAT)?;
    let mut made = Vec::with_capacity(groups);
    for (group, x) in parts.into_iter().enumerate() {
        made.push(each(call, x, group * count, count)?);
    }
    call.emit.one(Op::Concatenation { axis: 3, activation: Activation::None }, made, FLOAT)
}

/// ConvTranspose: what VALID or SAME gives, cut to the output that the file asks for.
pub fn conv_transpose(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let image = Image::of(call, &x)?;
    let weights = weights(call, &image)?;
    let groups = groups(call, image.dims[3])?;
    if weights.dims[0] != image.dims[3] {
        let what = format!("its weights of shape {:?} do not suit {} channels", weights.dims, image.dims[3]);
        return Err(NodeError::Malformed(what));
    }
    let (inputs, outputs) = (weights.dims[0] / groups, weights.dims[1]);
    let bias = bias(call, outputs.saturating_mul(groups))?;
    let crop = Crop::of(call, &image, [weights.dims[2], weights.dims[3]])?;
    let weights = dilated(call, &weights, crop.dilation)?;
    let op = Op::TransposeConv {
        stride: crop.stride,
        padding: crop.padding,
        output: crop.full,
        activation: Activation::None,
    };
    let mut id = grouped(call, &image, groups, outputs, |call, x, first, count| {
        let bias = bias.as_ref().map(|bias| part(bias, first, count));
        let weights = part(&weights, first / outputs * inputs, inputs);
        weighted(call, op.clone(), x, &weights, &[1, 2, 3, 0], bias.as_ref())
    })?;
    if crop.full != crop.size {
        let dims = call.emit.graph.tensor(id).shape.dims();
        let (begin, size) =
            (vec![0, crop.begin[0], crop.begin[1], 0], vec![dims[0], crop.size[0], crop.size[1], dims[3]]);
        id = call.emit.one(Op::Slice { begin, size }, vec![id], FLOAT)?;
    }
    Ok(vec![Value::Active(image.result(call, id)?)])
}

/// Which part of a transposed convolution's whole output is wanted.
struct Crop {
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
    /// What the operator makes.
    full: [usize; 2],
    begin: [usize; 2],
    size: [usize; 2],
}

impl Crop {
    fn of(call: &Call<'_, '_>, image: &Image, kernel: [usize; 2]) -> Result<Self, NodeError> {
        // `auto_pad` belongs to the output here, so only strides, dilations and pads are read in common.
        let windowing = Windowing::of(call, image, kernel)?;
        let extra = image.pair(call.ints("output_padding")?, 0, "output_padding")?;
        let auto = call.text("auto_pad")?.unwrap_or("NOTSET");
        let asked = match call.ints("output_shape")? {
            // Some exporters give batch and channels too.
            Some(list) if list.len() > image.axes() => Some(list[list.len() - image.axes()..].to_vec()),
            other => other,
        };
        let asked = asked.map(|list| image.pair(Some(list), 1, "output_shape")).transpose()?;
        let mut crop = Self {
            stride: windowing.stride,
            dilation: windowing.dilation,
            padding: Padding::Valid,
            full: [0; 2],
            begin: [0; 2],
            size: [0; 2],
        };
        let mut same = true;
        for axis in 0..2 {
            let impossible = || NodeError::Malformed("its output's size is impossible".into());
            let (input, stride) = (image.dims[axis + 1], windowing.stride[axis]);
            let extent = windowing.extent(axis).ok_or_else(impossible)?;
            let reach = (input - 1).checked_mul(stride).and_then(|n| n.checked_add(extent)).ok_or_else(impossible)?;
            let whole = reach.checked_add(extra[axis]).filter(|&n| n <= i32::MAX as usize).ok_or_else(impossible)?;
            let (begin, size) = match (asked, auto) {
                (None, "SAME_UPPER" | "SAME_LOWER") | (Some(_), _) => {
                    let size = asked.map_or(input.saturating_mul(stride), |asked| asked[axis]);
                    let total = whole.saturating_sub(size);
                    (if auto == "SAME_UPPER" { total / 2 } else { total - total / 2 }, size)
                }
                (None, _) => {
                    let cut = windowing.before[axis].checked_add(windowing.after[axis]).ok_or_else(impossible)?;
                    (windowing.before[axis], whole.checked_sub(cut).ok_or_else(impossible)?)
                }
            };
            let end = begin.checked_add(size).ok_or_else(impossible)?;
            // Rows and columns past the last window's are the bias alone; the graph can add fewer than a stride of them.
            let full = end.max(reach);
            if size == 0 {
                return Err(impossible());
            }
            if full - reach >= stride {
                let reason = format!("its output is {} longer than what its input reaches", full - reach);
                return Err(NodeError::unsupported(reason, FIXED_PARAMETERS));
            }
            let forward = Window::resolve(size, extent, stride, 1, Padding::Same, axis);
            same &= forward.is_some_and(|w| w.output == input && w.before == begin);
            (crop.full[axis], crop.begin[axis], crop.size[axis]) = (full, begin, size);
        }
        if same && crop.full != crop.size {
            crop.padding = Padding::Same;
            crop.full = crop.size;
        }
        Ok(crop)
    }
}

/// Weights `[A,B,KH,KW]` with zeros between the taps, so that the dilation becomes 1.
fn dilated(call: &Call<'_, '_>, weights: &Constant, dilation: [usize; 2]) -> Result<Constant, NodeError> {
    if dilation == [1, 1] {
        return Ok(weights.clone());
    }
    let [a, b, kh, kw] = [weights.dims[0], weights.dims[1], weights.dims[2], weights.dims[3]];
    let [h, w] = [(kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1];
    let count = [a, b, h, w].into_iter().try_fold(4usize, |n, d| n.checked_mul(d)).unwrap_or(usize::MAX);
    call.emit.budget.take(count)?;
    let from = weights.floats();
    let mut values = vec![0f32; count / 4];
    for (i, value) in from.into_iter().enumerate() {
        let (plane, y, x) = (i / (kh * kw), i / kw % kh, i % kw);
        values[(plane * h + y * dilation[0]) * w + x * dilation[1]] = value;
    }
    Ok(Constant::from_f64(crate::constant::Element::F32, vec![a, b, h, w], values.into_iter().map(f64::from)))
}
