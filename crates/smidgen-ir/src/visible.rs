//! Text from outside as it may be shown: names and labels of a file, paths, messages of other programs.
//!
//! A name may hold whatever its author put there: sequences that make a terminal change its colours or its title, line breaks that
//! forge a line of output, marks that reverse or hide text. Everything that prints such text for people sends it through
//! [`visible`]; what is printed for programs (JSON) escapes by its own rules.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::path::Path;

/// True for characters that are not seen as themselves: C0 and C1 controls and DEL, marks that set the direction of text or join
/// and separate without width, and line and paragraph separators.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text with every [hidden](is_hidden) character escaped as Rust would: `\n`, `\u{1b}`. Widths in formats count what is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visible<'a>(Cow<'a, str>);

/// One line: line breaks are escaped as well.
pub fn visible(text: &str) -> Visible<'_> {
    Visible(escaped(text, |_| false))
}

/// Text of several lines, such as a compiler's messages: line feeds stay.
pub fn visible_lines(text: &str) -> Visible<'_> {
    Visible(escaped(text, |c| c == '\n'))
}

/// A path; what is not Unicode in it is shown as U+FFFD.
pub fn visible_path(path: &Path) -> Visible<'_> {
    match path.to_string_lossy() {
        Cow::Borrowed(text) => visible(text),
        Cow::Owned(text) => Visible(Cow::Owned(escaped(&text, |_| false).into_owned())),
    }
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let hidden = |c: char| is_hidden(c) && !keep(c);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hidden(c) => out.push(c),
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c => drop(write!(out, "{}", c.escape_unicode())),
        }
    }
    Cow::Owned(out)
}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<Visible<'_>> for String {
    fn from(text: Visible<'_>) -> Self {
        text.0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_shown_escaped() {
        assert_eq!(visible("plain: äß 中 \u{1f600} \\").to_string(), "plain: äß 中 \u{1f600} \\");
        let shown = visible("\x1b[31mred\u{9b}2J\x7f\n\r\t\0").to_string();
        assert_eq!(shown, r"\u{1b}[31mred\u{9b}2J\u{7f}\n\r\t\u{0}");
        assert_eq!(
            visible("a\u{202e}b\u{200b}c\u{2028}\u{e0041}").to_string(),
            r"a\u{202e}b\u{200b}c\u{2028}\u{e0041}"
        );
        assert_eq!(visible_lines("a\n\x1bb").to_string(), "a\n\\u{1b}b");
        assert_eq!(format!("[{:6}] [{:>6}]", visible("\n"), visible("x")), r"[\n    ] [     x]");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_need_not_be_unicode() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff\x1b.tflite"));
        assert_eq!(visible_path(path).to_string(), "a\u{fffd}\\u{1b}.tflite");
    }
}
