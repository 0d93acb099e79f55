//! What a training is made of: the samples of a set, and how they become the network's inputs.

use super::subject::Subject;
use crate::console::format::{bytes, thousands};
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::{Failure, progress};
use smidgen::Error;
use smidgen::data::picture::Normalisation;
use smidgen::data::set::Part;
use smidgen::data::{Dataset, Feeder, Normalise};
use smidgen::evaluate::{EvaluateError, Skipped};
use smidgen::ir::{visible, visible_path};
use smidgen::train::held::Holding;
use smidgen::train::{Freeze, Held, Random, Start, TrainingError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

/// The sets of a training: what is trained on, and what is held back, if the data have a part for it.
pub struct Sets {
    pub training: Dataset,
    /// Which of its samples are trained on.
    pub chosen: Vec<usize>,
    pub test: Option<Dataset>,
    /// Which samples count: of the test part, or held back.
    pub judged: Vec<usize>,
    /// The latter.
    pub held_out: bool,
}

impl Sets {
    /// The one whose accuracy counts.
    pub fn judged(&self) -> &Dataset {
        self.test.as_ref().unwrap_or(&self.training)
    }

    /// Whether there are samples to test that are not trained on.
    pub fn are_tested(&self) -> bool {
        self.test.is_some() || self.held_out
    }

    pub fn classes(&self) -> usize {
        let of = |set: &Dataset| set.classes().len();
        of(&self.training).max(self.test.as_ref().map_or(0, of))
    }
}

/// The samples of a set to train on, and those held back: of each class this share, at least one and never all.
fn held_back(set: &Dataset, HoldOut { share, asked }: HoldOut, seed: u64) -> Result<(Vec<usize>, Vec<usize>), Failure> {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, item) in set.items().iter().enumerate() {
        classes.entry(item.class.unwrap_or(0)).or_default().push(index);
    }
    let mut random = Random::new(seed);
    let (mut chosen, mut held) = (Vec::new(), Vec::new());
    for (class, mut all) in classes {
        if all.len() < 2 {
            let class = set.classes().get(class).cloned().unwrap_or_default();
            return Err(Error::from(TrainingError::NothingToHold { class, asked }).into());
        }
        for i in (1..all.len()).rev() {
            all.swap(i, random.below(i + 1));
        }
        let count = ((all.len() as f64 * share).round() as usize).clamp(1, all.len() - 1);
        chosen.extend(all.split_off(count));
        held.extend(all);
    }
    chosen.sort_unstable();
    held.sort_unstable();
    Ok((chosen, held))
}

/// The share of each class that is held back where the data have no part to test.
#[derive(Clone, Copy, Debug)]
pub struct HoldOut {
    pub share: f64,
    /// Nothing would be held back had this not been asked for.
    pub asked: bool,
}

impl HoldOut {
    /// As it was asked for.
    pub fn asked(share: f64) -> Self {
        Self { share, asked: true }
    }
}

/// A network, and samples for it.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    pub subject: &'a Subject,
    pub data: &'a Data,
    /// The share of each class that is held back where the data have no part to test.
    pub hold_out: Option<HoldOut>,
    /// Bytes that decoded samples may take in memory.
    pub memory: usize,
    /// What pixels become where nothing else is asked for.
    pub pixels: Option<Normalisation>,
}

/// Classes that a system which does not tell cases apart would take for one.
fn alike(classes: &[String]) -> Option<(&str, &str)> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    classes.iter().find_map(|class| known.insert(class.to_lowercase(), class).map(|other| (other, class.as_str())))
}

impl Material<'_> {
    /// Lists the samples: those to train on, and the test part beside them.
    pub fn sets(&self) -> Result<Sets, Failure> {
        let training = self.data.open(Part::Training)?;
        if training.classes().is_empty() {
            return Err(Error::from(EvaluateError::Unlabelled).into());
        }
        let seen: BTreeSet<usize> = training.items().iter().filter_map(|item| item.class).collect();
        if let (Some(&class), 1) = (seen.first(), seen.len()) {
            let class = training.classes()[class].clone();
            return Err(Error::from(TrainingError::OneClass { class }).into());
        }
        let test = match training.part() {
            Some(_) => Some(Dataset::open(&self.data.data, &Part::Test).map_err(Error::from)?),
            None => None,
        };
        let test = test.filter(|test| test.part() != training.part());
        let (mut chosen, mut judged) = ((0..training.items().len()).collect(), Vec::new());
        let held_out = self.hold_out.filter(|_| test.is_none());
        if let Some(share) = held_out {
            (chosen, judged) = held_back(&training, share, self.subject.seed)?;
        } else {
            judged.extend(0..test.as_ref().unwrap_or(&training).items().len());
        }
        Ok(Sets { training, chosen, test, judged, held_out: held_out.is_some() })
    }

    /// The network with what its training begins with, for these samples.
    pub fn start(&self, sets: &Sets, freeze: Option<&Freeze>, decay: f32) -> Result<Start, Failure> {
        let greatest = |start: &Start| {
            let range = self.feeder(start)?.pixel_range().filter(|_| sets.training.holds_pixels());
            Ok(range.map(|(low, high)| high.max(-low)))
        };
        let mut start = self.subject.start((Some(sets.classes()), true), freeze, greatest)?;
        start.decay = decay;
        Ok(start)
    }

    /// Pixels become 0..1 where the weights are fresh and nothing else is asked for: nothing has to be guessed then.
    pub fn feeder<'n>(&self, start: &'n Start) -> Result<Feeder<'n>, Failure> {
        let fresh = self.subject.is_fresh();
        let normalise = match self.data.pixels.normalisation.get()? {
            Normalise::Auto if self.pixels.is_some() => self.pixels.map_or(Normalise::Auto, Normalise::Fixed),
            Normalise::Auto if fresh => Normalise::Fixed(Normalisation::Unit),
            normalise => normalise,
        };
        let normalise = match start.integers.as_ref().filter(|_| normalise == Normalise::Auto) {
            Some(integers) => Feeder::new(integers.interface(), normalise, self.data.pixels.fit.into())
                .normalisation()
                .map_or(normalise, Normalise::Fixed),
            None => normalise,
        };
        Ok(Feeder::new(start.network.interface(), normalise, self.data.pixels.fit.into()))
    }

    /// Tells what is to be known of samples before they are trained on.
    fn tell_doubts(
        &self,
        out: &mut Output,
        sets: &Sets,
        (samples, test): (&Held, Option<&Held>),
    ) -> Result<(), Failure> {
        if let Some((one, other)) = alike(sets.training.classes()) {
            let (one, other) = (visible(one), visible(other));
            out.warn(format!("the classes `{one}` and `{other}` differ in case alone, and are taken for two"));
        }
        let beyond = samples.bytes().1 + test.map_or(0, |test| test.bytes().1);
        if beyond > 0 {
            let (allowed, folder) = (bytes(self.memory), std::env::temp_dir());
            let folder = visible_path(&folder);
            out.warn(format!(
                "{} of samples, beyond --memory {allowed}, lie in a file in `{folder}`",
                bytes(beyond as usize)
            ));
        }
        let Some(test) = test else { return Ok(()) };
        let shared = test.shared_with(samples)?;
        if let Some(&(one, other)) = shared.first() {
            let name = |set: &Dataset, index: usize| visible(&set.items()[index].name).to_string();
            let one = name(sets.judged(), sets.judged[test.place(one)]);
            let other = name(&sets.training, sets.chosen[samples.place(other)]);
            out.warn(format!(
                "{} of {} samples to test are trained on too, such as `{one}` (`{other}`): being right on them proves \
                 nothing",
                thousands(shared.len() as u64),
                thousands(test.len() as u64),
            ));
        }
        Ok(())
    }

    /// Decodes all samples; `None` if that was interrupted.
    pub fn held(
        &self,
        out: &mut Output,
        sets: &Sets,
        start: &Start,
        (feeder, stop): (&Feeder, &AtomicBool),
    ) -> Result<Option<(Held, Option<Held>)>, Failure> {
        let tested = if sets.are_tested() { sets.judged.len() } else { 0 };
        let bar = progress::bar(out, "reading", sets.chosen.len() + tested);
        let read = |set: (&Dataset, &[usize]), limit| {
            let holding = Holding { feeder, scale: start.scale, strict: self.data.strict, limit };
            Held::read(start.network.graph(), set, holding, (&|| bar.inc(1), stop))
        };
        let both = || -> Result<Option<(Held, Option<Held>)>, Error> {
            let limit = self.memory as u64;
            let Some(samples) = read((&sets.training, &sets.chosen), limit)? else { return Ok(None) };
            let left = limit - samples.bytes().0.min(limit);
            if !sets.are_tested() {
                return Ok(Some((samples, None)));
            }
            Ok(read((sets.judged(), &sets.judged), left)?.map(|test| (samples, Some(test))))
        };
        let held = both();
        bar.finish_and_clear();
        let held = held?;
        if let Some((samples, test)) = &held {
            self.tell_doubts(out, sets, (samples, test.as_ref()))?;
            for (held, count) in [(Some(samples), sets.chosen.len()), (test.as_ref(), tested)] {
                let told = held.and_then(|held| Skipped::told(&held.skipped, count as u64));
                told.into_iter().for_each(|text| out.warn(text));
            }
        }
        Ok(held)
    }
}
