//! What a scheme keeps beside an inference, by the formula of its authors: an estimate that knows nothing of schedules.

use crate::error::AdaptError;
use crate::scheme::Scheme;

/// A convolution as the formula sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvolutionSize {
    /// Height, width and channels of the input.
    pub input: [usize; 3],
    /// Height, width and channels of the output.
    pub output: [usize; 3],
    /// Taps.
    pub area: usize,
    /// Each output channel reads one input channel.
    pub depthwise: bool,
}

/// Bits of saved activations (masks of one bit, inputs of 8) and of updated parameters (biases of 32 bits, weights of 8), for a network with these
/// convolutions and so many features: `memory` of Lin et al.'s simulation, which its schemes are named after in whole KiB.
///
/// # Errors
/// If the scheme names a convolution that there is not.
pub fn extra_bits(convolutions: &[ConvolutionSize], features: usize, scheme: &Scheme) -> Result<usize, AdaptError> {
    let parts = scheme.weights(convolutions.len())?;
    let mut bits = 8 * features;
    for (i, (size, part)) in convolutions.iter().zip(parts).enumerate() {
        if !scheme.trains_bias(i, convolutions.len()) {
            continue;
        }
        bits += size.output.iter().product::<usize>() + 32 * size.output[2];
        if let Some(ratio) = part {
            let channels = selected(size.input[2], ratio);
            let filters = if size.depthwise { channels } else { channels * size.output[2] };
            bits += 8 * size.input[0] * size.input[1] * channels + 8 * filters * size.area;
        }
    }
    Ok(bits)
}

/// How many of so many channels a part is.
pub fn selected(channels: usize, ratio: f64) -> usize {
    (channels as f64 * ratio) as usize
}

/// What a layer of TinyTL's accounting is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LayerKind {
    /// A convolution with so many groups.
    Convolution(usize),
    /// A fully connected layer.
    Linear,
    /// A normalisation.
    Normalisation,
    /// A function whose gradient follows from one bit: the kinds of RELU.
    Clamp,
    /// A function whose gradient needs its input: hard swish, logistic, tanh.
    Curve,
}

/// A layer as the profiler of TinyTL's authors sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layer {
    /// What it is.
    pub kind: LayerKind,
    /// Elements of its input, for one image.
    pub input: usize,
    /// Elements of its output.
    pub output: usize,
    /// Parameters that are trained and need the input for it: weights. Biases need none.
    pub trained_weights: usize,
    /// Other parameters that are trained.
    pub trained_biases: usize,
    /// Parameters that are not.
    pub frozen: usize,
    /// Elements that wait beside it: the input of a residual block, or what the block gave while its module is
    /// computed.
    pub beside: usize,
    /// Whether a gradient passes it.
    pub passed: bool,
}

/// Memory of training by the formula of TinyTL's authors, in bits (activations and trained parameters of 32, frozen
/// ones of 8, masks of one): it knows the forward pass, layer by layer, and no schedules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LayerMemory {
    /// What is kept of the forward pass for the backward pass.
    pub saved: usize,
    /// The greatest sum of what was kept before a layer, of what waits beside it, and of what it works on.
    pub peak: usize,
    /// All parameters.
    pub parameters: usize,
}

/// The memory of training with these layers, in order, on so many images at once: the profiler of Cai et al. 2020.
pub fn tinytl(layers: &[Layer], images: usize) -> LayerMemory {
    let mut all = LayerMemory::default();
    for layer in layers {
        let works = match layer.kind {
            LayerKind::Convolution(groups) => 32 * layer.input + 32 * layer.output / groups.max(1),
            LayerKind::Linear => 32 * (layer.input + layer.output),
            LayerKind::Normalisation | LayerKind::Clamp | LayerKind::Curve => 32 * layer.input,
        };
        all.peak = all.peak.max(all.saved + images * (32 * layer.beside + works));
        all.saved += images
            * match layer.kind {
                LayerKind::Clamp if layer.passed => layer.input,
                LayerKind::Curve if layer.passed => 32 * layer.input,
                LayerKind::Clamp | LayerKind::Curve => 0,
                _ if layer.trained_weights > 0 => 32 * layer.input,
                _ => 0,
            };
        all.parameters += 32 * (layer.trained_weights + layer.trained_biases) + 8 * layer.frozen;
    }
    all
}
