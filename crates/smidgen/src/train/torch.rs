//! A network, its weights and the recipe of its training as files for PyTorch: larger machines train with an engine
//! that exists.

use super::course::{LONGEST, SETTLING, SHARD};
use super::start::Start;
use super::{Held, weights};
use crate::data::{Normalisation, npz};
use crate::error::Error;
use smidgen_train::{Optimiser, Schedule, Settings};
use std::collections::BTreeMap;

/// The script that trains.
const SCRIPT: &str = include_str!("torch/train.py");

/// What the script goes by unless it is told otherwise.
#[derive(Clone, PartialEq, Debug)]
pub struct Recipe {
    /// How often each sample is seen.
    pub epochs: usize,
    /// Samples of a step.
    pub batch: usize,
    /// The greatest learning rate.
    pub rate: f32,
    /// What order and views of the samples follow from.
    pub seed: u64,
    /// Whether pictures are seen in other views from epoch to epoch.
    pub augment: bool,
    /// What a picture's pixels become; `None` where samples are no pictures.
    pub pixels: Option<Normalisation>,
}

impl Recipe {
    /// As a JSON text that the script reads.
    fn json(&self, start: &Start) -> String {
        let settings = Settings::default();
        let Optimiser::Sgd { momentum } = settings.optimiser else { return String::new() };
        let Schedule::OneCycle { rise, first, last } = settings.schedule else { return String::new() };
        let clip = if start.net.state_count() == 0 { LONGEST.to_string() } else { "null".into() };
        let pixels = self.pixels.map_or("null".to_owned(), |normalisation| {
            let channels = 0..start.net.input_shape().last().copied().unwrap_or(1);
            // A byte that is taken for a signed one stays what it is.
            let signed = normalisation == Normalisation::Bytes;
            let ends = |channel| (normalisation.real(0, channel), normalisation.real(255, channel));
            let line = |channel| match ends(channel) {
                _ if signed => (0.0, 1.0),
                (low, high) => (low, (high - low) / 255.0),
            };
            let (low, step): (Vec<f64>, Vec<f64>) = channels.clone().map(line).unzip();
            let source: Vec<usize> = channels.map(|channel| normalisation.source(channel)).collect();
            format!("{{\"low\": {low:?}, \"step\": {step:?}, \"signed\": {signed}, \"source\": {source:?}}}")
        });
        let shard = self.batch.div_ceil(self.batch.div_ceil(SHARD).max(1)).max(1);
        let (smoothing, decay) = (settings.loss.smoothing, settings.decay);
        let Self { epochs, batch, rate, seed, augment, .. } = self;
        let pictures = self.pixels.is_some();
        format!(
            "{{\n  \"epochs\": {epochs},\n  \"batch\": {batch},\n  \"shard\": {shard},\n  \"rate\": {rate:?},\n  \"rise\": \
             {rise:?},\n  \"first\": {first:?},\n  \"last\": {last:?},\n  \"momentum\": {momentum:?},\n  \"decay\": \
             {decay:?},\n  \"smoothing\": {smoothing:?},\n  \"clip\": {clip},\n  \"settling\": {SETTLING},\n  \"seed\": \
             {seed},\n  \"augment\": {augment},\n  \"pictures\": {pictures},\n  \"pixels\": {pixels}\n}}\n"
        )
    }
}

/// The files of a folder for PyTorch: `network.py` with the module, `train.py` with the script, `recipe.json`,
/// `weights.safetensors` with what `weights` holds ([`Course::weights`](super::Course::weights)), else the weights of the
/// start, and where samples are given, `data.npz`.
///
/// # Errors
/// If the network has no module, or a sample cannot be read.
pub fn files(
    title: &str,
    start: &Start,
    recipe: &Recipe,
    weights: Option<Vec<u8>>,
    (samples, test): (Option<&Held>, Option<&Held>),
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let torch = start.net.to_torch(start.scale)?;
    let weights = match weights {
        Some(weights) => weights,
        None => weights::file(&torch, (&start.parameters, &start.state), start.scale)?,
    };
    let mut files = BTreeMap::from([
        ("network.py".to_owned(), torch.program(title).into_bytes()),
        ("train.py".to_owned(), SCRIPT.into()),
        ("recipe.json".to_owned(), recipe.json(start).into_bytes()),
        ("weights.safetensors".to_owned(), weights),
    ]);
    let parts = [("train", samples), ("test", test)];
    let arrays: Vec<_> = (parts.into_iter().filter_map(|(part, held)| Some((part, held?))))
        .map(|(part, held)| {
            let (x, y) = held.arrays()?;
            let shape = [&[held.len()], start.net.input_shape()].concat();
            Ok([(format!("x_{part}"), crate::Array { shape, ..x }), (format!("y_{part}"), y)])
        })
        .collect::<Result<_, Error>>()?;
    let arrays = arrays.concat();
    if !arrays.is_empty() {
        files.insert("data.npz".to_owned(), npz::to_bytes(&arrays));
    }
    Ok(files)
}
