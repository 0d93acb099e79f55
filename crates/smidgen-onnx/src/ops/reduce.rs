//! Reductions along axes.

use super::arithmetic::binary;
use super::{FIXED_PARAMETERS, Outputs, Row, rows};
use crate::call::{Call, Value};
use crate::constant::Element;
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{
    Activation, BinaryKind, DataType, ElementType, Function, Op, Padding, PoolKind, ReduceKind, UnaryKind,
};

/// Reductions that are computed when reading, alone: of lists.
pub(super) const FOLDED: &[Row] = &[Row::folded("ReduceProd", "")];

rows! {
    "ArgMax" INTEGER arg_max, "the first of equal elements";
    "ReduceL2" COMPUTE l2, "constant axes";
    "ReduceMax" INTEGER max, "constant axes";
    "ReduceMean" INTEGER mean, "constant axes";
    "ReduceMin" INTEGER min, "constant axes";
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

fn reduced(call: &mut Call<'_, '_>, kind: ReduceKind, x: &Active) -> Result<Active, NodeError> {
    let (axes, keep_dims) = axes(call, x.layout.len())?;
    let Some(axes) = axes.filter(|axes| !axes.is_empty()) else { return Ok(x.clone()) };
    let own = (0..x.layout.len()).filter(|&i| axes.contains(&x.layout[i])).collect();
    let id = call.emit.one(Op::Reduce { kind, axes: own, keep_dims }, vec![x.id], FLOAT)?;
    let layout = if keep_dims { x.layout.clone() } else { without(&x.layout, &axes) };
    Ok(Active { id, layout, element: Element::F32 })
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

pub fn max(call: &mut Call<'_, '_>) -> Outputs {
    plain(call, ReduceKind::Max)
}

pub fn min(call: &mut Call<'_, '_>) -> Outputs {
    plain(call, ReduceKind::Min)
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
    Ok(vec![Value::Active(super::activation::apply(call, &sum, UnaryKind::Function(Function::Sqrt))?)])
}

pub fn arg_max(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    if call.flag("select_last_index", false)? {
        return Err(NodeError::unsupported("it selects the last of equal elements", FIXED_PARAMETERS));
    }
    let dims = call.emit.dims(&x);
    let axis = call.axis(call.int("axis")?.unwrap_or(0), dims.len())?;
    let own = x.layout.iter().position(|&a| a == axis).unwrap_or(axis);
    let id = call.emit.one(Op::ArgMax { axis: own }, vec![x.id], &DataType::Plain(ElementType::Int64))?;
    let y = Active { id, layout: without(&x.layout, &[axis]), element: Element::I64 };
    if !call.flag("keepdims", true)? {
        return Ok(vec![Value::Active(y)]);
    }
    let mut kept = dims;
    kept[axis] = 1;
    Ok(vec![Value::Active(call.emit.reshape(&y, &kept)?)])
}
