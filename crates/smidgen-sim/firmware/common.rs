//! Runs a program on a bare core: start-up, semihosting, a painted stack. Made by smidgen.
//!
//! What lies in `.harness` sections is counted neither as the program's code nor as its memory.
#![allow(dead_code)]

use core::ptr::addr_of_mut;

unsafe extern "C" {
    static mut data_start: u32;
    static mut data_end: u32;
    static data_load: u32;
    static mut bss_start: u32;
    static mut bss_end: u32;
    static mut stack_low: u32;
    static mut stack_top: u32;
}

const PAINT: u32 = 0xdead_57ac;
/// Bytes below the stack pointer that are painted: more stack than this is only known to be more.
const PAINTED: usize = 16 * 1024;

/// Makes `$main`, a `fn() -> bool`, the program: it exits with status 0 if that returns true.
#[macro_export]
macro_rules! main {
    ($main:path) => {
        /// Called by the start-up code.
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".harness_text")]
        pub extern "C" fn program() -> ! {
            $crate::runtime::exit($main())
        }
    };
}

unsafe extern "C" {
    fn program() -> !;
}

/// Initialises memory and runs the program.
///
/// # Safety
/// Called once, by the start-up code, on the stack that the linker script gives.
#[unsafe(link_section = ".harness_text")]
unsafe extern "C" fn initialise() -> ! {
    // SAFETY: the symbols delimit memory that nothing else uses yet.
    unsafe {
        let mut from = &raw const data_load;
        let mut to = addr_of_mut!(data_start);
        while to < addr_of_mut!(data_end) {
            to.write_volatile(from.read_volatile());
            (from, to) = (from.add(1), to.add(1));
        }
        let mut to = addr_of_mut!(bss_start);
        while to < addr_of_mut!(bss_end) {
            to.write_volatile(0);
            to = to.add(1);
        }
        program()
    }
}

/// The lowest address that is painted.
#[inline(always)]
fn paint_from(stack: usize) -> *mut u32 {
    addr_of_mut!(stack_low).max((stack.saturating_sub(PAINTED) & !3) as *mut u32)
}

/// Paints the stack below the caller, so that [`deepest_stack`] tells what is used from now on.
#[inline(always)]
pub fn paint_stack() {
    let end = stack_pointer();
    let mut to = paint_from(end);
    while (to as usize) < end {
        // SAFETY: what lies between the linker's bound and the stack pointer is memory that nobody uses; there are no interrupts.
        unsafe {
            to.write_volatile(PAINT);
            to = to.add(1);
        }
    }
}

/// The most bytes of stack used below `from`, a stack pointer at which the stack was painted.
#[unsafe(link_section = ".harness_text")]
#[inline(never)]
pub fn deepest_stack(from: usize) -> usize {
    let mut at = paint_from(from);
    // SAFETY: reads between the linker's bounds, which are mapped memory.
    while (at as usize) < from && unsafe { at.read_volatile() } == PAINT {
        // SAFETY: still below the stack pointer.
        at = unsafe { at.add(1) };
    }
    from - at as usize
}

/// True if the stack has reached the lowest address that is its own (or more than is painted).
#[inline(always)]
pub fn stack_overflowed(from: usize) -> bool {
    // SAFETY: reads a word of the stack's memory.
    unsafe { paint_from(from).read_volatile() != PAINT }
}

const OPEN: usize = 0x01;
const CLOSE: usize = 0x02;
const WRITE: usize = 0x05;
const READ: usize = 0x06;
const EXIT: usize = 0x18;
const EXIT_EXTENDED: usize = 0x20;
const READ_BINARY: usize = 1;
const WRITE_BINARY: usize = 5;
const APPLICATION_EXIT: usize = 0x2_0026;

/// A file of the host.
pub struct File(usize);

impl File {
    #[inline(always)]
    fn with_mode(name: &[u8], mode: usize) -> Option<Self> {
        let block = [name.as_ptr() as usize, mode, name.len() - 1];
        let handle = call(OPEN, block.as_ptr() as usize);
        (handle as isize != -1).then_some(Self(handle))
    }

    /// Opens a file to read it from its start; the name ends in a zero byte.
    #[inline(always)]
    pub fn open(name: &[u8]) -> Option<Self> {
        Self::with_mode(name, READ_BINARY)
    }

    /// Makes a file, or empties it, to write it; the name ends in a zero byte.
    #[inline(always)]
    pub fn create(name: &[u8]) -> Option<Self> {
        Self::with_mode(name, WRITE_BINARY)
    }

    /// Fills `to` with the next bytes; true if there were as many.
    #[inline(always)]
    pub fn read(&self, to: &mut [u8]) -> bool {
        let block = [self.0, to.as_mut_ptr() as usize, to.len()];
        call(READ, block.as_ptr() as usize) == 0
    }

    /// Appends these bytes; true if that worked.
    #[inline(always)]
    pub fn write(&self, from: &[u8]) -> bool {
        let block = [self.0, from.as_ptr() as usize, from.len()];
        call(WRITE, block.as_ptr() as usize) == 0
    }

    /// Closes it.
    #[inline(always)]
    pub fn close(self) {
        call(CLOSE, [self.0].as_ptr() as usize);
    }
}

#[unsafe(link_section = ".harness_constants")]
static TERMINAL: [u8; 4] = *b":tt\0";
#[unsafe(link_section = ".harness_constants")]
static PANIC: [u8; 6] = *b"panic\n";

/// Prints text on the host.
#[inline(always)]
pub fn print(text: &[u8]) {
    if let Some(terminal) = File::create(&TERMINAL) {
        terminal.write(text);
        terminal.close();
    }
}

/// Ends the emulation, with status 0 or 1.
#[unsafe(link_section = ".harness_text")]
pub fn exit(well: bool) -> ! {
    let block = [APPLICATION_EXIT, usize::from(!well)];
    call(EXIT_EXTENDED, block.as_ptr() as usize);
    call(EXIT, if well { APPLICATION_EXIT } else { 0 });
    loop {}
}

/// Any panic ends the emulation with status 1.
#[panic_handler]
#[unsafe(link_section = ".harness_text")]
fn panic(_: &core::panic::PanicInfo) -> ! {
    print(&PANIC);
    exit(false)
}
