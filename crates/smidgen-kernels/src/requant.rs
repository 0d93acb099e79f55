//! Requantisation: from an int32 accumulator to the output's scale, by a Q31 multiplier and a power of two.
//!
//! A real factor `M` is `multiplier * 2^(shift - 31)` with `multiplier` in `[2^30, 2^31)`. TensorFlow Lite multiplies by it in two
//! ways that differ by one step in rare ties, and which operator uses which depends on its version: see [`Rounding`].

use crate::memory::Integer;

/// How the product of accumulator and multiplier is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rounding {
    /// Twice: the doubling high half of the product rounded, ties upwards; then a right shift rounded, ties away from zero.
    Twice,
    /// Once: the 64-bit product shifted right by `31 - shift`, ties upwards.
    Once,
}

/// `M = multiplier * 2^(shift - 31)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Factor {
    /// In `[2^30, 2^31)`, or 0 for a factor of 0 or too small to matter.
    pub multiplier: i32,
    /// Power of two; positive shifts left. In `-31 ..= 30`.
    pub shift: i8,
}

impl Factor {
    /// Splits a finite factor of at least 0 as TensorFlow Lite's `QuantizeMultiplier` does: frexp, then rounding the fraction to 31
    /// bits. Factors under `2^-32` become 0, those of `2^30` and over the greatest that can be represented.
    #[cfg(feature = "float")]
    pub fn new(real: f64) -> Self {
        if real <= 0.0 || !real.is_finite() {
            return Self::default();
        }
        let (fraction, exponent) = libm::frexp(real);
        let mut multiplier = libm::round(fraction * (1i64 << 31) as f64) as i64;
        let mut shift = exponent;
        if multiplier == 1 << 31 {
            multiplier /= 2;
            shift += 1;
        }
        if shift < -31 {
            return Self::default();
        }
        if shift > 30 {
            return Self { multiplier: i32::MAX, shift: 30 };
        }
        Self { multiplier: multiplier as i32, shift: shift as i8 }
    }

    /// `x * M`, rounded as named.
    #[inline]
    pub fn apply(self, x: i32, rounding: Rounding) -> i32 {
        match rounding {
            Rounding::Twice => self.twice(x),
            Rounding::Once => self.once(x),
        }
    }

    /// The multiplier rounded to 15 bits.
    #[inline]
    pub fn reduced_multiplier(self) -> i32 {
        if self.multiplier < 0x7fff_0000 { (self.multiplier + (1 << 15)) >> 16 } else { 0x7fff }
    }

    /// `x * M` for a sum of 64 bits, `x` in `-2^47 .. 2^47` and `shift` below 8: the multiplier is rounded to 15 bits, the product once,
    /// ties upwards. The low 32 bits of the result are kept.
    #[inline]
    pub fn reduced(self, x: i64) -> i32 {
        let multiplier = self.reduced_multiplier();
        let total = (15 - self.shift as i32) as u32;
        let half = 1i64.wrapping_shl(total.wrapping_sub(1));
        x.wrapping_mul(i64::from(multiplier)).wrapping_add(half).wrapping_shr(total) as i32
    }

    /// The same with all bits of the multiplier.
    #[inline]
    pub fn full(self, x: i64) -> i32 {
        // The product has up to 78 bits: its upper part in units of 2^16, to which nothing of the lower part's 16 bits can carry
        // once half a step, which is a multiple of 2^16 since the shift is at least 24, has been added.
        let low = (x as u64 & 0xffff).wrapping_mul(self.multiplier as u64);
        let high = (x >> 16).wrapping_mul(i64::from(self.multiplier)).wrapping_add((low >> 16) as i64);
        let total = (15 - self.shift as i32) as u32;
        let half = 1i64.wrapping_shl(total.wrapping_sub(1));
        high.wrapping_add(half).wrapping_shr(total) as i32
    }

    /// `x * M`, [rounded twice](Rounding::Twice).
    #[inline]
    pub fn twice(self, x: i32) -> i32 {
        let shifted = x.wrapping_shl(self.shift.max(0) as u32);
        round_shift(high_mul(shifted, self.multiplier), (-self.shift).max(0) as u32)
    }

    /// `x * M`, [rounded once](Rounding::Once).
    #[inline]
    pub fn once(self, x: i32) -> i32 {
        let (product, total) = (x as i64 * self.multiplier as i64, (31 - self.shift as i32) as u32);
        if total > 32 {
            // The lower half is less than half a step, and cannot carry.
            let half = 1i32.wrapping_shl(total.wrapping_sub(33));
            return ((product >> 32) as i32).wrapping_add(half).wrapping_shr(total.wrapping_sub(32));
        }
        ((product + (1i64 << (total - 1))) >> total) as i32
    }
}

/// A [`Factor`] below 1, [rounded twice](Rounding::Twice), for integers of which twice fits 32 bits. The high half of a product is one
/// instruction on many cores, and the rest stays in one register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SmallFactor {
    /// That of the [`Factor`], or its negative.
    pub multiplier: i32,
    /// Bits that the high half is shifted right by, at most 30.
    pub shift: u8,
}

impl SmallFactor {
    /// The same factor. `None` if it shifts left, or right by more than 30.
    pub fn new(factor: Factor) -> Option<Self> {
        let shift =
            factor.shift.checked_neg().and_then(|shift| u8::try_from(shift).ok()).filter(|&shift| shift <= 30)?;
        Some(Self { multiplier: factor.multiplier, shift })
    }

    /// What gives of `x` what the factor gives of `-x`.
    pub fn negated(self) -> Self {
        Self { multiplier: self.multiplier.wrapping_neg(), ..self }
    }

    /// [`Factor::twice`] of `x`, given `2 x`.
    #[inline(always)]
    pub fn of_doubled(self, doubled: i32) -> i32 {
        let high = ((i64::from(doubled) * i64::from(self.multiplier) + (1 << 31)) >> 32) as i32;
        // Ties away from zero. The high half is at most 2^30, so that half a step on top fits.
        let half = (1i32 << self.shift) >> 1;
        let below = if self.shift == 0 { 0 } else { high >> 31 };
        high.wrapping_add(half).wrapping_add(below) >> self.shift
    }
}

/// High half of `2 * a * b`, rounded, ties upwards. `b` must not be negative, which spares the one case that saturates.
#[inline]
pub fn high_mul(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `x / 2^shift`, rounded, ties away from zero. `shift` is at most 31.
#[inline]
pub fn round_shift(x: i32, shift: u32) -> i32 {
    // What the shift cuts off, against half a step; a tie of negative numbers is no step upwards. All of it fits 32 bits.
    let rest = (1u32.wrapping_shl(shift).wrapping_sub(1)) as i32;
    let half = (rest >> 1).wrapping_add(i32::from(x < 0));
    x.wrapping_shr(shift).wrapping_add(i32::from(x & rest > half))
}

/// The nearest of `min ..= max`. Unlike `clamp` it has no way to panic.
#[inline]
pub(crate) fn limit<T: Integer>(x: i32, min: T, max: T) -> T {
    T::wrap(x.max(min.into()).min(max.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_round_as_named() {
        assert_eq!([-6, -3, -2, -1, 0, 1, 2, 3, 6].map(|x| round_shift(x, 1)), [-3, -2, -1, -1, 0, 1, 1, 2, 3]);
        assert_eq!(round_shift(-7, 0), -7);
        assert_eq!(round_shift(i32::MIN, 31), -1);
        // 2 a b = -3 * 2^31 / 2: a tie, upwards.
        assert_eq!(high_mul(-3, 1 << 30), -1);
        assert_eq!(high_mul(3, 1 << 30), 2);
        let half = Factor::new(0.5);
        assert_eq!(half, Factor { multiplier: 1 << 30, shift: 0 });
        assert_eq!((half.once(-3), half.twice(-3)), (-1, -1));
        let quarter = Factor::new(0.25);
        assert_eq!((quarter.once(-6), quarter.twice(-6)), (-1, -2));
    }

    #[test]
    fn factors_at_the_ends() {
        assert_eq!(Factor::new(0.0), Factor::default());
        assert_eq!(Factor::new(f64::NAN), Factor::default());
        assert_eq!(Factor::new(1e-12), Factor::default());
        assert_eq!(Factor::new(1e300), Factor { multiplier: i32::MAX, shift: 30 });
        // Rounds up to the next power of two.
        assert_eq!(Factor::new(1.0 - 1e-12), Factor { multiplier: 1 << 30, shift: 1 });
        assert_eq!(Factor::new(1e-12).twice(i32::MAX), 0);
    }

    proptest! {
        #[test]
        fn sums_of_64_bits_are_rounded_once(x in -(1i64 << 47)..(1i64 << 47), real in 1e-9f64..127.0) {
            let factor = Factor::new(real);
            let total = 31 - i32::from(factor.shift);
            let rounded = |multiplier: i64, total: i32| {
                ((i128::from(x) * i128::from(multiplier) + (1i128 << (total - 1))) >> total) as i32
            };
            prop_assert_eq!(factor.full(x), rounded(factor.multiplier.into(), total));
            let reduced = ((i64::from(factor.multiplier) + (1 << 15)) >> 16).min(0x7fff);
            prop_assert_eq!(factor.reduced(x), rounded(reduced, total - 16));
        }

        #[test]
        fn small_factors_round_alike(x in -(1i32 << 30)..(1i32 << 30), real in 1e-9f64..1.0) {
            let factor = Factor::new(real);
            if let Some(small) = SmallFactor::new(factor) {
                prop_assert_eq!(small.of_doubled(2 * x), factor.twice(x));
                prop_assert_eq!(small.negated().of_doubled(2 * x), factor.twice(-x));
            } else {
                prop_assert!(factor.shift > 0 || factor.shift == -31);
            }
        }

        #[test]
        fn both_roundings_stay_within_a_step_of_the_product(x in -(1 << 24)..(1 << 24), real in 1e-7f64..2.0) {
            let factor = Factor::new(real);
            let exact = x as f64 * factor.multiplier as f64 * libm::exp2(factor.shift as f64 - 31.0);
            prop_assert!((factor.once(x) as f64 - exact).abs() <= 0.5 + 1e-6);
            prop_assert!((factor.twice(x) as f64 - exact).abs() <= 1.0 + 1e-6);
        }
    }
}
