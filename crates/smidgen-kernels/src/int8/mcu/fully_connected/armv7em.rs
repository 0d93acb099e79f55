//! The inner loops for Armv7E-M.

use core::arch::naked_asm;

/// Four inputs: 1 load of inputs, 1 of weights, 3 instructions that stage, 4 extractions, 8 dual multiply-accumulates.
macro_rules! group {
    () => {
        "ldr lr, [r1], #4
         ldm r0!, {{r8-r11}}
         sxtab16 r12, r2, lr, ror #8
         and lr, r3, lr, lsl #8
         ssub16 lr, lr, r12
         smlad r4, r8, r12, r4
         smlad r5, r9, r12, r5
         smlad r6, r10, r12, r6
         smlad r7, r11, r12, r7
         sxtb16 r8, r8
         sxtb16 r9, r9
         sxtb16 r10, r10
         sxtb16 r11, r11
         smlad r4, r8, lr, r4
         smlad r5, r9, lr, r5
         smlad r6, r10, lr, r6
         smlad r7, r11, lr, r7
        "
    };
}

/// Four inputs and weights of four bits: 1 load of inputs, 1 of weights, 2 instructions that stage, 8 extractions, 8 dual
/// multiply-accumulates.
macro_rules! group_i4 {
    () => {
        "ldr lr, [r1], #4
         ldm r0!, {{r8, r9}}
         sxtb16 r12, lr
         sxtb16 lr, lr, ror #8
         and r3, r2, r8
         and r10, r2, r8, lsl #4
         and r11, r2, r8, lsl #8
         and r8, r2, r8, lsl #12
         smlad r4, r3, r12, r4
         smlad r5, r10, r12, r5
         smlad r4, r11, lr, r4
         smlad r5, r8, lr, r5
         and r3, r2, r9
         and r10, r2, r9, lsl #4
         and r11, r2, r9, lsl #8
         and r9, r2, r9, lsl #12
         smlad r6, r3, r12, r6
         smlad r7, r10, r12, r7
         smlad r6, r11, lr, r6
         smlad r7, r9, lr, r7
        "
    };
}

/// A loop over groups of four inputs, the first of which are unrolled.
macro_rules! walk {
    ($name:ident, $group:ident, $words:literal, $constants:literal) => {
        #[doc = concat!("Adds the products of `groups` times four inputs to four accumulators; the weights are ", $words, " for each group.")]
        ///
        /// # Safety
        #[doc = concat!("`weights` must be good for reading ", $words, " for each group and `inputs` four bytes.")]
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(weights: *const u32, inputs: *const i8, groups: usize, acc: &mut [i32; 4]) {
            // All registers are taken: the ends of both loops lie on the stack.
            naked_asm!(
                ".arch armv7e-m",
                "push {{r3-r11, lr}}",
                "ldm r3, {{r4-r7}}",
                "bic r12, r2, #3",
                "add r12, r1, r12, lsl #2",
                "add lr, r1, r2, lsl #2",
                "push {{r12, lr}}",
                $constants,
                "b 3f",
                "2:",
                $group!(),
                $group!(),
                $group!(),
                $group!(),
                "3:",
                "ldr r12, [sp]",
                "cmp r1, r12",
                "bne 2b",
                "b 5f",
                "4:",
                $group!(),
                "5:",
                "ldr r12, [sp, #4]",
                "cmp r1, r12",
                "bne 4b",
                "pop {{r2, r12}}",
                "pop {{r3}}",
                "stm r3, {{r4-r7}}",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

// What odd inputs are staged less, and the bytes of even ones.
walk!(four, group, "four words", "movw r2, #0xff81\n movt r2, #0xff81\n mov r3, #0xff00ff00");
// The mask of weights.
walk!(four_i4, group_i4, "two words", "mov r2, #0xf000f000");
