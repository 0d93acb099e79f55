//! The report of a search: one page beside the network.

use super::{Course, Search, Sets, told};
use crate::commands::plan::segments;
use crate::console::Failure;
use crate::console::format::{bytes, count, percent, thousands};
use smidgen::boards::Board;
use smidgen::certificate::occupancy;
use smidgen::compile::Compiled;
use smidgen::data::{Feeder, Normalisation, Picture};
use smidgen::ir::visible_path;
use smidgen::report::Figure;
use smidgen::report::search::{
    BlockRow, Compared, EpochRow, SearchSummary, SpaceRow, SupernetRow, Taken, WrongRow, html,
};
use smidgen::scope::Scope;
use smidgen::search::state::{SpaceLine, State};
use smidgen::search::{Figures, Found, Space};
use smidgen::train::{Block, network_of_blocks};
use smidgen::training::Role;
use smidgen::{Error, Evaluation};
use std::time::Duration;

/// Pictures that are shown at most.
const WRONG: usize = 12;

/// A search that has come to its end.
pub(super) struct Ended<'a> {
    pub board: &'a Board,
    pub sets: &'a Sets,
    /// Makes samples into the float network's inputs.
    pub feeder: &'a Feeder<'a>,
    pub course: &'a Course<'a>,
    pub space: &'a Space,
    pub found: &'a Found,
    pub compiled: &'a Compiled<'a>,
    pub figures: &'a Figures,
    pub result: &'a Evaluation,
    /// Bytes of the network's file.
    pub size: usize,
}

impl Search {
    /// The page.
    pub(super) fn report(&self, ended: &Ended) -> Result<String, Failure> {
        let plan = &ended.compiled.planned.plan;
        let page = html(&plan.program, &occupancy(&plan.program), &self.summary(ended)?);
        page.map_err(|error| Failure::usage(error.to_string(), "everything else was written"))
    }

    fn summary(&self, ended: &Ended) -> Result<SearchSummary, Failure> {
        let Ended { board, sets, course, space, found, result, .. } = *ended;
        let state = course.state();
        let exceeded = course.budget().exceeded(ended.figures);
        let share = percent(result.top1, result.samples, 2);
        let [rows, columns, _] = space.input;
        let mut verdict = format!(
            "A network of width {} for inputs of {rows}x{columns} that is right about {share} of {}",
            space.width,
            count(result.samples as usize, "sample")
        );
        if exceeded.is_empty() {
            verdict += ", and keeps all limits.";
        } else {
            let names: Vec<String> = exceeded.iter().map(ToString::to_string).collect();
            verdict += &format!(", but takes more {} than it may.", names.join(" and "));
        }
        let compared = |scored: &smidgen::search::Scored| Compared {
            accuracy: scored.accuracy(),
            sram: scored.figures.sram,
            instructions: scored.figures.instructions,
            chosen: false,
        };
        let mut all: Vec<Compared> = state.seen.iter().map(compared).collect();
        if let Some(at) = state.seen.iter().position(|scored| scored.candidate == found.scored.candidate) {
            all[at].chosen = true;
        }
        let epochs = state.trained_epochs.iter().map(|epoch| EpochRow {
            number: epoch.number,
            loss: epoch.loss,
            accuracy: epoch.accuracy,
            tested: epoch.tested,
            integers: epoch.knowing,
        });
        let name = self.output.file_name().unwrap_or_else(|| self.output.as_os_str());
        Ok(SearchSummary {
            name: name.to_string_lossy().into_owned(),
            board: board.title.clone(),
            verdict,
            fits: exceeded.is_empty(),
            taken: self.taken(ended),
            figures: self.figures(ended),
            command: command_line(),
            why: told::why(state, space),
            spaces: spaces(state),
            supernet: state.epochs.iter().map(|e| SupernetRow { loss: e.loss, accuracy: e.accuracy }).collect(),
            compared: all,
            population: state.record.population,
            blocks: blocks(space, &found.blocks)?,
            epochs: epochs.collect(),
            classes: result.classes.clone(),
            confusion: result.confusion.clone(),
            pictures: sets.training.holds_pixels(),
            wrong: wrong(ended),
            segments: segments(&ended.compiled.planned.plan),
            sram: course.budget().sram,
        })
    }

    /// What the network is and takes.
    fn taken(&self, ended: &Ended) -> Vec<Taken> {
        let Ended { board, sets, course, found, figures, result, .. } = *ended;
        let which = if sets.held_out { "samples that were held back" } else { "samples to test" };
        let accuracy = |label: &str, value: String, kind: String| Taken {
            label: label.to_owned(),
            value,
            limit: None,
            share: None,
            kind,
        };
        let of = format!("{} of {} {which}", thousands(result.top1), thousands(result.samples));
        let mut rows = vec![accuracy("int8 accuracy", percent(result.top1, result.samples, 2), of)];
        if let Some(share) = course.float_accuracy() {
            let kind = format!("the same {which}, before quantisation");
            rows.push(accuracy("float accuracy", format!("{:.2} %", share * 100.0), kind));
        }
        let scored = &found.scored;
        let share = percent(scored.correct as u64, scored.samples as u64, 2);
        let kind = format!("of {} kept for comparisons, before it was trained alone", thousands(scored.samples as u64));
        rows.push(accuracy("accuracy with inherited weights", share, kind));
        let budget = course.budget();
        let row = |label: &str, taken: u64, limit: Option<u64>, text: &dyn Fn(u64) -> String, kind: String| Taken {
            label: label.to_owned(),
            value: text(taken),
            limit: limit.map(text),
            share: limit.map(|limit| taken as f64 / limit.max(1) as f64),
            kind,
        };
        let size = |n: u64| bytes(n as usize);
        let of = |n: Option<usize>| n.map(|n| n as u64);
        let exact = "exact; the stack comes on top".to_owned();
        rows.push(row("SRAM", figures.sram as u64, of(budget.sram), &size, exact));
        let about = "constants exact, code estimated from other networks' firmware".to_owned();
        rows.push(row("flash", figures.flash as u64, of(budget.flash), &size, about));
        let limited = if budget.macs == self.macs { "exact" } else { "exact; as many as there is time to train" };
        rows.push(row("MACs", figures.macs, budget.macs, &thousands, limited.to_owned()));
        let scope = Scope::of(Some(board));
        let modelled = scope.modelled();
        rows.push(row("instructions", figures.instructions, budget.instructions, &thousands, modelled));
        rows
    }

    fn figures(&self, ended: &Ended) -> Vec<Figure> {
        let Ended { board, sets, course, result, .. } = *ended;
        let state = course.state();
        let figure = |label: &str, value: String, kind: String| Figure { label: label.to_owned(), value, kind };
        let judged = format!(
            "{} to train on, {} {}",
            thousands(sets.chosen.len() as u64),
            thousands(result.samples),
            if sets.held_out { "held back" } else { "to test" }
        );
        let drawn: usize = state.spaces.iter().map(|space| space.drawn).sum();
        let looked = format!("{} of {}", count(drawn, "network"), count(state.spaces.len(), "space"));
        let integers = state.trained_epochs.iter().filter(|epoch| epoch.knowing).count();
        let epochs = format!("{} of them with integers", thousands(integers as u64));
        let schedule = ended.compiled.planned.plan.report.schedule.clone();
        let mut figures = vec![
            figure("board", board.name.clone(), format!("{}, {} MHz", board.core.title(), board.clock_mhz)),
            figure("data", visible_path(&self.data.data).to_string(), judged),
            figure("drawn and planned", looked, "to choose the space".to_owned()),
            figure("supernet", count(state.epochs.len(), "epoch"), "of all networks of the space".to_owned()),
            figure("compared", count(state.seen.len(), "network"), "with inherited weights".to_owned()),
            figure("trained on", count(state.trained_epochs.len(), "epoch"), epochs),
            figure("schedule", schedule, "of the firmware's memory".to_owned()),
            figure("network.tflite", bytes(ended.size), "as a file".to_owned()),
            figure("seed", self.seed.to_string(), "everything drawn follows from it".to_owned()),
            figure("time", time(course.spent()), format!("with {}", count(self.threads(), "thread"))),
        ];
        let scope = Scope::of(Some(board));
        if let Some([least, most]) = scope.milliseconds(ended.figures.instructions) {
            let kind = "the modelled instructions at 1.3 to 1.6 cycles and the board's clock".to_owned();
            figures.insert(1, figure("milliseconds", format!("{least:.1} to {most:.1}"), kind));
        }
        figures
    }
}

/// `1 h 5 min`, `12 min 3 s`.
pub(in crate::commands) fn time(spent: Duration) -> String {
    let seconds = spent.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// An argument as a shell reads it.
pub(super) fn quoted(argument: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%@".contains(c);
    match argument.chars().all(plain) && !argument.is_empty() {
        true => argument,
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

/// What was typed, so that a shell reads it again.
pub(in crate::commands) fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| quoted(argument.to_string_lossy().into_owned()));
    std::iter::once("smidgen".to_owned()).chain(arguments).collect::<Vec<String>>().join(" ")
}

/// The spaces of the skeleton that was chosen: those of others have the same widths and inputs.
fn spaces(state: &State) -> Vec<SpaceRow> {
    let one = |(at, line): (usize, &SpaceLine)| SpaceRow {
        width: line.width,
        input: line.input,
        drawn: line.drawn,
        macs: line.macs.clone(),
        binds: told::binding(line).map(|(limit, _)| limit.to_string()),
        chosen: at == state.chosen,
    };
    let chosen = state.spaces.get(state.chosen).map(|line| &line.skeleton);
    let alike = |(_, line): &(usize, &SpaceLine)| Some(&line.skeleton) == chosen;
    state.spaces.iter().enumerate().filter(alike).map(one).collect()
}

/// The blocks one after the other: what each takes is that of a network with it alone.
fn blocks(space: &Space, blocks: &[Block]) -> Result<Vec<BlockRow>, Failure> {
    let [mut rows, mut columns, mut channels] = space.input;
    let (mut field, mut apart) = ([1; 2], 1);
    let mut all = Vec::new();
    for block in blocks {
        let alone = network_of_blocks([rows, columns, channels], &[*block], 1).map_err(Error::from)?;
        let (kind, kernel, expansion, stride, filters) = match *block {
            Block::Conv { filters, kernel, stride, .. } => ("convolution", kernel, None, stride, filters),
            Block::Depthwise { kernel, stride, .. } => ("depthwise convolution", kernel, None, stride, channels),
            Block::Inverted { middle, filters, kernel, stride, .. } => {
                let kind = match (middle == channels, stride == 1 && filters == channels) {
                    (_, true) => "inverted residual",
                    (true, false) => "depthwise separable",
                    (false, false) => "inverted, without shortcut",
                };
                (kind, [kernel; 2], Some(middle as f64 / channels as f64), stride, filters)
            }
            Block::Fused { middle, filters, kernel, stride, .. } => {
                let kind = match stride == 1 && filters == channels {
                    true => "fused inverted residual",
                    false => "fused inverted, without shortcut",
                };
                (kind, [kernel; 2], Some(middle as f64 / channels as f64), stride, filters)
            }
        };
        [rows, columns] = [rows, columns].map(|side| side.div_ceil(stride));
        field = [0, 1].map(|axis| field[axis] + (kernel[axis] - 1) * apart);
        apart *= stride;
        channels = filters;
        let weights = alone.parameters().iter().filter(|parameter| parameter.role == Role::Weight);
        // The network's last layer, with its one class, has a weight for each channel.
        let weights = weights.map(|parameter| parameter.len()).sum::<usize>() - channels;
        all.push(BlockRow {
            kind: kind.to_owned(),
            kernel: Some(kernel),
            expansion,
            channels,
            stride: Some(stride),
            output: Some([rows, columns]),
            field: Some(field),
            macs: (alone.macs() - channels) as u64,
            weights: weights as u64,
        });
    }
    let last = (channels * space.classes) as u64;
    all.push(BlockRow {
        kind: "mean, fully connected".to_owned(),
        channels: space.classes,
        macs: last,
        weights: last,
        ..BlockRow::default()
    });
    Ok(all)
}

/// The pictures that it is most confident and wrong about, at the size that it sees.
fn wrong(ended: &Ended) -> Vec<WrongRow> {
    let Ended { sets, feeder, result, .. } = *ended;
    let set = sets.judged();
    // The pixels themselves.
    let raw = feeder.with(Normalisation::Raw);
    if !set.holds_pixels() || feeder.normalisation().is_none() {
        return Vec::new();
    }
    let mistakes = &result.mistakes[..result.mistakes.len().min(WRONG)];
    let indices: Vec<usize> = mistakes.iter().map(|mistake| mistake.sample).collect();
    let mut rows = Vec::new();
    for sample in set.read(&indices) {
        // Nobody misses a picture that cannot be read again.
        let Ok(sample) = sample else { continue };
        let Some(mistake) = mistakes.iter().find(|mistake| mistake.sample == sample.index) else { continue };
        let pixels = raw.inputs(&sample).ok().and_then(|inputs| inputs.first()?.to_f32());
        let bytes: Vec<u8> = pixels.unwrap_or_default().iter().map(|&pixel| pixel as u8).collect();
        let Some(png) = Picture::from_pixels(&ended.space.input, &bytes).and_then(|picture| picture.png()) else {
            continue;
        };
        rows.push(WrongRow {
            png,
            name: sample.name,
            class: result.classes[mistake.class].clone(),
            taken: result.classes[mistake.taken].clone(),
            confidence: mistake.confidence,
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_add_up_to_the_network() {
        for (width, input) in [(0.5, [96, 80, 3]), (0.3, [33, 31, 1])] {
            let space = Space::new(width, input, 7);
            for candidate in [space.smallest(), space.largest()] {
                let (all, net) = (space.blocks(&candidate), space.net(&candidate).unwrap());
                let rows = blocks(&space, &all).unwrap();
                assert_eq!(rows.len(), all.len() + 1);
                assert_eq!(rows.iter().map(|row| row.macs).sum::<u64>(), net.macs() as u64);
                let weights = net.parameters().iter().filter(|parameter| parameter.role == Role::Weight);
                assert_eq!(
                    rows.iter().map(|row| row.weights).sum::<u64>() as usize,
                    weights.map(|p| p.len()).sum::<usize>()
                );
                let fields: Vec<[usize; 2]> = rows.iter().filter_map(|row| row.field).collect();
                assert!(fields.is_sorted() && fields[0] == [3, 3], "{fields:?}");
            }
        }
    }

    #[test]
    fn times_read_well() {
        let texts = [0.4, 59.7, 754.0, 3900.0].map(|seconds| time(Duration::from_secs_f64(seconds)));
        assert_eq!(texts, ["0 s", "1 min 0 s", "12 min 34 s", "1 h 5 min"]);
    }
}
