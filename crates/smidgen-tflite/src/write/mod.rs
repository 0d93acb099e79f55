//! From a graph to bytes: operators are lowered to the format's (a [`Draft`]), tensors numbered, tables built.

mod draft;
pub(crate) mod options;
pub(crate) mod tree;
mod uint8;
mod versions;
mod writer;

pub(crate) use draft::ABSENT;
pub(crate) use versions::Signature;
pub(crate) use writer::Writer;

use crate::error::WriteError;
use crate::flat::Many;
use crate::schema::{
    IDENTIFIER, VERSION, buffer, metadata, model, operator, operator_code, quantization, subgraph, tensor,
};
use crate::support::Builtin;
use draft::{Draft, DraftOperator, DraftTensor, DraftVariable};
use options::Options;
use smidgen_ir::{DataType, ElementType, Graph, Quantisation};
use std::collections::HashMap;
use tree::Node;

/// Most bytes of constants and lists; a FlatBuffer's offsets reach 2 GiB.
const MAX_BYTES: usize = 2_000_000_000;

/// Writes a graph as a TensorFlow Lite file. The same graph gives the same bytes.
///
/// Tensors keep their place in the file that they came from ([`Tensor::source`](smidgen_ir::Tensor::source)) as far
/// as there are so many; those that nothing uses are left out. Parameters become constant tensors again. Padding that
/// the format cannot give a convolution becomes a PAD before it, and a CONV_2D without a bias gets one of zeros, as
/// the reference interpreter wants it. Where an operator computes as uint8, all int8 becomes that. Variables are read
/// before all other operators and assigned behind them; a subgraph that CALL_ONCE runs gives them their initial
/// values. Reading the file gives the same graph, but for these and for `source`, and writing that one gives the same
/// bytes.
///
/// # Errors
/// [`WriteError`], for a graph that [`smidgen_ir::validate()`] would refuse or that the format cannot hold.
pub fn write(graph: &Graph) -> Result<Vec<u8>, WriteError> {
    write_with(graph, &[])
}

/// Writes a graph as [`write`](write()) does, with metadata besides: names, and what they hold, which
/// [`metadata`](crate::metadata) gives back. Interpreters pass over it.
///
/// # Errors
/// As [`write`](write()).
pub fn write_with(graph: &Graph, metadata: &[(&str, &[u8])]) -> Result<Vec<u8>, WriteError> {
    let graph = uint8::stored(graph)?;
    let draft = Draft::of(&graph)?;
    let initial = draft.variables.iter().map(|variable| &variable.initial);
    let size: usize = draft.tensors.iter().chain(initial).map(DraftTensor::size).sum::<usize>()
        + metadata.iter().map(|(name, held)| 100 + name.len() + held.len()).sum::<usize>()
        + draft.operators.iter().map(|o| 100 + 4 * (o.inputs.len() + o.outputs.len())).sum::<usize>();
    if size > MAX_BYTES {
        return Err(WriteError::TooLarge { bytes: size });
    }
    Ok(tree::serialise(&file(&draft, metadata), IDENTIFIER, size))
}

fn file<'a>(draft: &'a Draft<'_>, metadata: &[(&str, &'a [u8])]) -> Node<'a> {
    let order = draft.slots();
    let mut place = vec![0i32; draft.tensors.len()];
    for (slot, &t) in order.iter().enumerate() {
        place[t] = slot as i32;
    }
    let mut buffers = Buffers::default();
    let tensors = order.iter().map(|&t| tensor_node(&draft.tensors[t], &mut buffers)).collect();
    let mut codes = Codes::default();
    let listed = |tensors: &[usize]| tensors.iter().map(|&t| place.get(t).copied().unwrap_or(-1)).collect();
    let operators =
        draft.operators.iter().map(|o| codes.operator(o, [&o.inputs, &o.outputs, &o.intermediates].map(|t| listed(t))));
    let operators = operators.collect::<Vec<_>>();
    let initial = (!draft.variables.is_empty()).then(|| initial_values(draft, &mut codes, &mut buffers));
    let codes = codes.0.into_iter().map(|(code, version)| {
        Node::default()
            // Readers older than the newer field look here; they know no operator above 127.
            .with(operator_code::deprecated_builtin_code, i8::try_from(code).unwrap_or(i8::MAX))
            .with(operator_code::version, version)
            .with(operator_code::builtin_code, code)
    });
    let port = |tensors: &[usize]| tensors.iter().map(|&t| place[t]).collect::<Vec<i32>>();
    let subgraph = Node::default()
        .with(subgraph::tensors, tensors)
        .with(subgraph::inputs, port(&draft.inputs))
        .with(subgraph::outputs, port(&draft.outputs))
        .with(subgraph::operators, operators)
        .with(subgraph::name, draft.name.to_string());
    let held: Vec<Node> = metadata
        .iter()
        .map(|&(name, held)| {
            let buffer = buffers.of(held);
            Node::default().with(metadata::name, name.to_string()).with(metadata::buffer, buffer)
        })
        .collect();
    let file = Node::default()
        .with(model::version, VERSION)
        .with::<Many>(model::operator_codes, codes.collect())
        .with(model::subgraphs, [subgraph].into_iter().chain(initial).collect())
        .with(model::description, "smidgen".to_string())
        .with(model::buffers, buffers.nodes);
    if held.is_empty() { file } else { file.with(model::metadata, held) }
}

/// The subgraph that gives variables their initial values: it assigns a constant to each.
fn initial_values<'a>(draft: &'a Draft<'_>, codes: &mut Codes, buffers: &mut Buffers<'a>) -> Node<'a> {
    let (mut tensors, mut operators) = (Vec::new(), Vec::new());
    for DraftVariable { handle, shared_name, initial } in &draft.variables {
        let at = tensors.len() as i32;
        tensors.push(tensor_node(&draft.tensors[*handle], buffers));
        tensors.push(tensor_node(initial, buffers));
        let mut push = |builtin, inputs, outputs, options| {
            let [no_inputs, no_outputs, intermediates] = [const { Vec::new() }; 3];
            let operator =
                DraftOperator { builtin, version: 1, inputs: no_inputs, outputs: no_outputs, intermediates, options };
            operators.push(codes.operator(&operator, [inputs, outputs, Vec::new()]));
        };
        let options = Options::VarHandle { shared_name: shared_name.clone() };
        push(Builtin::VarHandle, vec![], vec![at], options);
        push(Builtin::AssignVariable, vec![at, at + 1], vec![], Options::None);
    }
    Node::default()
        .with(subgraph::tensors, tensors)
        .with(subgraph::inputs, Vec::new())
        .with(subgraph::outputs, Vec::new())
        .with(subgraph::operators, operators)
        .with(subgraph::name, "initial values".to_string())
}

/// Operators by their codes and versions, each listed once.
#[derive(Default)]
struct Codes(Vec<(i32, i32)>);

impl Codes {
    /// An operator with these tensors, inputs, outputs and intermediates, by their places in its subgraph.
    fn operator<'a>(&mut self, o: &DraftOperator, [inputs, outputs, intermediates]: [Vec<i32>; 3]) -> Node<'a> {
        let code = (o.builtin.code(), o.version);
        let index = self.0.iter().position(|&c| c == code).unwrap_or_else(|| {
            self.0.push(code);
            self.0.len() - 1
        });
        let node = Node::default()
            .with(operator::opcode_index, index as u32)
            .with(operator::inputs, inputs)
            .with(operator::outputs, outputs);
        let node = match intermediates.is_empty() {
            true => node,
            false => node.with(operator::intermediates, intermediates),
        };
        match options::node(&o.options) {
            Some(options) => node
                .with(operator::builtin_options_type, crate::support::options(o.builtin))
                .with(operator::builtin_options, options),
            None => node,
        }
    }
}

/// The constants' bytes, each stored once.
struct Buffers<'a> {
    nodes: Vec<Node<'a>>,
    index: HashMap<&'a [u8], u32>,
}

impl Default for Buffers<'_> {
    fn default() -> Self {
        // Buffer 0 is empty by convention: that of tensors computed at run time.
        Self { nodes: vec![Node::default()], index: HashMap::from([(&[] as &[u8], 0)]) }
    }
}

impl<'a> Buffers<'a> {
    fn of(&mut self, bytes: &'a [u8]) -> u32 {
        *self.index.entry(bytes).or_insert_with(|| {
            self.nodes.push(Node::default().with(buffer::data, bytes));
            (self.nodes.len() - 1) as u32
        })
    }
}

fn tensor_node<'a>(source: &'a DraftTensor<'_>, buffers: &mut Buffers<'a>) -> Node<'a> {
    let node = Node::default()
        .with(tensor::shape, source.shape.clone())
        .with(tensor::element, if source.resource { RESOURCE } else { element_code(source.dtype.element()) })
        .with(tensor::buffer, buffers.of(source.data.as_deref().unwrap_or_default()))
        .with(tensor::name, source.name.to_string());
    let node = if source.variable { node.with(tensor::is_variable, true) } else { node };
    match source.dtype.as_ref() {
        DataType::Plain(_) => node,
        DataType::Quantised(_, quantisation) => node.with(tensor::quantization, quantisation_node(quantisation)),
    }
}

fn quantisation_node<'a>(quantisation: &Quantisation) -> Node<'a> {
    let (scales, zero_points, axis) = match quantisation {
        Quantisation::PerTensor { scale, zero_point } => (vec![*scale], vec![i64::from(*zero_point)], 0),
        Quantisation::PerChannel { axis, scales, zero_points } => {
            (scales.clone(), zero_points.iter().map(|&z| z.into()).collect(), *axis as i32)
        }
    };
    Node::default()
        .with(quantization::scale, scales)
        .with(quantization::zero_point, zero_points)
        .with(quantization::quantized_dimension, axis)
}

/// The value of `TensorType` for handles of variables.
const RESOURCE: i8 = 13;

/// The value of `TensorType`.
pub(crate) fn element_code(element: ElementType) -> i8 {
    match element {
        ElementType::Float32 => 0,
        ElementType::Int32 => 2,
        ElementType::Int64 => 4,
        ElementType::Bool => 6,
        ElementType::Int16 => 7,
        ElementType::Int8 => 9,
        ElementType::Uint8 => 3,
        ElementType::Int4 => 17,
    }
}
