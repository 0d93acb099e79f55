//! The course of training: epochs of steps, and checkpoints between epochs.

use super::TrainingError;
use super::held::Held;
use super::start::Start;
use crate::error::Error;
use crate::network::Network;
use smidgen_train::{Settings, Trainer};
use std::sync::atomic::{AtomicBool, Ordering};

/// Samples that go forward and backward, and are normalised, together.
const SHARD: usize = 16;
/// The greatest norm of a gradient where no normalisation holds activations, and with them gradients, in bounds.
const LONGEST: f32 = 1.0;
/// Samples that the first means and variances are of, where normalisation is put in the place of biases.
const SETTLING: usize = 512;
const MAGIC: &str = "smidgen train 1";

/// How a network is trained: with what the [engine](smidgen_train::Settings) does by default, and these.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Options {
    /// How often each sample is seen.
    pub epochs: usize,
    /// Most samples of a step.
    pub batch: usize,
    /// The greatest learning rate.
    pub rate: f32,
    /// What order and views of the samples follow from.
    pub seed: u64,
    /// Threads; the result does not depend on them.
    pub threads: usize,
    /// Whether pictures are seen in other [views](super::augment) from epoch to epoch.
    pub augment: bool,
}

/// What an epoch came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Epoch {
    /// Its number, from 1 on.
    pub number: usize,
    /// The mean loss of its steps.
    pub loss: f64,
    /// Share of samples that were right when they were seen.
    pub accuracy: f64,
    /// Share of the test samples that are right after it.
    pub tested: Option<f64>,
    /// The learning rate of its last step.
    pub rate: f32,
}

/// A training under way.
#[derive(Debug)]
pub struct Course<'a> {
    trainer: Trainer,
    start: &'a Start,
    samples: &'a Held,
    test: Option<&'a Held>,
    options: Options,
    /// Steps of an epoch, and samples of each.
    steps: usize,
    size: usize,
}

impl<'a> Course<'a> {
    /// At its beginning.
    ///
    /// Steps are of equal size and made of whole shards: where the samples do not suffice, the epoch's first are seen
    /// again in the last step.
    ///
    /// # Errors
    /// If an option is out of its range.
    pub fn new(start: &'a Start, samples: &'a Held, test: Option<&'a Held>, options: Options) -> Result<Self, Error> {
        let batch = options.batch.max(1);
        let shard = batch.div_ceil(batch.div_ceil(SHARD));
        let steps = samples.len().div_ceil(batch).max(1);
        let size = batch.min(samples.len().div_ceil(steps).next_multiple_of(shard));
        let settings = Settings {
            batch: size,
            shard,
            threads: options.threads.max(1),
            rate: options.rate,
            clip: (start.net.state_count() == 0).then_some(LONGEST),
            ..Settings::default()
        };
        let mut trainer = Trainer::new(start.net.clone(), settings, options.seed)?;
        trainer.set_parameters(&start.parameters, &start.net.initial_state())?;
        if start.settles {
            let mut order = samples.order(options.seed, 0);
            order.truncate(SETTLING);
            trainer.settle(&samples.batch(&order, None))?;
        }
        Ok(Self { trainer, start, samples, test, options, steps, size })
    }

    /// Epochs that are over.
    pub fn epochs(&self) -> usize {
        (self.trainer.steps() / self.steps as u64) as usize
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.trainer.steps()
    }

    /// Steps of the whole course.
    pub fn all_steps(&self) -> u64 {
        self.options.epochs as u64 * self.steps as u64
    }

    /// Steps of an epoch.
    pub fn epoch_steps(&self) -> usize {
        self.steps
    }

    /// Takes the steps of the next epoch, and counts how often the test samples are right; `done` is called after each
    /// step. `None` once `stop` is set: the step that is being taken is finished.
    ///
    /// # Errors
    /// If the loss is no longer a number.
    pub fn epoch(&mut self, done: &dyn Fn(), stop: &AtomicBool) -> Result<Option<Epoch>, Error> {
        let (number, seed) = (self.epochs(), self.options.seed);
        let order = self.samples.order(seed, number);
        let views = (self.options.augment && self.samples.are_pictures()).then_some((seed, number));
        let (mut loss, mut correct, mut seen, mut rate) = (0.0, 0, 0, 0.0);
        for step in 0..self.steps {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let taken: Vec<usize> = (0..self.size).map(|i| order[(step * self.size + i) % order.len()]).collect();
            let time = self.trainer.steps() as f64 / self.all_steps() as f64;
            rate = self.options.rate * self.trainer.settings().schedule.at(time);
            let report = self.trainer.step(&self.samples.batch(&taken, views), time)?;
            let last = step + 1 == self.steps;
            let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
            if !report.loss.is_finite() || last && !(finite(self.trainer.parameters()) && finite(self.trainer.state()))
            {
                let (step, steps) = (self.trainer.steps(), self.all_steps());
                let rate = self.options.rate;
                return Err(TrainingError::Diverged { step, steps, epoch: number + 1, rate }.into());
            }
            loss += report.loss;
            correct += report.correct;
            seen += report.samples;
            done();
        }
        let tested = match self.test {
            Some(test) => match self.right(test, stop)? {
                Some(share) => Some(share),
                None => return Ok(None),
            },
            None => None,
        };
        let accuracy = correct as f64 / seen.max(1) as f64;
        Ok(Some(Epoch { number: number + 1, loss: loss / self.steps as f64, accuracy, tested, rate }))
    }

    /// The share of samples that are right; `None` once `stop` is set.
    fn right(&mut self, samples: &Held, stop: &AtomicBool) -> Result<Option<f64>, Error> {
        let all: Vec<usize> = (0..samples.len()).collect();
        let mut correct = 0;
        for part in all.chunks(self.size) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            correct += self.trainer.evaluate(&samples.batch(part, None))?.correct;
        }
        Ok(Some(correct as f64 / all.len().max(1) as f64))
    }

    /// The network as it is now, normalisation folded in.
    ///
    /// # Errors
    /// If it is not valid, which is a fault of smidgen's.
    pub fn network(&self) -> Result<Network, Error> {
        let parameters = self.start.unscaled(self.trainer.parameters());
        let graph = self.trainer.net().to_graph(&parameters, self.trainer.state())?;
        let mut network = self.start.network.with_graph(graph)?;
        network.clean_up()?;
        Ok(network)
    }

    /// What the same training goes on from, as bytes: with [`restore`](Self::restore) it ends with the same bits.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = format!("{MAGIC}\n").into_bytes();
        for (what, value) in self.identity() {
            bytes.extend(format!("{what}: {value}\n").bytes());
        }
        bytes.push(b'\n');
        bytes.extend(self.trainer.checkpoint());
        bytes
    }

    /// Goes on from a checkpoint of the same training.
    ///
    /// # Errors
    /// If it is of another one, or damaged.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or(TrainingError::NoCheckpoint)?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| TrainingError::NoCheckpoint)?;
        let mut lines = head.lines();
        if lines.next() != Some(MAGIC) {
            return Err(TrainingError::NoCheckpoint.into());
        }
        let there: Vec<&str> = lines.collect();
        let here = self.identity();
        if there.len() != here.len() {
            return Err(TrainingError::NoCheckpoint.into());
        }
        for ((what, here), line) in here.into_iter().zip(there) {
            let there = line.strip_prefix(&format!("{what}: ")).ok_or(TrainingError::NoCheckpoint)?;
            if there != here {
                return Err(TrainingError::Checkpoint { what: what.into(), there: there.into(), here }.into());
            }
        }
        self.trainer.restore(&bytes[end + 2..])?;
        if !self.trainer.steps().is_multiple_of(self.steps as u64) || self.trainer.steps() > self.all_steps() {
            return Err(TrainingError::NoCheckpoint.into());
        }
        Ok(())
    }

    /// What the result depends on besides the network.
    fn identity(&self) -> [(&'static str, String); 7] {
        let Options { epochs, batch, rate, seed, augment, .. } = self.options;
        [
            ("the number of epochs", epochs.to_string()),
            ("the batch", batch.to_string()),
            ("the rate", rate.to_string()),
            ("the seed", seed.to_string()),
            ("augmentation", if augment { "on" } else { "off" }.into()),
            ("the number of samples", self.samples.len().to_string()),
            ("the hash of the samples", format!("{:016x}", self.samples.hash())),
        ]
    }
}
