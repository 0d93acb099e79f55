//! CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV.

use super::builder::Builder;
use super::error::Refusal;
use super::hybrid;
use super::offset::{self, Finish};
use super::options::KernelSet;
use super::quant::{self, unsupported};
use super::window;
use smidgen_ir::{Activation, ConvParams, ElementType, Operator, Padding, Tensor};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::mcu::{self, Epilogue, Width, epilogue};
use smidgen_kernels::int8::{Int8, Offset, fast};
use smidgen_kernels::int16::{Int16, Multiplier, mcu as mcu16};
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Rounding, Window2d};
use smidgen_program::footprint::{Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{ConstantId, Step};

/// The simple kernels write an element once they have read all of its window.
const ELEMENT_WISE: WriteOrder = WriteOrder { granularity: Granularity::Elements(1), reads_first: true };

/// Kernels that stage the windows of so many pixels read all of them before they write.
fn pixel_wise(pixels: usize) -> WriteOrder {
    WriteOrder { granularity: Granularity::Pixels(pixels), reads_first: true }
}

pub(super) fn conv2d(builder: &mut Builder, operator: &Operator, params: &ConvParams) -> Result<(), Refusal> {
    let [x, weights, y] = tensors(builder, operator);
    let [outputs, kh, kw, depth] = window::nhwc(weights)?;
    let window = window::conv(x, y, [kh, kw], params)?;
    expect(weights, [outputs, depth], [window.output[2], window.input[2]])?;
    if hybrid::is_hybrid(x, weights) {
        return hybrid::conv2d(builder, operator, &window, params.activation);
    }
    let set = builder.options.kernels;
    let step = match element(x)? {
        Element::Int8 if quant::weight_zero(weights) != 0 => {
            let quant = offset(x, weights, y, params.activation)?;
            let values = || quant::weights_i8(weights);
            match on_device_offset(builder, operator, &window, &quant, values)? {
                Some(step) => step,
                None => {
                    let kernel = Kernel::Conv2dI8Offset(kernel::Conv2dI8Offset { window, quant });
                    let constants = constants(builder, operator, window.output[2])?;
                    Step { constants, ..Step::new(kernel, ELEMENT_WISE) }
                }
            }
        }
        Element::Int8 => {
            let quant = int8(x, y, params.activation)?;
            let on_device = match set {
                KernelSet::Mcu if builder.unread => Some(unread_conv2d(builder, operator, &window, &quant)),
                KernelSet::Mcu => mcu_conv2d(builder, operator, &window, &quant, &quant::weights_i8(weights)?)?,
                KernelSet::Reference | KernelSet::Fast => None,
            };
            match on_device {
                Some(step) => step,
                None if set == KernelSet::Reference => Step {
                    constants: constants(builder, operator, window.output[2])?,
                    ..Step::new(Kernel::Conv2dI8(kernel::Conv2dI8 { window, quant }), ELEMENT_WISE)
                },
                None => Step {
                    constants: fast_constants(builder, operator, &window, &quant)?,
                    scratch_bytes: fast::conv2d_scratch(&window).next_multiple_of(4),
                    ..Step::new(Kernel::Conv2dI8Fast(kernel::Conv2dI8Fast { window, quant }), pixel_wise(2))
                },
            }
        }
        Element::Int16 => {
            let layer = int16_layer(builder, operator, params.activation, window.output[2])?;
            let on_device =
                if set == KernelSet::Mcu { mcu_conv2d_int16(builder, operator, &window, &layer) } else { None };
            on_device.unwrap_or_else(|| {
                let kernel = Kernel::Conv2dI16(kernel::Conv2dI16 { window, quant: layer.quant });
                Step { constants: layer.constants(builder, operator), ..Step::new(kernel, ELEMENT_WISE) }
            })
        }
        Element::Float32 => Step {
            constants: constants(builder, operator, window.output[2])?,
            ..Step::new(Kernel::Conv2dF32(kernel::Conv2dF32 { window, clamp: clamp(params.activation) }), ELEMENT_WISE)
        },
    };
    let footprint = |rows| window::footprint(&window, rows);
    let macs = y.shape.elements() as u64 * window.patch() as u64;
    push(builder, operator, &window, footprint, Step { macs, ..step });
    Ok(())
}

pub(super) fn depthwise(
    builder: &mut Builder,
    operator: &Operator,
    params: &ConvParams,
    multiplier: usize,
) -> Result<(), Refusal> {
    let [x, weights, y] = tensors(builder, operator);
    let [one, kh, kw, outputs] = window::nhwc(weights)?;
    let window = window::conv(x, y, [kh, kw], params)?;
    expect(weights, [one, outputs], [1, window.output[2]])?;
    if multiplier == 0 || window.input[2].checked_mul(multiplier) != Some(window.output[2]) {
        return Err(Refusal(format!(
            "{} input channels times {multiplier} are not {} output channels",
            window.input[2], window.output[2]
        )));
    }
    if hybrid::is_hybrid(x, weights) {
        return hybrid::depthwise(builder, operator, &window, params.activation);
    }
    let set = builder.options.kernels;
    let plain = |builder: &mut Builder, kernel| {
        let constants = constants(builder, operator, window.output[2])?;
        Ok::<_, Refusal>(Step { constants, ..Step::new(kernel, ELEMENT_WISE) })
    };
    let step = match element(x)? {
        Element::Int8 if quant::weight_zero(weights) != 0 => {
            let quant = offset(x, weights, y, params.activation)?;
            let on_device = match multiplier {
                _ if set != KernelSet::Mcu => None,
                1 => device_depthwise_offset(builder, operator, &window, &quant)?,
                _ if window.input[2] == 1 => {
                    let values = || Ok(by_channel(&quant::weights_i8(weights)?, outputs));
                    on_device_offset(builder, operator, &window, &quant, values)?
                }
                _ => None,
            };
            match on_device {
                Some(step) => step,
                None => plain(builder, Kernel::DepthwiseI8Offset(kernel::DepthwiseI8Offset { window, quant }))?,
            }
        }
        Element::Int8 => {
            let quant = int8(x, y, params.activation)?;
            let on_device = match multiplier {
                _ if set != KernelSet::Mcu => None,
                1 if builder.unread => Some(unread_depthwise(builder, operator, &window, &quant)),
                1 => device_depthwise(builder, operator, &window, &quant)?,
                // All outputs from one input channel: that is what CONV_2D does.
                _ if window.input[2] == 1 && builder.unread => Some(unread_conv2d(builder, operator, &window, &quant)),
                _ if window.input[2] == 1 => {
                    let values = by_channel(&quant::weights_i8(weights)?, outputs);
                    mcu_conv2d(builder, operator, &window, &quant, &values)?
                }
                _ => None,
            };
            match on_device {
                Some(step) => step,
                None if set == KernelSet::Reference || multiplier > 1 => {
                    plain(builder, Kernel::DepthwiseI8(kernel::DepthwiseI8 { window, quant }))?
                }
                None => plain(builder, Kernel::DepthwiseI8Fast(kernel::DepthwiseI8Fast { window, quant }))?,
            }
        }
        Element::Int16 => {
            let layer = int16_layer(builder, operator, params.activation, window.output[2])?;
            let on_device =
                if set == KernelSet::Mcu { mcu_depthwise_int16(builder, operator, &window, &layer) } else { None };
            on_device.unwrap_or_else(|| {
                let kernel = Kernel::DepthwiseI16(kernel::DepthwiseI16 { window, quant: layer.quant });
                Step { constants: layer.constants(builder, operator), ..Step::new(kernel, ELEMENT_WISE) }
            })
        }
        Element::Float32 => {
            plain(builder, Kernel::DepthwiseF32(kernel::DepthwiseF32 { window, clamp: clamp(params.activation) }))?
        }
    };
    let footprint =
        |rows| Footprint { depth: window::depth(multiplier, window.output[2]), ..window::footprint(&window, rows) };
    let macs = y.shape.elements() as u64 * window.area() as u64;
    push(builder, operator, &window, footprint, Step { macs, ..step });
    Ok(())
}

/// `[KH, KW, O]` weights as `[O, KH, KW]`.
fn by_channel(weights: &[i8], outputs: usize) -> Vec<i8> {
    (0..outputs).flat_map(|o| weights.iter().skip(o).step_by(outputs).copied()).collect()
}

/// The step of a convolution on a device, where its finish is proven; `values` are `[O, KH, KW, C]`.
fn mcu_conv2d(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    quant: &Int8,
    values: &[i8],
) -> Result<Option<Step>, Refusal> {
    let (bias, factors) = biases(builder, operator, values, quant, window.output[2])?;
    let places = 0..window.patch().next_multiple_of(4);
    let taps: Vec<Option<usize>> = places.map(|at| mcu::conv2d_tap(window, at)).collect();
    let proofs = builder.proofs;
    let pack = |&width: &Width| {
        let start = |bias, weights: &[i8]| width.start(bias, taps.iter().map(|tap| tap.map_or(0, |tap| weights[tap])));
        let packed = quant::finish(proofs, quant, (&factors, &bias, values), width, false, start)?;
        let mut words = vec![0; mcu::conv2d_words(window, width, packed.epilogue.extras)];
        mcu::conv2d_pack(window, width, values, &packed.words, &mut words).then_some((width, packed.epilogue, words))
    };
    let weights = builder.tensor(operator.inputs[1]);
    let Some((width, epilogue, words)) = quant::widths(weights).iter().find_map(pack) else { return Ok(None) };
    let name = weights.name.clone();
    let constants = vec![builder.constant_u32(name, &words)];
    Ok(Some(conv2d_step(window, quant, width, epilogue, constants)))
}

fn conv2d_step(window: &Window2d, quant: &Int8, width: Width, epilogue: Epilogue, constants: Vec<ConstantId>) -> Step {
    let kernel = Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu {
        window: *window,
        width,
        offset: false,
        input_zero: quant.input_zero as i8,
        epilogue,
    });
    Step {
        constants,
        scratch_bytes: mcu::conv2d_scratch(window).next_multiple_of(4),
        ..Step::new(kernel, pixel_wise(mcu::CONV2D_PIXELS))
    }
}

/// The same without a look at the weights.
fn unread_conv2d(builder: &mut Builder, operator: &Operator, window: &Window2d, quant: &Int8) -> Step {
    let width = quant::widths(builder.tensor(operator.inputs[1]))[0];
    let epilogue = quant::unread_finish(quant);
    let constants = quant::unread(builder, operator, &[mcu::conv2d_words(window, width, epilogue.extras) * 4]);
    conv2d_step(window, quant, width, epilogue, constants)
}

/// The step of a depthwise convolution on a device, where its finish is proven.
fn device_depthwise(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    quant: &Int8,
) -> Result<Option<Step>, Refusal> {
    let weights = builder.tensor(operator.inputs[1]);
    let values = quant::weights_i8(weights)?;
    let depth = window.output[2];
    let by_channel = by_channel(&values, depth);
    let (bias, factors) = biases(builder, operator, &by_channel, quant, depth)?;
    let plain = |bias, _: &[i8]| bias;
    let packed = quant::finish(builder.proofs, quant, (&factors, &bias, &by_channel), Width::Eight, true, plain);
    let Some(packed) = packed else { return Ok(None) };
    let mut bytes = vec![0; mcu::depthwise_weights(window)];
    mcu::depthwise_pack(window, &values, &mut bytes);
    let constants = quant::device_constants(builder, operator, &bytes, &packed.words);
    Ok(Some(depthwise_step(window, quant, packed.epilogue, false, constants)))
}

/// The same without a look at the weights.
fn unread_depthwise(builder: &mut Builder, operator: &Operator, window: &Window2d, quant: &Int8) -> Step {
    let epilogue = quant::unread_finish(quant);
    let sizes = [mcu::depthwise_weights(window), epilogue::words(window.output[2], epilogue.extras) * 4];
    let constants = quant::unread(builder, operator, &sizes);
    depthwise_step(window, quant, epilogue, false, constants)
}

fn depthwise_step(
    window: &Window2d,
    quant: &Int8,
    epilogue: Epilogue,
    offset: bool,
    constants: Vec<ConstantId>,
) -> Step {
    let kernel = Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu {
        window: *window,
        input_zero: quant.input_zero as i8,
        epilogue,
        rows: 1,
        offset,
    });
    let order = if mcu::depthwise_is_staged(window) {
        let granularity = Granularity::Planes { rows: 1, channels: mcu::DEPTHWISE_CHANNELS };
        WriteOrder { granularity, reads_first: true }
    } else {
        WriteOrder { granularity: Granularity::Row, reads_first: false }
    };
    Step { constants, scratch_bytes: mcu::depthwise_scratch(window, 1).next_multiple_of(4), ..Step::new(kernel, order) }
}

pub(super) fn transpose_conv(
    builder: &mut Builder,
    operator: &Operator,
    stride: [usize; 2],
    padding: Padding,
    activation: Activation,
) -> Result<(), Refusal> {
    let [x, weights, y] = tensors(builder, operator);
    let [outputs, kh, kw, depth] = window::nhwc(weights)?;
    let window = window::transposed(x, y, [kh, kw], stride, padding)?;
    expect(weights, [outputs, depth], [window.output[2], window.input[2]])?;
    let plain = |builder: &mut Builder| constants(builder, operator, window.output[2]);
    let (kernel, constants) = match element(x)? {
        Element::Int8 if quant::weight_zero(weights) != 0 => {
            let quant = offset(x, weights, y, activation)?;
            let kernel = Kernel::TransposeConvI8Offset(kernel::TransposeConvI8Offset { window, quant });
            (kernel, plain(builder)?)
        }
        Element::Int8 => (
            Kernel::TransposeConvI8(kernel::TransposeConvI8 { window, quant: int8(x, y, activation)? }),
            plain(builder)?,
        ),
        Element::Int16 => {
            let layer = int16_layer(builder, operator, activation, window.output[2])?;
            (
                Kernel::TransposeConvI16(kernel::TransposeConvI16 { window, quant: layer.quant }),
                layer.constants(builder, operator),
            )
        }
        Element::Float32 => {
            (Kernel::TransposeConvF32(kernel::TransposeConvF32 { window, clamp: clamp(activation) }), plain(builder)?)
        }
    };
    let footprint = |rows| window::transposed_access(&window, rows);
    let macs = x.shape.elements() as u64 * (window.area() * window.output[2]) as u64;
    push(builder, operator, &window, footprint, Step { constants, macs, ..Step::new(kernel, ELEMENT_WISE) });
    Ok(())
}

enum Element {
    Int8,
    Int16,
    Float32,
}

fn element(x: &Tensor) -> Result<Element, Refusal> {
    match x.element() {
        ElementType::Int8 => Ok(Element::Int8),
        ElementType::Int16 => Ok(Element::Int16),
        ElementType::Float32 => Ok(Element::Float32),
        other => Err(unsupported(x, other)),
    }
}

fn tensors<'g>(builder: &Builder<'g>, operator: &Operator) -> [&'g Tensor; 3] {
    [operator.inputs[0], operator.inputs[1], operator.outputs[0]].map(|t| builder.tensor(t))
}

fn expect(weights: &Tensor, given: [usize; 2], wanted: [usize; 2]) -> Result<(), Refusal> {
    if given == wanted {
        return Ok(());
    }
    Err(Refusal(format!(
        "the weights `{}` of {} do not go with the shapes of input and output; only one group is supported",
        weights.name, weights.shape
    )))
}

fn int8(x: &Tensor, y: &Tensor, activation: Activation) -> Result<Int8, Refusal> {
    let ((_, input_zero), (output_scale, output_zero)) = (quant::int8(x)?, quant::int8(y)?);
    let (min, max) = quant::clamp(activation, output_scale, output_zero)?;
    Ok(Int8 { input_zero, output_zero, min, max, rounding: Rounding::Twice })
}

/// The step of a convolution on a device with weights `[O, KH, KW, C]` that have a zero point.
fn on_device_offset(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    quant: &Offset,
    values: impl Fn() -> Result<Vec<i8>, Refusal>,
) -> Result<Option<Step>, Refusal> {
    if builder.options.kernels != KernelSet::Mcu {
        return Ok(None);
    }
    if builder.unread {
        return Ok(Some(offset::unread_conv2d(builder, operator, window, quant)));
    }
    let finish = finish(builder, operator, window.output[2])?;
    Ok(offset::conv2d(builder, operator, window, quant, &values()?, &finish))
}

/// The same of a depthwise convolution.
fn device_depthwise_offset(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    quant: &Offset,
) -> Result<Option<Step>, Refusal> {
    let found = if builder.unread {
        Some(offset::unread_depthwise(builder, operator, window, quant))
    } else {
        let finish = finish(builder, operator, window.output[2])?;
        let values = quant::weights_i8(builder.tensor(operator.inputs[1]))?;
        let by_channel = by_channel(&values, window.output[2]);
        offset::depthwise(builder, operator, window, quant, [&values, &by_channel], &finish)?
    };
    Ok(found.map(|(epilogue, constants)| depthwise_step(window, &quant.quant, epilogue, true, constants)))
}

/// Biases as they are, and factors.
fn finish(builder: &Builder, operator: &Operator, outputs: usize) -> Result<Finish, Refusal> {
    let bias = quant::bias_i32(operator.inputs.get(2).map(|&t| builder.tensor(t)), outputs)?;
    Ok(Finish { bias, factors: factors(builder, operator, outputs)? })
}

fn offset(x: &Tensor, weights: &Tensor, y: &Tensor, activation: Activation) -> Result<Offset, Refusal> {
    Ok(Offset { weight_zero: quant::weight_zero(weights), quant: int8(x, y, activation)? })
}

pub(super) fn clamp(activation: Activation) -> Clamp {
    let (min, max) = activation.range();
    Clamp { min, max }
}

/// Packs the weights as they are, and what each output channel needs.
fn constants(builder: &mut Builder, operator: &Operator, outputs: usize) -> Result<Vec<ConstantId>, Refusal> {
    let [x, weights, _] = tensors(builder, operator);
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    if x.element() == ElementType::Float32 {
        let (values, bias) = (quant::weights_f32(weights)?, quant::bias_f32(bias, outputs)?);
        let name = weights.name.clone();
        return Ok(vec![builder.constant_f32(name.clone(), &values), builder.constant_f32(name + " bias", &bias)]);
    }
    let (values, bias) = (quant::weights_i8(weights)?, quant::bias_i32(bias, outputs)?);
    let factors = factors(builder, operator, outputs)?;
    Ok(int8_constants(builder, operator, &values, &bias, &factors))
}

/// A layer on int16.
struct Int16Layer {
    quant: Int16,
    /// As they are stored in the graph.
    weights: Vec<i8>,
    bias: Vec<i64>,
    factors: Vec<Factor>,
}

fn int16_layer(
    builder: &Builder,
    operator: &Operator,
    activation: Activation,
    outputs: usize,
) -> Result<Int16Layer, Refusal> {
    let [x, weights, y] = tensors(builder, operator);
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let (input_scale, output_scale) = (quant::int16(x)?, quant::int16(y)?);
    let (min, max) = quant::clamp(activation, output_scale, 0)?;
    Ok(Int16Layer {
        quant: Int16 { min, max, multiplier: Multiplier::Reduced },
        weights: quant::weights_i8(weights)?,
        bias: quant::bias_i64(bias, outputs)?,
        factors: quant::factors(input_scale, weights, output_scale, outputs)?,
    })
}

impl Int16Layer {
    /// Adds its constants as they are in the graph.
    fn constants(&self, builder: &mut Builder, operator: &Operator) -> Vec<ConstantId> {
        quant::int16_constants(builder, operator, &self.weights, &self.bias, &self.factors)
    }
}

/// The step of a convolution on int16 on a device, where its sums are proven to fit 32 bits.
fn mcu_conv2d_int16(builder: &mut Builder, operator: &Operator, window: &Window2d, layer: &Int16Layer) -> Option<Step> {
    let words = quant::proven(&layer.quant, &layer.factors, &layer.bias, &layer.weights)?;
    let mut packed = vec![0; mcu16::conv2d_weights(window)];
    mcu16::conv2d_pack(window, &layer.weights, &mut packed);
    let kernel =
        Kernel::Conv2dI16Mcu(kernel::Conv2dI16Mcu { window: *window, clamp: quant::int16_mcu_clamp(&layer.quant) });
    Some(Step {
        constants: quant::device_constants(builder, operator, &packed, &words),
        scratch_bytes: mcu16::conv2d_scratch(window).next_multiple_of(4),
        ..Step::new(kernel, pixel_wise(mcu16::CONV2D_PIXELS))
    })
}

/// The same of a depthwise convolution.
fn mcu_depthwise_int16(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    layer: &Int16Layer,
) -> Option<Step> {
    if window.multiplier() != 1 {
        return None;
    }
    let by_channel = by_channel(&layer.weights, window.output[2]);
    let words = quant::proven(&layer.quant, &layer.factors, &layer.bias, &by_channel)?;
    let mut packed = vec![0; mcu16::depthwise_weights(window)];
    mcu16::depthwise_pack(window, &layer.weights, &mut packed);
    let kernel = Kernel::DepthwiseI16Mcu(kernel::DepthwiseI16Mcu {
        window: *window,
        clamp: quant::int16_mcu_clamp(&layer.quant),
    });
    let order = WriteOrder { granularity: Granularity::Pixels(mcu16::DEPTHWISE_PIXELS), reads_first: false };
    Some(Step {
        constants: quant::device_constants(builder, operator, &packed, &words),
        scratch_bytes: mcu16::depthwise_scratch(window).next_multiple_of(4),
        ..Step::new(kernel, order)
    })
}

/// The same for the fast convolution: weights padded, bias folded.
fn fast_constants(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    quant: &Int8,
) -> Result<Vec<ConstantId>, Refusal> {
    let mut values = quant::weights_i8(builder.tensor(operator.inputs[1]))?;
    let (bias, factors) = biases(builder, operator, &values, quant, window.output[2])?;
    values.resize(fast::conv2d_weights(window), 0);
    Ok(int8_constants(builder, operator, &values, &bias, &factors))
}

/// Biases with the input's zero point folded in, and factors; `values` has the weights of an output channel in a row.
fn biases(
    builder: &Builder,
    operator: &Operator,
    values: &[i8],
    quant: &Int8,
    outputs: usize,
) -> Result<(Vec<i32>, Vec<Factor>), Refusal> {
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let mut bias = quant::bias_i32(bias, outputs)?;
    quant::fold_biases(&mut bias, quant.input_zero, values);
    Ok((bias, factors(builder, operator, outputs)?))
}

/// From accumulators to outputs, for each channel.
fn factors(builder: &Builder, operator: &Operator, outputs: usize) -> Result<Vec<Factor>, Refusal> {
    let [x, weights, y] = tensors(builder, operator);
    let ((input_scale, _), (output_scale, _)) = (quant::int8(x)?, quant::int8(y)?);
    quant::factors(input_scale, weights, output_scale, outputs)
}

/// Adds weights and what each output channel needs.
fn int8_constants(
    builder: &mut Builder,
    operator: &Operator,
    values: &[i8],
    bias: &[i32],
    factors: &[Factor],
) -> Vec<ConstantId> {
    let name = builder.tensor(operator.inputs[1]).name.clone();
    let mut all = vec![builder.constant_i8(name, values)];
    all.extend(quant::channels(builder, operator.outputs[0], bias, factors));
    all
}

/// Adds a step with its operands.
fn push(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    footprint: impl Fn(usize) -> Footprint,
    step: Step,
) {
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![footprint(output.extent.rows)],
        partial: output.extent.rows == window.output[0],
        ..step
    });
}
