//! Runs a float graph over samples and keeps what quantisation needs to know of every tensor.

use crate::error::QuantError;
use crate::histogram::Histogram;
use crate::mask;
use crate::range::{self, RangeMethod};
use crate::recurrent::{Extent, Stepper};
use crate::{Inputs, Progress, Stage};
use rayon::prelude::*;
use smidgen_certify::certify;
use smidgen_exec::{Executor, relabelled};
use smidgen_ir::{BinaryKind, DataType, Graph, Op, PadValue, TensorId};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use std::collections::HashMap;

/// Paddings of at least this size stand for "never the greatest": no activation comes near.
pub(crate) const ENDLESS: f32 = 1e30;

/// What is known of a float tensor's values.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Stats {
    pub low: f32,
    pub high: f32,
    /// The least of the greatest elements along the last axis, rows left out that are masked as a whole.
    pub least_peak: f32,
    /// Greatest magnitude of each channel, the index along the last axis.
    pub magnitudes: Vec<f32>,
    /// Sum of the binary exponents of all values but 0, and how many these are.
    exponents: (i64, u64),
    /// Sum of each channel's values.
    sums: Vec<f64>,
    /// Values of each channel.
    count: u64,
}

impl Stats {
    fn of(values: &[f32], channels: usize) -> Self {
        let mut stats = Self {
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
            least_peak: f32::INFINITY,
            magnitudes: vec![0.0; channels],
            exponents: (0, 0),
            sums: vec![0.0; channels],
            count: (values.len() / channels) as u64,
        };
        for pixel in values.chunks_exact(channels) {
            for (c, &value) in pixel.iter().enumerate() {
                stats.low = stats.low.min(value);
                stats.high = stats.high.max(value);
                stats.magnitudes[c] = stats.magnitudes[c].max(value.abs());
                stats.sums[c] += f64::from(value);
                if value != 0.0 {
                    stats.exponents.0 += i64::from((value.to_bits() >> 23) & 0xff) - 127;
                    stats.exponents.1 += 1;
                }
            }
            let peak = pixel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if peak > mask::MASKED {
                stats.least_peak = stats.least_peak.min(peak);
            }
        }
        stats
    }

    fn merge(&mut self, other: &Self) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.least_peak = self.least_peak.min(other.least_peak);
        self.count += other.count;
        self.exponents.0 += other.exponents.0;
        self.exponents.1 += other.exponents.1;
        self.magnitudes.iter_mut().zip(&other.magnitudes).for_each(|(a, &b)| *a = a.max(b));
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
    }

    /// About the geometric mean of all magnitudes but 0; `None` if there is nothing else.
    pub fn typical(&self) -> Option<f64> {
        let (sum, count) = self.exponents;
        // Within a power of two, the middle.
        (count > 0).then(|| (sum as f64 / count as f64 + 0.5).exp2())
    }

    /// The mean of each channel.
    pub fn means(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.count.max(1) as f64).collect()
    }
}

/// One entry for each tensor; `None` for constants and for what is no float.
pub(crate) type Seen = Vec<Option<Stats>>;

/// An executor for a graph, layer by layer.
pub(crate) fn executor(graph: &Graph) -> Result<Executor, QuantError> {
    Ok(Executor::new(certify(layer_wise(&lower(graph, &LowerOptions::default())?))?))
}

/// Runs a graph on one sample and shows the bytes of its inputs and of every tensor that an operator computes.
pub(crate) fn trace(
    executor: &mut Executor,
    graph: &Graph,
    inputs: &Inputs,
    show: &mut dyn FnMut(TensorId, &[u8]),
) -> Result<(), QuantError> {
    for (i, (bytes, &id)) in inputs.iter().zip(&graph.inputs).enumerate() {
        executor.set_input(i, bytes)?;
        relabelled(graph, id).into_iter().for_each(|id| show(id, bytes));
    }
    executor.run_with(&mut |finished| {
        for (id, bytes) in finished.tensors() {
            relabelled(graph, id).into_iter().for_each(|id| show(id, bytes));
        }
    });
    Ok(())
}

/// Little-endian bytes as floats.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

/// Checks that samples are for these inputs of a graph.
pub(crate) fn check_samples(ids: &[TensorId], graph: &Graph, samples: &[Inputs]) -> Result<(), QuantError> {
    if samples.is_empty() {
        return Err(QuantError::NoSamples);
    }
    for (sample, inputs) in samples.iter().enumerate() {
        if inputs.len() != ids.len() {
            return Err(QuantError::InputCount { sample, given: inputs.len(), expected: ids.len() });
        }
        for (bytes, &id) in inputs.iter().zip(ids) {
            let (tensor, given) = (graph.tensor(id), bytes.len());
            if given != tensor.bytes() {
                let expected = tensor.bytes();
                return Err(QuantError::Sample { sample, tensor: tensor.name.clone(), given, expected });
            }
        }
    }
    Ok(())
}

/// Tensors whose values are padded with a number that stands for minus infinity: what lies between says nothing.
fn endless(graph: &Graph) -> Vec<bool> {
    let mut endless = vec![false; graph.tensors.len()];
    for operator in &graph.operators {
        if let Op::Pad { value: PadValue::Float(value), .. } = operator.op
            && value.abs() >= ENDLESS
        {
            endless[operator.outputs[0].index()] = true;
        }
    }
    endless
}

/// For each tensor that only MINIMUM and MAXIMUM with constants read, what an infinite value becomes there: RSQRT of 0 is one, and bounded
/// behind it.
fn bounds(graph: &Graph) -> Vec<Option<(f32, f32)>> {
    let mut bounds: Vec<Option<(f32, f32)>> = vec![None; graph.tensors.len()];
    let mut others = vec![false; graph.tensors.len()];
    graph.outputs.iter().for_each(|id| others[id.index()] = true);
    for operator in &graph.operators {
        for (k, &id) in operator.inputs.iter().enumerate() {
            let by = operator.inputs.get(1 - k.min(1)).and_then(|&by| graph.tensor(by).floats());
            let extreme = |of: fn(f32, f32) -> f32, from| by.as_ref().map(|by| by.iter().copied().fold(from, of));
            let bound = match operator.op {
                Op::Binary { kind: BinaryKind::Minimum, .. } => {
                    extreme(f32::max, f32::NEG_INFINITY).map(|most| (f32::NEG_INFINITY, most))
                }
                Op::Binary { kind: BinaryKind::Maximum, .. } => {
                    extreme(f32::min, f32::INFINITY).map(|least| (least, f32::INFINITY))
                }
                _ => None,
            };
            let at = &mut bounds[id.index()];
            match bound {
                Some((low, high)) => {
                    *at = Some(at.map_or((low, high), |(from, to): (f32, f32)| (from.min(low), to.max(high))));
                }
                None => others[id.index()] = true,
            }
        }
    }
    bounds.into_iter().zip(others).map(|(bound, others)| bound.filter(|_| !others)).collect()
}

/// Runs every sample, each summed up by `each`, and gives the summaries in the samples' order.
fn every<T: Send>(
    graph: &Graph,
    samples: &[Inputs],
    (stage, progress): (Stage, Progress<'_>),
    each: impl Fn(usize, &mut Executor, &Inputs) -> Result<T, QuantError> + Sync,
) -> Result<Vec<T>, QuantError> {
    let executor = executor(graph)?;
    let one = |executor: &mut Executor, (sample, inputs): (usize, &Inputs)| {
        let summary = each(sample, executor, inputs);
        progress(stage);
        summary
    };
    samples.par_iter().enumerate().map_init(|| executor.clone(), one).collect()
}

/// Extremes and means of every float tensor over the samples.
pub(crate) fn observe(graph: &Graph, samples: &[Inputs], progress: Progress<'_>) -> Result<Seen, QuantError> {
    let (endless, bounds) = (endless(graph), bounds(graph));
    let summaries = every(graph, samples, (Stage::Observe, progress), |sample, executor, inputs| {
        let mut seen: Seen = vec![None; graph.tensors.len()];
        let mut fault = None;
        trace(executor, graph, inputs, &mut |id, bytes| {
            let tensor = graph.tensor(id);
            if tensor.dtype != DataType::FLOAT32 || endless[id.index()] {
                return;
            }
            let mut values = floats(bytes);
            if let Some((low, high)) = bounds[id.index()] {
                values.iter_mut().filter(|v| v.is_infinite()).for_each(|value| *value = value.clamp(low, high));
            }
            if fault.is_none() && !values.iter().all(|v| v.is_finite()) {
                fault = Some(QuantError::Value { sample, tensor: tensor.name.clone() });
            }
            let channels = tensor.shape.dims().last().copied().unwrap_or(1).max(1);
            seen[id.index()] = Some(Stats::of(&values, channels));
        })?;
        fault.map_or(Ok(seen), Err)
    })?;
    // In the samples' order, so that sums are the same however many threads there are.
    let mut all: Seen = vec![None; graph.tensors.len()];
    for seen in summaries {
        for (total, one) in all.iter_mut().zip(seen) {
            match (total.as_mut(), one) {
                (Some(total), Some(one)) => total.merge(&one),
                (None, one) => *total = one,
                (Some(_), None) => {}
            }
        }
    }
    Ok(all)
}

/// What each LSTM holds on its way over the samples, one entry for each operator.
pub(crate) fn extents(
    graph: &Graph,
    samples: &[Inputs],
    progress: Progress<'_>,
) -> Result<Vec<Option<Extent>>, QuantError> {
    let steppers = Stepper::all(graph)?;
    let mut all = vec![None; graph.operators.len()];
    if steppers.is_empty() {
        return Ok(all);
    }
    let summaries = every(graph, samples, (Stage::Step, progress), |_, executor, inputs| {
        let mut read: HashMap<TensorId, Vec<u8>> = HashMap::new();
        trace(executor, graph, inputs, &mut |id, bytes| {
            if steppers.iter().any(|stepper| stepper.reads(id)) {
                read.insert(id, bytes.to_vec());
            }
        })?;
        let of = |stepper: &Stepper| {
            let extent = stepper.clone().run(graph, &|id| read.get(&id).cloned())?;
            Ok((stepper.operator, extent))
        };
        steppers.iter().map(of).collect::<Result<Vec<_>, QuantError>>()
    })?;
    for (operator, extent) in summaries.into_iter().flatten() {
        let whole: &mut Option<Extent> = &mut all[operator];
        whole.get_or_insert(extent).merge(extent);
    }
    Ok(all)
}

/// The range of each tensor that was seen. Nothing below its floor counts.
pub(crate) fn ranges(
    graph: &Graph,
    samples: &[Inputs],
    (seen, floors): (&Seen, &[Option<f32>]),
    method: RangeMethod,
    progress: Progress<'_>,
) -> Result<Vec<Option<(f32, f32)>>, QuantError> {
    let extremes = || {
        let range = |(stats, floor): (&Option<Stats>, &Option<f32>)| {
            stats.as_ref().map(|s| (s.low.max(floor.unwrap_or(s.low)).min(0.0), s.high.max(0.0)))
        };
        seen.iter().zip(floors).map(range).collect()
    };
    if !method.needs_histogram() {
        return Ok(extremes());
    }
    let empty: Vec<Option<Histogram>> = seen
        .iter()
        .zip(floors)
        .map(|(stats, floor)| {
            // What is masked is not spread as values are.
            let stats = stats.as_ref().filter(|_| floor.is_none())?;
            let (low, high) = (f64::from(stats.low).min(0.0), f64::from(stats.high).max(0.0));
            (low < high).then(|| Histogram::new(low, high))
        })
        .collect();
    let mut all = empty.clone();
    // A few at a time: a histogram of every tensor for every sample would be much.
    for chunk in samples.chunks(16) {
        let summaries = every(graph, chunk, (Stage::Spread, progress), |_, executor, inputs| {
            let mut counted = empty.clone();
            trace(executor, graph, inputs, &mut |id, bytes| {
                if let Some(histogram) = &mut counted[id.index()] {
                    histogram.add(&floats(bytes));
                }
            })?;
            Ok(counted)
        })?;
        for summary in summaries {
            for (total, one) in all.iter_mut().zip(&summary) {
                if let (Some(total), Some(one)) = (total, one) {
                    total.merge(one);
                }
            }
        }
    }
    let mut ranges: Vec<Option<(f32, f32)>> = extremes();
    let chosen: Vec<Option<(f64, f64)>> =
        all.par_iter().map(|histogram| histogram.as_ref().map(|h| range::choose(h, method))).collect();
    for (range, chosen) in ranges.iter_mut().zip(chosen) {
        if let Some((low, high)) = chosen {
            *range = Some((low as f32, high as f32));
        }
    }
    Ok(ranges)
}
