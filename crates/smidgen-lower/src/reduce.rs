//! MEAN, SUM, REDUCE_MAX and REDUCE_MIN.

use super::builder::Builder;
use super::elementwise::{strides, walked};
use super::error::Refusal;
use super::options::Reference;
use super::quant::{self, unsupported};
use super::window;
use smidgen_ir::{Activation, ElementType, Operator, PoolKind, ReduceKind};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::Reduce;
use smidgen_kernels::nd::MAX_RANK;
use smidgen_kernels::requant::{Factor, Rounding};
use smidgen_kernels::{Window2d, int16};
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::{Axes, Kernel, flat};
use smidgen_program::program::{Extent, Step};
use std::ops::Range;

/// Most elements of one output of REDUCE_MAX that a pool takes in: what a window may span.
const MOST_POOLED: usize = 1 << 16;

pub(super) fn reduce(
    builder: &mut Builder,
    operator: &Operator,
    kind: ReduceKind,
    axes: &[usize],
) -> Result<(), Refusal> {
    match kind {
        ReduceKind::Mean => sum(builder, operator, axes, true),
        ReduceKind::Sum => sum(builder, operator, axes, false),
        ReduceKind::Max => extremum(builder, operator, axes, true),
        ReduceKind::Min => extremum(builder, operator, axes, false),
    }
}

/// MEAN, or SUM.
fn sum(builder: &mut Builder, operator: &Operator, axes: &[usize], mean: bool) -> Result<(), Refusal> {
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
                factor: factor(mean, sx as f64 / sy as f64, count),
                output_zero: zy,
                // What is less by 128 has a sign, however kernels of int8 read it.
                reading: reading(builder.options.reference, mean || operator.uint8),
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
        ElementType::Int16 if mean => {
            let scales = quant::int16(x)? as f64 / quant::int16(y)? as f64;
            let reduce = int16::Reduce { factor: factor(mean, scales, count), rounding: Rounding::Twice };
            if image {
                Kernel::ReduceImageI16(kernel::ReduceImageI16 { input: input_extent, reduce })
            } else {
                let (kept, reduced) = split(dims, axes)?;
                Kernel::ReduceI16(kernel::ReduceI16 { kept, reduced, reduce })
            }
        }
        ElementType::Float32 => {
            let divisor = if mean { count as f32 } else { 1.0 };
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
    let (footprint, granularity) = match &kernel {
        Kernel::ReduceI8(kernel::ReduceI8 { kept, reduced, .. })
        | Kernel::ReduceI16(kernel::ReduceI16 { kept, reduced, .. })
        | Kernel::ReduceF32(kernel::ReduceF32 { kept, reduced, .. }) => {
            (elements_read(kept, reduced), Granularity::Elements(1))
        }
        _ => (Footprint::ALL, Granularity::Run),
    };
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![footprint],
        consumes: image,
        state_bytes,
        ..Step::new(kernel, WriteOrder { granularity, reads_first: true })
    });
    Ok(())
}

/// REDUCE_MAX, or REDUCE_MIN.
fn extremum(builder: &mut Builder, operator: &Operator, axes: &[usize], greatest: bool) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let dims = x.shape.dims();
    if greatest && let Some(window) = block(dims, axes) {
        return pool(builder, operator, window);
    }
    let (kept, reduced) = split(dims, axes)?;
    let footprint = elements_read(&kept, &reduced);
    let kernel = match x.element() {
        ElementType::Int8 => Kernel::ExtremumI8(kernel::ExtremumI8 { kept, reduced, greatest }),
        ElementType::Int16 => Kernel::ExtremumI16(kernel::ExtremumI16 { kept, reduced, greatest }),
        ElementType::Float32 => Kernel::ExtremumF32(kernel::ExtremumF32 { kept, reduced, greatest }),
        other => return Err(unsupported(x, other)),
    };
    let input = builder.activation_as(operator.inputs[0], flat(x.shape.elements()));
    let output = builder.target_as(operator.outputs[0], flat(y.shape.elements()));
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![footprint],
        ..Step::new(kernel, WriteOrder { granularity: Granularity::Elements(1), reads_first: true })
    });
    Ok(())
}

/// The window that takes in all elements of one output of a reduction, if the axes that go lie side by side: the tensor is then
/// seen as those before them, them, and those after them.
fn block(dims: &[usize], axes: &[usize]) -> Option<Window2d> {
    let gone = |&axis: &usize| axes.contains(&axis) && dims[axis] != 1;
    let first = (0..dims.len()).find(gone)?;
    let end = (0..dims.len()).rfind(gone)? + 1;
    let together = (first..end).all(|axis| axes.contains(&axis) || dims[axis] == 1);
    let count = |range: Range<usize>| dims[range].iter().product::<usize>();
    let (before, size, after) = (count(0..first), count(first..end), count(end..dims.len()));
    (together && size <= MOST_POOLED).then_some(Window2d {
        input: [before, size, after],
        output: [before, 1, after],
        size: [1, size],
        stride: [1, size],
        dilation: [1, 1],
        before: [0, 0],
    })
}

/// REDUCE_MAX as the pool that it is, whose kernels take several channels at a time.
fn pool(builder: &mut Builder, operator: &Operator, window: Window2d) -> Result<(), Refusal> {
    let x = builder.tensor(operator.inputs[0]);
    let kind = PoolKind::Max;
    let kernel = match x.element() {
        ElementType::Int8 => Kernel::PoolI8(kernel::PoolI8 { kind, window, clamp: [i8::MIN, i8::MAX] }),
        ElementType::Int16 => Kernel::PoolI16(kernel::PoolI16 { kind, window, clamp: [i16::MIN, i16::MAX] }),
        ElementType::Float32 => {
            let (min, max) = Activation::None.range();
            Kernel::PoolF32(kernel::PoolF32 { kind, window, clamp: Clamp { min, max } })
        }
        other => return Err(unsupported(x, other)),
    };
    let extent = |[rows, cols, depth]: [usize; 3]| Extent { rows, cols, depth };
    let input = builder.activation_as(operator.inputs[0], extent(window.input));
    let output = builder.target_as(operator.outputs[0], extent(window.output));
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![Footprint { depth: AxisFootprint::SAME, ..window::footprint(&window, window.output[0]) }],
        partial: true,
        ..Step::new(kernel, WriteOrder { granularity: Granularity::Elements(1), reads_first: true })
    });
    Ok(())
}

/// What each output reads: from the first to the last of the elements that go into it.
fn elements_read(kept: &Axes, reduced: &Axes) -> Footprint {
    let last: isize = reduced.dims.iter().zip(&reduced.strides).map(|(&d, s)| (d as isize - 1) * s).sum();
    walked(&kept.dims, 0, &kept.strides, (last + 1).max(0) as usize)
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
fn factor(mean: bool, scales: f64, count: usize) -> Factor {
    let factor = Factor::new(scales);
    if !mean {
        return factor;
    }
    if count == 0 {
        return Factor::default();
    }
    let bits = (count.ilog2() as i32).min(32).min(31 + factor.shift as i32);
    let multiplier = ((factor.multiplier as i64) << bits) / count as i64;
    Factor { multiplier: multiplier as i32, shift: factor.shift - bits as i8 }
}

/// How stored bytes are read.
fn reading(reference: Reference, signed: bool) -> smidgen_kernels::int8::Reading {
    if signed { smidgen_kernels::int8::Reading::Signed } else { reference.sum() }
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
