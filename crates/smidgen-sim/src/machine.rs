//! The emulator's machines: where their memories lie, and where there is room for what is the harness's own.

use smidgen_boards::Board;

/// Addresses from `origin` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bank {
    /// First address.
    pub origin: u32,
    /// Size in bytes.
    pub bytes: u32,
}

/// Memory of a machine as it stands in for a board: addresses are the machine's, sizes the board's own (or the machine's where its
/// bank is smaller).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Map {
    /// Code and constants.
    pub flash: Bank,
    /// Variables and stack.
    pub sram: Bank,
    /// Memory that no board has, for the harness's buffers.
    pub harness: Bank,
    /// What the emulator must be told to have that much memory.
    pub arguments: Vec<String>,
}

/// The board has no machine whose memory map is known.
#[derive(Debug, thiserror::Error)]
#[error("board `{board}` is emulated by `{machine}`, whose memory map is not known; known are {}", MACHINES.join(", "))]
pub struct UnknownMachine {
    board: String,
    machine: String,
}

/// The machines whose memory maps are known.
pub const MACHINES: [&str; 7] =
    ["mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547", "microbit", "virt"];

/// Room for an input, its outputs, and what is read from and written to the host.
const HARNESS: u32 = 1 << 20;

/// The memories of a board's machine.
///
/// # Errors
/// [`UnknownMachine`].
pub fn map(board: &Board) -> Result<Map, UnknownMachine> {
    let machine = board.qemu.as_ref().map_or("", |q| q.machine.as_str());
    let bank = |origin, most: u32, wanted: u32| Bank { origin, bytes: wanted.min(most) };
    let (flash, sram) = (board.flash.bytes, board.sram.bytes);
    let mut arguments = Vec::new();
    let (flash, sram, harness) = match machine {
        // Arm AN385, AN386, AN500: SSRAM1 at 0, SSRAM2 and 3 at 0x2000_0000; PSRAM.
        "mps2-an385" | "mps2-an386" | "mps2-an500" => {
            let psram = if machine == "mps2-an500" { 0x6000_0000 } else { 0x2100_0000 };
            (bank(0, 4 << 20, flash), bank(0x2000_0000, 4 << 20, sram), psram)
        }
        // Arm AN505: SSRAM1 of 4 MiB, its last one for the harness; SSRAM2. The secure aliases.
        "mps2-an505" => (bank(0x1000_0000, 3 << 20, flash), bank(0x3800_0000, 2 << 20, sram), 0x1030_0000),
        // Arm AN547: ITCM, DTCM, and the secure alias of the SRAM of 2 MiB.
        "mps3-an547" => (bank(0, 512 << 10, flash), bank(0x2000_0000, 512 << 10, sram), 0x1100_0000),
        // nRF51: the emulated chip can be given any memory; flash in whole pages.
        "microbit" => {
            let (flash, sram) = (bank(0, 8 << 20, flash), bank(0x2000_0000, 8 << 20, sram));
            let size = |name: &str, bytes: u32| format!("nrf51-soc.{name}={bytes}");
            arguments.extend(["-global".to_owned(), size("flash-size", flash.bytes.next_multiple_of(1024))]);
            let all = sram.bytes.next_multiple_of(4096) + HARNESS;
            arguments.extend(["-global".to_owned(), size("sram-size", all)]);
            (flash, sram, sram.origin + sram.bytes.next_multiple_of(4096))
        }
        // One memory of 128 MiB.
        "virt" => (bank(0x8000_0000, 16 << 20, flash), bank(0x8100_0000, 16 << 20, sram), 0x8200_0000),
        _ => return Err(UnknownMachine { board: board.name.clone(), machine: machine.to_owned() }),
    };
    Ok(Map { flash, sram, harness: Bank { origin: harness, bytes: HARNESS }, arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_has_a_map_whose_banks_are_apart() {
        for board in smidgen_boards::builtin() {
            let map = map(board).unwrap();
            let mut banks = [map.flash, map.sram, map.harness];
            banks.sort_by_key(|b| b.origin);
            assert!(banks.windows(2).all(|w| w[0].origin + w[0].bytes <= w[1].origin), "{}: {map:?}", board.name);
        }
        let mut board = smidgen_boards::find("stm32f746").unwrap();
        assert_eq!(map(&board).unwrap().sram, Bank { origin: 0x2000_0000, bytes: 327_680 });
        board.qemu = Some(smidgen_boards::Qemu { machine: "toaster".into() });
        assert!(map(&board).unwrap_err().to_string().contains("`toaster`"));
    }
}
