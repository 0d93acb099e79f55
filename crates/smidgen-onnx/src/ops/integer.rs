//! Products of integers, and quantisation whose scale is found at run time: what ONNX Runtime's dynamic quantisation writes. They are
//! computed on floats, which hold the integers and, below 2^24, their sums.

use super::activation::of;
use super::arithmetic::{binary, scalar};
use super::logic::convert;
use super::matrix::{matmul, reshaped};
use super::reduce::over;
use super::{Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::node_error::NodeError;
use smidgen_ir::{BinaryKind, Function, ReduceKind, UnaryKind};

rows! {
    "ConvInteger" BYTES convolution, "constant weights; on floats";
    "DynamicQuantizeLinear" COMPUTE dynamic, "on floats";
    "MatMulInteger" BYTES product, "on floats";
}

/// Input `i` as floats, less the zero point that is input `zero`. Zero points of several channels lie along an axis of so many.
fn centred(call: &mut Call<'_, '_>, i: usize, zero: usize, axis: [usize; 2]) -> Result<Value, NodeError> {
    let x = call.value(i)?.clone();
    if !matches!(x.element()?, Element::I8 | Element::U8) {
        return Err(NodeError::Malformed(format!("its input {i} holds {}", x.element()?.name())));
    }
    let x = convert(call, &x, Element::F32)?;
    if !call.has(zero) {
        return Ok(x);
    }
    let zero = call.value(zero)?.clone();
    let mut zero = convert(call, &zero, Element::F32)?;
    if let &[channels] = &super::arithmetic::dims(call.emit, &zero)?[..] {
        let [axis, rank] = axis;
        let mut shape = vec![1; rank];
        shape[axis] = channels;
        zero = reshaped(call, &zero, &shape)?;
    }
    let (Value::Constant(known), Value::Constant(offset)) = (&x, &zero) else {
        return binary(call, BinaryKind::Sub, &x, &zero);
    };
    // Weights stay constants.
    let offsets = offset.reals();
    let axis = offset.dims.iter().position(|&d| d == offsets.len()).unwrap_or(0);
    let inner: usize = known.dims.iter().skip(axis + 1).product();
    if offsets.is_empty() || (offsets.len() > 1 && known.dims.get(axis) != Some(&offsets.len())) {
        return Err(NodeError::Malformed(format!("its zero points have the shape {:?}", offset.dims)));
    }
    call.emit.budget.take(12 * known.count())?;
    let channel = |i: usize| if offsets.len() == 1 { 0 } else { i / inner.max(1) % offsets.len() };
    let values = known.reals().into_iter().enumerate().map(|(i, v)| v - offsets[channel(i)]);
    let constant = Constant::from_f64(Element::F32, known.dims.clone(), values);
    Ok(Value::Constant(Constant { name: known.name.clone(), ..constant }.into()))
}

/// The only output of a translation, as int32.
fn whole(call: &mut Call<'_, '_>, mut made: Vec<Value>) -> Outputs {
    let y = made.pop().ok_or(NodeError::Consequence)?;
    Ok(vec![convert(call, &y, Element::I32)?])
}

pub fn product(call: &mut Call<'_, '_>) -> Outputs {
    let rank =
        |call: &Call<'_, '_>, i: usize| Ok::<_, NodeError>(super::arithmetic::dims(call.emit, call.value(i)?)?.len());
    let (rows, columns) = (rank(call, 0)?.max(2), rank(call, 1)?.max(1));
    let a = centred(call, 0, 2, [rows - 2, rows])?;
    let b = centred(call, 1, 3, [columns - 1, columns])?;
    call.inputs = vec![Some(a), Some(b)];
    let made = matmul(call)?;
    whole(call, made)
}

pub fn convolution(call: &mut Call<'_, '_>) -> Outputs {
    let rank = super::arithmetic::dims(call.emit, call.value(1)?)?.len().max(1);
    let (x, weights) = (centred(call, 0, 2, [0, 1])?, centred(call, 1, 3, [0, rank])?);
    call.inputs = vec![Some(x), Some(weights)];
    let made = super::conv::conv(call)?;
    whole(call, made)
}

/// The scale and zero point that hold an input's range and 0, and the input as uint8 with them.
pub fn dynamic(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let axes: Vec<usize> = (0..x.layout.len()).collect();
    let mut ends = Vec::new();
    for (kind, end) in [(ReduceKind::Min, BinaryKind::Minimum), (ReduceKind::Max, BinaryKind::Maximum)] {
        let found = Value::Active(over(call, kind, &x, &axes, false)?);
        ends.push(binary(call, end, &found, &scalar(0.0))?);
    }
    let range = binary(call, BinaryKind::Sub, &ends[1], &ends[0])?;
    let scale = binary(call, BinaryKind::Div, &range, &scalar(255.0))?;
    let clamped = |call: &mut Call<'_, '_>, v: &Value| {
        let v = binary(call, BinaryKind::Maximum, v, &scalar(0.0))?;
        binary(call, BinaryKind::Minimum, &v, &scalar(255.0))
    };
    let below = binary(call, BinaryKind::Sub, &scalar(0.0), &ends[0])?;
    let zero = binary(call, BinaryKind::Div, &below, &scale)?;
    let zero = clamped(call, &zero)?;
    let zero = of(call, &zero, UnaryKind::Function(Function::Round))?;
    let steps = binary(call, BinaryKind::Div, &Value::Active(x), &scale)?;
    let steps = of(call, &steps, UnaryKind::Function(Function::Round))?;
    let steps = binary(call, BinaryKind::Add, &steps, &zero)?;
    let steps = clamped(call, &steps)?;
    Ok(vec![convert(call, &steps, Element::U8)?, scale, convert(call, &zero, Element::U8)?])
}
