//! CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED on int8 with weights that have a zero point, on a device.

use super::builder::Builder;
use super::error::Refusal;
use super::quant;
use crate::epilogue::{Channel, Packed};
use smidgen_ir::Operator;
use smidgen_kernels::Window2d;
use smidgen_kernels::int8::mcu::{self, Epilogue, Width, epilogue};
use smidgen_kernels::int8::{Offset, fast};
use smidgen_kernels::requant::Factor;
use smidgen_program::footprint::{Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{ConstantId, Step};

/// The biases of a layer and its factors from sums to outputs, one of each for a channel.
pub(super) struct Finish {
    pub bias: Vec<i32>,
    pub factors: Vec<Factor>,
}

impl Finish {
    /// The proven form of the finish of channels with such weights, a channel's in a row; `start` says what the
    /// kernel adds its products to, given a channel's number, its bias, and its bias with the input's zero point
    /// folded in.
    fn proven(
        &self,
        builder: &Builder,
        offset: &Offset,
        values: &[i8],
        own_shifts: bool,
        start: impl Fn(usize, i32, i32) -> i32,
    ) -> Option<Packed> {
        let each = values.len().checked_div(self.bias.len())?.max(1);
        let channel = |(index, weights): (usize, &[i8])| {
            let (bias, factor) = (self.bias[index], self.factors[index]);
            let centred = weights.iter().map(|&w| i64::from(w) - i64::from(offset.weight_zero));
            let shift = centred.clone().sum::<i64>().wrapping_mul(offset.quant.input_zero.into());
            let folded = bias.wrapping_sub(shift as i32);
            Channel::new(factor, folded, centred).starting_at(start(index, bias, folded))
        };
        let channels = values.chunks_exact(each).enumerate().map(channel).collect();
        builder.proofs.pack(channels, &offset.quant, Width::Eight, own_shifts)
    }
}

/// The step of a convolution with weights `[O, KH, KW, C]`, where its finish is proven and the weights can be packed.
pub(super) fn conv2d(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    offset: &Offset,
    values: &[i8],
    finish: &Finish,
) -> Option<Step> {
    // The least weight does not fit beside every other. Where there is one, all of the channel's are moved by a step,
    // with their zero point.
    let (epilogue, words) = [0, 1].into_iter().find_map(|step| {
        let (stored, zeros) = moved(values, window.output[2], offset.weight_zero, step)?;
        let places = 0..window.patch().next_multiple_of(4);
        let taps: Vec<Option<usize>> = places.map(|at| mcu::conv2d_tap(window, at)).collect();
        let packed = finish.proven(builder, offset, values, false, |channel, bias, _| {
            let weights = &stored[channel * window.patch()..][..window.patch()];
            let bias = fast::fold_bias(bias, offset.quant.input_zero, weights.iter().copied());
            Width::Eight.start(bias, taps.iter().map(|tap| tap.map_or(0, |tap| weights[tap])))
        })?;
        let mut words = vec![0; mcu::conv2d_offset_words(window, packed.epilogue.extras)];
        let fits = mcu::conv2d_offset_pack(window, &stored, &zeros, &packed.words, &mut words);
        fits.then_some((packed.epilogue, words))
    })?;
    let name = builder.tensor(operator.inputs[1]).name.clone();
    let constants = vec![builder.constant_u32(name, &words)];
    Some(conv2d_step(window, offset, epilogue, constants))
}

/// Weights, a channel's in a row, and the zero point of each channel's; where a channel has the least weight there
/// is, so many steps higher. `None` if that does not fit.
fn moved(values: &[i8], channels: usize, weight_zero: i32, step: i8) -> Option<(Vec<i8>, Vec<i8>)> {
    let (mut stored, mut zeros) = (values.to_vec(), Vec::with_capacity(channels));
    for weights in stored.chunks_exact_mut((values.len() / channels.max(1)).max(1)) {
        let step = if weights.contains(&i8::MIN) { step } else { 0 };
        weights.iter_mut().try_for_each(|weight| weight.checked_add(step).map(|moved| *weight = moved))?;
        zeros.push(i8::try_from(weight_zero + i32::from(step)).ok()?);
    }
    Some((stored, zeros))
}

/// The same without a look at the weights.
pub(super) fn unread_conv2d(builder: &mut Builder, operator: &Operator, window: &Window2d, offset: &Offset) -> Step {
    let epilogue = quant::unread_finish(&offset.quant);
    let constants = quant::unread(builder, operator, &[mcu::conv2d_offset_words(window, epilogue.extras) * 4]);
    conv2d_step(window, offset, epilogue, constants)
}

fn conv2d_step(window: &Window2d, offset: &Offset, epilogue: Epilogue, constants: Vec<ConstantId>) -> Step {
    let kernel = Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu {
        window: *window,
        width: Width::Eight,
        offset: true,
        input_zero: offset.quant.input_zero as i8,
        epilogue,
    });
    let order = WriteOrder { granularity: Granularity::Pixels(mcu::CONV2D_PIXELS), reads_first: true };
    Step {
        constants,
        scratch_bytes: mcu::conv2d_offset_scratch(window).next_multiple_of(4),
        ..Step::new(kernel, order)
    }
}

/// The constants of a depthwise convolution with one output for each input channel and weights `[KH, KW, C]`, and its
/// finish, where that is proven.
pub(super) fn depthwise(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    offset: &Offset,
    [values, by_channel]: [&[i8]; 2],
    finish: &Finish,
) -> Result<Option<(Epilogue, Vec<ConstantId>)>, Refusal> {
    let Some(packed) = finish.proven(builder, offset, by_channel, true, |_, _, folded| folded) else { return Ok(None) };
    let mut bytes = vec![0; mcu::depthwise_offset_weights(window)];
    mcu::depthwise_offset_pack(window, values, offset.weight_zero as i8, &mut bytes);
    Ok(Some((packed.epilogue, quant::device_constants(builder, operator, &bytes, &packed.words))))
}

/// The same without a look at the weights.
pub(super) fn unread_depthwise(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    offset: &Offset,
) -> (Epilogue, Vec<ConstantId>) {
    let epilogue = quant::unread_finish(&offset.quant);
    let sizes = [mcu::depthwise_offset_weights(window), epilogue::words(window.output[2], epilogue.extras) * 4];
    (epilogue, quant::unread(builder, operator, &sizes))
}
