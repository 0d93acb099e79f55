//! DEPTHWISE_CONV_2D with one output for each input channel.
//!
//! Four channels at a time, a band of rows at a time: the pixels that the band reads are staged in scratch as 16-bit numbers, each
//! channel's in a plane of its own, with the padding filled in; so are the weights. Then the blocks of [`portable`] (on Armv7E-M those
//! written by hand) compute the band for one channel after the other. Windows of 3x3, 5x5 and 7x7 with stride 1 or 2 take this way;
//! all others are computed from the arena, a row and four channels at a time, without scratch.
//!
//! The invariant that matters: staged pixels and staged weights are laid out alike for every core, so that the walk here, with all its
//! offsets, is what the tests of the host run. Only which of the two lies first in scratch differs; see [`blocks::WEIGHTS_FIRST`].

#[cfg(all(target_arch = "arm", feature = "dsp"))]
mod armv7em;
mod general;
mod portable;

#[cfg(all(target_arch = "arm", feature = "dsp"))]
use armv7em as blocks;
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
use portable as blocks;

use super::epilogue::Epilogue;
use crate::geometry::Window2d;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, Views};
use core::mem::MaybeUninit;
use core::slice;

/// Channels staged at a time.
const GROUP: usize = 4;

/// Bytes from a staged row of a channel to the next.
const PITCH: usize = 112;

/// Bytes of a channel's staged row where rows are so narrow that all four channels lie side by side.
const NARROW: usize = PITCH / GROUP;

/// Staged pixels that a row has room for.
const WIDEST: usize = PITCH / 2;

/// Most output rows of a band.
const MOST_ROWS: usize = 8;

/// Most staged rows: those of the highest band of the greatest window and stride.
const MOST_STAGED: usize = (MOST_ROWS - 1) * 2 + 7;

/// A DEPTHWISE_CONV_2D without its constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Depthwise {
    /// The window.
    pub window: Window2d,
    /// Zero point of the input.
    pub input_zero: i8,
    /// From accumulators to outputs.
    pub epilogue: Epilogue,
    /// Output rows that are computed together, 1 to 8: more of them stage each input row less often.
    pub rows: usize,
}

/// What a call is told of its layer.
struct Layer<'a> {
    views: &'a Views,
    window: &'a Window2d,
    input_zero: i8,
    epilogue: &'a Epilogue,
}

/// The layer's constants: packed weights, and the words of its channels.
#[derive(Clone, Copy)]
struct Constants<'a, B: Bounds> {
    weights: Flash<'a, i8, B>,
    words: Flash<'a, u32, B>,
}

/// A window that the blocks know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    /// Taps: 3, 5 or 7, in rows and columns.
    size: usize,
    /// 1 or 2, in rows and columns.
    stride: usize,
}

impl Shape {
    /// `None` if the blocks do not know the window, or if one lies in the padding with all its rows or columns.
    fn of(window: &Window2d) -> Option<Shape> {
        let Window2d { input, output, size: [size, width], stride: [stride, across], dilation, before } = *window;
        let known = matches!(size, 3 | 5 | 7) && size == width && matches!(stride, 1 | 2) && stride == across;
        let touches =
            |axis: usize| before[axis] < size && output[axis].saturating_sub(1) * stride < input[axis] + before[axis];
        let shape = Shape { size, stride };
        let known = known && dilation == [1, 1] && touches(0) && touches(1);
        // A wide row is computed in parts, which keeps the promised order only if there are several groups of channels.
        (known && (output[1] <= shape.columns() || input[2] > GROUP)).then_some(shape)
    }

    /// 16-bit numbers of a row of staged weights. With stride 1, pairs of neighbours: taps 0 1, 1 2, 2 3 and so on; with stride
    /// 2, each tap once, and one more of any value.
    const fn weight_row(self) -> usize {
        if self.stride == 1 { 2 * (self.size - 1) } else { self.size + 1 }
    }

    /// 16-bit numbers of a channel's staged weights.
    const fn weights(self) -> usize {
        self.size * self.weight_row()
    }

    /// Output columns that can be staged at a time.
    const fn columns(self) -> usize {
        ((WIDEST - self.size) >> (self.stride - 1)) + 1
    }

    /// Input pixels from the first that `count` outputs read to the last.
    const fn span(self, count: usize) -> usize {
        (count - 1) * self.stride + self.size
    }
}

/// Output columns to compute at a time, of so many: as equal parts as possible.
const fn part(shape: Shape, columns: usize) -> usize {
    let parts = columns.div_ceil(one_or_more(shape.columns()));
    columns.div_ceil(one_or_more(parts))
}

/// `n`, which the compiler then knows to be a divisor that cannot panic.
const fn one_or_more(n: usize) -> usize {
    if n == 0 { 1 } else { n }
}

/// Bytes from a channel's first staged row to the next channel's, where rows of `width` pixels are staged.
const fn plane(width: usize, rows: usize) -> usize {
    if width * 2 <= NARROW { NARROW } else { rows * PITCH }
}

/// Bytes of the staged pixels of four channels, given what [`plane`] says.
const fn planes(plane: usize, rows: usize) -> usize {
    rows * (if plane == NARROW { PITCH } else { GROUP * PITCH })
}

/// Channels that the staged form computes at a time.
pub const DEPTHWISE_CHANNELS: usize = GROUP;

/// True if windows like this one are staged, by bands of rows; see [`depthwise`].
pub fn depthwise_is_staged(window: &Window2d) -> bool {
    Shape::of(window).is_some()
}

/// Output columns that the staged form computes at a time, of so many; `None` if the window is not staged.
pub fn depthwise_columns(window: &Window2d, columns: usize) -> Option<usize> {
    Shape::of(window).map(|shape| part(shape, columns.max(1)))
}

/// Bytes of scratch, aligned for 32 bits; `rows` is what [`depthwise`] is told.
pub fn depthwise_scratch(window: &Window2d, rows: usize) -> usize {
    let Some(shape) = Shape::of(window) else { return 0 };
    let [height, columns, _] = window.output;
    let staged = shape.span(rows.clamp(1, MOST_ROWS).min(height.max(1))).min(window.input[0]);
    planes(plane(shape.span(part(shape, columns.max(1))), staged), staged) + GROUP * shape.weights() * 2
}

/// Bytes of the packed weights.
pub const fn depthwise_weights(window: &Window2d) -> usize {
    window.area() * window.output[2]
}

/// Bytes behind the weights of a group that each hold their zero point, where they have one.
const ZEROS: usize = 4;

/// Bytes of the packed weights, where these have a zero point.
pub const fn depthwise_offset_weights(window: &Window2d) -> usize {
    depthwise_weights(window) + ZEROS * window.output[2].div_ceil(GROUP)
}

/// Packs weights with a zero point as [`depthwise_pack`] does those without, and the zero point four times behind
/// each group.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn depthwise_offset_pack(window: &Window2d, weights: &[i8], zero: i8, to: &mut [i8]) {
    assert_eq!(to.len(), depthwise_offset_weights(window));
    to.fill(zero);
    pack(window, weights, ZEROS, to);
}

/// Packs `[KH, KW, C]` weights: `[C / 4, KH, KW, 4]`, then `[KH, KW, C % 4]`.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn depthwise_pack(window: &Window2d, weights: &[i8], to: &mut [i8]) {
    assert_eq!(to.len(), depthwise_weights(window));
    pack(window, weights, 0, to);
}

/// Packs weights by groups, each with room for so many bytes behind it.
fn pack(window: &Window2d, weights: &[i8], room: usize, to: &mut [i8]) {
    assert_eq!(weights.len(), depthwise_weights(window));
    let (taps, channels) = (window.area(), window.output[2]);
    for (tap, row) in weights.chunks_exact(channels.max(1)).enumerate() {
        for (c, &weight) in row.iter().enumerate() {
            let first = c / GROUP * GROUP;
            let width = GROUP.min(channels - first);
            to[first * taps + first / GROUP * room + tap * width + c - first] = weight;
        }
    }
}

/// An output row of a band. Offsets that were moved back may be negative, and wrap.
#[derive(Clone, Copy)]
#[repr(C)]
struct Row {
    /// Bits 0..8: 8 times the number of rows of the window that lie above the image or below it; as many are skipped at the start.
    /// From bit 8 on, a bit for each row of the window that is one of them: its taps all meet the padding.
    skip: usize,
    /// Offset in bytes of the first staged pixel of the row, moved back by the rows that are skipped.
    pixels: usize,
    /// Offset in bytes of the first staged weight, moved back likewise.
    weights: usize,
    /// Offset of the first output.
    output: usize,
}

/// What the blocks are told: of a band of rows, a part of its columns, and four channels.
///
/// Places are counted in bytes from [`blocks::origin`]: of the arena, or of scratch.
#[repr(C)]
struct Band {
    /// Number of staged rows; at least 1.
    staged: usize,
    /// The four channels in the arena.
    input: usize,
    /// Bytes from one input pixel to the next.
    input_stride: usize,
    /// The staged pair that the first pixel belongs to, in the first row of the first channel.
    to: usize,
    /// Bytes from one channel's staged pixels to the next.
    plane: usize,
    /// Four bytes of padding.
    padding: u32,
    /// How many pixels a row has: bit 0 one behind padding, bits 8.. four at a time, bit 1 two more, bit 2 one before padding.
    pieces: usize,
    /// First staged pixel of the first channel.
    pixels: usize,
    /// Staged weights of the first channel.
    weights: usize,
    /// The four channels.
    channels: *const [Record; GROUP],
    /// The four channels in the arena.
    output: usize,
    /// Bytes from one output pixel to the next.
    output_stride: usize,
    /// Number of output rows; at least 1.
    count: usize,
    /// Outputs of a row times 256, plus the shift of the [`Epilogue`].
    columns: usize,
    /// For each staged row, the offset of its first pixel in the arena.
    input_rows: [MaybeUninit<usize>; MOST_STAGED],
    /// The output rows.
    rows: [MaybeUninit<Row>; MOST_ROWS],
}

/// A [`Channel`](super::epilogue::Channel): start twice, multiplier, offset, tie, and the band's `columns` with the channel's shift.
type Record = [i32; 6];

/// DEPTHWISE_CONV_2D with weights from [`depthwise_pack`] and channels that [`Epilogue`] describes, whose starts are the
/// [folded](crate::int8::fast::fold_bias) biases, for a window that [is staged](depthwise_is_staged); of any other nothing is computed.
/// `scratch` is where [`depthwise_scratch`] bytes begin in the arena, aligned for 32 bits.
///
/// Order: bands of `rows` rows (which never span two images) and in a band [`DEPTHWISE_CHANNELS`] channels after the other, all that they
/// read before their first write.
pub fn depthwise<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    how: &Depthwise,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    run::<false, B>(arena, views, region, scratch, how, weights, words);
}

/// [`depthwise`] with weights that have a zero point, from [`depthwise_offset_pack`]. The folded biases count weights
/// less it.
pub fn depthwise_offset<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    how: &Depthwise,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    run::<true, B>(arena, views, region, scratch, how, weights, words);
}

/// The same as [`depthwise`] for any window, straight from the arena: `scratch` is not looked at.
///
/// Order: one row after the other, each read until its last element is written.
pub fn depthwise_any<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    _scratch: usize,
    how: &Depthwise,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let layer = Layer { views, window: &how.window, input_zero: how.input_zero, epilogue: &how.epilogue };
    general::depthwise::<false, B>(arena, region, &layer, weights, words);
}

/// [`depthwise_any`] with weights that have a zero point, as [`depthwise_offset`] takes them.
pub fn depthwise_any_offset<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    _scratch: usize,
    how: &Depthwise,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let layer = Layer { views, window: &how.window, input_zero: how.input_zero, epilogue: &how.epilogue };
    general::depthwise::<true, B>(arena, region, &layer, weights, words);
}

/// Where the weights of the group of a channel begin that is the first of one, and their zero point.
#[inline(always)]
fn group_weights<const OFFSET: bool, B: Bounds>(
    weights: Flash<'_, i8, B>,
    taps: usize,
    first: usize,
    count: usize,
) -> (usize, i32) {
    if !OFFSET {
        return (first * taps, 0);
    }
    let at = first * taps + first / GROUP * ZEROS;
    (at, weights[at + taps * count].into())
}

#[inline(always)]
fn run<const OFFSET: bool, B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    scratch: usize,
    how: &Depthwise,
    weights: Flash<'_, i8, B>,
    words: Flash<'_, u32, B>,
) {
    let window = &how.window;
    let layer = &Layer { views, window, input_zero: how.input_zero, epilogue: &how.epilogue };
    let Some(shape) = Shape::of(window).filter(|_| region.x0 < region.x1) else { return };
    let bytes = depthwise_scratch(window, how.rows);
    let (mut around, aligned) = arena.carve::<i32>(scratch, bytes / 4);
    let (_, mut staged) = aligned.carve::<i16>(0, bytes / 2);
    let part = part(shape, region.x1 - region.x0);
    let mut band = Band::empty();
    let mut row = region.y0;
    while row < region.y1 {
        let (image, y) = window.image_row(row);
        // A band lies in one image.
        let rows = how.rows.clamp(1, MOST_ROWS).min(region.y1 - row).min(window.output[0] - y);
        let mut x0 = region.x0;
        while x0 < region.x1 {
            let x1 = region.x1.min(x0 + part);
            let place = Place { image, y, row, rows, x0, x1 };
            band.lay(&place, shape, layer, &mut around, &mut staged);
            band.compute::<OFFSET, B>(shape, layer, Constants { weights, words }, &mut around, &mut staged);
            x0 = x1;
        }
        row += rows;
    }
}

/// A band of rows and a part of its columns.
struct Place {
    /// First input row of the image.
    image: usize,
    /// First output row within the image.
    y: usize,
    /// The same over all images.
    row: usize,
    /// Number of output rows.
    rows: usize,
    /// First output column.
    x0: usize,
    /// One past the last.
    x1: usize,
}

impl Band {
    /// One without rows.
    #[inline(always)]
    fn empty() -> Self {
        // Not a constant, which would be copied with all its rows.
        Self {
            staged: 0,
            input: 0,
            input_stride: 0,
            to: 0,
            plane: 0,
            padding: 0,
            pieces: 0,
            pixels: 0,
            weights: 0,
            channels: core::ptr::null(),
            output: 0,
            output_stride: 0,
            count: 0,
            columns: 0,
            input_rows: [MaybeUninit::uninit(); MOST_STAGED],
            rows: [MaybeUninit::uninit(); MOST_ROWS],
        }
    }

    /// For each staged row, the offset of its first pixel in the arena.
    #[inline(always)]
    fn input_rows(&self) -> &[usize] {
        // SAFETY: `lay`, which alone sets `staged`, has written as many, and a slice of what is written is a slice of numbers.
        unsafe { slice::from_raw_parts(self.input_rows.as_ptr().cast(), self.staged) }
    }

    /// The output rows.
    #[inline(always)]
    fn rows(&self) -> &[Row] {
        // SAFETY: `lay`, which alone sets `count`, has written as many.
        unsafe { slice::from_raw_parts(self.rows.as_ptr().cast(), self.count) }
    }

    /// Lays out scratch: staged pixels and staged weights. Writes the padding that the pixels of no channel touch.
    #[inline(never)]
    fn lay<B: Bounds>(
        &mut self,
        place: &Place,
        shape: Shape,
        layer: &Layer<'_>,
        around: &mut Around<'_, i8, B>,
        scratch: &mut Arena<'_, i16, B>,
    ) {
        let Views { input, output } = layer.views;
        let Window2d { input: [height, width, _], before, .. } = *layer.window;
        let Shape { size, stride } = shape;
        // Input rows and columns of the band, from the top and left of the padding.
        let (top, left) = (place.y * stride, place.x0 * stride);
        let span = shape.span(place.x1 - place.x0);
        let first_row = top.saturating_sub(before[0]);
        let end_row = (top + shape.span(place.rows)).saturating_sub(before[0]).min(height);
        let first = left.saturating_sub(before[1]);
        let end = (left + span).saturating_sub(before[1]).min(width);
        let (padding, pixels) = (before[1].saturating_sub(left), end - first);
        let staged = end_row - first_row;
        let plane = plane(span, staged);
        let first_pixel = if blocks::WEIGHTS_FIRST { GROUP * shape.weights() * 2 } else { 0 };
        let rest = pixels - (padding & 1);
        let origin = (blocks::origin_of_arena(around), blocks::origin_of_scratch(scratch));
        self.input = origin.0;
        self.input_stride = input.pixel_stride;
        self.to = origin.1 + first_pixel + padding / 2 * 4;
        self.plane = plane;
        self.padding = u32::from_ne_bytes([layer.input_zero as u8; 4]);
        self.pieces = (rest / 4) << 8 | (rest & 1) << 2 | (rest & 2) | padding & 1;
        self.pixels = origin.1 + first_pixel;
        self.weights = origin.1 + if blocks::WEIGHTS_FIRST { 0 } else { planes(plane, staged) };
        self.output = origin.0;
        self.output_stride = output.pixel_stride;
        self.columns = (place.x1 - place.x0) << 8 | layer.epilogue.shift as usize;
        self.staged = staged.min(MOST_STAGED);
        self.count = place.rows.min(MOST_ROWS);
        for (i, at) in self.input_rows.iter_mut().take(staged).enumerate() {
            at.write(input.at(place.image + first_row + i, first));
        }
        for (i, row) in self.rows.iter_mut().take(place.rows).enumerate() {
            // The rows of the window that lie inside the image.
            let start = (place.y + i) * stride;
            let tap = before[0].saturating_sub(start);
            let from = start.saturating_sub(before[0]);
            let inside = (start + size).saturating_sub(before[0]).min(height) - from;
            let skip = size - inside;
            row.write(Row {
                skip: (skip * 8) | ((((1 << size) - 1) ^ (((1 << inside) - 1) << tap)) << 8),
                pixels: ((from - first_row) * PITCH).wrapping_sub(skip * PITCH),
                weights: (tap * shape.weight_row() * 2).wrapping_sub(skip * shape.weight_row() * 2),
                output: output.at(place.row + i, place.x0),
            });
        }
        // Elements of a row that no pixel shares a word with.
        let zero = layer.input_zero as i16 * 256;
        let mut x = if padding < 2 { (padding + pixels).next_multiple_of(2) } else { 0 };
        while x < span {
            let mut at = first_pixel / 2 + x;
            for _ in 0..staged {
                for channel in 0..GROUP {
                    scratch[at + channel * plane / 2] = zero;
                }
                at += PITCH / 2;
            }
            x += 1;
            if x == padding / 2 * 2 {
                x = (padding + pixels).next_multiple_of(2);
            }
        }
    }

    /// Pixels of a row that lie in the image.
    fn width(&self) -> usize {
        (self.pieces >> 8) * 4 + (self.pieces & 1) + (self.pieces & 2) + (self.pieces >> 2 & 1)
    }

    /// Where scratch begins.
    fn scratch(&self) -> usize {
        if blocks::WEIGHTS_FIRST { self.weights } else { self.pixels }
    }

    /// Element of scratch where the staged weights of the first channel begin.
    fn first_weight(&self) -> usize {
        (self.weights - self.scratch()) / 2
    }

    /// Computes all channels.
    fn compute<const OFFSET: bool, B: Bounds>(
        &mut self,
        shape: Shape,
        layer: &Layer<'_>,
        constants: Constants<'_, B>,
        around: &mut Around<'_, i8, B>,
        scratch: &mut Arena<'_, i16, B>,
    ) {
        let channels = layer.window.input[2];
        let (groups, few) = (channels / GROUP, channels % GROUP);
        blocks::groups::<OFFSET, B>(self, shape, layer, groups, constants, around, scratch);
        if few != 0 {
            portable::group::<OFFSET, B>(self, shape, layer, [groups * GROUP, few], constants, around, scratch);
        }
    }
}
