//! Contribution analysis (Lin et al. 2022, section 3.2): what training single parts of a network gains, measured with
//! the very integers of the device on samples that were held out of the training part.

use super::error::SchemeError;
use super::evaluate::{Course, Prepared, learn};
use super::points::{Measured, Points};
use crate::data::{Dataset, Feeder};
use crate::error::Error;
use crate::evaluate::{EvaluateError, Skipped, best, prepared};
use crate::network::Network;
use rayon::prelude::*;
use smidgen_adapt::{Learner, Learns, Scheme};
use smidgen_lower::LowerOptions;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Of the samples of each class, every third is held out.
const HELD_OUT: usize = 3;

/// Samples of a training part as the network takes them: those that it learns, and those that it is measured on.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Material {
    /// Stored bytes of the network's input, and the class.
    pub learnt: Vec<(Vec<u8>, usize)>,
    /// The same, held out.
    pub held_out: Vec<(Vec<u8>, usize)>,
    /// Classes of the data.
    pub classes: usize,
    /// Pictures that could not be read.
    pub skipped: Vec<Skipped>,
}

/// A hash (FNV-1a, of 64 bits): another one is of other bytes.
pub fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let mixed = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, mixed)
}

impl Material {
    /// Reads so many samples of a set, spread over its classes. `done` is called after each; once `stop` is set, what
    /// there is comes back.
    ///
    /// # Errors
    /// If the samples have no labels or do not suit the network, or there are too few to hold some out.
    pub fn read(
        set: &Dataset,
        samples: usize,
        (feeder, strict): (&Feeder, bool),
        (done, stop): (&(dyn Fn() + Sync), &AtomicBool),
    ) -> Result<Self, Error> {
        let classes = set.classes().len();
        if classes == 0 || set.items().iter().any(|item| item.class.is_none()) {
            return Err(EvaluateError::Unlabelled.into());
        }
        let mut material = Self { classes, ..Self::default() };
        let mut seen = vec![0usize; classes];
        let chosen = set.choose(samples, 0);
        let read: Vec<_> = set
            .read(&chosen)
            .take_while(|_| !stop.load(Ordering::Relaxed))
            .enumerate()
            .par_bridge()
            .map(|(at, sample)| {
                let ready = prepared(set, sample, (feeder, strict))?;
                done();
                Ok::<_, Error>((at, ready))
            })
            .collect::<Result<_, _>>()?;
        let mut read = read;
        read.sort_by_key(|(at, _)| *at);
        for (_, ready) in read {
            let (class, arrays) = match ready {
                Ok(ready) => ready,
                Err(skipped) => {
                    material.skipped.push(skipped);
                    continue;
                }
            };
            let class = class.filter(|&class| class < classes).ok_or(EvaluateError::Unlabelled)?;
            let bytes = arrays.into_iter().next().map_or_else(Vec::new, |array| array.data);
            // The second of each class, and every third from there: one of two, and never all.
            let to = if seen[class] % HELD_OUT == 1 { &mut material.held_out } else { &mut material.learnt };
            to.push((bytes, class));
            seen[class] += 1;
        }
        if material.held_out.is_empty() && !stop.load(Ordering::Relaxed) {
            if let (true, Some(Skipped { name, reason })) = (material.learnt.is_empty(), material.skipped.first()) {
                let (name, reason) = (name.clone(), reason.clone());
                return Err(EvaluateError::AllBroken { pictures: chosen.len() as u64, name, reason }.into());
            }
            return Err(SchemeError::NothingToHold { samples: material.learnt.len() }.into());
        }
        Ok(material)
    }

    /// Tells sets of samples apart.
    pub fn hash(&self) -> u64 {
        let parts = [&self.learnt, &self.held_out].into_iter();
        let bytes = parts.flat_map(|part| {
            let samples = part.iter();
            let count = (part.len() as u64).to_le_bytes();
            count.into_iter().chain(
                samples
                    .flat_map(|(bytes, class)| (*class as u64).to_le_bytes().into_iter().chain(bytes.iter().copied())),
            )
        });
        hash(bytes)
    }
}

/// How every scheme is trained: alike, so that differences are the schemes'.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Recipe {
    /// Times that every sample is seen.
    pub epochs: usize,
    /// Part of all iterations in which the learning rate grows from 0.
    pub warm_up: f64,
    /// The first order of the samples.
    pub seed: u64,
    /// Trainings, each in another order.
    pub orders: u64,
}

/// A scheme and the greatest learning rate that it is trained with.
pub type Wanted = (Scheme, f64);

/// Trains and measures schemes.
#[derive(Debug)]
pub struct Bench<'a> {
    /// The network, cleaned up.
    pub network: &'a Network,
    /// Samples.
    pub material: &'a Material,
    /// How it is trained.
    pub recipe: Recipe,
    /// Whose roundings.
    pub lower: LowerOptions,
    /// What was measured.
    pub points: Mutex<Points>,
    /// What was prepared last: weights beside the same biases mostly need the same.
    pub prepared: Mutex<Option<Ready>>,
}

/// Samples as one network has prepared them: those that are learnt, and those that are held out.
#[derive(Clone, Debug)]
pub struct Ready {
    learner: Learner,
    samples: Arc<[Prepared; 2]>,
}

impl Bench<'_> {
    /// What was measured of a scheme.
    pub fn find(&self, (scheme, rate): &Wanted) -> Option<Measured> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner).find(scheme, *rate)
    }

    /// Measures those schemes that were not measured yet, on all threads of the pool that this is called in, and keeps
    /// each at once. `done` is called after each of them with its place, `keep` around what writes files. `None` if it
    /// was stopped.
    ///
    /// # Errors
    /// If a scheme does not suit the network, or what was measured cannot be kept.
    pub fn measure(
        &self,
        wanted: &[Wanted],
        done: &(dyn Fn(usize) + Sync),
        keep: &(dyn Fn(&mut dyn FnMut()) + Sync),
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Measured>>, Error> {
        let one = |(at, wanted): (usize, &Wanted)| {
            if let Some(measured) = self.find(wanted) {
                return Ok(Some((at, measured)));
            }
            let Some(measured) = self.train(wanted, stop)? else { return Ok(None) };
            let mut kept = Ok(measured);
            keep(&mut || {
                let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
                kept = points.keep(&wanted.0, wanted.1, measured);
            });
            done(at);
            Ok::<_, Error>(Some((at, kept?)))
        };
        // One after the other, so that none waits behind a long row of others.
        let all = wanted.iter().enumerate().par_bridge().map(one).collect::<Result<Option<Vec<_>>, Error>>()?;
        Ok(all.map(|mut all| {
            all.sort_by_key(|&(at, _)| at);
            all.into_iter().map(|(_, measured)| measured).collect()
        }))
    }

    /// Computes what no training changes, or takes what another network has computed alike.
    fn prepare(&self, learner: &mut Learner, samples: [&[(Vec<u8>, usize)]; 2]) -> Result<Arc<[Prepared; 2]>, Error> {
        let last = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = last().as_ref().filter(|ready| ready.learner.prepares_like(learner)) {
            return Ok(ready.samples.clone());
        }
        let mut prepared = [Prepared::default(), Prepared::default()];
        for (samples, prepared) in samples.into_iter().zip(&mut prepared) {
            for (bytes, class) in samples {
                prepared.samples.push((learner.prepare(bytes)?, *class));
            }
        }
        let samples = Arc::new(prepared);
        *last() = Some(Ready { learner: learner.clone(), samples: samples.clone() });
        Ok(samples)
    }

    fn train(&self, (scheme, rate): &Wanted, stop: &AtomicBool) -> Result<Option<Measured>, Error> {
        let Material { learnt, held_out, classes, .. } = self.material;
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let adaptation = self.network.adapt(*classes, scheme, &self.lower, &[])?;
        let mut learner = Learner::new(&adaptation.step)?;
        let [learnt, held_out] = &*self.prepare(&mut learner, [learnt, held_out])?;
        let mut sum = Measured { samples: 0, right: 0, probability: 0.0, loss: 0.0 };
        for order in 0..self.recipe.orders {
            let Recipe { epochs, warm_up, seed, .. } = self.recipe;
            let course = Course { epochs, warm_up, rate: *rate, seed: seed.wrapping_add(order) };
            learn(&mut learner, (learnt, &Prepared::default()), &course, (&|| {}, stop))?;
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            for (sample, class) in &held_out.samples {
                let logits = learner.predict(sample)?;
                let most = logits.iter().copied().fold(f64::MIN, f64::max);
                let all: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
                let log = logits[*class] - most - all.ln();
                sum.samples += 1;
                sum.right += u64::from(best(&logits, 1) == [*class]);
                sum.probability += log.exp();
                sum.loss -= log;
            }
        }
        let count = sum.samples.max(1) as f64;
        Ok(Some(Measured { probability: sum.probability / count, loss: sum.loss / count, ..sum }))
    }
}
