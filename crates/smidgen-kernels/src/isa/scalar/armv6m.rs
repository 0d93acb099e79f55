//! The inner loops for Armv6-M, which has eight registers to compute with; accumulators lie in the others, to which numbers can be added.

use super::COLUMNS;
use core::arch::naked_asm;

/// Saves the registers and loads accumulators by way of `r4`.
macro_rules! enter {
    ($($at:literal $sum:literal),*) => {
        concat!(
            "push {{r4-r7, lr}}\n mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n push {{r0, r4-r7}}\n",
            $("ldr r4, [r0, #", $at, "]\n mov ", $sum, ", r4\n",)*
        )
    };
}

/// The reverse.
macro_rules! leave {
    ($($at:literal $sum:literal),*) => {
        concat!(
            "pop {{r0}}\n",
            $("mov r4, ", $sum, "\n str r4, [r0, #", $at, "]\n",)*
            "pop {{r4-r7}}\n mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n pop {{r4-r7, pc}}\n",
        )
    };
}

/// What a half of the staged word at `$at` adds to the accumulators of a pixel.
macro_rules! number {
    ($half:literal, $at:literal, $first:literal, $second:literal) => {
        concat!(
            "ldr r7, [r2, #",
            $at,
            "]\n ",
            $half,
            "\n",
            "movs r0, r7\n",
            "muls r0, r5, r0\n",
            "add ",
            $first,
            ", r0\n",
            "muls r7, r6, r7\n",
            "add ",
            $second,
            ", r7\n",
        )
    };
}

/// A loop over groups of four taps. Words of weights of two channels are in `r3` and `r4`, one weight each in `r5` and `r6`, a staged number
/// in `r7`.
macro_rules! walk {
    ($name:ident, $step:literal, [$($sums:tt)*], $([$low:literal $high:literal $first:literal $second:literal])*) => {
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(sums: *mut i32, words: *const u32, staged: *const u32, groups: usize) {
            naked_asm!(
                enter!($($sums)*),
                "lsls r3, r3, #3",
                "adds r3, r1, r3",
                "push {{r3}}",
                "2:",
                "ldr r3, [r1]",
                "ldr r4, [r1, #4]",
                "sxth r5, r3",
                "sxth r6, r4",
                $(number!("sxth r7, r7", $low, $first, $second),)*
                "sxtb r5, r5",
                "sxtb r6, r6",
                $(number!("sxth r7, r7", $high, $first, $second),)*
                "asrs r5, r3, #16",
                "asrs r6, r4, #16",
                $(number!("asrs r7, r7, #16", $low, $first, $second),)*
                "sxtb r5, r5",
                "sxtb r6, r6",
                $(number!("asrs r7, r7, #16", $high, $first, $second),)*
                "adds r1, #8",
                concat!("adds r2, #", $step),
                "ldr r0, [sp]",
                "cmp r1, r0",
                "bne 2b",
                "pop {{r3}}",
                leave!($($sums)*),
            )
        }
    };
}

walk!(pair_of_one, "8", ["0" "r8", "4" "r9"], ["0" "4" "r8" "r9"]);
walk!(
    pair_of_two,
    "16",
    ["0" "r8", "4" "r9", "8" "r10", "12" "r11"],
    ["0" "4" "r8" "r9"]["8" "12" "r10" "r11"]
);
walk!(
    pair_of_three,
    "24",
    ["0" "r8", "4" "r9", "8" "r10", "12" "r11", "16" "r12", "20" "lr"],
    ["0" "4" "r8" "r9"]["8" "12" "r10" "r11"]["16" "20" "r12" "lr"]
);

/// Two inputs as they are staged.
macro_rules! stage {
    ($even:literal, $odd:literal, $first:literal, $second:literal) => {
        concat!(
            "ldrb r3, [r2, #",
            $odd,
            "]\n",
            "sxtb ",
            $first,
            ", r3\n",
            "subs ",
            $first,
            ", #127\n",
            "ldrb r3, [r2, #",
            $even,
            "]\n",
            "lsls r3, r3, #24\n",
            "asrs r3, r3, #16\n",
            "subs ",
            $second,
            ", r3, ",
            $first,
            "\n",
        )
    };
}

/// The products of a channel with four staged inputs in `r4` to `r7`.
macro_rules! channel {
    ($word:literal, $sum:literal) => {
        concat!(
            "ldr r0, [r1, #",
            $word,
            "]\n",
            "sxth r3, r0\n muls r3, r4, r3\n add ",
            $sum,
            ", r3\n",
            "sxtb r3, r0\n muls r3, r5, r3\n add ",
            $sum,
            ", r3\n",
            "asrs r0, r0, #16\n",
            "sxtb r3, r0\n muls r3, r7, r3\n add ",
            $sum,
            ", r3\n",
            "muls r0, r6, r0\n add ",
            $sum,
            ", r0\n",
        )
    };
}

/// Adds the products of `groups` times four inputs, at least once.
///
/// # Safety
/// Of each group there must be four words of weights and four inputs.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn four(sums: &mut [i32; 4], words: *const u32, inputs: *const i8, groups: usize) {
    naked_asm!(
        enter!("0" "r8", "4" "r9", "8" "r10", "12" "r11"),
        "lsls r3, r3, #2",
        "adds r3, r2, r3",
        "push {{r3}}",
        "2:",
        stage!("0", "1", "r4", "r5"),
        stage!("2", "3", "r6", "r7"),
        channel!("0", "r8"),
        channel!("4", "r9"),
        channel!("8", "r10"),
        channel!("12", "r11"),
        "adds r1, #16",
        "adds r2, #4",
        "ldr r0, [sp]",
        "cmp r2, r0",
        "bne 2b",
        "pop {{r3}}",
        leave!("0" "r8", "4" "r9", "8" "r10", "12" "r11"),
    )
}

/// A tap: the weight into `r0`, then four pixels at the distances in `r4` to `r7`, and a step to the next tap.
macro_rules! tap {
    () => {
        "ldrsh r0, [r1, r4]
         ldrsh r3, [r2, r4]
         muls r3, r0, r3
         add r8, r3
         ldrsh r3, [r2, r5]
         muls r3, r0, r3
         add r9, r3
         ldrsh r3, [r2, r6]
         muls r3, r0, r3
         add r10, r3
         ldrsh r3, [r2, r7]
         muls r3, r0, r3
         add r11, r3
         adds r1, #2
         adds r2, #2
        "
    };
}

/// The code that computes four outputs, `$step` bytes apart, row by row of so many taps.
macro_rules! rows {
    ($name:ident, $step:literal, $back:literal, $($tap:expr),*) => {
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
                enter!("0" "r8", "4" "r9", "8" "r10", "12" "r11"),
                "mov r12, r3",
                // What the steps over the taps leave of the pitches.
                "ldr r3, [sp, #40]",
                concat!("subs r3, #", $back),
                "ldr r4, [sp, #44]",
                concat!("subs r4, #", $back),
                "mov lr, r4",
                "push {{r3}}",
                "movs r4, #0",
                concat!("movs r5, #", $step),
                concat!("adds r6, r5, #", $step),
                concat!("adds r7, r6, #", $step),
                "2:",
                $($tap,)*
                "ldr r0, [sp]",
                "adds r1, r1, r0",
                "add r2, lr",
                "mov r0, r12",
                "subs r0, #1",
                "mov r12, r0",
                "bne 2b",
                "pop {{r3}}",
                leave!("0" "r8", "4" "r9", "8" "r10", "12" "r11"),
            )
        }
    };
}

rows!(three_by_one, "2", "6", tap!(), tap!(), tap!());
rows!(three_by_two, "4", "6", tap!(), tap!(), tap!());
rows!(five_by_one, "2", "10", tap!(), tap!(), tap!(), tap!(), tap!());
rows!(five_by_two, "4", "10", tap!(), tap!(), tap!(), tap!(), tap!());
rows!(seven_by_one, "2", "14", tap!(), tap!(), tap!(), tap!(), tap!(), tap!(), tap!());
rows!(seven_by_two, "4", "14", tap!(), tap!(), tap!(), tap!(), tap!(), tap!(), tap!());
