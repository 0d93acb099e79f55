//! Recurrent layers.

use super::KernelSet;
use super::builder::Builder;
use super::error::Refusal;
use super::quant;
use smidgen_ir::{ElementType, Operator, RecurrentParams, Tensor, TensorId};
use smidgen_kernels::Rounding;
use smidgen_kernels::float::{DynamicRange, Recurrent};
use smidgen_kernels::int8::mcu::{self, Width};
use smidgen_kernels::int8::{Lstm, fast};
use smidgen_kernels::requant::Factor;
use smidgen_program::footprint::{Granularity, WriteOrder};
use smidgen_program::kernel::{self, Kernel, Pattern};
use smidgen_program::program::{ConstantId, Step};

pub(super) fn recurrent(builder: &mut Builder, operator: &Operator, params: &RecurrentParams) -> Result<(), Refusal> {
    let [x, weights, state, bias] = [0, 1, 2, 3].map(|i| builder.tensor(operator.inputs[i]));
    if x.element() == ElementType::Int8 {
        return lstm(builder, operator, params);
    }
    let layer = Recurrent {
        cell: params.cell,
        sizes: params.sizes(&x.shape, &state.shape),
        time_major: params.time_major,
        reverse: params.reverse,
        clip: params.clip.unwrap_or(f32::INFINITY),
        initial: operator.inputs.len() > 4,
        outputs: params.outputs(),
    };
    if weights.element() == ElementType::Int8 {
        return hybrid(builder, operator, params, &layer);
    }
    let mut constants = Vec::new();
    for tensor in [weights, state, bias] {
        let values = quant::weights_f32(tensor)?;
        constants.push(builder.constant_f32(tensor.name.clone(), &values));
    }
    push(builder, operator, &layer, kernel::RecurrentF32 { layer }.into(), constants)
}

/// Weights of int8 beside floats.
fn hybrid(
    builder: &mut Builder,
    operator: &Operator,
    params: &RecurrentParams,
    layer: &Recurrent,
) -> Result<(), Refusal> {
    let [weights, state, bias] = [1, 2, 3].map(|i| builder.tensor(operator.inputs[i]));
    let rows = layer.cell.gates() * layer.sizes[3];
    let [of_inputs, of_state] = [weights, state].map(quant::weights_i8);
    let channels = [quant::scales(weights, rows)?, quant::scales(state, rows)?, quant::weights_f32(bias)?].concat();
    let constants = vec![
        builder.constant_i8(weights.name.clone(), &of_inputs?),
        builder.constant_i8(state.name.clone(), &of_state?),
        builder.constant_f32(format!("{} channels", weights.name), &channels),
    ];
    let range = if params.asymmetric_quantize_inputs { DynamicRange::Asymmetric } else { DynamicRange::Symmetric };
    push(builder, operator, layer, kernel::RecurrentHybrid { layer: *layer, range }.into(), constants)
}

/// An LSTM on int8. Where the reference multiplies scales, it does so in single precision.
fn lstm(builder: &mut Builder, operator: &Operator, params: &RecurrentParams) -> Result<(), Refusal> {
    /// Of gates, Q3.12.
    const GATE: f32 = 1.0 / 4096.0;
    let [x, weights, state, bias] = [0, 1, 2, 3].map(|i| builder.tensor(operator.inputs[i]));
    let (Some(&first), Some(&memory)) = (operator.inputs.get(4), operator.inputs.get(5)) else {
        return Err(Refusal("an LSTM on int8 needs a first output and a first memory".into()));
    };
    let [first, memory] = [first, memory].map(|id| builder.tensor(id));
    let ((input_scale, input_zero), (output_scale, output_zero)) = (quant::int8(x)?, quant::int8(first)?);
    let memory_scale = quant::int16(memory)?;
    let Some(memory_bits) = RecurrentParams::memory_bits(&memory.dtype) else {
        return Err(Refusal(format!("the scale of the memory `{}` is no power of two", memory.name)));
    };
    let sizes = params.sizes(&x.shape, &state.shape);
    let [.., inputs, units] = sizes;
    let factors = |tensor: &Tensor, scale: f32| -> Result<[Factor; 4], Refusal> {
        let scales = quant::scales(tensor, 4 * units)?;
        Ok([0, 1, 2, 3].map(|gate| Factor::new(f64::from(scales[gate * units] * scale / GATE))))
    };
    let unit = 1.0 / 32768.0;
    let hidden = unit / f64::from(output_scale) * unit;
    let layer = Lstm {
        sizes,
        time_major: params.time_major,
        reverse: params.reverse,
        initial: true,
        outputs: params.outputs(),
        input: factors(weights, input_scale)?,
        state: factors(state, output_scale)?,
        hidden: Factor::new(f64::from(hidden as f32)),
        zero: output_zero,
        memory_bits: memory_bits as u8,
        clip: params.clip.map_or(0, |clip| (clip / memory_scale).min(32767.0) as i16),
        rounding: Rounding::Twice,
    };
    let [of_inputs, of_state] = [weights, state].map(quant::weights_i8);
    let (of_inputs, of_state) = (of_inputs?, of_state?);
    let mut biases = quant::bias_i32(Some(bias), 4 * units)?;
    biases.extend(vec![0; 4 * units]);
    for (values, each, zero, from) in [(&of_inputs, inputs, input_zero, 0), (&of_state, units, output_zero, 4 * units)]
    {
        for (bias, row) in biases[from..].iter_mut().zip(values.chunks_exact(each.max(1))) {
            *bias = fast::fold_bias(*bias, zero, row.iter().copied());
        }
    }
    let packed = (builder.options.kernels == KernelSet::Mcu)
        .then(|| on_device([inputs, units], [&of_inputs, &of_state], &biases))
        .flatten();
    let names = [weights, state, bias].map(|tensor| tensor.name.clone());
    let [of_inputs_name, of_state_name, bias_name] = names;
    let (kernel, constants): (Kernel, _) = match packed {
        Some(([of_inputs, of_state], starts)) => (
            kernel::LstmI8Mcu { layer }.into(),
            vec![
                builder.constant_u32(of_inputs_name, &of_inputs),
                builder.constant_u32(of_state_name, &of_state),
                builder.constant_i32(bias_name, &starts),
            ],
        ),
        None => (
            kernel::LstmI8 { layer }.into(),
            vec![
                builder.constant_i8(of_inputs_name, &of_inputs),
                builder.constant_i8(of_state_name, &of_state),
                builder.constant_i32(bias_name, &biases),
            ],
        ),
    };
    let as_floats = Recurrent {
        cell: params.cell,
        sizes,
        time_major: params.time_major,
        reverse: params.reverse,
        clip: f32::INFINITY,
        initial: true,
        outputs: params.outputs(),
    };
    push(builder, operator, &as_floats, kernel, constants)
}

/// The weights of the device's kernel and what sums start with, where weights can be packed and no sum leaves 24 bits. `biases` are
/// those of both with the zero points taken into them.
fn on_device([inputs, units]: [usize; 2], weights: [&[i8]; 2], biases: &[i32]) -> Option<([Vec<u32>; 2], Vec<i32>)> {
    const LARGEST: i64 = 1 << 23;
    let mut starts = vec![0; 2 * 4 * units];
    let mut packed = [Vec::new(), Vec::new()];
    for (which, (weights, count)) in weights.into_iter().zip([inputs, units]).enumerate() {
        packed[which] = vec![0; mcu::lstm_weights([count, units])];
        if !mcu::lstm_pack([count, units], weights, &mut packed[which]) {
            return None;
        }
        for (row, weights) in weights.chunks_exact(count).enumerate() {
            let bias = biases[which * 4 * units + row];
            let most = weights.iter().fold(i64::from(bias).abs(), |sum, &w| sum + 128 * i64::from(w).abs());
            if most >= LARGEST {
                return None;
            }
            let (gate, unit) = (row / units, row % units);
            let start = Width::Eight.start(bias, weights.iter().copied());
            starts[(which * units + unit) * 4 + gate] = start.wrapping_mul(Width::Eight.scale());
        }
    }
    Some((packed, starts))
}

/// Adds the step of a layer, of which `layer` says the sizes and the order.
fn push(
    builder: &mut Builder,
    operator: &Operator,
    layer: &Recurrent,
    kernel: Kernel,
    constants: Vec<ConstantId>,
) -> Result<(), Refusal> {
    let [weights, state] = [1, 2].map(|i| builder.tensor(operator.inputs[i]));
    let [batch, steps, ..] = layer.sizes;
    let products = weights.shape.elements() + state.shape.elements();
    // A step's output is written when all of it is computed, in whatever order the steps come, but for the last element
    // of all; that and the last states are written once everything has been read.
    let order = match (layer.outputs[0] && batch * steps > 1, kernel::in_order(layer)) {
        (true, true) => WriteOrder { granularity: Granularity::Row, reads_first: true },
        (true, false) => WriteOrder { granularity: Granularity::Run, reads_first: false },
        (false, _) => WriteOrder { granularity: Granularity::Run, reads_first: true },
    };
    let macs = (batch * steps * products) as u64;
    let read: Vec<TensorId> = [&operator.inputs[..1], operator.inputs.get(4..).unwrap_or(&[])].concat();
    let step = given(builder, operator, &read, Step::new(kernel, order))?;
    builder.push(Step { constants, macs, ..step });
    Ok(())
}

/// The step with its operands, of the extents that its kernel gives: the tensors that it reads, and the operator's outputs.
pub(super) fn given(
    builder: &mut Builder,
    operator: &Operator,
    read: &[TensorId],
    step: Step,
) -> Result<Step, Refusal> {
    let spec = step.kernel.spec();
    let scratch_bytes = spec.scratch();
    let Pattern::Given { inputs, outputs, .. } = spec.pattern() else {
        return Err(Refusal(format!("{}'s operands are those that its kernel gives", operator.op.name())));
    };
    let footprint = inputs.iter().map(|taken| taken.needed.footprint()).collect();
    let extents: Vec<_> = inputs.iter().map(|taken| taken.extent).collect();
    let targets: Vec<_> = outputs.iter().map(|&(_, extent)| extent).collect();
    let inputs = read.iter().zip(extents).map(|(&id, extent)| builder.activation_as(id, extent)).collect();
    let outputs = operator.outputs.iter().zip(targets).map(|(&id, extent)| builder.target_as(id, extent)).collect();
    Ok(Step { inputs, outputs, footprint, scratch_bytes, ..step })
}
