//! Outputs that are lists of classes: which are the best, and what they are called.

use super::Failure;
use super::format::real;
use smidgen::data::Array;
pub use smidgen::evaluate::best;
use smidgen::files;
use smidgen::ir::{visible, visible_path};
use std::path::Path;

/// Elements beyond which an output is summed up rather than ranked as classes.
const MOST_CLASSES: usize = 100_000;

/// The best classes, or (for what is no list of classes) the range of values.
pub fn show(output: &Array, reals: &[f64], labels: &[String], quantised: bool, top: usize) -> String {
    if !is_classes(output) {
        let (low, high) = reals.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        let mean = reals.iter().sum::<f64>() / reals.len().max(1) as f64;
        return format!("  {} to {}, mean {}\n", real(low), real(high), real(mean));
    }
    let stored = output.to_f64();
    let labels: Vec<String> = labels.iter().map(|label| visible(label).into()).collect();
    let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    // Four decimals where that is apt for all, so that the points stand below each other.
    let greatest = reals.iter().fold(0f64, |m, v| m.max(v.abs()));
    let value = |v: f64| if (0.01..1e6).contains(&greatest) { format!("{v:.4}") } else { real(v) };
    for i in best(reals, top) {
        let label = labels.get(i).map_or("", String::as_str);
        let raw = if quantised { format!("  (stored {})", stored[i]) } else { String::new() };
        text.push_str(&format!("  {i:5}  {label:width$}  {:>11}{raw}\n", value(reals[i])));
    }
    text
}

/// True for an output that can be a list of classes: one axis longer than 1.
pub fn is_classes(output: &Array) -> bool {
    output.shape.iter().filter(|&&d| d != 1).count() <= 1 && output.elements() <= MOST_CLASSES
}

/// One label a line; trailing empty lines do not count.
pub fn read_labels(path: &Path) -> Result<Vec<String>, Failure> {
    let text = String::from_utf8(files::read(path)?).map_err(|_| {
        Failure::usage(format!("`{}` is not text", visible_path(path)), "labels are UTF-8 text, one on each line")
    })?;
    Ok(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}
