//! `smidgen inspect`: what a network computes and what that costs.

use super::Answer;
use crate::console::Failure;
use crate::console::format::{bytes, count, real, thousands};
use crate::console::options::{Model, title};
use crate::console::output::{Output, STRONG};
use crate::console::table::{Column, Table};
use clap::Args;
use serde_json::{Value, json};
use smidgen::Network;
use smidgen::data::PortAxes;
use smidgen::ir::{DataType, Graph, Op, Quantisation, Shape, Tensor, TensorId};
use smidgen::ir::{visible, visible_path};
use smidgen::onnx::Port;

/// Show a network's operators, shapes and costs
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen inspect model.tflite            a table with one line for each operator
  smidgen inspect model.tflite --json     the same for programs, with every tensor's quantisation
  smidgen inspect model.tflite -v         also each operator's tensors by name
  smidgen inspect model.tflite --ir       the whole network as text, which reads back as a model

Multiply-accumulates (MACs), weight bytes and activation bytes are exact counts. The largest activation pair is the \
greatest sum of what one operator reads and writes: no plan that runs operator by operator, without overlapping the two, \
needs less.")]
pub struct Inspect {
    #[command(flatten)]
    model: Model,
    /// Print JSON
    #[arg(long, conflicts_with = "ir")]
    json: bool,
    /// Print the network as text, weights included, that every command reads as a model
    #[arg(long)]
    ir: bool,
}

const COLUMNS: [Column; 7] = [
    Column::right("#", 0),
    Column::left("operator", 0),
    Column::left("output", 0),
    Column::left("type", 2),
    Column::right("MACs", 1),
    Column::right("weight\nbytes", 3),
    Column::right("output\nbytes", 4),
];

impl Inspect {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let network = self.model.open()?;
        if self.ir {
            out.print(smidgen::ir::text::print(network.graph()))?;
            return Ok(Answer::Yes);
        }
        if self.json {
            out.json(&describe(&network))?;
            return Ok(Answer::Yes);
        }
        let graph = network.graph();
        let name = title(graph).map_or(String::new(), |name| format!(" ({})", visible(name)));
        out.line(format!(
            "{STRONG}{}{STRONG:#}{name}: {}, {}",
            visible_path(&self.model.path),
            count(graph.operators.len(), "operator"),
            count(graph.tensors.len(), "tensor"),
        ))?;
        for line in ends(&network) {
            out.line(line)?;
        }
        out.line("")?;
        out.print(table(&network, out.width))?;
        for line in summary(&network) {
            out.note(line)?;
        }
        for note in network.notes() {
            out.wrapped(&format!("note: {note}"), 2)?;
        }
        if out.verbose() {
            out.line("")?;
            for (i, operator) in graph.operators.iter().enumerate() {
                let names = |ids: &[TensorId]| {
                    ids.iter()
                        .map(|&id| format!("`{}`", visible(&graph.tensor(id).name)))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                out.line(format!(
                    "{i:3} {}: {} -> {}",
                    operator.op.name(),
                    names(&operator.inputs),
                    names(&operator.outputs)
                ))?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// The inputs and outputs whose elements lie otherwise in the model file than `here`, each as "input `x`: 1x8x8x3 in the
/// network, channels last; 1x3x8x8 in the model file".
pub fn moved(network: &Network, here: &str) -> Vec<String> {
    let (graph, interface) = (network.graph(), network.interface());
    let line = |what: &str, id: TensorId, axes: PortAxes| {
        let port = axes.rearranged().filter(|port| port.moves_elements())?;
        let tensor = graph.tensor(id);
        let order = if port.is_channels_last() { "channels last" } else { "its axes in another order" };
        let (own, file) = (&tensor.shape, Shape(port.shape.clone()));
        Some(format!("{what} `{}`: {own} in {here}, {order}; {file} in the model file", tensor.name))
    };
    let inputs = graph.inputs.iter().enumerate().map(|(i, &id)| line("input", id, interface.input(i)));
    let outputs = graph.outputs.iter().enumerate().map(|(i, &id)| line("output", id, interface.output(i)));
    inputs.chain(outputs).flatten().collect()
}

/// One line for each input, output and variable.
fn ends(network: &Network) -> Vec<String> {
    let (graph, interface) = (network.graph(), network.interface());
    let line = |what: &str, i: usize, id: TensorId, axes: PortAxes| {
        let layout = axes.rearranged().map_or_else(String::new, layout);
        format!("  {what:6} {i}  {}{layout}", port(graph.tensor(id)))
    };
    let inputs = graph.inputs.iter().enumerate().map(|(i, &id)| line("input", i, id, interface.input(i)));
    let outputs = graph.outputs.iter().enumerate().map(|(i, &id)| line("output", i, id, interface.output(i)));
    let states = graph.variables.iter().enumerate();
    let states = states.map(|(i, variable)| format!("  state  {i}  {}", port(graph.tensor(variable.value))));
    inputs.chain(outputs).chain(states).collect()
}

/// What the file has where the graph has its axes in another order.
pub fn layout(port: &Port) -> String {
    let order = if port.is_channels_last() {
        "with the channels last".into()
    } else {
        format!("with its axes as {:?}", port.axes)
    };
    format!("  (the file's {}, {order})", Shape(port.shape.clone()))
}

/// One line for each operator, and the totals.
pub fn table(network: &Network, width: usize) -> String {
    let (graph, cost) = (network.graph(), network.cost());
    let mut table = Table::new(&COLUMNS);
    let number = |n: u64| if n == 0 { "-".to_owned() } else { thousands(n) };
    for (i, (operator, cost)) in graph.operators.iter().zip(&cost.operators).enumerate() {
        let outputs = || operator.outputs.iter().map(|&id| graph.tensor(id));
        let shape = match operator.outputs.len() {
            1 => graph.tensor(operator.outputs[0]).shape.to_string(),
            n => format!("{n} of {}", graph.tensor(operator.outputs[0]).shape),
        };
        table.row(vec![
            i.to_string(),
            operator.op.name().to_owned(),
            shape,
            outputs().next().map_or("", |t| t.element().name()).to_owned(),
            number(cost.macs),
            number(cost.parameter_bytes as u64),
            number(cost.output_bytes as u64),
        ]);
    }
    table.footer(vec![
        String::new(),
        "total".into(),
        String::new(),
        String::new(),
        number(cost.macs),
        number(cost.parameter_bytes as u64),
        number(cost.output_bytes as u64),
    ]);
    table.render(width)
}

/// The totals in words.
pub fn summary(network: &Network) -> Vec<String> {
    let (graph, cost) = (network.graph(), network.cost());
    let mut lines = vec![format!("weights {}, {} MACs", bytes(cost.parameter_bytes), thousands(cost.macs))];
    if let Some((i, pair)) = largest_pair(graph) {
        let name = graph.operators[i].op.name();
        lines.push(format!("largest activation pair {}, at operator {i} {name}", bytes(pair)));
    }
    lines
}

/// The operator whose activations, read and written, are the most bytes together.
fn largest_pair(graph: &Graph) -> Option<(usize, usize)> {
    let activation = |id: &TensorId| Some(graph.tensor(*id)).filter(|t| !t.is_constant()).map_or(0, Tensor::bytes);
    let pair = |i: usize| -> usize {
        let operator = &graph.operators[i];
        if matches!(operator.op, Op::Reshape { .. }) {
            // It only relabels the bytes it reads.
            return operator.outputs.iter().map(activation).sum();
        }
        // An operand read twice is held once.
        let mut read = operator.inputs.clone();
        read.sort_unstable();
        read.dedup();
        read.iter().chain(&operator.outputs).map(activation).sum()
    };
    (0..graph.operators.len()).map(|i| (i, pair(i))).max_by_key(|&(i, n)| (n, std::cmp::Reverse(i)))
}

/// A graph input or output in one line.
pub fn port(tensor: &Tensor) -> String {
    let mut text = format!("`{}`  {} {}", visible(&tensor.name), tensor.element(), tensor.shape);
    if let Some((scale, zero)) = tensor.per_tensor() {
        text.push_str(&format!("  scale {}, zero point {zero}", real(f64::from(scale))));
        if let Some((low, high)) = tensor.element().range().filter(|_| tensor.element().bits() <= 16) {
            let real_of = |q: i64| real(f64::from(scale) * (q - i64::from(zero)) as f64);
            text.push_str(&format!(" (real {} to {})", real_of(low), real_of(high)));
        }
    }
    text
}

/// Everything about the network but its weights.
fn describe(network: &Network) -> Value {
    let (graph, cost) = (network.graph(), network.cost());
    let tensor = |id: &TensorId| {
        let tensor = graph.tensor(*id);
        json!({
            "tensor": id.0,
            "name": tensor.name,
            "source": tensor.source,
            "shape": tensor.shape.dims(),
            "type": tensor.element().name(),
            "constant": tensor.is_constant(),
            "bytes": tensor.bytes(),
            "quantisation": quantisation(&tensor.dtype),
        })
    };
    let operators: Vec<Value> = graph
        .operators
        .iter()
        .zip(&cost.operators)
        .enumerate()
        .map(|(i, (operator, cost))| {
            json!({
                "index": i,
                "source": operator.source,
                "operator": operator.op.name(),
                "inputs": operator.inputs.iter().map(tensor).collect::<Vec<_>>(),
                "outputs": operator.outputs.iter().map(tensor).collect::<Vec<_>>(),
                "macs": cost.macs,
                "weight_bytes": cost.parameter_bytes,
                "output_bytes": cost.output_bytes,
            })
        })
        .collect();
    let pair = largest_pair(graph);
    json!({
        "name": graph.name,
        "layouts": network.ports().map(|ports| json!({
            "inputs": ports.inputs.iter().map(describe_port).collect::<Vec<_>>(),
            "outputs": ports.outputs.iter().map(describe_port).collect::<Vec<_>>(),
        })),
        "inputs": graph.inputs.iter().map(tensor).collect::<Vec<_>>(),
        "outputs": graph.outputs.iter().map(tensor).collect::<Vec<_>>(),
        "variables": graph.variables.iter().map(|v| tensor(&v.value)).collect::<Vec<_>>(),
        "operators": operators,
        "macs": cost.macs,
        "weight_bytes": cost.parameter_bytes,
        "output_bytes": cost.output_bytes,
        "input_bytes": cost.input_bytes,
        "largest_activation_pair_bytes": pair.map(|(_, n)| n),
        "largest_activation_pair_operator": pair.map(|(i, _)| i),
    })
}

/// The shape in the file, and for each axis of the tensor the file's.
fn describe_port(port: &Port) -> Value {
    json!({ "name": port.name, "file_shape": port.shape, "axes": port.axes })
}

fn quantisation(dtype: &DataType) -> Value {
    match dtype.quantisation() {
        None => Value::Null,
        Some(Quantisation::PerTensor { scale, zero_point }) => json!({ "scale": scale, "zero_point": zero_point }),
        Some(Quantisation::PerChannel { axis, scales, zero_points }) => {
            json!({ "axis": axis, "scales": scales, "zero_points": zero_points })
        }
    }
}
