//! The staging of a block's inputs.

use super::StageCode;
use core::arch::global_asm;

/// The code that stages so many pixels from runs of so many words, for weights of eight bits.
#[inline(always)]
pub(super) fn eight(pixels: usize, quads: usize) -> StageCode {
    match (pixels, quads) {
        (1, 0) => smidgen_nines1,
        (2, 0) => smidgen_nines2,
        (_, 0) => smidgen_nines3,
        (1, _) => smidgen_stage1,
        (2, _) => smidgen_stage2,
        _ => smidgen_stage3,
    }
}

/// The same for weights of four bits.
#[inline(always)]
pub(super) fn four(pixels: usize, quads: usize) -> StageCode {
    match (pixels, quads) {
        (1, 0) => smidgen_nines1_i4,
        (2, 0) => smidgen_nines2_i4,
        (_, 0) => smidgen_nines3_i4,
        (1, _) => smidgen_stage1_i4,
        (2, _) => smidgen_stage2_i4,
        _ => smidgen_stage3_i4,
    }
}

unsafe extern "C" {
    fn smidgen_stage1(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage2(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage3(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines1(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines2(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines3(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage1_i4(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage2_i4(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage3_i4(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines1_i4(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines2_i4(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines3_i4(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
}

global_asm!(
    r#"
.syntax unified
.thumb
.arch armv7e-m

@ Four inputs in \a to their staged words \a, \b; lr is -127 twice.
.macro smidgen_lanes a, b
    rev16 \b, \a
    sxtab16 \a, lr, \a, ror #8
    eor \b, \b, #0x007f007f
.endm

@ \n words of inputs, of a pixel each, to the staged words of a group.
.macro smidgen_stage_step n, p0, p1, p2, to
    ldr r4, [\p0], #4
  .if \n > 1
    ldr r6, [\p1], #4
  .endif
  .if \n > 2
    ldr r8, [\p2], #4
  .endif
    smidgen_lanes r4, r5
  .if \n > 1
    smidgen_lanes r6, r7
  .endif
  .if \n > 2
    smidgen_lanes r8, r9
  .endif
  .if \n == 1
    strd r4, r5, [\to], #8
  .endif
  .if \n == 2
    stm \to!, {r4-r7}
  .endif
  .if \n == 3
    stm \to!, {r4-r9}
  .endif
.endm

@ The same for weights of four bits: the first words of all pixels, then the second ones.
.macro smidgen_stage_step_i4 n, p0, p1, p2, to
  .if \n == 1
    ldr r5, [\p0], #4
    sxtb16 r4, r5
    sxtb16 r5, r5, ror #8
    strd r4, r5, [\to], #8
  .endif
  .if \n == 2
    ldr r6, [\p0], #4
    ldr r7, [\p1], #4
    sxtb16 r4, r6
    sxtb16 r5, r7
    sxtb16 r6, r6, ror #8
    sxtb16 r7, r7, ror #8
    stm \to!, {r4-r7}
  .endif
  .if \n == 3
    ldr r7, [\p0], #4
    ldr r8, [\p1], #4
    ldr r9, [\p2], #4
    sxtb16 r4, r7
    sxtb16 r5, r8
    sxtb16 r6, r9
    sxtb16 r7, r7, ror #8
    sxtb16 r8, r8, ror #8
    sxtb16 r9, r9, ror #8
    stm \to!, {r4-r9}
  .endif
.endm

@ Runs of words, the first two steps of which are unrolled.
.macro smidgen_stage n, kind
.section .text.smidgen_stage\n\kind, "ax", %progbits
.p2align 2
.global smidgen_stage\n\kind
.thumb_func
smidgen_stage\n\kind:
    push {r0-r11, lr}
    ldr r3, [sp, #56]
  .ifb \kind
    movw lr, #0xff81
    movt lr, #0xff81
  .endif
1:
    ldr r1, [sp]
    ldr r0, [r1], #4
    str r1, [sp]
    ldr r1, [sp, #52]
    add r0, r0, r1
  .if \n > 1
    ldr r2, [sp, #12]
    add r1, r0, r2
    add r2, r1, r2
  .endif
    ldr r12, [sp, #8]
    lsrs r12, r12, #1
    bcc 2f
    smidgen_stage_step\kind \n, r0, r1, r2, r3
    cmp r12, #0
    beq 3f
2:
    smidgen_stage_step\kind \n, r0, r1, r2, r3
    smidgen_stage_step\kind \n, r0, r1, r2, r3
    subs r12, r12, #1
    bne 2b
3:
    ldr r1, [sp, #4]
    subs r1, r1, #1
    str r1, [sp, #4]
    bne 1b
    add sp, sp, #16
    pop {r4-r11, pc}
.endm

smidgen_stage 1
smidgen_stage 2
smidgen_stage 3
smidgen_stage 1, _i4
smidgen_stage 2, _i4
smidgen_stage 3, _i4

@ Four inputs of one pixel in r4 to the words of group \to.
.macro smidgen_nine n, to
    smidgen_lanes r4, r5
    strd r4, r5, [r3, #\to*8*\n]
.endm

.macro smidgen_nine_i4 n, to
    sxtb16 r5, r4, ror #8
    sxtb16 r4, r4
    str r4, [r3, #\to*8*\n]
    str r5, [r3, #\to*8*\n+4*\n]
.endm

@ Three runs of nine bytes, a pixel after the other.
.macro smidgen_nines n, kind
.section .text.smidgen_nines\n\kind, "ax", %progbits
.p2align 2
.global smidgen_nines\n\kind
.thumb_func
smidgen_nines\n\kind:
    push {r0-r11, lr}
    ldrd r12, r3, [sp, #52]
  .ifb \kind
    movw lr, #0xff81
    movt lr, #0xff81
  .endif
    ldr r10, [sp, #12]
    mov r11, #\n
    ldm r0, {r0, r1, r2}
    add r0, r0, r12
    add r1, r1, r12
    add r2, r2, r12
1:
    ldr r4, [r0, #0]
    smidgen_nine\kind \n, 0
    ldr r4, [r0, #4]
    smidgen_nine\kind \n, 1
    ldr r4, [r1, #0]
    smidgen_nine\kind \n, 2
    ldr r4, [r1, #4]
    smidgen_nine\kind \n, 3
    ldr r4, [r2, #0]
    smidgen_nine\kind \n, 4
    ldr r4, [r2, #4]
    smidgen_nine\kind \n, 5
    ldrb r4, [r0, #8]
    ldrb r5, [r1, #8]
    ldrb r6, [r2, #8]
    orr r4, r4, r5, lsl #8
    orr r4, r4, r6, lsl #16
    smidgen_nine\kind \n, 6
    add r0, r0, r10
    add r1, r1, r10
    add r2, r2, r10
  .ifb \kind
    add r3, r3, #8
  .else
    add r3, r3, #4
  .endif
    subs r11, r11, #1
    bne 1b
    add sp, sp, #16
    pop {r4-r11, pc}
.endm

smidgen_nines 1
smidgen_nines 2
smidgen_nines 3
smidgen_nines 1, _i4
smidgen_nines 2, _i4
smidgen_nines 3, _i4

.text
"#,
    options(raw)
);
