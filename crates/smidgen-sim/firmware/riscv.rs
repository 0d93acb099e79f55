/// A call to the host.
#[inline(always)]
fn call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the block that `argument` points to outlives the call; the host reads and writes only what it describes.
    unsafe {
        core::arch::asm!(
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") operation => result,
            in("a1") argument,
        );
    }
    result
}

/// The stack pointer.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mv {0}, sp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// An instruction that does nothing but be counted by the plug-in.
#[inline(always)]
pub fn marker() {
    // SAFETY: it writes to the register that is always zero.
    unsafe { core::arch::asm!("xori x0, x0, 1") };
}

core::arch::global_asm!(
    ".section .vectors, \"ax\"",
    ".global VECTORS",
    ".global reset",
    "VECTORS:",
    "reset:",
    "la sp, stack_top",
    "j start",
);

/// Runs once there is a stack.
///
/// # Safety
/// Called by the code at the reset address.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".harness_text")]
unsafe extern "C" fn start() -> ! {
    // SAFETY: the first thing to run with a stack.
    unsafe { initialise() }
}
