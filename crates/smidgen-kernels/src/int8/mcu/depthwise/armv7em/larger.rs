//! Windows of 5x5 and 7x7: four outputs at a time.

use super::Band;
use core::arch::naked_asm;

/// Larger windows: a row of outputs four at a time (r4-r7), the last one or two together; pixels in r8-r11, weights in r2 and r3 as
/// they come. `$four` and `$two` are the rows of the window, one after the other, `$enter` where each begins.
///
/// The plain form lies on the way; the signed one is jumped to if the sign (r8) is not 0.
macro_rules! group_of_four {
    ($name:ident, $bytes:literal, $padded:expr, $table:expr, $step:literal, $four:expr, $two:expr) => {
        group!(
            $name,
            $bytes,
            "strd r1, r1, [sp, #8]",
            "cmp r2, #0
            beq 7f
            ",
            $padded,
            "strd r11, r11, [sp, #8]
            7:
            mov r12, r4
            uxtb r2, r2
            adr.w r6, 8f
            add r6, r6, r2
            ldrd r2, r3, [r6]
            strd r2, r3, [sp, #32]
            cmp lr, #768
            blo 4f
            sub lr, lr, #768
            2:
            ldrd r4, r5, [sp]
            ldrd r6, r7, [sp, #8]
            ldr.w pc, [sp, #32]
            ",
            $four,
            "ldrd r2, r3, [sp, #16]
            ldrd r8, r9, [sp, #24]
            cmp r8, #0
            bne 6f
            ",
            epilogue!(plain, "r4"),
            epilogue!(plain, "r5"),
            epilogue!(plain, "r6"),
            epilogue!(plain, "r7"),
            "3:
            adds r0, #",
            $step,
            "
            strb r4, [r1]
            strb r5, [r1, r9]
            add r1, r1, r9, lsl #1
            strb r6, [r1]
            subs lr, lr, #1024
            blt 5f
            strb r7, [r1, r9]
            add r1, r1, r9, lsl #1
            b 2b
            5:
            adds lr, lr, #768
            bmi 9f
            strb r7, [r1, r9]
            add r1, r1, r9, lsl #1
            cmp lr, #256
            blo 9f
            4:
            ldrd r4, r5, [sp]
            ldr.w pc, [sp, #36]
            .p2align 2
            8:
            ",
            $table,
            "6:
            ",
            epilogue!(signed, "r4", "r8", "r10"),
            epilogue!(signed, "r5", "r8", "r10"),
            epilogue!(signed, "r6", "r8", "r10"),
            epilogue!(signed, "r7", "r8", "r10"),
            "b 3b
            ",
            $two,
            "ldrd r2, r3, [sp, #16]
            ldrd r8, r9, [sp, #24]
            ",
            epilogue!(signed, "r4", "r8", "r10"),
            epilogue!(signed, "r5", "r8", "r10"),
            "strb r4, [r1]
            tst lr, #512
            beq 9f
            strb r5, [r1, r9]
            9:
            ldr r3, [sp, #80]
            strd r3, r3, [sp, #8]
            "
        );
    };
}

/// Row `$i` of a 5x5 window of stride 1 for four outputs: 64 bytes of code.
macro_rules! four_of_5x5_s1 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16)]
            smlad r4, r8, r2, r4
            smlatb r5, r8, r2, r5
            smlad r6, r9, r2, r6
            smlatb r7, r9, r2, r7
            smlad r5, r9, r3, r5
            smlad r7, r10, r3, r7
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16 + 8)]
            smlad r4, r9, r2, r4
            smlad r6, r10, r2, r6
            smlad r5, r10, r3, r5
            smlad r7, r11, r3, r7
            smlabt r4, r10, r3, r4
            smlabt r6, r11, r3, r6
            "
        )
    };
}

/// The same for two outputs: 40 bytes of code.
macro_rules! two_of_5x5_s1 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldr.w r10, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16)]
            smlad r4, r8, r2, r4
            smlatb r5, r8, r2, r5
            smlad r5, r9, r3, r5
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16 + 8)]
            smlad r4, r9, r2, r4
            smlad r5, r10, r3, r5
            smlabt r4, r10, r3, r4
            "
        )
    };
}

/// Row `$i` of a 5x5 window of stride 2 for four outputs: 68 bytes of code.
macro_rules! four_of_5x5_s2 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 12)]
            smlad r4, r8, r2, r4
            smlad r5, r9, r2, r5
            smlad r6, r10, r2, r6
            smlad r7, r11, r2, r7
            smlad r4, r9, r3, r4
            ldrd r8, r9, [r0, #(",
            $i,
            " * 112 + 16)]
            smlad r5, r10, r3, r5
            smlad r6, r11, r3, r6
            smlad r7, r8, r3, r7
            ldr.w r2, [r12, #(",
            $i,
            " * 12 + 8)]
            smlabb r4, r10, r2, r4
            smlabb r5, r11, r2, r5
            smlabb r6, r8, r2, r6
            smlabb r7, r9, r2, r7
            "
        )
    };
}

/// The same for two outputs: 40 bytes of code.
macro_rules! two_of_5x5_s2 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 12)]
            smlad r4, r8, r2, r4
            smlad r5, r9, r2, r5
            smlad r4, r9, r3, r4
            smlad r5, r10, r3, r5
            ldr.w r2, [r12, #(",
            $i,
            " * 12 + 8)]
            smlabb r4, r10, r2, r4
            smlabb r5, r11, r2, r5
            "
        )
    };
}

/// Row `$i` of a 7x7 window of stride 1 for four outputs: 88 bytes of code.
macro_rules! four_of_7x7_s1 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 24)]
            smlad r4, r8, r2, r4
            smlatb r5, r8, r2, r5
            smlad r6, r9, r2, r6
            smlatb r7, r9, r2, r7
            smlad r5, r9, r3, r5
            smlad r7, r10, r3, r7
            ldrd r2, r3, [r12, #(",
            $i,
            " * 24 + 8)]
            ldr.w r8, [r0, #(",
            $i,
            " * 112 + 16)]
            smlad r4, r9, r2, r4
            smlad r6, r10, r2, r6
            smlad r5, r10, r3, r5
            smlad r7, r11, r3, r7
            ldrd r2, r3, [r12, #(",
            $i,
            " * 24 + 16)]
            smlad r4, r10, r2, r4
            smlad r6, r11, r2, r6
            smlad r5, r11, r3, r5
            smlad r7, r8, r3, r7
            smlabt r4, r11, r3, r4
            smlabt r6, r8, r3, r6
            "
        )
    };
}

/// The same for two outputs: 52 bytes of code.
macro_rules! two_of_7x7_s1 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 24)]
            smlad r4, r8, r2, r4
            smlatb r5, r8, r2, r5
            smlad r5, r9, r3, r5
            ldrd r2, r3, [r12, #(",
            $i,
            " * 24 + 8)]
            smlad r4, r9, r2, r4
            smlad r5, r10, r3, r5
            ldrd r2, r3, [r12, #(",
            $i,
            " * 24 + 16)]
            smlad r4, r10, r2, r4
            smlad r5, r11, r3, r5
            smlabt r4, r11, r3, r4
            "
        )
    };
}

/// Row `$i` of a 7x7 window of stride 2 for four outputs: 88 bytes of code.
macro_rules! four_of_7x7_s2 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16)]
            smlad r4, r8, r2, r4
            smlad r5, r9, r2, r5
            smlad r6, r10, r2, r6
            smlad r7, r11, r2, r7
            smlad r4, r9, r3, r4
            ldrd r8, r9, [r0, #(",
            $i,
            " * 112 + 16)]
            smlad r5, r10, r3, r5
            smlad r6, r11, r3, r6
            smlad r7, r8, r3, r7
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16 + 8)]
            smlad r4, r10, r2, r4
            ldr.w r10, [r0, #(",
            $i,
            " * 112 + 24)]
            smlad r5, r11, r2, r5
            smlad r6, r8, r2, r6
            smlad r7, r9, r2, r7
            smlabb r4, r11, r3, r4
            smlabb r5, r8, r3, r5
            smlabb r6, r9, r3, r6
            smlabb r7, r10, r3, r7
            "
        )
    };
}

/// The same for two outputs: 52 bytes of code.
macro_rules! two_of_7x7_s2 {
    ($i:literal) => {
        concat!(
            "ldrd r8, r9, [r0, #(",
            $i,
            " * 112)]
            ldrd r10, r11, [r0, #(",
            $i,
            " * 112 + 8)]
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16)]
            smlad r4, r8, r2, r4
            smlad r5, r9, r2, r5
            smlad r4, r9, r3, r4
            ldr.w r8, [r0, #(",
            $i,
            " * 112 + 16)]
            smlad r5, r10, r3, r5
            ldrd r2, r3, [r12, #(",
            $i,
            " * 16 + 8)]
            smlad r4, r10, r2, r4
            smlad r5, r11, r2, r5
            smlabb r4, r11, r3, r4
            smlabb r5, r8, r3, r5
            "
        )
    };
}

/// Where the rows of a window begin: in the code for four outputs, `$four` bytes each, and in that for two.
macro_rules! entries {
    ($four:literal, $two:literal, $($i:literal)+) => {
        concat!($(".word 12b + ", $i, " * ", $four, " + 1, 14f + ", $i, " * ", $two, " + 1\n "),+)
    };
}

macro_rules! rows {
    ($label:literal, $row:ident, $($i:literal)+) => { concat!($label, ":\n ", $($row!($i)),+) };
}

group_of_four!(
    rows_5x5_s1,
    80,
    padded!(16, sum_of_taps!(0 8; 12 "t")),
    entries!(64, 40, 0 1 2 3 4),
    8,
    rows!("12", four_of_5x5_s1, 0 1 2 3 4),
    rows!("14", two_of_5x5_s1, 0 1 2 3 4)
);
group_of_four!(
    rows_5x5_s2,
    60,
    padded!(12, sum_of_taps!(0 4; 8 "b")),
    entries!(68, 40, 0 1 2 3 4),
    16,
    rows!("12", four_of_5x5_s2, 0 1 2 3 4),
    rows!("14", two_of_5x5_s2, 0 1 2 3 4)
);
group_of_four!(
    rows_7x7_s1,
    168,
    padded!(24, sum_of_taps!(0 8 16; 20 "t")),
    entries!(88, 52, 0 1 2 3 4 5 6),
    8,
    rows!("12", four_of_7x7_s1, 0 1 2 3 4 5 6),
    rows!("14", two_of_7x7_s1, 0 1 2 3 4 5 6)
);
group_of_four!(
    rows_7x7_s2,
    112,
    padded!(16, sum_of_taps!(0 4 8; 12 "b")),
    entries!(88, 52, 0 1 2 3 4 5 6),
    16,
    rows!("12", four_of_7x7_s2, 0 1 2 3 4 5 6),
    rows!("14", two_of_7x7_s2, 0 1 2 3 4 5 6)
);
