//! Reductions along axes, and running sums.

use super::activation::apply;
use super::arithmetic::{binary, scalar};
use super::logic::convert;
use super::pick::part;
use super::{Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::Element;
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{
    Activation, BinaryKind, DataType, ElementType, Function, Op, PadValue, Padding, PoolKind, ReduceKind, UnaryKind,
};

rows! {
    "ArgMax" INTEGER arg_max, "";
    "ArgMin" COMPUTE arg_min, "";
    "CumSum" COMPUTE cum_sum, "constant axis";
    "ReduceL1" COMPUTE l1, "constant axes";
    "ReduceL2" COMPUTE l2, "constant axes";
    "ReduceLogSum" COMPUTE log_sum, "constant axes";
    "ReduceLogSumExp" COMPUTE log_sum_exp, "constant axes";
    "ReduceMax" INTEGER max, "constant axes";
    "ReduceMean" INTEGER mean, "constant axes";
    "ReduceMin" INTEGER min, "constant axes";
    "ReduceProd" COMPUTE product, "constant axes";
    "ReduceSum" COMPUTE sum, "constant axes";
    "ReduceSumSquare" COMPUTE sum_square, "constant axes";
}

const FLOAT: &DataType = &DataType::FLOAT32;

/// The file's axes, and whether they stay with size 1. `None` for axes if nothing is reduced.
fn axes(call: &Call<'_, '_>, rank: usize) -> Result<(Option<Vec<usize>>, bool), NodeError> {
    let keep = call.flag("keepdims", true)?;
    // An attribute in older operator sets, an input in newer ones.
    let listed = match call.list(1, "its list of axes")? {
        None => call.ints("axes")?,
        list => list,
    };
    let listed = listed.filter(|list| !list.is_empty());
    match listed {
        Some(list) => Ok((Some(call.axes(&list, rank)?), keep)),
        None if call.flag("noop_with_empty_axes", false)? => Ok((None, keep)),
        None => Ok((Some((0..rank).collect()), keep)),
    }
}

/// The layout that is left when the file's `axes` are gone.
fn without(layout: &[usize], axes: &[usize]) -> Vec<usize> {
    let left = layout.iter().filter(|a| !axes.contains(a));
    left.map(|a| a - axes.iter().filter(|gone| *gone < a).count()).collect()
}

/// Reduces the file's `axes`, or nothing if there are none.
pub(super) fn over(
    call: &mut Call<'_, '_>,
    kind: ReduceKind,
    x: &Active,
    axes: &[usize],
    keep_dims: bool,
) -> Result<Active, NodeError> {
    if axes.is_empty() {
        return Ok(x.clone());
    }
    let own = (0..x.layout.len()).filter(|&i| axes.contains(&x.layout[i])).collect();
    let id = call.emit.one(Op::Reduce { kind, axes: own, keep_dims }, vec![x.id], FLOAT)?;
    let layout = if keep_dims { x.layout.clone() } else { without(&x.layout, axes) };
    Ok(Active { id, layout, element: Element::F32 })
}

pub(super) fn reduced(call: &mut Call<'_, '_>, kind: ReduceKind, x: &Active) -> Result<Active, NodeError> {
    let (axes, keep_dims) = axes(call, x.layout.len())?;
    over(call, kind, x, &axes.unwrap_or_default(), keep_dims)
}

fn plain(call: &mut Call<'_, '_>, kind: ReduceKind) -> Outputs {
    let x = call.float_input(0)?;
    Ok(vec![Value::Active(reduced(call, kind, &x)?)])
}

pub fn mean(call: &mut Call<'_, '_>) -> Outputs {
    plain(call, ReduceKind::Mean)
}

pub fn sum(call: &mut Call<'_, '_>) -> Outputs {
    plain(call, ReduceKind::Sum)
}

/// The greatest along axes, as MAX_POOL_2D of one column: the axes that stay before those that go are its batch, those after
/// its channels.
pub(super) fn greatest(call: &mut Call<'_, '_>, x: &Active, axes: &[usize]) -> Result<Active, NodeError> {
    let dims = call.emit.dims(x);
    let gone = |axis: &usize| axes.contains(axis) && dims[*axis] != 1;
    let first = x.layout.iter().position(gone).unwrap_or(0);
    let before: Vec<usize> = x.layout[..first].iter().copied().filter(|a| !axes.contains(a)).collect();
    let after: Vec<usize> = x.layout[first..].iter().copied().filter(|a| !axes.contains(a)).collect();
    let x = call.emit.arrange(x, &[before.as_slice(), axes, &after].concat())?;
    let count = |axes: &[usize]| axes.iter().map(|&a| dims[a]).product::<usize>();
    let id = call.emit.relabel(x.id, vec![count(&before), count(axes), 1, count(&after)])?;
    let op = Op::Pool2d {
        kind: PoolKind::Max,
        window: [count(axes), 1],
        stride: [1, 1],
        padding: Padding::Valid,
        activation: Activation::None,
    };
    let dtype = call.emit.dtype(&x).clone();
    let id = call.emit.one(op, vec![id], &dtype)?;
    // The axes that went stay with size 1.
    let shape = x.layout.iter().map(|&a| if axes.contains(&a) { 1 } else { dims[a] }).collect();
    Ok(Active { id: call.emit.relabel(id, shape)?, ..x })
}

/// The greatest or the least; of bools as numbers.
fn extreme(call: &mut Call<'_, '_>, kind: ReduceKind) -> Outputs {
    let x = Value::Active(call.active(0)?);
    if x.element()? != Element::Bool {
        return plain(call, kind);
    }
    let Value::Active(x) = convert(call, &x, Element::F32)? else { return Err(NodeError::Consequence) };
    let y = Value::Active(reduced(call, kind, &x)?);
    Ok(vec![convert(call, &y, Element::Bool)?])
}

pub fn max(call: &mut Call<'_, '_>) -> Outputs {
    extreme(call, ReduceKind::Max)
}

pub fn min(call: &mut Call<'_, '_>) -> Outputs {
    extreme(call, ReduceKind::Min)
}

pub fn l1(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let sizes = apply(call, &x, UnaryKind::Function(Function::Abs))?;
    Ok(vec![Value::Active(reduced(call, ReduceKind::Sum, &sizes)?)])
}

pub fn log_sum(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let sum = reduced(call, ReduceKind::Sum, &x)?;
    Ok(vec![Value::Active(apply(call, &sum, UnaryKind::Log)?)])
}

/// `m + log(sum(exp(x - m)))` with the greatest element `m`, so that nothing overflows.
pub fn log_sum_exp(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let (axes, keep) = axes(call, x.layout.len())?;
    let Some(axes) = axes.filter(|axes| !axes.is_empty()) else { return Ok(vec![Value::Active(x)]) };
    let most = Value::Active(over(call, ReduceKind::Max, &x, &axes, true)?);
    let Value::Active(centred) = binary(call, BinaryKind::Sub, &Value::Active(x.clone()), &most)? else {
        return Err(NodeError::Consequence);
    };
    let powers = apply(call, &centred, UnaryKind::Exp)?;
    let sum = over(call, ReduceKind::Sum, &powers, &axes, true)?;
    let log = Value::Active(apply(call, &sum, UnaryKind::Log)?);
    let Value::Active(y) = binary(call, BinaryKind::Add, &log, &most)? else { return Err(NodeError::Consequence) };
    let dims = call.emit.dims(&y);
    let kept: Vec<usize> = (0..dims.len()).filter(|a| keep || !axes.contains(a)).map(|a| dims[a]).collect();
    Ok(vec![Value::Active(call.emit.reshape(&y, &kept)?)])
}

/// The product along an axis, of which the halves are multiplied until one index is left.
fn product_along(call: &mut Call<'_, '_>, mut x: Active, axis: usize) -> Result<Active, NodeError> {
    loop {
        let dims = call.emit.dims(&x);
        let half = dims[axis] / 2;
        if half == 0 {
            return Ok(x);
        }
        let part = |call: &mut Call<'_, '_>, first: usize, len: usize| {
            let mut ranges: Vec<_> = dims.iter().map(|&d| (0, 1, d)).collect();
            ranges[axis] = (first, 1, len);
            super::pick::part(call, &x, &ranges)
        };
        let (a, b) = (Value::Active(part(call, 0, half)?), Value::Active(part(call, half, half)?));
        let rest = if dims[axis] % 2 == 1 { Some(part(call, 2 * half, 1)?) } else { None };
        let mut y = binary(call, BinaryKind::Mul, &a, &b)?;
        if let Some(rest) = rest {
            let Value::Active(joined) = y else { return Err(NodeError::Consequence) };
            // The index that is left over goes to the first of the product.
            let mut ranges: Vec<_> = call.emit.dims(&joined).iter().map(|&d| (0, 1, d)).collect();
            ranges[axis] = (0, 1, 1);
            let first = Value::Active(super::pick::part(call, &joined, &ranges)?);
            let first = binary(call, BinaryKind::Mul, &first, &Value::Active(rest))?;
            if half == 1 {
                y = first;
            } else {
                ranges[axis] = (1, 1, half - 1);
                let others = super::pick::part(call, &joined, &ranges)?;
                let Value::Active(first) = first else { return Err(NodeError::Consequence) };
                y = Value::Active(super::movement::join(call, &[first, others], axis)?);
            }
        }
        let Value::Active(next) = y else { return Err(NodeError::Consequence) };
        x = next;
    }
}

pub fn product(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let (axes, keep) = axes(call, x.layout.len())?;
    let axes = axes.unwrap_or_default();
    let mut y = x;
    for &axis in &axes {
        y = product_along(call, y, axis)?;
    }
    let dims = call.emit.dims(&y);
    let kept: Vec<usize> = (0..dims.len()).filter(|a| keep || !axes.contains(a)).map(|a| dims[a]).collect();
    Ok(vec![Value::Active(call.emit.reshape(&y, &kept)?)])
}

/// The slices of `x` moved by so many places towards the end of one of the file's axes, or with `reverse` towards its begin; zeros come
/// after them.
fn moved(call: &mut Call<'_, '_>, x: &Active, axis: usize, by: usize, reverse: bool) -> Result<Active, NodeError> {
    let mut ranges: Vec<_> = call.emit.dims(x).iter().map(|&size| (0, 1, size)).collect();
    let (first, _, size) = &mut ranges[axis];
    *size -= by;
    *first = if reverse { by } else { 0 };
    let rest = part(call, x, &ranges)?;
    let mut pads = vec![[0, 0]; rest.layout.len()];
    let own = rest.layout.iter().position(|&a| a == axis).unwrap_or(axis);
    pads[own] = if reverse { [0, by] } else { [by, 0] };
    let id = call.emit.one(Op::Pad { pads, value: PadValue::Zero }, vec![rest.id], FLOAT)?;
    Ok(Active { id, ..rest })
}

/// Running sums by doubling: each place has the sum of one, then two, then four slices.
pub fn cum_sum(call: &mut Call<'_, '_>) -> Outputs {
    let mut x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let named = call.list(1, "its axis")?.unwrap_or_default();
    let &[axis] = named.as_slice() else { return Err(NodeError::Malformed(format!("it names {} axes", named.len()))) };
    let axis = call.axis(axis, dims.len())?;
    let (exclusive, reverse) = (call.flag("exclusive", false)?, call.flag("reverse", false)?);
    let size = dims[axis];
    if exclusive {
        if size < 2 {
            let nothing = binary(call, BinaryKind::Mul, &Value::Active(x), &scalar(0.0))?;
            return Ok(vec![nothing]);
        }
        x = moved(call, &x, axis, 1, reverse)?;
    }
    let mut by = 1;
    while by < size {
        let before = moved(call, &x, axis, by, reverse)?;
        let sum = binary(call, BinaryKind::Add, &Value::Active(x), &Value::Active(before))?;
        let Value::Active(sum) = sum else { return Err(NodeError::Consequence) };
        x = sum;
        by *= 2;
    }
    Ok(vec![Value::Active(x)])
}

fn squares(call: &mut Call<'_, '_>) -> Result<Active, NodeError> {
    let x = Value::Active(call.float_input(0)?);
    let Value::Active(square) = binary(call, BinaryKind::Mul, &x, &x)? else { return Err(NodeError::Consequence) };
    reduced(call, ReduceKind::Sum, &square)
}

pub fn sum_square(call: &mut Call<'_, '_>) -> Outputs {
    Ok(vec![Value::Active(squares(call)?)])
}

pub fn l2(call: &mut Call<'_, '_>) -> Outputs {
    let sum = squares(call)?;
    Ok(vec![Value::Active(apply(call, &sum, UnaryKind::Function(Function::Sqrt))?)])
}

/// The index of the greatest element along an axis, of equal ones the first; the axis goes.
pub(super) fn arg_greatest(call: &mut Call<'_, '_>, x: &Active, axis: usize) -> Result<Active, NodeError> {
    let own = x.layout.iter().position(|&a| a == axis).unwrap_or(axis);
    let id = call.emit.one(Op::ArgMax { axis: own }, vec![x.id], &DataType::Plain(ElementType::Int64))?;
    Ok(Active { id, layout: without(&x.layout, &[axis]), element: Element::I64 })
}

/// The index of an extreme element: of the last one as that of the first with the axis turned round.
fn arg(call: &mut Call<'_, '_>, x: &Active) -> Outputs {
    let dims = call.emit.dims(x);
    let axis = call.axis(call.int("axis")?.unwrap_or(0), dims.len())?;
    let mut y = if call.flag("select_last_index", false)? {
        let mut ranges: Vec<_> = dims.iter().map(|&d| (0, 1, d)).collect();
        ranges[axis] = (dims[axis] - 1, -1, dims[axis]);
        let turned = part(call, x, &ranges)?;
        let index = Value::Active(arg_greatest(call, &turned, axis)?);
        // Exact as long as floats are.
        let index = convert(call, &index, Element::F32)?;
        let index = binary(call, BinaryKind::Sub, &scalar((dims[axis] - 1) as f32), &index)?;
        convert(call, &index, Element::I64)?
    } else {
        Value::Active(arg_greatest(call, x, axis)?)
    };
    if let (true, Value::Active(index)) = (call.flag("keepdims", true)?, &y) {
        let mut kept = dims;
        kept[axis] = 1;
        y = Value::Active(call.emit.reshape(index, &kept)?);
    }
    Ok(vec![y])
}

pub fn arg_max(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    arg(call, &x)
}

pub fn arg_min(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let negative = apply(call, &x, UnaryKind::Function(Function::Neg))?;
    arg(call, &negative)
}
