//! Layers on float32 with int8 weights: TensorFlow Lite's dynamic-range quantisation.

use super::builder::Builder;
use super::conv::clamp;
use super::error::Refusal;
use super::fully_connected;
use super::quant;
use smidgen_ir::{Activation, ElementType, Operator, Tensor};
use smidgen_kernels::Window2d;
use smidgen_kernels::float::DynamicRange;
use smidgen_program::footprint::{Footprint, Granularity, WriteOrder};
use smidgen_program::kernel::{Conv2dHybrid, DepthwiseHybrid, Kernel};
use smidgen_program::program::{ConstantId, Step};

/// The kernels write a pixel once they have read its window.
const PIXEL_WISE: WriteOrder = WriteOrder { granularity: Granularity::Pixels(1), reads_first: true };

/// True if the layer quantises its input as it comes.
pub(super) fn is_hybrid(x: &Tensor, weights: &Tensor) -> bool {
    x.element() == ElementType::Float32 && matches!(weights.element(), ElementType::Int8 | ElementType::Int4)
}

/// CONV_2D. As every output needs the range of its image, only whole runs make sense.
pub(super) fn conv2d(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    activation: Activation,
) -> Result<(), Refusal> {
    let (constants, scales) = constants(builder, operator, window.output[2])?;
    // The reference takes a zero point where scales differ, and none where they are one.
    let is_one = scales.windows(2).all(|pair| pair[0] == pair[1]);
    let range = if is_one { DynamicRange::Symmetric } else { DynamicRange::Asymmetric };
    let kernel = Conv2dHybrid { window: *window, clamp: clamp(activation), range, joint: is_one };
    let macs = window.patch() * builder.tensor(operator.outputs[0]).shape.elements();
    push(builder, operator, Step { constants, macs: macs as u64, ..step(kernel) });
    Ok(())
}

/// DEPTHWISE_CONV_2D, of which the same holds.
pub(super) fn depthwise(
    builder: &mut Builder,
    operator: &Operator,
    window: &Window2d,
    activation: Activation,
) -> Result<(), Refusal> {
    let (constants, _) = constants(builder, operator, window.output[2])?;
    let kernel = DepthwiseHybrid { window: *window, clamp: clamp(activation) };
    let macs = window.area() * builder.tensor(operator.outputs[0]).shape.elements();
    push(builder, operator, Step { constants, macs: macs as u64, ..step(kernel) });
    Ok(())
}

/// FULLY_CONNECTED: each row is an image of one pixel.
pub(super) fn fully_connected(
    builder: &mut Builder,
    operator: &Operator,
    [outputs, inputs]: [usize; 2],
    (asymmetric, activation): (bool, Activation),
) -> Result<(), Refusal> {
    let (constants, _) = constants(builder, operator, outputs)?;
    let window = Window2d::of_row(inputs, outputs);
    let range = if asymmetric { DynamicRange::Asymmetric } else { DynamicRange::Symmetric };
    let step = step(Conv2dHybrid { window, clamp: clamp(activation), range, joint: true });
    fully_connected::push(builder, operator, [outputs, inputs], Step { constants, ..step });
    Ok(())
}

/// Weights, their scales and the bias, and the scale of each output channel.
fn constants(
    builder: &mut Builder,
    operator: &Operator,
    outputs: usize,
) -> Result<(Vec<ConstantId>, Vec<f32>), Refusal> {
    let weights = builder.tensor(operator.inputs[1]);
    let bias = operator.inputs.get(2).map(|&t| builder.tensor(t));
    let (values, bias) = (quant::weights_i8(weights)?, quant::bias_f32(bias, outputs)?);
    let axis = operator.op.traits().weights.map_or(0, |weights| weights.axis);
    if !weights.dtype.is_symmetric_weights(axis) {
        return Err(Refusal(format!(
            "the weights `{}` beside floats have a zero point, or not a scale for each output channel",
            weights.name
        )));
    }
    let scales = quant::scales(weights, outputs)?;
    let name = weights.name.clone();
    let ids = vec![
        builder.constant_i8(name.clone(), &values),
        builder.constant_f32(format!("{name} channels"), &[&scales[..], &bias].concat()),
    ];
    Ok((ids, scales))
}

/// A step without its operands.
fn step(kernel: impl Into<Kernel>) -> Step {
    let kernel = kernel.into();
    let scratch_bytes = kernel.spec().scratch().next_multiple_of(4);
    Step { scratch_bytes, ..Step::new(kernel, PIXEL_WISE) }
}

/// Adds a step that takes its input whole.
fn push(builder: &mut Builder, operator: &Operator, step: Step) {
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    builder.push(Step { inputs: vec![input], outputs: vec![output], footprint: vec![Footprint::ALL], ..step });
}
