//! What training on the device would come to: the same integers on the host, over a labelled set.

use crate::data::{Dataset, Feeder};
use crate::error::Error;
use crate::evaluate::{EvaluateError, Skipped, best, prepared};
use rayon::prelude::*;
use smidgen_adapt::Learns;
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

/// Computes, for these samples of a set, what no training of a network with so many classes changes. `done` is called after each.
///
/// # Errors
/// If a sample does not suit the network, has no class, or has one that the classifier lacks.
pub fn prepare(
    (learner, classes): (&impl Learns, usize),
    (set, indices): (&Dataset, &[usize]),
    (feeder, strict): (&Feeder, bool),
    (done, stop): (&(dyn Fn() + Sync), &AtomicBool),
) -> Result<Prepared, Error> {
    const AT_ONCE: usize = 64;
    let mut all = Prepared::default();
    for indices in indices.chunks(AT_ONCE) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut ready = Vec::new();
        for (sample, &index) in set.read(indices).zip(indices) {
            match prepared(set, sample, (feeder, strict))? {
                Ok((class, arrays)) => {
                    let class = class.ok_or(EvaluateError::Unlabelled)?;
                    if class >= classes {
                        let sample = set.items()[index].name.clone();
                        return Err(EvaluateError::UnknownLabel { sample, label: class, classes }.into());
                    }
                    ready.push((arrays, class));
                }
                Err(skipped) => all.skipped.push(skipped),
            }
        }
        let compute = |learner: &mut _, (arrays, class): (Vec<crate::Array>, usize)| {
            let bytes = arrays.first().map_or(&[][..], |array| &array.data);
            let prepared = Learns::prepare(learner, bytes)?;
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
    learner: &mut impl Learns,
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
        let right = judge(learner, test)?.into_iter().filter(|&right| right).count();
        epochs.push(Epoch { loss: loss / order.len().max(1) as f64, right });
        done();
    }
    Ok(epochs)
}

/// Which samples have their class first, the first of equals.
///
/// # Errors
/// If the samples were prepared for another network.
pub fn judge(learner: &mut impl Learns, samples: &Prepared) -> Result<Vec<bool>, Error> {
    let one = |(prepared, class): &(Vec<u8>, usize)| Ok(best(&learner.predict(prepared)?, 1) == [*class]);
    samples.samples.iter().map(one).collect()
}

/// Which samples a network is trained and tested on, by their indices.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// To train.
    pub train: Vec<usize>,
    /// To test.
    pub test: Vec<usize>,
}

impl Split {
    /// `count` splits for cross-validation: each sample is tested in one of them and trained on in all others.
    pub fn folds(samples: &Prepared, count: usize) -> Vec<Self> {
        let mut folds = vec![Self::default(); count];
        for (i, of) in dealt(samples.samples.iter().map(|(_, class)| *class), count).into_iter().enumerate() {
            for (f, fold) in folds.iter_mut().enumerate() {
                if f == of { &mut fold.test } else { &mut fold.train }.push(i);
            }
        }
        folds
    }
}

/// Deals samples of these classes out into `count` parts, every class as evenly as it can be: the part of each.
pub fn dealt(classes: impl IntoIterator<Item = usize>, count: usize) -> Vec<usize> {
    let mut next = std::collections::HashMap::new();
    let one = |class: usize| {
        // Small classes do not all begin with the same part.
        let next = next.entry(class).or_insert(class);
        *next += 1;
        (*next - 1) % count.max(1)
    };
    classes.into_iter().map(one).collect()
}

impl Prepared {
    /// Some of the samples.
    pub fn take(&self, indices: &[usize]) -> Self {
        Self { samples: indices.iter().map(|&i| self.samples[i].clone()).collect(), skipped: Vec::new() }
    }
}

/// A mean difference between two ways to train, sample by sample, in points of a hundred, and the interval that holds the true mean
/// with a probability of 95 %.
///
/// By the normal distribution of means where there are samples enough; else by Agresti and Min, "Simple improved confidence intervals
/// for comparing matched proportions" (2005), which does not take it for certain that ways differ nowhere because they have not yet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Fewer samples than this are few: then the pairs that differ may be too few for a normal distribution.
const FEW: usize = 1000;

impl Difference {
    /// Of how often each sample was right, by one way less by the other; `None` of fewer than two samples.
    pub fn of(these: &[f64], those: &[f64]) -> Option<Self> {
        let count = these.len().min(those.len());
        if count < 2 {
            return None;
        }
        let all: Vec<f64> = these.iter().zip(those).map(|(a, b)| 100.0 * (a - b)).collect();
        let sum = all.iter().sum::<f64>();
        let mean = sum / count as f64;
        let (middle, deviation) = if count < FEW || all.iter().all(|&d| d == 0.0) {
            // Half a sample more of each kind: right by both, by neither, by one alone, by the other alone.
            let count = count as f64 + 2.0;
            let squares = all.iter().map(|d| d.powi(2)).sum::<f64>() + 100f64.powi(2);
            let middle = sum / count;
            (middle, ((squares / count - middle.powi(2)) / count).sqrt())
        } else {
            let variance = all.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
            (mean, (variance / count as f64).sqrt())
        };
        let end = |margin: f64| (middle + 1.96 * margin).clamp(-100.0, 100.0);
        Some(Self { mean, low: end(-deviation), high: end(deviation) })
    }

    /// Whether the interval excludes 0.
    pub fn counts(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_test_every_sample_once_and_deal_out_classes() {
        let classes = [0, 1, 0, 1, 1, 1, 2, 0, 1, 1, 1, 2, 2, 0];
        let samples = classes.iter().map(|&class| (Vec::new(), class)).collect();
        let folds = Split::folds(&Prepared { samples, skipped: Vec::new() }, 3);
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..classes.len()).collect::<Vec<_>>());
        for fold in &folds {
            assert_eq!(fold.train.len() + fold.test.len(), classes.len());
            assert!(fold.train.iter().all(|i| !fold.test.contains(i)));
            for class in 0..3 {
                let of = |indices: &[usize]| indices.iter().filter(|&&i| classes[i] == class).count();
                let all = classes.iter().filter(|&&c| c == class).count();
                assert!((all / 3..=all.div_ceil(3)).contains(&of(&fold.test)));
            }
        }
    }

    /// `count` samples of which one way alone has the first `more` right, the other alone the next `less`, and both half of the others.
    fn pairs(count: usize, (more, less): (usize, usize)) -> Difference {
        let alone = |i: usize| if i < more { 1 } else { i32::from(i < more + less) * 2 };
        let of = |way: i32| (0..count).map(|i| f64::from(alone(i) == way || alone(i) == 0 && i % 2 == 0)).collect();
        let [these, those]: [Vec<f64>; 2] = [of(1), of(2)];
        Difference::of(&these, &those).unwrap()
    }

    #[test]
    fn a_difference_counts_when_its_interval_excludes_0() {
        let near = |found: Difference, wanted: [f64; 3]| {
            let found = [found.mean, found.low, found.high];
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 0.01), "{found:?}, not {wanted:?}");
        };
        // The deviation of a sample is 43.32 points.
        near(pairs(4000, (1000, 0)), [25.0, 23.66, 26.34]);
        // Of 42 samples 10.5 and 0.5.
        near(pairs(40, (10, 0)), [25.0, 10.11, 37.51]);
        assert!(pairs(40, (10, 0)).counts() && pairs(4000, (0, 1000)).counts());
        assert_eq!(Difference::of(&[1.0], &[0.0]), None);
    }

    #[test]
    fn of_few_samples_little_can_be_told() {
        for count in [2, 3, 20, 100, 999, 1000, 100_000] {
            let Difference { mean, low, high } = pairs(count, (0, 0));
            // 1.96 times the root of one pair that differs, over two samples more.
            let wanted = 196.0 / (count as f64 + 2.0);
            assert!(mean == 0.0 && (high - wanted).abs() < 0.01 && low == -high, "{count}: {low} to {high}");
        }
        // Four pairs that differ by chance all do so to one side once in eight times, six once in thirty-two.
        for count in [20, 100, 999] {
            assert!(
                (0..5).all(|more| !pairs(count, (more, 0)).counts() && !pairs(count, (0, more)).counts()),
                "{count}"
            );
            assert!(pairs(count, (6, 0)).counts() && pairs(count, (0, 6)).counts(), "{count}");
        }
        assert!(!pairs(2, (2, 0)).counts());
        let all = pairs(6, (6, 0));
        assert!((all.mean, all.high) == (100.0, 100.0) && all.low > 0.0, "{all:?}");
    }
}
