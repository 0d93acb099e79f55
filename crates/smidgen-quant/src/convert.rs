//! From a float graph with a scale for each activation to an integer graph.

use crate::affine::Affine;
use crate::error::QuantError;
use crate::formats::Formats;
use crate::observe::Seen;
use crate::params::{is_tied, raised};
use crate::recurrent::{self, Form};
use crate::second_moments::{Moments, Patches};
use crate::walk::Walk;
use crate::weights::{self, Layout, Weights, Width};
use crate::{Converted, Ends, Options, Rounding, second_order};
use smidgen_ir::{
    DataType, ElementType, Graph, Op, Operator, PadValue, Quantisation, RecurrentParams, Shape, Tensor, TensorId,
};
use std::collections::HashMap;

/// What an integer graph is built from.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub float: &'a Graph,
    /// How every float that is computed at run time is stored.
    pub formats: &'a Formats<'a>,
    pub seen: &'a Seen,
    /// Floors of masked tensors, among int8 and among int16.
    pub floors: [&'a [Option<f32>]; 2],
    pub options: &'a Options,
    pub rounding: Rounding,
    /// The last of the inputs and outputs that are the state: its values, and what they become.
    pub states: &'a [[TensorId; 2]],
}

/// What a layer of 8 bits would be with 4.
pub(crate) struct Alternative {
    /// The float graph's operator.
    pub operator: usize,
    /// The integer graph's operator.
    place: usize,
    constants: Vec<Tensor>,
}

/// The integer graph with one layer changed.
pub(crate) fn apply(graph: &Graph, alternative: &Alternative) -> Graph {
    let mut graph = graph.clone();
    let ids: Vec<TensorId> = alternative.constants.iter().map(|t| graph.add_tensor(t.clone())).collect();
    let inputs = &mut graph.operators[alternative.place].inputs;
    inputs.truncate(1);
    inputs.extend(ids);
    graph
}

/// Builds the integer graph with weights of these widths, one for each operator of the float graph. The networks are walked beside each
/// other if rounding is compensated. With `alternatives`, layers are built with 4 bits as well.
pub(crate) fn convert(
    plan: Plan<'_>,
    widths: &[Width],
    walk: Option<Walk<'_>>,
    alternatives: bool,
) -> Result<(Converted, Vec<Alternative>), QuantError> {
    let Plan { float, .. } = plan;
    let mut build = Build {
        plan,
        widths,
        walk,
        alternatives: alternatives.then(Vec::new),
        graph: Graph::new(&*float.name),
        origin: Vec::new(),
        placed: vec![None; float.tensors.len()],
        brought: HashMap::new(),
    };
    build.inputs();
    for index in 0..float.operators.len() {
        build.operator(index)?;
        if let Some(walk) = &mut build.walk {
            walk.pass(index, &build.graph, &build.origin)?;
        }
    }
    build.outputs();
    let mut alternatives = build.alternatives.unwrap_or_default();
    drop_unread(&mut build.graph, &mut alternatives);
    let floors = build.origin.iter().map(|origin| plan.floors[0][(*origin)?.index()]).collect();
    Ok((Converted { graph: build.graph, origin: build.origin, floors }, alternatives))
}

/// Drops the QUANTIZE of an input that only operators on floats read.
fn drop_unread(graph: &mut Graph, alternatives: &mut [Alternative]) {
    let consumers = graph.consumers();
    let read = |id: &TensorId| !consumers[id.index()].is_empty() || graph.outputs.contains(id);
    let keep = |operator: &Operator| operator.op != Op::Quantize || operator.outputs.iter().any(read);
    let kept: Vec<bool> = graph.operators.iter().map(keep).collect();
    for alternative in alternatives {
        alternative.place = kept[..alternative.place].iter().filter(|kept| **kept).count();
    }
    let mut kept = kept.into_iter();
    graph.operators.retain(|_| kept.next().unwrap_or(true));
}

struct Build<'a> {
    plan: Plan<'a>,
    widths: &'a [Width],
    walk: Option<Walk<'a>>,
    /// Layers built with 4 bits as well, if they are.
    alternatives: Option<Vec<Alternative>>,
    graph: Graph,
    /// For each tensor of `graph`, the float tensor whose values it stands for.
    origin: Vec<Option<TensorId>>,
    /// For each float tensor, what stands for it.
    placed: Vec<Option<TensorId>>,
    /// Tensors brought to another scale or type, by what they were and what they became.
    brought: HashMap<(TensorId, Stored), TensorId>,
}

/// How a tensor is stored: the type, the scale's bits and the zero point.
type Stored = (ElementType, u32, i32);

/// As floats.
const REAL: Stored = (ElementType::Float32, 0, 0);

impl Build<'_> {
    fn add(&mut self, tensor: Tensor, origin: Option<TensorId>) -> TensorId {
        self.origin.push(origin);
        self.graph.add_tensor(tensor)
    }

    /// The tensor that stands for a float one computed at run time, or for one of another type.
    fn place(&mut self, id: TensorId) -> TensorId {
        if let Some(placed) = self.placed[id.index()] {
            return placed;
        }
        let tensor = self.plan.float.tensor(id);
        let dtype = self.plan.formats.own(id).map_or_else(|| tensor.dtype.clone(), Affine::dtype);
        let tensor = Tensor { dtype, source: None, ..tensor.clone() };
        let placed = self.add(tensor, Some(id));
        self.placed[id.index()] = Some(placed);
        placed
    }

    fn inputs(&mut self) {
        let given = self.plan.float.inputs.len() - self.plan.states.len();
        for (i, &id) in self.plan.float.inputs.iter().enumerate() {
            let inner = self.place(id);
            let mut outer = inner;
            if i < given && self.plan.formats.own(id).is_some() && self.plan.options.ends == Ends::Float32 {
                let tensor = self.plan.float.tensor(id);
                self.graph.tensors[inner.index()].name.push_str(" quantised");
                outer = self.add(Tensor { source: None, ..tensor.clone() }, Some(id));
                self.graph.add_operator(Op::Quantize, vec![outer], vec![inner]);
                // Operators on floats need not go through integers.
                self.brought.insert((inner, REAL), outer);
            }
            self.graph.inputs.push(outer);
            if let Some(walk) = &mut self.walk {
                walk.enter(&self.graph, outer, id);
            }
        }
    }

    fn outputs(&mut self) {
        let states = self.plan.states;
        let results = self.plan.float.outputs.len() - states.len();
        for &id in &self.plan.float.outputs[..results] {
            let formats = self.plan.formats;
            let asked = match self.plan.options.ends {
                Ends::Int8 => formats.end(id),
                Ends::Float32 => formats.own(id),
            };
            let inner = self.operand(id, asked);
            self.name_output(id, inner);
            let mut outer = inner;
            if Affine::of(self.graph.tensor(inner)).is_some() && self.plan.options.ends == Ends::Float32 {
                let tensor = self.plan.float.tensor(id);
                outer = self.add(Tensor { source: None, data: None, ..tensor.clone() }, Some(id));
                self.graph.tensors[inner.index()].name.push_str(" quantised");
                self.graph.add_operator(Op::Dequantize, vec![inner], vec![outer]);
            }
            self.graph.outputs.push(outer);
        }
        for &[value, next] in states {
            let next = self.operand(next, self.plan.formats.own(value));
            self.graph.outputs.push(next);
        }
    }

    /// Gives an output that is computed as floats and leaves as integers the name that it has in the float graph.
    fn name_output(&mut self, id: TensorId, outer: TensorId) {
        let Some(placed) = self.placed[id.index()].filter(|&placed| placed != outer) else { return };
        if self.graph.tensor(placed).dtype == DataType::FLOAT32 && !self.graph.outputs.contains(&placed) {
            let name = self.plan.float.tensor(id).name.clone();
            self.graph.tensors[placed.index()].name = format!("{name} in floats");
            self.graph.tensors[outer.index()].name = name;
        }
    }

    /// What an operator reads in place of a float graph's tensor, stored as it asks.
    fn operand(&mut self, id: TensorId, asked: Option<Affine>) -> TensorId {
        let tensor = self.plan.float.tensor(id);
        if let Some(values) = tensor.floats() {
            let values = raised(values, self.plan.floors[0][id.index()]);
            let affine = asked.unwrap_or_else(|| Affine::covering_all(&values, ElementType::Int8));
            let data = affine.bytes(&values);
            let constant = Tensor::constant(tensor.name.clone(), tensor.shape.clone(), affine.dtype(), data);
            return self.add(constant, None);
        }
        let placed = self.place(id);
        let differs = |asked: &Affine| self.plan.formats.own(id).is_none_or(|own| own != *asked);
        // Indices and conditions are no numbers that could be brought to a scale.
        let Some(asked) = asked.filter(|asked| tensor.dtype == DataType::FLOAT32 && differs(asked)) else {
            return placed;
        };
        let key = (placed, (asked.element, asked.scale.to_bits(), asked.zero_point));
        if let Some(&brought) = self.brought.get(&key) {
            return brought;
        }
        let name = format!("{} requantised", tensor.name);
        let copy = Tensor::activation(name, tensor.shape.clone(), asked.dtype());
        let copy = self.add(copy, Some(id));
        self.graph.add_operator(Op::Quantize, vec![placed], vec![copy]);
        self.brought.insert(key, copy);
        copy
    }

    /// What an operator on floats reads in place of a float graph's tensor.
    fn real(&mut self, id: TensorId) -> TensorId {
        let tensor = self.plan.float.tensor(id);
        if tensor.is_constant() {
            return self.add(tensor.clone(), None);
        }
        let placed = self.place(id);
        if Affine::of(self.graph.tensor(placed)).is_none() {
            return placed;
        }
        if let Some(&brought) = self.brought.get(&(placed, REAL)) {
            return brought;
        }
        let name = format!("{} dequantised", tensor.name);
        let copy = self.add(Tensor::activation(name, tensor.shape.clone(), DataType::FLOAT32), Some(id));
        self.graph.add_operator(Op::Dequantize, vec![placed], vec![copy]);
        self.brought.insert((placed, REAL), copy);
        copy
    }

    fn operator(&mut self, index: usize) -> Result<(), QuantError> {
        let operator = &self.plan.float.operators[index];
        if self.plan.formats.floats[index] {
            let inputs = operator.inputs.iter().map(|&id| self.real(id)).collect();
            self.push(operator.op.clone(), inputs, operator);
            return Ok(());
        }
        match (&operator.op, self.plan.formats.forms[index]) {
            (Op::Recurrent(layer), Some(Form::Lstm { hidden, memory })) => {
                return self.lstm(index, layer, [hidden, memory]);
            }
            (_, Some(Form::Svdf { state })) => return self.svdf(index, state),
            _ => {}
        }
        let first = self.plan.float.tensor(operator.inputs[0]);
        if first.dtype == DataType::FLOAT32
            && let Some(weights) = operator.inputs.get(1)
            && let Some(layout) = Layout::of(&operator.op, self.plan.float.tensor(*weights).shape.dims())
        {
            return self.weighted(index, &layout);
        }
        // Tied operators take their inputs with the output's scale and zero point.
        let asked = if is_tied(&operator.op) { self.plan.formats.own(operator.outputs[0]) } else { None };
        let inputs =
            operator.inputs.iter().map(|&id| self.operand(id, asked.or_else(|| self.read(index, id)))).collect();
        let op = match (&operator.op, asked) {
            (Op::Pad { pads, value: PadValue::Float(value) }, Some(affine)) => {
                Op::Pad { pads: pads.clone(), value: PadValue::Integer(affine.stored(*value)) }
            }
            (op, _) => op.clone(),
        };
        self.push(op, inputs, operator);
        Ok(())
    }

    /// How an operator reads a float that nothing ties to its output.
    fn read(&self, operator: usize, id: TensorId) -> Option<Affine> {
        let Plan { float, formats, .. } = self.plan;
        let wide = formats.operators[operator];
        match float.tensor(id).floats() {
            Some(values) if wide => {
                let values = raised(values, self.plan.floors[1][id.index()]);
                Some(Affine::covering_all(&values, ElementType::Int16))
            }
            Some(_) => None,
            None => formats.read(id, wide),
        }
    }

    fn push(&mut self, op: Op, inputs: Vec<TensorId>, operator: &Operator) {
        let outputs = operator.outputs.iter().map(|&id| self.place(id)).collect();
        self.graph.add_operator(op, inputs, outputs);
    }

    /// An LSTM whose outputs and memory are stored so.
    fn lstm(&mut self, index: usize, layer: &RecurrentParams, [hidden, memory]: [Affine; 2]) -> Result<(), QuantError> {
        let Plan { float, seen, options, .. } = self.plan;
        let operator = &float.operators[index];
        let asked = self.read(index, operator.inputs[0]);
        let x = self.operand(operator.inputs[0], asked);
        let input = Affine::of(self.graph.tensor(x)).unwrap_or(Affine::int8(1.0, 0));
        // Of all steps only, if they are an output.
        let sequence = layer.sequence.then(|| operator.outputs[0]);
        let means = [Some(operator.inputs[0]), sequence].map(|id| {
            let stats = seen[id?.index()].as_ref();
            stats.filter(|_| options.correct_bias).map(|stats| stats.means())
        });
        let clips = self.plan.rounding != Rounding::Nearest;
        let constants = recurrent::lstm_constants(float, operator, [input, hidden], means, clips);
        let mut inputs = vec![x];
        inputs.extend(constants.map(|constant| self.add(constant, None)));
        for (i, affine) in [(4, hidden), (5, memory)] {
            inputs.push(match operator.inputs.get(i) {
                Some(&id) => self.operand(id, Some(affine)),
                None => {
                    let [x, state] = [0, 2].map(|i| &float.tensor(operator.inputs[i]).shape);
                    let [batch, _, _, units] = layer.sizes(x, state);
                    let shape = Shape(vec![batch, units]);
                    let name = format!("{} at first {}", float.tensor(operator.outputs[0]).name, i - 4);
                    self.add(recurrent::zeros(name, shape, affine), None)
                }
            });
        }
        self.push(operator.op.clone(), inputs, operator);
        Ok(())
    }

    /// SVDF whose state is stored so.
    fn svdf(&mut self, index: usize, state: Affine) -> Result<(), QuantError> {
        let float = self.plan.float;
        let operator = &float.operators[index];
        let asked = self.read(index, operator.inputs[0]);
        let x = self.operand(operator.inputs[0], asked);
        let input = Affine::of(self.graph.tensor(x)).unwrap_or(Affine::int8(1.0, 0));
        let clips = self.plan.rounding != Rounding::Nearest;
        let (features, time, bias) = recurrent::svdf_constants(float, operator, [input, state], clips);
        let [features, time] = [features, time].map(|constant| self.add(constant, None));
        let kept = self.operand(operator.inputs[3], Some(state));
        let mut inputs = vec![x, features, time, kept];
        inputs.extend(bias.map(|bias| self.add(bias, None)));
        self.push(operator.op.clone(), inputs, operator);
        Ok(())
    }

    /// A layer with constant weights, and perhaps a bias.
    fn weighted(&mut self, index: usize, layout: &Layout) -> Result<(), QuantError> {
        let operator = &self.plan.float.operators[index];
        // A constant input is rare: the layer would have been folded but for its size.
        let asked = self.read(index, operator.inputs[0]);
        let input = self.operand(operator.inputs[0], asked);
        let moments = self.moments(operator, input)?;
        // Nothing computes with weights of 4 bits on int16.
        let wide = self.plan.formats.operators[index];
        let width = if wide { Width::Int8 } else { self.widths[index] };
        let constants = self.constants(operator, layout, input, moments.as_ref(), width);
        let may_be_less = width == Width::Int8 && !wide && takes_int4(&operator.op);
        if self.alternatives.is_some() && may_be_less {
            let constants = self.constants(operator, layout, input, moments.as_ref(), Width::Int4);
            let place = self.graph.operators.len();
            self.alternatives.get_or_insert_default().push(Alternative { operator: index, place, constants });
        }
        let mut inputs = vec![input];
        for constant in constants {
            inputs.push(self.add(constant, None));
        }
        self.push(operator.op.clone(), inputs, operator);
        Ok(())
    }

    /// What a layer reads, if rounding asks for it.
    fn moments(&mut self, operator: &Operator, input: TensorId) -> Result<Option<Moments>, QuantError> {
        let float = self.plan.float;
        let [x, weights] = [operator.inputs[0], operator.inputs[1]].map(|id| float.tensor(id));
        let patches = Patches::of(&operator.op, x.shape.dims(), weights.shape.dims()).filter(|_| !x.is_constant());
        let (Some(walk), Some(patches)) = (&mut self.walk, patches) else { return Ok(None) };
        let centred = self.plan.options.correct_bias;
        walk.second_moments(&self.graph, operator.inputs[0], input, Moments::new(patches), centred).map(Some)
    }

    /// A layer's weights of this width, and its bias if it has one or needs one.
    fn constants(
        &self,
        operator: &Operator,
        layout: &Layout,
        input: TensorId,
        moments: Option<&Moments>,
        width: Width,
    ) -> Vec<Tensor> {
        let (float, options) = (self.plan.float, self.plan.options);
        let input = Affine::of(self.graph.tensor(input)).unwrap_or(Affine::int8(1.0, 0));
        let weights = float.tensor(operator.inputs[1]);
        let values = weights.floats().unwrap_or_default();
        let bias = operator.inputs.get(2).map(|&id| float.tensor(id));
        let reals = bias.and_then(Tensor::floats).unwrap_or_else(|| vec![0.0; layout.outputs]);
        let output = self.plan.formats.own(operator.outputs[0]).unwrap_or(Affine::int8(1.0, 0));
        let ends = weights::Ends { input, output };
        let scales = weights::scales(&values, layout, &reals, ends, width);
        let mut reals: Vec<f64> = reals.into_iter().map(f64::from).collect();
        let correct = |reals: &mut [f64], by: Vec<f64>| {
            if options.correct_bias {
                reals.iter_mut().zip(by).for_each(|(bias, by)| *bias += by);
            }
        };
        let quantised: Weights = match moments {
            Some(moments) => {
                let (quantised, shifts) = second_order::round(&values, layout, moments, &scales, width);
                correct(&mut reals, shifts);
                quantised
            }
            None => {
                let clips = self.plan.rounding != Rounding::Nearest;
                let chosen = if clips { scales.clipped(&values, layout, width) } else { scales.whole };
                let quantised = weights::rounded(&values, layout, chosen, width);
                if let Some(stats) = &self.plan.seen[operator.inputs[0].index()] {
                    let error = weights::mean_error(&values, layout, &quantised, &stats.means());
                    correct(&mut reals, error.into_iter().map(|e| -e).collect());
                }
                quantised
            }
        };
        let stored = weights::biases(&reals, ends, &quantised.scales);
        let scheme = |axis: usize, scales: Vec<f32>| match layout.per_channel(width) {
            true => Quantisation::PerChannel { axis, zero_points: vec![0; scales.len()], scales },
            false => Quantisation::PerTensor { scale: scales[0], zero_point: 0 },
        };
        let products = quantised.scales.iter().map(|&s| (f64::from(s) * f64::from(input.scale)) as f32).collect();
        let mut constants = vec![Tensor::constant(
            weights.name.clone(),
            weights.shape.clone(),
            DataType::Quantised(width.element(), scheme(layout.axis, quantised.scales)),
            width.bytes(&quantised.stored),
        )];
        if bias.is_some() || stored.iter().any(|&b| b != 0) {
            let name = bias.map_or_else(|| format!("{} bias", weights.name), |bias| bias.name.clone());
            let element = if input.is_int16() { ElementType::Int64 } else { ElementType::Int32 };
            let each = element.bits() / 8;
            let bytes: Vec<u8> = stored.iter().flat_map(|b| b.to_le_bytes().into_iter().take(each)).collect();
            let dtype = DataType::Quantised(element, scheme(0, products));
            constants.push(Tensor::constant(name, [layout.outputs], dtype, bytes));
        }
        constants
    }
}

/// True if the operator's weights may have 4 bits.
pub(crate) fn takes_int4(op: &Op) -> bool {
    matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::FullyConnected { .. })
}
