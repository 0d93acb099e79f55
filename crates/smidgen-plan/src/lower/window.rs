//! Geometry and access of operators that move a window.

use super::error::Refusal;
use crate::access::{Access, Reach};
use crate::program::Extent;
use smidgen_ir::{ConvParams, Padding, Tensor, Window};
use smidgen_kernels::Window2d;

/// The dimensions of a tensor that must have four.
pub(super) fn nhwc(tensor: &Tensor) -> Result<[usize; 4], Refusal> {
    tensor
        .shape
        .nhwc()
        .ok_or_else(|| Refusal(format!("`{}` is {}; four dimensions are supported", tensor.name, tensor.shape)))
}

/// The window of a convolution from `x` to `y`.
pub(super) fn conv(x: &Tensor, y: &Tensor, size: [usize; 2], params: &ConvParams) -> Result<Window2d, Refusal> {
    resolve(x, y, size, params.stride, params.dilation, params.padding)
}

/// The window of any operator whose window moves over its input, checked against the output's shape.
pub(super) fn resolve(
    x: &Tensor,
    y: &Tensor,
    size: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Result<Window2d, Refusal> {
    let ([n, h, w, c], [on, oh, ow, oc]) = (nhwc(x)?, nhwc(y)?);
    let axis = |input: usize, axis: usize| {
        Window::resolve(input, size[axis], stride[axis], dilation[axis], padding, axis)
            .ok_or_else(|| Refusal(format!("a window of {size:?} does not fit into `{}` of {}", x.name, x.shape)))
    };
    let (rows, cols) = (axis(h, 0)?, axis(w, 1)?);
    if (n, rows.output, cols.output) != (on, oh, ow) {
        return Err(Refusal(format!("`{}` is {}, not {n}x{}x{}", y.name, y.shape, rows.output, cols.output)));
    }
    Ok(Window2d { input: [h, w, c], output: [oh, ow, oc], size, stride, dilation, before: [rows.before, cols.before] })
}

/// What an operator reads whose every output channel needs every input channel.
pub(super) fn access(window: &Window2d, output: Extent) -> Access {
    Access { rows: rows(window, output), cols: along(window, 1), depth: Reach::All }
}

/// Along rows. The images of a batch do not reach into each other.
pub(super) fn rows(window: &Window2d, output: Extent) -> Reach {
    let (in_h, out_h) = (window.input[0], window.output[0]);
    let one = along(window, 0);
    if output.rows == out_h {
        return one;
    }
    let shifted = |row: usize| {
        let (image, y) = (row / out_h, row % out_h);
        let (start, end) = one.needs((y, y + 1), in_h);
        (image * in_h + start, image * in_h + end)
    };
    Reach::Table((0..output.rows).map(shifted).collect())
}

fn along(window: &Window2d, axis: usize) -> Reach {
    Reach::Window {
        extent: (window.size[axis] - 1) * window.dilation[axis] + 1,
        stride: window.stride[axis],
        before: window.before[axis] as isize,
    }
}
