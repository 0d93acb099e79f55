//! ADD, SUB, MUL, MINIMUM, MAXIMUM and PRELU of two int8 operands.

use crate::nd::{self, Whole};
use crate::operand::{Operand, zip};
use crate::requant::{Factor, Rounding};
use crate::view::{Region, View};

/// Bits that [`Sum`] shifts its operands left by before it brings them to a common scale.
pub const SUM_SHIFT: u32 = 20;

/// Parameters of ADD and SUB: `y = output_zero + out * ((a - a_zero) * 2^20 * a_factor +- (b - b_zero) * 2^20 * b_factor)`, each factor
/// applied with its own rounding to int32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sum {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `s_a / (2 max(s_a, s_b))`, and the same for b.
    pub factors: [Factor; 2],
    /// `2 max(s_a, s_b) / (2^20 s_y)`.
    pub output: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: i8,
    /// Greatest stored output that the activation allows.
    pub max: i8,
    /// Subtract b.
    pub subtract: bool,
    /// How the factors are rounded.
    pub rounding: Rounding,
}

impl Sum {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let term = |x: i8, i: usize| {
            let centred = (x as i32).wrapping_sub(self.zeros[i]);
            self.factors[i].apply(centred.wrapping_shl(SUM_SHIFT), self.rounding)
        };
        let (a, b) = (term(a, 0), term(b, 1));
        let sum = if self.subtract { a.wrapping_sub(b) } else { a.wrapping_add(b) };
        let y = self.output.apply(sum, self.rounding).wrapping_add(self.output_zero);
        y.clamp(self.min as i32, self.max as i32) as i8
    }
}

/// Parameters of MUL: `y = output_zero + factor * ((a - a_zero) * (b - b_zero))`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Product {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `s_a s_b / s_y`.
    pub factor: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: i8,
    /// Greatest stored output that the activation allows.
    pub max: i8,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

impl Product {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let product = (a as i32).wrapping_sub(self.zeros[0]).wrapping_mul((b as i32).wrapping_sub(self.zeros[1]));
        let y = self.factor.apply(product, self.rounding).wrapping_add(self.output_zero);
        y.clamp(self.min as i32, self.max as i32) as i8
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
    pub fn apply(&self, x: i8, alpha: i8) -> i8 {
        let v = (x as i32).wrapping_sub(self.zeros[0]);
        let scaled = if v >= 0 {
            self.positive.apply(v, self.rounding)
        } else {
            self.negative.apply(v.wrapping_mul((alpha as i32).wrapping_sub(self.zeros[1])), self.rounding)
        };
        scaled.wrapping_add(self.output_zero).clamp(i8::MIN as i32, i8::MAX as i32) as i8
    }
}

/// Which function of two stored integers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary {
    /// ADD and SUB.
    Sum(Sum),
    /// MUL.
    Product(Product),
    /// PRELU; the second operand is alpha.
    Prelu(Prelu),
    /// MINIMUM of the stored integers.
    Minimum,
    /// MAXIMUM of the stored integers.
    Maximum,
}

impl Binary {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
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
pub fn binary(
    arena: &mut [i8],
    a: Operand<'_, i8>,
    b: Operand<'_, i8>,
    output: View,
    region: Region,
    depth: usize,
    function: &Binary,
) {
    // One loop for each function, so that none decides inside.
    match function {
        Binary::Sum(sum) => zip(arena, a, b, output, region, depth, |a, b| sum.apply(a, b)),
        Binary::Product(product) => zip(arena, a, b, output, region, depth, |a, b| product.apply(a, b)),
        Binary::Prelu(prelu) => zip(arena, a, b, output, region, depth, |a, b| prelu.apply(a, b)),
        Binary::Minimum => zip(arena, a, b, output, region, depth, i8::min),
        Binary::Maximum => zip(arena, a, b, output, region, depth, i8::max),
    }
}

/// The same for any broadcast of tensors stored whole: `output` is the element index of the first of `dims` elements in row-major
/// order, and the strides of an operand are 0 along the axes where it is broadcast. Order: one element at a time.
pub fn broadcast(
    arena: &mut [i8],
    a: Whole<'_, i8>,
    b: Whole<'_, i8>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    function: &Binary,
) {
    nd::zip(arena, a, b, output, dims, strides, |a, b| function.apply(a, b));
}
