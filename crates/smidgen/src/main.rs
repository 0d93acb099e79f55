//! The `smidgen` command: a thin shell around the library of the same name.
//!
//! One file for each command under `commands`; what they share is under `console`. No command panics on any input, prints to
//! a closed pipe, or leaves a half-written file.
#![forbid(unsafe_code)]

mod commands;
mod console;

use clap::Parser;
use commands::{Answer, Cli};
use console::output::{Output, Verbosity};
use console::{Code, Failure, interrupt, terminal};
use smidgen::ir::visible;
use std::process::ExitCode;

/// Ends the process as clap does for a wrong command line or a request for help. Its messages repeat the arguments, so these are made
/// visible first.
fn usage(error: &clap::Error) -> ! {
    let shown = std::env::args_os().map(|argument| String::from(visible(&argument.to_string_lossy())));
    let shown = Cli::try_parse_from(shown).err();
    let error = shown.as_ref().unwrap_or(error);
    if error.use_stderr() && wants_json() {
        let message = error.to_string();
        let (message, help) = message.split_once("\n\n").unwrap_or((&message, ""));
        tell(&Failure::usage(message.trim_start_matches("error: "), help.trim()));
    }
    error.exit()
}

/// Whether results are for a program, however the rest of the command line reads.
fn wants_json() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// Tells a program why there is no result, where it expects one.
fn tell(failure: &Failure) {
    // A reader that is gone needs no answer; the exit code says the rest.
    let _ = Output::new(Verbosity::Quiet).json(&failure.describe());
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
            if wants_json() && !matches!(failure, Failure::Output(_)) {
                tell(&failure);
            }
            terminal::print_failure(&failure);
            failure.code().into()
        }
        Err(_) => Code::Internal.into(),
    }
}
