//! CONV_2D: three pixels and two channels at a time.

use super::finish::Finish;
use super::lanes;
use crate::geometry::Window2d;
use crate::memory::{Arena, Around, Bounds, Flash};
use crate::view::{Region, View};

/// Pixels that are staged at a time, fewer at the end of a row.
pub const CONV2D_PIXELS: usize = 3;

/// Words that a channel's weights take.
const fn groups(window: &Window2d) -> usize {
    window.patch().div_ceil(4)
}

/// Bytes of scratch, aligned for 32 bits: the staged windows of the pixels.
pub const fn conv2d_scratch(window: &Window2d) -> usize {
    CONV2D_PIXELS * groups(window) * 8
}

/// Number of words of the packed weights.
pub const fn conv2d_weights(window: &Window2d) -> usize {
    groups(window) * window.output[2]
}

/// Packs `[O, KH, KW, C]` weights, each channel filled up with zeros to a multiple of four: of every pair of channels the [words](lanes) in
/// turn, the first channel's before the second's; of a last odd channel its own.
///
/// Returns false, the words half done, if a weight of -128 does not fit.
///
/// # Panics
/// If a slice is not as long as the window says.
pub fn conv2d_pack(window: &Window2d, weights: &[i8], to: &mut [u32]) -> bool {
    let (patch, groups) = (window.patch(), groups(window));
    assert_eq!((weights.len(), to.len()), (patch * window.output[2], conv2d_weights(window)));
    weights.chunks_exact(patch).enumerate().all(|(o, channel)| {
        let paired = o % 2 == 1 || o + 1 < window.output[2];
        let (first, step) = if paired { (o / 2 * 2 * groups + o % 2, 2) } else { (o * groups, 1) };
        channel.chunks(4).enumerate().all(|(g, four)| {
            let word = lanes::pack(core::array::from_fn(|i| four.get(i).copied().unwrap_or(0)));
            to[first + g * step] = word.unwrap_or(0);
            word.is_some()
        })
    })
}

/// CONV_2D with weights from [`conv2d_pack`] and channels that [`Finish`] describes, started as [`lanes::start`] says. `input_zero` is the
/// input's zero point; `scratch` is where [`conv2d_scratch`] bytes begin in the arena, aligned for 32 bits.
///
/// Order: [`CONV2D_PIXELS`] pixels at a time, all reads before their writes.
pub fn conv2d<B: Bounds>(
    arena: Arena<'_, i8, B>,
    input: View,
    output: View,
    region: Region,
    scratch: usize,
    window: &Window2d,
    input_zero: i8,
    finish: &Finish,
    weights: Flash<'_, u32, B>,
    words: Flash<'_, u32, B>,
) {
    let (groups, depth) = (groups(window), window.output[2]);
    let pairs = depth.div_ceil(2);
    let (mut rest, mut staged) = arena.carve::<u32>(scratch, CONV2D_PIXELS * groups * 2);
    for row in region.y0..region.y1 {
        let mut x = region.x0;
        while x < region.x1 {
            let pixels = (region.x1 - x).min(CONV2D_PIXELS);
            for pixel in 0..pixels {
                stage(&rest, input, window, input_zero, row, x + pixel, &mut staged, pixel);
            }
            for pair in 0..pairs {
                let channels = finish.pair(words, pairs, pair);
                let first = pair * 2 * groups;
                let count = (depth - pair * 2).min(2);
                for (c, channel) in channels.iter().enumerate().take(count) {
                    for pixel in 0..pixels {
                        let mut acc = channel.start;
                        for g in 0..groups {
                            let at = (g * CONV2D_PIXELS + pixel) * 2;
                            acc = lanes::multiply(acc, weights[first + g * count + c], staged.load(at));
                        }
                        let to = output.at(row, x + pixel) + pair * 2 + c;
                        rest[to] = finish.output(channel, acc);
                    }
                }
            }
            x += pixels;
        }
    }
}

/// Stages what the window at `row`, `x` covers as pixel number `pixel`: group by group, in each the pixels in turn.
fn stage<B: Bounds>(
    arena: &Around<'_, i8, B>,
    input: View,
    window: &Window2d,
    zero: i8,
    row: usize,
    x: usize,
    staged: &mut Arena<'_, u32, B>,
    pixel: usize,
) {
    let (image, y) = window.image_row(row);
    let ((taps_y, y0), (taps_x, x0)) = (window.taps(0, y), window.taps(1, x));
    let (mut four, mut count, mut at) = ([0; 4], 0, pixel * 2);
    let mut push = |value: i8| {
        four[count & 3] = value;
        count += 1;
        if count & 3 == 0 {
            staged.store(at, lanes::stage(four));
            at += CONV2D_PIXELS * 2;
        }
    };
    for ky in 0..window.size[0] {
        for kx in 0..window.size[1] {
            let inside = taps_y.contains(&ky) && taps_x.contains(&kx);
            if !inside {
                (0..window.input[2]).for_each(|_| push(zero));
                continue;
            }
            let from = input.at(
                image + y0 + (ky - taps_y.start) * window.dilation[0],
                x0 + (kx - taps_x.start) * window.dilation[1],
            );
            arena.span(from, window.input[2]).iter().for_each(|&value| push(value));
        }
    }
    // What fills the last group meets weights of 0.
    (window.patch()..groups(window) * 4).for_each(|_| push(0));
}
