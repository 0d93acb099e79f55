//! Windows of any shape, from the arena: four channels of a pixel at a time, tap by tap.
//!
//! A word holds a tap's four inputs or its four weights; SXTB16 takes channels 0 and 2 out of it, turned by a byte channels 1 and 3, and
//! SMLABB and SMLATT multiply the lower and the upper halves: 11 instructions for a tap, of which there are two a turn.

use super::super::GROUP;
use super::super::general::{ROWS, Run};
use crate::int8::mcu::epilogue::Channel;
use crate::memory::{Arena, Bounds, Flash};
use core::arch::naked_asm;

/// What the assembly is told. Its offsets are those of these fields.
#[repr(C)]
struct Call {
    /// For each row of the window, its first tap's inputs at the first pixel.
    rows: *const *const i8,
    /// Number of rows; at least 1.
    count: usize,
    /// Taps of a row; at least 1.
    taps: usize,
    /// Bytes from one tap's inputs to the next's.
    step: usize,
    /// Weights of the first tap.
    weights: *const i8,
    /// Bytes from behind a row's weights to the next row's.
    skip: usize,
    /// Number of pixels; at least 1.
    pixels: usize,
    /// Bytes from one pixel's inputs to the next's, and of outputs.
    strides: [usize; 2],
    output: *mut i8,
    channels: [Record; GROUP],
}

/// What a channel's sum becomes an output with: start, multiplier, offset, tie, shift.
type Record = [i32; 5];

/// Computes a run of four channels whose weights have no zero point; it has rows and taps.
#[inline(never)]
pub(in super::super) fn run<B: Bounds>(
    arena: &mut Arena<'_, i8, B>,
    run: &Run<'_>,
    weights: Flash<'_, i8, B>,
    channels: &[Channel; GROUP],
) {
    let reach = (run.taps - 1) * run.step + (run.pixels - 1) * run.strides[0] + GROUP;
    let mut rows = [core::ptr::null::<i8>(); ROWS];
    for (to, &from) in rows.iter_mut().zip(run.rows) {
        *to = arena.pointer(from, reach).cast_const();
    }
    let last = (run.pixels - 1) * run.strides[1];
    let all = run.rows.len() * (run.taps * GROUP + run.skip) - run.skip;
    let record = |channel: &Channel| -> Record {
        [channel.start, channel.multiplier, channel.offset, channel.tie, channel.shift as i32]
    };
    let call = Call {
        rows: rows.as_ptr(),
        count: run.rows.len(),
        taps: run.taps,
        step: run.step,
        weights: weights.span(run.weights, all).as_ptr(),
        skip: run.skip,
        pixels: run.pixels,
        strides: run.strides,
        output: arena.pointer(run.output, last + GROUP),
        channels: [record(&channels[0]), record(&channels[1]), record(&channels[2]), record(&channels[3])],
    };
    // SAFETY: rows, weights and outputs were checked, or vouched for, and nothing else uses the arena.
    unsafe { pixels(&call) }
}

/// One tap: inputs in r10, weights in r11, sums in r4-r7. Changes r12 and lr.
macro_rules! tap {
    () => {
        "sxtb16 r12, r10
        sxtb16 lr, r11
        smlabb r4, r12, lr, r4
        smlatt r6, r12, lr, r6
        sxtb16 r12, r10, ror #8
        sxtb16 lr, r11, ror #8
        smlabb r5, r12, lr, r5
        smlatt r7, r12, lr, r7
        "
    };
}

/// From a channel's sum to its output, its record at r2 and the output at r3.
macro_rules! finish {
    ($sum:literal, $at:literal) => {
        concat!(
            "ldm r2!, {{r8, r9, r10, r11, r12}}
            add ",
            $sum,
            ", r8, ",
            $sum,
            ", lsl #8
            and r11, r11, ",
            $sum,
            ", asr #31
            sub r10, r10, r11
            smmla ",
            $sum,
            ", ",
            $sum,
            ", r9, r10
            asr ",
            $sum,
            ", ",
            $sum,
            ", r12
            ssat ",
            $sum,
            ", #8, ",
            $sum,
            "
            strb ",
            $sum,
            ", [r3, #",
            $at,
            "]
            "
        )
    };
}

/// Computes a run's pixels.
///
/// # Safety
/// What the call names is good for as many rows, taps and pixels as it says.
#[unsafe(naked)]
unsafe extern "C" fn pixels(call: &Call) {
    // Frame: 0 next row and rows left, 8 how far the pixel's inputs lie behind the first's, 12 pixels left, 16 the pixel's output.
    // r0: taps left, r1: the call, r2: next row, r3: weights, r8: step, r9: inputs.
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        sub sp, sp, #20
        mov r1, r0
        movs r2, #0
        ldr r3, [r1, #24]
        strd r2, r3, [sp, #8]
        ldr r2, [r1, #36]
        str r2, [sp, #16]
        1:
        ldrd r2, r12, [r1]
        ldr r8, [r1, #12]
        ldr r3, [r1, #16]
        movs r4, #0
        movs r5, #0
        movs r6, #0
        movs r7, #0
        2:
        ldr r9, [r2], #4
        strd r2, r12, [sp]
        ldr r10, [sp, #8]
        ldr r0, [r1, #8]
        add r9, r9, r10
        subs r0, r0, #2
        blt 4f
        3:
        ldr r10, [r9]
        ldr r11, [r3], #4
        ",
        tap!(),
        "ldr r10, [r9, r8]
        ldr r11, [r3], #4
        add r9, r9, r8, lsl #1
        ",
        tap!(),
        "subs r0, r0, #2
        bge 3b
        4:
        adds r0, r0, #1
        bmi 5f
        ldr r10, [r9]
        ldr r11, [r3], #4
        ",
        tap!(),
        "5:
        ldrd r2, r12, [sp]
        ldr r10, [r1, #20]
        add r3, r3, r10
        subs r12, r12, #1
        bne.w 2b
        add r2, r1, #40
        ldr r3, [sp, #16]
        ",
        finish!("r4", "0"),
        finish!("r5", "1"),
        finish!("r6", "2"),
        finish!("r7", "3"),
        "ldrd r8, r9, [r1, #28]
        ldrd r10, r11, [sp, #8]
        add r3, r3, r9
        add r10, r10, r8
        subs r11, r11, #1
        strd r10, r11, [sp, #8]
        str r3, [sp, #16]
        bne.w 1b
        add sp, sp, #20
        pop {{r4-r11, pc}}"
    )
}
