//! Compares a network's outputs, and what lies between, with those of a reference.
//!
//! Integers must be equal to the byte. So must floats that an integer network gives (they are dequantised integers). Floats of
//! an all-float network may differ by 1e-5 of the greatest magnitude in their tensor. A network whose float ends were cut is compared
//! with the golden file of the whole one: its inputs are quantised and its outputs dequantised as the cut operators did it.

pub mod cause;
pub mod compare;
pub mod golden;

pub use cause::Cause;
pub use compare::{Difference, Rule};
pub use golden::{Golden, GoldenError};

use crate::data::input::dequantise;
use crate::data::{Archive, Array};
use crate::error::Error;
use crate::network::{Network, Runner};
use smidgen_ir::{DataType, ElementType, Graph, OpId, TensorId};
use smidgen_plan::LowerOptions;

/// How far floats of an all-float network may be apart, relative to the greatest magnitude in the tensor.
pub const FLOAT_TOLERANCE: f64 = 1e-5;

/// The outcome of one comparison.
#[derive(Clone, PartialEq, Debug)]
pub struct Checked {
    /// The golden file's array.
    pub array: String,
    /// The network's tensor.
    pub tensor: TensorId,
    /// The operator that writes it; none for an input or constant that is put out as it is.
    pub operator: Option<OpId>,
    /// When the two count as equal.
    pub rule: Rule,
    /// The greatest relative difference that was allowed (0 where every bit is equal), or what is wrong.
    pub outcome: Result<f64, Mismatch>,
}

/// A difference with its likely cause.
#[derive(Clone, PartialEq, Debug)]
pub struct Mismatch {
    /// Where and how much.
    pub difference: Difference,
    /// What usually leaves this pattern.
    pub cause: Cause,
}

/// The outcome of all comparisons.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Number of samples run.
    pub samples: usize,
    /// Every output of every sample, in that order.
    pub outputs: Vec<Checked>,
    /// Every intermediate tensor of sample 0 that the file and the network share, in order of execution.
    pub intermediates: Vec<Checked>,
    /// Number of `tensor_I` arrays of the file that have no counterpart that is computed here: constants, inputs, and what
    /// clean-up passes took away.
    pub not_compared: usize,
}

impl Report {
    /// True if everything that was compared is equal by its rule.
    pub fn passes(&self) -> bool {
        self.all().all(|checked| checked.outcome.is_ok())
    }

    /// The mismatch nearest to the network's input: everything before it agrees, as far as the file can tell.
    pub fn first_mismatch(&self) -> Option<(&Checked, &Mismatch)> {
        self.all().filter_map(|c| Some((c, c.outcome.as_ref().err()?))).min_by_key(|(c, _)| c.operator)
    }

    /// The greatest relative difference that was allowed.
    pub fn worst_allowed(&self) -> f64 {
        self.all().filter_map(|c| c.outcome.as_ref().ok()).fold(0.0, |m, &v| m.max(v))
    }

    fn all(&self) -> impl Iterator<Item = &Checked> {
        self.intermediates.iter().chain(&self.outputs)
    }
}

/// Runs the network on every sample of a golden file and compares.
///
/// # Errors
/// If the network cannot be compiled, or the file does not suit it. A difference is not an error: see [`Report::passes`].
pub fn verify(network: &Network, archive: &mut Archive, options: &LowerOptions) -> Result<Report, Error> {
    let graph = network.graph();
    let mut runner = Runner::new(network, options)?;
    let mut golden = Golden::new(graph, archive)?;
    let producers = graph.producers();
    let mut report =
        Report { samples: golden.samples().len(), outputs: vec![], intermediates: vec![], not_compared: 0 };
    for (sample, outputs) in golden.samples().to_vec() {
        let inputs = golden.inputs(sample)?;
        let mut failed = None;
        let results = runner.run_with(&inputs, |id, ours| {
            if sample != 0 || failed.is_some() {
                return;
            }
            match golden.tensor(id) {
                Ok(Some(reference)) => {
                    let source = graph.tensor(id).source.unwrap_or_default();
                    report.intermediates.push(check(
                        graph,
                        &producers,
                        format!("tensor_{source}"),
                        id,
                        ours,
                        &reference,
                    ));
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        report.outputs.extend(check_outputs(graph, &mut golden, sample, &outputs, &results)?);
    }
    report.not_compared = golden.tensors().saturating_sub(report.intermediates.len());
    Ok(report)
}

/// Compares the network's outputs for one sample, however they were computed, with those that the golden file lists.
///
/// # Errors
/// If the file does not suit the network.
pub fn check_outputs(
    graph: &Graph,
    golden: &mut Golden,
    sample: usize,
    outputs: &[usize],
    results: &[Array],
) -> Result<Vec<Checked>, Error> {
    let producers = graph.producers();
    let one = |&j: &usize| {
        let reference = golden.output(sample, j)?;
        let ours = match graph.tensor(graph.outputs[j]).per_tensor() {
            Some((scale, zero_point)) if reference.dtype.is_float() => &dequantise(&results[j], scale, zero_point),
            _ => &results[j],
        };
        Ok(check(graph, &producers, format!("output_{sample}_{j}"), graph.outputs[j], ours, &reference))
    };
    outputs.iter().map(one).collect()
}

fn check(
    graph: &Graph,
    producers: &[Option<OpId>],
    array: String,
    tensor: TensorId,
    ours: &Array,
    reference: &Array,
) -> Checked {
    let rule = rule(graph, tensor);
    let outcome = compare::compare(ours, reference, rule).map_err(|difference| {
        let quantised = graph.tensor(tensor).per_tensor().filter(|_| !reference.dtype.is_float());
        let zero_point = quantised.map_or(0, |(_, zero)| zero);
        Mismatch { difference, cause: cause::diagnose(ours, reference, zero_point) }
    });
    Checked { array, tensor, operator: producers[tensor.index()], rule, outcome }
}

/// When two values of a tensor count as equal.
fn rule(graph: &Graph, tensor: TensorId) -> Rule {
    let float = graph.tensor(tensor).dtype == DataType::Plain(ElementType::Float32);
    let integer_network = graph.tensors.iter().any(|t| !t.is_constant() && t.dtype.quantisation().is_some());
    if float && !integer_network { Rule::Relative(FLOAT_TOLERANCE) } else { Rule::Bits }
}
