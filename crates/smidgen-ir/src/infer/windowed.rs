//! Operators that move a window over an image, and the fully connected layer.

use super::{Role, ShapeError, nhwc};
use crate::op::{ConvParams, Padding, ResizeKind};
use crate::tensor::{Shape, Tensor};
use crate::window::Window;

const AXES: [&str; 2] = ["rows", "columns"];

/// Window positions along height (0) or width (1).
fn window(
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

fn dimension(x: &Tensor, role: Role, axis: usize, expected: usize) -> Result<(), ShapeError> {
    let got = x.shape.0[axis];
    if got == expected {
        return Ok(());
    }
    Err(ShapeError::Dimension { role, axis, expected, got, found: x.shape.clone() })
}

/// A bias holds one element for each output channel; TensorFlow Lite does not mind further axes of size 1.
fn bias(inputs: &[&Tensor], channels: usize) -> Result<(), ShapeError> {
    match inputs.get(2) {
        Some(bias) if bias.shape.checked_elements() != Some(channels) || !bias.shape.0.ends_with(&[channels]) => {
            let (expected, found) = (Shape(vec![channels]), bias.shape.clone());
            Err(ShapeError::Shape { role: Role::Bias, expected, found })
        }
        _ => Ok(()),
    }
}

fn spatial(conv: &ConvParams, image: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2], ShapeError> {
    let size =
        |axis: usize| window(axis, image[axis], kernel[axis], conv.stride[axis], conv.dilation[axis], conv.padding);
    Ok([size(0)?, size(1)?])
}

pub(super) fn conv(conv: &ConvParams, inputs: &[&Tensor]) -> Result<Shape, ShapeError> {
    let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
    let [o, kh, kw, _] = nhwc(inputs[1], Role::Weights)?;
    dimension(inputs[1], Role::Weights, 3, c)?;
    bias(inputs, o)?;
    let [oh, ow] = spatial(conv, [h, w], [kh, kw])?;
    Ok(Shape(vec![n, oh, ow, o]))
}

pub(super) fn depthwise(conv: &ConvParams, multiplier: usize, inputs: &[&Tensor]) -> Result<Shape, ShapeError> {
    let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
    let [_, kh, kw, o] = nhwc(inputs[1], Role::Weights)?;
    if multiplier == 0 {
        return Err(ShapeError::Zero { parameter: "the depth multiplier" });
    }
    let channels = c.checked_mul(multiplier).ok_or(ShapeError::Overflow { what: "the number of channels" })?;
    dimension(inputs[1], Role::Weights, 0, 1)?;
    dimension(inputs[1], Role::Weights, 3, channels)?;
    bias(inputs, o)?;
    let [oh, ow] = spatial(conv, [h, w], [kh, kw])?;
    Ok(Shape(vec![n, oh, ow, o]))
}

pub(super) fn transpose_conv(
    stride: [usize; 2],
    padding: Padding,
    output: [usize; 2],
    inputs: &[&Tensor],
) -> Result<Shape, ShapeError> {
    if matches!(padding, Padding::Explicit { .. }) {
        return Err(ShapeError::ExplicitPadding);
    }
    let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
    let [o, kh, kw, _] = nhwc(inputs[1], Role::Weights)?;
    dimension(inputs[1], Role::Weights, 3, c)?;
    bias(inputs, o)?;
    for axis in 0..2 {
        let input = [h, w][axis];
        let back = window(axis, output[axis], [kh, kw][axis], stride[axis], 1, padding)?;
        if back != input {
            return Err(ShapeError::TransposedSize { axis: AXES[axis], input, output: output[axis], back });
        }
    }
    Ok(Shape(vec![n, output[0], output[1], o]))
}

pub(super) fn fully_connected(keep_num_dims: bool, inputs: &[&Tensor]) -> Result<Shape, ShapeError> {
    let (x, weights) = (inputs[0], inputs[1]);
    let &[o, k] = weights.shape.dims() else {
        return Err(ShapeError::Rank { role: Role::Weights, expected: 2, found: weights.shape.clone() });
    };
    if k == 0 {
        return Err(ShapeError::Zero { parameter: "the number of columns of the weights" });
    }
    bias(inputs, o)?;
    if keep_num_dims {
        let mut shape = x.shape.clone();
        return match shape.0.last_mut() {
            Some(last) if *last == k => {
                *last = o;
                Ok(shape)
            }
            Some(&mut got) => {
                let (role, axis) = (Role::Input(0), shape.rank() - 1);
                Err(ShapeError::Dimension { role, axis, expected: k, got, found: shape })
            }
            None => Err(ShapeError::Axis { axis: 0, rank: 0 }),
        };
    }
    let elements = x.shape.checked_elements().ok_or(ShapeError::Overflow { what: "the number of input elements" })?;
    if elements % k != 0 {
        return Err(ShapeError::Elements { from: x.shape.clone(), to: Shape(vec![elements / k, k]) });
    }
    Ok(Shape(vec![elements / k, o]))
}

pub(super) fn pool(size: [usize; 2], stride: [usize; 2], padding: Padding, x: &Tensor) -> Result<Shape, ShapeError> {
    if let Padding::Explicit { top, bottom, left, right } = padding
        && ([top, bottom].iter().any(|&p| p >= size[0]) || [left, right].iter().any(|&p| p >= size[1]))
    {
        return Err(ShapeError::WidePadding { window: size });
    }
    let [n, h, w, c] = nhwc(x, Role::Input(0))?;
    let oh = window(0, h, size[0], stride[0], 1, padding)?;
    let ow = window(1, w, size[1], stride[1], 1, padding)?;
    Ok(Shape(vec![n, oh, ow, c]))
}

pub(super) fn resize(
    kind: ResizeKind,
    output: [usize; 2],
    align_corners: bool,
    half_pixel_centers: bool,
    x: &Tensor,
) -> Result<Shape, ShapeError> {
    let [n, _, _, c] = nhwc(x, Role::Input(0))?;
    if output.contains(&0) {
        return Err(ShapeError::Zero { parameter: "the output size" });
    }
    // The nearest neighbour is defined with both set, bilinear interpolation is not.
    if kind == ResizeKind::Bilinear && align_corners && half_pixel_centers {
        return Err(ShapeError::ResizeOptions);
    }
    Ok(Shape(vec![n, output[0], output[1], c]))
}
