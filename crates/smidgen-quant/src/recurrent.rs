//! LSTM and SVDF on integers, as TensorFlow Lite's reference computes them: inputs and outputs of int8, a memory of int16.
//!
//! What such a layer holds from step to step is no tensor of the network unless it comes out, so its range is found by running the
//! layer step by step. GRU and RNN have no integer form in the reference, and stay on floats.

use crate::affine::Affine;
use crate::error::QuantError;
use crate::observe::{Seen, executor, floats};
use crate::weights::{self, Layout, Weights, Width};
use smidgen_exec::Executor;
use smidgen_ir::{
    Activation, Cell, DataType, ElementType, Graph, Op, Operator, Quantisation, RecurrentParams, Shape, Tensor,
    TensorId,
};

/// Gates before their function: Q3.12.
const GATE: Affine = Affine { element: ElementType::Int16, scale: 1.0 / 4096.0, zero_point: 0 };
/// Integer bits that an LSTM's memory has at most: its scale is a power of two up to 2^-9.
const MEMORY_BITS: i32 = 6;
/// Factors from sums to what is stored are below this: half of what the validator allows.
const FACTOR: f64 = (1u64 << 29) as f64;
/// The weights that the state of SVDF is multiplied with have a sum of at most this, and so the sum of products 30 bits.
const TIME: f64 = 32767.0;
/// Greatest magnitude of the stored bias of SVDF.
const BIAS: f64 = (1u64 << 30) as f64;

/// What a recurrent layer holds, over all samples and steps.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Extent {
    /// Least and greatest output, and 0.
    pub hidden: (f32, f32),
    /// Greatest magnitude of the memory.
    pub memory: f32,
}

impl Extent {
    const NOTHING: Self = Self { hidden: (0.0, 0.0), memory: 0.0 };

    pub fn merge(&mut self, other: Self) {
        self.hidden = (self.hidden.0.min(other.hidden.0), self.hidden.1.max(other.hidden.1));
        self.memory = self.memory.max(other.memory);
    }

    fn hold(&mut self, hidden: &[f32], memory: &[f32]) {
        for &value in hidden {
            self.hidden = (self.hidden.0.min(value), self.hidden.1.max(value));
        }
        self.memory = memory.iter().fold(self.memory, |most, value| most.max(value.abs()));
    }
}

/// The layer of an operator, if it is an LSTM.
pub(crate) fn lstm(operator: &Operator) -> Option<&RecurrentParams> {
    match &operator.op {
        Op::Recurrent(layer) if layer.cell == Cell::Lstm => Some(layer),
        _ => None,
    }
}

/// An LSTM to be run a step at a time.
#[derive(Clone)]
pub(crate) struct Stepper {
    /// Index of the operator.
    pub operator: usize,
    executor: Executor,
    /// Input, first output and first memory, as far as there are such.
    inputs: Vec<TensorId>,
    /// Sequences, steps of each, inputs of a step, units.
    sizes: [usize; 4],
    time_major: bool,
    reverse: bool,
}

impl Stepper {
    /// One for each LSTM of a graph of floats.
    pub fn all(graph: &Graph) -> Result<Vec<Self>, QuantError> {
        let of = |(i, operator)| lstm(operator).map(|layer| Self::new(graph, i, operator, layer));
        graph.operators.iter().enumerate().filter_map(of).collect()
    }

    fn new(graph: &Graph, index: usize, operator: &Operator, layer: &RecurrentParams) -> Result<Self, QuantError> {
        let [x, state] = [0, 2].map(|i| graph.tensor(operator.inputs[i]));
        let sizes = layer.sizes(&x.shape, &state.shape);
        let [batch, _, size, units] = sizes;
        let float = |name: &str, shape: &[usize]| Tensor::activation(name, Shape(shape.to_vec()), DataType::FLOAT32);
        let kept = [batch, units];
        let mut one = Graph::new("a step");
        let shape = if layer.time_major { [1, batch, size] } else { [batch, 1, size] };
        let x = one.add_input(float("x", &shape));
        let constants = [1, 2, 3].map(|i| one.add_tensor(graph.tensor(operator.inputs[i]).clone()));
        let [hidden, memory] = ["hidden", "memory"].map(|name| one.add_input(float(name, &kept)));
        let next = ["next hidden", "next memory"].map(|name| one.add_tensor(float(name, &kept)));
        let step = RecurrentParams { sequence: false, last: true, memory: true, reverse: false, ..*layer };
        let inputs = [&[x][..], &constants, &[hidden, memory]].concat();
        one.add_operator(Op::Recurrent(step), inputs, next.to_vec());
        one.outputs = next.to_vec();
        let inputs = [&operator.inputs[..1], &operator.inputs[4..]].concat();
        let (time_major, reverse) = (layer.time_major, layer.reverse);
        Ok(Self { operator: index, executor: executor(&one)?, inputs, sizes, time_major, reverse })
    }

    /// The tensors that the layer reads beside its weights.
    pub fn reads(&self, id: TensorId) -> bool {
        self.inputs.contains(&id)
    }

    /// Runs it on what it reads, by tensor.
    pub fn run(&mut self, graph: &Graph, read: &dyn Fn(TensorId) -> Option<Vec<u8>>) -> Result<Extent, QuantError> {
        let [batch, steps, size, units] = self.sizes;
        let bytes = |id: &TensorId| {
            let constant = graph.tensor(*id).data.as_ref().map(|data| data.to_vec());
            constant.or_else(|| read(*id)).unwrap_or_else(|| vec![0; graph.tensor(*id).bytes()])
        };
        let zeros = || vec![0u8; 4 * batch * units];
        let sequence = bytes(&self.inputs[0]);
        let mut hidden = self.inputs.get(1).map_or_else(zeros, bytes);
        let mut memory = self.inputs.get(2).map_or_else(zeros, bytes);
        let row = 4 * size;
        let mut extent = Extent::NOTHING;
        extent.hold(&floats(&hidden), &floats(&memory));
        for at in 0..steps {
            let step = if self.reverse { steps - 1 - at } else { at };
            let place = |n: usize| if self.time_major { step * batch + n } else { n * steps + step };
            let x: Vec<u8> = (0..batch).flat_map(|n| &sequence[place(n) * row..][..row]).copied().collect();
            for (i, bytes) in [&x, &hidden, &memory].into_iter().enumerate() {
                self.executor.set_input(i, bytes)?;
            }
            self.executor.run();
            hidden.copy_from_slice(self.executor.output(0));
            memory.copy_from_slice(self.executor.output(1));
            extent.hold(&floats(&hidden), &floats(&memory));
        }
        Ok(extent)
    }
}

/// How a recurrent layer's state is stored on integers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Form {
    /// Of an LSTM: its outputs, and its memory.
    Lstm { hidden: Affine, memory: Affine },
    /// Of SVDF: what it remembers of its features.
    Svdf { state: Affine },
}

impl Form {
    /// How the part of the state that has 16 bits is stored.
    pub fn wide(self) -> Affine {
        match self {
            Self::Lstm { memory, .. } => memory,
            Self::Svdf { state } => state,
        }
    }
}

/// The values and the next values of the part of a layer's state that has 16 bits, as far as they are tensors.
pub(crate) fn wide_state(operator: &Operator) -> [Option<TensorId>; 2] {
    match &operator.op {
        Op::Recurrent(layer) => {
            let next = if layer.memory { operator.outputs.last() } else { None };
            [operator.inputs.get(5), next].map(|id| id.copied())
        }
        Op::Svdf { .. } => [operator.inputs.get(3), operator.outputs.get(1)].map(|id| id.copied()),
        _ => [None; 2],
    }
}

/// The outputs of an LSTM that are of the type of its output, and what it begins with in place of one.
pub(crate) fn hidden(operator: &Operator) -> Vec<TensorId> {
    let Some(layer) = lstm(operator) else { return Vec::new() };
    let outputs = operator.outputs.len() - usize::from(layer.memory);
    operator.outputs[..outputs].iter().chain(operator.inputs.get(4)).copied().collect()
}

/// For each operator, its form on integers if it is a recurrent layer that has one.
pub(crate) fn forms(
    graph: &Graph,
    stored: &[Option<Affine>],
    seen: &Seen,
    extents: &[Option<Extent>],
) -> Vec<Option<Form>> {
    let of = |(operator, extent): (&Operator, &Option<Extent>)| match &operator.op {
        Op::Recurrent(_) => lstm_form(graph, operator, stored, (*extent)?),
        Op::Svdf { activation, .. } => svdf_form(graph, operator, *activation, stored, seen),
        _ => None,
    };
    graph.operators.iter().zip(extents).map(of).collect()
}

fn lstm_form(graph: &Graph, operator: &Operator, stored: &[Option<Affine>], extent: Extent) -> Option<Form> {
    let x = affine(graph, operator.inputs[0], stored);
    let output = hidden(operator).into_iter().find(|&id| !graph.tensor(id).is_constant());
    let (low, high) = extent.hidden;
    let hidden = output.and_then(|id| stored[id.index()]).unwrap_or(Affine::covering(low, high, ElementType::Int8));
    // The least power of two above all that is held.
    let bits = (0..=MEMORY_BITS).find(|&bits| extent.memory <= (bits as f32).exp2())?;
    let memory = Affine::int16((bits as f32).exp2() / 32768.0);
    let [weights, state] = [1, 2].map(|i| greatest(graph, operator.inputs[i]));
    let fits = |scale: f32, greatest: f64| f64::from(scale) * greatest / 127.0 / f64::from(GATE.scale) < FACTOR;
    let finer = 1.0 / f64::from(1u32 << 30) / f64::from(hidden.scale) < FACTOR;
    (fits(x.scale, weights) && fits(hidden.scale, state) && finer).then_some(Form::Lstm { hidden, memory })
}

fn svdf_form(
    graph: &Graph,
    operator: &Operator,
    activation: Activation,
    stored: &[Option<Affine>],
    seen: &Seen,
) -> Option<Form> {
    let (x, y) = (affine(graph, operator.inputs[0], stored), affine(graph, operator.outputs[0], stored));
    // What is below the zero point is then below int8.
    let clamps = activation == Activation::None || activation == Activation::Relu && y.zero_point == -128;
    let [before, after] = wide_state(operator).map(|id| seen[id?.index()].as_ref());
    let range =
        [before, after].into_iter().flatten().fold((0f32, 0f32), |(low, high), s| (low.min(s.low), high.max(s.high)));
    let state = Affine::covering(range.0, range.1, ElementType::Int16);
    let features = f64::from(x.scale) * greatest(graph, operator.inputs[1]) / 127.0 / f64::from(state.scale);
    let sums = f64::from(state.scale) * f64::from(time_scale(graph, operator, state)) / f64::from(y.scale);
    (clamps && features < FACTOR && sums < FACTOR).then_some(Form::Svdf { state })
}

/// How a tensor is stored, constant or not.
fn affine(graph: &Graph, id: TensorId, stored: &[Option<Affine>]) -> Affine {
    let constant = || graph.tensor(id).floats().map(|values| Affine::covering_all(&values, ElementType::Int8));
    stored.get(id.index()).copied().flatten().or_else(constant).unwrap_or(Affine::int8(1.0, 0))
}

fn greatest(graph: &Graph, id: TensorId) -> f64 {
    f64::from(graph.tensor(id).floats().unwrap_or_default().iter().fold(0f32, |most, value| most.max(value.abs())))
}

/// The scale of what SVDF weighs its state with: no sum of products leaves 31 bits, and the bias fits.
fn time_scale(graph: &Graph, operator: &Operator, state: Affine) -> f32 {
    let time = graph.tensor(operator.inputs[2]);
    let values = time.floats().unwrap_or_default();
    let units = graph.tensor(operator.outputs[0]).shape.dims().last().copied().unwrap_or(1).max(1);
    let sum = |unit: &[f32]| unit.iter().map(|value| f64::from(value.abs())).sum::<f64>();
    let sums = values.chunks((values.len() / units).max(1)).map(sum).fold(0.0, f64::max);
    let bias = operator.inputs.get(4).map_or(0.0, |&id| greatest(graph, id));
    let scale = (sums / TIME).max(bias / (f64::from(state.scale) * BIAS));
    // Weights that are all 0 may have any scale.
    if scale < 1e-12 { 1.0 / TIME as f32 } else { scale as f32 }
}

/// The constants of an LSTM: weights of the inputs, weights of the state, biases. `input` is how it reads its input; `means` are those of the
/// channels of what it reads and writes, by which biases make up for what rounding the weights adds; with `clips` the greatest
/// weights may be clipped.
pub(crate) fn lstm_constants(
    graph: &Graph,
    operator: &Operator,
    [input, hidden]: [Affine; 2],
    means: [Option<Vec<f64>>; 2],
    clips: bool,
) -> [Tensor; 3] {
    let tensors = [1, 2, 3].map(|i| graph.tensor(operator.inputs[i]));
    let [of_inputs, of_state, bias] = tensors.map(|t| t.floats().unwrap_or_default());
    let gates = Cell::Lstm.gates();
    let units = bias.len() / gates;
    let most: Vec<f32> = bias.chunks(units.max(1)).map(|gate| gate.iter().fold(0f32, |m, b| m.max(b.abs()))).collect();
    let mut reals: Vec<f64> = bias.into_iter().map(f64::from).collect();
    let mut rounded = |values: &[f32], read: Affine, bias: &[f32], means: Option<Vec<f64>>| -> Weights {
        let inputs = values.len() / (gates * units).max(1);
        let gate = Layout::dense(gates, units * inputs, inputs);
        let scales = weights::scales(values, &gate, bias, weights::Ends { input: read, output: GATE }, Width::Int8);
        let chosen = if clips { scales.clipped(values, &gate, Width::Int8) } else { scales.whole };
        let each = chosen.iter().flat_map(|&scale| std::iter::repeat_n(scale, units)).collect();
        let row = Layout::dense(gates * units, inputs, inputs);
        let rounded = weights::rounded(values, &row, each, Width::Int8);
        if let Some(means) = means {
            let error = weights::mean_error(values, &row, &rounded, &means);
            reals.iter_mut().zip(error).for_each(|(bias, error)| *bias -= error);
        }
        rounded
    };
    let [of_input_means, of_state_means] = means;
    let none = vec![0.0; gates];
    let of_state = rounded(&of_state, hidden, &none, of_state_means);
    let of_inputs = rounded(&of_inputs, input, &most, of_input_means);
    let stored = weights::biases(&reals, weights::Ends { input, output: GATE }, &of_inputs.scales);
    let bytes: Vec<u8> = stored.iter().flat_map(|&b| (b as i32).to_le_bytes()).collect();
    let [inputs, state, bias] = tensors;
    let tensor = |like: &Tensor, Weights { stored, scales }: Weights| {
        let zero_points = vec![0; scales.len()];
        let dtype = DataType::Quantised(ElementType::Int8, Quantisation::PerChannel { axis: 0, scales, zero_points });
        Tensor::constant(like.name.clone(), like.shape.clone(), dtype, Width::Int8.bytes(&stored))
    };
    let bias = Tensor::constant(bias.name.clone(), bias.shape.clone(), DataType::Plain(ElementType::Int32), bytes);
    [tensor(inputs, of_inputs), tensor(state, of_state), bias]
}

/// The constants of SVDF: weights of the features, filters over time, and the bias if it has one. The arguments are as those of
/// [`lstm_constants`].
pub(crate) fn svdf_constants(
    graph: &Graph,
    operator: &Operator,
    [input, state]: [Affine; 2],
    clips: bool,
) -> (Tensor, Tensor, Option<Tensor>) {
    let [features, time] = [1, 2].map(|i| graph.tensor(operator.inputs[i]));
    let values = features.floats().unwrap_or_default();
    let inputs = features.shape.dims().last().copied().unwrap_or(1);
    let all = Layout::dense(1, values.len(), inputs);
    let scales = weights::scales(&values, &all, &[0.0], weights::Ends { input, output: state }, Width::Int8);
    let chosen = if clips { scales.clipped(&values, &all, Width::Int8) } else { scales.whole };
    let rounded = weights::rounded(&values, &all, chosen, Width::Int8);
    let scale = rounded.scales[0];
    let of_features = DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { scale, zero_point: 0 });
    let of_features = Tensor::constant(
        features.name.clone(),
        features.shape.clone(),
        of_features,
        Width::Int8.bytes(&rounded.stored),
    );
    let scale = time_scale(graph, operator, state);
    let of_time = Affine::int16(scale);
    let of_time = Tensor::constant(
        time.name.clone(),
        time.shape.clone(),
        of_time.dtype(),
        of_time.bytes(&time.floats().unwrap_or_default()),
    );
    let step = f64::from(state.scale) * f64::from(scale);
    let bias = operator.inputs.get(4).map(|&id| {
        let tensor = graph.tensor(id);
        let stored = |value: f32| (f64::from(value) / step).round().clamp(-BIAS, BIAS) as i32;
        let values = tensor.floats().unwrap_or_default();
        let bytes: Vec<u8> = values.into_iter().flat_map(|value| stored(value).to_le_bytes()).collect();
        let dtype =
            DataType::Quantised(ElementType::Int32, Quantisation::PerTensor { scale: step as f32, zero_point: 0 });
        Tensor::constant(tensor.name.clone(), tensor.shape.clone(), dtype, bytes)
    });
    (of_features, of_time, bias)
}

/// What an LSTM begins with where it is told nothing: zeros of this type.
pub(crate) fn zeros(name: String, shape: Shape, affine: Affine) -> Tensor {
    let bytes = affine.bytes(&vec![0.0; shape.elements()]);
    Tensor::constant(name, shape, affine.dtype(), bytes)
}

/// Widens the ranges of outputs to all that a layer goes on from: outputs that are none of the network's, and a constant that it begins
/// with.
pub(crate) fn widen(graph: &Graph, extents: &[Option<Extent>], ranges: &mut [Option<(f32, f32)>]) {
    for (operator, extent) in graph.operators.iter().zip(extents) {
        let (Some(layer), Some(extent)) = (lstm(operator), extent) else { continue };
        let constant = operator.inputs.get(4).is_some_and(|&id| graph.tensor(id).is_constant());
        if (layer.last || layer.sequence) && (constant || !layer.sequence) {
            let range = ranges[operator.outputs[0].index()].get_or_insert((0.0, 0.0));
            *range = (range.0.min(extent.hidden.0), range.1.max(extent.hidden.1));
        }
    }
}
