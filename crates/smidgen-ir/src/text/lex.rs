//! Words, strings and punctuation, each with its place.

use super::{ParseError, ParseErrorKind};
use crate::visible::is_hidden;

/// A line and column, both from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub fn error(self, kind: ParseErrorKind) -> ParseError {
        ParseError { line: self.line, column: self.column, kind }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token<'a> {
    /// Letters, digits and `_ . + -`.
    Word(&'a str),
    String(String),
    Mark(char),
    End,
}

impl Token<'_> {
    /// How a message shows the token.
    pub fn describe(&self) -> String {
        match self {
            Token::Word(w) if w.chars().count() > 40 => format!("{:?}...", w.chars().take(40).collect::<String>()),
            Token::Word(w) => format!("{w:?}"),
            Token::String(_) => "a string".into(),
            Token::Mark(c) => format!("{c:?}"),
            Token::End => "the end of the text".into(),
        }
    }
}

pub(super) struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, place: Place { line: 1, column: 1 } }
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn skip_blank(&mut self) {
        loop {
            if self.rest.starts_with("//") {
                while !self.rest.is_empty() && !self.rest.starts_with('\n') {
                    self.bump();
                }
            } else if self.rest.starts_with(char::is_whitespace) {
                self.bump();
            } else {
                return;
            }
        }
    }

    /// The next token and where it begins.
    pub fn next(&mut self) -> Result<(Token<'a>, Place), ParseError> {
        self.skip_blank();
        let place = self.place;
        let Some(first) = self.rest.chars().next() else { return Ok((Token::End, place)) };
        if in_word(first) {
            let end = self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            // Words are ASCII, so bytes are columns.
            self.place.column += end;
            return Ok((Token::Word(word), place));
        }
        self.bump();
        match first {
            '"' => Ok((Token::String(self.string(place)?), place)),
            '%' | '@' | ':' | ';' | ',' | '=' | '(' | ')' | '[' | ']' | '{' | '}' => Ok((Token::Mark(first), place)),
            other => Err(place.error(ParseErrorKind::Character(other))),
        }
    }

    fn string(&mut self, start: Place) -> Result<String, ParseError> {
        let mut text = String::new();
        loop {
            let place = self.place;
            match self.bump() {
                None => return Err(start.error(ParseErrorKind::OpenString)),
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape().ok_or(place.error(ParseErrorKind::Escape))?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.bump()? {
            '"' => '"',
            '\\' => '\\',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (digits, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
                if digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                self.place.column += digits.len() + 2;
                self.rest = rest;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        })
    }
}

/// The text in quotes, with everything escaped that would not survive an editor.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
