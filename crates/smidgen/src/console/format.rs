//! Numbers as people read them.

use smidgen::ir::visible;
pub use smidgen::report::{bytes, thousands};

/// `1 operator`, `2 operators`.
pub fn count(n: usize, what: &str) -> String {
    format!("{} {what}{}", thousands(n as u64), if n == 1 { "" } else { "s" })
}

/// A part of a whole, with so many decimals; `-` if there is no whole.
pub fn percent(part: u64, whole: u64, decimals: usize) -> String {
    if whole == 0 { "-".into() } else { format!("{:.decimals$} %", 100.0 * part as f64 / whole as f64) }
}

/// A real number with about six significant digits and no trailing zeros: `0.00784314`, `-2.5`, `1e-12`.
pub fn real(v: f64) -> String {
    let magnitude = v.abs();
    if v == 0.0 || !v.is_finite() {
        return format!("{v}");
    }
    if !(1e-4..1e7).contains(&magnitude) {
        return format!("{v:.4e}");
    }
    let decimals = (5 - magnitude.log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{v:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A version without what its maker appends in parentheses.
pub fn short(version: &str) -> String {
    let mut depth = 0u32;
    let mut text = String::new();
    for c in version.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text broken between words into lines of at most `width` characters, all but the first indented by `indent`. It is one paragraph
/// without styles: control characters in it are shown.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let text = &String::from(visible(text));
    let mut out = String::new();
    let mut column = 0;
    // Spaces at the start are the first line's own indentation.
    let lead = text.len() - text.trim_start().len();
    for word in text.trim_start().split(' ') {
        let length = word.chars().count();
        if out.is_empty() {
            out.push_str(&" ".repeat(lead));
            column = lead;
        } else if column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_lose_their_appendages() {
        assert_eq!(short("rustc 1.95.0 (59807616e 2026-04-14)"), "rustc 1.95.0");
        assert_eq!(short("GNU ld (2.40-2+18+b1) 2.40"), "GNU ld 2.40");
        assert_eq!(short("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg (x))"), "QEMU emulator version 7.2.22");
        assert_eq!(short(") odd ("), "odd");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 1, 2].map(|n| count(n, "step")), ["0 steps", "1 step", "2 steps"]);
        let texts = [0.0, 1.0, -2.5, 0.007843137718, 255.0, 1e-12, 1234567.8].map(real);
        assert_eq!(wrap("  one two three  four", 9, 3), "  one two\n   three \n   four");
        assert_eq!(texts, ["0", "1", "-2.5", "0.00784314", "255", "1.0000e-12", "1234568"]);
    }
}
