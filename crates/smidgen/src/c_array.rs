//! The bytes of a model out of C source, as `xxd -i` and the examples of TensorFlow Lite Micro write them:
//! `const unsigned char model[] = {0x1c, 0x00, ...};`.

use std::fmt;

/// Why C source gives no bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadArray {
    /// Line of the source, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for BadArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for BadArray {}

/// A piece of C source.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Token<'a> {
    /// A name or a number: letters, digits and underscores.
    Word(&'a str),
    /// Anything else that stands for itself.
    Sign(u8),
}

/// Goes through C source from token to token, past spaces, comments, literals of text and what the preprocessor takes.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    /// The token, and where it begins.
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        loop {
            let rest = &bytes[self.at..];
            let until =
                |end: &[u8]| rest.windows(end.len()).position(|window| window == end).map(|found| found + end.len());
            match *rest {
                [] => return None,
                [b, ..] if b.is_ascii_whitespace() => self.at += 1,
                [b'/', b'/', ..] | [b'#', ..] => self.at += until(b"\n").unwrap_or(rest.len()),
                [b'/', b'*', ..] => self.at += until(b"*/").unwrap_or(rest.len()),
                [b'"', ..] => {
                    let end = rest[1..].iter().position(|&b| b == b'"' || b == b'\n');
                    self.at += end.map_or(rest.len(), |end| end + 2);
                }
                [b, ..] if b.is_ascii_alphanumeric() || b == b'_' => {
                    let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                    let start = self.at;
                    self.at += length;
                    return Some((start, Token::Word(&self.text[start..start + length])));
                }
                [b, ..] => {
                    self.at += 1;
                    // Of a character of several bytes each byte is a sign of its own.
                    return Some((self.at - 1, Token::Sign(b)));
                }
            }
        }
    }
}

/// The bytes of the longest array of bytes in C source; `None` if there is none.
///
/// Reads once through the source. Arrays are those of `char`, `signed char`, `unsigned char`, `int8_t`, `uint8_t` and `std::byte`, whatever is
/// declared of them beside; numbers are decimal, hexadecimal, octal or binary.
///
/// # Errors
/// If an array of bytes holds what is no byte, or does not end.
pub fn bytes(source: &[u8]) -> Option<Result<Vec<u8>, BadArray>> {
    // Text has no zeros; comments may be of any age.
    let text = (!source.contains(&0)).then(|| String::from_utf8_lossy(source))?;
    let text = &*text;
    let mut tokens = Tokens { text, at: 0 };
    let mut best: Option<Vec<u8>> = None;
    // What has been seen of a declaration: a type of bytes, then brackets, then "=".
    let (mut of_bytes, mut brackets, mut assigned) = (false, false, false);
    while let Some((_, token)) = tokens.next() {
        match token {
            Token::Word("char" | "int8_t" | "uint8_t" | "byte") => of_bytes = true,
            Token::Word(_) => {}
            Token::Sign(b']') => brackets = of_bytes,
            Token::Sign(b'=') => assigned = brackets,
            Token::Sign(b'{') if assigned => {
                match list(&mut tokens) {
                    Ok(found) if best.as_ref().is_none_or(|best| best.len() < found.len()) => best = Some(found),
                    Ok(_) => {}
                    Err((at, what)) => {
                        let line = 1 + text.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count();
                        return Some(Err(BadArray { line, what }));
                    }
                }
                (of_bytes, brackets, assigned) = (false, false, false);
            }
            Token::Sign(b';' | b'{' | b'}') => (of_bytes, brackets, assigned) = (false, false, false),
            Token::Sign(_) => {}
        }
    }
    best.map(Ok)
}

/// The numbers up to the closing brace; or where they go wrong and how.
fn list(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, (usize, String)> {
    let mut bytes = Vec::new();
    let (mut negative, mut due) = (false, true);
    for (at, token) in tokens.by_ref() {
        match token {
            Token::Sign(b'}') => return Ok(bytes),
            Token::Sign(b',') if !due && !negative => due = true,
            Token::Sign(b'-') if due && !negative => negative = true,
            Token::Sign(b'+') if due && !negative => {}
            Token::Word(word) if due => {
                let value = number(word).ok_or_else(|| (at, format!("`{}` is no byte", word.escape_debug())))?;
                bytes.push(match (negative, value) {
                    (false, 0..=255) => value as u8,
                    (true, 0..=128) => (value as u8).wrapping_neg(),
                    _ => return Err((at, format!("`{word}` is no byte"))),
                });
                (negative, due) = (false, false);
            }
            Token::Word(word) => {
                return Err((at, format!("`{}` stands where a comma is expected", word.escape_debug())));
            }
            Token::Sign(sign) => {
                return Err((at, format!("`{}` stands in a list of bytes", char::from(sign).escape_debug())));
            }
        }
    }
    Err((tokens.text.len(), "the array does not end: the file has been cut short".into()))
}

/// A number as C writes it, its suffix of `u` or `l` left out.
fn number(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches(['u', 'U', 'l', 'L']);
    let lower = |prefix: [&str; 2]| digits.strip_prefix(prefix[0]).or_else(|| digits.strip_prefix(prefix[1]));
    if let Some(hex) = lower(["0x", "0X"]) {
        return u32::from_str_radix(hex, 16).ok();
    }
    if let Some(binary) = lower(["0b", "0B"]) {
        return u32::from_str_radix(binary, 2).ok();
    }
    match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Option<Result<Vec<u8>, String>> {
        bytes(source.as_bytes()).map(|result| result.map_err(|e| e.to_string()))
    }

    #[test]
    fn arrays_of_bytes_are_found_however_they_are_declared() {
        for source in [
            "unsigned char model[] = {0x1c, 0x00, 255};",
            "const unsigned char model[3] = {28, 0, 0xFFu,};\nunsigned int model_len = 3;",
            "alignas(16) const uint8_t model[] = {\n  0x1C,\n  0x0, // nothing\n  /* all */ 0377\n};\nconst int model_len = 3;",
            "#include <cstdint>\n#define N 3\nextern const int n;\nalignas(8) constexpr std::uint8_t m[N] PROGMEM = {0b11100, 0, -1};",
            "const int8_t m[] __attribute__((aligned(4))) = {28, 0, -1};",
            "const char text[] = \"{1}\"; int sizes[] = {1, 2, 3, 4}; static const signed char m[] = { +28, 0, -1 };",
            "unsigned char small[] = {1}; unsigned char model[] = {0x1c, 0, 0xff}; unsigned char s2[] = {9, 9};",
        ] {
            assert_eq!(found(source), Some(Ok(vec![28, 0, 255])), "{source}");
        }
        for source in
            ["", "int x[] = {1, 2};", "unsigned char m;", "void f(unsigned char m[]) { int x = 1; }", "{1, 2}"]
        {
            assert_eq!(found(source), None, "{source}");
        }
    }

    #[test]
    fn what_is_no_byte_is_named_with_its_line() {
        for (source, message) in [
            ("unsigned char m[] = {\n1,\n256};", "line 3: `256` is no byte"),
            ("unsigned char m[] = {1, x};", "line 1: `x` is no byte"),
            ("unsigned char m[] = {1 2};", "line 1: `2` stands where a comma is expected"),
            ("unsigned char m[] = {1, {2}};", "line 1: `{` stands in a list of bytes"),
            ("int8_t m[] = {-129};", "line 1: `129` is no byte"),
            ("unsigned char m[] = {1,\n2,", "line 2: the array does not end: the file has been cut short"),
        ] {
            assert_eq!(found(source), Some(Err(message.to_string())), "{source}");
        }
    }

    #[test]
    fn long_and_hostile_sources_take_time_in_proportion() {
        let start = std::time::Instant::now();
        let many = 1 << 20;
        for source in [
            format!("unsigned char m[] = {{{}}};", "0x1c, ".repeat(many)),
            "unsigned char m[] = {1};\n".repeat(many / 8),
            "/*".repeat(many),
            "\"".repeat(many),
            "unsigned char m[] = {1 ".repeat(many / 8),
            "]=".repeat(many),
        ] {
            bytes(source.as_bytes());
        }
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}
