//! Operators that only move elements.

use super::{Role, ShapeError};
use crate::op::AxisSlice;
use crate::tensor::{Shape, Tensor};

/// Most outputs that a SPLIT or UNPACK may have: far above any network's, and few enough to list.
const MOST_PARTS: usize = 1 << 16;

fn entries(x: &Shape, parameter: &'static str, found: usize) -> Result<(), ShapeError> {
    if found == x.rank() {
        return Ok(());
    }
    Err(ShapeError::Entries { parameter, rank: x.rank(), found })
}

fn axis_size(x: &Shape, axis: usize) -> Result<usize, ShapeError> {
    x.0.get(axis).copied().ok_or(ShapeError::Axis { axis, rank: x.rank() })
}

pub(super) fn pad(x: &Shape, pads: &[[usize; 2]]) -> Result<Shape, ShapeError> {
    entries(x, "the padding", pads.len())?;
    x.0.iter()
        .zip(pads)
        .map(|(&size, &[before, after])| size.checked_add(before)?.checked_add(after))
        .collect::<Option<Vec<_>>>()
        .map(Shape)
        .ok_or(ShapeError::Overflow { what: "the padded size" })
}

pub(super) fn reshape(x: &Shape, shape: &[usize]) -> Result<Shape, ShapeError> {
    let to = Shape(shape.to_vec());
    match (x.checked_elements(), to.checked_elements()) {
        (Some(a), Some(b)) if a == b => Ok(to),
        (Some(_), Some(_)) => Err(ShapeError::Elements { from: x.clone(), to }),
        _ => Err(ShapeError::Overflow { what: "the number of elements" }),
    }
}

pub(super) fn transpose(x: &Shape, perm: &[usize]) -> Result<Shape, ShapeError> {
    entries(x, "the permutation", perm.len())?;
    let mut seen = vec![false; perm.len()];
    for &axis in perm {
        match seen.get_mut(axis) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(ShapeError::Permutation { perm: perm.to_vec() }),
        }
    }
    Ok(Shape(perm.iter().map(|&axis| x.0[axis]).collect()))
}

pub(super) fn concatenation(inputs: &[&Tensor], axis: usize) -> Result<Shape, ShapeError> {
    let mut shape = inputs[0].shape.clone();
    let mut total = axis_size(&shape, axis)?;
    for (i, x) in inputs.iter().enumerate().skip(1) {
        let mut expected = shape.clone();
        expected.0[axis] = x.shape.0.get(axis).copied().unwrap_or(0);
        if x.shape != expected {
            return Err(ShapeError::Shape { role: Role::Input(i), expected, found: x.shape.clone() });
        }
        total = total.checked_add(x.shape.0[axis]).ok_or(ShapeError::Overflow { what: "the joined size" })?;
    }
    shape.0[axis] = total;
    Ok(shape)
}

pub(super) fn split(x: &Shape, axis: usize, parts: usize) -> Result<Shape, ShapeError> {
    let size = axis_size(x, axis)?;
    // More parts than indices would give empty outputs, as many as a hostile file asks for.
    if parts == 0 || parts > size.min(MOST_PARTS) || size % parts != 0 {
        return Err(ShapeError::Parts { axis, size, parts });
    }
    let mut shape = x.clone();
    shape.0[axis] = size / parts;
    Ok(shape)
}

pub(super) fn pack(inputs: &[&Tensor], axis: usize) -> Result<Shape, ShapeError> {
    let first = &inputs[0].shape;
    if axis > first.rank() {
        return Err(ShapeError::Axis { axis, rank: first.rank() + 1 });
    }
    for (i, x) in inputs.iter().enumerate().skip(1) {
        if x.shape != *first {
            let (expected, found) = (first.clone(), x.shape.clone());
            return Err(ShapeError::Shape { role: Role::Input(i), expected, found });
        }
    }
    let mut shape = first.clone();
    shape.0.insert(axis, inputs.len());
    Ok(shape)
}

pub(super) fn unpack(x: &Shape, axis: usize) -> Result<(usize, Shape), ShapeError> {
    let parts = axis_size(x, axis)?;
    if parts > MOST_PARTS {
        return Err(ShapeError::Overflow { what: "the number of outputs" });
    }
    let mut shape = x.clone();
    shape.0.remove(axis);
    Ok((parts, shape))
}

pub(super) fn slice(x: &Shape, begin: &[usize], size: &[usize]) -> Result<Shape, ShapeError> {
    entries(x, "the slice's begin", begin.len())?;
    entries(x, "the slice's size", size.len())?;
    for (axis, (&total, (&first, &len))) in x.0.iter().zip(begin.iter().zip(size)).enumerate() {
        if first.checked_add(len).is_none_or(|end| end > total) {
            let last = first as i128 + len as i128 - 1;
            return Err(ShapeError::Slice { axis, first: first as i128, last, size: total });
        }
    }
    Ok(Shape(size.to_vec()))
}

pub(super) fn strided_slice(x: &Shape, axes: &[AxisSlice]) -> Result<Shape, ShapeError> {
    entries(x, "the slice", axes.len())?;
    let mut shape = Vec::with_capacity(axes.len());
    for (axis, (&size, slice)) in x.0.iter().zip(axes).enumerate() {
        if slice.stride == 0 {
            return Err(ShapeError::Zero { parameter: "the slice's stride" });
        }
        if slice.len > 0 {
            // 128 bits hold any product of two machine words.
            let (first, steps) = (slice.start as i128, slice.len as i128 - 1);
            let last = steps.checked_mul(slice.stride as i128).and_then(|n| n.checked_add(first)).unwrap_or(i128::MAX);
            let inside = 0..size as i128;
            if !inside.contains(&first) || !inside.contains(&last) {
                return Err(ShapeError::Slice { axis, first, last, size });
            }
        }
        match slice.shrink {
            true if slice.len != 1 => return Err(ShapeError::Shrink { axis, len: slice.len }),
            true => {}
            false => shape.push(slice.len),
        }
    }
    Ok(Shape(shape))
}
