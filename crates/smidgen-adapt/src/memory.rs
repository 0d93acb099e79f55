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
