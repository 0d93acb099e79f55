//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::builder::Builder;
use super::error::Refusal;
use super::quant::{self, unsupported};
use super::window;
use smidgen_ir::{Activation, ElementType, Operator, Padding, PoolKind};
use smidgen_kernels::Window2d;
use smidgen_kernels::float::Clamp;
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{Extent, Step};

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
            let (min, max) = quant::clamp(activation, scale, zero_point)?;
            match kind {
                PoolKind::Average if operator.uint8 => {
                    Kernel::AverageUint8(kernel::AverageUint8 { window, clamp: [min, max] })
                }
                _ => Kernel::PoolI8(kernel::PoolI8 { kind, window, clamp: [min, max] }),
            }
        }
        ElementType::Int16 => {
            let scale = quant::int16(x)?;
            if scale != quant::int16(y)? {
                return Err(Refusal(format!("`{}` and `{}` must have the same scale", x.name, y.name)));
            }
            let (min, max) = quant::clamp(activation, scale, 0)?;
            Kernel::PoolI16(kernel::PoolI16 { kind, window, clamp: [min, max] })
        }
        ElementType::Float32 => {
            let (min, max) = activation.range();
            Kernel::PoolF32(kernel::PoolF32 { kind, window, clamp: Clamp { min, max } })
        }
        other => return Err(unsupported(x, other)),
    };
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    if let Some(reduction) = over_image(&kernel, &window, output.extent.rows) {
        // Taken in row by row, the image need never be there as a whole.
        builder.push(Step {
            inputs: vec![input],
            outputs: vec![output],
            footprint: vec![Footprint::ALL],
            consumes: true,
            state_bytes: 4 * output.extent.depth,
            ..Step::new(reduction, WriteOrder { granularity: Granularity::Run, reads_first: true })
        });
        return Ok(());
    }
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![Footprint { depth: AxisFootprint::SAME, ..window::footprint(&window, output.extent.rows) }],
        partial: output.extent.rows == window.output[0],
        ..Step::new(kernel, WriteOrder { granularity: Granularity::Elements(1), reads_first: true })
    });
    Ok(())
}

/// The reduction that an average over all of one image is.
fn over_image(kernel: &Kernel, window: &Window2d, rows: usize) -> Option<Kernel> {
    let [height, width, depth] = window.input;
    let covers = |axis: usize| window.size[axis] >= window.before[axis] + window.input[axis];
    if rows != 1 || window.output[..2] != [1, 1] || !covers(0) || !covers(1) {
        return None;
    }
    let input = Extent { rows: height, cols: width, depth };
    let (min, max) = Activation::None.range();
    let unbounded = Clamp { min, max };
    match *kernel {
        Kernel::PoolI8(kernel::PoolI8 { kind: PoolKind::Average, clamp, .. }) => {
            Some(Kernel::PoolImageI8(kernel::PoolImageI8 { input, clamp }))
        }
        Kernel::PoolI16(kernel::PoolI16 { kind: PoolKind::Average, clamp, .. }) => {
            Some(Kernel::PoolImageI16(kernel::PoolImageI16 { input, clamp }))
        }
        Kernel::PoolF32(kernel::PoolF32 { kind: PoolKind::Average, clamp, .. }) if clamp == unbounded => {
            Some(Kernel::ReduceImageF32(kernel::ReduceImageF32 { input, divisor: (height * width) as f32 }))
        }
        _ => None,
    }
}
