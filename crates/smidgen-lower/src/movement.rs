//! Operators that move elements and compute nothing: PAD, SLICE, STRIDED_SLICE, SPLIT, UNPACK, CONCATENATION, PACK, TRANSPOSE.
//!
//! All but the last become steps that can run by rows. Where an operator's axes are not those of the rows, columns and channels that
//! its tensors are seen as, the tensors are seen with another extent, which only asks that they are stored whole.

use super::builder::Builder;
use super::elementwise::{push_to, strides, walked};
use super::error::Refusal;
use super::quant;
use super::tables::{self, Ends};
use smidgen_ir::{Activation, AxisSlice, ElementType, Operator, PadValue, Tensor, TensorId};
use smidgen_kernels::float::{self, Clamp};
use smidgen_kernels::movement::Axis;
use smidgen_kernels::nd::MAX_RANK;
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::{AxisIndex, Kernel, flat};
use smidgen_program::program::{BufferId, Extent, Operand, Step, Target};

/// For each output index along one axis, the input index; `None` for the fill.
type AxisMap = Vec<Option<usize>>;

pub(super) fn pad(
    builder: &mut Builder,
    operator: &Operator,
    pads: &[[usize; 2]],
    value: PadValue,
) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let fill = fill(y, value)?;
    let maps = (x.shape.dims().iter().zip(pads))
        .map(|(&size, &[before, after])| {
            (0..before + size + after).map(|i| i.checked_sub(before).filter(|&i| i < size)).collect()
        })
        .collect();
    let target = builder.target(operator.outputs[0]);
    push_gather(builder, operator, maps, target, fill)
}

/// The bytes of one element of the fill.
fn fill(y: &Tensor, value: PadValue) -> Result<[u8; 8], Refusal> {
    let integer = match value {
        PadValue::Zero => y.per_tensor().map_or(0, |(_, zero_point)| zero_point),
        PadValue::Integer(integer) => integer,
        PadValue::Float(real) => {
            if y.element() != ElementType::Float32 {
                return Err(Refusal(format!("`{}` is {} and cannot be padded with a float", y.name, y.element())));
            }
            real.to_bits() as i32
        }
    };
    if y.element() == ElementType::Float32 && matches!(value, PadValue::Integer(_)) {
        return Err(Refusal(format!("`{}` is f32 and cannot be padded with an integer", y.name)));
    }
    // Sign-extended, so that the lowest bytes serve every element type.
    Ok((integer as i64).to_le_bytes())
}

pub(super) fn slice(
    builder: &mut Builder,
    operator: &Operator,
    begin: &[usize],
    size: &[usize],
) -> Result<(), Refusal> {
    let maps = begin.iter().zip(size).map(|(&begin, &size)| (begin..begin + size).map(Some).collect()).collect();
    let target = builder.target(operator.outputs[0]);
    push_gather(builder, operator, maps, target, [0; 8])
}

pub(super) fn strided_slice(builder: &mut Builder, operator: &Operator, axes: &[AxisSlice]) -> Result<(), Refusal> {
    let taken: Vec<usize> = axes.iter().map(|a| a.len).collect();
    if axes.iter().any(|a| a.stride < 0 && a.len > 1) {
        let own = strides(builder.tensor(operator.inputs[0]).shape.dims());
        let first = axes.iter().zip(&own).map(|(a, &stride)| a.start * stride as usize).sum();
        let steps = axes.iter().zip(&own).map(|(a, &stride)| a.stride * stride).collect();
        return push_permute(builder, operator, taken, first, steps);
    }
    let maps = axes
        .iter()
        .map(|a| (0..a.len).map(|i| Some(a.start.wrapping_add_signed(a.stride * i as isize))).collect())
        .collect();
    // Dropped axes have size 1, so the elements are the same.
    let target = builder.target_as(operator.outputs[0], Extent::of(&taken));
    push_gather(builder, operator, maps, target, [0; 8])
}

pub(super) fn split(builder: &mut Builder, operator: &Operator, axis: usize) -> Result<(), Refusal> {
    let dims = builder.tensor(operator.inputs[0]).shape.dims();
    let size = dims[axis] / operator.outputs.len().max(1);
    for (part, &output) in operator.outputs.iter().enumerate() {
        let mut maps: Vec<AxisMap> = dims.iter().map(|&dim| (0..dim).map(Some).collect()).collect();
        maps[axis] = (part * size..(part + 1) * size).map(Some).collect();
        let target = builder.target(output);
        push_gather(builder, operator, maps, target, [0; 8])?;
    }
    Ok(())
}

pub(super) fn unpack(builder: &mut Builder, operator: &Operator, axis: usize) -> Result<(), Refusal> {
    let dims = builder.tensor(operator.inputs[0]).shape.dims();
    for (part, &output) in operator.outputs.iter().enumerate() {
        let mut maps: Vec<AxisMap> = dims.iter().map(|&dim| (0..dim).map(Some).collect()).collect();
        maps[axis] = vec![Some(part)];
        let taken: Vec<usize> = maps.iter().map(Vec::len).collect();
        let target = builder.target_as(output, Extent::of(&taken));
        push_gather(builder, operator, maps, target, [0; 8])?;
    }
    Ok(())
}

/// Adds a gather from `[N,H,W,C]` that maps rows of each image, and columns.
pub(super) fn push_gather_images(builder: &mut Builder, operator: &Operator, [rows, cols]: [AxisMap; 2]) {
    let dims = builder.tensor(operator.inputs[0]).shape.dims();
    let same = |dim: usize| (0..dim).map(Some).collect::<AxisMap>();
    let maps = vec![same(dims[0]), rows, cols, same(dims[3])];
    let target = builder.target(operator.outputs[0]);
    push_gather_of(builder, operator, maps, target, [0; 8]);
}

/// Adds a gather from the operator's input, if its indices can be written down.
fn push_gather(
    builder: &mut Builder,
    operator: &Operator,
    maps: Vec<AxisMap>,
    target: Target,
    fill: [u8; 8],
) -> Result<(), Refusal> {
    let x = builder.tensor(operator.inputs[0]);
    if x.shape.elements() > i32::MAX as usize {
        return Err(Refusal(format!("`{}` of {} has 2^31 elements or more", x.name, x.shape)));
    }
    push_gather_of(builder, operator, maps, target, fill);
    Ok(())
}

/// `maps` has one entry for each axis of the operator's input.
fn push_gather_of(builder: &mut Builder, operator: &Operator, mut maps: Vec<AxisMap>, target: Target, fill: [u8; 8]) {
    let x = builder.tensor(operator.inputs[0]);
    let dims = x.shape.dims();
    // Seen as rows, columns and channels as `Extent::of` sees it.
    let one = || vec![Some(0)];
    let depth = maps.pop().unwrap_or_else(one);
    let cols = if maps.len() >= 2 { maps.pop().unwrap_or_else(one) } else { one() };
    let rows = joined(&dims[..maps.len()], &maps);
    let extent = Extent::of(dims);
    let index =
        [AxisIndex::fit(&rows, extent.rows), AxisIndex::fit(&cols, extent.cols), AxisIndex::fit(&depth, extent.depth)];
    let name = &builder.tensor(operator.outputs[0]).name;
    let tables: Vec<Vec<i32>> = index.iter().filter_map(|i| i.table()).map(<[i32]>::to_vec).collect();
    let constants =
        tables.iter().map(|table| builder.constant_i32(format!("{name} indices"), table)).collect::<Vec<_>>();
    let footprint = Footprint {
        rows: index[0].reach(rows.len(), extent.rows),
        cols: index[1].reach(cols.len(), extent.cols),
        depth: index[2].reach(depth.len(), extent.depth),
    };
    // Channels that follow one another are moved a pixel at a time.
    let granularity = match index[2] {
        AxisIndex::Affine { stride: 1, divide: 1, .. } => Granularity::Pixels(1),
        _ => Granularity::Elements(1),
    };
    let input = builder.activation(operator.inputs[0]);
    builder.push(Step {
        inputs: vec![input],
        constants,
        outputs: vec![target],
        footprint: vec![footprint],
        partial: true,
        ..Step::new(
            Kernel::Gather(kernel::Gather { element: x.element(), input: extent, index, fill }),
            WriteOrder { granularity, reads_first: true },
        )
    });
}

/// The map of several axes joined into one, row-major.
fn joined(dims: &[usize], maps: &[AxisMap]) -> AxisMap {
    let mut all = vec![Some(0)];
    for (&dim, map) in dims.iter().zip(maps) {
        all = (all.iter()).flat_map(|&outer| map.iter().map(move |&inner| Some(outer? * dim + inner?))).collect();
    }
    all
}

pub(super) fn concatenation(
    builder: &mut Builder,
    operator: &Operator,
    axis: usize,
    activation: Activation,
) -> Result<(), Refusal> {
    let y = builder.tensor(operator.outputs[0]);
    let joined = y.shape.dims().to_vec();
    let mut pieces = Vec::new();
    for &id in &operator.inputs {
        let dims = builder.tensor(id).shape.dims().to_vec();
        let operand = if operator.uint8 { rescaled(builder, id, y)? } else { builder.input(id) };
        pieces.push((operand, dims));
    }
    let output = builder.target(operator.outputs[0]);
    if activation == Activation::None {
        push_concat(builder, pieces, axis, &joined, output.buffer, y.element());
        return Ok(());
    }
    if y.element() != ElementType::Float32 {
        return Err(Refusal("a fused activation is supported on f32 only".into()));
    }
    let before = builder.temporary(format!("{} before activation", y.name), y.element(), output.extent);
    push_concat(builder, pieces, axis, &joined, before, y.element());
    let (min, max) = activation.range();
    builder.push(Step {
        inputs: vec![Operand::Buffer(before, output.extent)],
        outputs: vec![output],
        footprint: vec![Footprint::SAME],
        partial: true,
        ..Step::new(
            Kernel::UnaryF32(kernel::UnaryF32(float::Unary::Clamp(Clamp { min, max }))),
            WriteOrder { granularity: Granularity::Elements(1), reads_first: true },
        )
    });
    Ok(())
}

/// An input of a CONCATENATION of uint8, brought to the output's scale and zero point where it has others.
fn rescaled(builder: &mut Builder, id: TensorId, y: &Tensor) -> Result<Operand, Refusal> {
    let x = builder.tensor(id);
    let (from, to) = (quant::int8(x)?, quant::int8(y)?);
    if from == to {
        return Ok(builder.input(id));
    }
    let table = tables::joined(Ends { from, to }, &x.name)?;
    let table = builder.constant_i8(format!("{} table", x.name), &table);
    let (input, extent) = (builder.activation(id), Extent::of(x.shape.dims()));
    let buffer = builder.temporary(format!("{} rescaled", x.name), ElementType::Int8, extent);
    push_to(builder, input, Target { buffer, extent }, Kernel::TableI8(kernel::TableI8), vec![table]);
    Ok(Operand::Buffer(buffer, extent))
}

pub(super) fn pack(builder: &mut Builder, operator: &Operator, axis: usize) -> Result<(), Refusal> {
    let y = builder.tensor(operator.outputs[0]);
    let mut pieces = Vec::new();
    for &id in &operator.inputs {
        let mut dims = builder.tensor(id).shape.dims().to_vec();
        dims.insert(axis, 1);
        pieces.push((builder.input(id), dims));
    }
    let output = builder.target(operator.outputs[0]).buffer;
    push_concat(builder, pieces, axis, y.shape.dims(), output, y.element());
    Ok(())
}

/// Adds a step that joins `pieces`, seen with these dimensions, along `axis` to a tensor of dimensions `joined`.
fn push_concat(
    builder: &mut Builder,
    pieces: Vec<(Operand, Vec<usize>)>,
    axis: usize,
    joined: &[usize],
    output: BufferId,
    element: ElementType,
) {
    let outer: usize = joined[..axis].iter().product();
    let rank = joined.len();
    // Where the axis is one of the view's, the view is that of the tensors. Else everything from the axis on becomes the channels
    // of as many pixels as there are indices before it.
    let along = match rank - axis {
        1 => Some(Axis::Depth),
        2 if rank >= 3 => Some(Axis::Cols),
        _ if outer == 1 => Some(Axis::Rows),
        _ => None,
    };
    let see = |dims: &[usize]| match along {
        Some(_) => Extent::of(dims),
        None => Extent { rows: outer, cols: 1, depth: dims[axis..].iter().product() },
    };
    let along = along.unwrap_or(Axis::Depth);
    let (mut inputs, mut footprint, mut sizes, mut offset) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (operand, dims) in &pieces {
        let extent = see(dims);
        inputs.push(match *operand {
            Operand::Buffer(buffer, _) => Operand::Buffer(buffer, extent),
            constant => constant,
        });
        let shifted = AxisFootprint::Window { extent: 1, stride: 1, before: offset as isize };
        let (size, reach) = match along {
            Axis::Rows => (extent.rows, Footprint { rows: shifted, ..Footprint::SAME }),
            Axis::Cols => (extent.cols, Footprint { cols: shifted, ..Footprint::SAME }),
            Axis::Depth => (extent.depth, Footprint { depth: shifted, ..Footprint::SAME }),
        };
        footprint.push(reach);
        sizes.push(size);
        offset += size;
    }
    builder.push(Step {
        inputs,
        outputs: vec![Target { buffer: output, extent: see(joined) }],
        footprint,
        partial: true,
        ..Step::new(
            Kernel::Concat(kernel::Concat { element, axis: along, sizes }),
            WriteOrder { granularity: Granularity::Elements(1), reads_first: true },
        )
    });
}

pub(super) fn transpose(builder: &mut Builder, operator: &Operator, perm: &[usize]) -> Result<(), Refusal> {
    let dims = builder.tensor(operator.inputs[0]).shape.dims();
    let moved = || perm.iter().filter(|&&axis| dims[axis] != 1);
    if moved().is_sorted() {
        // Only axes of size 1 change places.
        return builder.alias(operator.inputs[0], operator.outputs[0]);
    }
    let own = strides(dims);
    let steps = perm.iter().map(|&axis| own[axis]).collect();
    push_permute(builder, operator, perm.iter().map(|&axis| dims[axis]).collect(), 0, steps)
}

/// Adds a step whose output has dimensions `dims` (up to axes of size 1) and takes input elements `first + index * strides`.
fn push_permute(
    builder: &mut Builder,
    operator: &Operator,
    dims: Vec<usize>,
    first: usize,
    strides: Vec<isize>,
) -> Result<(), Refusal> {
    let x = builder.tensor(operator.inputs[0]);
    if dims.len() > MAX_RANK {
        return Err(Refusal(format!("`{}` has {} dimensions; up to {MAX_RANK} are supported", x.name, dims.len())));
    }
    let elements = x.shape.elements();
    let input = builder.activation_as(operator.inputs[0], flat(elements));
    let element = x.element();
    let target = builder.target_as(operator.outputs[0], flat(dims.iter().product()));
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![target],
        footprint: vec![walked(&dims, first, &strides, 1)],
        ..Step::new(
            Kernel::Permute(kernel::Permute { element, elements, dims, first, strides }),
            WriteOrder { granularity: Granularity::Elements(1), reads_first: true },
        )
    });
    Ok(())
}
