//! Samples decoded once: pictures as bytes, everything else as the floats that the network takes.
//!
//! As many as memory is granted for stay there; the others are read from a [file](Cache) ahead of the step that sees
//! them. What a batch holds depends on neither.

use super::augment::Augment;
use crate::data::{Array, Cache, Dataset, Dtype, Feeder, Normalisation, PictureInput};
use crate::error::Error;
use crate::evaluate::{EvaluateError, Skipped, prepared};
use rayon::prelude::*;
use smidgen_ir::Graph;
use smidgen_train::{Batch, Random, Settings};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

/// Decoded samples of a set, brought to a network's size.
#[derive(Debug)]
pub struct Held {
    kind: Kind,
    cache: Cache,
    /// For each sample, its record in the cache, which is its place among the chosen.
    records: Vec<u32>,
    labels: Vec<u32>,
    /// For each sample, the hash of its record.
    digests: Vec<u64>,
    hash: u64,
    /// Pictures that were left out because they are damaged or cannot be read.
    pub skipped: Vec<Skipped>,
}

#[derive(Clone, Debug)]
enum Kind {
    Pictures { size: [usize; 3], pixels: Pixels },
    Floats,
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
    /// Bytes that they may take in memory.
    pub limit: u64,
}

/// The FNV-1a hash of words, in 64 bits.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
    }

    fn of(bytes: &[u8]) -> u64 {
        let mut hash = Self::new();
        bytes.iter().for_each(|&byte| hash.add(byte.into()));
        hash.0
    }
}

impl Held {
    /// Decodes the chosen samples of a set, on all cores; `done` is called after each. `None` once `stop` is set.
    ///
    /// # Errors
    /// If samples have no labels, cannot be read or do not suit the network, or those that memory does not hold find no
    /// room on disk.
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
        let cache = Cache::new(chosen.len(), each, limit)?;
        // The bytes themselves, as floats; what they become is applied when a batch is taken.
        let raw = feeder.with(Normalisation::Raw);
        let feeder = if picture.is_some() { &raw } else { feeder };
        let mut all = set
            .read(chosen)
            .take_while(|_| !stop.load(Ordering::Relaxed))
            .enumerate()
            .par_bridge()
            .map(|(at, sample)| -> Result<_, Error> {
                let kept = match prepared(set, sample, (feeder, strict))? {
                    Ok((class, arrays)) => {
                        let values = arrays.first().and_then(|array| array.to_f32()).unwrap_or_default();
                        let bytes: Vec<u8> = match picture {
                            Some(_) => values.iter().map(|&value| value as u8).collect(),
                            None => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                        };
                        let digest = Hash::of(&bytes);
                        cache.put(at, bytes)?;
                        Ok((class.unwrap_or(0) as u32, digest))
                    }
                    Err(skipped) => Err(skipped),
                };
                done();
                Ok((at, kept))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if all.len() < chosen.len() {
            return Ok(None);
        }
        all.sort_by_key(|(at, _)| *at);
        let (mut records, mut labels, mut digests, mut skipped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (at, kept) in all {
            match kept {
                Ok((label, digest)) => {
                    records.push(at as u32);
                    labels.push(label);
                    digests.push(digest);
                }
                Err(one) => skipped.push(one),
            }
        }
        if let (true, Some(Skipped { name, reason })) = (labels.is_empty(), skipped.first().cloned()) {
            return Err(EvaluateError::AllBroken { pictures: chosen.len() as u64, name, reason }.into());
        }
        let kind = match picture {
            Some((normalisation, size)) => Kind::Pictures { size, pixels: Pixels::new(normalisation, size[2], scale) },
            None => Kind::Floats,
        };
        let mut held = Self { kind, cache, records, labels, digests, hash: 0, skipped };
        held.hash = held.hashed();
        Ok(Some(held))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of their contents that lie in memory, and in a file.
    pub fn bytes(&self) -> (u64, u64) {
        let within = self.records.iter().filter(|&&record| (record as usize) < self.cache.in_memory()).count();
        let bytes = |count: usize| count as u64 * self.cache.record() as u64;
        (bytes(within), bytes(self.len() - within))
    }

    /// Whether they are pictures, which can be [augmented](super::augment).
    pub fn are_pictures(&self) -> bool {
        matches!(self.kind, Kind::Pictures { .. })
    }

    /// Tells sets of samples apart: the hash of labels, contents and what pixels become.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    fn hashed(&self) -> u64 {
        let mut hash = Hash::new();
        self.labels.iter().for_each(|&label| hash.add(label.into()));
        if let Kind::Pictures { size, pixels } = &self.kind {
            size.iter().for_each(|&side| hash.add(side as u64));
            pixels.reals.iter().flatten().for_each(|real| hash.add(real.to_bits().into()));
            pixels.sources.iter().for_each(|&source| hash.add(source as u64));
        }
        self.digests.iter().for_each(|&digest| hash.add(digest));
        hash.0
    }

    /// The bytes of a sample.
    fn contents(&self, sample: usize) -> Result<Cow<'_, [u8]>, Error> {
        let record = self.records[sample] as usize;
        Ok(match self.cache.held(record) {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(self.cache.fetch(record)?),
        })
    }

    /// Samples of this set that another has too, byte for byte at the network's size: for each, itself and the other.
    ///
    /// # Errors
    /// If a sample cannot be read from its file.
    pub fn shared_with(&self, other: &Self) -> Result<Vec<(usize, usize)>, Error> {
        let mut known: HashMap<u64, usize> = HashMap::new();
        for (sample, &digest) in other.digests.iter().enumerate() {
            known.entry(digest).or_insert(sample);
        }
        let mut shared = Vec::new();
        for (sample, digest) in self.digests.iter().enumerate() {
            // Equal hashes alone prove nothing.
            if let Some(&twin) = known.get(digest)
                && self.contents(sample)? == other.contents(twin)?
            {
                shared.push((sample, twin));
            }
        }
        Ok(shared)
    }

    /// How samples are seen in an epoch, from 0 on; `None` where nothing happens to them.
    pub fn views(&self, augment: Augment, seed: u64, epoch: usize) -> Option<Views> {
        (augment != Augment::NONE && self.are_pictures()).then_some(Views { augment, seed, epoch })
    }

    /// The class of a sample.
    pub fn label(&self, sample: usize) -> u32 {
        self.labels[sample]
    }

    /// A sample's place among those that were chosen to be read.
    pub fn place(&self, sample: usize) -> usize {
        self.records[sample] as usize
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
    ///
    /// # Errors
    /// If a sample cannot be read from its file.
    pub fn arrays(&self) -> Result<(Array, Array), Error> {
        let labels = self.labels.iter().flat_map(|&label| (label as i32).to_le_bytes()).collect();
        let labels = Array::new(Dtype::Int32, &[self.len()], labels);
        let mut all = Vec::with_capacity(self.len() * self.cache.record());
        for sample in 0..self.len() {
            all.extend_from_slice(&self.contents(sample)?);
        }
        let contents = match &self.kind {
            Kind::Pictures { size: [height, width, channels], .. } => {
                Array::new(Dtype::Uint8, &[self.len(), *height, *width, *channels], all)
            }
            Kind::Floats => Array::new(Dtype::Float32, &[self.len(), self.elements()], all),
        };
        Ok((contents, labels))
    }

    /// Elements of a sample's input.
    pub fn elements(&self) -> usize {
        match &self.kind {
            Kind::Pictures { size, .. } => size.iter().product(),
            Kind::Floats => self.cache.record() / size_of::<f32>(),
        }
    }

    /// These samples as a batch: with the views of a seed and an epoch, or as they are. What does not lie in memory is
    /// read now.
    ///
    /// # Errors
    /// If a sample cannot be read from its file.
    pub fn batch(&self, samples: Vec<usize>, views: Option<Views>) -> Result<Taken<'_>, Error> {
        // What they are mixed with comes behind them.
        let partners = samples.iter().filter_map(|&sample| views?.augment.partner(self.len(), views?.key(sample)));
        let wanted: Vec<usize> = samples.iter().copied().chain(partners.map(|(partner, _)| partner)).collect();
        let contents = wanted.into_iter().map(|sample| self.contents(sample)).collect::<Result<_, _>>()?;
        Ok(Taken { held: self, samples, contents, views, factor: 1.0 })
    }
}

/// How samples are seen.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Views {
    /// What may happen to them.
    pub augment: Augment,
    /// What it follows from, ...
    pub seed: u64,
    /// ... together with this, from 0 on, and the sample.
    pub epoch: usize,
}

impl Views {
    fn key(&self, sample: usize) -> (u64, usize, usize) {
        (self.seed, self.epoch, sample)
    }
}

/// Some of the samples that are held.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    held: &'a Held,
    samples: Vec<usize>,
    /// The samples' bytes, then those of what they are mixed with.
    contents: Vec<Cow<'a, [u8]>>,
    views: Option<Views>,
    factor: f32,
}

impl Taken<'_> {
    /// The same with every pixel times a number, as where what [`Holding::scale`] divided by is to be undone.
    #[must_use]
    pub fn times(self, factor: f32) -> Self {
        Self { factor, ..self }
    }

    /// What a sample is mixed with, and the share of the sample itself.
    fn partner(&self, sample: usize) -> Option<(usize, f32)> {
        let views = self.views?;
        views.augment.partner(self.held.len(), views.key(self.samples[sample]))
    }
}

impl Batch for Taken<'_> {
    fn samples(&self) -> usize {
        self.samples.len()
    }

    fn input(&self, sample: usize, into: &mut [f32]) {
        let own = &self.contents[sample];
        let Kind::Pictures { size, pixels } = &self.held.kind else {
            for (value, bytes) in into.iter_mut().zip(own.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*bytes);
            }
            return;
        };
        let real = |channel: usize, byte: u8| pixels.reals[channel][usize::from(byte)] * self.factor;
        let source = |channel: usize| pixels.sources[channel];
        let Some(views) = self.views else {
            return super::augment::View::PLAIN.write(*size, own, into, real, source);
        };
        let seen = |sample: usize, bytes: &[u8]| views.augment.seen(*size, bytes, views.key(sample));
        let (augment, key) = (views.augment, views.key(self.samples[sample]));
        if augment.only_moves() {
            return augment.view(*size, key).write(*size, own, into, real, source);
        }
        let mut picture = seen(self.samples[sample], own);
        if let Some((partner, share)) = self.partner(sample) {
            // Samples without one do not come with mixing: all have one, or none.
            let other = seen(partner, &self.contents[self.samples.len() + sample]);
            super::augment::mix(&mut picture, &other, share);
        }
        super::augment::View::PLAIN.write(*size, &picture, into, real, source);
    }

    fn label(&self, sample: usize) -> u32 {
        let own = self.held.labels[self.samples[sample]];
        match self.partner(sample) {
            // What is counted as right is the greater part.
            Some((partner, share)) if share < 0.5 => self.held.labels[partner],
            _ => own,
        }
    }

    fn teacher(&self, sample: usize, into: &mut [f32]) -> bool {
        let Some((partner, share)) = self.partner(sample) else { return false };
        let labels = [(self.held.labels[self.samples[sample]], share), (self.held.labels[partner], 1.0 - share)];
        super::augment::soften(&labels, Settings::default().loss.smoothing, into);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_orders_show_every_class_as_often() {
        let labels: Vec<u32> = (0..90).map(|i| if i < 80 { 0 } else { 1 + i % 2 }).collect();
        let held = Held {
            kind: Kind::Floats,
            cache: Cache::new(labels.len(), 4, 0).unwrap(),
            records: (0..labels.len() as u32).collect(),
            labels: labels.clone(),
            digests: vec![0; labels.len()],
            hash: 0,
            skipped: Vec::new(),
        };
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
