//! Quantisation parameters as the integer kernels want them.

use super::builder::Builder;
use super::error::Refusal;
use crate::epilogue::{Channel, Packed, Proofs};
use smidgen_ir::{Activation, ElementType, Operator, Tensor, TensorId};
use smidgen_kernels::Rounding;
use smidgen_kernels::int8::mcu::{Epilogue, Width};
use smidgen_kernels::int8::{Int8, fast};
use smidgen_kernels::int16::{Int16, mcu as mcu16};
use smidgen_kernels::memory::Integer;
use smidgen_kernels::requant::Factor;
use smidgen_program::program::ConstantId;

/// Scale and zero point of an int8 activation.
pub(super) fn int8(tensor: &Tensor) -> Result<(f32, i32), Refusal> {
    match (tensor.element(), tensor.per_tensor()) {
        (ElementType::Int8, Some(pair)) => Ok(pair),
        (ElementType::Int8, None) => {
            Err(Refusal(format!("`{}` is int8 without one scale for the whole tensor", tensor.name)))
        }
        (other, _) => Err(unsupported(tensor, other)),
    }
}

/// Scale of an int16 activation.
pub(super) fn int16(tensor: &Tensor) -> Result<f32, Refusal> {
    match (tensor.element(), tensor.per_tensor()) {
        (ElementType::Int16, Some((scale, 0))) => Ok(scale),
        (ElementType::Int16, _) => {
            Err(Refusal(format!("`{}` is int16 without one scale for the whole tensor and zero point 0", tensor.name)))
        }
        (other, _) => Err(unsupported(tensor, other)),
    }
}

/// The refusal of an element type that the operator has no kernel for.
pub(super) fn unsupported(tensor: &Tensor, element: ElementType) -> Refusal {
    Refusal(format!("`{}` is {element}; there are kernels for i8, i16 and f32", tensor.name))
}

/// The least and greatest stored integer that an activation allows, as TensorFlow Lite's `CalculateActivationRangeQuantized` gives them: in
/// single precision, rounding half away from zero. Scales are refused for which an end of the activation lies beyond the int32 that
/// TensorFlow Lite turns it into.
pub(super) fn clamp<T: Integer>(activation: Activation, scale: f32, zero_point: i32) -> Result<(T, T), Refusal> {
    /// Steps with room for a zero point.
    const MOST: f32 = (1u32 << 30) as f32;
    let (low, high) = activation.range();
    let (least, most): (i32, i32) = (T::MIN.into(), T::MAX.into());
    let stored = |real: f32, unbounded: i32| {
        if !real.is_finite() {
            return Ok(unbounded);
        }
        let steps = libm::roundf(real / scale);
        if steps.abs() > MOST {
            return Err(Refusal(format!(
                "the output's scale {scale} is too small for its activation, which ends at {real}: quantise the network again"
            )));
        }
        Ok((zero_point + steps as i32).clamp(least, most))
    };
    Ok((T::wrap(stored(low, least)?), T::wrap(stored(high, most)?)))
}

/// The int8 elements of constant weights.
pub(super) fn weights_i8(tensor: &Tensor) -> Result<Vec<i8>, Refusal> {
    match tensor.element() {
        ElementType::Int8 | ElementType::Int4 => {}
        other => return Err(Refusal(format!("the weights `{}` are {other}; i8 or i4 is supported", tensor.name))),
    }
    let values = tensor.integers().ok_or_else(|| not_constant(tensor))?;
    Ok(values.into_iter().map(|v| v as i8).collect())
}

/// The int32 elements of an optional constant bias; zeros if it is absent.
pub(super) fn bias_i32(tensor: Option<&Tensor>, channels: usize) -> Result<Vec<i32>, Refusal> {
    let Some(tensor) = tensor else { return Ok(vec![0; channels]) };
    match (tensor.element(), tensor.integers()) {
        (ElementType::Int32, Some(values)) if values.len() == channels => Ok(values),
        (ElementType::Int32, None) => Err(not_constant(tensor)),
        _ => Err(wrong_bias(tensor, ElementType::Int32, channels)),
    }
}

/// The int64 elements of an optional constant bias of a layer on int16; zeros if it is absent.
pub(super) fn bias_i64(tensor: Option<&Tensor>, channels: usize) -> Result<Vec<i64>, Refusal> {
    let Some(tensor) = tensor else { return Ok(vec![0; channels]) };
    match (tensor.element(), tensor.integers_as_i64()) {
        (ElementType::Int64, Some(values)) if values.len() == channels => Ok(values),
        (ElementType::Int64, None) => Err(not_constant(tensor)),
        _ => Err(wrong_bias(tensor, ElementType::Int64, channels)),
    }
}

/// The refusal of a bias of another type or size.
fn wrong_bias(tensor: &Tensor, element: ElementType, channels: usize) -> Refusal {
    Refusal(format!(
        "the bias `{}` is {} {}; {element} with {channels} elements is supported",
        tensor.name,
        tensor.shape,
        tensor.element()
    ))
}

/// The float32 elements of constant weights.
pub(super) fn weights_f32(tensor: &Tensor) -> Result<Vec<f32>, Refusal> {
    match (tensor.element(), tensor.floats()) {
        (ElementType::Float32, Some(values)) => Ok(values),
        (ElementType::Float32, None) => Err(not_constant(tensor)),
        (other, _) => Err(Refusal(format!("`{}` is {other}; f32 is supported beside f32", tensor.name))),
    }
}

/// The float32 elements of an optional constant bias; zeros if it is absent.
pub(super) fn bias_f32(tensor: Option<&Tensor>, channels: usize) -> Result<Vec<f32>, Refusal> {
    let Some(tensor) = tensor else { return Ok(vec![0.0; channels]) };
    let values = weights_f32(tensor)?;
    if values.len() != channels {
        return Err(Refusal(format!(
            "the bias `{}` has {} elements for {channels} channels",
            tensor.name,
            values.len()
        )));
    }
    Ok(values)
}

/// The refusal of a computed tensor where only a constant is supported.
pub(super) fn not_constant(tensor: &Tensor) -> Refusal {
    Refusal(format!("`{}` must be a constant", tensor.name))
}

/// The zero point of weights; 0 where they have several scales.
pub(super) fn weight_zero(weights: &Tensor) -> i32 {
    weights.per_tensor().map_or(0, |(_, zero_point)| zero_point)
}

/// The scale of the weights of each output channel.
pub(super) fn scales(weights: &Tensor, channels: usize) -> Result<Vec<f32>, Refusal> {
    let quantisation =
        weights.dtype.quantisation().ok_or_else(|| Refusal(format!("the weights `{}` have no scale", weights.name)))?;
    if let smidgen_ir::Quantisation::PerChannel { scales, .. } = quantisation
        && scales.len() != channels
    {
        return Err(Refusal(format!(
            "the weights `{}` have {} scales for {channels} output channels",
            weights.name,
            scales.len()
        )));
    }
    Ok((0..channels).map(|o| quantisation.scale(o)).collect())
}

/// From accumulators to outputs, `input * weight / output`, for each of the output's channels.
pub(super) fn factors(input: f32, weights: &Tensor, output: f32, channels: usize) -> Result<Vec<Factor>, Refusal> {
    let scales = scales(weights, channels)?.into_iter();
    Ok(scales.map(|scale| Factor::new(input as f64 * scale as f64 / output as f64)).collect())
}

/// Refuses sums that leave int32 when they are shifted left by their factor: what follows then depends on how the reference was built.
/// `weights` has those of a channel in a row.
pub(super) fn check_shifted_sums(
    tensor: &Tensor,
    factors: &[Factor],
    bias: &[i32],
    weights: &[i8],
    weight_zero: i32,
) -> Result<(), Refusal> {
    let each = weights.len().checked_div(bias.len()).unwrap_or(0).max(1);
    for ((factor, &bias), weights) in factors.iter().zip(bias).zip(weights.chunks_exact(each)) {
        let products = weights.iter().map(|&w| 255 * (i64::from(w) - i64::from(weight_zero)).abs()).sum::<i64>();
        let most = i64::from(bias).abs() + products;
        if factor.shift > 0 && most.checked_mul(1i64 << factor.shift).is_none_or(|most| most > i32::MAX.into()) {
            return Err(Refusal(format!(
                "with the weights `{}` sums reach {most}, which in steps of the output leave 32 bits: the output's scale is too small",
                tensor.name
            )));
        }
    }
    Ok(())
}

/// Refuses sums beyond the 48 bits that TensorFlow Lite's arithmetic of 64-bit sums is made for, and those that in steps of the output
/// leave 32 bits. `weights` has those of a channel in a row.
pub(super) fn check_int16_sums(
    tensor: &Tensor,
    factors: &[Factor],
    bias: &[i64],
    weights: &[i8],
) -> Result<(), Refusal> {
    let each = weights.len().checked_div(bias.len()).unwrap_or(0).max(1);
    for ((factor, &bias), weights) in factors.iter().zip(bias).zip(weights.chunks_exact(each)) {
        let products = weights.iter().map(|&w| i64::from(w).abs() << 15).sum::<i64>();
        let most = bias.unsigned_abs().saturating_add(products.unsigned_abs());
        let steps = most as f64 * f64::from(factor.multiplier) * libm::exp2(f64::from(factor.shift) - 31.0);
        // A factor under 2^-32 counts as 0, which only sums below 2^31 take no harm from.
        let lost = factor.multiplier == 0 && most >= 1 << 31;
        if most >= 1 << 47 || steps >= f64::from(i32::MAX) || lost {
            return Err(Refusal(format!(
                "with the weights `{}` and a bias of {bias} sums leave the bits that this operator has for them on int16",
                tensor.name
            )));
        }
    }
    Ok(())
}

/// The input's zero point folded into each bias; `weights` has those of a channel in a row.
pub(super) fn fold_biases(bias: &mut [i32], input_zero: i32, weights: &[i8]) {
    let each = weights.len().checked_div(bias.len()).unwrap_or(0);
    for (bias, weights) in bias.iter_mut().zip(weights.chunks_exact(each.max(1))) {
        *bias = fast::fold_bias(*bias, input_zero, weights.iter().copied());
    }
}

/// The widths in which a device kernel may store weights, the one that takes least first.
pub(super) fn widths(weights: &Tensor) -> &'static [Width] {
    if weights.element() == ElementType::Int4 { &[Width::Four, Width::Eight] } else { &[Width::Eight] }
}

/// The proven constants of a device kernel with weights of this width, where there are some. `bias` is [folded](fold_biases), `weights` has those of a channel in a
/// row; `start` says what the kernel adds its products to, given bias and weights of a channel; `own_shifts`, that the
/// kernel can do with [shifts of channels' own](smidgen_kernels::int8::mcu::Epilogue::own_shifts).
pub(super) fn finish(
    proofs: &Proofs,
    quant: &Int8,
    (factors, bias, weights): (&[Factor], &[i32], &[i8]),
    width: Width,
    own_shifts: bool,
    start: impl Fn(i32, &[i8]) -> i32,
) -> Option<Packed> {
    let each = weights.len().checked_div(bias.len())?;
    let channels: Vec<Channel> = (bias.iter().zip(factors))
        .zip(weights.chunks_exact(each.max(1)))
        .map(|((&bias, &factor), weights)| {
            Channel::new(factor, bias, weights.iter().copied()).starting_at(start(bias, weights))
        })
        .collect();
    proofs.pack(channels, quant, width, own_shifts)
}

/// Packs bias, multipliers and shifts as the integer kernels list them after their weights.
pub(super) fn channels(builder: &mut Builder, output: TensorId, bias: &[i32], factors: &[Factor]) -> [ConstantId; 3] {
    let bias = builder.constant_i32(format!("{} bias", builder.tensor(output).name), bias);
    let [multipliers, shifts] = scaling(builder, output, factors);
    [bias, multipliers, shifts]
}

/// The words of the channels of a device kernel on int16, where each is [proven](mcu16::Channel::proven). `weights` has those of a channel in a row,
/// at least one.
pub(super) fn proven(quant: &Int16, factors: &[Factor], bias: &[i64], weights: &[i8]) -> Option<Vec<u32>> {
    let each = weights.len().checked_div(bias.len()).filter(|&each| each > 0)?;
    let channels = bias.iter().zip(factors).zip(weights.chunks_exact(each)).map(|((&bias, &factor), weights)| {
        mcu16::Channel::proven(bias, factor, quant.multiplier, weights.iter().copied())
    });
    Some(mcu16::Channel::pack(&channels.collect::<Option<Vec<_>>>()?).collect())
}

/// Adds the weights of an operator as they are packed for a device, and the words of its channels.
pub(super) fn device_constants(
    builder: &mut Builder,
    operator: &Operator,
    packed: &[i8],
    words: &[u32],
) -> Vec<ConstantId> {
    let name = builder.tensor(operator.inputs[1]).name.clone();
    let bytes = packed.iter().map(|&b| b as u8).collect();
    vec![builder.constant(name.clone(), bytes, 4), builder.constant_u32(format!("{name} channels"), words)]
}

/// How the accumulators of a layer become outputs that nobody has looked at: no channel starts beyond what a word holds.
pub(super) fn unread_finish(quant: &Int8) -> Epilogue {
    let once = quant.rounding == Rounding::Once;
    // Where whatever is below 0 is clamped to one output, signs do not matter.
    let is_flat = quant.min == i8::MIN && quant.output_zero <= i32::from(quant.min);
    Epilogue {
        offset: 0,
        shift: 8,
        tie: if once { 0 } else { 256 },
        low: 0,
        unit: 256,
        by_sign: !once && !is_flat,
        extras: 0,
        own_shifts: false,
    }
}

/// Adds constants of so many bytes for an operator whose weights nobody has looked at.
pub(super) fn unread(builder: &mut Builder, operator: &Operator, sizes: &[usize]) -> Vec<ConstantId> {
    let name = &builder.tensor(operator.inputs[1]).name;
    sizes.iter().map(|&bytes| builder.constant(name.clone(), vec![0; bytes], 4)).collect()
}

/// Adds the weights of a layer on int16, and what each of its output channels needs.
pub(super) fn int16_constants(
    builder: &mut Builder,
    operator: &Operator,
    weights: &[i8],
    bias: &[i64],
    factors: &[Factor],
) -> Vec<ConstantId> {
    let name = builder.tensor(operator.inputs[1]).name.clone();
    let weights = builder.constant_i8(name, weights);
    let output = operator.outputs[0];
    let bias = builder.constant_i64(format!("{} bias", builder.tensor(output).name), bias);
    let [multipliers, shifts] = scaling(builder, output, factors);
    vec![weights, bias, multipliers, shifts]
}

/// What a device kernel on int16 needs of how the layer computes.
pub(super) fn int16_mcu_clamp(quant: &Int16) -> mcu16::Clamp {
    mcu16::Clamp { min: quant.min, max: quant.max }
}

/// Packs multipliers and shifts.
fn scaling(builder: &mut Builder, output: TensorId, factors: &[Factor]) -> [ConstantId; 2] {
    let name = &builder.tensor(output).name;
    let multipliers: Vec<i32> = factors.iter().map(|f| f.multiplier).collect();
    let shifts: Vec<i8> = factors.iter().map(|f| f.shift).collect();
    [
        builder.constant_i32(format!("{name} multipliers"), &multipliers),
        builder.constant_i8(format!("{name} shifts"), &shifts),
    ]
}
