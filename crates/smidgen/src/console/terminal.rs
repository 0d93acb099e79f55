//! What the terminal is like, and errors brought to it.

use super::Failure;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};
use smidgen::ir::{visible, visible_lines};
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

/// A failure as miette shows it: message, chain of causes, what to do. What files and other programs put into these texts is made
/// visible.
#[derive(Debug)]
struct Shown {
    text: String,
    cause: Option<Box<Shown>>,
    help: Option<String>,
}

impl Shown {
    fn new(failure: &Failure) -> Self {
        // Lines that an error breaks itself are those of lists and of other programs' messages; elsewhere a break is a name's.
        let shown = |text: String| -> String {
            if failure.has_lines() { visible_lines(&text).into() } else { visible(&text).into() }
        };
        let mut texts = Vec::new();
        let mut source = failure.source_error();
        while let Some(error) = source {
            texts.push(error.to_string());
            source = error.source();
        }
        let link = |cause, text| Some(Box::new(Self { text: shown(text), cause, help: None }));
        let cause = texts.into_iter().rev().fold(None, link);
        Self { text: shown(failure.to_string()), cause, help: failure.help().map(|help| visible(&help).into()) }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Shown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.cause.as_deref()?)
    }
}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.help.as_ref()?))
    }
}

/// Prints a failure to standard error.
pub fn print_failure(failure: &Failure) {
    // The stream takes the colours out again where nobody wants them.
    let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles: ThemeStyles::ansi() };
    let columns = terminal_size::terminal_size_of(std::io::stderr()).map_or(WIDTH, |(w, _)| usize::from(w.0));
    let handler = GraphicalReportHandler::new_themed(theme).with_width(columns.clamp(30, WIDTH));
    let mut text = String::new();
    let shown = Shown::new(failure);
    if handler.render_report(&mut text, &shown).is_err() {
        text = format!("error: {shown}\n");
    }
    // Nothing is left to tell whoever closed standard error.
    let _ = write!(anstream::stderr().lock(), "{}", text.trim_start_matches('\n'));
}

/// Replaces the standard panic message by one that says whose fault it is.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let _ = writeln!(
            anstream::stderr().lock(),
            "smidgen has hit a fault of its own: {}\nPlease report it, with the command and, if you may share it, the \
             model.",
            visible_lines(&info.to_string())
        );
    }));
}
