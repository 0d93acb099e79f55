//! Quantisation-aware training: weights rounded to what integers stand for before they are used, activations when they
//! are read ([`Form::Grid`](crate::simd::Form)), and gradients passed on as if nothing had been rounded (Jacob et al.
//! 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference").
//!
//! The steps of activations are those of an integer graph. Those of weights follow from the weights, as when a network
//! is quantised: the greatest magnitude of an output channel, or of all where they share a step, is the greatest
//! integer.

use smidgen_ir::{DataType, ElementType, Quantisation, Tensor};
use std::ops::Range;

/// The real numbers that a tensor's integers stand for: the multiples of `step` from `low` to `high`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Grid {
    pub low: f32,
    pub high: f32,
    pub step: f32,
}

impl Grid {
    /// Of a tensor of int8 or int16 that is computed at run time; `None` for others.
    pub(crate) fn of(tensor: &Tensor) -> Option<Self> {
        let DataType::Quantised(element, Quantisation::PerTensor { scale, zero_point }) = tensor.dtype else {
            return None;
        };
        let (least, greatest) = match element {
            ElementType::Int8 => (i32::from(i8::MIN), i32::from(i8::MAX)),
            ElementType::Int16 => (i32::from(i16::MIN), i32::from(i16::MAX)),
            _ => return None,
        };
        let real = |stored: i32| scale * (stored - zero_point) as f32;
        Some(Self { low: real(least), high: real(greatest), step: scale })
    }
}

/// A layer whose weights and bias are rounded.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct QuantisedLayer {
    /// Its weights among the parameters; output channels come last.
    pub weights: Range<usize>,
    /// Output channels.
    pub channels: usize,
    /// The greatest integer.
    pub largest: f32,
    /// Each output channel has a step of its own.
    pub per_channel: bool,
    /// No step is less: where weights are next to nothing, the bias must still fit.
    pub least: Vec<f32>,
    /// Its bias among the parameters.
    pub bias: Option<Range<usize>>,
    /// The step of what it reads.
    pub input: f32,
}

/// A part of the step that an integer network has for a channel's weights: less is never needed.
const LEAST: f32 = 1.0 / 16.0;

impl QuantisedLayer {
    /// The least steps of weights stored so.
    pub(crate) fn least(quantisation: &Quantisation, channels: usize) -> Vec<f32> {
        (0..channels).map(|c| quantisation.scale(c) * LEAST).collect()
    }

    /// The steps of its weights: one for each output channel, all equal where they share one.
    pub(crate) fn steps(&self, parameters: &[f32]) -> Vec<f32> {
        let mut steps = vec![0f32; self.channels];
        for row in parameters[self.weights.clone()].chunks_exact(self.channels) {
            steps.iter_mut().zip(row).for_each(|(most, weight)| *most = most.max(weight.abs()));
        }
        steps.iter_mut().zip(&self.least).for_each(|(step, &least)| *step = (*step / self.largest).max(least));
        if !self.per_channel {
            let greatest = steps.iter().copied().fold(0.0, f32::max);
            steps.fill(greatest);
        }
        steps
    }

    /// Writes its rounded weights and bias into `effective`, which has the place of all parameters.
    pub(crate) fn round(&self, parameters: &[f32], effective: &mut [f32]) {
        let steps = self.steps(parameters);
        let weights = parameters[self.weights.clone()].chunks_exact(self.channels);
        for (to, row) in effective[self.weights.clone()].chunks_exact_mut(self.channels).zip(weights) {
            for ((to, &weight), &step) in to.iter_mut().zip(row).zip(&steps) {
                *to = (weight / step).round().clamp(-self.largest, self.largest) * step;
            }
        }
        let Some(bias) = &self.bias else { return };
        for ((to, &bias), &step) in effective[bias.clone()].iter_mut().zip(&parameters[bias.clone()]).zip(&steps) {
            let step = f64::from(step) * f64::from(self.input);
            *to = ((f64::from(bias) / step).round() * step) as f32;
        }
    }
}
