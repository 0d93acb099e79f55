//! A network whose parts are all networks of a space: one training for all of them.
//!
//! A step trains the largest network on the whole batch, and smaller ones on parts of it: the smallest, and some that are
//! drawn ("sandwich rule", Yu and Huang 2019, "Universally slimmable networks"). What the largest says of the samples is
//! part of their targets (in-place distillation, the same). All gradients are added up before the step is taken.

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::space::Space;
use smidgen_train::{Batch, ChannelOrder, Net, Random, Report, Settings, Share, TrainError, Trainer};

/// How a supernet is trained.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SupernetSettings {
    /// The largest network's training.
    pub training: Settings,
    /// Networks beside the largest in a step, the smallest among them.
    pub subnets: usize,
    /// Until this part of the schedule is over, from 0 to 1, the largest network is trained alone; then its channels are
    /// [sorted](Supernet::sort).
    pub warm_up: f64,
    /// What is drawn follows from it.
    pub seed: u64,
}

/// The weights that all networks of a space share.
#[derive(Debug)]
pub struct Supernet {
    space: Space,
    /// The largest network: it holds the parameters.
    largest: Trainer,
    /// Whatever smaller network is at work.
    subnet: Trainer,
    settings: SupernetSettings,
    teacher: Vec<f32>,
    /// Channels are in their order.
    sorted: bool,
}

/// A network of a space, with what it shares.
fn network(space: &Space, candidate: &Candidate) -> Result<(Net, Vec<usize>), SearchError> {
    let places = space.placed_blocks(candidate).into_iter().map(|(place, _)| place).collect();
    Ok((space.net(candidate)?, places))
}

impl Supernet {
    /// With fresh weights.
    ///
    /// # Errors
    /// If a setting is out of its range, or the space has no pixels.
    pub fn new(space: &Space, settings: SupernetSettings) -> Result<Self, SearchError> {
        let largest = space.union()?;
        let (smallest, _) = network(space, &space.smallest())?;
        let training = settings.training;

        Ok(Self {
            space: space.clone(),
            largest: Trainer::new(largest, training, settings.seed)?,
            subnet: Trainer::new(smallest, training, settings.seed)?,
            settings,
            teacher: Vec::new(),
            sorted: settings.warm_up <= 0.0,
        })
    }

    /// Begins with the weights of a pretrained network, if the space is one of its cuts; the means and variances of its
    /// normalisations are those of the samples, so that it computes what that network does.
    ///
    /// # Errors
    /// If there are no samples.
    pub fn begin(&mut self, samples: &dyn Batch) -> Result<(), SearchError> {
        let Some(parameters) = self.space.pretrained(self.settings.seed)? else { return Ok(()) };
        let state = self.largest.net().initial_state();
        self.largest.set_parameters(&parameters, &state)?;
        Ok(self.largest.settle(samples)?)
    }

    /// The space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.largest.steps()
    }

    /// What the next step trains beside the largest network.
    fn subnets(&self) -> Vec<Candidate> {
        let mut random = Random::new(Random::new(self.settings.seed ^ 0x5eed).bits() ^ self.steps());
        let drawn = (1..self.settings.subnets).map(|_| Candidate::draw(&self.space, &mut random));
        let smallest = (self.settings.subnets > 0).then(|| self.space.smallest());
        smallest.into_iter().chain(drawn.collect::<Vec<_>>()).collect()
    }

    /// Takes a step at `time` of the schedule, from 0 to 1; what the largest network saw.
    ///
    /// # Errors
    /// If the batch is empty or larger than the settings say, or a label is no class.
    pub fn step(&mut self, batch: &dyn Batch, time: f64) -> Result<Report, SearchError> {
        let alone = time < self.settings.warm_up;
        if !alone && !self.sorted {
            self.sort();
            self.sorted = true;
        }
        let report = self.largest.differentiate(batch)?;
        if alone {
            self.largest.follow(report.samples, time);
            return Ok(report);
        }
        let subnets = self.subnets();
        let classes = self.space.classes;
        self.largest.probabilities(report.samples, &mut self.teacher);
        // Each smaller network has its part of the samples, and the same say as the largest.
        let parts = subnets.len().max(1);
        for (k, subnet) in subnets.iter().enumerate() {
            let (first, last) = (report.samples * k / parts, report.samples * (k + 1) / parts);
            if first == last {
                continue;
            }
            let share = self.take_up(subnet)?;
            let taught = Taught { batch, first, count: last - first, teacher: &self.teacher, classes };
            self.subnet.differentiate(&taught)?;
            share.add(1.0, self.subnet.gradient(), self.largest.gradient_mut());
        }
        // The mean of all, so that the rate is that of one network.
        let all = 1.0 / (subnets.len() + 1) as f32;
        self.largest.gradient_mut().iter_mut().for_each(|g| *g *= all);
        self.largest.follow(report.samples, time);
        Ok(report)
    }

    /// Makes a candidate with the shared weights the network at work.
    fn take_up(&mut self, candidate: &Candidate) -> Result<Share, SearchError> {
        let (net, places) = network(&self.space, candidate)?;
        let share = Share::new(self.largest.net(), &net, &places);
        let (parameters, state) = (share.gather(self.largest.parameters()), vec![0.0; net.state_count()]);
        self.subnet.replace(net, parameters, state)?;
        Ok(share)
    }

    /// How often a candidate is right with the weights that it shares, after its normalisations' means and variances were
    /// counted on other samples.
    ///
    /// # Errors
    /// If there are no samples, or a label is no class.
    pub fn evaluate(
        &mut self,
        candidate: &Candidate,
        calibration: &dyn Batch,
        validation: &dyn Batch,
    ) -> Result<Report, SearchError> {
        self.take_up(candidate)?;
        self.subnet.recalibrate(calibration)?;
        Ok(self.subnet.evaluate(validation)?)
    }

    /// A candidate as a network of its own: with the parameters that it shares, and the means and variances that these
    /// samples have there.
    ///
    /// # Errors
    /// If there are no samples.
    pub fn extract(
        &mut self,
        candidate: &Candidate,
        calibration: &dyn Batch,
    ) -> Result<(Net, Vec<f32>, Vec<f32>), SearchError> {
        self.take_up(candidate)?;
        self.subnet.recalibrate(calibration)?;
        let subnet = &self.subnet;
        Ok((subnet.net().clone(), subnet.parameters().to_vec(), subnet.state().to_vec()))
    }

    /// Puts the middle channels of every block in the order of their importance. No output of the largest network changes;
    /// smaller ones have the channels that matter most. The largest network's own means and variances are no longer those
    /// of its channels.
    pub fn sort(&mut self) {
        self.orders().iter().for_each(|order| order.apply(&mut self.largest));
    }

    fn orders(&self) -> Vec<ChannelOrder> {
        // The block behind the stem reads its channels, which are not searched.
        ChannelOrder::by_importance(self.largest.net(), self.largest.parameters(), self.space.block_of_slots())
    }

    /// All that training goes on from.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.sorted)];
        bytes.extend(self.largest.checkpoint());
        bytes
    }

    /// Goes on from a checkpoint of the same space and settings.
    ///
    /// # Errors
    /// If it is none.
    pub fn restore(&mut self, checkpoint: &[u8]) -> Result<(), SearchError> {
        let (&sorted, rest) = checkpoint.split_first().ok_or(TrainError::Checkpoint { reason: "it is cut short" })?;
        self.largest.restore(rest)?;
        self.sorted = sorted != 0;
        Ok(())
    }

    /// The largest network's parameters, means and variances.
    pub fn parameters(&self) -> (&[f32], &[f32]) {
        (self.largest.parameters(), self.largest.state())
    }
}

/// Part of a batch, with what the largest network says of it.
struct Taught<'a> {
    batch: &'a dyn Batch,
    first: usize,
    count: usize,
    teacher: &'a [f32],
    classes: usize,
}

impl Batch for Taught<'_> {
    fn samples(&self) -> usize {
        self.count
    }

    fn input(&self, sample: usize, into: &mut [f32]) {
        self.batch.input(self.first + sample, into);
    }

    fn label(&self, sample: usize) -> u32 {
        self.batch.label(self.first + sample)
    }

    fn teacher(&self, sample: usize, into: &mut [f32]) -> bool {
        into.copy_from_slice(&self.teacher[(self.first + sample) * self.classes..][..self.classes]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_train::Samples;

    fn small() -> (Space, Vec<f32>, Vec<u32>) {
        let space = Space::new(0.2, [12, 12, 2], 3);
        let mut random = Random::new(11);
        let labels: Vec<u32> = (0..48).map(|i| i % 3).collect();
        // The class shows as the brightness of the first channel.
        let pixel = |label: u32, i: usize, random: &mut Random| {
            random.uniform(0.0, 0.4) + if i.is_multiple_of(2) { 0.3 * label as f32 } else { 0.0 }
        };
        let inputs = labels.iter().flat_map(|&label| (0..288).map(move |i| (label, i)));
        let inputs = inputs.map(|(label, i)| pixel(label, i, &mut random)).collect();
        (space, inputs, labels)
    }

    fn supernet(space: &Space, threads: usize) -> Supernet {
        let training = Settings { batch: 48, shard: 16, threads, rate: 0.05, ..Settings::default() };
        Supernet::new(space, SupernetSettings { training, subnets: 3, warm_up: 0.2, seed: 5 }).unwrap()
    }

    #[test]
    fn the_largest_network_is_the_supernet() {
        let (space, inputs, labels) = small();
        let mut supernet = supernet(&space, 1);
        let samples = Samples::new(supernet.largest.net(), &inputs, &labels).unwrap();
        supernet.step(&samples, 0.1).unwrap();
        let (net, parameters, _) = supernet.extract(&space.largest(), &samples).unwrap();
        assert_eq!(parameters, supernet.largest.parameters());
        assert_eq!(net.macs(), supernet.largest.net().macs());
        let mut alone = Trainer::new(net, supernet.settings.training, 1).unwrap();
        alone.set_parameters(&parameters, supernet.largest.state()).unwrap();
        assert_eq!(alone.predict(&inputs).unwrap(), supernet.largest.predict(&inputs).unwrap());
    }

    #[test]
    fn a_smaller_network_has_centres_and_first_channels() {
        let (space, inputs, labels) = small();
        let mut supernet = supernet(&space, 1);
        let samples = Samples::new(supernet.largest.net(), &inputs, &labels).unwrap();
        let (net, parameters, _) = supernet.extract(&space.smallest(), &samples).unwrap();
        let all = supernet.largest.parameters();
        let of = |net: &Net, name: &str| {
            net.parameters().iter().find(|p| p.name == name).map(|p| (p.range(), p.shape.clone())).unwrap()
        };
        // The second stage's first block is the third of the smallest network, and the sixth of the largest.
        let (own, shape) = of(&net, "block3.depthwise.weight");
        let (large, large_shape) = of(supernet.largest.net(), "block6.depthwise.weight");
        assert_eq!((shape[0], large_shape[0]), (3, 7));
        for (y, x, c) in [(0, 0, 0), (1, 2, 3), (2, 1, shape[2] - 1)] {
            let small = parameters[own.start + (y * 3 + x) * shape[2] + c];
            assert_eq!(small, all[large.start + ((y + 2) * 7 + x + 2) * large_shape[2] + c]);
        }
        let (own, shape) = of(&net, "block3.project.weight");
        let (large, large_shape) = of(supernet.largest.net(), "block6.project.weight");
        assert!(shape[0] < large_shape[0] && shape[1] == large_shape[1]);
        assert_eq!(parameters[own.clone()], all[large.start..][..own.len()]);
    }

    #[test]
    fn steps_are_equal_for_any_number_of_threads_and_after_a_checkpoint() {
        let (space, inputs, labels) = small();
        let (mut one, mut two) = (supernet(&space, 1), supernet(&space, 3));
        let samples = Samples::new(one.largest.net(), &inputs, &labels).unwrap();
        for step in 0..3 {
            let time = f64::from(step) / 6.0;
            assert_eq!(one.step(&samples, time).unwrap(), two.step(&samples, time).unwrap());
        }
        let mut resumed = supernet(&space, 2);
        resumed.restore(&one.checkpoint()).unwrap();
        for step in 3..6 {
            let time = f64::from(step) / 6.0;
            one.step(&samples, time).unwrap();
            resumed.step(&samples, time).unwrap();
        }
        assert_eq!(one.parameters(), resumed.parameters());
        let candidate = Candidate::draw(&space, &mut Random::new(3));
        let seen = |net: &mut Supernet| net.evaluate(&candidate, &samples, &samples).unwrap();
        assert_eq!(seen(&mut one), seen(&mut resumed));
    }

    #[test]
    fn sorting_changes_no_output_and_keeps_what_matters() {
        let (space, inputs, labels) = small();
        let mut supernet = supernet(&space, 1);
        let samples = Samples::new(supernet.largest.net(), &inputs, &labels).unwrap();
        for _ in 0..4 {
            supernet.step(&samples, 0.3).unwrap();
        }
        supernet.largest.recalibrate(&samples).unwrap();
        let before = supernet.largest.predict(&inputs).unwrap();
        supernet.sort();
        supernet.largest.recalibrate(&samples).unwrap();
        let after = supernet.largest.predict(&inputs).unwrap();
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
        for order in supernet.orders() {
            assert!(order.is_sorted(), "{order:?}");
        }
    }

    /// Fused blocks have weights of their own beside those in their place: the largest network is none the larger, and both
    /// kinds learn.
    #[test]
    fn fused_blocks_learn_beside_the_others() {
        let (space, inputs, labels) = small();
        let space = Space { skeleton: crate::space::Skeleton::FUSED, ..space };
        let mut supernet = supernet(&space, 1);
        let samples = Samples::new(supernet.largest.net(), &inputs, &labels).unwrap();
        let before = supernet.largest.parameters().to_vec();
        let net = supernet.largest.net().clone();
        let changed = |supernet: &Supernet, part: &str| {
            let of = |p: &&smidgen_train::Parameter| p.name.contains(part) && p.name.ends_with("weight");
            let ranges = net.parameters().iter().filter(of).map(|p| p.range());
            let now = supernet.largest.parameters();
            ranges.map(|range| now[range.clone()] != before[range]).collect::<Vec<_>>()
        };
        for step in 0..60 {
            supernet.step(&samples, f64::from(step) / 60.0).unwrap();
        }
        // Two stages of up to four blocks.
        assert_eq!(
            [changed(&supernet, ".fuse."), changed(&supernet, ".narrow.")],
            [[true; 8], [true; 8]].map(Vec::from)
        );
        let (alone, _, _) = supernet.extract(&space.largest(), &samples).unwrap();
        assert!(alone.parameters().iter().all(|p| !p.name.contains("fuse")));
        let mut random = Random::new(9);
        let drawn = std::iter::repeat_with(|| Candidate::draw(&space, &mut random));
        let fused = drawn.filter(|drawn| drawn.genes.iter().filter(|gene| gene.fused).count() > 3).take(2);
        for candidate in fused.chain([space.smallest(), space.largest()]) {
            let report = supernet.evaluate(&candidate, &samples, &samples).unwrap();
            assert!(report.correct >= 40, "{candidate:?}: {report:?}");
        }
        let before = supernet.evaluate(&space.largest(), &samples, &samples).unwrap();
        supernet.sort();
        assert_eq!(supernet.evaluate(&space.largest(), &samples, &samples).unwrap().correct, before.correct);
    }

    #[test]
    fn training_teaches_small_networks_too() {
        let (space, inputs, labels) = small();
        let mut supernet = supernet(&space, 1);
        let samples = Samples::new(supernet.largest.net(), &inputs, &labels).unwrap();
        for step in 0..60 {
            supernet.step(&samples, f64::from(step) / 60.0).unwrap();
        }
        for candidate in [space.smallest(), space.largest(), Candidate::draw(&space, &mut Random::new(9))] {
            let report = supernet.evaluate(&candidate, &samples, &samples).unwrap();
            assert!(report.correct >= 40, "{candidate:?}: {report:?}");
        }
    }
}
