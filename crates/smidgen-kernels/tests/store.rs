//! Adaptations on a simulated flash: power lost at every write and every erase of an export, slots cut short, flipped
//! bits, foreign ones.

use proptest::prelude::*;
use smidgen_kernels::store::{
    Callbacks, ExportError, Failed, HEADER_BYTES, MOST_UNIT, Refusal, Store, export, load, slot_bytes,
};

const IDENTITY: u64 = 0x0123_4567_89ab_cdef;

/// Two sectors, programmed in units. What no flash allows makes a test fail: programming out of order or twice, or what
/// is no whole unit.
#[derive(Clone)]
struct Flash {
    slots: [Vec<u8>; 2],
    unit: usize,
    /// Bytes of each slot that have been programmed since it was erased; `None`: it must be erased first.
    programmed: [Option<usize>; 2],
    /// Erasures and units until the power goes; the last of them is torn.
    fuse: Option<usize>,
    /// How far it is torn.
    tear: Tear,
    /// The power is gone.
    dark: bool,
    /// Erasures and units so far.
    done: usize,
}

/// What an interrupted erasure or unit leaves.
#[derive(Clone, Copy, Debug)]
enum Tear {
    /// Everything as it was.
    Before,
    /// All of it is done, but nobody was told.
    After,
    /// The first so many bytes in 256 are done.
    Prefix(u8),
    /// Some bits are done, drawn by this seed.
    Bits(u64),
}

impl Flash {
    /// A memory that holds anything.
    fn new(unit: usize, length: usize, filled: u8) -> Self {
        let bytes = slot_bytes(length, unit);
        Self {
            slots: [vec![filled; bytes], vec![filled; bytes]],
            unit,
            programmed: [None; 2],
            fuse: None,
            tear: Tear::Before,
            dark: false,
            done: 0,
        }
    }

    /// Changes bytes as far as the power lasts.
    fn change(&mut self, slot: usize, at: usize, to: &[u8]) -> Result<(), Failed> {
        if self.dark {
            return Err(Failed);
        }
        self.done += 1;
        let held = &mut self.slots[slot][at..at + to.len()];
        if let Some(left) = &mut self.fuse {
            *left -= 1;
            if *left == 0 {
                self.dark = true;
                self.programmed = [None; 2];
                match self.tear {
                    Tear::Before => {}
                    Tear::After => held.copy_from_slice(to),
                    Tear::Prefix(part) => {
                        let count = to.len() * usize::from(part) / 256;
                        held[..count].copy_from_slice(&to[..count]);
                    }
                    Tear::Bits(mut seed) => {
                        for (held, &to) in held.iter_mut().zip(to) {
                            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                            let mask = (seed >> 40) as u8;
                            *held = (*held & !mask) | (to & mask);
                        }
                    }
                }
                return Err(Failed);
            }
        }
        held.copy_from_slice(to);
        Ok(())
    }

    fn restarted(&self) -> Self {
        Self { fuse: None, dark: false, done: 0, ..self.clone() }
    }

    fn loaded(&mut self, length: usize) -> Result<Vec<u8>, Refusal> {
        let mut state = vec![0x5a; length];
        load(self, IDENTITY, &mut state).map(|()| state)
    }
}

impl Store for Flash {
    fn slot_bytes(&self) -> usize {
        self.slots[0].len()
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        let all = vec![0xff; self.slots[slot].len()];
        self.change(slot, 0, &all)?;
        self.programmed[slot] = Some(0);
        Ok(())
    }

    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        assert!(bytes.len() <= MOST_UNIT && bytes.len().is_multiple_of(self.unit) && at.is_multiple_of(self.unit));
        for (i, unit) in bytes.chunks(self.unit).enumerate() {
            if self.dark {
                return Err(Failed);
            }
            let at = at + i * self.unit;
            assert_eq!(self.programmed[slot], Some(at), "programmed out of order, twice, or without an erasure");
            self.change(slot, at, unit)?;
            self.programmed[slot] = Some(at + self.unit);
        }
        Ok(())
    }

    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        if self.dark {
            return Err(Failed);
        }
        // A file that was cut short ends somewhere.
        into.copy_from_slice(self.slots[slot].get(at..at + into.len()).ok_or(Failed)?);
        Ok(())
    }
}

fn state(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|i| (i as u8).wrapping_mul(37).wrapping_add(seed.wrapping_mul(91))).collect()
}

fn units() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 2, 4, 8, 16, 32, 64, 256])
}

const TEARS: [Tear; 6] =
    [Tear::Before, Tear::After, Tear::Prefix(1), Tear::Prefix(128), Tear::Prefix(255), Tear::Bits(0)];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whenever power is lost during an export, the adaptation before or the new one is loaded, and the next export
    /// works, even if the first attempt at that is interrupted again.
    #[test]
    fn power_may_be_lost_at_every_write(
        unit in units(),
        length in 1usize..150,
        before in 0usize..4,
        filled in prop::sample::select(vec![0xffu8, 0, 0xa5]),
        seed in any::<u64>(),
    ) {
        let mut flash = Flash::new(unit, length, filled);
        for i in 0..before {
            export(&mut flash, IDENTITY, &state(length, i as u8)).unwrap();
        }
        let old = flash.loaded(length).ok();
        prop_assert_eq!(old.is_some(), before > 0);
        let (new, third) = (state(length, 100), state(length, 200));
        let mut whole = flash.restarted();
        export(&mut whole, IDENTITY, &new).unwrap();
        let writes = whole.done;
        prop_assert!(writes >= 4, "an erasure and three parts, but {writes} writes");
        for write in 1..=writes {
            for tear in TEARS {
                let tear = if matches!(tear, Tear::Bits(_)) { Tear::Bits(seed ^ write as u64) } else { tear };
                let mut torn = Flash { fuse: Some(write), tear, ..flash.restarted() };
                let said = export(&mut torn, IDENTITY, &new);
                prop_assert!(said.is_err(), "write {}: the power is gone", write);
                let mut torn = torn.restarted();
                let found = torn.loaded(length).ok();
                let is_new = found.as_ref() == Some(&new);
                prop_assert!(found == old || is_new, "write {write} of {writes}, {tear:?}");
                // Only the last write can have made it the new one.
                prop_assert!(!is_new || write == writes, "write {write} of {writes}, {tear:?}");
                // The next attempt is interrupted too, somewhere.
                let again = 1 + (seed as usize).wrapping_add(write * 7) % writes;
                let mut twice = Flash { fuse: Some(again), tear, ..torn.restarted() };
                prop_assert!(export(&mut twice, IDENTITY, &third).is_err());
                let mut twice = twice.restarted();
                let after = twice.loaded(length).ok();
                prop_assert!(after == found || after.as_ref() == Some(&third), "writes {write} and {again}, {tear:?}");
                export(&mut twice, IDENTITY, &third).unwrap();
                prop_assert_eq!(twice.loaded(length), Ok(third.clone()));
            }
        }
    }

    /// Of what is stored every bit counts, but for those that fill a unit up.
    #[test]
    fn every_flipped_bit_is_refused_or_means_nothing(unit in units(), length in 1usize..60, older in any::<bool>()) {
        let mut flash = Flash::new(unit, length, 0xff);
        let (first, second) = (state(length, 1), state(length, 2));
        if older {
            export(&mut flash, IDENTITY, &first).unwrap();
        }
        export(&mut flash, IDENTITY, &second).unwrap();
        let slot = usize::from(older);
        let begin = HEADER_BYTES.next_multiple_of(unit);
        let commit = begin + length.next_multiple_of(unit);
        for bit in 0..8 * flash.slots[slot].len() {
            let byte = bit / 8;
            let used = [0..HEADER_BYTES, begin..begin + length, commit..commit + 4].iter().any(|of| of.contains(&byte));
            let mut flipped = flash.clone();
            flipped.slots[slot][byte] ^= 1 << (bit % 8);
            match (flipped.loaded(length), older) {
                (Ok(found), _) if !used => prop_assert_eq!(&found, &second),
                (Ok(found), true) => prop_assert_eq!(&found, &first),
                (Err(refusal), false) => {
                    let expected = if byte < HEADER_BYTES {
                        Refusal::Header
                    } else if byte < commit {
                        Refusal::Damaged
                    } else {
                        Refusal::Incomplete
                    };
                    prop_assert!(used && refusal == expected, "bit {}: {:?}", bit, refusal);
                }
                (found, _) => prop_assert!(false, "bit {}: {:?}", bit, found),
            }
        }
    }

    /// What is cut short is refused: where the rest cannot be read, is erased, or is something else.
    #[test]
    fn every_truncation_is_refused(unit in units(), length in 1usize..60, rest in prop::option::of(any::<u8>())) {
        let mut flash = Flash::new(unit, length, 0xff);
        let learnt = state(length, 3);
        export(&mut flash, IDENTITY, &learnt).unwrap();
        let end = HEADER_BYTES.next_multiple_of(unit) + length.next_multiple_of(unit) + 4;
        for count in 0..end {
            let mut cut = flash.clone();
            match rest {
                None => cut.slots[0].truncate(count),
                Some(byte) => cut.slots[0][count..].fill(byte),
            }
            // What is put in place of the last bytes may be just these.
            let equal = cut.slots[0].get(..end) == flash.slots[0].get(..end);
            let mut cut = Cut(cut, flash.slots[0].len());
            let mut found = vec![0; length];
            let said = load(&mut cut, IDENTITY, &mut found);
            prop_assert!(said.is_err() || (equal && found == learnt), "{} of {} bytes", count, end);
        }
    }

    /// An adaptation of another network, scheme or layout has another identity or length.
    #[test]
    fn foreign_ones_are_refused(unit in units(), length in 1usize..60, bit in 0u32..64) {
        let mut flash = Flash::new(unit, length + 1, 0xff);
        let learnt = state(length, 4);
        export(&mut flash, IDENTITY, &learnt).unwrap();
        let mut found = vec![0; length];
        prop_assert_eq!(load(&mut flash, IDENTITY ^ (1 << bit), &mut found), Err(Refusal::Foreign));
        prop_assert_eq!(load(&mut flash, IDENTITY, &mut [found, vec![0]].concat()), Err(Refusal::Foreign));
        // The other network's exports leave it alone as long as there is room beside it.
        export(&mut flash, !IDENTITY, &learnt).unwrap();
        prop_assert_eq!(flash.loaded(length), Ok(learnt.clone()));
        export(&mut flash, !IDENTITY, &learnt).unwrap();
        prop_assert_eq!(flash.loaded(length), Err(Refusal::Foreign));
    }
}

/// A memory that says it is larger than what can be read of it.
struct Cut(Flash, usize);

impl Store for Cut {
    fn slot_bytes(&self) -> usize {
        self.1
    }

    fn unit(&self) -> usize {
        self.0.unit
    }

    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        self.0.erase(slot)
    }

    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        self.0.program(slot, at, bytes)
    }

    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        self.0.read(slot, at, into)
    }
}

#[test]
fn the_newest_is_loaded_however_often_was_exported() {
    let mut flash = Flash::new(8, 21, 0xff);
    assert_eq!(flash.loaded(21), Err(Refusal::Empty));
    for i in 0..300u32 {
        let learnt = state(21, i as u8);
        export(&mut flash, IDENTITY, &learnt).unwrap();
        assert_eq!(flash.loaded(21), Ok(learnt));
    }
    // It wears both slots alike.
    assert_eq!(flash.done, 300 * (1 + 4 + 3 + 1));
}

/// Gives a header that was changed the checksum that fits it, computed bit by bit.
fn seal(slot: &mut [u8]) {
    let (header, checksum) = slot[..HEADER_BYTES].split_at_mut(HEADER_BYTES - 4);
    let mut sum = !0u32;
    for &byte in &*header {
        sum ^= u32::from(byte);
        (0..8).for_each(|_| sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 });
    }
    checksum.copy_from_slice(&(!sum).to_le_bytes());
}

#[test]
fn another_version_of_the_format_is_refused() {
    let mut flash = Flash::new(4, 8, 0xff);
    export(&mut flash, IDENTITY, &state(8, 0)).unwrap();
    flash.slots[0][4] += 1;
    assert_eq!(flash.loaded(8), Err(Refusal::Header));
    seal(&mut flash.slots[0]);
    assert_eq!(flash.loaded(8), Err(Refusal::Version));
}

#[test]
fn c_functions_that_are_not_there_fail() {
    let context = std::ptr::null_mut();
    let mut none = Callbacks { erase: None, program: None, read: None, context, slot_bytes: 100, unit: 4 };
    assert_eq!(load(&mut none, IDENTITY, &mut [0; 8]), Err(Refusal::Unreadable));
    assert_eq!(export(&mut none, IDENTITY, &[0; 8]), Err(ExportError::Erase));
}

#[test]
fn sequence_numbers_go_round() {
    let mut flash = Flash::new(4, 8, 0xff);
    export(&mut flash, IDENTITY, &state(8, 0)).unwrap();
    flash.slots[0][16..20].fill(0xff);
    seal(&mut flash.slots[0]);
    assert_eq!(flash.loaded(8), Ok(state(8, 0)));
    for i in 1..5 {
        export(&mut flash, IDENTITY, &state(8, i)).unwrap();
        assert_eq!(flash.loaded(8), Ok(state(8, i)));
    }
}

#[test]
fn memories_that_cannot_hold_it_are_refused_untouched() {
    let learnt = state(10, 0);
    for (unit, bytes, expected) in [
        (4, slot_bytes(10, 4) - 1, ExportError::TooSmall),
        (4, 0, ExportError::TooSmall),
        (0, 1000, ExportError::Unit),
        (MOST_UNIT + 1, 10_000, ExportError::Unit),
    ] {
        let mut flash = Flash { slots: [vec![7; bytes], vec![7; bytes]], unit, ..Flash::new(1, 1, 0) };
        assert_eq!(export(&mut flash, IDENTITY, &learnt), Err(expected));
        assert_eq!(flash.done, 0);
        assert_eq!(flash.loaded(10), Err(Refusal::Unreadable));
    }
}

/// A memory that says that it has programmed what it has not.
struct Liar(Flash);

impl Store for Liar {
    fn slot_bytes(&self) -> usize {
        self.0.slot_bytes()
    }

    fn unit(&self) -> usize {
        self.0.unit
    }

    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        self.0.erase(slot)
    }

    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        let mut bytes = bytes.to_vec();
        if at == 32 {
            bytes[0] |= 1;
        }
        self.0.program(slot, at, &bytes)
    }

    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        self.0.read(slot, at, into)
    }
}

#[test]
fn what_does_not_stick_is_reported() {
    let mut flash = Flash::new(32, 100, 0xff);
    export(&mut flash, IDENTITY, &[8; 100]).unwrap();
    let mut liar = Liar(flash);
    assert_eq!(export(&mut liar, IDENTITY, &[6; 100]), Err(ExportError::Verify));
    let Liar(mut flash) = liar;
    assert_eq!(flash.loaded(100), Ok(vec![8; 100]));
}
