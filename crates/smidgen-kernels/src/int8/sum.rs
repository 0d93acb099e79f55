//! ADD and SUB of int8 with the terms of one operand in a table.

use crate::memory::{Arena, Bounds, Integer};
use crate::operand::{Operand, zip};
use crate::reference::Sum;
use crate::requant::{Factor, Rounding, limit};
use crate::view::{Region, View};

/// Bits that [`Sum`] shifts its operands left by.
pub const SUM_SHIFT: u32 = <i8 as Integer>::SUM_SHIFT;

impl Sum {
    /// Twice the term of operand `i`, with its sign.
    fn doubled(&self, x: i8, i: usize) -> i32 {
        let centred = i32::from(x).wrapping_sub(self.zeros[i]);
        let signed = if self.subtract && i == 1 { centred.wrapping_neg() } else { centred };
        self.factors[i].apply(signed.wrapping_shl(SUM_SHIFT), self.rounding).wrapping_mul(2)
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

/// A [`TableSum`] with its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookup<'a> {
    /// What is done with an entry.
    pub sum: &'a TableSum,
    /// Twice the other operand's term, by its byte.
    pub table: &'a [i32; 256],
}

/// See [`TableSum`]. Order: one element at a time, reads before its write.
pub fn table_sum<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    Lookup { sum, table }: Lookup,
) {
    let sum = *sum;
    let entry = |x: i8| table[x as u8 as usize];
    match sum.linear {
        0 => zip(arena, a, b, output, region, depth, |a, b| sum.apply(a, entry(b))),
        _ => zip(arena, a, b, output, region, depth, |a, b| sum.apply(b, entry(a))),
    }
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
