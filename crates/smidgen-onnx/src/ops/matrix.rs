//! Gemm and MatMul: fully connected layers where one operand is constant.

use super::{Outputs, arithmetic, rows};
use crate::call::{Call, Value, float_value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{Activation, BinaryKind, DataType, Op};

rows! {
    "Gemm" INTEGER gemm, "one operand constant";
    "MatMul" INTEGER matmul, "one operand a constant matrix";
}

const FLOAT: &DataType = &DataType::FLOAT32;

/// `y[..., o] = sum over k of x[..., k] * w[o, k]`, where axis `along` of `x` is k and of the result o.
fn multiply(
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

const BOTH: &str = "both of its operands are computed at run time; one must be constant";
const ONE_CONSTANT: &str = "use layers with constant weights: attention and the like are not supported";

pub fn matmul(call: &mut Call<'_, '_>) -> Outputs {
    let (a, b) = (call.value(0)?.clone(), call.value(1)?.clone());
    match (a, b) {
        (Value::Constant(a), Value::Active(_)) => {
            let (a, b) = (matrix(&a)?, call.float_input(1)?);
            let rank = b.layout.len();
            if rank < 2 {
                return Err(NodeError::unsupported(
                    "it multiplies a matrix by a vector",
                    "multiply by a matrix of one column",
                ));
            }
            fits(call, &b, rank - 2, a.dims[1])?;
            Ok(vec![Value::Active(multiply(call, &b, rank - 2, &a, None)?)])
        }
        (_, Value::Constant(b)) => {
            let (a, b) = (call.float_input(0)?, matrix(&b)?);
            let rank = a.layout.len();
            if rank == 0 {
                return Err(NodeError::Malformed("its first operand is a scalar".into()));
            }
            fits(call, &a, rank - 1, b.dims[0])?;
            Ok(vec![Value::Active(multiply(call, &a, rank - 1, &b.transposed(&[1, 0]), None)?)])
        }
        _ => Err(NodeError::unsupported(BOTH, ONE_CONSTANT)),
    }
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
        _ => return Err(NodeError::unsupported(BOTH, ONE_CONSTANT)),
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
