//! Lite residual modules (TinyTL: Cai et al., "TinyTL: Reduce Memory, Not Parameters for Efficient On-Device Learning",
//! NeurIPS 2020, section 3.2): small branches beside a network's blocks that learn while the blocks' weights are
//! frozen.
//!
//! A module reads a block's input: an average over 2x2 pixels, a convolution in groups with the block's stride and a
//! RELU, a pointwise convolution to the block's channels, an enlargement to the size of the block's output, which it is
//! added to. [`insert`] adds them to a graph, where they are operators like any others. The last convolution begins
//! with zeros, so that a module that has learnt nothing changes no byte of what the network gives.
//!
//! The authors pretrain modules with their network, and normalise in groups. Here the network comes without modules,
//! and nothing is normalised on the device: scales are chosen once, by calibration ([`insert`]).

mod blocks;

pub use blocks::{Block, blocks};

use crate::calibrate::{Chance, activations};
use crate::error::AdaptError;
use crate::memory::selected;
use crate::network::Features;
use crate::scheme::Scheme;
use blocks::MOST_CONVOLUTIONS;
use serde::{Deserialize, Serialize};
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, DataType, ElementType, Graph, Op, OpId, Padding, PoolKind, Quantisation,
    ResizeKind, Tensor, TensorId,
};
use smidgen_lower::LowerOptions;
use std::collections::HashMap;

/// What modules are like. In a scheme's file `lite_residual = true` takes the defaults, which are the method's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiteResidual {
    /// Groups of the first convolution; blocks whose input channels these do not divide have one.
    pub groups: usize,
    /// Its greatest size, an odd number. A smaller one is taken where the averaged input is smaller.
    pub kernel: usize,
    /// Channels between the convolutions, in parts of the block's input channels; rounded to a multiple of 8, at least
    /// 8.
    pub expansion: f64,
    /// How many blocks, the last ones, have a module; all, where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
    /// What the first weights are drawn with.
    pub seed: u64,
}

impl Default for LiteResidual {
    fn default() -> Self {
        Self { groups: 2, kernel: 5, expansion: 1.0, blocks: None, seed: 1 }
    }
}

impl LiteResidual {
    /// # Errors
    /// If a number makes no sense.
    pub(crate) fn check(&self) -> Result<(), AdaptError> {
        let fail = |text: String| Err(AdaptError::Scheme(format!("lite_residual: {text}")));
        if !(1..=256).contains(&self.groups) {
            return fail(format!("groups is {}; 1 to 256 make sense", self.groups));
        }
        if self.kernel.is_multiple_of(2) || self.kernel > 15 {
            return fail(format!("kernel is {}; an odd number up to 15 is needed", self.kernel));
        }
        if !(self.expansion > 0.0 && self.expansion <= 16.0) {
            return fail(format!("expansion is {}; more than 0 and at most 16 makes sense", self.expansion));
        }
        if self.blocks == Some(0) {
            return fail("blocks is 0; leave lite_residual out where no block is to have a module".into());
        }
        Ok(())
    }

    /// As it stands in a scheme: `true`, `false`, or a table.
    pub(crate) fn read<'de, D: serde::Deserializer<'de>>(given: D) -> Result<Option<Self>, D::Error> {
        struct Given;
        impl<'de> serde::de::Visitor<'de> for Given {
            type Value = Option<LiteResidual>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, or a table of groups, kernel, expansion, blocks and seed")
            }

            fn visit_bool<E>(self, wanted: bool) -> Result<Self::Value, E> {
                Ok(wanted.then(LiteResidual::default))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                LiteResidual::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
            }
        }
        given.deserialize_any(Given)
    }
}

/// A module in a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// The block, in the network without modules.
    pub block: Block,
    /// Its convolutions, as [`Features::convolutions`] numbers them: one for each group, then the pointwise one.
    pub convolutions: Vec<usize>,
}

/// A window that averages, along one axis, and what is left of it: pairs, or everything where fewer than two would be
/// left (the method's rule, which knows one size for both axes).
fn averaged(size: usize) -> [usize; 2] {
    if size >= 4 { [2, size / 2] } else { [size, 1] }
}

/// The convolution's size along an axis where so many pixels are left.
fn kernel(wanted: usize, size: usize) -> usize {
    if size == 1 {
        return 1;
    }
    let mut kernel = wanted;
    while kernel > 1 && size < kernel {
        kernel -= 2;
    }
    kernel
}

/// Integers that weights of one standard deviation are drawn as: four fit.
const DRAWN: f64 = 32.0;
/// The greatest weight.
const MOST: f64 = 127.0;
/// How far the range between the convolutions reaches beyond the greatest value that calibration saw: weights in front
/// of it learn.
const ROOM: f64 = 2.0;

/// Sums over pixels and samples.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        *self = Self { count: self.count + 1.0, sum: self.sum + value, squares: self.squares + value * value };
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1.0) - self.mean().powi(2)).max(0.0).sqrt()
    }
}

/// Deviations of channels, none less than a tenth of the root of their mean square (where a channel was constant on the
/// samples, it may not be elsewhere) or than `least` of it.
fn floored(all: &[Moments], least: impl Fn(usize) -> f64) -> Vec<f64> {
    let mean = all.iter().map(|one| one.deviation().powi(2)).sum::<f64>() / all.len().max(1) as f64;
    all.iter().enumerate().map(|(i, one)| one.deviation().max(0.1 * mean.sqrt()).max(least(i))).collect()
}

/// Sizes of a module.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Images, and rows, columns and channels of the block's input.
    images: usize,
    input: [usize; 3],
    /// Window of the average.
    window: [usize; 2],
    /// Rows and columns that are left.
    left: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Rows and columns between the convolutions.
    inner: [usize; 2],
    groups: usize,
    middle: usize,
    output: [usize; 3],
}

impl Plan {
    fn of(graph: &Graph, block: &Block, options: &LiteResidual) -> Option<Self> {
        let [images, h, w, c] = graph.tensor(block.input).shape.nhwc()?;
        let [_, oh, ow, o] = graph.tensor(block.output).shape.nhwc()?;
        let axes = [averaged(h), averaged(w)];
        let left = axes.map(|[_, left]| left);
        let middle = ((c as f64 * options.expansion / 8.0).round() as usize).max(1) * 8;
        let divides = |groups: usize| c.is_multiple_of(groups) && middle.is_multiple_of(groups);
        Some(Self {
            images,
            input: [h, w, c],
            window: axes.map(|[window, _]| window),
            left,
            kernel: left.map(|size| kernel(options.kernel, size)),
            stride: block.stride,
            inner: [left[0].div_ceil(block.stride[0]), left[1].div_ceil(block.stride[1])],
            groups: if divides(options.groups) { options.groups } else { 1 },
            middle,
            output: [oh, ow, o],
        })
    }

    /// Input and output channels of a group.
    fn group(&self) -> [usize; 2] {
        [self.input[2] / self.groups, self.middle / self.groups]
    }

    fn padding(&self) -> Padding {
        let [rows, cols] = self.kernel.map(|size| size / 2);
        Padding::Explicit { top: rows, bottom: rows, left: cols, right: cols }
    }

    /// Averages of an input as they are stored, less its zero point.
    fn average(&self, x: &[i8], zero: i32) -> Vec<f64> {
        let ([h, w, c], [wh, ww], [lh, lw]) = (self.input, self.window, self.left);
        let mut out = vec![0.0; self.images * lh * lw * c];
        for (i, sum) in out.iter_mut().enumerate() {
            let (channel, pixel) = (i % c, i / c);
            let (column, row, image) = (pixel % lw, pixel / lw % lh, pixel / lw / lh);
            for y in row * wh..(row + 1) * wh {
                for at in (column * ww..(column + 1) * ww).map(|x| ((image * h + y) * w + x) * c + channel) {
                    *sum += f64::from(i32::from(x[at]) - zero);
                }
            }
            *sum = (*sum / (wh * ww) as f64).round();
        }
        out
    }

    /// The convolution in groups, without bias: weights as `[middle, rows, columns, channels of a group]`.
    fn convolve(&self, x: &[f64], weights: &[i8], each: &mut dyn FnMut(usize, f64)) {
        let ([lh, lw], c, [kh, kw]) = (self.left, self.input[2], self.kernel);
        let [in_group, out_group] = self.group();
        for pixel in 0..self.images * self.inner[0] * self.inner[1] {
            let (ox, oy) = (pixel % self.inner[1], pixel / self.inner[1] % self.inner[0]);
            let image = pixel / self.inner[1] / self.inner[0];
            for o in 0..self.middle {
                let mut sum = 0.0;
                for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                    let y = (oy * self.stride[0] + ky).wrapping_sub(kh / 2);
                    let at = (ox * self.stride[1] + kx).wrapping_sub(kw / 2);
                    if y >= lh || at >= lw {
                        continue;
                    }
                    let from = ((image * lh + y) * lw + at) * c + o / out_group * in_group;
                    let row = &weights[((o * kh + ky) * kw + kx) * in_group..][..in_group];
                    sum += x[from..from + in_group].iter().zip(row).map(|(x, &w)| x * f64::from(w)).sum::<f64>();
                }
                each(o, sum);
            }
        }
    }
}

/// What a module begins with.
struct Begin {
    weights: Vec<i8>,
    scales: Vec<f64>,
    bias: Vec<i32>,
    /// Between the convolutions.
    inner_scale: f64,
    /// Of the pointwise convolution's weights.
    last_scales: Vec<f64>,
}

/// A number of a normal distribution (Irwin-Hall, with twelve terms).
fn normal(chance: &mut Chance) -> f64 {
    (0..12).map(|_| 0.5 * chance.signed()).sum()
}

fn begin(plan: &Plan, block: &Block, graph: &Graph, samples: &[[Vec<i8>; 2]], chance: &mut Chance) -> Begin {
    let quantisation = |id: TensorId| {
        let (scale, zero) = graph.tensor(id).per_tensor().unwrap_or((1.0, 0));
        (f64::from(scale), zero)
    };
    let ((sx, zx), (sy, zy)) = (quantisation(block.input), quantisation(block.output));
    let count = plan.middle * plan.kernel[0] * plan.kernel[1] * plan.group()[0];
    let weights: Vec<i8> = (0..count).map(|_| (DRAWN * normal(chance)).round().clamp(-MOST, MOST) as i8).collect();
    let averages: Vec<Vec<f64>> = samples.iter().map(|[x, _]| plan.average(x, zx)).collect();
    let mut sums = vec![Moments::default(); plan.middle];
    averages.iter().for_each(|x| plan.convolve(x, &weights, &mut |o, sum| sums[o].add(sum)));
    // What the roundings of the input alone make a sum vary by: an even distribution over one has a variance of a
    // twelfth.
    let each = weights.len() / plan.middle;
    let rounded =
        |o: usize| (weights[o * each..][..each].iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / 12.0).sqrt();
    let deviations = floored(&sums, |o| rounded(o).max(1.0));
    // One standard deviation in front of the RELU is 1, the mean 0.
    let scales: Vec<f64> = deviations.iter().map(|deviation| 1.0 / (deviation * sx)).collect();
    let means: Vec<f64> = sums.iter().map(Moments::mean).collect();
    let bias: Vec<i32> = means.iter().map(|mean| -mean.round() as i32).collect();
    let mut inner = vec![Moments::default(); plan.middle];
    let mut greatest = 1f64;
    for x in &averages {
        plan.convolve(x, &weights, &mut |o, sum| {
            let value = ((sum - means[o]) / deviations[o]).max(0.0);
            inner[o].add(value);
            greatest = greatest.max(value);
        });
    }
    let power: f64 = inner.iter().map(|one| one.squares / one.count.max(1.0)).sum::<f64>().max(1e-3);
    let channels = plan.output[2];
    let mut outputs = vec![Moments::default(); channels];
    for [_, y] in samples {
        y.iter().enumerate().for_each(|(i, &y)| outputs[i % channels].add(f64::from(i32::from(y) - zy)));
    }
    // A row of weights at the end of int8, of signs by chance, gives as much as the block's output varies by.
    let last = floored(&outputs, |_| 1.0).iter().map(|deviation| sy * deviation / (MOST * power.sqrt())).collect();
    Begin { weights, scales, bias, inner_scale: ROOM * greatest / 255.0, last_scales: last }
}

fn per_channel(element: ElementType, scales: Vec<f32>) -> DataType {
    let zero_points = vec![0; scales.len()];
    DataType::Quantised(element, Quantisation::PerChannel { axis: 0, scales, zero_points })
}

/// The graph as it grows.
struct Growing<'a> {
    graph: Graph,
    old: &'a Graph,
    name: String,
    /// Modules' convolutions.
    convolutions: Vec<OpId>,
}

impl Growing<'_> {
    fn tensor(&mut self, name: &str, dims: Vec<usize>, dtype: DataType) -> TensorId {
        self.graph.add_tensor(Tensor::activation(format!("{} {name}", self.name), dims, dtype))
    }

    /// A convolution with a bias; scales of the weights' channels.
    fn convolution(
        &mut self,
        name: &str,
        (input, output): (TensorId, TensorId),
        (shape, weights, scales): ([usize; 4], &[i8], &[f64]),
        bias: &[i32],
        conv: ConvParams,
    ) {
        let scale = self.graph.tensor(input).per_tensor().map_or(1.0, |(scale, _)| f64::from(scale));
        let name = format!("{} {name}", self.name);
        let weights: Vec<u8> = weights.iter().map(|&w| w as u8).collect();
        let singles = scales.iter().map(|&s| s as f32).collect();
        let weights =
            Tensor::constant(format!("{name} weights"), shape, per_channel(ElementType::Int8, singles), weights);
        let bytes: Vec<u8> = bias.iter().flat_map(|b| b.to_le_bytes()).collect();
        let singles = scales.iter().map(|&s| (s * scale) as f32).collect();
        let bias =
            Tensor::constant(format!("{name} bias"), [shape[0]], per_channel(ElementType::Int32, singles), bytes);
        let (weights, bias) = (self.graph.add_tensor(weights), self.graph.add_tensor(bias));
        let id = self.graph.add_operator(Op::Conv2d(conv), vec![input, weights, bias], vec![output]);
        self.convolutions.push(id);
    }

    /// The average and its groups: in front of the block, whose input need not be kept then.
    fn front(&mut self, plan: &Plan, input: TensorId) -> Vec<TensorId> {
        let dtype = self.graph.tensor(input).dtype.clone();
        let [lh, lw] = plan.left;
        let average = self.tensor("average", vec![plan.images, lh, lw, plan.input[2]], dtype.clone());
        let (kind, window, padding) = (PoolKind::Average, plan.window, Padding::Valid);
        let pool = Op::Pool2d { kind, window, stride: window, padding, activation: Activation::None };
        self.graph.add_operator(pool, vec![input], vec![average]);
        if plan.groups == 1 {
            return vec![average];
        }
        let parts: Vec<TensorId> = (0..plan.groups)
            .map(|g| self.tensor(&format!("group {g}"), vec![plan.images, lh, lw, plan.group()[0]], dtype.clone()))
            .collect();
        self.graph.add_operator(Op::Split { axis: 3, parts: plan.groups }, vec![average], parts.clone());
        parts
    }

    /// The rest, behind the block: gives the sum.
    fn rest(&mut self, plan: &Plan, parts: &[TensorId], begin: &Begin, output: TensorId) -> TensorId {
        let [in_group, out_group] = plan.group();
        let ([rows, cols], [kh, kw], channels) = (plan.inner, plan.kernel, plan.output[2]);
        let inner_type = DataType::int8(begin.inner_scale as f32, -128);
        let conv =
            ConvParams { stride: plan.stride, dilation: [1, 1], padding: plan.padding(), activation: Activation::Relu };
        let mut made = Vec::new();
        for (g, &part) in parts.iter().enumerate() {
            let name = if plan.groups == 1 { "convolution".to_owned() } else { format!("convolution {g}") };
            let dims = vec![plan.images, rows, cols, out_group];
            let to = self.tensor(&format!("{name} output"), dims, inner_type.clone());
            let outputs = g * out_group..(g + 1) * out_group;
            let each = kh * kw * in_group;
            let weights = &begin.weights[outputs.start * each..outputs.end * each];
            let (scales, bias) = (&begin.scales[outputs.clone()], &begin.bias[outputs]);
            self.convolution(&name, (part, to), ([out_group, kh, kw, in_group], weights, scales), bias, conv);
            made.push(to);
        }
        let inner = match made[..] {
            [one] => one,
            _ => {
                let inner = self.tensor("groups", vec![plan.images, rows, cols, plan.middle], inner_type);
                let join = Op::Concatenation { axis: 3, activation: Activation::None };
                self.graph.add_operator(join, made, vec![inner]);
                inner
            }
        };
        let summed = self.graph.tensor(output).clone();
        let scale = summed.per_tensor().map_or(1.0, |(scale, _)| scale);
        // In the unit of what it is added to: 0 is an integer of both, and what is added to it stays.
        let dtype = DataType::int8(scale, 0);
        let small = self.tensor("pointwise output", vec![plan.images, rows, cols, channels], dtype.clone());
        let conv = ConvParams { stride: [1, 1], padding: Padding::Valid, activation: Activation::None, ..conv };
        let zeros = vec![0; channels * plan.middle];
        let weights = ([channels, 1, 1, plan.middle], &zeros[..], &begin.last_scales[..]);
        self.convolution("pointwise", (inner, small), weights, &vec![0; channels], conv);
        let [oh, ow, _] = plan.output;
        let large = if [rows, cols] == [oh, ow] {
            small
        } else {
            let large = self.tensor("enlarged", vec![plan.images, oh, ow, channels], dtype);
            let kind = ResizeKind::Bilinear;
            let op = Op::Resize { kind, output: [oh, ow], align_corners: false, half_pixel_centers: true };
            self.graph.add_operator(op, vec![small], vec![large]);
            large
        };
        let sum = self.tensor("sum", summed.shape.dims().to_vec(), summed.dtype);
        let activation = self.clamp(output);
        self.graph.add_operator(Op::Binary { kind: BinaryKind::Add, activation }, vec![output, large], vec![sum]);
        sum
    }

    /// What the block's output is clamped to, the sum is as well.
    fn clamp(&self, output: TensorId) -> Activation {
        let producer = self.old.operators.iter().find(|operator| operator.outputs.contains(&output));
        producer.and_then(|operator| operator.op.activation()).unwrap_or_default()
    }
}

/// Adds a module beside each block, or each of the last ones, of a network. Convolutions keep their numbers; the
/// modules' are numbered behind them.
///
/// Scales and first weights follow from `samples` of the network's input, or from drawn ones where there are none. The
/// first convolution's weights are drawn by a normal distribution; each channel has the scale and the bias that make
/// its mean 0 and its deviation 1 in front of the RELU, which is what a normalisation would do. The pointwise
/// convolution's weights are 0. A step of theirs is `rate * gradient / scale^2`, so that the scale says how many steps
/// of a given size it takes to come to the end of int8: it is such that weights at the end, of signs by chance, give as
/// much as the block's output varies by. What is learnt takes a small part of that, and one integer is a hundredth of
/// it.
///
/// # Errors
/// If the network has no block, or fewer than are to have a module.
pub fn insert(
    features: &Features,
    options: &LiteResidual,
    lower: &LowerOptions,
    samples: &[Vec<i8>],
) -> Result<(Features, Vec<Module>), AdaptError> {
    options.check()?;
    let old = &features.graph;
    let mut found = blocks(old);
    let fail = |text: String| Err(AdaptError::Scheme(format!("lite residual modules: {text}")));
    if found.is_empty() {
        return fail(format!(
            "the network has no block that they could lie beside; looked for were depthwise convolutions of int8 with \
             a pointwise one behind, and sums of a tensor and of what up to {MOST_CONVOLUTIONS} convolutions make of it"
        ));
    }
    let wanted = options.blocks.unwrap_or(found.len());
    if wanted > found.len() {
        return fail(format!("blocks is {wanted}; the network has {}", found.len()));
    }
    found.drain(..found.len() - wanted);
    let drawn = if samples.is_empty() { crate::calibrate::drawn(features, 4) } else { Vec::new() };
    let samples = if samples.is_empty() { &drawn } else { samples };
    let known = activations(features, lower, samples)?;
    let mut chance = Chance::new(options.seed.wrapping_add(101));
    let mut ready = Vec::new();
    for block in &found {
        let Some(plan) = Plan::of(old, block, options) else {
            return Err(AdaptError::Internal("a block without rows and columns".into()));
        };
        let mut seen = Vec::new();
        for known in &known {
            let [Some(x), Some(y)] = [block.input, block.output].map(|id| known.get(&id)) else {
                return Err(AdaptError::Internal("a block's input or output is not computed".into()));
            };
            seen.push([x.clone(), y.clone()]);
        }
        ready.push((plan, begin(&plan, block, old, &seen, &mut chance)));
    }
    let graph = Graph { operators: Vec::new(), ..old.clone() };
    let mut growing = Growing { graph, old, name: String::new(), convolutions: Vec::new() };
    let mut renamed: HashMap<TensorId, TensorId> = HashMap::new();
    let mut parts: HashMap<usize, Vec<TensorId>> = HashMap::new();
    let mut places = Vec::with_capacity(old.operators.len());
    let mut modules: Vec<Module> = Vec::new();
    for (i, operator) in old.operators.iter().enumerate() {
        let at = |renamed: &HashMap<TensorId, TensorId>, id: TensorId| renamed.get(&id).copied().unwrap_or(id);
        for (b, block) in found.iter().enumerate() {
            if block.operators.first().is_some_and(|id| id.index() == i) {
                growing.name = format!("lite residual {b}");
                parts.insert(b, growing.front(&ready[b].0, at(&renamed, block.input)));
            }
        }
        let mut copy = operator.clone();
        copy.inputs.iter_mut().for_each(|id| *id = at(&renamed, *id));
        places.push(OpId(growing.graph.operators.len() as u32));
        growing.graph.operators.push(copy);
        for (b, block) in found.iter().enumerate() {
            if block.operators.last().is_some_and(|id| id.index() == i) {
                growing.name = format!("lite residual {b}");
                let before = growing.convolutions.len();
                let (plan, begin) = &ready[b];
                let sum = growing.rest(plan, &parts.remove(&b).unwrap_or_default(), begin, block.output);
                renamed.insert(block.output, sum);
                let numbers = before..growing.convolutions.len();
                let convolutions = numbers.map(|k| features.convolutions.len() + k).collect();
                modules.push(Module { block: block.clone(), convolutions });
            }
        }
    }
    let mut graph = growing.graph;
    graph.outputs.iter_mut().for_each(|id| *id = renamed.get(id).copied().unwrap_or(*id));
    let old_places = features.convolutions.iter().map(|id| places[id.index()]);
    let convolutions = old_places.chain(growing.convolutions).collect();
    Ok((Features { graph, convolutions, ..features.clone() }, modules))
}

/// What a scheme trains of which network: with modules, if it names them.
pub(crate) struct Trained {
    pub features: Features,
    /// For each convolution, the part of its weights.
    pub parts: Vec<Option<f64>>,
    /// And whether its biases.
    pub biases: Vec<bool>,
}

impl Trained {
    pub fn of(
        features: Features,
        scheme: &Scheme,
        lower: &LowerOptions,
        samples: &[Vec<i8>],
    ) -> Result<Self, AdaptError> {
        let count = features.convolutions.len();
        let mut parts = scheme.weights(count)?;
        for (part, size) in parts.iter_mut().zip(features.sizes()?) {
            // Less than one channel is nothing.
            *part = part.filter(|&ratio| size.depthwise || selected(size.input[2], ratio) > 0);
        }
        let mut biases: Vec<bool> = (0..count).map(|i| scheme.trains_bias(i, count)).collect();
        let Some(options) = &scheme.lite_residual else { return Ok(Self { features, parts, biases }) };
        let (grown, modules) = insert(&features, options, lower, samples)?;
        parts.resize(grown.convolutions.len(), Some(1.0));
        biases.resize(grown.convolutions.len(), true);
        for module in &modules {
            // A bias that is added to a trained one is the same twice.
            let number = |id: &OpId| features.convolutions.iter().position(|other| other == id);
            let last = module.block.operators.iter().rev().find_map(number);
            if let (Some(last), Some(&pointwise)) = (last, module.convolutions.last()) {
                biases[pointwise] = !biases[last];
            }
        }
        Ok(Self { features: grown, parts, biases })
    }

    /// Whether something of an operator is trained.
    pub fn operators(&self) -> Vec<bool> {
        let mut trained = vec![false; self.features.graph.operators.len()];
        for (i, id) in self.features.convolutions.iter().enumerate() {
            trained[id.index()] = self.parts[i].is_some() || self.biases[i];
        }
        trained
    }
}
