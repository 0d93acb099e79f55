//! One network of a space.

use crate::space::Space;
use serde::{Deserialize, Serialize};
use smidgen_train::Random;

/// What is chosen for a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Gene {
    /// Taps of its depthwise convolution, each way.
    pub kernel: usize,
    /// Channels in its middle, for each of its input.
    pub expansion: usize,
    /// One convolution in place of the expansion and the depthwise one.
    #[serde(default, skip_serializing_if = "is_not")]
    pub fused: bool,
}

/// Left out where nothing is fused: so records of spaces without such blocks stay what they are.
fn is_not(fused: &bool) -> bool {
    !fused
}

/// The choices that make a network of a [`Space`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// For each stage, how many of its blocks there are.
    pub depths: Vec<usize>,
    /// For each block of the largest network, what is chosen: also for those that are not there.
    pub genes: Vec<Gene>,
}

/// One of these.
fn one(random: &mut Random, of: &[usize]) -> usize {
    of[random.below(of.len())]
}

impl Candidate {
    /// Draws evenly: the depth of each stage, kernel and expansion of each block.
    pub fn draw(space: &Space, random: &mut Random) -> Self {
        let skeleton = &space.skeleton;
        let depths = space.stages().iter().map(|stage| one(random, stage.depths)).collect();
        // What cannot be fused draws nothing more.
        let gene = |(stage, _): (usize, usize)| Gene {
            kernel: one(random, skeleton.kernels),
            expansion: one(random, skeleton.expansions),
            fused: space.may_fuse(stage) && random.below(2) == 1,
        };
        let genes = space.places().into_iter().map(gene).collect();
        Self { depths, genes }.settled(space)
    }

    /// Every choice is made anew with a chance of `rate`.
    pub fn mutated(&self, space: &Space, rate: f32, random: &mut Random) -> Self {
        let skeleton = &space.skeleton;
        let mut new = self.clone();
        for (depth, stage) in new.depths.iter_mut().zip(space.stages()) {
            if random.unit() < rate {
                *depth = one(random, stage.depths);
            }
        }
        for (gene, (stage, _)) in new.genes.iter_mut().zip(space.places()) {
            if space.may_fuse(stage) && random.unit() < rate {
                gene.fused = random.below(2) == 1;
            }
            if random.unit() < rate {
                gene.kernel = one(random, skeleton.kernels);
            }
            if random.unit() < rate {
                gene.expansion = one(random, skeleton.expansions);
            }
        }
        new.settled(space)
    }

    /// Every choice is that of one of the two.
    pub fn crossed(&self, other: &Self, space: &Space, random: &mut Random) -> Self {
        let depths = self.depths.iter().zip(&other.depths);
        let depths = depths.map(|(&a, &b)| if random.below(2) == 0 { a } else { b }).collect();
        let mut genes = Vec::with_capacity(self.genes.len());
        for ((a, b), (stage, _)) in self.genes.iter().zip(&other.genes).zip(space.places()) {
            let kernel = if random.below(2) == 0 { a.kernel } else { b.kernel };
            let expansion = if random.below(2) == 0 { a.expansion } else { b.expansion };
            let fused = space.may_fuse(stage) && if random.below(2) == 0 { a.fused } else { b.fused };
            genes.push(Gene { kernel, expansion, fused });
        }
        Self { depths, genes }.settled(space)
    }

    /// Every choice gives way to the least one with a chance of `part`.
    pub fn shrunk(&self, space: &Space, part: f32, random: &mut Random) -> Self {
        let least = space.smallest();
        let mut new = self.clone();
        for (depth, &least) in new.depths.iter_mut().zip(&least.depths) {
            *depth = if random.unit() < part { least } else { *depth };
        }
        for (gene, least) in new.genes.iter_mut().zip(&least.genes) {
            gene.kernel = if random.unit() < part { least.kernel } else { gene.kernel };
            gene.expansion = if random.unit() < part { least.expansion } else { gene.expansion };
            gene.fused = gene.fused && random.unit() >= part;
        }
        new.settled(space)
    }

    /// The same with the least choices for blocks that are not there, and no more taps than a block has at most, so that
    /// equal networks are equal.
    fn settled(mut self, space: &Space) -> Self {
        let least = space.smallest();
        let slots = space.places().into_iter().zip(space.most_taps());
        for ((gene, least), ((stage, block), taps)) in self.genes.iter_mut().zip(&least.genes).zip(slots) {
            if block >= self.depths[stage] {
                *gene = *least;
            }
            gene.kernel = if gene.fused { least.kernel } else { gene.kernel.min(taps) };
        }
        self
    }

    /// True if all of its choices are those of a space.
    pub fn is_of(&self, space: &Space) -> bool {
        let skeleton = &space.skeleton;
        let known =
            |gene: &Gene| skeleton.kernels.contains(&gene.kernel) && skeleton.expansions.contains(&gene.expansion);
        self.depths.len() == space.stages().len()
            && self.genes.len() == space.slots()
            && self.depths.iter().zip(space.stages()).all(|(depth, stage)| stage.depths.contains(depth))
            && self.genes.iter().all(known)
            && self.genes.iter().zip(space.places()).all(|(gene, (stage, _))| !gene.fused || space.may_fuse(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Inputs, grid};
    use smidgen_train::Block;

    #[test]
    fn what_is_drawn_is_of_the_space() {
        let space = Space::new(0.5, [96, 96, 3], 2);
        let mut random = Random::new(7);
        let (mut last, mut depths) = (space.smallest(), [0; 5]);
        for _ in 0..300 {
            let drawn = Candidate::draw(&space, &mut random);
            let child = drawn.crossed(&last, &space, &mut random).mutated(&space, 0.1, &mut random);
            assert!(drawn.is_of(&space) && child.is_of(&space));
            depths[drawn.depths[0]] += 1;
            last = child;
        }
        assert!(depths[2..].iter().all(|&n| (70..130).contains(&n)), "{depths:?}");
        assert_eq!(last, last.mutated(&space, 0.0, &mut random));
        assert_eq!(last, last.crossed(&last, &space, &mut random));
    }

    /// Half of the blocks that can be fused are, others never; and records without the word are read.
    #[test]
    fn blocks_are_fused_where_the_space_says() {
        let spaces = grid([32, 32], 3, 10, Inputs::Own);
        let fused = spaces.iter().find(|space| space.skeleton.fused > 0 && space.width == 0.4).unwrap();
        let mut random = Random::new(3);
        let (mut count, mut all, mut last) = (0, 0, fused.smallest());
        for _ in 0..200 {
            let drawn = Candidate::draw(fused, &mut random);
            let child = drawn.crossed(&last, fused, &mut random).mutated(fused, 0.2, &mut random);
            assert!(drawn.is_of(fused) && child.is_of(fused) && child.shrunk(fused, 0.5, &mut random).is_of(fused));
            for (gene, (stage, block)) in drawn.genes.iter().zip(fused.places()) {
                let there = block < drawn.depths[stage] && fused.may_fuse(stage);
                (count, all) = (count + usize::from(gene.fused), all + usize::from(there));
                assert!(!gene.fused || there && gene.kernel == 3);
            }
            let blocks = fused.blocks(&drawn).iter().filter(|block| matches!(block, Block::Fused { .. })).count();
            assert_eq!(blocks, drawn.genes.iter().filter(|gene| gene.fused).count());
            let text = serde_json::to_string(&drawn).unwrap();
            assert_eq!(serde_json::from_str::<Candidate>(&text).unwrap(), drawn);
            last = child;
        }
        assert!((2 * count).abs_diff(all) < all / 10, "{count} of {all}");
        let old: Gene = serde_json::from_str(r#"{"kernel": 5, "expansion": 4}"#).unwrap();
        assert_eq!(old, Gene { kernel: 5, expansion: 4, fused: false });
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"kernel":5,"expansion":4}"#);
        assert!(!last.is_of(&spaces[0]) || last.genes.iter().all(|gene| !gene.fused));
    }

    #[test]
    fn equal_networks_are_equal() {
        let space = Space::new(0.5, [96, 96, 3], 2);
        let mut random = Random::new(1);
        for _ in 0..50 {
            let drawn = Candidate::draw(&space, &mut random);
            let mut other = drawn.clone();
            for (gene, (stage, block)) in other.genes.iter_mut().zip(space.places()) {
                if block >= drawn.depths[stage] {
                    *gene = Gene { kernel: 7, expansion: 6, fused: false };
                }
            }
            assert_eq!(space.blocks(&drawn), space.blocks(&other));
            assert_eq!(other.settled(&space), drawn);
        }
    }
}
