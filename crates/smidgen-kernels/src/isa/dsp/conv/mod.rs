//! Convolution: blocks of 3, 2 or 1 staged pixels by all pairs of channels, and the staging of their inputs.
//!
//! Formats: [`lanes`](crate::int8::mcu::lanes), [`nibbles`](crate::int8::mcu::nibbles),
//! [`epilogue`](crate::int8::mcu::epilogue) and [`conv2d`](crate::int8::mcu::conv2d).
//!
//! # Registers
//! `r0`, `r1` a word of weights of each channel, `r2`, `r3` their even weights widened, `r4`, `r5` a pixel's staged word pair, `r6` staged inputs,
//! `lr` weights; accumulators of channel 0 in `r7`, `r8`, `r9`, of channel 1 in `r10`, `r11`, `r12`, a pixel each. With two pixels `r4`, `r5`,
//! `r9`, `r12` hold both pixels' words. The last pixel's accumulators hold the starts of their channels until they themselves are
//! started, so that starting costs no moves.
//!
//! With weights of four bits `r0` is a word of weights of both channels, `r1`, `r2` one weight each as it meets the inputs, `r3` the mask that
//! extracts them. `r0` and `r2` are free for other things when the last of the word have been extracted.
//!
//! # Flow
//! For each pair of channels: its three words and four inputs, in line; then a jump into [`CHAIN`] unrolled steps of four inputs each, so
//! far from their end as there are steps left (again from the top for long dot products); then a jump to the tail, which finishes and
//! stores, and branches back for the next pair. What lives between these is in a [`Frame`] on the stack.

mod blocks;
mod stage;
pub(crate) mod variants;

use crate::int8::mcu::Epilogue;
use core::ptr::null;

/// Steps of four inputs that are unrolled.
const CHAIN: usize = 16;

/// A place in the code that the blocks jump to.
pub(crate) type Code = unsafe extern "C" fn();

/// A block: computes what its frame says.
///
/// # Safety
/// The frame's pointers must be good for as much as it says.
type Block = unsafe extern "C" fn(*const Frame);

/// Stages one block: as [`Stage`] says, `column` bytes further on, to as many words.
///
/// # Safety
/// The table's places must be good for reading the runs of all pixels, the last argument for writing their words.
pub(crate) type StageCode = unsafe extern "C" fn(*const u32, usize, usize, usize, usize, *mut u32);

/// The code for weights of some width.
pub(crate) trait Form {
    /// Accumulators are 2 to the power of this times as large as the products.
    const SCALE_BITS: u32;
    /// The block of so many pixels.
    fn block(pixels: usize) -> Block;
    /// Its unrolled steps, what is behind them, and where it is seen whether there are more.
    fn places(pixels: usize) -> [Code; 3];
    /// The code that stages so many pixels from runs of so many words.
    fn stage(pixels: usize, quads: usize) -> StageCode;
}

/// Weights of eight bits, see [`lanes`](crate::int8::mcu::lanes).
pub(crate) struct Eight;

/// Weights of four bits, see [`nibbles`](crate::int8::mcu::nibbles).
pub(crate) struct Four;

/// What all blocks of a layer with as many pixels share.
pub(crate) struct Layer<'a> {
    /// Pixels of a block, 1 to 3.
    pub pixels: usize,
    /// Groups of four inputs, at least 1.
    pub quads: usize,
    /// The layer's finish.
    pub epilogue: &'a Epilogue,
    /// The tail for it and for so many pixels.
    pub tail: Code,
    /// Starts of the channels that have one of their own.
    pub extras: *const u32,
    /// Staged inputs.
    pub staged: *const u32,
    /// From where they are staged; if from nowhere, they are already.
    pub stage: Option<Stage>,
}

/// Where blocks write.
pub(crate) struct Out {
    /// The first output of the first pixel.
    pub to: *mut i8,
    /// Bytes from pixel to pixel.
    pub pixel_stride: usize,
}

/// From where a block is staged: see [`Source`](crate::int8::mcu), whose table holds addresses here.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    /// Addresses of the first pixel's runs.
    pub table: *const u32,
    /// Number of runs.
    pub runs: usize,
    /// Words of a run, or 0 for three runs of nine bytes.
    pub quads: usize,
    /// Bytes from pixel to pixel.
    pub step: usize,
}

/// What the blocks keep in memory.
#[repr(C)]
pub(crate) struct Frame {
    /// Multipliers of the pair at hand; while staging, two arguments.
    multipliers: [u32; 2],
    out: *mut i8,
    pixel_stride: usize,
    offset: i32,
    tie: u32,
    out_end: *mut i8,
    staged: *const u32,
    low: u32,
    unit: i32,
    /// Where to jump into the chain.
    entry: usize,
    /// Where to go from its end.
    after: usize,
    staged_end: *const u32,
    tail: Code,
    extras: *const u32,
    weights: *const u32,
    blocks: usize,
    /// From where a block's last pair ended to the next block's first output, and from end to end.
    out_steps: [isize; 2],
    stage: Stage,
    column: usize,
    column_step: usize,
    stage_code: Option<StageCode>,
}

const _: () = assert!(size_of::<Frame>() == 104);

impl Layer<'_> {
    /// Computes `pairs` pairs of channels, whose words begin at `weights`, of `blocks` blocks; the inputs of the first block are `column` bytes
    /// behind their places.
    ///
    /// # Safety
    /// All pointers must be good for as much as that says.
    #[inline(always)]
    pub unsafe fn run<F: Form>(&self, weights: *const u32, pairs: usize, blocks: usize, out: &Out, column: usize) {
        let frame = Frame::new::<F>(self, weights, [pairs, blocks], out, column);
        // SAFETY: the caller's promise.
        unsafe { F::block(self.pixels)(&frame) }
    }
}

impl Frame {
    #[inline(always)]
    fn new<F: Form>(layer: &Layer, weights: *const u32, [pairs, blocks]: [usize; 2], out: &Out, column: usize) -> Self {
        let (pixels, epilogue) = (layer.pixels, layer.epilogue);
        let &Out { to: out, pixel_stride } = out;
        let stage = layer.stage.as_ref();
        let [chain, exit, check] = F::places(pixels).map(|code| code as *const () as usize);
        // The first step is in line.
        let left = layer.quads.wrapping_sub(1);
        let first = if left == 0 { 0 } else { left.wrapping_sub(1) % CHAIN + 1 };
        let tail = layer.tail as *const () as usize;
        let end_step = (pixels * pixel_stride) as isize;
        Self {
            multipliers: [0; 2],
            out,
            pixel_stride,
            offset: epilogue.offset,
            tie: if epilogue.by_sign { epilogue.tie } else { epilogue.tie / 2 },
            out_end: out.wrapping_add(2 * pairs),
            staged: layer.staged,
            low: epilogue.low << F::SCALE_BITS,
            unit: epilogue.unit,
            entry: if left == 0 { tail } else { exit - first * ((exit - chain) / CHAIN) },
            after: if left > CHAIN { check } else { tail },
            staged_end: layer.staged.wrapping_add(2 * pixels * layer.quads),
            tail: layer.tail,
            extras: layer.extras,
            weights,
            blocks,
            out_steps: [end_step - 2 * pairs as isize, end_step],
            stage: stage.copied().unwrap_or(Stage { table: null(), runs: 0, quads: 0, step: 0 }),
            column,
            column_step: stage.map_or(0, |stage| pixels * stage.step),
            stage_code: stage.map(|stage| F::stage(pixels, stage.quads)),
        }
    }
}
