//! What was executed, for each address, symbol and stretch between markers.

use crate::access::Stray;
use crate::elf::Symbol;
use crate::mix::{Class, Mix, classify};
use smidgen_boards::Core;

/// One executed instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Executed {
    /// Its address.
    pub address: u64,
    /// Its bytes, in memory order.
    pub opcode: Vec<u8>,
    /// How often it was executed.
    pub count: u64,
}

/// Everything the plug-in wrote.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Instructions executed before each marker, in the order of the markers.
    pub markers: Vec<u64>,
    /// Every address that was executed, ascending.
    pub instructions: Vec<Executed>,
    /// Accesses that were not allowed, if they were watched.
    pub strays: Vec<Stray>,
}

/// The plug-in's file is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the instruction counts is not understood: `{text}`")]
pub struct ProfileError {
    line: usize,
    text: String,
}

/// Which of the symbols, in ascending order of address, an address lies in.
pub fn holder(symbols: &[Symbol], address: u64) -> Option<&Symbol> {
    let at = symbols.partition_point(|s| s.address <= address);
    symbols[..at].last().filter(|s| s.size == 0 || address < s.address + s.size)
}

impl Counts {
    /// Reads what the plug-in wrote.
    ///
    /// # Errors
    /// [`ProfileError`] with the first line that is not understood.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let mut counts = Self::default();
        for (i, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split(' ').collect();
            let understood = match fields[..] {
                ["x", ref stray @ ..] => Stray::parse(stray).map(|s| counts.strays.push(s)),
                ["m", total] => total.parse().ok().map(|t| counts.markers.push(t)),
                ["i", address, opcode, count] => (|| {
                    let executed = Executed {
                        address: u64::from_str_radix(address, 16).ok()?,
                        opcode: (0..opcode.len() / 2)
                            .map(|b| u8::from_str_radix(opcode.get(2 * b..2 * b + 2)?, 16).ok())
                            .collect::<Option<_>>()?,
                        count: count.parse().ok()?,
                    };
                    counts.instructions.push(executed);
                    Some(())
                })(),
                _ => None,
            };
            understood.ok_or_else(|| ProfileError { line: i + 1, text: line.to_owned() })?;
        }
        Ok(counts)
    }

    /// Instructions executed in all.
    pub fn total(&self) -> u64 {
        self.instructions.iter().map(|e| e.count).sum()
    }

    /// Instructions between neighbouring markers. The marker that opens a stretch is the one instruction counted too much, and
    /// is taken off.
    pub fn between_markers(&self) -> Vec<u64> {
        self.markers.windows(2).map(|w| (w[1] - w[0]).saturating_sub(1)).collect()
    }

    /// Instructions of each symbol that was executed, most first. What lies in no symbol is counted under the empty name.
    pub fn by_symbol(&self, symbols: &[Symbol]) -> Vec<(String, u64)> {
        let mut totals = std::collections::BTreeMap::<&str, u64>::new();
        for e in &self.instructions {
            *totals.entry(holder(symbols, e.address).map_or("", |s| &s.name)).or_default() += e.count;
        }
        let mut totals: Vec<(String, u64)> = totals.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        totals.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        totals
    }

    /// The executed mix of instruction classes.
    pub fn mix(&self, core: Core) -> Mix {
        let mut mix = Mix::default();
        for e in &self.instructions {
            let class = if core == Core::Rv32imc { Class::Other } else { classify(&e.opcode) };
            mix.add(class, &e.opcode, e.count);
        }
        mix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_attributed() {
        let counts =
            Counts::parse("m 0\nm 202\ni 00000040 10bf 1\ni 00000044 0138 100\ni 00000046 fdd1 100\n").unwrap();
        assert_eq!(counts.total(), 201);
        assert_eq!(counts.between_markers(), [201]);
        let strayed = Counts::parse("x 3 00000100 1ffffff8 4 l 12\n").unwrap().strays;
        let (instruction, address) = (0x100, 0x1fff_fff8);
        assert_eq!(strayed, [Stray { stretch: 3, instruction, address, bytes: 4, store: false, count: 12 }]);
        assert!(Counts::parse("x 3 100 1ffffff8 4 l").is_err());
        let symbols = [
            Symbol { name: "start".into(), address: 0x40, size: 4 },
            Symbol { name: "loop".into(), address: 0x44, size: 2 },
        ];
        let expected = [("".to_owned(), 100), ("loop".to_owned(), 100), ("start".to_owned(), 1)];
        assert_eq!(counts.by_symbol(&symbols), expected);
        assert!(Counts::parse("i 40 10bf").is_err());
        assert!(Counts::parse("i 40 1éé 1").is_err());
    }
}
