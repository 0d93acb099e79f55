/// A call to the host.
#[inline(always)]
fn call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the block that `argument` points to outlives the call; the host reads and writes only what it describes.
    unsafe {
        core::arch::asm!("bkpt 0xab", inlateout("r0") operation => result, in("r1") argument);
    }
    result
}

/// The stack pointer.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {0}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// An instruction that does nothing but be counted by the plug-in.
#[inline(always)]
pub fn marker() {
    // SAFETY: a hint without effect.
    unsafe { core::arch::asm!("yield") };
}

core::arch::global_asm!(
    ".section .vectors, \"a\"",
    ".global VECTORS",
    "VECTORS:",
    ".word stack_top",
    ".word reset",
    ".rept 14",
    ".word fault",
    ".endr",
    ".section .harness_text, \"ax\"",
    ".thumb_func",
    ".global fault",
    "fault:",
    "movs r0, #0x18",
    "movs r1, #0",
    "bkpt 0xab",
    "b fault",
);

/// First instruction after reset.
///
/// # Safety
/// Called by the processor.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".harness_text")]
pub unsafe extern "C" fn reset() -> ! {
    // SAFETY: the first thing to run; enabling the floating-point unit where there is one touches no memory.
    unsafe {
        #[cfg(target_abi = "eabihf")]
        {
            let cpacr = 0xe000_ed88 as *mut u32;
            cpacr.write_volatile(cpacr.read_volatile() | 0xf << 20);
            core::arch::asm!("dsb", "isb");
        }
        initialise()
    }
}
