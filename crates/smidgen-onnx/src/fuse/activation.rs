//! Activations into the operators before them, and HARD_SWISH and GELU where they are spelt out.

use super::Flow;
use smidgen_ir::{Activation, BinaryKind, Function, Graph, Op, Tensor, TensorId, UnaryKind};

/// The fused activation that a unary operator is.
fn fused(kind: UnaryKind) -> Option<Activation> {
    match kind {
        UnaryKind::Relu => Some(Activation::Relu),
        UnaryKind::Relu6 => Some(Activation::Relu6),
        UnaryKind::ReluN1To1 => Some(Activation::ReluN1To1),
        _ => None,
    }
}

/// Where an operator keeps its activation.
fn slot(op: &mut Op) -> Option<&mut Activation> {
    match op {
        Op::Binary { kind: BinaryKind::Minimum | BinaryKind::Maximum, .. } | Op::Concatenation { .. } => None,
        op => op.activation_mut(),
    }
}

/// Moves RELUs into what makes their input, if nothing else reads that.
pub(super) fn absorb(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let mut changes = 0;
    for i in 0..graph.operators.len() {
        let Op::Unary(kind) = graph.operators[i].op else { continue };
        let (x, y) = (graph.operators[i].inputs[0], graph.operators[i].outputs[0]);
        let (Some(activation), Some(producer)) = (fused(kind), flow.sole(x)) else { continue };
        let producer = &mut graph.operators[producer.index()];
        let Some(slot) = slot(&mut producer.op) else { continue };
        if *slot != Activation::None || producer.outputs != [x] {
            continue;
        }
        *slot = activation;
        // The tensor before the activation is gone, and nothing may write a tensor twice.
        producer.outputs = vec![y];
        graph.operators[i].outputs = vec![x];
        graph.operators[i].inputs = vec![y];
        changes += 1;
    }
    changes
}

/// The value of a constant of one element.
fn scalar(graph: &Graph, id: TensorId) -> Option<f32> {
    match graph.tensor(id).floats()?[..] {
        [value] => Some(value),
        _ => None,
    }
}

/// The operand that is computed and the constant of one element that it meets, of a binary operator of this kind.
fn with_scalar(graph: &Graph, id: TensorId, flow: &Flow, kind: BinaryKind) -> Option<(TensorId, f32)> {
    let operator = &graph.operators[flow.sole(id)?.index()];
    let Op::Binary { kind: found, activation: Activation::None } = operator.op else { return None };
    let (a, b) = (operator.inputs[0], operator.inputs[1]);
    match (found == kind, scalar(graph, a), scalar(graph, b)) {
        (true, None, Some(value)) => Some((a, value)),
        (true, Some(value), None) => Some((b, value)),
        _ => None,
    }
}

/// Closeness of constants that exporters round.
fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-6 * b.abs().max(1.0)
}

/// `min(max(x / 6 + 1 / 2, 0), 1)`: its `x`.
fn hard_sigmoid(graph: &Graph, id: TensorId, flow: &Flow) -> Option<TensorId> {
    of_operator(graph, flow, flow.sole(id)?.index())
}

/// `min(max(x + 3, 0), 6)`: its `x`.
fn shifted_relu6(graph: &Graph, id: TensorId, flow: &Flow) -> Option<TensorId> {
    let relu6 = &graph.operators[flow.sole(id)?.index()];
    let (sum, fused) = match relu6.op {
        Op::Unary(UnaryKind::Relu6) => (relu6.inputs[0], false),
        Op::Binary { kind: BinaryKind::Add, activation: Activation::Relu6 } => (id, true),
        _ => return None,
    };
    let (x, offset) = if fused {
        let (a, b) = (relu6.inputs[0], relu6.inputs[1]);
        match (scalar(graph, a), scalar(graph, b)) {
            (None, Some(value)) => (a, value),
            (Some(value), None) => (b, value),
            _ => return None,
        }
    } else {
        with_scalar(graph, sum, flow, BinaryKind::Add)?
    };
    (offset == 3.0).then_some(x)
}

/// `x * hard_sigmoid(x)` and `x * relu6(x + 3) / 6` (in any order of the factors) become HARD_SWISH, and what is left of a
/// HardSigmoid RELU6 and a factor.
pub(super) fn hard_swish(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let mut changes = 0;
    for i in 0..graph.operators.len() {
        let Op::Binary { kind, activation: Activation::None } = graph.operators[i].op else { continue };
        let (a, b) = (graph.operators[i].inputs[0], graph.operators[i].inputs[1]);
        let y = graph.operators[i].outputs[0];
        let sixth =
            |value: f32| kind == BinaryKind::Mul && near(value, 1.0 / 6.0) || kind == BinaryKind::Div && value == 6.0;
        let mut found = None;
        if kind == BinaryKind::Mul {
            for (x, gate) in [(a, b), (b, a)] {
                let gated = hard_sigmoid(graph, gate, &flow).or_else(|| scaled_relu6(graph, gate, &flow));
                if gated == Some(x) {
                    found = Some(x);
                }
            }
        }
        // x * relu6(x + 3), then a sixth of it.
        for (product, constant) in [(a, b), (b, a)] {
            if scalar(graph, constant).is_some_and(sixth)
                && (kind == BinaryKind::Mul || constant == b)
                && let Some(product) = flow.sole(product)
                && let Op::Binary { kind: BinaryKind::Mul, activation: Activation::None } =
                    graph.operators[product.index()].op
            {
                let [p, q] = [graph.operators[product.index()].inputs[0], graph.operators[product.index()].inputs[1]];
                for (x, gate) in [(p, q), (q, p)] {
                    if shifted_relu6(graph, gate, &flow) == Some(x) {
                        found = Some(x);
                    }
                }
            }
        }
        if let Some(x) = found.filter(|&x| graph.tensor(x).shape == graph.tensor(y).shape) {
            graph.operators[i].op = Op::Unary(UnaryKind::HardSwish);
            graph.operators[i].inputs = vec![x];
            changes += 1;
        } else if kind == BinaryKind::Minimum {
            changes += usize::from(hard_sigmoid_by_relu6(graph, &flow, i));
        }
    }
    changes
}

/// `erf(x / sqrt(2)) + 1`: its `x`.
fn normal_gate(graph: &Graph, id: TensorId, flow: &Flow) -> Option<TensorId> {
    let (erf, one) = with_scalar(graph, id, flow, BinaryKind::Add)?;
    let erf = &graph.operators[flow.sole(erf)?.index()];
    if one != 1.0 || erf.op != Op::Unary(UnaryKind::Function(Function::Erf)) {
        return None;
    }
    let scaled = erf.inputs[0];
    if let Some((x, factor)) = with_scalar(graph, scaled, flow, BinaryKind::Mul) {
        return near(factor, std::f32::consts::FRAC_1_SQRT_2).then_some(x);
    }
    let quotient = &graph.operators[flow.sole(scaled)?.index()];
    let is_quotient = quotient.op == Op::Binary { kind: BinaryKind::Div, activation: Activation::None };
    let by_root = |id| scalar(graph, id).is_some_and(|value| near(value, std::f32::consts::SQRT_2));
    (is_quotient && by_root(quotient.inputs[1])).then_some(quotient.inputs[0])
}

/// `x * (erf(x / sqrt(2)) + 1) / 2` becomes GELU, wherever the half stands.
pub(super) fn gelu(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let product = |graph: &Graph, i: usize| match graph.operators[i].op {
        Op::Binary { kind: BinaryKind::Mul, activation: Activation::None } => {
            Some([graph.operators[i].inputs[0], graph.operators[i].inputs[1]])
        }
        _ => None,
    };
    let halved = |graph: &Graph, id: TensorId| {
        with_scalar(graph, id, &flow, BinaryKind::Mul).filter(|&(_, factor)| factor == 0.5).map(|(x, _)| x)
    };
    let mut changes = 0;
    for i in 0..graph.operators.len() {
        let Some([a, b]) = product(graph, i) else { continue };
        let y = graph.operators[i].outputs[0];
        let mut found = None;
        for (p, q) in [(a, b), (b, a)] {
            // The half last.
            if scalar(graph, q) == Some(0.5)
                && let Some(inner) = flow.sole(p)
                && let Some([c, d]) = product(graph, inner.index())
            {
                for (x, gate) in [(c, d), (d, c)] {
                    found = found.or(normal_gate(graph, gate, &flow).filter(|&of| of == x));
                }
            }
            // The half of `x`, or that of the gate.
            if let Some(x) = halved(graph, p) {
                found = found.or(normal_gate(graph, q, &flow).filter(|&of| of == x));
                found = found.or(normal_gate(graph, x, &flow).filter(|&of| of == q));
            }
        }
        if let Some(x) = found.filter(|&x| graph.tensor(x).shape == graph.tensor(y).shape) {
            graph.operators[i].op = Op::Unary(UnaryKind::Function(Function::Gelu));
            graph.operators[i].inputs = vec![x];
            changes += 1;
        }
    }
    changes
}

/// `relu6(x + 3) / 6`: its `x`.
fn scaled_relu6(graph: &Graph, id: TensorId, flow: &Flow) -> Option<TensorId> {
    let inner = match with_scalar(graph, id, flow, BinaryKind::Mul) {
        Some((inner, factor)) if near(factor, 1.0 / 6.0) => inner,
        _ => with_scalar(graph, id, flow, BinaryKind::Div).filter(|&(_, divisor)| divisor == 6.0)?.0,
    };
    shifted_relu6(graph, inner, flow)
}

/// A HardSigmoid that only gates another tensor: `relu6(x + 3) * (1 / 6)`, two operators for four.
fn hard_sigmoid_by_relu6(graph: &mut Graph, flow: &Flow, i: usize) -> bool {
    let y = graph.operators[i].outputs[0];
    // A product with the same x will take it whole.
    let Some(x) = of_operator(graph, flow, i) else { return false };
    let gates_x = flow.reader(y).is_some_and(|reader| graph.operators[reader.index()].inputs.contains(&x));
    if gates_x {
        return false;
    }
    let constant = |value: f32| Tensor::constant("", [1], smidgen_ir::DataType::FLOAT32, value.to_le_bytes().to_vec());
    let (three, sixth) = (graph.add_tensor(constant(3.0)), graph.add_tensor(constant(1.0 / 6.0)));
    // The operators before are reused in place: the maximum becomes the sum, the minimum the product.
    let Some(maximum) =
        flow.producers[graph.operators[i].inputs[0].index()].or(flow.producers[graph.operators[i].inputs[1].index()])
    else {
        return false;
    };
    let clamped = graph.operators[maximum.index()].outputs[0];
    let operator = &mut graph.operators[maximum.index()];
    operator.op = Op::Binary { kind: BinaryKind::Add, activation: Activation::Relu6 };
    operator.inputs = vec![x, three];
    let operator = &mut graph.operators[i];
    operator.op = Op::Binary { kind: BinaryKind::Mul, activation: Activation::None };
    operator.inputs = vec![clamped, sixth];
    true
}

/// The `x` of a HardSigmoid whose last operator, a minimum, is operator `i`.
fn of_operator(graph: &Graph, flow: &Flow, i: usize) -> Option<TensorId> {
    let operator = &graph.operators[i];
    if operator.op != (Op::Binary { kind: BinaryKind::Minimum, activation: Activation::None }) {
        return None;
    }
    let (a, b) = (operator.inputs[0], operator.inputs[1]);
    let (y, top) = match (scalar(graph, a), scalar(graph, b)) {
        (None, Some(top)) => (a, top),
        (Some(top), None) => (b, top),
        _ => return None,
    };
    let (y, bottom) = with_scalar(graph, y, flow, BinaryKind::Maximum)?;
    let (y, offset) = with_scalar(graph, y, flow, BinaryKind::Add)?;
    let (x, factor) = with_scalar(graph, y, flow, BinaryKind::Mul)?;
    (top == 1.0 && bottom == 0.0 && near(offset, 0.5) && near(factor, 1.0 / 6.0)).then_some(x)
}
