//! Random graphs for property tests.

use crate::builder::{Builder, Node, Precision, Taps};
use crate::gated::gate_channels;
use smidgen_ir::{Activation, BinaryKind, Graph, Padding, PoolKind, ResizeKind, UnaryKind};

/// What a random graph may be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RandomGraphOptions {
    /// int8 or float32.
    pub precision: Precision,
    /// How many blocks of one to a few operators follow the input, at most.
    pub blocks: usize,
    /// Greatest height and width of the input.
    pub image: usize,
    /// Greatest number of channels.
    pub channels: usize,
    /// Most multiply-accumulates of one convolution.
    pub macs: usize,
    /// Now and then end in a classifier (global mean or flattening, fully connected, perhaps SOFTMAX).
    pub heads: bool,
    /// Only chains of windows, element-wise operators and residual blocks: what can be computed row by row.
    pub streamable: bool,
    /// Float inputs and outputs, with QUANTIZE and DEQUANTIZE around an int8 body.
    pub float_io: bool,
}

impl Default for RandomGraphOptions {
    /// int8, up to 8 blocks on at most 24x24 pixels and 16 channels: well under a million multiply-accumulates.
    fn default() -> Self {
        Self {
            precision: Precision::Int8,
            blocks: 8,
            image: 24,
            channels: 16,
            macs: 100_000,
            heads: true,
            streamable: false,
            float_io: false,
        }
    }
}

/// A random valid graph: chains, residual blocks, branches, concatenations, up- and downsampling, channel gates, odd sizes, kernels
/// from 1 to 7, strides and dilations from 1 to 3, every padding. The same seed and options always give the same graph.
pub fn random_graph(seed: u64, options: &RandomGraphOptions) -> Graph {
    let mut b = Builder::new(&format!("random-{seed}"), options.precision, seed);
    let (height, width) = (b.size(options.image.max(1)), b.size(options.image.max(1)));
    let channels = 1 + b.random().below(options.channels.clamp(1, 8));
    let shape = [1, height, width, channels];
    let input = if options.float_io { b.float_input(shape) } else { b.input(shape) };
    let mut sketch = Sketch { options, open: vec![input], b };
    let blocks = 1 + sketch.b.random().below(options.blocks.max(1));
    for _ in 0..blocks {
        sketch.block();
    }
    sketch.finish()
}

impl Builder {
    /// A size from 1 to `most`, rarely below 5 if it can be above.
    fn size(&mut self, most: usize) -> usize {
        let least = if most > 5 && !self.random().chance(1, 10) { 5 } else { 1 };
        least + self.random().below(most - least + 1)
    }
}

struct Sketch<'a> {
    b: Builder,
    options: &'a RandomGraphOptions,
    /// Images that nothing reads yet; the last is where the next block goes on.
    open: Vec<Node>,
}

impl Sketch<'_> {
    fn below(&mut self, count: usize) -> usize {
        self.b.random().below(count)
    }

    fn chance(&mut self, numerator: usize, denominator: usize) -> bool {
        self.b.random().chance(numerator, denominator)
    }

    /// `[height, width, channels]`.
    fn image(&self, x: Node) -> [usize; 3] {
        let shape = self.b.shape(x);
        [shape[1], shape[2], shape[3]]
    }

    fn activation(&mut self) -> Activation {
        let all = [Activation::None, Activation::Relu, Activation::Relu6, Activation::Relu6, Activation::ReluN1To1];
        self.b.random().choose(&all)
    }

    fn channels(&mut self) -> usize {
        1 + self.below(self.options.channels.max(1))
    }

    fn block(&mut self) {
        let x = self.open.pop().expect("at least one open image");
        let y = match self.below(if self.options.streamable { 10 } else { 20 }) {
            0 | 1 => self.conv(x, false),
            2 | 3 => self.depthwise(x),
            4 | 5 => self.residual(x),
            6 => self.pool(x),
            7 => self.unary(x),
            8 => self.pad(x),
            9 => self.pointwise(x),
            10 | 11 => self.branches(x),
            12 => self.resize(x),
            13 => gate_channels(&mut self.b, x),
            14 => self.rearrange(x),
            15 => self.transpose_conv(x),
            16 => self.constant_free_binary(x),
            17 => {
                // Leaves this image open and goes on from an earlier point: a second output, or a later concatenation.
                self.open.insert(0, x);
                self.conv(x, false)
            }
            18 => self.b.requantise(x),
            _ => self.join(x),
        };
        self.open.push(y);
    }

    /// A window that fits the image and keeps the output below the allowed work, or a single pixel.
    fn taps(&mut self, x: Node, per_output: usize, same_size: bool) -> Taps {
        let [height, width, _] = self.image(x);
        for _ in 0..8 {
            let square = 1 + self.below(7);
            let mut pick = |wild: usize| if self.b.random().chance(1, 4) { 1 + self.b.random().below(wild) } else { 0 };
            let kernel = [square, Some(pick(7)).filter(|&k| k > 0).unwrap_or(square)];
            let (dilated, strided) = (pick(3).max(1), pick(3).max(1));
            let mut stride = [strided, if self.chance(1, 5) { 1 + self.below(3) } else { strided }];
            let dilation = [dilated, dilated];
            let extent = [0, 1].map(|axis| (kernel[axis] - 1) * dilation[axis] + 1);
            let padding = match self.below(4) {
                0 if !same_size => Padding::Valid,
                1 if !same_size => self.explicit(extent),
                2 if extent.iter().all(|e| e % 2 == 1) => {
                    let [y, x] = extent.map(|e| e / 2);
                    Padding::Explicit { top: y, bottom: y, left: x, right: x }
                }
                _ => Padding::Same,
            };
            if same_size {
                stride = [1, 1];
            }
            let outputs = [0, 1].map(|axis| {
                let size = [height, width][axis];
                smidgen_ir::Window::resolve(size, kernel[axis], stride[axis], dilation[axis], padding, axis)
                    .map_or(0, |w| w.output)
            });
            let macs = outputs[0] * outputs[1] * kernel[0] * kernel[1] * per_output;
            if macs > 0 && macs <= self.options.macs {
                return Taps { kernel, stride, dilation, padding };
            }
        }
        Taps::square(1)
    }

    /// Any number of rows and columns below the window's extent, on each side.
    fn explicit(&mut self, extent: [usize; 2]) -> Padding {
        let [top, bottom] = [0; 2].map(|_| self.below(extent[0]));
        let [left, right] = [0; 2].map(|_| self.below(extent[1]));
        Padding::Explicit { top, bottom, left, right }
    }

    fn conv(&mut self, x: Node, same_shape: bool) -> Node {
        let inputs = self.image(x)[2];
        let outputs = if same_shape { inputs } else { self.channels() };
        let taps = self.taps(x, inputs * outputs, same_shape);
        let activation = self.activation();
        self.b.conv(x, taps, outputs, activation)
    }

    fn pointwise(&mut self, x: Node) -> Node {
        let (outputs, activation) = (self.channels(), self.activation());
        self.b.pointwise(x, outputs, activation)
    }

    fn depthwise(&mut self, x: Node) -> Node {
        let inputs = self.image(x)[2];
        let multiplier = if inputs * 3 <= self.options.channels && self.chance(1, 4) { 2 + self.below(2) } else { 1 };
        let taps = self.taps(x, inputs * multiplier, false);
        let activation = self.activation();
        self.b.depthwise(x, taps, multiplier, activation)
    }

    fn residual(&mut self, x: Node) -> Node {
        let [.., channels] = self.image(x);
        let y = if self.chance(1, 2) {
            let expanded = self.b.pointwise(x, channels * 2, Activation::Relu6);
            let taps = self.taps(expanded, channels * 2, true);
            let y = self.b.depthwise(expanded, taps, 1, Activation::Relu6);
            self.b.pointwise(y, channels, Activation::None)
        } else {
            self.conv(x, true)
        };
        let activation = self.activation();
        let kind = if self.chance(1, 5) { BinaryKind::Sub } else { BinaryKind::Add };
        self.b.binary(kind, x, y, activation)
    }

    fn pool(&mut self, x: Node) -> Node {
        let kind = self.b.random().choose(&[PoolKind::Average, PoolKind::Max]);
        let [height, width, _] = self.image(x);
        let kernel = [height, width].map(|size| 1 + self.b.random().below(size.min(4)));
        let stride = kernel.map(|k| 1 + self.b.random().below(k.min(3)));
        let padding = self.b.random().choose(&[Padding::Same, Padding::Valid]);
        self.b.pool(kind, x, Taps { kernel, stride, dilation: [1, 1], padding })
    }

    fn unary(&mut self, x: Node) -> Node {
        let kind = self.b.random().choose(&[
            UnaryKind::Logistic,
            UnaryKind::Tanh,
            UnaryKind::Relu,
            UnaryKind::Relu6,
            UnaryKind::LeakyRelu { alpha: 0.125 },
            UnaryKind::HardSwish,
        ]);
        self.b.unary(kind, x)
    }

    fn pad(&mut self, x: Node) -> Node {
        let mut side = || [self.b.random().below(3), self.b.random().below(3)];
        let (rows, columns) = (side(), side());
        if self.too_large(x, 2) {
            return self.pointwise(x);
        }
        self.b.pad(x, rows, columns)
    }

    /// True if the image should not grow by this factor along both axes.
    fn too_large(&self, x: Node, factor: usize) -> bool {
        let [height, width, _] = self.image(x);
        height.max(width) * factor > 2 * self.options.image
    }

    /// Two to three branches of convolutions, joined along channels or by arithmetic.
    fn branches(&mut self, x: Node) -> Node {
        if self.chance(1, 2) {
            let count = 2 + self.below(2);
            let mut ends: Vec<Node> = Vec::new();
            for _ in 0..count {
                let outputs = 1 + self.below(self.options.channels.div_ceil(count));
                let inputs = self.image(x)[2];
                let taps = self.taps(x, inputs * outputs, true);
                let activation = self.activation();
                ends.push(self.b.conv(x, taps, outputs, activation));
            }
            if self.chance(1, 3) {
                ends.push(x);
            }
            return self.b.concatenation(&ends, 3);
        }
        let (left, right) = (self.conv(x, true), self.conv(x, true));
        let kind = self.b.random().choose(&[
            BinaryKind::Add,
            BinaryKind::Sub,
            BinaryKind::Mul,
            BinaryKind::Minimum,
            BinaryKind::Maximum,
        ]);
        self.b.binary(kind, left, right, Activation::None)
    }

    fn resize(&mut self, x: Node) -> Node {
        let kind = self.b.random().choose(&[ResizeKind::Nearest, ResizeKind::Bilinear]);
        let [height, width, _] = self.image(x);
        let output = if self.chance(2, 3) && !self.too_large(x, 2) {
            [2 * height, 2 * width]
        } else {
            [self.b.size(self.options.image.max(1)), self.b.size(self.options.image.max(1))]
        };
        let half_pixel_centers = self.chance(1, 2);
        self.b.resize(kind, x, output, half_pixel_centers)
    }

    /// Splits, slices, flips, transposes and puts together again.
    fn rearrange(&mut self, x: Node) -> Node {
        let [height, width, channels] = self.image(x);
        match self.below(6) {
            0 if channels % 2 == 0 => {
                let parts = self.b.split(x, 3, 2);
                self.b.concatenation(&[parts[1], parts[0]], 3)
            }
            1 => {
                let rows = 1 + self.below(height);
                let first = self.below(height - rows + 1);
                self.b.slice(x, &[0, first, 0, 0], &[1, rows, width, channels])
            }
            2 => {
                let axis = 1 + self.below(3);
                let stride = self.b.random().choose(&[-1, 2, -2]);
                self.b.strided_slice(x, axis, stride)
            }
            3 => self.b.transpose(x, &[0, 2, 1, 3]),
            4 => {
                let axis = 1 + self.below(2);
                let other = self.conv(x, true);
                if self.too_large(x, 2) { other } else { self.b.concatenation(&[x, other], axis) }
            }
            _ => self.b.reshape(x, &[1, width, height, channels]),
        }
    }

    fn transpose_conv(&mut self, x: Node) -> Node {
        let [height, width, inputs] = self.image(x);
        let outputs = self.channels();
        let kernel = [1 + self.below(4), 1 + self.below(4)];
        let macs = height * width * inputs * outputs * kernel[0] * kernel[1];
        if self.too_large(x, 2) || macs > self.options.macs {
            return self.pointwise(x);
        }
        let stride = [1 + self.below(2), 1 + self.below(2)];
        let padding = self.b.random().choose(&[Padding::Same, Padding::Valid]);
        let activation = self.activation();
        self.b.transpose_conv(x, kernel, stride, padding, outputs, activation)
    }

    /// The image with its own means: broadcasting over rows and columns.
    fn constant_free_binary(&mut self, x: Node) -> Node {
        let mean = self.b.global_mean(x, true);
        let kind = self.b.random().choose(&[BinaryKind::Sub, BinaryKind::Add, BinaryKind::Mul, BinaryKind::Maximum]);
        self.b.binary(kind, x, mean, Activation::None)
    }

    /// Takes up an image that was left open, by a pointwise convolution and a resize, and adds it.
    fn join(&mut self, x: Node) -> Node {
        if self.open.is_empty() {
            return self.residual(x);
        }
        let other = self.open.remove(0);
        let [height, width, channels] = self.image(x);
        let mut y = self.b.pointwise(other, channels, Activation::None);
        if self.b.shape(y) != self.b.shape(x) {
            y = self.b.resize(ResizeKind::Nearest, y, [height, width], false);
        }
        self.b.add_nodes(x, y)
    }

    fn finish(mut self) -> Graph {
        let last = self.open.pop().expect("at least one open image");
        let mut end = last;
        if self.options.heads && self.chance(1, 2) {
            end = self.head(last);
        }
        let mut outputs = vec![end];
        outputs.append(&mut self.open);
        if self.options.float_io {
            outputs = outputs.into_iter().map(|y| self.b.dequantise(y)).collect();
        }
        self.b.finish(&outputs)
    }

    fn head(&mut self, x: Node) -> Node {
        let elements: usize = self.b.shape(x).iter().product();
        let pooled = match self.below(3) {
            0 if elements <= 1000 => x,
            1 => {
                let [height, width, _] = self.image(x);
                let all = Taps { kernel: [height, width], stride: [1, 1], dilation: [1, 1], padding: Padding::Valid };
                self.b.pool(PoolKind::Average, x, all)
            }
            _ => {
                let keep_dims = self.chance(1, 2);
                self.b.global_mean(x, keep_dims)
            }
        };
        let classes = 2 + self.below(10);
        let logits = self.b.fully_connected(pooled, classes, Activation::None);
        if self.chance(1, 2) { self.b.softmax(logits) } else { logits }
    }
}
