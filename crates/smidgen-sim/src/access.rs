//! The memory that a firmware may touch, and the loads and stores that went beyond it.
//!
//! Emulated memory is whole: a kernel that reads in front of its scratch finds something there on most boards, and a fault on the
//! board where it matters. So every access is held to the blocks that are allowed, whatever lies beside them.

use crate::elf::Elf;
use crate::profile::holder;
use std::fmt::Write;
use std::ops::Range;

/// Memory that an access may lie in as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Addresses.
    pub range: Range<u64>,
    /// False where only loads are allowed.
    pub writable: bool,
}

impl Block {
    /// A block to read.
    pub fn read(range: Range<u64>) -> Self {
        Self { range, writable: false }
    }

    /// A block to read and to write.
    pub fn write(range: Range<u64>) -> Self {
        Self { range, writable: true }
    }

    /// How many bytes of an access lie outside, counted from the block's nearer end to the access's farther one; negative before the
    /// block, 0 if it lies inside.
    pub fn beyond(&self, address: u64, bytes: u64) -> i64 {
        let signed = |n: u64| n as i64;
        let (before, after) =
            (signed(address) - signed(self.range.start), signed(address + bytes) - signed(self.range.end));
        if before < 0 { before } else { after.max(0) }
    }
}

/// What may be touched between markers 0 and 1, 2 and 3, and so on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allowed {
    /// In every such stretch.
    pub always: Vec<Block>,
    /// In the k-th one, beside that.
    pub stretches: Vec<Vec<Block>>,
}

impl Allowed {
    /// What a network may touch in a firmware: its variables and the stack; to read also code, constants, and what the harness keeps for it.
    pub(crate) fn to_network(elf: &Elf) -> Self {
        const READ: [&str; 5] = [".vectors", ".harness_text", ".text", ".rodata", ".harness"];
        let read = elf.section_ranges(&READ).map(Block::read);
        let mut always: Vec<Block> = elf.section_ranges(&[".data", ".bss"]).map(Block::write).collect();
        always.extend(elf.address("stack_low").zip(elf.address("stack_top")).map(|(low, top)| Block::write(low..top)));
        always.extend(read);
        Self { always, stretches: Vec::new() }
    }

    /// As the plug-in reads it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut blocks = |blocks: &[Block], head: &str| {
            text.push_str(head);
            for Block { range, writable } in blocks {
                let kind = if *writable { 'w' } else { 'r' };
                let _ = writeln!(text, "{kind} {:x} {:x}", range.start, range.end);
            }
        };
        blocks(&self.always, "");
        self.stretches.iter().for_each(|own| blocks(own, "case\n"));
        text
    }
}

/// An instruction whose loads or stores were not all allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stray {
    /// Which stretch between markers, from 0.
    pub stretch: usize,
    /// Address of the instruction.
    pub instruction: u64,
    /// First address of the first such access.
    pub address: u64,
    /// Its bytes.
    pub bytes: u64,
    /// A store and not a load.
    pub store: bool,
    /// How many such accesses the instruction made in the stretch.
    pub count: u64,
}

impl Stray {
    /// What was accessed, and by which instruction of which function.
    pub fn told(&self, elf: &Elf) -> String {
        let Self { instruction, address, bytes, count, .. } = *self;
        let function = holder(&elf.functions, instruction).map_or_else(
            || "in no function".to_owned(),
            |f| format!("{:#} + {:#x}", rustc_demangle::demangle(&f.name), instruction - f.address),
        );
        let access = if self.store { "store" } else { "load" };
        format!(
            "{access} of {bytes} bytes at {address:#010x} by the instruction at {instruction:#x} ({function}), times {count}"
        )
    }

    /// Reads the fields of the plug-in's record.
    pub(crate) fn parse(fields: &[&str]) -> Option<Self> {
        let [stretch, instruction, address, bytes, kind, count] = fields else { return None };
        let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Self {
            stretch: stretch.parse().ok()?,
            instruction: hexadecimal(instruction)?,
            address: hexadecimal(address)?,
            bytes: bytes.parse().ok()?,
            store: *kind == "s",
            count: count.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_measured_from_the_nearer_end() {
        let block = Block::read(100..110);
        assert_eq!(block.beyond(100, 4), 0);
        assert_eq!(block.beyond(106, 4), 0);
        assert_eq!(block.beyond(92, 4), -8);
        assert_eq!(block.beyond(108, 4), 2);
        assert_eq!(block.beyond(110, 1), 1);
    }

    #[test]
    fn blocks_are_written_as_the_plug_in_reads_them() {
        let allowed = Allowed {
            always: vec![Block::read(0..0x100)],
            stretches: vec![vec![Block::write(0x2000_0000..0x2000_0010)], vec![]],
        };
        assert_eq!(allowed.text(), "r 0 100\ncase\nw 20000000 20000010\ncase\n");
    }
}
