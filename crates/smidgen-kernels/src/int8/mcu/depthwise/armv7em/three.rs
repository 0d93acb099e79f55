//! Windows of 3x3: two outputs at a time.

use super::Band;
use core::arch::naked_asm;

/// 3x3: one row of the window for two outputs (r4, r5); its weights are `$a`, `$b`. The first row computed moves r0 on, so the
/// others' offsets are less by that.
macro_rules! two_of_3x3 {
    (1, $load:literal, $a:literal, $b:literal) => {
        concat!(
            "ldrd r2, r3, [r0",
            $load,
            "
            smlad r4, r2, ",
            $a,
            ", r4
            smlatb r5, r2, ",
            $a,
            ", r5
            smlabt r4, r3, ",
            $b,
            ", r4
            smlad r5, r3, ",
            $b,
            ", r5
            "
        )
    };
    (2, $load:literal, $third:literal, $a:literal, $b:literal) => {
        concat!(
            "ldrd r2, r3, [r0",
            $load,
            "
            smlad r4, r2, ",
            $a,
            ", r4
            smlabb r4, r3, ",
            $b,
            ", r4
            ldr r2, [r0",
            $third,
            "
            smlad r5, r3, ",
            $a,
            ", r5
            smlabb r5, r2, ",
            $b,
            ", r5
            "
        )
    };
}

/// 3x3: one row of the window for one output (r4).
macro_rules! one_of_3x3 {
    (1, $load:literal, $a:literal, $b:literal) => {
        concat!("ldrd r2, r3, [r0, #", $load, "]\n smlad r4, r2, ", $a, ", r4\n smlabt r4, r3, ", $b, ", r4\n ")
    };
    (2, $load:literal, $a:literal, $b:literal) => {
        concat!("ldrd r2, r3, [r0, #", $load, "]\n smlad r4, r2, ", $a, ", r4\n smlabb r4, r3, ", $b, ", r4\n ")
    };
}

/// From two accumulators (r4, r5), or one, to output bytes.
macro_rules! end_of_3x3 {
    (two plain) => {
        concat!("ldrd r2, r3, [sp, #8]\n ", epilogue!(plain, "r4"), epilogue!(plain, "r5"))
    };
    (one plain) => {
        concat!("ldrd r2, r3, [sp, #8]\n ", epilogue!(plain, "r4"))
    };
    // The first two weights make room for the sign, and come back from the frame.
    (two signed) => {
        concat!(
            "ldrd r2, r3, [sp, #8]\n ldr r6, [sp, #16]\n ",
            epilogue!(signed, "r4", "r6", "r7"),
            epilogue!(signed, "r5", "r6", "r7"),
            "ldrd r6, r7, [sp, #24]\n "
        )
    };
    (one signed) => {
        concat!("ldrd r2, r3, [sp, #8]\n ldr r6, [sp, #16]\n ", epilogue!(signed, "r4", "r6", "r7"))
    };
}

/// Keeps the first two weights where [`end_of_3x3`] finds them.
macro_rules! keep {
    (plain) => {
        ""
    };
    (signed) => {
        "strd r6, r7, [sp, #24]
        "
    };
}

/// All outputs of a row, two at a time, given how to compute two and one from the rows of the window that do not lie in the padding.
/// Then the next channel.
macro_rules! row_of_3x3 {
    ($label:literal, $two:expr, $one:expr, $epilogue:ident) => {
        concat!(
            $label,
            ":
            subs lr, lr, #512
            blt 3f
            2:
            ldrd r4, r5, [sp]
            ",
            $two,
            end_of_3x3!(two $epilogue),
            "strb r4, [r1]
            strb r5, [r1, r12]
            add r1, r1, r12, lsl #1
            subs lr, lr, #512
            bge 2b
            3:
            adds lr, lr, #256
            bmi 7f
            ldr r4, [sp]
            ",
            $one,
            end_of_3x3!(one $epilogue),
            "strb r4, [r1]
            7:
            ldrd r2, r3, [sp, #44]
            cmp r2, r3
            bne.w 11b
            b 18f
            "
        )
    };
}

/// Four channels: the rows of the band, and for each of them the channels. Weights are in r6-r11.
///
/// Frame: 0 the channel's record, with which its outputs start, 8 multiplier and addend, 16 tie; 24 its first two weights; 32 of the next channel: pixels,
/// output, weights, record; 48 the end of the records, plane, 60 stride of output pixels, 64 the row's `skip`, how far its weights
/// were moved back and [`ROW`] more, 72 next row, rows left, 80 the band's pixels and weights, output, records, 96 padding.
macro_rules! group_3x3 {
    ($name:ident, $last:literal, $epilogue:ident, $all:expr, $two:expr, $one:expr, $all_of_one:expr, $two_of_one:expr, $one_of_one:expr) => {
        /// Computes four channels.
        ///
        /// # Safety
        /// What the band names is good for four channels of the rows that it lists.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(band: &Band) {
            naked_asm!(concat!(
                ".arch armv7e-m
                push {{r4-r11, lr}}
                sub sp, sp, #100
                add r1, r0, #140
                ldr r2, [r0, #48]
                strd r1, r2, [sp, #72]
                ldr r1, [r0, #20]
                and r1, r1, #0xff00ff00
                str r1, [sp, #96]
                ldr r5, [r0, #16]
                adds r0, r0, #28
                ldm r0, {{r0-r3, r7}}
                add r4, r2, #96
                strd r0, r1, [sp, #80]
                strd r3, r2, [sp, #88]
                strd r4, r5, [sp, #48]
                str r7, [sp, #60]
                10:
                ldrd r0, r1, [sp, #72]
                ldm r0!, {{r2-r5}}
                subs r1, r1, #1
                strd r0, r1, [sp, #72]
                add r6, r4, #24
                strd r2, r6, [sp, #64]
                add r8, sp, #80
                ldm r8, {{r0, r1, r6, r7}}
                adds r0, r0, r3
                adds r4, r4, r1
                adds r3, r6, r5
                strd r0, r3, [sp, #32]
                strd r4, r7, [sp, #40]
                11:
                add r12, sp, #32
                ldm r12, {{r2-r7}}
                mov r0, r2
                mov r1, r3
                add r2, r2, r7
                adds r3, r3, #1
                ldm r5!, {{r6-r10, lr}}
                stm sp, {{r6-r10}}
                ldm r4!, {{r6-r11}}
                stm r12, {{r2-r5}}
                ldrd r12, r2, [sp, #60]
                ",
                keep!($epilogue),
                "cbz r2, 4f
                b.w 8f
                ",
                row_of_3x3!("4", $all, $all_of_one, $epilogue),
                "8:
                ldr r5, [sp, #96]
                ldr r3, [sp, #68]
                sub r4, r4, r3
                ldr r12, [sp]
                lsrs r2, r2, #8
                15:
                lsrs r2, r2, #1
                bcc 16f
                ldr r3, [r4]
                smlad r12, r5, r3, r12
                ldr r3, [r4, #4]
                smlab",
                $last,
                " r12, r5, r3, r12
                16:
                add.w r4, r4, #8
                bne 15b
                strd r12, r12, [sp]
                ldrd r12, r2, [sp, #60]
                uxtb r2, r2
                cmp r2, #8
                bne.w 6f
                ",
                row_of_3x3!("5", $two, $two_of_one, $epilogue),
                row_of_3x3!("6", $one, $one_of_one, $epilogue),
                "18:
                ldr r0, [sp, #76]
                cmp r0, #0
                bne.w 10b
                add sp, sp, #100
                pop {{r4-r11, pc}}"
            ))
        }
    };
}

macro_rules! stride_1 {
    ($name:ident, $epilogue:ident) => {
        group_3x3!(
            $name,
            "t",
            $epilogue,
            concat!(
                two_of_3x3!(1, "], #4", "r6", "r7"),
                two_of_3x3!(1, ", #108]", "r8", "r9"),
                two_of_3x3!(1, ", #220]", "r10", "r11")
            ),
            concat!("adds r0, #4\n ", two_of_3x3!(1, ", #108]", "r8", "r9"), two_of_3x3!(1, ", #220]", "r10", "r11")),
            concat!("adds r0, #4\n ", two_of_3x3!(1, ", #220]", "r10", "r11")),
            concat!(
                one_of_3x3!(1, "0", "r6", "r7"),
                one_of_3x3!(1, "112", "r8", "r9"),
                one_of_3x3!(1, "224", "r10", "r11")
            ),
            concat!(one_of_3x3!(1, "112", "r8", "r9"), one_of_3x3!(1, "224", "r10", "r11")),
            one_of_3x3!(1, "224", "r10", "r11")
        );
    };
}

macro_rules! stride_2 {
    ($name:ident, $epilogue:ident) => {
        group_3x3!(
            $name,
            "b",
            $epilogue,
            concat!(
                two_of_3x3!(2, "], #8", "]", "r6", "r7"),
                two_of_3x3!(2, ", #104]", ", #112]", "r8", "r9"),
                two_of_3x3!(2, ", #216]", ", #224]", "r10", "r11")
            ),
            concat!(
                "adds r0, #8\n ",
                two_of_3x3!(2, ", #104]", ", #112]", "r8", "r9"),
                two_of_3x3!(2, ", #216]", ", #224]", "r10", "r11")
            ),
            concat!("adds r0, #8\n ", two_of_3x3!(2, ", #216]", ", #224]", "r10", "r11")),
            concat!(
                one_of_3x3!(2, "0", "r6", "r7"),
                one_of_3x3!(2, "112", "r8", "r9"),
                one_of_3x3!(2, "224", "r10", "r11")
            ),
            concat!(one_of_3x3!(2, "112", "r8", "r9"), one_of_3x3!(2, "224", "r10", "r11")),
            one_of_3x3!(2, "224", "r10", "r11")
        );
    };
}

stride_1!(plain_3x3_s1, plain);
stride_1!(signed_3x3_s1, signed);
stride_2!(plain_3x3_s2, plain);
stride_2!(signed_3x3_s2, signed);
