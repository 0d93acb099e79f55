//! Kernels that move elements and compute nothing.

use super::{Demands, flat};
use crate::access::Reach;
use crate::program::{Extent, Step};
use smidgen_ir::ElementType;
use smidgen_kernels::Flash;
use smidgen_kernels::movement::{Axis, Index};

/// A kernel that moves elements of any type.
#[derive(Clone, PartialEq, Debug)]
pub enum Movement {
    /// Each output element is one input element or the fill: PAD, SLICE, SPLIT, UNPACK, RESIZE_NEAREST_NEIGHBOR. Input: `x`.
    /// Constants: the tables of those axes that have one, rows first, as int32.
    Gather {
        /// Element type.
        element: ElementType,
        /// The input.
        input: Extent,
        /// For rows, columns and channels.
        index: [AxisIndex; 3],
        /// The first bytes are the fill, as many as an element has.
        fill: [u8; 8],
    },
    /// Joins its inputs along an axis: CONCATENATION, PACK. Inputs: the pieces, any of them perhaps a constant.
    Concat {
        /// Element type.
        element: ElementType,
        /// The axis.
        axis: Axis,
        /// Size of each input along the axis.
        sizes: Vec<usize>,
    },
    /// TRANSPOSE and any other map of indices that is a stride along each axis. Tensors are stored whole and seen as
    /// `[1, 1, elements]`. Input: `x`.
    Permute {
        /// Element type.
        element: ElementType,
        /// Elements of the input.
        elements: usize,
        /// Dimensions of the output.
        dims: Vec<usize>,
        /// The input element that output element 0 takes.
        first: usize,
        /// Input elements for one step along each output dimension.
        strides: Vec<isize>,
    },
}

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
    pub fn reach(&self, outputs: usize, input: usize) -> Reach {
        if let Self::Affine { start, stride, divide: 1 } = *self {
            return Reach::Window { extent: 1, stride, before: -start };
        }
        let mut end = 0;
        let need = |i: usize| {
            // The fill needs nothing: an empty range between its neighbours'.
            let range = self.kernel().get(i, input).map_or((end, end), |m| (m, m + 1));
            end = range.1;
            range
        };
        Reach::Table((0..outputs).map(need).collect())
    }

    /// The table, if that is the form.
    pub fn table(&self) -> Option<&[i32]> {
        match self {
            Self::Affine { .. } => None,
            Self::Table(table) => Some(table),
        }
    }
}

impl Movement {
    /// See [`Kernel::demands`](super::Kernel::demands).
    pub(super) fn demands(&self, step: &Step) -> Demands {
        let output = step.outputs.first().map_or(flat(0), |t| t.extent);
        match self {
            Self::Gather { element, input, index, .. } => Demands {
                inputs: vec![(*element, *input)],
                outputs: vec![(*element, output)],
                constants: index.iter().filter_map(|i| i.table()).map(|t| 4 * t.len()).collect(),
                ..Demands::default()
            },
            Self::Concat { element, axis, sizes } => {
                let joined: usize = sizes.iter().sum();
                let along = |size: usize| match axis {
                    Axis::Rows => Extent { rows: size, ..output },
                    Axis::Cols => Extent { cols: size, ..output },
                    Axis::Depth => Extent { depth: size, ..output },
                };
                Demands {
                    inputs: sizes.iter().map(|&size| (*element, along(size))).collect(),
                    outputs: vec![(*element, along(joined))],
                    ..Demands::default()
                }
            }
            Self::Permute { element, elements, dims, .. } => Demands {
                inputs: vec![(*element, flat(*elements))],
                outputs: vec![(*element, flat(dims.iter().product()))],
                ..Demands::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let Reach::Table(table) = AxisIndex::Table(vec![-1, 0, 1, -1, 2, -1]).reach(6, 3) else { panic!("a table") };
        assert_eq!(table, [(0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 3)]);
    }
}
