//! From a trained float network to one of integers, and training in the knowledge of what these round.

use super::held::Held;
use crate::error::Error;
use crate::network::Network;
use smidgen_ir::Graph;
use smidgen_quant::{Inputs, Options, WeightBits, dequantise, quantise, requantise};
use smidgen_train::{Batch, Import, Net, Parameter, Role, Trainer};

/// How the result becomes an integer network.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Integers {
    /// Of all epochs, the last that are trained in the knowledge of the integers.
    pub epochs: usize,
    /// Their greatest learning rate.
    pub rate: Option<f32>,
    /// The range of pixels, where the input is a picture.
    pub range: Option<(f32, f32)>,
    /// Bits of weights.
    pub weights: WeightBits,
}

/// Samples that ranges of activations are observed on.
const CALIBRATION: usize = 256;

/// Inputs of samples as the network takes them, for quantisation; `scale` is what they are divided by in training.
///
/// # Errors
/// If a sample cannot be read from its file.
pub fn calibration(samples: &Held, seed: u64, scale: f32) -> Result<Vec<Inputs>, Error> {
    let mut order = samples.order(seed, 0, true);
    order.truncate(CALIBRATION);
    let count = order.len();
    let batch = samples.batch(order, None)?.times(scale);
    let mut input = vec![0.0; samples.elements()];
    let one = |sample: usize| {
        batch.input(sample, &mut input);
        vec![input.iter().flat_map(|value| value.to_le_bytes()).collect()]
    };
    Ok((0..count).map(one).collect())
}

/// The integer network of a float one. Weights of 8 bits are rounded to the nearest, as in training; those of 4 such that rounding
/// one makes up for what rounding others did, which is the better beginning.
///
/// # Errors
/// If it cannot be quantised.
pub fn quantised(float: &Network, samples: &[Inputs], integers: &Integers) -> Result<Network, Error> {
    let Integers { range, weights, .. } = *integers;
    let options = Options { equalise: true, inputs: vec![range], noise_samples: 1, weights, ..Options::default() };
    float.with_graph(quantise(float.graph(), samples, &options, &|_| {})?.graph)
}

/// The training network of an integer graph, and the parameters that it has there.
///
/// # Errors
/// If an operator has no gradient.
pub fn net(integer: &Graph, frozen: &dyn Fn(&str) -> bool) -> Result<(Net, Vec<f32>), Error> {
    let float = dequantise(integer)?;
    Ok(Net::import(&float, Import { integer: Some(integer), frozen, ..Import::default() })?)
}

/// The magnitude of weights that the learning rate is for.
const USUAL: f32 = 0.1;

/// For each tensor of parameters, its magnitude as a share of the usual one: Adam's steps have one size for all, and
/// those of a network may lie far apart, as the first weights of one that takes pixels up to 255 do. A bias is at least
/// as large as the weights beside it.
pub fn magnitudes(net: &Net, parameters: &[f32]) -> Vec<f32> {
    let rms = |parameter: &Parameter| {
        let squares: f32 = parameters[parameter.range()].iter().map(|value| value * value).sum();
        (squares / parameter.len().max(1) as f32).sqrt()
    };
    let mut weights = 0.0;
    let share = |parameter: &Parameter| {
        let own = rms(parameter);
        if parameter.role == Role::Weight {
            weights = own;
        }
        own.max(if parameter.role == Role::Bias { weights } else { 0.0 }) / USUAL
    };
    net.parameters().iter().map(share).collect()
}

/// The integer graph with what training has made of its weights, in the very steps that they were trained in.
///
/// # Errors
/// If it is not valid, which is a fault of smidgen's.
pub fn exported(trainer: &Trainer, integer: &Graph) -> Result<Network, Error> {
    let float = trainer.net().to_graph(trainer.parameters(), trainer.state())?;
    let graph = requantise(integer, &float, &trainer.net().weight_steps(trainer.parameters()))?;
    Network::from_graph(graph)
}
