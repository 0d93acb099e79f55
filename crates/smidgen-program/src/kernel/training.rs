//! Kernels of a [training step](smidgen_kernels::training). What they update lies where it lay; gradients and updates can be computed by rows of gradients,
//! which are blocks of four channels.

use super::pattern::{Needed, Taken, geometry, product, some};
use super::{KernelSpec, Pattern, Site, flat};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType::{self, Int8, Int16, Int32};
use smidgen_kernels::Window2d;
use smidgen_kernels::reference::Sum;
use smidgen_kernels::training::{
    self, Cross, Feed, Head, InputGradient, Select, Spread, Step, Total, blocks, mask_bytes,
};

/// Images of a height, width and depth.
fn images(count: usize, [height, cols, depth]: [usize; 3]) -> Extent {
    Extent { rows: count * height, cols, depth }
}

/// The clamp mask of images.
fn masks(count: usize, [height, cols, depth]: [usize; 3]) -> Extent {
    Extent { rows: count * height, cols, depth: mask_bytes(depth) }
}

/// Weights `[O, KH, KW, C]` of a convolution with this window, of so many input channels.
fn filters(window: &Window2d, channels: usize) -> Extent {
    Extent { rows: window.output[2] * window.size[0], cols: window.size[1], depth: channels }
}

/// Weights `[KH, KW, O]` of a depthwise convolution.
fn depthwise_filters(window: &Window2d) -> Extent {
    Extent { rows: window.size[0], cols: window.size[1], depth: window.output[2] }
}

/// `pixels` pixels of so many channels.
fn pixels([rows, depth]: [usize; 2]) -> Extent {
    Extent { rows, cols: 1, depth }
}

/// Pixels and channels.
fn sizes(extent: Extent) -> [usize; 2] {
    [extent.rows * extent.cols, extent.depth]
}

/// The clamp mask of a tensor.
fn mask_of(extent: Extent) -> Extent {
    Extent { depth: mask_bytes(extent.depth), ..extent }
}

/// Nothing is 0 or too large, with so many bytes for each element.
fn is_extent(extent: Extent, bytes: usize) -> bool {
    some(&[extent.rows, extent.cols, extent.depth, bytes])
}

/// The window's sizes go together, for so many images.
fn convolution(window: &Window2d, images: usize) -> bool {
    geometry(window)
        && some(&[window.size[0], window.size[1], window.input[2], window.output[2]])
        && some(&[images, window.input[0], window.input[1], window.input[2]])
        && some(&[images, window.output[0], window.output[1], window.output[2], 4])
}

fn is_channelwise(window: &Window2d) -> bool {
    window.input[2] > 0 && window.output[2].is_multiple_of(window.input[2])
}

fn given<'a>(sized: bool, inputs: Vec<Taken>, outputs: Vec<(ElementType, Extent)>) -> Pattern<'a> {
    Pattern::Given { inputs, outputs, sized, taken: None }
}

/// An input of which every output needs everything.
fn all(element: ElementType, extent: Extent) -> Taken {
    Taken { element, extent, needed: Needed::All }
}

/// An input that may be overwritten, element by element.
fn changed(element: ElementType, extent: Extent) -> Taken {
    Taken { element, extent, needed: Needed::Element }
}

/// An input of which a row needs the row at its place.
fn row(element: ElementType, extent: Extent) -> Taken {
    Taken { element, extent, needed: Needed::Row }
}

/// A gradient of a tensor with `pixels` pixels of `channels` channels: how it [lies](smidgen_kernels::training).
pub fn by_channels(pixels: usize, channels: usize) -> Extent {
    Extent { rows: blocks(channels), cols: pixels, depth: 4 }
}

/// What belongs to the channels of a gradient, so many elements to each: a row for each row of the gradient, if the channels fill these; else one.
pub fn by_blocks(channels: usize, each: usize) -> Extent {
    if channels.is_multiple_of(4) {
        Extent { rows: channels / 4, cols: 1, depth: 4 * each }
    } else {
        flat(channels * each)
    }
}

/// Such an input, where a row needs what belongs to the gradient's.
fn block(element: ElementType, channels: usize, each: usize) -> Taken {
    let needed = if channels.is_multiple_of(4) { Needed::Row } else { Needed::All };
    Taken { element, extent: by_blocks(channels, each), needed }
}

/// The gradient of images whose channels are updated.
fn gradient_of(pixels: usize, channels: usize) -> Taken {
    let needed = if channels.is_multiple_of(4) { Needed::Row } else { Needed::All };
    Taken { element: Int16, extent: by_channels(pixels, channels), needed }
}

/// Pixels of so many images.
fn pixels_of(count: usize, [height, width, _]: [usize; 3]) -> usize {
    count * height * width
}

/// The gradient of images.
fn gradient(count: usize, size: [usize; 3]) -> Extent {
    by_channels(pixels_of(count, size), size[2])
}

/// Byte offsets of inputs, then of outputs.
fn places<const N: usize>(site: &Site<'_>, inputs: &[usize], outputs: usize) -> [usize; N] {
    let inputs = inputs.iter().map(|&i| site.input_base(i, true));
    let mut all = inputs.chain((0..outputs).map(|i| site.output_bytes(i)));
    std::array::from_fn(|_| all.next().unwrap_or(0))
}

/// CONV_2D on int8 whose weights or biases may change, and the clamp mask of what it gives. Inputs: `x`, weights `[O, KH, KW, C]`, bias (int32) `[O]`; with selected
/// channels their weights `[O, KH, KW, S]`. Outputs: `y`, mask. Constants: multiplier (int32) and shift (int8) of every channel, the selected
/// channels (uint16).
#[derive(Clone, PartialEq, Debug)]
pub struct TrainConv2d {
    /// The layer.
    pub layer: training::Conv2d,
}

impl KernelSpec for TrainConv2d {
    fn pattern(&self) -> Pattern<'_> {
        let training::Conv2d { window, images: count, selected, .. } = self.layer;
        let mut inputs = vec![
            all(Int8, images(count, window.input)),
            all(Int8, filters(&window, window.input[2])),
            all(Int32, flat(window.output[2])),
        ];
        if selected > 0 {
            inputs.push(all(Int8, filters(&window, selected)));
        }
        let outputs = vec![(Int8, images(count, window.output)), (Int8, masks(count, window.output))];
        given(convolution(&window, count) && selected <= window.input[2], inputs, outputs)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        let outputs = self.layer.window.output[2];
        vec![4 * outputs, outputs, 2 * self.layer.selected]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch()
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        names_channels(constant(2), self.layer.window.input[2])
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(TrainConv2d(k, site) => training::conv2d:
    arena(u8), value(places = k.places(site)), reference(layer = k.layer), whole(weights: u8 = 1), whole(bias: i32 = 2),
    factors(0), constant(list: u16 = 2));

impl TrainConv2d {
    fn places(&self, site: &Site<'_>) -> [usize; 5] {
        let [x, y, mask] = places(site, &[0], 2);
        let apart = if self.layer.selected > 0 { site.input_base(3, true) } else { 0 };
        [x, y, mask, apart, site.scratch()]
    }
}

/// DEPTHWISE_CONV_2D like [`TrainConv2d`]. Inputs: `x`, weights `[KH, KW, O]`, bias (int32) `[O]`. Outputs alike. Constants: multiplier (int32) and
/// shift (int8) of every channel.
#[derive(Clone, PartialEq, Debug)]
pub struct TrainDepthwise {
    /// The layer.
    pub layer: training::Depthwise,
}

impl KernelSpec for TrainDepthwise {
    fn pattern(&self) -> Pattern<'_> {
        let training::Depthwise { window, images: count, .. } = self.layer;
        let inputs = vec![
            all(Int8, images(count, window.input)),
            all(Int8, depthwise_filters(&window)),
            all(Int32, flat(window.output[2])),
        ];
        let outputs = vec![(Int8, images(count, window.output)), (Int8, masks(count, window.output))];
        given(convolution(&window, count) && is_channelwise(&window), inputs, outputs)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![4 * self.layer.window.output[2], self.layer.window.output[2]]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch()
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(TrainDepthwise(k, site) => training::depthwise:
    arena(u8), value(places = k.places(site)), reference(layer = k.layer), whole(weights: u8 = 1),
    whole(bias: i32 = 2), factors(0));

impl TrainDepthwise {
    fn places(&self, site: &Site<'_>) -> [usize; 4] {
        let [x, y, mask] = places(site, &[0], 2);
        [x, y, mask, site.scratch()]
    }
}

/// ADD or SUB on int8 of two tensors alike, and the clamp mask. Inputs: both. Outputs: `y`, mask.
#[derive(Clone, PartialEq, Debug)]
pub struct TrainSum {
    /// Of each tensor.
    pub extent: Extent,
    /// The sum.
    pub terms: Sum<i8>,
}

impl KernelSpec for TrainSum {
    fn pattern(&self) -> Pattern<'_> {
        let extent = self.extent;
        let outputs = vec![(Int8, extent), (Int8, mask_of(extent))];
        given(is_extent(extent, 1), vec![all(Int8, extent), all(Int8, extent)], outputs)
    }

    fn scratch(&self) -> usize {
        training::SUM_SCRATCH
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(TrainSum(k, site) => training::sum:
    arena(u8), value(places = k.places(site)), value(sizes = sizes(k.extent)),
    reference(terms = k.terms));

impl TrainSum {
    fn places(&self, site: &Site<'_>) -> [usize; 5] {
        let [a, b, y, mask] = places(site, &[0, 1], 2);
        [a, b, y, mask, site.scratch()]
    }
}

/// Some channels of a tensor. Input: the tensor as `[pixels, C]`. Constants: the channels (uint16), each below C.
#[derive(Clone, PartialEq, Debug)]
pub struct SelectChannels {
    /// Sizes.
    pub layer: Select,
}

impl KernelSpec for SelectChannels {
    fn pattern(&self) -> Pattern<'_> {
        let Select { pixels: count, channels, selected } = self.layer;
        let sized = some(&[count, channels]) && some(&[selected]) && selected <= channels;
        given(sized, vec![all(Int8, pixels([count, channels]))], vec![(Int8, pixels([count, selected]))])
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![2 * self.layer.selected]
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        names_channels(constant(0), self.layer.channels)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(SelectChannels(k, site) => training::select:
    arena(u8), value(places = places::<2>(site, &[0], 1)), reference(layer = k.layer), constant(list: u16 = 0));

fn names_channels(list: &[u8], channels: usize) -> bool {
    list.as_chunks::<2>().0.iter().all(|&channel| usize::from(u16::from_le_bytes(channel)) < channels)
}

/// Logits of int8 features. Inputs: features `[C]`, weights `[N, C]` and bias `[N]`, both int32. Output: logits (int32) `[N]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Classifier {
    /// The layer.
    pub head: Head,
}

fn is_head(head: &Head) -> bool {
    some(&[head.inputs, head.classes, 4]) && (0..=62).contains(&head.scale[1])
}

impl KernelSpec for Classifier {
    fn pattern(&self) -> Pattern<'_> {
        let Head { inputs, classes, .. } = self.head;
        let taken = vec![all(Int8, flat(inputs)), all(Int32, pixels([classes, inputs])), all(Int32, flat(classes))];
        given(is_head(&self.head), taken, vec![(Int32, flat(classes))])
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(Classifier(k, site) => training::classifier:
    arena(u8), value(places = places::<4>(site, &[0, 1, 2], 1)), reference(head = k.head));

/// What a loss reads, logits and label, and what it writes, errors and loss.
fn loss(layer: &Cross) -> Pattern<'static> {
    let classes = flat(layer.classes);
    let outputs = vec![(Int32, classes), (Int32, flat(1))];
    given(some(&[layer.classes, 4]), vec![all(Int32, classes), all(Int32, flat(1))], outputs)
}

/// Softmax and cross-entropy. Inputs: logits (int32) `[N]`, the label (int32). Outputs: errors (int32) `[N]`, loss (int32).
#[derive(Clone, PartialEq, Debug)]
pub struct CrossEntropy {
    /// Sizes.
    pub layer: Cross,
}

impl KernelSpec for CrossEntropy {
    fn pattern(&self) -> Pattern<'_> {
        loss(&self.layer)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(CrossEntropy(k, site) => training::cross_entropy:
    arena(u8), value(places = places::<4>(site, &[0, 1], 2)), reference(layer = k.layer));

/// The mean squared error. Operands are those of [`CrossEntropy`].
#[derive(Clone, PartialEq, Debug)]
pub struct SquaredError {
    /// Sizes.
    pub layer: Cross,
}

impl KernelSpec for SquaredError {
    fn pattern(&self) -> Pattern<'_> {
        loss(&self.layer)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(SquaredError(k, site) => training::squared_error:
    arena(u8), value(places = places::<4>(site, &[0, 1], 2)), reference(layer = k.layer));

/// What an update of the classifier reads and writes more where the steps of several samples are collected: how many there were, and what waits.
fn waiting(collected: u32, extent: Extent, inputs: &mut Vec<Taken>, outputs: &mut Vec<(ElementType, Extent)>) {
    if collected > 1 {
        inputs.extend([all(Int32, flat(1)), changed(Int32, extent)]);
        outputs.push((Int32, extent));
    }
}

/// Where those are, behind so many inputs.
fn waiting_places(site: &Site<'_>, own: usize, collected: u32) -> [usize; 2] {
    match collected > 1 {
        true => [site.input_base(own, true), site.output_bytes(1)],
        false => [0; 2],
    }
}

/// The gradient with respect to the features. Inputs: errors (int32) `[N]`, weights (int32) `[N, C]`. Outputs: gradient (int16) `[C]`, its exponent (int32).
#[derive(Clone, PartialEq, Debug)]
pub struct ClassifierGradient {
    /// The layer.
    pub head: Head,
}

impl KernelSpec for ClassifierGradient {
    fn pattern(&self) -> Pattern<'_> {
        let Head { inputs, classes, .. } = self.head;
        let taken = vec![all(Int32, flat(classes)), all(Int32, pixels([classes, inputs]))];
        given(is_head(&self.head), taken, vec![(Int16, by_channels(1, inputs)), (Int32, flat(1))])
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(ClassifierGradient(k, site) => training::classifier_gradient:
    arena(u8), value(places = places::<4>(site, &[0, 1], 2)), reference(head = k.head));

/// The classifier's weights after a step. Inputs: weights (int32) `[N, C]`, features (int8) `[C]`, errors (int32) `[N]`, learning rate (int32); where steps are
/// collected, how many were before (int32) and what waits of them (int32, as the weights). Outputs: weights, and what waits.
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateClassifier {
    /// The layer.
    pub head: Head,
    /// Samples whose steps are collected; up to 1, none.
    pub collected: u32,
}

impl KernelSpec for UpdateClassifier {
    fn pattern(&self) -> Pattern<'_> {
        let Head { inputs, classes, .. } = self.head;
        let weights = pixels([classes, inputs]);
        let mut taken =
            vec![changed(Int32, weights), all(Int8, flat(inputs)), all(Int32, flat(classes)), all(Int32, flat(1))];
        let mut outputs = vec![(Int32, weights)];
        waiting(self.collected, weights, &mut taken, &mut outputs);
        given(is_head(&self.head), taken, outputs)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(UpdateClassifier(k, site) => training::classifier_weights:
    arena(u8), value(places = places::<3>(site, &[1, 2], 1)), value(rate = site.input_base(3, true)),
    value(waiting = waiting_places(site, 4, k.collected)), value(collected = k.collected), reference(head = k.head));

/// The classifier's biases after a step. Inputs: biases (int32) `[N]`, errors (int32) `[N]`, learning rate (int32), then and outputs as in [`UpdateClassifier`].
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateClassifierBias {
    /// Sizes.
    pub layer: Cross,
    /// Samples whose steps are collected; up to 1, none.
    pub collected: u32,
}

impl KernelSpec for UpdateClassifierBias {
    fn pattern(&self) -> Pattern<'_> {
        let classes = flat(self.layer.classes);
        let mut taken = vec![changed(Int32, classes), all(Int32, classes), all(Int32, flat(1))];
        let mut outputs = vec![(Int32, classes)];
        waiting(self.collected, classes, &mut taken, &mut outputs);
        given(some(&[self.layer.classes, 4]), taken, outputs)
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(UpdateClassifierBias(k, site) => training::classifier_bias:
    arena(u8), value(places = places::<2>(site, &[1], 1)), value(rate = site.input_base(2, true)),
    value(waiting = waiting_places(site, 3, k.collected)), value(collected = k.collected), reference(layer = k.layer));

/// A gradient where the clamp left the output as it was, else 0. Inputs: gradient (int16), mask. Output: gradient.
#[derive(Clone, PartialEq, Debug)]
pub struct MaskGradient {
    /// Of the tensor.
    pub extent: Extent,
}

impl KernelSpec for MaskGradient {
    fn pattern(&self) -> Pattern<'_> {
        let [pixels, channels] = sizes(self.extent);
        let gradient = by_channels(pixels, channels);
        let inputs = vec![changed(Int16, gradient), all(Int8, mask_of(self.extent))];
        given(is_extent(self.extent, 8), inputs, vec![(Int16, gradient)])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(MaskGradient(k, site) => training::mask:
    arena(u8), views_bytes(), region(), value(mask = site.input_base(1, true)), value(channels = k.extent.depth));

/// A product of two numbers of 16 bits that is shifted so has 16.
fn is_narrow(shift: u32) -> bool {
    (15..32).contains(&shift)
}

/// A gradient as that of a pointwise convolution is [taken](Feed::Staged). Input: masked gradient (int16). Output: for each pixel the channels, times their
/// factors. Constants: the channels' factors (int16).
#[derive(Clone, PartialEq, Debug)]
pub struct ScaleGradient {
    /// Pixels and channels.
    pub sizes: [usize; 2],
    /// As in [`InputGradient`].
    pub narrow: u32,
}

impl KernelSpec for ScaleGradient {
    fn pattern(&self) -> Pattern<'_> {
        let [pixels, channels] = self.sizes;
        let sized = some(&[pixels, channels, 8]) && is_narrow(self.narrow);
        given(sized, vec![all(Int16, by_channels(pixels, channels))], vec![(Int16, scaled(pixels, channels))])
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![2 * self.sizes[1]]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(ScaleGradient(k, site) => training::scale:
    arena(u8), input_bytes(input = 0), value(to = site.output_base(true)), value(sizes = k.sizes), value(narrow = k.narrow),
    constant(factors: i16 = 0));

/// What [`ScaleGradient`] gives.
fn scaled(pixels: usize, channels: usize) -> Extent {
    Extent { rows: pixels, cols: 1, depth: 4 * blocks(channels) }
}

/// The gradient of an operator that moves elements or sums them up. Input: gradient (int16). Output: gradient.
#[derive(Clone, PartialEq, Debug)]
pub struct RearrangeGradient {
    /// What goes where.
    pub layer: training::Rearrange,
}

impl RearrangeGradient {
    /// No index reaches an element that the output lacks.
    fn is_inside(&self) -> bool {
        let training::Rearrange { axes, start, from, to } = self.layer;
        let (mut least, mut most) = (start, start);
        for axis in axes {
            let last = axis.count.checked_sub(1).and_then(|last| isize::try_from(last).ok());
            let Some(reach) = last.and_then(|last| last.checked_mul(axis.stride)).filter(|_| axis.step > 0) else {
                return false;
            };
            // An axis of one element is not looked at.
            let reach = if axis.size > 1 { reach } else { 0 };
            (least, most) = (least.saturating_add(reach.min(0)), most.saturating_add(reach.max(0)));
        }
        let elements = product(&axes.map(|axis| axis.size));
        let ends = product(&from).and_then(|elements| isize::try_from(elements).ok());
        least >= 0 && ends.is_some_and(|end| most < end) && elements == product(&to)
    }
}

impl KernelSpec for RearrangeGradient {
    fn pattern(&self) -> Pattern<'_> {
        let training::Rearrange { from, to, .. } = self.layer;
        let some = |[pixels, channels]: [usize; 2]| some(&[pixels, channels, 8]);
        let [gradient, output] = [from, to].map(|[pixels, channels]| by_channels(pixels, channels));
        let sized = some(from) && some(to) && self.is_inside();
        given(sized, vec![all(Int16, gradient)], vec![(Int16, output)])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(RearrangeGradient(k, site) => training::rearrange:
    arena(u8), value(places = places::<2>(site, &[0], 1)), reference(layer = k.layer));

/// The gradient of a function of one element. Inputs: gradient (int16), the function's input `[pixels, C]`. Output: gradient. Constants: what a gradient counts
/// for each stored value, from -128 on (int16).
#[derive(Clone, PartialEq, Debug)]
pub struct SlopeGradient {
    /// Pixels and channels.
    pub sizes: [usize; 2],
    /// Bits by which products are shifted right.
    pub shift: u32,
}

impl KernelSpec for SlopeGradient {
    fn pattern(&self) -> Pattern<'_> {
        let [count, channels] = self.sizes;
        let gradient = by_channels(count, channels);
        let inputs = vec![changed(Int16, gradient), all(Int8, pixels(self.sizes))];
        given(some(&[count, channels, 8]) && self.shift < 31, inputs, vec![(Int16, gradient)])
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![512]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(SlopeGradient(k, site) => training::slope:
    arena(u8), views_bytes(), region(), value(x = site.input_base(1, true)), value(channels = k.sizes[1]), value(shift = k.shift),
    constant(slopes: i16 = 0));

/// The gradient of MUL with respect to one of its operands. Inputs: gradient (int16), that operand and the other one, `[pixels, C]` each; of one pixel where it
/// is broadcast. Output: gradient.
#[derive(Clone, PartialEq, Debug)]
pub struct ProductGradient {
    /// The layer.
    pub layer: training::ProductGradient,
}

impl KernelSpec for ProductGradient {
    fn pattern(&self) -> Pattern<'_> {
        let training::ProductGradient { sizes: [count, channels], broadcast, shift, .. } = self.layer;
        let operand = |one: bool| all(Int8, pixels([if one { 1 } else { count }, channels]));
        let gradient = by_channels(count, channels);
        let inputs = vec![row(Int16, gradient), operand(broadcast[0]), operand(broadcast[1])];
        let output = by_channels(if broadcast[0] { 1 } else { count }, channels);
        given(some(&[count, channels, 8]) && shift < 31, inputs, vec![(Int16, output)])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(ProductGradient(k, site) => training::product_gradient:
    arena(u8), views_bytes(), rows(), reference(layer = k.layer), whole(own: u8 = 1), whole(other: u8 = 2));

/// The gradient of MAX_POOL_2D. Inputs: gradient (int16), the pool's input. Output: gradient.
#[derive(Clone, PartialEq, Debug)]
pub struct MaxPoolGradient {
    /// The window, and bits by which gradients are shifted right.
    pub layer: Spread,
}

impl KernelSpec for MaxPoolGradient {
    fn pattern(&self) -> Pattern<'_> {
        let Spread { window, images: count, shift } = self.layer;
        let inputs = vec![row(Int16, gradient(count, window.output)), all(Int8, images(count, window.input))];
        let sized = convolution(&window, count) && window.input[2] == window.output[2] && shift < 31;
        given(sized, inputs, vec![(Int16, gradient(count, window.input))])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(MaxPoolGradient(k, site) => training::greatest:
    arena(u8), views_bytes(), rows(), value(x = site.input_base(1, true)), reference(layer = k.layer));

/// The gradient of RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR. Input: gradient (int16). Output: gradient. Constants: what each row and column of the
/// operator's output takes of its input (uint16), see [`training::resized`].
#[derive(Clone, PartialEq, Debug)]
pub struct ResizeGradient {
    /// The layer.
    pub layer: training::Resized,
}

impl KernelSpec for ResizeGradient {
    fn pattern(&self) -> Pattern<'_> {
        let training::Resized { images: count, input, output, narrow, shift } = self.layer;
        let some = |size: [usize; 3]| some(&[count, size[0], size[1], size[2], 16]);
        let sized = some(input) && some(output) && input[2] == output[2] && narrow < 25 && shift < 31;
        given(sized, vec![row(Int16, gradient(count, output))], vec![(Int16, gradient(count, input))])
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![6 * (self.layer.output[0] + self.layer.output[1])]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch()
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        let training::Resized { input: [height, width, _], output: [out_h, ..], .. } = self.layer;
        let taps = constant(0).as_chunks::<6>().0;
        taps.iter().enumerate().all(|(i, tap)| {
            let [first, second, share] = [0, 2, 4].map(|at| u16::from_le_bytes([tap[at], tap[at + 1]]));
            let size = if i < out_h { height } else { width };
            usize::from(first) < size && usize::from(second) < size && share <= training::WHOLE_SHARE
        })
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(ResizeGradient(k, site) => training::resized:
    arena(u8), views_bytes(), rows(), value(scratch = site.scratch()), reference(layer = k.layer), constant(taps: u16 = 0));

/// The gradient of CONV_2D with respect to its input. Inputs: masked gradient (int16) as its [`Feed`] says, weights `[O, KH, KW, C]`; with selected channels their
/// weights `[O, KH, KW, S]`. Output: gradient. Constant: the channels' factors (int16), then the selected channels (uint16). State, where rows are taken in: an int32
/// for each element of the output's.
#[derive(Clone, PartialEq, Debug)]
pub struct GradientConv2d {
    /// The layer.
    pub layer: InputGradient,
}

impl KernelSpec for GradientConv2d {
    fn pattern(&self) -> Pattern<'_> {
        let InputGradient { window, images: count, selected, feed, .. } = self.layer;
        let (channels, area) = (window.output[2], window.area());
        let pixels = pixels_of(count, window.output);
        let (gradient_in, rows) = match feed {
            Feed::Staged => (all(Int16, scaled(pixels, channels)), false),
            Feed::Whole => (all(Int16, by_channels(pixels, channels)), false),
            Feed::Rows => (row(Int16, by_channels(pixels, channels)), true),
        };
        let weights = |each: usize| {
            let block = block(Int8, channels, area * each);
            if rows { block } else { Taken { needed: Needed::All, ..block } }
        };
        let mut inputs = vec![gradient_in, weights(window.input[2])];
        if selected > 0 {
            inputs.push(weights(selected));
        }
        let sized = convolution(&window, count)
            && selected <= window.input[2]
            && is_narrow(self.layer.narrow)
            && (feed != Feed::Staged || window.is_pointwise());
        let taken = rows.then(|| self.layer.state());
        Pattern::Given { inputs, outputs: vec![(Int16, gradient(count, window.input))], sized, taken }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![2 * (self.layer.window.output[2] + self.layer.selected)]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch()
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        let list = constant(0).get(2 * self.layer.window.output[2]..);
        list.is_some_and(|list| names_channels(list, self.layer.window.input[2]))
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(GradientConv2d(k, site) => training::input_gradient:
    arena(u8), views_bytes(), rows(), value(places = k.places(site)), reference(layer = k.layer), whole(weights: u8 = 1),
    constant(numbers: i16 = 0));

impl GradientConv2d {
    fn places(&self, site: &Site<'_>) -> [usize; 3] {
        let apart = if self.layer.selected > 0 { site.input_base(2, true) } else { 0 };
        [apart, site.scratch(), site.state()]
    }
}

/// The gradient of DEPTHWISE_CONV_2D with respect to its input. Inputs: masked gradient (int16), weights `[KH, KW, O]`. Output: gradient. Constants: the
/// channels' factors (int16).
#[derive(Clone, PartialEq, Debug)]
pub struct GradientDepthwise {
    /// The layer.
    pub layer: training::DepthwiseGradient,
}

impl KernelSpec for GradientDepthwise {
    fn pattern(&self) -> Pattern<'_> {
        let training::DepthwiseGradient { window, images: count, .. } = self.layer;
        let from = gradient(count, window.output);
        let from = if window.multiplier() == 1 { row(Int16, from) } else { all(Int16, from) };
        let sized = convolution(&window, count) && is_channelwise(&window) && is_narrow(self.layer.narrow);
        let inputs = vec![from, all(Int8, depthwise_filters(&window))];
        given(sized, inputs, vec![(Int16, gradient(count, window.input))])
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![2 * self.layer.window.output[2]]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch()
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(GradientDepthwise(k, site) => training::depthwise_gradient:
    arena(u8), views_bytes(), rows(), value(scratch = site.scratch()), reference(layer = k.layer), whole(weights: u8 = 1),
    constant(factors: i16 = 0));

/// The gradient of an average with respect to its input. Input: gradient (int16). Output: gradient.
#[derive(Clone, PartialEq, Debug)]
pub struct SpreadGradient {
    /// The layer.
    pub layer: Spread,
}

impl KernelSpec for SpreadGradient {
    fn pattern(&self) -> Pattern<'_> {
        let Spread { window, images: count, .. } = self.layer;
        let sized = convolution(&window, count)
            && window.input[2] == window.output[2]
            && i32::try_from(window.area()).is_ok_and(|area| area < 1 << 12);
        given(sized, vec![row(Int16, gradient(count, window.output))], vec![(Int16, gradient(count, window.input))])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(SpreadGradient(k, site) => training::spread: arena(u8), views_bytes(), rows(), reference(layer = k.layer));

/// The sum of two gradients. Inputs: both (int16). Output: gradient.
#[derive(Clone, PartialEq, Debug)]
pub struct AddGradients {
    /// Pixels and channels of each gradient.
    pub sizes: [usize; 2],
    /// Units.
    pub layer: Total,
}

impl KernelSpec for AddGradients {
    fn pattern(&self) -> Pattern<'_> {
        let [pixels, channels] = self.sizes;
        let gradient = by_channels(pixels, channels);
        let inputs = vec![changed(Int16, gradient), changed(Int16, gradient)];
        given(some(&[pixels, channels, 8]), inputs, vec![(Int16, gradient)])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(AddGradients(k, site) => training::total:
    arena(u8), input_bytes(a = 0), input_bytes(b = 1), output_bytes(), region(), reference(layer = k.layer));

/// Weights of CONV_2D after a step. Inputs: weights `[O, KH, KW, C]`, saved `x`, masked gradient (int16), learning rate, exponent and seed (int32); what is [kept](Step::kept) of
/// steps. Output: weights; what is kept. Constants: mantissa and shift of every output channel (int32).
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateConv2d {
    /// The layer.
    pub layer: training::WeightStep,
}

/// Learning rate, exponent and seed.
fn common() -> [Taken; 3] {
    [(); 3].map(|()| all(Int32, flat(1)))
}

/// What is left of an element that moves at once is less than one; what is collected has at least 8 bits more.
fn is_step(step: &Step) -> bool {
    let held = match step.kept {
        0 => step.held == 0 && step.collected <= 1,
        8 | 16 if step.collected <= 1 => 8 * step.held == step.kept,
        8 => matches!(step.held, 2 | 4),
        16 => step.held == 4,
        _ => false,
    };
    step.narrow < 32 && step.collected <= i32::MAX as u32 && held
}

/// An update of a tensor of this element and extent: it and, where something is kept of its steps, that as well; what it reads lies between.
fn update<'a>(sized: bool, step: &Step, (element, extent): (ElementType, Extent), read: Vec<Taken>) -> Pattern<'a> {
    let mut inputs = vec![changed(element, extent)];
    inputs.extend(read);
    inputs.extend(common());
    if step.collected > 1 {
        inputs.push(all(Int32, flat(1)));
    }
    let mut outputs = vec![(element, extent)];
    if step.kept > 0 {
        let kept = match step.held {
            1 => Int8,
            2 => Int16,
            _ => Int32,
        };
        inputs.push(changed(kept, extent));
        outputs.push((kept, extent));
    }
    given(sized && is_step(step), inputs, outputs)
}

/// What the update reads behind its own operands, of which there are so many; see [`training::update_weights`].
fn common_places(site: &Site<'_>, own: usize, step: &Step) -> [usize; 5] {
    let [rate, exponent, seed] = places(site, &[own, own + 1, own + 2], 0);
    let count = if step.collected > 1 { site.input_base(own + 3, true) } else { 0 };
    [rate, exponent, seed, if step.kept > 0 { site.output_bytes(1) } else { 0 }, count]
}

impl KernelSpec for UpdateConv2d {
    fn pattern(&self) -> Pattern<'_> {
        let training::WeightStep { window, images: count, channels, step, .. } = self.layer;
        let [height, width, _] = window.input;
        let outputs = window.output[2];
        let weights = by_blocks(outputs, window.area() * channels);
        let read = vec![
            all(Int8, images(count, [height, width, channels])),
            gradient_of(pixels_of(count, window.output), outputs),
        ];
        let sized = convolution(&window, count) && (1..=window.input[2]).contains(&channels);
        update(sized, &step, (Int8, weights), read)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![8 * self.layer.window.output[2]]
    }

    fn scratch(&self) -> usize {
        self.layer.scratch()
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(UpdateConv2d(k, site) => training::update_weights:
    arena(u8), input_bytes(input = 2), rows(), value(places = k.places(site)),
    value(common = common_places(site, 3, &k.layer.step)), reference(layer = k.layer), constant(factors: i32 = 0));

impl UpdateConv2d {
    fn places(&self, site: &Site<'_>) -> [usize; 3] {
        let [x, weights] = places(site, &[1], 1);
        [x, weights, site.scratch()]
    }
}

/// Weights of DEPTHWISE_CONV_2D after a step. Inputs: weights `[KH, KW, O]`, then as [`UpdateConv2d`]. Output and constants alike.
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateDepthwise {
    /// The layer.
    pub layer: training::DepthwiseStep,
}

impl KernelSpec for UpdateDepthwise {
    fn pattern(&self) -> Pattern<'_> {
        let training::DepthwiseStep { window, images: count, step, .. } = self.layer;
        let weights = depthwise_filters(&window);
        let read = vec![all(Int8, images(count, window.input)), all(Int16, gradient(count, window.output))];
        update(convolution(&window, count) && is_channelwise(&window), &step, (Int8, weights), read)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![8 * self.layer.window.output[2]]
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(UpdateDepthwise(k, site) => training::update_depthwise:
    arena(u8), input_bytes(input = 2), value(places = places::<2>(site, &[1], 1)),
    value(common = common_places(site, 3, &k.layer.step)), reference(layer = k.layer), constant(factors: i32 = 0));

/// Biases after a step. Inputs: biases (int32) `[C]`, masked gradient (int16), learning rate, exponent and seed (int32). Output: biases.
/// Constants: mantissa and shift of every channel (int32).
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateBias {
    /// The layer.
    pub layer: training::BiasStep,
}

impl KernelSpec for UpdateBias {
    fn pattern(&self) -> Pattern<'_> {
        let training::BiasStep { pixels: count, channels, step } = self.layer;
        let biases = by_blocks(channels, 1);
        update(some(&[count, channels, 8]), &step, (Int32, biases), vec![gradient_of(count, channels)])
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![8 * self.layer.channels]
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(UpdateBias(k, site) => training::update_bias:
    arena(u8), input_bytes(input = 1), rows(), value(bias = site.output_bytes(0)),
    value(common = common_places(site, 2, &k.layer.step)), reference(layer = k.layer), constant(factors: i32 = 0));

/// The seed of the next step. Input: seed (int32). Output: seed.
#[derive(Clone, PartialEq, Debug)]
pub struct NextSeed;

impl KernelSpec for NextSeed {
    fn pattern(&self) -> Pattern<'_> {
        given(true, vec![changed(Int32, flat(1))], vec![(Int32, flat(1))])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(NextSeed(k, site) => training::next_seed: arena(u8), value(places = places::<2>(site, &[0], 1)));

/// How many samples' steps are collected after this one. Input: how many there were (int32). Output: how many there are.
#[derive(Clone, PartialEq, Debug)]
pub struct CountSample {
    /// How many there are to be.
    pub collected: u32,
}

impl KernelSpec for CountSample {
    fn pattern(&self) -> Pattern<'_> {
        given(self.collected <= i32::MAX as u32, vec![changed(Int32, flat(1))], vec![(Int32, flat(1))])
    }

    fn work(&self, run: &Size) -> Work {
        run.by_element(Family::Other)
    }
}

call!(CountSample(k, site) => training::count_sample:
    arena(u8), value(places = places::<2>(site, &[0], 1)), value(collected = k.collected));
