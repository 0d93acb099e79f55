//! What kernels take on which core: a model of instructions for each, fitted to measured steps.
//!
//! The instructions of a run are a sum: for each [feature](Family::features) of its kernel's [family](Family), how
//! often it occurs times a rate.
//! What is counted follows from the kernels' code and is the same for all cores, since all run the same kernels, some
//! by other means; the
//! [`Costs`] of a core are its rates, and data. `cargo xtask fit-costs TARGET` measures networks on the emulated core,
//! writes the measurements to
//! `measured/`, [fits](fit()) the rates to them and writes these to `rates/`.
//!
//! Rates are in hundredths of an instruction, so that plans compare exactly.

mod code;
mod family;
mod fit;
mod measured;
mod rates;
#[cfg(test)]
mod tests;
pub(crate) mod windows;
mod work;

pub use code::{
    CODE_FEATURES, CodeCounts, CodeMeasurement, CodeRates, code_bytes, code_counts, code_errors, code_features,
    fit_code, read_all_code, read_code, write_code_bytes, write_code_counts,
};
pub use family::{Family, GUESSED, MOST_FEATURES};
pub use fit::{Errors, errors, fit, held_out};
pub use measured::{Measurement, read, read_others, write_instructions, write_steps};
pub use rates::{ARMV6M, ARMV7EM, ARMV7M, ARMV8M, CORTEX_M55, RV32IMC};
pub use work::{Counts, Size, Work, family, work};

use crate::{Extent, Lowered, Region, Run, Step};
use std::collections::BTreeSet;
use std::fmt;

/// For each family, in the order of [`Family::ALL`], the rates of its features in hundredths of an instruction.
pub type Rates = [[u32; MOST_FEATURES]; Family::ALL.len()];

/// What kernels take on the cores of one kind.
#[derive(PartialEq, Eq, Hash)]
pub struct Costs {
    /// The name by which `cargo xtask fit-costs` knows them.
    pub name: &'static str,
    /// The cores that they hold for, for people.
    pub cores: &'static str,
    /// To read the entry of an [`Await`](Run::Await) and return to the caller, in hundredths.
    pub awaits: u32,
    /// How many measured steps the rates of each family were fitted to.
    pub steps: [u16; Family::ALL.len()],
    /// The rates.
    pub rates: Rates,
    /// Bytes of code, in hundredths.
    pub code: CodeRates,
}

/// Bytes of the tables that describe a step, beside the constants that its kernel reads: read-only data of the firmware of
/// eight networks with 10 to 59 steps had 148 to 155 for each, 93 where all are fully connected.
const DESCRIPTION: usize = 151;

impl Costs {
    /// Those of every kind of core.
    pub const ALL: [&'static Costs; 6] = [&ARMV6M, &ARMV7M, &ARMV7EM, &ARMV8M, &CORTEX_M55, &RV32IMC];

    /// Those of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|costs| costs.name == name)
    }

    /// Bytes of code that a network's firmware takes, about, with the tables that say what each step reads and writes.
    /// `pushed`: the caller pushes rows of the input.
    pub fn code(&self, lowered: &Lowered, pushed: bool) -> usize {
        code_bytes(&self.code, &code_counts(lowered, pushed)) as usize + DESCRIPTION * lowered.steps.len()
    }

    /// The names of those kernels' families among a network's steps that were not measured on these cores, or not with what the
    /// steps do: their rates are guesses.
    pub fn unfitted(&self, lowered: &Lowered) -> Vec<&'static str> {
        let all = lowered.steps.iter().map(|step| {
            let extent = step.outputs.first().map_or(Extent { rows: 0, cols: 0, depth: 0 }, |target| target.extent);
            work(step, Region { y0: 0, y1: extent.rows, x0: 0, x1: extent.cols })
        });
        let is_guessed = |work: &Work| {
            let features = GUESSED.iter().filter(|guess| guess.0 == work.family);
            self.steps[work.family as usize] == 0 || features.into_iter().any(|guess| work.counts[guess.1] > 0)
        };
        let guessed: BTreeSet<Family> = all.filter(is_guessed).map(|work| work.family).collect();
        guessed.into_iter().map(Family::name).collect()
    }

    /// Modelled instructions of a list, in hundredths.
    pub fn of_runs(&self, lowered: &Lowered, runs: &[Run]) -> u64 {
        runs.iter().map(|run| self.of_run(lowered, run)).sum()
    }

    /// Modelled instructions of a run, in hundredths.
    pub fn of_run(&self, lowered: &Lowered, run: &Run) -> u64 {
        match *run {
            Run::Await { .. } => self.awaits.into(),
            Run::Compute { step, region } => self.of_step(&lowered.steps[step.index()], region),
        }
    }

    /// Modelled instructions of a run of this step, in hundredths.
    pub fn of_step(&self, step: &Step, region: Region) -> u64 {
        let Work { family, counts } = work(step, region);
        modelled(&self.rates[family as usize], &counts)
    }
}

impl fmt::Debug for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Costs").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Those that plans are made with where no core is named.
impl Default for &'static Costs {
    fn default() -> Self {
        &ARMV7EM
    }
}

/// Modelled instructions of some work by its family's rates, in hundredths.
fn modelled(rates: &[u32; MOST_FEATURES], counts: &Counts) -> u64 {
    rates.iter().zip(counts).map(|(&rate, &count)| u64::from(rate) * count).sum()
}
