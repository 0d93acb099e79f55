//! What `smidgen search` prints, and writes as lines of JSON beside.

use super::{Course, Search, Sets};
use crate::commands::train::told;
use crate::console::format::{percent, thousands};
use crate::console::output::Output;
use crate::console::{Failure, progress};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use smidgen::boards::Board;
use smidgen::ir::{visible, visible_path};
use smidgen::search::state::{SpaceLine, State};
use smidgen::search::{Budget, Event, Figures, Found, Limit, Scored, Space};
use smidgen::train::Epoch;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Shows what goes on: a bar, lines, and lines of JSON in `progress.jsonl`.
pub struct Progress(Mutex<Inner>);

struct Inner {
    out: Output,
    /// Nothing but JSON is printed.
    silent: bool,
    bar: Option<(&'static str, ProgressBar)>,
    file: Option<File>,
    begun: Instant,
}

impl Progress {
    pub fn new(out: &Output, silent: bool, folder: &Path) -> Self {
        // Where it cannot be written, the search itself says so.
        let file = OpenOptions::new().create(true).append(true).open(folder.join("progress.jsonl")).ok();
        Self(Mutex::new(Inner { out: out.beside(), silent, bar: None, file, begun: Instant::now() }))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the bar away before something else is printed.
    pub fn pause(&self) {
        if let Some((_, bar)) = self.inner().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Tells of an epoch of the network found.
    pub fn epoch(&self, epoch: &Epoch, all: Option<usize>) {
        let mut inner = self.inner();
        inner.line(told::line(epoch, all));
        let told = told::described(std::slice::from_ref(epoch)).pop().unwrap_or_default();
        inner.record("epoch", told);
    }

    /// A step of some stage is over; of so many, where that is known.
    pub fn step(&self, what: &'static str, all: usize) {
        self.inner().bar(what, all).inc(1);
    }

    pub fn tell(&self, event: Event) {
        let mut inner = self.inner();
        match event {
            Event::Surveyed { done, all } => {
                inner.bar("drawing networks", all).set_position(done as u64);
                if done == all {
                    inner.record("surveyed", json!({ "spaces": all }));
                }
            }
            Event::Chosen { space } => {
                let [rows, columns, channels] = space.input;
                let told = json!({ "skeleton": space.skeleton.name, "width": space.width, "input": [rows, columns, channels] });
                inner.record("space", told);
            }
            Event::Step => inner.bar("training the supernet", 0).inc(1),
            Event::Epoch { number, all, epoch } => {
                let of = all.map_or_else(String::new, |all| format!(" of {all}"));
                let share = percent((epoch.accuracy * 1e4).round() as u64, 10_000, 2);
                inner.line(format!("supernet epoch {number}{of}  loss {:.4}  training {share:>8}", epoch.loss));
                let told = json!({ "epoch": number, "loss": epoch.loss, "training_accuracy": epoch.accuracy });
                inner.record("supernet", told);
            }
            Event::Evaluated { scored, done, all } => {
                let told = json!({
                    "evaluation": done,
                    "of": all,
                    "accuracy": scored.accuracy(),
                    "figures": scored.figures,
                    "network": scored.candidate,
                });
                inner.bar("comparing networks", all.unwrap_or(0)).set_position(done as u64);
                inner.record("evaluated", told);
            }
        }
    }
}

impl Inner {
    /// The bar of a stage; of `all` steps, or of none that are known.
    fn bar(&mut self, what: &'static str, all: usize) -> &ProgressBar {
        let fresh = self.bar.as_ref().is_none_or(|(other, _)| *other != what);
        if fresh {
            if let Some((_, old)) = self.bar.take() {
                old.finish_and_clear();
            }
            let bar = if self.silent { ProgressBar::hidden() } else { progress::bar(&self.out, what, all) };
            self.bar = Some((what, bar));
        }
        let (_, bar) = self.bar.get_or_insert_with(|| (what, ProgressBar::hidden()));
        bar
    }

    fn line(&mut self, text: String) {
        if self.silent {
            return;
        }
        let Self { out, bar, .. } = self;
        // Whoever closed standard output is told by what is printed next.
        match bar {
            Some((_, bar)) => bar.suspend(|| drop(out.note(text))),
            None => drop(out.note(text)),
        }
    }

    fn record(&mut self, what: &str, mut told: Value) {
        let seconds = (self.begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        if let Some(object) = told.as_object_mut() {
            object.insert("event".into(), what.into());
            object.insert("seconds".into(), seconds.into());
        }
        if let Some(file) = &mut self.file {
            // What cannot be told beside does not end the search.
            let _ = writeln!(file, "{told}");
        }
    }
}

/// `skeleton mobile, width 0.5, input 96x96x3`.
fn named(space: &Space) -> String {
    let [rows, columns, channels] = space.input;
    format!("skeleton {}, width {}, input {rows}x{columns}x{channels}", space.skeleton.name, space.width)
}

/// The limit that most networks of a space exceed, and how many do, if any does.
pub fn binding(line: &SpaceLine) -> Option<(Limit, usize)> {
    let most = Limit::ALL.into_iter().zip(line.exceeded).max_by_key(|&(_, count)| count);
    most.filter(|&(_, count)| count > 0)
}

/// Which space was chosen, and what became of the networks drawn of it.
pub fn why(state: &State, space: &Space) -> String {
    let Some(line) = state.spaces.get(state.chosen) else { return named(space) };
    let mean = line.macs.iter().sum::<u64>() / line.macs.len().max(1) as u64;
    let share = percent(line.macs.len() as u64, line.drawn as u64, 1);
    let limit = match binding(line) {
        Some((limit, count)) => format!("{} exceed the {limit}, which binds", thousands(count as u64)),
        None => "nothing binds: the largest space fits".to_owned(),
    };
    format!(
        "{}: of {} networks drawn {share} fit, with {} MACs on average; {limit}",
        named(space),
        thousands(line.drawn as u64),
        thousands(mean),
    )
}

/// What a network takes, on one line.
pub fn taken(figures: &Figures) -> String {
    format!(
        "SRAM {}, flash {} with code, {} MACs, {} instructions",
        thousands(figures.sram as u64),
        thousands(figures.flash as u64),
        thousands(figures.macs),
        thousands(figures.instructions),
    )
}

impl Search {
    pub(super) fn tell_beginning(
        &self,
        out: &mut Output,
        (board, sets): (&Board, &Sets),
        (budget, spaces, fit): (&Budget, &[Space], Option<&str>),
    ) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let (classes, samples) = (thousands(sets.classes() as u64), thousands(sets.chosen.len() as u64));
        let judged = thousands(sets.judged.len() as u64);
        let tested = if sets.held_out { format!("{judged} held back to test") } else { format!("{judged} to test") };
        let data = visible_path(&self.data.data);
        out.wrapped(&format!("data   {data}: {classes} classes; {samples} samples to train on; {tested}"), 7)?;
        out.wrapped(&format!("board  {}: at most {budget}", visible(&board.title)), 7)?;
        let sides: BTreeSet<(usize, usize)> = spaces.iter().map(|space| (space.input[0], space.input[1])).collect();
        let names: BTreeSet<&str> = spaces.iter().map(|space| space.skeleton.name).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let sides: Vec<String> = sides.iter().map(|(rows, columns)| format!("{rows}x{columns}")).collect();
        let sides = sides.join(", ");
        let told = match &self.from {
            Some(from) => {
                format!(
                    "grid   {} spaces: what can be cut from {}; inputs of {sides}",
                    spaces.len(),
                    visible_path(from)
                )
            }
            None => format!("grid   {} spaces: skeletons {names}; 9 widths; inputs of {sides}", spaces.len()),
        };
        out.wrapped(&told, 7)?;
        fit.map_or(Ok(()), |fit| out.wrapped(&format!("fit    {fit}"), 7))
    }

    pub(super) fn tell_space(&self, out: &mut Output, course: &Course, space: &Space) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        out.wrapped(&format!("space  {}", why(course.state(), space)), 7)
    }

    pub(super) fn tell_found(&self, out: &mut Output, course: &Course, found: &Found) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let Scored { figures, correct, samples, .. } = &found.scored;
        let share = percent(*correct as u64, *samples as u64, 2);
        let compared = thousands(course.state().seen.len() as u64);
        out.wrapped(
            &format!(
                "found  {}; {share} of {} samples right with inherited weights, the best of {compared} \
                 networks",
                taken(figures),
                thousands(*samples as u64),
            ),
            7,
        )
    }
}
