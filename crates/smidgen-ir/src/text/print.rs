//! A graph as text.

use super::lex::quoted;
use super::{operator, value};
use crate::graph::{Graph, Operator, Variable};
use crate::tensor::{DataType, Quantisation, Tensor, TensorId};
use std::fmt::Write as _;

/// The graph in the [textual form](super).
pub fn print(graph: &Graph) -> String {
    let mut out = format!("graph {}\n", quoted(&graph.name));
    for (word, list) in [("inputs", &graph.inputs), ("outputs", &graph.outputs)] {
        let _ = writeln!(out, "{word}({})", ids(list));
    }
    if !graph.variables.is_empty() {
        let one = |v: &Variable| match v.initial {
            Some(initial) => format!("{} = {} first {initial}", v.value, v.next),
            None => format!("{} = {}", v.value, v.next),
        };
        let all: Vec<String> = graph.variables.iter().map(one).collect();
        let _ = writeln!(out, "variables({})", all.join(", "));
    }
    out.push('\n');
    // A tensor is declared where it is first written, if an operator writes it at all and it is not a constant.
    let mut declared: Vec<bool> = vec![true; graph.tensors.len()];
    for t in graph.operators.iter().flat_map(|o| &o.outputs) {
        if let Some(tensor) = graph.tensors.get(t.index()) {
            declared[t.index()] = tensor.is_constant();
        }
    }
    for (i, tensor) in graph.tensors.iter().enumerate().filter(|(i, _)| declared[*i]) {
        out.push_str(&declaration(TensorId(i as u32), tensor));
        if let Some(data) = &tensor.data {
            let _ = write!(out, " = {}", value::constant(tensor, data));
        }
        out.push('\n');
    }
    for op in &graph.operators {
        line(graph, op, &mut declared, &mut out);
    }
    out
}

fn ids(list: &[TensorId]) -> String {
    list.iter().map(TensorId::to_string).collect::<Vec<_>>().join(", ")
}

fn line(graph: &Graph, op: &Operator, declared: &mut [bool], out: &mut String) {
    let results: Vec<String> = op
        .outputs
        .iter()
        .map(|&t| match declared.get_mut(t.index()) {
            Some(declared) if !*declared => {
                *declared = true;
                declaration(t, graph.tensor(t))
            }
            _ => t.to_string(),
        })
        .collect();
    match results.is_empty() {
        true => out.push_str("()"),
        false => out.push_str(&results.join(", ")),
    }
    let _ = write!(out, " = {}", op.op.name());
    if let Some(source) = op.source {
        let _ = write!(out, "@{source}");
    }
    let _ = write!(out, "({})", ids(&op.inputs));
    for (key, value) in operator::attributes(&op.op) {
        let _ = write!(out, " {key}={value}");
    }
    if op.uint8 {
        let _ = write!(out, " uint8=true");
    }
    out.push('\n');
}

fn declaration(id: TensorId, tensor: &Tensor) -> String {
    let mut out = id.to_string();
    if let Some(source) = tensor.source {
        let _ = write!(out, "@{source}");
    }
    if !tensor.name.is_empty() {
        let _ = write!(out, " {}", quoted(&tensor.name));
    }
    let dims: Vec<String> = tensor.shape.0.iter().map(usize::to_string).collect();
    let _ = write!(out, " : {}[{}]", tensor.element(), dims.join("x"));
    if let DataType::Quantised(_, quantisation) = &tensor.dtype {
        out.push_str(&braces(quantisation));
    }
    out
}

fn braces(quantisation: &Quantisation) -> String {
    match quantisation {
        Quantisation::PerTensor { scale, zero_point } => format!("{{{}; {zero_point}}}", value::float(*scale)),
        Quantisation::PerChannel { axis, scales, zero_points } => {
            let list: Vec<String> = scales.iter().map(|&s| value::float(s)).collect();
            let mut out = format!("{{axis {axis}: {}", list.join(", "));
            if zero_points.len() != scales.len() || zero_points.iter().any(|&z| z != 0) {
                let list: Vec<String> = zero_points.iter().map(i32::to_string).collect();
                let _ = write!(out, "; {}", list.join(", "));
            }
            out.push('}');
            out
        }
    }
}
