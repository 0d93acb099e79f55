//! Arithmetic without weights: two operands, one operand, pools, reductions, conversions.

use super::weighted::activated;
use super::{Builder, Node, Precision, Taps, Values};
use smidgen_ir::{Activation, BinaryKind, DataType, Op, PoolKind, ReduceKind, ResizeKind, UnaryKind};

impl Builder {
    /// ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE, MINIMUM or MAXIMUM with broadcasting. For the last two the second operand is first brought to the first
    /// one's quantisation, and the activation is ignored.
    pub fn binary(&mut self, kind: BinaryKind, a: Node, b: Node, activation: Activation) -> Node {
        let (x, y) = (self.values(a), self.values(b));
        let values = match kind {
            BinaryKind::Add | BinaryKind::Sub => {
                // As if half correlated, since positive values are.
                let square = x.mean_square + y.mean_square + (x.mean_square * y.mean_square).sqrt();
                match kind {
                    BinaryKind::Add => Values::new(square, x.low + y.low, x.high + y.high),
                    _ => Values::new(square, x.low - y.high, x.high - y.low),
                }
            }
            BinaryKind::Mul => {
                let ends = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high];
                let (low, high) = ends.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
                Values::new(x.mean_square * y.mean_square, low, high)
            }
            BinaryKind::Div => {
                // Away from zero, where quotients have no bound.
                let nearest = if y.low > 0.0 { y.low } else { 1e-3 };
                let bound = x.low.abs().max(x.high.abs()) / nearest;
                Values::new(x.mean_square / y.mean_square.max(1e-6), -bound, bound)
            }
            BinaryKind::SquaredDifference => {
                let furthest = (x.high - y.low).max(y.high - x.low).powi(2);
                Values::new((x.mean_square + y.mean_square).powi(2), 0.0, furthest)
            }
            BinaryKind::Minimum | BinaryKind::Maximum => {
                let b = self.converted(b, a);
                return self.keep(Op::Binary { kind, activation: Activation::None }, &[a, b])[0];
            }
        };
        let (low, high) = activation.range();
        let values = Values { low: values.low.max(low.into()), high: values.high.min(high.into()), ..values };
        self.push_one(Op::Binary { kind, activation }, &[a, b], values)
    }

    /// ADD without activation.
    pub fn add_nodes(&mut self, a: Node, b: Node) -> Node {
        self.binary(BinaryKind::Add, a, b, Activation::None)
    }

    /// `x` in the type of `like`: itself, or through a QUANTIZE.
    pub fn converted(&mut self, x: Node, like: Node) -> Node {
        let dtype = self.dtype(like).clone();
        self.converted_to(x, &dtype)
    }

    fn converted_to(&mut self, x: Node, dtype: &DataType) -> Node {
        if self.dtype(x) == dtype {
            return x;
        }
        let values = self.values(x);
        self.push(Op::Quantize, &[x], dtype.clone(), values)[0]
    }

    /// QUANTIZE from int8 to int8 with a coarser scale and another zero point. Floats stay as they are.
    pub fn requantise(&mut self, x: Node) -> Node {
        if self.precision == Precision::Float32 {
            return x;
        }
        let values = self.values(x);
        let stretched = |v: f64| v * 1.3 + 0.1 * v.signum();
        let wider = Values { low: stretched(values.low), high: stretched(values.high), ..values };
        self.push_one(Op::Quantize, &[x], wider)
    }

    /// DEQUANTIZE of an int8 tensor; a float stays as it is.
    pub fn dequantise(&mut self, x: Node) -> Node {
        if *self.dtype(x) == DataType::FLOAT32 {
            return x;
        }
        let values = self.values(x);
        self.push(Op::Dequantize, &[x], DataType::FLOAT32, values)[0]
    }

    /// QUANTIZE of a float tensor to the type that suits its values in an int8 graph; anything else stays as it is.
    pub fn quantise(&mut self, x: Node) -> Node {
        if self.precision == Precision::Float32 || *self.dtype(x) != DataType::FLOAT32 {
            return x;
        }
        let values = self.values(x);
        self.push_one(Op::Quantize, &[x], values)
    }

    /// An element-wise function.
    pub fn unary(&mut self, kind: UnaryKind, x: Node) -> Node {
        let v = self.values(x);
        let deviation = v.mean_square.sqrt();
        let values = match kind {
            UnaryKind::Logistic => return self.probabilities(Op::Unary(kind), x),
            UnaryKind::Tanh => {
                let values = Values { mean_square: v.mean_square.min(0.6), low: -1.0, high: 127.0 / 128.0 };
                let dtype = match self.precision {
                    Precision::Int8 => DataType::int8(1.0 / 128.0, 0),
                    Precision::Float32 => DataType::FLOAT32,
                };
                return self.push(Op::Unary(kind), &[x], dtype, values)[0];
            }
            UnaryKind::Relu => within(activated(deviation, Activation::Relu), v),
            UnaryKind::Relu6 => within(activated(deviation, Activation::Relu6), v),
            UnaryKind::ReluN1To1 => within(activated(deviation, Activation::ReluN1To1), v),
            UnaryKind::LeakyRelu { alpha } => {
                let slope = f64::from(alpha);
                let ends = [v.low * slope, v.high, 0.0];
                Values {
                    mean_square: v.mean_square * (1.0 + slope * slope) / 2.0,
                    low: ends.iter().copied().fold(f64::MAX, f64::min),
                    high: ends.iter().copied().fold(f64::MIN, f64::max),
                }
            }
            // The least value is -3/8, at -3/2.
            UnaryKind::HardSwish => {
                Values { mean_square: v.mean_square / 2.0, low: v.low.clamp(-0.375, 0.0), high: v.high.max(0.1) }
            }
            // Of a normal distribution, the mean of exp(2x) is exp(2 variance).
            UnaryKind::Exp => Values { mean_square: (2.0 * v.mean_square).exp(), low: v.low.exp(), high: v.high.exp() },
            UnaryKind::Log => {
                let [low, high] = [v.low, v.high].map(|v| v.max(1e-6).ln());
                Values { mean_square: deviation.max(1e-6).ln().powi(2), low, high }
            }
            UnaryKind::Function(function) => {
                // Evenly over the range; where the function has no value there is nothing to say.
                let at = |i: u32| f64::from(function.apply((v.low + (v.high - v.low) * f64::from(i) / 64.0) as f32));
                let values: Vec<f64> = (0..=64).map(at).filter(|value| value.is_finite()).collect();
                let squares: f64 = values.iter().map(|value| value * value).sum();
                Values {
                    mean_square: squares / values.len().max(1) as f64,
                    low: values.iter().copied().fold(f64::MAX, f64::min),
                    high: values.iter().copied().fold(f64::MIN, f64::max),
                }
            }
        };
        self.push_one(Op::Unary(kind), &[x], values)
    }

    /// SOFTMAX over the last axis.
    pub fn softmax(&mut self, x: Node) -> Node {
        self.probabilities(Op::Softmax { beta: 1.0 }, x)
    }

    fn probabilities(&mut self, op: Op, x: Node) -> Node {
        let dtype = match self.precision {
            Precision::Int8 => DataType::int8(1.0 / 256.0, -128),
            Precision::Float32 => DataType::FLOAT32,
        };
        self.push(op, &[x], dtype, Values { mean_square: 0.3, low: 0.0, high: 255.0 / 256.0 })[0]
    }

    /// AVERAGE_POOL_2D or MAX_POOL_2D; the dilation is not used.
    pub fn pool(&mut self, kind: PoolKind, x: Node, taps: Taps) -> Node {
        let Taps { kernel, stride, padding, .. } = taps;
        self.keep(Op::Pool2d { kind, window: kernel, stride, padding, activation: Activation::None }, &[x])[0]
    }

    /// MEAN over rows and columns.
    pub fn global_mean(&mut self, x: Node, keep_dims: bool) -> Node {
        let v = self.values(x);
        // What has a mean keeps it; the rest averages out.
        let values = Values { mean_square: v.mean_square * 0.4, low: v.low * 0.5, high: v.high * 0.5 };
        self.push_one(Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims }, &[x], values)
    }

    /// RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR.
    pub fn resize(&mut self, kind: ResizeKind, x: Node, output: [usize; 2], half_pixel_centers: bool) -> Node {
        self.keep(Op::Resize { kind, output, align_corners: false, half_pixel_centers }, &[x])[0]
    }

    /// CONCATENATION. The output's interval covers those of all inputs, and an input of another type is requantised to it first.
    pub fn concatenation(&mut self, inputs: &[Node], axis: usize) -> Node {
        let all: Vec<Values> = inputs.iter().map(|&n| self.values(n)).collect();
        let values = Values {
            mean_square: all.iter().map(|v| v.mean_square).sum::<f64>() / all.len() as f64,
            low: all.iter().map(|v| v.low).fold(f64::MAX, f64::min),
            high: all.iter().map(|v| v.high).fold(f64::MIN, f64::max),
        };
        let dtype = self.data_type(values);
        let converted: Vec<Node> = inputs.iter().map(|&x| self.converted_to(x, &dtype)).collect();
        self.push(Op::Concatenation { axis, activation: Activation::None }, &converted, dtype, values)[0]
    }
}

/// The narrower of two intervals, but never an empty one.
fn within(values: Values, input: Values) -> Values {
    let high = values.high.min(input.high.max(0.1));
    Values { low: values.low.max(input.low.min(0.0)), high, ..values }
}
