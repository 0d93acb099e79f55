//! What training on the device would come to: the same integers on the host, over a labelled set.

use crate::data::{Dataset, Feeder};
use crate::error::Error;
use crate::evaluate::{EvaluateError, Skipped, best, prepared};
use rayon::prelude::*;
use smidgen_adapt::{Learner, TrainingStep};
use std::sync::atomic::{AtomicBool, Ordering};

/// Samples as a network that learns takes them: the part of it that nothing changes has been computed.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// What that part gave, and the class.
    pub samples: Vec<(Vec<u8>, usize)>,
    /// Pictures that could not be read.
    pub skipped: Vec<Skipped>,
}

/// How a network is trained.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Course {
    /// Times that every sample is seen.
    pub epochs: usize,
    /// Part of all iterations in which the learning rate grows from 0.
    pub warm_up: f64,
    /// The greatest learning rate; it falls to 0 along a half cosine.
    pub rate: f64,
    /// Order of the samples.
    pub seed: u64,
}

/// What an epoch came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Epoch {
    /// Mean loss over the epoch, each sample's before it was learnt.
    pub loss: f64,
    /// Samples of the other set whose class came first.
    pub right: usize,
}

/// Computes, for these samples of a set, what no training changes. `done` is called after each.
///
/// # Errors
/// If a sample does not suit the network, has no class, or has one that the classifier lacks.
pub fn prepare(
    step: &TrainingStep,
    (set, indices): (&Dataset, &[usize]),
    (feeder, strict): (&Feeder, bool),
    (done, stop): (&(dyn Fn() + Sync), &AtomicBool),
) -> Result<Prepared, Error> {
    const AT_ONCE: usize = 64;
    let learner = Learner::new(step)?;
    let mut all = Prepared::default();
    for indices in indices.chunks(AT_ONCE) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut ready = Vec::new();
        for sample in set.read(indices) {
            match prepared(set, sample, (feeder, strict))? {
                Ok((class, arrays)) => {
                    let class = class.ok_or(EvaluateError::Unlabelled)?;
                    if class >= step.classes {
                        let (data, network) = (set.classes().len().max(class + 1), step.classes);
                        return Err(EvaluateError::TooManyClasses { data, network }.into());
                    }
                    ready.push((arrays, class));
                }
                Err(skipped) => all.skipped.push(skipped),
            }
        }
        let compute = |learner: &mut Learner, (arrays, class): (Vec<crate::Array>, usize)| {
            let bytes = arrays.first().map_or(&[][..], |array| &array.data);
            let prepared = learner.prepare(bytes)?;
            done();
            Ok::<_, Error>((prepared, class))
        };
        let samples: Result<Vec<_>, Error> = ready.into_par_iter().map_init(|| learner.clone(), compute).collect();
        all.samples.extend(samples?);
    }
    Ok(all)
}

/// The learning rate at an iteration of so many.
pub fn rate_at(course: &Course, iteration: usize, iterations: usize) -> f64 {
    let at = (iteration as f64 + 0.5) / iterations.max(1) as f64;
    let warm = if course.warm_up > 0.0 { (at / course.warm_up).min(1.0) } else { 1.0 };
    course.rate * warm * 0.5 * (1.0 + (std::f64::consts::PI * at).cos())
}

/// Trains from the beginning and counts after every epoch how often the network is right on the samples of `test`. Stops between epochs
/// once `stop` is set.
///
/// # Errors
/// If the samples were prepared for another network.
pub fn learn(
    learner: &mut Learner,
    (train, test): (&Prepared, &Prepared),
    course: &Course,
    (done, stop): (&dyn Fn(), &AtomicBool),
) -> Result<Vec<Epoch>, Error> {
    learner.reset();
    let mut order: Vec<usize> = (0..train.samples.len()).collect();
    let iterations = course.epochs * order.len();
    let mut chance = smidgen_train::Random::new(course.seed);
    let mut epochs = Vec::new();
    for epoch in 0..course.epochs {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for i in (1..order.len()).rev() {
            order.swap(i, chance.below(i + 1));
        }
        let mut loss = 0.0;
        for (k, &i) in order.iter().enumerate() {
            let (prepared, class) = &train.samples[i];
            loss += learner.train(prepared, *class, rate_at(course, epoch * order.len() + k, iterations))?;
        }
        let right = right(learner, test)?;
        epochs.push(Epoch { loss: loss / order.len().max(1) as f64, right });
        done();
    }
    Ok(epochs)
}

/// Samples whose class comes first, the first of equals.
///
/// # Errors
/// If the samples were prepared for another network.
pub fn right(learner: &mut Learner, samples: &Prepared) -> Result<usize, Error> {
    let mut right = 0;
    for (prepared, class) in &samples.samples {
        let logits = learner.predict(prepared)?;
        right += usize::from(best(&logits, 1) == [*class]);
    }
    Ok(right)
}
