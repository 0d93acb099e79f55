//! What the terminal is like, and errors brought to it.

use super::Failure;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};
use std::fmt;
use std::io::{IsTerminal, Write};

/// The most columns that text takes, and what it takes where nothing says otherwise: in a file or a pipe.
pub const WIDTH: usize = 100;

/// Columns for tables and text on standard output: those of the terminal, but no more than 100.
pub fn width() -> usize {
    let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(w, _)| usize::from(w.0));
    let environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = if std::io::stdout().is_terminal() { terminal() } else { environment() };
    width.unwrap_or(WIDTH).clamp(30, WIDTH)
}

/// A failure as miette shows it: message, chain of causes, what to do.
struct Shown<'a>(&'a Failure);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

impl std::error::Error for Shown<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source_error()
    }
}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.help()?))
    }
}

/// Prints a failure to standard error.
pub fn print_failure(failure: &Failure) {
    // The stream takes the colours out again where nobody wants them.
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles: ThemeStyles::ansi() };
    let columns = terminal_size::terminal_size_of(std::io::stderr()).map_or(WIDTH, |(w, _)| usize::from(w.0));
    let handler = GraphicalReportHandler::new_themed(theme).with_width(columns.clamp(30, WIDTH));
    let mut text = String::new();
    if handler.render_report(&mut text, &Shown(failure)).is_err() {
        text = format!("error: {failure}\n");
    }
    // Nothing is left to tell whoever closed standard error.
    let _ = write!(anstream::stderr().lock(), "{}", text.trim_start_matches('\n'));
}

/// Replaces the standard panic message by one that says whose fault it is.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let _ = writeln!(
            anstream::stderr().lock(),
            "smidgen has hit a fault of its own: {info}\nPlease report it, with the command and, if you may share it, the \
             model."
        );
    }));
}
