//! Gemm and MatMul: fully connected layers where one operand is constant.

use super::{Outputs, arithmetic, rows};
use crate::call::{Call, Value, float_value};
use crate::constant::{Constant, Element};
use crate::emit::{Active, identity};
use crate::node_error::NodeError;
use smidgen_ir::{Activation, BinaryKind, DataType, Op, TensorId};

rows! {
    "Gemm" INTEGER gemm, "as a layer where one operand is constant";
    "MatMul" INTEGER matmul, "as a layer where one operand is a constant matrix";
}

const FLOAT: &DataType = &DataType::FLOAT32;

/// `y[..., o] = sum over k of x[..., k] * w[o, k]`, where axis `along` of `x` is k and of the result o.
pub(super) fn multiply(
    call: &mut Call<'_, '_>,
    x: &Active,
    along: usize,
    weights: &Constant,
    bias: Option<&Constant>,
) -> Result<Active, NodeError> {
    let mut layout: Vec<usize> = x.layout.iter().copied().filter(|&axis| axis != along).collect();
    layout.push(along);
    let x = call.emit.arrange(x, &layout)?;
    let mut inputs = vec![x.id, call.emit.constant(weights, &[0, 1])?];
    if let Some(bias) = bias {
        inputs.push(call.emit.constant(bias, &[0])?);
    }
    let keep_num_dims = layout.len() != 2;
    let id = call.emit.one(
        Op::FullyConnected { keep_num_dims, asymmetric_quantize_inputs: false, activation: Activation::None },
        inputs,
        FLOAT,
    )?;
    Ok(Active { id, layout, element: Element::F32 })
}

/// A constant matrix, with leading axes of size 1 dropped.
fn matrix(constant: &Constant) -> Result<Constant, NodeError> {
    let (leading, last) = constant.dims.split_at(constant.dims.len().saturating_sub(2));
    if last.len() != 2 || leading.iter().any(|&d| d != 1) || constant.element != Element::F32 {
        return Err(NodeError::unsupported(
            format!("its constant operand has the shape {:?} of {}", constant.dims, constant.element.name()),
            "multiply by one float32 matrix",
        ));
    }
    if last.contains(&0) {
        return Err(NodeError::Malformed("its constant operand is empty".into()));
    }
    Ok(constant.reshaped(last.to_vec()))
}

fn fits(call: &Call<'_, '_>, x: &Active, axis: usize, size: usize) -> Result<(), NodeError> {
    let dims = call.emit.dims(x);
    if dims[axis] == size {
        return Ok(());
    }
    Err(NodeError::Malformed(format!("its operand of shape {dims:?} has {} along axis {axis}, not {size}", dims[axis])))
}

/// True if an operand is a constant that weights can be made of: a matrix, perhaps with leading axes of size 1.
fn is_matrix(value: &Value) -> bool {
    let Value::Constant(constant) = value else { return false };
    let (leading, last) = constant.dims.split_at(constant.dims.len().saturating_sub(2));
    last.len() == 2 && leading.iter().all(|&d| d == 1)
}

/// An operand that may be a constant, which then has the file's order of axes.
pub(super) fn operand(call: &mut Call<'_, '_>, value: &Value) -> Result<Active, NodeError> {
    match value {
        Value::Active(x) => Ok(x.clone()),
        Value::Constant(constant) => {
            let layout = identity(constant.dims.len());
            Ok(Active { id: call.emit.constant(constant, &layout)?, layout, element: constant.element })
        }
        Value::Missing => Err(NodeError::Consequence),
    }
}

/// An operand of BATCH_MATMUL as a matrix for each index of its leading axes: its tensor, and whether the last two are the other way round.
fn batched(call: &mut Call<'_, '_>, value: &Value) -> Result<(TensorId, bool), NodeError> {
    let x = operand(call, value)?;
    if *call.emit.dtype(&x) != DataType::FLOAT32 {
        let reason = format!("it computes with {}, and smidgen computes with float32", x.element.name());
        return Err(NodeError::unsupported(reason, "export the network in float32"));
    }
    let rank = x.layout.len();
    let mut turned = identity(rank);
    turned.swap(rank - 2, rank - 1);
    if x.layout == turned {
        return Ok((x.id, true));
    }
    Ok((call.emit.arrange(&x, &identity(rank))?.id, false))
}

/// The product of two operands of two or more axes, with the leading ones broadcast; each may be turned, the last two axes the other way
/// round.
pub(super) fn product(call: &mut Call<'_, '_>, operands: [&Value; 2], turn: [bool; 2]) -> Result<Active, NodeError> {
    let mut inputs = Vec::new();
    let mut adjoint = turn;
    for (i, value) in operands.into_iter().enumerate() {
        let (id, turned) = batched(call, value)?;
        inputs.push(id);
        adjoint[i] ^= turned;
    }
    let id = call.emit.one(Op::BatchMatmul { adjoint }, inputs, FLOAT)?;
    let layout = identity(call.emit.graph.tensor(id).shape.rank());
    Ok(Active { id, layout, element: Element::F32 })
}

/// The same operand with another shape of as many elements.
pub(super) fn reshaped(call: &mut Call<'_, '_>, value: &Value, shape: &[usize]) -> Result<Value, NodeError> {
    match value {
        Value::Active(x) => Ok(Value::Active(call.emit.reshape(x, shape)?)),
        Value::Constant(constant) => Ok(Value::Constant(constant.reshaped(shape.to_vec()).into())),
        Value::Missing => Err(NodeError::Consequence),
    }
}

pub fn matmul(call: &mut Call<'_, '_>) -> Outputs {
    let (a, b) = (call.value(0)?.clone(), call.value(1)?.clone());
    let ranks = [arithmetic::dims(call.emit, &a)?.len(), arithmetic::dims(call.emit, &b)?.len()];
    if ranks.contains(&0) {
        return Err(NodeError::Malformed("one of its operands is a scalar".into()));
    }
    match (&a, &b) {
        (Value::Constant(matrix_a), Value::Active(_)) if is_matrix(&a) && ranks[1] >= 2 => {
            let (a, b) = (matrix(matrix_a)?, call.float_input(1)?);
            let rank = b.layout.len();
            fits(call, &b, rank - 2, a.dims[1])?;
            return Ok(vec![Value::Active(multiply(call, &b, rank - 2, &a, None)?)]);
        }
        (_, Value::Constant(matrix_b)) if is_matrix(&b) => {
            let (a, b) = (call.float_input(0)?, matrix(matrix_b)?);
            let rank = a.layout.len();
            fits(call, &a, rank - 1, b.dims[0])?;
            return Ok(vec![Value::Active(multiply(call, &a, rank - 1, &b.transposed(&[1, 0]), None)?)]);
        }
        _ => {}
    }
    // A vector is a row of the first or a column of the second operand, and its axis goes.
    let shapes = [arithmetic::dims(call.emit, &a)?, arithmetic::dims(call.emit, &b)?];
    let a = if ranks[0] == 1 { reshaped(call, &a, &[1, shapes[0][0]])? } else { a };
    let b = if ranks[1] == 1 { reshaped(call, &b, &[shapes[1][0], 1])? } else { b };
    let y = product(call, [&a, &b], [false; 2])?;
    let mut shape = call.emit.dims(&y);
    if ranks[1] == 1 {
        shape.pop();
    }
    if ranks[0] == 1 {
        shape.remove(shape.len() - if ranks[1] == 1 { 1 } else { 2 });
    }
    Ok(vec![Value::Active(call.emit.reshape(&y, &shape)?)])
}

/// `alpha * A' * B' + beta * C`.
pub fn gemm(call: &mut Call<'_, '_>) -> Outputs {
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    let turn = [call.flag("transA", false)?, call.flag("transB", false)?];
    let (x, along, weights) = match (call.value(0)?.clone(), call.value(1)?.clone()) {
        (Value::Constant(a), Value::Active(_)) => {
            let a = matrix(&a)?;
            let a = if turn[0] { a.transposed(&[1, 0]) } else { a };
            (call.float_input(1)?, usize::from(turn[1]), a)
        }
        (_, Value::Constant(b)) => {
            let b = matrix(&b)?;
            let b = if turn[1] { b } else { b.transposed(&[1, 0]) };
            (call.float_input(0)?, usize::from(!turn[0]), b)
        }
        (a, b) => {
            let mut y = Value::Active(product(call, [&a, &b], turn)?);
            if alpha != 1.0 {
                y = arithmetic::binary(call, BinaryKind::Mul, &y, &arithmetic::scalar(alpha))?;
            }
            if call.has(2) && beta != 0.0 {
                let mut addend = call.value(2)?.clone();
                if beta != 1.0 {
                    addend = arithmetic::binary(call, BinaryKind::Mul, &addend, &arithmetic::scalar(beta))?;
                }
                y = arithmetic::binary(call, BinaryKind::Add, &y, &addend)?;
            }
            return Ok(vec![y]);
        }
    };
    if x.layout.len() != 2 {
        return Err(NodeError::Malformed(format!("its operand has {} dimensions", x.layout.len())));
    }
    fits(call, &x, along, weights.dims[1])?;
    let weights = scaled(&weights, alpha);
    // A transposed operand only changes which axis of the file lies where.
    let constant_first = matches!(call.value(0)?, Value::Constant(_)) && matches!(call.value(1)?, Value::Active(_));
    let x = if turn[usize::from(constant_first)] { swapped(&x) } else { x };
    let along = usize::from(!constant_first);
    let outputs = weights.dims[0];
    let addend = match call.has(2) && beta != 0.0 {
        true => Some(call.value(2)?.clone()),
        false => None,
    };
    // One number for each output is a bias.
    let bias = match &addend {
        Some(Value::Constant(c)) if along == 1 && c.dims.last() == Some(&outputs) && c.count() == outputs => {
            Some(scaled(&c.reshaped(vec![outputs]), beta))
        }
        _ => None,
    };
    let y = multiply(call, &x, along, &weights, bias.as_ref())?;
    let Some(addend) = addend.filter(|_| bias.is_none()) else { return Ok(vec![Value::Active(y)]) };
    let addend = match addend {
        Value::Constant(c) => Value::Constant(scaled(&c, beta).into()),
        other if beta == 1.0 => other,
        other => {
            let factor = Constant::from_f64(Element::F32, vec![], [f64::from(beta)].into_iter());
            arithmetic::binary(call, BinaryKind::Mul, &other, &Value::Constant(factor.into()))?
        }
    };
    let y = float_value(y.id, y.layout);
    Ok(vec![arithmetic::binary(call, BinaryKind::Add, &y, &addend)?])
}

fn swapped(x: &Active) -> Active {
    Active { layout: x.layout.iter().map(|&axis| 1 - axis).collect(), ..x.clone() }
}

fn scaled(constant: &Constant, factor: f32) -> Constant {
    if factor == 1.0 {
        return constant.clone();
    }
    let values = constant.floats();
    let scaled = Constant::from_f64(Element::F32, constant.dims.clone(), values.iter().map(|v| f64::from(v * factor)));
    Constant { name: constant.name.clone(), ..scaled }
}
