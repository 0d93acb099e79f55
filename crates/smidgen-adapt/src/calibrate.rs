//! How large gradients become: found once, when compiling, so that every gradient has a fixed unit on the device.

use crate::error::AdaptError;
use crate::network::Features;
use crate::surrogate::{Activations, backward};
use smidgen_certify::certify;
use smidgen_exec::{Executor, relabelled};
use smidgen_ir::TensorId;
use smidgen_lower::LowerOptions;
use std::collections::HashMap;

/// For each tensor, the greatest element of its gradient that was seen, where the greatest of the features' gradient is 1.
pub type Magnitudes = HashMap<TensorId, f64>;

/// Numbers by chance, the same for the same seed: Marsaglia's xorshift64*.
pub(crate) struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In -1 to 1.
    pub fn signed(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Samples drawn where a caller has none.
pub(crate) const DRAWN: usize = 4;

/// Pictures that nobody took: patches of random size and brightness, with noise, which reach about the same activations as real ones.
pub fn drawn(features: &Features, count: usize) -> Vec<Vec<i8>> {
    let input = features.graph.tensor(features.graph.inputs[0]);
    let dims = input.shape.dims();
    let channels = dims.last().copied().unwrap_or(1).max(1);
    let cols = dims.iter().rev().nth(1).copied().unwrap_or(1).max(1);
    let rows = input.shape.elements() / (cols * channels).max(1);
    let mut chance = Chance::new(17);
    let picture = |_| {
        let mut picture: Vec<f64> = vec![0.0; rows * cols * channels];
        for _ in 0..24 {
            let mut below = |n: usize| (chance.next() % n.max(1) as u64) as usize;
            let (top, left) = (below(rows), below(cols));
            let (bottom, right) = (top + 1 + below(rows - top), left + 1 + below(cols - left));
            let shade: Vec<f64> = (0..channels).map(|_| 100.0 * chance.signed()).collect();
            for y in top..bottom.min(rows) {
                for x in left..right.min(cols) {
                    for (c, shade) in shade.iter().enumerate() {
                        let pixel = &mut picture[(y * cols + x) * channels + c];
                        *pixel = (*pixel + shade) / 1.5;
                    }
                }
            }
        }
        picture.iter().map(|value| (value + 8.0 * chance.signed()).round().clamp(-128.0, 127.0) as i8).collect()
    };
    (0..count).map(picture).collect()
}

/// Runs the part before the classifier on each sample and gives all activations.
pub fn activations(
    features: &Features,
    options: &LowerOptions,
    samples: &[Vec<i8>],
) -> Result<Vec<Activations>, AdaptError> {
    let internal = |error: String| AdaptError::Internal(error);
    let lowered = smidgen_lower::lower(&features.graph, options)?;
    let program = certify(smidgen_plan::layer_wise(&lowered)).map_err(|error| internal(error.to_string()))?;
    let mut executor = Executor::new(program);
    let input = features.graph.inputs[0];
    let one = |sample: &Vec<i8>| {
        let bytes: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
        executor.set_input(0, &bytes).map_err(|error| internal(error.to_string()))?;
        let mut found = Activations::from([(input, sample.clone())]);
        executor.run_with(&mut |finished| {
            for (id, bytes) in finished.tensors() {
                for name in relabelled(&features.graph, id) {
                    found.insert(name, bytes.iter().map(|&x| x as i8).collect());
                }
            }
        });
        for name in relabelled(&features.graph, input) {
            found.insert(name, sample.clone());
        }
        Ok(found)
    };
    samples.iter().map(one).collect()
}

/// Sends gradients of random direction back through the network on each sample.
pub fn magnitudes(
    features: &Features,
    trained: &[bool],
    options: &LowerOptions,
    samples: &[Vec<i8>],
) -> Result<Magnitudes, AdaptError> {
    let mut found = Magnitudes::new();
    let mut chance = Chance::new(29);
    for activations in activations(features, options, samples)? {
        let gradient: Vec<f64> = (0..features.count).map(|_| chance.signed()).collect();
        for (id, gradient) in backward(features, trained, &activations, &gradient)?.tensors {
            let greatest = gradient.iter().fold(0f64, |greatest, g| greatest.max(g.abs()));
            let entry = found.entry(id).or_insert(0.0);
            *entry = entry.max(greatest);
        }
    }
    Ok(found)
}
