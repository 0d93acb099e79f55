//! Kernels of MEAN, SUM, REDUCE_MAX, REDUCE_MIN and of pools whose only window is the whole image.

use super::{KernelSpec, Pattern};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType;
use smidgen_kernels::{float, int8, int16, reference};

/// Channels that sums over an image take together.
const SUMMED: usize = 4;

fn sizes(input: &Extent) -> [usize; 3] {
    [input.rows, input.cols, input.depth]
}

/// MEAN or SUM of int8 over all rows and columns; consumes its input. Input: `x`. State: an int32 for each channel.
#[derive(Clone, PartialEq, Debug)]
pub struct ReduceImageI8 {
    /// The input.
    pub input: Extent,
    /// Zero points, factor, rounding.
    pub reduce: int8::Reduce,
}

impl KernelSpec for ReduceImageI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Image(self.input, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        sums(Family::Mean, &self.input, run)
    }
}

call!(ReduceImageI8(k, site) => int8::reduce_image:
    arena(u8), views(), rows(), value(sizes = sizes(&k.input)), value(state = site.state()),
    reference(reduce = k.reduce));

/// AVERAGE_POOL_2D of int8 whose only window is the whole image; consumes its input. Input: `x`. State: an int32 for each
/// channel.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolImageI8 {
    /// The input.
    pub input: Extent,
    /// Least and greatest stored output that the activation allows.
    pub clamp: [i8; 2],
}

impl KernelSpec for PoolImageI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Image(self.input, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        sums(Family::PoolImage, &self.input, run)
    }
}

call!(PoolImageI8(k, site) => int8::average_image:
    arena(i8), views(), rows(), value(sizes = sizes(&k.input)), value(state = site.state()),
    value(clamp = k.clamp));

/// MEAN of int16 over all rows and columns; consumes its input. Input: `x`. State: an int32 for each channel.
#[derive(Clone, PartialEq, Debug)]
pub struct ReduceImageI16 {
    /// The input.
    pub input: Extent,
    /// Factor, rounding.
    pub reduce: int16::Reduce,
}

impl KernelSpec for ReduceImageI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Image(self.input, ElementType::Int16)
    }

    fn work(&self, run: &Size) -> Work {
        sums(Family::MeanI16, &self.input, run)
    }
}

call!(ReduceImageI16(k, site) => int16::reduce_image:
    arena(i16), views(), rows(), value(sizes = sizes(&k.input)), value(state = site.state() / 2),
    reference(reduce = k.reduce));

/// AVERAGE_POOL_2D of int16 whose only window is the whole image; consumes its input. Input: `x`. State: an int32 for each
/// channel.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolImageI16 {
    /// The input.
    pub input: Extent,
    /// Least and greatest stored output that the activation allows.
    pub clamp: [i16; 2],
}

impl KernelSpec for PoolImageI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Image(self.input, ElementType::Int16)
    }

    fn work(&self, run: &Size) -> Work {
        sums(Family::MeanI16, &self.input, run)
    }
}

call!(PoolImageI16(k, site) => int16::average_image:
    arena(i16), views(), rows(), value(sizes = sizes(&k.input)), value(state = site.state() / 2),
    value(clamp = k.clamp));

/// MEAN or SUM of float32 over all rows and columns, or AVERAGE_POOL_2D without activation whose only window is the whole
/// image; consumes its input. Input: `x`. State: a float32 for each channel.
#[derive(Clone, PartialEq, Debug)]
pub struct ReduceImageF32 {
    /// The input.
    pub input: Extent,
    /// What sums are divided by.
    pub divisor: f32,
}

impl KernelSpec for ReduceImageF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Image(self.input, ElementType::Float32)
    }

    fn work(&self, run: &Size) -> Work {
        let outputs = if run.region.y1 == self.input.rows { self.input.depth } else { 0 };
        Work::new(Family::MeanF32, [1, run.pixels(), run.pixels() * self.input.depth, outputs])
    }
}

call!(ReduceImageF32(k, site) => float::reduce_image:
    arena(f32), views(), rows(), value(sizes = sizes(&k.input)), value(state = site.state() / 4),
    value(divisor = k.divisor));

/// MEAN or SUM of int8 over any axes. Tensors are stored whole and seen as `[1, 1, elements]`. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct ReduceI8 {
    /// The axes that stay.
    pub kept: Axes,
    /// The axes that go.
    pub reduced: Axes,
    /// Zero points, factor, rounding.
    pub reduce: int8::Reduce,
}

impl KernelSpec for ReduceI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Reduce { element: ElementType::Int8, kept: &self.kept, reduced: &self.reduced }
    }

    fn work(&self, _: &Size) -> Work {
        lines(&self.kept, &self.reduced)
    }
}

call!(ReduceI8(k, site) => int8::reduce:
    arena(u8), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(kept = k.kept.parts()), value(reduced = k.reduced.parts()), reference(reduce = k.reduce));

/// MEAN of int16 over any axes. Tensors and input as in [`ReduceI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct ReduceI16 {
    /// The axes that stay.
    pub kept: Axes,
    /// The axes that go.
    pub reduced: Axes,
    /// Factor, rounding.
    pub reduce: int16::Reduce,
}

impl KernelSpec for ReduceI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Reduce { element: ElementType::Int16, kept: &self.kept, reduced: &self.reduced }
    }

    fn work(&self, _: &Size) -> Work {
        lines(&self.kept, &self.reduced)
    }
}

call!(ReduceI16(k, site) => int16::reduce:
    arena(i16), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(kept = k.kept.parts()), value(reduced = k.reduced.parts()), reference(reduce = k.reduce));

/// MEAN or SUM of float32 over any axes. Tensors and input as in [`ReduceI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct ReduceF32 {
    /// The axes that stay.
    pub kept: Axes,
    /// The axes that go.
    pub reduced: Axes,
    /// What sums are divided by.
    pub divisor: f32,
}

impl KernelSpec for ReduceF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Reduce { element: ElementType::Float32, kept: &self.kept, reduced: &self.reduced }
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherF32)
    }
}

call!(ReduceF32(k, site) => float::reduce:
    arena(f32), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(kept = k.kept.parts()), value(reduced = k.reduced.parts()), value(divisor = k.divisor));

/// REDUCE_MAX or REDUCE_MIN of int8 over any axes. Tensors and input as in [`ReduceI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct ExtremumI8 {
    /// The axes that stay.
    pub kept: Axes,
    /// The axes that go.
    pub reduced: Axes,
    /// REDUCE_MAX.
    pub greatest: bool,
}

impl KernelSpec for ExtremumI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Reduce { element: ElementType::Int8, kept: &self.kept, reduced: &self.reduced }
    }

    fn work(&self, _: &Size) -> Work {
        lines(&self.kept, &self.reduced)
    }
}

call!(ExtremumI8(k, site) of k.greatest => {
    true => reference::reduce_max,
    false => reference::reduce_min,
}: arena(i8), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(kept = k.kept.parts()), value(reduced = k.reduced.parts()));

/// REDUCE_MAX or REDUCE_MIN of int16 over any axes. Tensors and input as in [`ReduceI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct ExtremumI16 {
    /// The axes that stay.
    pub kept: Axes,
    /// The axes that go.
    pub reduced: Axes,
    /// REDUCE_MAX.
    pub greatest: bool,
}

impl KernelSpec for ExtremumI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Reduce { element: ElementType::Int16, kept: &self.kept, reduced: &self.reduced }
    }

    fn work(&self, _: &Size) -> Work {
        lines(&self.kept, &self.reduced)
    }
}

call!(ExtremumI16(k, site) of k.greatest => {
    true => reference::reduce_max,
    false => reference::reduce_min,
}: arena(i16), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(kept = k.kept.parts()), value(reduced = k.reduced.parts()));

/// REDUCE_MAX or REDUCE_MIN of float32 over any axes. Tensors and input as in [`ReduceI8`].
#[derive(Clone, PartialEq, Debug)]
pub struct ExtremumF32 {
    /// The axes that stay.
    pub kept: Axes,
    /// The axes that go.
    pub reduced: Axes,
    /// REDUCE_MAX.
    pub greatest: bool,
}

impl KernelSpec for ExtremumF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Reduce { element: ElementType::Float32, kept: &self.kept, reduced: &self.reduced }
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherF32)
    }
}

call!(ExtremumF32(k, site) of k.greatest => {
    true => reference::reduce_max,
    false => reference::reduce_min,
}: arena(f32), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(kept = k.kept.parts()), value(reduced = k.reduced.parts()));

/// Some axes of a row-major tensor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Axes {
    /// Their sizes.
    pub dims: Vec<usize>,
    /// The tensor's elements from one index to the next.
    pub strides: Vec<isize>,
}

impl Axes {
    /// Product of the sizes.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    fn parts(&self) -> (&[usize], &[isize]) {
        (&self.dims, &self.strides)
    }
}

/// Sums over an image that is taken row by row: of four channels at a time, and of those left over.
fn sums(family: Family, input: &Extent, run: &Size) -> Work {
    let (fours, rest) = (input.depth / SUMMED, input.depth % SUMMED);
    let cleared = if run.region.y0 == 0 { input.depth } else { 0 };
    let outputs = if run.region.y1 == input.rows { input.depth } else { 0 };
    let pixels = run.pixels();
    Work::new(family, [1, fours, fours * run.rows, fours * pixels, rest, rest * pixels, cleared, outputs])
}

/// Sums over any axes, line by line.
fn lines(kept: &Axes, reduced: &Axes) -> Work {
    let (outputs, all) = (kept.elements(), kept.elements() * reduced.elements());
    let lines = all / reduced.dims.last().copied().unwrap_or(1).max(1);
    Work::new(Family::Reduce, [1, outputs, lines, all])
}
