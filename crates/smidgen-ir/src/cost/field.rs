//! Receptive fields: which part of the graph's input one element of a tensor depends on.

use crate::graph::{Graph, Operator};
use crate::op::{Op, ResizeKind};
use crate::tensor::Shape;

/// What one pixel of a tensor depends on, in pixels of the graph's input `[height, width]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ReceptiveField {
    /// A window that moves over the input.
    Window {
        /// Its size. Not clipped, so it may exceed the input: padding counts.
        size: [usize; 2],
        /// By how much it moves from one pixel to the next; a fraction after an upsampling.
        stride: [f64; 2],
    },
    /// The whole input: after a global pool, a fully connected layer, or anything that mixes rows and columns.
    Whole,
}

impl ReceptiveField {
    /// A pixel of the input itself.
    const PIXEL: Self = Self::Window { size: [1, 1], stride: [1.0, 1.0] };

    /// The larger of two, along each axis.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Window { size: a, stride: s }, Self::Window { size: b, stride: t }) => {
                Self::Window { size: [a[0].max(b[0]), a[1].max(b[1])], stride: [s[0].max(t[0]), s[1].max(t[1])] }
            }
            _ => Self::Whole,
        }
    }

    /// Looks through a window of `extent` pixels that moves by `step` pixels.
    fn through(self, extent: [usize; 2], step: [f64; 2]) -> Self {
        let Self::Window { mut size, mut stride } = self else { return self };
        for axis in 0..2 {
            // A float to integer cast saturates, so no hostile dilation overflows.
            let more = (extent[axis].saturating_sub(1) as f64 * stride[axis]).ceil() as usize;
            size[axis] = size[axis].saturating_add(more);
            stride[axis] *= step[axis];
        }
        Self::Window { size, stride }
    }
}

/// For each tensor, how far it sees into the graph's inputs: the largest over all branches and inputs. `None` for constants, and
/// for what depends on constants only. An input that is not of rank 4 has no pixels, so everything sees it whole.
///
/// # Panics
/// May panic on a graph that has not been validated.
pub fn receptive_fields(graph: &Graph) -> Vec<Option<ReceptiveField>> {
    let mut fields: Vec<Option<ReceptiveField>> = vec![None; graph.tensors.len()];
    for t in graph.sources() {
        let image = graph.tensor(t).shape.rank() == 4;
        fields[t.index()] = Some(if image { ReceptiveField::PIXEL } else { ReceptiveField::Whole });
    }
    for operator in &graph.operators {
        let seen = operator.inputs.iter().filter_map(|t| fields[t.index()]).reduce(ReceptiveField::join);
        let Some(seen) = seen else { continue };
        let field = of_operator(graph, operator, seen);
        for t in &operator.outputs {
            fields[t.index()] = Some(field);
        }
    }
    fields
}

fn of_operator(graph: &Graph, operator: &Operator, seen: ReceptiveField) -> ReceptiveField {
    let shape = |i: usize| &graph.tensor(operator.inputs[i]).shape;
    let (x, y) = (shape(0), &graph.tensor(operator.outputs[0]).shape);
    let float = |n: [usize; 2]| n.map(|n| n as f64);
    let extent = |size: usize, dilation: usize| (size - 1).saturating_mul(dilation).saturating_add(1);
    match &operator.op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => {
            let weights = shape(1).dims();
            let extents = [extent(weights[1], conv.dilation[0]), extent(weights[2], conv.dilation[1])];
            seen.through(extents, float(conv.stride))
        }
        Op::Pool2d { window, stride, .. } => seen.through(*window, float(*stride)),
        Op::TransposeConv { stride, .. } => {
            // Of the kernel's taps, every `stride`-th meets an input pixel.
            let weights = shape(1).dims();
            let extents = [weights[1].div_ceil(stride[0]), weights[2].div_ceil(stride[1])];
            seen.through(extents, float(*stride).map(|s| 1.0 / s))
        }
        Op::Resize { kind, output, .. } => {
            let extent = if *kind == ResizeKind::Bilinear { 2 } else { 1 };
            let step = [x.0[1] as f64 / output[0] as f64, x.0[2] as f64 / output[1] as f64];
            seen.through([extent; 2], step)
        }
        Op::StridedSlice { axes } if y.rank() == 4 && axes.iter().all(|a| !a.shrink) => {
            seen.through([1, 1], [axes[1].stride.unsigned_abs() as f64, axes[2].stride.unsigned_abs() as f64])
        }
        Op::Binary { .. }
        | Op::Prelu
        | Op::Unary(_)
        | Op::Softmax { .. }
        | Op::Quantize
        | Op::Dequantize
        | Op::Concatenation { .. } => seen,
        Op::Pad { .. } | Op::Slice { .. } | Op::Split { .. } => seen,
        Op::Reshape { .. } => while_pixels(x == y, seen),
        Op::Transpose { perm } => while_pixels(perm.get(1) == Some(&1) && perm.get(2) == Some(&2), seen),
        Op::Reduce { axes, .. } => while_pixels(pixels_kept(x, y) && !axes.contains(&1) && !axes.contains(&2), seen),
        Op::FullyConnected { .. }
        | Op::Pack { .. }
        | Op::Unpack { .. }
        | Op::ArgMax { .. }
        | Op::StridedSlice { .. } => ReceptiveField::Whole,
    }
}

/// `seen` where rows and columns are still rows and columns, else everything.
fn while_pixels(kept: bool, seen: ReceptiveField) -> ReceptiveField {
    if kept { seen } else { ReceptiveField::Whole }
}

fn pixels_kept(x: &Shape, y: &Shape) -> bool {
    x.rank() == 4 && y.rank() == 4
}
