//! Rust expressions, laid out as rustfmt does with `use_small_heuristics = "Max"`: on one line where that fits, else one item
//! on each.

pub(crate) use smidgen_program::kernel::source::{Literal, Value, array, atom, invoke, slice, structure};

/// Longest line.
pub(crate) const WIDTH: usize = 120;
/// Elements up to this long are put side by side in an array that takes several lines.
const SHORT: usize = 10;

/// How values are printed.
pub(crate) trait Layout {
    /// On one line.
    fn flat(&self) -> String;

    /// Laid out where `before` characters (indentation included) precede it on its first line and `after` follow it on its
    /// last; further lines are indented by `indent`.
    fn print(&self, before: usize, after: usize, indent: usize) -> String;
}

impl Layout for Value {
    fn flat(&self) -> String {
        match self {
            Self::Atom(text) => text.clone(),
            Self::Group { open, items, close } => {
                let items: Vec<String> = items.iter().map(|(name, v)| label(*name) + &v.flat()).collect();
                let space = if *close == '}' && !items.is_empty() { " " } else { "" };
                format!("{open}{space}{}{space}{close}", items.join(", "))
            }
        }
    }

    fn print(&self, before: usize, after: usize, indent: usize) -> String {
        let flat = self.flat();
        let Self::Group { open, items, close } = self else { return flat };
        if before + flat.chars().count() + after <= WIDTH {
            return flat;
        }
        if let [(None, only @ Self::Group { close: inner, .. })] = &items[..]
            && (*close == ')' || (*close, *inner) == (']', '}'))
        {
            // An argument that is alone opens on the line of its call, a structure on that of its array.
            return format!("{open}{}{close}", only.print(before + open.chars().count(), after + 1, indent));
        }
        let inner = indent + 4;
        let pad = " ".repeat(inner);
        let mut text = format!("{open}\n");
        let short = *close == ']' && items.iter().all(|(_, v)| v.flat().chars().count() <= SHORT);
        if short {
            text.push_str(&fill(items.iter().map(|(_, v)| v.flat()), inner));
        } else {
            for (name, value) in items {
                let label = label(*name);
                let printed = value.print(inner + label.chars().count(), 1, inner);
                text.push_str(&format!("{pad}{label}{printed},\n"));
            }
        }
        text + &" ".repeat(indent) + &close.to_string()
    }
}

/// `[number, ...]`.
pub(crate) fn numbers<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    array(items.into_iter().map(atom))
}

fn label(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("{name}: "))
}

/// Items side by side, as many on each line as fit; each line ends in a comma and a line break.
pub(crate) fn fill(items: impl Iterator<Item = String>, indent: usize) -> String {
    let mut text = String::new();
    let mut column = 0;
    for item in items {
        let length = item.chars().count() + 1;
        if column > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(&" ".repeat(indent));
            column = indent + length;
        } else {
            text.push(' ');
            column += 1 + length;
        }
        text.push_str(&item);
        text.push(',');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_on_one_line() {
        let window = structure("Window", vec![("input", numbers([1, 2])), ("all", invoke("f", vec![atom("x")]))]);
        assert_eq!(window.print(10, 1, 4), "Window { input: [1, 2], all: f(x) }");
        assert_eq!(window.print(100, 1, 4), "Window {\n        input: [1, 2],\n        all: f(x),\n    }");
        assert_eq!(structure("Empty", vec![]).flat(), "Empty {}");
        assert_eq!(
            invoke("f", vec![structure("S", vec![("a", atom(1))])]).print(110, 1, 4),
            "f(S {\n        a: 1,\n    })"
        );
        assert_eq!(slice([structure("S", vec![("a", atom(1))])]).print(110, 1, 4), "&[S {\n        a: 1,\n    }]");
    }

    #[test]
    fn short_items_share_lines() {
        let text = numbers(0..60).print(0, 1, 0);
        assert!(text.lines().all(|l| l.len() <= WIDTH) && text.lines().count() == 4, "{text}");
    }
}
