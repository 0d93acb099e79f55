//! Rates as source code.

use smidgen::program::costs;
use smidgen::program::costs::{CodeMeasurement, CodeRates, Costs, Family, GUESSED, MOST_FEATURES, Measurement, Rates};
use std::fmt::Write;

/// Columns of a comment.
const WIDTH: usize = 100;

/// The file with the costs of one kind of core. A family, or a feature, that was not measured keeps its rates.
pub fn text(
    costs: &Costs,
    measured: &[Measurement],
    fitted: &Rates,
    code: &[CodeMeasurement],
    fitted_code: &CodeRates,
) -> String {
    let (name, file) = (costs.name, costs.name.replace('-', "_"));
    let errors = costs::errors(fitted, measured.iter(), None);
    let of_code = costs::code_errors(fitted_code, code.iter());
    let mut text = format!(
        "//! Written by `cargo xtask fit-costs {name}`, from `../measured/{file}.txt`.\n\nuse crate::costs::Costs;\n\n\
         /// {}: fitted to {} measured steps, with a mean error of {:.1} %,\n\
         /// and to the code of {} networks, with one of {:.1} %.\n\
         pub static {}: Costs = Costs {{\n    name: \"{name}\",\n    cores: \"{}\",\n    awaits: {},\n",
        costs.cores,
        errors.steps,
        100.0 * errors.mean,
        of_code.steps,
        100.0 * of_code.mean,
        file.to_uppercase(),
        costs.cores,
        number(costs.awaits),
    );
    let count = |family: Family| measured.iter().filter(|step| step.work.family == family).count();
    let steps: Vec<String> = Family::ALL.iter().map(|&family| count(family).to_string()).collect();
    let _ = writeln!(text, "    steps: [{}],\n    rates: [", steps.join(", "));
    for family in Family::ALL {
        let measured = count(family);
        let rates = if measured > 0 { &fitted[family as usize] } else { &costs.rates[family as usize] };
        let features = family.features();
        let said = if measured > 0 { "" } else { " (not measured)" };
        text.push_str(&comment(&format!("{}{said}: {}.", family.name(), features.join("; "))));
        let rate = |(i, &rate)| if GUESSED.contains(&(family, i)) { costs.rates[family as usize][i] } else { rate };
        let all: Vec<String> = rates[..MOST_FEATURES].iter().enumerate().map(|one| number(rate(one))).collect();
        let _ = writeln!(text, "        [{}],", all.join(", "));
    }
    text.push_str("    ],\n");
    let names: Vec<&str> = costs::code_features().collect();
    text.push_str(&comment(&format!("Code of: {}.", names.join("; "))));
    let all: Vec<String> = fitted_code.iter().map(|&rate| number(rate)).collect();
    let _ = writeln!(text, "    code: [{}],\n}};", all.join(", "));
    text
}

/// A comment, in lines that are not too long.
fn comment(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if line.len() + word.len() > WIDTH {
            let _ = writeln!(lines, "        //{line}");
            line.clear();
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(lines, "        //{line}");
    lines
}

/// `12_345`.
fn number(n: u32) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
