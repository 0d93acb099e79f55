//! From a sum of 32 bits to an int16 output.
//!
//! The reference takes `(sum * m + 2^(t-1)) >> t` in 64 bits, `m` being the factor's multiplier and `t` 31 less its shift. Here, with `t`
//! at least 33, that is
//!
//! ```text
//! y = (SMMLA(sum, m, 2^(s-1)) ASR s), s = t - 32        SMMLA(a, m, c) = c + floor(a * m / 2^32)
//! ```
//!
//! which is equal for all sums: half a step is a multiple of `2^32`, so it can be added behind the inner floor, and a floor of a floor is the floor
//! of the whole. Where the reference reduces the multiplier to 15 bits, `m` is those times `2^16`, and `t` as if it had not.
//!
//! # The words
//! Five for each pair of channels: their starts (the bias), their multipliers, and their `s` in the two low bytes of the last. After an odd
//! number of channels follows one of zeros.

use crate::int16::Multiplier;
#[cfg(all(target_arch = "arm", feature = "dsp"))]
use crate::memory::Around;
use crate::memory::{Bounds, Flash};
use crate::requant::Factor;

/// Words of a pair of channels.
pub(super) const PAIR: usize = 5;

/// Number of words of so many channels.
pub const fn words(channels: usize) -> usize {
    channels.div_ceil(2) * PAIR
}

/// How one channel's products become outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Channel {
    /// What its sum starts with.
    pub start: i32,
    /// `m`, at least 0.
    pub multiplier: i32,
    /// `s`, in `1 ..= 30`.
    pub shift: u8,
}

impl Channel {
    /// The channel of a bias, a factor and weights, if 32 bits hold its sum for any activations, in whatever order products are added, and if its
    /// factor is below a quarter.
    pub fn proven(
        bias: i64,
        factor: Factor,
        multiplier: Multiplier,
        weights: impl Iterator<Item = i8>,
    ) -> Option<Self> {
        let greatest = weights.fold(bias.unsigned_abs(), |sum, w| {
            sum.saturating_add(u64::from(w.unsigned_abs()) * u64::from(i16::MIN.unsigned_abs()))
        });
        if greatest > i32::MAX as u64 {
            return None;
        }
        let multiplier = match multiplier {
            Multiplier::Reduced => factor.reduced_multiplier() << 16,
            Multiplier::Full => factor.multiplier,
        };
        let shift = if multiplier == 0 { 1 } else { -1 - factor.shift };
        ((1..=30).contains(&shift)).then_some(Self { start: bias as i32, multiplier, shift: shift as u8 })
    }

    /// The words of a layer's channels.
    pub fn pack(channels: &[Self]) -> impl Iterator<Item = u32> {
        channels.chunks(2).flat_map(|pair| {
            let [first, second] = [pair[0], pair.get(1).copied().unwrap_or_default()];
            let shifts = u32::from(first.shift) | u32::from(second.shift) << 8;
            [first.start as u32, second.start as u32, first.multiplier as u32, second.multiplier as u32, shifts]
        })
    }

    /// Channels `2 * pair` and `2 * pair + 1` of [packed](Self::pack) words.
    ///
    /// # Panics
    /// If the words are checked and too few.
    #[inline(always)]
    pub fn pair<B: Bounds>(words: Flash<'_, u32, B>, pair: usize) -> [Self; 2] {
        let &[start0, start1, multiplier0, multiplier1, shifts] = words.array::<PAIR>(pair.wrapping_mul(PAIR));
        let of = |start, multiplier, shift| Self { start: start as i32, multiplier: multiplier as i32, shift };
        [of(start0, multiplier0, shifts as u8), of(start1, multiplier1, (shifts >> 8) as u8)]
    }

    /// The output, not clamped, for a sum of its start and all products.
    #[inline(always)]
    pub fn output(&self, sum: i32) -> i32 {
        let high = ((i64::from(sum) * i64::from(self.multiplier)) >> 32) as i32;
        let shift = u32::from(self.shift);
        high.wrapping_add(1i32.wrapping_shl(shift.wrapping_sub(1))).wrapping_shr(shift)
    }
}

/// Least and greatest stored output that the activation allows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct Clamp {
    /// The least.
    pub min: i16,
    /// The greatest; not below `min`.
    pub max: i16,
}

impl Clamp {
    /// Clamps the outputs of some pixels where no instruction has: SSAT to 16 bits, or USAT to 15.
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    #[inline(always)]
    pub(super) fn limit<B: Bounds>(
        self,
        arena: &mut Around<'_, i16, B>,
        to: usize,
        [pixels, pixel_stride, channels]: [usize; 3],
    ) {
        if self.max == i16::MAX && (self.min == i16::MIN || self.min == 0) {
            return;
        }
        for p in 0..pixels {
            for y in arena.span_mut(to + p * pixel_stride, channels) {
                *y = self.apply((*y).into());
            }
        }
    }

    /// The nearest stored output.
    #[inline(always)]
    pub fn apply(self, y: i32) -> i16 {
        y.max(self.min.into()).min(self.max.into()) as i16
    }
}

#[cfg(all(test, feature = "float"))]
mod tests {
    extern crate std;

    use super::*;
    use crate::int16::{Channels, Int16};
    use crate::reference::Arithmetic;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn outputs_are_those_of_the_definition(
            bias in -(1i64 << 28)..1 << 28,
            real in prop_oneof![1e-8f64..0.2499, (-20i32..-2).prop_map(|e| f64::from(e).exp2()), Just(0.0)],
            full: bool,
            weights in prop::collection::vec(any::<i8>(), 0..100),
            sums in prop::collection::vec(any::<i32>(), 20),
        ) {
            let multiplier = if full { Multiplier::Full } else { Multiplier::Reduced };
            let factor = Factor::new(real);
            let channel = Channel::proven(bias, factor, multiplier, weights.iter().copied()).unwrap();
            let quant = Int16 { min: i16::MIN, max: i16::MAX, multiplier };
            let (bias, multipliers, shifts) = ([bias], [factor.multiplier], [factor.shift]);
            let channels = Channels {
                bias: Flash::new(&bias),
                multipliers: Flash::new(&multipliers),
                shifts: Flash::new(&shifts),
            };
            let packed: Vec<u32> = Channel::pack(&[channel]).collect();
            prop_assert_eq!(Channel::pair(Flash::new(&packed), 0), [channel, Channel::default()]);
            for sum in sums {
                let given = Clamp { min: i16::MIN, max: i16::MAX }.apply(channel.output(sum));
                let products = i64::from(sum) - i64::from(channel.start);
                prop_assert_eq!(given, quant.finish(&channels, 0, products), "{}", sum);
            }
        }
    }

    #[test]
    fn what_is_not_proven_is_refused() {
        let small = Factor::new(1e-3);
        let proven = |bias, factor, weights: &[i8]| {
            Channel::proven(bias, factor, Multiplier::Reduced, weights.iter().copied()).is_some()
        };
        assert!(proven((1 << 31) - 1, small, &[]));
        assert!(!proven(1 << 31, small, &[]));
        assert!(!proven(-(1 << 31), small, &[]));
        assert!(proven((1 << 31) - 1 - (1 << 15) * 128, small, &[-128]));
        assert!(!proven((1 << 31) - (1 << 15) * 128, small, &[-128]));
        assert!(proven(0, Factor::new(0.2499), &[1]));
        assert!(!proven(0, Factor::new(0.25), &[1]));
        assert!(proven(0, Factor::new(0.0), &[1]));
    }
}
