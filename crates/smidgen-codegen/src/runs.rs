//! The schedule as bytes: a dictionary of the distinct runs, and a string of indices into it.
//!
//! Rows are counted from where the step's last run ended, so that a streamed schedule, which computes most tensors a row at a
//! time, has one entry for each step and not one for each row. What repeats in the string is written once, followed by how many
//! bytes to go back and how often.

use smidgen_program::{Program, Run};
use std::collections::BTreeMap;

/// One entry of the dictionary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Entry {
    /// The step; for awaited rows the number of steps plus that of the input.
    pub step: usize,
    /// First row, counted from the end of the step's last run in the same inference.
    pub skip: isize,
    /// Rows.
    pub rows: usize,
    /// First column.
    pub x0: usize,
    /// One past the last column.
    pub x1: usize,
}

/// The schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Schedule {
    pub entries: Vec<Entry>,
    /// Indices of `entries`, [`REPEAT`]s and their operands.
    pub codes: Vec<u16>,
    /// Whether a code takes two bytes.
    pub wide: bool,
    /// Whether some code is a [`REPEAT`].
    pub repeats: bool,
    /// Whether some step does not always run whole, so that its next row must be remembered.
    pub partial: bool,
}

/// The code that stands for "go back", by width: the two codes after it are how many codes to go back and how often.
pub(crate) const REPEAT: [u16; 2] = [u8::MAX as u16, u16::MAX];

/// Writes the Program's runs as a schedule.
pub(crate) fn schedule(program: &Program) -> Schedule {
    let steps = program.steps.len();
    let mut next = vec![0usize; steps + program.inputs.len()];
    let mut partial = false;
    let sequence: Vec<Entry> = (program.runs.iter())
        .map(|run| {
            let (step, y0, y1, x0, x1) = match *run {
                Run::Compute { step, region } => (step.index(), region.y0, region.y1, region.x0, region.x1),
                Run::Await { input, y0, y1 } => (steps + input, y0, y1, 0, 0),
            };
            let skip = y0 as isize - next[step] as isize;
            partial |= step < steps && y0 > 0;
            next[step] = y1;
            Entry { step, skip, rows: y1 - y0, x0, x1 }
        })
        .collect();
    let mut index = BTreeMap::new();
    let mut entries = Vec::new();
    // In order of first use, so that a layer-wise schedule counts up.
    let codes: Vec<u16> = (sequence.iter())
        .map(|entry| {
            *index.entry(*entry).or_insert_with(|| {
                entries.push(*entry);
                (entries.len() - 1) as u16
            })
        })
        .collect();
    let wide = entries.len() > REPEAT[0] as usize;
    let codes = fold(&codes, wide);
    let repeats = codes.contains(&REPEAT[usize::from(wide)]);
    // A step that runs again in the same inference from row 0 on needs no memory of where it was.
    if !partial {
        entries.iter_mut().for_each(|entry| entry.skip = 0);
    }
    Schedule { entries, codes, wide, repeats, partial }
}

/// Replaces what repeats by a [`REPEAT`]: at each place the period that saves most.
fn fold(codes: &[u16], wide: bool) -> Vec<u16> {
    let (mark, most) = if wide { (REPEAT[1], REPEAT[1] as usize) } else { (REPEAT[0], REPEAT[0] as usize) };
    let longest = most.min(512);
    let mut out: Vec<u16> = Vec::new();
    let mut at = 0;
    while at < codes.len() {
        let best = (1..=longest.min((codes.len() - at) / 2))
            .map(|period| {
                let same = codes[at + period..].iter().zip(&codes[at..]).take_while(|(a, b)| a == b).count();
                (period, (same / period).min(most))
            })
            .map(|(period, times)| (period * times, period, times))
            .max_by_key(|&(saved, period, _)| (saved, std::cmp::Reverse(period)));
        match best {
            Some((saved, period, times)) if saved > 3 => {
                out.extend(&codes[at..at + period]);
                out.extend([mark, period as u16, times as u16]);
                at += saved + period;
            }
            _ => {
                out.push(codes[at]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a device makes of the codes.
    fn unfold(codes: &[u16], wide: bool) -> Vec<u16> {
        let mark = REPEAT[usize::from(wide)];
        let (mut at, mut left, mut out) = (0, None, Vec::new());
        while let Some(&code) = codes.get(at) {
            if code != mark {
                out.push(code);
                at += 1;
                continue;
            }
            let rest = left.unwrap_or(codes[at + 2]);
            if rest == 0 {
                left = None;
                at += 3;
            } else {
                left = Some(rest - 1);
                at -= codes[at + 1] as usize;
            }
        }
        out
    }

    #[test]
    fn folding_keeps_the_sequence() {
        let mut seed = 1u32;
        let mut draw = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % n
        };
        for wide in [false, true] {
            for _ in 0..50 {
                let mut codes = Vec::new();
                for _ in 0..draw(6) {
                    let part: Vec<u16> = (0..1 + draw(8)).map(|_| draw(5) as u16).collect();
                    (0..1 + draw(400)).for_each(|_| codes.extend(&part));
                }
                let folded = fold(&codes, wide);
                assert_eq!(unfold(&folded, wide), codes);
                assert!(folded.len() <= codes.len());
            }
        }
    }
}
