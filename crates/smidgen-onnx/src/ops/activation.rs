//! Element-wise functions of one operand, and Softmax.

use super::arithmetic::{binary, dims, operand, scalar};
use super::logic::{choose, compare};
use super::{Outputs, reduce, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::{Active, identity};
use crate::node_error::NodeError;
use smidgen_ir::names::onnx_function;
use smidgen_ir::{BinaryKind, CompareKind, DataType, Function, Op, ReduceKind, UnaryKind};

rows! {
    "Celu" COMPUTE celu, "";
    "Clip" INTEGER clip, "RELU and RELU6 where the bounds are theirs";
    "Dropout" MOVE dropout, "inference, where it does nothing";
    "Elu" COMPUTE elu, "";
    "Exp" COMPUTE exp, "";
    "Gelu" COMPUTE gelu, "exact, and the tanh form";
    "HardSigmoid" INTEGER hard_sigmoid, "";
    "HardSwish" INTEGER hard_swish, "also where it is spelt as x * HardSigmoid(x)";
    "Identity" MOVE identity_of, "";
    "LeakyRelu" INTEGER leaky_relu, "";
    "Log" COMPUTE log, "";
    "LogSoftmax" COMPUTE log_softmax, "any axis";
    "Mish" COMPUTE mish, "";
    "PRelu" INTEGER prelu, "constant slope";
    "Relu" INTEGER relu, "";
    "Selu" COMPUTE selu, "";
    "Sigmoid" INTEGER sigmoid, "";
    "Shrink" COMPUTE shrink, "";
    "Softmax" INTEGER softmax, "any axis";
    "Softsign" COMPUTE softsign, "";
    "SwiGLU" COMPUTE swiglu, "";
    "Swish" COMPUTE swish, "";
    "Tanh" INTEGER tanh, "";
    "ThresholdedRelu" COMPUTE thresholded_relu, "";
}

const FLOAT: &DataType = &DataType::FLOAT32;

pub(crate) fn apply(call: &mut Call<'_, '_>, x: &Active, kind: UnaryKind) -> Result<Active, NodeError> {
    let id = call.emit.one(Op::Unary(kind), vec![x.id], FLOAT)?;
    Ok(Active { id, ..x.clone() })
}

/// A function of one operand, whatever it is.
pub(crate) fn of(call: &mut Call<'_, '_>, x: &Value, kind: UnaryKind) -> Result<Value, NodeError> {
    match x {
        Value::Active(x) => Ok(Value::Active(apply(call, x, kind)?)),
        Value::Constant(constant) => {
            let layout = identity(constant.dims.len());
            let id = call.emit.constant(constant, &layout)?;
            let x = Active { id, layout, element: constant.element };
            Ok(Value::Active(apply(call, &x, kind)?))
        }
        Value::Missing => Err(NodeError::Consequence),
    }
}

pub(crate) fn unary(call: &mut Call<'_, '_>, kind: UnaryKind) -> Outputs {
    let x = call.float_input(0)?;
    Ok(vec![Value::Active(apply(call, &x, kind)?)])
}

pub fn relu(call: &mut Call<'_, '_>) -> Outputs {
    unary(call, UnaryKind::Relu)
}

pub fn sigmoid(call: &mut Call<'_, '_>) -> Outputs {
    unary(call, UnaryKind::Logistic)
}

pub fn tanh(call: &mut Call<'_, '_>) -> Outputs {
    unary(call, UnaryKind::Tanh)
}

pub fn hard_swish(call: &mut Call<'_, '_>) -> Outputs {
    unary(call, UnaryKind::HardSwish)
}

/// Functions without an integer form.
pub fn function(call: &mut Call<'_, '_>) -> Outputs {
    match onnx_function(call.node.op) {
        Some(function) => unary(call, UnaryKind::Function(function)),
        None => Err(NodeError::Consequence),
    }
}

pub fn exp(call: &mut Call<'_, '_>) -> Outputs {
    unary(call, UnaryKind::Exp)
}

pub fn log(call: &mut Call<'_, '_>) -> Outputs {
    unary(call, UnaryKind::Log)
}

pub fn leaky_relu(call: &mut Call<'_, '_>) -> Outputs {
    let alpha = call.float("alpha", 0.01)?;
    unary(call, UnaryKind::LeakyRelu { alpha })
}

/// `x` where positive, else `alpha * (exp(x) - 1)`: as `max(x, 0) + alpha * (exp(min(x, 0)) - 1)`.
fn exponential(call: &mut Call<'_, '_>, alpha: f32, scale: f32) -> Outputs {
    let x = Value::Active(call.float_input(0)?);
    let positive = binary(call, BinaryKind::Maximum, &x, &scalar(0.0))?;
    let Value::Active(negative) = binary(call, BinaryKind::Minimum, &x, &scalar(0.0))? else {
        return Err(NodeError::Consequence);
    };
    let power = Value::Active(apply(call, &negative, UnaryKind::Exp)?);
    let below = binary(call, BinaryKind::Sub, &power, &scalar(1.0))?;
    let below = binary(call, BinaryKind::Mul, &below, &scalar(alpha))?;
    let mut y = binary(call, BinaryKind::Add, &positive, &below)?;
    if scale != 1.0 {
        y = binary(call, BinaryKind::Mul, &y, &scalar(scale))?;
    }
    Ok(vec![y])
}

pub fn elu(call: &mut Call<'_, '_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    exponential(call, alpha, 1.0)
}

pub fn selu(call: &mut Call<'_, '_>) -> Outputs {
    // The defaults of the operator's definition.
    let (alpha, gamma) = (call.float("alpha", 1.673_263_2)?, call.float("gamma", 1.050_701)?);
    exponential(call, alpha, gamma)
}

/// The same with `x / alpha` for `x` below 0.
pub fn celu(call: &mut Call<'_, '_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    let x = Value::Active(call.float_input(0)?);
    let inner = binary(call, BinaryKind::Mul, &x, &scalar(1.0 / alpha))?;
    let below = of(call, &inner, UnaryKind::Function(Function::Elu))?;
    let below = binary(call, BinaryKind::Mul, &below, &scalar(alpha))?;
    let below = binary(call, BinaryKind::Minimum, &below, &scalar(0.0))?;
    let above = binary(call, BinaryKind::Maximum, &x, &scalar(0.0))?;
    Ok(vec![binary(call, BinaryKind::Add, &above, &below)?])
}

/// `x * tanh(ln(1 + e^x))`.
pub fn mish(call: &mut Call<'_, '_>) -> Outputs {
    let x = Value::Active(call.float_input(0)?);
    let inner = of(call, &x, UnaryKind::Function(Function::Softplus))?;
    let gate = of(call, &inner, UnaryKind::Tanh)?;
    Ok(vec![binary(call, BinaryKind::Mul, &x, &gate)?])
}

/// `x / (1 + |x|)`.
pub fn softsign(call: &mut Call<'_, '_>) -> Outputs {
    let x = Value::Active(call.float_input(0)?);
    let size = of(call, &x, UnaryKind::Function(Function::Abs))?;
    let size = binary(call, BinaryKind::Add, &size, &scalar(1.0))?;
    Ok(vec![binary(call, BinaryKind::Div, &x, &size)?])
}

/// `x` above a threshold, 0 elsewhere.
pub fn thresholded_relu(call: &mut Call<'_, '_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    let x = Value::Active(call.float_input(0)?);
    let above = compare(call, CompareKind::Greater, &x, &scalar(alpha))?;
    Ok(vec![choose(call, &above, &x, &scalar(0.0))?])
}

/// What lies further from 0 than `lambd`, nearer by `bias`; 0 elsewhere.
pub fn shrink(call: &mut Call<'_, '_>) -> Outputs {
    let (bias, limit) = (call.float("bias", 0.0)?, call.float("lambd", 0.5)?);
    let x = Value::Active(call.float_input(0)?);
    let mut y = scalar(0.0);
    for (kind, limit, bias) in [(CompareKind::Less, -limit, bias), (CompareKind::Greater, limit, -bias)] {
        let beyond = compare(call, kind, &x, &scalar(limit))?;
        let moved = if bias == 0.0 { x.clone() } else { binary(call, BinaryKind::Add, &x, &scalar(bias))? };
        y = choose(call, &beyond, &moved, &y)?;
    }
    Ok(vec![y])
}

/// The first operand as Swish makes it, times the second.
pub fn swiglu(call: &mut Call<'_, '_>) -> Outputs {
    let gated = swish(call)?;
    let other = call.value(1)?.clone();
    Ok(vec![binary(call, BinaryKind::Mul, &gated[0], &other)?])
}

/// `max(0, min(1, alpha * x + beta))`.
pub fn hard_sigmoid(call: &mut Call<'_, '_>) -> Outputs {
    let (alpha, beta) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    let x = Value::Active(call.float_input(0)?);
    let mut y = binary(call, BinaryKind::Mul, &x, &scalar(alpha))?;
    y = binary(call, BinaryKind::Add, &y, &scalar(beta))?;
    y = binary(call, BinaryKind::Maximum, &y, &scalar(0.0))?;
    Ok(vec![binary(call, BinaryKind::Minimum, &y, &scalar(1.0))?])
}

/// `x * sigmoid(alpha * x)`.
pub fn swish(call: &mut Call<'_, '_>) -> Outputs {
    let alpha = call.float("alpha", 1.0)?;
    let x = Value::Active(call.float_input(0)?);
    let inner = match alpha {
        1.0 => x.clone(),
        _ => binary(call, BinaryKind::Mul, &x, &scalar(alpha))?,
    };
    let Value::Active(inner) = inner else { return Err(NodeError::Consequence) };
    let gate = Value::Active(apply(call, &inner, UnaryKind::Logistic)?);
    Ok(vec![binary(call, BinaryKind::Mul, &x, &gate)?])
}

/// By the error function, or by tanh.
pub fn gelu(call: &mut Call<'_, '_>) -> Outputs {
    let by_tanh = call.text("approximate")?.unwrap_or("none") == "tanh";
    unary(call, UnaryKind::Function(if by_tanh { Function::GeluTanh } else { Function::Gelu }))
}

/// The RELU that clamps to this interval.
fn relu_of(low: f32, high: f32) -> Option<UnaryKind> {
    match (low, high) {
        (0.0, 6.0) => Some(UnaryKind::Relu6),
        (-1.0, 1.0) => Some(UnaryKind::ReluN1To1),
        (0.0, f32::INFINITY | f32::MAX) => Some(UnaryKind::Relu),
        _ => None,
    }
}

pub fn clip(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let bound = |call: &Call<'_, '_>, i: usize, open: f32| match call.inputs.get(i) {
        Some(Some(Value::Constant(c))) if c.count() == 1 => Some(c.floats()[0]),
        Some(None) | None => Some(open),
        Some(Some(_)) => None,
    };
    let ends = [("min", f32::NEG_INFINITY), ("max", f32::INFINITY)];
    if call.opset < 11 {
        let [low, high] = ends.map(|(name, open)| call.float(name, open));
        call.inputs.truncate(1);
        call.inputs.extend([low?, high?].map(|end| Some(scalar(end))));
    }
    let (low, high) = (bound(call, 1, ends[0].1), bound(call, 2, ends[1].1));
    if let (Some(low), Some(high)) = (low, high)
        && let Some(kind) = relu_of(low, high)
    {
        return unary(call, kind);
    }
    let mut y = Value::Active(x);
    for (i, bound, open, kind) in
        [(1, low, f32::NEG_INFINITY, BinaryKind::Maximum), (2, high, f32::INFINITY, BinaryKind::Minimum)]
    {
        if bound != Some(open) {
            let limit = call.value(i)?.clone();
            y = binary(call, kind, &y, &limit)?;
        }
    }
    Ok(vec![y])
}

pub fn prelu(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let slope = call.constant(1, "its slope")?;
    if slope.dims.len() > x.layout.len() {
        return Err(NodeError::Malformed(format!("its slope of shape {:?} has more axes than its input", slope.dims)));
    }
    let slope = operand(call.emit, &slope, &x.layout)?;
    let id = call.emit.one(Op::Prelu, vec![x.id, slope], FLOAT)?;
    Ok(vec![call.like(id, &x)])
}

/// The input with the axis of a Softmax last in the graph's tensor, as a matrix if several axes are normalised together.
pub(super) fn normalised(call: &mut Call<'_, '_>) -> Result<(Active, Vec<usize>), NodeError> {
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let rank = dims.len();
    let axis = call.int("axis")?.unwrap_or(if call.opset < 13 { 1 } else { -1 });
    if call.opset < 13 {
        // All axes from the given one on are normalised together.
        let axis = if axis == rank as i64 { rank } else { call.axis(axis, rank)? };
        if dims[axis..].iter().skip(1).any(|&d| d != 1) || axis == rank {
            let flat = vec![dims[..axis].iter().product(), dims[axis..].iter().product()];
            let flat = call.emit.reshape(&x, &flat)?;
            let flat = call.emit.arrange(&flat, &[0, 1])?;
            return Ok((flat, dims));
        }
        return Ok((last(call, &x, axis)?, dims));
    }
    let axis = call.axis(axis, rank)?;
    Ok((last(call, &x, axis)?, dims))
}

/// The input with `axis` last, up to axes of size 1.
pub(super) fn last(call: &mut Call<'_, '_>, x: &Active, axis: usize) -> Result<Active, NodeError> {
    let mut layout: Vec<usize> = x.layout.iter().copied().filter(|&a| a != axis).collect();
    layout.push(axis);
    call.emit.arrange(x, &layout)
}

pub fn softmax(call: &mut Call<'_, '_>) -> Outputs {
    let (x, dims) = normalised(call)?;
    let id = call.emit.one(Op::Softmax { beta: 1.0 }, vec![x.id], FLOAT)?;
    let y = Active { id, ..x };
    Ok(vec![Value::Active(call.emit.reshape(&y, &dims)?)])
}

/// `x - log(sum(exp(x)))`, with the greatest element taken off first, so that nothing overflows.
pub fn log_softmax(call: &mut Call<'_, '_>) -> Outputs {
    let (x, dims) = normalised(call)?;
    let axis = x.layout[x.layout.len() - 1];
    let greatest = Value::Active(reduce::greatest(call, &x, &[axis])?);
    let Value::Active(centred) = binary(call, BinaryKind::Sub, &Value::Active(x), &greatest)? else {
        return Err(NodeError::Consequence);
    };
    let powers = apply(call, &centred, UnaryKind::Exp)?;
    let op = Op::Reduce { kind: ReduceKind::Sum, axes: vec![powers.layout.len() - 1], keep_dims: true };
    let sum = Active { id: call.emit.one(op, vec![powers.id], FLOAT)?, ..powers };
    let log = Value::Active(apply(call, &sum, UnaryKind::Log)?);
    match binary(call, BinaryKind::Sub, &Value::Active(centred), &log)? {
        Value::Active(y) => Ok(vec![Value::Active(call.emit.reshape(&y, &dims)?)]),
        other => Ok(vec![other]),
    }
}

pub fn identity_of(call: &mut Call<'_, '_>) -> Outputs {
    Ok(vec![call.value(0)?.clone()])
}

/// In inference it does nothing.
pub fn dropout(call: &mut Call<'_, '_>) -> Outputs {
    let training =
        call.optional(2, "its training mode")?.and_then(|c| c.ints()).is_some_and(|v| v.iter().any(|&v| v != 0));
    if training && !call.emit.training {
        return Err(NodeError::unsupported(
            "it is in training mode",
            "export the network in evaluation mode: `model.eval()`",
        ));
    }
    let mut outputs = identity_of(call)?;
    if call.node.outputs.iter().skip(1).any(|name| !name.is_empty()) {
        // Everything is kept.
        let shape = dims(call.emit, &outputs[0])?;
        let count = shape.iter().product();
        call.emit.budget.take(count)?;
        outputs.push(Value::Constant(Constant::new(Element::Bool, shape, vec![1; count]).into()));
    }
    Ok(outputs)
}
