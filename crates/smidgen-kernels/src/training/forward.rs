//! The forward pass of layers whose weights or biases change, or through which gradients pass: the bytes of the reference kernels, and of
//! each output one bit that says whether it was left as it was by the clamp.

#[cfg(all(target_arch = "arm", feature = "dsp"))]
use super::armv7em;
use super::block::{
    COLUMNS, LANES, Order, ROWS, STAGED_BYTES, STEP, Source, Stage, Taps, four_lanes, put, stage_taps, widen,
};
use super::{i32_at, mask_bytes, word_of};
use crate::geometry::Window2d;
use crate::int8::Int8;
use crate::memory::{Arena, Bounds, Checked, Flash};
use crate::nd::Whole;
use crate::reference::Sum;
use crate::requant::{Factor, Rounding};

/// CONV_2D without its weights.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conv2d {
    /// The window.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
    /// How many input channels have their weights apart, and are zero among the others.
    pub selected: usize,
}

/// DEPTHWISE_CONV_2D without its weights.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Depthwise {
    /// The window.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Zero points, clamp, rounding.
    pub quant: Int8,
}

/// Some channels of a tensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Select {
    /// Pixels.
    pub pixels: usize,
    /// Channels of the tensor.
    pub channels: usize,
    /// How many are taken.
    pub selected: usize,
}

/// A number clamped, and whether it was within: at a limit it still was.
#[inline(always)]
pub(super) fn clamped(x: i32, min: i8, max: i8) -> (i8, bool) {
    let (min, max) = (i32::from(min), i32::from(max));
    let y = if x < min { min } else { x };
    let y = if y > max { max } else { y };
    (y as i8, x == y)
}

/// Where outputs go, four channels of some pixels at a time.
pub(super) struct Target {
    /// Byte of the output.
    output: usize,
    /// Byte of its mask.
    mask: usize,
    /// Channels of a pixel.
    channels: usize,
    /// Zero point.
    pub zero: i32,
    /// Clamp.
    pub min: i8,
    pub max: i8,
    pub rounding: Rounding,
}

impl Target {
    pub fn new([output, mask]: [usize; 2], channels: usize, quant: &Int8) -> Self {
        let &Int8 { output_zero: zero, min, max, rounding, .. } = quant;
        Self { output, mask, channels, zero, min, max, rounding }
    }

    /// Requantises and stores channels `o .. o + columns`, `o` a multiple of four, of `count` pixels from `pixel` on, and their masks.
    #[inline(never)]
    fn finish<B: Bounds>(
        &self,
        arena: &mut Arena<'_, u8, B>,
        sums: &[[i32; COLUMNS]; ROWS],
        [pixel, count]: [usize; 2],
        [o, columns]: [usize; 2],
        factors: [Factor; COLUMNS],
    ) {
        let step = mask_bytes(self.channels);
        let output = self.output.wrapping_add(pixel.wrapping_mul(self.channels)).wrapping_add(o);
        let mut mask = self.mask.wrapping_add(pixel.wrapping_mul(step)).wrapping_add(o / 8);
        // Two blocks of four channels share a byte.
        let (keep, left) = if o % 8 == 0 { (0u8, 0u32) } else { (0x0f, 4) };
        #[cfg(all(target_arch = "arm", feature = "dsp"))]
        if columns == COLUMNS
            && count > 0
            && (self.min, self.max) == (i8::MIN, i8::MAX)
            && factors.iter().all(|factor| factor.shift < 0)
        {
            let reach = |step: usize, last: usize| step.wrapping_mul(count.wrapping_sub(1)).wrapping_add(last);
            let frame = armv7em::Finish {
                end: sums.as_ptr().wrapping_add(count),
                output: arena.pointer(output, reach(self.channels, COLUMNS)),
                step: self.channels,
                mask: arena.pointer(mask, reach(step, 1)),
                mask_step: step,
                zero: self.zero,
                keep: keep.into(),
                left,
                factors: factors.map(|factor| [factor.multiplier, -i32::from(factor.shift)]),
            };
            // SAFETY: all are good for what is read and written, and shifts are 1 to 31.
            return unsafe {
                match self.rounding {
                    Rounding::Once => armv7em::once(sums.as_ptr(), &frame),
                    Rounding::Twice => armv7em::twice(sums.as_ptr(), &frame),
                }
            };
        }
        let mut to = output;
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        if columns == COLUMNS && std::is_x86_feature_detected!("avx2") {
            let left_of = |pixel: usize| count.wrapping_sub(pixel);
            for (i, &two) in sums.as_chunks::<2>().0.iter().enumerate().take(count.div_ceil(2)) {
                // SAFETY: the machine has the instructions.
                let (bytes, inside) = unsafe { super::avx2::two_pixels(two, factors, self) };
                let bits = [inside & 15, inside >> 4];
                for (four, bits) in bytes.into_iter().zip(bits).take(left_of(i.wrapping_mul(2))) {
                    arena.store(to, four);
                    arena[mask] = arena[mask] & keep | bits.wrapping_shl(left);
                    (to, mask) = (to.wrapping_add(self.channels), mask.wrapping_add(step));
                }
            }
            return;
        }
        for sums in sums.iter().take(count) {
            let mut bits = 0;
            for (column, (&sum, factor)) in sums.iter().zip(factors).enumerate().take(columns) {
                let scaled = factor.apply(sum, self.rounding).wrapping_add(self.zero);
                let (value, inside) = clamped(scaled, self.min, self.max);
                arena[to.wrapping_add(column)] = value as u8;
                bits |= u8::from(inside).wrapping_shl(column as u32);
            }
            arena[mask] = arena[mask] & keep | bits.wrapping_shl(left);
            (to, mask) = (to.wrapping_add(self.channels), mask.wrapping_add(step));
        }
    }
}

/// The [`Factor`] from sum to output of each output channel.
#[derive(Clone, Copy, Debug)]
pub struct Factors<'a, B: Bounds = Checked> {
    /// [`Factor::multiplier`].
    pub multipliers: Flash<'a, i32, B>,
    /// [`Factor::shift`].
    pub shifts: Flash<'a, i8, B>,
}

impl<B: Bounds> Factors<'_, B> {
    /// Those of four channels from `o` on, of which the first so many are there.
    #[inline(always)]
    fn four(self, o: usize, columns: usize) -> [Factor; COLUMNS] {
        let mut factors = [Factor::default(); COLUMNS];
        for (column, factor) in factors.iter_mut().enumerate().take(columns) {
            let o = o.wrapping_add(column);
            *factor = Factor { multiplier: self.multipliers[o], shift: self.shifts[o] };
        }
        factors
    }
}

impl Conv2d {
    fn pixels(&self) -> usize {
        self.images.wrapping_mul(self.window.output[0]).wrapping_mul(self.window.output[1])
    }

    /// Bytes of scratch, a multiple of 4: the patches of some pixels, and the weights of a few channels.
    pub fn scratch(&self) -> usize {
        let elements = self.window.patch();
        Stage::bytes(elements, Stage::count(elements, self.pixels(), ROWS))
    }
}

/// CONV_2D on int8. `places` are the bytes of the input `[images, H, W, C]`, the output `[images, H, W, O]`, its mask, of the weights
/// `[O, KH, KW, S]` of the input channels that have theirs apart, and of scratch, [`Conv2d::scratch`] bytes.
///
/// `weights` are `[O, KH, KW, C]`; `bias` has an element for each output channel; `list` names the channels that have their weights
/// apart.
pub fn conv2d<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 5],
    layer: &Conv2d,
    weights: Whole<'_, u8, B>,
    bias: Whole<'_, i32, B>,
    factors: Factors<'_, B>,
    list: Flash<'_, u16, B>,
) {
    let (window, quant) = (&layer.window, &layer.quant);
    let [_, output, mask, apart, scratch] = places;
    let (in_c, out_c) = (window.input[2], window.output[2]);
    let (elements, pixels) = (window.patch(), layer.pixels());
    let stage = Stage::new(scratch, elements);
    let order = if in_c % STEP == 0 { Order::Swapped } else { Order::Natural };
    let target = Target::new([output, mask], out_c, quant);
    let most = Stage::count(elements, pixels, ROWS);
    let mut sums = [[0; COLUMNS]; ROWS];
    let mut pixel = 0;
    while pixel < pixels {
        let count = most.min(pixels - pixel);
        stage_patches(&mut arena, places[0], layer, &stage, [pixel, count]);
        let mut o = 0;
        while o < out_c {
            let columns = COLUMNS.min(out_c - o);
            let source = Source::new(&weights, o.wrapping_mul(elements), [1, elements]);
            source.stage(&mut arena, &stage, order, [elements, columns]);
            // Weights that lie apart are zero among the others.
            scatter(&mut arena, layer, &stage, order, apart, [o, columns], list);
            let mut start = [0; COLUMNS];
            for (column, start) in start.iter_mut().enumerate().take(columns) {
                *start = word_of(&bias, &arena, o.wrapping_add(column));
            }
            stage.multiply(&mut arena, start, sums.get_mut(..count).unwrap_or_default());
            target.finish(&mut arena, &sums, [pixel, count], [o, columns], factors.four(o, columns));
            o += COLUMNS;
        }
        pixel += count;
    }
}

/// Puts the weights that lie apart, from byte `apart` on, among staged columns `o .. o + columns`.
#[inline(never)]
fn scatter<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    layer: &Conv2d,
    stage: &Stage,
    order: Order,
    apart: usize,
    [o, columns]: [usize; 2],
    list: Flash<'_, u16, B>,
) {
    let (area, in_c, selected) = (layer.window.area(), layer.window.input[2], layer.selected);
    let stride = area.wrapping_mul(selected);
    let first = apart.wrapping_add(o.wrapping_mul(stride));
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    if area == 1 && columns == COLUMNS && order == Order::Swapped && selected > 0 {
        let from = arena.pointer(first, stride.wrapping_mul(COLUMNS)).cast_const();
        let to = arena.pointer(stage.columns, stage.padded.wrapping_mul(2 * COLUMNS));
        // SAFETY: all are good for what is read and written, as the list names input channels.
        return unsafe { armv7em::scatter(from, stride, to, list.span(0, selected).as_ptr(), selected) };
    }
    for s in 0..selected {
        for tap in 0..area {
            let element = order.place(tap.wrapping_mul(in_c).wrapping_add(usize::from(list[s])));
            for column in 0..columns {
                let from = tap.wrapping_mul(selected).wrapping_add(s).wrapping_add(stride.wrapping_mul(column));
                let weight = i16::from(arena[first.wrapping_add(from)] as i8);
                arena.store(stage.column(column, element), weight.to_le_bytes());
            }
        }
    }
}

/// Stages what `count` outputs from `pixel` on read, less the zero point.
#[inline(never)]
fn stage_patches<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    input: usize,
    layer: &Conv2d,
    stage: &Stage,
    [pixel, count]: [usize; 2],
) {
    let (window, zero) = (&layer.window, layer.quant.input_zero);
    let ([_, width, in_c], out_w) = (window.input, window.output[1].max(1));
    let quads = in_c % STEP == 0;
    if quads && window.is_pointwise() {
        // All of them lie beside each other.
        let from = input.wrapping_add(pixel.wrapping_mul(in_c));
        return widen(arena, from, stage.rows, count.wrapping_mul(in_c), zero);
    }
    for i in 0..count {
        let (row, x) = ((pixel + i) / out_w, (pixel + i) % out_w);
        let (image, y) = window.image_row(row);
        let ((taps_y, y0), (taps_x, x0)) = (window.taps(0, y), window.taps(1, x));
        // Padding, and what is left of the last step.
        let to = stage.row(i);
        arena.span_mut(to, stage.padded.wrapping_mul(2)).fill(0);
        for (r, ky) in taps_y.enumerate() {
            for (c, kx) in taps_x.clone().enumerate() {
                let (r, c) = (image + y0 + r * window.dilation[0], x0 + c * window.dilation[1]);
                let from = input.wrapping_add((r * width + c).wrapping_mul(in_c));
                let to = to.wrapping_add((ky * window.size[1] + kx).wrapping_mul(in_c).wrapping_mul(2));
                if quads {
                    widen(arena, from, to, in_c, zero);
                } else {
                    for channel in 0..in_c {
                        let value = i32::from(arena[from.wrapping_add(channel)] as i8).wrapping_sub(zero) as i16;
                        arena.store(to.wrapping_add(channel.wrapping_mul(2)), value.to_le_bytes());
                    }
                }
            }
        }
    }
}

impl Depthwise {
    /// Rows and columns of the plane that so many rows of the output read.
    fn plane(&self, rows: usize) -> [usize; 2] {
        let window = &self.window;
        let along = |axis: usize, outputs: usize| {
            let axis = axis & 1;
            let reach = (window.size[axis] - 1) * window.dilation[axis] + 1;
            (outputs - 1) * window.stride[axis] + reach
        };
        [along(0, rows), along(1, window.output[1])]
    }

    /// Rows of the output that are computed from one plane.
    fn band(&self) -> usize {
        let ([reach, cols], stride) = (self.plane(1), self.window.stride[0].max(1));
        let fit = STAGED_BYTES / (cols * LANES).max(1);
        (fit.saturating_sub(reach) / stride + 1).min(self.window.output[0])
    }

    /// Bytes of scratch, a multiple of 4: four channels of the input rows that some rows of the output read, and their weights.
    pub fn scratch(&self) -> usize {
        let [rows, cols] = self.plane(self.band());
        (self.window.area() + rows * cols) * LANES
    }
}

/// DEPTHWISE_CONV_2D on int8. `places` are the bytes of the input `[images, H, W, C]`, the output `[images, H, W, O]`, its mask, and of scratch,
/// [`Depthwise::scratch`] bytes. `weights` are `[KH, KW, O]`; `bias` and `factors` are as for [`conv2d`].
pub fn depthwise<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 4],
    layer: &Depthwise,
    weights: Whole<'_, u8, B>,
    bias: Whole<'_, i32, B>,
    factors: Factors<'_, B>,
) {
    let Depthwise { ref window, images, ref quant } = *layer;
    let [input, output, mask, scratch] = places;
    let [out_h, out_w, out_c] = window.output;
    let plane = scratch.wrapping_add(window.area().wrapping_mul(LANES));
    let target = Target::new([output, mask], out_c, quant);
    let band = layer.band();
    for image in 0..images {
        let mut y = 0;
        while y < out_h {
            let lines = band.min(out_h - y);
            let [rows, cols] = layer.plane(lines);
            // What lies in the padding stays 0 for all channels.
            arena.span_mut(plane, (rows * cols).wrapping_mul(LANES)).fill(0);
            let mut o = 0;
            while o < out_c {
                let lanes = COLUMNS.min(out_c - o);
                stage_taps(&mut arena, scratch, &weights, o, out_c as isize, window.area(), lanes);
                stage_plane(&mut arena, input, layer, plane, [rows, cols], [image, y, o, lanes]);
                let factors = factors.four(o, lanes);
                let mut start = [0; COLUMNS];
                for (lane, start) in start.iter_mut().enumerate().take(lanes) {
                    *start = word_of(&bias, &arena, o.wrapping_add(lane));
                }
                let taps = Taps {
                    taps: scratch,
                    size: window.size,
                    steps: [cols.wrapping_mul(window.dilation[0]), window.dilation[1]]
                        .map(|step| step.wrapping_mul(LANES)),
                    stride: window.stride[1].wrapping_mul(LANES),
                };
                let mut sums = [[0; COLUMNS]; ROWS];
                let mut pixel = (image * out_h + y).wrapping_mul(out_w);
                let mut filled = 0;
                for line in 0..lines {
                    let mut x = 0;
                    while x < out_w {
                        let count = (ROWS - filled).min(out_w - x);
                        let from = (line * window.stride[0] * cols + x * window.stride[1]).wrapping_mul(LANES);
                        let room = sums.get_mut(filled..filled.wrapping_add(count)).unwrap_or_default();
                        taps.sum(&mut arena, plane.wrapping_add(from), start, room);
                        (filled, x) = (filled + count, x + count);
                        if filled == ROWS || line + 1 == lines && x == out_w {
                            target.finish(&mut arena, &sums, [pixel, filled], [o, lanes], factors);
                            (pixel, filled) = (pixel.wrapping_add(filled), 0);
                        }
                    }
                }
                o += COLUMNS;
            }
            y += lines;
        }
    }
}

/// Stages what output channels `o .. o + lanes` read of an image, from the first tap of the output's row `y` on.
#[inline(never)]
fn stage_plane<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    input: usize,
    layer: &Depthwise,
    plane: usize,
    [rows, cols]: [usize; 2],
    [image, y, o, lanes]: [usize; 4],
) {
    let (window, zero) = (&layer.window, layer.quant.input_zero);
    let [height, width, in_c] = window.input;
    let multiplier = window.multiplier().max(1);
    let first = window.before[1].min(cols);
    let count = width.min(cols - first);
    // The input's channel of each lane.
    let mut channels = [0; COLUMNS];
    for (lane, channel) in channels.iter_mut().enumerate().take(lanes) {
        *channel = o.wrapping_add(lane) / multiplier;
    }
    for row in 0..rows {
        let at = (y * window.stride[0] + row).wrapping_sub(window.before[0]);
        if at >= height {
            continue;
        }
        let mut from = input.wrapping_add(((image * height + at) * width).wrapping_mul(in_c));
        let mut to = plane.wrapping_add((row * cols + first).wrapping_mul(LANES));
        if multiplier == 1 && lanes == COLUMNS {
            four_lanes(arena, from.wrapping_add(o), in_c, to, count, zero);
            continue;
        }
        for _ in 0..count {
            let four = channels.map(|channel| arena[from.wrapping_add(channel)]);
            put(arena, to, four.map(|x| i32::from(x as i8).wrapping_sub(zero) as i16));
            (from, to) = (from.wrapping_add(in_c), to.wrapping_add(LANES));
        }
    }
}

/// Bytes of scratch of [`sum`]: for each operand, what each of its values adds.
pub const SUM_SCRATCH: usize = 2 * 256 * size_of::<i32>();

/// ADD on int8 of two tensors of `[pixels, channels]`. `places` are the bytes of both, of the output, of its mask, and of scratch,
/// [`SUM_SCRATCH`] bytes.
pub fn sum<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    places: [usize; 5],
    [pixels, channels]: [usize; 2],
    terms: &Sum<i8>,
) {
    let [a, b, output, mask, scratch] = places;
    for (operand, table) in [scratch, scratch.wrapping_add(SUM_SCRATCH / 2)].into_iter().enumerate() {
        for x in 0..=u8::MAX {
            let at = table.wrapping_add(usize::from(x).wrapping_mul(size_of::<i32>()));
            arena.store(at, terms.term(operand, x as i8).to_le_bytes());
        }
    }
    let &Sum { output: factor, output_zero: zero, min, max, rounding, .. } = terms;
    let target = Target { output, mask, channels, zero, min, max, rounding };
    let term = |arena: &Arena<'_, u8, B>, table: usize, at: usize| {
        i32_at(arena, table.wrapping_add(usize::from(arena[at]).wrapping_mul(size_of::<i32>())))
    };
    let mut sums = [[0; COLUMNS]; ROWS];
    let mut pixel = 0;
    while pixel < pixels {
        let count = ROWS.min(pixels - pixel);
        let mut channel = 0;
        while channel < channels {
            let columns = COLUMNS.min(channels - channel);
            let mut at = pixel.wrapping_mul(channels).wrapping_add(channel);
            for sums in sums.iter_mut().take(count) {
                for (column, sum) in sums.iter_mut().enumerate().take(columns) {
                    let at = at.wrapping_add(column);
                    let left = term(&arena, scratch, a.wrapping_add(at));
                    let right = term(&arena, scratch.wrapping_add(SUM_SCRATCH / 2), b.wrapping_add(at));
                    *sum = left.wrapping_add(right);
                }
                at = at.wrapping_add(channels);
            }
            target.finish(&mut arena, &sums, [pixel, count], [channel, columns], [factor; COLUMNS]);
            channel += columns;
        }
        pixel += count;
    }
}

/// The channels of a tensor that `list` names, pixel by pixel. `places` are the bytes of the tensor and of what is written.
pub fn select<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [input, output]: [usize; 2],
    layer: &Select,
    list: Flash<'_, u16, B>,
) {
    for pixel in 0..layer.pixels {
        for s in 0..layer.selected {
            let from = input.wrapping_add(pixel.wrapping_mul(layer.channels)).wrapping_add(usize::from(list[s]));
            let to = output.wrapping_add(pixel.wrapping_mul(layer.selected)).wrapping_add(s);
            arena[to] = arena[from];
        }
    }
}
