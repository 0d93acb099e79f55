//! QuantizeLinear and DequantizeLinear: the ends of quantised parts of a network.
//!
//! They become QUANTIZE and DEQUANTIZE around float operators. The graph has int8 only: uint8 values are held as int8, 128 less,
//! with a zero point 128 less.

use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{DataType, ElementType, Op, Quantisation};

rows! {
    "DequantizeLinear" STORED dequantize, "of constants, per tensor or per channel; at run time per tensor";
    "QLinearConv" INTEGER convolution, "as Conv between DequantizeLinear and QuantizeLinear";
    "QLinearMatMul" INTEGER product, "as MatMul between DequantizeLinear and QuantizeLinear";
    "QuantizeLinear" COMPUTE quantize, "per tensor to int8, uint8 or int16";
}

/// Scales and zero points along an axis; one of each without an axis.
struct Parameters {
    scales: Vec<f32>,
    zeros: Vec<i64>,
    axis: usize,
    element: Option<Element>,
}

impl Parameters {
    /// Which channel each element of a tensor of `dims` is of.
    fn channels(&self, dims: &[usize]) -> Result<impl Fn(usize) -> usize + use<>, NodeError> {
        let (axis, count) = (self.axis, self.scales.len());
        if count > 1 && dims[axis] != count {
            return Err(NodeError::Malformed(format!("it has {count} scales for {} channels", dims[axis])));
        }
        let inner = dims.iter().skip(axis + 1).product::<usize>().max(1);
        Ok(move |i| if count == 1 { 0 } else { i / inner % count })
    }

    /// Scale and zero point of a channel.
    fn of(&self, channel: usize) -> (f32, i64) {
        (self.scales[channel], self.zeros[channel])
    }
}

const TO_INTEGERS: &str = "quantise to int8 or uint8";

/// `along`: the axis of scales where the file names none.
fn parameters(call: &Call<'_, '_>, rank: usize, along: i64) -> Result<Parameters, NodeError> {
    let (scale, zero) = (call.constant(1, "its scale")?, call.optional(2, "its zero point")?);
    let scales = scale.floats();
    let zeros = match &zero {
        Some(zero) => zero.ints().ok_or_else(|| NodeError::unsupported("it is quantised to floats", TO_INTEGERS))?,
        None => vec![0; scales.len()],
    };
    if scale.dims.len() > 1 || call.int("block_size")?.unwrap_or(0) != 0 {
        return Err(NodeError::unsupported(
            "it has a scale for each block of a channel",
            "quantise weights with one scale for each output channel",
        ));
    }
    if scales.is_empty() || zeros.len() != scales.len() || scales.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err(NodeError::Malformed("its scales and zero points are impossible".into()));
    }
    let axis = match scales.len() {
        1 => 0,
        _ => call.axis(call.int("axis")?.unwrap_or(along), rank)?,
    };
    Ok(Parameters { scales, zeros, axis, element: zero.map(|z| z.element) })
}

/// The graph's type for per-tensor quantised values.
fn dtype(parameters: &Parameters, element: Element) -> Result<DataType, NodeError> {
    let ([scale], [zero]) = (parameters.scales.as_slice(), parameters.zeros.as_slice()) else {
        return Err(NodeError::unsupported(
            "values computed at run time have a scale for each channel",
            "quantise activations per tensor",
        ));
    };
    let (stored, zero) = match element {
        Element::I8 => (ElementType::Int8, *zero),
        Element::U8 => (ElementType::Int8, *zero - 128),
        Element::I16 if *zero == 0 => (ElementType::Int16, 0),
        Element::I16 => {
            let reason = format!("it quantises to int16 with zero point {zero}");
            return Err(NodeError::unsupported(
                reason,
                "quantise activations symmetrically to int16, or to int8 or uint8",
            ));
        }
        other => {
            let reason = format!("it quantises to {}", other.name());
            return Err(NodeError::unsupported(
                reason,
                "quantise activations to int8 or uint8, or symmetrically to int16",
            ));
        }
    };
    let zero_point = i32::try_from(zero).unwrap_or(i32::MAX);
    Ok(DataType::Quantised(stored, Quantisation::PerTensor { scale: *scale, zero_point }))
}

/// The type of uint8 that stand for the same numbers as some int8, 128 more.
fn unsigned(dtype: &DataType) -> Option<DataType> {
    let DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { scale, zero_point }) = *dtype else {
        return None;
    };
    let quantisation = Quantisation::PerTensor { scale, zero_point: zero_point + 128 };
    Some(DataType::Quantised(ElementType::Uint8, quantisation))
}

/// The type that QuantizeLinear makes.
fn target(call: &Call<'_, '_>, parameters: &Parameters) -> Result<Element, NodeError> {
    match (parameters.element, call.int("output_dtype")?) {
        (Some(element), _) => Ok(element),
        (None, Some(code)) if code != 0 => Element::of(code).map_err(|n| NodeError::unsupported(n, FIXED_PARAMETERS)),
        (None, _) => Ok(Element::U8),
    }
}

pub fn quantize(call: &mut Call<'_, '_>) -> Outputs {
    if let Value::Constant(constant) = call.value(0)?.clone() {
        return constant_quantized(call, &constant);
    }
    let x = call.float_input(0)?;
    let parameters = parameters(call, x.layout.len(), 1)?;
    let element = target(call, &parameters)?;
    let dtype = dtype(&parameters, element)?;
    let id = call.emit.one(Op::Quantize, vec![x.id], &dtype)?;
    Ok(vec![Value::Active(Active { id, layout: x.layout, element })])
}

/// Weights that the file holds as floats, with the integers that they become beside them: as networks trained for quantisation are
/// exported.
fn constant_quantized(call: &Call<'_, '_>, x: &Constant) -> Outputs {
    let parameters = parameters(call, x.dims.len(), 1)?;
    let element = target(call, &parameters)?;
    let (low, high) = match element {
        Element::I4 => (-8, 7),
        Element::U4 => (0, 15),
        Element::I8 => (-128, 127),
        Element::U8 => (0, 255),
        Element::I16 => (-32768, 32767),
        Element::U16 => (0, 65535),
        other => return Err(NodeError::unsupported(format!("it quantises to {}", other.name()), TO_INTEGERS)),
    };
    if !x.element.is_float() {
        return Err(NodeError::Malformed(format!("it quantises {}", x.element.name())));
    }
    call.emit.budget.take(12 * x.count())?;
    let channel = parameters.channels(&x.dims)?;
    let stored = x.floats().into_iter().enumerate().map(|(i, real)| {
        let (scale, zero) = parameters.of(channel(i));
        // As the operator's definition has it: ties to even, in single precision.
        ((real / scale).round_ties_even() as i64).saturating_add(zero).clamp(low, high)
    });
    let constant = Constant::from_i64(element, x.dims.clone(), stored);
    Ok(vec![Value::Constant(Constant { name: x.name.clone(), ..constant }.into())])
}

pub fn dequantize(call: &mut Call<'_, '_>) -> Outputs {
    dequantized(call, 1)
}

/// As DequantizeLinear makes it, with scales along an axis where the file names none.
fn dequantized(call: &mut Call<'_, '_>, along: i64) -> Outputs {
    let x = match call.value(0)?.clone() {
        Value::Constant(constant) => return constant_dequantized(call, &constant, along),
        Value::Active(x) => x,
        Value::Missing => return Err(NodeError::Consequence),
    };
    let parameters = parameters(call, x.layout.len(), along)?;
    let wanted = dtype(&parameters, x.element)?;
    let found = call.emit.dtype(&x).clone();
    if found != wanted {
        // An input of the network has its scale from here.
        let plain = found == DataType::Plain(ElementType::Int8) && x.element == Element::I8;
        let is_input = call.emit.graph.inputs.contains(&x.id);
        if let (true, Some(bytes)) = (is_input, unsigned(&wanted))
            && x.element == Element::U8
            && (found == bytes || found == DataType::Plain(ElementType::Uint8))
        {
            // Inside uint8 are int8, 128 less.
            call.emit.graph.tensors[x.id.index()].dtype = bytes;
            let id = call.emit.one(Op::Quantize, vec![x.id], &wanted)?;
            let id = call.emit.one(Op::Dequantize, vec![id], &DataType::FLOAT32)?;
            return Ok(vec![Value::Active(Active { id, layout: x.layout, element: Element::F32 })]);
        }
        if !(plain && is_input) {
            let reason = format!("it takes {found} for {wanted}");
            return Err(NodeError::unsupported(reason, "let it have the scale and zero point of what made its input"));
        }
        call.emit.graph.tensors[x.id.index()].dtype = wanted;
    }
    let id = call.emit.one(Op::Dequantize, vec![x.id], &DataType::FLOAT32)?;
    Ok(vec![Value::Active(Active { id, layout: x.layout, element: Element::F32 })])
}

/// Weights: floats that remember the scales of the integers they were.
fn constant_dequantized(call: &Call<'_, '_>, x: &Constant, along: i64) -> Outputs {
    let parameters = parameters(call, x.dims.len(), along)?;
    // Eight bytes for each while it is computed with, four that stay.
    call.emit.budget.take(4 * x.count())?;
    let Some(ints) = x.ints() else {
        return Err(NodeError::unsupported("it dequantises floats", TO_INTEGERS));
    };
    let channel = parameters.channels(&x.dims)?;
    let real = |(i, &stored): (usize, &i64)| {
        let (scale, zero) = parameters.of(channel(i));
        // As the operator's definition has it: the difference of integers, times the scale in single precision.
        f64::from(stored.saturating_sub(zero) as f32 * scale)
    };
    let constant = Constant::from_f64(Element::F32, x.dims.clone(), ints.iter().enumerate().map(real));
    let constant = Constant { name: x.name.clone(), scales: Some(parameters.scales.into()), ..constant };
    Ok(vec![Value::Constant(constant.into())])
}

/// An operand of integers, its scale and its zero point, from input `first` on, as what they stand for.
fn real(call: &mut Call<'_, '_>, inputs: &[Option<Value>], first: usize, along: i64) -> Result<Value, NodeError> {
    call.inputs = (first..first + 3).map(|i| inputs.get(i).cloned().flatten()).collect();
    let mut made = dequantized(call, along)?;
    made.pop().ok_or(NodeError::Consequence)
}

/// A result as integers with the scale and the zero point from input `first` on.
fn stored(call: &mut Call<'_, '_>, inputs: &[Option<Value>], first: usize, y: Value) -> Outputs {
    call.inputs = [Some(y)].into_iter().chain((first..first + 2).map(|i| inputs.get(i).cloned().flatten())).collect();
    quantize(call)
}

pub fn convolution(call: &mut Call<'_, '_>) -> Outputs {
    let inputs = std::mem::take(&mut call.inputs);
    let x = real(call, &inputs, 0, 1)?;
    let weights = real(call, &inputs, 3, 0)?;
    // The bias has the product of both scales.
    call.inputs = vec![inputs.first().cloned().flatten(), inputs.get(1).cloned().flatten()];
    let scale = call.constant(1, "its scale")?.floats();
    let (&[scale], Value::Constant(of_weights)) = (&scale[..], &weights) else {
        return Err(NodeError::unsupported("its weights are computed at run time", FIXED_PARAMETERS));
    };
    let bias = match inputs.get(8).cloned().flatten() {
        Some(Value::Constant(bias)) => {
            let scales: Vec<f32> = of_weights.scales.iter().flat_map(|s| s.iter()).map(|s| s * scale).collect();
            let integers = bias.ints().unwrap_or_default();
            if scales.is_empty() || (scales.len() > 1 && scales.len() != integers.len()) {
                return Err(NodeError::Malformed(format!("its bias has the shape {:?}", bias.dims)));
            }
            let values = integers.iter().enumerate().map(|(i, &v)| f64::from(v as f32 * scales[i % scales.len()]));
            let constant = Constant::from_f64(Element::F32, bias.dims.clone(), values);
            Some(Value::Constant(Constant { name: bias.name.clone(), scales: Some(scales.into()), ..constant }.into()))
        }
        Some(_) => return Err(NodeError::unsupported("its bias is computed at run time", FIXED_PARAMETERS)),
        None => None,
    };
    call.inputs = [Some(x), Some(weights)].into_iter().chain(bias.map(Some)).collect();
    let y = super::conv::conv(call)?.pop().ok_or(NodeError::Consequence)?;
    stored(call, &inputs, 6, y)
}

pub fn product(call: &mut Call<'_, '_>) -> Outputs {
    let inputs = std::mem::take(&mut call.inputs);
    let (a, b) = (real(call, &inputs, 0, -2)?, real(call, &inputs, 3, -1)?);
    call.inputs = vec![Some(a), Some(b)];
    let y = super::matrix::matmul(call)?.pop().ok_or(NodeError::Consequence)?;
    stored(call, &inputs, 6, y)
}
