//! Published architectures, built for any resolution and number of classes.

use crate::builder::{Builder, ConvLayer, Value};
use crate::error::TrainError;
use crate::net::{Activation, Net};
use smidgen_ir::Padding;
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
    /// MCUNet's network for ImageNet at 5 pictures a second on a microcontroller (Lin et al. 2020, "MCUNet: tiny deep
    /// learning on IoT devices"), as its authors publish it.
    McuNet5Fps,
    /// The depthwise separable network of MLPerf Tiny's keyword spotting (Banbury et al. 2021), after Zhang et al.
    /// 2017, "Hello edge: keyword spotting on microcontrollers": 49 frames of 10 coefficients.
    DsCnn,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ResNet8, Self::MobileNetV2W35, Self::McuNet5Fps, Self::DsCnn];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet8 => "resnet8",
            Self::MobileNetV2W35 => "mobilenetv2-0.35",
            Self::McuNet5Fps => "mcunet-5fps",
            Self::DsCnn => "ds-cnn",
        }
    }

    /// Rows, columns and channels that it is usually given.
    pub fn input(self) -> [usize; 3] {
        match self {
            Self::ResNet8 => [32, 32, 3],
            Self::MobileNetV2W35 | Self::McuNet5Fps => [96, 96, 3],
            Self::DsCnn => [49, 10, 1],
        }
    }

    /// The network for inputs of so many rows, columns and channels.
    ///
    /// # Errors
    /// If there are no pixels or no classes.
    pub fn build(self, input: [usize; 3], classes: usize) -> Result<Net, TrainError> {
        let mut b = Builder::new(&input);
        let features = match self {
            Self::ResNet8 => resnet8(&mut b)?,
            Self::MobileNetV2W35 => mobilenet(&mut b, 0.35, input[0] < 64)?,
            Self::McuNet5Fps => blocks(&mut b, &mcunet())?,
            Self::DsCnn => blocks(&mut b, &ds_cnn())?,
        };
        let pooled = b.global_pool("pool", features)?;
        let logits = b.fully_connected("classifier", pooled, classes, Activation::None)?;
        b.build(logits)
    }
}

/// A block of a network that is described by such.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// A convolution.
    Conv {
        /// Channels of its output.
        filters: usize,
        /// Taps, `[height, width]`.
        kernel: [usize; 2],
        /// Pixels between windows.
        stride: usize,
        /// What follows its normalisation.
        activation: Activation,
    },
    /// A depthwise convolution.
    Depthwise {
        /// Taps, `[height, width]`.
        kernel: [usize; 2],
        /// Pixels between windows.
        stride: usize,
        /// What follows its normalisation.
        activation: Activation,
    },
    /// An inverted residual: a pointwise convolution to more channels (none where these are as many), a depthwise one,
    /// a pointwise one without activation, and the sum with the input where that has the same shape.
    Inverted {
        /// Channels in the middle.
        middle: usize,
        /// Channels of its output.
        filters: usize,
        /// Taps of the depthwise convolution, each way.
        kernel: usize,
        /// Its pixels between windows.
        stride: usize,
        /// What follows the first two normalisations.
        activation: Activation,
    },
    /// A fused inverted residual (Tan and Le 2021, "EfficientNetV2"): one convolution in the place of the first two of an
    /// [inverted](Self::Inverted) one, a pointwise one without activation, and the sum with the input where that has the
    /// same shape. Its windows hold rows of few channels where those of the depthwise convolution hold many.
    Fused {
        /// Channels in the middle.
        middle: usize,
        /// Channels of its output.
        filters: usize,
        /// Taps of the first convolution, each way.
        kernel: usize,
        /// Its pixels between windows.
        stride: usize,
        /// What follows the first normalisation.
        activation: Activation,
    },
}

impl Block {
    /// Channels of its output; those of its input where it has no say.
    pub fn filters(&self) -> Option<usize> {
        match *self {
            Self::Conv { filters, .. } | Self::Inverted { filters, .. } | Self::Fused { filters, .. } => Some(filters),
            Self::Depthwise { .. } => None,
        }
    }
}

/// The network of these blocks for inputs of `[height, width, channels]`: after them the mean of all pixels, and a
/// fully connected layer to the classes. Every convolution is normalised.
///
/// # Errors
/// If a block has no channels or its window fits nowhere, or there are no pixels or no classes.
pub fn network_of_blocks(input: [usize; 3], described: &[Block], classes: usize) -> Result<Net, TrainError> {
    network_with_spares(input, described, &[], classes)
}

/// The same with the parameters of other blocks that read what the block at their place does, and that nothing reads: for
/// networks that [share](crate::Share) these.
///
/// # Errors
/// As [`network_of_blocks`].
pub fn network_with_spares(
    input: [usize; 3],
    described: &[Block],
    spares: &[(usize, Block)],
    classes: usize,
) -> Result<Net, TrainError> {
    let mut b = Builder::new(&input);
    let mut features = b.input();
    for (place, block) in described.iter().enumerate() {
        for (_, spare) in spares.iter().filter(|(of, _)| *of == place) {
            one(&mut b, features, (place, spare))?;
        }
        features = one(&mut b, features, (place, block))?;
    }
    let pooled = b.global_pool("pool", features)?;
    let logits = b.fully_connected("classifier", pooled, classes, Activation::None)?;
    b.build(logits)
}

fn blocks(b: &mut Builder, described: &[Block]) -> Result<Value, TrainError> {
    let x = b.input();
    described.iter().enumerate().try_fold(x, |x, block| one(b, x, block))
}

/// A block with its place.
fn one(b: &mut Builder, x: Value, (place, block): (usize, &Block)) -> Result<Value, TrainError> {
    let layer = |kernel: [usize; 2], stride: usize, activation| {
        // Windows around each pixel: of an even side, one pixel more lies behind it.
        let [v, h] = kernel.map(|side| [side.saturating_sub(1) / 2, side / 2]);
        let padding = Padding::Explicit { top: v[0], bottom: v[1], left: h[0], right: h[1] };
        ConvLayer { kernel, padding, ..ConvLayer::new(1, stride, activation) }
    };
    let name = |part: &str| format!("block{place}.{part}");
    let (sum, y) = match *block {
        Block::Conv { filters, kernel, stride, activation } => {
            return b.conv(&name("conv"), x, filters, layer(kernel, stride, activation));
        }
        Block::Depthwise { kernel, stride, activation } => {
            return b.depthwise(&name("depthwise"), x, layer(kernel, stride, activation));
        }
        Block::Inverted { middle, filters, kernel, stride, activation } => {
            let mut y = x;
            if b.shape(x).last() != Some(&middle) {
                y = b.conv(&name("expand"), y, middle, layer([1; 2], 1, activation))?;
            }
            y = b.depthwise(&name("depthwise"), y, layer([kernel; 2], stride, activation))?;
            ("sum", b.conv(&name("project"), y, filters, layer([1; 2], 1, Activation::None))?)
        }
        Block::Fused { middle, filters, kernel, stride, activation } => {
            let y = b.conv(&name("fuse"), x, middle, layer([kernel; 2], stride, activation))?;
            ("sum", b.conv(&name("narrow"), y, filters, layer([1; 2], 1, Activation::None))?)
        }
    };
    if b.shape(x) == b.shape(y) { b.add(&name(sum), y, x, Activation::None) } else { Ok(y) }
}

fn mcunet() -> Vec<Block> {
    /// Channels in the middle and of the output, taps each way, stride.
    const INVERTED: [(usize, usize, usize, usize); 14] = [
        (16, 8, 3, 1),
        (32, 16, 3, 2),
        (48, 16, 3, 1),
        (48, 24, 7, 2),
        (120, 24, 3, 1),
        (120, 40, 3, 2),
        (160, 40, 7, 1),
        (160, 48, 5, 1),
        (144, 48, 3, 1),
        (192, 48, 3, 1),
        (240, 96, 7, 2),
        (384, 96, 5, 1),
        (384, 96, 5, 1),
        (576, 160, 3, 1),
    ];
    let activation = Activation::Relu6;
    let stem = Block::Conv { filters: 16, kernel: [3; 2], stride: 2, activation };
    let inverted = INVERTED.map(|(middle, filters, kernel, stride)| Block::Inverted {
        middle,
        filters,
        kernel,
        stride,
        activation,
    });
    std::iter::once(stem).chain(inverted).collect()
}

fn ds_cnn() -> Vec<Block> {
    let activation = Activation::Relu;
    let mut all = vec![Block::Conv { filters: 64, kernel: [10, 4], stride: 2, activation }];
    for _ in 0..4 {
        all.push(Block::Depthwise { kernel: [3; 2], stride: 1, activation });
        all.push(Block::Conv { filters: 64, kernel: [1; 2], stride: 1, activation });
    }
    all
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
pub fn scaled(channels: usize, width: f64) -> usize {
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
        let net = Architecture::ResNet8.build([32, 32, 3], 10).unwrap();
        assert_eq!(net.macs(), 12_501_632);
        let weights = |net: &Net| -> usize {
            let of = |p: &&crate::Parameter| p.role == crate::Role::Weight;
            net.parameters().iter().filter(of).map(|p| p.len()).sum()
        };
        assert_eq!(weights(&net), 77_360);
        // The table of its authors' repository: 59 million multiply-accumulates, 1.66 million parameters.
        let net = Architecture::MobileNetV2W35.build([224, 224, 3], 1001).unwrap();
        assert_eq!((net.macs() + 500_000) / 1_000_000, 59);
        assert_eq!(weights(&net) / 10_000, 166);
        // What the int8 network comes to that its authors publish, at 128 pixels.
        let net = Architecture::McuNet5Fps.build([128, 128, 3], 2).unwrap();
        assert_eq!(net.macs(), 22_453_824);
        // MLPerf Tiny's network for 12 keywords.
        let net = Architecture::DsCnn.build(Architecture::DsCnn.input(), 12).unwrap();
        assert_eq!((net.macs(), weights(&net)), (2_656_768, 22_016));
    }

    #[test]
    fn every_resolution_has_a_network() {
        for architecture in Architecture::ALL {
            for resolution in [1, 7, 24, 63, 64, 97] {
                let net = architecture.build([resolution, resolution, 3], 3).unwrap();
                assert_eq!((net.input_len(), net.output_len()), (3 * resolution * resolution, 3));
            }
            assert!(architecture.build([0, 0, 3], 3).is_err() && architecture.build([8, 8, 3], 0).is_err());
        }
    }
}
