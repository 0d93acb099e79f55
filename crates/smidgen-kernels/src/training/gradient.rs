//! Gradients with respect to activations.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
use super::armv7em;
use super::block::{COLUMNS, LANES, ROWS, STAGED_BYTES, SUM_BYTES, Taps, put, stage_taps};
use super::{blocks, bytes_of, i16_at, mask_bytes, saturate, shifted};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;
use crate::view::{Region, View, Views};
use core::num::NonZeroU32;
use core::ops::Range;

/// Fraction bits of the factors that bring gradients to a common unit.
pub const FACTOR_BITS: u32 = 14;

/// The gradient of DEPTHWISE_CONV_2D with respect to its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DepthwiseGradient {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// As in [`InputGradient`](super::InputGradient).
    pub narrow: u32,
    /// As in [`InputGradient`](super::InputGradient).
    pub shift: u32,
}

/// The gradient of AVERAGE_POOL_2D, or of a mean over height and width, with respect to its input, times the taps of a whole window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The window.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Bits by which the sum is shifted right.
    pub shift: u32,
}

/// The sum of two gradients in units of their own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Total {
    /// What each counts, at most `2^14`.
    pub factors: [i16; 2],
    /// Bits by which the sum is shifted right.
    pub shift: u32,
}

/// A gradient where the clamp left the output as it was; the rest becomes 0. `mask` is the byte of the clamp mask, `[pixels, channels]`. What is written
/// may be the gradient itself.
pub fn mask<B: Bounds>(mut arena: Arena<'_, u8, B>, views: &Views, region: Region, mask: usize, channels: usize) {
    let step = mask_bytes(channels);
    let count = region.x1.wrapping_sub(region.x0);
    for block in region.y0..region.y1 {
        let [mut from, mut to] = [views.input, views.output].map(|view| view.at(block, region.x0));
        let mut mask = mask.wrapping_add(region.x0.wrapping_mul(step)).wrapping_add(block / 2);
        // The bits of four channels are one half of a byte.
        let half = (block & 1) as u32 * 4;
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if count > 0 {
            let reach = step.wrapping_mul(count.wrapping_sub(1)).wrapping_add(1);
            let mask = arena.pointer(mask, reach).cast_const();
            let bytes = count.wrapping_mul(LANES);
            let (from, to) = (arena.pointer(from, bytes).cast_const(), arena.pointer(to, bytes));
            // SAFETY: all are good for what is read and written, and there is at least one byte of mask.
            unsafe { armv7em::mask(from, to, mask, count, &armv7em::Bits::new(step, half)) };
            continue;
        }
        for _ in 0..count {
            let bits = u32::from(arena[mask]) >> half;
            let mut four = arena.load::<LANES>(from);
            for (lane, number) in four.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                if bits >> lane & 1 == 0 {
                    *number = [0; 2];
                }
            }
            arena.store(to, four);
            (from, to) = (from.wrapping_add(LANES), to.wrapping_add(LANES));
            mask = mask.wrapping_add(step);
        }
    }
}

/// Along an axis, the output index that reads input index `at` through a tap, if there is one.
#[inline(always)]
pub(super) fn reader(window: &Window2d, axis: usize, at: usize, tap: usize) -> Option<usize> {
    let axis = axis & 1;
    let stride = window.stride[axis].max(1);
    let position = (at + window.before[axis]).checked_sub(tap * window.dilation[axis])?;
    let index = position / stride;
    (index * stride == position && index < window.output[axis]).then_some(index)
}

/// Stores sums that begin with half a step, one for each pixel: `to` is the first element's byte, `step` from pixel to pixel.
#[inline(always)]
pub(super) fn store<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    sums: &[[i32; COLUMNS]],
    [to, step]: [usize; 2],
    shift: u32,
) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if !sums.is_empty() {
        let reach = step.wrapping_mul(sums.len().wrapping_sub(1)).wrapping_add(2 * COLUMNS);
        let frame = armv7em::Store { end: sums.as_ptr_range().end, step, shift };
        // SAFETY: both are good for what is read and written.
        return unsafe { armv7em::store(sums.as_ptr(), arena.pointer(to, reach), &frame) };
    }
    let mut to = to;
    for sums in sums {
        put(arena, to, sums.map(|sum| saturate(sum.wrapping_shr(shift))));
        to = to.wrapping_add(step);
    }
}

/// Stores the numbers of `count` pixels whose sums lie from byte `from` on.
pub(super) fn store_kept<B: Bounds>(arena: &mut Arena<'_, u8, B>, from: usize, to: usize, count: usize, shift: u32) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if count > 0 {
        let sums = arena.pointer(from, count.wrapping_mul(SUM_BYTES)).cast::<[i32; COLUMNS]>().cast_const();
        let frame = armv7em::Store { end: sums.wrapping_add(count), step: LANES, shift };
        // SAFETY: both are good for what is read and written.
        unsafe { armv7em::store(sums, arena.pointer(to, count.wrapping_mul(LANES)), &frame) }
    }
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    for i in 0..count {
        let at = from.wrapping_add(i.wrapping_mul(SUM_BYTES));
        let sums = [core::array::from_fn(|column| super::i32_at(arena, at.wrapping_add(4 * column)))];
        store(arena, &sums, [to.wrapping_add(i.wrapping_mul(LANES)), LANES], shift);
    }
}

/// Half of what a sum is shifted by.
#[inline(always)]
pub(super) fn half(shift: u32) -> i32 {
    1i32.wrapping_shl(shift) >> 1
}

/// The four factors of a block of channels; those beyond the last are 0.
#[inline(always)]
pub(super) fn factors_of<B: Bounds>(factors: Flash<'_, i16, B>, block: usize, channels: usize) -> [i16; COLUMNS] {
    let first = block.wrapping_mul(COLUMNS);
    core::array::from_fn(|lane| {
        let channel = first.wrapping_add(lane);
        if channel < channels { factors[channel] } else { 0 }
    })
}

/// Stages `count` times four numbers that lie together, scaled: `step` bytes from group to group.
#[inline(never)]
pub(super) fn stage_four<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    from: usize,
    [to, step]: [usize; 2],
    count: usize,
    factors: &[i16; COLUMNS],
    narrow: u32,
) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if count > 0 {
        let from = arena.pointer(from, count.wrapping_mul(LANES)).cast_const();
        let to = arena.pointer(to, step.wrapping_mul(count.wrapping_sub(1)).wrapping_add(LANES));
        let scaling = armv7em::Scaling { half: half(narrow), shift: narrow };
        // SAFETY: both are good for what is read and written.
        unsafe { armv7em::scaled(from, step, to, count, factors, &scaling) }
    }
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    for i in 0..count {
        let mut four = [0i16; COLUMNS];
        let numbers = arena.load::<LANES>(from.wrapping_add(i.wrapping_mul(LANES)));
        for ((to, &number), &factor) in four.iter_mut().zip(numbers.as_chunks::<2>().0).zip(factors) {
            *to = shifted(i32::from(i16::from_le_bytes(number)) * i32::from(factor), narrow) as i16;
        }
        put(arena, to.wrapping_add(i.wrapping_mul(step)), four);
    }
}

/// A gradient as [`input_gradient`](super::input_gradient) takes that of a pointwise convolution: for each pixel its channels times their factors, with zeros
/// up to a multiple of four. `view` is that of the gradient, `output` the byte of what is written.
pub fn scale<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    view: View,
    output: usize,
    [pixels, channels]: [usize; 2],
    narrow: u32,
    factors: Flash<'_, i16, B>,
) {
    let step = blocks(channels).wrapping_mul(LANES);
    for block in 0..blocks(channels) {
        let to = output.wrapping_add(block.wrapping_mul(LANES));
        let of = factors_of(factors, block, channels);
        stage_four(&mut arena, view.row(block), [to, step], pixels, &of, narrow);
    }
}

/// How a window lies over the outputs that read an input, along an axis.
///
/// Tap `k` lets output `(i + before - k * dilation) / stride` read input `i`, where that is whole. Of the taps that let an output read it, neighbours are
/// `skip` apart, and the outputs that they belong to `apart`.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    /// What the last tap is further than the first.
    reach: usize,
    skip: usize,
    apart: usize,
}

impl Axis {
    fn new(window: &Window2d, axis: usize) -> Self {
        let axis = axis & 1;
        let (size, stride, dilation) = (window.size[axis], window.stride[axis].max(1), window.dilation[axis].max(1));
        let (mut common, mut rest) = (stride, dilation);
        while rest != 0 {
            (common, rest) = (rest, common % rest);
        }
        let common = common.max(1);
        Self {
            size,
            stride,
            dilation,
            before: window.before[axis],
            reach: size.saturating_sub(1).wrapping_mul(dilation),
            skip: stride / common,
            apart: dilation / common,
        }
    }

    /// The output before which none reads an input from `from` on, plus the reach: that is never negative.
    fn first(&self, from: usize) -> usize {
        (from + self.before + self.reach * (self.stride - 1)) / self.stride.max(1)
    }

    /// How many outputs there are from that one to the last that may read an input below `to`.
    fn outputs(&self, from: usize, to: usize) -> usize {
        ((to - 1 + self.before) / self.stride.max(1) + self.reach + 1).saturating_sub(self.first(from))
    }

    /// The most of such outputs for any so many inputs.
    fn most(&self, inputs: usize) -> usize {
        (inputs - 1 + self.reach).div_ceil(self.stride.max(1)) + 1
    }

    /// The taps of inputs `i` with `(i + before) % stride == phase`: the last, and how many there are.
    fn taps(&self, phase: usize) -> [usize; 2] {
        let matches = |tap: &usize| tap.wrapping_mul(self.dilation) % self.stride.max(1) == phase;
        let Some(first) = (0..self.size.min(self.skip)).find(matches) else { return [0; 2] };
        let steps = (self.size - 1 - first) / self.skip.max(1);
        [first + steps * self.skip, steps + 1]
    }

    /// The first input of a phase from `from` on.
    fn input(&self, from: usize, phase: usize) -> usize {
        from + (phase + self.stride - (from + self.before) % self.stride.max(1)) % self.stride.max(1)
    }

    /// Of the outputs from [`first`](Self::first) on, the one that reads an input through a tap.
    fn reader(&self, from: usize, input: usize, tap: usize) -> usize {
        let whole = (input + self.before + self.reach * self.stride - tap * self.dilation) / self.stride.max(1);
        whole.wrapping_sub(self.first(from))
    }
}

impl DepthwiseGradient {
    /// Bytes of a plane: the outputs that read so many rows of the input.
    fn plane(&self, rows: usize) -> usize {
        let (down, across) = (Axis::new(&self.window, 0), Axis::new(&self.window, 1));
        down.most(rows) * across.most(self.window.input[1]) * LANES
    }

    /// Rows of the input that are computed from one plane.
    fn band(&self) -> usize {
        let (least, most) = (self.plane(1), self.window.input[0]);
        let per_row = Axis::new(&self.window, 1).most(self.window.input[1]) * LANES;
        let fit = (STAGED_BYTES / self.window.multiplier().max(1)).saturating_sub(least) / per_row.max(1);
        (fit * self.window.stride[0].max(1) + 1).min(most)
    }

    /// Bytes of scratch, a multiple of 4: four channels of the gradients that reach some rows of the input, and their weights.
    pub fn scratch(&self) -> usize {
        self.window.multiplier() * (self.window.area() * LANES + self.plane(self.band()))
    }
}

/// The gradient of DEPTHWISE_CONV_2D with respect to its input. `views` are those of the masked gradient and of what is
/// written, of which `rows` are computed; `scratch` has [`DepthwiseGradient::scratch`] bytes; `weights` are `[KH, KW, O]`, `factors` as in
/// [`input_gradient`](super::input_gradient).
pub fn depthwise_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    rows: Range<usize>,
    scratch: usize,
    layer: &DepthwiseGradient,
    weights: Whole<'_, u8, B>,
    factors: Flash<'_, i16, B>,
) {
    let DepthwiseGradient { ref window, images, shift, .. } = *layer;
    let computed = rows;
    let ([height, width, in_c], out_c, multiplier) = (window.input, window.output[2], window.multiplier());
    let [down, across] = [Axis::new(window, 0), Axis::new(window, 1)];
    let all_taps = window.area().wrapping_mul(LANES);
    let (planes, band) = (scratch.wrapping_add(all_taps.wrapping_mul(multiplier)), layer.band());
    let cols = across.outputs(0, width);
    let mut room = [[0; COLUMNS]; ROWS];
    // What lies beyond the outputs of these rows is 0.
    let mut cleared = usize::MAX;
    // All rows of some channels before the next channels: what is written may lie where the gradients of channels were that are done with.
    for block in computed {
        let channel = block.wrapping_mul(COLUMNS);
        let lanes = COLUMNS.min(in_c.wrapping_sub(channel));
        for image in 0..images {
            let mut y0 = 0;
            while y0 < height {
                let y1 = height.min(y0 + band);
                let rows = down.outputs(y0, y1);
                let plane_bytes = (rows * cols).wrapping_mul(LANES);
                if cleared != y0 {
                    arena.span_mut(planes, plane_bytes.wrapping_mul(multiplier)).fill(0);
                    cleared = y0;
                }
                for part in 0..multiplier {
                    let plane = planes.wrapping_add(plane_bytes.wrapping_mul(part));
                    let first = [down.first(y0).wrapping_sub(down.reach), across.first(0).wrapping_sub(across.reach)];
                    let which = [image, channel, lanes, part];
                    stage_scaled(&mut arena, views.input, layer, [plane, rows, cols], first, which, factors);
                }
                // Inputs that are read through the same taps, together.
                for phase in 0..down.stride.wrapping_mul(across.stride) {
                    let (phase_y, phase_x) = (phase / across.stride.max(1), phase % across.stride.max(1));
                    let ([last_y, taps_y], [last_x, taps_x]) = (down.taps(phase_y), across.taps(phase_x));
                    for part in 0..multiplier {
                        let mut to = scratch.wrapping_add(all_taps.wrapping_mul(part));
                        for i in 0..taps_y {
                            // From the last to the first, as the outputs ascend.
                            let ky = last_y.wrapping_sub(i.wrapping_mul(down.skip));
                            let first = (ky * window.size[1] + last_x).wrapping_mul(out_c);
                            if multiplier == 1 {
                                let step = (across.skip.wrapping_mul(out_c) as isize).wrapping_neg();
                                let from = first.wrapping_add(channel);
                                stage_taps(&mut arena, to, &weights, from, step, taps_x, lanes);
                                to = to.wrapping_add(taps_x.wrapping_mul(LANES));
                                continue;
                            }
                            for j in 0..taps_x {
                                let from = first.wrapping_sub((j * across.skip).wrapping_mul(out_c));
                                let mut four = [0i16; COLUMNS];
                                for (lane, to) in four.iter_mut().enumerate().take(lanes) {
                                    let o = (channel + lane).wrapping_mul(multiplier).wrapping_add(part);
                                    let weight = bytes_of(&weights, &arena, from.wrapping_add(o), 1);
                                    *to = weight.first().map_or(0, |&w| i16::from(w as i8));
                                }
                                put(&mut arena, to, four);
                                to = to.wrapping_add(LANES);
                            }
                        }
                    }
                    let x0 = across.input(0, phase_x);
                    let mut y = down.input(y0, phase_y);
                    while y < y1 {
                        let row = if taps_y > 0 { down.reader(y0, y, last_y) } else { 0 };
                        let mut x = x0;
                        while x < width {
                            let count = ROWS.min((width - x).div_ceil(across.stride.max(1)));
                            let col = if taps_x > 0 { across.reader(0, x, last_x) } else { 0 };
                            let sums = room.get_mut(..count).unwrap_or_default();
                            let from = planes.wrapping_add((row * cols + col).wrapping_mul(LANES));
                            let steps =
                                [cols.wrapping_mul(down.apart), across.apart].map(|step| step.wrapping_mul(LANES));
                            let taps = Taps { taps: scratch, size: [taps_y, taps_x], steps, stride: LANES };
                            taps.sum(&mut arena, from, [half(shift); COLUMNS], sums);
                            for part in 1..multiplier {
                                let taps = Taps { taps: scratch.wrapping_add(all_taps.wrapping_mul(part)), ..taps };
                                add(&mut arena, &taps, from.wrapping_add(plane_bytes.wrapping_mul(part)), sums);
                            }
                            let pixel = (image * height + y) * width + x;
                            let to = views.output.row(block).wrapping_add(pixel.wrapping_mul(LANES));
                            store(&mut arena, sums, [to, across.stride.wrapping_mul(LANES)], shift);
                            x += count * across.stride;
                        }
                        y += down.stride;
                    }
                }
                y0 = y1;
            }
        }
    }
}

/// Adds the sums of more windows to those that are there.
#[inline(never)]
fn add<B: Bounds>(arena: &mut Arena<'_, u8, B>, taps: &Taps, from: usize, sums: &mut [[i32; COLUMNS]]) {
    let mut more = [[0; COLUMNS]; ROWS];
    let more = more.get_mut(..sums.len()).unwrap_or_default();
    taps.sum(arena, from, [0; COLUMNS], more);
    for (sums, more) in sums.iter_mut().zip(more) {
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
    }
}

/// Stages scaled gradients of the outputs of channels `channel .. channel + lanes` of the input, of which each has one with number `part`: a plane whose
/// first element is that of output `first`, which may be negative.
#[inline(never)]
fn stage_scaled<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    view: View,
    layer: &DepthwiseGradient,
    [plane, rows, cols]: [usize; 3],
    [first_y, first_x]: [usize; 2],
    [image, channel, lanes, part]: [usize; 4],
    factors: Flash<'_, i16, B>,
) {
    let DepthwiseGradient { ref window, narrow, .. } = *layer;
    let ([out_h, out_w, out_c], multiplier) = (window.output, window.multiplier());
    let of = factors_of(factors, channel / COLUMNS, out_c);
    for row in 0..rows {
        let oy = first_y.wrapping_add(row);
        if oy >= out_h {
            continue;
        }
        // Columns below 0 are beyond the last one, since they wrap.
        let (skipped, ox) = if first_x < out_w { (0, first_x) } else { (first_x.wrapping_neg(), 0) };
        let at = ((image * out_h + oy) * out_w + ox).wrapping_mul(LANES);
        let to = plane.wrapping_add((row * cols + skipped).wrapping_mul(LANES));
        let count = (out_w - ox).min(cols.saturating_sub(skipped));
        if multiplier == 1 {
            let from = view.row(channel / COLUMNS).wrapping_add(at);
            stage_four(arena, from, [to, LANES], count, &of, narrow);
            continue;
        }
        for i in 0..count {
            let mut four = [0i16; COLUMNS];
            for (lane, to) in four.iter_mut().enumerate().take(lanes) {
                let o = (channel + lane).wrapping_mul(multiplier).wrapping_add(part);
                let from = view.row(o / COLUMNS).wrapping_add(at).wrapping_add(i.wrapping_mul(LANES));
                let value = i32::from(i16_at(arena, from.wrapping_add(o % COLUMNS * 2)));
                *to = shifted(value * i32::from(factors[o]), narrow) as i16;
            }
            put(arena, to.wrapping_add(i.wrapping_mul(LANES)), four);
        }
    }
}

/// The gradient of an average with respect to its input, times the taps of a whole window. `views` are those of the gradient and of what
/// is written, of which `rows` are computed.
pub fn spread<B: Bounds>(mut arena: Arena<'_, u8, B>, views: &Views, rows: Range<usize>, layer: &Spread) {
    let Spread { ref window, images, shift } = *layer;
    let ([height, width, _], [out_h, out_w, _]) = (window.input, window.output);
    let area = window.area();
    for block in rows {
        let (from, mut to) = (views.input.row(block), views.output.row(block));
        if shift == 0 && [out_h, out_w] == [1, 1] && [height, width] == window.size && window.before == [0; 2] {
            // The mean of everything.
            for image in 0..images {
                let four = arena.load::<LANES>(from.wrapping_add(image.wrapping_mul(LANES)));
                for _ in 0..height.wrapping_mul(width) {
                    arena.store(to, four);
                    to = to.wrapping_add(LANES);
                }
            }
            continue;
        }
        for row in 0..images.wrapping_mul(height) {
            let (image, y) = crate::geometry::split(row, height);
            let four = |arena: &Arena<'_, u8, B>, oy: usize, ox: usize| {
                let pixel = (image * out_h + oy) * out_w + ox;
                arena.load::<LANES>(from.wrapping_add(pixel.wrapping_mul(LANES)))
            };
            for x in 0..width {
                let mut sums = [0i32; COLUMNS];
                each_reader(window, y, x, |oy, ox, taps| {
                    // A window that hangs over the edge averages fewer elements.
                    let size = NonZeroU32::new(taps as u32).unwrap_or(NonZeroU32::MIN);
                    for (sum, &number) in sums.iter_mut().zip(four(&arena, oy, ox).as_chunks::<2>().0) {
                        let g = i32::from(i16::from_le_bytes(number));
                        let mut part = g.unsigned_abs();
                        if taps != area {
                            part = part.wrapping_mul(area as u32) / size;
                        }
                        *sum = sum.wrapping_add(if g < 0 { (part as i32).wrapping_neg() } else { part as i32 });
                    }
                });
                put(&mut arena, to, sums.map(|sum| saturate(shifted(sum, shift))));
                to = to.wrapping_add(LANES);
            }
        }
    }
}

/// Visits the outputs that read an input of an image, with how many taps of their windows lie inside it.
#[inline(always)]
fn each_reader(window: &Window2d, y: usize, x: usize, mut visit: impl FnMut(usize, usize, usize)) {
    for ky in 0..window.size[0] {
        let Some(oy) = reader(window, 0, y, ky) else { continue };
        let rows = window.taps(0, oy).0.len();
        for kx in 0..window.size[1] {
            let Some(ox) = reader(window, 1, x, kx) else { continue };
            visit(oy, ox, rows * window.taps(1, ox).0.len());
        }
    }
}

/// The sum of two gradients; what is written may be one of them. `a`, `b` and `output` are the views of both and of what is written.
pub fn total<B: Bounds>(mut arena: Arena<'_, u8, B>, a: View, b: View, output: View, region: Region, layer: &Total) {
    let factors = layer.factors.map(i32::from);
    for block in region.y0..region.y1 {
        let [a, b, to] = [a, b, output].map(|view| view.at(block, region.x0));
        let count = region.x1.wrapping_sub(region.x0).wrapping_mul(COLUMNS);
        for i in 0..count {
            let at = i.wrapping_mul(2);
            let term = |from: usize, factor: i32| i32::from(i16_at(&arena, from.wrapping_add(at))).wrapping_mul(factor);
            let sum = term(a, factors[0]).wrapping_add(term(b, factors[1]));
            arena.store(to.wrapping_add(at), saturate(shifted(sum, layer.shift)).to_le_bytes());
        }
    }
}
