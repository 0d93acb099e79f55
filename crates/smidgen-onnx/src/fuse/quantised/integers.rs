//! Each operator that computes between DEQUANTIZE and QUANTIZE, as one on integers.

use super::super::Flow;
use super::{UnsupportedGroup, Why, constants, is_int16, is_integer, probability};
use crate::emit::Scales;
use smidgen_ir::{
    Activation, BinaryKind, DataType, Graph, Op, Padding, PoolKind, ReduceKind, Tensor, TensorId, UnaryKind, Values,
    Weights,
};

/// Rewrites every operator that can be, in place: no operator changes its index. `excluded` ones stay on floats, for
/// these reasons.
pub(super) fn make(graph: &mut Graph, scales: &Scales, excluded: &[(usize, String)]) -> Vec<UnsupportedGroup> {
    let flow = Flow::of(graph);
    let mut obstacles = Vec::new();
    for i in 0..graph.operators.len() {
        let found = match excluded.iter().find(|(index, _)| *index == i) {
            Some((_, fault)) => Err(Why::Scales(fault.clone())),
            // Nothing is changed unless all of it can be.
            None => integer(graph, &flow, i, scales),
        };
        if let (Err(why), Some(node)) = (found, graph.operators[i].source) {
            obstacles.push(UnsupportedGroup { node: node as usize, why });
        }
    }
    obstacles
}

/// How an operator reads its inputs.
enum Form {
    /// An activation, such weights, a bias.
    Weighted(Weights),
    /// Activations, perhaps constants.
    Operands,
    /// It only moves elements, of whatever type.
    Moves,
}

fn form(op: &Op) -> Result<Form, Why> {
    let traits = op.traits();
    Ok(match op {
        Op::ArgMax { .. } | Op::Quantize | Op::Dequantize => Form::Moves,
        // Those that pick have been moved below DEQUANTIZE where that is right; EXP, LOG and SUM round otherwise than
        // ONNX says.
        Op::Binary { kind: BinaryKind::Minimum | BinaryKind::Maximum, .. }
        | Op::Unary(UnaryKind::Exp | UnaryKind::Log)
        | Op::Reduce { kind: ReduceKind::Sum, .. } => return Err(Why::Form(op.name())),
        _ => match (traits.weights, traits.values) {
            (Some(weights), _) => Form::Weighted(weights),
            (None, Values::Moved) => Form::Moves,
            (None, _) if traits.int8 => Form::Operands,
            (None, _) => return Err(Why::Form(op.name())),
        },
    })
}

/// The tensor of integers that a float one is the DEQUANTIZE of.
fn stored(graph: &Graph, flow: &Flow, id: TensorId) -> Option<TensorId> {
    // What was made since has no DEQUANTIZE before it.
    let producer = &graph.operators[flow.producers.get(id.index()).copied()??.index()];
    let x = *producer.inputs.first()?;
    (producer.op == Op::Dequantize && is_integer(&graph.tensor(x).dtype)).then_some(x)
}

/// Rewrites operator `i`, and lets the QUANTIZE behind it read its integers: that has nothing left to do if their type
/// is the one it makes, and is dropped.
fn integer(graph: &mut Graph, flow: &Flow, i: usize, scales: &Scales) -> Result<(), Why> {
    let operator = graph.operators[i].clone();
    if operator.op == Op::Quantize {
        if let Some(x) = stored(graph, flow, operator.inputs[0]) {
            graph.operators[i].inputs = vec![x];
        }
        return Ok(());
    }
    let y = operator.outputs[0];
    let constant = operator.inputs.iter().all(|&id| graph.tensor(id).is_constant());
    if graph.tensor(y).dtype != DataType::FLOAT32 || operator.outputs.len() != 1 || constant {
        return Ok(());
    }
    let form = form(&operator.op)?;
    let activations = match form {
        Form::Weighted(_) => &operator.inputs[..1],
        Form::Operands => &operator.inputs[..],
        Form::Moves => return Ok(()),
    };
    for &id in activations.iter().filter(|&&id| !graph.tensor(id).is_constant()) {
        if stored(graph, flow, id).is_none() {
            return Err(Why::Input(graph.tensor(id).name.clone()));
        }
    }
    let quantize = flow.reader(y).map(|id| id.index()).filter(|&q| graph.operators[q].op == Op::Quantize);
    let quantize = quantize.ok_or(Why::Output)?;
    let wanted = graph.tensor(graph.operators[quantize].outputs[0]).dtype.clone();
    let wide = is_int16(&wanted);
    let mut read = activations.iter().filter_map(|&id| stored(graph, flow, id));
    if read.any(|x| is_int16(&graph.tensor(x).dtype) != wide) {
        return Err(Why::Mixed);
    }
    if wide && !operator.op.takes_int16() {
        return Err(Why::WideForm(operator.op.name()));
    }
    let mut inputs = Vec::with_capacity(operator.inputs.len());
    for &id in activations {
        inputs.push(match stored(graph, flow, id) {
            Some(x) => x,
            None => constants::operand(graph, scales, id, wide)?,
        });
    }
    if let Form::Weighted(Weights { axis, zero_point, .. }) = form {
        let may_shift = zero_point && !wide;
        let (weights, steps) = constants::weights(graph, scales, operator.inputs[1], axis, may_shift)?;
        inputs.push(weights);
        if let Some(&id) = operator.inputs.get(2) {
            let bias = constants::bias(graph, id, inputs[0], &steps)?;
            inputs.push(bias);
        }
    }
    let (op, made) = settled(graph, &operator.op, inputs[0], &wanted);
    let Tensor { name, shape, .. } = graph.tensor(y).clone();
    let result = graph.add_tensor(Tensor::activation(name, shape, made));
    graph.operators[i].op = op;
    graph.operators[i].inputs = inputs;
    graph.operators[i].outputs = vec![result];
    graph.operators[quantize].inputs = vec![result];
    Ok(())
}

/// The operator on integers and the type that it makes, which for some is prescribed or that of the input `x`.
fn settled(graph: &Graph, op: &Op, x: TensorId, wanted: &DataType) -> (Op, DataType) {
    let input = &graph.tensor(x).dtype;
    match *op {
        Op::Softmax { .. } | Op::Unary(UnaryKind::Logistic) => (op.clone(), probability(input)),
        Op::Unary(UnaryKind::Tanh) if is_int16(input) => (op.clone(), DataType::int16(1.0 / 32768.0)),
        // The mean of a whole image may have another scale, and then it is rounded once only.
        Op::Pool2d {
            kind: PoolKind::Average, window, padding: Padding::Valid, activation: Activation::None, ..
        } if input != wanted && graph.tensor(x).shape.dims().get(1..3) == Some(&window[..]) => {
            (Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: true }, wanted.clone())
        }
        _ if op.traits().values.keep_type() => (op.clone(), input.clone()),
        _ => (op.clone(), wanted.clone()),
    }
}
