//! Features of the int8 kernels that move a window.

use super::family::Family;
use super::work::Work;
use smidgen_kernels::int8::mcu::{self, CONV2D_PIXELS, DEPTHWISE_CHANNELS};
use smidgen_kernels::int16::mcu::DEPTHWISE_PIXELS;
use smidgen_kernels::{Region, Window2d};
use std::ops::Range;

/// Channels that pools take together.
const POOL_CHANNELS: usize = 4;

/// CONV_2D: blocks of pixels are staged, then each pair of channels goes over them. Blocks whose windows cannot be
/// staged from where they are,
/// those apart, are put together first. Where accumulators lose something [by their sign](mcu::Epilogue::by_sign),
/// outputs are signed.
pub(crate) fn conv2d(family: Family, window: &Window2d, [by_sign, offset]: [bool; 2], region: Region) -> Work {
    let (rows, columns) = (region.y1 - region.y0, region.x1 - region.x0);
    let (pairs, staged) = (window.output[2].div_ceil(2), window.patch().div_ceil(4));
    // Zero points of weights meet the sum of a window's inputs in groups of their own. To find it takes about what
    // staging does.
    let quads = if offset { mcu::conv2d_offset_quads(window) } else { staged };
    let (pixels, blocks) = (rows * columns, rows * columns.div_ceil(CONV2D_PIXELS));
    let [cut, cut_taps] =
        over_rows(window, region.y0..region.y1, |taps| if taps < window.size[0] { [1, taps] } else { [0, 0] });
    let whole = rows - cut;
    let (few, calls) = Apart::of_row(window, region);
    let all = if cut > 0 { Apart::of_columns(window, region.x0..region.x1) } else { Apart::default() };
    // What depends on the rows of the window that lie inside, and what does not.
    let by_tap = |of: fn(&Apart) -> usize| whole * window.size[0] * of(&few) + cut_taps * of(&all);
    let line = 4 * staged;
    let in_place_blocks = columns.div_ceil(CONV2D_PIXELS).saturating_sub(few.blocks);
    Work::new(
        family,
        [
            1,
            rows,
            whole * if offset { in_place_blocks } else { calls } * window.size[0],
            blocks,
            pixels * window.size[0],
            pixels * if offset { 2 * staged } else { staged },
            blocks * pairs,
            blocks * pairs * quads,
            pixels * pairs,
            if by_sign { pixels * pairs } else { 0 },
            pixels * pairs * quads,
            if window.output[2].is_multiple_of(2) { 0 } else { blocks },
            whole * few.blocks + cut * all.blocks,
            whole * few.pixels + cut * all.pixels,
            by_tap(|apart| apart.pieces),
            by_tap(|apart| apart.fours),
            by_tap(|apart| apart.singles),
            line * (whole * few.clipped + cut * all.pixels),
        ],
    )
}

/// Pixels of a row of the output whose windows are put together, and what that takes for each row of the window.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Apart {
    blocks: usize,
    pixels: usize,
    /// Pixels whose windows reach into the padding beside the image.
    clipped: usize,
    /// Neighbours in the input, which are copied at once.
    pieces: usize,
    /// Four bytes of a piece.
    fours: usize,
    /// Bytes of pieces beyond these.
    singles: usize,
}

impl Apart {
    /// Those of a row whose windows lie between the image's top and bottom, and how often blocks that can be staged
    /// from where they are
    /// follow them.
    fn of_row(window: &Window2d, region: Region) -> (Self, usize) {
        let in_place = mcu::conv2d_in_place(window);
        let end = in_place.end.min(region.x1);
        let (mut all, mut calls, mut x) = (Self::default(), 0, region.x0);
        while x < region.x1 {
            let pixels = (region.x1 - x).min(CONV2D_PIXELS);
            let blocks = if x < in_place.start { 0 } else { end.saturating_sub(x) / pixels };
            if blocks > 0 {
                calls += 1;
                x += pixels * blocks;
                continue;
            }
            // To the first block that can be in place; behind the last one none can.
            let skipped = in_place.start.saturating_sub(x).next_multiple_of(CONV2D_PIXELS);
            let until = if skipped > 0 && !in_place.is_empty() { region.x1.min(x + skipped) } else { region.x1 };
            all.add(&Self::of_columns(window, x..until));
            x = until;
        }
        (all, calls)
    }

    /// Columns that all are apart.
    fn of_columns(window: &Window2d, columns: Range<usize>) -> Self {
        let (pixels, depth) = (columns.len(), window.input[2]);
        let [pieces, fours, singles, clipped] = over(window, 1, columns, |taps| {
            let (pieces, length) = if window.dilation[1] == 1 { (taps.min(1), taps * depth) } else { (taps, depth) };
            [pieces, pieces * (length / 4), pieces * (length % 4), usize::from(taps < window.size[1])]
        });
        Self { blocks: pixels.div_ceil(CONV2D_PIXELS), pixels, clipped, pieces, fours, singles }
    }

    fn add(&mut self, more: &Self) {
        self.blocks += more.blocks;
        self.pixels += more.pixels;
        self.clipped += more.clipped;
        self.pieces += more.pieces;
        self.fours += more.fours;
        self.singles += more.singles;
    }
}

/// DEPTHWISE_CONV_2D: for each band of rows and four channels after the other, weights and pixels are staged, then the
/// outputs
/// computed. Up to three channels that are left over are few.
pub(crate) fn depthwise(window: &Window2d, rows: usize, by_sign: bool, region: Region) -> Work {
    let columns = region.x1 - region.x0;
    let Some(part) = mcu::depthwise_columns(window, columns) else { return depthwise_any(window, region) };
    let family = match window.size[0] {
        3 => Family::Depthwise3,
        5 => Family::Depthwise5,
        _ => Family::Depthwise7,
    };
    let part = part.max(1);
    let span = |axis: usize, from: usize, to: usize| {
        let first = (from * window.stride[axis]).saturating_sub(window.before[axis]);
        let end = ((to - 1) * window.stride[axis] + window.size[axis]).saturating_sub(window.before[axis]);
        end.min(window.input[axis]).saturating_sub(first)
    };
    // Input columns of all parts.
    let wide: usize = (region.x0..region.x1).step_by(part).map(|x| span(1, x, (x + part).min(region.x1))).sum();
    let parts = columns.div_ceil(part);
    let (mut bands, mut staged, mut inside) = (0, 0, 0);
    let mut row = region.y0;
    while row < region.y1 {
        let (_, y) = window.image_row(row);
        let end = (y + rows.max(1)).min(y + region.y1 - row).min(window.output[0]).max(y + 1);
        bands += parts;
        staged += span(0, y, end);
        inside += (y..end).map(|y| window.taps(0, y).0.len()).sum::<usize>();
        row += end - y;
    }
    let channels = window.input[2];
    let (groups, few) = (channels.div_ceil(DEPTHWISE_CHANNELS), channels % DEPTHWISE_CHANNELS);
    let rows = region.y1 - region.y0;
    let (outputs, taps) = (rows * columns * channels, inside * columns * channels);
    let [one, two] = if window.stride[0] == 1 { [[outputs, taps], [0, 0]] } else { [[0, 0], [outputs, taps]] };
    Work::new(
        family,
        [
            1,
            bands,
            rows * parts + staged * parts,
            bands * groups,
            bands * channels * window.area(),
            staged * parts * channels,
            staged * wide * channels,
            rows * parts * channels,
            one[0],
            one[1],
            two[0],
            two[1],
            (rows * window.size[0] - inside) * parts * channels,
            staged * wide * few,
            inside * columns * few,
            if by_sign { outputs } else { 0 },
        ],
    )
}

/// The same of windows that are not staged: row by row and four channels after the other from the arena, neighbouring pixels whose taps all
/// lie in the image in one run. A column of taps is a row of them. Up to three channels that are left over are few.
fn depthwise_any(window: &Window2d, region: Region) -> Work {
    let rows = region.y1 - region.y0;
    let columns = region.x1 - region.x0;
    let channels = window.output[2];
    let (groups, few) = (channels / DEPTHWISE_CHANNELS, channels % DEPTHWISE_CHANNELS);
    let taps_of = |axis: usize, from: usize, to: usize| (from..to).map(move |i| window.taps(axis, i).0.len());
    let whole = taps_of(1, region.x0, region.x1).filter(|&taps| taps == window.size[1]).count();
    let runs = columns - whole + usize::from(whole > 0);
    let across: usize = taps_of(1, region.x0, region.x1).sum();
    let inside: usize = (region.y0..region.y1).map(|y| window.taps(0, window.image_row(y).1).0.len()).sum();
    let (outputs, taps) = (rows * columns, inside * across);
    // What lies in the padding is summed up for each run.
    let clipped = rows * columns * window.area()
        - taps
        - (rows * window.size[0] - inside) * (whole.saturating_sub(1)) * window.size[1];
    let tap_rows = if window.size[1] == 1 { outputs } else { inside * columns };
    let counts = [
        1,
        rows,
        rows * groups.max(usize::from(few > 0)),
        rows * runs * (groups + usize::from(few > 0)),
        outputs * groups,
        tap_rows * groups,
        taps * groups,
        clipped * groups,
        outputs * few,
        taps * few,
    ];
    Work::new(Family::DepthwiseAny, counts)
}

/// CONV_2D that puts the patches of two pixels together, then goes over four channels at a time.
pub(crate) fn conv2d_fast(window: &Window2d, region: Region) -> Work {
    let rows = region.y1 - region.y0;
    let pixels = rows * (region.x1 - region.x0);
    let depth = window.output[2];
    // Only pairs of pixels take channels together.
    let pairs = rows * ((region.x1 - region.x0) / 2) * 2;
    let together = pairs * (depth / 4 * 4);
    let outputs = pixels * depth;
    let counts = [
        1,
        rows,
        pixels,
        pixels * window.size[0],
        pixels * window.patch(),
        outputs,
        outputs - together,
        outputs * window.patch(),
    ];
    Work::new(Family::Conv2dFast, counts)
}

/// CONV_2D on int16: as [`conv2d`], but that each pixel is staged by itself, from where its inputs are if these are in
/// fours.
pub(crate) fn conv2d_int16(window: &Window2d, region: Region) -> Work {
    let (rows, columns) = (region.y1 - region.y0, region.x1 - region.x0);
    let (pairs, quads) = (window.output[2].div_ceil(2), window.patch().div_ceil(4));
    let (pixels, blocks) = (rows * columns, rows * columns.div_ceil(CONV2D_PIXELS));
    let [tap_rows, _] = inside(window, region);
    let row = window.size[1] * window.input[2];
    let is_joined = !window.input[2].is_multiple_of(4) && !row.is_multiple_of(4);
    Work::new(
        Family::Conv2dI16,
        [
            1,
            rows,
            blocks,
            pixels,
            tap_rows,
            pixels * quads,
            blocks * pairs,
            blocks * pairs * quads,
            pixels * pairs,
            pixels * pairs * quads,
            if is_joined { pixels * window.patch() } else { 0 },
            pixels * window.output[2],
        ],
    )
}

/// DEPTHWISE_CONV_2D on int16: the places of a block's taps are put into a table, then each pair of channels goes over
/// it.
pub(crate) fn depthwise_int16(window: &Window2d, region: Region) -> Work {
    let (rows, columns) = (region.y1 - region.y0, region.x1 - region.x0);
    let (pixels, blocks) = (rows * columns, rows * columns.div_ceil(DEPTHWISE_PIXELS));
    let (depth, taps) = (window.output[2], window.area());
    let pairs = depth / 2;
    Work::new(
        Family::DepthwiseI16,
        [
            1,
            rows,
            blocks,
            pixels,
            pixels * taps,
            blocks * pairs,
            blocks * pairs * taps,
            pixels * pairs * taps,
            pixels * depth,
            pixels * taps * (depth % 2),
        ],
    )
}

/// For all pixels of a region together, the rows of their windows and the taps that lie in the input.
fn inside(window: &Window2d, region: Region) -> [usize; 2] {
    let [rows] = over_rows(window, region.y0..region.y1, |taps| [taps]);
    let [columns] = over(window, 1, region.x0..region.x1, |taps| [taps]);
    [rows * (region.x1 - region.x0), rows * columns]
}

/// The same for a transposed convolution: the rows and the inputs whose window covers a pixel.
fn covering(window: &Window2d, region: Region) -> [usize; 2] {
    let along = |axis: usize, range: Range<usize>| {
        let (size, stride) = (window.size[axis], window.stride[axis].max(1));
        let last = (window.input[axis] - 1) * stride;
        let cuts = [size, last, last + size].map(|position| position.saturating_sub(window.before[axis]));
        let [sum] = sum_of(range, cuts, stride, |out| [window.sources(axis, out).len()]);
        sum
    };
    let rows: usize = images(window, region.y0..region.y1).map(|rows| along(0, rows)).sum();
    [rows * (region.x1 - region.x0), rows * along(1, region.x0..region.x1)]
}

/// The rows of the output of each image that a range of rows over all images takes.
fn images(window: &Window2d, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let height = window.output[0].max(1);
    (rows.start / height..rows.end.div_ceil(height)).map(move |image| {
        rows.start.max(image * height) - image * height..rows.end.min((image + 1) * height) - image * height
    })
}

/// [`over`] rows of the output, counted over all images.
fn over_rows<const N: usize>(window: &Window2d, rows: Range<usize>, of: impl Fn(usize) -> [usize; N]) -> [usize; N] {
    let mut all = [0; N];
    for rows in images(window, rows) {
        let one = over(window, 0, rows, &of);
        all.iter_mut().zip(one).for_each(|(all, one)| *all += one);
    }
    all
}

/// Along an axis, the sum over output indices of a function of the taps that lie in the input: of quotients by 4 and remainders, and of
/// what is linear in the taps where none or only some are cut off.
fn over<const N: usize>(
    window: &Window2d,
    axis: usize,
    range: Range<usize>,
    of: impl Fn(usize) -> [usize; N],
) -> [usize; N] {
    let (stride, dilation) = (window.stride[axis].max(1), window.dilation[axis].max(1));
    let (before, span) = (window.before[axis], (window.size[axis] - 1) * dilation);
    let end = window.input[axis] + before;
    // The first tap inside begins to be the window's first, the last one stops being its last, and there are none before and behind.
    let cuts = [before, end.saturating_sub(span), before.saturating_sub(span), end].map(|at| at.div_ceil(stride));
    sum_of(range, cuts, 4 * dilation / gcd(stride, dilation), |out| of(window.taps(axis, out).0.len()))
}

/// The sum of a function that between cuts grows by an amount of its own from each index to that a period behind.
fn sum_of<const N: usize, const CUTS: usize>(
    range: Range<usize>,
    mut cuts: [usize; CUTS],
    period: usize,
    of: impl Fn(usize) -> [usize; N],
) -> [usize; N] {
    let mut all = [0i128; N];
    let mut add = |times: i128, values: [usize; N]| {
        all.iter_mut().zip(values).for_each(|(all, value)| *all += times * value as i128);
    };
    cuts.sort_unstable();
    let mut from = range.start;
    for until in cuts.into_iter().chain([range.end]).map(|cut| cut.clamp(range.start, range.end)) {
        if until - from <= 2 * period {
            (from..until).for_each(|out| add(1, of(out)));
        } else {
            for first in from..from + period {
                // An arithmetic series, by its first two.
                let (one, two, count) = (of(first), of(first + period), (until - first).div_ceil(period) as i128);
                let steps = count * (count - 1) / 2;
                add(count - steps, one);
                add(steps, two);
            }
        }
        from = until;
    }
    all.map(|sum| sum as usize)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Kernels that go over the window of each output for itself, as far as it lies in the input. For TRANSPOSE_CONV it is
/// the
/// inputs whose window covers the output.
pub(crate) fn walk(family: Family, window: &Window2d, region: Region) -> Work {
    let taps = if family == Family::TransposeConv { covering(window, region) } else { inside(window, region) };
    walked(family, window, region, taps)
}

/// CONV_2D on int8 in its simple form. It takes for each tap what TRANSPOSE_CONV takes, which has been measured.
pub(crate) fn conv2d_simple(window: &Window2d, region: Region) -> Work {
    walked(Family::TransposeConv, window, region, inside(window, region))
}

fn walked(family: Family, window: &Window2d, region: Region, [tap_rows, taps]: [usize; 2]) -> Work {
    let rows = region.y1 - region.y0;
    let pixels = rows * (region.x1 - region.x0);
    let depth = window.output[2];
    let is_depthwise = matches!(family, Family::DepthwiseSimple | Family::DepthwiseF32);
    let inputs = if is_depthwise { 1 } else { window.input[2] };
    Work::new(family, [1, rows, pixels, pixels * depth, tap_rows * depth, taps * depth, taps * depth * inputs])
}

/// Layers that quantise each image as it comes: its range is found first, then each window's elements are quantised.
pub(crate) fn hybrid(family: Family, window: &Window2d, region: Region) -> Work {
    let rows = region.y1 - region.y0;
    let pixels = rows * (region.x1 - region.x0);
    let images = rows.div_ceil(window.output[0].max(1));
    let [_, taps] = inside(window, region);
    let [h, w, depth] = window.input;
    let outputs = window.output[2];
    let products = match family {
        // A window that reaches beyond the image is filled with zeros.
        Family::Conv2dHybrid => pixels * window.patch() * outputs,
        _ => taps * outputs,
    };
    let counts = [1, images, images * h * w * depth, rows, pixels, taps, taps * depth, pixels * outputs, products];
    Work::new(family, counts)
}

/// Pools: four channels at a time, and what is left one by one; taps in the padding are left out.
pub(crate) fn pool(family: Family, window: &Window2d, region: Region) -> Work {
    let rows = region.y1 - region.y0;
    let pixels = rows * (region.x1 - region.x0);
    let [tap_rows, taps] = inside(window, region);
    let (fours, rest) = (window.output[2] / POOL_CHANNELS, window.output[2] % POOL_CHANNELS);
    Work::new(family, [1, rows, pixels, pixels * fours, tap_rows * fours, taps * fours, pixels * rest, taps * rest])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As [`Apart::of_row`], block by block.
    fn row_of_blocks(window: &Window2d, region: Region) -> (Apart, usize) {
        let in_place = mcu::conv2d_in_place(window);
        let (mut all, mut calls, mut x) = (Apart::default(), 0, region.x0);
        while x < region.x1 {
            let pixels = (region.x1 - x).min(CONV2D_PIXELS);
            let end = in_place.end.min(region.x1);
            let blocks = if x < in_place.start { 0 } else { end.saturating_sub(x) / pixels };
            if blocks > 0 {
                calls += 1;
            } else {
                all.add(&Apart::of_columns(window, x..x + pixels));
            }
            x += pixels * blocks.max(1);
        }
        (all, calls)
    }

    /// Any window of one axis, along both.
    fn windows() -> impl Strategy<Value = Window2d> {
        (1..40usize, 1..90usize, 1..12usize, 1..6usize, 1..6usize, 0..60usize, 1..9usize).prop_map(
            |(input, output, size, stride, dilation, before, depth)| Window2d {
                input: [input, input, depth],
                output: [output, output, 1],
                size: [size; 2],
                stride: [stride; 2],
                dilation: [dilation; 2],
                before: [before; 2],
            },
        )
    }

    proptest! {
        #[test]
        fn sums_are_those_of_every_index(window in windows(), (x0, x1) in (0..90usize, 0..90usize), images in 1..4usize) {
            let output = window.output[0];
            let (x0, x1) = (x0.min(x1) % output, x1.max(x0) % output + 1);
            let region = Region { y0: x0.min(x1), y1: images * output, x0: x0.min(x1), x1: x1.max(x0) };
            let depth = window.input[2];
            let of = |taps: usize| [taps, taps * depth / 4, taps * depth % 4, usize::from(taps < window.size[0])];
            let add = |all: [usize; 4], one: [usize; 4]| std::array::from_fn(|i| all[i] + one[i]);
            let columns = region.x0..region.x1;
            let slow = columns.clone().map(|x| of(window.taps(1, x).0.len())).fold([0; 4], add);
            prop_assert_eq!(over(&window, 1, columns.clone(), of), slow);
            let rows = region.y0..region.y1;
            let slow = rows.clone().map(|y| of(window.taps(0, window.image_row(y).1).0.len())).fold([0; 4], add);
            prop_assert_eq!(over_rows(&window, rows.clone(), of), slow);
            prop_assert_eq!(Apart::of_row(&window, region), row_of_blocks(&window, region));
            let rows: usize = rows.map(|y| window.sources(0, window.image_row(y).1).len()).sum();
            let columns: usize = columns.map(|x| window.sources(1, x).len()).sum();
            prop_assert_eq!(covering(&window, region), [rows * (region.x1 - region.x0), rows * columns]);
        }
    }
}
