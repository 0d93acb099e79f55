//! The kernels of SVDF.

use super::pattern::{Needed, Taken, product, some};
use super::{KernelSpec, Pattern, Site};
use crate::costs::{Family, Size, Work};
use crate::program::Extent;
use smidgen_ir::ElementType::{self, Float32, Int8, Int16};
use smidgen_kernels::{float, int8};

/// SVDF on float32. Inputs: `x` as `[N, 1, I]` and the state as `[N * F, 1, M]`. Outputs: `y` as `[N, 1, U]` and the
/// next state. Constants: the weights `[F, I]`, the filters over time `[F, M]`, the bias `[U]`.
#[derive(Clone, PartialEq, Debug)]
pub struct SvdfF32 {
    /// The layer.
    pub layer: float::Svdf,
}

/// SVDF on int8 with a state of int16. Operands as of [`SvdfF32`]; the filters over time are int16, the bias is int32.
#[derive(Clone, PartialEq, Debug)]
pub struct SvdfI8 {
    /// The layer.
    pub layer: int8::Svdf,
}

/// Nothing is 0 or too large.
fn is_sized([batch, inputs, units, rank, memory]: [usize; 5]) -> bool {
    some(&[batch, inputs, 4])
        && some(&[batch, units, rank, 8])
        && product(&[batch, units, rank, memory]).is_some_and(|kept| some(&[kept, 4]))
        && some(&[units, rank, inputs, 4])
}

fn pattern<'a>(sizes: [usize; 5], x: ElementType, state: ElementType) -> Pattern<'a> {
    let sized = is_sized(sizes);
    // Sizes that cannot be worked out are not.
    let [batch, inputs, units, rank, memory] = if sized { sizes } else { [1; 5] };
    let extent = |rows, depth| Extent { rows, cols: 1, depth };
    let kept = extent(batch * units * rank, memory);
    let taken = |element, extent| Taken { element, extent, needed: Needed::All };
    Pattern::Given {
        inputs: vec![taken(x, extent(batch, inputs)), taken(state, kept)],
        outputs: vec![(x, extent(batch, units)), (state, kept)],
        sized,
        taken: None,
    }
}

/// Bytes of the constants whose elements have so many.
fn constants([_, inputs, units, rank, memory]: [usize; 5], bytes: [usize; 3]) -> Vec<usize> {
    let elements = [units * rank * inputs, units * rank * memory, units];
    elements.into_iter().zip(bytes).map(|(elements, bytes)| elements * bytes).collect()
}

fn work(family: Family, [batch, _, units, rank, memory]: [usize; 5], run: &Size) -> Work {
    Work::new(family, [1, batch * units * rank * (memory + 1), run.multiplications()])
}

/// Where operands and scratch begin.
fn places(site: &Site<'_>, bytes: usize) -> [usize; 5] {
    let input = |i| site.input_place(i, true).view.base / bytes;
    let output = |i| site.output_bytes(i) / bytes;
    [input(0), input(1), output(0), output(1), site.scratch() / bytes]
}

impl KernelSpec for SvdfF32 {
    fn pattern(&self) -> Pattern<'_> {
        pattern(self.layer.sizes, Float32, Float32)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        constants(self.layer.sizes, [4; 3])
    }

    fn scratch(&self) -> usize {
        4 * self.layer.scratch()
    }

    fn work(&self, run: &Size) -> Work {
        work(Family::OtherF32, self.layer.sizes, run)
    }
}

call!(SvdfF32(k, site) => float::svdf:
    arena(f32), value(places = places(site, 4)), reference(layer = k.layer), constant(weights: f32 = 0),
    constant(time: f32 = 1), constant(bias: f32 = 2));

impl KernelSpec for SvdfI8 {
    fn pattern(&self) -> Pattern<'_> {
        pattern(self.layer.sizes, Int8, Int16)
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        constants(self.layer.sizes, [1, 2, 4])
    }

    fn scratch(&self) -> usize {
        self.layer.scratch().next_multiple_of(4)
    }

    fn work(&self, run: &Size) -> Work {
        work(Family::Other, self.layer.sizes, run)
    }
}

call!(SvdfI8(k, site) => int8::svdf:
    arena(i8), value(places = places(site, 1)), reference(layer = k.layer), constant(weights: i8 = 0),
    constant(time: i16 = 1), constant(bias: i32 = 2));
