//! `smidgen adapt eval`: training on the device, simulated on the host.

use super::arguments::{claim, part, rate, too_small, with_exit_codes};
use super::{Named, classes_of, open};
use crate::commands::Answer;
use crate::commands::search::report::command_line;
use crate::console::format::{count as plural, percent, thousands};
use crate::console::options::Model;
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::table::{Column, Table};
use crate::console::{Code, Failure, interrupt, progress};
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use serde_json::{Value, json};
use smidgen::adapt::evaluate::{Course, Difference, Epoch, Prepared, Split, dealt, judge, learn, prepare};
use smidgen::adapting::{Learner, Learns, Twin};
use smidgen::data::set::Part;
use smidgen::data::{Dataset, Feeder};
use smidgen::evaluate::Skipped;
use smidgen::ir::{visible, visible_path};
use smidgen::report::Figure;
use smidgen::report::adaptation::{AdaptationSummary, TrainedRow, html};
use smidgen::{Adaptation, Error, LowerOptions, Network};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What training on the device would come to: the same integers on the host
#[derive(Args, Debug)]
#[command(
    mut_arg("split", |split| {
        split.help("The part of the data to test on, where they have several [default: test, else val]; `train` is learnt")
    }),
    after_long_help = with_exit_codes(EXAMPLES)
)]
pub struct Eval {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    data: Data,
    /// What is trained beside the classifier: last-layer, bias-only, lite-residual, tinytl, full, or TOML files; several are compared
    #[arg(long, value_name = "NAME|FILE", value_delimiter = ',', default_value = "last-layer,bias-only")]
    scheme: Vec<String>,
    /// Times that every sample is seen, one at a time
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: u32,
    /// Learning rate; of several the one is taken that is best on samples held out from the training part
    #[arg(long, value_name = "RATE", value_delimiter = ',', default_value = "0.0005,0.001,0.002,0.004", value_parser = rate)]
    rate: Vec<f64>,
    /// Part of all iterations in which the rate grows from 0; then it falls along a half cosine
    #[arg(long, value_name = "PART", default_value_t = 0.1, value_parser = part)]
    warm_up: f64,
    /// Take only so many samples to train, as many of each class as possible
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    train_samples: Option<u32>,
    /// Take only so many samples to test, as many of each class as possible
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    test_samples: Option<u32>,
    /// Trainings with the chosen rate, each in another order
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Cross-validation over all samples of all parts of the data: so many trainings, each of which leaves other samples
    /// out to be tested
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000), conflicts_with_all = ["split", "train_samples", "test_samples"])]
    folds: Option<u32>,
    /// Beside each scheme, what it would learn with floats: the whole network in floats, or the integer network with float
    /// copies of what is trained (same samples and orders; each takes the best of the rates for itself)
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    twin: Vec<Kind>,
    /// Do not scale steps by what a weight stands for
    #[arg(long)]
    unscaled: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a report as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  smidgen adapt eval model.tflite --data photos/ --scheme last-layer,bias-only,scheme.toml
      learns photos/train/CLASS/*.jpg and tests on photos/test; where there are no parts, every fifth sample is tested
  smidgen adapt eval model.tflite --data photos.tar.gz --rate 0.002 --train-samples 600 --seeds 3
      one rate, a choice of the samples, three orders
  smidgen adapt eval model.tflite --data photos/ --folds 5 --report schemes.html
      every sample is tested in one of five trainings; curves and comparisons as HTML

The columns: `kept bytes` is the SRAM that holds between steps what is trained (of `--twin` four bytes for each number); `rate` is the learning rate that was \
chosen on a fifth of the samples to learn; `seed` is the order; `loss` is the mean of the scheme's loss in the last epoch, each \
sample's before it was learnt; `right` is the share of the tested samples after the last epoch; then that after each epoch. \
Of `--folds` each is over all trainings. Against the first scheme: `points more` are of a hundred, and the true \
difference lies in the interval with a probability of 95 %.";

/// How a scheme is trained with floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Weights, activations and gradients are floats
    Float,
    /// The forward pass is the device's; weights that are trained have copies in floats, as gradients are
    Masters,
}

impl Kind {
    /// What a row's name says of it.
    fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Masters => "float masters",
        }
    }
}

const COLUMNS: [Column; 7] = [
    Column::left("scheme", 0),
    Column::right("kept\nbytes", 3),
    Column::right("rate", 2),
    Column::right("seed", 4),
    Column::right("loss", 1),
    Column::right("right", 0),
    Column::left("after each epoch", 5),
];

/// Part of the training samples that rates are chosen with.
const HELD_OUT: usize = 5;

/// The columns of what is compared with the first scheme.
const COMPARED: [Column; 4] =
    [Column::left("scheme", 0), Column::right("right", 1), Column::right("points more", 0), Column::right("95 %", 2)];

/// What trainings learn from.
struct Material<'a> {
    /// The data and which of their samples are taken: those to learn, then those to test, or what folds are made of.
    pooled: &'a [(Dataset, Vec<usize>)],
    classes: usize,
    feeder: &'a Feeder<'a>,
    /// Whether it is said what was read.
    tell: bool,
}

/// A training with a seed.
struct Trained {
    seed: u64,
    epochs: Vec<Epoch>,
    /// Which of the samples that are tested are right at the end.
    right: Vec<bool>,
}

/// What trainings on some samples came to.
struct Measured {
    test: Vec<usize>,
    rate: f64,
    tried: Vec<(f64, usize)>,
    trained: Vec<Trained>,
}

/// What trainings on each split came to, and how often each tested sample was right.
type Found = (Vec<Measured>, Vec<f64>);

impl Eval {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        self.report.iter().try_for_each(|path| claim(path))?;
        self.check_twins()?;
        self.rate.iter().filter_map(|&rate| too_small(rate)).for_each(|text| out.warn(text));
        let network = open(&self.model)?;
        // All schemes before the data, and all steps before the first training: what is wrong with the last is known at once.
        let schemes = self.schemes(&network, out)?;
        let pooled = self.pool(out)?;
        let classes = self.classes(&pooled)?;
        let feeder = self.data.feeder(&network)?;
        let adapt = |named: &Named| {
            let adapted = network.adapt(classes, &named.scheme, &LowerOptions::default(), &[]);
            adapted.map_err(|error| named.at(error, &self.model.path))
        };
        self.warn_of_waiting(&schemes, &pooled, out);
        let adaptations: Vec<Adaptation> = schemes.iter().map(adapt).collect::<Result<_, _>>()?;
        let stop = interrupt::stop_flag();
        let mut table = Table::new(&COLUMNS);
        let mut trained: Vec<TrainedRow> = Vec::new();
        let mut rows: Vec<Value> = Vec::new();
        // For each scheme, how often each sample was right.
        let mut all: Vec<(String, Vec<f64>)> = Vec::new();
        let (feeder, stop) = (&feeder, &stop);
        'schemes: for (Named { name, scheme }, adaptation) in schemes.iter().zip(&adaptations) {
            let step = &adaptation.step;
            for kind in std::iter::once(None).chain(self.twin.iter().copied().map(Some)) {
                // Steps of real weights are scaled anyway: they take the usual rates.
                let usual =
                    scheme.rates.is_empty() || (kind == Some(Kind::Float) && !scheme.quantisation_aware_scaling);
                let rates = if usual { &self.rate } else { &scheme.rates };
                // Of every training the same would be said of the samples.
                let material = Material { pooled: &pooled, classes, feeder, tell: all.is_empty() };
                let (kept, found) = match kind {
                    None => {
                        let learner = Learner::new(step).map_err(Error::from)?;
                        (step.kept_bytes(), self.train(out, &learner, &material, rates, stop)?)
                    }
                    Some(kind) => {
                        let twin: Result<Twin, _> = match kind {
                            Kind::Float => Twin::floats(network.graph(), classes, scheme, &[]),
                            Kind::Masters => Twin::masters(network.graph(), scheme, &[], step),
                        };
                        let twin = twin.map_err(Error::from)?;
                        (size_of::<f32>() * twin.trained(), self.train(out, &twin, &material, rates, stop)?)
                    }
                };
                let Some((measured, right)) = found else { break 'schemes };
                let told = |name: &str| kind.map_or(name.to_owned(), |kind| format!("{name}, {}", kind.name()));
                let stem = Path::new(name).file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
                for row in self.rows(&told(name), kept, &measured) {
                    table.row(row);
                }
                let mut row = described(&told(name), (classes, kept), &measured, (&right, all.first()));
                row["loss"] = json!(scheme.loss);
                let named = kind.and_then(|kind| kind.to_possible_value());
                row["twin"] = json!(named.as_ref().map(|value| value.get_name()));
                rows.push(row);
                let row = self.trained(told(&stem), kept, &measured, (&right, all.first()));
                trained.push(TrainedRow { twin: kind.is_some(), ..row });
                all.push((told(name), right));
            }
        }
        let stopped = stop.load(Ordering::Relaxed).then(|| {
            let wanted = schemes.len() * (1 + self.twin.len());
            format!("interrupted: {} of {}", thousands(rows.len() as u64), plural(wanted, "scheme"))
        });
        if let Some(stopped) = &stopped {
            out.warn(format!("{stopped} learnt"));
        }
        if self.json {
            out.json(&json!({ "schemes": rows, "interrupted": stopped.is_some() }))?;
        } else if !rows.is_empty() {
            out.print(table.render(out.width))?;
            if all.len() > 1 {
                out.print(format!(
                    "\nCompared with {}, sample by sample:\n{}",
                    all[0].0,
                    compared(&all).render(out.width)
                ))?;
            }
        }
        // What is complete holds, whatever ends the rest.
        if let Some(path) = self.report.as_ref().filter(|_| !rows.is_empty()) {
            let tested = all.first().map_or(0, |(_, right)| right.len());
            let page = html(&self.summary(trained, tested, stopped.as_deref()));
            let page = page.map_err(|error| Failure::usage(error.to_string(), "the table was printed"))?;
            interrupt::write(path, page.as_bytes())?;
        }
        Ok(if stopped.is_some() { Answer::No(Code::Interrupted) } else { Answer::Yes })
    }

    /// Whether each twin is named once.
    fn check_twins(&self) -> Result<(), Failure> {
        if let Some(i) = (1..self.twin.len()).find(|&i| self.twin[..i].contains(&self.twin[i])) {
            let name = self.twin[i].to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            return Err(Failure::usage(format!("--twin names `{name}` twice"), "name each once"));
        }
        Ok(())
    }

    /// Warns of schemes that collect more steps than there are.
    fn warn_of_waiting(&self, schemes: &[Named], pooled: &[(Dataset, Vec<usize>)], out: &mut Output) {
        let learnt = match self.folds {
            Some(folds) => {
                let all: usize = pooled.iter().map(|(_, indices)| indices.len()).sum();
                all - all.div_ceil(folds as usize)
            }
            None => pooled.first().map_or(0, |(_, indices)| indices.len()),
        };
        for Named { name, scheme } in schemes {
            if scheme.accumulate as usize > learnt * self.epochs as usize {
                out.warn(format!(
                    "`{}`: steps of {} samples are collected before anything moves, and only {} are learnt: nothing is",
                    visible(name),
                    thousands(scheme.accumulate.into()),
                    thousands((learnt * self.epochs as usize) as u64)
                ));
            }
        }
    }

    /// The schemes, each once.
    fn schemes(&self, network: &Network, out: &mut Output) -> Result<Vec<Named>, Failure> {
        let mut schemes = Vec::new();
        for (i, name) in self.scheme.iter().enumerate() {
            if self.scheme[..i].contains(name) {
                return Err(Failure::usage(
                    format!("the scheme `{}` is named twice", visible(name)),
                    "name each once; `--seeds` repeats trainings in other orders",
                ));
            }
            let mut named = Named::open(name, (&self.model.path, network), out)?;
            named.scheme.quantisation_aware_scaling &= !self.unscaled;
            schemes.push(named);
        }
        Ok(schemes)
    }

    /// The number of classes. What is tested has to be among what is learnt.
    fn classes(&self, pooled: &[(Dataset, Vec<usize>)]) -> Result<usize, Failure> {
        let [(train, learnt), ..] = pooled else { return Ok(0) };
        let most = pooled.iter().map(|(set, _)| set).max_by_key(|set| set.classes().len()).unwrap_or(train);
        let classes = classes_of(most, &self.data.data)?;
        if self.folds.is_some() {
            return Ok(classes);
        }
        for (set, tested) in &pooled[1..] {
            let of = |set: &Dataset, indices: &[usize]| -> BTreeSet<usize> {
                indices.iter().filter_map(|&i| set.items()[i].class).collect()
            };
            let lacks = |learnt: BTreeSet<usize>| {
                let classes = of(set, tested).into_iter().filter(|class| !learnt.contains(class)).collect::<Vec<_>>();
                let first = classes.first().map(|&class| visible(&most.classes()[class]).to_string());
                first.map(|first| format!("the class `{first}`") + &others(classes.len() - 1))
            };
            if let Some(classes) = lacks(train.items().iter().filter_map(|item| item.class).collect()) {
                let (of, from) = (part_of(set), part_of(train));
                return Err(Failure::usage(
                    format!(
                        "{of} has samples of {classes}, of which {from} has none: what is not learnt is never right"
                    ),
                    "move some of them to the part that is learnt, or leave the class out; `--folds` tests all samples in turn",
                ));
            }
            // Of so few samples as --train-samples allows.
            if let Some(classes) = lacks(of(train, learnt)) {
                return Err(Failure::usage(
                    format!("of {classes} samples are tested, and --train-samples leaves none to learn"),
                    format!("let it be {} or more, one for each class", thousands(classes_count(train) as u64)),
                ));
            }
        }
        Ok(classes)
    }

    /// Tells what is learnt and what is tested on; `left` samples of each set could be read.
    fn tell(
        &self,
        out: &mut Output,
        pooled: &[(Dataset, Vec<usize>)],
        left: &[usize],
        feeder: &Feeder,
    ) -> Result<(), Failure> {
        let purpose = |i: usize| match (self.folds, i) {
            (Some(_), _) => "",
            (None, 0) => " to learn",
            (None, _) => " to test",
        };
        let parts = pooled.iter().zip(left).enumerate();
        let parts: Vec<(&Dataset, &[usize], &str)> =
            parts.map(|(i, ((set, indices), &left))| (set, &indices[..left.min(indices.len())], purpose(i))).collect();
        self.data.tell_parts(out, &parts, feeder)?;
        if let Some(folds) = self.folds {
            let all = left.iter().sum::<usize>() as u64;
            let text =
                format!("folds {folds} trainings, so that each of all {} samples is tested once", thousands(all));
            out.wrapped(&text, 6)?;
        }
        Ok(())
    }

    /// Prepares all samples and trains on each split of them: what it came to, and how often each tested sample was right. `None`
    /// if it was interrupted.
    fn train(
        &self,
        out: &mut Output,
        learner: &impl Learns,
        &Material { pooled, classes, feeder, tell }: &Material<'_>,
        rates: &[f64],
        stop: &AtomicBool,
    ) -> Result<Option<Found>, Failure> {
        let total = pooled.iter().map(|(_, indices)| indices.len()).sum();
        let bar = progress::bar(out, "preparing", total);
        let mut prepared = Prepared::default();
        let mut train = 0;
        let mut left = Vec::new();
        for (i, (set, indices)) in pooled.iter().enumerate() {
            let done = || bar.inc(1);
            let part = prepare((learner, classes), (set, indices), (feeder, self.data.strict), (&done, stop))?;
            left.push(part.samples.len());
            prepared.samples.extend(part.samples);
            prepared.skipped.extend(part.skipped);
            train = if i == 0 { prepared.samples.len() } else { train };
        }
        bar.finish_and_clear();
        let count = prepared.samples.len();
        if tell && !stop.load(Ordering::Relaxed) {
            Skipped::told(&prepared.skipped, total as u64).into_iter().for_each(|text| out.warn(text));
            enough(&prepared, (train, self.folds))?;
            if !self.json {
                self.tell(out, pooled, &left, feeder)?;
            }
        }
        let splits = match self.folds {
            Some(folds) => Split::folds(&prepared, folds as usize),
            None => vec![Split { train: (0..train).collect(), test: (train..count).collect() }],
        };
        let tries = if rates.len() > 1 { rates.len() } else { 0 };
        let epochs = splits.len() * self.epochs as usize * (tries + self.seeds as usize);
        let bar = progress::bar(out, "learning", epochs);
        let measure = |split: Split| self.measure(learner, (&prepared, split), rates, (&|| bar.inc(1), stop));
        let measured: Result<Vec<Measured>, Failure> = splits.into_par_iter().map(measure).collect();
        bar.finish_and_clear();
        let measured = measured?;
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut right = vec![f64::NAN; count];
        for one in &measured {
            for (at, &i) in one.test.iter().enumerate() {
                let times = one.trained.iter().filter(|trained| trained.right[at]).count();
                right[i] = times as f64 / one.trained.len().max(1) as f64;
            }
        }
        right.retain(|right| !right.is_nan());
        Ok(Some((measured, right)))
    }

    /// What the report says of a scheme.
    fn trained(
        &self,
        name: String,
        kept: usize,
        measured: &[Measured],
        (right, first): (&[f64], Option<&(String, Vec<f64>)>),
    ) -> TrainedRow {
        let runs = || measured.iter().flat_map(|one| one.trained.iter().map(move |trained| (one.test.len(), trained)));
        let tested: usize = runs().map(|(count, _)| count).sum();
        let of = |epoch: usize| runs().filter_map(move |(_, trained)| trained.epochs.get(epoch));
        let curve = |epoch| of(epoch).map(|epoch| epoch.right).sum::<usize>() as f64 / tested.max(1) as f64;
        let losses = |epoch| of(epoch).map(|epoch| epoch.loss).sum::<f64>() / runs().count().max(1) as f64;
        let difference = first.and_then(|(_, those)| Difference::of(right, those));
        TrainedRow {
            name,
            kept,
            rates: rates(measured),
            accuracy: mean(right),
            curve: (0..self.epochs as usize).map(curve).collect(),
            losses: (0..self.epochs as usize).map(losses).collect(),
            difference: difference.map(|d| [d.mean, d.low, d.high]),
            ..TrainedRow::default()
        }
    }

    fn summary(&self, schemes: Vec<TrainedRow>, tested: usize, stopped: Option<&str>) -> AdaptationSummary {
        let figure = |label: &str, value: String, kind: String| Figure { label: label.to_owned(), value, kind };
        let best = schemes.iter().filter(|row| !row.twin).max_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
        let verdict = best.map_or_else(String::new, |row| {
            format!("{}: {:.2} % of the tested samples are right.", row.name, 100.0 * row.accuracy)
        });
        let verdict = match stopped {
            Some(stopped) => format!("{verdict} The training was {stopped}."),
            None => verdict,
        };
        let folds = self.folds.map_or_else(|| "one split".to_owned(), |folds| format!("{folds}-fold cross-validation"));
        let figures = vec![
            figure("data", visible_path(&self.data.data).to_string(), format!("{tested} samples tested, {folds}")),
            figure("epochs", self.epochs.to_string(), "every sample is seen once in each, one at a time".to_owned()),
            figure("seeds", self.seeds.to_string(), "orders of the samples".to_owned()),
        ];
        let model = self.model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        AdaptationSummary { model, verdict, figures, command: command_line(), schemes }
    }

    /// The samples: those to train and those to test or, for cross-validation, all of them.
    fn pool(&self, out: &mut Output) -> Result<Vec<(Dataset, Vec<usize>)>, Failure> {
        let data = &self.data.data;
        let all = |set: &Dataset| set.choose(usize::MAX, 0);
        if self.folds.is_some() {
            let first = Dataset::open(data, &Part::Training).map_err(Error::from)?;
            let mut sets = Vec::new();
            for name in ["train", "val", "test"] {
                if first.part().is_some_and(|part| part != name)
                    && let Ok(set) = Dataset::open(data, &Part::Named(name.into()))
                {
                    sets.push(set);
                }
            }
            sets.insert(0, first);
            let with_indices = |set: Dataset| {
                let indices = all(&set);
                (set, indices)
            };
            return Ok(sets.into_iter().map(with_indices).collect());
        }
        let train = Dataset::open(data, &Part::Training).map_err(Error::from)?;
        let test = self.data.open(Part::Test)?;
        let most = |count: Option<u32>| count.map_or(usize::MAX, |count| count as usize);
        let chosen = |set: &Dataset, count: Option<u32>| set.choose(most(count), 0);
        let (mut train_indices, mut test_indices) =
            (chosen(&train, self.train_samples), chosen(&test, self.test_samples));
        if train.part() == test.part() {
            if self.data.split.is_some() {
                return Err(Failure::usage(
                    format!("{} is what is learnt: nothing can be tested on it", part_of(&train)),
                    "`--split` names the part to test on; leave it out to test on `test`, else on `val`",
                ));
            }
            // One part for both: every fifth sample of a class is kept for the test.
            (test_indices, train_indices) = split(&all(&train), |i| train.items()[i].class.unwrap_or(0));
            train_indices.truncate(most(self.train_samples));
            test_indices.truncate(most(self.test_samples));
            out.warn(
                "the data have one part: every fifth sample of a class is kept for the test, whatever its likeness to others",
            );
        }
        Ok(vec![(train, train_indices), (test, test_indices)])
    }

    /// Trains with the best rate, with each seed.
    fn measure(
        &self,
        learner: &impl Learns,
        (samples, split): (&Prepared, Split),
        rates: &[f64],
        (done, stop): (&dyn Fn(), &AtomicBool),
    ) -> Result<Measured, Failure> {
        let (train, test) = (samples.take(&split.train), samples.take(&split.test));
        let (rate, tried) = self.choose(learner, &train, rates, (done, stop))?;
        let mut trained = Vec::new();
        for seed in 0..self.seeds {
            let course = Course { epochs: self.epochs as usize, warm_up: self.warm_up, rate, seed };
            let mut learner = learner.clone();
            let epochs = learn(&mut learner, (&train, &test), &course, (done, stop))?;
            trained.push(Trained { seed, epochs, right: judge(&mut learner, &test)? });
        }
        Ok(Measured { test: split.test, rate, tried, trained })
    }

    /// The rate that is best on held-out training samples, and how often each was right there.
    fn choose(
        &self,
        learner: &impl Learns,
        train: &Prepared,
        rates: &[f64],
        (done, stop): (&dyn Fn(), &AtomicBool),
    ) -> Result<(f64, Vec<(f64, usize)>), Failure> {
        if let [rate] = rates[..] {
            return Ok((rate, Vec::new()));
        }
        let indices: Vec<usize> = (0..train.samples.len()).collect();
        let (held, rest) = split(&indices, |i| train.samples[i].1);
        let (held, rest) = (train.take(&held), train.take(&rest));
        let mut tried = Vec::new();
        for &rate in rates {
            let course = Course { epochs: self.epochs as usize, warm_up: self.warm_up, rate, seed: 0 };
            let epochs = learn(&mut learner.clone(), (&rest, &held), &course, (done, stop))?;
            tried.push((rate, epochs.last().map_or(0, |epoch| epoch.right)));
        }
        let best = tried.iter().fold((rates[0], 0), |best, &one| if one.1 > best.1 { one } else { best });
        Ok((best.0, tried))
    }

    /// A row for each seed; of several trainings with it the sums.
    fn rows(&self, name: &str, kept: usize, measured: &[Measured]) -> Vec<Vec<String>> {
        let rates = rates(measured);
        let tested: usize = measured.iter().map(|one| one.test.len()).sum();
        let share = |right: usize| percent(right as u64, tested as u64, 2);
        let row = |seed: usize| {
            let of = |epoch: usize| measured.iter().filter_map(move |one| one.trained.get(seed)?.epochs.get(epoch));
            let right = |epoch: usize| share(of(epoch).map(|epoch| epoch.right).sum());
            let last = self.epochs as usize - 1;
            let loss = of(last).map(|epoch| epoch.loss).sum::<f64>() / measured.len().max(1) as f64;
            let curve: Vec<String> = (0..self.epochs as usize).map(right).collect();
            vec![
                name.to_owned(),
                kept.to_string(),
                rates.clone(),
                seed.to_string(),
                loss_told(loss),
                right(last),
                curve.join(" "),
            ]
        };
        (0..self.seeds as usize).map(row).collect()
    }
}

/// A loss in a table.
fn loss_told(loss: f64) -> String {
    if loss < 1e4 { format!("{loss:.3}") } else { "diverged".to_owned() }
}

/// ` and 3 others` behind the first of a list.
fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " and another one".to_owned(),
        n => format!(" and {n} others"),
    }
}

/// How messages call a part of the data.
fn part_of(set: &Dataset) -> String {
    set.part().map_or_else(|| "the set".to_owned(), |part| format!("the part `{}`", visible(part)))
}

/// Classes that a set has samples of.
fn classes_count(set: &Dataset) -> usize {
    set.items().iter().filter_map(|item| item.class).collect::<BTreeSet<_>>().len()
}

/// Whether there is something to learn and something to test on; of cross-validation, in each of the folds.
fn enough(prepared: &Prepared, (train, folds): (usize, Option<u32>)) -> Result<(), Failure> {
    let count = prepared.samples.len();
    let text = match folds {
        Some(folds) if folds as usize > count => {
            format!("{folds} folds of {}: in some of them nothing would be tested", plural(count, "sample"))
        }
        None if train == 0 => "there is no sample to learn".to_owned(),
        None if train == count => "there is no sample to test on".to_owned(),
        _ => return Ok(()),
    };
    Err(Failure::usage(text, "give more samples, or ask for fewer `--folds`"))
}

/// Every fifth of each class, and the others.
fn split(indices: &[usize], class: impl Fn(usize) -> usize) -> (Vec<usize>, Vec<usize>) {
    let parts = dealt(indices.iter().map(|&i| class(i)), HELD_OUT);
    let (held, rest): (Vec<_>, Vec<_>) = indices.iter().zip(parts).partition(|(_, part)| *part == HELD_OUT - 1);
    let of = |all: Vec<(&usize, usize)>| all.into_iter().map(|(&i, _)| i).collect();
    (of(held), of(rest))
}

/// The rates that were chosen, each once.
fn rates(measured: &[Measured]) -> String {
    let mut rates: Vec<f64> = measured.iter().map(|one| one.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}

fn mean(right: &[f64]) -> f64 {
    right.iter().sum::<f64>() / right.len().max(1) as f64
}

/// What every scheme has right more than the first.
fn compared(all: &[(String, Vec<f64>)]) -> Table<'static> {
    let mut table = Table::new(&COMPARED);
    for (i, (name, right)) in all.iter().enumerate() {
        let share = format!("{:.2} %", 100.0 * mean(right));
        let difference = Difference::of(right, &all[0].1).filter(|_| i > 0);
        let [points, interval] = difference.map_or_else(Default::default, |Difference { mean, low, high }| {
            [format!("{mean:+.2}"), format!("{low:+.2} to {high:+.2}")]
        });
        table.row(vec![name.clone(), share, points, interval]);
    }
    table
}

fn described(
    name: &str,
    (classes, kept): (usize, usize),
    measured: &[Measured],
    (right, first): (&[f64], Option<&(String, Vec<f64>)>),
) -> Value {
    let training = |one: &Measured| {
        json!({
            "rate": one.rate,
            "tried": one.tried.iter().map(|(rate, right)| json!({ "rate": rate, "right": right })).collect::<Vec<_>>(),
            "samples": one.test.len(),
            "seeds": one.trained.iter().map(|trained| json!({
                "seed": trained.seed,
                "right": trained.right.iter().filter(|&&right| right).count(),
                "epochs": trained.epochs.iter().map(|epoch| json!({ "loss": epoch.loss, "right": epoch.right })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    };
    let difference = first.and_then(|(other, those)| {
        let found = Difference::of(right, those)?;
        let Difference { mean, low, high } = found;
        Some(json!({ "to": other, "points": mean, "low": low, "high": high, "counts": found.counts() }))
    });
    let seeds = measured.iter().map(|one| one.trained.len()).max().unwrap_or(0) as f64;
    json!({
        "scheme": name,
        "classes": classes,
        "kept": kept,
        "samples": right.len(),
        "accuracy": mean(right),
        "times_right": right.iter().map(|share| (share * seeds).round() as u64).collect::<Vec<_>>(),
        "difference": difference,
        "trainings": measured.iter().map(training).collect::<Vec<_>>(),
    })
}
