//! How often a classifier is right, counted over a labelled set of samples.

use crate::data::picture::Normalisation;
use crate::data::{Dataset, Feeder, input};
use crate::error::Error;
use crate::network::Runner;
use rayon::prelude::*;
use smidgen_ir::{Graph, Op, visible};
use std::sync::atomic::{AtomicBool, Ordering};

/// Classes of which the right one may be any for a prediction to count in [`Evaluation::top5`].
const TOP: usize = 5;

/// Why a network cannot be evaluated on a set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Samples without classes.
    #[error("the samples have no labels")]
    Unlabelled,
    /// No output is a list of classes.
    #[error("the network has no output with one number for each class; it has {outputs}")]
    NoClasses {
        /// The outputs' shapes.
        outputs: String,
    },
    /// The data have more classes than the network.
    #[error("the data have {data} classes, the network's output has {network}")]
    TooManyClasses {
        /// Classes of the data.
        data: usize,
        /// Elements of the output.
        network: usize,
    },
    /// A label beyond the classes of a classifier that is to be trained.
    #[error("`{sample}` has class number {label}; the new classifier has {classes} classes, numbered from 0")]
    UnknownLabel {
        /// The sample.
        sample: String,
        /// Its class.
        label: usize,
        /// Classes of the classifier.
        classes: usize,
    },
    /// Not one picture could be read.
    #[error("none of {pictures} pictures could be read; the first, `{name}`: {reason}")]
    AllBroken {
        /// Pictures tried.
        pictures: u64,
        /// The first one's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A class of the data that the labels do not name.
    #[error("the class `{class}` of the data is not among the labels")]
    UnknownClass {
        /// The class.
        class: String,
    },
}

impl EvaluateError {
    pub(crate) fn help(&self) -> String {
        match self {
            Self::Unlabelled => "pictures go into one folder for each class; an .npz file has its labels in `y`",
            Self::NoClasses { .. } => "only classifiers can be evaluated",
            Self::TooManyClasses { .. } => "is this the set that the network was trained on?",
            Self::UnknownLabel { label, .. } => {
                return format!("give it {} classes or more, or other samples", label + 1);
            }
            Self::AllBroken { .. } => {
                "JPEG, PNG and BMP can be read; are these the pictures themselves, or pointers to them?"
            }
            Self::UnknownClass { .. } => "the labels name one class on each line, as the data's folders are called",
        }
        .into()
    }
}

/// What was counted.
#[derive(Clone, PartialEq, Debug)]
pub struct Evaluation {
    /// Names of the network's classes, in the order of its output; the number where no name is known.
    pub classes: Vec<String>,
    /// `confusion[c][p]`: samples of class `c` that the network took for `p`.
    pub confusion: Vec<Vec<u64>>,
    /// Samples whose class came first.
    pub top1: u64,
    /// Samples whose class was among the first five.
    pub top5: u64,
    /// Samples counted.
    pub samples: u64,
    /// Samples that were to be counted.
    pub wanted: u64,
    /// Classes that the data have samples of, of which none was counted: too few were wanted, or it was stopped before.
    pub unseen: Vec<String>,
    /// True if it was stopped before all were counted.
    pub stopped: bool,
    /// Pictures that were left out because they are damaged or cannot be read, in the order in which they came.
    pub skipped: Vec<Skipped>,
    /// Samples that the network is wrong about: those first that it is most confident about, of equals in the order in
    /// which they came.
    pub mistakes: Vec<Mistake>,
}

/// A sample that the network takes for another class than its own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mistake {
    /// The sample's index in the set.
    pub sample: usize,
    /// Its class, as a place in [`Evaluation::classes`].
    pub class: usize,
    /// What it was taken for, likewise.
    pub taken: usize,
    /// The probability that the network gives to that, 0 to 1: as its SOFTMAX has it, else by a softmax of its output.
    pub confidence: f64,
}

/// A picture that was left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Its path in the set.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Skipped {
    /// What is told of pictures that were left out, with the first few of them; `None` if there are none.
    pub fn told(skipped: &[Self], of: u64) -> Option<String> {
        const SHOWN: usize = 3;
        let first: Vec<String> =
            skipped.iter().take(SHOWN).map(|s| format!("`{}` ({})", visible(&s.name), visible(&s.reason))).collect();
        let more = if skipped.len() > SHOWN { ", ..." } else { "" };
        let pictures = if skipped.len() == 1 { "picture" } else { "pictures" };
        (!skipped.is_empty()).then(|| {
            format!(
                "{} {pictures} of {of} left out, broken or unreadable: {}{more}; with --strict the first one ends it",
                skipped.len(),
                first.join(", ")
            )
        })
    }
}

/// How samples become inputs and outputs classes.
#[derive(Clone, Copy, Debug)]
pub struct Protocol<'a> {
    /// Makes samples into inputs.
    pub feeder: &'a Feeder<'a>,
    /// Names of the network's classes in the order of its output.
    pub labels: Option<&'a [String]>,
    /// A picture that cannot be read is an error; else it is left out and counted.
    pub strict: bool,
}

/// The innermost cause of an error.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// A sample's class, if it has one, and the network's inputs made of it.
pub type Ready = (Option<usize>, Vec<crate::Array>);

/// What the network makes of a sample.
pub(crate) struct Answer {
    /// The sample's index in the set.
    sample: usize,
    class: usize,
    /// Those that the network names first.
    best: Vec<usize>,
    /// The probability of the first of them.
    confidence: f64,
}

/// The same; or a picture that was left out.
pub(crate) type Ranked = Result<Answer, Skipped>;

/// A sample made into inputs; what is wrong with it, if it is a picture that can be left out.
///
/// # Errors
/// If it does not suit the network, or all samples are in doubt.
pub fn prepared(
    set: &Dataset,
    sample: Result<crate::data::set::Sample, crate::data::Error>,
    (feeder, strict): (&Feeder, bool),
) -> Result<Result<Ready, Skipped>, Error> {
    let (name, made) = match sample {
        Ok(sample) => {
            let inputs = feeder.inputs(&sample).map_err(|error| error.at(&set.path_of(sample.index)));
            (sample.name, inputs.map(|inputs| (sample.class, inputs)))
        }
        Err(error) => (String::new(), Err(error)),
    };
    match made {
        Ok(made) => Ok(Ok(made)),
        Err(error) if strict || !set.is_one_picture(&error) => Err(error.into()),
        // What could not even be read has no name but its path.
        Err(crate::data::Error::File(error)) => {
            let (path, reason) = error.parts();
            Ok(Err(Skipped { name: set.name_of(path), reason }))
        }
        Err(error) => {
            let reason = cause(&error);
            let name = if name.is_empty() { error.to_string() } else { name };
            Ok(Err(Skipped { name, reason }))
        }
    }
}

impl Evaluation {
    /// Share of samples whose class came first, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.top1 as f64 / self.samples.max(1) as f64
    }
}

/// How the classes of a set and the numbers of a network's output go together.
pub(crate) struct Classes<'a> {
    graph: &'a Graph,
    set: &'a Dataset,
    labels: Option<&'a [String]>,
    /// The output that is a list of classes, and its elements.
    output: usize,
    count: usize,
    /// For each class of the set, the element of the output.
    places: Vec<usize>,
    /// The output is made of probabilities.
    probable: bool,
}

impl<'a> Classes<'a> {
    /// As [`evaluate`] says.
    pub(crate) fn new(graph: &'a Graph, set: &'a Dataset, labels: Option<&'a [String]>) -> Result<Self, EvaluateError> {
        if set.classes().is_empty() {
            return Err(EvaluateError::Unlabelled);
        }
        let (output, count) = class_output(graph, set.classes().len())?;
        // Numbers, as an .npz file has them, are places already; so are names where nothing says otherwise.
        let numbered = set.classes().iter().enumerate().all(|(i, class)| *class == i.to_string());
        let places: Vec<usize> = match labels.filter(|_| !numbered) {
            None => (0..set.classes().len()).collect(),
            Some(labels) => {
                let place = |class: &String| {
                    let found = labels.iter().position(|label| label == class).filter(|&p| p < count);
                    found.ok_or_else(|| EvaluateError::UnknownClass { class: class.clone() })
                };
                set.classes().iter().map(place).collect::<Result<_, _>>()?
            }
        };
        let probable = ends_in_softmax(graph, output);
        Ok(Self { graph, set, labels, output, count, places, probable })
    }

    /// What the network's outputs say of a sample, given by its index and its class.
    pub(crate) fn ranked(&self, (sample, class): (usize, Option<usize>), outputs: &[crate::Array]) -> Ranked {
        let reals = input::reals(self.graph, self.output, &outputs[self.output]);
        let best = best(&reals, TOP);
        let first = reals.get(best[0]).copied().unwrap_or(0.0);
        let confidence = if self.probable { first } else { softmax_of(first, &reals) };
        Ok(Answer { sample, class: self.places[class.unwrap_or(0)], best, confidence })
    }

    /// Counts samples, in the order in which they came; so many were wanted.
    pub(crate) fn tally(&self, all: Vec<Ranked>, wanted: usize) -> Result<Evaluation, Error> {
        let Self { set, labels, count, ref places, .. } = *self;
        let tried = all.len();
        let (mut ranked, mut skipped) = (Vec::new(), Vec::new());
        for counted in all {
            match counted {
                Ok(one) => ranked.push(one),
                Err(one) => skipped.push(one),
            }
        }
        if let (true, Some(Skipped { name, reason })) = (ranked.is_empty(), skipped.first().cloned()) {
            return Err(EvaluateError::AllBroken { pictures: tried as u64, name, reason }.into());
        }
        let name = |i: usize| {
            let own = labels.and_then(|labels| labels.get(i).cloned());
            let data = || places.iter().position(|&p| p == i).map(|c| set.classes()[c].clone());
            own.or_else(data).unwrap_or_else(|| i.to_string())
        };
        let mut counted = Evaluation {
            classes: (0..count).map(name).collect(),
            confusion: vec![vec![0; count]; count],
            top1: 0,
            top5: 0,
            samples: ranked.len() as u64,
            wanted: wanted as u64,
            unseen: Vec::new(),
            stopped: tried < wanted,
            skipped,
            mistakes: Vec::new(),
        };
        for &Answer { sample, class, ref best, confidence } in &ranked {
            counted.confusion[class][best[0]] += 1;
            counted.top1 += u64::from(best[0] == class);
            counted.top5 += u64::from(best.contains(&class));
            if best[0] != class {
                counted.mistakes.push(Mistake { sample, class, taken: best[0], confidence });
            }
        }
        counted.mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let there = |c: usize| set.items().iter().any(|item| item.class == Some(c));
        let unseen = |&c: &usize| counted.confusion[places[c]].iter().all(|&n| n == 0) && there(c);
        counted.unseen = (0..places.len()).filter(unseen).map(|c| set.classes()[c].clone()).collect();
        Ok(counted)
    }
}

/// Runs a network over samples of a set, on all cores.
///
/// Of several outputs the first with one number for each class counts. Class `c` of the data is element `c` of the output; if the
/// network's `labels` are given, the element of that name. Equal numbers rank in the output's order.
///
/// `done` is called after each sample; once `stop` is set, what has been counted is returned: the beginning of
/// `indices`, which is spread over the classes if [`Dataset::choose`] has made them.
///
/// # Errors
/// If samples are not labelled, cannot be read or do not suit the network, or classes do not go together.
pub fn evaluate(
    graph: &Graph,
    runner: &Runner,
    set: &Dataset,
    indices: &[usize],
    Protocol { feeder, labels, strict }: Protocol,
    (done, stop): (&(dyn Fn() + Sync), &AtomicBool),
) -> Result<Evaluation, Error> {
    let classes = Classes::new(graph, set, labels)?;
    let mut all = set
        .read(indices)
        .take_while(|_| !stop.load(Ordering::Relaxed))
        .enumerate()
        .par_bridge()
        .map_init(
            || runner.clone(),
            |runner, (at, sample)| -> Result<(usize, Ranked), Error> {
                let counted = match prepared(set, sample, (feeder, strict))? {
                    Ok((class, inputs)) => {
                        // Samples are no frames of one sequence.
                        runner.reset();
                        classes.ranked((indices[at], class), &runner.run_in_graph(&inputs)?)
                    }
                    Err(skipped) => Err(skipped),
                };
                done();
                Ok((at, counted))
            },
        )
        .collect::<Result<Vec<_>, Error>>()?;
    all.sort_by_key(|(at, _)| *at);
    classes.tally(all.into_iter().map(|(_, counted)| counted).collect(), indices.len())
}

/// How often a network is right with each of the known normalisations that suit its pictures, over the same samples: the share of
/// samples whose class came first, 0 to 1, best first, of equals the more frequent convention first.
///
/// # Errors
/// As [`evaluate`].
pub fn normalisations(
    graph: &Graph,
    runner: &Runner,
    set: &Dataset,
    indices: &[usize],
    protocol: Protocol,
    stop: &AtomicBool,
) -> Result<Vec<(Normalisation, f64)>, Error> {
    let mut found = Vec::new();
    for known in Normalisation::KNOWN {
        let feeder = protocol.feeder.with(known);
        // Of pictures with another number of channels than the convention is for.
        if feeder.normalisation().is_none() || stop.load(Ordering::Relaxed) {
            continue;
        }
        let with = Protocol { feeder: &feeder, ..protocol };
        found.push((known, evaluate(graph, runner, set, indices, with, (&|| {}, stop))?.accuracy()));
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(found)
}

/// Elements of the output that is taken for a list of classes; `None` if there is none.
pub fn class_count(graph: &Graph) -> Option<usize> {
    class_output(graph, 0).ok().map(|(_, count)| count)
}

/// The first output that can be a list of so many classes, and its elements.
fn class_output(graph: &Graph, classes: usize) -> Result<(usize, usize), EvaluateError> {
    // The confusion matrix takes the square of this.
    const MOST: usize = 4096;
    let shapes: Vec<_> = graph.outputs.iter().map(|&id| &graph.tensor(id).shape).collect();
    let listed = |dims: &[usize]| dims.iter().filter(|&&d| d != 1).count() == 1;
    let found = shapes.iter().position(|s| listed(s.dims()) && s.elements() <= MOST);
    let Some(output) = found else {
        let outputs = shapes.iter().map(|s| s.to_string()).collect::<Vec<_>>().join(", ");
        return Err(EvaluateError::NoClasses { outputs });
    };
    match shapes[output].elements() {
        network if network < classes => Err(EvaluateError::TooManyClasses { data: classes, network }),
        network => Ok((output, network)),
    }
}

/// Whether an output's numbers are probabilities already: those of a SOFTMAX, with nothing behind it but changes of type
/// and shape.
fn ends_in_softmax(graph: &Graph, output: usize) -> bool {
    let mut value = graph.outputs[output];
    loop {
        let Some(producer) = graph.operators.iter().find(|operator| operator.outputs.contains(&value)) else {
            return false;
        };
        match (&producer.op, producer.inputs.first()) {
            (Op::Softmax { .. }, _) => return true,
            (Op::Quantize | Op::Dequantize | Op::Reshape { .. }, Some(&input)) => value = input,
            _ => return false,
        }
    }
}

/// The softmax of one of these numbers.
fn softmax_of(one: f64, all: &[f64]) -> f64 {
    1.0 / all.iter().map(|other| (other - one).exp()).sum::<f64>()
}

/// Indices of the greatest values, the first of equals first.
pub fn best(reals: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..reals.len()).collect();
    order.sort_by(|&a, &b| reals[b].total_cmp(&reals[a]).then(a.cmp(&b)));
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equals_in_order() {
        assert_eq!(best(&[0.1, 0.7, 0.7, 0.2], 3), [1, 2, 3]);
        assert_eq!(best(&[f64::NAN, 1.0], 5).len(), 2);
        assert!(best(&[], 5).is_empty());
    }

    #[test]
    fn confidence_is_a_probability() {
        let reals = [1000.0, 1000.0, -1000.0];
        assert_eq!(reals.map(|one| softmax_of(one, &reals)), [0.5, 0.5, 0.0]);
        let one = softmax_of(2.0f64.ln(), &[0.0, 2.0f64.ln(), 0.0]);
        assert!((one - 0.5).abs() < 1e-12, "{one}");
    }
}
