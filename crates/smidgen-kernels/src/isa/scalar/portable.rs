//! The inner loops in Rust. They run along pointers: compilers that are told to save space inline no iterators.

use super::{COLUMNS, numbers};

/// `sum + a * b`, wrapping.
#[inline(always)]
fn mac(sum: i32, a: i32, b: i32) -> i32 {
    sum.wrapping_add(a.wrapping_mul(b))
}

/// The products of two taps of two channels for the pixels named: those at `$tap` of the group.
macro_rules! taps {
    ($sums:ident, $words:ident, $staged:ident, $tap:literal, $($p:literal)*) => {
        let [first, second] = [$words.add($tap), $words.add(2 + $tap)];
        let (w, v) = (i32::from(first.read()), i32::from(second.read()));
        $(
            let x = i32::from($staged.add(4 * $p + $tap).read());
            $sums[$p] = [mac($sums[$p][0], w, x), mac($sums[$p][1], v, x)];
        )*
        // Loaded again, where extending signs takes two instructions.
        let (w, v) = (i32::from(first.cast::<i8>().read()), i32::from(second.cast::<i8>().read()));
        $(
            let x = i32::from($staged.add(4 * $p + 2 + $tap).read());
            $sums[$p] = [mac($sums[$p][0], w, x), mac($sums[$p][1], v, x)];
        )*
    };
}

/// The loop over groups for the pixels named.
macro_rules! walk {
    ($sums:ident, $words:ident, $staged:ident, $groups:ident, $step:literal, $($p:literal)*) => {
        let mut words = $words.cast::<i16>();
        let mut staged = $staged.cast::<i16>();
        let end = words.wrapping_add(4 * $groups);
        let mut sums = [$($sums[$p]),*];
        while words != end {
            // SAFETY: of each group there are four and `$step` numbers.
            unsafe {
                taps!(sums, words, staged, 0, $($p)*);
                taps!(sums, words, staged, 1, $($p)*);
            }
            words = words.wrapping_add(4);
            staged = staged.wrapping_add($step);
        }
        $($sums[$p] = sums[$p];)*
    };
}

/// Adds the products of `groups` groups.
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
    match PIXELS {
        1 => {
            walk!(sums, words, staged, groups, 4, 0);
        }
        2 => {
            walk!(sums, words, staged, groups, 8, 0 1);
        }
        _ => {
            walk!(sums, words, staged, groups, 12, 0 1 2);
        }
    }
}

/// Adds the products of `groups` times four inputs.
///
/// # Safety
/// Of each group there must be four words of weights and four inputs.
#[inline(always)]
pub(super) unsafe fn four(sums: &mut [i32; 4], words: *const u32, inputs: *const i8, groups: usize) {
    let (mut words, mut inputs) = (words.cast::<i16>(), inputs);
    let end = inputs.wrapping_add(4 * groups);
    let [mut a, mut b, mut c, mut d] = *sums;
    while inputs != end {
        // SAFETY: four inputs and eight numbers of each group.
        unsafe {
            let x = numbers(inputs.cast::<[i8; 4]>().read());
            a = channel(a, words, x);
            b = channel(b, words.add(2), x);
            c = channel(c, words.add(4), x);
            d = channel(d, words.add(6), x);
        }
        words = words.wrapping_add(8);
        inputs = inputs.wrapping_add(4);
    }
    *sums = [a, b, c, d];
}

/// The four products of a channel.
///
/// # Safety
/// There must be two numbers.
#[inline(always)]
unsafe fn channel(sum: i32, words: *const i16, [x0, x1, x2, x3]: [i32; 4]) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        let sum = mac(sum, words.read().into(), x0);
        let sum = mac(sum, words.cast::<i8>().read().into(), x1);
        let sum = mac(sum, words.add(1).read().into(), x2);
        mac(sum, words.add(1).cast::<i8>().read().into(), x3)
    }
}

/// Adds the products of so many rows.
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
    let (mut weights, mut pixels) = (weights, pixels);
    let [mut a, mut b, mut c, mut d] = *sums;
    for _ in 0..rows {
        // Written out, so that it is unrolled.
        macro_rules! tap {
            ($($tap:literal)*) => {
                $(if $tap < K {
                    // SAFETY: so many taps of this row, and pixels that they meet.
                    unsafe {
                        let weight = i32::from(weights.add($tap).read());
                        a = mac(a, weight, pixels.add($tap).read().into());
                        b = mac(b, weight, pixels.add($tap + STRIDE).read().into());
                        c = mac(c, weight, pixels.add($tap + 2 * STRIDE).read().into());
                        d = mac(d, weight, pixels.add($tap + 3 * STRIDE).read().into());
                    }
                })*
            };
        }
        tap!(0 1 2 3 4 5 6);
        weights = weights.wrapping_byte_add(weight_pitch);
        pixels = pixels.wrapping_byte_add(pixel_pitch);
    }
    *sums = [a, b, c, d];
}
