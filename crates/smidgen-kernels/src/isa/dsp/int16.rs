//! Layers on int16: convolution and depthwise convolution in blocks of 3, 2 or 1 pixels by all pairs of channels, and dot products of four
//! channels.
//!
//! Formats: [`int16::mcu`](crate::int16::mcu).
//!
//! # Registers of a block of a convolution
//! `r0`, `r1` the weights of taps 0 and 1 of each channel, `r2`, `r3` those of taps 2 and 3, `r4`, `r5` a pixel's four activations, `r6` what is staged,
//! `lr` weights; sums of channel 0 in `r7`, `r8`, `r9`, of channel 1 in `r10`, `r11`, `r12`, a pixel each. With two pixels `r4`, `r5`, `r9`, `r12` hold
//! both pixels' activations. The last pixel's sums hold the starts of their channels until they themselves are started, so that
//! starting costs no moves.
//!
//! # Registers of a block of a depthwise convolution
//! `r0` a weight, `r2`, `r3`, `r4` where a tap's pixels are, then their two activations, `r5` bytes from there to the pair's channels, `r6` the table of places,
//! `lr` weights; sums as above.
//!
//! # Flow
//! For each pair of channels a jump into a chain of unrolled steps, so far from its end as there are steps left (again from the top where there are
//! more); then a jump to the tail, which finishes and stores, and branches back for the next pair. What lives between these is in a
//! [`Frame`] on the stack. The first step of a convolution is in line.

use crate::int16::mcu::Clamp;
use core::arch::{global_asm, naked_asm};

/// Steps of a convolution that are unrolled, of four taps each.
const CONV_CHAIN: usize = 16;

/// Steps of a depthwise convolution that are unrolled, of a tap each.
const DEPTHWISE_CHAIN: usize = 9;

/// A block of pixels.
pub(crate) struct Block {
    /// 1 to 3.
    pub pixels: usize,
    /// Pairs of channels, at least 1.
    pub pairs: usize,
    /// Outputs are saturated to the 15 bits of what is not negative if the least is 0, else to 16 bits.
    pub clamp: Clamp,
    /// Weights of the first pair.
    pub weights: *const i8,
    /// Words of the first pair.
    pub words: *const u32,
    /// The first output of the first pixel.
    pub to: *mut i16,
    /// Elements from pixel to pixel of the output.
    pub pixel_stride: usize,
}

/// What a block keeps in memory.
#[repr(C)]
struct Frame {
    words: *const u32,
    words_end: *const u32,
    out: *mut i16,
    /// In bytes.
    pixel_stride: usize,
    /// What is staged, or the table of places.
    inputs: *const u32,
    inputs_end: *const u32,
    weights: *const i8,
    /// Where to jump into the chain.
    entry: usize,
    /// Where to go from its end.
    after: usize,
    tail: usize,
}

const _: () = assert!(size_of::<Frame>() == 40);

type Code = unsafe extern "C" fn();

/// A block's code, its chain, what is behind that, where it is seen whether there are more steps, and the tails for SSAT and USAT.
type Places = (unsafe extern "C" fn(*const Frame), [Code; 5]);

impl Block {
    /// Computes a convolution of `quads` groups of four staged taps, at least one.
    ///
    /// # Safety
    /// All pointers must be good for as much as that says, and `weights` and `staged` aligned for 32 bits.
    #[inline(always)]
    pub unsafe fn conv(&self, quads: usize, staged: *const i16) {
        let places = match self.pixels {
            1 => conv1(),
            2 => conv2(),
            _ => conv3(),
        };
        let inputs = [staged, staged.wrapping_add(4 * self.pixels * quads)].map(|p| p.cast());
        // The first step is in line.
        // SAFETY: the caller's promise.
        unsafe { self.run(places, CONV_CHAIN, quads.wrapping_sub(1), inputs) }
    }

    /// Computes a depthwise convolution of `taps` taps, at least one, with the places of the activations of each tap and pixel in `table`.
    ///
    /// # Safety
    /// All pointers must be good for as much as that says, those in the table for all channels.
    #[inline(always)]
    pub unsafe fn depthwise(&self, taps: usize, table: *const u32) {
        let places = match self.pixels {
            1 => depthwise1(),
            2 => depthwise2(),
            _ => depthwise3(),
        };
        let inputs = [table, table.wrapping_add(self.pixels * taps)];
        // SAFETY: the caller's promise.
        unsafe { self.run(places, DEPTHWISE_CHAIN, taps, inputs) }
    }

    /// Runs code whose chain is to take `left` steps of `chain_steps` unrolled ones at a time.
    ///
    /// # Safety
    /// As the functions above say.
    #[inline(always)]
    unsafe fn run(&self, (block, places): Places, chain_steps: usize, left: usize, inputs: [*const u32; 2]) {
        let [chain, exit, check, ssat, usat] = places.map(|code| code as *const () as usize);
        let tail = if self.clamp.min == 0 { usat } else { ssat };
        let first = if left == 0 { 0 } else { left.wrapping_sub(1) % chain_steps + 1 };
        let frame = Frame {
            words: self.words,
            words_end: self.words.wrapping_add(5 * self.pairs),
            out: self.to,
            pixel_stride: 2 * self.pixel_stride,
            inputs: inputs[0],
            inputs_end: inputs[1],
            weights: self.weights,
            entry: if left == 0 { tail } else { exit - first * ((exit - chain) / chain_steps) },
            after: if left > chain_steps { check } else { tail },
            tail,
        };
        // SAFETY: the caller's promise.
        unsafe { block(&frame) }
    }
}

/// Declares the code of blocks, and a function that gives it for each.
macro_rules! blocks {
    ($($name:ident: $block:ident $chain:ident $exit:ident $check:ident $ssat:ident $usat:ident;)*) => {
        unsafe extern "C" {
            $(
                fn $block(frame: *const Frame);
                fn $chain();
                fn $exit();
                fn $check();
                fn $ssat();
                fn $usat();
            )*
        }
        $(
            #[inline(always)]
            fn $name() -> Places {
                ($block, [$chain, $exit, $check, $ssat, $usat])
            }
        )*
    };
}

blocks! {
    conv1: smidgen_wide1 smidgen_wide1_chain smidgen_wide1_exit smidgen_wide1_check smidgen_wide1_ssat smidgen_wide1_usat;
    conv2: smidgen_wide2 smidgen_wide2_chain smidgen_wide2_exit smidgen_wide2_check smidgen_wide2_ssat smidgen_wide2_usat;
    conv3: smidgen_wide3 smidgen_wide3_chain smidgen_wide3_exit smidgen_wide3_check smidgen_wide3_ssat smidgen_wide3_usat;
    depthwise1: smidgen_wide_depthwise1 smidgen_wide_depthwise1_chain smidgen_wide_depthwise1_exit smidgen_wide_depthwise1_check smidgen_wide_depthwise1_ssat smidgen_wide_depthwise1_usat;
    depthwise2: smidgen_wide_depthwise2 smidgen_wide_depthwise2_chain smidgen_wide_depthwise2_exit smidgen_wide_depthwise2_check smidgen_wide_depthwise2_ssat smidgen_wide_depthwise2_usat;
    depthwise3: smidgen_wide_depthwise3 smidgen_wide_depthwise3_chain smidgen_wide_depthwise3_exit smidgen_wide_depthwise3_check smidgen_wide_depthwise3_ssat smidgen_wide_depthwise3_usat;
}

global_asm!(
    pixels!(),
    r#"
@ Four taps of \n pixels by both channels. With \start, sums begin with what the last pixel's hold.
.macro smidgen_wide_step n, start
    smidgen_load \n
    sxtb16 r2, r0, ror #8
    sxtb16 r3, r1, ror #8
    sxtb16 r0, r0
    sxtb16 r1, r1
    smidgen_pixels \n, \start
.endm

@ The output of a sum, with multiplier \m and shift \s; half a step is in r4.
.macro smidgen_wide_output a, m, s, sat, bits
    smmla \a, \a, \m, r4
    asr \a, \a, \s
    \sat \a, #\bits, \a
.endm

@ The outputs of one channel.
.macro smidgen_wide_channel n, a, b, c, m, s, sat, bits
    mov r4, #1
    lsl r4, r4, \s
    lsr r4, r4, #1
    smidgen_wide_output \a, \m, \s, \sat, \bits
  .if \n > 1
    smidgen_wide_output \b, \m, \s, \sat, \bits
  .endif
  .if \n > 2
    smidgen_wide_output \c, \m, \s, \sat, \bits
    strh \c, [r5, r6, lsl #1]
  .endif
  .if \n > 1
    strh \b, [r5, r6]
  .endif
    strh \a, [r5], #2
.endm

@ Finishes and stores a pair of channels.
.macro smidgen_wide_tail kind, n, sat, bits
.global smidgen_wide\kind\n\()_\sat
.thumb_func
smidgen_wide\kind\n\()_\sat:
    ldr r4, [sp]
    ldrd r5, r6, [sp, #8]
    ldrd r0, r1, [r4, #8]
    ldr r2, [r4, #16]
    add r4, r4, #20
    str r4, [sp]
    lsr r3, r2, #8
    uxtb r2, r2
    smidgen_wide_channel \n, r7, r8, r9, r0, r2, \sat, \bits
    smidgen_wide_channel \n, r10, r11, r12, r1, r3, \sat, \bits
    str r5, [sp, #8]
    ldrd r0, r1, [sp]
    cmp r0, r1
    bne smidgen_wide\kind\n\()_next
    add sp, sp, #40
    pop {r4-r11, pc}
.endm

@ A tap of \n pixels by both channels, and the chain of a depthwise convolution.
.macro smidgen_wide_depthwise_step n
  .if \n == 1
    ldr r2, [r6], #4
  .endif
  .if \n == 2
    ldrd r2, r3, [r6], #8
  .endif
  .if \n == 3
    ldm r6!, {r2, r3, r4}
  .endif
    ldrsb r0, [lr], #1
    ldr r2, [r2, r5]
  .if \n > 1
    ldr r3, [r3, r5]
  .endif
  .if \n > 2
    ldr r4, [r4, r5]
  .endif
    smlabb r7, r2, r0, r7
  .if \n > 1
    smlabb r8, r3, r0, r8
  .endif
  .if \n > 2
    smlabb r9, r4, r0, r9
  .endif
    ldrsb r0, [lr], #1
    smlatb r10, r2, r0, r10
  .if \n > 1
    smlatb r11, r3, r0, r11
  .endif
  .if \n > 2
    smlatb r12, r4, r0, r12
  .endif
.endm

@ How a pair of channels of a convolution begins, whose words are in r0. The last sums are \s0 and \s1.
.macro smidgen_wide_begin n, s0, s1
    ldr r6, [sp, #16]
    ldrd \s0, \s1, [r0]
    smidgen_wide_step \n, 1
.endm

@ The same of a depthwise convolution. Where the weights began is from then on by how much the channels of the pair are further on.
.macro smidgen_wide_depthwise_begin n, s0, s1
    ldr r5, [sp, #24]
    ldr r6, [sp, #16]
    add r4, r5, #4
    str r4, [sp, #24]
    ldrd r7, r10, [r0]
  .if \n > 1
    mov r8, r7
    mov r11, r10
  .endif
  .if \n > 2
    mov r9, r7
    mov r12, r10
  .endif
.endm

@ A block of \n pixels with \steps unrolled.
.macro smidgen_wide kind, n, steps, s0, s1
.section .text.smidgen_wide\kind\n, "ax", %progbits
.p2align 2
.global smidgen_wide\kind\n
.thumb_func
smidgen_wide\kind\n:
    push {r4-r11, lr}
    sub sp, sp, #40
    ldm r0, {r1-r10}
    mov lr, r7
    mov r7, #0
    stm sp, {r1-r10}
    mov r0, r1
smidgen_wide\kind\n\()_next:
    smidgen_wide\kind\()_begin \n, \s0, \s1
    ldr pc, [sp, #28]
.p2align 2
.global smidgen_wide\kind\n\()_chain
.thumb_func
smidgen_wide\kind\n\()_chain:
  .rept \steps
  .ifb \kind
    smidgen_wide_step \n, 0
  .else
    smidgen_wide_depthwise_step \n
  .endif
  .endr
.global smidgen_wide\kind\n\()_exit
.thumb_func
smidgen_wide\kind\n\()_exit:
    ldr pc, [sp, #32]
.global smidgen_wide\kind\n\()_check
.thumb_func
smidgen_wide\kind\n\()_check:
    ldr r0, [sp, #20]
    cmp r6, r0
    bne smidgen_wide\kind\n\()_chain
    ldr pc, [sp, #36]
    smidgen_wide_tail \kind, \n, ssat, 16
    smidgen_wide_tail \kind, \n, usat, 15
.endm

smidgen_wide , 1, 16, r7, r10
smidgen_wide , 2, 16, r8, r11
smidgen_wide , 3, 16, r9, r12
smidgen_wide _depthwise, 1, 9
smidgen_wide _depthwise, 2, 9
smidgen_wide _depthwise, 3, 9

.text
.purgem smidgen_load
.purgem smidgen_pixel
.purgem smidgen_pixels
"#,
    options(raw)
);

/// Four inputs by four channels: 2 loads of inputs, which need not be aligned, 1 of weights, 8 extractions, 8 dual multiply-accumulates.
macro_rules! group {
    () => {
        "ldr r12, [r1], #4
         ldr lr, [r1], #4
         ldm r0!, {{r8-r11}}
         sxtb16 r2, r8
         sxtb16 r8, r8, ror #8
         smlad r4, r2, r12, r4
         smlad r4, r8, lr, r4
         sxtb16 r2, r9
         sxtb16 r9, r9, ror #8
         smlad r5, r2, r12, r5
         smlad r5, r9, lr, r5
         sxtb16 r2, r10
         sxtb16 r10, r10, ror #8
         smlad r6, r2, r12, r6
         smlad r6, r10, lr, r6
         sxtb16 r2, r11
         sxtb16 r11, r11, ror #8
         smlad r7, r2, r12, r7
         smlad r7, r11, lr, r7
        "
    };
}

/// Adds the products of `groups` times four inputs to four sums.
///
/// # Safety
/// For each group `weights` must be good for reading 16 bytes, aligned for 32 bits, and `inputs` four elements.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn four(weights: *const i8, inputs: *const i16, groups: usize, sums: &mut [i32; 4]) {
    // One group where their number is odd, then two at a time; r3 is the inputs' end.
    naked_asm!(
        ".arch armv7e-m",
        "push {{r3-r11, lr}}",
        "ldm r3, {{r4-r7}}",
        "add r3, r1, r2, lsl #3",
        "tst r2, #1",
        "beq 3f",
        group!(),
        "3:",
        "cmp r1, r3",
        "beq 4f",
        "2:",
        group!(),
        group!(),
        "cmp r1, r3",
        "bne 2b",
        "4:",
        "pop {{r3}}",
        "stm r3, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Copies `quads` times four elements, at least one, to places `step` bytes from each other.
///
/// # Safety
/// `from` must be good for reading so many elements, `to` for writing them, aligned for 32 bits as is `step`.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn spread(from: *const i16, to: *mut i16, step: usize, quads: usize) {
    // One where their number is odd, then two at a time.
    naked_asm!(
        ".arch armv7e-m",
        "push {{r4, lr}}",
        "lsrs r3, r3, #1",
        "bcc 2f",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "strd r12, lr, [r1]",
        "add r1, r1, r2",
        "beq 3f",
        "2:",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "strd r12, lr, [r1]",
        "add r1, r1, r2",
        "ldr r12, [r0], #4",
        "ldr lr, [r0], #4",
        "strd r12, lr, [r1]",
        "add r1, r1, r2",
        "subs r3, r3, #1",
        "bne 2b",
        "3:",
        "pop {{r4, pc}}",
    )
}
