//! Operators with weights or windows.

use crate::draw::{Builder, Draw, Numbers};
use smidgen_ir::{ConvParams, DataType, ElementType, Graph, Op, Padding, PoolKind, Quantisation, ResizeKind, Tensor};

/// Weights and bias of a convolution or fully connected layer, and the type of its output.
pub(super) struct Weighted {
    pub weights: Tensor,
    pub bias: Option<Tensor>,
    pub output: DataType,
}

/// Draws weights of `shape` with `channels` outputs along `axis`; `taps` is the number of products in one output.
pub(super) fn weighted(draw: &mut Draw, x: &DataType, shape: Vec<usize>, axis: usize, taps: usize) -> Weighted {
    let channels = shape[axis];
    let with_bias = draw.chance(80);
    let Some((input_scale, _)) = x.quantisation().and_then(Quantisation::per_tensor) else {
        let weights = draw.constant("weights", shape, DataType::FLOAT32);
        let bias = with_bias.then(|| draw.constant("bias", [channels], DataType::FLOAT32));
        return Weighted { weights, bias, output: DataType::FLOAT32 };
    };
    let base = draw.log_uniform(1e-3, 0.1);
    let base = draw.scale(base);
    // Weights of uint8 have a zero point, and one scale.
    let uint8 = draw.numbers == Numbers::Uint8;
    let zero_point = if uint8 { draw.pick(&[100, 120, 127, 128, 131, 150, 0, 255]) } else { 0 };
    let per_channel = !uint8 && draw.chance(60);
    let weight_scales: Vec<f32> =
        if per_channel { (0..channels).map(|_| base * draw.log_uniform(0.1, 10.0)).collect() } else { vec![base] };
    let quantisation = |axis, scales: Vec<f32>| {
        if per_channel {
            let zero_points = vec![0; scales.len()];
            Quantisation::PerChannel { axis, scales, zero_points }
        } else {
            Quantisation::PerTensor { scale: scales[0], zero_point: 0 }
        }
    };
    let count = shape.iter().product();
    let (element, data) = if uint8 {
        let data = match draw.chance(20) {
            // What int8 holds without the zero point.
            true => (0..count).map(|_| (zero_point + draw.between(0, 6) as i32 - 3).clamp(0, 255) as u8).collect(),
            false => draw.data(&shape.clone().into(), ElementType::Uint8),
        };
        (ElementType::Uint8, data)
    } else if draw.int4_weights {
        // Two to a byte; a last half byte is not used.
        (ElementType::Int4, draw.int8s(count, -128)[..count.div_ceil(2)].to_vec())
    } else {
        let least = if draw.chance(20) { -128 } else { -127 };
        (ElementType::Int8, draw.int8s(count, least))
    };
    let mut weights_quantisation = quantisation(axis, weight_scales.clone());
    if uint8 {
        weights_quantisation = Quantisation::PerTensor { scale: base, zero_point };
    }
    let weights_type = DataType::Quantised(element, weights_quantisation);
    let weights = Tensor::constant("weights", shape, weights_type, data);

    // Typical |accumulator| of uniform int8 operands, so that outputs spread over the range or beyond it.
    let typical = if draw.int4_weights { 330.0 } else { 5400.0 } * (taps as f32).sqrt();
    let multiplier = if draw.chance(5) { draw.log_uniform(1.0, 4.0) } else { draw.log_uniform(5.0, 400.0) / typical };
    let scales: Vec<f32> = weight_scales.iter().map(|s| s * input_scale).collect();
    if draw.numbers == Numbers::Int16 {
        let output = draw.integer(input_scale * base / multiplier.min(2.0));
        let bias = with_bias.then(|| {
            let data = draw.int64s(channels, 300 * typical as i64);
            Tensor::constant("bias", [channels], DataType::Quantised(ElementType::Int64, quantisation(0, scales)), data)
        });
        return Weighted { weights, bias, output };
    }
    let output = draw.integer(input_scale * base / multiplier);
    let bias = with_bias.then(|| {
        // Accumulators far outside the output's range, but not so far that a factor above 1 overflows: the reference wraps.
        let most = if draw.chance(10) && multiplier < 1.0 { 1 << 26 } else { (2.0 * typical) as i32 };
        let data = draw.int32s(channels, most);
        Tensor::constant("bias", [channels], DataType::Quantised(ElementType::Int32, quantisation(0, scales)), data)
    });
    Weighted { weights, bias, output }
}

fn padding(draw: &mut Draw) -> Padding {
    if draw.chance(50) { Padding::Same } else { Padding::Valid }
}

fn conv(draw: &mut Draw) -> ConvParams {
    let stride = if draw.chance(50) { [1, 1] } else { [draw.between(1, 3), draw.between(1, 3)] };
    let dilation = if draw.chance(70) { [1, 1] } else { [draw.between(1, 3), draw.between(1, 3)] };
    let padding = match draw.chance(15) {
        true => {
            let [top, bottom, left, right] = [0; 4].map(|_| draw.between(0, 3));
            Padding::Explicit { top, bottom, left, right }
        }
        false => padding(draw),
    };
    ConvParams { stride, dilation, padding, activation: draw.activation() }
}

fn kernel_size(draw: &mut Draw) -> [usize; 2] {
    match draw.between(0, 4) {
        0 => [1, 1],
        1 | 2 => [3, 3],
        _ => [draw.dim(7), draw.dim(7)],
    }
}

pub fn conv_2d(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let [kh, kw] = kernel_size(draw);
    let (c, o) = (draw.channels(), draw.channels());
    let shape = [draw.batch(), draw.dim(12), draw.dim(12), c];
    let w = weighted(draw, &x, vec![o, kh, kw, c], 0, kh * kw * c);
    let op = Op::Conv2d(conv(draw));
    Builder::default().input(shape, x).constant(w.weights).maybe_constant(w.bias).finish(op, w.output)
}

/// CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED with int4 weights.
pub fn int4_weights(draw: &mut Draw) -> Option<Graph> {
    draw.int4_weights = true;
    match draw.between(0, 9) {
        0..=3 => conv_2d(draw),
        4..=6 => depthwise_conv_2d(draw),
        _ => fully_connected(draw),
    }
}

/// Weights of int8 and perhaps a bias for float activations: dynamic range quantisation. With a scale for each of the outputs along
/// `axis`, or with one.
fn dynamic_range(draw: &mut Draw, shape: Vec<usize>, axis: usize, per_channel: bool) -> (Tensor, Option<Tensor>) {
    let channels = shape[axis];
    let base = draw.log_uniform(1e-3, 0.1);
    let quantisation = match per_channel {
        true => {
            let scales = (0..channels).map(|_| base * draw.log_uniform(0.1, 10.0)).collect();
            Quantisation::PerChannel { axis, scales, zero_points: vec![0; channels] }
        }
        false => Quantisation::PerTensor { scale: base, zero_point: 0 },
    };
    // The format wants weights in -127 ..= 127, and here the reference relies on it.
    let data = draw.int8s(shape.iter().product(), -127);
    let weights = Tensor::constant("weights", shape, DataType::Quantised(ElementType::Int8, quantisation), data);
    (weights, draw.chance(80).then(|| draw.constant("bias", [channels], DataType::FLOAT32)))
}

fn on_floats(x: Vec<usize>, op: Op, (weights, bias): (Tensor, Option<Tensor>)) -> Option<Graph> {
    let builder = Builder::default().input(x, DataType::FLOAT32).constant(weights).maybe_constant(bias);
    builder.finish(op, DataType::FLOAT32)
}

pub fn conv_2d_dynamic_range(draw: &mut Draw) -> Option<Graph> {
    let [kh, kw] = kernel_size(draw);
    let (c, o) = (draw.channels(), draw.channels());
    let x = vec![draw.batch(), draw.dim(12), draw.dim(12), c];
    let per_channel = draw.chance(60);
    let parameters = dynamic_range(draw, vec![o, kh, kw, c], 0, per_channel);
    on_floats(x, Op::Conv2d(conv(draw)), parameters)
}

/// The reference takes scales by channel alone.
pub fn depthwise_conv_2d_dynamic_range(draw: &mut Draw) -> Option<Graph> {
    let [kh, kw] = kernel_size(draw);
    let multiplier = if draw.chance(60) { 1 } else { draw.between(1, 8) };
    let c = if multiplier > 1 { draw.dim(6) } else { draw.channels() };
    let x = vec![draw.batch(), draw.dim(13), draw.dim(13), c];
    let parameters = dynamic_range(draw, vec![1, kh, kw, c * multiplier], 3, true);
    on_floats(x, Op::DepthwiseConv2d { conv: conv(draw), multiplier }, parameters)
}

pub fn fully_connected_dynamic_range(draw: &mut Draw) -> Option<Graph> {
    let k = if draw.chance(50) { draw.channels() } else { draw.dim(300) };
    let o = draw.channels();
    let mut x = draw.dims(1, 3);
    x.iter_mut().for_each(|d| *d = (*d).min(6));
    x.push(k);
    let per_channel = draw.chance(50);
    let parameters = dynamic_range(draw, vec![o, k], 0, per_channel);
    let op = Op::FullyConnected {
        keep_num_dims: draw.chance(40),
        asymmetric_quantize_inputs: draw.chance(60),
        activation: draw.activation(),
    };
    on_floats(x, op, parameters)
}

pub fn depthwise_conv_2d(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let [kh, kw] = kernel_size(draw);
    let multiplier = if draw.chance(60) { 1 } else { draw.between(1, 8) };
    let c = if multiplier > 1 { draw.dim(6) } else { draw.channels() };
    let shape = [draw.batch(), draw.dim(13), draw.dim(13), c];
    let w = weighted(draw, &x, vec![1, kh, kw, c * multiplier], 3, kh * kw);
    let op = Op::DepthwiseConv2d { conv: conv(draw), multiplier };
    Builder::default().input(shape, x).constant(w.weights).maybe_constant(w.bias).finish(op, w.output)
}

pub fn transpose_conv(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let [kh, kw] = kernel_size(draw);
    let (c, o) = (draw.channels().min(17), draw.channels().min(17));
    let shape = [draw.batch(), draw.dim(7), draw.dim(7), c];
    let w = weighted(draw, &x, vec![o, kh, kw, c], 0, kh * kw * c);
    let stride = [draw.between(1, 3), draw.between(1, 3)];
    let padding = padding(draw);
    // Every output size for which the transposed convolution leads back to the input's.
    let mut output = |input: usize, size: usize, stride: usize| match padding {
        Padding::Same => draw.between((input - 1) * stride + 1, input * stride),
        _ => (input - 1) * stride + size + draw.between(0, stride - 1),
    };
    let output = [output(shape[1], kh, stride[0]), output(shape[2], kw, stride[1])];
    let op = Op::TransposeConv { stride, padding, output, activation: draw.activation() };
    Builder::default().input(shape, x).constant(w.weights).maybe_constant(w.bias).finish(op, w.output)
}

pub fn fully_connected(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let k = if draw.chance(50) { draw.channels() } else { draw.dim(300) };
    let o = draw.channels();
    let mut shape = draw.dims(1, 3);
    shape.iter_mut().for_each(|d| *d = (*d).min(6));
    shape.push(k);
    let w = weighted(draw, &x, vec![o, k], 0, k);
    let op = Op::FullyConnected {
        keep_num_dims: draw.chance(40),
        asymmetric_quantize_inputs: false,
        activation: draw.activation(),
    };
    Builder::default().input(shape, x).constant(w.weights).maybe_constant(w.bias).finish(op, w.output)
}

/// Scales as people choose them: many sums lie exactly between two outputs.
pub fn fully_connected_of_round_scales(draw: &mut Draw) -> Option<Graph> {
    let (k, o) = (draw.dim(40), draw.channels());
    let hundredths = |draw: &mut Draw| draw.pick(&[1.0f32, 2.0, 4.0, 5.0, 10.0]) / 100.0;
    let (input, weight) = (hundredths(draw), hundredths(draw));
    let output = draw.pick(&[0.05f32, 0.1, 0.2, 0.25, 0.4, 0.5]);
    let x = DataType::int8(input, draw.between(0, 20) as i32 - 10);
    let data = draw.int8s(o * k, -127);
    let weights = Tensor::constant("weights", [o, k], DataType::int8(weight, 0), data);
    let bias = draw.chance(50).then(|| {
        let scale =
            DataType::Quantised(ElementType::Int32, Quantisation::PerTensor { scale: input * weight, zero_point: 0 });
        let data = draw.int32s(o, 2000);
        Tensor::constant("bias", [o], scale, data)
    });
    let op =
        Op::FullyConnected { keep_num_dims: false, asymmetric_quantize_inputs: false, activation: draw.activation() };
    let y = DataType::int8(output, draw.between(0, 20) as i32 - 10);
    Builder::default().input(vec![draw.dim(6), k], x).constant(weights).maybe_constant(bias).finish(op, y)
}

fn pool(draw: &mut Draw, kind: PoolKind) -> Option<Graph> {
    let x = draw.dtype();
    let shape = [draw.batch(), draw.dim(13), draw.dim(13), draw.channels()];
    let window = if draw.chance(20) { [shape[1], shape[2]] } else { [draw.dim(5), draw.dim(5)] };
    let stride = [draw.between(1, 3), draw.between(1, 3)];
    let op = Op::Pool2d { kind, window, stride, padding: padding(draw), activation: draw.activation() };
    Builder::default().input(shape, x.clone()).finish(op, x)
}

pub fn average_pool_2d(draw: &mut Draw) -> Option<Graph> {
    pool(draw, PoolKind::Average)
}

pub fn max_pool_2d(draw: &mut Draw) -> Option<Graph> {
    pool(draw, PoolKind::Max)
}

fn resize(draw: &mut Draw, kind: ResizeKind) -> Option<Graph> {
    let x = draw.dtype();
    let shape = [draw.batch(), draw.dim(10), draw.dim(10), draw.channels()];
    let output = if draw.chance(30) { [shape[1] * 2, shape[2] * 2] } else { [draw.dim(17), draw.dim(17)] };
    let (align_corners, half_pixel_centers) = draw.pick(&[(false, false), (true, false), (false, true)]);
    let op = Op::Resize { kind, output, align_corners, half_pixel_centers };
    Builder::default().input(shape, x.clone()).finish(op, x)
}

pub fn resize_nearest_neighbor(draw: &mut Draw) -> Option<Graph> {
    resize(draw, ResizeKind::Nearest)
}

pub fn resize_bilinear(draw: &mut Draw) -> Option<Graph> {
    resize(draw, ResizeKind::Bilinear)
}

pub fn softmax(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 4);
    let beta = if draw.chance(60) { 1.0 } else { draw.log_uniform(0.1, 4.0) };
    let output = match draw.numbers {
        Numbers::Int8 | Numbers::Uint8 => draw.of_bytes(1.0 / 256.0, -128),
        Numbers::Int16 => DataType::int16(1.0 / 32768.0),
        Numbers::Float => DataType::FLOAT32,
    };
    Builder::default().input(shape, x).finish(Op::Softmax { beta }, output)
}
