//! Inverted residual blocks with channel gates.

use crate::builder::{Builder, Node, Precision, Taps};
use smidgen_ir::{Activation, BinaryKind, Graph, UnaryKind};

/// Kernel, stride, output channels, and whether the block has a gate. Gates need a block's whole middle tensor at once, so they
/// begin where images are an eighth of the input's size.
const BLOCKS: [(usize, usize, usize, bool); 11] = [
    (3, 1, 16, false),
    (3, 2, 24, false),
    (3, 1, 24, false),
    (5, 2, 32, true),
    (3, 1, 32, true),
    (3, 2, 64, true),
    (5, 1, 64, true),
    (3, 1, 64, true),
    (5, 2, 96, true),
    (3, 1, 96, true),
    (3, 1, 160, true),
];

/// An int8 classifier of 1000 classes made of inverted residual blocks with squeeze-and-excitation (Hu et al., "Squeeze-and-
/// Excitation Networks", 2018, placed after the depthwise convolution as in Howard et al., "Searching for MobileNetV3", 2019):
/// MEAN over the image, two pointwise convolutions, LOGISTIC, and a MUL of the whole tensor by one factor for each channel.
///
/// `expansion` is the ratio of a block's middle channels to its input channels.
///
/// # Panics
/// If `resolution` or `expansion` is 0.
pub fn gated(resolution: usize, expansion: usize, seed: u64) -> Graph {
    assert!(resolution > 0 && expansion > 0, "sizes are positive");
    let mut b = Builder::new("gated", Precision::Int8, seed);
    let x = b.input([1, resolution, resolution, 3]);
    let mut x = b.conv(x, Taps::square(3).stride(2).symmetric(), 16, Activation::Relu6);
    for (kernel, stride, outputs, gate) in BLOCKS {
        x = block(&mut b, x, Taps::square(kernel).stride(stride).symmetric(), expansion, outputs, gate);
    }
    let x = b.global_mean(x, false);
    let x = b.fully_connected(x, 1000, Activation::None);
    b.finish(&[x])
}

fn block(b: &mut Builder, x: Node, taps: Taps, expansion: usize, outputs: usize, gate: bool) -> Node {
    let middle = b.shape(x)[3] * expansion;
    let y = b.pointwise(x, middle, Activation::Relu6);
    let mut y = b.depthwise(y, taps, 1, Activation::Relu6);
    if gate {
        y = gate_channels(b, y);
    }
    let y = b.pointwise(y, outputs, Activation::None);
    if b.shape(x) == b.shape(y) { b.add_nodes(x, y) } else { y }
}

/// Multiplies each channel by a factor between 0 and 1 that depends on the means of all channels.
pub(crate) fn gate_channels(b: &mut Builder, x: Node) -> Node {
    let channels = b.shape(x)[3];
    let squeezed = b.global_mean(x, true);
    let hidden = b.pointwise(squeezed, channels.div_ceil(4), Activation::Relu);
    let logits = b.pointwise(hidden, channels, Activation::None);
    let factors = b.unary(UnaryKind::Logistic, logits);
    b.binary(BinaryKind::Mul, x, factors, Activation::None)
}
