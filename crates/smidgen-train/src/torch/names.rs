//! Python's names for a network's tensors.

use std::collections::HashSet;

/// Words that are no names in Python, and those that a module's text uses itself.
const TAKEN: [&str; 48] = [
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "x",
    "self",
    "torch",
    "nn",
    "F",
    "activate",
    "resize",
    "average_pool",
    "max_pool",
    "training",
    "forward",
    "modules",
    "parameters",
];

/// Names given so far.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name like `text`, which may be any, that was not given before; `number` is that of what is named.
    pub(super) fn unique(&mut self, text: &str, number: usize) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = text.chars().map(plain).collect::<String>().trim_matches('_').to_owned();
        // Converters chain the names of everything that was fused.
        if name.len() > 60 {
            name = name.split_off(name.len() - 60).trim_start_matches('_').to_owned();
        }
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            name = format!("v{number}_{name}").trim_end_matches('_').to_owned();
        }
        if TAKEN.contains(&name.as_str()) || is_of_modules(&name) || !self.0.insert(name.clone()) {
            name = format!("{name}_{number}");
            self.0.insert(name.clone());
        }
        name
    }
}

/// Attributes of PyTorch's modules that are common words.
fn is_of_modules(name: &str) -> bool {
    ["type", "to", "float", "double", "half", "train", "eval", "apply", "cuda", "cpu", "children", "compile"]
        .contains(&name)
        || ["add_module", "buffers", "state_dict", "share_memory", "zero_grad", "T_destination", "call_super_init"]
            .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pythons_and_distinct() {
        let mut names = Names::default();
        let given: Vec<String> = ["block0.first", "block0/first", "", "7x", "lambda", "train", "größe", "a;b", "a b"]
            .iter()
            .enumerate()
            .map(|(i, text)| names.unique(text, i))
            .collect();
        assert_eq!(
            given,
            ["block0_first", "block0_first_1", "v2", "v3_7x", "lambda_4", "train_5", "gr__e", "a_b", "a_b_8"]
        );
        let long = format!("model/{}/conv", "very".repeat(30));
        assert!(names.unique(&long, 9).len() <= 60);
    }
}
