//! Steps of training: the batch cut into shards, these worked on by threads, their gradients added in order, the
//! parameters updated.
//!
//! A shard's result depends on nothing but the shard, and results are added in the order of the shards: the same bits
//! for any number of threads. No thread waits for another before the end of the step.

use crate::batch::Batch;
use crate::error::TrainError;
use crate::graph::folded;
use crate::loss;
use crate::net::{Affine, Net, Parameter, Role};
use crate::pass::{EPSILON, Shared, Statistics};
use crate::settings::{Optimiser, Settings};
use crate::simd;
use crate::worker::{PackedNet, ShardResult, Worker};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a step or an evaluation saw.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Report {
    /// Samples.
    pub samples: usize,
    /// Their mean loss; in training, of the parameters before the step.
    pub loss: f64,
    /// Samples whose greatest output, the first of equal ones, is their label's.
    pub correct: usize,
}

/// A network with its parameters, and what it takes to train them.
///
/// All memory is allocated, and all threads are started, when it is made.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) net: Net,
    pub(crate) settings: Settings,
    pub(crate) parameters: Vec<f32>,
    pub(crate) state: Vec<f32>,
    /// Momentum, or the mean of gradients.
    pub(crate) first: Vec<f32>,
    /// Mean of squared gradients; empty without need.
    pub(crate) second: Vec<f32>,
    /// Moving average of the parameters, then of the state; empty if none is kept.
    pub(crate) average: Vec<f32>,
    pub(crate) step: u64,
    pub(crate) seed: u64,
    /// The learning rate of each tensor of parameters, as a share of that of all.
    shares: Vec<f32>,
    /// The parameters as they are used, where that is not as they are: rounded; else empty.
    effective: Vec<f32>,
    /// The weights of these parameters are packed, or none.
    packed: PackedNet,
    current: bool,
    workers: Vec<Mutex<Worker>>,
    /// A thread for each worker, if there are several; they wait for the next step where they are.
    pool: Option<ThreadPool>,
    results: Vec<Mutex<ShardResult>>,
    gradient: Vec<f32>,
}

impl Trainer {
    /// Makes the buffers, and initial parameters from `seed`.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(net: Net, settings: Settings, seed: u64) -> Result<Self, TrainError> {
        settings.check()?;
        let shards = settings.batch.div_ceil(settings.shard);
        let threads = settings.threads.min(shards);
        let capacity = settings.shard.min(settings.batch);
        let parameters = net.initial_parameters(seed);
        let state = net.initial_state();
        let count = parameters.len();
        let shares = shares(&net);
        let effective = if net.is_quantised() { parameters.clone() } else { Vec::new() };
        let second = if matches!(settings.optimiser, Optimiser::AdamW { .. }) { count } else { 0 };
        let average = if settings.average.is_some() { [&parameters[..], &state].concat() } else { Vec::new() };
        let pool = || ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("train {i}")).build();
        // Where no threads can be had, the caller's does all the work: with the same bits.
        let pool = if threads > 1 { pool().ok() } else { None };
        Ok(Self {
            pool,
            parameters,
            state,
            first: vec![0.0; count],
            second: vec![0.0; second],
            average,
            step: 0,
            seed,
            shares,
            effective,
            packed: PackedNet::new(&net),
            current: false,
            workers: (0..threads).map(|_| Mutex::new(Worker::new(&net, capacity))).collect(),
            results: (0..shards).map(|_| Mutex::new(shard_result(&net, capacity))).collect(),
            gradient: vec![0.0; count],
            net,
            settings,
        })
    }

    /// The network.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The parameters, laid out as [`Net::parameters`] says.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// The normalisations' running means and variances.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// Parameters and state of the moving average, if one is kept.
    pub fn average(&self) -> Option<(&[f32], &[f32])> {
        (!self.average.is_empty()).then(|| self.average.split_at(self.parameters.len()))
    }

    /// The gradient of the last step, before clipping.
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The same, to add to it before it is [followed](Self::follow).
    pub fn gradient_mut(&mut self) -> &mut [f32] {
        &mut self.gradient
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The seed of the initial parameters.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Replaces parameters and state; a moving average begins anew from them.
    ///
    /// # Errors
    /// If their sizes are not the network's.
    pub fn set_parameters(&mut self, parameters: &[f32], state: &[f32]) -> Result<(), TrainError> {
        self.net.check_sizes(parameters, state)?;
        self.parameters.copy_from_slice(parameters);
        self.state.copy_from_slice(state);
        if !self.average.is_empty() {
            let (p, s) = self.average.split_at_mut(self.parameters.len());
            p.copy_from_slice(parameters);
            s.copy_from_slice(state);
        }
        self.current = false;
        Ok(())
    }

    /// Gives each tensor of parameters a share of the learning rate; 0 freezes it: it does not even decay.
    ///
    /// # Errors
    /// If there are not as many as [`Net::parameters`], or one is not a number from 0 on.
    pub fn set_shares(&mut self, shares: &[f32]) -> Result<(), TrainError> {
        if shares.len() != self.shares.len() {
            let (given, expected) = (shares.len(), self.shares.len());
            return Err(TrainError::Size { what: "the shares of the learning rate", given, expected });
        }
        if let Some(share) = shares.iter().find(|share| !(share.is_finite() && **share >= 0.0)) {
            return Err(TrainError::Setting {
                setting: "a share of the learning rate",
                value: share.to_string(),
                reason: "it must be at least 0",
            });
        }
        // What is frozen stays so.
        self.shares.iter_mut().zip(shares).filter(|(own, _)| **own != 0.0).for_each(|(own, share)| *own = *share);
        Ok(())
    }

    /// The parameters were replaced: pack them anew before they are used.
    pub(crate) fn forget_packed(&mut self) {
        self.current = false;
    }

    /// Goes on with another network and its parameters, with the threads and the memory that there are: for networks that
    /// are part of one. Momentum and the moving average begin anew, and shares of the learning rate are 1.
    ///
    /// # Errors
    /// If the sizes of parameters or state are not the network's.
    pub fn replace(&mut self, net: Net, parameters: Vec<f32>, state: Vec<f32>) -> Result<(), TrainError> {
        net.check_sizes(&parameters, &state)?;
        let capacity = self.settings.shard.min(self.settings.batch);
        self.workers.iter_mut().for_each(|worker| exclusive(worker).fit(&net));
        self.results.iter_mut().for_each(|result| exclusive(result).fit(&net, capacity));
        let count = net.parameter_count;
        self.effective = if net.is_quantised() { parameters.clone() } else { Vec::new() };
        if self.settings.average.is_some() {
            self.average = [&parameters[..], &state].concat();
        }
        let second = if self.second.is_empty() { 0 } else { count };
        for (moments, len) in [(&mut self.first, count), (&mut self.second, second)] {
            moments.clear();
            moments.resize(len, 0.0);
        }
        self.gradient.resize(count, 0.0);
        self.shares = shares(&net);
        self.packed = PackedNet::new(&net);
        (self.net, self.parameters, self.state) = (net, parameters, state);
        (self.step, self.current) = (0, false);
        Ok(())
    }

    /// Changes the parameters, and whatever is kept of each (momentum, squares, the moving average), alike: to put
    /// channels in another order.
    pub fn rearrange(&mut self, change: &dyn Fn(&mut [f32])) {
        let count = self.parameters.len();
        change(&mut self.parameters);
        for kept in [&mut self.first, &mut self.second, &mut self.average] {
            if let Some(kept) = kept.get_mut(..count) {
                change(kept);
            }
        }
        self.current = false;
    }

    /// The outputs of the last batch whose gradient was computed, `[samples, classes]`, as probabilities.
    pub fn probabilities(&mut self, samples: usize, into: &mut Vec<f32>) {
        let (shard, classes) = (self.settings.shard, self.net.output_len());
        into.clear();
        for (k, result) in self.results.iter_mut().take(samples.div_ceil(shard)).enumerate() {
            let count = shard.min(samples - k * shard);
            into.extend_from_slice(&exclusive(result).logits[..count * classes]);
        }
        into.chunks_exact_mut(classes).for_each(loss::softmax);
    }

    /// Takes one step: the gradient of the batch's mean loss at `time` of the schedule (0 to 1), and the update.
    ///
    /// # Errors
    /// If the batch is empty or larger than the settings say, or a label is no class; nothing is changed then.
    pub fn step(&mut self, batch: &dyn Batch, time: f64) -> Result<Report, TrainError> {
        let report = self.differentiate(batch)?;
        self.follow(report.samples, time);
        Ok(report)
    }

    /// Follows the gradient of the last batch, of so many samples, at `time` of the schedule: the second half of a
    /// [step](Self::step).
    pub fn follow(&mut self, samples: usize, time: f64) {
        self.update(samples, self.settings.rate * self.settings.schedule.at(time));
    }

    /// Computes the gradient of the batch's mean loss, and changes nothing else.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn differentiate(&mut self, batch: &dyn Batch) -> Result<Report, TrainError> {
        let samples = batch.samples();
        if samples == 0 || samples > self.settings.batch {
            return Err(TrainError::Size { what: "the batch", given: samples, expected: self.settings.batch });
        }
        self.pack();
        let shards = samples.div_ceil(self.settings.shard);
        let shared = self.shared(Statistics::Batch);
        let loss = self.settings.loss;
        self.each_shard(batch, |n, taught, worker, result| shared.step(n, samples, &loss, taught, worker, result));
        let report = self.report(samples)?;
        // A stretch at a time, which stays in cache.
        const STRETCH: usize = 2048;
        for (k, sum) in self.gradient.chunks_mut(STRETCH).enumerate() {
            for (shard, result) in self.results[..shards].iter_mut().enumerate() {
                let part = &exclusive(result).gradient[k * STRETCH..][..sum.len()];
                match shard {
                    0 => sum.copy_from_slice(part),
                    _ => simd::sum_into(self.settings.isa, part, sum),
                }
            }
        }
        Ok(report)
    }

    /// Evaluates samples with the running means and variances: any number of them.
    ///
    /// # Errors
    /// If a label is no class.
    pub fn evaluate(&mut self, batch: &dyn Batch) -> Result<Report, TrainError> {
        self.pack();
        let mut report = Report { samples: batch.samples(), ..Report::default() };
        for first in (0..batch.samples()).step_by(self.settings.batch) {
            let count = self.settings.batch.min(batch.samples() - first);
            let part = Part { batch, first, count };
            let shared = self.shared(Statistics::Running);
            let loss = crate::loss::Loss { smoothing: 0.0, distillation: 0.0 };
            self.each_shard(&part, |n, _, worker, result| shared.evaluate(n, &loss, worker, result));
            let seen = self.report(count)?;
            report.loss += seen.loss * count as f64;
            report.correct += seen.correct;
        }
        report.loss /= report.samples.max(1) as f64;
        Ok(report)
    }

    /// Makes the normalisations' running means and variances those of samples, and their factors and summands such that
    /// no output changes: for a network that [had none](Net::normalised_from_graph). A moving average begins anew.
    ///
    /// # Errors
    /// If the batch is empty.
    pub fn settle(&mut self, batch: &dyn Batch) -> Result<(), TrainError> {
        let sums = self.moments(batch, Statistics::Observed)?;
        let (mut parameters, mut state) = (self.parameters.clone(), self.state.clone());
        for node in &self.net.nodes {
            let (c, Affine::Norm { scale, shift, state: at }) = (node.channels(), node.affine) else { continue };
            let Some((a, b)) = folded(node.affine, c, &self.parameters, &self.state) else { continue };
            for j in 0..c {
                let mean = sums[at + j] as f32;
                let variance = (sums[at + c + j] - f64::from(mean) * f64::from(mean)).max(0.0) as f32;
                state[at + j] = mean;
                state[at + c + j] = variance;
                parameters[scale + j] = (a[j] * (f64::from(variance) + EPSILON).sqrt()) as f32;
                parameters[shift + j] = (b[j] + a[j] * f64::from(mean)) as f32;
            }
        }
        self.set_parameters(&parameters, &state)
    }

    /// Makes the normalisations' running means and variances the mean of those that shards of these samples have: after
    /// short or fast training they lag behind the weights.
    ///
    /// # Errors
    /// If the batch is empty.
    pub fn recalibrate(&mut self, batch: &dyn Batch) -> Result<(), TrainError> {
        let moments = self.moments(batch, Statistics::Batch)?;
        self.state.iter_mut().zip(moments).for_each(|(own, moment)| *own = moment as f32);
        Ok(())
    }

    /// The moments of all samples, laid out as the state, each shard with its share of the samples.
    fn moments(&mut self, batch: &dyn Batch, statistics: Statistics) -> Result<Vec<f64>, TrainError> {
        let samples = batch.samples();
        if samples == 0 {
            return Err(TrainError::Size { what: "the batch", given: samples, expected: self.settings.batch });
        }
        self.pack();
        let mut sums = vec![0.0; self.state.len()];
        for first in (0..samples).step_by(self.settings.batch) {
            let count = self.settings.batch.min(samples - first);
            let shared = self.shared(statistics);
            let part = Part { batch, first, count };
            self.each_shard(&part, |n, _, worker, result| shared.forward(n, worker, &mut result.moments));
            for (k, result) in self.results.iter_mut().take(count.div_ceil(self.settings.shard)).enumerate() {
                let share = self.settings.shard.min(count - k * self.settings.shard) as f64 / samples as f64;
                let moments = &exclusive(result).moments;
                sums.iter_mut().zip(moments).for_each(|(sum, &moment)| *sum += share * f64::from(moment));
            }
        }
        Ok(sums)
    }

    /// The outputs for inputs one after another, with the running means and variances.
    ///
    /// # Errors
    /// If the inputs are no whole number of samples.
    pub fn predict(&mut self, inputs: &[f32]) -> Result<Vec<f32>, TrainError> {
        let (len, outputs) = (self.net.input_len(), self.net.output_len());
        if !inputs.len().is_multiple_of(len) {
            return Err(TrainError::Size { what: "the input", given: inputs.len(), expected: len });
        }
        self.pack();
        let mut predicted = Vec::with_capacity(inputs.len() / len * outputs);
        let mut worker = lock(&self.workers[0]);
        let shared = self.shared(Statistics::Running);
        for part in inputs.chunks(worker.capacity * len) {
            let n = part.len() / len;
            worker.z[0][..part.len()].copy_from_slice(part);
            shared.forward(n, &mut worker, &mut []);
            predicted.extend_from_slice(&worker.logits[..n * outputs]);
        }
        drop(worker);
        Ok(predicted)
    }

    fn pack(&mut self) {
        if !self.current {
            if self.net.is_quantised() {
                self.effective.copy_from_slice(&self.parameters);
                self.net.quantised.iter().for_each(|layer| layer.round(&self.parameters, &mut self.effective));
            }
            let used = if self.effective.is_empty() { &self.parameters } else { &self.effective };
            self.packed.update(&self.net, used);
            self.current = true;
        }
    }

    fn shared(&self, statistics: Statistics) -> Shared<'_> {
        Shared {
            net: &self.net,
            isa: self.settings.isa,
            parameters: if self.effective.is_empty() { &self.parameters } else { &self.effective },
            state: &self.state,
            packed: &self.packed,
            statistics,
        }
    }

    /// Runs `work` on each shard of the batch, on as many threads as the settings say.
    fn each_shard(&self, batch: &dyn Batch, work: impl Fn(usize, bool, &mut Worker, &mut ShardResult) + Sync) {
        let (samples, shard) = (batch.samples(), self.settings.shard);
        let shards = samples.div_ceil(shard);
        let next = AtomicUsize::new(0);
        let run = |worker: &Mutex<Worker>| {
            let mut worker = lock(worker);
            loop {
                let k = next.fetch_add(1, Ordering::Relaxed);
                if k >= shards {
                    break;
                }
                let (first, last) = (k * shard, samples.min((k + 1) * shard));
                let taught = self.load(batch, first, last, &mut worker);
                work(last - first, taught, &mut worker, &mut lock(&self.results[k]));
            }
        };
        match &self.workers[..self.workers.len().min(shards)] {
            [] => {}
            [only] => run(only),
            several => match &self.pool {
                Some(pool) => {
                    // A step with fewer shards than threads leaves some idle.
                    pool.broadcast(|thread| several.get(thread.index()).map(run));
                }
                None => several.iter().for_each(run),
            },
        }
    }

    /// Fetches samples into a worker; whether they have a teacher.
    fn load(&self, batch: &dyn Batch, first: usize, last: usize, worker: &mut Worker) -> bool {
        let (input, classes) = (self.net.input_len(), self.net.output_len());
        let mut taught = false;
        for s in first..last {
            let at = s - first;
            batch.input(s, &mut worker.z[0][at * input..][..input]);
            worker.labels[at] = batch.label(s);
            taught = batch.teacher(s, &mut worker.teacher[at * classes..][..classes]);
        }
        taught
    }

    /// Adds up what the shards of `samples` samples saw.
    fn report(&mut self, samples: usize) -> Result<Report, TrainError> {
        let (shard, classes) = (self.settings.shard, self.net.output_len());
        let mut report = Report { samples, ..Report::default() };
        for (k, result) in self.results.iter_mut().take(samples.div_ceil(shard)).enumerate() {
            let result = exclusive(result);
            if let Some((at, label)) = result.foreign {
                return Err(TrainError::Label { sample: k * shard + at, label, classes });
            }
            report.loss += result.loss;
            report.correct += result.correct;
        }
        report.loss /= samples as f64;
        Ok(report)
    }

    /// Follows the gradient.
    fn update(&mut self, samples: usize, rate: f32) {
        let isa = self.settings.isa;
        let scale = match self.settings.clip {
            Some(most) => clip(&self.gradient, most),
            None => 1.0,
        };
        self.step += 1;
        let all = rate;
        for (parameter, &share) in self.net.parameters.iter().zip(&self.shares) {
            if share == 0.0 {
                continue;
            }
            let (range, rate) = (parameter.range(), all * share);
            let decay = if parameter.role == Role::Weight { self.settings.decay } else { 0.0 };
            let (p, g) = (&mut self.parameters[range.clone()], &self.gradient[range.clone()]);
            let first = &mut self.first[range.clone()];
            match self.settings.optimiser {
                Optimiser::Sgd { momentum } => simd::sgd(isa, simd::Sgd { rate, momentum, decay, scale }, p, g, first),
                Optimiser::AdamW { beta1, beta2, epsilon } => {
                    let left = |beta: f32| 1.0 - libm::pow(f64::from(beta), self.step as f64);
                    let by = simd::Adam {
                        rate: (f64::from(rate) / left(beta1)) as f32,
                        keep: 1.0 - rate * decay,
                        beta1,
                        beta2,
                        correction: (1.0 / left(beta2).sqrt()) as f32,
                        epsilon,
                        scale,
                    };
                    simd::adam(isa, by, p, g, first, &mut self.second[range]);
                }
            }
        }
        self.follow_moments(samples);
        if let Some(decay) = self.settings.average {
            let (p, s) = self.average.split_at_mut(self.parameters.len());
            simd::average(isa, 1.0 - decay, &self.parameters, p);
            simd::average(isa, 1.0 - decay, &self.state, s);
        }
        self.current = false;
    }

    /// Takes over parameters that a step of another network has changed, after the gradient of this network's last batch,
    /// of so many samples, was part of that step: it counts as one of this network's.
    pub(crate) fn follow_others(&mut self, samples: usize, parameters: &[f32]) {
        self.step += 1;
        self.parameters.copy_from_slice(parameters);
        self.follow_moments(samples);
        if let Some(decay) = self.settings.average {
            let (p, s) = self.average.split_at_mut(self.parameters.len());
            simd::average(self.settings.isa, 1.0 - decay, &self.parameters, p);
            simd::average(self.settings.isa, 1.0 - decay, &self.state, s);
        }
        self.current = false;
    }

    /// Means and variances of the step are the shards' averages; the first steps are averaged among themselves.
    fn follow_moments(&mut self, samples: usize) {
        let shards = samples.div_ceil(self.settings.shard);
        let share = self.settings.norm_share.max(1.0 / self.step as f32);
        for (i, s) in self.state.iter_mut().enumerate() {
            let sum: f64 = self.results[..shards].iter_mut().map(|r| f64::from(exclusive(r).moments[i])).sum();
            *s += share * ((sum / shards as f64) as f32 - *s);
        }
    }
}

/// Buffers for a shard's result.
fn shard_result(net: &Net, capacity: usize) -> ShardResult {
    let mut result = ShardResult::default();
    result.fit(net, capacity);
    result
}

/// For each tensor of parameters, its share of the learning rate. Slopes stay what an integer network has: they are
/// stored as other constants are.
fn shares(net: &Net) -> Vec<f32> {
    let kept = |(i, p): (usize, &Parameter)| {
        net.frozen.get(i).copied().unwrap_or(false) || net.is_quantised() && p.role == Role::Slope
    };
    net.parameters.iter().enumerate().map(|p| if kept(p) { 0.0 } else { 1.0 }).collect()
}

/// The factor that brings a gradient to this norm, if it is longer. A gradient that is not finite is left as it is.
fn clip(gradient: &[f32], most: f32) -> f32 {
    let square: f64 = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
    let norm = square.sqrt();
    if norm > f64::from(most) && norm.is_finite() { (f64::from(most) / norm) as f32 } else { 1.0 }
}

/// Some samples of a batch.
struct Part<'a> {
    batch: &'a dyn Batch,
    first: usize,
    count: usize,
}

impl Batch for Part<'_> {
    fn samples(&self) -> usize {
        self.count
    }

    fn input(&self, sample: usize, into: &mut [f32]) {
        self.batch.input(self.first + sample, into);
    }

    fn label(&self, sample: usize) -> u32 {
        self.batch.label(self.first + sample)
    }
}

/// A lock that a panic elsewhere does not spoil: what it guards is written anew before it is read.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a lock guards, without locking.
fn exclusive<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
}
