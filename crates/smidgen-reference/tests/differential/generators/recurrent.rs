//! Recurrent layers, whose state is a variable: what a sample leaves in it the next one begins with.

use crate::draw::Draw;
use smidgen_ir::{Cell, DataType, Graph, Op, RecurrentParams, Shape, Tensor, TensorId, Variable};

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
    if draw.numbers != crate::draw::Numbers::Float {
        return None;
    }
    let cell = draw.pick(&[Cell::Lstm, Cell::Gru, Cell::GruResetAfter, Cell::Tanh, Cell::Relu]);
    let (batch, steps, inputs, units) = (draw.batch(), draw.dim(9), draw.channels(), draw.channels());
    let (time_major, reverse, given) = (draw.chance(30), draw.chance(30), draw.chance(30));
    let (last, memory) = (draw.chance(40), cell == Cell::Lstm && draw.chance(40));
    let sequence = !(last || memory) || draw.chance(60);
    let params = RecurrentParams { cell, time_major, reverse, clip: None, sequence, last, memory };
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

pub fn unidirectional_sequence_lstm(draw: &mut Draw) -> Option<Graph> {
    let clip = draw.pick(&[None, Some(10.0), Some(0.5)]);
    layer(draw, Cell::Lstm, clip)
}

pub fn unidirectional_sequence_rnn(draw: &mut Draw) -> Option<Graph> {
    let cell = draw.pick(&[Cell::Tanh, Cell::Relu]);
    layer(draw, cell, None)
}
