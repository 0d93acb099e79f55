//! Steps of stochastic gradient descent on int8 weights and int32 biases, applied as soon as the gradient of a weight is known.
//!
//! The step of a weight is `rate * factor * gradient`; the factor of an output channel has the unit of the gradients, the scale of the
//! layer and, with quantisation-aware scaling, `1 / scale^2` in it. What is stored are integers, and most steps are smaller than one half:
//! they are rounded up as often as their size says ([`Noise::Stochastic`]), or to the nearest ([`Noise::Nearest`]).

use super::block::{COLUMNS, LANES, Order, ROWS, Source, Stage};
use super::{RATE_BITS, i16_at, i32_at, saturate};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::view::View;
use core::ops::Range;

/// How a step is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noise {
    /// To the nearest integer, ties upwards.
    Nearest,
    /// Up or down, by chance, such that the mean is exact.
    Stochastic,
}

/// What the steps of a tensor have in common.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// Bits by which a sum of products is shifted right so that it has 32 bits.
    pub narrow: u32,
    /// How it is rounded.
    pub noise: Noise,
    /// Where this is 8 or 16, steps have so many more bits, and what is left of one when the element has moved is kept for the next; else 0.
    pub kept: u32,
    /// Bytes in which it is kept beside each element: 1, 2 or 4.
    pub held: u32,
    /// Steps are kept whole until there are those of so many samples; up to 1, the element moves at once. Only with [`kept`](Self::kept).
    pub collected: u32,
    /// Tells the random numbers of one tensor from those of another.
    pub salt: u32,
}

/// The update of the weights of CONV_2D.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WeightStep {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Channels of the input that is read: all, or those that were selected.
    pub channels: usize,
    /// Zero point of the input.
    pub zero: i32,
    /// Rounding.
    pub step: Step,
}

/// The update of the weights of DEPTHWISE_CONV_2D.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DepthwiseStep {
    /// The window of the convolution.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Zero point of the input.
    pub zero: i32,
    /// Rounding.
    pub step: Step,
}

/// The update of biases.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BiasStep {
    /// Pixels of the gradient.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Rounding.
    pub step: Step,
}

/// What every update reads beside its tensors: the bytes of the learning rate, of the gradients' exponent and of the seed, where what is
/// [kept](Step::kept) of earlier steps lies, and the byte of the number of samples whose steps were collected before.
pub type Common = [usize; 5];

/// The step of an output channel for a sum of 1: `mantissa * 2^-shift`.
#[derive(Clone, Copy, Debug)]
struct Scale {
    mantissa: i32,
    shift: i32,
}

impl Scale {
    /// The product of learning rate, channel's factor and what the gradients' exponent says.
    #[inline]
    fn new<B: Bounds>(
        arena: &Arena<'_, u8, B>,
        [rate, exponent, ..]: Common,
        factors: Flash<'_, i32, B>,
        o: usize,
    ) -> Self {
        let (mantissa, shift) = (factors[o.wrapping_mul(2)], factors[o.wrapping_mul(2).wrapping_add(1)]);
        let rate = i64::from(i32_at(arena, rate).max(0));
        let product = rate.wrapping_mul(i64::from(mantissa));
        // Down to 31 bits.
        let spare = 33u32.saturating_sub(product.leading_zeros());
        let shift = shift.wrapping_add(RATE_BITS as i32).wrapping_sub(i32_at(arena, exponent));
        Self { mantissa: product.wrapping_shr(spare) as i32, shift: shift.wrapping_sub(spare as i32) }
    }

    /// The step for a sum.
    #[inline(always)]
    fn step(self, sum: i32, noise: Noise, random: impl FnOnce() -> u32) -> i32 {
        if sum == 0 || self.mantissa == 0 {
            return 0;
        }
        let product = i64::from(sum).wrapping_mul(i64::from(self.mantissa));
        if noise == Noise::Stochastic && (33..=62).contains(&self.shift) {
            // The usual case, in words: the lower one only carries, and the higher one has the step.
            let more = self.shift.wrapping_sub(32) as u32;
            let random = random();
            let [low, high] = [random.wrapping_shl(more), (random >> 1).wrapping_shr(31u32.wrapping_sub(more))];
            let chance = (u64::from(high) << 32 | u64::from(low)) as i64;
            return ((product.wrapping_add(chance) >> 32) as i32).wrapping_shr(more);
        }
        self.rare(product, noise, random())
    }

    /// The step for a product that has any shift.
    #[inline(never)]
    fn rare(self, product: i64, noise: Noise, random: u32) -> i32 {
        if self.shift <= 0 {
            let left = self.shift.wrapping_neg();
            let limit = i64::from(i32::MAX);
            return if left > 30 || product.unsigned_abs() > (limit as u64).wrapping_shr(left as u32) {
                if product > 0 { i32::MAX } else { -i32::MAX }
            } else {
                product.wrapping_shl(left as u32) as i32
            };
        }
        // Beyond 62 bits a product is less than a quarter of a step: what is left of it counts in units of 2^-62.
        let (product, shift) = match self.shift {
            0..=62 => (product, self.shift as u32),
            more => (product >> more.wrapping_sub(62).min(63), 62),
        };
        let chance = match noise {
            Noise::Nearest => 1i64.wrapping_shl(shift.wrapping_sub(1)),
            Noise::Stochastic => match shift {
                0..=32 => i64::from(random.wrapping_shr(32u32.wrapping_sub(shift).min(31))),
                _ => i64::from(random).wrapping_shl(shift.wrapping_sub(32)),
            },
        };
        let step = product.wrapping_add(chance) >> shift;
        step.clamp(-i64::from(i32::MAX), i64::from(i32::MAX)) as i32
    }
}

impl Step {
    /// The step of element `at` of a tensor.
    #[inline(always)]
    fn of<B: Bounds>(&self, arena: &mut Arena<'_, u8, B>, common: Common, scale: Scale, sum: i32, at: usize) -> i32 {
        if self.kept == 0 {
            return scale.step(sum, self.noise, || random(i32_at(arena, common[2]) as u32, self.salt, at));
        }
        self.with_rest(arena, common, scale, sum, at)
    }

    /// The same with what was left of the steps before.
    #[inline(never)]
    fn with_rest<B: Bounds>(
        &self,
        arena: &mut Arena<'_, u8, B>,
        common: Common,
        scale: Scale,
        sum: i32,
        at: usize,
    ) -> i32 {
        let [.., seed, kept, count] = common;
        let fine = Scale { shift: scale.shift.wrapping_sub(self.kept as i32), ..scale };
        let place = kept.wrapping_add(at.wrapping_mul(self.held as usize));
        let rest = match self.held {
            1 => i32::from(arena[place] as i8),
            2 => i32::from(i16_at(arena, place)),
            _ => i32_at(arena, place),
        };
        let total = fine.step(sum, self.noise, || random(i32_at(arena, seed) as u32, self.salt, at));
        let total = total.saturating_add(rest);
        let step = match self.collected > 1 && !due(arena, count, self.collected) {
            true => 0,
            false => total.saturating_add(1i32.wrapping_shl(self.kept.wrapping_sub(1))).wrapping_shr(self.kept),
        };
        let left = total.wrapping_sub(step.wrapping_shl(self.kept));
        match self.held {
            1 => arena[place] = left as u8,
            // What is collected may have grown beyond it.
            2 => arena.store(place, if self.collected > 1 { saturate(left) } else { left as i16 }.to_le_bytes()),
            _ => arena.store(place, left.to_le_bytes()),
        }
        step
    }
}

/// Whether what was collected is due: this is the last of so many samples.
#[inline(always)]
pub(super) fn due<B: Bounds>(arena: &Arena<'_, u8, B>, count: usize, collected: u32) -> bool {
    i32_at(arena, count).wrapping_add(1) >= collected as i32
}

/// A number that any two of seed, salt and index change as if by chance: rounds of multiplying and folding, with the constants that
/// Wellons' search for hash functions of 32 bits ("Hash Prospector") found to be among the best.
#[inline(always)]
fn random(seed: u32, salt: u32, index: usize) -> u32 {
    let mut x = seed ^ salt ^ (index as u32).wrapping_mul(0x9e37_79b9);
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The seed of the step after this one: a step of a generator that comes to every number once (Marsaglia's xorshift leaves out 0). `places` are the
/// bytes of both.
pub fn next_seed<B: Bounds>(mut arena: Arena<'_, u8, B>, [seed, next]: [usize; 2]) {
    let x = (i32_at(&arena, seed) as u32).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    arena.store(next, x.to_le_bytes());
}

/// How many samples' steps are collected after this one: one more, or none after so many as there are to be. `places` are the bytes of both.
pub fn count_sample<B: Bounds>(mut arena: Arena<'_, u8, B>, [count, next]: [usize; 2], collected: u32) {
    let more = if due(&arena, count, collected) { 0 } else { i32_at(&arena, count).wrapping_add(1) };
    arena.store(next, more.to_le_bytes());
}

/// A weight less its step, in -127 to 127 as TensorFlow Lite's weights; one of -128 stays until its step goes up.
#[inline(always)]
fn moved<B: Bounds>(arena: &mut Arena<'_, u8, B>, at: usize, step: i32) {
    if step != 0 {
        let weight = i32::from(arena[at] as i8);
        let next = weight.saturating_sub(step);
        // A weight of -128, which some quantisers give, is left where it is.
        let least = if weight < -127 { weight } else { -127 };
        let next = if next < least { least } else { next };
        arena[at] = (if next > 127 { 127 } else { next }) as i8 as u8;
    }
}

/// Positions of which the products of 8 and 16 bits fit a sum of 32.
const CHUNK: usize = 128;

impl WeightStep {
    fn positions(&self) -> usize {
        self.images.wrapping_mul(self.window.output[0]).wrapping_mul(self.window.output[1])
    }

    /// Bytes of scratch, a multiple of 4: the gradients of some output channels at some positions, and a few channels of the input there.
    pub fn scratch(&self) -> usize {
        let carried = if self.positions() > CHUNK { size_of::<[[i64; COLUMNS]; ROWS]>() } else { 0 };
        self.staged() + carried
    }

    fn staged(&self) -> usize {
        Stage::bytes(self.positions().min(CHUNK), ROWS.min(self.window.output[2].next_multiple_of(COLUMNS)))
    }
}

/// The rows of a gradient that belong to rows of what is updated: the same, but where the channels do not fill all blocks; then that is one row.
#[inline(always)]
fn rows_of(rows: Range<usize>, channels: usize) -> Range<usize> {
    if channels.is_multiple_of(COLUMNS) { rows } else { 0..channels.div_ceil(COLUMNS) }
}

/// Updates the weights of CONV_2D, `[O, KH, KW, C]`, of the output channels in some rows of the masked gradient, whose view is `gradient`; of all of them where
/// they do not fill blocks of four. `places` are the
/// bytes of the saved input `[images, H, W, C]`, of the weights and of scratch, [`WeightStep::scratch`] bytes; `factors` has the mantissa and the shift of
/// each output channel.
pub fn update_weights<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    gradient: View,
    rows: Range<usize>,
    [input, weights, scratch]: [usize; 3],
    common: Common,
    layer: &WeightStep,
    factors: Flash<'_, i32, B>,
) {
    let WeightStep { ref window, channels, zero, step, .. } = *layer;
    let (area, out_c, positions) = (window.area(), window.output[2], layer.positions());
    let carried = scratch.wrapping_add(layer.staged());
    let mut scales = [Scale { mantissa: 0, shift: 0 }; ROWS];
    let mut sums = [[0; COLUMNS]; ROWS];
    let rows = rows_of(rows, out_c);
    let (mut o, end) = (rows.start.wrapping_mul(COLUMNS), out_c.min(rows.end.wrapping_mul(COLUMNS)));
    while o < end {
        let rows = ROWS.min(end - o);
        for (row, scale) in scales.iter_mut().enumerate().take(rows) {
            *scale = Scale::new(&arena, common, factors, o.wrapping_add(row));
        }
        // Gradients of few positions are staged once for all weights.
        let mut staged = [0; ROWS];
        for block in 0..channels.div_ceil(COLUMNS).wrapping_mul(area) {
            let (tap, channel) = (block % area.max(1), block / area.max(1) * COLUMNS);
            let columns = COLUMNS.min(channels - channel);
            let mut position = 0;
            while position < positions {
                let count = CHUNK.min(positions - position);
                let stage = Stage::new(scratch, count);
                if block == 0 || positions > CHUNK {
                    stage_by_channel(&mut arena, gradient, [o, position], &stage, [rows, count], &mut staged);
                }
                stage_positions(&mut arena, input, layer, &stage, [position, count], tap, [channel, columns]);
                stage.multiply(&mut arena, [0; COLUMNS], sums.get_mut(..rows).unwrap_or_default());
                let (first, last) = (position == 0, position + count == positions);
                for (row, (sums, (&all, &scale))) in sums.iter().zip(staged.iter().zip(&scales)).enumerate().take(rows)
                {
                    // The input was staged with its zero point.
                    let offset = all.wrapping_mul(zero);
                    let sums = sums.map(|sum| sum.wrapping_sub(offset));
                    let carried = carried.wrapping_add(row.wrapping_mul(size_of::<[i64; COLUMNS]>()));
                    let before = (!first).then_some(carried);
                    if last {
                        let at = (o.wrapping_add(row) * area + tap).wrapping_mul(channels).wrapping_add(channel);
                        change(&mut arena, [weights, at, columns], &sums, before, scale, step, common);
                    } else {
                        carry(&mut arena, &sums, before, carried);
                    }
                }
                position += count;
            }
        }
        o += ROWS;
    }
}

/// A sum of 64 bits: what the positions before came to, if any, and what these do.
#[inline(always)]
fn total<B: Bounds>(arena: &Arena<'_, u8, B>, sum: i32, before: Option<usize>, column: usize) -> i64 {
    let before = before.map_or(0, |at| i64::from_le_bytes(arena.load(at.wrapping_add(8 * column))));
    before.wrapping_add(i64::from(sum))
}

/// Keeps sums until those of the next positions are known.
#[inline(never)]
fn carry<B: Bounds>(arena: &mut Arena<'_, u8, B>, sums: &[i32; COLUMNS], before: Option<usize>, to: usize) {
    for (column, &sum) in sums.iter().enumerate() {
        let total = total(arena, sum, before, column);
        arena.store(to.wrapping_add(8 * column), total.to_le_bytes());
    }
}

/// Changes `columns` weights from number `at` on by their steps.
#[inline(never)]
fn change<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    [weights, at, columns]: [usize; 3],
    sums: &[i32; COLUMNS],
    before: Option<usize>,
    scale: Scale,
    step: Step,
    common: Common,
) {
    for (column, &sum) in sums.iter().enumerate().take(columns) {
        let sum = total(arena, sum, before, column).wrapping_shr(step.narrow) as i32;
        let at = at.wrapping_add(column);
        let change = step.of(arena, common, scale, sum, at);
        moved(arena, weights.wrapping_add(at), change);
    }
}

/// Stages gradients of `count` positions from `position` on as a row for each of so many channels from `o` on, a multiple of four, and adds up each row.
#[inline(never)]
fn stage_by_channel<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    gradient: View,
    [o, position]: [usize; 2],
    stage: &Stage,
    [rows, count]: [usize; 2],
    sums: &mut [i32; ROWS],
) {
    let pitch = stage.padded.wrapping_mul(2);
    for (block, sums) in sums.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate().take(rows.div_ceil(COLUMNS)) {
        let from = gradient.row((o / COLUMNS).wrapping_add(block)).wrapping_add(position.wrapping_mul(LANES));
        let to = stage.row(block.wrapping_mul(COLUMNS));
        let lanes = COLUMNS.min(rows.wrapping_sub(block.wrapping_mul(COLUMNS)));
        *sums = [0; COLUMNS];
        #[cfg_attr(
            not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))),
            expect(unused_mut, reason = "for instructions that some machines have")
        )]
        let mut done = 0usize;
        #[cfg(target_arch = "x86_64")]
        if lanes == COLUMNS {
            done = count & !3;
            let from = arena.pointer(from, done.wrapping_mul(LANES)).cast_const();
            let to = arena.pointer(to, pitch.wrapping_mul(COLUMNS));
            // SAFETY: both are good for what is read and written.
            unsafe { super::x86_64::transpose(from, to, pitch, done / 4, sums) }
        }
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if lanes == COLUMNS && count >= 2 {
            done = count & !1;
            let from = arena.pointer(from, done.wrapping_mul(LANES)).cast_const();
            let to = arena.pointer(to, pitch.wrapping_mul(COLUMNS));
            // SAFETY: both are good for what is read and written, and there is at least one pair.
            unsafe { super::armv7em::transpose(from, to, pitch, done / 2, sums) }
        }
        for (lane, sum) in sums.iter_mut().enumerate().take(lanes) {
            let mut to = to.wrapping_add(pitch.wrapping_mul(lane)).wrapping_add(done.wrapping_mul(2));
            for position in done..stage.padded {
                let mut value = 0;
                if position < count {
                    value = i16_at(arena, from.wrapping_add(position.wrapping_mul(LANES)).wrapping_add(lane * 2));
                }
                *sum = sum.wrapping_add(i32::from(value));
                arena.store(to, value.to_le_bytes());
                to = to.wrapping_add(2);
            }
        }
    }
}

/// Stages what a tap reads of some channels at `count` positions from `position` on. Outside the input that is the zero point.
#[inline(never)]
fn stage_positions<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    input: usize,
    layer: &WeightStep,
    stage: &Stage,
    [position, count]: [usize; 2],
    tap: usize,
    [channel, columns]: [usize; 2],
) {
    let WeightStep { ref window, channels, zero, .. } = *layer;
    let ([height, width, _], [out_h, out_w, _]) = (window.input, window.output);
    if window.is_pointwise() {
        let base = input.wrapping_add((position * channels).wrapping_add(channel));
        let source = Source { constant: None, base, steps: [channels, 1] };
        return source.stage(arena, stage, Order::Natural, [count, columns]);
    }
    let (ky, kx) = (tap / window.size[1].max(1), tap % window.size[1].max(1));
    let mut element = 0;
    while element < stage.padded {
        // What is left of a row, or of the stage.
        let (row, ox) = ((position + element) / out_w.max(1), (position + element) % out_w.max(1));
        let end = if element < count { count.min(element + (out_w - ox)) } else { stage.padded };
        let (image, oy) = crate::geometry::split(row, out_h);
        let y = (oy * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
        let is_row = element < count && y < height;
        let mut x = (ox * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
        let line = (image * height).wrapping_add(y).wrapping_mul(width);
        for element in element..end {
            let mut four = [zero as i16; COLUMNS];
            if is_row && x < width {
                let at = input.wrapping_add(line.wrapping_add(x).wrapping_mul(channels).wrapping_add(channel));
                if columns == COLUMNS {
                    four = arena.load::<COLUMNS>(at).map(|x| i16::from(x as i8));
                } else {
                    for (column, value) in four.iter_mut().enumerate().take(columns) {
                        *value = i16::from(arena[at.wrapping_add(column)] as i8);
                    }
                }
            }
            for (column, value) in four.into_iter().enumerate() {
                arena.store(stage.column(column, element), value.to_le_bytes());
            }
            x = x.wrapping_add(window.stride[1]);
        }
        element = end;
    }
}

/// Updates the weights of DEPTHWISE_CONV_2D, `[KH, KW, O]`. The operands are those of [`update_weights`]; all rows are there.
pub fn update_depthwise<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    gradient: View,
    [input, weights]: [usize; 2],
    common: Common,
    layer: &DepthwiseStep,
    factors: Flash<'_, i32, B>,
) {
    let DepthwiseStep { ref window, step, .. } = *layer;
    let (out_c, multiplier) = (window.output[2], window.multiplier().max(1));
    for block in 0..out_c.div_ceil(COLUMNS) {
        let o = block * COLUMNS;
        let lanes = COLUMNS.min(out_c - o);
        let mut scales = [Scale { mantissa: 0, shift: 0 }; COLUMNS];
        // The input's channel of each lane; of those that are not there, that of the first.
        let mut channels = [o / multiplier; COLUMNS];
        for lane in 0..lanes {
            scales[lane] = Scale::new(&arena, common, factors, o + lane);
            channels[lane] = (o + lane) / multiplier;
        }
        for tap in 0..window.area() {
            let sums = correlation(&mut arena, gradient.row(block), input, layer, channels, tap);
            for (lane, (&sum, &scale)) in sums.iter().zip(&scales).enumerate().take(lanes) {
                let at = tap * out_c + o + lane;
                let sum = sum.wrapping_shr(step.narrow) as i32;
                let change = step.of(&mut arena, common, scale, sum, at);
                moved(&mut arena, weights.wrapping_add(at), change);
            }
        }
    }
}

/// The gradients of four channels, from byte `gradient` on, times what a tap reads of the input's `channels`, added up.
#[inline(never)]
fn correlation<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    gradient: usize,
    input: usize,
    layer: &DepthwiseStep,
    channels: [usize; COLUMNS],
    tap: usize,
) -> [i64; COLUMNS] {
    let DepthwiseStep { ref window, images, zero, .. } = *layer;
    let ([height, width, in_c], [out_h, out_w, _]) = (window.input, window.output);
    let (ky, kx) = (tap / window.size[1].max(1), tap % window.size[1].max(1));
    let (stride, ahead) = (window.stride[1].max(1), kx * window.dilation[1]);
    // Columns of the output that read inside the input.
    let first = window.before[1].saturating_sub(ahead).div_ceil(stride);
    let end = (width + window.before[1]).saturating_sub(ahead).div_ceil(stride).min(out_w);
    let four_together = channels[COLUMNS - 1] == channels[0] + (COLUMNS - 1);
    let mut totals = [0i64; COLUMNS];
    for row in 0..images.wrapping_mul(out_h) {
        let (image, oy) = crate::geometry::split(row, out_h);
        let y = (oy * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
        if y >= height || first >= end {
            continue;
        }
        let mut at = gradient.wrapping_add((row * out_w + first).wrapping_mul(LANES));
        let pixel = (image * height + y) * width + (first * stride + ahead).wrapping_sub(window.before[1]);
        let mut from = input.wrapping_add(pixel.wrapping_mul(in_c));
        let mut left = end - first;
        while left > 0 {
            // So many products fit a sum of 32 bits.
            let count = left.min(CHUNK);
            let mut sums = [0i32; COLUMNS];
            for _ in 0..count {
                let inputs = match four_together {
                    true => arena.load::<COLUMNS>(from.wrapping_add(channels[0])),
                    false => channels.map(|channel| arena[from.wrapping_add(channel)]),
                };
                let numbers = arena.load::<LANES>(at);
                for ((sum, &number), x) in sums.iter_mut().zip(numbers.as_chunks::<2>().0).zip(inputs) {
                    let x = i32::from(x as i8).wrapping_sub(zero);
                    *sum = sum.wrapping_add(i32::from(i16::from_le_bytes(number)).wrapping_mul(x));
                }
                at = at.wrapping_add(LANES);
                from = from.wrapping_add(stride.wrapping_mul(in_c));
            }
            totals.iter_mut().zip(sums).for_each(|(total, sum)| *total = total.wrapping_add(i64::from(sum)));
            left -= count;
        }
    }
    totals
}

/// Updates the biases of the channels in some rows of the masked gradient, whose view is `gradient`, as [`update_weights`] does. `bias` is the byte of the first; `factors` as in
/// [`update_weights`].
pub fn update_bias<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    gradient: View,
    rows: Range<usize>,
    bias: usize,
    common: Common,
    layer: &BiasStep,
    factors: Flash<'_, i32, B>,
) {
    let BiasStep { pixels, channels, step } = *layer;
    for block in rows_of(rows, channels) {
        let mut at = gradient.row(block);
        let mut totals = [0i64; COLUMNS];
        let mut left = pixels;
        while left > 0 {
            // So many numbers of 16 bits fit a sum of 32.
            let count = left.min(1 << 15);
            let mut sums = [0i32; COLUMNS];
            add_up(&mut arena, at, count, &mut sums);
            totals.iter_mut().zip(sums).for_each(|(total, sum)| *total = total.wrapping_add(i64::from(sum)));
            at = at.wrapping_add(count.wrapping_mul(LANES));
            left -= count;
        }
        for (lane, &total) in totals.iter().enumerate() {
            let o = block.wrapping_mul(COLUMNS).wrapping_add(lane);
            if o >= channels {
                break;
            }
            let sum = total.wrapping_shr(step.narrow) as i32;
            let scale = Scale::new(&arena, common, factors, o);
            let change = step.of(&mut arena, common, scale, sum, o);
            let at = bias.wrapping_add(o.wrapping_mul(4));
            let next = i32_at(&arena, at).saturating_sub(change);
            arena.store(at, next.to_le_bytes());
        }
    }
}

/// Adds up `count` times four numbers.
#[inline(always)]
fn add_up<B: Bounds>(arena: &mut Arena<'_, u8, B>, from: usize, count: usize, sums: &mut [i32; COLUMNS]) {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if count > 0 {
        let from = arena.pointer(from, count.wrapping_mul(LANES)).cast_const();
        // SAFETY: it is good for what is read, and there is at least one.
        unsafe { super::armv7em::add_up(from, count, sums) }
    }
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    for i in 0..count {
        let four = arena.load::<LANES>(from.wrapping_add(i.wrapping_mul(LANES)));
        for (sum, &number) in sums.iter_mut().zip(four.as_chunks::<2>().0) {
            *sum = sum.wrapping_add(i32::from(i16::from_le_bytes(number)));
        }
    }
}
