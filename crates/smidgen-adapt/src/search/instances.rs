//! Random instances for the tests of both searches.

use super::{Additive, Choice, Gains, Space};
use crate::calibrate::Chance;

pub struct Instance {
    pub space: Space,
    pub gains: Gains,
    pub memory: Additive,
    /// Ascending; the first may be too small for anything.
    pub budgets: Vec<usize>,
}

impl Instance {
    /// So few convolutions that all choices can be looked at.
    pub fn small(seed: u64) -> Self {
        Self::drawn(seed, 1..6, 60)
    }

    /// As many as real networks have.
    pub fn large(seed: u64) -> Self {
        Self::drawn(seed, 20..61, 4000)
    }

    fn drawn(seed: u64, convolutions: std::ops::Range<usize>, most: usize) -> Self {
        let mut chance = Chance::new(seed);
        let mut below = |n: usize| (chance.next() >> 20) as usize % n.max(1);
        let convolutions = convolutions.start + below(convolutions.len());
        let biases = super::ladder(convolutions);
        let parts: Vec<Vec<f64>> =
            (0..convolutions).map(|_| super::RATIOS[below(super::RATIOS.len())..].to_vec()).collect();
        let (mut weights, mut gained) = (Vec::new(), Vec::new());
        for parts in &parts {
            let (all, worth) = (1 + below(most), below(1000) as f64 / 1000.0 - 0.1);
            weights.push(parts.iter().map(|ratio| (all as f64 * ratio).ceil() as usize).collect());
            // Halves of the channels are worth more than a half, now and then all the more; noise makes some worse than
            // none.
            let curve = 0.3 + below(70) as f64 / 100.0;
            let noise = |value: f64, below: &mut dyn FnMut(usize) -> usize| value + below(100) as f64 / 2000.0 - 0.025;
            gained.push(parts.iter().map(|ratio| noise(worth * ratio.powf(curve), &mut below)).collect());
        }
        let (mut taken, mut gain, mut costs, mut gains) = (1 + below(most), 0.0, Vec::new(), Vec::new());
        for _ in &biases {
            costs.push(taken);
            gains.push(gain);
            taken += below(most / 4);
            gain += below(1000) as f64 / 1000.0 - 0.2;
        }
        let memory = Additive { biases: costs, weights };
        let all = taken + memory.weights.iter().filter_map(|parts| parts.last()).sum::<usize>();
        let mut budgets: Vec<usize> = (0..8).map(|_| below(all)).collect();
        budgets.push(all);
        budgets.sort_unstable();
        let space = Space { convolutions, biases, parts };
        Self { space, gains: Gains { biases: gains, weights: gained }, memory, budgets }
    }
}

/// All choices there are.
pub fn every_choice(space: &Space) -> Vec<Choice> {
    let mut all = Vec::new();
    for biases in 0..space.biases.len() {
        let mut here = vec![Choice { biases, ..space.last_layer() }];
        for (i, parts) in space.parts.iter().enumerate().filter(|&(i, _)| space.reaches(biases, i)) {
            here = (here.into_iter())
                .flat_map(|choice| {
                    (0..=parts.len()).map(move |part| {
                        let mut choice = choice.clone();
                        choice.weights[i] = part;
                        choice
                    })
                })
                .collect();
        }
        all.extend(here);
    }
    all
}
