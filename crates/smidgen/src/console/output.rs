//! Where commands print. Results go to standard output, notes and warnings to standard error.

use super::Failure;
use super::terminal;
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use std::io::Write;

/// How much is printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// Standard output, the terminal's width, and how talkative to be.
pub struct Output {
    verbosity: Verbosity,
    pub width: usize,
}

/// Styles by meaning.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub const STRONG: Style = Style::new().bold();

impl Output {
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity, width: terminal::width() }
    }

    pub fn verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    pub fn quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Prints a result.
    pub fn print(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        anstream::stdout().lock().write_all(text.as_ref().as_bytes()).map_err(Failure::Output)
    }

    /// Prints a result and ends the line.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.print(format!("{}\n", text.as_ref()))
    }

    /// Prints a result for programs.
    pub fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(format!("{value:#}"))
    }

    /// Prints a line that explains the result, unless asked to be quiet.
    pub fn note(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.verbosity > Verbosity::Quiet { self.line(text) } else { Ok(()) }
    }

    /// Like [`note`](Self::note), broken into lines that fit, all but the first indented.
    pub fn wrapped(&mut self, text: &str, indent: usize) -> Result<(), Failure> {
        self.note(super::format::wrap(text, self.width, indent))
    }

    /// Prints a line that only `-v` asks for.
    pub fn detail(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.verbose() { self.line(text) } else { Ok(()) }
    }

    /// Warns on standard error, unless asked to be quiet.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        if self.verbosity > Verbosity::Quiet {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(anstream::stderr().lock(), "{WARNING}warning:{WARNING:#} {}", text.as_ref());
        }
    }
}
