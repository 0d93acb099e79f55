//! MobileNetV2.

use crate::builder::{Builder, Node, Precision, Taps};
use smidgen_ir::{Activation, Graph};

/// Expansion, output channels, repetitions and stride of each stage (Sandler et al., "MobileNetV2: Inverted Residuals and Linear
/// Bottlenecks", 2018, table 2).
const STAGES: [(usize, usize, usize, usize); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// MobileNetV2 for square images, int8 logits, with `(k - 1) / 2` pixels of padding on every side as PyTorch trains it.
///
/// `width` multiplies every number of channels, which is then rounded to a multiple of 8; the last 1280 only grow.
///
/// # Panics
/// If `width` is not positive, or `resolution` or `classes` is 0.
pub fn mobilenet_v2(width: f64, resolution: usize, classes: usize, seed: u64) -> Graph {
    assert!(width > 0.0 && resolution > 0 && classes > 0, "sizes are positive");
    let mut b = Builder::new("mobilenet-v2", Precision::Int8, seed);
    let x = b.input([1, resolution, resolution, 3]);
    let stem = Taps::square(3).stride(2).symmetric();
    let mut x = b.conv(x, stem, scaled(32, width), Activation::Relu6);
    for (expansion, channels, repetitions, stride) in STAGES {
        for i in 0..repetitions {
            let middle = b.shape(x)[3] * expansion;
            let taps = Taps::square(3).stride(if i == 0 { stride } else { 1 }).symmetric();
            x = inverted_residual(&mut b, x, middle, taps, scaled(channels, width));
        }
    }
    let x = b.pointwise(x, scaled(1280, width.max(1.0)), Activation::Relu6);
    let x = b.global_mean(x, false);
    let x = b.fully_connected(x, classes, Activation::None);
    b.finish(&[x])
}

/// `channels * width` rounded to a multiple of 8, not below 8, and not more than a tenth below the product.
pub(crate) fn scaled(channels: usize, width: f64) -> usize {
    let wanted = channels as f64 * width;
    let rounded = (((wanted + 4.0) / 8.0).floor() * 8.0).max(8.0);
    (if rounded < 0.9 * wanted { rounded + 8.0 } else { rounded }) as usize
}

/// Expansion to `middle` channels (left out where there are as many already), depthwise, linear projection; the input is added
/// where shapes allow.
pub(crate) fn inverted_residual(b: &mut Builder, x: Node, middle: usize, taps: Taps, outputs: usize) -> Node {
    let mut y = x;
    if middle != b.shape(x)[3] {
        y = b.pointwise(y, middle, Activation::Relu6);
    }
    y = b.depthwise(y, taps, 1, Activation::Relu6);
    y = b.pointwise(y, outputs, Activation::None);
    if b.shape(x) == b.shape(y) { b.add_nodes(x, y) } else { y }
}
