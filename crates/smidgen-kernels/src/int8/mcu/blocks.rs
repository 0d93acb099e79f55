//! The inner blocks of the convolution: in assembly where there is some, else in Rust.

use super::epilogue::Epilogue;
use super::variants::EpilogueVariants;
use super::weights::Weights;
use crate::memory::{Arena, Around, Bounds, Flash};
use core::marker::PhantomData;
use core::ops::Index;

/// Memory that inputs are staged from.
pub(super) trait Inputs: Index<usize, Output = i8> {
    /// `count` inputs from `from` on.
    #[cfg_attr(all(target_arch = "arm", feature = "dsp"), expect(dead_code, reason = "for Rust"))]
    fn inputs(&self, from: usize, count: usize) -> &[i8];
}

impl<B: Bounds> Inputs for Arena<'_, i8, B> {
    #[inline(always)]
    fn inputs(&self, from: usize, count: usize) -> &[i8] {
        self.span(from, count)
    }
}

impl<B: Bounds> Inputs for Around<'_, i8, B> {
    #[inline(always)]
    fn inputs(&self, from: usize, count: usize) -> &[i8] {
        self.span(from, count)
    }
}

/// From where the inputs of blocks are staged: for each pixel several runs of inputs, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Source {
    /// Where among the staged words the [places](place) of the first pixel's runs are.
    pub table: usize,
    /// Number of runs.
    pub runs: usize,
    /// Groups of four inputs in a run. With 0 there are three runs of nine inputs: the first eight of each are two groups, and the last
    /// ones of all three together one.
    pub quads: usize,
    /// Elements from a pixel's runs to the next pixel's.
    pub step: usize,
}

/// A layer's blocks of some number of pixels.
pub(super) struct Block<'a, W, B: Bounds> {
    /// How weights are stored.
    pub weights: PhantomData<W>,
    /// Groups of four taps, at least 1.
    pub quads: usize,
    /// 1, 2 or 3.
    pub pixels: usize,
    /// Outputs of a pixel, at least 1.
    pub channels: usize,
    /// The layer's finish.
    pub epilogue: &'a Epilogue,
    /// Its tails.
    #[cfg_attr(not(all(target_arch = "arm", feature = "dsp")), expect(dead_code, reason = "for assembly"))]
    pub variants: EpilogueVariants,
    /// The layer's constant: for each pair of channels three words and those of each group; then the extras.
    pub packed: Flash<'a, u32, B>,
}

/// Where blocks that follow each other in a row are written.
pub(super) struct Target {
    /// Index of the first block's first output.
    pub to: usize,
    /// Elements from pixel to pixel.
    pub pixel_stride: usize,
    /// Number of blocks, at least 1.
    pub blocks: usize,
    /// Index in the memory of lines of two elements for each pixel of a block, needed if the number of channels is odd.
    #[cfg_attr(not(all(target_arch = "arm", feature = "dsp")), expect(dead_code, reason = "for assembly"))]
    pub alone: usize,
}

impl<W: Weights, B: Bounds> Block<'_, W, B> {
    /// Words of a pair of channels.
    const fn pair_words(&self) -> usize {
        3 + W::WIDTH.words(2) * self.quads
    }

    /// Where the extras begin in the constant.
    const fn extras(&self) -> usize {
        self.channels.div_ceil(2) * self.pair_words()
    }
}

#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
mod portable {
    use super::*;

    /// What a [`Source`] says of a run that begins at `index` of its memory.
    #[inline(always)]
    pub fn place(index: usize, _run: &[i8]) -> u32 {
        index as u32
    }

    /// Stages the inputs of `pixels` pixels from word `at` on. All runs begin `column` elements behind their places.
    #[inline(always)]
    pub fn stage<W: Weights, B: Bounds>(
        source: &Source,
        memory: &impl Inputs,
        column: usize,
        pixels: usize,
        staged: &mut Around<'_, u32, B>,
        at: usize,
    ) {
        for p in 0..pixels {
            let mut to = at + 2 * p;
            let column = column + p * source.step;
            for run in 0..source.runs {
                let from = staged[source.table + run] as usize + column;
                let quads = if source.quads == 0 { 2 } else { source.quads };
                W::stage_run(
                    memory.inputs(from, 4 * quads),
                    staged.span_mut(to, 2 * (pixels * (quads - 1) + 1)),
                    pixels,
                );
                to += 2 * pixels * quads;
            }
            if source.quads == 0 {
                let last = |run: usize| memory[staged[source.table + run] as usize + column + 8];
                let last = [last(0), last(1), last(2), 0];
                staged.store(to, W::stage(last));
            }
        }
    }

    impl<W: Weights, B: Bounds> Block<'_, W, B> {
        /// Computes all channels of blocks and stores them. The inputs are staged from `source`, a block's after the one's before it; without
        /// a source those of one block are staged already.
        #[inline(always)]
        pub fn run(
            &self,
            source: Option<&Source>,
            staged: &mut Around<'_, u32, B>,
            arena: &mut Around<'_, i8, B>,
            _lines: &mut Arena<'_, i8, B>,
            target: &Target,
        ) {
            for block in 0..target.blocks {
                if let Some(source) = source {
                    stage::<W, B>(source, arena, block * self.pixels * source.step, self.pixels, staged, 0);
                }
                let to = target.to + block * self.pixels * target.pixel_stride;
                for pair in 0..self.channels.div_ceil(2) {
                    self.pair(staged, arena, pair, to, target.pixel_stride);
                }
            }
        }

        #[inline(always)]
        fn pair(
            &self,
            staged: &Around<'_, u32, B>,
            arena: &mut Around<'_, i8, B>,
            pair: usize,
            to: usize,
            pixel_stride: usize,
        ) {
            let at = pair * self.pair_words();
            let channels = self.epilogue.without_own_shifts().pair_of(W::WIDTH, self.packed, at, self.extras());
            let start = [channels[0].start, channels[1].start];
            let all = self.accumulators(start, at + 3, staged);
            let to = to + 2 * pair;
            #[cfg(not(target_arch = "x86_64"))]
            for (c, channel) in channels.iter().enumerate().take(self.channels - 2 * pair) {
                let outputs = arena.pointer(to + c, (self.pixels - 1) * pixel_stride + 1);
                let sums = all.as_flattened().as_ptr().wrapping_add(c);
                // SAFETY: every second of the six sums is this channel's, and there are outputs for as many pixels.
                unsafe { crate::isa::scalar::finish(channel, (sums, 2), (outputs, pixel_stride), self.pixels) }
            }
            #[cfg(target_arch = "x86_64")]
            for (p, accs) in all.iter().enumerate().take(self.pixels) {
                let to = to + p * pixel_stride;
                arena[to] = self.epilogue.output(&channels[0], accs[0]);
                if 2 * pair + 1 < self.channels {
                    arena[to + 1] = self.epilogue.output(&channels[1], accs[1]);
                }
            }
        }

        /// Those of two channels, for each pixel; `at` is their first word of weights.
        #[inline(always)]
        fn accumulators(&self, start: [i32; 2], at: usize, staged: &Around<'_, u32, B>) -> [[i32; 2]; 3] {
            let words = self.packed.span(at, W::WIDTH.words(2) * self.quads);
            let staged = staged.span(0, 2 * self.pixels * self.quads);
            let none = [0; 2];
            match self.pixels {
                1 => {
                    let [first] = W::pair(start, words, staged);
                    [first, none, none]
                }
                2 => {
                    let [first, second] = W::pair(start, words, staged);
                    [first, second, none]
                }
                _ => W::pair(start, words, staged),
            }
        }
    }
}
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
pub(super) use portable::{place, stage};

#[cfg(all(target_arch = "arm", feature = "dsp"))]
mod dsp {
    use super::*;
    use crate::isa::dsp::conv::{Form, Layer, Out, Stage};

    /// As the portable one.
    #[inline(always)]
    pub fn place(_index: usize, run: &[i8]) -> u32 {
        run.as_ptr().addr() as u32
    }

    /// The words of a source, of which the table is among the staged ones.
    #[inline(always)]
    fn words<B: Bounds>(source: &Source, staged: &Around<'_, u32, B>) -> Stage {
        let table = staged.span(source.table, source.runs).as_ptr();
        Stage { table, runs: source.runs, quads: source.quads, step: source.step }
    }

    /// As the portable one.
    #[inline(always)]
    pub fn stage<W: Weights, B: Bounds>(
        source: &Source,
        _memory: &impl Inputs,
        column: usize,
        pixels: usize,
        staged: &mut Around<'_, u32, B>,
        at: usize,
    ) {
        let stage = words(source, staged);
        let count = if source.quads == 0 { 7 } else { source.runs * source.quads };
        let to = staged.pointer(at, 2 * pixels * count);
        // SAFETY: the places are those of runs that are this long for each pixel, and there is room for their words.
        unsafe { W::Form::stage(pixels, source.quads)(stage.table, stage.runs, stage.quads, stage.step, column, to) }
    }

    impl<W: Weights, B: Bounds> Block<'_, W, B> {
        /// As the portable one.
        #[inline(always)]
        pub fn run(
            &self,
            source: Option<&Source>,
            staged: &mut Around<'_, u32, B>,
            arena: &mut Around<'_, i8, B>,
            lines: &mut Arena<'_, i8, B>,
            target: &Target,
        ) {
            let pairs = self.channels / 2;
            let stage = source.map(|source| words(source, staged));
            let mut layer = Layer {
                pixels: self.pixels,
                quads: self.quads,
                epilogue: self.epilogue,
                // Not an index, which could panic.
                tail: match (self.pixels, self.variants.conv) {
                    (1, [tail, ..]) | (2, [_, tail, _]) | (_, [.., tail]) => tail,
                },
                extras: self.packed.span(self.extras(), self.epilogue.extras as usize).as_ptr(),
                staged: staged.span(0, 2 * self.pixels * self.quads).as_ptr(),
                stage,
            };
            // What is alone is computed a block at a time, by way of the lines, after the block's pairs. All calls are made from one place, so
            // that the frame is on the stack once.
            let is_odd = self.channels % 2 == 1;
            let (calls, blocks) = if is_odd { (2 * target.blocks, 1) } else { (1, target.blocks) };
            for call in 0..calls {
                let is_alone = call % 2 == 1;
                let to = target.to + call / 2 * self.pixels * target.pixel_stride;
                let column = source.map_or(0, |source| call / 2 * self.pixels * source.step);
                let (first, count) = if is_alone { (pairs, 1) } else { (0, pairs) };
                if count == 0 {
                    continue;
                }
                let out = if is_alone {
                    Out { to: lines.pointer(target.alone, 2 * self.pixels), pixel_stride: 2 }
                } else {
                    let elements = (blocks * self.pixels - 1) * target.pixel_stride + 2 * pairs;
                    Out { to: arena.pointer(to, elements), pixel_stride: target.pixel_stride }
                };
                if is_alone && pairs > 0 {
                    // Still staged; where the inputs were, outputs may be by now.
                    layer.stage = None;
                } else {
                    layer.stage = stage;
                }
                let weights = self.packed.span(first * self.pair_words(), count * self.pair_words()).as_ptr();
                // SAFETY: constant, inputs, staged inputs and outputs are as many as is said.
                unsafe { layer.run::<W::Form>(weights, count, blocks, &out, column) }
                if is_alone {
                    for p in 0..self.pixels {
                        arena[to + p * target.pixel_stride + self.channels - 1] = lines[target.alone + 2 * p];
                    }
                }
            }
        }
    }
}
#[cfg(all(target_arch = "arm", feature = "dsp"))]
pub(super) use dsp::{place, stage};
