//! AVX-512: one register holds the sixteen lanes.

use super::lanes::Lanes;
use std::arch::x86_64::*;

/// AVX-512F with FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx512;

#[inline(always)]
fn first(n: usize) -> __mmask16 {
    (0xffff_u32 >> (16 - n)) as __mmask16
}

// SAFETY (of every block here): the trait's contract gives the instruction set and the memory; masked lanes touch no
// memory.
impl Lanes for Avx512 {
    type V = __m512;
    const ROWS: usize = 12;
    const PAIR: bool = true;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(p) }
    }

    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(first(n), p) }
    }

    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(p, v) }
    }

    #[inline(always)]
    unsafe fn store_n(p: *mut f32, v: __m512, n: usize) {
        unsafe { _mm512_mask_storeu_ps(p, first(n), v) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn at_least(low: __m512, v: __m512) -> __m512 {
        // The instruction gives its second operand unless the first is greater, a NaN included.
        unsafe { _mm512_max_ps(low, v) }
    }

    #[inline(always)]
    unsafe fn at_most(high: __m512, v: __m512) -> __m512 {
        unsafe { _mm512_min_ps(high, v) }
    }

    #[inline(always)]
    unsafe fn inside(low: __m512, v: __m512, high: __m512, x: __m512) -> __m512 {
        unsafe {
            let above = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(low, v);
            _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(above, v, high), x)
        }
    }

    #[inline(always)]
    unsafe fn array(v: __m512) -> [f32; 16] {
        let mut lanes = [0.0; 16];
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), v) };
        lanes
    }

    #[inline(always)]
    unsafe fn add_to_doubles(to: *mut f64, v: __m512, n: usize) {
        unsafe {
            let mask = first(n);
            let halves =
                [_mm512_castps512_ps256(v), _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v)))];
            for (half, lanes) in halves.into_iter().enumerate() {
                let (own, at) = ((mask >> (8 * half)) as __mmask8, to.wrapping_add(8 * half));
                let sum = _mm512_add_pd(_mm512_maskz_loadu_pd(own, at), _mm512_cvtps_pd(lanes));
                _mm512_mask_storeu_pd(at, own, sum);
            }
        }
    }
}
