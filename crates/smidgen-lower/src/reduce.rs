//! MEAN and SUM.

use super::builder::Builder;
use super::elementwise::{strides, walked};
use super::error::Refusal;
use super::options::Reference;
use super::quant::{self, unsupported};
use smidgen_ir::{ElementType, Operator, ReduceKind};
use smidgen_kernels::int8::Reduce;
use smidgen_kernels::int16;
use smidgen_kernels::nd::MAX_RANK;
use smidgen_kernels::requant::{Factor, Rounding};
use smidgen_program::footprint::{Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::{Axes, Kernel, flat};
use smidgen_program::program::{Extent, Step};

pub(super) fn reduce(
    builder: &mut Builder,
    operator: &Operator,
    kind: ReduceKind,
    axes: &[usize],
) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let dims = x.shape.dims();
    let count: usize = axes.iter().map(|&axis| dims[axis]).product();
    let image = whole_image(dims, axes);
    let input_extent = Extent::of(dims);
    let kernel = match x.element() {
        ElementType::Int8 => {
            let ((sx, zx), (sy, zy)) = (quant::int8(x)?, quant::int8(y)?);
            let reduce = Reduce {
                zeros: zx.wrapping_mul(count as i32),
                factor: factor(kind, sx as f64 / sy as f64, count),
                output_zero: zy,
                reading: reading(builder.options.reference, kind),
                rounding: Rounding::Twice,
            };
            if image {
                Kernel::ReduceImageI8(kernel::ReduceImageI8 { input: input_extent, reduce })
            } else {
                let (kept, reduced) = split(dims, axes)?;
                Kernel::ReduceI8(kernel::ReduceI8 { kept, reduced, reduce })
            }
        }
        // The reference reads int16 as bytes here, of which nothing but noise comes.
        ElementType::Int16 if kind == ReduceKind::Mean => {
            let scales = quant::int16(x)? as f64 / quant::int16(y)? as f64;
            let reduce = int16::Reduce { factor: factor(kind, scales, count), rounding: Rounding::Twice };
            if image {
                Kernel::ReduceImageI16(kernel::ReduceImageI16 { input: input_extent, reduce })
            } else {
                let (kept, reduced) = split(dims, axes)?;
                Kernel::ReduceI16(kernel::ReduceI16 { kept, reduced, reduce })
            }
        }
        ElementType::Float32 => {
            let divisor = match kind {
                ReduceKind::Mean => count as f32,
                ReduceKind::Sum => 1.0,
            };
            if image {
                Kernel::ReduceImageF32(kernel::ReduceImageF32 { input: input_extent, divisor })
            } else {
                let (kept, reduced) = split(dims, axes)?;
                Kernel::ReduceF32(kernel::ReduceF32 { kept, reduced, divisor })
            }
        }
        other => return Err(unsupported(x, other)),
    };
    let (input_extent, state_bytes) =
        if image { (input_extent, 4 * input_extent.depth) } else { (flat(x.shape.elements()), 0) };
    let input = builder.activation_as(operator.inputs[0], input_extent);
    let output = builder.target_as(operator.outputs[0], flat(y.shape.elements()));
    let (footprint, block) = match &kernel {
        Kernel::ReduceI8(kernel::ReduceI8 { kept, reduced, .. })
        | Kernel::ReduceI16(kernel::ReduceI16 { kept, reduced, .. })
        | Kernel::ReduceF32(kernel::ReduceF32 { kept, reduced, .. }) => {
            // From the first to the last of the elements that one sum takes in.
            let last: isize = reduced.dims.iter().zip(&reduced.strides).map(|(&d, s)| (d as isize - 1) * s).sum();
            (walked(&kept.dims, 0, &kept.strides, (last + 1).max(0) as usize), Granularity::Elements(1))
        }
        _ => (Footprint::ALL, Granularity::Run),
    };
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![footprint],
        consumes: image,
        state_bytes,
        ..Step::new(kernel, WriteOrder { granularity: block, reads_first: true })
    });
    Ok(())
}

/// Whether a reduction leaves one pixel of all rows and columns: every axis but the last is reduced or has size 1, and the last stays.
fn whole_image(dims: &[usize], axes: &[usize]) -> bool {
    let Some((last, outer)) = dims.split_last() else { return false };
    let rest = outer.iter().enumerate().all(|(axis, &size)| size == 1 || axes.contains(&axis));
    // An empty image would never be consumed, so its output would never be written.
    rest && *last > 0 && !outer.contains(&0) && !axes.contains(&(dims.len() - 1))
}

/// From sums to outputs. MEAN takes the division into the multiplier: it is shifted up as far as the count has bits, divided,
/// and the shift taken back.
fn factor(kind: ReduceKind, scales: f64, count: usize) -> Factor {
    let factor = Factor::new(scales);
    match kind {
        ReduceKind::Sum => factor,
        ReduceKind::Mean if count == 0 => Factor::default(),
        ReduceKind::Mean => {
            let bits = (count.ilog2() as i32).min(32).min(31 + factor.shift as i32);
            let multiplier = ((factor.multiplier as i64) << bits) / count as i64;
            Factor { multiplier: multiplier as i32, shift: factor.shift - bits as i8 }
        }
    }
}

/// How stored bytes are read.
fn reading(reference: Reference, kind: ReduceKind) -> smidgen_kernels::int8::Reading {
    match kind {
        ReduceKind::Mean => smidgen_kernels::int8::Reading::Signed,
        ReduceKind::Sum => reference.sum(),
    }
}

/// The axes that stay, and those that go.
fn split(dims: &[usize], axes: &[usize]) -> Result<(Axes, Axes), Refusal> {
    if dims.len() > MAX_RANK {
        return Err(Refusal(format!("the input has {} dimensions; up to {MAX_RANK} are supported", dims.len())));
    }
    let (mut kept, mut reduced) = (Axes::default(), Axes::default());
    for (axis, (&dim, stride)) in dims.iter().zip(strides(dims)).enumerate() {
        let side = if axes.contains(&axis) { &mut reduced } else { &mut kept };
        side.dims.push(dim);
        side.strides.push(stride);
    }
    Ok((kept, reduced))
}
