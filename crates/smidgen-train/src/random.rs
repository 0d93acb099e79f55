//! Pseudo-random numbers: the same on every machine, and with a state that a checkpoint holds.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed; any will do.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The state, from which [`new`](Self::new) continues.
    pub fn state(&self) -> u64 {
        self.0
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Uniform from 0 to 1, 1 excluded, in steps of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Of the symmetric beta distribution of a parameter above 0, from 0 to 1 (Johnk 1964: `x / (x + y)` with the powers
    /// `x` and `y` of uniform numbers, where these do not sum up to more than 1).
    pub fn beta(&mut self, parameter: f32) -> f32 {
        // One in so many tries fails for large parameters, whose numbers are about a half.
        for _ in 0..1000 {
            let [x, y] = [0; 2].map(|_| libm::pow(f64::from(self.unit()), 1.0 / f64::from(parameter)));
            if x + y > 0.0 && x + y <= 1.0 {
                return (x / (x + y)) as f32;
            }
        }
        0.5
    }

    /// Uniform below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}
