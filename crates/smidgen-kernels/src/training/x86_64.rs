//! The inner loops of [`block`](super::block) with the instructions that every x86-64 processor has (SSE2), or with better ones where the
//! processor is found to have them: hosts simulate many trainings.
//!
//! Sums wrap, so the order in which products are added does not matter, and all bits are those of plain Rust.

use super::block::COLUMNS;
use core::arch::x86_64::*;

/// The sums of products of rows with four columns as [`Stage`](super::block::Stage) stages them, begun with `start` or, without one, with what
/// they are.
///
/// # Safety
/// `columns` is good for `16 * pairs` bytes and `rows` for `4 * pairs` bytes for each of the sums.
pub(super) unsafe fn multiply(
    columns: *const u8,
    rows: *const u8,
    pairs: usize,
    start: Option<[i32; COLUMNS]>,
    sums: &mut [[i32; COLUMNS]],
) {
    #[cfg(feature = "std")]
    if pairs.is_multiple_of(2) && std::is_x86_feature_detected!("avx2") {
        // SAFETY: as the caller says, and the machine has the instructions.
        return unsafe { super::avx2::multiply(columns, rows, pairs, start, sums) };
    }
    in_fours(
        (rows, pairs),
        sums,
        // SAFETY: as the caller says.
        |from, sums| unsafe { rows_by_columns(columns, from, pairs, start, sums) },
        // SAFETY: as the caller says.
        |from, sums| unsafe { rows_by_columns(columns, from, pairs, start, sums) },
    );
}

/// Goes through rows of so many pairs, and the sums that belong to them: by fours, and what is left one by one.
#[inline(always)]
pub(super) fn in_fours(
    (rows, pairs): (*const u8, usize),
    sums: &mut [[i32; COLUMNS]],
    four: impl Fn(*const u8, &mut [[i32; COLUMNS]; 4]),
    one: impl Fn(*const u8, &mut [[i32; COLUMNS]; 1]),
) {
    let (fours, rest) = sums.as_chunks_mut();
    let bytes = pairs.wrapping_mul(4);
    let mut from = rows;
    for sums in fours {
        four(from, sums);
        from = from.wrapping_add(bytes.wrapping_mul(4));
    }
    for sums in rest.as_chunks_mut().0 {
        one(from, sums);
        from = from.wrapping_add(bytes);
    }
}

/// Some rows of [`multiply`].
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn rows_by_columns<const ROWS: usize>(
    columns: *const u8,
    rows: *const u8,
    pairs: usize,
    start: Option<[i32; COLUMNS]>,
    sums: &mut [[i32; COLUMNS]; ROWS],
) {
    // SAFETY: the caller vouches for what is read; four sums are 16 bytes.
    unsafe {
        let mut all: [__m128i; ROWS] =
            core::array::from_fn(|i| _mm_loadu_si128(start.as_ref().unwrap_or(&sums[i]).as_ptr().cast()));
        for pair in 0..pairs {
            let weights = _mm_loadu_si128(columns.wrapping_add(pair.wrapping_mul(16)).cast());
            for (i, sum) in all.iter_mut().enumerate() {
                let at = rows.wrapping_add(pair.wrapping_add(pairs.wrapping_mul(i)).wrapping_mul(4));
                let both = _mm_set1_epi32(at.cast::<i32>().read_unaligned());
                *sum = _mm_add_epi32(*sum, _mm_madd_epi16(both, weights));
            }
        }
        for (to, sum) in sums.iter_mut().zip(all) {
            _mm_storeu_si128(to.as_mut_ptr().cast(), sum);
        }
    }
}

/// The sums over windows of a plane as [`Taps`](super::block::Taps) describes them.
///
/// # Safety
/// `taps` is good for 8 bytes for each tap, and `plane` for 8 bytes at each place that a window reads.
pub(super) unsafe fn windows(
    taps: *const u8,
    plane: *const u8,
    [rows, columns]: [usize; 2],
    [down, across, stride]: [usize; 3],
    start: [i32; COLUMNS],
    sums: &mut [[i32; COLUMNS]],
) {
    // SAFETY: the caller vouches for what is read; four sums are 16 bytes.
    unsafe {
        let first = _mm_loadu_si128(start.as_ptr().cast());
        for (i, sums) in sums.iter_mut().enumerate() {
            let (mut sum, mut tap) = (first, taps);
            for row in 0..rows {
                let mut at = plane.wrapping_add(stride.wrapping_mul(i)).wrapping_add(down.wrapping_mul(row));
                let mut left = columns;
                while left > 0 {
                    // Two taps, the second of which may be nothing.
                    let two = |from: *const u8, step: usize| {
                        let low = _mm_loadl_epi64(from.cast());
                        let high = match left > 1 {
                            true => _mm_loadl_epi64(from.wrapping_add(step).cast()),
                            false => _mm_setzero_si128(),
                        };
                        _mm_unpacklo_epi16(low, high)
                    };
                    sum = _mm_add_epi32(sum, _mm_madd_epi16(two(at, across), two(tap, 8)));
                    let done = if left > 1 { 2 } else { 1 };
                    left = left.wrapping_sub(done);
                    at = at.wrapping_add(across.wrapping_mul(done));
                    tap = tap.wrapping_add(8usize.wrapping_mul(done));
                }
            }
            _mm_storeu_si128(sums.as_mut_ptr().cast(), sum);
        }
    }
}

/// Stages four columns of `quads` times four bytes, each column `stride` bytes after the one before it, in swapped order.
///
/// # Safety
/// `from` is good for `4 * quads` bytes of each column, `to` for `32 * quads` bytes.
pub(super) unsafe fn along(from: *const u8, stride: usize, to: *mut u8, quads: usize) {
    for quad in 0..quads {
        // SAFETY: as the caller says.
        unsafe {
            let at = from.wrapping_add(quad.wrapping_mul(4));
            let word = |column: usize| at.wrapping_add(stride.wrapping_mul(column)).cast::<i32>().read_unaligned();
            let bytes = _mm_setr_epi32(word(0), word(1), word(2), word(3));
            // Bytes 0 and 2 of each column, then 1 and 3.
            let even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(bytes));
            let odd = _mm_srai_epi16::<8>(bytes);
            let to = to.wrapping_add(quad.wrapping_mul(32)).cast();
            _mm_storeu_si128(to, even);
            _mm_storeu_si128(to.wrapping_add(1), odd);
        }
    }
}

/// Stages `pairs` times two elements of four neighbouring bytes, `step` bytes from element to element, in natural order.
///
/// # Safety
/// `from` is good for 4 bytes at each element, `to` for `16 * pairs` bytes.
pub(super) unsafe fn across(from: *const u8, step: usize, to: *mut u8, pairs: usize) {
    for pair in 0..pairs {
        // SAFETY: as the caller says.
        unsafe {
            let at = from.wrapping_add(step.wrapping_mul(pair.wrapping_mul(2)));
            let word = |at: *const u8| _mm_set1_epi32(at.cast::<i32>().read_unaligned());
            let both = _mm_unpacklo_epi8(word(at), word(at.wrapping_add(step)));
            let wide = _mm_srai_epi16::<8>(_mm_unpacklo_epi8(_mm_setzero_si128(), both));
            _mm_storeu_si128(to.wrapping_add(pair.wrapping_mul(16)).cast(), wide);
        }
    }
}

/// Stages `quads` times four groups of four numbers as four rows, `pitch` bytes from row to row, and adds up each row.
///
/// # Safety
/// `from` is good for 32 bytes for each of the quads, `to` for 8 bytes of each row for each of them.
pub(super) unsafe fn transpose(from: *const u8, to: *mut u8, pitch: usize, quads: usize, sums: &mut [i32; COLUMNS]) {
    // SAFETY: the caller vouches for what is read and written; four sums are 16 bytes.
    unsafe {
        let ones = _mm_set1_epi32(0x0001_0001);
        // Of two rows each.
        let mut all = [_mm_setzero_si128(); 2];
        for quad in 0..quads {
            let at: *const __m128i = from.wrapping_add(quad.wrapping_mul(32)).cast();
            let (first, last) = (_mm_loadu_si128(at), _mm_loadu_si128(at.wrapping_add(1)));
            // Numbers 0 and 2 of each row, then 1 and 3.
            let (even, odd) = (_mm_unpacklo_epi16(first, last), _mm_unpackhi_epi16(first, last));
            let two = [_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd)];
            for (i, (rows, sum)) in two.into_iter().zip(&mut all).enumerate() {
                let to = to.wrapping_add(pitch.wrapping_mul(2).wrapping_mul(i)).wrapping_add(quad.wrapping_mul(8));
                _mm_storel_epi64(to.cast(), rows);
                _mm_storel_epi64(to.wrapping_add(pitch).cast(), _mm_unpackhi_epi64(rows, rows));
                *sum = _mm_add_epi32(*sum, _mm_madd_epi16(rows, ones));
            }
        }
        // The halves of rows 0 and 1, then of 2 and 3.
        let [low, high] = all.map(|sum| _mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)));
        let two = _mm_unpacklo_epi64(_mm_shuffle_epi32::<0b00_00_10_00>(low), _mm_shuffle_epi32::<0b00_00_10_00>(high));
        _mm_storeu_si128(sums.as_mut_ptr().cast(), two);
    }
}

/// What [`super::block::widen`] does, for `octets` times eight bytes.
///
/// # Safety
/// `from` is good for 8 bytes for each of them, `to` for 16.
pub(super) unsafe fn widen(from: *const u8, to: *mut u8, octets: usize, zero: i32) {
    // SAFETY: the caller vouches for what is read and written.
    unsafe {
        let zero = _mm_set1_epi16(zero as i16);
        for i in 0..octets {
            let bytes = _mm_loadl_epi64(from.wrapping_add(i.wrapping_mul(8)).cast());
            let wide = _mm_sub_epi16(_mm_srai_epi16::<8>(_mm_unpacklo_epi8(bytes, bytes)), zero);
            let low = _mm_shufflelo_epi16::<0b11_01_10_00>(wide);
            let swapped = _mm_shufflehi_epi16::<0b11_01_10_00>(low);
            _mm_storeu_si128(to.wrapping_add(i.wrapping_mul(16)).cast(), swapped);
        }
    }
}
