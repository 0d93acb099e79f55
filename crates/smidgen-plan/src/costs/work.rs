//! What a run does, counted: the features that its instructions follow from.

use super::family::{Family, MOST_FEATURES};
use super::windows;
use crate::kernel::{AxisIndex, Elementwise, Kernel, Movement, Reduction};
use crate::{Extent, Operand, Step};
use smidgen_ir::{ElementType, PoolKind};
use smidgen_kernels::Region;
use smidgen_kernels::int8::Binary;
use smidgen_kernels::int8::device::Width;
use smidgen_kernels::movement::Axis;

/// Bytes that copies take at a time where they can.
const WORD: usize = 4;

/// Channels that sums over an image take together.
const SUMMED: usize = 4;

/// How often a family's features occur.
pub type Counts = [u64; MOST_FEATURES];

/// What a run of a step does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Work {
    /// The kernel's family.
    pub family: Family,
    /// How often each of its features occurs; zeros behind the last.
    pub counts: Counts,
}

impl Work {
    /// Counts of a family, in the order of its features.
    pub(super) fn new<const N: usize>(family: Family, counts: [usize; N]) -> Self {
        debug_assert_eq!(N, family.features().len(), "{}", family.name());
        let mut all = [0; MOST_FEATURES];
        all.iter_mut().zip(counts).for_each(|(to, count)| *to = count as u64);
        Self { family, counts: all }
    }
}

/// What a run of a step does that computes a region.
pub fn work(step: &Step, region: Region) -> Work {
    use Family as F;
    let size = Size::of(step, region);
    match &step.kernel {
        Kernel::Conv2dI8Device { window, width, finish, .. } => {
            let family = if *width == Width::Four { F::Conv2dI4 } else { F::Conv2d };
            windows::conv2d(family, window, finish.by_sign, region)
        }
        Kernel::DepthwiseI8Device { window, rows, finish, .. } => {
            windows::depthwise(window, *rows, finish.by_sign, region)
        }
        Kernel::FullyConnectedI8Device { inputs, outputs, width, .. } => {
            let family = if *width == Width::Four { F::FullyConnectedI4 } else { F::FullyConnected };
            fully_connected(family, [*inputs, *outputs], size.rows)
        }
        Kernel::PoolI8 { window, kind, .. } => {
            let family = if *kind == PoolKind::Max { F::MaxPool } else { F::AveragePool };
            windows::pool(family, window, region)
        }
        Kernel::Elementwise(how) => elementwise(how, &size),
        Kernel::Movement(how) => movement(how, &size, region),
        Kernel::Reduction(how) => reduction(how, step, &size, region),
        Kernel::ResizeI8 { .. } => Work::new(F::Resize, [1, size.rows, size.pixels(), size.elements()]),
        Kernel::Conv2dI8Fast { window, .. } => windows::conv2d_fast(window, region),
        Kernel::DepthwiseI8 { window, .. } => windows::walk(F::DepthwiseSimple, window, region),
        Kernel::TransposeConvI8 { window, .. } => windows::walk(F::TransposeConv, window, region),
        Kernel::Conv2dI16Device { window, .. } => windows::conv2d_int16(window, region),
        Kernel::DepthwiseI16Device { window, .. } => windows::depthwise_int16(window, region),
        Kernel::FullyConnectedI16Device { inputs, outputs, .. } => {
            fully_connected(F::FullyConnectedI16, [*inputs, *outputs], size.rows)
        }
        Kernel::Conv2dF32 { window, .. } => windows::walk(F::Conv2dF32, window, region),
        Kernel::DepthwiseF32 { window, .. } => windows::walk(F::DepthwiseF32, window, region),
        Kernel::FullyConnectedF32 { .. } => {
            Work::new(F::FullyConnectedF32, [1, size.elements(), size.multiplications(step)])
        }
        Kernel::Conv2dI16 { .. }
        | Kernel::DepthwiseI16 { .. }
        | Kernel::TransposeConvI16 { .. }
        | Kernel::FullyConnectedI16 { .. }
        | Kernel::PoolI16 { .. }
        | Kernel::ResizeI16 { .. } => size.other(F::OtherI16, step),
        Kernel::Conv2dHybrid { window, .. } => windows::walk(F::Conv2dHybrid, window, region),
        Kernel::TransposeConvF32 { .. } | Kernel::PoolF32 { .. } | Kernel::ResizeF32 { .. } => {
            size.other(F::OtherF32, step)
        }
        Kernel::Load { .. }
        | Kernel::Conv2dI8 { .. }
        | Kernel::DepthwiseI8Fast { .. }
        | Kernel::FullyConnectedI8Fast { .. }
        | Kernel::FullyConnectedI8 { .. } => size.other(F::Other, step),
    }
}

/// The family of a step's kernel.
pub(super) fn family(step: &Step) -> Family {
    work(step, Region { y0: 0, y1: 0, x0: 0, x1: 0 }).family
}

/// What a region covers: of the output, or of the input that a step consumes.
struct Size {
    rows: usize,
    columns: usize,
    /// All of it, of which the region may be a part.
    extent: Extent,
}

impl Size {
    fn of(step: &Step, region: Region) -> Self {
        let extent = match (step.consumes, step.inputs.first(), step.outputs.first()) {
            (true, Some(&Operand::Buffer(_, extent)), _) => extent,
            (_, _, Some(target)) => target.extent,
            _ => Extent { rows: 0, cols: 0, depth: 0 },
        };
        Self { rows: region.y1 - region.y0, columns: region.x1 - region.x0, extent }
    }

    fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    fn elements(&self) -> usize {
        self.pixels() * self.extent.depth
    }

    /// The region's part of the step's multiply-accumulates.
    fn multiplications(&self, step: &Step) -> usize {
        let whole = (self.extent.rows * self.extent.cols).max(1) as u128;
        (u128::from(step.macs) * self.pixels() as u128 / whole) as usize
    }

    fn other(&self, family: Family, step: &Step) -> Work {
        Work::new(family, [1, self.elements(), self.multiplications(step)])
    }
}

/// FULLY_CONNECTED: four outputs at a time, and what is left one by one; up to three inputs that are left over are a
/// tail.
fn fully_connected(family: Family, [inputs, outputs]: [usize; 2], rows: usize) -> Work {
    let (words, fours, rest) = (inputs / 4, outputs / 4, outputs % 4);
    let tail = if inputs.is_multiple_of(4) { 0 } else { rows * outputs };
    Work::new(family, [1, rows, rows * fours, rows * fours * words, tail, rows * rest, rows * rest * words])
}

fn reduction(how: &Reduction, step: &Step, size: &Size, region: Region) -> Work {
    use Family as F;
    match how {
        Reduction::ImageI8 { input, .. } => sums(F::Mean, input, size, region),
        Reduction::PoolI8 { input, .. } => sums(F::PoolImage, input, size, region),
        Reduction::ImageI16 { input, .. } | Reduction::PoolI16 { input, .. } => sums(F::MeanI16, input, size, region),
        Reduction::ImageF32 { input, .. } => {
            let outputs = if region.y1 == input.rows { input.depth } else { 0 };
            Work::new(F::MeanF32, [1, size.pixels(), size.pixels() * input.depth, outputs])
        }
        Reduction::AnyI8 { kept, reduced, .. } | Reduction::AnyI16 { kept, reduced, .. } => {
            let (outputs, all) = (kept.elements(), kept.elements() * reduced.elements());
            let lines = all / reduced.dims.last().copied().unwrap_or(1).max(1);
            Work::new(F::Reduce, [1, outputs, lines, all])
        }
        Reduction::AnyF32 { .. } => size.other(F::OtherF32, step),
        Reduction::ArgMax { .. } => size.other(F::Other, step),
    }
}

/// Sums over an image that is taken row by row: of four channels at a time, and of those left over.
fn sums(family: Family, input: &Extent, size: &Size, region: Region) -> Work {
    let (fours, rest) = (input.depth / SUMMED, input.depth % SUMMED);
    let cleared = if region.y0 == 0 { input.depth } else { 0 };
    let outputs = if region.y1 == input.rows { input.depth } else { 0 };
    let pixels = size.pixels();
    Work::new(family, [1, fours, fours * size.rows, fours * pixels, rest, rest * pixels, cleared, outputs])
}

fn elementwise(how: &Elementwise, size: &Size) -> Work {
    use Family as F;
    let mapped = |family| Work::new(family, [1, size.rows, size.elements()]);
    let by_pixel = |family| Work::new(family, [1, size.pixels(), size.elements()]);
    let other = |family| Work::new(family, [1, size.elements(), 0]);
    match how {
        Elementwise::SumI8Device { operands, .. } => {
            let [rows, spans, quads, rest, pixels, elements] = pairs(operands, size);
            Work::new(F::Sum, [1, rows, spans, quads, rest, pixels, elements])
        }
        Elementwise::ProductI8Device { products, operands } => {
            let [rows, spans, quads, rest, pixels, elements] = pairs(operands, size);
            let is_clamped = (products.min, products.max) != (i8::MIN, i8::MAX);
            let [plain, clamped] = if is_clamped { [0, quads] } else { [quads, 0] };
            Work::new(F::Product, [1, rows, spans, plain, rest, pixels, elements, clamped])
        }
        Elementwise::TableI8 => mapped(F::Table),
        Elementwise::Rescale(_) | Elementwise::Requantise(_) => mapped(F::Rescale),
        Elementwise::Quantise { .. } => mapped(F::Quantise),
        Elementwise::Dequantise { .. } => mapped(F::Dequantise),
        Elementwise::SumI16 { .. } => mapped(F::SumI16),
        Elementwise::SoftmaxI8 => by_pixel(F::Softmax),
        Elementwise::SumI8 { .. } => Work::new(F::Binary, [1, size.pixels(), 0, size.elements(), 0]),
        Elementwise::BinaryI8 { function, .. } | Elementwise::BroadcastI8 { function, .. } => {
            let all = size.elements();
            let [chosen, sum, product] = match function {
                Binary::Minimum | Binary::Maximum => [all, 0, 0],
                Binary::Sum(_) => [0, all, 0],
                Binary::Product(_) | Binary::Prelu(_) => [0, 0, all],
            };
            Work::new(F::Binary, [1, size.pixels(), chosen, sum, product])
        }
        Elementwise::BinaryI16 { .. }
        | Elementwise::BroadcastI16 { .. }
        | Elementwise::SlopesI16(_)
        | Elementwise::SigmoidI16(_) => other(F::OtherI16),
        Elementwise::SoftmaxI16(_) => by_pixel(F::SoftmaxI16),
        Elementwise::BinaryF32 { .. } | Elementwise::BroadcastF32 { .. } => by_pixel(F::BinaryF32),
        Elementwise::SoftmaxF32 { .. } => by_pixel(F::SoftmaxF32),
        Elementwise::UnaryF32(_) => other(F::OtherF32),
    }
}

/// ADD, SUB and MUL walk row by row where both operands lie densely, pixel by pixel where one serves several pixels,
/// else element by
/// element: rows, spans of pixels, quads of elements and what they leave, pixels and elements apart.
fn pairs(operands: &[Extent; 2], size: &Size) -> [usize; 6] {
    let depth = size.extent.depth;
    let is_dense = operands.iter().all(|operand| (operand.cols, operand.depth) == (size.extent.cols, depth));
    if Elementwise::by_pixels(operands) {
        let pixels = size.pixels();
        [size.rows, pixels, pixels * (depth / 4), pixels * (depth % 4), 0, 0]
    } else if is_dense {
        let row = size.columns * depth;
        [size.rows, 0, size.rows * (row / 4), size.rows * (row % 4), 0, 0]
    } else {
        [size.rows, 0, 0, 0, size.pixels(), size.elements()]
    }
}

fn movement(how: &Movement, size: &Size, region: Region) -> Work {
    let (rows, pixels) = (size.rows, size.pixels());
    let bytes = |element: &ElementType| element.bits().div_ceil(8);
    match how {
        Movement::Gather { element, input, index, .. } => {
            let inside = |axis: usize, of: std::ops::Range<usize>, count: usize| {
                let index = index[axis].kernel();
                of.filter(|&i| index.get(i, count).is_some()).count()
            };
            let taken = inside(0, region.y0..region.y1, input.rows) * inside(1, region.x0..region.x1, input.cols);
            let depth = size.extent.depth;
            let is_dense = matches!(index[2], AxisIndex::Affine { stride: 1, divide: 1, .. });
            let is_divided = |axis: &AxisIndex| !matches!(axis, AxisIndex::Affine { divide: 1, .. });
            let divided = if is_divided(&index[1]) { pixels } else { 0 };
            let copied = taken * depth * bytes(element);
            let single = if is_dense { 0 } else { taken * depth };
            let odd = if (depth * bytes(element)).is_multiple_of(WORD) { 0 } else { copied };
            let filled = (pixels - taken) * depth * bytes(element);
            Work::new(Family::Gather, [1, rows, pixels, copied, filled, divided, single, odd])
        }
        Movement::Concat { element, axis, sizes } => {
            let is_odd = |channels: usize| !(channels * bytes(element)).is_multiple_of(WORD);
            let all = size.elements() * bytes(element);
            let (copies, odd) = match axis {
                Axis::Depth => {
                    let odd: usize = sizes.iter().filter(|&&channels| is_odd(channels)).sum();
                    (pixels * sizes.len(), pixels * odd * bytes(element))
                }
                Axis::Rows | Axis::Cols => (pixels, if is_odd(size.extent.depth) { all } else { 0 }),
            };
            Work::new(Family::Concat, [1, rows, pixels, copies, all, odd])
        }
        Movement::Permute { dims, .. } => {
            let line = dims.last().copied().unwrap_or(1).max(1);
            Work::new(Family::Permute, [1, size.elements() / line, size.elements()])
        }
    }
}
