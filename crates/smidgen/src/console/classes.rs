//! Outputs that are lists of classes: which are the best, and what they are called.

use super::Failure;
use super::format::real;
use smidgen::data::Array;
use smidgen::files;
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

/// Indices of the greatest values, the first of equals first.
pub fn best(reals: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..reals.len()).collect();
    order.sort_by(|&a, &b| reals[b].total_cmp(&reals[a]).then(a.cmp(&b)));
    order.truncate(count);
    order
}

/// One label a line; trailing empty lines do not count.
pub fn read_labels(path: &Path) -> Result<Vec<String>, Failure> {
    let text = String::from_utf8(files::read(path)?).map_err(|_| {
        Failure::usage(format!("`{}` is not text", path.display()), "labels are UTF-8 text, one on each line")
    })?;
    Ok(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equals_in_order() {
        assert_eq!(best(&[0.1, 0.7, 0.7, 0.2], 3), [1, 2, 3]);
        assert_eq!(best(&[f64::NAN, 1.0], 5).len(), 2);
        assert!(best(&[], 5).is_empty());
    }
}
