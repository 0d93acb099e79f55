//! Patterns: the operands that kernels of one kind have, and what an output element needs of each input.

use super::{Axes, AxisIndex, Broadcast, flat};
use crate::footprint::{AxisFootprint, Footprint};
use crate::program::Extent;
use smidgen_ir::ElementType;
use smidgen_kernels::Window2d;
use smidgen_kernels::movement::Axis;
use smidgen_kernels::nd::MAX_RANK;

/// The most bytes that an arena or a tensor may have: what a 32-bit address space holds as one object. Every product of a Program's
/// sizes stays far below the limits of 64-bit arithmetic for it.
pub const MOST_BYTES: usize = i32::MAX as usize;

/// The first and one past the last input index that an output index needs, along an axis.
pub type InputRanges<'a> = Box<dyn Fn(usize) -> (usize, usize) + 'a>;

/// What kernels of one kind have in common: their operands, and what an output element needs of each input.
pub enum Pattern<'a> {
    /// No input.
    Constant(ElementType),
    /// Every output channel needs every input channel under a window.
    Window(&'a Window2d, ElementType),
    /// An output channel needs the input channel that its place among them says.
    Channelwise(&'a Window2d, ElementType),
    /// The same with as many channels out as in.
    SingleChannel(&'a Window2d, ElementType),
    /// The window moves over the output.
    Transposed(&'a Window2d, ElementType),
    /// Rows of elements, each output needs all of its row.
    Rows {
        /// Element type.
        element: ElementType,
        /// Elements of an input row.
        inputs: usize,
        /// Elements of an output row.
        outputs: usize,
    },
    /// Output elements need the input elements at their place.
    Elementwise {
        /// Element type of the input.
        from: ElementType,
        /// Element type of the output.
        to: ElementType,
    },
    /// The same of two inputs, of which some axes are broadcast.
    Pair(&'a [Extent; 2], ElementType),
    /// The same with any broadcast; tensors are seen flat.
    Broadcast(&'a Broadcast, ElementType),
    /// An output element needs a run of elements of each operand, at the place that strides say; tensors are seen flat.
    Joined {
        /// Dimensions of the output.
        dims: &'a [usize],
        /// Each operand's element type, its elements for one step along each dimension, how many it gives to an output element, and from one
        /// of them to the next.
        operands: Vec<(ElementType, &'a [isize], usize, isize)>,
        /// Element type of the output.
        to: ElementType,
    },
    /// An output element needs its pixel's channels from itself on, the pixel's first all of them.
    Pixelwise(ElementType),
    /// Pictures of one size made of pictures of another.
    Resize {
        /// Element type.
        element: ElementType,
        /// Input and output rows of a picture, input and output columns.
        sizes: [[usize; 2]; 2],
        /// What an output index needs.
        at: Box<dyn Fn(usize, usize) -> (usize, usize) + 'a>,
    },
    /// Output elements are input elements, or a fill.
    Gather {
        /// Element type.
        element: ElementType,
        /// The input.
        input: Extent,
        /// Along rows, columns and channels.
        index: &'a [AxisIndex; 3],
    },
    /// Inputs behind one another along an axis.
    Concat {
        /// Element type.
        element: ElementType,
        /// The axis.
        axis: Axis,
        /// Of each input along the axis.
        sizes: &'a [usize],
    },
    /// A map of indices that is a stride along each axis; tensors are seen flat.
    Permute {
        /// Element type.
        element: ElementType,
        /// Elements of the input.
        elements: usize,
        /// Dimensions of the output.
        dims: &'a [usize],
        /// The input element of output element 0.
        first: usize,
        /// Input elements for one step along each output dimension.
        strides: &'a [isize],
    },
    /// The input is taken in row by row; the output has an element for each channel.
    Image(Extent, ElementType),
    /// Sums over some axes; tensors are seen flat.
    Reduce {
        /// Element type.
        element: ElementType,
        /// The axes that stay.
        kept: &'a Axes,
        /// The axes that go.
        reduced: &'a Axes,
    },
    /// The middle one of three axes goes; tensors are seen flat.
    Middle {
        /// The input as outer, size, inner.
        shape: [usize; 3],
        /// Element type of the input.
        from: ElementType,
        /// Element type of the output.
        to: ElementType,
    },
    /// Tensors of given extents.
    Given {
        /// The inputs.
        inputs: Vec<Taken>,
        /// Element type and extent of each output.
        outputs: Vec<(ElementType, Extent)>,
        /// The kernel's parameters go together, and no size is too large.
        sized: bool,
        /// Bytes of the sums that survive from one run to the next, where the first input is taken in row by row.
        taken: Option<usize>,
    },
}

/// An input of a given extent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Element type.
    pub element: ElementType,
    /// Extent.
    pub extent: Extent,
    /// What of it is needed.
    pub needed: Needed,
}

/// What an element of the first output needs of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needed {
    /// The element at its place.
    Element,
    /// The row at its place, or that at the place of the row that is taken in.
    Row,
    /// Everything.
    All,
}

impl Needed {
    /// The footprint that says so.
    pub fn footprint(self) -> Footprint {
        match self {
            Self::Element => Footprint::SAME,
            Self::Row => Footprint { rows: AxisFootprint::SAME, ..Footprint::ALL },
            Self::All => Footprint::ALL,
        }
    }
}

impl Pattern<'_> {
    /// Element type and extent of each input, given the output's extent.
    pub fn inputs(&self, output: Extent) -> Vec<(ElementType, Extent)> {
        let one = |element: ElementType, extent| vec![(element, extent)];
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Window(window, element)
            | Self::Channelwise(window, element)
            | Self::SingleChannel(window, element)
            | Self::Transposed(window, element) => one(*element, images(window, window.input, output)),
            Self::Rows { element, inputs, .. } => one(*element, Extent { rows: output.rows, cols: 1, depth: *inputs }),
            Self::Elementwise { from, .. } => one(*from, output),
            Self::Pixelwise(element) => one(*element, output),
            Self::Pair(operands, element) => operands.iter().map(|&e| (*element, fitting(e, output))).collect(),
            Self::Broadcast(broadcast, element) => [0, 1].map(|i| (*element, flat(broadcast.elements(i)))).to_vec(),
            Self::Joined { dims, operands, .. } => {
                let elements = |steps: &[isize], count: usize, step: isize| {
                    let along = dims.iter().zip(steps).map(|(&dim, &s)| dim.saturating_sub(1) * s.unsigned_abs());
                    1 + along.sum::<usize>() + count.saturating_sub(1) * step.unsigned_abs()
                };
                operands.iter().map(|&(e, steps, count, step)| (e, flat(elements(steps, count, step)))).collect()
            }
            Self::Resize { element, sizes: [rows, cols], .. } => {
                let images = output.rows / rows[1].max(1);
                one(*element, Extent { rows: images * rows[0], cols: cols[0], depth: output.depth })
            }
            Self::Gather { element, input, .. } => one(*element, *input),
            Self::Concat { element, axis, sizes } => {
                sizes.iter().map(|&size| (*element, along(*axis, size, output))).collect()
            }
            Self::Permute { element, elements, .. } => one(*element, flat(*elements)),
            Self::Image(input, element) => one(*element, *input),
            Self::Reduce { element, kept, reduced } => one(*element, flat(kept.elements() * reduced.elements())),
            Self::Middle { shape, from, .. } => one(*from, flat(shape.iter().product())),
            Self::Given { inputs, .. } => inputs.iter().map(|taken| (taken.element, taken.extent)).collect(),
        }
    }

    /// Element type and extent of the output, given the extent that a step claims.
    pub fn output(&self, claimed: Extent) -> (ElementType, Extent) {
        match self {
            Self::Constant(element) | Self::Pair(_, element) | Self::Pixelwise(element) => (*element, claimed),
            Self::Gather { element, .. } => (*element, claimed),
            Self::Window(window, element)
            | Self::Channelwise(window, element)
            | Self::SingleChannel(window, element)
            | Self::Transposed(window, element) => (*element, images(window, window.output, claimed)),
            Self::Rows { element, outputs, .. } => (*element, Extent { rows: claimed.rows, cols: 1, depth: *outputs }),
            Self::Elementwise { to, .. } => (*to, claimed),
            Self::Broadcast(broadcast, element) => (*element, flat(broadcast.dims.iter().product())),
            Self::Joined { dims, to, .. } => (*to, flat(dims.iter().product())),
            Self::Resize { element, sizes: [rows, cols], .. } => {
                let images = claimed.rows / rows[1].max(1);
                (*element, Extent { rows: images * rows[1], cols: cols[1], depth: claimed.depth })
            }
            Self::Concat { element, axis, sizes } => (*element, along(*axis, sizes.iter().sum(), claimed)),
            Self::Permute { element, dims, .. } => (*element, flat(dims.iter().product())),
            Self::Image(input, element) => (*element, flat(input.depth)),
            Self::Reduce { element, kept, .. } => (*element, flat(kept.elements())),
            Self::Middle { shape: [outer, _, inner], to, .. } => (*to, flat(outer * inner)),
            Self::Given { outputs, .. } => outputs[0],
        }
    }

    /// Element type and extent of every output, given the extent that a step claims for the first.
    pub fn outputs(&self, claimed: Extent) -> Vec<(ElementType, Extent)> {
        match self {
            Self::Given { outputs, .. } => outputs.clone(),
            _ => vec![self.output(claimed)],
        }
    }

    /// Bytes that survive from one run to the next: accumulators.
    pub fn state(&self) -> usize {
        match self {
            Self::Image(input, _) => 4 * input.depth,
            Self::Given { taken, .. } => taken.unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether the first input is taken in piece by piece.
    pub fn consumes(&self) -> bool {
        matches!(self, Self::Image(..) | Self::Given { taken: Some(_), .. })
    }

    /// Whether elements are moved and nothing is computed.
    pub fn only_moves(&self) -> bool {
        matches!(self, Self::Constant(_) | Self::Gather { .. } | Self::Concat { .. } | Self::Permute { .. })
    }

    /// True if every size that follows from the parameters can be worked out without overflow, and no kernel divides by 0 or goes beyond its
    /// operands for them. What the other functions say can be relied on only then.
    pub fn is_sized(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Elementwise { .. } | Self::Pixelwise(_) => true,
            Self::Window(w, _) | Self::Transposed(w, _) => {
                geometry(w) && some(&[w.size[0], w.size[1], w.input[2], w.output[2]])
            }
            Self::Channelwise(window, _) => geometry(window) && window.output[2].is_multiple_of(window.input[2]),
            Self::SingleChannel(window, _) => geometry(window) && window.output[2] == window.input[2],
            Self::Rows { inputs, outputs, .. } => some(&[*inputs, *outputs]),
            Self::Pair(operands, _) => operands.iter().all(extent),
            Self::Broadcast(broadcast, _) => {
                // As many elements as the strides reach are demanded; negative ones would go below the first.
                let reached = |strides: &Vec<isize>| {
                    strides.iter().all(|&stride| stride >= 0) && walk(0, &[(&broadcast.dims, strides)], MOST_BYTES)
                };
                broadcast.strides.iter().all(reached)
            }
            Self::Joined { dims, operands, .. } => operands.iter().all(|&(_, steps, count, step)| {
                let forward = step >= 0 && steps.iter().all(|&step| step >= 0);
                forward && walk(0, &[(dims, steps), (&[count], &[step])], MOST_BYTES)
            }),
            Self::Resize { sizes, .. } => sizes.iter().flatten().all(|&size| some(&[size])),
            Self::Gather { input, index, .. } => extent(input) && index.iter().all(AxisIndex::is_sized),
            Self::Concat { sizes, .. } => {
                let joined = sizes.iter().try_fold(0usize, |all, &size| all.checked_add(size));
                sizes.iter().all(|&size| size > 0) && joined.is_some_and(|all| product(&[all]).is_some())
            }
            Self::Permute { elements, dims, first, strides, .. } => {
                some(&[*elements]) && walk(*first, &[(dims, strides)], *elements)
            }
            Self::Image(input, _) => extent(input),
            Self::Reduce { kept, reduced, .. } => {
                let forward = kept.strides.iter().chain(&reduced.strides).all(|&stride| stride >= 0);
                let all = product(&kept.dims).zip(product(&reduced.dims)).and_then(|(a, b)| product(&[a, b]));
                let parts: [(&[usize], &[isize]); 2] = [(&kept.dims, &kept.strides), (&reduced.dims, &reduced.strides)];
                forward && all.is_some_and(|all| walk(0, &parts, all))
            }
            Self::Middle { shape, .. } => some(shape),
            Self::Given { sized, .. } => *sized,
        }
    }

    /// What output indices need of input `i` along rows, columns and channels.
    pub fn input_range(&self, i: usize, input: Extent, output: Extent) -> [InputRanges<'_>; 3] {
        match self {
            Self::Constant(_) | Self::Elementwise { .. } => [same(), same(), same()],
            Self::Window(window, _) => {
                let [rows, cols] = taps(window);
                [rows, cols, all(input.depth)]
            }
            Self::Channelwise(window, _) | Self::SingleChannel(window, _) => {
                let ([rows, cols], multiplier) = (taps(window), window.multiplier().max(1));
                [rows, cols, Box::new(move |o| (o / multiplier, o / multiplier + 1))]
            }
            Self::Transposed(window, _) => {
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
            Self::Rows { .. } => [same(), same(), all(input.depth)],
            Self::Pair(..) => {
                // What is broadcast has one index for all.
                let along = |inputs: usize, outputs: usize| -> InputRanges<'_> {
                    if inputs == outputs { same() } else { Box::new(move |i| (i % inputs, i % inputs + 1)) }
                };
                [along(input.rows, output.rows), along(input.cols, output.cols), along(input.depth, output.depth)]
            }
            Self::Broadcast(broadcast, _) => {
                let depth = move |e| {
                    let at = stepped(&broadcast.dims, 0, &broadcast.strides[i], e);
                    (at, at + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            Self::Joined { dims, operands, .. } => {
                let (_, steps, count, step) = operands[i];
                let last = (count.saturating_sub(1) as isize * step) as usize;
                let depth = move |e| {
                    let at = stepped(dims, 0, steps, e);
                    (at, at + last + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            // The pixel is read whole before its first element is written, and from then on element by element.
            Self::Pixelwise(_) => [same(), same(), Box::new(move |c| (c, input.depth))],
            Self::Resize { sizes: [[height, rows], _], at, .. } => {
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
            Self::Gather { index, .. } => {
                let along = |axis: usize, size: usize| -> InputRanges<'_> {
                    let index = &index[axis];
                    Box::new(move |i| index.kernel().get(i, size).map_or((0, 0), |at| (at, at + 1)))
                };
                [along(0, input.rows), along(1, input.cols), along(2, input.depth)]
            }
            Self::Concat { axis, sizes, .. } => {
                let (before, size) = (sizes[..i].iter().sum::<usize>(), sizes[i]);
                let piece: InputRanges<'_> = Box::new(move |at| match at.checked_sub(before) {
                    Some(at) if at < size => (at, at + 1),
                    _ => (0, 0),
                });
                match axis {
                    Axis::Rows => [piece, same(), same()],
                    Axis::Cols => [same(), piece, same()],
                    Axis::Depth => [same(), same(), piece],
                }
            }
            Self::Permute { dims, first, strides, .. } => {
                let depth = move |i| {
                    let at = stepped(dims, *first, strides, i);
                    (at, at + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            Self::Image(..) => [all(input.rows), all(input.cols), all(input.depth)],
            Self::Reduce { kept, reduced, .. } => {
                let last: isize = reduced.dims.iter().zip(&reduced.strides).map(|(&d, s)| (d as isize - 1) * s).sum();
                let last = last as usize;
                let depth = move |i| {
                    let first = stepped(&kept.dims, 0, &kept.strides, i);
                    (first, first + last + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            Self::Middle { shape: [_, size, inner], .. } => {
                let depth = move |i| {
                    let first = i / inner * size * inner + i % inner;
                    (first, first + (size - 1) * inner + 1)
                };
                [all(input.rows), all(input.cols), Box::new(depth)]
            }
            Self::Given { inputs, .. } => match inputs.get(i).map(|taken| taken.needed) {
                Some(Needed::Element) => [same(), same(), same()],
                Some(Needed::Row) => [same(), all(input.cols), all(input.depth)],
                _ => [all(input.rows), all(input.cols), all(input.depth)],
            },
        }
    }
}

/// As many images of a height, width and depth as `output` has of the window's output.
fn images(window: &Window2d, [height, cols, depth]: [usize; 3], output: Extent) -> Extent {
    Extent { rows: output.rows / window.output[0].max(1) * height, cols, depth }
}

/// The operand's extent if it can be broadcast to the output's, else the output's, which it then fails to have.
fn fitting(operand: Extent, output: Extent) -> Extent {
    let rows = operand.rows > 0 && output.rows.is_multiple_of(operand.rows);
    let cols = operand.cols == 1 || operand.cols == output.cols;
    let depth = operand.depth == 1 || operand.depth == output.depth;
    if rows && cols && depth { operand } else { output }
}

/// An extent with another size along an axis.
fn along(axis: Axis, size: usize, extent: Extent) -> Extent {
    match axis {
        Axis::Rows => Extent { rows: size, ..extent },
        Axis::Cols => Extent { cols: size, ..extent },
        Axis::Depth => Extent { depth: size, ..extent },
    }
}

/// The product, if it is not too large.
pub fn product(factors: &[usize]) -> Option<usize> {
    factors.iter().try_fold(1usize, |all, &n| all.checked_mul(n)).filter(|&all| all <= MOST_BYTES)
}

/// True if the product is neither 0 nor too large.
pub(super) fn some(factors: &[usize]) -> bool {
    product(factors).is_some_and(|all| all > 0)
}

fn extent(e: &Extent) -> bool {
    some(&[e.rows, e.cols, e.depth])
}

pub(super) fn geometry(w: &Window2d) -> bool {
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

/// Whether what is declared along an axis holds all that is needed.
pub fn covers(reach: &AxisFootprint, needs: &InputRanges, outputs: usize, input: usize) -> bool {
    *reach == AxisFootprint::All
        || (0..outputs).all(|i| {
            let (start, end) = needs(i);
            let declared = reach.input_range((i, i + 1), input);
            start >= end || (declared.0 <= start && end <= declared.1)
        })
}

fn same<'a>() -> InputRanges<'a> {
    Box::new(|i| (i, i + 1))
}

fn all<'a>(input: usize) -> InputRanges<'a> {
    Box::new(move |_| (0, input))
}

/// The rows (of all images) and the columns that a window covers.
fn taps(window: &Window2d) -> [InputRanges<'_>; 2] {
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

/// The element that index `i` of a row-major tensor of these dimensions comes to, from `first` on.
fn stepped(dims: &[usize], first: usize, strides: &[isize], mut i: usize) -> usize {
    let mut at = first as isize;
    for (&dim, &stride) in dims.iter().zip(strides).rev() {
        at += (i % dim) as isize * stride;
        i /= dim;
    }
    at as usize
}
