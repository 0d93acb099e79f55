//! Windows that the blocks do not know: computed from the arena, a row and four channels at a time.
//!
//! Neighbouring pixels of a row whose taps all lie in the image are one [`Run`], each of the others is one by itself. What taps in the
//! padding add is part of what the outputs start with.

use super::{GROUP, Layer, group_weights};
use crate::int8::mcu::epilogue::{Channel, SCALE};
use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, Views};
use core::ops::Range;

/// Most rows of a window whose places are kept.
pub(super) const ROWS: usize = 16;

/// Pixels of a row, and the taps that they have in common.
pub(super) struct Run<'a> {
    /// For each row of the window that lies in the image, where the group's first channel lies under its first tap, for the first pixel.
    pub(super) rows: &'a [usize],
    /// Taps of each of these rows.
    pub(super) taps: usize,
    /// Elements from one tap to the next.
    pub(super) step: usize,
    /// The group's weights for the first tap.
    pub(super) weights: usize,
    /// Weights from behind the last tap of a row to the first of the next.
    pub(super) skip: usize,
    /// Number of pixels; at least 1.
    pub(super) pixels: usize,
    /// Elements from one pixel to the next, of the input and of the output.
    pub(super) strides: [usize; 2],
    /// First output of the group.
    pub(super) output: usize,
}

/// The weights of a group of channels.
#[derive(Clone, Copy)]
struct Weights<'a, B: Bounds> {
    all: Flash<'a, i8, B>,
    /// Where the group's begin.
    at: usize,
    /// Their zero point.
    zero: i32,
    /// Channels of the group.
    channels: usize,
}

/// The rows of a window at a row of outputs.
struct Rows {
    /// Which taps lie in the image.
    inside: Range<usize>,
    /// Where those that there is room for lie: the first channel of their first pixel.
    places: [usize; ROWS],
    /// From each of them to the next, if that is the same for all and there is more than one.
    step: Option<usize>,
}

impl Rows {
    /// Of output row `row`, of all images.
    #[inline(never)]
    fn of(layer: &Layer<'_>, row: usize) -> Self {
        let (input, window) = (&layer.views.input, layer.window);
        let (image, y) = window.image_row(row);
        let (inside, first) = window.taps(0, y);
        let mut rows = Self { inside: inside.clone(), places: [0; ROWS], step: None };
        let mut before = 0;
        for k in 0..inside.len() {
            let from = input.at(image + first + k * window.dilation[0], input.x0);
            match k {
                0 => {}
                1 => rows.step = from.checked_sub(before),
                _ => rows.step = rows.step.filter(|&step| from.wrapping_sub(before) == step),
            }
            before = from;
            if let Some(place) = rows.places.get_mut(k) {
                *place = from;
            }
        }
        rows
    }
}

/// See [`depthwise_any`](super::depthwise_any()): within a row [`GROUP`] channels after the other, of which a pixel is written once its taps
/// are read.
#[inline(never)]
pub(super) fn depthwise<const OFFSET: bool, B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    region: Region,
    layer: &Layer<'_>,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let window = layer.window;
    let channels = window.input[2];
    let pairs = channels.div_ceil(2);
    for row in region.y0..region.y1 {
        let rows = Rows::of(layer, row);
        let mut first = 0;
        while first < channels {
            let count = GROUP.min(channels - first);
            let (at, zero) = group_weights::<OFFSET, B>(weights, window.area(), first, count);
            let [a, b] = layer.epilogue.pair(words, pairs, first / 2);
            let [c, d] = layer.epilogue.pair(words, pairs, (first / 2 + 1).min(pairs - 1));
            let weights = Weights { all: weights, at, zero, channels: count };
            row_of_group(&mut arena, (row, region.x0..region.x1), layer, &rows, first, weights, &[a, b, c, d]);
            first += GROUP;
        }
    }
}

/// Computes a row of outputs of a group.
#[inline(never)]
fn row_of_group<B: Bounds>(
    arena: &mut Arena<'_, i8, B>,
    (row, columns): (usize, Range<usize>),
    layer: &Layer<'_>,
    rows: &Rows,
    first: usize,
    weights: Weights<'_, B>,
    channels: &[Channel; GROUP],
) {
    let (Views { input, output }, window) = (layer.views, layer.window);
    let [height_taps, width_taps] = window.size;
    // One past the last output column whose taps all lie in the image.
    let reach = (width_taps.max(1) - 1) * window.dilation[1];
    let clear = (window.input[1] + window.before[1]).saturating_sub(reach).div_ceil(window.stride[1].max(1));
    let mut places = [0usize; ROWS];
    let mut x = columns.start;
    while x < columns.end {
        let (taps, first_column) = window.taps(1, x);
        let whole = taps.len() == width_taps;
        let pixels = if whole { clear.clamp(x + 1, columns.end) - x } else { 1 };
        let tap_rows = if taps.is_empty() { 0 } else { rows.inside.len() };
        let moved = first_column.wrapping_sub(input.x0).wrapping_mul(input.pixel_stride).wrapping_add(first);
        for (to, from) in places.iter_mut().zip(&rows.places).take(tap_rows) {
            *to = from.wrapping_add(moved);
        }
        let mut run = Run {
            rows: places.get(..tap_rows.min(ROWS)).unwrap_or(&[]),
            taps: taps.len(),
            step: window.dilation[1] * input.pixel_stride,
            weights: weights.at + (rows.inside.start * width_taps + taps.start) * weights.channels,
            skip: (width_taps - taps.len()) * weights.channels,
            pixels,
            strides: [window.stride[1] * input.pixel_stride, output.pixel_stride],
            output: output.at(row, x) + first,
        };
        let padded;
        let channels = if whole && tap_rows == height_taps {
            channels
        } else {
            let inside = if taps.is_empty() { [0..0, 0..0] } else { [rows.inside.clone(), taps] };
            padded = with_padding(channels, weights, layer.input_zero, window.size, &inside);
            &padded
        };
        if let (1, true, Some(step)) = (width_taps, tap_rows > 1, rows.step) {
            // A column of taps that lie evenly is a row of them.
            (run.rows, run.taps, run.step) = (places.get(..1).unwrap_or(&[]), tap_rows, step);
        }
        if tap_rows > ROWS && run.rows.len() == ROWS {
            // Too tall: pixel by pixel, each tap row where it lies.
            let (image, y) = window.image_row(row);
            let top = image + window.taps(0, y).1;
            for i in 0..pixels {
                let at = |k: usize| input.at(top + k * window.dilation[0], first_column) + first + i * run.strides[0];
                each(arena, (at, tap_rows), &run, run.output + i * run.strides[1], weights, channels);
            }
        } else {
            compute(arena, &run, weights, channels);
        }
        x += pixels;
    }
}

/// Channels whose outputs start with what the taps outside of these ranges of rows and columns make of the padding as well.
#[inline(never)]
fn with_padding<B: Bounds>(
    channels: &[Channel; GROUP],
    weights: Weights<'_, B>,
    padding: i8,
    [height, width]: [usize; 2],
    [rows, columns]: &[Range<usize>; 2],
) -> [Channel; GROUP] {
    let (mut sums, mut outside) = ([0i32; GROUP], 0);
    let each = weights.channels;
    for ky in 0..height {
        let row = weights.at + ky * width * each;
        let parts = if rows.contains(&ky) { [0..columns.start, columns.end..width] } else { [0..width, 0..0] };
        for part in parts {
            outside += part.len();
            add_weights(&mut sums, weights, row + part.start * each, part.len());
        }
    }
    let scaled = i32::from(padding).wrapping_mul(SCALE);
    let less = weights.zero.wrapping_mul(outside as i32);
    let mut all = *channels;
    for (channel, sum) in all.iter_mut().zip(sums) {
        channel.start = channel.start.wrapping_add(scaled.wrapping_mul(sum.wrapping_sub(less)));
    }
    all
}

/// Adds so many taps' weights to their sums.
#[inline(always)]
fn add_weights<B: Bounds>(sums: &mut [i32; GROUP], weights: Weights<'_, B>, mut at: usize, taps: usize) {
    if weights.channels == GROUP {
        let [mut a, mut b, mut c, mut d] = *sums;
        for _ in 0..taps {
            let &[e, f, g, h] = weights.all.array::<GROUP>(at);
            (a, b) = (a.wrapping_add(e.into()), b.wrapping_add(f.into()));
            (c, d) = (c.wrapping_add(g.into()), d.wrapping_add(h.into()));
            at += GROUP;
        }
        *sums = [a, b, c, d];
        return;
    }
    for _ in 0..taps {
        for (c, sum) in sums.iter_mut().enumerate().take(weights.channels) {
            *sum = sum.wrapping_add(weights.all[at + c].into());
        }
        at += weights.channels;
    }
}

/// One pixel with taps in `rows` rows of the window, whose first lie where `at` says.
#[inline(never)]
fn each<B: Bounds>(
    arena: &mut Arena<'_, i8, B>,
    (at, rows): (impl Fn(usize) -> usize, usize),
    run: &Run<'_>,
    output: usize,
    weights: Weights<'_, B>,
    channels: &[Channel; GROUP],
) {
    for (c, channel) in channels.iter().enumerate().take(weights.channels) {
        let (mut sum, mut weight) = (0i32, run.weights + c);
        for ky in 0..rows {
            let mut from = at(ky) + c;
            for _ in 0..run.taps {
                let w = i32::from(weights.all[weight]).wrapping_sub(weights.zero);
                sum = sum.wrapping_add(i32::from(arena[from]).wrapping_mul(w));
                from += run.step;
                weight += weights.channels;
            }
            weight += run.skip;
        }
        arena[output + c] = channel.output(sum.wrapping_mul(SCALE).wrapping_add(channel.start));
    }
}

/// Computes the pixels of a run.
#[inline(always)]
fn compute<B: Bounds>(
    arena: &mut Arena<'_, i8, B>,
    run: &Run<'_>,
    weights: Weights<'_, B>,
    channels: &[Channel; GROUP],
) {
    if weights.channels == GROUP {
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if weights.zero == 0 && run.taps > 0 && !run.rows.is_empty() {
            return super::armv7em::taps::run(arena, run, weights.all, channels);
        }
        return four(arena, run, weights, channels);
    }
    for i in 0..run.pixels {
        let at = |ky: usize| run.rows.get(ky).copied().unwrap_or(0) + i * run.strides[0];
        each(arena, (at, run.rows.len()), run, run.output + i * run.strides[1], weights, channels);
    }
}

/// The same of four channels at once. Written out: a loop over the channels would keep their sums in memory.
#[inline(never)]
fn four<B: Bounds>(arena: &mut Arena<'_, i8, B>, run: &Run<'_>, weights: Weights<'_, B>, channels: &[Channel; GROUP]) {
    let (mut moved, mut to) = (0, run.output);
    for _ in 0..run.pixels {
        let (mut a, mut b, mut c, mut d) = (0i32, 0i32, 0i32, 0i32);
        let mut weight = run.weights;
        for &row in run.rows {
            let mut from = row + moved;
            for _ in 0..run.taps {
                let (x, w) = (arena.load::<GROUP>(from), *weights.all.array::<GROUP>(weight));
                a = a.wrapping_add(i32::from(x[0]).wrapping_mul(i32::from(w[0]).wrapping_sub(weights.zero)));
                b = b.wrapping_add(i32::from(x[1]).wrapping_mul(i32::from(w[1]).wrapping_sub(weights.zero)));
                c = c.wrapping_add(i32::from(x[2]).wrapping_mul(i32::from(w[2]).wrapping_sub(weights.zero)));
                d = d.wrapping_add(i32::from(x[3]).wrapping_mul(i32::from(w[3]).wrapping_sub(weights.zero)));
                from += run.step;
                weight += GROUP;
            }
            weight += run.skip;
        }
        let scaled = |sum: i32, channel: &Channel| channel.output(sum.wrapping_mul(SCALE).wrapping_add(channel.start));
        let sums = [scaled(a, &channels[0]), scaled(b, &channels[1]), scaled(c, &channels[2]), scaled(d, &channels[3])];
        arena.store(to, sums);
        moved += run.strides[0];
        to += run.strides[1];
    }
}
