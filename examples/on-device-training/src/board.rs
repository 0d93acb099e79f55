//! An emulated board with a Cortex-M3, M4 or M7: from reset to the program, and what the emulator's host does for it
//! (semihosting): text, a file, the end. A real project has its vendor's start-up code, and its flash in place of the
//! file.

use core::arch::{asm, global_asm};
use core::ffi::CStr;
use model::{Failed, STATE_BYTES, Store, slot_bytes};

global_asm!(
    // The stack, the first instruction, and what faults end in.
    ".section .vectors, \"a\"",
    ".word stack_top",
    ".word reset",
    ".rept 5",
    ".word fault",
    ".endr",
    ".section .text.reset, \"ax\"",
    ".global reset",
    ".thumb_func",
    "reset:",
    // Variables that begin with numbers, then those that begin with zeros.
    "ldr r0, =data_start",
    "ldr r1, =data_end",
    "ldr r2, =data_load",
    "1: cmp r0, r1",
    "bhs 2f",
    "ldr r3, [r2], #4",
    "str r3, [r0], #4",
    "b 1b",
    "2: ldr r0, =bss_start",
    "ldr r1, =bss_end",
    "movs r3, #0",
    "3: cmp r0, r1",
    "bhs 4f",
    "str r3, [r0], #4",
    "b 3b",
    // The floating-point unit, where there is one.
    "4: ldr r0, =0xe000ed88",
    "ldr r1, [r0]",
    "orr r1, r1, #0xf00000",
    "str r1, [r0]",
    "dsb",
    "isb",
    "bl start",
    "b finish",
    ".thumb_func",
    "fault:",
    "movs r0, #2",
    // Exits with the status in r0.
    ".thumb_func",
    "finish:",
    "ldr r1, =0x20026",
    "push {{r0}}",
    "push {{r1}}",
    "movs r0, #0x20",
    "mov r1, sp",
    "bkpt 0xab",
    "b .",
);

const OPEN: usize = 0x01;
const PRINT: usize = 0x04;
const WRITE: usize = 0x05;
const READ: usize = 0x06;
const SEEK: usize = 0x0a;
/// Modes of files, as `fopen` has them: `r+b` and `w+b`.
const CHANGED: usize = 3;
const MADE: usize = 7;

/// Calls the host that runs the emulator.
fn call(operation: usize, argument: *const usize) -> usize {
    let result;
    // SAFETY: what the argument points to outlives the call, and the host accesses only what that describes.
    unsafe { asm!("bkpt 0xab", inlateout("r0") operation => result, in("r1") argument) };
    result
}

/// Prints text.
pub fn print(text: &str) {
    for bytes in text.as_bytes().chunks(64) {
        // The host wants a zero behind it.
        let mut piece = [0; 65];
        piece.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
        call(PRINT, piece.as_ptr().cast());
    }
}

/// Prints a number.
pub fn print_number(mut number: u32) {
    let mut text = [0; 11];
    let (digits, _) = text.split_at_mut(10);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let leading = text.iter().take(9).take_while(|&&digit| digit == b'0').count();
    if let Some(rest) = text.get(leading..) {
        call(PRINT, rest.as_ptr().cast());
    }
}

/// A file in place of flash: two slots, one behind the other. Like some flash it is programmed in units of eight bytes.
pub struct Slots {
    handle: usize,
}

const NAME: &CStr = c"adaptation.bin";
const UNIT: usize = 8;
const SLOT_BYTES: usize = slot_bytes(STATE_BYTES, UNIT);

impl Slots {
    /// The file, which is made with two erased slots if it is not there.
    pub fn open() -> Option<Self> {
        let open = |mode: usize| {
            let handle = call(OPEN, [NAME.as_ptr() as usize, mode, NAME.count_bytes()].as_ptr());
            (handle as isize != -1).then_some(Self { handle })
        };
        if let Some(there) = open(CHANGED) {
            return Some(there);
        }
        let mut made = open(MADE)?;
        made.erase(0).and_then(|()| made.erase(1)).ok()?;
        Some(made)
    }

    /// Reads or writes so many bytes at this place.
    fn transfer(
        &mut self,
        operation: usize,
        (slot, at): (usize, usize),
        bytes: *const u8,
        count: usize,
    ) -> Result<(), Failed> {
        let place = slot.wrapping_mul(SLOT_BYTES).wrapping_add(at);
        let sought = call(SEEK, [self.handle, place].as_ptr()) == 0;
        // The host says how many bytes are left.
        let done = sought && call(operation, [self.handle, bytes as usize, count].as_ptr()) == 0;
        if done { Ok(()) } else { Err(Failed) }
    }
}

impl Store for Slots {
    fn slot_bytes(&self) -> usize {
        SLOT_BYTES
    }

    fn unit(&self) -> usize {
        UNIT
    }

    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        (0..SLOT_BYTES).step_by(UNIT).try_for_each(|at| self.program(slot, at, &[0xff; UNIT]))
    }

    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        self.transfer(WRITE, (slot, at), bytes.as_ptr(), bytes.len())
    }

    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        self.transfer(READ, (slot, at), into.as_mut_ptr(), into.len())
    }
}

/// Never called: nothing here panics. A program must have one.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
