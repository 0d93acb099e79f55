//! Convolutions and fully connected layers, with their weights.

use super::{Builder, Node, Precision, Taps, Values};
use smidgen_ir::{Activation, ConvParams, DataType, ElementType, Op, Padding, Quantisation, Tensor};

/// How the weights' elements belong to output channels.
#[derive(Clone, Copy)]
struct Layout {
    channels: usize,
    /// Axis of the output channels.
    axis: usize,
    /// Elements from one of a channel to its next.
    step: usize,
}

impl Layout {
    fn channel(self, element: usize, per_channel: usize) -> usize {
        if self.step == 1 { element / per_channel } else { element % self.channels }
    }
}

impl Builder {
    /// CONV_2D with random weights and bias.
    pub fn conv(&mut self, x: Node, taps: Taps, outputs: usize, activation: Activation) -> Node {
        let channels = self.shape(x)[3];
        let shape = [outputs, taps.kernel[0], taps.kernel[1], channels];
        let layout = Layout { channels: outputs, axis: 0, step: 1 };
        self.weighted(Op::Conv2d(params(taps, activation)), x, &shape, layout, activation)
    }

    /// A CONV_2D of one pixel.
    pub fn pointwise(&mut self, x: Node, outputs: usize, activation: Activation) -> Node {
        self.conv(x, Taps { padding: Padding::Valid, ..Taps::square(1) }, outputs, activation)
    }

    /// DEPTHWISE_CONV_2D with random weights and bias.
    pub fn depthwise(&mut self, x: Node, taps: Taps, multiplier: usize, activation: Activation) -> Node {
        let channels = self.shape(x)[3] * multiplier;
        let shape = [1, taps.kernel[0], taps.kernel[1], channels];
        let layout = Layout { channels, axis: 3, step: channels };
        let op = Op::DepthwiseConv2d { conv: params(taps, activation), multiplier };
        self.weighted(op, x, &shape, layout, activation)
    }

    /// TRANSPOSE_CONV with random weights and bias; the output is as large as SAME or VALID padding allows.
    pub fn transpose_conv(
        &mut self,
        x: Node,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        outputs: usize,
        activation: Activation,
    ) -> Node {
        let &[_, height, width, channels] = self.shape(x) else { panic!("an image has four dimensions") };
        let output = [0, 1].map(|axis| {
            let input = [height, width][axis];
            if padding == Padding::Same { input * stride[axis] } else { (input - 1) * stride[axis] + kernel[axis] }
        });
        let shape = [outputs, kernel[0], kernel[1], channels];
        let layout = Layout { channels: outputs, axis: 0, step: 1 };
        self.weighted(Op::TransposeConv { stride, padding, output, activation }, x, &shape, layout, activation)
    }

    /// FULLY_CONNECTED over all elements of `x`, with random weights of one scale and a random bias.
    pub fn fully_connected(&mut self, x: Node, outputs: usize, activation: Activation) -> Node {
        let inputs = self.shape(x).iter().product();
        let op = Op::FullyConnected { keep_num_dims: false, asymmetric_quantize_inputs: false, activation };
        let layout = Layout { channels: outputs, axis: 0, step: 1 };
        self.weighted(op, x, &[outputs, inputs], layout, activation)
    }

    fn weighted(&mut self, op: Op, x: Node, shape: &[usize], layout: Layout, activation: Activation) -> Node {
        let count: usize = shape.iter().product();
        let per_channel = count / layout.channels;
        let mut integers: Vec<i8> = (0..count).map(|_| (self.random.bell() * 42.0).round() as i8).collect();
        // Each channel's standard deviation before the activation: 2 where RELU6 is to clip now and then, else 1.
        let deviation = if activation == Activation::Relu6 { 2.0 } else { 1.0 };
        let mut squares = vec![0.0; layout.channels];
        for (i, v) in integers.iter_mut().enumerate() {
            squares[layout.channel(i, per_channel)] += f64::from(*v).powi(2);
        }
        let mean_square = self.values(x).mean_square.max(1e-9);
        let per_tensor = matches!(op, Op::FullyConnected { .. });
        if per_tensor {
            let mean = squares.iter().sum::<f64>() / layout.channels as f64;
            squares.fill(mean);
        }
        let scales: Vec<f32> = squares
            .iter()
            .map(|&sum| {
                // Channels of a trained network differ in strength.
                let strength = if per_tensor { 1.0 } else { 0.7 + 0.6 * self.random.unit() };
                (strength * deviation / (sum.max(1.0) * mean_square).sqrt()) as f32
            })
            .collect();
        let biases: Vec<f64> = (0..layout.channels).map(|_| self.random.bell() * deviation * 0.3).collect();
        let weights = self.weights(&op, shape, &integers, &scales, layout, per_channel);
        let bias = self.bias(x, &biases, &scales, per_tensor);
        let values = activated(deviation, activation);
        self.push_one(op, &[x, weights, bias], values)
    }

    fn weights(
        &mut self,
        op: &Op,
        shape: &[usize],
        integers: &[i8],
        scales: &[f32],
        layout: Layout,
        per_channel: usize,
    ) -> Node {
        let name = format!("{}_{}/weights", op.name().to_lowercase(), self.graph.operators.len());
        let (dtype, bytes) = match self.precision {
            Precision::Float32 => {
                let float = |(i, &v): (usize, &i8)| f32::from(v) * scales[layout.channel(i, per_channel)];
                (DataType::FLOAT32, integers.iter().enumerate().map(float).flat_map(f32::to_le_bytes).collect())
            }
            Precision::Int8 => {
                let quantisation = if matches!(op, Op::FullyConnected { .. }) {
                    Quantisation::PerTensor { scale: scales[0], zero_point: 0 }
                } else {
                    let zero_points = vec![0; scales.len()];
                    Quantisation::PerChannel { axis: layout.axis, scales: scales.to_vec(), zero_points }
                };
                let dtype = DataType::Quantised(ElementType::Int8, quantisation);
                (dtype, integers.iter().map(|&v| v as u8).collect::<Vec<u8>>())
            }
        };
        self.add(Tensor::constant(name, shape.to_vec(), dtype, bytes), CONSTANT)
    }

    fn bias(&mut self, x: Node, biases: &[f64], scales: &[f32], per_tensor: bool) -> Node {
        let name = format!("bias_{}", self.graph.operators.len());
        let (dtype, bytes): (DataType, Vec<u8>) = match self.graph.tensor(x.0).per_tensor() {
            Some((input, _)) if self.precision == Precision::Int8 => {
                let scales: Vec<f32> = scales.iter().map(|s| s * input).collect();
                let integer = |(&b, &s): (&f64, &f32)| (b / f64::from(s)).round().clamp(-1e9, 1e9) as i32;
                let bytes = biases.iter().zip(&scales).map(integer).flat_map(i32::to_le_bytes).collect();
                let quantisation = if per_tensor {
                    Quantisation::PerTensor { scale: scales[0], zero_point: 0 }
                } else {
                    let zero_points = vec![0; scales.len()];
                    Quantisation::PerChannel { axis: 0, scales, zero_points }
                };
                (DataType::Quantised(ElementType::Int32, quantisation), bytes)
            }
            _ => (DataType::FLOAT32, biases.iter().flat_map(|&b| (b as f32).to_le_bytes()).collect()),
        };
        self.add(Tensor::constant(name, [biases.len()], dtype, bytes), CONSTANT)
    }
}

/// Nothing asks for the values of constants.
const CONSTANT: Values = Values { mean_square: 1.0, low: -1.0, high: 1.0 };

fn params(taps: Taps, activation: Activation) -> ConvParams {
    ConvParams { stride: taps.stride, dilation: taps.dilation, padding: taps.padding, activation }
}

/// Values of mean 0 and this deviation after an activation.
pub(super) fn activated(deviation: f64, activation: Activation) -> Values {
    let square = deviation * deviation;
    match activation {
        Activation::None => Values::new(square, f64::NEG_INFINITY, f64::INFINITY),
        // Half of them become 0.
        Activation::Relu => Values { low: 0.0, high: 4.0 * deviation, mean_square: square / 2.0 },
        Activation::Relu6 => Values { low: 0.0, high: 6.0, mean_square: square.min(12.0) / 2.0 },
        Activation::ReluN1To1 => Values { low: -1.0, high: 1.0, mean_square: square.min(1.0) },
    }
}
