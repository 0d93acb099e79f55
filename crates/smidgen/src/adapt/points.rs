//! What was measured, kept in a file of lines, so that nothing is measured twice.

use super::error::SchemeError;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use smidgen_adapt::Scheme;
use smidgen_data::files;
use std::path::{Path, PathBuf};

/// The form that is written here.
const VERSION: u32 = 1;

/// What a scheme comes to on samples that were held out, after trainings with each order of the others.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Samples counted: those that were held out, once for each training.
    pub samples: u64,
    /// Of which the network was right about so many.
    pub right: u64,
    /// The mean probability that it gave to the right class, 0 to 1.
    pub probability: f64,
    /// The mean cross-entropy.
    pub loss: f64,
}

impl Measured {
    /// Share of samples that it was right about.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.samples.max(1) as f64
    }

    /// What gains are differences of: the mean of accuracy and of the probability of the right class. The first is what
    /// counts, the second tells schemes apart that are right about the same samples.
    pub fn score(&self) -> f64 {
        0.5 * (self.accuracy() + self.probability)
    }
}

/// A scheme that was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Convolutions whose biases are trained, the last ones.
    pub biases: usize,
    /// Convolutions of which weights are trained, and the part of their input channels.
    pub weights: Vec<(usize, f64)>,
    /// The greatest learning rate.
    pub rate: f64,
    /// What it came to.
    pub measured: Measured,
}

impl Point {
    /// Whether it is this scheme's.
    fn is_of(&self, scheme: &Scheme, rate: f64) -> bool {
        let weights = scheme.manual_weight_idx.iter().copied().zip(scheme.weight_update_ratio.iter().copied());
        self.biases == scheme.n_bias_update && self.rate == rate && self.weights.iter().copied().eq(weights)
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// What the file is.
    contributions: u32,
    /// What its points depend on.
    identity: Vec<(String, String)>,
}

/// All that was measured for one network, set of samples and recipe.
#[derive(Clone, PartialEq, Debug)]
pub struct Points {
    path: PathBuf,
    /// The file as it is written: a line that says what points depend on, then one for each.
    text: String,
    all: Vec<Point>,
}

impl Points {
    /// Reads what was measured, or begins with nothing. `identity` says what points depend on.
    ///
    /// # Errors
    /// If the file cannot be read, holds something else, or points that depend on something else.
    pub fn open(path: &Path, identity: Vec<(String, String)>) -> Result<Self, Error> {
        let head = Head { contributions: VERSION, identity };
        if !path.exists() {
            let text = serde_json::to_string(&head).unwrap_or_default() + "\n";
            return Ok(Self { path: path.to_owned(), text, all: Vec::new() });
        }
        let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
        let all = read(&text, &head).map_err(|error| Error::from(error).at(path))?;
        Ok(Self { path: path.to_owned(), text, all })
    }

    /// What a scheme came to, if it was measured.
    pub fn find(&self, scheme: &Scheme, rate: f64) -> Option<Measured> {
        self.all.iter().find(|point| point.is_of(scheme, rate)).map(|point| point.measured)
    }

    /// All of them, in the order in which they were measured.
    pub fn all(&self) -> &[Point] {
        &self.all
    }

    /// Keeps what a scheme came to, and gives it as it would be read again. The file is replaced as a whole: whatever
    /// happens, all points but this one are in it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&mut self, scheme: &Scheme, rate: f64, measured: Measured) -> Result<Measured, Error> {
        let weights = scheme.manual_weight_idx.iter().copied().zip(scheme.weight_update_ratio.iter().copied());
        let point = Point { biases: scheme.n_bias_update, weights: weights.collect(), rate, measured };
        let line = serde_json::to_string(&point).unwrap_or_default();
        // Reading may round otherwise than printing: so that it makes no difference, what is used is always what was
        // read.
        let measured = serde_json::from_str(&line).map_or(measured, |point: Point| point.measured);
        self.text.push_str(&line);
        self.text.push('\n');
        self.all.push(Point { measured, ..point });
        files::write_atomically(&self.path, self.text.as_bytes())?;
        Ok(measured)
    }
}

fn read(text: &str, wanted: &Head) -> Result<Vec<Point>, SchemeError> {
    let damaged = |what: &str| SchemeError::Damaged(what.to_owned());
    let mut lines = text.lines();
    let head: Head = (lines.next().and_then(|line| serde_json::from_str(line).ok()))
        .filter(|head: &Head| head.contributions == VERSION)
        .ok_or_else(|| damaged("its first line is another one"))?;
    let value = |all: &Head, what: &str| {
        all.identity.iter().find(|one| one.0 == what).map_or_else(|| "not said".to_owned(), |one| one.1.clone())
    };
    for (what, here) in &wanted.identity {
        let there = value(&head, what);
        if there != *here {
            return Err(SchemeError::Other { what: what.clone(), there, here: here.clone() });
        }
    }
    let point = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|_| SchemeError::Damaged(format!("line {} is no point", i + 2)))
    };
    lines.enumerate().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(value: &str) -> Vec<(String, String)> {
        vec![("the seed".to_owned(), value.to_owned())]
    }

    fn scheme(biases: usize, ratio: f64) -> Scheme {
        Scheme {
            n_bias_update: biases,
            manual_weight_idx: vec![3],
            weight_update_ratio: vec![ratio],
            ..Scheme::default()
        }
    }

    #[test]
    fn points_outlive_the_process_and_other_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.jsonl");
        let mut points = Points::open(&path, identity("0")).unwrap();
        assert!(!path.exists(), "nothing is written before something was measured");
        let measured = Measured { samples: 30, right: 21, probability: 0.1 + 0.2, loss: 1.0 / 3.0 };
        let kept = points.keep(&scheme(4, 0.125), 0.002, measured).unwrap();
        points.keep(&scheme(5, 0.125), 0.001, Measured { right: 22, ..measured }).unwrap();
        let again = Points::open(&path, identity("0")).unwrap();
        assert_eq!(again, points);
        assert_eq!(again.find(&scheme(4, 0.125), 0.002), Some(kept));
        for other in [again.find(&scheme(4, 0.25), 0.002), again.find(&scheme(4, 0.125), 0.001)] {
            assert_eq!(other, None);
        }
        let refused = |identity| match Points::open(&path, identity) {
            Err(Error::At { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(refused(identity("1")).contains("there the seed is 0, here 1"));
        std::fs::write(&path, format!("{}{{\"biases\":1", std::fs::read_to_string(&path).unwrap())).unwrap();
        assert!(refused(identity("0")).contains("line 4 is no point"));
        std::fs::write(&path, "something else\n").unwrap();
        assert!(refused(identity("0")).contains("its first line"));
    }
}
