//! Staging: pixels as planes of 16-bit numbers, weights as pairs of neighbouring taps.

use super::Band;
use core::arch::naked_asm;

/// Planes of two pixels `a`, `b` (registers r7, r8), one word each. M (r6) picks the odd bytes, so each pixel comes out times 256.
macro_rules! pair {
    () => {
        "pkhbt r11, r7, r8, lsl #16
        pkhtb r7, r8, r7, asr #16
        and r8, r6, r11, lsl #8
        and r11, r11, r6
        str r8, [r0], #4
        str r11, [r1], #4
        and r8, r6, r7, lsl #8
        and r7, r7, r6
        str r8, [r2], #4
        str r7, [r3], #4
        "
    };
}

/// Stages the pixels of four channels.
///
/// # Safety
/// The band's rows are good for as many pixels as `pieces` says, `to` for as many rows of four planes; it is 4-byte aligned.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn planes(band: &Band) {
    // Frame: where the next row's offset is, then the band's first seven fields. r0-r3: the four planes, r4: pixels, r5: their stride, r6: mask, lr: pieces left.
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        ldm r0, {{r2-r8}}
        add r1, r0, #56
        sub sp, sp, #32
        stm sp, {{r1-r8}}
        mov r5, r4
        mov r6, #0xff00ff00
        10:
        ldrd r0, r12, [sp, #16]
        ldr r9, [sp]
        ldr r4, [r9], #4
        str r9, [sp]
        ldr r8, [sp, #8]
        add r4, r4, r8
        add r1, r0, r12
        add r2, r1, r12
        add r3, r2, r12
        add r11, r0, #112
        str r11, [sp, #16]
        ldr lr, [sp, #28]
        lsls r7, lr, #31
        beq 2f
        ldr r7, [sp, #24]
        ldr r8, [r4]
        add r4, r4, r5
        ",
        pair!(),
        "2:
        subs lr, lr, #256
        blt 4f
        3:
        ldr r7, [r4]
        ldr r8, [r4, r5]
        add r4, r4, r5, lsl #1
        ldr r9, [r4]
        ldr r10, [r4, r5]
        add r4, r4, r5, lsl #1
        pkhbt r11, r7, r8, lsl #16
        pkhtb r7, r8, r7, asr #16
        pkhbt r12, r9, r10, lsl #16
        pkhtb r9, r10, r9, asr #16
        and r8, r6, r11, lsl #8
        and r10, r6, r12, lsl #8
        strd r8, r10, [r0], #8
        and r11, r11, r6
        and r12, r12, r6
        strd r11, r12, [r1], #8
        and r8, r6, r7, lsl #8
        and r10, r6, r9, lsl #8
        strd r8, r10, [r2], #8
        and r7, r7, r6
        and r9, r9, r6
        strd r7, r9, [r3], #8
        subs lr, lr, #256
        bge 3b
        4:
        lsls r7, lr, #30
        bpl 5f
        ldr r7, [r4]
        ldr r8, [r4, r5]
        add r4, r4, r5, lsl #1
        ",
        pair!(),
        "5:
        lsls r7, lr, #29
        bpl 6f
        ldr r7, [r4]
        ldr r8, [sp, #24]
        ",
        pair!(),
        "6:
        ldr r7, [sp, #4]
        subs r7, r7, #1
        str r7, [sp, #4]
        bne 10b
        add sp, sp, #32
        pop {{r4-r11, pc}}"
    )
}

/// Two words of each of four channels, `$bytes` apart: the tap pairs (a, b) and (c, d), sign-extended.
macro_rules! tap_pairs {
    ($a:literal, $b:literal, $c:literal, $d:literal, $at:literal, $bytes:literal) => {
        concat!(
            "pkhbt r9, ",
            $a,
            ", ",
            $b,
            ", lsl #16
            pkhbt r10, ",
            $c,
            ", ",
            $d,
            ", lsl #16
            sxtb16 r11, r9
            sxtb16 r12, r10
            strd r11, r12, [r1, #",
            $at,
            "]
            sxtb16 r11, r9, ror #8
            sxtb16 r12, r10, ror #8
            strd r11, r12, [r1, #(",
            $at,
            " + ",
            $bytes,
            ")]
            pkhtb r9, ",
            $b,
            ", ",
            $a,
            ", asr #16
            pkhtb r10, ",
            $d,
            ", ",
            $c,
            ", asr #16
            sxtb16 r11, r9
            sxtb16 r12, r10
            strd r11, r12, [r1, #(",
            $at,
            " + 2 * ",
            $bytes,
            ")]
            sxtb16 r11, r9, ror #8
            sxtb16 r12, r10, ror #8
            strd r11, r12, [r1, #(",
            $at,
            " + 3 * ",
            $bytes,
            ")]
            "
        )
    };
}

/// One word of each of four channels: one tap.
macro_rules! tap {
    ($a:literal, $at:literal, $bytes:literal) => {
        concat!(
            "sxtb r9, ",
            $a,
            "
            sxtb r10, ",
            $a,
            ", ror #8
            sxtb r11, ",
            $a,
            ", ror #16
            asr r12, ",
            $a,
            ", #24
            str r9, [r1, #",
            $at,
            "]
            str r10, [r1, #(",
            $at,
            " + ",
            $bytes,
            ")]
            str r11, [r1, #(",
            $at,
            " + 2 * ",
            $bytes,
            ")]
            str r12, [r1, #(",
            $at,
            " + 3 * ",
            $bytes,
            ")]
            "
        )
    };
}

/// Defines the staging of weights for one shape of window: the rows of the window one after the other.
macro_rules! stage_weights {
    ($name:ident, $rows:literal, $load:literal, $step:literal, $($pairs:expr),+) => {
        /// Stages the weights of four channels.
        ///
        /// # Safety
        /// `from` is good for the weights of four channels, `to` for them staged; both are 4-byte aligned.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(from: *const i8, to: *mut i16) {
            naked_asm!(concat!(
                ".arch armv7e-m
                push {{r4-r12, lr}}
                movs r12, #", $rows, "
                push {{r12, lr}}
                2:
                ", $load,
                $($pairs,)+
                "adds r1, r1, #", $step, "
                ldr r12, [sp]
                subs r12, r12, #1
                str r12, [sp]
                bne 2b
                pop {{r12, lr}}
                pop {{r4-r12, pc}}"
            ))
        }
    };
}

stage_weights!(weights_3x3_s1, 3, "ldm r0!, {{r2-r4}}\n", 8, tap_pairs!("r2", "r3", "r3", "r4", 0, 24));
stage_weights!(weights_3x3_s2, 3, "ldm r0!, {{r2-r4}}\n", 8, tap_pairs!("r2", "r3", "r4", "r4", 0, 24));
stage_weights!(
    weights_5x5_s1,
    5,
    "ldm r0!, {{r2-r6}}\n",
    16,
    tap_pairs!("r2", "r3", "r3", "r4", 0, 80),
    tap_pairs!("r4", "r5", "r5", "r6", 8, 80)
);
stage_weights!(
    weights_5x5_s2,
    5,
    "ldm r0!, {{r2-r6}}\n",
    12,
    tap_pairs!("r2", "r3", "r4", "r5", 0, 60),
    tap!("r6", 8, 60)
);
stage_weights!(
    weights_7x7_s1,
    7,
    "ldm r0!, {{r2-r8}}\n",
    24,
    tap_pairs!("r2", "r3", "r3", "r4", 0, 168),
    tap_pairs!("r4", "r5", "r5", "r6", 8, 168),
    tap_pairs!("r6", "r7", "r7", "r8", 16, 168)
);
stage_weights!(
    weights_7x7_s2,
    7,
    "ldm r0!, {{r2-r8}}\n",
    16,
    tap_pairs!("r2", "r3", "r4", "r5", 0, 112),
    tap_pairs!("r6", "r7", "r8", "r8", 8, 112)
);
