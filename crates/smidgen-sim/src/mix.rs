//! What kind of work the executed Thumb-2 instructions are, and a model of the cycles they take on a Cortex-M4.
//!
//! The model, from the instruction timings of the Cortex-M4 Technical Reference Manual (zero-wait-state memory): one cycle each,
//! but a load 2 (the pipelining of neighbouring loads is not modelled, so the estimate is an upper one there), a store 1 (the write
//! buffer), a load or store of n registers 1 + n, a taken branch 2 on top of 1 (every branch is counted as half taken: 2), a
//! division 7, a 32x32 multiply with 64-bit result 1. It is a model and is always labelled so.

use smidgen_boards::Core;

/// Kinds of instructions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Reads memory.
    Load,
    /// Writes memory.
    Store,
    /// Multiplies, with or without accumulation.
    Multiply,
    /// Widens 8- or 16-bit parts.
    Extend,
    /// May change the flow: branches, calls, returns, conditional blocks.
    Branch,
    /// Everything else.
    Other,
}

/// How many instructions of each class were executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mix {
    /// [`Class::Load`].
    pub loads: u64,
    /// [`Class::Store`].
    pub stores: u64,
    /// [`Class::Multiply`].
    pub multiplies: u64,
    /// [`Class::Extend`].
    pub extends: u64,
    /// [`Class::Branch`].
    pub branches: u64,
    /// [`Class::Other`].
    pub others: u64,
    /// Modelled cycles, if it is a Cortex-M4: see [`cycles`](Self::cycles).
    m4_cycles: u64,
}

impl Mix {
    /// Modelled cycles, for the core that the model is of.
    pub fn cycles(&self, core: Core) -> Option<u64> {
        (core == Core::CortexM4).then_some(self.m4_cycles)
    }

    /// Counts `count` executions of an instruction.
    pub fn add(&mut self, class: Class, opcode: &[u8], count: u64) {
        let (slot, cycles) = match class {
            Class::Load => (&mut self.loads, 1 + registers(opcode).max(1)),
            Class::Store => (&mut self.stores, registers(opcode).max(1)),
            Class::Multiply => (&mut self.multiplies, 1),
            Class::Extend => (&mut self.extends, 1),
            Class::Branch => (&mut self.branches, 2),
            Class::Other => (&mut self.others, if is_division(opcode) { 7 } else { 1 }),
        };
        *slot += count;
        self.m4_cycles += cycles * count;
    }
}

fn halves(opcode: &[u8]) -> Option<(u16, Option<u16>)> {
    let half = |i: usize| Some(u16::from_le_bytes([*opcode.get(i)?, *opcode.get(i + 1)?]));
    Some((half(0)?, half(2)))
}

fn is_division(opcode: &[u8]) -> bool {
    matches!(halves(opcode), Some((first, Some(_))) if first & 0xffd0 == 0xfb90)
}

/// Registers moved by a multiple load or store; 0 for any other instruction.
fn registers(opcode: &[u8]) -> u64 {
    let Some((first, second)) = halves(opcode) else { return 0 };
    let count = match (first, second) {
        (f, None) if f >> 12 == 0b1100 => (f & 0xff).count_ones(),
        (f, None) if f & 0xf600 == 0xb400 => (f & 0x1ff).count_ones(),
        (f, Some(s)) if f & 0xfe40 == 0xe800 => s.count_ones(),
        // Double-word load and store.
        (f, Some(_)) if f & 0xfe40 == 0xe840 && f & 0x0120 != 0 => 2,
        // Multiple floating-point registers.
        (f, Some(s)) if f & 0xfe00 == 0xec00 && f & 0x0120 != 0x0100 && s & 0x0e00 == 0x0a00 => u32::from(s & 0xff),
        _ => 0,
    };
    u64::from(count)
}

/// The class of a Thumb instruction given by its bytes in memory order. Encodings: Armv7-M Architecture Reference Manual, chapter
/// A5.
pub fn classify(opcode: &[u8]) -> Class {
    match halves(opcode) {
        Some((half, None)) => classify_16(half),
        Some((first, Some(second))) => classify_32(first, second),
        None => Class::Other,
    }
}

fn classify_16(half: u16) -> Class {
    match half >> 12 {
        0b0100 if half & 0xf800 == 0x4800 => Class::Load,
        0b0100 if half & 0xffc0 == 0x4340 => Class::Multiply,
        0b0100 if half & 0xff00 == 0x4700 => Class::Branch,
        // Register offsets: STR, STRH, STRB, then LDRSB and the loads.
        0b0101 if half & 0x0e00 < 0x0600 => Class::Store,
        0b0101 => Class::Load,
        0b0110..=0b1001 if half & 0x0800 == 0 => Class::Store,
        0b0110..=0b1001 => Class::Load,
        0b1011 if half & 0x0f00 == 0x0200 => Class::Extend,
        0b1011 if half & 0x0600 == 0x0400 => {
            if half & 0x0800 != 0 {
                Class::Load
            } else {
                Class::Store
            }
        }
        // CBZ and CBNZ, and IT.
        0b1011 if half & 0x0500 == 0x0100 || (half & 0x0f00 == 0x0f00 && half & 0xf != 0) => Class::Branch,
        0b1100 if half & 0x0800 != 0 => Class::Load,
        0b1100 => Class::Store,
        // 0xde and 0xdf are UDF and SVC.
        0b1101 if half & 0x0f00 < 0x0e00 => Class::Branch,
        0b1110 => Class::Branch,
        _ => Class::Other,
    }
}

fn classify_32(first: u16, second: u16) -> Class {
    let load = |yes: bool| if yes { Class::Load } else { Class::Store };
    match first >> 9 & 0x7f {
        // Multiple registers, double words, exclusives and table branches.
        0b1110100 => {
            if first & 0xfff0 == 0xe8d0 && second & 0x00e0 == 0 {
                Class::Branch
            } else {
                load(first & 0x10 != 0)
            }
        }
        // Single loads and stores.
        0b1111100 => load(first & 0x10 != 0),
        // Multiplication (0xfb..), and division among it; extends and parallel arithmetic (0xfa..).
        0b1111101 if first & 0xff00 == 0xfb00 => {
            if first & 0xffd0 == 0xfb90 {
                Class::Other
            } else {
                Class::Multiply
            }
        }
        0b1111101 if first & 0xff80 == 0xfa00 && second & 0xf080 == 0xf080 => Class::Extend,
        // Floating-point and coprocessor loads and stores; bit 8 or 5 set, else it is a move between register banks.
        0b1110110 if first & 0x01e0 != 0x0040 => load(first & 0x10 != 0),
        _ if first & 0xf800 == 0xf000 && second & 0x8000 != 0 => {
            // Branches; hints and special-register moves share the space (0xf38.. to 0xf3f.. with bit 14 and 12 clear).
            if second & 0x5000 == 0 && first & 0x0380 == 0x0380 { Class::Other } else { Class::Branch }
        }
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings as an assembler gives them, halfwords in reading order.
    #[test]
    fn common_instructions_are_classified() {
        for (halves, class) in [
            (&[0x6808u16][..], Class::Load),          // ldr r0, [r1]
            (&[0x7008][..], Class::Store),            // strb r0, [r1]
            (&[0x5688][..], Class::Load),             // ldrsb r0, [r1, r2]
            (&[0x5288][..], Class::Store),            // strh r0, [r1, r2]
            (&[0x4801][..], Class::Load),             // ldr r0, [pc, #4]
            (&[0x4348][..], Class::Multiply),         // muls r0, r1
            (&[0xb248][..], Class::Extend),           // sxtb r0, r1
            (&[0xb510][..], Class::Store),            // push {r4, lr}
            (&[0xbd10][..], Class::Load),             // pop {r4, pc}
            (&[0xc806][..], Class::Load),             // ldmia r0!, {r1, r2}
            (&[0xd1fd][..], Class::Branch),           // bne
            (&[0xe7fe][..], Class::Branch),           // b
            (&[0x4770][..], Class::Branch),           // bx lr
            (&[0xb100][..], Class::Branch),           // cbz r0
            (&[0xbf08][..], Class::Branch),           // it eq
            (&[0xbf00][..], Class::Other),            // nop
            (&[0x1840][..], Class::Other),            // adds r0, r0, r1
            (&[0xfb20, 0x0102][..], Class::Multiply), // smlad r1, r0, r2, r0
            (&[0xfb50, 0xf001][..], Class::Multiply), // smmul r0, r0, r1
            (&[0xfb90, 0xf0f1][..], Class::Other),    // sdiv r0, r0, r1
            (&[0xfa2f, 0xf080][..], Class::Extend),   // sxtb16 r0, r0
            (&[0xfa4f, 0xf080][..], Class::Extend),   // sxtb.w r0, r0
            (&[0xf8d1, 0x0004][..], Class::Load),     // ldr.w r0, [r1, #4]
            (&[0xf801, 0x0b01][..], Class::Store),    // strb r0, [r1], #1
            (&[0xe9d1, 0x2300][..], Class::Load),     // ldrd r2, r3, [r1]
            (&[0xe8b1, 0x003c][..], Class::Load),     // ldmia.w r1!, {r2-r5}
            (&[0xe8df, 0xf001][..], Class::Branch),   // tbb [pc, r1]
            (&[0xf000, 0xf801][..], Class::Branch),   // bl
            (&[0xf040, 0x8002][..], Class::Branch),   // bne.w
            (&[0xf300, 0x0007][..], Class::Other),    // ssat r0, #8, r0
            (&[0xf3bf, 0x8f4f][..], Class::Other),    // dsb
            (&[0xee00, 0x0a10][..], Class::Other),    // vmov s0, r0
            (&[0xed90, 0x0a00][..], Class::Load),     // vldr s0, [r0]
        ] {
            let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
            assert_eq!(classify(&bytes), class, "{halves:04x?}");
        }
    }

    #[test]
    fn multiple_transfers_take_a_cycle_a_register() {
        let cycles = |class, halves: &[u16]| {
            let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
            let mut mix = Mix::default();
            mix.add(class, &bytes, 1);
            mix.m4_cycles
        };
        assert_eq!(cycles(Class::Load, &[0xe8b1, 0x003c]), 5);
        assert_eq!(cycles(Class::Load, &[0xe9d1, 0x2300]), 3);
        assert_eq!(cycles(Class::Store, &[0xb510]), 2);
        assert_eq!(cycles(Class::Load, &[0x6808]), 2);
        assert_eq!(cycles(Class::Other, &[0xfb90, 0xf0f1]), 7);
    }
}
