//! Geometry and access of operators that move a window.

use super::error::Refusal;
use smidgen_ir::{ConvParams, Padding, Tensor, Window};
use smidgen_kernels::Window2d;
use smidgen_program::footprint::{AxisFootprint, Footprint};

/// The dimensions of a tensor that must have four, none of them 0.
pub(super) fn nhwc(tensor: &Tensor) -> Result<[usize; 4], Refusal> {
    match tensor.shape.nhwc() {
        Some(dims) if !dims.contains(&0) => Ok(dims),
        _ => Err(Refusal(format!("`{}` is {}; four dimensions above 0 are supported", tensor.name, tensor.shape))),
    }
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
    // Where a window stands once its stride moves nothing, and one tap has no distance to another: files give any number there.
    let (input, outputs) = ([h, w], [oh, ow]);
    let stride =
        std::array::from_fn(|axis| if outputs[axis] == 1 { stride[axis].min(input[axis]) } else { stride[axis] });
    let dilation = std::array::from_fn(|axis| if size[axis] == 1 { 1 } else { dilation[axis] });
    let before = [rows.before, cols.before];
    bounded(Window2d { input: [h, w, c], output: [oh, ow, oc], size, stride, dilation, before })
}

/// The window, unless a number that follows from it leaves the 31 bits that certified sizes have: its taps over a row of input, what a band of
/// rows spans, how far it moves.
fn bounded(window: Window2d) -> Result<Window2d, Refusal> {
    let Window2d { input: [h, w, c], output: [oh, ow, oc], size, stride, dilation, before } = window;
    let covered = [0, 1].map(|axis| size[axis].saturating_sub(1).saturating_mul(dilation[axis]));
    let band = ow.saturating_mul(stride[1]).saturating_add(covered[1]);
    let products = [[size[0], size[1], oc], [size[0], w, c], [h, band, 1], [oh, stride[0], 1], [ow, stride[1], 1]];
    let beyond = |factors: [usize; 3]| factors.into_iter().fold(1, usize::saturating_mul) > i32::MAX as usize;
    if products.into_iter().any(beyond) || covered.into_iter().chain(before).any(|span| span > MOST_SPAN) {
        return Err(Refusal(format!(
            "a window of {size:?} with stride {stride:?} and dilation {dilation:?} over {h}x{w}x{c} is larger than any picture"
        )));
    }
    Ok(window)
}

/// Elements that a window may span along an axis, gaps included.
const MOST_SPAN: usize = 1 << 20;

/// The window of a transposed convolution: that of the convolution from `y` to `x` which it transposes.
pub(super) fn transposed(
    x: &Tensor,
    y: &Tensor,
    size: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
) -> Result<Window2d, Refusal> {
    let ([n, h, w, c], [on, oh, ow, oc]) = (nhwc(x)?, nhwc(y)?);
    if n != on || stride.contains(&0) {
        return Err(Refusal(format!("`{}` of {} does not give `{}` of {}", x.name, x.shape, y.name, y.shape)));
    }
    // TensorFlow Lite takes the input's size as given, and pads by what the output and the padding say alone.
    let before = |input: usize, axis: usize| -> usize {
        let windows = match padding {
            Padding::Same => input.div_ceil(stride[axis]),
            _ => return 0,
        };
        let span = (windows.saturating_sub(1)).saturating_mul(stride[axis]).saturating_add(size[axis]);
        span.saturating_sub(input) / 2
    };
    let before = match padding {
        Padding::Explicit { top, left, .. } => [top, left],
        _ => [before(oh, 0), before(ow, 1)],
    };
    bounded(Window2d { input: [h, w, c], output: [oh, ow, oc], size, stride, dilation: [1, 1], before })
}

/// What an operator reads whose every output channel needs every input channel; `rows` are those of the output, over all images.
pub(super) fn footprint(window: &Window2d, rows: usize) -> Footprint {
    let along = |axis: usize| AxisFootprint::Window {
        extent: (window.size[axis] - 1) * window.dilation[axis] + 1,
        stride: window.stride[axis],
        before: window.before[axis] as isize,
    };
    let one_image = along(0);
    let reach = if rows == window.output[0] {
        one_image
    } else {
        batch(window, rows, |y| one_image.input_range((y, y + 1), window.input[0]))
    };
    Footprint { rows: reach, cols: along(1), depth: AxisFootprint::All }
}

/// What a transposed convolution reads.
pub(super) fn transposed_access(window: &Window2d, rows: usize) -> Footprint {
    let sources = |axis: usize, out: usize| {
        let range = window.sources(axis, out);
        (range.start.min(window.input[axis]), range.end.min(window.input[axis]))
    };
    Footprint {
        rows: batch(window, rows, |y| sources(0, y)),
        cols: AxisFootprint::Table((0..window.output[1]).map(|x| sources(1, x)).collect()),
        depth: AxisFootprint::All,
    }
}

/// Output channel `o` reads input channel `o / multiplier`.
pub(super) fn depth(multiplier: usize, outputs: usize) -> AxisFootprint {
    if multiplier == 1 {
        return AxisFootprint::SAME;
    }
    AxisFootprint::Table((0..outputs).map(|o| (o / multiplier, o / multiplier + 1)).collect())
}

/// The images of a batch lie one below the other, and do not reach into each other.
fn batch(window: &Window2d, rows: usize, one_image: impl Fn(usize) -> (usize, usize)) -> AxisFootprint {
    let (in_h, out_h) = (window.input[0], window.output[0]);
    AxisFootprint::Table(
        (0..rows)
            .map(|row| {
                let (start, end) = one_image(row % out_h);
                (row / out_h * in_h + start, row / out_h * in_h + end)
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::DataType;

    fn of(input: [usize; 2], size: usize, stride: usize, dilation: usize) -> Result<Window2d, Refusal> {
        let tensor = |[h, w]: [usize; 2]| Tensor::activation("t", [1, h, w, 1], DataType::FLOAT32);
        let axis = |input| Window::resolve(input, size, stride, dilation, Padding::Same, 0).map(|axis| axis.output);
        let output = input.map(|input| axis(input).expect("padding makes room"));
        resolve(&tensor(input), &tensor(output), [size; 2], [stride; 2], [dilation; 2], Padding::Same)
    }

    #[test]
    fn strides_and_dilations_that_move_nothing_are_taken_for_what_they_do() {
        let window = of([4, 4], 1, i32::MAX as usize, i32::MAX as usize).unwrap();
        assert_eq!((window.output, window.stride, window.dilation), ([1, 1, 1], [4, 4], [1, 1]));
        let window = of([5, 7], 3, 2, 2).unwrap();
        assert_eq!((window.stride, window.dilation), ([2, 2], [2, 2]));
        assert!(of([4, 4], 3, 1, i32::MAX as usize).is_err(), "a window wider than any picture");
    }
}
