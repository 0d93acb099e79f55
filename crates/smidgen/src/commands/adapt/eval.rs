//! `smidgen adapt eval`: training on the device, simulated on the host.

use super::{open, scheme};
use crate::commands::Answer;
use crate::console::format::percent;
use crate::console::options::Model;
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::table::{Column, Table};
use crate::console::{Code, Failure, interrupt, progress};
use clap::Args;
use serde_json::{Value, json};
use smidgen::adapt::evaluate::{Course, Epoch, Prepared, learn, prepare};
use smidgen::adapting::{Learner, Role, TrainingStep};
use smidgen::data::Dataset;
use smidgen::data::set::Part;
use smidgen::evaluate::Skipped;
use smidgen::{Error, LowerOptions};

/// What training on the device would come to: the same integers on the host
#[derive(Args, Debug)]
pub struct Eval {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    data: Data,
    /// What is trained beside the classifier: last-layer, bias-only, full, or TOML files; several are compared
    #[arg(long, value_name = "NAME|FILE", value_delimiter = ',', default_value = "last-layer,bias-only")]
    scheme: Vec<String>,
    /// Times that every sample is seen, one at a time
    #[arg(long, value_name = "N", default_value_t = 3)]
    epochs: usize,
    /// Learning rate; of several the one is taken that is best on samples held out from the training part
    #[arg(long, value_name = "RATE", value_delimiter = ',', default_value = "0.0005,0.001,0.002,0.004")]
    rate: Vec<f64>,
    /// Part of all iterations in which the rate grows from 0; then it falls along a half cosine
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    warm_up: f64,
    /// Take only so many samples to train, as many of each class as possible
    #[arg(long, value_name = "N")]
    train_samples: Option<usize>,
    /// Take only so many samples to test
    #[arg(long, value_name = "N")]
    test_samples: Option<usize>,
    /// Trainings with the chosen rate, each in another order
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: u64,
    /// Do not scale steps by what a weight stands for
    #[arg(long)]
    unscaled: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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

impl Eval {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        if self.epochs == 0 || self.rate.iter().any(|rate| !(*rate > 0.0 && *rate <= 100.0)) {
            return Err(Failure::usage(
                "there is nothing to learn",
                "--epochs is at least 1, and a --rate more than 0 and at most 100",
            ));
        }
        let network = open(&self.model)?;
        let train = Dataset::open(&self.data.data, &Part::Training).map_err(Error::from)?;
        let test = self.data.open(Part::Test)?;
        let feeder = self.data.feeder(&network)?;
        let classes = train.classes().len();
        let chosen = |set: &Dataset, count: Option<usize>| set.choose(count.unwrap_or(usize::MAX), 0);
        let (mut train_indices, mut test_indices) =
            (chosen(&train, self.train_samples), chosen(&test, self.test_samples));
        if train.part() == test.part() {
            // One part for both: every fifth sample is kept for the test.
            let all = chosen(&train, None);
            (test_indices, train_indices) = split(&all);
            train_indices.truncate(self.train_samples.unwrap_or(usize::MAX));
            test_indices.truncate(self.test_samples.unwrap_or(usize::MAX));
            out.warn(
                "the data have one part: every fifth sample is kept for the test, whatever its likeness to others",
            );
        }
        if !self.json {
            self.data.tell(out, &train, &feeder, &train_indices)?;
        }
        let stop = interrupt::stop_flag();
        let mut table = Table::new(&COLUMNS);
        let mut rows: Vec<Value> = Vec::new();
        for name in &self.scheme {
            let mut scheme = scheme(name, &network)?;
            scheme.quantisation_aware_scaling &= !self.unscaled;
            let adaptation = network.adapt(classes, &scheme, &LowerOptions::default(), &[])?;
            let step = &adaptation.step;
            let total = train_indices.len() + test_indices.len();
            let bar = progress::bar(out, "preparing", total);
            let done = || bar.inc(1);
            let strict = self.data.strict;
            let prepared =
                |set: &Dataset, indices: &[usize]| prepare(step, (set, indices), (&feeder, strict), (&done, &stop));
            let (train, test) = (prepared(&train, &train_indices)?, prepared(&test, &test_indices)?);
            bar.finish_and_clear();
            for skipped in [&train.skipped, &test.skipped] {
                Skipped::told(skipped, total as u64).into_iter().for_each(|text| out.warn(text));
            }
            let learner = Learner::new(step).map_err(Error::from)?;
            let kept: usize = step.parameters.iter().filter(|p| p.role != Role::Seed).map(|p| p.bytes).sum();
            let (rate, tried) = self.choose(out, &learner, &train, &stop)?;
            for seed in 0..self.seeds {
                let course = Course { epochs: self.epochs, warm_up: self.warm_up, rate, seed };
                let bar = progress::bar(out, "learning", self.epochs);
                let epochs = learn(&mut learner.clone(), (&train, &test), &course, (&|| bar.inc(1), &stop))?;
                bar.finish_and_clear();
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                table.row(row(name, kept, &course, &epochs, &test));
                rows.push(described(name, (step, kept), &course, &tried, (&epochs, &test)));
            }
        }
        if self.json {
            out.json(&json!({ "schemes": rows }))?;
        } else {
            out.print(table.render(out.width))?;
        }
        let stopped = stop.load(std::sync::atomic::Ordering::Relaxed);
        Ok(if stopped { Answer::No(Code::Interrupted) } else { Answer::Yes })
    }

    /// The rate that is best on held-out training samples, and how often each was right there.
    fn choose(
        &self,
        out: &mut Output,
        learner: &Learner,
        train: &Prepared,
        stop: &std::sync::atomic::AtomicBool,
    ) -> Result<(f64, Vec<(f64, usize)>), Failure> {
        if let [rate] = self.rate[..] {
            return Ok((rate, Vec::new()));
        }
        let indices: Vec<usize> = (0..train.samples.len()).collect();
        let (held, rest) = split(&indices);
        let take = |indices: &[usize]| Prepared {
            samples: indices.iter().map(|&i| train.samples[i].clone()).collect(),
            skipped: Vec::new(),
        };
        let (held, rest) = (take(&held), take(&rest));
        let bar = progress::bar(out, "choosing a rate", self.rate.len() * self.epochs);
        let mut tried = Vec::new();
        for &rate in &self.rate {
            let course = Course { epochs: self.epochs, warm_up: self.warm_up, rate, seed: 0 };
            let epochs = learn(&mut learner.clone(), (&rest, &held), &course, (&|| bar.inc(1), stop))?;
            tried.push((rate, epochs.last().map_or(0, |epoch| epoch.right)));
        }
        bar.finish_and_clear();
        let best = tried.iter().fold((self.rate[0], 0), |best, &one| if one.1 > best.1 { one } else { best });
        Ok((best.0, tried))
    }
}

/// Every fifth, and the others.
fn split(indices: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (mut held, mut rest) = (Vec::new(), Vec::new());
    for (k, &i) in indices.iter().enumerate() {
        if k % HELD_OUT == HELD_OUT - 1 { held.push(i) } else { rest.push(i) }
    }
    (held, rest)
}

fn row(name: &str, kept: usize, course: &Course, epochs: &[Epoch], test: &Prepared) -> Vec<String> {
    let all = test.samples.len() as u64;
    let share = |right: usize| percent(right as u64, all, 2);
    let curve: Vec<String> = epochs.iter().map(|epoch| share(epoch.right)).collect();
    let last = epochs.last().copied().unwrap_or(Epoch { loss: f64::NAN, right: 0 });
    vec![
        name.to_owned(),
        kept.to_string(),
        course.rate.to_string(),
        course.seed.to_string(),
        format!("{:.3}", last.loss),
        share(last.right),
        curve.join(" "),
    ]
}

fn described(
    name: &str,
    (step, kept): (&TrainingStep, usize),
    course: &Course,
    tried: &[(f64, usize)],
    (epochs, test): (&[Epoch], &Prepared),
) -> Value {
    let all = test.samples.len();
    json!({
        "scheme": name,
        "classes": step.classes,
        "kept": kept,
        "rate": course.rate,
        "seed": course.seed,
        "tried": tried.iter().map(|(rate, right)| json!({ "rate": rate, "right": right })).collect::<Vec<_>>(),
        "samples": all,
        "right": epochs.last().map(|epoch| epoch.right),
        "accuracy": epochs.last().map(|epoch| epoch.right as f64 / all.max(1) as f64),
        "epochs": epochs.iter().map(|epoch| json!({ "loss": epoch.loss, "right": epoch.right })).collect::<Vec<_>>(),
    })
}
