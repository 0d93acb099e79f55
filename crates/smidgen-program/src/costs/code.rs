//! Bytes of code that a network's firmware takes: so much for what all have, for each family of kernels in it, and for
//! each call.
//!
//! The compiler folds parameters that all calls of a kernel share into it, and takes a kernel that is called once into
//! its caller, so this is less
//! exact than the model of instructions.

use super::family::Family;
use super::fit::{Errors, solve};
use super::measured::{numbers, write_numbers};
use super::work::family;
use crate::digest::of_text;
use crate::{Kernel, Lowered, kernel};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What code follows from besides the families of kernels.
const GENERAL: [&str; 6] =
    ["network", "pushed input", "call", "call with weights", "depthwise shape", "requantisation"];

/// Features of code.
pub const CODE_FEATURES: usize = GENERAL.len() + Family::ALL.len();

/// How often they occur.
pub type CodeCounts = [u64; CODE_FEATURES];

/// Bytes for each, in hundredths.
pub type CodeRates = [u32; CODE_FEATURES];

/// What a network's code follows from. `pushed`: the caller pushes rows of the input.
pub fn code_counts(lowered: &Lowered, pushed: bool) -> CodeCounts {
    let mut counts = [0; CODE_FEATURES];
    let (mut shapes, mut finishes) = (BTreeSet::new(), BTreeSet::new());
    let mut weighted = 0;
    for step in &lowered.steps {
        let family = family(step);
        counts[GENERAL.len() + family as usize] = 1;
        match &step.kernel {
            // Blocks end in code of their own for each of these.
            Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu { width, epilogue, .. }) => {
                finishes.insert((*width as u8, epilogue.shift, epilogue.by_sign));
                weighted += 1;
            }
            Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { window, .. }) => {
                if family != Family::DepthwiseAny {
                    shapes.insert((window.size[0], window.stride[0]));
                }
                weighted += 1;
            }
            _ => weighted += u64::from(step.macs > 0),
        }
    }
    let general = [1, pushed.into(), lowered.steps.len() as u64, weighted, shapes.len() as u64, finishes.len() as u64];
    counts[..GENERAL.len()].copy_from_slice(&general);
    counts
}

/// The names of the features.
pub fn code_features() -> impl Iterator<Item = &'static str> {
    GENERAL.into_iter().chain(Family::ALL.into_iter().map(Family::name))
}

/// The code of one network's firmware.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeMeasurement {
    /// The network and its schedule.
    pub network: String,
    /// What it follows from.
    pub counts: CodeCounts,
    /// Its bytes.
    pub bytes: u64,
}

/// Modelled bytes.
pub fn code_bytes(rates: &CodeRates, counts: &CodeCounts) -> u64 {
    rates.iter().zip(counts).map(|(&rate, &count)| u64::from(rate) * count).sum::<u64>() / 100
}

/// The rates that suit the measurements best, with the least mean square of relative errors.
pub fn fit_code<'a>(measured: impl Iterator<Item = &'a CodeMeasurement>) -> CodeRates {
    let rows: Vec<(CodeCounts, u64)> = measured.map(|one| (one.counts, one.bytes)).collect();
    solve(&rows).map(|rate| (100.0 * rate).round() as u32)
}

/// How far rates are off.
pub fn code_errors<'a>(rates: &CodeRates, measured: impl Iterator<Item = &'a CodeMeasurement>) -> Errors {
    Errors::of(measured.map(|one| {
        let bytes = (one.bytes as f64).max(1.0);
        (code_bytes(rates, &one.counts) as f64 - bytes).abs() / bytes
    }))
}

/// What networks' code follows from, as text: for each a line with its name and the features that it has, by number.
pub fn write_code_counts(measured: &[CodeMeasurement]) -> String {
    let mut text = String::new();
    for (i, name) in code_features().enumerate() {
        let _ = writeln!(text, "# {i} {name}");
    }
    for one in measured {
        text.push_str(&one.network);
        for (i, count) in one.counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let _ = write!(text, ",{i}:{count}");
        }
        text.push('\n');
    }
    text
}

/// The bytes of code, as text that belongs to [`write_code_counts`]'s; 0 for firmware that fits no board.
pub fn write_code_bytes(comment: &str, measured: &[CodeMeasurement]) -> String {
    write_numbers(comment, &write_code_counts(measured), measured.iter().map(|one| one.bytes))
}

/// Reads both texts, without firmware that fits no board.
///
/// # Errors
/// What is not understood, or that the texts do not belong together.
pub fn read_code(counts: &str, bytes: &str) -> Result<Vec<CodeMeasurement>, String> {
    let mut measured = read_all_code(counts, bytes)?;
    measured.retain(|one| one.bytes > 0);
    Ok(measured)
}

/// Reads both texts with firmware that fits no board, whose bytes are 0.
///
/// # Errors
/// What is not understood, or that the texts do not belong together.
pub fn read_all_code(counts: &str, bytes: &str) -> Result<Vec<CodeMeasurement>, String> {
    let mut bytes = numbers(bytes, of_text(counts))?;
    let mut measured = Vec::new();
    for line in counts.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(',');
        let network = fields.next().unwrap_or_default().to_owned();
        let mut counts = [0; CODE_FEATURES];
        for field in fields {
            let (feature, count) = field.split_once(':').ok_or_else(|| format!("no feature: `{field}`"))?;
            let count = count.parse().map_err(|_| format!("no count: `{field}`"))?;
            let at = feature.parse().ok().and_then(|at: usize| counts.get_mut(at));
            *at.ok_or_else(|| format!("no feature: `{field}`"))? = count;
        }
        let bytes = bytes.next().ok_or("a network without bytes")?;
        measured.push(CodeMeasurement { network, counts, bytes });
    }
    if bytes.next().is_some() { Err("bytes without a network".to_owned()) } else { Ok(measured) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let one = |network: &str, features: &[(usize, u64)], bytes| {
            let mut counts = [0; CODE_FEATURES];
            features.iter().for_each(|&(at, count)| counts[at] = count);
            CodeMeasurement { network: network.into(), counts, bytes }
        };
        let measured =
            [one("a layer", &[(0, 1), (2, 30), (CODE_FEATURES - 1, 1)], 9000), one("b auto", &[(0, 1)], 800)];
        let (counts, bytes) = (write_code_counts(&measured), write_code_bytes("of a core", &measured));
        assert_eq!(read_code(&counts, &bytes).unwrap(), measured);
        assert!(read_code(&counts.replace("2:30", "2:31"), &bytes).is_err());
        assert!(read_code(&counts, &bytes.replace("800\n", "")).is_err());
        assert_eq!(read_code(&counts, &bytes.replace("800\n", "0\n")).unwrap(), measured[..1]);
        let rates = fit_code(measured.iter());
        assert!(code_errors(&rates, measured.iter()).worst < 0.01, "{rates:?}");
    }
}
