//! Child processes: started in the workspace's root, their failures turned into one line.

use crate::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

/// The cargo that runs us, started in the root.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    command
}

/// Whether this runs in continuous integration, where what is missing is an error.
pub fn ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// Runs a command to its end; what it prints goes to the terminal.
pub fn check(command: &mut Command) -> Result<(), Error> {
    let shown = show(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Failed(format!("`{shown}` failed ({status})"))),
        Err(error) => Err(Error::Failed(format!("`{shown}` could not be started: {error}"))),
    }
}

/// True if the command can be started and succeeds; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn show(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program()).to_string_lossy();
    let arguments = command.get_args().map(|a| format!(" {}", a.to_string_lossy()));
    std::iter::once(name.into_owned()).chain(arguments).collect()
}
