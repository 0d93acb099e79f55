//! Weights and biases as integers.

use crate::affine::Affine;
use smidgen_ir::{ElementType, Op};

/// Greatest magnitude of a stored bias: leaves the other half of int32 to the products.
const LARGEST_BIAS: f64 = (1u32 << 30) as f64;
/// The same beside int16, whose sums may have 48 bits with the sign: more do not fit 64 once multiplied.
const LARGEST_WIDE_BIAS: f64 = (1u64 << 46) as f64;
/// Scales of one layer's channels are at most this far apart: a channel whose weights are smaller still cannot be seen in the output.
const SPREAD: f32 = 1.0 / (1 << 24) as f32;

/// A step of the sums is at least this part of the output's step. The reference's kernels take a smaller one for 0, and with it a bias of
/// any size; weights of so small a step cannot be seen in the output.
const LEAST_FACTOR: f64 = 1.0 / (1u64 << 30) as f64;

/// Steps of the output that a stored bias must be able to stand for: whatever the products are, it is clipped there.
const MOST_STEPS: f64 = (1u32 << 29) as f64;

/// How a layer's input and output are stored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Ends {
    pub input: Affine,
    pub output: Affine,
}

impl Ends {
    /// Greatest magnitude of a stored bias, where the sum has room for more.
    fn largest_bias(self) -> f64 {
        if self.input.is_int16() { LARGEST_WIDE_BIAS } else { LARGEST_BIAS }
    }
}

/// Parts of the greatest weight that are tried as the end of a clipped range.
const CLIPS: usize = 60;

/// How a layer's weights are stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Width {
    /// Half a byte.
    Int4,
    /// A byte.
    Int8,
}

impl Width {
    /// Greatest magnitude of a stored weight. -128 is not used, so that products of two bytes stay below 2^14, nor is -8: the
    /// format wants both so.
    pub fn largest(self) -> f32 {
        match self {
            Self::Int4 => 7.0,
            Self::Int8 => 127.0,
        }
    }

    /// The type of such weights.
    pub fn element(self) -> ElementType {
        match self {
            Self::Int4 => ElementType::Int4,
            Self::Int8 => ElementType::Int8,
        }
    }

    /// The bytes of a constant.
    pub fn bytes(self, stored: &[i8]) -> Vec<u8> {
        self.element().pack(stored.iter().map(|&v| v as u8).collect())
    }
}

/// Which channels an element of the weights connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// Output channels.
    pub outputs: usize,
    /// Axis of the output channels.
    pub axis: usize,
    /// Weights of 8 bits have one scale for each output channel, not one for all.
    own_scales: bool,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `[outputs, ..., inputs]`.
    Dense { per_output: usize, inputs: usize },
    /// `[..., outputs]`, `multiplier` outputs for each input.
    Depthwise { multiplier: usize },
}

impl Layout {
    /// Rows of so many weights, a scale for each, of which every `inputs` are read together.
    pub fn dense(outputs: usize, per_output: usize, inputs: usize) -> Self {
        Self { outputs, axis: 0, own_scales: true, kind: Kind::Dense { per_output, inputs } }
    }

    /// For an operator's weights of this shape; `None` if it has none.
    pub fn of(op: &Op, shape: &[usize]) -> Option<Self> {
        let dense = |own_scales| {
            let (&outputs, rest) = shape.split_first()?;
            let kind = Kind::Dense { per_output: rest.iter().product(), inputs: *rest.last()? };
            Some(Self { outputs, axis: 0, own_scales, kind })
        };
        match op {
            Op::Conv2d(_) | Op::TransposeConv { .. } => dense(true),
            Op::FullyConnected { .. } => dense(false),
            Op::DepthwiseConv2d { multiplier, .. } => {
                let kind = Kind::Depthwise { multiplier: *multiplier };
                Some(Self { outputs: *shape.last()?, axis: shape.len() - 1, own_scales: true, kind })
            }
            _ => None,
        }
    }

    /// True if each output channel has a scale of its own. 4 bits are too few for one scale of all.
    pub fn per_channel(&self, width: Width) -> bool {
        self.own_scales || width == Width::Int4
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

/// Scales of a layer's weights, symmetric about 0.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scales {
    /// One for each output channel: nothing is clipped.
    pub whole: Vec<f32>,
    /// The scale of all channels, where they must have one.
    pub common: Option<f32>,
    /// No channel's may be less: its bias must fit, and its outputs be seen beside other channels'.
    pub least: Vec<f32>,
}

/// The scales for weights of this width. A channel's is large enough for its `bias` to fit with this input, or to lie so far beyond the
/// output's range that no product brings it back.
pub(crate) fn scales(values: &[f32], layout: &Layout, bias: &[f32], ends: Ends, width: Width) -> Scales {
    let mut greatest = vec![0f32; layout.outputs];
    for (i, &value) in values.iter().enumerate() {
        let most = &mut greatest[layout.output(i)];
        *most = most.max(value.abs());
    }
    let beyond = f64::from(ends.output.scale) * MOST_STEPS;
    let step = f64::from(ends.input.scale) * ends.largest_bias();
    let fits = |bias: &f32| (f64::from(bias.abs()).min(beyond) / step) as f32;
    let seen = (f64::from(ends.output.scale) * LEAST_FACTOR / f64::from(ends.input.scale)) as f32;
    let mut least: Vec<f32> = bias.iter().map(|bias| fits(bias).max(seen)).collect();
    let mut whole: Vec<f32> = greatest.iter().zip(&least).map(|(g, &l)| (g / width.largest()).max(l)).collect();
    let largest = whole.iter().copied().fold(0.0, f32::max);
    // Weights that are all 0 may have any scale.
    let largest = if largest < 1e-18 { 1.0 / width.largest() } else { largest };
    if !layout.per_channel(width) {
        whole.fill(largest);
        let floor = least.iter().copied().fold(0.0, f32::max);
        least.fill(floor);
        return Scales { whole, common: Some(largest), least };
    }
    for scale in whole.iter_mut().chain(&mut least) {
        *scale = scale.max(largest * SPREAD);
    }
    Scales { whole, common: None, least }
}

impl Scales {
    /// The scales with the least squared error of rounding and clipping together.
    pub fn clipped(&self, values: &[f32], layout: &Layout, width: Width) -> Vec<f32> {
        let channels = if self.common.is_some() { 1 } else { layout.outputs };
        let mut best = vec![(f64::INFINITY, 0f32); channels];
        // Of equals, the widest: it comes first.
        for clip in (CLIPS / 4..=CLIPS).rev() {
            let part = clip as f32 / CLIPS as f32;
            let tried: Vec<f32> = self.whole.iter().zip(&self.least).map(|(w, &l)| (w * part).max(l)).collect();
            let mut errors = vec![0.0; channels];
            for (i, &value) in values.iter().enumerate() {
                let output = layout.output(i);
                let found = f64::from(tried[output]) * f64::from(nearest(value, tried[output], width));
                errors[output.min(channels - 1)] += (found - f64::from(value)).powi(2);
            }
            for ((best, error), scale) in best.iter_mut().zip(errors).zip(tried) {
                if error < best.0 {
                    *best = (error, scale);
                }
            }
        }
        (0..layout.outputs).map(|output| best[output.min(channels - 1)].1).collect()
    }
}

fn nearest(value: f32, scale: f32, width: Width) -> i8 {
    let largest = width.largest();
    (value / scale).round().clamp(-largest, largest) as i8
}

/// Rounds each weight to the nearest that can be stored.
pub(crate) fn rounded(values: &[f32], layout: &Layout, scales: Vec<f32>, width: Width) -> Weights {
    let stored = values.iter().enumerate().map(|(i, &value)| nearest(value, scales[layout.output(i)], width));
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

/// Stored biases: `real = input.scale * scales[c] * stored`, as far as sums can hold them before and after they are brought to the
/// output's scale. Beside int8 they fit int32.
pub(crate) fn biases(bias: &[f64], ends: Ends, scales: &[f32]) -> Vec<i64> {
    let stored = |(&b, &s): (&f64, &f32)| {
        let step = f64::from(ends.input.scale) * f64::from(s);
        let most = ends.largest_bias().min(MOST_STEPS * f64::from(ends.output.scale) / step);
        // Half a step more, since scales are rounded to single precision.
        (b / step).round().clamp(-most - most / 1e6, most + most / 1e6) as i64
    };
    bias.iter().zip(scales).map(stored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smidgen_ir::{Activation, ConvParams, Padding};

    /// An output whose range takes any bias.
    fn ends(input: Affine) -> Ends {
        Ends { input, output: Affine { scale: 1e-2, zero_point: 0, ..input } }
    }

    fn params() -> ConvParams {
        ConvParams { stride: [1, 1], dilation: [1, 1], padding: Padding::Same, activation: Activation::None }
    }

    fn dense(outputs: usize, per_output: usize) -> Layout {
        Layout::of(&Op::Conv2d(params()), &[outputs, 1, 1, per_output]).unwrap()
    }

    fn quantise(values: &[f32], layout: &Layout, bias: &[f32], input_scale: f32) -> Weights {
        rounded(
            values,
            layout,
            scales(values, layout, bias, ends(Affine::int8(input_scale, 0)), Width::Int8).whole,
            Width::Int8,
        )
    }

    #[test]
    fn two_int4_share_a_byte() {
        assert_eq!(Width::Int4.bytes(&[1, -1, 7, -7, -8]), [0xf1, 0x97, 0x08]);
        assert_eq!(Width::Int8.bytes(&[1, -1]), [1, 255]);
    }

    #[test]
    fn clipping_lessens_the_squared_error() {
        // One weight of 3 among many below 1: in steps of 3/7 those lose much.
        let values: Vec<f32> =
            (0..400).map(|i| if i == 0 { 3.0 } else { (i * 37 % 101) as f32 / 50.5 - 1.0 }).collect();
        let layout = dense(1, 400);
        let scales = scales(&values, &layout, &[0.0], ends(Affine::int8(1.0, 0)), Width::Int4);
        let error = |scales: Vec<f32>| {
            let found = rounded(&values, &layout, scales.clone(), Width::Int4);
            let difference = |(&q, v): (&i8, &f32)| (f32::from(q) * scales[0] - v).powi(2);
            found.stored.iter().zip(&values).map(difference).sum::<f32>()
        };
        let clipped = scales.clipped(&values, &layout, Width::Int4);
        assert!(clipped[0] < 0.9 * scales.whole[0], "{clipped:?} of {:?}", scales.whole);
        assert!(error(clipped.clone()) < 0.9 * error(scales.whole.clone()));
    }

    #[test]
    fn elements_belong_to_channels() {
        let conv = Layout::of(&Op::Conv2d(params()), &[2, 3, 1, 4]).unwrap();
        assert_eq!((conv.output(13), conv.input(13)), (1, 1));
        let depthwise = Layout::of(&Op::DepthwiseConv2d { conv: params(), multiplier: 2 }, &[1, 3, 3, 6]).unwrap();
        assert_eq!((depthwise.output(9), depthwise.input(9), depthwise.axis), (3, 1, 3));
        assert!(
            !Layout::of(
                &Op::FullyConnected {
                    keep_num_dims: false,
                    asymmetric_quantize_inputs: false,
                    activation: Activation::None
                },
                &[2, 3]
            )
            .unwrap()
            .per_channel(Width::Int8)
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
            for ((&stored, &real), &scale) in biases(&reals, ends(Affine::int8(input, 0)), &weights.scales).iter().zip(&reals).zip(&weights.scales) {
                let step = f64::from(input) * f64::from(scale);
                prop_assert!((step * stored as f64 - real).abs() <= 0.5001 * step);
                // Scales are rounded to single precision.
                prop_assert!(stored.unsigned_abs() <= (1 << 30) + (1 << 7));
            }
        }
    }

    #[test]
    fn channels_without_weights_keep_their_bias() {
        let weights = quantise(&[0.0; 4], &dense(2, 2), &[3.0, 0.0], 0.1);
        assert_eq!(weights.stored, [0; 4]);
        let stored = biases(&[3.0, 0.0], ends(Affine::int8(0.1, 0)), &weights.scales);
        assert!((stored[0] as f64 * 0.1 * f64::from(weights.scales[0]) - 3.0).abs() < 1e-6, "{stored:?}");
        assert!(quantise(&[0.0; 4], &dense(2, 2), &[0.0; 2], 0.1).scales.iter().all(|s| s.is_normal()));
    }

    #[test]
    fn a_channel_of_next_to_no_weights_keeps_its_bias_beside_others() {
        for input in [Affine::int8(0.01, 0), Affine::int16(3e-5)] {
            let ends = Ends { input, output: Affine { scale: input.scale * 2.0, ..input } };
            for small in [0.0, 1e-9, 1e-7] {
                let found = scales(&[1.0, -0.5, small, -small], &dense(2, 2), &[0.5, 0.4], ends, Width::Int8).whole;
                let factor = f64::from(input.scale) * f64::from(found[1]) / f64::from(ends.output.scale);
                assert!(factor >= 0.999 * LEAST_FACTOR, "{factor:e}");
                assert_eq!(found[0], 1.0 / 127.0);
            }
        }
    }

    #[test]
    fn biases_beside_int16_have_64_bits() {
        let layout = dense(1, 2);
        let (bias, values) = ([3e4f32], [1e-4f32, -1e-4]);
        let [narrow, wide] = [Affine::int8(1e-3, 0), Affine::int16(1e-3)];
        // Beside int8 the weights' steps must grow for the bias to fit; beside int16 they need not.
        let scales = [narrow, wide].map(|input| scales(&values, &layout, &bias, ends(input), Width::Int8).whole);
        assert!(scales[0][0] > 1e-2 && scales[1][0] == 1e-4 / 127.0, "{scales:?}");
        let stored = biases(&[3e4], ends(wide), &scales[1]);
        assert!((stored[0] as f64 * f64::from(1e-3f32) * f64::from(scales[1][0]) - 3e4).abs() < 1e-6, "{stored:?}");
        assert!(stored[0] > i32::MAX.into());
    }

    #[test]
    fn a_bias_far_beyond_the_output_leaves_other_channels_their_steps() {
        for input in [Affine::int8(0.01, 0), Affine::int16(0.01)] {
            let ends = Ends { input, output: Affine { scale: 0.02, ..input } };
            let (bias, layout) = ([0.5, f32::MIN], dense(2, 2));
            let found = scales(&[1.0, -0.5, 0.3, 0.2], &layout, &bias, ends, Width::Int8).whole;
            assert_eq!(found[0], 1.0 / 127.0);
            let stored = biases(&bias.map(f64::from), ends, &found);
            let step = |o: usize| f64::from(input.scale) * f64::from(found[o]);
            assert!((stored[0] as f64 * step(0) - 0.5).abs() <= step(0));
            // Beyond all that two products of at most 2^22 can bring back, and no more than sums hold.
            let steps = stored[1] as f64 * step(1) / 0.02;
            assert!((-1.01 * MOST_STEPS..-0.9 * MOST_STEPS).contains(&steps), "{steps}");
            assert!(stored[1].unsigned_abs() as f64 <= 1.01 * ends.largest_bias());
        }
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
