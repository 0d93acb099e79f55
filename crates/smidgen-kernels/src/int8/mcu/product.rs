//! MUL in one multiplication of the operands and one of their product.
//!
//! The reference scales the product of the centred operands with two roundings. For operands of 8 bits that is a function of 65,536 pairs,
//! so lowering looks for a simpler one and compares them all:
//!
//! ```text
//! p = (a - a_zero) * (b - b_zero) * 2^15
//! y = clamp((c - (tie if p < 0) + floor(p * m / 2^32)) ASR 14)
//! ```
//!
//! Two roundings, the second with ties away from zero, round a little below a tie upwards where the product is positive and downwards
//! where it is negative: hence the two offsets.

use super::epilogue::{smmla, ssat8};
use super::pairs::{Pairwise, pixels, rows};
use crate::memory::{Arena, Bounds};
use crate::operand::Operand;
use crate::view::{Region, View};

/// Bits that products have below the output's.
pub const PRODUCT_BITS: u32 = 14;

/// Parameters of [`product`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct Products {
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// `2^31` times the product of the operands' scales over the output's.
    pub multiplier: i32,
    /// Zero point and half a step: `c`.
    pub offset: i32,
    /// What is taken from the offset where the product is negative.
    pub tie: i32,
    /// Least stored output that the activation allows.
    pub min: i8,
    /// Greatest stored output that the activation allows.
    pub max: i8,
}

impl Products {
    /// The product of centred operands, times 2^15.
    #[inline(always)]
    pub fn product(&self, a: i8, b: i8) -> i32 {
        let centred = [a, b].map(i32::from);
        centred[0].wrapping_sub(self.zeros[0]).wrapping_mul(centred[1].wrapping_sub(self.zeros[1])).wrapping_shl(15)
    }

    /// The stored output of two stored inputs.
    #[inline(always)]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let product = self.product(a, b);
        let offset = self.offset.wrapping_sub(self.tie & (product >> 31));
        let y = ssat8(smmla(product, self.multiplier, offset) >> PRODUCT_BITS);
        y.max(self.min).min(self.max)
    }
}

/// `output[i] = products(a[i], b[i])`. Order: one element at a time; that a few elements are read before the first of them is written keeps
/// that promise.
pub fn product<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    products: &Products,
) {
    rows(arena, a, b, output, region, depth, products);
}

/// The same pixel by pixel, for operands with all channels of which one may be the same for several pixels: their steps are 1 and are not
/// looked at.
pub fn product_by_pixels<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    products: &Products,
) {
    pixels(arena, a, b, output, region, depth, products);
}

impl Pairwise for Products {
    #[inline(always)]
    fn apply(&self, a: i8, b: i8) -> i8 {
        Products::apply(self, a, b)
    }

    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    #[inline(always)]
    unsafe fn of_quads(&self, a: *const i8, b: *const i8, to: *mut i8, quads: usize) {
        // SAFETY: the caller's promise.
        unsafe { of_quads(a, b, to, quads, self) }
    }
}

/// Takes four elements of each operand and leaves their scaled products, from the first to the last, in r12, r11, r10 and r8. Registers
/// as in [`of_quads`].
#[cfg(all(target_arch = "arm", feature = "dsp"))]
macro_rules! scaled_products {
    () => {
        "ldr r8, [r0], #4
        ldr r9, [r1], #4
        sxtb16 r10, r8
        sxtb16 r8, r8, ror #8
        sxtb16 r11, r9
        sxtb16 r9, r9, ror #8
        ssub16 r10, r10, r4
        ssub16 r8, r8, r4
        ssub16 r11, r11, r5
        ssub16 r9, r9, r5
        smulbb r12, r10, r11
        smultt r10, r10, r11
        smulbb r11, r8, r9
        smultt r8, r8, r9
        lsl r12, r12, #15
        lsl r10, r10, #15
        lsl r11, r11, #15
        lsl r8, r8, #15
        and r9, lr, r12, asr #31
        sub r9, r7, r9
        smmla r12, r12, r6, r9
        and r9, lr, r11, asr #31
        sub r9, r7, r9
        smmla r11, r11, r6, r9
        and r9, lr, r10, asr #31
        sub r9, r7, r9
        smmla r10, r10, r6, r9
        and r9, lr, r8, asr #31
        sub r9, r7, r9
        smmla r8, r8, r6, r9"
    };
}

/// Four elements at a time, read before they are written.
///
/// # Safety
/// All pointers are good for four times `quads` elements; `quads` is at least 1.
#[cfg(all(target_arch = "arm", feature = "dsp"))]
#[unsafe(naked)]
unsafe extern "C" fn of_quads(a: *const i8, b: *const i8, to: *mut i8, quads: usize, products: &Products) {
    // r4, r5: zero points in both halves, r6: multiplier, r7: offset, lr: tie. Differences of bytes and zero points fit 16 bits, two to a register. The
    // second loop is for outputs that an activation clamps.
    core::arch::naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        ldr r12, [sp, #36]
        ldm r12, {{r4-r7, lr}}
        pkhbt r4, r4, r4, lsl #16
        pkhbt r5, r5, r5, lsl #16
        ldrsb r8, [r12, #20]
        ldrsb r9, [r12, #21]
        cmn r8, #128
        it eq
        cmpeq r9, #127
        bne 3f
        2:",
        scaled_products!(),
        "ssat r12, #8, r12, asr #14
        ssat r11, #8, r11, asr #14
        ssat r10, #8, r10, asr #14
        ssat r8, #8, r8, asr #14
        strb r12, [r2], #4
        strb r11, [r2, #-3]
        strb r10, [r2, #-2]
        strb r8, [r2, #-1]
        subs r3, r3, #1
        bne 2b
        pop {{r4-r11, pc}}
        3:
        push {{r8, r9, lr}}
        4:",
        scaled_products!(),
        "ldrd r9, lr, [sp]
        asr r12, r12, #14
        asr r11, r11, #14
        asr r10, r10, #14
        asr r8, r8, #14
        cmp r12, r9
        it lt
        movlt r12, r9
        cmp r12, lr
        it gt
        movgt r12, lr
        cmp r11, r9
        it lt
        movlt r11, r9
        cmp r11, lr
        it gt
        movgt r11, lr
        cmp r10, r9
        it lt
        movlt r10, r9
        cmp r10, lr
        it gt
        movgt r10, lr
        cmp r8, r9
        it lt
        movlt r8, r9
        cmp r8, lr
        it gt
        movgt r8, lr
        strb r12, [r2], #4
        strb r11, [r2, #-3]
        strb r10, [r2, #-2]
        strb r8, [r2, #-1]
        ldr lr, [sp, #8]
        subs r3, r3, #1
        bne 4b
        add sp, sp, #12
        pop {{r4-r11, pc}}"
    )
}
