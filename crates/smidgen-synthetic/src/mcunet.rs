//! The networks of the MCUNet model zoo, from their published architecture descriptions.
//!
//! A description (JSON) holds a stem, a list of inverted residual blocks, an optional pointwise layer, a classifier and the
//! resolution. Kernels, strides, channels, expansions and shortcuts are taken from it; batch normalisation is folded into each
//! convolution, as it is when quantised, and weights are random.

use crate::builder::{Builder, Node, Precision, Taps};
use serde::Deserialize;
use smidgen_ir::{Activation, Graph, ValidateError};
use thiserror::Error;

/// Why a description is not a network.
#[derive(Debug, Error)]
pub enum ArchitectureError {
    /// Not the JSON of a description.
    #[error("not an architecture description: {0}")]
    Json(#[from] serde_json::Error),
    /// Layers too large to be one of the zoo's networks.
    #[error("the network is not valid: {0}")]
    Invalid(#[from] ValidateError),
    /// Something that no network of the zoo has.
    #[error("{layer}: {what}")]
    Unsupported {
        /// The layer, as the description names it.
        layer: String,
        /// What is wrong with it.
        what: String,
    },
}

#[derive(Deserialize)]
struct Architecture {
    first_conv: Conv,
    blocks: Vec<Block>,
    feature_mix_layer: Option<Conv>,
    classifier: Classifier,
    resolution: usize,
}

#[derive(Deserialize)]
struct Conv {
    kernel_size: usize,
    stride: usize,
    in_channels: usize,
    out_channels: usize,
    act_func: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "name")]
enum Body {
    MBInvertedConvLayer(Inverted),
    /// Contributes nothing: with a shortcut the block is the identity.
    ZeroLayer {},
}

#[derive(Deserialize)]
struct Block {
    mobile_inverted_conv: Body,
    shortcut: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Inverted {
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    stride: usize,
    expand_ratio: f64,
    mid_channels: Option<usize>,
    #[serde(default)]
    use_se: bool,
}

#[derive(Deserialize)]
struct Classifier {
    in_features: usize,
    out_features: usize,
}

/// Most channels or pixels of anything in a description: above the zoo's, and small enough to build.
const MOST: usize = 2048;
/// Largest kernel.
const MOST_TAPS: usize = 31;

/// The network of a description, int8, with symmetric padding `(k - 1) / 2` as PyTorch has it, and logits as output.
///
/// # Errors
/// If the text is not such a description, or its layers do not fit together.
pub fn mcunet(json: &str, seed: u64) -> Result<Graph, ArchitectureError> {
    let net: Architecture = serde_json::from_str(json)?;
    bounded("resolution", &[net.resolution])?;
    let mut b = Builder::new("mcunet", Precision::Int8, seed);
    let x = b.input([1, net.resolution, net.resolution, 3]);
    let mut x = conv(&mut b, x, &net.first_conv, "first_conv")?;
    for (i, block) in net.blocks.iter().enumerate() {
        x = inverted_residual(&mut b, x, block, &format!("blocks[{i}]"))?;
    }
    if let Some(mix) = &net.feature_mix_layer {
        x = conv(&mut b, x, mix, "feature_mix_layer")?;
    }
    let x = b.global_mean(x, false);
    let Classifier { in_features, out_features } = net.classifier;
    bounded("classifier", &[in_features, out_features])?;
    follows(&b, x, in_features, "classifier")?;
    let x = b.fully_connected(x, out_features, Activation::None);
    Ok(b.try_finish(&[x])?)
}

fn unsupported<T>(layer: &str, what: impl Into<String>) -> Result<T, ArchitectureError> {
    Err(ArchitectureError::Unsupported { layer: layer.into(), what: what.into() })
}

/// Sizes are at least 1 and not absurd.
fn bounded(layer: &str, sizes: &[usize]) -> Result<(), ArchitectureError> {
    match sizes.iter().find(|&&n| n == 0 || n > MOST) {
        Some(n) => unsupported(layer, format!("a size of {n}; sizes are from 1 to {MOST}")),
        None => Ok(()),
    }
}

/// The layer's input channels are those of what comes before it.
fn follows(b: &Builder, x: Node, channels: usize, layer: &str) -> Result<(), ArchitectureError> {
    match b.shape(x).last() {
        Some(&found) if found != channels => {
            unsupported(layer, format!("takes {channels} channels, but the layer before makes {found}"))
        }
        _ => Ok(()),
    }
}

fn taps(kernel: usize, stride: usize, layer: &str) -> Result<Taps, ArchitectureError> {
    bounded(layer, &[kernel, stride])?;
    if kernel.is_multiple_of(2) || kernel > MOST_TAPS {
        return unsupported(
            layer,
            format!("a kernel of {kernel}; symmetric padding needs an odd one, at most {MOST_TAPS}"),
        );
    }
    Ok(Taps::square(kernel).stride(stride).symmetric())
}

fn conv(b: &mut Builder, x: Node, conv: &Conv, layer: &str) -> Result<Node, ArchitectureError> {
    bounded(layer, &[conv.out_channels])?;
    follows(b, x, conv.in_channels, layer)?;
    let activation = match conv.act_func.as_deref() {
        None => Activation::None,
        Some("relu") => Activation::Relu,
        Some("relu6") => Activation::Relu6,
        Some(other) => return unsupported(layer, format!("the activation {other}; there are relu and relu6")),
    };
    let taps = taps(conv.kernel_size, conv.stride, layer)?;
    Ok(b.conv(x, taps, conv.out_channels, activation))
}

fn inverted_residual(b: &mut Builder, x: Node, block: &Block, layer: &str) -> Result<Node, ArchitectureError> {
    let inverted = match (&block.mobile_inverted_conv, &block.shortcut) {
        (Body::MBInvertedConvLayer(inverted), _) => inverted,
        (Body::ZeroLayer {}, Some(_)) => return Ok(x),
        (Body::ZeroLayer {}, None) => return unsupported(layer, "a block without layers and without a shortcut"),
    };
    if inverted.use_se {
        return unsupported(layer, "squeeze-and-excitation, which no network of the zoo has");
    }
    follows(b, x, inverted.in_channels, layer)?;
    let middle =
        inverted.mid_channels.unwrap_or((inverted.in_channels as f64 * inverted.expand_ratio).round() as usize);
    bounded(layer, &[middle, inverted.out_channels])?;
    let mut y = x;
    // A block that does not expand has no first pointwise convolution.
    if inverted.expand_ratio != 1.0 {
        y = b.pointwise(y, middle, Activation::Relu6);
    } else if middle != inverted.in_channels {
        return unsupported(layer, format!("{middle} middle channels without expansion"));
    }
    let taps = taps(inverted.kernel_size, inverted.stride, layer)?;
    y = b.depthwise(y, taps, 1, Activation::Relu6);
    y = b.pointwise(y, inverted.out_channels, Activation::None);
    if block.shortcut.is_none() {
        return Ok(y);
    }
    if b.shape(x) != b.shape(y) {
        return unsupported(layer, "a shortcut between different shapes");
    }
    Ok(b.add_nodes(x, y))
}
