//! What quantisation costs, operator by operator: both networks run over samples, side by side.
//!
//! The ratio of signal to noise is `10 log10(sum(y^2) / sum((y - y')^2))` decibels over all elements of an output, with y the float
//! network's values and y' the integer network's. 20 dB are a tenth of the signal's magnitude.

use crate::affine::{Affine, reals};
use crate::error::QuantError;
use crate::observe::{self, Seen, executor, floats, trace};
use crate::state::Calls;
use crate::{Converted, Inputs, Progress, Stage};
use rayon::prelude::*;
use smidgen_exec::Executor;
use smidgen_ir::{ElementType, Graph, Op, Operator, Shape, Tensor, TensorId};

/// An operator of the integer graph and what it does to the signal.
#[derive(Clone, PartialEq, Debug)]
pub struct Layer {
    /// Index of the operator in the integer graph.
    pub operator: usize,
    /// Its name.
    pub kind: &'static str,
    /// Its first output's name.
    pub output: String,
    /// Its first output's shape.
    pub shape: Shape,
    /// Its output's type: that of the activations it computes on.
    pub activation: ElementType,
    /// Its weights' type, if it has weights.
    pub weights: Option<ElementType>,
    /// Bytes of its weights and biases.
    pub constant_bytes: usize,
    /// Scale and zero point of its output.
    pub scale: f32,
    /// See `scale`.
    pub zero_point: i32,
    /// Real numbers that its output can represent.
    pub represents: (f32, f32),
    /// Least and greatest value of the float network there.
    pub seen: (f32, f32),
    /// Signal-to-noise ratio in decibels that this operator alone would leave: its inputs are the float network's values, quantised.
    /// `None` if it adds nothing.
    pub added: Option<f64>,
    /// Signal-to-noise ratio in decibels of its output in the integer network, all errors before it included. `None` if there is no
    /// noise.
    pub total: Option<f64>,
}

/// Sums of squares.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Power {
    signal: f64,
    noise: f64,
}

impl Power {
    fn add(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
    }

    /// Least ratio that is told: whatever is worse is lost as well.
    const LEAST: f64 = -99.0;
    /// Noise over signal where the noise is no number.
    const RUINED: f64 = 1e30;

    fn decibels(self) -> Option<f64> {
        // A division by what rounding made 0 gives what is no number.
        if !self.noise.is_finite() || !self.signal.is_finite() {
            return Some(Self::LEAST);
        }
        (self.noise > 0.0).then(|| (10.0 * (self.signal / self.noise).log10()).max(Self::LEAST))
    }
}

/// What one sample tells: for each operator alone, for each of its outputs in the network.
struct Measured {
    alone: Vec<Power>,
    network: Vec<Power>,
    outputs: Vec<Power>,
}

/// An operator by itself, ready to run.
#[derive(Clone)]
pub(crate) struct Alone {
    pub executor: Executor,
    /// For each input of the executor, the graph's tensor.
    pub inputs: Vec<TensorId>,
}

/// Measures every operator but those that only relabel, and the network's outputs.
pub(crate) fn measure(
    float: &Graph,
    converted: &Converted,
    seen: &Seen,
    samples: &[Inputs],
    progress: Progress<'_>,
) -> Result<(Vec<Layer>, Vec<Option<f64>>), QuantError> {
    let Converted { graph, origin, floors } = converted;
    let told: Vec<usize> = (0..graph.operators.len())
        .filter(|&i| {
            let Operator { op, outputs, .. } = &graph.operators[i];
            !matches!(op, Op::Reshape { .. }) && Affine::of(graph.tensor(outputs[0])).is_some()
        })
        .collect();
    let alone = told.iter().map(|&i| self::alone(graph, i)).collect::<Result<Vec<Alone>, _>>()?;
    let start = (executor(float)?, executor(graph)?, alone);
    let one = |(float_executor, executor, alone): &mut (Executor, Executor, Vec<Alone>), inputs: &Inputs| {
        let mut real: Vec<Vec<u8>> = vec![Vec::new(); float.tensors.len()];
        trace(float_executor, float, inputs, &mut |id, bytes| real[id.index()] = bytes.to_vec())?;
        let encoded = |id: TensorId| {
            let bytes = origin[id.index()].map_or(&[][..], |o| &real[o.index()]);
            encode(graph.tensor(id), bytes)
        };
        let mut stored: Vec<Vec<u8>> = vec![Vec::new(); graph.tensors.len()];
        let ends: Inputs = graph.inputs.iter().map(|&id| encoded(id)).collect();
        trace(executor, graph, &ends, &mut |id, bytes| stored[id.index()] = bytes.to_vec())?;
        let power = |id: TensorId, bytes: &[u8]| {
            let signal = origin[id.index()].map_or(&[][..], |o| &real[o.index()]);
            compare(graph.tensor(id), floors[id.index()], signal, bytes)
        };
        let mut measured = Measured { alone: Vec::new(), network: Vec::new(), outputs: Vec::new() };
        for (Alone { executor, inputs }, &i) in alone.iter_mut().zip(&told) {
            for (k, &id) in inputs.iter().enumerate() {
                executor.set_input(k, &encoded(id))?;
            }
            executor.run();
            let (mut by_itself, mut all) = (Power::default(), Power::default());
            for (k, &id) in graph.operators[i].outputs.iter().enumerate() {
                by_itself.add(power(id, executor.output(k)));
                all.add(power(id, &stored[id.index()]));
            }
            measured.alone.push(by_itself);
            measured.network.push(all);
        }
        measured.outputs = graph.outputs.iter().map(|&id| power(id, &stored[id.index()])).collect();
        progress(Stage::Compare);
        Ok(measured)
    };
    let all: Vec<Measured> = samples.par_iter().map_init(|| start.clone(), one).collect::<Result<_, QuantError>>()?;
    let sum = |of: &dyn Fn(&Measured) -> Power| {
        let mut total = Power::default();
        all.iter().for_each(|measured| total.add(of(measured)));
        total.decibels()
    };
    let layers = told.iter().enumerate().map(|(k, &i)| {
        let (added, total) = (sum(&|m| m.alone[k]), sum(&|m| m.network[k]));
        layer(graph, i, origin, seen, [added, total])
    });
    let layers = layers.collect();
    let outputs = (0..graph.outputs.len()).map(|k| sum(&|m| m.outputs[k])).collect();
    Ok((layers, outputs))
}

/// Signal over noise of each output, where the state of both networks goes on from call to call. They begin with these bytes of floats.
pub(crate) fn in_sequence(
    float: &Graph,
    Converted { graph, .. }: &Converted,
    calls: &[Inputs],
    first: &[Vec<u8>],
) -> Result<Vec<Option<f64>>, QuantError> {
    let mut networks = [Calls::new(float, first)?, Calls::new(graph, first)?];
    let mut powers = vec![Power::default(); graph.outputs.len() - first.len()];
    for call in calls {
        for network in &mut networks {
            network.call(call)?;
        }
        let [real, stored] = &networks;
        for (k, power) in powers.iter_mut().enumerate() {
            power.add(compare(graph.tensor(graph.outputs[k]), None, real.output(k), stored.output(k)));
        }
    }
    Ok(powers.into_iter().map(Power::decibels).collect())
}

fn layer(graph: &Graph, i: usize, origin: &[Option<TensorId>], seen: &Seen, [added, total]: [Option<f64>; 2]) -> Layer {
    let operator = &graph.operators[i];
    let id = operator.outputs[0];
    let tensor = graph.tensor(id);
    let affine = Affine::of(tensor).unwrap_or(Affine::int8(1.0, 0));
    let stats = origin[id.index()].and_then(|o| seen[o.index()].as_ref());
    let weights = operator.inputs.get(1).map(|&id| graph.tensor(id));
    let has_weights = crate::weights::Layout::of(&operator.op, &[1, 1]).is_some()
        || matches!(operator.op, Op::Recurrent(_) | Op::Svdf { .. });
    let constants = operator.inputs.iter().map(|&id| graph.tensor(id)).filter(|t| t.is_constant());
    Layer {
        operator: i,
        kind: operator.op.name(),
        output: tensor.name.clone(),
        shape: tensor.shape.clone(),
        activation: affine.element,
        weights: weights.filter(|_| has_weights).map(Tensor::element),
        constant_bytes: constants.map(Tensor::bytes).sum(),
        scale: affine.scale,
        zero_point: affine.zero_point,
        represents: affine.range(),
        seen: stats.map_or((0.0, 0.0), |s| (s.low, s.high)),
        added,
        total,
    }
}

/// Measures many integer networks against one float network.
pub(crate) struct Trial<'a> {
    samples: &'a [Inputs],
    /// The float tensors that are compared: the outputs, or what a SOFTMAX makes them from, whose steps are finer.
    watched: Vec<TensorId>,
    /// Whether each of them is an output.
    ends: Vec<bool>,
    /// For each sample, the bytes of what is watched.
    real: Vec<Vec<Vec<u8>>>,
}

impl<'a> Trial<'a> {
    pub fn new(float: &Graph, samples: &'a [Inputs]) -> Result<Self, QuantError> {
        let producers = float.producers();
        let before = |&id: &TensorId| match producers[id.index()].map(|op| &float.operators[op.index()]) {
            Some(Operator { op: Op::Softmax { .. }, inputs, .. }) => (inputs[0], false),
            _ => (id, true),
        };
        let (watched, ends): (Vec<TensorId>, Vec<bool>) = float.outputs.iter().map(before).unzip();
        let start = executor(float)?;
        let one = |executor: &mut Executor, inputs: &Inputs| {
            let mut real = vec![Vec::new(); watched.len()];
            trace(executor, float, inputs, &mut |id, bytes| {
                watched.iter().zip(&mut real).filter(|(w, _)| **w == id).for_each(|(_, real)| *real = bytes.to_vec());
            })?;
            Ok(real)
        };
        let real = samples.par_iter().map_init(|| start.clone(), one).collect::<Result<_, QuantError>>()?;
        Ok(Self { samples, watched, ends, real })
    }

    /// Noise of an integer network in parts of the signal, summed over what is watched.
    pub fn noise(&self, Converted { graph, origin, floors }: &Converted) -> Result<f64, QuantError> {
        let start = executor(graph)?;
        // A tensor may be there at several scales; what comes out of the network is the last, what an operator computes the first.
        let watched = self.watched.iter().zip(&self.ends).zip(&graph.outputs).map(|((&w, &ends), &output)| {
            if ends { Some(output) } else { origin.iter().position(|o| *o == Some(w)).map(|i| TensorId(i as u32)) }
        });
        let watched: Vec<Option<TensorId>> = watched.collect();
        let one = |executor: &mut Executor, (inputs, real): (&Inputs, &Vec<Vec<u8>>)| {
            let inputs: Inputs =
                graph.inputs.iter().zip(inputs).map(|(&id, bytes)| encode(graph.tensor(id), bytes)).collect();
            let mut found = vec![Power::default(); watched.len()];
            trace(executor, graph, &inputs, &mut |id, bytes| {
                let places = watched.iter().zip(&mut found).zip(real).filter(|((w, _), _)| **w == Some(id));
                let floor = floors.get(id.index()).copied().flatten();
                places.for_each(|((_, power), real)| *power = compare(graph.tensor(id), floor, real, bytes));
            })?;
            Ok(found)
        };
        let all: Vec<Vec<Power>> = (self.samples.par_iter().zip(&self.real))
            .map_init(|| start.clone(), one)
            .collect::<Result<_, QuantError>>()?;
        let of = |k: usize| {
            let mut total = Power::default();
            all.iter().for_each(|powers| total.add(powers[k]));
            let ratio = if total.signal > 0.0 { total.noise / total.signal } else { 0.0 };
            if ratio.is_finite() { ratio } else { Power::RUINED }
        };
        Ok((0..self.watched.len()).map(of).sum())
    }
}

/// A graph of this one operator.
pub(crate) fn alone(graph: &Graph, i: usize) -> Result<Alone, QuantError> {
    let Operator { op, inputs, outputs, .. } = &graph.operators[i];
    let mut one = Graph::new("");
    let mut read: Vec<TensorId> = Vec::new();
    let ids: Vec<TensorId> = inputs
        .iter()
        .map(|&id| {
            let tensor = graph.tensor(id);
            if tensor.is_constant() {
                return one.add_tensor(tensor.clone());
            }
            match read.iter().position(|&r| r == id) {
                Some(at) => one.inputs[at],
                None => {
                    read.push(id);
                    one.add_input(tensor.clone())
                }
            }
        })
        .collect();
    let outputs: Vec<TensorId> = outputs.iter().map(|&id| one.add_tensor(graph.tensor(id).clone())).collect();
    one.add_operator(op.clone(), ids, outputs.clone());
    one.outputs = outputs;
    Ok(Alone { executor: observe::executor(&one)?, inputs: read })
}

/// Float values in a tensor's own type.
pub(crate) fn encode(tensor: &Tensor, bytes: &[u8]) -> Vec<u8> {
    Affine::of(tensor).map_or_else(|| bytes.to_vec(), |affine| affine.bytes(&floats(bytes)))
}

/// Signal and noise of a tensor whose float values and stored ones are given; nothing where it is not about real numbers. What is masked,
/// below the floor, does not count.
fn compare(tensor: &Tensor, floor: Option<f32>, real: &[u8], stored: &[u8]) -> Power {
    let mut power = Power::default();
    for (signal, found) in floats(real).into_iter().zip(reals(tensor, stored).unwrap_or_default()) {
        if floor.is_some_and(|floor| signal < floor) {
            continue;
        }
        let signal = f64::from(signal);
        power.add(Power { signal: signal * signal, noise: (signal - found) * (signal - found) });
    }
    power
}
