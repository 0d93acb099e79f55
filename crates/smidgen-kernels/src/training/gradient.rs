//! Gradients with respect to activations.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
use super::armv7em;
use super::block::{COLUMNS, LANES, Order, ROWS, STAGED_BYTES, Source, Stage, Taps, put, stage_taps};
use super::mask_bytes;
use super::{bytes_of, i16_at, saturate, shifted};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;
use core::num::NonZeroU32;

/// Fraction bits of the factors that bring gradients to a common unit.
pub const FACTOR_BITS: u32 = 14;

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
}

/// The gradient of DEPTHWISE_CONV_2D with respect to its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DepthwiseGradient {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// As in [`InputGradient`].
    pub narrow: u32,
    /// As in [`InputGradient`].
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
    /// Elements.
    pub elements: usize,
    /// What each counts, at most `2^14`.
    pub factors: [i16; 2],
    /// Bits by which the sum is shifted right.
    pub shift: u32,
}

/// Of a gradient of `[pixels, channels]`, what the clamp left as it was; the rest is 0. `places` are the bytes of the gradient, of the mask and of
/// what is written, which may be the gradient itself.
pub fn mask<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [gradient, mask, output]: [usize; 3],
    [pixels, channels]: [usize; 2],
) {
    let (size, bits) = ((pixels * channels).wrapping_mul(2), pixels.wrapping_mul(mask_bytes(channels)));
    // What is written last may lie on the mask, which then has to be read first.
    let apart = output.wrapping_add(size) <= mask || mask.wrapping_add(bits) <= output;
    let mut late = gradient;
    if output != gradient && apart {
        arena.copy(gradient, output, size);
        late = output;
    }
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if late == output && channels % 8 == 0 && pixels * channels > 0 {
        let count = pixels * channels / 8;
        let (numbers, bits) = (arena.pointer(output, count.wrapping_mul(16)), arena.pointer(mask, count).cast_const());
        // SAFETY: both are good for what is read and written, and there is at least one byte.
        return unsafe { armv7em::mask(numbers, bits, count) };
    }
    let (mut to, mut mask) = (output, mask);
    for _ in 0..pixels {
        let mut left = channels;
        while left > 0 {
            let count = left.min(8);
            let byte = arena[mask];
            if late != output {
                arena.copy(late.wrapping_add(to.wrapping_sub(output)), to, count.wrapping_mul(2));
            }
            // Bytes of which all bits are alike are frequent.
            if byte == 0 && count == 8 {
                arena.store(to, [0; 16]);
            } else if byte != 0xff {
                let mut bits = u32::from(byte);
                for channel in 0..count {
                    if bits & 1 == 0 {
                        arena.store(to.wrapping_add(channel.wrapping_mul(2)), [0; 2]);
                    }
                    bits >>= 1;
                }
            }
            to = to.wrapping_add(count.wrapping_mul(2));
            mask = mask.wrapping_add(1);
            left -= count;
        }
    }
}

/// Along an axis, the output index that reads input index `at` through a tap, if there is one.
#[inline(always)]
fn reader(window: &Window2d, axis: usize, at: usize, tap: usize) -> Option<usize> {
    let axis = axis & 1;
    let stride = window.stride[axis].max(1);
    let position = (at + window.before[axis]).checked_sub(tap * window.dilation[axis])?;
    let index = position / stride;
    (index * stride == position && index < window.output[axis]).then_some(index)
}

/// Stores sums of a column that begin with half a step, one for each of `rows` pixels: `to` is the first element's byte, `step` from pixel to pixel.
#[inline(always)]
fn store<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    sums: &[[i32; COLUMNS]],
    columns: usize,
    [to, step]: [usize; 2],
    shift: u32,
) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if columns == COLUMNS && !sums.is_empty() {
        let reach = step.wrapping_mul(sums.len().wrapping_sub(1)).wrapping_add(2 * COLUMNS);
        let frame = armv7em::Store { end: sums.as_ptr_range().end, step, shift };
        // SAFETY: both are good for what is read and written.
        return unsafe { armv7em::store(sums.as_ptr(), arena.pointer(to, reach), &frame) };
    }
    let mut to = to;
    for sums in sums {
        let values = sums.map(|sum| saturate(sum.wrapping_shr(shift)));
        if columns == COLUMNS {
            put(arena, to, values);
        } else {
            for (column, value) in values.iter().enumerate().take(columns) {
                arena.store(to.wrapping_add(column.wrapping_mul(2)), value.to_le_bytes());
            }
        }
        to = to.wrapping_add(step);
    }
}

/// Half of what a sum is shifted by.
#[inline(always)]
fn half(shift: u32) -> i32 {
    1i32.wrapping_shl(shift) >> 1
}

/// The gradient of CONV_2D with respect to its input: for each input element, the sum over the outputs that read it of
/// gradient, channel's factor and weight.
///
/// `places` are the bytes of the masked gradient `[images, H', W', O]`, of what is written `[images, H, W, C]`, of the weights apart `[O, KH, KW, S]` and of
/// scratch, [`InputGradient::scratch`] bytes. `weights` are `[O, KH, KW, C]`; `factors` has what the gradient of each output channel counts, over `2^15`, at least 0;
/// `list` names the channels that have their weights apart.
pub fn input_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 4],
    layer: &InputGradient,
    weights: Whole<'_, u8, B>,
    factors: Flash<'_, i16, B>,
    list: Flash<'_, u16, B>,
) {
    let InputGradient { ref window, selected, shift, .. } = *layer;
    let [gradient, output, apart, scratch] = places;
    let in_c = window.input[2];
    let elements = window.area().wrapping_mul(window.output[2]);
    let stage = Stage::new(scratch, elements);
    let start = [half(shift); COLUMNS];
    let pixels = layer.pixels();
    let most = Stage::count(elements, pixels);
    let pixel_bytes = in_c.wrapping_mul(2);
    let mut sums = [[0; COLUMNS]; ROWS];
    let mut pixel = 0;
    while pixel < pixels {
        let count = most.min(pixels - pixel);
        stage_gradients(&mut arena, gradient, layer, &stage, [pixel, count], factors);
        let to = output.wrapping_add(pixel.wrapping_mul(pixel_bytes));
        let mut channel = 0;
        while channel < in_c {
            let columns = COLUMNS.min(in_c - channel);
            let source = Source::new(&weights, channel, [in_c, 1]);
            source.stage(&mut arena, &stage, Order::Natural, [elements, columns]);
            // Weights that lie apart are zero among the others.
            for s in 0..selected {
                let column = usize::from(list[s]).wrapping_sub(channel);
                if column < columns {
                    stage_apart(&mut arena, apart.wrapping_add(s), selected, stage.column(column, 0), elements);
                }
            }
            stage.multiply(&mut arena, count, start, &mut sums);
            let sums = sums.get(..count).unwrap_or_default();
            store(&mut arena, sums, columns, [to.wrapping_add(channel.wrapping_mul(2)), pixel_bytes], shift);
            channel += columns;
        }
        pixel += count;
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

/// Stages the gradients that reach `count` pixels of the input from `pixel` on, scaled: element `o * area + tap` is that of output channel `o` through
/// that tap.
#[inline(never)]
fn stage_gradients<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    gradient: usize,
    layer: &InputGradient,
    stage: &Stage,
    [pixel, count]: [usize; 2],
    factors: Flash<'_, i16, B>,
) {
    let InputGradient { ref window, narrow, .. } = *layer;
    let [out_h, out_w, out_c] = window.output;
    let (area, width) = (window.area(), window.input[1].max(1));
    let step = area.wrapping_mul(2);
    for i in 0..count {
        let (row, x) = ((pixel + i) / width, (pixel + i) % width);
        let (image, y) = crate::geometry::split(row, window.input[0]);
        let to = stage.row(i);
        if !window.is_pointwise() || stage.padded != out_c {
            arena.span_mut(to, stage.padded.wrapping_mul(2)).fill(0);
        }
        for ky in 0..window.size[0] {
            let Some(oy) = reader(window, 0, y, ky) else { continue };
            for kx in 0..window.size[1] {
                let Some(ox) = reader(window, 1, x, kx) else { continue };
                let mut from = gradient.wrapping_add((((image * out_h + oy) * out_w + ox) * out_c).wrapping_mul(2));
                let mut to = to.wrapping_add((ky * window.size[1] + kx).wrapping_mul(2));
                #[cfg_attr(not(all(target_arch = "arm", feature = "dsp")), expect(unused_mut, reason = "for assembly"))]
                let mut done = 0;
                #[cfg(all(target_arch = "arm", feature = "dsp"))]
                if area == 1 && out_c >= COLUMNS {
                    done = out_c & !(COLUMNS - 1);
                    let bytes = done.wrapping_mul(2);
                    let (of, places) = (factors.span(0, done).as_ptr(), [from, to].map(|at| arena.pointer(at, bytes)));
                    let scaling = armv7em::Scaling { half: half(narrow), shift: narrow };
                    // SAFETY: all are good for what is read and written.
                    unsafe { armv7em::scaled_row(places[0], of, places[1], done / COLUMNS, &scaling) };
                    (from, to) = (from.wrapping_add(bytes), to.wrapping_add(bytes));
                }
                for o in done..out_c {
                    let scaled = shifted(i32::from(i16_at(arena, from)) * i32::from(factors[o]), narrow) as i16;
                    arena.store(to, scaled.to_le_bytes());
                    (from, to) = (from.wrapping_add(2), to.wrapping_add(step));
                }
            }
        }
    }
}

impl InputGradient {
    fn pixels(&self) -> usize {
        self.images.wrapping_mul(self.window.input[0]).wrapping_mul(self.window.input[1])
    }

    /// Bytes of scratch, a multiple of 4: the gradients that reach some pixels, and the weights of a few channels.
    pub fn scratch(&self) -> usize {
        let elements = self.window.area() * self.window.output[2];
        Stage::bytes(elements, Stage::count(elements, self.pixels()))
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

/// The gradient of DEPTHWISE_CONV_2D with respect to its input. `places` are the bytes of the masked gradient `[images, H', W', O]`, of what is
/// written `[images, H, W, C]` and of scratch, [`DepthwiseGradient::scratch`] bytes; `weights` are `[KH, KW, O]`, `factors` as in [`input_gradient`].
pub fn depthwise_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [gradient, output, scratch]: [usize; 3],
    layer: &DepthwiseGradient,
    weights: Whole<'_, u8, B>,
    factors: Flash<'_, i16, B>,
) {
    let DepthwiseGradient { ref window, images, shift, .. } = *layer;
    let ([height, width, in_c], out_c, multiplier) = (window.input, window.output[2], window.multiplier());
    let [down, across] = [Axis::new(window, 0), Axis::new(window, 1)];
    let all_taps = window.area().wrapping_mul(LANES);
    let (planes, band) = (scratch.wrapping_add(all_taps.wrapping_mul(multiplier)), layer.band());
    let cols = across.outputs(0, width);
    let mut room = [[0; COLUMNS]; ROWS];
    for image in 0..images {
        let mut y0 = 0;
        while y0 < height {
            let y1 = height.min(y0 + band);
            let rows = down.outputs(y0, y1);
            let plane_bytes = (rows * cols).wrapping_mul(LANES);
            // What lies beyond the outputs stays 0 for all channels.
            arena.span_mut(planes, plane_bytes.wrapping_mul(multiplier)).fill(0);
            let mut channel = 0;
            while channel < in_c {
                let lanes = COLUMNS.min(in_c - channel);
                for part in 0..multiplier {
                    let plane = planes.wrapping_add(plane_bytes.wrapping_mul(part));
                    let first = [down.first(y0).wrapping_sub(down.reach), across.first(0).wrapping_sub(across.reach)];
                    let which = [image, channel, lanes, part];
                    stage_scaled(&mut arena, [gradient, plane], layer, [rows, cols], first, which, factors);
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
                            let to = output.wrapping_add((pixel * in_c + channel).wrapping_mul(2));
                            let step = across.stride.wrapping_mul(in_c).wrapping_mul(2);
                            store(&mut arena, sums, lanes, [to, step], shift);
                            x += count * across.stride;
                        }
                        y += down.stride;
                    }
                }
                channel += COLUMNS;
            }
            y0 = y1;
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
    [gradient, plane]: [usize; 2],
    layer: &DepthwiseGradient,
    [rows, cols]: [usize; 2],
    [first_y, first_x]: [usize; 2],
    [image, channel, lanes, part]: [usize; 4],
    factors: Flash<'_, i16, B>,
) {
    let DepthwiseGradient { ref window, narrow, .. } = *layer;
    let ([out_h, out_w, out_c], multiplier) = (window.output, window.multiplier());
    let (mut counts, mut offsets) = ([0i16; COLUMNS], [0; COLUMNS]);
    for (lane, (count, offset)) in counts.iter_mut().zip(&mut offsets).enumerate().take(lanes) {
        let o = (channel + lane).wrapping_mul(multiplier).wrapping_add(part);
        (*count, *offset) = (factors[o], o.wrapping_mul(2));
    }
    for row in 0..rows {
        let oy = first_y.wrapping_add(row);
        if oy >= out_h {
            continue;
        }
        let mut from = gradient.wrapping_add(((image * out_h + oy) * out_w * out_c).wrapping_mul(2));
        // Columns below 0 are beyond the last one, since they wrap.
        let (skipped, ox) = if first_x < out_w { (0, first_x) } else { (first_x.wrapping_neg(), 0) };
        from = from.wrapping_add((ox * out_c).wrapping_mul(2));
        let mut to = plane.wrapping_add((row * cols + skipped).wrapping_mul(LANES));
        let count = (out_w - ox).min(cols.saturating_sub(skipped));
        let step = out_c.wrapping_mul(2);
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if multiplier == 1 && lanes == COLUMNS && count > 0 {
            let reach = step.wrapping_mul(count.wrapping_sub(1)).wrapping_add(LANES);
            let from = arena.pointer(from.wrapping_add(channel.wrapping_mul(2)), reach).cast_const();
            let to = arena.pointer(to, count.wrapping_mul(LANES));
            let scaling = armv7em::Scaling { half: half(narrow), shift: narrow };
            // SAFETY: both are good for what is read and written.
            unsafe { armv7em::scaled_lanes(from, step, to, count, &counts, &scaling) };
            continue;
        }
        for _ in 0..count {
            let mut four = [0i16; COLUMNS];
            for ((to, offset), count) in four.iter_mut().zip(offsets).zip(counts).take(lanes) {
                let value = i32::from(i16_at(arena, from.wrapping_add(offset)));
                *to = shifted(value * i32::from(count), narrow) as i16;
            }
            put(arena, to, four);
            (from, to) = (from.wrapping_add(step), to.wrapping_add(LANES));
        }
    }
}

/// The gradient of an average with respect to its input, times the taps of a whole window. `places` are the bytes of the gradient and of what
/// is written.
pub fn spread<B: Bounds>(mut arena: Arena<'_, u8, B>, [gradient, output]: [usize; 2], layer: &Spread) {
    let Spread { ref window, images, shift } = *layer;
    let ([height, width, channels], [out_h, out_w, _]) = (window.input, window.output);
    let area = window.area();
    for row in 0..images.wrapping_mul(height) {
        let (image, y) = crate::geometry::split(row, height);
        for x in 0..width {
            let to = output.wrapping_add(((row * width + x) * channels).wrapping_mul(2));
            // How many windows read this pixel, and the last that reads all its taps.
            let (mut readers, mut only) = (0, None);
            each_reader(window, y, x, |oy, ox, taps| {
                readers += 1;
                only = (taps == area).then_some(((image * out_h + oy) * out_w + ox) * channels);
            });
            if let (1, Some(from), 0) = (readers, only, shift) {
                arena.copy(gradient.wrapping_add(from.wrapping_mul(2)), to, channels.wrapping_mul(2));
                continue;
            }
            for channel in 0..channels {
                let mut sum = 0i32;
                each_reader(window, y, x, |oy, ox, taps| {
                    let from = ((image * out_h + oy) * out_w + ox) * channels + channel;
                    let g = i32::from(i16_at(&arena, gradient.wrapping_add(from.wrapping_mul(2))));
                    // A window that hangs over the edge averages fewer elements.
                    let size = NonZeroU32::new(taps as u32).unwrap_or(NonZeroU32::MIN);
                    let part = (g.unsigned_abs().wrapping_mul(area as u32) / size) as i32;
                    sum = sum.wrapping_add(if g < 0 { part.wrapping_neg() } else { part });
                });
                arena.store(to.wrapping_add(channel.wrapping_mul(2)), saturate(shifted(sum, shift)).to_le_bytes());
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

/// The sum of two gradients. `places` are the bytes of both and of what is written, which may be one of them.
pub fn total<B: Bounds>(mut arena: Arena<'_, u8, B>, [a, b, output]: [usize; 3], layer: &Total) {
    for i in 0..layer.elements {
        let term = |base: usize, factor: i16| i32::from(i16_at(&arena, base.wrapping_add(i * 2))) * i32::from(factor);
        let sum = term(a, layer.factors[0]).wrapping_add(term(b, layer.factors[1]));
        arena.store(output.wrapping_add(i * 2), saturate(shifted(sum, layer.shift)).to_le_bytes());
    }
}
