//! Where the samples of a step come from.

use crate::error::TrainError;
use crate::net::Net;

/// The samples of a step. They are asked for from the threads that work on them, so what is done to make one
/// (augmentation) is shared among these; it must depend on nothing but the sample's index.
pub trait Batch: Sync {
    /// How many.
    fn samples(&self) -> usize;

    /// Writes the input of a sample, NHWC.
    fn input(&self, sample: usize, into: &mut [f32]);

    /// The class of a sample.
    fn label(&self, sample: usize) -> u32;

    /// Writes the probabilities that a teacher gives to the classes of a sample. `false` if there is no teacher, which
    /// must be so for all samples or for none.
    fn teacher(&self, _sample: usize, _into: &mut [f32]) -> bool {
        false
    }
}

/// Samples in memory.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    inputs: &'a [f32],
    labels: &'a [u32],
    teacher: Option<&'a [f32]>,
    input: usize,
    classes: usize,
}

impl<'a> Samples<'a> {
    /// Samples with their inputs one after another, NHWC.
    ///
    /// # Errors
    /// If there are not as many inputs as labels.
    pub fn new(net: &Net, inputs: &'a [f32], labels: &'a [u32]) -> Result<Self, TrainError> {
        let (input, classes) = (net.input_len(), net.output_len());
        let expected = labels.len() * input;
        if inputs.len() != expected {
            return Err(TrainError::Size { what: "the batch's input", given: inputs.len(), expected });
        }
        Ok(Self { inputs, labels, teacher: None, input, classes })
    }

    /// Adds a teacher's probabilities, `[samples, classes]`.
    ///
    /// # Errors
    /// If they have another size.
    pub fn taught_by(self, teacher: &'a [f32]) -> Result<Self, TrainError> {
        let expected = self.labels.len() * self.classes;
        if teacher.len() != expected {
            return Err(TrainError::Size { what: "the teacher's probabilities", given: teacher.len(), expected });
        }
        Ok(Self { teacher: Some(teacher), ..self })
    }
}

impl Batch for Samples<'_> {
    fn samples(&self) -> usize {
        self.labels.len()
    }

    fn input(&self, sample: usize, into: &mut [f32]) {
        into.copy_from_slice(&self.inputs[sample * self.input..][..self.input]);
    }

    fn label(&self, sample: usize) -> u32 {
        self.labels[sample]
    }

    fn teacher(&self, sample: usize, into: &mut [f32]) -> bool {
        if let Some(teacher) = self.teacher {
            into.copy_from_slice(&teacher[sample * self.classes..][..self.classes]);
        }
        self.teacher.is_some()
    }
}
