//! The blocks of the depthwise convolution in plain Rust: what they do, for cores of every kind.

#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use super::GROUP;
use super::{Band, Constants, Layer, PITCH, Row, Shape, group_weights};
use crate::int8::mcu::epilogue::{Channel, Epilogue, SCALE};
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use crate::isa::scalar::spread;
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
use crate::isa::scalar::{COLUMNS, column as column_of, columns, finish};
use crate::memory::{Arena, Around, Bounds, Flash};

/// Weights are staged before pixels: where they are is then a constant.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
pub(super) const WEIGHTS_FIRST: bool = true;

/// Where places in the arena are counted from.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
pub(super) fn origin_of_arena<B: Bounds>(_: &mut Around<'_, i8, B>) -> usize {
    0
}

/// The same for scratch.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
pub(super) fn origin_of_scratch<B: Bounds>(_: &mut Arena<'_, i16, B>) -> usize {
    0
}

/// Computes the first `groups` whole groups of channels.
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
pub(super) fn groups<const OFFSET: bool, B: Bounds>(
    band: &mut Band,
    shape: Shape,
    layer: &Layer<'_>,
    groups: usize,
    constants: Constants<'_, B>,
    around: &mut Around<'_, i8, B>,
    scratch: &mut Arena<'_, i16, B>,
) {
    for i in 0..groups {
        group::<OFFSET, B>(band, shape, layer, [i * GROUP, GROUP], constants, around, scratch);
    }
}

/// Stages and computes `count` channels from channel `first` on, at most [`GROUP`](super::GROUP), which are packed together.
#[inline(never)]
pub(super) fn group<const OFFSET: bool, B: Bounds>(
    band: &Band,
    shape: Shape,
    layer: &Layer<'_>,
    [first, count]: [usize; 2],
    constants: Constants<'_, B>,
    around: &mut Around<'_, i8, B>,
    scratch: &mut Arena<'_, i16, B>,
) {
    let Constants { weights, words } = constants;
    let pairs = layer.window.input[2].div_ceil(2);
    let place = group_weights::<OFFSET, B>(weights, shape.size * shape.size, first, count);
    stage_weights(shape, weights, place, count, band.first_weight(), scratch);
    stage_pixels(band, first, count, around, scratch);
    for index in 0..count {
        let [even, odd] = layer.epilogue.pair(words, pairs, (first + index) / 2);
        let channel = if index % 2 == 0 { even } else { odd };
        let at = Lane { index, output: first + index, channel, epilogue: layer.epilogue };
        match shape.size {
            3 => at.compute::<3, B>(shape, band, around, scratch),
            5 => at.compute::<5, B>(shape, band, around, scratch),
            _ => at.compute::<7, B>(shape, band, around, scratch),
        }
    }
}

/// Stages the weights of `count` channels, which begin at element `at`, less their zero point: from `[KH, KW, count]`
/// to `count` times `[KH, KW]`, a row taking as much as [`Shape::weight_row`] says, from element `first` of scratch on.
#[inline(always)]
fn stage_weights<B: Bounds>(
    shape: Shape,
    weights: Flash<'_, i8, B>,
    (at, zero): (usize, i32),
    count: usize,
    first: usize,
    scratch: &mut Arena<'_, i16, B>,
) {
    let size = shape.size;
    #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
    if count == GROUP {
        for row in 0..size {
            let from = weights.span(at + row * size * GROUP, size * GROUP).as_ptr();
            let to = first + row * shape.weight_row();
            let to = scratch.pointer(to, (GROUP - 1) * shape.weights() + size);
            // SAFETY: four weights of each tap, and room for a row of each channel.
            unsafe { spread::<0>((from, GROUP), size, (to, shape.weights()), zero as i16) }
        }
        return;
    }
    for channel in 0..count {
        for row in 0..size {
            let to = first + channel * shape.weights() + row * shape.weight_row();
            for tap in 0..size {
                let weight = (weights[at + (row * size + tap) * count + channel] as i16).wrapping_sub(zero as i16);
                scratch[to + tap] = weight;
            }
        }
    }
}

/// Stages the pixels of channels `first .. first + count`, [`SCALE`] times what they are, padding beside them included.
fn stage_pixels<B: Bounds>(
    band: &Band,
    first: usize,
    count: usize,
    around: &mut Around<'_, i8, B>,
    scratch: &mut Arena<'_, i16, B>,
) {
    let scaled = |x: i8| x as i16 * SCALE as i16;
    let padding = scaled(band.padding as u8 as i8);
    let width = band.width();
    for (row, &from) in band.input_rows().iter().enumerate() {
        #[cfg(not(all(target_arch = "arm", feature = "dsp")))]
        if count == GROUP && width > 0 {
            let mut to = (band.to - band.scratch() + row * PITCH) / 2;
            for channel in 0..GROUP {
                let to = to + channel * band.plane / 2;
                if band.pieces & 1 != 0 {
                    scratch[to] = padding;
                }
                if band.pieces & 4 != 0 {
                    scratch[to + (band.pieces & 1) + width] = padding;
                }
            }
            to += band.pieces & 1;
            let from = around.span(from + first, (width - 1) * band.input_stride + GROUP).as_ptr();
            let to = scratch.pointer(to, (GROUP - 1) * band.plane / 2 + width);
            // SAFETY: four channels of each pixel, and room for a row of each.
            unsafe { spread::<{ SCALE.trailing_zeros() }>((from, band.input_stride), width, (to, band.plane / 2), 0) }
            continue;
        }
        for channel in 0..count {
            let mut to = (band.to - band.scratch() + row * PITCH + channel * band.plane) / 2;
            if band.pieces & 1 != 0 {
                scratch[to] = padding;
                to += 1;
            }
            let mut from = from + first + channel;
            for x in 0..width {
                scratch[to + x] = scaled(around[from]);
                from += band.input_stride;
            }
            if band.pieces & 4 != 0 {
                scratch[to + width] = padding;
            }
        }
    }
}

/// One channel of a group.
struct Lane<'a> {
    /// Which of the group.
    index: usize,
    /// Which of all.
    output: usize,
    channel: Channel,
    epilogue: &'a Epilogue,
}

impl Lane<'_> {
    /// What the rows of the window add that lie above or below the image: the same for all outputs of a row.
    fn padded<const K: usize, B: Bounds>(
        &self,
        shape: Shape,
        band: &Band,
        row: &Row,
        scratch: &Arena<'_, i16, B>,
    ) -> i32 {
        let mut sum = 0i32;
        for i in (0..K).filter(|i| row.skip >> (8 + i) & 1 != 0) {
            let weights = band.first_weight() + self.index * shape.weights() + i * shape.weight_row();
            for j in 0..K {
                sum += scratch[weights + j] as i32;
            }
        }
        sum.wrapping_mul(band.padding as u8 as i8 as i32 * SCALE)
    }

    /// Computes the channel with a window of `K` by `K`.
    fn compute<const K: usize, B: Bounds>(
        &self,
        shape: Shape,
        band: &Band,
        around: &mut Around<'_, i8, B>,
        scratch: &Arena<'_, i16, B>,
    ) {
        let all_weights = 2 * (band.first_weight() + self.index * shape.weights());
        let all_pixels = band.pixels - band.scratch() + self.index * band.plane;
        for row in band.rows() {
            let weights = all_weights.wrapping_add(row.weights);
            let mut output = row.output + self.output;
            let mut pixels = all_pixels.wrapping_add(row.pixels);
            let skip = (row.skip & 255) / 8;
            let start = self.channel.start.wrapping_add(self.padded::<K, B>(shape, band, row, scratch));
            let mut columns = band.columns >> 8;
            // Hosts have instructions that several outputs of a channel share.
            while cfg!(target_arch = "x86_64") && columns >= WIDE {
                let accs = wide::<K, B>(shape, skip, start, [weights, pixels], scratch);
                for acc in accs {
                    around[output] = self.epilogue.output(&self.channel, acc);
                    output += band.output_stride;
                }
                pixels = pixels.wrapping_add(shape.stride * 2 * WIDE);
                columns -= WIDE;
            }
            #[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
            if columns > 0 {
                let (rows, stride) = (K - skip, shape.stride);
                let weights = weights.wrapping_add(skip * shape.weight_row() * 2) / 2;
                let pixels = pixels.wrapping_add(skip * PITCH) / 2;
                let last = (rows - 1) * PITCH / 2 + (columns - 1) * stride + K;
                let line = Line {
                    weights: scratch.span(weights, (rows - 1) * shape.weight_row() + K).as_ptr(),
                    pixels: scratch.span(pixels, last).as_ptr(),
                    rows,
                    weight_pitch: shape.weight_row() * 2,
                    columns,
                    to: around.pointer(output, (columns - 1) * band.output_stride + 1),
                    output_stride: band.output_stride,
                };
                let channel = Channel { start, ..self.channel };
                // SAFETY: weights and pixels of all rows lie in the spans, and no window lies in the padding with all rows, see `Shape::of`.
                unsafe {
                    match stride {
                        1 => line.compute::<K, 1>(&channel),
                        _ => line.compute::<K, 2>(&channel),
                    }
                }
                continue;
            }
            for _ in 0..columns {
                let mut acc = start;
                for i in skip..K {
                    let weights = weights.wrapping_add(i * shape.weight_row() * 2) / 2;
                    let pixels = pixels.wrapping_add(i * PITCH) / 2;
                    for j in 0..K {
                        acc = acc.wrapping_add(scratch[pixels + j] as i32 * scratch[weights + j] as i32);
                    }
                }
                around[output] = self.epilogue.output(&self.channel, acc);
                output += band.output_stride;
                pixels = pixels.wrapping_add(shape.stride * 2);
            }
        }
    }
}

/// A row of outputs of a channel.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
struct Line {
    /// The first staged weight.
    weights: *const i16,
    /// The first staged pixel.
    pixels: *const i16,
    /// Rows of the window, at least one.
    rows: usize,
    /// Bytes from a row of weights to the next.
    weight_pitch: usize,
    /// Outputs, at least one.
    columns: usize,
    /// The first output.
    to: *mut i8,
    /// Elements from output to output.
    output_stride: usize,
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "arm", feature = "dsp"))))]
impl Line {
    /// Computes all outputs.
    ///
    /// # Safety
    /// All pointers must be good for what the numbers say.
    // A function of its own has registers for all that it needs.
    #[inline(never)]
    unsafe fn compute<const K: usize, const STRIDE: usize>(&self, channel: &Channel) {
        let &Self { weights, pixels, rows, weight_pitch, columns: count, to, output_stride } = self;
        let pitches = [weight_pitch, PITCH];
        let mut column = 0;
        while column < count {
            let mut sums = [channel.start; COLUMNS];
            let left = count - column;
            let mut outputs = 1;
            if left == 1 || count < COLUMNS {
                let pixels = pixels.wrapping_add(column * STRIDE);
                // SAFETY: the caller's promise.
                sums[0] = unsafe { column_of::<K>(channel.start, weights, pixels, rows, pitches) };
            } else {
                // The last ones again, if fewer are left.
                column = column.min(count - COLUMNS);
                outputs = COLUMNS;
                // SAFETY: as above.
                unsafe { columns::<K, STRIDE>(&mut sums, weights, pixels.wrapping_add(column * STRIDE), rows, pitches) }
            }
            let to = to.wrapping_add(column * output_stride);
            // SAFETY: as above, and there are as many sums.
            unsafe { finish(channel, (sums.as_ptr(), 1), (to, output_stride), outputs) }
            column += outputs;
        }
    }
}

/// Outputs that are computed together where that helps.
const WIDE: usize = 8;

/// The accumulators of outputs that follow one another; staged weights and pixels begin at these bytes.
#[inline(always)]
fn wide<const K: usize, B: Bounds>(
    shape: Shape,
    skip: usize,
    start: i32,
    [weights, pixels]: [usize; 2],
    scratch: &Arena<'_, i16, B>,
) -> [i32; WIDE] {
    let mut accs = [start; WIDE];
    for i in skip..K {
        let weights = weights.wrapping_add(i * shape.weight_row() * 2) / 2;
        let pixels = pixels.wrapping_add(i * PITCH) / 2;
        for j in 0..K {
            let weight = scratch[weights + j] as i32;
            if shape.stride == 1 {
                let pixels = scratch.load::<WIDE>(pixels + j);
                for (acc, x) in accs.iter_mut().zip(pixels) {
                    *acc = acc.wrapping_add(x as i32 * weight);
                }
            } else {
                for (column, acc) in accs.iter_mut().enumerate() {
                    *acc = acc.wrapping_add(scratch[pixels + j + column * shape.stride] as i32 * weight);
                }
            }
        }
    }
    accs
}
