//! Weights and biases as integers.

use smidgen_ir::Op;

/// Greatest magnitude of a stored int8 weight; -128 is not used, so that products of two stay below 2^14.
const LARGEST: f32 = 127.0;
/// Greatest magnitude of a stored bias: leaves the other half of int32 to the products.
const LARGEST_BIAS: f64 = (1u32 << 30) as f64;
/// Scales of one layer's channels are at most this far apart: a channel whose weights are smaller still cannot be seen in the output.
const SPREAD: f32 = 1.0 / (1 << 24) as f32;

/// Which channels an element of the weights connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// Output channels.
    pub outputs: usize,
    /// Axis of the output channels.
    pub axis: usize,
    /// One scale for each output channel, not one for all.
    pub per_channel: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// `[outputs, ..., inputs]`.
    Dense { per_output: usize, inputs: usize },
    /// `[..., outputs]`, `multiplier` outputs for each input.
    Depthwise { multiplier: usize },
}

impl Layout {
    /// For an operator's weights of this shape; `None` if it has none.
    pub fn of(op: &Op, shape: &[usize]) -> Option<Self> {
        let dense = |per_channel| {
            let (&outputs, rest) = shape.split_first()?;
            let kind = Kind::Dense { per_output: rest.iter().product(), inputs: *rest.last()? };
            Some(Self { outputs, axis: 0, per_channel, kind })
        };
        match op {
            Op::Conv2d(_) | Op::TransposeConv { .. } => dense(true),
            Op::FullyConnected { .. } => dense(false),
            Op::DepthwiseConv2d { multiplier, .. } => {
                let kind = Kind::Depthwise { multiplier: *multiplier };
                Some(Self { outputs: *shape.last()?, axis: shape.len() - 1, per_channel: true, kind })
            }
            _ => None,
        }
    }

    /// The output channel that an element belongs to.
    pub fn output(&self, element: usize) -> usize {
        match self.kind {
            Kind::Dense { per_output, .. } => element / per_output,
            Kind::Depthwise { .. } => element % self.outputs,
        }
    }

    /// The index along the last axis of the input (or of each row of it, in FULLY_CONNECTED) that an element is multiplied with.
    pub fn input(&self, element: usize) -> usize {
        match self.kind {
            Kind::Dense { inputs, .. } => element % inputs,
            Kind::Depthwise { multiplier } => element % self.outputs / multiplier,
        }
    }

    /// True if each input channel has weights of its own, with scales of their own.
    pub fn is_depthwise(&self) -> bool {
        matches!(self.kind, Kind::Depthwise { .. })
    }
}

/// Stored weights: `real = scales[c] * stored`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Weights {
    pub stored: Vec<i8>,
    /// One for each output channel, all equal if the layout has one for all.
    pub scales: Vec<f32>,
}

/// Quantises weights symmetrically. A channel's scale is large enough for its `bias` to fit int32 with an input of scale
/// `input_scale`.
pub(crate) fn quantise(values: &[f32], layout: &Layout, bias: &[f32], input_scale: f32) -> Weights {
    let mut greatest = vec![0f32; layout.outputs];
    for (i, &value) in values.iter().enumerate() {
        let most = &mut greatest[layout.output(i)];
        *most = most.max(value.abs());
    }
    let mut scales: Vec<f32> = greatest.iter().map(|most| most / LARGEST).collect();
    for (scale, &bias) in scales.iter_mut().zip(bias) {
        *scale = scale.max((f64::from(bias.abs()) / (f64::from(input_scale) * LARGEST_BIAS)) as f32);
    }
    let largest = scales.iter().copied().fold(0.0, f32::max);
    // Weights that are all 0 may have any scale.
    let largest = if largest < 1e-18 { 1.0 / LARGEST } else { largest };
    match layout.per_channel {
        true => scales.iter_mut().for_each(|scale| *scale = scale.max(largest * SPREAD)),
        false => scales.fill(largest),
    }
    let stored = values.iter().enumerate().map(|(i, &value)| {
        let q = (value / scales[layout.output(i)]).round();
        q.clamp(-LARGEST, LARGEST) as i8
    });
    Weights { stored: stored.collect(), scales }
}

/// What rounding the weights adds to each output channel's mean, where the input's channels have these means (Nagel et al.,
/// "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2): `sum((w' - w) * mean(x))`. Padding
/// counts as if it had the input's mean.
pub(crate) fn mean_error(values: &[f32], layout: &Layout, weights: &Weights, means: &[f64]) -> Vec<f64> {
    let mut error = vec![0.0; layout.outputs];
    for (i, (&value, &stored)) in values.iter().zip(&weights.stored).enumerate() {
        let output = layout.output(i);
        let rounded = f64::from(weights.scales[output]) * f64::from(stored);
        error[output] += (rounded - f64::from(value)) * means.get(layout.input(i)).copied().unwrap_or(0.0);
    }
    error
}

/// Stored biases: `real = input_scale * scales[c] * stored`.
pub(crate) fn biases(bias: &[f64], input_scale: f32, scales: &[f32]) -> Vec<i32> {
    // The casts saturate.
    let stored = |(&b, &s): (&f64, &f32)| (b / (f64::from(input_scale) * f64::from(s))).round() as i32;
    bias.iter().zip(scales).map(stored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smidgen_ir::{Activation, ConvParams, Padding};

    fn params() -> ConvParams {
        ConvParams { stride: [1, 1], dilation: [1, 1], padding: Padding::Same, activation: Activation::None }
    }

    fn dense(outputs: usize, per_output: usize) -> Layout {
        Layout::of(&Op::Conv2d(params()), &[outputs, 1, 1, per_output]).unwrap()
    }

    #[test]
    fn elements_belong_to_channels() {
        let conv = Layout::of(&Op::Conv2d(params()), &[2, 3, 1, 4]).unwrap();
        assert_eq!((conv.output(13), conv.input(13)), (1, 1));
        let depthwise = Layout::of(&Op::DepthwiseConv2d { conv: params(), multiplier: 2 }, &[1, 3, 3, 6]).unwrap();
        assert_eq!((depthwise.output(9), depthwise.input(9), depthwise.axis), (3, 1, 3));
        assert!(
            !Layout::of(&Op::FullyConnected { keep_num_dims: false, activation: Activation::None }, &[2, 3])
                .unwrap()
                .per_channel
        );
        assert_eq!(Layout::of(&Op::Prelu, &[2, 3]), None);
    }

    proptest! {
        #[test]
        fn every_weight_is_within_half_a_step(
            values in prop::collection::vec(-10f32..10.0, 12), bias in prop::collection::vec(-1e6f32..1e6, 3),
            input in 1e-6f32..10.0,
        ) {
            let layout = dense(3, 4);
            let weights = quantise(&values, &layout, &bias, input);
            for (i, (&value, &stored)) in values.iter().zip(&weights.stored).enumerate() {
                let scale = weights.scales[layout.output(i)];
                prop_assert!((f64::from(scale) * f64::from(stored) - f64::from(value)).abs() <= 0.5001 * f64::from(scale));
            }
            let reals: Vec<f64> = bias.iter().map(|&b| b.into()).collect();
            for ((&stored, &real), &scale) in biases(&reals, input, &weights.scales).iter().zip(&reals).zip(&weights.scales) {
                let step = f64::from(input) * f64::from(scale);
                prop_assert!((step * f64::from(stored) - real).abs() <= 0.5001 * step);
                // Scales are rounded to single precision.
                prop_assert!(stored.unsigned_abs() <= (1 << 30) + (1 << 7));
            }
        }
    }

    #[test]
    fn channels_without_weights_keep_their_bias() {
        let weights = quantise(&[0.0; 4], &dense(2, 2), &[3.0, 0.0], 0.1);
        assert_eq!(weights.stored, [0; 4]);
        let stored = biases(&[3.0, 0.0], 0.1, &weights.scales);
        assert!((f64::from(stored[0]) * 0.1 * f64::from(weights.scales[0]) - 3.0).abs() < 1e-6, "{stored:?}");
        assert!(quantise(&[0.0; 4], &dense(2, 2), &[0.0; 2], 0.1).scales.iter().all(|s| s.is_normal()));
    }

    #[test]
    fn the_mean_error_is_what_rounding_adds() {
        let (values, layout) = ([0.5, 0.3, -1.0, 0.77], dense(2, 2));
        let weights = quantise(&values, &layout, &[0.0; 2], 1.0);
        let means = [2.0, -3.0];
        let error = mean_error(&values, &layout, &weights, &means);
        for (o, error) in error.into_iter().enumerate() {
            let sum = |w: &dyn Fn(usize) -> f64| (0..2).map(|k| w(2 * o + k) * means[k]).sum::<f64>();
            let exact = sum(&|i| f64::from(values[i]));
            let rounded = sum(&|i| f64::from(weights.scales[o]) * f64::from(weights.stored[i]));
            assert!((error - (rounded - exact)).abs() < 1e-12);
        }
    }
}
