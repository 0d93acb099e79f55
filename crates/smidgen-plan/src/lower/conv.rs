//! CONV_2D.

use super::builder::Builder;
use super::error::Refusal;
use super::quant::{self, unsupported};
use super::window::{self, nhwc};
use crate::access::{Block, Order};
use crate::kernel::Kernel;
use crate::program::Step;
use smidgen_ir::{ConvParams, ElementType, Operator, Tensor};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::{Rounding, Window2d};

pub(super) fn conv2d(builder: &mut Builder, operator: &Operator, params: &ConvParams) -> Result<(), Refusal> {
    let x = builder.tensor(operator.inputs[0]);
    match x.element() {
        ElementType::Int8 => conv2d_i8(builder, operator, params),
        ElementType::Float32 => conv2d_f32(builder, operator, params),
        other => Err(unsupported(x, other)),
    }
}

fn conv2d_i8(builder: &mut Builder, operator: &Operator, params: &ConvParams) -> Result<(), Refusal> {
    let (x, weights) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.inputs[1]));
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let y = builder.tensor(operator.outputs[0]);
    let window = conv_window(x, weights, y, params)?;
    let ((input_scale, input_zero), (output_scale, output_zero)) = (quant::int8(x)?, quant::int8(y)?);
    let (min, max) = quant::clamp(params.activation, output_scale, output_zero);
    let quant = Int8 { input_zero, output_zero, min, max, rounding: Rounding::Twice };
    let outputs = window.output[2];
    let factors = quant::factors(input_scale, weights, output_scale, outputs)?;
    let values = quant::weights_i8(weights)?;
    let bias = quant::bias_i32(bias, outputs)?;
    let packed = builder.constant_i8(weights.name.clone(), &values);
    let [bias, multipliers, shifts] = quant::channels(builder, operator.outputs[0], &bias, &factors);
    let kernel = Kernel::Conv2dI8 { window, quant };
    let order = Order { block: Block::Elements(1), staged: true };
    push(builder, operator, &window, Step::new(kernel, order), vec![packed, bias, multipliers, shifts]);
    Ok(())
}

fn conv2d_f32(builder: &mut Builder, operator: &Operator, params: &ConvParams) -> Result<(), Refusal> {
    let (x, weights) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.inputs[1]));
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let window = conv_window(x, weights, builder.tensor(operator.outputs[0]), params)?;
    let (values, bias) = (quant::weights_f32(weights)?, quant::bias_f32(bias, window.output[2])?);
    let packed = builder.constant_f32(weights.name.clone(), &values);
    let bias = builder.constant_f32(format!("{} bias", weights.name), &bias);
    let (min, max) = params.activation.range();
    let kernel = Kernel::Conv2dF32 { window, clamp: Clamp { min, max } };
    let order = Order { block: Block::Elements(1), staged: true };
    push(builder, operator, &window, Step::new(kernel, order), vec![packed, bias]);
    Ok(())
}

/// The window, with the weights checked against it.
fn conv_window(x: &Tensor, weights: &Tensor, y: &Tensor, params: &ConvParams) -> Result<Window2d, Refusal> {
    let [o, kh, kw, c] = nhwc(weights)?;
    let window = window::conv(x, y, [kh, kw], params)?;
    if c != window.input[2] {
        return Err(Refusal(format!(
            "the weights `{}` have {c} input channels, `{}` has {}; only one group is supported",
            weights.name, x.name, window.input[2]
        )));
    }
    if o != window.output[2] {
        return Err(Refusal(format!(
            "the weights `{}` are {}, the output is {}",
            weights.name, weights.shape, y.shape
        )));
    }
    Ok(window)
}

/// Adds the step of a convolution whose every output channel reads every input channel.
fn push(builder: &mut Builder, operator: &Operator, window: &Window2d, step: Step, constants: Vec<crate::ConstantId>) {
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    builder.push(Step {
        inputs: vec![input],
        constants,
        outputs: vec![output],
        access: vec![window::access(window, output.extent)],
        partial: output.extent.rows == window.output[0],
        macs: output.extent.elements() as u64 * window.patch() as u64,
        ..step
    });
}
