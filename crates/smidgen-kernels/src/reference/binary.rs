//! ADD, SUB, MUL, MINIMUM, MAXIMUM and PRELU of two integer operands.

use crate::memory::{Arena, Bounds, Integer};
use crate::nd::{self, Whole};
use crate::operand::{Operand, zip};
use crate::requant::{Factor, Rounding, limit};
use crate::view::{Region, View};

/// Parameters of ADD and SUB: `y = output_zero + out * ((a - a_zero) * 2^n * a_factor +- (b - b_zero) * 2^n * b_factor)` with `n` from
/// [`SUM_SHIFT`](Integer::SUM_SHIFT), each factor applied with its own rounding to int32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sum<T = i8> {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `s_a / (2 max(s_a, s_b))`, and the same for b.
    pub factors: [Factor; 2],
    /// `2 max(s_a, s_b) / (2^n s_y)`.
    pub output: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: T,
    /// Greatest stored output that the activation allows.
    pub max: T,
    /// Subtract b.
    pub subtract: bool,
    /// How the factors are rounded.
    pub rounding: Rounding,
}

impl<T: Integer> Sum<T> {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: T, b: T) -> T {
        limit(self.unclamped(a, b), self.min, self.max)
    }

    /// The same before it is clamped.
    #[inline]
    pub fn unclamped(&self, a: T, b: T) -> i32 {
        let sum = self.term(0, a).wrapping_add(self.term(1, b));
        self.output.apply(sum, self.rounding).wrapping_add(self.output_zero)
    }

    /// What the first (0) or the second (1) operand adds, before the sum is scaled.
    #[inline]
    pub fn term(&self, operand: usize, x: T) -> i32 {
        let i = operand & 1;
        let centred = x.into().wrapping_sub(self.zeros[i]);
        // Before the product is rounded: what lies halfway rounds upwards, and not away from zero.
        let signed = if self.subtract && i == 1 { centred.wrapping_neg() } else { centred };
        self.factors[i].apply(signed.wrapping_shl(T::SUM_SHIFT), self.rounding)
    }
}

/// Parameters of MUL, `y = output_zero + factor * ((a - a_zero) * (b - b_zero))`, and of BATCH_MATMUL, which scales the sum of such
/// products.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Product<T = i8> {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `s_a s_b / s_y`.
    pub factor: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: T,
    /// Greatest stored output that the activation allows.
    pub max: T,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

impl<T: Integer> Product<T> {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: T, b: T) -> T {
        let product = a.into().wrapping_sub(self.zeros[0]).wrapping_mul(b.into().wrapping_sub(self.zeros[1]));
        self.scaled(product)
    }

    /// The stored output of a product, or of a sum of products.
    #[inline]
    pub fn scaled(&self, sum: i32) -> T {
        limit(self.factor.apply(sum, self.rounding).wrapping_add(self.output_zero), self.min, self.max)
    }
}

/// Parameters of PRELU: with `v = x - zeros[0]`, `y = output_zero + positive * v` where `v >= 0`, else
/// `output_zero + negative * (v * (alpha - zeros[1]))`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prelu {
    /// Zero points of `x` and alpha.
    pub zeros: [i32; 2],
    /// `s_x / s_y`.
    pub positive: Factor,
    /// `s_x s_alpha / s_y`.
    pub negative: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// How the factors are rounded.
    pub rounding: Rounding,
}

impl Prelu {
    /// The stored output for a stored input and slope.
    #[inline]
    pub fn apply<T: Integer>(&self, x: T, alpha: T) -> T {
        let v = x.into().wrapping_sub(self.zeros[0]);
        let scaled = if v >= 0 {
            self.positive.apply(v, self.rounding)
        } else {
            self.negative.apply(v.wrapping_mul(alpha.into().wrapping_sub(self.zeros[1])), self.rounding)
        };
        limit(scaled.wrapping_add(self.output_zero), T::MIN, T::MAX)
    }
}

/// Which function of two stored integers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary<T = i8> {
    /// ADD and SUB.
    Sum(Sum<T>),
    /// MUL.
    Product(Product<T>),
    /// PRELU; the second operand is alpha.
    Prelu(Prelu),
    /// MINIMUM of the stored integers.
    Minimum,
    /// MAXIMUM of the stored integers.
    Maximum,
}

impl<T: Integer> Binary<T> {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: T, b: T) -> T {
        match self {
            Self::Sum(sum) => sum.apply(a, b),
            Self::Product(product) => product.apply(a, b),
            Self::Prelu(prelu) => prelu.apply(a, b),
            Self::Minimum => a.min(b),
            Self::Maximum => a.max(b),
        }
    }
}

/// `output[i] = f(a[i], b[i])`. Order: one element at a time, reads before its write.
pub fn binary<T: Integer, B: Bounds>(
    arena: Arena<'_, T, B>,
    a: Operand<'_, T, B>,
    b: Operand<'_, T, B>,
    output: View,
    region: Region,
    depth: usize,
    function: &Binary<T>,
) {
    // One loop for each function, so that none decides inside.
    match function {
        Binary::Sum(sum) => zip(arena, a, b, output, region, depth, |a, b| sum.apply(a, b)),
        Binary::Product(product) => zip(arena, a, b, output, region, depth, |a, b| product.apply(a, b)),
        Binary::Prelu(prelu) => zip(arena, a, b, output, region, depth, |a, b| prelu.apply(a, b)),
        Binary::Minimum => zip(arena, a, b, output, region, depth, T::min),
        Binary::Maximum => zip(arena, a, b, output, region, depth, T::max),
    }
}

/// The same for any broadcast of tensors stored whole: `output` is the element index of the first of `dims` elements in row-major
/// order, and the strides of an operand are 0 along the axes where it is broadcast. Order: one element at a time.
pub fn broadcast<T: Integer, B: Bounds>(
    arena: Arena<'_, T, B>,
    a: Whole<'_, T, B>,
    b: Whole<'_, T, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    function: &Binary<T>,
) {
    nd::zip(arena, a, b, output, dims, strides, |a, b| function.apply(a, b));
}
