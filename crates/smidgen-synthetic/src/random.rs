//! A source of chance that will never change.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): a counter that goes up by
/// the golden ratio, and a mixing function. Not for secrets; here because a network must be the same for a seed for ever,
/// which generators of random-number crates do not promise.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence for this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both possible. Biased by at most 2^-32 for ranges up to 2^32.
    ///
    /// # Panics
    /// If `low` is above `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        assert!(low <= high, "an empty range");
        let count = (high - low) as u128 + 1;
        low + ((u128::from(self.bits()) * count) >> 64) as i64
    }

    /// An index below `count`.
    ///
    /// # Panics
    /// If `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        assert!(count > 0, "nothing to choose from");
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// True with probability `numerator / denominator`.
    pub fn chance(&mut self, numerator: usize, denominator: usize) -> bool {
        self.below(denominator) < numerator
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// From 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Bell-shaped with mean 0 and variance 1, between -3 and 3: the sum of four uniform numbers, scaled. Needs only exact
    /// arithmetic, where a true normal distribution would need a logarithm that differs between platforms.
    pub fn bell(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.unit()).sum();
        // A uniform number on 0..1 has variance 1/12, so the sum of four has 1/3; 7/4 is about the root of 3.
        ((sum - 2.0) * 1.75).clamp(-3.0, 3.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs for seed 1234567 in the reference implementation.
        let mut r = Random::new(1234567);
        let first =
            [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        assert_eq!(first.map(|_| r.bits()), first);
    }

    #[test]
    fn ranges_are_covered_and_kept() {
        let mut r = Random::new(1);
        let mut seen = [0usize; 5];
        for _ in 0..5000 {
            seen[(r.between(-2, 2) + 2) as usize] += 1;
            assert!((0.0..1.0).contains(&r.unit()));
        }
        assert!(seen.iter().all(|&n| (900..1100).contains(&n)), "{seen:?}");
        let bell: Vec<f64> = (0..5000).map(|_| r.bell()).collect();
        let variance = bell.iter().map(|v| v * v).sum::<f64>() / 5000.0;
        assert!((0.9..1.15).contains(&variance), "{variance}");
    }
}
