//! Factors and offsets of channels into the weights before them: batch normalisation, and scales that networks learn.

use super::Flow;
use smidgen_ir::{Activation, BinaryKind, DataType, Graph, Op, OpId, Tensor, TensorId};

/// The activation of an operator with weights, and along which axis of these the output channels lie.
fn weighted(op: &mut Op) -> Option<(&mut Activation, usize)> {
    match op {
        Op::Conv2d(conv) => Some((&mut conv.activation, 0)),
        Op::DepthwiseConv2d { conv, .. } => Some((&mut conv.activation, 3)),
        Op::TransposeConv { activation, .. } | Op::FullyConnected { activation, .. } => Some((activation, 0)),
        _ => None,
    }
}

/// One number for each of `channels` from a constant that has one for all or one for each along its last axis.
fn per_channel(graph: &Graph, id: TensorId, channels: usize) -> Option<Vec<f32>> {
    let values = graph.tensor(id).floats()?;
    match graph.tensor(id).shape.dims() {
        _ if values.len() == 1 => Some(vec![values[0]; channels]),
        dims if values.len() == channels && dims.last() == Some(&channels) => Some(values),
        _ => None,
    }
}

/// Folds each MUL, ADD and SUB with constants into the operator with weights that makes its other operand, if nothing else reads
/// that.
pub(super) fn fold(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let mut changes = 0;
    let mut changed = vec![false; graph.operators.len()];
    for i in 0..graph.operators.len() {
        let Op::Binary { kind, activation } = graph.operators[i].op else { continue };
        let (a, b) = (graph.operators[i].inputs[0], graph.operators[i].inputs[1]);
        let (x, constant) = if graph.tensor(b).is_constant() { (a, b) } else { (b, a) };
        let Some(producer) = flow.sole(x).filter(|p| !changed[p.index()]) else { continue };
        let y = graph.operators[i].outputs[0];
        if graph.tensor(x).shape != graph.tensor(y).shape {
            continue;
        }
        let (factor, offset): (Option<f32>, f32) = match kind {
            BinaryKind::Mul => (None, 0.0),
            BinaryKind::Add => (Some(1.0), 1.0),
            BinaryKind::Sub if constant == b => (Some(1.0), -1.0),
            // c - x: weights and bias change their sign.
            BinaryKind::Sub => (Some(-1.0), 1.0),
            _ => continue,
        };
        let Some(&channels) = graph.tensor(x).shape.dims().last() else { continue };
        let Some(values) = per_channel(graph, constant, channels) else { continue };
        let factors: Vec<f32> = values.iter().map(|&v| factor.unwrap_or(v)).collect();
        let offsets: Vec<f32> = values.iter().map(|&v| v * offset).collect();
        if !apply(graph, producer, &factors, &offsets) {
            continue;
        }
        if let Some((slot, _)) = weighted(&mut graph.operators[producer.index()].op) {
            *slot = activation;
        }
        graph.operators[producer.index()].outputs = vec![y];
        // What is left reads what it wrote, and nothing reads it.
        graph.operators[i].op = Op::Unary(smidgen_ir::UnaryKind::Relu);
        graph.operators[i].inputs = vec![y];
        graph.operators[i].outputs = vec![x];
        changed[producer.index()] = true;
        changes += 1;
    }
    changes
}

/// Multiplies the outputs of an operator without an activation by factors, and adds offsets, in its weights and bias.
fn apply(graph: &mut Graph, operator: OpId, factors: &[f32], offsets: &[f32]) -> bool {
    let operator = operator.index();
    let mut op = graph.operators[operator].op.clone();
    let Some((Activation::None, axis)) = weighted(&mut op).map(|(slot, axis)| (*slot, axis)) else { return false };
    let inputs = graph.operators[operator].inputs.clone();
    let Some(weights) = graph.tensor(inputs[1]).floats() else { return false };
    let channels = factors.len();
    let dims = graph.tensor(inputs[1]).shape.dims().to_vec();
    if dims.get(axis) != Some(&channels) {
        return false;
    }
    let bias = match inputs.get(2) {
        Some(&id) => match graph.tensor(id).floats() {
            Some(bias) => bias,
            None => return false,
        },
        None => vec![0.0; channels],
    };
    let inner: usize = dims[axis + 1..].iter().product();
    let scaled = weights.iter().enumerate().map(|(i, w)| w * factors[i / inner % channels]);
    let moved = (0..channels).map(|c| bias[c] * factors[c] + offsets[c]);
    let scaled: Vec<u8> = scaled.flat_map(f32::to_le_bytes).collect();
    let moved: Vec<u8> = moved.flat_map(f32::to_le_bytes).collect();
    let mut renewed = vec![inputs[0], inputs[1]];
    if factors.iter().any(|&f| f != 1.0) {
        let name = graph.tensor(inputs[1]).name.clone();
        renewed[1] = graph.add_tensor(Tensor::constant(name, dims, DataType::FLOAT32, scaled));
    }
    let name = inputs.get(2).map_or(String::new(), |&id| graph.tensor(id).name.clone());
    renewed.push(graph.add_tensor(Tensor::constant(name, [channels], DataType::FLOAT32, moved)));
    graph.operators[operator].inputs = renewed;
    true
}
