//! A kernel that does nothing but touch memory as a case tells it: with it the check of accesses is itself checked.

use super::{ARENA, Arguments, CONSTANTS, limits};
use crate::calls::Reader;

/// Makes one access: words say in which buffer, at which offset, how wide, and whether it is a store.
#[inline(never)]
pub fn run(kernel: u32, mut arguments: Arguments) -> bool {
    if kernel != limits::STRAY {
        return false;
    }
    let [buffer, offset, bytes, store] = [(); 4].map(|()| arguments.word());
    let buffer: *mut u8 = if buffer == 0 { (&raw mut ARENA).cast() } else { (&raw mut CONSTANTS).cast() };
    let at = buffer.wrapping_offset(offset as i32 as isize);
    // SAFETY: as much as a kernel that goes astray. The host draws what lies in one of the firmware's own buffers or beside it.
    unsafe {
        match (bytes, store != 0) {
            (1, false) => _ = at.read_volatile(),
            (1, true) => at.write_volatile(1),
            (_, false) => _ = at.cast::<u32>().read_volatile(),
            (_, true) => at.cast::<u32>().write_volatile(1),
        }
    }
    true
}
