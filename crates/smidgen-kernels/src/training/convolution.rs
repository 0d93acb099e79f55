//! The gradient of CONV_2D with respect to its input.

use super::block::{COLUMNS, LANES, Order, ROWS, SUM_BYTES, Source, Stage};
use super::gradient::{factors_of, half, reader, stage_four, store, store_kept};
use super::{blocks, i16_at, shifted};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;
use crate::view::{View, Views};
use core::ops::Range;

/// How a convolution's gradient is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Feed {
    /// Whole, as [`scale`](super::scale) leaves it; for pointwise convolutions.
    Staged,
    /// Whole, as it is.
    Whole,
    /// Some rows after the others, as they come: sums are kept from one run to the next.
    Rows,
}

/// The gradient of CONV_2D with respect to its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct InputGradient {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// How many input channels have their weights apart, and are zero among the others.
    pub selected: usize,
    /// Bits by which a gradient times its channel's factor is shifted right: enough that no sum of products leaves 32 bits, and at least 15, so
    /// that 16 bits hold it.
    pub narrow: u32,
    /// Bits by which the sum is.
    pub shift: u32,
    /// How the gradient is given.
    pub feed: Feed,
}

/// The most blocks of channels of a gradient that are [taken in](Feed::Rows) together: of more in one run, so many come after the others.
pub const MOST_BLOCKS: usize = 16;

impl InputGradient {
    fn pixels(&self) -> usize {
        self.images.wrapping_mul(self.window.input[0]).wrapping_mul(self.window.input[1])
    }

    /// The most output channels that are summed up together.
    fn summed(&self) -> usize {
        let all = self.window.output[2];
        if self.feed == Feed::Rows { all.min(COLUMNS * MOST_BLOCKS) } else { all }
    }

    /// Pixels whose gradients are staged together.
    fn staged(&self) -> usize {
        let elements = self.window.area().wrapping_mul(self.summed());
        match self.feed {
            Feed::Staged => 0,
            Feed::Whole => Stage::count(elements, self.pixels(), ROWS),
            Feed::Rows => Stage::count(elements, self.pixels(), usize::MAX),
        }
    }

    /// Bytes of scratch, a multiple of 4: the gradients that reach some pixels, and the weights of a few channels.
    pub fn scratch(&self) -> usize {
        Stage::bytes(self.window.area() * self.summed(), self.staged())
    }

    /// Bytes of the sums that are kept from run to run.
    pub fn state(&self) -> usize {
        if self.feed == Feed::Rows { blocks(self.window.input[2]) * self.pixels() * SUM_BYTES } else { 0 }
    }
}

/// The gradient of CONV_2D with respect to its input: for each input element, the sum over the outputs that read it of
/// gradient, channel's factor and weight.
///
/// `views` are those of the masked gradient and of what is written. `rows` are those of the output; of
/// the gradient, where its rows are [taken in](Feed::Rows). `places` are the bytes of the weights apart `[O, KH, KW, S]`, of
/// scratch, [`InputGradient::scratch`] bytes, and of state, [`InputGradient::state`] bytes. `weights` are `[O, KH, KW, C]`; `numbers` has what the gradient
/// of each output channel counts, over `2^15`, at least 0, and behind that the channels that have their weights apart.
pub fn input_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    rows: Range<usize>,
    places: [usize; 3],
    layer: &InputGradient,
    weights: Whole<'_, u8, B>,
    numbers: Flash<'_, i16, B>,
) {
    let out_c = layer.window.output[2];
    let operands = Operands { views: *views, places, weights, numbers };
    if layer.feed != Feed::Rows {
        return operands.sum(&mut arena, layer, rows, 0..out_c);
    }
    let mut block = rows.start;
    while block < rows.end {
        let first = block.wrapping_mul(COLUMNS);
        block += MOST_BLOCKS.min(rows.end - block);
        let end = block.wrapping_mul(COLUMNS);
        operands.sum(&mut arena, layer, 0..blocks(layer.window.input[2]), first..if end < out_c { end } else { out_c });
    }
}

/// Where everything lies.
struct Operands<'a, B: Bounds> {
    views: Views,
    places: [usize; 3],
    weights: Whole<'a, u8, B>,
    numbers: Flash<'a, i16, B>,
}

impl<B: Bounds> Operands<'_, B> {
    /// Sums up `channels` of the gradient for some blocks of the input's channels.
    fn sum(&self, arena: &mut Arena<'_, u8, B>, layer: &InputGradient, computed: Range<usize>, channels: Range<usize>) {
        let InputGradient { ref window, selected, shift, feed, .. } = *layer;
        let ([apart, scratch, state], Views { input: gradient, output }) = (self.places, self.views);
        let (in_c, area, pixels) = (window.input[2], window.area(), layer.pixels());
        let (begins, ends) = (channels.start == 0, channels.end == window.output[2]);
        let first = channels.start.wrapping_mul(area);
        let elements = area.wrapping_mul(channels.end.wrapping_sub(channels.start));
        let mut stage = Stage::new(scratch, elements);
        let mut most = layer.staged();
        if feed == Feed::Staged {
            (stage.rows, most) = (gradient.row(0), pixels);
        }
        let start = [half(shift); COLUMNS];
        let mut sums = [[0; COLUMNS]; ROWS];
        let mut pixel = 0;
        while pixel < pixels {
            let count = most.min(pixels - pixel);
            if feed != Feed::Staged {
                stage_gradients(arena, gradient, layer, &stage, [pixel, count], channels.clone(), self.numbers);
            }
            for block in computed.clone() {
                let channel = block.wrapping_mul(COLUMNS);
                let columns = COLUMNS.min(in_c.wrapping_sub(channel));
                let from = first.wrapping_mul(in_c).wrapping_add(channel);
                Source::new(&self.weights, from, [in_c, 1]).stage(arena, &stage, Order::Natural, [elements, columns]);
                // Weights that lie apart are zero among the others.
                for s in 0..selected {
                    let named = self.numbers[window.output[2].wrapping_add(s)] as u16;
                    let column = usize::from(named).wrapping_sub(channel);
                    if column < columns {
                        let from = apart.wrapping_add(first.wrapping_mul(selected)).wrapping_add(s);
                        stage_apart(arena, from, selected, stage.column(column, 0), elements);
                    }
                }
                let to = output.row(block).wrapping_add(pixel.wrapping_mul(LANES));
                if begins && ends {
                    let mut done = 0;
                    while done < count {
                        let part = Stage { rows: stage.row(done), ..stage };
                        let room = sums.get_mut(..ROWS.min(count - done)).unwrap_or_default();
                        part.multiply(arena, start, room);
                        store(arena, room, [to.wrapping_add(done.wrapping_mul(LANES)), LANES], shift);
                        done += ROWS;
                    }
                    continue;
                }
                // Where sums wait for those of other channels.
                let kept = block.wrapping_mul(pixels).wrapping_add(pixel).wrapping_mul(SUM_BYTES);
                let kept = state.wrapping_add(kept);
                stage.add_up(arena, begins.then_some(start), kept, count);
                if ends {
                    store_kept(arena, kept, to, count, shift);
                }
            }
            pixel += count;
        }
    }
}

/// Stages a column of so many bytes, `step` from each other.
#[inline(never)]
fn stage_apart<B: Bounds>(arena: &mut Arena<'_, u8, B>, from: usize, step: usize, to: usize, elements: usize) {
    let (mut from, mut to) = (from, to);
    for pair in 0..elements.div_ceil(2) {
        let last = pair.wrapping_mul(2).wrapping_add(1) == elements;
        let first = i16::from(arena[from] as i8);
        let second = if last { 0 } else { i16::from(arena[from.wrapping_add(step)] as i8) };
        let ([a, b], [c, d]) = (first.to_le_bytes(), second.to_le_bytes());
        arena.store(to, [a, b, c, d]);
        (from, to) = (from.wrapping_add(step.wrapping_mul(2)), to.wrapping_add(4 * COLUMNS));
    }
}

/// Stages what reaches `count` pixels of the input from `pixel` on of the gradients of `channels`, the first of which is a multiple of four: element
/// `(o - first) * area + tap` is that of output channel `o` through that tap, scaled.
#[inline(never)]
fn stage_gradients<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    view: View,
    layer: &InputGradient,
    stage: &Stage,
    [pixel, count]: [usize; 2],
    channels: Range<usize>,
    factors: Flash<'_, i16, B>,
) {
    let InputGradient { ref window, narrow, .. } = *layer;
    let [out_h, out_w, out_c] = window.output;
    let (area, width) = (window.area(), window.input[1].max(1));
    let first = channels.start / COLUMNS;
    let step = stage.padded.wrapping_mul(2);
    if window.is_pointwise() {
        for block in first..blocks(channels.end) {
            let to = stage.rows.wrapping_add(block.wrapping_sub(first).wrapping_mul(LANES));
            let from = view.row(block).wrapping_add(pixel.wrapping_mul(LANES));
            stage_four(arena, from, [to, step], count, &factors_of(factors, block, out_c), narrow);
        }
        return;
    }
    for i in 0..count {
        let (row, x) = ((pixel + i) / width, (pixel + i) % width);
        let (image, y) = crate::geometry::split(row, window.input[0]);
        let to = stage.row(i);
        arena.span_mut(to, step).fill(0);
        for ky in 0..window.size[0] {
            let Some(oy) = reader(window, 0, y, ky) else { continue };
            for kx in 0..window.size[1] {
                let Some(ox) = reader(window, 1, x, kx) else { continue };
                let at = ((image * out_h + oy) * out_w + ox).wrapping_mul(LANES);
                let mut to = to.wrapping_add((ky * window.size[1] + kx).wrapping_mul(2));
                for o in channels.clone() {
                    let from = view.row(o / COLUMNS).wrapping_add(at).wrapping_add(o % COLUMNS * 2);
                    let scaled = shifted(i32::from(i16_at(arena, from)) * i32::from(factors[o]), narrow) as i16;
                    arena.store(to, scaled.to_le_bytes());
                    to = to.wrapping_add(area.wrapping_mul(2));
                }
            }
        }
    }
}
