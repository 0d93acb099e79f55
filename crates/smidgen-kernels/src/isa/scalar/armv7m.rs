//! The inner loops for Armv7-M without the DSP instructions.

use super::COLUMNS;
use core::arch::naked_asm;

/// What a staged number at `$at` adds to the accumulators of a pixel.
macro_rules! number {
    ($at:literal, $first:literal, $second:literal) => {
        concat!(
            "ldrsh r12, ",
            $at,
            "\n",
            "mla ",
            $first,
            ", r12, r10, ",
            $first,
            "\n",
            "mla ",
            $second,
            ", r12, r11, ",
            $second,
            "\n",
        )
    };
}

/// A loop over groups of four taps. For each: 8 loads of weights, 4 of inputs a pixel, 8 multiply-accumulates a pixel. The weights of two
/// channels are in `r10` and `r11`, the accumulators of a pixel in two registers from `r4` on.
macro_rules! walk {
    ($name:ident, $registers:literal, [$($one:expr),*], [$($one_low:expr),*], [$($zero_low:expr),*], [$($zero:expr),*]) => {
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(sums: *mut i32, words: *const u32, staged: *const u32, groups: usize) {
            naked_asm!(
                "push {{r0, r4-r11, lr}}",
                concat!("ldm r0, {{", $registers, "}}"),
                "add r3, r1, r3, lsl #3",
                "2:",
                "ldrsh r10, [r1, #2]",
                "ldrsh r11, [r1, #6]",
                $($one,)*
                "ldrsb r10, [r1, #2]",
                "ldrsb r11, [r1, #6]",
                $($one_low,)*
                "ldrsb r10, [r1]",
                "ldrsb r11, [r1, #4]",
                $($zero_low,)*
                "ldrsh r11, [r1, #4]",
                "ldrsh r10, [r1], #8",
                $($zero,)*
                "cmp r1, r3",
                "bne 2b",
                "pop {{r0}}",
                concat!("stm r0, {{", $registers, "}}"),
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

walk!(
    pair_of_one,
    "r4-r5",
    [number!("[r2, #2]", "r4", "r5")],
    [number!("[r2, #6]", "r4", "r5")],
    [number!("[r2, #4]", "r4", "r5")],
    [number!("[r2], #8", "r4", "r5")]
);
walk!(
    pair_of_two,
    "r4-r7",
    [number!("[r2, #2]", "r4", "r5"), number!("[r2, #10]", "r6", "r7")],
    [number!("[r2, #6]", "r4", "r5"), number!("[r2, #14]", "r6", "r7")],
    [number!("[r2, #4]", "r4", "r5"), number!("[r2, #12]", "r6", "r7")],
    [number!("[r2, #8]", "r6", "r7"), number!("[r2], #16", "r4", "r5")]
);
walk!(
    pair_of_three,
    "r4-r9",
    [number!("[r2, #2]", "r4", "r5"), number!("[r2, #10]", "r6", "r7"), number!("[r2, #18]", "r8", "r9")],
    [number!("[r2, #6]", "r4", "r5"), number!("[r2, #14]", "r6", "r7"), number!("[r2, #22]", "r8", "r9")],
    [number!("[r2, #4]", "r4", "r5"), number!("[r2, #12]", "r6", "r7"), number!("[r2, #20]", "r8", "r9")],
    [number!("[r2, #16]", "r8", "r9"), number!("[r2, #8]", "r6", "r7"), number!("[r2], #24", "r4", "r5")]
);

/// The products of a channel with four staged inputs in `r8` to `r11`; its words are at an offset of `$low` and `$high`.
macro_rules! channel {
    ($sum:literal, $high:literal, $low:literal, $last:literal) => {
        concat!(
            "ldrsh r12, [r1, #",
            $high,
            "]\n",
            "ldrsb lr, [r1, #",
            $high,
            "]\n",
            "mla ",
            $sum,
            ", r12, r10, ",
            $sum,
            "\n",
            "mla ",
            $sum,
            ", lr, r11, ",
            $sum,
            "\n",
            "ldrsb lr, [r1, #",
            $low,
            "]\n",
            "ldrsh r12, ",
            $last,
            "\n",
            "mla ",
            $sum,
            ", lr, r9, ",
            $sum,
            "\n",
            "mla ",
            $sum,
            ", r12, r8, ",
            $sum,
            "\n",
        )
    };
}

/// Adds the products of `groups` times four inputs, at least once: for each four 4 loads of inputs, 4 instructions that stage, 16 loads of weights,
/// 16 multiply-accumulates.
///
/// # Safety
/// Of each group there must be four words of weights and four inputs.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn four(sums: &mut [i32; 4], words: *const u32, inputs: *const i8, groups: usize) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        "ldm r0, {{r4-r7}}",
        "add r3, r2, r3, lsl #2",
        "2:",
        "ldrsb r8, [r2, #1]",
        "ldrsb r10, [r2, #3]",
        "ldrsb r11, [r2, #2]",
        "ldrsb r9, [r2], #4",
        "sub r8, r8, #127",
        "sub r10, r10, #127",
        "rsb r9, r8, r9, lsl #8",
        "rsb r11, r10, r11, lsl #8",
        channel!("r7", "14", "12", "[r1, #12]"),
        channel!("r6", "10", "8", "[r1, #8]"),
        channel!("r5", "6", "4", "[r1, #4]"),
        channel!("r4", "2", "0", "[r1], #16"),
        "cmp r2, r3",
        "bne 2b",
        "pop {{r0}}",
        "stm r0, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}

/// A tap of stride 1: the weight, the last pixel it meets, which takes the place of one that no tap meets any more, and four multiply-accumulates.
macro_rules! tap {
    ($weight:literal, $pixel:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "ldrsh r12, [r1, #",
            $weight,
            "]\n",
            "ldrsh ",
            $d,
            ", [r2, #",
            $pixel,
            "]\n",
            "mla r4, r12, ",
            $a,
            ", r4\n",
            "mla r5, r12, ",
            $b,
            ", r5\n",
            "mla r6, r12, ",
            $c,
            ", r6\n",
            "mla r7, r12, ",
            $d,
            ", r7\n",
        )
    };
}

/// A tap of stride 2: the weight and four pixels.
macro_rules! apart {
    ($weight:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "ldrsh r12, [r1, #",
            $weight,
            "]\n",
            "ldrsh r8, [r2, #",
            $a,
            "]\n",
            "ldrsh r9, [r2, #",
            $b,
            "]\n",
            "ldrsh r10, [r2, #",
            $c,
            "]\n",
            "ldrsh r11, [r2, #",
            $d,
            "]\n",
            "mla r4, r12, r8, r4\n",
            "mla r5, r12, r9, r5\n",
            "mla r6, r12, r10, r6\n",
            "mla r7, r12, r11, r7\n",
        )
    };
}

/// The code that computes four outputs row by row, the first instructions of a row being `$row`.
macro_rules! rows {
    ($name:ident, $($row:expr),*) => {
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(
            sums: &mut [i32; COLUMNS],
            weights: *const i16,
            pixels: *const i16,
            rows: usize,
            weight_pitch: usize,
            pixel_pitch: usize,
        ) {
            naked_asm!(
                "push {{r0, r4-r11, lr}}",
                "ldm r0, {{r4-r7}}",
                "ldrd r0, lr, [sp, #40]",
                "2:",
                $($row,)*
                "add r1, r1, r0",
                "add r2, r2, lr",
                "subs r3, r3, #1",
                "bne 2b",
                "pop {{r0}}",
                "stm r0, {{r4-r7}}",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

/// What a row of stride 1 begins with.
macro_rules! begin {
    () => {
        "ldrsh r8, [r2]\n ldrsh r9, [r2, #2]\n ldrsh r10, [r2, #4]"
    };
}

/// The taps of a row of stride 1 by their numbers: the pixels' registers go round.
macro_rules! nth {
    (0) => {
        tap!("0", "6", "r8", "r9", "r10", "r11")
    };
    (1) => {
        tap!("2", "8", "r9", "r10", "r11", "r8")
    };
    (2) => {
        tap!("4", "10", "r10", "r11", "r8", "r9")
    };
    (3) => {
        tap!("6", "12", "r11", "r8", "r9", "r10")
    };
    (4) => {
        tap!("8", "14", "r8", "r9", "r10", "r11")
    };
    (5) => {
        tap!("10", "16", "r9", "r10", "r11", "r8")
    };
    (6) => {
        tap!("12", "18", "r10", "r11", "r8", "r9")
    };
}

/// The same of stride 2.
macro_rules! nth_apart {
    (0) => {
        apart!("0", "0", "4", "8", "12")
    };
    (1) => {
        apart!("2", "2", "6", "10", "14")
    };
    (2) => {
        apart!("4", "4", "8", "12", "16")
    };
    (3) => {
        apart!("6", "6", "10", "14", "18")
    };
    (4) => {
        apart!("8", "8", "12", "16", "20")
    };
    (5) => {
        apart!("10", "10", "14", "18", "22")
    };
    (6) => {
        apart!("12", "12", "16", "20", "24")
    };
}

rows!(three_by_one, begin!(), nth!(0), nth!(1), nth!(2));
rows!(three_by_two, nth_apart!(0), nth_apart!(1), nth_apart!(2));
rows!(five_by_one, begin!(), nth!(0), nth!(1), nth!(2), nth!(3), nth!(4));
rows!(five_by_two, nth_apart!(0), nth_apart!(1), nth_apart!(2), nth_apart!(3), nth_apart!(4));
rows!(seven_by_one, begin!(), nth!(0), nth!(1), nth!(2), nth!(3), nth!(4), nth!(5), nth!(6));
rows!(
    seven_by_two,
    nth_apart!(0),
    nth_apart!(1),
    nth_apart!(2),
    nth_apart!(3),
    nth_apart!(4),
    nth_apart!(5),
    nth_apart!(6)
);
