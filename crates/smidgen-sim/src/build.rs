//! Builds the firmware of a network for a board, or takes it from the cache.
//!
//! The cache holds ELF files by a digest of all that they are made from: sources, linker script, compiler, linker, flags. A network
//! that was built before is not built again. Building goes on in one folder for each core, where `core` and the kernels stay
//! compiled.

use crate::cache::{self, LimitError};
use crate::firmware;
use crate::harness::{self, Files, Network};
use crate::machine::UnknownMachine;
use crate::toolchain::Toolchain;
use smidgen_boards::{Board, Core};
use smidgen_ir::visible_path;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Stack that a board must have room for beside the network's variables: what generated code may take, and what the harness itself
/// takes.
pub const LEAST_STACK: u32 = 1024 + 256;

/// Why there is no firmware.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The board's machine is not known.
    #[error(transparent)]
    Machine(#[from] UnknownMachine),
    /// It does not fit the board.
    #[error(transparent)]
    DoesNotFit(#[from] DoesNotFit),
    /// Files cannot be written.
    #[error("cannot use the cache folder `{}`", visible_path(path))]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The cache's size is no size.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// cargo does not run.
    #[error("cannot run `{}`", visible_path(program))]
    NoCargo {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The compiler or the linker is not whole: what it says, and what to do.
    #[error("the Rust toolchain cannot build firmware: {message}")]
    Toolchain {
        /// What is missing, in the compiler's words.
        message: String,
        /// What to install.
        advice: String,
    },
    /// The archive that the compiler made is in a form that is not known here.
    #[error("the static library that the compiler made cannot be taken apart: {0}")]
    Archive(String),
    /// The compiler refuses what was generated.
    #[error("the generated firmware does not compile:\n{0}")]
    Refused(String),
}

/// What does not fit, and by how much.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", describe(board, regions))]
pub struct DoesNotFit {
    /// Name of the board.
    pub board: String,
    /// For each memory that is too small: `SRAM` or `FLASH`, its bytes, and how many are missing.
    pub regions: Vec<(String, u64, u64)>,
}

fn describe(board: &str, regions: &[(String, u64, u64)]) -> String {
    let one = |(name, bytes, excess): &(String, u64, u64)| match name.as_str() {
        "SRAM" => format!(
            "its SRAM of {bytes} bytes is {excess} bytes too small for the arena, variables and {LEAST_STACK} bytes of stack"
        ),
        "FLASH" => format!("its flash of {bytes} bytes is {excess} bytes too small for code and constants"),
        other => format!("{other} of {bytes} bytes is {excess} bytes too small"),
    };
    format!("the firmware does not fit `{board}`: {}", regions.iter().map(one).collect::<Vec<_>>().join("; "))
}

impl DoesNotFit {
    /// What the user can do about it.
    pub fn help(&self) -> String {
        let short = |name: &str| self.regions.iter().any(|(n, ..)| n == name);
        let mut ways = Vec::new();
        if short("SRAM") {
            ways.push(
                "`smidgen plan` tells what would make it smaller: `--schedule stream`, `--stream-input`, `--io int8`",
            );
        }
        if short("FLASH") {
            ways.push("a narrower network or int4 weights make the constants smaller");
        }
        ways.push("`smidgen boards` lists boards with more memory");
        ways.join("; ")
    }
}

/// The linker's complaints about memories that are too small; the linkers at hand word them alike.
fn overflows(stderr: &str, board: &Board) -> Option<DoesNotFit> {
    let mut regions: Vec<(String, u64, u64)> = Vec::new();
    for line in stderr.lines() {
        // LLVM: section '.bss' will not fit in region 'SRAM': overflowed by 12 bytes. GNU: region `SRAM' overflowed by 12 bytes.
        let Some((before, after)) = line.split_once("overflowed by ") else { continue };
        let Some(excess) = after.split(' ').next().and_then(|n| n.parse::<u64>().ok()) else { continue };
        let Some((_, name)) = before.rsplit_once("region ") else { continue };
        let name: String = name.chars().filter(char::is_ascii_uppercase).collect();
        let bytes = if name == "FLASH" { board.flash.bytes } else { board.sram.bytes };
        match regions.iter_mut().find(|(known, ..)| *known == name) {
            // Each section that no longer fits is complained of, with all before it.
            Some((_, _, most)) => *most = excess.max(*most),
            None => regions.push((name, bytes.into(), excess)),
        }
    }
    (!regions.is_empty()).then(|| DoesNotFit { board: board.name.clone(), regions })
}

/// How far to optimise. Where the inner loops are written by hand, what is left to the compiler is walks around them: small is as
/// fast there, and takes less stack. On the other Arm cores, which have few registers, it costs a tenth of the instructions, but what the
/// compiler spills otherwise would not leave the stack under 1 KiB.
pub fn optimisation(core: Core) -> &'static str {
    match core {
        Core::Rv32imc => "3",
        _ => "s",
    }
}

/// All files of the firmware, and which of them is the linker script. Its name says what is in it: cargo links anew when it is given
/// another name, but does not look into the file.
fn project(network: &Network, board: &Board) -> Result<(Files, String), UnknownMachine> {
    let mut files = Files::new();
    for (path, bytes) in &network.files {
        files.insert(format!("network/{path}"), bytes.clone());
    }
    let name = harness::package(&network.files).unwrap_or_default();
    files.insert("Cargo.toml".into(), harness::manifest(&name).into_bytes());
    files.insert("src/main.rs".into(), harness::main(network).into_bytes());
    files.insert("src/runtime.rs".into(), firmware::runtime(board.core).into_bytes());
    let script = firmware::linker_script(board, LEAST_STACK)?.into_bytes();
    let name = format!("link-{}.ld", cache::key([&script[..]]));
    files.insert(name.clone(), script);
    Ok((files, name))
}

/// The firmware of a network as an ELF file.
///
/// # Errors
/// [`BuildError`].
pub fn build(network: &Network, board: &Board, toolchain: &Toolchain) -> Result<PathBuf, BuildError> {
    let (files, script) = project(network, board)?;
    let flags = board.core.rustc_flags();
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::Cache { path, source }
    };
    let key = cache::key([
        format!("{toolchain:?} {flags:?} {}", optimisation(board.core)).as_bytes(),
        &files.iter().flat_map(|(p, b)| [p.as_bytes(), &b.len().to_le_bytes(), b].concat()).collect::<Vec<u8>>(),
    ]);
    let elves = cache::folder("elf").map_err(|(path, source)| BuildError::Cache { path, source })?;
    let elf = elves.join(format!("{key}.elf"));
    if cache::holds(&elf) {
        return Ok(elf);
    }
    let (lock, folder) =
        compile(&files, board.core, toolchain, |project| toolchain.link_arguments(&project.join(&script)).to_vec())
            .map_err(|error| match error {
                BuildError::Refused(stderr) => match overflows(&stderr, board) {
                    Some(found) => found.into(),
                    None => BuildError::Refused(stderr),
                },
                other => other,
            })?;
    let built = folder.join("harness");
    cache::insert(&built, &elf).map_err(fail(&elf))?;
    drop(lock);
    cache::bound();
    Ok(elf)
}

/// Compiles a project for a core; `arguments` are rustc's for the project in this folder. Gives the folder of the results, which stay
/// for as long as the file is open: it is the lock that lets one build at a time have the core's folder.
pub(crate) fn compile(
    files: &Files,
    core: Core,
    toolchain: &Toolchain,
    arguments: impl FnOnce(&Path) -> Vec<OsString>,
) -> Result<(File, PathBuf), BuildError> {
    cache::limit()?;
    let flags = core.rustc_flags();
    let compiler = cache::key([format!("{toolchain:?} {flags:?}").as_bytes()]);
    let work = cache::folder(&format!("build-{core}-{compiler}"))
        .map_err(|(path, source)| BuildError::Cache { path, source })?;
    let fail = |source| BuildError::Cache { path: work.clone(), source };
    let lock = cache::lock(&work).map_err(fail)?;
    let project = work.join("project");
    cache::sync(&project, files).map_err(|(path, source)| BuildError::Cache { path, source })?;
    let target = work.join("target");
    let mut command = toolchain.cargo("rustc");
    command
        .args(["--release", "--quiet", "--manifest-path"])
        .arg(project.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .current_dir(&project)
        .env(toolchain.flags_variable(), flags.join(" "))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", optimisation(core))
        .arg("--")
        .args(arguments(&project));
    let output = command.output().map_err(|source| BuildError::NoCargo { program: toolchain.cargo.clone(), source })?;
    if !output.status.success() {
        return Err(refusal(&String::from_utf8_lossy(&output.stderr), toolchain, &work));
    }
    Ok((lock, target.join(&toolchain.target).join("release")))
}

/// What a failed build is due to: a disk without room, a toolchain that is not whole, or else what was generated.
fn refusal(stderr: &str, toolchain: &Toolchain, work: &Path) -> BuildError {
    let line = |words: &[&str]| stderr.lines().find(|line| words.iter().any(|word| line.contains(word)));
    let full = [
        ("No space left on device", io::ErrorKind::StorageFull),
        ("Disk quota exceeded", io::ErrorKind::QuotaExceeded),
        ("Read-only file system", io::ErrorKind::ReadOnlyFilesystem),
        ("Permission denied (os error", io::ErrorKind::PermissionDenied),
    ];
    if let Some((line, kind)) = full.iter().find_map(|(word, kind)| Some((line(&[word])?, *kind))) {
        return BuildError::Cache { path: work.to_owned(), source: io::Error::new(kind, line.trim().to_owned()) };
    }
    let unfinished = [
        "can't find crate for `core`",
        "can't find crate for `compiler_builtins`",
        "linker `",
        "could not execute process",
        "failed to download",
        "failed to get `",
        "unable to update registry",
        "is not installed for the toolchain",
    ];
    match line(&unfinished) {
        Some(line) => BuildError::Toolchain {
            message: line.trim().trim_start_matches("error: ").to_owned(),
            advice: crate::toolchain::advice(&toolchain.target),
        },
        None => BuildError::Refused(stderr.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_full_is_no_fault_of_the_network() {
        let linker = crate::toolchain::Linker { program: "ld".into(), flavour: "ld", version: String::new() };
        let toolchain = Toolchain {
            target: "thumbv6m-none-eabi".into(),
            cargo: "cargo".into(),
            rustc: "rustc".into(),
            builds_core: false,
            version: String::new(),
            linker,
        };
        let refusal = |stderr: &str| refusal(stderr, &toolchain, Path::new("/cache"));
        for stderr in [
            "error: linker `cc` not found\n  |\n  = note: No such file or directory (os error 2)",
            "error[E0463]: can't find crate for `core`",
            "error: could not execute process `rustc -vV` (never executed)",
        ] {
            let BuildError::Toolchain { advice, .. } = refusal(stderr) else { panic!("{stderr}") };
            assert!(advice.contains("rustup target add thumbv6m-none-eabi"), "{advice}");
        }
        let full = refusal("error: failed to write x: No space left on device (os error 28)");
        assert!(matches!(full, BuildError::Cache { source, .. } if source.kind() == io::ErrorKind::StorageFull));
        assert!(matches!(refusal("error[E0308]: mismatched types"), BuildError::Refused(_)));
    }

    #[test]
    fn linkers_are_understood() {
        let board = smidgen_boards::find("rp2040").unwrap();
        let lld = "rust-lld: error: section '.bss' will not fit in region 'SRAM': overflowed by 1234 bytes\n\
                   rust-lld: error: section '.stack' will not fit in region 'SRAM': overflowed by 2514 bytes";
        let gnu =
            "ld: harness section `.stack' will not fit in region `SRAM'\nld: region `SRAM' overflowed by 2514 bytes";
        for text in [lld, gnu] {
            let found = overflows(text, &board).unwrap();
            assert_eq!(found.regions, [("SRAM".to_owned(), 270_336, 2514)]);
            assert!(
                found.to_string().contains("`rp2040`: its SRAM of 270336 bytes is 2514 bytes too small"),
                "{found}"
            );
        }
        let flash = overflows("ld: region `FLASH' overflowed by 7 bytes", &board).unwrap();
        assert!(flash.to_string().contains("flash of 2097152 bytes is 7 bytes") && flash.help().contains("int4"));
        assert_eq!(overflows("error: something else", &board), None);
    }
}
