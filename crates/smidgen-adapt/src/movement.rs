//! Operators whose outputs are elements of their inputs, or sums of them: where each element of an input is.

use smidgen_ir::{Graph, Op, Operator, PadValue, ReduceKind, ResizeKind};
use smidgen_kernels::training::{AxisMap, MOST_AXES, Rearrange};

/// Where the elements of an input of an operator are in one of its outputs, and what each counts there.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Movement {
    /// Where.
    pub map: Rearrange,
    /// What an element counts, in real numbers.
    pub weight: f64,
}

/// Elements from one index to the next along each axis.
fn strides(dims: &[usize]) -> Vec<isize> {
    let mut stride = 1;
    let mut all: Vec<isize> = dims
        .iter()
        .rev()
        .map(|&size| {
            let this = stride;
            stride *= size as isize;
            this
        })
        .collect();
    all.reverse();
    all
}

/// Pixels and channels of a tensor with these sizes.
pub(crate) fn sizes(dims: &[usize]) -> [usize; 2] {
    let channels = dims.last().copied().unwrap_or(1).max(1);
    [dims.iter().product::<usize>() / channels, channels]
}

/// Where input `i` of an operator is in output `k`; `None` if the operator does something else, or has too many axes.
pub(crate) fn movement(graph: &Graph, operator: &Operator, i: usize, k: usize) -> Option<Movement> {
    let dims = graph.tensor(*operator.inputs.get(i)?).shape.dims().to_vec();
    let out = graph.tensor(*operator.outputs.get(k)?).shape.dims().to_vec();
    let out_strides = strides(&out);
    let (mut start, mut weight) = (0isize, 1.0);
    let all = |size: usize, stride: isize| AxisMap { size, first: 0, step: 1, count: size, stride };
    // All indices of every axis, at these strides.
    let plain = |strides: &[isize]| -> Vec<AxisMap> {
        dims.iter().zip(strides).map(|(&size, &stride)| all(size, stride)).collect()
    };
    let axes: Vec<AxisMap> = match &operator.op {
        Op::Reshape { .. } if i == 0 => vec![all(dims.iter().product(), 1)],
        Op::Transpose { perm } => {
            let mut by_input = vec![0; dims.len()];
            for (axis, &from) in perm.iter().enumerate() {
                by_input[from] = out_strides[axis];
            }
            plain(&by_input)
        }
        Op::Pad { pads, value: PadValue::Zero } => {
            start = pads.iter().zip(&out_strides).map(|(pad, stride)| pad[0] as isize * stride).sum();
            plain(&out_strides)
        }
        Op::Slice { begin, size } => {
            let axis = |a: usize| AxisMap { first: begin[a], count: size[a], ..all(dims[a], out_strides[a]) };
            (0..dims.len()).map(axis).collect()
        }
        Op::StridedSlice { axes } => {
            // With the axes that are dropped.
            let strides = strides(&axes.iter().map(|axis| axis.len).collect::<Vec<_>>());
            let mut maps = Vec::with_capacity(axes.len());
            for ((axis, &size), &stride) in axes.iter().zip(&dims).zip(&strides) {
                let (step, last) = (axis.stride.unsigned_abs(), axis.len.checked_sub(1)?);
                // Backwards, the first index is the last of the output's.
                let (first, stride) = match axis.stride < 0 {
                    true => {
                        start += last as isize * stride;
                        (axis.start.checked_sub(last * step)?, -stride)
                    }
                    false => (axis.start, stride),
                };
                maps.push(AxisMap { size, first, step, count: axis.len, stride });
            }
            maps
        }
        Op::Concatenation { axis, .. } => {
            let before = operator.inputs[..i].iter().map(|&id| graph.tensor(id).shape.dims()[*axis]);
            start = before.sum::<usize>() as isize * out_strides[*axis];
            plain(&out_strides)
        }
        Op::Pack { axis } => {
            start = i as isize * out_strides[*axis];
            let others = (0..out.len()).filter(|a| a != axis).map(|a| out_strides[a]);
            plain(&others.collect::<Vec<_>>())
        }
        Op::Split { axis, parts } => {
            let count = dims[*axis] / parts;
            let mut maps = plain(&out_strides);
            maps[*axis] = AxisMap { first: k * count, count, ..maps[*axis] };
            maps
        }
        Op::Unpack { axis } => {
            let mut by_input = out_strides.clone();
            by_input.insert(*axis, 0);
            let mut maps = plain(&by_input);
            maps[*axis] = AxisMap { first: k, count: 1, ..maps[*axis] };
            maps
        }
        Op::Reduce { kind, axes, .. } => {
            weight = match kind {
                ReduceKind::Mean => 1.0 / axes.iter().map(|&a| dims[a] as f64).product::<f64>(),
                ReduceKind::Sum => 1.0,
                _ => return None,
            };
            let mut stride = out.iter().product::<usize>() as isize;
            let mut maps = Vec::with_capacity(dims.len());
            for (a, &size) in dims.iter().enumerate() {
                let kept = !axes.contains(&a);
                stride /= if kept { size.max(1) as isize } else { 1 };
                maps.push(all(size, if kept { stride } else { 0 }));
            }
            maps
        }
        _ => return None,
    };
    let missing = MOST_AXES.checked_sub(axes.len())?;
    let mut padded = [all(1, 0); MOST_AXES];
    padded[missing..].copy_from_slice(&axes);
    let map = Rearrange { axes: padded, start, from: sizes(&out), to: sizes(&dims) };
    Some(Movement { map, weight })
}

impl Movement {
    /// For each element of the input, the element of the output that has it.
    pub fn places(&self) -> Vec<Option<usize>> {
        let axes = self.map.axes;
        let elements = axes.iter().map(|axis| axis.size).product();
        let place = |element: usize| {
            let (mut rest, mut at) = (element, self.map.start);
            for axis in axes.iter().rev() {
                let index = rest % axis.size;
                rest /= axis.size;
                let q = index.checked_sub(axis.first)?;
                if q % axis.step != 0 || q / axis.step >= axis.count {
                    return None;
                }
                at += (q / axis.step) as isize * axis.stride;
            }
            usize::try_from(at).ok()
        };
        (0..elements).map(place).collect()
    }
}

/// What an output index of RESIZE takes of its input along an axis: two indices, and the share of the second.
pub(crate) type Tap = (usize, usize, f64);

/// What each output index along an axis takes (TensorFlow's `ResizeBilinear` and `ResizeNearestNeighbor`).
pub(crate) fn resize_taps(kind: ResizeKind, [input, output]: [usize; 2], align: bool, half: bool) -> Vec<Tap> {
    let last = input.saturating_sub(1);
    let scale = match align && output > 1 {
        true => last as f64 / (output - 1) as f64,
        false => input as f64 / output.max(1) as f64,
    };
    let tap = |i: usize| match kind {
        ResizeKind::Nearest => {
            // With the roundings of float32, as the operator is defined: an index at a border is on one side or the other.
            let scale = match align && output > 1 {
                true => last as f32 / (output - 1) as f32,
                false => input as f32 / output.max(1) as f32,
            };
            let at = if half { (i as f32 + 0.5) * scale } else { i as f32 * scale };
            let at = (if align { (at + 0.5).floor() } else { at.floor() }).max(0.0) as usize;
            (at.min(last), at.min(last), 0.0)
        }
        ResizeKind::Bilinear => {
            let at = if half { (i as f64 + 0.5) * scale - 0.5 } else { i as f64 * scale };
            let (first, second) = (at.floor().max(0.0) as usize, at.ceil().max(0.0) as usize);
            let share = (at - first as f64).clamp(0.0, 1.0);
            (first.min(last), second.min(last), share)
        }
    };
    (0..output).map(tap).collect()
}
