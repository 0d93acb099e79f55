//! What the blocks of all windows share: the walk over four channels and their rows, and the finish.

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
        pub(super) unsafe extern "C" fn $name(band: &Band) {
            naked_asm!(concat!(
                ".arch armv7e-m
                push {{r4-r11, lr}}
                sub sp, sp, #88
                adds r0, r0, #28
                ldm r0, {{r1-r5}}
                ldr r7, [r0, #-12]
                strd r1, r2, [sp, #40]
                str r4, [sp, #48]
                str r0, [sp, #56]
                strd r3, r7, [sp, #72]
                str r5, [sp, #28]
                movs r1, #4
                str r1, [sp, #68]
                10:
                ldr r0, [sp, #72]
                ldm r0!, {{r1-r6}}
                str r0, [sp, #72]
                strd r1, r2, [sp]
                str r1, [sp, #80]
                ", $channel, "
                strd r3, r4, [sp, #16]
                str r5, [sp, #24]
                str r6, [sp, #52]
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
macro_rules! epilogue {
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
