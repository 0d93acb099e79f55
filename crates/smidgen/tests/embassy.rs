//! The example for Embassy, built for its board with what `smidgen compile` writes.

use smidgen_reference::{Lack, skip};
use smidgen_sim::elf::Elf;
use smidgen_sim::toolchain::Toolchain;
use std::path::Path;
use std::process::Command;

/// The example's files; the model comes from `smidgen compile`.
const FILES: [&str; 3] = ["Cargo.toml", ".cargo/config.toml", "src/main.rs"];

#[test]
fn the_firmware_links_for_the_stm32() {
    let toolchain = match Toolchain::find("thumbv7em-none-eabihf") {
        Ok(toolchain) => toolchain,
        Err(missing) => {
            skip(Lack::Tool, "the example for Embassy", &format!("{missing}. {}", missing.advice()));
            return;
        }
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/stm32-embassy");
    // In the workspace's target folder, where the example's many dependencies stay compiled.
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stm32-embassy");
    for file in FILES {
        let to = project.join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(example.join(file), to).unwrap();
    }
    let network = project.join("demo.ir");
    std::fs::write(&network, smidgen_ir::text::print(&smidgen_synthetic::demo(7))).unwrap();
    let model = project.join("model");
    if model.exists() {
        std::fs::remove_dir_all(&model).unwrap();
    }
    let mut compile = Command::new(env!("CARGO_BIN_EXE_smidgen"));
    compile.arg("compile").arg(&network).arg("-o").arg(&model);
    compile.args(["--board", "stm32f746", "--io", "int8", "--stream-input", "--name", "model"]);
    succeed(&mut compile);

    let mut build = toolchain.cargo("rustc");
    build.args(["--release", "--bin", "stm32-embassy"]).current_dir(&project).arg("--");
    build.arg(format!("-Clinker={}", toolchain.linker.program.display()));
    build.arg(format!("-Clinker-flavor={}", toolchain.linker.flavour));
    succeed(&mut build);

    let elf = Elf::read(&project.join("target/thumbv7em-none-eabihf/release/stm32-embassy")).unwrap();
    let weights = std::fs::metadata(model.join("rust/src/constants.bin")).unwrap().len();
    assert!(elf.sizes.constants > weights, "{:?} without the network's {weights} bytes", elf.sizes);
    assert!(elf.sizes.code + elf.sizes.constants + elf.sizes.data < 1 << 20);
}

/// Runs a command that must succeed.
fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
}
