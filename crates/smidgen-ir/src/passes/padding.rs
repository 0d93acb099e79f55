//! PAD operators become padding of the convolutions that read them.

use super::{Flow, remove_operators};
use crate::graph::{Graph, Operator};
use crate::ops::{ConvParams, Op, PadValue, Padding};
use crate::tensor::TensorId;
use crate::validate::MAX_BYTES;
use crate::window::Window;

/// Folds each PAD with zeros, of rows and columns only, into the CONV_2D and DEPTHWISE_CONV_2D operators that read it, if nothing
/// else does. Both paddings add up: a convolution reads the input's zero in either. The sum is written as SAME or VALID where
/// that says the same.
pub fn fold_padding(graph: &mut Graph) -> usize {
    let mut flow = Flow::of(graph);
    let mut folded = vec![false; graph.operators.len()];
    // Backwards, so that of two PADs in a row the second is gone when the first is looked at.
    for i in (0..graph.operators.len()).rev() {
        let Some((sides, x, y)) = spatial_zeros(graph, &graph.operators[i]) else { continue };
        let mut readers = flow.readers(graph, y);
        readers.retain(|&reader| !folded[reader]);
        if flow.is_output(y) {
            continue;
        }
        let Some(changes) = combined(graph, &readers, sides, x, y) else { continue };
        for (reader, padding) in changes {
            flow.set_input(graph, reader, 0, x);
            if let Some(conv) = conv_mut(&mut graph.operators[reader].op) {
                conv.padding = padding;
            }
        }
        folded[i] = true;
    }
    remove_operators(graph, &folded);
    folded.into_iter().filter(|&f| f).count()
}

fn conv(op: &Op) -> Option<&ConvParams> {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => Some(conv),
        _ => None,
    }
}

fn conv_mut(op: &mut Op) -> Option<&mut ConvParams> {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => Some(conv),
        _ => None,
    }
}

/// `[[top, bottom], [left, right]]`, input and output of a PAD of rows and columns with the input's zero.
fn spatial_zeros(graph: &Graph, pad: &Operator) -> Option<([[usize; 2]; 2], TensorId, TensorId)> {
    let Operator { op: Op::Pad { pads, value }, inputs, outputs, .. } = pad else {
        return None;
    };
    let zero = match (*value, graph.tensor(inputs[0]).per_tensor()) {
        (PadValue::Zero, _) => true,
        (PadValue::Integer(v), Some((_, zero_point))) => v == zero_point,
        (PadValue::Float(v), None) => v == 0.0,
        (PadValue::Integer(_), None) | (PadValue::Float(_), Some(_)) => false,
    };
    match pads.as_slice() {
        &[[0, 0], rows, cols, [0, 0]] if zero => Some(([rows, cols], inputs[0], outputs[0])),
        _ => None,
    }
}

/// For each reader of the PAD's output, its index and new padding; `None` if one of them cannot take the padding over.
fn combined(
    graph: &Graph,
    readers: &[usize],
    sides: [[usize; 2]; 2],
    x: TensorId,
    y: TensorId,
) -> Option<Vec<(usize, Padding)>> {
    let mut changes = Vec::new();
    for &i in readers {
        let operator = &graph.operators[i];
        let reads = operator.inputs.iter().filter(|&&t| t == y).count();
        let params = conv(&operator.op)?;
        if reads > 1 || operator.inputs[0] != y {
            return None;
        }
        let weights = graph.tensor(operator.inputs[1]).shape.nhwc()?;
        let (unpadded, padded) = (graph.tensor(x).shape.nhwc()?, graph.tensor(y).shape.nhwc()?);
        let mut total = [[0; 2]; 2];
        let mut windows = [None; 2];
        for axis in 0..2 {
            let resolve = |input: usize, padding: Padding| {
                Window::resolve(input, weights[axis + 1], params.stride[axis], params.dilation[axis], padding, axis)
            };
            let own = resolve(padded[axis + 1], params.padding)?;
            let last = (own.output - 1) * own.stride + own.extent();
            // What lies behind the last window does not matter; keep what was asked for explicitly.
            let after = match params.padding {
                Padding::Valid => 0,
                Padding::Same => last.saturating_sub(own.before + padded[axis + 1]),
                Padding::Explicit { bottom, right, .. } => [bottom, right][axis],
            };
            total[axis] = [sides[axis][0].checked_add(own.before)?, sides[axis][1].checked_add(after)?];
            // Written out, it has to be a padding that a valid graph can have: SAME with a dilation of a billion is none.
            if total[axis].iter().any(|&side| side > MAX_BYTES) {
                return None;
            }
            let alike = |padding| {
                resolve(unpadded[axis + 1], padding)
                    .is_some_and(|w| w.output == own.output && w.before == total[axis][0])
            };
            windows[axis] = Some([alike(Padding::Valid), alike(Padding::Same)]);
        }
        let all = |kind: usize| windows.iter().all(|w| w.is_some_and(|w| w[kind]));
        let padding = if all(0) {
            Padding::Valid
        } else if all(1) {
            Padding::Same
        } else {
            let [[top, bottom], [left, right]] = total;
            Padding::Explicit { top, bottom, left, right }
        };
        changes.push((i, padding));
    }
    // A PAD that nothing reads is for `remove_dead`.
    (!changes.is_empty()).then_some(changes)
}
