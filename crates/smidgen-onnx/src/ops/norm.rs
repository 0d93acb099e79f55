//! Normalisation.

use super::arithmetic::{binary, scalar};
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{BinaryKind, DataType, Function, Op, ReduceKind, UnaryKind};

rows! {
    "BatchNormalization" COMPUTE batch_normalization, "inference; folded into the layer before";
    "InstanceNormalization" COMPUTE instance_normalization, "";
    "LayerNormalization" COMPUTE layer_normalization, "";
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

/// `(x - mean) / sqrt(variance + epsilon)` over `axes` of the file's.
fn standardised(call: &mut Call<'_, '_>, x: &Active, axes: &[usize], epsilon: f32) -> Result<Value, NodeError> {
    let mean = |call: &mut Call<'_, '_>, x: &Active| {
        let axes = (0..x.layout.len()).filter(|&i| axes.contains(&x.layout[i])).collect();
        let op = Op::Reduce { kind: ReduceKind::Mean, axes, keep_dims: true };
        let id = call.emit.one(op, vec![x.id], &DataType::FLOAT32)?;
        Ok::<_, NodeError>(Value::Active(Active { id, ..x.clone() }))
    };
    let average = mean(call, x)?;
    let centred = binary(call, BinaryKind::Sub, &Value::Active(x.clone()), &average)?;
    let Value::Active(square) = binary(call, BinaryKind::Mul, &centred, &centred)? else {
        return Err(NodeError::Consequence);
    };
    let variance = mean(call, &square)?;
    let Value::Active(variance) = binary(call, BinaryKind::Add, &variance, &scalar(epsilon))? else {
        return Err(NodeError::Consequence);
    };
    let deviation = Value::Active(super::activation::apply(call, &variance, UnaryKind::Function(Function::Sqrt))?);
    binary(call, BinaryKind::Div, &centred, &deviation)
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
    let y = standardised(call, &x, &axes, epsilon)?;
    let y = binary(call, BinaryKind::Mul, &y, &scale)?;
    Ok(vec![binary(call, BinaryKind::Add, &y, &bias)?])
}

pub fn layer_normalization(call: &mut Call<'_, '_>) -> Outputs {
    if call.node.outputs.iter().skip(1).any(|name| !name.is_empty()) {
        return Err(NodeError::unsupported("it is asked for the mean or the deviation", FIXED_PARAMETERS));
    }
    let x = call.float_input(0)?;
    let rank = x.layout.len();
    let first = call.axis(call.int("axis")?.unwrap_or(-1), rank)?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let axes: Vec<usize> = (first..rank).collect();
    let mut y = standardised(call, &x, &axes, epsilon)?;
    for (i, kind) in [(1, BinaryKind::Mul), (2, BinaryKind::Add)] {
        if call.has(i) {
            let parameter = call.value(i)?.clone();
            y = binary(call, kind, &y, &parameter)?;
        }
    }
    Ok(vec![y])
}
