//! Boards as data: one TOML file each, and a user's own file works the same way.
//!
//! ```toml
//! name = "my-board"
//! title = "My board, revision B"
//! core = "cortex-m4"          # cortex-m0, -m0plus, -m3, -m4, -m7, -m33, -m55, rv32imc
//! clock_mhz = 80
//! note = "anything a reader should know"
//!
//! [sram]
//! origin = 0x20000000
//! bytes = 131072              # what the network and the application share
//!
//! [flash]
//! origin = 0x08000000
//! bytes = 524288
//!
//! [qemu]                      # optional: the machine that emulates the same core
//! machine = "mps2-an386"
//! ```
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Processor cores that code can be generated for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Core {
    /// Armv6-M.
    CortexM0,
    /// Armv6-M.
    #[serde(rename = "cortex-m0plus")]
    CortexM0Plus,
    /// Armv7-M, no DSP instructions.
    CortexM3,
    /// Armv7E-M with DSP instructions.
    CortexM4,
    /// Armv7E-M with DSP instructions, up to two instructions a cycle.
    CortexM7,
    /// Armv8-M Mainline with DSP instructions.
    CortexM33,
    /// Armv8.1-M with vector instructions (MVE).
    CortexM55,
    /// 32-bit RISC-V with multiplication and compressed instructions.
    Rv32imc,
}

impl Core {
    /// Every core.
    pub const ALL: [Core; 8] = [
        Self::CortexM0,
        Self::CortexM0Plus,
        Self::CortexM3,
        Self::CortexM4,
        Self::CortexM7,
        Self::CortexM33,
        Self::CortexM55,
        Self::Rv32imc,
    ];

    /// The name used in board files, such as `cortex-m4`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CortexM0 => "cortex-m0",
            Self::CortexM0Plus => "cortex-m0plus",
            Self::CortexM3 => "cortex-m3",
            Self::CortexM4 => "cortex-m4",
            Self::CortexM7 => "cortex-m7",
            Self::CortexM33 => "cortex-m33",
            Self::CortexM55 => "cortex-m55",
            Self::Rv32imc => "rv32imc",
        }
    }

    /// The name for people, such as `Cortex-M0+`.
    pub fn title(self) -> &'static str {
        match self {
            Self::CortexM0 => "Cortex-M0",
            Self::CortexM0Plus => "Cortex-M0+",
            Self::CortexM3 => "Cortex-M3",
            Self::CortexM4 => "Cortex-M4",
            Self::CortexM7 => "Cortex-M7",
            Self::CortexM33 => "Cortex-M33",
            Self::CortexM55 => "Cortex-M55",
            Self::Rv32imc => "RISC-V (rv32imc)",
        }
    }

    /// The Rust target that code for this core is compiled for.
    pub fn target(self) -> &'static str {
        match self {
            Self::CortexM0 | Self::CortexM0Plus => "thumbv6m-none-eabi",
            Self::CortexM3 => "thumbv7m-none-eabi",
            Self::CortexM4 | Self::CortexM7 => "thumbv7em-none-eabihf",
            Self::CortexM33 | Self::CortexM55 => "thumbv8m.main-none-eabihf",
            Self::Rv32imc => "riscv32imc-unknown-none-elf",
        }
    }

    /// Flags for the Rust compiler that the target's name alone does not imply: DSP and vector instructions are optional in Armv8-M.
    pub fn rustc_flags(self) -> &'static [&'static str] {
        match self {
            Self::CortexM33 => &["-Ctarget-cpu=cortex-m33"],
            Self::CortexM55 => &["-Ctarget-cpu=cortex-m55"],
            _ => &[],
        }
    }

    /// Flags for GCC and Clang that name the core, floating point aside.
    pub fn gcc_flags(self) -> [String; 2] {
        match self {
            Self::Rv32imc => ["-march=rv32imc".to_owned(), "-mabi=ilp32".to_owned()],
            arm => [format!("-mcpu={arm}"), "-mthumb".to_owned()],
        }
    }

    /// Flags for GCC and Clang for how floating-point numbers are passed: in registers of a floating-point unit, which is the least that a
    /// core of this kind with one has, or in ordinary ones. None for a core that leaves no choice.
    pub fn float_flags(self, hard: bool) -> &'static [&'static str] {
        match (self, hard) {
            (Self::CortexM4, true) => &["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
            (Self::CortexM7 | Self::CortexM33, true) => &["-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
            (Self::CortexM55, true) => &["-mfloat-abi=hard"],
            (Self::CortexM4 | Self::CortexM7 | Self::CortexM33 | Self::CortexM55, false) => &["-mfloat-abi=soft"],
            (Self::CortexM0 | Self::CortexM0Plus | Self::CortexM3, _) => &["-mfloat-abi=soft"],
            (Self::Rv32imc, _) => &[],
        }
    }

    /// True if the core has the dual 16-bit multiply-accumulate instructions of Armv7E-M.
    pub fn has_dsp(self) -> bool {
        self.feature() == Some("dsp")
    }

    /// The feature of the kernels' crate that says which instructions an Arm core has. Stable compilers do not say so themselves.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Self::CortexM4 | Self::CortexM7 | Self::CortexM33 | Self::CortexM55 => Some("dsp"),
            Self::CortexM3 => Some("armv7m"),
            Self::CortexM0 | Self::CortexM0Plus => Some("armv6m"),
            Self::Rv32imc => None,
        }
    }
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A contiguous memory of a board.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// First address.
    pub origin: u32,
    /// Size in bytes.
    pub bytes: u32,
}

/// The emulator's counterpart of a board.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// QEMU's machine name; it has the same core (or, for Cortex-M0+, the instruction-compatible M0).
    pub machine: String,
}

/// One board.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Short name for the command line: lower case, digits and hyphens.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Processor core.
    pub core: Core,
    /// Highest clock in MHz.
    pub clock_mhz: u32,
    /// What a reader should know; may be empty.
    #[serde(default)]
    pub note: String,
    /// Memory for variables, stack and the arena.
    pub sram: Memory,
    /// Memory for code and constants.
    pub flash: Memory,
    /// The machine that emulates it, if there is one.
    pub qemu: Option<Qemu>,
}

/// Why a board could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// Neither a known name nor a file.
    #[error("no board is called `{name}`{}", hint(.similar))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Known names that look alike, best first.
        similar: Vec<String>,
    },
    /// The file could not be read.
    #[error("cannot read the board file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not a board.
    #[error("{origin} is not a board file: {reason}")]
    Malformed {
        /// Path of the file, or name of the text.
        origin: String,
        /// What is wrong, with line and column where known.
        reason: String,
    },
}

fn hint(similar: &[String]) -> String {
    if similar.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", similar.iter().map(|s| format!("`{s}`")).collect::<Vec<_>>().join(" or "))
    }
}

macro_rules! boards {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../boards/", $file, ".toml")))),*]
    };
}

/// The files that come with smidgen, in the order in which they are listed.
const FILES: [(&str, &str); 16] = boards![
    "stm32f412",
    "stm32f746",
    "stm32f765",
    "stm32h743",
    "nrf52840",
    "nano33-ble-sense",
    "rp2040",
    "rp2350",
    "esp32c3",
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps3-an547",
    "microbit",
    "riscv32-virt",
];

static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
    FILES.iter().map(|(name, text)| parse(text, name).expect("the tests parse every file that comes along")).collect()
});

/// The boards that come with smidgen: real ones first, then the emulator's own machines.
pub fn builtin() -> &'static [Board] {
    &BOARDS
}

/// Reads a board from TOML text; `origin` names the text in errors.
///
/// # Errors
/// [`BoardError::Malformed`] if the text is not TOML, a field is missing, unknown or of the wrong type, a memory is empty or
/// reaches past 4 GiB, or the name has other characters than lower-case letters, digits and hyphens.
pub fn parse(text: &str, origin: &str) -> Result<Board, BoardError> {
    let malformed = |reason: String| BoardError::Malformed { origin: origin.to_owned(), reason };
    let board: Board = toml::from_str(text).map_err(|e| malformed(e.to_string().trim_end().to_owned()))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if board.name.is_empty() || !board.name.chars().all(plain) {
        return Err(malformed(format!(
            "the name `{}` may only have lower-case letters, digits and hyphens",
            board.name
        )));
    }
    if board.clock_mhz == 0 {
        return Err(malformed("clock_mhz is 0".to_owned()));
    }
    for (what, memory) in [("sram", board.sram), ("flash", board.flash)] {
        if memory.bytes == 0 {
            return Err(malformed(format!("[{what}] has 0 bytes")));
        }
        if memory.origin.checked_add(memory.bytes - 1).is_none() {
            return Err(malformed(format!("[{what}] reaches past the 32-bit address space")));
        }
    }
    Ok(board)
}

/// Names under which a board's processor is sold as a kit, with the board that describes it.
const KITS: [(&str, &str); 23] = [
    ("nucleo-f412zg", "stm32f412"),
    ("disco-f412zg", "stm32f412"),
    ("32f412gdiscovery", "stm32f412"),
    ("nucleo-f746zg", "stm32f746"),
    ("disco-f746ng", "stm32f746"),
    ("stm32f746g-disco", "stm32f746"),
    ("32f746gdiscovery", "stm32f746"),
    ("openmv-cam-m7", "stm32f765"),
    ("nucleo-h743zi", "stm32h743"),
    ("nucleo-h743zi2", "stm32h743"),
    ("openmv-cam-h7", "stm32h743"),
    ("nrf52840-dk", "nrf52840"),
    ("nano-33-ble", "nano33-ble-sense"),
    ("arduino-nano-33-ble", "nano33-ble-sense"),
    ("arduino-nano-33-ble-sense", "nano33-ble-sense"),
    ("pico", "rp2040"),
    ("pico-w", "rp2040"),
    ("raspberry-pi-pico", "rp2040"),
    ("pico-2", "rp2350"),
    ("pico-2-w", "rp2350"),
    ("raspberry-pi-pico-2", "rp2350"),
    ("esp32-c3-devkitm-1", "esp32c3"),
    ("esp32-c3-devkitc-02", "esp32c3"),
];

/// A name without what people write differently: case, hyphens, underscores and spaces.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Finds a board by its name or that of a kit with its processor, in any case and with or without hyphens; or reads it from a file if
/// `name` ends in `.toml` or holds a path separator.
///
/// # Errors
/// [`BoardError`], which names boards of similar names where the name is not known.
pub fn find(name: &str) -> Result<Board, BoardError> {
    if let Some(board) = builtin().iter().find(|b| b.name == name) {
        return Ok(board.clone());
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|e| e == "toml") || path.components().count() > 1 {
        let text = read_small(path).map_err(|source| BoardError::Read { path: path.into(), source })?;
        return parse(&text, name);
    }
    let wanted = folded(name);
    let kit = KITS.iter().find(|(kit, _)| folded(kit) == wanted).map(|(_, board)| *board);
    if let Some(board) = builtin().iter().find(|b| folded(&b.name) == wanted || Some(b.name.as_str()) == kit) {
        return Ok(board.clone());
    }
    let wanted = name.to_ascii_lowercase();
    let mut scored: Vec<(f64, &Board)> =
        builtin().iter().map(|b| (strsim::jaro_winkler(&wanted, &b.name), b)).filter(|(s, _)| *s > 0.75).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let similar = scored.into_iter().take(3).map(|(_, b)| b.name.clone()).collect();
    Err(BoardError::Unknown { name: name.to_owned(), similar })
}

/// The text of a board's file: no device, and no more than a description can be.
fn read_small(path: &Path) -> std::io::Result<String> {
    const MOST_BYTES: u64 = 1 << 20;
    let found = std::fs::metadata(path)?;
    if !found.is_file() || found.len() > MOST_BYTES {
        let what = "it is not a regular file of at most 1 MiB";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_parses_and_is_named_like_its_board() {
        for (file, text) in FILES {
            let board = parse(text, file).unwrap();
            assert_eq!(board.name, file);
            assert!(board.qemu.is_some(), "{file}");
        }
        let on_disk = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/boards")).unwrap().count();
        assert_eq!(on_disk, FILES.len(), "a board file is missing from the list");
    }

    #[test]
    fn core_names_agree_with_their_serialised_form() {
        for core in Core::ALL {
            #[derive(Deserialize)]
            struct Holder {
                core: Core,
            }
            let holder: Holder = toml::from_str(&format!("core = \"{core}\"")).unwrap();
            assert_eq!(holder.core, core);
        }
    }

    #[test]
    fn boards_are_found_in_any_case_and_by_the_names_of_kits() {
        for (name, board) in [
            ("STM32F746", "stm32f746"),
            ("nucleo_f746zg", "stm32f746"),
            ("DISCO-F746NG", "stm32f746"),
            ("pico", "rp2040"),
            ("Pico 2", "rp2350"),
            ("ESP32-C3", "esp32c3"),
            ("Nano33_BLE_Sense", "nano33-ble-sense"),
        ] {
            assert_eq!(find(name).unwrap().name, board, "{name}");
        }
        for (kit, board) in KITS {
            assert!(
                builtin().iter().any(|b| b.name == board) && builtin().iter().all(|b| folded(&b.name) != folded(kit))
            );
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one() {
        let error = find("STM32F745").unwrap_err().to_string();
        assert!(error.contains("did you mean `stm32f746`"), "{error}");
        assert!(find("toaster").unwrap_err().to_string().ends_with("`toaster`"));
    }

    #[test]
    fn wrong_files_say_what_is_wrong() {
        let good = FILES[0].1;
        for (text, expected) in [
            ("", "missing field"),
            (&*good.replace("cortex-m4", "cortex-m5"), "unknown variant"),
            (&*good.replace("262144", "0"), "[sram] has 0 bytes"),
            (&*good.replace("0x08000000", "0xffffffff"), "[flash] reaches past"),
            (&*good.replace("clock_mhz", "clock"), "unknown field"),
            (&*good.replace("\"stm32f412\"", "\"STM32 F4\""), "may only have"),
        ] {
            let error = parse(text, "x.toml").unwrap_err().to_string();
            assert!(error.starts_with("x.toml is not a board file") && error.contains(expected), "{error}");
        }
        assert!(matches!(find("no/such.toml"), Err(BoardError::Read { .. })));
    }
}
