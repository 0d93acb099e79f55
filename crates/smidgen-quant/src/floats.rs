//! Which operators compute on floats among integers, with DEQUANTIZE before and QUANTIZE behind them.
//!
//! An operator stays on floats if TensorFlow Lite's reference has no int8 kernel for it (SIN), or if the 256 steps of its input are
//! too coarse for what it makes of them (DIV, SQRT, RSQRT, comparisons; EXP and LOG of some ranges), or if its fixed-point form has no room for the scales (SOFTMAX of huge
//! numbers). So do recurrent layers but LSTM and SVDF. Where values that an operator on floats makes are mostly less than a step apart from
//! 0, as RSQRT has them if one sample is nearly nothing, what reads them stays on floats as well. What is read by such operators alone, and is cheap, stays with
//! them: a variance or a sum of exponentials loses most on its way through int8, and nothing has to be converted in between.

use crate::affine::Affine;
use crate::mask;
use crate::observe::{Seen, Stats};
use crate::params::{is_activation, is_tied};
use crate::recurrent::Form;
use smidgen_ir::{BinaryKind, Function, Graph, Op, Operator, UnaryKind};

/// The widest step of EXP's input: half of it, the most that an input is off by rounding, is the relative error of the result.
const WIDEST: f64 = 0.1;
/// LOG wants what it reads to be at least so many steps from 0.
const NEAREST: f64 = 8.0;
/// Typical values of what floats have made are at least this part of a step: half of them round to something else than 0.
const LEAST_STEPS: f64 = 0.5;
/// Steps of the output up to which a table's entry is defined before it is clamped: half of what int32 holds.
const MOST_STEPS: f64 = (1u32 << 30) as f64;

/// For each operator, whether it has no form on int8, or on int16, that gives what the float network does, where activations are stored
/// like this, with these floors of [masks](mask), and these are the `forms` of recurrent layers.
pub(crate) fn unsuited(
    graph: &Graph,
    (stored, floors): (&[Option<Affine>], &[Option<f32>]),
    seen: &Seen,
    forms: &[Option<Form>],
) -> Vec<bool> {
    let suits = |(i, operator): (usize, &Operator)| {
        // What is asked and chosen is asked of floats, and DIV has too few bits of its divisor.
        let stays = matches!(operator.op, Op::Compare(_) | Op::Select | Op::Binary { kind: BinaryKind::Div, .. });
        if stays || !operator.op.takes_int8() {
            return forms.get(i).is_some_and(Option::is_some);
        }
        if mask::makes_mask(graph, operator, floors) {
            return false;
        }
        let (x, y) = (operator.inputs[0], operator.outputs[0]);
        let Some(to) = stored[y.index()] else { return true };
        // A constant that is moved or looked up takes the scale of what becomes of it.
        let from = stored[x.index()].or(Some(to).filter(|_| is_tied(&operator.op)));
        let Some(from) = from else { return true };
        let low = seen[x.index()].as_ref().map_or(0.0, |stats| f64::from(stats.low));
        is_exact(&operator.op, from, to, low)
    };
    let mut unsuited: Vec<bool> = graph.operators.iter().enumerate().map(|each| !suits(each)).collect();
    // Tensors that come from floats and that integers would make 0 of.
    let mut lost = vec![false; graph.tensors.len()];
    for (operator, unsuited) in graph.operators.iter().zip(&mut unsuited) {
        *unsuited |= is_cheap(&operator.op) && operator.inputs.iter().any(|id| lost[id.index()]);
        for id in operator.outputs.iter().filter(|_| *unsuited) {
            let typical = seen[id.index()].as_ref().and_then(Stats::typical);
            let step = stored[id.index()].map(|affine| f64::from(affine.scale));
            lost[id.index()] = typical.zip(step).is_some_and(|(typical, step)| typical < LEAST_STEPS * step);
        }
    }
    unsuited
}

/// True if an operator's fixed-point form has room for these scales and enough steps. `low` is the least input that was seen.
fn is_exact(op: &Op, from: Affine, to: Affine, low: f64) -> bool {
    let (scale, step) = (f64::from(from.scale), f64::from(to.scale));
    let wide = from.is_int16();
    match op {
        // A variance has too few steps for its root, and a table of int16 is too coarse where the root is steep.
        Op::Unary(UnaryKind::Function(Function::Sqrt | Function::Rsqrt)) => false,
        Op::Unary(UnaryKind::Function(_)) => {
            let (low, high) = from.range();
            f64::from(high.max(-low)) / step < MOST_STEPS
        }
        // A table of int16 has straight lines where these bend most.
        Op::Unary(UnaryKind::Exp) => !wide && scale <= WIDEST && f64::from(from.range().1).exp() / step < MOST_STEPS,
        Op::Unary(UnaryKind::Log) => {
            let steps = [f64::from(from.range().1), scale].map(|x| (x.ln() / step).abs());
            !wide && low >= NEAREST * scale && steps.iter().all(|&steps| steps < MOST_STEPS)
        }
        // An input that comes from int8 may have steps of nearly twice the size; the rest is what lowering allows.
        Op::Softmax { beta } if wide => scale * f64::from(*beta) < 2.5,
        Op::Unary(UnaryKind::Logistic | UnaryKind::Tanh) if wide => (1e-11..1.3).contains(&scale),
        Op::Unary(UnaryKind::Tanh) => scale < 1e6,
        Op::Softmax { beta } => scale * f64::from(*beta) > 3e-8,
        // It has no form for int16: beside that its own input and output are int8.
        Op::Unary(UnaryKind::HardSwish) if !wide => scale < 64.0 * step && scale < 1e7,
        _ => true,
    }
}

/// True for what computes on floats nearly as quickly.
fn is_cheap(op: &Op) -> bool {
    matches!(
        op,
        Op::Binary { .. } | Op::Unary(_) | Op::Prelu | Op::Reduce { .. } | Op::Softmax { .. } | Op::Reshape { .. }
    )
}

/// Adds to operators on floats those that only they read, where that is cheap.
pub(crate) fn with_feeders(graph: &Graph, floats: &mut [bool]) {
    let consumers = graph.consumers();
    // Readers come after what they read.
    for i in (0..graph.operators.len()).rev() {
        let Operator { op, outputs, .. } = &graph.operators[i];
        if floats[i] || !is_cheap(op) || graph.outputs.iter().any(|id| outputs.contains(id)) {
            continue;
        }
        let mut readers = outputs.iter().flat_map(|id| &consumers[id.index()]).peekable();
        floats[i] = readers.peek().is_some()
            && readers.all(|reader| floats[reader.index()])
            && outputs.iter().all(|&id| is_activation(graph, id));
    }
}
