//! NEON: four registers hold the sixteen lanes.

use super::lanes::Lanes;
use std::arch::aarch64::*;

/// NEON, which every 64-bit Arm processor has.
#[derive(Clone, Copy)]
pub(super) struct Neon;

/// Lanes 0 to 3, 4 to 7, 8 to 11, 12 to 15.
#[derive(Clone, Copy)]
pub(super) struct Four([float32x4_t; 4]);

/// Applies `$f` to each quarter.
macro_rules! quarters {
    ($i:ident => $f:expr) => {{
        Four([
            {
                let $i = 0;
                $f
            },
            {
                let $i = 1;
                $f
            },
            {
                let $i = 2;
                $f
            },
            {
                let $i = 3;
                $f
            },
        ])
    }};
}

// SAFETY (of every block here): the trait's contract gives the instruction set and the memory.
impl Lanes for Neon {
    type V = Four;
    // 32 registers of four lanes: 6 rows of 16 are 24 accumulators, and leave room for the panel's four.
    const ROWS: usize = 6;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Four {
        unsafe { Self::splat(0.0) }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Four {
        Four([unsafe { vdupq_n_f32(x) }; 4])
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Four {
        unsafe { quarters!(i => vld1q_f32(p.add(4 * i))) }
    }

    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> Four {
        unsafe {
            if n == 16 {
                return Self::load(p);
            }
            let mut lanes = [0.0; 16];
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            Self::load(lanes.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Four) {
        unsafe {
            vst1q_f32(p, v.0[0]);
            vst1q_f32(p.add(4), v.0[1]);
            vst1q_f32(p.add(8), v.0[2]);
            vst1q_f32(p.add(12), v.0[3]);
        }
    }

    #[inline(always)]
    unsafe fn store_n(p: *mut f32, v: Four, n: usize) {
        unsafe {
            if n == 16 {
                return Self::store(p, v);
            }
            let lanes = Self::array(v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }

    #[inline(always)]
    unsafe fn fma(a: Four, b: Four, c: Four) -> Four {
        unsafe { quarters!(i => vfmaq_f32(c.0[i], a.0[i], b.0[i])) }
    }

    #[inline(always)]
    unsafe fn add(a: Four, b: Four) -> Four {
        unsafe { quarters!(i => vaddq_f32(a.0[i], b.0[i])) }
    }

    #[inline(always)]
    unsafe fn mul(a: Four, b: Four) -> Four {
        unsafe { quarters!(i => vmulq_f32(a.0[i], b.0[i])) }
    }

    #[inline(always)]
    unsafe fn at_least(low: Four, v: Four) -> Four {
        // Compare and select: this instruction set's maximum would order signed zeros and make NaNs of its own.
        unsafe { quarters!(i => vbslq_f32(vcgtq_f32(low.0[i], v.0[i]), low.0[i], v.0[i])) }
    }

    #[inline(always)]
    unsafe fn at_most(high: Four, v: Four) -> Four {
        unsafe { quarters!(i => vbslq_f32(vcltq_f32(high.0[i], v.0[i]), high.0[i], v.0[i])) }
    }

    #[inline(always)]
    unsafe fn inside(low: Four, v: Four, high: Four, x: Four) -> Four {
        unsafe {
            quarters!(i => {
                let both = vandq_u32(vcltq_f32(low.0[i], v.0[i]), vcltq_f32(v.0[i], high.0[i]));
                vreinterpretq_f32_u32(vandq_u32(both, vreinterpretq_u32_f32(x.0[i])))
            })
        }
    }

    #[inline(always)]
    unsafe fn array(v: Four) -> [f32; 16] {
        let mut lanes = [0.0; 16];
        unsafe { Self::store(lanes.as_mut_ptr(), v) };
        lanes
    }
}
