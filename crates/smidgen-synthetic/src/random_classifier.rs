//! Small random classifiers of int8, of the operators that pass gradients on the device.

use crate::builder::{Builder, Node, Precision, Taps};
use crate::random::Random;
use smidgen_ir::{Activation, Graph, PoolKind};

/// Convolutions of all kinds, depthwise ones with multipliers, residual additions, average pools, a fully connected layer or a mean before the
/// classifier. A hundred of them have every such operator in every position that matters.
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
        x = match random.below(6) {
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

fn conv(b: &mut Builder, x: Node, size: usize, stride: usize, outputs: usize, activation: Activation) -> Node {
    b.conv(x, Taps::square(size).stride(stride), outputs, activation)
}
