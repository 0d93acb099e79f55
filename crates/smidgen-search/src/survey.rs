//! The first stage: which width and resolution fill the board best (Lin et al. 2020, section 3.1).
//!
//! Of each space networks are drawn, and asked what they take. The more the networks compute that keep the budget, the
//! more accurate are those that a search will find there.

use crate::budget::{Budget, Estimator, Figures, Limit};
use crate::candidate::Candidate;
use crate::error::{Misfit, SearchError};
use crate::outline::outline;
use crate::space::Space;
use rayon::prelude::*;
use smidgen_train::{Block, Random};
use std::sync::atomic::{AtomicBool, Ordering};

/// A space that was looked at.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The space.
    pub space: Space,
    /// Networks drawn.
    pub drawn: usize,
    /// Multiply-accumulates of those that keep the budget, rising.
    pub macs: Vec<u64>,
    /// For each [limit](Limit::ALL), how many networks exceed it.
    pub exceeded: [usize; 4],
    /// What the smallest network takes.
    pub smallest: Figures,
    /// Where the next network comes from.
    random: Random,
}

impl Surveyed {
    /// Share of the networks that keep the budget.
    pub fn share(&self) -> f64 {
        self.macs.len() as f64 / self.drawn.max(1) as f64
    }

    /// The mean of their multiply-accumulates; 0 if there are none.
    pub fn mean(&self) -> f64 {
        self.macs.iter().map(|&macs| macs as f64).sum::<f64>() / self.macs.len().max(1) as f64
    }

    /// The multiply-accumulates that this part of them stays below.
    pub fn quantile(&self, part: f64) -> u64 {
        let at = (self.macs.len().saturating_sub(1) as f64 * part).round() as usize;
        self.macs.get(at).copied().unwrap_or(0)
    }
}

/// All spaces that were looked at, and the one to search.
#[derive(Clone, Debug)]
pub struct Survey {
    /// In the order of the grid.
    pub spaces: Vec<Surveyed>,
    /// The place of the chosen one.
    pub chosen: usize,
}

/// A space is chosen only if at least this share of its networks keeps the budget, ...
const LEAST_SHARE: f64 = 0.02;
/// ... and at least this many: fewer are an accident.
const LEAST: usize = 8;

/// Multiply-accumulates, and bytes of weights and biases at least: what needs no planner.
fn arithmetic(space: &Space, blocks: &[Block]) -> (u64, usize) {
    let [mut rows, mut columns, mut channels] = space.input;
    let (mut macs, mut bytes) = (0, 0);
    let mut layer = |pixels: usize, weights: usize, filters: usize, uses: usize| {
        macs += (pixels * uses) as u64;
        bytes += weights + 4 * filters;
    };
    for block in blocks {
        match *block {
            Block::Conv { filters, kernel: [v, h], stride, .. } => {
                [rows, columns] = [rows, columns].map(|side| side.div_ceil(stride));
                let weights = v * h * channels * filters;
                layer(rows * columns, weights, filters, weights);
                channels = filters;
            }
            Block::Depthwise { kernel: [v, h], stride, .. } => {
                [rows, columns] = [rows, columns].map(|side| side.div_ceil(stride));
                layer(rows * columns, v * h * channels, channels, v * h * channels);
            }
            Block::Inverted { middle, filters, kernel, stride, .. } => {
                if middle != channels {
                    layer(rows * columns, channels * middle, middle, channels * middle);
                }
                [rows, columns] = [rows, columns].map(|side| side.div_ceil(stride));
                let taps = kernel * kernel * middle;
                layer(rows * columns, taps, middle, taps);
                layer(rows * columns, middle * filters, filters, middle * filters);
                channels = filters;
            }
            Block::Fused { middle, filters, kernel, stride, .. } => {
                [rows, columns] = [rows, columns].map(|side| side.div_ceil(stride));
                let taps = kernel * kernel * channels * middle;
                layer(rows * columns, taps, middle, taps);
                layer(rows * columns, middle * filters, filters, middle * filters);
                channels = filters;
            }
        }
    }
    layer(1, channels * space.classes, space.classes, channels * space.classes);
    (macs, bytes)
}

/// What a candidate takes, if it keeps the budget; else the limits that it exceeds. The planner is not asked about what
/// cannot fit.
pub(crate) fn admitted(
    space: &Space,
    candidate: &Candidate,
    budget: &Budget,
    estimator: &dyn Estimator,
) -> Result<Result<Figures, Vec<Limit>>, SearchError> {
    let blocks = space.blocks(candidate);
    let (macs, bytes) = arithmetic(space, &blocks);
    let exceeded = budget.exceeded(&Figures { macs, flash: bytes, ..Figures::default() });
    if !exceeded.is_empty() {
        return Ok(Err(exceeded));
    }
    let figures = estimator.figures(&outline(space.input, &blocks, space.classes))?;
    let exceeded = budget.exceeded(&figures);
    Ok(if exceeded.is_empty() { Ok(figures) } else { Err(exceeded) })
}

impl Space {
    /// What a candidate takes, if it keeps the budget.
    ///
    /// # Errors
    /// If it cannot be planned.
    pub fn admitted(
        &self,
        candidate: &Candidate,
        budget: &Budget,
        estimator: &dyn Estimator,
    ) -> Result<Option<Figures>, SearchError> {
        Ok(admitted(self, candidate, budget, estimator)?.ok())
    }

    /// What a candidate takes.
    ///
    /// # Errors
    /// If it cannot be planned.
    pub fn figures(&self, candidate: &Candidate, estimator: &dyn Estimator) -> Result<Figures, SearchError> {
        estimator.figures(&outline(self.input, &self.blocks(candidate), self.classes))
    }
}

/// Draws `count` networks of each space, and chooses the space whose networks within the budget compute the most on
/// average. What is drawn of a space follows from the seed and the space alone. `done` is called after each space.
///
/// Where no space has enough networks that fit, the one is taken with the largest share of them.
///
/// # Errors
/// If nothing fits, a network cannot be planned, or `stop` is set.
pub fn survey(
    grid: &[Space],
    (budget, estimator): (&Budget, &dyn Estimator),
    (count, seed): (usize, u64),
    watch: (&(dyn Fn() + Sync), &AtomicBool),
) -> Result<Survey, SearchError> {
    let begin = |space: &Space| Surveyed::begin(space, estimator, seed);
    let spaces = grid.par_iter().map(begin).collect::<Result<Vec<_>, _>>()?;
    Survey { spaces, chosen: 0 }.extended((budget, estimator), count, watch)
}

impl Survey {
    /// The same with as many more networks of each space as it takes for `count`: what drawing so many at once gives.
    ///
    /// # Errors
    /// As [`survey`].
    pub fn extended(
        mut self,
        (budget, estimator): (&Budget, &dyn Estimator),
        count: usize,
        (done, stop): (&(dyn Fn() + Sync), &AtomicBool),
    ) -> Result<Self, SearchError> {
        let more = |surveyed: &mut Surveyed| {
            surveyed.extend((budget, estimator), count, stop)?;
            done();
            Ok::<_, SearchError>(())
        };
        self.spaces.par_iter_mut().try_for_each(more)?;
        self.chosen = choose(&self.spaces, budget)?;
        Ok(self)
    }
}

impl Surveyed {
    fn begin(space: &Space, estimator: &dyn Estimator, seed: u64) -> Result<Self, SearchError> {
        let name = space.skeleton.name.bytes().fold(0u64, |sum, byte| 31 * sum + u64::from(byte));
        let size = (space.width * 10.0).round() as u64 + 100 * (space.input[0] + 1000 * space.input[1]) as u64;
        let of_space = (name << 40) ^ size;
        Ok(Self {
            space: space.clone(),
            drawn: 0,
            macs: Vec::new(),
            exceeded: [0; 4],
            smallest: space.figures(&space.smallest(), estimator)?,
            random: Random::new(Random::new(seed).bits() ^ of_space),
        })
    }

    fn extend(
        &mut self,
        (budget, estimator): (&Budget, &dyn Estimator),
        count: usize,
        stop: &AtomicBool,
    ) -> Result<(), SearchError> {
        // What the smallest network exceeds every network does.
        let hopeless = budget.exceeded(&self.smallest);
        while self.drawn < count {
            if stop.load(Ordering::Relaxed) {
                return Err(SearchError::Stopped);
            }
            let candidate = Candidate::draw(&self.space, &mut self.random);
            self.drawn += 1;
            let over = if hopeless.is_empty() {
                match admitted(&self.space, &candidate, budget, estimator)? {
                    Ok(figures) => {
                        self.macs.push(figures.macs);
                        continue;
                    }
                    Err(over) => over,
                }
            } else {
                hopeless.clone()
            };
            for limit in over {
                self.exceeded[limit as usize] += 1;
            }
        }
        self.macs.sort_unstable();
        Ok(())
    }
}

/// The place of the space to search.
fn choose(spaces: &[Surveyed], budget: &Budget) -> Result<usize, SearchError> {
    let enough = |s: &Surveyed| s.share() >= LEAST_SHARE && s.macs.len() >= LEAST.min(s.drawn.div_ceil(2));
    let pick = |enough: &dyn Fn(&Surveyed) -> bool, score: &dyn Fn(&Surveyed) -> f64| {
        let fit = spaces.iter().enumerate().filter(|(_, space)| enough(space));
        fit.max_by(|(_, a), (_, b)| score(a).total_cmp(&score(b))).map(|(at, _)| at)
    };
    let chosen = pick(&enough, &Surveyed::mean).or_else(|| pick(&|s| !s.macs.is_empty(), &Surveyed::share));
    // The smallest network of a space may fit though none was drawn that does.
    let chosen = chosen.or_else(|| pick(&|s| budget.admits(&s.smallest), &|s| s.smallest.macs as f64));
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    let over = |s: &&Surveyed| (budget.exceeded(&s.smallest).len(), s.smallest.sram + s.smallest.flash);
    let Some(smallest) = spaces.iter().min_by_key(over) else {
        return Err(SearchError::NoneDrawn);
    };
    Err(SearchError::NothingFits(Box::new(Misfit {
        budget: *budget,
        width: smallest.space.width,
        rows: smallest.space.input[0],
        columns: smallest.space.input[1],
        smallest: smallest.smallest,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Inputs, grid};
    use smidgen_ir::Graph;
    use smidgen_train::network_of_blocks;

    #[test]
    fn arithmetic_is_that_of_the_networks() {
        let mut random = Random::new(4);
        let spaces =
            [(0.3, [50, 47, 3]), (1.0, [32, 20, 1]), (0.7, [224, 224, 3])].map(|(w, input)| Space::new(w, input, 11));
        let fused = grid([32, 32], 3, 11, Inputs::Own).into_iter().filter(|space| space.skeleton.fused > 0);
        for space in spaces.into_iter().chain(fused.step_by(4)) {
            let input = space.input;
            for _ in 0..5 {
                let blocks = space.blocks(&Candidate::draw(&space, &mut random));
                let net = network_of_blocks(input, &blocks, 11).unwrap();
                let graph = outline(input, &blocks, 11);
                let (macs, bytes) = arithmetic(&space, &blocks);
                assert_eq!(macs as usize, net.macs());
                assert_eq!(macs, smidgen_ir::cost::cost(&graph).macs);
                let constants = graph.tensors.iter().filter_map(|tensor| tensor.data.as_ref());
                assert_eq!(bytes, constants.map(|data| data.len()).sum::<usize>());
            }
        }
    }

    /// The published model of memory (Lin et al. 2020): of each convolution input and output, of a depthwise one the
    /// larger of both and a padded channel, and what a shortcut keeps. Twelve bytes of constants for each channel.
    struct Published;

    impl Estimator for Published {
        fn figures(&self, network: &Graph) -> Result<Figures, SearchError> {
            use smidgen_ir::Op;
            let dims = |id: smidgen_ir::TensorId| network.tensor(id).shape.dims().to_vec();
            let bytes = |id: smidgen_ir::TensorId| network.tensor(id).shape.elements();
            let (mut sram, mut flash) = (0, 0);
            for (at, operator) in network.operators.iter().enumerate() {
                let (input, output) = (operator.inputs[0], operator.outputs[0]);
                let kept: usize = network.operators[at..]
                    .iter()
                    .filter(|later| matches!(later.op, Op::Binary { .. }))
                    .map(|later| later.inputs[1])
                    .filter(|&kept| {
                        kept != input && network.operators[..at].iter().any(|before| before.outputs[0] == kept)
                    })
                    .map(bytes)
                    .sum();
                let own = match &operator.op {
                    Op::Conv2d(_) => bytes(input) + bytes(output),
                    Op::DepthwiseConv2d { .. } => {
                        let shape = dims(input);
                        let taps = dims(operator.inputs[1])[1];
                        bytes(input).max(bytes(output)) + (shape[1] + taps - 1) * (shape[2] + taps - 1)
                    }
                    _ => 0,
                };
                sram = sram.max(own + kept);
                if let Some(&weights) = operator.inputs.get(1).filter(|id| network.tensor(**id).is_constant()) {
                    flash += bytes(weights) + 12 * dims(output).last().copied().unwrap_or(0);
                }
            }
            Ok(Figures { macs: smidgen_ir::cost::cost(network).macs, sram, flash, instructions: 0 })
        }
    }

    /// The winner as a step function of the budget of activations, as the published selection comes out by its own model
    /// of memory. Draws differ, so a boundary may be one step of 10 KiB off.
    #[test]
    fn a_t3_the_published_spaces_win() {
        let spaces = grid([224, 224], 3, 1000, Inputs::Squares);
        let winner = |sram: usize, flash: usize| {
            let budget = Budget { sram: Some(sram << 10), flash: Some(flash << 10), ..Budget::default() };
            let survey = survey(&spaces, (&budget, &Published), (100, 1), (&|| {}, &AtomicBool::new(false))).unwrap();
            let space = &survey.spaces[survey.chosen].space;
            (space.input[0], space.width)
        };
        for (sram, flash, side, width) in [
            (60, 1000, 80, 0.5),
            (150, 1000, 128, 0.5),
            (220, 1000, 160, 0.5),
            (270, 1000, 176, 0.5),
            (450, 2000, 160, 1.0),
        ] {
            assert_eq!(winner(sram, flash), (side, width), "{sram} KiB");
        }
    }

    #[test]
    fn drawing_more_is_drawing_all_at_once() {
        let spaces = grid([32, 32], 3, 10, Inputs::Squares);
        let budget = Budget { sram: Some(20_000), ..Budget::default() };
        let (done, stop): (&(dyn Fn() + Sync), _) = (&|| {}, AtomicBool::new(false));
        let (within, watch): ((_, &dyn Estimator), _) = ((&budget, &Published), (done, &stop));
        let whole = survey(&spaces, within, (12, 3), watch).unwrap();
        let parts = survey(&spaces, within, (5, 3), watch).unwrap().extended(within, 12, watch).unwrap();
        let told = |survey: &Survey| {
            let of = |s: &Surveyed| (s.drawn, s.macs.clone(), s.exceeded);
            (survey.chosen, survey.spaces.iter().map(of).collect::<Vec<_>>())
        };
        assert_eq!(told(&whole), told(&parts));
    }

    #[test]
    fn what_fits_nowhere_is_told() {
        let spaces = grid([32, 32], 3, 10, Inputs::Squares);
        let budget = Budget { sram: Some(100), ..Budget::default() };
        let error = survey(&spaces, (&budget, &Published), (5, 1), (&|| {}, &AtomicBool::new(false))).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("100 bytes of SRAM") && text.contains("width 0.2"), "{text}");
    }
}
