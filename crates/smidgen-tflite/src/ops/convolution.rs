//! CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV.

use super::{Decoded, WIDE, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, malformed, unsupported};
use crate::read::grouped::{divides, groups};
use crate::schema::{conv as conv_options, depthwise as depthwise_options, transpose_conv as transpose_conv_options};
use crate::support::Builtin;
use crate::write::options::{Options, activation};
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::{self, Int8, Int16};
use smidgen_ir::{Activation, ConvParams, DataType, Op, PadValue, Padding, Quantisation, Shape};
use std::borrow::Cow;

builtins! {
    Conv2d = "CONV_2D" {
        types: WIDE,
        remarks: "constant weights, per tensor or per channel, integers on float32 too; \
                  dilation; fused activation; groups, which become a SPLIT, a CONV_2D for each and a CONCATENATION, or a \
                  DEPTHWISE_CONV_2D",
        options: 1,
        version: |s| if s.x() == Int16 { 4 } else { s.weights([3, 7, 2, 5]) },
        read: conv,
    }
    DepthwiseConv2d = "DEPTHWISE_CONV_2D" {
        types: WIDE,
        remarks: "any multiplier; constant weights, per tensor or per channel, integers on float32 too; dilation; \
                  fused activation",
        options: 2,
        version: depthwise_version,
        read: depthwise,
    }
    TransposeConv = "TRANSPOSE_CONV" {
        types: WIDE,
        remarks: "constant output shape and weights, not of int4; optional bias; SAME and VALID; fused activation",
        options: 49,
        version: transpose_conv_version,
        read: transpose_conv,
    }
}

fn depthwise_version(s: &Signature<'_>) -> i32 {
    if s.x() == Int16 {
        return 5;
    }
    let dilated = matches!(s.options, Options::Depthwise { dilation, .. } if *dilation != [1, 1]);
    s.weights([3, 7, 4, 6]).max(if dilated { 2 } else { 1 })
}

fn transpose_conv_version(s: &Signature<'_>) -> i32 {
    match s.options {
        Options::TransposeConv { activation: 1.., .. } => 4,
        _ if s.inputs.len() == 4 => 3,
        _ => s.by_type(s.element(2), &[(Int8, 2)]),
    }
}

fn conv(call: &Call<'_>) -> Result<Decoded, Trouble> {
    // Without a bias, which LiteRT does not take: its meaning is plain, that of a bias of zeros.
    call.arity(2..=3, 1)?;
    let op = Op::Conv2d(ConvParams {
        stride: [
            call.positive(conv_options::stride_h, 0, "vertical stride")?,
            call.positive(conv_options::stride_w, 0, "horizontal stride")?,
        ],
        dilation: [
            call.positive(conv_options::dilation_h, 1, "vertical dilation")?,
            call.positive(conv_options::dilation_w, 1, "horizontal dilation")?,
        ],
        padding: call.padding(conv_options::padding)?,
        activation: call.activation(conv_options::activation)?,
    });
    let used = call.weighted(&op, [0, 1, 2])?;
    let (x, weights) = (call.data(0)?, call.input(1)?);
    if let (&[.., depth], &[filters, _, _, taken]) = (x.shape.as_slice(), weights.shape.as_slice())
        && let Some(groups) = depth.checked_div(taken)
        && groups > 1
        && depth.is_multiple_of(taken)
        && !filters.is_multiple_of(groups)
    {
        return unsupported(
            format!("it is a convolution in {groups} groups, which do not share its {filters} filters"),
            "use CONV_2D with one group, or DEPTHWISE_CONV_2D",
        );
    }
    if let Some([groups, _]) = groups(&x.shape, &weights.shape)
        && (!divides(weights)
            || x.element() == ElementType::Float32 && !call.makes_floats() && weights.element() != ElementType::Float32)
    {
        // The reference takes one scale of the input for all groups.
        return unsupported(
            format!(
                "it is a convolution in {groups} groups, with weights of {} beside {}",
                weights.element(),
                x.element()
            ),
            "convert without quantisation and use `smidgen quantize`; or use one group, or DEPTHWISE_CONV_2D",
        );
    }
    Ok((op, used))
}

fn depthwise(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=3, 1)?;
    let conv = ConvParams {
        stride: [
            call.positive(depthwise_options::stride_h, 0, "vertical stride")?,
            call.positive(depthwise_options::stride_w, 0, "horizontal stride")?,
        ],
        dilation: [
            call.positive(depthwise_options::dilation_h, 1, "vertical dilation")?,
            call.positive(depthwise_options::dilation_w, 1, "horizontal dilation")?,
        ],
        padding: call.padding(depthwise_options::padding)?,
        activation: call.activation(depthwise_options::activation)?,
    };
    let op = |multiplier| Op::DepthwiseConv2d { conv, multiplier };
    let used = call.weighted(&op(1), [0, 1, 2])?;
    // Converters do not always store the multiplier; the reference takes it from the shapes too.
    let (input, weights) = (&call.input(0)?.shape, &call.input(1)?.shape);
    let multiplier = match (input.last(), weights.last()) {
        (Some(&depth), Some(&filters)) if depth > 0 && filters > 0 && filters.is_multiple_of(depth) => filters / depth,
        _ => {
            let (x, w) = (Shape(input.clone()), Shape(weights.clone()));
            return malformed(format!("{w} weights do not divide into the channels of {x}"));
        }
    };
    Ok((op(multiplier), used))
}

fn transpose_conv(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(3..=4, 1)?;
    let output = match call.parameter(0, "output shape", 4)?.as_slice() {
        &[_, h, w, _] if h > 0 && w > 0 => [h as usize, w as usize],
        other => return malformed(format!("an output shape of {other:?}")),
    };
    let op = Op::TransposeConv {
        stride: [
            call.positive(transpose_conv_options::stride_h, 0, "vertical stride")?,
            call.positive(transpose_conv_options::stride_w, 0, "horizontal stride")?,
        ],
        padding: call.padding(transpose_conv_options::padding)?,
        output,
        activation: call.activation(transpose_conv_options::activation)?,
    };
    let used = call.weighted(&op, [2, 1, 3])?;
    Ok((op, used))
}

pub(super) fn write_conv(writer: &mut Writer<'_, '_>, conv: &ConvParams) -> Result<Written, WriteError> {
    let padding = conv_padding(writer, conv)?;
    let (stride, dilation) = (writer.pair(conv.stride)?, writer.pair(conv.dilation)?);
    let options = Options::Conv { padding, stride, dilation, activation: activation(conv.activation) };
    if writer.inputs.len() == 2 {
        let bias = zero_bias(writer)?;
        writer.inputs.push(bias);
    }
    writer.with(Builtin::Conv2d, options)
}

pub(super) fn write_depthwise(
    writer: &mut Writer<'_, '_>,
    conv: &ConvParams,
    multiplier: usize,
) -> Result<Written, WriteError> {
    let padding = conv_padding(writer, conv)?;
    let options = Options::Depthwise {
        padding,
        stride: writer.pair(conv.stride)?,
        dilation: writer.pair(conv.dilation)?,
        activation: activation(conv.activation),
        multiplier: writer.int(multiplier)?,
    };
    writer.with(Builtin::DepthwiseConv2d, options)
}

pub(super) fn write_transpose_conv(
    writer: &mut Writer<'_, '_>,
    stride: [usize; 2],
    padding: Padding,
    fused: Activation,
) -> Result<Written, WriteError> {
    let shape = writer.ints(writer.output()?.shape.0.iter().copied())?;
    let shape = writer.parameter("shape", &shape)?;
    let options = Options::TransposeConv {
        padding: writer.plain_padding(padding)?,
        stride: writer.pair(stride)?,
        activation: activation(fused),
    };
    let inputs = match *writer.inputs.as_slice() {
        [x, weights] => vec![shape, weights, x],
        [x, weights, bias] => vec![shape, weights, x, bias],
        _ => return Err(writer.fail("it needs two or three inputs")),
    };
    Ok((Builtin::TransposeConv, inputs, options))
}

fn conv_padding(writer: &mut Writer<'_, '_>, conv: &ConvParams) -> Result<i8, WriteError> {
    let Some([_, kh, kw, _]) = writer.input(1)?.shape.nhwc() else {
        return Err(writer.fail("its weights need four dimensions"));
    };
    writer.padding(conv.padding, [kh, kw], conv.stride, conv.dilation, PadValue::Zero)
}

/// A bias of zeros, without which the reference interpreter takes no CONV_2D.
fn zero_bias(writer: &mut Writer<'_, '_>) -> Result<usize, WriteError> {
    let (x, weights) = (writer.input(0)?, writer.input(1)?);
    let channels = weights.shape.0.first().copied().unwrap_or(0);
    // Two int4 weights to a byte; anything less is no weight for some channel.
    if channels > 2 * weights.data.as_ref().map_or(0, |data| data.len()) {
        return Err(writer.fail("its weights are not a constant, or empty"));
    }
    let bias = if x.element() == ElementType::Int16 { ElementType::Int64 } else { ElementType::Int32 };
    let dtype = match (x.per_tensor(), weights.dtype.quantisation()) {
        (Some((x, _)), Some(weights)) => {
            // A product that vanishes would be no scale; that of a bias of zeros says nothing anyway.
            let scale = |weights: &f32| (x * weights).clamp(f32::MIN_POSITIVE, f32::MAX);
            let quantisation = match weights {
                Quantisation::PerTensor { scale: s, .. } => Quantisation::PerTensor { scale: scale(s), zero_point: 0 },
                Quantisation::PerChannel { scales, .. } => Quantisation::PerChannel {
                    axis: 0,
                    scales: scales.iter().map(scale).collect(),
                    zero_points: vec![0; scales.len()],
                },
            };
            DataType::Quantised(bias, quantisation)
        }
        _ => DataType::FLOAT32,
    };
    let name = format!("{}/bias", writer.output()?.name);
    let shape = vec![writer.int(channels)?];
    let bytes = dtype.element().bytes(channels).unwrap_or_default();
    Ok(writer.draft.constant(name, shape, Cow::Owned(dtype), vec![0; bytes]))
}
