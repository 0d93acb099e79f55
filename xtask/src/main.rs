//! `cargo xtask`: everything about the workspace that is more than one cargo command.
//!
//! A command is one line in [`COMMANDS`]; `cargo xtask --help` prints that table. Exit codes: 0 for success, 1 for a check
//! that failed or could not be made, 2 for a wrong command line.

mod bench;
mod costs;
mod demo;
mod process;
mod setup;
mod skipped;
mod test;

use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Error {
    /// The command line is wrong: what, and what would be right.
    Usage(String),
    /// A check failed, or something it needs is missing.
    Failed(String),
}

/// One command of `cargo xtask`, or one bench of `cargo xtask bench`.
pub struct Command {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its arguments, for the help text.
    pub arguments: &'static str,
    /// One line saying what it does.
    pub summary: &'static str,
    /// Runs it with the arguments after its name.
    pub run: fn(&[String]) -> Result<(), Error>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        arguments: "",
        summary: "from a network to firmware on an emulated board: costs, memory, prediction, counts",
        run: demo::run,
    },
    Command {
        name: "test",
        arguments: "[--quick] [FILTER]...",
        summary: "everything a change must pass: format, clippy, all tests, documentation",
        run: test::run,
    },
    Command {
        name: "bench",
        arguments: "NAME [ARGUMENT]...",
        summary: "one of the benches; `cargo xtask bench` lists them",
        run: bench::run,
    },
    Command {
        name: "fit-costs",
        arguments: "[--only-fit|--only-code] TARGET...",
        summary: "measure kernels on emulated cores, and fit the planner's model to that",
        run: costs::run,
    },
];

/// Runs the command of `table` that the first argument names; without one, or with `--help`, prints the table.
pub fn dispatch(program: &str, table: &[Command], arguments: &[String]) -> Result<(), Error> {
    match arguments.first().map(String::as_str) {
        None | Some("--help" | "-h" | "help") => {
            println!("usage: {program} COMMAND\n");
            for command in table {
                println!("  {:32}{}", format!("{} {}", command.name, command.arguments), command.summary);
            }
            if table.is_empty() {
                println!("  (none)");
            }
            Ok(())
        }
        Some(name) => match table.iter().find(|c| c.name == name) {
            Some(command) => (command.run)(&arguments[1..]),
            None => Err(Error::Usage(format!("`{program}` has no `{name}`; `{program} --help` lists what it has"))),
        },
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch("cargo xtask", COMMANDS, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(1)
        }
        Err(Error::Usage(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
