//! Kernels of FULLY_CONNECTED. They see their input as `[rows, 1, K]`.

use super::{CHANNELS, INT16_CHANNELS, KernelSpec, Pattern, with_bias, with_channels, words};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType;
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::int8::mcu::{self, Epilogue, Width, epilogue};
use smidgen_kernels::int16::{Int16, mcu as mcu16};
use smidgen_kernels::{float, int8, int16};

/// FULLY_CONNECTED on int8, simple form. Input: `x` as `[rows, 1, K]`. Constants: weights `[O,K]`, then
/// [bias, multipliers, shifts](CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct FullyConnectedI8 {
    /// K.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// Zero point of the weights.
    pub weight_zero: i32,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for FullyConnectedI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Rows { element: ElementType::Int8, inputs: self.inputs, outputs: self.outputs }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.inputs * self.outputs, self.outputs, CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(FullyConnectedI8(k, site) => int8::fully_connected:
    arena(i8), views(), region(), 
    reference(layer = int8::FullyConnected { sizes: [k.inputs, k.outputs], weight_zero: k.weight_zero }),
    reference(quant = k.quant), constant(weights: i8 = 0), channels(int8: i32));

/// FULLY_CONNECTED on int8 with weights whose zero point is 0, fast form. Input and constants as in the simple form, the bias
/// [folded](smidgen_kernels::int8::fast::fold_bias).
#[derive(Clone, PartialEq, Debug)]
pub struct FullyConnectedI8Fast {
    /// K.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

impl KernelSpec for FullyConnectedI8Fast {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Rows { element: ElementType::Int8, inputs: self.inputs, outputs: self.outputs }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.inputs * self.outputs, self.outputs, CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(FullyConnectedI8Fast(k, site) => int8::fast::fully_connected:
    isa(), arena(i8), views(), region(), 
    reference(layer = int8::fast::FullyConnected { sizes: [k.inputs, k.outputs], quant: k.quant }),
    constant(weights: i8 = 0), channels(int8: i32));

/// FULLY_CONNECTED on int8 with weights of int8 or int4 whose zero point is 0, as firmware runs it. Input: `x` as `[rows, 1, K]`.
/// Constants: weights from [`fully_connected_pack`](mcu::fully_connected_pack), the [words](epilogue) of the channels.
#[derive(Clone, PartialEq, Debug)]
pub struct FullyConnectedI8Mcu {
    /// K.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// Of the weights as they are packed.
    pub width: Width,
    /// From accumulators to outputs.
    pub epilogue: Epilogue,
}

impl KernelSpec for FullyConnectedI8Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Rows { element: ElementType::Int8, inputs: self.inputs, outputs: self.outputs }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        let weights = mcu::fully_connected_weights([self.inputs, self.outputs], self.width);
        [weights, epilogue::words(self.outputs, self.epilogue.extras)].map(|words| words * 4).to_vec()
    }

    fn is_sound<'a>(&self, constant: &dyn Fn(usize) -> &'a [u8]) -> bool {
        !self.epilogue.own_shifts && self.epilogue.is_sound(self.width, &words(constant(1)), self.outputs)
    }

    fn work(&self, run: &Size) -> Work {
        let family = if self.width == Width::Four { Family::FullyConnectedI4 } else { Family::FullyConnected };
        fours(family, [self.inputs, self.outputs], run.rows)
    }
}

call!(FullyConnectedI8Mcu(k, site) of k.width => {
    Width::Eight => int8::mcu::fully_connected,
    Width::Four => int8::mcu::fully_connected_i4,
}:
    arena(i8), views(), region(), value(sizes = [k.inputs, k.outputs]), reference(epilogue = k.epilogue),
    constant(weights: u32 = 0), constant(words: u32 = 1));

/// FULLY_CONNECTED on int16 with int8 weights. Input: `x` as `[rows, 1, K]`. Constants: weights `[O,K]`, then
/// [bias, multipliers, shifts](INT16_CHANNELS).
#[derive(Clone, PartialEq, Debug)]
pub struct FullyConnectedI16 {
    /// K.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// Clamp.
    pub quant: Int16,
}

impl KernelSpec for FullyConnectedI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Rows { element: ElementType::Int16, inputs: self.inputs, outputs: self.outputs }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_channels(self.inputs * self.outputs, self.outputs, INT16_CHANNELS)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherI16)
    }
}

call!(FullyConnectedI16(k, site) => int16::fully_connected:
    arena(i16), views(), region(), 
    reference(layer = int16::FullyConnected { sizes: [k.inputs, k.outputs], weight_zero: 0 }),
    reference(quant = k.quant), constant(weights: i8 = 0), channels(int16: i64));

/// FULLY_CONNECTED on int16 with int8 weights, as firmware runs it. Input: `x` as `[rows, 1, K]`. Constants: weights from
/// [`fully_connected_pack`](mcu16::fully_connected_pack), the [words](mcu16::Channel) of the channels.
#[derive(Clone, PartialEq, Debug)]
pub struct FullyConnectedI16Mcu {
    /// K.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// Clamp.
    pub clamp: mcu16::Clamp,
}

impl KernelSpec for FullyConnectedI16Mcu {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Rows { element: ElementType::Int16, inputs: self.inputs, outputs: self.outputs }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        vec![mcu16::fully_connected_weights([self.inputs, self.outputs]), mcu16::words(self.outputs) * 4]
    }

    fn work(&self, run: &Size) -> Work {
        fours(Family::FullyConnectedI16, [self.inputs, self.outputs], run.rows)
    }
}

call!(FullyConnectedI16Mcu(k, site) => int16::mcu::fully_connected:
    arena(i16), views(), region(), value(sizes = [k.inputs, k.outputs]), value(clamp = k.clamp),
    constant(weights: i8 = 0), constant(words: u32 = 1));

/// FULLY_CONNECTED on float32. Input: `x` as `[rows, 1, K]`. Constants: weights `[O,K]`, bias `[O]`.
#[derive(Clone, PartialEq, Debug)]
pub struct FullyConnectedF32 {
    /// K.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// What the activation allows.
    pub clamp: Clamp,
}

impl KernelSpec for FullyConnectedF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Rows { element: ElementType::Float32, inputs: self.inputs, outputs: self.outputs }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        with_bias(self.inputs * self.outputs, self.outputs)
    }

    fn work(&self, run: &Size) -> Work {
        Work::new(Family::FullyConnectedF32, [1, run.elements(), run.multiplications()])
    }
}

call!(FullyConnectedF32(k, site) => float::fully_connected:
    arena(f32), views(), region(), value(sizes = [k.inputs, k.outputs]), value(clamp = k.clamp),
    constant(weights: f32 = 0), constant(bias: f32 = 1));

/// Four outputs at a time, and what is left one by one; up to three inputs that are left over are a tail.
fn fours(family: Family, [inputs, outputs]: [usize; 2], rows: usize) -> Work {
    let (words, fours, rest) = (inputs / 4, outputs / 4, outputs % 4);
    let tail = if inputs.is_multiple_of(4) { 0 } else { rows * outputs };
    Work::new(family, [1, rows, rows * fours, rows * fours * words, tail, rows * rest, rows * rest * words])
}
