//! The search where memory does not add up, as with a planner that puts tensors into each other's places: evolution of
//! feasible schemes.
//!
//! An additive estimate guides it: what a scheme is off the estimate is about what its children are off it, so that
//! children can be made to fill the budget before they are asked about. Only what the true memory allows is ever kept.

use super::{Additive, Choice, Gains, Space, exact};
use crate::calibrate::Chance;
use std::collections::HashSet;

/// How schemes evolve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Schemes that are kept from one generation to the next, and children of one.
    pub population: usize,
    /// Schemes whose memory is asked for, at most.
    pub evaluations: usize,
    /// Generations without a better scheme after which the search ends.
    pub patience: usize,
    /// What is drawn follows from it.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { population: 40, evaluations: 5000, patience: 25, seed: 0 }
    }
}

/// What evolution has found.
#[derive(Clone, PartialEq, Debug)]
pub struct Evolved {
    /// The scheme.
    pub choice: Choice,
    /// What it gains.
    pub gain: f64,
    /// What it takes.
    pub taken: usize,
    /// Schemes whose memory was asked for.
    pub evaluations: usize,
    /// The gain of the best scheme after so many of them, where it rose.
    pub curve: Vec<(usize, f64)>,
}

/// Says what schemes take; `None` where one cannot be compiled.
pub type Memory<'a, E> = dyn FnMut(&[Choice]) -> Result<Vec<Option<usize>>, E> + 'a;

/// Steps by which [`approach`] narrows what the estimate may say.
const STEPS: usize = 10;

/// Schemes to begin with: the best ones by the estimate, with as much of it as still fits in truth.
///
/// # Errors
/// Those of `memory`.
pub fn approach<E>(
    space: &Space,
    gains: &Gains,
    estimate: &Additive,
    budget: usize,
    memory: &mut Memory<E>,
) -> Result<Vec<Choice>, E> {
    let (mut low, mut high, mut allowed) = (0, budget.saturating_mul(2), budget);
    let mut found: Vec<Choice> = Vec::new();
    for _ in 0..STEPS {
        let choice = exact(space, gains, estimate, allowed);
        let fits = match &choice {
            // It was asked about, and fits.
            Some(choice) if found.contains(choice) => true,
            Some(choice) => memory(std::slice::from_ref(choice))?
                .first()
                .is_some_and(|taken| taken.is_some_and(|taken| taken <= budget)),
            None => true,
        };
        if fits {
            low = allowed;
            found.extend(choice.filter(|choice| !found.contains(choice)));
        } else {
            high = allowed;
        }
        if high - low <= budget / 1000 {
            break;
        }
        allowed = low + (high - low) / 2;
    }
    Ok(found)
}

/// A scheme that fits.
#[derive(Clone)]
struct Member {
    choice: Choice,
    gain: f64,
    taken: usize,
}

struct Evolution<'a> {
    space: &'a Space,
    gains: &'a Gains,
    estimate: &'a Additive,
    budget: usize,
    /// For each convolution the parts that gain more than any smaller one, in the numbers of a [`Choice`].
    useful: Vec<Vec<usize>>,
    chance: Chance,
    known: HashSet<Choice>,
    members: Vec<Member>,
    evaluations: usize,
    curve: Vec<(usize, f64)>,
}

/// Rounds in which a scheme that does not fit is made smaller.
const REPAIRS: usize = 3;
/// Draws for a child that is new.
const TRIES: usize = 12;

/// Looks for the scheme of the greatest gain whose memory is within the budget, from these schemes on and others that
/// are drawn. `estimate` is about what schemes take. `None` if not even training the classifier alone fits.
///
/// # Errors
/// Those of `memory`.
pub fn evolve<E>(
    (space, gains, estimate): (&Space, &Gains, &Additive),
    starts: &[Choice],
    budget: usize,
    settings: Settings,
    memory: &mut Memory<E>,
) -> Result<Option<Evolved>, E> {
    let useful = gains.weights.iter().map(|gains| useful(gains)).collect();
    let mut evolution = Evolution {
        space,
        gains,
        estimate,
        budget,
        useful,
        chance: Chance::new(settings.seed ^ 0x5c4e_3e00),
        known: HashSet::new(),
        members: Vec::new(),
        evaluations: 0,
        curve: Vec::new(),
    };
    let last_layer = space.last_layer();
    evolution.admit(vec![last_layer.clone()], 0, memory)?;
    if evolution.members.is_empty() {
        return Ok(None);
    }
    evolution.admit(starts.to_vec(), REPAIRS, memory)?;
    let offset = evolution.offset(&last_layer, evolution.members[0].taken);
    let drawn = (0..settings.population).map(|_| evolution.drawn(offset)).collect();
    evolution.admit(drawn, REPAIRS, memory)?;
    let mut idle = 0;
    while idle < settings.patience && evolution.evaluations < settings.evaluations {
        evolution.keep(settings.population);
        let before = evolution.members[0].gain;
        let left = settings.evaluations - evolution.evaluations;
        let children = evolution.generation(settings.population.min(left));
        if children.is_empty() {
            // All schemes near these are known.
            break;
        }
        evolution.admit(children, REPAIRS, memory)?;
        evolution.keep(settings.population);
        idle = if evolution.members[0].gain > before { 0 } else { idle + 1 };
    }
    evolution.keep(1);
    let Evolution { members, evaluations, curve, .. } = evolution;
    let best = members.into_iter().next();
    Ok(best.map(|Member { choice, gain, taken }| Evolved { choice, gain, taken, evaluations, curve }))
}

/// The parts that gain more than none and than any smaller one.
fn useful(gains: &[f64]) -> Vec<usize> {
    let mut most = 0.0;
    let mut useful = Vec::new();
    for (part, &gain) in gains.iter().enumerate() {
        if gain > most {
            most = gain;
            useful.push(part + 1);
        }
    }
    useful
}

impl Evolution<'_> {
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.chance.next()) * n as u128) >> 64) as usize
    }

    /// True once in so many times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n.max(1)) == 0
    }

    /// What a scheme takes beyond its estimate.
    fn offset(&self, choice: &Choice, taken: usize) -> isize {
        taken as isize - self.space.taken(self.estimate, choice) as isize
    }

    fn part_gain(&self, convolution: usize, part: usize) -> f64 {
        if part == 0 { 0.0 } else { self.gains.weights[convolution][part - 1] }
    }

    fn part_taken(&self, convolution: usize, part: usize) -> isize {
        if part == 0 { 0 } else { self.estimate.weights[convolution][part - 1] as isize }
    }

    /// Asks what schemes take, keeps those that fit, and makes the others smaller.
    fn admit<E>(&mut self, mut asked: Vec<Choice>, repairs: usize, memory: &mut Memory<E>) -> Result<(), E> {
        for round in 0..=repairs {
            asked.retain(|choice| self.known.insert(choice.clone()));
            if asked.is_empty() {
                break;
            }
            let taken = memory(&asked)?;
            let mut smaller = Vec::new();
            for (choice, taken) in asked.into_iter().zip(taken) {
                self.evaluations += 1;
                match taken {
                    Some(taken) if taken <= self.budget => {
                        let gain = self.space.gain(self.gains, &choice);
                        if self.curve.last().is_none_or(|&(_, best)| gain > best) {
                            self.curve.push((self.evaluations, gain));
                        }
                        self.members.push(Member { choice, gain, taken });
                    }
                    Some(taken) if round < repairs => {
                        let offset = self.offset(&choice, taken);
                        smaller.push(self.fitted(choice, offset));
                    }
                    _ => {}
                }
            }
            asked = smaller;
        }
        Ok(())
    }

    /// Keeps the best, of equals those that take least.
    fn keep(&mut self, count: usize) {
        let order = |a: &Member, b: &Member| {
            b.gain.total_cmp(&a.gain).then(a.taken.cmp(&b.taken)).then_with(|| a.choice.cmp(&b.choice))
        };
        self.members.sort_by(order);
        self.members.truncate(count);
    }

    /// A scheme by chance.
    fn drawn(&mut self, offset: isize) -> Choice {
        let mut choice = self.space.last_layer();
        choice.biases = self.below(self.space.biases.len());
        for i in 0..self.space.convolutions {
            if self.once_in(3) {
                choice.weights[i] = self.any_part(i);
            }
        }
        self.fitted(choice, offset)
    }

    /// One of the useful parts, or none.
    fn any_part(&mut self, convolution: usize) -> usize {
        let at = self.below(self.useful[convolution].len() + 1);
        self.useful[convolution].get(at).copied().unwrap_or(0)
    }

    fn generation(&mut self, count: usize) -> Vec<Choice> {
        let mut children: Vec<Choice> = Vec::new();
        for _ in 0..count {
            for _ in 0..TRIES {
                let child = self.child();
                if !self.known.contains(&child) && !children.contains(&child) {
                    children.push(child);
                    break;
                }
            }
        }
        children
    }

    /// The better one of two.
    fn parent(&mut self) -> Member {
        let count = self.members.len();
        let at = self.below(count).min(self.below(count));
        self.members[at].clone()
    }

    fn child(&mut self) -> Choice {
        let Member { mut choice, taken, .. } = self.parent();
        let offset = self.offset(&choice, taken);
        if self.once_in(2) {
            let other = self.parent().choice;
            for (own, other) in choice.weights.iter_mut().zip(other.weights) {
                if self.chance.next() >> 63 == 1 {
                    *own = other;
                }
            }
            if self.once_in(2) {
                choice.biases = other.biases;
            }
        }
        let rungs = self.space.biases.len();
        match self.below(8) {
            0 => choice.biases = self.below(rungs),
            1 => choice.biases = choice.biases.saturating_sub(1),
            2 => choice.biases = (choice.biases + 1).min(rungs - 1),
            _ => {}
        }
        let convolutions = self.space.convolutions;
        for _ in 0..1 + self.below(3).min(convolutions.saturating_sub(1)) {
            if convolutions > 0 {
                let i = self.below(convolutions);
                choice.weights[i] = self.any_part(i);
            }
        }
        if self.once_in(4) {
            // The child may be off its estimate otherwise than its parent: this is how that is found out.
            self.reach(&mut choice);
            return choice;
        }
        self.fitted(choice, offset)
    }

    /// The scheme without what its biases do not reach, made smaller until it fits and larger while it does, if it is
    /// so much off its estimate.
    fn fitted(&mut self, mut choice: Choice, offset: isize) -> Choice {
        self.reach(&mut choice);
        let budget = self.budget as isize - offset;
        while self.space.taken(self.estimate, &choice) as isize > budget {
            let Some(victim) = self.victim(&choice) else {
                if choice.biases == 0 {
                    break;
                }
                choice.biases -= 1;
                continue;
            };
            choice.weights[victim] = self.lower(victim, choice.weights[victim]);
        }
        let mut left = budget - self.space.taken(self.estimate, &choice) as isize;
        let mut larger: Vec<(f64, usize, usize)> = Vec::new();
        for i in 0..self.space.convolutions {
            if !self.space.reaches(choice.biases, i) {
                continue;
            }
            let here = choice.weights[i];
            let rise = |part: usize| self.part_gain(i, part) - self.part_gain(i, here);
            let risen: Vec<(usize, f64)> =
                self.useful[i].iter().map(|&part| (part, rise(part))).filter(|&(_, rise)| rise > 0.0).collect();
            for (part, rise) in risen {
                let more = (self.part_taken(i, part) - self.part_taken(i, here)).max(1);
                let luck = 0.2 + self.chance.signed().abs();
                larger.push((luck * rise / more as f64, i, part));
            }
        }
        larger.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        for (_, i, part) in larger {
            let here = choice.weights[i];
            let more = self.part_taken(i, part) - self.part_taken(i, here);
            if self.part_gain(i, part) > self.part_gain(i, here) && more <= left {
                choice.weights[i] = part;
                left -= more;
            }
        }
        choice
    }

    /// Takes away what biases do not reach, and what gains nothing.
    fn reach(&self, choice: &mut Choice) {
        for i in 0..self.space.convolutions {
            if !self.space.reaches(choice.biases, i) || !self.useful[i].contains(&choice.weights[i]) {
                choice.weights[i] = 0;
            }
        }
    }

    /// The next smaller useful part.
    fn lower(&self, convolution: usize, part: usize) -> usize {
        self.useful[convolution].iter().rev().copied().find(|&other| other < part).unwrap_or(0)
    }

    /// A convolution whose weights gain little for what they take: the worse one of two by chance.
    fn victim(&mut self, choice: &Choice) -> Option<usize> {
        let some: Vec<usize> = (0..choice.weights.len()).filter(|&i| choice.weights[i] > 0).collect();
        let two = [(); 2].map(|()| some.get(self.below(some.len().max(1))).copied());
        let worth = |&i: &usize| {
            let (here, lower) = (choice.weights[i], self.lower(i, choice.weights[i]));
            let less = (self.part_taken(i, here) - self.part_taken(i, lower)).max(1);
            (self.part_gain(i, here) - self.part_gain(i, lower)) / less as f64
        };
        two.into_iter().flatten().min_by(|a, b| worth(a).total_cmp(&worth(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::instances::{Instance, every_choice};
    use super::*;
    use std::convert::Infallible;

    fn run(
        Instance { space, gains, memory, .. }: &Instance,
        (starts, budget, settings): (&[Choice], usize, Settings),
        taken: &dyn Fn(&Choice) -> usize,
    ) -> Option<Evolved> {
        let mut oracle =
            |asked: &[Choice]| Ok::<_, Infallible>(asked.iter().map(|choice| Some(taken(choice))).collect());
        evolve((space, gains, memory), starts, budget, settings, &mut oracle).unwrap()
    }

    /// Spec D, T7.
    #[test]
    fn evolution_reaches_99_per_cent_of_the_optimum() {
        let mut instances = 0;
        for seed in 0..60 {
            let instance = Instance::large(seed);
            let Instance { space, gains, memory, budgets } = &instance;
            for &budget in budgets {
                let best = exact(space, gains, memory, budget);
                let settings = Settings { seed, ..Settings::default() };
                let found = run(&instance, (&[], budget, settings), &|choice| space.taken(memory, choice));
                let (Some(best), Some(found)) = (&best, &found) else {
                    // Biases may fit where the classifier alone does not only if they take less than nothing.
                    assert!(best.is_none() && found.is_none(), "{seed} {budget}");
                    continue;
                };
                let most = space.gain(gains, best);
                assert!(found.taken <= budget && found.taken == space.taken(memory, &found.choice));
                assert!((found.gain - space.gain(gains, &found.choice)).abs() < 1e-12);
                assert!(found.gain <= most + 1e-9, "{seed} {budget}: more than the optimum");
                assert!(found.gain >= 0.99 * most, "{seed} {budget}: {} of {most}", found.gain);
                assert!(found.evaluations <= settings.evaluations + settings.population * (REPAIRS + 1));
                instances += usize::from(most > 0.0);
            }
        }
        assert!(instances > 400, "{instances}");
    }

    /// Memory as a planner's: what is kept adds up, of the rest the greatest counts.
    fn peak(Instance { space, memory, .. }: &Instance, choice: &Choice) -> usize {
        let parts = || choice.weights.iter().enumerate().filter(|&(_, &part)| part > 0);
        let kept: usize = parts().map(|(i, &part)| memory.weights[i][part - 1]).sum();
        let saved = parts().map(|(i, &part)| 3 * memory.weights[i][part - 1] + i).max().unwrap_or(0);
        memory.biases[choice.biases] + kept + saved.max(space.convolutions)
    }

    #[test]
    fn it_finds_what_fits_a_memory_that_does_not_add_up() {
        let (mut total, mut most, mut compared) = (0.0, 0.0, 0);
        for seed in 0..60 {
            let instance = Instance::small(seed);
            let taken = |choice: &Choice| peak(&instance, choice);
            let Instance { space, gains, memory, budgets } = &instance;
            let all: Vec<(usize, f64)> =
                every_choice(space).iter().map(|choice| (taken(choice), space.gain(gains, choice))).collect();
            for &budget in budgets {
                let best = all.iter().filter(|one| one.0 <= budget).map(|one| one.1).reduce(f64::max);
                let mut oracle =
                    |asked: &[Choice]| Ok::<_, Infallible>(asked.iter().map(|choice| Some(taken(choice))).collect());
                let starts = approach(space, gains, memory, budget, &mut oracle).unwrap();
                assert!(starts.iter().all(|start| taken(start) <= budget), "{seed} {budget}");
                let found = run(&instance, (&starts, budget, Settings { seed, ..Settings::default() }), &taken);
                assert_eq!(found.is_some(), best.is_some(), "{seed} {budget}");
                if let (Some(found), Some(best)) = (found, best) {
                    assert!(found.taken <= budget && found.taken == taken(&found.choice));
                    assert!(found.gain >= 0.9 * best, "{seed} {budget}: {} of {best}", found.gain);
                    (total, most, compared) = (total + found.gain, most + best, compared + 1);
                }
            }
        }
        assert!(compared > 200 && total >= 0.99 * most, "{compared}: {total} of {most}");
    }

    #[test]
    fn more_memory_never_gains_less_from_a_start_that_the_estimate_gives() {
        for seed in 0..10 {
            let instance = Instance::large(seed);
            let Instance { space, gains, memory, budgets } = &instance;
            let gain = |&budget: &usize| {
                let taken = |choice: &Choice| space.taken(memory, choice);
                let mut oracle =
                    |asked: &[Choice]| Ok::<_, Infallible>(asked.iter().map(|choice| Some(taken(choice))).collect());
                let starts = approach(space, gains, memory, budget, &mut oracle).unwrap();
                let settings = Settings { evaluations: 300, seed, ..Settings::default() };
                run(&instance, (&starts, budget, settings), &taken).map(|found| found.gain)
            };
            let all: Vec<Option<f64>> = budgets.iter().map(gain).collect();
            assert!(all.is_sorted_by(|a, b| a.is_none() || b.is_some_and(|b| b >= a.unwrap_or(b) - 1e-9)), "{all:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_scheme_and_errors_come_through() {
        let instance = Instance::large(3);
        let taken = |choice: &Choice| instance.space.taken(&instance.memory, choice);
        let once = |seed| {
            let settings = Settings { evaluations: 400, seed, ..Settings::default() };
            run(&instance, (&[], instance.budgets[6], settings), &taken)
        };
        assert_eq!(once(1), once(1));
        let Instance { space, gains, memory, budgets } = &instance;
        let mut broken = |_: &[Choice]| Err("no planner");
        let failed = evolve((space, gains, memory), &[], budgets[6], Settings::default(), &mut broken);
        assert_eq!(failed, Err("no planner"));
        // A scheme that cannot be compiled is none that is found.
        let mut shallow = |asked: &[Choice]| {
            Ok::<_, Infallible>(asked.iter().map(|c| (c.biases < 2).then(|| space.taken(memory, c))).collect())
        };
        let found = evolve((space, gains, memory), &[], budgets[8], Settings::default(), &mut shallow).unwrap();
        assert!(found.unwrap().choice.biases < 2);
    }
}
