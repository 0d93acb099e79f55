//! How often the network is right before and after, where the data have labels.

use crate::console::format::percent;
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::sense::{better_normalisation, classes_differ};
use crate::console::{Failure, progress};
use smidgen::data::set::Part;
use smidgen::data::{Dataset, Feeder, Normalise};
use smidgen::evaluate::{Protocol, Skipped, class_count};
use smidgen::ir::cost;
use smidgen::{Error, Evaluation, LowerOptions, Network, Runner, evaluate};
use std::sync::atomic::AtomicBool;

/// Most samples that are counted, ...
const MOST: usize = 200;
/// ... and the least, where the network is so large that more than this would be computed.
const LEAST: usize = 40;
const MOST_MACS: u64 = 10_000_000_000;

/// The float network on labelled samples.
pub struct Before {
    set: Dataset,
    indices: Vec<usize>,
    accuracy: f64,
}

/// Shares of right answers, 0 to 1, on the same samples.
#[derive(Clone, Debug)]
pub struct Accuracy {
    /// Of the float network.
    pub float: f64,
    /// Of the quantised one.
    pub quantised: f64,
    /// How many samples.
    pub samples: usize,
    /// The part of the data that they are of, where it has several.
    pub part: Option<String>,
}

impl Accuracy {
    /// A share in words.
    pub fn share(part: f64) -> String {
        percent((part * 1e4).round() as u64, 10_000, 1)
    }

    /// Where it was counted.
    pub fn samples(&self) -> String {
        let part = self.part.as_ref().map_or_else(String::new, |part| format!(" of the part `{part}`"));
        format!("{} samples{part}", self.samples)
    }
}

fn count(network: &Network, set: &Dataset, indices: &[usize], feeder: &Feeder) -> Result<Evaluation, Error> {
    let runner = Runner::new(network, &LowerOptions::default())?;
    let protocol = Protocol { feeder, labels: None, strict: false };
    evaluate(network.graph(), &runner, set, indices, protocol, (&|| {}, &AtomicBool::new(false)))
}

/// Counts how often the float network is right on samples of the data's test part, a few for a large network; nothing where samples
/// have no labels or the network no output for their classes. Warns where what comes out makes no sense.
pub fn before(
    out: &mut Output,
    network: &Network,
    data: &Data,
    feeder: &Feeder,
    seed: u64,
) -> Result<Option<Before>, Failure> {
    let set = data.open(Part::Test)?;
    let classes = set.classes().len();
    if classes < 2 || class_count(network.graph()).is_none_or(|outputs| outputs < classes) {
        return Ok(None);
    }
    classes_differ(network, &set, None).into_iter().for_each(|text| out.warn(text));
    let graph = network.graph();
    let macs: u64 = graph.operators.iter().filter_map(|operator| cost::macs(graph, operator)).sum();
    let samples = (MOST_MACS / macs.max(1)).clamp(LEAST as u64, MOST as u64) as usize;
    let indices = set.choose(samples, seed);
    let waiting = progress::waiting(out, "counting how often the float network is right");
    let result = count(network, &set, &indices, feeder)?;
    drop(waiting);
    let runner = Runner::new(network, &LowerOptions::default())?;
    let protocol = Protocol { feeder, labels: None, strict: false };
    let better = better_normalisation(out, (network, &runner), (data, &set), (&result, &indices), protocol)?;
    better.into_iter().for_each(|better| out.warn(better.told()));
    Ok(Some(Before { accuracy: result.accuracy(), set, indices }))
}

impl Before {
    /// Counts the quantised network on the same samples, its pixels being what the float network's were.
    pub fn after(self, out: &mut Output, network: &Network, data: &Data, feeder: &Feeder) -> Result<Accuracy, Failure> {
        let normalise = feeder.normalisation().map_or(Normalise::Auto, Normalise::Fixed);
        let feeder = Feeder::new(network.interface(), normalise, data.pixels.fit.into());
        let waiting = progress::waiting(out, "counting how often the quantised network is right");
        let result = count(network, &self.set, &self.indices, &feeder)?;
        drop(waiting);
        let part = self.set.part().map(str::to_owned);
        Ok(Accuracy { float: self.accuracy, quantised: result.accuracy(), samples: result.samples as usize, part })
    }
}

/// What is told of pictures that calibration left out.
pub fn skipped(out: &mut Output, skipped: &[Skipped], of: usize) {
    Skipped::told(skipped, of as u64).into_iter().for_each(|text| out.warn(text));
}
