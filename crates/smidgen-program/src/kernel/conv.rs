//! Kernels of CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV.

use super::{CHANNELS, INT16_CHANNELS, KernelSpec, Pattern, with_bias, with_channels, words};
use crate::costs::{Family, Size, Work, windows};
use crate::program::Extent;
use smidgen_ir::ElementType::{Float32, Int8 as I8, Int16 as I16};
use smidgen_kernels::float::{Clamp, DynamicRange};
use smidgen_kernels::int8::mcu::{self, Epilogue, Width, epilogue};
use smidgen_kernels::int8::{Int8, Offset, fast};
use smidgen_kernels::int16::{Int16, mcu as mcu16};
use smidgen_kernels::{Window2d, float, int8, int16};

/// CONV_2D on int8, simple form. Input: `x`. Constants: weights `[O,KH,KW,C]`, then [bias, multipliers, shifts](CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dI8 {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for Conv2dI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.patch() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(Conv2dI8(k, site) => int8::conv2d:
    arena(i8), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int8: i32));

/// CONV_2D on int8 with weights that have a zero point. Input and constants as in the simple form.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dI8Offset {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Offset,
}

impl KernelSpec for Conv2dI8Offset {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.patch() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        windows::conv2d_simple(&self.window, run.region)
    }
}

call!(Conv2dI8Offset(k, site) => int8::conv2d:
    arena(i8), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int8: i32));

/// CONV_2D on int8, fast form. Input: `x`. Constants: weights `[O,KH,KW,C]` [padded](fast::conv2d_weights), then
/// [bias, multipliers, shifts](CHANNELS) with a [folded](fast::fold_bias) bias.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dI8Fast {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for Conv2dI8Fast {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(fast::conv2d_weights(&self.window), self.window.output[2], CHANNELS)
    }

    fn scratch(&self) -> usize {
        fast::conv2d_scratch(&self.window)
    }

    fn work(&self, run: &Size) -> Work {
        windows::conv2d_fast(&self.window, run.region)
    }
}

call!(Conv2dI8Fast(k, site) => int8::fast::conv2d:
    isa(), arena(i8), views(), region(), 
    reference(layer = fast::Conv2d { window: k.window, quant: k.quant, scratch: site.scratch() }),
    constant(weights: i8 = 0), channels(int8: i32));

/// CONV_2D on int8 with weights of int8 or int4, as firmware runs it. Input: `x`. Constant: weights and [words](epilogue) of the channels from
/// [`conv2d_pack`](mcu::conv2d_pack), or from [`conv2d_offset_pack`](mcu::conv2d_offset_pack).
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dI8Mcu {
    /// The window.
    pub window: Window2d,
    /// Of the weights as they are packed.
    pub width: Width,
    /// The weights of each channel have a zero point; they are of eight bits then.
    pub offset: bool,
    /// Zero point of the input.
    pub input_zero: i8,
    /// From accumulators to outputs.
    pub epilogue: Epilogue,
}

impl KernelSpec for Conv2dI8Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![match self.offset {
            true => mcu::conv2d_offset_words(&self.window, self.epilogue.extras) * 4,
            false => mcu::conv2d_words(&self.window, self.width, self.epilogue.extras) * 4,
        }]
    }

    fn scratch(&self) -> usize {
        if self.offset { mcu::conv2d_offset_scratch(&self.window) } else { mcu::conv2d_scratch(&self.window) }
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        let packed = words(constant(0));
        let channels: Vec<u32> = match self.offset {
            true if self.width != Width::Eight => return false,
            true => mcu::conv2d_offset_channel_parameters(&self.window, &packed).collect(),
            false => mcu::conv2d_channel_parameters(&self.window, self.width, &packed).collect(),
        };
        !self.epilogue.own_shifts && self.epilogue.is_sound(self.width, &channels, self.window.output[2])
    }

    fn work(&self, run: &Size) -> Work {
        let family = if self.width == Width::Four { Family::Conv2dI4 } else { Family::Conv2d };
        windows::conv2d(family, &self.window, [self.epilogue.by_sign, self.offset], run.region)
    }
}

call!(Conv2dI8Mcu(k, site) of (k.width, k.offset) => {
    (Width::Eight, false) => int8::mcu::conv2d,
    (Width::Four, _) => int8::mcu::conv2d_i4,
    (Width::Eight, true) => int8::mcu::conv2d_offset,
}:
    arena(i8), views(), region(), value(scratch = site.scratch()),
    reference(layer = mcu::Conv2d { window: k.window, input_zero: k.input_zero, epilogue: k.epilogue }),
    variants(k.width, &k.epilogue),
    constant(packed: u32 = 0));

/// CONV_2D on int16 with int8 weights. Input: `x`. Constants: weights `[O,KH,KW,C]`, then [bias, multipliers, shifts](INT16_CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dI16 {
    /// The window.
    pub window: Window2d,
    /// Clamp.
    pub quant: Int16,
}

impl KernelSpec for Conv2dI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, I16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.patch() * self.window.output[2], self.window.output[2], INT16_CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherI16)
    }
}

call!(Conv2dI16(k, site) => int16::conv2d:
    arena(i16), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int16: i64));

/// CONV_2D on int16 with int8 weights, as firmware runs it. Input: `x`. Constants: weights from
/// [`conv2d_pack`](mcu16::conv2d_pack), the [words](mcu16::Channel) of the channels.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dI16Mcu {
    /// The window.
    pub window: Window2d,
    /// Clamp.
    pub clamp: mcu16::Clamp,
}

impl KernelSpec for Conv2dI16Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, I16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![mcu16::conv2d_weights(&self.window), mcu16::words(self.window.output[2]) * 4]
    }

    fn scratch(&self) -> usize {
        mcu16::conv2d_scratch(&self.window)
    }

    fn work(&self, run: &Size) -> Work {
        windows::conv2d_int16(&self.window, run.region)
    }
}

call!(Conv2dI16Mcu(k, site) => int16::mcu::conv2d:
    arena(i16), views(), region(), value(scratch = site.scratch() / 2),
    reference(layer = mcu16::Windowed { window: k.window, clamp: k.clamp }), constant(weights: i8 = 0), constant(words: u32 = 1));

/// CONV_2D on float32. Input: `x`. Constants: weights `[O,KH,KW,C]`, bias `[O]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dF32 {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
}

impl KernelSpec for Conv2dF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_bias(self.window.patch() * self.window.output[2], self.window.output[2])
    }

    fn work(&self, run: &Size) -> Work {
        windows::walk(Family::Conv2dF32, &self.window, run.region)
    }
}

call!(Conv2dF32(k, site) => float::conv2d:
    arena(f32), views(), region(), reference(window = k.window), value(clamp = k.clamp),
    constant(weights: f32 = 0), constant(bias: f32 = 1));

/// CONV_2D on float32 with int8 weights; FULLY_CONNECTED with each row as an image of one pixel. Input: `x`. Constants: weights
/// `[O,KH,KW,C]` int8, their scales and the bias `[2,O]` float32.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dHybrid {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
    /// How an image is quantised.
    pub range: DynamicRange,
    /// The scales of image and weights are multiplied first.
    pub joint: bool,
}

impl KernelSpec for Conv2dHybrid {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Window(&self.window, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        hybrid_constants(self.window.patch() * self.window.output[2], self.window.output[2])
    }

    fn scratch(&self) -> usize {
        float::conv2d_hybrid_scratch(&self.window)
    }

    fn work(&self, run: &Size) -> Work {
        windows::hybrid(Family::Conv2dHybrid, &self.window, run.region)
    }
}

call!(Conv2dHybrid(k, site) of k.range => {
    DynamicRange::Symmetric => float::conv2d_hybrid,
    DynamicRange::Asymmetric => float::conv2d_hybrid_asymmetric,
}:
    isa(), arena(f32), views(), region(),
    reference(layer = float::Hybrid {
        window: k.window, clamp: k.clamp, joint: k.joint, scratch: site.scratch() / 4
    }),
    constant(weights: i8 = 0), constant(channels: f32 = 1));

/// DEPTHWISE_CONV_2D on float32 with int8 weights. Input: `x`. Constants: weights `[KH,KW,O]` int8, their scales and the bias `[2,O]`
/// float32.
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseHybrid {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
}

impl KernelSpec for DepthwiseHybrid {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Channelwise(&self.window, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        hybrid_constants(self.window.area() * self.window.output[2], self.window.output[2])
    }

    fn scratch(&self) -> usize {
        float::depthwise_hybrid_scratch(&self.window)
    }

    fn work(&self, run: &Size) -> Work {
        windows::hybrid(Family::DepthwiseHybrid, &self.window, run.region)
    }
}

call!(DepthwiseHybrid(k, site) => float::depthwise_hybrid:
    arena(f32), views(), region(),
    reference(layer = float::Hybrid {
        window: k.window, clamp: k.clamp, joint: true, scratch: site.scratch() / 4
    }),
    constant(weights: i8 = 0), constant(channels: f32 = 1));

/// Bytes of int8 weights, and of a scale and a bias in float32 for each output.
fn hybrid_constants(weights: usize, outputs: usize) -> Vec<usize> {
    vec![weights, outputs * 8]
}

/// DEPTHWISE_CONV_2D on int8, simple form. Input: `x`. Constants: weights `[KH,KW,O]`, then [bias, multipliers, shifts](CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseI8 {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for DepthwiseI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Channelwise(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.area() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        windows::walk(Family::DepthwiseSimple, &self.window, run.region)
    }
}

call!(DepthwiseI8(k, site) => int8::depthwise:
    arena(i8), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int8: i32));

/// DEPTHWISE_CONV_2D on int8 with weights that have a zero point. Input and constants as in the simple form.
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseI8Offset {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Offset,
}

impl KernelSpec for DepthwiseI8Offset {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Channelwise(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.area() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        windows::walk(Family::DepthwiseSimple, &self.window, run.region)
    }
}

call!(DepthwiseI8Offset(k, site) => int8::depthwise:
    arena(i8), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int8: i32));

/// DEPTHWISE_CONV_2D on int8 with one output for each input channel, fast form. Input and constants as in the simple form.
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseI8Fast {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for DepthwiseI8Fast {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.area() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(DepthwiseI8Fast(k, site) => int8::fast::depthwise:
    isa(), arena(i8), views(), region(), reference(layer = fast::Depthwise { window: k.window, quant: k.quant }),
    constant(weights: i8 = 0), channels(int8: i32));

/// DEPTHWISE_CONV_2D on int8 with one output for each input channel, as firmware runs it. Input: `x`. Constants:
/// weights from [`depthwise_pack`](mcu::depthwise_pack), or from
/// [`depthwise_offset_pack`](mcu::depthwise_offset_pack), the [words](epilogue) of the channels.
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseI8Mcu {
    /// The window.
    pub window: Window2d,
    /// Zero point of the input.
    pub input_zero: i8,
    /// From accumulators to outputs.
    pub epilogue: Epilogue,
    /// Output rows that are computed together.
    pub rows: usize,
    /// The weights have a zero point.
    pub offset: bool,
}

impl KernelSpec for DepthwiseI8Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        let words = epilogue::words(self.window.output[2], self.epilogue.extras);
        let weights = match self.offset {
            true => mcu::depthwise_offset_weights(&self.window),
            false => mcu::depthwise_weights(&self.window),
        };
        vec![weights, words * 4]
    }

    fn scratch(&self) -> usize {
        mcu::depthwise_scratch(&self.window, self.rows)
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        self.epilogue.is_sound(Width::Eight, &words(constant(1)), self.window.output[2])
    }

    fn work(&self, run: &Size) -> Work {
        windows::depthwise(&self.window, self.rows, self.epilogue.by_sign, run.region)
    }
}

impl DepthwiseI8Mcu {
    fn layer(&self) -> mcu::Depthwise {
        let Self { window, input_zero, epilogue, rows, .. } = *self;
        mcu::Depthwise { window, input_zero, epilogue, rows }
    }
}

call!(DepthwiseI8Mcu(k, site) of (int8::mcu::depthwise_is_staged(&k.window), k.offset) => {
    (true, false) => int8::mcu::depthwise,
    (true, true) => int8::mcu::depthwise_offset,
    (false, false) => int8::mcu::depthwise_any,
    (false, true) => int8::mcu::depthwise_any_offset,
}:
    arena(i8), views(), region(), value(scratch = site.scratch()), reference(layer = k.layer()),
    constant(weights: i8 = 0), constant(words: u32 = 1));

/// DEPTHWISE_CONV_2D on int16 with int8 weights. Input: `x`. Constants: weights `[KH,KW,O]`, then
/// [bias, multipliers, shifts](INT16_CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseI16 {
    /// The window.
    pub window: Window2d,
    /// Clamp.
    pub quant: Int16,
}

impl KernelSpec for DepthwiseI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Channelwise(&self.window, I16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.area() * self.window.output[2], self.window.output[2], INT16_CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherI16)
    }
}

call!(DepthwiseI16(k, site) => int16::depthwise:
    arena(i16), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int16: i64));

/// DEPTHWISE_CONV_2D on int16 with int8 weights and one output for each input channel, as firmware runs it. Input: `x`. Constants:
/// weights from [`depthwise_pack`](mcu16::depthwise_pack), the [words](mcu16::Channel) of the channels.
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseI16Mcu {
    /// The window.
    pub window: Window2d,
    /// Clamp.
    pub clamp: mcu16::Clamp,
}

impl KernelSpec for DepthwiseI16Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, I16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![mcu16::depthwise_weights(&self.window), mcu16::words(self.window.output[2]) * 4]
    }

    fn scratch(&self) -> usize {
        mcu16::depthwise_scratch(&self.window)
    }

    fn work(&self, run: &Size) -> Work {
        windows::depthwise_int16(&self.window, run.region)
    }
}

call!(DepthwiseI16Mcu(k, site) => int16::mcu::depthwise:
    arena(i16), views(), region(), value(scratch = site.scratch() / 2),
    reference(layer = mcu16::Windowed { window: k.window, clamp: k.clamp }), constant(weights: i8 = 0), constant(words: u32 = 1));

/// DEPTHWISE_CONV_2D on float32. Input: `x`. Constants: weights `[KH,KW,O]`, bias `[O]`.
#[derive(Clone, PartialEq, Debug)]
pub struct DepthwiseF32 {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
}

impl KernelSpec for DepthwiseF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Channelwise(&self.window, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_bias(self.window.area() * self.window.output[2], self.window.output[2])
    }

    fn work(&self, run: &Size) -> Work {
        windows::walk(Family::DepthwiseF32, &self.window, run.region)
    }
}

call!(DepthwiseF32(k, site) => float::depthwise:
    arena(f32), views(), region(), reference(window = k.window), value(clamp = k.clamp),
    constant(weights: f32 = 0), constant(bias: f32 = 1));

/// TRANSPOSE_CONV on int8. Input: `x`. Constants: weights `[O,KH,KW,C]`, then [bias, multipliers, shifts](CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct TransposeConvI8 {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for TransposeConvI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Transposed(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.patch() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        windows::walk(Family::TransposeConv, &self.window, run.region)
    }
}

call!(TransposeConvI8(k, site) => int8::transpose_conv:
    arena(i8), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int8: i32));

/// TRANSPOSE_CONV on int8 with weights that have a zero point. Input: `x`. Constants: weights `[O,KH,KW,C]`, then
/// [bias, multipliers, shifts](CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct TransposeConvI8Offset {
    /// The window.
    pub window: Window2d,
    /// Zero points, clamp, rounding.
    pub quant: Offset,
}

impl KernelSpec for TransposeConvI8Offset {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Transposed(&self.window, I8)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.patch() * self.window.output[2], self.window.output[2], CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        windows::walk(Family::TransposeConv, &self.window, run.region)
    }
}

call!(TransposeConvI8Offset(k, site) => int8::transpose_conv:
    arena(i8), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int8: i32));

/// TRANSPOSE_CONV on int16 with int8 weights. Input: `x`. Constants: as CONV_2D's.
#[derive(Clone, PartialEq, Debug)]
pub struct TransposeConvI16 {
    /// The window.
    pub window: Window2d,
    /// Clamp.
    pub quant: Int16,
}

impl KernelSpec for TransposeConvI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Transposed(&self.window, I16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.window.patch() * self.window.output[2], self.window.output[2], INT16_CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherI16)
    }
}

call!(TransposeConvI16(k, site) => int16::transpose_conv:
    arena(i16), views(), region(), reference(window = k.window), reference(quant = k.quant),
    constant(weights: i8 = 0), channels(int16: i64));

/// TRANSPOSE_CONV on float32. Input: `x`. Constants: weights `[O,KH,KW,C]`, bias `[O]`.
#[derive(Clone, PartialEq, Debug)]
pub struct TransposeConvF32 {
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
}

impl KernelSpec for TransposeConvF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Transposed(&self.window, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_bias(self.window.patch() * self.window.output[2], self.window.output[2])
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherF32)
    }
}

call!(TransposeConvF32(k, site) => float::transpose_conv:
    arena(f32), views(), region(), reference(window = k.window), value(clamp = k.clamp),
    constant(weights: f32 = 0), constant(bias: f32 = 1));
