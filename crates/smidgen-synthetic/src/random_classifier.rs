//! Small random classifiers of int8, of the operators that pass gradients on the device.

use crate::builder::{Builder, Node, Precision, Taps};
use crate::random::Random;
use smidgen_ir::{Activation, BinaryKind, Graph, Padding, PoolKind, ResizeKind, UnaryKind};

/// Convolutions of all kinds, depthwise ones with multipliers, residual additions, products, pools, functions, what moves elements, a fully connected
/// layer or a mean before the classifier. A hundred of them have every such operator in every position that matters.
pub fn random_classifier(seed: u64) -> Graph {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(7));
    let mut b = Builder::new("classifier", Precision::Int8, seed);
    let side = random.choose(&[6, 7, 8, 10]);
    let cols = random.choose(&[side, 5, 9]);
    let channels = random.choose(&[1, 3, 8]);
    let mut x = b.input([1, side, cols, channels]);
    let activation = |random: &mut Random| random.choose(&[Activation::None, Activation::Relu, Activation::Relu6]);
    let first = random.choose(&[8, 12, 16]);
    x = b.conv(x, Taps::square(3).symmetric(), first, activation(&mut random));
    for _ in 0..2 + random.below(3) {
        x = match random.below(14) {
            0 => {
                let (size, stride) = (random.choose(&[1, 2, 3]), random.choose(&[1, 2]));
                let outputs = random.choose(&[5, 8, 12]);
                conv(&mut b, x, size, stride, outputs, activation(&mut random))
            }
            1 => {
                let (size, stride) = (random.choose(&[3, 5]), random.choose(&[1, 2]));
                let multiplier = if b.shape(x)[3] <= 12 { random.choose(&[1, 2]) } else { 1 };
                b.depthwise(x, Taps::square(size).stride(stride), multiplier, activation(&mut random))
            }
            2 | 3 => {
                let (inputs, expansion) = (b.shape(x)[3], random.choose(&[2, 3]));
                let y = b.pointwise(x, inputs * expansion, Activation::Relu6);
                let y = b.depthwise(y, Taps::square(3).symmetric(), 1, Activation::Relu6);
                let y = b.pointwise(y, inputs, Activation::None);
                b.add_nodes(x, y)
            }
            4 if b.shape(x)[1] >= 4 && b.shape(x)[2] >= 4 => {
                let stride = random.choose(&[1, 2]);
                b.pool(PoolKind::Average, x, Taps { kernel: [2; 2], ..Taps::square(2).stride(stride) })
            }
            6 if b.shape(x)[1] >= 4 && b.shape(x)[2] >= 4 => {
                let (size, stride) = (random.choose(&[2, 3]), random.choose(&[1, 2]));
                b.pool(PoolKind::Max, x, Taps { kernel: [size; 2], ..Taps::square(size).stride(stride) })
            }
            7 if b.shape(x)[1] >= 3 && b.shape(x)[2] >= 3 => {
                // Padding of its own, as exporters have it in front of strides.
                let y = b.pad(x, [random.below(2), 1], [1, random.below(3)]);
                let y =
                    b.depthwise(y, Taps { padding: Padding::Valid, ..Taps::square(3).stride(2) }, 1, Activation::None);
                b.pointwise(y, 8, activation(&mut random))
            }
            8 => gated(&mut b, x, &mut random),
            9 => {
                let function = random.choose(&[
                    UnaryKind::HardSwish,
                    UnaryKind::LeakyRelu { alpha: 0.2 },
                    UnaryKind::Tanh,
                    UnaryKind::Relu6,
                ]);
                let y = b.pointwise(x, 12, Activation::None);
                b.unary(function, y)
            }
            10 => {
                let parts = [b.pointwise(x, 8, activation(&mut random)), b.pointwise(x, 5, Activation::None)];
                b.concatenation(&parts, 3)
            }
            11 => {
                // Half of the channels goes one way, half the other.
                let y = b.pointwise(x, 12, activation(&mut random));
                let halves = b.split(y, 3, 2);
                let z = b.depthwise(halves[1], Taps::square(3).symmetric(), 1, Activation::Relu);
                b.concatenation(&[z, halves[0]], 3)
            }
            13 => {
                let kind = random.choose(&[ResizeKind::Bilinear, ResizeKind::Nearest]);
                let output = [b.shape(x)[1] + random.below(5), (b.shape(x)[2] + random.below(8)).max(3) - 2];
                let y = b.resize(kind, x, output, random.chance(1, 2));
                b.pointwise(y, 8, activation(&mut random))
            }
            12 if b.shape(x)[1] >= 3 && b.shape(x)[2] >= 3 => {
                let shape = b.shape(x).to_vec();
                let y = b.slice(x, &[0, 1, 0, 1], &[1, shape[1] - 1, shape[2], shape[3] - 1]);
                let y = b.transpose(y, &[0, 2, 1, 3]);
                b.pointwise(y, 8, activation(&mut random))
            }
            _ => {
                let outputs = random.choose(&[8, 16]);
                b.pointwise(x, outputs, activation(&mut random))
            }
        };
    }
    if random.chance(1, 3) {
        let x = b.fully_connected(x, 12, Activation::Relu);
        let x = b.fully_connected(x, 4, Activation::None);
        return b.finish(&[x]);
    }
    let x = b.global_mean(x, false);
    let x = b.fully_connected(x, 4, Activation::None);
    b.finish(&[x])
}

/// Squeeze and excitation, or a product of two branches.
fn gated(b: &mut Builder, x: Node, random: &mut Random) -> Node {
    let channels = b.shape(x)[3];
    if random.chance(1, 2) {
        let mean = b.global_mean(x, true);
        let small = b.pointwise(mean, 4, Activation::Relu);
        let gate = b.pointwise(small, channels, Activation::None);
        let gate = b.unary(UnaryKind::Logistic, gate);
        return b.binary(BinaryKind::Mul, x, gate, Activation::None);
    }
    let y = b.pointwise(x, channels, Activation::None);
    b.binary(BinaryKind::Mul, y, x, random.choose(&[Activation::None, Activation::Relu]))
}

fn conv(b: &mut Builder, x: Node, size: usize, stride: usize, outputs: usize, activation: Activation) -> Node {
    b.conv(x, Taps::square(size).stride(stride), outputs, activation)
}
