//! Every kernel on emulated cores, by random cases: shapes, strides, paddings, rings, tiles.
//!
//! The host draws the cases from a seed, computes each with the simplest kernel that gives the same, with every access checked, and
//! hands them to a firmware that links all kernels with certified memory. What the firmware leaves in the arena must be what the host
//! expects, to the byte, outside the kernel's scratch; and every load and store must lie in the operands of the case. This is where
//! hand-written assembly is tested. By default on the Cortex-M7
//! alone; with `SMIDGEN_ALL_CORES=1` on one of each kind. `SMIDGEN_CASES` asks for another number of cases a kernel, and
//! `SMIDGEN_KERNEL` for one kernel alone.

#[path = "firmware/calls.rs"]
mod calls;
mod cases;
mod certified;
mod firmware;
#[path = "firmware/floats.rs"]
mod floats;
mod generate;
mod generate_floats;
mod generate_int16;
mod generate_int16_layers;
mod generate_mcu;
mod generate_recurrent;
mod generate_training;
mod space;
mod watch;

use calls::{Kernel, Memory, Plain, Reader};
use cases::{Call, Case, Id};
use floats::FloatKernel;
use smidgen_boards::Board;
use smidgen_kernels::{Arena, Checked, Flash};
use smidgen_reference::{Lack, skip};
use smidgen_sim::elf::Elf;
use smidgen_sim::qemu::{self, Outcome, QemuError};
use smidgen_synthetic::Random;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use watch::Watch;

/// Most bytes of a case's parts. The smallest emulated board has 16 KiB of SRAM for them and the stack.
struct Limits {
    words: usize,
    constants: usize,
    arena: usize,
}

const LIMITS: Limits = if cfg!(miri) {
    // Miri takes a thousand times as long; some constants are tables of 2,052 bytes.
    Limits { words: 1024, constants: 2304, arena: 1024 }
} else {
    Limits { words: 1024, constants: 6144, arena: 6144 }
};

/// Bytes at an address that suits every type.
pub struct Aligned(Vec<u64>);

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self(words)
    }
}

struct HostArena<'a>(&'a mut [u64]);

impl<'a> Memory<'a, Checked> for HostArena<'a> {
    fn arena<T: Plain>(self) -> Arena<'a, T> {
        Arena::new(bytemuck::cast_slice_mut(self.0))
    }
}

struct HostReader<'a> {
    words: std::slice::Iter<'a, u32>,
    constants: &'a [u64],
}

impl<'a> Reader<'a, Checked> for HostReader<'a> {
    fn word(&mut self) -> u32 {
        *self.words.next().expect("a case has all arguments")
    }

    fn constant<T: Plain>(&mut self, offset: usize, count: usize) -> Flash<'a, T> {
        let bytes: &[u8] = bytemuck::cast_slice(self.constants);
        Flash::new(bytemuck::cast_slice(&bytes[offset..offset + count * size_of::<T>()]))
    }
}

/// What a call leaves of an arena on the host.
fn run(call: &Call, arena: &[u8]) -> Vec<u8> {
    let (mut memory, constants) = (Aligned::new(arena), Aligned::new(&call.constants));
    let mut reader = HostReader { words: call.words.iter(), constants: &constants.0 };
    let run = if call.kernel.number < 1000 { calls::run } else { floats::run };
    assert!(run(call.kernel.number, HostArena(&mut memory.0), &mut reader), "{} has a number", call.kernel.name);
    assert!(reader.words.next().is_none(), "a case has no more arguments than its kernel");
    bytemuck::cast_slice(&memory.0)[..arena.len()].to_vec()
}

/// Cases of a kernel that keep to the limits.
fn draw(generator: &Generator, count: usize) -> Vec<Case> {
    let mut random = Random::new(generator.kernel.number.into());
    let fits = |case: &Case| {
        let call = &case.call;
        assert!(call.words.len() * 4 <= LIMITS.words, "{} has too many arguments", call.kernel.name);
        call.constants.len() <= LIMITS.constants && case.arena.len() <= LIMITS.arena
    };
    std::iter::repeat_with(|| (generator.draw)(&mut random)).filter(fits).take(count).collect()
}

/// The file that the firmware reads.
fn file(cases: &[Case]) -> Vec<u8> {
    let mut file = Vec::new();
    for Case { call, arena, .. } in cases {
        let header = [call.kernel.number as usize, call.words.len() * 4, call.constants.len(), arena.len()];
        header.iter().for_each(|&n| file.extend((n as u32).to_le_bytes()));
        call.words.iter().for_each(|w| file.extend(w.to_le_bytes()));
        file.extend_from_slice(&call.constants);
        file.extend_from_slice(arena);
    }
    file
}

/// The first byte that differs outside the scratch. Processors differ in the bits of what is not a number, and may.
fn difference(expected: &[u8], given: &[u8], scratch: &Range<usize>, floats: bool) -> Option<usize> {
    let is_nan = |bytes: &[u8], i: usize| {
        let word = i / 4 * 4;
        bytes[word..].first_chunk().is_some_and(|&four| f32::from_le_bytes(four).is_nan())
    };
    let nan = |i| floats && is_nan(expected, i) && is_nan(given, i);
    (0..expected.len()).find(|&i| !scratch.contains(&i) && expected[i] != given[i] && !nan(i))
}

/// Draws cases of one kernel.
struct Generator {
    kernel: Id,
    draw: Box<dyn Fn(&mut Random) -> Case>,
}

fn generators(floats: bool) -> Vec<Generator> {
    let name = std::env::var("SMIDGEN_KERNEL").unwrap_or_default();
    let integers = Kernel::ALL
        .iter()
        .map(|&k| Generator { kernel: k.into(), draw: Box::new(move |random| generate::generate(k, random)) });
    let float = FloatKernel::ALL
        .iter()
        .map(|&k| Generator { kernel: k.into(), draw: Box::new(move |random| generate_floats::generate(k, random)) });
    let all: Vec<Generator> = if floats { integers.chain(float).collect() } else { integers.collect() };
    all.into_iter().filter(|g| name.is_empty() || g.kernel.name == name).collect()
}

fn cases(floats: bool) -> Vec<Case> {
    let few = if cfg!(miri) { 1 } else { 40 };
    let count = std::env::var("SMIDGEN_CASES").map_or(few, |n| n.parse().expect("SMIDGEN_CASES is a number"));
    generators(floats).iter().flat_map(|generator| draw(generator, count)).collect()
}

fn check(case: &Case, expected: &[u8], given: &[u8], place: &str) {
    if let Some(at) = difference(expected, given, &case.scratch, case.call.kernel.number >= 1000) {
        panic!(
            "{} on {place}: byte {at} of the arena is {} instead of {}\nscratch {:?}\narguments {:?}",
            case.call.kernel.name, given[at] as i8, expected[at] as i8, case.scratch, case.call.words
        );
    }
}

#[test]
fn kernels_give_what_the_simple_ones_give_on_the_host() {
    for case in cases(true) {
        let Some(oracle) = &case.oracle else { continue };
        check(&case, &run(oracle, &case.arena), &run(&case.call, &case.arena), "the host");
    }
}

#[test]
fn certified_memory_gives_what_checked_memory_gives() {
    for case in cases(true) {
        // With checks first: only then may they be left out.
        let checked = run(&case.call, &case.arena);
        check(&case, &checked, &certified::run(&case.call, &case.arena), "the host, certified");
    }
}

/// The boards that tests run on: one, or one of each kind of core.
fn boards() -> Vec<Board> {
    let names: &[&str] = if std::env::var_os("SMIDGEN_ALL_CORES").is_some() {
        &["mps2-an500", "mps2-an386", "mps2-an385", "microbit", "mps2-an505", "mps3-an547", "riscv32-virt"]
    } else {
        &["mps2-an500"]
    };
    names.iter().map(|name| smidgen_boards::find(name).expect("a board that comes with smidgen")).collect()
}

#[test]
fn kernels_give_the_same_bytes_on_emulated_cores() {
    // Floats are the same everywhere, but only on one core fast enough and small enough to be worth it.
    for (i, board) in boards().iter().enumerate() {
        let floats = i == 0;
        let Some(elf) = firmware::build(board, floats) else { continue };
        let cases = cases(floats);
        let expected: Vec<Vec<u8>> =
            cases.iter().map(|case| run(case.oracle.as_ref().unwrap_or(&case.call), &case.arena)).collect();
        run_on(board, &elf, &cases, &expected, &generators(floats));
    }
}

/// The functions that each kernel of the table calls, by the table's own text.
fn table() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smidgen-program/src/kernel");
    let mut kernels = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the kernel table").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a file of the kernel table");
        for declared in text.split("\ncall!(").skip(1) {
            let (name, rest) = declared.split_once('(').expect("a kernel's name");
            let calls = rest.split(");\n").next().unwrap_or_default().split("=> ").skip(1);
            let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
            let path = |call: &str| call.split(end).next().unwrap_or_default().trim_end_matches(':').to_owned();
            kernels.push((name.to_owned(), calls.map(path).filter(|path| !path.is_empty()).collect()));
        }
    }
    kernels
}

#[test]
#[cfg_attr(miri, ignore = "it reads files")]
fn every_function_of_the_kernel_table_has_cases() {
    let cases = concat!(include_str!("firmware/calls.rs"), include_str!("firmware/floats.rs"));
    let has = |path: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        cases.match_indices(path).any(|(at, _)| {
            // A call may name its types: `conv2d::<Int8, _>`.
            let behind = &cases[at + path.len()..];
            !cases[..at].ends_with(word) && (behind.starts_with("::<") || !behind.starts_with(word))
        })
    };
    let table = table();
    for name in smidgen_program::Kernel::NAMES {
        let Some((_, paths)) = table.iter().find(|(known, _)| known == name) else {
            panic!("{name}: no `call!` of this kernel is found");
        };
        assert!(!paths.is_empty(), "{name}: its `call!` names no function");
        for path in paths {
            let short = path.replace("int8::mcu::", "mcu::").replace("int16::mcu::", "mcu16::");
            let short = short.replace("int8::fast::", "fast::");
            assert!(
                has(path) || has(&short),
                "{name}: no case calls `{path}`; it wants a line in firmware/calls.rs or floats.rs and a generator"
            );
        }
    }
}

/// Nothing that could panic is left in a firmware with all kernels, and nothing that computes with floats in one without `float`.
#[test]
fn certified_kernels_have_no_way_to_panic() {
    for board in boards() {
        for floats in [false, true] {
            let Some(elf) = firmware::build(&board, floats) else { continue };
            let names = Elf::read(&elf).unwrap().names;
            let found =
                |unwanted: &dyn Fn(&str) -> bool| -> Vec<&String> { names.iter().filter(|n| unwanted(n)).collect() };
            assert!(names.iter().any(|n| n.contains("transpose_conv")), "{}: kernels have symbols", board.name);
            let panics =
                found(&|n| n.contains("panicking") || n.contains("slice_index") || n.contains("unwrap_failed"));
            assert!(panics.is_empty(), "{}, floats {floats}: {panics:#?}", board.name);
            if !floats {
                let soft = found(&is_float);
                assert!(soft.is_empty(), "{}: {soft:#?}", board.name);
            }
        }
    }
}

/// Names of routines for floating point: libm's, the Arm run-time ABI's (`__aeabi_fadd`, `__aeabi_i2d`), and GCC's (`__addsf3`).
fn is_float(name: &str) -> bool {
    let arm = name.strip_prefix("__aeabi_").is_some_and(|n| {
        let n = n.trim_start_matches(['u', 'i', 'l']);
        n.starts_with(['f', 'd', 'h', '2']) && !n.starts_with("div")
    });
    let gcc = name.starts_with("__")
        && ["sf", "df"].iter().any(|mode| name.trim_end_matches(['2', '3', 'i']).ends_with(mode));
    arm || gcc || name.contains("libm")
}

#[test]
fn float_routines_are_known_by_name() {
    for name in
        ["__aeabi_fadd", "__aeabi_dmul", "__aeabi_i2d", "__aeabi_ul2f", "__aeabi_d2iz", "__addsf3", "__floatsidf"]
    {
        assert!(is_float(name), "{name}");
    }
    for name in ["__aeabi_idiv", "__aeabi_uidivmod", "__aeabi_ldivmod", "__aeabi_lmul", "__aeabi_llsl", "__divsi3"] {
        assert!(!is_float(name), "{name}");
    }
}

/// Runs cases, each access watched: what was allowed, what came of it, and the results; `None`, and a word on it, without the emulator.
fn run_cases(board: &Board, elf: &Path, cases: &[Case]) -> Option<(Watch, Outcome, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cases.bin"), file(cases)).unwrap();
    let watch = Watch::new(elf, cases);
    let results = || std::fs::read(folder.path().join("results.bin"));
    match qemu::run_watched(board, elf, folder.path(), None, &watch.allowed, Duration::from_secs(500)) {
        Ok(outcome) => Some((watch, outcome, results().unwrap())),
        Err(QemuError::Missing { program, .. }) => {
            skip(Lack::Tool, &board.name, &format!("{program} is not installed"));
            None
        }
        Err(error) => {
            let strays = match &error {
                QemuError::Failed { strays, .. } => watch.report(strays, cases),
                _ => String::new(),
            };
            // The last case that came back says where it stopped.
            let done = results().unwrap_or_default().len();
            let mut bytes = 0;
            let stopped = cases.iter().find(|case| {
                bytes += case.arena.len();
                bytes > done
            });
            let at = stopped.map(|case| (case.call.kernel.name, &case.call.words));
            panic!("{}: {error}\nat {at:?}\n{strays}", board.name);
        }
    }
}

fn run_on(board: &Board, elf: &Path, cases: &[Case], expected: &[Vec<u8>], generators: &[Generator]) {
    let Some((watch, outcome, results)) = run_cases(board, elf, cases) else { return };
    let strays = watch.report(&outcome.counts.strays, cases);
    assert!(strays.is_empty(), "{}: accesses outside the operands\n{strays}", board.name);
    let mut rest = &results[..];
    for (case, expected) in cases.iter().zip(expected) {
        let Some((given, after)) = rest.split_at_checked(expected.len()) else {
            panic!("{}: no result of {}", board.name, case.call.kernel.name)
        };
        check(case, expected, given, &board.name);
        rest = after;
    }
    assert!(rest.is_empty(), "{}: {} bytes more than expected", board.name, rest.len());
    // What is between a case's two markers, and not what is between two cases.
    let counts: Vec<u64> = outcome.counts.between_markers().into_iter().step_by(2).collect();
    assert_eq!(counts.len(), cases.len(), "{}", board.name);
    for Generator { kernel, .. } in generators {
        let own = counts.iter().zip(cases).filter(|(_, case)| case.call.kernel == *kernel);
        eprintln!("{}: {} {} instructions", board.name, kernel.name, own.map(|(count, _)| count).sum::<u64>());
    }
}
