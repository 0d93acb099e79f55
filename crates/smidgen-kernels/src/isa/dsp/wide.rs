//! Layers on int16: convolution in blocks of 3, 2 or 1 staged pixels by all pairs of channels, and dot products of four channels.
//!
//! Formats: [`int16::device`](crate::int16::device).
//!
//! # Registers of the blocks
//! `r0`, `r1` the weights of taps 0 and 1 of each channel, `r2`, `r3` those of taps 2 and 3, `r4`, `r5` a pixel's four activations, `r6` what is staged,
//! `lr` weights; sums of channel 0 in `r7`, `r8`, `r9`, of channel 1 in `r10`, `r11`, `r12`, a pixel each. With two pixels `r4`, `r5`, `r9`, `r12` hold
//! both pixels' activations. The last pixel's sums hold the starts of their channels until they themselves are started, so that
//! starting costs no moves.
//!
//! # Flow
//! For each pair of channels: four taps in line; then a jump into [`CHAIN`] unrolled steps of four taps each, so far from their end as there are steps
//! left (again from the top for long dot products); then a jump to the tail, which finishes and stores, and branches back for the
//! next pair. What lives between these is in a [`Frame`] on the stack.

use crate::int16::device::Clamp;
use core::arch::{global_asm, naked_asm};

/// Steps of four taps that are unrolled.
const CHAIN: usize = 16;

/// What all blocks of a layer with as many pixels share.
pub(crate) struct Layer {
    /// Pixels of a block, 1 to 3.
    pub pixels: usize,
    /// Groups of four taps, at least 1.
    pub quads: usize,
    /// Outputs are saturated to the 15 bits of what is not negative if the least is 0, else to 16 bits.
    pub clamp: Clamp,
    /// Staged activations, aligned for 32 bits.
    pub staged: *const i16,
}

/// Where a block writes.
pub(crate) struct Out {
    /// The first output of the first pixel.
    pub to: *mut i16,
    /// Elements from pixel to pixel.
    pub pixel_stride: usize,
}

/// What a block keeps in memory.
#[repr(C)]
struct Frame {
    words: *const u32,
    words_end: *const u32,
    out: *mut i16,
    /// In bytes.
    pixel_stride: usize,
    staged: *const i16,
    staged_end: *const i16,
    weights: *const i8,
    /// Where to jump into the chain.
    entry: usize,
    /// Where to go from its end.
    after: usize,
    tail: usize,
}

const _: () = assert!(size_of::<Frame>() == 40);

impl Layer {
    /// Computes `pairs` pairs of channels, at least one.
    ///
    /// # Safety
    /// All pointers must be good for as much as that says, and `weights` aligned for 32 bits.
    #[inline(always)]
    pub unsafe fn run(&self, weights: *const i8, words: *const u32, pairs: usize, out: Out) {
        type Code = unsafe extern "C" fn();
        let (block, places): (unsafe extern "C" fn(*const Frame), [Code; 5]) = match self.pixels {
            1 => (
                smidgen_wide1,
                [smidgen_wide1_chain, smidgen_wide1_exit, smidgen_wide1_check, smidgen_wide1_ssat, smidgen_wide1_usat],
            ),
            2 => (
                smidgen_wide2,
                [smidgen_wide2_chain, smidgen_wide2_exit, smidgen_wide2_check, smidgen_wide2_ssat, smidgen_wide2_usat],
            ),
            _ => (
                smidgen_wide3,
                [smidgen_wide3_chain, smidgen_wide3_exit, smidgen_wide3_check, smidgen_wide3_ssat, smidgen_wide3_usat],
            ),
        };
        let [chain, exit, check, ssat, usat] = places.map(|code| code as *const () as usize);
        let tail = if self.clamp.min == 0 { usat } else { ssat };
        // The first step is in line.
        let left = self.quads.wrapping_sub(1);
        let first = if left == 0 { 0 } else { left.wrapping_sub(1) % CHAIN + 1 };
        let frame = Frame {
            words,
            words_end: words.wrapping_add(5 * pairs),
            out: out.to,
            pixel_stride: 2 * out.pixel_stride,
            staged: self.staged,
            staged_end: self.staged.wrapping_add(4 * self.pixels * self.quads),
            weights,
            entry: if left == 0 { tail } else { exit - first * ((exit - chain) / CHAIN) },
            after: if left > CHAIN { check } else { tail },
            tail,
        };
        // SAFETY: the caller's promise.
        unsafe { block(&frame) }
    }
}

unsafe extern "C" {
    fn smidgen_wide1(frame: *const Frame);
    fn smidgen_wide2(frame: *const Frame);
    fn smidgen_wide3(frame: *const Frame);
    fn smidgen_wide1_chain();
    fn smidgen_wide1_exit();
    fn smidgen_wide1_check();
    fn smidgen_wide1_ssat();
    fn smidgen_wide1_usat();
    fn smidgen_wide2_chain();
    fn smidgen_wide2_exit();
    fn smidgen_wide2_check();
    fn smidgen_wide2_ssat();
    fn smidgen_wide2_usat();
    fn smidgen_wide3_chain();
    fn smidgen_wide3_exit();
    fn smidgen_wide3_check();
    fn smidgen_wide3_ssat();
    fn smidgen_wide3_usat();
}

global_asm!(
    r#"
.syntax unified
.thumb
.arch armv7e-m

@ Four products of a pixel's activations (\x, \y) for both channels, from the sums in \c0 and \c1.
.macro smidgen_wide_pixel a0, a1, x, y, c0, c1
    smlad \a0, \x, r0, \c0
    smlad \a1, \x, r1, \c1
    smlad \a0, \y, r2, \a0
    smlad \a1, \y, r3, \a1
.endm

@ Four taps of \n pixels by both channels. With \start, sums begin with what the last pixel's hold.
.macro smidgen_wide_step n, start
    ldrd r0, r1, [lr], #8
  .if \n == 2
    ldm r6!, {r4, r5, r9, r12}
  .else
    ldrd r4, r5, [r6], #8
  .endif
    sxtb16 r2, r0, ror #8
    sxtb16 r3, r1, ror #8
    sxtb16 r0, r0
    sxtb16 r1, r1
  .if \n == 1
    smidgen_wide_pixel r7, r10, r4, r5, r7, r10
  .endif
  .if \n == 2
    .if \start
    smidgen_wide_pixel r7, r10, r4, r5, r8, r11
    .else
    smidgen_wide_pixel r7, r10, r4, r5, r7, r10
    .endif
    smidgen_wide_pixel r8, r11, r9, r12, r8, r11
  .endif
  .if \n == 3
    .if \start
    smidgen_wide_pixel r7, r10, r4, r5, r9, r12
    ldrd r4, r5, [r6], #8
    smidgen_wide_pixel r8, r11, r4, r5, r9, r12
    .else
    smidgen_wide_pixel r7, r10, r4, r5, r7, r10
    ldrd r4, r5, [r6], #8
    smidgen_wide_pixel r8, r11, r4, r5, r8, r11
    .endif
    ldrd r4, r5, [r6], #8
    smidgen_wide_pixel r9, r12, r4, r5, r9, r12
  .endif
.endm

@ The output of a sum, with multiplier \m and shift \s; half a step is in r4.
.macro smidgen_wide_output a, m, s, sat, bits
    smmla \a, \a, \m, r4
    asr \a, \a, \s
    \sat \a, #\bits, \a
.endm

@ The outputs of one channel.
.macro smidgen_wide_channel n, a, b, c, m, s, sat, bits
    mov r4, #1
    lsl r4, r4, \s
    lsr r4, r4, #1
    smidgen_wide_output \a, \m, \s, \sat, \bits
  .if \n > 1
    smidgen_wide_output \b, \m, \s, \sat, \bits
  .endif
  .if \n > 2
    smidgen_wide_output \c, \m, \s, \sat, \bits
    strh \c, [r5, r6, lsl #1]
  .endif
  .if \n > 1
    strh \b, [r5, r6]
  .endif
    strh \a, [r5], #2
.endm

@ Finishes and stores a pair of channels.
.macro smidgen_wide_tail n, sat, bits
.global smidgen_wide\n\()_\sat
.thumb_func
smidgen_wide\n\()_\sat:
    ldr r4, [sp]
    ldrd r5, r6, [sp, #8]
    ldrd r0, r1, [r4, #8]
    ldr r2, [r4, #16]
    add r4, r4, #20
    str r4, [sp]
    lsr r3, r2, #8
    uxtb r2, r2
    smidgen_wide_channel \n, r7, r8, r9, r0, r2, \sat, \bits
    smidgen_wide_channel \n, r10, r11, r12, r1, r3, \sat, \bits
    str r5, [sp, #8]
    ldrd r0, r1, [sp]
    cmp r0, r1
    bne smidgen_wide\n\()_next
    add sp, sp, #40
    pop {r4-r11, pc}
.endm

@ The block of \n pixels, whose last sums are \s0 and \s1.
.macro smidgen_wide n, s0, s1
.section .text.smidgen_wide\n, "ax", %progbits
.p2align 2
.global smidgen_wide\n
.thumb_func
smidgen_wide\n:
    push {r4-r11, lr}
    sub sp, sp, #40
    ldm r0, {r1-r10}
    stm sp, {r1-r10}
    mov lr, r7
    mov r0, r1
smidgen_wide\n\()_next:
    ldr r6, [sp, #16]
    ldrd \s0, \s1, [r0]
    smidgen_wide_step \n, 1
    ldr pc, [sp, #28]
.p2align 2
.global smidgen_wide\n\()_chain
.thumb_func
smidgen_wide\n\()_chain:
  .rept 16
    smidgen_wide_step \n, 0
  .endr
.global smidgen_wide\n\()_exit
.thumb_func
smidgen_wide\n\()_exit:
    ldr pc, [sp, #32]
.global smidgen_wide\n\()_check
.thumb_func
smidgen_wide\n\()_check:
    ldr r0, [sp, #20]
    cmp r6, r0
    bne smidgen_wide\n\()_chain
    ldr pc, [sp, #36]
    smidgen_wide_tail \n, ssat, 16
    smidgen_wide_tail \n, usat, 15
.endm

smidgen_wide 1, r7, r10
smidgen_wide 2, r8, r11
smidgen_wide 3, r9, r12

.text
"#,
    options(raw)
);

/// Four inputs by four channels: 2 loads of inputs, which need not be aligned, 1 of weights, 8 extractions, 8 dual multiply-accumulates.
macro_rules! group {
    () => {
        "ldr r12, [r1], #4
         ldr lr, [r1], #4
         ldm r0!, {{r8-r11}}
         sxtb16 r2, r8
         sxtb16 r8, r8, ror #8
         smlad r4, r2, r12, r4
         smlad r4, r8, lr, r4
         sxtb16 r2, r9
         sxtb16 r9, r9, ror #8
         smlad r5, r2, r12, r5
         smlad r5, r9, lr, r5
         sxtb16 r2, r10
         sxtb16 r10, r10, ror #8
         smlad r6, r2, r12, r6
         smlad r6, r10, lr, r6
         sxtb16 r2, r11
         sxtb16 r11, r11, ror #8
         smlad r7, r2, r12, r7
         smlad r7, r11, lr, r7
        "
    };
}

/// Adds the products of `groups` times four inputs to four sums.
///
/// # Safety
/// For each group `weights` must be good for reading 16 bytes, aligned for 32 bits, and `inputs` four elements.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn four(weights: *const i8, inputs: *const i16, groups: usize, sums: &mut [i32; 4]) {
    // One group where their number is odd, then two at a time; r3 is the inputs' end.
    naked_asm!(
        ".arch armv7e-m",
        "push {{r3-r11, lr}}",
        "ldm r3, {{r4-r7}}",
        "add r3, r1, r2, lsl #3",
        "tst r2, #1",
        "beq 3f",
        group!(),
        "3:",
        "cmp r1, r3",
        "beq 4f",
        "2:",
        group!(),
        group!(),
        "cmp r1, r3",
        "bne 2b",
        "4:",
        "pop {{r3}}",
        "stm r3, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}
