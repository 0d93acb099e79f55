//! The firmware that links every kernel.

use crate::LIMITS;
use crate::watch::STRAY;
use smidgen_boards::Board;
use smidgen_reference::{Lack, skip};
use smidgen_sim::{firmware, toolchain::Toolchain};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Writes a file unless it has this content already, so that cargo sees no change where there is none.
fn write(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Builds it for a board; `None`, and a word on it, where there is no toolchain for the board's core.
pub fn build(board: &Board, floats: bool) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let target = board.core.target();
    let Ok(toolchain) = Toolchain::find(target) else {
        skip(Lack::Tool, &board.name, &format!("no toolchain for {target}"));
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("kernels-{}{}", board.name, if floats { "-float" } else { "" });
    let folder = tmp.join(&name);
    let features: Vec<&str> = board.core.feature().into_iter().chain(floats.then_some("float")).collect();
    let default = if floats { "\"float\"" } else { "" };
    let kernels = root.join("crates/smidgen-kernels");
    // All kernels at once do not fit the flash of the smallest board otherwise.
    let level = if board.flash.bytes < 1 << 20 { "\"s\"\nlto = true\ncodegen-units = 1" } else { "3" };
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies.smidgen-kernels]\npath = {kernels:?}\ndefault-features = false\nfeatures = {features:?}\n\
         [features]\ndefault = [{default}]\nfloat = []\n\
         [profile.release]\npanic = \"abort\"\nopt-level = {level}\ndebug = true\n[workspace]\n"
    );
    write(&folder.join("Cargo.toml"), &manifest);
    // The versions that everything else here is tested with.
    if !folder.join("Cargo.lock").exists() {
        std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    }
    write(&folder.join("src/main.rs"), include_str!("firmware/main.rs"));
    write(&folder.join("src/calls.rs"), include_str!("firmware/calls.rs"));
    write(&folder.join("src/floats.rs"), include_str!("firmware/floats.rs"));
    write(&folder.join("src/stray.rs"), include_str!("firmware/stray.rs"));
    write(&folder.join("src/runtime.rs"), &firmware::runtime(board.core));
    let limits = format!(
        "pub const WORDS: usize = {};\npub const CONSTANTS: usize = {};\npub const ARENA: usize = {};\n\
         pub const STRAY: u32 = {STRAY};\n",
        LIMITS.words, LIMITS.constants, LIMITS.arena
    );
    write(&folder.join("src/limits.rs"), &limits);
    write(&folder.join("link.ld"), &firmware::linker_script(board, 1024).unwrap());
    let shared = tmp.join("kernels");
    let output = toolchain
        .cargo("rustc")
        .args(["--release", "--quiet", "--offline", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&shared)
        .env(toolchain.flags_variable(), board.core.rustc_flags().join(" "))
        .arg("--")
        .args(toolchain.link_arguments(&folder.join("link.ld")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", board.name, String::from_utf8_lossy(&output.stderr));
    Some(shared.join(target).join("release").join(name))
}
