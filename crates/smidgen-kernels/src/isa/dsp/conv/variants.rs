//! The ends of blocks, which finish and store a pair of channels.

use super::Code;
use core::arch::naked_asm;

/// EpilogueVariants of all block sizes, for one shift.
macro_rules! tail {
    ($name:ident, $signed:ident, $block:literal, [$($channel0:literal $stores0:tt),*], [$($channel1:literal $stores1:tt),*]) => {
        /// Finishes and stores one pair of channels. Jumped to by the block alone.
        #[unsafe(naked)]
        unsafe extern "C" fn $name<const SHIFT: u32>() {
            naked_asm!(
                ".arch armv7e-m",
                "ldm sp, {{r0-r5}}",
                tail!(@first $signed),
                $(tail!(@epilogue $signed "r0" $channel0),)*
                $(tail!(@store $channel0 $stores0),)*
                tail!(@second $signed),
                $(tail!(@epilogue $signed "r1" $channel1),)*
                $(tail!(@store $channel1 $stores1),)*
                "str r2, [sp, #8]",
                "ldrd r5, r6, [sp, #24]",
                "cmp r2, r5",
                concat!("bne smidgen_conv", $block, "_next"),
                concat!("b smidgen_conv", $block, "_done"),
                shift = const SHIFT,
            )
        }
    };
    // `C` into r6 (one sign), or into r4 with `K` in r6 (by sign); there the multiplier is always in r0, for r1 is needed.
    (@first one) => { "clz r6, r0\n lsr r6, r5, r6\n add r6, r4, r6" };
    (@second one) => { "clz r6, r1\n lsr r6, r5, r6\n add r6, r4, r6" };
    (@first two) => { "clz r6, r0\n lsr r6, r5, r6\n add r4, r4, r6, lsr #1" };
    (@second two) => { "ldr r0, [sp, #4]\n ldr r4, [sp, #16]\n clz r6, r0\n lsr r6, r5, r6\n add r4, r4, r6, lsr #1" };
    (@epilogue one $m:literal $a:literal) => {
        concat!("smmla ", $a, ", ", $a, ", ", $m, ", r6\n ssat ", $a, ", #8, ", $a, ", asr #{shift}")
    };
    (@epilogue two $m:literal $a:literal) => {
        concat!(
            "and r1, r6, ", $a, ", asr #31\n smmla ", $a, ", ", $a, ", r0, r4\n sub ", $a, ", ", $a, ", r1\n ",
            "ssat ", $a, ", #8, ", $a, ", asr #{shift}"
        )
    };
    (@store $a:literal third) => { concat!("strb ", $a, ", [r2, r3, lsl #1]") };
    (@store $a:literal second) => { concat!("strb ", $a, ", [r2, r3]") };
    (@store $a:literal first) => { concat!("strb ", $a, ", [r2], #1") };
}

/// The tails of blocks of 1, 2 and 3 pixels, for weights of one width.
macro_rules! variants {
    ($function:ident, $one:literal $two:literal $three:literal) => {
        /// The tails of blocks of 1, 2 and 3 pixels.
        pub(crate) const fn $function<const SHIFT: u32, const BY_SIGN: bool>() -> [Code; 3] {
            tail!(one1, one, $one, ["r7" first], ["r10" first]);
            tail!(one2, one, $two, ["r8" second, "r7" first], ["r11" second, "r10" first]);
            tail!(one3, one, $three, ["r9" third, "r8" second, "r7" first], ["r12" third, "r11" second, "r10" first]);
            tail!(two1, two, $one, ["r7" first], ["r10" first]);
            tail!(two2, two, $two, ["r8" second, "r7" first], ["r11" second, "r10" first]);
            tail!(two3, two, $three, ["r9" third, "r8" second, "r7" first], ["r12" third, "r11" second, "r10" first]);
            if BY_SIGN {
                [two1::<SHIFT>, two2::<SHIFT>, two3::<SHIFT>]
            } else {
                [one1::<SHIFT>, one2::<SHIFT>, one3::<SHIFT>]
            }
        }
    };
}

variants!(eight, "1" "2" "3");
variants!(four, "1_i4" "2_i4" "3_i4");
