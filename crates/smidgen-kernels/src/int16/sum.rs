//! ADD and SUB of int16 in a few instructions: the reference's three roundings, each by one multiplication that keeps the high half.

use super::Sum;
use crate::memory::{Arena, Bounds, Integer};
use crate::operand::{Operand, pieces, zip};
use crate::requant::{Factor, Rounding, SmallFactor, limit};
use crate::view::{Region, View};

/// Parameters of [`sum`]. The operand with the greater scale has a factor of one half, which loses no bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// Which operand that is.
    pub linear: usize,
    /// `2^15`, what its integers count twice the sum with; below zero where it is subtracted.
    pub weight: i32,
    /// Factor of the other, whose integers are taken `2^15` times.
    pub other: SmallFactor,
    /// Factor of the sum.
    pub output: SmallFactor,
    /// Least stored output that the activation allows.
    pub min: i16,
    /// Greatest stored output that the activation allows.
    pub max: i16,
}

impl Terms {
    /// The same function. `None` if the output's factor is 1 or more, if zero points are not 0, or if products are rounded once.
    pub fn of(sum: &Sum) -> Option<Self> {
        const HALF: Factor = Factor { multiplier: 1 << 30, shift: 0 };
        let linear = sum.factors.iter().position(|&factor| factor == HALF)?;
        let other = sum.factors[1 - linear];
        let symmetric = sum.zeros == [0, 0] && sum.output_zero == 0;
        // With more than one half, the sum of both terms would not fit.
        let fits = other.shift < 0 || other == HALF;
        if !symmetric || !fits || sum.rounding != Rounding::Twice {
            return None;
        }
        let (other, weight) = (SmallFactor::new(other)?, 1 << i16::SUM_SHIFT);
        let (weight, other) = match (sum.subtract, linear) {
            (false, _) => (weight, other),
            (true, 0) => (weight, other.negated()),
            (true, _) => (-weight, other),
        };
        Some(Self { linear, weight, other, output: SmallFactor::new(sum.output)?, min: sum.min, max: sum.max })
    }

    /// The stored output of two stored inputs, that of the [linear](Self::linear) operand first.
    #[inline(always)]
    pub fn apply(&self, linear: i16, other: i16) -> i16 {
        let other = self.other.of_doubled(i32::from(other) << (i16::SUM_SHIFT + 1));
        let doubled = other.wrapping_mul(2).wrapping_add(i32::from(linear).wrapping_mul(self.weight));
        limit(self.output.of_doubled(doubled), self.min, self.max)
    }
}

/// `output[i] = a[i] +- b[i]` as `terms` say. Order: one element at a time, reads before its write.
pub fn sum<B: Bounds>(
    mut arena: Arena<'_, i16, B>,
    a: Operand<'_, i16, B>,
    b: Operand<'_, i16, B>,
    output: View,
    region: Region,
    depth: usize,
    terms: &Terms,
) {
    let terms = *terms;
    let (linear, other) = if terms.linear == 0 { (a, b) } else { (b, a) };
    let dense = |o: &Operand<'_, i16, B>| o.constant.is_none() && o.step == 1 && o.view.pixel_stride == depth;
    if !(dense(&linear) && dense(&other) && output.pixel_stride == depth) {
        return zip(arena, linear, other, output, region, depth, |linear, other| terms.apply(linear, other));
    }
    pieces(region, depth, true, |y, x, count| {
        let places = [linear.view.at(y, x), other.view.at(y, x), output.at(y, x)];
        let [linear, other, to] = arena.cells(places, count);
        for ((linear, other), to) in linear.iter().zip(other).zip(to) {
            to.set(terms.apply(linear.get(), other.get()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
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
                let operands = [a, b];
                let found = terms.apply(operands[terms.linear], operands[1 - terms.linear]);
                prop_assert_eq!(found, sum.apply(a, b), "{} {}", a, b);
            }
        }
    }
}
