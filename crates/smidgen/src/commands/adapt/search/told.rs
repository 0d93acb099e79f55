//! What `smidgen adapt scheme` prints, and the file of the scheme.

use super::{Ended, MemoryName, Search};
use crate::commands::search::report::{command_line, time};
use crate::console::format::{bytes, count, thousands};
use crate::console::output::{GOOD, Output};
use crate::console::table::{Column, Table};
use crate::console::{Failure, progress};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use smidgen::adapt::budget::{Counting, Gauge};
use smidgen::adapt::contribution::{Bench, Wanted};
use smidgen::adapt::find::{Survey, work};
use smidgen::adapt::points::Measured;
use smidgen::ir::{visible, visible_path};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shows how far measuring is, and how long the rest will take.
pub struct Watch {
    out: Output,
    silent: bool,
}

/// A batch of schemes that is being measured.
pub struct Batch {
    bar: ProgressBar,
    /// About how much there is to compute for each; 0 for those that were measured before.
    work: Vec<f64>,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    out: Output,
    /// Schemes that were measured, and their work.
    count: usize,
    done: f64,
    told: bool,
}

/// How many schemes, and how long, before the rest is estimated from them.
const ENOUGH: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);
/// Rests that are worth a line of their own.
const LONG: Duration = Duration::from_secs(60);

impl Watch {
    pub fn new(out: &Output, silent: bool) -> Self {
        Self { out: out.beside(), silent }
    }

    pub fn begin(&self, what: &'static str, wanted: &[Wanted], (gauge, bench): (&Gauge, &Bench)) -> Batch {
        let (learnt, held_out) = (bench.material.learnt.len(), bench.material.held_out.len());
        let orders = bench.recipe.orders as usize;
        let iterations = (learnt * bench.recipe.epochs + held_out / 3) * orders;
        let of = |wanted: &Wanted| match bench.find(wanted) {
            Some(_) => 0.0,
            None => work(gauge, &wanted.0, (learnt + held_out, iterations)),
        };
        let work: Vec<f64> = wanted.iter().map(of).collect();
        let new = work.iter().filter(|&&work| work > 0.0).count();
        let bar = if self.silent { ProgressBar::hidden() } else { progress::estimated(&self.out, what, new) };
        let state = State { out: self.out.beside(), count: 0, done: 0.0, told: self.silent };
        Batch { bar, work, begun: Instant::now(), state: Mutex::new(state) }
    }
}

impl Batch {
    /// One of them was measured.
    pub fn done(&self, at: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += self.work[at];
        state.count += 1;
        let all: f64 = self.work.iter().sum();
        let spent = self.begun.elapsed();
        let left = Duration::try_from_secs_f64(spent.as_secs_f64() * (all - state.done) / state.done.max(1.0));
        let left = left.unwrap_or(Duration::MAX);
        if spent >= PATIENCE && state.count >= ENOUGH {
            self.bar.set_prefix(format!(", about {} left", time(left)));
            if left >= LONG && !state.told && self.bar.is_hidden() {
                // Nobody sees the bar: once in words.
                state.told = true;
                let line = format!("measuring takes about {} more", time(left));
                // Whoever does not read it any more is told by what comes after it.
                let _ = state.out.note(line);
            }
        }
        self.bar.inc(1);
    }

    pub fn end(self) {
        self.bar.finish_and_clear();
    }
}

/// What there is to do.
pub fn beginning(
    out: &mut Output,
    (survey, gauge): (&Survey, &Gauge),
    (schemes, before): (usize, usize),
    path: &Path,
) -> Result<(), Failure> {
    let least = survey.estimate.biases.first().copied().unwrap_or(0);
    let counted = gauge.counting().what();
    out.wrapped(
        &format!("budget  {} of {counted}; the last layer alone takes {}", bytes(survey.budget), bytes(least)),
        8,
    )?;
    if let Some((count, _)) = survey.biases.iter().find(|(_, taken)| taken.is_none()) {
        out.warn(format!(
            "gradients do not reach the last {count} convolutions: an operator has none (`smidgen adapt compile` with \
             n_bias_update = {count} names it)"
        ));
    }
    let last = survey.space.biases.last().copied().unwrap_or(0);
    let kept = match before {
        0 => format!("kept in `{}`", visible_path(path)),
        _ => format!("{} were measured before, in `{}`", thousands(before as u64), visible_path(path)),
    };
    let text = format!(
        "measure {}: biases of up to {} fit, parts of {} beside them; {kept}",
        count(schemes, "scheme"),
        count(last, "convolution"),
        count(survey.space.parts.iter().filter(|parts| !parts.is_empty()).count(), "convolution"),
    );
    out.wrapped(&text, 8)
}

const BIASES: [Column; 6] = [
    Column::right("biases of\nthe last", 0),
    Column::right("accuracy", 0),
    Column::right("probability", 2),
    Column::right("gain,\npoints", 0),
    Column::right("bytes", 1),
    Column::left("", 3),
];

const CHOSEN: [Column; 5] = [
    Column::right("convolution", 0),
    Column::left("kind", 2),
    Column::right("part", 0),
    Column::right("gain,\npoints", 0),
    Column::right("bytes", 1),
];

/// `1 class`, `2 classes`.
pub fn classes(n: usize) -> String {
    format!("{} class{}", thousands(n as u64), if n == 1 { "" } else { "es" })
}

/// `97.94 %` of a share.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn points(gain: f64) -> String {
    format!("{:+.2}", gain * 100.0)
}

/// `1/8` or `0.3`.
fn ratio(part: f64) -> String {
    match part {
        1.0 => "1".to_owned(),
        part if (1.0 / part).fract() == 0.0 => format!("1/{}", 1.0 / part),
        part => part.to_string(),
    }
}

/// A part of a convolution that was chosen.
pub struct Chosen {
    pub convolution: usize,
    pub ratio: f64,
    pub gain: f64,
    pub bytes: usize,
}

impl Ended<'_> {
    /// The parts that were chosen.
    pub fn chosen(&self) -> Vec<Chosen> {
        let chosen = self.found.choice.weights.iter().enumerate().filter(|&(_, &part)| part > 0);
        let one = |(convolution, &part): (usize, &usize)| Chosen {
            convolution,
            ratio: self.survey.space.parts[convolution][part - 1],
            gain: self.gains.weights[convolution][part - 1],
            bytes: self.survey.estimate.weights[convolution][part - 1],
        };
        chosen.map(one).collect()
    }

    /// `pointwise`, `depthwise 7x7`.
    pub fn kind(&self, convolution: usize) -> String {
        let id = self.gauge.features().convolutions[convolution];
        let operator = &self.gauge.features().graph.operators[id.index()];
        let size = &self.gauge.sizes()[convolution];
        let weights = self.gauge.features().graph.tensor(operator.inputs[1]).shape.dims();
        let taps = match weights {
            &[_, rows, columns, _] => format!("{rows}x{columns}"),
            _ => return "fully connected".to_owned(),
        };
        match (size.depthwise, size.area) {
            (true, _) => format!("depthwise {taps}"),
            (false, 1) => "pointwise".to_owned(),
            (false, _) => taps,
        }
    }

    /// The score of training the classifier alone.
    pub fn base(&self) -> f64 {
        self.rungs.first().map_or(0.0, Measured::score)
    }

    /// Why the scheme is the classifier alone, if it is.
    pub fn nothing_gained(&self) -> Option<String> {
        if let Some((scheme, measured)) = &self.beaten {
            let weights = match scheme.manual_weight_idx.len() {
                0 => String::new(),
                n => format!(" and weights of {}", count(n, "convolution")),
            };
            return Some(format!(
                "biases of the last {}{weights}, which have the greatest sum of gains, came to a score of {} themselves, no more than the \
                 classifier alone",
                scheme.n_bias_update,
                percent(measured.score())
            ));
        }
        let (space, alone) = (&self.survey.space, self.found.choice == self.survey.space.last_layer());
        alone.then(|| match space.biases.len() {
            1 => "nothing fits beside the classifier".to_owned(),
            _ => "nothing that fits gains more than the classifier alone".to_owned(),
        })
    }
}

impl Search {
    /// The file of the scheme: what it is and how it was found in front.
    pub(super) fn toml(&self, ended: &Ended) -> Result<String, Failure> {
        let Ended { found, survey, material, .. } = ended;
        let name = self.model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let budget = survey.budget as u64;
        let counted = match self.memory {
            MemoryName::Planned => "planned SRAM, stack aside",
            MemoryName::Formula => "what training keeps beside an inference, by the formula of Lin et al. 2022",
        };
        let mut text = String::new();
        let mut comment = |line: String| {
            // Whatever a name holds, it stays a comment.
            text.push_str(&format!("# {}\n", visible(&line)));
        };
        comment(format!(
            "An update scheme for {name}, {}. Convolutions are numbered from the input, from 0.",
            classes(material.classes)
        ));
        comment(format!("Found by: {}", command_line()));
        comment(format!(
            "Budget: {} bytes of {counted}. It takes {}.",
            thousands(budget),
            thousands(found.taken as u64)
        ));
        comment(format!(
            "Measured with {} samples that were learnt in {} at a rate of {}, on {} that were held out.",
            thousands(material.learnt.len() as u64),
            count(self.epochs as usize, "epoch"),
            ended.rate,
            thousands(material.held_out.len() as u64),
        ));
        comment(format!(
            "Accuracy, and probability of the right class: {} and {}; with the last layer alone {} and {}.",
            percent(ended.measured.accuracy()),
            percent(ended.measured.probability),
            percent(ended.rungs[0].accuracy()),
            percent(ended.rungs[0].probability),
        ));
        if let Some(why) = ended.nothing_gained() {
            comment(format!("The classifier alone: {why}."));
        }
        comment(format!(
            "Gains alone, in points of the mean of both: biases of the last {}: {}.",
            found.scheme.n_bias_update,
            points(ended.gains.biases[found.choice.biases])
        ));
        for Chosen { convolution, ratio: part, gain, .. } in ended.chosen() {
            comment(format!(
                "  weights of {convolution} ({}), {}: {}",
                ended.kind(convolution),
                ratio(part),
                points(gain)
            ));
        }
        let list = |numbers: Vec<String>| format!("[{}]", numbers.join(", "));
        let scheme = &found.scheme;
        text.push_str(&format!("n_bias_update = {}\n", scheme.n_bias_update));
        let indices = scheme.manual_weight_idx.iter().map(usize::to_string).collect();
        text.push_str(&format!("manual_weight_idx = {}\n", list(indices)));
        let ratios = scheme.weight_update_ratio.iter().map(|ratio| format!("{ratio:?}")).collect();
        text.push_str(&format!("weight_update_ratio = {}\n", list(ratios)));
        Ok(text)
    }

    pub(super) fn show(&self, out: &mut Output, ended: &Ended, replaced: bool) -> Result<(), Failure> {
        let Ended { found, survey, gains, .. } = ended;
        let mut table = Table::new(&BIASES);
        for (i, (measured, gain)) in ended.rungs.iter().zip(&gains.biases).enumerate() {
            let beside =
                if i == survey.most_biases() && !ended.parts.is_empty() { "weights were measured beside" } else { "" };
            let chosen = if i == found.choice.biases { "chosen" } else { beside };
            table.row(vec![
                survey.space.biases[i].to_string(),
                percent(measured.accuracy()),
                percent(measured.probability),
                points(*gain),
                thousands(survey.estimate.biases[i] as u64),
                chosen.to_owned(),
            ]);
        }
        out.print(table.render(out.width))?;
        let chosen = ended.chosen();
        if !chosen.is_empty() {
            let mut table = Table::new(&CHOSEN);
            for one in &chosen {
                table.row(vec![
                    one.convolution.to_string(),
                    ended.kind(one.convolution),
                    ratio(one.ratio),
                    points(one.gain),
                    thousands(one.bytes as u64),
                ]);
            }
            out.line("")?;
            out.print(table.render(out.width))?;
        }
        out.line("")?;
        let [before, now] = ended.counts;
        let search = match found.optimum {
            Some(optimum) if optimum > 0.0 => format!(
                "the optimum of all; evolution reaches {} of its gain with {}",
                percent(found.evolved.gain / optimum),
                count(found.evolved.evaluations, "scheme")
            ),
            Some(_) => "the optimum of all".to_owned(),
            None => format!("the best of {}", count(found.evolved.evaluations, "scheme")),
        };
        let lines = [
            ("measured", format!("{} at a rate of {}, {} of them now", count(before + now, "scheme"), ended.rate, now)),
            ("search", search),
            (
                "memory",
                format!(
                    "{} of {}, {} allowed",
                    bytes(found.taken),
                    ended.gauge.counting().what(),
                    thousands(survey.budget as u64)
                ),
            ),
            (
                "score",
                format!(
                    "{}, the sum of gains said {}; with the last layer alone {}",
                    percent(ended.measured.score()),
                    percent(ended.base() + found.gain),
                    percent(ended.base())
                ),
            ),
            (
                "accuracy",
                format!(
                    "{} of {} held out; with the last layer alone {}",
                    percent(ended.measured.accuracy()),
                    count(ended.material.held_out.len(), "sample"),
                    percent(ended.rungs[0].accuracy())
                ),
            ),
        ];
        for (label, value) in lines {
            out.wrapped(&format!("{label:<10}{value}"), 10)?;
        }
        let done = if replaced { "replaced" } else { "written" };
        out.line(format!("{GOOD}{} {done}.{GOOD:#}", visible_path(&self.output)))?;
        if let Some(report) = &self.report {
            out.line(format!("report  {}", visible_path(report)))?;
        }
        Ok(())
    }

    /// All of it for programs.
    pub(super) fn described(&self, ended: &Ended) -> Result<Value, Failure> {
        let Ended { found, survey, gauge, gains, .. } = ended;
        let told = |measured: &Measured| {
            json!({
                "accuracy": measured.accuracy(),
                "probability": measured.probability,
                "loss": measured.loss,
                "score": measured.score(),
            })
        };
        let mut parts = ended.parts.iter();
        let weights: Vec<Value> = (survey.space.parts.iter().enumerate())
            .flat_map(|(i, of)| of.iter().enumerate().map(move |(j, ratio)| (i, j, *ratio)))
            .zip(parts.by_ref())
            .map(|((i, j, ratio), measured)| {
                let mut value = told(measured);
                value["convolution"] = i.into();
                value["ratio"] = ratio.into();
                value["gain"] = gains.weights[i][j].into();
                value["bytes"] = survey.estimate.weights[i][j].into();
                value["chosen"] = (found.choice.weights[i] == j + 1).into();
                value
            })
            .collect();
        let biases: Vec<Value> = (ended.rungs.iter().enumerate())
            .map(|(i, measured)| {
                let mut value = told(measured);
                value["count"] = survey.space.biases[i].into();
                value["gain"] = gains.biases[i].into();
                value["bytes"] = survey.estimate.biases[i].into();
                value["chosen"] = (found.choice.biases == i).into();
                value
            })
            .collect();
        let scheme = serde_json::to_value(&found.scheme).unwrap_or_default();
        Ok(json!({
            "scheme": scheme,
            "file": self.output.to_string_lossy(),
            "classes": ended.material.classes,
            "memory": match gauge.counting() { Counting::Planned => "planned", Counting::Formula => "formula" },
            "budget": survey.budget,
            "bytes": found.taken,
            "formula_bytes": gauge.extra_bytes(&found.scheme)?,
            "gain": found.gain,
            "base": told(&ended.rungs[0]),
            "measured": told(&ended.measured),
            "beaten": ended.beaten.as_ref().map(|(scheme, measured)| json!({ "scheme": scheme, "measured": told(measured) })),
            "rate": ended.rate,
            "samples": { "learnt": ended.material.learnt.len(), "held_out": ended.material.held_out.len() },
            "biases": biases,
            "weights": weights,
            "evaluations": found.evolved.evaluations,
            "plans": gauge.plans(),
            "evolution": found.optimum.map(|optimum| if optimum > 0.0 { found.evolved.gain / optimum } else { 1.0 }),
            "measured_before": ended.counts[0],
            "measured_now": ended.counts[1],
        }))
    }
}
