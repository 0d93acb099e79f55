//! DIV and SQUARED_DIFFERENCE of int8. They stand apart from the functions of two operands that most networks have, so that firmware with those
//! does not carry these.

use crate::fixed;
use crate::memory::{Arena, Bounds};
use crate::nd::{self, Whole};
use crate::operand::{Operand, zip};
use crate::requant::{Factor, Rounding, limit, round_shift};
use crate::view::{Region, View};

/// Parameters of DIV, `y = output_zero + factor * ((a - a_zero) / (b - b_zero))`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quotient {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `s_a / (s_b s_y)`.
    pub factor: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// Least stored output that the activation allows.
    pub min: i8,
    /// Greatest stored output that the activation allows.
    pub max: i8,
}

impl Quotient {
    /// The stored output of two stored inputs. Where the reference shifts right by more than the 31 bits that have a meaning there (it then
    /// gives what the machine does, often the greatest number), this is the quotient rounded, which is 0.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let (a, b) = (i32::from(a).wrapping_sub(self.zeros[0]), i32::from(b).wrapping_sub(self.zeros[1]));
        let (a, b) = if b < 0 { (a.wrapping_neg(), b.wrapping_neg()) } else { (a, b) };
        let (reciprocal, beyond) = fixed::reciprocal(b, 31);
        // As far to the left as it goes.
        let headroom = if a < 0 {
            a.wrapping_neg().wrapping_mul(2).wrapping_sub(1).leading_zeros()
        } else {
            a.leading_zeros().wrapping_sub(1)
        };
        let quotient = fixed::mul(a.wrapping_shl(headroom), reciprocal);
        let right = (headroom as i32).wrapping_add(beyond).wrapping_sub(self.factor.shift.into());
        let scaled = fixed::mul(quotient, self.factor.multiplier);
        let rounded = if right > 31 { 0 } else { round_shift(scaled, right.max(0) as u32) };
        limit(rounded.wrapping_add(self.output_zero), self.min, self.max)
    }
}

/// Parameters of SQUARED_DIFFERENCE: `y = output_zero + output * d^2` with `d = (a - a_zero) * 2^7 * a_factor - (b - b_zero) * 2^7 * b_factor`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SquaredDifference {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `s_a / (2 max(s_a, s_b))`, and the same for b.
    pub factors: [Factor; 2],
    /// `(2 max(s_a, s_b))^2 / (2^14 s_y)`, below 1.
    pub output: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// How the factors are rounded.
    pub rounding: Rounding,
}

impl SquaredDifference {
    /// Bits that operands are shifted left by.
    pub const SHIFT: u32 = 7;

    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let term = |x: i8, i: usize| {
            self.factors[i].apply(i32::from(x).wrapping_sub(self.zeros[i]).wrapping_shl(Self::SHIFT), self.rounding)
        };
        let difference = term(a, 0).wrapping_sub(term(b, 1));
        let square = self.output.apply(difference.wrapping_mul(difference), self.rounding);
        limit(square.wrapping_add(self.output_zero), i8::MIN, i8::MAX)
    }
}

/// Which function of two stored integers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pair {
    /// DIV.
    Quotient(Quotient),
    /// SQUARED_DIFFERENCE.
    SquaredDifference(SquaredDifference),
}

impl Pair {
    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        match self {
            Self::Quotient(quotient) => quotient.apply(a, b),
            Self::SquaredDifference(difference) => difference.apply(a, b),
        }
    }
}

/// `output[i] = f(a[i], b[i])`. Order: one element at a time, reads before its write.
pub fn pair<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    function: &Pair,
) {
    zip(arena, a, b, output, region, depth, |a, b| function.apply(a, b));
}

/// The same for any broadcast of tensors stored whole, as [`broadcast`](super::broadcast) has it. Order: one element at a time.
pub fn broadcast_pair<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Whole<'_, i8, B>,
    b: Whole<'_, i8, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    function: &Pair,
) {
    nd::zip(arena, a, b, output, dims, strides, |a, b| function.apply(a, b));
}
