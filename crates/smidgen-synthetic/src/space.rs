//! Networks drawn from MCUNet's mobile search space.

use crate::builder::{Builder, Precision, Taps};
use crate::mobilenet::{inverted_residual, scaled};
use crate::random::Random;
use smidgen_ir::{Activation, Graph};

/// Channels and first stride of the stages whose depth, kernels and expansions are searched, before the width multiplier (Lin et al.,
/// "MCUNet: Tiny Deep Learning on IoT Devices", 2020, with the skeleton of ProxylessNAS).
const STAGES: [(usize, usize); 5] = [(24, 2), (40, 2), (80, 2), (96, 1), (192, 2)];
/// Channels of the stem, of the block behind it, and of the last block.
const STEM: usize = 32;
const FIRST: usize = 16;
const LAST: usize = 320;

/// A network drawn uniformly from the space of one `width` and `resolution`: 2 to 4 blocks a stage, kernels of 3, 5 or 7, expansions of 3, 4 or 6.
/// int8, square images of 3 channels, logits as output, random weights.
///
/// # Panics
/// If `width` is not positive, or `resolution` or `classes` is 0.
pub fn mcunet_space(width: f64, resolution: usize, classes: usize, seed: u64) -> Graph {
    assert!(width > 0.0 && resolution > 0 && classes > 0, "sizes are positive");
    let mut choice = Random::new(seed);
    let mut b = Builder::new("mcunet-space", Precision::Int8, seed);
    let x = b.input([1, resolution, resolution, 3]);
    let mut x = b.conv(x, Taps::square(3).stride(2).symmetric(), scaled(STEM, width), Activation::Relu6);
    let stem = b.shape(x)[3];
    x = inverted_residual(&mut b, x, stem, Taps::square(3).symmetric(), scaled(FIRST, width));
    for (channels, stride) in STAGES.into_iter().chain([(LAST, 1)]) {
        let depth = if channels == LAST { 1 } else { choice.choose(&[2, 3, 4]) };
        for block in 0..depth {
            let taps = Taps::square(choice.choose(&[3, 5, 7])).stride(if block == 0 { stride } else { 1 }).symmetric();
            let middle = scaled(b.shape(x)[3] * choice.choose(&[3, 4, 6]), 1.0);
            x = inverted_residual(&mut b, x, middle, taps, scaled(channels, width));
        }
    }
    let x = b.global_mean(x, false);
    let x = b.fully_connected(x, classes, Activation::None);
    b.finish(&[x])
}
