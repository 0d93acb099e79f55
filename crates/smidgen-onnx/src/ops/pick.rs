//! Parts of a tensor: Slice, Split, Gather.

use super::matrix::operand;
use super::movement::join;
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element, strides};
use crate::emit::{Active, identity};
use crate::node_error::NodeError;
use smidgen_ir::{AxisSlice, Op};
use std::rc::Rc;

rows! {
    "Compress" MOVE compress, "constant condition";
    "Gather" MOVE gather, "indices that are constant, or computed when the network runs";
    "GatherElements" MOVE gather_elements, "constant indices in up to 64 runs, or computed ones";
    "GatherND" MOVE gather_nd, "constant indices in up to 64 runs, or computed ones that name one axis";
    "Slice" MOVE slice, "constant bounds and steps";
    "Split" MOVE split, "constant sizes";
}

/// For each axis the first index, the step and the number of indices that a Slice takes.
pub(crate) fn ranges(call: &Call<'_, '_>, dims: &[usize]) -> Result<Vec<(usize, i64, usize)>, NodeError> {
    let mut ranges: Vec<(usize, i64, usize)> = dims.iter().map(|&size| (0, 1, size)).collect();
    let required = |list: Option<Vec<i64>>| list.ok_or_else(|| NodeError::Malformed("it has no begin or end".into()));
    let older = call.opset < 10;
    let starts = required(if older { call.ints("starts")? } else { call.list(1, "its begin")? })?;
    let ends = required(if older { call.ints("ends")? } else { call.list(2, "its end")? })?;
    let axes = match if older { call.ints("axes")? } else { call.list(3, "its list of axes")? } {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = if older { None } else { call.list(4, "its steps")? }.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(NodeError::Malformed("its lists have different lengths".into()));
    }
    for (i, &axis) in axes.iter().enumerate() {
        let axis = call.axis(axis, dims.len())?;
        let (size, step) = (dims[axis] as i64, steps[i]);
        let from_end = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
        // Going backwards the first may be the last index, and the end lies before the first.
        let (start, end) = match step {
            0 => return Err(NodeError::Malformed("its step is 0".into())),
            _ if size == 0 => (0, 0),
            1.. => (from_end(starts[i]).clamp(0, size), from_end(ends[i]).clamp(0, size)),
            _ => (from_end(starts[i]).clamp(0, size - 1), from_end(ends[i]).clamp(-1, size - 1)),
        };
        let distance = if step > 0 { end - start } else { start - end };
        let len = if distance <= 0 { 0 } else { (distance as u64).div_ceil(step.unsigned_abs()) };
        ranges[axis] = (start as usize, step, len as usize);
    }
    Ok(ranges)
}

/// The part of `x` with `len` indices from `first` in steps of `step` along each of the file's axes.
pub(super) fn part(call: &mut Call<'_, '_>, x: &Active, ranges: &[(usize, i64, usize)]) -> Result<Active, NodeError> {
    if ranges.iter().any(|&(_, _, len)| len == 0) {
        return Err(NodeError::unsupported("it takes nothing of its input", "leave it out"));
    }
    let dims = call.emit.dims(x);
    if ranges.iter().zip(&dims).all(|(&range, &size)| range == (0, 1, size)) {
        return Ok(x.clone());
    }
    let own: Vec<_> = x.layout.iter().map(|&axis| ranges[axis]).collect();
    let op = if own.iter().all(|&(_, step, len)| step == 1 || len == 1) {
        Op::Slice { begin: own.iter().map(|r| r.0).collect(), size: own.iter().map(|r| r.2).collect() }
    } else {
        let axes = own.iter().map(|&(start, step, len)| AxisSlice {
            start,
            stride: if len == 1 { 1 } else { step as isize },
            len,
            shrink: false,
        });
        Op::StridedSlice { axes: axes.collect() }
    };
    let dtype = call.emit.dtype(x).clone();
    let id = call.emit.one(op, vec![x.id], &dtype)?;
    Ok(Active { id, ..x.clone() })
}

pub fn slice(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let ranges = ranges(call, &call.emit.dims(&x))?;
    Ok(vec![Value::Active(part(call, &x, &ranges)?)])
}

/// The sizes of a Split's outputs along its axis.
pub(crate) fn split_sizes(call: &Call<'_, '_>, size: usize) -> Result<Vec<usize>, NodeError> {
    let outputs = call.node.outputs.len();
    let listed = match call.list(1, "its list of sizes")? {
        None => call.ints("split")?,
        list => list,
    };
    let sizes = match listed {
        Some(list) => list.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>(),
        None => {
            let parts = call.int("num_outputs")?.map_or(Some(outputs), |n| usize::try_from(n).ok());
            parts.filter(|&n| n > 0 && n == outputs).map(|parts| {
                let each = size.div_ceil(parts);
                (0..parts).map(|i| each.min(size.saturating_sub(i * each))).collect()
            })
        }
    };
    let fit = |sizes: &Vec<usize>| {
        sizes.len() == outputs && sizes.iter().try_fold(0usize, |n, &s| n.checked_add(s)) == Some(size)
    };
    sizes.filter(fit).ok_or_else(|| NodeError::Malformed(format!("{size} cannot be cut into its {outputs} outputs")))
}

pub fn split(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let dims = call.emit.dims(&x);
    let axis = call.axis(call.int("axis")?.unwrap_or(0), dims.len())?;
    let sizes = split_sizes(call, dims[axis])?;
    if sizes.len() > 1 && sizes.iter().all(|&s| s == sizes[0] && s > 0) {
        let own = x.layout.iter().position(|&a| a == axis).unwrap_or(axis);
        let dtype = call.emit.dtype(&x).clone();
        let parts = call.emit.push(Op::Split { axis: own, parts: sizes.len() }, vec![x.id], &dtype)?;
        return Ok(parts.into_iter().map(|id| call.like(id, &x)).collect());
    }
    let mut outputs = Vec::with_capacity(sizes.len());
    let mut begin = 0;
    for size in sizes {
        let mut ranges: Vec<_> = dims.iter().map(|&d| (0, 1, d)).collect();
        ranges[axis] = (begin, 1, size);
        begin += size;
        outputs.push(Value::Active(part(call, &x, &ranges)?));
    }
    Ok(outputs)
}

/// Most separate runs of indices that a Gather may have.
const MOST_RUNS: usize = 64;

/// The elements at these indices of one of the file's axes.
pub(super) fn taken(call: &mut Call<'_, '_>, x: &Active, axis: usize, list: &[usize]) -> Result<Active, NodeError> {
    let dims = call.emit.dims(x);
    let runs = runs(list);
    if runs.is_empty() || runs.len() > MOST_RUNS {
        let reason = format!("its indices make {} separate runs", runs.len());
        return Err(NodeError::unsupported(reason, FIXED_PARAMETERS));
    }
    let mut parts = Vec::with_capacity(runs.len());
    for run in runs {
        let mut ranges: Vec<_> = dims.iter().map(|&d| (0, 1, d)).collect();
        ranges[axis] = run;
        parts.push(part(call, x, &ranges)?);
    }
    join(call, &parts, axis)
}

/// The elements at these places of a tensor, counted in the file's order, in a new shape.
fn places(call: &mut Call<'_, '_>, x: &Active, list: &[usize], shape: &[usize]) -> Result<Active, NodeError> {
    let count = call.emit.dims(x).iter().product();
    let flat = call.emit.reshape(x, &[count])?;
    let found = taken(call, &flat, 0, list)?;
    call.emit.reshape(&found, shape)
}

/// The indices, which are constant, and their numbers.
fn indices(call: &Call<'_, '_>) -> Result<(Rc<Constant>, Vec<i64>), NodeError> {
    let indices = call.constant(1, "its list of indices")?;
    let list = indices.ints().ok_or_else(|| NodeError::Malformed("its indices are not integers".into()))?;
    Ok((indices, list))
}

/// For each element of the indices, the element of the first input that they name along an axis.
pub fn gather_elements(call: &mut Call<'_, '_>) -> Outputs {
    if let Value::Active(_) = call.value(1)? {
        return gather_elements_computed(call);
    }
    let x = call.active(0)?;
    let dims = call.emit.dims(&x);
    let axis = call.axis(call.int("axis")?.unwrap_or(0), dims.len())?;
    let (indices, list) = indices(call)?;
    if indices.dims.len() != dims.len() || (0..dims.len()).any(|a| a != axis && indices.dims[a] > dims[a]) {
        return Err(NodeError::Malformed(format!("its indices have the shape {:?} for {dims:?}", indices.dims)));
    }
    let (own, strides) = (strides(&indices.dims), strides(&dims));
    let mut places_of = Vec::with_capacity(list.len());
    for (i, &index) in list.iter().enumerate() {
        let index = call.axis(index, dims[axis])?;
        let at = |a: usize| if a == axis { index } else { i / own[a] % indices.dims[a] };
        places_of.push((0..dims.len()).map(|a| at(a) * strides[a]).sum());
    }
    let shape = indices.dims.clone();
    Ok(vec![Value::Active(places(call, &x, &places_of, &shape)?)])
}

/// The slices of the first input that the last axis of the indices names.
pub fn gather_nd(call: &mut Call<'_, '_>) -> Outputs {
    if let Value::Active(_) = call.value(1)? {
        return gather_nd_computed(call);
    }
    let x = call.active(0)?;
    let dims = call.emit.dims(&x);
    let batches = usize::try_from(call.int("batch_dims")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let (indices, list) = indices(call)?;
    let Some((&depth, leading)) = indices.dims.split_last() else {
        return Err(NodeError::Malformed("its indices are a scalar".into()));
    };
    let fits = batches < indices.dims.len()
        && depth > 0
        && batches + depth <= dims.len()
        && indices.dims[..batches] == dims[..batches];
    if !fits {
        return Err(NodeError::Malformed(format!("its indices have the shape {:?} for {dims:?}", indices.dims)));
    }
    let strides = strides(&dims);
    let slice: usize = dims[batches + depth..].iter().product();
    let each: usize = leading[batches..].iter().product();
    call.emit.budget.take(list.len().saturating_mul(slice).saturating_mul(8))?;
    let mut places_of = Vec::new();
    for (i, index) in list.chunks(depth).enumerate() {
        // The batch that it belongs to, then what its entries name.
        let per_batch: usize = dims[batches..].iter().product();
        let mut first = i / each.max(1) * per_batch;
        for (a, &index) in index.iter().enumerate() {
            first += call.axis(index, dims[batches + a])? * strides[batches + a];
        }
        places_of.extend(first..first + slice);
    }
    let shape = [leading, &dims[batches + depth..]].concat();
    Ok(vec![Value::Active(places(call, &x, &places_of, &shape)?)])
}

/// The indices of an axis for which a constant condition holds.
pub fn compress(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let condition = call.list(1, "its condition")?.unwrap_or_default();
    let kept =
        |size: usize| condition.iter().take(size).enumerate().filter(|(_, c)| **c != 0).map(|(i, _)| i).collect();
    let (x, axis) = match call.int("axis")? {
        Some(axis) => (x.clone(), call.axis(axis, x.layout.len())?),
        None => {
            let count = call.emit.dims(&x).iter().product();
            (call.emit.reshape(&x, &[count])?, 0)
        }
    };
    let list: Vec<usize> = kept(call.emit.dims(&x)[axis]);
    Ok(vec![Value::Active(taken(call, &x, axis, &list)?)])
}

/// An operand in the file's order of axes.
fn in_order(call: &mut Call<'_, '_>, value: &Value) -> Result<Active, NodeError> {
    let x = operand(call, value)?;
    let layout = identity(x.layout.len());
    call.emit.arrange(&x, &layout)
}

/// A table and indices, either of which may be computed when the network runs, in the file's order of axes.
fn table_and_indices(call: &mut Call<'_, '_>) -> Result<(Active, Active), NodeError> {
    let (table, indices) = (call.value(0)?.clone(), call.value(1)?.clone());
    let (table, indices) = (in_order(call, &table)?, in_order(call, &indices)?);
    if !matches!(indices.element, Element::I32 | Element::I64) {
        return Err(NodeError::Malformed("its indices are not integers".into()));
    }
    Ok((table, indices))
}

/// The slices along an axis that indices name, which share their first `batch` axes with the table.
fn looked_up(
    call: &mut Call<'_, '_>,
    (table, indices): (&Active, &Active),
    axis: usize,
    batch: usize,
) -> Result<Active, NodeError> {
    let dtype = call.emit.dtype(table).clone();
    let id = call.emit.one(Op::Gather { axis, batch }, vec![table.id, indices.id], &dtype)?;
    let layout = identity(call.emit.graph.tensor(id).shape.rank());
    Ok(Active { id, layout, element: table.element })
}

/// Gather with indices that are computed when the network runs, or many.
fn gather_computed(call: &mut Call<'_, '_>) -> Outputs {
    let (table, indices) = table_and_indices(call)?;
    let axis = call.axis(call.int("axis")?.unwrap_or(0), table.layout.len())?;
    Ok(vec![Value::Active(looked_up(call, (&table, &indices), axis, 0)?)])
}

/// GatherND with indices that are computed when the network runs and name one axis.
fn gather_nd_computed(call: &mut Call<'_, '_>) -> Outputs {
    let (table, indices) = table_and_indices(call)?;
    let (dims, mut places) = (call.emit.dims(&table), call.emit.dims(&indices));
    let batch = usize::try_from(call.int("batch_dims")?.unwrap_or(0)).unwrap_or(usize::MAX);
    match places.pop() {
        Some(1) if batch < dims.len() && batch <= places.len() && dims[..batch] == places[..batch] => {}
        Some(depth @ 2..) => {
            let reason = format!("its indices are computed at run time and name {depth} axes");
            return Err(NodeError::unsupported(reason, "give it a table with these axes flattened to one"));
        }
        _ => return Err(NodeError::Malformed(format!("its indices have the shape {:?}", call.emit.dims(&indices)))),
    }
    let indices = call.emit.reshape(&indices, &places)?;
    Ok(vec![Value::Active(looked_up(call, (&table, &indices), batch, batch)?)])
}

/// GatherElements with indices that are computed when the network runs: with its axis behind all others, each of these is one of a batch.
fn gather_elements_computed(call: &mut Call<'_, '_>) -> Outputs {
    let (table, indices) = table_and_indices(call)?;
    let (dims, places) = (call.emit.dims(&table), call.emit.dims(&indices));
    let rank = dims.len();
    let axis = call.axis(call.int("axis")?.unwrap_or(0), rank)?;
    if places.len() != rank || (0..rank).any(|a| a != axis && places[a] > dims[a]) {
        return Err(NodeError::Malformed(format!("its indices have the shape {places:?} for {dims:?}")));
    }
    // Of the other axes it takes the first places.
    let ranges: Vec<_> = (0..rank).map(|a| (0, 1, if a == axis { dims[a] } else { places[a] })).collect();
    let table = part(call, &table, &ranges)?;
    let mut layout: Vec<usize> = (0..rank).filter(|&a| a != axis).collect();
    layout.push(axis);
    let (table, indices) = (call.emit.arrange(&table, &layout)?, call.emit.arrange(&indices, &layout)?);
    let found = looked_up(call, (&table, &indices), rank - 1, rank - 1)?;
    Ok(vec![Value::Active(Active { layout, ..found })])
}

pub fn gather(call: &mut Call<'_, '_>) -> Outputs {
    if let Value::Active(_) = call.value(1)? {
        return gather_computed(call);
    }
    let x = call.active(0)?;
    let dims = call.emit.dims(&x);
    let axis = call.axis(call.int("axis")?.unwrap_or(0), dims.len())?;
    let (indices, list) = indices(call)?;
    let list = list.iter().map(|&i| call.axis(i, dims[axis])).collect::<Result<Vec<usize>, _>>();
    let list =
        list.map_err(|_| NodeError::Malformed(format!("an index is outside axis {axis} of size {}", dims[axis])))?;
    if runs(&list).len() > MOST_RUNS {
        return gather_computed(call);
    }
    let taken = taken(call, &x, axis, &list)?;
    // The axis becomes those of the indices.
    let shape = [&dims[..axis], &indices.dims, &dims[axis + 1..]].concat();
    Ok(vec![Value::Active(call.emit.reshape(&taken, &shape)?)])
}

/// First index, step and length of runs that together are the list.
fn runs(list: &[usize]) -> Vec<(usize, i64, usize)> {
    let mut runs: Vec<(usize, i64, usize)> = Vec::new();
    for &index in list {
        match runs.last_mut() {
            Some((first, step, len)) if *len == 1 && index != *first => {
                (*step, *len) = (index as i64 - *first as i64, 2)
            }
            Some((first, step, len)) if *len > 1 && index as i64 == *first as i64 + *step * *len as i64 => *len += 1,
            _ => runs.push((index, 1, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn indices_are_taken_in_runs() {
        assert_eq!(runs(&[4]), [(4, 1, 1)]);
        assert_eq!(runs(&[0, 2, 4, 5]), [(0, 2, 3), (5, 1, 1)]);
        assert_eq!(runs(&[3, 2, 1]), [(3, -1, 3)]);
        assert_eq!(runs(&[1, 1]), [(1, 1, 1), (1, 1, 1)]);
    }
}
