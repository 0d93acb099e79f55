//! Inner blocks for cores with the DSP instructions of Armv7E-M (Cortex-M4, M7, M33 and M55), by hand.
//!
//! Compiled where the feature `dsp` vouches for such a core: stable compilers do not tell, and Armv8-M targets do not imply it. Every
//! function here gives the same bytes as the portable one beside the kernel that calls it.

/// Assembler macros that blocks of pixels by two channels share, whatever the width of what is staged. Whoever takes them purges them, since
/// all assembly of a crate may become one file.
macro_rules! pixels {
    () => {
        r#"
.syntax unified
.thumb
.arch armv7e-m

@ Weights of four inputs of both channels, and what is staged of them for the first pixel, or for both of two.
.macro smidgen_load n
    ldrd r0, r1, [lr], #8
  .if \n == 2
    ldm r6!, {r4, r5, r9, r12}
  .else
    ldrd r4, r5, [r6], #8
  .endif
.endm

@ Four products of a pixel's staged words (\x, \y) for both channels, from the sums in \c0 and \c1.
.macro smidgen_pixel a0, a1, x, y, c0, c1
    smlad \a0, \x, r0, \c0
    smlad \a1, \x, r1, \c1
    smlad \a0, \y, r2, \a0
    smlad \a1, \y, r3, \a1
.endm

@ Those of \n pixels. With \start, sums begin with what the last pixel's hold.
.macro smidgen_pixels n, start
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
"#
    };
}

pub(crate) mod conv;
pub(crate) mod int16;
pub(crate) mod matmul;
