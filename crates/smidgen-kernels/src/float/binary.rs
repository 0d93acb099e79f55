//! ADD, SUB, MUL, DIV, MINIMUM, MAXIMUM and PRELU of two float32 operands.

use super::Clamp;
use crate::memory::{Arena, Bounds};
use crate::nd::{self, Whole};
use crate::operand::{Operand, zip};
use crate::view::{Region, View};

/// Which function of two floats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a / b`.
    Div,
    /// The smaller; `b` unless `a < b`.
    Minimum,
    /// The larger; `b` unless `a > b`.
    Maximum,
    /// `a` where not negative, else `a * b`.
    Prelu,
}

impl Binary {
    /// The function's value.
    #[inline]
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Minimum if a < b => a,
            Self::Maximum if a > b => a,
            Self::Minimum | Self::Maximum => b,
            Self::Prelu if a >= 0.0 => a,
            Self::Prelu => a * b,
        }
    }
}

/// A function whose values are clamped.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Clamped {
    /// The function.
    pub function: Binary,
    /// What the activation allows.
    pub clamp: Clamp,
}

/// `output[i] = clamp(f(a[i], b[i]))`. Order: one element at a time, reads before its write.
pub fn binary<B: Bounds>(
    arena: Arena<'_, f32, B>,
    a: Operand<'_, f32, B>,
    b: Operand<'_, f32, B>,
    output: View,
    region: Region,
    depth: usize,
    Clamped { function, clamp }: Clamped,
) {
    match function {
        Binary::Add => zip(arena, a, b, output, region, depth, |a, b| clamp.apply(a + b)),
        Binary::Mul => zip(arena, a, b, output, region, depth, |a, b| clamp.apply(a * b)),
        _ => zip(arena, a, b, output, region, depth, |a, b| clamp.apply(function.apply(a, b))),
    }
}

/// The same for any broadcast of tensors stored whole: `output` is the element index of the first of `dims` elements in row-major
/// order, and the strides of an operand are 0 along the axes where it is broadcast. Order: one element at a time.
pub fn broadcast<B: Bounds>(
    arena: Arena<'_, f32, B>,
    a: Whole<'_, f32, B>,
    b: Whole<'_, f32, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    Clamped { function, clamp }: Clamped,
) {
    nd::zip(arena, a, b, output, dims, strides, |a, b| clamp.apply(function.apply(a, b)));
}
