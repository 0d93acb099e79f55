//! ADD and SUB in six instructions an element.
//!
//! The reference brings both operands to a common scale, adds, and scales the sum: three roundings, each in two steps. For operands of
//! 8 bits that is a function of 65,536 pairs, so lowering looks for a simpler one and compares them all:
//!
//! ```text
//! y = SSAT8((SMLAW(a, 256 x0) + SMLAW(b, 256 x1) + c) ASR 20)        SMLAW(w, x) = floor(w * x / 2^16)
//! ```

use super::pairs::{Pairwise, pixels, rows};
use crate::memory::{Arena, Bounds};
use crate::operand::Operand;
use crate::view::{Region, View};

/// Bits that terms have below the output's.
pub const SUM_BITS: u32 = 20;

/// Parameters of [`sum`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct Terms {
    /// For each operand, `2^28` times its scale over the output's; negated where it is subtracted.
    pub weights: [i32; 2],
    /// Zero points and half a step: `c`.
    pub offset: i32,
}

impl Terms {
    /// What operand `i` adds.
    #[inline(always)]
    pub fn term(&self, i: usize, x: i8) -> i32 {
        ((self.weights[i] as i64 * x as i64) >> 8) as i32
    }

    /// The stored output of two stored inputs.
    #[inline(always)]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let sum = self.offset.wrapping_add(self.term(0, a)).wrapping_add(self.term(1, b));
        super::epilogue::ssat8(sum >> SUM_BITS)
    }
}

/// `output[i] = terms(a[i], b[i])`. Order: one element at a time; that a few elements are read before the first of them is written keeps
/// that promise.
pub fn sum<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    terms: &Terms,
) {
    rows(arena, a, b, output, region, depth, terms);
}

/// The same pixel by pixel, for operands with all channels of which one may be the same for several pixels: their steps are 1 and are not
/// looked at.
pub fn sum_by_pixels<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    terms: &Terms,
) {
    pixels(arena, a, b, output, region, depth, terms);
}

impl Pairwise for Terms {
    #[inline(always)]
    fn apply(&self, a: i8, b: i8) -> i8 {
        Terms::apply(self, a, b)
    }

    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    #[inline(always)]
    unsafe fn of_quads(&self, a: *const i8, b: *const i8, to: *mut i8, quads: usize) {
        // SAFETY: the caller's promise.
        unsafe { of_quads(a, b, to, quads, self) }
    }
}

/// Four elements at a time, read before they are written.
///
/// # Safety
/// All pointers are good for four times `quads` elements; `quads` is at least 1.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
#[unsafe(naked)]
unsafe extern "C" fn of_quads(a: *const i8, b: *const i8, to: *mut i8, quads: usize, terms: &Terms) {
    // r4, r5: weights, r6: offset, r7: mask of the odd bytes. Masked bytes are 256 times what they are.
    core::arch::naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        ldr r12, [sp, #36]
        ldm r12, {{r4-r6}}
        mov r7, #0xff00ff00
        2:
        ldr r8, [r0], #4
        ldr r9, [r1], #4
        and r10, r7, r8, lsl #8
        and r8, r8, r7
        and r11, r7, r9, lsl #8
        and r9, r9, r7
        smlawb r12, r4, r10, r6
        smlawb r12, r5, r11, r12
        smlawt r10, r4, r10, r6
        smlawt r10, r5, r11, r10
        smlawb r11, r4, r8, r6
        smlawb r11, r5, r9, r11
        smlawt r8, r4, r8, r6
        smlawt r8, r5, r9, r8
        ssat r12, #8, r12, asr #20
        ssat r11, #8, r11, asr #20
        ssat r10, #8, r10, asr #20
        ssat r8, #8, r8, asr #20
        strb r12, [r2], #4
        strb r11, [r2, #-3]
        strb r10, [r2, #-2]
        strb r8, [r2, #-1]
        subs r3, r3, #1
        bne 2b
        pop {{r4-r11, pc}}"
    )
}
