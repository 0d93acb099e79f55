//! Compares a network's outputs, and what lies between, with those of a reference.
//!
//! Integers must be equal to the byte. So must floats that an integer network gives (they are dequantised integers),
//! unless a number of steps of their quantisation is allowed. Floats of an all-float network may differ by 1e-5 of the
//! greatest magnitude in their tensor. A network whose float ends were cut is compared with the golden file of the
//! whole one: its inputs are quantised and its outputs dequantised as the cut operators did it.

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
use smidgen_ir::{DataType, ElementType, Graph, Op, OpId, TensorId};
use smidgen_lower::LowerOptions;

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
    /// The greatest difference that was allowed (0 where every bit is equal), in steps for [`Rule::Steps`] and else
    /// relative; or what is wrong.
    pub outcome: Result<f64, Mismatch>,
}

/// A difference with its likely cause.
#[derive(Clone, PartialEq, Debug)]
pub struct Mismatch {
    /// Where and how much.
    pub difference: Difference,
    /// What usually leaves this pattern.
    pub cause: Cause,
    /// The size of one quantised step in the arrays' own unit, where they are quantised or dequantised.
    pub step: Option<f64>,
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
    /// Number of arrays of the file, neither inputs nor outputs, that have no counterpart that is computed here:
    /// constants, inputs, and what clean-up passes took away.
    pub not_compared: usize,
    /// What became of arrays whose axes lie otherwise in the graph than in the file that the network was read from, in
    /// words.
    pub orders: Vec<String>,
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
        self.worst(|rule| !matches!(rule, Rule::Steps { .. }))
    }

    /// The most quantised steps that were allowed.
    pub fn steps_allowed(&self) -> u32 {
        self.worst(|rule| matches!(rule, Rule::Steps { .. })) as u32
    }

    /// True if nothing that was compared is further away than one step of its quantisation, or than its rule allows.
    pub fn within_one_step(&self) -> bool {
        let near =
            |c: &Checked| c.outcome.as_ref().err().is_none_or(|m| m.cause == Cause::Rounding && m.step.is_some());
        self.all().all(near)
    }

    /// True if something that differs has steps to count.
    pub fn has_steps(&self) -> bool {
        self.all().filter_map(|c| c.outcome.as_ref().err()).any(|mismatch| mismatch.step.is_some())
    }

    fn worst(&self, of: impl Fn(Rule) -> bool) -> f64 {
        self.all().filter(|c| of(c.rule)).filter_map(|c| c.outcome.as_ref().ok()).fold(0.0, |m, &v| m.max(v))
    }

    fn all(&self) -> impl Iterator<Item = &Checked> {
        self.intermediates.iter().chain(&self.outputs)
    }
}

/// Runs the network on every sample of a golden file and compares. Of a network with state the samples are frames of
/// one sequence, the first of which meets the state that the network begins with, as in the reference interpreter.
/// Values that are quantised, or dequantised, count as equal up to `steps` steps of their quantisation.
///
/// # Errors
/// If the network cannot be compiled, or the file does not suit it. A difference is not an error: see [`Report::passes`].
pub fn verify(network: &Network, archive: &mut Archive, options: &LowerOptions, steps: u32) -> Result<Report, Error> {
    let graph = network.graph();
    let mut runner = Runner::new(network, options)?;
    let mut golden = Golden::new(network.interface(), archive)?;
    let judge = Judge::new(graph, steps);
    let mut report = Report {
        samples: golden.samples().len(),
        outputs: vec![],
        intermediates: vec![],
        not_compared: 0,
        orders: vec![],
    };
    for (sample, outputs) in golden.samples().to_vec() {
        let inputs = golden.inputs(sample)?;
        let mut failed = None;
        let results = runner.run_with(&inputs, |id, ours| {
            if sample != 0 || failed.is_some() {
                return;
            }
            match golden.tensor(id) {
                Ok(Some((name, reference))) => {
                    let mut checked = judge.check(name, id, ours, &reference);
                    if let (Err(mismatch), Some((_, axes))) = (&mut checked.outcome, network.interface().value(id)) {
                        mismatch.difference.at = axes.index_in_file(&mismatch.difference.at);
                    }
                    report.intermediates.push(checked);
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        report.outputs.extend(check_outputs(&mut golden, sample, &outputs, &results, steps)?);
    }
    report.orders = golden.orders();
    report.not_compared = golden.tensors().saturating_sub(report.intermediates.len());
    Ok(report)
}

/// Compares the network's outputs for one sample, however they were computed (their axes as in the graph), with those
/// that the golden file lists. `steps` is as for [`verify`].
///
/// # Errors
/// If the file does not suit the network.
pub fn check_outputs(
    golden: &mut Golden,
    sample: usize,
    outputs: &[usize],
    results: &[Array],
    steps: u32,
) -> Result<Vec<Checked>, Error> {
    let network = golden.network();
    let judge = Judge::new(network.graph(), steps);
    let one = |&j: &usize| {
        let reference = golden.output(sample, j)?;
        let id = network.graph().outputs[j];
        let ours = match network.graph().tensor(id).per_tensor() {
            Some((scale, zero_point)) if reference.dtype.is_float() => &dequantise(&results[j], scale, zero_point),
            _ => &results[j],
        };
        let mut checked = judge.check(format!("output_{sample}_{j}"), id, ours, &reference);
        if let Err(mismatch) = &mut checked.outcome {
            mismatch.difference.at = network.output(j).index_in_file(&mismatch.difference.at);
        }
        Ok(checked)
    };
    outputs.iter().map(one).collect()
}

/// True if an output of the network is quantised, or made of dequantised values, so that its differences can be counted
/// in steps.
pub fn has_steps(graph: &Graph) -> bool {
    let judge = Judge::new(graph, 0);
    graph.outputs.iter().any(|&id| judge.step(id, true).is_some())
}

/// What decides whether two values of a tensor are equal.
struct Judge<'g> {
    graph: &'g Graph,
    producers: Vec<Option<OpId>>,
    /// Steps of a quantisation that two values may be apart.
    steps: u32,
    /// True if something that is computed is quantised.
    integer_network: bool,
}

impl<'g> Judge<'g> {
    fn new(graph: &'g Graph, steps: u32) -> Self {
        let integer_network = graph.tensors.iter().any(|t| !t.is_constant() && t.dtype.quantisation().is_some());
        Self { graph, producers: graph.producers(), steps, integer_network }
    }

    fn check(&self, array: String, tensor: TensorId, ours: &Array, reference: &Array) -> Checked {
        let step = self.step(tensor, reference.dtype.is_float());
        let rule = self.rule(tensor, step);
        let outcome = compare::compare(ours, reference, rule).map_err(|difference| {
            let quantised = self.graph.tensor(tensor).per_tensor().filter(|_| !reference.dtype.is_float());
            let zero_point = quantised.map_or(0, |(_, zero)| zero);
            Mismatch { difference, cause: cause::diagnose(ours, reference, zero_point, step), step }
        });
        Checked { array, tensor, operator: self.producers[tensor.index()], rule, outcome }
    }

    /// When two values of a tensor count as equal.
    fn rule(&self, tensor: TensorId, step: Option<f64>) -> Rule {
        let float = self.graph.tensor(tensor).dtype == DataType::Plain(ElementType::Float32);
        match step {
            Some(size) if self.steps > 0 => Rule::Steps { count: self.steps, size },
            _ if float && !self.integer_network => Rule::Relative(FLOAT_TOLERANCE),
            _ => Rule::Bits,
        }
    }

    /// The size of one step of a tensor's quantisation in the unit of the values that are compared: its real numbers
    /// (`real`) or its stored integers. Floats have the step of the DEQUANTIZE that they come from, perhaps by way of
    /// operators that only move elements.
    fn step(&self, tensor: TensorId, real: bool) -> Option<f64> {
        let mut id = tensor;
        loop {
            let tensor = self.graph.tensor(id);
            if let Some(quantisation) = tensor.dtype.quantisation() {
                return if real { quantisation.per_tensor().map(|(scale, _)| f64::from(scale)) } else { Some(1.0) };
            }
            let operator = &self.graph.operators[self.producers[id.index()]?.index()];
            let moves = matches!(
                operator.op,
                Op::Dequantize
                    | Op::Reshape { .. }
                    | Op::Transpose { .. }
                    | Op::Slice { .. }
                    | Op::StridedSlice { .. }
                    | Op::Split { .. }
                    | Op::Unpack { .. }
            );
            id = operator.inputs.first().copied().filter(|_| moves)?;
        }
    }
}
