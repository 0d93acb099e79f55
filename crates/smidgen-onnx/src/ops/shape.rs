//! The shapes that Reshape, Flatten, Squeeze and Unsqueeze ask for: of tensors at run time and of constants alike.

use crate::call::{Call, axis_of};
use crate::node_error::NodeError;
use smidgen_ir::element_count;

/// What the node makes of an input of shape `from`.
pub(crate) fn reshaped(call: &Call<'_, '_>, from: &[usize]) -> Result<Vec<usize>, NodeError> {
    match call.node.op {
        "Flatten" => {
            let axis = call.int("axis")?.unwrap_or(1);
            let axis = if axis == from.len() as i64 { from.len() } else { axis_of(axis, from.len())? };
            let joined = element_count(&from[..axis]).zip(element_count(&from[axis..]));
            joined.map(|(a, b)| vec![a, b]).ok_or_else(|| NodeError::Malformed("its input is too large".into()))
        }
        "Squeeze" => {
            let gone = match listed_axes(call)? {
                Some(axes) => call.axes(&axes, from.len())?,
                None => (0..from.len()).filter(|&i| from[i] == 1).collect(),
            };
            if let Some(&axis) = gone.iter().find(|&&a| from[a] != 1) {
                return Err(NodeError::Malformed(format!("axis {axis} has size {} and cannot be dropped", from[axis])));
            }
            Ok((0..from.len()).filter(|i| !gone.contains(i)).map(|i| from[i]).collect())
        }
        "Unsqueeze" => {
            let axes = listed_axes(call)?.ok_or_else(|| NodeError::Malformed("it has no list of axes".into()))?;
            let new = call.axes(&axes, from.len() + axes.len())?;
            let mut old = from.iter();
            let rank = from.len() + new.len();
            Ok((0..rank).map(|i| if new.contains(&i) { 1 } else { old.next().copied().unwrap_or(1) }).collect())
        }
        _ => wanted(call, from),
    }
}

/// An attribute in older operator sets, an input in newer ones.
fn listed_axes(call: &Call<'_, '_>) -> Result<Option<Vec<i64>>, NodeError> {
    match call.list(1, "its list of axes")? {
        None => call.ints("axes"),
        list => Ok(list),
    }
}

/// The shape of a Reshape: 0 keeps a size, one -1 is what is left.
fn wanted(call: &Call<'_, '_>, from: &[usize]) -> Result<Vec<usize>, NodeError> {
    let shape = call.list(1, "its shape")?.ok_or_else(|| NodeError::Malformed("it has no shape".into()))?;
    let impossible = || NodeError::Malformed(format!("{from:?} cannot be given the shape {shape:?}"));
    let keep = !call.flag("allowzero", false)?;
    let mut dims = Vec::with_capacity(shape.len());
    let mut open = None;
    for (i, &size) in shape.iter().enumerate() {
        dims.push(match size {
            0 if keep => *from.get(i).ok_or_else(impossible)?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            size => usize::try_from(size).map_err(|_| impossible())?,
        });
    }
    let (total, known) = element_count(from).zip(element_count(&dims)).ok_or_else(impossible)?;
    if let Some(open) = open {
        dims[open] = total.checked_div(known).ok_or_else(impossible)?;
    }
    if element_count(&dims) != Some(total) {
        return Err(impossible());
    }
    Ok(dims)
}
