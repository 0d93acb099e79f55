//! CONV_2D in blocks of up to three pixels by two channels.
//!
//! What the windows of a block's pixels cover is staged once, as [lanes](super::lanes), the pixels interleaved; then each pair of channels is one run
//! through its weights and through the staged inputs. Padding is staged as the input's zero point.
//!
//! # The constant
//! For each pair of channels its three [words](super::epilogue), then for each four taps of the patch `[KH, KW, C]` a [word of
//! weights](super::lanes) of either channel, or [one of both](super::nibbles) where weights have four bits; zeros fill up the last four, and
//! a last channel without a partner. After all pairs the extras of the finish.
//!
//! Weights with zero points are computed likewise, see [`offset`].

use super::blocks::{self, Block, Source, Target};
use super::epilogue::Epilogue;
use super::variants::EpilogueVariants;
use super::weights::{Eight, Four, Weights, Width};
use crate::geometry::Window2d;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, View, Views};
use core::marker::PhantomData;
use core::ops::Range;

mod offset;

pub use offset::{
    conv2d_offset, conv2d_offset_channel_parameters, conv2d_offset_pack, conv2d_offset_quads, conv2d_offset_scratch,
    conv2d_offset_words,
};

/// Pixels of a block, at most.
pub const CONV2D_PIXELS: usize = 3;

/// Patches of up to so many elements are put together as a whole, longer ones row by row.
const SHORT: usize = 160;

/// What only the window says of the form of scratch and constant.
#[derive(Clone, Copy)]
struct Layout {
    /// Groups of four taps.
    quads: usize,
    /// Groups of four behind them that hold the sum of a window's inputs; see [`offset`].
    sums: usize,
    /// Pixels of a block.
    pixels: usize,
    /// Elements of a row of the window.
    row: usize,
    /// How patches are staged.
    mode: Mode,
    /// Elements of a line, where a pixel's inputs are put together if they cannot be staged from where they are.
    line: usize,
}

/// How patches are staged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Row by row of the window, whose rows are multiples of four.
    Rows,
    /// Three rows of nine, see [`Source`].
    Nines,
    /// As a whole, put together in lines.
    Whole,
}

impl Layout {
    const fn of(window: &Window2d) -> Self {
        let row = window.size[1] * window.input[2];
        let quads = window.patch().div_ceil(4);
        let pixels = if window.output[1] < CONV2D_PIXELS { window.output[1] } else { CONV2D_PIXELS };
        let mode = match row % 4 {
            0 => Mode::Rows,
            _ if row == 9 && window.size[0] == 3 => Mode::Nines,
            _ => Mode::Whole,
        };
        let line = match mode {
            Mode::Rows if is_inside(window, 0) && is_inside(window, 1) => 0,
            Mode::Rows if window.patch() > SHORT => row,
            _ => 4 * quads,
        };
        Self { quads, sums: 0, pixels, row, mode, line }
    }

    /// The same for weights with zero points.
    const fn with_sums(window: &Window2d) -> Self {
        Self { sums: offset::sums(window), ..Self::of(window) }
    }

    /// Words of staged inputs.
    const fn staged(&self) -> usize {
        self.pixels * 2 * (self.quads + self.sums)
    }

    /// Words of a pair of channels.
    const fn pair_words(&self, width: Width) -> usize {
        3 + width.words(2) * (self.quads + self.sums)
    }

    /// Bytes of scratch.
    const fn scratch(&self, window: &Window2d) -> usize {
        4 * (self.staged() + self.table(window)) + line_bytes(window).next_multiple_of(4)
    }

    /// Places of runs: those of the rows of the window, and three for lines.
    const fn table(&self, window: &Window2d) -> usize {
        window.size[0] + 3
    }
}

/// True if along an axis the window is a single tap that never lies in the padding, so that it can be staged from where it is.
const fn is_inside(window: &Window2d, axis: usize) -> bool {
    let last = window.output[axis].saturating_sub(1) * window.stride[axis];
    window.size[axis] == 1 && window.before[axis] == 0 && last < window.input[axis]
}

/// Columns of the output whose windows can be staged from where they are, in rows whose windows lie inside the input. `is_dense`: an
/// input pixel follows the other.
#[inline(always)]
fn columns_in_place(window: &Window2d, mode: Mode, is_dense: bool) -> Range<usize> {
    let [taps, stride] = [window.size[1], window.stride[1].max(1)];
    let is_joined = taps == 1 || (window.dilation[1] == 1 && is_dense);
    if !is_joined || mode == Mode::Whole {
        return 0..0;
    }
    let end = (window.input[1] + window.before[1] + stride).saturating_sub(taps) / stride;
    window.before[1].div_ceil(stride)..end
}

/// Columns of the output whose windows are staged from where they are, where input pixels follow one another. All others, and those in rows
/// whose windows reach into the padding, are first put together, which takes longer.
pub fn conv2d_in_place(window: &Window2d) -> Range<usize> {
    columns_in_place(window, Layout::of(window).mode, true)
}

/// Words of the constant of a layer with so many [extras](Epilogue::extras).
pub const fn conv2d_words(window: &Window2d, width: Width, extras: u16) -> usize {
    window.output[2].div_ceil(2) * Layout::of(window).pair_words(width) + extras as usize
}

/// Which tap of `[KH, KW, C]` comes at a place of the words of weights; none where zeros fill up.
pub fn conv2d_tap(window: &Window2d, at: usize) -> Option<usize> {
    let tap = match Layout::of(window).mode {
        Mode::Nines if at < 24 => at / 8 * 9 + at % 8,
        Mode::Nines => (at - 24) * 9 + 8,
        _ => at,
    };
    (tap < window.patch()).then_some(tap)
}

/// Bytes of lines, and of what a last channel without a partner needs.
const fn line_bytes(window: &Window2d) -> usize {
    let layout = Layout::of(window);
    layout.pixels * layout.line + if window.output[2].is_multiple_of(2) { 0 } else { 2 * layout.pixels }
}

/// Bytes of scratch.
pub const fn conv2d_scratch(window: &Window2d) -> usize {
    Layout::of(window).scratch(window)
}

/// Packs the constant from weights `[O, KH, KW, C]` and the [words of the finish](super::epilogue::words) of the layer's channels.
///
/// Returns false, the words half done, if a weight does not fit: one of -128 [may not](super::lanes::pack), and none of more than four
/// bits where so many are asked for.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn conv2d_pack(window: &Window2d, width: Width, weights: &[i8], words: &[u32], to: &mut [u32]) -> bool {
    pack(&Layout::of(window), window, width, [weights, &[]], words, to)
}

/// [`conv2d_pack`] of weights and, where the layout has sums, a zero point for those of each channel.
fn pack(
    layout: &Layout,
    window: &Window2d,
    width: Width,
    [weights, zeros]: [&[i8]; 2],
    words: &[u32],
    to: &mut [u32],
) -> bool {
    let (patch, channels) = (window.patch(), window.output[2]);
    let pair_words = layout.pair_words(width);
    let (words, extras) = words.split_at(channels.div_ceil(2) * 3);
    assert_eq!((weights.len(), to.len()), (patch * channels, channels.div_ceil(2) * pair_words + extras.len()));
    assert_eq!(zeros.len(), if layout.sums > 0 { channels } else { 0 });
    let (pairs, to_extras) = to.split_at_mut(channels.div_ceil(2) * pair_words);
    to_extras.copy_from_slice(extras);
    let mut pairs = pairs.chunks_exact_mut(pair_words).zip(words.chunks_exact(3)).enumerate();
    pairs.all(|(pair, (to, words))| {
        let (to, sums) = to.split_at_mut(3 + width.words(2) * layout.quads);
        for both in sums.chunks_exact_mut(2) {
            let zero = |channel: usize| zeros.get(2 * pair + channel).map_or(0, |&zero| offset::word(zero));
            both.copy_from_slice(&[zero(0), zero(1)]);
        }
        to[..3].copy_from_slice(words);
        to[3..].chunks_exact_mut(width.words(2)).enumerate().all(|(quad, to)| {
            let weight = |channel: usize, tap: usize| {
                let channel = 2 * pair + channel;
                let weight = |tap| if channel < channels { weights[channel * patch + tap] } else { 0 };
                conv2d_tap(window, 4 * quad + tap).map_or(0, weight)
            };
            width.pack(2, weight, to)
        })
    })
}

/// The [words of the finish](super::epilogue::words) that are in a constant.
pub fn conv2d_channel_parameters<'a>(
    window: &Window2d,
    width: Width,
    packed: &'a [u32],
) -> impl Iterator<Item = u32> + use<'a> {
    channel_parameters(Layout::of(window).pair_words(width), window, packed)
}

fn channel_parameters<'a>(
    pair_words: usize,
    window: &Window2d,
    packed: &'a [u32],
) -> impl Iterator<Item = u32> + use<'a> {
    let (pairs, extras) = packed.split_at((window.output[2].div_ceil(2) * pair_words).min(packed.len()));
    pairs.chunks_exact(pair_words).flat_map(|pair| &pair[..3]).chain(extras).copied()
}

/// A CONV_2D without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv2d {
    /// The window.
    pub window: Window2d,
    /// Zero point of the input.
    pub input_zero: i8,
    /// From accumulators to outputs.
    pub epilogue: Epilogue,
}

/// `y[r, x, o] = finish(sum over taps and channels of (x - input_zero) * w)`, as [`int8::conv2d`](crate::int8::conv2d()) defines it.
///
/// `scratch` is where [`conv2d_scratch`] bytes begin in the arena, aligned for 32 bits; `packed` is the constant of
/// [`conv2d_words`] words of [`Width::Eight`], whose channels [start](Width::start) as that asks; `variants` are those of the layer's finish.
///
/// Order: [`CONV2D_PIXELS`] pixels at a time (fewer at the end of a row), all reads before their writes.
pub fn conv2d<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    layer: &Conv2d,
    variants: EpilogueVariants,
    packed: Flash<'_, u32, B>,
) {
    run::<Eight, false, B>(arena, views, region, scratch, layer, variants, packed);
}

/// [`conv2d`] with weights of [`Width::Four`].
pub fn conv2d_i4<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    layer: &Conv2d,
    variants: EpilogueVariants,
    packed: Flash<'_, u32, B>,
) {
    run::<Four, false, B>(arena, views, region, scratch, layer, variants, packed);
}

#[inline(always)]
fn run<W: Weights, const OFFSET: bool, B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    Conv2d { window, input_zero, epilogue }: &Conv2d,
    variants: EpilogueVariants,
    packed: Flash<'_, u32, B>,
) {
    let Views { input, output } = views;
    let layout = if OFFSET { Layout::with_sums(window) } else { Layout::of(window) };
    let (mut arena, scratch) = arena.carve::<u32>(scratch, layout.scratch(window) / 4);
    let (mut staged, mut lines) = scratch.carve::<i8>(layout.staged() + layout.table(window), line_bytes(window));
    let layer = Layer::new(layout, window, *input, *input_zero);
    let weights = PhantomData::<W>;
    let quads = layout.quads + layout.sums;
    let block = |pixels| Block { weights, quads, pixels, channels: window.output[2], epilogue, variants, packed };
    for row in region.y0..region.y1 {
        let rows = layer.rows(row);
        let mut x = region.x0;
        while x < region.x1 {
            let pixels = (region.x1 - x).min(CONV2D_PIXELS);
            let mut blocks = layer.blocks_in_place(&rows, x, region.x1, pixels);
            if OFFSET {
                // Between a block's staging and its channels comes its sum.
                blocks = blocks.min(1);
            }
            let to = output.at(row, x);
            let alone = layout.pixels * layout.line;
            let target = Target { to, pixel_stride: output.pixel_stride, blocks: blocks.max(1), alone };
            let source;
            let mut source = if blocks > 0 {
                source = layer.places(&arena, &mut staged, &rows, x);
                Some(&source)
            } else {
                layer.put_together::<W, B>(&arena, &mut staged, &mut lines, &rows, x, pixels);
                None
            };
            if OFFSET {
                if let Some(source) = source.take() {
                    blocks::stage::<W, B>(source, &arena, 0, pixels, &mut staged, 0);
                }
                layer.stage_sums(&mut staged, pixels);
            }
            block(pixels).run(source, &mut staged, &mut arena, &mut lines, &target);
            x += pixels * target.blocks;
        }
    }
}

/// What does not change between blocks.
struct Layer<'a> {
    layout: Layout,
    window: &'a Window2d,
    input: View,
    input_zero: i8,
    /// Columns of the output whose windows can be staged from where they are.
    in_place: Range<usize>,
}

/// Rows of the input that a row of the output needs.
struct Rows {
    /// Rows of the window that lie inside the input.
    taps: Range<usize>,
    /// The input row of the first of them.
    first: usize,
}

impl<'a> Layer<'a> {
    fn new(layout: Layout, window: &'a Window2d, input: View, input_zero: i8) -> Self {
        let in_place = columns_in_place(window, layout.mode, input.pixel_stride == window.input[2]);
        Self { layout, window, input, input_zero, in_place }
    }

    fn rows(&self, row: usize) -> Rows {
        let (image, y) = self.window.image_row(row);
        let (taps, first) = self.window.taps(0, y);
        Rows { taps, first: image + first }
    }

    /// Index of the input's element at the first column of the window's row `ky`, which lies inside, of a window from `column` on.
    #[inline(always)]
    fn at(&self, rows: &Rows, ky: usize, column: usize) -> usize {
        self.input.at(rows.first + (ky - rows.taps.start) * self.window.dilation[0], column)
    }

    /// How many blocks of `pixels` pixels, from column `x` of the output on and before `end`, can be staged from where their inputs are.
    #[inline(always)]
    fn blocks_in_place(&self, rows: &Rows, x: usize, end: usize, pixels: usize) -> usize {
        let end = end.min(self.in_place.end);
        if rows.taps.len() < self.window.size[0] || x < self.in_place.start || x >= end {
            return 0;
        }
        // Only blocks at the end of a row have fewer than all pixels, and there is one.
        if pixels < CONV2D_PIXELS { (end - x) / pixels } else { (end - x) / CONV2D_PIXELS }
    }

    /// The source of blocks from column `x` of the output on that are staged from where they are.
    #[inline(always)]
    fn places<B: Bounds>(
        &self,
        arena: &Around<'_, i8, B>,
        staged: &mut Around<'_, u32, B>,
        rows: &Rows,
        x: usize,
    ) -> Source {
        let (window, table) = (self.window, self.layout.staged());
        let column = x * window.stride[1] - window.before[1];
        for ky in 0..window.size[0] {
            let from = self.at(rows, ky, column);
            staged[table + ky] = blocks::place(from, arena.span(from, self.layout.row));
        }
        let quads = if self.layout.mode == Mode::Nines { 0 } else { self.layout.row / 4 };
        Source { table, runs: window.size[0], quads, step: window.stride[1] * self.input.pixel_stride }
    }

    /// Stages one block by way of the lines.
    #[inline(never)]
    fn put_together<W: Weights, B: Bounds>(
        &self,
        arena: &Around<'_, i8, B>,
        staged: &mut Around<'_, u32, B>,
        lines: &mut Arena<'_, i8, B>,
        rows: &Rows,
        x: usize,
        pixels: usize,
    ) {
        let (layout, height) = (&self.layout, self.window.size[0]);
        let table = layout.staged() + height;
        let rows_at_a_time = if layout.line == layout.row { 1 } else { height };
        let (mut at, mut ky) = (0, 0);
        while ky < height {
            for p in 0..pixels {
                self.gather(arena, lines, p * layout.line, rows, ky..ky + rows_at_a_time, x + p);
            }
            let (runs, quads) = match layout.mode {
                Mode::Rows => (1, layout.line / 4),
                Mode::Nines => (3, 0),
                Mode::Whole => (1, layout.quads),
            };
            for run in 0..runs {
                staged[table + run] = blocks::place(run * layout.row, lines.span(run * layout.row, 0));
            }
            let source = Source { table, runs, quads, step: layout.line };
            blocks::stage::<W, B>(&source, lines, 0, pixels, staged, at);
            at += 2 * pixels * quads;
            ky += rows_at_a_time;
        }
    }

    /// Puts rows `wanted` of the window of the pixel at column `x` together, from index `line` of the lines on.
    fn gather<B: Bounds>(
        &self,
        arena: &Around<'_, i8, B>,
        lines: &mut Arena<'_, i8, B>,
        line: usize,
        rows: &Rows,
        wanted: Range<usize>,
        x: usize,
    ) {
        let (window, depth) = (self.window, self.window.input[2]);
        let (taps, column) = window.taps(1, x);
        let inside = rows.taps.start.max(wanted.start)..rows.taps.end.min(wanted.end);
        if taps.len() < window.size[1] || inside.len() < wanted.len() {
            lines.span_mut(line, self.layout.line).fill(self.input_zero);
        }
        // Pieces that are neighbours in the input are copied at once.
        let is_joined = window.dilation[1] == 1 && self.input.pixel_stride == depth;
        let (pieces, length) = match (is_joined, taps.len()) {
            // There is no column to read from.
            (_, 0) => (0, 0),
            (true, taps) => (1, taps * depth),
            (false, taps) => (taps, depth),
        };
        for ky in inside {
            for i in 0..pieces {
                let from = self.at(rows, ky, column + i * window.dilation[1]);
                let to = line + ((ky - wanted.start) * window.size[1] + taps.start + i) * depth;
                // In place, since a call would take longer than most pieces.
                let mut copied = 0;
                while copied + 4 <= length {
                    lines.store(to + copied, arena.load::<4>(from + copied));
                    copied += 4;
                }
                while copied < length {
                    lines[to + copied] = arena[from + copied];
                    copied += 1;
                }
            }
        }
    }
}
