//! Where commands print. Results go to standard output, notes and warnings to standard error.

use super::Failure;
use super::terminal;
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use smidgen::ir::visible::is_hidden;
use smidgen::ir::{visible, visible_lines};
use std::borrow::Cow;
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

    /// Another one that prints as much, for what goes on beside.
    pub fn beside(&self) -> Self {
        Self { verbosity: self.verbosity, width: self.width }
    }

    pub fn verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    pub fn quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Prints a result.
    pub fn print(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        anstream::stdout().lock().write_all(guarded(text.as_ref()).as_bytes()).map_err(Failure::Output)
    }

    /// Prints what smidgen itself has generated for a program, byte by byte.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        std::io::stdout().lock().write_all(bytes).map_err(Failure::Output)
    }

    /// Prints a result and ends the line.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.print(format!("{}\n", text.as_ref()))
    }

    /// Prints a result for programs: strings are exact, though escaped further than JSON demands.
    pub fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(escaped_json(&format!("{value:#}")))
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
            let _ = writeln!(anstream::stderr().lock(), "{WARNING}warning:{WARNING:#} {}", visible(text.as_ref()));
        }
    }
}

/// The last line of defence: of control sequences only those are let through that smidgen's own styles and maps consist of. Names
/// are made [`visible`] where they are put into text; this holds where somebody forgot.
fn guarded(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        let (before, sequence) = rest.split_at(at);
        out.push_str(&String::from(visible_lines(before)));
        let taken = own_sequence(sequence).unwrap_or(0);
        out.push_str(&sequence[..taken]);
        // A sequence that is not ours is shown; the character that begins it is of one byte.
        let shown = if taken == 0 { 1 } else { 0 };
        out.push_str(&String::from(visible_lines(&sequence[taken..taken + shown])));
        rest = &sequence[taken + shown..];
    }
    out.push_str(&String::from(visible_lines(rest)));
    Cow::Owned(out)
}

/// Length of the sequence at the beginning, if it is one of [`GOOD`], [`BAD`], [`WARNING`], [`STRONG`], of a memory map's cells, or
/// what ends them.
fn own_sequence(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("\x1b[")?;
    let length = inside.find('m')?;
    let number = &inside[..length];
    let cell = number.strip_prefix("30;48;5;").is_some_and(|n| n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit()));
    (cell || matches!(number, "0" | "1" | "31" | "32" | "33")).then_some(length + 3)
}

/// JSON with every hidden character as `\uXXXX`, which any reader turns back: on a terminal it does no more than other text.
fn escaped_json(json: &str) -> Cow<'_, str> {
    let hidden = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(hidden) {
        return Cow::Borrowed(json);
    }
    // Such characters stand in strings only, since all others of JSON are of ASCII; line feeds are the layout's.
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hidden(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_sequences_reach_a_terminal() {
        let own =
            format!("{GOOD}a{GOOD:#}{BAD}b{BAD:#}{WARNING}c{WARNING:#}{STRONG}d{STRONG:#}\x1b[30;48;5;77me\x1b[0m\n");
        assert_eq!(guarded(&own), own);
        let foreign = "\x1b[35mx\x1b]0;t\x07\x1b[2J\u{9b}1m\x1b[30;48;5;1111m\x1b";
        let shown = r"\u{1b}[35mx\u{1b}]0;t\u{7}\u{1b}[2J\u{9b}1m\u{1b}[30;48;5;1111m\u{1b}";
        assert_eq!(guarded(foreign), shown);
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let value = serde_json::json!({ "a\u{9b}": "\x1b\u{202e}\u{e0041}\x7f\nz" });
        let text = format!("{value:#}");
        let escaped = escaped_json(&text);
        assert!(!escaped.contains(|c| c != '\n' && is_hidden(c)), "{escaped}");
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
    }
}
