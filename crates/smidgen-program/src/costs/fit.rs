//! Rates from measured steps: least squares of relative errors, with no rate below zero.
//!
//! Each step counts the same, however many instructions it takes: what is made small is the mean square of (modelled -
//! measured) / measured.
//! A step that takes a hundred times as long as another therefore does not decide its family's rates alone, and errors
//! in per cent mean
//! the same everywhere.

use super::family::{Family, MOST_FEATURES};
use super::measured::Measurement;
use super::work::Counts;
use super::{Rates, modelled};

/// Rounds over all rates of a family.
const ROUNDS: usize = 20_000;

/// A round that changes no rate by more than this part of it is the last.
const STILL: f64 = 1e-12;

/// The rates of all families, in hundredths of an instruction, that suit the measurements best. A family that was not
/// measured gets zeros.
pub fn fit<'a>(measured: impl Iterator<Item = &'a Measurement> + Clone) -> Rates {
    let mut rates = [[0; MOST_FEATURES]; Family::ALL.len()];
    for family in Family::ALL {
        let steps: Vec<&Measurement> = measured.clone().filter(|step| step.work.family == family).collect();
        rates[family as usize] = of_family(&steps);
    }
    rates
}

/// The rates of a family, in hundredths.
fn of_family(steps: &[&Measurement]) -> [u32; MOST_FEATURES] {
    let rows: Vec<(Counts, u64)> = steps.iter().map(|step| (step.work.counts, step.instructions)).collect();
    solve(&rows).map(|rate| (100.0 * rate).round() as u32)
}

/// Non-negative least squares by going from coordinate to coordinate: the normal equations are small, and their
/// minimum is the only one.
pub(super) fn solve<const N: usize>(measured: &[([u64; N], u64)]) -> [f64; N] {
    let mut products = [[0.0; N]; N];
    let mut sums = [0.0; N];
    for (counts, total) in measured {
        let relative = counts.map(|count| count as f64 / (*total as f64).max(1.0));
        for (i, &x) in relative.iter().enumerate() {
            sums[i] += x;
            relative.iter().enumerate().for_each(|(j, &y)| products[i][j] += x * y);
        }
    }
    let mut rates = [0.0; N];
    for _ in 0..ROUNDS {
        let mut most: f64 = 0.0;
        for i in (0..N).filter(|&i| products[i][i] > 0.0) {
            let without: f64 = (0..N).filter(|&j| j != i).map(|j| products[i][j] * rates[j]).sum();
            let rate = ((sums[i] - without) / products[i][i]).max(0.0);
            most = most.max((rate - rates[i]).abs() / rate.max(1e-6));
            rates[i] = rate;
        }
        if most < STILL {
            break;
        }
    }
    rates
}

/// How far rates are off.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Errors {
    /// Steps looked at.
    pub steps: usize,
    /// Mean of the relative errors, each step counting the same.
    pub mean: f64,
    /// The greatest.
    pub worst: f64,
}

impl Errors {
    /// Of relative errors.
    pub(super) fn of(errors: impl Iterator<Item = f64>) -> Self {
        let (mut all, mut sum) = (Self::default(), 0.0);
        for error in errors {
            all.steps += 1;
            sum += error;
            all.worst = all.worst.max(error);
        }
        all.mean = sum / all.steps.max(1) as f64;
        all
    }
}

/// How far rates are off for these steps, of one family or of all.
pub fn errors<'a>(rates: &Rates, measured: impl Iterator<Item = &'a Measurement>, family: Option<Family>) -> Errors {
    let of_family = measured.filter(|step| family.is_none_or(|family| step.work.family == family));
    Errors::of(of_family.map(|step| error(&rates[step.work.family as usize], step)))
}

fn error(rates: &[u32; MOST_FEATURES], step: &Measurement) -> f64 {
    let instructions = (step.instructions as f64).max(1.0);
    (modelled(rates, &step.work.counts) as f64 / 100.0 - instructions).abs() / instructions
}

/// Parts of the networks, each of which is left out once.
const PARTS: usize = 4;

/// How far rates are off for networks that they were not fitted to: the networks with kernels of a family are dealt
/// out to four parts, and
/// the steps of each part are modelled by rates that are fitted to the three others. Families of a single network are
/// left out.
pub fn held_out(measured: &[Measurement], family: Option<Family>) -> Errors {
    let mut all = Vec::new();
    for family in Family::ALL.into_iter().filter(|&one| family.is_none_or(|family| family == one)) {
        let steps = || measured.iter().filter(|step| step.work.family == family);
        let name = |step: &Measurement| step.network.split(' ').next().unwrap_or_default().to_owned();
        let mut networks: Vec<String> = steps().map(name).collect();
        networks.dedup();
        if networks.len() < 2 {
            continue;
        }
        let part = |step: &Measurement| networks.iter().position(|network| *network == name(step)).unwrap_or(0) % PARTS;
        for held in 0..PARTS {
            let (inside, others): (Vec<&Measurement>, Vec<&Measurement>) = steps().partition(|step| part(step) == held);
            let rates = of_family(&others);
            all.extend(inside.into_iter().map(|step| error(&rates, step)));
        }
    }
    Errors::of(all.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::work::Work;

    fn step(counts: [usize; 3], instructions: u64) -> Measurement {
        Measurement { network: "n".into(), work: Work::new(Family::Softmax, counts), instructions }
    }

    #[test]
    fn rates_that_steps_were_made_with_are_found_again() {
        let rates = [110, 234, 64];
        let counts = [[1, 1, 10], [1, 1, 1000], [4, 16, 160], [2, 30, 90], [1, 5, 400]];
        let steps: Vec<Measurement> = counts
            .map(|counts| step(counts, counts.iter().zip(rates).map(|(&n, rate)| n as u64 * rate).sum()))
            .to_vec();
        let found = fit(steps.iter());
        assert_eq!(found[Family::Softmax as usize][..3], rates.map(|rate| 100 * rate as u32));
        let errors = errors(&found, steps.iter(), None);
        assert!(errors.steps == 5 && errors.worst < 1e-9, "{errors:?}");
        assert_eq!(found[Family::Conv2d as usize], [0; MOST_FEATURES]);
        // A single network says nothing of others.
        assert_eq!(held_out(&steps, None), Errors::default());
        let mut two = steps.clone();
        two.iter_mut().take(2).for_each(|step| step.network = "other".into());
        let held = held_out(&two, Some(Family::Softmax));
        // Three steps say what all take, two do not.
        assert!(held.steps == 5 && held.worst > 0.01, "{held:?}");
    }

    #[test]
    fn no_rate_is_negative() {
        // Plain least squares would have a run take less than nothing.
        let steps = [step([1, 0, 10], 50), step([1, 0, 100], 1000), step([1, 0, 1000], 10_500)];
        let found = fit(steps.iter())[Family::Softmax as usize];
        assert_eq!(found[0], 0);
        // Between 5 and 10.5 for a channel, by least squares of relative errors.
        assert_eq!(found[2], 669);
    }
}
