//! Builds a static library for a core, so that C programs can link it beside others of its kind.

use crate::build::{BuildError, compile};
use crate::cache;
use crate::harness::Files;
use crate::toolchain::Toolchain;
use smidgen_boards::Core;

/// Compiles the project, whose library is called `name` and exports names that begin with it, and gives the archive's bytes.
///
/// Every Rust library brings what the language needs (a panic handler, arithmetic helpers) under names of its own choice. These are
/// made weak, so that two such libraries, or one and a program in Rust, can be linked together.
///
/// # Errors
/// [`BuildError`].
pub fn library(files: &Files, name: &str, core: Core, toolchain: &Toolchain) -> Result<Vec<u8>, BuildError> {
    let (lock, folder) = compile(files, core, toolchain, |_| Vec::new())?;
    let path = folder.join(format!("lib{name}.a"));
    let mut archive = std::fs::read(&path).map_err(|source| BuildError::Cache { path, source })?;
    drop(lock);
    cache::bound();
    weaken(&mut archive, &format!("{name}_"));
    Ok(archive)
}

/// Makes every global symbol of an archive of 32-bit little-endian ELF files weak, but those that begin with `prefix`. What is no such
/// file is left as it is.
fn weaken(archive: &mut [u8], prefix: &str) {
    const MAGIC: &[u8] = b"!<arch>\n";
    const HEADER: usize = 60;
    let mut at = MAGIC.len();
    while let Some(header) = archive.get(at..at + HEADER) {
        let size = std::str::from_utf8(&header[48..58]).ok().and_then(|text| text.trim().parse::<usize>().ok());
        let Some(size) = size else { return };
        let (start, end) = (at + HEADER, at + HEADER + size);
        if let Some(member) = archive.get_mut(start..end) {
            weaken_object(member, prefix);
        }
        at = end.next_multiple_of(2);
    }
}

/// The same for one member; nothing where it is not what is expected.
fn weaken_object(elf: &mut [u8], prefix: &str) -> Option<()> {
    const SYMBOL_TABLE: u32 = 2;
    const SYMBOL: usize = 16;
    const SECTION: usize = 40;
    let (global, weak) = (1u8, 2u8);
    if !elf.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let sections = word(elf, 32)?;
    let count = half(elf, 48)?;
    for i in 0..count {
        let section = sections + i * SECTION;
        if word(elf, section + 4)? != SYMBOL_TABLE as usize {
            continue;
        }
        let (start, size) = (word(elf, section + 16)?, word(elf, section + 20)?);
        let names = word(elf, sections + word(elf, section + 24)? * SECTION + 16)?;
        for symbol in (start..start + size).step_by(SYMBOL) {
            let name = elf.get(names + word(elf, symbol)?..)?;
            let ours = name.starts_with(prefix.as_bytes());
            let info = *elf.get(symbol + 12)?;
            if info >> 4 == global && half(elf, symbol + 14)? != 0 && !ours {
                elf[symbol + 12] = weak << 4 | info & 0xf;
            }
        }
    }
    Some(())
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_archive_is_left_alone() {
        for bytes in [&b""[..], b"!<arch>\n", b"!<arch>\nshort", &[b'x'; 200], b"\x7fELF\x01\x01"] {
            let mut changed = bytes.to_vec();
            weaken(&mut changed, "a_");
            assert_eq!(changed, bytes);
            weaken_object(&mut changed, "a_");
            assert_eq!(changed, bytes);
        }
    }
}
