//! The gradients of the function that an integer network stands for where its roundings are left out: in double precision, by the definition.
//! It is what the integer kernels are measured against, and what says how large their gradients become.

use crate::error::AdaptError;
use crate::movement::{Movement, movement, resize_taps, sizes};
use crate::network::Features;
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, ElementType, Graph, Op, Operator, Padding, PoolKind, ReduceKind, Tensor,
    TensorId, UnaryKind, Window,
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

/// The window of a pool.
pub(crate) fn window_of(
    graph: &Graph,
    operator: &Operator,
    size: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
) -> Option<(Window2d, usize)> {
    let conv = ConvParams { stride, dilation: [1; 2], padding, activation: Activation::None };
    window(graph.tensor(operator.inputs[0]), graph.tensor(operator.outputs[0]), size, &conv)
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
            Some((Window2d::of_row(inputs, outputs), x.shape.elements() / inputs.max(1), false))
        }
        _ => None,
    }
}

/// The window of AVERAGE_POOL_2D, or of a mean over all rows and columns.
pub(crate) fn average(graph: &Graph, operator: &Operator) -> Option<(Window2d, usize)> {
    let x = graph.tensor(operator.inputs[0]);
    match &operator.op {
        Op::Pool2d { kind: PoolKind::Average, window: size, stride, padding, .. } => {
            window_of(graph, operator, *size, *stride, *padding)
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

/// Scale and zero point.
pub(crate) fn scale(tensor: &Tensor) -> (f64, i32) {
    tensor.per_tensor().map_or((1.0, 0), |(scale, zero)| (f64::from(scale), zero))
}

/// What a stored output is clamped to.
pub(crate) fn limits(activation: Activation, y: &Tensor) -> (f64, f64) {
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
        for (k, &output) in operator.outputs.iter().enumerate() {
            let Some(g) = found.tensors.get(&output).cloned().filter(|_| reached[output.index()]) else { continue };
            for (input, gradient) in step(graph, (index, k), operator, activations, &g, &mut found.parameters)? {
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
    }
    Ok(found)
}

type Contribution = (TensorId, Vec<f64>);

fn step(
    graph: &Graph,
    (index, output): (usize, usize),
    operator: &Operator,
    activations: &Activations,
    g: &[f64],
    parameters: &mut HashMap<usize, (Vec<f64>, Vec<f64>)>,
) -> Result<Vec<Contribution>, AdaptError> {
    let y = graph.tensor(operator.outputs[output]);
    // What a graph has as a constant is no activation.
    let stored = |id: TensorId| -> Vec<i8> {
        let constant = || graph.tensor(id).integers().map(|all| all.into_iter().map(|x| x as i8).collect());
        activations.get(&id).cloned().or_else(constant).unwrap_or_default()
    };
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
    if movement(graph, operator, 0, output).is_some() {
        let part = |(i, &input): (usize, &TensorId)| {
            let Movement { weight, .. } = movement(graph, operator, i, output)?;
            let weight = weight * scale(graph.tensor(input)).0 / scale(y).0;
            let places = movement(graph, operator, i, output)?.places();
            Some((input, places.into_iter().map(|at| at.map_or(0.0, |at| g[at] * weight)).collect()))
        };
        return Ok(operator.inputs.iter().enumerate().filter_map(part).collect());
    }
    match &operator.op {
        op @ (Op::Unary(_) | Op::Quantize) => {
            let Some(slopes) = slopes(op, graph.tensor(operator.inputs[0]), y) else {
                return Err(refuse(graph, index, "none is known; train only what comes after it"));
            };
            let x = stored(operator.inputs[0]);
            let gradient = x.iter().zip(g).map(|(&x, g)| g * slopes[(i16::from(x) + 128) as usize]).collect();
            Ok(vec![(operator.inputs[0], gradient)])
        }
        Op::Pool2d { kind: PoolKind::Max, window: size, stride, padding, .. } => {
            let Some((window, images)) = window_of(graph, operator, *size, *stride, *padding) else {
                return Err(refuse(graph, index, "its input has no rows and columns"));
            };
            let x = stored(operator.inputs[0]);
            let ([height, width, channels], [out_h, out_w, _]) = (window.input, window.output);
            let mut gx = vec![0.0; x.len()];
            for row in 0..images * out_h {
                let (image, oy) = (row / out_h, row % out_h);
                let (rows, y0) = window.taps(0, oy);
                for ox in 0..out_w {
                    let (cols, x0) = window.taps(1, ox);
                    for c in 0..channels {
                        let at = |r: usize, q: usize| ((image * height + y0 + r) * width + x0 + q) * channels + c;
                        let all = (0..rows.len()).flat_map(|r| (0..cols.len()).map(move |q| (r, q)));
                        // The first of the greatest.
                        let best = all.map(|(r, q)| at(r, q)).rev().max_by_key(|&at| x[at]);
                        if let Some(best) = best {
                            gx[best] += g[(row * out_w + ox) * channels + c];
                        }
                    }
                }
            }
            Ok(vec![(operator.inputs[0], gx)])
        }
        Op::Resize { kind, align_corners, half_pixel_centers, .. } => {
            let (Some([images, height, width, channels]), Some([_, out_h, out_w, _])) =
                (graph.tensor(operator.inputs[0]).shape.nhwc(), y.shape.nhwc())
            else {
                return Err(refuse(graph, index, "its input has no rows and columns"));
            };
            let along = |sizes| resize_taps(*kind, sizes, *align_corners, *half_pixel_centers);
            let (rows, columns) = (along([height, out_h]), along([width, out_w]));
            let weight = scale(graph.tensor(operator.inputs[0])).0 / scale(y).0;
            let mut gx = vec![0.0; images * height * width * channels];
            for (i, &g) in g.iter().enumerate() {
                let (pixel, c) = (i / channels, i % channels);
                let (row, ox) = (pixel / out_w, pixel % out_w);
                let (image, oy) = (row / out_h, row % out_h);
                let ((y0, y1, sy), (x0, x1, sx)) = (rows[oy], columns[ox]);
                for (y, by_row) in [(y0, 1.0 - sy), (y1, sy)] {
                    for (x, by_column) in [(x0, 1.0 - sx), (x1, sx)] {
                        gx[((image * height + y) * width + x) * channels + c] += g * weight * by_row * by_column;
                    }
                }
            }
            Ok(vec![(operator.inputs[0], gx)])
        }
        Op::Binary { kind: BinaryKind::Mul, activation } => {
            let operands = [operator.inputs[0], operator.inputs[1]];
            let Some((sizes, broadcast)) = product_sizes(graph, operator) else {
                return Err(refuse(graph, index, "its operands are neither alike nor one pixel for all"));
            };
            let values = operands.map(stored);
            let of = operands.map(|id| scale(graph.tensor(id)));
            let e = of[0].0 * of[1].0 / scale(y).0;
            let mut gradients = values.clone().map(|values| vec![0.0; values.len()]);
            for (i, &g) in g.iter().enumerate() {
                let at = broadcast.map(|one| if one { i % sizes[1] } else { i });
                let centred = [0, 1].map(|k| f64::from(i32::from(values[k][at[k]]) - of[k].1));
                if product_passes((centred[0] * centred[1]) as i32, e, *activation, y) {
                    gradients[0][at[0]] += g * e * centred[1];
                    gradients[1][at[1]] += g * e * centred[0];
                }
            }
            Ok(operands.into_iter().zip(gradients).collect())
        }
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

/// Pixels and channels of a product, and for each operand whether it has one pixel for all; `None` if operands are of other kinds.
pub(crate) fn product_sizes(graph: &Graph, operator: &Operator) -> Option<([usize; 2], [bool; 2])> {
    let sizes = sizes(graph.tensor(operator.outputs[0]).shape.dims());
    let mut broadcast = [false; 2];
    for (one, &id) in broadcast.iter_mut().zip(&operator.inputs) {
        let shape = &graph.tensor(id).shape;
        let channels = shape.dims().last().copied().unwrap_or(1);
        *one = match shape.elements() {
            all if all == sizes[0] * sizes[1] => false,
            all if all == sizes[1] && channels == sizes[1] => true,
            _ => return None,
        };
    }
    Some((sizes, broadcast))
}

/// Whether a product of two integers is not clamped where it is stored, by what one of it counts there.
pub(crate) fn product_passes(product: i32, effective: f64, activation: Activation, y: &Tensor) -> bool {
    let (low, high) = limits(activation, y);
    let u = f64::from(Factor::new(effective).apply(product, Rounding::Twice)) + f64::from(scale(y).1);
    u >= low && u <= high
}

/// For each stored input of a function or of a new quantisation, from -128 on, what an output's gradient counts for it: the function's slope, 0
/// where the output is clamped.
pub(crate) fn slopes(op: &Op, x: &Tensor, y: &Tensor) -> Option<Vec<f64>> {
    if [x, y].iter().any(|tensor| tensor.element() != ElementType::Int8 || tensor.per_tensor().is_none()) {
        return None;
    }
    let kind = function_of(op)?;
    let ((sx, zx), (sy, zy)) = (scale(x), scale(y));
    let slope = |stored: i32| {
        let (value, slope) = function(kind, sx * f64::from(stored - zx))?;
        let u = (value / sy).round() + f64::from(zy);
        Some(if (-128.0..=127.0).contains(&u) { slope * sx / sy } else { 0.0 })
    };
    (-128..128).map(slope).collect()
}

/// The function of one element that an operator computes; a new quantisation is the identity.
pub(crate) fn function_of(op: &Op) -> Option<UnaryKind> {
    match op {
        Op::Unary(kind) => Some(*kind),
        Op::Quantize => Some(UnaryKind::LeakyRelu { alpha: 1.0 }),
        _ => None,
    }
}

/// A function of one element and its slope; `None` if it is not known.
pub(crate) fn function(kind: UnaryKind, x: f64) -> Option<(f64, f64)> {
    let within = |real: f64, low: f64, high: f64| f64::from(real >= low && real <= high);
    Some(match kind {
        UnaryKind::Logistic => {
            let f = 1.0 / (1.0 + (-x).exp());
            (f, f * (1.0 - f))
        }
        UnaryKind::Tanh => (x.tanh(), 1.0 - x.tanh().powi(2)),
        UnaryKind::Relu => (x.max(0.0), within(x, 0.0, f64::MAX)),
        UnaryKind::ReluN1To1 => (x.clamp(-1.0, 1.0), within(x, -1.0, 1.0)),
        UnaryKind::Relu6 => (x.clamp(0.0, 6.0), within(x, 0.0, 6.0)),
        UnaryKind::LeakyRelu { alpha } if x < 0.0 => (f64::from(alpha) * x, f64::from(alpha)),
        UnaryKind::LeakyRelu { .. } => (x, 1.0),
        UnaryKind::HardSwish => {
            let slope = if x <= -3.0 {
                0.0
            } else if x >= 3.0 {
                1.0
            } else {
                x / 3.0 + 0.5
            };
            (x * (x + 3.0).clamp(0.0, 6.0) / 6.0, slope)
        }
        UnaryKind::Exp => (x.exp(), x.exp()),
        UnaryKind::Log if x > 0.0 => (x.ln(), 1.0 / x),
        UnaryKind::Log => (f64::MIN, 0.0),
        UnaryKind::Function(_) => return None,
    })
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
