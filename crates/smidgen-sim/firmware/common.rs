//! Runs a program on a bare core: start-up, semihosting, a painted stack. Made by smidgen.
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
/// Bytes below the first frame that are painted: more stack than this is only known to be more.
const PAINTED: usize = 16 * 1024;

/// Makes `$main`, a `fn() -> bool`, the program: it exits with status 0 if that returns true.
#[macro_export]
macro_rules! main {
    ($main:path) => {
        /// Called by the start-up code.
        #[unsafe(no_mangle)]
        pub extern "C" fn program() -> ! {
            $crate::runtime::exit($main())
        }
    };
}

unsafe extern "C" {
    fn program() -> !;
}

/// Initialises memory, paints the stack below the caller, and runs the program.
///
/// # Safety
/// Called once, by the start-up code, on the stack that the linker script gives.
unsafe extern "C" fn initialise() -> ! {
    // SAFETY: the symbols delimit memory that nothing else uses yet; the painted part ends 64 bytes below this frame.
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
        let here = 0u32;
        let end = ((&raw const here) as usize - 64) as *mut u32;
        let lowest = (end as usize).saturating_sub(PAINTED) as *mut u32;
        let mut to = addr_of_mut!(stack_low).max(lowest);
        while to < end {
            to.write_volatile(PAINT);
            to = to.add(1);
        }
        program()
    }
}

/// The most bytes of stack used so far.
pub fn stack_used() -> usize {
    // SAFETY: reads between the linker's bounds, which are mapped memory.
    unsafe {
        let top = addr_of_mut!(stack_top);
        let lowest = (top as usize).saturating_sub(PAINTED) as *mut u32;
        let mut at = addr_of_mut!(stack_low).max(lowest);
        while at < top && at.read_volatile() == PAINT {
            at = at.add(1);
        }
        top as usize - at as usize
    }
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

fn open(name: &core::ffi::CStr, mode: usize) -> Option<usize> {
    let block = [name.as_ptr() as usize, mode, name.to_bytes().len()];
    let handle = call(OPEN, block.as_ptr() as usize);
    (handle as isize != -1).then_some(handle)
}

/// Fills `to` from the start of a file of the host; true if the file has at least as many bytes.
pub fn read(name: &core::ffi::CStr, to: &mut [u8]) -> bool {
    let Some(handle) = open(name, READ_BINARY) else { return false };
    let block = [handle, to.as_mut_ptr() as usize, to.len()];
    let missing = call(READ, block.as_ptr() as usize);
    call(CLOSE, [handle].as_ptr() as usize);
    missing == 0
}

/// Makes a file of the host with these bytes; true if that worked.
pub fn write(name: &core::ffi::CStr, from: &[u8]) -> bool {
    let Some(handle) = open(name, WRITE_BINARY) else { return false };
    let block = [handle, from.as_ptr() as usize, from.len()];
    let missing = call(WRITE, block.as_ptr() as usize);
    call(CLOSE, [handle].as_ptr() as usize);
    missing == 0
}

/// Prints text on the host.
pub fn print(text: &str) {
    if let Some(handle) = open(c":tt", WRITE_BINARY) {
        call(WRITE, [handle, text.as_ptr() as usize, text.len()].as_ptr() as usize);
        call(CLOSE, [handle].as_ptr() as usize);
    }
}

/// Ends the emulation, with status 0 or 1.
pub fn exit(well: bool) -> ! {
    let block = [APPLICATION_EXIT, usize::from(!well)];
    call(EXIT_EXTENDED, block.as_ptr() as usize);
    call(EXIT, if well { APPLICATION_EXIT } else { 0 });
    loop {}
}

/// Any panic ends the emulation with status 1.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    print("panic\n");
    exit(false)
}
