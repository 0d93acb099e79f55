//! Keeping what a network has learnt: two slots of a memory that keeps its bytes without power.
//!
//! An *adaptation* is the state of a network that learns, with a header in front of it and a commit word behind it:
//!
//! ```text
//! magic  version  identity  sequence  length  checksum  header checksum | state | commit
//! 4      4        8         4         4       4         4               | length | 4        bytes, little endian
//! ```
//!
//! Each of the three parts begins at a multiple of the memory's write unit; what is left of a unit is 0xff and means
//! nothing. The commit word is written last. So a slot whose export was interrupted lacks it, and the other slot, which
//! was not touched, holds the adaptation before.
//!
//! The invariant that matters: after an interruption at any moment of [`export`] (while erasing, between two units,
//! within one), [`load`] gives the adaptation that was there before or the new one, whole, and the next [`export`]
//! works.
//!
//! Checksums are CRC-32 as in IEEE 802.3: every single flipped bit is found, and so is every burst of up to 32.

/// A memory with two slots, each of which is erased as a whole and then programmed once, in units: two sectors of
/// flash, say.
///
/// Places are bytes from the beginning of a slot. Slots are numbered 0 and 1.
pub trait Store {
    /// Bytes of a slot; both have as many. [`slot_bytes`] says what an adaptation takes.
    fn slot_bytes(&self) -> usize;

    /// The write unit: [`program`](Self::program) is given places and lengths that are multiples of it. From 1 to
    /// [`MOST_UNIT`].
    fn unit(&self) -> usize;

    /// Makes all bytes of a slot 0xff.
    ///
    /// # Errors
    /// If the memory says so.
    fn erase(&mut self, slot: usize) -> Result<(), Failed>;

    /// Programs bytes of an erased slot, none of them for the second time, in the order of their places. It is given at
    /// most [`MOST_UNIT`] bytes in a call. What it has done must have reached the memory when it returns.
    ///
    /// # Errors
    /// If the memory says so.
    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed>;

    /// Reads bytes of a slot.
    ///
    /// # Errors
    /// If the memory says so: errors of its own checks (ECC) that cannot be corrected are one.
    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed>;
}

/// The memory failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed;

/// The greatest write unit, in bytes: a page of serial flash.
pub const MOST_UNIT: usize = 256;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 32;

/// Version of the format.
pub const VERSION: u32 = 1;

/// `SMDA`.
const MAGIC: u32 = u32::from_le_bytes(*b"SMDA");

/// What ends an adaptation: neither what is erased nor what can come about by programming only some of its bits is
/// equal to it.
const COMMIT: u32 = 0x5bb1_2c4e;

/// Why nothing was exported. The adaptation that was there before is still there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(i32)]
pub enum ExportError {
    /// A slot has fewer bytes than [`slot_bytes`] says.
    TooSmall = -2,
    /// The write unit is 0 or greater than [`MOST_UNIT`].
    Unit = -3,
    /// The slot could not be erased.
    Erase = -4,
    /// The slot could not be programmed.
    Program = -5,
    /// The slot does not hold what was programmed.
    Verify = -6,
}

/// Why a slot is refused. Of two slots that are, the greater reason is given: that of the one that came further.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(i32)]
pub enum Refusal {
    /// There is nothing: the header's place is erased.
    Empty = -16,
    /// The memory could not be read, or has no such slot.
    Unreadable = -15,
    /// It is no adaptation, or its header is damaged.
    Header = -14,
    /// It is an adaptation in another version of the format.
    Version = -13,
    /// It is an adaptation of another network, of another scheme, or with another layout of the state.
    Foreign = -12,
    /// Its export did not come to its end, or it is cut short.
    Incomplete = -11,
    /// Its bytes are not those that were exported.
    Damaged = -10,
}

/// Bytes that a slot must have for a state of `length` bytes in a memory with this write unit.
pub const fn slot_bytes(length: usize, unit: usize) -> usize {
    let unit = if unit == 0 { 1 } else { unit };
    HEADER_BYTES.next_multiple_of(unit) + length.next_multiple_of(unit) + 4usize.next_multiple_of(unit)
}

/// Where the parts of an adaptation lie in a slot.
#[derive(Clone, Copy)]
struct Places {
    state: usize,
    commit: usize,
}

impl Places {
    /// Those for a state of so many bytes; nothing where there is no room, or no such unit.
    fn of<S: Store>(store: &S, length: usize) -> Result<Self, ExportError> {
        let unit = store.unit();
        if unit == 0 || unit > MOST_UNIT {
            return Err(ExportError::Unit);
        }
        let up = |bytes: usize| bytes.checked_next_multiple_of(unit).ok_or(ExportError::TooSmall);
        let state = up(HEADER_BYTES)?;
        let commit = up(length)?.checked_add(state).ok_or(ExportError::TooSmall)?;
        let end = up(4)?.checked_add(commit).ok_or(ExportError::TooSmall)?;
        if end > store.slot_bytes() || u32::try_from(length).is_err() {
            return Err(ExportError::TooSmall);
        }
        Ok(Self { state, commit })
    }
}

/// A valid slot.
#[derive(Clone, Copy)]
struct Valid {
    sequence: u32,
    checksum: u32,
}

impl Valid {
    /// Whether it was exported after the other one: numbers go round.
    fn is_newer(&self, other: &Self) -> bool {
        (self.sequence.wrapping_sub(other.sequence) as i32) > 0
    }
}

/// Exports a state into the slot that is worth less: one without a valid adaptation, else the older one. `identity` is
/// what [`load`] has to be given for this state.
///
/// # Errors
/// [`ExportError`].
pub fn export<S: Store>(store: &mut S, identity: u64, state: &[u8]) -> Result<(), ExportError> {
    let places = Places::of(store, state.len())?;
    let (first, second) = (inspect(store, 0, identity, state.len()), inspect(store, 1, identity, state.len()));
    let (slot, sequence) = match (first, second) {
        (Ok(a), Ok(b)) if b.is_newer(&a) => (0, b.sequence.wrapping_add(1)),
        (Ok(a), _) => (1, a.sequence.wrapping_add(1)),
        (Err(_), Ok(b)) => (0, b.sequence.wrapping_add(1)),
        // Another network's adaptation may be wanted again: it goes last.
        (Err(Refusal::Foreign), Err(other)) if other != Refusal::Foreign => (1, 1),
        (Err(_), Err(_)) => (0, 1),
    };
    let checksum = crc(START, state) ^ START;
    store.erase(slot).map_err(|Failed| ExportError::Erase)?;
    let header = header(identity, sequence, state.len() as u32, checksum);
    let unit = store.unit();
    let mut write = |at: usize, bytes: &[u8]| program(store, (slot, at), bytes, unit);
    write(0, &header)?;
    write(places.state, state)?;
    write(places.commit, &COMMIT.to_le_bytes())?;
    match inspect(store, slot, identity, state.len()) {
        Ok(valid) if valid.sequence == sequence && valid.checksum == checksum => Ok(()),
        _ => Err(ExportError::Verify),
    }
}

/// Programs bytes from the beginning of a unit on; the rest of the last unit with 0xff.
fn program<S: Store>(store: &mut S, (slot, at): (usize, usize), bytes: &[u8], unit: usize) -> Result<(), ExportError> {
    // As many whole units as a call is given.
    let most = MOST_UNIT.checked_rem(unit).map_or(0, |rest| MOST_UNIT - rest);
    let mut at = at;
    for piece in bytes.chunks(most.max(1)) {
        let whole = piece.len().checked_rem(unit).map_or(0, |rest| piece.len() - rest);
        let (units, rest) = piece.split_at_checked(whole).unwrap_or((piece, &[]));
        if !units.is_empty() {
            store.program(slot, at, units).map_err(|Failed| ExportError::Program)?;
            at = at.wrapping_add(units.len());
        }
        if !rest.is_empty() {
            let mut last = [0xff; MOST_UNIT];
            last.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
            let last = last.get(..unit).ok_or(ExportError::Unit)?;
            store.program(slot, at, last).map_err(|Failed| ExportError::Program)?;
            at = at.wrapping_add(unit);
        }
    }
    Ok(())
}

/// Loads the newest adaptation that is valid. What was exported with another `identity` is not.
///
/// # Errors
/// [`Refusal`] if neither slot has one. Then `state` may have been written to: what it was must be put back.
pub fn load<S: Store>(store: &mut S, identity: u64, state: &mut [u8]) -> Result<(), Refusal> {
    let mut slots = [inspect(store, 0, identity, state.len()), inspect(store, 1, identity, state.len())];
    // Twice at most: a slot that reads otherwise now than it did a moment ago is refused after all.
    for _ in 0..2 {
        let slot = match &slots {
            [Ok(a), Ok(b)] => usize::from(b.is_newer(a)),
            [Ok(_), Err(_)] => 0,
            [Err(_), Ok(_)] => 1,
            [Err(_), Err(_)] => break,
        };
        let Some(of_slot) = slots.get_mut(slot) else { break };
        match fetch(store, slot, state) {
            Err(refusal) => *of_slot = Err(refusal),
            Ok(found) => match of_slot {
                Ok(valid) if valid.checksum == found => return Ok(()),
                _ => *of_slot = Err(Refusal::Damaged),
            },
        }
    }
    let [first, second] = slots.map(|slot| slot.err().unwrap_or(Refusal::Damaged));
    Err(first.max(second))
}

/// Reads a slot's state, and gives its checksum.
fn fetch<S: Store>(store: &mut S, slot: usize, state: &mut [u8]) -> Result<u32, Refusal> {
    let places = Places::of(store, state.len()).map_err(|_| Refusal::Unreadable)?;
    store.read(slot, places.state, state).map_err(|Failed| Refusal::Unreadable)?;
    Ok(crc(START, state) ^ START)
}

fn header(identity: u64, sequence: u32, length: u32, checksum: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let words = [MAGIC, VERSION, identity as u32, (identity >> 32) as u32, sequence, length, checksum];
    let (to, _) = header.as_chunks_mut::<4>();
    to.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
    let [covered @ .., _, _, _, _] = &header;
    let own = (crc(START, covered) ^ START).to_le_bytes();
    let [.., a, b, c, d] = &mut header;
    [*a, *b, *c, *d] = own;
    header
}

/// Looks whether a slot has a valid adaptation, without keeping any of it.
fn inspect<S: Store>(store: &mut S, slot: usize, identity: u64, length: usize) -> Result<Valid, Refusal> {
    let places = Places::of(store, length).map_err(|_| Refusal::Unreadable)?;
    let mut found = [0; HEADER_BYTES];
    store.read(slot, 0, &mut found).map_err(|Failed| Refusal::Unreadable)?;
    if found.iter().all(|&byte| byte == 0xff) {
        return Err(Refusal::Empty);
    }
    let word = |i: usize| found.as_chunks::<4>().0.get(i).map_or(0, |&bytes| u32::from_le_bytes(bytes));
    let (sequence, checksum) = (word(4), word(6));
    let mine = u64::from(word(2)) | (u64::from(word(3)) << 32);
    let [covered @ .., a, b, c, d] = &found;
    if word(0) != MAGIC || (crc(START, covered) ^ START) != u32::from_le_bytes([*a, *b, *c, *d]) {
        return Err(Refusal::Header);
    }
    if word(1) != VERSION {
        return Err(Refusal::Version);
    }
    if mine != identity || word(5) as usize != length {
        return Err(Refusal::Foreign);
    }
    let mut commit = [0; 4];
    store.read(slot, places.commit, &mut commit).map_err(|Failed| Refusal::Incomplete)?;
    if u32::from_le_bytes(commit) != COMMIT {
        return Err(Refusal::Incomplete);
    }
    let (mut at, mut left, mut sum) = (places.state, length, START);
    let mut piece = [0; 64];
    while left > 0 {
        let count = left.min(piece.len());
        let Some(piece) = piece.get_mut(..count) else { break };
        store.read(slot, at, piece).map_err(|Failed| Refusal::Unreadable)?;
        sum = crc(sum, piece);
        at = at.wrapping_add(count);
        left = left.wrapping_sub(count);
    }
    if sum ^ START != checksum {
        return Err(Refusal::Damaged);
    }
    Ok(Valid { sequence, checksum })
}

/// What a CRC-32 begins with, and what its end is combined with.
const START: u32 = !0;

/// Goes on with a CRC-32 (polynomial 0x04c11db7, bits reflected), four bits at a time: a table of 64 bytes.
fn crc(mut sum: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut i = 0;
        while i < 16 {
            let (mut value, mut bit) = (i as u32, 0);
            while bit < 4 {
                value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    for &byte in bytes {
        sum ^= u32::from(byte);
        sum = (sum >> 4) ^ TABLE[(sum & 15) as usize];
        sum = (sum >> 4) ^ TABLE[(sum & 15) as usize];
    }
    sum
}

/// A [`Store`] of C functions. They return 0 where they have done what was asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Callbacks {
    /// See [`Store::erase`].
    pub erase: Option<unsafe extern "C" fn(*mut core::ffi::c_void, core::ffi::c_int) -> core::ffi::c_int>,
    /// See [`Store::program`].
    pub program: Option<
        unsafe extern "C" fn(*mut core::ffi::c_void, core::ffi::c_int, usize, *const u8, usize) -> core::ffi::c_int,
    >,
    /// See [`Store::read`].
    pub read: Option<
        unsafe extern "C" fn(*mut core::ffi::c_void, core::ffi::c_int, usize, *mut u8, usize) -> core::ffi::c_int,
    >,
    /// What each of them is given.
    pub context: *mut core::ffi::c_void,
    /// See [`Store::slot_bytes`].
    pub slot_bytes: usize,
    /// See [`Store::unit`].
    pub unit: usize,
}

/// What a C function said.
fn said(status: core::ffi::c_int) -> Result<(), Failed> {
    if status == 0 { Ok(()) } else { Err(Failed) }
}

impl Store for Callbacks {
    fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        let function = self.erase.ok_or(Failed)?;
        // SAFETY: the functions are those that whoever made this vouches for, with their own context.
        said(unsafe { function(self.context, slot as core::ffi::c_int) })
    }

    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        let function = self.program.ok_or(Failed)?;
        // SAFETY: as above; the bytes are borrowed until it returns.
        said(unsafe { function(self.context, slot as core::ffi::c_int, at, bytes.as_ptr(), bytes.len()) })
    }

    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        let function = self.read.ok_or(Failed)?;
        // SAFETY: as above.
        said(unsafe { function(self.context, slot as core::ffi::c_int, at, into.as_mut_ptr(), into.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc(START, b"123456789") ^ START, 0xcbf4_3926);
        assert_eq!(crc(crc(START, b"1234"), b"56789") ^ START, 0xcbf4_3926);
    }
}
