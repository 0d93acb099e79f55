//! Kernels of a training step on an integer network: the forward pass of layers that are trained, gradients, and updates.
//!
//! The arithmetic is that of Lin et al., "On-Device Training Under 256KB Memory" (NeurIPS 2022): gradients pass straight through
//! roundings, are zero where an output was clamped, and the steps of weights and biases are scaled by the square of what an integer
//! stands for (quantisation-aware scaling), which is part of each channel's [factor](Step).
//!
//! A *gradient* is a tensor of int16. Its integers are in a unit that is known when compiling, times `2^e`, where the exponent `e` is one for all
//! gradients of a step: [`classifier_gradient`] chooses it so that the greatest element of the first gradient has 15 bits. All others
//! follow from that one linearly. Where one leaves 16 bits it saturates.
//!
//! Gradients lie by channels: a row is one [block](blocks) of four channels, of each pixel those four numbers, pixel after pixel. Channels that
//! fill up the last block are 0. So a gradient can be computed, masked, used for updates and given up block by block, and what a step
//! keeps of it at one time is a few blocks; kernels' inner loops go along the pixels of a block. Activations and clamp masks lie by pixels.
//!
//! Tensors are of several types, so every kernel sees the arena as bytes; views and places count bytes. Numbers are little endian, as in memory.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
mod armv7em;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod avx2;
mod block;
mod classifier;
mod convolution;
mod element;
mod forward;
mod gradient;
mod update;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use classifier::{
    Cross, Head, Waiting, classifier, classifier_bias, classifier_gradient, classifier_weights, cross_entropy,
    squared_error,
};
pub use convolution::{Feed, InputGradient, input_gradient};
pub use element::{
    AxisMap, MOST_AXES, ProductGradient, Rearrange, Resized, WHOLE_SHARE, greatest, product_gradient, rearrange,
    resized, slope,
};
pub use forward::{Conv2d, Depthwise, Factors, SUM_SCRATCH, Select, conv2d, depthwise, select, sum};
pub use gradient::{DepthwiseGradient, FACTOR_BITS, Spread, Total, depthwise_gradient, mask, scale, spread, total};
pub use update::{
    BiasStep, DepthwiseStep, Noise, Step, WeightStep, count_sample, next_seed, update_bias, update_depthwise,
    update_weights,
};

use crate::memory::{Arena, Bounds};
use crate::nd::Whole;

/// Fraction bits of a learning rate.
pub const RATE_BITS: u32 = 24;
/// The greatest learning rate: it leaves room for its fraction bits and a sign.
pub const MOST_RATE: i32 = 100;

/// Fraction bits of logits and of the loss.
pub const LOGIT_BITS: u32 = 16;

/// Fraction bits of the classifier's weights and biases.
pub const WEIGHT_BITS: u32 = 22;

/// Fraction bits of the loss's gradient: probabilities less what they should be.
pub const ERROR_BITS: u32 = 30;

/// Bytes in which the clamp masks of a pixel's channels lie: one bit for each, from the lowest of the first byte on.
pub const fn mask_bytes(channels: usize) -> usize {
    channels.div_ceil(8)
}

/// Blocks of four channels in which a gradient lies.
pub const fn blocks(channels: usize) -> usize {
    channels.div_ceil(block::COLUMNS)
}

/// The 16-bit number at a byte offset.
#[inline(always)]
fn i16_at<B: Bounds>(arena: &Arena<'_, u8, B>, at: usize) -> i16 {
    i16::from_le_bytes(arena.load(at))
}

/// The 32-bit number at a byte offset.
#[inline(always)]
fn i32_at<B: Bounds>(arena: &Arena<'_, u8, B>, at: usize) -> i32 {
    i32::from_le_bytes(arena.load(at))
}

/// Bytes of an operand that is a constant or lies in the arena.
#[inline(always)]
fn bytes_of<'s, B: Bounds>(
    operand: &'s Whole<'_, u8, B>,
    arena: &'s Arena<'_, u8, B>,
    from: usize,
    count: usize,
) -> &'s [u8] {
    match operand.constant {
        Some(constant) => constant.span(operand.base.wrapping_add(from), count),
        None => arena.span(operand.base.wrapping_add(from), count),
    }
}

/// Element `i` of an operand of int32 that is a constant or lies in the arena.
#[inline(always)]
fn word_of<B: Bounds>(operand: &Whole<'_, i32, B>, arena: &Arena<'_, u8, B>, i: usize) -> i32 {
    match operand.constant {
        Some(constant) => constant[operand.base.wrapping_add(i)],
        None => i32_at(arena, operand.base.wrapping_add(i).wrapping_mul(size_of::<i32>())),
    }
}

/// The nearest number of 16 bits.
#[inline(always)]
fn saturate(x: i32) -> i16 {
    x.clamp(i16::MIN as i32, i16::MAX as i32) as i16
}

/// `x / 2^shift`, ties upwards; `shift` is at most 30.
#[inline(always)]
fn shifted(x: i32, shift: u32) -> i32 {
    let half = (1i32.wrapping_shl(shift)) >> 1;
    x.wrapping_add(half).wrapping_shr(shift)
}
