//! The `smidgen` command: a thin shell around the library of the same name.
//!
//! One file for each command under `commands`; what they share is under `console`. No command panics on any input, prints to
//! a closed pipe, or leaves a half-written file.
#![forbid(unsafe_code)]

mod commands;
mod console;

use clap::Parser;
use commands::{Answer, Cli};
use console::{Code, Failure, interrupt, terminal};
use smidgen::ir::visible;
use std::process::ExitCode;

/// Ends the process as clap does for a wrong command line or a request for help. Its messages repeat the arguments, so these are made
/// visible first.
fn usage(error: &clap::Error) -> ! {
    let shown = std::env::args_os().map(|argument| String::from(visible(&argument.to_string_lossy())));
    match Cli::try_parse_from(shown) {
        Err(shown) => shown.exit(),
        Ok(_) => error.exit(),
    }
}

fn main() -> ExitCode {
    terminal::report_panics();
    interrupt::handle();
    let cli = Cli::try_parse().unwrap_or_else(|error| usage(&error));
    let result = std::panic::catch_unwind(|| commands::run(&cli));
    match result {
        Ok(Ok(Answer::Yes)) => ExitCode::SUCCESS,
        Ok(Ok(Answer::No(code))) => code.into(),
        Ok(Err(Failure::Output(error))) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            // The reader has seen enough. What a shell expects of a program that SIGPIPE ended.
            ExitCode::from(128 + 13)
        }
        Ok(Err(failure)) => {
            terminal::print_failure(&failure);
            failure.code().into()
        }
        Err(_) => Code::Internal.into(),
    }
}
