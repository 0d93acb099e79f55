//! Products of matrices of int8 that are both computed: a row of one with four columns of the other, straight from where they lie.

use core::arch::naked_asm;

/// Adds to four sums the products of a row with four columns, `fours` times four elements, both contiguous along the depth: the columns
/// begin `column` bytes apart. `less` is the row's zero point with its sign turned, in both halves.
///
/// # Safety
/// The row must be good for reading `4 * fours` bytes, of which there are some, and so must each column.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn along(
    row: *const i8,
    columns: *const i8,
    column: usize,
    fours: usize,
    less: u32,
    sums: &mut [i32; 4],
) {
    // r3: three columns on, r8, lr: four of a column, r9: fours left, r10: less, r11, r12: four of the row.
    naked_asm!(
        ".arch armv7e-m",
        "push {{r4-r11, lr}}",
        "mov r9, r3",
        "add r3, r2, r2, lsl #1",
        "ldrd r10, r12, [sp, #36]",
        "ldm r12, {{r4-r7}}",
        "2:",
        "ldr r12, [r0], #4",
        "sxtab16 r11, r10, r12",
        "sxtab16 r12, r10, r12, ror #8",
        "ldr lr, [r1, r2]",
        "sxtb16 r8, lr",
        "smlad r5, r11, r8, r5",
        "sxtb16 lr, lr, ror #8",
        "smlad r5, r12, lr, r5",
        "ldr lr, [r1, r2, lsl #1]",
        "sxtb16 r8, lr",
        "smlad r6, r11, r8, r6",
        "sxtb16 lr, lr, ror #8",
        "smlad r6, r12, lr, r6",
        "ldr lr, [r1, r3]",
        "sxtb16 r8, lr",
        "smlad r7, r11, r8, r7",
        "sxtb16 lr, lr, ror #8",
        "smlad r7, r12, lr, r7",
        "ldr lr, [r1], #4",
        "sxtb16 r8, lr",
        "smlad r4, r11, r8, r4",
        "sxtb16 lr, lr, ror #8",
        "smlad r4, r12, lr, r4",
        "subs r9, r9, #1",
        "bne 2b",
        "ldr r12, [sp, #40]",
        "stm r12, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}

/// The same with a row of `depth` elements, and columns that lie side by side: from one of their elements to the next it is `down` bytes.
///
/// # Safety
/// The row must be good for reading `depth` bytes, and each of as many rows of four columns for four.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn across(
    row: *const i8,
    columns: *const i8,
    down: usize,
    depth: usize,
    less: u32,
    sums: &mut [i32; 4],
) {
    // r8: two of the row, r9, r10: four columns of two rows, r11, r12, lr: two of a column each.
    naked_asm!(
        ".arch armv7e-m",
        "push {{r4-r11, lr}}",
        "ldr r12, [sp, #40]",
        "ldm r12, {{r4-r7}}",
        "subs r3, r3, #2",
        "blt 3f",
        "2:",
        "ldrsb r8, [r0], #1",
        "ldrsb r9, [r0], #1",
        "ldr r10, [sp, #36]",
        "pkhbt r8, r8, r9, lsl #16",
        "sadd16 r8, r8, r10",
        "ldr r9, [r1]",
        "ldr r10, [r1, r2]",
        "add r1, r1, r2, lsl #1",
        "sxtb16 r11, r9",
        "sxtb16 r12, r10",
        "pkhbt lr, r11, r12, lsl #16",
        "pkhtb r11, r12, r11, asr #16",
        "smlad r4, r8, lr, r4",
        "smlad r6, r8, r11, r6",
        "sxtb16 r11, r9, ror #8",
        "sxtb16 r12, r10, ror #8",
        "pkhbt lr, r11, r12, lsl #16",
        "pkhtb r11, r12, r11, asr #16",
        "smlad r5, r8, lr, r5",
        "smlad r7, r8, r11, r7",
        "subs r3, r3, #2",
        "bge 2b",
        "3:",
        "adds r3, r3, #1",
        "bmi 4f",
        "ldrsb r8, [r0]",
        "ldr r10, [sp, #36]",
        "sadd16 r8, r8, r10",
        "ldr r9, [r1]",
        "sxtb16 r11, r9",
        "sxtb16 r12, r9, ror #8",
        "smlabb r4, r8, r11, r4",
        "smlabt r6, r8, r11, r6",
        "smlabb r5, r8, r12, r5",
        "smlabt r7, r8, r12, r7",
        "4:",
        "ldr r12, [sp, #40]",
        "stm r12, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}
