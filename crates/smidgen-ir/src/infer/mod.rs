//! Shape inference: what each output of an operator must look like, from the operator and its inputs alone.
//!
//! The rules are TensorFlow Lite's. The invariant that matters: every sum and product is checked and every parameter is
//! compared with what it applies to, so that no operator and no input shape, however hostile, overflows or panics here.
//! Types are only passed through; which ones an operator accepts is for [`validate`](crate::validate()) to say.

mod windowed;

pub(crate) use windowed::{AXES, bias, dimension, window};

use crate::ops::Op;
use crate::tensor::{ElementType, Shape, Tensor};
use std::fmt;
use thiserror::Error;

/// What shape inference says of one output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inferred {
    /// Its dimensions.
    pub shape: Shape,
    /// Its element type; `None` for the operators where the output tensor chooses: QUANTIZE and ARG_MAX.
    pub element: Option<ElementType>,
}

/// Which input of an operator a [`ShapeError`] is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The input with this index.
    Input(usize),
    /// The weights of a convolution or fully connected layer: input 1.
    Weights,
    /// The bias of a convolution or fully connected layer: input 2.
    Bias,
    /// The slopes of PRELU: input 1.
    Alpha,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Input(i) => write!(f, "input {i}"),
            Role::Weights => f.write_str("the weights"),
            Role::Bias => f.write_str("the bias"),
            Role::Alpha => f.write_str("alpha"),
        }
    }
}

/// Why an operator cannot be applied to its inputs.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ShapeError {
    /// The wrong number of inputs.
    #[error("takes {} but has {found}", inputs(*.least, *.most))]
    InputCount {
        /// Fewest inputs.
        least: usize,
        /// Most inputs.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// An input has the wrong number of dimensions.
    #[error("the shape of {role} is {found}, of {} dimensions; {expected} are needed", .found.rank())]
    Rank {
        /// Which input.
        role: Role,
        /// Dimensions needed.
        expected: usize,
        /// Its shape.
        found: Shape,
    },
    /// An input has the wrong size along an axis.
    #[error("the shape of {role} is {found}, with {got} along axis {axis}; it must have {expected} there")]
    Dimension {
        /// Which input.
        role: Role,
        /// The axis.
        axis: usize,
        /// The size needed.
        expected: usize,
        /// The size there is.
        got: usize,
        /// Its shape.
        found: Shape,
    },
    /// An input has the wrong shape altogether.
    #[error("the shape of {role} is {found}; expected {expected}")]
    Shape {
        /// Which input.
        role: Role,
        /// The shape needed.
        expected: Shape,
        /// The shape there is.
        found: Shape,
    },
    /// Two operands that cannot be broadcast together.
    #[error("shapes {a} and {b} cannot be broadcast together: sizes must be equal or 1, counted from the last axis")]
    Broadcast {
        /// Shape of input 0.
        a: Shape,
        /// Shape of input 1.
        b: Shape,
    },
    /// A size or step that must be at least 1 is 0.
    #[error("{parameter} is 0; it must be at least 1")]
    Zero {
        /// Name of the parameter.
        parameter: &'static str,
    },
    /// A kind of padding that the operator does not have.
    #[error("has explicit padding; only SAME and VALID are defined for it, so put a PAD before it")]
    ExplicitPadding,
    /// A pool's padding is as wide as its window, so that a window could lie wholly in it.
    #[error("its padding is not narrower than its window of {}x{} everywhere", .window[0], .window[1])]
    WidePadding {
        /// Height and width of the window.
        window: [usize; 2],
    },
    /// A window does not fit into its padded input even once.
    #[error("a window of {extent} (dilation included) does not fit into {input} {axis} with {padding} padding")]
    Window {
        /// `rows` or `columns`.
        axis: &'static str,
        /// Rows or columns of the input.
        input: usize,
        /// Rows or columns that the window covers.
        extent: usize,
        /// Name of the padding.
        padding: &'static str,
    },
    /// The output size of a transposed convolution does not belong to its input size.
    #[error(
        "makes {output} {axis} of {input}, but the convolution that it transposes makes {back} of {output}; \
         set an output size that leads back to {input}"
    )]
    TransposedSize {
        /// `rows` or `columns`.
        axis: &'static str,
        /// Rows or columns of the input.
        input: usize,
        /// Rows or columns of the output.
        output: usize,
        /// What the forward convolution makes of the output.
        back: usize,
    },
    /// An axis that the tensor does not have.
    #[error("axis {axis} is outside a tensor of {rank} dimensions")]
    Axis {
        /// The axis.
        axis: usize,
        /// Dimensions that there are.
        rank: usize,
    },
    /// Axes that are not ascending and distinct.
    #[error("axes {axes:?} are not ascending and distinct")]
    AxisOrder {
        /// The axes.
        axes: Vec<usize>,
    },
    /// A parameter that has one entry for each axis has another number of them.
    #[error("{parameter} has {found} entries for a tensor of {rank} dimensions")]
    Entries {
        /// Name of the parameter.
        parameter: &'static str,
        /// Dimensions of the tensor.
        rank: usize,
        /// Number of entries.
        found: usize,
    },
    /// The axes of a transposition do not name each axis once.
    #[error("{perm:?} does not name each of {} axes once", .perm.len())]
    Permutation {
        /// The axes.
        perm: Vec<usize>,
    },
    /// A slice reaches outside its input.
    #[error("the slice takes indices {first} to {last} along axis {axis}, which has {size}")]
    Slice {
        /// The axis.
        axis: usize,
        /// Lowest or first index.
        first: i128,
        /// Highest or last index.
        last: i128,
        /// Size of the axis.
        size: usize,
    },
    /// A dropped axis of a strided slice has not exactly one index.
    #[error("the slice drops axis {axis} but takes {len} indices along it; it must take 1")]
    Shrink {
        /// The axis.
        axis: usize,
        /// How many indices are taken.
        len: usize,
    },
    /// A change of shape that does not keep the number of elements.
    #[error("shape {to} does not have as many elements as the input's {from}")]
    Elements {
        /// Shape of the input.
        from: Shape,
        /// Shape asked for.
        to: Shape,
    },
    /// An axis that cannot be cut into equal parts.
    #[error("{size} along axis {axis} cannot be cut into {parts} equal parts")]
    Parts {
        /// The axis.
        axis: usize,
        /// Its size.
        size: usize,
        /// Number of parts.
        parts: usize,
    },
    /// Two options that exclude each other.
    #[error("align_corners and half_pixel_centers cannot both be set; clear one of them")]
    ResizeOptions,
    /// A recurrent layer that is asked for nothing, or for what its cell does not have.
    #[error(
        "it is to write nothing, or to keep or clip the memory of a cell that has none: set `sequence` or `last`, and \
         `memory` and `clip` of an LSTM"
    )]
    Outputs,
    /// A size that does not fit the machine's address space.
    #[error("{what} is too large to count")]
    Overflow {
        /// What overflows.
        what: &'static str,
    },
}

fn inputs(least: usize, most: usize) -> String {
    match (least, most) {
        (1, 1) => "1 input".into(),
        (l, usize::MAX) => format!("{l} or more inputs"),
        (l, m) if l == m => format!("{l} inputs"),
        (l, m) => format!("{l} to {m} inputs"),
    }
}

/// The shape and element type of each output of `op` applied to `inputs`, in TensorFlow Lite's semantics.
///
/// # Errors
/// If a parameter is out of range, the inputs do not fit the operator or each other, or a size overflows.
pub fn infer(op: &Op, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
    op.spec(|spec| {
        let allowed = spec.inputs();
        if !allowed.contains(&inputs.len()) {
            let (least, most) = allowed.into_inner();
            return Err(ShapeError::InputCount { least, most, found: inputs.len() });
        }
        spec.infer(inputs)
    })
}

/// The shape that two operands have after broadcasting: aligned at the last axis, sizes equal or 1.
///
/// # Errors
/// If two sizes differ and neither is 1.
pub fn broadcast(a: &Shape, b: &Shape) -> Result<Shape, ShapeError> {
    let rank = a.rank().max(b.rank());
    // Size along `axis` of the common rank; missing leading axes count as 1.
    let size = |s: &Shape, axis: usize| (axis + s.rank()).checked_sub(rank).map_or(1, |i| s.0[i]);
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (m, n) if m == n => Ok(m),
            (1, n) => Ok(n),
            (m, 1) => Ok(m),
            _ => Err(ShapeError::Broadcast { a: a.clone(), b: b.clone() }),
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Shape)
}

/// A tensor's dimensions as NHWC.
pub(crate) fn nhwc(x: &Tensor, role: Role) -> Result<[usize; 4], ShapeError> {
    x.shape.nhwc().ok_or_else(|| ShapeError::Rank { role, expected: 4, found: x.shape.clone() })
}

#[cfg(test)]
mod tests;
