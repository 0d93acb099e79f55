//! The gradients of the function that an integer network stands for where its roundings are left out: in double precision, by the definition.
//! It is what the integer kernels are measured against, and what says how large their gradients become.

use crate::error::AdaptError;
use crate::network::Features;
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, Graph, Op, Operator, PoolKind, ReduceKind, Tensor, TensorId, Window,
};
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Rounding, Window2d};
use smidgen_lower::Reference;
use std::collections::HashMap;

/// Activations by tensor: what one inference computed, stored integers.
pub type Activations = HashMap<TensorId, Vec<i8>>;

/// Gradients of a loss, in units of the stored integers.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// With respect to tensors, before the clamp of the operator that writes them.
    pub tensors: HashMap<TensorId, Vec<f64>>,
    /// With respect to weights, in the order of the graph's tensor, and biases, by operator.
    pub parameters: HashMap<usize, (Vec<f64>, Vec<f64>)>,
}

/// A window with its padding resolved, from the shapes around it.
pub(crate) fn window(x: &Tensor, y: &Tensor, size: [usize; 2], conv: &ConvParams) -> Option<(Window2d, usize)> {
    let ([n, h, w, c], [_, oh, ow, o]) = (x.shape.nhwc()?, y.shape.nhwc()?);
    let before = |axis: usize, input: usize| {
        let resolved = Window::resolve(input, size[axis], conv.stride[axis], conv.dilation[axis], conv.padding, axis)?;
        Some(resolved.before)
    };
    let window = Window2d {
        input: [h, w, c],
        output: [oh, ow, o],
        size,
        stride: conv.stride,
        dilation: conv.dilation,
        before: [before(0, h)?, before(1, w)?],
    };
    Some((window, n))
}

/// The window of an operator with weights: a fully connected layer is a convolution of one tap over rows of one pixel.
pub(crate) fn convolution(graph: &Graph, operator: &Operator) -> Option<(Window2d, usize, bool)> {
    let (x, w) = (graph.tensor(operator.inputs[0]), graph.tensor(*operator.inputs.get(1)?));
    let y = graph.tensor(operator.outputs[0]);
    match &operator.op {
        Op::Conv2d(conv) => {
            let [_, kh, kw, _] = w.shape.nhwc()?;
            let (window, images) = window(x, y, [kh, kw], conv)?;
            Some((window, images, false))
        }
        Op::DepthwiseConv2d { conv, .. } => {
            let [_, kh, kw, _] = w.shape.nhwc()?;
            let (window, images) = window(x, y, [kh, kw], conv)?;
            Some((window, images, true))
        }
        Op::FullyConnected { .. } => {
            let &[outputs, inputs] = w.shape.dims() else { return None };
            let window = Window2d {
                input: [1, 1, inputs],
                output: [1, 1, outputs],
                size: [1; 2],
                stride: [1; 2],
                dilation: [1; 2],
                before: [0; 2],
            };
            Some((window, x.shape.elements() / inputs.max(1), false))
        }
        _ => None,
    }
}

/// The window of AVERAGE_POOL_2D, or of a mean over all rows and columns.
pub(crate) fn average(graph: &Graph, operator: &Operator) -> Option<(Window2d, usize)> {
    let (x, y) = (graph.tensor(operator.inputs[0]), graph.tensor(operator.outputs[0]));
    match &operator.op {
        Op::Pool2d { kind: PoolKind::Average, window: size, stride, padding, .. } => {
            let conv =
                ConvParams { stride: *stride, dilation: [1; 2], padding: *padding, activation: Activation::None };
            window(x, y, *size, &conv)
        }
        Op::Reduce { kind: ReduceKind::Mean, axes, .. } => {
            let [n, h, w, c] = x.shape.nhwc()?;
            let window = Window2d {
                input: [h, w, c],
                output: [1, 1, c],
                size: [h, w],
                stride: [1; 2],
                dilation: [1; 2],
                before: [0; 2],
            };
            (axes[..] == [1, 2]).then_some((window, n))
        }
        _ => None,
    }
}

fn scale(tensor: &Tensor) -> (f64, i32) {
    tensor.per_tensor().map_or((1.0, 0), |(scale, zero)| (f64::from(scale), zero))
}

/// What a stored output is clamped to.
fn limits(activation: Activation, y: &Tensor) -> (f64, f64) {
    let ((low, high), (scale, zero)) = (activation.range(), scale(y));
    let stored = |real: f32| (f64::from(real) / scale).round() + f64::from(zero);
    (stored(low).max(-128.0), stored(high).min(127.0))
}

/// What a channel's accumulator counts in the output.
pub(crate) fn effective(graph: &Graph, operator: &Operator, channel: usize) -> f64 {
    let (sx, _) = scale(graph.tensor(operator.inputs[0]));
    let (sy, _) = scale(graph.tensor(operator.outputs[0]));
    sx * weight_scale(graph.tensor(operator.inputs[1]), channel) / sy
}

/// What a weight of a channel stands for.
pub(crate) fn weight_scale(weights: &Tensor, channel: usize) -> f64 {
    weights.dtype.quantisation().map_or(1.0, |quantisation| f64::from(quantisation.scale(channel)))
}

/// All gradients, from that of the features back to the first operator of `trained`, for one sample.
///
/// # Errors
/// If a gradient has to pass an operator that has none here.
pub fn backward(
    features: &Features,
    trained: &[bool],
    activations: &Activations,
    gradient: &[f64],
) -> Result<Gradients, AdaptError> {
    let graph = &features.graph;
    let reached = features.reached(trained);
    let mut found = Gradients::default();
    found.tensors.insert(features.tensor(), gradient.to_vec());
    for (index, operator) in graph.operators.iter().enumerate().rev() {
        let output = operator.outputs[0];
        let Some(g) = found.tensors.get(&output).cloned().filter(|_| reached[output.index()]) else { continue };
        for (input, gradient) in step(graph, index, operator, activations, &g, &mut found.parameters)? {
            if !reached[input.index()] {
                continue;
            }
            match found.tensors.get_mut(&input) {
                Some(sum) => sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g),
                None => {
                    found.tensors.insert(input, gradient);
                }
            }
        }
    }
    Ok(found)
}

type Contribution = (TensorId, Vec<f64>);

fn step(
    graph: &Graph,
    index: usize,
    operator: &Operator,
    activations: &Activations,
    g: &[f64],
    parameters: &mut HashMap<usize, (Vec<f64>, Vec<f64>)>,
) -> Result<Vec<Contribution>, AdaptError> {
    let y = graph.tensor(operator.outputs[0]);
    let stored = |id: TensorId| -> Vec<i8> { activations.get(&id).cloned().unwrap_or_default() };
    if let Some((window, images, depthwise)) = convolution(graph, operator) {
        let activation = match &operator.op {
            Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => conv.activation,
            Op::FullyConnected { activation, .. } => *activation,
            _ => Activation::None,
        };
        let (x, weights) = (stored(operator.inputs[0]), graph.tensor(operator.inputs[1]));
        let w = weights.integers().unwrap_or_default();
        let bias = operator.inputs.get(2).and_then(|&id| graph.tensor(id).integers());
        let (_, zero) = scale(graph.tensor(operator.inputs[0]));
        let (_, zero_y) = scale(y);
        let limits = limits(activation, y);
        let fully_connected = matches!(operator.op, Op::FullyConnected { .. });
        let rounding = if fully_connected { Reference::default().fully_connected() } else { Rounding::Twice };
        let [out_h, out_w, out_c] = window.output;
        let [height, width, in_c] = window.input;
        let multiplier = window.multiplier().max(1);
        let mut gx = vec![0.0; x.len()];
        let (mut gw, mut gb) = (vec![0.0; w.len()], vec![0.0; out_c]);
        for row in 0..images * out_h {
            let (image, oy) = (row / out_h, row % out_h);
            for ox in 0..out_w {
                for o in 0..out_c {
                    // Every tap inside the input, as input element and weight.
                    let mut pairs = Vec::new();
                    for ky in 0..window.size[0] {
                        let y = (oy * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
                        for kx in 0..window.size[1] {
                            let x = (ox * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
                            if y >= height || x >= width {
                                continue;
                            }
                            let pixel = ((image * height + y) * width + x) * in_c;
                            let tap = ky * window.size[1] + kx;
                            if depthwise {
                                pairs.push((pixel + o / multiplier, tap * out_c + o));
                            } else {
                                let from = (o * window.area() + tap) * in_c;
                                pairs.extend((0..in_c).map(|c| (pixel + c, from + c)));
                            }
                        }
                    }
                    let bias = bias.as_ref().map_or(0, |bias| i64::from(bias[o]));
                    let sum =
                        pairs.iter().map(|&(x_at, w_at)| i64::from(i32::from(x[x_at]) - zero) * i64::from(w[w_at]));
                    let sum = bias + sum.sum::<i64>();
                    let e = effective(graph, operator, o);
                    // Whether it is clamped is decided by what is stored, with all roundings.
                    let u = f64::from(Factor::new(e).apply(sum as i32, rounding)) + f64::from(zero_y);
                    let g = g[(row * out_w + ox) * out_c + o];
                    if u < limits.0 || u > limits.1 || g == 0.0 {
                        continue;
                    }
                    gb[o] += g * e;
                    for (x_at, w_at) in pairs {
                        gx[x_at] += g * e * f64::from(w[w_at]);
                        gw[w_at] += g * e * f64::from(i32::from(x[x_at]) - zero);
                    }
                }
            }
        }
        parameters.insert(index, (gw, gb));
        return Ok(vec![(operator.inputs[0], gx)]);
    }
    if let Some((window, images)) = average(graph, operator) {
        let (sx, sy) = (scale(graph.tensor(operator.inputs[0])).0, scale(y).0);
        let ([height, width, channels], [out_h, out_w, _]) = (window.input, window.output);
        let mut gx = vec![0.0; images * height * width * channels];
        for row in 0..images * out_h {
            let (image, oy) = (row / out_h, row % out_h);
            let (rows, y0) = window.taps(0, oy);
            for ox in 0..out_w {
                let (cols, x0) = window.taps(1, ox);
                for (ry, cx) in (0..rows.len()).flat_map(|r| (0..cols.len()).map(move |c| (r, c))) {
                    for c in 0..channels {
                        let at = ((image * height + y0 + ry) * width + x0 + cx) * channels + c;
                        gx[at] += g[(row * out_w + ox) * channels + c] * sx / sy / (rows.len() * cols.len()) as f64;
                    }
                }
            }
        }
        return Ok(vec![(operator.inputs[0], gx)]);
    }
    match &operator.op {
        Op::Reshape { .. } => Ok(vec![(operator.inputs[0], g.to_vec())]),
        Op::Binary { kind: BinaryKind::Add, activation } => {
            let (a, b) = (operator.inputs[0], operator.inputs[1]);
            let (va, vb) = (stored(a), stored(b));
            let ((sa, za), (sb, zb), (sy, zy)) = (scale(graph.tensor(a)), scale(graph.tensor(b)), scale(y));
            let limits = limits(*activation, y);
            if va.len() != g.len() || vb.len() != g.len() {
                return Err(refuse(graph, index, "its operands have different shapes"));
            }
            let masked = |i: usize| {
                let real = sa * f64::from(i32::from(va[i]) - za) + sb * f64::from(i32::from(vb[i]) - zb);
                let u = (real / sy).round() + f64::from(zy);
                if u < limits.0 || u > limits.1 { 0.0 } else { g[i] }
            };
            let masked: Vec<f64> = (0..g.len()).map(masked).collect();
            let part = |s: f64| masked.iter().map(|g| g * s / sy).collect();
            Ok(vec![(a, part(sa)), (b, part(sb))])
        }
        _ => Err(refuse(graph, index, "none is known; train only what comes after it")),
    }
}

/// The operator and why a gradient does not pass it.
pub(crate) fn refuse(graph: &Graph, index: usize, reason: &str) -> AdaptError {
    let operator = &graph.operators[index];
    AdaptError::NoGradient {
        index,
        operator: operator.op.name(),
        output: operator.outputs.first().map_or_else(String::new, |&t| graph.tensor(t).name.clone()),
        reason: reason.into(),
    }
}
