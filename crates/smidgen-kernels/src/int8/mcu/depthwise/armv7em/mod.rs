//! The blocks of the depthwise convolution for Armv7E-M, by hand: the same functions as in [`portable`](super::portable).
//!
//! One register holds two neighbouring 16-bit pixels of a channel, or two neighbouring taps, so that one SMLAD makes two
//! multiply-accumulates. An output at an odd pixel meets the same pixel pairs with the taps shifted by one, which is why the weights
//! of stride 1 are staged as all pairs of neighbours. Accumulators start at the bias. A row of the window that lies in the padding
//! is skipped by entering the unrolled rows further down, with pointers moved back by as much.
//!
//! The offsets in the code are those of the fields of [`Walk`], [`Band`] and [`Row`](super::Row), which are `repr(C)`.

#[macro_use]
mod group;
mod larger;
mod stage;
pub(super) mod taps;
mod three;

use super::{Band, Constants, GROUP, Layer, PITCH, Shape, ZEROS};
use crate::int8::mcu::epilogue;
use crate::memory::{Arena, Around, Bounds};
use core::arch::naked_asm;

const _: () = assert!(size_of::<usize>() == 4 && PITCH == 112, "the code counts on these");

/// Pixels are staged before weights. So all that the blocks load lies in scratch: some load a few bytes beyond the last pixel; and where
/// the lower rows of the window lie in the padding, those of 3x3 load the weights that they skip from as far before the first ones.
pub(super) const WEIGHTS_FIRST: bool = false;

/// Where places in the arena are counted from: its address, so that they are addresses.
pub(super) fn origin_of_arena<B: Bounds>(around: &mut Around<'_, i8, B>) -> usize {
    around.pointer(0, 0).expose_provenance()
}

/// The same for scratch.
pub(super) fn origin_of_scratch<B: Bounds>(scratch: &mut Arena<'_, i16, B>) -> usize {
    scratch.pointer(0, 0).expose_provenance()
}

/// Stages the weights of four channels: from the packed ones to scratch.
type StageWeights = unsafe extern "C" fn(*const i8, *mut i16);

/// Computes four channels of a band.
type Compute = unsafe extern "C" fn(&Band);

/// What is needed to walk from group to group.
#[repr(C)]
struct Walk<'a> {
    band: &'a mut Band,
    /// Groups left; at least 1.
    groups: usize,
    /// Packed weights of the next group, and bytes from one group's to the next's.
    weights: *const i8,
    group_weights: usize,
    /// Words of the next group's channels.
    words: *const u32,
    extras: *const u32,
    offset: i32,
    tie: u32,
    /// The mask of low bits, times 256.
    low: u32,
    unit: i32,
    /// All ones if the layer is `by_sign`, else 0.
    sign: u32,
    stage_weights: StageWeights,
    compute: Compute,
    /// The bits of an extra that are a shift.
    own: i32,
}

const _: () = assert!(size_of::<Walk>() == 56);

/// Computes the first `groups` whole groups of channels; see [`portable::group`](super::portable::group).
#[inline(never)]
pub(super) fn groups<const OFFSET: bool, B: Bounds>(
    band: &mut Band,
    shape: Shape,
    layer: &Layer<'_>,
    groups: usize,
    constants: Constants<'_, B>,
    around: &mut Around<'_, i8, B>,
    scratch: &mut Arena<'_, i16, B>,
) {
    if groups == 0 {
        return;
    }
    let epilogue = layer.epilogue;
    let (mut stage_weights, compute): (StageWeights, Compute) = match (shape, epilogue.by_sign) {
        (Shape { size: 3, stride: 1 }, false) => (stage::weights_3x3_s1, three::plain_3x3_s1),
        (Shape { size: 3, stride: 1 }, true) => (stage::weights_3x3_s1, three::signed_3x3_s1),
        (Shape { size: 3, .. }, false) => (stage::weights_3x3_s2, three::plain_3x3_s2),
        (Shape { size: 3, .. }, true) => (stage::weights_3x3_s2, three::signed_3x3_s2),
        (Shape { size: 5, stride: 1 }, _) => (stage::weights_5x5_s1, larger::rows_5x5_s1),
        (Shape { size: 5, .. }, _) => (stage::weights_5x5_s2, larger::rows_5x5_s2),
        (Shape { stride: 1, .. }, _) => (stage::weights_7x7_s1, larger::rows_7x7_s1),
        (Shape { .. }, _) => (stage::weights_7x7_s2, larger::rows_7x7_s2),
    };
    let channels = GROUP * groups;
    let mut group_weights = GROUP * shape.size * shape.size;
    if OFFSET {
        group_weights += ZEROS;
        stage_weights = match shape {
            Shape { size: 3, stride: 1 } => less_zero::<3, 1>,
            Shape { size: 3, .. } => less_zero::<3, 2>,
            Shape { size: 5, stride: 1 } => less_zero::<5, 1>,
            Shape { size: 5, .. } => less_zero::<5, 2>,
            Shape { stride: 1, .. } => less_zero::<7, 1>,
            Shape { .. } => less_zero::<7, 2>,
        };
    }
    for &row in band.input_rows() {
        around.pointer(row, (band.width() - 1) * band.input_stride + channels);
    }
    for row in band.rows() {
        around.pointer(row.output, ((band.columns >> 8) - 1) * band.output_stride + channels);
    }
    scratch.pointer(0, band.first_weight() + GROUP * shape.weights());
    let pairs = layer.window.input[2].div_ceil(2);
    let words = constants.words.span(0, epilogue::words(2 * pairs, epilogue.extras));
    let mut walk = Walk {
        band,
        groups,
        weights: constants.weights.span(0, groups * group_weights).as_ptr(),
        group_weights,
        words: words.as_ptr(),
        extras: words.as_ptr().wrapping_add(3 * pairs),
        offset: epilogue.offset,
        tie: epilogue.tie,
        low: epilogue.low << 8,
        unit: epilogue.unit,
        sign: 0u32.wrapping_sub(epilogue.by_sign as u32),
        stage_weights,
        compute,
        own: if epilogue.own_shifts { epilogue::OWN } else { 0 },
    };
    // SAFETY: rows, outputs, scratch and constants were checked, or vouched for, and nothing else uses arena or scratch. Weights are
    // aligned, since the constant is and whole groups of four bytes lie before; so is scratch.
    unsafe { walk_groups(&mut walk) }
}

/// Stages the weights of four channels less their zero point, which lies behind them.
///
/// # Safety
/// As of the functions of [`stage`].
unsafe extern "C" fn less_zero<const SIZE: usize, const STRIDE: usize>(from: *const i8, to: *mut i16) {
    let stage = match (SIZE, STRIDE) {
        (3, 1) => stage::weights_3x3_s1,
        (3, _) => stage::weights_3x3_s2,
        (5, 1) => stage::weights_5x5_s1,
        (5, _) => stage::weights_5x5_s2,
        (_, 1) => stage::weights_7x7_s1,
        _ => stage::weights_7x7_s2,
    };
    let pairs = GROUP * Shape { size: SIZE, stride: STRIDE }.weights() / 2;
    // SAFETY: the zero point lies behind the group's weights; as many pairs have been staged, aligned for 32 bits.
    unsafe {
        stage(from, to);
        let zeros = i32::from(*from.add(GROUP * SIZE * SIZE)).wrapping_mul(0x1_0001) as u32;
        let to = to.cast::<u32>();
        for i in 0..pairs {
            // Both halves at once: with its sign turned the lower one, which is far from the ends of 16 bits, borrows
            // nothing.
            *to.add(i) = (*to.add(i) ^ 0x8000).wrapping_sub(zeros) ^ 0x8000;
        }
    }
}

/// Unpacks a channel to the next [`Record`] (r6), given its word (a register) and the half that holds the rest of its start: `b` or `t` of r2.
/// Columns r7, offset r8, tie r9, low r10, unit r11, sign r12; changes r3 and lr. With a start of its own, goes to `$extra` and back to `$on`.
macro_rules! channel {
    ($word:literal, $half:literal, $extra:literal, $on:literal) => {
        concat!(
            "cmp ",
            $word,
            ", #0
            blt ",
            $extra,
            "f
            and r3, r10, ",
            $word,
            ", lsl #8
            smlab",
            $half,
            " r3, r11, r2, r3
            strd r3, r3, [r6], #8
            clz lr, ",
            $word,
            "
            lsr lr, r9, lr
            add r3, r8, lr, lsr #1
            and lr, lr, r12
            strd ",
            $word,
            ", r3, [r6], #8
            strd lr, r7, [r6], #8
            ",
            $on,
            ":
            "
        )
    };
}

/// The same for a channel with a start of its own and perhaps a shift, given how to bring its number to r3.
macro_rules! extra {
    ($word:literal, $number:literal, $on:literal) => {
        concat!(
            $number,
            "
            ldr lr, [r4, #20]
            ldr r3, [lr, r3, lsl #2]
            ldr lr, [r4, #52]
            bic ",
            $word,
            ", ",
            $word,
            ", #0x80000000
            and lr, lr, r3
            sub r3, r3, lr
            strd r3, r3, [r6], #8
            clz r3, ",
            $word,
            "
            lsr r3, r9, r3
            str ",
            $word,
            ", [r6], #4
            asr ",
            $word,
            ", r8, lr
            add ",
            $word,
            ", ",
            $word,
            ", r3, lsr #1
            and r3, r3, r12
            sub lr, r7, lr
            stm r6!, {{",
            $word,
            ", r3, lr}}
            b ",
            $on,
            "b
            "
        )
    };
}

/// Computes all groups, one after the other: unpacks the channels, stages weights and pixels, computes.
///
/// # Safety
/// What the walk and its band name is good for as many groups.
#[unsafe(naked)]
unsafe extern "C" fn walk_groups(walk: &mut Walk<'_>) {
    // r4: the walk, r5: words, then the band, r6: records. Frame: four records.
    naked_asm!(
        concat!(
            ".arch armv7e-m
            push {{r4-r11, lr}}
            sub sp, sp, #100
            mov r4, r0
            ldr r5, [r4]
            str sp, [r5, #36]
            10:
            ldr r7, [r5, #52]
            ldr r5, [r4, #16]
            add r1, r4, #24
            ldm r1, {{r8-r12}}
            mov r6, sp
            11:
            ldm r5!, {{r0-r2}}
            ",
            channel!("r0", "b", "3", "4"),
            channel!("r1", "t", "5", "6"),
            "add r3, sp, #96
            cmp r6, r3
            bne 11b
            str r5, [r4, #16]
            ldr r5, [r4]
            ldrd r0, r2, [r4, #8]
            ldr r1, [r5, #32]
            add r2, r2, r0
            str r2, [r4, #8]
            ldr r3, [r4, #44]
            blx r3
            mov r0, r5
            bl {planes}
            mov r0, r5
            ldr r3, [r4, #48]
            blx r3
            ldr r0, [r5, #4]
            adds r0, r0, #4
            str r0, [r5, #4]
            ldr r0, [r5, #40]
            adds r0, r0, #4
            str r0, [r5, #40]
            ldr r0, [r4, #4]
            subs r0, r0, #1
            str r0, [r4, #4]
            bne 10b
            add sp, sp, #100
            pop {{r4-r11, pc}}
            3:
            ",
            extra!("r0", "uxth r3, r2", "4"),
            "5:
            ",
            extra!("r1", "lsrs r3, r2, #16", "6"),
        ),
        planes = sym stage::planes,
    )
}
