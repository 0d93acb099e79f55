//! The examples in Rust and C on emulated boards: they learn, keep that over a restart, and refuse what is damaged.

use super::{classifier, succeed};
use smidgen::boards::{self, Board};
use smidgen::sim::checks::check;
use smidgen::sim::elf::Elf;
use smidgen::sim::qemu;
use smidgen::sim::toolchain::Toolchain;
use smidgen_kernels::store::{self, Failed, Store, slot_bytes};
use smidgen_reference::{Lack, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const GCC: &str = "arm-none-eabi-gcc";
const CLASSES: &str = "3";
const STORE: &str = "adaptation.bin";

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

/// Copies a file of the examples.
fn copy(name: &str, folder: &Path) {
    let to = folder.join(name);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(example(name), to).unwrap();
}

/// Writes code that learns for a board, in Rust and C.
fn compile(folder: &Path, board: &str, emit: &str, name: &str, out: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen"));
    command.current_dir(folder).args(["adapt", "compile", "model.tflite", "--classes", CLASSES, "--scheme", "full"]);
    succeed(command.args(["--board", board, "--emit", emit, "--name", name, "-o", out]));
}

/// The example in Rust, built for a board.
fn rust(folder: &Path, board: &Board, toolchain: &Toolchain) -> PathBuf {
    for file in ["Cargo.toml", "build.rs", "src/main.rs", "src/board.rs", "src/pictures.rs"] {
        copy(&format!("on-device-training/{file}"), folder);
    }
    copy("c/link.ld", folder);
    let project = folder.join("on-device-training");
    compile(folder, &board.name, "rust", "model", "on-device-training/model");
    // In the workspace's target folder, where `core` stays compiled.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("on-device-training").join(&board.name);
    let mut build = toolchain.cargo("rustc");
    build.args(["--release", "--target-dir"]).arg(&target).current_dir(&project).arg("--");
    build.arg(format!("-Clinker={}", toolchain.linker.program.display()));
    build.arg(format!("-Clinker-flavor={}", toolchain.linker.flavour));
    succeed(&mut build);
    target.join(&toolchain.target).join("release/on-device-training")
}

/// The example in C, built for a board; nothing, with a note, if there is no compiler.
fn c(folder: &Path, board: &Board) -> Option<PathBuf> {
    if let Err(error) = Command::new(GCC).arg("--version").output() {
        skip(Lack::Tool, "the example that learns, in C", &format!("{GCC}: {error}"));
        return None;
    }
    compile(folder, &board.name, "c", "learner", "out");
    let mut gcc = Command::new(GCC);
    gcc.current_dir(folder).args(board.core.gcc_flags()).args(board.core.float_flags(true));
    gcc.args(["-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c11"]);
    gcc.args(["-Iout/c/include", "-Wl,--gc-sections"]);
    gcc.args([example("on-device-training-c/main.c"), example("c/startup.c")]).arg("out/c/lib/liblearner.a");
    gcc.arg("-T").arg(example("c/link.ld")).args(["-o", "learner.elf"]);
    succeed(&mut gcc);
    Some(folder.join("learner.elf"))
}

/// What the example says after `when:`: of the pictures that are shown and of ten others, how many it is right about.
fn right(console: &str, when: &str) -> [u32; 2] {
    let line = console.lines().find_map(|line| line.strip_prefix(&format!("{when}: right about ")));
    let line = line.unwrap_or_else(|| panic!("no `{when}` in:\n{console}"));
    let numbers: Vec<u32> = line.split([' ', '\n']).filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("not two numbers in `{line}`"))
}

/// The file that the examples keep adaptations in, as a memory.
struct Slots(PathBuf, usize);

impl Slots {
    fn file(&self) -> Vec<u8> {
        fs::read(&self.0).unwrap()
    }
}

impl Store for Slots {
    fn slot_bytes(&self) -> usize {
        self.1
    }

    fn unit(&self) -> usize {
        8
    }

    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        let mut bytes = self.file();
        bytes[slot * self.1..][..self.1].fill(0xff);
        fs::write(&self.0, bytes).map_err(|_| Failed)
    }

    fn program(&mut self, slot: usize, at: usize, from: &[u8]) -> Result<(), Failed> {
        let mut bytes = self.file();
        bytes[slot * self.1 + at..][..from.len()].copy_from_slice(from);
        fs::write(&self.0, bytes).map_err(|_| Failed)
    }

    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        into.copy_from_slice(&self.file()[slot * self.1 + at..][..into.len()]);
        Ok(())
    }
}

/// Starts the firmware again and again, as its user would, and gives what the first start printed.
fn starts(board: &Board, elf: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join(STORE);
    let start = || match qemu::run(board, elf, folder.path(), None, Duration::from_secs(300)) {
        Ok(outcome) => outcome.console,
        Err(error) => panic!("{}: {error}", board.name),
    };
    let first = start();
    assert!(first.starts_with("no adaptation was loaded: there is none\n"), "{first}");
    assert!(first.ends_with("the adaptation was exported\n"), "{first}");
    let (before, after) = (right(&first, "before"), right(&first, "after"));
    // The other ten say how much of that is of use elsewhere, which so small a network does not promise.
    assert!(before[0] <= 5 && after[0] >= 8, "{first}");
    // Loaded, and not learnt: nothing is written.
    let exported = fs::read(&store).unwrap();
    let second = start();
    assert!(second.starts_with("an adaptation was loaded\n"), "{second}");
    assert_eq!(right(&second, "loaded"), after, "{second}");
    assert!(!second.contains("pass") && fs::read(&store).unwrap() == exported, "{second}");
    // What is refused leaves the factory's weights, from which it learns the same once more.
    let slot = exported.len() / 2;
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = exported.clone();
        change(&mut bytes);
        bytes
    };
    let foreign = {
        let state = vec![1; slot - slot_bytes(0, 8)];
        fs::write(&store, vec![0xff; 2 * slot]).unwrap();
        store::export(&mut Slots(store.clone(), slot), 7, &state).unwrap();
        fs::read(&store).unwrap()
    };
    for (bytes, reason) in [
        (change(&|bytes| bytes[64] ^= 16), "it is damaged"),
        (change(&|bytes| bytes[20] ^= 1), "its header is damaged"),
        (change(&|bytes| bytes.truncate(slot / 2)), "it is incomplete"),
        (foreign, "it is another network's"),
    ] {
        fs::write(&store, bytes).unwrap();
        let console = start();
        assert!(console.starts_with(&format!("no adaptation was loaded: {reason}\n")), "{console}");
        assert_eq!(right(&console, "before"), before, "{console}");
        assert_eq!(console.split_once('\n').unwrap().1, first.split_once('\n').unwrap().1);
        assert_eq!(start(), second);
    }
    first
}

/// What firmware that learns must not have in it.
fn is_clean(elf: &Path) {
    let found = check(&Elf::read(elf).unwrap());
    assert!(
        found.panics.is_empty() && found.heap.is_empty() && found.floats.is_empty(),
        "{}: {found:?}",
        elf.display()
    );
}

#[test]
fn the_examples_learn_and_keep_what_they_have_learnt() {
    let mut said = Vec::new();
    // One core with a floating-point unit, one without.
    for name in ["mps2-an500", "mps2-an385"] {
        let board = boards::find(name).unwrap();
        let findings = smidgen::sim::doctor::examine(board.core);
        if !findings.simulates() {
            skip(Lack::Tool, &format!("the examples that learn on {name}"), &findings.advice().join(" "));
            continue;
        }
        let toolchain = Toolchain::find(board.core.target()).expect("it simulates");
        let folder = tempfile::tempdir().unwrap();
        classifier(folder.path(), 3);
        let elf = rust(folder.path(), &board, &toolchain);
        is_clean(&elf);
        said.push(starts(&board, &elf));
        if let Some(elf) = c(folder.path(), &board) {
            is_clean(&elf);
            said.push(starts(&board, &elf));
        }
    }
    // The same pictures, the same integers.
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{said:#?}");
}
