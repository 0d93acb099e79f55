//! Finds a way to compile for a bare-metal target.
//!
//! Two ways, tried in this order: a compiler with the target's precompiled `core` (rustup's `rustup target add`), or one that has
//! the standard library's sources and builds `core` itself (rustup's `rust-src` component, or Debian's `rustc-web`, `cargo-web` and
//! `rust-web-src`).

use smidgen_ir::visible_path;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiler, and how it comes by `core` for one target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Toolchain {
    /// The target triple.
    pub target: String,
    /// The `cargo` to call.
    pub cargo: PathBuf,
    /// The `rustc` to call.
    pub rustc: PathBuf,
    /// True if `core` is built from its sources with every project.
    pub builds_core: bool,
    /// First line of `rustc --version`.
    pub version: String,
    /// What links for the target: a program and the flavour that rustc must be told, if it is not rustc's own choice.
    pub linker: Linker,
}

/// A linker for bare-metal targets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Linker {
    /// The program.
    pub program: PathBuf,
    /// rustc's name for the way to call it.
    pub flavour: &'static str,
    /// First line of `--version`.
    pub version: String,
}

/// The first linker found: LLVM's as rustup installs it, LLVM's from the system, GNU's for the architecture.
fn find_linker(target: &str, sysroots: &[PathBuf]) -> Option<Linker> {
    for sysroot in sysroots {
        let hosts = std::fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten();
        let mut programs: Vec<PathBuf> = hosts.map(|h| h.path().join("bin/rust-lld")).filter(|p| p.exists()).collect();
        programs.sort();
        let found = programs.into_iter().find_map(|program| {
            let version = first_line(&ask(&program, ["-flavor", "gnu", "--version"])?);
            Some(Linker { program, flavour: "ld.lld", version })
        });
        if found.is_some() {
            return found;
        }
    }
    let gnu = if target.starts_with("riscv") { "riscv64-unknown-elf-ld" } else { "arm-none-eabi-ld" };
    [("ld.lld", "ld.lld"), (gnu, "ld")].into_iter().find_map(|(program, flavour)| {
        let version = first_line(&ask(Path::new(program), ["--version"])?);
        Some(Linker { program: program.into(), flavour, version })
    })
}

/// No compiler can build for the target.
#[derive(Debug, thiserror::Error)]
#[error("no Rust compiler here can build for {target} (tried: {})", tried.join("; "))]
pub struct NoToolchain {
    /// The target triple.
    pub target: String,
    /// Each compiler looked at and what it lacks.
    pub tried: Vec<String>,
}

impl NoToolchain {
    /// What to install.
    pub fn advice(&self) -> String {
        advice(&self.target)
    }
}

/// What to install to build for a target.
pub(crate) fn advice(target: &str) -> String {
    format!(
        "With rustup: `rustup target add {target}`. On Debian without rustup: \
         `apt install rustc-web cargo-web rust-web-src lld`."
    )
}

impl Toolchain {
    /// Finds a toolchain for `target`.
    ///
    /// # Errors
    /// [`NoToolchain`] with what was tried.
    pub fn find(target: &str) -> Result<Self, NoToolchain> {
        let mut tried = Vec::new();
        let mut candidates = vec![(PathBuf::from("cargo"), PathBuf::from("rustc"))];
        if let (Some(cargo), Some(rustc)) = (std::env::var_os("CARGO"), std::env::var_os("RUSTC")) {
            candidates.insert(0, (cargo.into(), rustc.into()));
        }
        candidates.push(("/usr/bin/cargo".into(), "/usr/bin/rustc".into()));
        let sysroots: Vec<PathBuf> =
            candidates.iter().filter_map(|(_, rustc)| ask(rustc, ["--print", "sysroot"]).map(PathBuf::from)).collect();
        if sysroots.is_empty() {
            // The first thing that is missing, whatever else is.
            let rustcs = candidates.iter().map(|(_, rustc)| format!("{} does not run", visible_path(rustc)));
            return Err(NoToolchain { target: target.to_owned(), tried: rustcs.collect() });
        }
        let Some(linker) = find_linker(target, &sysroots) else {
            let tried = vec!["no linker: neither rust-lld, ld.lld nor GNU ld for the target".to_owned()];
            return Err(NoToolchain { target: target.to_owned(), tried });
        };
        let mut builds_core = Vec::new();
        for (cargo, rustc) in candidates {
            let (Some(version), Some(sysroot)) =
                (ask(&rustc, ["--version"]), ask(&rustc, ["--print", "sysroot"]).map(PathBuf::from))
            else {
                tried.push(format!("{} does not run", visible_path(&rustc)));
                continue;
            };
            if ask(&cargo, ["--version"]).is_none() {
                tried.push(format!("{} does not run", visible_path(&cargo)));
                continue;
            }
            let (linker, version) = (linker.clone(), first_line(&version));
            if !recent(&version) {
                let (rustc, needed) = (visible_path(&rustc), env!("CARGO_PKG_RUST_VERSION"));
                tried.push(format!("{rustc} is {version}, older than the {needed} that generated code needs"));
                continue;
            }
            let found = Self { target: target.to_owned(), cargo, rustc, builds_core: false, version, linker };
            if has_core(&sysroot.join("lib/rustlib").join(target).join("lib")) {
                return Ok(found);
            }
            if sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists() {
                builds_core.push(Self { builds_core: true, ..found });
            } else {
                tried.push(format!("{} has neither `core` for the target nor its sources", found.rustc.display()));
            }
        }
        builds_core.into_iter().next().ok_or(NoToolchain { target: target.to_owned(), tried })
    }

    /// The environment variable with which cargo passes flags on to the compiler for this target, and for nothing that runs here.
    pub fn flags_variable(&self) -> String {
        format!("CARGO_TARGET_{}_RUSTFLAGS", self.target.to_uppercase().replace(['-', '.'], "_"))
    }

    /// Arguments for `cargo rustc ... --` that link with this script. (In `RUSTFLAGS` they would have `core` built anew for every
    /// script.)
    pub fn link_arguments(&self, script: &Path) -> [OsString; 6] {
        let Linker { program, flavour, .. } = &self.linker;
        // A path need not be Unicode.
        let joined = |name: &str, value: &OsStr| {
            let mut text = OsString::from(name);
            text.push(value);
            text
        };
        let linker = joined("linker=", program.as_os_str());
        let flavour = joined("linker-flavor=", OsStr::new(flavour));
        ["-C".into(), linker, "-C".into(), flavour, "-C".into(), joined("link-arg=-T", script.as_os_str())]
    }

    /// `cargo SUBCOMMAND --target TARGET` with everything that the way of coming by `core` needs; the caller adds the rest.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.cargo);
        command.arg(subcommand).arg("--target").arg(&self.target).env("RUSTC", &self.rustc);
        // Flags of the workspace that calls us are not meant for the firmware.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "CARGO_TARGET_DIR"]
        {
            command.env_remove(name);
        }
        // Build scripts of the standard library do not take variables that are no text.
        for (name, value) in std::env::vars_os() {
            if name.to_str().is_none() || value.to_str().is_none() {
                command.env_remove(name);
            }
        }
        if self.builds_core {
            // The flag is for nightly compilers only; building `core` with the compiler that it came with is safe.
            command.arg("-Zbuild-std=core").env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }
}

/// Whether a compiler that calls itself `version` (`rustc 1.95.0 (59807616e 2026-04-14)`) is new enough for generated code.
fn recent(version: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> { text.split('.').map_while(|part| part.parse().ok()).collect() };
    let found = version.split_whitespace().nth(1).unwrap_or_default();
    numbers(found) >= numbers(env!("CARGO_PKG_RUST_VERSION"))
}

fn has_core(lib: &Path) -> bool {
    std::fs::read_dir(lib)
        .is_ok_and(|entries| entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with("libcore-")))
}

pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

pub(crate) fn ask<const N: usize>(program: &Path, arguments: [&str; N]) -> Option<String> {
    let output = Command::new(program).args(arguments.map(OsStr::new)).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_always_a_target_that_can_be_built_for() {
        let host = ask(Path::new("rustc"), ["--print", "host-tuple"]).expect("tests are run by a working rustc");
        let toolchain = Toolchain::find(&host).unwrap();
        assert!(!toolchain.builds_core);
        assert!(toolchain.version.starts_with("rustc "));
    }

    #[test]
    fn compilers_older_than_generated_code_asks_for_do_not_count() {
        assert!(recent(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".0 (0123abcd 2025-08-01)")));
        assert!(recent("rustc 1.96.0") && recent("rustc 2.0.0-nightly (0123abcd 2030-01-01)"));
        assert!(!recent("rustc 1.85.0 (4d91de4e4 2025-02-17) (built from a source tarball)"));
        assert!(!recent("") && !recent("rustc"));
    }

    #[test]
    fn an_unknown_target_is_answered_with_what_to_install() {
        // A compiler with the sources can try any target, so the error is made by hand where one is installed.
        let error = Toolchain::find("no-such-target")
            .err()
            .unwrap_or(NoToolchain { target: "no-such-target".to_owned(), tried: vec!["rustc lacks it".to_owned()] });
        assert!(error.advice().contains("rustup target add no-such-target"));
        assert!(error.to_string().contains("no-such-target"));
    }
}
