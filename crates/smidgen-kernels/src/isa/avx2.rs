//! The inner loops with AVX2. Every function here needs a machine that has it.

use super::portable;
use crate::int8::{Channels, Int8};
use crate::memory::{Arena, Bounds, Flash};
use crate::requant::Rounding;
use core::arch::x86_64::*;

/// Sixteen 8-bit values as 16-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn load_i8(from: &[i8; 16]) -> __m256i {
    // SAFETY: the 16 bytes read are those of the array; the load needs no alignment.
    _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(from.as_ptr().cast()) })
}

/// Sixteen 16-bit values.
#[inline]
#[target_feature(enable = "avx2")]
fn load_i16(from: &[i16; 16]) -> __m256i {
    // SAFETY: the 32 bytes read are those of the array; the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// Eight 8-bit values as the low 16-bit lanes, zeros above.
#[inline]
#[target_feature(enable = "avx2")]
fn load_half_i8(from: &[i8; 8]) -> __m256i {
    // SAFETY: the 8 bytes read are those of the array; the load needs no alignment.
    let low = unsafe { _mm_loadl_epi64(from.as_ptr().cast()) };
    _mm256_cvtepi8_epi16(low)
}

/// Eight 16-bit values as the low lanes, zeros above.
#[inline]
#[target_feature(enable = "avx2")]
fn load_half_i16(from: &[i16; 8]) -> __m256i {
    // SAFETY: the 16 bytes read are those of the array; the load needs no alignment.
    _mm256_zextsi128_si256(unsafe { _mm_loadu_si128(from.as_ptr().cast()) })
}

/// Four 32-bit values in each half.
#[inline]
#[target_feature(enable = "avx2")]
fn load_four(from: &[i32; 4]) -> __m256i {
    // SAFETY: the 16 bytes read are those of the array; the load needs no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(from.as_ptr().cast()) })
}

/// Eight 32-bit values.
#[inline]
#[target_feature(enable = "avx2")]
fn load_eight(from: &[i32; 8]) -> __m256i {
    // SAFETY: the 32 bytes read are those of the array; the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// The array of `N` elements from `at` on.
#[inline(always)]
fn array<T, const N: usize>(from: &[T], at: usize) -> &[T; N] {
    from[at..at + N].try_into().expect("the slice has N elements")
}

/// Sums of the 32-bit lanes of four vectors.
#[inline]
#[target_feature(enable = "avx2")]
fn sums(v: [__m256i; 4]) -> __m128i {
    let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
    _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs))
}

/// [`Factor::apply`](crate::requant::Factor::apply) of eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn scale(x: __m256i, multipliers: __m256i, shifts: __m256i, rounding: Rounding) -> __m256i {
    match rounding {
        Rounding::Twice => twice(x, multipliers, shifts),
        Rounding::Once => once(x, multipliers, shifts),
    }
}

/// [Rounded twice](Rounding::Twice).
#[inline]
#[target_feature(enable = "avx2")]
fn twice(x: __m256i, multipliers: __m256i, shifts: __m256i) -> __m256i {
    let zero = _mm256_setzero_si256();
    let x = _mm256_sllv_epi32(x, _mm256_max_epi32(shifts, zero));
    // High half of twice the product, rounded: even lanes, then odd ones.
    let half = _mm256_set1_epi64x(1 << 30);
    let [even, odd] = products(x, multipliers);
    let even = _mm256_srli_epi64::<31>(_mm256_add_epi64(even, half));
    let odd = _mm256_slli_epi64::<1>(_mm256_add_epi64(odd, half));
    let high = _mm256_blend_epi32::<0b1010_1010>(even, odd);
    // Rounding shift right: a step up where what falls off is over half a step, or half a step and the number is not negative.
    let right = _mm256_max_epi32(_mm256_sub_epi32(zero, shifts), zero);
    let mask = _mm256_sub_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), _mm256_set1_epi32(1));
    let negative = _mm256_srli_epi32::<31>(high);
    let threshold = _mm256_add_epi32(_mm256_srli_epi32::<1>(mask), negative);
    let up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), threshold);
    _mm256_sub_epi32(_mm256_srav_epi32(high, right), up)
}

/// [Rounded once](Rounding::Once).
#[inline]
#[target_feature(enable = "avx2")]
fn once(x: __m256i, multipliers: __m256i, shifts: __m256i) -> __m256i {
    let total = _mm256_sub_epi32(_mm256_set1_epi32(31), shifts);
    let lower = _mm256_set1_epi64x(u32::MAX.into());
    let [even, odd] = products(x, multipliers);
    let even = rounded_shift(even, _mm256_and_si256(total, lower));
    let odd = rounded_shift(odd, _mm256_srli_epi64::<32>(total));
    _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd))
}

/// The products of 64 bits of even lanes and of odd ones.
#[inline]
#[target_feature(enable = "avx2")]
fn products(x: __m256i, y: __m256i) -> [__m256i; 2] {
    [_mm256_mul_epi32(x, y), _mm256_mul_epi32(_mm256_srli_epi64::<32>(x), _mm256_srli_epi64::<32>(y))]
}

/// Numbers of 64 bits shifted right by 1 to 62, ties upwards.
#[inline]
#[target_feature(enable = "avx2")]
fn rounded_shift(x: __m256i, by: __m256i) -> __m256i {
    // Half of 2^by. There is no arithmetic shift of 64 bits: 2^63 is added before the logical one, and what that became taken off again.
    let half = _mm256_srli_epi64::<1>(_mm256_sllv_epi64(_mm256_set1_epi64x(1), by));
    let top = _mm256_set1_epi64x(i64::MIN);
    let shifted = _mm256_srlv_epi64(_mm256_add_epi64(_mm256_add_epi64(x, half), top), by);
    _mm256_sub_epi64(shifted, _mm256_srlv_epi64(top, by))
}

/// Requantises eight accumulators to which the bias was added, and clamps them. Factors are as in
/// [`Factor`](crate::requant::Factor), `shifts` widened to 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn requantise(acc: __m256i, multipliers: __m256i, shifts: __m256i, quant: &Int8) -> __m256i {
    let scaled = scale(acc, multipliers, shifts, quant.rounding);
    let moved = _mm256_add_epi32(scaled, _mm256_set1_epi32(quant.output_zero));
    let low = _mm256_max_epi32(moved, _mm256_set1_epi32(quant.min as i32));
    _mm256_min_epi32(low, _mm256_set1_epi32(quant.max as i32))
}

/// Eight 32-bit lanes in the range of int8.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn narrow(v: __m256i) -> [i8; 8] {
    let halves = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    _mm_cvtsi128_si64(_mm_packs_epi16(halves, halves)).to_le_bytes().map(|b| b as i8)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn two_by_four<B: Bounds>(
    patches: &Arena<'_, i16, B>,
    weights: Flash<'_, i8, B>,
    [stride, patch, o]: [usize; 3],
    channels: Channels<'_, B>,
    quant: &Int8,
) -> [[i8; 4]; 2] {
    let (a, b) = (patches.span(0, stride), patches.span(stride, stride));
    let rows: [&[i8]; 4] = core::array::from_fn(|c| weights.span((o + c) * patch, stride));
    let mut first = [_mm256_setzero_si256(); 4];
    let mut second = [_mm256_setzero_si256(); 4];
    let mut i = 0;
    while i + 16 <= stride {
        let (x, y) = (load_i16(array(a, i)), load_i16(array(b, i)));
        for c in 0..4 {
            let w = load_i8(array(rows[c], i));
            first[c] = _mm256_add_epi32(first[c], _mm256_madd_epi16(x, w));
            second[c] = _mm256_add_epi32(second[c], _mm256_madd_epi16(y, w));
        }
        i += 16;
    }
    if i + 8 <= stride {
        let (x, y) = (load_half_i16(array(a, i)), load_half_i16(array(b, i)));
        for c in 0..4 {
            let w = load_half_i8(array(rows[c], i));
            first[c] = _mm256_add_epi32(first[c], _mm256_madd_epi16(x, w));
            second[c] = _mm256_add_epi32(second[c], _mm256_madd_epi16(y, w));
        }
    }
    let acc = _mm256_set_m128i(sums(second), sums(first));
    let acc = _mm256_add_epi32(acc, load_four(channels.bias.array(o)));
    let multipliers = load_four(channels.multipliers.array(o));
    let shifts: &[i8; 4] = channels.shifts.array(o);
    let shifts = load_four(&shifts.map(i32::from));
    let [a, b, c, d, e, f, g, h] = narrow(requantise(acc, multipliers, shifts, quant));
    [[a, b, c, d], [e, f, g, h]]
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn dot_i16_i8(a: &[i16], b: &[i8]) -> i32 {
    let mut acc = _mm256_setzero_si256();
    let (a, a_rest) = a[..a.len().min(b.len())].as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (x, w) in a.iter().zip(b) {
        acc = _mm256_add_epi32(acc, _mm256_madd_epi16(load_i16(x), load_i8(w)));
    }
    let rest = b.get(a.len()).map_or(b_rest, |more| more.as_slice());
    total(acc).wrapping_add(portable::dot_i16_i8(a_rest, rest))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn dot_i8_i8(a: &[i8], b: &[i8]) -> i32 {
    let mut acc = _mm256_setzero_si256();
    let (a, a_rest) = a[..a.len().min(b.len())].as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    for (x, w) in a.iter().zip(b) {
        acc = _mm256_add_epi32(acc, _mm256_madd_epi16(load_i8(x), load_i8(w)));
    }
    let rest = b.get(a.len()).map_or(b_rest, |more| more.as_slice());
    total(acc).wrapping_add(portable::dot_i8_i8(a_rest, rest))
}

/// Sum of eight 32-bit lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn total(v: __m256i) -> i32 {
    let zero = _mm256_setzero_si256();
    _mm_cvtsi128_si32(sums([v, zero, zero, zero]))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn widen(from: &[i8], to: &mut [i16]) {
    portable::widen(from, to);
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn multiply_add(acc: &mut [i32], x: &[i8], zero: i16, w: &[i8]) {
    portable::multiply_add(acc, x, zero, w);
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn finish<B: Bounds>(acc: &[i32], first: usize, channels: Channels<'_, B>, quant: &Int8, to: &mut [i8]) {
    let mut i = 0;
    while i + 8 <= acc.len() {
        let o = first + i;
        let sum = _mm256_add_epi32(load_eight(array(acc, i)), load_eight(channels.bias.array(o)));
        let shifts: &[i8; 8] = channels.shifts.array(o);
        let shifts = load_eight(&shifts.map(i32::from));
        let done = requantise(sum, load_eight(channels.multipliers.array(o)), shifts, quant);
        to[i..i + 8].copy_from_slice(&narrow(done));
        i += 8;
    }
    portable::finish(&acc[i..], first + i, channels, quant, &mut to[i..]);
}
