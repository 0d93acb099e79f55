//! Kernels that move elements and compute nothing.

use super::pattern::product;
use super::{Invocation, KernelSpec, Pattern};
use crate::costs::{Family, Size, Work};
use crate::footprint::AxisFootprint;
use crate::program::Extent;
use smidgen_ir::ElementType;
use smidgen_kernels::Flash;
use smidgen_kernels::movement::{self, Axis, Index};
use std::ops::Range;

/// Bytes that copies take at a time where they can.
pub(super) const WORD: usize = 4;

fn bytes(element: ElementType) -> usize {
    element.bits().div_ceil(8)
}

/// Brings a constant into the arena. No inputs. Constants: the elements, row-major.
#[derive(Clone, PartialEq, Debug)]
pub struct Load {
    /// Element type of the output.
    pub element: ElementType,
}

impl KernelSpec for Load {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Constant(self.element)
    }

    fn constants(&self, output: Extent) -> Vec<usize> {
        vec![output.elements() * bytes(self.element)]
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(Load(k, site) => movement::load:
    arena(u8), output_bytes(), region(), value(cols = site.output().cols),
    value(pixel = site.output().depth * bytes(k.element)), constant(constant: u8 = 0));

/// Each output element is one input element or the fill: PAD, SLICE, SPLIT, UNPACK, RESIZE_NEAREST_NEIGHBOR. Input: `x`.
/// Constants: the tables of those axes that have one, rows first, as int32.
#[derive(Clone, PartialEq, Debug)]
pub struct Gather {
    /// Element type.
    pub element: ElementType,
    /// The input.
    pub input: Extent,
    /// For rows, columns and channels.
    pub index: [AxisIndex; 3],
    /// The first bytes are the fill, as many as an element has.
    pub fill: [u8; 8],
}

impl KernelSpec for Gather {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Gather { element: self.element, input: self.input, index: &self.index }
    }

    fn constants(&self, _: Extent) -> Vec<usize> {
        self.index.iter().filter_map(AxisIndex::table).map(|table| 4 * table.len()).collect()
    }

    fn work(&self, run: &Size) -> Work {
        let (rows, pixels, region) = (run.rows, run.pixels(), run.region);
        let [along_rows, along_cols, _] = &self.index;
        let taken = along_rows.inside(region.y0..region.y1, self.input.rows)
            * along_cols.inside(region.x0..region.x1, self.input.cols);
        let depth = run.extent.depth;
        let is_dense = matches!(self.index[2], AxisIndex::Affine { stride: 1, divide: 1, .. });
        let is_divided = |axis: &AxisIndex| !matches!(axis, AxisIndex::Affine { divide: 1, .. });
        let divided = if is_divided(&self.index[1]) { pixels } else { 0 };
        let copied = taken * depth * bytes(self.element);
        let single = if is_dense { 0 } else { taken * depth };
        let odd = if (depth * bytes(self.element)).is_multiple_of(WORD) { 0 } else { copied };
        let filled = (pixels - taken) * depth * bytes(self.element);
        Work::new(Family::Gather, [1, rows, pixels, copied, filled, divided, single, odd])
    }
}

impl Gather {
    /// The parameters as the kernel takes them, with `table` in place of each axis that has one, rows first.
    pub fn indices<T>(&self, affine: impl Fn(isize, usize, usize) -> T, mut table: impl FnMut(usize) -> T) -> [T; 3] {
        let mut tables = 0..;
        self.index.each_ref().map(|index| match *index {
            AxisIndex::Affine { start, stride, divide } => affine(start, stride, divide),
            AxisIndex::Table(_) => table(tables.next().unwrap_or_default()),
        })
    }

    pub(super) fn parameters<'a>(&self, run: &Invocation<'a>) -> movement::Gather<'a> {
        let affine = |start, stride, divide| Index::Affine { start, stride, divide };
        movement::Gather {
            input: [self.input.rows, self.input.cols, self.input.depth],
            depth: run.site.output().depth,
            element: bytes(self.element),
            index: self.indices(affine, |i| Index::Table(run.constant(i))),
            fill: self.fill,
        }
    }
}

call!(Gather(k, site) => movement::gather:
    arena(u8), views_bytes(), region(), gather(k));

/// Joins its inputs along an axis: CONCATENATION, PACK. Inputs: the pieces, any of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct Concat {
    /// Element type.
    pub element: ElementType,
    /// The axis.
    pub axis: Axis,
    /// Size of each input along the axis.
    pub sizes: Vec<usize>,
}

impl KernelSpec for Concat {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Concat { element: self.element, axis: self.axis, sizes: &self.sizes }
    }

    fn work(&self, run: &Size) -> Work {
        let (pixels, element) = (run.pixels(), bytes(self.element));
        let is_odd = |channels: usize| !(channels * element).is_multiple_of(WORD);
        let all = run.elements() * element;
        let (copies, odd) = match self.axis {
            Axis::Depth => {
                let odd: usize = self.sizes.iter().filter(|&&channels| is_odd(channels)).sum();
                (pixels * self.sizes.len(), pixels * odd * element)
            }
            Axis::Rows | Axis::Cols => (pixels, if is_odd(run.extent.depth) { all } else { 0 }),
        };
        Work::new(Family::Concat, [1, run.rows, pixels, copies, all, odd])
    }
}

impl Concat {
    /// Bytes of a pixel, or of an element where pieces are joined along channels.
    fn pixel(&self, output: Extent) -> usize {
        match self.axis {
            Axis::Depth => bytes(self.element),
            Axis::Rows | Axis::Cols => output.depth * bytes(self.element),
        }
    }
}

call!(Concat(k, site) => movement::concat:
    arena(u8), pieces(&k.sizes, bytes(k.element)), value(axis = k.axis), output_bytes(), region(),
    value(pixel = k.pixel(site.output())));

/// TRANSPOSE and any other map of indices that is a stride along each axis. Tensors are stored whole and seen as
/// `[1, 1, elements]`. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Permute {
    /// Element type.
    pub element: ElementType,
    /// Elements of the input.
    pub elements: usize,
    /// Dimensions of the output.
    pub dims: Vec<usize>,
    /// The input element that output element 0 takes.
    pub first: usize,
    /// Input elements for one step along each output dimension.
    pub strides: Vec<isize>,
}

impl KernelSpec for Permute {
    fn pattern(&self) -> Pattern<'_> {
        let (dims, strides) = (&self.dims[..], &self.strides[..]);
        Pattern::Permute { element: self.element, elements: self.elements, dims, first: self.first, strides }
    }

    fn work(&self, run: &Size) -> Work {
        let line = self.dims.last().copied().unwrap_or(1).max(1);
        Work::new(Family::Permute, [1, run.elements() / line, run.elements()])
    }
}

call!(Permute(k, site) => movement::permute:
    arena(u8), value(input = site.input_base(0, true)), value(output = site.output_base(true)),
    value(element = bytes(k.element)), value(dims = &k.dims[..]), value(first = k.first),
    value(strides = &k.strides[..]));

/// Which input index an output index takes along one axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AxisIndex {
    /// `start + i * stride / divide`, rounded down; outside the input lies the fill.
    Affine {
        /// The input index of output index 0.
        start: isize,
        /// Input steps in `divide` output steps.
        stride: usize,
        /// At least 1.
        divide: usize,
    },
    /// Input index of each output index, -1 for the fill. The values other than -1 never decrease.
    Table(Vec<i32>),
}

impl AxisIndex {
    /// The shortest form of a map given by its values (`None`: the fill) on an axis of `input` indices.
    ///
    /// # Panics
    /// If an index does not fit into an int32.
    pub fn fit(map: &[Option<usize>], input: usize) -> Self {
        let taken = || map.iter().enumerate().filter_map(|(i, &m)| m.map(|m| (i, m)));
        let holds = |index: &AxisIndex| map.iter().enumerate().all(|(i, &m)| index.kernel().get(i, input) == m);
        let first = taken().next();
        let second = taken().nth(1);
        let stride = match (first, second) {
            (Some((i, a)), Some((j, b))) => b.saturating_sub(a) / (j - i),
            _ => 1,
        };
        if let Some((i, m)) = first {
            let affine = Self::Affine { start: m as isize - (i * stride) as isize, stride, divide: 1 };
            if stride > 0 && holds(&affine) {
                return affine;
            }
        }
        let repeated = Self::Affine { start: 0, stride: input, divide: map.len().max(1) };
        if holds(&repeated) {
            return repeated;
        }
        Self::Table(map.iter().map(|m| m.map_or(-1, |m| i32::try_from(m).expect("an index of a tensor"))).collect())
    }

    /// As the kernel takes it.
    pub fn kernel(&self) -> Index<'_> {
        match self {
            Self::Affine { start, stride, divide } => Index::Affine { start: *start, stride: *stride, divide: *divide },
            Self::Table(table) => Index::Table(Flash::new(table)),
        }
    }

    /// What `outputs` output indices need of an axis of `input` indices.
    pub fn reach(&self, outputs: usize, input: usize) -> AxisFootprint {
        if let Self::Affine { start, stride, divide: 1 } = *self {
            return AxisFootprint::Window { extent: 1, stride, before: -start };
        }
        let mut end = 0;
        let need = |i: usize| {
            // The fill needs nothing: an empty range between its neighbours'.
            let range = self.kernel().get(i, input).map_or((end, end), |m| (m, m + 1));
            end = range.1;
            range
        };
        AxisFootprint::Table((0..outputs).map(need).collect())
    }

    /// The table, if that is the form.
    pub fn table(&self) -> Option<&[i32]> {
        match self {
            Self::Affine { .. } => None,
            Self::Table(table) => Some(table),
        }
    }

    /// How many of some output indices take one of `input` input indices.
    fn inside(&self, range: Range<usize>, input: usize) -> usize {
        let index = self.kernel();
        match self {
            // What is taken never decreases, so those that take something follow one another.
            Self::Affine { start, .. } => {
                let before = partition(range.clone(), |i| *start < 0 && index.get(i, usize::MAX / 2).is_none());
                let end = partition(before..range.end, |i| index.get(i, input).is_some());
                end - before
            }
            Self::Table(_) => range.filter(|&i| index.get(i, input).is_some()).count(),
        }
    }

    /// True if no number is too large to compute with, and nothing is divided by 0.
    pub(super) fn is_sized(&self) -> bool {
        match *self {
            Self::Affine { start, stride, divide } => {
                divide > 0 && product(&[stride]).is_some() && product(&[start.unsigned_abs()]).is_some()
            }
            Self::Table(_) => true,
        }
    }
}

/// The first index of a range for which something does not hold that holds for all before it.
fn partition(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut until) = (range.start, range.end);
    while from < until {
        let middle = from + (until - from) / 2;
        if holds(middle) { from = middle + 1 } else { until = middle }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_that_take_something_are_counted() {
        for (start, stride, divide, input) in
            [(-3, 1, 1, 5), (2, 1, 1, 9), (-7, 3, 1, 11), (0, 3, 5, 3), (-40, 1, 1, 4), (9, 2, 1, 4), (0, 0, 1, 1)]
        {
            let index = AxisIndex::Affine { start, stride, divide };
            for (from, until) in [(0, 17), (3, 9), (5, 5), (16, 17)] {
                let slow = (from..until).filter(|&i| index.kernel().get(i, input).is_some()).count();
                assert_eq!(index.inside(from..until, input), slow, "{index:?} {input} {from} {until}");
            }
        }
    }

    #[test]
    fn maps_get_their_shortest_form() {
        let affine = |start, stride, divide| AxisIndex::Affine { start, stride, divide };
        let some = |m: &[i32]| m.iter().map(|&m| usize::try_from(m).ok()).collect::<Vec<_>>();
        assert_eq!(AxisIndex::fit(&some(&[0, 1, 2]), 3), affine(0, 1, 1));
        assert_eq!(AxisIndex::fit(&some(&[-1, -1, 0, 1, 2, -1]), 3), affine(-2, 1, 1));
        assert_eq!(AxisIndex::fit(&some(&[1, 3]), 5), affine(1, 2, 1));
        assert_eq!(AxisIndex::fit(&some(&[2]), 5), affine(2, 1, 1));
        assert_eq!(AxisIndex::fit(&some(&[0, 0, 1, 1]), 2), affine(0, 2, 4));
        // Beyond the map's end lies input, which the affine form would take.
        assert_eq!(AxisIndex::fit(&some(&[0, 1, -1, 2, 3]), 4), AxisIndex::Table(vec![0, 1, -1, 2, 3]));
        assert_eq!(AxisIndex::fit(&some(&[-1]), 4), AxisIndex::Table(vec![-1]));
        assert_eq!(AxisIndex::fit(&[], 4), affine(0, 4, 1));
    }

    #[test]
    fn a_table_needs_no_input_for_its_fill() {
        let AxisFootprint::Table(table) = AxisIndex::Table(vec![-1, 0, 1, -1, 2, -1]).reach(6, 3) else {
            panic!("a table")
        };
        assert_eq!(table, [(0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 3)]);
    }
}
