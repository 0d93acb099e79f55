//! Runs an ELF file on an emulated machine.

use crate::access::{Allowed, Stray};
use crate::doctor::Emulator;
use crate::machine::{self, UnknownMachine};
use crate::plugin::{self, PluginError};
use crate::profile::{Counts, ProfileError};
use crate::temporary::{self, TemporaryError};
use crate::toolchain;
use smidgen_boards::{Board, Core};
use std::ffi::OsString;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set once no emulator is wanted any more.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Ends all emulators that run, and those that would be started: for a process that is told to end itself, since a signal that is sent to it
/// alone does not reach them. What waits for one is told that it took too long.
pub fn end_all() {
    ENDED.store(true, Ordering::Relaxed);
}

/// More bytes than the counts of any firmware take.
const ROOM: usize = 4 << 20;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// The board has no emulated counterpart.
    #[error("board `{0}` names no machine to emulate it; add a [qemu] table to its file")]
    NoMachine(String),
    /// Its counterpart is not one that is known here.
    #[error(transparent)]
    Machine(#[from] UnknownMachine),
    /// QEMU does not run.
    #[error("cannot run `{program}`; on Debian: `apt install {package}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The counting plug-in could not be made.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A temporary file could not be made or read.
    #[error(transparent)]
    Temporary(#[from] TemporaryError),
    /// The firmware did not come to an end.
    #[error("the emulator was stopped: the firmware did not end within {seconds} seconds{}", said(console))]
    Timeout {
        /// How long it was given.
        seconds: u64,
        /// What it had printed.
        console: String,
    },
    /// The firmware stopped with an error.
    #[error("the firmware stopped with status {status}{}", said(console))]
    Failed {
        /// Exit status of the emulator.
        status: i32,
        /// What was printed.
        console: String,
        /// Accesses that were not allowed until then, if they were watched; the last of them may be why.
        strays: Vec<Stray>,
    },
    /// The counts could not be read.
    #[error(transparent)]
    Counts(#[from] ProfileError),
}

/// What was printed, on lines of its own.
fn said(console: &str) -> String {
    if console.trim().is_empty() { String::new() } else { format!(":\n{}", console.trim_end()) }
}

/// A file as an option of QEMU names it: in a list of options commas separate, and a doubled one stands for itself.
fn option(name: &str, path: &Path, more: &str) -> OsString {
    let mut text = OsString::from(name);
    let mut rest = path.as_os_str().as_encoded_bytes();
    if rest.contains(&b',') {
        // Commas are of one byte wherever they stand, so that text that is no Unicode stays what it is.
        while let Some(at) = rest.iter().position(|&b| b == b',') {
            text.push(os_text(&rest[..at]));
            text.push(",,");
            rest = &rest[at + 1..];
        }
    }
    text.push(os_text(rest));
    text.push(more);
    text
}

#[cfg(unix)]
fn os_text(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_text(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// What the firmware printed.
    pub console: String,
    /// What it executed.
    pub counts: Counts,
}

fn emulator(core: Core) -> (&'static str, &'static str) {
    match core {
        Core::Rv32imc => ("qemu-system-riscv32", "qemu-system-misc"),
        _ => ("qemu-system-arm", "qemu-system-arm"),
    }
}

/// Looks for the emulator of a core.
pub fn find(core: Core) -> Emulator {
    let (program, package) = emulator(core);
    let version = toolchain::ask(Path::new(program), ["--version"]).map(|text| toolchain::first_line(&text));
    Emulator { program, package, version }
}

/// Runs `elf` on the board's machine until it exits by semihosting. Files that the firmware opens by semihosting are looked up
/// in `folder`. With a `window`, the counts of instructions are those between two markers, which are numbered from 0.
///
/// # Errors
/// [`QemuError`]; a run that takes longer than `limit` is stopped.
pub fn run(
    board: &Board,
    elf: &Path,
    folder: &Path,
    window: Option<Range<usize>>,
    limit: Duration,
) -> Result<Outcome, QemuError> {
    start(board, elf, folder, window, None, limit)
}

/// The same, and every load and store between markers 0 and 1, 2 and 3, and so on is held to what is allowed there.
///
/// # Errors
/// [`QemuError`]. An access that is not allowed is none: the [`Counts`] list them.
pub fn run_watched(
    board: &Board,
    elf: &Path,
    folder: &Path,
    window: Option<Range<usize>>,
    allowed: &Allowed,
    limit: Duration,
) -> Result<Outcome, QemuError> {
    start(board, elf, folder, window, Some(allowed), limit)
}

fn start(
    board: &Board,
    elf: &Path,
    folder: &Path,
    window: Option<Range<usize>>,
    allowed: Option<&Allowed>,
    limit: Duration,
) -> Result<Outcome, QemuError> {
    let machine = board.qemu.as_ref().ok_or_else(|| QemuError::NoMachine(board.name.clone()))?;
    let map = machine::map(board)?;
    let plugin = plugin::library()?;
    let work = temporary::folder()?;
    let counts = work.path().join("counts");
    let window = window.map_or_else(String::new, |w| format!(",from={},to={}", w.start, w.end));
    let check = match allowed {
        Some(allowed) => {
            let path = work.path().join("allowed");
            std::fs::write(&path, allowed.text()).map_err(TemporaryError::new)?;
            option(",check=", &path, "")
        }
        None => OsString::new(),
    };
    let (program, package) = emulator(board.core);
    let mut plug_in = option("", &plugin, "");
    plug_in.push(option(",out=", &counts, &window));
    plug_in.push(check);
    let mut child = Command::new(program)
        .args(["-machine", &machine.machine, "-nographic", "-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .args(if board.core == Core::Rv32imc { &["-bios", "none"][..] } else { &[] })
        .arg("-plugin")
        .arg(plug_in)
        .args(&map.arguments)
        .arg("-kernel")
        .arg(std::path::absolute(elf).map_err(TemporaryError::new)?)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| QemuError::Missing { program, package, source })?;
    // Both pipes are drained by threads, so that a talkative firmware cannot block.
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut pipe) = pipe {
                // What was read before an error is still worth showing.
                let _ = pipe.read_to_end(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let stdout = drain(child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let stderr = drain(child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(TemporaryError::new)? {
            Some(status) => break Some(status),
            None if started.elapsed() > limit || ENDED.load(Ordering::Relaxed) => {
                // It may have ended in between, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let console = stdout.join().unwrap_or_default() + &stderr.join().unwrap_or_default();
    match status {
        None => Err(QemuError::Timeout { seconds: limit.as_secs(), console }),
        Some(status) if !status.success() => {
            temporary::room(work.path(), ROOM)?;
            // Where there is no file the emulator itself went wrong, and there is nothing to add.
            let counts = std::fs::read_to_string(&counts).ok().and_then(|text| Counts::parse(&text).ok());
            let strays = counts.map(|c| c.strays).unwrap_or_default();
            Err(QemuError::Failed { status: status.code().unwrap_or(-1), console, strays })
        }
        Some(_) => {
            let text = std::fs::read_to_string(&counts).map_err(TemporaryError::new)?;
            match Counts::parse(&text) {
                Ok(counts) => Ok(Outcome { console, counts }),
                Err(error) => {
                    temporary::room(work.path(), ROOM)?;
                    Err(error.into())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_path_does_not_end_an_option() {
        assert_eq!(option(",out=", Path::new("/a,b/c"), ",from=0"), ",out=/a,,b/c,from=0");
        assert_eq!(option("", Path::new("/plain"), ""), "/plain");
    }
}
