//! AVX2 with FMA: two registers hold the sixteen lanes.

use super::lanes::Lanes;
use std::arch::x86_64::*;

/// AVX2 with FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2;

/// Lanes 0 to 7 and 8 to 15.
#[derive(Clone, Copy)]
pub(super) struct Two(__m256, __m256);

/// Sixteen set words, then sixteen clear ones: a window that begins at `16 - n` is a mask of the first `n` lanes.
static WINDOW: [i32; 32] = {
    let mut words = [0; 32];
    let mut i = 0;
    while i < 16 {
        words[i] = -1;
        i += 1;
    }
    words
};

/// The masks of the first `n` of sixteen lanes.
#[inline(always)]
unsafe fn first(n: usize) -> (__m256i, __m256i) {
    // SAFETY: n is 1 to 16, so both windows lie inside the table.
    unsafe {
        let p = WINDOW.as_ptr().add(16 - n);
        (_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast()))
    }
}

// SAFETY (of every block here): the trait's contract gives the instruction set and the memory; masked lanes touch no
// memory.
impl Lanes for Avx2 {
    type V = Two;
    // Six rows would just fill the sixteen registers, and compilers then keep some of the sums in memory: a fifth
    // slower.
    const ROWS: usize = 4;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Two {
        unsafe { Two(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Two {
        let half = unsafe { _mm256_set1_ps(x) };
        Two(half, half)
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Two {
        unsafe { Two(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> Two {
        unsafe {
            if n == 16 {
                return Self::load(p);
            }
            let (low, high) = first(n);
            Two(_mm256_maskload_ps(p, low), _mm256_maskload_ps(p.wrapping_add(8), high))
        }
    }

    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Two) {
        unsafe {
            _mm256_storeu_ps(p, v.0);
            _mm256_storeu_ps(p.add(8), v.1);
        }
    }

    #[inline(always)]
    unsafe fn store_n(p: *mut f32, v: Two, n: usize) {
        unsafe {
            if n == 16 {
                return Self::store(p, v);
            }
            // Masked stores are slow on some processors, and channels mostly come in eights.
            if n == 8 {
                return _mm256_storeu_ps(p, v.0);
            }
            let (low, high) = first(n);
            _mm256_maskstore_ps(p, low, v.0);
            _mm256_maskstore_ps(p.wrapping_add(8), high, v.1);
        }
    }

    #[inline(always)]
    unsafe fn fma(a: Two, b: Two, c: Two) -> Two {
        unsafe { Two(_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
    }

    #[inline(always)]
    unsafe fn add(a: Two, b: Two) -> Two {
        unsafe { Two(_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn mul(a: Two, b: Two) -> Two {
        unsafe { Two(_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }

    #[inline(always)]
    unsafe fn at_least(low: Two, v: Two) -> Two {
        // The instruction gives its second operand unless the first is greater, a NaN included.
        unsafe { Two(_mm256_max_ps(low.0, v.0), _mm256_max_ps(low.1, v.1)) }
    }

    #[inline(always)]
    unsafe fn at_most(high: Two, v: Two) -> Two {
        unsafe { Two(_mm256_min_ps(high.0, v.0), _mm256_min_ps(high.1, v.1)) }
    }

    #[inline(always)]
    unsafe fn inside(low: Two, v: Two, high: Two, x: Two) -> Two {
        #[inline(always)]
        unsafe fn half(low: __m256, v: __m256, high: __m256, x: __m256) -> __m256 {
            unsafe {
                let both = _mm256_and_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(low, v), _mm256_cmp_ps::<_CMP_LT_OQ>(v, high));
                _mm256_and_ps(both, x)
            }
        }
        unsafe { Two(half(low.0, v.0, high.0, x.0), half(low.1, v.1, high.1, x.1)) }
    }

    #[inline(always)]
    unsafe fn array(v: Two) -> [f32; 16] {
        let mut lanes = [0.0; 16];
        unsafe { Self::store(lanes.as_mut_ptr(), v) };
        lanes
    }
}
