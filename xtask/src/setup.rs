//! The Python environment of the differential tests: made when missing, reused when complete.
//!
//! It lies in `.venv` at the workspace's root. A copy of requirements.txt inside it is written last and says that it is
//! complete; without that stamp, or with another's, it is made anew. So an interrupted set-up is never mistaken for a whole one.

use crate::Error;
use crate::process::{check, ci, root, succeeds};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable by which tests and benches learn which Python has the reference interpreter.
pub const PYTHON_VARIABLE: &str = "SMIDGEN_PYTHON";

const REQUIREMENTS: &str = include_str!("../requirements.txt");
const STAMP: &str = "smidgen-requirements.txt";

/// A Python that can import the reference interpreter: the one that `SMIDGEN_PYTHON` names, else that of `.venv`, which is
/// made if need be (from the network).
pub fn reference_python() -> Result<PathBuf, Error> {
    if let Some(python) = std::env::var_os(PYTHON_VARIABLE) {
        let python = PathBuf::from(python);
        if imports_reference(&python) {
            return Ok(python);
        }
        return Err(Error::Failed(format!(
            "{PYTHON_VARIABLE} names {}, which cannot import ai_edge_litert and numpy; \
             unset it to have an environment made in .venv, or install what xtask/requirements.txt lists",
            python.display()
        )));
    }
    let venv = root().join(".venv");
    let python = interpreter_of(&venv);
    let complete = std::fs::read_to_string(venv.join(STAMP)).is_ok_and(|stamp| stamp == REQUIREMENTS);
    if complete && imports_reference(&python) {
        return Ok(python);
    }
    let made = make(&venv, &python);
    if made.is_err() {
        // Nothing half-made stays behind; that it cannot be removed matters less than why it could not be made.
        let _ = std::fs::remove_dir_all(&venv);
    }
    made.map(|()| python)
}

fn make(venv: &Path, python: &Path) -> Result<(), Error> {
    let system = system_python()?;
    println!("setting up the reference interpreter in .venv (once)");
    if venv.exists() {
        std::fs::remove_dir_all(venv).map_err(|e| Error::Failed(format!("cannot replace .venv: {e}")))?;
    }
    check(Command::new(system).args(["-m", "venv"]).arg(venv))?;
    let requirements = root().join("xtask/requirements.txt");
    check(
        Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"])
            .arg(requirements),
    )
    .map_err(|_| {
        Error::Failed("pip could not install what xtask/requirements.txt lists (its message is above)".to_owned())
    })?;
    if !imports_reference(python) {
        return Err(Error::Failed("the environment was made, but cannot import ai_edge_litert".to_owned()));
    }
    std::fs::write(venv.join(STAMP), REQUIREMENTS)
        .map_err(|e| Error::Failed(format!("cannot write {STAMP} in .venv: {e}")))
}

/// A Python of at least 3.11 with the modules that make an environment.
fn system_python() -> Result<&'static str, Error> {
    if let Some(python) = usable_python() {
        return Ok(python);
    }
    if install_with_apt(&["python3", "python3-venv"])
        && let Some(python) = usable_python()
    {
        return Ok(python);
    }
    Err(Error::Failed(
        "no Python 3.11 or newer with its `venv` and `ensurepip` modules; install it \
         (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)"
            .to_owned(),
    ))
}

fn usable_python() -> Option<&'static str> {
    const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    ["python3", "python"].into_iter().find(|python| succeeds(Command::new(python).args(["-c", PROBE])))
}

/// Tries Debian's packages, where that needs no question answered: as root, or with a sudo that asks for no password.
fn install_with_apt(packages: &[&str]) -> bool {
    const INSTALL: [&str; 4] = ["apt-get", "install", "--yes", "--no-install-recommends"];
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return false;
    }
    let prefix: &[&str] = if is_root() { &[] } else { &["sudo", "--non-interactive"] };
    let run = |command: &[&str]| {
        let words: Vec<&str> = prefix.iter().chain(command).copied().collect();
        succeeds(Command::new(words[0]).args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = [&INSTALL, packages].concat();
    println!("installing {} with apt-get", packages.join(" and "));
    // A machine's lists may be as old as its image, and name versions that are too old or no longer there. Without a network
    // the old lists may serve.
    static UPDATED: std::sync::Once = std::sync::Once::new();
    UPDATED.call_once(|| {
        let _ = run(&["apt-get", "update"]);
    });
    run(&install)
}

/// Whether this process may install packages itself.
fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// What building firmware for a target and running it needs: a compiler and QEMU. What is missing is installed where that needs no question answered: the target with rustup, else Debian's compiler with the standard library's
/// sources; QEMU from Debian. Otherwise the error says what to install.
pub fn emulation(target: &str) -> Result<(), Error> {
    let riscv = target.starts_with("riscv");
    if !compiler_for(target) {
        let rustup = ["target", "add", target];
        println!("looking for a compiler for {target}");
        if !succeeds(Command::new("rustup").args(rustup)) {
            // One at a time: some may be there, and a mirror may lack one.
            for package in ["rustc-web", "cargo-web", "rust-web-src", "lld"] {
                // Whether that was enough is asked below.
                let _ = install_with_apt(&[package]);
            }
        }
        if !compiler_for(target) {
            return Err(Error::Failed(format!(
                "no Rust compiler for {target}; install one: `rustup target add {target}`, or on Debian `apt-get install \
                 rustc-web cargo-web rust-web-src lld`"
            )));
        }
    }
    let (name, package) =
        if riscv { ("qemu-system-riscv32", "qemu-system-misc") } else { ("qemu-system-arm", "qemu-system-arm") };
    program(name, package)
}

/// True if some compiler here has `core` for the target, or its sources. (`smidgen doctor` looks more closely.)
fn compiler_for(target: &str) -> bool {
    ["rustc", "/usr/bin/rustc"].into_iter().any(|rustc| {
        let ask = |arguments: &[&str]| {
            let output = Command::new(rustc).args(arguments).output().ok().filter(|o| o.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let (Some(sysroot), Some(version)) = (ask(&["--print", "sysroot"]), ask(&["--version"])) else {
            return false;
        };
        let library = Path::new(&sysroot).join("lib/rustlib");
        recent(&version)
            && (library.join(target).join("lib").is_dir() || library.join("src/rust/library/core/Cargo.toml").is_file())
    })
}

/// Whether a compiler that calls itself `version` (`rustc 1.95.0 (59807616e 2026-04-14)`) can build the workspace.
fn recent(version: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> { text.split('.').map_while(|part| part.parse().ok()).collect() };
    let found = version.split_whitespace().nth(1).unwrap_or_default();
    numbers(found) >= numbers(env!("CARGO_PKG_RUST_VERSION"))
}

/// A program that is called by its name: installed from Debian's package where that needs no question answered.
pub fn program(name: &str, package: &str) -> Result<(), Error> {
    let found = || succeeds(Command::new(name).arg("--version"));
    if found() || install_with_apt(&[package]) && found() {
        return Ok(());
    }
    Err(Error::Failed(format!("no {name}; install it (Debian: apt-get install {package})")))
}

/// The browser that the report is tested in: looked for, and in CI installed where that needs no question answered. Elsewhere a
/// browser is not installed unasked; its test then says that it was skipped.
pub fn browser() -> Result<(), Error> {
    let found = || {
        ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .any(|program| succeeds(Command::new(program).arg("--version")))
    };
    if std::env::var_os("SMIDGEN_CHROMIUM").is_some() || !ci() || found() {
        return Ok(());
    }
    if install_with_apt(&["chromium"]) && found() {
        return Ok(());
    }
    Err(Error::Failed(
        "no Chromium to test the report in; install it (Debian: apt-get install chromium) or name one in \
         SMIDGEN_CHROMIUM"
            .to_owned(),
    ))
}

fn interpreter_of(venv: &Path) -> PathBuf {
    if cfg!(windows) { venv.join("Scripts").join("python.exe") } else { venv.join("bin").join("python") }
}

fn imports_reference(python: impl AsRef<OsStr>) -> bool {
    succeeds(Command::new(python).args(["-c", "import numpy, ai_edge_litert.interpreter"]))
}

#[cfg(test)]
mod tests {
    use super::recent;

    #[test]
    fn compilers_older_than_the_workspace_asks_for_do_not_count() {
        assert!(recent(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".0 (0123abcd 2025-08-01)")));
        assert!(recent("rustc 1.96.0") && recent("rustc 2.0.0-nightly (0123abcd 2030-01-01)"));
        assert!(!recent("rustc 1.85.0 (4d91de4e4 2025-02-17) (built from a source tarball)"));
        assert!(!recent("") && !recent("rustc"));
    }
}
