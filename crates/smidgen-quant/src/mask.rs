//! Masked attention: large negative numbers that are added before a SOFTMAX so that it gives 0 there.
//!
//! What lies far enough below its row's greatest element comes out of a SOFTMAX as 0, however far that is. Stored with a scale that
//! reaches down to the mask, no steps would be left for everything else. So tensors that only SOFTMAX sees, directly or through operators
//! that keep the order of their elements, get a *floor*: the least value that needs to be told from those below it. Integers
//! saturate there.

use crate::observe::Seen;
use smidgen_ir::{Activation, BinaryKind, DataType, ElementType, Graph, Op, Operator, TensorId, Values};

/// What stands for minus infinity in a mask: beside it no other number counts, and sums of several are finite.
const LEAST: f32 = -1e30;
/// A row whose greatest element lies below this is masked as a whole. All of its elements are at the floor then, and come out alike, as
/// they do in floats beside so large a mask.
pub(crate) const MASKED: f32 = -5000.0;
/// Only what reaches down this far below the floor is taken for a mask; else the values seen are the range.
const BELOW: f32 = 50.0;
/// A constant factor as large as this makes a mask of zeros and ones; its product saturates, which only floats do at any factor.
const FACTOR: f32 = 1000.0;

/// For each tensor, its floor, if there is a mask among its values or it is part of one.
pub(crate) fn floors(graph: &Graph, states: &[[TensorId; 2]], seen: &Seen, element: ElementType) -> Vec<Option<f32>> {
    // The masked elements of a row, together, take less than a quarter of a step from the others.
    let steps: f32 = if element == ElementType::Int16 { 12.0 } else { 7.0 };
    let softmax = |x: TensorId, beta: f32| {
        let stats = seen[x.index()].as_ref()?;
        let row = graph.tensor(x).shape.dims().last().copied().unwrap_or(1).max(1) as f32;
        let floor = stats.least_peak - (row.ln() + steps) / beta;
        (floor.is_finite() && stats.low < floor - BELOW / beta).then_some(floor)
    };
    let extremes = |id: TensorId| match graph.tensor(id).floats() {
        Some(values) => Some(values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)))),
        None => seen[id.index()].as_ref().map(|stats| (stats.low, stats.high)),
    };
    propagate(graph, states, &softmax, &extremes)
}

/// Makes finite what masks hold for minus infinity. Of other constants it is refused.
pub(crate) fn make_finite(graph: &mut Graph) {
    let only = propagate(graph, &[], &|_, _| Some(0.0), &|_| Some((0.0, 0.0)));
    for (tensor, _) in
        graph.tensors.iter_mut().zip(only).filter(|(tensor, floor)| floor.is_some() && tensor.is_constant())
    {
        let Some(values) = tensor.floats().filter(|values| values.iter().any(|&v| v < LEAST)) else { continue };
        // Not `max`, which would make a number of what is none.
        let finite = values.iter().map(|&v| if v < LEAST { LEAST } else { v });
        tensor.data = Some(finite.flat_map(f32::to_le_bytes).collect::<Vec<u8>>().into());
    }
}

/// True for a product with a constant that makes a mask, which is computed on floats.
pub(crate) fn makes_mask(graph: &Graph, operator: &Operator, floors: &[Option<f32>]) -> bool {
    let large =
        |id: &TensorId| graph.tensor(*id).floats().is_some_and(|values| values.iter().any(|v| v.abs() > FACTOR));
    matches!(operator.op, Op::Binary { kind: BinaryKind::Mul, .. })
        && floors.get(operator.outputs[0].index()).is_some_and(Option::is_some)
        && operator.inputs.iter().any(large)
}

/// Floors of SOFTMAX operators' inputs, as `softmax` gives them by tensor and beta, handed on to what they are made from. `extremes` are
/// a tensor's least and greatest value.
fn propagate(
    graph: &Graph,
    states: &[[TensorId; 2]],
    softmax: &dyn Fn(TensorId, f32) -> Option<f32>,
    extremes: &dyn Fn(TensorId) -> Option<(f32, f32)>,
) -> Vec<Option<f32>> {
    let mut floors: Vec<Option<f32>> = vec![None; graph.tensors.len()];
    // Somebody else sees these.
    let mut blocked = vec![false; graph.tensors.len()];
    graph.outputs.iter().chain(states.iter().flatten()).for_each(|id| blocked[id.index()] = true);
    graph.variables.iter().flat_map(|v| [v.value, v.next]).for_each(|id| blocked[id.index()] = true);
    // Readers come after what they read.
    for Operator { op, inputs, outputs, .. } in graph.operators.iter().rev() {
        let below = outputs.iter().map(|id| floors[id.index()].filter(|_| !blocked[id.index()]));
        // Of several outputs, what all of them can spare.
        let below = below.reduce(|a, b| a.zip(b).map(|(a, b)| a.min(b))).flatten();
        let clamped = op.activation().is_some_and(|activation| activation != Activation::None);
        for (k, &id) in inputs.iter().enumerate() {
            let other = inputs.get(1 - k.min(1)).copied();
            let other = || other.filter(|&other| other != id).and_then(extremes);
            let floor = match op {
                Op::Softmax { beta } if *beta > 0.0 => softmax(id, *beta),
                _ if clamped => None,
                Op::Binary { kind: BinaryKind::Add, .. } => below.zip(other()).map(|(floor, (_, high))| floor - high),
                Op::Binary { kind: BinaryKind::Sub, .. } if k == 0 => {
                    below.zip(other()).map(|(floor, (low, _))| floor + low)
                }
                Op::Binary { kind: BinaryKind::Mul, .. } => below
                    .zip(other())
                    .filter(|(_, (low, high))| *low > 0.0 && low == high)
                    .map(|(floor, (by, _))| floor / by),
                op if matches!(op.traits().values, Values::Moved | Values::Chosen) => below,
                _ => None,
            };
            if graph.tensor(id).dtype != DataType::FLOAT32 {
                continue;
            }
            let at = &mut floors[id.index()];
            match floor.filter(|floor| floor.is_finite()) {
                Some(floor) => *at = Some(at.map_or(floor, |at| at.min(floor))),
                None => blocked[id.index()] = true,
            }
        }
    }
    floors.iter().zip(blocked).map(|(floor, blocked)| floor.filter(|_| !blocked)).collect()
}
