//! What operators with windows, weights or biases have in common.

use super::{Role, ShapeError};
use crate::ops::Padding;
use crate::tensor::{Shape, Tensor};
use crate::window::Window;

/// What height and width are counted in.
pub(crate) const AXES: [&str; 2] = ["rows", "columns"];

/// Window positions along height (0) or width (1).
pub(crate) fn window(
    axis: usize,
    input: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    padding: Padding,
) -> Result<usize, ShapeError> {
    for (parameter, value) in
        [("the input's size", input), ("the window", size), ("the stride", stride), ("the dilation", dilation)]
    {
        if value == 0 {
            return Err(ShapeError::Zero { parameter });
        }
    }
    let extent = (size - 1)
        .checked_mul(dilation)
        .and_then(|n| n.checked_add(1))
        .ok_or(ShapeError::Overflow { what: "the dilated window" })?;
    let name = match padding {
        Padding::Same => "SAME",
        Padding::Valid => "VALID",
        Padding::Explicit { .. } => "explicit",
    };
    Window::resolve(input, size, stride, dilation, padding, axis).map(|w| w.output).ok_or(ShapeError::Window {
        axis: AXES[axis],
        input,
        extent,
        padding: name,
    })
}

/// Checks the size of an input along an axis.
pub(crate) fn dimension(x: &Tensor, role: Role, axis: usize, expected: usize) -> Result<(), ShapeError> {
    let got = x.shape.0[axis];
    if got == expected {
        return Ok(());
    }
    Err(ShapeError::Dimension { role, axis, expected, got, found: x.shape.clone() })
}

/// A bias holds one element for each output channel; TensorFlow Lite does not mind further axes of size 1.
pub(crate) fn bias(inputs: &[&Tensor], channels: usize) -> Result<(), ShapeError> {
    match inputs.get(2) {
        Some(bias) if bias.shape.checked_elements() != Some(channels) || !bias.shape.0.ends_with(&[channels]) => {
            let (expected, found) = (Shape(vec![channels]), bias.shape.clone());
            Err(ShapeError::Shape { role: Role::Bias, expected, found })
        }
        _ => Ok(()),
    }
}
