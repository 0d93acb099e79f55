//! Evolution within a space (Real et al. 2019, "Regularized evolution for image classifier architecture search"; in the
//! form of Lin et al. 2020): the best of all that were seen have children, half by mutation and half by crossing.

use crate::budget::Figures;
use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::space::Space;
use serde::{Deserialize, Serialize};
use smidgen_train::Random;
use std::collections::HashSet;

/// How a population evolves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// Networks of a generation.
    pub population: usize,
    /// Those of all seen that have children.
    pub parents: usize,
    /// The chance of each choice to be made anew.
    pub mutation: f32,
    /// Networks to look at in all.
    pub evaluations: usize,
    /// What is drawn follows from it.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { population: 100, parents: 20, mutation: 0.1, evaluations: 3000, seed: 0 }
    }
}

impl Settings {
    /// For so many networks in all: the published proportions for 30 generations or more, smaller populations for fewer
    /// evaluations.
    pub fn for_evaluations(evaluations: usize, seed: u64) -> Self {
        let population = (((evaluations * 10) as f64).sqrt() as usize / 2).clamp(8, 100).min(evaluations.max(1));
        Self { evaluations, seed, ..Self::default() }.of_population(population)
    }

    /// The same with so many networks in a generation, of which a fifth have children.
    #[must_use]
    pub fn of_population(self, population: usize) -> Self {
        let population = population.max(1);
        Self { population, parents: (population / 5).max(2), ..self }
    }
}

/// A network that was looked at.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scored {
    /// The network.
    pub candidate: Candidate,
    /// What it takes.
    pub figures: Figures,
    /// Samples that it is right about with inherited weights.
    pub correct: usize,
    /// Of so many.
    pub samples: usize,
}

impl Scored {
    /// Share of samples that it is right about.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }
}

/// A search under way: what was looked at so far, generation by generation.
#[derive(Clone, PartialEq, Debug)]
pub struct Evolution {
    settings: Settings,
    seen: Vec<Scored>,
    /// Networks of the generation that is being looked at, and the figures that they were admitted with.
    waiting: Vec<(Candidate, Figures)>,
}

/// Draws for one child before a fresh one is drawn in its place, ...
const TRIES: usize = 60;
/// ... before that is made smaller, by the more the longer it takes, ...
const SHRINKING: usize = 90;
/// ... and before it is the smallest network.
const MOST_TRIES: usize = 180;

impl Evolution {
    /// At its beginning, or with what was looked at before it was interrupted.
    pub fn new(settings: Settings, seen: Vec<Scored>) -> Self {
        Self { settings, seen, waiting: Vec::new() }
    }

    /// The next network to look at, with its figures; `None` when all were. `admitted` says what a network takes that
    /// keeps the budget.
    ///
    /// # Errors
    /// If no network keeps the budget among all that were drawn, or `admitted` fails.
    pub fn next(
        &mut self,
        space: &Space,
        admitted: &dyn Fn(&Candidate) -> Result<Option<Figures>, SearchError>,
    ) -> Result<Option<(Candidate, Figures)>, SearchError> {
        let Settings { population, evaluations, .. } = self.settings;
        if self.seen.len() >= evaluations {
            return Ok(None);
        }
        if self.waiting.is_empty() {
            // A generation is drawn as a whole, from all that came before it: so an interrupted one is drawn again.
            let generation = self.seen.len() / population;
            self.waiting = self.generation(generation, space, admitted)?;
        }
        let at = self.seen.len() % population;
        Ok(self.waiting.get(at).cloned())
    }

    /// Tells how often the network was right that [`next`](Self::next) gave.
    pub fn tell(&mut self, scored: Scored) {
        self.seen.push(scored);
        if self.seen.len().is_multiple_of(self.settings.population) {
            self.waiting.clear();
        }
    }

    fn generation(
        &self,
        generation: usize,
        space: &Space,
        admitted: &dyn Fn(&Candidate) -> Result<Option<Figures>, SearchError>,
    ) -> Result<Vec<(Candidate, Figures)>, SearchError> {
        let Settings { population, parents, mutation, seed, .. } = self.settings;
        let mut random = Random::new(Random::new(seed ^ 0xe701).bits() ^ generation as u64);
        let before = &self.seen[..generation * population];
        let mut known: HashSet<&Candidate> = before.iter().map(|scored| &scored.candidate).collect();
        let best = best(before, parents);
        let mut drawn: Vec<(Candidate, Figures)> = Vec::new();
        for child in 0..population {
            let mut found = None;
            let mut spare = None;
            for attempt in 0..MOST_TRIES {
                let candidate = if best.is_empty() || attempt >= TRIES {
                    let drawn = Candidate::draw(space, &mut random);
                    let part = attempt.saturating_sub(SHRINKING) as f32 / (MOST_TRIES - SHRINKING) as f32;
                    if part > 0.0 { drawn.shrunk(space, part, &mut random) } else { drawn }
                } else if child < population / 2 {
                    best[random.below(best.len())].candidate.mutated(space, mutation, &mut random)
                } else {
                    let [a, b] = [0; 2].map(|_| &best[random.below(best.len())].candidate);
                    a.crossed(b, space, &mut random)
                };
                let new = !known.contains(&candidate) && drawn.iter().all(|(other, _)| *other != candidate);
                if !new && spare.is_some() {
                    continue;
                }
                let Some(figures) = admitted(&candidate)? else { continue };
                if new {
                    found = Some((candidate, figures));
                    break;
                }
                // A space with few networks that fit gives some of them again.
                spare = Some((candidate, figures));
            }
            let smallest = || -> Result<_, SearchError> {
                let smallest = space.smallest();
                Ok(admitted(&smallest)?.map(|figures| (smallest, figures)))
            };
            let found = match found.or(spare) {
                Some(found) => Some(found),
                None => smallest()?,
            };
            drawn.push(found.ok_or(SearchError::NoneDrawn)?);
        }
        known.clear();
        Ok(drawn)
    }

    /// All that were looked at, in their order.
    pub fn seen(&self) -> &[Scored] {
        &self.seen
    }

    /// The best of them; the first among equals.
    pub fn best(&self) -> Option<&Scored> {
        best(&self.seen, 1).first().copied()
    }

    /// Networks in all.
    pub fn evaluations(&self) -> usize {
        self.settings.evaluations
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Ends after the networks that were looked at so far.
    pub fn end(&mut self) {
        self.settings.evaluations = self.seen.len();
    }

    /// Those that no other one beats in accuracy at no more SRAM and instructions.
    pub fn front(&self) -> Vec<&Scored> {
        let beats = |a: &Scored, b: &Scored| {
            let (x, y) = (&a.figures, &b.figures);
            let no_worse = a.correct >= b.correct && x.sram <= y.sram && x.instructions <= y.instructions;
            no_worse && (a.correct > b.correct || x.sram < y.sram || x.instructions < y.instructions)
        };
        let mut front: Vec<&Scored> = Vec::new();
        for scored in &self.seen {
            let beaten = self.seen.iter().any(|other| beats(other, scored));
            if !beaten && front.iter().all(|other| other.candidate != scored.candidate) {
                front.push(scored);
            }
        }
        front.sort_by_key(|scored| (scored.figures.sram, scored.figures.instructions));
        front
    }
}

/// The best, each network once.
fn best(seen: &[Scored], count: usize) -> Vec<&Scored> {
    let mut order: Vec<&Scored> = seen.iter().collect();
    order.sort_by_key(|scored| std::cmp::Reverse(scored.correct));
    let mut kept: Vec<&Scored> = Vec::new();
    for scored in order {
        if kept.len() < count && kept.iter().all(|other| other.candidate != scored.candidate) {
            kept.push(scored);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A figure of merit that grows with kernels in late stages and shrinks with early ones.
    fn merit(candidate: &Candidate) -> usize {
        let late = |i: usize| if i < 8 { 8 - candidate.genes[i].kernel } else { candidate.genes[i].kernel };
        (0..candidate.genes.len()).map(late).sum::<usize>() + candidate.depths.iter().sum::<usize>()
    }

    fn run(evolution: &mut Evolution, space: &Space, until: usize, most: u64) {
        let admitted = |candidate: &Candidate| {
            let macs = candidate.genes.iter().map(|gene| gene.expansion as u64).sum();
            Ok((macs <= most).then_some(Figures { macs, ..Figures::default() }))
        };
        while evolution.seen().len() < until
            && let Some((candidate, figures)) = evolution.next(space, &admitted).unwrap()
        {
            assert!(figures.macs <= most);
            let correct = merit(&candidate);
            evolution.tell(Scored { candidate, figures, correct, samples: 200 });
        }
    }

    #[test]
    fn it_beats_drawing_and_keeps_the_budget() {
        let space = Space::new(0.5, [96, 96, 3], 2);
        let mut better = 0;
        for seed in 0..5 {
            let settings = Settings { population: 20, parents: 5, evaluations: 300, seed, ..Settings::default() };
            let mut evolution = Evolution::new(settings, Vec::new());
            run(&mut evolution, &space, 300, 80);
            let mut drawing = Evolution::new(Settings { population: 300, ..settings }, Vec::new());
            run(&mut drawing, &space, 300, 80);
            let [evolved, drawn] = [&evolution, &drawing].map(|search| search.best().unwrap().correct);
            better += usize::from(evolved > drawn);
            let best = |count: usize| evolution.seen()[..count].iter().map(|scored| scored.correct).max();
            assert!((1..15).all(|generation| best(20 * generation) <= best(20 * (generation + 1))));
        }
        assert_eq!(better, 5);
    }

    #[test]
    fn an_interrupted_search_ends_as_another() {
        let space = Space::new(0.3, [32, 32, 3], 10);
        let settings = Settings { population: 7, parents: 3, evaluations: 40, seed: 2, ..Settings::default() };
        let mut whole = Evolution::new(settings, Vec::new());
        run(&mut whole, &space, 40, 70);
        for at in [0, 3, 7, 20, 39] {
            let mut first = Evolution::new(settings, Vec::new());
            run(&mut first, &space, at, 70);
            let mut second = Evolution::new(settings, first.seen().to_vec());
            run(&mut second, &space, 40, 70);
            assert_eq!(second.seen(), whole.seen());
        }
        assert_eq!(whole.seen().len(), 40);
    }

    #[test]
    fn a_search_that_was_cut_is_repeated_with_its_population() {
        let space = Space::new(0.3, [32, 32, 3], 10);
        let mut cut = Evolution::new(Settings::for_evaluations(300, 4), Vec::new());
        let population = cut.settings().population;
        run(&mut cut, &space, 2 * population + 3, 70);
        cut.end();
        assert!(cut.next(&space, &|_| Ok(Some(Figures::default()))).unwrap().is_none());
        let settings = Settings::for_evaluations(cut.evaluations(), 4).of_population(population);
        let mut again = Evolution::new(settings, Vec::new());
        run(&mut again, &space, usize::MAX, 70);
        assert_eq!(again.seen(), cut.seen());
    }

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let space = Space::new(0.3, [32, 32, 3], 10);
        let mut random = Random::new(1);
        let scored = |correct: usize, sram: usize, random: &mut Random| Scored {
            candidate: Candidate::draw(&space, random),
            figures: Figures { sram, instructions: 5, ..Figures::default() },
            correct,
            samples: 10,
        };
        let seen = vec![scored(5, 100, &mut random), scored(6, 90, &mut random), scored(8, 200, &mut random)];
        let evolution = Evolution::new(Settings::default(), seen);
        let front: Vec<usize> = evolution.front().iter().map(|scored| scored.correct).collect();
        assert_eq!(front, [6, 8]);
        assert_eq!(evolution.best().unwrap().correct, 8);
    }
}
