//! Training of a tiny network as part of larger ones (Cai et al. 2022, "Network augmentation for tiny deep learning"):
//! tiny networks learn too little rather than too much by heart, and wider networks that share their weights teach them.
//!
//! A step adds the gradients of two networks of the same batch: of the tiny one, and of one that is drawn, which has
//! more channels, the tiny one's being the first of each. The widest network holds all parameters and their momentum.
//! Nothing of it is left in the tiny network in the end.

use crate::architectures::{Block, network_of_blocks};
use crate::batch::Batch;
use crate::error::TrainError;
use crate::net::Net;
use crate::random::Random;
use crate::settings::Settings;
use crate::share::{ChannelOrder, Share};
use crate::trainer::{Report, Trainer};

/// What the channels between blocks are multiplied by, and those in the middle of blocks for each channel of their input:
/// the published choices for MCUNet.
const WIDTHS: [f64; 3] = [1.0, 1.6, 2.2];
const EXPANSIONS: [f64; 4] = [1.0, 1.6, 2.2, 2.8];
/// The say of the larger network (alpha).
const SAY: f32 = 1.0;

/// The larger networks that a tiny one is trained in.
#[derive(Debug)]
pub struct NetAug {
    blocks: Vec<Block>,
    choices: Choices,
    /// Holds all parameters.
    widest: Trainer,
    /// Where the tiny network's lie among them.
    base: Share,
    /// Whatever larger network is at work.
    augmented: Trainer,
    seed: u64,
}

/// What is chosen among.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Choices {
    widths: &'static [f64],
    expansions: &'static [f64],
}

impl Choices {
    const PUBLISHED: Self = Self { widths: &WIDTHS, expansions: &EXPANSIONS };
}

/// A network's blocks with more channels, of which each choice is made by `choose` (a place below a number). No shortcut
/// goes, and none is added.
fn widened(
    blocks: &[Block],
    mut own: usize,
    Choices { widths, expansions }: Choices,
    choose: &mut dyn FnMut(usize) -> usize,
) -> Vec<Block> {
    let mut channels = own;
    let mut all = Vec::new();
    for &block in blocks {
        let mut wider = block;
        let (before, active) = (own, channels);
        let mut wide = |filters: usize, shortcut: Option<bool>| {
            if shortcut == Some(true) {
                return active;
            }
            let of = |&factor: &f64| (filters as f64 * factor).round() as usize;
            // Where a sum is possible it would be made: another width then.
            let possible: Vec<usize> =
                widths.iter().map(of).filter(|&wide| shortcut.is_none() || wide != active).collect();
            possible.get(choose(possible.len().max(1))).copied().unwrap_or(filters)
        };
        match &mut wider {
            Block::Conv { filters, .. } => {
                *filters = wide(*filters, None);
                (own, channels) = (block.filters().unwrap_or(own), *filters);
            }
            Block::Depthwise { .. } => {}
            Block::Inverted { middle, filters, stride, .. } | Block::Fused { middle, filters, stride, .. } => {
                let shortcut = (*stride == 1).then_some(*filters == before);
                let narrow = *filters;
                *filters = wide(*filters, shortcut);
                *middle = widened_middle(*middle, (before, active), expansions, choose);
                (own, channels) = (narrow, *filters);
            }
        }
        all.push(wider);
    }
    all
}

/// Middle channels for each of the input's that are there; those of a block without expansion are the input's own.
fn widened_middle(
    middle: usize,
    (own, active): (usize, usize),
    expansions: &[f64],
    choose: &mut dyn FnMut(usize) -> usize,
) -> usize {
    if middle == own {
        return active;
    }
    let factor = expansions[choose(expansions.len())];
    let wide = (middle as f64 / own as f64 * factor * active as f64).round() as usize;
    // As many as the input has would make it a block without expansion.
    if wide == active { wide + 1 } else { wide }
}

impl NetAug {
    /// For the training of a network of these blocks, with the parameters that it has; everything else is fresh.
    ///
    /// # Errors
    /// If the network is not one of these blocks.
    pub fn new(base: &Trainer, blocks: &[Block], seed: u64) -> Result<Self, TrainError> {
        Self::with(base, blocks, Choices::PUBLISHED, seed)
    }

    fn with(base: &Trainer, blocks: &[Block], choices: Choices, seed: u64) -> Result<Self, TrainError> {
        let net = base.net();
        let refused = |reason| TrainError::layer("the network", reason);
        let input = <[usize; 3]>::try_from(net.input_shape()).map_err(|_| refused("it reads no images"))?;
        let own = network_of_blocks(input, blocks, net.output_len())?;
        let shapes = |net: &Net| -> Vec<(String, Vec<usize>)> {
            net.parameters().iter().map(|parameter| (parameter.name.clone(), parameter.shape.clone())).collect()
        };
        if shapes(&own) != shapes(net) {
            return Err(refused("it is not one of the blocks that it is augmented by"));
        }
        let largest = widened(blocks, input[2], choices, &mut |count| count - 1);
        let largest = network_of_blocks(input, &largest, net.output_len())?;
        let all: Vec<usize> = (0..blocks.len()).collect();
        let share = Share::new(&largest, net, &all);
        let settings = Settings { average: None, ..*base.settings() };
        let mut widest = Trainer::new(largest, settings, seed)?;
        let mut parameters = widest.parameters().to_vec();
        share.scatter(base.parameters(), &mut parameters);
        let state = widest.net().initial_state();
        widest.set_parameters(&parameters, &state)?;
        let augmented = Trainer::new(own, settings, seed)?;
        Ok(Self { blocks: blocks.to_vec(), choices, widest, base: share, augmented, seed })
    }

    /// Multiply-accumulates of the larger networks, on average over some that are drawn, for each of the tiny one's.
    ///
    /// # Errors
    /// If there are no pixels or no classes.
    pub fn cost(input: [usize; 3], blocks: &[Block], classes: usize) -> Result<f64, TrainError> {
        const DRAWN: usize = 16;
        let own = network_of_blocks(input, blocks, classes)?.macs();
        let mut random = Random::new(0);
        let mut all = 0;
        for _ in 0..DRAWN {
            let drawn = widened(blocks, input[2], Choices::PUBLISHED, &mut |count| random.below(count));
            all += network_of_blocks(input, &drawn, classes)?.macs();
        }
        Ok(all as f64 / (DRAWN * own.max(1)) as f64)
    }

    /// Takes one step of the tiny network: follows the sum of its own gradient and that of a larger one that is drawn, at
    /// `time` of the schedule (0 to 1). What the tiny network saw.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn step(&mut self, base: &mut Trainer, batch: &dyn Batch, time: f64) -> Result<Report, TrainError> {
        let report = base.differentiate(batch)?;
        let mut random = Random::new(Random::new(self.seed ^ 0x0a06).bits() ^ self.widest.steps());
        let [_, _, channels] = self.input();
        let drawn = widened(&self.blocks, channels, self.choices, &mut |count| random.below(count));
        let share = self.take_up(&drawn)?;
        self.augmented.differentiate(batch)?;
        let gradient = self.widest.gradient_mut();
        gradient.fill(0.0);
        self.base.add(1.0, base.gradient(), gradient);
        share.add(SAY, self.augmented.gradient(), gradient);
        self.widest.follow(report.samples, time);
        base.follow_others(report.samples, &self.base.gather(self.widest.parameters()));
        Ok(report)
    }

    fn input(&self) -> [usize; 3] {
        <[usize; 3]>::try_from(self.widest.net().input_shape()).unwrap_or_default()
    }

    /// Makes the network of these blocks the one at work.
    fn take_up(&mut self, blocks: &[Block]) -> Result<Share, TrainError> {
        let net = network_of_blocks(self.input(), blocks, self.widest.net().output_len())?;
        let all: Vec<usize> = (0..blocks.len()).collect();
        let share = Share::new(self.widest.net(), &net, &all);
        let (parameters, state) = (share.gather(self.widest.parameters()), net.initial_state());
        self.augmented.replace(net, parameters, state)?;
        Ok(share)
    }

    /// Gives the tiny network the middle channels of the widest one that matter most: for the beginning of an epoch. Its
    /// means and variances are those of other channels until some steps later, or until they are
    /// [counted anew](Trainer::recalibrate).
    ///
    /// # Errors
    /// If the network is another one.
    pub fn sort(&mut self, base: &mut Trainer) -> Result<(), TrainError> {
        let blocks = 0..self.blocks.len();
        for order in ChannelOrder::by_importance(self.widest.net(), self.widest.parameters(), blocks) {
            order.apply(&mut self.widest);
        }
        let state = base.state().to_vec();
        base.set_parameters(&self.base.gather(self.widest.parameters()), &state)
    }

    /// All that it goes on from, beside the tiny network's checkpoint.
    pub fn checkpoint(&self) -> Vec<u8> {
        self.widest.checkpoint()
    }

    /// Goes on from a checkpoint of the same network.
    ///
    /// # Errors
    /// If it is none.
    pub fn restore(&mut self, checkpoint: &[u8]) -> Result<(), TrainError> {
        self.widest.restore(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Samples;
    use crate::net::Activation;

    fn blocks() -> Vec<Block> {
        let activation = Activation::Relu6;
        let inverted = |middle, filters, stride| Block::Inverted { middle, filters, kernel: 3, stride, activation };
        vec![
            Block::Conv { filters: 8, kernel: [3; 2], stride: 1, activation },
            inverted(8, 8, 1),
            inverted(24, 16, 2),
            inverted(48, 16, 1),
            inverted(48, 24, 1),
        ]
    }

    fn trainer(threads: usize) -> Trainer {
        let net = network_of_blocks([10, 10, 2], &blocks(), 3).unwrap();
        let settings = Settings { batch: 24, shard: 8, threads, rate: 0.05, ..Settings::default() };
        Trainer::new(net, settings, 4).unwrap()
    }

    fn samples() -> (Vec<f32>, Vec<u32>) {
        let mut random = Random::new(2);
        let labels: Vec<u32> = (0..24).map(|i| i % 3).collect();
        let pixel = |label: u32, random: &mut Random| random.uniform(0.0, 0.4) + 0.3 * label as f32;
        let inputs = labels.iter().flat_map(|&label| (0..200).map(move |_| label));
        (inputs.map(|label| pixel(label, &mut random)).collect(), labels)
    }

    /// The tiny network within the widest one is the tiny network: its outputs are equal to the bit.
    #[test]
    fn f_t1_the_widest_network_cut_to_the_base_is_the_base() {
        let mut base = trainer(1);
        let (inputs, labels) = samples();
        let mut aug = NetAug::new(&base, &blocks(), 7).unwrap();
        assert!(aug.widest.net().macs() > 4 * base.net().macs());
        for step in 0..3 {
            let samples = Samples::new(base.net(), &inputs, &labels).unwrap();
            aug.step(&mut base, &samples, f64::from(step) / 3.0).unwrap();
            if step == 1 {
                aug.sort(&mut base).unwrap();
            }
            let mut cut = trainer(1);
            cut.set_parameters(&aug.base.gather(aug.widest.parameters()), base.state()).unwrap();
            assert_eq!(cut.predict(&inputs).unwrap(), base.predict(&inputs).unwrap());
        }
        // Channels are the first ones of each dimension.
        let weight = |net: &Net, name: &str| {
            net.parameters().iter().find(|p| p.name == name).map(|p| (p.offset, p.shape.clone())).unwrap()
        };
        let (own, shape) = weight(base.net(), "block2.project.weight");
        let (wide, wider) = weight(aug.widest.net(), "block2.project.weight");
        assert!(shape == [24, 16] && wider[0] > 24 && wider[1] > 16, "{wider:?}");
        assert_eq!(base.parameters()[own + 5 * 16 + 3], aug.widest.parameters()[wide + 5 * wider[1] + 3]);
    }

    /// Where nothing is added, no weight beyond the tiny network's has a gradient, and each has twice its own.
    #[test]
    fn f_t2_without_augmentation_other_weights_have_no_gradient() {
        let mut base = trainer(1);
        let (inputs, labels) = samples();
        let mut aug = NetAug::new(&base, &blocks(), 7).unwrap();
        let samples = Samples::new(base.net(), &inputs, &labels).unwrap();
        aug.choices = Choices { widths: &[1.0], expansions: &[1.0] };
        aug.step(&mut base, &samples, 0.3).unwrap();
        let gradient = aug.widest.gradient().to_vec();
        let own = aug.base.gather(&gradient);
        let twice: Vec<f32> = base.gradient().iter().map(|g| 2.0 * g).collect();
        assert_eq!(own, twice);
        let others = gradient.iter().filter(|g| **g != 0.0).count();
        assert!(others > 0 && others <= base.gradient().len());
        let mut rest = gradient;
        aug.base.scatter(&vec![0.0; own.len()], &mut rest);
        assert!(rest.iter().all(|&g| g == 0.0));
        // With it, others have one.
        aug.choices = Choices { widths: &[2.2], expansions: &[2.8] };
        aug.step(&mut base, &samples, 0.3).unwrap();
        let mut rest = aug.widest.gradient().to_vec();
        aug.base.scatter(&vec![0.0; own.len()], &mut rest);
        assert!(rest.iter().filter(|g| **g != 0.0).count() > own.len());
    }

    /// Sorting changes nothing that the widest network computes.
    #[test]
    fn f_t3_the_order_of_channels_changes_no_output() {
        let mut base = trainer(1);
        let (inputs, labels) = samples();
        let mut aug = NetAug::new(&base, &blocks(), 7).unwrap();
        let samples = Samples::new(base.net(), &inputs, &labels).unwrap();
        for step in 0..3 {
            aug.step(&mut base, &samples, f64::from(step) / 3.0).unwrap();
        }
        let seen = |aug: &mut NetAug| {
            aug.widest.recalibrate(&samples).unwrap();
            aug.widest.predict(&inputs).unwrap()
        };
        let before = seen(&mut aug);
        let own = base.parameters().to_vec();
        aug.sort(&mut base).unwrap();
        for (a, b) in seen(&mut aug).iter().zip(&before) {
            assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} {b}");
        }
        assert!(own != base.parameters(), "other channels matter more");
        let orders = ChannelOrder::by_importance(aug.widest.net(), aug.widest.parameters(), 0..blocks().len());
        assert!(orders.len() == 3 && orders.iter().all(ChannelOrder::is_sorted));
    }

    /// What is trained in the end is the tiny network, and nothing else.
    #[test]
    fn f_t4_what_is_left_is_the_base() {
        let (mut base, alone) = (trainer(1), trainer(1));
        let (inputs, labels) = samples();
        let mut aug = NetAug::new(&base, &blocks(), 7).unwrap();
        let samples = Samples::new(base.net(), &inputs, &labels).unwrap();
        let first = base.evaluate(&samples).unwrap();
        for step in 0..40 {
            if step % 10 == 0 {
                aug.sort(&mut base).unwrap();
            }
            aug.step(&mut base, &samples, f64::from(step) / 40.0).unwrap();
        }
        base.recalibrate(&samples).unwrap();
        let last = base.evaluate(&samples).unwrap();
        assert!(last.loss < 0.8 * first.loss && last.correct >= 20, "{first:?} {last:?}");
        assert_eq!((base.net().macs(), base.steps()), (alone.net().macs(), 40));
        assert_eq!(base.parameters().len(), alone.parameters().len());
        let graph = base.net().to_graph(base.parameters(), base.state()).unwrap();
        let other = alone.net().to_graph(alone.parameters(), alone.state()).unwrap();
        let constants = |graph: &smidgen_ir::Graph| -> Vec<Vec<usize>> {
            graph.tensors.iter().filter(|t| t.data.is_some()).map(|t| t.shape.dims().to_vec()).collect()
        };
        assert_eq!(constants(&graph), constants(&other));
        assert_eq!(smidgen_ir::cost::cost(&graph).macs, alone.net().macs() as u64);
    }

    #[test]
    fn steps_are_equal_for_any_number_of_threads_and_after_a_checkpoint() {
        let (inputs, labels) = samples();
        let (mut one, mut two) = (trainer(1), trainer(3));
        let samples = Samples::new(trainer(1).net(), &inputs, &labels).unwrap();
        let (mut a, mut b) = (NetAug::new(&one, &blocks(), 7).unwrap(), NetAug::new(&two, &blocks(), 7).unwrap());
        for step in 0..4 {
            let time = f64::from(step) / 8.0;
            assert_eq!(a.step(&mut one, &samples, time).unwrap(), b.step(&mut two, &samples, time).unwrap());
        }
        let mut resumed = trainer(2);
        let mut c = NetAug::new(&resumed, &blocks(), 7).unwrap();
        resumed.restore(&one.checkpoint()).unwrap();
        c.restore(&a.checkpoint()).unwrap();
        for step in 4..8 {
            let time = f64::from(step) / 8.0;
            a.step(&mut one, &samples, time).unwrap();
            c.step(&mut resumed, &samples, time).unwrap();
        }
        assert_eq!((one.parameters(), one.state()), (resumed.parameters(), resumed.state()));
    }

    /// Shortcuts stay where they are: none goes, none is added, whatever is drawn; and no dimension is beyond the widest.
    #[test]
    fn shortcuts_stay_where_they_are() {
        let blocks = blocks();
        let widest = widened(&blocks, 2, Choices::PUBLISHED, &mut |count| count - 1);
        let mut random = Random::new(3);
        let shortcuts = |blocks: &[Block]| -> Vec<bool> {
            let mut channels = 2;
            let mut all = Vec::new();
            for block in blocks {
                if let Block::Inverted { filters, stride, .. } = *block {
                    all.push(stride == 1 && filters == channels);
                }
                channels = block.filters().unwrap_or(channels);
            }
            all
        };
        for _ in 0..200 {
            let drawn = widened(&blocks, 2, Choices::PUBLISHED, &mut |count| random.below(count));
            assert_eq!(shortcuts(&drawn), shortcuts(&blocks));
            let nets = [&drawn, &widest].map(|blocks| network_of_blocks([10, 10, 2], blocks, 3).unwrap());
            let [small, large] = &nets;
            for (a, b) in small.parameters().iter().zip(large.parameters()) {
                assert!(a.name == b.name && a.shape.iter().zip(&b.shape).all(|(a, b)| a <= b), "{a:?} {b:?}");
            }
        }
        let foreign = [Block::Depthwise { kernel: [3; 2], stride: 1, activation: Activation::Relu6 }];
        assert!(NetAug::new(&trainer(1), &foreign, 7).is_err());
        let cost = NetAug::cost([10, 10, 2], &blocks, 3).unwrap();
        assert!((2.0..8.0).contains(&cost), "{cost}");
    }
}
