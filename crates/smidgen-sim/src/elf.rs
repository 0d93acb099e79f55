//! Sizes and symbols of an ELF file.

use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use std::path::Path;

/// A function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    /// Name as in the file.
    pub name: String,
    /// First address, without the Thumb bit.
    pub address: u64,
    /// Bytes; 0 where the file does not say.
    pub size: u64,
}

/// What the sections of a firmware take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Bytes of code in flash.
    pub code: u64,
    /// Bytes of constants in flash.
    pub constants: u64,
    /// Bytes of initialised variables: they take flash and SRAM.
    pub data: u64,
    /// Bytes of variables that begin as zero.
    pub bss: u64,
}

/// The file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// From the system.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The reason.
        source: std::io::Error,
    },
    /// It is not an ELF file.
    #[error("{path} is not a readable ELF file: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
}

/// A section that takes memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// First address; 0 for what is in the file alone.
    pub address: u64,
    /// Bytes.
    pub bytes: u64,
}

/// An ELF file's sizes, functions in ascending order of address, and undefined or defined names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Elf {
    /// Section sizes.
    pub sizes: Sizes,
    /// The sections.
    pub sections: Vec<Section>,
    /// Functions.
    pub functions: Vec<Symbol>,
    /// Variables, and what else has an address and is no function, in ascending order of address.
    pub variables: Vec<Symbol>,
    /// Every symbol name, sorted.
    pub names: Vec<String>,
}

impl Elf {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ElfError`].
    pub fn read(path: &Path) -> Result<Self, ElfError> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| ElfError::Read { path: shown.clone(), source })?;
        Self::parse(&bytes).map_err(|reason| ElfError::Malformed { path: shown, reason })
    }

    /// Bytes of a section; 0 if there is none of that name.
    pub fn section(&self, name: &str) -> u64 {
        self.sections.iter().filter(|s| s.name == name).map(|s| s.bytes).sum()
    }

    /// Addresses of the sections of these names.
    pub fn section_ranges<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = std::ops::Range<u64>> + 'a {
        let named = self.sections.iter().filter(|s| names.contains(&s.name.as_str()));
        named.map(|s| s.address..s.address + s.bytes)
    }

    /// Where the variable, or the place that the linker script names, begins.
    pub fn address(&self, name: &str) -> Option<u64> {
        self.variables.iter().find(|v| v.name == name).map(|v| v.address)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = object::File::parse(bytes).map_err(|e| e.to_string())?;
        let mut elf = Self::default();
        for section in file.sections() {
            let size = section.size();
            if let Ok(name) = section.name() {
                elf.sections.push(Section { name: name.to_owned(), address: section.address(), bytes: size });
            }
            match section.kind() {
                SectionKind::Text => elf.sizes.code += size,
                SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => elf.sizes.constants += size,
                SectionKind::Data => elf.sizes.data += size,
                SectionKind::UninitializedData => elf.sizes.bss += size,
                _ => {}
            }
        }
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else { continue };
            if name.is_empty() || name.starts_with('$') {
                continue;
            }
            elf.names.push(name.to_owned());
            if matches!(symbol.kind(), object::SymbolKind::Data | object::SymbolKind::Unknown) {
                elf.variables.push(Symbol { name: name.to_owned(), address: symbol.address(), size: symbol.size() });
            }
            if symbol.kind() == object::SymbolKind::Text && symbol.is_definition() {
                let thumb = matches!(file.architecture(), object::Architecture::Arm);
                let address = if thumb { symbol.address() & !1 } else { symbol.address() };
                elf.functions.push(Symbol { name: name.to_owned(), address, size: symbol.size() });
            }
        }
        elf.names.sort();
        elf.names.dedup();
        for symbols in [&mut elf.functions, &mut elf.variables] {
            symbols.sort_by(|a, b| a.address.cmp(&b.address).then(a.size.cmp(&b.size)));
        }
        Ok(elf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_has_code_and_functions() {
        let elf = Elf::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(elf.sizes.code > 10_000 && elf.sizes.constants > 1_000);
        assert!(elf.functions.len() > 100);
        assert!(elf.functions.windows(2).all(|w| w[0].address <= w[1].address));
    }

    #[test]
    fn what_is_not_an_elf_file_is_an_error() {
        assert!(Elf::parse(b"not an object file at all").is_err());
        assert!(matches!(Elf::read(Path::new("no/such/file")), Err(ElfError::Read { .. })));
    }
}
