//! What each case may touch: its operands, and no neighbour of them.

use crate::cases::{Call, Case, Id, Operand};
use crate::{boards, firmware, run_cases};
use smidgen_sim::access::{Allowed, Block, Stray};
use smidgen_sim::elf::Elf;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

/// The number of the firmware's kernel that makes one access, whatever it is told.
pub const STRAY: u32 = 2000;

/// A block of a case, and what it is.
struct Named {
    name: String,
    block: Block,
}

/// What the cases of a firmware may touch.
pub struct Watch {
    pub allowed: Allowed,
    named: Vec<Vec<Named>>,
    elf: Elf,
}

impl Watch {
    /// The operands of each case, the stack, and to read the firmware's code and literals.
    pub fn new(elf: &Path, cases: &[Case]) -> Self {
        let elf = Elf::read(elf).unwrap();
        let address = |name: &str| elf.address(name).unwrap_or_else(|| panic!("the firmware has a symbol {name}"));
        let mut always: Vec<Block> = elf.section_ranges(&[".text", ".rodata"]).map(Block::read).collect();
        always.push(Block::write(address("stack_low")..address("stack_top")));
        let [words, constants, arena] = ["WORDS", "CONSTANTS", "ARENA"].map(address);
        let shifted = |from: u64, part: &Range<usize>| from + part.start as u64..from + part.end as u64;
        let of_case = |case: &Case| {
            let mut named = Vec::new();
            for operand in &case.operands {
                for run in &operand.runs {
                    let block = Block { range: shifted(arena, run), writable: operand.writable };
                    named.push(Named { name: format!("{} (bytes {run:?} of the arena)", operand.name), block });
                }
            }
            for (i, piece) in case.call.pieces.iter().enumerate() {
                let block = Block::read(shifted(constants, piece));
                named.push(Named { name: format!("constant {i} ({} bytes)", piece.len()), block });
            }
            let block = Block::read(shifted(words, &(0..4 * case.call.words.len())));
            named.push(Named { name: "the arguments".to_owned(), block });
            named
        };
        let named: Vec<Vec<Named>> = cases.iter().map(of_case).collect();
        let stretches = named.iter().map(|case| case.iter().map(|n| n.block.clone()).collect()).collect();
        Self { allowed: Allowed { always, stretches }, named, elf }
    }

    /// Says of each stray access what it missed by how much; nothing if there are none.
    pub fn report(&self, strays: &[Stray], cases: &[Case]) -> String {
        let mut text = String::new();
        // Each instruction once: with the first case that it strayed in.
        let mut told = std::collections::BTreeSet::new();
        for stray in strays.iter().filter(|s| told.insert(s.instruction)).take(20) {
            let Stray { stretch, address, bytes, store, .. } = *stray;
            // Of what the access would be allowed in, what it missed by least; else what lies nearest.
            let beyond = |n: &&Named| (store && !n.block.writable, n.block.beyond(address, bytes).unsigned_abs());
            let nearest = self.named[stretch].iter().min_by_key(beyond);
            let inside = self.named[stretch].iter().find(|n| n.block.beyond(address, bytes) == 0);
            let missed = match (inside, nearest) {
                (Some(n), _) => format!("into {}, which is only to be read", n.name),
                (None, Some(n)) => match n.block.beyond(address, bytes) {
                    before @ ..0 => format!("{} bytes before {}", -before, n.name),
                    after => format!("{after} bytes beyond {}", n.name),
                },
                (None, None) => "of a case without operands".to_owned(),
            };
            let call = &cases[stretch].call;
            let _ = writeln!(
                text,
                "{} in case {stretch}: {missed}: {}\n  arguments {:?}",
                call.kernel.name,
                stray.told(&self.elf),
                call.words
            );
        }
        text
    }
}

/// A case that makes one access, at an offset of the arena (0) or the constants (1), and has a few operands in both.
fn seeded(buffer: u32, offset: i32, bytes: u32, store: bool) -> Case {
    let kernel = Id { number: STRAY, name: "Stray" };
    let call = Call::new(kernel).put(&buffer).put(&offset).put(&bytes).put(&store);
    let call = Call { constants: vec![0; 64], pieces: vec![0..20, 24..30], ..call };
    let operand = |name, run, writable| Operand { name, runs: vec![run], writable };
    let operands =
        vec![operand("an input", 16..34, false), operand("the output", 34..46, true), operand("scratch", 64..96, true)];
    Case { call, oracle: None, arena: vec![0; 128], operands, scratch: 0..128 }
}

/// The check sees each kind of stray access, and says what was missed; and lets pass what is allowed.
#[test]
fn a_seeded_stray_access_is_seen_on_every_core() {
    let (load, store) = (false, true);
    let strays = [
        (seeded(0, 12, 4, load), "load of 4 bytes", "4 bytes before an input"),
        (seeded(0, 15, 1, load), "load of 1 bytes", "1 bytes before an input"),
        // Behind the case's arena. In front of it there may be no memory at all, and the core itself says so.
        (seeded(0, 128, 4, load), "load of 4 bytes", "36 bytes beyond scratch"),
        // Across the border of two operands, each of which would be allowed.
        (seeded(0, 32, 4, load), "load of 4 bytes", "2 bytes beyond an input"),
        (seeded(0, 44, 4, load), "load of 4 bytes", "2 bytes beyond the output"),
        (seeded(0, 46, 1, store), "store of 1 bytes", "1 bytes beyond the output"),
        (seeded(0, 56, 4, store), "store of 4 bytes", "8 bytes before scratch"),
        (
            seeded(0, 20, 4, store),
            "store of 4 bytes",
            "into an input (bytes 16..34 of the arena), which is only to be read",
        ),
        (seeded(1, 20, 4, load), "load of 4 bytes", "4 bytes beyond constant 0"),
        (seeded(1, 28, 4, load), "load of 4 bytes", "2 bytes beyond constant 1"),
        (seeded(1, 8, 1, store), "store of 1 bytes", "into constant 0 (20 bytes), which is only to be read"),
    ];
    let allowed = [
        seeded(0, 16, 4, load),
        seeded(0, 31, 1, load),
        seeded(0, 40, 4, store),
        seeded(0, 45, 1, store),
        seeded(0, 92, 4, store),
        seeded(1, 16, 4, load),
        seeded(1, 29, 1, load),
    ];
    for board in boards() {
        let Some(elf) = firmware::build(&board, false) else { continue };
        for (case, access, missed) in &strays {
            // Between two that are allowed, so that neither takes its place.
            let cases = [allowed[0].clone(), case.clone(), allowed[1].clone()];
            let Some((watch, outcome, _)) = run_cases(&board, &elf, &cases) else { return };
            let found = outcome.counts.strays;
            let report = watch.report(&found, &cases);
            assert_eq!((found.len(), found.first().map(|s| s.stretch)), (1, Some(1)), "{}: {report}", board.name);
            assert!(report.contains(access) && report.contains(missed), "{}: {report}", board.name);
            assert!(report.contains("Stray") && report.contains("stray::run"), "{}: {report}", board.name);
        }
        let Some((watch, outcome, _)) = run_cases(&board, &elf, &allowed) else { return };
        assert_eq!(watch.report(&outcome.counts.strays, &allowed), "", "{}", board.name);
    }
}
