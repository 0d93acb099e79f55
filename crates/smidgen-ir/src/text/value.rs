//! Numbers, and the elements of constants.

use super::ParseErrorKind;
use super::lex::Token;
use crate::tensor::{ElementType, Shape, Tensor};

/// Most bytes that `splat` stands for, so that a short text cannot ask for much memory.
pub(super) const MOST_SPLAT_BYTES: usize = 1 << 12;
/// Constants of at most this many elements are printed as values.
const MOST_LISTED: usize = 32;

/// A float such that [`parse_float`] gives back the same bits.
pub(crate) fn float(value: f32) -> String {
    if value.is_nan() { format!("bits{:08x}", value.to_bits()) } else { format!("{value:?}") }
}

pub(crate) fn parse_float(word: &str) -> Option<f32> {
    if let Some(bits) = word.strip_prefix("bits") {
        let hex = bits.len() == 8 && bits.bytes().all(|b| b.is_ascii_hexdigit());
        return hex.then(|| u32::from_str_radix(bits, 16).ok().map(f32::from_bits)).flatten();
    }
    // Rust reads "nan" and "infinity" too; one spelling each is enough.
    match word {
        "inf" => Some(f32::INFINITY),
        "-inf" => Some(f32::NEG_INFINITY),
        _ if word.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')) => None,
        _ => word.parse().ok(),
    }
}

/// Appends one element, little endian; for int4 a whole byte whose low nibble counts.
fn element_bytes(word: &str, element: ElementType, out: &mut Vec<u8>) -> Option<()> {
    match element {
        ElementType::Float32 => out.extend(parse_float(word)?.to_le_bytes()),
        ElementType::Int4 => {
            let value: i8 = word.parse().ok().filter(|v| (-8..=7).contains(v))?;
            out.push(value as u8);
        }
        ElementType::Int8 => out.push(word.parse::<i8>().ok()? as u8),
        ElementType::Uint8 => out.push(word.parse().ok()?),
        ElementType::Int16 => out.extend(word.parse::<i16>().ok()?.to_le_bytes()),
        ElementType::Int32 => out.extend(word.parse::<i32>().ok()?.to_le_bytes()),
        ElementType::Int64 => out.extend(word.parse::<i64>().ok()?.to_le_bytes()),
        ElementType::Bool => out.push(match word {
            "false" => 0,
            "true" => 1,
            _ => return None,
        }),
    }
    Some(())
}

fn expected(element: ElementType, word: &str) -> ParseErrorKind {
    ParseErrorKind::Expected { expected: format!("a value of type {element}"), found: Token::Word(word).describe() }
}

/// The bytes of a constant written element by element. On a bad word the error comes with its index.
pub(super) fn list(words: &[&str], element: ElementType, shape: &Shape) -> Result<Vec<u8>, (usize, ParseErrorKind)> {
    let count = shape.checked_elements().unwrap_or(usize::MAX);
    if words.len() != count {
        return Err((0, ParseErrorKind::ElementCount { expected: count, found: words.len() }));
    }
    let mut bytes = Vec::new();
    for (i, word) in words.iter().enumerate() {
        element_bytes(word, element, &mut bytes).ok_or_else(|| (i, expected(element, word)))?;
    }
    Ok(element.pack(bytes))
}

/// The number of elements of this shape, if `splat` may stand for that many.
fn splat_count(element: ElementType, shape: &Shape) -> Option<usize> {
    shape.checked_elements().filter(|&n| element.bytes(n).is_some_and(|bytes| bytes <= MOST_SPLAT_BYTES))
}

/// The bytes of a constant whose elements are all alike.
pub(super) fn splat(word: &str, element: ElementType, shape: &Shape) -> Result<Vec<u8>, ParseErrorKind> {
    let mut one = Vec::new();
    element_bytes(word, element, &mut one).ok_or_else(|| expected(element, word))?;
    let count = splat_count(element, shape).ok_or(ParseErrorKind::LargeSplat)?;
    Ok(element.pack(one.repeat(count)))
}

pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok()).collect()
}

/// The words of a constant's elements, if they say all that its bytes do.
fn words(tensor: &Tensor, data: &[u8]) -> Option<Vec<String>> {
    let element = tensor.element();
    let count = tensor.shape.checked_elements()?;
    if element.bytes(count)? != data.len() {
        return None;
    }
    let words: Vec<String> = match element {
        ElementType::Float32 => tensor.floats()?.into_iter().map(float).collect(),
        ElementType::Int64 => data
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]).to_string())
            .collect(),
        ElementType::Bool if data.iter().all(|&b| b <= 1) => data.iter().map(|&b| (b == 1).to_string()).collect(),
        ElementType::Bool => return None,
        // The unused half of the last byte would be lost.
        ElementType::Int4 if count % 2 == 1 && data.last()? & 0xf0 != 0 => return None,
        ElementType::Int4 | ElementType::Int8 | ElementType::Uint8 | ElementType::Int16 | ElementType::Int32 => {
            tensor.integers()?.iter().map(i32::to_string).collect()
        }
    };
    Some(words)
}

/// True if a constant is one element over and over, seen without making words of it.
fn uniform(tensor: &Tensor, data: &[u8]) -> bool {
    if tensor.element() == ElementType::Int4 {
        let Some(&first) = data.first() else { return false };
        let count = tensor.shape.checked_elements().unwrap_or(0);
        let nibble = first & 0xf;
        let last_whole = if count % 2 == 1 { data.len() - 1 } else { data.len() };
        return data[..last_whole].iter().all(|&b| b == nibble | nibble << 4)
            && data[last_whole..].iter().all(|&b| b == nibble);
    }
    let size = tensor.element().bits() / 8;
    data.len() >= size && data.chunks(size).all(|c| c == &data[..size])
}

/// A constant's right-hand side.
pub(super) fn constant(tensor: &Tensor, data: &[u8]) -> String {
    let count = tensor.shape.checked_elements().unwrap_or(usize::MAX);
    let small = count <= MOST_LISTED;
    let splat = count > 4 && splat_count(tensor.element(), &tensor.shape).is_some() && uniform(tensor, data);
    if (small || splat)
        && let Some(words) = words(tensor, data)
    {
        return match splat {
            true => format!("splat {}", words[0]),
            false => format!("[{}]", words.join(", ")),
        };
    }
    let mut out = String::with_capacity(5 + 2 * data.len());
    out.push_str("hex ");
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in data {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0xf)]);
    }
    out
}
