//! A small program on emulated cores: it reads a file, computes, writes a file, and its loop is counted exactly. By default on the
//! Cortex-M7 alone; with `SMIDGEN_ALL_CORES=1` on all of them, which may compile `core` for each.

use smidgen_boards::{Board, Core};
use smidgen_reference::{Lack, skip};
use smidgen_sim::{elf::Elf, firmware, qemu, toolchain::Toolchain};
use std::path::Path;
use std::time::Duration;

const MAIN: &str = r#"
#![no_std]
#![no_main]
mod runtime;
main!(work);

static mut BUFFER: [u8; 16] = [7; 16];

fn work() -> bool {
    let buffer = unsafe { &mut *(&raw mut BUFFER) };
    let top = runtime::stack_pointer();
    runtime::paint_stack();
    let Some(input) = runtime::File::open(b"input.bin\0") else { return false };
    input.read(buffer) && {
        runtime::marker();
        let mut sum = 0u8;
        for b in buffer.iter_mut() {
            sum = sum.wrapping_add(unsafe { core::ptr::read_volatile(b) });
        }
        runtime::marker();
        buffer[0] = sum;
        runtime::print(b"done\n");
        let Some(output) = runtime::File::create(b"output.bin\0") else { return false };
        let written = output.write(&buffer[..8]) && output.write(&buffer[8..]);
        output.close();
        written && runtime::deepest_stack(top) < 1024 && !runtime::stack_overflowed(top)
    }
}
"#;

fn build(folder: &Path, core: Core, script: &str, toolchain: &Toolchain) -> std::path::PathBuf {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                    [profile.release]\npanic = \"abort\"\nopt-level = 3\ndebug = true\n[workspace]\n";
    write("Cargo.toml", manifest);
    write("src/main.rs", MAIN);
    write("src/runtime.rs", &firmware::runtime(core));
    write("link.ld", script);
    // `core` may have to be built: once for each target, not once for each board.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cores");
    let output = toolchain
        .cargo("rustc")
        .args(["--release", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .arg("--")
        .args(toolchain.link_arguments(&folder.join("link.ld")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{core}: {}", String::from_utf8_lossy(&output.stderr));
    target.join(core.target()).join("release/probe")
}

#[test]
fn a_program_runs_on_every_core() {
    let all = std::env::var_os("SMIDGEN_ALL_CORES").is_some();
    let wanted = |b: &&Board| if all { b.note.starts_with("emulated") } else { b.name == "mps2-an500" };
    for board in smidgen_boards::builtin().iter().filter(wanted) {
        let Ok(toolchain) = Toolchain::find(board.core.target()) else {
            skip(Lack::Tool, &board.name, &format!("no toolchain for {}", board.core.target()));
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let script = firmware::linker_script(board, 1024).unwrap();
        let elf = build(folder.path(), board.core, &script, &toolchain);
        std::fs::write(folder.path().join("input.bin"), [3u8; 16]).unwrap();
        let outcome = match qemu::run(board, &elf, folder.path(), None, Duration::from_secs(60)) {
            Ok(outcome) => outcome,
            Err(qemu::QemuError::Missing { program, .. }) => {
                skip(Lack::Tool, &board.name, &format!("{program} is not installed"));
                continue;
            }
            Err(error) => panic!("{}: {error}", board.name),
        };
        assert_eq!(outcome.console, "done\n", "{}", board.name);
        let mut expected = [3u8; 16];
        expected[0] = 48;
        assert_eq!(std::fs::read(folder.path().join("output.bin")).unwrap(), expected, "{}", board.name);
        let between = outcome.counts.between_markers();
        assert_eq!(between.len(), 1, "{}", board.name);
        // At the least a load for each byte.
        assert!((16..400).contains(&between[0]), "{}: {between:?}", board.name);
        let sizes = Elf::read(&elf).unwrap().sizes;
        assert!(sizes.code > 100 && sizes.data >= 16, "{}: {sizes:?}", board.name);
        let mix = outcome.counts.mix(board.core);
        if board.core != Core::Rv32imc {
            assert!(mix.loads > 16 && mix.branches > 16, "{}: {mix:?}", board.name);
        }
        let window = qemu::run(board, &elf, folder.path(), Some(0..1), Duration::from_secs(60)).unwrap();
        // The opening marker itself is among them.
        assert_eq!(window.counts.total(), between[0] + 1, "{}", board.name);
        eprintln!("{}: {} instructions, {between:?} between markers", board.name, outcome.counts.total());
    }
}
