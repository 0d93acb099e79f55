//! SLICE and STRIDED_SLICE.

use super::{Decoded, MOVE, Written, builtins};
use crate::error::WriteError;
use crate::read::MAX_RANK;
use crate::read::call::{Call, Trouble, axis, malformed, odd, unsupported};
use crate::schema::strided_slice as strided_options;
use crate::support::Builtin;
use crate::write::Writer;
use crate::write::options::Options;
use smidgen_ir::ElementType::{Bool, Int8, Int16};
use smidgen_ir::{AxisSlice, Op};

builtins! {
    Slice = "SLICE" {
        types: MOVE,
        remarks: "constant begin and size",
        options: 0,
        version: |s| if s.shape(0).len() > 4 { 5 } else { s.by_type(s.x(), &[(Int8, 2), (Int16, 4)]) },
        read: slice,
    }
    StridedSlice = "STRIDED_SLICE" {
        types: MOVE,
        remarks: "constant begin, end and strides; begin, end, ellipsis and shrink masks; no new axes",
        options: 32,
        version: |s| if s.shape(0).len() > 4 { 4 } else { s.by_type(s.x(), &[(Int8, 2), (Bool, 3)]) },
        read: strided_slice,
    }
    ReverseV2 = "REVERSE_V2" {
        types: MOVE,
        remarks: "constant axes; becomes a STRIDED_SLICE",
        options: 0,
        version: |_| 1,
        read: reverse,
    }
}

/// A strided slice that takes everything, some axes from the last index to the first. It is written as such.
fn reverse(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.arity(2..=2, 1)?;
    let x = call.data(0)?;
    let rank = x.shape.len();
    let mut axes: Vec<AxisSlice> =
        x.shape.iter().map(|&len| AxisSlice { start: 0, stride: 1, len, shrink: false }).collect();
    for value in call.parameter(1, "list of axes", MAX_RANK)? {
        let own = &mut axes[axis(value, rank)?];
        if own.stride < 0 {
            return odd(format!("it reverses axis {value} twice"));
        }
        (own.start, own.stride) = (own.len.saturating_sub(1), -1);
    }
    Ok((Op::StridedSlice { axes }, vec![call.index(0)?]))
}

fn slice(call: &Call<'_>) -> Result<Decoded, Trouble> {
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

pub(super) fn write_slice(writer: &mut Writer<'_, '_>, begin: &[usize], size: &[usize]) -> Result<Written, WriteError> {
    let (begin, size) = (writer.ints(begin.iter().copied())?, writer.ints(size.iter().copied())?);
    let mut inputs = writer.inputs.clone();
    inputs.push(writer.parameter("begin", &begin)?);
    inputs.push(writer.parameter("size", &size)?);
    Ok((Builtin::Slice, inputs, Options::None))
}

fn strided_slice(call: &Call<'_>) -> Result<Decoded, Trouble> {
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
            // Only an ellipsis that took an axis where none was left for it leads here; TensorFlow Lite ignores the
            // rest.
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

pub(super) fn write_strided_slice(writer: &mut Writer<'_, '_>, axes: &[AxisSlice]) -> Result<Written, WriteError> {
    let (mut begin, mut end, mut strides, mut shrink) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (i, slice) in axes.iter().enumerate() {
        let too_large = || writer.fail(format!("the slice {slice:?} is too large"));
        let start = writer.int(slice.start)?;
        // An axis that is dropped is one index, whatever the stride; the reference writes nothing where that is
        // negative.
        let stride = if slice.shrink { 1 } else { i32::try_from(slice.stride).map_err(|_| too_large())? };
        let stop = match slice.len.checked_sub(1) {
            None => i64::from(start),
            Some(steps) => {
                let steps = i64::from(writer.int(steps)?);
                // One past the last index taken, in the direction of travel.
                steps
                    .checked_mul(stride.into())
                    .and_then(|way| way.checked_add(i64::from(start) + i64::from(stride.signum())))
                    .ok_or_else(too_large)?
            }
        };
        // -1 would count from the back; one less than the last index from the back is one before the first.
        let dim = writer.input(0)?.shape.0.get(i).copied().unwrap_or(0) as i64;
        let stop = if stop < 0 { -dim - 1 } else { stop };
        begin.push(start);
        end.push(i32::try_from(stop).map_err(|_| too_large())?);
        strides.push(stride);
        if slice.shrink {
            if i >= 31 {
                return Err(too_large());
            }
            shrink |= 1 << i;
        }
    }
    let mut inputs = writer.inputs.clone();
    inputs.push(writer.parameter("begin", &begin)?);
    inputs.push(writer.parameter("end", &end)?);
    inputs.push(writer.parameter("strides", &strides)?);
    Ok((Builtin::StridedSlice, inputs, Options::StridedSlice { shrink }))
}
