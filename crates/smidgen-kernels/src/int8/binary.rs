//! ADD, SUB, MUL, MINIMUM, MAXIMUM and PRELU of two int8 operands.

use crate::memory::{Arena, Bounds};
use crate::nd::{self, Whole};
use crate::operand::{Operand, zip};
use crate::requant::{Factor, Rounding, limit};
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
        limit(y, self.min, self.max)
    }
}

impl Sum {
    /// Twice the term of operand `i`, with its sign.
    fn doubled(&self, x: i8, i: usize) -> i32 {
        let centred = (x as i32).wrapping_sub(self.zeros[i]);
        let term = self.factors[i].apply(centred.wrapping_shl(SUM_SHIFT), self.rounding).wrapping_mul(2);
        if i == 1 && self.subtract { term.wrapping_neg() } else { term }
    }

    /// The same function as a [`TableSum`] with its table, ordered as [`table`](super::table()) wants it. `None` where the output's
    /// factor is 1 or more, or zero points lie outside int8.
    pub fn with_table(&self) -> Option<(TableSum, [i32; 256])> {
        let half = Factor { multiplier: 1 << 30, shift: 0 };
        let linear = self.factors.iter().position(|&f| f == half)?;
        let zeros_fit = self.zeros.iter().all(|&z| i8::try_from(z).is_ok());
        if !zeros_fit || self.output.shift > 0 || self.output.shift < -30 || self.rounding != Rounding::Twice {
            return None;
        }
        let negate = linear == 1 && self.subtract;
        // The linear operand's term is exact: half of x * 2^20. Its zero point goes into the table.
        let zero = self.doubled(0, linear);
        let table = core::array::from_fn(|i| self.doubled(i as u8 as i8, 1 - linear).wrapping_add(zero));
        let sum = TableSum {
            linear,
            negate,
            multiplier: self.output.multiplier,
            shift: -self.output.shift as u8,
            output_zero: self.output_zero,
            min: self.min,
            max: self.max,
        };
        Some((sum, table))
    }
}

/// ADD and SUB with one operand's terms in a table: `y = output_zero + round_shift(high_mul(table[b] / 2 +- a * 2^19))`. The other
/// operand, that of the greater scale, needs no table because its factor is 1/2. Gives the same bytes as [`Sum`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TableSum {
    /// Which operand has no table.
    pub linear: usize,
    /// Subtract that operand.
    pub negate: bool,
    /// [`Factor::multiplier`] of the output.
    pub multiplier: i32,
    /// Negated [`Factor::shift`] of the output, at most 30.
    pub shift: u8,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: i8,
    /// Greatest stored output that the activation allows.
    pub max: i8,
}

impl TableSum {
    /// The stored output of a stored input and of a table's entry.
    #[inline]
    pub fn apply(&self, linear: i8, entry: i32) -> i8 {
        let term = (linear as i32) << SUM_SHIFT;
        // Both are doubled, so that the high half of the product is a whole word: one instruction where there is SMMULR.
        let sum = if self.negate { entry.wrapping_sub(term) } else { entry.wrapping_add(term) };
        let high = ((sum as i64 * self.multiplier as i64 + (1 << 31)) >> 32) as i32;
        // Ties away from zero; |high| < 2^30, so nothing overflows.
        let half = (1i32 << self.shift) >> 1;
        let negative = if self.shift == 0 { 0 } else { high >> 31 };
        let y = ((high + half + negative) >> self.shift).wrapping_add(self.output_zero);
        limit(y, self.min, self.max)
    }
}

/// See [`TableSum`]. Order: one element at a time, reads before its write.
pub fn table_sum<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    sum: &TableSum,
    table: &[i32; 256],
) {
    let sum = *sum;
    let entry = |x: i8| table[x as u8 as usize];
    match sum.linear {
        0 => zip(arena, a, b, output, region, depth, |a, b| sum.apply(a, entry(b))),
        _ => zip(arena, a, b, output, region, depth, |a, b| sum.apply(b, entry(a))),
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
        limit(y, self.min, self.max)
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
pub fn binary<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
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
pub fn broadcast<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Whole<'_, i8, B>,
    b: Whole<'_, i8, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    function: &Binary,
) {
    nd::zip(arena, a, b, output, dims, strides, |a, b| function.apply(a, b));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_table_gives_the_same_bytes(
            scales in prop::array::uniform3(1e-4f64..1.0),
            powers in any::<bool>(),
            zeros in prop::array::uniform3(-128i32..128),
            subtract in any::<bool>(),
            min in -128i8..0,
        ) {
            // Powers of two make ties.
            let [sa, sb, sy] = scales.map(|s| if powers { libm::exp2(libm::floor(libm::log2(s))) } else { s });
            let common = 2.0 * sa.max(sb);
            let sum = Sum {
                zeros: [zeros[0], zeros[1]],
                factors: [Factor::new(sa / common), Factor::new(sb / common)],
                output: Factor::new(common / ((1 << SUM_SHIFT) as f64 * sy)),
                output_zero: zeros[2],
                min,
                max: 127,
                subtract,
                rounding: Rounding::Twice,
            };
            let (quick, table) = sum.with_table().expect("an output factor under 1");
            for a in i8::MIN..=i8::MAX {
                for b in (i8::MIN..=i8::MAX).step_by(7) {
                    let (linear, other) = if quick.linear == 0 { (a, b) } else { (b, a) };
                    prop_assert_eq!(quick.apply(linear, table[other as u8 as usize]), sum.apply(a, b));
                }
            }
        }
    }
}
