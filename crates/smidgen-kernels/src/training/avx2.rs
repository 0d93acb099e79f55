//! Inner loops of training steps with AVX2. Every function here needs a machine that has it.
//!
//! All bits are those of plain Rust: sums wrap, and requantisation is exact.

use super::block::COLUMNS;
use super::forward::Target;
use super::x86_64::in_fours;
use crate::isa::avx2::{narrow, scale};
use crate::requant::Factor;
use core::arch::x86_64::*;

/// What [`super::x86_64::multiply`] does.
///
/// # Safety
/// As there; the machine has AVX2, and `pairs` is even.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn multiply(
    columns: *const u8,
    rows: *const u8,
    pairs: usize,
    start: Option<[i32; COLUMNS]>,
    sums: &mut [[i32; COLUMNS]],
) {
    in_fours(
        (rows, pairs),
        sums,
        // SAFETY: as the caller says.
        |from, sums| unsafe { rows_by_columns(columns, from, pairs, start, sums) },
        // SAFETY: as the caller says.
        |from, sums| unsafe { rows_by_columns(columns, from, pairs, start, sums) },
    );
}

/// Some rows of [`multiply`]. Two pairs at a time: the lower half of a sum is that of even pairs, the upper half that of odd ones.
///
/// # Safety
/// As there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn rows_by_columns<const ROWS: usize>(
    columns: *const u8,
    rows: *const u8,
    pairs: usize,
    start: Option<[i32; COLUMNS]>,
    sums: &mut [[i32; COLUMNS]; ROWS],
) {
    // In each half the pair that is its own, four times.
    let spread = _mm256_setr_epi8(
        0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, //
        4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7,
    );
    let mut all = [_mm256_setzero_si256(); ROWS];
    // SAFETY: the caller vouches for what is read; four sums are 16 bytes.
    unsafe {
        for two in 0..pairs / 2 {
            let weights = _mm256_loadu_si256(columns.wrapping_add(two.wrapping_mul(32)).cast());
            for (i, sum) in all.iter_mut().enumerate() {
                let at = rows.wrapping_add(pairs.wrapping_mul(i).wrapping_mul(4)).wrapping_add(two.wrapping_mul(8));
                let both = _mm256_shuffle_epi8(_mm256_set1_epi64x(at.cast::<i64>().read_unaligned()), spread);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(both, weights));
            }
        }
        for (to, sum) in sums.iter_mut().zip(all) {
            let first = _mm_loadu_si128(start.as_ref().unwrap_or(to).as_ptr().cast());
            let halves = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_add_epi32(first, halves));
        }
    }
}

/// The outputs of two pixels, four channels of each, for their sums: requantised and clamped, and below them, in eight bits, which of them the clamp
/// left as they were.
#[target_feature(enable = "avx2")]
pub(super) fn two_pixels(sums: [[i32; COLUMNS]; 2], factors: [Factor; COLUMNS], target: &Target) -> ([[u8; 4]; 2], u8) {
    let x = eight(sums);
    let multipliers = eight([factors.map(|factor| factor.multiplier); 2]);
    let shifts = eight([factors.map(|factor| factor.shift.into()); 2]);
    let moved = _mm256_add_epi32(scale(x, multipliers, shifts, target.rounding), _mm256_set1_epi32(target.zero));
    let clamped = _mm256_max_epi32(moved, _mm256_set1_epi32(target.min.into()));
    let clamped = _mm256_min_epi32(clamped, _mm256_set1_epi32(target.max.into()));
    let inside = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(moved, clamped)));
    let [a, b, c, d, e, f, g, h] = narrow(clamped).map(|byte| byte as u8);
    ([[a, b, c, d], [e, f, g, h]], inside as u8)
}

/// Eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn eight(from: [[i32; COLUMNS]; 2]) -> __m256i {
    // SAFETY: the 32 bytes read are those of the arrays; the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[cfg(test)]
mod tests;
