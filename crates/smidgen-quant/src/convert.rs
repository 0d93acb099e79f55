//! From a float graph with a scale for each activation to an integer graph.

use crate::error::QuantError;
use crate::observe::Seen;
use crate::params::{Affine, covering, is_tied};
use crate::weights::{self, Layout};
use crate::{Converted, Ends, Options};
use smidgen_ir::{DataType, ElementType, Graph, Op, Operator, PadValue, Quantisation, Tensor, TensorId};
use std::collections::HashMap;

/// Builds the integer graph. `params` has an entry for every float that is computed at run time.
pub(crate) fn convert(
    float: &Graph,
    params: &[Option<Affine>],
    seen: &Seen,
    options: &Options,
) -> Result<Converted, QuantError> {
    let mut build = Build {
        float,
        params,
        seen,
        options,
        graph: Graph::new(&*float.name),
        origin: Vec::new(),
        placed: vec![None; float.tensors.len()],
        brought: HashMap::new(),
    };
    build.inputs();
    for operator in &float.operators {
        build.operator(operator);
    }
    build.outputs();
    Ok(Converted { graph: build.graph, origin: build.origin })
}

struct Build<'a> {
    float: &'a Graph,
    params: &'a [Option<Affine>],
    seen: &'a Seen,
    options: &'a Options,
    graph: Graph,
    /// For each tensor of `graph`, the float tensor whose values it stands for.
    origin: Vec<Option<TensorId>>,
    /// For each float tensor, what stands for it.
    placed: Vec<Option<TensorId>>,
    /// Tensors brought to another scale, by what they were and the scale's bits and zero point.
    brought: HashMap<(TensorId, u32, i32), TensorId>,
}

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
        let tensor = self.float.tensor(id);
        let dtype = self.params[id.index()].map_or_else(|| tensor.dtype.clone(), Affine::dtype);
        let tensor = Tensor { dtype, source: None, ..tensor.clone() };
        let placed = self.add(tensor, Some(id));
        self.placed[id.index()] = Some(placed);
        placed
    }

    fn inputs(&mut self) {
        for &id in &self.float.inputs {
            let inner = self.place(id);
            let mut outer = inner;
            if self.params[id.index()].is_some() && self.options.ends == Ends::Float32 {
                let tensor = self.float.tensor(id);
                self.graph.tensors[inner.index()].name.push_str(" quantised");
                outer = self.add(Tensor { source: None, ..tensor.clone() }, Some(id));
                self.graph.add_operator(Op::Quantize, vec![outer], vec![inner]);
            }
            self.graph.inputs.push(outer);
        }
    }

    fn outputs(&mut self) {
        for &id in &self.float.outputs {
            let inner = self.operand(id, None);
            let mut outer = inner;
            if self.graph.tensor(inner).element() == ElementType::Int8 && self.options.ends == Ends::Float32 {
                let tensor = self.float.tensor(id);
                outer = self.add(Tensor { source: None, data: None, ..tensor.clone() }, Some(id));
                self.graph.tensors[inner.index()].name.push_str(" quantised");
                self.graph.add_operator(Op::Dequantize, vec![inner], vec![outer]);
            }
            self.graph.outputs.push(outer);
        }
    }

    /// What an operator reads in place of a float graph's tensor: with the scale and zero point that are asked for, or, if none are,
    /// with its own.
    fn operand(&mut self, id: TensorId, asked: Option<Affine>) -> TensorId {
        let tensor = self.float.tensor(id);
        if let Some(values) = tensor.floats() {
            let affine = asked.unwrap_or_else(|| covering(&values));
            let data: Vec<u8> = values.iter().map(|&v| affine.stored(v) as u8).collect();
            let constant = Tensor::constant(tensor.name.clone(), tensor.shape.clone(), affine.dtype(), data);
            return self.add(constant, None);
        }
        let placed = self.place(id);
        let Some(asked) = asked.filter(|asked| self.params[id.index()].is_some_and(|own| own != *asked)) else {
            return placed;
        };
        let key = (placed, asked.scale.to_bits(), asked.zero_point);
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

    fn operator(&mut self, operator: &Operator) {
        let first = self.float.tensor(operator.inputs[0]);
        if first.dtype == DataType::FLOAT32
            && let Some(weights) = operator.inputs.get(1)
            && let Some(layout) = Layout::of(&operator.op, self.float.tensor(*weights).shape.dims())
        {
            return self.weighted(operator, &layout);
        }
        // Tied operators take their inputs with the output's scale and zero point.
        let asked = if is_tied(&operator.op) { self.params[operator.outputs[0].index()] } else { None };
        let inputs = operator.inputs.iter().map(|&id| self.operand(id, asked)).collect();
        let op = match (&operator.op, asked) {
            (Op::Pad { pads, value: PadValue::Float(value) }, Some(affine)) => {
                Op::Pad { pads: pads.clone(), value: PadValue::Integer(affine.stored(*value).into()) }
            }
            (op, _) => op.clone(),
        };
        self.push(op, inputs, operator);
    }

    fn push(&mut self, op: Op, inputs: Vec<TensorId>, operator: &Operator) {
        let outputs = operator.outputs.iter().map(|&id| self.place(id)).collect();
        self.graph.add_operator(op, inputs, outputs);
    }

    /// A layer with constant weights, and perhaps a bias.
    fn weighted(&mut self, operator: &Operator, layout: &Layout) {
        let [x, w] = [operator.inputs[0], operator.inputs[1]];
        // A constant input is rare: the layer would have been folded but for its size.
        let input = self.operand(x, None);
        let input_scale = self.graph.tensor(input).per_tensor().map_or(1.0, |(scale, _)| scale);
        let weights = self.float.tensor(w);
        let values = weights.floats().unwrap_or_default();
        let bias = operator.inputs.get(2).map(|&id| self.float.tensor(id));
        let reals = bias.and_then(Tensor::floats).unwrap_or_else(|| vec![0.0; layout.outputs]);
        let quantised = weights::quantise(&values, layout, &reals, input_scale);
        let mut reals: Vec<f64> = reals.into_iter().map(f64::from).collect();
        if let (true, Some(stats)) = (self.options.correct_bias, &self.seen[x.index()]) {
            let error = weights::mean_error(&values, layout, &quantised, &stats.means());
            reals.iter_mut().zip(error).for_each(|(bias, error)| *bias -= error);
        }
        let stored = weights::biases(&reals, input_scale, &quantised.scales);
        let scheme = |axis: usize, scales: Vec<f32>| match layout.per_channel {
            true => Quantisation::PerChannel { axis, zero_points: vec![0; scales.len()], scales },
            false => Quantisation::PerTensor { scale: scales[0], zero_point: 0 },
        };
        let products = quantised.scales.iter().map(|&s| (f64::from(s) * f64::from(input_scale)) as f32).collect();
        let constant = Tensor::constant(
            weights.name.clone(),
            weights.shape.clone(),
            DataType::Quantised(ElementType::Int8, scheme(layout.axis, quantised.scales)),
            quantised.stored.iter().map(|&v| v as u8).collect::<Vec<u8>>(),
        );
        let mut inputs = vec![input, self.add(constant, None)];
        if bias.is_some() || stored.iter().any(|&b| b != 0) {
            let name = bias.map_or_else(|| format!("{} bias", weights.name), |bias| bias.name.clone());
            let bytes: Vec<u8> = stored.iter().flat_map(|b| b.to_le_bytes()).collect();
            let dtype = DataType::Quantised(ElementType::Int32, scheme(0, products));
            inputs.push(self.add(Tensor::constant(name, [layout.outputs], dtype, bytes), None));
        }
        self.push(operator.op.clone(), inputs, operator);
    }
}
