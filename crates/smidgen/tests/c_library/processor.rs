//! What a folder says of the processor that it is for, and that a user's build meets no warning.

use crate::{STRICT, built, compiled, gcc_output, library, write};
use smidgen::Network;
use smidgen::boards::{self, Board, Core};
use smidgen::compile::FloatAbi;
use smidgen::plan::ScheduleChoice;
use smidgen::sim::toolchain::Toolchain;
use smidgen_reference::{Lack, skip};
use smidgen_synthetic::{Precision, RandomGraphOptions, random_graph};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A board for each core.
const BOARDS: [&str; 8] =
    ["microbit", "rp2040", "mps2-an385", "nrf52840", "stm32f746", "rp2350", "mps3-an547", "esp32c3"];

/// Networks of integers and of floats, whole and pushed row by row.
fn networks() -> Vec<(&'static str, Network, ScheduleChoice, bool)> {
    let random = |seed| {
        let options = RandomGraphOptions { precision: Precision::Float32, ..RandomGraphOptions::default() };
        random_graph(seed, &options)
    };
    [
        ("demo", smidgen_synthetic::demo(1), ScheduleChoice::Auto, false),
        ("pushed", smidgen_synthetic::demo(2), ScheduleChoice::Stream, true),
        ("floats", random(5), ScheduleChoice::Layer, false),
    ]
    .map(|(name, graph, schedule, stream)| (name, Network::from_graph(graph).expect("a valid graph"), schedule, stream))
    .into()
}

/// Writes the networks' crates for a board, and a workspace around them.
fn workspace(folder: &Path, board: &Board) {
    let (mut members, mut without) = (String::new(), String::new());
    for (name, network, schedule, stream) in networks() {
        write(&folder.join(name), &compiled(&network, board, name, schedule, stream).rust);
        write!(members, "\"{name}\", ").unwrap();
        write!(without, "\"{name}/kernels\", ").unwrap();
    }
    // The profile that the crates' pages advise.
    let profile = "[profile.release]\nopt-level = \"s\"\nlto = true\ncodegen-units = 1\n";
    let manifest = format!("[workspace]\nmembers = [{members}]\nexclude = [{without}]\nresolver = \"3\"\n{profile}");
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
}

/// Checks the workspace for a board's core, the compiler being told these flags.
fn check(folder: &Path, toolchain: &Toolchain, flags: &[&str]) -> Output {
    // Dependencies in a workspace are held to the same as what is in it, as a user's are.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated-crates");
    let mut command = toolchain.cargo("check");
    command.args(["--workspace", "--release"]).current_dir(folder).env("CARGO_TARGET_DIR", target);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    command.output().expect("cargo")
}

#[test]
fn generated_crates_compile_without_a_warning_for_every_core() {
    let mut seen = BTreeSet::new();
    for name in BOARDS {
        let board = boards::find(name).unwrap();
        // The same target with the same flags and features gets the same text.
        if !seen.insert((board.core.target(), board.core.rustc_flags(), board.core.has_dsp())) {
            continue;
        }
        let toolchain = match Toolchain::find(board.core.target()) {
            Ok(toolchain) => toolchain,
            Err(error) => {
                skip(Lack::Tool, "generated crates", &error.to_string());
                continue;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        workspace(folder.path(), &board);
        let flags = [board.core.rustc_flags(), &["-Dwarnings"]].concat();
        let output = check(folder.path(), &toolchain, &flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning"), "{name}:\n{said}");
    }
}

#[test]
fn a_build_without_the_flags_of_its_processor_is_told_which_are_missing() {
    let board = boards::find("rp2350").unwrap();
    assert_eq!(board.core, Core::CortexM33);
    let Ok(toolchain) = Toolchain::find(board.core.target()) else {
        return skip(Lack::Tool, "generated crates", "no compiler for Armv8-M");
    };
    let folder = tempfile::tempdir().unwrap();
    workspace(folder.path(), &board);
    let output = check(folder.path(), &toolchain, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("rustflags = [\"-Ctarget-cpu=cortex-m33\"]"), "{said}");
    assert!(said.lines().count() < 40, "one cause is told once for each network, not for each instruction: {said}");
    let page = fs::read_to_string(folder.path().join("demo/README.md")).unwrap();
    assert!(page.contains("rustflags = [\"-Ctarget-cpu=cortex-m33\"]"), "{page}");
}

/// Every folder says what it is and under which terms, and what its example shows is what the crate has.
#[test]
fn folders_have_a_page_and_licences() {
    let board = boards::find("stm32f746").unwrap();
    for (name, network, schedule, stream) in networks() {
        let files = compiled(&network, &board, name, schedule, stream).rust;
        let text = |path: &str| String::from_utf8_lossy(&files[path]).into_owned();
        let page = text("README.md");
        for part in [name, "STM32F746", "thumbv7em-none-eabihf", "LICENSE-MIT", "features = false", "Model::new()"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for path in ["LICENSE-MIT", "LICENSE-APACHE", "kernels/LICENSE-MIT", "kernels/LICENSE-APACHE"] {
            assert!(text(path).contains("Licen"), "{path}");
        }
    }
}

#[test]
fn the_header_refuses_processors_that_the_library_is_not_for() {
    let network = Network::from_graph(smidgen_synthetic::demo(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hard = ["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"];
    let mut made = Vec::new();
    for (name, board, abi) in [
        ("fast", "stm32f746", FloatAbi::Hard),
        ("soft", "stm32f746", FloatAbi::Soft),
        ("least", "rp2040", FloatAbi::Hard),
        ("risc", "esp32c3", FloatAbi::Hard),
    ] {
        let board = boards::find(board).unwrap();
        let compiled = compiled(&network, &board, name, ScheduleChoice::Auto, false);
        let Some(files) = built(compiled.c_library(abi)) else { continue };
        write(folder.path(), &files);
        made.push(name);
    }
    // The library, the flags, and what the refusal says, if it is one.
    let cases: [(&str, &[&str], Option<&str>); 12] = [
        ("fast", &["-mcpu=cortex-m7", hard[0], hard[1]], None),
        ("fast", &["-mcpu=cortex-m4", hard[0], hard[1]], None),
        ("fast", &["-mcpu=cortex-m7", "-mfloat-abi=softfp", hard[1]], Some("-mfloat-abi=hard")),
        ("fast", &["-mcpu=cortex-m3"], Some("no DSP instructions")),
        ("fast", &["-mcpu=cortex-m0"], Some("-mcpu=cortex-m7")),
        ("fast", &["-mcpu=cortex-m0", "-DFAST_ANY_PROCESSOR"], None),
        ("soft", &["-mcpu=cortex-m7", "-mfloat-abi=softfp", hard[1]], None),
        ("soft", &["-mcpu=cortex-m7", hard[0], hard[1]], Some("--float-abi hard")),
        ("least", &["-mcpu=cortex-m0plus"], None),
        ("least", &["-mcpu=cortex-m33"], None),
        ("risc", &["-mcpu=cortex-m7"], Some("another processor")),
        ("risc", &["-mcpu=cortex-m7", "-DRISC_ANY_PROCESSOR"], None),
    ];
    for (name, flags, refused) in cases.into_iter().filter(|(name, ..)| made.contains(name)) {
        let header = format!("include/{name}.h");
        let syntax = ["-mthumb", "-x", "c", "-fsyntax-only", &header];
        let Some(output) = gcc_output(folder.path(), &[flags, &STRICT, &syntax].concat()) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), refused.is_none(), "{name} {flags:?}: {said}");
        assert!(refused.is_none_or(|part| said.contains(part)), "{name} {flags:?}: {said}");
    }
    // A host's tests may include it.
    for name in made {
        let header = format!("include/{name}.h");
        let output = Command::new("cc").args(["-x", "c", "-fsyntax-only", &header]).current_dir(folder.path()).output();
        assert!(output.is_ok_and(|output| output.status.success()), "{name} on the host");
    }
}

#[test]
fn an_archive_holds_what_the_network_needs_and_nothing_else() {
    let board = boards::find("mps2-an500").unwrap();
    let network = Network::from_graph(smidgen_synthetic::demo(1)).unwrap();
    let made = compiled(&network, &board, "demo", ScheduleChoice::Auto, false);
    let Some(files) = library(&made) else { return };
    let archive = &files["lib/libdemo.a"];
    let contains = |text: &str| archive.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    for section in [".debug_info", ".llvmbc", ".comment", "rust_eh_personality"] {
        assert!(!contains(section), "{section}");
    }
    assert!(contains("demo_predict") && contains(".ARM.attributes"));
    // The standard library's arithmetic alone takes 130 KB.
    assert!(archive.len() < 120_000, "{} bytes", archive.len());
}
