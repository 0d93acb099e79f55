//! The C example, built and run on an emulated Cortex-M7, two models in one C program, CMake, and the Arduino library with its sketch.
//! Skipped, with a note, where a tool is missing.

mod arduino;
mod cmake;
mod processor;
mod state;

use smidgen::boards::{self, Board};
use smidgen::codegen::{Files, Options};
use smidgen::compile::FloatAbi;
use smidgen::lowering::{KernelSet, LowerOptions};
use smidgen::plan::{PlanOptions, ScheduleChoice};
use smidgen::sim::qemu::{self, QemuError};
use smidgen::{Array, Compiled, Network, Runner, Target};
use smidgen_reference::{Lack, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const GCC: &str = "arm-none-eabi-gcc";

fn target(board: &Board, schedule: ScheduleChoice, stream_input: bool) -> Target {
    let plan = PlanOptions { schedule, stream_input, ..PlanOptions::default() };
    Target { board: Some(board.clone()), lower: LowerOptions::default(), plan }
}

/// The network's code for a target.
fn code<'n>(network: &'n Network, name: &str, target: &Target) -> Compiled<'n> {
    let options =
        Options { name: name.into(), title: name.into(), labels: vec!["a\"b*/".into()], ..Options::default() };
    network.plan(target).and_then(|planned| planned.compile(options)).expect("a network that can be compiled")
}

fn compiled<'n>(
    network: &'n Network,
    board: &Board,
    name: &str,
    schedule: ScheduleChoice,
    stream_input: bool,
) -> Compiled<'n> {
    code(network, name, &target(board, schedule, stream_input))
}

/// The library's files, or nothing and a note.
fn library(compiled: &Compiled) -> Option<Files> {
    built(compiled.c_library(FloatAbi::Hard))
}

fn built(made: Result<Files, smidgen::Error>) -> Option<Files> {
    match made {
        Ok(files) => Some(files),
        Err(smidgen::Error::Simulate(smidgen::sim::Error::Toolchain(error))) => {
            skip(Lack::Tool, "the C library", &error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn write(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_target_is_lowered_for_the_device_whichever_kernels_it_names() {
    let network = Network::from_graph(smidgen_synthetic::demo(7)).expect("a valid graph");
    let board = boards::find("stm32f412").expect("a board");
    let digest = |kernels| {
        let lower = LowerOptions { kernels, ..LowerOptions::default() };
        let target = Target { lower, ..target(&board, ScheduleChoice::Auto, false) };
        code(&network, "plain", &target).planned.plan.program.digest()
    };
    let device = digest(KernelSet::Mcu);
    assert!([KernelSet::Reference, KernelSet::Fast].map(digest).iter().all(|&other| other == device));
}

/// Compiles and links; false, with a note, if there is no compiler.
fn gcc(folder: &Path, arguments: &[&str]) -> bool {
    let Some(output) = gcc_output(folder, arguments) else { return false };
    assert!(output.status.success(), "{arguments:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// What the compiler says; nothing, with a note, if there is none.
fn gcc_output(folder: &Path, arguments: &[&str]) -> Option<Output> {
    match Command::new(GCC).args(arguments).current_dir(folder).output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(Lack::Tool, "the C library", &format!("{GCC}: {error}"));
            None
        }
    }
}

/// What an emulated Cortex-M7 prints; nothing, with a note, if there is none.
fn emulated(folder: &Path, elf: &str) -> Option<String> {
    emulated_on(&boards::find("mps2-an500").unwrap(), folder, elf)
}

/// What an emulated board prints; nothing, with a note, if there is none.
fn emulated_on(board: &Board, folder: &Path, elf: &str) -> Option<String> {
    match qemu::run(board, &folder.join(elf), folder, None, Duration::from_secs(120)) {
        Ok(outcome) => Some(outcome.console),
        Err(QemuError::Missing { program, .. }) => {
            skip(Lack::Tool, "the C library on an emulated core", &format!("{program} is not installed"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The numbers that the example computes: those of the host's kernels for the picture in it.
fn expected(network: &Network) -> Vec<f64> {
    let shape = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
    let picture: Vec<i8> = (0..shape.iter().product()).map(|i: usize| ((i * 37 % 256) as i32 - 128) as i8).collect();
    let mut runner = Runner::new(network, &LowerOptions::default()).unwrap();
    runner.run(&[Array::from_i8(&shape, &picture)]).unwrap()[0].to_f64()
}

fn example(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/c").join(name).display().to_string()
}

const TARGET: [&str; 7] = [
    "-mcpu=cortex-m7",
    "-mfloat-abi=hard",
    "-mfpu=fpv5-d16",
    "-O2",
    "-ffreestanding",
    "-nostdlib",
    "-Wl,--gc-sections",
];
const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c11", "-Iinclude"];

#[test]
fn the_example_computes_what_the_host_computes() {
    let board = boards::find("mps2-an500").unwrap();
    let network = Network::from_graph(smidgen_synthetic::demo(1)).unwrap();
    let compiled = compiled(&network, &board, "demo", ScheduleChoice::Auto, false);
    let Some(files) = library(&compiled) else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    let (main, startup, script) = (example("main.c"), example("startup.c"), format!("-T{}", example("link.ld")));
    let arguments = [&TARGET[..], &STRICT, &[&main, &startup, "lib/libdemo.a", &script, "-o", "demo.elf"]].concat();
    if !gcc(folder.path(), &arguments) {
        return;
    }
    // So do older and newer C, and C++.
    for (language, standard) in [("c", "-std=c99"), ("c", "-std=c17"), ("c++", "-std=c++11"), ("c++", "-std=c++17")] {
        let header =
            ["-x", language, standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "include/demo.h"];
        assert!(gcc(folder.path(), &[&TARGET[..3], &header].concat()), "{standard}");
    }
    let Some(console) = emulated(folder.path(), "demo.elf") else { return };
    assert_eq!(numbers(&console), expected(&network), "{console}");
}

/// The numbers of a text, one on each line.
fn numbers(text: &str) -> Vec<f64> {
    text.lines().map(|line| line.parse().unwrap_or(f64::NAN)).collect()
}

#[test]
fn two_models_fit_into_one_program_and_no_name_is_anybody_elses() {
    let board = boards::find("mps2-an500").unwrap();
    let network = Network::from_graph(smidgen_synthetic::demo(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let models = [("one", ScheduleChoice::Layer, false), ("other", ScheduleChoice::Stream, true)];
    for (name, schedule, stream) in models {
        let Some(files) = library(&compiled(&network, &board, name, schedule, stream)) else { return };
        write(folder.path(), &files);
    }
    let program = "#include \"one.h\"\n#include \"other.h\"\nstatic one a;\nstatic other b;\nint8_t in[ONE_INPUT_COUNT];\n\
        const char *volatile name;\n\
        int main(void) {\n    one_init(&a);\n    other_init(&b);\n    const int8_t *x = one_predict(&a, in), *y = 0;\n    \
        for (int i = 0; i < OTHER_INPUT_ROWS; i++) {\n        y = other_push_row(&b, in + i * OTHER_INPUT_ROW_COUNT);\n    }\n    \
        name = one_label(0);\n    return y == 0 || x[0] != y[0] || other_label(1) != 0;\n}\n\
        void finish(int status) {\n    const unsigned block[2] = {0x20026, (unsigned)status};\n    \
        register int r0 __asm__(\"r0\") = 0x20;\n    register const void *r1 __asm__(\"r1\") = block;\n    \
        __asm__ volatile(\"bkpt 0xab\" : \"+r\"(r0) : \"r\"(r1) : \"memory\");\n    for (;;) {\n    }\n}\n";
    fs::write(folder.path().join("main.c"), program).unwrap();
    let (startup, script) = (example("startup.c"), format!("-T{}", example("link.ld")));
    let files = ["main.c", &startup, "lib/libone.a", "lib/libother.a", &script, "-o", "two.elf"];
    if !gcc(folder.path(), &[&TARGET[..], &STRICT, &files].concat()) {
        return;
    }
    if emulated(folder.path(), "two.elf").is_none() {
        return;
    }
    for name in ["one", "other"] {
        let archive = format!("lib/lib{name}.a");
        let nm = ["-g", "--defined-only", &archive];
        let output = Command::new("arm-none-eabi-nm").args(nm).current_dir(folder.path()).output().expect("binutils");
        let symbols = output.stdout;
        for line in String::from_utf8_lossy(&symbols).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, kind, symbol] = words[..] else { continue };
            assert!(matches!(kind, "W" | "V") || symbol.starts_with(&format!("{name}_")), "{line}");
        }
    }
}
