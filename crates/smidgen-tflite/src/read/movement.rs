//! Decoding of the operators that move elements and compute nothing.

use super::call::{Call, Trouble, axis, caused, malformed, odd, unsupported};
use super::cause::SHAPES;
use super::operators::Decoded;
use super::tensors::{MAX_RANK, Source};
use crate::schema::{pack as pack_options, reshape as reshape_options, split as split_options};
use crate::schema::{squeeze as squeeze_options, strided_slice as strided_options, unpack as unpack_options};
use smidgen_ir::{AxisSlice, ElementType, Op, PadValue, ReshapeKind, Shape};

/// All inputs, each of a type that the operator takes.
pub(super) fn all(call: &Call<'_>) -> Result<Vec<usize>, Trouble> {
    (0..call.inputs.len())
        .map(|i| {
            call.data(i)?;
            call.index(i)
        })
        .collect()
}

/// `value` as a size along an axis.
fn size(value: i64, name: &str) -> Result<usize, Trouble> {
    match usize::try_from(value) {
        Ok(size) if value <= i64::from(i32::MAX) => Ok(size),
        _ => malformed(format!("{value} in its {name}")),
    }
}

pub(super) fn pad(call: &Call<'_>, v2: bool) -> Result<Decoded, Trouble> {
    // The reference pads with zeros where PADV2 has no value.
    call.arity(2..=if v2 { 3 } else { 2 }, 1)?;
    let x = call.data(0)?;
    let paddings = call.parameter(1, "paddings", 2 * MAX_RANK)?;
    if paddings.len() != 2 * x.shape.len() {
        let (found, rank) = (paddings.len(), x.shape.len());
        return malformed(format!("its paddings hold {found} numbers, where {rank} dimensions need {}", 2 * rank));
    }
    let pair = |p: &[i64]| Ok([size(p[0], "paddings")?, size(p[1], "paddings")?]);
    let pads = paddings.chunks_exact(2).map(pair).collect::<Result<_, Trouble>>()?;
    let value = if call.inputs.len() == 3 { pad_value(call, x)? } else { PadValue::Zero };
    Ok((Op::Pad { pads, value }, vec![call.index(0)?]))
}

fn pad_value(call: &Call<'_>, x: &Source) -> Result<PadValue, Trouble> {
    let source = call.constant(2, "value")?;
    let bytes = source.data.as_deref().unwrap_or_default();
    if source.element() != x.element() {
        return malformed(format!("its value is {}, its input {}", source.element(), x.element()));
    }
    Ok(match (source.element(), bytes) {
        (ElementType::Float32, &[a, b, c, d]) => PadValue::Float(f32::from_le_bytes([a, b, c, d])),
        (ElementType::Int8, &[a]) => PadValue::Integer((a as i8).into()),
        (ElementType::Bool, &[a]) => PadValue::Integer(a.into()),
        (ElementType::Int16, &[a, b]) => PadValue::Integer(i16::from_le_bytes([a, b]).into()),
        (ElementType::Int32 | ElementType::Int64, _) => match source.integers().as_deref() {
            Some(&[value]) => match i32::try_from(value) {
                Ok(value) => PadValue::Integer(value),
                Err(_) => return unsupported("a padding value beyond 32 bits", "pad with a smaller value"),
            },
            _ => return malformed("its value is not a single element"),
        },
        _ => return malformed("its value is not a single element"),
    })
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

pub(super) fn reshape(call: &Call<'_>) -> Result<Decoded, Trouble> {
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

pub(super) fn squeeze(call: &Call<'_>) -> Result<Decoded, Trouble> {
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

pub(super) fn expand_dims(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let x = call.data(0)?;
    let mut shape = x.shape.clone();
    shape.insert(axis(call.scalar(1, "axis")?, x.shape.len() + 1)?, 1);
    relabel(call, ReshapeKind::ExpandDims, shape)
}

pub(super) fn transpose(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let rank = call.data(0)?.shape.len();
    let listed = call.parameter(1, "permutation", MAX_RANK)?;
    let perm = listed.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = [false; MAX_RANK];
    if perm.len() != rank || perm.iter().any(|&a| std::mem::replace(&mut seen[a], true)) {
        return odd(format!("{listed:?} does not permute {rank} dimensions"));
    }
    Ok((Op::Transpose { perm }, vec![call.index(0)?]))
}

pub(super) fn split(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let parts = call.outputs.len();
    call.arity(2..=2, parts)?;
    let x = call.data(1)?;
    let stated = call.number(split_options::num_splits, 0)?;
    if usize::try_from(stated) != Ok(parts) {
        return malformed(format!("it splits into {stated} but has {parts} outputs"));
    }
    let axis = axis(call.scalar(0, "axis")?, x.shape.len())?;
    if parts == 0 || !x.shape[axis].is_multiple_of(parts) {
        return malformed(format!("the {} elements along axis {axis} do not divide by {parts}", x.shape[axis]));
    }
    Ok((Op::Split { axis, parts }, vec![call.index(1)?]))
}

pub(super) fn pack(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(1..=usize::MAX, 1)?;
    let stated = call.number(pack_options::values_count, 0)?;
    if usize::try_from(stated) != Ok(call.inputs.len()) {
        return malformed(format!("it packs {stated} values but has {} inputs", call.inputs.len()));
    }
    let axis = axis(call.number(pack_options::axis, 0)?.into(), call.data(0)?.shape.len() + 1)?;
    Ok((Op::Pack { axis }, all(call)?))
}

pub(super) fn unpack(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let parts = call.outputs.len();
    call.arity(1..=1, parts)?;
    let x = call.data(0)?;
    let axis = axis(call.number(unpack_options::axis, 0)?.into(), x.shape.len())?;
    let stated = call.number(unpack_options::num, 0)?;
    if usize::try_from(stated) != Ok(parts) || x.shape[axis] != parts {
        let along = x.shape[axis];
        return malformed(format!("it unpacks {stated} of {along} along axis {axis} but has {parts} outputs"));
    }
    Ok((Op::Unpack { axis }, vec![call.index(0)?]))
}

pub(super) fn slice(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(3..=3, 1)?;
    let x = call.data(0)?;
    let begins = call.parameter(1, "begin", MAX_RANK)?;
    let sizes = call.parameter(2, "size", MAX_RANK)?;
    if begins.len() != x.shape.len() || sizes.len() != x.shape.len() {
        let (b, s, rank) = (begins.len(), sizes.len(), x.shape.len());
        return malformed(format!(
            "it begins at {b} and measures {s} numbers, where {rank} dimensions need {rank} of each"
        ));
    }
    let (mut begin, mut size) = (Vec::new(), Vec::new());
    for (i, &dim) in x.shape.iter().enumerate() {
        let first = usize::try_from(begins[i]).ok().filter(|&first| first <= dim);
        let count = first.and_then(|first| match sizes[i] {
            -1 => Some(dim - first),
            count => usize::try_from(count).ok().filter(|&count| count <= dim - first),
        });
        let (Some(first), Some(count)) = (first, count) else {
            return odd(format!("{} from {} on leaves axis {i} of {dim}", sizes[i], begins[i]));
        };
        begin.push(first);
        size.push(count);
    }
    Ok((Op::Slice { begin, size }, vec![call.index(0)?]))
}

pub(super) fn strided_slice(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(4..=4, 1)?;
    let x = call.data(0)?;
    let begins = call.parameter(1, "begin", MAX_RANK)?;
    let ends = call.parameter(2, "end", MAX_RANK)?;
    let strides = call.parameter(3, "strides", MAX_RANK)?;
    if ends.len() != begins.len() || strides.len() != begins.len() {
        return malformed("its begin, end and strides differ in length");
    }
    let mask = |field| call.number(field, 0).map(|mask| move |i: usize| mask >> i & 1 == 1);
    let begin_mask = mask(strided_options::begin_mask)?;
    let end_mask = mask(strided_options::end_mask)?;
    let ellipsis = mask(strided_options::ellipsis_mask)?;
    let new_axis = mask(strided_options::new_axis_mask)?;
    let shrink = mask(strided_options::shrink_axis_mask)?;
    let end_is_offset = call.flag(strided_options::end_is_offset)?;
    let entries = begins.len();
    if (0..entries).any(|i| new_axis(i) && !ellipsis(i)) {
        return unsupported("it inserts new axes", "use EXPAND_DIMS, or reshape, beside the slice");
    }
    let ellipses = (0..entries).filter(|&i| ellipsis(i)).count();
    let rank = x.shape.len();
    if ellipses > 1 || entries - ellipses > rank {
        return odd(format!("it slices {entries} axes, {ellipses} of them by ellipsis, out of {rank}"));
    }
    let mut axes = Vec::new();
    for i in 0..entries {
        if axes.len() == rank {
            // Only an ellipsis that took an axis where none was left for it leads here; TensorFlow Lite ignores the rest.
            break;
        }
        if ellipsis(i) {
            // The ellipsis takes whole axes, so many that the entries after it meet the last ones, but at least one.
            for _ in 0..(rank - (entries - 1)).max(1) {
                axes.push(AxisSlice { start: 0, stride: 1, len: x.shape[axes.len()], shrink: false });
            }
            continue;
        }
        let dim = x.shape[axes.len()] as i64;
        let (begin, stride) = (begins[i], strides[i]);
        let end = if end_is_offset { begin.saturating_add(ends[i]) } else { ends[i] };
        let stride = match i32::try_from(stride) {
            Ok(0) | Err(_) => return malformed(format!("a stride of {stride} along axis {}", axes.len())),
            Ok(stride) => i64::from(stride),
        };
        let from_front = |index: i64| if index < 0 { index.saturating_add(dim) } else { index };
        if shrink(i) {
            if stride < 0 {
                // The reference leaves such an output unwritten.
                return malformed(format!("a stride of {stride} along axis {}, which is dropped", axes.len()));
            }
            let start = if begin_mask(i) { 0 } else { from_front(begin) };
            if !(0..dim).contains(&start) {
                return odd(format!("index {begin} is out of range for axis {} of {dim}", axes.len()));
            }
            axes.push(AxisSlice { start: start as usize, stride: 1, len: 1, shrink: true });
            continue;
        }
        // Indices beyond the axis are clamped to its ends: one past them in the direction of travel.
        let (low, high) = if stride > 0 { (0, dim) } else { (-1, dim - 1) };
        let whole = if stride > 0 { (low, high) } else { (high, low) };
        let start = if begin_mask(i) { whole.0 } else { from_front(begin).clamp(low, high) };
        let stop = if end_mask(i) { whole.1 } else { from_front(end).clamp(low, high) };
        let span = if stride > 0 { stop - start } else { start - stop };
        let len = if span > 0 { (span as u64).div_ceil(stride.unsigned_abs()) as usize } else { 0 };
        let start = if len == 0 { 0 } else { start as usize };
        axes.push(AxisSlice { start, stride: stride as isize, len, shrink: false });
    }
    for &len in &x.shape[axes.len()..] {
        axes.push(AxisSlice { start: 0, stride: 1, len, shrink: false });
    }
    Ok((Op::StridedSlice { axes }, vec![call.index(0)?]))
}
