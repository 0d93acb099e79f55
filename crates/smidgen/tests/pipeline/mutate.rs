//! Small damage to a file: its bytes, or the words of a network's text.

use smidgen_synthetic::Random;

/// Numbers at which something ends.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "8",
    "16",
    "127",
    "128",
    "255",
    "-1",
    "1e30",
    "1e-30",
    "65536",
    "2147483647",
    "18446744073709551615",
];

/// Damages bytes in up to three places; a text in its words, anything else byte by byte.
pub fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutated = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        mutated = match std::str::from_utf8(&mutated) {
            Ok(text) if random.chance(9, 10) => words(text, random).into_bytes(),
            _ => flip(mutated, random),
        };
    }
    mutated
}

/// Changes, removes or doubles some bytes.
fn flip(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    if bytes.is_empty() {
        return vec![random.bits() as u8];
    }
    let at = random.below(bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.choose(&[0, 1, 0x7f, 0x80, 0xff]),
        2 => bytes[at] = bytes[at].wrapping_add(random.choose(&[1, 255, 4, 252])),
        3 => bytes.truncate(at),
        4 => {
            let value = (random.bits() as u32 >> random.below(32)).to_le_bytes();
            let end = (at + 4).min(bytes.len());
            bytes[at..end].copy_from_slice(&value[..end - at]);
        }
        _ => {
            let end = (at + 1 + random.below(8)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, part);
        }
    }
    bytes
}

/// Changes one word: a number becomes another, a word one that stands elsewhere; or a line goes, or comes twice.
fn words(text: &str, random: &mut Random) -> String {
    let mut tokens = split(text);
    let spots: Vec<usize> = (0..tokens.len()).filter(|&i| is_word(tokens[i])).collect();
    if spots.is_empty() {
        return text.to_owned();
    }
    let spot = random.choose(&spots);
    match random.below(8) {
        0 | 1 => tokens[spot] = random.choose(&NUMBERS),
        2 | 3 => {
            let numbers: Vec<usize> = spots.iter().copied().filter(|&i| number(tokens[i])).collect();
            if !numbers.is_empty() {
                let at = random.choose(&numbers);
                tokens[at] =
                    if random.chance(1, 2) { random.choose(&NUMBERS) } else { tokens[random.choose(&numbers)] };
            }
        }
        4 | 5 => tokens[spot] = tokens[random.choose(&spots)],
        6 => {
            tokens.remove(spot);
        }
        _ => {
            let mut lines: Vec<&str> = text.lines().collect();
            let (line, to) = (random.below(lines.len()), random.below(lines.len()));
            if random.chance(1, 2) {
                lines.remove(line);
            } else {
                lines.insert(to, lines[line]);
            }
            return lines.join("\n");
        }
    }
    tokens.concat()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
}

fn number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

/// Words and single other characters; together they are the text. Dimensions are joined by an `x`, and are words of their own.
fn split(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let inside = |c: char| match digits {
            true => c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'),
            false => c.is_ascii_alphanumeric() || c == '_',
        };
        let starts = digits || first.is_ascii_alphabetic() || first == '-';
        let len = rest.char_indices().skip(1).find(|&(_, c)| !(starts && inside(c))).map_or(rest.len(), |(at, _)| at);
        let (token, after) = rest.split_at(len);
        tokens.push(token);
        rest = after;
    }
    tokens
}
