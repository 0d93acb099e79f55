//! SVDF.

use super::builder::Builder;
use super::error::Refusal;
use super::quant;
use super::recurrent::given;
use smidgen_ir::{Activation, ElementType, Operator};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Rounding, float, int8};
use smidgen_program::footprint::{Granularity, WriteOrder};
use smidgen_program::kernel::{self, Kernel};
use smidgen_program::program::Step;

pub(super) fn svdf(
    builder: &mut Builder,
    operator: &Operator,
    rank: usize,
    activation: Activation,
) -> Result<(), Refusal> {
    let [x, weights, time, state] = [0, 1, 2, 3].map(|i| builder.tensor(operator.inputs[i]));
    let bias = operator.inputs.get(4).map(|&t| builder.tensor(t));
    let (&[batch, inputs], &[filters, memory]) = (x.shape.dims(), time.shape.dims()) else {
        return Err(Refusal(format!("`{}` and `{}` have not two dimensions each", x.name, time.name)));
    };
    let units = filters.checked_div(rank).unwrap_or(0);
    let sizes = [batch, inputs, units, rank, memory];
    let name = |what: &str| format!("{} {what}", weights.name);
    let (kernel, constants) = match x.element() {
        ElementType::Float32 => {
            let (min, max) = activation.range();
            let layer = float::Svdf { sizes, clamp: Clamp { min, max } };
            let (features, taps) = (quant::weights_f32(weights)?, quant::weights_f32(time)?);
            let bias = quant::bias_f32(bias, units)?;
            let constants = vec![
                builder.constant_f32(weights.name.clone(), &features),
                builder.constant_f32(time.name.clone(), &taps),
                builder.constant_f32(name("bias"), &bias),
            ];
            (Kernel::SvdfF32(kernel::SvdfF32 { layer }), constants)
        }
        ElementType::Int8 => {
            let y = builder.tensor(operator.outputs[0]);
            let ((input_scale, input_zero), (output_scale, output_zero)) = (quant::int8(x)?, quant::int8(y)?);
            let (state_scale, time_scale) = (quant::int16(state)?, quant::int16(time)?);
            let (weight_scale, _) = quant::int8(weights)?;
            let factor = |a: f32, b: f32, c: f32| Factor::new(f64::from(a) * f64::from(b) / f64::from(c));
            let layer = int8::Svdf {
                sizes,
                zeros: [input_zero, output_zero],
                feature: factor(input_scale, weight_scale, state_scale),
                output: factor(state_scale, time_scale, output_scale),
                rounding: Rounding::Twice,
            };
            let features = quant::weights_i8(weights)?;
            let taps = time.integers().ok_or_else(|| quant::not_constant(time))?;
            let taps: Vec<i16> = taps.into_iter().map(|tap| tap as i16).collect();
            let bias = quant::bias_i32(bias, units)?;
            let constants = vec![
                builder.constant_i8(weights.name.clone(), &features),
                builder.constant_i16(time.name.clone(), &taps),
                builder.constant_i32(name("bias"), &bias),
            ];
            (Kernel::SvdfI8(kernel::SvdfI8 { layer }), constants)
        }
        other => return Err(Refusal(format!("`{}` is {other}; there are kernels for i8 and f32", x.name))),
    };
    let order = WriteOrder { granularity: Granularity::Run, reads_first: true };
    let step = given(builder, operator, &[operator.inputs[0], operator.inputs[3]], Step::new(kernel, order))?;
    builder.push(Step { constants, macs: (batch * filters * (inputs + memory)) as u64, ..step });
    Ok(())
}
