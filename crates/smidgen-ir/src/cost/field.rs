//! Receptive fields: which part of the graph's input one element of a tensor depends on.

use crate::graph::Graph;
use crate::tensor::{Shape, TensorId};

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
    pub(crate) fn through(self, extent: [usize; 2], step: [f64; 2]) -> Self {
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
        let shape = |t: &TensorId| &graph.tensor(*t).shape;
        let inputs: Vec<&Shape> = operator.inputs.iter().map(shape).collect();
        let field = operator.op.spec(|spec| spec.field(seen, &inputs, shape(&operator.outputs[0])));
        for t in &operator.outputs {
            fields[t.index()] = Some(field);
        }
    }
    fields
}
