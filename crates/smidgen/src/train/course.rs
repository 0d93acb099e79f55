//! The course of training: epochs of steps in one or two phases, and checkpoints between epochs.
//!
//! In the first phase floats are trained. In the second, if an integer network is asked for, what integers round is
//! part of the forward pass ([`integers`]). Each phase has its own cycle of learning rates, over its
//! steps or over its time, whichever ends first.

use super::TrainingError;
use super::augment::Augment;
use super::held::{Held, Taken};
use super::integers::{self, Integers};
use super::log::Log;
use super::start::Start;
use super::weights;
use crate::error::Error;
use crate::network::Network;
use serde::{Deserialize, Serialize};
use smidgen_train::{Block, Loss, NetAug, Optimiser, Settings, Trainer};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Samples that go forward and backward, and are normalised, together.
pub(crate) const SHARD: usize = 16;
/// The greatest norm of a gradient where no normalisation holds activations, and with them gradients, in bounds.
pub(crate) const LONGEST: f32 = 1.0;
/// Samples that means and variances are of: the first where normalisation is put in the place of biases, and the last.
pub(crate) const SETTLING: usize = 512;
/// The greatest learning rate of the second phase, by Adam, for weights of the [usual size](integers::magnitudes).
const KNOWING_RATE: f32 = 3e-4;
const MAGIC: &str = "smidgen train 2";

/// How a network is trained: with what the [engine](smidgen_train::Settings) does by default, and these.
#[derive(Clone, PartialEq, Debug, Default)]
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
    /// What happens to [pictures](super::augment) from epoch to epoch.
    pub augment: Augment,
    /// Whether samples of rare classes are seen as often as those of frequent ones.
    pub balance: bool,
    /// The result is to be an integer network.
    pub integers: Option<Integers>,
    /// Time after which training ends, annealed, if its epochs have not ended before.
    pub limit: Option<Duration>,
    /// The steps of a training that was limited: taken again, they give the same bits.
    pub replay: Option<Log>,
    /// The network's blocks, if floats are to be trained [as part of larger networks](NetAug) that are dropped in the end.
    pub netaug: Option<Vec<Block>>,
}

/// What an epoch came to.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
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
    /// Integers were part of the forward pass.
    pub knowing: bool,
}

/// A training under way.
#[derive(Debug)]
pub struct Course<'a> {
    trainer: Trainer,
    /// The larger networks, while floats are trained.
    netaug: Option<NetAug>,
    start: &'a Start,
    samples: &'a Held,
    test: Option<&'a Held>,
    options: Options,
    /// Steps of an epoch, and samples of each.
    steps: usize,
    size: usize,
    /// The integer network whose scales the second phase trains with, as a file, once there is one.
    integer: Option<Vec<u8>>,
    /// Epochs of phases that are over.
    passed: usize,
    /// The time of each step of each phase.
    log: Log,
    begun: Instant,
    /// Time spent before a checkpoint.
    spent: Duration,
    /// Phase and step that were last asked for, and the answer: asked again, a clock would give another.
    ahead: Cell<Option<(usize, usize, Option<f64>)>>,
    /// At a checkpoint there was time for a step more, which is taken however late it has become.
    promised: bool,
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
            loss: Loss { distillation: if options.augment.mixup > 0.0 { 1.0 } else { 0.5 }, ..Loss::default() },
            ..Settings::default()
        };
        let mut trainer = Trainer::new(start.net.clone(), settings, options.seed)?;
        trainer.set_parameters(&start.parameters, &start.state)?;
        trainer.set_shares(&start.shares(&start.net))?;
        if start.settles {
            let mut order = samples.order(options.seed, 0, false);
            order.truncate(SETTLING);
            trainer.settle(&samples.batch(order, None)?)?;
        }
        let netaug = match &options.netaug {
            Some(blocks) => Some(NetAug::new(&trainer, blocks, options.seed)?),
            None => None,
        };
        let log = Log::default();
        let (begun, spent) = (Instant::now(), Duration::ZERO);
        let (integer, passed) = (None, 0);
        let (ahead, promised) = (Cell::new(None), false);
        Ok(Self {
            trainer,
            netaug,
            start,
            samples,
            test,
            options,
            steps,
            size,
            integer,
            passed,
            log,
            begun,
            spent,
            ahead,
            promised,
        })
    }

    /// Epochs that are over.
    pub fn epochs(&self) -> usize {
        self.passed + (self.trainer.steps() as usize).div_ceil(self.steps)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.log.steps() as u64
    }

    /// Steps of the whole course; `None` where a clock ends it.
    pub fn all_steps(&self) -> Option<u64> {
        match (&self.options.replay, self.options.limit) {
            (Some(replay), _) => Some(replay.steps() as u64),
            (None, Some(_)) => None,
            (None, None) => Some(self.options.epochs as u64 * self.steps as u64),
        }
    }

    /// The time of each step that was taken, for [`Options::replay`].
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Epochs of the phase that is under way.
    fn phase_epochs(&self) -> usize {
        let knowing = self.knowing_epochs();
        if self.integer.is_some() { knowing } else { self.options.epochs - knowing }
    }

    fn spent(&self) -> Duration {
        self.spent + self.begun.elapsed()
    }

    /// How much of the phase is over before the step that comes, from 0 to 1; `None` if all of it. What was answered once holds, so that a
    /// phase that a clock ends does so at one place, where those who take its steps again end it too.
    fn time(&self) -> Option<f64> {
        let (phase, taken) = (usize::from(self.integer.is_some()), self.trainer.steps() as usize);
        if let Some((of, at, time)) = self.ahead.get()
            && (of, at) == (phase, taken)
        {
            return time;
        }
        let time = self.time_now();
        self.ahead.set(Some((phase, taken, time)));
        time
    }

    fn time_now(&self) -> Option<f64> {
        let (taken, all) = (self.trainer.steps() as usize, self.phase_epochs() * self.steps);
        if let Some(replay) = &self.options.replay {
            return replay.phase(usize::from(self.integer.is_some())).get(taken).copied();
        }
        if taken >= all {
            return None;
        }
        let by_steps = taken as f64 / all as f64;
        let Some(limit) = self.options.limit else { return Some(by_steps) };
        // The second phase has what the first has left.
        let share = (self.options.epochs - self.knowing_epochs()) as f64 / self.options.epochs.max(1) as f64;
        let first = limit.mul_f64(share);
        let (from, until) = if self.integer.is_some() { (self.log.begun, limit) } else { (Duration::ZERO, first) };
        let spent = self.spent().saturating_sub(from).as_secs_f64();
        let by_clock = spent / until.saturating_sub(from).as_secs_f64().max(1e-9);
        // A phase takes one step at least.
        (taken == 0 || self.promised || by_clock < 1.0).then(|| by_steps.max(by_clock).min(1.0))
    }

    fn knowing_epochs(&self) -> usize {
        self.options.integers.as_ref().map_or(0, |integers| integers.epochs.min(self.options.epochs))
    }

    /// Whether all steps were taken.
    pub fn is_over(&self) -> bool {
        self.time().is_none() && (self.integer.is_some() || self.knowing_epochs() == 0)
    }

    /// Takes the steps of the next epoch, and counts how often the test samples are right; `done` is called after each
    /// step. `None` once `stop` is set: the step that is being taken is finished.
    ///
    /// # Errors
    /// If the loss is no longer a number, or the network cannot be quantised.
    pub fn epoch(&mut self, done: &dyn Fn(), stop: &AtomicBool) -> Result<Option<Epoch>, Error> {
        if self.time().is_none() && !self.is_over() {
            self.enter_integers()?;
        }
        if let Some(netaug) = &mut self.netaug {
            netaug.sort(&mut self.trainer)?;
        }
        let (number, seed) = (self.epochs(), self.options.seed);
        let order = self.samples.order(seed, number, self.options.balance);
        let views = self.samples.views(self.options.augment, seed, number);
        let knowing = self.integer.is_some();
        let factor = if knowing { self.start.scale } else { 1.0 };
        let (mut loss, mut correct, mut seen, mut rate, mut taken) = (0.0, 0, 0, 0.0, 0);
        let (samples, size) = (self.samples, self.size);
        let batch =
            |step: usize| samples.batch((0..size).map(|i| order[(step * size + i) % order.len()]).collect(), views);
        let taking = ahead(self.steps, samples.bytes().1 > 0, &batch, |batch| {
            if stop.load(Ordering::Relaxed) {
                return Ok(Some(true));
            }
            let Some(time) = self.time() else { return Ok(Some(false)) };
            rate = self.trainer.settings().rate * self.trainer.settings().schedule.at(time);
            let report = match &mut self.netaug {
                Some(netaug) => netaug.step(&mut self.trainer, &batch.times(factor), time)?,
                None => self.trainer.step(&batch.times(factor), time)?,
            };
            self.log.push(usize::from(knowing), time);
            self.promised = false;
            if !report.loss.is_finite() {
                return Err(self.diverged(number));
            }
            loss += report.loss;
            correct += report.correct;
            seen += report.samples;
            taken += 1;
            done();
            Ok(None)
        });
        if taking? == Some(true) {
            return Ok(None);
        }
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if !(finite(self.trainer.parameters()) && finite(self.trainer.state())) {
            return Err(self.diverged(number));
        }
        if self.time().is_none() && self.integer.is_none() && self.start.net.state_count() > 0 {
            let mut order = self.samples.order(seed, number, false);
            order.truncate(SETTLING);
            self.trainer.recalibrate(&self.samples.batch(order, views)?)?;
        }
        let tested = match self.test {
            Some(test) => match self.right(test, stop)? {
                Some(share) => Some(share),
                None => return Ok(None),
            },
            None => None,
        };
        let (accuracy, loss) = (correct as f64 / seen.max(1) as f64, loss / f64::from(taken.max(1)));
        Ok(Some(Epoch { number: number + 1, loss, accuracy, tested, rate, knowing }))
    }

    fn diverged(&self, epoch: usize) -> Error {
        let (step, steps) = (self.steps(), self.all_steps());
        let option = if self.integer.is_some() { "--qat-rate" } else { "--rate" };
        TrainingError::Diverged { step, steps, epoch: epoch + 1, rate: self.trainer.settings().rate, option }.into()
    }

    /// The share of samples that are right; `None` once `stop` is set.
    fn right(&mut self, samples: &Held, stop: &AtomicBool) -> Result<Option<f64>, Error> {
        let all: Vec<usize> = (0..samples.len()).collect();
        let factor = if self.integer.is_some() { self.start.scale } else { 1.0 };
        let mut correct = 0;
        for part in all.chunks(self.size) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            correct += self.trainer.evaluate(&samples.batch(part.to_vec(), None)?.times(factor))?.correct;
        }
        Ok(Some(correct as f64 / all.len().max(1) as f64))
    }

    /// What floats have learnt so far, as a file that PyTorch reads.
    ///
    /// # Errors
    /// If the network has no PyTorch module, as one of integers has none.
    pub fn weights(&self) -> Result<Vec<u8>, Error> {
        let torch = self.trainer.net().to_torch(self.start.scale)?;
        weights::file(&torch, (self.trainer.parameters(), self.trainer.state()), self.start.scale)
    }

    /// The float network as it is now, normalisation folded in.
    fn float(&self) -> Result<Network, Error> {
        let parameters = self.start.unscaled(self.trainer.parameters());
        let graph = self.trainer.net().to_graph(&parameters, self.trainer.state())?;
        let mut network = self.start.network.with_graph(graph)?;
        network.canonicalise()?;
        Ok(network)
    }

    /// Begins the second phase: quantises the float network, and trains on with what its integers stand for.
    fn enter_integers(&mut self) -> Result<(), Error> {
        if let Some(integers) = &self.options.integers {
            let file = self.quantised(integers)?.to_tflite()?;
            self.take_up(file)?;
            self.log.begun = self.spent();
        }
        Ok(())
    }

    fn quantised(&self, integers: &Integers) -> Result<Network, Error> {
        let samples = integers::calibration(self.samples, self.options.seed, self.start.scale)?;
        integers::quantised(&self.float()?, &samples, integers)
    }

    /// Goes on with the weights and scales of an integer network.
    fn take_up(&mut self, file: Vec<u8>) -> Result<(), Error> {
        let network = Network::from_tflite(&file)?;
        let (net, parameters) = integers::net(network.graph(), &|name| self.start.is_frozen(name))?;
        let settings = Settings {
            optimiser: Optimiser::ADAM_W,
            decay: 0.0,
            rate: self.options.integers.as_ref().and_then(|integers| integers.rate).unwrap_or(KNOWING_RATE),
            clip: None,
            ..*self.trainer.settings()
        };
        self.passed = self.epochs();
        let magnitudes = integers::magnitudes(&net, &parameters);
        let shares: Vec<f32> = self.start.shares(&net).iter().zip(magnitudes).map(|(a, b)| a * b).collect();
        self.trainer = Trainer::new(net, settings, self.options.seed)?;
        self.trainer.set_parameters(&parameters, &[])?;
        self.trainer.set_shares(&shares)?;
        self.integer = Some(file);
        // What it has taught stays; integers are those of the network that is written.
        self.netaug = None;
        Ok(())
    }

    /// The network as it is now: of integers if that is asked for, with normalisation folded in.
    ///
    /// # Errors
    /// If it cannot be quantised, or is not valid, which is a fault of smidgen's.
    pub fn network(&self) -> Result<Network, Error> {
        match (&self.integer, &self.options.integers) {
            (Some(file), _) => integers::exported(&self.trainer, Network::from_tflite(file)?.graph()),
            (None, Some(integers)) => self.quantised(integers),
            (None, None) => self.float(),
        }
    }

    /// What the same training goes on from, as bytes: with [`restore`](Self::restore) it ends with the same bits.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = format!("{MAGIC}\n").into_bytes();
        for (what, value) in self.identity() {
            bytes.extend(format!("{what}: {value}\n").bytes());
        }
        bytes.push(b'\n');
        let log = format!("{} {}\n{}", self.spent().as_secs_f64(), self.time().is_some(), self.log);
        for part in [log.as_bytes(), self.integer.as_deref().unwrap_or_default()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        bytes.extend((self.passed as u64).to_le_bytes());
        if let Some(netaug) = &self.netaug {
            let part = netaug.checkpoint();
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
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
        let mut rest = &bytes[end + 2..];
        let mut part = || -> Option<&[u8]> {
            let (len, after) = rest.split_first_chunk::<8>()?;
            let (part, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
            rest = after;
            Some(part)
        };
        let (Some(log), Some(integer)) = (part(), part()) else { return Err(TrainingError::NoCheckpoint.into()) };
        let log = std::str::from_utf8(log).ok().and_then(|text| text.split_once('\n'));
        let (head, log) = log.ok_or(TrainingError::NoCheckpoint)?;
        let (spent, promised) = head.split_once(' ').ok_or(TrainingError::NoCheckpoint)?;
        let promised = promised.parse().map_err(|_| TrainingError::NoCheckpoint)?;
        let spent = spent.parse().ok().and_then(|spent| Duration::try_from_secs_f64(spent).ok());
        let spent = spent.ok_or(TrainingError::NoCheckpoint)?;
        let log: Log = log.parse()?;
        let (passed, mut state) = rest.split_first_chunk::<8>().ok_or(TrainingError::NoCheckpoint)?;
        if !integer.is_empty() {
            self.take_up(integer.to_vec())?;
        }
        if let Some(netaug) = &mut self.netaug {
            let (len, after) = state.split_first_chunk::<8>().ok_or(TrainingError::NoCheckpoint)?;
            let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| TrainingError::NoCheckpoint)?;
            let (part, after) = after.split_at_checked(len).ok_or(TrainingError::NoCheckpoint)?;
            netaug.restore(part)?;
            state = after;
        }
        self.trainer.restore(state)?;
        self.passed = u64::from_le_bytes(*passed) as usize;
        let taken = log.phase(usize::from(self.integer.is_some())).len();
        if taken as u64 != self.trainer.steps() || self.passed > self.options.epochs {
            return Err(TrainingError::NoCheckpoint.into());
        }
        (self.spent, self.begun, self.log) = (spent, Instant::now(), log);
        (self.promised, self.ahead) = (promised, Cell::new(None));
        Ok(())
    }

    /// What the result depends on besides the network.
    pub(crate) fn identity(&self) -> Vec<(&'static str, String)> {
        let Options { epochs, batch, rate, seed, augment, balance, .. } = self.options;
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        let integers = match &self.options.integers {
            Some(Integers { epochs, rate, range, weights }) => {
                format!("{epochs} epochs, rate {rate:?}, pixels {range:?}, weights {weights:?}")
            }
            None => "none".into(),
        };
        let mut all = vec![
            ("the number of epochs", epochs.to_string()),
            ("the batch", batch.to_string()),
            ("the rate", rate.to_string()),
            ("the seed", seed.to_string()),
            ("augmentation", augment.to_string()),
            ("balance", on(balance)),
            ("what is frozen", self.start.told_shares()),
            ("training with integers", integers),
            ("the number of samples", self.samples.len().to_string()),
            ("the hash of the samples", format!("{:016x}", self.samples.hash())),
        ];
        // Told where it is on, so that other checkpoints and logs stay what they are.
        if let Some(blocks) = &self.options.netaug {
            all.push(("augmentation of the network", format!("of {} blocks", blocks.len())));
        }
        all
    }

    /// The log as a file, for [`replay`](Self::check_replay).
    pub fn record(&self) -> String {
        let head: String = self.identity().iter().map(|(what, value)| format!("{what}: {value}\n")).collect();
        format!("{head}\n{}", self.log)
    }

    /// Checks that a log is of the same training.
    ///
    /// # Errors
    /// If it is of another one, with what differs.
    pub fn check_replay(&self, text: &str) -> Result<(), Error> {
        for (what, here) in self.identity() {
            let start = format!("{what}: ");
            let there = text.lines().find_map(|line| line.strip_prefix(&start)).ok_or(TrainingError::NoLog)?;
            if there != here {
                return Err(TrainingError::Checkpoint { what: what.into(), there: there.into(), here }.into());
            }
        }
        Ok(())
    }
}

/// Takes up to `steps` batches one after the other, until `take` gives an answer; where they have to be `read` from a
/// file, a thread makes them ahead.
fn ahead<'a, T>(
    steps: usize,
    read: bool,
    batch: &(dyn Fn(usize) -> Result<Taken<'a>, Error> + Sync),
    mut take: impl FnMut(Taken<'a>) -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    /// Batches that wait to be taken.
    const WAITING: usize = 2;
    let mut each = |batches: &mut dyn Iterator<Item = Result<Taken<'a>, Error>>| {
        for batch in batches {
            if let Some(answer) = take(batch?)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    };
    if !read {
        return each(&mut (0..steps).map(batch));
    }
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(WAITING);
        let making = std::thread::Builder::new().name("read ahead".into()).spawn_scoped(scope, move || {
            // Whoever stopped taking does not want to know.
            (0..steps).map(batch).try_for_each(|batch| send.send(batch).map_err(drop)).ok()
        });
        match making {
            Ok(_) => each(&mut receive.into_iter()),
            // Where no thread can be had, they are made when they are taken.
            Err(_) => each(&mut (0..steps).map(batch)),
        }
    })
}
