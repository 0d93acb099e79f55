//! Builds a static library for a core, so that C programs can link it beside others of its kind.

use crate::build::{BuildError, compile};
use crate::cache;
use crate::harness::Files;
use crate::toolchain::Toolchain;
use ar_archive_writer::{ArchiveKind, DEFAULT_OBJECT_READER, NewArchiveMember, write_archive_to_stream};
use object::build::Id;
use object::build::elf::{Builder, Section, SectionData, SectionId, SymbolId};
use object::elf::{SHF_LINK_ORDER, SHT_STRTAB, STB_GLOBAL, STB_LOCAL, STB_WEAK};
use object::read::archive::ArchiveFile;
use smidgen_boards::Core;
use std::collections::{HashMap, HashSet};
use std::io::Cursor;

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
    let archive = std::fs::read(&path).map_err(|source| BuildError::Cache { path, source })?;
    drop(lock);
    cache::bound();
    prune(&archive, &format!("{name}_")).map_err(|error| BuildError::Archive(error.to_string()))
}

/// A section of an object file: the file's place in the archive, and the section's in the file.
type Place = (usize, usize);

/// The archive with what the functions whose names begin with `prefix` need, and nothing else: no bitcode, no debug information, none of
/// the standard library's functions that nobody calls. What is left of names that are somebody else's is made weak.
fn prune(archive: &[u8], prefix: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let file = ArchiveFile::parse(archive)?;
    let mut objects = Vec::new();
    for member in file.members() {
        let member = member?;
        let data = member.data(archive)?;
        if data.starts_with(b"\x7fELF") {
            objects.push((String::from_utf8_lossy(member.name()).into_owned(), Builder::read32(data)?));
        }
    }
    let needed = needed(&objects, prefix);
    let mut members = Vec::new();
    for (at, (name, mut object)) in objects.into_iter().enumerate() {
        if !needed.iter().any(|&(place, _)| place == at) {
            continue;
        }
        keep(&mut object, prefix, |section| needed.contains(&(at, section.index())));
        let mut bytes = Vec::new();
        object.write(&mut bytes)?;
        members.push(NewArchiveMember::new(bytes, &DEFAULT_OBJECT_READER, name));
    }
    let mut out = Cursor::new(Vec::new());
    write_archive_to_stream(&mut out, &members, ArchiveKind::Gnu, false, None)?;
    Ok(out.into_inner())
}

/// The sections that can be reached from functions with the prefix, by the relocations in them.
fn needed(objects: &[(String, Builder<'_>)], prefix: &str) -> HashSet<Place> {
    let mut definitions: HashMap<&[u8], Place> = HashMap::new();
    let mut references: HashMap<Place, Vec<(usize, SymbolId)>> = HashMap::new();
    let mut waiting = Vec::new();
    for (at, (_, object)) in objects.iter().enumerate() {
        for symbol in &object.symbols {
            let Some(section) = symbol.section else { continue };
            if symbol.st_bind() != STB_LOCAL {
                // The first definition counts, as for a linker.
                definitions.entry(symbol.name.as_slice()).or_insert((at, section.index()));
                if symbol.name.starts_with(prefix.as_bytes()) {
                    waiting.push((at, section.index()));
                }
            }
        }
        for section in &object.sections {
            if let (SectionData::Relocation(relocations), Some(of)) = (&section.data, section.sh_info_section) {
                let symbols = relocations.iter().filter_map(|relocation| Some((at, relocation.symbol?)));
                references.entry((at, of.index())).or_default().extend(symbols);
            }
        }
    }
    let mut needed = HashSet::new();
    while let Some(place) = waiting.pop() {
        if !needed.insert(place) {
            continue;
        }
        for &(at, symbol) in references.get(&place).into_iter().flatten() {
            let symbol = objects[at].1.symbols.get(symbol);
            let found = match symbol.section {
                Some(section) => Some((at, section.index())),
                None => definitions.get(symbol.name.as_slice()).copied(),
            };
            waiting.extend(found);
        }
        // What unwinds a function belongs to it.
        let (at, section) = place;
        let belongs = |other: &&Section<'_>| {
            other.is_alloc()
                && other.sh_link_section.is_some_and(|of| of.index() == section)
                && other.sh_flags & u64::from(SHF_LINK_ORDER) != 0
        };
        waiting.extend(objects[at].1.sections.iter().filter(belongs).map(|other| (at, other.id().index())));
    }
    needed
}

/// Deletes the sections of an object that are not needed, and their symbols and relocations; makes symbols weak that are visible and do not
/// have the prefix.
fn keep(object: &mut Builder<'_>, prefix: &str, needed: impl Fn(SectionId) -> bool) {
    for section in &mut object.sections {
        let tables = matches!(
            section.data,
            SectionData::SectionString | SectionData::Symbol | SectionData::SymbolSectionIndex | SectionData::String
        );
        let attributes = matches!(section.data, SectionData::Attributes(_));
        let relocations = matches!(section.data, SectionData::Relocation(_));
        // Relocations stay with what they are for.
        let of = if relocations { section.sh_info_section } else { Some(section.id()) };
        section.delete = !(tables || attributes || of.is_some_and(&needed));
    }
    // LLVM keeps the names of sections and of symbols in one table; the builder writes two.
    if !object.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        let names = object.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    object.delete_orphan_symbols();
    let mut used = HashSet::new();
    for section in object.sections.iter().filter(|section| !section.delete) {
        if let SectionData::Relocation(relocations) = &section.data {
            used.extend(relocations.iter().filter_map(|relocation| Some(relocation.symbol?.index())));
        }
    }
    for symbol in &mut object.symbols {
        // Mapping symbols tell a disassembler code from data; names of files and of nothing in particular tell nobody anything.
        let mapping = symbol.name.starts_with(b"$") && symbol.section.is_some();
        let local = symbol.st_bind() == STB_LOCAL;
        let idle = (local || symbol.section.is_none()) && !mapping && !used.contains(&symbol.id().index());
        symbol.delete |= idle;
        if symbol.st_bind() == STB_GLOBAL && symbol.section.is_some() && !symbol.name.starts_with(prefix.as_bytes()) {
            symbol.set_st_info(STB_WEAK, symbol.st_type());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_archive_is_not_taken_apart() {
        for bytes in [&b""[..], b"!<arch>\nshort", &[b'x'; 200], b"\x7fELF\x01\x01"] {
            assert!(prune(bytes, "a_").is_err());
        }
    }
}
