//! Element-wise arithmetic of several operands, with broadcasting.

use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value, float_value};
use crate::constant::{Constant, Element};
use crate::emit::{Active, Emitter, identity};
use crate::node_error::NodeError;
use smidgen_ir::{Activation, BinaryKind, DataType, Function, Op, TensorId, UnaryKind};

rows! {
    "Abs" COMPUTE abs, "";
    "Add" INTEGER add, "broadcasting";
    "Div" COMPUTE div, "broadcasting";
    "Max" INTEGER max, "broadcasting";
    "Mean" COMPUTE mean, "broadcasting";
    "Min" INTEGER min, "broadcasting";
    "Mul" INTEGER mul, "broadcasting";
    "Neg" COMPUTE neg, "";
    "Pow" COMPUTE pow, "one constant exponent: whole up to 64, or with a fraction";
    "Reciprocal" COMPUTE reciprocal, "";
    "Sub" INTEGER sub, "broadcasting";
    "Sum" COMPUTE sum, "broadcasting";
}

const FLOAT: &DataType = &DataType::FLOAT32;

/// A scalar.
pub(crate) fn scalar(value: f32) -> Value {
    Value::Constant(Constant::from_f64(Element::F32, vec![], [f64::from(value)].into_iter()).into())
}

pub(crate) fn dims(emit: &Emitter, value: &Value) -> Result<Vec<usize>, NodeError> {
    match value {
        Value::Constant(constant) => Ok(constant.dims.clone()),
        Value::Active(active) => Ok(emit.dims(active)),
        Value::Missing => Err(NodeError::Consequence),
    }
}

/// The same with leading axes of size 1.
pub(crate) fn lifted(of: &[usize], rank: usize) -> Vec<usize> {
    [vec![1; rank.saturating_sub(of.len())], of.to_vec()].concat()
}

/// A constant operand with its axes as `layout` has them, without leading axes of size 1.
pub(crate) fn operand(emit: &mut Emitter, constant: &Constant, layout: &[usize]) -> Result<TensorId, NodeError> {
    let turned = constant.reshaped(lifted(&constant.dims, layout.len())).transposed(layout);
    let ones = turned.dims.iter().take_while(|&&d| d == 1).count().min(turned.dims.len().saturating_sub(1));
    let turned = turned.reshaped(turned.dims[ones..].to_vec());
    emit.constant(&turned, &identity(turned.dims.len()))
}

/// Operands of an operator that works element by element, brought to one layout: their tensors, and that layout.
pub(crate) fn met(emit: &mut Emitter, values: &[&Value]) -> Result<(Vec<TensorId>, Vec<usize>), NodeError> {
    let sizes = values.iter().map(|value| dims(emit, value)).collect::<Result<Vec<_>, _>>()?;
    let rank = sizes.iter().map(Vec::len).max().unwrap_or(0);
    // The largest operand stays as it lies, of equal ones the first.
    let mut leader: Option<(usize, Active)> = None;
    let mut active = Vec::new();
    for (value, size) in values.iter().zip(&sizes) {
        let lifted = match value {
            Value::Active(x) => Some(emit.reshape(x, &lifted(size, rank))?),
            _ => None,
        };
        let count = size.iter().product();
        if let Some(x) = &lifted
            && leader.as_ref().is_none_or(|(most, _)| count > *most)
        {
            leader = Some((count, x.clone()));
        }
        active.push(lifted);
    }
    let layout = leader.map_or_else(|| identity(rank), |(_, x)| x.layout);
    let mut inputs = Vec::with_capacity(values.len());
    for (value, active) in values.iter().zip(&active) {
        inputs.push(match (value, active) {
            (_, Some(x)) => emit.arrange(x, &layout)?.id,
            (Value::Constant(constant), None) => operand(emit, constant, &layout)?,
            _ => return Err(NodeError::Consequence),
        });
    }
    Ok((inputs, layout))
}

/// One operator on two operands.
pub(crate) fn binary(call: &mut Call<'_, '_>, kind: BinaryKind, a: &Value, b: &Value) -> Result<Value, NodeError> {
    let emit = &mut *call.emit;
    let (inputs, layout) = met(emit, &[a, b])?;
    for &id in &inputs {
        if emit.graph.tensor(id).dtype != DataType::FLOAT32 {
            let reason = format!("it computes with {}, and smidgen computes with float32", emit.graph.tensor(id).dtype);
            return Err(NodeError::unsupported(reason, "export the network in float32"));
        }
    }
    let id = emit.one(Op::Binary { kind, activation: Activation::None }, inputs, FLOAT)?;
    Ok(float_value(id, layout))
}

fn two(call: &mut Call<'_, '_>, kind: BinaryKind) -> Outputs {
    let (a, b) = (call.value(0)?.clone(), call.value(1)?.clone());
    Ok(vec![binary(call, kind, &a, &b)?])
}

pub fn add(call: &mut Call<'_, '_>) -> Outputs {
    two(call, BinaryKind::Add)
}

pub fn sub(call: &mut Call<'_, '_>) -> Outputs {
    two(call, BinaryKind::Sub)
}

pub fn mul(call: &mut Call<'_, '_>) -> Outputs {
    two(call, BinaryKind::Mul)
}

/// Any number of operands, in order.
fn several(call: &mut Call<'_, '_>, kind: BinaryKind) -> Result<Value, NodeError> {
    let mut result = call.value(0)?.clone();
    if call.inputs.len() == 1 {
        let x = call.float_input(0)?;
        return Ok(Value::Active(x));
    }
    for i in 1..call.inputs.len() {
        let next = call.value(i)?.clone();
        result = binary(call, kind, &result, &next)?;
    }
    Ok(result)
}

pub fn sum(call: &mut Call<'_, '_>) -> Outputs {
    Ok(vec![several(call, BinaryKind::Add)?])
}

pub fn max(call: &mut Call<'_, '_>) -> Outputs {
    Ok(vec![several(call, BinaryKind::Maximum)?])
}

pub fn min(call: &mut Call<'_, '_>) -> Outputs {
    Ok(vec![several(call, BinaryKind::Minimum)?])
}

pub fn mean(call: &mut Call<'_, '_>) -> Outputs {
    let sum = several(call, BinaryKind::Add)?;
    let share = scalar(1.0 / call.inputs.len() as f32);
    Ok(vec![binary(call, BinaryKind::Mul, &sum, &share)?])
}

pub fn div(call: &mut Call<'_, '_>) -> Outputs {
    two(call, BinaryKind::Div)
}

pub fn neg(call: &mut Call<'_, '_>) -> Outputs {
    super::activation::unary(call, UnaryKind::Function(Function::Neg))
}

pub fn abs(call: &mut Call<'_, '_>) -> Outputs {
    super::activation::unary(call, UnaryKind::Function(Function::Abs))
}

pub fn reciprocal(call: &mut Call<'_, '_>) -> Outputs {
    let x = Value::Active(call.float_input(0)?);
    Ok(vec![binary(call, BinaryKind::Div, &scalar(1.0), &x)?])
}

/// Whole exponents up to which a power is a product, and the inverse of one.
const MOST_WHOLE: f64 = 64.0;

/// A whole power of at least 1, by squares of squares.
fn whole_power(call: &mut Call<'_, '_>, x: &Value, exponent: u32) -> Result<Value, NodeError> {
    let mut power = x.clone();
    // From the second highest bit on.
    for bit in (0..exponent.ilog2()).rev() {
        power = binary(call, BinaryKind::Mul, &power, &power)?;
        if exponent >> bit & 1 == 1 {
            power = binary(call, BinaryKind::Mul, &power, x)?;
        }
    }
    Ok(power)
}

/// Pow with one constant exponent: products for whole ones, else by way of the logarithm, which has no negative numbers either.
pub fn pow(call: &mut Call<'_, '_>) -> Outputs {
    let x = Value::Active(call.float_input(0)?);
    let exponent = call.constant(1, "its exponent")?;
    let values = exponent.reals();
    let one = values.first().copied().filter(|&first| values.iter().all(|&value| value == first));
    let function = |call: &mut Call<'_, '_>, kind| super::activation::unary(call, kind);
    let result = match one {
        Some(0.5) => function(call, UnaryKind::Function(Function::Sqrt))?.remove(0),
        Some(-0.5) => function(call, UnaryKind::Function(Function::Rsqrt))?.remove(0),
        Some(power) if power.fract() == 0.0 && power != 0.0 && power.abs() <= MOST_WHOLE => {
            let whole = whole_power(call, &x, power.abs() as u32)?;
            if power > 0.0 { whole } else { binary(call, BinaryKind::Div, &scalar(1.0), &whole)? }
        }
        Some(power) if power.fract() != 0.0 => {
            let log = function(call, UnaryKind::Log)?.remove(0);
            let product = binary(call, BinaryKind::Mul, &log, &scalar(power as f32))?;
            let Value::Active(product) = product else { return Err(NodeError::Consequence) };
            let id = call.emit.one(Op::Unary(UnaryKind::Exp), vec![product.id], &DataType::FLOAT32)?;
            call.like(id, &product)
        }
        _ => {
            let reason = format!("its exponents are {:?}", &values[..values.len().min(4)]);
            return Err(NodeError::unsupported(reason, FIXED_PARAMETERS));
        }
    };
    if let (Value::Active(y), true) = (&result, exponent.dims.len() > 1) {
        let rank = exponent.dims.len().max(y.layout.len());
        let shape = lifted(&call.emit.dims(y), rank);
        return Ok(vec![Value::Active(call.emit.reshape(y, &shape)?)]);
    }
    Ok(vec![result])
}
