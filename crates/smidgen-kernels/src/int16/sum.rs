//! ADD and SUB of int16 in a few instructions: the reference's three roundings, each by one multiplication that keeps the high half.

use super::Sum;
use crate::memory::{Arena, Bounds, Integer};
use crate::operand::{Operand, zip};
use crate::requant::{Rounding, SmallFactor, limit};
use crate::view::{Region, View};

/// Parameters of [`sum`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// Of each operand, whose integers are taken `2^15` times; below zero where it is subtracted.
    pub factors: [SmallFactor; 2],
    /// Of the sum.
    pub output: SmallFactor,
    /// Least stored output that the activation allows.
    pub min: i16,
    /// Greatest stored output that the activation allows.
    pub max: i16,
}

impl Terms {
    /// The same function. `None` if the output's factor is 1 or more, if zero points are not 0, or if products are rounded once.
    pub fn of(sum: &Sum) -> Option<Self> {
        let symmetric = sum.zeros == [0, 0] && sum.output_zero == 0;
        // With more than one half, the sum of both terms would not fit.
        let halves = sum.factors.iter().all(|f| f.shift < 0 || (f.shift == 0 && f.multiplier <= 1 << 30));
        if !symmetric || !halves || sum.rounding != Rounding::Twice {
            return None;
        }
        let [a, b] = sum.factors;
        let factors =
            [SmallFactor::new(a)?, if sum.subtract { SmallFactor::new(b)?.negated() } else { SmallFactor::new(b)? }];
        Some(Self { factors, output: SmallFactor::new(sum.output)?, min: sum.min, max: sum.max })
    }

    /// The stored output of two stored inputs.
    #[inline]
    pub fn apply(&self, a: i16, b: i16) -> i16 {
        let term = |x: i16, i: usize| self.factors[i].of_doubled(i32::from(x) << (i16::SUM_SHIFT + 1));
        let sum = term(a, 0).wrapping_add(term(b, 1));
        limit(self.output.of_doubled(sum.wrapping_mul(2)), self.min, self.max)
    }
}

/// `output[i] = terms(a[i], b[i])`. Order: one element at a time, reads before its write.
pub fn sum<B: Bounds>(
    arena: Arena<'_, i16, B>,
    a: Operand<'_, i16, B>,
    b: Operand<'_, i16, B>,
    output: View,
    region: Region,
    depth: usize,
    terms: &Terms,
) {
    let terms = *terms;
    zip(arena, a, b, output, region, depth, |a, b| terms.apply(a, b));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requant::Factor;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn terms_give_the_same_bytes(
            scales in prop::array::uniform3(1e-5f64..1e-2),
            [min, max] in prop::array::uniform2(any::<i16>()),
            subtract: bool,
            pairs in prop::collection::vec(any::<[i16; 2]>(), 200),
        ) {
            let [a, b, y] = scales;
            let common = 2.0 * a.max(b);
            let sum = Sum {
                zeros: [0, 0],
                factors: [Factor::new(a / common), Factor::new(b / common)],
                output: Factor::new(common / ((1 << i16::SUM_SHIFT) as f64 * y)),
                output_zero: 0,
                min: min.min(max),
                max: min.max(max),
                subtract,
                rounding: Rounding::Twice,
            };
            let terms = Terms::of(&sum).expect("an output factor under 1");
            let ends = [i16::MIN, -1, 0, 1, i16::MAX];
            let ends = ends.iter().flat_map(|&a| ends.map(|b| [a, b]));
            for [a, b] in pairs.into_iter().chain(ends) {
                prop_assert_eq!(terms.apply(a, b), sum.apply(a, b), "{} {}", a, b);
            }
        }
    }
}
