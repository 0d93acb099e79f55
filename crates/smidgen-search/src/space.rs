//! Which networks there are.

use crate::backbone::Backbone;
use crate::candidate::{Candidate, Gene};
use crate::error::SearchError;
use smidgen_train::{Activation, Block, Net, TrainError, network_of_blocks, network_with_spares, scaled};
use std::sync::Arc;

/// The first convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stem {
    /// Channels, before the width multiplier.
    pub channels: usize,
    /// Its pixels between windows.
    pub stride: usize,
}

/// Blocks of one size of image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stage {
    /// Channels of each block's output, before the width multiplier.
    pub channels: usize,
    /// Pixels between windows of the first block; those of the others are 1.
    pub stride: usize,
    /// How many blocks there may be, rising.
    pub depths: &'static [usize],
}

/// What the networks of all widths and resolutions have in common: a convolution, a depthwise separable block, stages of
/// inverted residuals, the mean of all pixels, a fully connected layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Skeleton {
    /// Its name.
    pub name: &'static str,
    /// The first convolution, 3x3.
    pub stem: Stem,
    /// Channels of the block behind it, whose depthwise convolution is 3x3 and that has no expansion.
    pub first: usize,
    /// What follows.
    pub stages: &'static [Stage],
    /// Taps of a block's depthwise convolution, each way: rising, odd.
    pub kernels: &'static [usize],
    /// Channels in the middle of a block, for each of its input: rising.
    pub expansions: &'static [usize],
    /// In so many stages from the first on, blocks may be [fused](Block::Fused), with 3 taps each way.
    pub fused: usize,
}

/// Images with fewer rows or columns than this get the small skeletons; below twice as many, the medium one beside the
/// mobile one.
const SMALL: usize = 48;
/// Small pictures are tried from this side on.
const LEAST: usize = 12;

const fn stage(channels: usize, stride: usize, depths: &'static [usize]) -> Stage {
    Stage { channels, stride, depths }
}

/// Blocks of a stage as published, ...
const DEEP: &[usize] = &[2, 3, 4];
/// ... of one where there are few stages, or that a pretrained network has (the first so many), ...
pub(crate) const ANY: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8];
const FEW: &[usize] = &[1, 2, 3, 4];
/// ... and of the last.
const ONE: &[usize] = &[1];

impl Skeleton {
    /// MCUNet's mobile space (Lin et al. 2020, section 3.1, with the channels of ProxylessNAS): pixels become fewer by 32
    /// each way.
    pub const MOBILE: Self = Self {
        name: "mobile",
        stem: Stem { channels: 32, stride: 2 },
        first: 16,
        stages: &[
            stage(24, 2, DEEP),
            stage(40, 2, DEEP),
            stage(80, 2, DEEP),
            stage(96, 1, DEEP),
            stage(192, 2, DEEP),
            stage(320, 1, ONE),
        ],
        kernels: &[3, 5, 7],
        expansions: &[3, 4, 6],
        fused: 0,
    };

    /// The same with pixels that become fewer by 16 each way: images of 48 to 96 pixels would be 2 or 3 at the end.
    pub const MEDIUM: Self = Self {
        name: "medium",
        stages: &[
            stage(24, 1, DEEP),
            stage(40, 2, DEEP),
            stage(80, 2, DEEP),
            stage(96, 1, DEEP),
            stage(192, 2, DEEP),
            stage(320, 1, ONE),
        ],
        ..Self::MOBILE
    };

    /// For images of a few dozen pixels each way, as those of CIFAR-10 or spectrograms are: fewer stages, and pixels that
    /// become fewer by 4 each way.
    pub const SMALL: Self = Self {
        name: "small",
        stem: Stem { channels: 32, stride: 1 },
        stages: &[stage(24, 1, FEW), stage(40, 2, FEW), stage(80, 2, FEW), stage(160, 1, ONE)],
        ..Self::MOBILE
    };

    /// The same with half the pixels from its first stage on: where rows of the whole image are more than memory holds.
    pub const EARLY: Self = Self {
        name: "early",
        stages: &[stage(24, 2, FEW), stage(40, 1, FEW), stage(80, 2, FEW), stage(160, 1, ONE)],
        ..Self::SMALL
    };

    /// [`SMALL`](Self::SMALL) with blocks that may be fused in its first stages: where SRAM is what there is too little of,
    /// they compute more with it.
    pub const FUSED: Self = Self { name: "fused", fused: 2, ..Self::SMALL };

    /// The same of [`EARLY`](Self::EARLY).
    pub const EARLY_FUSED: Self = Self { name: "early-fused", fused: 2, ..Self::EARLY };

    /// The cuts of a pretrained network: what it has of stages it says itself. Expansions count sixths of the channels
    /// that are in the middle of its blocks.
    pub const BACKBONE: Self = Self { name: "backbone", stages: &[], ..Self::MOBILE };

    /// The skeletons for images of this size.
    pub fn of(rows: usize, columns: usize) -> &'static [Self] {
        match rows.min(columns) {
            0..SMALL => &[Self::SMALL, Self::EARLY, Self::FUSED, Self::EARLY_FUSED],
            SMALL..96 => &[Self::MOBILE, Self::MEDIUM],
            _ => &[Self::MOBILE],
        }
    }
}

/// The networks of one skeleton, width and input: they differ in depths, kernels and expansions.
#[derive(Clone, PartialEq, Debug)]
pub struct Space {
    /// What they have in common.
    pub skeleton: Skeleton,
    /// Multiplies every number of channels, which is then brought to a multiple of 8.
    pub width: f64,
    /// Rows, columns and channels of the input.
    pub input: [usize; 3],
    /// Outputs.
    pub classes: usize,
    /// The pretrained network whose cuts they are, with the skeleton [`BACKBONE`](Skeleton::BACKBONE); its channels are
    /// multiplied by nothing.
    pub backbone: Option<Arc<Backbone>>,
}

impl Space {
    /// The space of the first skeleton that suits an input.
    pub fn new(width: f64, input: [usize; 3], classes: usize) -> Self {
        Self { skeleton: Skeleton::of(input[0], input[1])[0], width, input, classes, backbone: None }
    }

    /// The cuts of a pretrained network, at the resolutions of a [`grid`] for pictures of these sides.
    pub fn cuts(backbone: &Arc<Backbone>, own: [usize; 2], classes: usize, inputs: Inputs) -> Vec<Self> {
        let channels = backbone.channels();
        let of = |[rows, columns]: [usize; 2]| Self {
            skeleton: Skeleton::BACKBONE,
            width: 1.0,
            input: [rows, columns, channels],
            classes,
            backbone: Some(backbone.clone()),
        };
        sides_of(own, inputs).into_iter().map(of).collect()
    }

    /// The stages whose depths are chosen.
    pub(crate) fn stages(&self) -> &[Stage] {
        match &self.backbone {
            Some(backbone) => backbone.stages(),
            None => self.skeleton.stages,
        }
    }

    /// Blocks of a network with all of them, stage by stage.
    fn staged(&self) -> impl Iterator<Item = (usize, usize, &Stage)> {
        let most = |stage: &Stage| stage.depths.last().copied().unwrap_or(0);
        self.stages().iter().enumerate().flat_map(move |(at, stage)| (0..most(stage)).map(move |n| (at, n, stage)))
    }

    /// Whether blocks of a stage may be fused.
    pub(crate) fn may_fuse(&self, stage: usize) -> bool {
        stage < self.skeleton.fused
    }

    /// The network that all share their weights with: the largest, with the weights of fused blocks beside those that it
    /// has in their place.
    ///
    /// # Errors
    /// If the input has no pixels, or there are no classes.
    pub fn union(&self) -> Result<Net, TrainError> {
        let mut fused = self.largest();
        for (gene, (stage, _)) in fused.genes.iter_mut().zip(self.places()) {
            gene.fused = self.may_fuse(stage);
            gene.kernel = if gene.fused { self.smallest().genes[0].kernel } else { gene.kernel };
        }
        let spares = self.placed_blocks(&fused).into_iter();
        let spares: Vec<_> = spares.filter(|(_, block)| matches!(block, Block::Fused { .. })).collect();
        network_with_spares(self.input, &self.blocks(&self.largest()), &spares, self.classes)
    }

    /// Taps each way that the block of each [slot](Self::slots) has at most.
    pub(crate) fn most_taps(&self) -> Vec<usize> {
        let all = |backbone: &Arc<Backbone>| backbone.most_taps();
        let most = self.skeleton.kernels.last().copied().unwrap_or(1);
        self.backbone.as_ref().map_or_else(|| vec![most; self.slots()], all)
    }

    /// The weights that the largest network begins with, if it is that of a pretrained one: what that does not say (the
    /// last layer for other classes) follows from the seed.
    ///
    /// # Errors
    /// If the input has no pixels, or there are no classes.
    pub fn pretrained(&self, seed: u64) -> Result<Option<Vec<f32>>, TrainError> {
        let Some(backbone) = &self.backbone else { return Ok(None) };
        let net = self.net(&self.largest())?;
        let mut parameters = net.initial_parameters(seed);
        backbone.give(&net, &mut parameters);
        Ok(Some(parameters))
    }

    /// How many networks there are.
    pub fn count(&self) -> f64 {
        let expansions = self.skeleton.expansions.len();
        let genes =
            |stage: usize| (expansions * (self.skeleton.kernels.len() + usize::from(self.may_fuse(stage)))) as f64;
        let of =
            |(at, stage): (usize, &Stage)| stage.depths.iter().map(|&depth| genes(at).powi(depth as i32)).sum::<f64>();
        self.stages().iter().enumerate().map(of).product()
    }

    /// Blocks of the largest network behind the first two.
    pub fn slots(&self) -> usize {
        self.staged().count()
    }

    fn uniform(&self, pick: fn(&[usize]) -> Option<&usize>) -> Candidate {
        let of = |all: &[usize]| pick(all).copied().unwrap_or(1);
        let gene = Gene { kernel: of(self.skeleton.kernels), expansion: of(self.skeleton.expansions), fused: false };
        let depths = self.stages().iter().map(|stage| of(stage.depths)).collect();
        let genes = self.most_taps().into_iter().map(|taps| Gene { kernel: gene.kernel.min(taps), ..gene });
        Candidate { depths, genes: genes.collect() }
    }

    /// The network with everything.
    pub fn largest(&self) -> Candidate {
        self.uniform(<[usize]>::last)
    }

    /// The network with the least of everything.
    pub fn smallest(&self) -> Candidate {
        self.uniform(<[usize]>::first)
    }

    /// The blocks of a candidate, one after the other.
    pub fn blocks(&self, candidate: &Candidate) -> Vec<Block> {
        self.placed_blocks(candidate).into_iter().map(|(_, block)| block).collect()
    }

    /// A candidate as a network to train, `[rows, columns, channels]` to `[classes]`.
    ///
    /// # Errors
    /// If the input has no pixels, or there are no classes.
    pub fn net(&self, candidate: &Candidate) -> Result<Net, TrainError> {
        network_of_blocks(self.input, &self.blocks(candidate), self.classes)
    }

    /// The blocks of a candidate, each with its place among those of the [largest](Self::largest).
    pub(crate) fn placed_blocks(&self, candidate: &Candidate) -> Vec<(usize, Block)> {
        if let Some(backbone) = &self.backbone {
            return backbone.cut(candidate);
        }
        let of = |channels: usize| scaled(channels, self.width);
        let (skeleton, activation) = (&self.skeleton, Activation::Relu6);
        let Stem { channels, stride } = skeleton.stem;
        let mut channels = of(channels);
        let mut blocks = vec![(0, Block::Conv { filters: channels, kernel: [3; 2], stride, activation })];
        let filters = of(skeleton.first);
        blocks.push((1, Block::Inverted { middle: channels, filters, kernel: 3, stride: 1, activation }));
        channels = filters;
        for (slot, ((at, block, stage), gene)) in self.staged().zip(&candidate.genes).enumerate() {
            if block >= candidate.depths[at] {
                continue;
            }
            let (filters, kernel) = (of(stage.channels), gene.kernel);
            let stride = if block == 0 { stage.stride } else { 1 };
            let middle = scaled(channels * gene.expansion, 1.0);
            let block = match gene.fused {
                true => Block::Fused { middle, filters, kernel, stride, activation },
                false => Block::Inverted { middle, filters, kernel, stride, activation },
            };
            blocks.push((2 + slot, block));
            channels = filters;
        }
        blocks
    }

    /// The stage of each [slot](Self::slots), and its number there.
    pub(crate) fn places(&self) -> Vec<(usize, usize)> {
        self.staged().map(|(stage, block, _)| (stage, block)).collect()
    }

    /// The place of each [slot](Self::slots) among the blocks of the [largest](Self::largest).
    pub(crate) fn block_of_slots(&self) -> Vec<usize> {
        match &self.backbone {
            Some(backbone) => backbone.places(),
            None => (2..2 + self.slots()).collect(),
        }
    }

    /// Fails where samples of this shape are no images.
    ///
    /// # Errors
    /// If there are not three dimensions, or one is 0.
    pub fn input_of(shape: &[usize]) -> Result<[usize; 3], SearchError> {
        <[usize; 3]>::try_from(shape)
            .ok()
            .filter(|sides| sides.iter().all(|&side| side > 0))
            .ok_or_else(|| SearchError::Input { shape: shape.to_vec() })
    }
}

/// Width multipliers of the grid.
const WIDTHS: [f64; 9] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Which inputs a [`grid`] has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inputs {
    /// The samples' own size and no other.
    Own,
    /// Squares.
    Squares,
    /// About the samples' own proportions of rows to columns, with as many pixels as the squares have.
    Proportional,
}

/// The spaces that the first stage looks at: nine widths, and for pictures resolutions of 48, 64, ... to 224 (Lin et al.
/// 2020, section 3.1), or up to the pictures' own sides where these are smaller; of pictures below 48 pixels 12, 16, ...
/// and their own side. Pictures of less than 96 pixels get two skeletons. `own` are the sides of the pictures, or of
/// other arrays.
pub fn grid(own: [usize; 2], channels: usize, classes: usize, inputs: Inputs) -> Vec<Space> {
    // By the pictures' own size: the published grid is one of large pictures, at every resolution.
    let skeletons = Skeleton::of(own[0], own[1]);
    let of = |[rows, columns]: [usize; 2]| {
        let input = [rows, columns, channels];
        let of =
            move |&skeleton: &Skeleton| WIDTHS.map(|width| Space { skeleton, width, input, classes, backbone: None });
        skeletons.iter().flat_map(of)
    };
    sides_of(own, inputs).into_iter().flat_map(of).collect()
}

/// The inputs' rows and columns of a grid for samples of these sides.
fn sides_of(own: [usize; 2], inputs: Inputs) -> Vec<[usize; 2]> {
    let least = own[0].min(own[1]);
    let ratio = own[0].max(1) as f64 / own[1].max(1) as f64;
    // Of the area of a square, each side a multiple of `step`.
    let sized = |side: usize, step: usize| match inputs {
        Inputs::Own | Inputs::Squares => [side; 2],
        Inputs::Proportional => [ratio.sqrt(), 1.0 / ratio.sqrt()].map(|factor| {
            let wanted = side as f64 * factor / step as f64;
            (wanted.round() as usize * step).max(8)
        }),
    };
    let (most, last) = match inputs {
        Inputs::Own => return vec![own],
        Inputs::Squares => (least, [least.max(8); 2]),
        Inputs::Proportional => (((own[0] * own[1]) as f64).sqrt() as usize, own.map(|side| side.max(8))),
    };
    let mut sides: Vec<[usize; 2]> = if least < SMALL {
        let most = most.max(8);
        (LEAST.min(most)..most).step_by(4).map(|side| sized(side, 2)).chain([last]).collect()
    } else {
        (SMALL..=224).step_by(16).filter(|&side| side <= most.next_multiple_of(16)).map(|side| sized(side, 4)).collect()
    };
    sides.dedup();
    sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_have_the_published_number_of_networks() {
        let space = Space::new(0.5, [160, 160, 3], 1000);
        // Five stages of 9^2 + 9^3 + 9^4, and nine last blocks.
        assert_eq!(space.count(), 7371f64.powi(5) * 9.0);
        assert_eq!(space.slots(), 21);
        assert_eq!(grid([480, 640], 3, 1000, Inputs::Squares).len(), 108);
        assert_eq!(grid([32, 32], 3, 10, Inputs::Squares).len(), 216);
        assert_eq!(grid([9, 30], 3, 10, Inputs::Squares).len(), 36);
        assert_eq!(grid([49, 10], 1, 12, Inputs::Own).len(), 36);
        assert_eq!(grid([64, 64], 3, 200, Inputs::Squares).len(), 36);
    }

    #[test]
    fn inputs_keep_the_proportions_of_pictures() {
        let sides = |own: [usize; 2]| -> Vec<[usize; 2]> {
            let spaces = grid(own, 3, 10, Inputs::Proportional);
            let mut sides: Vec<_> = spaces.iter().map(|space| [space.input[0], space.input[1]]).collect();
            sides.dedup();
            sides
        };
        let large = sides([480, 640]);
        assert_eq!((large.len(), large[0], large[11]), (12, [40, 56], [192, 260]));
        for own in [[480, 640], [1920, 1080], [100, 300], [64, 48]] {
            let ratio = own[0] as f64 / own[1] as f64;
            for [rows, columns] in sides(own) {
                let off = rows as f64 / columns as f64 / ratio;
                assert!((0.88..1.13).contains(&off), "{rows}x{columns} of {own:?}");
            }
        }
        // Squares of the same number of pixels take as long.
        let pixels = large[3][0] * large[3][1];
        assert!((96 * 96 * 9 / 10..=96 * 96 * 11 / 10).contains(&pixels), "{pixels}");
        let small = sides([20, 40]);
        assert!(small.last() == Some(&[20, 40]) && small.len() > 3, "{small:?}");
        assert_eq!(sides([1, 1]), [[8, 8]]);
        // Squares stay what they are.
        assert_eq!(grid([300, 300], 3, 10, Inputs::Proportional), grid([300, 300], 3, 10, Inputs::Squares));
    }

    #[test]
    fn the_first_blocks_are_those_of_the_published_networks() {
        let space = Space::new(0.5, [160, 160, 3], 1000);
        let blocks = space.blocks(&space.smallest());
        assert_eq!(blocks.len(), 2 + 5 * 2 + 1);
        let Block::Inverted { middle, filters, kernel, stride, .. } = blocks[2] else { panic!("{blocks:?}") };
        assert_eq!((middle, filters, kernel, stride), (24, 16, 3, 2));
        // The second block of the second stage has its place behind those of a first stage with four blocks.
        assert_eq!(space.placed_blocks(&space.smallest())[5].0, 2 + 4 + 1);
    }
}
