//! The stages of a search.

use super::clock::{Clock, Counts, Length, Stage};
use super::pool::Pool;
use super::state::{Folder, SpaceLine, State, StateError, SupernetEpoch};
use crate::error::Error;
use crate::search::Record;
use crate::train::augment::Augment;
use crate::train::{Epoch, Held, Log, Start, TrainingError};
use smidgen_search::{
    Budget, Candidate, Estimator, Evolution, EvolutionSettings, Scored, SearchError, Space, Supernet, SupernetSettings,
    Survey, Surveyed, survey,
};
use smidgen_train::{Block, NetAug, Report, Samples, Settings, Trainer};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How a search goes about its work.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// What networks may take.
    pub budget: Budget,
    /// How much is done.
    pub length: Length,
    /// What everything that is drawn follows from.
    pub seed: u64,
    /// Threads; the result does not depend on them.
    pub threads: usize,
    /// Most samples of a step.
    pub batch: usize,
    /// The greatest learning rate of the supernet.
    pub rate: f32,
    /// What happens to pictures from epoch to epoch.
    pub augment: Augment,
    /// Whether samples of rare classes are seen as often as those of frequent ones.
    pub balance: bool,
    /// Whether the network found is trained [as part of larger ones](NetAug).
    pub netaug: bool,
    /// What a clock has decided before, to decide alike.
    pub replay: Option<Record>,
}

/// What happens while a search goes on.
#[derive(Clone, Debug)]
pub enum Event {
    /// Of so many spaces so many were looked at.
    Surveyed {
        /// Spaces looked at.
        done: usize,
        /// Spaces in all.
        all: usize,
    },
    /// The space to search.
    Chosen {
        /// It.
        space: Space,
    },
    /// A step of the supernet is over.
    Step,
    /// An epoch of the supernet is over.
    Epoch {
        /// Its number, from 1 on.
        number: usize,
        /// Epochs in all, where that is known.
        all: Option<usize>,
        /// What it came to.
        epoch: SupernetEpoch,
    },
    /// A network was looked at.
    Evaluated {
        /// It.
        scored: Scored,
        /// How many were.
        done: usize,
        /// Networks in all, where that is known.
        all: Option<usize>,
    },
}

/// The network that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// It.
    pub scored: Scored,
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// What its training begins with: the weights that it has inherited.
    pub start: Start,
}

/// Networks of a space that are drawn before it is asked whether there is time for more.
const ROUND: usize = 20;
/// Networks of a space that are drawn at most, as published.
const MOST_DRAWS: usize = 1000;
/// Networks beside the largest that a step of the supernet trains.
const SUBNETS: usize = 3;
/// Part of the supernet's schedule in which the largest network is trained alone, so that its channels can be put in the
/// order of their importance.
const WARM_UP: f64 = 0.2;
/// Epochs that there must be time for, ...
const LEAST_EPOCHS: f64 = 20.0;
/// Time for which it is measured how long steps take.
const PROBED: Duration = Duration::from_millis(500);
/// ... or a so many times smaller number, if not even the smallest network could be trained for as many.
const FEWER: u64 = 5;
/// Time between checkpoints.
const OFTEN: Duration = Duration::from_secs(60);
/// Samples that go forward and backward together.
const SHARD: usize = crate::train::course::SHARD;

/// A search under way.
pub struct Search<'a> {
    options: Options,
    folder: Folder,
    state: State,
    clock: Clock,
    stop: &'a AtomicBool,
    tell: &'a (dyn Fn(Event) + Sync),
}

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("options", &self.options).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl<'a> Search<'a> {
    /// Begins in a folder, or goes on with what was begun there with the same options. `identity` is what the result depends
    /// on besides these.
    ///
    /// # Errors
    /// If what was begun there is another search, or damaged.
    pub fn open(
        folder: &Path,
        (options, identity): (Options, Vec<(String, String)>),
        (stop, tell): (&'a AtomicBool, &'a (dyn Fn(Event) + Sync)),
    ) -> Result<Self, Error> {
        let folder = Folder::new(folder);
        let identity = [identity, options.identity()].concat();
        let state = match folder.load()? {
            Some(state) => {
                check(&state.identity, &identity).map_err(|error| Error::from(error).at(&folder.state()))?;
                state
            }
            None => State::new(identity),
        };
        let limit = match options.length {
            Length::Time(limit) if options.replay.is_none() => Some(limit),
            _ => None,
        };
        let clock = Clock::new(limit, Duration::try_from_secs_f64(state.spent).unwrap_or_default());
        Ok(Self { options, folder, state, clock, stop, tell })
    }

    /// What was found out so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Time spent.
    pub fn spent(&self) -> Duration {
        self.clock.spent()
    }

    /// What networks may take, with what there is time to train.
    pub fn budget(&self) -> Budget {
        self.state.record.budget.unwrap_or(self.options.budget)
    }

    fn counts(&self) -> Option<Counts> {
        match self.options.length {
            Length::Counts(counts) => Some(counts),
            Length::Time(_) => None,
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        self.state.spent = self.clock.spent().as_secs_f64();
        self.folder.save(&self.state)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The first stage: the space to search. `samples` is how many there are to train on.
    ///
    /// # Errors
    /// If nothing fits, or it was interrupted.
    pub fn space(&mut self, spaces: &[Space], estimator: &dyn Estimator, samples: usize) -> Result<Space, Error> {
        if self.state.spaces.is_empty() {
            let budget = match &self.options.replay {
                Some(record) => record.budget.unwrap_or(self.options.budget),
                None => self.trainable(spaces, samples)?,
            };
            self.state.record.budget = Some(budget);
            let found = self.surveyed(spaces, &budget, estimator).map_err(|error| match error {
                // What only the time forbids is not the board's fault.
                Error::Search(SearchError::NothingFits(misfit)) if self.options.budget.admits(&misfit.smallest) => {
                    SearchError::NoTime { least: misfit.smallest.macs, macs: budget.macs.unwrap_or(0) }.into()
                }
                error => error,
            })?;
            let line = |looked: &Surveyed| SpaceLine {
                skeleton: looked.space.skeleton.name.to_owned(),
                width: looked.space.width,
                input: looked.space.input,
                drawn: looked.drawn,
                macs: looked.macs.clone(),
                exceeded: looked.exceeded,
                smallest: looked.smallest,
            };
            self.state.spaces = found.spaces.iter().map(line).collect();
            self.state.chosen = found.chosen;
            self.save()?;
        }
        let damaged = || Error::from(StateError::NO_STATE).at(&self.folder.state());
        let chosen = self.state.spaces.get(self.state.chosen).ok_or_else(damaged)?;
        let is = |space: &&Space| {
            space.skeleton.name == chosen.skeleton && space.width == chosen.width && space.input == chosen.input
        };
        let of_grid = spaces.iter().find(is);
        let space = of_grid.cloned().ok_or_else(damaged)?;
        (self.tell)(Event::Chosen { space: space.clone() });
        Ok(space)
    }

    /// What networks may take so that there is time to train the one that is found for some epochs: measured by steps of
    /// a network of the grid.
    fn trainable(&self, spaces: &[Space], samples: usize) -> Result<Budget, Error> {
        let budget = self.options.budget;
        let (Some(left), Some(probe)) = (self.clock.end(Stage::Training), spaces.get(spaces.len() / 2)) else {
            return Ok(budget);
        };
        let (net, blocks) = (probe.net(&probe.smallest())?, probe.blocks(&probe.smallest()));
        let (count, macs) = (2 * SHARD * self.options.threads, net.macs());
        let settings = Settings { batch: count, shard: SHARD, threads: self.options.threads, ..Settings::default() };
        let (inputs, labels) = (vec![0.5; count * net.input_len()], vec![0; count]);
        let mut trainer = Trainer::new(net, settings, self.options.seed)?;
        // The fastest of many: others may use the machine now and then.
        let (all, mut rate, mut repeated) = (Instant::now(), 0.0f64, 0);
        while repeated < 3 || all.elapsed() < PROBED.min(left.mul_f64(0.01)) {
            repeated += 1;
            let begun = Instant::now();
            trainer.differentiate(&Samples::new(trainer.net(), &inputs, &labels)?)?;
            rate = rate.max((count * macs) as f64 / begun.elapsed().as_secs_f64().max(1e-9));
        }
        let time = left.as_secs_f64() / 0.94 * Stage::Training.part();
        let augmented = if self.options.netaug { NetAug::cost(probe.input, &blocks, probe.classes)? } else { 0.0 };
        let macs = (time * rate / (LEAST_EPOCHS * (1.0 + augmented) * samples.max(1) as f64)) as u64;
        // Where there is no time for any, the smallest ones are trained for fewer epochs.
        let nets = spaces.iter().map(|space| Ok(space.net(&space.smallest())?.macs() as u64));
        let least = nets.collect::<Result<Vec<_>, Error>>()?.into_iter().min().unwrap_or(0);
        let macs = macs.max((least + least / 2).min(macs * FEWER));
        Ok(Budget { macs: Some(budget.macs.map_or(macs, |most| most.min(macs))), ..budget })
    }

    fn surveyed(&mut self, spaces: &[Space], budget: &Budget, estimator: &dyn Estimator) -> Result<Survey, Error> {
        let seed = self.options.seed;
        let (done, all) = (AtomicUsize::new(0), spaces.len());
        let each = || (self.tell)(Event::Surveyed { done: 1 + done.fetch_add(1, Ordering::Relaxed), all });
        let (within, watch) = ((budget, estimator), (&each as &(dyn Fn() + Sync), self.stop));
        let replayed = self.options.replay.as_ref().and_then(|record| record.draws);
        if let Some(draws) = replayed.or(self.counts().map(|counts| counts.draws)) {
            return Ok(survey(spaces, within, (draws, seed), watch)?);
        }
        // Twice as many, as long as there is time for as many again.
        let (mut draws, mut added) = (ROUND, ROUND);
        let mut begun = Instant::now();
        let mut found = survey(spaces, within, (draws, seed), watch)?;
        loop {
            let next = (2 * draws).min(MOST_DRAWS);
            let left = self.clock.left(Stage::Survey).unwrap_or_default();
            let needed = begun.elapsed().mul_f64((next - draws) as f64 / added as f64);
            if next == draws || needed > left {
                self.state.record.draws = Some(draws);
                return Ok(found);
            }
            begun = Instant::now();
            done.store(0, Ordering::Relaxed);
            found = found.extended(within, next, watch)?;
            (draws, added) = (next, next - draws);
        }
    }

    /// The second stage: the network, with the weights that it has inherited.
    ///
    /// # Errors
    /// If no network of the space keeps the budget, training diverges, or it was interrupted.
    pub fn find(&mut self, space: &Space, estimator: &dyn Estimator, samples: &Held) -> Result<Found, Error> {
        let Options { seed, threads, batch, rate, augment, balance, .. } = self.options;
        let batch = batch.min(samples.len().max(1));
        let training =
            Settings { batch, shard: SHARD.min(batch), threads: threads.max(1), rate, ..Settings::default() };
        let settings = SupernetSettings { training, subnets: SUBNETS, warm_up: WARM_UP, seed };
        let mut supernet = Supernet::new(space, settings)?;
        let pool = Pool::new(samples, (augment, balance), seed, batch);
        if self.state.steps > 0 {
            let path = self.folder.supernet();
            let checkpoint = crate::files::read(&path)?;
            let damaged = |_| Error::from(StateError::Damaged { what: "the supernet" }).at(&path);
            supernet.restore(&checkpoint).map_err(damaged)?;
            // A checkpoint may be younger than what stands beside it.
            self.state.steps = supernet.steps();
        } else {
            supernet.begin(&pool.calibration()?)?;
        }
        if !self.state.trained {
            self.train(&mut supernet, &pool)?;
        }
        self.evolve(space, (&mut supernet, &pool), estimator)
    }

    /// The time of the supernet's next step; `None` if there is none.
    fn supernet_time(&self, taken: u64, pool: &Pool) -> Option<f64> {
        if let Some(record) = &self.options.replay {
            return record.supernet.get(taken as usize).map(|&bits| f64::from_bits(bits));
        }
        match self.counts() {
            Some(counts) => {
                let all = (counts.supernet * pool.steps()) as u64;
                (taken < all).then(|| taken as f64 / all as f64)
            }
            None => {
                let end = self.clock.end(Stage::Supernet)?.as_secs_f64();
                let begun = self.clock.end(Stage::Survey)?.as_secs_f64().min(end);
                let time = (self.clock.spent().as_secs_f64() - begun) / (end - begun).max(1e-9);
                (taken == 0 || time < 1.0).then(|| time.clamp(0.0, 1.0))
            }
        }
    }

    fn train(&mut self, supernet: &mut Supernet, pool: &Pool) -> Result<(), Error> {
        let all = self.counts().map(|counts| counts.supernet);
        let steps = pool.steps();
        // Steps that were taken after the last checkpoint are taken again.
        self.state.record.supernet.truncate(supernet.steps() as usize);
        self.state.epochs.truncate(supernet.steps() as usize / steps);
        let mut saved = Instant::now();
        let (mut loss, mut correct, mut seen) = (0.0, 0, 0);
        let mut order = (usize::MAX, Vec::new());
        loop {
            let taken = supernet.steps();
            let Some(time) = self.supernet_time(taken, pool) else { break };
            let (epoch, step) = (taken as usize / steps, taken as usize % steps);
            if order.0 != epoch {
                order = (epoch, pool.order(epoch));
            }
            let report = supernet.step(&pool.step(&order.1, (epoch, step))?, time)?;
            if !report.loss.is_finite() {
                let (step, rate, option) = (taken + 1, self.options.rate, "--rate");
                return Err(TrainingError::Diverged { step, steps: None, epoch: epoch + 1, rate, option }.into());
            }
            self.state.record.supernet.push(time.to_bits());
            loss += report.loss * report.samples as f64;
            correct += report.correct;
            seen += report.samples;
            (self.tell)(Event::Step);
            if step + 1 == steps {
                let samples = seen.max(1) as f64;
                let ended = SupernetEpoch { loss: loss / samples, accuracy: correct as f64 / samples };
                self.state.epochs.push(ended);
                (loss, correct, seen) = (0.0, 0, 0);
                (self.tell)(Event::Epoch { number: epoch + 1, all, epoch: ended });
            }
            if saved.elapsed() > OFTEN || self.stopped() {
                self.keep(supernet)?;
                saved = Instant::now();
            }
            if self.stopped() {
                return Err(SearchError::Stopped.into());
            }
        }
        self.state.trained = true;
        self.keep(supernet)
    }

    fn keep(&mut self, supernet: &Supernet) -> Result<(), Error> {
        self.state.steps = supernet.steps();
        crate::files::write_atomically(&self.folder.supernet(), &supernet.checkpoint())?;
        self.save()
    }

    fn evolve(
        &mut self,
        space: &Space,
        (supernet, pool): (&mut Supernet, &Pool),
        estimator: &dyn Estimator,
    ) -> Result<Found, Error> {
        let (budget, seed) = (self.budget(), self.options.seed);
        let (calibration, compared) = (pool.calibration()?, pool.compared()?);
        let replayed = self.options.replay.as_ref().and_then(|record| record.evaluations);
        let counted = replayed.or(self.counts().map(|counts| counts.evaluations));
        let settings = match counted.or(self.state.record.evaluations) {
            Some(evaluations) => EvolutionSettings::for_evaluations(evaluations, seed),
            None => {
                // As many as there will be time for, by the first two.
                let begun = Instant::now();
                for candidate in [space.smallest(), space.largest()] {
                    supernet.evaluate(&candidate, &calibration, &compared)?;
                }
                let each = begun.elapsed().as_secs_f64() / 2.0;
                let left = self.clock.left(Stage::Evolution).unwrap_or_default().as_secs_f64();
                let evaluations = ((left / each.max(1e-6)) as usize).clamp(8, 3000);
                self.state.record.evaluations = Some(evaluations);
                self.save()?;
                EvolutionSettings::for_evaluations(evaluations, seed)
            }
        };
        // A clock may have cut the number of evaluations since, from which another population would follow.
        let known = self.options.replay.as_ref().map_or(self.state.record.population, |record| record.population);
        let settings = known.map_or(settings, |population| settings.of_population(population));
        self.state.record.population = Some(settings.population);
        if self.state.seen.iter().any(|scored| !scored.candidate.is_of(space)) {
            return Err(Error::from(StateError::NO_STATE).at(&self.folder.state()));
        }
        let mut evolution = Evolution::new(settings, self.state.seen.clone());
        let admitted = |candidate: &Candidate| space.admitted(candidate, &budget, estimator);
        let mut saved = Instant::now();
        while !self.state.found {
            let Some((candidate, figures)) = evolution.next(space, &admitted)? else { break };
            let Report { correct, samples, .. } = supernet.evaluate(&candidate, &calibration, &compared)?;
            let scored = Scored { candidate, figures, correct, samples };
            evolution.tell(scored.clone());
            self.state.seen.push(scored.clone());
            let (done, all) = (evolution.seen().len(), Some(evolution.evaluations()));
            (self.tell)(Event::Evaluated { scored, done, all });
            // What was estimated may have been too much.
            let late = replayed.is_none() && self.clock.is_over(Stage::Evolution) && done >= 8;
            if late {
                self.state.record.evaluations = Some(done);
                evolution.end();
            }
            if saved.elapsed() > OFTEN || self.stopped() {
                self.save()?;
                saved = Instant::now();
            }
            if self.stopped() {
                return Err(SearchError::Stopped.into());
            }
        }
        self.state.found = true;
        self.save()?;
        let scored = evolution.best().cloned().ok_or(SearchError::NoneDrawn)?;
        let (net, parameters, state) = supernet.extract(&scored.candidate, &calibration)?;
        let mut start = Start::of_net(net, seed)?;
        (start.parameters, start.state) = (parameters, state);
        let blocks = space.blocks(&scored.candidate);
        Ok(Found { scored, blocks, start })
    }

    /// The time that the training of the network found has; `None` where it is counted in epochs.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub fn training_time(&mut self) -> Result<Option<Duration>, Error> {
        if self.state.training.is_none()
            && let Some(left) = self.clock.left(Stage::Training)
        {
            // Some, however late it has become.
            self.state.training = Some(left.as_secs_f64().max(1.0));
            self.save()?;
        }
        Ok(self.state.training.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// The steps of the training that is to be repeated.
    ///
    /// # Errors
    /// If there is no log of them.
    pub fn training_replay(&self) -> Result<Option<Log>, Error> {
        let text = self.options.replay.as_ref().and_then(|record| record.training.as_deref());
        Ok(text.map(Log::of_file).transpose()?)
    }

    /// An epoch of the training of the network found is over; it is kept with the next checkpoint.
    pub fn trained(&mut self, epoch: Epoch) {
        // One that was trained before an interruption, after the last checkpoint, is trained again.
        self.state.trained_epochs.truncate(epoch.number.saturating_sub(1));
        self.state.trained_epochs.push(epoch);
    }

    /// Keeps where the training of the network found goes on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_training(&mut self, checkpoint: &[u8]) -> Result<(), Error> {
        // What its epochs came to first: they may be ahead of the checkpoint, but none must be missing.
        self.save()?;
        crate::files::write_atomically(&self.folder.training(), checkpoint)?;
        Ok(())
    }

    /// Ends: what a clock has decided, with the log of the training.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub fn end(&mut self, training: String) -> Result<Record, Error> {
        self.state.record.training = Some(training);
        if self.state.record.evaluations.is_none() {
            self.state.record.evaluations = Some(self.state.seen.len());
        }
        self.save()?;
        Ok(self.state.record.clone())
    }

    /// Share of the test samples that the network found was right about before it was trained with its integers.
    pub fn float_accuracy(&self) -> Option<f64> {
        self.state.trained_epochs.iter().rev().find(|epoch| !epoch.knowing)?.tested
    }

    /// Those of the networks looked at that no other one beats.
    pub fn front(&self) -> Vec<Scored> {
        let settings = EvolutionSettings::default();
        Evolution::new(settings, self.state.seen.clone()).front().into_iter().cloned().collect()
    }
}

impl Options {
    fn identity(&self) -> Vec<(String, String)> {
        let length = match self.length {
            Length::Time(limit) => format!("{} seconds", limit.as_secs_f64()),
            Length::Counts(Counts { draws, supernet, evaluations, epochs }) => format!(
                "{draws} networks of each space, {supernet} epochs of the supernet, {evaluations} networks compared, \
                 {epochs} epochs"
            ),
        };
        let all = [
            ("the budget", self.budget.to_string()),
            ("the length", length),
            ("the seed", self.seed.to_string()),
            ("the batch", self.batch.to_string()),
            ("the rate", self.rate.to_string()),
            ("augmentation", self.augment.to_string()),
            ("balance", if self.balance { "on" } else { "off" }.to_owned()),
            ("augmentation of the network", if self.netaug { "on" } else { "off" }.to_owned()),
        ];
        all.map(|(what, value)| (what.to_owned(), value)).to_vec()
    }
}

/// Fails where two searches are not the same.
fn check(there: &[(String, String)], here: &[(String, String)]) -> Result<(), StateError> {
    for ((what, here), (name, there)) in here.iter().zip(there) {
        if what != name {
            break;
        }
        if here != there {
            return Err(StateError::Other { what: what.clone(), there: there.clone(), here: here.clone() });
        }
    }
    let alike = here.iter().map(|(what, _)| what).eq(there.iter().map(|(what, _)| what));
    if alike { Ok(()) } else { Err(StateError::NO_STATE) }
}
