//! Recurrent layers, whose state is a variable: what a sample leaves in it the next one begins with.

use crate::draw::{Draw, Numbers};
use smidgen_ir::{
    Activation, Cell, DataType, ElementType, Graph, Op, Quantisation, RecurrentParams, Shape, Tensor, TensorId,
    Variable,
};

/// Weights as layers have them: with larger ones all gates are open or shut.
fn weights(draw: &mut Draw, graph: &mut Graph, name: &str, shape: Vec<usize>, inputs: usize) -> TensorId {
    let most = 2.0 / (inputs as f32).sqrt();
    let shape = Shape(shape);
    let data: Vec<u8> = (0..shape.elements()).flat_map(|_| draw.float(-most, most).to_le_bytes()).collect();
    graph.add_tensor(Tensor::constant(name, shape, DataType::FLOAT32, data))
}

fn layer(draw: &mut Draw, cell: Cell, clip: Option<f32>) -> Option<Graph> {
    let (batch, steps, inputs, units) = (draw.batch(), draw.dim(9), draw.channels(), draw.channels());
    let time_major = draw.chance(30);
    let params = RecurrentParams {
        cell,
        time_major,
        reverse: false,
        clip,
        sequence: true,
        last: true,
        memory: cell == Cell::Lstm,
        asymmetric_quantize_inputs: false,
    };
    let mut graph = Graph::new("recurrent");
    let outer = if time_major { [steps, batch] } else { [batch, steps] };
    let float = |name: &str, shape: Vec<usize>| Tensor::activation(name, shape, DataType::FLOAT32);
    let x = graph.add_input(float("x", vec![outer[0], outer[1], inputs]));
    let y = graph.add_tensor(float("y", vec![outer[0], outer[1], units]));
    let rows = cell.gates() * units;
    let mut operands = vec![
        x,
        weights(draw, &mut graph, "w", vec![rows, inputs], inputs),
        weights(draw, &mut graph, "r", vec![rows, units], units),
        weights(draw, &mut graph, "b", vec![rows], 4),
    ];
    let mut outputs = vec![y];
    for state in ["h", "c"].into_iter().take(cell.states()) {
        let value = graph.add_tensor(float(state, vec![batch, units]));
        let next = graph.add_tensor(float(&format!("{state} next"), vec![batch, units]));
        operands.push(value);
        outputs.push(next);
        graph.variables.push(Variable { value, next, initial: None });
    }
    graph.outputs = vec![y];
    graph.add_operator(Op::Recurrent(params), operands, outputs);
    Some(graph)
}

/// A layer of any kind that begins anew each time, with some of its outputs, or with states from outside.
#[allow(dead_code, reason = "the test of overlaps draws them; no file of TensorFlow Lite has them")]
pub fn recurrent(draw: &mut Draw) -> Option<Graph> {
    if draw.numbers == Numbers::Int8 {
        let (batch, steps) = (draw.batch(), draw.dim(9));
        let [time_major, reverse, last, memory] = [30, 30, 40, 40].map(|p| draw.chance(p));
        let sequence = !(last || memory) || draw.chance(60);
        return integers(draw, [batch, steps], time_major, reverse, [sequence, last, memory], None);
    }
    if draw.numbers != Numbers::Float {
        return None;
    }
    let cell = draw.pick(&[Cell::Lstm, Cell::Gru, Cell::GruResetAfter, Cell::Tanh, Cell::Relu]);
    let (batch, steps, inputs, units) = (draw.batch(), draw.dim(9), draw.channels(), draw.channels());
    let (time_major, reverse, given) = (draw.chance(30), draw.chance(30), draw.chance(30));
    let (last, memory) = (draw.chance(40), cell == Cell::Lstm && draw.chance(40));
    let sequence = !(last || memory) || draw.chance(60);
    let params = RecurrentParams {
        cell,
        time_major,
        reverse,
        clip: None,
        sequence,
        last,
        memory,
        asymmetric_quantize_inputs: false,
    };
    let outer = if time_major { [steps, batch] } else { [batch, steps] };
    let rows = cell.gates() * units;
    let mut graph = Graph::new("recurrent");
    let float = |name: &str, shape: Vec<usize>| Tensor::activation(name, shape, DataType::FLOAT32);
    let x = graph.add_input(float("x", vec![outer[0], outer[1], inputs]));
    let mut operands = vec![
        x,
        weights(draw, &mut graph, "w", vec![rows, inputs], inputs),
        weights(draw, &mut graph, "r", vec![rows, units], units),
        weights(draw, &mut graph, "b", vec![cell.biases() * units], 4),
    ];
    if given {
        let names = ["h", "c"].into_iter().take(cell.states());
        operands.extend(names.map(|name| graph.add_input(float(name, vec![batch, units]))));
    }
    let tensors: Vec<&Tensor> = operands.iter().map(|&id| graph.tensor(id)).collect();
    let inferred = smidgen_ir::infer(&Op::Recurrent(params), &tensors).ok()?;
    let outputs: Vec<TensorId> =
        inferred.into_iter().map(|output| graph.add_tensor(float("y", output.shape.0))).collect();
    graph.outputs = outputs.clone();
    graph.add_operator(Op::Recurrent(params), operands, outputs);
    Some(graph)
}

/// Weights of int8 in place of a layer's own, those of each gate with one scale: dynamic range quantisation.
fn dynamic_range(draw: &mut Draw, mut graph: Graph) -> Option<Graph> {
    let Op::Recurrent(layer) = &mut graph.operators[0].op else { return None };
    layer.asymmetric_quantize_inputs = draw.chance(50);
    let cell = layer.cell;
    if matches!(cell, Cell::Gru | Cell::GruResetAfter) {
        return None;
    }
    let weights = [1, 2].map(|i| graph.operators[0].inputs[i]);
    for id in weights {
        let tensor = &mut graph.tensors[id.index()];
        let (rows, inputs) = (tensor.shape.0[0], tensor.shape.0[1]);
        let units = rows / cell.gates();
        let gates: Vec<f32> =
            (0..cell.gates()).map(|_| draw.log_uniform(0.2, 1.0) * 2.0 / 127.0 / (inputs as f32).sqrt()).collect();
        let quantisation = match cell {
            Cell::Lstm => {
                let scales = gates.iter().flat_map(|&scale| std::iter::repeat_n(scale, units)).collect();
                Quantisation::PerChannel { axis: 0, scales, zero_points: vec![0; rows] }
            }
            _ => Quantisation::PerTensor { scale: gates[0], zero_point: 0 },
        };
        tensor.dtype = DataType::Quantised(ElementType::Int8, quantisation);
        tensor.data = Some(draw.int8s(rows * inputs, -127).into());
    }
    Some(graph)
}

pub fn unidirectional_sequence_lstm_dynamic_range(draw: &mut Draw) -> Option<Graph> {
    let clip = draw.pick(&[None, Some(10.0), Some(0.5)]);
    let graph = layer(draw, Cell::Lstm, clip)?;
    dynamic_range(draw, graph)
}

pub fn unidirectional_sequence_rnn_dynamic_range(draw: &mut Draw) -> Option<Graph> {
    let cell = draw.pick(&[Cell::Tanh, Cell::Relu]);
    let graph = layer(draw, cell, None)?;
    dynamic_range(draw, graph)
}

/// A layer as [`recurrent`] draws it, with such weights.
#[allow(dead_code, reason = "the test of overlaps draws them; no file of TensorFlow Lite has them")]
pub fn recurrent_dynamic_range(draw: &mut Draw) -> Option<Graph> {
    if draw.numbers != Numbers::Float {
        return None;
    }
    let graph = recurrent(draw)?;
    dynamic_range(draw, graph)
}

pub fn unidirectional_sequence_lstm(draw: &mut Draw) -> Option<Graph> {
    let clip = draw.pick(&[None, Some(10.0), Some(0.5)]);
    if draw.numbers == Numbers::Float {
        return layer(draw, Cell::Lstm, clip);
    }
    let (batch, steps, time_major) = (draw.batch(), draw.dim(9), draw.chance(30));
    let mut graph = integers(draw, [batch, steps], time_major, false, [true; 3], clip)?;
    let operator = graph.operators.remove(0);
    for (&value, &next) in operator.inputs[4..].iter().zip(&operator.outputs[1..]) {
        graph.variables.push(Variable { value, next, initial: None });
    }
    graph.inputs.truncate(1);
    graph.outputs.truncate(1);
    graph.operators.push(operator);
    Some(graph)
}

/// An LSTM on int8 that is given its states; the scales of its gates are such that they are neither all open nor shut.
fn integers(
    draw: &mut Draw,
    [batch, steps]: [usize; 2],
    time_major: bool,
    reverse: bool,
    outputs: [bool; 3],
    clip: Option<f32>,
) -> Option<Graph> {
    let (inputs, units) = (draw.channels(), draw.channels());
    let outer = if time_major { [steps, batch] } else { [batch, steps] };
    let scale = |dtype: &DataType| dtype.quantisation().and_then(Quantisation::per_tensor).map_or(1.0, |q| q.0);
    let (x_type, hidden) = (draw.dtype(), draw.integer(1.0 / 128.0));
    let bits = draw.between(0, 6) as i32;
    let memory = DataType::int16((bits as f32 - 15.0).exp2());
    let weights = |draw: &mut Draw, graph: &mut Graph, name: &str, columns: usize, from: f32| {
        let mut scales = Vec::new();
        for _ in 0..4 {
            let scale = draw.log_uniform(0.3, 4.0) / (from * 5000.0 * (columns as f32).sqrt());
            scales.extend(vec![draw.scale(scale); units]);
        }
        let zero_points = vec![0; scales.len()];
        let quantisation = Quantisation::PerChannel { axis: 0, scales: scales.clone(), zero_points };
        let dtype = DataType::Quantised(ElementType::Int8, quantisation);
        let tensor = draw.constant(name, vec![4 * units, columns], dtype);
        (graph.add_tensor(tensor), scales[0])
    };
    let mut graph = Graph::new("lstm");
    let x = graph.add_input(Tensor::activation("x", vec![outer[0], outer[1], inputs], x_type.clone()));
    let (w, w_scale) = weights(draw, &mut graph, "w", inputs, scale(&x_type));
    let (r, _) = weights(draw, &mut graph, "r", units, scale(&hidden));
    let most = (2.0 / (w_scale * scale(&x_type))).clamp(1.0, 1e6) as i32;
    let bias = draw.int32s(4 * units, most);
    let bias = Tensor::constant("b", vec![4 * units], DataType::Plain(ElementType::Int32), bias);
    let mut operands = vec![x, w, r, graph.add_tensor(bias)];
    for (name, dtype) in [("h", &hidden), ("c", &memory)] {
        operands.push(graph.add_input(Tensor::activation(name, vec![batch, units], dtype.clone())));
    }
    let [sequence, last, kept] = outputs;
    let params = RecurrentParams {
        cell: Cell::Lstm,
        time_major,
        reverse,
        clip,
        sequence,
        last,
        memory: kept,
        asymmetric_quantize_inputs: false,
    };
    let op = Op::Recurrent(params);
    let tensors: Vec<&Tensor> = operands.iter().map(|&id| graph.tensor(id)).collect();
    let inferred = smidgen_ir::infer(&op, &tensors).ok()?;
    let types = [&hidden, &hidden, &memory].into_iter().zip(outputs).filter(|(_, asked)| *asked);
    let named = ["y", "h next", "c next"].into_iter().zip(outputs).filter(|(_, asked)| *asked);
    let outputs: Vec<TensorId> = inferred
        .into_iter()
        .zip(types.zip(named))
        .map(|(output, ((dtype, _), (name, _)))| {
            graph.add_tensor(Tensor::activation(name, output.shape.0, dtype.clone()))
        })
        .collect();
    graph.outputs = outputs.clone();
    graph.add_operator(op, operands, outputs);
    Some(graph)
}

pub fn unidirectional_sequence_rnn(draw: &mut Draw) -> Option<Graph> {
    let cell = draw.pick(&[Cell::Tanh, Cell::Relu]);
    layer(draw, cell, None)
}

/// A filter over time whose state is an input and an output.
#[allow(dead_code, reason = "the test of overlaps draws them; no file of TensorFlow Lite has them")]
pub fn svdf_alone(draw: &mut Draw) -> Option<Graph> {
    if !matches!(draw.numbers, Numbers::Float | Numbers::Int8) {
        return None;
    }
    let mut graph = svdf(draw)?;
    for Variable { value, next, .. } in std::mem::take(&mut graph.variables) {
        graph.inputs.push(value);
        graph.outputs.push(next);
    }
    Some(graph)
}

/// A filter over time. Its scales are such that neither the state nor the output is clamped throughout.
pub fn svdf(draw: &mut Draw) -> Option<Graph> {
    let (batch, inputs, rank, units) = (draw.batch(), draw.channels(), draw.between(1, 4), draw.channels());
    let (memory, filters) = (draw.dim(12), rank * units);
    let mut graph = Graph::new("svdf");
    let has_bias = draw.chance(70);
    let is_float = draw.numbers == Numbers::Float;
    let (x_type, types, activation) = if is_float {
        (DataType::FLOAT32, [DataType::FLOAT32; 5].to_vec(), draw.activation())
    } else {
        let x_type = draw.dtype();
        let scale = |dtype: &DataType| dtype.quantisation().and_then(Quantisation::per_tensor).map_or(1.0, |q| q.0);
        let integer =
            |element, scale, zero_point| DataType::Quantised(element, Quantisation::PerTensor { scale, zero_point });
        let weights = integer(ElementType::Int8, draw.log_uniform(1e-3, 1.0), 0);
        let time = integer(ElementType::Int16, draw.log_uniform(1e-5, 1e-3), 0);
        let feature = scale(&x_type) * scale(&weights) * (inputs as f32).sqrt() * 5000.0;
        let state = integer(ElementType::Int16, feature / 32768.0 * draw.log_uniform(0.2, 8.0), 0);
        let sum = scale(&state) * scale(&time) * (rank as f32 * memory as f32).sqrt() * 3e8;
        let zero_point = if draw.chance(60) { -128 } else { draw.zero_point() };
        let y = integer(ElementType::Int8, sum / 128.0 * draw.log_uniform(0.05, 2.0), zero_point);
        let activation = if zero_point == -128 { Activation::Relu } else { Activation::None };
        (x_type, vec![weights, time, state, DataType::Plain(ElementType::Int32), y], activation)
    };
    let x = graph.add_input(Tensor::activation("x", vec![batch, inputs], x_type));
    let (features, taps) = if is_float {
        (
            weights(draw, &mut graph, "w", vec![filters, inputs], inputs),
            weights(draw, &mut graph, "t", vec![filters, memory], memory * rank),
        )
    } else {
        let w = draw.constant("w", vec![filters, inputs], types[0].clone());
        let mut t = draw.constant("t", vec![filters, memory], types[1].clone());
        if draw.chance(80) {
            // Sums that stay within 32 bits.
            let small = |bytes: &[u8]| (i16::from_le_bytes([bytes[0], bytes[1]]) / 16).to_le_bytes();
            t.data = t.data.map(|data| data.chunks(2).flat_map(small).collect());
        }
        (graph.add_tensor(w), graph.add_tensor(t))
    };
    let kept = |name: &str| Tensor::activation(name, vec![batch, filters * memory], types[2].clone());
    let y = graph.add_tensor(Tensor::activation("y", vec![batch, units], types[4].clone()));
    let (value, next) = (graph.add_tensor(kept("s")), graph.add_tensor(kept("s next")));
    let mut operands = vec![x, features, taps, value];
    if has_bias {
        operands.push(match is_float {
            true => weights(draw, &mut graph, "b", vec![units], 4),
            false => {
                let data = draw.int32s(units, 1 << 24);
                graph.add_tensor(Tensor::constant("b", vec![units], types[3].clone(), data))
            }
        });
    }
    graph.variables.push(Variable { value, next, initial: None });
    graph.outputs = vec![y];
    graph.add_operator(Op::Svdf { rank, activation }, operands, vec![y, next]);
    Some(graph)
}
