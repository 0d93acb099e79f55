//! The inner loops for Armv7E-M. Formats: [`block`](super::block).

use core::arch::naked_asm;

/// What [`multiply`] and [`multiply_on`] read beside rows and columns.
#[repr(C)]
pub(super) struct Frame {
    /// What the sums of each row begin with.
    pub start: [i32; 4],
    /// The first row's sums.
    pub sums: *mut [i32; 4],
    /// Where they end.
    pub end: *mut [i32; 4],
}

/// Four elements by four columns: 3 loads, 8 dual multiply-accumulates.
macro_rules! step {
    () => {
        "ldrd r12, lr, [r1], #8
        ldm r0!, {{r8-r11}}
        smlad r4, r12, r8, r4
        smlad r5, r12, r9, r5
        smlad r6, r12, r10, r6
        smlad r7, r12, r11, r7
        ldm r0!, {{r8-r11}}
        smlad r4, lr, r8, r4
        smlad r5, lr, r9, r5
        smlad r6, lr, r10, r6
        smlad r7, lr, r11, r7
        "
    };
}

/// A function that multiplies rows with columns. `$start` is the register that points to what a row's sums begin with.
macro_rules! multiply {
    ($(#[$doc:meta])* $name:ident: $start:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// `columns` must be good for reading 32 bytes for each step, `rows` 8 for each step of each row, and the frame's sums for writing, at least
        /// one; all are aligned for 32 bits. There is at least one step.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(columns: *const u8, rows: *const u8, steps: usize, frame: &Frame) {
            // Steps that are no multiple of four come first; then four at a time.
            naked_asm!(
                ".arch armv7e-m
                push {{r0, r2, r4-r11, lr}}
                ldr r12, [r3, #16]
                push {{r12}}
                2:",
                concat!("ldm ", $start, ", {{r4-r7}}"),
                "lsrs r2, r2, #1
                bcc 3f",
                step!(),
                "3:
                lsrs r2, r2, #1
                bcc 4f",
                step!(),
                step!(),
                "4:
                beq 6f
                5:",
                step!(),
                step!(),
                step!(),
                step!(),
                "subs r2, r2, #1
                bne 5b
                6:
                ldr r12, [sp]
                ldr lr, [r3, #20]
                stm r12!, {{r4-r7}}
                str r12, [sp]
                ldrd r0, r2, [sp, #4]
                cmp r12, lr
                bne 2b
                add sp, sp, #12
                pop {{r4-r11, pc}}"
            )
        }
    };
}

multiply!(
    /// The sums of the products of each row with all columns, of `steps` times four elements, begun with the frame's.
    multiply: "r3"
);
multiply!(
    /// The same, begun with the sums that are there.
    multiply_on: "r12"
);

/// Stages four columns of `quads` times four bytes that follow each other, `stride` bytes from column to column, in swapped order.
///
/// # Safety
/// `from` must be good for reading the columns and `to` for writing 32 bytes for each group of four; `quads` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn along(from: *const u8, stride: usize, to: *mut u8, quads: usize) {
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        add r12, r1, r1, lsl #1
        2:
        ldr r9, [r0, r1]
        ldr r10, [r0, r1, lsl #1]
        ldr r11, [r0, r12]
        ldr r8, [r0], #4
        sxtb16 r4, r8
        sxtb16 r5, r9
        sxtb16 r6, r10
        sxtb16 r7, r11
        sxtb16 r8, r8, ror #8
        sxtb16 r9, r9, ror #8
        sxtb16 r10, r10, ror #8
        sxtb16 r11, r11, ror #8
        stm r2!, {{r4-r11}}
        subs r3, r3, #1
        bne 2b
        pop {{r4-r11, pc}}"
    )
}

/// Stages four columns that lie beside each other, of `pairs` times two elements, `step` bytes from element to element.
///
/// # Safety
/// `from` must be good for reading four bytes of each element and `to` for writing 16 bytes for each pair; `pairs` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn across(from: *const u8, step: usize, to: *mut u8, pairs: usize) {
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r9, lr}}
        2:
        ldr r9, [r0, r1]
        ldr r8, [r0]
        add r0, r0, r1, lsl #1
        sxtb16 r6, r8
        sxtb16 r12, r9
        sxtb16 r7, r8, ror #8
        sxtb16 lr, r9, ror #8
        pkhbt r4, r6, r12, lsl #16
        pkhbt r5, r7, lr, lsl #16
        pkhtb r6, r12, r6, asr #16
        pkhtb r7, lr, r7, asr #16
        stm r2!, {{r4-r7}}
        subs r3, r3, #1
        bne 2b
        pop {{r4-r9, pc}}"
    )
}

/// Stages `quads` times four bytes less `zero` in swapped order.
///
/// # Safety
/// `from` must be good for reading so many bytes and `to` for writing twice as many, aligned for 32 bits; `quads` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen(from: *const u8, to: *mut u8, quads: usize, zero: i32) {
    naked_asm!(
        ".arch armv7e-m
        push {{r4, lr}}
        pkhbt r3, r3, r3, lsl #16
        2:
        ldr r12, [r0], #4
        sxtb16 r4, r12
        sxtb16 r12, r12, ror #8
        ssub16 r4, r4, r3
        ssub16 r12, r12, r3
        strd r4, r12, [r1], #8
        subs r2, r2, #1
        bne 2b
        pop {{r4, pc}}"
    )
}

/// What [`windows`] reads beside a plane.
#[repr(C)]
pub(super) struct Windows {
    /// The taps.
    pub taps: *const u8,
    /// Rows of taps.
    pub rows: usize,
    /// Bytes from the end of a row of taps to the next, in the plane.
    pub down: usize,
    /// Where a row of taps begins: [`entry`] of their number.
    pub entry: usize,
    /// What sums begin with.
    pub start: [i32; 4],
    /// The first window's sums.
    pub sums: *mut [i32; 4],
    /// Where they end.
    pub end: *mut [i32; 4],
    /// Bytes from window to window.
    pub stride: usize,
}

/// A tap of four channels.
macro_rules! tap {
    () => {
        "ldrd r8, r9, [r0], #8
        ldrd r10, r11, [r1], #8
        smlabb r4, r8, r10, r4
        smlatt r5, r8, r10, r5
        smlabb r6, r9, r11, r6
        smlatt r7, r9, r11, r7
        "
    };
}

/// Most columns of taps of [`windows`].
pub(super) const COLUMNS_OF_TAPS: usize = 8;

/// Where [`windows`] takes so many columns of taps, 1 to [`COLUMNS_OF_TAPS`].
#[inline(always)]
pub(super) fn entry(columns: usize) -> usize {
    /// Bytes of a tap's code.
    const TAP: usize = 24;
    let chain = smidgen_training_taps as *const () as usize;
    chain.wrapping_add(COLUMNS_OF_TAPS.wrapping_sub(columns).wrapping_mul(TAP))
}

unsafe extern "C" {
    fn smidgen_training_taps();
}

/// Sums of windows of a plane from `plane` on.
///
/// # Safety
/// The plane must be good for reading all windows, the frame's taps as many as it says, at least one row, and its sums for writing, at least
/// one; all are aligned for 32 bits.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn windows(plane: *const u8, frame: &Windows) {
    // r2: the frame, r3: rows that are left, r12: from the end of a row to the next, lr: where a row begins.
    naked_asm!(
        ".arch armv7e-m
        push {{r0, r4-r11, lr}}
        mov r2, r1
        ldr r12, [r2, #32]
        push {{r12}}
        2:
        ldrd r1, r3, [r2]
        add r12, r2, #16
        ldm r12, {{r4-r7}}
        ldrd r12, lr, [r2, #8]
        bx lr
        .p2align 2
        .global smidgen_training_taps
        .thumb_func
        smidgen_training_taps:",
        tap!(),
        tap!(),
        tap!(),
        tap!(),
        tap!(),
        tap!(),
        tap!(),
        tap!(),
        "subs r3, r3, #1
        itt ne
        addne r0, r0, r12
        bxne lr
        ldr r12, [sp]
        stm r12!, {{r4-r7}}
        str r12, [sp]
        ldr r0, [sp, #4]
        ldrd r3, lr, [r2, #36]
        add r0, r0, lr
        str r0, [sp, #4]
        cmp r12, r3
        bne 2b
        add sp, sp, #8
        pop {{r4-r11, pc}}"
    )
}

/// Stores sums shifted right and saturated to 16 bits.
#[repr(C)]
pub(super) struct Store {
    /// Where the sums end.
    pub end: *const [i32; 4],
    /// Bytes from output to output.
    pub step: usize,
    /// The shift.
    pub shift: u32,
}

/// Stores the four numbers of each of the sums from `sums` on, at least one, from `to` on.
///
/// # Safety
/// The sums must be good for reading and `to` for writing four numbers of 16 bits for each.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn store(sums: *const [i32; 4], to: *mut u8, frame: &Store) {
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r8, lr}}
        ldrd r3, r12, [r2]
        ldr r2, [r2, #8]
        2:
        ldm r0!, {{r4-r7}}
        asr r4, r4, r2
        asr r5, r5, r2
        asr r6, r6, r2
        asr r7, r7, r2
        ssat r4, #16, r4
        ssat r5, #16, r5
        ssat r6, #16, r6
        ssat r7, #16, r7
        pkhbt r4, r4, r5, lsl #16
        pkhbt r6, r6, r7, lsl #16
        str r4, [r1]
        str r6, [r1, #4]
        add r1, r1, r12
        cmp r0, r3
        bne 2b
        pop {{r4-r8, pc}}"
    )
}

/// Puts bytes of four rows, `stride` bytes from row to row, among staged columns in swapped order: those of each row follow each other, and belong to
/// the elements that `list` names.
///
/// # Safety
/// `from` must be good for reading `count` bytes of each row, `list` so many numbers, at least one, and `columns` for writing what they name.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn scatter(
    from: *const u8,
    stride: usize,
    columns: *mut u8,
    list: *const u16,
    count: usize,
) {
    // Element 4 q + 2 h + s lies in half h of the first column's word 8 q + 4 s.
    naked_asm!(
        ".arch armv7e-m
        ldr r12, [sp]
        push {{r4-r8, lr}}
        add lr, r1, r1, lsl #1
        2:
        ldrh r4, [r3], #2
        lsr r5, r4, #2
        ubfx r6, r4, #1, #1
        and r4, r4, #1
        add r5, r2, r5, lsl #5
        add r5, r5, r4, lsl #4
        add r5, r5, r6, lsl #1
        ldrsb r6, [r0, r1]
        ldrsb r7, [r0, r1, lsl #1]
        ldrsb r8, [r0, lr]
        ldrsb r4, [r0], #1
        strh r6, [r5, #4]
        strh r7, [r5, #8]
        strh r8, [r5, #12]
        strh r4, [r5]
        subs r12, r12, #1
        bne 2b
        pop {{r4-r8, pc}}"
    )
}

/// Stages `count` groups of four bytes less `zero` as four numbers of 16 bits each, `step` bytes from group to group.
///
/// # Safety
/// `from` must be good for reading the groups and `to` for writing eight bytes for each, aligned for 32 bits; `count` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn lanes(from: *const u8, step: isize, to: *mut u8, count: usize, zero: i32) {
    naked_asm!(
        ".arch armv7e-m
        ldr r12, [sp]
        push {{r4-r6, lr}}
        pkhbt r12, r12, r12, lsl #16
        2:
        ldr r4, [r0]
        add r0, r0, r1
        sxtb16 r5, r4
        sxtb16 r6, r4, ror #8
        ssub16 r5, r5, r12
        ssub16 r6, r6, r12
        pkhbt r4, r5, r6, lsl #16
        pkhtb r5, r6, r5, asr #16
        strd r4, r5, [r2], #8
        subs r3, r3, #1
        bne 2b
        pop {{r4-r6, pc}}"
    )
}

/// What numbers of 16 bits are scaled by: products with factors of 16 bits, plus `half`, shifted right.
#[repr(C)]
pub(super) struct Scaling {
    /// Half of what the shift divides by.
    pub half: i32,
    /// The shift.
    pub shift: u32,
}

/// Stages `count` groups of four scaled numbers that follow each other, `step` bytes from group to group; all groups have the same four `factors`.
///
/// # Safety
/// `from` must be good for reading the groups, `factors` for four numbers and `to` for writing eight bytes for each group; all are aligned for 32
/// bits. `count` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn scaled(
    from: *const u8,
    step: usize,
    to: *mut u8,
    count: usize,
    factors: &[i16; 4],
    scaling: &Scaling,
) {
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        ldr r6, [sp, #36]
        ldr r8, [sp, #40]
        ldr r7, [r6, #4]
        ldr r6, [r6]
        ldrd r8, r9, [r8]
        2:
        ldrd r4, r5, [r0], #8
        smlabb r10, r4, r6, r8
        smlatt r11, r4, r6, r8
        smlabb r12, r5, r7, r8
        smlatt lr, r5, r7, r8
        asr r10, r10, r9
        asr r11, r11, r9
        asr r12, r12, r9
        asr lr, lr, r9
        pkhbt r4, r10, r11, lsl #16
        pkhbt r5, r12, lr, lsl #16
        strd r4, r5, [r2]
        add r2, r2, r1
        subs r3, r3, #1
        bne 2b
        pop {{r4-r11, pc}}"
    )
}

/// Stages `pairs` times two groups of four numbers as four rows, `pitch` bytes from row to row, and adds up each row.
///
/// # Safety
/// `from` must be good for reading the groups and `to` for writing four bytes of each row for each pair; all are aligned for 32 bits. `pairs` is at
/// least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn transpose(
    from: *const u8,
    to: *mut u8,
    pitch: usize,
    pairs: usize,
    sums: &mut [i32; 4],
) {
    // r8 to r11: the sums; each product of a pair with two ones adds up the pair.
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r11, lr}}
        ldr r12, [sp, #36]
        ldm r12, {{r8-r11}}
        2:
        ldrd r4, r5, [r0], #8
        ldrd r6, r7, [r0], #8
        pkhbt r12, r4, r6, lsl #16
        pkhtb r4, r6, r4, asr #16
        pkhbt r6, r5, r7, lsl #16
        pkhtb r5, r7, r5, asr #16
        add lr, r2, r2, lsl #1
        str r4, [r1, r2]
        str r6, [r1, r2, lsl #1]
        str r5, [r1, lr]
        str r12, [r1], #4
        mov lr, #0x00010001
        smlad r8, r12, lr, r8
        smlad r9, r4, lr, r9
        smlad r10, r6, lr, r10
        smlad r11, r5, lr, r11
        subs r3, r3, #1
        bne 2b
        ldr r12, [sp, #36]
        stm r12, {{r8-r11}}
        pop {{r4-r11, pc}}"
    )
}

/// Adds up `count` groups of four 16-bit numbers that follow each other.
///
/// # Safety
/// `from` must be good for reading the groups, aligned for 32 bits; `count` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn add_up(from: *const u8, count: usize, sums: &mut [i32; 4]) {
    naked_asm!(
        ".arch armv7e-m
        push {{r4-r7, lr}}
        ldm r2, {{r4-r7}}
        2:
        ldrd r3, r12, [r0], #8
        subs r1, r1, #1
        sxtah r4, r4, r3
        sxtah r5, r5, r3, ror #16
        sxtah r6, r6, r12
        sxtah r7, r7, r12, ror #16
        bne 2b
        stm r2, {{r4-r7}}
        pop {{r4-r7, pc}}"
    )
}

/// How [`once`] and [`twice`] finish sums.
#[repr(C)]
pub(super) struct Finish {
    /// Where the sums end.
    pub end: *const [i32; 4],
    /// The first pixel's outputs.
    pub output: *mut u8,
    /// Bytes from pixel to pixel.
    pub step: usize,
    /// The byte of the first pixel's mask.
    pub mask: *mut u8,
    /// Bytes from mask to mask.
    pub mask_step: usize,
    /// The output's zero point.
    pub zero: i32,
    /// Bits of a mask's byte that are kept.
    pub keep: u32,
    /// How far to the left in it the new bits are.
    pub left: u32,
    /// Multiplier, and by how much more than 31 bits a product is shifted right, of each channel.
    pub factors: [[i32; 2]; 4],
}

/// One channel: $twice are the instructions that round twice.
macro_rules! channel {
    ($at:literal, $bit:literal, $twice:literal) => {
        concat!(
            "ldr r4, [r0], #4
            ldrd r6, r7, [r1, #32 + 8 * ",
            $at,
            "]
            smull r4, r5, r4, r6
            lsls r4, r4, #1
            adc r5, r5, r5
            ",
            $twice,
            "
            asrs r5, r5, r7
            adc r5, r5, r8
            ssat r4, #8, r5
            cmp r4, r5
            it eq
            orreq r9, r9, #",
            $bit,
            "
            strb r4, [r2, #",
            $at,
            "]
            "
        )
    };
}

/// A function that finishes sums of four channels.
macro_rules! finish {
    ($(#[$doc:meta])* $name:ident: $twice:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// The frame's places must be good for four outputs and a byte of mask for each of the pixels whose sums begin at `sums`, at least one.
        /// Shifts are 1 to 31.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(sums: *const [i32; 4], frame: &Finish) {
            // The bit that a shift moves out last is the carry: half a step and more rounds up.
            naked_asm!(
                ".arch armv7e-m
                push {{r4-r11, lr}}
                ldrd r10, r2, [r1]
                ldrd r11, r3, [r1, #8]
                ldr r8, [r1, #20]
                ldrd r12, lr, [r1, #24]
                2:
                mov r9, #0",
                channel!("0", "1", $twice),
                channel!("1", "2", $twice),
                channel!("2", "4", $twice),
                channel!("3", "8", $twice),
                "ldrb r4, [r3]
                ldr r5, [r1, #16]
                and r4, r4, r12
                lsl r9, r9, lr
                orr r4, r4, r9
                strb r4, [r3]
                add r3, r3, r5
                add r2, r2, r11
                cmp r0, r10
                bne 2b
                pop {{r4-r11, pc}}"
            )
        }
    };
}

finish!(
    /// Requantises with [one rounding](crate::requant::Rounding::Once).
    once: ""
);
finish!(
    /// Requantises with [two roundings](crate::requant::Rounding::Twice), of which the second takes ties away from zero.
    twice: "add r5, r5, r4, lsr #31\n add r5, r5, r5, asr #31"
);

/// What [`mask`] reads beside a gradient and its mask.
#[repr(C)]
pub(super) struct Bits {
    /// Bytes from a pixel's mask to the next one's.
    pub step: usize,
    /// How far to the left in them the bits are.
    pub shift: u32,
    /// What is kept for every four bits.
    kept: *const [u32; 2],
}

/// For every four bits, which of the bits of four numbers are kept.
static KEPT: [[u32; 2]; 16] = {
    let mut kept = [[0; 2]; 16];
    let mut bits = 0;
    while bits < 64 {
        let (four, lane) = (bits / 4, bits % 4);
        if four >> lane & 1 == 1 {
            kept[four][lane / 2] |= 0xffff << (16 * (lane % 2));
        }
        bits += 1;
    }
    kept
};

impl Bits {
    /// Bits that are so far to the left.
    #[inline(always)]
    pub fn new(step: usize, shift: u32) -> Self {
        Self { step, shift, kept: KEPT.as_ptr() }
    }
}

/// Copies those of `count` groups of four 16-bit numbers whose bits are set in a group's byte of `mask`; the others become 0.
///
/// # Safety
/// `from` must be good for reading and `to` for writing so many groups, aligned for 32 bits, `mask` for reading a byte for each; `count` is at least 1.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn mask(from: *const u8, to: *mut u8, mask: *const u8, count: usize, bits: &Bits) {
    naked_asm!(
        ".arch armv7e-m
        ldr r12, [sp]
        push {{r4-r9, lr}}
        ldrd r8, r9, [r12]
        ldr lr, [r12, #8]
        2:
        ldrb r12, [r2]
        ldrd r4, r5, [r0], #8
        lsr r12, r12, r9
        and r12, r12, #15
        add r12, lr, r12, lsl #3
        ldrd r6, r7, [r12]
        add r2, r2, r8
        and r4, r4, r6
        and r5, r5, r7
        strd r4, r5, [r1], #8
        subs r3, r3, #1
        bne 2b
        pop {{r4-r9, pc}}"
    )
}
