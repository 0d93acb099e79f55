//! The blocks themselves.

use super::{Block, Code, Eight, Form, Four, Frame, StageCode, stage};
use core::arch::global_asm;

impl Form for Eight {
    const SCALE_BITS: u32 = 8;

    #[inline(always)]
    fn block(pixels: usize) -> Block {
        match pixels {
            1 => smidgen_conv1,
            2 => smidgen_conv2,
            _ => smidgen_conv3,
        }
    }

    #[inline(always)]
    fn places(pixels: usize) -> [Code; 3] {
        match pixels {
            1 => [smidgen_conv1_chain, smidgen_conv1_exit, smidgen_conv1_check],
            2 => [smidgen_conv2_chain, smidgen_conv2_exit, smidgen_conv2_check],
            _ => [smidgen_conv3_chain, smidgen_conv3_exit, smidgen_conv3_check],
        }
    }

    #[inline(always)]
    fn stage(pixels: usize, quads: usize) -> StageCode {
        stage::eight(pixels, quads)
    }
}

impl Form for Four {
    const SCALE_BITS: u32 = 12;

    #[inline(always)]
    fn block(pixels: usize) -> Block {
        match pixels {
            1 => smidgen_conv1_i4,
            2 => smidgen_conv2_i4,
            _ => smidgen_conv3_i4,
        }
    }

    #[inline(always)]
    fn places(pixels: usize) -> [Code; 3] {
        match pixels {
            1 => [smidgen_conv1_i4_chain, smidgen_conv1_i4_exit, smidgen_conv1_i4_check],
            2 => [smidgen_conv2_i4_chain, smidgen_conv2_i4_exit, smidgen_conv2_i4_check],
            _ => [smidgen_conv3_i4_chain, smidgen_conv3_i4_exit, smidgen_conv3_i4_check],
        }
    }

    #[inline(always)]
    fn stage(pixels: usize, quads: usize) -> StageCode {
        stage::four(pixels, quads)
    }
}

unsafe extern "C" {
    fn smidgen_conv1(frame: *const Frame);
    fn smidgen_conv2(frame: *const Frame);
    fn smidgen_conv3(frame: *const Frame);
    fn smidgen_conv1_chain();
    fn smidgen_conv1_exit();
    fn smidgen_conv1_check();
    fn smidgen_conv2_chain();
    fn smidgen_conv2_exit();
    fn smidgen_conv2_check();
    fn smidgen_conv3_chain();
    fn smidgen_conv3_exit();
    fn smidgen_conv3_check();
    fn smidgen_conv1_i4(frame: *const Frame);
    fn smidgen_conv2_i4(frame: *const Frame);
    fn smidgen_conv3_i4(frame: *const Frame);
    fn smidgen_conv1_i4_chain();
    fn smidgen_conv1_i4_exit();
    fn smidgen_conv1_i4_check();
    fn smidgen_conv2_i4_chain();
    fn smidgen_conv2_i4_exit();
    fn smidgen_conv2_i4_check();
    fn smidgen_conv3_i4_chain();
    fn smidgen_conv3_i4_exit();
    fn smidgen_conv3_i4_check();
}

global_asm!(
    pixels!(),
    r#"
@ Four inputs of \n pixels by both channels. With \start, sums begin with what the last pixel's hold.
.macro smidgen_step n, start
    smidgen_load \n
    sxtb16 r2, r0
    sxtb16 r3, r1
    smidgen_pixels \n, \start
.endm

@ A multiply-accumulate of a pixel's staged word \x for both channels, whose weights are \w0 and \w1, from the sums in \c0 and \c1.
.macro smidgen_product a0, a1, x, w0, w1, c0, c1
    smlad \a0, \x, \w0, \c0
    smlad \a1, \x, \w1, \c1
.endm

@ As smidgen_step, with weights of four bits; r3 is their mask, made with \start.
.macro smidgen_step_i4 n, start
  .if \start
    mov r3, #0xf000f000
  .endif
    ldr r0, [lr], #4
    and r1, r3, r0
    and r2, r3, r0, lsl #4
  .if \n == 1
    ldrd r4, r5, [r6], #8
    smidgen_product r7, r10, r4, r1, r2, r7, r10
    and r1, r3, r0, lsl #8
    and r2, r3, r0, lsl #12
    smidgen_product r7, r10, r5, r1, r2, r7, r10
  .endif
  .if \n == 2
    ldm r6!, {r4, r5, r9, r12}
    .if \start
    smidgen_product r7, r10, r4, r1, r2, r8, r11
    .else
    smidgen_product r7, r10, r4, r1, r2, r7, r10
    .endif
    smidgen_product r8, r11, r5, r1, r2, r8, r11
    and r1, r3, r0, lsl #8
    and r2, r3, r0, lsl #12
    smidgen_product r7, r10, r9, r1, r2, r7, r10
    smidgen_product r8, r11, r12, r1, r2, r8, r11
  .endif
  .if \n == 3
    ldrd r4, r5, [r6], #8
    .if \start
    smidgen_product r7, r10, r4, r1, r2, r9, r12
    smidgen_product r8, r11, r5, r1, r2, r9, r12
    .else
    smidgen_product r7, r10, r4, r1, r2, r7, r10
    smidgen_product r8, r11, r5, r1, r2, r8, r11
    .endif
    ldr r4, [r6], #4
    smidgen_product r9, r12, r4, r1, r2, r9, r12
    and r1, r3, r0, lsl #8
    and r0, r3, r0, lsl #12
    ldm r6!, {r2, r4, r5}
    smidgen_product r7, r10, r2, r1, r0, r7, r10
    smidgen_product r8, r11, r4, r1, r0, r8, r11
    smidgen_product r9, r12, r5, r1, r0, r9, r12
  .endif
.endm

@ The block of \n pixels, whose last accumulators are \s0 and \s1; accumulators are 2^\scale times as large as the products.
.macro smidgen_conv n, s0, s1, scale, kind
.section .text.smidgen_conv\n\kind, "ax", %progbits
.p2align 2
.global smidgen_conv\n\kind
.thumb_func
smidgen_conv\n\kind:
    push {r4-r11, lr}
    sub sp, sp, #104
    mov r12, sp
  .rept 3
    ldm r0!, {r2-r9}
    stm r12!, {r2-r9}
  .endr
    ldm r0, {r2, r3}
    stm r12, {r2, r3}
@ A block, staged first if there is code for that.
4:
    ldr r12, [sp, #100]
    cmp r12, #0
    beq 5f
    add r4, sp, #76
    ldm r4, {r0-r3}
    ldrd r4, r5, [sp, #92]
    add r5, r5, r4
    str r5, [sp, #92]
    ldr r5, [sp, #28]
    strd r4, r5, [sp]
    blx r12
5:
    ldr lr, [sp, #60]
    ldr r6, [sp, #28]
.global smidgen_conv\n\kind\()_next
.thumb_func
smidgen_conv\n\kind\()_next:
    ldm lr!, {r0, r1, r4}
    ldrd r2, r3, [sp, #32]
    and \s0, r2, r0, lsl #\scale
    and \s1, r2, r1, lsl #\scale
    smlabb \s0, r4, r3, \s0
    smlatb \s1, r4, r3, \s1
    orrs r2, r0, r1
    bmi 2f
1:
    strd r0, r1, [sp]
    smidgen_step\kind \n, 1
    ldr pc, [sp, #40]
@ A channel, or both, whose start is an extra.
2:
    ldr r2, [sp, #56]
    cmp r0, #0
    bge 3f
    uxth r3, r4
    ldr \s0, [r2, r3, lsl #2]
    bic r0, r0, #0x80000000
3:
    cmp r1, #0
    bge 1b
    lsr r3, r4, #16
    ldr \s1, [r2, r3, lsl #2]
    bic r1, r1, #0x80000000
    b 1b
.p2align 2
.global smidgen_conv\n\kind\()_chain
.thumb_func
smidgen_conv\n\kind\()_chain:
  .rept 16
    smidgen_step\kind \n, 0
  .endr
.global smidgen_conv\n\kind\()_exit
.thumb_func
smidgen_conv\n\kind\()_exit:
    ldr pc, [sp, #44]
.global smidgen_conv\n\kind\()_check
.thumb_func
smidgen_conv\n\kind\()_check:
    ldr r0, [sp, #48]
    cmp r6, r0
    bne smidgen_conv\n\kind\()_chain
    ldr pc, [sp, #52]
@ After a block's last pair: its end is in r2 and r5.
.global smidgen_conv\n\kind\()_done
.thumb_func
smidgen_conv\n\kind\()_done:
    ldr r0, [sp, #64]
    subs r0, r0, #1
    beq 6f
    str r0, [sp, #64]
    ldrd r3, r4, [sp, #68]
    add r2, r2, r3
    add r5, r5, r4
    str r2, [sp, #8]
    str r5, [sp, #24]
    b 4b
6:
    add sp, sp, #104
    pop {r4-r11, pc}
.endm

smidgen_conv 1, r7, r10, 8
smidgen_conv 2, r8, r11, 8
smidgen_conv 3, r9, r12, 8
smidgen_conv 1, r7, r10, 12, _i4
smidgen_conv 2, r8, r11, 12, _i4
smidgen_conv 3, r9, r12, 12, _i4

.text
.purgem smidgen_load
.purgem smidgen_pixel
.purgem smidgen_pixels
"#,
    options(raw)
);
