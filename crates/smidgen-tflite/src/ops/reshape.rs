//! RESHAPE, SQUEEZE and EXPAND_DIMS.

use super::{Decoded, MOVE, Written, builtins, size};
use crate::error::WriteError;
use crate::read::MAX_RANK;
use crate::read::Source;
use crate::read::call::{Call, Trouble, axis, caused, malformed, odd};
use crate::read::cause::SHAPES;
use crate::schema::{reshape as reshape_options, squeeze as squeeze_options};
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::{ElementType, Op, ReshapeKind, Shape};

builtins! {
    Reshape = "RESHAPE" {
        types: MOVE,
        remarks: "shape from a constant or from the options; one -1",
        options: 17,
        version: |_| 1,
        read: reshape,
    }
    Squeeze = "SQUEEZE" {
        types: MOVE,
        remarks: "listed dimensions, or all of size 1",
        options: 30,
        version: |_| 1,
        read: squeeze,
    }
    ExpandDims = "EXPAND_DIMS" {
        types: MOVE,
        remarks: "constant axis",
        options: 0,
        version: |_| 1,
        read: expand_dims,
    }
}

/// `dims` with at most one -1 replaced so that there are as many elements as in `x`.
fn resolve(dims: &[i64], x: &Source) -> Result<Vec<usize>, Trouble> {
    let printed = || Shape(x.shape.clone());
    let overflow = || Trouble::Malformed(format!("the shape {dims:?} has more elements than can be counted"));
    let elements = printed().checked_elements().ok_or_else(overflow)?;
    let mut shape = Vec::with_capacity(dims.len());
    let mut free = None;
    for (i, &dim) in dims.iter().enumerate() {
        if dim == -1 && free.replace(i).is_some() {
            return malformed(format!("the shape {dims:?} leaves two dimensions open"));
        }
        shape.push(if dim == -1 { 1 } else { size(dim, "shape")? });
    }
    let known = Shape(shape.clone()).checked_elements().ok_or_else(overflow)?;
    if let Some(i) = free {
        if known == 0 || !elements.is_multiple_of(known) {
            return malformed(format!("the {elements} elements of {} do not divide into {dims:?}", printed()));
        }
        shape[i] = elements / known;
    } else if known != elements {
        return malformed(format!("it makes {known} elements out of the {elements} of {}", printed()));
    }
    Ok(shape)
}

fn relabel(call: &Call<'_>, kind: ReshapeKind, shape: Vec<usize>) -> Result<Decoded, Trouble> {
    Ok((Op::Reshape { kind, shape }, vec![call.index(0)?]))
}

fn reshape(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(1..=2, 1)?;
    let x = call.data(0)?;
    // As the reference does: the tensor where it is a vector of int32, else the options.
    let from_tensor = match call.inputs.get(1) {
        Some(Some(_)) if call.input(1)?.data.is_none() => return caused("its shape is computed at run time", &SHAPES),
        Some(Some(_)) => {
            let shape = call.input(1)?;
            shape.shape.len() == 1 && matches!(shape.element(), ElementType::Int32 | ElementType::Int64)
        }
        _ => false,
    };
    let dims: Vec<i64> = if from_tensor {
        call.parameter(1, "shape", MAX_RANK)?
    } else {
        let Some(listed) = call.option(reshape_options::new_shape)? else {
            return odd("it has no shape, neither as a tensor nor in its options");
        };
        if listed.len() > MAX_RANK {
            return malformed(format!("its shape has {} dimensions", listed.len()));
        }
        listed.iter().map(i64::from).collect()
    };
    let scalar = dims == [0] && !x.is_empty();
    relabel(call, ReshapeKind::Reshape, if scalar { resolve(&[], x)? } else { resolve(&dims, x)? })
}

fn squeeze(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(1..=1, 1)?;
    let x = call.data(0)?;
    let mut dropped = [false; MAX_RANK];
    let listed = call.option(squeeze_options::squeeze_dims)?;
    match listed.filter(|listed| listed.len() > 0) {
        Some(listed) if listed.len() > MAX_RANK => {
            return malformed(format!("it drops {} of {} dimensions", listed.len(), x.shape.len()));
        }
        Some(listed) => {
            for value in listed.iter() {
                dropped[axis(value.into(), x.shape.len())?] = true;
            }
        }
        None => x.shape.iter().zip(&mut dropped).for_each(|(&size, dropped)| *dropped = size == 1),
    }
    let mut shape = Vec::new();
    for (i, (&size, dropped)) in x.shape.iter().zip(dropped).enumerate() {
        match (dropped, size) {
            (false, _) => shape.push(size),
            (true, 1) => {}
            (true, _) => return malformed(format!("it would drop axis {i}, which has {size} elements")),
        }
    }
    relabel(call, ReshapeKind::Squeeze, shape)
}

fn expand_dims(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let x = call.data(0)?;
    let mut shape = x.shape.clone();
    shape.insert(axis(call.scalar(1, "axis")?, x.shape.len() + 1)?, 1);
    relabel(call, ReshapeKind::ExpandDims, shape)
}

pub(super) fn write(writer: &mut Writer<'_, '_>, kind: ReshapeKind, shape: &[usize]) -> Result<Written, WriteError> {
    let from = &writer.input(0)?.shape.0;
    match kind {
        ReshapeKind::Squeeze => {
            if let Some(dropped) = squeezed(from, shape) {
                let dims = writer.ints(dropped)?;
                return writer.with(Builtin::Squeeze, Options::Squeeze { dims });
            }
        }
        ReshapeKind::ExpandDims => {
            if let Some(axis) = expanded(from, shape) {
                let axis = writer.scalar("axis", axis)?;
                return Ok((Builtin::ExpandDims, writer.and(axis), Options::None));
            }
        }
        ReshapeKind::Reshape => {}
    }
    if shape.is_empty() {
        // A constant without elements cannot be stored; [0] in the options is how the format says scalar.
        return writer.with(Builtin::Reshape, Options::Reshape { new_shape: vec![0] });
    }
    let new_shape = writer.ints(shape.iter().copied())?;
    let tensor = writer.parameter("shape", &new_shape)?;
    Ok((Builtin::Reshape, writer.and(tensor), Options::Reshape { new_shape }))
}

/// The axes of size 1 of `from` that have to go to leave `to`; `None` if that is not how `to` comes about.
fn squeezed(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    let mut dropped = Vec::new();
    let mut rest = to.iter().peekable();
    for (axis, &size) in from.iter().enumerate() {
        // Keep an axis wherever possible, so that as many as needed go and no more; the last ones of a run of 1s go.
        if rest.peek() == Some(&&size) {
            rest.next();
        } else if size == 1 {
            dropped.push(axis);
        } else {
            return None;
        }
    }
    // Without any listed, the format drops all axes of size 1.
    (rest.next().is_none() && (!dropped.is_empty() || !from.contains(&1))).then_some(dropped)
}

/// The axis of size 1 that `to` has beside those of `from`.
fn expanded(from: &[usize], to: &[usize]) -> Option<usize> {
    (0..to.len()).find(|&axis| {
        to.len() == from.len() + 1 && to[axis] == 1 && to[..axis] == from[..axis] && to[axis + 1..] == from[axis..]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezing_is_found_where_it_is_one() {
        assert_eq!(squeezed(&[1, 3, 1, 2], &[3, 2]), Some(vec![0, 2]));
        assert_eq!(squeezed(&[1, 3, 1, 2], &[1, 3, 2]), Some(vec![2]));
        assert_eq!(squeezed(&[1, 1], &[1]), Some(vec![1]));
        assert_eq!(squeezed(&[1, 3, 1, 2], &[2, 3]), None);
        assert_eq!(squeezed(&[2, 3], &[2, 3]), Some(vec![]));
        assert_eq!(squeezed(&[1, 3], &[1, 3]), None);
        assert_eq!(squeezed(&[1], &[]), Some(vec![0]));
    }

    #[test]
    fn the_inserted_axis_is_found() {
        assert_eq!(expanded(&[3, 2], &[3, 1, 2]), Some(1));
        assert_eq!(expanded(&[3, 2], &[3, 2, 1]), Some(2));
        assert_eq!(expanded(&[1, 2], &[1, 1, 2]), Some(0));
        assert_eq!(expanded(&[3, 2], &[2, 1, 3]), None);
        assert_eq!(expanded(&[], &[1]), Some(0));
    }
}
