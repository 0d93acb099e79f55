//! Convolution: blocks of 3, 2 or 1 staged pixels by all pairs of channels, and the staging of their inputs.
//!
//! Formats: [`lanes`](crate::int8::device::lanes), [`finish`](crate::int8::device::finish) and
//! [`conv2d`](crate::int8::device::conv2d).
//!
//! # Registers
//! `r0`, `r1` a word of weights of each channel, `r2`, `r3` their even weights widened, `r4`, `r5` a pixel's staged word pair, `r6` staged inputs,
//! `lr` weights; accumulators of channel 0 in `r7`, `r8`, `r9`, of channel 1 in `r10`, `r11`, `r12`, a pixel each. With two pixels `r4`, `r5`,
//! `r9`, `r12` hold both pixels' words. The last pixel's accumulators hold the starts of their channels until they themselves are
//! started, so that starting costs no moves.
//!
//! # Flow
//! For each pair of channels: its three words and four inputs, in line; then a jump into [`CHAIN`] unrolled steps of four inputs each, so
//! far from their end as there are steps left (again from the top for long dot products); then a jump to the tail, which finishes and
//! stores, and branches back for the next pair. What lives between these is in a [`Frame`] on the stack.

use crate::int8::device::Finish;
use core::arch::{global_asm, naked_asm};
use core::ptr::null;

/// Steps of four inputs that are unrolled.
const CHAIN: usize = 16;

/// A place in the code that the blocks jump to.
pub(crate) type Code = unsafe extern "C" fn();

/// Stages one block: as [`Stage`] says, `column` bytes further on, to as many words.
///
/// # Safety
/// The table's places must be good for reading the runs of all pixels, the last argument for writing their words.
pub(crate) type StageCode = unsafe extern "C" fn(*const u32, usize, usize, usize, usize, *mut u32);

/// What all blocks of a layer with as many pixels share.
pub(crate) struct Layer<'a> {
    /// Pixels of a block, 1 to 3.
    pub pixels: usize,
    /// Groups of four inputs, at least 1.
    pub quads: usize,
    /// The layer's finish.
    pub finish: &'a Finish,
    /// The tail for it and for so many pixels.
    pub tail: Code,
    /// Starts of the channels that have one of their own.
    pub extras: *const u32,
    /// Staged inputs.
    pub staged: *const u32,
    /// From where they are staged; if from nowhere, they are already.
    pub stage: Option<Stage>,
}

/// Where blocks write.
pub(crate) struct Out {
    /// The first output of the first pixel.
    pub to: *mut i8,
    /// Bytes from pixel to pixel.
    pub pixel_stride: usize,
}

/// From where a block is staged: see [`Source`](crate::int8::device), whose table holds addresses here.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    /// Addresses of the first pixel's runs.
    pub table: *const u32,
    /// Number of runs.
    pub runs: usize,
    /// Words of a run, or 0 for three runs of nine bytes.
    pub quads: usize,
    /// Bytes from pixel to pixel.
    pub step: usize,
}

/// What the blocks keep in memory.
#[repr(C)]
struct Frame {
    /// Multipliers of the pair at hand; while staging, two arguments.
    multipliers: [u32; 2],
    out: *mut i8,
    pixel_stride: usize,
    offset: i32,
    tie: u32,
    out_end: *mut i8,
    staged: *const u32,
    low: u32,
    unit: i32,
    /// Where to jump into the chain.
    entry: usize,
    /// Where to go from its end.
    after: usize,
    staged_end: *const u32,
    tail: Code,
    extras: *const u32,
    weights: *const u32,
    blocks: usize,
    /// From where a block's last pair ended to the next block's first output, and from end to end.
    out_steps: [isize; 2],
    stage: Stage,
    column: usize,
    column_step: usize,
    stage_code: Option<StageCode>,
}

const _: () = assert!(size_of::<Frame>() == 104);

impl Layer<'_> {
    /// Computes `pairs` pairs of channels, whose words begin at `weights`, of `blocks` blocks; the inputs of the first block are `column` bytes
    /// behind their places.
    ///
    /// # Safety
    /// All pointers must be good for as much as that says.
    #[inline(always)]
    pub unsafe fn run(&self, weights: *const u32, pairs: usize, blocks: usize, out: &Out, column: usize) {
        let frame = Frame::new(self, weights, [pairs, blocks], out, column);
        let code = match self.pixels {
            1 => smidgen_conv1,
            2 => smidgen_conv2,
            _ => smidgen_conv3,
        };
        // SAFETY: the caller's promise.
        unsafe { code(&frame) }
    }
}

impl Frame {
    #[inline(always)]
    fn new(layer: &Layer, weights: *const u32, [pairs, blocks]: [usize; 2], out: &Out, column: usize) -> Self {
        let (pixels, finish) = (layer.pixels, layer.finish);
        let &Out { to: out, pixel_stride } = out;
        let stage = layer.stage.as_ref();
        let [chain, exit, check] = match pixels {
            1 => [smidgen_conv1_chain as Code, smidgen_conv1_exit, smidgen_conv1_check],
            2 => [smidgen_conv2_chain as Code, smidgen_conv2_exit, smidgen_conv2_check],
            _ => [smidgen_conv3_chain as Code, smidgen_conv3_exit, smidgen_conv3_check],
        }
        .map(|code| code as *const () as usize);
        // The first step is in line.
        let left = layer.quads.wrapping_sub(1);
        let first = if left == 0 { 0 } else { left.wrapping_sub(1) % CHAIN + 1 };
        let tail = layer.tail as *const () as usize;
        let end_step = (pixels * pixel_stride) as isize;
        Self {
            multipliers: [0; 2],
            out,
            pixel_stride,
            offset: finish.offset,
            tie: if finish.by_sign { finish.tie } else { finish.tie / 2 },
            out_end: out.wrapping_add(2 * pairs),
            staged: layer.staged,
            low: finish.low << 8,
            unit: finish.unit,
            entry: if left == 0 { tail } else { exit - first * ((exit - chain) / CHAIN) },
            after: if left > CHAIN { check } else { tail },
            staged_end: layer.staged.wrapping_add(2 * pixels * layer.quads),
            tail: layer.tail,
            extras: layer.extras,
            weights,
            blocks,
            out_steps: [end_step - 2 * pairs as isize, end_step],
            stage: stage.copied().unwrap_or(Stage { table: null(), runs: 0, quads: 0, step: 0 }),
            column,
            column_step: stage.map_or(0, |stage| pixels * stage.step),
            stage_code: stage.map(|stage| stage_code(pixels, stage.quads)),
        }
    }
}

/// The code that stages so many pixels from runs of so many words.
#[inline(always)]
pub(crate) fn stage_code(pixels: usize, quads: usize) -> StageCode {
    match (pixels, quads) {
        (1, 0) => smidgen_nines1,
        (2, 0) => smidgen_nines2,
        (_, 0) => smidgen_nines3,
        (1, _) => smidgen_stage1,
        (2, _) => smidgen_stage2,
        _ => smidgen_stage3,
    }
}

unsafe extern "C" {
    fn smidgen_conv1(frame: *const Frame);
    fn smidgen_conv2(frame: *const Frame);
    fn smidgen_conv3(frame: *const Frame);
    fn smidgen_conv1_chain();
    fn smidgen_conv1_exit();
    fn smidgen_conv1_check();
    fn smidgen_conv2_chain();
    fn smidgen_conv2_exit();
    fn smidgen_conv2_check();
    fn smidgen_conv3_chain();
    fn smidgen_conv3_exit();
    fn smidgen_conv3_check();
    fn smidgen_stage1(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage2(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_stage3(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines1(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines2(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
    fn smidgen_nines3(table: *const u32, runs: usize, quads: usize, step: usize, column: usize, to: *mut u32);
}

global_asm!(
    r#"
.syntax unified
.thumb
.arch armv7e-m

@ Two multiply-accumulates of a pixel's staged words (\x, \y) for both channels, from the sums in \c0 and \c1.
.macro smidgen_pixel a0, a1, x, y, c0, c1
    smlad \a0, \x, r0, \c0
    smlad \a1, \x, r1, \c1
    smlad \a0, \y, r2, \a0
    smlad \a1, \y, r3, \a1
.endm

@ Four inputs of \n pixels by both channels. With \start, sums begin with what the last pixel's hold.
.macro smidgen_step n, start
    ldrd r0, r1, [lr], #8
  .if \n == 2
    ldm r6!, {r4, r5, r9, r12}
  .else
    ldrd r4, r5, [r6], #8
  .endif
    sxtb16 r2, r0
    sxtb16 r3, r1
  .if \n == 1
    smidgen_pixel r7, r10, r4, r5, r7, r10
  .endif
  .if \n == 2
    .if \start
    smidgen_pixel r7, r10, r4, r5, r8, r11
    .else
    smidgen_pixel r7, r10, r4, r5, r7, r10
    .endif
    smidgen_pixel r8, r11, r9, r12, r8, r11
  .endif
  .if \n == 3
    .if \start
    smidgen_pixel r7, r10, r4, r5, r9, r12
    ldrd r4, r5, [r6], #8
    smidgen_pixel r8, r11, r4, r5, r9, r12
    .else
    smidgen_pixel r7, r10, r4, r5, r7, r10
    ldrd r4, r5, [r6], #8
    smidgen_pixel r8, r11, r4, r5, r8, r11
    .endif
    ldrd r4, r5, [r6], #8
    smidgen_pixel r9, r12, r4, r5, r9, r12
  .endif
.endm

@ The block of \n pixels, whose last accumulators are \s0 and \s1.
.macro smidgen_conv n, s0, s1
.section .text.smidgen_conv\n, "ax", %progbits
.p2align 2
.global smidgen_conv\n
.thumb_func
smidgen_conv\n:
    push {r4-r11, lr}
    sub sp, sp, #104
    mov r12, sp
  .rept 3
    ldm r0!, {r2-r9}
    stm r12!, {r2-r9}
  .endr
    ldm r0, {r2, r3}
    stm r12, {r2, r3}
@ A block, staged first if there is code for that.
4:
    ldr r12, [sp, #100]
    cmp r12, #0
    beq 5f
    add r4, sp, #76
    ldm r4, {r0-r3}
    ldrd r4, r5, [sp, #92]
    add r5, r5, r4
    str r5, [sp, #92]
    ldr r5, [sp, #28]
    strd r4, r5, [sp]
    blx r12
5:
    ldr lr, [sp, #60]
    ldr r6, [sp, #28]
.global smidgen_conv\n\()_next
.thumb_func
smidgen_conv\n\()_next:
    ldm lr!, {r0, r1, r4}
    ldrd r2, r3, [sp, #32]
    and \s0, r2, r0, lsl #8
    and \s1, r2, r1, lsl #8
    smlabb \s0, r4, r3, \s0
    smlatb \s1, r4, r3, \s1
    orrs r2, r0, r1
    bmi 2f
1:
    strd r0, r1, [sp]
    smidgen_step \n, 1
    ldr pc, [sp, #40]
@ A channel, or both, whose start is an extra.
2:
    ldr r2, [sp, #56]
    cmp r0, #0
    bge 3f
    uxth r3, r4
    ldr \s0, [r2, r3, lsl #2]
    bic r0, r0, #0x80000000
3:
    cmp r1, #0
    bge 1b
    lsr r3, r4, #16
    ldr \s1, [r2, r3, lsl #2]
    bic r1, r1, #0x80000000
    b 1b
.p2align 2
.global smidgen_conv\n\()_chain
.thumb_func
smidgen_conv\n\()_chain:
  .rept 16
    smidgen_step \n, 0
  .endr
.global smidgen_conv\n\()_exit
.thumb_func
smidgen_conv\n\()_exit:
    ldr pc, [sp, #44]
.global smidgen_conv\n\()_check
.thumb_func
smidgen_conv\n\()_check:
    ldr r0, [sp, #48]
    cmp r6, r0
    bne smidgen_conv\n\()_chain
    ldr pc, [sp, #52]
@ After a block's last pair: its end is in r2 and r5.
.global smidgen_conv\n\()_done
.thumb_func
smidgen_conv\n\()_done:
    ldr r0, [sp, #64]
    subs r0, r0, #1
    beq 6f
    str r0, [sp, #64]
    ldrd r3, r4, [sp, #68]
    add r2, r2, r3
    add r5, r5, r4
    str r2, [sp, #8]
    str r5, [sp, #24]
    b 4b
6:
    add sp, sp, #104
    pop {r4-r11, pc}
.endm

smidgen_conv 1, r7, r10
smidgen_conv 2, r8, r11
smidgen_conv 3, r9, r12

@ Four inputs in \a to their staged words \a, \b; lr is -127 twice.
.macro smidgen_lanes a, b
    rev16 \b, \a
    sxtab16 \a, lr, \a, ror #8
    eor \b, \b, #0x007f007f
.endm

.macro smidgen_stage_step n, p0, p1, p2, to
    ldr r4, [\p0], #4
  .if \n > 1
    ldr r6, [\p1], #4
  .endif
  .if \n > 2
    ldr r8, [\p2], #4
  .endif
    smidgen_lanes r4, r5
  .if \n > 1
    smidgen_lanes r6, r7
  .endif
  .if \n > 2
    smidgen_lanes r8, r9
  .endif
  .if \n == 1
    strd r4, r5, [\to], #8
  .endif
  .if \n == 2
    stm \to!, {r4-r7}
  .endif
  .if \n == 3
    stm \to!, {r4-r9}
  .endif
.endm

@ Runs of words, the first two steps of which are unrolled.
.macro smidgen_stage n
.section .text.smidgen_stage\n, "ax", %progbits
.p2align 2
.global smidgen_stage\n
.thumb_func
smidgen_stage\n:
    push {r0-r11, lr}
    ldr r3, [sp, #56]
    movw lr, #0xff81
    movt lr, #0xff81
1:
    ldr r1, [sp]
    ldr r0, [r1], #4
    str r1, [sp]
    ldr r1, [sp, #52]
    add r0, r0, r1
  .if \n > 1
    ldr r2, [sp, #12]
    add r1, r0, r2
    add r2, r1, r2
  .endif
    ldr r12, [sp, #8]
    lsrs r12, r12, #1
    bcc 2f
    smidgen_stage_step \n, r0, r1, r2, r3
    cmp r12, #0
    beq 3f
2:
    smidgen_stage_step \n, r0, r1, r2, r3
    smidgen_stage_step \n, r0, r1, r2, r3
    subs r12, r12, #1
    bne 2b
3:
    ldr r1, [sp, #4]
    subs r1, r1, #1
    str r1, [sp, #4]
    bne 1b
    add sp, sp, #16
    pop {r4-r11, pc}
.endm

smidgen_stage 1
smidgen_stage 2
smidgen_stage 3

.macro smidgen_nine n, row, from, to
    ldr r4, [\row, #\from]
    smidgen_lanes r4, r5
    strd r4, r5, [r3, #\to*8*\n]
.endm

@ Three runs of nine bytes, a pixel after the other.
.macro smidgen_nines n
.section .text.smidgen_nines\n, "ax", %progbits
.p2align 2
.global smidgen_nines\n
.thumb_func
smidgen_nines\n:
    push {r0-r11, lr}
    ldrd r12, r3, [sp, #52]
    movw lr, #0xff81
    movt lr, #0xff81
    ldr r10, [sp, #12]
    mov r11, #\n
    ldm r0, {r0, r1, r2}
    add r0, r0, r12
    add r1, r1, r12
    add r2, r2, r12
1:
    smidgen_nine \n, r0, 0, 0
    smidgen_nine \n, r0, 4, 1
    smidgen_nine \n, r1, 0, 2
    smidgen_nine \n, r1, 4, 3
    smidgen_nine \n, r2, 0, 4
    smidgen_nine \n, r2, 4, 5
    ldrb r4, [r0, #8]
    ldrb r5, [r1, #8]
    ldrb r6, [r2, #8]
    orr r4, r4, r5, lsl #8
    orr r4, r4, r6, lsl #16
    smidgen_lanes r4, r5
    strd r4, r5, [r3, #6*8*\n]
    add r0, r0, r10
    add r1, r1, r10
    add r2, r2, r10
    add r3, r3, #8
    subs r11, r11, #1
    bne 1b
    add sp, sp, #16
    pop {r4-r11, pc}
.endm

smidgen_nines 1
smidgen_nines 2
smidgen_nines 3

.text
"#,
    options(raw)
);

/// Tails of all block sizes, for one shift.
macro_rules! tail {
    ($name:ident, $signed:ident, $pixels:literal, [$($channel0:literal $stores0:tt),*], [$($channel1:literal $stores1:tt),*]) => {
        /// Finishes and stores one pair of channels. Jumped to by the block alone.
        #[unsafe(naked)]
        unsafe extern "C" fn $name<const SHIFT: u32>() {
            naked_asm!(
                ".arch armv7e-m",
                "ldm sp, {{r0-r5}}",
                tail!(@first $signed),
                $(tail!(@finish $signed "r0" $channel0),)*
                $(tail!(@store $channel0 $stores0),)*
                tail!(@second $signed),
                $(tail!(@finish $signed "r1" $channel1),)*
                $(tail!(@store $channel1 $stores1),)*
                "str r2, [sp, #8]",
                "ldrd r5, r6, [sp, #24]",
                "cmp r2, r5",
                concat!("bne smidgen_conv", $pixels, "_next"),
                concat!("b smidgen_conv", $pixels, "_done"),
                shift = const SHIFT,
            )
        }
    };
    // `C` into r6 (one sign), or into r4 with `K` in r6 (by sign); there the multiplier is always in r0, for r1 is needed.
    (@first one) => { "clz r6, r0\n lsr r6, r5, r6\n add r6, r4, r6" };
    (@second one) => { "clz r6, r1\n lsr r6, r5, r6\n add r6, r4, r6" };
    (@first two) => { "clz r6, r0\n lsr r6, r5, r6\n add r4, r4, r6, lsr #1" };
    (@second two) => { "ldr r0, [sp, #4]\n ldr r4, [sp, #16]\n clz r6, r0\n lsr r6, r5, r6\n add r4, r4, r6, lsr #1" };
    (@finish one $m:literal $a:literal) => {
        concat!("smmla ", $a, ", ", $a, ", ", $m, ", r6\n ssat ", $a, ", #8, ", $a, ", asr #{shift}")
    };
    (@finish two $m:literal $a:literal) => {
        concat!(
            "and r1, r6, ", $a, ", asr #31\n smmla ", $a, ", ", $a, ", r0, r4\n sub ", $a, ", ", $a, ", r1\n ",
            "ssat ", $a, ", #8, ", $a, ", asr #{shift}"
        )
    };
    (@store $a:literal third) => { concat!("strb ", $a, ", [r2, r3, lsl #1]") };
    (@store $a:literal second) => { concat!("strb ", $a, ", [r2, r3]") };
    (@store $a:literal first) => { concat!("strb ", $a, ", [r2], #1") };
}

tail!(one1, one, "1", ["r7" first], ["r10" first]);
tail!(one2, one, "2", ["r8" second, "r7" first], ["r11" second, "r10" first]);
tail!(one3, one, "3", ["r9" third, "r8" second, "r7" first], ["r12" third, "r11" second, "r10" first]);
tail!(two1, two, "1", ["r7" first], ["r10" first]);
tail!(two2, two, "2", ["r8" second, "r7" first], ["r11" second, "r10" first]);
tail!(two3, two, "3", ["r9" third, "r8" second, "r7" first], ["r12" third, "r11" second, "r10" first]);

/// The tails of blocks of 1, 2 and 3 pixels.
pub(crate) const fn tails<const SHIFT: u32, const BY_SIGN: bool>() -> [Code; 3] {
    if BY_SIGN { [two1::<SHIFT>, two2::<SHIFT>, two3::<SHIFT>] } else { [one1::<SHIFT>, one2::<SHIFT>, one3::<SHIFT>] }
}
