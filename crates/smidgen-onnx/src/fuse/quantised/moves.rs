//! DEQUANTIZE below, and QUANTIZE above, operators that only move or pick values: they then work on integers.
//!
//! Such an operator gives the same integers before and after, since what an integer stands for grows with it.

use super::super::Flow;
use super::constants::{round_to, rounded};
use super::{is_int16, is_integer, probability, range};
use smidgen_ir::{
    Activation, BinaryKind, DataType, Graph, Op, OpId, Operator, PadValue, Quantisation, ReshapeKind, Tensor, TensorId,
    UnaryKind,
};
use std::collections::HashMap;

/// Most types of integers of one tensor that are compared.
const MOST_TYPES: usize = 8;

/// Moves all of them as far as they go. Returns the number of changes.
pub(crate) fn settle(graph: &mut Graph) -> usize {
    if !super::is_quantised(graph) {
        return 0;
    }
    merge(graph) + raise(graph) + lower(graph) + bounded(graph)
}

/// Lets one QUANTIZE serve all readers of equal ones of the same tensor.
fn merge(graph: &mut Graph) -> usize {
    let mut made: HashMap<TensorId, Vec<TensorId>> = HashMap::new();
    let mut instead: HashMap<TensorId, TensorId> = HashMap::new();
    for i in 0..graph.operators.len() {
        let operator = &mut graph.operators[i];
        for id in &mut operator.inputs {
            *id = instead.get(id).copied().unwrap_or(*id);
        }
        if operator.op != Op::Quantize || graph.outputs.contains(&operator.outputs[0]) {
            continue;
        }
        let (x, y) = (operator.inputs[0], operator.outputs[0]);
        let known = made.entry(x).or_default();
        // Files that have more types of one tensor than these want no merging.
        match known.iter().rev().take(MOST_TYPES).find(|&&first| graph.tensor(first).dtype == graph.tensor(y).dtype) {
            Some(&first) => {
                instead.insert(y, first);
            }
            None => known.push(y),
        }
    }
    // What is left of the others has no readers and is dropped.
    graph.operators.retain(|o| !(o.op == Op::Quantize && instead.contains_key(&o.outputs[0])));
    instead.len()
}

/// The operator on integers of type `dtype`, if it only moves values or picks the greatest or least.
fn picking(op: &Op, dtype: &DataType) -> Option<Op> {
    let fixed = match op {
        Op::Pad { pads, value: PadValue::Float(real) } => {
            let value = PadValue::Integer(round_to(*real, dtype)?);
            Op::Pad { pads: pads.clone(), value }
        }
        Op::Pad { value: PadValue::Integer(_), .. } => return None,
        // A pool's activation clamps to integers that stand for its bounds; a join has none on integers.
        Op::Concatenation { activation, .. } if *activation != Activation::None => return None,
        op if op.traits().values.are_elements() => op.clone(),
        _ => return None,
    };
    is_integer(dtype).then_some(fixed)
}

/// The integers of a constant operand of an operator that picks.
fn stored_constant(graph: &mut Graph, id: TensorId, dtype: &DataType) -> Option<TensorId> {
    let tensor = graph.tensor(id);
    let data = rounded(&tensor.floats()?, dtype)?;
    let constant = Tensor::constant(&*tensor.name, tensor.shape.clone(), dtype.clone(), data);
    Some(graph.add_tensor(constant))
}

/// True for a QUANTIZE of floats, and not for one between int8 and uint8, which the network's ends have.
fn quantizes(graph: &Graph, operator: &Operator) -> bool {
    operator.op == Op::Quantize && graph.tensor(operator.inputs[0]).dtype == DataType::FLOAT32
}

/// Which operators are at the ends of integers, as it was before a pass began.
struct Kinds {
    quantize: Vec<bool>,
    dequantize: Vec<bool>,
}

impl Kinds {
    fn of(graph: &Graph) -> Self {
        let are = |is: fn(&Graph, &Operator) -> bool| graph.operators.iter().map(|o| is(graph, o)).collect();
        Self { quantize: are(quantizes), dequantize: are(|_, o| o.op == Op::Dequantize) }
    }
}

/// Makes operators that pick work on the integers that their inputs are the DEQUANTIZE of.
fn lower(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let kinds = Kinds::of(graph);
    let mut stored: HashMap<TensorId, TensorId> = HashMap::new();
    let mut changes = 0;
    for operator in std::mem::take(&mut graph.operators) {
        if operator.op == Op::Dequantize && is_integer(&graph.tensor(operator.inputs[0]).dtype) {
            stored.insert(operator.outputs[0], operator.inputs[0]);
        }
        let quantised = flow.reader(operator.outputs[0]).is_some_and(|r| kinds.quantize[r.index()]);
        match lowered(graph, &operator, &stored, quantised) {
            Some(operators) => {
                let outer = operators.iter().filter(|o| o.op == Op::Dequantize);
                stored.extend(outer.map(|o| (o.outputs[0], o.inputs[0])));
                graph.operators.extend(operators);
                changes += 1;
            }
            None => graph.operators.push(operator),
        }
    }
    changes
}

/// The operator on integers, and a DEQUANTIZE of each of its outputs. `quantised` says that its output goes into a QUANTIZE alone.
fn lowered(
    graph: &mut Graph,
    operator: &Operator,
    stored: &HashMap<TensorId, TensorId>,
    quantised: bool,
) -> Option<Vec<Operator>> {
    let leader = operator.inputs.iter().find_map(|id| stored.get(id))?;
    let dtype = graph.tensor(*leader).dtype.clone();
    if let Op::ArgMax { .. } = operator.op {
        if is_int16(&dtype) {
            return None;
        }
        return Some(vec![Operator { inputs: vec![*leader], ..operator.clone() }]);
    }
    let op = match operator.op {
        // Where a QUANTIZE follows, both become one, or the bound is one of its integers.
        Op::Unary(_) | Op::Binary { .. } if quantised => return None,
        Op::Unary(kind) => clamping(kind, &dtype, &graph.tensor(*leader).shape.0)?,
        _ => picking(&operator.op, &dtype)?,
    };
    let mut inputs = Vec::with_capacity(operator.inputs.len());
    for &id in &operator.inputs {
        inputs.push(match stored.get(&id) {
            Some(&x) if graph.tensor(x).dtype == dtype => x,
            // The constant may lie beyond what these integers stand for.
            None if graph.tensor(id).is_constant() && picks_by_constant(graph, operator, id, &dtype) => {
                stored_constant(graph, id, &dtype)?
            }
            _ => return None,
        });
    }
    let (op, inputs) = without_idle_bound(graph, op, inputs);
    let mut operators = vec![from(operator.source, op, inputs, Vec::new())];
    for &y in &operator.outputs {
        let Tensor { name, shape, .. } = graph.tensor(y).clone();
        let z = graph.add_tensor(Tensor::activation(name, shape, dtype.clone()));
        operators[0].outputs.push(z);
        operators.push(from(operator.source, Op::Dequantize, vec![z], vec![y]));
    }
    Some(operators)
}

/// A RESHAPE to the same shape, which is dropped, for a MINIMUM or MAXIMUM with a bound that no integer is beyond.
fn without_idle_bound(graph: &Graph, op: Op, inputs: Vec<TensorId>) -> (Op, Vec<TensorId>) {
    let (&[a, b], Op::Binary { kind, .. }) = (inputs.as_slice(), &op) else { return (op, inputs) };
    let Some((low, high)) = range(&graph.tensor(a).dtype) else { return (op, inputs) };
    let end = if *kind == BinaryKind::Minimum { high } else { low };
    for (x, bound) in [(a, b), (b, a)] {
        let (shape, bound) = (&graph.tensor(x).shape, graph.tensor(bound));
        let idle = bound.integers().is_some_and(|integers| integers.iter().all(|&integer| integer == end));
        // A bound of one element makes the result no larger.
        if idle && bound.shape.elements() == 1 && bound.shape.rank() <= shape.rank() {
            return (Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.0.clone() }, vec![x]);
        }
    }
    (op, inputs)
}

/// True if a constant operand is a bound that `dtype` holds up to half a step.
fn picks_by_constant(graph: &Graph, operator: &Operator, id: TensorId, dtype: &DataType) -> bool {
    let Some((scale, zero_point)) = dtype.quantisation().and_then(Quantisation::per_tensor) else { return false };
    let bound = matches!(operator.op, Op::Binary { kind: BinaryKind::Minimum | BinaryKind::Maximum, .. });
    let Some((least, most)) = range(dtype) else { return false };
    let (low, high) = (scale * (least - zero_point) as f32, scale * (most - zero_point) as f32);
    bound && graph.tensor(id).floats().is_some_and(|v| v.iter().all(|v| (low..=high).contains(v)))
}

/// A RELU on integers of one type; a RESHAPE to the same `shape`, which is dropped, where none of these integers is clamped.
fn clamping(kind: UnaryKind, dtype: &DataType, shape: &[usize]) -> Option<Op> {
    let activation = match kind {
        UnaryKind::Relu => Activation::Relu,
        UnaryKind::Relu6 => Activation::Relu6,
        UnaryKind::ReluN1To1 if !is_int16(dtype) => Activation::ReluN1To1,
        _ => return None,
    };
    let ((scale, zero_point), (least, most)) = (dtype.quantisation()?.per_tensor()?, range(dtype)?);
    let (low, high) = activation.range();
    let clamps = low > scale * (least - zero_point) as f32 || high < scale * (most - zero_point) as f32;
    Some(match clamps {
        true => Op::Unary(kind),
        false => Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.to_vec() },
    })
}

/// Makes operators that pick work on the integers that a QUANTIZE behind them makes: one walk from the outputs, on which each
/// QUANTIZE comes along until it meets what it cannot pass.
fn raise(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let kinds = Kinds::of(graph);
    let mut changes = 0;
    // By the tensor that it reads alone, each QUANTIZE on its way.
    let mut pending: HashMap<TensorId, Operator> = HashMap::new();
    let mut reversed = Vec::with_capacity(graph.operators.len());
    for (i, operator) in std::mem::take(&mut graph.operators).into_iter().enumerate().rev() {
        if kinds.quantize[i] && flow.reader(operator.inputs[0]).is_some() {
            pending.insert(operator.inputs[0], operator);
            continue;
        }
        let behind: Vec<Operator> = operator.outputs.iter().filter_map(|y| pending.remove(y)).collect();
        match raised(graph, (&flow, &kinds), i, &operator, &behind) {
            Some((above, picking)) => {
                reversed.push(picking);
                for quantize in above {
                    match flow.reader(quantize.inputs[0]) {
                        Some(_) => drop(pending.insert(quantize.inputs[0], quantize)),
                        None => reversed.push(quantize),
                    }
                }
                changes += 1;
            }
            None => {
                reversed.extend(behind);
                reversed.push(operator);
            }
        }
    }
    // Those of the network's inputs; in an order that is the same every time.
    let mut first: Vec<Operator> = pending.into_values().collect();
    first.sort_by_key(|quantize| quantize.inputs[0]);
    reversed.extend(first);
    reversed.reverse();
    graph.operators = reversed;
    changes
}

/// A QUANTIZE of each input of operator `i`, and that operator on integers, which writes what the QUANTIZE `behind` it wrote.
fn raised(
    graph: &mut Graph,
    (flow, kinds): (&Flow, &Kinds),
    i: usize,
    operator: &Operator,
    behind: &[Operator],
) -> Option<(Vec<Operator>, Operator)> {
    let [quantize] = behind else { return None };
    let result = quantize.outputs[0];
    let dtype = graph.tensor(result).dtype.clone();
    let op = picking(&operator.op, &dtype).filter(|_| operator.outputs.len() == 1)?;
    // Something else that reads an input would have it as floats all the same.
    let quantised = |id: &TensorId| {
        let suits = |reader: &OpId| reader.index() == i || kinds.quantize[reader.index()];
        graph.tensor(*id).is_constant()
            || flow.producers[id.index()].is_some_and(|p| kinds.dequantize[p.index()])
            || flow.consumers[id.index()].iter().all(suits)
    };
    if !operator.inputs.iter().all(quantised) {
        return None;
    }
    let mut above = Vec::new();
    let mut inputs = Vec::with_capacity(operator.inputs.len());
    for &id in &operator.inputs {
        if graph.tensor(id).is_constant() {
            inputs.push(stored_constant(graph, id, &dtype)?);
            continue;
        }
        let Tensor { name, shape, .. } = graph.tensor(id).clone();
        let x = graph.add_tensor(Tensor::activation(name, shape, dtype.clone()));
        above.push(from(quantize.source, Op::Quantize, vec![id], vec![x]));
        inputs.push(x);
    }
    let (op, inputs) = without_idle_bound(graph, op, inputs);
    Some((above, from(operator.source, op, inputs, vec![result])))
}

/// An operator that comes from this one of the file.
fn from(source: Option<u32>, op: Op, inputs: Vec<TensorId>, outputs: Vec<TensorId>) -> Operator {
    Operator { source, ..Operator::new(op, inputs, outputs) }
}

/// The integers that suit a function of `input` with bounded values: those that LOGISTIC must have, and all steps up to 6.
fn bounds(op: &Op, input: &DataType) -> Option<DataType> {
    match op {
        Op::Unary(UnaryKind::Logistic) => Some(probability(input)),
        Op::Binary { kind: BinaryKind::Add, activation: Activation::Relu6 } => Some(match is_int16(input) {
            true => DataType::int16(6.0 / 32767.0),
            false => DataType::int8(6.0 / 255.0, -128),
        }),
        _ => None,
    }
}

/// The type of integers that an operator reads as floats.
fn read_as(graph: &Graph, flow: &Flow, operator: &Operator) -> Option<DataType> {
    let mut producers = operator.inputs.iter().filter_map(|id| flow.producers[id.index()]);
    let dequantize = producers.find(|p| graph.operators[p.index()].op == Op::Dequantize)?;
    Some(graph.tensor(graph.operators[dequantize.index()].inputs[0]).dtype.clone())
}

/// True for integers as floats, and for a constant that integers can say.
fn is_stored(graph: &Graph, flow: &Flow, id: TensorId) -> bool {
    let dequantized = |i: usize| {
        let Operator { op, inputs, .. } = &graph.operators[i];
        *op == Op::Dequantize && is_integer(&graph.tensor(inputs[0]).dtype)
    };
    let tensor = graph.tensor(id);
    flow.producers[id.index()].is_some_and(|p| dequantized(p.index()))
        || tensor.is_constant() && tensor.shape.elements() == 1
}

/// The MULs of integers that are quantised, and whose operand `gate` has bounded values.
fn takes(graph: &Graph, flow: &Flow, product: usize, gate: TensorId) -> bool {
    let operator = &graph.operators[product];
    let other = operator.inputs.iter().filter(|&&id| id != gate).all(|&id| is_stored(graph, flow, id));
    matches!(operator.op, Op::Binary { kind: BinaryKind::Mul, .. })
        && other
        && flow.reader(operator.outputs[0]).is_some_and(|r| graph.operators[r.index()].op == Op::Quantize)
}

/// Puts a QUANTIZE and a DEQUANTIZE between a function with bounded values and the MUL with them that is quantised: gates, which
/// are one operator or several in the file, and which it therefore quantises only behind the MUL.
fn bounded(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let suits = |operator: &Operator| {
        let y = operator.outputs[0];
        graph.tensor(y).dtype == DataType::FLOAT32
            && operator.inputs.iter().all(|&id| is_stored(graph, &flow, id))
            && flow.reader(y).is_some_and(|r| takes(graph, &flow, r.index(), y))
    };
    let bounded = |o: &Operator| bounds(&o.op, &read_as(graph, &flow, o)?).filter(|_| suits(o));
    let found: Vec<Option<DataType>> = graph.operators.iter().map(bounded).collect();
    let changes = found.iter().flatten().count();
    for (mut operator, dtype) in std::mem::take(&mut graph.operators).into_iter().zip(found) {
        let Some(dtype) = dtype else {
            graph.operators.push(operator);
            continue;
        };
        let (y, source) = (operator.outputs[0], operator.source);
        let Tensor { name, shape, .. } = graph.tensor(y).clone();
        let real = graph.add_tensor(Tensor::activation(&*name, shape.clone(), DataType::FLOAT32));
        let stored = graph.add_tensor(Tensor::activation(&*name, shape, dtype));
        operator.outputs = vec![real];
        graph.operators.extend([
            operator,
            from(source, Op::Quantize, vec![real], vec![stored]),
            from(source, Op::Dequantize, vec![stored], vec![y]),
        ]);
    }
    changes
}
