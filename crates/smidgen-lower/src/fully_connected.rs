//! FULLY_CONNECTED.

use super::builder::Builder;
use super::error::Refusal;
use super::hybrid;
use super::offset::{self, Finish};
use super::options::KernelSet;
use super::quant::{self, unsupported};
use crate::epilogue::Proofs;
use smidgen_ir::{Activation, ElementType, Operator, Quantisation, Tensor};
use smidgen_kernels::Window2d;
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::mcu::{self, Width, epilogue};
use smidgen_kernels::int8::{Int8, Offset};
use smidgen_kernels::int16::{Int16, Multiplier, mcu as mcu16};
use smidgen_kernels::requant::Factor;
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{Extent, Step};

/// The device kernels write four outputs once they have read all inputs.
const BY_FOURS: WriteOrder = WriteOrder { granularity: Granularity::Elements(4), reads_first: true };

pub(super) fn fully_connected(
    builder: &mut Builder,
    operator: &Operator,
    asymmetric_quantize_inputs: bool,
    activation: Activation,
) -> Result<(), Refusal> {
    let (x, weights) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.inputs[1]));
    match x.element() {
        ElementType::Float32 if hybrid::is_hybrid(x, weights) => {
            let sizes = sizes(x, weights, builder.tensor(operator.outputs[0]))?;
            hybrid::fully_connected(builder, operator, sizes, (asymmetric_quantize_inputs, activation))
        }
        ElementType::Int8 => int8(builder, operator, activation),
        ElementType::Int16 => int16(builder, operator, activation),
        ElementType::Float32 => float32(builder, operator, activation),
        other => Err(unsupported(x, other)),
    }
}

fn int8(builder: &mut Builder, operator: &Operator, activation: Activation) -> Result<(), Refusal> {
    let (x, weights) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.inputs[1]));
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let y = builder.tensor(operator.outputs[0]);
    let [outputs, inputs] = sizes(x, weights, y)?;
    let ((input_scale, input_zero), (output_scale, output_zero)) = (quant::int8(x)?, quant::int8(y)?);
    let (min, max) = quant::clamp(activation, output_scale, output_zero)?;
    let rounding = builder.options.reference.fully_connected();
    let factors = match builder.options.reference.fully_connected_in_double() {
        true => quant::factors(input_scale, weights, output_scale, outputs)?,
        false => factors(input_scale, weights, output_scale, outputs)?,
    };
    let weight_zero = quant::weight_zero(weights);
    let quant = Int8 { input_zero, output_zero, min, max, rounding };
    if builder.options.kernels == KernelSet::Mcu && weight_zero != 0 && inputs > 0 {
        // A convolution, whose kernel finds the sums that the zero point meets.
        let window = Window2d::of_row(inputs, outputs);
        let offset = Offset { weight_zero, quant };
        let step = if builder.unread {
            Some(offset::unread_conv2d(builder, operator, &window, &offset))
        } else {
            let finish = Finish { bias: quant::bias_i32(bias, outputs)?, factors: factors.clone() };
            let values = quant::weights_i8(weights)?;
            quant::check_shifted_sums(weights, &factors, &finish.bias, &values, weight_zero)?;
            offset::conv2d(builder, operator, &window, &offset, &values, &finish)
        };
        if let Some(step) = step {
            push(builder, operator, [outputs, inputs], step);
            return Ok(());
        }
    }
    if builder.unread && weight_zero == 0 && inputs > 0 {
        let (width, epilogue) = (quant::widths(weights)[0], quant::unread_finish(&quant));
        let bytes = [mcu::fully_connected_weights([inputs, outputs], width), epilogue::words(outputs, epilogue.extras)];
        let constants = quant::unread(builder, operator, &bytes.map(|words| words * 4));
        let kernel = Kernel::FullyConnectedI8Mcu(kernel::FullyConnectedI8Mcu { inputs, outputs, width, epilogue });
        push(builder, operator, [outputs, inputs], Step { constants, ..Step::new(kernel, BY_FOURS) });
        return Ok(());
    }
    let values = quant::weights_i8(weights)?;
    let mut bias = quant::bias_i32(bias, outputs)?;
    quant::check_shifted_sums(weights, &factors, &bias, &values, weight_zero)?;
    let order = WriteOrder { granularity: Granularity::Elements(1), reads_first: true };
    let simple = builder.options.kernels == KernelSet::Reference || weight_zero != 0 || inputs == 0;
    let kernel = if simple {
        Kernel::FullyConnectedI8(kernel::FullyConnectedI8 { inputs, outputs, weight_zero, quant })
    } else {
        quant::fold_biases(&mut bias, input_zero, &values);
        if builder.options.kernels == KernelSet::Mcu
            && let Some((kernel, weights, words)) = (quant::widths(weights).iter()).find_map(|&width| {
                on_device(builder.proofs, [inputs, outputs], width, &quant, &factors, &bias, &values)
            })
        {
            let name = builder.tensor(operator.inputs[1]).name.clone();
            let constants = vec![
                builder.constant_u32(name.clone(), &weights),
                builder.constant_u32(format!("{name} channels"), &words),
            ];
            push(builder, operator, [outputs, inputs], Step { constants, ..Step::new(kernel, BY_FOURS) });
            return Ok(());
        }
        Kernel::FullyConnectedI8Fast(kernel::FullyConnectedI8Fast { inputs, outputs, quant })
    };
    let packed = builder.constant_i8(weights.name.clone(), &values);
    let [bias, multipliers, shifts] = quant::channels(builder, operator.outputs[0], &bias, &factors);
    push(
        builder,
        operator,
        [outputs, inputs],
        Step { constants: vec![packed, bias, multipliers, shifts], ..Step::new(kernel, order) },
    );
    Ok(())
}

/// The device kernel for weights of this width with its weights and the words of its channels, where they are proven.
fn on_device(
    proofs: &Proofs,
    sizes: [usize; 2],
    width: Width,
    quant: &Int8,
    factors: &[Factor],
    bias: &[i32],
    weights: &[i8],
) -> Option<(Kernel, Vec<u32>, Vec<u32>)> {
    let mut packed = vec![0; mcu::fully_connected_weights(sizes, width)];
    if !mcu::fully_connected_pack(sizes, width, weights, &mut packed) {
        return None;
    }
    let start = |bias, weights: &[i8]| width.start(bias, weights.iter().copied());
    let channels = quant::finish(proofs, quant, (factors, bias, weights), width, false, start)?;
    let [inputs, outputs] = sizes;
    Some((
        Kernel::FullyConnectedI8Mcu(kernel::FullyConnectedI8Mcu {
            inputs,
            outputs,
            width,
            epilogue: channels.epilogue,
        }),
        packed,
        channels.words,
    ))
}

fn int16(builder: &mut Builder, operator: &Operator, activation: Activation) -> Result<(), Refusal> {
    let (x, weights) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.inputs[1]));
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let y = builder.tensor(operator.outputs[0]);
    let [outputs, inputs] = sizes(x, weights, y)?;
    let (input_scale, output_scale) = (quant::int16(x)?, quant::int16(y)?);
    let multiplier = builder.options.reference.int16_fully_connected();
    let factors = match multiplier {
        Multiplier::Full => quant::factors(input_scale, weights, output_scale, outputs)?,
        Multiplier::Reduced => factors(input_scale, weights, output_scale, outputs)?,
    };
    let bias = quant::bias_i64(bias, outputs)?;
    let (min, max) = quant::clamp(activation, output_scale, 0)?;
    let values = quant::weights_i8(weights)?;
    quant::check_int16_sums(weights, &factors, &bias, &values)?;
    let quant = Int16 { min, max, multiplier };
    if builder.options.kernels == KernelSet::Mcu
        && let Some(words) = quant::proven(&quant, &factors, &bias, &values)
    {
        let mut packed = vec![0; mcu16::fully_connected_weights([inputs, outputs])];
        mcu16::fully_connected_pack([inputs, outputs], &values, &mut packed);
        let constants = quant::device_constants(builder, operator, &packed, &words);
        let kernel = Kernel::FullyConnectedI16Mcu(kernel::FullyConnectedI16Mcu {
            inputs,
            outputs,
            clamp: quant::int16_mcu_clamp(&quant),
        });
        push(builder, operator, [outputs, inputs], Step { constants, ..Step::new(kernel, BY_FOURS) });
        return Ok(());
    }
    let kernel = Kernel::FullyConnectedI16(kernel::FullyConnectedI16 { inputs, outputs, quant });
    let constants = quant::int16_constants(builder, operator, &values, &bias, &factors);
    let order = WriteOrder { granularity: Granularity::Elements(1), reads_first: true };
    push(builder, operator, [outputs, inputs], Step { constants, ..Step::new(kernel, order) });
    Ok(())
}

/// From accumulators to outputs, for each of the output's channels.
fn factors(input: f32, weights: &Tensor, output: f32, channels: usize) -> Result<Vec<Factor>, Refusal> {
    match weights.dtype.quantisation() {
        // The product of the scales is taken in single precision here, unlike per channel.
        Some(&Quantisation::PerTensor { scale, .. }) => {
            Ok(vec![Factor::new((input * scale) as f64 / output as f64); channels])
        }
        _ => quant::factors(input, weights, output, channels),
    }
}

fn float32(builder: &mut Builder, operator: &Operator, activation: Activation) -> Result<(), Refusal> {
    let (x, weights) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.inputs[1]));
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let [outputs, inputs] = sizes(x, weights, builder.tensor(operator.outputs[0]))?;
    let (values, bias) = (quant::weights_f32(weights)?, quant::bias_f32(bias, outputs)?);
    let packed = builder.constant_f32(weights.name.clone(), &values);
    let bias = builder.constant_f32(format!("{} bias", weights.name), &bias);
    let (min, max) = activation.range();
    let kernel = Kernel::FullyConnectedF32(kernel::FullyConnectedF32 { inputs, outputs, clamp: Clamp { min, max } });
    let order = WriteOrder { granularity: Granularity::Elements(1), reads_first: true };
    push(builder, operator, [outputs, inputs], Step { constants: vec![packed, bias], ..Step::new(kernel, order) });
    Ok(())
}

/// `[O, K]`, checked against the input and the output.
fn sizes(x: &Tensor, weights: &Tensor, y: &Tensor) -> Result<[usize; 2], Refusal> {
    let &[outputs, inputs] = weights.shape.dims() else {
        return Err(Refusal(format!(
            "the weights `{}` are {}; two dimensions are supported",
            weights.name, weights.shape
        )));
    };
    let rows = x.shape.elements().checked_div(inputs).unwrap_or(0);
    if rows * inputs != x.shape.elements() || rows * outputs != y.shape.elements() {
        return Err(Refusal(format!(
            "the weights `{}` of {} do not take `{}` of {} to {}",
            weights.name, weights.shape, x.name, x.shape, y.shape
        )));
    }
    Ok([outputs, inputs])
}

/// Adds a step that computes each row of the output from a row of the input.
pub(super) fn push(builder: &mut Builder, operator: &Operator, [outputs, inputs]: [usize; 2], step: Step) {
    let rows = builder.tensor(operator.inputs[0]).shape.elements().checked_div(inputs).unwrap_or(0);
    let extent = |depth| Extent { rows, cols: 1, depth };
    let input = builder.activation_as(operator.inputs[0], extent(inputs));
    let output = builder.target_as(operator.outputs[0], extent(outputs));
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![Footprint { rows: AxisFootprint::SAME, cols: AxisFootprint::SAME, depth: AxisFootprint::All }],
        partial: true,
        macs: (rows * inputs * outputs) as u64,
        ..step
    });
}
