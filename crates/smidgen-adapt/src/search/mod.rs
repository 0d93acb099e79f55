//! The search for an update scheme: which biases and weights to train so that the gain is greatest within a memory
//! budget.
//!
//! The gain of a scheme is taken for the sum of what its parts gain alone (Lin et al. 2022, section 3.2): that of
//! training the last `k` biases, and on top of these that of a part of one convolution's weights. Where memory adds up
//! too, [`exact`] finds the best scheme; where it does not, as with a planner that reuses memory, [`evolve`] looks for
//! it. Nothing here measures or plans: gains and memory are handed in.

mod evolution;
mod exact;
#[cfg(test)]
mod instances;

pub use evolution::{Evolved, Settings, approach, evolve};
pub use exact::exact;

use crate::error::AdaptError;
use crate::memory::{ConvolutionSize, selected};
use crate::scheme::Scheme;

/// Parts of a convolution's input channels whose weights are tried.
pub const RATIOS: [f64; 4] = [0.125, 0.25, 0.5, 1.0];

/// What schemes are made of.
#[derive(Clone, PartialEq, Debug)]
pub struct Space {
    /// Convolutions of the network, without its classifier.
    pub convolutions: usize,
    /// How many of the last convolutions may have their biases trained: ascending, from 0 on.
    pub biases: Vec<usize>,
    /// For each convolution, the parts of its input channels whose weights may be trained, ascending and above 0.
    pub parts: Vec<Vec<f64>>,
}

/// A scheme of a [`Space`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Choice {
    /// Index into [`Space::biases`].
    pub biases: usize,
    /// For each convolution one more than the index into its [`Space::parts`], or 0 for none.
    pub weights: Vec<usize>,
}

/// What parts of schemes gain, in any unit; each alone.
#[derive(Clone, PartialEq, Debug)]
pub struct Gains {
    /// For each of [`Space::biases`], over training the classifier alone.
    pub biases: Vec<f64>,
    /// For each of [`Space::parts`], over training biases alone.
    pub weights: Vec<Vec<f64>>,
}

/// Memory that adds up, in any unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Additive {
    /// For each of [`Space::biases`], with everything but weights.
    pub biases: Vec<usize>,
    /// For each of [`Space::parts`], beside it.
    pub weights: Vec<Vec<usize>>,
}

/// How many of the last convolutions are tried with trained biases: all counts of up to 16, else about 16 of them,
/// evenly, with none and all.
pub fn ladder(convolutions: usize) -> Vec<usize> {
    const RUNGS: usize = 16;
    let step = convolutions.div_ceil(RUNGS).max(1);
    let mut ladder: Vec<usize> = (0..convolutions).step_by(step).collect();
    ladder.push(convolutions);
    ladder
}

/// Of these parts of a convolution's input channels those that differ: at least one channel, and no count of channels
/// twice. A depthwise convolution is trained as a whole.
pub fn parts_of(size: &ConvolutionSize, ratios: &[f64]) -> Vec<f64> {
    let channels = size.input[2];
    let mut found: Vec<f64> = Vec::new();
    for &ratio in ratios {
        let ratio = if size.depthwise { 1.0 } else { ratio };
        let count = selected(channels, ratio);
        if count > 0 && found.iter().all(|&other| selected(channels, other) != count) {
            found.push(ratio);
        }
    }
    found.sort_by(f64::total_cmp);
    found
}

/// The rising numbers that are nearest to these by least squares (pool adjacent violators; Barlow et al., "Statistical
/// Inference under Order Restrictions", 1972): what was measured of ever larger parts, less its noise.
pub fn rising(values: &[f64]) -> Vec<f64> {
    // Means of neighbours, and how many each is of.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for &value in values {
        let (mut mean, mut count) = (value, 1);
        while let Some(&(before, of)) = pools.last().filter(|(before, _)| *before > mean) {
            pools.pop();
            mean = (mean * count as f64 + before * of as f64) / (count + of) as f64;
            count += of;
        }
        pools.push((mean, count));
    }
    pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count)).collect()
}

impl Space {
    /// Only the classifier.
    pub fn last_layer(&self) -> Choice {
        Choice { biases: 0, weights: vec![0; self.convolutions] }
    }

    /// Whether a convolution's biases are trained: only then may its weights be.
    pub fn reaches(&self, biases: usize, convolution: usize) -> bool {
        convolution + self.biases[biases] >= self.convolutions
    }

    /// The scheme itself.
    pub fn scheme(&self, choice: &Choice) -> Scheme {
        let chosen = choice.weights.iter().enumerate().filter(|&(_, &part)| part > 0);
        let (indices, ratios) = chosen.map(|(i, &part)| (i, self.parts[i][part - 1])).unzip();
        Scheme {
            n_bias_update: self.biases[choice.biases],
            manual_weight_idx: indices,
            weight_update_ratio: ratios,
            ..Scheme::default()
        }
    }

    /// Sums up what a choice gains.
    pub fn gain(&self, gains: &Gains, choice: &Choice) -> f64 {
        let parts = choice.weights.iter().zip(&gains.weights).filter(|&(&part, _)| part > 0);
        gains.biases[choice.biases] + parts.map(|(&part, gains)| gains[part - 1]).sum::<f64>()
    }

    /// Sums up what a choice takes.
    pub fn taken(&self, memory: &Additive, choice: &Choice) -> usize {
        let parts = choice.weights.iter().zip(&memory.weights).filter(|&(&part, _)| part > 0);
        memory.biases[choice.biases] + parts.map(|(&part, taken)| taken[part - 1]).sum::<usize>()
    }

    /// The memory of its parts by the formula of the method's authors ([`crate::memory::extra_bits`]), in bits.
    ///
    /// # Errors
    /// If the sizes are those of another network.
    pub fn formula(&self, sizes: &[ConvolutionSize], features: usize) -> Result<Additive, AdaptError> {
        let bits = |choice: &Choice| crate::memory::extra_bits(sizes, features, &self.scheme(choice));
        let mut choice = self.last_layer();
        let mut biases = Vec::new();
        for at in 0..self.biases.len() {
            choice.biases = at;
            biases.push(bits(&choice)?);
        }
        // Weights are counted where biases are trained.
        let (most, all) = (self.biases.len() - 1, *biases.last().unwrap_or(&0));
        choice.biases = most;
        let mut weights = Vec::new();
        for (i, parts) in self.parts.iter().enumerate() {
            let mut taken = Vec::new();
            for part in 1..=parts.len() {
                choice.weights[i] = part;
                taken.push(bits(&choice)? - all);
            }
            choice.weights[i] = 0;
            weights.push(taken);
        }
        Ok(Additive { biases, weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(channels: usize, depthwise: bool) -> ConvolutionSize {
        ConvolutionSize { input: [4, 4, channels], output: [4, 4, channels], area: 9, depthwise }
    }

    #[test]
    fn ladders_go_from_none_to_all() {
        assert_eq!(ladder(0), [0]);
        assert_eq!(ladder(3), [0, 1, 2, 3]);
        assert_eq!(ladder(42), [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42]);
        for convolutions in 1..200 {
            let ladder = ladder(convolutions);
            assert!(ladder.len() <= 17 && ladder.is_sorted_by(|a, b| a < b), "{ladder:?}");
            assert_eq!((ladder[0], ladder.last()), (0, Some(&convolutions)));
        }
    }

    #[test]
    fn parts_differ_and_are_not_empty() {
        assert_eq!(parts_of(&size(48, false), &RATIOS), RATIOS);
        assert_eq!(parts_of(&size(3, false), &RATIOS), [0.5, 1.0]);
        assert_eq!(parts_of(&size(1, false), &[1.0, 0.25]), [1.0]);
        assert_eq!(parts_of(&size(48, true), &RATIOS), [1.0]);
    }

    #[test]
    fn rising_numbers_are_nearest() {
        assert_eq!(rising(&[]), Vec::<f64>::new());
        assert_eq!(rising(&[1.0, 2.0, 2.0, 4.0]), [1.0, 2.0, 2.0, 4.0]);
        assert_eq!(rising(&[4.0, 1.0, 1.0]), [2.0, 2.0, 2.0]);
        assert_eq!(rising(&[1.0, 5.0, 3.0, 4.0, 8.0]), [1.0, 4.0, 4.0, 4.0, 8.0]);
        // No other rising numbers of a grid are nearer.
        let values = [3.0, 1.0, 2.0, 2.5];
        let distance = |of: &[f64]| of.iter().zip(&values).map(|(a, b): (&f64, &f64)| (a - b).powi(2)).sum::<f64>();
        let least = distance(&rising(&values));
        let grid = || (0..13).map(|i| f64::from(i) * 0.25);
        for a in grid() {
            for b in grid().filter(|&b| b >= a) {
                for c in grid().filter(|&c| c >= b) {
                    for d in grid().filter(|&d| d >= c) {
                        assert!(distance(&[a, b, c, d]) >= least - 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn the_formula_adds_up() {
        let sizes = [size(8, false), size(8, true), size(16, false)];
        let parts: Vec<Vec<f64>> = sizes.iter().map(|size| parts_of(size, &RATIOS)).collect();
        let space = Space { convolutions: 3, biases: vec![0, 1, 3], parts };
        let memory = space.formula(&sizes, 16).unwrap();
        for choice in [
            space.last_layer(),
            Choice { biases: 1, weights: vec![0, 0, 2] },
            Choice { biases: 2, weights: vec![1, 1, 4] },
        ] {
            let scheme = space.scheme(&choice);
            assert_eq!(space.taken(&memory, &choice), crate::memory::extra_bits(&sizes, 16, &scheme).unwrap());
        }
    }
}
