//! A CMake project that sets no flags of its own: those of the library suffice.

use crate::{GCC, compiled, emulated, example, expected, library, numbers, write};
use smidgen::plan::ScheduleChoice;
use smidgen::{Network, boards};
use smidgen_reference::{Lack, skip};
use std::fs;
use std::process::Command;

#[test]
fn a_cmake_project_takes_the_flags_from_the_library() {
    let board = boards::find("mps2-an500").unwrap();
    let network = Network::from_graph(smidgen_synthetic::demo(1)).unwrap();
    let Some(files) = library(&compiled(&network, &board, "demo", ScheduleChoice::Auto, false)) else { return };
    for program in ["cmake", GCC] {
        if Command::new(program).arg("--version").output().is_err() {
            return skip(Lack::Tool, "a CMake project", &format!("{program} is not installed"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("library"), &files);
    let project = format!(
        "cmake_minimum_required(VERSION 3.15)\nproject(firmware C)\nadd_subdirectory(library demo)\nadd_executable(demo.elf {} {})\n\
         target_link_libraries(demo.elf PRIVATE demo)\ntarget_compile_options(demo.elf PRIVATE -O2 -ffreestanding)\n\
         target_link_options(demo.elf PRIVATE -nostdlib -Wl,--gc-sections -T{})\n",
        example("main.c"),
        example("startup.c"),
        example("link.ld")
    );
    fs::write(folder.path().join("CMakeLists.txt"), project).unwrap();
    let compiler = format!("-DCMAKE_C_COMPILER={GCC}");
    let configure = [
        "-S",
        ".",
        "-B",
        "build",
        "-G",
        "Unix Makefiles",
        "-DCMAKE_SYSTEM_NAME=Generic",
        &compiler,
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
    ];
    for arguments in [&configure[..], &["--build", "build"]] {
        let output = Command::new("cmake").args(arguments).current_dir(folder.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}:\n{}", String::from_utf8_lossy(&said));
    }
    let Some(console) = emulated(&folder.path().join("build"), "demo.elf") else { return };
    assert_eq!(numbers(&console), expected(&network), "{console}");
}
