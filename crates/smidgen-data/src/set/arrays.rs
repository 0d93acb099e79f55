//! NumPy files as sets: one array whose first axis counts samples, or one array for each sample.

use super::layout::pick;
use super::{Part, SetError};
use crate::Error;
use crate::array::{Array, Dtype};
use crate::npy;
use crate::npz::Archive;
use std::collections::BTreeSet;
use std::path::Path;

/// What arrays of samples and of labels are called, before `_train` and the like.
const SAMPLES: &[&str] = &["x", "X", "data", "images", "inputs", "input", "features"];
const LABELS: &[&str] = &["y", "Y", "labels", "label", "targets", "classes"];
const SPLITS: &[&str] = &["train", "test", "val", "valid"];

/// Samples in memory.
#[derive(Clone, Debug)]
pub(super) enum Stacked {
    /// Along the first axis of one array.
    Rows { name: String, array: Array },
    /// Each with arrays of its own, one for each input of a network.
    Each(Vec<Vec<Array>>),
}

/// A file's samples.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub stacked: Stacked,
    /// The class of each, if the file has labels.
    pub labels: Option<Vec<usize>>,
    /// The part that was taken, if the file has several.
    pub part: Option<String>,
}

impl Stacked {
    /// Reads the bytes of a file.
    pub(super) fn open(path: &Path, bytes: Vec<u8>, part: &Part) -> Result<Opened, Error> {
        if bytes.starts_with(npy::MAGIC) {
            let stacked = Self::rows(path, "samples", npy::parse(bytes)?)?;
            return Ok(Opened { stacked, labels: None, part: None });
        }
        let mut archive = Archive::new(bytes)?;
        let names = archive.names().to_vec();
        let has = |name: &str| names.iter().any(|n| n == name);
        let label = |suffix: &str| LABELS.iter().map(|l| format!("{l}{suffix}")).find(|l| has(l));
        let (stacked, label, part) = if has("input_0") || has("input_0_0") {
            (Self::each(&mut archive)?, label(""), None)
        } else {
            let splits: BTreeSet<&str> = SPLITS
                .iter()
                .copied()
                .filter(|split| SAMPLES.iter().any(|sample| has(&format!("{sample}_{split}"))))
                .collect();
            let part = pick(path, &splits, part)?;
            let suffix = part.as_ref().map_or(String::new(), |part| format!("_{part}"));
            let label = label(&suffix);
            let known = SAMPLES.iter().map(|s| format!("{s}{suffix}")).find(|s| has(s));
            let rest: Vec<&String> = names.iter().filter(|n| Some(*n) != label.as_ref()).collect();
            let only = rest.first().filter(|_| rest.len() == 1).map(|n| n.to_string());
            let unknown = || SetError::Arrays { path: path.to_owned(), names: listed(&names) };
            let name = known.or(only).ok_or_else(unknown)?;
            let array = archive.get(&name)?.ok_or_else(unknown)?;
            (Self::rows(path, &name, array)?, label, part)
        };
        let labels = match label {
            Some(name) => match archive.get(&name)? {
                Some(array) => Some(class_numbers(name, &array, stacked.len())?),
                None => None,
            },
            None => None,
        };
        Ok(Opened { stacked, labels, part })
    }

    fn rows(path: &Path, name: &str, array: Array) -> Result<Self, SetError> {
        if array.shape.len() < 2 || array.shape.contains(&0) {
            let names = format!("the array `{name}` ({})", array.describe());
            return Err(SetError::Arrays { path: path.to_owned(), names });
        }
        Ok(Self::Rows { name: name.to_owned(), array })
    }

    /// `input_K`, or `input_K_I` for networks with several inputs, for K = 0, 1, ...
    fn each(archive: &mut Archive) -> Result<Self, Error> {
        let mut samples = Vec::new();
        loop {
            let k = samples.len();
            let mut arrays = Vec::new();
            if let Some(array) = archive.get(&format!("input_{k}"))? {
                arrays.push(array);
            } else {
                while let Some(array) = archive.get(&format!("input_{k}_{}", arrays.len()))? {
                    arrays.push(array);
                }
            }
            if arrays.is_empty() {
                return Ok(Self::Each(samples));
            }
            samples.push(arrays);
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Rows { array, .. } => array.shape[0],
            Self::Each(samples) => samples.len(),
        }
    }

    /// The elements' type; of several arrays, the first one's.
    pub(super) fn dtype(&self) -> Option<Dtype> {
        match self {
            Self::Rows { array, .. } => Some(array.dtype),
            Self::Each(samples) => Some(samples.first()?.first()?.dtype),
        }
    }

    pub(super) fn name(&self, index: usize) -> String {
        match self {
            Self::Rows { name, .. } => format!("{name}[{index}]"),
            Self::Each(_) => format!("input_{index}"),
        }
    }

    pub(super) fn get(&self, index: usize) -> Vec<Array> {
        match self {
            Self::Rows { array, .. } => {
                let bytes = array.data.len() / array.shape[0];
                let data = array.data[index * bytes..][..bytes].to_vec();
                vec![Array::new(array.dtype, &array.shape[1..], data)]
            }
            Self::Each(samples) => samples[index].clone(),
        }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "no arrays".into(),
        _ => format!("the arrays {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// More classes than this are a mistake, and would ask for a confusion matrix of that size.
const MOST_CLASSES: usize = 65_536;

/// Class numbers of an array of integers with one element for each sample.
fn class_numbers(name: String, array: &Array, samples: usize) -> Result<Vec<usize>, SetError> {
    let fail = || SetError::Labels { name: name.clone(), given: array.describe(), samples };
    if array.dtype.is_float() || array.shape.first() != Some(&samples) || array.elements() != samples {
        return Err(fail());
    }
    let number = |(sample, value): (usize, f64)| match value >= 0.0 && value < MOST_CLASSES as f64 {
        true => Ok(value as usize),
        false => Err(SetError::Label { name: name.clone(), sample, value: value.to_string(), most: MOST_CLASSES - 1 }),
    };
    array.to_f64().into_iter().enumerate().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npz;

    fn bytes(dims: &[usize], from: u8) -> Array {
        let count: usize = dims.iter().product();
        Array::new(Dtype::Uint8, dims, (0..count).map(|i| i as u8 + from).collect())
    }

    fn open(arrays: &[(&str, Array)], part: Part) -> Result<Opened, Error> {
        let arrays: Vec<_> = arrays.iter().map(|(n, a)| (n.to_string(), a.clone())).collect();
        Stacked::open(Path::new("set.npz"), npz::to_bytes(&arrays), &part)
    }

    #[test]
    fn one_array_with_labels() {
        let (x, y) = (bytes(&[3, 2, 2], 0), Array::new(Dtype::Uint8, &[3, 1], vec![2, 0, 1]));
        let Opened { stacked, labels, part } = open(&[("x", x), ("y", y)], Part::Test).unwrap();
        assert_eq!((stacked.len(), labels, part), (3, Some(vec![2, 0, 1]), None));
        assert_eq!(stacked.get(1), [bytes(&[2, 2], 4)]);
        assert_eq!(stacked.name(1), "x[1]");
    }

    #[test]
    fn parts_by_name() {
        let arrays = [("x_train", bytes(&[2, 1], 0)), ("x_test", bytes(&[4, 1], 9)), ("y_test", bytes(&[4], 0))];
        let Opened { stacked: train, labels, part } = open(&arrays, Part::Training).unwrap();
        assert_eq!((train.len(), labels, part.as_deref()), (2, None, Some("train")));
        let Opened { stacked: test, labels, .. } = open(&arrays, Part::Test).unwrap();
        assert_eq!((test.len(), labels), (4, Some(vec![0, 1, 2, 3])));
    }

    #[test]
    fn a_golden_file_has_an_array_for_each_sample() {
        let one = [("input_0", bytes(&[1, 4], 0)), ("output_0_0", bytes(&[1, 2], 0)), ("input_1", bytes(&[1, 4], 7))];
        let Opened { stacked, labels, .. } = open(&one, Part::Training).unwrap();
        assert_eq!((stacked.len(), labels), (2, None));
        assert_eq!(stacked.get(1), [bytes(&[1, 4], 7)]);
        let two = [("input_0_0", bytes(&[1], 0)), ("input_0_1", bytes(&[2], 0))];
        assert_eq!(open(&two, Part::Training).unwrap().stacked.get(0), [bytes(&[1], 0), bytes(&[2], 0)]);
    }

    #[test]
    fn what_is_unclear_is_refused() {
        let unclear = open(&[("a", bytes(&[2, 2], 0)), ("b", bytes(&[2, 2], 0))], Part::Test).unwrap_err();
        assert_eq!(unclear.to_string(), "`set.npz` holds the arrays `a`, `b`, of which none is clearly the samples");
        let labels = |y: Array| open(&[("x", bytes(&[2, 2], 0)), ("y", y)], Part::Test).unwrap_err();
        for y in [bytes(&[3], 0), Array::from_f32(&[2], &[0.0, 1.0])] {
            assert!(matches!(labels(y), Error::Set(SetError::Labels { .. })));
        }
        let told = labels(Array::from_i8(&[2], &[0, -3])).to_string();
        assert_eq!(told, "the label of sample 1 in `y` is -3; class numbers are 0 to 65535");
        assert!(matches!(open(&[("x", bytes(&[0, 2], 0))], Part::Test), Err(Error::Set(SetError::Arrays { .. }))));
    }
}
