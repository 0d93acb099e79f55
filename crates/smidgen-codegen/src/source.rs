//! Text that is put together line by line.

use crate::reserved::is_reserved;
use crate::value::{Layout, Value};

/// Letters of an [`identifier`] beyond which it is cut: names of files and symbols are made of it.
pub const LONGEST_NAME: usize = 64;

/// A source file in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub text: String,
}

impl Source {
    /// Adds text as it is, which ends in a line break if it is not empty.
    pub fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a line, without spaces at its end.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref().trim_end_matches(' '));
        self.text.push('\n');
    }

    /// Adds `head` and a value, laid out, and what comes behind it on its last line.
    pub fn value(&mut self, indent: usize, head: &str, value: &Value, tail: &str) {
        let pad = " ".repeat(indent);
        let after = tail.trim_end().chars().count();
        let printed = value.print(indent + head.chars().count(), after, indent);
        let below = value.print(indent + 4, after, indent + 4);
        if head.ends_with("= ") && printed.contains('\n') && !below.contains('\n') {
            // What fits on a line of its own gets one, rather than several.
            return self.line(format!("{pad}{}\n{pad}    {below}{tail}", head.trim_end()));
        }
        self.line(format!("{pad}{head}{printed}{tail}"));
    }
}

/// A name from a model as it may stand in a comment or a string, of Rust, of C and of documentation made of it: printable ASCII
/// without quotes and backslashes, without what begins a tag of HTML or a link, and not too long.
pub(crate) fn plain(name: &str) -> String {
    plain_up_to(name, 80)
}

/// The same for a text of so many characters at most; what is longer ends in dots.
pub(crate) fn plain_up_to(name: &str, longest: usize) -> String {
    let shown = |c: char| if (c.is_ascii_graphic() && !"`\"\\<>[]|".contains(c)) || c == ' ' { c } else { '?' };
    let mut text: String = name.chars().take(longest).map(shown).collect();
    if name.chars().count() > longest {
        text.push_str("...");
    }
    text
}

/// A number of things: `1 row`, `2 rows`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A name as an identifier of `[a-z0-9_]` that begins with a letter: for crates, C functions and files. A word that Rust, C or C++ has
/// another use for gets a prefix, and so does what begins with a digit; more than [`LONGEST_NAME`] letters are cut.
pub fn identifier(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            text.push(c.to_ascii_lowercase());
        } else if !text.is_empty() && !text.ends_with('_') {
            text.push('_');
        }
    }
    // Of ASCII, so that it can be cut anywhere.
    text.truncate(LONGEST_NAME);
    let text = text.trim_end_matches('_');
    match text.chars().next() {
        Some(c) if c.is_ascii_alphabetic() && !is_reserved(text) => text.to_owned(),
        _ => format!("model_{text}").trim_end_matches('_').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        let names = ["person-detect", "MCUNet 5fps!", "2nd", "", "für", "match", "a__b.", "core"];
        let expected =
            ["person_detect", "mcunet_5fps", "model_2nd", "model", "f_r", "model_match", "a_b", "model_core"];
        assert_eq!(names.map(identifier), expected);
        assert_eq!(identifier(&"long-".repeat(60)).len(), LONGEST_NAME);
        let taken = ["size_t", "Int8_T", "restrict", "main", "NULL", "__kws", "_Kws", "stdin", "123"];
        let expected = [
            "model_size_t",
            "model_int8_t",
            "model_restrict",
            "model_main",
            "null",
            "kws",
            "kws",
            "model_stdin",
            "model_123",
        ];
        assert_eq!(taken.map(identifier), expected);
        assert_eq!(plain("a\n`b\"\u{202e}"), "a??b??");
    }
}
