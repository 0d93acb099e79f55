//! Kernels of MEAN, SUM and ARG_MAX.

use super::{Demands, elementwise::element, flat};
use crate::program::{Extent, Step};
use smidgen_ir::ElementType;
use smidgen_kernels::convert::Stored;
use smidgen_kernels::{int8, int16};

/// A kernel that makes fewer elements of more.
#[derive(Clone, PartialEq, Debug)]
pub enum Reduction {
    /// MEAN or SUM of int8 over all rows and columns; consumes its input. Input: `x`. State: an int32 for each channel.
    ImageI8 {
        /// The input.
        input: Extent,
        /// Zero points, factor, rounding.
        reduce: int8::Reduce,
    },
    /// AVERAGE_POOL_2D of int8 whose only window is the whole image; consumes its input. Input: `x`. State: an int32 for each
    /// channel.
    PoolI8 {
        /// The input.
        input: Extent,
        /// Least and greatest stored output that the activation allows.
        clamp: [i8; 2],
    },
    /// MEAN of int16 over all rows and columns; consumes its input. Input: `x`. State: an int32 for each channel.
    ImageI16 {
        /// The input.
        input: Extent,
        /// Factor, rounding.
        reduce: int16::Reduce,
    },
    /// AVERAGE_POOL_2D of int16 whose only window is the whole image; consumes its input. Input: `x`. State: an int32 for each
    /// channel.
    PoolI16 {
        /// The input.
        input: Extent,
        /// Least and greatest stored output that the activation allows.
        clamp: [i16; 2],
    },
    /// MEAN or SUM of float32 over all rows and columns, or AVERAGE_POOL_2D without activation whose only window is the whole
    /// image; consumes its input. Input: `x`. State: a float32 for each channel.
    ImageF32 {
        /// The input.
        input: Extent,
        /// What sums are divided by.
        divisor: f32,
    },
    /// MEAN or SUM of int8 over any axes. Tensors are stored whole and seen as `[1, 1, elements]`. Input: `x`.
    AnyI8 {
        /// The axes that stay.
        kept: Axes,
        /// The axes that go.
        reduced: Axes,
        /// Zero points, factor, rounding.
        reduce: int8::Reduce,
    },
    /// MEAN of int16 over any axes. Tensors and input as in `AnyI8`.
    AnyI16 {
        /// The axes that stay.
        kept: Axes,
        /// The axes that go.
        reduced: Axes,
        /// Factor, rounding.
        reduce: int16::Reduce,
    },
    /// The same of float32.
    AnyF32 {
        /// The axes that stay.
        kept: Axes,
        /// The axes that go.
        reduced: Axes,
        /// What sums are divided by.
        divisor: f32,
    },
    /// ARG_MAX over the middle axis. Tensors are stored whole and seen as `[1, 1, elements]`. Input: `x`.
    ArgMax {
        /// The input, seen as outer, size, inner; the output is outer, inner.
        shape: [usize; 3],
        /// Element type of the input.
        from: Stored,
        /// Element type of the output.
        to: Stored,
    },
}

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
}

impl Reduction {
    /// See [`Kernel::demands`](super::Kernel::demands).
    pub(super) fn demands(&self, _step: &Step) -> Demands {
        let (i8, i16, f32) = (ElementType::Int8, ElementType::Int16, ElementType::Float32);
        let image = |element: ElementType, input: Extent| Demands {
            inputs: vec![(element, input)],
            outputs: vec![(element, flat(input.depth))],
            state: 4 * input.depth,
            ..Demands::default()
        };
        let whole = |input: ElementType, elements: usize, output: ElementType, outputs: usize| Demands {
            inputs: vec![(input, flat(elements))],
            outputs: vec![(output, flat(outputs))],
            ..Demands::default()
        };
        match self {
            Self::ImageI8 { input, .. } | Self::PoolI8 { input, .. } => image(i8, *input),
            Self::ImageI16 { input, .. } | Self::PoolI16 { input, .. } => image(i16, *input),
            Self::ImageF32 { input, .. } => image(f32, *input),
            Self::AnyI8 { kept, reduced, .. } => whole(i8, kept.elements() * reduced.elements(), i8, kept.elements()),
            Self::AnyI16 { kept, reduced, .. } => {
                whole(i16, kept.elements() * reduced.elements(), i16, kept.elements())
            }
            Self::AnyF32 { kept, reduced, .. } => {
                whole(f32, kept.elements() * reduced.elements(), f32, kept.elements())
            }
            Self::ArgMax { shape: [outer, size, inner], from, to } => {
                whole(element(*from), outer * size * inner, element(*to), outer * inner)
            }
        }
    }
}
