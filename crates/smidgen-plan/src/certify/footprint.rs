//! Invariant 9: what a kernel's parameters and constants make it read lies in its operands, and in what the step says that it reads.

use crate::access::{Block, Reach};
use crate::kernel::{AxisIndex, Broadcast, Elementwise, Kernel, Movement, Reduction};
use crate::program::{Extent, Operand, Program, Step};
use smidgen_kernels::Window2d;
use smidgen_kernels::movement::Axis;
use smidgen_kernels::nd::MAX_RANK;

use super::structure::product;

/// The input indices that an output index needs along an axis.
type Needs<'a> = Box<dyn Fn(usize) -> (usize, usize) + 'a>;

/// True if every size that follows from the parameters can be worked out without overflow, and no kernel divides by 0 or goes beyond its
/// operands for them. What [`Kernel::demands`] says can be relied on only then.
pub(super) fn sizes(kernel: &Kernel) -> bool {
    match kernel {
        Kernel::Load { .. } => true,
        Kernel::Conv2dI8 { window, .. }
        | Kernel::Conv2dI8Fast { window, .. }
        | Kernel::Conv2dI8Device { window, .. }
        | Kernel::Conv2dI16 { window, .. }
        | Kernel::Conv2dI16Device { window, .. }
        | Kernel::Conv2dF32 { window, .. }
        | Kernel::Conv2dHybrid { window, .. }
        | Kernel::TransposeConvI8 { window, .. }
        | Kernel::TransposeConvI16 { window, .. }
        | Kernel::TransposeConvF32 { window, .. } => {
            geometry(window) && some(&[window.size[0], window.size[1], window.input[2], window.output[2]])
        }
        Kernel::DepthwiseI8 { window, .. }
        | Kernel::DepthwiseI16 { window, .. }
        | Kernel::DepthwiseF32 { window, .. } => geometry(window) && window.output[2].is_multiple_of(window.input[2]),
        Kernel::DepthwiseI8Fast { window, .. }
        | Kernel::DepthwiseI8Device { window, .. }
        | Kernel::DepthwiseI16Device { window, .. }
        | Kernel::PoolI8 { window, .. }
        | Kernel::PoolI16 { window, .. }
        | Kernel::PoolF32 { window, .. } => geometry(window) && window.output[2] == window.input[2],
        Kernel::FullyConnectedF32 { inputs, outputs, .. }
        | Kernel::FullyConnectedI8 { inputs, outputs, .. }
        | Kernel::FullyConnectedI8Fast { inputs, outputs, .. }
        | Kernel::FullyConnectedI8Device { inputs, outputs, .. }
        | Kernel::FullyConnectedI16 { inputs, outputs, .. }
        | Kernel::FullyConnectedI16Device { inputs, outputs, .. } => some(&[*inputs, *outputs]),
        Kernel::ResizeI8 { scales } | Kernel::ResizeI16 { scales } => {
            scales.iter().all(|s| some(&[s.input]) && some(&[s.output]))
        }
        Kernel::ResizeF32 { scales } => scales.iter().all(|s| some(&[s.input]) && some(&[s.output])),
        Kernel::Elementwise(kernel) => elementwise(kernel),
        Kernel::Movement(kernel) => movement(kernel),
        Kernel::Reduction(kernel) => reduction(kernel),
    }
}

/// True if the product is neither 0 nor too large.
fn some(factors: &[usize]) -> bool {
    product(factors).is_some_and(|all| all > 0)
}

fn extent(e: &Extent) -> bool {
    some(&[e.rows, e.cols, e.depth])
}

fn geometry(w: &Window2d) -> bool {
    let covered = |axis: usize| w.size[axis].checked_sub(1)?.checked_mul(w.dilation[axis]);
    let axis = |axis: usize| {
        let covered = covered(axis);
        some(&[w.output[axis], w.stride[axis]])
            && some(&[w.dilation[axis]])
            && covered.is_some_and(|covered| product(&[covered]).is_some())
            && product(&[w.before[axis]]).is_some()
    };
    some(&w.input)
        && some(&w.output)
        && some(&[w.size[0], w.size[1], w.output[2]])
        && some(&[w.size[0], w.input[1], w.input[2]])
        && axis(0)
        && axis(1)
        // What is staged of a band of rows.
        && covered(1).is_some_and(|covered| some(&[w.input[0], w.output[1] * w.stride[1] + covered]))
}

/// True if every step along dimensions of these sizes, from element `first` on, stays within so many elements.
fn walk(first: usize, parts: &[(&[usize], &[isize])], elements: usize) -> bool {
    let (mut least, mut most) = (Some(first as i128), Some(first as i128));
    for (dims, strides) in parts {
        if dims.len() != strides.len() || dims.len() > MAX_RANK || !some(dims) {
            return false;
        }
        for (&dim, &stride) in dims.iter().zip(*strides) {
            let reached = (dim as i128 - 1).checked_mul(stride as i128);
            let end = if stride < 0 { &mut least } else { &mut most };
            *end = end.zip(reached).and_then(|(end, reached)| end.checked_add(reached));
        }
    }
    least.is_some_and(|least| least >= 0) && most.is_some_and(|most| most < elements as i128)
}

fn elementwise(kernel: &Elementwise) -> bool {
    match kernel {
        Elementwise::BinaryI8 { operands, .. }
        | Elementwise::SumI8 { operands, .. }
        | Elementwise::SumI8Device { operands, .. }
        | Elementwise::ProductI8Device { operands, .. }
        | Elementwise::BinaryI16 { operands, .. }
        | Elementwise::BinaryF32 { operands, .. }
        | Elementwise::SumI16 { operands, .. } => operands.iter().all(extent),
        Elementwise::BroadcastI8 { broadcast, .. }
        | Elementwise::BroadcastI16 { broadcast, .. }
        | Elementwise::BroadcastF32 { broadcast, .. } => {
            // As many elements as the strides reach are demanded; negative ones would go below the first.
            let reached = |strides: &Vec<isize>| {
                strides.iter().all(|&stride| stride >= 0) && walk(0, &[(&broadcast.dims, strides)], super::MOST_BYTES)
            };
            broadcast.strides.iter().all(reached)
        }
        Elementwise::TableI8
        | Elementwise::SlopesI16(_)
        | Elementwise::SigmoidI16(_)
        | Elementwise::UnaryF32(_)
        | Elementwise::SoftmaxI8
        | Elementwise::SoftmaxI16(_)
        | Elementwise::SoftmaxF32 { .. }
        | Elementwise::Quantise { .. }
        | Elementwise::Dequantise { .. }
        | Elementwise::Requantise(_)
        | Elementwise::Rescale(_) => true,
    }
}

fn movement(kernel: &Movement) -> bool {
    match kernel {
        Movement::Gather { input, index, .. } => {
            let fits = |index: &AxisIndex| match *index {
                AxisIndex::Affine { start, stride, divide } => {
                    divide > 0 && product(&[stride]).is_some() && product(&[start.unsigned_abs()]).is_some()
                }
                AxisIndex::Table(_) => true,
            };
            extent(input) && index.iter().all(fits)
        }
        Movement::Concat { sizes, .. } => {
            let joined = sizes.iter().try_fold(0usize, |all, &size| all.checked_add(size));
            sizes.iter().all(|&size| size > 0) && joined.is_some_and(|all| product(&[all]).is_some())
        }
        Movement::Permute { elements, dims, first, strides, .. } => {
            some(&[*elements]) && walk(*first, &[(dims, strides)], *elements)
        }
    }
}

fn reduction(kernel: &Reduction) -> bool {
    match kernel {
        Reduction::ImageI8 { input, .. }
        | Reduction::PoolI8 { input, .. }
        | Reduction::ImageI16 { input, .. }
        | Reduction::PoolI16 { input, .. }
        | Reduction::ImageF32 { input, .. } => extent(input),
        Reduction::AnyI8 { kept, reduced, .. }
        | Reduction::AnyI16 { kept, reduced, .. }
        | Reduction::AnyF32 { kept, reduced, .. } => {
            let forward = kept.strides.iter().chain(&reduced.strides).all(|&stride| stride >= 0);
            let all = product(&kept.dims).zip(product(&reduced.dims)).and_then(|(a, b)| product(&[a, b]));
            let parts: [(&[usize], &[isize]); 2] = [(&kept.dims, &kept.strides), (&reduced.dims, &reduced.strides)];
            forward && all.is_some_and(|all| walk(0, &parts, all))
        }
        Reduction::ArgMax { shape, .. } => some(shape),
    }
}

/// Checks, of a step that gives its kernel what it demands, that its access covers what the kernel reads, and that what a kernel keeps twice
/// (tables, rows at a time) agrees.
pub(super) fn check(program: &Program, step: &Step) -> Result<(), String> {
    if step.consumes != consumes(&step.kernel) {
        return Err("it is said to consume its input and does not, or the other way round".into());
    }
    if let (Kernel::DepthwiseI8Device { rows, .. }, Block::Planes { rows: declared, .. }) =
        (&step.kernel, step.order.block)
        && *rows != declared
    {
        return Err(format!("its kernel computes {rows} rows at a time, its order says {declared}"));
    }
    let output = step.outputs[0].extent;
    if let Kernel::Movement(Movement::Gather { index, .. }) = &step.kernel {
        let sizes = [output.rows, output.cols, output.depth];
        let tables = index.iter().zip(sizes).filter_map(|(index, size)| Some((index.table()?, size)));
        for ((table, size), id) in tables.zip(&step.constants) {
            let bytes = &program.constants[id.index()].bytes;
            if table.len() < size || !table.iter().map(|i| i.to_le_bytes()).eq(bytes.as_chunks::<4>().0.iter().copied())
            {
                return Err(format!("a table of {size} indices is too short, or not that of its constant"));
            }
        }
    }
    if step.consumes {
        return Ok(());
    }
    for (i, (operand, access)) in step.inputs.iter().zip(&step.access).enumerate() {
        let Operand::Buffer(_, input) = *operand else { continue };
        let [rows, cols, depth] = needs(&step.kernel, i, input, output);
        for (axis, reach, needs, outputs, inputs) in [
            ("rows", &access.rows, rows, output.rows, input.rows),
            ("columns", &access.cols, cols, output.cols, input.cols),
            ("channels", &access.depth, depth, output.depth, input.depth),
        ] {
            if !covers(reach, &needs, outputs, inputs) {
                return Err(format!("its kernel reads other {axis} of input {i} than the step says"));
            }
        }
    }
    Ok(())
}

/// Whether the kernel takes in its input piece by piece.
fn consumes(kernel: &Kernel) -> bool {
    matches!(
        kernel,
        Kernel::Reduction(
            Reduction::ImageI8 { .. }
                | Reduction::PoolI8 { .. }
                | Reduction::ImageI16 { .. }
                | Reduction::PoolI16 { .. }
                | Reduction::ImageF32 { .. }
        )
    )
}

fn covers(reach: &Reach, needs: &Needs, outputs: usize, input: usize) -> bool {
    *reach == Reach::All
        || (0..outputs).all(|i| {
            let (start, end) = needs(i);
            let declared = reach.needs((i, i + 1), input);
            start >= end || (declared.0 <= start && end <= declared.1)
        })
}

fn same<'a>() -> Needs<'a> {
    Box::new(|i| (i, i + 1))
}

fn all<'a>(input: usize) -> Needs<'a> {
    Box::new(move |_| (0, input))
}

/// What the kernel reads of input `i` along rows, columns and channels.
fn needs(kernel: &Kernel, i: usize, input: Extent, output: Extent) -> [Needs<'_>; 3] {
    match kernel {
        Kernel::Conv2dI8 { window, .. }
        | Kernel::Conv2dI8Fast { window, .. }
        | Kernel::Conv2dI8Device { window, .. }
        | Kernel::Conv2dI16 { window, .. }
        | Kernel::Conv2dI16Device { window, .. }
        | Kernel::Conv2dF32 { window, .. }
        | Kernel::Conv2dHybrid { window, .. } => {
            let [rows, cols] = taps(window);
            [rows, cols, all(input.depth)]
        }
        Kernel::DepthwiseI8 { window, .. }
        | Kernel::DepthwiseI8Fast { window, .. }
        | Kernel::DepthwiseI8Device { window, .. }
        | Kernel::DepthwiseI16 { window, .. }
        | Kernel::DepthwiseI16Device { window, .. }
        | Kernel::DepthwiseF32 { window, .. }
        | Kernel::PoolI8 { window, .. }
        | Kernel::PoolI16 { window, .. }
        | Kernel::PoolF32 { window, .. } => {
            let ([rows, cols], multiplier) = (taps(window), window.multiplier().max(1));
            [rows, cols, Box::new(move |o| (o / multiplier, o / multiplier + 1))]
        }
        Kernel::TransposeConvI8 { window, .. }
        | Kernel::TransposeConvI16 { window, .. }
        | Kernel::TransposeConvF32 { window, .. } => {
            let [height, width, _] = window.input;
            let sources = move |axis: usize, out: usize, end: usize| {
                let range = window.sources(axis, out);
                (range.start.min(end), range.end.min(end))
            };
            let rows = move |row: usize| {
                let (image, y) = window.image_row(row);
                let (start, end) = sources(0, y, height);
                (image + start, image + end)
            };
            [Box::new(rows), Box::new(move |x| sources(1, x, width)), all(input.depth)]
        }
        Kernel::Load { .. } => [same(), same(), same()],
        Kernel::FullyConnectedF32 { .. }
        | Kernel::FullyConnectedI8 { .. }
        | Kernel::FullyConnectedI8Fast { .. }
        | Kernel::FullyConnectedI8Device { .. }
        | Kernel::FullyConnectedI16 { .. }
        | Kernel::FullyConnectedI16Device { .. } => [same(), same(), all(input.depth)],
        Kernel::ResizeI8 { scales } | Kernel::ResizeI16 { scales } => {
            resized(scales.map(|s| [s.input, s.output]), |axis, i| (scales[axis].at(i).0, scales[axis].at(i).1))
        }
        Kernel::ResizeF32 { scales } => {
            resized(scales.map(|s| [s.input, s.output]), |axis, i| (scales[axis].at(i).0, scales[axis].at(i).1))
        }
        Kernel::Elementwise(kernel) => elementwise_needs(kernel, i, input, output),
        Kernel::Movement(kernel) => movement_needs(kernel, i, input),
        Kernel::Reduction(kernel) => match kernel {
            Reduction::AnyI8 { kept, reduced, .. }
            | Reduction::AnyI16 { kept, reduced, .. }
            | Reduction::AnyF32 { kept, reduced, .. } => {
                let last: isize = reduced.dims.iter().zip(&reduced.strides).map(|(&d, s)| (d as isize - 1) * s).sum();
                let last = last as usize;
                let depth = move |i| {
                    let first = stepped(&kept.dims, 0, &kept.strides, i);
                    (first, first + last + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            Reduction::ArgMax { shape: [_, size, inner], .. } => {
                let depth = move |i| {
                    let first = i / inner * size * inner + i % inner;
                    (first, first + (size - 1) * inner + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            _ => [all(input.rows), all(input.cols), all(input.depth)],
        },
    }
}

/// The rows (of all images) and the columns that a window covers.
fn taps(window: &Window2d) -> [Needs<'_>; 2] {
    let along = move |axis: usize, out: usize| {
        let (taps, first) = window.taps(axis, out);
        match taps.len().checked_sub(1) {
            Some(gaps) => (first, first + gaps * window.dilation[axis] + 1),
            None => (0, 0),
        }
    };
    let rows = move |row: usize| {
        let (image, y) = window.image_row(row);
        let (start, end) = along(0, y);
        (image + start, image + end)
    };
    [Box::new(rows), Box::new(move |x| along(1, x))]
}

/// What a resize reads whose images have `sizes`, input and output, along rows and columns; `at` gives the first and the last index.
fn resized<'a>(sizes: [[usize; 2]; 2], at: impl Fn(usize, usize) -> (usize, usize) + Copy + 'a) -> [Needs<'a>; 3] {
    let [[height, rows], _] = sizes;
    let along = move |row: usize| {
        let (first, last) = at(0, row % rows);
        (row / rows * height + first, row / rows * height + last + 1)
    };
    let cols = move |x: usize| {
        let (first, last) = at(1, x);
        (first, last + 1)
    };
    [Box::new(along), Box::new(cols), same()]
}

fn elementwise_needs(kernel: &Elementwise, i: usize, input: Extent, output: Extent) -> [Needs<'_>; 3] {
    let walked = |broadcast: &'_ Broadcast| -> [Needs<'_>; 3] {
        let (dims, strides) = (broadcast.dims.clone(), broadcast.strides[i].clone());
        let depth = move |e| {
            let at = stepped(&dims, 0, &strides, e);
            (at, at + 1)
        };
        [all(input.rows), all(input.cols), Box::new(depth)]
    };
    match kernel {
        Elementwise::BroadcastI8 { broadcast, .. }
        | Elementwise::BroadcastI16 { broadcast, .. }
        | Elementwise::BroadcastF32 { broadcast, .. } => walked(broadcast),
        Elementwise::SoftmaxI8 | Elementwise::SoftmaxI16(_) | Elementwise::SoftmaxF32 { .. } => {
            // The pixel is read whole before its first element is written, and from then on element by element.
            [same(), same(), Box::new(move |c| (c, input.depth))]
        }
        _ => {
            // What is broadcast has one index for all.
            let along = |inputs: usize, outputs: usize| -> Needs<'_> {
                if inputs == outputs { same() } else { Box::new(move |i| (i % inputs, i % inputs + 1)) }
            };
            [along(input.rows, output.rows), along(input.cols, output.cols), along(input.depth, output.depth)]
        }
    }
}

fn movement_needs(kernel: &Movement, i: usize, input: Extent) -> [Needs<'_>; 3] {
    match kernel {
        Movement::Gather { index, .. } => {
            let along = |axis: usize, size: usize| -> Needs<'_> {
                let index = &index[axis];
                Box::new(move |i| index.kernel().get(i, size).map_or((0, 0), |at| (at, at + 1)))
            };
            [along(0, input.rows), along(1, input.cols), along(2, input.depth)]
        }
        Movement::Concat { axis, sizes, .. } => {
            let (before, size) = (sizes[..i].iter().sum::<usize>(), sizes[i]);
            let piece: Needs<'_> = Box::new(move |at| match at.checked_sub(before) {
                Some(at) if at < size => (at, at + 1),
                _ => (0, 0),
            });
            match axis {
                Axis::Rows => [piece, same(), same()],
                Axis::Cols => [same(), piece, same()],
                Axis::Depth => [same(), same(), piece],
            }
        }
        Movement::Permute { dims, first, strides, .. } => {
            let depth = move |i| {
                let at = stepped(dims, *first, strides, i);
                (at, at + 1)
            };
            [all(input.rows), all(input.cols), Box::new(depth)]
        }
    }
}

/// The element that index `i` of a row-major tensor of these dimensions comes to, from `first` on.
fn stepped(dims: &[usize], first: usize, strides: &[isize], mut i: usize) -> usize {
    let mut at = first as isize;
    for (&dim, &stride) in dims.iter().zip(strides).rev() {
        at += (i % dim) as isize * stride;
        i /= dim;
    }
    at as usize
}
