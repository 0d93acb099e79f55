//! The inner loops in plain Rust, written so that a compiler can vectorise them.

use crate::int8::{Channels, Int8};
use crate::memory::{Arena, Bounds, Flash};

#[inline(always)]
pub(super) fn two_by_four<B: Bounds>(
    patches: &Arena<'_, i16, B>,
    weights: Flash<'_, i8, B>,
    [stride, patch, o]: [usize; 3],
    channels: Channels<'_, B>,
    quant: &Int8,
) -> [[i8; 4]; 2] {
    let (a, b) = (patches.span(0, patch), patches.span(stride, patch));
    let rows: [&[i8]; 4] = core::array::from_fn(|c| weights.span((o + c) * patch, patch));
    let mut out = [[0; 4]; 2];
    for c in 0..4 {
        let (mut first, mut second) = (0i32, 0i32);
        for ((&w, &x), &y) in rows[c].iter().zip(a).zip(b) {
            first = first.wrapping_add(x as i32 * w as i32);
            second = second.wrapping_add(y as i32 * w as i32);
        }
        out[0][c] = channels.finish(o + c, first, quant);
        out[1][c] = channels.finish(o + c, second, quant);
    }
    out
}

#[inline(always)]
pub(super) fn dot_i16_i8(a: &[i16], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0i32, |acc, (&x, &w)| acc.wrapping_add(x as i32 * w as i32))
}

#[inline(always)]
pub(super) fn dot_i8_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0i32, |acc, (&x, &w)| acc.wrapping_add((x as i16 * w as i16) as i32))
}

#[inline(always)]
pub(super) fn widen(from: &[i8], to: &mut [i16]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from as i16;
    }
}

#[inline(always)]
pub(super) fn multiply_add(acc: &mut [i32], x: &[i8], zero: i16, w: &[i8]) {
    for ((acc, &x), &w) in acc.iter_mut().zip(x).zip(w) {
        // At most 255 * 128, which 16 bits hold.
        *acc = acc.wrapping_add((x as i16 - zero).wrapping_mul(w as i16) as i32);
    }
}

#[inline(always)]
pub(super) fn finish<B: Bounds>(acc: &[i32], first: usize, channels: Channels<'_, B>, quant: &Int8, to: &mut [i8]) {
    for (i, (to, &acc)) in to.iter_mut().zip(acc).enumerate() {
        *to = channels.finish(first + i, acc, quant);
    }
}
