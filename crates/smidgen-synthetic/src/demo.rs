//! A small classifier to show things with.

use crate::builder::{Builder, Precision, Taps};
use smidgen_ir::{Activation, Graph};

/// An image classifier of 48x48x3 pixels and 10 classes, int8 throughout: a stem, six inverted residual blocks (Sandler et al.,
/// "MobileNetV2", 2018, section 3.3), global mean, a fully connected layer and SOFTMAX. 1.3 million multiply-accumulates.
pub fn demo(seed: u64) -> Graph {
    let mut b = Builder::new("demo", Precision::Int8, seed);
    let x = b.input([1, 48, 48, 3]);
    let mut x = b.conv(x, Taps::square(3).stride(2), 8, Activation::Relu6);
    for (kernel, stride, outputs) in [(3, 1, 8), (3, 2, 16), (3, 1, 16), (5, 2, 24), (5, 1, 24), (3, 2, 32)] {
        x = inverted_residual(&mut b, x, Taps::square(kernel).stride(stride), 3, outputs);
    }
    let x = b.global_mean(x, false);
    let x = b.fully_connected(x, 10, Activation::None);
    let x = b.softmax(x);
    b.finish(&[x])
}

/// Expansion by a factor, depthwise, projection; the input is added where shapes allow.
fn inverted_residual(b: &mut Builder, x: crate::Node, taps: Taps, expansion: usize, outputs: usize) -> crate::Node {
    let inputs = b.shape(x)[3];
    let y = b.pointwise(x, inputs * expansion, Activation::Relu6);
    let y = b.depthwise(y, taps, 1, Activation::Relu6);
    let y = b.pointwise(y, outputs, Activation::None);
    if b.shape(x) == b.shape(y) { b.add_nodes(x, y) } else { y }
}
