//! Runs the cases of a file, one after the other, and writes the arena that each leaves behind.
#![no_std]
#![no_main]

mod calls;
#[cfg(feature = "float")]
mod floats;
mod limits;
mod runtime;
mod stray;

use core::slice::from_raw_parts_mut;
use smidgen_kernels::{Arena, Certified, Flash};

main!(work);

// The host allows each case its parts of these, and finds them by their names.
#[repr(C, align(16))]
struct Buffer<const N: usize>([u8; N]);

#[unsafe(no_mangle)]
static mut WORDS: Buffer<{ limits::WORDS }> = Buffer([0; limits::WORDS]);
#[unsafe(no_mangle)]
static mut CONSTANTS: Buffer<{ limits::CONSTANTS }> = Buffer([0; limits::CONSTANTS]);
#[unsafe(no_mangle)]
static mut ARENA: Buffer<{ limits::ARENA }> = Buffer([0; limits::ARENA]);

struct Device;

impl<'a> calls::Memory<'a, Certified> for Device {
    fn arena<T: calls::Plain>(self) -> Arena<'a, T, Certified> {
        // SAFETY: the host has run the case with checks in an arena of no more bytes.
        unsafe { Arena::certified((&raw mut ARENA).cast()) }
    }
}

struct Arguments(*const u32);

impl<'a> calls::Reader<'a, Certified> for Arguments {
    fn word(&mut self) -> u32 {
        let at = self.0;
        self.0 = at.wrapping_add(1);
        // SAFETY: the host has read as many words with checks.
        unsafe { at.read() }
    }

    fn constant<T: calls::Plain>(&mut self, offset: usize, _: usize) -> Flash<'a, T, Certified> {
        // SAFETY: the host has run the case with checks.
        unsafe { Flash::certified((&raw const CONSTANTS).cast::<u8>().wrapping_add(offset).cast()) }
    }
}

/// The next `count` bytes of the file, at the start of a buffer.
fn fill(file: &runtime::File, buffer: *mut u8, count: u32) -> bool {
    // SAFETY: the host keeps to the limits, and the buffers are used by nothing else meanwhile.
    count == 0 || file.read(unsafe { from_raw_parts_mut(buffer, count as usize) })
}

fn work() -> bool {
    let (Some(cases), Some(results)) = (runtime::File::open(b"cases.bin\0"), runtime::File::create(b"results.bin\0")) else {
        return false;
    };
    let mut header = [0u32; 4];
    while fill(&cases, header.as_mut_ptr().cast(), 16) {
        let [kernel, words, constants, arena] = header;
        let ok = fill(&cases, (&raw mut WORDS).cast(), words)
            && fill(&cases, (&raw mut CONSTANTS).cast(), constants)
            && fill(&cases, (&raw mut ARENA).cast(), arena);
        if !ok {
            return false;
        }
        runtime::marker();
        let known = calls::run(kernel, Device, &mut Arguments((&raw const WORDS).cast()));
        let known = known || stray::run(kernel, Arguments((&raw const WORDS).cast()));
        #[cfg(feature = "float")]
        let known = known || floats::run(kernel, Device, &mut Arguments((&raw const WORDS).cast()));
        runtime::marker();
        // SAFETY: the host keeps to the limits.
        if !known || !results.write(unsafe { from_raw_parts_mut((&raw mut ARENA).cast(), arena as usize) }) {
            return false;
        }
    }
    results.close();
    true
}
