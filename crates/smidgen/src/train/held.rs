//! Samples in memory: pictures as bytes, everything else as the floats that the network takes.

use super::TrainingError;
use super::augment::View;
use crate::data::{Array, Dataset, Dtype, Feeder, Normalisation, PictureInput};
use crate::error::Error;
use crate::evaluate::{EvaluateError, Skipped, prepared};
use rayon::prelude::*;
use smidgen_ir::Graph;
use smidgen_train::{Batch, Random};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Decoded samples of a set, brought to a network's size.
#[derive(Clone, Debug)]
pub struct Held {
    contents: Contents,
    labels: Vec<u32>,
    /// Pictures that were left out because they are damaged or cannot be read.
    pub skipped: Vec<Skipped>,
}

#[derive(Clone, Debug)]
enum Contents {
    Pictures { size: [usize; 3], pictures: Vec<Box<[u8]>>, pixels: Pixels },
    Floats(Vec<Box<[f32]>>),
}

/// What a byte of a channel becomes.
#[derive(Clone, Debug)]
struct Pixels {
    reals: Vec<[f32; 256]>,
    sources: Vec<usize>,
}

impl Pixels {
    fn new(normalisation: Normalisation, channels: usize, scale: f32) -> Self {
        let reals = |channel| std::array::from_fn(|byte| normalisation.real(byte as u8, channel) as f32 / scale);
        Self {
            reals: (0..channels).map(reals).collect(),
            sources: (0..channels).map(|channel| normalisation.source(channel)).collect(),
        }
    }
}

/// How samples are held.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// Makes samples into inputs of the network's.
    pub feeder: &'a Feeder<'a>,
    /// What pixels are divided by: [`Start::scale`](super::Start::scale).
    pub scale: f32,
    /// A picture that cannot be read is an error; else it is left out.
    pub strict: bool,
    /// Bytes that they may take.
    pub limit: u64,
}

impl Held {
    /// Decodes the chosen samples of a set, on all cores; `done` is called after each. `None` once `stop` is set.
    ///
    /// # Errors
    /// If samples have no labels, cannot be read, do not suit the network, or take more than the limit.
    pub fn read(
        graph: &Graph,
        (set, chosen): (&Dataset, &[usize]),
        Holding { feeder, scale, strict, limit }: Holding,
        (done, stop): (&(dyn Fn() + Sync), &AtomicBool),
    ) -> Result<Option<Self>, Error> {
        if set.classes().is_empty() {
            return Err(EvaluateError::Unlabelled.into());
        }
        let picture = feeder.normalisation().filter(|_| set.holds_pixels());
        let picture = picture.and_then(|normalisation| Some((normalisation, PictureInput::of(graph, 0).ok()?.size())));
        let elements = graph.inputs.first().map_or(0, |&input| graph.tensor(input).shape.elements());
        let each = elements * if picture.is_some() { 1 } else { size_of::<f32>() };
        let samples = chosen.len();
        let bytes = samples as u64 * each as u64;
        if bytes > limit {
            return Err(TrainingError::Memory { samples, each, bytes, limit }.into());
        }
        // The bytes themselves, as floats; what they become is applied when a batch is taken.
        let raw = feeder.with(Normalisation::Raw);
        let feeder = if picture.is_some() { &raw } else { feeder };
        let mut all = set
            .read(chosen)
            .take_while(|_| !stop.load(Ordering::Relaxed))
            .enumerate()
            .par_bridge()
            .map(|(at, sample)| -> Result<_, Error> {
                let kept = prepared(set, sample, (feeder, strict))?.map(|(class, arrays)| {
                    let values = arrays.first().and_then(|array| array.to_f32()).unwrap_or_default();
                    let label = class.unwrap_or(0) as u32;
                    match picture {
                        Some(_) => (label, values.iter().map(|&value| value as u8).collect(), Box::default()),
                        None => (label, Box::default(), values.into_boxed_slice()),
                    }
                });
                done();
                Ok((at, kept))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if all.len() < samples {
            return Ok(None);
        }
        all.sort_by_key(|(at, _)| *at);
        let (mut labels, mut pictures, mut floats, mut skipped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (_, kept) in all {
            match kept {
                Ok((label, bytes, values)) => {
                    labels.push(label);
                    pictures.push(bytes);
                    floats.push(values);
                }
                Err(one) => skipped.push(one),
            }
        }
        if let (true, Some(Skipped { name, reason })) = (labels.is_empty(), skipped.first().cloned()) {
            return Err(EvaluateError::AllBroken { pictures: samples as u64, name, reason }.into());
        }
        let contents = match picture {
            Some((normalisation, size)) => {
                Contents::Pictures { size, pictures, pixels: Pixels::new(normalisation, size[2], scale) }
            }
            None => Contents::Floats(floats),
        };
        Ok(Some(Self { contents, labels, skipped }))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes that their contents take.
    pub fn bytes(&self) -> u64 {
        let bytes = match &self.contents {
            Contents::Pictures { pictures, .. } => pictures.iter().map(|picture| picture.len()).sum::<usize>(),
            Contents::Floats(samples) => samples.iter().map(|sample| size_of_val(&**sample)).sum(),
        };
        bytes as u64
    }

    /// Whether they are pictures, which can be [augmented](super::augment).
    pub fn are_pictures(&self) -> bool {
        matches!(self.contents, Contents::Pictures { .. })
    }

    /// Tells sets of samples apart: the FNV-1a hash of labels, contents and what pixels become.
    pub fn hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
        self.labels.iter().for_each(|&label| add(label.into()));
        match &self.contents {
            Contents::Pictures { size, pictures, pixels } => {
                size.iter().for_each(|&side| add(side as u64));
                pictures.iter().flatten().for_each(|&byte| add(byte.into()));
                pixels.reals.iter().flatten().for_each(|real| add(real.to_bits().into()));
                pixels.sources.iter().for_each(|&source| add(source as u64));
            }
            Contents::Floats(samples) => samples.iter().flatten().for_each(|real| add(real.to_bits().into())),
        }
        hash
    }

    /// The order of the samples in an epoch: a shuffle that depends on these numbers alone. If balanced, as many of
    /// each class as of every other: rare ones several times, of frequent ones some in this epoch and others in the
    /// next.
    pub fn order(&self, seed: u64, epoch: usize, balanced: bool) -> Vec<usize> {
        let mut random = Random::new(Random::new(!seed).bits() ^ epoch as u64);
        let mut shuffle = |order: &mut Vec<usize>| {
            for i in (1..order.len()).rev() {
                order.swap(i, random.below(i + 1));
            }
        };
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order);
        if balanced {
            let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
            order.iter().for_each(|&sample| classes.entry(self.labels[sample]).or_default().push(sample));
            let (all, each) = (order.len(), order.len().div_ceil(classes.len().max(1)));
            order = (0..each).flat_map(|i| classes.values().map(move |own| own[i % own.len()])).take(all).collect();
            shuffle(&mut order);
        }
        order
    }

    /// All samples as arrays: contents `[samples, ...]`, pictures as bytes and other ones as float32, and the numbers of
    /// their classes as int32.
    pub fn arrays(&self) -> (Array, Array) {
        let labels = self.labels.iter().flat_map(|&label| (label as i32).to_le_bytes()).collect();
        let labels = Array::new(Dtype::Int32, &[self.len()], labels);
        let contents = match &self.contents {
            Contents::Pictures { size: [height, width, channels], pictures, .. } => {
                Array::new(Dtype::Uint8, &[self.len(), *height, *width, *channels], pictures.concat())
            }
            Contents::Floats(samples) => Array::from_f32(&[self.len(), self.elements()], &samples.concat()),
        };
        (contents, labels)
    }

    /// Elements of a sample's input.
    pub fn elements(&self) -> usize {
        match &self.contents {
            Contents::Pictures { size, .. } => size.iter().product(),
            Contents::Floats(samples) => samples.first().map_or(0, |sample| sample.len()),
        }
    }

    /// These samples as a batch: with the views of a seed and an epoch, or as they are.
    pub fn batch<'a>(&'a self, samples: &'a [usize], views: Option<(u64, usize)>) -> Taken<'a> {
        Taken { held: self, samples, views, factor: 1.0 }
    }
}

/// Some of the samples that are held.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    held: &'a Held,
    samples: &'a [usize],
    views: Option<(u64, usize)>,
    factor: f32,
}

impl Taken<'_> {
    /// The same with every pixel times a number, as where what [`Holding::scale`] divided by is to be undone.
    #[must_use]
    pub fn times(self, factor: f32) -> Self {
        Self { factor, ..self }
    }
}

impl Batch for Taken<'_> {
    fn samples(&self) -> usize {
        self.samples.len()
    }

    fn input(&self, sample: usize, into: &mut [f32]) {
        let sample = self.samples[sample];
        match &self.held.contents {
            Contents::Pictures { size, pictures, pixels } => {
                let view = self.views.map_or(View::PLAIN, |(seed, epoch)| {
                    let [height, width, _] = *size;
                    View::of([height, width], (seed, epoch, sample))
                });
                let real = |channel: usize, byte: u8| pixels.reals[channel][usize::from(byte)] * self.factor;
                view.write(*size, &pictures[sample], into, real, |channel| pixels.sources[channel]);
            }
            Contents::Floats(samples) => into.copy_from_slice(&samples[sample]),
        }
    }

    fn label(&self, sample: usize) -> u32 {
        self.held.labels[self.samples[sample]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_orders_show_every_class_as_often() {
        let labels: Vec<u32> = (0..90).map(|i| if i < 80 { 0 } else { 1 + i % 2 }).collect();
        let contents = Contents::Floats(vec![Box::from([0.0]); labels.len()]);
        let held = Held { contents, labels: labels.clone(), skipped: Vec::new() };
        let count = |order: &[usize], class| order.iter().filter(|&&sample| labels[sample] == class).count();
        let [first, second] = [0, 1].map(|epoch| held.order(7, epoch, true));
        for class in 0..3 {
            assert_eq!(count(&first, class), 30);
        }
        // Of the frequent class others come in the next epoch; of a rare one all of its 5 come six times.
        assert_ne!(first, second);
        let frequent: std::collections::BTreeSet<_> = first.iter().chain(&second).filter(|s| **s < 80).collect();
        assert!(frequent.len() > 40, "{}", frequent.len());
        assert!((80..90).all(|sample| first.iter().filter(|&&s| s == sample).count() == 6));
        let mut plain = held.order(7, 0, false);
        plain.sort_unstable();
        assert_eq!(plain, (0..90).collect::<Vec<_>>());
    }
}
