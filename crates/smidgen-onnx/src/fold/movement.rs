//! Movement of constant elements, of any type.

use super::granted;
use crate::call::Call;
use crate::constant::{Constant, gathered, strides};
use crate::node_error::NodeError;
use crate::ops::{movement, pick, shape};
use std::rc::Rc;

pub(super) fn evaluate(
    call: &Call<'_, '_>,
    inputs: &[Option<Rc<Constant>>],
) -> Result<Option<Vec<Constant>>, NodeError> {
    let Some(Some(x)) = inputs.first() else { return Ok(None) };
    let rank = x.dims.len();
    let one = |constant| Ok(Some(vec![constant]));
    match call.node.op {
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => one(x.reshaped(shape::reshaped(call, &x.dims)?)),
        "Transpose" => {
            granted(call, &x.dims, x.element)?;
            one(x.transposed(&movement::permutation(call, rank)?))
        }
        "Slice" => {
            let ranges = pick::ranges(call, &x.dims)?;
            let dims: Vec<usize> = ranges.iter().map(|r| r.2).collect();
            granted(call, &dims, x.element)?;
            let own = strides(&x.dims);
            let first = ranges.iter().zip(&own).map(|(r, stride)| r.0 * stride).sum();
            let steps: Vec<usize> =
                ranges.iter().zip(&own).map(|(r, &stride)| (r.1 as usize).wrapping_mul(stride)).collect();
            one(Constant::new(x.element, dims.clone(), gathered(&x.data, x.element.bytes(), &dims, first, &steps)))
        }
        "Gather" => {
            let axis = call.axis(call.int("axis")?.unwrap_or(0), rank)?;
            let indices = call.constant(1, "its list of indices")?;
            let list = indices.ints().ok_or_else(|| NodeError::Malformed("its indices are not integers".into()))?;
            let list = list.iter().map(|&i| call.axis(i, x.dims[axis])).collect::<Result<Vec<_>, _>>()?;
            let dims = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
            granted(call, &dims, x.element)?;
            one(Constant::new(x.element, dims, taken(x, axis, &list)))
        }
        "Concat" => {
            let parts: Option<Vec<&Rc<Constant>>> = inputs.iter().map(Option::as_ref).collect();
            let Some(parts) = parts else { return Ok(None) };
            let axis = call.axis(call.int("axis")?.unwrap_or(0), rank)?;
            let mut dims = x.dims.clone();
            dims[axis] = 0;
            for part in &parts {
                let mut expected = x.dims.clone();
                expected[axis] = part.dims.get(axis).copied().unwrap_or(0);
                if part.dims != expected || part.element != x.element {
                    return Err(NodeError::Malformed("its inputs have different types or shapes".into()));
                }
                dims[axis] += part.dims[axis];
            }
            granted(call, &dims, x.element)?;
            let outer: usize = dims[..axis].iter().product();
            let mut data = Vec::new();
            for i in 0..outer {
                for part in &parts {
                    let size = part.data.len() / outer;
                    data.extend_from_slice(&part.data[i * size..(i + 1) * size]);
                }
            }
            one(Constant::new(x.element, dims, data))
        }
        "Split" => {
            let axis = call.axis(call.int("axis")?.unwrap_or(0), rank)?;
            let sizes = pick::split_sizes(call, x.dims[axis])?;
            granted(call, &x.dims, x.element)?;
            let mut begin = 0;
            let mut parts = Vec::with_capacity(sizes.len());
            for size in sizes {
                let list: Vec<usize> = (begin..begin + size).collect();
                begin += size;
                let mut dims = x.dims.clone();
                dims[axis] = size;
                parts.push(Constant::new(x.element, dims, taken(x, axis, &list)));
            }
            Ok(Some(parts))
        }
        "Expand" | "Tile" => {
            let list = call.list(1, "its shape")?.unwrap_or_default();
            let counts = list.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
            let impossible = || NodeError::Malformed(format!("its shape {list:?} is impossible"));
            let counts = counts.ok_or_else(impossible)?;
            if call.node.op == "Expand" {
                let dims = broadcast(&x.dims, &counts).ok_or_else(impossible)?;
                granted(call, &dims, x.element)?;
                return one(expanded(x, &dims));
            }
            if counts.len() != rank {
                return Err(impossible());
            }
            let dims = x.dims.iter().zip(&counts).map(|(&d, &n)| d.checked_mul(n)).collect::<Option<Vec<_>>>();
            let dims = dims.ok_or_else(impossible)?;
            granted(call, &dims, x.element)?;
            let mut tiled = (**x).clone();
            for (axis, &n) in counts.iter().enumerate() {
                let list: Vec<usize> = (0..n).flat_map(|_| 0..x.dims[axis]).collect();
                let mut dims = tiled.dims.clone();
                dims[axis] = list.len();
                tiled = Constant::new(x.element, dims, taken(&tiled, axis, &list));
            }
            one(tiled)
        }
        _ => Ok(None),
    }
}

/// The elements at these indices of one axis.
fn taken(x: &Constant, axis: usize, list: &[usize]) -> Vec<u8> {
    let outer: usize = x.dims[..axis].iter().product();
    let inner = x.dims[axis + 1..].iter().product::<usize>() * x.element.bytes();
    let mut data = Vec::with_capacity(outer * list.len() * inner);
    for i in 0..outer {
        for &index in list {
            let at = (i * x.dims[axis] + index) * inner;
            data.extend_from_slice(&x.data[at..at + inner]);
        }
    }
    data
}

/// The shape of two operands together.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |of: &[usize], i: usize| (i + of.len()).checked_sub(rank).map_or(1, |i| of[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (m, n) if m == n => Some(m),
            (1, n) => Some(n),
            (m, 1) => Some(m),
            _ => None,
        })
        .collect()
}

/// Repeated along the axes where it has size 1, or none, to a shape that [`broadcast`] gave.
pub(super) fn expanded(x: &Constant, dims: &[usize]) -> Constant {
    let own = strides(&x.dims);
    let lead = dims.len() - x.dims.len();
    let step = |i: usize| match i.checked_sub(lead) {
        Some(axis) if x.dims[axis] != 1 => own[axis],
        _ => 0,
    };
    let steps: Vec<usize> = (0..dims.len()).map(step).collect();
    let data = gathered(&x.data, x.element.bytes(), dims, 0, &steps);
    Constant::new(x.element, dims.to_vec(), data)
}
