//! Which function written by hand computes what.

use super::COLUMNS;
#[cfg(feature = "armv6m")]
use super::armv6m as hand;
#[cfg(feature = "armv7m")]
use super::armv7m as hand;

/// The function for a block of some number of pixels: accumulators, weights, staged inputs, groups.
pub(super) type Pair = unsafe extern "C" fn(*mut i32, *const u32, *const u32, usize);

/// The function for a window: accumulators, weights, pixels, rows, and the pitches of weights and pixels in bytes.
pub(super) type Columns = unsafe extern "C" fn(&mut [i32; COLUMNS], *const i16, *const i16, usize, usize, usize);

/// Adds the products of `groups` groups, at least one.
///
/// # Safety
/// Of each group there must be two words of weights and two staged ones for each pixel.
#[inline(always)]
pub(super) unsafe fn pair<const PIXELS: usize>(
    sums: &mut [[i32; 2]; PIXELS],
    words: *const u32,
    staged: *const u32,
    groups: usize,
) {
    let code: Pair = match PIXELS {
        1 => hand::pair_of_one,
        2 => hand::pair_of_two,
        _ => hand::pair_of_three,
    };
    // SAFETY: the caller's promise.
    unsafe { code(sums.as_mut_ptr().cast(), words, staged, groups) }
}

/// Adds the products of `groups` times four inputs, at least once.
///
/// # Safety
/// Of each group there must be four words of weights and four inputs.
#[inline(always)]
pub(super) unsafe fn four(sums: &mut [i32; 4], words: *const u32, inputs: *const i8, groups: usize) {
    // SAFETY: the caller's promise.
    unsafe { hand::four(sums, words, inputs, groups) }
}

/// Adds the products of so many rows, at least one.
///
/// # Safety
/// As of [`columns`](super::columns).
#[inline(always)]
pub(super) unsafe fn columns<const K: usize, const STRIDE: usize>(
    sums: &mut [i32; COLUMNS],
    weights: *const i16,
    pixels: *const i16,
    rows: usize,
    [weight_pitch, pixel_pitch]: [usize; 2],
) {
    let code: Columns = match (K, STRIDE) {
        (3, 1) => hand::three_by_one,
        (3, _) => hand::three_by_two,
        (5, 1) => hand::five_by_one,
        (5, _) => hand::five_by_two,
        (_, 1) => hand::seven_by_one,
        _ => hand::seven_by_two,
    };
    // SAFETY: the caller's promise.
    unsafe { code(sums, weights, pixels, rows, weight_pitch, pixel_pitch) }
}
