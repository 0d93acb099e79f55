//! SOFTMAX, L2_NORMALIZATION and LOG_SOFTMAX.

use super::builder::Builder;
use super::error::Refusal;
use super::quant::{self, unsupported};
use super::{elementwise_int16, tables};
use smidgen_ir::{ElementType, NormaliseKind, Operator};
use smidgen_kernels::int16;
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{ConstantId, Step};

pub(super) fn softmax(builder: &mut Builder, operator: &Operator, beta: f32) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    if x.shape.rank() == 0 {
        return Err(Refusal(format!("`{}` is a scalar; at least one dimension is needed", x.name)));
    }
    let (kernel, constants) = match (x.element(), y.element()) {
        (ElementType::Int8, ElementType::Int8) => {
            let ((scale, _), (output_scale, output_zero)) = (quant::int8(x)?, quant::int8(y)?);
            if output_zero != -128 || (output_scale - 1.0 / 256.0).abs() > 0.001 / 256.0 {
                return Err(Refusal(format!(
                    "`{}` has scale {output_scale} and zero point {output_zero}; this operator writes 1/256 and -128",
                    y.name
                )));
            }
            let table = tables::exponentials(beta, scale)?;
            (
                Kernel::SoftmaxI8(kernel::SoftmaxI8),
                vec![builder.constant_i32(format!("{} exponentials", y.name), &table)],
            )
        }
        (ElementType::Int16, ElementType::Int16) => {
            let how = elementwise_int16::softmax(beta, quant::int16(x)?)?;
            let tables = builder.constant_i16(format!("{} tables", y.name), &int16::Softmax::tables());
            (Kernel::SoftmaxI16(kernel::SoftmaxI16(how)), vec![tables])
        }
        (ElementType::Float32, ElementType::Float32) => (Kernel::SoftmaxF32(kernel::SoftmaxF32 { beta }), vec![]),
        (other, _) => return Err(unsupported(x, other)),
    };
    push(builder, operator, kernel, constants);
    Ok(())
}

pub(super) fn normalise(builder: &mut Builder, operator: &Operator, kind: NormaliseKind) -> Result<(), Refusal> {
    let (scale, zero) = quant::int8(builder.tensor(operator.inputs[0]))?;
    let kernel = match kind {
        NormaliseKind::L2 => Kernel::L2NormalizationI8(kernel::L2NormalizationI8 { input_zero: zero }),
        NormaliseKind::LogSoftmax => Kernel::LogSoftmaxI8(kernel::LogSoftmaxI8(tables::log_softmax(scale)?)),
    };
    push(builder, operator, kernel, vec![]);
    Ok(())
}

/// Adds a step that reads a pixel whole before it writes it.
fn push(builder: &mut Builder, operator: &Operator, kernel: Kernel, constants: Vec<ConstantId>) {
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    // A pixel is read whole before its first element is written, and from then on element by element.
    let depth = output.extent.depth;
    let depth = AxisFootprint::Table((0..depth).map(|c| (c, depth)).collect());
    builder.push(Step {
        inputs: vec![input],
        constants,
        outputs: vec![output],
        footprint: vec![Footprint { rows: AxisFootprint::SAME, cols: AxisFootprint::SAME, depth }],
        partial: true,
        ..Step::new(kernel, WriteOrder { granularity: Granularity::Elements(1), reads_first: true })
    });
}
