//! Published architectures, built for any resolution and number of classes.

use crate::builder::{Builder, ConvLayer, Value};
use crate::error::TrainError;
use crate::net::{Activation, Net};
use std::fmt;

/// A published network of colour pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Architecture {
    /// The residual network with eight layers of MLPerf Tiny's image classification (Banbury et al. 2021, "MLPerf Tiny
    /// benchmark"), after He et al. 2015, "Deep residual learning for image recognition": three blocks of 16, 32 and 64
    /// channels, normalised on their shortcuts too.
    ResNet8,
    /// MobileNetV2 (Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks") with 0.35 of its
    /// channels. Below 64 pixels its first two strides are 1: 32 pixels would become one before the last blocks.
    MobileNetV2W35,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ResNet8, Self::MobileNetV2W35];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet8 => "resnet8",
            Self::MobileNetV2W35 => "mobilenetv2-0.35",
        }
    }

    /// Rows and columns of pixels that it is usually given.
    pub fn resolution(self) -> usize {
        match self {
            Self::ResNet8 => 32,
            Self::MobileNetV2W35 => 96,
        }
    }

    /// The network for colour pictures of so many rows and columns.
    ///
    /// # Errors
    /// If there are no pixels or no classes.
    pub fn build(self, resolution: usize, classes: usize) -> Result<Net, TrainError> {
        let mut b = Builder::new(&[resolution, resolution, 3]);
        let features = match self {
            Self::ResNet8 => resnet8(&mut b)?,
            Self::MobileNetV2W35 => mobilenet(&mut b, 0.35, resolution < 64)?,
        };
        let pooled = b.global_pool("pool", features)?;
        let logits = b.fully_connected("classifier", pooled, classes, Activation::None)?;
        b.build(logits)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn resnet8(b: &mut Builder) -> Result<Value, TrainError> {
    let mut x = b.conv("stem", b.input(), 16, ConvLayer::new(3, 1, Activation::Relu))?;
    for (block, (channels, stride)) in [(16, 1), (32, 2), (64, 2)].into_iter().enumerate() {
        let name = |part: &str| format!("block{block}.{part}");
        let first = b.conv(&name("first"), x, channels, ConvLayer::new(3, stride, Activation::Relu))?;
        let second = b.conv(&name("second"), first, channels, ConvLayer::new(3, 1, Activation::None))?;
        let shortcut = match stride {
            1 => x,
            _ => b.conv(&name("shortcut"), x, channels, ConvLayer::new(1, stride, Activation::None))?,
        };
        x = b.add(&name("sum"), second, shortcut, Activation::Relu)?;
    }
    Ok(x)
}

/// A multiple of 8 near `channels * width`, never below nine tenths of it (Sandler et al. 2018).
fn scaled(channels: usize, width: f64) -> usize {
    let wanted = channels as f64 * width;
    let near = ((wanted + 4.0) as usize / 8 * 8).max(8);
    if (near as f64) < 0.9 * wanted { near + 8 } else { near }
}

fn mobilenet(b: &mut Builder, width: f64, small: bool) -> Result<Value, TrainError> {
    /// Expansion, channels, repetitions, and stride of the first of each group.
    const GROUPS: [(usize, usize, usize, usize); 7] =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
    let mut channels = scaled(32, width);
    let stride = if small { 1 } else { 2 };
    let mut x = b.conv("stem", b.input(), channels, ConvLayer::new(3, stride, Activation::Relu6))?;
    let mut block = 0;
    for (group, (expansion, full, repetitions, stride)) in GROUPS.into_iter().enumerate() {
        let out = scaled(full, width);
        for repetition in 0..repetitions {
            let stride = if repetition > 0 || (small && group == 1) { 1 } else { stride };
            let name = |part: &str| format!("block{block}.{part}");
            let mut y = x;
            if expansion > 1 {
                let wide = channels * expansion;
                y = b.conv(&name("expand"), y, wide, ConvLayer::new(1, 1, Activation::Relu6))?;
            }
            y = b.depthwise(&name("depthwise"), y, ConvLayer::new(3, stride, Activation::Relu6))?;
            y = b.conv(&name("project"), y, out, ConvLayer::new(1, 1, Activation::None))?;
            let same = b.shape(x) == b.shape(y);
            x = if same { b.add(&name("sum"), y, x, Activation::None)? } else { y };
            (channels, block) = (out, block + 1);
        }
    }
    b.conv("head", x, 1280, ConvLayer::new(1, 1, Activation::Relu6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_published_ones() {
        // MLPerf Tiny's counts, biases aside.
        let net = Architecture::ResNet8.build(32, 10).unwrap();
        assert_eq!(net.macs(), 12_501_632);
        let weights = |net: &Net| -> usize {
            let of = |p: &&crate::Parameter| p.role == crate::Role::Weight;
            net.parameters().iter().filter(of).map(|p| p.len()).sum()
        };
        assert_eq!(weights(&net), 77_360);
        // The table of its authors' repository: 59 million multiply-accumulates, 1.66 million parameters.
        let net = Architecture::MobileNetV2W35.build(224, 1001).unwrap();
        assert_eq!((net.macs() + 500_000) / 1_000_000, 59);
        assert_eq!(weights(&net) / 10_000, 166);
    }

    #[test]
    fn every_resolution_has_a_network() {
        for architecture in Architecture::ALL {
            for resolution in [1, 7, 24, 63, 64, 97] {
                let net = architecture.build(resolution, 3).unwrap();
                assert_eq!((net.input_len(), net.output_len()), (3 * resolution * resolution, 3));
            }
            assert!(architecture.build(0, 3).is_err() && architecture.build(8, 0).is_err());
        }
    }
}
