//! A classifier on an emulated board over a labelled set of samples: how often it is right there, and whether it says the host's bytes.

use super::{Firmware, Session};
use crate::Error;
use crate::compile::Compiled;
use crate::data::{Array, Dataset};
use crate::evaluate::{Classes, Evaluation, Protocol, prepared};
use smidgen_sim::report::Simulation;
use smidgen_sim::session::Measured;
use std::sync::atomic::{AtomicBool, Ordering};

/// Samples of one run of the emulator. Its start and the first sample, which runs once more step by step, are less than a tenth of that
/// many inferences; and whoever waits sees something happen.
const BATCH: usize = 16;

/// What came of a set.
#[derive(Clone, PartialEq, Debug)]
pub struct OverSet {
    /// All figures, of all samples that were counted.
    pub report: Simulation,
    /// How often the emulated core was right.
    pub evaluation: Evaluation,
    /// Samples of which it did not say what the host says, in the order in which they came.
    pub differing: Vec<Differing>,
}

/// A sample of which the emulated core did not say what the host says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Differing {
    /// The sample's name in the set.
    pub name: String,
    /// Bytes of its outputs that differ.
    pub bytes: usize,
}

impl Compiled<'_> {
    /// Simulates a classifier on samples of a set, as [`simulate`](Self::simulate) does and counted as
    /// [`evaluate`](crate::evaluate()) counts. Each sample is a first inference.
    ///
    /// Samples go to the firmware some at a time. `done` is called after each of them; once `stop` is set, what has been counted is
    /// returned: the beginning of `indices`, which is spread over the classes if [`Dataset::choose`] has made them. `None` if that is
    /// nothing.
    ///
    /// # Errors
    /// As both functions; outputs that differ from the host's are none.
    pub fn simulate_set(
        &self,
        wanted: &Session,
        (set, indices): (&Dataset, &[usize]),
        protocol: Protocol,
        (done, stop): (&dyn Fn(), &AtomicBool),
    ) -> Result<Option<OverSet>, Error> {
        let classes = Classes::new(self.planned.network.graph(), set, protocol.labels)?;
        over_set(&mut Firmware::build(self, wanted)?, &classes, (set, indices), protocol, (done, stop))
    }
}

fn over_set(
    firmware: &mut Firmware,
    classes: &Classes,
    (set, indices): (&Dataset, &[usize]),
    Protocol { feeder, strict, .. }: Protocol,
    (done, stop): (&dyn Fn(), &AtomicBool),
) -> Result<Option<OverSet>, Error> {
    // Samples that the firmware is given together are frames of one sequence to a network with state.
    let batch = if firmware.network.state > 0 { 1 } else { BATCH };
    let (mut all, mut differing) = (Vec::new(), Vec::new());
    let mut measured: Option<Measured> = None;
    let mut samples = set.read(indices);
    loop {
        // Indices and classes.
        let mut given: Vec<(usize, Option<usize>)> = Vec::new();
        let (mut names, mut inputs): (Vec<String>, Vec<Vec<Array>>) = Default::default();
        while inputs.len() < batch && !stop.load(Ordering::Relaxed) {
            let Some(sample) = samples.next() else { break };
            let name = sample.as_ref().map_or_else(|_| String::new(), |sample| sample.name.clone());
            let index = sample.as_ref().map_or(0, |sample| sample.index);
            match prepared(set, sample, (feeder, strict))? {
                Ok((class, arrays)) => {
                    names.push(name);
                    given.push((index, class));
                    inputs.push(arrays);
                }
                Err(skipped) => {
                    all.push(Err(skipped));
                    done();
                }
            }
        }
        if inputs.is_empty() || stop.load(Ordering::Relaxed) {
            break;
        }
        let run = match firmware.run(&inputs) {
            Ok(run) => run,
            // Ctrl-C ends the emulator as well: what was counted before stays.
            Err(_) if stop.load(Ordering::Relaxed) => break,
            Err(error) => return Err(error),
        };
        for (sample, outputs) in given.into_iter().zip(&run.outputs) {
            all.push(classes.ranked(sample, outputs));
            done();
        }
        let differ = names.into_iter().zip(run.differing).map(|(name, bytes)| Differing { name, bytes });
        differing.extend(differ.filter(|sample| sample.bytes > 0));
        // Figures alone are kept of samples that were counted.
        let mut now = run.measured;
        now.samples.iter_mut().for_each(|sample| sample.outputs.clear());
        match &mut measured {
            Some(measured) => measured.samples.append(&mut now.samples),
            None => measured = Some(now),
        }
    }
    let evaluation = classes.tally(all, indices.len())?;
    Ok(measured.map(|measured| {
        let report = firmware.report(&measured, differing.is_empty());
        OverSet { report, evaluation, differing }
    }))
}
