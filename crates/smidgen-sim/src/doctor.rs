//! What is installed of what building and emulating needs, core by core.

use crate::plugin::{self, PluginError};
use crate::qemu;
use crate::toolchain::{NoToolchain, Toolchain};
use smidgen_boards::Core;
use std::path::PathBuf;

/// An emulator that was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emulator {
    /// The program.
    pub program: &'static str,
    /// Debian's package of it.
    pub package: &'static str,
    /// First line of `--version`, if it runs.
    pub version: Option<String>,
}

/// What there is for one core.
#[derive(Debug)]
pub struct Findings {
    /// The core.
    pub core: Core,
    /// A compiler and a linker, or why not.
    pub toolchain: Result<Toolchain, NoToolchain>,
    /// The emulator.
    pub emulator: Emulator,
}

impl Findings {
    /// True if firmware for the core can be built.
    pub fn builds(&self) -> bool {
        self.toolchain.is_ok()
    }

    /// True if it can be built and run.
    pub fn simulates(&self) -> bool {
        self.builds() && self.emulator.version.is_some()
    }

    /// What to install, one remedy a line; empty if nothing is missing.
    pub fn advice(&self) -> Vec<String> {
        let compiler = self.toolchain.as_ref().err().map(NoToolchain::advice);
        let missing = self.emulator.version.is_none();
        let emulator = missing.then(|| format!("On Debian: `apt install {}`.", self.emulator.package));
        compiler.into_iter().chain(emulator).collect()
    }
}

/// Looks for what a core needs.
pub fn examine(core: Core) -> Findings {
    Findings { core, toolchain: Toolchain::find(core.target()), emulator: qemu::find(core) }
}

/// The counting plug-in, which all cores share; it is compiled if it was not yet.
///
/// # Errors
/// If the host's compiler cannot make it.
pub fn plug_in() -> Result<PathBuf, PluginError> {
    plugin::library()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_answered_with_a_remedy() {
        let emulator = Emulator { program: "qemu-system-none", package: "qemu-none", version: None };
        let toolchain = Err(NoToolchain { target: "none-unknown".into(), tried: vec![] });
        let findings = Findings { core: Core::CortexM7, toolchain, emulator };
        assert!(!findings.builds() && !findings.simulates());
        let advice = findings.advice();
        assert!(advice[0].contains("rustup target add none-unknown") && advice[1].contains("apt install qemu-none"));
    }

    #[test]
    fn every_core_is_examined_without_failing() {
        for core in Core::ALL {
            let findings = examine(core);
            assert_eq!(findings.advice().is_empty(), findings.simulates(), "{core}");
        }
    }
}
