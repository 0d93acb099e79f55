//! The blocks of the depthwise convolution for Armv7E-M, by hand: the same functions as in [`portable`](super::portable).
//!
//! One register holds two neighbouring 16-bit pixels of a channel, or two neighbouring taps, so that one SMLAD makes two
//! multiply-accumulates. An output at an odd pixel meets the same pixel pairs with the taps shifted by one, which is why the weights
//! of stride 1 are staged as all pairs of neighbours. Accumulators start at the bias. A row of the window that lies in the padding
//! is skipped by entering the unrolled rows further down, with pointers moved back by as much.
//!
//! The offsets in the code are those of the fields of [`Band`] and [`Row`](super::Row), which are `repr(C)`.

use super::{BEYOND, Band, GROUP, PITCH, Record, Shape};
use crate::int8::device::finish::Finish;
use crate::memory::{Arena, Around, Bounds, Flash};
use core::arch::naked_asm;

const _: () = assert!(size_of::<usize>() == 4 && PITCH == 112, "the code counts on these");

/// Where places in the arena are counted from: its address, so that they are addresses.
pub(super) fn origin_of_arena<B: Bounds>(around: &mut Around<'_, i8, B>) -> usize {
    around.pointer(0, 0).expose_provenance()
}

/// The same for scratch.
pub(super) fn origin_of_scratch<B: Bounds>(scratch: &mut Arena<'_, i16, B>) -> usize {
    scratch.pointer(0, 0).expose_provenance()
}

/// See [`portable::stage_weights`](super::portable::stage_weights); always four channels.
pub(super) fn stage_weights<B: Bounds>(
    shape: Shape,
    weights: Flash<'_, i8, B>,
    at: usize,
    _: usize,
    scratch: &mut Arena<'_, i16, B>,
) {
    let stage = match shape {
        Shape { size: 3, stride: 1 } => weights_3x3_s1,
        Shape { size: 3, .. } => weights_3x3_s2,
        Shape { size: 5, stride: 1 } => weights_5x5_s1,
        Shape { size: 5, .. } => weights_5x5_s2,
        Shape { stride: 1, .. } => weights_7x7_s1,
        Shape { .. } => weights_7x7_s2,
    };
    let from = weights.span(at, GROUP * shape.size * shape.size).as_ptr();
    let to = scratch.pointer(0, GROUP * shape.weights());
    // SAFETY: both are good for what the block reads and writes, and aligned: scratch is, and so is the constant, of which whole groups
    // of four bytes lie before.
    unsafe { stage(from, to) }
}

/// See [`portable::stage_pixels`](super::portable::stage_pixels); the four channels that the band names.
pub(super) fn stage_pixels<B: Bounds>(
    band: &Band,
    first: usize,
    _: usize,
    around: &mut Around<'_, i8, B>,
    scratch: &mut Arena<'_, i16, B>,
) {
    for &row in band.input_rows.iter().take(band.staged) {
        around.pointer(row + first, (band.width() - 1) * band.input_stride + GROUP);
    }
    let staged = band.staged_bytes();
    scratch.pointer((band.pixels - band.weights) / 2, staged / 2);
    // SAFETY: the rows and the planes were checked, or vouched for, and nothing else uses arena or scratch.
    unsafe { planes(band) }
}

/// See [`portable::compute`](super::portable::compute); the four channels that the band names.
pub(super) fn compute<B: Bounds>(
    shape: Shape,
    finish: &Finish,
    band: &Band,
    first: usize,
    _: usize,
    _: &[Record; GROUP],
    around: &mut Around<'_, i8, B>,
    scratch: &mut Arena<'_, i16, B>,
) {
    let compute = match (shape, finish.by_sign) {
        (Shape { size: 3, stride: 1 }, false) => plain_3x3_s1,
        (Shape { size: 3, stride: 1 }, true) => signed_3x3_s1,
        (Shape { size: 3, .. }, false) => plain_3x3_s2,
        (Shape { size: 3, .. }, true) => signed_3x3_s2,
        (Shape { size: 5, stride: 1 }, _) => rows_5x5_s1,
        (Shape { size: 5, .. }, _) => rows_5x5_s2,
        (Shape { stride: 1, .. }, _) => rows_7x7_s1,
        (Shape { .. }, _) => rows_7x7_s2,
    };
    for row in band.rows.iter().take(band.count) {
        around.pointer(row.output + first, ((band.columns >> 8) - 1) * band.output_stride + GROUP);
    }
    scratch.pointer(0, (band.pixels - band.weights + band.staged_bytes() + BEYOND) / 2);
    // SAFETY: outputs and scratch were checked, or vouched for, and nothing else uses arena or scratch.
    unsafe { compute(band) }
}

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
unsafe extern "C" fn planes(band: &Band) {
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
        unsafe extern "C" fn $name(from: *const i8, to: *mut i16) {
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

/// Four channels: saves registers, lays out the frame, and walks channels and rows. `$row` computes one row; it starts with r0 =
/// pixels, r1 = output, r2 = the row's `skip`, r4 = weights, r12 = stride of output pixels, lr = [`Band::columns`], and goes on at 19. It may
/// change all registers but r12, which `$channel` sets.
///
/// Frame: 0 what the row's outputs start with, four times, 16 multiplier, 20 addend, 24 tie, 28 stride of output pixels, 32 two words of the row's own, 40 pixels
/// and weights of the channel, 48 its output, 52 columns, 56 the band's `pixels`, 60 next row, 64 rows left, 68 channels left, 72 next
/// record, 76 plane, 80 start.
macro_rules! group {
    ($name:ident, $bytes:literal, $channel:literal, $($row:expr),+ $(,)?) => {
        /// Computes four channels.
        ///
        /// # Safety
        /// What the band names is good for four channels of the rows that it lists.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(band: &Band) {
            naked_asm!(concat!(
                ".arch armv7e-m
                push {{r4-r11, lr}}
                sub sp, sp, #88
                adds r0, r0, #28
                ldm r0, {{r1-r5}}
                ldr r6, [r0, #24]
                ldr r7, [r0, #-12]
                strd r1, r2, [sp, #40]
                strd r4, r6, [sp, #48]
                str r0, [sp, #56]
                strd r3, r7, [sp, #72]
                str r5, [sp, #28]
                movs r1, #4
                str r1, [sp, #68]
                10:
                ldr r0, [sp, #72]
                ldm r0!, {{r1-r4}}
                str r0, [sp, #72]
                strd r1, r1, [sp]
                str r1, [sp, #80]
                ", $channel, "
                strd r2, r3, [sp, #16]
                str r4, [sp, #24]
                ldr r0, [sp, #56]
                add r8, r0, #112
                ldr r9, [r0, #20]
                11:
                subs r9, r9, #1
                blt 18f
                ldm r8!, {{r2-r5}}
                strd r8, r9, [sp, #60]
                ldrd r6, r7, [sp, #40]
                adds r0, r6, r3
                adds r4, r7, r4
                ldrd r6, lr, [sp, #48]
                adds r1, r6, r5
                ",
                $($row,)+
                "17:
                ldr r3, [sp, #80]
                strd r3, r3, [sp]
                19:
                ldrd r8, r9, [sp, #60]
                b 11b
                18:
                ldrd r2, r3, [sp, #40]
                ldr r4, [sp, #76]
                adds r2, r2, r4
                adds r3, r3, #", $bytes, "
                strd r2, r3, [sp, #40]
                ldr r2, [sp, #48]
                adds r2, r2, #1
                str r2, [sp, #48]
                ldr r2, [sp, #68]
                subs r2, r2, #1
                str r2, [sp, #68]
                bne 10b
                add sp, sp, #88
                pop {{r4-r11, pc}}"
            ))
        }
    };
}

/// Where some rows of the window (r2 above bit 8) lie in the padding: sets what the row's outputs start with, given how to add the
/// weights of one row at r7, times the padding in r10, to r11. Changes r3 and r6-r11.
macro_rules! padded {
    ($bytes:literal, $sum:expr) => {
        concat!(
            "ldr r3, [sp, #56]
            ldr r10, [r3, #-8]
            and r10, r10, #0xff00ff00
            ldr r7, [sp, #44]
            ldr r11, [sp, #80]
            lsrs r6, r2, #8
            15:
            lsrs r6, r6, #1
            bcc 16f
            ",
            $sum,
            "
            16:
            add.w r7, r7, #",
            $bytes,
            "
            bne 15b
            strd r11, r11, [sp]
            "
        )
    };
}

/// One pair of taps, and the last tap, which is the upper or the lower half of its word.
macro_rules! sum_of_taps {
    ($($pair:literal)*; $last:literal $half:literal) => {
        concat!(
            $("ldr r8, [r7, #", $pair, "]\n smlad r11, r10, r8, r11\n ",)*
            "ldr r8, [r7, #", $last, "]\n smlab", $half, " r11, r10, r8, r11\n "
        )
    };
}

/// From accumulator to output byte: multiplier in r2, addend in r3, shift in lr. With a sign, that is in `$sign` and the addend is less
/// by it for negative accumulators; `$free` is overwritten.
macro_rules! finish {
    (plain, $acc:literal) => {
        concat!(
            "smmla ",
            $acc,
            ", ",
            $acc,
            ", r2, r3\n asr ",
            $acc,
            ", ",
            $acc,
            ", lr\n ssat ",
            $acc,
            ", #8, ",
            $acc,
            "\n "
        )
    };
    (signed, $acc:literal, $sign:literal, $free:literal) => {
        concat!(
            "and ",
            $free,
            ", ",
            $sign,
            ", ",
            $acc,
            ", asr #31
            sub ",
            $free,
            ", r3, ",
            $free,
            "
            smmla ",
            $acc,
            ", ",
            $acc,
            ", r2, ",
            $free,
            "
            asr ",
            $acc,
            ", ",
            $acc,
            ", lr
            ssat ",
            $acc,
            ", #8, ",
            $acc,
            "
            "
        )
    };
}

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

/// The end of a row: of one that started as the channel does, and of one that did not.
macro_rules! end_of_row {
    (4) => {
        "ldrd r8, r9, [sp, #60]
        b 11b
        "
    };
    ($label:literal) => {
        "b 17f
        "
    };
}

/// 3x3: all outputs of a row, two at a time, from the given rows of the window.
macro_rules! row_of_3x3 {
    ($label:tt, $two:expr, $one:expr, plain) => {
        row_of_3x3!(
            $label,
            $two,
            $one,
            concat!("ldrd r2, r3, [sp, #16]\n ", finish!(plain, "r4"), finish!(plain, "r5")),
            concat!("ldrd r2, r3, [sp, #16]\n ", finish!(plain, "r4")),
            end_of_row!($label)
        )
    };
    // Signed: the first two weights make room for the sign, and come back from the frame.
    ($label:tt, $two:expr, $one:expr, signed) => {
        row_of_3x3!(
            $label,
            $two,
            $one,
            concat!(
                "ldrd r2, r3, [sp, #16]\n ldr r6, [sp, #24]\n ",
                finish!(signed, "r4", "r6", "r7"),
                finish!(signed, "r5", "r6", "r7"),
                "ldrd r6, r7, [sp, #32]\n "
            ),
            concat!("ldrd r2, r3, [sp, #16]\n ldr r6, [sp, #24]\n ", finish!(signed, "r4", "r6", "r7")),
            end_of_row!($label)
        )
    };
    ($label:tt, $two:expr, $one:expr, $finish_two:expr, $finish_one:expr, $end:expr) => {
        concat!(
            $label,
            ":
            subs lr, lr, #512
            blt 3f
            2:
            ldrd r4, r5, [sp]
            ",
            $two,
            $finish_two,
            "strb r4, [r1]
            strb r5, [r1, r12]
            add r1, r1, r12, lsl #1
            subs lr, lr, #512
            bge 2b
            3:
            adds lr, lr, #256
            bpl 7f
            ",
            $end,
            "7:
            ldr r4, [sp]
            ",
            $one,
            $finish_one,
            "strb r4, [r1]
            ",
            $end
        )
    };
}

macro_rules! group_3x3 {
    ($name:ident, 1, $finish:ident) => {
        group!(
            $name,
            24,
            "ldr r12, [sp, #28]",
            "cbz r2, 8f
            ",
            padded!(8, sum_of_taps!(0; 4 "t")),
            "8:
            ldm r4, {{r6-r11}}
            strd r6, r7, [sp, #32]
            cbz r2, 4f
            uxtb r2, r2
            cmp r2, #8
            beq 5f
            b 6f
            ",
            row_of_3x3!(4,
                concat!(
                    two_of_3x3!(1, "], #4", "r6", "r7"),
                    two_of_3x3!(1, ", #108]", "r8", "r9"),
                    two_of_3x3!(1, ", #220]", "r10", "r11")
                ),
                concat!(
                    one_of_3x3!(1, "0", "r6", "r7"),
                    one_of_3x3!(1, "112", "r8", "r9"),
                    one_of_3x3!(1, "224", "r10", "r11")
                ),
                $finish
            ),
            row_of_3x3!(5,
                concat!(
                    "adds r0, #4
                    ",
                    two_of_3x3!(1, ", #108]", "r8", "r9"),
                    two_of_3x3!(1, ", #220]", "r10", "r11")
                ),
                concat!(one_of_3x3!(1, "112", "r8", "r9"), one_of_3x3!(1, "224", "r10", "r11")),
                $finish
            ),
            row_of_3x3!(6,
                concat!(
                    "adds r0, #4
                    ",
                    two_of_3x3!(1, ", #220]", "r10", "r11")
                ),
                one_of_3x3!(1, "224", "r10", "r11"),
                $finish
            ),
        );
    };
    ($name:ident, 2, $finish:ident) => {
        group!(
            $name,
            24,
            "ldr r12, [sp, #28]",
            "cbz r2, 8f
            ",
            padded!(8, sum_of_taps!(0; 4 "b")),
            "8:
            ldm r4, {{r6-r11}}
            strd r6, r7, [sp, #32]
            cbz r2, 4f
            uxtb r2, r2
            cmp r2, #8
            beq 5f
            b 6f
            ",
            row_of_3x3!(4,
                concat!(
                    two_of_3x3!(2, "], #8", "]", "r6", "r7"),
                    two_of_3x3!(2, ", #104]", ", #112]", "r8", "r9"),
                    two_of_3x3!(2, ", #216]", ", #224]", "r10", "r11")
                ),
                concat!(
                    one_of_3x3!(2, "0", "r6", "r7"),
                    one_of_3x3!(2, "112", "r8", "r9"),
                    one_of_3x3!(2, "224", "r10", "r11")
                ),
                $finish
            ),
            row_of_3x3!(5,
                concat!(
                    "adds r0, #8
                    ",
                    two_of_3x3!(2, ", #104]", ", #112]", "r8", "r9"),
                    two_of_3x3!(2, ", #216]", ", #224]", "r10", "r11")
                ),
                concat!(one_of_3x3!(2, "112", "r8", "r9"), one_of_3x3!(2, "224", "r10", "r11")),
                $finish
            ),
            row_of_3x3!(6,
                concat!(
                    "adds r0, #8
                    ",
                    two_of_3x3!(2, ", #216]", ", #224]", "r10", "r11")
                ),
                one_of_3x3!(2, "224", "r10", "r11"),
                $finish
            ),
        );
    };
}

group_3x3!(plain_3x3_s1, 1, plain);
group_3x3!(signed_3x3_s1, 1, signed);
group_3x3!(plain_3x3_s2, 2, plain);
group_3x3!(signed_3x3_s2, 2, signed);

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
            finish!(plain, "r4"),
            finish!(plain, "r5"),
            finish!(plain, "r6"),
            finish!(plain, "r7"),
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
            finish!(signed, "r4", "r8", "r10"),
            finish!(signed, "r5", "r8", "r10"),
            finish!(signed, "r6", "r8", "r10"),
            finish!(signed, "r7", "r8", "r10"),
            "b 3b
            ",
            $two,
            "ldrd r2, r3, [sp, #16]
            ldrd r8, r9, [sp, #24]
            ",
            finish!(signed, "r4", "r8", "r10"),
            finish!(signed, "r5", "r8", "r10"),
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
