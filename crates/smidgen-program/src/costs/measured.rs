//! Files of measurements. What the measured steps do is the same for all cores and is written once; what they took has
//! a file for each kind.

use super::family::{Family, MOST_FEATURES};
use super::work::Work;
use crate::digest::of_text;
use std::fmt::Write;

/// What one step of a network took on an emulated core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measurement {
    /// The network and its schedule.
    pub network: String,
    /// What all of the step's runs did.
    pub work: Work,
    /// What they took.
    pub instructions: u64,
}

/// What steps do, as text: for each network and schedule its name behind `@`, and for each step a line with the
/// family's name and the
/// features.
pub fn write_steps(measured: &[Measurement]) -> String {
    let (mut text, mut network) = (String::new(), None);
    for step in measured {
        if network != Some(&step.network) {
            network = Some(&step.network);
            let _ = writeln!(text, "@{}", step.network);
        }
        let family = step.work.family;
        text.push_str(family.name());
        step.work.counts.iter().take(family.features().len()).for_each(|count| {
            let _ = write!(text, ",{count}");
        });
        text.push('\n');
    }
    text
}

/// What steps took, as text: a comment, the digest of [what they do](write_steps), and their instructions in order; 0
/// where a step could not be
/// measured.
pub fn write_instructions(comment: &str, measured: &[Measurement]) -> String {
    write_numbers(comment, &write_steps(measured), measured.iter().map(|step| step.instructions))
}

/// Numbers that belong to another text, one for each of its entries.
pub(super) fn write_numbers(comment: &str, of: &str, all: impl Iterator<Item = u64>) -> String {
    let mut text = String::new();
    comment.lines().for_each(|line| {
        let _ = writeln!(text, "# {line}");
    });
    let _ = writeln!(text, "of {:016x}", of_text(of));
    all.for_each(|number| {
        let _ = writeln!(text, "{number}");
    });
    text
}

/// The numbers, if they belong to a text with this digest.
pub(super) fn numbers(text: &str, digest: u64) -> Result<impl Iterator<Item = u64> + use<>, String> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    if lines.next() != Some(&format!("of {digest:016x}")) {
        return Err("the numbers are of something else; measure anew".to_owned());
    }
    let all: Result<Vec<u64>, _> = lines.map(|line| line.parse().map_err(|_| format!("no number: `{line}`"))).collect();
    Ok(all?.into_iter())
}

/// Reads both texts, without the steps that could not be measured.
///
/// # Errors
/// What is not understood, or that the texts do not belong together.
pub fn read(steps: &str, instructions: &str) -> Result<Vec<Measurement>, String> {
    let mut measured = read_others(steps, instructions, &[])?;
    measured.retain(|step| step.instructions > 0);
    Ok(measured)
}

/// Reads both texts without the steps of some families, which may have had other features when they were written; with the steps that could
/// not be measured, whose instructions are 0.
///
/// # Errors
/// What is not understood, or that the texts do not belong together.
pub fn read_others(steps: &str, instructions: &str, without: &[Family]) -> Result<Vec<Measurement>, String> {
    let mut taken = numbers(instructions, of_text(steps))?;
    let (mut measured, mut network) = (Vec::new(), "");
    for line in steps.lines() {
        if let Some(name) = line.strip_prefix('@') {
            network = name;
            continue;
        }
        let instructions = taken.next().ok_or("a step without instructions")?;
        if without.iter().any(|family| line.split(',').next() == Some(family.name())) {
            continue;
        }
        let work = parse(line).ok_or_else(|| format!("no step: `{line}`"))?;
        measured.push(Measurement { network: network.to_owned(), work, instructions });
    }
    if taken.next().is_some() { Err("instructions without a step".to_owned()) } else { Ok(measured) }
}

fn parse(line: &str) -> Option<Work> {
    let mut fields = line.split(',');
    let family = Family::named(fields.next()?)?;
    let mut counts = [0; MOST_FEATURES];
    for count in counts.iter_mut().take(family.features().len()) {
        *count = fields.next()?.parse().ok()?;
    }
    fields.next().is_none().then_some(Work { family, counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let step = |network: &str, family, counts, instructions| Measurement {
            network: network.into(),
            work: Work::new(family, counts),
            instructions,
        };
        let measured = [
            step("a layer", Family::Softmax, [1, 2, 3], 400),
            step("a layer", Family::Table, [9, 8, 7], 600),
            step("b auto", Family::Table, [0, 1, 2], u64::MAX),
        ];
        let (steps, taken) = (write_steps(&measured), write_instructions("on a core\nof no use", &measured));
        assert_eq!(steps, "@a layer\nsoftmax,1,2,3\ntable,9,8,7\n@b auto\ntable,0,1,2\n");
        assert!(taken.starts_with("# on a core\n# of no use\nof "), "{taken}");
        assert_eq!(read(&steps, &taken).unwrap(), measured);
        // One that could not be measured is left out.
        assert_eq!(read(&steps, &taken.replace("600\n", "0\n")).unwrap(), [measured[0].clone(), measured[2].clone()]);
        for wrong in ["softmax,1,2", "softmax,1,2,3,4", "soft,1,2,3", "softmax,x,2,3", ""] {
            let steps = format!("{wrong}\n");
            let taken = format!("of {:016x}\n400\n", of_text(&steps));
            assert!(read(&steps, &taken).unwrap_err().contains(wrong), "{wrong}");
        }
        assert!(read(&steps, &taken.replace("400\n", "")).is_err());
        assert!(read(&steps, &(taken.clone() + "5\n")).is_err());
        assert!(read(&steps.replace('9', "8"), &taken).is_err());
    }
}
