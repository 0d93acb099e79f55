//! Brings a float graph to a form of which every operator has an int8 counterpart.

use crate::error::QuantError;
use crate::mask;
use smidgen_exec::fold_constants;
use smidgen_ir::{
    Activation, BinaryKind, DataType, ElementType, Graph, Op, Operator, ReduceKind, Tensor, TensorId, UnaryKind,
    Values, passes,
};
use smidgen_lower::LowerOptions;
use std::ops::Range;

/// A cleaned graph that computes the same: constants folded, weights of dynamic range quantisation made floats, fused
/// activations of CONCATENATION made operators, SUM made MEAN times the count (the reference's int8 SUM is right only for
/// bytes that are not negative), a division by constants made a multiplication, and activations fused into what they follow.
pub(crate) fn prepare(graph: &Graph) -> Result<Graph, QuantError> {
    let mut graph = graph.clone();
    split(&mut graph);
    fold_constants(&mut graph, &LowerOptions::default());
    passes::canonicalise(&mut graph);
    fuse_activations(&mut graph);
    passes::canonicalise(&mut graph);
    mask::make_finite(&mut graph);
    check(&graph)?;
    Ok(graph)
}

/// Rewrites operators into several.
fn split(graph: &mut Graph) {
    let float = |graph: &Graph, id: TensorId| graph.tensor(id).dtype == DataType::FLOAT32;
    for mut operator in std::mem::take(&mut graph.operators) {
        let y = operator.outputs[0];
        match &mut operator.op {
            op if float(graph, operator.inputs[0])
                && weights(op).any(|i| {
                    matches!(graph.tensor(operator.inputs[i]).element(), ElementType::Int8 | ElementType::Int4)
                }) =>
            {
                for input in &mut operator.inputs[weights(op)] {
                    let weights = graph.tensor(*input);
                    let real = Tensor::activation(weights.name.clone(), weights.shape.clone(), DataType::FLOAT32);
                    let real = graph.add_tensor(real);
                    graph.add_operator(Op::Dequantize, vec![*input], vec![real]);
                    *input = real;
                }
                graph.operators.push(operator);
            }
            // SVDF on integers has a form for RELU alone.
            Op::Concatenation {
                activation: activation @ (Activation::Relu | Activation::Relu6 | Activation::ReluN1To1),
                ..
            }
            | Op::Svdf { activation: activation @ (Activation::Relu6 | Activation::ReluN1To1), .. } => {
                let kind = match std::mem::take(activation) {
                    Activation::ReluN1To1 => UnaryKind::ReluN1To1,
                    Activation::Relu6 => UnaryKind::Relu6,
                    Activation::Relu | Activation::None => UnaryKind::Relu,
                };
                let joined = graph.add_tensor(graph.tensor(y).clone());
                operator.outputs[0] = joined;
                graph.operators.push(operator);
                graph.add_operator(Op::Unary(kind), vec![joined], vec![y]);
            }
            Op::Reduce { kind: kind @ ReduceKind::Sum, .. } if float(graph, y) => {
                *kind = ReduceKind::Mean;
                let mean = graph.add_tensor(graph.tensor(y).clone());
                let elements = |id: TensorId| graph.tensor(id).shape.elements();
                let count = elements(operator.inputs[0]) as f32 / elements(y).max(1) as f32;
                let name = format!("{} count", graph.tensor(y).name);
                let count = Tensor::constant(name, Vec::new(), DataType::FLOAT32, count.to_le_bytes());
                let count = graph.add_tensor(count);
                operator.outputs[0] = mean;
                graph.operators.push(operator);
                let times = Op::Binary { kind: BinaryKind::Mul, activation: Activation::None };
                graph.add_operator(times, vec![mean, count], vec![y]);
            }
            Op::Binary { kind: kind @ BinaryKind::Div, .. }
                if let Some(inverse) = inverse(graph.tensor(operator.inputs[1])) =>
            {
                *kind = BinaryKind::Mul;
                operator.inputs[1] = graph.add_tensor(inverse);
                graph.operators.push(operator);
            }
            _ => graph.operators.push(operator),
        }
    }
}

/// The places of an operator's inputs that may be weights of integers beside floats.
fn weights(op: &Op) -> Range<usize> {
    match op {
        Op::Recurrent(_) => 1..3,
        op if op.traits().weights.is_some_and(|weights| weights.hybrid) => 1..2,
        _ => 0..0,
    }
}

/// One over each of a constant's values, where all of these are numbers with all their digits.
fn inverse(divisor: &Tensor) -> Option<Tensor> {
    let inverses: Vec<f32> = divisor.floats()?.iter().map(|value| 1.0 / value).collect();
    let bytes: Vec<u8> = inverses.iter().flat_map(|value| value.to_le_bytes()).collect();
    let name = format!("{} inverse", divisor.name);
    let inverse = Tensor::constant(name, divisor.shape.clone(), DataType::FLOAT32, bytes);
    inverses.iter().all(|value| value.is_normal()).then_some(inverse)
}

/// Makes an activation that follows a layer, and nothing else does, part of the layer: its output then needs no range for values
/// that the activation takes away.
fn fuse_activations(graph: &mut Graph) {
    let (producers, consumers) = (graph.producers(), graph.consumers());
    let mut gone = vec![false; graph.operators.len()];
    for (i, gone) in gone.iter_mut().enumerate() {
        let Operator { op: Op::Unary(kind), inputs, outputs, .. } = &graph.operators[i] else { continue };
        let activation = match kind {
            UnaryKind::Relu => Activation::Relu,
            UnaryKind::Relu6 => Activation::Relu6,
            UnaryKind::ReluN1To1 => Activation::ReluN1To1,
            UnaryKind::Logistic
            | UnaryKind::Tanh
            | UnaryKind::LeakyRelu { .. }
            | UnaryKind::HardSwish
            | UnaryKind::Exp
            | UnaryKind::Log
            | UnaryKind::Function(_) => continue,
        };
        let (x, y) = (inputs[0], outputs[0]);
        let Some(before) = producers[x.index()] else { continue };
        let only = consumers[x.index()].len() == 1 && !graph.outputs.contains(&x);
        if !only || graph.tensor(x).dtype != DataType::FLOAT32 {
            continue;
        }
        let before = &mut graph.operators[before.index()];
        if let Some(fused) = fused(&mut before.op)
            && *fused == Activation::None
        {
            *fused = activation;
            before.outputs[0] = y;
            *gone = true;
        }
    }
    let mut gone = gone.into_iter();
    graph.operators.retain(|_| !gone.next().unwrap_or(false));
}

/// The fused activation of an operator whose sums are clamped by it before they are stored.
fn fused(op: &mut Op) -> Option<&mut Activation> {
    let traits = op.traits();
    op.activation_mut().filter(|_| traits.int8 && traits.values == Values::Computed)
}

fn check(graph: &Graph) -> Result<(), QuantError> {
    let mut floats = false;
    for operator in &graph.operators {
        for &id in operator.inputs.iter().chain(&operator.outputs) {
            let tensor = graph.tensor(id);
            floats |= tensor.dtype == DataType::FLOAT32;
            if tensor.dtype.quantisation().is_some() {
                return Err(QuantError::Quantised {
                    operator: operator.op.name(),
                    tensor: tensor.name.clone(),
                    dtype: tensor.dtype.to_string(),
                });
            }
            let values = tensor.floats().unwrap_or_default();
            if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
                return Err(QuantError::Constant { operator: operator.op.name(), tensor: tensor.name.clone(), value });
            }
        }
    }
    if floats { Ok(()) } else { Err(QuantError::NothingToDo) }
}
