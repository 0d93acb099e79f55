//! Doubts about results that make no sense: another normalisation of pixels, other classes.

use super::format::percent;
use super::samples::Data;
use super::{Failure, Output, progress};
use smidgen::data::Dataset;
use smidgen::data::picture::Normalisation;
use smidgen::evaluate::{Protocol, class_count, normalisations};
use smidgen::{Evaluation, Network, Runner};
use std::sync::atomic::AtomicBool;

/// Samples on which normalisations are compared.
const TRIED: usize = 60;

/// A normalisation that does better than the one taken.
#[derive(Clone, PartialEq, Debug)]
pub struct Better {
    /// Which.
    pub normalisation: Normalisation,
    /// Its share of right answers on the samples tried, 0 to 1.
    pub accuracy: f64,
    /// The share of the one taken, on the same samples.
    pub now: f64,
    /// Samples tried.
    pub samples: usize,
}

impl Better {
    /// What is told of it.
    pub fn told(&self) -> String {
        format!(
            "the pixels are probably meant otherwise: on {} of the samples top-1 is {} with `--normalise {}`, and {} with what was taken",
            self.samples,
            share(self.accuracy),
            self.normalisation,
            share(self.now)
        )
    }
}

fn share(part: f64) -> String {
    percent((part * 1e4).round() as u64, 10_000, 1)
}

/// Tries the known normalisations where a network is right no more often than a guess of the most frequent class, or half as often
/// again as any guess; nothing where pixels became what was asked for, or where none is better by more than chance gives.
pub fn better_normalisation(
    out: &mut Output,
    (network, runner): (&Network, &Runner),
    (data, set): (&Data, &Dataset),
    (result, indices): (&Evaluation, &[usize]),
    protocol: Protocol,
) -> Result<Option<Better>, Failure> {
    if !data.pixels.normalisation.is_auto() || !set.holds_pixels() || result.samples < 10 || result.stopped {
        return Ok(None);
    }
    let Some(taken) = protocol.feeder.normalisation() else { return Ok(None) };
    let most = result.confusion.iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0);
    let guess = (most as f64 / result.samples as f64).max(1.5 / set.classes().len() as f64);
    if result.accuracy() > guess {
        return Ok(None);
    }
    let indices = &indices[..indices.len().min(TRIED)];
    let bar = progress::waiting(out, "trying other normalisations");
    let all = normalisations(network.graph(), runner, set, indices, protocol, &AtomicBool::new(false))?;
    let now = match all.iter().find(|(normalisation, _)| *normalisation == taken) {
        Some(&(_, accuracy)) => accuracy,
        // One that no network is published for.
        None => {
            let never = AtomicBool::new(false);
            smidgen::evaluate(network.graph(), runner, set, indices, protocol, (&|| {}, &never))?.accuracy()
        }
    };
    drop(bar);
    // Two standard deviations of a difference of two shares.
    let chance = 2.0 * (0.5 / indices.len() as f64).sqrt();
    let best = all.into_iter().find(|(normalisation, _)| *normalisation != taken);
    Ok(best.filter(|(_, accuracy)| accuracy - now > chance).map(|(normalisation, accuracy)| Better {
        normalisation,
        accuracy,
        now,
        samples: indices.len(),
    }))
}

/// What is told where a data set's classes and a network's outputs are not as many: what was assumed. `None` where they are.
pub fn classes_differ(network: &Network, set: &Dataset, labels: Option<&[String]>) -> Option<String> {
    let (data, outputs) = (set.classes().len(), class_count(network.graph())?);
    if data == 0 || data == outputs || labels.is_some() {
        return None;
    }
    let first: Vec<String> =
        set.classes().iter().take(3).map(|class| format!("`{}`", smidgen::ir::visible(class))).collect();
    let first = first.join(", ");
    let assumed = if data < outputs {
        format!("{first}{} are taken for its first {data} outputs", if data > 3 { ", ..." } else { "" })
    } else {
        "no output stands for the last classes".to_owned()
    };
    let hint = if outputs == data + 1 {
        "; networks with one output more often begin with one for the background"
    } else {
        ""
    };
    Some(format!(
        "the data have {data} classes and the network {outputs} outputs: {assumed}{hint}; --labels names the outputs in their order"
    ))
}
