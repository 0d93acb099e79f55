//! Networks that compute [as uint8](smidgen_ir::Operator::uint8): the format says that by the type of the tensors, so
//! that all that is int8 in the graph is uint8 in the file, 128 more.

use crate::error::WriteError;
use smidgen_ir::front::quoted;
use smidgen_ir::{DataType, ElementType, Graph, Op, Operator, PadValue, Quantisation, Tensor, TensorId};
use std::borrow::Cow;

/// The graph as the file holds it: another one if an operator computes as uint8.
pub(super) fn stored(graph: &Graph) -> Result<Cow<'_, Graph>, WriteError> {
    if graph.operators.iter().all(|operator| !operator.uint8) {
        return Ok(Cow::Borrowed(graph));
    }
    if let Some(index) = graph.operators.iter().position(|operator| only_int8(graph, operator)) {
        let operator = &graph.operators[index];
        let output = operator.outputs.first().and_then(|id| graph.tensors.get(id.index()));
        return Err(WriteError::Operator {
            index,
            operator: operator.op.name().into(),
            output: quoted(output.map_or("", |tensor| &tensor.name)),
            what: "it computes as int8 beside operators that compute as uint8, which one file cannot say".into(),
        });
    }
    let mut stored = graph.clone();
    for operator in &mut stored.operators {
        let x = operator.inputs.first().and_then(|id| graph.tensors.get(id.index()));
        if let Op::Pad { value: PadValue::Integer(value), .. } = &mut operator.op
            && x.is_some_and(|x| x.element() == ElementType::Int8)
        {
            *value += 128;
        }
    }
    for (index, tensor) in stored.tensors.iter_mut().enumerate() {
        shift(tensor).map_err(|what| WriteError::Tensor { index, name: quoted(&tensor.name), what })?;
    }
    join_ends(graph, &mut stored);
    Ok(Cow::Owned(stored))
}

/// True if what an operator computes depends on whether its tensors are int8 or uint8, and it is int8.
fn only_int8(graph: &Graph, operator: &Operator) -> bool {
    let int8 = operator.inputs.first().and_then(|id| graph.tensors.get(id.index()));
    let traits = operator.op.traits();
    let rounds = traits.uint8 && traits.weights.is_none() && !matches!(operator.op, Op::Concatenation { .. });
    rounds && !operator.uint8 && int8.is_some_and(|x| x.element() == ElementType::Int8)
}

/// Makes int8 uint8.
fn shift(tensor: &mut Tensor) -> Result<(), String> {
    match tensor.dtype {
        DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { scale, zero_point }) => {
            let quantisation = Quantisation::PerTensor { scale, zero_point: zero_point + 128 };
            tensor.dtype = DataType::Quantised(ElementType::Uint8, quantisation);
            tensor.data = tensor.data.take().map(|data| data.iter().map(|byte| byte ^ 0x80).collect());
            Ok(())
        }
        DataType::Quantised(ElementType::Int8 | ElementType::Int4, _) => {
            Err(format!("it is {}, beside operators that compute as uint8, of which there is neither", tensor.dtype))
        }
        _ => Ok(()),
    }
}

/// Leaves out each QUANTIZE at an end of the network that made int8 of its uint8, or uint8 of its int8.
fn join_ends(graph: &Graph, stored: &mut Graph) {
    let mut at = 0;
    for operator in &graph.operators {
        let (&[x, ..], &[y, ..]) = (operator.inputs.as_slice(), operator.outputs.as_slice()) else {
            at += 1;
            continue;
        };
        let of = |id: TensorId| graph.tensors.get(id.index()).map(Tensor::element);
        let turns = operator.op == Op::Quantize && of(x) != of(y) && of(x).is_some() && of(y).is_some();
        let same = || stored.tensor(x).dtype == stored.tensor(y).dtype;
        let joined = if !turns || !same() {
            None
        } else if stored.inputs.contains(&x) {
            Some((y, x))
        } else if stored.outputs.contains(&y) && stored.operators[..at].iter().any(|other| other.outputs.contains(&x)) {
            Some((x, y))
        } else {
            None
        };
        let Some((gone, stays)) = joined else {
            at += 1;
            continue;
        };
        stored.operators.remove(at);
        let operators = stored.operators.iter_mut().flat_map(|o| o.inputs.iter_mut().chain(&mut o.outputs));
        let variables = stored.variables.iter_mut().flat_map(|v| [&mut v.value, &mut v.next]);
        let all = operators.chain(&mut stored.outputs).chain(variables);
        all.filter(|id| **id == gone).for_each(|id| *id = stays);
    }
}
