//! The best scheme where memory adds up: a multiple-choice knapsack by dynamic programming (Kellerer, Pferschy and
//! Pisinger, "Knapsack Problems", 2004, section 11.5), over the pairs of memory and gain that no other one beats, so
//! that nothing is rounded.

use super::{Additive, Choice, Gains, Space};

/// A choice of parts of the convolutions that were looked at, and where it came from.
#[derive(Clone, Copy)]
struct State {
    taken: usize,
    gain: f64,
    /// The last part that was added, in the list of all.
    last: Option<usize>,
}

/// A part that was added to others.
struct Link {
    before: Option<usize>,
    convolution: usize,
    part: usize,
}

/// The choice of the greatest gain that takes no more than the budget, of equals one that takes least; `None` if not
/// even the classifier fits.
///
/// Convolutions are looked at from the last one on, so that those reached by fewer biases come before the others, and
/// one pass serves all counts of biases. There are at most as many states as units of the budget.
pub fn exact(space: &Space, gains: &Gains, memory: &Additive, budget: usize) -> Option<Choice> {
    // The most that weights may take beside any count of biases.
    let room = memory.biases.iter().filter_map(|&taken| budget.checked_sub(taken)).max()?;
    let mut links: Vec<Link> = Vec::new();
    let mut states = vec![State { taken: 0, gain: 0.0, last: None }];
    let mut best: Option<(f64, usize, usize, Option<usize>)> = None;
    let mut looked_at = 0;
    for (biases, &count) in space.biases.iter().enumerate() {
        while looked_at < count.min(space.convolutions) {
            looked_at += 1;
            states = extended(states, space.convolutions - looked_at, (gains, memory, room), &mut links);
        }
        let Some(left) = budget.checked_sub(memory.biases[biases]) else { continue };
        // Gains rise with what is taken.
        let Some(state) = states.iter().rev().find(|state| state.taken <= left) else { continue };
        let (gain, taken) = (gains.biases[biases] + state.gain, memory.biases[biases] + state.taken);
        if best.is_none_or(|(most, least, ..)| gain > most || (gain == most && taken < least)) {
            best = Some((gain, taken, biases, state.last));
        }
    }
    let (_, _, biases, mut last) = best?;
    let mut choice = Choice { biases, ..space.last_layer() };
    while let Some(Link { before, convolution, part }) = last.map(|at| &links[at]) {
        choice.weights[*convolution] = part + 1;
        last = *before;
    }
    Some(choice)
}

/// All states with one of the convolution's parts or none, but those that another one beats.
fn extended(
    states: Vec<State>,
    convolution: usize,
    (gains, memory, room): (&Gains, &Additive, usize),
    links: &mut Vec<Link>,
) -> Vec<State> {
    // Which part was added to which state is written down only for those that stay.
    let mut all: Vec<(State, Option<usize>)> = states.iter().map(|&state| (state, None)).collect();
    for (part, (&gain, &taken)) in gains.weights[convolution].iter().zip(&memory.weights[convolution]).enumerate() {
        if gain > 0.0 {
            let fitting = states.iter().filter(|state| state.taken + taken <= room);
            all.extend(fitting.map(|state| {
                (State { taken: state.taken + taken, gain: state.gain + gain, last: state.last }, Some(part))
            }));
        }
    }
    all.sort_by(|(a, _), (b, _)| a.taken.cmp(&b.taken).then(b.gain.total_cmp(&a.gain)));
    let mut kept: Vec<State> = Vec::new();
    for (state, part) in all {
        if kept.last().is_none_or(|last| state.gain > last.gain) {
            let last = match part {
                Some(part) => {
                    links.push(Link { before: state.last, convolution, part });
                    Some(links.len() - 1)
                }
                None => state.last,
            };
            kept.push(State { last, ..state });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::instances::{Instance, every_choice};
    use super::*;

    #[test]
    fn nothing_beats_it() {
        for seed in 0..200 {
            let Instance { space, gains, memory, budgets } = Instance::small(seed);
            for budget in budgets {
                let found = exact(&space, &gains, &memory, budget);
                let fits = |choice: &Choice| space.taken(&memory, choice) <= budget;
                let most = every_choice(&space)
                    .into_iter()
                    .filter(fits)
                    .map(|choice| space.gain(&gains, &choice))
                    .reduce(f64::max);
                assert_eq!(found.is_some(), most.is_some(), "{seed} {budget}");
                if let (Some(found), Some(most)) = (found, most) {
                    assert!(fits(&found));
                    assert!((space.gain(&gains, &found) - most).abs() < 1e-9, "{seed} {budget}");
                    for (i, &part) in found.weights.iter().enumerate() {
                        assert!(part == 0 || space.reaches(found.biases, i));
                    }
                }
            }
        }
    }

    #[test]
    fn more_memory_never_gains_less() {
        for seed in 0..20 {
            let Instance { space, gains, memory, budgets } = Instance::large(seed);
            let gain = |&budget: &usize| exact(&space, &gains, &memory, budget).map(|c| space.gain(&gains, &c));
            let all: Vec<Option<f64>> = budgets.iter().map(gain).collect();
            assert!(all.is_sorted_by(|a, b| a <= b), "{seed}: {all:?}");
        }
    }
}
