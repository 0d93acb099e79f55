//! What a graph costs: multiply-accumulates, parameter bytes, activation bytes, and how far each tensor sees.
//!
//! A multiply-accumulate (MAC) is one weight times one activation added to a sum. Only what has
//! [weights](crate::ops::Traits::weights) is counted; taps that fall into the padding count, as is usual:
//!
//! | operator | MACs |
//! |---|---|
//! | CONV_2D | `N * OH * OW * O * KH * KW * C` |
//! | DEPTHWISE_CONV_2D | `N * OH * OW * O * KH * KW`, with `O = C * multiplier` |
//! | TRANSPOSE_CONV | `N * H * W * C * KH * KW * O` |
//! | FULLY_CONNECTED | `rows * K * O` |
//! | recurrent layers | `N * T * G * H * (I + H)` |
//!
//! Sums of ADD, MEAN or pooling are none. All numbers are exact, and those of a validated graph cannot overflow.

mod field;

pub use field::{ReceptiveField, receptive_fields};

use crate::graph::{Graph, Operator};

/// What one operator costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OperatorCost {
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes of the constants that it reads: weights, biases, slopes, constant operands. One that it reads twice
    /// counts once.
    pub parameter_bytes: usize,
    /// Bytes of its outputs.
    pub output_bytes: usize,
}

/// What a graph costs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cost {
    /// For each operator.
    pub operators: Vec<OperatorCost>,
    /// Multiply-accumulates of all operators.
    pub macs: u64,
    /// Bytes of all constants that an operator reads or the graph puts out, each counted once.
    pub parameter_bytes: usize,
    /// Bytes of all operators' outputs. Not what must be held at once: that is for a plan to say.
    pub output_bytes: usize,
    /// Bytes of the graph's inputs.
    pub input_bytes: usize,
    /// For each tensor, how far it sees; see [`receptive_fields`].
    pub receptive_fields: Vec<Option<ReceptiveField>>,
}

/// The costs of a graph that [`validate`](crate::validate()) accepts.
///
/// # Panics
/// May panic on a graph that has not been validated.
pub fn cost(graph: &Graph) -> Cost {
    let mut total = Cost { receptive_fields: receptive_fields(graph), ..Cost::default() };
    let mut counted = vec![false; graph.tensors.len()];
    for operator in &graph.operators {
        let mut cost =
            OperatorCost { macs: macs(graph, operator).expect("validated counts fit"), ..Default::default() };
        for (i, t) in operator.inputs.iter().enumerate() {
            let tensor = graph.tensor(*t);
            if !tensor.is_constant() || operator.inputs[..i].contains(t) {
                continue;
            }
            cost.parameter_bytes += tensor.bytes();
            if !std::mem::replace(&mut counted[t.index()], true) {
                total.parameter_bytes += tensor.bytes();
            }
        }
        cost.output_bytes = operator.outputs.iter().map(|&t| graph.tensor(t).bytes()).sum();
        total.macs += cost.macs;
        total.output_bytes += cost.output_bytes;
        total.operators.push(cost);
    }
    for t in &graph.outputs {
        if graph.tensor(*t).is_constant() && !std::mem::replace(&mut counted[t.index()], true) {
            total.parameter_bytes += graph.tensor(*t).bytes();
        }
    }
    total.input_bytes = graph.inputs.iter().map(|&t| graph.tensor(t).bytes()).sum();
    total
}

/// Multiply-accumulates of one operator whose shapes agree with [`infer`](crate::infer()); `None` if they overflow 64
/// bits.
pub fn macs(graph: &Graph, operator: &Operator) -> Option<u64> {
    let dims = |t: crate::TensorId| graph.tensor(t).shape.dims();
    // Each weight meets every position of the output (transposed: of the input) that its channels belong to.
    let (x, y) = (dims(operator.inputs[0]), dims(operator.outputs[0]));
    if let Some(steps) = operator.op.spec(|spec| spec.steps(x)) {
        let elements = |i: usize| u64::try_from(graph.tensor(operator.inputs[i]).shape.checked_elements()?).ok();
        return elements(1)?.checked_add(elements(2)?)?.checked_mul(u64::try_from(steps).ok()?);
    }
    if let Some(products) = operator.op.spec(|spec| spec.products(x)) {
        return y.iter().chain([&products]).try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?));
    }
    let Some(positions) = operator.op.spec(|spec| spec.positions(x, y)) else { return Some(0) };
    positions.iter().chain(dims(operator.inputs[1])).try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?))
}

/// Multiply-accumulates of all operators, or `None` if they overflow 64 bits.
pub(crate) fn checked_total_macs(graph: &Graph) -> Option<u64> {
    graph.operators.iter().try_fold(0u64, |n, operator| n.checked_add(macs(graph, operator)?))
}

#[cfg(test)]
mod tests;
