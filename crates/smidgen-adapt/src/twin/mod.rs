//! What the same scheme would learn with floats: the twin of a [`Learner`](crate::Learner), to compare it with.
//!
//! Of a network of floats everything is a real number: weights, biases and activations are what the integers stand
//! for, each operator clamps as the integer one does, and nothing is rounded. Of an integer network with copies in
//! floats the forward pass is the device's, byte by byte, with these copies rounded; gradients go back through it in
//! floats and move the copies (Lin et al. 2022 simulate training so, with PyTorch). Both have one backward pass, in
//! real numbers; what they differ in is where values, and what is clamped, come from.
//!
//! The same tensors are trained, by plain descent. A step of a real weight is the one that quantisation-aware scaling
//! gives an integer one, so that rates mean the same.

mod integers;
mod layer;
mod nodes;
mod number;
#[cfg(test)]
mod tests;

use crate::calibrate::{DRAWN, drawn};
use crate::compile::TrainingStep;
use crate::error::AdaptError;
use crate::learner::Learns;
use crate::lite_residual::Trained;
use crate::network::Features;
use crate::scheme::{Loss, Scheme};
use crate::surrogate::scale;
use integers::Integers;
use layer::Layer;
use nodes::{Node, Values, real};
use smidgen_ir::{Graph, TensorId};
use smidgen_lower::LowerOptions;
use std::sync::Arc;

pub use number::{Convolve, Form, Number};

/// A network that learns in floats.
#[derive(Clone, Debug)]
pub struct Twin<T: Number = f32> {
    source: Source,
    /// Operators that gradients do not reach, and the others.
    frozen: Vec<Node<T>>,
    changing: Vec<Node<T>>,
    layers: Vec<Layer<T>>,
    begin: Arc<Vec<Layer<T>>>,
    values: Values<T>,
    /// What counts of the gradient of each element: 0 where it was clamped. Empty where no gradient comes.
    through: Values<T>,
    gradients: Values<T>,
    features: usize,
    classifier: Classifier<T>,
    loss: Loss,
    /// Samples whose steps are collected before anything moves, and how many there are.
    accumulate: u32,
    waiting: u32,
}

/// Where values come from.
#[derive(Clone, Debug)]
enum Source {
    /// From real numbers: the input, its scale and zero point, and the tensors that the frozen part gives.
    Floats { input: usize, grid: (f64, i32), crossing: Vec<usize> },
    /// From the steps of the device.
    Integers(Box<Integers>),
}

/// The new classifier: weights `[classes, inputs]`.
#[derive(Clone, Debug)]
struct Classifier<T> {
    weights: Vec<T>,
    bias: Vec<T>,
    /// The gradient of the logits.
    errors: Vec<T>,
    /// Their sum, and that of the products with the features, multiplied by their rates: what has not moved anything yet.
    collected: [Vec<T>; 2],
}

impl<T: Number> Twin<T> {
    /// The network in floats, with what the scheme trains. `samples` as [`compile`](crate::compile()) takes them.
    ///
    /// # Errors
    /// If the scheme does not suit the network, the network has no classifier, or an operator has no form in floats.
    pub fn floats(graph: &Graph, classes: usize, scheme: &Scheme, samples: &[Vec<i8>]) -> Result<Self, AdaptError> {
        Self::new(graph, classes, (scheme, samples), None)
    }

    /// The integer network that a step trains, with copies of what is trained in floats. `graph`, `scheme`
    /// and `samples` are what it was compiled from.
    ///
    /// # Errors
    /// As [`floats`](Self::floats).
    pub fn masters(
        graph: &Graph,
        scheme: &Scheme,
        samples: &[Vec<i8>],
        step: &TrainingStep,
    ) -> Result<Self, AdaptError> {
        Self::new(graph, step.classes, (scheme, samples), Some(step))
    }

    fn new(
        graph: &Graph,
        classes: usize,
        (scheme, samples): (&Scheme, &[Vec<i8>]),
        step: Option<&TrainingStep>,
    ) -> Result<Self, AdaptError> {
        if !(2..=1 << 16).contains(&classes) {
            return Err(AdaptError::Classes(classes));
        }
        let features = Features::of(graph)?;
        let found = if samples.is_empty() { drawn(&features, DRAWN) } else { Vec::new() };
        let samples = if samples.is_empty() { &found } else { samples };
        let learnt = Trained::of(features, scheme, &LowerOptions::default(), samples)?;
        let features = &learnt.features;
        let graph = &features.graph;
        let reached = features.reached(&learnt.operators());
        let (mut frozen, mut changing, mut layers) = (Vec::new(), Vec::new(), Vec::new());
        for (index, operator) in graph.operators.iter().enumerate() {
            let passed = operator.outputs.iter().any(|id| reached[id.index()]);
            if passed || step.is_none() {
                let node = Node::new(&learnt, scheme, (index, &mut layers), (passed, step.is_some()))?;
                if passed { &mut changing } else { &mut frozen }.push(node);
            }
        }
        let mut values: Values<T> = vec![Vec::new(); graph.tensors.len()];
        let ends = graph.inputs.iter().chain(&graph.outputs).map(|id| id.index());
        let read = frozen.iter().chain(&changing).flat_map(|node: &Node<T>| node.inputs.iter().chain(&node.outputs));
        for id in ends.chain(read.copied()) {
            let tensor = graph.tensor(TensorId(id as u32));
            let grid = scale(tensor);
            values[id] = match tensor.integers().filter(|_| tensor.per_tensor().is_some()) {
                Some(stored) => stored.iter().map(|&x| T::of(grid.0 * f64::from(x - grid.1))).collect(),
                None => vec![T::default(); tensor.shape.elements()],
            };
        }
        let like = |one: f64| -> Values<T> {
            let filled = |(values, &reached): (&Vec<T>, &bool)| match reached {
                true => vec![T::of(one); values.len()],
                false => Vec::new(),
            };
            values.iter().zip(&reached).map(filled).collect()
        };
        let (through, gradients) = (like(1.0), like(0.0));
        let output = features.tensor().index();
        let source = match step {
            Some(step) => Source::Integers(Box::new(Integers::new(features, step, &layers)?)),
            None => {
                let input = graph.inputs[0].index();
                let mut crossing: Vec<usize> = Vec::new();
                for &id in changing.iter().flat_map(|node| &node.inputs).chain([&output]) {
                    let constant = graph.tensor(TensorId(id as u32)).is_constant();
                    if !constant && !reached[id] && !crossing.contains(&id) {
                        crossing.push(id);
                    }
                }
                Source::Floats { input, grid: scale(graph.tensor(graph.inputs[0])), crossing }
            }
        };
        let zeros = |count: usize| vec![T::default(); count];
        let classifier = Classifier {
            weights: zeros(classes * features.count),
            bias: zeros(classes),
            errors: zeros(classes),
            collected: [zeros(classes * features.count), zeros(classes)],
        };
        let begin = Arc::new(layers.clone());
        let (loss, accumulate) = (scheme.loss, scheme.accumulate);
        Ok(Self {
            source,
            frozen,
            changing,
            layers,
            begin,
            values,
            through,
            gradients,
            features: output,
            classifier,
            loss,
            accumulate,
            waiting: 0,
        })
    }

    /// How many numbers are trained.
    pub fn trained(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::trained).sum();
        layers + self.classifier.weights.len() + self.classifier.bias.len()
    }

    /// Values up to the features of a prepared sample.
    fn forward(&mut self, prepared: &[u8]) -> Result<(), AdaptError> {
        let (layers, values, through) = (&mut self.layers, &mut self.values, &mut self.through);
        match &mut self.source {
            Source::Integers(integers) => {
                return integers.forward(prepared, (&self.changing, layers), values, through);
            }
            Source::Floats { input, grid, crossing } if crossing[..] == [*input] => {
                if prepared.len() != values[*input].len() {
                    return Err(AdaptError::Internal(format!("a prepared sample has {} bytes", prepared.len())));
                }
                values[*input].iter_mut().zip(prepared).for_each(|(x, &byte)| *x = real(byte, *grid));
            }
            Source::Floats { crossing, .. } => {
                let expected = T::BYTES * crossing.iter().map(|&id| values[id].len()).sum::<usize>();
                if prepared.len() != expected {
                    return Err(AdaptError::Internal(format!("a prepared sample has {} bytes", prepared.len())));
                }
                let mut numbers = prepared.chunks_exact(T::BYTES);
                for &id in crossing.iter() {
                    values[id].iter_mut().zip(&mut numbers).for_each(|(x, bytes)| *x = T::load(bytes));
                }
            }
        }
        self.changing.iter_mut().try_for_each(|node| node.forward(layers, values, through))
    }

    fn logits(&self) -> Vec<T> {
        let Classifier { weights, bias, .. } = &self.classifier;
        let features = &self.values[self.features];
        let logit = |(row, &bias): (&[T], &T)| row.iter().zip(features).fold(bias, |sum, (&w, &x)| sum + w * x);
        weights.chunks_exact(features.len()).zip(bias).map(logit).collect()
    }

    /// The loss of a prepared sample; all gradients of it are left behind.
    fn differentiate(&mut self, prepared: &[u8], label: usize) -> Result<f64, AdaptError> {
        self.forward(prepared)?;
        let logits: Vec<f64> = self.logits().into_iter().map(T::real).collect();
        if label >= logits.len() {
            return Err(AdaptError::Internal(format!("label {label} of {} classes", logits.len())));
        }
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let all: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
        let wanted = |j: usize| f64::from(j == label);
        let classes = logits.len() as f64;
        for (j, (error, logit)) in self.classifier.errors.iter_mut().zip(&logits).enumerate() {
            *error = T::of(match self.loss {
                Loss::CrossEntropy => (logit - most).exp() / all - wanted(j),
                Loss::MeanSquaredError => 2.0 * (logit - wanted(j)) / classes,
            });
        }
        self.gradients.iter_mut().for_each(|gradient| gradient.fill(T::default()));
        let (rows, top) = (self.values[self.features].len(), &mut self.gradients[self.features]);
        for (row, &error) in self.classifier.weights.chunks_exact(rows).zip(&self.classifier.errors) {
            top.iter_mut().zip(row).for_each(|(g, &w)| *g += error * w);
        }
        for node in self.changing.iter().rev() {
            node.backward(&mut self.layers, (&self.values, &self.through), &mut self.gradients);
        }
        Ok(match self.loss {
            Loss::CrossEntropy => most + all.ln() - logits[label],
            Loss::MeanSquaredError => {
                logits.iter().enumerate().map(|(j, logit)| (logit - wanted(j)).powi(2)).sum::<f64>() / classes
            }
        })
    }

    /// A step against the gradients that were left behind; or it is collected, and made with the last sample's.
    fn step(&mut self, rate: f64) {
        let rate = T::of(rate);
        let Classifier { weights, bias, errors, collected: [products, sums] } = &mut self.classifier;
        let features = &self.values[self.features];
        self.waiting += 1;
        let alone = self.accumulate <= 1;
        let now = self.waiting >= self.accumulate;
        let into = if alone { (&mut *weights, &mut *bias) } else { (&mut *products, &mut *sums) };
        for ((row, bias), &error) in into.0.chunks_exact_mut(features.len()).zip(into.1).zip(&*errors) {
            row.iter_mut().zip(features).for_each(|(w, &x)| *w -= rate * (error * x));
            *bias -= rate * error;
        }
        if !alone {
            self.layers.iter_mut().for_each(|layer| layer.collect(rate, now));
            if now {
                for (values, sums) in [(weights, products), (bias, sums)] {
                    values.iter_mut().zip(&*sums).for_each(|(value, &sum)| *value += sum);
                    sums.fill(T::default());
                }
            }
        }
        if !now {
            return;
        }
        self.waiting = 0;
        let rate = if alone { rate } else { T::of(1.0) };
        let mut changed = false;
        self.layers.iter_mut().for_each(|layer| changed |= layer.step(rate));
        if let (Source::Integers(integers), true) = (&mut self.source, changed) {
            integers.changed();
        }
    }
}

impl<T: Number> Learns for Twin<T> {
    fn reset(&mut self) {
        self.layers.clone_from(&self.begin);
        self.classifier.weights.fill(T::default());
        self.classifier.bias.fill(T::default());
        self.classifier.collected.iter_mut().for_each(|sums| sums.fill(T::default()));
        self.waiting = 0;
        if let Source::Integers(integers) = &mut self.source {
            integers.changed();
        }
    }

    fn prepare(&mut self, sample: &[u8]) -> Result<Vec<u8>, AdaptError> {
        let (input, grid, crossing) = match &mut self.source {
            Source::Integers(integers) => return integers.prepare(sample),
            Source::Floats { input, grid, crossing } => (*input, *grid, &*crossing),
        };
        let expected = self.values[input].len();
        if sample.len() != expected {
            return Err(AdaptError::Internal(format!("a sample has {} bytes, not {expected}", sample.len())));
        }
        if crossing[..] == [input] {
            return Ok(sample.to_vec());
        }
        self.values[input].iter_mut().zip(sample).for_each(|(x, &byte)| *x = real(byte, grid));
        for node in &mut self.frozen {
            node.forward(&mut self.layers, &mut self.values, &mut self.through)?;
        }
        let mut prepared = Vec::new();
        crossing.iter().flat_map(|&id| &self.values[id]).for_each(|x| x.store(&mut prepared));
        Ok(prepared)
    }

    fn train(&mut self, prepared: &[u8], label: usize, rate: f64) -> Result<f64, AdaptError> {
        let loss = self.differentiate(prepared, label)?;
        self.step(rate);
        Ok(loss)
    }

    fn predict(&mut self, prepared: &[u8]) -> Result<Vec<f64>, AdaptError> {
        self.forward(prepared)?;
        Ok(self.logits().into_iter().map(T::real).collect())
    }
}
