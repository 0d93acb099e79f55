//! How often the network is right before and after, where the data have labels.

use crate::console::format::{percent, thousands};
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::sense::{better_normalisation, classes_differ};
use crate::console::{Failure, progress};
use smidgen::data::set::Part;
use smidgen::data::{Dataset, Feeder, Normalise};
use smidgen::evaluate::{Protocol, class_count};
use smidgen::ir::cost;
use smidgen::report;
use smidgen::{Error, Evaluation, LowerOptions, Network, Runner, evaluate};
use std::ops::Deref;
use std::sync::atomic::AtomicBool;

/// Most samples that are counted, ...
const MOST: usize = 200;
/// ... and the least, where the network is so large that more than this would be computed.
const LEAST: usize = 40;
const MOST_MACS: u64 = 10_000_000_000;

/// The float network on labelled samples.
pub struct Before<'s> {
    set: Samples<'s>,
    indices: Vec<usize>,
    right: u64,
    /// Ranges are taken from these samples too.
    calibrated: bool,
}

/// What samples are taken from: the set that ranges are taken from, or another part of the same data.
enum Samples<'s> {
    Calibrated(&'s Dataset),
    Other(Dataset),
}

impl Deref for Samples<'_> {
    type Target = Dataset;

    fn deref(&self) -> &Dataset {
        match self {
            Self::Calibrated(set) => set,
            Self::Other(set) => set,
        }
    }
}

/// Right answers of both networks on the same samples.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// Of the float network.
    pub float: u64,
    /// Of the quantised one.
    pub quantised: u64,
    /// How many samples.
    pub samples: u64,
    /// The part of the data that they are of, where it has several.
    pub part: Option<String>,
    /// Ranges were taken from these samples too, which flatters.
    pub calibrated: bool,
}

impl Accuracy {
    /// The shares, 0 to 1.
    pub fn shares(&self) -> [f64; 2] {
        [self.float, self.quantised].map(|right| right as f64 / self.samples.max(1) as f64)
    }

    /// The shares in words.
    pub fn told(&self) -> [String; 2] {
        [self.float, self.quantised].map(|right| percent(right, self.samples, 2))
    }

    /// Where they were counted.
    pub fn samples(&self) -> String {
        let part = self.part.as_ref().map_or_else(String::new, |part| format!(" of part `{part}`"));
        format!("{} samples{part}", thousands(self.samples))
    }

    /// For the report.
    pub fn summary(&self, seed: u64) -> report::quant::Accuracy {
        let [before_share, after_share] = self.told();
        let seen =
            if self.calibrated { "were taken from them too, which flatters" } else { "were not taken from them" };
        report::quant::Accuracy {
            before: self.float,
            after: self.quantised,
            before_share,
            after_share,
            samples: self.samples,
            said: format!(
                "{}, taken from all classes in turn (seed {seed}); ranges {seen}. Classes are taken to be in the order of the data's; \
                 `smidgen eval` counts more samples, and by other names.",
                self.samples()
            ),
        }
    }
}

fn count(
    (network, runner): (&Network, &Runner),
    set: &Dataset,
    indices: &[usize],
    protocol: Protocol,
) -> Result<Evaluation, Error> {
    evaluate(network.graph(), runner, set, indices, protocol, (&|| {}, &AtomicBool::new(false)))
}

/// Counts how often the float network is right on samples that ranges are not taken from: of the data's test part, or those of the same part behind
/// the calibrated ones; these themselves where there are no others. A few for a large network; nothing where samples have no labels or the
/// network no output for their classes. Warns where what comes out makes no sense.
pub fn before<'s>(
    out: &mut Output,
    network: &Network,
    data: &Data,
    (feeder, seed): (&Feeder, u64),
    (calibrated, of): (&[usize], &'s Dataset),
) -> Result<Option<Before<'s>>, Failure> {
    let set = match (&data.split, of.part()) {
        (None, Some(_)) => Samples::Other(data.open(Part::Test)?),
        _ => Samples::Calibrated(of),
    };
    let classes = set.classes().len();
    if classes < 2 || class_count(network.graph()).is_none_or(|outputs| outputs < classes) {
        return Ok(None);
    }
    classes_differ(network, &set, None).into_iter().for_each(|text| out.warn(text));
    let graph = network.graph();
    let macs: u64 = graph.operators.iter().filter_map(|operator| cost::macs(graph, operator)).sum();
    let samples = (MOST_MACS / macs.max(1)).clamp(LEAST as u64, MOST as u64) as usize;
    let first = if set.part() == of.part() { calibrated.len() } else { 0 };
    let others = set.choose(first + samples, seed).split_off(first.min(set.items().len()));
    let again = others.is_empty();
    let indices = if again { calibrated[..calibrated.len().min(samples)].to_vec() } else { others };
    let runner = Runner::new(network, &LowerOptions::default())?;
    let protocol = Protocol { feeder, labels: None, strict: false };
    let waiting = progress::waiting(out, "counting how often the float network is right");
    let result = count((network, &runner), &set, &indices, protocol)?;
    drop(waiting);
    let better = better_normalisation(out, (network, &runner), (data, &set), (&result, &indices), protocol)?;
    better.into_iter().for_each(|better| out.warn(better.told()));
    Ok(Some(Before { right: result.top1, set, indices, calibrated: again }))
}

impl Before<'_> {
    /// Counts the quantised network on the same samples, its pixels being what the float network's were.
    pub fn after(self, out: &mut Output, network: &Network, data: &Data, feeder: &Feeder) -> Result<Accuracy, Failure> {
        let normalise = feeder.normalisation().map_or(Normalise::Auto, Normalise::Fixed);
        let feeder = Feeder::new(network.interface(), normalise, data.pixels.fit.into()).with_infinities();
        let runner = Runner::new(network, &LowerOptions::default())?;
        let protocol = Protocol { feeder: &feeder, labels: None, strict: false };
        let waiting = progress::waiting(out, "counting how often the quantised network is right");
        let result = count((network, &runner), &self.set, &self.indices, protocol)?;
        drop(waiting);
        let part = self.set.part().map(str::to_owned);
        let (float, calibrated) = (self.right, self.calibrated);
        Ok(Accuracy { float, quantised: result.top1, samples: result.samples, part, calibrated })
    }
}
