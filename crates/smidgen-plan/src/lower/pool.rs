//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::builder::Builder;
use super::error::Refusal;
use super::quant::{self, unsupported};
use super::window;
use crate::access::{Access, Block, Order, Reach};
use crate::kernel::Kernel;
use crate::program::Step;
use smidgen_ir::{Activation, ElementType, Operator, Padding, PoolKind};
use smidgen_kernels::float::Clamp;

pub(super) fn pool(
    builder: &mut Builder,
    operator: &Operator,
    kind: PoolKind,
    size: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    activation: Activation,
) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let window = window::resolve(x, y, size, stride, [1, 1], padding)?;
    if window.input[2] != window.output[2] {
        return Err(Refusal(format!("`{}` and `{}` have different channels", x.name, y.name)));
    }
    let kernel = match x.element() {
        ElementType::Int8 => {
            let ((scale, zero_point), output) = (quant::int8(x)?, quant::int8(y)?);
            if (scale, zero_point) != output {
                return Err(Refusal(format!("`{}` and `{}` must have the same scale and zero point", x.name, y.name)));
            }
            let (min, max) = quant::clamp(activation, scale, zero_point);
            Kernel::PoolI8 { kind, window, clamp: [min, max] }
        }
        ElementType::Float32 => {
            let (min, max) = activation.range();
            Kernel::PoolF32 { kind, window, clamp: Clamp { min, max } }
        }
        other => return Err(unsupported(x, other)),
    };
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        access: vec![Access { depth: Reach::SAME, ..window::access(&window, output.extent.rows) }],
        partial: output.extent.rows == window.output[0],
        ..Step::new(kernel, Order { block: Block::Elements(1), staged: true })
    });
    Ok(())
}
