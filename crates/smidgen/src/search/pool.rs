//! The samples of a search: those that the supernet learns from, and those that candidates are compared on.

use crate::error::Error;
use crate::train::augment::Augment;
use crate::train::held::{Held, Taken, Views};

/// Samples that candidates are compared on at most, ...
const MOST: usize = 2000;
/// ... and the share of each class that is kept for it.
const SHARE: f64 = 0.2;
/// Samples that a candidate's normalisations are counted anew on.
const CALIBRATION: usize = 512;

/// Samples in two parts, chosen by the seed.
#[derive(Debug)]
pub struct Pool<'a> {
    held: &'a Held,
    validation: Vec<usize>,
    /// Whether a sample is of the validation part.
    kept: Vec<bool>,
    augment: Augment,
    balance: bool,
    seed: u64,
    batch: usize,
}

impl<'a> Pool<'a> {
    /// Keeps a fifth of each class, but no more than 2,000 samples in all, for comparisons.
    pub fn new(held: &'a Held, (augment, balance): (Augment, bool), seed: u64, batch: usize) -> Self {
        let share = SHARE.min(MOST as f64 / held.len().max(1) as f64);
        let order = held.order(seed ^ 0x7a11, 0, false);
        let mut of_class: Vec<usize> = Vec::new();
        for &sample in &order {
            let class = held.label(sample) as usize;
            of_class.resize(of_class.len().max(class + 1), 0);
            of_class[class] += 1;
        }
        // Of each class at least one, and never all.
        let mut left: Vec<usize> = of_class
            .iter()
            .map(|&count| ((count as f64 * share).round() as usize).max(1).min(count.saturating_sub(1)))
            .collect();
        let mut kept = vec![false; held.len()];
        let mut validation = Vec::new();
        for sample in order {
            let left = &mut left[held.label(sample) as usize];
            if *left > 0 {
                *left -= 1;
                kept[sample] = true;
                validation.push(sample);
            }
        }
        Self { held, validation, kept, augment, balance, seed, batch }
    }

    /// Samples that the supernet learns from.
    pub fn training(&self) -> usize {
        self.held.len() - self.validation.len()
    }

    /// Steps of an epoch.
    pub fn steps(&self) -> usize {
        self.training().div_ceil(self.batch).max(1)
    }

    fn views(&self, epoch: usize) -> Option<Views> {
        self.held.views(self.augment, self.seed, epoch)
    }

    /// The order of an epoch.
    pub fn order(&self, epoch: usize) -> Vec<usize> {
        let order = self.held.order(self.seed, epoch, self.balance);
        order.into_iter().filter(|&sample| !self.kept[sample]).collect()
    }

    /// A step of an epoch in its order.
    pub fn step(&self, order: &[usize], (epoch, step): (usize, usize)) -> Result<Taken<'a>, Error> {
        let size = self.batch.min(order.len());
        let samples = (0..size).map(|i| order[(step * self.batch + i) % order.len()]).collect();
        self.held.batch(samples, self.views(epoch))
    }

    /// What normalisations are counted on.
    pub fn calibration(&self) -> Result<Taken<'a>, Error> {
        let mut order = self.order(0);
        order.truncate(CALIBRATION);
        self.held.batch(order, self.views(0))
    }

    /// What candidates are compared on.
    pub fn compared(&self) -> Result<Taken<'a>, Error> {
        self.held.batch(self.validation.clone(), None)
    }
}
