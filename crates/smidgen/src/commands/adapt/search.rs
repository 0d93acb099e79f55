//! `smidgen adapt scheme`: from labelled samples and a budget to an update scheme.

mod report;
mod told;

use self::told::Watch;
use super::arguments::{claim, part, rate, too_small, with_exit_codes};
use super::{classes_of, open};
use crate::commands::Answer;
use crate::commands::train::threads;
use crate::console::format::count;
use crate::console::options::{Model, ReferenceOption, size};
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::{Code, Failure, interrupt, progress};
use clap::{Args, ValueEnum};
use smidgen::adapt::SchemeError;
use smidgen::adapt::budget::{Counting, Gauge};
use smidgen::adapt::contribution::{Bench, Material, Recipe, Wanted, hash};
use smidgen::adapt::find::{Found, Limits, Survey, find, survey};
use smidgen::adapt::points::{Measured, Points};
use smidgen::adapting::Scheme;
use smidgen::adapting::search::{Gains, RATIOS, Settings};
use smidgen::data::Dataset;
use smidgen::data::set::Part;
use smidgen::evaluate::Skipped;
use smidgen::ir::visible_path;
use smidgen::plan::planner::{Objective, PlanOptions};
use smidgen::{Error, Network, Target, boards, files};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Find what to train beside the classifier: the update scheme that gains most within a memory budget
#[derive(Args, Debug)]
#[command(after_long_help = with_exit_codes("\
Examples:
  smidgen adapt scheme model.tflite --data photos/ --sram 135000 -o scheme.toml --report scheme.html
      measures what biases and weights gain, and finds what fits 135,000 bytes as it will be planned
  smidgen adapt scheme model.tflite --data photos/ --sram 100K -o small.toml --work .
  smidgen adapt scheme model.tflite --data photos/ --sram 160K -o large.toml --work .
      several budgets: what was measured for one serves the others, as far as as many biases fit
  smidgen adapt scheme model.tflite --data photos/ --memory formula --sram 100K -o formula.toml
      100 KiB of what training keeps beside an inference, as the published schemes count them

Every part of the network is trained alone, with the same samples in the same order and the very integers of the \
device, and measured on a third of the samples, which are held out. Samples to test are never looked at. What takes \
more than the budget alone is not measured. Ctrl-C ends it; the same command goes on where it was."))]
pub struct Search {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    data: Data,
    /// SRAM that a training step may take, stack aside: bytes, or with K or M for KiB or MiB [default: what the board
    /// has]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    sram: Option<usize>,
    /// The board: a name from `smidgen boards`, or your own file
    #[arg(short, long, value_name = "NAME|FILE")]
    board: Option<String>,
    /// What the budget counts
    #[arg(long, value_enum, default_value_t)]
    memory: MemoryName,
    /// The caller pushes rows of the input; no full frame is stored
    #[arg(long)]
    stream_input: bool,
    #[command(flatten)]
    reference: ReferenceOption,
    /// The scheme's file
    #[arg(short, long = "output", value_name = "FILE")]
    output: PathBuf,
    /// Write a report as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep what was measured in `points.jsonl` in this folder [default: beside the scheme]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Samples of the training part, as many of each class as possible: two thirds are learnt, a third is measured on
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(2..))]
    samples: u32,
    /// Times that every sample is seen, one at a time
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: u32,
    /// Learning rate; of several the one is taken for all that is best where the most biases are trained
    #[arg(long, value_name = "RATE", value_delimiter = ',', default_value = "0.001,0.002,0.004", value_parser = rate)]
    rate: Vec<f64>,
    /// Part of all iterations in which the rate grows from 0; then it falls along a half cosine
    #[arg(long, value_name = "PART", default_value_t = 0.1, value_parser = part)]
    warm_up: f64,
    /// Trainings of everything that is measured, each in another order, whose mean counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Order of the samples, and what the search draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many convolutions, the last ones, may have their biases trained: numbers with commas between [default: about
    /// 16 numbers from none to all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    biases: Option<Vec<usize>>,
    /// Convolutions whose weights may be trained, numbered from the input, from 0: numbers and ranges such as 20-35,
    /// with commas between [default: all whose biases may]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = range)]
    layers: Option<Vec<std::ops::RangeInclusive<usize>>>,
    /// Parts of a convolution's input channels that are tried [default: 1/8,1/4,1/2,1]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = ratio)]
    ratios: Option<Vec<f64>>,
    /// Measure also what takes more than the budget alone: for the whole curves, and for other budgets
    #[arg(long)]
    beyond: bool,
    /// Schemes whose memory the search asks the planner for, at most
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    evaluations: u32,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a budget counts.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemoryName {
    /// All SRAM of the training step as `--objective sram` plans it
    #[default]
    Planned,
    /// What training keeps beside an inference, by the formula of Lin et al. 2022
    Formula,
}

impl From<MemoryName> for Counting {
    fn from(name: MemoryName) -> Self {
        match name {
            MemoryName::Planned => Self::Planned,
            MemoryName::Formula => Self::Formula,
        }
    }
}

/// A part above 0, up to 1: 0.25 or 1/4.
fn ratio(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let ratio = match text.split_once('/') {
        Some((above, below)) => number(above).zip(number(below)).map(|(above, below)| above / below),
        None => number(text),
    };
    ratio.filter(|ratio| *ratio > 0.0 && *ratio <= 1.0).ok_or_else(|| "a part such as 1/4, 0.25 or 1".to_owned())
}

/// A number, or the first and the last one.
fn range(text: &str) -> Result<std::ops::RangeInclusive<usize>, String> {
    let number = |text: &str| text.trim().parse().ok();
    let range = match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).map(|(first, last)| first..=last),
        None => number(text).map(|one| one..=one),
    };
    range
        .filter(|range| !range.is_empty() && *range.end() < 1 << 20)
        .ok_or_else(|| "a number, or a range such as 20-35".to_owned())
}

/// Schemes that are kept from one generation to the next, where the planner is asked, and generations without a better
/// one.
const POPULATION: usize = 16;
const PATIENCE: usize = 8;
/// Schemes that are planned between two looks at whether to end.
const AT_ONCE: usize = 16;

/// Fewer samples than this to measure on tell next to nothing.
const FEW: usize = 30;

/// Everything that was found out.
struct Ended<'a> {
    gauge: &'a Gauge<'a>,
    survey: &'a Survey,
    material: &'a Material,
    /// The learning rate of all.
    rate: f64,
    rungs: &'a [Measured],
    parts: &'a [Measured],
    gains: &'a Gains,
    found: &'a Found,
    /// What the scheme that was found came to itself.
    measured: Measured,
    /// The scheme of the greatest sum of gains, and what it came to, where that was no more than the classifier alone.
    beaten: Option<(Scheme, Measured)>,
    /// Schemes that were measured before, and now.
    counts: [usize; 2],
}

impl Search {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        if self.sram.is_none() && self.board.is_none() {
            return Err(Failure::usage(
                "there is no budget: nothing says how much SRAM a training step may take",
                "give it with `--sram BYTES`, or name the board that is to be filled with `--board NAME`",
            ));
        }
        self.claim()?;
        self.rate.iter().filter_map(|&rate| too_small(rate)).for_each(|text| out.warn(text));
        let network = open(&self.model)?;
        let set = self.data.open(Part::Training)?;
        if self.data.split.is_none() {
            let test = Dataset::open(&self.data.data, &Part::Test).map_err(Error::from)?;
            if test.part() == set.part() {
                out.warn("the data have one part: test what is trained with the scheme on other samples than these");
            }
        }
        let classes = classes_of(&set, &self.data.data)?;
        let stop = interrupt::stop_flag();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads(self.threads)).build();
        let pool = pool.map_err(|error| {
            Failure::usage(format!("no threads can be started: {error}"), "ask for fewer `--threads`")
        })?;
        // What is printed is printed from one thread: only the work goes to the others.
        let (target, budget) = self.target()?;
        let gauge = Gauge::new(&network, classes, target, self.memory.into()).map_err(|e| e.at(&self.model.path))?;
        pool.install(|| self.search(out, (&network, &set, &gauge), budget, &stop))
    }

    fn search(
        &self,
        out: &mut Output,
        (network, set, gauge): (&Network, &Dataset, &Gauge),
        budget: usize,
        stop: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let limits = Limits {
            biases: self.biases.clone(),
            layers: self.layers.as_ref().map(|layers| layers.iter().cloned().flatten().collect()),
            ratios: self.ratios.clone().unwrap_or_else(|| RATIOS.to_vec()),
            beyond: self.beyond,
        };
        let quiet = out.beside();
        let plan = |what: &'static str| {
            let beside = &quiet;
            move |schemes: &[Scheme]| {
                let bar = progress::bar(beside, what, schemes.len());
                let mut taken = Vec::new();
                for some in schemes.chunks(AT_ONCE) {
                    if stop.load(Ordering::Relaxed) {
                        return Err(Error::from(SchemeError::Stopped));
                    }
                    taken.extend(gauge.all(some, &|| bar.inc(1))?);
                }
                bar.finish_and_clear();
                Ok(taken)
            }
        };
        let surveyed = survey(gauge, &limits, budget, &plan("planning parts"));
        let Some(survey) = self.or_stopped(out, surveyed)? else { return Ok(Answer::No(Code::Interrupted)) };
        let feeder = self.data.feeder(network)?;
        let chosen = set.choose(self.samples as usize, 0);
        if !self.json {
            self.data.tell(out, set, &feeder, &chosen)?;
        }
        let bar = progress::bar(out, "reading samples", chosen.len());
        let material = Material::read(set, self.samples as usize, (&feeder, self.data.strict), (&|| bar.inc(1), stop))?;
        bar.finish_and_clear();
        Skipped::told(&material.skipped, chosen.len() as u64).into_iter().for_each(|text| out.warn(text));
        if stop.load(Ordering::Relaxed) {
            return self.stopped(out);
        }
        if material.held_out.len() < FEW {
            out.warn(format!(
                "gains are measured on {} only, where one more that is right is {:.0} %: with more --samples they mean more",
                count(material.held_out.len(), "sample"),
                100.0 / material.held_out.len() as f64
            ));
        }
        let path = self.points();
        let recipe =
            Recipe { epochs: self.epochs as usize, warm_up: self.warm_up, seed: self.seed, orders: self.seeds };
        let points = Points::open(&path, self.identity(network, &material))?;
        let before = points.all().len();
        let bench = Bench {
            network,
            material: &material,
            recipe,
            lower: self.reference.options(),
            points: Mutex::new(points),
            prepared: Mutex::default(),
        };
        let (rungs, parts) = (survey.rungs(), survey.parts());
        let watch = Watch::new(out, self.json);
        let measure = |wanted: &[Wanted], what: &'static str| -> Result<Option<Vec<Measured>>, Error> {
            let run = watch.begin(what, wanted, (gauge, &bench));
            let keep = |write: &mut dyn FnMut()| interrupt::finish(write);
            let measured = bench.measure(wanted, &|at| run.done(at), &keep, stop);
            run.end();
            measured
        };
        if !self.json {
            let new = rungs.len() + parts.len() + self.rate.len();
            told::beginning(out, (&survey, gauge), (new, before), &path)?;
        }
        // The rate is chosen where most is trained.
        let most = rungs[survey.most_biases()].clone();
        let tried: Vec<Wanted> = self.rate.iter().map(|&rate| (most.clone(), rate)).collect();
        let Some(found) = measure(&tried, "choosing a rate")? else { return self.stopped(out) };
        let scores = tried.iter().zip(&found).map(|((_, rate), measured)| (*rate, measured.score()));
        let rate =
            scores.reduce(|best, one| if one.1 > best.1 { one } else { best }).map_or(self.rate[0], |best| best.0);
        let with = |schemes: &[Scheme]| schemes.iter().map(|scheme| (scheme.clone(), rate)).collect::<Vec<Wanted>>();
        let Some(rungs) = measure(&with(&rungs), "measuring biases")? else { return self.stopped(out) };
        let Some(parts) = measure(&with(&parts), "measuring weights")? else { return self.stopped(out) };
        let gains = survey.gains(&rungs, &parts);
        let settings = match gauge.counting() {
            Counting::Planned => Settings {
                population: POPULATION,
                evaluations: self.evaluations as usize,
                patience: PATIENCE,
                seed: self.seed,
            },
            Counting::Formula => Settings { seed: self.seed, ..Settings::default() },
        };
        let searched = find(gauge, &survey, &gains, settings, &plan("planning schemes"));
        let Some(found) = self.or_stopped(out, searched)? else { return Ok(Answer::No(Code::Interrupted)) };
        let Some(itself) = measure(&with(std::slice::from_ref(&found.scheme)), "measuring the scheme")? else {
            return self.stopped(out);
        };
        let (found, measured, beaten) = match found.or_last_layer((gauge, &survey), [&itself[0], &rungs[0]])? {
            Some(alone) => (alone, rungs[0], Some((found.scheme, itself[0]))),
            None => (found, itself[0], None),
        };
        let now = bench.points.into_inner().unwrap_or_else(|error| error.into_inner()).all().len() - before;
        let ended = Ended {
            gauge,
            survey: &survey,
            material: &material,
            rate,
            rungs: &rungs,
            parts: &parts,
            gains: &gains,
            found: &found,
            measured,
            beaten,
            counts: [before, now],
        };
        self.finish(out, &ended)
    }

    /// Writes what was found, and prints it.
    fn finish(&self, out: &mut Output, ended: &Ended) -> Result<Answer, Failure> {
        let text = self.toml(ended)?;
        let replaced = self.output.exists();
        interrupt::write(&self.output, text.as_bytes())?;
        if let Some(path) = &self.report {
            let page = self.page(ended, &text)?;
            interrupt::write(path, page.as_bytes())?;
        }
        if self.json {
            out.json(&self.described(ended)?)?;
        } else {
            self.show(out, ended, replaced)?;
        }
        if let Some(why) = ended.nothing_gained() {
            let help = match ended.survey.space.biases.len() {
                1 => "a greater `--sram` allows more",
                _ => "more `--samples` and `--seeds` measure better, and a smaller `--rate` may help",
            };
            out.warn(format!("the scheme is the last layer: {why}; {help}"));
        }
        Ok(Answer::Yes)
    }

    fn stopped(&self, out: &mut Output) -> Result<Answer, Failure> {
        let path = self.points();
        out.warn(match path.exists() {
            true => format!("interrupted: the same command goes on, with what lies in `{}`", visible_path(&path)),
            false => "interrupted before anything was measured".to_owned(),
        });
        Ok(Answer::No(Code::Interrupted))
    }

    /// What was asked for, or `None` where it was interrupted, which is told.
    fn or_stopped<T>(&self, out: &mut Output, result: Result<T, Error>) -> Result<Option<T>, Failure> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(Error::Scheme(SchemeError::Stopped)) => self.stopped(out).map(|_| None),
            Err(error) => Err(error.into()),
        }
    }

    /// What training is planned for, and the budget.
    fn target(&self) -> Result<(Target, usize), Failure> {
        let board = self.board.as_deref().map(boards::find).transpose().map_err(Error::from)?;
        if self.memory == MemoryName::Formula && self.sram.is_none() {
            return Err(Failure::usage(
                "the formula counts what training keeps beside an inference, which no board says",
                "give it with `--sram`",
            ));
        }
        let all = board.as_ref().map_or_else(Target::default, Target::on);
        let budget = self.sram.into_iter().chain(all.plan.budget).min().unwrap_or(usize::MAX);
        let budget = if self.memory == MemoryName::Formula { self.sram.unwrap_or(budget) } else { budget };
        let plan = PlanOptions { objective: Objective::Sram, stream_input: self.stream_input, ..all.plan };
        Ok((Target { lower: self.reference.options(), plan, ..all }, budget))
    }

    /// What measured points depend on.
    fn identity(&self, network: &Network, material: &Material) -> Vec<(String, String)> {
        let graph = smidgen::ir::text::print(network.graph());
        let samples =
            format!("{} and {} of hash {:016x}", material.learnt.len(), material.held_out.len(), material.hash());
        let all = [
            ("the version of smidgen", env!("CARGO_PKG_VERSION").to_owned()),
            ("the network", format!("one of hash {:016x}", hash(graph.bytes()))),
            ("whose bytes are reproduced", self.reference.reference.name().to_owned()),
            ("the number of classes", material.classes.to_string()),
            ("the number of epochs", self.epochs.to_string()),
            ("the warm-up", self.warm_up.to_string()),
            ("the seed", self.seed.to_string()),
            ("the number of orders", self.seeds.to_string()),
            ("what samples are learnt and held out", samples),
        ];
        all.map(|(what, value)| (what.to_owned(), value)).to_vec()
    }

    /// Where measured points are kept.
    fn points(&self) -> PathBuf {
        match &self.work {
            Some(folder) => folder.join("points.jsonl"),
            None => self.output.with_extension("points.jsonl"),
        }
    }

    /// Looks whether what is to be written can be, before anything takes hours.
    fn claim(&self) -> Result<(), Failure> {
        [Some(&self.output), self.report.as_ref()].into_iter().flatten().try_for_each(|path| claim(path))?;
        if self.report.as_ref() == Some(&self.output) {
            return Err(Failure::usage("the scheme and the report cannot be one file", "name two"));
        }
        if self.output.is_file() {
            let is_scheme = |bytes: Vec<u8>| String::from_utf8(bytes).is_ok_and(|text| text.parse::<Scheme>().is_ok());
            if !files::read(&self.output).is_ok_and(is_scheme) {
                let message = format!("`{}` is there and holds no scheme", visible_path(&self.output));
                return Err(Failure::usage(message, "a scheme is replaced, anything else is not: name another file"));
            }
        }
        if let Some(folder) = &self.work {
            std::fs::create_dir_all(folder).map_err(|error| {
                let message = format!("the folder `{}` cannot be made: {error}", visible_path(folder));
                Failure::usage(message, "name another one")
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        assert_eq!((ratio("1/8"), ratio("0.25"), ratio("1")), (Ok(0.125), Ok(0.25), Ok(1.0)));
        assert_eq!((range("7"), range("20-35")), (Ok(7..=7), Ok(20..=35)));
        for wrong in ["0", "2", "1/0", "x", "-1", "", "9-4", "nan"] {
            assert!(ratio(wrong).is_err() || range(wrong).is_ok(), "{wrong}");
        }
        for wrong in ["9-4", "", "a-b", "-3", "99999999999"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
