//! What a program needs to run on a bare emulated core: memory layout, start-up code and semihosting.
//!
//! The runtime is one Rust file that is put beside the program's own `main.rs`; it paints the stack, so that the deepest use can be
//! read afterwards, and talks to the host by semihosting.

use crate::machine::{self, UnknownMachine};
use smidgen_boards::{Board, Core};
use std::fmt::Write;

/// The runtime module (`mod runtime;`) for Arm cores.
const ARM_RUNTIME: &str = include_str!("../firmware/arm.rs");
/// The runtime module for RISC-V.
const RISCV_RUNTIME: &str = include_str!("../firmware/riscv.rs");
/// The part of the runtime that both share.
const COMMON_RUNTIME: &str = include_str!("../firmware/common.rs");

/// Source of the runtime module for a core. It exports `main!(function)`, files and text by semihosting (`File`, `read`, `write`,
/// `print`, `exit`), the stack (`paint_stack`, `stack_pointer`, `deepest_stack`, `stack_overflowed`) and `marker`. All of it lies
/// in sections of its own.
pub fn runtime(core: Core) -> String {
    let start = if core == Core::Rv32imc { RISCV_RUNTIME } else { ARM_RUNTIME };
    format!("{COMMON_RUNTIME}\n{start}")
}

/// Linker script for running on the board's emulator: the addresses are the machine's, the sizes the board's own, so that what does
/// not fit the board does not link. The stack takes what the variables leave and must be at least `stack` bytes.
///
/// # Errors
/// [`UnknownMachine`] if the memory map of the board's machine is not known.
pub fn linker_script(board: &Board, stack: u32) -> Result<String, UnknownMachine> {
    let map = machine::map(board)?;
    let mut script = String::new();
    for (name, bank) in [("FLASH", map.flash), ("SRAM", map.sram), ("HARNESS", map.harness)] {
        let _ = writeln!(script, "{name}_ORIGIN = {:#x};\n{name}_LENGTH = {};", bank.origin, bank.bytes);
    }
    let _ = writeln!(script, "LEAST_STACK = {stack};");
    script.push_str(include_str!("../firmware/link.ld"));
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_has_a_linker_script_with_its_own_sizes() {
        for board in smidgen_boards::builtin() {
            let script = linker_script(board, 1024).unwrap();
            assert!(script.contains("LEAST_STACK = 1024;"), "{}", board.name);
        }
        let script = linker_script(&smidgen_boards::find("stm32f746").unwrap(), 2048).unwrap();
        assert!(script.contains("SRAM_LENGTH = 327680;") && script.contains("FLASH_ORIGIN = 0x0;"), "{script}");
    }
}
