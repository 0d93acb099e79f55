//! Plain Rust: an array of sixteen, which compilers make vectors of where they may.

use super::lanes::Lanes;

/// No instruction set is asked for. `mul_add` is then a call of the mathematical library on processors whose baseline
/// has no fused multiply-add: slow, but of the same bits.
#[derive(Clone, Copy)]
pub(super) struct Portable;

/// Sixteen floats.
#[derive(Clone, Copy)]
pub(super) struct Sixteen([f32; 16]);

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> Sixteen {
    let mut lanes = [0.0; 16];
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = f(i);
    }
    Sixteen(lanes)
}

// SAFETY (of every block here): the trait's contract gives the memory.
impl Lanes for Portable {
    type V = Sixteen;
    const ROWS: usize = 4;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Sixteen {
        Sixteen([0.0; 16])
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Sixteen {
        Sixteen([x; 16])
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Sixteen {
        Sixteen(unsafe { p.cast::<[f32; 16]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> Sixteen {
        let mut lanes = [0.0; 16];
        unsafe { std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n) };
        Sixteen(lanes)
    }

    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Sixteen) {
        unsafe { p.cast::<[f32; 16]>().write_unaligned(v.0) }
    }

    #[inline(always)]
    unsafe fn store_n(p: *mut f32, v: Sixteen, n: usize) {
        unsafe { std::ptr::copy_nonoverlapping(v.0.as_ptr(), p, n) }
    }

    #[inline(always)]
    unsafe fn fma(a: Sixteen, b: Sixteen, c: Sixteen) -> Sixteen {
        each(|i| a.0[i].mul_add(b.0[i], c.0[i]))
    }

    #[inline(always)]
    unsafe fn add(a: Sixteen, b: Sixteen) -> Sixteen {
        each(|i| a.0[i] + b.0[i])
    }

    #[inline(always)]
    unsafe fn mul(a: Sixteen, b: Sixteen) -> Sixteen {
        each(|i| a.0[i] * b.0[i])
    }

    #[inline(always)]
    unsafe fn at_least(low: Sixteen, v: Sixteen) -> Sixteen {
        each(|i| if low.0[i] > v.0[i] { low.0[i] } else { v.0[i] })
    }

    #[inline(always)]
    unsafe fn at_most(high: Sixteen, v: Sixteen) -> Sixteen {
        each(|i| if high.0[i] < v.0[i] { high.0[i] } else { v.0[i] })
    }

    #[inline(always)]
    unsafe fn inside(low: Sixteen, v: Sixteen, high: Sixteen, x: Sixteen) -> Sixteen {
        each(|i| if low.0[i] < v.0[i] && v.0[i] < high.0[i] { x.0[i] } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn array(v: Sixteen) -> [f32; 16] {
        v.0
    }
}
