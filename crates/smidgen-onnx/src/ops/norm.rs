//! Normalisation.

use super::activation::of;
use super::arithmetic::{binary, scalar};
use super::logic::never_zero;
use super::reduce::over;
use super::{Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{BinaryKind, Function, ReduceKind, UnaryKind};

rows! {
    "BatchNormalization" COMPUTE batch_normalization, "inference; folded into the layer before";
    "GroupNormalization" COMPUTE group_normalization, "constant scale and bias";
    "InstanceNormalization" COMPUTE instance_normalization, "";
    "LRN" COMPUTE local_response_normalization, "";
    "LayerNormalization" COMPUTE layer_normalization, "";
    "LpNormalization" COMPUTE lp_normalization, "";
    "MeanVarianceNormalization" COMPUTE mean_variance_normalization, "";
    "RMSNormalization" COMPUTE rms_normalization, "";
}

/// `x * factor + offset` with a factor and an offset for each channel, which [`fuse`](crate::fuse) folds into the weights before it.
pub fn batch_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let training = call.flag("training_mode", false)? || call.node.outputs.iter().skip(1).any(|name| !name.is_empty());
    if training && !call.emit.training {
        return Err(NodeError::unsupported(
            "it is in training mode",
            "export the network in evaluation mode: `model.eval()`",
        ));
    }
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    let Some(&channels) = dims.get(1) else {
        return Err(NodeError::Malformed(format!("its input has {} dimensions", dims.len())));
    };
    let mut parameters = Vec::new();
    for (i, what) in [(1, "its scale"), (2, "its bias"), (3, "its mean"), (4, "its variance")] {
        let constant = call.constant(i, what)?;
        if constant.dims != [channels] {
            return Err(NodeError::Malformed(format!(
                "{what} has the shape {:?} for {channels} channels",
                constant.dims
            )));
        }
        parameters.push(constant.reals());
    }
    let factor: Vec<f64> = parameters[0].iter().zip(&parameters[3]).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
    let offset = (0..channels).map(|c| parameters[1][c] - parameters[2][c] * factor[c]);
    let shape = [vec![channels], vec![1; dims.len() - 2]].concat();
    let offset = Constant::from_f64(Element::F32, shape.clone(), offset);
    let factor = Constant::from_f64(Element::F32, shape, factor.into_iter());
    let y = binary(call, BinaryKind::Mul, &Value::Active(x), &Value::Constant(factor.into()))?;
    let mut outputs = vec![binary(call, BinaryKind::Add, &y, &Value::Constant(offset.into()))?];
    // Means and variances stay what they are.
    for i in 1..call.node.outputs.len() {
        outputs.push(call.value(if i % 2 == 1 { 3 } else { 4 })?.clone());
    }
    Ok(outputs)
}

/// The mean over some of the file's axes, which stay with size 1.
fn mean(call: &mut Call<'_, '_>, x: &Active, axes: &[usize]) -> Result<Value, NodeError> {
    Ok(Value::Active(over(call, ReduceKind::Mean, x, axes, true)?))
}

/// `sqrt(mean of squares + epsilon)` over some of the file's axes.
fn size_of(call: &mut Call<'_, '_>, x: &Value, axes: &[usize], epsilon: f32) -> Result<Value, NodeError> {
    let Value::Active(square) = binary(call, BinaryKind::Mul, x, x)? else { return Err(NodeError::Consequence) };
    let variance = mean(call, &square, axes)?;
    let variance = binary(call, BinaryKind::Add, &variance, &scalar(epsilon))?;
    of(call, &variance, UnaryKind::Function(Function::Sqrt))
}

/// What standardising gives.
struct Standardised {
    /// `(x - mean) / deviation`.
    y: Value,
    mean: Value,
    /// `sqrt(variance + epsilon)`.
    deviation: Value,
}

/// Standardises over `axes` of the file's.
fn standardised(call: &mut Call<'_, '_>, x: &Active, axes: &[usize], epsilon: f32) -> Result<Standardised, NodeError> {
    let mean = mean(call, x, axes)?;
    let centred = binary(call, BinaryKind::Sub, &Value::Active(x.clone()), &mean)?;
    let deviation = size_of(call, &centred, axes, epsilon)?;
    Ok(Standardised { y: binary(call, BinaryKind::Div, &centred, &deviation)?, mean, deviation })
}

/// A parameter for each channel, with axes of size 1 behind it.
fn per_channel(call: &Call<'_, '_>, i: usize, what: &str, rank: usize) -> Result<Value, NodeError> {
    let constant = call.constant(i, what)?;
    match *constant.dims {
        [channels] => Ok(Value::Constant(constant.reshaped([vec![channels], vec![1; rank - 2]].concat()).into())),
        _ => Err(NodeError::Malformed(format!("{what} has the shape {:?}", constant.dims))),
    }
}

pub fn instance_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let rank = x.layout.len();
    if rank < 3 {
        return Err(NodeError::Malformed(format!("its input has {rank} dimensions")));
    }
    let epsilon = call.float("epsilon", 1e-5)?;
    let (scale, bias) = (per_channel(call, 1, "its scale", rank)?, per_channel(call, 2, "its bias", rank)?);
    let axes: Vec<usize> = (2..rank).collect();
    let y = standardised(call, &x, &axes, epsilon)?.y;
    let y = binary(call, BinaryKind::Mul, &y, &scale)?;
    Ok(vec![binary(call, BinaryKind::Add, &y, &bias)?])
}

/// Standardises groups of channels, then scales each channel; up to set 20 each group.
pub fn group_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let &[batch, channels, ref spatial @ ..] = &dims[..] else {
        return Err(NodeError::Malformed(format!("its input has {} dimensions", dims.len())));
    };
    let groups = call.int("num_groups")?.and_then(|g| usize::try_from(g).ok());
    let groups = groups.filter(|&g| g > 0 && channels.is_multiple_of(g));
    let groups = groups.ok_or_else(|| NodeError::Malformed(format!("{channels} channels cannot be grouped so")))?;
    let mut parameters = Vec::new();
    for (i, what) in [(1, "its scale"), (2, "its bias")] {
        let constant = call.constant(i, what)?;
        let values = constant.reals();
        if !matches!(*constant.dims, [n] if n == channels || n == groups) {
            return Err(NodeError::Malformed(format!("{what} has the shape {:?}", constant.dims)));
        }
        let each = channels / values.len();
        let shape = [vec![channels], vec![1; spatial.len()]].concat();
        let spread = Constant::from_f64(Element::F32, shape, (0..channels).map(|c| values[c / each]));
        parameters.push(Value::Constant(spread.into()));
    }
    let grouped = [&[batch, groups, channels / groups], spatial].concat();
    let axes: Vec<usize> = (2..grouped.len()).collect();
    let x = call.emit.reshape(&x, &grouped)?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let Value::Active(y) = standardised(call, &x, &axes, epsilon)?.y else { return Err(NodeError::Consequence) };
    let y = Value::Active(call.emit.reshape(&y, &dims)?);
    let y = binary(call, BinaryKind::Mul, &y, &parameters[0])?;
    Ok(vec![binary(call, BinaryKind::Add, &y, &parameters[1])?])
}

pub fn mean_variance_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let axes = call.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let axes = call.axes(&axes, x.layout.len())?;
    // As good as the 1e-9 that the definition adds to the deviation, and never 0.
    Ok(vec![standardised(call, &x, &axes, 1e-18)?.y])
}

/// `x / sqrt(mean of squares + epsilon)` times a scale.
pub fn rms_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let rank = x.layout.len();
    let first = call.axis(call.int("axis")?.unwrap_or(-1), rank)?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let axes: Vec<usize> = (first..rank).collect();
    let x = Value::Active(x);
    let size = size_of(call, &x, &axes, epsilon)?;
    let y = binary(call, BinaryKind::Div, &x, &size)?;
    let scale = call.value(1)?.clone();
    Ok(vec![binary(call, BinaryKind::Mul, &y, &scale)?])
}

/// `x` over the sum of its magnitudes, or over the root of that of its squares, along an axis; 0 where that is 0.
pub fn lp_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let axis = call.axis(call.int("axis")?.unwrap_or(-1), x.layout.len())?;
    let p = call.int("p")?.unwrap_or(2);
    let function = match p {
        1 => Function::Abs,
        2 => Function::Square,
        _ => return Err(NodeError::unsupported(format!("its order is {p}"), "use 1 or 2")),
    };
    let powers = super::activation::apply(call, &x, UnaryKind::Function(function))?;
    let mut norm = Value::Active(over(call, ReduceKind::Sum, &powers, &[axis], true)?);
    if p == 2 {
        norm = of(call, &norm, UnaryKind::Function(Function::Sqrt))?;
    }
    let norm = never_zero(call, &norm)?;
    Ok(vec![binary(call, BinaryKind::Div, &Value::Active(x), &norm)?])
}

/// `x / (bias + alpha / size * sum of squares of the channels around)^beta`.
pub fn local_response_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let size = call.int("size")?.and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
    let size = size.ok_or_else(|| NodeError::Malformed("its size is impossible".into()))?;
    let (alpha, beta) = (call.float("alpha", 1e-4)?, call.float("beta", 0.75)?);
    let bias = call.float("bias", 1.0)?;
    let Some(&channels) = dims.get(1) else {
        return Err(NodeError::Malformed(format!("its input has {} dimensions", dims.len())));
    };
    call.emit.budget.take(channels.saturating_mul(channels).saturating_mul(4))?;
    // A layer that adds up neighbours.
    let near = |i: usize| {
        let (to, from) = (i / channels, i % channels);
        let is_near = from + (size - 1) / 2 >= to && from <= to + size / 2;
        if is_near { f64::from(alpha) / size as f64 } else { 0.0 }
    };
    let band = Constant::from_f64(Element::F32, vec![channels, channels], (0..channels * channels).map(near));
    let square = super::activation::apply(call, &x, UnaryKind::Function(Function::Square))?;
    let sum = Value::Active(super::matrix::multiply(call, &square, 1, &band, None)?);
    let sum = binary(call, BinaryKind::Add, &sum, &scalar(bias))?;
    // A power of a positive number.
    let log = of(call, &sum, UnaryKind::Log)?;
    let log = binary(call, BinaryKind::Mul, &log, &scalar(-beta))?;
    let power = of(call, &log, UnaryKind::Exp)?;
    Ok(vec![binary(call, BinaryKind::Mul, &Value::Active(x), &power)?])
}

pub fn layer_normalization(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let rank = x.layout.len();
    let first = call.axis(call.int("axis")?.unwrap_or(-1), rank)?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let axes: Vec<usize> = (first..rank).collect();
    let Standardised { mut y, mean, deviation } = standardised(call, &x, &axes, epsilon)?;
    for (i, kind) in [(1, BinaryKind::Mul), (2, BinaryKind::Add)] {
        if call.has(i) {
            let parameter = call.value(i)?.clone();
            y = binary(call, kind, &y, &parameter)?;
        }
    }
    let mut outputs = vec![y, mean];
    if call.node.outputs.get(2).is_some_and(|name| !name.is_empty()) {
        outputs.push(binary(call, BinaryKind::Div, &scalar(1.0), &deviation)?);
    }
    Ok(outputs)
}
